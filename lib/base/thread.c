/* SPDX-License-Identifier: MIT
 * lib/base/thread.c: a thread of the library's own. */
#include "base/thread.h"

#include <signal.h>

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
