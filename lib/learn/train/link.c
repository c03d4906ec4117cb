/* SPDX-License-Identifier: MIT
 * lib/learn/train/link.c: how fast the link between ranks is. */
#include "learn/train/link.h"

#include "base/clock.h"
#include "base/memory.h"
#include "group/group.h"

#define BYTES 262144 /* of a message: latency counts little */

/* Links that are held to a rate let some megabytes pass first: the messages
 * before are not timed. */
#define BEFORE 12
#define TIMED 4

/* Seconds of one message each way. */
static int32_t time_one(mopt_group *g, char *room, double *seconds)
{
    int32_t next = (g->rank + 1) % g->size;
    int32_t last = (g->rank + g->size - 1) % g->size;
    double start = moi_clock_seconds();
    int32_t rc = moi_group_exchange(g, next, room, BYTES, last, room + BYTES,
                                    BYTES, NULL);

    *seconds = moi_clock_seconds() - start;
    return rc;
}

int32_t moi_link_measure(mopt_group *group, double *bandwidth)
{
    char *room = moi_calloc(group->ctx, 2, BYTES);
    double total = 0, seconds = 0;
    int32_t rc = room ? MOPT_OK : MOPT_ENOMEM;

    for (int32_t i = 0; i < BEFORE + TIMED && !rc; i++) {
        rc = time_one(group, room, &seconds);
        total += i < BEFORE ? 0 : seconds;
    }
    moi_free(group->ctx, room);
    /* The slowest link counts, and everybody must think the same of it. */
    if (!rc)
        rc = mopt_group_all_reduce_double(group, MOPT_MAX, &total, 1, NULL);
    if (!rc)
        *bandwidth = TIMED * BYTES / (total > 0 ? total : 1e-9);
    return rc;
}
