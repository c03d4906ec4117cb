/* SPDX-License-Identifier: MIT
 * src/cli/progress.h: how far a long run is: a bar with the time left on a
 * terminal, a plain line now and then elsewhere, nothing with --no-progress
 * or -q. All on stderr. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli.h"

typedef struct progress progress;

/* Begin. trials: how many the run is to have, 0 when unknown; done: how many
 * were finished before it. Without memory or threads there is no bar, and
 * nothing else changes. */
progress *progress_start(cli *c, int64_t trials, int64_t done);

/* What the first objective is called, and whether more of it is better. */
void progress_objective(progress *p, const char *name, int maximize);

/* An event of a running recipe. */
void progress_event(progress *p, int32_t event, const json_t *json);

/* Take the bar away and free it; NULL is fine. */
void progress_stop(progress *p);

/* Around each message: take the bar off the screen, put it back. They hold a
 * lock in between, so messages of several threads do not mix. NULL is fine. */
void progress_hide(progress *p);
void progress_show(progress *p);

#endif
