/* SPDX-License-Identifier: MIT
 * lib/search/space/space.h: the inside of a space.
 *
 * A point is an array of one double per parameter, in the order in which they
 * were added; NaN where the parameter does not exist. Parents stand before
 * their children, so that one pass in this order decides who exists. */
#ifndef MOI_SEARCH_SPACE_H
#define MOI_SEARCH_SPACE_H

#include <modelopt/space.h>

#include "search/space/domain.h"

/* A name's longest, as Optuna's columns have it. */
#define MOI_NAME_LIMIT 512

/* Bounds that keep hostile documents from taking for ever. */
#define MOI_PARAM_LIMIT 16384 /* parameters of a space */
#define MOI_DEPTH_LIMIT 256   /* conditions on top of one another */

/* Not empty, not longer than that, and UTF-8; what says what it names. */
int32_t moi_name_check(const char *what, const char *name);

/* "This parameter exists only while parent has one of these values." */
typedef struct moi_condition {
    int64_t parent;  /* index of a parameter before this one */
    double min, max; /* infinite where open */
    int64_t count;
    double *values; /* ascending; NULL: every value within the bounds */
} moi_condition;

typedef struct moi_param {
    char *name;
    uint64_t hash; /* of the name, keys its random numbers */
    moi_domain domain;
    int32_t depth; /* longest chain of parents above it */
    int64_t count, capacity;
    moi_condition *conditions; /* one a parent */
} moi_param;

struct mopt_space {
    mopt_context *ctx;
    int64_t count, capacity;
    moi_param *params;
};

/* Index of a parameter, -1 if there is none. */
int64_t moi_space_find(const mopt_space *space, const char *name);

/* As moi_space_find, but a missing name is MOPT_EKEY, and the message has the
 * nearest one. */
int32_t moi_space_need(const mopt_space *space, const char *name,
                       int64_t *index);

/* Add a parameter; takes over domain, also when it fails. */
int32_t moi_space_add_param(mopt_space *space, const char *name,
                            moi_domain *domain);

/* Take the last parameter out again: the way back of an addition. */
void moi_space_drop_last(mopt_space *space);

/* A copy, held by the same context. */
int32_t moi_space_copy(const mopt_space *space, mopt_space **out);

/* Does parameter p exist, given the values of those before it? */
int32_t moi_space_exists(const mopt_space *space, int64_t p,
                         const double *point);
int32_t moi_condition_holds(const moi_condition *condition, double value);

/* Is it a point of the space: what exists has a value of its domain, what does
 * not is NaN? */
int32_t moi_space_holds(const mopt_space *space, const double *point);

/* The space as a document, NULL without memory. */
json_t *moi_space_document(const mopt_space *space);

/* Add a parameter from its document, {"float": [0, 1], "when": {...}}; path is
 * the place of document, for messages. */
int32_t moi_space_add_document(mopt_space *space, const char *name,
                               const json_t *document, const moi_path *path);

/* Is it such a document: an object with "float", "int" or "choice"? */
int32_t moi_space_is_domain(const json_t *document);

/* Add one condition from its document; a second one on the same parent narrows
 * the first. */
int32_t moi_space_add_when(mopt_space *space, int64_t p, const char *parent,
                           const json_t *values);

#endif
