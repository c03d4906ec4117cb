/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/lora.c: low-rank changes of matrices. */
#include "learn/transfer/lora.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/dense.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/text.h"

#define NAME_SIZE 256

void moi_lora_free(moi_lora *lora)
{
    mopt_context *ctx;

    if (!lora)
        return;
    ctx = lora->ctx;
    moi_free(ctx, lora->factors);
    moi_free(ctx, lora->params);
    moi_free(ctx, lora->names);
    moi_free(ctx, lora->wanted);
    moi_free(ctx, lora->base);
    moi_free(ctx, lora->annex.weights);
    moi_free(ctx, lora->annex.grads);
    mopt_model_free(lora->model);
    moi_free(ctx, lora);
    moi_context_release(ctx);
}

/* ---- which matrices ---- */

static int32_t is_matrix(const moi_param *p)
{
    return p->rank >= 2 && !(p->flags & MOI_PARAM_NO_DECAY);
}

static int64_t count_targets(moi_lora *lora, const char *targets,
                             const int32_t *others)
{
    int64_t count = 0;

    for (int64_t i = 0; i < moi_model_param_count(lora->model); i++) {
        const moi_param *p = moi_model_param(lora->model, i);

        lora->wanted[i] = is_matrix(p) && !(others && others[i]) &&
                          moi_text_in_globs(targets, p->name);
        count += lora->wanted[i];
    }
    return count;
}

static void set_param(moi_lora *lora, int64_t at, const char *of,
                      const char *what, int64_t rows, int64_t cols)
{
    char *name = lora->names + at * NAME_SIZE;

    snprintf(name, NAME_SIZE, "%s.%s", of, what);
    lora->params[at] = (moi_param){
        .name = name,
        .rank = 2,
        .shape = {rows, cols},
        .count = rows * cols,
        .offset = lora->annex.size,
    };
    lora->annex.size += (rows * cols + 15) & ~(int64_t)15;
}

static void list_factors(moi_lora *lora)
{
    int64_t k = 0;

    for (int64_t i = 0; i < moi_model_param_count(lora->model); i++) {
        const moi_param *p = moi_model_param(lora->model, i);
        int32_t turned = p->flags & MOI_PARAM_TRANSPOSED;
        int64_t rows = turned ? p->count / p->shape[0] : p->shape[0];
        moi_factors *f = &lora->factors[k];

        if (!lora->wanted[i])
            continue;
        *f = (moi_factors){.tensor = i, .rows = rows,
                           .cols = p->count / rows};
        f->left = lora->annex.size;
        set_param(lora, 2 * k, p->name, turned ? "lora_A" : "lora_B", rows,
                  lora->rank);
        f->right = lora->annex.size;
        set_param(lora, 2 * k + 1, p->name, turned ? "lora_B" : "lora_A",
                  lora->rank, f->cols);
        k++;
    }
}

/* ---- at work ---- */

/* A is uniform as PyTorch's kaiming_uniform_(a = sqrt 5): within 1 / sqrt of
 * its inputs. B is 0: the model begins as the source. */
static void draw(moi_lora *lora, uint64_t seed)
{
    for (int64_t k = 0; k < lora->count; k++) {
        const moi_factors *f = &lora->factors[k];
        const moi_param *p = moi_model_param(lora->model, f->tensor);
        int32_t turned = p->flags & MOI_PARAM_TRANSPOSED;
        int64_t inputs = turned ? f->rows : f->cols;
        moi_real *a = lora->annex.weights + (turned ? f->left : f->right);
        double bound = 1 / sqrt((double)inputs);
        moi_rng rng;

        moi_rng_init(&rng, seed, 1, MOI_RNG_INIT, (uint32_t)f->tensor);
        for (int64_t i = 0; i < inputs * lora->rank; i++)
            a[i] = (moi_real)(bound * (2 * moi_rng_uniform(&rng) - 1));
    }
}

/* d left = scale dW right^T; d right = scale left^T dW. */
static int32_t pull(void *user, const moi_real *grads)
{
    moi_lora *lora = user;
    moi_real scale = (moi_real)lora->scale;
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; !rc && k < lora->count; k++) {
        const moi_factors *f = &lora->factors[k];
        const moi_real *dw =
            grads + moi_model_param(lora->model, f->tensor)->offset;
        const moi_real *w = lora->annex.weights;
        moi_real *g = lora->annex.grads;

        rc = moi_gemm(lora->ctx, 0, 1, f->rows, lora->rank, f->cols, scale,
                      dw, f->cols, w + f->right, f->cols, 1, g + f->left,
                      lora->rank);
        if (!rc)
            rc = moi_gemm(lora->ctx, 1, 0, lora->rank, f->cols, f->rows,
                          scale, w + f->left, lora->rank, dw, f->cols, 1,
                          g + f->right, f->cols);
    }
    return rc;
}

static int32_t settle(void *user)
{
    moi_lora *lora = user;
    int32_t rc = MOPT_OK;

    for (int64_t k = 0; !rc && k < lora->count; k++) {
        const moi_factors *f = &lora->factors[k];
        int64_t offset = moi_model_param(lora->model, f->tensor)->offset;
        const moi_real *w = lora->annex.weights;
        moi_real *out = moi_model_weights(lora->model) + offset;

        memcpy(out, lora->base + offset,
               (size_t)(f->rows * f->cols) * sizeof *out);
        rc = moi_gemm(lora->ctx, 0, 0, f->rows, f->cols, lora->rank,
                      (moi_real)lora->scale, w + f->left, lora->rank,
                      w + f->right, f->cols, 1, out, f->cols);
    }
    return rc;
}

/* ---- life ---- */

static int32_t take_room(moi_lora *lora)
{
    int64_t size = moi_model_size(lora->model);

    lora->factors = moi_calloc(lora->ctx, lora->count, sizeof *lora->factors);
    lora->params = moi_calloc(lora->ctx, 2 * lora->count,
                              sizeof *lora->params);
    lora->names = moi_calloc(lora->ctx, 2 * lora->count, NAME_SIZE);
    lora->base = moi_alloc(lora->ctx, size, sizeof *lora->base);
    if (!lora->factors || !lora->params || !lora->names || !lora->base)
        return MOPT_ENOMEM;
    memcpy(lora->base, moi_model_weights(lora->model),
           (size_t)size * sizeof *lora->base);
    list_factors(lora);
    lora->annex.weights = moi_calloc(lora->ctx, lora->annex.size,
                                     sizeof *lora->base);
    lora->annex.grads = moi_calloc(lora->ctx, lora->annex.size,
                                   sizeof *lora->base);
    return lora->annex.weights && lora->annex.grads ? MOPT_OK : MOPT_ENOMEM;
}

static int32_t make(moi_lora *lora, const char *targets, const int32_t *others,
                    uint64_t seed)
{
    int32_t rc;

    lora->wanted = moi_calloc(lora->ctx, moi_model_param_count(lora->model),
                              sizeof *lora->wanted);
    if (!lora->wanted)
        return MOPT_ENOMEM;
    lora->count = count_targets(lora, targets, others);
    if (!lora->count)
        return moi_fail(MOPT_EKEY, "method.targets: no matrix that is kept "
                        "matches '%.100s'", targets);
    rc = take_room(lora);
    if (rc)
        return rc;
    lora->annex.count = 2 * lora->count;
    lora->annex.params = lora->params;
    lora->annex.wanted = lora->wanted;
    lora->annex.pull = pull;
    lora->annex.settle = settle;
    lora->annex.user = lora;
    draw(lora, seed);
    return MOPT_OK;
}

int32_t moi_lora_create(mopt_model *model, const char *targets,
                        const int32_t *others, int64_t rank, double scale,
                        uint64_t seed, moi_lora **out)
{
    mopt_context *ctx = moi_model_context(model);
    moi_lora *lora = moi_calloc(ctx, 1, sizeof *lora);
    int32_t rc;

    if (!lora)
        return MOPT_ENOMEM;
    lora->ctx = moi_context_hold(ctx);
    lora->model = moi_model_hold(model);
    lora->rank = rank;
    lora->scale = scale;
    rc = make(lora, targets, others, seed);
    if (rc)
        moi_lora_free(lora);
    else
        *out = lora;
    return rc;
}
