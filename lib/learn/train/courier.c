/* SPDX-License-Identifier: MIT
 * lib/learn/train/courier.c: see courier.h. */
#include "learn/train/courier.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/thread.h"

struct moi_courier {
    mopt_context *ctx;
    moi_carry_fn carry;
    void *user;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more, done;
    int64_t released, carried;
    int32_t busy, rc, over;
    char said[512];
};

/* With the lock: is there nothing to do? */
static int32_t idle(const moi_courier *c)
{
    return c->rc != MOPT_OK || c->carried >= c->released;
}

/* With the lock, and nothing on its way. */
static void carry_next(moi_courier *c)
{
    int64_t item = c->carried;
    int32_t rc;

    c->busy = 1;
    pthread_mutex_unlock(&c->lock);
    rc = c->carry(c->user, item);
    pthread_mutex_lock(&c->lock);
    c->busy = 0;
    c->rc = rc;
    c->carried++;
    if (rc)
        mopt_last_error(c->said, sizeof c->said, NULL);
    pthread_cond_signal(&c->done);
}

static void *serve(void *user)
{
    moi_courier *c = user;

    moi_thread_prompt();
    pthread_mutex_lock(&c->lock);
    while (!c->over)
        if (idle(c) || c->busy)
            pthread_cond_wait(&c->more, &c->lock);
        else
            carry_next(c);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void clear(moi_courier *c)
{
    pthread_cond_destroy(&c->more);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    moi_free(c->ctx, c);
}

int32_t moi_courier_create(mopt_context *ctx, moi_carry_fn carry, void *user,
                           moi_courier **out)
{
    moi_courier *c = moi_calloc(ctx, 1, sizeof *c);
    int code;

    if (!c)
        return MOPT_ENOMEM;
    c->ctx = ctx;
    c->carry = carry;
    c->user = user;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    pthread_cond_init(&c->done, NULL);
    code = moi_thread_start(&c->thread, serve, c);
    if (code) {
        clear(c);
        return moi_fail(MOPT_ENOMEM, "no thread for what travels: %s",
                        strerror(code));
    }
    *out = c;
    return MOPT_OK;
}

void moi_courier_free(moi_courier *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->over = 1;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    clear(c);
}

void moi_courier_begin(moi_courier *c)
{
    pthread_mutex_lock(&c->lock);
    c->released = c->carried = 0;
    c->rc = MOPT_OK;
    pthread_mutex_unlock(&c->lock);
}

void moi_courier_release(moi_courier *c, int64_t count)
{
    pthread_mutex_lock(&c->lock);
    if (count > c->released) {
        c->released = count;
        pthread_cond_signal(&c->more);
    }
    pthread_mutex_unlock(&c->lock);
}

int32_t moi_courier_finish(moi_courier *c)
{
    int32_t rc;

    pthread_mutex_lock(&c->lock);
    while (c->busy || !idle(c))
        if (c->busy)
            pthread_cond_wait(&c->done, &c->lock);
        else
            carry_next(c);
    rc = c->rc;
    pthread_mutex_unlock(&c->lock);
    return rc ? moi_fail(rc, "%s", c->said) : MOPT_OK;
}

void moi_courier_drop(moi_courier *c)
{
    pthread_mutex_lock(&c->lock);
    c->released = 0;
    while (c->busy)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}
