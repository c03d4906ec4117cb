/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_dataset.c: data sets over host memory, and views. */
#include <stdint.h>
#include <string.h>

#include "kit.h"
#include "learn/data/dataset.h"

static int32_t destroyed;

static void count_destroy(void *user)
{
    destroyed += *(int32_t *)user;
}

static const double cells[] = {1, 2, 3, 4, 5, 6};

/* The same six numbers in every element type, with and without gaps between
 * the rows, come out as floats. */
START_TEST(test_types)
{
    static const int32_t sizes[] = {0, 4, 8, 1, 1, 2, 4, 8, 1};
    mopt_context *ctx = kit_begin();
    int64_t buffer[16];
    float x[6];

    for (int32_t type = MOPT_F32; type <= MOPT_BOOL; type++) {
        for (int32_t pad = 0; pad < 3; pad++) {
            mopt_dataset *data = NULL;
            int64_t stride = (3 + pad) * sizes[type];
            memset(buffer, 0, sizeof buffer);
            for (int i = 0; i < 6; i++) {
                char *at = (char *)buffer + i / 3 * stride +
                           i % 3 * sizes[type];
                float f = (float)cells[i];
                int16_t h = (int16_t)cells[i];
                int32_t w = (int32_t)cells[i];
                int64_t l = (int64_t)cells[i];
                switch (type) {
                case MOPT_F32: memcpy(at, &f, 4); break;
                case MOPT_F64: memcpy(at, &cells[i], 8); break;
                case MOPT_I16: memcpy(at, &h, 2); break;
                case MOPT_I32: memcpy(at, &w, 4); break;
                case MOPT_I64: memcpy(at, &l, 8); break;
                default: *at = (char)w; break;
                }
            }
            kit_ok(mopt_dataset_from_memory(ctx, 2, 3, buffer, type,
                                            pad ? stride : 0, NULL, 0, 0, 0,
                                            NULL, NULL, &data));
            kit_ok(mopt_dataset_read(data, 0, 2, x, NULL));
            for (int i = 0; i < 6; i++)
                ck_assert_float_eq(x[i], type == MOPT_BOOL
                                             ? 1.0f : (float)cells[i]);
            mopt_dataset_free(data);
        }
    }
    kit_end(ctx);
}
END_TEST

START_TEST(test_views_keep_the_host_memory)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *view = NULL, *twice = NULL;
    const uint8_t labels[] = {2, 0, 1};
    const int64_t rows[] = {2, 0}, again[] = {1, 1, 0};
    int32_t one = 1;
    float x[6], y[3];

    destroyed = 0;
    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, cells, MOPT_F64, 0, labels,
                                    MOPT_U8, 1, 0, &one, count_destroy,
                                    &data));
    kit_ok(mopt_dataset_select(data, rows, 2, &view));
    mopt_dataset_free(data);
    kit_ok(mopt_dataset_select(view, again, 3, &twice));
    mopt_dataset_free(view);
    ck_assert_int_eq(destroyed, 0);
    kit_ok(mopt_dataset_read(twice, 0, 3, x, y));
    ck_assert_float_eq(x[0], 1);
    ck_assert_float_eq(x[3], 2);
    ck_assert_float_eq(x[4], 5);
    ck_assert_float_eq(y[0], 2);
    ck_assert_float_eq(y[2], 1);
    mopt_dataset_free(twice);
    ck_assert_int_eq(destroyed, 1);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");

    tcase_add_test(tests, test_types);
    tcase_add_test(tests, test_views_keep_the_host_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
