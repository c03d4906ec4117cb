/* SPDX-License-Identifier: MIT
 * lib/search/space/condition.c: when a parameter exists.
 *
 * A condition is one value, a list of values, or a range. On a parameter whose
 * choices are numbers a range becomes the list of the choices within it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "search/space/space.h"

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The listed values of the parent, sorted. */
static int32_t read_values(mopt_context *ctx, const moi_domain *parent,
                           const json_t *values, moi_condition *condition)
{
    const size_t count = json_is_array(values) ? json_array_size(values) : 1;
    size_t i;
    int32_t rc = MOPT_OK;

    if (count == 0)
        return moi_fail(MOPT_EINVAL, "an empty list of values never holds");
    condition->values = moi_alloc(ctx, (int64_t)count, sizeof(double));
    if (!condition->values)
        return MOPT_ENOMEM;
    condition->count = (int64_t)count;
    for (i = 0; !rc && i < count; i++)
        rc = moi_domain_read(parent,
                             json_is_array(values) ? json_array_get(values, i)
                                                   : values,
                             &condition->values[i]);
    if (!rc)
        qsort(condition->values, count, sizeof(double), ascending);
    return rc;
}

/* "min" and "max" of a range; what is missing is open. */
static int32_t read_bounds(const json_t *object, double *min, double *max)
{
    const char *key;
    const json_t *value;

    *min = -INFINITY;
    *max = INFINITY;
    json_object_foreach((json_t *)object, key, value) {
        if (strcmp(key, "min") != 0 && strcmp(key, "max") != 0)
            return moi_fail(MOPT_EKEY, "a condition has \"min\" and \"max\", "
                            "not \"%.64s\"", key);
        if (!json_is_number(value))
            return moi_fail(MOPT_EINVAL, "%s is %s, but must be a number",
                            key, moi_json_kind(value));
        *(key[1] == 'i' ? min : max) = json_number_value(value);
    }
    if (json_object_size(object) == 0)
        return moi_fail(MOPT_EINVAL, "a condition needs \"min\" or \"max\"");
    return MOPT_OK;
}

/* The choices that are numbers within the range. */
static int32_t range_of_choices(mopt_context *ctx, const moi_domain *parent,
                                double min, double max,
                                moi_condition *condition)
{
    int64_t i;

    condition->values = moi_alloc(ctx, parent->count, sizeof(double));
    if (!condition->values)
        return MOPT_ENOMEM;
    for (i = 0; i < parent->count; i++) {
        const json_t *choice = json_array_get(parent->choices, (size_t)i);
        const double v = json_number_value(choice);

        if (json_is_number(choice) && v >= min && v <= max)
            condition->values[condition->count++] = (double)i;
    }
    return MOPT_OK;
}

static int32_t read_range(mopt_context *ctx, const moi_domain *parent,
                          const json_t *object, moi_condition *condition)
{
    char a[MOI_NUMBER_SIZE], b[MOI_NUMBER_SIZE], text[MOI_DOMAIN_TEXT];
    double min, max;
    int32_t rc = read_bounds(object, &min, &max);

    if (rc)
        return rc;
    if (parent->kind == MOI_DOMAIN_CHOICE) {
        rc = range_of_choices(ctx, parent, min, max, condition);
        if (rc || condition->count > 0)
            return rc;
    } else if (min <= max && min <= parent->high && max >= parent->low) {
        condition->min = min;
        condition->max = max;
        return MOPT_OK;
    }
    return moi_fail(MOPT_EINVAL, "no value of %s is within [%s, %s]",
                    moi_domain_text(parent, text), moi_number_text(min, a),
                    moi_number_text(max, b));
}

static int32_t find_parent(const mopt_space *space, int64_t p,
                           const char *parent, int64_t *index)
{
    int32_t rc = moi_space_need(space, parent, index);

    if (rc)
        return rc;
    if (*index >= p)
        return moi_fail(MOPT_EINVAL, "'%s' must be added before what depends "
                        "on it", parent);
    if (space->params[*index].depth >= MOI_DEPTH_LIMIT)
        return moi_fail(MOPT_ERANGE, "conditions nest deeper than %d",
                        MOI_DEPTH_LIMIT);
    return MOPT_OK;
}

/* Keep of a list what the other condition allows too. */
static void filter(moi_condition *list, const moi_condition *other)
{
    int64_t i, kept = 0;

    for (i = 0; i < list->count; i++)
        if (moi_condition_holds(other, list->values[i]))
            list->values[kept++] = list->values[i];
    list->count = kept;
}

/* Both must hold: the new one becomes what they have in common. */
static int32_t narrow(mopt_context *ctx, const moi_domain *parent,
                      const moi_condition *old, moi_condition *new)
{
    const moi_condition bounds = *new;

    new->min = fmax(new->min, old->min);
    new->max = fmin(new->max, old->max);
    if (new->values) {
        filter(new, old);
    } else if (old->values) {
        new->values = moi_alloc(ctx, old->count, sizeof(double));
        if (!new->values)
            return MOPT_ENOMEM;
        memcpy(new->values, old->values,
               (size_t)old->count * sizeof(double));
        new->count = old->count;
        filter(new, &bounds);
    }
    if (new->values ? new->count == 0
                    : new->min > new->max || new->min > parent->high ||
                          new->max < parent->low)
        return moi_fail(MOPT_EINVAL, "together with the condition that is "
                        "there already, no value is left");
    return MOPT_OK;
}

/* Put a condition in its place; its list is taken over on success. */
static int32_t place(mopt_space *space, moi_param *param,
                     moi_condition *condition)
{
    const moi_param *parent = &space->params[condition->parent];
    int64_t i;
    int32_t rc;

    for (i = 0; i < param->count; i++) {
        moi_condition *old = &param->conditions[i];

        if (old->parent != condition->parent)
            continue;
        rc = narrow(space->ctx, &parent->domain, old, condition);
        if (rc)
            return rc;
        moi_free(space->ctx, old->values);
        *old = *condition;
        return MOPT_OK;
    }
    rc = moi_grow(space->ctx, (void **)&param->conditions, &param->capacity,
                  param->count + 1, sizeof(*condition));
    if (rc)
        return rc;
    param->conditions[param->count++] = *condition;
    if (param->depth <= parent->depth)
        param->depth = parent->depth + 1;
    return MOPT_OK;
}

int32_t moi_space_add_when(mopt_space *space, int64_t p, const char *parent,
                           const json_t *values)
{
    moi_condition condition = {0, -INFINITY, INFINITY, 0, NULL};
    int32_t rc = find_parent(space, p, parent, &condition.parent);

    if (!rc) {
        const moi_domain *domain = &space->params[condition.parent].domain;

        if (json_is_object(values))
            rc = read_range(space->ctx, domain, values, &condition);
        else
            rc = read_values(space->ctx, domain, values, &condition);
    }
    if (!rc)
        rc = place(space, &space->params[p], &condition);
    if (rc)
        moi_free(space->ctx, condition.values);
    return rc;
}

int32_t mopt_space_add_condition(mopt_space *space, const char *name,
                                 const char *parent, const char *values)
{
    json_t *document = NULL;
    int64_t p = 0;
    int32_t rc;

    if (!space)
        return moi_fail_null("mopt_space_add_condition", "space");
    if (!name)
        return moi_fail_null("mopt_space_add_condition", "name");
    if (!parent)
        return moi_fail_null("mopt_space_add_condition", "parent");
    if (!values)
        return moi_fail_null("mopt_space_add_condition", "values");
    rc = moi_space_need(space, name, &p);
    if (rc)
        return rc;
    rc = moi_json_parse(values, &document);
    if (!rc)
        rc = moi_space_add_when(space, p, parent, document);
    json_decref(document);
    return rc ? moi_fail_at(rc, "%s, when %.*s: ", name, MOI_NAME_LIMIT,
                            parent)
              : MOPT_OK;
}
