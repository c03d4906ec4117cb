/* SPDX-License-Identifier: MIT
 * lib/learn/nn/runner.c: see runner.h. Each lane has a plan of its own. */
#include "learn/nn/runner.h"

#include "base/cancel.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/threads.h"

/* A chunk: rows that fill products, outputs that stay in the cache, but enough
 * rows for what reading the weights costs; if a layer does not take too long
 * for them. */
#define CHUNK_ROWS 512
#define CHUNK_REALS 131072
#define CHUNK_LEAST 256

/* Floating-point operations that a second thread is worth taking for: 10 us of
 * work. Few rows are cut into some chunks for such threads, each of 0.5 ms at
 * least; however many threads there are, because products of a host's may
 * depend on how many rows they have. */
#define SPREAD_FLOPS 1000000
#define SHARES 4
#define SHARE_FLOPS 50000000

typedef struct lane {
    moi_plan *plan;
    int64_t *index; /* [chunk], rows to gather */
} lane;

struct moi_runner {
    mopt_context *ctx;
    const mopt_model *model;
    int64_t chunk; /* rows */
    int64_t inputs, outputs;
    int32_t lane_count;
    lane *lanes;
};

/* One call of run. */
typedef struct job {
    moi_runner *runner;
    const moi_rows *rows;
    int64_t first, count;
    float *floats;
    moi_real *reals;
    const mopt_cancel *cancel;
} job;

static int64_t at_least_1(int64_t value)
{
    return value > 0 ? value : 1;
}

static int64_t chunk_rows(const mopt_model *model, int64_t wanted)
{
    int64_t bytes = moi_model_serving_bytes(model) -
                    moi_model_weight_count(model) * (int64_t)sizeof(float);
    int64_t reals = at_least_1(bytes / (int64_t)sizeof(float));
    int64_t flops = at_least_1(moi_model_flops(model));
    int64_t most = moi_model_layer_rows(model);
    int64_t rows = CHUNK_ROWS;
    if (rows > CHUNK_REALS / reals)
        rows = CHUNK_REALS / reals;
    if (rows < CHUNK_LEAST)
        rows = CHUNK_LEAST;
    if (rows > most)
        rows = most;
    int64_t share = (wanted / SHARES + 8) / 8 * 8;
    if (share < SHARE_FLOPS / flops)
        share = SHARE_FLOPS / flops;
    return rows < share ? rows : share;
}

static int32_t make_lane(moi_runner *r, int32_t flags, int64_t rows, lane *l)
{
    l->index = moi_alloc(r->ctx, rows, sizeof(int64_t));
    if (l->index == NULL)
        return MOPT_ENOMEM;
    return moi_plan_create(r->ctx, r->model, rows, flags, &l->plan);
}

static int64_t choose_lanes(const moi_runner *r, int64_t rows, int64_t threads)
{
    int64_t lanes = rows / r->chunk + (rows % r->chunk != 0);
    int64_t most = moi_parallel_width(r->ctx);
    if ((double)rows * (double)moi_model_flops(r->model) < SPREAD_FLOPS)
        return 1;
    if (threads > 0 && threads < most)
        most = threads;
    return lanes < most ? at_least_1(lanes) : most;
}

int32_t moi_runner_create(const mopt_model *model, int64_t rows, int32_t flags,
                          int64_t threads, moi_runner **out)
{
    mopt_context *ctx = moi_model_context(model);
    moi_runner *r = moi_calloc(ctx, 1, sizeof(*r));
    if (r == NULL)
        return MOPT_ENOMEM;
    r->ctx = ctx;
    r->model = model;
    r->chunk = chunk_rows(model, rows);
    r->inputs = moi_model_inputs(model);
    r->outputs = moi_model_outputs(model);
    int64_t lanes = choose_lanes(r, rows, threads);
    int64_t most = rows < r->chunk ? at_least_1(rows) : r->chunk;
    r->lanes = moi_calloc(ctx, lanes, sizeof(lane));
    int32_t rc = r->lanes != NULL ? MOPT_OK : MOPT_ENOMEM;
    while (rc == MOPT_OK && r->lane_count < lanes)
        rc = make_lane(r, flags, most, &r->lanes[r->lane_count++]);
    if (rc == MOPT_OK)
        *out = r;
    else
        moi_runner_free(r);
    return rc;
}

void moi_runner_free(moi_runner *r)
{
    if (r == NULL)
        return;
    for (int32_t i = 0; i < r->lane_count; i++) {
        moi_plan_free(r->lanes[i].plan);
        moi_free(r->ctx, r->lanes[i].index);
    }
    moi_free(r->ctx, r->lanes);
    moi_free(r->ctx, r);
}

static void feed(const job *j, lane *l, int64_t first, int64_t count)
{
    moi_real *x = moi_plan_input(l->plan);
    int64_t inputs = j->runner->inputs;
    if (j->rows->data == NULL) {
        const float *from = j->rows->x + first * inputs;
        for (int64_t i = 0; i < count * inputs; i++)
            x[i] = (moi_real)from[i];
        return;
    }
    for (int64_t i = 0; i < count; i++)
        l->index[i] = first + i;
    moi_dataset_gather(j->rows->data, l->index, count, x);
}

static void fetch(const job *j, lane *l, int64_t at, int64_t count)
{
    const moi_real *y = moi_plan_output(l->plan);
    int64_t outputs = j->runner->outputs;
    for (int64_t i = 0; i < count * outputs && j->floats != NULL; i++)
        j->floats[at * outputs + i] = (float)y[i];
    for (int64_t i = 0; i < count * outputs && j->reals != NULL; i++)
        j->reals[at * outputs + i] = y[i];
}

static int32_t run_chunk(void *work, int32_t number, int64_t chunk)
{
    const job *j = work;
    const moi_pass pass = {.cancel = j->cancel};
    const moi_runner *r = j->runner;
    lane *l = &r->lanes[number];
    int64_t at = chunk * r->chunk;
    int64_t count = j->count - at < r->chunk ? j->count - at : r->chunk;
    feed(j, l, j->first + at, count);
    int32_t rc = moi_plan_forward(l->plan, moi_model_weights(r->model), count,
                                  &pass);
    if (rc == MOPT_OK)
        fetch(j, l, at, count);
    return rc;
}

int32_t moi_runner_run(moi_runner *runner, const moi_rows *rows,
                       int64_t first, int64_t count, float *floats,
                       moi_real *reals, const mopt_cancel *cancel)
{
    job j = {.runner = runner,
             .rows = rows,
             .first = first,
             .count = count,
             .floats = floats,
             .reals = reals,
             .cancel = cancel};
    int64_t chunks = count / runner->chunk + (count % runner->chunk != 0);
    return moi_share(runner->ctx, runner->lane_count, chunks, run_chunk, &j);
}
