/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/ridge.c: ridge regression by its normal equations. */
#include "learn/transfer/ridge.h"

#include <string.h>

#include "backend/backend.h"
#include "backend/kernels.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "base/threads.h"

#define PIECE 512 /* rows whose products are made together */
#define STRIP 32  /* rows of the products that one task makes */
#define BLOCK 512 /* columns of them that stay in the cache */

int32_t moi_ridge_create(mopt_context *ctx, int64_t width, int64_t targets,
                         int64_t room, moi_ridge *r)
{
    int64_t span = width + targets, cells = 0, square = 0;
    int32_t rc = moi_multiply(room, span, "features", &cells);

    *r = (moi_ridge){.ctx = ctx, .width = width, .targets = targets,
                     .span = span, .room = room};
    if (!rc)
        rc = moi_multiply(width, span, "products of features", &square);
    if (rc)
        return rc;
    r->mean = moi_calloc(ctx, span, sizeof *r->mean);
    r->shift = moi_calloc(ctx, span, sizeof *r->shift);
    r->table = moi_alloc(ctx, cells, sizeof *r->table);
    r->gram = moi_calloc(ctx, square, sizeof *r->gram);
    r->weights = moi_alloc(ctx, width * targets, sizeof *r->weights);
    return r->mean && r->shift && r->table && r->gram && r->weights
               ? MOPT_OK : MOPT_ENOMEM;
}

void moi_ridge_clear(moi_ridge *r)
{
    moi_free(r->ctx, r->mean);
    moi_free(r->ctx, r->shift);
    moi_free(r->ctx, r->table);
    moi_free(r->ctx, r->gram);
    moi_free(r->ctx, r->weights);
}

/* ---- rows ---- */

/* Some rows, less what the mean was at first: little is lost then when the
 * rest of it is taken out of the products in the end. */
typedef struct piece {
    moi_ridge *r;
    int64_t rows;
    double *table; /* [PIECE][span] */
} piece;

/* out[k] += sum over 8 rows of x[row][i] y[row][k]: a number of out is read
 * and written once for them. */
static inline void add_eight(int64_t span, const double *x, const double *y,
                             int64_t count, double *out)
{
    const double *z = y + 4 * span;
    const double x0 = x[0], x1 = x[span], x2 = x[2 * span], x3 = x[3 * span],
                 x4 = x[4 * span], x5 = x[5 * span], x6 = x[6 * span],
                 x7 = x[7 * span];

    for (int64_t k = 0; k < count; k++)
        out[k] += ((x0 * y[k] + x1 * y[span + k]) +
                   (x2 * y[2 * span + k] + x3 * y[3 * span + k])) +
                  ((x4 * z[k] + x5 * z[span + k]) +
                   (x6 * z[2 * span + k] + x7 * z[3 * span + k]));
}

/* Rows top .. bottom-1 of the products, columns from .. to-1 of the upper
 * triangle. The piece ends in rows of 0, a multiple of 8 in all. */
MOI_CLONES static void add_strip(const piece *p, int64_t top, int64_t bottom,
                                 int64_t from, int64_t to)
{
    const int64_t span = p->r->span;

    for (int64_t row = 0; row < p->rows; row += 8) {
        const double *x = p->table + row * span;

        for (int64_t i = top; i < bottom; i++) {
            const int64_t k = i > from ? i : from;

            if (k < to)
                add_eight(span, x + i, x + k, to - k,
                          p->r->gram + i * span + k);
        }
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Task after task: strips of the products. Each number is one task's, and
 * grows in the order of the rows, whoever does it. */
static void add_task(void *work, int64_t task)
{
    const piece *p = work;
    int64_t top = task * STRIP, bottom = least(top + STRIP, p->r->width);

    for (int64_t at = top / BLOCK * BLOCK; at < p->r->span; at += BLOCK)
        add_strip(p, top, bottom, at, least(at + BLOCK, p->r->span));
}

static void take_row(const moi_ridge *r, const moi_real *x, const moi_real *y,
                     double *to)
{
    for (int64_t k = 0; k < r->width; k++)
        to[k] = (double)x[k];
    for (int64_t k = 0; k < r->targets; k++)
        to[r->width + k] = (double)y[k];
}

/* The mean of the first piece is what all rows are told against. */
static void find_shift(const piece *p, double *shift)
{
    int64_t span = p->r->span;

    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t k = 0; k < span; k++)
            shift[k] += p->table[i * span + k] / (double)p->rows;
}

/* Take the shift away, add up what is left, keep the first rows. */
static void shift_rows(const piece *p)
{
    moi_ridge *r = p->r;

    for (int64_t i = 0; i < p->rows; i++) {
        double *row = p->table + i * r->span;

        for (int64_t k = 0; k < r->span; k++) {
            row[k] -= r->shift[k];
            r->mean[k] += row[k];
        }
        if (r->kept < r->room)
            memcpy(r->table + r->kept++ * r->span, row,
                   (size_t)r->span * sizeof *row);
    }
}

static void add_piece(piece *p, const moi_real *x, const moi_real *y)
{
    moi_ridge *r = p->r;
    int64_t over = (8 - p->rows % 8) % 8;

    for (int64_t i = 0; i < p->rows; i++)
        take_row(r, x + i * r->width, y + i * r->targets,
                 p->table + i * r->span);
    if (r->rows == 0)
        find_shift(p, r->shift);
    shift_rows(p);
    memset(p->table + p->rows * r->span, 0,
           (size_t)(over * r->span) * sizeof *p->table);
    r->rows += p->rows;
    p->rows += over;
    moi_parallel(r->ctx, (r->width + STRIP - 1) / STRIP, 0, add_task, p);
}

int32_t moi_ridge_add(moi_ridge *r, int64_t rows, const moi_real *x,
                      const moi_real *y)
{
    piece p = {.r = r,
               .table = moi_alloc(r->ctx, PIECE * r->span, sizeof(double))};

    if (!p.table)
        return MOPT_ENOMEM;
    for (int64_t at = 0; at < rows; at += PIECE) {
        p.rows = least(PIECE, rows - at);
        add_piece(&p, x + at * r->width, y + at * r->targets);
    }
    moi_free(r->ctx, p.table);
    return MOPT_OK;
}

void moi_ridge_close(moi_ridge *r)
{
    double n = (double)r->rows;

    for (int64_t i = 0; i < r->width; i++)
        for (int64_t k = i; k < r->span; k++) {
            double *at = r->gram + i * r->span + k;

            *at -= r->mean[i] * r->mean[k] / n;
            if (k < r->width)
                r->gram[k * r->span + i] = *at;
        }
    for (int64_t k = 0; k < r->span; k++) {
        r->mean[k] /= n;
        for (int64_t i = 0; i < r->kept; i++)
            r->table[i * r->span + k] -= r->mean[k];
        r->mean[k] += r->shift[k];
    }
}

/* ---- its equations ---- */

/* The products of the features, and those with the targets, each packed. */
static void unpack(const moi_ridge *r, double penalty, double *a, double *b)
{
    for (int64_t i = 0; i < r->width; i++) {
        const double *row = r->gram + i * r->span;

        memcpy(a + i * r->width, row, (size_t)r->width * sizeof *a);
        memcpy(b + i * r->targets, row + r->width,
               (size_t)r->targets * sizeof *b);
        a[i * (r->width + 1)] += penalty;
    }
}

int32_t moi_ridge_solve(moi_ridge *r, double penalty)
{
    int64_t d = r->width;
    double *a = moi_alloc(r->ctx, d * d, sizeof *a);
    char text[MOI_NUMBER_SIZE];
    int32_t rc;

    if (!a)
        return MOPT_ENOMEM;
    unpack(r, penalty, a, r->weights);
    rc = moi_dposv(r->ctx, d, r->targets, a, d, r->weights, r->targets);
    moi_free(r->ctx, a);
    if (rc > 0)
        return moi_fail(MOPT_EBACKEND, "the features cannot be solved for "
                        "with a penalty of %s",
                        moi_number_text(penalty, text));
    r->penalty = penalty;
    return rc;
}
