/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_split.c: train, validation and test parts; folds. */
#include <math.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

enum { ROWS = 1000, CLASSES = 5 };

/* Feature = number of the row; classes of very different sizes: 500, 300,
 * 150, 47, 3. */
static float numbers[ROWS];
static uint8_t labels[ROWS];

static mopt_dataset *make_data(mopt_context *ctx)
{
    static const int bounds[] = {500, 800, 950, 997, 1000};
    mopt_dataset *data = NULL;

    for (int i = 0; i < ROWS; i++) {
        int spot = i * 389 % ROWS, c = 0;
        while (i >= bounds[c])
            c++;
        numbers[spot] = (float)spot;
        labels[spot] = (uint8_t)c;
    }
    kit_ok(mopt_dataset_from_memory(ctx, ROWS, 1, numbers, MOPT_F32, 0,
                                    labels, MOPT_U8, 1, 0, NULL, NULL,
                                    &data));
    return data;
}

static int64_t rows_of(const mopt_dataset *data)
{
    return data ? moi_dataset_rows(data) : 0;
}

/* Mark the rows of a part in seen, count its classes. */
static void mark(const mopt_dataset *data, int *seen, int64_t *counts)
{
    float x, y;

    memset(counts, 0, CLASSES * sizeof *counts);
    for (int64_t i = 0; i < rows_of(data); i++) {
        kit_ok(mopt_dataset_read(data, i, 1, &x, &y));
        ck_assert_float_eq(y, labels[(int)x]);
        seen[(int)x]++;
        counts[(int)y]++;
    }
}

/* Every row is in exactly one part; classes are in proportion to within a row
 * or, where a class is too small, training keeps one. */
START_TEST(test_stratified)
{
    static const int64_t sizes[] = {500, 300, 150, 47, 3};
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *part[3];
    mopt_config *config = data_config(
        ctx, "{\"split.validation\": 0.2, \"split.test\": 100}");
    int64_t counts[3][CLASSES];
    int seen[ROWS] = {0};

    kit_ok(mopt_dataset_split(data, config, &part[0], &part[1], &part[2]));
    ck_assert_int_eq(rows_of(part[0]), 700);
    ck_assert_int_eq(rows_of(part[1]), 200);
    ck_assert_int_eq(rows_of(part[2]), 100);
    for (int p = 0; p < 3; p++)
        mark(part[p], seen, counts[p]);
    for (int i = 0; i < ROWS; i++)
        ck_assert_int_eq(seen[i], 1);
    for (int c = 0; c < CLASSES; c++) {
        double share = (double)sizes[c] / ROWS;
        ck_assert_double_le(fabs((double)counts[1][c] - 200 * share), 1);
        ck_assert_double_le(fabs((double)counts[2][c] - 100 * share), 1);
        ck_assert_int_ge(counts[0][c], 1);
    }
    for (int p = 0; p < 3; p++)
        mopt_dataset_free(part[p]);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Parts so large that classes cannot keep their share still add up. */
START_TEST(test_stratified_tight)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *part[3];
    mopt_config *config = data_config(
        ctx, "{\"split\": {\"validation\": 498, \"test\": 501}}");
    int64_t counts[CLASSES];
    int seen[ROWS] = {0};

    kit_ok(mopt_dataset_split(data, config, &part[0], &part[1], &part[2]));
    ck_assert_int_eq(rows_of(part[0]), 1);
    ck_assert_int_eq(rows_of(part[1]), 498);
    ck_assert_int_eq(rows_of(part[2]), 501);
    for (int p = 0; p < 3; p++) {
        mark(part[p], seen, counts);
        mopt_dataset_free(part[p]);
    }
    for (int i = 0; i < ROWS; i++)
        ck_assert_int_eq(seen[i], 1);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Classes of the validation rows, for classes of the given sizes. */
static void validation_counts(const int *sizes, int classes, int64_t rows,
                              const char *json, int64_t *counts)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *validation = NULL;
    mopt_config *config = data_config(ctx, json);
    uint8_t y[100];
    int seen[ROWS] = {0}, at = 0;

    for (int c = 0; c < classes; c++)
        for (int i = 0; i < sizes[c]; i++, at++) {
            y[at] = labels[at] = (uint8_t)c;
            numbers[at] = (float)at;
        }
    kit_ok(mopt_dataset_from_memory(ctx, rows, 1, numbers, MOPT_F32, 0, y,
                                    MOPT_U8, 1, 0, NULL, NULL, &data));
    kit_ok(mopt_dataset_split(data, config, NULL, &validation, NULL));
    mark(validation, seen, counts);
    mopt_dataset_free(validation);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}

/* 4.2, 2.1 and 0.7 rows: the largest remainder gets the row that is left. A
 * class of three keeps one to train on, though 2.7 of them were due. */
START_TEST(test_remainders)
{
    static const int three[] = {60, 30, 10}, two[] = {97, 3};
    int64_t counts[CLASSES];

    validation_counts(three, 3, 100, "{\"split.validation\": 7}", counts);
    ck_assert_int_eq(counts[0], 4);
    ck_assert_int_eq(counts[1], 2);
    ck_assert_int_eq(counts[2], 1);
    validation_counts(two, 2, 100, "{\"split.validation\": 90}", counts);
    ck_assert_int_eq(counts[0], 88);
    ck_assert_int_eq(counts[1], 2);
}
END_TEST

/* Without shuffling the parts follow each other, training first. */
START_TEST(test_in_order)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *part[3];
    mopt_config *config = data_config(
        ctx, "{\"split\": {\"validation\": 0.1, \"test\": 0.2, "
             "\"stratify\": false, \"shuffle\": false}}");
    float x;
    int64_t row = 0;

    kit_ok(mopt_dataset_split(data, config, &part[0], &part[1], &part[2]));
    ck_assert_int_eq(rows_of(part[0]), 700);
    for (int p = 0; p < 3; p++) {
        for (int64_t i = 0; i < rows_of(part[p]); i++, row++) {
            kit_ok(mopt_dataset_read(part[p], i, 1, &x, NULL));
            ck_assert_float_eq(x, (float)row);
        }
        mopt_dataset_free(part[p]);
    }
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

static uint64_t split_digest(const mopt_dataset *data, mopt_config *config,
                             int64_t seed)
{
    mopt_dataset *train = NULL;
    uint64_t digest;

    kit_ok(mopt_config_set_int(config, "split.seed", seed));
    kit_ok(mopt_dataset_split(data, config, &train, NULL, NULL));
    digest = moi_dataset_digest(train);
    mopt_dataset_free(train);
    return digest;
}

START_TEST(test_seeds)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx);
    mopt_config *config = data_config(ctx, "{}");
    uint64_t first = split_digest(data, config, 1);

    ck_assert_uint_eq(first, split_digest(data, config, 1));
    ck_assert_uint_ne(first, split_digest(data, config, 2));
    ck_assert_uint_ne(first, split_digest(data, config, INT64_MIN));
    kit_ok(mopt_config_set_bool(config, "split.stratify", 0));
    ck_assert_uint_ne(first, split_digest(data, config, 1));
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_empty_parts_are_null)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *train, *rest[2];
    mopt_config *config = data_config(ctx, "{\"split.validation\": 0}");

    rest[0] = rest[1] = data;
    kit_ok(mopt_dataset_split(data, config, &train, &rest[0], &rest[1]));
    ck_assert_int_eq(rows_of(train), ROWS);
    ck_assert_ptr_null(rest[0]);
    ck_assert_ptr_null(rest[1]);
    mopt_dataset_free(train);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_folds)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx);

    for (int32_t stratify = 0; stratify < 2; stratify++) {
        int held[ROWS] = {0};
        for (int64_t fold = 0; fold < 7; fold++) {
            mopt_dataset *train = NULL, *validation = NULL;
            int64_t counts[CLASSES], others[CLASSES];
            int seen[ROWS] = {0};
            kit_ok(mopt_dataset_fold(data, 7, fold, 3, stratify, &train,
                                     &validation));
            ck_assert_int_eq(rows_of(validation), fold < 6 ? 143 : 142);
            mark(validation, held, counts);
            mark(validation, seen, counts);
            mark(train, seen, others);
            for (int i = 0; i < ROWS; i++)
                ck_assert_int_eq(seen[i], 1);
            for (int c = 0; c < CLASSES && stratify; c++)
                ck_assert_double_le(
                    fabs((double)counts[c] -
                         (double)(counts[c] + others[c]) / 7), 1);
            mopt_dataset_free(train);
            mopt_dataset_free(validation);
        }
        for (int i = 0; i < ROWS; i++)
            ck_assert_int_eq(held[i], 1);
    }
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_calls)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{\"split.validation\": 0.5, \"split.test\": 0.5}", "leave none"},
        {"{\"split.validation\": 1000}", "1000"},
        {"{\"split.test\": 1e15}", "split.test"},
        {"{\"split.test\": 1.5}", "whole number"},
    };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *out = NULL;
    mopt_config *other = NULL, *config = data_config(ctx, "{}");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mopt_config *wrong = data_config(ctx, cases[i].json);
        kit_fails(mopt_dataset_split(data, wrong, &out, NULL, NULL),
                  MOPT_EINVAL);
        kit_says(cases[i].says);
        mopt_config_free(wrong);
    }
    kit_fails(mopt_config_set_float(config, "split.validation", -0.1),
              MOPT_EINVAL);
    kit_ok(mopt_config_create(ctx, "context", &other));
    kit_fails(mopt_dataset_split(NULL, config, &out, NULL, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_dataset_split(data, NULL, &out, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_split(data, other, &out, NULL, NULL),
              MOPT_EINVAL);
    kit_says("kind 'context'");
    kit_ok(mopt_dataset_split(data, config, NULL, NULL, NULL));
    kit_fails(mopt_dataset_fold(NULL, 2, 0, 0, 1, &out, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_fold(data, 1, 0, 0, 1, &out, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_fold(data, INT64_MAX, 0, 0, 1, &out, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_dataset_fold(data, 2, 2, 0, 1, &out, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_fold(data, 2, -1, 0, 1, &out, NULL), MOPT_EINVAL);
    kit_ok(mopt_dataset_fold(data, 2, 1, 0, 1, NULL, NULL));
    ck_assert_ptr_null(out);
    mopt_config_free(config);
    mopt_config_free(other);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_no_memory)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make_data(ctx), *part[3] = {NULL};
    mopt_config *config = data_config(ctx, "{\"split.test\": 10}");

    for (int32_t forever = 0; forever < 2; forever++) {
        int64_t at = 0;
        int32_t rc;
        for (;; at++) {
            kit_fail_allocation(at, forever);
            rc = mopt_dataset_split(data, config, &part[0], &part[1],
                                    &part[2]);
            if (!rc)
                break;
            ck_assert_int_eq(rc, MOPT_ENOMEM);
            ck_assert_ptr_null(part[0]);
        }
        ck_assert_int_gt(at, 8);
        for (int p = 0; p < 3; p++) {
            mopt_dataset_free(part[p]);
            part[p] = NULL;
        }
        for (at = 0;; at++) {
            kit_fail_allocation(at, forever);
            rc = mopt_dataset_fold(data, 3, 1, 0, 1, &part[0], &part[1]);
            if (!rc)
                break;
            ck_assert_int_eq(rc, MOPT_ENOMEM);
        }
        ck_assert_int_gt(at, 5);
        mopt_dataset_free(part[0]);
        mopt_dataset_free(part[1]);
        part[0] = part[1] = NULL;
    }
    kit_fail_allocation(-1, 0);
    mopt_config_free(config);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("split");
    TCase *tests = tcase_create("split");

    tcase_add_test(tests, test_stratified);
    tcase_add_test(tests, test_stratified_tight);
    tcase_add_test(tests, test_remainders);
    tcase_add_test(tests, test_in_order);
    tcase_add_test(tests, test_seeds);
    tcase_add_test(tests, test_empty_parts_are_null);
    tcase_add_test(tests, test_folds);
    tcase_add_test(tests, test_wrong_calls);
    tcase_add_test(tests, test_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
