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

/* More rows than products get faster with only where all layers together take
 * as little time as one may (docs/design/kernels.md). */
#define CHUNK_LEAST 32
#define CHUNK_USUAL 256
#define CHUNK_MOST 1024 /* small networks do not get faster either */

static int64_t bound(int64_t rows, int64_t most)
{
    rows = rows / CHUNK_LEAST * CHUNK_LEAST;
    return rows < CHUNK_LEAST ? CHUNK_LEAST : rows < most ? rows : most;
}

int64_t moi_chunk_rows(const mopt_model *model)
{
    int64_t all = bound(moi_model_pass_rows(model), CHUNK_MOST);
    int64_t each = bound(moi_model_layer_rows(model), CHUNK_USUAL);

    return all > each ? all : each;
}

#define BUCKET 131072

int64_t moi_bucket_weights(int32_t ranks)
{
    int64_t least = (int64_t)ranks * MOI_BLOCK_WEIGHTS;

    return least > BUCKET ? least : BUCKET;
}
