# SPDX-License-Identifier: MIT
"""tests/fault/sweeps.py: writes calls of every public function, from the
headers.

usage: sweeps.py OUT.c

For misuse.c: for each parameter of each function, a call in which it alone is
wrong (NULL, negative, huge, NaN, no such name, ...) and all others are right.
The call must return an error, set its message, and leave the out-parameters as
they were. A last call with every argument right must succeed: otherwise the
errors before it prove nothing.

For allocation.c: the call with every argument right, between arm() and
disarm(), which let an allocation inside it fail.

A function or parameter that this file does not know how to fill is an error
here, so that no new function stays outside.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "src", "python"))
import headers  # noqa: E402

# Right arguments: by function and parameter, else by parameter and type, else
# by type. `w` is the world of world.h.
RIGHT = {
    ("mopt_config_create", "kind"): '"train"',
    ("mopt_config_describe", "kind"): '"train"',
    ("mopt_config_set_int", "value"): "3",
    ("mopt_config_set_float", "key"): '"loss.label_smoothing"',
    ("mopt_config_set_float", "value"): "0.5",
    ("mopt_config_set_bool", "key"): '"restore_best"',
    ("mopt_config_set_bool", "value"): "1",
    ("mopt_config_set_text", "key"): '"optimizer"',
    ("mopt_config_set_text", "value"): '"sgd"',
    ("mopt_config_set_json", "json"): '"{\\"epochs\\": 3}"',
    ("mopt_config_get_float", "key"): '"loss.label_smoothing"',
    ("mopt_config_get_bool", "key"): '"restore_best"',
    ("mopt_config_get_text", "key"): '"optimizer"',
    ("mopt_context_configure", "config"): 'the_config(w, "context")',
    ("mopt_dataset_load", "config"): 'the_config(w, "data")',
    ("mopt_dataset_split", "config"): 'the_config(w, "data")',
    ("mopt_transform_fit", "config"): 'the_config(w, "data")',
    ("mopt_model_add", "model"): "the_stack(w)",
    ("mopt_model_add_dense", "model"): "the_stack(w)",
    ("mopt_model_add_dropout", "model"): "the_stack(w)",
    ("mopt_model_init", "model"): "the_stack(w)",
    ("mopt_model_add", "config"): 'the_config(w, "layer.dense")',
    ("mopt_model_grow", "source"): "the_student(w)",
    ("mopt_model_create", "json"): "LAYERS",
    ("mopt_model_load", "path"): "the_file(w, FILE_MODEL)",
    ("mopt_model_evaluate", "loss"): '"cross_entropy"',
    ("mopt_model_predict_dataset", "count"): "ROWS * CLASSES",
    ("mopt_model_get_tensor", "count"): "UNITS * FEATURES",
    ("mopt_model_set_tensor", "count"): "UNITS * FEATURES",
    ("mopt_model_get_tensor", "name"): '"layers.0.weight"',
    ("mopt_model_set_tensor", "name"): '"layers.0.weight"',
    ("mopt_space_from_json", "json"): "SPACE",
    ("mopt_space_add_condition", "name"): '"b"',
    ("mopt_study_create", "config"): 'the_config(w, "study")',
    ("mopt_study_create", "space"): "the_space(w)",
    ("mopt_study_list", "storage"): "the_file(w, FILE_STUDY)",
    ("mopt_study_count", "state"): "-1",
    ("mopt_trial_get_float", "name"): '"b"',
    ("mopt_trial_get_int", "name"): '"a"',
    ("mopt_trial_get_index", "name"): '"c"',
    ("mopt_trial_get_text", "name"): '"c"',
    ("mopt_trial_value", "trial"): "the_told(w)",
    ("mopt_trial_set_note", "json"): '"1"',
    ("mopt_study_set_note", "json"): '"1"',
    ("mopt_trial_set_constraints", "count"): "2",
    ("mopt_trainer_create", "config"): 'the_config(w, "train")',
    ("mopt_distill_create", "config"): 'the_config(w, "distill")',
    ("mopt_distill_create", "training"): 'the_config(w, "train")',
    ("mopt_distill_create", "student"): "the_student(w)",
    ("mopt_distill_add_callback", "fn"): "a_teacher",
    ("mopt_distill_fit", "distill"): "the_lesson(w)",
    ("mopt_distill_trainer", "distill"): "the_lesson(w)",
    ("mopt_distill_evaluate", "distill"): "the_taught(w)",
    ("mopt_parallel_create", "config"): 'the_config(w, "parallel")',
    ("mopt_parallel_create", "training"): 'the_config(w, "train")',
    ("mopt_finetune_create", "config"): 'the_config(w, "finetune")',
    ("mopt_finetune_create", "training"): 'the_config(w, "train")',
    ("mopt_finetune_evaluate", "finetune"): "the_tuned(w)",
    ("mopt_adapter_load", "path"): "the_file(w, FILE_ADAPTER)",
    ("mopt_adapter_remove", "adapter"): "the_merged(w)",
    ("mopt_result_adapter", "result"): "the_tuned_result(w)",
    ("mopt_model_load_weights", "path"): "the_file(w, FILE_MODEL)",
    ("mopt_model_load_weights", "map"): '"{}"',
    ("mopt_model_features", "count"): "ROWS * UNITS",
    ("*", "layer"): "0",
    ("mopt_trainer_add_group", "config"): 'the_config(w, "group")',
    ("mopt_trainer_resume", "path"): "the_file(w, FILE_CHECKPOINT)",
    ("mopt_recipe_parse", "json"): "RECIPE",
    ("mopt_recipe_load", "path"): "the_file(w, FILE_RECIPE)",
    ("mopt_recipe_set", "path"): '"train.batch_size"',
    ("mopt_recipe_set", "json"): '"16"',
    ("mopt_recipe_apply", "params"): '"{}"',
    ("mopt_set_error", "message"): '"tired"',
    ("mopt_group_create", "size"): "1", ("mopt_group_run", "size"): "1",
    ("mopt_group_run", "fn"): "a_rank", ("mopt_group_wrap", "rank"): "0",
    ("mopt_group_wrap", "size"): "2", ("mopt_group_abort", "code"): "-1",
    ("mopt_trainer_set_group", "group"): "a_single(w)",
    ("mopt_trainer_create_parallel", "group"): "a_single(w)",
    ("mopt_recipe_set_group", "group"): "a_single(w)",
    ("mopt_group_split", "key"): "0",
    ("mopt_group_send", "data"): "w->buf",
    ("mopt_group_receive", "data"): "w->buf",
    ("mopt_group_broadcast", "data"): "w->buf",
    ("mopt_group_all_gather", "part"): "w->buf",
    ("mopt_group_all_gather", "all"): "w->buf",
    ("mopt_group_reduce_scatter", "part"): "w->out",
    ("mopt_recipe_plan", "recipe"): "the_recipe(w)",
    ("*", "ranks"): "4",
    ("*", "timeout"): "1", ("*", "color"): "0", ("*", "to"): "1",
    ("*", "from"): "1", ("*", "root"): "0", ("*", "bytes"): "8",
    ("*", "op"): "MOPT_SUM",
    # Names that are the same wherever they occur.
    ("*", "config"): 'the_config(w, "train")',
    ("*", "key"): '"epochs"', ("*", "name"): '"fresh"',
    ("*", "path"): 'kit_path("written")', ("*", "pattern"): '"*"',
    ("*", "figure"): '"step"', ("*", "activation"): '"relu"',
    ("*", "params"): '"{\\"a\\": 2}"', ("*", "reason"): '"tired"',
    ("*", "choices"): '"[1, 2]"', ("*", "parent"): '"a"',
    ("mopt_space_add_condition", "values"): '"1"',
    ("*", "base"): '"."', ("*", "code"): "0",
    ("*", "rows"): "ROWS", ("*", "features"): "FEATURES",
    ("*", "x_type"): "MOPT_F32", ("*", "x_stride"): "0",
    ("*", "y_type"): "MOPT_I32", ("*", "targets"): "1",
    ("*", "classes"): "CLASSES", ("*", "x"): "w->x", ("*", "y"): "w->labels",
    ("*", "part"): "MOPT_PART_TRAIN", ("*", "first"): "0", ("*", "count"): "2",
    ("*", "folds"): "2", ("*", "fold"): "0", ("*", "seed"): "1",
    ("*", "stratify"): "0", ("*", "inputs"): "FEATURES",
    ("*", "width"): "FEATURES", ("*", "height"): "1", ("*", "channels"): "1",
    ("*", "outputs"): "CLASSES", ("*", "units"): "3", ("*", "rate"): "0.5",
    ("*", "low"): "1", ("*", "high"): "4", ("*", "step"): "1",
    ("*", "flags"): "MOPT_LINEAR", ("*", "number"): "0",
    ("*", "state"): "MOPT_TRIAL_COMPLETE", ("*", "objective"): "0",
    ("mopt_study_optimize", "objective"): "an_objective",
    ("*", "value"): "1.0", ("*", "weight"): "0.5",
    ("*", "alloc"): "NULL", ("*", "log"): "a_log", ("*", "destroy"): "NULL",
    ("*", "fn"): "a_hook", ("*", "term"): "a_term",
    ("*", "callback"): "a_watcher", ("*", "on_event"): "NULL",
    ("*", "user"): "NULL", ("*", "cap"): "sizeof w->buf",
}
BY_TYPE = {
    "mopt_context *": "w->ctx", "mopt_cancel *": "w->cancel",
    "mopt_dataset *": "the_data(w)", "mopt_transform *": "the_transform(w)",
    "mopt_model *": "the_model(w)", "mopt_space *": "the_space(w)",
    "mopt_study *": "the_study(w)", "mopt_trial *": "the_trial(w)",
    "mopt_trainer *": "the_trainer(w)", "mopt_recipe *": "the_recipe(w)",
    "mopt_distill *": "the_distill(w)",
    "mopt_finetune *": "the_finetune(w)", "mopt_adapter *": "the_adapter(w)",
    "mopt_result *": "the_result(w)", "mopt_backend *": "&a_backend",
    "mopt_database *": "&a_database", "mopt_group *": "the_group(w)",
    "mopt_group_table *": "&a_table", "mopt_parallel *": "the_parallel(w)",
    "char *": "w->buf", "size_t *": "&w->needed", "float *": "w->out",
    "double *": "w->doubles", "int64_t *": "w->integers",
    "int32_t *": "w->codes", "const float *": "w->x",
    "const double *": "w->given", "const int64_t *": "w->rows",
}

# Wrong values by type; each must be refused unless ALLOWED says otherwise.
WRONG = {
    "int64_t": ["-1", "INT64_MIN", "INT64_MAX"],
    "int32_t": ["-1", "99", "INT32_MIN", "INT32_MAX"],
    "double": ["NAN", "INFINITY", "-INFINITY"],
    "size_t": [],
    "const char *": ["NULL", '""', '"\\xff\\xfe"', "w->endless"],
}
ANY = "any"
# What is allowed although it looks wrong: a list of values, or ANY. The headers
# must say so: each parameter here that may be NULL has "NULL" in its text.
ALLOWED = {
    ("*", "user"): ANY, ("*", "seed"): ANY, ("*", "stratify"): ANY,
    ("*", "code"): ANY,
    # Texts that may be anything, or whose wrongness only a file system knows.
    ("*", "path"): ['"\\xff\\xfe"'], ("mopt_recipe_set", "path"): [],
    ("*", "storage"): ['""', '"\\xff\\xfe"'],
    ("*", "base"): ["NULL", '""', '"\\xff\\xfe"', "w->endless"],
    # Kept with ? for what is no UTF-8.
    ("mopt_set_error", "message"): ["NULL", '""', '"\\xff\\xfe"',
                                    "w->endless"],
    ("*", "reason"): ["NULL", '""', '"\\xff\\xfe"', "w->endless"],
    ("mopt_trial_set_note", "key"): ["w->endless"],
    # Numbers.
    ("mopt_group_create", "size"): ["99"], ("mopt_group_run", "size"): ["99"],
    ("mopt_group_wrap", "size"): ["99"], ("*", "ranks"): ["99"],
    ("*", "color"): ["99", "INT32_MAX"], ("mopt_group_split", "key"): ANY,
    ("mopt_config_set_bool", "value"): ANY,
    ("mopt_model_features", "layer"): ["-1"],
    ("mopt_model_save_features", "layer"): ["-1"],
    ("mopt_distill_add_callback", "name"): ['""', '"\\xff\\xfe"',
                                           "w->endless"],
    ("mopt_distill_add_file", "path"): ['""', '"\\xff\\xfe"',
                                       "w->endless"],
    ("mopt_study_count", "state"): ["-1"],
    ("mopt_space_add_int", "low"): ["-1", "INT64_MIN"],
    ("mopt_space_add_int", "high"): ["INT64_MAX"],
    ("mopt_space_add_int", "step"): ["INT64_MAX"],
    ("mopt_trial_report", "step"): ["INT64_MAX"],
    ("mopt_trial_report", "value"): ANY,
}
NULLABLE = {
    ("mopt_last_error", "buf"), ("*", "needed"), ("*", "buf"),
    ("*", "cancel"), ("*", "destroy"), ("*", "alloc"), ("*", "log"),
    ("*", "fn"), ("*", "on_event"), ("*", "callback"),
    ("mopt_version", "major"), ("mopt_version", "minor"),
    ("mopt_version", "patch"), ("mopt_config_describe", "kind"),
    ("mopt_dataset_from_memory", "y"), ("mopt_dataset_shape", "rows"),
    ("mopt_dataset_shape", "features"), ("mopt_dataset_shape", "targets"),
    ("mopt_dataset_shape", "kind"), ("mopt_dataset_read", "x"),
    ("mopt_dataset_read", "y"), ("mopt_dataset_fold", "train"),
    ("mopt_dataset_fold", "validation"), ("mopt_dataset_split", "train"),
    ("mopt_dataset_split", "validation"), ("mopt_dataset_split", "test"),
    ("mopt_model_add_dense", "activation"),
    ("mopt_model_set_transform", "transform"),
    ("mopt_model_evaluate", "loss"), ("mopt_study_create", "config"),
    ("mopt_trial_apply", "applied"), ("mopt_trainer_create", "validation"),
    ("mopt_trainer_create_parallel", "validation"),
    ("mopt_trainer_create_parallel", "config"),
    ("mopt_trainer_create", "config"), ("mopt_trainer_step", "loss"),
    ("mopt_distill_create", "validation"), ("mopt_distill_create", "config"),
    ("mopt_distill_create", "training"), ("mopt_distill_evaluate", "test"),
    ("mopt_finetune_create", "validation"),
    ("mopt_finetune_create", "config"), ("mopt_finetune_create", "training"),
    ("mopt_finetune_evaluate", "test"),
    ("mopt_finetune_evaluate", "source_test"),
    ("mopt_parallel_create", "config"), ("mopt_parallel_create", "training"),
    ("mopt_model_load_weights", "map"), ("mopt_recipe_set_group", "group"),
}
# Out-parameters that another object goes on owning.
BORROWED = {("mopt_distill_trainer", "out"), ("mopt_finetune_trainer", "out")}
# (buf, cap, needed) is one rule for all functions; context.h and status.h tell
# it, and the NULL of a token or a destroy is told with their types.
TOLD_ONCE = {"needed", "buf", "cancel", "destroy"}


def bare(text):
    return text.replace("const ", "")


def look(table, function, param, default=None):
    return table.get((function, param), table.get(("*", param), default))


def is_out(param):
    """A handle that the function makes."""
    return param.type.endswith(" **")


def right(function, param):
    if is_out(param):
        made = [p.name for p in function.params if is_out(p)]
        return f"({param.type})&w->made[{made.index(param.name)}]"
    if (function.name, param.name) in RIGHT:
        return RIGHT[function.name, param.name]
    if param.name != "config" and param.type != "const char *":
        for kind in (param.type, bare(param.type)):
            if kind in BY_TYPE:
                return BY_TYPE[kind]
    if ("*", param.name) in RIGHT:
        return RIGHT["*", param.name]
    raise headers.HeaderError(
        f"sweeps.py: no right value for {function.name}({param.name})")


def nullable(function, param):
    return (function.name, param.name) in NULLABLE or \
        ("*", param.name) in NULLABLE


def wrong(function, param):
    """Values that must be refused."""
    allowed = look(ALLOWED, function.name, param.name, [])
    if allowed == ANY or bare(param.type) == "void *" and \
            param.name == "user":
        return []
    if param.type in WRONG:
        values = WRONG[param.type]
    else:
        values = ["NULL"]
    if nullable(function, param):
        allowed = list(allowed) + ["NULL"]
    return [value for value in values if value not in allowed]


def check_told(interface):
    """What may be NULL is told, and what is told to be fine is tried."""
    failures = []
    for function in interface.functions:
        doc = next(f.doc for f in interface.functions
                   if f.name == function.leader)
        for param in function.params:
            if not param.type.endswith("*") or param.name in TOLD_ONCE:
                continue
            whole = " ".join([doc.summary, *doc.text, doc.param(param.name)])
            told = "NULL" in whole
            own = re.search(r"may be NULL|NULL for|NULL (means|takes|detaches"
                            r"|lists)", doc.param(param.name))
            if nullable(function, param) and not told:
                failures.append(f"{function.name}: '{param.name}' may be NULL "
                                "for sweeps.py, but its header does not say")
            if own and not nullable(function, param) and \
                    look(ALLOWED, function.name, param.name) is None:
                failures.append(f"{function.name}: the header lets "
                                f"'{param.name}' be NULL, sweeps.py does not")
    if failures:
        raise headers.HeaderError("\n".join(failures))


def quoted(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


def make_misuse(function):
    """Calls that are wrong in one place, then one that is right."""
    good = [right(function, p) for p in function.params]
    name = function.name
    lines = [f"static void misuse_{name}(world *w)", "{", "    (void)w;"]
    for number, param in enumerate(function.params):
        for value in wrong(function, param):
            arguments = good[:number] + [value] + good[number + 1:]
            text = f"{name}({', '.join(arguments)})"
            if function.returns == "void":
                lines.append(f"    {text};")
            elif plain(function):
                lines.append(f"    (void){text};")
            else:
                lines.append(f'    refused(w, {text}, "{name}", '
                             f'"{param.name} = {quoted(value)}");')
    if not name.endswith("_free"):
        lines.append(f'    accepted(w, call_{name}(w), "{name}");')
    return "\n".join(lines + ["}"])


def plain(function):
    """Does it return no status?"""
    return function.returns != "int32_t" or not function.doc.returns


def make_call(function):
    """The call with every argument right; freed is what it made."""
    name = function.name
    lines = [f"static int32_t call_{name}(world *w)", "{"]
    names = []
    for number, param in enumerate(function.params):
        value = right(function, param)
        if name.endswith("_free"):
            value = "NULL"
        blank = "" if param.type.endswith("*") else " "
        lines.append(f"    {param.type}{blank}a{number} = {value};")
        names.append(f"a{number}")
    returns = "int32_t status = " if not plain(function) else (
        "" if function.returns == "void" else "(void)")
    lines += ["    arm(w);", f"    {returns}{name}({', '.join(names)});",
              "    disarm(w);"]
    for number, param in enumerate(p for p in function.params if is_out(p)):
        if (function.name, param.name) not in BORROWED:
            lines.append(f"    {param.type[:-3]}_free(w->made[{number}]);")
        lines.append(f"    w->made[{number}] = NULL;")
    lines.append("    return MOPT_OK;" if plain(function)
                 else "    return status;")
    return "\n".join(lines + ["}"])


def main(path):
    interface = headers.read(headers.public_folder())
    check_told(interface)
    parts = ["/* Made by tests/fault/sweeps.py. */", '#include "world.h"', ""]
    for function in interface.functions:
        parts += [make_call(function) + "\n", make_misuse(function) + "\n"]
    parts.append("const sweep sweeps[] = {")
    parts += [f'    {{"{f.name}", misuse_{f.name}, call_{f.name}}},'
              for f in interface.functions]
    parts += ["};", "const int sweep_count = "
              "(int)(sizeof sweeps / sizeof sweeps[0]);"]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except headers.HeaderError as error:
        sys.exit(str(error))
