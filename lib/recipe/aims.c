/* SPDX-License-Identifier: MIT
 * lib/recipe/aims.c: objectives and constraints of a recipe. */
#include "recipe/aims.h"

#include <string.h>

#include "base/status.h"
#include "base/text.h"

const moi_measure moi_measures[] = {
    {"validation.loss", MOI_KNOWN_VALIDATION, 0, MOPT_TARGET_NONE,
     "mean loss on the validation part"},
    {"validation.accuracy", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_CLASS,
     "share of rows whose class is right"},
    {"validation.error", MOI_KNOWN_VALIDATION, 0, MOPT_TARGET_CLASS,
     "share of rows whose class is wrong"},
    {"validation.macro_f1", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_CLASS,
     "F1 averaged over the classes"},
    {"validation.macro_precision", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_CLASS,
     "precision averaged over the classes"},
    {"validation.macro_recall", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_CLASS,
     "recall averaged over the classes"},
    {"validation.auc", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_CLASS,
     "area under the ROC curve, one class against the rest, averaged"},
    {"validation.mse", MOI_KNOWN_VALIDATION, 0, MOPT_TARGET_NUMBER,
     "mean squared error"},
    {"validation.rmse", MOI_KNOWN_VALIDATION, 0, MOPT_TARGET_NUMBER,
     "root of the mean squared error"},
    {"validation.mae", MOI_KNOWN_VALIDATION, 0, MOPT_TARGET_NUMBER,
     "mean absolute error"},
    {"validation.r2", MOI_KNOWN_VALIDATION, 1, MOPT_TARGET_NUMBER,
     "share of the variance that is explained"},
    {"params", MOI_KNOWN_BUILT, 0, MOPT_TARGET_NONE, "weights of the model"},
    {"bytes", MOI_KNOWN_BUILT, 0, MOPT_TARGET_NONE,
     "bytes of the weights"},
    {"flops", MOI_KNOWN_BUILT, 0, MOPT_TARGET_NONE,
     "operations to serve one row; a multiply-add counts 2"},
    {"memory", MOI_KNOWN_BUILT, 0, MOPT_TARGET_NONE,
     "peak bytes to serve one row: weights and activations"},
    {"latency.p50", MOI_KNOWN_MEASURED, 0, MOPT_TARGET_NONE,
     "seconds to serve one row on this machine, the median"},
    {"latency.p99", MOI_KNOWN_MEASURED, 0, MOPT_TARGET_NONE,
     "seconds to serve one row on this machine, the 99th percentile"},
    {"throughput", MOI_KNOWN_MEASURED, 1, MOPT_TARGET_NONE,
     "rows served a second on this machine, 256 at a time"},
    {"gap", MOI_KNOWN_COMPARED, 0, MOPT_TARGET_CLASS,
     "points of accuracy behind the first teacher, on the validation part"},
    {"train_seconds", MOI_KNOWN_TRAINED, 0, MOPT_TARGET_NONE,
     "seconds of training"},
    {NULL, 0, 0, 0, NULL},
};

/* --- Names -------------------------------------------------------------- */

static const char *measure_name(const void *list, int64_t i)
{
    (void)list;
    return moi_measures[i].name;
}

/* "accuracy" is short for "validation.accuracy". */
static const char *short_name(const void *list, int64_t i)
{
    const char *name = measure_name(list, i);
    size_t prefix = strlen(MOI_VALIDATION);
    return strncmp(name, MOI_VALIDATION, prefix) == 0 ? name + prefix : name;
}

static const moi_measure *find_measure(const char *name)
{
    for (int64_t i = 0; moi_measures[i].name != NULL; i++) {
        if (strcmp(name, moi_measures[i].name) == 0 ||
            strcmp(name, short_name(NULL, i)) == 0)
            return &moi_measures[i];
    }
    return NULL;
}

static int32_t fail_name(const char *name, const moi_path *path)
{
    if (strncmp(name, "test.", 5) == 0)
        return moi_fail_path(MOPT_EINVAL, path,
                             "'%s' would look at the test part, which is "
                             "kept for the winner; take 'validation.%s'", name,
                             name + 5);
    int64_t near = moi_text_nearest(name, MOI_COUNT(moi_measures) - 1,
                                    strchr(name, '.') ? measure_name
                                                      : short_name, NULL);
    return moi_fail_path(MOPT_EKEY, path, "there is no metric '%s'%s%s%s",
                         name, near < 0 ? "" : "; did you mean '",
                         near < 0 ? "" : moi_measures[near].name,
                         near < 0 ? "" : "'?");
}

static int32_t read_measure(const json_t *name, const moi_path *path,
                            const moi_measure **out)
{
    char excerpt[MOI_EXCERPT_SIZE];
    if (!json_is_string(name))
        return moi_fail_path(MOPT_EINVAL, path,
                             "a metric is named by a text such as "
                             "\"validation.accuracy\", got %s",
                             moi_json_excerpt(name, excerpt));
    *out = find_measure(json_string_value(name));
    return *out != NULL ? MOPT_OK : fail_name(json_string_value(name), path);
}

/* Only known keys in an object of the document. */
static int32_t check_keys(const json_t *object, const char *const *keys,
                          const moi_path *path)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) {
        int32_t known = 0;
        for (int64_t i = 0; keys[i] != NULL && !known; i++)
            known = strcmp(key, keys[i]) == 0;
        if (!known)
            return moi_fail_path(MOPT_EKEY, path,
                                 "there is no key '%s' here, only '%s', '%s'"
                                 "%s%s%s", key, keys[0], keys[1],
                                 keys[2] != NULL ? ", '" : "",
                                 keys[2] != NULL ? keys[2] : "",
                                 keys[2] != NULL ? "'" : "");
    }
    return MOPT_OK;
}

/* --- Objectives --------------------------------------------------------- */

static int32_t read_direction(const json_t *direction, const moi_path *path,
                              moi_goal *goal)
{
    const char *text = json_string_value(direction);
    char excerpt[MOI_EXCERPT_SIZE];
    if (direction == NULL)
        return MOPT_OK;
    if (text != NULL && (!strcmp(text, "max") || !strcmp(text, "maximize")))
        goal->maximize = 1;
    else if (text != NULL &&
             (!strcmp(text, "min") || !strcmp(text, "minimize")))
        goal->maximize = 0;
    else
        return moi_fail_path(MOPT_EINVAL, path,
                             "'direction' is \"max\" or \"min\", got %s",
                             moi_json_excerpt(direction, excerpt));
    return MOPT_OK;
}

static int32_t read_goal(const json_t *value, const moi_path *path,
                         moi_goal *goal)
{
    static const char *const keys[] = {"metric", "direction", NULL};
    moi_path inner = {path, "metric", 0};
    int32_t rc = check_keys(value, keys, path);
    if (rc == MOPT_OK)
        rc = json_is_object(value)
                 ? read_measure(json_object_get(value, "metric"), &inner,
                                &goal->measure)
                 : read_measure(value, path, &goal->measure);
    if (rc != MOPT_OK)
        return rc;
    goal->maximize = goal->measure->maximize;
    return read_direction(json_object_get(value, "direction"), path, goal);
}

static int32_t read_goals(const json_t *list, moi_aims *aims)
{
    const moi_path root = {NULL, "objectives", 0};
    char excerpt[MOI_EXCERPT_SIZE];
    if (json_array_size(list) == 0 || json_array_size(list) > MOI_GOALS_MAX)
        return moi_fail_path(MOPT_EINVAL, &root,
                             "takes a list of 1 to %d metrics such as "
                             "[\"validation.accuracy\"], got %s",
                             MOI_GOALS_MAX, moi_json_excerpt(list, excerpt));
    for (size_t i = 0; i < json_array_size(list); i++) {
        moi_path path = {&root, NULL, (int64_t)i};
        moi_goal *goal = &aims->goals[i];
        int32_t rc = read_goal(json_array_get(list, i), &path, goal);
        if (rc != MOPT_OK)
            return rc;
        for (size_t k = 0; k < i; k++) {
            if (aims->goals[k].measure == goal->measure)
                return moi_fail_path(MOPT_EINVAL, &path,
                                     "'%s' is an objective twice",
                                     goal->measure->name);
        }
        aims->goal_count++;
    }
    return MOPT_OK;
}

/* --- Constraints -------------------------------------------------------- */

static int32_t read_limit(const json_t *value, const moi_path *path,
                          moi_aims *aims)
{
    static const char *const keys[] = {"metric", "min", "max", NULL};
    moi_path inner = {path, "metric", 0};
    const moi_measure *measure = NULL;
    char excerpt[MOI_EXCERPT_SIZE];
    int64_t before = aims->limit_count;
    int32_t rc = check_keys(value, keys, path);
    if (rc == MOPT_OK && !json_is_object(value))
        rc = moi_fail_path(MOPT_EINVAL, path,
                           "a constraint is an object such as {\"metric\": "
                           "\"params\", \"max\": 50000}, got %s",
                           moi_json_excerpt(value, excerpt));
    if (rc == MOPT_OK)
        rc = read_measure(json_object_get(value, "metric"), &inner, &measure);
    for (int32_t k = 1; k <= 2 && rc == MOPT_OK; k++) {
        const json_t *bound = json_object_get(value, keys[k]);
        if (bound == NULL)
            continue;
        if (!json_is_number(bound))
            return moi_fail_path(MOPT_EINVAL, path,
                                 "'%s' is a number, got %s", keys[k],
                                 moi_json_excerpt(bound, excerpt));
        aims->limits[aims->limit_count++] = (moi_limit){
            measure, k == 2, json_number_value(bound)};
    }
    if (rc == MOPT_OK && aims->limit_count == before)
        rc = moi_fail_path(MOPT_EINVAL, path,
                           "a constraint needs 'min' or 'max'");
    return rc;
}

static int32_t read_limits(const json_t *list, moi_aims *aims)
{
    const moi_path root = {NULL, "constraints", 0};
    char excerpt[MOI_EXCERPT_SIZE];
    int32_t rc = MOPT_OK;
    if (!json_is_array(list) || json_array_size(list) > MOI_LIMITS_MAX / 2)
        return moi_fail_path(MOPT_EINVAL, &root,
                             "takes a list of up to %d constraints such as "
                             "[{\"metric\": \"params\", \"max\": 50000}], got "
                             "%s", MOI_LIMITS_MAX / 2,
                             moi_json_excerpt(list, excerpt));
    for (size_t i = 0; i < json_array_size(list) && rc == MOPT_OK; i++) {
        moi_path path = {&root, NULL, (int64_t)i};
        rc = read_limit(json_array_get(list, i), &path, aims);
    }
    return rc;
}

int32_t moi_aims_read(const json_t *objectives, const json_t *constraints,
                      moi_aims *aims)
{
    int32_t rc = MOPT_OK;
    memset(aims, 0, sizeof(*aims));
    if (objectives != NULL)
        rc = read_goals(objectives, aims);
    if (rc == MOPT_OK && constraints != NULL)
        rc = read_limits(constraints, aims);
    return rc;
}

/* --- With the data known ------------------------------------------------ */

static int32_t check_measure(const moi_measure *measure, const char *list,
                             int64_t i, int32_t target, int32_t has_validation)
{
    if ((measure->known == MOI_KNOWN_VALIDATION ||
         measure->known == MOI_KNOWN_COMPARED) && !has_validation)
        return moi_fail(MOPT_EINVAL,
                        "%s[%d]: '%s' needs a validation part: set "
                        "data.split.validation to a share such as 0.2", list,
                        (int)i, measure->name);
    if (measure->target != MOPT_TARGET_NONE && measure->target != target)
        return moi_fail(MOPT_EINVAL, "%s[%d]: '%s' is for %s, this data has "
                        "%s", list, (int)i, measure->name,
                        target == MOPT_TARGET_CLASS ? "numbers" : "classes",
                        target == MOPT_TARGET_CLASS ? "classes" : "numbers");
    return MOPT_OK;
}

int32_t moi_aims_settle(moi_aims *aims, int32_t target, int32_t has_validation)
{
    int32_t rc = MOPT_OK;
    if (aims->goal_count == 0) {
        aims->goals[0].measure = find_measure(
            target == MOPT_TARGET_CLASS ? "accuracy" : "rmse");
        aims->goals[0].maximize = aims->goals[0].measure->maximize;
        aims->goal_count = 1;
    }
    for (int64_t i = 0; i < aims->goal_count && rc == MOPT_OK; i++)
        rc = check_measure(aims->goals[i].measure, "objectives", i, target,
                           has_validation);
    for (int64_t i = 0; i < aims->limit_count && rc == MOPT_OK; i++)
        rc = check_measure(aims->limits[i].measure, "constraints", i, target,
                           has_validation);
    return rc;
}

double moi_limit_excess(const moi_limit *limit, double value)
{
    return limit->is_max ? value - limit->bound : limit->bound - value;
}

int32_t moi_rank_better(const moi_aims *aims, const moi_rank *a,
                        const moi_rank *b)
{
    if (a->missed != b->missed)
        return a->missed < b->missed;
    if (a->value != b->value)
        return aims->goals[0].maximize ? a->value > b->value
                                       : a->value < b->value;
    return a->number < b->number;
}
