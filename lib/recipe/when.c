/* SPDX-License-Identifier: MIT
 * lib/recipe/when.c: conditions between slots: under which values of its
 * parents a parameter exists. */
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "recipe/slot.h"

/* --- Reading ------------------------------------------------------------ */

static int32_t is_range(const json_t *values)
{
    const char *key;
    json_t *bound;
    json_object_foreach((json_t *)values, key, bound) {
        if ((strcmp(key, "min") != 0 && strcmp(key, "max") != 0) ||
            !json_is_number(bound))
            return 0;
    }
    return json_object_size(values) > 0;
}

static int32_t is_list(const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        if (json_is_object(value) || json_is_array(value))
            return 0;
    }
    return json_array_size(values) > 0;
}

int32_t moi_when_add(moi_slot *slot, const char *parent, json_t *values)
{
    if (slot->when == NULL)
        slot->when = json_array();
    json_t *condition = json_pack("[sO]", parent, values);
    if (json_array_append_new(slot->when, condition) != 0)
        return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
    return MOPT_OK;
}

int32_t moi_when_read(const json_t *spec, const moi_path *path,
                      moi_slot *slot)
{
    json_t *when = json_object_get(spec, "when");
    char excerpt[MOI_EXCERPT_SIZE];
    if (when == NULL)
        return MOPT_OK;
    if (!json_is_object(when))
        return moi_fail_path(MOPT_EINVAL, path,
                             "'when' takes an object of parameter names and "
                             "values, got %s",
                             moi_json_excerpt(when, excerpt));
    const char *parent;
    json_t *values;
    json_object_foreach(when, parent, values) {
        if (json_is_array(values) ? !is_list(values)
                                  : json_is_object(values) && !is_range(values))
            return moi_fail_path(MOPT_EINVAL, path,
                                 "'when' takes a value of '%s', a list of "
                                 "values or {\"min\": a, \"max\": b}, got %s",
                                 parent, moi_json_excerpt(values, excerpt));
        int32_t rc = moi_when_add(slot, parent, values);
        if (rc != MOPT_OK)
            return rc;
    }
    return MOPT_OK;
}

/* --- Meaning ------------------------------------------------------------ */

static int32_t matches(const json_t *values, const json_t *value)
{
    if (json_is_array(values))
        return moi_array_index(values, value) >= 0;
    if (!json_is_object(values))
        return moi_scalar_equal(values, value);
    const json_t *min = json_object_get(values, "min");
    const json_t *max = json_object_get(values, "max");
    double number = json_number_value(value);
    return json_is_number(value) &&
           (min == NULL || number >= json_number_value(min)) &&
           (max == NULL || number <= json_number_value(max));
}

int32_t moi_slot_active(const moi_slots *slots, int64_t i,
                          const json_t *params)
{
    const json_t *when = slots->items[i].when;
    for (size_t c = 0; c < json_array_size(when); c++) {
        const json_t *condition = json_array_get(when, c);
        const json_t *value = json_object_get(
            params, json_string_value(json_array_get(condition, 0)));
        if (value == NULL || !matches(json_array_get(condition, 1), value))
            return 0;
    }
    return 1;
}

/* --- Checks and order --------------------------------------------------- */

/* Can the parent have what the condition asks for? */
static int32_t check_values(const moi_slot *slot, const moi_slot *parent,
                            const json_t *values)
{
    char excerpt[MOI_EXCERPT_SIZE];
    size_t count = json_is_array(values) ? json_array_size(values) : 1;
    if (json_is_object(values)) {
        if (parent->domain.kind != MOI_DOMAIN_CHOICE)
            return MOPT_OK;
        for (size_t i = 0; i < json_array_size(parent->domain.choices); i++) {
            if (json_is_number(json_array_get(parent->domain.choices, i)))
                return MOPT_OK;
        }
        return moi_fail(MOPT_EINVAL,
                        "%s: 'when' sets bounds on '%s', which has no numbers",
                        slot->name, parent->name);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value =
            json_is_array(values) ? json_array_get(values, i) : values;
        if (!moi_slot_allows(parent, value))
            return moi_fail(MOPT_EINVAL,
                            "%s: 'when' asks for %s, which '%s' cannot be",
                            slot->name, moi_json_excerpt(value, excerpt),
                            parent->name);
    }
    return MOPT_OK;
}

static int32_t check_conditions(const moi_slots *slots,
                                const moi_slot *slot)
{
    for (size_t c = 0; c < json_array_size(slot->when); c++) {
        const json_t *condition = json_array_get(slot->when, c);
        const char *name = json_string_value(json_array_get(condition, 0));
        int64_t parent = moi_slots_index(slots, name);
        if (parent < 0)
            return moi_fail_at(moi_slots_fail_name(slots, name),
                               "%s: 'when': ", slot->name);
        int32_t rc = check_values(slot, &slots->items[parent],
                                  json_array_get(condition, 1));
        if (rc != MOPT_OK)
            return rc;
    }
    return MOPT_OK;
}

/* Are all parents of slot i among the first done ones? */
static int32_t parents_done(const moi_slots *slots, int64_t i,
                            int64_t done)
{
    const json_t *when = slots->items[i].when;
    for (size_t c = 0; c < json_array_size(when); c++) {
        const json_t *condition = json_array_get(when, c);
        int64_t parent = moi_slots_index(
            slots, json_string_value(json_array_get(condition, 0)));
        if (parent >= done)
            return 0;
    }
    return 1;
}

int32_t moi_slots_finish(moi_slots *slots)
{
    for (int64_t i = 0; i < slots->count; i++) {
        int32_t rc = check_conditions(slots, &slots->items[i]);
        if (rc != MOPT_OK)
            return rc;
    }
    /* Whoever comes before its parents moves behind them; the rest keeps the
     * order of the document. */
    for (int64_t done = 0; done < slots->count; done++) {
        int64_t next = done;
        while (next < slots->count && !parents_done(slots, next, done))
            next++;
        if (next == slots->count)
            return moi_fail(MOPT_EINVAL,
                            "%s: the 'when's of the parameters go round in a "
                            "circle", slots->items[done].name);
        moi_slot moved = slots->items[next];
        memmove(&slots->items[done + 1], &slots->items[done],
                (size_t)(next - done) * sizeof(moved));
        slots->items[done] = moved;
    }
    return MOPT_OK;
}

/* --- Examples ----------------------------------------------------------- */

/* A value of the parent that meets every condition that slot i sets on it;
 * NULL when there is none. The caller releases it. */
static json_t *parent_value(const moi_slots *slots, int64_t i,
                            int64_t parent)
{
    json_t *pool = moi_slot_samples(&slots->items[parent]);
    json_t *found = NULL;
    const json_t *when = slots->items[i].when;
    const char *name = slots->items[parent].name;
    for (int32_t pass = 0; pass < 2; pass++) {
        /* The second pass tries what the conditions themselves name. */
        for (size_t v = 0; v < json_array_size(pool) && found == NULL; v++) {
            json_t *value = json_array_get(pool, v);
            int32_t good = moi_slot_allows(&slots->items[parent], value);
            for (size_t c = 0; c < json_array_size(when) && good; c++) {
                const json_t *condition = json_array_get(when, c);
                if (strcmp(json_string_value(json_array_get(condition, 0)),
                           name) == 0)
                    good = matches(json_array_get(condition, 1), value);
            }
            if (good)
                found = json_incref(value);
        }
        for (size_t c = 0; c < json_array_size(when) && pass == 0; c++) {
            json_t *values = json_array_get(json_array_get(when, c), 1);
            json_t *min = json_object_get(values, "min");
            if (json_is_array(values))
                json_array_extend(pool, values);
            else
                json_array_append(pool, min != NULL ? min : values);
        }
    }
    json_decref(pool);
    return found;
}

/* Fix the parents of slot i, and theirs, so that i exists. */
static int32_t fix_parents(const moi_slots *slots, int64_t i,
                           json_t *params)
{
    const json_t *when = slots->items[i].when;
    for (size_t c = 0; c < json_array_size(when); c++) {
        const char *name =
            json_string_value(json_array_get(json_array_get(when, c), 0));
        int64_t parent = moi_slots_index(slots, name);
        if (json_object_get(params, name) != NULL)
            continue;
        json_t *value = parent_value(slots, i, parent);
        if (value == NULL || json_object_set_new(params, name, value) != 0 ||
            !fix_parents(slots, parent, params))
            return 0;
    }
    return 1;
}

json_t *moi_slots_example(const moi_slots *slots, int64_t i,
                            const json_t *value)
{
    json_t *fixed = json_object(), *params = json_object();
    int32_t good = fixed != NULL && params != NULL;
    if (good && i >= 0)
        good = json_object_set(fixed, slots->items[i].name,
                               (json_t *)value) == 0 &&
               fix_parents(slots, i, fixed);
    for (int64_t k = 0; k < slots->count && good; k++) {
        const char *name = slots->items[k].name;
        json_t *chosen = json_incref(json_object_get(fixed, name));
        if (chosen == NULL) {
            json_t *samples = moi_slot_samples(&slots->items[k]);
            chosen = json_incref(json_array_get(samples, 0));
            json_decref(samples);
        }
        if (!moi_slot_active(slots, k, params))
            json_decref(chosen);
        else
            good = json_object_set_new(params, name, chosen) == 0;
    }
    if (good && i >= 0)
        good = json_object_get(params, slots->items[i].name) != NULL;
    json_decref(fixed);
    if (!good)
        json_decref(params);
    return good ? params : NULL;
}
