/* SPDX-License-Identifier: MIT
 * lib/learn/distill/teacher.c: who tells a student what to say. */
#include "learn/distill/teacher.h"

#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/config.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/runner.h"

#define BLOCK 1024 /* rows that are asked for at a time */

void moi_teacher_clear(moi_teacher *teacher)
{
    mopt_context *ctx = teacher->ctx;

    if (teacher->destroy)
        teacher->destroy(teacher->user);
    mopt_model_free(teacher->model);
    moi_plan_free(teacher->plan);
    moi_safetensors_free(teacher->file);
    moi_free(ctx, teacher->own);
    moi_free(ctx, teacher->path);
    moi_free(ctx, teacher->name);
    moi_free(ctx, teacher->shown);
    moi_free(ctx, teacher->x);
    moi_free(ctx, teacher->y);
}

/* ---- asking for some rows ---- */

static int32_t check_finite(const moi_teacher *teacher, const float *out,
                            int64_t count, int64_t first)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(out[i]))
            return moi_fail(teacher->fn ? MOPT_ECALLBACK : MOPT_EDIVERGED,
                            "the teacher's output %lld of row %lld is no "
                            "finite number",
                            (long long)(i % teacher->outputs),
                            (long long)(first + i / teacher->outputs));
    return MOPT_OK;
}

static int32_t call(const moi_teacher *teacher, int64_t rows,
                    const int64_t *index, const float *x, float *out)
{
    int32_t rc = teacher->fn(teacher->user, rows, teacher->inputs,
                             teacher->outputs, index, x, out);

    if (rc)
        return moi_fail(MOPT_ECALLBACK, "the teacher '%s' returned %d",
                        teacher->name, (int)rc);
    return check_finite(teacher, out, rows * teacher->outputs, index[0]);
}

/* ---- all rows, once ---- */

/* What working a table out needs. */
typedef struct survey {
    moi_runner *runner; /* of a model */
    int64_t *index;
    moi_real *reals;
    float *x;
} survey;

static void end_survey(mopt_context *ctx, survey *s)
{
    moi_runner_free(s->runner);
    moi_free(ctx, s->index);
    moi_free(ctx, s->reals);
    moi_free(ctx, s->x);
}

static int32_t begin_survey(const moi_teacher *teacher, survey *s)
{
    int64_t count = BLOCK * teacher->inputs;

    s->index = moi_alloc(teacher->ctx, BLOCK, sizeof *s->index);
    s->reals = moi_alloc(teacher->ctx, count, sizeof *s->reals);
    s->x = moi_alloc(teacher->ctx, count, sizeof *s->x);
    if (!s->index || !s->reals || !s->x)
        return MOPT_ENOMEM;
    return teacher->model ? moi_runner_create(teacher->model, BLOCK,
                                              MOI_PLAN_LOGITS, 0, &s->runner)
                          : MOPT_OK;
}

static int32_t ask_block(const moi_teacher *teacher, survey *s,
                         const mopt_dataset *data, moi_augment *augment,
                         int64_t view, int64_t first, int64_t count,
                         mopt_cancel *cancel, float *out)
{
    int32_t rc = moi_cancel_check(cancel);

    for (int64_t i = 0; i < count; i++)
        s->index[i] = first + i;
    if (augment && augment->active)
        moi_dataset_gather_view(data, s->index, count, augment, view,
                                s->reals);
    else
        moi_dataset_gather(data, s->index, count, s->reals);
    for (int64_t i = 0; i < count * teacher->inputs; i++)
        s->x[i] = (float)s->reals[i];
    if (rc)
        return rc;
    if (teacher->fn)
        return call(teacher, count, s->index, s->x, out);
    rc = moi_runner_run(s->runner, &(moi_rows){.x = s->x}, 0, count, out,
                        NULL, cancel);
    return rc ? rc : check_finite(teacher, out, count * teacher->outputs,
                                  first);
}

/* One view of all rows of a data set. */
static int32_t ask_all(const moi_teacher *teacher, const mopt_dataset *data,
                       moi_augment *augment, int64_t view,
                       mopt_cancel *cancel, float *out)
{
    int64_t rows = moi_dataset_rows(data);
    survey s = {NULL, NULL, NULL, NULL};
    int32_t rc = begin_survey(teacher, &s);

    for (int64_t at = 0; !rc && at < rows; at += BLOCK) {
        int64_t count = rows - at < BLOCK ? rows - at : BLOCK;

        rc = ask_block(teacher, &s, data, augment, view, at, count, cancel,
                       out + at * teacher->outputs);
    }
    end_survey(teacher->ctx, &s);
    return rc;
}

int32_t moi_teacher_answer(const moi_teacher *teacher,
                           const mopt_dataset *data, float *out,
                           mopt_cancel *cancel)
{
    if (teacher->path)
        return moi_fail(MOPT_ENOENT, "a file of outputs knows the training "
                        "rows alone");
    return ask_all(teacher, data, NULL, 0, cancel, out);
}

/* ---- keeping them ---- */

static int32_t hash_model(const moi_teacher *teacher, uint64_t *hash)
{
    const mopt_model *model = teacher->model;
    json_t *tree = moi_model_tree(model);
    char *text = tree ? moi_json_dump(teacher->ctx, tree) : NULL;

    json_decref(tree);
    if (!text)
        return moi_fail(MOPT_ENOMEM, "no memory for the key of a cache");
    *hash = moi_hash_text(*hash, text);
    moi_free(teacher->ctx, text);
    *hash = moi_hash_block(*hash, moi_model_weights(model),
                           (size_t)moi_model_size(model) * sizeof(moi_real));
    return MOPT_OK;
}

/* Everything that the outputs follow from. */
static int32_t make_key(const moi_teacher *teacher, const moi_lesson *lesson,
                        uint64_t *key)
{
    const uint64_t parts[] = {moi_dataset_digest(lesson->data),
                              moi_augment_digest(lesson->augment)};

    *key = moi_hash(MOI_HASH_START, parts, sizeof parts);
    if (!teacher->fn)
        return hash_model(teacher, key);
    *key = moi_hash_text(*key, teacher->name);
    return MOPT_OK;
}

static int64_t view_count(const moi_lesson *lesson)
{
    return lesson->augment->active ? lesson->augment->views : 1;
}

static int32_t survey_views(moi_teacher *teacher, const moi_lesson *lesson,
                            float *table)
{
    int64_t step = teacher->rows * teacher->outputs;
    int32_t rc = MOPT_OK;

    for (int64_t v = 0; !rc && v < view_count(lesson); v++)
        rc = ask_all(teacher, lesson->data, lesson->augment, v,
                     lesson->cancel, table + v * step);
    return rc;
}

static int32_t fill_table(moi_teacher *teacher, const moi_lesson *lesson)
{
    int64_t count = 0;
    int32_t rc = moi_multiply(view_count(lesson) * teacher->rows,
                              teacher->outputs, "outputs of all views",
                              &count);

    if (rc)
        return rc;
    teacher->own = moi_alloc(teacher->ctx, count, sizeof *teacher->own);
    if (!teacher->own)
        return MOPT_ENOMEM;
    rc = survey_views(teacher, lesson, teacher->own);
    teacher->table = teacher->own;
    return rc;
}

/* From the file that they are kept in; or worked out, and put there. */
static int32_t fill_cache(moi_teacher *teacher, const moi_lesson *lesson)
{
    int64_t rows = view_count(lesson) * teacher->rows;
    uint64_t key = 0;
    int32_t rc = make_key(teacher, lesson, &key);

    if (!rc)
        rc = moi_cache_read(teacher->ctx, lesson->cache, key, rows,
                            teacher->outputs, &teacher->file);
    if (rc)
        return rc;
    if (teacher->file) {
        teacher->table = moi_safetensors_find(teacher->file, "outputs")->data;
        return MOPT_OK;
    }
    rc = fill_table(teacher, lesson);
    return rc ? rc : moi_cache_write(teacher->ctx, lesson->cache, key,
                                     teacher->table, rows, teacher->outputs);
}

/* ---- a file of somebody's ---- */

static int32_t check_shape(const moi_teacher *teacher, int64_t rows,
                           int64_t outputs)
{
    if (rows == teacher->rows && outputs == teacher->outputs)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL,
                    "%s: outputs [%lld][%lld] for %lld training rows and %lld "
                    "outputs of the student", teacher->path, (long long)rows,
                    (long long)outputs, (long long)teacher->rows,
                    (long long)teacher->outputs);
}

static int32_t read_tensor(moi_teacher *teacher)
{
    moi_safetensors *file = NULL;
    const moi_tensor *t = NULL;
    int32_t rc = moi_safetensors_read(teacher->ctx, teacher->path, &file);

    if (!rc) {
        t = moi_safetensors_find(file, "outputs");
        rc = t && t->rank == 2
                 ? check_shape(teacher, t->shape[0], t->shape[1])
                 : moi_fail(MOPT_EFORMAT, "%s: there is no tensor 'outputs' of "
                            "rows and outputs", teacher->path);
    }
    if (!rc && !moi_cache_is_whole(file))
        rc = moi_fail(MOPT_EFORMAT, "%s: the file is damaged: its checksum is "
                      "another", teacher->path);
    if (!rc) {
        rc = moi_tensor_floats(t, teacher->own);
        if (rc)
            moi_fail_at(rc, "%s: ", teacher->path);
    }
    moi_safetensors_free(file);
    return rc;
}

static int32_t read_array(moi_teacher *teacher)
{
    mopt_config *config = NULL;
    mopt_dataset *data = NULL;
    int64_t rows = 0, width = 0;
    int32_t rc = mopt_config_create(teacher->ctx, "data", &config);

    if (!rc)
        rc = mopt_config_set_text(config, "source", "npy");
    if (!rc)
        rc = mopt_config_set_text(config, "source.path", teacher->path);
    if (!rc)
        rc = mopt_dataset_load(teacher->ctx, config, MOPT_PART_TRAIN, &data);
    if (!rc)
        rc = mopt_dataset_shape(data, &rows, &width, NULL, NULL);
    if (!rc)
        rc = check_shape(teacher, rows, width);
    if (!rc)
        rc = mopt_dataset_read(data, 0, rows, teacher->own, NULL);
    mopt_dataset_free(data);
    mopt_config_free(config);
    return rc;
}

static int32_t read_file(moi_teacher *teacher)
{
    size_t length = strlen(teacher->path);
    int32_t array = length > 4 && !strcmp(teacher->path + length - 4, ".npy");
    int32_t rc;

    teacher->own = moi_alloc(teacher->ctx, teacher->rows * teacher->outputs,
                             sizeof *teacher->own);
    if (!teacher->own)
        return MOPT_ENOMEM;
    rc = array ? read_array(teacher) : read_tensor(teacher);
    if (!rc)
        rc = check_finite(teacher, teacher->own,
                          teacher->rows * teacher->outputs, 0);
    teacher->table = teacher->own;
    return rc;
}

/* ---- making ready ---- */

/* However large it is beside the student, tokens are heeded. */
static int64_t piece_rows(const moi_teacher *teacher, int64_t chunk)
{
    int64_t rows = moi_model_layer_rows(teacher->model);

    return rows < chunk ? rows : chunk;
}

static int32_t make_live(moi_teacher *teacher, moi_lesson *lesson)
{
    int32_t flags = MOI_PLAN_LOGITS;
    moi_real *unused;
    int32_t rc;

    if (teacher->fn) {
        teacher->x = moi_alloc(teacher->ctx, lesson->chunk * teacher->inputs,
                               sizeof *teacher->x);
        teacher->y = moi_alloc(teacher->ctx, lesson->chunk * teacher->outputs,
                               sizeof *teacher->y);
        return teacher->x && teacher->y ? MOPT_OK : MOPT_ENOMEM;
    }
    if (lesson->layer >= 0)
        flags |= MOI_PLAN_TRAIN; /* keeps every layer's output */
    teacher->piece = piece_rows(teacher, lesson->chunk);
    rc = moi_plan_create(teacher->ctx, teacher->model, teacher->piece, flags,
                         &teacher->plan);
    if (rc || lesson->layer < 0)
        return rc;
    teacher->width = moi_model_layer_width(teacher->model, lesson->layer);
    teacher->shown = moi_alloc(teacher->ctx, lesson->chunk * teacher->width,
                               sizeof *teacher->shown);
    return teacher->shown ? moi_plan_tap(teacher->plan, lesson->layer,
                                         &teacher->tap, &unused)
                          : MOPT_ENOMEM;
}

static int32_t check_model(const moi_teacher *teacher)
{
    const mopt_model *m = teacher->model;

    if (moi_model_inputs(m) == teacher->inputs &&
        moi_model_outputs(m) == teacher->outputs)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL,
                    "the teacher takes %lld inputs to %lld outputs; the data "
                    "have %lld features, the student has %lld outputs",
                    (long long)moi_model_inputs(m),
                    (long long)moi_model_outputs(m),
                    (long long)teacher->inputs, (long long)teacher->outputs);
}

int32_t moi_teacher_prepare(moi_teacher *teacher, moi_lesson *lesson)
{
    const moi_augment *augment = lesson->augment;
    int32_t endless = augment->active && augment->views == 0;
    int32_t rc;

    teacher->rows = moi_dataset_rows(lesson->data);
    teacher->inputs = moi_dataset_features(lesson->data);
    teacher->outputs = lesson->outputs;
    if (teacher->path && augment->active)
        return moi_fail(MOPT_EINVAL, "augment does not go with a file of "
                        "outputs: they belong to the rows as they are");
    if (teacher->path)
        return read_file(teacher);
    rc = teacher->model ? check_model(teacher) : MOPT_OK;
    if (rc)
        return rc;
    /* A hint shows the layer at work, so that the outputs come with it. */
    if (lesson->live || endless || (teacher->model && lesson->layer >= 0))
        return make_live(teacher, lesson);
    return lesson->cache ? fill_cache(teacher, lesson)
                         : fill_table(teacher, lesson);
}

/* ---- telling ---- */

static void look_up(const moi_teacher *teacher, const moi_sight *sight,
                    moi_real *out)
{
    int64_t n = teacher->outputs;
    const float *view = teacher->table + sight->view * teacher->rows * n;

    for (int64_t i = 0; i < sight->rows; i++)
        for (int64_t k = 0; k < n; k++)
            out[i * n + k] = (moi_real)view[sight->index[i] * n + k];
}

static int32_t ask_fn(moi_teacher *teacher, const moi_sight *sight,
                      moi_real *out)
{
    int64_t count = sight->rows * teacher->outputs;
    int32_t rc;

    for (int64_t i = 0; i < sight->rows * teacher->inputs; i++)
        teacher->x[i] = (float)sight->input[i];
    rc = call(teacher, sight->rows, sight->index, teacher->x, teacher->y);
    for (int64_t i = 0; !rc && i < count; i++)
        out[i] = (moi_real)teacher->y[i];
    return rc;
}

/* Rows of a chunk from one on, as many as the plan takes. */
static int32_t run_piece(moi_teacher *teacher, const moi_sight *sight,
                         int64_t first, const mopt_cancel *cancel,
                         moi_real *out)
{
    const moi_pass pass = {.cancel = cancel};
    int64_t left = sight->rows - first, in = teacher->inputs;
    int64_t rows = left < teacher->piece ? left : teacher->piece;
    int32_t rc;

    memcpy(moi_plan_input(teacher->plan), sight->input + first * in,
           (size_t)(rows * in) * sizeof *sight->input);
    rc = moi_plan_forward(teacher->plan, moi_model_weights(teacher->model),
                          rows, &pass);
    if (rc)
        return rc;
    memcpy(out + first * teacher->outputs, moi_plan_output(teacher->plan),
           (size_t)(rows * teacher->outputs) * sizeof *out);
    if (teacher->shown)
        memcpy(teacher->shown + first * teacher->width, teacher->tap,
               (size_t)(rows * teacher->width) * sizeof *out);
    return MOPT_OK;
}

int32_t moi_teacher_tell(moi_teacher *teacher, const moi_sight *sight,
                         const mopt_cancel *cancel, moi_real *out)
{
    int32_t rc = MOPT_OK;

    if (teacher->table) {
        look_up(teacher, sight, out);
        return MOPT_OK;
    }
    if (teacher->fn)
        return ask_fn(teacher, sight, out);
    for (int64_t at = 0; !rc && at < sight->rows; at += teacher->piece)
        rc = run_piece(teacher, sight, at, cancel, out);
    return rc;
}
