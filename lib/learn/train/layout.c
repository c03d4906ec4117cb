/* SPDX-License-Identifier: MIT
 * lib/learn/train/layout.c: whether model, data and settings go together, and
 * all the memory that training them takes. */
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "learn/train/trainer.h"

#define FUSED_FLOPS 2e9 /* of a forward pass, above which nothing is fused */
#define JUDGE_ROWS 8192 /* of validation whose outputs are held at a time, */
#define JUDGE_REALS 1048576 /* if they are not too many */

/* Operations of a step that a thread is worth taking for: some 50 us. */
#define LANE_FLOPS 4e6

/* ---- do they go together? ---- */

static int32_t check_data(const mopt_trainer *t, const mopt_dataset *data,
                          const char *which)
{
    int64_t inputs = moi_model_inputs(t->whole);

    if (!moi_dataset_ready(data))
        return moi_fail(MOPT_EINVAL,
                        "%s: columns straight from a file are no inputs; fit "
                        "and apply a transform first",
                        which);
    if (moi_dataset_rows(data) < 1)
        return moi_fail(MOPT_EINVAL, "%s: there are no rows", which);
    if (moi_dataset_features(data) != inputs)
        return moi_fail(MOPT_EINVAL, "%s: %lld features, the model takes %lld",
                        which, (long long)moi_dataset_features(data),
                        (long long)inputs);
    return MOPT_OK;
}

static int32_t check_pair(const mopt_trainer *t)
{
    int32_t rc = check_data(t, t->train, "train");
    int32_t kind = moi_dataset_kind(t->train);

    if (!rc && t->validation)
        rc = check_data(t, t->validation, "validation");
    if (rc || !t->validation)
        return rc;
    if (moi_dataset_kind(t->validation) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "validation: the rows have no targets");
    if (kind != MOPT_TARGET_NONE &&
        (moi_dataset_kind(t->validation) != kind ||
         moi_dataset_targets(t->validation) != moi_dataset_targets(t->train)))
        return moi_fail(MOPT_EINVAL,
                        "validation: its targets are not of the kind and "
                        "number of those to train on");
    return MOPT_OK;
}

/* The data that say what a target is; NULL: nothing is labelled. */
static const mopt_dataset *labelled(const mopt_trainer *t)
{
    if (moi_dataset_kind(t->train) != MOPT_TARGET_NONE)
        return t->train;
    return t->validation;
}

static int32_t make_loss(mopt_trainer *t)
{
    const mopt_dataset *data = labelled(t);
    const moi_schema *schema = moi_config_variant(t->config, "loss");
    moi_options options = {t->config, "loss."};
    int64_t outputs = moi_model_outputs(t->whole);
    const moi_loss_kind *kind;
    int32_t rc;

    t->loss_weight = moi_dataset_kind(t->train) != MOPT_TARGET_NONE;
    if (!data)
        return MOPT_OK;
    if (strcmp(schema->name, "auto") == 0) {
        kind = moi_loss_usual(moi_dataset_kind(data), outputs);
        options.config = NULL;
    } else {
        kind = moi_loss_find(schema->name);
    }
    rc = moi_loss_fits(kind, moi_dataset_kind(data), moi_dataset_targets(data),
                       outputs);
    return rc ? moi_fail_at(rc, "loss: ")
              : moi_loss_create(t->ctx, kind, &options, outputs, &t->loss);
}

/* ---- sizes ---- */

/* Forward, and back by inputs and by weights. */
static int32_t choose_lanes(const mopt_trainer *t)
{
    int32_t most = moi_parallel_width(t->ctx);
    double flops = 3 * (double)moi_model_flops(t->whole) *
                   (double)t->set.chunk;
    double lanes = t->set.threads > 0 ? (double)t->set.threads
                                      : flops / LANE_FLOPS;

    if (lanes > most)
        return most;
    return lanes < 1 ? 1 : (int32_t)lanes;
}

static void set_sizes(mopt_trainer *t)
{
    moi_settings *set = &t->set;
    double flops = (double)moi_model_flops(t->whole);

    t->rows = moi_dataset_rows(t->train);
    t->size = moi_model_size(t->model);
    if (set->batch > t->rows || t->rule.kind->flags & MOI_RULE_FULL_BATCH)
        set->batch = t->rows;
    if (!set->chunk)
        set->chunk = moi_chunk_rows(t->whole);
    if (set->chunk > set->batch)
        set->chunk = set->batch;
    t->fused = set->chunk == set->batch && set->clip_norm <= 0 &&
               !t->rule.search &&
               flops * (double)set->chunk < FUSED_FLOPS;
    t->lanes = t->mesh ? 1 : choose_lanes(t);
}

static int32_t make_schedule(mopt_trainer *t)
{
    int64_t steps = (t->rows + t->set.batch - 1) / t->set.batch;
    int64_t all;

    if (moi_multiply(t->set.epochs, steps, "steps of the training", &all))
        return MOPT_ERANGE;
    if (t->set.max_steps > 0 && t->set.max_steps < all)
        all = t->set.max_steps;
    return moi_schedule_init(&t->schedule, t->config, steps, all);
}

/* ---- memory ---- */

static int32_t take(mopt_trainer *t, void **out, int64_t count, size_t size)
{
    *out = moi_calloc(t->ctx, count, size);
    return *out ? MOPT_OK : MOPT_ENOMEM;
}

#define TAKE(t, field, count) take(t, (void **)&(field), count, sizeof *(field))

int32_t moi_trainer_logits(const mopt_trainer *t)
{
    return !t->loss || moi_loss_get_kind(t->loss)->flags & MOI_LOSS_LOGITS
               ? MOI_PLAN_LOGITS
               : 0;
}

/* Where there is a mesh, its pipeline has the plans. */
static int32_t make_worker(mopt_trainer *t, moi_worker *w, int64_t rows)
{
    int64_t outputs = moi_model_outputs(t->whole);
    int32_t rc = MOPT_OK;

    if (!t->mesh)
        rc = moi_plan_create_lanes(t->ctx, t->model, t->set.chunk,
                                   MOI_PLAN_TRAIN | moi_trainer_logits(t),
                                   t->lanes, &w->plan);
    if (!rc && !t->mesh)
        rc = TAKE(t, w->grads, t->size);
    if (!rc)
        rc = TAKE(t, w->classes, rows);
    if (!rc)
        rc = TAKE(t, w->numbers, rows * outputs);
    return rc;
}

static int32_t make_judge(mopt_trainer *t)
{
    int64_t rows = moi_dataset_rows(t->validation), most;
    int64_t outputs = moi_model_outputs(t->whole);
    int32_t rc = MOPT_OK;

    most = JUDGE_REALS / outputs;
    most = most < 1 ? 1 : most < JUDGE_ROWS ? most : JUDGE_ROWS;
    t->judge_rows = rows < most ? rows : most;
    if (!t->mesh)
        rc = moi_runner_create(t->model, t->judge_rows, moi_trainer_logits(t),
                               t->set.threads, &t->judge);
    if (!rc && (!t->mesh || moi_mesh_is_last(t->mesh)))
        rc = TAKE(t, t->judged, t->judge_rows * outputs);
    if (!rc)
        rc = TAKE(t, t->places, t->judge_rows);
    if (rc)
        return rc;
    return moi_metrics_create(
        t->ctx, t->loss, moi_dataset_kind(t->validation),
        moi_dataset_targets(t->validation), outputs, rows,
        strstr(t->set.monitor, "auc") ? MOI_METRICS_AUC : 0,
        moi_model_transform(t->whole), &t->metrics);
}

/* The longest list of norms that max_norm makes. */
static int64_t most_units(const mopt_model *model)
{
    int64_t most = 1;

    for (int64_t i = 0; i < moi_model_param_count(model); i++)
        if (moi_model_param(model, i)->shape[0] > most)
            most = moi_model_param(model, i)->shape[0];
    return most;
}

/* Blocks of each tensor; returns how many, blocks may be NULL. */
static int64_t list_blocks(const mopt_trainer *t, moi_slice *blocks)
{
    int64_t count = 0;

    for (int64_t i = 0; i < moi_model_param_count(t->model); i++) {
        int64_t size = moi_model_param(t->model, i)->count;

        for (int64_t at = 0; at < size; at += MOI_BLOCK_WEIGHTS, count++)
            if (blocks)
                blocks[count] = (moi_slice){
                    .tensor = i, .first = at,
                    .count = size - at < MOI_BLOCK_WEIGHTS
                                 ? size - at : MOI_BLOCK_WEIGHTS};
    }
    return count;
}

static int32_t make_blocks(mopt_trainer *t)
{
    int32_t rc;

    t->block_count = list_blocks(t, NULL);
    rc = TAKE(t, t->blocks, t->block_count);
    if (!rc)
        rc = TAKE(t, t->sums, t->block_count);
    if (rc)
        return rc;
    list_blocks(t, t->blocks);
    t->norms_size = most_units(t->model);
    if (t->set.max_norm > 0)
        rc = TAKE(t, t->norms, t->lanes * t->norms_size);
    if (!rc && t->augment.active)
        rc = TAKE(t, t->rooms, t->lanes * moi_model_inputs(t->whole));
    return rc;
}

static int32_t make_tensors(mopt_trainer *t)
{
    int32_t rc = TAKE(t, t->kept, t->size);

    /* Weights that move by halves leave something over. */
    t->states = t->rule.states + !strcmp(t->set.compression, "bf16");
    for (int32_t i = 0; !rc && i < t->states; i++)
        rc = TAKE(t, t->state[i], t->size);
    if (!rc && t->set.chunk < t->set.batch && !t->mesh)
        rc = TAKE(t, t->total, t->size);
    if (!rc && t->rule.search)
        rc = TAKE(t, t->origin, t->size);
    if (!rc)
        rc = TAKE(t, t->order, t->rows);
    if (!rc)
        rc = TAKE(t, t->tuning, moi_model_param_count(t->model));
    if (!rc)
        rc = TAKE(t, t->frozen, moi_model_param_count(t->model));
    if (!rc)
        rc = TAKE(t, t->spared, moi_model_param_count(t->model));
    return rc;
}

int32_t moi_trainer_lay_out(mopt_trainer *t)
{
    int64_t rows;
    int32_t rc = check_pair(t);

    if (!rc)
        rc = make_loss(t);
    if (!rc)
        rc = moi_augment_init(&t->augment, t->config, t->set.seed, t->train);
    if (rc)
        return rc;
    set_sizes(t);
    rc = make_schedule(t);
    if (!rc && t->validation)
        rc = make_judge(t);
    rows = t->judge_rows > t->set.chunk ? t->judge_rows : t->set.chunk;
    if (!rc)
        rc = make_worker(t, &t->worker, rows);
    if (!rc)
        rc = make_tensors(t);
    if (!rc)
        rc = make_blocks(t);
    return rc ? rc : moi_epoch_setup(t);
}

void moi_trainer_clear(mopt_trainer *t)
{
    mopt_context *ctx = t->ctx;

    moi_team_free(t->team);
    moi_pipeline_free(t->pipeline);
    moi_free(ctx, t->mesh_sums);
    moi_mesh_free(t->mesh);
    moi_local_free(t->local);
    moi_plan_free(t->worker.plan);
    moi_free(ctx, t->worker.grads);
    moi_free(ctx, t->worker.classes);
    moi_free(ctx, t->worker.numbers);
    moi_runner_free(t->judge);
    moi_free(ctx, t->judged);
    moi_free(ctx, t->places);
    moi_metrics_free(t->metrics);
    for (int32_t i = 0; i <= MOI_STATES; i++)
        moi_free(ctx, t->state[i]);
    moi_free(ctx, t->kept);
    moi_free(ctx, t->total);
    moi_free(ctx, t->origin);
    moi_free(ctx, t->order);
    moi_free(ctx, t->tuning);
    moi_free(ctx, t->frozen);
    moi_free(ctx, t->spared);
    moi_free(ctx, t->norms);
    moi_free(ctx, t->rooms);
    moi_free(ctx, t->blocks);
    moi_free(ctx, t->sums);
    moi_free(ctx, t->annex_kept);
    for (int32_t i = 0; i < MOI_STATES; i++)
        moi_free(ctx, t->annex_state[i]);
    moi_augment_clear(&t->augment);
    moi_free(ctx, t->history);
    moi_free(ctx, t->closing);
    moi_loss_free(t->loss);
}
