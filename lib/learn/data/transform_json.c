/* SPDX-License-Identifier: MIT
 * lib/learn/data/transform_json.c: transforms as JSON, for model files.
 *
 *   {"columns": 3, "names": ["age", "work", "pay"],
 *    "center": [38.6, 0, 1077.6], "scale": [0.07, 1, 0.0001], "fill": [..],
 *    "indicators": [0], "categories": {"1": ["Private", "State-gov"]},
 *    "target": {"kind": "class", "count": 2, "names": ["<=50K", ">50K"]}}
 *
 * A list of numbers that are all the same is that number. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "learn/data/transform.h"

static const char *const kinds[] = {"none", "class", "number"};

/* Numbers of all encoders; field says which. */
enum field { CENTER, SCALE, FILL };

static double *field_of(moi_encoder *e, enum field field)
{
    return field == CENTER ? &e->center : field == SCALE ? &e->scale
                                                         : &e->fill;
}

/* count numbers, one of each stride bytes; as one number if all are equal. */
static json_t *numbers_json(const double *first, int64_t count, size_t stride)
{
    const char *at = (const char *)first;
    json_t *list;
    int64_t i;

    for (i = 1; i < count; i++)
        if (*(const double *)(const void *)(at + (size_t)i * stride) !=
            *first)
            break;
    if (i >= count)
        return json_real(*first);
    list = json_array();
    for (i = 0; list && i < count; i++) {
        double x = *(const double *)(const void *)(at + (size_t)i * stride);
        if (json_array_append_new(list, json_real(x)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *indicators_json(const mopt_transform *t)
{
    json_t *list = json_array();
    int64_t j;

    for (j = 0; list && j < t->columns; j++) {
        if (moi_encoder_at(t, j)->indicator &&
            json_array_append_new(list, json_integer(j)) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *categories_json(const mopt_transform *t)
{
    json_t *object = json_object();
    char key[MOI_NUMBER_SIZE];
    int64_t j;

    for (j = 0; object && j < t->columns; j++) {
        const moi_encoder *e = moi_encoder_at(t, j);
        if (e->category &&
            moi_json_add(object, moi_number_text((double)j, key),
                         moi_names_to_json(&e->categories))) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

json_t *moi_transform_target(const mopt_transform *t)
{
    const moi_names *names = t->target == MOPT_TARGET_CLASS
                                 ? &t->class_names : &t->target_names;
    json_t *target = json_object();
    int32_t rc = target ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        rc = moi_json_add_text(target, "kind", kinds[t->target]);
    if (!rc)
        rc = moi_json_add_int(target, "count", t->targets);
    if (!rc && names->text)
        rc = moi_json_add(target, "names", moi_names_to_json(names));
    if (!rc && t->target == MOPT_TARGET_NUMBER) {
        rc = moi_json_add(target, "center",
                          numbers_json(t->target_center, t->targets,
                                       sizeof(double)));
        if (!rc)
            rc = moi_json_add(target, "scale",
                              numbers_json(t->target_scale, t->targets,
                                           sizeof(double)));
    }
    if (!rc && t->drop_unknown)
        rc = moi_json_add(target, "drop_unknown", json_true());
    if (rc) {
        json_decref(target);
        target = NULL;
    }
    return target;
}

static int32_t add_columns(const mopt_transform *t, json_t *whole)
{
    static const char *const names[] = {"center", "scale", "fill"};
    int64_t count = t->uniform ? 1 : t->columns;
    int32_t rc = moi_json_add_int(whole, "columns", t->columns);
    enum field f;

    if (!rc && t->column_names.text)
        rc = moi_json_add(whole, "names",
                          moi_names_to_json(&t->column_names));
    for (f = CENTER; f <= FILL && !rc; f++)
        rc = moi_json_add(whole, names[f],
                          numbers_json(field_of(t->encoders, f), count,
                                       sizeof(moi_encoder)));
    if (!rc && t->runs)
        rc = moi_json_add(whole, "indicators", indicators_json(t));
    if (!rc && t->runs)
        rc = moi_json_add(whole, "categories", categories_json(t));
    return rc;
}

json_t *moi_transform_to_json(const mopt_transform *transform)
{
    json_t *whole = json_object();
    int32_t rc = whole ? add_columns(transform, whole) : MOPT_ENOMEM;

    if (!rc)
        rc = moi_json_add(whole, "target", moi_transform_target(transform));
    if (rc) {
        json_decref(whole);
        whole = NULL;
    }
    return whole;
}

/* Numbers into count doubles, one every stride bytes; from a list, or one
 * number for all. positive: nothing else is allowed. */
static int32_t read_numbers(const json_t *json, const char *key,
                            int32_t positive, double *first, int64_t count,
                            size_t stride)
{
    const json_t *list = json_object_get(json, key);
    char *at = (char *)first;
    int64_t i;

    if (!json_is_number(list) &&
        (int64_t)json_array_size(list) != count)
        return moi_fail(MOPT_EFORMAT, "transform: '%s' must be a number or a "
                        "list of %lld numbers", key, (long long)count);
    for (i = 0; i < count; i++) {
        const json_t *item = json_is_number(list)
                                 ? list : json_array_get(list, (size_t)i);
        double x = json_number_value(item);
        if (!json_is_number(item) || !isfinite(x) || (positive && !(x > 0)))
            return moi_fail(MOPT_EFORMAT, "transform: '%s', item %lld is no "
                            "%snumber", key, (long long)i,
                            positive ? "positive " : "");
        *(double *)(void *)(at + (size_t)i * stride) = x;
    }
    return MOPT_OK;
}

static int32_t read_names(mopt_context *ctx, const json_t *object,
                          int64_t count, moi_names *out)
{
    const json_t *list = json_object_get(object, "names");
    int32_t rc;

    if (!list)
        return MOPT_OK;
    rc = moi_names_from_json(ctx, list, out);
    if (rc)
        return moi_fail_at(rc, "transform: 'names': ");
    if (out->count != count)
        rc = moi_fail(MOPT_EFORMAT, "transform: %lld names for %lld",
                      (long long)out->count, (long long)count);
    return rc;
}

static int32_t read_indicators(mopt_transform *t, const json_t *list)
{
    size_t i;

    if (list && !json_is_array(list))
        return moi_fail(MOPT_EFORMAT, "transform: 'indicators' is no list");
    for (i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        int64_t j = json_integer_value(item);
        if (!json_is_integer(item) || j < 0 || j >= t->columns)
            return moi_fail(MOPT_EFORMAT, "transform: 'indicators' names no "
                            "column of %lld", (long long)t->columns);
        t->encoders[j].indicator = 1;
    }
    return MOPT_OK;
}

static int32_t read_categories(mopt_transform *t, const json_t *object)
{
    const char *key;
    json_t *value;
    int32_t rc = MOPT_OK;

    if (object && !json_is_object(object))
        return moi_fail(MOPT_EFORMAT, "transform: 'categories' is no object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        int64_t j;
        if (!moi_number_parse_int(key, &j) || j < 0 || j >= t->columns ||
            t->encoders[j].category)
            return moi_fail(MOPT_EFORMAT, "transform: 'categories' has a "
                            "member '%.40s', which is none of %lld columns",
                            key, (long long)t->columns);
        t->encoders[j].category = 1;
        rc = moi_names_from_json(t->ctx, value, &t->encoders[j].categories);
        if (rc)
            return moi_fail_at(rc, "transform: 'categories': ");
    }
    return rc;
}

/* Does some list have an item for each column? */
static int32_t is_covered(const json_t *json, int64_t columns)
{
    static const char *const lists[] = {"names", "center", "scale", "fill"};
    int64_t i;

    for (i = 0; i < MOI_COUNT(lists); i++)
        if ((int64_t)json_array_size(json_object_get(json, lists[i])) ==
            columns)
            return 1;
    return columns <= 65536;
}

static int32_t read_target(mopt_transform *t, const json_t *target)
{
    const char *kind = json_string_value(json_object_get(target, "kind"));
    const json_t *count = json_object_get(target, "count");
    int32_t rc;

    t->target = MOPT_TARGET_NUMBER;
    while (t->target > MOPT_TARGET_NONE &&
           (!kind || strcmp(kind, kinds[t->target]) != 0))
        t->target--;
    t->targets = json_integer_value(count);
    t->drop_unknown = json_is_true(json_object_get(target, "drop_unknown"));
    if (!kind || strcmp(kind, kinds[t->target]) != 0 ||
        !json_is_integer(count) || t->targets < 0 ||
        t->targets > MOI_CLASSES_MAX ||
        (t->target != MOPT_TARGET_NONE && t->targets == 0))
        return moi_fail(MOPT_EFORMAT, "transform: 'target' has no 'kind' of "
                        "\"none\", \"class\", \"number\", or no 'count'");
    rc = read_names(t->ctx, target, t->targets,
                    t->target == MOPT_TARGET_CLASS ? &t->class_names
                                                   : &t->target_names);
    if (rc || t->target != MOPT_TARGET_NUMBER)
        return rc;
    if (!is_covered(target, t->targets))
        return moi_fail(MOPT_EFORMAT, "transform: 'target' has no list of "
                        "%lld numbers", (long long)t->targets);
    t->target_center = moi_calloc(t->ctx, t->targets, sizeof(double));
    t->target_scale = moi_calloc(t->ctx, t->targets, sizeof(double));
    if (!t->target_center || !t->target_scale)
        return MOPT_ENOMEM;
    rc = read_numbers(target, "center", 0, t->target_center, t->targets,
                      sizeof(double));
    if (!rc)
        rc = read_numbers(target, "scale", 1, t->target_scale, t->targets,
                          sizeof(double));
    return rc;
}

/* One encoder for all columns? So files stay small, and one that promises
 * many columns without giving them costs nothing. */
static int32_t is_uniform(const json_t *json)
{
    return !json_object_get(json, "names") &&
           !json_object_get(json, "indicators") &&
           !json_object_get(json, "categories") &&
           json_is_number(json_object_get(json, "center")) &&
           json_is_number(json_object_get(json, "scale")) &&
           json_is_number(json_object_get(json, "fill"));
}

static int32_t read_columns(mopt_transform *t, const json_t *json)
{
    int64_t count = t->uniform ? 1 : t->columns;
    int32_t rc = read_numbers(json, "center", 0, &t->encoders->center, count,
                              sizeof(*t->encoders));

    if (!rc)
        rc = read_numbers(json, "scale", 1, &t->encoders->scale, count,
                          sizeof(*t->encoders));
    if (!rc)
        rc = read_numbers(json, "fill", 0, &t->encoders->fill, count,
                          sizeof(*t->encoders));
    if (!rc)
        rc = read_names(t->ctx, json, t->columns, &t->column_names);
    if (!rc)
        rc = read_indicators(t, json_object_get(json, "indicators"));
    if (!rc)
        rc = read_categories(t, json_object_get(json, "categories"));
    return rc;
}

int32_t moi_transform_from_json(mopt_context *ctx, const json_t *json,
                                mopt_transform **out)
{
    const json_t *columns = json_object_get(json, "columns");
    int64_t count = json_integer_value(columns);
    mopt_transform *t = NULL;
    int32_t rc;

    if (!json_is_integer(columns) || count < 1 || count > INT32_MAX ||
        (!is_uniform(json) && !is_covered(json, count)))
        return moi_fail(MOPT_EFORMAT, "transform: 'columns' is missing, or "
                        "not the number of columns that follow");
    rc = moi_transform_create(ctx, count, is_uniform(json), &t);
    if (rc)
        return rc;
    rc = read_columns(t, json);
    if (!rc)
        rc = read_target(t, json_object_get(json, "target"));
    if (!rc)
        rc = moi_transform_finish(t);
    if (rc == MOPT_EINVAL)
        rc = moi_fail(MOPT_EFORMAT, "transform: it makes no inputs");
    if (rc)
        moi_transform_release(t);
    else
        *out = t;
    return rc;
}
