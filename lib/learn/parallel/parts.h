/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parts.h: into how many parts a batch is cut, and into how
 * large stretches the weights. */
#ifndef MOI_LEARN_PARTS_H
#define MOI_LEARN_PARTS_H

#include "learn/nn/model.h"

/* As many as were asked for; for 0 as many as usual, at least one for each of
 * some ranks. More, if a part would have more than `most` rows; never more
 * than rows. The rows of a part are rows / parts, rounded up. */
int64_t moi_parts_choose(int64_t asked, int64_t rows, int64_t most,
                         int64_t ranks);

/* Neighbouring parts of so many rows, of count, that go through the layers
 * together in chunks of some rows; and of these *bunch at a time whose
 * gradients are made as one, where layers can. */
int64_t moi_parts_stripe(int64_t count, int64_t rows, int64_t chunk,
                         int64_t *bunch);

/* Weights of a block: small enough for gradients and states to be in the cache
 * with them, and for ranks to have about as many. */
#define MOI_BLOCK_WEIGHTS 8192

/* Weights that travel at once, at least: 512 KB pay for a message's delay, and
 * each rank has a block. */
int64_t moi_bucket_weights(int32_t ranks);

/* Rows that are worked on at a time, where nobody says how many. */
int64_t moi_chunk_rows(const mopt_model *model);

#endif
