/* SPDX-License-Identifier: MIT
 * modelopt/group.h: ranks that work on one thing together.
 *
 * A group is what a cluster calls a communicator: so many ranks, each of which
 * holds one end. The library brings groups of threads; libmodelopt-mpi brings
 * groups of MPI ranks; a host may bring its own by a table of functions. What
 * is built on groups (parallel training) does not know which it has.
 *
 * Every rank makes the same calls in the same order, with the same sizes. Sums
 * have one order, by pairs of neighbours: (0 + 1) + (2 + 3), so that the same
 * numbers give the same bits on every kind of group. A rank that waits longer
 * than the group's timeout, or for a rank that gave up, gets MOPT_EPEER; the
 * group is then broken, and each further call says so at once. */
#ifndef MODELOPT_GROUP_H
#define MODELOPT_GROUP_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_group mopt_group;

#define MOPT_GROUP_ABI 1

/* How numbers of several ranks become one. */
#define MOPT_SUM 0
#define MOPT_MIN 1
#define MOPT_MAX 2

/** How messages travel. Members are only ever appended; the library copies
 *  min(struct_size, its own size) bytes. Members from broadcast on may be
 *  NULL: they are made of send, receive and exchange then.
 *
 *  Functions return 0 or a negative status, and MOPT_EPEER when timeout
 *  seconds pass or the other side is gone; they poll cancel (may be NULL) by
 *  mopt_cancel_requested at least every 50 ms and return MOPT_ECANCELED.
 *  Messages between two ranks on one channel arrive in the order that they
 *  were sent in; different channels may be used by several threads at a time.
 *  A message of another size than is waited for is MOPT_EINVAL. */
typedef struct mopt_group_table {
    uint32_t struct_size; /* sizeof(mopt_group_table) of the host's header */
    uint32_t abi_version; /* MOPT_GROUP_ABI */
    const char *name;     /* copied */
    void *user;           /* this rank's end; handed to every function */

    /** Returns when data may be used again. Required. */
    int32_t (*send)(void *user, int32_t to, int32_t channel, const void *data,
                    int64_t bytes, double timeout, const mopt_cancel *cancel);
    /** Required. */
    int32_t (*receive)(void *user, int32_t from, int32_t channel, void *data,
                       int64_t bytes, double timeout,
                       const mopt_cancel *cancel);
    /** Send to one rank and receive from another (or the same) at the same
     *  time. Required. */
    int32_t (*exchange)(void *user, int32_t to, const void *out,
                        int64_t out_bytes, int32_t from, void *in,
                        int64_t in_bytes, int32_t channel, double timeout,
                        const mopt_cancel *cancel);
    /** From now on every other rank's calls fail with MOPT_EPEER, as soon as
     *  they can know of it; code says why. Required. */
    void (*abort)(void *user, int32_t code);

    /** Over all ranks: root's data to all others. */
    int32_t (*broadcast)(void *user, int32_t root, void *data, int64_t bytes,
                         double timeout, const mopt_cancel *cancel);
    /** all[size][bytes] receives every rank's part. */
    int32_t (*all_gather)(void *user, const void *part, int64_t bytes,
                          void *all, double timeout,
                          const mopt_cancel *cancel);
    /** Combine in place, sums in the order that group.h says. op is MOPT_SUM,
     *  MOPT_MIN or MOPT_MAX. */
    int32_t (*all_reduce)(void *user, int32_t op, float *data, int64_t count,
                          double timeout, const mopt_cancel *cancel);
    /** part[count] receives this rank's piece of the combined all[size][count];
     *  all may be overwritten. */
    int32_t (*reduce_scatter)(void *user, int32_t op, float *all,
                              int64_t count, float *part, double timeout,
                              const mopt_cancel *cancel);
    int32_t (*barrier)(void *user, double timeout, const mopt_cancel *cancel);
} mopt_group_table;

/** What a rank of mopt_group_run does.
 *
 *  @param user  as given.
 *  @param group this rank's end; freed after the call.
 *  @return MOPT_OK, or a status that ends the others' waiting and is returned
 *          by mopt_group_run.
 */
typedef int32_t (*mopt_rank_fn)(void *user, mopt_group *group);

/** Make a group of threads: one end for each.
 *
 *  @param size    ranks, 1 to 4096.
 *  @param timeout seconds that a call waits for another rank, above 0.
 *  @param out     [size], receives the ends; hand each to one thread, which
 *                 frees it. Freeing an end counts as giving up.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_group_create(mopt_context *ctx, int32_t size,
                                   double timeout, mopt_group **out);

/** Run a function on as many new threads as a group has ranks, and wait for
 *  all of them.
 *
 *  @param size    ranks, 1 to 4096.
 *  @param timeout as for mopt_group_create.
 *  @return MOPT_OK if all ranks did; else the status of the first that failed
 *          by itself (not with MOPT_EPEER), with its message; MOPT_EINVAL;
 *          MOPT_ENOMEM (also if threads cannot be started).
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_group_run(mopt_context *ctx, int32_t size,
                                double timeout, mopt_rank_fn fn, void *user);

/** Make one end of a group on the host's table.
 *
 *  @param table   copied; its user must live until destroy is called.
 *  @param rank    this end's number, 0 to size - 1.
 *  @param size    ranks, 1 to 1048576.
 *  @param timeout as for mopt_group_create.
 *  @param destroy called with table->user when the last handle on it is freed;
 *                 may be NULL. On an error it is not called.
 *  @param out     receives the group; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (NULL, too small a struct_size, another
 *          abi_version, a required member is NULL), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_group_wrap(mopt_context *ctx,
                                 const mopt_group_table *table, int32_t rank,
                                 int32_t size, double timeout,
                                 mopt_destroy_fn destroy, mopt_group **out);

/** Cut a group into smaller ones: a mesh of data and model parallel ranks, for
 *  one. All ranks call it.
 *
 *  @param color ranks with the same color, 0 or more, form a group.
 *  @param key   orders them; equal keys stay in the order of the old group.
 *  @param out   receives this rank's new group; the caller frees it, before or
 *               after the old one.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_split(mopt_group *group, int32_t color,
                                  int32_t key, mopt_group **out);

/** Free a group; NULL is fine. For a group of threads this is giving up: who
 *  still waits for this rank gets MOPT_EPEER.
 *  Thread: one a handle. Since 0.1. */
MOPT_API void mopt_group_free(mopt_group *group);

/** This end's number, from 0; -1 for NULL. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_group_rank(const mopt_group *group);

/** How many ranks there are; -1 for NULL. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_group_size(const mopt_group *group);

/** Send to a rank; what arrives there in the order of sending is received by
 *  mopt_group_receive.
 *
 *  @param to     a rank other than this one.
 *  @param data   [bytes], may be used again after the call.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ECANCELED.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_send(mopt_group *group, int32_t to,
                                 const void *data, int64_t bytes,
                                 mopt_cancel *cancel);

/** Receive from a rank.
 *
 *  @param from   a rank other than this one.
 *  @param data   [bytes], as many as are sent.
 *  @param cancel may be NULL.
 *  @return as mopt_group_send; MOPT_EINVAL also for a message of another size.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_receive(mopt_group *group, int32_t from,
                                    void *data, int64_t bytes,
                                    mopt_cancel *cancel);

/** Give root's bytes to all.
 *
 *  @param root   the rank that has them.
 *  @param data   [bytes], read at root and written elsewhere.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ECANCELED.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_broadcast(mopt_group *group, int32_t root,
                                      void *data, int64_t bytes,
                                      mopt_cancel *cancel);

/** Give every rank's bytes to all.
 *
 *  @param part   [bytes], this rank's; may be its place in all.
 *  @param all    [size][bytes], receives all ranks'.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ECANCELED.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_all_gather(mopt_group *group, const void *part,
                                       int64_t bytes, void *all,
                                       mopt_cancel *cancel);

/** Combine every rank's numbers, and give the result to all.
 *
 *  @param op     MOPT_SUM (in the order above), MOPT_MIN or MOPT_MAX.
 *  @param data   [count], replaced by the result: the same bits everywhere.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ECANCELED, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_all_reduce(mopt_group *group, int32_t op,
                                       float *data, int64_t count,
                                       mopt_cancel *cancel);

/** The same for double. @param op, data, cancel as there.
 *  @return as mopt_group_all_reduce. Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_group_all_reduce_double(mopt_group *group, int32_t op,
                                              double *data, int64_t count,
                                              mopt_cancel *cancel);

/** Combine every rank's numbers, and give each rank its piece of the result.
 *
 *  @param op     as for mopt_group_all_reduce.
 *  @param all    [size][count], this rank's numbers; overwritten.
 *  @param count  numbers a piece.
 *  @param part   [count], receives piece number rank; may be its place in all.
 *  @param cancel may be NULL.
 *  @return as mopt_group_all_reduce.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_reduce_scatter(mopt_group *group, int32_t op,
                                           float *all, int64_t count,
                                           float *part, mopt_cancel *cancel);

/** Wait until all ranks are here.
 *
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EPEER, MOPT_ECANCELED.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_group_barrier(mopt_group *group, mopt_cancel *cancel);

/** Give up: all other ranks' calls return MOPT_EPEER and name this rank and
 *  code, this end is broken. Of several ranks that give up the first is named.
 *
 *  @param code a negative status that says why.
 *  @return MOPT_OK, MOPT_EINVAL.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_group_abort(mopt_group *group, int32_t code);

#ifdef __cplusplus
}
#endif

#endif
