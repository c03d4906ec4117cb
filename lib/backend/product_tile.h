/* SPDX-License-Identifier: MIT
 * lib/backend/product_tile.h: the product, written once for all instruction
 * sets.
 *
 * C is made panel by panel (up to VECTORS vectors of columns), a panel tile by
 * tile (ROWS(vectors) rows), whose sums stay in registers while k runs.
 * Operands are read where they lie, as long as that is next to each other. B is
 * packed when it is transposed; or, by the first tile of a panel on the way,
 * when it is so large that its rows would push each other out of the cache. A
 * is read one number a row and step, and packed when it is transposed and many
 * panels read it, by four rows. */

/* The file that includes this defines: TARGET, LANES, VECTORS (2 to 4), PANEL
 * (their product: columns of a panel), ROWS(vectors) (4 for a whole panel, at
 * most 8 for fewer), RUN (name of the entry), the types vector and tail_mask,
 * and on them tail_of, load, load_tail, store, store_tail, splat, fused, add,
 * at_least_0, where_positive and pack_transposed; and PACK_TAILS, 1 where
 * load_tail is slow: panels with a tail are packed then, with zeros behind
 * it. */
#include <stddef.h>
#include <string.h>

#include "backend/product.h"

#define INLINE TARGET static inline __attribute__((always_inline))

#define QUAD 4   /* rows that A is packed by */
#define LINE 16  /* numbers of a cache line */
#define AHEAD 16 /* rows of B that are fetched early */

/* A piece of the work: rows top .. bottom-1, columns from j on, and steps
 * from .. from+depth-1 of k. */
typedef struct piece {
    const float *packed; /* its rows of A, or NULL: they lie where they are */
    const float *a; /* its first row of A, packed or not: from there, strides
                       to the next row of four, step and four */
    int64_t row, step, quad;
    const float *b; /* its first row of B, packed or not */
    int64_t ldb;
    float *pack; /* where the first tile packs it to, or NULL */
    const float *start; /* what row i begins with: C, bias, or NULL: 0 */
    int64_t start_row;
    int64_t top, bottom, j, from, depth;
    int64_t chain; /* steps of one: depth, if there are no others */
    int32_t first, last; /* of the pieces along k */
    int32_t whole;       /* the last vector is full */
    tail_mask tail;      /* its lanes in use */
} piece;

INLINE vector get(const float *p, int32_t partial, tail_mask tail)
{
    return partial ? load_tail(p, tail) : load(p);
}

/* What the sums of a tile begin with. */
INLINE void begin(const piece *part, int64_t i, int32_t rows, int32_t vectors,
                  int32_t partial, vector *sum)
{
    const float *start = part->start;
    if (start == NULL) {
        MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++)
            sum[at] = splat(0.0f);
        return;
    }
    start += i * part->start_row;
    MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++) {
        const int32_t r = at / vectors, v = at % vectors;
        sum[at] = get(start + r * part->start_row + v * LANES,
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
    if (product->onto) {
        const float *c = product->c + i * product->ldc + part->j;
        MOI_UNROLL for (int32_t at = 0; at < rows * vectors; at++) {
            const int32_t r = at / vectors, v = at % vectors;
            sum[at] = add(get(c + r * product->ldc + v * LANES,
                              partial && v == vectors - 1, part->tail),
                          sum[at]);
        }
    }
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

/* Sums at the end of a chain, as many chains into the piece. Those of earlier
 * ones wait in held[level] for their other half, of 2^level chains each, where
 * bit `level` of at is set. The last chain takes in all that wait; any other
 * joins its halves, waits itself, and what follows begins with 0. */
INLINE void end_chain(int64_t at, int32_t last, int32_t count, vector *held,
                      vector *sum)
{
    for (; at != 0 && (last || (at & 1)); at >>= 1, held += count) {
        if (!(at & 1))
            continue;
        MOI_UNROLL for (int32_t i = 0; i < count; i++)
            sum[i] = add(held[i], sum[i]);
    }
    if (last)
        return;
    MOI_UNROLL for (int32_t i = 0; i < count; i++) {
        held[i] = sum[i];
        sum[i] = splat(0.0f);
    }
}

/* Column sums of B are made with the first rows of C, from one piece along k
 * to the next. */
INLINE int32_t has_sums(const moi_product *product, const piece *part)
{
    return product->sums != NULL && part->top == 0;
}

INLINE void begin_sums(const moi_product *product, const piece *part,
                       int32_t vectors, vector *column)
{
    MOI_UNROLL for (int32_t v = 0; v < vectors; v++) {
        column[v] = splat(0.0f);
        if (has_sums(product, part) && !part->first)
            column[v] = get(product->sums + part->j + v * LANES,
                            v == vectors - 1, part->tail);
    }
}

INLINE void put_sums(const moi_product *product, const piece *part,
                     int32_t vectors, const vector *column)
{
    float *out = product->sums + part->j;
    if (!has_sums(product, part))
        return;
    MOI_UNROLL for (int32_t v = 0; v < vectors; v++) {
        const int32_t partial = v == vectors - 1;
        vector total = column[v];
        if (product->onto)
            total = add(get(out + v * LANES, partial, part->tail), total);
        if (partial)
            store_tail(out + v * LANES, total, part->tail);
        else
            store(out + v * LANES, total);
    }
}

/* Column sums alone, for products of few rows. */
INLINE void column_sums(const moi_product *product, const piece *part,
                        int32_t vectors)
{
    vector column[VECTORS], held[MOI_CHAIN_LEVELS * VECTORS];
    const float *b = part->b;
    int64_t left = part->depth, at = 0;
    begin_sums(product, part, vectors, column);
    do {
        int64_t p = left < part->chain ? left : part->chain;
        left -= p;
        for (; p > 0; p--, b += part->ldb) {
            MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
                column[v] = add(column[v], get(b + v * LANES,
                                               v == vectors - 1, part->tail));
        }
        end_chain(at++, left == 0, vectors, held, column);
    } while (left > 0);
    put_sums(product, part, vectors, column);
}

/* What a piece's first tile does beside its own work, while it has the rows of
 * B in its hands: pack them, and add them up. Each may be in another page,
 * where the processor does not look ahead by itself. */
INLINE void open_row(const moi_product *product, float **pack,
                     int32_t vectors, const float *ahead, const vector *right,
                     vector *column)
{
    MOI_UNROLL for (int32_t v = 0; v < vectors; v += LINE / LANES)
        __builtin_prefetch(ahead + v * LANES);
    if (*pack != NULL) {
        MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
            store(*pack + v * LANES, right[v]);
        *pack += PANEL;
    }
    if (product->sums != NULL) {
        MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
            column[v] = add(column[v], right[v]);
    }
}

/* The next tile's rows of C, which may all be in pages of their own; if this
 * tile takes as long as that. */
INLINE void fetch_next(const moi_product *product, const piece *part,
                       int64_t i, int32_t rows, int32_t vectors)
{
    const float *c = product->c + i * product->ldc + part->j;
    if (part->depth < LINE)
        return;
    MOI_UNROLL for (int32_t r = 0; r < rows; r++) {
        MOI_UNROLL for (int32_t v = 0; v < vectors; v += LINE / LANES)
            __builtin_prefetch(c + r * product->ldc + v * LANES, 1);
    }
}

/* Kinds of tiles: the last vector of each row is full; or it is cut, in B by
 * its tail or by packed zeros; or by its tail anyway: the tile of the rows that
 * are left over, and the first one of a piece. */
#define FULL 0
#define CUT 1
#define CUT_REST 2
#define CUT_FIRST 3

/* Rows i .. i+rows-1 of a piece. rows, vectors and kind are constants where
 * this is called, so that the loops over them vanish. */
INLINE void tile(const moi_product *product, const piece *part, int64_t i,
                 int32_t rows, int32_t vectors, int32_t kind)
{
    vector sum[ROWS(1) * VECTORS], column[VECTORS];
    vector sums_held[MOI_CHAIN_LEVELS * ROWS(1) * VECTORS];
    vector columns_held[MOI_CHAIN_LEVELS * VECTORS];
    begin(part, i, rows, vectors, kind, sum);
    fetch_next(product, part, i + rows, rows, vectors);
    if (kind == CUT_FIRST)
        begin_sums(product, part, vectors, column);
    const int64_t row = part->row, step = part->step, ldb = part->ldb;
    const int32_t cut = kind > CUT || (kind == CUT && !PACK_TAILS);
    const float *a0 = part->a + (i - part->top) / QUAD * part->quad +
                      (i - part->top) % QUAD * row;
    const float *a4 = a0 + part->quad;
    const float *b = part->b;
    float *packed = part->pack;
    int64_t rest = part->depth, chain = 0;
    do {
        int64_t p = rest < part->chain ? rest : part->chain;
        rest -= p;
        MOI_UNROLL_STEPS for (; p > 0; p--) {
            vector right[VECTORS];
            MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
                right[v] = get(b + v * LANES, cut && v == vectors - 1,
                               part->tail);
            if (kind == CUT_FIRST)
                open_row(product, &packed, vectors, b + AHEAD * ldb, right,
                         column);
            MOI_UNROLL for (int32_t r = 0; r < rows; r++) {
                const vector left = splat(r < QUAD ? a0[r * row]
                                                   : a4[(r - QUAD) * row]);
                MOI_UNROLL for (int32_t v = 0; v < vectors; v++)
                    sum[r * vectors + v] =
                        fused(left, right[v], sum[r * vectors + v]);
            }
            a0 += step;
            a4 += step;
            b += ldb;
        }
        end_chain(chain, rest == 0, rows * vectors, sums_held, sum);
        if (kind == CUT_FIRST)
            end_chain(chain, rest == 0, vectors, columns_held, column);
        chain++;
    } while (rest > 0);
    if (part->last)
        finish(product, part, i, rows, vectors, kind, sum);
    put(product, part, i, rows, vectors, kind, sum);
    if (kind == CUT_FIRST)
        put_sums(product, part, vectors, column);
}

/* The rows that are left over from whole tiles: fewer than one has. */
INLINE void last_rows(const moi_product *product, const piece *part, int64_t i,
                      int32_t vectors)
{
    if (ROWS(vectors) > QUAD && part->bottom - i >= QUAD) {
        tile(product, part, i, QUAD, vectors, CUT_REST);
        i += QUAD;
    }
    switch (part->bottom - i) {
    case 3: tile(product, part, i, 3, vectors, CUT_REST); break;
    case 2: tile(product, part, i, 2, vectors, CUT_REST); break;
    case 1: tile(product, part, i, 1, vectors, CUT_REST); break;
    default: break;
    }
}

/* The first tile packs where that is wanted; without a whole tile, nothing
 * is. */
INLINE void run_piece(const moi_product *product, piece *part,
                      int32_t vectors)
{
    const int32_t rows = ROWS(vectors);
    int64_t i = part->top;
    if (i + rows <= part->bottom) {
        tile(product, part, i, rows, vectors, CUT_FIRST);
        i += rows;
        if (part->pack != NULL) {
            part->b = part->pack;
            part->ldb = PANEL;
        }
    } else if (product->sums != NULL && i == 0) {
        column_sums(product, part, vectors);
    }
    if (part->whole) {
        for (; i + rows <= part->bottom; i += rows)
            tile(product, part, i, rows, vectors, FULL);
    } else {
        for (; i + rows <= part->bottom; i += rows)
            tile(product, part, i, rows, vectors, CUT);
    }
    last_rows(product, part, i, vectors);
}

/* One function each: they are as large as the registers are many. */
#define RUN_PIECE(vectors) \
    TARGET static __attribute__((noinline)) void run_##vectors( \
        const moi_product *product, piece *part) \
    { \
        run_piece(product, part, vectors); \
    }
RUN_PIECE(1)
RUN_PIECE(2)
#if VECTORS > 2
RUN_PIECE(3)
#endif
#if VECTORS > 3
RUN_PIECE(4)
#endif

/* Is B so large, and used by so many tiles, that packing it pays? */
static int32_t is_large(const moi_product *product)
{
    return product->m >= 2 * QUAD && product->k * product->ldb > 1 << 13;
}

/* Does A lie across, and is read so often that packing it pays? */
static int32_t packs_a(const moi_product *product)
{
    return product->a_step > 1 && product->a_row == 1 &&
           product->n >= 8 * PANEL;
}

INLINE void copy_quad(int64_t left, const float *from, float *to)
{
    if (left >= QUAD)
        memcpy(to, from, QUAD * sizeof(float));
    for (int64_t i = 0; left < QUAD && i < left; i++)
        to[i] = from[i];
}

/* The rows of a block, line by line. */
TARGET static void pack_a(const moi_product *product, piece *part)
{
    float *to = product->scratch + moi_product_scratch(product->k, 0);
    const int64_t rows = part->bottom - part->top, step = product->a_step;
    const float *from = product->a + part->top + part->from * step;
    for (int64_t line = 0; line < rows; line += LINE) {
        for (int64_t p = 0; p < part->depth; p++) {
            for (int64_t i = line; i < rows && i < line + LINE; i += QUAD)
                copy_quad(rows - i, from + i + p * step,
                          to + i * part->depth + p * QUAD);
        }
    }
    part->packed = to;
}

/* Tiles of whole panels begin at multiples of four, and read packed rows. */
static void set_a(const moi_product *product, piece *part, int32_t vectors)
{
    if (part->packed != NULL && vectors == VECTORS) {
        part->a = part->packed;
        part->row = 1;
        part->step = QUAD;
        part->quad = QUAD * part->depth;
        return;
    }
    part->a = product->a + part->top * product->a_row +
              part->from * product->a_step;
    part->row = product->a_row;
    part->step = product->a_step;
    part->quad = QUAD * part->row;
}

static void set_start(const moi_product *product, piece *part)
{
    part->start_row = part->first ? 0 : product->ldc;
    part->start = part->first ? product->bias : product->c;
    if (part->start != NULL)
        part->start += part->j;
}

TARGET static void run_panel(const moi_product *product, piece *part,
                             int64_t columns)
{
    const int32_t vectors = (int32_t)((columns + LANES - 1) / LANES);
    const int64_t ldb = product->ldb;
    part->whole = columns % LANES == 0;
    part->tail = tail_of(columns - (vectors - 1) * LANES);
    part->pack = NULL;
    set_start(product, part);
    set_a(product, part, vectors);
    if (product->trans_b) {
        pack_transposed(product->b + part->j * ldb + part->from, ldb, columns,
                        part->depth, product->scratch);
        part->b = product->scratch;
        part->ldb = PANEL;
    } else {
        part->b = product->b + part->from * ldb + part->j;
        part->ldb = ldb;
        if (is_large(product) || (PACK_TAILS && !part->whole))
            part->pack = product->scratch;
    }
    switch (vectors) {
    case 1: run_1(product, part); break;
    case 2: run_2(product, part); break;
#if VECTORS > 2
    case 3: run_3(product, part); break;
#endif
#if VECTORS > 3
    default: run_4(product, part); break;
#endif
    }
}

/* Panels as wide as there are registers for; but not a last one of a single
 * vector if it can be helped. */
TARGET static void run_rows(const moi_product *product, piece *part)
{
    int64_t columns = 0;
    for (part->j = 0; part->j < product->n; part->j += columns) {
        const int64_t left = product->n - part->j;
        columns = VECTORS * LANES;
        if (VECTORS > 2 && left > columns && left <= columns + LANES)
            columns -= LANES;
        if (columns > left)
            columns = left;
        run_panel(product, part, columns);
    }
}

/* Blocks of A of a certain size stay in the second-level cache while the
 * panels pass; but if A lies well, a panel is packed once for all rows. */
static int64_t height_of(const moi_product *product, int64_t depth)
{
    const int64_t m = product->m;
    if (packs_a(product)) {
        const int64_t most = MOI_PACKED_BLOCK / (depth + 1), count = m / most;
        return (m / (count + 1) + 8) / 8 * 8;
    }
    if (!product->trans_b && !is_large(product))
        return MOI_BLOCK / (depth + 1) / 8 * 8;
    return m + 1;
}

/* Without rows or steps there may still be sums or biases to write. */
TARGET void RUN(const moi_product *product)
{
    piece part = {.from = 0};
    do {
        part.depth = product->k - part.from;
        if (part.depth > MOI_PANEL_DEPTH)
            part.depth = MOI_PANEL_DEPTH;
        part.first = part.from == 0;
        part.last = part.from + part.depth == product->k;
        part.chain = product->chain > 0 ? product->chain : part.depth;
        const int64_t height = height_of(product, part.depth);
        for (part.top = 0; part.top == 0 || part.top < product->m;
             part.top += height) {
            part.bottom = part.top + height;
            if (part.bottom > product->m)
                part.bottom = product->m;
            if (packs_a(product))
                pack_a(product, &part);
            run_rows(product, &part);
        }
        part.from += part.depth;
    } while (part.from < product->k);
}
