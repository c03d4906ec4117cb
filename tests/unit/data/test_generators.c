/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_generators.c: drawn digits, and linear classes. */
#include <math.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

static mopt_dataset *make(mopt_context *ctx, int32_t part, const char *json)
{
    mopt_dataset *data = NULL;

    kit_ok(data_load(ctx, part, &data, "%s", json));
    return data;
}

static uint64_t digest(mopt_context *ctx, int32_t part, const char *json)
{
    mopt_dataset *data = make(ctx, part, json);
    uint64_t value = moi_dataset_digest(data);

    mopt_dataset_free(data);
    return value;
}

static mopt_context *with_threads(int64_t threads)
{
    mopt_context *ctx = kit_begin();
    mopt_config *config = NULL;

    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_int(config, "threads", threads));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
    return ctx;
}

/* FNV-1a over what reading gives: the same whatever the digest is made of. */
static uint32_t content(const mopt_dataset *data, int64_t rows)
{
    uint32_t hash = 2166136261u;
    int64_t features;
    float y;

    kit_ok(mopt_dataset_shape(data, NULL, &features, NULL, NULL));
    float *x = malloc((size_t)features * sizeof *x);
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < rows; i++) {
        kit_ok(mopt_dataset_read(data, i, 1, x, &y));
        for (int64_t j = 0; j < features; j++)
            hash = (hash ^ (unsigned char)x[j]) * 16777619u;
        hash = (hash ^ (unsigned char)y) * 16777619u;
    }
    free(x);
    return hash;
}

#define GOLDEN_GLYPHS 1271223671u

#define GLYPHS(rest) "{\"source\": {\"type\": \"glyphs\"" rest "}}"
#define LINEAR(rest) "{\"source\": {\"type\": \"linear\"" rest "}}"

/* Golden values: these change only with a note in the changelog. */
START_TEST(test_glyphs_golden)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make(ctx, MOPT_PART_TRAIN,
                              GLYPHS(", \"count\": 500, \"seed\": 7"));

    ck_assert_uint_eq(content(data, 500), GOLDEN_GLYPHS);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Row i is the same for any count of rows and workers. */
START_TEST(test_same_for_any_threads)
{
    static const char *const json[] = {GLYPHS(", \"count\": 3000"),
                                       LINEAR(", \"count\": 3000")};

    for (int k = 0; k < 2; k++) {
        uint64_t want = 0;
        for (int64_t threads = 1; threads < 6; threads += 2) {
            mopt_context *ctx = with_threads(threads);
            uint64_t got = digest(ctx, MOPT_PART_TRAIN, json[k]);
            if (threads == 1)
                want = got;
            ck_assert_uint_eq(got, want);
            kit_end(ctx);
        }
    }
}
END_TEST

START_TEST(test_rows_do_not_depend_on_count)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *few = make(ctx, MOPT_PART_TRAIN, GLYPHS(", \"count\": 10"));
    mopt_dataset *many = make(ctx, MOPT_PART_TRAIN,
                              GLYPHS(", \"count\": 500"));

    ck_assert_uint_eq(content(few, 10), content(many, 10));
    mopt_dataset_free(few);
    mopt_dataset_free(many);
    few = make(ctx, MOPT_PART_TRAIN, LINEAR(", \"count\": 1"));
    many = make(ctx, MOPT_PART_TRAIN, LINEAR(", \"count\": 300"));
    ck_assert_uint_eq(content(few, 1), content(many, 1));
    mopt_dataset_free(few);
    mopt_dataset_free(many);
    kit_end(ctx);
}
END_TEST

START_TEST(test_seeds_and_parts_differ)
{
    static const char *const json[][2] = {
        {GLYPHS(", \"count\": 50, \"test_count\": 50, \"seed\": 1"),
         GLYPHS(", \"count\": 50, \"test_count\": 50, \"seed\": 2")},
        {LINEAR(", \"count\": 50, \"test_count\": 50, \"seed\": 1"),
         LINEAR(", \"count\": 50, \"test_count\": 50, \"seed\": 2")},
    };
    mopt_context *ctx = kit_begin();

    for (int k = 0; k < 2; k++) {
        uint64_t first = digest(ctx, MOPT_PART_TRAIN, json[k][0]);
        ck_assert_uint_eq(first, digest(ctx, MOPT_PART_TRAIN, json[k][0]));
        ck_assert_uint_ne(first, digest(ctx, MOPT_PART_TRAIN, json[k][1]));
        ck_assert_uint_ne(first, digest(ctx, MOPT_PART_TEST, json[k][0]));
    }
    kit_end(ctx);
}
END_TEST

/* All classes come about equally often; images have ink, and background. */
START_TEST(test_glyphs_are_images)
{
    enum { ROWS = 2000 };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make(ctx, MOPT_PART_TRAIN,
                              GLYPHS(", \"count\": 2000"));
    int64_t features, targets;
    int32_t kind;
    int counts[10] = {0};
    float x[784], y;

    kit_ok(mopt_dataset_shape(data, NULL, &features, &targets, &kind));
    ck_assert_int_eq(features, 784);
    ck_assert_int_eq(targets, 10);
    ck_assert_int_eq(kind, MOPT_TARGET_CLASS);
    for (int i = 0; i < ROWS; i++) {
        int ink = 0, bytes = 0;
        kit_ok(mopt_dataset_read(data, i, 1, x, &y));
        for (int j = 0; j < 784; j++) {
            bytes += x[j] >= 0 && x[j] <= 255 && x[j] == floorf(x[j]);
            ink += x[j] > 100;
        }
        ck_assert_int_eq(bytes, 784);
        ck_assert_msg(ink >= 4 && ink <= 300, "row %d: ink %d", i, ink);
        counts[(int)y]++;
    }
    for (int c = 0; c < 10; c++)
        ck_assert_msg(abs(counts[c] - 200) < 60, "class %d: %d", c,
                      counts[c]);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Features are normal; a class is the largest of linear functions, so rows
 * that are multiples of another share its class: here, that classes can be
 * told by nearest class mean far better than by chance. */
START_TEST(test_linear)
{
    enum { ROWS = 5000, WIDTH = 20, CLASSES = 5 };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = make(ctx, MOPT_PART_TRAIN,
                              LINEAR(", \"count\": 5000, \"features\": 20, "
                                     "\"classes\": 5, \"seed\": 3"));
    float *x = malloc(sizeof(float) * ROWS * WIDTH);
    float *y = malloc(sizeof(float) * ROWS);
    double means[CLASSES][WIDTH] = {{0}}, sum = 0, squares = 0;
    int counts[CLASSES] = {0}, right = 0;

    kit_ok(mopt_dataset_read(data, 0, ROWS, x, y));
    for (int i = 0; i < ROWS; i++) {
        counts[(int)y[i]]++;
        for (int j = 0; j < WIDTH; j++) {
            double v = (double)x[i * WIDTH + j];
            means[(int)y[i]][j] += v;
            sum += v;
            squares += v * v;
        }
    }
    ck_assert_double_le(fabs(sum / (ROWS * WIDTH)), 0.02);
    ck_assert_double_le(fabs(squares / (ROWS * WIDTH) - 1), 0.03);
    for (int i = 0; i < ROWS; i++) {
        int best = 0;
        double most = -1e9;
        for (int c = 0; c < CLASSES; c++) {
            double dot = 0;
            for (int j = 0; j < WIDTH; j++)
                dot += means[c][j] / counts[c] * (double)x[i * WIDTH + j];
            if (dot > most) {
                most = dot;
                best = c;
            }
        }
        right += best == (int)y[i];
    }
    ck_assert_int_gt(right, ROWS * 8 / 10);
    free(x);
    free(y);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong)
{
    static const struct {
        const char *json;
        int32_t part, code;
        const char *says;
    } cases[] = {
        {GLYPHS(", \"test_count\": 0"), MOPT_PART_TEST, MOPT_ENOENT,
         "test_count is 0"},
        {LINEAR(""), MOPT_PART_TEST, MOPT_ENOENT, "test_count is 0"},
        {GLYPHS(""), MOPT_PART_VALIDATION, MOPT_EINVAL, "part is 1"},
        {GLYPHS(""), 77, MOPT_EINVAL, "part is 77"},
    };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    mopt_config *config = data_config(ctx, "{}"), *other = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kit_fails(data_load(ctx, cases[i].part, &data, "%s", cases[i].json),
                  cases[i].code);
        kit_says(cases[i].says);
    }
    kit_ok(mopt_config_create(ctx, "context", &other));
    kit_fails(mopt_dataset_load(NULL, config, 0, &data), MOPT_EINVAL);
    kit_fails(mopt_dataset_load(ctx, NULL, 0, &data), MOPT_EINVAL);
    kit_fails(mopt_dataset_load(ctx, config, 0, NULL), MOPT_EINVAL);
    kit_fails(mopt_dataset_load(ctx, other, 0, &data), MOPT_EINVAL);
    kit_fails(mopt_config_set_json(config, "{\"source\": {\"type\": "
                                           "\"glyphs\", \"count\": 0}}"),
              MOPT_EINVAL);
    kit_fails(mopt_config_set_json(config, "{\"source\": {\"type\": "
                                           "\"glyphs\", \"cuont\": 9}}"),
              MOPT_EKEY);
    kit_says("count");
    kit_fails(mopt_config_set_json(config, "{\"source\": \"glyhps\"}"),
              MOPT_EINVAL);
    kit_says("glyphs");
    ck_assert_ptr_null(data);
    mopt_config_free(config);
    mopt_config_free(other);
    kit_end(ctx);
}
END_TEST

START_TEST(test_no_memory)
{
    static const char *const json[] = {GLYPHS(", \"count\": 200"),
                                       LINEAR(", \"count\": 600")};
    mopt_context *ctx = kit_begin();

    for (int k = 0; k < 4; k++) {
        mopt_config *config = data_config(ctx, json[k / 2]);
        mopt_dataset *data = NULL;
        int32_t rc = MOPT_ENOMEM;
        int64_t at;
        for (at = 0; rc; at++) {
            kit_fail_allocation(at, k & 1);
            rc = mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &data);
            if (rc)
                ck_assert_int_eq(rc, MOPT_ENOMEM);
        }
        ck_assert_int_gt(at, 3);
        kit_fail_allocation(-1, 0);
        mopt_dataset_free(data);
        mopt_config_free(config);
    }
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("generators");
    TCase *tests = tcase_create("generators");

    tcase_add_test(tests, test_glyphs_golden);
    tcase_add_test(tests, test_same_for_any_threads);
    tcase_add_test(tests, test_rows_do_not_depend_on_count);
    tcase_add_test(tests, test_seeds_and_parts_differ);
    tcase_add_test(tests, test_glyphs_are_images);
    tcase_add_test(tests, test_linear);
    tcase_add_test(tests, test_wrong);
    tcase_add_test(tests, test_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
