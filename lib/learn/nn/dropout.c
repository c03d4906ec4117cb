/* SPDX-License-Identifier: MIT
 * lib/learn/nn/dropout.c: in training, zeros at random (Srivastava et al. 2014,
 * inverted form).
 *
 * Masks are words of the stream keyed by (seed, step, layer), at a place fixed
 * by the row: the same whoever computes a row, and nothing to keep. A group of
 * LANES blocks of Philox4x32-10 (base/rng.c) is drawn at once, word k of block
 * b being that of value k * LANES + b, so that the compiler makes vectors of
 * it. After relu no mask is kept: where a value was dropped or cut off, the
 * output is 0, and that tells the input gradient of the next layer all. */
#include <string.h>

#include "backend/kernels.h"
#include "base/rng.h"
#include "learn/nn/layer.h"

#define LANES 16          /* blocks drawn at a time */
#define GROUP (4 * LANES) /* words of them */

typedef struct settings {
    double rate;
    uint32_t below; /* words below are dropped: rate of 2^32 */
    moi_real scale; /* of what stays */
} settings;

static int32_t infer(moi_layer *layer)
{
    settings *s = layer->settings;
    s->rate = moi_config_float(layer->config, "rate");
    s->below = (uint32_t)(s->rate * 0x1p32);
    s->scale = (moi_real)(1 / (1 - s->rate));
    layer->out = layer->in;
    return MOPT_OK;
}

/* Multipliers and Weyl constants: see base/rng.c. */
MOI_CLONES
static void draw(const uint32_t key[2], const uint32_t counter[4],
                 uint64_t first, uint32_t words[GROUP])
{
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    for (uint32_t i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(first + i);
        c1[i] = (uint32_t)((first + i) >> 32);
        c2[i] = counter[2];
        c3[i] = counter[3];
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int32_t round = 0; round < 10; round++) {
        for (int32_t i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i];
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(words, c0, sizeof(c0));
    memcpy(words + LANES, c1, sizeof(c1));
    memcpy(words + 2 * LANES, c2, sizeof(c2));
    memcpy(words + 3 * LANES, c3, sizeof(c3));
}

MOI_CLONES
static void drop(int64_t n, const uint32_t *words, uint32_t below,
                 moi_real scale, const moi_real *x, moi_real *y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = words[j] < below ? 0 : scale * x[j];
}

/* y = x with its mask applied. */
static void apply(const moi_work *work, int64_t rows, const moi_pass *pass,
                  const moi_real *x, moi_real *y)
{
    const settings *s = work->layer->settings;
    int64_t n = work->in, groups = (n + GROUP - 1) / GROUP;
    moi_rng rng;
    uint32_t words[GROUP];
    moi_rng_init(&rng, pass->seed, (uint32_t)pass->step, MOI_RNG_DROPOUT,
                 (uint32_t)work->layer->index);
    for (int64_t r = 0; r < rows; r++) {
        uint64_t block = (uint64_t)((pass->row + r) * groups) * LANES;
        for (int64_t j = 0; j < n; j += GROUP, block += LANES) {
            int64_t count = n - j < GROUP ? n - j : GROUP;
            draw(rng.key, rng.counter, block, words);
            drop(count, words, s->below, s->scale, x + r * n + j,
                 y + r * n + j);
        }
    }
}

MOI_CLONES
static void multiply(int64_t n, moi_real factor, const moi_real *x,
                     moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

static int32_t forward(const moi_work *work, const moi_real *weights,
                       int64_t rows, const moi_pass *pass)
{
    (void)weights;
    if (pass->training)
        apply(work, rows, pass, work->x, work->y);
    else if (work->x != work->y && rows > 0)
        memcpy(work->y, work->x,
               (size_t)(rows * work->in) * sizeof(moi_real));
    return MOPT_OK;
}

static int32_t backward(const moi_work *work, const moi_real *weights,
                        int64_t rows, const moi_pass *pass, moi_real *grads)
{
    (void)weights;
    (void)grads;
    const settings *s = work->layer->settings;
    if (work->dx == NULL)
        return MOPT_OK;
    if (!pass->training)
        multiply(rows * work->in, 1, work->dy, work->dx);
    else if (work->masked)
        multiply(rows * work->in, s->scale, work->dy, work->dx);
    else
        apply(work, rows, pass, work->dy, work->dx);
    return MOPT_OK;
}

static const moi_key keys[] = {
    {"rate", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MAX, 0.5, 0, 1, NULL, NULL, NULL,
     "share of the values that are 0"},
    MOI_KEYS_END,
};

const moi_schema moi_layer_dropout_schema = {
    "layer.dropout", "in training, zeros at random", keys};

const moi_layer_kind moi_layer_dropout = {
    .schema = &moi_layer_dropout_schema,
    .flags = MOI_LAYER_IN_PLACE | MOI_LAYER_TRAINING | MOI_LAYER_KEEPS_ZERO,
    .settings_size = sizeof(settings),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};
