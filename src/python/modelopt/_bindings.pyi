# SPDX-License-Identifier: MIT
# Made by src/python/generate.py from include/modelopt/*.h: do not edit.
"""The C interface, name for name. modelopt.c is this module."""

import ctypes
from typing import Any, TypeVar

_T = TypeVar("_T", bound=ctypes.Structure)
_Handle = ctypes._Pointer[_T]
_Memory = Any
_Callback = Any

VERSION: tuple[int, int, int]
STATUS: dict[int, str]

MOPT_OK: int
MOPT_PRUNED: int
MOPT_EXHAUSTED: int
MOPT_STOPPED: int
MOPT_EINVAL: int
MOPT_ENOMEM: int
MOPT_ESTATE: int
MOPT_ERANGE: int
MOPT_EKEY: int
MOPT_EUNSUPPORTED: int
MOPT_EIO: int
MOPT_EFORMAT: int
MOPT_ENOENT: int
MOPT_EEXIST: int
MOPT_ELOCKED: int
MOPT_ESTORE: int
MOPT_EPEER: int
MOPT_ECANCELED: int
MOPT_ECALLBACK: int
MOPT_EDIVERGED: int
MOPT_EBACKEND: int
MOPT_EINTERNAL: int
MOPT_LOG_ERROR: int
MOPT_LOG_WARN: int
MOPT_LOG_INFO: int
MOPT_LOG_DEBUG: int
MOPT_BACKEND_ABI: int
MOPT_TYPE_INT: int
MOPT_TYPE_FLOAT: int
MOPT_TYPE_BOOL: int
MOPT_TYPE_TEXT: int
MOPT_TYPE_CHOICE: int
MOPT_TYPE_VARIANT: int
MOPT_TYPE_JSON: int
MOPT_F32: int
MOPT_F64: int
MOPT_U8: int
MOPT_I8: int
MOPT_I16: int
MOPT_I32: int
MOPT_I64: int
MOPT_BOOL: int
MOPT_TARGET_NONE: int
MOPT_TARGET_CLASS: int
MOPT_TARGET_NUMBER: int
MOPT_PART_TRAIN: int
MOPT_PART_VALIDATION: int
MOPT_PART_TEST: int
MOPT_DATABASE_ABI: int
MOPT_VALUE_NULL: int
MOPT_VALUE_INT: int
MOPT_VALUE_REAL: int
MOPT_VALUE_TEXT: int
MOPT_VALUE_TIME: int
MOPT_DATABASE_ROW: int
MOPT_DATABASE_BUSY: int
MOPT_DATABASE_LOST: int
MOPT_DATABASE_DOUBT: int
MOPT_DATABASE_AGAIN: int
MOPT_DATABASE_CONTENT: int
MOPT_DATABASE_MISSING: int
MOPT_DATABASE_NOMEM: int
MOPT_DATABASE_FAILED: int
MOPT_DATABASE_READ: int
MOPT_DATABASE_WRITE: int
MOPT_DATABASE_CREATE: int
MOPT_DATABASE_SHARED: int
MOPT_GROUP_ABI: int
MOPT_SUM: int
MOPT_MIN: int
MOPT_MAX: int
MOPT_LINEAR: int
MOPT_LOG: int
MOPT_TRIAL_RUNNING: int
MOPT_TRIAL_COMPLETE: int
MOPT_TRIAL_PRUNED: int
MOPT_TRIAL_FAILED: int
MOPT_TRIAL_WAITING: int
MOPT_EVENT_DATA: int
MOPT_EVENT_TRIAL: int
MOPT_EVENT_EPOCH: int
MOPT_EVENT_TEST: int
MOPT_EVENT_CASE: int

class mopt_context(ctypes.Structure): ...
class mopt_cancel(ctypes.Structure): ...
class mopt_config(ctypes.Structure): ...
class mopt_dataset(ctypes.Structure): ...
class mopt_transform(ctypes.Structure): ...
class mopt_connection(ctypes.Structure): ...
class mopt_group(ctypes.Structure): ...
class mopt_model(ctypes.Structure): ...
class mopt_parallel(ctypes.Structure): ...
class mopt_trainer(ctypes.Structure): ...
class mopt_distill(ctypes.Structure): ...
class mopt_finetune(ctypes.Structure): ...
class mopt_adapter(ctypes.Structure): ...
class mopt_space(ctypes.Structure): ...
class mopt_study(ctypes.Structure): ...
class mopt_trial(ctypes.Structure): ...
class mopt_recipe(ctypes.Structure): ...
class mopt_result(ctypes.Structure): ...

mopt_alloc_fn: type[ctypes._CFunctionType]
mopt_log_fn: type[ctypes._CFunctionType]
mopt_destroy_fn: type[ctypes._CFunctionType]
mopt_rank_fn: type[ctypes._CFunctionType]
mopt_trainer_fn: type[ctypes._CFunctionType]
mopt_loss_fn: type[ctypes._CFunctionType]
mopt_teacher_fn: type[ctypes._CFunctionType]
mopt_objective_fn: type[ctypes._CFunctionType]
mopt_trial_fn: type[ctypes._CFunctionType]
mopt_event_fn: type[ctypes._CFunctionType]

class mopt_backend(ctypes.Structure):
    struct_size: int
    abi_version: int
    name: bytes | None
    user: _Memory
    sgemm: _Callback
    dgemm: _Callback
    dqr: _Callback
    dposv: _Callback

class mopt_value(ctypes.Structure):
    type: int
    integer: int
    real: float
    text: bytes | None

class mopt_database_host(ctypes.Structure):
    struct_size: int
    alloc: _Callback
    alloc_user: _Memory
    user: _Memory
    wait: _Callback
    message: _Memory
    message_size: int

class mopt_database(ctypes.Structure):
    struct_size: int
    abi_version: int
    name: bytes | None
    user: _Memory
    flags: int
    tables: bytes | None
    find_table: bytes | None
    any_table: bytes | None
    last_id: bytes | None
    next_id: bytes | None
    lock: bytes | None
    age: bytes | None
    open: _Callback
    close: _Callback
    reopen: _Callback
    settle: _Callback
    begin: _Callback
    commit: _Callback
    rollback: _Callback
    run: _Callback
    step: _Callback
    changes: _Callback
    drop: _Callback
    script: _Callback
    version: _Callback
    now: bytes | None

class mopt_group_table(ctypes.Structure):
    struct_size: int
    abi_version: int
    name: bytes | None
    user: _Memory
    send: _Callback
    receive: _Callback
    exchange: _Callback
    abort: _Callback
    broadcast: _Callback
    all_gather: _Callback
    all_reduce: _Callback
    reduce_scatter: _Callback
    barrier: _Callback

def mopt_status_name(code: int) -> bytes: ...
def mopt_status_text(code: int) -> bytes: ...
def mopt_last_error(buf: _Memory, cap: int, needed: _Memory) -> int: ...
def mopt_last_code() -> int: ...
def mopt_set_error(code: int, message: bytes | None) -> None: ...
def mopt_context_create(
    alloc: _Callback, user: _Memory, out: _Memory) -> int: ...
def mopt_context_free(ctx: _Handle[mopt_context] | None) -> None: ...
def mopt_context_configure(
    ctx: _Handle[mopt_context] | None,
    config: _Handle[mopt_config] | None) -> int: ...
def mopt_context_set_log(
    ctx: _Handle[mopt_context] | None, log: _Callback, user: _Memory,
    destroy: _Callback) -> int: ...
def mopt_version(major: _Memory, minor: _Memory, patch: _Memory) -> None: ...
def mopt_context_info(
    ctx: _Handle[mopt_context] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_cancel_create(
    ctx: _Handle[mopt_context] | None, out: _Memory) -> int: ...
def mopt_cancel_request(cancel: _Handle[mopt_cancel] | None) -> None: ...
def mopt_cancel_reset(cancel: _Handle[mopt_cancel] | None) -> None: ...
def mopt_cancel_requested(cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_cancel_free(cancel: _Handle[mopt_cancel] | None) -> None: ...
def mopt_backend_register(
    ctx: _Handle[mopt_context] | None, backend: _Memory,
    destroy: _Callback) -> int: ...
def mopt_config_create(
    ctx: _Handle[mopt_context] | None, kind: bytes | None,
    out: _Memory) -> int: ...
def mopt_config_free(config: _Handle[mopt_config] | None) -> None: ...
def mopt_config_set_int(
    config: _Handle[mopt_config] | None, key: bytes | None,
    value: int) -> int: ...
def mopt_config_set_float(
    config: _Handle[mopt_config] | None, key: bytes | None,
    value: float) -> int: ...
def mopt_config_set_bool(
    config: _Handle[mopt_config] | None, key: bytes | None,
    value: int) -> int: ...
def mopt_config_set_text(
    config: _Handle[mopt_config] | None, key: bytes | None,
    value: bytes | None) -> int: ...
def mopt_config_set_json(
    config: _Handle[mopt_config] | None, json: bytes | None) -> int: ...
def mopt_config_get_int(
    config: _Handle[mopt_config] | None, key: bytes | None,
    out: _Memory) -> int: ...
def mopt_config_get_float(
    config: _Handle[mopt_config] | None, key: bytes | None,
    out: _Memory) -> int: ...
def mopt_config_get_bool(
    config: _Handle[mopt_config] | None, key: bytes | None,
    out: _Memory) -> int: ...
def mopt_config_get_text(
    config: _Handle[mopt_config] | None, key: bytes | None, buf: _Memory,
    cap: int, needed: _Memory) -> int: ...
def mopt_config_describe(
    ctx: _Handle[mopt_context] | None, kind: bytes | None, buf: _Memory,
    cap: int, needed: _Memory) -> int: ...
def mopt_dataset_load(
    ctx: _Handle[mopt_context] | None, config: _Handle[mopt_config] | None,
    part: int, out: _Memory) -> int: ...
def mopt_dataset_from_memory(
    ctx: _Handle[mopt_context] | None, rows: int, features: int, x: _Memory,
    x_type: int, x_stride: int, y: _Memory, y_type: int, targets: int,
    classes: int, user: _Memory, destroy: _Callback, out: _Memory) -> int: ...
def mopt_dataset_free(data: _Handle[mopt_dataset] | None) -> None: ...
def mopt_dataset_shape(
    data: _Handle[mopt_dataset] | None, rows: _Memory, features: _Memory,
    targets: _Memory, kind: _Memory) -> int: ...
def mopt_dataset_describe(
    data: _Handle[mopt_dataset] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_dataset_read(
    data: _Handle[mopt_dataset] | None, first: int, count: int, x: _Memory,
    y: _Memory) -> int: ...
def mopt_dataset_split(
    data: _Handle[mopt_dataset] | None, config: _Handle[mopt_config] | None,
    train: _Memory, validation: _Memory, test: _Memory) -> int: ...
def mopt_dataset_fold(
    data: _Handle[mopt_dataset] | None, folds: int, fold: int, seed: int,
    stratify: int, train: _Memory, validation: _Memory) -> int: ...
def mopt_dataset_select(
    data: _Handle[mopt_dataset] | None, rows: _Memory, count: int,
    out: _Memory) -> int: ...
def mopt_dataset_as_images(
    data: _Handle[mopt_dataset] | None, width: int, height: int, channels: int,
    out: _Memory) -> int: ...
def mopt_transform_fit(
    train: _Handle[mopt_dataset] | None, config: _Handle[mopt_config] | None,
    out: _Memory) -> int: ...
def mopt_transform_apply(
    transform: _Handle[mopt_transform] | None,
    data: _Handle[mopt_dataset] | None, out: _Memory) -> int: ...
def mopt_transform_free(transform: _Handle[mopt_transform] | None) -> None: ...
def mopt_database_register(
    ctx: _Handle[mopt_context] | None, database: _Memory,
    destroy: _Callback) -> int: ...
def mopt_group_create(
    ctx: _Handle[mopt_context] | None, size: int, timeout: float,
    out: _Memory) -> int: ...
def mopt_group_run(
    ctx: _Handle[mopt_context] | None, size: int, timeout: float,
    fn: _Callback, user: _Memory) -> int: ...
def mopt_group_wrap(
    ctx: _Handle[mopt_context] | None, table: _Memory, rank: int, size: int,
    timeout: float, destroy: _Callback, out: _Memory) -> int: ...
def mopt_group_split(
    group: _Handle[mopt_group] | None, color: int, key: int,
    out: _Memory) -> int: ...
def mopt_group_free(group: _Handle[mopt_group] | None) -> None: ...
def mopt_group_rank(group: _Handle[mopt_group] | None) -> int: ...
def mopt_group_size(group: _Handle[mopt_group] | None) -> int: ...
def mopt_group_send(
    group: _Handle[mopt_group] | None, to: int, data: _Memory, bytes: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_receive(
    group: _Handle[mopt_group] | None, from: int, data: _Memory, bytes: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_broadcast(
    group: _Handle[mopt_group] | None, root: int, data: _Memory, bytes: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_all_gather(
    group: _Handle[mopt_group] | None, part: _Memory, bytes: int, all: _Memory,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_all_reduce(
    group: _Handle[mopt_group] | None, op: int, data: _Memory, count: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_all_reduce_double(
    group: _Handle[mopt_group] | None, op: int, data: _Memory, count: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_reduce_scatter(
    group: _Handle[mopt_group] | None, op: int, all: _Memory, count: int,
    part: _Memory, cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_barrier(
    group: _Handle[mopt_group] | None,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_group_abort(group: _Handle[mopt_group] | None, code: int) -> int: ...
def mopt_model_create(
    ctx: _Handle[mopt_context] | None, json: bytes | None, inputs: int,
    outputs: int, out: _Memory) -> int: ...
def mopt_model_build(
    ctx: _Handle[mopt_context] | None, inputs: int, out: _Memory) -> int: ...
def mopt_model_add(
    model: _Handle[mopt_model] | None,
    config: _Handle[mopt_config] | None) -> int: ...
def mopt_model_add_dense(
    model: _Handle[mopt_model] | None, units: int,
    activation: bytes | None) -> int: ...
def mopt_model_add_dropout(
    model: _Handle[mopt_model] | None, rate: float) -> int: ...
def mopt_model_init(model: _Handle[mopt_model] | None, seed: int) -> int: ...
def mopt_model_grow(
    source: _Handle[mopt_model] | None, model: _Handle[mopt_model] | None,
    seed: int) -> int: ...
def mopt_model_copy(
    model: _Handle[mopt_model] | None, out: _Memory) -> int: ...
def mopt_model_free(model: _Handle[mopt_model] | None) -> None: ...
def mopt_model_set_transform(
    model: _Handle[mopt_model] | None,
    transform: _Handle[mopt_transform] | None) -> int: ...
def mopt_model_describe(
    model: _Handle[mopt_model] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_model_get_tensor(
    model: _Handle[mopt_model] | None, name: bytes | None, values: _Memory,
    count: int) -> int: ...
def mopt_model_set_tensor(
    model: _Handle[mopt_model] | None, name: bytes | None, values: _Memory,
    count: int) -> int: ...
def mopt_model_predict(
    model: _Handle[mopt_model] | None, x: _Memory, rows: int, out: _Memory,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_model_predict_dataset(
    model: _Handle[mopt_model] | None, data: _Handle[mopt_dataset] | None,
    out: _Memory, count: int, cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_model_evaluate(
    model: _Handle[mopt_model] | None, data: _Handle[mopt_dataset] | None,
    loss: bytes | None, cancel: _Handle[mopt_cancel] | None, buf: _Memory,
    cap: int, needed: _Memory) -> int: ...
def mopt_model_save(
    model: _Handle[mopt_model] | None, path: bytes | None) -> int: ...
def mopt_model_load(
    ctx: _Handle[mopt_context] | None, path: bytes | None,
    out: _Memory) -> int: ...
def mopt_parallel_create(
    ctx: _Handle[mopt_context] | None, model: _Handle[mopt_model] | None,
    config: _Handle[mopt_config] | None, training: _Handle[mopt_config] | None,
    ranks: int, cancel: _Handle[mopt_cancel] | None, out: _Memory) -> int: ...
def mopt_parallel_free(parallel: _Handle[mopt_parallel] | None) -> None: ...
def mopt_parallel_json(
    parallel: _Handle[mopt_parallel] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_trainer_create(
    ctx: _Handle[mopt_context] | None, model: _Handle[mopt_model] | None,
    train: _Handle[mopt_dataset] | None,
    validation: _Handle[mopt_dataset] | None,
    config: _Handle[mopt_config] | None, out: _Memory) -> int: ...
def mopt_trainer_free(trainer: _Handle[mopt_trainer] | None) -> None: ...
def mopt_trainer_add_group(
    trainer: _Handle[mopt_trainer] | None, pattern: bytes | None,
    config: _Handle[mopt_config] | None) -> int: ...
def mopt_trainer_add_loss(
    trainer: _Handle[mopt_trainer] | None, weight: float, term: _Callback,
    user: _Memory, destroy: _Callback) -> int: ...
def mopt_trainer_set_loss_weight(
    trainer: _Handle[mopt_trainer] | None, weight: float) -> int: ...
def mopt_trainer_set_group(
    trainer: _Handle[mopt_trainer] | None,
    group: _Handle[mopt_group] | None) -> int: ...
def mopt_trainer_create_parallel(
    ctx: _Handle[mopt_context] | None, model: _Handle[mopt_model] | None,
    train: _Handle[mopt_dataset] | None,
    validation: _Handle[mopt_dataset] | None,
    config: _Handle[mopt_config] | None, plan: _Handle[mopt_parallel] | None,
    group: _Handle[mopt_group] | None, out: _Memory) -> int: ...
def mopt_trainer_gather(
    trainer: _Handle[mopt_trainer] | None,
    model: _Handle[mopt_model] | None) -> int: ...
def mopt_trainer_export(
    trainer: _Handle[mopt_trainer] | None, path: bytes | None) -> int: ...
def mopt_trainer_on_step(
    trainer: _Handle[mopt_trainer] | None, fn: _Callback, user: _Memory,
    destroy: _Callback) -> int: ...
def mopt_trainer_on_epoch(
    trainer: _Handle[mopt_trainer] | None, fn: _Callback, user: _Memory,
    destroy: _Callback) -> int: ...
def mopt_trainer_fit(
    trainer: _Handle[mopt_trainer] | None,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_trainer_step(
    trainer: _Handle[mopt_trainer] | None, loss: _Memory) -> int: ...
def mopt_trainer_get(
    trainer: _Handle[mopt_trainer] | None, figure: bytes | None,
    out: _Memory) -> int: ...
def mopt_trainer_history(
    trainer: _Handle[mopt_trainer] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_trainer_save(
    trainer: _Handle[mopt_trainer] | None, path: bytes | None) -> int: ...
def mopt_trainer_resume(
    trainer: _Handle[mopt_trainer] | None, path: bytes | None) -> int: ...
def mopt_distill_create(
    ctx: _Handle[mopt_context] | None, student: _Handle[mopt_model] | None,
    train: _Handle[mopt_dataset] | None,
    validation: _Handle[mopt_dataset] | None,
    config: _Handle[mopt_config] | None, training: _Handle[mopt_config] | None,
    out: _Memory) -> int: ...
def mopt_distill_free(distill: _Handle[mopt_distill] | None) -> None: ...
def mopt_distill_add_model(
    distill: _Handle[mopt_distill] | None, teacher: _Handle[mopt_model] | None,
    weight: float) -> int: ...
def mopt_distill_add_callback(
    distill: _Handle[mopt_distill] | None, fn: _Callback, user: _Memory,
    destroy: _Callback, name: bytes | None, weight: float) -> int: ...
def mopt_distill_add_file(
    distill: _Handle[mopt_distill] | None, path: bytes | None,
    weight: float) -> int: ...
def mopt_distill_trainer(
    distill: _Handle[mopt_distill] | None, out: _Memory) -> int: ...
def mopt_distill_fit(
    distill: _Handle[mopt_distill] | None,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_distill_evaluate(
    distill: _Handle[mopt_distill] | None, test: _Handle[mopt_dataset] | None,
    cancel: _Handle[mopt_cancel] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_finetune_create(
    ctx: _Handle[mopt_context] | None, source: _Handle[mopt_model] | None,
    train: _Handle[mopt_dataset] | None,
    validation: _Handle[mopt_dataset] | None,
    config: _Handle[mopt_config] | None, training: _Handle[mopt_config] | None,
    out: _Memory) -> int: ...
def mopt_finetune_free(finetune: _Handle[mopt_finetune] | None) -> None: ...
def mopt_finetune_model(
    finetune: _Handle[mopt_finetune] | None, out: _Memory) -> int: ...
def mopt_finetune_trainer(
    finetune: _Handle[mopt_finetune] | None, out: _Memory) -> int: ...
def mopt_finetune_fit(
    finetune: _Handle[mopt_finetune] | None,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_finetune_evaluate(
    finetune: _Handle[mopt_finetune] | None,
    test: _Handle[mopt_dataset] | None,
    source_test: _Handle[mopt_dataset] | None,
    cancel: _Handle[mopt_cancel] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_finetune_adapter(
    finetune: _Handle[mopt_finetune] | None, out: _Memory) -> int: ...
def mopt_adapter_load(
    ctx: _Handle[mopt_context] | None, path: bytes | None,
    out: _Memory) -> int: ...
def mopt_adapter_save(
    adapter: _Handle[mopt_adapter] | None, path: bytes | None) -> int: ...
def mopt_adapter_apply(
    adapter: _Handle[mopt_adapter] | None,
    model: _Handle[mopt_model] | None) -> int: ...
def mopt_adapter_remove(
    adapter: _Handle[mopt_adapter] | None,
    model: _Handle[mopt_model] | None) -> int: ...
def mopt_adapter_describe(
    adapter: _Handle[mopt_adapter] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_adapter_free(adapter: _Handle[mopt_adapter] | None) -> None: ...
def mopt_model_load_weights(
    model: _Handle[mopt_model] | None, path: bytes | None,
    map: bytes | None) -> int: ...
def mopt_model_features(
    model: _Handle[mopt_model] | None, layer: int,
    data: _Handle[mopt_dataset] | None, out: _Memory, count: int,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_model_save_features(
    model: _Handle[mopt_model] | None, layer: int,
    data: _Handle[mopt_dataset] | None, path: bytes | None,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_space_create(
    ctx: _Handle[mopt_context] | None, out: _Memory) -> int: ...
def mopt_space_from_json(
    ctx: _Handle[mopt_context] | None, json: bytes | None,
    out: _Memory) -> int: ...
def mopt_space_free(space: _Handle[mopt_space] | None) -> None: ...
def mopt_space_add_float(
    space: _Handle[mopt_space] | None, name: bytes | None, low: float,
    high: float, flags: int) -> int: ...
def mopt_space_add_float_step(
    space: _Handle[mopt_space] | None, name: bytes | None, low: float,
    high: float, step: float) -> int: ...
def mopt_space_add_int(
    space: _Handle[mopt_space] | None, name: bytes | None, low: int, high: int,
    step: int, flags: int) -> int: ...
def mopt_space_add_choice(
    space: _Handle[mopt_space] | None, name: bytes | None,
    choices: bytes | None) -> int: ...
def mopt_space_add_condition(
    space: _Handle[mopt_space] | None, name: bytes | None,
    parent: bytes | None, values: bytes | None) -> int: ...
def mopt_space_to_json(
    space: _Handle[mopt_space] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_space_count(
    space: _Handle[mopt_space] | None, count: _Memory) -> int: ...
def mopt_study_create(
    ctx: _Handle[mopt_context] | None, space: _Handle[mopt_space] | None,
    config: _Handle[mopt_config] | None, out: _Memory) -> int: ...
def mopt_study_free(study: _Handle[mopt_study] | None) -> None: ...
def mopt_study_ask(study: _Handle[mopt_study] | None, out: _Memory) -> int: ...
def mopt_study_tell(
    study: _Handle[mopt_study] | None, trial: _Handle[mopt_trial] | None,
    state: int, values: _Memory, reason: bytes | None) -> int: ...
def mopt_study_enqueue(
    study: _Handle[mopt_study] | None, params: bytes | None) -> int: ...
def mopt_study_optimize(
    study: _Handle[mopt_study] | None, objective: _Callback, user: _Memory,
    cancel: _Handle[mopt_cancel] | None) -> int: ...
def mopt_study_on_trial(
    study: _Handle[mopt_study] | None, callback: _Callback, user: _Memory,
    destroy: _Callback) -> int: ...
def mopt_study_set_note(
    study: _Handle[mopt_study] | None, key: bytes | None,
    json: bytes | None) -> int: ...
def mopt_study_count(
    study: _Handle[mopt_study] | None, state: int, count: _Memory) -> int: ...
def mopt_study_best(
    study: _Handle[mopt_study] | None, out: _Memory) -> int: ...
def mopt_study_trial(
    study: _Handle[mopt_study] | None, number: int, out: _Memory) -> int: ...
def mopt_study_to_json(
    study: _Handle[mopt_study] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_study_list(
    ctx: _Handle[mopt_context] | None, storage: bytes | None, buf: _Memory,
    cap: int, needed: _Memory) -> int: ...
def mopt_trial_free(trial: _Handle[mopt_trial] | None) -> None: ...
def mopt_trial_number(trial: _Handle[mopt_trial] | None) -> int: ...
def mopt_trial_state(trial: _Handle[mopt_trial] | None) -> int: ...
def mopt_trial_get_float(
    trial: _Handle[mopt_trial] | None, name: bytes | None,
    out: _Memory) -> int: ...
def mopt_trial_get_int(
    trial: _Handle[mopt_trial] | None, name: bytes | None,
    out: _Memory) -> int: ...
def mopt_trial_get_index(
    trial: _Handle[mopt_trial] | None, name: bytes | None,
    out: _Memory) -> int: ...
def mopt_trial_get_text(
    trial: _Handle[mopt_trial] | None, name: bytes | None, buf: _Memory,
    cap: int, needed: _Memory) -> int: ...
def mopt_trial_apply(
    trial: _Handle[mopt_trial] | None, config: _Handle[mopt_config] | None,
    applied: _Memory) -> int: ...
def mopt_trial_value(
    trial: _Handle[mopt_trial] | None, objective: int,
    out: _Memory) -> int: ...
def mopt_trial_report(
    trial: _Handle[mopt_trial] | None, step: int, value: float) -> int: ...
def mopt_trial_checkpoint(
    trial: _Handle[mopt_trial] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_trial_set_note(
    trial: _Handle[mopt_trial] | None, key: bytes | None,
    json: bytes | None) -> int: ...
def mopt_trial_set_constraints(
    trial: _Handle[mopt_trial] | None, values: _Memory, count: int) -> int: ...
def mopt_trial_to_json(
    trial: _Handle[mopt_trial] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_recipe_parse(
    ctx: _Handle[mopt_context] | None, json: bytes | None, base: bytes | None,
    out: _Memory) -> int: ...
def mopt_recipe_load(
    ctx: _Handle[mopt_context] | None, path: bytes | None,
    out: _Memory) -> int: ...
def mopt_recipe_set(
    recipe: _Handle[mopt_recipe] | None, path: bytes | None,
    json: bytes | None) -> int: ...
def mopt_recipe_apply(
    recipe: _Handle[mopt_recipe] | None, params: bytes | None,
    out: _Memory) -> int: ...
def mopt_recipe_free(recipe: _Handle[mopt_recipe] | None) -> None: ...
def mopt_recipe_to_json(
    recipe: _Handle[mopt_recipe] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_recipe_space(
    recipe: _Handle[mopt_recipe] | None, out: _Memory) -> int: ...
def mopt_recipe_set_group(
    recipe: _Handle[mopt_recipe] | None,
    group: _Handle[mopt_group] | None) -> int: ...
def mopt_recipe_plan(
    recipe: _Handle[mopt_recipe] | None, ranks: int,
    cancel: _Handle[mopt_cancel] | None, out: _Memory) -> int: ...
def mopt_recipe_run(
    recipe: _Handle[mopt_recipe] | None, on_event: _Callback, user: _Memory,
    cancel: _Handle[mopt_cancel] | None, out: _Memory) -> int: ...
def mopt_result_free(result: _Handle[mopt_result] | None) -> None: ...
def mopt_result_to_json(
    result: _Handle[mopt_result] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
def mopt_result_model(
    result: _Handle[mopt_result] | None, out: _Memory) -> int: ...
def mopt_result_adapter(
    result: _Handle[mopt_result] | None, out: _Memory) -> int: ...
def mopt_result_report(
    result: _Handle[mopt_result] | None, path: bytes | None) -> int: ...
def mopt_recipe_schema(
    ctx: _Handle[mopt_context] | None, buf: _Memory, cap: int,
    needed: _Memory) -> int: ...
