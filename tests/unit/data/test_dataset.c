/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_dataset.c: data sets over host memory, and views. */
#include <math.h>
#include <pthread.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

static int32_t destroyed;

static void count_destroy(void *user)
{
    destroyed += *(int32_t *)user;
}

static const double cells[] = {1, 2, 3, 4, 5, 6};

/* Put a number into memory as an element type. */
static void put(char *at, int32_t type, double value)
{
    float f = (float)value;
    int16_t h = (int16_t)value;
    int32_t w = (int32_t)value;
    int64_t l = (int64_t)value;
    switch (type) {
    case MOPT_F32: memcpy(at, &f, 4); break;
    case MOPT_F64: memcpy(at, &value, 8); break;
    case MOPT_I16: memcpy(at, &h, 2); break;
    case MOPT_I32: memcpy(at, &w, 4); break;
    case MOPT_I64: memcpy(at, &l, 8); break;
    default: *at = (char)w; break;
    }
}

static const int32_t sizes[] = {0, 4, 8, 1, 1, 2, 4, 8, 1};

/* The same six numbers in every element type, with and without gaps between
 * the rows, come out as floats. */
START_TEST(test_types)
{
    mopt_context *ctx = kit_begin();
    int64_t buffer[16];
    double ones[] = {1, 1, 1, 1, 1, 1};

    for (int32_t type = MOPT_F32; type <= MOPT_BOOL; type++) {
        for (int32_t pad = 0; pad < 3; pad++) {
            mopt_dataset *data = NULL;
            int64_t stride = (3 + pad) * sizes[type];
            memset(buffer, 0, sizeof buffer);
            for (int i = 0; i < 6; i++)
                put((char *)buffer + i / 3 * stride + i % 3 * sizes[type],
                    type, cells[i]);
            kit_ok(mopt_dataset_from_memory(ctx, 2, 3, buffer, type,
                                            pad ? stride : 0, NULL, 0, 0, 0,
                                            NULL, NULL, &data));
            data_is(data, 2, 3, type == MOPT_BOOL ? ones : cells, NULL);
            mopt_dataset_free(data);
        }
    }
    kit_end(ctx);
}
END_TEST

/* Rows may overlap: windows over a series. */
START_TEST(test_overlapping_rows)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const double windows[] = {1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6};

    kit_ok(mopt_dataset_from_memory(ctx, 4, 3, cells, MOPT_F64, 8, NULL, 0,
                                    0, 0, NULL, NULL, &data));
    data_is(data, 4, 3, windows, NULL);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_label_types)
{
    static const int32_t types[] = {MOPT_U8,  MOPT_I8,  MOPT_I16,
                                    MOPT_I32, MOPT_I64, MOPT_BOOL};
    mopt_context *ctx = kit_begin();
    const double labels[] = {1, 0, 1};

    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        mopt_dataset *data = NULL;
        int64_t buffer[3] = {0}, targets;
        int32_t kind;
        for (int i = 0; i < 3; i++)
            put((char *)buffer + i * sizes[types[t]], types[t], labels[i]);
        kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, buffer,
                                        types[t], 1, 0, NULL, NULL, &data));
        data_is(data, 3, 2, cells, labels);
        kit_ok(mopt_dataset_shape(data, NULL, NULL, &targets, &kind));
        ck_assert_int_eq(targets, 2);
        ck_assert_int_eq(kind, MOPT_TARGET_CLASS);
        mopt_dataset_free(data);
    }
    kit_end(ctx);
}
END_TEST

START_TEST(test_number_targets)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const float y[] = {1.5f, -2, 0, 4, 5, 6};
    float got[6];

    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, y,
                                    MOPT_F32, 2, 0, NULL, NULL, &data));
    kit_ok(mopt_dataset_read(data, 0, 3, NULL, got));
    ck_assert_mem_eq(got, y, sizeof y);
    data_says(data, "\"numbers\": 2");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_views_keep_the_host_memory)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *view = NULL, *twice = NULL;
    const uint8_t labels[] = {2, 0, 1};
    const int64_t rows[] = {2, 0}, again[] = {1, 1, 0};
    const double x[] = {1, 2, 1, 2, 5, 6}, y[] = {2, 2, 1};
    int32_t one = 1;

    destroyed = 0;
    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                    MOPT_U8, 1, 0, &one, count_destroy,
                                    &data));
    kit_ok(mopt_dataset_select(data, rows, 2, &view));
    mopt_dataset_free(data);
    kit_ok(mopt_dataset_select(view, again, 3, &twice));
    mopt_dataset_free(view);
    ck_assert_int_eq(destroyed, 0);
    data_is(twice, 3, 2, x, y);
    mopt_dataset_free(twice);
    ck_assert_int_eq(destroyed, 1);
    mopt_dataset_free(NULL);
    kit_end(ctx);
}
END_TEST

/* A context may be given up before what was made from it. */
START_TEST(test_outlives_the_context)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, NULL, 0, 0,
                                    0, NULL, NULL, &data));
    mopt_context_free(ctx);
    data_is(data, 3, 2, cells, NULL);
    mopt_dataset_free(data);
    kit_end(NULL);
}
END_TEST

/* Every wrong argument gives MOPT_EINVAL or MOPT_ERANGE, a message, no data
 * set, and no call of destroy. */
START_TEST(test_wrong_memory)
{
    static const double wild[] = {1, 2, INFINITY, 4, 5, 6};
    static const float numbers[] = {1, NAN, 3};
    static const int8_t labels[] = {0, 1, -1};
    static const int32_t prices[] = {0, 1, 500000000};
    const char *odd = (const char *)cells + 4;
    int32_t one = 1;
    struct {
        int64_t rows, features;
        const void *x;
        int32_t type;
        int64_t stride;
        const void *y;
        int32_t y_type;
        int64_t targets, classes;
        int32_t code;
        const char *says;
    } cases[] = {
        {3, 2, NULL, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_EINVAL, "x"},
        {0, 2, cells, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_EINVAL, "0 rows"},
        {3, -1, cells, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_EINVAL, "-1"},
        {3, 2, cells, 0, 0, NULL, 0, 0, 0, MOPT_EINVAL, "x_type"},
        {3, 2, cells, 9, 0, NULL, 0, 0, 0, MOPT_EINVAL, "x_type is 9"},
        {3, 2, cells, MOPT_F64, -16, NULL, 0, 0, 0, MOPT_EINVAL, "-16"},
        {3, 2, cells, MOPT_F64, 12, NULL, 0, 0, 0, MOPT_EINVAL, "12"},
        {3, 2, odd, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_EINVAL, "multiples"},
        {INT64_MAX, 2, cells, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_ERANGE, ""},
        {2, INT64_MAX, cells, MOPT_U8, 0, NULL, 0, 0, 0, MOPT_ERANGE, ""},
        {3, 2, wild, MOPT_F64, 0, NULL, 0, 0, 0, MOPT_EINVAL, "row 1, "},
        {3, 2, cells, MOPT_F64, 0, labels, 77, 1, 0, MOPT_EINVAL, "y_type"},
        {3, 2, cells, MOPT_F64, 0, labels, MOPT_I8, 1, 0, MOPT_EINVAL,
         "row 2 is -1"},
        {3, 2, cells, MOPT_F64, 0, labels, MOPT_U8, 1, 2, MOPT_EINVAL,
         "row 2 is 255; labels are 0 to 1"},
        {3, 2, cells, MOPT_F64, 0, labels, MOPT_U8, 2, 0, MOPT_EINVAL,
         "targets is 2"},
        {3, 2, cells, MOPT_F64, 0, labels, MOPT_U8, 1, -1, MOPT_EINVAL,
         "classes is -1"},
        {3, 2, cells, MOPT_F64, 0, labels, MOPT_U8, 1, INT64_MAX,
         MOPT_EINVAL, "classes"},
        {3, 2, cells, MOPT_F64, 0, prices, MOPT_I32, 1, 0, MOPT_EINVAL,
         "give floats"},
        {3, 2, cells, MOPT_F64, 0, numbers, MOPT_F32, 1, 0, MOPT_EINVAL,
         "row 1 is NaN"},
        {3, 2, cells, MOPT_F64, 0, numbers, MOPT_F32, 0, 0, MOPT_EINVAL,
         "targets is 0"},
        {3, 2, cells, MOPT_F64, 0, numbers, MOPT_F32, INT64_MAX, 0,
         MOPT_ERANGE, ""},
        {3, 2, cells, MOPT_F64, 0, odd + 1, MOPT_F32, 1, 0, MOPT_EINVAL,
         "aligned"},
    };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;

    destroyed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kit_fails(mopt_dataset_from_memory(
                      ctx, cases[i].rows, cases[i].features, cases[i].x,
                      cases[i].type, cases[i].stride, cases[i].y,
                      cases[i].y_type, cases[i].targets, cases[i].classes,
                      &one, count_destroy, &data),
                  cases[i].code);
        kit_says(cases[i].says);
        ck_assert_ptr_null(data);
    }
    kit_fails(mopt_dataset_from_memory(NULL, 3, 2, cells, MOPT_F64, 0, NULL,
                                       0, 0, 0, NULL, NULL, &data),
              MOPT_EINVAL);
    kit_fails(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, NULL, 0,
                                       0, 0, NULL, NULL, NULL),
              MOPT_EINVAL);
    ck_assert_int_eq(destroyed, 0);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_calls)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *out = NULL;
    const int64_t rows[] = {0, 3};
    const int64_t low[] = {-1};
    float x[6], y[3];
    char text[8];

    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, NULL, 0, 0,
                                    0, NULL, NULL, &data));
    kit_fails(mopt_dataset_read(NULL, 0, 1, x, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_read(data, -1, 1, x, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_read(data, 0, 4, x, NULL), MOPT_EINVAL);
    kit_says("0 .. 2");
    kit_fails(mopt_dataset_read(data, 2, INT64_MAX, x, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_read(data, 0, -1, x, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_read(data, 0, 3, x, y), MOPT_EINVAL);
    kit_says("no target");
    kit_ok(mopt_dataset_read(data, 3, 0, x, NULL));
    kit_ok(mopt_dataset_read(data, 0, 3, NULL, NULL));

    kit_fails(mopt_dataset_select(NULL, rows, 1, &out), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, NULL, 1, &out), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, rows, 1, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, rows, 0, &out), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, rows, -5, &out), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, low, 1, &out), MOPT_EINVAL);
    kit_fails(mopt_dataset_select(data, rows, 2, &out), MOPT_EINVAL);
    kit_says("rows[1] is 3");
    ck_assert_ptr_null(out);

    kit_fails(mopt_dataset_shape(NULL, NULL, NULL, NULL, NULL), MOPT_EINVAL);
    kit_ok(mopt_dataset_shape(data, NULL, NULL, NULL, NULL));
    kit_fails(mopt_dataset_describe(NULL, text, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_describe(data, NULL, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_describe(data, text, 8, NULL), MOPT_ERANGE);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_describe)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const uint8_t labels[] = {2, 0, 2};

    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                    MOPT_U8, 1, 4, NULL, NULL, &data));
    char *text = data_describe(data);
    ck_assert_str_eq(text, "{\"rows\": 3, \"features\": 2, \"ready\": true, "
                           "\"target\": {\"kind\": \"class\", \"classes\": 4,"
                           " \"counts\": [1, 0, 2, 0]}}");
    free(text);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* NaN is a gap: allowed, and the data are not ready. */
START_TEST(test_gaps)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    const float x[] = {1, NAN, 3, 4};

    kit_ok(mopt_dataset_from_memory(ctx, 2, 2, x, MOPT_F32, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data));
    ck_assert_int_eq(moi_dataset_ready(data), 0);
    mopt_dataset_free(data);
    kit_ok(mopt_dataset_from_memory(ctx, 1, 2, x + 2, MOPT_F32, 0, NULL, 0, 0,
                                    0, NULL, NULL, &data));
    ck_assert_int_eq(moi_dataset_ready(data), 1);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* The digest tells content, target, order and shape apart, and nothing else. */
START_TEST(test_digest)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data[5] = {NULL}, *view = NULL;
    double other[6];
    uint8_t labels[] = {0, 1, 1};
    const int64_t same[] = {0, 1, 2}, swapped[] = {1, 0, 2};
    uint64_t digests[6];

    memcpy(other, cells, sizeof other);
    for (int i = 0; i < 5; i++) {
        uint8_t *y = malloc(3);
        double *x = malloc(sizeof cells);
        memcpy(x, cells, sizeof cells);
        memcpy(y, labels, 3);
        if (i == 1)
            x[5] = 7;
        if (i == 2)
            y[0] = 1;
        kit_ok(mopt_dataset_from_memory(ctx, i == 3 ? 2 : 3, i == 3 ? 3 : 2,
                                        x, MOPT_F64, 0, y, MOPT_U8, 1, 2, x,
                                        free, &data[i]));
        digests[i] = moi_dataset_digest(data[i]);
        ck_assert_uint_eq(digests[i], moi_dataset_digest(data[i]));
        free(y); /* not read again: the digest is known */
    }
    ck_assert_uint_eq(digests[4], digests[0]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(digests[i], digests[j]);
    for (int i = 0; i < 5; i++)
        mopt_dataset_free(data[i]);
    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                    MOPT_U8, 1, 2, NULL, NULL, &data[0]));
    kit_ok(mopt_dataset_select(data[0], same, 3, &view));
    ck_assert_uint_eq(moi_dataset_digest(view), digests[0]);
    mopt_dataset_free(view);
    kit_ok(mopt_dataset_select(data[0], swapped, 3, &view));
    ck_assert_uint_ne(moi_dataset_digest(view), digests[0]);
    mopt_dataset_free(view);
    mopt_dataset_free(data[0]);
    kit_end(ctx);
}
END_TEST

/* No byte of a row is left out. */
START_TEST(test_digest_sees_every_byte)
{
    mopt_context *ctx = kit_begin();
    uint64_t digests[81];

    for (int at = 0; at <= 80; at++) {
        mopt_dataset *data = NULL;
        uint8_t row[80] = {0};
        if (at < 80)
            row[at] = 1;
        kit_ok(mopt_dataset_from_memory(ctx, 1, 80, row, MOPT_U8, 0, NULL, 0,
                                        0, 0, NULL, NULL, &data));
        digests[at] = moi_dataset_digest(data);
        mopt_dataset_free(data);
        for (int i = 0; i < at; i++)
            ck_assert_uint_ne(digests[at], digests[i]);
    }
    kit_end(ctx);
}
END_TEST

/* Gathering in any order gives what reading gives. */
START_TEST(test_gather)
{
    enum { ROWS = 500, WIDTH = 37 };
    static float x[ROWS][WIDTH];
    static moi_real out[ROWS][WIDTH];
    static int32_t classes[ROWS], labels[ROWS];
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    int64_t rows[ROWS];

    for (int i = 0; i < ROWS; i++) {
        rows[i] = i * 7919 % ROWS;
        labels[i] = i % 11;
        for (int j = 0; j < WIDTH; j++)
            x[i][j] = (float)(i * 100 + j) / 3;
    }
    kit_ok(mopt_dataset_from_memory(ctx, ROWS, WIDTH, x, MOPT_F32, 0, labels,
                                    MOPT_I32, 1, 0, NULL, NULL, &data));
    moi_dataset_gather(data, rows, ROWS, out[0]);
    moi_dataset_classes(data, rows, ROWS, classes);
    for (int i = 0; i < ROWS; i++) {
        ck_assert_int_eq(classes[i], labels[rows[i]]);
        for (int j = 0; j < WIDTH; j++)
            ck_assert(out[i][j] == (moi_real)x[rows[i]][j]);
    }
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Many threads hold, view, read and free one data set. */
static void *use_data(void *user)
{
    mopt_dataset *data = user;
    float x[2], y;

    for (int64_t i = 0; i < 300; i++) {
        mopt_dataset *view = NULL;
        int64_t row = i % 3;
        if (mopt_dataset_select(data, &row, 1, &view) ||
            mopt_dataset_read(view, 0, 1, x, &y) ||
            x[0] != (float)cells[2 * row] ||
            moi_dataset_digest(data) != moi_dataset_digest(data))
            return user;
        mopt_dataset_free(view);
    }
    return NULL;
}

START_TEST(test_threads)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    pthread_t threads[4];
    const uint8_t labels[] = {0, 1, 2};
    void *failed;

    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                    MOPT_U8, 1, 0, NULL, NULL, &data));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use_data, data),
                         0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* One run over the calls of this file; stops at the first failure. */
static int32_t use_everything(mopt_context *ctx)
{
    mopt_dataset *data = NULL, *view = NULL;
    const float y[] = {1, 2, 3};
    const uint8_t labels[] = {2, 0, 1};
    const int64_t rows[] = {2, 0};
    float x[6];
    size_t needed;
    int32_t rc = mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, y,
                                          MOPT_F32, 1, 0, NULL, NULL, &data);
    mopt_dataset_free(data);
    data = NULL;
    if (!rc)
        rc = mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                      MOPT_U8, 1, 0, NULL, NULL, &data);
    if (!rc)
        rc = mopt_dataset_select(data, rows, 2, &view);
    if (!rc)
        rc = mopt_dataset_read(view, 0, 2, x, NULL);
    if (!rc)
        rc = mopt_dataset_describe(view, NULL, 0, &needed);
    mopt_dataset_free(data);
    mopt_dataset_free(view);
    return rc;
}

START_TEST(test_no_memory)
{
    mopt_context *ctx = kit_begin();
    int64_t total = kit_allocations();

    kit_ok(use_everything(ctx));
    total = kit_allocations() - total;
    ck_assert_int_gt(total, 5);
    for (int32_t forever = 0; forever < 2; forever++) {
        for (int64_t at = 0; at < total; at++) {
            kit_fail_allocation(at, forever);
            kit_fails(use_everything(ctx), MOPT_ENOMEM);
        }
        kit_fail_allocation(total, forever);
        kit_ok(use_everything(ctx));
    }
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");

    tcase_add_test(tests, test_types);
    tcase_add_test(tests, test_overlapping_rows);
    tcase_add_test(tests, test_label_types);
    tcase_add_test(tests, test_number_targets);
    tcase_add_test(tests, test_views_keep_the_host_memory);
    tcase_add_test(tests, test_outlives_the_context);
    tcase_add_test(tests, test_wrong_memory);
    tcase_add_test(tests, test_wrong_calls);
    tcase_add_test(tests, test_describe);
    tcase_add_test(tests, test_gaps);
    tcase_add_test(tests, test_digest);
    tcase_add_test(tests, test_digest_sees_every_byte);
    tcase_add_test(tests, test_gather);
    tcase_add_test(tests, test_threads);
    tcase_add_test(tests, test_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
