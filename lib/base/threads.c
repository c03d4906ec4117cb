/* SPDX-License-Identifier: MIT
 * lib/base/threads.c: one pool a context, made when it is first needed.
 *
 * A piece of work is a counter that its workers draw task numbers from. The
 * pool serves one piece at a time; whoever finds it taken, or is a task
 * itself, works alone: results never depend on who does what.
 *
 * To wake a thread takes tens of microseconds, and the passes of a training
 * step follow each other closer than that: who waits looks about for a while
 * before it sleeps. It lets others have the core meanwhile, gives that up when
 * it was in vain, and does not even begin where there are more threads than
 * cores. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/thread.h"

typedef struct moi_pool {
    mopt_context *ctx;
    pthread_mutex_t lock; /* protects what is not atomic */
    pthread_cond_t wake;  /* there is work, or the end */
    pthread_cond_t done;  /* the last worker has left the work */
    pthread_t *threads;
    int32_t count;   /* threads running */
    int32_t ending;  /* threads are to return */
    int32_t taken;   /* a piece of work is under way */
    double patience; /* seconds to look about before sleeping */
    atomic_int seats;  /* workers that may still join it; at the end, any */
    atomic_int inside; /* workers in it, the caller left out */
    moi_task_fn task;
    void *work;
    int64_t tasks;
    atomic_llong next; /* task number to be drawn */
} moi_pool;

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int32_t in_task;

int32_t moi_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int32_t)count : 1;
}

#define LOOKS 64 /* between two looks at the clock */

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int32_t moi_look_about(const atomic_int *number, int32_t value, int32_t equal,
                       double seconds)
{
    double end = seconds > 0 ? moi_clock_seconds() + seconds : 0;
    for (int32_t looks = 1;; looks++) {
        if ((atomic_load(number) == value) == equal)
            return 1;
        pause_briefly();
        if (looks % LOOKS != 0 && seconds > 0)
            continue;
        if (seconds <= 0 || moi_clock_seconds() > end)
            return 0;
        sched_yield();
    }
}

static void draw_tasks(moi_pool *pool)
{
    in_task++;
    for (;;) {
        int64_t task = atomic_fetch_add(&pool->next, 1);
        if (task >= pool->tasks)
            break;
        pool->task(pool->work, task);
    }
    in_task--;
}

/* Until there is work or the end: look about, then sleep. Looking in vain
 * halves *patience; a sleep so short that looking would have done gives it
 * back. Returns with the lock held. */
static void wait_for_work(moi_pool *pool, double *patience)
{
    if (!moi_look_about(&pool->seats, 0, 0, *patience))
        *patience /= 2;
    double start = moi_clock_seconds();
    pthread_mutex_lock(&pool->lock);
    int32_t slept = 0;
    for (; atomic_load(&pool->seats) == 0; slept = 1)
        pthread_cond_wait(&pool->wake, &pool->lock);
    if (slept && moi_clock_seconds() - start < 2 * pool->patience)
        *patience = pool->patience;
}

static void *serve(void *argument)
{
    moi_pool *pool = argument;
    double patience = pool->patience;
    for (;;) {
        wait_for_work(pool, &patience);
        if (pool->ending)
            break;
        atomic_fetch_sub(&pool->seats, 1);
        atomic_fetch_add(&pool->inside, 1);
        pthread_mutex_unlock(&pool->lock);
        draw_tasks(pool);
        if (atomic_fetch_sub(&pool->inside, 1) > 1)
            continue;
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static moi_pool *make_pool(mopt_context *ctx)
{
    moi_pool *pool = moi_calloc(ctx, 1, sizeof *pool);
    pthread_t *threads = moi_calloc(ctx, ctx->threads, sizeof *threads);
    if (pool == NULL || threads == NULL) {
        moi_free(ctx, pool);
        moi_free(ctx, threads);
        return NULL;
    }
    pool->ctx = ctx;
    pool->threads = threads;
    pool->patience = ctx->threads <= moi_cores() ? MOI_PATIENCE : 0;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    while (pool->count < ctx->threads - 1 &&
           moi_thread_start(&pool->threads[pool->count], serve, pool) == 0)
        pool->count++;
    return pool;
}

static moi_pool *find_pool(mopt_context *ctx)
{
    pthread_mutex_lock(&making);
    if (ctx->pool == NULL)
        ctx->pool = make_pool(ctx);
    moi_pool *pool = ctx->pool;
    pthread_mutex_unlock(&making);
    return pool;
}

void moi_pool_free(mopt_context *ctx, struct moi_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = 1;
    atomic_store(&pool->seats, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int32_t i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    moi_free(ctx, pool->threads);
    moi_free(ctx, pool);
}

/* Take the pool for a piece of work; 0 if somebody else has it. */
static int32_t take(moi_pool *pool, int64_t count, int32_t width,
                    moi_task_fn task, void *work)
{
    pthread_mutex_lock(&pool->lock);
    int32_t free = !pool->taken;
    if (free) {
        pool->taken = 1;
        pool->task = task;
        pool->work = work;
        pool->tasks = count;
        atomic_store(&pool->next, 0);
        atomic_store(&pool->seats,
                     width - 1 < pool->count ? width - 1 : pool->count);
        pthread_cond_broadcast(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return free;
}

static void give_back(moi_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->seats, 0);
    pthread_mutex_unlock(&pool->lock);
    moi_look_about(&pool->inside, 0, 1, pool->patience);
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->inside) > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pool->taken = 0;
    pthread_mutex_unlock(&pool->lock);
}

int32_t moi_parallel_width(const mopt_context *ctx)
{
    return in_task ? 1 : ctx->threads;
}

void moi_parallel(mopt_context *ctx, int64_t count, int32_t width,
                  moi_task_fn task, void *work)
{
    if (width <= 0 || width > ctx->threads)
        width = ctx->threads;
    if (width > count)
        width = (int32_t)count;
    moi_pool *pool = width > 1 && !in_task ? find_pool(ctx) : NULL;
    if (pool != NULL && take(pool, count, width, task, work)) {
        draw_tasks(pool);
        give_back(pool);
        return;
    }
    in_task++;
    for (int64_t i = 0; i < count; i++)
        task(work, i);
    in_task--;
}

/* --- Pieces that may fail ----------------------------------------------- */

#define MESSAGE 512

typedef struct share {
    moi_piece_fn piece;
    void *work;
    atomic_llong next;   /* piece to be drawn */
    atomic_llong failed; /* the first that did, or pieces */
    pthread_mutex_t lock;
    int32_t rc; /* of that one, and its message */
    char message[MESSAGE];
} share;

static void note_failure(share *s, int64_t piece, int32_t rc)
{
    pthread_mutex_lock(&s->lock);
    if (piece < atomic_load(&s->failed)) {
        atomic_store(&s->failed, piece);
        s->rc = rc;
        snprintf(s->message, sizeof(s->message), "%s", moi_last_text());
    }
    pthread_mutex_unlock(&s->lock);
}

/* All pieces before one that failed were begun before it. */
static void run_lane(void *work, int64_t lane)
{
    share *s = work;
    for (;;) {
        int64_t piece = atomic_fetch_add(&s->next, 1);
        if (piece >= atomic_load(&s->failed))
            return;
        int32_t rc = s->piece(s->work, (int32_t)lane, piece);
        if (rc != MOPT_OK)
            note_failure(s, piece, rc);
    }
}

static int32_t run_in_turn(int64_t pieces, moi_piece_fn piece, void *work)
{
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < pieces && rc == MOPT_OK; i++)
        rc = piece(work, 0, i);
    return rc;
}

int32_t moi_share(mopt_context *ctx, int32_t lanes, int64_t pieces,
                  moi_piece_fn piece, void *work)
{
    if (lanes > pieces)
        lanes = (int32_t)pieces;
    if (lanes <= 1)
        return run_in_turn(pieces, piece, work);
    share s = {.piece = piece, .work = work};
    atomic_init(&s.next, 0);
    atomic_init(&s.failed, pieces);
    pthread_mutex_init(&s.lock, NULL);
    moi_parallel(ctx, lanes, lanes, run_lane, &s);
    pthread_mutex_destroy(&s.lock);
    if (s.rc < 0)
        return moi_fail(s.rc, "%s", s.message);
    return s.rc;
}
