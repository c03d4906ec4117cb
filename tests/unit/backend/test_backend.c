/* SPDX-License-Identifier: MIT
 * tests/unit/backend/test_backend.c: each entry of each backend against plain
 * sums in double, what is refused, and tables that a host registers. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kit.h"

#define CASES 10000
#define ROOM 4096 /* elements of each matrix of a case */

static mopt_context *with_backend(const char *name)
{
    mopt_context *ctx = kit_begin();
    mopt_config *config = NULL;
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_text(config, "backend", name));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
    return ctx;
}

/* Every assertion of Check costs a system call: loops assert what fails. */
static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        ck_abort_msg("%.17g, not %.17g (+- %g)", got, want, tolerance);
}

/* One product of random shape; elements are floats, so that both precisions
 * can hold them. */
typedef struct sample {
    int32_t trans_a, trans_b;
    int64_t m, n, k, lda, ldb, ldc;
    double alpha, beta;
    double a[ROOM], b[ROOM], c[ROOM];
    float fa[ROOM], fb[ROOM], fc[ROOM];
} sample;

static double real(moi_rng *rng)
{
    return (float)(2 * moi_rng_uniform(rng) - 1);
}

static int64_t below(moi_rng *rng, uint64_t bound)
{
    return (int64_t)moi_rng_below(rng, bound);
}

static int64_t stride(moi_rng *rng, int64_t columns)
{
    return (columns > 1 ? columns : 1) + below(rng, 4);
}

static void fill(moi_rng *rng, int64_t count, double *d, float *f)
{
    for (int64_t i = 0; i < count; i++) {
        d[i] = real(rng);
        f[i] = (float)d[i];
    }
}

static void draw(moi_rng *rng, sample *s)
{
    static const double scales[] = {0, 1, 1, -1, 0.5};
    const uint64_t most = moi_rng_below(rng, 8) == 0 ? 60 : 18;
    s->trans_a = (int32_t)below(rng, 2);
    s->trans_b = (int32_t)below(rng, 2);
    s->m = below(rng, most);
    s->n = below(rng, most);
    s->k = below(rng, most);
    s->lda = stride(rng, s->trans_a ? s->m : s->k);
    s->ldb = stride(rng, s->trans_b ? s->k : s->n);
    s->ldc = stride(rng, s->n);
    s->alpha = scales[below(rng, 5)];
    s->beta = scales[below(rng, 5)];
    fill(rng, (s->trans_a ? s->k : s->m) * s->lda, s->a, s->fa);
    fill(rng, (s->trans_b ? s->n : s->k) * s->ldb, s->b, s->fb);
    fill(rng, (s->m + 1) * s->ldc, s->c, s->fc);
}

/* What element (i, j) should be, and the sum of sizes its error is told by. */
static double expected(const sample *s, int64_t i, int64_t j, double *size)
{
    double sum = 0, sizes = 0;
    for (int64_t p = 0; p < s->k; p++) {
        const double a = s->a[s->trans_a ? p * s->lda + i : i * s->lda + p];
        const double b = s->b[s->trans_b ? j * s->ldb + p : p * s->ldb + j];
        sum += a * b;
        sizes += fabs(a * b);
    }
    const double c = s->c[i * s->ldc + j];
    *size = fabs(s->alpha) * sizes + fabs(s->beta * c);
    return s->alpha * sum + s->beta * c;
}

/* Elements of C are right; those between and behind its rows untouched. */
static void check(const sample *s, const double *before, const double *got,
                  double epsilon)
{
    for (int64_t at = 0; at < (s->m + 1) * s->ldc; at++) {
        const int64_t i = at / s->ldc, j = at % s->ldc;
        if (i >= s->m || j >= s->n) {
            near(got[at], before[at], 0);
            continue;
        }
        double size;
        const double want = expected(s, i, j, &size);
        near(got[at], want, epsilon * (double)(s->k + 4) * size);
    }
}

static const char *const names[] = {"openblas", "reference"};

START_TEST(dgemm_is_right)
{
    mopt_context *ctx = with_backend(names[_i]);
    sample *s = calloc(1, sizeof(*s));
    moi_rng rng;
    moi_rng_init(&rng, 1, 0, 0, 0);
    for (int64_t n = 0; n < CASES; n++) {
        double c[ROOM];
        draw(&rng, s);
        memcpy(c, s->c, sizeof(c));
        kit_ok(moi_dgemm(ctx, s->trans_a, s->trans_b, s->m, s->n, s->k,
                         s->alpha, s->a, s->lda, s->b, s->ldb, s->beta, c,
                         s->ldc));
        check(s, s->c, c, DBL_EPSILON);
    }
    free(s);
    kit_end(ctx);
}
END_TEST

START_TEST(sgemm_is_right)
{
    mopt_context *ctx = with_backend(names[_i]);
    sample *s = calloc(1, sizeof(*s));
    moi_rng rng;
    moi_rng_init(&rng, 2, 0, 0, 0);
    for (int64_t n = 0; n < CASES; n++) {
        double c[ROOM];
        draw(&rng, s);
        kit_ok(moi_sgemm(ctx, s->trans_a, s->trans_b, s->m, s->n, s->k,
                         (float)s->alpha, s->fa, s->lda, s->fb, s->ldb,
                         (float)s->beta, s->fc, s->ldc));
        for (int64_t i = 0; i < (s->m + 1) * s->ldc; i++)
            c[i] = s->fc[i];
        check(s, s->c, c, FLT_EPSILON);
    }
    free(s);
    kit_end(ctx);
}
END_TEST

/* Sizes at which OpenBLAS would share the work between its threads. */
START_TEST(large_products_have_the_same_bits_on_any_thread_count)
{
    enum { M = 150, N = 131, K = 170 };
    mopt_context *ctx = with_backend("openblas");
    float *a = malloc(sizeof(float) * M * K);
    float *b = malloc(sizeof(float) * K * N);
    double *da = malloc(sizeof(double) * M * K);
    double *db = malloc(sizeof(double) * K * N);
    float *c[2] = {malloc(sizeof(float) * M * N),
                   malloc(sizeof(float) * M * N)};
    double *dc[2] = {malloc(sizeof(double) * M * N),
                     malloc(sizeof(double) * M * N)};
    moi_rng rng;
    moi_rng_init(&rng, 3, 0, 0, 0);
    for (int64_t i = 0; i < M * K; i++)
        da[i] = a[i] = (float)real(&rng);
    for (int64_t i = 0; i < K * N; i++)
        db[i] = b[i] = (float)real(&rng);
    const int32_t threads = moi_backend_blas_threads();
    for (int32_t t = 0; t < 2; t++) {
        moi_backend_set_blas_threads(t + 1);
        ck_assert_int_eq(moi_backend_blas_threads(), t + 1);
        for (int64_t i = 0; i < M * N; i++)
            dc[t][i] = c[t][i] = 1;
        kit_ok(moi_sgemm(ctx, _i & 1, _i >> 1, M, N, K, 0.5f, a,
                         _i & 1 ? M : K, b, _i >> 1 ? K : N, 2, c[t], N));
        kit_ok(moi_dgemm(ctx, _i & 1, _i >> 1, M, N, K, 0.5, da,
                         _i & 1 ? M : K, db, _i >> 1 ? K : N, 2, dc[t], N));
    }
    moi_backend_set_blas_threads(threads);
    ck_assert_mem_eq(c[0], c[1], sizeof(float) * M * N);
    ck_assert_mem_eq(dc[0], dc[1], sizeof(double) * M * N);
    for (int64_t i = 0; i < M * N; i++)
        near(c[0][i], dc[0][i], 1e-4);
    ctx->backend = &moi_backend_reference;
    for (int64_t i = 0; i < M * N; i++)
        dc[1][i] = 1;
    kit_ok(moi_dgemm(ctx, _i & 1, _i >> 1, M, N, K, 0.5, da, _i & 1 ? M : K,
                     db, _i >> 1 ? K : N, 2, dc[1], N));
    for (int64_t i = 0; i < M * N; i++)
        near(dc[0][i], dc[1][i], 1e-12);
    free(a);
    free(b);
    free(da);
    free(db);
    for (int32_t t = 0; t < 2; t++) {
        free(c[t]);
        free(dc[t]);
    }
    kit_end(ctx);
}
END_TEST

START_TEST(beta_0_does_not_read_c)
{
    mopt_context *ctx = with_backend(names[_i]);
    for (int32_t k = 0; k < 3; k++) {
        const float a[4] = {1, 2, 3, 4}, b[4] = {1, 0, 0, 1};
        const double da[4] = {1, 2, 3, 4}, db[4] = {1, 0, 0, 1};
        float c[4] = {NAN, NAN, INFINITY, NAN};
        double dc[4] = {NAN, NAN, INFINITY, NAN};
        kit_ok(moi_sgemm(ctx, 0, 0, 2, 2, k, 1, a, 2, b, 2, 0, c, 2));
        kit_ok(moi_dgemm(ctx, 0, 0, 2, 2, k, 1, da, 2, db, 2, 0, dc, 2));
        ck_assert(c[3] == (k == 2 ? 4 : 0) && dc[3] == (k == 2 ? 4 : 0));
        ck_assert(c[2] == (k >= 1 ? 3 : 0) && dc[2] == (k >= 1 ? 3 : 0));
    }
    kit_end(ctx);
}
END_TEST

START_TEST(nan_and_infinity_come_through)
{
    mopt_context *ctx = with_backend(names[_i]);
    float a[6] = {0, 0, 0, 0, INFINITY, 1}, b[9] = {0}, c[6];
    double da[6] = {0, 0, 0, 0, INFINITY, 1}, db[9] = {0}, dc[6];
    b[2] = NAN;
    db[2] = NAN;
    b[4] = 1;
    db[4] = 1;
    kit_ok(moi_sgemm(ctx, 0, 0, 2, 3, 3, 1, a, 3, b, 3, 0, c, 3));
    kit_ok(moi_dgemm(ctx, 0, 0, 2, 3, 3, 1, da, 3, db, 3, 0, dc, 3));
    ck_assert(c[0] == 0 && c[1] == 0 && isnan(c[2]));
    ck_assert(isnan(c[3]) && isinf(c[4]) && isnan(c[5]));
    for (int32_t i = 0; i < 6; i++)
        ck_assert(isnan(c[i]) == isnan(dc[i]) && isinf(c[i]) == isinf(dc[i]));
    kit_end(ctx);
}
END_TEST

/* Q'Q = 1, and R = Q'A is upper triangular with the diagonal that was told. */
static void check_qr(int64_t m, int64_t n, int64_t lda, const double *a,
                     const double *q, const double *r, double epsilon)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double unit = 0, upper = 0;
            for (int64_t p = 0; p < m; p++) {
                unit += q[p * lda + i] * q[p * lda + j];
                upper += q[p * lda + i] * a[p * lda + j];
            }
            near(unit, i == j, epsilon);
            if (j < i)
                near(upper, 0, epsilon);
            if (j == i)
                near(upper, r[i], epsilon);
        }
    }
}

START_TEST(dqr_is_right)
{
    mopt_context *ctx = with_backend(names[_i]);
    moi_rng rng;
    moi_rng_init(&rng, 4, 0, 0, 0);
    for (int64_t t = 0; t < CASES; t++) {
        const int64_t n = below(&rng, t % 100 == 0 ? 40 : 8);
        const int64_t m = n + below(&rng, 8);
        const int64_t lda = stride(&rng, n);
        double a[ROOM], q[ROOM], r[64];
        for (int64_t i = 0; i < m * lda; i++)
            a[i] = real(&rng);
        /* Columns of zeros, and ones that are reflected already. */
        if (n > 0 && t % 5 == 0) {
            const int64_t j = below(&rng, (uint64_t)n);
            for (int64_t i = t % 2 == 0 ? 0 : 1; i < m; i++)
                a[i * lda + j] = 0;
        }
        memcpy(q, a, sizeof(q));
        kit_ok(moi_dqr(ctx, m, n, q, lda, r));
        check_qr(m, n, lda, a, q, r, 1e-13);
    }
    kit_end(ctx);
}
END_TEST

START_TEST(large_dqr_is_right_on_any_thread_count)
{
    enum { M = 210, N = 130, LDA = 133 };
    mopt_context *ctx = with_backend(names[_i]);
    double *a = malloc(sizeof(double) * M * LDA), *q[2], r[2][N];
    moi_rng rng;
    moi_rng_init(&rng, 5, 0, 0, 0);
    for (int64_t i = 0; i < M * LDA; i++)
        a[i] = moi_rng_normal(&rng);
    const int32_t threads = moi_backend_blas_threads();
    for (int32_t t = 0; t < 2; t++) {
        moi_backend_set_blas_threads(t + 1);
        q[t] = malloc(sizeof(double) * M * LDA);
        memcpy(q[t], a, sizeof(double) * M * LDA);
        kit_ok(moi_dqr(ctx, M, N, q[t], LDA, r[t]));
        check_qr(M, N, LDA, a, q[t], r[t], 1e-12);
    }
    moi_backend_set_blas_threads(threads);
    ck_assert_mem_eq(q[0], q[1], sizeof(double) * M * LDA);
    ck_assert_mem_eq(r[0], r[1], sizeof(r[0]));
    free(a);
    free(q[0]);
    free(q[1]);
    kit_end(ctx);
}
END_TEST

/* A = G G' + n, for which errors stay small. */
static void positive(moi_rng *rng, int64_t n, int64_t lda, double *a)
{
    double *g = malloc(sizeof(double) * (size_t)(n * n + 1));
    for (int64_t i = 0; i < n * n; i++)
        g[i] = real(rng);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = i == j ? (double)n : 0;
            for (int64_t p = 0; p < n; p++)
                sum += g[i * n + p] * g[j * n + p];
            a[i * lda + j] = sum;
        }
    }
    free(g);
}

static void check_posv(int64_t n, int64_t nrhs, const double *a, int64_t lda,
                       const double *b, const double *x, int64_t ldb,
                       double epsilon)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < nrhs; j++) {
            double sum = 0;
            for (int64_t p = 0; p < n; p++)
                sum += a[i * lda + p] * x[p * ldb + j];
            near(sum, b[i * ldb + j], epsilon);
        }
    }
}

START_TEST(dposv_is_right)
{
    mopt_context *ctx = with_backend(names[_i]);
    moi_rng rng;
    moi_rng_init(&rng, 6, 0, 0, 0);
    for (int64_t t = 0; t < CASES; t++) {
        const int64_t n = below(&rng, t % 100 == 0 ? 40 : 8);
        const int64_t nrhs = below(&rng, 5);
        const int64_t lda = stride(&rng, n), ldb = stride(&rng, nrhs);
        double a[ROOM], factor[ROOM], b[ROOM], x[ROOM];
        for (int64_t i = 0; i < n * ldb; i++)
            b[i] = real(&rng);
        positive(&rng, n, lda, a);
        memcpy(factor, a, sizeof(a));
        memcpy(x, b, sizeof(b));
        ck_assert_int_eq(moi_dposv(ctx, n, nrhs, factor, lda, x, ldb), 0);
        check_posv(n, nrhs, a, lda, b, x, ldb, 1e-11);
        if (n > 0) {
            const int64_t at = below(&rng, (uint64_t)n);
            a[at * lda + at] = t % 2 == 0 ? -1 : NAN;
            ck_assert_int_eq(moi_dposv(ctx, n, nrhs, a, lda, x, ldb), 1);
        }
    }
    kit_end(ctx);
}
END_TEST

START_TEST(large_dposv_is_right_on_any_thread_count)
{
    enum { N = 150, NRHS = 9 };
    mopt_context *ctx = with_backend(names[_i]);
    double *a = malloc(sizeof(double) * N * N), b[N * NRHS], x[2][N * NRHS];
    double *factor[2];
    moi_rng rng;
    moi_rng_init(&rng, 7, 0, 0, 0);
    for (int64_t i = 0; i < N * NRHS; i++)
        b[i] = real(&rng);
    positive(&rng, N, N, a);
    const int32_t threads = moi_backend_blas_threads();
    for (int32_t t = 0; t < 2; t++) {
        moi_backend_set_blas_threads(t + 1);
        factor[t] = malloc(sizeof(double) * N * N);
        memcpy(factor[t], a, sizeof(double) * N * N);
        memcpy(x[t], b, sizeof(b));
        ck_assert_int_eq(moi_dposv(ctx, N, NRHS, factor[t], N, x[t], NRHS), 0);
        check_posv(N, NRHS, a, N, b, x[t], NRHS, 1e-9);
    }
    moi_backend_set_blas_threads(threads);
    ck_assert_mem_eq(x[0], x[1], sizeof(x[0]));
    a[(N - 2) * (N + 1)] = -1;
    ck_assert_int_eq(moi_dposv(ctx, N, NRHS, a, N, b, NRHS), 1);
    free(a);
    free(factor[0]);
    free(factor[1]);
    kit_end(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    mopt_context *ctx = with_backend(names[_i]);
    double d[16] = {0};
    float f[16] = {0};
    const int64_t huge = INT64_MAX / 2;
    kit_fails(moi_sgemm(ctx, 0, 0, -1, 2, 2, 1, f, 2, f, 2, 0, f, 2),
              MOPT_EINVAL);
    kit_says("sgemm: A is -1 x 2");
    kit_fails(moi_sgemm(ctx, 0, 0, 2, -2, 2, 1, f, 2, f, 2, 0, f, 2),
              MOPT_EINVAL);
    kit_fails(moi_sgemm(ctx, 0, 0, 2, 2, 2, 1, f, 1, f, 2, 0, f, 2),
              MOPT_EINVAL);
    kit_says("leading dimension of A is 1, below its row length 2");
    kit_fails(moi_sgemm(ctx, 0, 0, 0, 0, 0, 1, f, 0, f, 1, 0, f, 1),
              MOPT_EINVAL);
    kit_fails(moi_sgemm(ctx, 0, 0, 2, 2, 2, 1, f, 2, f, 1, 0, f, 2),
              MOPT_EINVAL);
    kit_fails(moi_sgemm(ctx, 0, 0, 2, 2, 2, 1, f, 2, f, 2, 0, f, 1),
              MOPT_EINVAL);
    kit_fails(moi_sgemm(ctx, 0, 0, 2, 2, 2, 1, NULL, 2, f, 2, 0, f, 2),
              MOPT_EINVAL);
    kit_says("A is NULL");
    kit_fails(moi_sgemm(ctx, 1, 0, huge, 1, 1, 1, f, huge, f, 1, 0, f, 1),
              MOPT_ERANGE);
    kit_fails(moi_dgemm(ctx, 0, 0, 2, 2, 2, 1, d, 2, d, 2, 0, NULL, 2),
              MOPT_EINVAL);
    kit_fails(moi_dgemm(ctx, 0, 0, huge, 1, 0, 1, d, 1, d, 1, 0, d, 1),
              MOPT_ERANGE);
    kit_fails(moi_dqr(ctx, 1, 2, d, 2, d), MOPT_EINVAL);
    kit_says("wider than high");
    kit_fails(moi_dqr(ctx, 2, 2, NULL, 2, d), MOPT_EINVAL);
    kit_fails(moi_dqr(ctx, 2, 2, d, 2, NULL), MOPT_EINVAL);
    kit_fails(moi_dposv(ctx, -1, 1, d, 1, d, 1), MOPT_EINVAL);
    kit_fails(moi_dposv(ctx, 2, 1, d, 1, d, 1), MOPT_EINVAL);
    kit_fails(moi_dposv(ctx, 2, 2, d, 2, d, 1), MOPT_EINVAL);
    kit_ok(moi_dgemm(ctx, 0, 0, 0, 0, 0, 1, NULL, 1, NULL, 1, 0, NULL, 1));
    kit_ok(moi_dqr(ctx, 0, 0, NULL, 1, NULL));
    kit_ok(moi_dposv(ctx, 0, 0, NULL, 1, NULL, 1));
    kit_end(ctx);
}
END_TEST

/* Sizes that the integers of a BLAS do not hold, with no memory behind them:
 * nothing may be read before they are refused. */
START_TEST(what_openblas_cannot_count_is_refused)
{
    mopt_context *ctx = with_backend("openblas");
    const int64_t beyond = (int64_t)INT32_MAX + 1;
    double d[4] = {0}, r[1];
    float f[4] = {0};
    if (strstr(moi_backend_blas_config(), "USE64BITINT") == NULL) {
        kit_fails(moi_sgemm(ctx, 0, 0, 1, 1, 1, 1, f, beyond, f, 1, 0, f, 1),
                  MOPT_ERANGE);
        kit_says("sgemm: a size is beyond what it counts");
        kit_fails(moi_dgemm(ctx, 0, 0, 1, 1, 1, 1, d, 1, d, beyond, 0, d, 1),
                  MOPT_ERANGE);
        kit_fails(moi_dqr(ctx, 1, 1, d, beyond, r), MOPT_ERANGE);
        kit_fails(moi_dposv(ctx, 1, 1, d, beyond, d, 1), MOPT_ERANGE);
    }
    kit_end(ctx);
}
END_TEST

/* ---- a host's own table ---- */

static int32_t calls, destroyed, answer;

static int32_t host_sgemm(void *user, int32_t trans_a, int32_t trans_b,
                          int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b,
                          int64_t ldb, float beta, float *c, int64_t ldc)
{
    ck_assert_ptr_eq(user, &calls);
    calls++;
    if (answer != 0)
        return answer;
    return moi_backend_reference.sgemm(NULL, trans_a, trans_b, m, n, k, alpha,
                                       a, lda, b, ldb, beta, c, ldc);
}

static void host_destroy(void *user)
{
    ck_assert_ptr_eq(user, &calls);
    destroyed++;
}

static mopt_backend host_table(void)
{
    return (mopt_backend){
        .struct_size = sizeof(mopt_backend),
        .abi_version = MOPT_BACKEND_ABI,
        .name = "host",
        .user = &calls,
        .sgemm = host_sgemm,
    };
}

START_TEST(a_host_s_table_serves)
{
    mopt_context *ctx = kit_begin();
    mopt_config *config = NULL;
    mopt_backend table = host_table();
    char name[] = "mine";
    calls = destroyed = answer = 0;
    float a = 2, b = 3, c = 1;
    double d = 4, r;
    if (_i == 1) /* a header that knew sgemm only; the rest is not looked at */
        table.struct_size = offsetof(mopt_backend, dgemm);
    if (_i == 1)
        memset((char *)&table + table.struct_size, 0xff,
               sizeof(table) - table.struct_size);
    table.name = name;
    kit_ok(mopt_backend_register(ctx, &table, host_destroy));
    memset(&table, 0, sizeof(table));
    memset(name, 'x', sizeof(name) - 1);
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_text(config, "backend", "mine"));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
    ck_assert_str_eq(ctx->backend->name, "mine");
    kit_ok(moi_sgemm(ctx, 0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 1, &c, 1));
    ck_assert(c == 7 && calls == 1);
    kit_ok(moi_dgemm(ctx, 0, 0, 1, 1, 1, 1, &d, 1, &d, 1, 0, &r, 1));
    ck_assert(r == 16);
    kit_ok(moi_dposv(ctx, 1, 1, &d, 1, &r, 1));
    ck_assert(r == 4);
    kit_ok(moi_dqr(ctx, 1, 1, &d, 1, &r));
    ck_assert(d == 1 && r == 2);
    answer = 5;
    kit_fails(moi_sgemm(ctx, 0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 1, &c, 1),
              MOPT_EBACKEND);
    kit_says("backend 'mine': sgemm returned 5");
    answer = MOPT_ENOMEM;
    kit_fails(moi_sgemm(ctx, 0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 1, &c, 1),
              MOPT_ENOMEM);
    ck_assert_int_eq(destroyed, 0);
    kit_end(ctx);
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(wrong_tables_are_refused)
{
    mopt_context *ctx = kit_begin();
    const mopt_backend good = host_table();
    mopt_backend table = good;
    destroyed = 0;
    kit_fails(mopt_backend_register(NULL, &table, NULL), MOPT_EINVAL);
    kit_fails(mopt_backend_register(ctx, NULL, NULL), MOPT_EINVAL);
    table.struct_size = (uint32_t)offsetof(mopt_backend, dgemm) - 1;
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EINVAL);
    kit_says("struct_size is");
    table = good;
    table.abi_version = 2;
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EINVAL);
    kit_says("abi_version is 2, this library knows 1");
    table = good;
    table.name = NULL;
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EINVAL);
    table.name = "";
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EINVAL);
    table = good;
    table.sgemm = NULL;
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EINVAL);
    kit_says("sgemm is missing");
    table = good;
    table.name = "openblas";
    kit_fails(mopt_backend_register(ctx, &table, NULL), MOPT_EEXIST);
    table = good;
    kit_ok(mopt_backend_register(ctx, &table, NULL));
    kit_fails(mopt_backend_register(ctx, &table, host_destroy), MOPT_EEXIST);
    kit_end(ctx);
    ck_assert_int_eq(destroyed, 0);
}
END_TEST

START_TEST(names_are_found)
{
    mopt_context *ctx = kit_begin();
    mopt_backend table = host_table();
    const mopt_backend *found = NULL;
    kit_ok(mopt_backend_register(ctx, &table, host_destroy));
    kit_ok(moi_backend_find(ctx, "host", &found));
    ck_assert_str_eq(found->name, "host");
    kit_ok(moi_backend_find(ctx, "openblas", &found));
    ck_assert_ptr_eq(found, moi_backend_default());
    kit_fails(moi_backend_find(ctx, "hots", &found), MOPT_EKEY);
    kit_says("nearest: 'host'");
    kit_fails(moi_backend_find(ctx, "cuda", &found), MOPT_EKEY);
    kit_says("'openblas', 'reference'");
    ck_assert_ptr_eq(found, moi_backend_default());
    kit_end(ctx);
}
END_TEST

START_TEST(registering_without_memory_leaves_nothing)
{
    mopt_context *ctx = kit_begin();
    mopt_backend table = host_table();
    const mopt_backend *found = NULL;
    int64_t at = 0;
    destroyed = 0;
    for (;; at++) {
        kit_fail_allocation(at, _i);
        const int32_t rc = mopt_backend_register(ctx, &table, host_destroy);
        kit_fail_allocation(-1, 0);
        if (rc == MOPT_OK)
            break;
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        kit_fails(moi_backend_find(ctx, "host", &found), MOPT_EKEY);
    }
    ck_assert_int_eq(at, 2);
    kit_end(ctx);
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("backend");
    TCase *tests = tcase_create("entries");
    tcase_add_loop_test(tests, dgemm_is_right, 0, 2);
    tcase_add_loop_test(tests, sgemm_is_right, 0, 2);
    tcase_add_loop_test(
        tests, large_products_have_the_same_bits_on_any_thread_count, 0, 4);
    tcase_add_loop_test(tests, beta_0_does_not_read_c, 0, 2);
    tcase_add_loop_test(tests, nan_and_infinity_come_through, 0, 2);
    tcase_add_loop_test(tests, dqr_is_right, 0, 2);
    tcase_add_loop_test(tests, large_dqr_is_right_on_any_thread_count, 0, 2);
    tcase_add_loop_test(tests, dposv_is_right, 0, 2);
    tcase_add_loop_test(tests, large_dposv_is_right_on_any_thread_count, 0, 2);
    tcase_add_loop_test(tests, wrong_arguments_are_refused, 0, 2);
    tcase_add_test(tests, what_openblas_cannot_count_is_refused);
    suite_add_tcase(suite, tests);
    tests = tcase_create("host");
    tcase_add_loop_test(tests, a_host_s_table_serves, 0, 2);
    tcase_add_test(tests, wrong_tables_are_refused);
    tcase_add_test(tests, names_are_found);
    tcase_add_loop_test(tests, registering_without_memory_leaves_nothing, 0,
                        2);
    suite_add_tcase(suite, tests);
    return suite;
}
