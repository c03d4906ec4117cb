/* SPDX-License-Identifier: MIT
 * src/cli/ranks.h: the program under mpirun. */
#ifndef CLI_RANKS_H
#define CLI_RANKS_H

#include "cli.h"

/* The group of the MPI ranks that this process was started with, by the
 * library libmodelopt-mpi; NULL where there are no others. Who is silent for
 * so many seconds is dead to the others; 0: the default. Ranks but the first
 * stay silent from then on. Needs c->ctx. Returns 0, or an exit code. */
int ranks_join(cli *c, int64_t seconds, mopt_group **out);

/* Ranks that fail do so together: the first exit code other than 0 of all, or
 * 0. group may be NULL. */
int ranks_agree(cli *c, mopt_group *group, int code);

/* Do all ranks run on one host, and so see the same files? 0 also when that
 * cannot be found out. */
int ranks_one_host(mopt_group *group);

/* Give the first rank's text, or NULL, to all; returns a copy, NULL also on an
 * error. */
char *ranks_share(mopt_group *group, const char *text);

/* Does this process speak and write: alone, or the first rank? */
int ranks_first(const mopt_group *group);

#endif
