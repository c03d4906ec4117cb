/* SPDX-License-Identifier: MIT
 * lib/backend/product_baseline.c: products in what every machine of the target
 * has: vectors of four by the compiler's own extension, tiles of 4 x 8. */
#include <string.h>

#include "backend/product.h"

#define TARGET
#define LANES 4
#define VECTORS 2
#define PANEL (VECTORS * LANES)
#define ROWS(vectors) 4
#define PACK_TAILS 1
#define RUN moi_product_baseline

typedef float vector __attribute__((vector_size(16)));
typedef int32_t choice __attribute__((vector_size(16)));
typedef int64_t tail_mask; /* lanes in use */

static inline tail_mask tail_of(int64_t lanes)
{
    return lanes;
}

static inline vector load(const float *p)
{
    vector v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline vector load_tail(const float *p, tail_mask tail)
{
    vector v = {0};
    for (int64_t i = 0; i < tail; i++)
        v[i] = p[i];
    return v;
}

static inline void store(float *p, vector v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store_tail(float *p, vector v, tail_mask tail)
{
    for (int64_t i = 0; i < tail; i++)
        p[i] = v[i];
}

static inline vector splat(float x)
{
    return (vector){x, x, x, x};
}

static inline vector fused(vector a, vector b, vector c)
{
    return a * b + c;
}

static inline vector add(vector a, vector b)
{
    return a + b;
}

/* All bits where the choice is true, none elsewhere. */
static inline vector keep(choice where, vector v)
{
    return (vector)(where & (choice)v);
}

static inline vector at_least_0(vector v)
{
    return keep(~(choice)(v < splat(0)), v);
}

static inline vector where_positive(vector mask, vector v)
{
    return keep((choice)(mask > splat(0)), v);
}

static void pack_transposed(const float *from, int64_t stride, int64_t columns,
                            int64_t depth, float *to)
{
    for (int64_t j = 0; j < (columns + LANES - 1) / LANES * LANES; j++) {
        for (int64_t p = 0; p < depth; p++)
            to[p * PANEL + j] =
                j < columns ? from[j * stride + p] : 0;
    }
}

#include "backend/product_tile.h"
