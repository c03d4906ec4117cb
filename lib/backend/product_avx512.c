/* SPDX-License-Identifier: MIT
 * lib/backend/product_avx512.c: products with AVX-512: tiles of 4 x 64. */
#include "backend/product.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define LANES 16
#define VECTORS 4
#define PANEL (VECTORS * LANES)
#define ROWS(vectors) ((vectors) > 2 ? 4 : 8)
#define PACK_TAILS 0
#define RUN moi_product_avx512

typedef __m512 vector;
typedef __mmask16 tail_mask;

TARGET static inline tail_mask tail_of(int64_t lanes)
{
    return (tail_mask)((1u << lanes) - 1);
}

TARGET static inline vector load(const float *p)
{
    return _mm512_loadu_ps(p);
}

TARGET static inline vector load_tail(const float *p, tail_mask tail)
{
    return _mm512_maskz_loadu_ps(tail, p);
}

TARGET static inline void store(float *p, vector v)
{
    _mm512_storeu_ps(p, v);
}

TARGET static inline void store_tail(float *p, vector v, tail_mask tail)
{
    _mm512_mask_storeu_ps(p, tail, v);
}

TARGET static inline vector splat(float x)
{
    return _mm512_set1_ps(x);
}

TARGET static inline vector fused(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

TARGET static inline vector add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}

/* The second operand is returned when one is NaN. */
TARGET static inline vector at_least_0(vector v)
{
    return _mm512_max_ps(_mm512_setzero_ps(), v);
}

TARGET static inline vector where_positive(vector mask, vector v)
{
    return _mm512_maskz_mov_ps(
        _mm512_cmp_ps_mask(mask, _mm512_setzero_ps(), _CMP_GT_OQ), v);
}

/* 16 vectors of 16: pairs, quads, then quarters of them change places. */
TARGET static inline __attribute__((always_inline)) void
transpose(const vector r[16], vector t[16])
{
    vector s[16], q[16];
    MOI_UNROLL
    for (int32_t i = 0; i < 16; i += 2) {
        s[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    MOI_UNROLL
    for (int32_t i = 0; i < 16; i += 4) {
        q[i] = _mm512_shuffle_ps(s[i], s[i + 2], 0x44);
        q[i + 1] = _mm512_shuffle_ps(s[i], s[i + 2], 0xee);
        q[i + 2] = _mm512_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        q[i + 3] = _mm512_shuffle_ps(s[i + 1], s[i + 3], 0xee);
    }
    MOI_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        const vector a = _mm512_shuffle_f32x4(q[i], q[i + 4], 0x88);
        const vector b = _mm512_shuffle_f32x4(q[i], q[i + 4], 0xdd);
        const vector c = _mm512_shuffle_f32x4(q[i + 8], q[i + 12], 0x88);
        const vector d = _mm512_shuffle_f32x4(q[i + 8], q[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        t[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

/* count columns (rows of from) and steps, each at most 16. */
TARGET static void transpose_block(const float *from, int64_t stride,
                                   int64_t columns, int64_t steps, float *to)
{
    const tail_mask tail = tail_of(steps);
    vector r[16], t[16];
    if (columns == 16) {
        MOI_UNROLL
        for (int32_t i = 0; i < 16; i++)
            r[i] = load_tail(from + i * stride, tail);
    } else {
        for (int32_t i = 0; i < 16; i++)
            r[i] = load_tail(from + i * stride, i < columns ? tail : 0);
    }
    transpose(r, t);
    if (steps == 16) {
        MOI_UNROLL
        for (int32_t i = 0; i < 16; i++)
            store(to + i * PANEL, t[i]);
    } else {
        for (int32_t i = 0; i < steps; i++)
            store(to + i * PANEL, t[i]);
    }
}

TARGET static void pack_transposed(const float *from, int64_t stride,
                                   int64_t columns, int64_t depth, float *to)
{
    for (int64_t j = 0; j < columns; j += 16) {
        const int64_t count = columns - j < 16 ? columns - j : 16;
        for (int64_t p = 0; p < depth; p += 16) {
            const int64_t steps = depth - p < 16 ? depth - p : 16;
            transpose_block(from + j * stride + p, stride, count, steps,
                            to + p * PANEL + j);
        }
    }
}

#include "backend/product_tile.h"
#endif
