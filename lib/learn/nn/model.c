/* SPDX-License-Identifier: MIT
 * lib/learn/nn/model.c: a list of layers and the block of their weights.
 *
 * Layers are appended while there are no weights; from then on the list is
 * fixed and plans may point into it. Every tensor starts at a multiple of 16
 * reals of the block; what lies between two tensors is 0 and stays 0, so that
 * the block can be worked on as one vector. */
#include "learn/nn/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "learn/data/dataset.h"
#include "learn/nn/model_inside.h"

#define CELL 16 /* reals between two starts of tensors: a cache line */

/* Reals of a block: what a double of each still has an int64_t address for. */
#define MOST_REALS (INT64_MAX / 64)

/* ---- life ---- */

int32_t mopt_model_build(mopt_context *ctx, int64_t inputs, mopt_model **out)
{
    if (ctx == NULL || out == NULL)
        return moi_fail_null("mopt_model_build", ctx == NULL ? "ctx" : "out");
    if (inputs < 1 || inputs > INT32_MAX)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_build: inputs is %" PRId64
                        "; allowed is 1 .. %d", inputs, INT32_MAX);
    mopt_model *model = moi_calloc(ctx, 1, sizeof(*model));
    if (model == NULL)
        return MOPT_ENOMEM;
    model->ctx = moi_context_hold(ctx);
    atomic_init(&model->refs, 1);
    model->inputs = inputs;
    *out = model;
    return MOPT_OK;
}

mopt_model *moi_model_hold(mopt_model *model)
{
    atomic_fetch_add(&model->refs, 1);
    return model;
}

static void free_layer(mopt_context *ctx, moi_layer *layer)
{
    mopt_config_free(layer->config);
    moi_free(ctx, layer->settings);
}

void mopt_model_free(mopt_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->refs, 1) != 1)
        return;
    mopt_context *ctx = model->ctx;
    for (int64_t i = 0; i < model->count; i++)
        free_layer(ctx, &model->layers[i]);
    for (int64_t i = 0; i < model->param_count; i++)
        moi_free(ctx, model->params[i].name);
    moi_free(ctx, model->layers);
    moi_free(ctx, model->params);
    moi_free(ctx, model->weights);
    mopt_transform_free(model->transform);
    moi_free(ctx, model);
    moi_context_release(ctx);
}

int32_t moi_model_cut(const mopt_model *model, int64_t layers,
                      mopt_model **out)
{
    mopt_model *copy = NULL;
    int32_t rc = mopt_model_build(model->ctx, model->inputs, &copy);
    for (int64_t i = 0; i < layers && rc == MOPT_OK; i++) {
        mopt_config *config = NULL;
        rc = moi_config_copy(model->layers[i].config, &config);
        if (rc == MOPT_OK)
            rc = moi_model_append(copy, model->layers[i].kind, config);
    }
    if (rc == MOPT_OK && model->weights != NULL)
        rc = moi_model_alloc(copy);
    if (rc != MOPT_OK) {
        mopt_model_free(copy);
        return rc;
    }
    if (model->weights != NULL)
        memcpy(copy->weights, model->weights,
               (size_t)copy->size * sizeof(moi_real));
    *out = copy;
    return MOPT_OK;
}

int32_t mopt_model_copy(const mopt_model *model, mopt_model **out)
{
    if (model == NULL || out == NULL)
        return moi_fail_null("mopt_model_copy", model ? "out" : "model");
    int32_t rc = moi_model_cut(model, model->count, out);
    if (rc == MOPT_OK && model->transform != NULL)
        (*out)->transform = moi_transform_hold(model->transform);
    return rc;
}

void moi_model_swap(mopt_model *a, mopt_model *b)
{
    mopt_model kept = *a;
    int refs_a = atomic_load(&a->refs), refs_b = atomic_load(&b->refs);
    *a = *b;
    *b = kept;
    atomic_init(&a->refs, refs_a);
    atomic_init(&b->refs, refs_b);
}

int32_t moi_model_shared(const mopt_model *model)
{
    return atomic_load(&model->refs) > 1;
}

/* ---- layers ---- */

/* Give a tensor of the last layer its name and place. */
static int32_t add_param(mopt_model *model, const moi_layer *layer,
                         const moi_layer_tensor *tensor)
{
    char name[64];
    int32_t rc = moi_grow(model->ctx, (void **)&model->params,
                          &model->param_capacity, model->param_count + 1,
                          sizeof(moi_param));
    if (rc != MOPT_OK)
        return rc;
    moi_param *param = &model->params[model->param_count];
    *param = (moi_param){.flags = tensor->flags,
                         .rank = tensor->rank,
                         .count = 1,
                         .offset = model->size};
    for (int32_t i = 0; i < tensor->rank && rc == MOPT_OK; i++) {
        param->shape[i] = tensor->shape[i];
        rc = moi_multiply(param->count, tensor->shape[i], "weights",
                          &param->count);
    }
    if (rc == MOPT_OK && param->count > MOST_REALS - CELL - model->size)
        rc = moi_fail(MOPT_ERANGE, "the model has too many weights");
    if (rc != MOPT_OK)
        return rc;
    snprintf(name, sizeof(name), "layers.%" PRId64 ".%s", layer->piece.layer,
             tensor->name);
    param->name = moi_strdup(model->ctx, name);
    if (param->name == NULL)
        return MOPT_ENOMEM;
    model->size += (param->count + CELL - 1) / CELL * CELL;
    model->param_count++;
    return MOPT_OK;
}

static int32_t add_params(mopt_model *model, moi_layer *layer)
{
    moi_layer_tensor tensors[MOI_LAYER_TENSORS];
    int32_t rc = MOPT_OK;
    if (layer->kind->tensors != NULL)
        layer->tensors = layer->kind->tensors(layer, tensors);
    for (int64_t i = 0; i < layer->tensors && rc == MOPT_OK; i++)
        rc = add_param(model, layer, &tensors[i]);
    return rc;
}

/* The layer as infer leaves it, and no piece of another: all of it is here. */
static moi_extent whole_of(const mopt_model *model, const moi_layer *layer)
{
    return (moi_extent){.layer = model->count,
                       .tensor = model->param_count,
                       .ins = moi_shape_count(&layer->in),
                       .outs = moi_shape_count(&layer->out)};
}

int32_t moi_model_append_piece(mopt_model *model, const moi_layer_kind *kind,
                               mopt_config *config, const moi_extent *piece)
{
    mopt_context *ctx = model->ctx;
    int64_t before = model->param_count, size = model->size;
    moi_layer layer = {.kind = kind,
                       .config = config,
                       .first = model->param_count,
                       .in = moi_shape_flat(model->inputs)};
    int32_t rc = moi_config_check(config);
    if (rc == MOPT_OK && model->count == MOI_MODEL_LAYERS)
        rc = moi_fail(MOPT_ERANGE, "a model has at most %d layers",
                      MOI_MODEL_LAYERS);
    if (rc == MOPT_OK)
        rc = moi_grow(ctx, (void **)&model->layers, &model->capacity,
                      model->count + 1, sizeof(layer));
    if (rc != MOPT_OK)
        goto out;
    if (model->count > 0)
        layer.in = model->layers[model->count - 1].out;
    rc = MOPT_ENOMEM;
    layer.settings = moi_calloc(ctx, 1, kind->settings_size);
    if (layer.settings == NULL)
        goto out;
    rc = kind->infer(&layer);
    layer.piece = piece != NULL ? *piece : whole_of(model, &layer);
    if (rc == MOPT_OK)
        rc = add_params(model, &layer);
out:
    if (rc == MOPT_OK) {
        model->layers[model->count++] = layer;
        return rc;
    }
    while (model->param_count > before)
        moi_free(ctx, model->params[--model->param_count].name);
    model->size = size;
    free_layer(ctx, &layer);
    return rc;
}

int32_t moi_model_append(mopt_model *model, const moi_layer_kind *kind,
                         mopt_config *config)
{
    return moi_model_append_piece(model, kind, config, NULL);
}

/* The common part of adding: may layers be added still? */
static int32_t check_open(const mopt_model *model, const char *function)
{
    if (model == NULL)
        return moi_fail_null(function, "model");
    if (model->weights != NULL)
        return moi_fail(MOPT_ESTATE,
                        "%s: the model's weights are set already: layers can "
                        "be added before that only", function);
    return MOPT_OK;
}

int32_t mopt_model_add(mopt_model *model, const mopt_config *config)
{
    int32_t rc = check_open(model, "mopt_model_add");
    if (rc != MOPT_OK)
        return rc;
    if (config == NULL)
        return moi_fail_null("mopt_model_add", "config");
    const moi_schema *schema = moi_config_schema(config);
    const moi_layer_kind *kind = NULL;
    for (int32_t i = 0; moi_layer_kinds[i] != NULL; i++)
        if (moi_layer_kinds[i]->schema == schema)
            kind = moi_layer_kinds[i];
    if (kind == NULL)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_add: the config is of kind '%s'; allowed "
                        "are the kinds 'layer....'", schema->name);
    mopt_config *copy = NULL;
    rc = moi_config_copy(config, &copy);
    if (rc == MOPT_OK)
        rc = moi_model_append(model, kind, copy);
    if (rc != MOPT_OK)
        return moi_fail_at(rc, "mopt_model_add: ");
    return rc;
}

/* Append a layer of one kind after filling its config. */
static int32_t add_kind(mopt_model *model, const char *type, const char *key,
                        json_t *value, const char *text)
{
    const moi_layer_kind *kind = moi_layer_find(type);
    mopt_config *config = NULL;
    int32_t rc = value != NULL ? MOPT_OK
                               : moi_fail(MOPT_ENOMEM, "no memory for a layer");
    if (rc == MOPT_OK)
        rc = moi_config_new(model->ctx, kind->schema, &config);
    if (rc == MOPT_OK)
        rc = moi_config_set_value(config, key, value);
    if (rc == MOPT_OK && text != NULL)
        rc = mopt_config_set_text(config, "activation", text);
    json_decref(value);
    if (rc == MOPT_OK)
        return moi_model_append(model, kind, config);
    mopt_config_free(config);
    return rc;
}

int32_t mopt_model_add_dense(mopt_model *model, int64_t units,
                             const char *activation)
{
    int32_t rc = check_open(model, "mopt_model_add_dense");
    if (rc != MOPT_OK)
        return rc;
    rc = add_kind(model, "dense", "units", json_integer(units), activation);
    return rc == MOPT_OK ? rc : moi_fail_at(rc, "mopt_model_add_dense: ");
}

int32_t mopt_model_add_dropout(mopt_model *model, double rate)
{
    char number[MOI_NUMBER_SIZE];
    int32_t rc = check_open(model, "mopt_model_add_dropout");
    if (rc != MOPT_OK)
        return rc;
    if (!isfinite(rate)) /* JSON has no such number */
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_add_dropout: rate is %s; allowed is 0 <= "
                        "rate < 1", moi_number_text(rate, number));
    rc = add_kind(model, "dropout", "rate", json_real(rate), NULL);
    return rc == MOPT_OK ? rc : moi_fail_at(rc, "mopt_model_add_dropout: ");
}

/* ---- what others ask ---- */

mopt_context *moi_model_context(const mopt_model *model)
{
    return model->ctx;
}

int64_t moi_model_inputs(const mopt_model *model)
{
    return model->inputs;
}

int64_t moi_model_outputs(const mopt_model *model)
{
    return model->count == 0
               ? model->inputs
               : moi_shape_count(&model->layers[model->count - 1].out);
}

int64_t moi_model_param_count(const mopt_model *model)
{
    return model->param_count;
}

const moi_param *moi_model_param(const mopt_model *model, int64_t index)
{
    return &model->params[index];
}

int64_t moi_model_layer_count(const mopt_model *model)
{
    return model->count;
}

const moi_layer *moi_model_layer(const mopt_model *model, int64_t layer)
{
    return &model->layers[layer];
}

int64_t moi_model_layer_width(const mopt_model *model, int64_t layer)
{
    return moi_shape_count(&model->layers[layer].out);
}

int64_t moi_model_head(const mopt_model *model)
{
    int64_t i = model->count - 1;
    while (i >= 0 && model->layers[i].tensors == 0)
        i--;
    return i;
}

void moi_model_layer_params(const mopt_model *model, int64_t layer,
                            int64_t *first, int64_t *count)
{
    *first = model->layers[layer].first;
    *count = model->layers[layer].tensors;
}

moi_real *moi_model_weights(const mopt_model *model)
{
    return model->weights;
}

int64_t moi_model_size(const mopt_model *model)
{
    return model->size;
}

int32_t moi_model_ready(const mopt_model *model)
{
    return model->weights != NULL;
}

int32_t moi_model_alloc(mopt_model *model)
{
    if (model->count == 0)
        return moi_fail(MOPT_ESTATE, "the model has no layers");
    if (model->weights == NULL)
        model->weights = moi_calloc(model->ctx, model->size,
                                    sizeof(moi_real));
    return model->weights != NULL ? MOPT_OK : MOPT_ENOMEM;
}

/* The function that a layer ends in, NULL: none. */
static const moi_activation *end_of(const moi_layer *layer)
{
    return layer->kind->ends_in != NULL ? layer->kind->ends_in(layer) : NULL;
}

int32_t moi_model_ends_in_probability(const mopt_model *model)
{
    if (model->count == 0)
        return 0;
    const moi_activation *f = end_of(&model->layers[model->count - 1]);
    return f != NULL && f->probability;
}

int32_t moi_model_ends_in_sums(const mopt_model *model)
{
    int64_t head = moi_model_head(model);
    for (int64_t i = head; i >= 0 && i < model->count; i++)
        if (end_of(&model->layers[i]) != NULL)
            return 0;
    return head >= 0;
}

mopt_transform *moi_model_transform(const mopt_model *model)
{
    return model->transform;
}

int64_t moi_model_weight_count(const mopt_model *model)
{
    int64_t count = 0;
    for (int64_t i = 0; i < model->param_count; i++)
        count += model->params[i].count;
    return count;
}

static int64_t layer_flops(const moi_layer *layer)
{
    return layer->kind->flops != NULL ? layer->kind->flops(layer) : 0;
}

int64_t moi_model_flops(const mopt_model *model)
{
    int64_t flops = 0;
    for (int64_t i = 0; i < model->count; i++)
        flops += layer_flops(&model->layers[i]);
    return flops;
}

#define PROMPT_FLOPS 4000000000

static int64_t prompt_rows(int64_t flops)
{
    return flops < PROMPT_FLOPS ? PROMPT_FLOPS / (flops + 1) : 1;
}

int64_t moi_model_pass_rows(const mopt_model *model)
{
    return prompt_rows(moi_model_flops(model));
}

int64_t moi_model_layer_rows(const mopt_model *model)
{
    int64_t most = 0;
    for (int64_t i = 0; i < model->count; i++) {
        int64_t flops = layer_flops(&model->layers[i]);
        most = flops > most ? flops : most;
    }
    return prompt_rows(most);
}

/* Without a backward pass, outputs take turns in two buffers (plan.c). */
int64_t moi_model_serving_bytes(const mopt_model *model)
{
    int64_t widest = moi_model_outputs(model);
    for (int64_t i = 0; i < model->count; i++) {
        int64_t out = moi_shape_count(&model->layers[i].out);
        if (out > widest)
            widest = out;
    }
    return (moi_model_weight_count(model) + model->inputs + 2 * widest) *
           (int64_t)sizeof(float);
}

int32_t mopt_model_set_transform(mopt_model *model, mopt_transform *transform)
{
    if (model == NULL)
        return moi_fail_null("mopt_model_set_transform", "model");
    if (transform != NULL && moi_transform_outputs(transform) != model->inputs)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_set_transform: the transform makes %" PRId64
                        " inputs, the model takes %" PRId64,
                        moi_transform_outputs(transform), model->inputs);
    if (transform != NULL)
        moi_transform_hold(transform);
    mopt_transform_free(model->transform);
    model->transform = transform;
    return MOPT_OK;
}
