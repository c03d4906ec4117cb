/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/tuned.c: what fine-tuning won, and what it forgot. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "learn/nn/runner.h"
#include "learn/train/judge.h"
#include "learn/transfer/finetune.h"
#include "learn/transfer/head.h"

/* ---- what trained ---- */

/* Frozen, or not thawed before the last epoch. */
static int32_t stays(const mopt_finetune *f, int64_t tensor)
{
    const mopt_trainer *t = f->trainer;

    if (!t)
        return moi_head_distance(f->model, tensor) > 0;
    return t->frozen[tensor] || t->tuning[tensor].thaw >= t->set.epochs;
}

static int32_t list_frozen(const mopt_finetune *f, json_t *names,
                           int64_t *trained)
{
    int64_t count = moi_model_param_count(f->model);

    *trained = 0;
    for (int64_t i = 0; i < count; i++) {
        const moi_param *p = moi_model_param(f->model, i);
        int32_t frozen = stays(f, i);

        if (!frozen)
            *trained += p->count;
        else if (json_array_append_new(names, json_string(p->name)))
            return MOPT_ENOMEM;
    }
    for (int64_t i = 0; f->lora && i < f->lora->annex.count; i++)
        *trained += f->lora->params[i].count;
    return MOPT_OK;
}

static int32_t add_training(const mopt_finetune *f, json_t *doc)
{
    json_t *names = json_array();
    int64_t trained = 0;
    int32_t rc = names ? list_frozen(f, names, &trained) : MOPT_ENOMEM;

    if (!rc)
        rc = moi_json_add_text(doc, "method",
                               moi_config_variant(f->config, "method")->name);
    if (!rc)
        rc = moi_json_add_int(doc, "params",
                              moi_model_weight_count(f->model));
    if (!rc)
        rc = moi_json_add_int(doc, "trained_params", trained);
    if (!rc && f->penalty > 0)
        rc = moi_json_add_number(doc, "penalty", f->penalty);
    return moi_judge_add(doc, rc, "frozen", names);
}

/* ---- the source's task ---- */

/* The tuned body with the source's own head. */
static int32_t make_old(const mopt_finetune *f, mopt_model **out)
{
    int32_t rc = mopt_model_copy(f->source, out);

    if (!rc)
        moi_head_copy_body(f->model, *out,
                           !(f->flags & MOI_FINETUNE_NEW_HEAD));
    return rc;
}

static int32_t measure_source(const mopt_finetune *f,
                              const mopt_dataset *data, mopt_cancel *cancel,
                              json_t *doc)
{
    json_t *before = NULL, *after = NULL;
    mopt_model *old = NULL;
    int32_t rc = make_old(f, &old);

    if (!rc)
        rc = moi_judge_model(f->source, data, cancel, &before);
    if (!rc)
        rc = moi_judge_model(old, data, cancel, &after);
    mopt_model_free(old);
    if (!rc)
        rc = moi_json_add_number(doc, "forgotten",
                                 moi_judge_better(before, after));
    rc = moi_judge_add(doc, rc, "before", before);
    return moi_judge_add(doc, rc, "after", after);
}

static int32_t add_source(const mopt_finetune *f, const mopt_dataset *data,
                          mopt_cancel *cancel, json_t *doc)
{
    json_t *source = data ? json_object() : NULL;
    int32_t rc = MOPT_OK;

    if (data)
        rc = source ? measure_source(f, data, cancel, source) : MOPT_ENOMEM;
    return moi_judge_add(doc, rc, "source", source);
}

/* ---- the target's ---- */

static int32_t add_warnings(const json_t *target, const json_t *scratch,
                            const json_t *untuned, json_t *list)
{
    const char *text = NULL;

    if (scratch && !(moi_judge_better(target, scratch) > 0))
        text = "the source does not help here: training from scratch is as "
               "good or better";
    else if (untuned && moi_judge_better(target, untuned) < 0)
        text = "the source was better before it was tuned: try a smaller rate "
               "or fewer epochs";
    if (text && json_array_append_new(list, json_string(text)))
        return MOPT_ENOMEM;
    return MOPT_OK;
}

static int32_t measure(const mopt_finetune *f, const mopt_dataset *data,
                       mopt_cancel *cancel, json_t *doc)
{
    json_t *target = NULL, *scratch = NULL, *untuned = NULL;
    json_t *warnings = json_array();
    int32_t rc = warnings ? moi_judge_model(f->model, data, cancel, &target)
                          : MOPT_ENOMEM;

    if (!rc && f->flags & MOI_FINETUNE_COMPARED)
        rc = moi_judge_model(f->scratch, data, cancel, &scratch);
    if (!rc && !(f->flags & MOI_FINETUNE_NEW_HEAD))
        rc = moi_judge_model(f->source, data, cancel, &untuned);
    if (!rc)
        rc = add_warnings(target, scratch, untuned, warnings);
    if (!rc)
        rc = moi_json_add_number(
            doc, "gain", scratch ? moi_judge_better(target, scratch) : NAN);
    rc = moi_judge_add(doc, rc, "target", target);
    rc = moi_judge_add(doc, rc, "scratch", scratch);
    rc = moi_judge_add(doc, rc, "untuned", untuned);
    return moi_judge_add(doc, rc, "warnings", warnings);
}

int32_t moi_finetune_report(mopt_finetune *f, const mopt_dataset *test,
                            const mopt_dataset *source_test,
                            mopt_cancel *cancel, json_t **out)
{
    const mopt_dataset *given = test ? test : f->validation;
    mopt_dataset *data = NULL;
    json_t *doc = NULL;
    int32_t rc;

    if (!given || moi_dataset_kind(given) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "mopt_finetune_evaluate: there are no "
                        "labelled rows to measure on");
    if (!(f->flags & MOI_FINETUNE_FITTED))
        return moi_fail(MOPT_ESTATE, "mopt_finetune_evaluate: nothing has been "
                        "tuned yet");
    rc = moi_model_prepare(f->model, given, &data);
    if (!rc) {
        doc = json_object();
        rc = doc ? add_training(f, doc)
                 : moi_fail(MOPT_ENOMEM, "no memory for the report");
    }
    if (!rc)
        rc = measure(f, data, cancel, doc);
    if (!rc)
        rc = add_source(f, source_test, cancel, doc);
    mopt_dataset_free(data);
    if (rc)
        json_decref(doc);
    else
        *out = doc;
    return rc;
}

int32_t mopt_finetune_evaluate(mopt_finetune *finetune,
                               const mopt_dataset *test,
                               const mopt_dataset *source_test,
                               mopt_cancel *cancel, char *buf, size_t cap,
                               size_t *needed)
{
    json_t *doc = NULL;
    int32_t rc;

    if (!finetune)
        return moi_fail_null("mopt_finetune_evaluate", "finetune");
    rc = moi_finetune_report(finetune, test, source_test, cancel, &doc);
    return rc ? rc : moi_json_finish(finetune->ctx, doc, buf, cap, needed);
}
