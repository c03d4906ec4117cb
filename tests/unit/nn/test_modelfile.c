/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_modelfile.c: saving and loading to the bit, files that
 * lie, disks and memory that fail. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kit.h"
#include "learn/data/dataset.h"
#include "learn/format/safetensors.h"
#include "learn/nn/model.h"

/* ---- helpers ---- */

static mopt_model *make_model(mopt_context *ctx, int64_t seed)
{
    mopt_model *model = NULL;
    kit_ok(mopt_model_create(
        ctx, "{\"layers\": [{\"type\": \"dense\", \"units\": 5, "
             "\"activation\": {\"type\": \"leaky_relu\", \"slope\": 0.125}}, "
             "{\"type\": \"dropout\", \"rate\": 0.5}, {\"type\": \"dense\", "
             "\"units\": 3, \"bias\": false, \"init\": \"orthogonal\"}]}",
        4, 0, &model));
    kit_ok(mopt_model_init(model, seed));
    return model;
}

/* A transform from four columns, and its data. */
static mopt_transform *make_transform(mopt_context *ctx, mopt_dataset **data)
{
    static float x[40];
    static int32_t y[10];
    mopt_config *config = NULL;
    mopt_transform *transform = NULL;
    for (int32_t i = 0; i < 40; i++)
        x[i] = (float)(i * i % 17);
    for (int32_t i = 0; i < 10; i++)
        y[i] = i % 3;
    kit_ok(mopt_dataset_from_memory(ctx, 10, 4, x, MOPT_F32, 0, y, MOPT_I32, 1,
                                    3, NULL, NULL, data));
    kit_ok(mopt_config_create(ctx, "data", &config));
    kit_ok(mopt_config_set_text(config, "scale", "standard"));
    kit_ok(mopt_transform_fit(*data, config, &transform));
    mopt_config_free(config);
    return transform;
}

static int64_t file_size(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    fseek(file, 0, SEEK_END);
    int64_t size = ftell(file);
    fclose(file);
    return size;
}

static char *slurp(const char *path, int64_t *size)
{
    *size = file_size(path);
    char *data = malloc((size_t)*size + 1);
    FILE *file = fopen(path, "rb");
    ck_assert_uint_eq(fread(data, 1, (size_t)*size, file), (size_t)*size);
    fclose(file);
    return data;
}

static void check_same(const mopt_model *a, const mopt_model *b)
{
    static char one[4096], two[4096];
    kit_ok(mopt_model_describe(a, one, sizeof one, NULL));
    kit_ok(mopt_model_describe(b, two, sizeof two, NULL));
    ck_assert_str_eq(one, two);
    ck_assert_int_eq(moi_model_size(a), moi_model_size(b));
    ck_assert_mem_eq(moi_model_weights(a), moi_model_weights(b),
                     (size_t)moi_model_size(a) * sizeof(moi_real));
}

/* ---- there and back ---- */

START_TEST(saved_and_loaded_to_the_bit)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    mopt_model *model = make_model(ctx, 1), *back = NULL;
    mopt_transform *transform = make_transform(ctx, &data);
    const char *first = kit_path("first"), *second = kit_path("second");
    float a[30], b[30];
    kit_ok(mopt_model_save(model, first));
    kit_ok(mopt_model_load(ctx, first, &back));
    check_same(model, back);
    ck_assert_ptr_null(moi_model_transform(back));
    mopt_model_free(back);
    /* With its transform, which raw data then go through. */
    kit_ok(mopt_model_set_transform(model, transform));
    mopt_transform_free(transform);
    kit_ok(mopt_model_save(model, first));
    kit_ok(mopt_model_load(ctx, first, &back));
    check_same(model, back);
    kit_ok(mopt_model_predict_dataset(model, data, a, 30, NULL));
    kit_ok(mopt_model_predict_dataset(back, data, b, 30, NULL));
    ck_assert_mem_eq(a, b, sizeof a);
    /* And again: the same file. */
    kit_ok(mopt_model_save(back, second));
    int64_t n = 0, m = 0;
    char *one = slurp(first, &n), *two = slurp(second, &m);
    ck_assert_int_eq(n, m);
    ck_assert_int_eq(memcmp(one, two, (size_t)n), 0);
    free(one);
    free(two);
    mopt_dataset_free(data);
    mopt_model_free(model);
    mopt_model_free(back);
    kit_end(ctx);
}
END_TEST

START_TEST(misuse)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    const char *path = kit_path("m");
    kit_ok(mopt_model_build(ctx, 2, &model));
    kit_ok(mopt_model_add_dense(model, 2, NULL));
    kit_fails(mopt_model_save(NULL, path), MOPT_EINVAL);
    kit_fails(mopt_model_save(model, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_save(model, path), MOPT_ESTATE);
    mopt_model_free(model);
    kit_fails(mopt_model_load(NULL, path, &model), MOPT_EINVAL);
    kit_fails(mopt_model_load(ctx, NULL, &model), MOPT_EINVAL);
    kit_fails(mopt_model_load(ctx, path, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_load(ctx, path, &model), MOPT_ENOENT);
    kit_fails(mopt_model_load(ctx, "/", &model), MOPT_EINVAL);
    kit_end(ctx);
}
END_TEST

/* A model that diverged does not take the place of a good one. */
START_TEST(no_nan_over_a_good_file)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, 1), *back = NULL;
    const char *path = kit_path("good");
    kit_ok(mopt_model_save(model, path));
    moi_real *w = moi_model_weights(model), keep = w[3];
    static const moi_real bad[] = {NAN, INFINITY, -INFINITY};
    for (int32_t i = 0; i < 3; i++) {
        w[3] = bad[i];
        kit_fails(mopt_model_save(model, path), MOPT_EDIVERGED);
        kit_says("layers.0.weight");
    }
    w[3] = keep;
    kit_ok(mopt_model_load(ctx, path, &back));
    check_same(model, back);
    mopt_model_free(model);
    mopt_model_free(back);
    kit_end(ctx);
}
END_TEST

/* ---- files that lie ---- */

/* A file with given metadata and one dense layer of 2 x 2 and its bias. */
static void write_file(mopt_context *ctx, const char *path, const char *format,
                       const char *tree, int32_t count, float value)
{
    float w[4] = {1, 2, 3, value}, b[2] = {0, 0};
    moi_tensor tensors[] = {
        {"layers.0.weight", MOPT_F32, 2, {2, 2}, 16, w, 0},
        {"layers.0.bias", MOPT_F32, 1, {2}, 8, b, 0},
        {"other", MOPT_F32, 1, {2}, 8, b, 0},
    };
    json_t *metadata = json_object();
    if (format != NULL)
        json_object_set_new(metadata, "modelopt.format", json_string(format));
    if (tree != NULL)
        json_object_set_new(metadata, "modelopt.model", json_string(tree));
    kit_ok(moi_safetensors_write(ctx, path, metadata, tensors, count));
    json_decref(metadata);
}

#define TREE(units) "{\"inputs\": 2, \"layers\": [{\"type\": \"dense\", "     \
                    "\"units\": " units "}]}"

static const struct {
    const char *format, *tree;
    int32_t count;
    float value;
    const char *says;
} wrong[] = {
    {"1", NULL, 2, 4, "not a model of this library"},
    {"2", TREE("2"), 2, 4, "'2'"},
    {"1", "{", 2, 4, "modelopt.model"},
    {"1", "7", 2, 4, "inputs"},
    {"1", "{\"layers\": []}", 2, 4, "inputs"},
    {"1", "{\"inputs\": -1, \"layers\": [{\"type\": \"dropout\"}]}", 2, 4,
     "-1"},
    {"1", "{\"inputs\": 2, \"layers\": []}", 2, 4, "layers"},
    {"1", "{\"inputs\": 2, \"layers\": [{\"type\": \"dense\"}]}", 2, 4,
     "units"},
    {"1", TREE("3"), 2, 4, "another shape"},
    {"1", TREE("2000000000"), 2, 4, "another shape"},
    {"1", TREE("2"), 1, 4, "there is no tensor 'layers.0.bias'"},
    {"1", TREE("2"), 3, 4, "3 tensors"},
    {"1", TREE("2"), 2, NAN, "not a finite"},
    {"1", TREE("2"), 2, INFINITY, "value 3"},
};

START_TEST(lying_files_are_refused)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = NULL;
    const char *path = kit_path("lie");
    write_file(ctx, path, wrong[_i].format, wrong[_i].tree, wrong[_i].count,
               wrong[_i].value);
    kit_fails(mopt_model_load(ctx, path, &model), MOPT_EFORMAT);
    kit_says(wrong[_i].says);
    kit_says(path);
    ck_assert_ptr_null(model);
    write_file(ctx, path, NULL, TREE("2"), 2, 4);
    kit_ok(mopt_model_load(ctx, path, &model));
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* One file in memory, that a disk need not be asked for. */
typedef struct held {
    const char *data;
    int64_t size, at;
} held;

static int h_open(void *user, const char *path, int flags, int mode)
{
    (void)path;
    (void)flags;
    (void)mode;
    ((held *)user)->at = 0;
    return 1;
}
static int64_t h_read(void *user, int fd, void *buf, int64_t count)
{
    held *h = user;
    (void)fd;
    if (count > h->size - h->at)
        count = h->size - h->at;
    memcpy(buf, h->data + h->at, (size_t)count);
    h->at += count;
    return count;
}
static int64_t h_seek(void *user, int fd, int64_t offset, int whence)
{
    held *h = user;
    (void)fd;
    return h->at = whence == SEEK_END ? h->size : offset;
}
static int h_close(void *user, int fd)
{
    (void)user;
    (void)fd;
    return 0;
}

START_TEST(damaged_files)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    mopt_model *model = make_model(ctx, 1);
    mopt_transform *transform = make_transform(ctx, &data);
    const char *path = kit_path("damaged");
    int64_t size = 0, loaded = 0;
    moi_rng rng;
    moi_rng_init(&rng, 13, 0, MOI_RNG_GENERATE, 0);
    kit_ok(mopt_model_set_transform(model, transform));
    kit_ok(mopt_model_save(model, path));
    mopt_transform_free(transform);
    mopt_dataset_free(data);
    mopt_model_free(model);
    char *good = slurp(path, &size), *bad = malloc((size_t)size);
    held h = {bad, size, 0};
    moi_file_ops ops = {&h,   h_open,  h_read, NULL, h_seek,
                        NULL, h_close, NULL,   NULL};
    ctx->files = &ops;
    for (int32_t round = 0; round < 3000; round++) {
        int64_t length = size;
        memcpy(bad, good, (size_t)size);
        if (round % 10 == 0)
            length = (int64_t)moi_rng_below(&rng, (uint64_t)size);
        for (uint64_t k = 0; k < 1 + (uint64_t)round % 3; k++)
            bad[moi_rng_below(&rng, (uint64_t)size)] =
                (char)moi_rng_below(&rng, 256);
        h.size = length;
        mopt_model *back = NULL;
        int32_t rc = mopt_model_load(ctx, path, &back);
        if (rc != MOPT_OK)
            kit_fails(rc, MOPT_EFORMAT);
        loaded += rc == MOPT_OK;
        mopt_model_free(back);
    }
    ck_assert_int_gt(loaded, 30);
    ck_assert_int_lt(loaded, 2900);
    ctx->files = &moi_file_system;
    free(good);
    free(bad);
    kit_end(ctx);
}
END_TEST

/* ---- disks that fail ---- */

/* The system's files, but call number at fails with an error; writes may be
 * short before. */
typedef struct fault {
    int64_t calls, at;
    int error;
    int32_t brief; /* write one byte at a time */
} fault;

static int fails(void *user)
{
    fault *f = user;
    return f->calls++ == f->at ? -f->error : 0;
}

#define CALL(name, arguments)                                                \
    do {                                                                     \
        int error = fails(user);                                             \
        return error != 0 ? error : moi_file_system.name arguments;          \
    } while (0)

static int f_open(void *user, const char *path, int flags, int mode)
{
    CALL(open, (NULL, path, flags, mode));
}
static int64_t f_read(void *user, int fd, void *buf, int64_t count)
{
    CALL(read, (NULL, fd, buf, count));
}
static int64_t f_write(void *user, int fd, const void *buf, int64_t count)
{
    if (((fault *)user)->brief && count > 1)
        count = count / 2;
    CALL(write, (NULL, fd, buf, count));
}
static int64_t f_seek(void *user, int fd, int64_t offset, int whence)
{
    CALL(seek, (NULL, fd, offset, whence));
}
static int f_sync(void *user, int fd)
{
    CALL(sync, (NULL, fd));
}
static int f_close(void *user, int fd)
{
    int error = fails(user), rc = moi_file_system.close(NULL, fd);
    return error != 0 ? error : rc;
}
static int f_rename(void *user, const char *from, const char *to)
{
    CALL(rename, (NULL, from, to));
}
static int f_unlink(void *user, const char *path)
{
    (void)user; /* tidying up: nobody can do anything about it */
    return moi_file_system.unlink(NULL, path);
}

START_TEST(a_failed_save_leaves_the_old_file)
{
    static const int errors[] = {EIO, ENOSPC};
    mopt_context *ctx = kit_begin();
    mopt_model *old = make_model(ctx, 1), *new = make_model(ctx, 2);
    const char *path = kit_path("kept");
    fault f = {0, -1, errors[_i / 2], _i % 2};
    moi_file_ops ops = {&f,     f_open,  f_read,   f_write, f_seek,
                        f_sync, f_close, f_rename, f_unlink};
    int64_t failures = 0;
    for (int64_t at = 0; at < 200; at++) {
        mopt_model *back = NULL;
        ctx->files = &moi_file_system;
        kit_ok(mopt_model_save(old, path));
        ctx->files = &ops;
        f.calls = 0;
        f.at = at;
        int32_t rc = mopt_model_save(new, path);
        f.at = -1;
        kit_ok(mopt_model_load(ctx, path, &back));
        if (rc == MOPT_OK) {
            check_same(new, back);
            mopt_model_free(back);
            break;
        }
        kit_fails(rc, MOPT_EIO);
        /* Behind the rename the new one stands, whatever fails after it. */
        if (memcmp(moi_model_weights(back), moi_model_weights(new),
                   (size_t)moi_model_size(new) * sizeof(moi_real)) == 0)
            check_same(new, back);
        else
            check_same(old, back);
        mopt_model_free(back);
        failures++;
    }
    ck_assert_int_ge(failures, 6);
    ck_assert_int_lt(failures, 199);
    ctx->files = &moi_file_system;
    mopt_model_free(old);
    mopt_model_free(new);
    kit_end(ctx);
}
END_TEST

START_TEST(a_failed_load_is_told)
{
    mopt_context *ctx = kit_begin();
    mopt_model *model = make_model(ctx, 1), *back = NULL;
    const char *path = kit_path("read");
    fault f = {0, -1, EIO, 0};
    moi_file_ops ops = {&f,     f_open,  f_read,   f_write, f_seek,
                        f_sync, f_close, f_rename, f_unlink};
    kit_ok(mopt_model_save(model, path));
    ctx->files = &ops;
    int64_t failures = 0;
    for (int64_t at = 0; at < 100; at++) {
        f.calls = 0;
        f.at = at;
        int32_t rc = mopt_model_load(ctx, path, &back);
        if (f.calls <= at) /* fewer calls than that */
            break;
        failures += rc == MOPT_EIO;
        if (rc == MOPT_OK)
            mopt_model_free(back);
        back = NULL;
    }
    mopt_model_free(back);
    ck_assert_int_ge(failures, 3);
    ctx->files = &moi_file_system;
    mopt_model_free(model);
    kit_end(ctx);
}
END_TEST

/* ---- memory that fails ---- */

static int32_t work(mopt_context *ctx, const char *path, mopt_dataset *data,
                    const mopt_model *model)
{
    static float out[30];
    static char text[4096];
    mopt_model *back = NULL;
    int32_t rc = mopt_model_save(model, path);
    if (rc == MOPT_OK)
        rc = mopt_model_load(ctx, path, &back);
    if (rc == MOPT_OK)
        rc = mopt_model_predict_dataset(back, data, out, 30, NULL);
    if (rc == MOPT_OK)
        rc = mopt_model_evaluate(back, data, NULL, NULL, text, sizeof text,
                                 NULL);
    mopt_model_free(back);
    return rc;
}

START_TEST(memory_may_fail_anywhere)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    mopt_model *model = make_model(ctx, 1), *back = NULL;
    mopt_transform *transform = make_transform(ctx, &data);
    const char *path = kit_path("memory");
    int64_t last = 0;
    kit_ok(mopt_model_set_transform(model, transform));
    mopt_transform_free(transform);
    kit_ok(mopt_model_save(model, path));
    for (int64_t at = 0; at < 2000; at++) {
        kit_fail_allocation(at, _i);
        int32_t rc = work(ctx, path, data, model);
        kit_fail_allocation(-1, 0);
        if (rc == MOPT_OK)
            break;
        kit_fails(rc, MOPT_ENOMEM);
        last = at;
    }
    ck_assert_int_gt(last, 60);
    ck_assert_int_lt(last, 1999);
    kit_ok(mopt_model_load(ctx, path, &back));
    check_same(model, back);
    mopt_model_free(back);
    mopt_model_free(model);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_modelfile");
    TCase *tests = tcase_create("modelfile");
    tcase_add_test(tests, saved_and_loaded_to_the_bit);
    tcase_add_test(tests, misuse);
    tcase_add_test(tests, no_nan_over_a_good_file);
    tcase_add_loop_test(tests, lying_files_are_refused, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, damaged_files);
    tcase_add_loop_test(tests, a_failed_save_leaves_the_old_file, 0, 4);
    tcase_add_test(tests, a_failed_load_is_told);
    tcase_add_loop_test(tests, memory_may_fail_anywhere, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
