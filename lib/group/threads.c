/* SPDX-License-Identifier: MIT
 * lib/group/threads.c: groups of threads of this process.
 *
 * A hub has a seat for each rank. A message is a note on its sender's stack
 * that hangs at the receiver's seat until the receiver has copied what it
 * points to: one copy, and no memory. Everything about a note is protected by
 * the lock of the seat that it hangs at. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "base/threads.h"
#include "group/group.h"

#define MOST 4096 /* ranks: more threads than that help nobody */
#define LOOK 0.05 /* seconds between looks at a cancel token */

enum { HANGING, TAKEN, READ, REFUSED };

typedef struct note {
    int32_t from, channel;
    const void *data;
    int64_t bytes;
    int32_t state;
    struct note *next;
} note;

typedef struct seat {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_int changes; /* how often that was said */
    note *first; /* in the order of sending */
} seat;

typedef struct hub {
    mopt_context *ctx;
    int32_t size;
    atomic_int ends;      /* that are not freed */
    _Atomic int64_t quit; /* who gave up first, and why; 0: nobody */
    atomic_int *gone;     /* [size] */
    seat *seats;          /* [size] */
} hub;

/* One rank's end. */
typedef struct end {
    hub *hub;
    int32_t rank;
} end;

/* ---- giving up ---- */

/* Rank and code are one number: whoever gives up later changes neither. */
static int64_t quit_of(int32_t rank, int32_t code)
{
    return (int64_t)(rank + 1) * ((int64_t)1 << 32) + (uint32_t)code;
}

static int32_t fail_quit(int64_t quit)
{
    return moi_fail(MOPT_EPEER, "rank %d gave up with %s",
                    (int)(quit >> 32) - 1,
                    mopt_status_name((int32_t)(uint32_t)quit));
}

/* ---- waiting ---- */

typedef struct patience {
    double until; /* monotonic seconds */
    double timeout;
    const mopt_cancel *cancel;
} patience;

static patience wait_for(double timeout, const mopt_cancel *cancel)
{
    return (patience){moi_clock_seconds() + timeout, timeout, cancel};
}

static int32_t fail_gone(const hub *h, int32_t rank)
{
    int64_t quit = atomic_load(&h->quit);
    return quit != 0 ? fail_quit(quit)
                     : moi_fail(MOPT_EPEER, "rank %d is gone", (int)rank);
}

/* At a seat whose lock is held. */
static void tell_change(seat *s)
{
    atomic_fetch_add(&s->changes, 1);
    pthread_cond_broadcast(&s->changed);
}

/* Until something changes at a seat whose lock is held, or a time: look about,
 * then sleep. 0 if that was in vain. Also where ranks are more than cores: who
 * looks about lets others have the core, and waking takes longer than that. */
static int32_t sleep_at(seat *s, double until)
{
    struct timespec at = moi_clock_at(until);
    double left = until - moi_clock_seconds();
    int seen = atomic_load(&s->changes), rc = 0;
    pthread_mutex_unlock(&s->lock);
    moi_look_about(&s->changes, seen, 0,
                   left < MOI_PATIENCE ? left : MOI_PATIENCE);
    pthread_mutex_lock(&s->lock);
    while (atomic_load(&s->changes) == seen && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &at);
    return rc == 0;
}

/* Wait for a change at a seat whose lock is held. */
static int32_t wait_at(const hub *h, seat *s, const patience *p, int32_t rank)
{
    char text[MOI_NUMBER_SIZE];
    if (atomic_load(&h->quit) != 0 || atomic_load(&h->gone[rank]))
        return fail_gone(h, rank);
    int32_t rc = moi_cancel_check(p->cancel);
    if (rc != MOPT_OK)
        return rc;
    double now = moi_clock_seconds(), until = p->until;
    if (p->cancel != NULL && now + LOOK < until)
        until = now + LOOK;
    if (sleep_at(s, until) || until < p->until)
        return MOPT_OK;
    return moi_fail(MOPT_EPEER, "rank %d was silent for %s seconds", (int)rank,
                    moi_number_text(p->timeout, text));
}

/* ---- notes ---- */

static void hang(seat *s, note *n)
{
    note **at = &s->first;
    pthread_mutex_lock(&s->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = n;
    tell_change(s);
    pthread_mutex_unlock(&s->lock);
}

static void take_down(seat *s, note *n)
{
    note **at = &s->first;
    while (*at != NULL && *at != n)
        at = &(*at)->next;
    if (*at != NULL)
        *at = n->next;
}

/* The receiver copies only what it waits for; a note that it has begun with is
 * waited for even after an error, because it points to the sender's stack. */
static int32_t await_reading(const hub *h, seat *s, note *n,
                             const patience *p, int32_t to)
{
    int32_t rc = MOPT_OK;
    pthread_mutex_lock(&s->lock);
    while (n->state == HANGING && rc == MOPT_OK)
        rc = wait_at(h, s, p, to);
    while (n->state == TAKEN)
        sleep_at(s, moi_clock_seconds() + LOOK);
    if (n->state == HANGING)
        take_down(s, n);
    else
        rc = n->state == REFUSED
                 ? moi_fail(MOPT_EINVAL, "rank %d expects another number of "
                            "bytes than %lld", (int)to, (long long)n->bytes)
                 : MOPT_OK;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static note *find(const seat *s, int32_t from, int32_t channel)
{
    note *n = s->first;
    while (n != NULL && (n->from != from || n->channel != channel))
        n = n->next;
    return n;
}

static int32_t read_note(seat *s, note *n, void *data, int64_t bytes)
{
    int32_t fits = n->bytes == bytes;
    int64_t sent = n->bytes;
    int32_t from = n->from;
    take_down(s, n);
    n->state = fits ? TAKEN : REFUSED;
    if (fits) {
        pthread_mutex_unlock(&s->lock);
        if (bytes > 0)
            memcpy(data, n->data, (size_t)bytes);
        pthread_mutex_lock(&s->lock);
        n->state = READ;
    }
    tell_change(s);
    return fits ? MOPT_OK
                : moi_fail(MOPT_EINVAL, "rank %d sent %lld bytes, expected "
                           "are %lld", (int)from, (long long)sent,
                           (long long)bytes);
}

/* ---- the table ---- */

static int32_t receive_by(const end *e, int32_t from, int32_t channel,
                          void *data, int64_t bytes, const patience *p)
{
    seat *s = &e->hub->seats[e->rank];
    note *n = NULL;
    int32_t rc = MOPT_OK;
    pthread_mutex_lock(&s->lock);
    while ((n = find(s, from, channel)) == NULL && rc == MOPT_OK)
        rc = wait_at(e->hub, s, p, from);
    if (n != NULL)
        rc = read_note(s, n, data, bytes);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int32_t thread_send(void *user, int32_t to, int32_t channel,
                           const void *data, int64_t bytes, double timeout,
                           const mopt_cancel *cancel)
{
    const end *e = user;
    patience p = wait_for(timeout, cancel);
    note n = {.from = e->rank, .channel = channel, .data = data,
              .bytes = bytes};
    hang(&e->hub->seats[to], &n);
    return await_reading(e->hub, &e->hub->seats[to], &n, &p, to);
}

static int32_t thread_receive(void *user, int32_t from, int32_t channel,
                              void *data, int64_t bytes, double timeout,
                              const mopt_cancel *cancel)
{
    patience p = wait_for(timeout, cancel);
    return receive_by(user, from, channel, data, bytes, &p);
}

static int32_t thread_exchange(void *user, int32_t to, const void *out,
                               int64_t out_bytes, int32_t from, void *in,
                               int64_t in_bytes, int32_t channel,
                               double timeout, const mopt_cancel *cancel)
{
    const end *e = user;
    patience p = wait_for(timeout, cancel);
    patience over = wait_for(0, NULL);
    note n = {.from = e->rank, .channel = channel, .data = out,
              .bytes = out_bytes};
    hang(&e->hub->seats[to], &n);
    int32_t rc = receive_by(e, from, channel, in, in_bytes, &p);
    if (rc == MOPT_OK)
        return await_reading(e->hub, &e->hub->seats[to], &n, &p, to);
    /* The first error stays the message: what follows only clears up. */
    moi_told told;
    moi_told_keep(&told);
    await_reading(e->hub, &e->hub->seats[to], &n, &over, to);
    moi_told_restore(&told);
    return rc;
}

static void wake_all(hub *h)
{
    for (int32_t i = 0; i < h->size; i++) {
        pthread_mutex_lock(&h->seats[i].lock);
        tell_change(&h->seats[i]);
        pthread_mutex_unlock(&h->seats[i].lock);
    }
}

static void thread_abort(void *user, int32_t code)
{
    const end *e = user;
    int64_t nobody = 0;
    atomic_compare_exchange_strong(&e->hub->quit, &nobody,
                                   quit_of(e->rank, code));
    wake_all(e->hub);
}

/* ---- life ---- */

static void free_hub(hub *h)
{
    mopt_context *ctx = h->ctx;
    for (int32_t i = 0; h->seats != NULL && i < h->size; i++) {
        pthread_cond_destroy(&h->seats[i].changed);
        pthread_mutex_destroy(&h->seats[i].lock);
    }
    moi_free(ctx, h->seats);
    moi_free(ctx, h->gone);
    moi_free(ctx, h);
    moi_context_release(ctx);
}

static void leave(void *user)
{
    end *e = user;
    hub *h = e->hub;
    atomic_store(&h->gone[e->rank], 1);
    wake_all(h);
    moi_free(h->ctx, e);
    if (atomic_fetch_sub(&h->ends, 1) == 1)
        free_hub(h);
}

static int32_t make_hub(mopt_context *ctx, int32_t size, hub **out)
{
    hub *h = moi_calloc(ctx, 1, sizeof(*h));
    pthread_condattr_t clock;
    if (h == NULL)
        return MOPT_ENOMEM;
    h->ctx = moi_context_hold(ctx);
    h->size = size;
    h->gone = moi_calloc(ctx, size, sizeof(*h->gone));
    h->seats = moi_calloc(ctx, size, sizeof(*h->seats));
    if (h->gone == NULL || h->seats == NULL) {
        h->size = 0;
        free_hub(h);
        return MOPT_ENOMEM;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    for (int32_t i = 0; i < size; i++) {
        pthread_mutex_init(&h->seats[i].lock, NULL);
        pthread_cond_init(&h->seats[i].changed, &clock);
    }
    pthread_condattr_destroy(&clock);
    *out = h;
    return MOPT_OK;
}

static int32_t make_end(hub *h, int32_t rank, double timeout,
                        mopt_group **out)
{
    end *e = moi_alloc(h->ctx, 1, sizeof(*e));
    if (e == NULL)
        return MOPT_ENOMEM;
    *e = (end){h, rank};
    mopt_group_table table = {
        .struct_size = sizeof(table),
        .abi_version = MOPT_GROUP_ABI,
        .name = "threads",
        .user = e,
        .send = thread_send,
        .receive = thread_receive,
        .exchange = thread_exchange,
        .abort = thread_abort,
    };
    int32_t rc = mopt_group_wrap(h->ctx, &table, rank, h->size, timeout, leave,
                                 out);
    if (rc != MOPT_OK)
        moi_free(h->ctx, e);
    return rc;
}

int32_t moi_group_check_threads(const char *function, int32_t size,
                                double timeout)
{
    if (size < 1 || size > MOST)
        return moi_fail(MOPT_EINVAL, "%s: size is %d, allowed are 1 to %d",
                        function, (int)size, MOST);
    return moi_group_check_timeout(function, timeout);
}

int32_t mopt_group_create(mopt_context *ctx, int32_t size, double timeout,
                          mopt_group **out)
{
    const char *function = "mopt_group_create";
    hub *h = NULL;
    int32_t made = 0;
    if (ctx == NULL || out == NULL)
        return moi_fail_null(function, ctx == NULL ? "ctx" : "out");
    int32_t rc = moi_group_check_threads(function, size, timeout);
    if (rc == MOPT_OK)
        rc = make_hub(ctx, size, &h);
    if (rc != MOPT_OK)
        return rc;
    /* One more than there are, until all are made. */
    atomic_store(&h->ends, 1);
    for (; made < size && rc == MOPT_OK; made++) {
        rc = make_end(h, made, timeout, &out[made]);
        if (rc != MOPT_OK)
            break;
        atomic_fetch_add(&h->ends, 1);
    }
    if (rc != MOPT_OK)
        while (made > 0)
            mopt_group_free(out[--made]);
    if (atomic_fetch_sub(&h->ends, 1) == 1)
        free_hub(h);
    return rc;
}
