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

/* Before each layer a token is looked at: so many rows that a layer takes some
 * 40 ms on one core (100 GFLOP/s), and more of them only where all layers do
 * (docs/design/kernels.md). */
#define CHUNK_FLOPS 4e9
#define CHUNK_LEAST 32
#define CHUNK_USUAL 256 /* products do not get faster with more rows, */
#define CHUNK_MOST 1024 /* and small networks not either */

static int64_t rows_of(int64_t flops, int64_t most)
{
    double rows = CHUNK_FLOPS / ((double)flops + 1);

    if (rows < CHUNK_LEAST)
        return CHUNK_LEAST;
    return rows < (double)most ? (int64_t)rows / CHUNK_LEAST * CHUNK_LEAST
                               : most;
}

int64_t moi_chunk_rows(int64_t flops, int64_t most)
{
    int64_t all = rows_of(flops, CHUNK_MOST);
    int64_t each = rows_of(most, CHUNK_USUAL);

    return all > each ? all : each;
}

#define BUCKET 131072

int64_t moi_bucket_weights(int32_t ranks)
{
    int64_t least = (int64_t)ranks * MOI_BLOCK_WEIGHTS;

    return least > BUCKET ? least : BUCKET;
}
