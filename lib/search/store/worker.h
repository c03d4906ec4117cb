/* SPDX-License-Identifier: MIT
 * lib/search/store/worker.h: which process works on a trial, and does it still
 * live? */
#ifndef MOI_SEARCH_WORKER_H
#define MOI_SEARCH_WORKER_H

#include <modelopt/context.h>

/* What tells a process from all others, now and later. */
typedef struct moi_worker {
    char host[128]; /* the machine's name */
    char boot[64];  /* changes when the machine starts */
    char room[64];  /* the container: where process ids mean the same */
    int64_t pid;
    int64_t started; /* in ticks since the machine started; 0: not known */
} moi_worker;

#define MOI_WORKER_SELF 0    /* this process */
#define MOI_WORKER_ALIVE 1   /* another one that lives */
#define MOI_WORKER_DEAD 2    /* it is gone for certain */
#define MOI_WORKER_UNKNOWN 3 /* on another machine, or out of sight */

void moi_worker_self(mopt_context *ctx, moi_worker *self);

/* Are both the same process? */
int32_t moi_worker_same(const moi_worker *a, const moi_worker *b);

/* MOI_WORKER_*, seen from self. */
int32_t moi_worker_look(mopt_context *ctx, const moi_worker *self,
                        const moi_worker *other);

#endif
