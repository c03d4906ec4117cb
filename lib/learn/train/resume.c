/* SPDX-License-Identifier: MIT
 * lib/learn/train/resume.c: go on from a checkpoint. Nothing of a file is
 * believed before all of it was looked at. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "group/group.h"
#include "learn/train/checkpoint.h"

/* What a checkpoint says, before any of it is believed. */
typedef struct found {
    moi_safetensors *file;
    moi_progress now;
    moi_plateau plateau;
    double *history;
} found;

/* ---- texts ---- */

/* The first place where two documents differ, as an error. */
static int32_t compare(const json_t *file, const json_t *here,
                       const moi_path *path)
{
    char theirs[MOI_EXCERPT_SIZE], ours[MOI_EXCERPT_SIZE];
    const char *key;
    json_t *value;
    int32_t rc = MOPT_OK;

    if (json_is_object(file) && json_is_object(here) &&
        json_object_size(file) == json_object_size(here)) {
        json_object_foreach((json_t *)here, key, value) {
            moi_path inner = {path, key, 0};

            rc = compare(json_object_get(file, key), value, &inner);
            if (rc)
                return rc;
        }
        return MOPT_OK;
    }
    if (json_equal(file, here) ||
        (json_is_number(file) && json_is_number(here) &&
         json_number_value(file) == json_number_value(here)))
        return MOPT_OK;
    return moi_fail_path(MOPT_EFORMAT, path,
                         "the checkpoint is of another training: it has %s "
                         "where this one has %s",
                         file ? moi_json_excerpt(file, theirs) : "nothing",
                         moi_json_excerpt(here, ours));
}

static int32_t read_document(const found *f, const char *name, json_t **out)
{
    const char *text = moi_safetensors_text(f->file, name);
    int32_t rc;

    if (!text)
        return moi_fail(MOPT_EFORMAT, "the file has no text '%s'", name);
    rc = moi_json_parse(text, out);
    return rc == MOPT_EFORMAT ? moi_fail_at(rc, "%s: ", name) : rc;
}

/* Does a document agree with ours, which is taken over? */
static int32_t agree(const found *f, const char *name, json_t *here)
{
    moi_path path = {NULL, name, 0};
    json_t *file = NULL;
    int32_t rc = here ? read_document(f, name, &file)
                      : moi_fail(MOPT_ENOMEM, "no memory for '%s'", name);

    if (!rc)
        rc = compare(file, here, &path);
    json_decref(file);
    json_decref(here);
    return rc;
}

static int32_t text_is(const found *f, const char *name, const char *wanted)
{
    const char *text = moi_safetensors_text(f->file, name);

    if (text && !strcmp(text, wanted))
        return MOPT_OK;
    return moi_fail(MOPT_EFORMAT, "'%s' is '%.40s', wanted is '%s'", name,
                    text ? text : "", wanted);
}

static int32_t check_identity(mopt_trainer *t, const found *f)
{
    char digest[17];
    int32_t rc = text_is(f, "format", MOI_CHECKPOINT_FORMAT);

    if (!rc)
        rc = text_is(f, "version", MOI_CHECKPOINT_VERSION);
    if (!rc)
        rc = agree(f, "model", moi_model_tree(t->whole));
    if (!rc)
        rc = agree(f, "config", moi_checkpoint_config(t));
    if (!rc)
        rc = agree(f, "extensions", moi_checkpoint_extensions(t));
    if (!rc && text_is(f, "data", moi_checkpoint_data(t, digest)))
        rc = moi_fail(MOPT_EFORMAT, "the checkpoint was made with other data");
    return rc;
}

static int32_t read_whole(const json_t *o, const char *name, int64_t most,
                          int64_t *out)
{
    const json_t *value = json_object_get(o, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > most)
        return moi_fail(MOPT_EFORMAT, "progress.%s: wanted is an integer in "
                                      "0 .. %lld",
                        name, (long long)most);
    *out = json_integer_value(value);
    return MOPT_OK;
}

/* A number; null is NaN where that is allowed. */
static int32_t read_real(const json_t *o, const char *name, int32_t may_lack,
                         double *out)
{
    const json_t *value = json_object_get(o, name);

    if (!json_is_number(value) && !(may_lack && json_is_null(value)))
        return moi_fail(MOPT_EFORMAT, "progress.%s: wanted is a number", name);
    *out = json_is_number(value) ? json_number_value(value) : NAN;
    return MOPT_OK;
}

#define MOST 1000000000000000 /* far above any count that can be reached */

static int32_t read_progress(const mopt_trainer *t, const json_t *o, found *f)
{
    moi_progress *now = &f->now;
    moi_plateau *plateau = &f->plateau;
    int64_t ended = 0;
    int32_t rc = read_whole(o, "epoch", MOST, &now->epoch);

    rc = rc ? rc : read_whole(o, "row", t->rows, &now->row);
    rc = rc ? rc : read_whole(o, "step", MOST, &now->step);
    rc = rc ? rc : read_whole(o, "best", now->epoch, &now->best);
    rc = rc ? rc : read_whole(o, "stale", MOST, &now->stale);
    rc = rc ? rc : read_whole(o, "ended", 1, &ended);
    rc = rc ? rc : read_whole(o, "waited", MOST, &plateau->stale);
    rc = rc ? rc : read_whole(o, "cooling", MOST, &plateau->cooling);
    rc = rc ? rc : read_real(o, "seconds", 0, &now->seconds);
    rc = rc ? rc : read_real(o, "loss_sum", 0, &now->loss_sum);
    rc = rc ? rc : read_real(o, "weight_sum", 0, &now->weight_sum);
    rc = rc ? rc : read_real(o, "rate", 0, &now->rate);
    rc = rc ? rc : read_real(o, "mark", 1, &now->mark);
    rc = rc ? rc : read_real(o, "plateau", 1, &plateau->best);
    rc = rc ? rc : read_real(o, "factor", 0, &plateau->factor);
    now->ended = (int32_t)ended;
    return rc;
}

static int32_t fail_history(int64_t row)
{
    return moi_fail(MOPT_EFORMAT, "history: row %lld is not an epoch's figures",
                    (long long)row);
}

static int32_t read_history(const mopt_trainer *t, const json_t *array,
                            found *f)
{
    int64_t count = (int64_t)json_array_size(array);

    if (count != f->now.epoch)
        return moi_fail(MOPT_EFORMAT, "history: %lld epochs, wanted are %lld",
                        (long long)count, (long long)f->now.epoch);
    f->history = moi_alloc(t->ctx, count * t->columns, sizeof *f->history);
    if (!f->history)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(array, (size_t)i);

        if ((int64_t)json_array_size(row) != t->columns)
            return fail_history(i);
        for (int64_t k = 0; k < t->columns; k++) {
            const json_t *value = json_array_get(row, (size_t)k);

            if (!json_is_number(value) && !json_is_null(value))
                return fail_history(i);
            f->history[i * t->columns + k] =
                json_is_number(value) ? json_number_value(value) : NAN;
        }
    }
    return MOPT_OK;
}

static int32_t read_state(const mopt_trainer *t, found *f)
{
    json_t *progress = NULL, *history = NULL;
    int32_t rc = read_document(f, "progress", &progress);

    if (!rc)
        rc = read_progress(t, progress, f);
    if (!rc)
        rc = read_document(f, "history", &history);
    if (!rc)
        rc = read_history(t, history, f);
    json_decref(progress);
    json_decref(history);
    return rc;
}

/* ---- tensors ---- */

/* Are its numbers finite? They may lie anywhere in memory. */
static int32_t is_finite(const moi_tensor *tensor)
{
    const char *bytes = tensor->data;

    for (int64_t i = 0; i < tensor->bytes; i += (int64_t)sizeof(moi_real)) {
        moi_real value;

        memcpy(&value, bytes + i, sizeof value);
        if (!isfinite(value))
            return 0;
    }
    return 1;
}

int32_t moi_checkpoint_fits(const moi_tensor *wanted, const moi_tensor *got)
{
    if (!got)
        return moi_fail(MOPT_EFORMAT, "there is no tensor '%s'", wanted->name);
    if (got->type != wanted->type || got->rank != wanted->rank ||
        memcmp(got->shape, wanted->shape,
               (size_t)wanted->rank * sizeof *wanted->shape) != 0 ||
        got->bytes != wanted->bytes)
        return moi_fail(MOPT_EFORMAT, "tensor '%s' has another type or shape",
                        wanted->name);
    return MOPT_OK;
}

static int32_t check_tensor(const moi_tensor *wanted, const moi_tensor *got)
{
    int32_t rc = moi_checkpoint_fits(wanted, got);

    if (rc)
        return rc;
    if (!is_finite(got))
        return moi_fail(MOPT_EFORMAT, "tensor '%s' has NaN or infinity in it",
                        wanted->name);
    return MOPT_OK;
}

/* Check all tensors, or with copy set, which cannot fail, take them over. */
static int32_t read_tensors(const mopt_trainer *t, const found *f,
                            int32_t copy)
{
    int64_t params = moi_checkpoint_tensors(t);
    int64_t count = moi_checkpoint_count(t) * params;

    for (int64_t i = 0; i < count; i++) {
        const moi_block to = moi_checkpoint_block(t, i / params);
        char name[MOI_CHECKPOINT_NAME];
        moi_tensor wanted;
        const moi_tensor *got;
        moi_real *data;
        int32_t rc;

        moi_checkpoint_describe(
            to.name, moi_checkpoint_at(t, &to, i % params, &data), name,
            &wanted);
        got = moi_safetensors_find(f->file, name);
        rc = copy ? MOPT_OK : check_tensor(&wanted, got);
        if (rc)
            return rc;
        if (copy && data)
            memcpy(data, got->data, (size_t)got->bytes);
    }
    return MOPT_OK;
}

/* Everything but the tensors. */
static void adopt(mopt_trainer *t, found *f)
{
    moi_trainer_begin(t);
    t->flags &= ~(MOI_TRAINER_SETTLED | MOI_TRAINER_CLOSED);
    t->now = f->now;
    t->schedule.plateau = f->plateau;
    moi_free(t->ctx, t->history);
    t->history = f->history;
    t->history_room = f->now.epoch * t->columns;
    f->history = NULL;
    t->broken = MOPT_OK;
    t->norm = 0;
    t->saved = t->now.seconds;
    t->saved_step = t->now.step;
    if (t->local)
        moi_local_restart(t->local);
    if (moi_step_gradient(t))
        memset(moi_step_gradient(t), 0, (size_t)t->size * sizeof(moi_real));
}

/* Read a file and look at all of it, without believing any of it yet. */
static int32_t look(mopt_trainer *t, const char *path, found *f)
{
    int32_t rc = t->mesh ? moi_safetensors_open(t->ctx, path, &f->file)
                         : moi_safetensors_read(t->ctx, path, &f->file);

    if (!rc)
        rc = check_identity(t, f);
    if (!rc)
        rc = read_state(t, f);
    if (!rc)
        rc = t->mesh ? moi_spread_read(t, f->file, 0) : read_tensors(t, f, 0);
    return rc;
}

/* Of where the training stands, and of all tensors that are in memory. */
static uint64_t digest_file(const moi_safetensors *file)
{
    uint64_t hash = moi_hash_text(MOI_HASH_START,
                                  moi_safetensors_text(file, "progress"));

    hash = moi_hash_text(hash, moi_safetensors_text(file, "history"));
    for (int64_t i = 0; i < moi_safetensors_count(file); i++) {
        const moi_tensor *tensor = moi_safetensors_get(file, i);

        if (tensor->data)
            hash = moi_hash_block(hash, tensor->data, (size_t)tensor->bytes);
    }
    return hash;
}

/* All ranks find the file good, and the same one, or none goes on from it. */
static int32_t settle(const mopt_trainer *t, const found *f, int32_t status)
{
    mopt_group *group = moi_trainer_group(t);
    int32_t rc = group ? moi_group_settle(group, status) : status;

    if (!rc && group)
        rc = moi_group_agree(group, "checkpoint", digest_file(f->file), NULL);
    return rc;
}

static int32_t take_over(mopt_trainer *t, found *f)
{
    adopt(t, f);
    if (!t->mesh)
        return read_tensors(t, f, 1);
    t->broken = moi_team_settle(t, moi_spread_read(t, f->file, 1));
    return t->broken;
}

/* Does an error need to be told where it is? That of a file that is read says
 * so itself; what ranks hear of each other does not. */
static int32_t lacks_place(const found *f, int32_t rc)
{
    return (rc == MOPT_EFORMAT && f->file) || rc == MOPT_EPEER ||
           rc == MOPT_EINVAL;
}

int32_t mopt_trainer_resume(mopt_trainer *trainer, const char *path)
{
    mopt_trainer *t = trainer;
    found f = {.file = NULL};
    int32_t rc;

    if (!t || !path)
        return moi_fail_null("mopt_trainer_resume", !t ? "trainer" : "path");
    if (t->flags & MOI_TRAINER_RUNNING)
        return moi_fail(MOPT_ESTATE, "the trainer is at work: a callback may "
                                     "not step, fit or resume it");
    rc = look(t, path, &f);
    if (!rc && !t->mesh)
        rc = moi_shard_unfold(t);
    rc = settle(t, &f, rc);
    if (!rc)
        rc = take_over(t, &f);
    if (!t->mesh)
        moi_shard_fold(t);
    if (lacks_place(&f, rc))
        moi_fail_at(rc, "%s: ", path);
    moi_free(t->ctx, f.history);
    moi_safetensors_free(f.file);
    return rc;
}
