/* SPDX-License-Identifier: MIT
 * lib/backend/product_avx2.c: products with AVX2 and FMA: tiles of 4 x 24. */
#include "backend/product.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define VECTORS 3
#define PANEL (VECTORS * LANES)
#define ROWS(vectors) ((vectors) > 2 ? 4 : (vectors) > 1 ? 6 : 8)
#define PACK_TAILS 1
#define RUN moi_product_avx2

typedef __m256 vector;
typedef __m256i tail_mask;

TARGET static inline tail_mask tail_of(int64_t lanes)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)lanes), lane);
}

TARGET static inline vector load(const float *p)
{
    return _mm256_loadu_ps(p);
}

TARGET static inline vector load_tail(const float *p, tail_mask tail)
{
    return _mm256_maskload_ps(p, tail);
}

TARGET static inline void store(float *p, vector v)
{
    _mm256_storeu_ps(p, v);
}

TARGET static inline void store_tail(float *p, vector v, tail_mask tail)
{
    _mm256_maskstore_ps(p, tail, v);
}

TARGET static inline vector splat(float x)
{
    return _mm256_set1_ps(x);
}

TARGET static inline vector fused(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

TARGET static inline vector add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}

/* The second operand is returned when one is NaN. */
TARGET static inline vector at_least_0(vector v)
{
    return _mm256_max_ps(_mm256_setzero_ps(), v);
}

TARGET static inline vector where_positive(vector mask, vector v)
{
    return _mm256_and_ps(
        _mm256_cmp_ps(mask, _mm256_setzero_ps(), _CMP_GT_OQ), v);
}

/* 8 vectors of 8: pairs, quads, then halves of them change places. */
TARGET static inline __attribute__((always_inline)) void
transpose(const vector r[8], vector t[8])
{
    vector s[8], q[8];
    MOI_UNROLL
    for (int32_t i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    MOI_UNROLL
    for (int32_t i = 0; i < 8; i += 4) {
        q[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
        q[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xee);
        q[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        q[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    MOI_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(q[i], q[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(q[i], q[i + 4], 0x31);
    }
}

/* count columns (rows of from) and steps, each at most 8. */
TARGET static void transpose_block(const float *from, int64_t stride,
                                   int64_t columns, int64_t steps, float *to)
{
    const tail_mask tail = tail_of(steps), none = tail_of(0);
    vector r[8], t[8];
    for (int32_t i = 0; i < 8; i++)
        r[i] = load_tail(from + (i < columns ? i * stride : 0),
                         i < columns ? tail : none);
    transpose(r, t);
    for (int32_t i = 0; i < steps; i++)
        store(to + i * PANEL, t[i]);
}

TARGET static void pack_transposed(const float *from, int64_t stride,
                                   int64_t columns, int64_t depth, float *to)
{
    for (int64_t j = 0; j < columns; j += 8) {
        const int64_t count = columns - j < 8 ? columns - j : 8;
        for (int64_t p = 0; p < depth; p += 8) {
            const int64_t steps = depth - p < 8 ? depth - p : 8;
            transpose_block(from + j * stride + p, stride, count, steps,
                            to + p * PANEL + j);
        }
    }
}

#include "backend/product_tile.h"
#endif
