/* SPDX-License-Identifier: MIT
 * lib/learn/train/checkpoint.c: a training as one safetensors file.
 *
 * Tensors: "weights/<name>", "kept/<name>" and "<state>/<name>" for each state
 * of the rule, as they lie in memory (a dense layer's weights are
 * [inputs][units]). Texts: what the training is ("model", "data", "config",
 * "extensions": all must agree on the way back) and where it stands
 * ("progress", "history"). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "learn/train/checkpoint.h"

#define NAME_SIZE MOI_CHECKPOINT_NAME

/* Settings that a resumed training may change. */
static const char *const free_keys[] = {
    "epochs",     "max_steps",        "max_seconds",        "tolerance",
    "checkpoint", "checkpoint_every", "checkpoint_seconds", "early_stopping",
    "threads",
};

/* ---- what the training is ---- */

json_t *moi_checkpoint_config(const mopt_trainer *t)
{
    json_t *config = moi_config_to_json(t->config, 1);

    for (int64_t i = 0; config && i < MOI_COUNT(free_keys); i++)
        json_object_del(config, free_keys[i]);
    return config;
}

static json_t *group_json(const moi_group *group)
{
    json_t *object = json_object();
    int32_t rc = object ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        rc = moi_json_add_text(object, "pattern", group->pattern);
    if (!rc)
        rc = moi_json_add(object, "config",
                          moi_config_to_json(group->config, 0));
    if (!rc)
        return object;
    json_decref(object);
    return NULL;
}

/* What is hung onto the trainer from inside the library, where there is
 * anything: name and value of each. */
static int32_t add_hangings(const mopt_trainer *t, json_t *object)
{
    int64_t count = moi_model_param_count(t->model);
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < t->tap_count; i++)
        rc = moi_json_add_int(object, i ? "tap1" : "tap0", t->tap_layers[i]);
    if (!rc && t->loss_from > 0)
        rc = moi_json_add_int(object, "loss_from", t->loss_from);
    for (int64_t i = 0; !rc && i < count; i++) {
        const moi_param *p = moi_model_param(t->model, i);
        char name[NAME_SIZE];

        snprintf(name, sizeof name, "thaw %s", p->name);
        if (t->tuning[i].thaw > 0)
            rc = moi_json_add_int(object, name, t->tuning[i].thaw);
        snprintf(name, sizeof name, "anchor %s", p->name);
        if (!rc && t->tuning[i].anchor > 0)
            rc = moi_json_add_number(object, name, t->tuning[i].anchor);
    }
    for (int64_t i = 0; !rc && t->annex && i < t->annex->count; i++)
        rc = moi_json_add_int(object, t->annex->params[i].name,
                              t->annex->params[i].count);
    return rc;
}

static int32_t add_extensions(const mopt_trainer *t, json_t *object)
{
    json_t *groups = json_array(), *terms = json_array();
    int32_t rc = moi_json_add(object, "groups", groups);

    if (moi_json_add(object, "terms", terms) || rc)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < t->group_count; i++)
        if (json_array_append_new(groups, group_json(&t->groups[i])))
            return MOPT_ENOMEM;
    for (int64_t i = 0; i < t->term_count; i++)
        if (json_array_append_new(terms, json_real(t->terms[i].weight)))
            return MOPT_ENOMEM;
    if (add_hangings(t, object))
        return MOPT_ENOMEM;
    return moi_json_add_number(object, "loss_weight", t->loss_weight);
}

json_t *moi_checkpoint_extensions(const mopt_trainer *t)
{
    json_t *object = json_object();

    if (object && !add_extensions(t, object))
        return object;
    json_decref(object);
    return NULL;
}

const char *moi_checkpoint_data(mopt_trainer *t, char buf[17])
{
    if (!t->digested) {
        t->digest = moi_dataset_digest(t->train);
        if (t->validation)
            t->digest ^= moi_dataset_digest(t->validation) * 31;
        t->digested = 1;
    }
    snprintf(buf, 17, "%016" PRIx64, t->digest);
    return buf;
}

/* ---- where it stands ---- */

static int32_t add_progress(const mopt_trainer *t, json_t *o)
{
    const moi_progress *now = &t->now;
    const moi_plateau *plateau = &t->schedule.plateau;
    const struct {
        const char *name;
        int64_t value;
    } whole[] = {
        {"epoch", now->epoch},      {"row", now->row},
        {"step", now->step},        {"best", now->best},
        {"stale", now->stale},      {"ended", now->ended},
        {"waited", plateau->stale}, {"cooling", plateau->cooling},
    };
    const struct {
        const char *name;
        double value;
    } real[] = {
        {"seconds", moi_trainer_seconds(t)}, {"loss_sum", now->loss_sum},
        {"weight_sum", now->weight_sum},     {"rate", now->rate},
        {"mark", now->mark},                 {"plateau", plateau->best},
        {"factor", plateau->factor},
    };
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < MOI_COUNT(whole); i++)
        rc = moi_json_add_int(o, whole[i].name, whole[i].value);
    for (int64_t i = 0; !rc && i < MOI_COUNT(real); i++)
        rc = moi_json_add_number(o, real[i].name, real[i].value);
    return rc;
}

static json_t *progress_json(const mopt_trainer *t)
{
    json_t *object = json_object();

    if (object && !add_progress(t, object))
        return object;
    json_decref(object);
    return NULL;
}

static json_t *row_json(const mopt_trainer *t, const double *row)
{
    json_t *array = json_array();

    for (int64_t i = 0; array && i < t->columns; i++)
        if (json_array_append_new(array, isfinite(row[i]) ? json_real(row[i])
                                                          : json_null())) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *history_json(const mopt_trainer *t)
{
    json_t *array = json_array();

    for (int64_t i = 1; array && i <= t->now.epoch; i++)
        if (json_array_append_new(array, row_json(t, moi_epoch_row(t, i)))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* ---- saving ---- */

/* Add a document as a text, taking it over. */
static int32_t add_document(const mopt_trainer *t, json_t *texts,
                            const char *name, json_t *document)
{
    char *text = document ? moi_json_dump(t->ctx, document) : NULL;
    int32_t rc = text ? moi_json_add_text(texts, name, text)
                      : moi_fail(MOPT_ENOMEM, "no memory for a checkpoint");

    moi_free(t->ctx, text);
    json_decref(document);
    return rc;
}

int32_t moi_checkpoint_texts(mopt_trainer *t, json_t *texts)
{
    char digest[17];
    int32_t rc = moi_json_add_text(texts, "format", MOI_CHECKPOINT_FORMAT);

    if (!rc)
        rc = moi_json_add_text(texts, "version", MOI_CHECKPOINT_VERSION);
    if (!rc)
        rc = moi_json_add_text(texts, "data",
                               moi_checkpoint_data(t, digest));
    if (!rc)
        rc = add_document(t, texts, "model", moi_model_tree(t->whole));
    if (!rc)
        rc = add_document(t, texts, "config", moi_checkpoint_config(t));
    if (!rc)
        rc = add_document(t, texts, "extensions",
                          moi_checkpoint_extensions(t));
    if (!rc)
        rc = add_document(t, texts, "progress", progress_json(t));
    if (!rc)
        rc = add_document(t, texts, "history", history_json(t));
    return rc;
}

/* A block by its name; worker: whose it is, if there are several. */
static moi_block name_block(const char *name, int64_t worker, moi_real *data,
                            moi_real *annex)
{
    moi_block b = {.data = data, .annex = annex};

    if (worker)
        snprintf(b.name, sizeof b.name, "%s.%lld", name, (long long)worker);
    else
        snprintf(b.name, sizeof b.name, "%s", name);
    return b;
}

int64_t moi_checkpoint_count(const mopt_trainer *t)
{
    int64_t errors = t->team && t->team->squeeze ? t->team->most : 0;

    return t->local ? 3 + moi_local_workers(t->local) * t->rule.states
                    : 2 + t->states + errors;
}

/* The weights of now, or the kept ones: one of them is in the model. */
static moi_block weights_block(const mopt_trainer *t, const char *name,
                               int32_t kept)
{
    int32_t settled = t->flags & MOI_TRAINER_SETTLED;

    if (!(t->flags & MOI_TRAINER_BEGUN) || !kept == !settled)
        return name_block(name, 0, moi_model_weights(t->model),
                          t->annex ? t->annex->weights : NULL);
    return name_block(name, 0, t->kept, t->annex_kept);
}

/* With workers that take steps of their own, the outer momentum and the state
 * of each. */
static moi_block local_block(const mopt_trainer *t, int64_t i)
{
    int64_t states = t->rule.states;

    if (i == 0)
        return name_block("outer", 0, moi_local_momentum(t->local), NULL);
    i--;
    return name_block(t->rule.state[i % states], i / states,
                      moi_local_state(t, i / states, (int32_t)(i % states)),
                      NULL);
}

/* The state of the rule; and of what travels, what was left out: of weights,
 * and of the gradients of each part. */
moi_block moi_checkpoint_block(const mopt_trainer *t, int64_t i)
{
    int64_t state = i - 2, part = state - t->states;

    if (i < 2)
        return weights_block(t, i ? "kept" : "weights", (int32_t)i);
    if (t->local)
        return local_block(t, state);
    if (state < t->rule.states)
        return name_block(t->rule.state[state], 0, t->state[state],
                          t->annex_state[state]);
    if (state < t->states)
        return name_block("residual", 0, t->state[state], NULL);
    return name_block("error", part,
                      moi_squeeze_errors(t->team->squeeze)[part], NULL);
}

int64_t moi_checkpoint_tensors(const mopt_trainer *t)
{
    return moi_model_param_count(t->model) + (t->annex ? t->annex->count : 0);
}

const moi_param *moi_checkpoint_at(const mopt_trainer *t,
                                   const moi_block *from, int64_t i,
                                   moi_real **data)
{
    int64_t own = moi_model_param_count(t->model);
    const moi_param *p = i < own ? moi_model_param(t->model, i)
                                 : &t->annex->params[i - own];

    *data = i < own ? from->data : from->annex;
    if (*data)
        *data += p->offset;
    return p;
}

void moi_checkpoint_describe(const char *block, const moi_param *p, char *name,
                             moi_tensor *tensor)
{
    snprintf(name, NAME_SIZE, "%s/%s", block, p->name);
    *tensor = (moi_tensor){
        .name = name,
        .type = sizeof(moi_real) == 4 ? MOPT_F32 : MOPT_F64,
        .rank = p->rank,
        .bytes = p->count * (int64_t)sizeof(moi_real),
    };
    for (int32_t i = 0; i < p->rank; i++)
        tensor->shape[i] = p->shape[i];
    if (p->flags & MOI_PARAM_TRANSPOSED) {
        tensor->shape[0] = p->shape[1];
        tensor->shape[1] = p->shape[0];
    }
}

static void describe_tensor(const mopt_trainer *t, const moi_block *from,
                            int64_t param, char *name, moi_tensor *tensor)
{
    moi_real *data;
    const moi_param *p = moi_checkpoint_at(t, from, param, &data);

    moi_checkpoint_describe(from->name, p, name, tensor);
    tensor->data = data;
}

static int32_t write_file(const mopt_trainer *t, const char *path,
                          const json_t *texts)
{
    int64_t params = moi_checkpoint_tensors(t);
    int64_t count = moi_checkpoint_count(t) * params;
    moi_tensor *tensors = moi_alloc(t->ctx, count, sizeof *tensors);
    char *names = moi_alloc(t->ctx, count, NAME_SIZE);
    int32_t rc = tensors && names ? MOPT_OK : MOPT_ENOMEM;

    for (int64_t i = 0; !rc && i < count; i++) {
        moi_block from = moi_checkpoint_block(t, i / params);

        describe_tensor(t, &from, i % params, names + i * NAME_SIZE,
                        &tensors[i]);
    }
    if (!rc)
        rc = moi_safetensors_write(t->ctx, path, texts, tensors, count);
    moi_free(t->ctx, tensors);
    moi_free(t->ctx, names);
    return rc;
}

static int32_t save(mopt_trainer *t, const char *path)
{
    json_t *texts = json_object();
    int32_t rc = texts ? moi_checkpoint_texts(t, texts)
                       : moi_fail(MOPT_ENOMEM, "no memory for a checkpoint");

    if (!rc)
        rc = write_file(t, path, texts);
    json_decref(texts);
    return rc;
}

/* The first rank writes. */
static int32_t is_other_rank(const mopt_trainer *t)
{
    mopt_group *group = moi_trainer_group(t);

    return group && mopt_group_rank(group) > 0;
}

int32_t mopt_trainer_save(const mopt_trainer *trainer, const char *path)
{
    /* The digest of the data is filled in when it is first needed, the state
     * comes together from all ranks. */
    mopt_trainer *t = (mopt_trainer *)trainer;
    int32_t rc;

    if (!t || !path)
        return moi_fail_null("mopt_trainer_save", !t ? "trainer" : "path");
    if (t->broken)
        return moi_fail(MOPT_ESTATE,
                        "this training ended with %s: there is nothing to go "
                        "on from",
                        mopt_status_name(t->broken));
    if (t->mesh)
        return moi_spread_save(t, path);
    rc = moi_shard_collect(t);
    if (!rc && !is_other_rank(t))
        rc = save(t, path);
    moi_shard_fold(t);
    return t->team ? moi_team_settle(t, rc) : rc;
}

int32_t moi_checkpoint_late(const mopt_trainer *t)
{
    double seconds = t->set.checkpoint_seconds;

    return seconds > 0 && moi_trainer_seconds(t) - t->saved >= seconds;
}

int32_t moi_checkpoint_due(mopt_trainer *t, int32_t closed_epoch)
{
    const moi_settings *set = &t->set;
    double now = moi_trainer_seconds(t);
    int32_t due = closed_epoch && set->checkpoint_every > 0 &&
                  t->now.epoch % set->checkpoint_every == 0;
    int32_t rc;

    if (t->team ? t->team->due : moi_checkpoint_late(t))
        due = 1;
    if (!due || !set->checkpoint[0] || (t->local && moi_local_open(t->local)))
        return MOPT_OK;
    rc = mopt_trainer_save(t, set->checkpoint);
    if (!rc) {
        t->saved = now;
        t->saved_step = t->now.step;
    }
    return rc;
}
