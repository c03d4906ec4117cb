/* SPDX-License-Identifier: MIT
 * lib/learn/train/holder.h: weights that one rank holds for all, who come when
 * they like.
 *
 * The first rank holds them. Each rank brings what it has moved since it last
 * took them, and takes the newest: nobody waits for anybody but the holder. A
 * rank that does not come any more is not missed. The order in which ranks
 * come decides on the bits. */
#ifndef MOI_LEARN_HOLDER_H
#define MOI_LEARN_HOLDER_H

#include <modelopt/group.h>

#include "backend/real.h"

typedef struct moi_holder moi_holder;

/* n weights; an outer step with a rate and a momentum. Collective, but for a
 * group that is NULL: one rank. */
int32_t moi_holder_create(mopt_context *ctx, mopt_group *group, int64_t n,
                          double rate, double momentum, moi_holder **out);
void moi_holder_free(moi_holder *h);

/* Begin with weights and the momentum of the outer step, which count at the
 * first rank; nothing if it has begun. */
int32_t moi_holder_open(moi_holder *h, const moi_real *w, const moi_real *m);

/* Bring moved[n], made at so many steps a second, and take the newest weights.
 * *share receives that speed as a part of the fastest rank's. */
int32_t moi_holder_push(moi_holder *h, const moi_real *moved, double speed,
                        moi_real *w, double *share);

/* This rank is done. Once all are, or are gone, take what has come out. */
int32_t moi_holder_close(moi_holder *h, moi_real *w);

/* This rank has failed with a status, and does not come any more. If it is the
 * first, that is the end for all. */
void moi_holder_quit(moi_holder *h, int32_t status);

/* Of the outer step, at the first rank. */
void moi_holder_momentum(moi_holder *h, moi_real *m);

#endif
