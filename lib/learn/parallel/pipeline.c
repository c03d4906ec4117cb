/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/pipeline.c: parts of a batch on their way through the
 * stages.
 *
 * Sending may wait for the receiver (a group of threads does so always). Two
 * neighbours see the messages between them in the same order, but where one
 * hands a part on and waits for an older one that comes back, the other does
 * it the other way round: that is one exchange at both, and nobody waits for
 * somebody who waits for him. */
#include "learn/parallel/pipeline.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "learn/parallel/schedule.h"

#define NOBODY (-1)

struct moi_pipeline {
    mopt_context *ctx;
    const moi_mesh *mesh;
    const mopt_model *part;
    int64_t rows, most;
    moi_plan **plans; /* [places] */
    int64_t places;
    moi_pass_op *ops; /* [2 * most] */
    int32_t status;   /* MOPT_ECANCELED: something of this run was left out */
};

/* A run at one of its operations. */
typedef struct state {
    moi_pipeline *p;
    const moi_run *run;
    int64_t count;   /* of operations */
    int64_t arrived; /* the input of this one is there */
} state;

/* ---- life ---- */

static int32_t take_plans(moi_pipeline *p, int32_t flags)
{
    const moi_mesh *m = p->mesh;
    int32_t rc = MOPT_OK;
    flags = MOI_PLAN_TRAIN | (moi_mesh_is_last(m) ? flags : 0) |
            (moi_mesh_is_first(m) ? 0 : MOI_PLAN_BELOW);
    for (int64_t i = 0; i < p->places && rc == MOPT_OK; i++)
        rc = moi_plan_create(p->ctx, p->part, p->rows, flags, &p->plans[i]);
    return rc;
}

int32_t moi_pipeline_create(const moi_mesh *mesh, const mopt_model *part,
                            int64_t rows, int64_t most, int32_t flags,
                            moi_pipeline **out)
{
    moi_pipeline *p = moi_calloc(mesh->ctx, 1, sizeof(*p));
    int32_t rc = MOPT_ENOMEM;
    if (p == NULL)
        return rc;
    p->ctx = mesh->ctx;
    p->mesh = mesh;
    p->part = part;
    p->rows = rows;
    p->most = most > 0 ? most : 1;
    p->places = moi_passes_places(mesh->schedule, mesh->stages, mesh->stage,
                                  p->most);
    p->plans = moi_calloc(p->ctx, p->places, sizeof(moi_plan *));
    p->ops = moi_calloc(p->ctx, 2 * p->most, sizeof(*p->ops));
    if (p->plans != NULL && p->ops != NULL)
        rc = take_plans(p, flags);
    if (rc == MOPT_OK)
        *out = p;
    else
        moi_pipeline_free(p);
    return rc;
}

void moi_pipeline_free(moi_pipeline *p)
{
    if (p == NULL)
        return;
    for (int64_t i = 0; p->plans != NULL && i < p->places; i++)
        moi_plan_free(p->plans[i]);
    moi_free(p->ctx, p->plans);
    moi_free(p->ctx, p->ops);
    moi_free(p->ctx, p);
}

void moi_pipeline_freeze(moi_pipeline *p, const int32_t *frozen)
{
    for (int64_t i = 0; i < p->places; i++)
        moi_plan_freeze(p->plans[i], frozen);
}

int32_t moi_pipeline_adds(const moi_pipeline *p)
{
    return moi_plan_adds(p->plans[0], p->rows, 0);
}

/* ---- messages ---- */

/* What goes from one stage to the next: rows of reals. */
typedef struct parcel {
    int32_t stage; /* from, or to, whom; NOBODY */
    moi_real *data;
    int64_t bytes;
} parcel;

static moi_plan *plan_of(const state *s, int64_t n)
{
    return s->p->plans[s->p->ops[n].part % s->p->places];
}

static int64_t rows_of(const state *s, int64_t n)
{
    int64_t rows = s->p->rows;
    int64_t left = s->run->rows - (s->run->first + s->p->ops[n].part) * rows;
    return left < rows ? left : rows;
}

static parcel pack(const state *s, int64_t n, int32_t stage, int64_t width,
                   const moi_real *data)
{
    if (stage < 0 || stage == s->p->mesh->stages)
        return (parcel){.stage = NOBODY};
    return (parcel){stage, (moi_real *)data,
                    rows_of(s, n) * width * (int64_t)sizeof(moi_real)};
}

static parcel input_of(const state *s, int64_t n)
{
    int32_t stage = s->p->mesh->stage;
    if (n >= s->count)
        return (parcel){.stage = NOBODY};
    if (s->p->ops[n].back)
        return pack(s, n, stage + 1, moi_model_outputs(s->p->part),
                    moi_plan_output_grad(plan_of(s, n)));
    return pack(s, n, stage - 1, moi_model_inputs(s->p->part),
                moi_plan_input(plan_of(s, n)));
}

static parcel output_of(const state *s, int64_t n)
{
    int32_t stage = s->p->mesh->stage;
    if (s->p->ops[n].back)
        return pack(s, n, stage - 1, moi_model_inputs(s->p->part),
                    moi_plan_input_grad(plan_of(s, n)));
    return pack(s, n, stage + 1, moi_model_outputs(s->p->part),
                moi_plan_output(plan_of(s, n)));
}

static int32_t receive(const state *s, int64_t n)
{
    const moi_mesh *m = s->p->mesh;
    parcel in = input_of(s, n);
    if (in.stage == NOBODY || s->arrived == n)
        return MOPT_OK;
    return moi_group_receive(m->copy, moi_mesh_in_copy(m, in.stage), in.data,
                             in.bytes, NULL);
}

/* If who gets it is who has the input of the next operation: both at once. */
static int32_t send(state *s, int64_t n)
{
    const moi_mesh *m = s->p->mesh;
    parcel out = output_of(s, n), in = input_of(s, n + 1);
    if (out.stage == NOBODY)
        return MOPT_OK;
    int32_t to = moi_mesh_in_copy(m, out.stage);
    if (out.stage != in.stage)
        return moi_group_send(m->copy, to, out.data, out.bytes, NULL);
    s->arrived = n + 1;
    return moi_group_exchange(m->copy, to, out.data, out.bytes, to, in.data,
                              in.bytes, NULL);
}

/* ---- operations ---- */

static int32_t forward(const state *s, int64_t n, const moi_pass *pass)
{
    const moi_run *run = s->run;
    moi_plan *plan = plan_of(s, n);
    int64_t rows = rows_of(s, n);
    int32_t rc = MOPT_OK;
    if (moi_mesh_is_first(s->p->mesh))
        rc = run->feed(run->user, run->first + s->p->ops[n].part, rows,
                       moi_plan_input(plan));
    return rc == MOPT_OK ? moi_plan_forward(plan,
                                            moi_model_weights(s->p->part),
                                            rows, pass)
                         : rc;
}

static int32_t judge(const state *s, int64_t n, int32_t with_grad)
{
    const moi_run *run = s->run;
    moi_plan *plan = plan_of(s, n);
    if (!moi_mesh_is_last(s->p->mesh))
        return MOPT_OK;
    return run->judge(run->user, run->first + s->p->ops[n].part,
                      rows_of(s, n), moi_plan_output(plan),
                      with_grad ? moi_plan_output_grad(plan) : NULL);
}

static int32_t backward(const state *s, int64_t n, const moi_pass *pass)
{
    const moi_run *run = s->run;
    int64_t rows = rows_of(s, n);
    moi_part part;
    int32_t rc = judge(s, n, 1);
    if (rc != MOPT_OK)
        return rc;
    run->list(run->user, run->first + s->p->ops[n].part, rows, &part);
    return moi_plan_backward_parts(plan_of(s, n),
                                   moi_model_weights(s->p->part), rows, pass,
                                   &part, 1);
}

/* Pieces of a layer talk in the middle of it: then nothing is left out. What
 * was left out once is missing, even if the token is reset. */
static int32_t is_idle(const state *s)
{
    if (s->p->mesh->tensor == 1 && s->p->status == MOPT_OK)
        s->p->status = moi_cancel_check(s->run->cancel);
    return s->p->status != MOPT_OK;
}

static int32_t work(const state *s, int64_t n)
{
    moi_pass pass = s->run->pass;
    pass.row = (s->run->first + s->p->ops[n].part) * s->p->rows;
    if (is_idle(s))
        return MOPT_OK;
    if (s->p->ops[n].back)
        return backward(s, n, &pass);
    int32_t rc = forward(s, n, &pass);
    return rc == MOPT_OK && !pass.training ? judge(s, n, 0) : rc;
}

static int32_t go(moi_pipeline *p, const moi_run *run, int64_t count)
{
    state s = {.p = p, .run = run, .count = count, .arrived = -1};
    int32_t rc = MOPT_OK;
    for (int64_t n = 0; n < count && rc == MOPT_OK; n++) {
        rc = receive(&s, n);
        if (rc == MOPT_OK)
            rc = work(&s, n);
        if (rc == MOPT_OK)
            rc = send(&s, n);
    }
    return rc;
}

int32_t moi_pipeline_train(moi_pipeline *p, const moi_run *run)
{
    const moi_mesh *m = p->mesh;
    int32_t rc;
    moi_passes_list(m->schedule, m->stages, m->stage, run->count, p->ops);
    p->status = MOPT_OK;
    rc = go(p, run, 2 * run->count);
    return rc != MOPT_OK ? rc : p->status;
}

int32_t moi_pipeline_forward(moi_pipeline *p, const moi_run *run)
{
    int32_t rc = MOPT_OK;
    moi_run piece = *run;
    p->status = MOPT_OK;
    /* As many at a time as there is room for operations. */
    for (int64_t at = 0; at < run->count && rc == MOPT_OK; at += p->most) {
        piece.first = run->first + at;
        piece.count = run->count - at < p->most ? run->count - at : p->most;
        for (int64_t i = 0; i < piece.count; i++)
            p->ops[i] = (moi_pass_op){0, i};
        rc = go(p, &piece, piece.count);
    }
    return rc != MOPT_OK ? rc : p->status;
}
