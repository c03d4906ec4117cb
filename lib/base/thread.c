/* SPDX-License-Identifier: MIT
 * lib/base/thread.c: a thread of the library's own. */
#include "base/thread.h"

#include <signal.h>
#ifdef __linux__
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

int moi_thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, old;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    code = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

#ifdef __linux__

/* Version 0 of what sched_setattr(2) takes: C libraries name it or do not. */
typedef struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} attributes;

#define SLICE 100000 /* ns: the shortest that there is */

/* Since Linux 6.12 a thread that asks for a short slice does not have to wait
 * for the end of a longer one. */
static void ask_for_slice(void)
{
    attributes now = {.size = sizeof now};

    if (syscall(SYS_sched_getattr, 0, &now, (unsigned)sizeof now, 0U) ||
        now.policy != SCHED_OTHER)
        return;
    now.size = sizeof now;
    now.runtime = SLICE;
    syscall(SYS_sched_setattr, 0, &now, 0U);
}

/* Timers are late by 50 us unless told otherwise (PR_SET_TIMERSLACK(2const)).
 * Where either is unknown or forbidden, things stay as they are. */
void moi_thread_prompt(void)
{
    prctl(PR_SET_TIMERSLACK, 1UL);
    ask_for_slice();
}

#else

void moi_thread_prompt(void)
{
}

#endif
