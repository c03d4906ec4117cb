/* SPDX-License-Identifier: MIT
 * lib/recipe/walk.c: through a document with slots: once to find them, once a
 * trial to put values in their places. Both walks name them alike. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "recipe/slot.h"

/* Levels of a section; each takes a frame of the stack. */
#define DEPTH_MAX 32
/* Parameters of one search. */
#define SLOTS_MAX 500
/* Repetitions that may have parameters of their own. */
#define REPEATS_MAX 64

/* What a slot that is found here depends on: the innermost choice or count;
 * that one depends on those around it. */
typedef struct scope {
    const char *parent; /* NULL: on nothing */
    json_t *values;
} scope;

static int32_t find(moi_slots *slots, const json_t *value,
                    const moi_path *path, int32_t depth, const scope *within);
static int32_t pick(const json_t *value, const moi_path *path,
                    const json_t *params, json_t **out);

static int32_t no_memory(void)
{
    return moi_fail(MOPT_ENOMEM, "no memory for the recipe");
}

/* The path into option i of a choice: by its label if that is a text. */
static moi_path option_path(const moi_path *path, const json_t *labels,
                            size_t i)
{
    moi_path step = {path, json_string_value(json_array_get(labels, i)),
                     (int64_t)i};
    return step;
}

/* --- Repetitions -------------------------------------------------------- */

static int32_t is_repeat(const json_t *value)
{
    return json_object_get(value, "repeat") != NULL &&
           json_is_array(json_object_get(value, "layers"));
}

static int32_t holds_slot(const json_t *value, int32_t depth)
{
    const char *key;
    json_t *member;
    if (moi_slot_is(value))
        return 1;
    if (depth > DEPTH_MAX)
        return 0;
    json_object_foreach((json_t *)value, key, member) {
        if (holds_slot(member, depth + 1))
            return 1;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (holds_slot(json_array_get(value, i), depth + 1))
            return 1;
    }
    return 0;
}

/* Does each repetition have parameters of its own? */
static int32_t is_unrolled(const json_t *value)
{
    return !json_is_true(json_object_get(value, "share")) &&
           holds_slot(json_object_get(value, "layers"), 0);
}

/* Most repetitions, 0 when that is not a number at all. */
static double most_repeats(const json_t *repeat)
{
    const json_t *list = json_object_get(repeat, "int");
    double most = json_number_value(json_is_array(list)
                                        ? json_array_get(list, 1)
                                        : repeat);
    list = json_object_get(repeat, "choice");
    for (size_t i = 0; i < json_array_size(list); i++)
        most = fmax(most, json_number_value(json_array_get(list, i)));
    return most;
}

/* The condition that repetition number r exists: NULL when it always does.
 * *failed without memory. */
static json_t *repeat_condition(const json_t *repeat, int64_t r,
                                int32_t *failed)
{
    const json_t *options = json_object_get(repeat, "choice");
    const json_t *bounds = json_object_get(repeat, "int");
    double low = json_number_value(json_array_get(bounds, 0));
    if (options == NULL && (bounds == NULL || low > (double)r))
        return NULL;
    json_t *values = options == NULL
                         ? json_pack("{sI}", "min", (json_int_t)(r + 1))
                         : json_array();
    for (size_t i = 0; i < json_array_size(options) && values != NULL; i++) {
        json_t *option = json_array_get(options, i);
        if (json_number_value(option) > (double)r)
            json_array_append(values, option);
    }
    *failed = values == NULL;
    return values;
}

static int32_t find_repetition(moi_slots *slots, const json_t *value,
                               const moi_path *path, int32_t depth,
                               const scope *within, int64_t r)
{
    const json_t *repeat = json_object_get(value, "repeat");
    moi_path count = {path, "repeat", 0}, turn = {&count, NULL, r};
    moi_path layers = {is_unrolled(value) ? &turn : path, "layers", 0};
    char name[MOI_PATH_SIZE];
    scope inner = *within;
    int32_t failed = 0;
    json_t *values = repeat_condition(repeat, r, &failed);
    if (failed)
        return no_memory();
    if (values != NULL) {
        inner.parent = moi_path_text(&count, name);
        inner.values = values;
    }
    int32_t rc = find(slots, json_object_get(value, "layers"), &layers,
                      depth + 1, &inner);
    json_decref(values);
    return rc;
}

static int32_t find_repeat(moi_slots *slots, const json_t *value,
                           const moi_path *path, int32_t depth,
                           const scope *within)
{
    const json_t *repeat = json_object_get(value, "repeat");
    const json_t *share = json_object_get(value, "share");
    moi_path count = {path, "repeat", 0};
    char excerpt[MOI_EXCERPT_SIZE];
    if (share != NULL && !json_is_boolean(share))
        return moi_fail_path(MOPT_EINVAL, path,
                             "'share' is true or false, got %s",
                             moi_json_excerpt(share, excerpt));
    int32_t rc = find(slots, repeat, &count, depth + 1, within);
    if (rc != MOPT_OK)
        return rc;
    if (!is_unrolled(value))
        return find_repetition(slots, value, path, depth, within, 0);
    double most = most_repeats(repeat);
    if (!(most <= REPEATS_MAX))
        return moi_fail_path(MOPT_EINVAL, &count,
                             "at most %d repetitions can have parameters of "
                             "their own, got %s; \"share\": true gives all "
                             "the same", REPEATS_MAX,
                             moi_json_excerpt(repeat, excerpt));
    for (int64_t r = 0; r < (int64_t)most && rc == MOPT_OK; r++)
        rc = find_repetition(slots, value, path, depth, within, r);
    return rc;
}

/* --- Finding ------------------------------------------------------------ */

/* Room at the end of the list; it counts once it is complete. */
static moi_slot *new_slot(moi_slots *slots)
{
    if (moi_grow(slots->ctx, (void **)&slots->items, &slots->capacity,
                 slots->count + 1, sizeof(moi_slot)) != MOPT_OK)
        return NULL;
    moi_slot *slot = &slots->items[slots->count];
    memset(slot, 0, sizeof(*slot));
    return slot;
}

static int32_t name_slot(moi_slots *slots, moi_slot *slot,
                           const moi_path *path)
{
    char name[MOI_PATH_SIZE];
    moi_path_text(path, name);
    if (strlen(name) >= MOI_PATH_SIZE - 1)
        return moi_fail_path(MOPT_EINVAL, path, "this name is too long");
    if (moi_slots_index(slots, name) >= 0)
        return moi_fail_path(MOPT_EINVAL, path,
                             "two parameters have this name");
    slot->name = moi_strdup(slots->ctx, name);
    return slot->name == NULL ? MOPT_ENOMEM : MOPT_OK;
}

static int32_t find_slot(moi_slots *slots, const json_t *spec,
                           const moi_path *path, const scope *within)
{
    if (slots->count >= SLOTS_MAX)
        return moi_fail_path(MOPT_EINVAL, path,
                             "a recipe has at most %d parameters",
                             SLOTS_MAX);
    moi_slot *slot = new_slot(slots);
    if (slot == NULL)
        return MOPT_ENOMEM;
    int32_t rc = moi_slot_read(spec, path, slot);
    if (rc == MOPT_OK && within->parent != NULL)
        rc = moi_when_add(slot, within->parent, within->values);
    if (rc == MOPT_OK)
        rc = moi_when_read(spec, path, slot);
    if (rc == MOPT_OK)
        rc = name_slot(slots, slot, path);
    if (rc == MOPT_OK)
        slots->count++;
    else
        moi_slot_clear(slots->ctx, slot);
    return rc;
}

/* Slots inside the options of a choice exist with their option only. */
static int32_t find_options(moi_slots *slots, const json_t *spec,
                            const moi_path *path, int32_t depth)
{
    const json_t *options = json_object_get(spec, "choice");
    if (!moi_slot_compound(options))
        return MOPT_OK;
    json_t *labels = moi_slot_labels(options);
    char name[MOI_PATH_SIZE];
    moi_path_text(path, name);
    int32_t rc = labels == NULL ? no_memory() : MOPT_OK;
    for (size_t i = 0; i < json_array_size(options) && rc == MOPT_OK; i++) {
        moi_path step = option_path(path, labels, i);
        scope inner = {name, json_array_get(labels, i)};
        rc = find(slots, json_array_get(options, i), &step, depth + 1,
                  &inner);
    }
    json_decref(labels);
    return rc;
}

static int32_t find_members(moi_slots *slots, const json_t *value,
                            const moi_path *path, int32_t depth,
                            const scope *within)
{
    int32_t rc = MOPT_OK;
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member) {
        moi_path step = {path, key, 0};
        rc = find(slots, member, &step, depth + 1, within);
        if (rc != MOPT_OK)
            return rc;
    }
    for (size_t i = 0; i < json_array_size(value) && rc == MOPT_OK; i++) {
        moi_path step = {path, NULL, (int64_t)i};
        rc = find(slots, json_array_get(value, i), &step, depth + 1, within);
    }
    return rc;
}

static int32_t find(moi_slots *slots, const json_t *value,
                    const moi_path *path, int32_t depth, const scope *within)
{
    if (depth > DEPTH_MAX)
        return moi_fail_path(MOPT_EINVAL, path,
                             "nested deeper than %d levels", DEPTH_MAX);
    if (moi_slot_is(value)) {
        int32_t rc = find_slot(slots, value, path, within);
        return rc == MOPT_OK ? find_options(slots, value, path, depth) : rc;
    }
    if (is_repeat(value))
        return find_repeat(slots, value, path, depth, within);
    return find_members(slots, value, path, depth, within);
}

int32_t moi_slots_find(moi_slots *slots, const char *section,
                         const json_t *value)
{
    const moi_path path = {NULL, section, 0};
    const scope nothing = {NULL, NULL};
    return find(slots, value, &path, 0, &nothing);
}

/* --- Picking ------------------------------------------------------------ */

static int32_t pick_slot(const json_t *spec, const moi_path *path,
                           const json_t *params, json_t **out)
{
    char name[MOI_PATH_SIZE];
    const json_t *options = json_object_get(spec, "choice");
    json_t *value = json_object_get(params, moi_path_text(path, name));
    if (value == NULL || json_is_null(value))
        return MOPT_OK;
    if (!moi_slot_compound(options)) {
        *out = json_deep_copy(value);
        return *out == NULL ? no_memory() : MOPT_OK;
    }
    json_t *labels = moi_slot_labels(options);
    if (labels == NULL)
        return no_memory();
    int64_t i = moi_array_index(labels, value);
    int32_t rc;
    if (i < 0) {
        char excerpt[MOI_EXCERPT_SIZE];
        rc = moi_fail_path(MOPT_EINVAL, path, "there is no option %s",
                           moi_json_excerpt(value, excerpt));
    } else {
        moi_path step = option_path(path, labels, (size_t)i);
        rc = pick(json_array_get(options, (size_t)i), &step, params, out);
    }
    json_decref(labels);
    return rc;
}

static int32_t pick_object(const json_t *value, const moi_path *path,
                           const json_t *params, json_t **out)
{
    json_t *object = json_object();
    const char *key;
    json_t *member;
    int32_t rc = object == NULL ? no_memory() : MOPT_OK;
    if (rc == MOPT_OK) {
        json_object_foreach((json_t *)value, key, member) {
            moi_path step = {path, key, 0};
            json_t *picked = NULL;
            rc = pick(member, &step, params, &picked);
            if (rc == MOPT_OK && picked != NULL &&
                json_object_set_new(object, key, picked) != 0)
                rc = no_memory();
            if (rc != MOPT_OK)
                break;
        }
    }
    if (rc == MOPT_OK)
        *out = object;
    else
        json_decref(object);
    return rc;
}

static int32_t pick_array(const json_t *value, const moi_path *path,
                          const json_t *params, json_t **out)
{
    json_t *array = json_array();
    int32_t rc = array == NULL ? no_memory() : MOPT_OK;
    for (size_t i = 0; i < json_array_size(value) && rc == MOPT_OK; i++) {
        moi_path step = {path, NULL, (int64_t)i};
        json_t *picked = NULL;
        rc = pick(json_array_get(value, i), &step, params, &picked);
        if (rc == MOPT_OK && picked != NULL &&
            json_array_append_new(array, picked) != 0)
            rc = no_memory();
    }
    if (rc == MOPT_OK)
        *out = array;
    else
        json_decref(array);
    return rc;
}

/* The layers of count repetitions, one after the other. */
static int32_t pick_turns(const json_t *value, const moi_path *path,
                          const json_t *params, int64_t count, json_t **out)
{
    json_t *all = json_array();
    int32_t rc = all == NULL ? no_memory() : MOPT_OK;
    for (int64_t r = 0; r < count && rc == MOPT_OK; r++) {
        moi_path repeat = {path, "repeat", 0}, turn = {&repeat, NULL, r};
        moi_path layers = {&turn, "layers", 0};
        json_t *picked = NULL;
        rc = pick(json_object_get(value, "layers"), &layers, params, &picked);
        if (rc == MOPT_OK && json_array_extend(all, picked) != 0)
            rc = no_memory();
        json_decref(picked);
    }
    if (rc == MOPT_OK)
        *out = all;
    else
        json_decref(all);
    return rc;
}

/* A block of layers: as it stands with its count, or written out as one
 * repetition when each has values of its own. None when the count is 0. */
static int32_t pick_repeat(const json_t *value, const moi_path *path,
                           const json_t *params, json_t **out)
{
    json_t *block = NULL, *layers = NULL;
    int32_t unrolled = is_unrolled(value);
    json_t *shape = json_copy((json_t *)value);
    if (shape == NULL)
        return no_memory();
    json_object_del(shape, "share");
    if (unrolled)
        json_object_del(shape, "layers");
    int32_t rc = pick_object(shape, path, params, &block);
    json_decref(shape);
    if (rc != MOPT_OK)
        return rc;
    const json_t *repeat = json_object_get(block, "repeat");
    double count = repeat == NULL ? 1 : json_number_value(repeat);
    if (json_is_number(repeat) && count == 0) {
        json_decref(block);
        return MOPT_OK;
    }
    if (unrolled && count >= 1 && count <= REPEATS_MAX) {
        rc = pick_turns(value, path, params, (int64_t)count, &layers);
        if (rc == MOPT_OK &&
            (json_object_set_new(block, "repeat", json_integer(1)) != 0 ||
             json_object_set_new(block, "layers", layers) != 0))
            rc = no_memory();
    }
    if (rc == MOPT_OK)
        *out = block;
    else
        json_decref(block);
    return rc;
}

static int32_t pick(const json_t *value, const moi_path *path,
                    const json_t *params, json_t **out)
{
    if (moi_slot_is(value))
        return pick_slot(value, path, params, out);
    if (is_repeat(value))
        return pick_repeat(value, path, params, out);
    if (json_is_object(value))
        return pick_object(value, path, params, out);
    if (json_is_array(value))
        return pick_array(value, path, params, out);
    *out = json_deep_copy(value);
    return *out == NULL ? no_memory() : MOPT_OK;
}

int32_t moi_slots_pick(const char *section, const json_t *value,
                         const json_t *params, json_t **out)
{
    const moi_path path = {NULL, section, 0};
    json_t *picked = NULL;
    int32_t rc = pick(value, &path, params, &picked);
    if (rc == MOPT_OK)
        *out = picked;
    return rc;
}
