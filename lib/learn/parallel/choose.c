/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/choose.c: the mesh, and what goes with it.
 *
 * Every mesh of as many ranks is looked at, with stages balanced by seconds or
 * by weights, with all splits or those that pay, and for a pipeline with parts
 * of several sizes. The fastest that fits into memory is taken; of equals the
 * one with fewer stages, then with fewer tensor ranks. */
#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/memory.h"
#include "base/number.h"
#include "learn/nn/model.h"
#include "learn/parallel/parallel.h"
#include "learn/parallel/parts.h"

/* What was said, and what was found. */
typedef struct search {
    mopt_parallel *p;
    const mopt_model *model;
    int64_t side[3]; /* data, tensor, pipeline; 0: open */
    const char *cuts, *splits;
    int64_t parts; /* of the training */
    const mopt_cancel *cancel;
    double *weight;       /* [layers], that stages are balanced by */
    moi_choice best, least; /* fastest that fits; least memory */
    moi_choice mesh;        /* the best of the running mesh */
    int64_t *best_cuts;
    int32_t *best_split;
} search;

/* ---- one way to do it ---- */

#define BY_SECONDS 0
#define BY_WEIGHTS 1

/* Of a rank, as if stages had as many each. */
static double usual_weights(const mopt_parallel *p)
{
    double sum = 0;

    for (int64_t i = 0; i < p->layers; i++)
        sum += (double)(p->cost[i].matrix + p->cost[i].vector);
    return sum / p->tensor / p->stages;
}

/* A layer's split counts as if stages did not cut pairs of layers apart. */
static void weigh(search *s, int32_t by, int32_t all)
{
    mopt_parallel *p = s->p;
    int32_t stages = p->stages;
    int64_t parts = moi_part_together(p), rows = parts * moi_part_rows(p);

    p->stages = 1;
    p->cuts[0] = 0;
    p->cuts[1] = p->layers;
    moi_split_choose(p, s->model, all);
    p->stages = stages;
    for (int64_t i = 0; i < p->layers; i++) {
        moi_load there = moi_layer_forward(&p->cost[i], p->split[i],
                                           p->tensor, rows);
        moi_load back = moi_layer_backward(&p->cost[i], p->split[i],
                                           p->tensor, rows,
                                           moi_part_products(p, parts));

        s->weight[i] = by == BY_WEIGHTS
                           ? moi_layer_weights(&p->cost[i], p->split[i],
                                               p->tensor)
                           : moi_machine_seconds(&p->pace, there) +
                                 moi_machine_seconds(&p->pace, back);
    }
}

static int32_t set_up(search *s, int32_t by, int32_t all)
{
    mopt_parallel *p = s->p;
    int32_t rc = MOPT_OK;

    moi_machine_pace(p, usual_weights(p));
    if (*s->cuts) {
        rc = moi_cuts_read(p, s->cuts);
    } else {
        weigh(s, by, all);
        moi_cuts_balance(p, s->weight);
    }
    if (!rc && *s->splits)
        rc = moi_split_read(p, s->model, s->splits);
    else if (!rc)
        moi_split_choose(p, s->model, all);
    return rc;
}

static int32_t fits(const mopt_parallel *p, const moi_choice *choice)
{
    return p->limit == 0 || choice->memory <= p->limit;
}

/* Fits before does not fit, then what is faster or smaller. */
static int32_t better(const mopt_parallel *p, const moi_choice *a,
                      const moi_choice *b)
{
    int32_t fit = fits(p, a);

    if (b->parts == 0 || fit != fits(p, b))
        return b->parts == 0 || fit;
    return fit ? a->seconds < b->seconds : a->memory < b->memory;
}

static void note(search *s)
{
    const mopt_parallel *p = s->p;
    moi_choice found = {p->data, p->tensor, p->stages, p->parts,
                        p->estimate.seconds, p->estimate.memory};

    if (better(p, &found, &s->mesh))
        s->mesh = found;
    if (s->least.parts == 0 || found.memory < s->least.memory)
        s->least = found;
    if (!better(p, &found, &s->best))
        return;
    s->best = found;
    memcpy(s->best_cuts, p->cuts,
           (size_t)(p->stages + 1) * sizeof *p->cuts);
    memcpy(s->best_split, p->split, (size_t)p->layers * sizeof *p->split);
}

/* Who asks for tensor ranks means all layers that they can share. */
static int32_t try_parts(search *s)
{
    for (int32_t way = 0; way < 4; way++) {
        int32_t all = way % 2, rc = moi_cancel_check(s->cancel);

        if (!rc && !all && s->side[1] > 1)
            continue;
        if (!rc)
            rc = set_up(s, way / 2 ? BY_WEIGHTS : BY_SECONDS, all);
        if (rc)
            return rc;
        moi_estimate_make(s->p, &s->p->estimate);
        note(s);
    }
    return MOPT_OK;
}

/* ---- one mesh ---- */

#define FINER 4 /* times as many parts as usual, for a pipeline */

static int32_t add_choice(search *s)
{
    mopt_parallel *p = s->p;
    int64_t at = p->choice_count;
    int32_t rc = moi_grow(p->ctx, (void **)&p->choices, &p->choice_room,
                          at + 1, sizeof *p->choices);

    if (rc)
        return rc;
    for (; at > 0 && p->choices[at - 1].seconds > s->mesh.seconds; at--)
        p->choices[at] = p->choices[at - 1];
    p->choices[at] = s->mesh;
    p->choice_count++;
    return MOPT_OK;
}

static int32_t try_mesh(search *s, int32_t data, int32_t tensor,
                        int32_t stages)
{
    mopt_parallel *p = s->p;
    int64_t usual = moi_parts_choose(s->parts, p->batch, s->p->chunk,
                                     (int64_t)data * stages);
    int64_t most = stages > 1 && s->parts == 0 ? FINER * usual : usual;
    int32_t rc = MOPT_OK;

    p->data = data;
    p->tensor = tensor;
    p->stages = stages;
    s->mesh = (moi_choice){0};
    for (p->parts = usual; !rc && p->parts <= most && p->parts <= p->batch;
         p->parts *= 2)
        rc = try_parts(s);
    return rc ? rc : add_choice(s);
}

/* ---- all of them ---- */

static int32_t allows(const search *s, int32_t which, int64_t count)
{
    return s->side[which] == 0 || s->side[which] == count;
}

static int32_t fail_mesh(const search *s, int32_t ranks)
{
    return moi_fail(MOPT_EINVAL, "data, tensor, pipeline: %lld x %lld x %lld "
                    "(0: chosen) cannot be %d ranks", (long long)s->side[0],
                    (long long)s->side[1], (long long)s->side[2], (int)ranks);
}

static int32_t fail_memory(const search *s, int32_t ranks)
{
    const moi_choice *c = &s->least;
    char limit[MOI_NUMBER_SIZE], least[MOI_NUMBER_SIZE];

    return moi_fail(MOPT_EINVAL, "memory_limit: no plan for %d rank%s fits "
                    "into %s bytes; the least that one takes is %s, as %d x "
                    "%d x %d (data x tensor x pipeline)", (int)ranks,
                    ranks == 1 ? "" : "s", moi_number_text(s->p->limit, limit),
                    moi_number_text(ceil(c->memory), least), (int)c->data,
                    (int)c->tensor, (int)c->stages);
}

/* Could tensor ranks share any layer? */
static int32_t splits(search *s, int64_t tensor)
{
    mopt_parallel *p = s->p;

    p->tensor = (int32_t)tensor;
    p->stages = 1;
    p->parts = 1;
    p->cuts[0] = 0;
    p->cuts[1] = p->layers;
    moi_split_choose(p, s->model, 1);
    return tensor == 1 || moi_split_any(p);
}

static int32_t try_all(search *s, int32_t ranks)
{
    int32_t rc = MOPT_OK;

    for (int32_t stages = 1; stages <= ranks && stages <= s->p->layers;
         stages++) {
        if (ranks % stages || !allows(s, 2, stages))
            continue;
        for (int32_t tensor = 1; !rc && tensor <= ranks / stages; tensor++) {
            int32_t data = ranks / stages / tensor;

            if (ranks / stages % tensor || !allows(s, 1, tensor) ||
                !allows(s, 0, data))
                continue;
            if (s->side[1] == tensor || splits(s, tensor))
                rc = try_mesh(s, data, tensor, stages);
        }
        if (rc)
            return rc;
    }
    if (s->best.parts == 0)
        return fail_mesh(s, ranks);
    return fits(s->p, &s->best) ? MOPT_OK : fail_memory(s, ranks);
}

static int32_t check_said(search *s)
{
    int64_t stages;
    int32_t rc = moi_cuts_count(s->cuts, &stages);

    if (rc)
        return rc;
    if (s->side[2] == 0)
        s->side[2] = stages;
    if (s->side[2] > s->p->layers)
        return moi_fail(MOPT_EINVAL, "pipeline: %lld stages; the model has "
                        "%lld layers", (long long)s->side[2],
                        (long long)s->p->layers);
    if (*s->splits && (s->side[1] == 0 || s->side[2] == 0))
        return moi_fail(MOPT_EINVAL, "splits: say tensor and pipeline, too");
    if (!*s->splits && s->side[1] > 1 && !splits(s, s->side[1]))
        return moi_fail(MOPT_EINVAL, "tensor: no layers of the model can be "
                        "shared by %lld ranks", (long long)s->side[1]);
    return MOPT_OK;
}

static void keep_best(search *s)
{
    mopt_parallel *p = s->p;

    p->data = s->best.data;
    p->tensor = s->best.tensor;
    p->stages = s->best.stages;
    p->parts = s->best.parts;
    memcpy(p->cuts, s->best_cuts, (size_t)(p->stages + 1) * sizeof *p->cuts);
    memcpy(p->split, s->best_split, (size_t)p->layers * sizeof *p->split);
    moi_estimate_make(p, &p->estimate);
}

/* One rank with everything, and the batch in as few parts as can be. */
static void look_alone(search *s)
{
    mopt_parallel *p = s->p;

    p->data = p->tensor = p->stages = 1;
    p->parts = s->parts ? s->parts : (p->batch + p->chunk - 1) / p->chunk;
    p->cuts[0] = 0;
    p->cuts[1] = p->layers;
    moi_split_choose(p, s->model, 0);
    moi_estimate_make(p, &p->alone);
}

static int32_t run(search *s, int32_t ranks)
{
    int32_t rc = check_said(s);

    if (!rc)
        look_alone(s);
    if (!rc)
        rc = try_all(s, ranks);
    if (!rc)
        keep_best(s);
    return rc;
}

int32_t moi_parallel_choose(mopt_parallel *p, const mopt_model *model,
                            const mopt_config *config,
                            const mopt_config *training, int32_t ranks,
                            const mopt_cancel *cancel)
{
    search s = {
        .p = p,
        .model = model,
        .side = {moi_config_int(config, "data"),
                 moi_config_int(config, "tensor"),
                 moi_config_int(config, "pipeline")},
        .cuts = moi_config_text(config, "cuts"),
        .splits = moi_config_text(config, "splits"),
        .parts = moi_config_int(training, "parts"),
        .cancel = cancel,
    };
    int32_t rc = MOPT_ENOMEM;

    if (s.parts > p->batch)
        s.parts = p->batch;
    s.weight = moi_alloc(p->ctx, p->layers, sizeof *s.weight);
    s.best_cuts = moi_alloc(p->ctx, p->layers + 1, sizeof *s.best_cuts);
    s.best_split = moi_alloc(p->ctx, p->layers, sizeof *s.best_split);
    if (s.weight && s.best_cuts && s.best_split)
        rc = run(&s, ranks);
    moi_free(p->ctx, s.weight);
    moi_free(p->ctx, s.best_cuts);
    moi_free(p->ctx, s.best_split);
    return rc;
}
