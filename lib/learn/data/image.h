/* SPDX-License-Identifier: MIT
 * lib/learn/data/image.h: rows that are images, and moving what they show. */
#ifndef MOI_LEARN_IMAGE_H
#define MOI_LEARN_IMAGE_H

#include "learn/data/store.h"

/* What an image shows, turned about its middle, made larger, then moved. */
typedef struct moi_warp {
    double degrees; /* counter-clockwise, as a person sees it */
    double zoom;    /* 1: as large as it is */
    int64_t right, down; /* pixels */
} moi_warp;

/* The geometry of a data set's rows: what the host or the source said, or one
 * square channel if the cells of a row make one. MOPT_EINVAL: they are no
 * images. */
int32_t moi_image_shape(const mopt_dataset *data, moi_image *out);

/* Both [channels][height][width]; what comes from outside is 0. Pixels between
 * four others are weighted by their distances (bilinear). */
void moi_image_warp(const moi_image *shape, const moi_warp *warp,
                    const moi_real *in, moi_real *out);

/* Turn all images of a new store; whole numbers are rounded. */
int32_t moi_image_rotate(moi_store *store, double degrees);

#endif
