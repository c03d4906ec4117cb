/* SPDX-License-Identifier: MIT
 * lib/base/rng.h: random numbers by counter.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy
 * as 1, 2, 3", SC 2011). A stream is keyed by (seed, trial, purpose, index):
 * the same key gives the same numbers, whoever draws them and when. */
#ifndef MOI_BASE_RNG_H
#define MOI_BASE_RNG_H

#include <stdint.h>

/* What a stream is for. Values are part of the results: never renumbered. */
#define MOI_RNG_INIT 1     /* first weights, index = tensor */
#define MOI_RNG_SHUFFLE 2  /* order of rows, index = epoch */
#define MOI_RNG_DROPOUT 3  /* trial = step, index = layer; position = row */
#define MOI_RNG_SPLIT 4    /* parts of a data set */
#define MOI_RNG_SAMPLE 5   /* a sampler's draw, index = hash of the name */
#define MOI_RNG_GENERATE 6 /* generated data, index = what */
#define MOI_RNG_AUGMENT 7  /* trial = view, index = row */

typedef struct moi_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int32_t used; /* of block; 4 = draw a new one */
} moi_rng;

void moi_rng_init(moi_rng *rng, uint64_t seed, uint32_t trial,
                  uint32_t purpose, uint32_t index);

/* Go to the start of a block of 4 numbers: streams can be cut into pieces. */
void moi_rng_seek(moi_rng *rng, uint64_t block);

uint32_t moi_rng_u32(moi_rng *rng);
uint64_t moi_rng_u64(moi_rng *rng);
double moi_rng_uniform(moi_rng *rng);  /* [0, 1), 53 bits */
double moi_rng_normal(moi_rng *rng);   /* mean 0, variance 1 (Box-Muller) */
uint64_t moi_rng_below(moi_rng *rng, uint64_t bound); /* unbiased; bound > 0 */
void moi_rng_fill(moi_rng *rng, uint32_t *out, int64_t count);
void moi_rng_shuffle(moi_rng *rng, int64_t *items, int64_t count);

/* FNV-1a of a text, for the index of a stream. */
uint32_t moi_rng_hash(const char *text);

#endif
