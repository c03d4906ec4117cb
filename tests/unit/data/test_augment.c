/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_augment.c: images that move, rows of some classes. */
#include <string.h>

#include "base/context.h"
#include "kit.h"
#include "learn/data/augment.h"

#define SIDE 6
#define PIXELS (SIDE * SIDE)

static mopt_context *ctx;
static mopt_dataset *data;
static uint8_t pixels[3 * PIXELS];
static int32_t labels[3] = {0, 1, 2};

static void setup(void)
{
    ctx = kit_begin();
    for (int i = 0; i < 3 * PIXELS; i++)
        pixels[i] = (uint8_t)(1 + i % 200);
    kit_ok(mopt_dataset_from_memory(ctx, 3, PIXELS, pixels, MOPT_U8, 0, labels,
                                    MOPT_I32, 1, 0, NULL, NULL, &data));
}

static void teardown(void)
{
    mopt_dataset_free(data);
    kit_end(ctx);
}

static void begin(moi_augment *a, const char *json)
{
    mopt_config *config = NULL;

    kit_ok(mopt_config_create(ctx, "train", &config));
    kit_ok(mopt_config_set_json(config, json));
    kit_ok(moi_augment_init(a, config, 3, data));
    mopt_config_free(config);
}

/* Is a view the row moved by some whole pixels, 0 coming in? */
static int is_moved(const moi_real *view, const uint8_t *row, int most)
{
    for (int dy = -most; dy <= most; dy++)
        for (int dx = -most; dx <= most; dx++) {
            int same = 1;

            for (int y = 0; y < SIDE; y++)
                for (int x = 0; x < SIDE; x++) {
                    int sy = y - dy, sx = x - dx;
                    int out = sy < 0 || sy >= SIDE || sx < 0 || sx >= SIDE;

                    same &= view[y * SIDE + x] ==
                            (out ? 0 : (moi_real)row[sy * SIDE + sx]);
                }
            if (same)
                return 1;
        }
    return 0;
}

START_TEST(shifts_are_copies)
{
    const int64_t rows[3] = {2, 0, 1};
    moi_real x[3 * PIXELS], one[PIXELS];
    moi_augment a;

    begin(&a, "{\"augment\": {\"shift\": 2}}");
    for (int64_t view = 0; view < 20; view++) {
        moi_dataset_gather_view(data, rows, 3, &a, view, x);
        for (int i = 0; i < 3; i++)
            ck_assert(is_moved(x + i * PIXELS, pixels + rows[i] * PIXELS, 2));
        /* The same alone as among others. */
        moi_dataset_gather_view(data, rows + 1, 1, &a, view, one);
        ck_assert_int_eq(memcmp(one, x + PIXELS, sizeof one), 0);
    }
    moi_augment_clear(&a);
}
END_TEST

START_TEST(views_come_in_turn)
{
    moi_augment a;

    begin(&a, "{\"augment\": {\"shift\": 1, \"views\": 3}}");
    ck_assert_int_eq(moi_augment_view(&a, 7), 1);
    moi_augment_clear(&a);
    begin(&a, "{\"augment\": {\"shift\": 1}}");
    ck_assert_int_eq(moi_augment_view(&a, 7), 7);
    moi_augment_clear(&a);
    begin(&a, "{}");
    ck_assert_int_eq(a.active, 0);
    ck_assert_int_eq(moi_augment_view(&a, 7), 0);
    moi_augment_clear(&a);
}
END_TEST

/* Rows of the host's memory are the images that it says they are: two channels
 * of 3 x 6 move alike, within their own borders. */
START_TEST(images_of_the_host)
{
    const int64_t rows[2] = {1, 0}, turned[3] = {2, 1, 0};
    mopt_dataset *images = NULL, *chosen = NULL, *all = data;
    moi_real x[2 * PIXELS];
    moi_augment a, square;
    int moved = 0;

    kit_ok(mopt_dataset_select(data, turned, 3, &chosen));
    kit_ok(mopt_dataset_as_images(chosen, 6, 3, 2, &images));
    mopt_dataset_free(chosen);
    kit_ok(mopt_dataset_select(images, turned, 3, &chosen));
    begin(&square, "{\"augment\": {\"shift\": 2}}");
    data = chosen;
    begin(&a, "{\"augment\": {\"shift\": 2}}");
    ck_assert(moi_augment_digest(&a) != moi_augment_digest(&square));
    for (int64_t view = 0; view < 20; view++) {
        moi_dataset_gather_view(chosen, rows, 2, &a, view, x);
        for (int i = 0; i < 2; i++) {
            const uint8_t *row = pixels + rows[i] * PIXELS;
            int found = 0;

            for (int dy = -2; dy <= 2; dy++)
                for (int dx = -2; dx <= 2; dx++) {
                    int same = 1;

                    for (int k = 0; k < PIXELS; k++) {
                        int sy = k / 6 % 3 - dy, sx = k % 6 - dx;
                        int out = sy < 0 || sy > 2 || sx < 0 || sx > 5;

                        same &= x[i * PIXELS + k] ==
                                (out ? 0 : (moi_real)row[k - dy * 6 - dx]);
                    }
                    found |= same;
                    moved += same && (dy || dx);
                }
            ck_assert(found);
        }
    }
    ck_assert_int_gt(moved, 10);
    moi_augment_clear(&a);
    moi_augment_clear(&square);
    mopt_dataset_free(chosen);
    mopt_dataset_free(images);
    data = all;
}
END_TEST

START_TEST(sizes_that_are_no_images)
{
    static const int64_t sizes[][3] = {
        {6, 6, 2}, {0, 6, 1}, {-6, -6, 1}, {36, 1, 0}, {5, 7, 1},
        {INT64_MAX, INT64_MAX, 36}, {INT64_C(1) << 62, 4, 36}};
    mopt_dataset *images = NULL;

    kit_fails(mopt_dataset_as_images(data, sizes[_i][0], sizes[_i][1],
                                     sizes[_i][2], &images), MOPT_EINVAL);
    kit_says("36 features");
    ck_assert_ptr_null(images);
}
END_TEST

/* A quarter turn to the left: the upper right corner comes to the upper left;
 * four of them are none. */
START_TEST(turns)
{
    const moi_image shape = {1, SIDE, SIDE};
    const moi_warp quarter = {90, 1, 0, 0};
    moi_real in[PIXELS], out[PIXELS], back[PIXELS];

    for (int i = 0; i < PIXELS; i++)
        in[i] = (moi_real)pixels[i];
    moi_image_warp(&shape, &quarter, in, out);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            ck_assert_double_eq_tol((double)out[y * SIDE + x],
                                    (double)in[x * SIDE + SIDE - 1 - y], 1e-3);
    memcpy(back, out, sizeof back);
    for (int i = 0; i < 3; i++) {
        moi_image_warp(&shape, &quarter, back, out);
        memcpy(back, out, sizeof back);
    }
    for (int i = 0; i < PIXELS; i++)
        ck_assert_double_eq_tol((double)back[i], (double)in[i], 1e-2);
}
END_TEST

static mopt_dataset *load(const char *json, mopt_config **config)
{
    mopt_dataset *out = NULL;

    kit_ok(mopt_config_create(ctx, "data", config));
    kit_ok(mopt_config_set_json(*config, json));
    kit_ok(mopt_dataset_load(ctx, *config, MOPT_PART_TRAIN, &out));
    return out;
}

START_TEST(some_classes)
{
    mopt_config *config;
    mopt_dataset *few = load("{\"source\": {\"type\": \"glyphs\", \"count\":"
                             " 500}, \"classes\": \"5-7,9\"}", &config);
    int64_t rows, classes;
    float y[500];
    int seen[4] = {0};

    kit_ok(mopt_dataset_shape(few, &rows, NULL, &classes, NULL));
    ck_assert_int_eq(classes, 4);
    kit_ok(mopt_dataset_read(few, 0, rows, NULL, y));
    for (int64_t i = 0; i < rows; i++)
        seen[(int)y[i]]++;
    for (int i = 0; i < 4; i++)
        ck_assert_int_gt(seen[i], 20);
    mopt_dataset_free(few);
    kit_ok(mopt_config_set_bool(config, "relabel", 0));
    kit_ok(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &few));
    kit_ok(mopt_dataset_shape(few, NULL, NULL, &classes, NULL));
    ck_assert_int_eq(classes, 10);
    mopt_dataset_free(few);
    for (int i = 0; i < 5; i++) {
        static const char *const wrong[] = {"11", "3-1", "a", "1,", "2--3"};

        kit_ok(mopt_config_set_text(config, "classes", wrong[i]));
        kit_fails(mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &few),
                  MOPT_EINVAL);
        kit_says(wrong[i]);
    }
    mopt_config_free(config);
}
END_TEST

START_TEST(few_of_each_class)
{
    mopt_config *config;
    mopt_dataset *train, *validation;
    mopt_dataset *all = load(
        "{\"source\": {\"type\": \"glyphs\", \"count\": 800}, \"split\":"
        " {\"validation\": 200, \"per_class\": 5, \"omit\": \"3\"}}", &config);
    int64_t rows;
    float y[45];
    int seen[10] = {0};

    kit_ok(mopt_dataset_split(all, config, &train, &validation, NULL));
    kit_ok(mopt_dataset_shape(validation, &rows, NULL, NULL, NULL));
    ck_assert_int_eq(rows, 200);
    kit_ok(mopt_dataset_shape(train, &rows, NULL, NULL, NULL));
    ck_assert_int_eq(rows, 45);
    kit_ok(mopt_dataset_read(train, 0, rows, NULL, y));
    for (int64_t i = 0; i < rows; i++)
        seen[(int)y[i]]++;
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(seen[i], i == 3 ? 0 : 5);
    mopt_dataset_free(train);
    mopt_dataset_free(validation);
    mopt_dataset_free(all);
    mopt_config_free(config);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("augment");
    TCase *tests = tcase_create("images and classes");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, images_of_the_host);
    tcase_add_loop_test(tests, sizes_that_are_no_images, 0, 7);
    tcase_add_test(tests, shifts_are_copies);
    tcase_add_test(tests, views_come_in_turn);
    tcase_add_test(tests, turns);
    tcase_add_test(tests, some_classes);
    tcase_add_test(tests, few_of_each_class);
    suite_add_tcase(suite, tests);
    return suite;
}
