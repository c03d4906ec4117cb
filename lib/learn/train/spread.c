/* SPDX-License-Identifier: MIT
 * lib/learn/train/spread.c: one file that all ranks of a mesh write, and read.
 *
 * The file is the same as one rank's. The first rank writes what it says of
 * itself; then each rank goes to the places of its pieces. Of ranks with the
 * same piece each writes what it changes (shard.c), so that nobody needs more
 * than it has. It gets its name when all are done. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "learn/optim/clip.h"
#include "learn/parallel/pieces.h"
#include "learn/train/checkpoint.h"

#define NAME 4096  /* bytes of the file's name while it is written */
#define ROOM 16384 /* reals that are looked at, or turned, at a time */

/* A file at work. */
typedef struct sheet {
    mopt_trainer *t;
    moi_writer *writer;    /* one of the two */
    moi_safetensors *file;
    int64_t *places;       /* of tensors in the file, a block of them after the
                              other */
    int64_t place;         /* of the tensor at hand */
    moi_real *room;        /* [ROOM] */
    char name[NAME];       /* of the file while it is written */
    int32_t take;          /* of reading: not only look */
} sheet;

typedef int32_t (*run_fn)(const sheet *s, int64_t at, moi_real *data,
                          int64_t count);

/* ---- runs of reals ---- */

static int64_t byte_of(const sheet *s, int64_t at)
{
    return s->place + at * (int64_t)sizeof(moi_real);
}

static int32_t write_run(const sheet *s, int64_t at, moi_real *data,
                         int64_t count)
{
    int32_t rc = moi_writer_seek(s->writer, byte_of(s, at));

    return rc ? rc : moi_writer_write(s->writer, data,
                                      count * (int64_t)sizeof *data);
}

static int32_t look_at(const sheet *s, int64_t at, int64_t count)
{
    int32_t rc = moi_safetensors_fetch(s->file, byte_of(s, at),
                                       count * (int64_t)sizeof *s->room,
                                       s->room);

    if (!rc && moi_spoilt(count, s->room))
        rc = moi_fail(MOPT_EFORMAT, "a tensor has NaN or infinity in it");
    return rc;
}

static int32_t read_run(const sheet *s, int64_t at, moi_real *data,
                        int64_t count)
{
    int32_t rc = MOPT_OK;

    if (s->take)
        return moi_safetensors_fetch(s->file, byte_of(s, at),
                                     count * (int64_t)sizeof *data, data);
    for (int64_t i = 0; !rc && i < count; i += ROOM)
        rc = look_at(s, at + i, count - i < ROOM ? count - i : ROOM);
    return rc;
}

/* Reals from .. limit-1 of a piece, which begins at data: in the file a row of
 * it is a run, or all of it, if rows are whole. */
static int32_t walk_piece(const sheet *s, const moi_holding *h, moi_real *data,
                          int64_t from, int64_t limit, run_fn run)
{
    int32_t rc = MOPT_OK;

    while (!rc && from < limit) {
        int64_t row = from / h->col_count, col = from % h->col_count;
        int64_t count = h->col_count == h->cols ? limit - from
                                                : h->col_count - col;

        if (count > limit - from)
            count = limit - from;
        rc = run(s, (h->row + row) * h->cols + h->col + col, data + from,
                 count);
        from += count;
    }
    return rc;
}

/* Reals from .. limit-1 of a block; data is where its first one would be. */
static int32_t walk(sheet *s, const int64_t *places, moi_real *data,
                    int64_t from, int64_t limit, run_fn run)
{
    const mopt_trainer *t = s->t;
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; !rc && k < moi_model_param_count(t->model); k++) {
        const moi_param *p = moi_model_param(t->model, k);
        int64_t a = from - p->offset, b = limit - p->offset;
        int64_t of = moi_pieces_tensor(t->model, t->whole, k);
        moi_holding h = moi_pieces_of(t->mesh, t->whole, of, t->mesh->t);

        a = a < 0 ? 0 : a;
        b = b > p->count ? p->count : b;
        if (a >= b || (s->writer && h.shared && t->mesh->t > 0))
            continue;
        s->place = places[of];
        rc = walk_piece(s, &h, data + p->offset, a, b, run);
    }
    return rc;
}

/* The stretches of a block that this rank changes; folded: the array has
 * nothing else. */
static int32_t walk_own(sheet *s, const int64_t *places, moi_real *data,
                        int32_t folded, run_fn run)
{
    const moi_team *team = s->t->team;
    int32_t rank = mopt_group_rank(team->group), rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < team->bucket_count; i++) {
        const moi_bucket *b = &team->buckets[i];
        int64_t shift = folded ? b->cuts[rank] - b->state : 0;

        rc = walk(s, places, data - shift, b->cuts[rank], b->cuts[rank + 1],
                  run);
    }
    return rc;
}

/* ---- writing ---- */

static int32_t note_name(sheet *s)
{
    const char *name = moi_writer_name(s->writer);

    if (strlen(name) >= NAME)
        return moi_fail(MOPT_EINVAL, "the file's name is too long");
    memcpy(s->name, name, strlen(name) + 1);
    return MOPT_OK;
}

static int32_t is_first(const mopt_trainer *t)
{
    return mopt_group_rank(t->mesh->all) == 0;
}

/* The first rank has begun the file, or failed to: the others hear of it. */
static int32_t tell(sheet *s, int64_t count, int32_t rc)
{
    mopt_group *all = s->t->mesh->all;

    if (!rc && is_first(s->t))
        rc = note_name(s);
    rc = moi_team_settle(s->t, rc);
    if (!rc)
        rc = mopt_group_broadcast(all, 0, s->places,
                                  count * (int64_t)sizeof *s->places, NULL);
    return rc ? rc : mopt_group_broadcast(all, 0, s->name, NAME, NULL);
}

/* This rank's bytes are there, or it failed; then the file gets its name. */
static int32_t conclude(sheet *s, int32_t rc)
{
    if (!rc)
        rc = moi_writer_sync(s->writer);
    rc = moi_team_settle(s->t, rc);
    if (rc)
        return rc;
    return moi_team_settle(s->t, is_first(s->t) ? moi_writer_commit(s->writer)
                                                : MOPT_OK);
}

/* This rank's pieces into the file that the first one has begun. */
static int32_t write_pieces(sheet *s, int32_t (*pieces)(sheet *))
{
    int32_t rc = is_first(s->t) ? MOPT_OK
                                : moi_writer_join(s->t->ctx, s->name,
                                                  &s->writer);

    return rc ? rc : pieces(s);
}

static int32_t take_places(sheet *s, int64_t count)
{
    s->places = moi_calloc(s->t->ctx, count, sizeof *s->places);
    s->room = moi_alloc(s->t->ctx, ROOM, sizeof *s->room);
    return s->places && s->room ? MOPT_OK : MOPT_ENOMEM;
}

static void clear(sheet *s)
{
    moi_writer_close(s->writer);
    moi_free(s->t->ctx, s->places);
    moi_free(s->t->ctx, s->room);
}

/* ---- checkpoints ---- */

static int64_t count_of(const mopt_trainer *t)
{
    return (2 + t->rule.states) * moi_model_param_count(t->whole);
}

/* All tensors of the file, as they are in the whole. */
static void describe(const mopt_trainer *t, moi_tensor *tensors, char *names)
{
    int64_t params = moi_model_param_count(t->whole), count = count_of(t);

    for (int64_t i = 0; i < count; i++) {
        moi_block block = moi_checkpoint_block(t, i / params);

        moi_checkpoint_describe(block.name,
                                moi_model_param(t->whole, i % params),
                                names + i * MOI_CHECKPOINT_NAME, &tensors[i]);
    }
}

static int32_t begin(sheet *s, const char *path)
{
    mopt_trainer *t = s->t;
    int64_t count = count_of(t);
    moi_tensor *tensors = moi_alloc(t->ctx, count, sizeof *tensors);
    char *names = moi_alloc(t->ctx, count, MOI_CHECKPOINT_NAME);
    json_t *texts = json_object();
    int32_t rc = tensors && names && texts ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        rc = moi_checkpoint_texts(t, texts);
    if (!rc) {
        describe(t, tensors, names);
        rc = moi_safetensors_begin(t->ctx, path, texts, tensors, count,
                                   &s->writer, s->places);
    }
    json_decref(texts);
    moi_free(t->ctx, tensors);
    moi_free(t->ctx, names);
    return rc;
}

/* Write what this rank changes of all blocks, or read what it has of them. */
static int32_t walk_blocks(sheet *s)
{
    const mopt_trainer *t = s->t;
    int64_t params = moi_model_param_count(t->whole);
    int64_t count = moi_checkpoint_count(t);
    run_fn run = s->writer ? write_run : read_run;
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < count; i++) {
        const int64_t *places = s->places + i * params;
        moi_real *data = moi_checkpoint_block(t, i).data;
        int32_t folded = i >= 2 && t->team->folded;

        rc = s->writer || folded ? walk_own(s, places, data, folded, run)
                                 : walk(s, places, data, 0, t->size, run);
    }
    return rc;
}

int32_t moi_spread_save(mopt_trainer *t, const char *path)
{
    sheet s = {.t = t};
    int32_t rc = take_places(&s, count_of(t));

    if (!rc && is_first(t))
        rc = begin(&s, path);
    rc = tell(&s, count_of(t), rc);
    if (!rc)
        rc = conclude(&s, write_pieces(&s, walk_blocks));
    clear(&s);
    return rc;
}

/* ---- reading ---- */

static int32_t find_places(sheet *s)
{
    const mopt_trainer *t = s->t;
    int64_t count = count_of(t);
    int64_t params = moi_model_param_count(t->whole);
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < count; i++) {
        moi_block block = moi_checkpoint_block(t, i / params);
        char name[MOI_CHECKPOINT_NAME];
        moi_tensor wanted;
        const moi_tensor *got;

        moi_checkpoint_describe(block.name,
                                moi_model_param(t->whole, i % params), name,
                                &wanted);
        got = moi_safetensors_find(s->file, name);
        rc = moi_checkpoint_fits(&wanted, got);
        if (!rc)
            s->places[i] = got->place;
    }
    return rc;
}

int32_t moi_spread_read(mopt_trainer *t, moi_safetensors *file, int32_t take)
{
    sheet s = {.t = t, .file = file, .take = take};
    int32_t rc = take_places(&s, count_of(t));

    if (!rc)
        rc = find_places(&s);
    if (!rc)
        rc = walk_blocks(&s);
    clear(&s);
    return rc;
}

/* ---- the model alone ---- */

/* A piece of a matrix that is turned in the file: a column is a run. */
static int32_t turn_piece(const sheet *s, const moi_holding *h, moi_real *data)
{
    int32_t rc = MOPT_OK;

    for (int64_t c = 0; !rc && c < h->col_count; c++)
        for (int64_t r = 0; !rc && r < h->row_count; r += ROOM) {
            int64_t n = h->row_count - r < ROOM ? h->row_count - r : ROOM;

            for (int64_t i = 0; i < n; i++)
                s->room[i] = data[(r + i) * h->col_count + c];
            rc = write_run(s, (h->col + c) * h->rows + h->row + r, s->room, n);
        }
    return rc;
}

/* The first copy writes. */
static int32_t write_model(sheet *s)
{
    const mopt_trainer *t = s->t;
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; !rc && k < moi_model_param_count(t->model); k++) {
        const moi_param *p = moi_model_param(t->model, k);
        int64_t of = moi_pieces_tensor(t->model, t->whole, k);
        moi_holding h = moi_pieces_of(t->mesh, t->whole, of, t->mesh->t);
        moi_real *data = moi_model_weights(t->model) + p->offset;

        if (t->mesh->d > 0 || (h.shared && t->mesh->t > 0))
            continue;
        s->place = s->places[of];
        rc = p->flags & MOI_PARAM_TRANSPOSED
                 ? turn_piece(s, &h, data)
                 : walk_piece(s, &h, data, 0, p->count, write_run);
    }
    return rc;
}

static int32_t begin_model(sheet *s, const char *path)
{
    mopt_trainer *t = s->t;
    int64_t count = moi_model_param_count(t->whole);
    moi_tensor *tensors = moi_alloc(t->ctx, count, sizeof *tensors);
    json_t *texts = moi_model_metadata(t->whole);
    int32_t rc = tensors && texts ? MOPT_OK : MOPT_ENOMEM;

    for (int64_t k = 0; !rc && k < count; k++)
        moi_model_tensor(t->whole, k, &tensors[k]);
    if (!rc)
        rc = moi_safetensors_begin(t->ctx, path, texts, tensors, count,
                                   &s->writer, s->places);
    json_decref(texts);
    moi_free(t->ctx, tensors);
    return rc;
}

/* A model that diverged must not take the place of a good one. */
static int32_t check_finite(const mopt_trainer *t)
{
    return moi_spoilt(t->size, moi_model_weights(t->model))
               ? moi_fail(MOPT_EDIVERGED, "mopt_trainer_export: some weights "
                          "are not finite: nothing is written")
               : MOPT_OK;
}

static int32_t export_mesh(mopt_trainer *t, const char *path)
{
    sheet s = {.t = t};
    int64_t count = moi_model_param_count(t->whole);
    int32_t rc = take_places(&s, count);

    if (!rc)
        rc = check_finite(t);
    if (!rc && is_first(t))
        rc = begin_model(&s, path);
    rc = tell(&s, count, rc);
    if (!rc)
        rc = conclude(&s, write_pieces(&s, write_model));
    clear(&s);
    return rc;
}

/* Each rank has the same model; ranks that do not wait for each other hear
 * nothing of each other. */
static int32_t export_whole(mopt_trainer *t, const char *path)
{
    mopt_group *group = moi_trainer_group(t);
    int32_t first = !group || mopt_group_rank(group) == 0;
    int32_t rc = first ? mopt_model_save(t->model, path) : MOPT_OK;

    return t->team ? moi_team_settle(t, rc) : rc;
}

int32_t mopt_trainer_export(mopt_trainer *trainer, const char *path)
{
    mopt_trainer *t = trainer;

    if (!t || !path)
        return moi_fail_null("mopt_trainer_export", !t ? "trainer" : "path");
    return t->mesh ? export_mesh(t, path) : export_whole(t, path);
}
