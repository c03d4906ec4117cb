/* SPDX-License-Identifier: MIT
 * lib/learn/train/team.c: ranks that train one model together. */
#include "learn/train/team.h"

#include <math.h>
#include <string.h>

#include "base/cancel.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "group/commons.h"
#include "group/pairs.h"
#include "learn/parallel/cost.h"
#include "learn/parallel/parts.h"
#include "learn/train/link.h"
#include "learn/train/near.h"
#include "learn/train/trainer.h"

/* ---- do the ranks do the same? ---- */

/* What of the settings may differ between ranks: where they run. */
static const char *const own_keys[] = {"threads", "max_seconds"};

/* Takes the document over. */
static int32_t digest_json(const mopt_trainer *t, json_t *doc, uint64_t *out)
{
    char *text = doc ? moi_json_dump(t->ctx, doc) : NULL;

    json_decref(doc);
    if (!text)
        return moi_fail(MOPT_ENOMEM, "no memory for comparing");
    *out = moi_hash_text(MOI_HASH_START, text);
    moi_free(t->ctx, text);
    return MOPT_OK;
}

static int32_t digest_config(const mopt_trainer *t, uint64_t *out)
{
    json_t *all = moi_config_to_json(t->config, 1);

    for (int64_t i = 0; all && i < MOI_COUNT(own_keys); i++)
        json_object_del(all, own_keys[i]);
    return digest_json(t, all, out);
}

static uint64_t digest_version(void)
{
    int32_t version[3];

    mopt_version(&version[0], &version[1], &version[2]);
    return moi_hash(MOI_HASH_START, version, sizeof version);
}

static uint64_t digest_data(const mopt_trainer *t)
{
    uint64_t digest = moi_dataset_digest(t->train);

    return t->validation ? digest ^ moi_dataset_digest(t->validation) * 31
                         : digest;
}

/* In a mesh each draws its part of the weights, if there are none. */
static uint64_t digest_weights(const mopt_trainer *t)
{
    uint64_t hash = MOI_HASH_START;

    if (moi_model_ready(t->whole))
        hash = moi_hash_block(hash, moi_model_weights(t->whole),
                              (size_t)moi_model_size(t->whole) *
                                  sizeof(moi_real));
    if (t->annex)
        hash = moi_hash_block(hash, t->annex->weights,
                              (size_t)t->annex->size * sizeof(moi_real));
    return hash;
}

static int32_t compare(mopt_trainer *t, mopt_group *all)
{
    uint64_t config = 0, layers = 0;
    int32_t rc = digest_config(t, &config);

    if (!rc)
        rc = digest_json(t, moi_model_tree(t->whole), &layers);
    rc = moi_group_settle(all, rc);
    if (!rc)
        rc = moi_group_agree(all, "version of the library", digest_version(),
                             NULL);
    if (!rc)
        rc = moi_group_agree(all, "settings of the training", config, NULL);
    if (!rc)
        rc = moi_group_agree(all, "data", digest_data(t), NULL);
    if (!rc)
        rc = moi_group_agree(all, "layers", layers, NULL);
    return rc ? rc : moi_group_agree(all, "model", digest_weights(t), NULL);
}

/* ---- parts ---- */

/* How what travels is packed. */
static int32_t kind_of(const mopt_trainer *t)
{
    return strcmp(t->set.compression, "bf16") == 0   ? MOI_SQUEEZE_HALVES
           : strcmp(t->set.compression, "topk") == 0 ? MOI_SQUEEZE_LARGEST
                                                     : MOI_SQUEEZE_NONE;
}

static int64_t most_places(const moi_team *team)
{
    int64_t most = 0;

    for (int32_t i = 0; i < team->owners; i++) {
        int64_t count = 0;

        for (int64_t k = 0; k < team->bucket_count; k++)
            count += team->buckets[k].blocks[i + 1] -
                     team->buckets[k].blocks[i];
        most = count > most ? count : most;
    }
    return most;
}

static int32_t take_lists(mopt_trainer *t, moi_team *team)
{
    int32_t size = mopt_group_size(team->group);

    team->places = most_places(team);
    team->words = team->most + MOI_TEAM_FLAGS;
    team->said = moi_calloc(t->ctx, team->words, sizeof *team->said);
    team->heard = moi_calloc(t->ctx,
                             team->words * mopt_group_size(team->all),
                             sizeof *team->heard);
    team->sums = moi_calloc(t->ctx, team->places * ((int64_t)size + 1),
                            sizeof *team->sums);
    team->list = moi_calloc(t->ctx, team->most, sizeof *team->list);
    team->ends = moi_calloc(t->ctx, (int64_t)size + 1, sizeof *team->ends);
    team->tells = moi_calloc(t->ctx, team->most, sizeof *team->tells);
    if (!team->said || !team->heard || !team->sums || !team->list ||
        !team->tells || !team->ends)
        return MOPT_ENOMEM;
    for (int64_t p = 0; p < team->most; p++)
        team->tells[p] = (moi_tell){t, p};
    return MOPT_OK;
}

/* Workers that take steps of their own have a part each; and what is packed is
 * a part, so that there should not be more than needed. */
static int64_t choose_parts(const mopt_trainer *t, int32_t size)
{
    if (kind_of(t) && !t->set.parts)
        return moi_parts_choose(size, t->set.batch, t->set.chunk, size);
    if (!t->set.local_steps)
        return moi_parts_choose(t->set.parts, t->set.batch, t->set.chunk,
                                size);
    return t->set.local_workers ? t->set.local_workers : size;
}

static int32_t take_squeeze(const mopt_trainer *t, moi_team *team)
{
    int32_t kind = kind_of(t);

    if (!kind)
        return MOPT_OK;
    if (kind == MOI_SQUEEZE_HALVES) {
        team->before = moi_alloc(t->ctx, team->mine, sizeof *team->before);
        for (int32_t i = 0; i < 2; i++)
            team->moved[i] = moi_alloc(t->ctx, team->whole,
                                       sizeof **team->moved);
        if (!team->before || !team->moved[0] || !team->moved[1])
            return MOPT_ENOMEM;
    }
    return moi_squeeze_create(team->group, kind, t->set.topk_share, t->size,
                              team->most, &team->squeeze);
}

static int32_t take_room(mopt_trainer *t, moi_team *team)
{
    int64_t parts = choose_parts(t, mopt_group_size(team->group));
    int32_t rc;

    team->rows = (t->set.batch + parts - 1) / parts;
    team->most = (t->set.batch + team->rows - 1) / team->rows;
    if (t->set.local_steps && team->most != parts)
        return moi_fail(MOPT_EINVAL, "local_workers: a batch of %lld rows "
                        "cannot be cut into %lld shares of the same size",
                        (long long)t->set.batch, (long long)parts);
    /* Where the largest few go to all, all change all weights. */
    team->owners = kind_of(t) == MOI_SQUEEZE_LARGEST
                       ? 1 : mopt_group_size(team->group);
    team->owner = team->owners > 1 ? mopt_group_rank(team->group) : 0;
    rc = moi_buckets_make(t, team);
    if (!rc)
        rc = take_lists(t, team);
    if (!rc)
        rc = take_squeeze(t, team);
    return rc || !t->mesh ? rc : moi_meshed_make_pipeline(t, team);
}

static int32_t carry(void *user, int64_t item)
{
    mopt_trainer *t = user;

    return moi_buckets_carry(t, item, 1);
}

/* Is there a thread that sends while others work? On a fast link messages
 * keep cores busy, and such a thread takes from the one that computes. */
static int32_t overlaps(const mopt_trainer *t, const moi_team *team,
                        int32_t *yes)
{
    double bandwidth = 0;
    int32_t rc;

    *yes = mopt_group_size(team->group) > 1 && !t->mesh && !team->near &&
           !t->set.local_steps && strcmp(t->set.overlap, "never") != 0;
    if (!*yes || strcmp(t->set.overlap, "always") == 0)
        return MOPT_OK;
    rc = moi_link_measure(team->group, &bandwidth);
    *yes = bandwidth < MOI_LINK_SLOW;
    return rc;
}

/* A mesh has a place for each part, and workers of their own a model. */
static void choose_stripe(const mopt_trainer *t, moi_team *team)
{
    team->stripe = team->bunch = 1;
    if (t->mesh || t->set.local_steps)
        return;
    team->stripe = moi_parts_stripe(team->most, team->rows, t->set.chunk,
                                    &team->bunch);
    if (!moi_plan_adds(t->worker.plan, team->bunch * team->rows, team->rows))
        team->bunch = 1;
}

/* Messages of the courier's have a channel of their own. */
static int32_t open_lane(mopt_trainer *t, moi_team *team)
{
    int32_t adds = t->mesh ? moi_pipeline_adds(t->pipeline)
                           : moi_plan_adds(t->worker.plan, team->rows, 0);
    int32_t apart = 0, rc = moi_near_create(t, team, &team->near);

    if (!rc)
        rc = overlaps(t, team, &apart);
    choose_stripe(t, team);
    team->lane = team->group;
    if (!rc && apart) {
        rc = mopt_group_split(team->group, 0, mopt_group_rank(team->group),
                              &team->side);
        if (!rc)
            rc = moi_courier_create(t->ctx, carry, t, &team->courier);
        team->lane = team->side;
    }
    if (rc)
        return rc;
    return moi_reduction_create(team->lane, team->most, t->size,
                                team->squeeze ? team->whole : team->widest,
                                adds, moi_squeeze_codec(team->squeeze),
                                &team->reduction);
}

int32_t moi_team_create(mopt_trainer *t, mopt_group *group, moi_team **out)
{
    moi_team *team = moi_calloc(t->ctx, 1, sizeof *team);
    mopt_group *all = t->mesh ? t->mesh->all : group;
    int32_t rc = team ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        team->ctx = t->ctx;
    if (!rc && !group)
        rc = mopt_group_create(t->ctx, 1, 1, &team->own);
    if (!rc) {
        team->group = group ? group : team->own;
        team->all = all ? all : team->own;
        rc = take_room(t, team);
    }
    if (all)
        rc = moi_group_settle(all, rc);
    if (!rc && all)
        rc = compare(t, all);
    if (!rc) {
        rc = open_lane(t, team);
        if (rc && all) /* others may wait for this rank's messages */
            mopt_group_abort(all, rc);
    }
    if (rc)
        moi_team_free(team);
    else
        *out = team;
    return rc;
}

void moi_team_free(moi_team *team)
{
    mopt_context *ctx;

    if (!team)
        return;
    ctx = team->ctx;
    moi_courier_free(team->courier);
    moi_near_free(team->near);
    moi_reduction_free(team->reduction);
    moi_squeeze_free(team->squeeze);
    moi_free(ctx, team->before);
    moi_free(ctx, team->moved[0]);
    moi_free(ctx, team->moved[1]);
    moi_free(ctx, team->buckets);
    moi_free(ctx, team->marks);
    moi_free(ctx, team->rising);
    moi_free(ctx, team->list);
    moi_free(ctx, team->tells);
    moi_free(ctx, team->ends);
    moi_free(ctx, team->said);
    moi_free(ctx, team->heard);
    moi_free(ctx, team->sums);
    mopt_group_free(team->side);
    mopt_group_free(team->own);
    moi_free(ctx, team);
}

/* ---- a batch ---- */

void moi_team_begin(mopt_trainer *t, int64_t rows, double rate,
                    int32_t gradients)
{
    moi_team *team = t->team;

    team->batch = rows;
    team->parts = (rows + team->rows - 1) / team->rows;
    team->eager = t->set.clip_norm <= 0 && !t->rule.search && !t->annex &&
                  !t->local;
    team->nearby = team->near && gradients && team->eager && !t->term_count;
    moi_reduction_deal(team->reduction, team->parts, &team->first,
                       &team->count);
    if (gradients) {
        moi_reduction_begin(team->reduction, team->parts,
                            moi_team_stripe(t) > 1 ? team->bunch : 1);
        moi_buckets_begin(team);
    }
    memset(team->said, 0, (size_t)team->words * sizeof *team->said);
    team->rate = rate;
    team->status = MOPT_OK;
    team->sure = 0;
}

/* Extra terms see one part at a time. */
int64_t moi_team_stripe(const mopt_trainer *t)
{
    const moi_team *team = t->team;

    return t->term_count ? 1 : team->nearby ? team->most : team->stripe;
}

/* Some gradients are there: those of a part and what is one with it. */
static int32_t join(void *user, int64_t tensor, int64_t first, int64_t count)
{
    const moi_tell *tell = user;
    const mopt_trainer *t = tell->t;
    int64_t at = moi_model_param(t->model, tensor)->offset + first;

    moi_reduction_join(t->team->reduction, tell->part, at, count);
    if (tell->part == t->team->first + t->team->count - 1)
        moi_buckets_note(t->team, at, count);
    return t->team->sure ? MOPT_OK : moi_cancel_check(t->cancel);
}

int64_t moi_team_list(const moi_team *team, int64_t part, int64_t rows,
                      moi_part *out)
{
    int64_t count = 0, parts;

    for (int64_t at = 0; at < rows; at += parts * team->rows, part += parts) {
        moi_part *p = &out[count++];

        *p = (moi_part){.first = at, .on_grads = join};
        p->grads = (moi_real *)(void *)moi_reduction_place(
            team->reduction, part, &p->onto, &parts);
        p->rows = parts * team->rows < rows - at ? parts * team->rows
                                                 : rows - at;
        p->chain = parts > 1 ? team->rows : 0;
        p->user = &team->tells[part + parts - 1];
    }
    return count;
}

void moi_team_note(moi_team *team, int64_t part, double loss)
{
    team->said[part] = loss;
}

/* Rank i's column of what was heard. */
static const double *heard(const moi_team *team, int32_t i)
{
    return team->heard + i * team->words;
}

/* Losses in the order of the parts, whoever worked them out. */
static double add_losses(const moi_team *team)
{
    double sum = 0;

    for (int64_t p = 0; p < team->parts; p++)
        for (int32_t i = 0; i < mopt_group_size(team->all); i++)
            sum += heard(team, i)[p];
    return sum;
}

static int32_t fail_other(const mopt_trainer *t, int32_t rank, int32_t status)
{
    int32_t all = status == MOPT_ECANCELED || status == MOPT_EDIVERGED;

    return moi_fail(all ? status : MOPT_EPEER,
                    "rank %d ended step %lld with %s", (int)rank,
                    (long long)t->now.step + 1, mopt_status_name(status));
}

/* Some words of each rank go to all; and before them, what it wrote where
 * others see it. Where that fails, others may have heard, and go on. */
static int32_t tell(mopt_trainer *t, const double *own, int64_t words)
{
    moi_team *team = t->team;
    int32_t rc;

    moi_commons_fence();
    rc = mopt_group_all_gather(team->all, own,
                               words * (int64_t)sizeof *own, team->heard,
                               NULL);
    moi_commons_fence();
    if (rc && team->near) {
        moi_near_leave(team->near);
        t->touched = 1;
    }
    return rc;
}

int32_t moi_team_agree(mopt_trainer *t, int32_t status, double *loss)
{
    moi_team *team = t->team;
    double *own = team->said + team->most;
    int32_t rc;

    own[0] = status;
    own[1] = t->set.max_seconds > 0 &&
             moi_trainer_seconds(t) >= t->set.max_seconds;
    own[2] = moi_checkpoint_late(t);
    rc = tell(t, team->said, team->words);
    team->known = !rc;
    if (status || rc)
        return status ? status : rc;
    for (int32_t i = 0; i < mopt_group_size(team->all); i++) {
        int32_t theirs = (int32_t)heard(team, i)[team->most];

        if (theirs)
            return fail_other(t, i, theirs);
        team->late |= heard(team, i)[team->most + 1] > 0;
    }
    team->due = heard(team, 0)[team->most + 2] > 0;
    *loss = add_losses(team);
    team->known = 0;
    team->sure = 1;
    return MOPT_OK;
}

/* What has not been released has gradients that nobody works out. */
static int32_t carry_rest(mopt_trainer *t)
{
    moi_team *team = t->team;

    if (team->nearby) {
        moi_near_carry(t);
        return MOPT_OK;
    }
    if (!team->courier)
        return moi_buckets_carry(t, 0, team->bucket_count);
    moi_courier_release(team->courier, team->bucket_count);
    return moi_courier_finish(team->courier);
}

/* A line search asks how steep the whole gradient is; every rank has all
 * parameters beside the model's, which follow from it. */
static int32_t asks_all(const mopt_trainer *t)
{
    return t->rule.search || t->annex;
}

int32_t moi_team_add_up(mopt_trainer *t)
{
    moi_team *team = t->team;
    int32_t rc = carry_rest(t), status = team->status;

    if (!rc && asks_all(t))
        rc = moi_buckets_gather(team);
    if (rc || !team->eager)
        return rc;
    return moi_team_settle(t, status ? moi_fail(status, "%s", team->why)
                                     : status);
}

void moi_team_fail(moi_team *team, int32_t status)
{
    if (team->status)
        return;
    team->status = status;
    mopt_last_error(team->why, sizeof team->why, NULL);
}

void moi_team_recall(moi_team *team, int32_t status)
{
    if (!team->courier || !team->sure)
        return;
    mopt_group_abort(team->group, status);
    moi_courier_drop(team->courier);
}

moi_real *moi_team_gradient(const moi_team *team)
{
    return team->nearby ? NULL
                        : (moi_real *)(void *)moi_reduction_result(
                              team->reduction);
}

/* ---- validation ---- */

/* Operations of a row that an output is worth sending for: over 1 Gbit/s it
 * takes as long as these. */
#define JUDGE_FLOPS 2048

static int32_t shares_judging(const mopt_trainer *t)
{
    return mopt_group_size(t->team->group) > 1 &&
           moi_model_flops(t->model) / JUDGE_FLOPS >=
               moi_model_outputs(t->model);
}

/* Rows do not know of each other: their outputs are the same bits wherever they
 * are worked out, and all ranks measure all of them, in order. */
int32_t moi_team_judge(mopt_trainer *t, const moi_rows *source, int64_t first,
                       int64_t count)
{
    moi_team *team = t->team;
    int64_t outputs = moi_model_outputs(t->model), at, mine;
    int32_t size = mopt_group_size(team->group), rc;

    if (!shares_judging(t))
        return moi_runner_run(t->judge, source, first, count, NULL, t->judged,
                              t->cancel);
    for (int32_t i = 0; i <= size; i++)
        team->ends[i] = moi_pairs_deal(count, size, i) * outputs;
    at = team->ends[mopt_group_rank(team->group)] / outputs;
    mine = team->ends[mopt_group_rank(team->group) + 1] / outputs - at;
    rc = moi_runner_run(t->judge, source, first + at, mine, NULL,
                        t->judged + at * outputs, t->cancel);
    rc = moi_team_settle(t, rc);
    return rc ? rc
              : moi_group_gather_cuts(team->group,
                                      (float *)(void *)t->judged, team->ends,
                                      NULL);
}

/* ---- how calls end ---- */

static int32_t first_of(const moi_team *team, int32_t status)
{
    int32_t i = 0;

    while ((int32_t)team->heard[i] != status)
        i++;
    return i;
}

int32_t moi_team_settle(mopt_trainer *t, int32_t status)
{
    moi_team *team = t->team;
    int32_t size = mopt_group_size(team->all), found = MOPT_OK;
    double own = status;
    int32_t rc = tell(t, &own, 1);

    for (int32_t i = size - 1; i >= 0 && !rc; i--)
        if (team->heard[i] != 0)
            found = (int32_t)team->heard[i];
    team->known = !rc && found != MOPT_OK;
    if (status || rc)
        return status ? status : rc;
    return found >= 0 ? found : fail_other(t, first_of(team, found), found);
}

int32_t moi_team_vote(mopt_trainer *t, int32_t yes)
{
    moi_team *team = t->team;
    double own = yes;
    int32_t all = tell(t, &own, 1) == MOPT_OK;

    for (int32_t i = 0; i < mopt_group_size(team->all); i++)
        all = all && team->heard[i] != 0;
    return all;
}

void moi_team_part(mopt_trainer *t, int32_t status)
{
    moi_team *team = t->team;

    /* All weights are the same, and so is how they diverge. */
    if (team && !team->own && status < 0 && !team->known &&
        status != MOPT_EDIVERGED)
        mopt_group_abort(team->all, status);
    if (team)
        team->known = 0;
}
