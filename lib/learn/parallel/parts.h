/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parts.h: into how many parts a batch is cut. */
#ifndef MOI_LEARN_PARTS_H
#define MOI_LEARN_PARTS_H

#include <stdint.h>

/* As many as were asked for; for 0 as many as usual, at least one for each of
 * some ranks. More, if a part would have more than `most` rows; never more
 * than rows. The rows of a part are rows / parts, rounded up. */
int64_t moi_parts_choose(int64_t asked, int64_t rows, int64_t most,
                         int64_t ranks);

/* Rows that are worked on at a time, for a model of so many operations a row,
 * where nobody says how many. */
int64_t moi_chunk_rows(int64_t flops);

#endif
