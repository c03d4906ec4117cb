/* SPDX-License-Identifier: MIT
 * lib/learn/nn/dropout.c: in training, zeros at random (Srivastava et al. 2014,
 * inverted form).
 *
 * Masks come from the stream keyed by (seed, step, layer), at a place fixed by
 * the row: the same whoever computes a row, and nothing to keep. A row takes
 * whole groups of LANES blocks of Philox4x32-10 (base/rng.c); word k of block b
 * is number k * LANES + b of the group, so that the compiler makes vectors of
 * it, and its halves serve two values: 16 bits make a rate precise to 1/65536.
 * After relu no mask is kept: where a value was dropped or cut off, the
 * output is 0, and that tells the input gradient of the next layer all. */
#include <string.h>

#include "backend/kernels.h"
#include "base/rng.h"
#include "learn/nn/layer.h"

#define LANES 16          /* blocks of a group: a vector of AVX-512 */
#define GROUP (4 * LANES) /* words of them, for twice as many values */
#define VALUES (2 * GROUP)
#define AT_ONCE 4         /* groups drawn at a time, to hide latencies */
#define BLOCKS (AT_ONCE * LANES)

typedef struct settings {
    uint32_t below; /* numbers of 16 bits below are dropped */
    moi_real scale; /* of what stays */
} settings;

static int32_t infer(moi_layer *layer)
{
    settings *s = layer->settings;
    double rate = moi_config_float(layer->config, "rate");
    s->below = (uint32_t)(rate * 0x1p16 + 0.5);
    if (s->below > 0xFFFF)
        s->below = 0xFFFF;
    s->scale = (moi_real)(0x1p16 / (0x1p16 - s->below));
    layer->out = layer->in;
    return MOPT_OK;
}

/* The words of AT_ONCE groups from block first on. Multipliers and Weyl
 * constants: see base/rng.c. */
MOI_CLONES
static void draw(const uint32_t key[2], const uint32_t counter[4],
                 uint64_t first, uint32_t words[AT_ONCE * GROUP])
{
    uint32_t c0[BLOCKS], c1[BLOCKS], c2[BLOCKS], c3[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++) {
        c0[i] = (uint32_t)(first + i);
        c1[i] = (uint32_t)((first + i) >> 32);
        c2[i] = counter[2];
        c3[i] = counter[3];
    }
    uint32_t k0 = key[0], k1 = key[1];
    for (int32_t round = 0; round < 10; round++) {
        for (int32_t i = 0; i < BLOCKS; i++) {
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
    for (int32_t g = 0; g < AT_ONCE; g++) {
        const size_t bytes = LANES * sizeof(uint32_t);
        memcpy(words + g * GROUP, c0 + g * LANES, bytes);
        memcpy(words + g * GROUP + LANES, c1 + g * LANES, bytes);
        memcpy(words + g * GROUP + 2 * LANES, c2 + g * LANES, bytes);
        memcpy(words + g * GROUP + 3 * LANES, c3 + g * LANES, bytes);
    }
}

/* Values of a group: the first GROUP by the low halves of its words, the rest
 * by the high ones. */
MOI_CLONES
static void drop(int64_t n, const uint32_t *words, uint32_t below,
                 moi_real scale, const moi_real *x, moi_real *y)
{
    int64_t low = n < GROUP ? n : GROUP;
    for (int64_t j = 0; j < low; j++)
        y[j] = (words[j] & 0xFFFF) < below ? 0 : scale * x[j];
    for (int64_t j = low; j < n; j++)
        y[j] = words[j - GROUP] >> 16 < below ? 0 : scale * x[j];
}

/* y = x with its mask applied, where a row is a piece of a longer one: its
 * values have the masks that they have there. */
static void apply_piece(const moi_work *work, int64_t rows,
                        const moi_pass *pass, const moi_real *x, moi_real *y)
{
    const settings *s = work->layer->settings;
    const moi_extent *piece = &work->layer->piece;
    int64_t groups = (piece->ins + VALUES - 1) / VALUES, n = work->in;
    moi_rng rng;
    uint32_t words[AT_ONCE * GROUP];
    moi_rng_init(&rng, pass->seed, (uint32_t)pass->step, MOI_RNG_DROPOUT,
                 (uint32_t)piece->layer);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t at = 0; at < n;) {
            int64_t j = piece->in + at, g = j / VALUES;
            int64_t end = (g + AT_ONCE) * VALUES - piece->in;
            draw(rng.key, rng.counter,
                 (uint64_t)((pass->row + row) * groups + g) * LANES, words);
            for (; at < n && at < end; at++, j++) {
                int64_t place = j - g * VALUES, k = place % VALUES;
                uint32_t word = words[place / VALUES * GROUP + k % GROUP];
                uint32_t bits = k < GROUP ? word & 0xFFFF : word >> 16;
                y[row * n + at] =
                    bits < s->below ? 0 : s->scale * x[row * n + at];
            }
        }
}

/* y = x with its mask applied. The groups of all rows are one run of blocks. */
static void apply(const moi_work *work, int64_t rows, const moi_pass *pass,
                  const moi_real *x, moi_real *y)
{
    const settings *s = work->layer->settings;
    int64_t n = work->in, groups = (n + VALUES - 1) / VALUES;
    int64_t first = pass->row * groups, row = 0, at = 0;
    moi_rng rng;
    uint32_t words[AT_ONCE * GROUP];
    if (n < work->layer->piece.ins) {
        apply_piece(work, rows, pass, x, y);
        return;
    }
    moi_rng_init(&rng, pass->seed, (uint32_t)pass->step, MOI_RNG_DROPOUT,
                 (uint32_t)work->layer->piece.layer);
    for (int64_t g = 0; g < rows * groups; g++) {
        if (g % AT_ONCE == 0)
            draw(rng.key, rng.counter, (uint64_t)(first + g) * LANES, words);
        int64_t count = n - at < VALUES ? n - at : VALUES;
        drop(count, words + g % AT_ONCE * GROUP, s->below, s->scale,
             x + row * n + at, y + row * n + at);
        at += count;
        if (at == n) {
            at = 0;
            row++;
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
                        int64_t rows, const moi_pass *pass)
{
    (void)weights;
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
