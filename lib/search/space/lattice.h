/* SPDX-License-Identifier: MIT
 * lib/search/space/lattice.h: every point of a space, by its number.
 *
 * The points are never written down. The space is compiled into a graph of
 * choices: a node is a parameter, its branches are runs of values that let the
 * same parameters exist; what a branch leads to falls into groups that have no
 * condition in common, and their counts multiply. Equal groups are one node.
 * For trees of conditions the graph is as small as the space; conditions on
 * several unrelated parents cost more, up to a limit (MOPT_ERANGE).
 *
 * Numbers run as nested loops would, the first parameter outermost, what
 * hangs on it next. */
#ifndef MOI_SEARCH_LATTICE_H
#define MOI_SEARCH_LATTICE_H

#include "search/space/space.h"

typedef struct moi_lattice moi_lattice;

/* @param points values to take of each continuous range, ends included; 0: a
 *               continuous range has infinitely many. The space must outlive
 *               the lattice. */
int32_t moi_lattice_create(const mopt_space *space, int64_t points,
                           moi_lattice **out);
void moi_lattice_free(moi_lattice *lattice);

/* Number of points, INT64_MAX when there are more (or infinitely many). */
int64_t moi_lattice_count(const moi_lattice *lattice);

/* The point of a number below the count, which must not be INT64_MAX. */
void moi_lattice_point(const moi_lattice *lattice, int64_t number,
                       double *point);

#endif
