/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/leaveout.c: see leaveout.h. */
#include "learn/transfer/leaveout.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/factor.h"
#include "backend/kernels.h"
#include "base/cancel.h"
#include "base/memory.h"
#include "base/threads.h"

#define PENALTIES 13 /* tried: 1e-6 .. 1e6 of the features' mean square */
#define LANES 256    /* rows that are worked on together */

/* ---- tridiagonal products ---- */

/* A (I - tau v v^T) for rows from .. d-1 of A, v with v[from] = 1 packed. */
MOI_CLONES static void reflect_right(int64_t d, int64_t from, double tau,
                                     const double *v, double *a)
{
    for (int64_t i = from; i < d; i++) {
        double *row = a + i * d, sum = 0;

        for (int64_t k = from; k < d; k++)
            sum += row[k] * v[k];
        for (int64_t k = from; k < d; k++)
            row[k] -= tau * sum * v[k];
    }
}

/* a[d][d], symmetric, becomes the reflectors that make it tridiagonal, one
 * below the diagonal of each column; beside receives what is left there. */
static int32_t reduce(int64_t d, double *a, double *v, double *tau,
                      mopt_cancel *cancel, double *beside)
{
    int32_t rc = MOPT_OK;

    for (int64_t j = 0; !rc && j < d - 1; j++) {
        /* The same matrix without its first row. */
        tau[j] = moi_reflector(d - 1, j, a + d, d);
        beside[j + 1] = a[(j + 1) * d + j];
        moi_reflect(d - 1, j, tau[j], j + 1, d, a + d, d);
        v[j + 1] = 1;
        for (int64_t i = j + 2; i < d; i++)
            v[i] = a[i * d + j];
        reflect_right(d, j + 1, tau[j], v, a);
        rc = moi_cancel_check(cancel);
    }
    return rc;
}

/* The reflectors become their product Q, from the last one back: each moves
 * one column to the right, where Q has it. */
static void expand(int64_t d, const double *tau, double *a)
{
    for (int64_t i = 0; i < d; i++) {
        for (int64_t j = d - 1; j > 0; j--)
            a[i * d + j] = i > j ? a[i * d + j - 1] : i == j;
        a[i * d] = i == 0;
    }
    for (int64_t j = d - 2; j >= 0; j--) {
        moi_reflect(d, j + 1, tau[j], j + 2, d, a, d);
        moi_reflect_unit(d, j + 1, tau[j], a, d);
    }
}

/* ---- life ---- */

void moi_leaveout_clear(moi_leaveout *l)
{
    if (!l->r)
        return;
    moi_free(l->r->ctx, l->turned);
    moi_free(l->r->ctx, l->diagonal);
    moi_free(l->r->ctx, l->beside);
    moi_free(l->r->ctx, l->wanted);
}

/* Features and targets of the kept rows, and the products, by Q. */
static int32_t turn(moi_leaveout *l, const double *q)
{
    const moi_ridge *r = l->r;
    int64_t d = r->width;
    int32_t rc = moi_dgemm(r->ctx, 1, 1, d, r->kept, d, 1, q, d, r->table,
                           r->span, 0, l->turned, r->kept);

    return rc ? rc : moi_dgemm(r->ctx, 1, 0, d, r->targets, d, 1, q, d,
                               r->gram + d, r->span, 0, l->wanted,
                               r->targets);
}

static int32_t make(moi_leaveout *l, double *q, double *room,
                    mopt_cancel *cancel)
{
    int64_t d = l->r->width;
    int32_t rc;

    for (int64_t i = 0; i < d; i++)
        memcpy(q + i * d, l->r->gram + i * l->r->span,
               (size_t)d * sizeof *q);
    rc = reduce(d, q, room, room + d, cancel, l->beside);
    if (rc)
        return rc;
    for (int64_t k = 0; k < d; k++)
        l->diagonal[k] = q[k * (d + 1)];
    expand(d, room + d, q);
    return turn(l, q);
}

int32_t moi_leaveout_create(const moi_ridge *r, mopt_cancel *cancel,
                            moi_leaveout *out)
{
    int64_t d = r->width;
    moi_leaveout l = {.r = r, .width = d + d % 2};
    double *q = moi_alloc(r->ctx, d * d, sizeof *q);
    double *room = moi_alloc(r->ctx, 2 * d, sizeof *room);
    int32_t rc;

    l.turned = moi_calloc(r->ctx, l.width * r->kept, sizeof *q);
    l.diagonal = moi_calloc(r->ctx, l.width, sizeof *q);
    l.beside = moi_calloc(r->ctx, l.width, sizeof *q);
    l.wanted = moi_calloc(r->ctx, l.width * r->targets, sizeof *q);
    rc = q && room && l.turned && l.diagonal && l.beside && l.wanted
             ? make(&l, q, room, cancel) : MOPT_ENOMEM;
    moi_free(r->ctx, q);
    moi_free(r->ctx, room);
    if (rc)
        moi_leaveout_clear(&l);
    else
        *out = l;
    return rc;
}

/* ---- one penalty ---- */

/* T + penalty = L D L^T, L with ones on the diagonal and low[k] beside it; u =
 * L^-1 wanted. Rows are worked on in blocks of LANES. */
typedef struct factor {
    const moi_leaveout *l;
    double *low, *pivot; /* [width of l] */
    double *u;           /* [width of l][targets] */
    double *room;        /* for each block: two rows of z = L^-1 of what is
                            turned, leverages, told for each target: [LANES] */
    double *squares;     /* of the residuals of each block */
    double *out;         /* [kept][targets]: what rows are told; or NULL */
} factor;

static int64_t block_count(const moi_leaveout *l)
{
    return (l->r->kept + LANES - 1) / LANES;
}

static int32_t factor_create(const moi_leaveout *l, factor *f)
{
    int64_t d = l->width, n = l->r->targets, blocks = block_count(l);

    *f = (factor){.l = l};
    f->low = moi_alloc(l->r->ctx, d * (n + 2) + blocks * (LANES * (n + 3) + 1),
                       sizeof *f->low);
    if (!f->low)
        return MOPT_ENOMEM;
    f->pivot = f->low + d;
    f->u = f->pivot + d;
    f->squares = f->u + d * n;
    f->room = f->squares + blocks;
    return MOPT_OK;
}

static void factor_clear(factor *f)
{
    moi_free(f->l->r->ctx, f->low);
}

static void set_penalty(factor *f, double penalty)
{
    const moi_leaveout *l = f->l;
    int64_t n = l->r->targets;

    memcpy(f->u, l->wanted, (size_t)(l->width * n) * sizeof *f->u);
    f->low[0] = 0;
    f->pivot[0] = l->diagonal[0] + penalty;
    for (int64_t k = 1; k < l->width; k++) {
        f->low[k] = l->beside[k] / f->pivot[k - 1];
        f->pivot[k] = l->diagonal[k] + penalty - f->low[k] * l->beside[k];
        for (int64_t j = 0; j < n; j++)
            f->u[k * n + j] -= f->low[k] * f->u[(k - 1) * n + j];
    }
}

/* Two steps of add_up at once: the sums are read and written once for both. */
static inline void add_two(const factor *f, int64_t k, int64_t first,
                           int64_t count, double *z)
{
    const moi_ridge *r = f->l->r;
    const double *x = f->l->turned + k * r->kept + first;
    const double low = f->low[k], then = f->low[k + 1];
    const double by = 1 / f->pivot[k], after = 1 / f->pivot[k + 1];
    double *last = z + LANES, *leverage = last + LANES;

    for (int64_t i = 0; i < count; i++) {
        z[i] = x[i] - low * last[i];
        last[i] = x[r->kept + i] - then * z[i];
        leverage[i] += z[i] * z[i] * by + last[i] * last[i] * after;
    }
    for (int64_t j = 0; j < r->targets; j++) {
        const double u = f->u[k * r->targets + j] * by;
        const double v = f->u[(k + 1) * r->targets + j] * after;
        double *told = leverage + (j + 1) * LANES;

        for (int64_t i = 0; i < count; i++)
            told[i] += z[i] * u + last[i] * v;
    }
}

/* Leverages of some rows, x^T A^-1 x, and what they are told, x^T A^-1 wanted:
 * sums over k of z z / pivot, and of z u / pivot. */
MOI_CLONES static void add_up(const factor *f, int64_t first, int64_t count,
                              double *z)
{
    memset(z, 0, (size_t)(LANES * (f->l->r->targets + 3)) * sizeof *z);
    for (int64_t k = 0; k < f->l->width; k += 2)
        add_two(f, k, first, count, z);
}

/* The residuals of a row without it: both means move too, which adds 1 / rows
 * to its leverage. Returns their squares. */
static double leave_out(const factor *f, int64_t row, double leverage,
                        const double *told)
{
    const moi_ridge *r = f->l->r;
    const double *y = r->table + row * r->span + r->width;
    double left = fmax(1 - leverage - 1 / (double)r->rows, 1e-12), sum = 0;

    for (int64_t j = 0; j < r->targets; j++) {
        double residual = (y[j] - told[j * LANES]) / left;

        sum += residual * residual;
        if (f->out)
            f->out[row * r->targets + j] = y[j] + r->mean[r->width + j] -
                                           residual;
    }
    return sum;
}

static void run_block(void *work, int64_t block)
{
    const factor *f = work;
    int64_t first = block * LANES, left = f->l->r->kept - first;
    int64_t count = left < LANES ? left : LANES;
    double *z = f->room + block * LANES * (f->l->r->targets + 3);

    add_up(f, first, count, z);
    f->squares[block] = 0;
    for (int64_t i = 0; i < count; i++)
        f->squares[block] += leave_out(f, first + i, z[2 * LANES + i],
                                       z + 3 * LANES + i);
}

/* Returns the squares of all rows left out. */
static double run(factor *f, double penalty)
{
    double sum = 0;

    set_penalty(f, penalty);
    moi_parallel(f->l->r->ctx, block_count(f->l), 0, run_block, f);
    for (int64_t i = 0; i < block_count(f->l); i++)
        sum += f->squares[i];
    return sum;
}

int32_t moi_leaveout_tell(const moi_leaveout *l, double penalty, double *out)
{
    factor f;
    int32_t rc = factor_create(l, &f);

    if (rc)
        return rc;
    f.out = out;
    run(&f, penalty);
    factor_clear(&f);
    return MOPT_OK;
}

int32_t moi_leaveout_choose(const moi_leaveout *l, mopt_cancel *cancel,
                            double *penalty)
{
    double scale = DBL_MIN, best = HUGE_VAL;
    factor f;
    int32_t rc = factor_create(l, &f);

    for (int64_t k = 0; k < l->r->width; k++)
        scale += l->r->gram[k * (l->r->span + 1)] / (double)l->r->width;
    *penalty = scale;
    for (int32_t p = 0; !rc && p < PENALTIES; p++) {
        double tried = scale * pow(10, p - PENALTIES / 2);
        double squares = run(&f, tried);

        if (squares < best) {
            best = squares;
            *penalty = tried;
        }
        rc = moi_cancel_check(cancel);
    }
    factor_clear(&f);
    return rc;
}
