/* SPDX-License-Identifier: MIT
 * lib/search/space/space.c: named parameters, their domains, and when they
 * exist. A space only grows; what failed to be added leaves no trace. */
#include "search/space/space.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "search/space/lattice.h"

/* FNV-1a, 64 bits (Fowler, Noll, Vo; RFC 9923). */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash;
}

int32_t mopt_space_create(mopt_context *ctx, mopt_space **out)
{
    mopt_space *space;

    if (!ctx)
        return moi_fail_null("mopt_space_create", "ctx");
    if (!out)
        return moi_fail_null("mopt_space_create", "out");
    space = moi_calloc(ctx, 1, sizeof(*space));
    if (!space)
        return MOPT_ENOMEM;
    space->ctx = moi_context_hold(ctx);
    *out = space;
    return MOPT_OK;
}

static void free_param(mopt_context *ctx, moi_param *param)
{
    int64_t i;

    for (i = 0; i < param->count; i++)
        moi_free(ctx, param->conditions[i].values);
    moi_free(ctx, param->conditions);
    moi_domain_free(&param->domain);
    moi_free(ctx, param->name);
}

void mopt_space_free(mopt_space *space)
{
    mopt_context *ctx;
    int64_t i;

    if (!space)
        return;
    ctx = space->ctx;
    for (i = 0; i < space->count; i++)
        free_param(ctx, &space->params[i]);
    moi_free(ctx, space->params);
    moi_free(ctx, space);
    moi_context_release(ctx);
}

int64_t moi_space_find(const mopt_space *space, const char *name)
{
    const uint64_t hash = hash_name(name);
    int64_t i;

    for (i = 0; i < space->count; i++)
        if (space->params[i].hash == hash &&
            strcmp(space->params[i].name, name) == 0)
            return i;
    return -1;
}

static const char *nth_name(const void *list, int64_t i)
{
    return ((const mopt_space *)list)->params[i].name;
}

int32_t moi_space_need(const mopt_space *space, const char *name,
                       int64_t *index)
{
    int64_t near, i = moi_space_find(space, name);

    if (i >= 0) {
        *index = i;
        return MOPT_OK;
    }
    near = moi_text_nearest(name, space->count, nth_name, space);
    if (near >= 0)
        return moi_fail(MOPT_EKEY, "no parameter '%.*s'; did you mean '%s'?",
                        MOI_NAME_LIMIT, name, nth_name(space, near));
    return moi_fail(MOPT_EKEY, "no parameter '%.*s'", MOI_NAME_LIMIT, name);
}

int32_t moi_name_check(const char *what, const char *name)
{
    const size_t length = strlen(name);
    json_t *probe;

    if (length == 0)
        return moi_fail(MOPT_EINVAL, "%s must not be empty", what);
    if (length > MOI_NAME_LIMIT)
        return moi_fail(MOPT_EINVAL, "'%.32s...': %s has at most %d bytes, "
                        "not %zu", name, what, MOI_NAME_LIMIT, length);
    probe = json_string(name);
    if (!probe)
        return moi_fail(MOPT_EINVAL, "%s must be UTF-8", what);
    json_decref(probe);
    return MOPT_OK;
}

static int32_t check_name(const mopt_space *space, const char *name)
{
    int32_t rc = moi_name_check("a parameter's name", name);

    if (rc)
        return rc;
    if (space->count >= MOI_PARAM_LIMIT)
        return moi_fail(MOPT_ERANGE, "%s: a space has at most %d parameters",
                        name, MOI_PARAM_LIMIT);
    if (moi_space_find(space, name) >= 0)
        return moi_fail(MOPT_EEXIST, "there is a parameter '%s' already",
                        name);
    return MOPT_OK;
}

int32_t moi_space_add_param(mopt_space *space, const char *name,
                            moi_domain *domain)
{
    moi_param param = {0};
    int32_t rc = check_name(space, name);

    if (rc) {
        moi_domain_free(domain);
        return rc;
    }
    rc = MOPT_ENOMEM;
    param.name = moi_strdup(space->ctx, name);
    if (!param.name ||
        (rc = moi_grow(space->ctx, (void **)&space->params, &space->capacity,
                       space->count + 1, sizeof(param)))) {
        moi_free(space->ctx, param.name);
        moi_domain_free(domain);
        return rc;
    }
    param.hash = hash_name(name);
    param.domain = *domain;
    space->params[space->count++] = param;
    return MOPT_OK;
}

void moi_space_drop_last(mopt_space *space)
{
    free_param(space->ctx, &space->params[--space->count]);
}

/* Prefix an error of a domain with its parameter's name. */
static int32_t at_name(int32_t rc, const char *name)
{
    return rc ? moi_fail_at(rc, "%.*s: ", MOI_NAME_LIMIT, name) : MOPT_OK;
}

static int32_t check_add(const mopt_space *space, const char *name,
                         int32_t flags, const char *function)
{
    if (!space)
        return moi_fail_null(function, "space");
    if (!name)
        return moi_fail_null(function, "name");
    if (flags != MOPT_LINEAR && flags != MOPT_LOG)
        return moi_fail(MOPT_EINVAL, "%.*s: flags is %d, but must be "
                        "MOPT_LINEAR (0) or MOPT_LOG (1)", MOI_NAME_LIMIT,
                        name, (int)flags);
    return MOPT_OK;
}

int32_t mopt_space_add_float(mopt_space *space, const char *name, double low,
                             double high, int32_t flags)
{
    moi_domain domain;
    int32_t rc = check_add(space, name, flags, "mopt_space_add_float");

    if (rc)
        return rc;
    rc = moi_domain_float(&domain, low, high, 0, flags == MOPT_LOG);
    if (rc)
        return at_name(rc, name);
    return moi_space_add_param(space, name, &domain);
}

int32_t mopt_space_add_float_step(mopt_space *space, const char *name,
                                  double low, double high, double step)
{
    moi_domain domain;
    int32_t rc = check_add(space, name, 0, "mopt_space_add_float_step");

    if (rc)
        return rc;
    if (step == 0)
        rc = moi_fail(MOPT_EINVAL, "step is 0, but must be positive");
    else
        rc = moi_domain_float(&domain, low, high, step, 0);
    if (rc)
        return at_name(rc, name);
    return moi_space_add_param(space, name, &domain);
}

int32_t mopt_space_add_int(mopt_space *space, const char *name, int64_t low,
                           int64_t high, int64_t step, int32_t flags)
{
    moi_domain domain;
    int32_t rc = check_add(space, name, flags, "mopt_space_add_int");

    if (rc)
        return rc;
    rc = moi_domain_int(&domain, low, high, step, flags == MOPT_LOG);
    if (rc)
        return at_name(rc, name);
    return moi_space_add_param(space, name, &domain);
}

int32_t mopt_space_add_choice(mopt_space *space, const char *name,
                              const char *choices)
{
    json_t *values = NULL;
    moi_domain domain;
    int32_t rc = check_add(space, name, 0, "mopt_space_add_choice");

    if (rc)
        return rc;
    if (!choices)
        return moi_fail_null("mopt_space_add_choice", "choices");
    rc = moi_json_parse(choices, &values);
    if (!rc)
        rc = moi_domain_choice(&domain, values);
    json_decref(values);
    if (rc)
        return at_name(rc, name);
    return moi_space_add_param(space, name, &domain);
}

static int32_t copy_param(mopt_space *to, const moi_param *from)
{
    moi_domain domain = from->domain;
    moi_param *param;
    int64_t i;
    int32_t rc;

    json_incref(domain.choices);
    if ((rc = moi_space_add_param(to, from->name, &domain)))
        return rc;
    param = &to->params[to->count - 1];
    if ((rc = moi_grow(to->ctx, (void **)&param->conditions, &param->capacity,
                       from->count, sizeof(*param->conditions))))
        return rc;
    for (i = 0; i < from->count; i++) {
        const moi_condition *condition = &from->conditions[i];
        double *values = NULL;

        if (condition->values) {
            values = moi_alloc(to->ctx, condition->count, sizeof(*values));
            if (!values)
                return MOPT_ENOMEM;
            memcpy(values, condition->values,
                   (size_t)condition->count * sizeof(*values));
        }
        param->depth = from->depth;
        param->conditions[i] = *condition;
        param->conditions[i].values = values;
        param->count = i + 1;
    }
    return MOPT_OK;
}

int32_t moi_space_copy(const mopt_space *space, mopt_space **out)
{
    mopt_space *copy = NULL;
    int64_t i;
    int32_t rc = mopt_space_create(space->ctx, &copy);

    for (i = 0; !rc && i < space->count; i++)
        rc = copy_param(copy, &space->params[i]);
    if (rc) {
        mopt_space_free(copy);
        return rc;
    }
    *out = copy;
    return MOPT_OK;
}

int32_t moi_condition_holds(const moi_condition *condition, double value)
{
    int64_t low = 0, high = condition->count;

    if (!(value >= condition->min && value <= condition->max))
        return 0;
    if (!condition->values)
        return 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        if (condition->values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < condition->count && condition->values[low] == value;
}

int32_t moi_space_exists(const mopt_space *space, int64_t p,
                         const double *point)
{
    const moi_param *param = &space->params[p];
    int64_t i;

    for (i = 0; i < param->count; i++) {
        const moi_condition *condition = &param->conditions[i];

        if (isnan(point[condition->parent]) ||
            !moi_condition_holds(condition, point[condition->parent]))
            return 0;
    }
    return 1;
}

int32_t moi_space_holds(const mopt_space *space, const double *point)
{
    int64_t p;

    for (p = 0; p < space->count; p++) {
        if (!moi_space_exists(space, p, point)) {
            if (!isnan(point[p]))
                return 0;
        } else if (!moi_domain_holds(&space->params[p].domain, point[p])) {
            return 0;
        }
    }
    return 1;
}

int32_t mopt_space_count(const mopt_space *space, int64_t *count)
{
    moi_lattice *lattice = NULL;
    int32_t rc;

    if (!space)
        return moi_fail_null("mopt_space_count", "space");
    if (!count)
        return moi_fail_null("mopt_space_count", "count");
    rc = moi_lattice_create(space, 0, &lattice);
    if (rc)
        return rc;
    *count = moi_lattice_count(lattice);
    moi_lattice_free(lattice);
    return MOPT_OK;
}
