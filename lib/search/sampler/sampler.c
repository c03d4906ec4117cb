/* SPDX-License-Identifier: MIT
 * lib/search/sampler/sampler.c: every sampler. */
#include "search/sampler/sampler.h"

extern const moi_sampler_kind moi_sampler_random, moi_sampler_grid;
extern const moi_schema moi_sampler_random_schema, moi_sampler_grid_schema;

const moi_sampler_kind *const moi_samplers[] = {
    &moi_sampler_random,
    &moi_sampler_grid,
    NULL,
};

const moi_schema *const moi_sampler_schemas[] = {
    &moi_sampler_random_schema,
    &moi_sampler_grid_schema,
    NULL,
};
