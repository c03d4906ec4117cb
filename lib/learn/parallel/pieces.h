/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/pieces.h: a rank's part of a model, as a model of its own:
 * the layers of its stage, pieces of those that are split, and joints between
 * them. Tensors have the names that they have in the whole, and first weights
 * are pieces of the whole's, which no rank ever holds. */
#ifndef MOI_LEARN_PIECES_H
#define MOI_LEARN_PIECES_H

#include "learn/nn/model.h"
#include "learn/parallel/mesh.h"

/* With weights: pieces of those of the whole, if it has any, else first values
 * by a seed. */
int32_t moi_pieces_create(const moi_mesh *mesh, const mopt_model *whole,
                          uint64_t seed, mopt_model **out);

/* Who has a tensor of the whole, and which piece of it: both lie in memory as
 * matrices, in rows. */
typedef struct moi_holding {
    int32_t stage;
    int64_t rows, cols; /* of the whole */
    int64_t row, row_count, col, col_count; /* the piece */
    int32_t shared;     /* all ranks that share the layer have all of it */
} moi_holding;

moi_holding moi_pieces_of(const moi_mesh *mesh, const mopt_model *whole,
                          int64_t tensor, int32_t t);

/* Which tensor of the whole one of a part is. */
int64_t moi_pieces_tensor(const mopt_model *part, const mopt_model *whole,
                          int64_t tensor);

/* Copy a piece, which is packed, out of a block of the whole, or into it. */
void moi_pieces_take(const moi_holding *h, const moi_real *whole,
                     moi_real *piece);
void moi_pieces_put(const moi_holding *h, const moi_real *piece,
                    moi_real *whole);

#endif
