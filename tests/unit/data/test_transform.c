/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_transform.c: transforms against direct computations. */
#include <math.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

/* Numbers with a gap, a category with a gap, a constant, a class. */
static const char table[] = "age,work,same,pay\n"
                            "20,b,5,no\n"
                            "?,a,5,yes\n"
                            "40,b,5,no\n"
                            "90,?,5,yes\n";

static mopt_transform *fit(const mopt_dataset *data, const char *json)
{
    mopt_context *ctx = moi_dataset_context(data);
    mopt_config *config = data_config(ctx, json);
    mopt_transform *transform = NULL;

    kit_ok(mopt_transform_fit(data, config, &transform));
    mopt_config_free(config);
    return transform;
}

/* Through JSON and back; the old one is freed. */
static mopt_transform *reload(mopt_context *ctx, mopt_transform *transform)
{
    json_t *json = moi_transform_to_json(transform);
    mopt_transform *back = NULL;
    char *text, *again;

    ck_assert_ptr_nonnull(json);
    text = json_dumps(json, JSON_REAL_PRECISION(17));
    json_decref(json);
    json = json_loads(text, 0, NULL);
    kit_ok(moi_transform_from_json(ctx, json, &back));
    json_decref(json);
    json = moi_transform_to_json(back);
    again = json_dumps(json, JSON_REAL_PRECISION(17));
    json_decref(json);
    ck_assert_str_eq(text, again);
    free(text);
    free(again);
    mopt_transform_free(transform);
    return back;
}

static mopt_dataset *apply(const mopt_transform *transform,
                           const mopt_dataset *data)
{
    mopt_dataset *out = NULL;

    kit_ok(mopt_transform_apply(transform, data, &out));
    ck_assert_int_eq(moi_dataset_ready(out), 1);
    ck_assert_int_eq(moi_dataset_features(out),
                     moi_transform_outputs(transform));
    return out;
}

/* age: mean 50, variance 2600 / 3; its gap becomes the mean, and is told.
 * work: a, b, missing. same: constant. */
START_TEST(test_table)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *ready, *unseen = NULL;
    mopt_transform *t;
    const double s = 1 / sqrt(2600.0 / 3);
    const double x[] = {-30 * s, 0, 0, 1, 0, 0, 0,       1, 1, 0, 0, 0,
                        -10 * s, 0, 0, 1, 0, 0, 40 * s, 0, 0, 0, 1, 0};
    const double x_unseen[] = {0, 1, 0, 0, 0, 1};
    const double y[] = {0, 1, 0, 1}, y_unseen[] = {1};
    const double first[] = {-30 * s, 0, 0, 1, 0, 0};
    int64_t rows[] = {0};
    mopt_dataset *one = NULL;

    kit_ok(data_csv(ctx, table, "", &data));
    t = reload(ctx, fit(data, "{}"));
    ready = apply(t, data);
    data_is(ready, 4, 6, x, y);
    ck_assert_str_eq(moi_dataset_class_name(ready, 1), "yes");
    ck_assert_str_eq(moi_transform_class_name(t, 0), "no");
    ck_assert_ptr_null(moi_transform_class_name(t, 2));
    ck_assert_ptr_null(moi_dataset_class_name(ready, -1));
    kit_ok(mopt_dataset_select(ready, rows, 1, &one));
    data_is(one, 1, 6, first, y);
    mopt_dataset_free(one);
    mopt_dataset_free(ready);
    mopt_dataset_free(data);
    /* Other order of columns, one more, a category that training never saw,
     * a column without any value. */
    data = NULL;
    kit_ok(data_csv(ctx, "pay,more,work,same,age\nyes,x,zzz,6,\n",
                    ", \"target\": \"pay\", \"header\": \"yes\"", &unseen));
    ready = apply(t, unseen);
    data_is(ready, 1, 6, x_unseen, y_unseen);
    mopt_dataset_free(ready);
    mopt_dataset_free(unseen);
    mopt_transform_free(t);
    kit_end(ctx);
}
END_TEST

START_TEST(test_no_indicator)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *ready;
    mopt_transform *t;
    /* minmax: age (x - 20) / 70, its mean 50 in the gap. */
    const double x[] = {0,         0, 1, 0, 0, 30 / 70.0, 1, 0, 0, 0,
                        20 / 70.0, 0, 1, 0, 0, 1,         0, 0, 1, 0};

    kit_ok(data_csv(ctx, table, "", &data));
    t = reload(ctx, fit(data, "{\"missing_indicator\": false, "
                              "\"scale\": \"minmax\"}"));
    ready = apply(t, data);
    data_is(ready, 4, 5, x, NULL);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* The most frequent categories are kept, the others are like unseen ones. */
START_TEST(test_max_categories)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *ready;
    mopt_transform *t;
    const double x[] = {0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0};

    kit_ok(data_csv(ctx, "a,1\nb,2\nc,1\nc,2\nb,1\nd,1\n", "", &data));
    t = reload(ctx, fit(data, "{\"max_categories\": 2}"));
    ready = apply(t, data);
    data_is(ready, 6, 2, x, NULL);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Every scale on every element type, against formulas in double. */
enum { ROWS = 50, WIDTH = 6 };

static double cell_at(int i, int j, int32_t type)
{
    int v = (i * 31 + j * 17 + i * j * 3) % (90 + 15 * j);

    if (j == 3)
        return 7; /* constant */
    if (type == MOPT_BOOL)
        return v % 3 == 0;
    return type == MOPT_U8 ? v : v - 60;
}

static void direct(const char *scale, int32_t type, double *x)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < ROWS * WIDTH; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    sum /= ROWS * WIDTH;
    squares = sqrt(squares / (ROWS * WIDTH) - sum * sum);
    for (int j = 0; j < WIDTH; j++) {
        double mean = 0, square = 0, low = 1e9, high = -1e9, most;
        for (int i = 0; i < ROWS; i++) {
            double v = x[i * WIDTH + j];
            mean += v / ROWS;
            low = fmin(low, v);
            high = fmax(high, v);
        }
        for (int i = 0; i < ROWS; i++)
            square += pow(x[i * WIDTH + j] - mean, 2) / ROWS;
        most = fmax(fabs(low), fabs(high));
        for (int i = 0; i < ROWS; i++) {
            double *v = &x[i * WIDTH + j];
            if (strcmp(scale, "standard") == 0)
                *v = (*v - mean) / (square > 1e-9 ? sqrt(square) : 1);
            else if (strcmp(scale, "global") == 0)
                *v = (*v - sum) / squares;
            else if (strcmp(scale, "minmax") == 0)
                *v = (*v - low) / (high > low ? high - low : 1);
            else if (strcmp(scale, "unit") == 0)
                *v /= type == MOPT_U8 ? 255 : most > 0 ? most : 1;
        }
    }
}

START_TEST(test_scales)
{
    static const char *const scales[] = {"none", "standard", "global",
                                         "minmax", "unit", "auto"};
    static const int32_t types[] = {MOPT_F32, MOPT_F64, MOPT_U8, MOPT_I8,
                                    MOPT_I16, MOPT_I32, MOPT_I64, MOPT_BOOL};
    mopt_context *ctx = kit_begin();

    for (size_t k = 0; k < 8 * 6; k++) {
        int32_t type = types[k / 6];
        const char *scale = scales[k % 6];
        char json[64], buffer[ROWS * WIDTH * 8], *at = buffer;
        double x[ROWS * WIDTH];
        float got[ROWS * WIDTH];
        mopt_dataset *data = NULL, *ready;
        mopt_transform *t;
        for (int i = 0; i < ROWS * WIDTH; i++) {
            double v = cell_at(i / WIDTH, i % WIDTH, type);
            float f = (float)v;
            int16_t h = (int16_t)v;
            int32_t w = (int32_t)v;
            int64_t l = (int64_t)v;
            x[i] = type == MOPT_BOOL ? v != 0 : v;
            switch (type) {
            case MOPT_F32: memcpy(at, &f, 4); at += 4; break;
            case MOPT_F64: memcpy(at, &v, 8); at += 8; break;
            case MOPT_I16: memcpy(at, &h, 2); at += 2; break;
            case MOPT_I32: memcpy(at, &w, 4); at += 4; break;
            case MOPT_I64: memcpy(at, &l, 8); at += 8; break;
            default: *at++ = (char)w; break;
            }
        }
        kit_ok(mopt_dataset_from_memory(ctx, ROWS, WIDTH, buffer, type, 0,
                                        NULL, 0, 0, 0, NULL, NULL, &data));
        snprintf(json, sizeof json, "{\"scale\": \"%s\"}", scale);
        t = reload(ctx, fit(data, json));
        ready = apply(t, data);
        kit_ok(mopt_dataset_read(ready, 0, ROWS, got, NULL));
        if (strcmp(scale, "auto") == 0)
            scale = type == MOPT_U8 ? "unit"
                    : type == MOPT_BOOL ? "none" : "standard";
        direct(scale, type, x);
        for (int i = 0; i < ROWS * WIDTH; i++)
            ck_assert_msg(fabs((double)got[i] - x[i]) <=
                              1e-6 * fmax(1, fabs(x[i])),
                          "%s of type %d, cell %d: %.9g, not %.9g", scale,
                          (int)type, i, (double)got[i], x[i]);
        mopt_dataset_free(ready);
        mopt_transform_free(t);
        mopt_dataset_free(data);
    }
    kit_end(ctx);
}
END_TEST

/* Only the rows of the training view count. */
START_TEST(test_fits_on_the_view)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *view = NULL, *ready;
    mopt_transform *t;
    const float x[] = {1, 1000, 3, -1000};
    const int64_t rows[] = {0, 2};
    const double want[] = {-1, 998, 1, -1002};

    kit_ok(mopt_dataset_from_memory(ctx, 4, 1, x, MOPT_F32, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data));
    kit_ok(mopt_dataset_select(data, rows, 2, &view));
    t = fit(view, "{}");
    ready = apply(t, data);
    data_is(ready, 4, 1, want, NULL);
    mopt_dataset_free(ready);
    ready = apply(t, view);
    data_is(ready, 2, 1, ((double[]){-1, 1}), NULL);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(view);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* A mean far from 0 costs no precision where the file gives doubles. */
START_TEST(test_far_from_zero)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *ready;
    mopt_transform *t;
    const double x[] = {1600000000.25, 1600000000.75};

    kit_ok(mopt_dataset_from_memory(ctx, 2, 1, x, MOPT_F64, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data));
    t = fit(data, "{}");
    ready = apply(t, data);
    data_is(ready, 2, 1, ((double[]){-1, 1}), NULL);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_targets_are_scaled_and_restored)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *ready;
    mopt_transform *t;
    const float x[] = {1, 2, 3, 4};
    const float y[] = {100, 5, 300, 5, 100, 5, 300, 5};
    const float scaled[] = {-1, 0, 1, 0, -1, 0, 1, 0};
    float got[8];

    kit_ok(mopt_dataset_from_memory(ctx, 4, 1, x, MOPT_F32, 0, y, MOPT_F32, 2,
                                    0, NULL, NULL, &data));
    t = reload(ctx, fit(data, "{}"));
    ready = apply(t, data);
    kit_ok(mopt_dataset_read(ready, 0, 4, NULL, got));
    ck_assert_mem_eq(got, scaled, sizeof got);
    moi_transform_restore(t, 4, got);
    ck_assert_mem_eq(got, y, sizeof got);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    t = reload(ctx, fit(data, "{\"scale_target\": false}"));
    ready = apply(t, data);
    kit_ok(mopt_dataset_read(ready, 0, 4, NULL, got));
    ck_assert_mem_eq(got, y, sizeof got);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Labels of another file by name, whatever their order there. */
START_TEST(test_classes_by_name)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *train = NULL, *test = NULL, *ready = NULL;
    mopt_transform *t;
    const double x[] = {1, 2}, y[] = {2, 1}, dropped_x[] = {2};
    const double dropped_y[] = {1};
    static const char none[] = "{\"scale\": \"none\"}";

    kit_ok(data_csv(ctx, "1,a\n2,b\n3,c\n", "", &train));
    t = fit(train, none);
    kit_ok(data_csv(ctx, "1,c\n2,b\n", "", &test));
    ready = apply(t, test);
    data_is(ready, 2, 1, x, y);
    ck_assert_int_eq(moi_dataset_targets(ready), 3);
    mopt_dataset_free(ready);
    mopt_dataset_free(test);
    ready = test = NULL;
    kit_ok(data_csv(ctx, "1,zzz\n2,b\n", "", &test));
    kit_fails(mopt_transform_apply(t, test, &ready), MOPT_EINVAL);
    kit_says("row 0 is of class 'zzz'");
    mopt_transform_free(t);
    t = reload(ctx, fit(train, "{\"scale\": \"none\", \"unknown_class\": "
                               "\"drop\"}"));
    ready = apply(t, test);
    data_is(ready, 1, 1, dropped_x, dropped_y);
    mopt_dataset_free(ready);
    mopt_dataset_free(test);
    ready = test = NULL;
    kit_ok(data_csv(ctx, "1,zzz\n2,yyy\n", "", &test));
    kit_fails(mopt_transform_apply(t, test, &ready), MOPT_EINVAL);
    kit_says("no row");
    mopt_dataset_free(test);
    mopt_transform_free(t);
    mopt_dataset_free(train);
    kit_end(ctx);
}
END_TEST

/* The same column of numbers may look like classes in one file and like
 * numbers in another: the transform decides. */
START_TEST(test_target_kind_follows_training)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *classes = NULL, *numbers = NULL, *ready;
    mopt_transform *t;
    static const char text[] = "1,10\n2,20\n";
    const double x[] = {1, 2}, as_class[] = {0, 1}, as_number[] = {10, 20};

    kit_ok(data_csv(ctx, text, ", \"task\": \"class\"", &classes));
    kit_ok(data_csv(ctx, text, ", \"task\": \"number\"", &numbers));
    t = fit(classes, "{\"scale\": \"none\"}");
    ready = apply(t, numbers);
    data_is(ready, 2, 1, x, as_class);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    t = fit(numbers, "{\"scale\": \"none\", \"scale_target\": false}");
    ready = apply(t, classes);
    data_is(ready, 2, 1, x, as_number);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_dataset_free(classes);
    mopt_dataset_free(numbers);
    kit_end(ctx);
}
END_TEST

/* Host numbers where training had categories: by value if those are numbers,
 * else by place. */
START_TEST(test_numbers_for_categories)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *train = NULL, *data = NULL, *ready;
    mopt_transform *t;
    const float x[] = {10, 1, 30, 0, 11, 7};
    const double want[] = {1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0};

    kit_ok(data_csv(ctx, "10,red,0\n30,blue,1\n",
                    ", \"categorical\": \"0\"", &train));
    t = fit(train, "{}");
    kit_ok(mopt_dataset_from_memory(ctx, 3, 2, x, MOPT_F32, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data));
    ready = apply(t, data);
    data_is(ready, 3, 4, want, NULL);
    mopt_dataset_free(ready);
    mopt_dataset_free(data);
    mopt_transform_free(t);
    mopt_dataset_free(train);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_calls)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *other = NULL, *ready, *out = NULL;
    mopt_transform *t, *none = NULL;
    mopt_config *config = data_config(ctx, "{}"), *kind = NULL;
    const double x[] = {1, 2, 3};

    kit_ok(data_csv(ctx, table, "", &data));
    kit_ok(mopt_config_create(ctx, "context", &kind));
    t = fit(data, "{}");
    ready = apply(t, data);
    kit_fails(mopt_transform_fit(NULL, config, &none), MOPT_EINVAL);
    kit_fails(mopt_transform_fit(data, NULL, &none), MOPT_EINVAL);
    kit_fails(mopt_transform_fit(data, config, NULL), MOPT_EINVAL);
    kit_fails(mopt_transform_fit(data, kind, &none), MOPT_EINVAL);
    kit_fails(mopt_transform_fit(ready, config, &none), MOPT_EINVAL);
    kit_says("transformed already");
    kit_fails(mopt_transform_apply(NULL, data, &out), MOPT_EINVAL);
    kit_fails(mopt_transform_apply(t, NULL, &out), MOPT_EINVAL);
    kit_fails(mopt_transform_apply(t, data, NULL), MOPT_EINVAL);
    kit_fails(mopt_transform_apply(t, ready, &out), MOPT_EINVAL);
    kit_ok(mopt_dataset_from_memory(ctx, 1, 2, x, MOPT_F64, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &other));
    kit_fails(mopt_transform_apply(t, other, &out), MOPT_EINVAL);
    kit_says("the data have 2 columns; the transform was fitted on 3");
    mopt_dataset_free(other);
    other = NULL;
    kit_ok(data_csv(ctx, "age,worc,same,pay\n1,a,2,no\n2,b,2,yes\n", "",
                    &other));
    kit_fails(mopt_transform_apply(t, other, &out), MOPT_EINVAL);
    kit_says("no column 'work'");
    kit_says("the nearest is 'worc'");
    mopt_dataset_free(other);
    other = NULL;
    kit_ok(data_csv(ctx, "age,work,same,pay\nx,a,2,no\ny,b,2,yes\n", "",
                    &other));
    kit_fails(mopt_transform_apply(t, other, &out), MOPT_EINVAL);
    kit_says("column 'age' holds texts such as 'x'");
    mopt_dataset_free(other);
    other = NULL;
    kit_ok(data_csv(ctx, "age,work,same,pay\n1,a,2,1.5\n2,b,2,2.5\n", "",
                    &other));
    kit_fails(mopt_transform_apply(t, other, &out), MOPT_EINVAL);
    kit_says("the target of these data is numbers");
    mopt_dataset_free(other);
    ck_assert_ptr_null(none);
    ck_assert_ptr_null(out);
    mopt_transform_free(NULL);
    mopt_transform_free(t);
    mopt_dataset_free(ready);
    mopt_dataset_free(data);
    mopt_config_free(config);
    mopt_config_free(kind);
    kit_end(ctx);
}
END_TEST

/* A column that training never saw filled has no input to give. */
START_TEST(test_nothing_left)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL, *view = NULL;
    mopt_config *config = data_config(ctx, "{}");
    mopt_transform *t = NULL;
    const int64_t rows[] = {1};

    kit_ok(data_csv(ctx, "a,0\nb,1\n", "", &data));
    kit_ok(mopt_dataset_select(data, rows, 1, &view));
    mopt_dataset_free(data);
    data = NULL;
    t = fit(view, "{}");
    ck_assert_int_eq(moi_transform_outputs(t), 1);
    mopt_transform_free(t);
    mopt_dataset_free(view);
    mopt_config_free(config);
    kit_end(ctx);
}
END_TEST

/* JSON that is no transform. */
static const char *const wrong_json[] = {
    "[]", "{}", "{\"columns\": 0}", "{\"columns\": -1}",
    "{\"columns\": 1e9}", "{\"columns\": 2000000000}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 0, \"fill\": 0, \"target\": "
    "{\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": -1, \"fill\": 0, \"target\":"
    " {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": [0], \"scale\": 1, \"fill\": 0, "
    "\"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": [0, \"x\"], \"scale\": 1, \"fill\": 0, "
    "\"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"names\": [\"a\"], \"center\": 0, \"scale\": 1, "
    "\"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"names\": [\"a\", 1], \"center\": 0, \"scale\": 1, "
    "\"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"indicators\": [2], \"center\": 0, \"scale\": 1, "
    "\"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"indicators\": 1, \"center\": 0, \"scale\": 1, "
    "\"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"categories\": {\"2\": []}, \"center\": 0, \"scale\":"
    " 1, \"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"categories\": {\"1\": 5}, \"center\": 0, \"scale\":"
    " 1, \"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"categories\": {\"1\": [], \"01\": []}, \"center\": "
    "0, \"scale\": 1, \"fill\": 0, \"target\": {\"kind\": \"none\", "
    "\"count\": 0}}",
    "{\"columns\": 1, \"categories\": {\"0\": []}, \"center\": 0, \"scale\":"
    " 1, \"fill\": 0, \"target\": {\"kind\": \"none\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0, \"target\": "
    "{\"kind\": \"other\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0, \"target\": "
    "{\"kind\": \"class\", \"count\": 0}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0, \"target\": "
    "{\"kind\": \"class\", \"count\": 3, \"names\": [\"a\", \"b\"]}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0, \"target\": "
    "{\"kind\": \"number\", \"count\": 16000000, \"center\": 0, \"scale\": "
    "1}}",
    "{\"columns\": 2, \"center\": 0, \"scale\": 1, \"fill\": 0, \"target\": "
    "{\"kind\": \"number\", \"count\": 1}}",
};

START_TEST(test_wrong_json)
{
    mopt_context *ctx = kit_begin();
    json_t *json = json_loads(wrong_json[_i], 0, NULL);
    mopt_transform *t = NULL;

    ck_assert_ptr_nonnull(json);
    kit_fails(moi_transform_from_json(ctx, json, &t), MOPT_EFORMAT);
    kit_says("transform: ");
    ck_assert_ptr_null(t);
    json_decref(json);
    kit_end(ctx);
}
END_TEST

/* A file that promises many columns costs no memory until it gives them. */
START_TEST(test_uniform_is_cheap)
{
    mopt_context *ctx = kit_begin();
    mopt_transform *t = NULL;
    json_t *json = json_loads("{\"columns\": 2000000000, \"center\": 0, "
                              "\"scale\": 0.5, \"fill\": 0, \"target\": "
                              "{\"kind\": \"none\", \"count\": 0}}", 0, NULL);

    kit_ok(moi_transform_from_json(ctx, json, &t));
    ck_assert_int_eq(moi_transform_outputs(t), 2000000000);
    mopt_transform_free(t);
    json_decref(json);
    kit_end(ctx);
}
END_TEST

static int32_t use_everything(mopt_context *ctx, const mopt_dataset *data,
                              const mopt_config *config)
{
    mopt_transform *t = NULL, *back = NULL;
    mopt_dataset *ready = NULL;
    json_t *json = NULL;
    int32_t rc = mopt_transform_fit(data, config, &t);

    if (!rc)
        rc = mopt_transform_apply(t, data, &ready);
    if (!rc)
        json = moi_transform_to_json(t);
    if (!rc)
        rc = moi_transform_from_json(ctx, json, &back);
    json_decref(json);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_transform_free(back);
    return rc;
}

START_TEST(test_no_memory)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data[3] = {NULL}, *view = NULL;
    mopt_config *config = data_config(ctx, "{\"max_categories\": 1}");
    const float x[] = {1, 2, 3, 4};
    const int64_t rows[] = {1, 0};

    kit_ok(data_csv(ctx, table, "", &data[0]));
    kit_ok(mopt_dataset_from_memory(ctx, 2, 2, x, MOPT_F32, 0, x, MOPT_F32, 1,
                                    0, NULL, NULL, &view));
    kit_ok(mopt_dataset_select(view, rows, 2, &data[1]));
    mopt_dataset_free(view);
    kit_ok(mopt_dataset_from_memory(ctx, 2, 2, x, MOPT_U8, 0, NULL, 0, 0, 0,
                                    NULL, NULL, &data[2]));
    for (int k = 0; k < 6; k++) {
        int64_t at;
        int32_t rc = MOPT_ENOMEM;
        for (at = 0; rc; at++) {
            kit_fail_allocation(at, k & 1);
            rc = use_everything(ctx, data[k / 2], config);
            if (rc)
                ck_assert_int_eq(rc, MOPT_ENOMEM);
        }
        ck_assert_int_gt(at, k / 2 == 2 ? 7 : 15);
        kit_fail_allocation(-1, 0);
    }
    for (int k = 0; k < 3; k++)
        mopt_dataset_free(data[k]);
    mopt_config_free(config);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("transform");
    TCase *tests = tcase_create("transform");

    tcase_add_test(tests, test_table);
    tcase_add_test(tests, test_no_indicator);
    tcase_add_test(tests, test_max_categories);
    tcase_add_test(tests, test_scales);
    tcase_add_test(tests, test_fits_on_the_view);
    tcase_add_test(tests, test_far_from_zero);
    tcase_add_test(tests, test_targets_are_scaled_and_restored);
    tcase_add_test(tests, test_classes_by_name);
    tcase_add_test(tests, test_target_kind_follows_training);
    tcase_add_test(tests, test_numbers_for_categories);
    tcase_add_test(tests, test_wrong_calls);
    tcase_add_test(tests, test_nothing_left);
    tcase_add_loop_test(tests, test_wrong_json, 0,
                        (int)(sizeof wrong_json / sizeof wrong_json[0]));
    tcase_add_test(tests, test_uniform_is_cheap);
    tcase_add_test(tests, test_no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
