/* SPDX-License-Identifier: MIT
 * src/cli/ranks.c: the program under mpirun.
 *
 * MPI is looked for only where somebody has started several ranks: its library
 * is loaded then, so that the program needs none. */
#include "ranks.h"

#include <dlfcn.h>
#include <stdlib.h>

#define LIBRARY "libmodelopt-mpi.so.0"
#define TIMEOUT 120.0 /* seconds: the slowest rank may read much data first */

typedef int32_t (*make_fn)(mopt_context *ctx, double timeout,
                           mopt_group **out);

/* As the launchers of Open MPI, MPICH and Slurm tell it. */
static int ranks_started(void)
{
    const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                 "PMIX_SIZE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value)
            return atoi(value);
    }
    return 1;
}

/* MPI opens parts of itself, which look for its symbols among all. */
static make_fn find_maker(void)
{
    void *library = cli_library_beside(LIBRARY, 1);
    void *found = library ? dlsym(library, "mopt_mpi_group") : NULL;
    make_fn make;

    /* POSIX: a pointer from dlsym may be used as a function. */
    *(void **)&make = found;
    return make;
}

static void fall_silent(cli *c)
{
    c->quiet = 1;
    c->no_progress = 1;
    c->json = 0;
    if (!freopen("/dev/null", "w", stdout))
        cli_say(c, MOPT_LOG_WARN, "cannot silence this rank");
}

int ranks_join(cli *c, mopt_group **out)
{
    make_fn make;
    int32_t rc;

    *out = NULL;
    if (ranks_started() < 2)
        return 0;
    make = find_maker();
    if (!make)
        return cli_fail(c, EXIT_FAILED, "this runs as one of %d ranks, and "
                        "%s is needed for that: %s", ranks_started(), LIBRARY,
                        dlerror());
    rc = make(c->ctx, TIMEOUT, out);
    if (rc != MOPT_OK)
        return cli_library(c, rc, "MPI");
    if (!ranks_first(*out))
        fall_silent(c);
    return 0;
}

int ranks_first(const mopt_group *group)
{
    return !group || mopt_group_rank(group) == 0;
}
