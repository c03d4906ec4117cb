/* SPDX-License-Identifier: MIT
 * lib/base/thread.h: a thread of the library's own. */
#ifndef MOI_BASE_THREAD_H
#define MOI_BASE_THREAD_H

#include <pthread.h>

/* Start a thread that gets none of the host's signals: those are for the
 * host's threads. The caller joins it. Returns 0, or why not (errno). */
int moi_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* The calling thread sleeps most of the time, and is waited for when it does
 * not: let it have a core as soon as it wakes, where the system can do that. */
void moi_thread_prompt(void);

#endif
