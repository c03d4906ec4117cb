/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parallel.c: a plan of how ranks share one training. */
#include "learn/parallel/parallel.h"

#include <string.h>

#include "base/context.h"
#include "base/json.h"
#include "base/memory.h"
#include "learn/nn/model.h"
#include "learn/parallel/parts.h"

/* ---- checks ---- */

static int32_t check_config(const mopt_config *config, const char *kind)
{
    if (strcmp(moi_config_schema(config)->name, kind) != 0)
        return moi_fail(MOPT_EINVAL,
                        "mopt_parallel_create: the config is of kind '%s', "
                        "wanted is '%s'",
                        moi_config_schema(config)->name, kind);
    return moi_config_check(config);
}

static int32_t check_create(mopt_context *ctx, const mopt_model *model,
                            const mopt_config *config,
                            const mopt_config *training, int32_t ranks,
                            mopt_parallel **out)
{
    int32_t rc = MOPT_OK;

    if (!ctx || !model || !out)
        return moi_fail_null("mopt_parallel_create",
                             !ctx ? "ctx" : !model ? "model" : "out");
    if (config)
        rc = check_config(config, "parallel");
    if (!rc && training)
        rc = check_config(training, "train");
    if (rc)
        return rc;
    if (ranks < 1 || ranks > MOI_RANKS_MAX)
        return moi_fail(MOPT_EINVAL, "mopt_parallel_create: %d ranks; allowed "
                        "is 1 to %d", (int)ranks, MOI_RANKS_MAX);
    if (moi_model_layer_count(model) == 0)
        return moi_fail(MOPT_ESTATE, "mopt_parallel_create: the model has no "
                                     "layers");
    return MOPT_OK;
}

/* ---- the mesh ---- */

static int32_t fail_mesh(const int64_t side[3], int32_t ranks)
{
    return moi_fail(MOPT_EINVAL, "data, tensor, pipeline: %lld x %lld x %lld "
                    "(0: chosen) cannot be %d ranks", (long long)side[0],
                    (long long)side[1], (long long)side[2], (int)ranks);
}

/* What was not said is 1, but for the first of these, which takes the rest. */
static int32_t choose_mesh(mopt_parallel *p, const mopt_config *config,
                           int32_t ranks)
{
    int64_t side[3] = {moi_config_int(config, "data"),
                       moi_config_int(config, "tensor"),
                       moi_config_int(config, "pipeline")};
    const char *cuts = moi_config_text(config, "cuts");
    int64_t product = 1, stages, rest;
    int32_t rc = moi_cuts_count(cuts, &stages);

    if (rc)
        return rc;
    if (side[2] == 0)
        side[2] = stages;
    for (int32_t i = 0; i < 3; i++)
        product *= side[i] > 0 ? side[i] : 1;
    if (ranks % product)
        return fail_mesh(side, ranks);
    rest = ranks / product;
    if (rest > 1 && side[0] && side[1] && side[2])
        return fail_mesh(side, ranks);
    for (int32_t i = 0; i < 3; i++)
        if (side[i] == 0) {
            side[i] = rest;
            rest = 1;
        }
    p->data = (int32_t)side[0];
    p->tensor = (int32_t)side[1];
    p->stages = (int32_t)side[2];
    if (p->stages > p->layers)
        return moi_fail(MOPT_EINVAL, "pipeline: %d stages; the model has %lld "
                        "layers", (int)p->stages, (long long)p->layers);
    return MOPT_OK;
}

/* ---- life ---- */

static int32_t look_at(mopt_parallel *p, const mopt_model *model)
{
    p->layers = moi_model_layer_count(model);
    p->weights = moi_calloc(p->ctx, p->layers, sizeof *p->weights);
    p->flops = moi_calloc(p->ctx, p->layers, sizeof *p->flops);
    if (!p->weights || !p->flops)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < p->layers; i++) {
        const moi_layer *layer = moi_model_layer(model, i);

        for (int64_t k = 0; k < layer->tensors; k++)
            p->weights[i] += moi_model_param(model, layer->first + k)->count;
        if (layer->kind->flops)
            p->flops[i] = layer->kind->flops(layer);
    }
    return MOPT_OK;
}

/* A pipeline wants a part for each of its ranks at least. */
static void read_training(mopt_parallel *p, const mopt_config *training)
{
    int64_t chunk = moi_config_int(training, "chunk");

    p->batch = moi_config_int(training, "batch_size");
    p->parts = moi_parts_choose(moi_config_int(training, "parts"), p->batch,
                                chunk ? chunk : p->batch,
                                (int64_t)p->data * p->stages);
}

static int32_t plan(mopt_parallel *p, const mopt_model *model,
                    const mopt_config *config, const mopt_config *training,
                    int32_t ranks)
{
    int32_t rc = look_at(p, model);

    p->schedule = strcmp(moi_config_text(config, "schedule"), "gpipe") == 0
                      ? MOI_GPIPE
                      : MOI_ONE_F_ONE_B;
    if (!rc)
        rc = choose_mesh(p, config, ranks);
    if (!rc)
        rc = moi_cuts_choose(p, moi_config_text(config, "cuts"));
    if (!rc)
        rc = moi_split_choose(p, model, moi_config_text(config, "splits"));
    if (!rc)
        read_training(p, training);
    return rc;
}

int32_t mopt_parallel_create(mopt_context *ctx, const mopt_model *model,
                             const mopt_config *config,
                             const mopt_config *training, int32_t ranks,
                             mopt_parallel **out)
{
    mopt_config *usual = NULL, *usual_training = NULL;
    mopt_parallel *p = NULL;
    int32_t rc = check_create(ctx, model, config, training, ranks, out);

    if (!rc && !config)
        rc = moi_config_new(ctx, &moi_parallel_schema, &usual);
    if (!rc && !training)
        rc = mopt_config_create(ctx, "train", &usual_training);
    if (rc)
        goto out;
    p = moi_calloc(ctx, 1, sizeof *p);
    if (!p) {
        rc = MOPT_ENOMEM;
        goto out;
    }
    p->ctx = moi_context_hold(ctx);
    rc = plan(p, model, config ? config : usual,
              training ? training : usual_training, ranks);
    if (!rc)
        *out = p;
    else
        mopt_parallel_free(p);
out:
    mopt_config_free(usual);
    mopt_config_free(usual_training);
    return rc;
}

void mopt_parallel_free(mopt_parallel *parallel)
{
    mopt_context *ctx;

    if (!parallel)
        return;
    ctx = parallel->ctx;
    moi_free(ctx, parallel->cuts);
    moi_free(ctx, parallel->split);
    moi_free(ctx, parallel->weights);
    moi_free(ctx, parallel->flops);
    moi_free(ctx, parallel);
    moi_context_release(ctx);
}

/* ---- as JSON ---- */

static json_t *tell_stage(const mopt_parallel *p, int32_t stage)
{
    json_t *told = json_object(), *splits = json_array();
    int64_t weights = 0, flops = 0;
    int32_t rc = MOPT_OK;

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++) {
        weights += p->weights[i];
        flops += p->flops[i];
        if (json_array_append_new(splits,
                                  json_string(moi_split_name(p->split[i]))))
            rc = MOPT_ENOMEM;
    }
    rc |= moi_json_add_int(told, "first", p->cuts[stage]);
    rc |= moi_json_add_int(told, "layers",
                           p->cuts[stage + 1] - p->cuts[stage]);
    rc |= moi_json_add(told, "splits", splits);
    rc |= moi_json_add_int(told, "weights", weights);
    rc |= moi_json_add_int(told, "flops", flops);
    if (rc) {
        json_decref(told);
        return NULL;
    }
    return told;
}

int32_t mopt_parallel_json(const mopt_parallel *parallel, char *buf,
                           size_t cap, size_t *needed)
{
    const mopt_parallel *p = parallel;
    json_t *told, *stages;
    int32_t rc = MOPT_OK;

    if (!p)
        return moi_fail_null("mopt_parallel_json", "parallel");
    told = json_object();
    stages = json_array();
    rc |= moi_json_add_int(told, "ranks",
                           (int64_t)p->data * p->tensor * p->stages);
    rc |= moi_json_add_int(told, "data", p->data);
    rc |= moi_json_add_int(told, "tensor", p->tensor);
    rc |= moi_json_add_int(told, "pipeline", p->stages);
    rc |= moi_json_add_text(told, "schedule",
                            p->schedule == MOI_GPIPE ? "gpipe" : "1f1b");
    rc |= moi_json_add_int(told, "batch", p->batch);
    rc |= moi_json_add_int(told, "parts", p->parts);
    for (int32_t s = 0; s < p->stages; s++)
        if (json_array_append_new(stages, tell_stage(p, s)))
            rc |= MOPT_ENOMEM;
    rc |= moi_json_add(told, "stages", stages);
    if (rc) {
        json_decref(told);
        told = NULL;
    }
    return moi_json_finish(p->ctx, told, buf, cap, needed);
}
