/* SPDX-License-Identifier: MIT
 * src/cli/plan.h: modelopt info --parallel: how ranks would share a recipe. */
#ifndef CLI_PLAN_H
#define CLI_PLAN_H

#include "job.h"

#define PLAN_RANKS 65536 /* at most */

/* Show the plan for a job's recipe; ranks 0: as many as it says, or one for
 * each core. Returns the exit code. */
int plan_show(job *j, int64_t ranks);

#endif
