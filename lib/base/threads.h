/* SPDX-License-Identifier: MIT
 * lib/base/threads.h: the context's pool of workers. */
#ifndef MOI_BASE_THREADS_H
#define MOI_BASE_THREADS_H

#include <modelopt/context.h>

/* One task of a parallel piece of work. */
typedef void (*moi_task_fn)(void *work, int64_t task);

/* Run tasks 0 .. count-1 on at most width workers (0: as many as the context
 * has), the calling thread among them; returns when all are done. Tasks are
 * handed out in order. Inside a task, while another thread has the pool, or
 * without memory for it, the calling thread does all of them: the tasks must
 * not depend on which. */
void moi_parallel(mopt_context *ctx, int64_t count, int32_t width,
                  moi_task_fn task, void *work);

/* Cores that this process may use, >= 1. */
int32_t moi_cores(void);

struct moi_pool;
void moi_pool_free(mopt_context *ctx, struct moi_pool *pool);

#endif
