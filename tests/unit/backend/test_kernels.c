/* SPDX-License-Identifier: MIT
 * tests/unit/backend/test_kernels.c: the functions on vectors against the C
 * library in a wider type, all over their range. Built in both precisions. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/kernels.h"
#include "backend/product.h"
#include "base/rng.h"
#include "kit.h"

#define COUNT 1000003 /* odd, so that loops over vectors leave a rest */

#ifdef MOI_DOUBLE
#define EPSILON DBL_EPSILON
#define SMALLEST 4.94065645841246544e-324L
#define ULPS 3.0L /* relative 6.7e-16 at most */
#else
#define EPSILON FLT_EPSILON
#define SMALLEST 1.40129846e-45L
#define ULPS 2.0L
#endif

static long double exact_sigmoid(long double x)
{
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}

static const struct {
    void (*run)(int64_t count, const moi_real *x, moi_real *y);
    long double (*exact)(long double x);
} functions[] = {
    {moi_vec_exp, expl},
    {moi_vec_tanh, tanhl},
    {moi_vec_sigmoid, exact_sigmoid},
    {moi_vec_erf, erfl},
};

/* Distance in units of the last place of the result. */
static long double ulps(moi_real got, long double want)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    const moi_real rounded = (moi_real)want;
    if (isinf(rounded) || isinf(got))
        return got == rounded ? 0 : INFINITY;
    int power;
    frexpl(want, &power); /* want is below 2^power */
    long double ulp = ldexpl(EPSILON, power - 1);
    ulp = ulp < SMALLEST ? SMALLEST : ulp;
    return fabsl((long double)got - want) / ulp;
}

/* Every kind of number: bits at equal steps, so all exponents, NaNs and
 * infinities; or the range that networks live in. */
static void fill(int32_t kind, moi_real *x)
{
    moi_rng rng;
    moi_rng_init(&rng, 1, 0, 0, 0);
    for (int64_t i = 0; i < COUNT; i++) {
        if (kind == 0) {
#ifdef MOI_DOUBLE
            const uint64_t bits = moi_rng_u64(&rng);
#else
            const uint32_t bits = (uint32_t)i * 4294u;
#endif
            memcpy(&x[i], &bits, sizeof(bits));
        } else {
            x[i] = (moi_real)(moi_rng_uniform(&rng) * 2 - 1)
                * (i % 2 == 0 ? 110 : 5);
        }
    }
    x[0] = NAN;
    x[1] = INFINITY;
    x[2] = -INFINITY;
    x[3] = (moi_real)-0.0;
}

START_TEST(functions_are_right)
{
    moi_real *x = malloc(sizeof(*x) * COUNT), *y = malloc(sizeof(*y) * COUNT);
    for (int32_t kind = 0; kind < 2; kind++) {
        fill(kind, x);
        functions[_i].run(COUNT, x, y);
        for (int64_t i = 0; i < COUNT; i++) {
            const long double want = functions[_i].exact((long double)x[i]);
            if (!(ulps(y[i], want) <= ULPS))
                ck_abort_msg("f(%.9g) is %.9g, not %.9g: %.3g ulp",
                             (double)x[i], (double)y[i], (double)want,
                             (double)ulps(y[i], want));
        }
    }
    free(x);
    free(y);
}
END_TEST

/* In place, and bit for bit alone as in a vector. */
START_TEST(functions_work_in_place)
{
    enum { N = 100 };
    moi_real x[N], y[N], one;
    for (int64_t i = 0; i < N; i++)
        x[i] = (moi_real)(i - 50) / 7;
    functions[_i].run(N, x, y);
    for (int64_t i = 0; i < N; i++) {
        functions[_i].run(1, &x[i], &one);
        ck_assert_mem_eq(&one, &y[i], sizeof(one));
    }
    functions[_i].run(N, x, x);
    ck_assert_mem_eq(x, y, sizeof(x));
    functions[_i].run(0, x, x);
    ck_assert_mem_eq(x, y, sizeof(x));
}
END_TEST

static void check_softmax(int64_t rows, int64_t n, const moi_real *x,
                          const moi_real *y, const double *lse)
{
    for (int64_t i = 0; i < rows; i++, x += n, y += n) {
        long double top = x[0], sum = 0, total = 0;
        for (int64_t j = 0; j < n; j++)
            top = fmaxl(top, (long double)x[j]);
        for (int64_t j = 0; j < n; j++)
            sum += expl((long double)x[j] - top);
        for (int64_t j = 0; j < n; j++) {
            const long double want = expl((long double)x[j] - top) / sum;
            total += y[j];
            /* The difference to the top is rounded before exp, and the sum
             * in double at each step. */
            const long double room =
                (long double)EPSILON * (4 + top - (long double)x[j])
                + (long double)DBL_EPSILON * (long double)n;
            if (!(fabsl((long double)y[j] - want)
                  <= want * room + 2 * SMALLEST))
                ck_abort_msg("softmax %g, not %g", (double)y[j], (double)want);
        }
        ck_assert(fabsl(total - 1) < EPSILON * (long double)(n + 8));
        ck_assert(fabs(lse[i] - (double)(top + logl(sum))) <=
                  EPSILON * (fabs(lse[i]) + 2));
    }
}

START_TEST(softmax_is_right)
{
    static const int64_t shapes[][2] = {
        {1, 1}, {3, 2}, {128, 10}, {65, 31}, {70, 32}, {5, 1000}, {2, 2048},
        {3, 5000}, {200, 1},
    };
    const int64_t rows = shapes[_i][0], n = shapes[_i][1];
    const size_t size = sizeof(moi_real) * (size_t)(rows * n);
    moi_real *x = malloc(size), *y = malloc(size);
    double *lse = malloc(sizeof(double) * (size_t)rows);
    for (int32_t width = 1; width <= 1000; width *= 10) {
        moi_rng rng;
        moi_rng_init(&rng, 2, 0, 0, 0);
        for (int64_t i = 0; i < rows * n; i++)
            x[i] = (moi_real)(moi_rng_normal(&rng) * width);
        moi_softmax_rows(rows, n, x, y, lse);
        check_softmax(rows, n, x, y, lse);
        moi_softmax_rows(rows, n, x, x, NULL);
        ck_assert(memcmp(x, y, size) == 0);
    }
    free(x);
    free(y);
    free(lse);
}
END_TEST

START_TEST(softmax_of_what_is_no_number)
{
    const moi_real huge = (moi_real)1e30;
    moi_real x[5][3] = {
        {1, NAN, 2}, {NAN, 1, 2}, {INFINITY, 1, 2},
        {-INFINITY, 1, 1}, {huge, -huge, huge},
    };
    moi_real y[5][3];
    double lse[5];
    moi_softmax_rows(5, 3, x[0], y[0], lse);
    for (int32_t i = 0; i < 3; i++)
        ck_assert(isnan(lse[i]));
    for (int32_t j = 0; j < 3; j++)
        ck_assert(isnan(y[0][j]) && isnan(y[1][j]));
    ck_assert(isnan(y[2][0]));
    ck_assert(y[3][0] == 0 && y[3][1] == 0.5f && y[3][2] == 0.5f);
    ck_assert(y[4][0] == 0.5f && y[4][1] == 0 && y[4][2] == 0.5f);
    moi_softmax_rows(0, 3, NULL, NULL, NULL);
    moi_softmax_rows(3, 0, NULL, NULL, NULL);
}
END_TEST

START_TEST(the_set_has_a_name)
{
    ck_assert_str_eq(moi_isa_name(), moi_product_isa_at(0)->name);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("functions");
    tcase_add_loop_test(tests, functions_are_right, 0, 4);
    tcase_add_loop_test(tests, functions_work_in_place, 0, 4);
    tcase_add_loop_test(tests, softmax_is_right, 0, 9);
    tcase_add_test(tests, softmax_of_what_is_no_number);
    tcase_add_test(tests, the_set_has_a_name);
    suite_add_tcase(suite, tests);
    return suite;
}
