/* SPDX-License-Identifier: MIT
 * src/cli/ranks.c: the program under mpirun.
 *
 * MPI is looked for only where somebody has started several ranks: its library
 * is loaded then, so that the program needs none. */
#include "ranks.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libmodelopt-mpi.so.0"
#define TIMEOUT 120.0 /* seconds: the slowest rank may read much data first */

typedef int32_t (*make_fn)(mopt_context *ctx, double timeout,
                           mopt_group **out);

/* As the launchers of Open MPI, MPICH and Slurm tell it. Tasks of Slurm are
 * ranks where it was asked for MPI, which gives each a number. */
static int ranks_started(void)
{
    const char *const names[] = {
        "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
        getenv("PMIX_RANK") ? "SLURM_STEP_NUM_TASKS" : "PMIX_SIZE"};

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

int ranks_join(cli *c, int64_t seconds, mopt_group **out)
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
    rc = make(c->ctx, seconds > 0 ? (double)seconds : TIMEOUT, out);
    if (rc != MOPT_OK)
        return cli_library(c, rc, "MPI");
    c->out.colour = 0; /* mpirun's own terminal, whatever lies behind it */
    if (!ranks_first(*out))
        fall_silent(c);
    return 0;
}

int ranks_agree(cli *c, mopt_group *group, int code)
{
    int32_t size = mopt_group_size(group), own = code, rc = MOPT_OK;
    int32_t *all;

    if (!group)
        return code;
    all = calloc((size_t)size, sizeof *all);
    rc = all ? mopt_group_all_gather(group, &own, sizeof own, all, NULL)
             : MOPT_ENOMEM;
    for (int32_t i = 0; i < size && code == 0 && rc == MOPT_OK; i++)
        code = all[i];
    free(all);
    return code == 0 && rc != MOPT_OK ? cli_library(c, rc, "MPI") : code;
}

int ranks_one_host(mopt_group *group)
{
    char own[256] = "";
    int32_t size = mopt_group_size(group), same = 1;
    char *all = calloc((size_t)size, sizeof own);

    if (gethostname(own, sizeof own - 1) != 0)
        own[0] = '\0';
    if (!all || mopt_group_all_gather(group, own, sizeof own, all, NULL))
        same = 0;
    for (int32_t i = 0; i < size && same; i++)
        same = own[0] && memcmp(all + (size_t)i * sizeof own, own,
                                sizeof own) == 0;
    free(all);
    return same;
}

char *ranks_share(mopt_group *group, const char *text)
{
    int64_t bytes = text ? (int64_t)strlen(text) + 1 : 0;
    char *out = NULL;
    int32_t rc = mopt_group_broadcast(group, 0, &bytes, sizeof bytes, NULL);

    if (rc != MOPT_OK || bytes == 0 || !(out = calloc((size_t)bytes, 1)))
        return NULL;
    if (text)
        memcpy(out, text, (size_t)bytes);
    if (mopt_group_broadcast(group, 0, out, bytes, NULL) == MOPT_OK)
        return out;
    free(out);
    return NULL;
}

int ranks_first(const mopt_group *group)
{
    return !group || mopt_group_rank(group) == 0;
}
