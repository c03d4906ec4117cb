/* SPDX-License-Identifier: MIT
 * lib/learn/data/augment.c: rows seen a little differently each time.
 *
 * Pixels move before they are scaled: what comes in from outside is a 0 of the
 * source, whatever the transform makes of it. */
#include "learn/data/augment.h"

#include <string.h>

#include "base/config.h"
#include "base/context.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/status.h"

int32_t moi_augment_init(moi_augment *a, const mopt_config *config,
                         uint64_t seed, const mopt_dataset *data)
{
    int32_t rc = MOPT_OK;

    *a = (moi_augment){
        .ctx = moi_dataset_context(data),
        .shift = moi_config_int(config, "augment.shift"),
        .views = moi_config_int(config, "augment.views"),
        .rotate = moi_config_float(config, "augment.rotate"),
        .scale = moi_config_float(config, "augment.scale"),
        .noise = moi_config_float(config, "augment.noise"),
        .seed = seed,
    };
    if (a->shift > 0 || a->rotate > 0 || a->scale > 0) {
        rc = moi_image_shape(data, &a->shape);
        if (rc)
            return moi_fail_at(rc, "augment: ");
        a->active = 1;
    }
    if (a->noise > 0)
        a->active = 1;
    if (!a->active)
        return MOPT_OK;
    a->room = moi_alloc(a->ctx, moi_dataset_features(data), sizeof *a->room);
    return a->room ? MOPT_OK : MOPT_ENOMEM;
}

void moi_augment_clear(moi_augment *a)
{
    moi_free(a->ctx, a->room);
    a->room = NULL;
}

int64_t moi_augment_view(const moi_augment *a, int64_t epoch)
{
    if (!a->active)
        return 0;
    return a->views > 0 ? epoch % a->views : epoch;
}

uint64_t moi_augment_digest(const moi_augment *a)
{
    const double fields[] = {
        (double)a->shift,
        (double)a->views,
        a->rotate,
        a->scale,
        a->noise,
        (double)a->seed,
        (double)a->shape.channels,
        (double)a->shape.height,
        (double)a->shape.width,
    };

    return a->active ? moi_hash(MOI_HASH_START, fields, sizeof fields) : 0;
}

/* ---- one row ---- */

/* Evenly in [-most, most]. */
static double around(moi_rng *rng, double most)
{
    return most * (2 * moi_rng_uniform(rng) - 1);
}

static int64_t step(moi_rng *rng, int64_t most)
{
    return (int64_t)moi_rng_below(rng, 2 * (uint64_t)most + 1) - most;
}

static void add_noise(const moi_augment *a, moi_rng *rng, int64_t count,
                      moi_real *x)
{
    for (int64_t k = 0; k < count; k++)
        x[k] += (moi_real)(a->noise * moi_rng_normal(rng));
}

void moi_dataset_gather_view(const mopt_dataset *data, const int64_t *rows,
                             int64_t count, moi_augment *a, int64_t view,
                             moi_real *x)
{
    int64_t width = moi_dataset_features(data);
    int32_t moves = a->shape.channels > 0;

    if (!moves)
        moi_dataset_gather(data, rows, count, x);
    for (int64_t i = 0; i < count; i++, x += width) {
        moi_warp warp;
        moi_rng rng;

        moi_rng_init(&rng, a->seed, (uint32_t)view, MOI_RNG_AUGMENT,
                     (uint32_t)(rows[i] & 0x3ffffff));
        warp.right = step(&rng, a->shift);
        warp.down = step(&rng, a->shift);
        warp.degrees = a->rotate > 0 ? around(&rng, a->rotate) : 0;
        warp.zoom = a->scale > 0 ? 1 + around(&rng, a->scale) : 1;
        if (moves) {
            moi_dataset_gather_raw(data, rows + i, 1, a->room);
            moi_image_warp(&a->shape, &warp, a->room, x);
            moi_dataset_scale(data, x);
        }
        if (a->noise > 0)
            add_noise(a, &rng, width, x);
    }
}
