/* SPDX-License-Identifier: MIT
 * lib/learn/train/meshed.c: a trainer whose model is spread over a mesh: each
 * rank trains its part, which is a model like any other; what it has to do
 * with the others' is here. */
#include <string.h>

#include "base/cancel.h"
#include "base/memory.h"
#include "learn/parallel/pieces.h"
#include "learn/train/trainer.h"

/* ---- what does not go together ---- */

static int32_t check_shape(const mopt_parallel *plan, const mopt_group *group,
                           const mopt_model *model)
{
    int64_t layers = moi_model_layer_count(model);
    int32_t ranks = plan->data * plan->tensor * plan->stages;

    if (sizeof(moi_real) != sizeof(float))
        return moi_fail(MOPT_EUNSUPPORTED, "plans: what ranks tell each other "
                        "are numbers of 32 bits");
    if (ranks != mopt_group_size(group))
        return moi_fail(MOPT_EINVAL, "the plan is for %d ranks, the group has "
                        "%d", (int)ranks, (int)mopt_group_size(group));
    if (plan->layers != layers)
        return moi_fail(MOPT_EINVAL, "the plan is for a model of %lld layers, "
                        "this one has %lld", (long long)plan->layers,
                        (long long)layers);
    return MOPT_OK;
}

static int32_t splits_rows(const mopt_trainer *t)
{
    for (int64_t i = 0; i < t->mesh->layers; i++)
        if (t->mesh->tensor > 1 && t->mesh->split[i] == MOI_SPLIT_ROWS)
            return 1;
    return 0;
}

static int32_t check_settings(const mopt_trainer *t)
{
    if (t->rule.search)
        return moi_fail(MOPT_EUNSUPPORTED, "optimizer.line_search: no rank of "
                        "a plan knows the whole gradient");
    if (t->set.local_steps || strcmp(t->set.compression, "none"))
        return moi_fail(MOPT_EUNSUPPORTED, "%s: ranks of a plan make each step "
                        "together, and send what they have",
                        t->set.local_steps ? "local_steps" : "compression");
    if (t->set.threads > 1)
        return moi_fail(MOPT_EUNSUPPORTED, "threads: %lld; each rank of a plan "
                        "works on one", (long long)t->set.threads);
    if (t->set.max_norm > 0 && splits_rows(t))
        return moi_fail(MOPT_EUNSUPPORTED, "max_norm: no rank has all weights "
                        "that lead to a unit of a layer split by rows");
    return MOPT_OK;
}

/* ---- set up ---- */

static int32_t make_part(mopt_trainer *t)
{
    int32_t rc = check_settings(t);

    if (!rc)
        rc = moi_pieces_create(t->mesh, t->whole, t->set.seed, &t->model);
    if (!rc)
        rc = moi_trainer_set_up(t);
    t->fused = 0;
    return moi_group_settle(t->mesh->all, rc);
}

static int32_t make_sums(mopt_trainer *t)
{
    int32_t pieces = mopt_group_size(t->mesh->copy);
    double most = (double)t->block_count;
    int32_t rc = mopt_group_all_reduce_double(t->mesh->all, MOPT_MAX, &most, 1,
                                              NULL);

    if (rc)
        mopt_group_abort(t->mesh->all, rc);
    if (rc)
        return rc;
    t->mesh_blocks = (int64_t)most;
    t->mesh_sums = moi_calloc(t->ctx, t->mesh_blocks * (pieces + 1),
                              sizeof *t->mesh_sums);
    return t->mesh_sums ? MOPT_OK : MOPT_ENOMEM;
}

int32_t moi_meshed_make_pipeline(mopt_trainer *t, const moi_team *team)
{
    int64_t ranks = t->mesh->data;

    return moi_pipeline_create(t->mesh, t->model, team->rows,
                               (team->most + ranks - 1) / ranks,
                               moi_trainer_logits(t), &t->pipeline);
}

/* Collective: the ranks of the group make the same steps in the same order,
 * and each ends with all knowing how it went for all. */
static int32_t spread_out(mopt_trainer *t, const mopt_parallel *plan,
                          mopt_group *group)
{
    int32_t rc = moi_mesh_create(t->ctx, plan, group, &t->mesh);

    if (!t->set.parts)
        t->set.parts = plan->parts;
    if (!rc)
        rc = make_part(t);
    if (!rc)
        rc = moi_team_create(t, t->mesh->peers, &t->team);
    if (rc)
        return rc;
    moi_shard_fold(t);
    return moi_group_settle(group, make_sums(t));
}

static int32_t check_create(const char *function, const mopt_model *model,
                            const mopt_parallel *plan, const mopt_group *group,
                            mopt_trainer **out)
{
    int32_t rc;

    if (!plan || !out)
        return moi_fail_null(function, !plan ? "plan" : "out");
    rc = model ? check_shape(plan, group, model) : MOPT_OK;
    return rc ? moi_fail_at(rc, "%s: ", function) : rc;
}

/* The model that was given stays as it is. */
static int32_t make_whole(const char *function, const moi_trainer_of *of,
                          mopt_trainer **out)
{
    moi_trainer_of own = *of;
    mopt_model *copy = NULL;
    int32_t rc = MOPT_OK;

    if (of->model)
        rc = mopt_model_copy(of->model, &copy);
    own.model = copy;
    if (!rc)
        rc = moi_trainer_make_whole(function, &own, out);
    mopt_model_free(copy);
    return rc;
}

int32_t mopt_trainer_create_parallel(mopt_context *ctx,
                                     mopt_model *model,
                                     const mopt_dataset *train,
                                     const mopt_dataset *validation,
                                     const mopt_config *config,
                                     const mopt_parallel *plan,
                                     mopt_group *group, mopt_trainer **out)
{
    const char *function = "mopt_trainer_create_parallel";
    moi_trainer_of of = {ctx, model, train, validation, config};
    mopt_trainer *t = NULL;
    int32_t rc, whole;

    if (!group)
        return moi_fail_null(function, "group");
    rc = check_create(function, model, plan, group, out);
    whole = !rc && moi_parallel_whole(plan);
    if (!rc)
        rc = whole ? make_whole(function, &of, &t)
                   : moi_trainer_make(function, &of, &t);
    /* What one rank is refused for, the others hear of. */
    rc = moi_group_settle(group, rc);
    if (!rc)
        rc = moi_group_agree(group, "plan", moi_parallel_digest(plan), NULL);
    if (!rc)
        rc = whole ? moi_trainer_share(t, group, plan->parts)
                   : spread_out(t, plan, group);
    if (rc)
        mopt_trainer_free(t);
    else
        *out = t;
    return rc;
}

/* ---- training ---- */

int32_t moi_meshed_repeats(const mopt_trainer *t, int64_t tensor)
{
    int64_t of = moi_pieces_tensor(t->model, t->whole, tensor);

    return t->mesh->t > 0 &&
           moi_pieces_of(t->mesh, t->whole, of, t->mesh->t).shared;
}

/* ---- validation ---- */

static int32_t feed(void *user, int64_t part, int64_t rows, moi_real *x)
{
    const mopt_trainer *t = user;

    moi_dataset_gather(t->validation, t->places + part * t->team->rows, rows,
                       x);
    return MOPT_OK;
}

static int32_t keep(void *user, int64_t part, int64_t rows,
                    const moi_real *output, moi_real *grad)
{
    mopt_trainer *t = user;
    int64_t outputs = moi_model_outputs(t->model);

    (void)grad;
    memcpy(t->judged + part * t->team->rows * outputs, output,
           (size_t)(rows * outputs) * sizeof *output);
    return MOPT_OK;
}

/* Each copy of the model goes over all of the data. What fails here leaves
 * others waiting; a token does not. */
int32_t moi_meshed_predict(mopt_trainer *t, int64_t count)
{
    moi_run run = {.user = t, .rows = count, .cancel = t->cancel,
                   .feed = feed, .judge = keep};
    int32_t rc;

    run.count = (count + t->team->rows - 1) / t->team->rows;
    rc = moi_pipeline_forward(t->pipeline, &run);
    if (!rc)
        rc = moi_cancel_check(t->cancel);
    return rc && rc != MOPT_ECANCELED ? rc : moi_team_settle(t, rc);
}

int32_t moi_meshed_tell(mopt_trainer *t, double *row)
{
    const moi_mesh *m = t->mesh;

    return mopt_group_broadcast(m->copy, (m->stages - 1) * m->tensor, row,
                                t->columns * (int64_t)sizeof *row, NULL);
}

/* ---- what was learned ---- */

static int32_t check_gather(const mopt_trainer *t, const mopt_model *model)
{
    int64_t count = moi_model_param_count(t->whole);
    int32_t same = moi_model_param_count(model) == count;

    for (int64_t k = 0; same && k < count; k++) {
        const moi_param *a = moi_model_param(model, k);
        const moi_param *b = moi_model_param(t->whole, k);

        same = a->count == b->count && a->shape[0] == b->shape[0];
    }
    return same ? MOPT_OK
                : moi_fail(MOPT_EINVAL, "mopt_trainer_gather: the model has "
                           "other tensors than the trainer's");
}

/* The tensor of this rank's part that is one of the whole's; -1: none. */
static int64_t own_tensor(const mopt_trainer *t, int64_t tensor)
{
    for (int64_t k = 0; k < moi_model_param_count(t->model); k++)
        if (moi_pieces_tensor(t->model, t->whole, k) == tensor)
            return k;
    return -1;
}

/* From the rank of the first copy that has the piece, to all. */
static int32_t spread_piece(mopt_trainer *t, int64_t tensor, int32_t piece,
                            moi_real *room, mopt_model *model)
{
    const moi_mesh *m = t->mesh;
    moi_holding h = moi_pieces_of(m, t->whole, tensor, piece);
    int32_t root = h.stage * m->data * m->tensor + piece;
    int64_t count = h.row_count * h.col_count;
    int32_t rc;

    if (mopt_group_rank(m->all) == root)
        memcpy(room,
               moi_model_weights(t->model) +
                   moi_model_param(t->model, own_tensor(t, tensor))->offset,
               (size_t)count * sizeof *room);
    rc = mopt_group_broadcast(m->all, root, room,
                              count * (int64_t)sizeof *room, NULL);
    if (!rc && model)
        moi_pieces_put(&h, room,
                       moi_model_weights(model) +
                           moi_model_param(model, tensor)->offset);
    return rc;
}

static int32_t spread(mopt_trainer *t, moi_real *room, mopt_model *model)
{
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; k < moi_model_param_count(t->whole) && !rc; k++) {
        int32_t shared = moi_pieces_of(t->mesh, t->whole, k, 0).shared;

        for (int32_t i = 0; i < (shared ? 1 : t->mesh->tensor) && !rc; i++)
            rc = spread_piece(t, k, i, room, model);
    }
    return rc;
}

static int64_t largest_piece(const mopt_trainer *t)
{
    int64_t most = 1;

    for (int64_t k = 0; k < moi_model_param_count(t->whole); k++)
        for (int32_t i = 0; i < t->mesh->tensor; i++) {
            moi_holding h = moi_pieces_of(t->mesh, t->whole, k, i);

            if (h.row_count * h.col_count > most)
                most = h.row_count * h.col_count;
        }
    return most;
}

static int32_t gather_mesh(mopt_trainer *t, mopt_model *model)
{
    moi_real *room = moi_alloc(t->ctx, largest_piece(t), sizeof *room);
    int32_t rc = room ? MOPT_OK : MOPT_ENOMEM;

    if (!rc && model)
        rc = check_gather(t, model);
    if (!rc && model)
        rc = moi_model_alloc(model);
    rc = moi_group_settle(t->mesh->all, rc);
    if (!rc)
        rc = spread(t, room, model);
    moi_free(t->ctx, room);
    return rc;
}

/* Is it one of the trainers of a group? */
static int32_t has_others(const mopt_trainer *t)
{
    return t->mesh || t->local || t->team;
}

int32_t mopt_trainer_gather(mopt_trainer *trainer, mopt_model *model)
{
    mopt_trainer *t = trainer;
    int32_t rc;

    if (!t || (!model && !has_others(t)))
        return moi_fail_null("mopt_trainer_gather", !t ? "trainer" : "model");
    if (t->mesh)
        return gather_mesh(t, model);
    if (!model)
        return MOPT_OK;
    rc = check_gather(t, model);
    if (!rc)
        rc = moi_model_alloc(model);
    if (!rc && model != t->model)
        memcpy(moi_model_weights(model), moi_model_weights(t->model),
               (size_t)t->size * sizeof(moi_real));
    return rc;
}
