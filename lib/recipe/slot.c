/* SPDX-License-Identifier: MIT
 * lib/recipe/slot.c: one slot: its domain read, checked, made a parameter. */
#include "recipe/slot.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

/* Options of one choice: every one of them is checked before a run. */
#define OPTIONS_MAX 1000

static const char *const members[] = {"float", "int",  "choice",
                                      "log",   "step", "when"};

static const char *member_name(const void *list, int64_t i)
{
    (void)list;
    return members[i];
}

int32_t moi_slot_is(const json_t *value)
{
    return json_object_get(value, "float") != NULL ||
           json_object_get(value, "int") != NULL ||
           json_object_get(value, "choice") != NULL;
}

int64_t moi_array_index(const json_t *array, const json_t *scalar)
{
    size_t count = json_array_size(array);
    for (size_t i = 0; i < count; i++) {
        if (moi_scalar_equal(json_array_get(array, i), scalar))
            return (int64_t)i;
    }
    return -1;
}

/* --- Reading ------------------------------------------------------------ */

static int32_t check_members(const json_t *spec, const moi_path *path)
{
    const char *key;
    json_t *member;
    int32_t kinds = 0;
    json_object_foreach((json_t *)spec, key, member) {
        int64_t i = 0;
        while (i < MOI_COUNT(members) && strcmp(key, members[i]) != 0)
            i++;
        kinds += i < 3;
        if (i < MOI_COUNT(members))
            continue;
        i = moi_text_nearest(key, MOI_COUNT(members), member_name, NULL);
        return moi_fail_path(MOPT_EKEY, path,
                             "a domain has no key '%s'%s%s%s (it is one of "
                             "'float', 'int', 'choice', with 'log', 'step', "
                             "'when')", key, i < 0 ? "" : "; did you mean '",
                             i < 0 ? "" : members[i], i < 0 ? "" : "'?");
    }
    if (kinds > 1)
        return moi_fail_path(MOPT_EINVAL, path,
                             "a domain is one of 'float', 'int' and 'choice', "
                             "not several of them");
    return MOPT_OK;
}

static int32_t read_log(const json_t *spec, const moi_path *path, int32_t *out)
{
    const json_t *log = json_object_get(spec, "log");
    char excerpt[MOI_EXCERPT_SIZE];
    if (log != NULL && !json_is_boolean(log))
        return moi_fail_path(MOPT_EINVAL, path,
                             "'log' is true or false, got %s",
                             moi_json_excerpt(log, excerpt));
    *out = json_is_true(log);
    return MOPT_OK;
}

static int32_t is_number(const json_t *value, int32_t whole)
{
    double number = json_number_value(value);
    return json_is_number(value) &&
           (!whole || (floor(number) == number &&
                       fabs(number) <= (double)MOI_DOMAIN_LIMIT));
}

static int32_t read_bounds(const json_t *spec, const char *key, int32_t whole,
                           const moi_path *path, double bounds[2])
{
    const json_t *list = json_object_get(spec, key);
    const json_t *low = json_array_get(list, 0);
    const json_t *high = json_array_get(list, 1);
    char excerpt[MOI_EXCERPT_SIZE];
    if (json_array_size(list) != 2 || !is_number(low, whole) ||
        !is_number(high, whole))
        return moi_fail_path(MOPT_EINVAL, path,
                             "'%s' takes a list of two %snumbers [lo, hi], "
                             "got %s", key, whole ? "whole " : "",
                             moi_json_excerpt(list, excerpt));
    bounds[0] = json_number_value(low);
    bounds[1] = json_number_value(high);
    if (bounds[0] >= bounds[1])
        return moi_fail_path(MOPT_EINVAL, path,
                             "'lo' must be below 'hi', got %s",
                             moi_json_excerpt(list, excerpt));
    return MOPT_OK;
}

/* 'step', 0 when there is none. */
static int32_t read_step(const json_t *spec, int32_t whole,
                         const moi_path *path, double *out)
{
    const json_t *step = json_object_get(spec, "step");
    char excerpt[MOI_EXCERPT_SIZE];
    if (step != NULL &&
        (!is_number(step, whole) || json_number_value(step) <= 0))
        return moi_fail_path(MOPT_EINVAL, path,
                             "'step' is a %snumber above 0, got %s",
                             whole ? "whole " : "",
                             moi_json_excerpt(step, excerpt));
    *out = json_number_value(step);
    return MOPT_OK;
}

/* Put the path before what the domain itself found wrong. */
static int32_t fail_domain(int32_t code, const moi_path *path)
{
    char place[MOI_PATH_SIZE];
    return moi_fail_at(code, "%s: ", moi_path_text(path, place));
}

static int32_t read_numbers(const json_t *spec, const moi_path *path,
                            int32_t whole, moi_slot *slot)
{
    double bounds[2] = {0, 0}, step = 0;
    int32_t log = 0;
    int32_t rc = read_bounds(spec, whole ? "int" : "float", whole, path,
                             bounds);
    if (rc == MOPT_OK)
        rc = read_log(spec, path, &log);
    if (rc == MOPT_OK)
        rc = read_step(spec, whole, path, &step);
    if (rc != MOPT_OK)
        return rc;
    rc = whole ? moi_domain_int(&slot->domain, (int64_t)bounds[0],
                                (int64_t)bounds[1],
                                step > 0 ? (int64_t)step : 1, log)
               : moi_domain_float(&slot->domain, bounds[0], bounds[1], step,
                                  log);
    return rc == MOPT_OK ? rc : fail_domain(rc, path);
}

/* The label of a compound option: a text or null is its own, an object has its
 * "type"; NULL for what has none. */
static json_t *type_label(json_t *option)
{
    if (json_is_object(option) && !moi_slot_is(option))
        option = json_object_get(option, "type");
    else if (json_is_null(option))
        return option;
    return json_is_string(option) ? option : NULL;
}

int32_t moi_slot_compound(const json_t *options)
{
    for (size_t i = 0; i < json_array_size(options); i++) {
        const json_t *option = json_array_get(options, i);
        if (json_is_object(option) || json_is_array(option))
            return 1;
    }
    return 0;
}

json_t *moi_slot_labels(const json_t *options)
{
    size_t count = json_array_size(options);
    if (!moi_slot_compound(options))
        return json_deep_copy(options);
    json_t *types = json_array(), *indices = json_array();
    int32_t told = 1, failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        json_t *label = type_label(json_array_get(options, i));
        told = told && label != NULL && moi_array_index(types, label) < 0;
        failed = (told && json_array_append(types, label) != 0) ||
                 json_array_append_new(indices,
                                       json_integer((json_int_t)i)) != 0;
    }
    json_decref(told ? indices : types);
    if (failed)
        json_decref(told ? types : indices);
    return failed ? NULL : told ? types : indices;
}

static int32_t read_choice(const json_t *spec, const moi_path *path,
                           moi_slot *slot)
{
    const json_t *options = json_object_get(spec, "choice");
    char excerpt[MOI_EXCERPT_SIZE];
    if (json_array_size(options) == 0 ||
        json_array_size(options) > OPTIONS_MAX)
        return moi_fail_path(MOPT_EINVAL, path,
                             "'choice' takes a list of 1 to %d options, got "
                             "%s", OPTIONS_MAX,
                             moi_json_excerpt(options, excerpt));
    if (json_object_get(spec, "log") != NULL ||
        json_object_get(spec, "step") != NULL)
        return moi_fail_path(MOPT_EINVAL, path,
                             "'log' and 'step' go with 'float' and 'int' "
                             "only");
    json_t *labels = moi_slot_labels(options);
    if (labels == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    int32_t rc = moi_domain_choice(&slot->domain, labels);
    json_decref(labels);
    return rc == MOPT_OK ? rc : fail_domain(rc, path);
}

int32_t moi_slot_read(const json_t *spec, const moi_path *path,
                      moi_slot *slot)
{
    int32_t rc = check_members(spec, path);
    if (rc != MOPT_OK)
        return rc;
    if (json_object_get(spec, "choice") != NULL)
        return read_choice(spec, path, slot);
    return read_numbers(spec, path, json_object_get(spec, "int") != NULL,
                        slot);
}

/* --- Values ------------------------------------------------------------- */

int32_t moi_slot_allows(const moi_slot *slot, const json_t *value)
{
    if (slot->domain.kind == MOI_DOMAIN_CHOICE)
        return moi_array_index(slot->domain.choices, value) >= 0;
    return json_is_number(value) &&
           moi_domain_holds(&slot->domain, json_number_value(value));
}

json_t *moi_slot_samples(const moi_slot *slot)
{
    const moi_domain *domain = &slot->domain;
    /* A point that is no rounder than it must be (golden section): it finds
     * out reals in the place of a whole number. */
    const double golden = 0.3819660112501051;
    if (domain->kind == MOI_DOMAIN_CHOICE)
        return json_copy(domain->choices);
    if (domain->kind == MOI_DOMAIN_INT)
        return json_pack("[II]", (json_int_t)domain->low,
                         (json_int_t)domain->high);
    double between = domain->step > 0
                         ? moi_domain_value(domain, domain->count / 2)
                         : domain->low * (1 - golden) + domain->high * golden;
    return json_pack("[fff]", domain->low, between, domain->high);
}

/* --- The space ---------------------------------------------------------- */

static int32_t add_choice(mopt_context *ctx, const moi_slot *slot,
                          mopt_space *space)
{
    char *text = moi_json_dump(ctx, slot->domain.choices);
    if (text == NULL)
        return MOPT_ENOMEM;
    int32_t rc = mopt_space_add_choice(space, slot->name, text);
    moi_free(ctx, text);
    return rc;
}

static int32_t add_condition(mopt_context *ctx, const moi_slot *slot,
                             const json_t *condition, mopt_space *space)
{
    const char *parent = json_string_value(json_array_get(condition, 0));
    char *text = moi_json_dump(ctx, json_array_get(condition, 1));
    if (text == NULL)
        return MOPT_ENOMEM;
    int32_t rc = mopt_space_add_condition(space, slot->name, parent, text);
    moi_free(ctx, text);
    return rc;
}

static int32_t add_slot(mopt_context *ctx, const moi_slot *slot,
                        mopt_space *space)
{
    const moi_domain *domain = &slot->domain;
    int32_t flags = domain->log ? MOPT_LOG : MOPT_LINEAR, rc;
    if (domain->kind == MOI_DOMAIN_CHOICE)
        rc = add_choice(ctx, slot, space);
    else if (domain->kind == MOI_DOMAIN_INT)
        rc = mopt_space_add_int(space, slot->name, (int64_t)domain->low,
                                (int64_t)domain->high, (int64_t)domain->step,
                                flags);
    else if (domain->step > 0)
        rc = mopt_space_add_float_step(space, slot->name, domain->low,
                                       domain->high, domain->step);
    else
        rc = mopt_space_add_float(space, slot->name, domain->low,
                                  domain->high, flags);
    for (size_t i = 0; i < json_array_size(slot->when) && rc == MOPT_OK; i++)
        rc = add_condition(ctx, slot, json_array_get(slot->when, i), space);
    return rc;
}

int32_t moi_slots_space(const moi_slots *slots, mopt_space **out)
{
    mopt_space *space = NULL;
    int32_t rc = mopt_space_create(slots->ctx, &space);
    for (int64_t i = 0; i < slots->count && rc == MOPT_OK; i++)
        rc = add_slot(slots->ctx, &slots->items[i], space);
    if (rc == MOPT_OK)
        *out = space;
    else
        mopt_space_free(space);
    return rc;
}

/* --- The list ----------------------------------------------------------- */

void moi_slots_init(moi_slots *slots, mopt_context *ctx)
{
    memset(slots, 0, sizeof(*slots));
    slots->ctx = ctx;
}

void moi_slot_clear(mopt_context *ctx, moi_slot *slot)
{
    moi_free(ctx, slot->name);
    moi_domain_free(&slot->domain);
    json_decref(slot->when);
}

void moi_slots_free(moi_slots *slots)
{
    for (int64_t i = 0; i < slots->count; i++)
        moi_slot_clear(slots->ctx, &slots->items[i]);
    moi_free(slots->ctx, slots->items);
    moi_slots_init(slots, slots->ctx);
}

int64_t moi_slots_index(const moi_slots *slots, const char *name)
{
    for (int64_t i = 0; i < slots->count; i++) {
        if (strcmp(slots->items[i].name, name) == 0)
            return i;
    }
    return -1;
}

static const char *slot_name(const void *list, int64_t i)
{
    return ((const moi_slots *)list)->items[i].name;
}

int32_t moi_slots_fail_name(const moi_slots *slots, const char *name)
{
    int64_t near = moi_text_nearest(name, slots->count, slot_name, slots);
    return moi_fail(MOPT_EKEY, "'%s' is not searched%s%s%s", name,
                    near < 0 ? "" : "; did you mean '",
                    near < 0 ? "" : slots->items[near].name,
                    near < 0 ? "" : "'?");
}
