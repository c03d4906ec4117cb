/* SPDX-License-Identifier: MIT
 * lib/search/sampler/sampler.h: who proposes the next trial.
 *
 * A sampler is one file and one line in moi_samplers. It is called under the
 * study's gate, so one call at a time, and reads all trials from the history:
 * a column of values a parameter, a column of states, and so on; its rows are
 * the trials, in the order of their numbers. */
#ifndef MOI_SEARCH_SAMPLER_H
#define MOI_SEARCH_SAMPLER_H

#include "base/config.h"
#include "search/trial/history.h"
#include "search/trial/points.h"

/* What is asked of a sampler. */
typedef struct moi_ask {
    const mopt_space *space;
    const moi_history *history; /* trials before this one, and others */
    const moi_points *points;   /* what was drawn; NULL unless wanted */
    uint64_t seed;
    int64_t number;      /* of the trial */
    int64_t attempt;     /* 0, 1, ..: so many proposals were duplicates */
    const double *fixed; /* [parameters]; NaN: propose a value */
} moi_ask;

typedef struct moi_sampler_kind {
    const moi_schema *schema; /* its name, help and options */
    int32_t no_duplicates;    /* it wants points and draws none twice */
    int32_t blind;            /* it does not look at what others had */
    /* state is whatever the sampler keeps between calls; it may stay NULL.
     * The space outlives it. */
    int32_t (*create)(const mopt_space *space, const moi_options *options,
                      uint64_t seed, void **state);
    void (*destroy)(void *state);
    /* Fill point[parameters], NaN where a parameter does not exist. MOPT_OK,
     * MOPT_EXHAUSTED (nothing more to propose), MOPT_ENOMEM. */
    int32_t (*propose)(void *state, const moi_ask *ask, double *point);
} moi_sampler_kind;

/* Every sampler; NULL-terminated. */
extern const moi_sampler_kind *const moi_samplers[];

/* Their schemas, in the same order, for a VARIANT key. */
extern const moi_schema *const moi_sampler_schemas[];

/* A value for one parameter that depends on the seed, the trial's number, the
 * parameter's name and the attempt alone: what the sampler "random" draws, and
 * others where they know nothing. */
double moi_random_value(const moi_ask *ask, int64_t p);

/* A whole random point, with what is fixed. */
void moi_random_point(const moi_ask *ask, double *point);

#endif
