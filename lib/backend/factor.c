/* SPDX-License-Identifier: MIT
 * lib/backend/factor.c: QR and Cholesky in blocks.
 *
 * LAPACK's own would do, but their bits depend on OpenBLAS's thread count, and
 * they allocate. Here a block of columns is factored column by column
 * (Cholesky: by LAPACKE, which stays on one thread at this size), and
 * everything beyond it is products. */
#include "backend/factor.h"

#include <lapacke.h>
#include <string.h>

#define BLOCK 32 /* columns that are factored together */
#define STRIP 64 /* columns that a block of reflectors is applied to */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A block of reflectors, columns j .. j+count-1 of A[m][]: their product is
 * I - V T V^T, T upper triangular (Schreiber and Van Loan, "A storage-efficient
 * WY representation for products of Householder transformations", 1989). V's
 * top is unit lower triangular, tau of each stands on its diagonal. */
typedef struct reflectors {
    double *a;
    int64_t m, j, count, lda;
    double t[BLOCK][BLOCK];
} reflectors;

/* Product of columns p and q of V, p < q. */
static double product(const reflectors *v, int64_t p, int64_t q)
{
    const double *a = v->a + v->j;
    double sum = a[(v->j + q) * v->lda + p];
    for (int64_t i = v->j + q + 1; i < v->m; i++)
        sum += a[i * v->lda + p] * a[i * v->lda + q];
    return sum;
}

/* T column by column: T[0..q)[q] = -tau T[0..q)[0..q) V[0..q)^T v. */
static void make_t(reflectors *v)
{
    for (int64_t q = 0; q < v->count; q++) {
        const double tau = v->a[(v->j + q) * (v->lda + 1)];
        double w[BLOCK];
        for (int64_t p = 0; p < q; p++)
            w[p] = product(v, p, q);
        for (int64_t p = 0; p < q; p++) {
            double sum = 0;
            for (int64_t i = p; i < q; i++)
                sum += v->t[p][i] * w[i];
            v->t[p][q] = -tau * sum;
        }
        v->t[q][q] = tau;
    }
}

/* W = T W, or T^T W; in place, so that each row is read before it is lost. */
static void times_t(const reflectors *v, int32_t trans, double w[][STRIP])
{
    for (int64_t k = 0; k < v->count; k++) {
        const int64_t p = trans ? v->count - 1 - k : k;
        const int64_t from = trans ? 0 : p + 1, to = trans ? p : v->count;
        for (int64_t c = 0; c < STRIP; c++)
            w[p][c] *= v->t[p][p];
        for (int64_t i = from; i < to; i++) {
            const double factor = trans ? v->t[i][p] : v->t[p][i];
            for (int64_t c = 0; c < STRIP; c++)
                w[p][c] += factor * w[i][c];
        }
    }
}

/* C -= V T V^T C (T^T: trans) for columns from .. to-1 of A, rows j on. */
static int32_t apply(const reflectors *v, int32_t trans, moi_dgemm_fn dgemm,
                     int64_t from, int64_t to)
{
    const int64_t lda = v->lda, below = v->j + v->count;
    const double *top = v->a + v->j * lda + v->j;
    const double *rest = v->a + below * lda + v->j;
    for (int64_t q = from; q < to; q += STRIP) {
        const int64_t width = least(to - q, STRIP);
        double w[BLOCK][STRIP] = {{0}};
        double *c = v->a + v->j * lda + q;
        for (int64_t p = 0; p < v->count; p++) {
            memcpy(w[p], c + p * lda, (size_t)width * sizeof(double));
            for (int64_t i = p + 1; i < v->count; i++) {
                for (int64_t k = 0; k < width; k++)
                    w[p][k] += top[i * lda + p] * c[i * lda + k];
            }
        }
        int32_t rc = dgemm(NULL, 1, 0, v->count, width, v->m - below, 1, rest,
                           lda, c + v->count * lda, lda, 1, w[0], STRIP);
        if (rc != 0)
            return rc;
        times_t(v, trans, w);
        for (int64_t p = 0; p < v->count; p++) {
            for (int64_t k = 0; k < width; k++)
                c[p * lda + k] -= w[p][k];
            for (int64_t i = 0; i < p; i++) {
                for (int64_t k = 0; k < width; k++)
                    c[p * lda + k] -= top[p * lda + i] * w[i][k];
            }
        }
        rc = dgemm(NULL, 0, 0, v->m - below, width, v->count, -1, rest, lda,
                   w[0], STRIP, 1, c + v->count * lda, lda);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Columns of the block become reflectors; their part of R's diagonal to r. */
static void factor_block(reflectors *v, double *r)
{
    const int64_t end = v->j + v->count;
    for (int64_t j = v->j; j < end; j++) {
        const double tau = moi_reflector(v->m, j, v->a, v->lda);
        moi_reflect(v->m, j, tau, j + 1, end, v->a, v->lda);
        r[j] = v->a[j * (v->lda + 1)];
        v->a[j * (v->lda + 1)] = tau;
    }
}

/* Columns of the block become columns of Q; those to the right are so already
 * but for this block's reflectors. */
static void expand_block(reflectors *v)
{
    for (int64_t j = v->j + v->count - 1; j >= v->j; j--) {
        const double tau = v->a[j * (v->lda + 1)];
        for (int64_t i = 0; i < j; i++)
            v->a[i * v->lda + j] = 0;
        for (int64_t q = j + 1; q < v->j + v->count; q++)
            v->a[j * v->lda + q] = 0;
        moi_reflect(v->m, j, tau, j + 1, v->j + v->count, v->a, v->lda);
        moi_reflect_unit(v->m, j, tau, v->a, v->lda);
    }
}

int32_t moi_blocked_dqr(moi_dgemm_fn dgemm, int64_t m, int64_t n, double *a,
                        int64_t lda, double *r)
{
    reflectors v = {.a = a, .m = m, .lda = lda};
    int32_t rc = 0;
    int64_t last = 0;
    for (int64_t j = 0; rc == 0 && j < n; j += BLOCK) {
        last = v.j = j;
        v.count = least(n - j, BLOCK);
        factor_block(&v, r);
        make_t(&v);
        rc = apply(&v, 1, dgemm, j + v.count, n);
    }
    for (int64_t j = last; rc == 0 && j >= 0; j -= BLOCK) {
        v.j = j;
        v.count = least(n - j, BLOCK);
        make_t(&v);
        for (int64_t i = j; i < j + v.count; i++) {
            for (int64_t q = j + v.count; q < n; q++)
                a[i * lda + q] = 0;
        }
        rc = apply(&v, 0, dgemm, j + v.count, n);
        if (rc == 0)
            expand_block(&v);
    }
    return rc;
}

/* Rows from .. n-1 of columns j .. j+count-1: X L^T = A, L the factored block
 * on the diagonal. */
static void solve_panel(int64_t n, int64_t from, int64_t j, int64_t count,
                        double *a, int64_t lda)
{
    for (int64_t i = from; i < n; i++) {
        double *x = a + i * lda + j;
        for (int64_t q = 0; q < count; q++) {
            const double *l = a + (j + q) * lda + j;
            double sum = x[q];
            for (int64_t p = 0; p < q; p++)
                sum -= x[p] * l[p];
            x[q] = sum / l[q];
        }
    }
}

/* The lower triangle by rows is the upper one by columns. 1 when a pivot is
 * not positive; NaN, which LAPACK lets pass, is not. */
static int32_t factor_diagonal(int64_t count, double *a, int64_t lda)
{
    const lapack_int info = LAPACKE_dpotrf_work(
        LAPACK_COL_MAJOR, 'U', (lapack_int)count, a, (lapack_int)lda);
    for (int64_t q = 0; info == 0 && q < count; q++) {
        if (!(a[q * (lda + 1)] > 0))
            return 1;
    }
    return info != 0;
}

static int32_t cholesky(moi_dgemm_fn dgemm, int64_t n, double *a, int64_t lda)
{
    for (int64_t j = 0; j < n; j += BLOCK) {
        const int64_t count = least(n - j, BLOCK);
        int32_t rc = dgemm(NULL, 0, 1, n - j, count, j, -1, a + j * lda, lda,
                           a + j * lda, lda, 1, a + j * lda + j, lda);
        if (rc == 0)
            rc = factor_diagonal(count, a + j * lda + j, lda);
        if (rc != 0)
            return rc;
        solve_panel(n, j + count, j, count, a, lda);
    }
    return 0;
}

/* Rows of B over rows of L: L X = B, or L^T X = B from below. */
static void solve_block(int32_t trans, int64_t count, int64_t nrhs,
                        const double *l, int64_t lda, double *b, int64_t ldb)
{
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = trans ? count - 1 - k : k;
        for (int64_t p = trans ? i + 1 : 0; p < (trans ? count : i); p++) {
            const double factor = trans ? l[p * lda + i] : l[i * lda + p];
            for (int64_t q = 0; q < nrhs; q++)
                b[i * ldb + q] -= factor * b[p * ldb + q];
        }
        for (int64_t q = 0; q < nrhs; q++)
            b[i * ldb + q] /= l[i * (lda + 1)];
    }
}

int32_t moi_blocked_dposv(moi_dgemm_fn dgemm, int64_t n, int64_t nrhs,
                          double *a, int64_t lda, double *b, int64_t ldb)
{
    int32_t rc = cholesky(dgemm, n, a, lda);
    int64_t last = 0;
    for (int64_t j = 0; rc == 0 && j < n; j += BLOCK) {
        last = j;
        rc = dgemm(NULL, 0, 0, least(n - j, BLOCK), nrhs, j, -1, a + j * lda,
                   lda, b, ldb, 1, b + j * ldb, ldb);
        solve_block(0, least(n - j, BLOCK), nrhs, a + j * lda + j, lda,
                    b + j * ldb, ldb);
    }
    for (int64_t j = last; rc == 0 && j >= 0 && n > 0; j -= BLOCK) {
        const int64_t end = j + least(n - j, BLOCK);
        rc = dgemm(NULL, 1, 0, end - j, nrhs, n - end, -1, a + end * lda + j,
                   lda, b + end * ldb, ldb, 1, b + j * ldb, ldb);
        solve_block(1, end - j, nrhs, a + j * lda + j, lda, b + j * ldb, ldb);
    }
    return rc;
}
