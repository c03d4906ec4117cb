/* SPDX-License-Identifier: MIT
 * lib/learn/distill/hint.c: a student's hidden layer is led to a teacher's. */
#include "learn/distill/hint.h"

#include <math.h>

#include "backend/dense.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"

static char param_name[] = "hint.projection";

/* Uniform within 1 / sqrt(width), as PyTorch starts a linear layer. */
static void draw(moi_hint *hint, uint64_t seed)
{
    double bound = 1 / sqrt((double)hint->width);
    moi_rng rng;

    moi_rng_init(&rng, seed, 0, MOI_RNG_INIT, moi_rng_hash(param_name) >> 6);
    for (int64_t i = 0; i < hint->param.count; i++)
        hint->annex.weights[i] =
            (moi_real)(bound * (2 * moi_rng_uniform(&rng) - 1));
}

int32_t moi_hint_init(moi_hint *hint, mopt_context *ctx, int64_t width,
                      int64_t wanted, int64_t chunk, uint64_t seed)
{
    int64_t count = 0, size;
    int32_t rc = moi_multiply(width, wanted, "a hint's projection", &count);

    if (rc)
        return rc;
    *hint = (moi_hint){.ctx = ctx, .width = width, .wanted = wanted};
    hint->param = (moi_param){.name = param_name, .rank = 2,
                              .shape = {width, wanted}, .count = count};
    size = (count + 15) & ~(int64_t)15;
    hint->annex = (moi_annex){.count = 1, .params = &hint->param,
                              .size = size};
    hint->annex.weights = moi_calloc(ctx, size, sizeof(moi_real));
    hint->annex.grads = moi_calloc(ctx, size, sizeof(moi_real));
    hint->error = moi_calloc(ctx, chunk * wanted, sizeof(moi_real));
    if (!hint->annex.weights || !hint->annex.grads || !hint->error)
        return MOPT_ENOMEM;
    draw(hint, seed);
    return MOPT_OK;
}

void moi_hint_clear(moi_hint *hint)
{
    moi_free(hint->ctx, hint->annex.weights);
    moi_free(hint->ctx, hint->annex.grads);
    moi_free(hint->ctx, hint->error);
}

int32_t moi_hint_loss(moi_hint *hint, const moi_sight *sight, int64_t tap,
                      const moi_real *teacher, double *loss)
{
    int64_t rows = sight->rows, in = hint->width, out = hint->wanted;
    moi_real factor = 2 * sight->scale / (moi_real)(rows * out);
    moi_real *e = hint->error;
    double sum = 0;
    int32_t rc = moi_gemm(hint->ctx, 0, 0, rows, out, in, 1, sight->tap[tap],
                          in, hint->annex.weights, out, 0, e, out);

    if (rc)
        return rc;
    for (int64_t i = 0; i < rows * out; i++) {
        e[i] -= teacher[i];
        sum += (double)e[i] * (double)e[i];
    }
    *loss = sum / (double)(rows * out);
    if (!sight->grad)
        return MOPT_OK;
    rc = moi_gemm(hint->ctx, 1, 0, in, out, rows, factor, sight->tap[tap], in,
                  e, out, 1, hint->annex.grads, out);
    return rc ? rc : moi_gemm(hint->ctx, 0, 1, rows, in, out, factor, e, out,
                              hint->annex.weights, out, 1,
                              sight->tap_grad[tap], in);
}
