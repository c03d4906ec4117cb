/* SPDX-License-Identifier: MIT
 * lib/learn/distill/hint.h: a student's hidden layer is led to a teacher's. */
#ifndef MOI_LEARN_HINT_H
#define MOI_LEARN_HINT_H

#include "learn/train/extend.h"

/* A projection from the student's hidden layer to the teacher's, learnt with
 * the student (Romero et al. 2015, "FitNets", section 2.2). */
typedef struct moi_hint {
    mopt_context *ctx;
    int64_t width, wanted; /* of the student's layer, of the teacher's */
    moi_param param;       /* [width][wanted] */
    moi_annex annex;
    moi_real *error; /* room: [chunk][wanted] */
} moi_hint;

int32_t moi_hint_init(moi_hint *hint, mopt_context *ctx, int64_t width,
                      int64_t wanted, int64_t chunk, uint64_t seed);
void moi_hint_clear(moi_hint *hint);

/* Mean over rows and wanted of the squared distance; gradients, times
 * sight->scale, to the tap and the projection. */
int32_t moi_hint_loss(moi_hint *hint, const moi_sight *sight, int64_t tap,
                      const moi_real *teacher, double *loss);

#endif
