/* SPDX-License-Identifier: MIT
 * src/cli/interrupt.c: Ctrl-C.
 *
 * A handler can be told nothing, so what it needs is static: the token, and
 * the signal that came. */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static mopt_cancel *watched;
static volatile sig_atomic_t came;

static void on_signal(int number)
{
    static const char text[] =
        "\nmodelopt: stopping; what is finished is kept "
        "(once more ends at once)\n";
    int before = errno;

    if (came)
        _exit(128 + number);
    came = number;
    mopt_cancel_request(watched);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
        /* Nobody reads our messages any more; the work still ends. */
    }
    errno = before;
}

static void handle(void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_watch(cli *c, mopt_cancel **token)
{
    int32_t rc = mopt_cancel_create(c->ctx, token);

    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    watched = *token;
    came = 0;
    handle(on_signal);
    return 0;
}

void interrupt_leave(mopt_cancel *token)
{
    handle(SIG_DFL);
    watched = NULL;
    mopt_cancel_free(token);
}

int interrupt_code(void)
{
    return came ? 128 + came : 0;
}
