/* SPDX-License-Identifier: MIT
 * src/cli/interrupt.h: Ctrl-C. The first asks the work to end in good order,
 * the second ends the program at once. SIGTERM is treated alike. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include "cli.h"

/* Let the signals trigger a token from now on. */
int interrupt_watch(cli *c, mopt_cancel **token);

/* No more; frees the token. */
void interrupt_leave(mopt_cancel *token);

/* 128 + the signal that came, 0 if none did. */
int interrupt_code(void);

#endif
