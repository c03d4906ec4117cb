/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parts.c: into how many parts a batch is cut, and into how
 * large stretches the weights. */
#include "learn/parallel/parts.h"

#include "backend/dense.h"

/* Where nobody says how many: few enough that products stay large
 * (bench/ranks.py), and the same for one, two and four ranks. */
#define USUAL 8
#define LEAST 4
#define ROWS 64 /* that a part has then, at least */

int64_t moi_parts_choose(int64_t asked, int64_t rows, int64_t most,
                         int64_t ranks)
{
    int64_t parts = asked > 0 ? asked : rows < USUAL * ROWS ? LEAST : USUAL;

    while (asked == 0 && parts < ranks)
        parts *= 2;
    while (parts < rows && (rows + parts - 1) / parts > most)
        parts *= 2;
    return parts < rows ? parts : rows;
}

int64_t moi_parts_stripe(int64_t count, int64_t rows, int64_t chunk,
                         int64_t *bunch)
{
    int64_t stripe = chunk / rows < count ? chunk / rows : count;
    int64_t most = moi_dense_chains(rows);

    if (stripe < 1)
        stripe = 1;
    *bunch = most < stripe ? most : stripe;
    return stripe - stripe % *bunch;
}

/* A chunk of several is cut so that a forward pass takes some 40 ms on one
 * core (100 GFLOP/s): a token is looked at between them. */
#define CHUNK_FLOPS 4e9
#define CHUNK_ROWS 1024 /* products do not get faster with more rows */
#define CHUNK_LEAST 32

int64_t moi_chunk_rows(int64_t flops)
{
    double rows = CHUNK_FLOPS / ((double)flops + 1);

    if (rows < CHUNK_LEAST)
        return CHUNK_LEAST;
    return rows < CHUNK_ROWS ? (int64_t)rows / CHUNK_LEAST * CHUNK_LEAST
                             : CHUNK_ROWS;
}

#define BUCKET 131072

int64_t moi_bucket_weights(int32_t ranks)
{
    int64_t least = (int64_t)ranks * MOI_BLOCK_WEIGHTS;

    return least > BUCKET ? least : BUCKET;
}
