/* SPDX-License-Identifier: MIT
 * lib/learn/train/near.c: see near.h. */
#include "learn/train/near.h"

#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "group/commons.h"
#include "learn/train/trainer.h"

#define LINE 64 /* bytes of a cache line */

struct moi_near {
    mopt_context *ctx;
    mopt_model *model;
    int32_t lodged;       /* its weights are in the commons */
    moi_plan *plan;
    moi_commons *commons; /* the plan's rows, then each rank's weights */
    int64_t rows, stride; /* bytes of the one, and of a rank's */
    moi_span *spans;      /* of this rank's weights, bucket by bucket */
    int64_t *ends;        /* [buckets + 1], where each bucket's begin */
};

/* ---- can they? ---- */

/* What the settings allow; the same at all ranks. */
static int32_t may(const mopt_trainer *t, const moi_team *team)
{
    int32_t size = mopt_group_size(team->group);
    int64_t own = (team->most + size - 1) / size * team->rows;

    return size > 1 && !t->mesh && !t->set.local_steps && !team->squeeze &&
           t->set.clip_norm <= 0 && !t->rule.search && own <= t->set.chunk &&
           strcmp(t->set.overlap, "always") != 0 &&
           moi_plan_adds(t->worker.plan, t->set.batch, team->rows);
}

/* ---- whose gradients a rank makes ---- */

/* Neighbours of one layer are one; units that hold weights of two ranks are
 * made by both. */
static void add_span(moi_near *near, int64_t bucket, const moi_span *s)
{
    int64_t *end = &near->ends[bucket + 1], limit = s->first + s->count;
    moi_span *last =
        *end > near->ends[bucket] ? &near->spans[*end - 1] : NULL;

    if (!last || last->work != s->work || s->first > last->first + last->count)
        near->spans[(*end)++] = *s;
    else if (limit > last->first + last->count)
        last->count = limit - last->first;
}

static void list_spans(const mopt_trainer *t, const moi_team *team,
                       moi_near *near)
{
    for (int64_t k = 0; k < team->bucket_count; k++) {
        const int64_t *blocks = team->buckets[k].blocks + team->owner;

        near->ends[k + 1] = near->ends[k];
        for (int64_t j = blocks[0]; j < blocks[1]; j++) {
            const moi_slice *slice = &t->blocks[j];
            moi_span s = moi_plan_span(near->plan, slice->tensor, slice->first,
                                       slice->count);

            add_span(near, k, &s);
        }
    }
}

/* ---- life ---- */

static int32_t take_room(const mopt_trainer *t, const moi_team *team,
                         moi_near *near)
{
    near->ends = moi_calloc(t->ctx, team->bucket_count + 1,
                            sizeof *near->ends);
    near->spans = moi_calloc(t->ctx, team->places, sizeof *near->spans);
    if (!near->ends || !near->spans)
        return MOPT_ENOMEM;
    return moi_plan_create_lanes(
        t->ctx, t->model, team->most * team->rows,
        MOI_PLAN_TRAIN | MOI_PLAN_APART | MOI_PLAN_LENT |
            moi_trainer_logits(t),
        t->lanes, &near->plan);
}

/* A size that is too large is one that nobody has. */
static int64_t count_bytes(const mopt_trainer *t, const moi_team *team,
                           moi_near *near)
{
    int32_t size = mopt_group_size(team->group);
    int64_t weights, all;

    near->rows = (moi_plan_rows_bytes(near->plan) + LINE - 1) / LINE * LINE;
    near->stride = (t->size * (int64_t)sizeof(moi_real) + LINE - 1) / LINE *
                   LINE;
    if (__builtin_mul_overflow(near->stride, size, &weights) ||
        __builtin_add_overflow(near->rows, weights, &all))
        return INT64_MAX;
    return all;
}

static moi_real *weights_of(const moi_near *near, int32_t rank)
{
    char *block = moi_commons_block(near->commons, 0);

    return (moi_real *)(void *)(block + near->rows + rank * near->stride);
}

/* *yes: all are where the others can write. */
static int32_t move_in(const mopt_trainer *t, const moi_team *team,
                       moi_near *near, int32_t *yes)
{
    int32_t size = mopt_group_size(team->group), rc;
    double lodged;

    near->lodged = moi_model_lodge(
        t->model, weights_of(near, mopt_group_rank(team->group)));
    lodged = near->lodged;
    rc = mopt_group_all_gather(team->group, &lodged, sizeof lodged,
                               team->heard, NULL);
    for (int32_t i = 0; i < size && !rc; i++)
        *yes = *yes && team->heard[i] > 0;
    return rc;
}

static int32_t set_up(const mopt_trainer *t, const moi_team *team,
                      moi_near *near, int32_t *yes)
{
    int32_t rc = moi_group_settle(team->group, take_room(t, team, near));

    if (!rc)
        rc = moi_commons_create_one(team->group, count_bytes(t, team, near),
                                    &near->commons);
    *yes = !rc && near->commons;
    if (!*yes)
        return rc;
    moi_plan_lend(near->plan, moi_commons_block(near->commons, 0));
    list_spans(t, team, near);
    return move_in(t, team, near, yes);
}

int32_t moi_near_create(const mopt_trainer *t, const moi_team *team,
                        moi_near **out)
{
    moi_near *near;
    int32_t rc, yes = 0;

    *out = NULL;
    if (!may(t, team))
        return MOPT_OK;
    near = moi_calloc(t->ctx, 1, sizeof *near);
    if (!near)
        return moi_group_settle(team->group, MOPT_ENOMEM);
    near->ctx = t->ctx;
    near->model = t->model;
    rc = set_up(t, team, near, &yes);
    if (yes && !rc)
        *out = near;
    else
        moi_near_free(near);
    return rc;
}

void moi_near_free(moi_near *near)
{
    if (!near)
        return;
    moi_near_leave(near);
    moi_plan_free(near->plan);
    moi_commons_free(near->commons);
    moi_free(near->ctx, near->spans);
    moi_free(near->ctx, near->ends);
    moi_free(near->ctx, near);
}

void moi_near_leave(moi_near *near)
{
    if (near->lodged)
        moi_model_come_home(near->model);
    near->lodged = 0;
}

moi_plan *moi_near_plan(const moi_near *near)
{
    return near->plan;
}

/* ---- a step ---- */

/* Spans that several threads work on, each cut for them. */
typedef struct job {
    const moi_near *near;
    const moi_span *spans;
    int32_t lanes;
    moi_part part;
} job;

static int32_t work(void *user, int32_t lane, int64_t piece)
{
    const job *j = user;
    const moi_span *s = &j->spans[piece / j->lanes];
    int64_t k = piece % j->lanes;
    int64_t first = moi_plan_cut(s->count, j->lanes, k);
    int64_t limit = moi_plan_cut(s->count, j->lanes, k + 1);
    moi_span own = {s->work, s->first + first, limit - first};

    return own.count > 0 ? moi_plan_span_gradients(j->near->plan, lane, &own,
                                                   &j->part)
                         : MOPT_OK;
}

/* Of this rank's weights of a bucket. */
static int32_t make_gradients(const mopt_trainer *t, int64_t bucket)
{
    const moi_team *team = t->team;
    const moi_near *near = team->near;
    int64_t count = near->ends[bucket + 1] - near->ends[bucket];
    job j = {
        .near = near, .spans = near->spans + near->ends[bucket],
        .lanes = moi_step_lanes(t),
        .part = {.rows = team->batch, .grads = moi_step_gradient(t),
                 .chain = team->parts > 1 ? team->rows : 0},
    };

    return moi_share(t->ctx, j.lanes, count * j.lanes, work, &j);
}

static void write_to_others(const mopt_trainer *t, int64_t bucket)
{
    const moi_team *team = t->team;
    const int64_t *cuts = team->buckets[bucket].cuts + team->owner;
    const moi_real *own = moi_model_weights(t->model) + cuts[0];

    for (int32_t i = 0; i < team->owners; i++)
        if (i != team->owner)
            memcpy(weights_of(team->near, i) + cuts[0], own,
                   (size_t)(cuts[1] - cuts[0]) * sizeof *own);
}

/* Gradients, weights: each is in the cache when the next one wants it. */
void moi_near_carry(mopt_trainer *t)
{
    moi_team *team = t->team;

    for (int64_t k = 0; k < team->bucket_count; k++) {
        const int64_t *blocks = team->buckets[k].blocks + team->owner;
        int32_t rc = make_gradients(t, k);

        if (!rc)
            rc = moi_update_blocks(t, blocks[0], blocks[1], team->rate, 1);
        if (rc)
            moi_team_fail(team, rc);
        write_to_others(t, k);
    }
}
