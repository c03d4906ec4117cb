/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_real_data.c: the real files give what is known of them.
 * Skipped where they are not there (MODELOPT_DATA). */
#include <math.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

static mopt_dataset *load(mopt_context *ctx, int32_t part, const char *json)
{
    mopt_dataset *data = NULL;
    char text[2048];

    snprintf(text, sizeof text, "{\"base\": \"%s\", %s}",
             getenv("MODELOPT_DATA"), json);
    kit_ok(data_load(ctx, part, &data, "%s", text));
    return data;
}

static void shape_is(const mopt_dataset *data, int64_t rows, int64_t features,
                     int64_t targets, int32_t kind)
{
    int64_t got[3];
    int32_t got_kind;

    kit_ok(mopt_dataset_shape(data, &got[0], &got[1], &got[2], &got_kind));
    ck_assert_int_eq(got[0], rows);
    ck_assert_int_eq(got[1], features);
    ck_assert_int_eq(got[2], targets);
    ck_assert_int_eq(got_kind, kind);
}

/* Everything as floats; the caller frees them. */
static float *read_all(const mopt_dataset *data, float **y)
{
    int64_t rows, features, targets;
    int32_t kind;

    kit_ok(mopt_dataset_shape(data, &rows, &features, &targets, &kind));
    float *x = malloc((size_t)(rows * features) * sizeof *x);
    *y = malloc((size_t)rows * sizeof **y);
    kit_ok(mopt_dataset_read(data, 0, rows, x, *y));
    return x;
}

/* Rows with at least one gap. */
static int64_t gaps_of(const mopt_dataset *data)
{
    int64_t rows, features, count = 0;
    float *y, *x = read_all(data, &y);

    kit_ok(mopt_dataset_shape(data, &rows, &features, NULL, NULL));
    for (int64_t i = 0; i < rows; i++) {
        int gap = 0;
        for (int64_t j = 0; j < features; j++)
            gap |= isnan(x[i * features + j]);
        count += gap;
    }
    free(x);
    free(y);
    return count;
}

static const char fashion[] =
    "\"source\": {\"type\": \"idx\","
    " \"path\": \"fashion-mnist/train-images-idx3-ubyte.gz\","
    " \"labels\": \"fashion-mnist/train-labels-idx1-ubyte.gz\","
    " \"test\": \"fashion-mnist/t10k-images-idx3-ubyte.gz\","
    " \"test_labels\": \"fashion-mnist/t10k-labels-idx1-ubyte.gz\"}";

START_TEST(test_fashion)
{
    mopt_context *ctx;
    mopt_dataset *data;
    float *x, *y;
    double sum = 0, squares = 0, count = 60000.0 * 784;

    if (!kit_data("fashion-mnist/train-images-idx3-ubyte.gz"))
        return;
    ctx = kit_begin();
    data = load(ctx, MOPT_PART_TRAIN, fashion);
    shape_is(data, 60000, 784, 10, MOPT_TARGET_CLASS);
    data_says(data, "[6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, "
                    "6000]");
    x = read_all(data, &y);
    for (int64_t i = 0; i < 60000 * 784; i++) {
        double v = (double)x[i] / 255;
        sum += v;
        squares += v * v;
    }
    free(x);
    free(y);
    ck_assert_double_eq_tol(sum / count, 0.28604, 5e-6);
    ck_assert_double_eq_tol(sqrt(squares / count - pow(sum / count, 2)),
                            0.35302, 5e-6);
    mopt_dataset_free(data);
    data = load(ctx, MOPT_PART_TEST, fashion);
    shape_is(data, 10000, 784, 10, MOPT_TARGET_CLASS);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_mnist)
{
    mopt_context *ctx;
    mopt_dataset *data;

    if (!kit_data("mnist/train-images-idx3-ubyte.gz"))
        return;
    ctx = kit_begin();
    data = load(ctx, MOPT_PART_TRAIN,
                "\"source\": {\"type\": \"idx\","
                " \"path\": \"mnist/train-images-idx3-ubyte.gz\","
                " \"labels\": \"mnist/train-labels-idx1-ubyte.gz\"}");
    shape_is(data, 60000, 784, 10, MOPT_TARGET_CLASS);
    data_says(data, "[5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, "
                    "5949]");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Labels of adult.test end in a full stop; it begins with a line that is no
 * row; both files end in an empty line. */
START_TEST(test_adult)
{
    static const char adult[] =
        "\"source\": {\"type\": \"csv\", \"path\": \"adult/adult.data.gz\","
        " \"test\": \"adult/adult.test.gz\", \"comment\": \"|\","
        " \"strip\": \".\"}";
    mopt_context *ctx;
    mopt_dataset *train, *test, *ready = NULL;
    mopt_transform *t = NULL;
    mopt_config *config;

    if (!kit_data("adult/adult.data.gz"))
        return;
    ctx = kit_begin();
    train = load(ctx, MOPT_PART_TRAIN, adult);
    test = load(ctx, MOPT_PART_TEST, adult);
    shape_is(train, 32561, 14, 2, MOPT_TARGET_CLASS);
    shape_is(test, 16281, 14, 2, MOPT_TARGET_CLASS);
    ck_assert_int_eq(gaps_of(train), 2399);
    ck_assert_int_eq(gaps_of(test), 1221);
    data_says(train, "\"counts\": [24720, 7841], \"names\": [\"<=50K\", "
                     "\">50K\"]");
    data_says(test, "\"counts\": [12435, 3846], \"names\": [\"<=50K\", "
                    "\">50K\"]");
    config = data_config(ctx, "{}");
    kit_ok(mopt_transform_fit(train, config, &t));
    kit_ok(mopt_transform_apply(t, test, &ready));
    /* 6 numbers, 99 categories, "missing" of three columns. */
    shape_is(ready, 16281, 108, 2, MOPT_TARGET_CLASS);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_config_free(config);
    mopt_dataset_free(train);
    mopt_dataset_free(test);
    kit_end(ctx);
}
END_TEST

START_TEST(test_arff)
{
    mopt_context *ctx;
    mopt_dataset *data;
    float *x, *y;
    double sum = 0, squares = 0;
    int capped = 0;

    if (!kit_data("california-housing/cal_housing.arff.gz"))
        return;
    ctx = kit_begin();
    data = load(ctx, MOPT_PART_TRAIN, "\"source\": {\"type\": \"arff\", "
                "\"path\": \"letter/letter.arff.gz\"}");
    shape_is(data, 20000, 16, 26, MOPT_TARGET_CLASS);
    data_says(data, "\"counts\": [789, 766, 736, 805, 768, 775, 773, 734, ");
    data_says(data, "\"Y\", \"Z\"]");
    mopt_dataset_free(data);
    data = load(ctx, MOPT_PART_TRAIN, "\"source\": {\"type\": \"arff\", "
                "\"path\": \"optdigits/optdigits.arff.gz\"}");
    shape_is(data, 5620, 64, 10, MOPT_TARGET_CLASS);
    data_says(data, "[554, 571, 557, 572, 568, 558, 558, 566, 554, 562]");
    mopt_dataset_free(data);
    data = load(ctx, MOPT_PART_TRAIN, "\"source\": {\"type\": \"arff\", "
                "\"path\": \"california-housing/cal_housing.arff.gz\"}");
    shape_is(data, 20640, 8, 1, MOPT_TARGET_NUMBER);
    x = read_all(data, &y);
    for (int i = 0; i < 20640; i++) {
        sum += (double)y[i] / 20640;
        squares += (double)y[i] * (double)y[i] / 20640;
        capped += y[i] == 500001;
    }
    ck_assert_int_eq(capped, 965);
    ck_assert_double_eq_tol(sum, 206856, 1);
    ck_assert_double_eq_tol(sqrt(squares - sum * sum), 115393, 5);
    free(x);
    free(y);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Ten ready-made folds: every row is a test row once. */
START_TEST(test_protein)
{
    mopt_context *ctx;
    double sum = 0, squares = 0;

    if (!kit_data("protein/data.csv.gz"))
        return;
    ctx = kit_begin();
    for (int fold = 0; fold < 10; fold += 3) {
        mopt_dataset *train, *test;
        char json[400];
        snprintf(json, sizeof json,
                 "\"test_mask\": \"protein/test_mask.csv.gz\", "
                 "\"test_mask_column\": %d, \"source\": {\"type\": \"csv\", "
                 "\"path\": \"protein/data.csv.gz\"}", fold);
        train = load(ctx, MOPT_PART_TRAIN, json);
        test = load(ctx, MOPT_PART_TEST, json);
        shape_is(train, 41157, 9, 1, MOPT_TARGET_NUMBER);
        shape_is(test, 4573, 9, 1, MOPT_TARGET_NUMBER);
        for (int part = 0; part < 2 && fold == 0; part++) {
            float *y, *x = read_all(part ? test : train, &y);
            for (int i = 0; i < (part ? 4573 : 41157); i++) {
                sum += (double)y[i] / 45730;
                squares += (double)y[i] * (double)y[i] / 45730;
            }
            free(x);
            free(y);
        }
        mopt_dataset_free(train);
        mopt_dataset_free(test);
    }
    ck_assert_double_eq_tol(sqrt(squares - sum * sum), 0.7730, 5e-5);
    kit_end(ctx);
}
END_TEST

static const char kdd[] =
    "\"source\": {\"type\": \"csv\","
    " \"path\": \"kddcup99/kddcup.data_10_percent.gz\","
    " \"test\": \"kddcup99/corrected.gz\", \"strip\": \".\"}";

/* 17 of the test part's classes were never seen in training. */
START_TEST(test_kddcup)
{
    mopt_context *ctx;
    mopt_dataset *train, *test, *ready = NULL;
    mopt_transform *t = NULL;
    mopt_config *config;
    int64_t rows;

    if (!kit_data("kddcup99/corrected.gz"))
        return;
    ctx = kit_begin();
    train = load(ctx, MOPT_PART_TRAIN, kdd);
    test = load(ctx, MOPT_PART_TEST, kdd);
    shape_is(train, 494021, 41, 23, MOPT_TARGET_CLASS);
    shape_is(test, 311029, 41, 38, MOPT_TARGET_CLASS);
    data_says(train, "280790, 2, 979, 1020, 20]");
    data_says(train, "\"smurf\", \"spy\", ");
    config = data_config(ctx, "{}");
    kit_ok(mopt_transform_fit(train, config, &t));
    kit_fails(mopt_transform_apply(t, test, &ready), MOPT_EINVAL);
    kit_says("unknown_class");
    mopt_transform_free(t);
    kit_ok(mopt_config_set_text(config, "unknown_class", "drop"));
    kit_ok(mopt_transform_fit(train, config, &t));
    kit_ok(mopt_transform_apply(t, test, &ready));
    kit_ok(mopt_dataset_shape(ready, &rows, NULL, NULL, NULL));
    ck_assert_int_lt(rows, 311029 - 17000); /* snmpgetattack and others */
    ck_assert_int_gt(rows, 280000);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_config_free(config);
    mopt_dataset_free(train);
    mopt_dataset_free(test);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("real data");
    TCase *tests = tcase_create("real data");

    tcase_add_test(tests, test_fashion);
    tcase_add_test(tests, test_mnist);
    tcase_add_test(tests, test_adult);
    tcase_add_test(tests, test_arff);
    tcase_add_test(tests, test_protein);
    tcase_add_test(tests, test_kddcup);
    suite_add_tcase(suite, tests);
    return suite;
}
