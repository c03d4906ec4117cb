/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parallel.c: a plan of how ranks share one training. */
#include "learn/parallel/parallel.h"

#include <string.h>

#include "base/context.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "learn/nn/model.h"
#include "learn/optim/optimizer.h"
#include "learn/parallel/parts.h"

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

/* What a trainer would do over such a link. */
static int32_t overlaps(const moi_machine *machine, const char *said)
{
    return strcmp(said, "always") == 0 ||
           (strcmp(said, "auto") == 0 && machine->bandwidth < MOI_LINK_SLOW);
}

/* Does nothing have to be known of all gradients, or done to them, first? */
static int32_t is_eager(const moi_optimizer *rule, const mopt_config *training)
{
    return !rule->search && moi_config_float(training, "clip_norm") <= 0 &&
           moi_config_int(training, "local_steps") == 0 &&
           strcmp(moi_config_text(training, "compression"), "none") == 0 &&
           strcmp(moi_config_text(training, "overlap"), "always") != 0;
}

/* What the costs follow from. */
static int32_t look_at(mopt_parallel *p, const mopt_model *model,
                       const mopt_config *config, const mopt_config *training)
{
    moi_optimizer rule;
    int32_t rc = moi_optimizer_init(&rule, training);

    if (rc)
        return rc;
    p->states = rule.states;
    p->batch = moi_config_int(training, "batch_size");
    p->chunk = moi_config_int(training, "chunk");
    if (!p->chunk)
        p->chunk = moi_chunk_rows(model);
    p->chunk = p->chunk < p->batch ? p->chunk : p->batch;
    p->limit = moi_config_float(config, "memory_limit");
    p->schedule = strcmp(moi_config_text(config, "schedule"), "gpipe") == 0
                      ? MOI_GPIPE
                      : MOI_ONE_F_ONE_B;
    moi_machine_read(&p->machine, config);
    p->overlap = overlaps(&p->machine, moi_config_text(training, "overlap"));
    p->host = (int32_t)moi_config_int(config, "host_ranks");
    p->eager = is_eager(&rule, training);
    p->layers = moi_model_layer_count(model);
    p->cuts = moi_calloc(p->ctx, p->layers + 1, sizeof *p->cuts);
    p->split = moi_calloc(p->ctx, p->layers, sizeof *p->split);
    p->cost = moi_calloc(p->ctx, p->layers, sizeof *p->cost);
    if (!p->cuts || !p->split || !p->cost)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < p->layers; i++)
        moi_layer_cost_read(&p->cost[i], model, i);
    return MOPT_OK;
}

static int32_t plan(mopt_context *ctx, const mopt_model *model,
                    const mopt_config *config, const mopt_config *training,
                    int32_t ranks, const mopt_cancel *cancel,
                    mopt_parallel **out)
{
    mopt_parallel *p = moi_calloc(ctx, 1, sizeof *p);
    int32_t rc;

    if (!p)
        return MOPT_ENOMEM;
    p->ctx = moi_context_hold(ctx);
    rc = look_at(p, model, config, training);
    if (!rc)
        rc = moi_parallel_choose(p, model, config, training, ranks, cancel);
    if (!rc)
        *out = p;
    else
        mopt_parallel_free(p);
    return rc;
}

int32_t mopt_parallel_create(mopt_context *ctx, const mopt_model *model,
                             const mopt_config *config,
                             const mopt_config *training, int32_t ranks,
                             mopt_cancel *cancel, mopt_parallel **out)
{
    mopt_config *usual = NULL, *usual_training = NULL;
    int32_t rc = check_create(ctx, model, config, training, ranks, out);

    if (!rc && !config)
        rc = moi_config_new(ctx, &moi_parallel_schema, &usual);
    if (!rc && !training)
        rc = mopt_config_create(ctx, "train", &usual_training);
    if (!rc)
        rc = plan(ctx, model, config ? config : usual,
                  training ? training : usual_training, ranks, cancel, out);
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
    moi_free(ctx, parallel->cost);
    moi_free(ctx, parallel->choices);
    moi_free(ctx, parallel);
    moi_context_release(ctx);
}

uint64_t moi_parallel_digest(const mopt_parallel *p)
{
    int64_t head[] = {p->data, p->tensor, p->stages, p->schedule, p->parts,
                      p->layers};
    uint64_t hash = moi_hash(MOI_HASH_START, head, sizeof head);

    hash = moi_hash(hash, p->cuts,
                    (size_t)(p->stages + 1) * sizeof *p->cuts);
    return moi_hash(hash, p->split, (size_t)p->layers * sizeof *p->split);
}

int32_t mopt_parallel_json(const mopt_parallel *parallel, char *buf,
                           size_t cap, size_t *needed)
{
    if (!parallel)
        return moi_fail_null("mopt_parallel_json", "parallel");
    return moi_json_finish(parallel->ctx, moi_parallel_tell(parallel), buf,
                           cap, needed);
}
