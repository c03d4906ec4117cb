/* SPDX-License-Identifier: MIT
 * lib/recipe/slot.h: slots of a JSON document, where a domain stands in the
 * place of a value: which there are, the space that they make, and the
 * document with a value in each.
 *
 * A slot's name is its path. What is nested in an option of a choice exists
 * only with that option; what is nested in a "repeat" exists once a
 * repetition, unless it is shared. */
#ifndef MOI_RECIPE_SLOT_H
#define MOI_RECIPE_SLOT_H

#include <modelopt/space.h>

#include "base/json.h"
#include "search/space/domain.h"

/* One parameter of the search. The choices of a domain are what the space
 * calls the options: see moi_slot_labels. */
typedef struct moi_slot {
    char *name;
    moi_domain domain;
    json_t *when; /* array of [name of a parent, values]; all must hold */
} moi_slot;

typedef struct moi_slots {
    mopt_context *ctx;
    moi_slot *items; /* every parent before its children */
    int64_t count, capacity;
} moi_slots;

/* --- A list of slots (slot.c) ------------------------------------------- */

void moi_slots_init(moi_slots *slots, mopt_context *ctx);
void moi_slots_free(moi_slots *slots);
int32_t moi_slots_space(const moi_slots *slots, mopt_space **out);

/* Index by name, -1 if there is none; MOPT_EKEY names the nearest. */
int64_t moi_slots_index(const moi_slots *slots, const char *name);
int32_t moi_slots_fail_name(const moi_slots *slots, const char *name);

/* --- One slot (slot.c) -------------------------------------------------- */

/* Is the value meant as a domain? */
int32_t moi_slot_is(const json_t *value);

/* Read a domain, but for its name and conditions, into a zeroed slot; the slot
 * is to be cleared on an error too. */
int32_t moi_slot_read(const json_t *spec, const moi_path *path,
                      moi_slot *slot);
void moi_slot_clear(mopt_context *ctx, moi_slot *slot);

/* May the slot have this value? */
int32_t moi_slot_allows(const moi_slot *slot, const json_t *value);

/* Values that are worth a check: the bounds and one between, or every choice.
 * The caller releases the array; NULL without memory. */
json_t *moi_slot_samples(const moi_slot *slot);

/* Is an option of a choice an object or a list? */
int32_t moi_slot_compound(const json_t *options);

/* What the space calls the options: themselves; for compound ones their texts
 * and "type"s; where these do not tell them apart their indices. */
json_t *moi_slot_labels(const json_t *options);

/* Where an array has a scalar, -1 if it has not. */
int64_t moi_array_index(const json_t *array, const json_t *scalar);

/* --- Conditions (when.c) ------------------------------------------------ */

/* Check and add the conditions that a domain's "when" sets. */
int32_t moi_when_read(const json_t *spec, const moi_path *path,
                      moi_slot *slot);

/* Add one condition: parent has one of values. */
int32_t moi_when_add(moi_slot *slot, const char *parent, json_t *values);

/* After all sections: check the conditions' parents and put them first. */
int32_t moi_slots_finish(moi_slots *slots);

/* Does slot i exist when its parents have the values of params? */
int32_t moi_slot_active(const moi_slots *slots, int64_t i,
                        const json_t *params);

/* params in which slot i exists and has this value, the others a sample each;
 * i < 0: samples only. The caller releases it; NULL when there are none such,
 * or no memory. */
json_t *moi_slots_example(const moi_slots *slots, int64_t i,
                          const json_t *value);

/* --- Documents (walk.c) ------------------------------------------------- */

/* Find the slots of a section ("train") and add them. MOPT_EINVAL and
 * MOPT_EKEY name the path. */
int32_t moi_slots_find(moi_slots *slots, const char *section,
                       const json_t *value);

/* The section with the value of params in each slot. A slot without a value,
 * or with the option null, is left out. */
int32_t moi_slots_pick(const char *section, const json_t *value,
                       const json_t *params, json_t **out);

#endif
