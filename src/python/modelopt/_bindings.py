# SPDX-License-Identifier: MIT
# Made by src/python/generate.py from include/modelopt/*.h: do not edit.
"""The C interface, name for name. modelopt.c is this module."""

from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_double, c_float,
    c_int32, c_int64, c_size_t, c_uint32, c_void_p)

from ._library import bind, verify

VERSION = (0, 1, 0)

MOPT_OK = 0
MOPT_PRUNED = 1
MOPT_EXHAUSTED = 2
MOPT_STOPPED = 3
MOPT_EINVAL = -1
MOPT_ENOMEM = -2
MOPT_ESTATE = -3
MOPT_ERANGE = -4
MOPT_EKEY = -5
MOPT_EUNSUPPORTED = -6
MOPT_EIO = -20
MOPT_EFORMAT = -21
MOPT_ENOENT = -22
MOPT_EEXIST = -23
MOPT_ELOCKED = -24
MOPT_ESTORE = -25
MOPT_EPEER = -26
MOPT_ECANCELED = -40
MOPT_ECALLBACK = -41
MOPT_EDIVERGED = -42
MOPT_EBACKEND = -60
MOPT_EINTERNAL = -61
MOPT_LOG_ERROR = 1
MOPT_LOG_WARN = 2
MOPT_LOG_INFO = 3
MOPT_LOG_DEBUG = 4
MOPT_BACKEND_ABI = 1
MOPT_TYPE_INT = 1
MOPT_TYPE_FLOAT = 2
MOPT_TYPE_BOOL = 3
MOPT_TYPE_TEXT = 4
MOPT_TYPE_CHOICE = 5
MOPT_TYPE_VARIANT = 6
MOPT_TYPE_JSON = 7
MOPT_F32 = 1
MOPT_F64 = 2
MOPT_U8 = 3
MOPT_I8 = 4
MOPT_I16 = 5
MOPT_I32 = 6
MOPT_I64 = 7
MOPT_BOOL = 8
MOPT_TARGET_NONE = 0
MOPT_TARGET_CLASS = 1
MOPT_TARGET_NUMBER = 2
MOPT_PART_TRAIN = 0
MOPT_PART_VALIDATION = 1
MOPT_PART_TEST = 2
MOPT_DATABASE_ABI = 1
MOPT_VALUE_NULL = 0
MOPT_VALUE_INT = 1
MOPT_VALUE_REAL = 2
MOPT_VALUE_TEXT = 3
MOPT_VALUE_TIME = 4
MOPT_DATABASE_ROW = 1
MOPT_DATABASE_BUSY = 2
MOPT_DATABASE_LOST = 3
MOPT_DATABASE_DOUBT = 4
MOPT_DATABASE_AGAIN = 5
MOPT_DATABASE_CONTENT = 6
MOPT_DATABASE_MISSING = 7
MOPT_DATABASE_NOMEM = 8
MOPT_DATABASE_FAILED = 9
MOPT_DATABASE_READ = 0
MOPT_DATABASE_WRITE = 1
MOPT_DATABASE_CREATE = 2
MOPT_DATABASE_SHARED = 1
MOPT_GROUP_ABI = 1
MOPT_SUM = 0
MOPT_MIN = 1
MOPT_MAX = 2
MOPT_LINEAR = 0
MOPT_LOG = 1
MOPT_TRIAL_RUNNING = 0
MOPT_TRIAL_COMPLETE = 1
MOPT_TRIAL_PRUNED = 2
MOPT_TRIAL_FAILED = 3
MOPT_TRIAL_WAITING = 4
MOPT_EVENT_DATA = 1
MOPT_EVENT_TRIAL = 2
MOPT_EVENT_EPOCH = 3
MOPT_EVENT_TEST = 4
MOPT_EVENT_CASE = 5

#: Names of the status codes.
STATUS = {
    0: "MOPT_OK",
    1: "MOPT_PRUNED",
    2: "MOPT_EXHAUSTED",
    3: "MOPT_STOPPED",
    -1: "MOPT_EINVAL",
    -2: "MOPT_ENOMEM",
    -3: "MOPT_ESTATE",
    -4: "MOPT_ERANGE",
    -5: "MOPT_EKEY",
    -6: "MOPT_EUNSUPPORTED",
    -20: "MOPT_EIO",
    -21: "MOPT_EFORMAT",
    -22: "MOPT_ENOENT",
    -23: "MOPT_EEXIST",
    -24: "MOPT_ELOCKED",
    -25: "MOPT_ESTORE",
    -26: "MOPT_EPEER",
    -40: "MOPT_ECANCELED",
    -41: "MOPT_ECALLBACK",
    -42: "MOPT_EDIVERGED",
    -60: "MOPT_EBACKEND",
    -61: "MOPT_EINTERNAL",
}


class mopt_context(Structure):
    """Only ever behind a pointer."""


class mopt_cancel(Structure):
    """Only ever behind a pointer."""


class mopt_config(Structure):
    """Only ever behind a pointer."""


class mopt_dataset(Structure):
    """Only ever behind a pointer."""


class mopt_transform(Structure):
    """Only ever behind a pointer."""


class mopt_connection(Structure):
    """Only ever behind a pointer."""


class mopt_group(Structure):
    """Only ever behind a pointer."""


class mopt_model(Structure):
    """Only ever behind a pointer."""


class mopt_parallel(Structure):
    """Only ever behind a pointer."""


class mopt_trainer(Structure):
    """Only ever behind a pointer."""


class mopt_distill(Structure):
    """Only ever behind a pointer."""


class mopt_finetune(Structure):
    """Only ever behind a pointer."""


class mopt_adapter(Structure):
    """Only ever behind a pointer."""


class mopt_space(Structure):
    """Only ever behind a pointer."""


class mopt_study(Structure):
    """Only ever behind a pointer."""


class mopt_trial(Structure):
    """Only ever behind a pointer."""


class mopt_recipe(Structure):
    """Only ever behind a pointer."""


class mopt_result(Structure):
    """Only ever behind a pointer."""


mopt_alloc_fn = CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_size_t, c_size_t)
mopt_log_fn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p, c_char_p)
mopt_destroy_fn = CFUNCTYPE(None, c_void_p)
mopt_rank_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(mopt_group))
mopt_trainer_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(mopt_trainer))
mopt_loss_fn = CFUNCTYPE(
    c_int32, c_void_p, c_int64, c_int64, POINTER(c_int64), POINTER(c_float),
    POINTER(c_float), POINTER(c_double))
mopt_teacher_fn = CFUNCTYPE(
    c_int32, c_void_p, c_int64, c_int64, c_int64, POINTER(c_int64),
    POINTER(c_float), POINTER(c_float))
mopt_objective_fn = CFUNCTYPE(
    c_int32, c_void_p, POINTER(mopt_trial), POINTER(c_double))
mopt_trial_fn = CFUNCTYPE(c_int32, c_void_p, POINTER(mopt_trial))
mopt_event_fn = CFUNCTYPE(c_int32, c_void_p, c_int32, c_char_p)


class mopt_backend(Structure):
    """A backend."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("name", c_char_p),
        ("user", c_void_p),
        ("sgemm", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_int32, c_int64, c_int64, c_int64,
            c_float, POINTER(c_float), c_int64, POINTER(c_float), c_int64,
            c_float, POINTER(c_float), c_int64)),
        ("dgemm", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_int32, c_int64, c_int64, c_int64,
            c_double, POINTER(c_double), c_int64, POINTER(c_double), c_int64,
            c_double, POINTER(c_double), c_int64)),
        ("dqr", CFUNCTYPE(
            c_int32, c_void_p, c_int64, c_int64, POINTER(c_double), c_int64,
            POINTER(c_double))),
        ("dposv", CFUNCTYPE(
            c_int32, c_void_p, c_int64, c_int64, POINTER(c_double), c_int64,
            POINTER(c_double), c_int64)),
    ]


class mopt_value(Structure):
    """A value: of a row, valid until the next call; or a parameter."""

    _fields_ = [
        ("type", c_int32),
        ("integer", c_int64),
        ("real", c_double),
        ("text", c_char_p),
    ]


class mopt_database_host(Structure):
    """What a database is lent by its host, as long as it is open."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("alloc", mopt_alloc_fn),
        ("alloc_user", c_void_p),
        ("user", c_void_p),
        ("wait", CFUNCTYPE(c_int32, c_void_p)),
        ("message", POINTER(c_char)),
        ("message_size", c_size_t),
    ]


class mopt_database(Structure):
    """A database."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("name", c_char_p),
        ("user", c_void_p),
        ("flags", c_int32),
        ("tables", c_char_p),
        ("find_table", c_char_p),
        ("any_table", c_char_p),
        ("last_id", c_char_p),
        ("next_id", c_char_p),
        ("lock", c_char_p),
        ("age", c_char_p),
        ("open", CFUNCTYPE(
            c_int32, c_void_p, c_char_p, c_int32, POINTER(mopt_database_host),
            POINTER(POINTER(mopt_connection)))),
        ("close", CFUNCTYPE(None, POINTER(mopt_connection))),
        ("reopen", CFUNCTYPE(c_int32, POINTER(mopt_connection))),
        ("settle", CFUNCTYPE(
            c_int32, POINTER(mopt_connection), POINTER(c_int32))),
        ("begin", CFUNCTYPE(
            c_int32, POINTER(mopt_connection), c_int32, c_int32)),
        ("commit", CFUNCTYPE(c_int32, POINTER(mopt_connection))),
        ("rollback", CFUNCTYPE(None, POINTER(mopt_connection))),
        ("run", CFUNCTYPE(
            c_int32, POINTER(mopt_connection), c_int32, c_char_p,
            POINTER(mopt_value), c_int32, c_int32)),
        ("step", CFUNCTYPE(
            c_int32, POINTER(mopt_connection), POINTER(POINTER(mopt_value)))),
        ("changes", CFUNCTYPE(c_int64, POINTER(mopt_connection))),
        ("drop", CFUNCTYPE(None, POINTER(mopt_connection))),
        ("script", CFUNCTYPE(c_int32, POINTER(mopt_connection), c_char_p)),
        ("version", CFUNCTYPE(
            c_int32, POINTER(mopt_connection), POINTER(c_int64))),
        ("now", c_char_p),
    ]


class mopt_group_table(Structure):
    """How messages travel."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_version", c_uint32),
        ("name", c_char_p),
        ("user", c_void_p),
        ("send", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_int32, c_void_p, c_int64, c_double,
            POINTER(mopt_cancel))),
        ("receive", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_int32, c_void_p, c_int64, c_double,
            POINTER(mopt_cancel))),
        ("exchange", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_void_p, c_int64, c_int32, c_void_p,
            c_int64, c_int32, c_double, POINTER(mopt_cancel))),
        ("abort", CFUNCTYPE(None, c_void_p, c_int32)),
        ("broadcast", CFUNCTYPE(
            c_int32, c_void_p, c_int32, c_void_p, c_int64, c_double,
            POINTER(mopt_cancel))),
        ("all_gather", CFUNCTYPE(
            c_int32, c_void_p, c_void_p, c_int64, c_void_p, c_double,
            POINTER(mopt_cancel))),
        ("all_reduce", CFUNCTYPE(
            c_int32, c_void_p, c_int32, POINTER(c_float), c_int64, c_double,
            POINTER(mopt_cancel))),
        ("reduce_scatter", CFUNCTYPE(
            c_int32, c_void_p, c_int32, POINTER(c_float), c_int64,
            POINTER(c_float), c_double, POINTER(mopt_cancel))),
        ("barrier", CFUNCTYPE(
            c_int32, c_void_p, c_double, POINTER(mopt_cancel))),
    ]


verify(VERSION, STATUS)
mopt_status_name = bind("mopt_status_name", c_char_p, c_int32)
mopt_status_text = bind("mopt_status_text", c_char_p, c_int32)
mopt_last_error = bind(
    "mopt_last_error", c_int32, POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_last_code = bind("mopt_last_code", c_int32)
mopt_set_error = bind("mopt_set_error", None, c_int32, c_char_p)
mopt_context_create = bind(
    "mopt_context_create", c_int32, mopt_alloc_fn, c_void_p,
    POINTER(POINTER(mopt_context)))
mopt_context_free = bind("mopt_context_free", None, POINTER(mopt_context))
mopt_context_configure = bind(
    "mopt_context_configure", c_int32, POINTER(mopt_context),
    POINTER(mopt_config))
mopt_context_set_log = bind(
    "mopt_context_set_log", c_int32, POINTER(mopt_context), mopt_log_fn,
    c_void_p, mopt_destroy_fn)
mopt_version = bind(
    "mopt_version", None, POINTER(c_int32), POINTER(c_int32), POINTER(c_int32))
mopt_context_info = bind(
    "mopt_context_info", c_int32, POINTER(mopt_context), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_cancel_create = bind(
    "mopt_cancel_create", c_int32, POINTER(mopt_context),
    POINTER(POINTER(mopt_cancel)))
mopt_cancel_request = bind("mopt_cancel_request", None, POINTER(mopt_cancel))
mopt_cancel_reset = bind("mopt_cancel_reset", None, POINTER(mopt_cancel))
mopt_cancel_requested = bind(
    "mopt_cancel_requested", c_int32, POINTER(mopt_cancel))
mopt_cancel_free = bind("mopt_cancel_free", None, POINTER(mopt_cancel))
mopt_backend_register = bind(
    "mopt_backend_register", c_int32, POINTER(mopt_context),
    POINTER(mopt_backend), mopt_destroy_fn)
mopt_config_create = bind(
    "mopt_config_create", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(POINTER(mopt_config)))
mopt_config_free = bind("mopt_config_free", None, POINTER(mopt_config))
mopt_config_set_int = bind(
    "mopt_config_set_int", c_int32, POINTER(mopt_config), c_char_p, c_int64)
mopt_config_set_float = bind(
    "mopt_config_set_float", c_int32, POINTER(mopt_config), c_char_p, c_double)
mopt_config_set_bool = bind(
    "mopt_config_set_bool", c_int32, POINTER(mopt_config), c_char_p, c_int32)
mopt_config_set_text = bind(
    "mopt_config_set_text", c_int32, POINTER(mopt_config), c_char_p, c_char_p)
mopt_config_set_json = bind(
    "mopt_config_set_json", c_int32, POINTER(mopt_config), c_char_p)
mopt_config_get_int = bind(
    "mopt_config_get_int", c_int32, POINTER(mopt_config), c_char_p,
    POINTER(c_int64))
mopt_config_get_float = bind(
    "mopt_config_get_float", c_int32, POINTER(mopt_config), c_char_p,
    POINTER(c_double))
mopt_config_get_bool = bind(
    "mopt_config_get_bool", c_int32, POINTER(mopt_config), c_char_p,
    POINTER(c_int32))
mopt_config_get_text = bind(
    "mopt_config_get_text", c_int32, POINTER(mopt_config), c_char_p,
    POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_config_describe = bind(
    "mopt_config_describe", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_dataset_load = bind(
    "mopt_dataset_load", c_int32, POINTER(mopt_context), POINTER(mopt_config),
    c_int32, POINTER(POINTER(mopt_dataset)))
mopt_dataset_from_memory = bind(
    "mopt_dataset_from_memory", c_int32, POINTER(mopt_context), c_int64,
    c_int64, c_void_p, c_int32, c_int64, c_void_p, c_int32, c_int64, c_int64,
    c_void_p, mopt_destroy_fn, POINTER(POINTER(mopt_dataset)))
mopt_dataset_free = bind("mopt_dataset_free", None, POINTER(mopt_dataset))
mopt_dataset_shape = bind(
    "mopt_dataset_shape", c_int32, POINTER(mopt_dataset), POINTER(c_int64),
    POINTER(c_int64), POINTER(c_int64), POINTER(c_int32))
mopt_dataset_describe = bind(
    "mopt_dataset_describe", c_int32, POINTER(mopt_dataset), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_dataset_read = bind(
    "mopt_dataset_read", c_int32, POINTER(mopt_dataset), c_int64, c_int64,
    POINTER(c_float), POINTER(c_float))
mopt_dataset_split = bind(
    "mopt_dataset_split", c_int32, POINTER(mopt_dataset), POINTER(mopt_config),
    POINTER(POINTER(mopt_dataset)), POINTER(POINTER(mopt_dataset)),
    POINTER(POINTER(mopt_dataset)))
mopt_dataset_fold = bind(
    "mopt_dataset_fold", c_int32, POINTER(mopt_dataset), c_int64, c_int64,
    c_int64, c_int32, POINTER(POINTER(mopt_dataset)),
    POINTER(POINTER(mopt_dataset)))
mopt_dataset_select = bind(
    "mopt_dataset_select", c_int32, POINTER(mopt_dataset), POINTER(c_int64),
    c_int64, POINTER(POINTER(mopt_dataset)))
mopt_dataset_as_images = bind(
    "mopt_dataset_as_images", c_int32, POINTER(mopt_dataset), c_int64, c_int64,
    c_int64, POINTER(POINTER(mopt_dataset)))
mopt_transform_fit = bind(
    "mopt_transform_fit", c_int32, POINTER(mopt_dataset), POINTER(mopt_config),
    POINTER(POINTER(mopt_transform)))
mopt_transform_apply = bind(
    "mopt_transform_apply", c_int32, POINTER(mopt_transform),
    POINTER(mopt_dataset), POINTER(POINTER(mopt_dataset)))
mopt_transform_free = bind(
    "mopt_transform_free", None, POINTER(mopt_transform))
mopt_database_register = bind(
    "mopt_database_register", c_int32, POINTER(mopt_context),
    POINTER(mopt_database), mopt_destroy_fn)
mopt_group_create = bind(
    "mopt_group_create", c_int32, POINTER(mopt_context), c_int32, c_double,
    POINTER(POINTER(mopt_group)))
mopt_group_run = bind(
    "mopt_group_run", c_int32, POINTER(mopt_context), c_int32, c_double,
    mopt_rank_fn, c_void_p)
mopt_group_wrap = bind(
    "mopt_group_wrap", c_int32, POINTER(mopt_context),
    POINTER(mopt_group_table), c_int32, c_int32, c_double, mopt_destroy_fn,
    POINTER(POINTER(mopt_group)))
mopt_group_split = bind(
    "mopt_group_split", c_int32, POINTER(mopt_group), c_int32, c_int32,
    POINTER(POINTER(mopt_group)))
mopt_group_free = bind("mopt_group_free", None, POINTER(mopt_group))
mopt_group_rank = bind("mopt_group_rank", c_int32, POINTER(mopt_group))
mopt_group_size = bind("mopt_group_size", c_int32, POINTER(mopt_group))
mopt_group_send = bind(
    "mopt_group_send", c_int32, POINTER(mopt_group), c_int32, c_void_p,
    c_int64, POINTER(mopt_cancel))
mopt_group_receive = bind(
    "mopt_group_receive", c_int32, POINTER(mopt_group), c_int32, c_void_p,
    c_int64, POINTER(mopt_cancel))
mopt_group_broadcast = bind(
    "mopt_group_broadcast", c_int32, POINTER(mopt_group), c_int32, c_void_p,
    c_int64, POINTER(mopt_cancel))
mopt_group_all_gather = bind(
    "mopt_group_all_gather", c_int32, POINTER(mopt_group), c_void_p, c_int64,
    c_void_p, POINTER(mopt_cancel))
mopt_group_all_reduce = bind(
    "mopt_group_all_reduce", c_int32, POINTER(mopt_group), c_int32,
    POINTER(c_float), c_int64, POINTER(mopt_cancel))
mopt_group_all_reduce_double = bind(
    "mopt_group_all_reduce_double", c_int32, POINTER(mopt_group), c_int32,
    POINTER(c_double), c_int64, POINTER(mopt_cancel))
mopt_group_reduce_scatter = bind(
    "mopt_group_reduce_scatter", c_int32, POINTER(mopt_group), c_int32,
    POINTER(c_float), c_int64, POINTER(c_float), POINTER(mopt_cancel))
mopt_group_barrier = bind(
    "mopt_group_barrier", c_int32, POINTER(mopt_group), POINTER(mopt_cancel))
mopt_group_abort = bind(
    "mopt_group_abort", c_int32, POINTER(mopt_group), c_int32)
mopt_model_create = bind(
    "mopt_model_create", c_int32, POINTER(mopt_context), c_char_p, c_int64,
    c_int64, POINTER(POINTER(mopt_model)))
mopt_model_build = bind(
    "mopt_model_build", c_int32, POINTER(mopt_context), c_int64,
    POINTER(POINTER(mopt_model)))
mopt_model_add = bind(
    "mopt_model_add", c_int32, POINTER(mopt_model), POINTER(mopt_config))
mopt_model_add_dense = bind(
    "mopt_model_add_dense", c_int32, POINTER(mopt_model), c_int64, c_char_p)
mopt_model_add_dropout = bind(
    "mopt_model_add_dropout", c_int32, POINTER(mopt_model), c_double)
mopt_model_init = bind(
    "mopt_model_init", c_int32, POINTER(mopt_model), c_int64)
mopt_model_grow = bind(
    "mopt_model_grow", c_int32, POINTER(mopt_model), POINTER(mopt_model),
    c_int64)
mopt_model_copy = bind(
    "mopt_model_copy", c_int32, POINTER(mopt_model),
    POINTER(POINTER(mopt_model)))
mopt_model_free = bind("mopt_model_free", None, POINTER(mopt_model))
mopt_model_set_transform = bind(
    "mopt_model_set_transform", c_int32, POINTER(mopt_model),
    POINTER(mopt_transform))
mopt_model_describe = bind(
    "mopt_model_describe", c_int32, POINTER(mopt_model), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_model_get_tensor = bind(
    "mopt_model_get_tensor", c_int32, POINTER(mopt_model), c_char_p,
    POINTER(c_float), c_int64)
mopt_model_set_tensor = bind(
    "mopt_model_set_tensor", c_int32, POINTER(mopt_model), c_char_p,
    POINTER(c_float), c_int64)
mopt_model_predict = bind(
    "mopt_model_predict", c_int32, POINTER(mopt_model), POINTER(c_float),
    c_int64, POINTER(c_float), POINTER(mopt_cancel))
mopt_model_predict_dataset = bind(
    "mopt_model_predict_dataset", c_int32, POINTER(mopt_model),
    POINTER(mopt_dataset), POINTER(c_float), c_int64, POINTER(mopt_cancel))
mopt_model_evaluate = bind(
    "mopt_model_evaluate", c_int32, POINTER(mopt_model), POINTER(mopt_dataset),
    c_char_p, POINTER(mopt_cancel), POINTER(c_char), c_size_t,
    POINTER(c_size_t))
mopt_model_save = bind(
    "mopt_model_save", c_int32, POINTER(mopt_model), c_char_p)
mopt_model_load = bind(
    "mopt_model_load", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(POINTER(mopt_model)))
mopt_parallel_create = bind(
    "mopt_parallel_create", c_int32, POINTER(mopt_context),
    POINTER(mopt_model), POINTER(mopt_config), POINTER(mopt_config), c_int32,
    POINTER(mopt_cancel), POINTER(POINTER(mopt_parallel)))
mopt_parallel_free = bind("mopt_parallel_free", None, POINTER(mopt_parallel))
mopt_parallel_json = bind(
    "mopt_parallel_json", c_int32, POINTER(mopt_parallel), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_trainer_create = bind(
    "mopt_trainer_create", c_int32, POINTER(mopt_context), POINTER(mopt_model),
    POINTER(mopt_dataset), POINTER(mopt_dataset), POINTER(mopt_config),
    POINTER(POINTER(mopt_trainer)))
mopt_trainer_free = bind("mopt_trainer_free", None, POINTER(mopt_trainer))
mopt_trainer_add_group = bind(
    "mopt_trainer_add_group", c_int32, POINTER(mopt_trainer), c_char_p,
    POINTER(mopt_config))
mopt_trainer_add_loss = bind(
    "mopt_trainer_add_loss", c_int32, POINTER(mopt_trainer), c_double,
    mopt_loss_fn, c_void_p, mopt_destroy_fn)
mopt_trainer_set_loss_weight = bind(
    "mopt_trainer_set_loss_weight", c_int32, POINTER(mopt_trainer), c_double)
mopt_trainer_set_group = bind(
    "mopt_trainer_set_group", c_int32, POINTER(mopt_trainer),
    POINTER(mopt_group))
mopt_trainer_create_parallel = bind(
    "mopt_trainer_create_parallel", c_int32, POINTER(mopt_context),
    POINTER(mopt_model), POINTER(mopt_dataset), POINTER(mopt_dataset),
    POINTER(mopt_config), POINTER(mopt_parallel), POINTER(mopt_group),
    POINTER(POINTER(mopt_trainer)))
mopt_trainer_gather = bind(
    "mopt_trainer_gather", c_int32, POINTER(mopt_trainer), POINTER(mopt_model))
mopt_trainer_export = bind(
    "mopt_trainer_export", c_int32, POINTER(mopt_trainer), c_char_p)
mopt_trainer_on_step = bind(
    "mopt_trainer_on_step", c_int32, POINTER(mopt_trainer), mopt_trainer_fn,
    c_void_p, mopt_destroy_fn)
mopt_trainer_on_epoch = bind(
    "mopt_trainer_on_epoch", c_int32, POINTER(mopt_trainer), mopt_trainer_fn,
    c_void_p, mopt_destroy_fn)
mopt_trainer_fit = bind(
    "mopt_trainer_fit", c_int32, POINTER(mopt_trainer), POINTER(mopt_cancel))
mopt_trainer_step = bind(
    "mopt_trainer_step", c_int32, POINTER(mopt_trainer), POINTER(c_double))
mopt_trainer_get = bind(
    "mopt_trainer_get", c_int32, POINTER(mopt_trainer), c_char_p,
    POINTER(c_double))
mopt_trainer_history = bind(
    "mopt_trainer_history", c_int32, POINTER(mopt_trainer), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_trainer_save = bind(
    "mopt_trainer_save", c_int32, POINTER(mopt_trainer), c_char_p)
mopt_trainer_resume = bind(
    "mopt_trainer_resume", c_int32, POINTER(mopt_trainer), c_char_p)
mopt_distill_create = bind(
    "mopt_distill_create", c_int32, POINTER(mopt_context), POINTER(mopt_model),
    POINTER(mopt_dataset), POINTER(mopt_dataset), POINTER(mopt_config),
    POINTER(mopt_config), POINTER(POINTER(mopt_distill)))
mopt_distill_free = bind("mopt_distill_free", None, POINTER(mopt_distill))
mopt_distill_add_model = bind(
    "mopt_distill_add_model", c_int32, POINTER(mopt_distill),
    POINTER(mopt_model), c_double)
mopt_distill_add_callback = bind(
    "mopt_distill_add_callback", c_int32, POINTER(mopt_distill),
    mopt_teacher_fn, c_void_p, mopt_destroy_fn, c_char_p, c_double)
mopt_distill_add_file = bind(
    "mopt_distill_add_file", c_int32, POINTER(mopt_distill), c_char_p,
    c_double)
mopt_distill_trainer = bind(
    "mopt_distill_trainer", c_int32, POINTER(mopt_distill),
    POINTER(POINTER(mopt_trainer)))
mopt_distill_fit = bind(
    "mopt_distill_fit", c_int32, POINTER(mopt_distill), POINTER(mopt_cancel))
mopt_distill_evaluate = bind(
    "mopt_distill_evaluate", c_int32, POINTER(mopt_distill),
    POINTER(mopt_dataset), POINTER(mopt_cancel), POINTER(c_char), c_size_t,
    POINTER(c_size_t))
mopt_finetune_create = bind(
    "mopt_finetune_create", c_int32, POINTER(mopt_context),
    POINTER(mopt_model), POINTER(mopt_dataset), POINTER(mopt_dataset),
    POINTER(mopt_config), POINTER(mopt_config),
    POINTER(POINTER(mopt_finetune)))
mopt_finetune_free = bind("mopt_finetune_free", None, POINTER(mopt_finetune))
mopt_finetune_model = bind(
    "mopt_finetune_model", c_int32, POINTER(mopt_finetune),
    POINTER(POINTER(mopt_model)))
mopt_finetune_trainer = bind(
    "mopt_finetune_trainer", c_int32, POINTER(mopt_finetune),
    POINTER(POINTER(mopt_trainer)))
mopt_finetune_fit = bind(
    "mopt_finetune_fit", c_int32, POINTER(mopt_finetune), POINTER(mopt_cancel))
mopt_finetune_evaluate = bind(
    "mopt_finetune_evaluate", c_int32, POINTER(mopt_finetune),
    POINTER(mopt_dataset), POINTER(mopt_dataset), POINTER(mopt_cancel),
    POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_finetune_adapter = bind(
    "mopt_finetune_adapter", c_int32, POINTER(mopt_finetune),
    POINTER(POINTER(mopt_adapter)))
mopt_adapter_load = bind(
    "mopt_adapter_load", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(POINTER(mopt_adapter)))
mopt_adapter_save = bind(
    "mopt_adapter_save", c_int32, POINTER(mopt_adapter), c_char_p)
mopt_adapter_apply = bind(
    "mopt_adapter_apply", c_int32, POINTER(mopt_adapter), POINTER(mopt_model))
mopt_adapter_remove = bind(
    "mopt_adapter_remove", c_int32, POINTER(mopt_adapter), POINTER(mopt_model))
mopt_adapter_describe = bind(
    "mopt_adapter_describe", c_int32, POINTER(mopt_adapter), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_adapter_free = bind("mopt_adapter_free", None, POINTER(mopt_adapter))
mopt_model_load_weights = bind(
    "mopt_model_load_weights", c_int32, POINTER(mopt_model), c_char_p,
    c_char_p)
mopt_model_features = bind(
    "mopt_model_features", c_int32, POINTER(mopt_model), c_int64,
    POINTER(mopt_dataset), POINTER(c_float), c_int64, POINTER(mopt_cancel))
mopt_model_save_features = bind(
    "mopt_model_save_features", c_int32, POINTER(mopt_model), c_int64,
    POINTER(mopt_dataset), c_char_p, POINTER(mopt_cancel))
mopt_space_create = bind(
    "mopt_space_create", c_int32, POINTER(mopt_context),
    POINTER(POINTER(mopt_space)))
mopt_space_from_json = bind(
    "mopt_space_from_json", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(POINTER(mopt_space)))
mopt_space_free = bind("mopt_space_free", None, POINTER(mopt_space))
mopt_space_add_float = bind(
    "mopt_space_add_float", c_int32, POINTER(mopt_space), c_char_p, c_double,
    c_double, c_int32)
mopt_space_add_float_step = bind(
    "mopt_space_add_float_step", c_int32, POINTER(mopt_space), c_char_p,
    c_double, c_double, c_double)
mopt_space_add_int = bind(
    "mopt_space_add_int", c_int32, POINTER(mopt_space), c_char_p, c_int64,
    c_int64, c_int64, c_int32)
mopt_space_add_choice = bind(
    "mopt_space_add_choice", c_int32, POINTER(mopt_space), c_char_p, c_char_p)
mopt_space_add_condition = bind(
    "mopt_space_add_condition", c_int32, POINTER(mopt_space), c_char_p,
    c_char_p, c_char_p)
mopt_space_to_json = bind(
    "mopt_space_to_json", c_int32, POINTER(mopt_space), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_space_count = bind(
    "mopt_space_count", c_int32, POINTER(mopt_space), POINTER(c_int64))
mopt_study_create = bind(
    "mopt_study_create", c_int32, POINTER(mopt_context), POINTER(mopt_space),
    POINTER(mopt_config), POINTER(POINTER(mopt_study)))
mopt_study_free = bind("mopt_study_free", None, POINTER(mopt_study))
mopt_study_ask = bind(
    "mopt_study_ask", c_int32, POINTER(mopt_study),
    POINTER(POINTER(mopt_trial)))
mopt_study_tell = bind(
    "mopt_study_tell", c_int32, POINTER(mopt_study), POINTER(mopt_trial),
    c_int32, POINTER(c_double), c_char_p)
mopt_study_enqueue = bind(
    "mopt_study_enqueue", c_int32, POINTER(mopt_study), c_char_p)
mopt_study_optimize = bind(
    "mopt_study_optimize", c_int32, POINTER(mopt_study), mopt_objective_fn,
    c_void_p, POINTER(mopt_cancel))
mopt_study_on_trial = bind(
    "mopt_study_on_trial", c_int32, POINTER(mopt_study), mopt_trial_fn,
    c_void_p, mopt_destroy_fn)
mopt_study_set_note = bind(
    "mopt_study_set_note", c_int32, POINTER(mopt_study), c_char_p, c_char_p)
mopt_study_count = bind(
    "mopt_study_count", c_int32, POINTER(mopt_study), c_int32,
    POINTER(c_int64))
mopt_study_best = bind(
    "mopt_study_best", c_int32, POINTER(mopt_study),
    POINTER(POINTER(mopt_trial)))
mopt_study_trial = bind(
    "mopt_study_trial", c_int32, POINTER(mopt_study), c_int64,
    POINTER(POINTER(mopt_trial)))
mopt_study_to_json = bind(
    "mopt_study_to_json", c_int32, POINTER(mopt_study), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_study_list = bind(
    "mopt_study_list", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_trial_free = bind("mopt_trial_free", None, POINTER(mopt_trial))
mopt_trial_number = bind("mopt_trial_number", c_int64, POINTER(mopt_trial))
mopt_trial_state = bind("mopt_trial_state", c_int32, POINTER(mopt_trial))
mopt_trial_get_float = bind(
    "mopt_trial_get_float", c_int32, POINTER(mopt_trial), c_char_p,
    POINTER(c_double))
mopt_trial_get_int = bind(
    "mopt_trial_get_int", c_int32, POINTER(mopt_trial), c_char_p,
    POINTER(c_int64))
mopt_trial_get_index = bind(
    "mopt_trial_get_index", c_int32, POINTER(mopt_trial), c_char_p,
    POINTER(c_int64))
mopt_trial_get_text = bind(
    "mopt_trial_get_text", c_int32, POINTER(mopt_trial), c_char_p,
    POINTER(c_char), c_size_t, POINTER(c_size_t))
mopt_trial_apply = bind(
    "mopt_trial_apply", c_int32, POINTER(mopt_trial), POINTER(mopt_config),
    POINTER(c_int64))
mopt_trial_value = bind(
    "mopt_trial_value", c_int32, POINTER(mopt_trial), c_int64,
    POINTER(c_double))
mopt_trial_report = bind(
    "mopt_trial_report", c_int32, POINTER(mopt_trial), c_int64, c_double)
mopt_trial_checkpoint = bind(
    "mopt_trial_checkpoint", c_int32, POINTER(mopt_trial), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_trial_set_note = bind(
    "mopt_trial_set_note", c_int32, POINTER(mopt_trial), c_char_p, c_char_p)
mopt_trial_set_constraints = bind(
    "mopt_trial_set_constraints", c_int32, POINTER(mopt_trial),
    POINTER(c_double), c_int64)
mopt_trial_to_json = bind(
    "mopt_trial_to_json", c_int32, POINTER(mopt_trial), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_recipe_parse = bind(
    "mopt_recipe_parse", c_int32, POINTER(mopt_context), c_char_p, c_char_p,
    POINTER(POINTER(mopt_recipe)))
mopt_recipe_load = bind(
    "mopt_recipe_load", c_int32, POINTER(mopt_context), c_char_p,
    POINTER(POINTER(mopt_recipe)))
mopt_recipe_set = bind(
    "mopt_recipe_set", c_int32, POINTER(mopt_recipe), c_char_p, c_char_p)
mopt_recipe_apply = bind(
    "mopt_recipe_apply", c_int32, POINTER(mopt_recipe), c_char_p,
    POINTER(POINTER(mopt_recipe)))
mopt_recipe_free = bind("mopt_recipe_free", None, POINTER(mopt_recipe))
mopt_recipe_to_json = bind(
    "mopt_recipe_to_json", c_int32, POINTER(mopt_recipe), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_recipe_space = bind(
    "mopt_recipe_space", c_int32, POINTER(mopt_recipe),
    POINTER(POINTER(mopt_space)))
mopt_recipe_set_group = bind(
    "mopt_recipe_set_group", c_int32, POINTER(mopt_recipe),
    POINTER(mopt_group))
mopt_recipe_plan = bind(
    "mopt_recipe_plan", c_int32, POINTER(mopt_recipe), c_int32,
    POINTER(mopt_cancel), POINTER(POINTER(mopt_parallel)))
mopt_recipe_run = bind(
    "mopt_recipe_run", c_int32, POINTER(mopt_recipe), mopt_event_fn, c_void_p,
    POINTER(mopt_cancel), POINTER(POINTER(mopt_result)))
mopt_result_free = bind("mopt_result_free", None, POINTER(mopt_result))
mopt_result_to_json = bind(
    "mopt_result_to_json", c_int32, POINTER(mopt_result), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
mopt_result_model = bind(
    "mopt_result_model", c_int32, POINTER(mopt_result),
    POINTER(POINTER(mopt_model)))
mopt_result_adapter = bind(
    "mopt_result_adapter", c_int32, POINTER(mopt_result),
    POINTER(POINTER(mopt_adapter)))
mopt_result_report = bind(
    "mopt_result_report", c_int32, POINTER(mopt_result), c_char_p)
mopt_recipe_schema = bind(
    "mopt_recipe_schema", c_int32, POINTER(mopt_context), POINTER(c_char),
    c_size_t, POINTER(c_size_t))
