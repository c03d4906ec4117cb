/* SPDX-License-Identifier: MIT
 * lib/search/sampler/grid.c: every point of the space, each once.
 *
 * The n-th proposal is the first point from the n-th place on that no trial of
 * the study has, so that a grid that was interrupted goes on where it stopped,
 * and points that were enqueued are not done again. With "shuffle" the places
 * are permuted by a keyed bijection, so that a part of the grid is spread over
 * all of it. */
#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"
#include "search/sampler/sampler.h"
#include "search/space/lattice.h"

/* Rounds of the Feistel network; four are enough to make a permutation out of
 * pseudo-random functions (Luby, Rackoff 1988). */
#define ROUNDS 4

typedef struct grid {
    mopt_context *ctx;
    moi_lattice *lattice;
    int64_t count;
    int64_t next; /* every place before this one is done */
    int32_t shuffle;
    int32_t half; /* bits of one half of the network's input */
    uint64_t seed;
} grid;

static void destroy(void *state)
{
    grid *self = state;

    if (!self)
        return;
    moi_lattice_free(self->lattice);
    moi_free(self->ctx, self);
}

static int32_t create(const mopt_space *space, const moi_options *options,
                      uint64_t seed, void **state)
{
    grid *self = moi_calloc(space->ctx, 1, sizeof(*self));
    int32_t rc;

    if (!self)
        return MOPT_ENOMEM;
    self->ctx = space->ctx;
    self->seed = seed;
    self->shuffle = moi_options_bool(options, "shuffle");
    rc = moi_lattice_create(space, moi_options_int(options, "points"),
                            &self->lattice);
    if (rc) {
        destroy(self);
        return moi_fail_at(rc, "sampler: ");
    }
    self->count = moi_lattice_count(self->lattice);
    if (self->count == INT64_MAX) {
        destroy(self);
        return moi_fail(MOPT_ERANGE, "sampler: the grid has more than 2^63 "
                        "points; take 'random', or fewer parameters");
    }
    while (self->half < 32 &&
           (uint64_t)1 << (2 * self->half) < (uint64_t)self->count)
        self->half++;
    *state = self;
    return MOPT_OK;
}

/* One pass through the network: a bijection of [0, 4^half). */
static uint64_t mix(const grid *self, uint64_t value)
{
    const uint64_t mask = ((uint64_t)1 << self->half) - 1;
    uint64_t left = value >> self->half, right = value & mask, swap;
    moi_rng rng;
    uint32_t round;

    for (round = 0; round < ROUNDS; round++) {
        moi_rng_init(&rng, self->seed, (uint32_t)right, MOI_RNG_SAMPLE, round);
        swap = right;
        right = left ^ (moi_rng_u64(&rng) & mask);
        left = swap;
    }
    return left << self->half | right;
}

/* The point number at a place: the network walked until it is in range. Its
 * domain is at most four times as large, so that takes few steps. */
static int64_t number_at(const grid *self, int64_t place)
{
    uint64_t number = (uint64_t)place;

    if (!self->shuffle || self->half == 0)
        return place;
    do
        number = mix(self, number);
    while (number >= (uint64_t)self->count);
    return (int64_t)number;
}

static int32_t is_free(const moi_ask *ask)
{
    int64_t p;

    for (p = 0; p < ask->space->count; p++)
        if (!isnan(ask->fixed[p]))
            return 0;
    return 1;
}

static int32_t propose(void *state, const moi_ask *ask, double *point)
{
    grid *self = state;

    /* What was enqueued in part is no place of the grid. */
    if (!is_free(ask)) {
        moi_random_point(ask, point);
        return MOPT_OK;
    }
    for (; self->next < self->count; self->next++) {
        moi_lattice_point(self->lattice, number_at(self, self->next), point);
        if (!moi_points_have(ask->points, point))
            return MOPT_OK;
    }
    return moi_fail(MOPT_EXHAUSTED, "all %lld points of the grid are done",
                    (long long)self->count);
}

static const moi_key keys[] = {
    MOI_INT("points", 5, 1, 1e9,
            "values taken of each continuous range, both ends included"),
    MOI_BOOL("shuffle", 0,
             "go through the grid in a random order given by the seed"),
    MOI_KEYS_END,
};

const moi_schema moi_sampler_grid_schema = {
    "grid", "every point of the space, each once", keys};

extern const moi_sampler_kind moi_sampler_grid;
const moi_sampler_kind moi_sampler_grid = {&moi_sampler_grid_schema, 1, 0,
                                           create, destroy, propose};
