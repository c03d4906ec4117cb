/* SPDX-License-Identifier: MIT
 * tests/unit/transfer/test_probe.c: what the head in closed form is chosen
 * by, in double: fits without a row, and rows in any order. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"
#include "kit.h"
#include "learn/transfer/leaveout.h"
#include "learn/transfer/probe.h"

#define ROWS 40
#define WIDTH 6
#define TARGETS 3

static mopt_context *ctx;
static double x[ROWS][WIDTH], y[ROWS][TARGETS];

static void setup(void)
{
    moi_rng rng;

    ctx = kit_begin();
    moi_rng_init(&rng, 7, 0, MOI_RNG_GENERATE, 1);
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < WIDTH; k++)
            x[i][k] = 2 + k + moi_rng_normal(&rng);
        for (int k = 0; k < TARGETS; k++)
            y[i][k] = 5 * k + x[i][k] - 0.4 * x[i][k + 2] +
                      moi_rng_normal(&rng);
    }
}

static void teardown(void)
{
    kit_end(ctx);
}

/* ---- the oracle ---- */

/* Gauss and Jordan with pivots: a[n][n] w = b[n][TARGETS], in place. */
static void eliminate(int n, double a[][WIDTH], double b[][TARGETS])
{
    for (int c = 0; c < n; c++) {
        int top = c;

        for (int i = c + 1; i < n; i++)
            if (fabs(a[i][c]) > fabs(a[top][c]))
                top = i;
        for (int k = 0; k < n; k++) {
            double was = a[c][k];
            a[c][k] = a[top][k];
            a[top][k] = was;
        }
        for (int k = 0; k < TARGETS; k++) {
            double was = b[c][k];
            b[c][k] = b[top][k];
            b[top][k] = was;
        }
        for (int i = 0; i < n; i++) {
            double f = a[i][c] / a[c][c];

            for (int k = 0; i != c && k < n; k++)
                a[i][k] -= f * a[c][k];
            for (int k = 0; i != c && k < TARGETS; k++)
                b[i][k] -= f * b[c][k];
        }
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < TARGETS; k++)
            b[i][k] /= a[i][i];
}

/* Ridge with a free intercept on all rows but one (-1: on all); told receives
 * what row number ask is told. */
static void plain_ridge(int without, double penalty, double w[][TARGETS],
                        int ask, double *told)
{
    double mx[WIDTH] = {0}, my[TARGETS] = {0}, a[WIDTH][WIDTH] = {{0}};
    double n = without < 0 ? ROWS : ROWS - 1;

    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; i != without && k < WIDTH; k++)
            mx[k] += x[i][k] / n;
        for (int k = 0; i != without && k < TARGETS; k++)
            my[k] += y[i][k] / n;
    }
    memset(w, 0, sizeof(double[WIDTH][TARGETS]));
    for (int i = 0; i < ROWS; i++)
        for (int k = 0; i != without && k < WIDTH; k++) {
            for (int l = 0; l < WIDTH; l++)
                a[k][l] += (x[i][k] - mx[k]) * (x[i][l] - mx[l]);
            for (int l = 0; l < TARGETS; l++)
                w[k][l] += (x[i][k] - mx[k]) * (y[i][l] - my[l]);
        }
    for (int k = 0; k < WIDTH; k++)
        a[k][k] += penalty;
    eliminate(WIDTH, a, w);
    for (int l = 0; told && l < TARGETS; l++) {
        told[l] = my[l];
        for (int k = 0; k < WIDTH; k++)
            told[l] += (x[ask][k] - mx[k]) * w[k][l];
    }
}

static void begin(moi_ridge *r)
{
    moi_real in[ROWS][WIDTH], out[ROWS][TARGETS];

    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < WIDTH; k++)
            in[i][k] = (moi_real)x[i][k];
        for (int k = 0; k < TARGETS; k++)
            out[i][k] = (moi_real)y[i][k];
    }
    kit_ok(moi_ridge_create(ctx, WIDTH, TARGETS, ROWS, r));
    kit_ok(moi_ridge_add(r, ROWS, in[0], out[0]));
    moi_ridge_close(r);
}

/* ---- the regression ---- */

static double plain_press(double penalty)
{
    double w[WIDTH][TARGETS], told[TARGETS], sum = 0;

    for (int i = 0; i < ROWS; i++) {
        plain_ridge(i, penalty, w, i, told);
        for (int l = 0; l < TARGETS; l++)
            sum += (y[i][l] - told[l]) * (y[i][l] - told[l]);
    }
    return sum;
}

/* No neighbour on the grid of powers of ten leaves smaller squares. */
START_TEST(the_penalty_chosen_is_the_best_of_its_grid)
{
    moi_leaveout left;
    moi_ridge r;
    double penalty;

    begin(&r);
    kit_ok(moi_leaveout_create(&r, NULL, &left));
    kit_ok(moi_leaveout_choose(&left, NULL, &penalty));
    ck_assert(plain_press(penalty) <= plain_press(penalty / 10) + 1e-9);
    ck_assert(plain_press(penalty) <= plain_press(penalty * 10) + 1e-9);
    moi_leaveout_clear(&left);
    moi_ridge_clear(&r);
}
END_TEST

/* Features that say nothing: the means are all there is to tell. */
START_TEST(features_may_all_be_the_same)
{
    double told[ROWS * TARGETS], penalty;
    moi_leaveout left;
    moi_ridge r;

    memset(x, 0, sizeof x);
    begin(&r);
    kit_ok(moi_leaveout_create(&r, NULL, &left));
    kit_ok(moi_leaveout_choose(&left, NULL, &penalty));
    kit_ok(moi_leaveout_tell(&left, penalty, told));
    kit_ok(moi_ridge_solve(&r, penalty));
    for (int k = 0; k < WIDTH * TARGETS; k++)
        ck_assert(r.weights[k] == 0);
    for (int i = 0; i < ROWS * TARGETS; i++)
        ck_assert(isfinite(told[i]));
    moi_leaveout_clear(&left);
    moi_ridge_clear(&r);
}
END_TEST

/* Products of a large regression, whose rows come in pieces and whose strips
 * many threads share, in double. */
START_TEST(products_of_many_columns)
{
    enum { N = 1100, D = 70 };
    static moi_real in[N][D], out[N][1];
    moi_ridge r;
    moi_rng rng;

    moi_rng_init(&rng, 3, 0, MOI_RNG_GENERATE, 3);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < D; k++)
            in[i][k] = (moi_real)(100 + k + moi_rng_normal(&rng));
        out[i][0] = (moi_real)moi_rng_normal(&rng);
    }
    kit_ok(moi_ridge_create(ctx, D, 1, 10, &r));
    kit_ok(moi_ridge_add(&r, N, in[0], out[0]));
    moi_ridge_close(&r);
    for (int k = 0; k < D; k++) {
        double mean = 0, sum = 0, want;

        for (int i = 0; i < N; i++)
            mean += (double)in[i][k] / N;
        ck_assert_double_eq_tol(r.mean[k], mean, 1e-9);
        for (int l = 0; l <= D; l++) {
            double other = 0;

            sum = 0;
            for (int i = 0; i < N; i++)
                other += (double)(l < D ? in[i][l] : out[i][0]) / N;
            for (int i = 0; i < N; i++)
                sum += ((double)in[i][k] - mean) *
                       ((double)(l < D ? in[i][l] : out[i][0]) - other);
            want = r.gram[k * (D + 1) + l];
            ck_assert_double_eq_tol(want, sum, 1e-9 * N);
        }
    }
    moi_ridge_clear(&r);
}
END_TEST

/* ---- a head ---- */

static mopt_model *make_model(int64_t inputs, int64_t outputs)
{
    mopt_model *model = NULL;

    kit_ok(mopt_model_build(ctx, inputs, &model));
    kit_ok(mopt_model_add_dense(model, WIDTH, "tanh"));
    kit_ok(mopt_model_add_dense(model, outputs, "none"));
    kit_ok(mopt_model_init(model, 3));
    return model;
}

static double loss_of(const mopt_model *model, const mopt_dataset *data)
{
    char text[4000];
    json_t *doc = NULL;
    double loss;

    kit_ok(mopt_model_evaluate(model, data, NULL, NULL, text, sizeof text,
                               NULL));
    kit_ok(moi_json_parse(text, &doc));
    loss = json_number_value(json_object_get(doc, "loss"));
    json_decref(doc);
    return loss;
}

#define MANY 9000 /* more rows than are left out in turn */
#define CLASSES 4

/* The first two classes are plain to tell; a third of the rows of the others
 * lie where those do, so that to be sure is to be wrong. */
static mopt_dataset *sorted_clouds(float in[MANY][2], int32_t label[MANY])
{
    mopt_dataset *data = NULL;
    moi_rng rng;

    moi_rng_init(&rng, 9, 0, MOI_RNG_GENERATE, 2);
    for (int i = 0; i < MANY; i++) {
        int at;

        label[i] = i * CLASSES / MANY;
        at = label[i] > 1 && i % 3 == 0 ? label[i] - 2 : label[i];
        in[i][0] = (float)(cos(1.6 * at) + 0.1 * moi_rng_normal(&rng));
        in[i][1] = (float)(sin(1.6 * at) + 0.1 * moi_rng_normal(&rng));
    }
    kit_ok(mopt_dataset_from_memory(ctx, MANY, 2, in, MOPT_F32, 0, label,
                                    MOPT_I32, 1, CLASSES, NULL, NULL, &data));
    return data;
}

/* The same bits for any number of threads. */
START_TEST(threads_leave_the_bits_alone)
{
    static float in[MANY][2];
    static int32_t label[MANY];
    float head[2][WIDTH * CLASSES];

    for (int i = 0; i < 2; i++) {
        mopt_dataset *data = sorted_clouds(in, label);
        mopt_model *model = make_model(2, CLASSES);
        mopt_config *config = NULL;

        kit_ok(mopt_config_create(ctx, "context", &config));
        kit_ok(mopt_config_set_int(config, "threads", i ? 3 : 1));
        kit_ok(mopt_context_configure(ctx, config));
        kit_ok(moi_probe_fit(model, data, 0, NULL, NULL));
        kit_ok(mopt_model_get_tensor(model, "layers.1.weight", head[i],
                                     WIDTH * CLASSES));
        mopt_model_free(model);
        mopt_dataset_free(data);
        mopt_config_free(config);
    }
    ck_assert_int_eq(memcmp(head[0], head[1], sizeof head[0]), 0);
}
END_TEST

/* The same rows in order of their classes, and shuffled: what the rows left
 * out say may not hang on which come first. */
START_TEST(rows_may_come_sorted_by_class)
{
    static float in[MANY][2];
    static int32_t label[MANY];
    static int64_t order[MANY];
    mopt_dataset *data[2] = {sorted_clouds(in, label), NULL};
    double loss[2];

    for (int i = 0; i < MANY; i++)
        order[i] = (int64_t)i * 7 % MANY;
    kit_ok(mopt_dataset_select(data[0], order, MANY, &data[1]));
    for (int i = 0; i < 2; i++) {
        mopt_model *model = make_model(2, CLASSES);

        kit_ok(moi_probe_fit(model, data[i], 0, NULL, NULL));
        loss[i] = loss_of(model, data[0]);
        mopt_model_free(model);
    }
    ck_assert_double_eq_tol(loss[0], loss[1], 0.01 * loss[1]);
    mopt_dataset_free(data[0]);
    mopt_dataset_free(data[1]);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("probe");
    TCase *tc = tcase_create("probe");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_penalty_chosen_is_the_best_of_its_grid);
    tcase_add_test(tc, features_may_all_be_the_same);
    tcase_add_test(tc, products_of_many_columns);
    tcase_add_test(tc, threads_leave_the_bits_alone);
    tcase_add_test(tc, rows_may_come_sorted_by_class);
    suite_add_tcase(suite, tc);
    return suite;
}
