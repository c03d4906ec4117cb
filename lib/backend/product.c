/* SPDX-License-Identifier: MIT
 * lib/backend/product.c: which instruction sets this machine runs. */
#include "backend/product.h"

#include <stddef.h>

static const moi_product_isa sets[] = {
#if defined(__x86_64__)
    {"avx512", moi_product_avx512},
    {"avx2", moi_product_avx2},
#endif
    {"baseline", moi_product_baseline},
};
#define SETS ((int64_t)(sizeof(sets) / sizeof(sets[0])))

/* Index of the best set. The processor was asked once, at start. */
static int64_t best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl"))
        return 0;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return SETS - 1;
}

const moi_product_isa *moi_product_isa_at(int64_t index)
{
    index += best();
    return index < SETS ? &sets[index] : NULL;
}

/* A block is at most 8 rows higher than what has MOI_PACKED_BLOCK numbers. */
int64_t moi_product_scratch(int64_t depth, int64_t rows)
{
    const int64_t most = depth < MOI_PANEL_DEPTH ? depth : MOI_PANEL_DEPTH;
    const int64_t block = MOI_PACKED_BLOCK + 16 * most;
    const int64_t packed = (rows + 3) / 4 * 4 * most;
    return most * MOI_PANEL_WIDTH + (packed < block ? packed : block);
}
