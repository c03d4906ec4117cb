/* SPDX-License-Identifier: MIT
 * tests/mpi/test_mpi.c: groups of MPI ranks; run by mpirun.
 *
 * usage: test_mpi together    the collective calls, over all ranks
 *        test_mpi late        a rank is silent: the others get MOPT_EPEER
 *        test_mpi quits       a rank gives up: the others learn which, and why
 *        test_mpi sizes       messages of one block and of many
 *        test_mpi faults      each call of MPI fails in turn (one rank)
 *
 * Prints what is wrong and returns 1. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit/group/ranks.h"
#include <modelopt/modelopt.h>
#include <modelopt/mpi.h>

/* ---- calls of MPI that fail on request ---- */

static int calls, fail_at = -1;

#define INJECTED(name, params, arguments) \
    int name params \
    { \
        return calls++ == fail_at ? MPI_ERR_OTHER : P##name arguments; \
    }

INJECTED(MPI_Isend, (const void *b, int n, MPI_Datatype t, int to, int tag,
                     MPI_Comm c, MPI_Request *r), (b, n, t, to, tag, c, r))
INJECTED(MPI_Irecv, (void *b, int n, MPI_Datatype t, int from, int tag,
                     MPI_Comm c, MPI_Request *r), (b, n, t, from, tag, c, r))
INJECTED(MPI_Test, (MPI_Request *r, int *f, MPI_Status *s), (r, f, s))
INJECTED(MPI_Iprobe, (int from, int tag, MPI_Comm c, int *f, MPI_Status *s),
         (from, tag, c, f, s))
INJECTED(MPI_Comm_dup, (MPI_Comm a, MPI_Comm *b), (a, b))
INJECTED(MPI_Comm_rank, (MPI_Comm c, int *r), (c, r))
INJECTED(MPI_Comm_size, (MPI_Comm c, int *s), (c, s))
INJECTED(MPI_Comm_set_errhandler, (MPI_Comm c, MPI_Errhandler e), (c, e))
INJECTED(MPI_Query_thread, (int *level), (level))
INJECTED(MPI_Get_count, (const MPI_Status *s, MPI_Datatype t, int *n),
         (s, t, n))

/* ---- what is tried ---- */

static int complain(const char *what, int32_t status)
{
    char text[512] = "";
    mopt_last_error(text, sizeof text, NULL);
    printf("%s: %s: %s\n", what, mopt_status_name(status), text);
    return 1;
}

static int together(mopt_group *g)
{
    int64_t lengths[] = {0, 1, 1000, 40000, 3000000};
    int32_t size = mopt_group_size(g), rc;
    for (int i = 0; i < 5; i++) {
        rc = ranks_add_up(&lengths[i], g);
        if (rc != MOPT_OK)
            return complain("add_up", rc);
    }
    const struct {
        const char *name;
        mopt_rank_fn fn;
        int32_t least, most;
    } works[] = {
        {"extremes", ranks_find_extremes, 5, 5},
        {"scatter", ranks_scatter, 1, 8},
        {"gather", ranks_gather, 1, 16},
        {"spread", ranks_spread, 1, 16},
        {"pass_on", ranks_pass_on, 2, 16},
        {"mesh", ranks_make_mesh, 6, 6},
    };
    for (int i = 0; i < 6; i++) {
        if (size < works[i].least || size > works[i].most)
            continue;
        rc = works[i].fn(NULL, g);
        if (rc != MOPT_OK)
            return complain(works[i].name, rc);
    }
    return 0;
}

/* The last rank does something else; the others wait for it. */
static int wait_for_last(mopt_group *g, const char *says)
{
    char text[512] = "";
    int32_t rc = mopt_group_barrier(g, NULL);
    mopt_last_error(text, sizeof text, NULL);
    if (rc != MOPT_EPEER || strstr(text, says) == NULL)
        return complain("barrier", rc);
    rc = mopt_group_barrier(g, NULL);
    return rc == MOPT_EPEER ? 0 : complain("broken group", rc);
}

static int is_last(const mopt_group *g)
{
    return mopt_group_rank(g) == mopt_group_size(g) - 1;
}

static int late(mopt_group *g)
{
    if (!is_last(g))
        return wait_for_last(g, "that it waits for, was silent");
    usleep(1500000);
    return 0;
}

/* Who gives up after the last rank, with another code, tells of that one. */
static int quits(mopt_group *g)
{
    int32_t last = mopt_group_size(g) - 1;
    char says[64];
    snprintf(says, sizeof says, "rank %d gave up with MOPT_EDIVERGED",
             (int)last);
    if (is_last(g))
        return mopt_group_abort(g, MOPT_EDIVERGED) != MOPT_OK;
    if (mopt_group_rank(g) == 0)
        usleep(300000);
    if (wait_for_last(g, says) != 0)
        return 1;
    return mopt_group_abort(g, MOPT_EIO) != MOPT_OK;
}

/* Rank 0 sends so many bytes that rank 1 knows, rank 1 waits for so many. */
static int32_t carry(mopt_group *g, int64_t bytes, int64_t wanted)
{
    static unsigned char room[5 << 20];
    int32_t rc;
    if (mopt_group_rank(g) == 0) {
        for (int64_t i = 0; i < bytes; i++)
            room[i] = (unsigned char)(i * 7 / 5);
        return mopt_group_send(g, 1, room, bytes, NULL);
    }
    memset(room, 0, sizeof room);
    rc = mopt_group_receive(g, 0, room, wanted, NULL);
    for (int64_t i = 0; rc == MOPT_OK && i < bytes; i++)
        if (room[i] != (unsigned char)(i * 7 / 5))
            return MOPT_EINTERNAL;
    return rc;
}

/* Messages that take no block, one and many; and one of three where two are
 * waited for. */
static int sizes(mopt_group *g)
{
    const int64_t block = 61440;
    const int64_t bytes[] = {0, 1, block, block + 1, 2 * block, 3 * block + 48,
                             64 * block, 70 * block + 5};
    int32_t rc;
    for (int i = 0; i < 8; i++) {
        rc = carry(g, bytes[i], bytes[i]);
        if (rc != MOPT_OK)
            return complain("a message", rc);
    }
    rc = carry(g, 3 * block, 2 * block);
    return mopt_group_rank(g) == 0 || rc == MOPT_EINVAL
               ? 0 : complain("another size", rc);
}

/* One rank, which talks to itself by MPI below the group's own check. */
static int faults(mopt_context *ctx)
{
    for (int at = 0;; at++) {
        mopt_group *g = NULL;
        calls = 0;
        fail_at = at;
        int32_t rc = mopt_mpi_group(ctx, 1, &g);
        int done = calls <= at;
        fail_at = -1;
        mopt_group_free(g);
        if (done)
            return rc == MOPT_OK && at > 3 ? 0 : complain("create", rc);
        if (rc != MOPT_EPEER)
            return complain("a call that failed", rc);
    }
}

/* Messages whose calls fail: both ranks end, with an error at least at one. */
static int lossy(mopt_context *ctx)
{
    for (int at = 0; at < 12; at++) {
        mopt_group *g = NULL;
        float sum = 1;
        int32_t rc = mopt_mpi_group(ctx, 0.3, &g);
        if (rc != MOPT_OK)
            return complain("create", rc);
        calls = 0;
        fail_at = mopt_group_rank(g) == 0 ? at : -1;
        rc = mopt_group_all_reduce(g, MOPT_SUM, &sum, 1, NULL);
        fail_at = -1;
        if (rc != MOPT_OK && rc != MOPT_EPEER)
            return complain("all_reduce", rc);
        if (rc == MOPT_OK && sum != 2)
            return complain("a wrong sum", MOPT_EINTERNAL);
        mopt_group_free(g);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    return 0;
}

static int alone(mopt_context *ctx, const char *what)
{
    int level, bad;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    bad = strcmp(what, "faults") == 0 ? faults(ctx) : lossy(ctx);
    MPI_Finalize();
    return bad;
}

static int with_group(mopt_context *ctx, const char *what)
{
    mopt_group *g = NULL;
    int32_t rc = mopt_mpi_group(ctx, strcmp(what, "late") == 0 ? 0.5 : 60, &g);
    int bad;
    if (rc != MOPT_OK)
        return complain("mopt_mpi_group", rc);
    bad = strcmp(what, "late") == 0    ? late(g)
          : strcmp(what, "quits") == 0 ? quits(g)
          : strcmp(what, "sizes") == 0 ? sizes(g)
                                       : together(g);
    /* What is left of MPI would wait for all: end without it. */
    mopt_group_free(g);
    int over = 0;
    MPI_Finalized(&over);
    if (!over)
        MPI_Finalize();
    return bad;
}

int main(int count, char **words)
{
    mopt_context *ctx = NULL;
    const char *what = count > 1 ? words[1] : "together";
    int bad;
    if (mopt_context_create(NULL, NULL, &ctx) != MOPT_OK)
        return 1;
    bad = strcmp(what, "faults") == 0 || strcmp(what, "lossy") == 0
              ? alone(ctx, what)
              : with_group(ctx, what);
    mopt_context_free(ctx);
    return bad;
}
