/* SPDX-License-Identifier: MIT
 * lib/learn/nn/weights.c: first values, and tensors in and out.
 *
 * Inside, matrices are kept [in][out], as the products like them; outside they
 * are [out][in], as PyTorch and everybody who reads our files has them. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "learn/nn/model_inside.h"

void moi_model_offsets(const mopt_model *model, const moi_layer *layer,
                       int64_t offset[MOI_LAYER_TENSORS])
{
    for (int64_t k = 0; k < layer->tensors; k++)
        offset[k] = model->params[layer->first + k].offset;
}

int32_t moi_model_draw(const mopt_model *model, int64_t seed, moi_real **out)
{
    moi_real *fresh = moi_calloc(model->ctx, model->size, sizeof(moi_real));
    int32_t rc = fresh != NULL ? MOPT_OK : MOPT_ENOMEM;
    for (int64_t i = 0; i < model->count && rc == MOPT_OK; i++) {
        const moi_layer *layer = &model->layers[i];
        int64_t offset[MOI_LAYER_TENSORS];
        moi_model_offsets(model, layer, offset);
        if (layer->kind->init != NULL)
            rc = layer->kind->init(layer, model->ctx, (uint64_t)seed, offset,
                                   fresh);
    }
    if (rc == MOPT_OK)
        *out = fresh;
    else
        moi_free(model->ctx, fresh);
    return rc;
}

/* Plans point into a block that is there already: it stays. */
void moi_model_exchange(mopt_model *model, moi_real **block)
{
    moi_real *own = model->weights;
    model->weights = *block;
    *block = own;
}

/* The own block stays, so that coming home takes no memory. */
int32_t moi_model_lodge(mopt_model *model, moi_real *block)
{
    if (model->home != NULL)
        return 0;
    memcpy(block, model->weights, (size_t)model->size * sizeof(moi_real));
    model->home = model->weights;
    model->weights = block;
    return 1;
}

void moi_model_come_home(mopt_model *model)
{
    memcpy(model->home, model->weights,
           (size_t)model->size * sizeof(moi_real));
    model->weights = model->home;
    model->home = NULL;
}

void moi_model_take(mopt_model *model, moi_real *block)
{
    if (model->weights == NULL) {
        model->weights = block;
        return;
    }
    memcpy(model->weights, block, (size_t)model->size * sizeof(moi_real));
    moi_free(model->ctx, block);
}

int32_t mopt_model_init(mopt_model *model, int64_t seed)
{
    if (model == NULL)
        return moi_fail_null("mopt_model_init", "model");
    if (model->count == 0)
        return moi_fail(MOPT_ESTATE, "mopt_model_init: the model has no "
                                     "layers");
    /* Filled apart, so that a failure leaves the old weights. */
    moi_real *fresh = NULL;
    int32_t rc = moi_model_draw(model, seed, &fresh);
    if (rc == MOPT_OK)
        moi_model_take(model, fresh);
    return rc;
}

/* A tensor as a matrix seen from outside; inside, value (i, j) is at
 * j * rows + i. What is not transposed is one row. */
typedef struct matrix {
    int64_t rows, cols;
} matrix;

static matrix matrix_of(const moi_param *param)
{
    int32_t turned = (param->flags & MOI_PARAM_TRANSPOSED) != 0;
    int64_t rows = turned ? param->shape[0] : 1;
    return (matrix){rows, param->count / rows};
}

void moi_model_export(const mopt_model *model, const moi_real *block,
                      float *values)
{
    memset(values, 0, (size_t)model->size * sizeof(float));
    for (int64_t k = 0; k < model->param_count; k++) {
        matrix m = matrix_of(&model->params[k]);
        int64_t at = model->params[k].offset;
        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.cols; j++)
                values[at + i * m.cols + j] =
                    (float)block[at + j * m.rows + i];
    }
}

void moi_model_import(const mopt_model *model, const float *values,
                      moi_real *block)
{
    memset(block, 0, (size_t)model->size * sizeof(moi_real));
    for (int64_t k = 0; k < model->param_count; k++) {
        matrix m = matrix_of(&model->params[k]);
        int64_t at = model->params[k].offset;
        for (int64_t i = 0; i < m.rows; i++)
            for (int64_t j = 0; j < m.cols; j++)
                block[at + j * m.rows + i] =
                    (moi_real)values[at + i * m.cols + j];
    }
}

static const char *name_at(const void *list, int64_t i)
{
    return ((const mopt_model *)list)->params[i].name;
}

/* The common part of reading and writing one tensor. */
static int32_t find(const char *function, const mopt_model *model,
                    const char *name, const float *values, int64_t count,
                    const moi_param **out)
{
    if (model == NULL || name == NULL || (values == NULL && count != 0))
        return moi_fail_null(function, model == NULL  ? "model"
                                       : name == NULL ? "name"
                                                      : "values");
    if (model->weights == NULL)
        return moi_fail(MOPT_ESTATE,
                        "%s: the model's weights are not set yet", function);
    const moi_param *param = NULL;
    for (int64_t i = 0; i < model->param_count; i++)
        if (strcmp(model->params[i].name, name) == 0)
            param = &model->params[i];
    if (param == NULL) {
        int64_t near = moi_text_nearest(name, model->param_count, name_at,
                                        model);
        return moi_fail(MOPT_EKEY, "%s: there is no tensor '%s'%s%s", function,
                        name, near < 0 ? "" : "; the nearest is ",
                        near < 0 ? "" : name_at(model, near));
    }
    if (count != param->count)
        return moi_fail(MOPT_EINVAL,
                        "%s: count is %" PRId64 ", but '%s' has %" PRId64
                        " values", function, count, name, param->count);
    *out = param;
    return MOPT_OK;
}

int32_t mopt_model_get_tensor(const mopt_model *model, const char *name,
                              float *values, int64_t count)
{
    const moi_param *param = NULL;
    int32_t rc = find("mopt_model_get_tensor", model, name, values, count,
                      &param);
    if (rc != MOPT_OK)
        return rc;
    const moi_real *from = model->weights + param->offset;
    matrix m = matrix_of(param);
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.cols; j++)
            values[i * m.cols + j] = (float)from[j * m.rows + i];
    return MOPT_OK;
}

int32_t mopt_model_set_tensor(mopt_model *model, const char *name,
                              const float *values, int64_t count)
{
    const moi_param *param = NULL;
    char number[MOI_NUMBER_SIZE];
    int32_t rc = find("mopt_model_set_tensor", model, name, values, count,
                      &param);
    if (rc != MOPT_OK)
        return rc;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return moi_fail(MOPT_EINVAL,
                            "mopt_model_set_tensor: value %" PRId64
                            " of '%s' is %s; allowed are finite numbers", i,
                            name, moi_number_text((double)values[i], number));
    moi_real *to = model->weights + param->offset;
    matrix m = matrix_of(param);
    for (int64_t i = 0; i < m.rows; i++)
        for (int64_t j = 0; j < m.cols; j++)
            to[j * m.rows + i] = (moi_real)values[i * m.cols + j];
    return MOPT_OK;
}
