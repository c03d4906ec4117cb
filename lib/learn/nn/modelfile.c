/* SPDX-License-Identifier: MIT
 * lib/learn/nn/modelfile.c: models as safetensors files.
 *
 * The tensors are in PyTorch's order. The metadata have what makes them a
 * model: "modelopt.format" (version of these keys), "modelopt.model" (inputs
 * and the tree of layers), "modelopt.transform" and "modelopt.classes" (the
 * names, for readers that know nothing of transforms) as JSON. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "learn/data/dataset.h"
#include "learn/format/safetensors.h"
#include "learn/nn/model_inside.h"

#define FORMAT "1" /* of the metadata */

/* ---- saving ---- */

/* A member whose text is a JSON value; releases value. */
static int32_t add_document(mopt_context *ctx, json_t *metadata,
                            const char *key, json_t *value)
{
    int32_t rc = MOPT_ENOMEM;
    char *text = value != NULL ? moi_json_dump(ctx, value) : NULL;
    if (text != NULL)
        rc = moi_json_add_text(metadata, key, text);
    else if (value == NULL)
        rc = moi_fail(MOPT_ENOMEM, "no memory for a model's description");
    moi_free(ctx, text);
    json_decref(value);
    return rc;
}

/* The names of the classes, NULL without memory; none: an empty list. */
static json_t *class_names(const mopt_model *model)
{
    json_t *list = json_array();
    const char *name;
    for (int64_t i = 0;
         list != NULL &&
         (name = moi_transform_class_name(model->transform, i)) != NULL;
         i++)
        if (json_array_append_new(list, json_string(name)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static int32_t add_transform(const mopt_model *model, json_t *metadata)
{
    if (model->transform == NULL)
        return MOPT_OK;
    int32_t rc = add_document(model->ctx, metadata, "modelopt.transform",
                              moi_transform_to_json(model->transform));
    if (rc == MOPT_OK && moi_transform_class_name(model->transform, 0) != NULL)
        rc = add_document(model->ctx, metadata, "modelopt.classes",
                          class_names(model));
    return rc;
}

json_t *moi_model_metadata(const mopt_model *model)
{
    json_t *metadata = json_object(), *tree = moi_model_tree(model);
    int32_t rc = MOPT_ENOMEM;
    if (metadata != NULL && tree != NULL)
        rc = moi_json_add_int(tree, "inputs", model->inputs);
    if (rc == MOPT_OK) /* how other readers know the order of the tensors */
        rc = moi_json_add_text(metadata, "format", "pt");
    if (rc == MOPT_OK)
        rc = moi_json_add_text(metadata, "modelopt.format", FORMAT);
    if (rc == MOPT_OK)
        rc = add_document(model->ctx, metadata, "modelopt.model",
                          json_incref(tree));
    if (rc == MOPT_OK)
        rc = add_transform(model, metadata);
    json_decref(tree);
    if (rc == MOPT_OK)
        return metadata;
    json_decref(metadata);
    return NULL;
}

/* A model that diverged must not take the place of a good one. */
static int32_t check_finite(const mopt_model *model)
{
    for (int64_t k = 0; k < model->param_count; k++) {
        const moi_param *param = &model->params[k];
        for (int64_t i = 0; i < param->count; i++)
            if (!isfinite(model->weights[param->offset + i]))
                return moi_fail(MOPT_EDIVERGED,
                                "mopt_model_save: '%s' has values that are "
                                "not finite: nothing is written", param->name);
    }
    return MOPT_OK;
}

void moi_model_tensor(const mopt_model *model, int64_t k, moi_tensor *out)
{
    const moi_param *param = &model->params[k];
    *out = (moi_tensor){
        .name = param->name,
        .type = MOPT_F32,
        .rank = param->rank,
        .bytes = param->count * (int64_t)sizeof(float),
    };
    memcpy(out->shape, param->shape, sizeof(param->shape));
}

static int32_t write_tensors(const mopt_model *model, const json_t *metadata,
                             const char *path)
{
    mopt_context *ctx = model->ctx;
    int32_t rc = MOPT_ENOMEM;
    float *values = moi_alloc(ctx, model->size, sizeof(float));
    moi_tensor *tensors = moi_calloc(ctx, model->param_count,
                                     sizeof(moi_tensor));
    if (values == NULL || tensors == NULL)
        goto out;
    moi_model_export(model, model->weights, values);
    for (int64_t k = 0; k < model->param_count; k++) {
        moi_model_tensor(model, k, &tensors[k]);
        tensors[k].data = values + model->params[k].offset;
    }
    rc = moi_safetensors_write(ctx, path, metadata, tensors,
                               model->param_count);
out:
    moi_free(ctx, tensors);
    moi_free(ctx, values);
    return rc;
}

int32_t mopt_model_save(const mopt_model *model, const char *path)
{
    if (model == NULL || path == NULL)
        return moi_fail_null("mopt_model_save", model ? "path" : "model");
    if (model->weights == NULL)
        return moi_fail(MOPT_ESTATE, "mopt_model_save: the model's weights "
                                     "are not set yet");
    int32_t rc = check_finite(model);
    if (rc != MOPT_OK)
        return rc;
    json_t *metadata = moi_model_metadata(model);
    rc = metadata != NULL
             ? write_tensors(model, metadata, path)
             : moi_fail(MOPT_ENOMEM, "no memory for a model's description");
    json_decref(metadata);
    return rc;
}

/* ---- loading ---- */

/* A text of the metadata as JSON. */
static int32_t read_document(const moi_safetensors *file, const char *key,
                             json_t **out)
{
    const char *text = moi_safetensors_text(file, key);
    if (text == NULL)
        return moi_fail(MOPT_EFORMAT,
                        "the metadata have no \"%s\": not a model of this "
                        "library", key);
    int32_t rc = moi_json_parse(text, out);
    return rc == MOPT_EFORMAT ? moi_fail_at(rc, "\"%s\": ", key) : rc;
}

/* The model without weights. */
static int32_t read_tree(mopt_context *ctx, const moi_safetensors *file,
                         mopt_model **out)
{
    json_t *tree = NULL;
    const char *format = moi_safetensors_text(file, "modelopt.format");
    if (format != NULL && strcmp(format, FORMAT) != 0)
        return moi_fail(MOPT_EFORMAT,
                        "\"modelopt.format\" is '%.20s', but this version "
                        "reads '" FORMAT "' only", format);
    int32_t rc = read_document(file, "modelopt.model", &tree);
    if (rc != MOPT_OK)
        return rc;
    json_t *inputs = json_incref(json_object_get(tree, "inputs"));
    if (json_is_integer(inputs)) {
        json_object_del(tree, "inputs");
        rc = moi_model_from_json(ctx, tree, NULL, json_integer_value(inputs),
                                 0, out);
        /* Whatever is wrong with it is the file's fault. */
        if (rc != MOPT_OK && rc != MOPT_ENOMEM)
            rc = moi_fail_at(MOPT_EFORMAT, "\"modelopt.model\": ");
    } else {
        rc = moi_fail(MOPT_EFORMAT,
                      "\"modelopt.model\": 'inputs' is not an integer");
    }
    json_decref(inputs);
    json_decref(tree);
    return rc;
}

static int32_t read_transform(mopt_context *ctx, const moi_safetensors *file,
                              mopt_model *model)
{
    json_t *json = NULL;
    mopt_transform *transform = NULL;
    if (moi_safetensors_text(file, "modelopt.transform") == NULL)
        return MOPT_OK;
    int32_t rc = read_document(file, "modelopt.transform", &json);
    if (rc == MOPT_OK)
        rc = moi_transform_from_json(ctx, json, &transform);
    if (rc == MOPT_OK)
        rc = mopt_model_set_transform(model, transform);
    mopt_transform_free(transform);
    json_decref(json);
    if (rc != MOPT_OK && rc != MOPT_ENOMEM)
        return moi_fail_at(MOPT_EFORMAT, "\"modelopt.transform\": ");
    return rc;
}

/* The tensor of the file that a parameter is; its shape is what it must be. */
static int32_t find_tensor(const moi_safetensors *file, const moi_param *param,
                           const moi_tensor **out)
{
    const moi_tensor *tensor = moi_safetensors_find(file, param->name);
    if (tensor == NULL)
        return moi_fail(MOPT_EFORMAT, "there is no tensor '%s'", param->name);
    int32_t same = tensor->rank == param->rank;
    for (int32_t i = 0; i < tensor->rank && same; i++)
        same = tensor->shape[i] == param->shape[i];
    if (!same)
        return moi_fail(MOPT_EFORMAT,
                        "tensor '%s' has another shape than the model says",
                        param->name);
    *out = tensor;
    return MOPT_OK;
}

/* All shapes are compared with the file before memory is taken. */
static int32_t check_tensors(const moi_safetensors *file,
                             const mopt_model *model)
{
    const moi_tensor *tensor = NULL;
    int32_t rc = MOPT_OK;
    for (int64_t k = 0; k < model->param_count && rc == MOPT_OK; k++)
        rc = find_tensor(file, &model->params[k], &tensor);
    if (rc == MOPT_OK && moi_safetensors_count(file) != model->param_count)
        rc = moi_fail(MOPT_EFORMAT,
                      "the file has %" PRId64 " tensors, its model %" PRId64,
                      moi_safetensors_count(file), model->param_count);
    return rc;
}

static int32_t read_weights(const moi_safetensors *file, mopt_model *model)
{
    float *values = NULL;
    const moi_tensor *tensor = NULL;
    int32_t rc = check_tensors(file, model);
    if (rc == MOPT_OK)
        rc = moi_model_alloc(model);
    if (rc != MOPT_OK)
        return rc;
    values = moi_alloc(model->ctx, model->size, sizeof(float));
    if (values == NULL)
        return MOPT_ENOMEM;
    for (int64_t k = 0; k < model->param_count && rc == MOPT_OK; k++) {
        rc = find_tensor(file, &model->params[k], &tensor);
        if (rc == MOPT_OK)
            rc = moi_tensor_floats(tensor, values + model->params[k].offset);
    }
    if (rc == MOPT_OK)
        moi_model_import(model, values, model->weights);
    moi_free(model->ctx, values);
    return rc;
}

int32_t mopt_model_load(mopt_context *ctx, const char *path, mopt_model **out)
{
    if (ctx == NULL || path == NULL || out == NULL)
        return moi_fail_null("mopt_model_load", ctx == NULL    ? "ctx"
                                                : path == NULL ? "path"
                                                               : "out");
    moi_safetensors *file = NULL;
    mopt_model *model = NULL;
    int32_t rc = moi_safetensors_read(ctx, path, &file);
    if (rc != MOPT_OK)
        return rc;
    rc = read_tree(ctx, file, &model);
    if (rc == MOPT_OK)
        rc = read_transform(ctx, file, model);
    if (rc == MOPT_OK)
        rc = read_weights(file, model);
    moi_safetensors_free(file);
    if (rc == MOPT_OK) {
        *out = model;
        return rc;
    }
    mopt_model_free(model);
    return rc == MOPT_ENOMEM ? rc : moi_fail_at(rc, "%s: ", path);
}
