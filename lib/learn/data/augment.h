/* SPDX-License-Identifier: MIT
 * lib/learn/data/augment.h: rows seen a little differently each time.
 *
 * What becomes of a row depends on the seed, the row and the number of the
 * view alone: batches may be cut, threads changed and trainings resumed. */
#ifndef MOI_LEARN_AUGMENT_H
#define MOI_LEARN_AUGMENT_H

#include "base/schema.h"
#include "learn/data/image.h"

typedef struct moi_augment {
    mopt_context *ctx;
    int32_t active;
    int64_t shift, views;
    double rotate, scale, noise;
    uint64_t seed;
    moi_image shape;
    moi_real *room; /* a row */
} moi_augment;

/* Keys for a table: "augment.shift", ... */
#define MOI_AUGMENT_KEYS \
    MOI_INT("augment.shift", 0, 0, 1000, \
            "images: move each by up to so many pixels, every way"), \
    MOI_FLOAT("augment.rotate", 0, 0, 180, \
              "images: turn each by up to so many degrees"), \
    MOI_FLOAT("augment.scale", 0, 0, 0.9, \
              "images: make each larger or smaller by up to this share"), \
    MOI_FLOAT("augment.noise", 0, 0, 1e6, \
              "deviation of normal noise that is added to each input"), \
    MOI_INT("augment.views", 0, 0, 1e6, \
            "different views of a row, taken in turn; 0: a new one an epoch")

/* Read the keys; MOPT_EINVAL if rows must be images and are not. */
int32_t moi_augment_init(moi_augment *a, const mopt_config *config,
                         uint64_t seed, const mopt_dataset *data);
void moi_augment_clear(moi_augment *a);

/* The view that an epoch takes. */
int64_t moi_augment_view(const moi_augment *a, int64_t epoch);

/* A checksum of everything that makes a view what it is. */
uint64_t moi_augment_digest(const moi_augment *a);

/* As moi_dataset_gather, each row as this view has it. Uses a->room. */
void moi_dataset_gather_view(const mopt_dataset *data, const int64_t *rows,
                             int64_t count, moi_augment *a, int64_t view,
                             moi_real *x);

#endif
