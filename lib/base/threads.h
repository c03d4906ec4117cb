/* SPDX-License-Identifier: MIT
 * lib/base/threads.h: the context's pool of workers. */
#ifndef MOI_BASE_THREADS_H
#define MOI_BASE_THREADS_H

#include <modelopt/context.h>
#include <stdatomic.h>

/* One task of a parallel piece of work. */
typedef void (*moi_task_fn)(void *work, int64_t task);

/* Run tasks 0 .. count-1 on at most width workers (0: as many as the context
 * has), the calling thread among them; returns when all are done. Tasks are
 * handed out in order. Inside a task, while another thread has the pool, or
 * without memory for it, the calling thread does all of them: the tasks must
 * not depend on which. */
void moi_parallel(mopt_context *ctx, int64_t count, int32_t width,
                  moi_task_fn task, void *work);

/* One piece of work that may fail; lane says which room of its own it has. */
typedef int32_t (*moi_piece_fn)(void *work, int32_t lane, int64_t piece);

/* Run pieces 0 .. pieces-1, begun in order, on at most lanes workers (and at
 * most as many as the context has). Pieces that run at the same time have
 * different lanes, from 0 to lanes-1. After a failure no later piece begins;
 * of several the first in order is returned, its message on the calling
 * thread. With one lane this is a loop. Takes no memory once the pool is
 * there. */
int32_t moi_share(mopt_context *ctx, int32_t lanes, int64_t pieces,
                  moi_piece_fn piece, void *work);

/* How many workers a call from here may get: 1 inside a task. */
int32_t moi_parallel_width(const mopt_context *ctx);

/* Cores that this process may use, >= 1. */
int32_t moi_cores(void);

/* Seconds that a thread should look about before it sleeps, where another one
 * goes on without it: more than waking takes, and than one core is mostly later
 * than another with the same work. */
#define MOI_PATIENCE 1e-3

/* Look at a number until it is a value (with equal 0: until it is not), for
 * some seconds at most; 1 if that came true. Others get the core meanwhile. */
int32_t moi_look_about(const atomic_int *number, int32_t value, int32_t equal,
                       double seconds);

struct moi_pool;
void moi_pool_free(mopt_context *ctx, struct moi_pool *pool);

#endif
