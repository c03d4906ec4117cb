/* SPDX-License-Identifier: MIT
 * lib/search/store/lease.c: telling others that this process lives.
 *
 * A running trial is lent to its worker. Its row in trial_heartbeats, a table
 * of Optuna's, has the server's time of the worker's last sign of life; who is
 * silent for longer than the grace loses the trial. */
#include "search/store/lease.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/thread.h"

/* Seconds until another try after one that failed. */
#define SOON 0.5

struct moi_lease {
    mopt_context *ctx;
    const mopt_database *table;
    mopt_connection *db; /* NULL: there is no connection */
    char *place;
    double seconds;
    moi_worker self;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_int over;
    char message[200];
};

static const char renew[] =
    "UPDATE trial_heartbeats SET heartbeat = CURRENT_TIMESTAMP "
    "WHERE trial_id IN (SELECT trial_id FROM modelopt_workers "
    "WHERE host = ?1 AND boot = ?2 AND room = ?3 AND pid = ?4 "
    "AND started = ?5)";

static int32_t keep_waiting(void *user)
{
    moi_lease *lease = user;

    return !atomic_load(&lease->over);
}

static int32_t connect_lease(moi_lease *lease)
{
    const mopt_database_host host = {
        .struct_size = sizeof(host),
        .alloc = lease->ctx->alloc,
        .alloc_user = lease->ctx->alloc_user,
        .user = lease,
        .wait = keep_waiting,
        .message = lease->message,
        .message_size = sizeof(lease->message),
    };

    return lease->table->open(lease->table->user, lease->place, 0, &host,
                              &lease->db);
}

static void disconnect(moi_lease *lease)
{
    if (lease->db)
        lease->table->close(lease->db);
    lease->db = NULL;
}

int32_t moi_lease_beat(moi_lease *lease)
{
    const moi_worker *self = &lease->self;
    const mopt_value params[] = {
        {.type = MOPT_VALUE_TEXT, .text = self->host},
        {.type = MOPT_VALUE_TEXT, .text = self->boot},
        {.type = MOPT_VALUE_TEXT, .text = self->room},
        {.type = MOPT_VALUE_INT, .integer = self->pid},
        {.type = MOPT_VALUE_INT, .integer = self->started},
    };
    int32_t answer = lease->db ? MOPT_OK : connect_lease(lease);

    if (!answer)
        answer = lease->table->begin(lease->db, MOPT_DATABASE_WRITE, 0);
    if (!answer)
        answer = lease->table->run(lease->db, 1, renew, params, 5, 1);
    if (!answer)
        answer = lease->table->commit(lease->db);
    if (answer)
        disconnect(lease);
    return answer;
}

/* Wait for so many seconds, or for the end. */
static void rest(moi_lease *lease, double seconds)
{
    const double end = moi_clock_seconds() + seconds;
    const struct timespec until = {(time_t)end,
                                   (long)((end - floor(end)) * 1e9)};

    pthread_mutex_lock(&lease->lock);
    while (!atomic_load(&lease->over) &&
           pthread_cond_timedwait(&lease->wake, &lease->lock, &until) !=
               ETIMEDOUT)
        ;
    pthread_mutex_unlock(&lease->lock);
}

static void *live(void *argument)
{
    moi_lease *lease = argument;
    double pause = lease->seconds;

    /* The trial's start was its first beat. */
    for (;;) {
        rest(lease, pause);
        if (atomic_load(&lease->over))
            break;
        pause = moi_lease_beat(lease) == MOPT_OK || lease->seconds < SOON
                    ? lease->seconds
                    : SOON;
    }
    return NULL;
}

static int32_t start_thread(moi_lease *lease)
{
    int code = moi_thread_start(&lease->thread, live, lease);

    return code == 0 ? MOPT_OK
                     : moi_fail(MOPT_ENOMEM, "no thread for heartbeats: %s",
                                strerror(code));
}

static void clear(moi_lease *lease)
{
    disconnect(lease);
    pthread_cond_destroy(&lease->wake);
    pthread_mutex_destroy(&lease->lock);
    moi_free(lease->ctx, lease->place);
    moi_free(lease->ctx, lease);
}

int32_t moi_lease_create(mopt_context *ctx, const mopt_database *table,
                         const char *place, double seconds,
                         const moi_worker *self, moi_lease **out)
{
    moi_lease *lease = moi_calloc(ctx, 1, sizeof(*lease));
    pthread_condattr_t kind;
    int32_t rc;

    if (!lease)
        return MOPT_ENOMEM;
    lease->ctx = ctx;
    lease->table = table;
    lease->seconds = seconds;
    lease->self = *self;
    atomic_init(&lease->over, 0);
    pthread_mutex_init(&lease->lock, NULL);
    pthread_condattr_init(&kind);
    pthread_condattr_setclock(&kind, CLOCK_MONOTONIC);
    pthread_cond_init(&lease->wake, &kind);
    pthread_condattr_destroy(&kind);
    lease->place = moi_strdup(ctx, place);
    rc = lease->place ? MOPT_OK : MOPT_ENOMEM;
    if (!rc && !ctx->clock->by_hand)
        rc = start_thread(lease);
    if (rc) {
        clear(lease);
        return rc;
    }
    *out = lease;
    return MOPT_OK;
}

void moi_lease_free(moi_lease *lease)
{
    if (!lease)
        return;
    pthread_mutex_lock(&lease->lock);
    atomic_store(&lease->over, 1);
    pthread_cond_signal(&lease->wake);
    pthread_mutex_unlock(&lease->lock);
    if (!lease->ctx->clock->by_hand)
        pthread_join(lease->thread, NULL);
    clear(lease);
}
