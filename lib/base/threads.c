/* SPDX-License-Identifier: MIT
 * lib/base/threads.c: one pool a context, made when it is first needed.
 *
 * A piece of work is a counter that its workers draw task numbers from. The
 * pool serves one piece at a time; whoever finds it taken, or is a task
 * itself, works alone: results never depend on who does what. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/context.h"
#include "base/memory.h"

typedef struct moi_pool {
    mopt_context *ctx;
    pthread_mutex_t lock; /* protects everything below but next */
    pthread_cond_t wake;  /* there is work, or the end */
    pthread_cond_t done;  /* the last worker has left the work */
    pthread_t *threads;
    int32_t count;   /* threads running */
    int32_t ending;  /* threads are to return */
    int32_t taken;   /* a piece of work is under way */
    int32_t seats;   /* workers that may still join it */
    int32_t inside;  /* workers in it, the caller left out */
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

static void *serve(void *argument)
{
    moi_pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->ending && pool->seats == 0)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->ending)
            break;
        pool->seats--;
        pool->inside++;
        pthread_mutex_unlock(&pool->lock);
        draw_tasks(pool);
        pthread_mutex_lock(&pool->lock);
        if (--pool->inside == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The host's signals are for the host's threads. */
static int start_thread(moi_pool *pool)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&pool->threads[pool->count], NULL, serve, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
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
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    while (pool->count < ctx->threads - 1 && start_thread(pool) == 0)
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
        pool->seats = width - 1 < pool->count ? width - 1 : pool->count;
        pthread_cond_broadcast(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return free;
}

static void give_back(moi_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->seats = 0;
    while (pool->inside > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pool->taken = 0;
    pthread_mutex_unlock(&pool->lock);
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
