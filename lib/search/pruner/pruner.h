/* SPDX-License-Identifier: MIT
 * lib/search/pruner/pruner.h: who stops a trial early.
 *
 * A pruner is one file and one line in moi_pruners. It is asked after each
 * report, under the lock of the history, and may keep state of its own. What
 * it says depends on what other trials have reported by then: with more than
 * one worker, on their pace. */
#ifndef MOI_SEARCH_PRUNER_H
#define MOI_SEARCH_PRUNER_H

#include "base/config.h"
#include "search/trial/history.h"

typedef struct moi_pruner_kind {
    const moi_schema *schema; /* its name, help and options */
    int32_t (*create)(mopt_context *ctx, const moi_options *options,
                      void **state);
    void (*destroy)(void *state);
    /* *prune tells whether the trial in a row, which has just reported at
     * step, should stop. MOPT_OK or MOPT_ENOMEM. */
    int32_t (*judge)(void *state, const moi_history *history, int64_t row,
                     int64_t step, int32_t *prune);
} moi_pruner_kind;

/* Every pruner; NULL-terminated. */
extern const moi_pruner_kind *const moi_pruners[];

/* Their schemas, in the same order, for a VARIANT key. */
extern const moi_schema *const moi_pruner_schemas[];

/* When a pruner looks at all: from step warmup on, at the first report in each
 * stretch of interval steps. */
typedef struct moi_pace {
    int64_t warmup, interval;
} moi_pace;

/* The keys of a pace, and reading them. */
#define MOI_PACE_KEYS                                                        \
    MOI_INT("warmup_steps", 0, 0, 1e15, "steps of a trial that are let be"), \
    MOI_INT("interval_steps", 1, 1, 1e15, "steps from one look to the next")
moi_pace moi_pace_read(const moi_options *options);

/* Is it time to look at a trial whose latest report is at step? */
int32_t moi_pace_due(const moi_pace *pace, const moi_extra *extra,
                     int64_t step);

/* The last step of a trial's reports; -1 if there is none. */
int64_t moi_last_step(const moi_extra *extra);

/* The best of count reports, NaN ones left out; NaN if that leaves none. */
double moi_best_report(const moi_report *reports, int64_t count,
                       int32_t maximize);

#endif
