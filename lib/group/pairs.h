/* SPDX-License-Identifier: MIT
 * lib/group/pairs.h: sums in one order, whoever makes them.
 *
 * Parts 0 .. count-1 are added by pairs of neighbours, then pairs of pairs:
 * ((0 + 1) + (2 + 3)) + (4 + 5). A rank that holds neighbouring parts adds what
 * it can; what it has then are nodes of that tree, and the rest of the tree
 * gives the same bits wherever it is added up. */
#ifndef MOI_GROUP_PAIRS_H
#define MOI_GROUP_PAIRS_H

#include <stdint.h>

/* part[count] are arrays of n numbers, or NULL where an earlier one holds this
 * part too. Adds all up into part[0], which must not be NULL; the others are
 * spoilt. */
void moi_pairs_add(int64_t count, float *const *part, int64_t n);
void moi_pairs_add_doubles(int64_t count, double *const *part, int64_t n);

/* The largest node that begins at part first, and ends before limit, of a tree
 * over count parts: how many parts it holds. */
int64_t moi_pairs_node(int64_t count, int64_t first, int64_t limit);

/* The first of count parts that are dealt to a rank, of size; what rank + 1
 * has begins where they end. */
int64_t moi_pairs_deal(int64_t count, int32_t size, int32_t rank);

#endif
