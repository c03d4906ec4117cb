/* SPDX-License-Identifier: MIT
 * tests/fuzz/targets.c: every parser of the library fed with arbitrary bytes.
 *
 * A target gets its input as a file that lives in memory, served through the
 * library's own seam for files, and an allocator with a bound. It must return;
 * whatever it returns is fine. Built three ways: with clang's libFuzzer
 * (-Dfuzz=true, one program a target), as a smoke test that mutates the seeds
 * by a fixed sequence, and to replay files. */
#include "targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/file.h"

/* A crafted file of a kilobyte may take 64 times its size and a megabyte, on
 * top of what the objects of any file take. */
#define BYTES_PER_BYTE 64
#define BYTES_AT_ALL ((size_t)1 << 20)

/* What a document may ask for on purpose (a model of many units). */
#define BYTES_OF_DOCUMENT ((size_t)64 << 20)

static struct {
    const uint8_t *bytes;
    int64_t size, at;
    size_t used, limit;
    int32_t exceeded;
} input;

/* ---- one file in memory ---- */

static int open_input(void *user, const char *path, int flags, int mode)
{
    (void)user;
    (void)flags;
    (void)mode;
    if (strcmp(path, FUZZ_PATH) != 0)
        return -ENOENT;
    input.at = 0;
    return 100;
}

static int64_t read_input(void *user, int fd, void *buf, int64_t count)
{
    (void)user;
    (void)fd;
    int64_t left = input.size - input.at;
    if (count > left)
        count = left;
    if (count > 0)
        memcpy(buf, input.bytes + input.at, (size_t)count);
    input.at += count;
    return count;
}

static int64_t write_nothing(void *user, int fd, const void *buf,
                             int64_t count)
{
    (void)user;
    (void)fd;
    (void)buf;
    (void)count;
    return -EROFS;
}

static int64_t seek_input(void *user, int fd, int64_t offset, int whence)
{
    (void)user;
    (void)fd;
    input.at = whence == SEEK_END ? input.size + offset : offset;
    return input.at;
}

static int do_nothing(void *user, int fd)
{
    (void)user;
    (void)fd;
    return 0;
}

static int rename_nothing(void *user, const char *from, const char *to)
{
    (void)user;
    (void)from;
    (void)to;
    return -EROFS;
}

static int unlink_nothing(void *user, const char *path)
{
    (void)user;
    (void)path;
    return -EROFS;
}

static const moi_file_ops in_memory = {
    NULL,       open_input, read_input,     write_nothing, seek_input,
    do_nothing, do_nothing, rename_nothing, unlink_nothing};

/* ---- an allocator with a bound ---- */

static void *bounded(void *user, void *ptr, size_t old_size, size_t new_size)
{
    (void)user;
    if (new_size > old_size && input.used + new_size > input.limit) {
        input.exceeded = 1;
        return NULL;
    }
    input.used += new_size - old_size;
    if (new_size > 0)
        return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}

/* ---- the targets ---- */

static void load_data(mopt_context *ctx, const char *settings)
{
    mopt_config *config = NULL;
    mopt_dataset *data = NULL;
    if (mopt_config_create(ctx, "data", &config) == MOPT_OK &&
        mopt_config_set_json(config, settings) == MOPT_OK &&
        mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &data) == MOPT_OK) {
        mopt_transform *transform = NULL;
        mopt_dataset *ready = NULL;
        if (mopt_transform_fit(data, config, &transform) == MOPT_OK)
            mopt_transform_apply(transform, data, &ready);
        mopt_dataset_free(ready);
        mopt_transform_free(transform);
    }
    mopt_dataset_free(data);
    mopt_config_free(config);
}

static void fuzz_idx(mopt_context *ctx, const char *text)
{
    (void)text;
    load_data(ctx, "{\"source\": {\"type\": \"idx\", \"path\": \"" FUZZ_PATH
                   "\"}}");
}

static void fuzz_csv(mopt_context *ctx, const char *text)
{
    (void)text;
    load_data(ctx, "{\"source\": {\"type\": \"csv\", \"path\": \"" FUZZ_PATH
                   "\"}}");
}

static void fuzz_arff(mopt_context *ctx, const char *text)
{
    (void)text;
    load_data(ctx, "{\"source\": {\"type\": \"arff\", \"path\": \"" FUZZ_PATH
                   "\"}}");
}

static void fuzz_npy(mopt_context *ctx, const char *text)
{
    (void)text;
    load_data(ctx, "{\"source\": {\"type\": \"npy\", \"path\": \"" FUZZ_PATH
                   "\"}}");
}

static void fuzz_model_file(mopt_context *ctx, const char *text)
{
    mopt_model *model = NULL;
    (void)text;
    mopt_model_load(ctx, FUZZ_PATH, &model);
    mopt_model_free(model);
}

/* An adapter that was read goes into a model and out again. */
static void fuzz_adapter(mopt_context *ctx, const char *text)
{
    mopt_adapter *adapter = NULL;
    mopt_model *model = NULL;
    (void)text;
    if (mopt_adapter_load(ctx, FUZZ_PATH, &adapter) == MOPT_OK &&
        mopt_model_build(ctx, 4, &model) == MOPT_OK &&
        mopt_model_add_dense(model, 3, "none") == MOPT_OK &&
        mopt_model_init(model, 1) == MOPT_OK &&
        mopt_adapter_apply(adapter, model) == MOPT_OK)
        mopt_adapter_remove(adapter, model);
    mopt_adapter_free(adapter);
    mopt_model_free(model);
}

/* A map beside a file that is no tensor file: the map is read first. */
static void fuzz_map(mopt_context *ctx, const char *text)
{
    mopt_model *model = NULL;
    if (mopt_model_build(ctx, 4, &model) == MOPT_OK &&
        mopt_model_add_dense(model, 3, "none") == MOPT_OK &&
        mopt_model_init(model, 1) == MOPT_OK)
        mopt_model_load_weights(model, FUZZ_PATH, text);
    mopt_model_free(model);
}

/* Any tensors under the model's names. */
static void fuzz_weights(mopt_context *ctx, const char *text)
{
    (void)text;
    fuzz_map(ctx, "{\"layers.0.weight\": {\"name\": \"w\", \"transpose\": "
                  "true}, \"layers.0.bias\": \"b\"}");
}

static int32_t teach(void *user, int64_t rows, int64_t features,
                     int64_t outputs, const int64_t *index, const float *x,
                     float *out)
{
    (void)user;
    (void)features;
    (void)index;
    (void)x;
    memset(out, 0, (size_t)(rows * outputs) * sizeof *out);
    return 0;
}

/* Settle the teachers of a small distiller: what they are kept in is read. */
static void settle(mopt_context *ctx, const char *settings, const char *file)
{
    static const float x[5][4] = {{0.25f}, {0.5f}, {0.75f}, {1}, {1.25f}};
    mopt_dataset *data = NULL;
    mopt_model *student = NULL;
    mopt_config *config = NULL;
    mopt_distill *distill = NULL;
    mopt_trainer *trainer;
    if (mopt_dataset_from_memory(ctx, 5, 4, x, MOPT_F32, 0, NULL, MOPT_I32, 1,
                                 0, NULL, NULL, &data) == MOPT_OK &&
        mopt_model_build(ctx, 4, &student) == MOPT_OK &&
        mopt_model_add_dense(student, 3, "none") == MOPT_OK &&
        mopt_config_create(ctx, "distill", &config) == MOPT_OK &&
        mopt_config_set_json(config, settings) == MOPT_OK &&
        mopt_distill_create(ctx, student, data, NULL, config, NULL,
                            &distill) == MOPT_OK &&
        (file != NULL
             ? mopt_distill_add_file(distill, file, 1)
             : mopt_distill_add_callback(distill, teach, NULL, NULL, "fuzz",
                                         1)) == MOPT_OK)
        mopt_distill_trainer(distill, &trainer);
    mopt_distill_free(distill);
    mopt_config_free(config);
    mopt_model_free(student);
    mopt_dataset_free(data);
}

/* A cache of a teacher's outputs, and the same bytes as a file of outputs. */
static void fuzz_outputs(mopt_context *ctx, const char *text)
{
    (void)text;
    settle(ctx, "{\"baseline\": false, \"cache\": \"" FUZZ_PATH "\"}", NULL);
    settle(ctx, "{\"baseline\": false}", FUZZ_PATH);
}

static void fuzz_model(mopt_context *ctx, const char *text)
{
    mopt_model *model = NULL;
    if (mopt_model_create(ctx, text, 4, 3, &model) == MOPT_OK)
        mopt_model_init(model, 1);
    mopt_model_free(model);
}

static void fuzz_space(mopt_context *ctx, const char *text)
{
    mopt_space *space = NULL;
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    int64_t count;
    if (mopt_space_from_json(ctx, text, &space) == MOPT_OK &&
        mopt_space_count(space, &count) == MOPT_OK &&
        mopt_study_create(ctx, space, NULL, &study) == MOPT_OK)
        mopt_study_ask(study, &trial);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(space);
}

static void fuzz_config(mopt_context *ctx, const char *text)
{
    static const char *const kinds[] = {"train", "study", "data", "context"};
    for (int i = 0; i < 4; i++) {
        mopt_config *config = NULL;
        if (mopt_config_create(ctx, kinds[i], &config) == MOPT_OK)
            mopt_config_set_json(config, text);
        mopt_config_free(config);
    }
}

static void fuzz_recipe(mopt_context *ctx, const char *text)
{
    mopt_recipe *recipe = NULL;
    mopt_recipe_parse(ctx, text, NULL, &recipe);
    mopt_recipe_free(recipe);
}

const fuzz_target fuzz_targets[] = {
    {"idx", fuzz_idx, 1},       {"csv", fuzz_csv, 1},
    {"arff", fuzz_arff, 1},     {"npy", fuzz_npy, 1},
    {"model_file", fuzz_model_file, 1},
    {"adapter", fuzz_adapter, 1},
    {"weights", fuzz_weights, 1},
    {"outputs", fuzz_outputs, 1},
    {"map", fuzz_map, 0},
    {"model", fuzz_model, 0},   {"space", fuzz_space, 0},
    {"config", fuzz_config, 0}, {"recipe", fuzz_recipe, 0},
    {NULL, NULL, 0},
};

const fuzz_target *fuzz_find(const char *name)
{
    for (const fuzz_target *t = fuzz_targets; t->name != NULL; t++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

int32_t fuzz_run(const fuzz_target *target, const uint8_t *bytes, size_t size)
{
    mopt_context *ctx = NULL;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    input.bytes = bytes;
    input.size = (int64_t)size;
    input.used = 0;
    input.exceeded = 0;
    input.limit = target->is_file ? BYTES_AT_ALL + BYTES_PER_BYTE * size
                                  : BYTES_OF_DOCUMENT;
    if (mopt_context_create(bounded, NULL, &ctx) == MOPT_OK) {
        ctx->files = &in_memory;
        target->run(ctx, text);
        mopt_context_free(ctx);
    }
    free(text);
    if (input.used != 0) {
        fprintf(stderr, "%s: %zu bytes were not freed\n", target->name,
                input.used);
        abort();
    }
    return input.exceeded;
}

#ifdef FUZZ_TARGET
/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_run(fuzz_find(FUZZ_TARGET), bytes, size);
    return 0;
}
#endif
