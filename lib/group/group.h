/* SPDX-License-Identifier: MIT
 * lib/group/group.h: groups inside the library.
 *
 * A handle is a list of ranks on a link. The link is one rank's end of what
 * carries messages; a group and all that were split from it share it, each on
 * a channel of its own. */
#ifndef MOI_GROUP_GROUP_H
#define MOI_GROUP_GROUP_H

#include <modelopt/group.h>
#include <stdatomic.h>

typedef struct moi_link {
    mopt_context *ctx;
    mopt_group_table table;
    char *name;
    mopt_destroy_fn destroy;
    int32_t rank, size;
    atomic_int refs;
    atomic_int channel; /* the next one that is free */
} moi_link;

struct mopt_group {
    mopt_context *ctx;
    moi_link *link;
    int32_t *members; /* ranks of the link, or NULL: all */
    int32_t rank, size, channel;
    double timeout;
    int32_t sees;      /* ranks of one process may share memory by its name as
                          those of several do: for tests */
    atomic_int broken; /* the status that ended it, or 0 */
    atomic_int known;  /* reason is written, for good */
    char reason[256];  /* the message of that */
};

/* More bytes than any machine holds: sums of sizes stay far from overflow. */
#define MOI_GROUP_BYTES_MAX ((int64_t)1 << 48)

/* Make the whole group of a link. Takes the link over, also on an error. */
int32_t moi_group_new(moi_link *link, double timeout, mopt_group **out);
int32_t moi_group_check_timeout(const char *function, double timeout);
int32_t moi_group_check_threads(const char *function, int32_t size,
                                double timeout);

/* ---- messages: by rank of the group. An error breaks it. ---- */

int32_t moi_group_send(mopt_group *g, int32_t to, const void *data,
                       int64_t bytes, const mopt_cancel *cancel);
int32_t moi_group_receive(mopt_group *g, int32_t from, void *data,
                          int64_t bytes, const mopt_cancel *cancel);
int32_t moi_group_exchange(mopt_group *g, int32_t to, const void *out,
                           int64_t out_bytes, int32_t from, void *in,
                           int64_t in_bytes, const mopt_cancel *cancel);

/* Has the table its own way of a collective call? It is for the whole group;
 * what it lacks, and parts of a group, are made of messages. */
#define moi_group_has(g, call) \
    ((g)->members == NULL && (g)->channel == 0 && (g)->link->table.call != NULL)

/* The end of a call of the table; told is moi_errors_told() of before it. An
 * error gets its message, breaks the group, and the others are told. */
int32_t moi_group_end(mopt_group *g, const char *what, uint64_t told,
                      int32_t code);

/* MOPT_OK, or what broke the group earlier. */
int32_t moi_group_usable(const mopt_group *g);

/* ---- collective.c ---- */

int32_t moi_group_gather(mopt_group *g, const void *part, int64_t bytes,
                         void *all, const mopt_cancel *cancel);

/* Rank i has data[cuts[i]] .. data[cuts[i + 1] - 1] right: give all to all. */
int32_t moi_group_gather_cuts(mopt_group *g, float *data, const int64_t *cuts,
                              const mopt_cancel *cancel);

/* Add data[n] up over the ranks, as mopt_group_all_reduce does; needs no memory
 * but room, as many floats as moi_group_sum_room says. */
int64_t moi_group_sum_room(const mopt_group *g, int64_t n);
int32_t moi_group_sum(mopt_group *g, float *data, int64_t n, float *room,
                      const mopt_cancel *cancel);

/* Do all ranks hold the same? what is named in the error, which lists the
 * ranks that differ from rank 0. */
int32_t moi_group_agree(mopt_group *g, const char *what, uint64_t digest,
                        const mopt_cancel *cancel);

/* Has any rank come here with an error? Every rank calls this; its own error
 * comes first. The group goes on. */
int32_t moi_group_settle(mopt_group *g, int32_t status);

/* The same, but all come to one status: that of the first rank which has one
 * of its own. What then follows is the same for all. */
int32_t moi_group_unite(mopt_group *g, int32_t status);

#endif
