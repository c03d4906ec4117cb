/* SPDX-License-Identifier: MIT
 * src/cli/ranks.h: the program under mpirun. */
#ifndef CLI_RANKS_H
#define CLI_RANKS_H

#include "cli.h"

/* The group of the MPI ranks that this process was started with, by the
 * library libmodelopt-mpi; NULL where there are no others. Ranks but the first
 * stay silent from then on. Needs c->ctx. Returns 0, or an exit code. */
int ranks_join(cli *c, mopt_group **out);

/* Does this process speak and write: alone, or the first rank? */
int ranks_first(const mopt_group *group);

#endif
