/* SPDX-License-Identifier: MIT
 * lib/learn/distill/relation.c: how the rows of a batch lie to each other. */
#include "learn/distill/relation.h"

#include <math.h>

#include "base/cancel.h"
#include "base/memory.h"

#define PAIRS (MOI_RELATION_PAIRS * MOI_RELATION_PAIRS)
#define TRIPLES MOI_RELATION_TRIPLES
#define TINY 1e-12 /* rows nearer than this are the same */

int32_t moi_relation_init(moi_relation *r, mopt_context *ctx, double distance,
                          double angle, int64_t width, int64_t wanted)
{
    int64_t widest = width > wanted ? width : wanted;

    *r = (moi_relation){ctx, distance, angle, NULL, widest};
    /* Two tables of distances and one of their gradients; or the directions
     * from one row to the others, for both and for the gradient. */
    r->room = moi_alloc(ctx, 3 * PAIRS + 3 * TRIPLES * widest + 3 * TRIPLES,
                        sizeof *r->room);
    return r->room ? MOPT_OK : MOPT_ENOMEM;
}

void moi_relation_clear(moi_relation *r)
{
    moi_free(r->ctx, r->room);
}

/* Huber's loss with bound 1, and its derivative. */
static double smooth(double x, double *slope)
{
    *slope = x > 1 ? 1 : x < -1 ? -1 : x;
    return fabs(x) > 1 ? fabs(x) - 0.5 : 0.5 * x * x;
}

/* Sums go in four lanes, which do not wait for each other. */
#define LANES 4

static double between(int64_t width, const moi_real *a, const moi_real *b)
{
    double sum[LANES] = {0}, rest = 0;
    int64_t k = 0;

    for (; k + LANES <= width; k += LANES)
        for (int32_t i = 0; i < LANES; i++) {
            double d = (double)a[k + i] - (double)b[k + i];

            sum[i] += d * d;
        }
    for (; k < width; k++)
        rest += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    return sqrt(sum[0] + sum[1] + (sum[2] + sum[3]) + rest);
}

/* ---- distances ---- */

/* All distances into d[n][n]; returns their mean over the pairs apart. */
static double distances(int64_t n, int64_t width, const moi_real *x, double *d)
{
    double sum = 0;
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++) {
        d[i * n + i] = 0;
        for (int64_t j = 0; j < i; j++) {
            double far = between(width, x + i * width, x + j * width);

            far = far < TINY ? 0 : far;
            d[i * n + j] = d[j * n + i] = far;
            sum += 2 * far;
            count += far > 0 ? 2 : 0;
        }
    }
    return count ? sum / (double)count : 0;
}

/* From gradients by distances to those by rows. */
static void spread(int64_t n, int64_t width, const moi_real *x,
                   const double *d, const double *by, double scale,
                   moi_real *grad)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            double far = d[i * n + j], g = by[i * n + j] + by[j * n + i];

            for (int64_t k = 0; far > 0 && k < width; k++) {
                double way = ((double)x[i * width + k] -
                              (double)x[j * width + k]) / far;

                grad[i * width + k] += (moi_real)(scale * g * way);
                grad[j * width + k] -= (moi_real)(scale * g * way);
            }
        }
}

/* Distances are told in units of their mean mu, over m pairs: with s = d / mu
 * and g the loss's gradient by s, that by d is g / mu - sum(g s) / (mu m). */
static double distance_loss(const moi_relation *r, int64_t n, int64_t width,
                            const moi_real *x, int64_t wanted,
                            const moi_real *y, double scale, moi_real *grad)
{
    double *dx = r->room, *dy = dx + PAIRS, *by = dy + PAIRS, sum = 0, lean = 0;
    double mean_x = distances(n, width, x, dx);
    double mean_y = distances(n, wanted, y, dy);
    int64_t apart = 0;

    if (mean_x <= 0 || mean_y <= 0)
        return 0;
    for (int64_t i = 0; i < n * n; i++) {
        double s = dx[i] / mean_x;

        sum += smooth(s - dy[i] / mean_y, &by[i]);
        by[i] /= (double)(n * n);
        lean += by[i] * s;
        apart += dx[i] > 0;
    }
    for (int64_t i = 0; i < n * n; i++)
        by[i] = (by[i] - lean / (double)apart) / mean_x;
    if (grad)
        spread(n, width, x, dx, by, scale, grad);
    return sum / (double)(n * n);
}

/* ---- angles ---- */

/* Unit vectors from row j to all rows, and how far those are. */
static void directions(int64_t n, int64_t width, const moi_real *x, int64_t j,
                       double *e, double *far)
{
    for (int64_t i = 0; i < n; i++) {
        far[i] = between(width, x + i * width, x + j * width);
        for (int64_t k = 0; k < width; k++)
            e[i * width + k] =
                far[i] < TINY ? 0
                              : ((double)x[i * width + k] -
                                 (double)x[j * width + k]) / far[i];
    }
}

static double dot(int64_t width, const double *a, const double *b)
{
    double sum[LANES] = {0}, rest = 0;
    int64_t k = 0;

    for (; k + LANES <= width; k += LANES)
        for (int32_t i = 0; i < LANES; i++)
            sum[i] += a[k + i] * b[k + i];
    for (; k < width; k++)
        rest += a[k] * b[k];
    return sum[0] + sum[1] + (sum[2] + sum[3]) + rest;
}

static void add_scaled(int64_t width, double factor, const double *a,
                       double *to)
{
    for (int64_t k = 0; k < width; k++)
        to[k] += factor * a[k];
}

/* The gradient of a direction stands upright on it, and is shorter the farther
 * its end is. */
static void turn_back(int64_t n, int64_t width, int64_t j, const double *e,
                      const double *far, double *by, double scale,
                      moi_real *grad)
{
    for (int64_t i = 0; i < n; i++) {
        double *g = by + i * width;
        double along = dot(width, g, e + i * width);

        for (int64_t k = 0; far[i] >= TINY && k < width; k++) {
            double way = (g[k] - along * e[i * width + k]) / far[i];

            grad[i * width + k] += (moi_real)(scale * way);
            grad[j * width + k] -= (moi_real)(scale * way);
        }
    }
}

/* All angles at row j; each is there twice, from either side. */
static double corner(const moi_relation *r, int64_t n, int64_t j,
                     int64_t width, const moi_real *x, int64_t wanted,
                     const moi_real *y, double scale, moi_real *grad)
{
    double *ex = r->room, *ey = ex + TRIPLES * r->widest;
    double *by = ey + TRIPLES * r->widest, *far = by + TRIPLES * r->widest;
    double sum = 0, slope;

    directions(n, wanted, y, j, ey, far);
    directions(n, width, x, j, ex, far);
    for (int64_t i = 0; i < n * width; i++)
        by[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l <= i; l++) {
            double off = dot(width, ex + i * width, ex + l * width) -
                         dot(wanted, ey + i * wanted, ey + l * wanted);

            sum += (l < i ? 2 : 1) * smooth(off, &slope);
            if (grad)
                add_scaled(width, 2 * slope, ex + l * width, by + i * width);
            if (grad && l < i)
                add_scaled(width, 2 * slope, ex + i * width, by + l * width);
        }
    if (grad)
        turn_back(n, width, j, ex, far, by, scale / (double)(n * n * n), grad);
    return sum / (double)(n * n * n);
}

int32_t moi_relation_loss(const moi_relation *r, int64_t rows, int64_t width,
                          const moi_real *student, int64_t wanted,
                          const moi_real *teacher, double scale,
                          moi_real *grad, const mopt_cancel *cancel,
                          double *loss)
{
    int64_t pairs = rows < MOI_RELATION_PAIRS ? rows : MOI_RELATION_PAIRS;
    int64_t triples = rows < TRIPLES ? rows : TRIPLES;
    int32_t rc = MOPT_OK;

    *loss = 0;
    if (r->distance > 0)
        *loss += r->distance * distance_loss(r, pairs, width, student, wanted,
                                             teacher, scale * r->distance,
                                             grad);
    for (int64_t j = 0; !rc && r->angle > 0 && j < triples; j++) {
        *loss += r->angle * corner(r, triples, j, width, student, wanted,
                                   teacher, scale * r->angle, grad);
        rc = moi_cancel_check(cancel);
    }
    return rc;
}
