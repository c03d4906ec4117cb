/* SPDX-License-Identifier: MIT
 * tests/unit/group/ranks.h: what a rank does in the tests of groups, whatever
 * the group is made of; each returns MOPT_EINTERNAL for a wrong result. */
#ifndef TESTS_RANKS_H
#define TESTS_RANKS_H

#include <modelopt/group.h>

/* Numbers whose sum depends on the order of additions; and their sum over the
 * ranks by pairs. */
float ranks_number(int32_t rank, int64_t i);
float ranks_sum(int32_t size, int64_t i);

/* user: how many numbers, an int64_t. */
int32_t ranks_add_up(void *user, mopt_group *g);
/* Sizes: 5; up to 8; up to 16; any; 2 or more; 6. */
int32_t ranks_find_extremes(void *user, mopt_group *g);
int32_t ranks_scatter(void *user, mopt_group *g);
int32_t ranks_gather(void *user, mopt_group *g);
int32_t ranks_spread(void *user, mopt_group *g);
int32_t ranks_pass_on(void *user, mopt_group *g);
int32_t ranks_make_mesh(void *user, mopt_group *g);

#endif
