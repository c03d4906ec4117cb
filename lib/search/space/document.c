/* SPDX-License-Identifier: MIT
 * lib/search/space/document.c: a space as JSON, both ways.
 *
 * {"name": {"float" | "int": [low, high], "log": .., "step": ..,
 *           "when": {"parent": value | [values] | {"min": .., "max": ..}}},
 *  "name": {"choice": [..]}}. A parent may stand behind its children: the
 * space that is read has it before them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "search/space/space.h"

static const char *const keys[] = {"float", "int", "choice", "log", "step",
                                   "when"};

static const char *nth_key(const void *list, int64_t i)
{
    return ((const char *const *)list)[i];
}

/* Every member is a key that goes with the kind? */
static int32_t check_keys(const json_t *document, int32_t kind)
{
    const int64_t count = MOI_COUNT(keys);
    const char *key;
    const json_t *value;
    int64_t i, near;

    json_object_foreach((json_t *)document, key, value) {
        for (i = 0; i < count && strcmp(key, keys[i]) != 0; i++)
            ;
        if (i == count) {
            near = moi_text_nearest(key, count, nth_key, keys);
            return moi_fail(MOPT_EKEY, "no key '%.64s' in a domain%s%s%s", key,
                            near < 0 ? "" : "; did you mean '",
                            near < 0 ? "" : keys[near], near < 0 ? "" : "'?");
        }
        if (i < 3 && i != kind)
            return moi_fail(MOPT_EINVAL, "one of 'float', 'int' and 'choice', "
                            "not '%s' and '%s'", keys[kind], key);
        if ((i == 3 || i == 4) && kind == MOI_DOMAIN_CHOICE)
            return moi_fail(MOPT_EINVAL, "'%s' does not go with 'choice'",
                            key);
    }
    return MOPT_OK;
}

static int32_t read_bound(const json_t *value, const char *what, double *out)
{
    char excerpt[MOI_EXCERPT_SIZE];

    if (!json_is_number(value))
        return moi_fail(MOPT_EINVAL, "%s is %s, but must be a number", what,
                        moi_json_excerpt(value, excerpt));
    *out = json_number_value(value);
    return MOPT_OK;
}

/* A bound of integers: whole, also when written 1e3. */
static int32_t read_whole(const json_t *value, const char *what, int64_t *out)
{
    char excerpt[MOI_EXCERPT_SIZE];
    double v = 0;
    int32_t rc = read_bound(value, what, &v);

    if (rc)
        return rc;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return MOPT_OK;
    }
    if (v != floor(v) || fabs(v) > (double)MOI_DOMAIN_LIMIT)
        return moi_fail(MOPT_EINVAL, "%s is %s, but must be a whole number",
                        what, moi_json_excerpt(value, excerpt));
    *out = (int64_t)v;
    return MOPT_OK;
}

static int32_t read_float(const json_t *range, const json_t *step,
                          int32_t log, moi_domain *domain)
{
    double low = 0, high = 0, by = 0;
    int32_t rc;

    if ((rc = read_bound(json_array_get(range, 0), "low", &low)) ||
        (rc = read_bound(json_array_get(range, 1), "high", &high)))
        return rc;
    if (step && (rc = read_bound(step, "step", &by)))
        return rc;
    if (step && by == 0)
        return moi_fail(MOPT_EINVAL, "step is 0, but must be positive");
    return moi_domain_float(domain, low, high, by, log);
}

static int32_t read_int(const json_t *range, const json_t *step, int32_t log,
                        moi_domain *domain)
{
    int64_t low = 0, high = 0, by = 1;
    int32_t rc;

    if ((rc = read_whole(json_array_get(range, 0), "low", &low)) ||
        (rc = read_whole(json_array_get(range, 1), "high", &high)))
        return rc;
    if (step && (rc = read_whole(step, "step", &by)))
        return rc;
    return moi_domain_int(domain, low, high, by, log);
}

static int32_t read_domain(const json_t *document, int32_t kind,
                           moi_domain *domain)
{
    json_t *range = json_object_get(document, keys[kind]);
    const json_t *log = json_object_get(document, "log");
    const json_t *step = json_object_get(document, "step");
    char excerpt[MOI_EXCERPT_SIZE];
    int32_t rc = check_keys(document, kind);

    if (rc)
        return rc;
    if (kind == MOI_DOMAIN_CHOICE)
        return moi_domain_choice(domain, range);
    if (!json_is_array(range) || json_array_size(range) != 2)
        return moi_fail(MOPT_EINVAL, "%s is %s, but must be [low, high]",
                        keys[kind], moi_json_excerpt(range, excerpt));
    if (log && !json_is_boolean(log))
        return moi_fail(MOPT_EINVAL, "log is %s, but must be true or false",
                        moi_json_excerpt(log, excerpt));
    return kind == MOI_DOMAIN_INT
               ? read_int(range, step, json_is_true(log), domain)
               : read_float(range, step, json_is_true(log), domain);
}

/* The domain's kind by the key that is there, -1 if none is. */
static int32_t kind_of(const json_t *document)
{
    int32_t kind;

    for (kind = 0; kind < 3; kind++)
        if (json_object_get(document, keys[kind]))
            return kind;
    return -1;
}

int32_t moi_space_is_domain(const json_t *document)
{
    return kind_of(document) >= 0;
}

static int32_t read_when(mopt_space *space, int64_t p, const json_t *when,
                         const moi_path *path)
{
    const moi_path at = {path, "when", 0};
    char text[MOI_PATH_SIZE];
    const char *parent;
    const json_t *values;
    int32_t rc;

    if (!json_is_object(when))
        return moi_fail_path(MOPT_EINVAL, &at, "%s, but must be an object: "
                             "{\"parent\": value}", moi_json_kind(when));
    json_object_foreach((json_t *)when, parent, values) {
        const moi_path member = {&at, parent, 0};

        rc = moi_space_add_when(space, p, parent, values);
        if (rc)
            return moi_fail_at(rc, "%s: ", moi_path_text(&member, text));
    }
    return MOPT_OK;
}

int32_t moi_space_add_document(mopt_space *space, const char *name,
                               const json_t *document, const moi_path *path)
{
    const json_t *when = json_object_get(document, "when");
    const int32_t kind = kind_of(document);
    const int64_t p = space->count;
    char text[MOI_PATH_SIZE];
    moi_domain domain;
    int32_t rc;

    if (kind < 0)
        return moi_fail_path(MOPT_EINVAL, path, "a domain is an object with "
                             "\"float\", \"int\" or \"choice\", not %s",
                             moi_json_kind(document));
    rc = read_domain(document, kind, &domain);
    if (!rc)
        rc = moi_space_add_param(space, name, &domain);
    if (rc)
        return moi_fail_at(rc, "%s: ", moi_path_text(path, text));
    if (when && (rc = read_when(space, p, when, path)))
        moi_space_drop_last(space);
    return rc;
}

/* The parameters whose parents are being added, innermost first. */
typedef struct chain {
    const struct chain *outer;
    const char *name;
    int32_t depth;
} chain;

static int32_t check_chain(const chain *at)
{
    const chain *outer;

    for (outer = at->outer; outer; outer = outer->outer)
        if (strcmp(outer->name, at->name) == 0)
            return moi_fail(MOPT_EINVAL, "%.*s.when: the conditions go round "
                            "in a circle", MOI_NAME_LIMIT, at->name);
    if (at->depth > MOI_DEPTH_LIMIT)
        return moi_fail(MOPT_ERANGE, "%.*s.when: conditions nest deeper than "
                        "%d", MOI_NAME_LIMIT, at->name, MOI_DEPTH_LIMIT);
    return MOPT_OK;
}

/* Add a parameter behind its parents. A parent that the whole does not have is
 * left to read_when's error. */
static int32_t add_in_order(mopt_space *space, const json_t *whole,
                            const char *name, const chain *outer)
{
    const json_t *document = json_object_get(whole, name);
    const chain at = {outer, name, outer ? outer->depth + 1 : 0};
    const moi_path path = {NULL, name, 0};
    const char *parent;
    const json_t *values;
    int32_t rc;

    if (moi_space_find(space, name) >= 0)
        return MOPT_OK;
    if ((rc = check_chain(&at)))
        return rc;
    json_object_foreach(json_object_get(document, "when"), parent, values) {
        if (json_object_get(whole, parent) &&
            (rc = add_in_order(space, whole, parent, &at)))
            return rc;
    }
    return moi_space_add_document(space, name, document, &path);
}

static int32_t read_space(mopt_space *space, const json_t *whole)
{
    const char *name;
    const json_t *document;
    int32_t rc;

    if (!json_is_object(whole))
        return moi_fail(MOPT_EINVAL, "a space is a JSON object of parameters, "
                        "not %s", moi_json_kind(whole));
    json_object_foreach((json_t *)whole, name, document) {
        if ((rc = add_in_order(space, whole, name, NULL)))
            return rc;
    }
    return MOPT_OK;
}

int32_t mopt_space_from_json(mopt_context *ctx, const char *json,
                             mopt_space **out)
{
    mopt_space *space = NULL;
    json_t *whole = NULL;
    int32_t rc;

    if (!ctx)
        return moi_fail_null("mopt_space_from_json", "ctx");
    if (!json)
        return moi_fail_null("mopt_space_from_json", "json");
    if (!out)
        return moi_fail_null("mopt_space_from_json", "out");
    rc = moi_json_parse(json, &whole);
    if (!rc)
        rc = mopt_space_create(ctx, &space);
    if (!rc)
        rc = read_space(space, whole);
    json_decref(whole);
    if (rc) {
        mopt_space_free(space);
        return rc;
    }
    *out = space;
    return MOPT_OK;
}

/* A condition as read_when takes it. */
static json_t *show_condition(const mopt_space *space,
                              const moi_condition *condition)
{
    const moi_domain *parent = &space->params[condition->parent].domain;
    json_t *shown;
    int64_t i;

    if (!condition->values) {
        shown = json_object();
        if (isfinite(condition->min) &&
            moi_json_add_number(shown, "min", condition->min))
            goto fail;
        if (isfinite(condition->max) &&
            moi_json_add_number(shown, "max", condition->max))
            goto fail;
        return shown;
    }
    if (condition->count == 1)
        return moi_domain_show(parent, condition->values[0]);
    shown = json_array();
    for (i = 0; i < condition->count; i++)
        if (json_array_append_new(
                shown, moi_domain_show(parent, condition->values[i])))
            goto fail;
    return shown;
fail:
    json_decref(shown);
    return NULL;
}

static int32_t show_when(const mopt_space *space, const moi_param *param,
                         json_t *document)
{
    json_t *when;
    int64_t i;
    int32_t rc = MOPT_OK;

    if (param->count == 0)
        return MOPT_OK;
    when = json_object();
    for (i = 0; !rc && i < param->count; i++)
        rc = moi_json_add(when,
                          space->params[param->conditions[i].parent].name,
                          show_condition(space, &param->conditions[i]));
    if (rc) {
        json_decref(when);
        return rc;
    }
    return moi_json_add(document, "when", when);
}

static json_t *show_range(const moi_domain *domain)
{
    return json_pack("[o, o]", moi_domain_show(domain, domain->low),
                     moi_domain_show(domain, domain->high));
}

static json_t *show_param(const mopt_space *space, const moi_param *param)
{
    const moi_domain *domain = &param->domain;
    json_t *document = json_object();
    int32_t rc;

    if (domain->kind == MOI_DOMAIN_CHOICE)
        rc = moi_json_add(document, "choice", json_incref(domain->choices));
    else
        rc = moi_json_add(document, keys[domain->kind], show_range(domain));
    if (!rc && domain->log)
        rc = moi_json_add(document, "log", json_true());
    if (!rc && domain->kind == MOI_DOMAIN_FLOAT && domain->step > 0)
        rc = moi_json_add_number(document, "step", domain->step);
    if (!rc && domain->kind == MOI_DOMAIN_INT && domain->step > 1)
        rc = moi_json_add_int(document, "step", (int64_t)domain->step);
    if (!rc)
        rc = show_when(space, param, document);
    if (rc) {
        json_decref(document);
        return NULL;
    }
    return document;
}

json_t *moi_space_document(const mopt_space *space)
{
    json_t *whole = json_object();
    int64_t i;

    for (i = 0; i < space->count; i++)
        if (moi_json_add(whole, space->params[i].name,
                         show_param(space, &space->params[i]))) {
            json_decref(whole);
            return NULL;
        }
    return whole;
}

int32_t mopt_space_to_json(const mopt_space *space, char *buf, size_t cap,
                           size_t *needed)
{
    if (!space)
        return moi_fail_null("mopt_space_to_json", "space");
    return moi_json_finish(space->ctx, moi_space_document(space), buf, cap,
                           needed);
}
