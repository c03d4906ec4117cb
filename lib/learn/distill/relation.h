/* SPDX-License-Identifier: MIT
 * lib/learn/distill/relation.h: how the rows of a batch lie to each other, in
 * a student as in its teacher (Park, Kim, Lu and Cho 2019, "Relational
 * Knowledge Distillation"). The two may be of different widths. */
#ifndef MOI_LEARN_RELATION_H
#define MOI_LEARN_RELATION_H

#include <modelopt/context.h>

#include "backend/real.h"

/* Rows of a chunk that are looked at: distances of all pairs among them, and
 * angles of all triples. Work and room grow with the square and the cube. */
#define MOI_RELATION_PAIRS 128
#define MOI_RELATION_TRIPLES 32

typedef struct moi_relation {
    mopt_context *ctx;
    double distance, angle; /* weights */
    double *room;
    int64_t widest;
} moi_relation;

int32_t moi_relation_init(moi_relation *r, mopt_context *ctx, double distance,
                          double angle, int64_t width, int64_t wanted);
void moi_relation_clear(moi_relation *r);

/* Weighted sum of both parts, each the mean of smooth L1 differences over the
 * pairs or triples; scale times its gradient is added to grad[rows][width].
 * MOPT_ECANCELED: the work was given up. */
int32_t moi_relation_loss(const moi_relation *r, int64_t rows, int64_t width,
                          const moi_real *student, int64_t wanted,
                          const moi_real *teacher, double scale,
                          moi_real *grad, const mopt_cancel *cancel,
                          double *loss);

#endif
