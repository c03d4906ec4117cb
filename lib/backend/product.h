/* SPDX-License-Identifier: MIT
 * lib/backend/product.h: our own products, one table an instruction set.
 *
 * Every element of C is one chain of additions in the order of k, or a few
 * chains, whatever the tiling: the same bits for any cut into rows or columns
 * and from any thread, and, where the set has fused multiply-add, from any set.
 * Single precision only; no memory is taken. */
#ifndef MOI_BACKEND_PRODUCT_H
#define MOI_BACKEND_PRODUCT_H

#include <stdint.h>

/* C[m][n] = A B, then what is fused. Sizes may be 0. */
typedef struct moi_product {
    int64_t m, n, k;
    const float *a; /* A(i, p) = a[i * a_row + p * a_step] */
    int64_t a_row, a_step;
    const float *b; /* B(p, j) = b[p * ldb + j]; b[j * ldb + p] if trans_b */
    int64_t ldb;
    int32_t trans_b;
    int32_t relu;      /* C = max(C, 0); NaN stays */
    const float *bias; /* [n], added to every row; or NULL */
    const float *mask; /* like C: C = 0 where it is not above 0; or NULL */
    float *sums;       /* [n]: column sums of B (trans_b 0); or NULL */
    int64_t chain;     /* steps of k that are one chain; chains, the last of
                          which may be shorter, are added up by pairs: at most
                          MOI_CHAINS, k <= MOI_PANEL_DEPTH. 0: k is one */
    int32_t onto;      /* C and sums come on top of what is there, once they are
                          whole: k <= MOI_PANEL_DEPTH */
    float *c;
    int64_t ldc;
    float *scratch; /* moi_product_scratch() floats */
} moi_product;

typedef void (*moi_product_fn)(const moi_product *product);

typedef struct moi_product_isa {
    const char *name; /* "avx512", "avx2", "baseline" */
    moi_product_fn run;
} moi_product_isa;

/* The sets this machine runs, the best first; NULL past the last. */
const moi_product_isa *moi_product_isa_at(int64_t index);

/* Floats of scratch that products of this depth (their k) take, and of so many
 * rows (their m) where A lies across. */
int64_t moi_product_scratch(int64_t depth, int64_t rows);

/* A packed panel of B: its greatest width (4 vectors of 16) and depth, 128
 * KiB; and the numbers of A that are used while they are in the cache, 512 KiB:
 * together well inside a second-level cache of 1 MiB. Packed ones are half as
 * many: with panels of AVX2, they are inside of 512 KiB. */
#define MOI_PANEL_WIDTH 64
#define MOI_PANEL_DEPTH 512
#define MOI_BLOCK 131072
#define MOI_PACKED_BLOCK 65536

/* Chains of a product, at most: 2^MOI_CHAIN_LEVELS. */
#define MOI_CHAIN_LEVELS 4
#define MOI_CHAINS (1 << MOI_CHAIN_LEVELS)

/* Before a loop over registers with constant bounds: it must vanish; and before
 * one over steps, whose own work is a sixth of a tile's otherwise. */
#ifdef __clang__
#define MOI_UNROLL _Pragma("clang loop unroll(full)")
#define MOI_UNROLL_STEPS _Pragma("clang loop unroll_count(4)")
#else
#define MOI_UNROLL _Pragma("GCC unroll 24")
#define MOI_UNROLL_STEPS _Pragma("GCC unroll 4")
#endif

void moi_product_avx512(const moi_product *product);
void moi_product_avx2(const moi_product *product);
void moi_product_baseline(const moi_product *product);

#endif
