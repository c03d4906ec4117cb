/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/finetune.c: the handle: a source, a target, and what of
 * the model learns how fast. */
#include "learn/transfer/finetune.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/nn/runner.h"
#include "learn/transfer/adapter.h"
#include "learn/transfer/head.h"
#include "learn/transfer/probe.h"

static const moi_key no_keys[] = {MOI_KEYS_END};
static const moi_key probe_keys[] = {
    MOI_FLOAT("ridge", 0, 0, 1e300,
              "penalty on the squares of weights, 0: by leave-one-out"),
    MOI_KEYS_END,
};
static const moi_key lora_keys[] = {
    MOI_INT("rank", 8, 1, 65536, "of the factors"),
    MOI_FLOAT("alpha", 8, 0, 1e6, "the change is scaled by alpha / rank"),
    MOI_TEXT("targets", "*.weight",
             "matrices that change: patterns with commas between"),
    MOI_BOOL("stable", 0, "scale by alpha / sqrt(rank) (rsLoRA)"),
    MOI_BOOL("biases", 0, "biases learn, too"),
    MOI_KEYS_END,
};

static const moi_schema full = {"full", "everything learns", no_keys};
static const moi_schema head = {"head", "only the last layer learns",
                                no_keys};
static const moi_schema probe = {
    "probe", "the last layer in closed form (ridge regression)", probe_keys};
static const moi_schema lora = {
    "lora", "low-rank changes of matrices, and a new head", lora_keys};
static const moi_schema bias = {"bias", "only biases, and a new head, learn",
                                no_keys};
static const moi_schema *const methods[] = {&full, &head, &probe, &lora,
                                            &bias, NULL};

static const moi_key keys[] = {
    MOI_VARIANT("method", "full", methods, "what of the model learns"),
    MOI_CHOICE("head", "auto", "auto|new|keep",
               "the last layer; auto: new where the target is another one"),
    MOI_FLOAT("rate", 0.3, 0, 1e6,
              "multiplies the learning rate of layers that are kept"),
    MOI_FLOAT("layer_decay", 1, 1, 1e6,
              "divides it for each layer further below the head; ULMFiT: 2.6"),
    MOI_TEXT("freeze", "",
             "tensors that stay as they are: patterns with commas between"),
    MOI_INT("unfreeze_every", 0, 0, 1e9,
            "epochs before one layer more learns, from the head down; 0: all"),
    MOI_FLOAT("l2_sp", 0, 0, 1e6, "how strongly kept weights are pulled back "
              "to the source"),
    MOI_FLOAT("l2_new", 0, 0, 1e6, "how strongly a new head is pulled to 0"),
    MOI_BOOL("baseline", 1, "train the same architecture from scratch, too"),
    {"baseline_rate", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, 1, 0, 1e6, NULL, NULL,
     NULL, "multiplies the learning rate of training from scratch"},
    MOI_KEYS_END,
};

const moi_schema moi_finetune_schema = {
    "finetune", "how a source model goes on to another task", keys};

static const moi_schema *method(const mopt_finetune *f)
{
    return moi_config_variant(f->config, "method");
}

/* ---- data ---- */

/* Data as the model takes them, by a transform unless they went through one;
 * NULL stays NULL. */
static int32_t make_ready(mopt_transform *transform, const mopt_dataset *data,
                          mopt_dataset **out)
{
    if (!data)
        return MOPT_OK;
    if (transform && !moi_dataset_transform(data))
        return mopt_transform_apply(transform, data, out);
    *out = moi_dataset_hold(data);
    return MOPT_OK;
}

/* Rows made ready by another encoding would be misread. */
static int32_t check_encoding(const mopt_finetune *f,
                              const mopt_transform *made)
{
    mopt_transform *was = moi_model_transform(f->source);
    int32_t inputs = 1, numbers;
    int32_t rc = was ? moi_transform_compare(was, made, &inputs, &numbers)
                     : MOPT_OK;

    if (!rc && !inputs)
        rc = moi_fail(MOPT_EINVAL, "train: the rows went through another "
                      "transform of inputs than the source's; give them raw");
    return rc;
}

static int32_t takes_new_head(const mopt_finetune *f)
{
    return !strcmp(moi_config_text(f->config, "head"), "new");
}

static int32_t take_data(mopt_finetune *f, const mopt_dataset *train,
                         const mopt_dataset *validation,
                         mopt_transform **transform)
{
    mopt_transform *made = moi_dataset_transform(train);
    int32_t rc = MOPT_OK;

    if (moi_dataset_kind(train) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "train: the rows have no targets");
    *transform = NULL;
    if (made) {
        rc = check_encoding(f, made);
        *transform = moi_transform_hold(made);
    } else if (moi_model_transform(f->source)) {
        rc = moi_transform_retarget(moi_model_transform(f->source), train,
                                    !takes_new_head(f), transform);
    }
    if (!rc)
        rc = make_ready(*transform, train, &f->train);
    return rc ? rc : make_ready(*transform, validation, &f->validation);
}

/* ---- the model ---- */

/* Does the source's head say something else than the target wants? *another
 * receives it: other widths, class names, or units of numbers. */
static int32_t compare_heads(const mopt_finetune *f, int32_t *another)
{
    mopt_transform *was = moi_model_transform(f->source);
    mopt_transform *now = moi_dataset_transform(f->train);
    int64_t targets = moi_dataset_targets(f->train);
    int64_t outputs = moi_model_outputs(f->source);
    int32_t inputs, numbers, rc;

    *another = 1;
    if (outputs != targets && !(outputs == 1 && targets == 2))
        return MOPT_OK;
    if (was && now && moi_transform_numbers(now) > 0) {
        rc = moi_transform_compare(was, now, &inputs, &numbers);
        *another = !numbers;
        return rc;
    }
    for (int64_t k = 0; was && k < targets; k++) {
        const char *old = moi_transform_class_name(was, k);
        const char *name = moi_dataset_class_name(f->train, k);

        if (old && name && strcmp(old, name) != 0)
            return MOPT_OK;
    }
    *another = 0;
    return MOPT_OK;
}

static int32_t make_model(mopt_finetune *f)
{
    const char *said = moi_config_text(f->config, "head");
    uint64_t seed = (uint64_t)moi_config_int(f->training, "seed");
    int32_t another;
    int32_t rc = compare_heads(f, &another);

    if (rc)
        return rc;
    if (!strcmp(said, "keep") &&
        moi_model_outputs(f->source) != moi_dataset_targets(f->train) &&
        moi_model_outputs(f->source) != 1)
        return moi_fail(MOPT_EINVAL, "head is 'keep', but the source has %lld "
                        "outputs and the target wants %lld",
                        (long long)moi_model_outputs(f->source),
                        (long long)moi_dataset_targets(f->train));
    if (!strcmp(said, "keep") || (!takes_new_head(f) && !another))
        return mopt_model_copy(f->source, &f->model);
    f->flags |= MOI_FINETUNE_NEW_HEAD;
    return moi_head_replace(f->source, moi_dataset_targets(f->train), seed,
                            &f->model);
}

/* ---- what learns, and how fast ---- */

static int32_t is_new(const mopt_finetune *f, int64_t tensor)
{
    return f->flags & MOI_FINETUNE_NEW_HEAD &&
           moi_head_distance(f->model, tensor) == 0;
}

/* Do biases learn beside what the method is about? */
static int32_t tunes_biases(const mopt_finetune *f)
{
    return method(f) == &bias || (method(f) == &lora &&
                                  moi_config_bool(f->config, "method.biases"));
}

static int32_t is_held(const mopt_finetune *f, int64_t tensor)
{
    return moi_text_in_globs(moi_config_text(f->config, "freeze"),
                             moi_model_param(f->model, tensor)->name);
}

static int32_t is_frozen(const mopt_finetune *f, int64_t tensor)
{
    const moi_param *p = moi_model_param(f->model, tensor);

    if (is_held(f, tensor))
        return 1;
    if (method(f) == &head)
        return moi_head_distance(f->model, tensor) > 0;
    if (method(f) == &full || is_new(f, tensor))
        return 0;
    return !(p->flags & MOI_PARAM_NO_DECAY) || !tunes_biases(f);
}

static double rate_of(const mopt_finetune *f, int64_t tensor)
{
    double decay = moi_config_float(f->config, "layer_decay");
    int64_t distance = moi_head_distance(f->model, tensor);

    if (is_new(f, tensor))
        return 1;
    return moi_config_float(f->config, "rate") /
           pow(decay, (double)distance);
}

static int32_t tune_tensor(mopt_finetune *f, int64_t i)
{
    const moi_param *p = moi_model_param(f->model, i);
    mopt_config *group = NULL;
    int32_t rc = mopt_config_create(f->ctx, "group", &group);

    if (!rc)
        rc = mopt_config_set_float(group, "rate", rate_of(f, i));
    if (!rc)
        rc = mopt_config_set_bool(group, "frozen", is_frozen(f, i));
    if (!rc)
        rc = mopt_trainer_add_group(f->trainer, p->name, group);
    mopt_config_free(group);
    return rc;
}

static int32_t anchor(mopt_finetune *f)
{
    double kept = moi_config_float(f->config, "l2_sp");
    double fresh = moi_config_float(f->config, "l2_new");
    int64_t size = moi_model_size(f->model);
    int32_t rc = MOPT_OK;

    if (kept <= 0 && fresh <= 0)
        return MOPT_OK;
    f->origin = moi_alloc(f->ctx, size, sizeof *f->origin);
    if (!f->origin)
        return MOPT_ENOMEM;
    memcpy(f->origin, moi_model_weights(f->model),
           (size_t)size * sizeof *f->origin);
    for (int64_t i = 0; !rc && i < moi_model_param_count(f->model); i++) {
        const moi_param *p = moi_model_param(f->model, i);
        double strength = is_new(f, i) ? fresh : kept;

        if (is_new(f, i))
            memset(f->origin + p->offset, 0,
                   (size_t)p->count * sizeof *f->origin);
        if (strength > 0)
            rc = moi_trainer_anchor(f->trainer, i, strength, f->origin);
    }
    return rc;
}

/* What an adapter has as a whole: a new head is in no other file. */
static int32_t is_whole(const mopt_finetune *f, int64_t tensor)
{
    return is_new(f, tensor) || !is_frozen(f, tensor);
}

static int32_t is_beyond_lora(const mopt_finetune *f, int64_t tensor)
{
    return is_whole(f, tensor) || is_held(f, tensor);
}

typedef int32_t (*tensor_fn)(const mopt_finetune *f, int64_t tensor);

/* The answer for each tensor; the caller frees it. */
static int32_t ask_all(const mopt_finetune *f, tensor_fn ask, int32_t **out)
{
    int64_t count = moi_model_param_count(f->model);
    int32_t *answers = moi_calloc(f->ctx, count, sizeof *answers);

    if (!answers)
        return MOPT_ENOMEM;
    for (int64_t i = 0; i < count; i++)
        answers[i] = ask(f, i);
    *out = answers;
    return MOPT_OK;
}

static int32_t add_lora(mopt_finetune *f)
{
    const moi_options options = {f->config, "method."};
    int64_t rank = moi_options_int(&options, "rank");
    double alpha = moi_options_float(&options, "alpha");
    double scale = alpha / (moi_options_bool(&options, "stable")
                                ? sqrt((double)rank) : (double)rank);
    uint64_t seed = (uint64_t)moi_config_int(f->training, "seed");
    int32_t *others = NULL;
    int32_t rc = ask_all(f, is_beyond_lora, &others);

    if (!rc)
        rc = moi_lora_create(f->model, moi_options_text(&options, "targets"),
                             others, rank, scale, seed, &f->lora);
    moi_free(f->ctx, others);
    return rc ? rc : moi_trainer_set_annex(f->trainer, &f->lora->annex);
}

/* Patterns that match everything leave nothing to train. */
static int32_t check_learners(const mopt_finetune *f)
{
    int64_t count = moi_model_param_count(f->model), i = 0;

    if (method(f) == &lora)
        return MOPT_OK;
    while (i < count && is_frozen(f, i))
        i++;
    if (i < count)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "freeze: '%.100s' leaves no tensor that "
                    "learns", moi_config_text(f->config, "freeze"));
}

/* A pattern that matches nothing was meant for something. */
static int32_t check_patterns(const mopt_finetune *f)
{
    const char *freeze = moi_config_text(f->config, "freeze");
    int64_t count = moi_model_param_count(f->model), i = 0;

    while (*freeze && i < count &&
           !moi_text_in_globs(freeze, moi_model_param(f->model, i)->name))
        i++;
    if (!*freeze || i < count)
        return MOPT_OK;
    return moi_fail(MOPT_EKEY, "freeze: no tensor of the model matches "
                    "'%.100s'; there is '%s'", freeze,
                    moi_model_param(f->model, 0)->name);
}

static int32_t make_trainer(mopt_finetune *f)
{
    int64_t every = moi_config_int(f->config, "unfreeze_every");
    int32_t rc = check_patterns(f);

    if (!rc)
        rc = check_learners(f);
    if (!rc)
        rc = mopt_trainer_create(f->ctx, f->model, f->train, f->validation,
                                 f->training, &f->trainer);
    for (int64_t i = 0; !rc && i < moi_model_param_count(f->model); i++) {
        rc = tune_tensor(f, i);
        if (!rc && every > 0)
            rc = moi_trainer_thaw(f->trainer, i,
                                  every * moi_head_distance(f->model, i));
    }
    if (!rc)
        rc = anchor(f);
    return rc || method(f) != &lora ? rc : add_lora(f);
}

/* ---- life ---- */

static int32_t check_create(const mopt_model *source,
                            const mopt_config *config,
                            const mopt_config *training)
{
    const char *function = "mopt_finetune_create";

    if (!moi_model_ready(source))
        return moi_fail(MOPT_ESTATE, "%s: the source's weights are not set",
                        function);
    if ((config && moi_config_schema(config) != &moi_finetune_schema) ||
        (training && moi_config_schema(training) != &moi_train_schema))
        return moi_fail(MOPT_EINVAL, "%s: the configs must be of the kinds "
                        "'finetune' and 'train'", function);
    return config ? moi_config_check(config) : MOPT_OK;
}

static int32_t set_up(mopt_finetune *f, const mopt_model *source,
                      const mopt_dataset *train,
                      const mopt_dataset *validation,
                      const mopt_config *config, const mopt_config *training)
{
    mopt_transform *transform = NULL;
    int32_t rc = config ? moi_config_copy(config, &f->config)
                        : moi_config_new(f->ctx, &moi_finetune_schema,
                                         &f->config);

    if (!rc)
        rc = training ? moi_config_copy(training, &f->training)
                      : moi_config_new(f->ctx, &moi_train_schema,
                                       &f->training);
    if (!rc)
        rc = mopt_model_copy(source, &f->source);
    if (!rc)
        rc = take_data(f, train, validation, &transform);
    if (!rc)
        rc = make_model(f);
    if (!rc && transform)
        rc = mopt_model_set_transform(f->model, transform);
    mopt_transform_free(transform);
    return rc || method(f) == &probe ? rc : make_trainer(f);
}

int32_t mopt_finetune_create(mopt_context *ctx, const mopt_model *source,
                             const mopt_dataset *train,
                             const mopt_dataset *validation,
                             const mopt_config *config,
                             const mopt_config *training, mopt_finetune **out)
{
    mopt_finetune *f;
    int32_t rc;

    if (!ctx || !source || !train || !out)
        return moi_fail_null("mopt_finetune_create", !ctx      ? "ctx"
                                                     : !source ? "source"
                                                     : !train  ? "train"
                                                               : "out");
    rc = check_create(source, config, training);
    if (rc)
        return rc;
    f = moi_calloc(ctx, 1, sizeof *f);
    if (!f)
        return MOPT_ENOMEM;
    f->ctx = moi_context_hold(ctx);
    rc = set_up(f, source, train, validation, config, training);
    if (rc)
        mopt_finetune_free(f);
    else
        *out = f;
    return rc;
}

void mopt_finetune_free(mopt_finetune *finetune)
{
    mopt_finetune *f = finetune;
    mopt_context *ctx;

    if (!f)
        return;
    ctx = f->ctx;
    mopt_trainer_free(f->trainer);
    mopt_trainer_free(f->control);
    moi_lora_free(f->lora);
    moi_free(ctx, f->origin);
    mopt_model_free(f->scratch);
    mopt_model_free(f->model);
    mopt_model_free(f->source);
    mopt_dataset_free(f->train);
    mopt_dataset_free(f->validation);
    mopt_config_free(f->config);
    mopt_config_free(f->training);
    moi_free(ctx, f);
    moi_context_release(ctx);
}

int32_t mopt_finetune_model(const mopt_finetune *finetune, mopt_model **out)
{
    if (!finetune || !out)
        return moi_fail_null("mopt_finetune_model",
                             !finetune ? "finetune" : "out");
    *out = moi_model_hold(finetune->model);
    return MOPT_OK;
}

int32_t mopt_finetune_trainer(mopt_finetune *finetune, mopt_trainer **out)
{
    if (!finetune || !out)
        return moi_fail_null("mopt_finetune_trainer",
                             !finetune ? "finetune" : "out");
    if (!finetune->trainer)
        return moi_fail(MOPT_ESTATE, "mopt_finetune_trainer: method 'probe' "
                        "trains nothing");
    *out = finetune->trainer;
    return MOPT_OK;
}

int32_t mopt_finetune_adapter(const mopt_finetune *finetune,
                              mopt_adapter **out)
{
    if (!finetune || !out)
        return moi_fail_null("mopt_finetune_adapter",
                             !finetune ? "finetune" : "out");
    if (!finetune->lora)
        return moi_fail(MOPT_ESTATE, "mopt_finetune_adapter: the method is "
                        "'%s'; only 'lora' makes an adapter",
                        method(finetune)->name);
    int32_t *whole = NULL;
    int32_t rc = ask_all(finetune, is_whole, &whole);

    if (!rc)
        rc = moi_adapter_make(finetune->lora, whole,
                              finetune->flags & MOI_FINETUNE_NEW_HEAD, out);
    moi_free(finetune->ctx, whole);
    return rc;
}

/* ---- work ---- */

int32_t moi_finetune_fit_target(mopt_finetune *f, mopt_cancel *cancel)
{
    const moi_options options = {f->config, "method."};
    int32_t rc;

    if (f->flags & MOI_FINETUNE_FITTED)
        return MOPT_OK;
    if (f->trainer)
        rc = mopt_trainer_fit(f->trainer, cancel);
    else
        rc = moi_probe_fit(f->model, f->train,
                           moi_options_float(&options, "ridge"), cancel,
                           &f->penalty);
    if (!rc)
        f->flags |= MOI_FINETUNE_FITTED;
    return rc;
}

/* The settings of training from scratch: the same, but for what suits it. */
static int32_t make_control(const mopt_finetune *f, mopt_config **out)
{
    const char *rate = "optimizer.learning_rate";
    int32_t rc = moi_config_copy(f->training, out);

    if (!rc)
        rc = mopt_config_set_text(*out, "checkpoint", "");
    return rc ? rc : mopt_config_set_float(
        *out, rate, moi_config_float(*out, rate) *
                        moi_config_float(f->config, "baseline_rate"));
}

/* The same architecture from other first weights. */
static int32_t begin_scratch(mopt_finetune *f)
{
    mopt_config *config = NULL;
    int32_t rc = mopt_model_copy(f->model, &f->scratch);

    if (!rc)
        rc = mopt_model_init(f->scratch,
                             moi_config_int(f->training, "seed"));
    if (!rc)
        rc = make_control(f, &config);
    if (!rc)
        rc = mopt_trainer_create(f->ctx, f->scratch, f->train, f->validation,
                                 config, &f->control);
    mopt_config_free(config);
    if (rc) {
        mopt_model_free(f->scratch);
        f->scratch = NULL;
    }
    return rc;
}

int32_t mopt_finetune_fit(mopt_finetune *finetune, mopt_cancel *cancel)
{
    mopt_finetune *f = finetune;
    int32_t rc;

    if (!f)
        return moi_fail_null("mopt_finetune_fit", "finetune");
    rc = moi_finetune_fit_target(f, cancel);
    if (rc)
        return rc;
    if (!moi_config_bool(f->config, "baseline") ||
        f->flags & MOI_FINETUNE_COMPARED)
        return MOPT_OK;
    if (!f->control)
        rc = begin_scratch(f);
    if (!rc)
        rc = mopt_trainer_fit(f->control, cancel);
    if (!rc)
        f->flags |= MOI_FINETUNE_COMPARED;
    return rc;
}
