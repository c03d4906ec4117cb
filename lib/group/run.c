/* SPDX-License-Identifier: MIT
 * lib/group/run.c: a group of threads that are made for one piece of work. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/thread.h"
#include "group/group.h"

typedef struct member {
    mopt_group *group;
    mopt_rank_fn fn;
    void *user;
    atomic_int *failed; /* so many have, in all */
    pthread_t thread;
    int32_t started, status;
    int32_t order; /* of failing: 1 for the first */
    char message[512];
} member;

static void *work(void *argument)
{
    member *m = argument;
    m->status = m->fn(m->user, m->group);
    if (m->status != MOPT_OK) {
        m->order = 1 + atomic_fetch_add(m->failed, 1);
        if (mopt_last_code() == m->status)
            mopt_last_error(m->message, sizeof(m->message), NULL);
        if (m->status < 0 && m->status != MOPT_EPEER)
            mopt_group_abort(m->group, m->status);
    }
    mopt_group_free(m->group);
    m->group = NULL;
    return NULL;
}

static void start(member *m)
{
    m->started = moi_thread_start(&m->thread, work, m) == 0;
    if (m->started)
        return;
    m->status = MOPT_ENOMEM;
    m->order = 1 + atomic_fetch_add(m->failed, 1);
    snprintf(m->message, sizeof(m->message), "a thread cannot be started");
    mopt_group_abort(m->group, MOPT_ENOMEM);
    mopt_group_free(m->group);
}

/* Did a fail before b? Those that only waited for others come last. */
static int32_t before(const member *a, const member *b)
{
    int32_t own = a->status != MOPT_EPEER, other = b->status != MOPT_EPEER;
    return own != other ? own : a->order < b->order;
}

static const member *first_failed(const member *members, int32_t size)
{
    const member *found = NULL;
    for (int32_t i = 0; i < size; i++) {
        const member *m = &members[i];
        if (m->status != MOPT_OK && (found == NULL || before(m, found)))
            found = m;
    }
    return found;
}

static int32_t conclude(const member *members, int32_t size)
{
    const member *failed = first_failed(members, size);
    if (failed == NULL || failed->status > 0)
        return failed == NULL ? MOPT_OK : failed->status;
    return moi_fail(failed->status, "rank %d: %s",
                    (int)(failed - members),
                    failed->message[0] != '\0'
                        ? failed->message
                        : mopt_status_text(failed->status));
}

int32_t mopt_group_run(mopt_context *ctx, int32_t size, double timeout,
                       mopt_rank_fn fn, void *user)
{
    if (ctx == NULL || fn == NULL)
        return moi_fail_null("mopt_group_run", ctx == NULL ? "ctx" : "fn");
    int32_t rc = moi_group_check_threads("mopt_group_run", size, timeout);
    if (rc != MOPT_OK)
        return rc;
    member *members = moi_calloc(ctx, size, sizeof(*members));
    mopt_group **ends = moi_calloc(ctx, size, sizeof(*ends));
    atomic_int failed = 0;
    rc = members != NULL && ends != NULL
                     ? mopt_group_create(ctx, size, timeout, ends)
                     : MOPT_ENOMEM;
    if (rc == MOPT_OK) {
        for (int32_t i = 0; i < size; i++) {
            members[i] = (member){
                .group = ends[i], .fn = fn, .user = user, .failed = &failed};
            start(&members[i]);
        }
        for (int32_t i = 0; i < size; i++)
            if (members[i].started)
                pthread_join(members[i].thread, NULL);
        rc = conclude(members, size);
    }
    moi_free(ctx, members);
    moi_free(ctx, ends);
    return rc;
}
