/* SPDX-License-Identifier: MIT
 * lib/backend/product_tile.h: the product, written once for all instruction
 * sets.
 *
 * C is made panel by panel (VECTORS vectors of columns), a panel tile by tile
 * (ROWS rows): a tile's sums stay in registers while k runs. Operands are read
 * where they lie; a panel of B is packed only when B is transposed, or so large
 * that its rows would push each other out of the cache. A needs no packing:
 * it is read one number a row and step, which every cache level delivers.
 *
 * The file that includes this defines: TARGET, LANES, VECTORS, ROWS (at most
 * 8), RUN (name of the entry), the types vector and tail_mask, and on them
 * tail_of, load, load_tail, store, store_tail, splat, fused, add, at_least_0,
 * where_positive and pack_transposed; and PACK_TAILS, 1 where load_tail is
 * slow: panels with a tail are packed then, zeros behind it. */
#include <stddef.h>

#include "backend/product.h"

#define INLINE TARGET static inline __attribute__((always_inline))

/* A piece of the work: rows top .. bottom-1, columns from j on, and steps
 * from .. from+depth-1 of k. */
typedef struct piece {
    const float *b; /* its first row of B, packed or not */
    int64_t ldb;
    int64_t top, bottom, j, from, depth;
    int32_t first, last; /* of the pieces along k */
    int32_t whole;       /* the last vector is full */
    tail_mask tail;      /* its lanes in use */
} piece;

INLINE vector get(const float *p, int32_t partial, tail_mask tail)
{
    return partial ? load_tail(p, tail) : load(p);
}

INLINE vector get_b(const float *b, int32_t partial, tail_mask tail)
{
    return get(b, partial && !PACK_TAILS, tail);
}

/* What the sums of row i begin with: the sums so far, the bias, or 0. */
INLINE void begin(const moi_product *product, const piece *part, int64_t i,
                  int32_t vectors, int32_t partial, vector *sum)
{
    const float *from = product->bias;
    if (!part->first)
        from = product->c + i * product->ldc;
    MOI_UNROLL for (int32_t v = 0; v < vectors; v++) {
        if (from == NULL)
            sum[v] = splat(0.0f);
        else
            sum[v] = get(from + part->j + v * LANES,
                         partial && v == vectors - 1, part->tail);
    }
}

/* The sums of a tile go to C. */
INLINE void put(const moi_product *product, const piece *part, int64_t i,
                int32_t rows, int32_t vectors, int32_t partial,
                const vector *sum)
{
    MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++) {
        const int32_t r = at / vectors, v = at % vectors;
        float *c = product->c + (i + r) * product->ldc + part->j + v * LANES;
        if (partial && v == vectors - 1)
            store_tail(c, sum[at], part->tail);
        else
            store(c, sum[at]);
    }
}

/* What follows the last addition. */
INLINE void finish(const moi_product *product, const piece *part, int64_t i,
                   int32_t rows, int32_t vectors, int32_t partial, vector *sum)
{
    const float *mask = product->mask;
    if (product->relu) {
        MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++)
            sum[at] = at_least_0(sum[at]);
    }
    if (mask == NULL)
        return;
    mask += i * product->ldc + part->j;
    MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++) {
        const int32_t r = at / vectors, v = at % vectors;
        sum[at] = where_positive(
            get(mask + r * product->ldc + v * LANES,
                partial && v == vectors - 1, part->tail), sum[at]);
    }
}

/* Rows i .. i+rows-1 of a piece. rows, vectors and partial are constants where
 * this is called, so that the loops over them vanish. Three pointers reach
 * eight rows by the addresses base, base + stride, base + 2 stride. */
INLINE void tile(const moi_product *product, const piece *part, int64_t i,
                 int32_t rows, int32_t vectors, int32_t partial)
{
    vector sum[ROWS * VECTORS];
    MOI_UNROLL for (int32_t r = 0; r < rows; r++)
        begin(product, part, i + r, vectors, partial, sum + r * vectors);
    const int64_t row = product->a_row, step = product->a_step;
    const float *a0 = product->a + i * row + part->from * step;
    const float *a3 = a0 + 3 * row, *a6 = a0 + 6 * row;
    const float *b = part->b;
    for (int64_t p = part->depth; p > 0; p--) {
        vector right[VECTORS];
        MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
            right[v] = get_b(b + v * LANES, partial && v == vectors - 1,
                             part->tail);
        MOI_UNROLL for (int32_t r = 0; r < rows; r++) {
            const float *at = r < 3 ? a0 + r * row
                : r < 6 ? a3 + (r - 3) * row : a6 + (r - 6) * row;
            const vector left = splat(*at);
            MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
                sum[r * vectors + v] =
                    fused(left, right[v], sum[r * vectors + v]);
        }
        a0 += step;
        a3 += step;
        a6 += step;
        b += part->ldb;
    }
    if (part->last)
        finish(product, part, i, rows, vectors, partial, sum);
    put(product, part, i, rows, vectors, partial, sum);
}

/* The rows that are left over from whole tiles. */
INLINE void last_rows(const moi_product *product, const piece *part, int64_t i,
                      int32_t vectors)
{
    switch (part->bottom - i) {
#if ROWS > 7
    case 7: tile(product, part, i, 7, vectors, 1); break;
    case 6: tile(product, part, i, 6, vectors, 1); break;
#endif
#if ROWS > 5
    case 5: tile(product, part, i, 5, vectors, 1); break;
    case 4: tile(product, part, i, 4, vectors, 1); break;
#endif
    case 3: tile(product, part, i, 3, vectors, 1); break;
    case 2: tile(product, part, i, 2, vectors, 1); break;
    case 1: tile(product, part, i, 1, vectors, 1); break;
    default: break;
    }
}

/* Column sums of the piece of B. */
INLINE void column_sums(const moi_product *product, const piece *part,
                        int32_t vectors)
{
    float *out = product->sums + part->j;
    vector sum[VECTORS];
    MOI_UNROLL for (int32_t v = 0; v < vectors; v++) {
        sum[v] = splat(0.0f);
        if (!part->first)
            sum[v] = get(out + v * LANES, v == vectors - 1, part->tail);
    }
    const float *b = part->b;
    for (int64_t p = part->depth; p > 0; p--, b += part->ldb) {
        MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
            sum[v] = add(sum[v], get_b(b + v * LANES, v == vectors - 1,
                                       part->tail));
    }
    MOI_UNROLL for (int32_t v = 0; v < vectors; v++) {
        if (v == vectors - 1)
            store_tail(out + v * LANES, sum[v], part->tail);
        else
            store(out + v * LANES, sum[v]);
    }
}

INLINE void run_piece(const moi_product *product, const piece *part,
                      int32_t vectors)
{
    int64_t i = part->top;
    if (part->whole) {
        for (; i + ROWS <= part->bottom; i += ROWS)
            tile(product, part, i, ROWS, vectors, 0);
    } else {
        for (; i + ROWS <= part->bottom; i += ROWS)
            tile(product, part, i, ROWS, vectors, 1);
    }
    last_rows(product, part, i, vectors);
    if (product->sums != NULL && part->top == 0)
        column_sums(product, part, vectors);
}

/* One function each: they are as large as the registers are many. */
TARGET static __attribute__((noinline)) void
run_1(const moi_product *product, const piece *part)
{
    run_piece(product, part, 1);
}

TARGET static __attribute__((noinline)) void
run_2(const moi_product *product, const piece *part)
{
    run_piece(product, part, 2);
}

#if VECTORS > 2
TARGET static __attribute__((noinline)) void
run_3(const moi_product *product, const piece *part)
{
    run_piece(product, part, 3);
}
#endif

/* Rows of B one behind the other, the width of the panel. */
TARGET static void pack(const moi_product *product, piece *part,
                        int64_t columns)
{
    const float *b = product->b;
    float *to = product->scratch;
    part->b = to;
    part->ldb = MOI_PANEL_WIDTH;
    if (product->trans_b) {
        pack_transposed(b + part->j * product->ldb + part->from, product->ldb,
                        columns, part->depth, to);
        return;
    }
    b += part->from * product->ldb + part->j;
    for (int64_t p = 0; p < part->depth; p++) {
        int64_t j = 0;
        for (; j + LANES <= columns; j += LANES)
            store(to + j, load(b + j));
        if (j < columns)
            store(to + j, load_tail(b + j, part->tail));
        b += product->ldb;
        to += MOI_PANEL_WIDTH;
    }
}

/* Is B so large, and used by so many tiles, that packing it pays? */
static int32_t wants_pack(const moi_product *product)
{
    return product->trans_b
        || (product->m >= 8 * ROWS && product->k * product->ldb > 1 << 15);
}

TARGET static void run_panel(const moi_product *product, piece *part, int64_t columns)
{
    const int32_t vectors = (int32_t)((columns + LANES - 1) / LANES);
    part->whole = columns % LANES == 0;
    part->tail = tail_of(columns - (vectors - 1) * LANES);
    part->b = product->b + part->from * product->ldb + part->j;
    part->ldb = product->ldb;
    if (wants_pack(product) || (PACK_TAILS && !part->whole))
        pack(product, part, columns);
    if (vectors == 1)
        run_1(product, part);
    else if (vectors == 2)
        run_2(product, part);
#if VECTORS > 2
    else
        run_3(product, part);
#endif
}

/* Panels as wide as there are registers for, but two of two vectors rather
 * than three and one. */
TARGET static void run_rows(const moi_product *product, piece *part)
{
    int64_t columns = 0;
    for (part->j = 0; part->j < product->n; part->j += columns) {
        const int64_t left = product->n - part->j;
        columns = VECTORS * LANES;
        if (VECTORS == 3 && left > columns && left <= columns + LANES)
            columns -= LANES;
        if (columns > left)
            columns = left;
        run_panel(product, part, columns);
    }
}

/* Blocks of A of at most MOI_BLOCK numbers stay in the second-level cache
 * while the panels pass; but a panel is packed once for all rows. Without rows
 * or steps there may still be sums or biases to write. */
TARGET void RUN(const moi_product *product)
{
    piece part = {.from = 0};
    do {
        part.depth = product->k - part.from;
        if (part.depth > MOI_PANEL_DEPTH)
            part.depth = MOI_PANEL_DEPTH;
        part.first = part.from == 0;
        part.last = part.from + part.depth == product->k;
        int64_t height = product->m + 1;
        if (!wants_pack(product))
            height = MOI_BLOCK / (part.depth + 1) / ROWS * ROWS;
        for (part.top = 0; part.top == 0 || part.top < product->m;
             part.top += height) {
            part.bottom = part.top + height;
            if (part.bottom > product->m)
                part.bottom = product->m;
            run_rows(product, &part);
        }
        part.from += part.depth;
    } while (part.from < product->k);
}
