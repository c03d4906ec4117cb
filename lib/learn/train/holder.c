/* SPDX-License-Identifier: MIT
 * lib/learn/train/holder.c: see holder.h.
 *
 * What ranks bring is old by the time it comes: others have moved the weights.
 * The momentum of the outer step would carry every one of these steps on, so it
 * is moved only once for as many as there are ranks, by their mean (Liu et al.
 * 2024, "Asynchronous Local-SGD Training for Language Modeling": delayed
 * Nesterov). When all come once, from the same weights, that is the step of
 * those who wait for each other. */
#include "learn/train/holder.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/thread.h"
#include "group/group.h"

/* What a rank sends before what it has moved; and what it is told. */
typedef struct word {
    int64_t over; /* BRINGS, or that it is done, or that all are */
    double speed;
} word;

enum { BRINGS, IS_DONE, HAS_FAILED };

#define PARTING 1.0 /* seconds that a last word is offered */

/* A rank that comes to the holder, and the thread that waits for it. */
typedef struct guest {
    moi_holder *h;
    mopt_group *line; /* of the two; this rank's is the holder's in turn */
    int32_t rank;
    int32_t started;
    pthread_t thread;
    moi_real *moved, *newest; /* [n] */
} guest;

struct moi_holder {
    mopt_context *ctx;
    int32_t rank, size;
    int64_t n;
    moi_real rate, keep;
    guest *guests; /* [size]; elsewhere only the one that is the holder */
    int32_t begun; /* somebody may wait for this rank */

    /* At the first rank: */
    mopt_cancel *stop;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t left;
    int32_t there;        /* ranks that are not done, nor gone */
    int64_t brought;
    double *speeds;       /* [size] */
    moi_real *w, *m, *sum; /* [n] */
};

/* ---- the outer step, with the lock ---- */

static void carry_on(moi_holder *h)
{
    moi_real share = (moi_real)(1 / (double)h->size);

    for (int64_t i = 0; i < h->n; i++) {
        h->m[i] = h->keep * h->m[i] + share * h->sum[i];
        h->w[i] -= h->rate * h->keep * h->m[i];
        h->sum[i] = 0;
    }
}

static void take_in(moi_holder *h, const moi_real *moved)
{
    moi_real share = (moi_real)(1 / (double)h->size);

    for (int64_t i = 0; i < h->n; i++) {
        h->sum[i] += moved[i];
        h->w[i] -= h->rate * share * moved[i];
    }
    if (++h->brought % h->size == 0)
        carry_on(h);
}

static double share_of(moi_holder *h, int32_t rank, double speed)
{
    double most = speed;

    h->speeds[rank] = speed;
    for (int32_t i = 0; i < h->size; i++)
        if (h->speeds[i] > most)
            most = h->speeds[i];
    return most > 0 ? speed / most : 1;
}

static double serve_one(moi_holder *h, int32_t rank, const moi_real *moved,
                        double speed, moi_real *newest)
{
    double share;

    pthread_mutex_lock(&h->lock);
    take_in(h, moved);
    share = share_of(h, rank, speed);
    memcpy(newest, h->w, (size_t)h->n * sizeof *newest);
    pthread_mutex_unlock(&h->lock);
    return share;
}

/* One is done or gone; and wait until all are. */
static void sign_off(moi_holder *h, int32_t rank)
{
    pthread_mutex_lock(&h->lock);
    h->speeds[rank] = 0;
    if (--h->there == 0)
        pthread_cond_broadcast(&h->left);
    pthread_mutex_unlock(&h->lock);
}

/* For so many seconds, or until this rank gives all up: are they? */
static int32_t await_all(moi_holder *h, double seconds, moi_real *newest)
{
    struct timespec until = moi_clock_at(moi_clock_seconds() + seconds);
    int32_t all, late = 0;

    pthread_mutex_lock(&h->lock);
    while (h->there > 0 && !late && !mopt_cancel_requested(h->stop))
        late = pthread_cond_timedwait(&h->left, &h->lock, &until) != 0;
    all = h->there == 0;
    memcpy(newest, h->w, (size_t)h->n * sizeof *newest);
    pthread_mutex_unlock(&h->lock);
    return all;
}

/* A guest that waits hears something long before it would give up. */
static void see_off(guest *g)
{
    moi_holder *h = g->h;
    word said = {0, 0};
    int32_t rc = MOPT_OK;

    while (!rc && !said.over && !mopt_cancel_requested(h->stop)) {
        said.over = await_all(h, g->line->timeout / 4, g->newest);
        rc = mopt_group_send(g->line, 1, &said, sizeof said, h->stop);
    }
    if (!rc && said.over)
        mopt_group_send(g->line, 1, g->newest,
                        h->n * (int64_t)sizeof(moi_real), h->stop);
}

/* ---- a guest's thread ---- */

static int32_t answer(guest *g, const word *said)
{
    moi_holder *h = g->h;
    int64_t bytes = h->n * (int64_t)sizeof(moi_real);
    word reply = {0, 0};
    int32_t rc = mopt_group_receive(g->line, 1, g->moved, bytes, h->stop);

    if (rc)
        return rc;
    reply.speed = serve_one(h, g->rank, g->moved, said->speed, g->newest);
    rc = mopt_group_send(g->line, 1, &reply, sizeof reply, h->stop);
    return rc ? rc : mopt_group_send(g->line, 1, g->newest, bytes, h->stop);
}

/* Until the guest is done or gone: what ends it is nobody else's affair. */
static void *attend(void *user)
{
    guest *g = user;
    moi_holder *h = g->h;
    word said = {0, 0};
    int32_t rc = MOPT_OK;

    while (!rc && !said.over) {
        rc = mopt_group_receive(g->line, 1, &said, sizeof said, h->stop);
        if (!rc && !said.over)
            rc = answer(g, &said);
    }
    if (rc && rc != MOPT_ECANCELED)
        moi_log(h->ctx, MOPT_LOG_WARN, "train",
                "rank %d comes no more (%s); the others go on", (int)g->rank,
                mopt_status_name(rc));
    sign_off(h, g->rank);
    if (!rc && said.over == IS_DONE)
        see_off(g);
    return NULL;
}

static int32_t start(guest *g)
{
    int code = moi_thread_start(&g->thread, attend, g);

    g->started = code == 0;
    return code ? moi_fail(MOPT_ENOMEM, "no thread for rank %d: %s",
                           (int)g->rank, strerror(code))
                : MOPT_OK;
}

static void join_all(moi_holder *h)
{
    for (int32_t i = 0; i < h->size; i++) {
        if (h->guests[i].started)
            pthread_join(h->guests[i].thread, NULL);
        h->guests[i].started = 0;
    }
    h->begun = 0;
}

/* ---- life ---- */

static int32_t take_block(const moi_holder *h, moi_real **out)
{
    *out = moi_calloc(h->ctx, h->n, sizeof **out);
    return *out ? MOPT_OK : MOPT_ENOMEM;
}

/* What the first rank needs. */
static int32_t take_room(moi_holder *h)
{
    int32_t rc = mopt_cancel_create(h->ctx, &h->stop);

    h->speeds = moi_calloc(h->ctx, h->size, sizeof *h->speeds);
    if (!rc && !h->speeds)
        rc = MOPT_ENOMEM;
    if (!rc)
        rc = take_block(h, &h->w);
    if (!rc)
        rc = take_block(h, &h->m);
    if (!rc)
        rc = take_block(h, &h->sum);
    for (int32_t i = 1; !rc && i < h->size; i++) {
        rc = take_block(h, &h->guests[i].moved);
        if (!rc)
            rc = take_block(h, &h->guests[i].newest);
    }
    return rc;
}

/* A line to the holder for each: a group of two. */
static int32_t draw_lines(moi_holder *h, mopt_group *group)
{
    int32_t rc = MOPT_OK;

    for (int32_t i = 1; !rc && i < h->size; i++) {
        int32_t mine = h->rank == 0 || h->rank == i;
        mopt_group *line = NULL;

        rc = mopt_group_split(group, !mine, h->rank, &line);
        if (mine)
            h->guests[h->rank == 0 ? i : 0].line = line;
        else
            mopt_group_free(line);
    }
    return rc;
}

static void list_guests(moi_holder *h)
{
    for (int32_t i = 0; i < h->size; i++) {
        h->guests[i].h = h;
        h->guests[i].rank = i;
    }
}

int32_t moi_holder_create(mopt_context *ctx, mopt_group *group, int64_t n,
                          double rate, double momentum, moi_holder **out)
{
    moi_holder *h = moi_calloc(ctx, 1, sizeof *h);
    pthread_condattr_t clock;
    int32_t rc = MOPT_ENOMEM;

    if (h) {
        h->ctx = ctx;
        h->rank = group ? mopt_group_rank(group) : 0;
        h->size = group ? mopt_group_size(group) : 1;
        h->n = n;
        h->rate = (moi_real)rate;
        h->keep = (moi_real)momentum;
        pthread_mutex_init(&h->lock, NULL);
        pthread_condattr_init(&clock);
        pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
        pthread_cond_init(&h->left, &clock);
        pthread_condattr_destroy(&clock);
        h->guests = moi_calloc(ctx, h->size, sizeof *h->guests);
    }
    if (h && h->guests) {
        list_guests(h);
        rc = h->rank == 0 ? take_room(h) : MOPT_OK;
    }
    if (!rc && group)
        rc = draw_lines(h, group);
    if (rc && group) /* others draw lines, too */
        mopt_group_abort(group, rc);
    if (rc)
        moi_holder_free(h);
    else
        *out = h;
    return rc;
}

static void free_guests(moi_holder *h)
{
    for (int32_t i = 0; h->guests && i < h->size; i++) {
        mopt_group_free(h->guests[i].line);
        moi_free(h->ctx, h->guests[i].moved);
        moi_free(h->ctx, h->guests[i].newest);
    }
    moi_free(h->ctx, h->guests);
}

/* A guest that leaves in the middle says so; nobody may listen any more. */
static void excuse(moi_holder *h)
{
    mopt_group *line = h->guests[0].line;
    moi_told told;

    if (line->timeout > PARTING)
        line->timeout = PARTING;
    moi_told_keep(&told);
    moi_holder_quit(h, MOPT_STOPPED);
    moi_told_restore(&told);
}

void moi_holder_free(moi_holder *h)
{
    if (!h)
        return;
    if (h->begun && h->rank > 0)
        excuse(h);
    if (h->begun && h->rank == 0) {
        mopt_cancel_request(h->stop);
        pthread_mutex_lock(&h->lock);
        pthread_cond_broadcast(&h->left);
        pthread_mutex_unlock(&h->lock);
        join_all(h);
    }
    free_guests(h);
    mopt_cancel_free(h->stop);
    pthread_cond_destroy(&h->left);
    pthread_mutex_destroy(&h->lock);
    moi_free(h->ctx, h->speeds);
    moi_free(h->ctx, h->w);
    moi_free(h->ctx, h->m);
    moi_free(h->ctx, h->sum);
    moi_free(h->ctx, h);
}

/* ---- what ranks call ---- */

int32_t moi_holder_open(moi_holder *h, const moi_real *w, const moi_real *m)
{
    size_t bytes = (size_t)h->n * sizeof *w;
    int32_t rc = MOPT_OK;

    if (h->begun)
        return MOPT_OK;
    h->begun = 1;
    if (h->rank > 0)
        return MOPT_OK;
    memcpy(h->w, w, bytes);
    memcpy(h->m, m, bytes);
    memset(h->sum, 0, bytes);
    h->brought = 0;
    h->there = h->size;
    for (int32_t i = 1; !rc && i < h->size; i++)
        rc = start(&h->guests[i]);
    return rc;
}

int32_t moi_holder_push(moi_holder *h, const moi_real *moved, double speed,
                        moi_real *w, double *share)
{
    int64_t bytes = h->n * (int64_t)sizeof *w;
    mopt_group *line = h->guests[0].line;
    word said = {0, speed};
    int32_t rc;

    if (h->rank == 0) {
        *share = serve_one(h, 0, moved, speed, w);
        return MOPT_OK;
    }
    rc = mopt_group_send(line, 0, &said, sizeof said, NULL);
    if (!rc)
        rc = mopt_group_send(line, 0, moved, bytes, NULL);
    if (!rc)
        rc = mopt_group_receive(line, 0, &said, sizeof said, NULL);
    if (!rc)
        rc = mopt_group_receive(line, 0, w, bytes, NULL);
    *share = said.speed;
    return rc;
}

int32_t moi_holder_close(moi_holder *h, moi_real *w)
{
    int64_t bytes = h->n * (int64_t)sizeof *w;
    mopt_group *line = h->guests[0].line;
    word said = {IS_DONE, 0};
    int32_t rc;

    if (h->rank == 0) {
        sign_off(h, 0);
        while (!await_all(h, 3600, w)) {
        }
        join_all(h);
        return MOPT_OK;
    }
    h->begun = 0;
    rc = mopt_group_send(line, 0, &said, sizeof said, NULL);
    do {
        if (!rc)
            rc = mopt_group_receive(line, 0, &said, sizeof said, NULL);
    } while (!rc && !said.over);
    return rc ? rc : mopt_group_receive(line, 0, w, bytes, NULL);
}

void moi_holder_quit(moi_holder *h, int32_t status)
{
    word said = {HAS_FAILED, 0};

    if (h->size == 1)
        return;
    if (h->rank > 0)
        h->begun = 0;
    if (h->rank == 0)
        mopt_group_abort(h->guests[1].line, status);
    else
        mopt_group_send(h->guests[0].line, 0, &said, sizeof said, NULL);
}

void moi_holder_momentum(moi_holder *h, moi_real *m)
{
    pthread_mutex_lock(&h->lock);
    if (h->m)
        memcpy(m, h->m, (size_t)h->n * sizeof *m);
    pthread_mutex_unlock(&h->lock);
}
