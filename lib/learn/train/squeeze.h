/* SPDX-License-Identifier: MIT
 * lib/learn/train/squeeze.h: gradients that travel in fewer bytes.
 *
 * Halves: the upper 16 bits of each number (bf16). Or the largest few of each
 * block of 8,192, and the rest not at all. What is left out of a number is
 * kept, and added to it the next time (Karimireddy et al. 2019, "Error feedback
 * fixes SignSGD"). All of it a part at a time: it depends on the parts and not
 * on the ranks. */
#ifndef MOI_LEARN_SQUEEZE_H
#define MOI_LEARN_SQUEEZE_H

#include "backend/real.h"
#include "group/reduction.h"

#define MOI_SQUEEZE_NONE 0
#define MOI_SQUEEZE_HALVES 1
#define MOI_SQUEEZE_LARGEST 2

typedef struct moi_squeeze moi_squeeze;

/* For n numbers of so many parts, of which this rank has some; share: of the
 * numbers of a block, that travel. */
int32_t moi_squeeze_create(mopt_group *group, int32_t kind, double share,
                           int64_t n, int64_t parts, moi_squeeze **out);
void moi_squeeze_free(moi_squeeze *s);

/* For moi_reduction; NULL for NULL. */
const moi_codec *moi_squeeze_codec(const moi_squeeze *s);

/* [parts]: what was left out of each, [n]; NULL of those of other ranks. */
moi_real **moi_squeeze_errors(moi_squeeze *s);

/* Halves of what weights have moved by since they were `old`, which are moved
 * by these alone then; and what somebody has sent, onto weights. */
void moi_squeeze_move(int64_t n, moi_real *w, const moi_real *old,
                      moi_real *error, uint16_t *out);
void moi_squeeze_follow(int64_t n, const uint16_t *in, moi_real *w);

#endif
