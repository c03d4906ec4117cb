/* SPDX-License-Identifier: MIT
 * modelopt/study.h: a search: who proposes, who stops early, where the trials
 * live. Ask for a trial, evaluate it, tell its value; or let
 * mopt_study_optimize do so with workers.
 *
 * A study on a file is an SQLite database in Optuna's relational schema; with
 * modelopt/postgresql.h it may live in PostgreSQL, for workers on many hosts.
 * Calls wait for others, and for a lost server, for "patience" seconds. */
#ifndef MODELOPT_STUDY_H
#define MODELOPT_STUDY_H

#include "space.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_study mopt_study;
typedef struct mopt_trial mopt_trial;

/* States of a trial. */
#define MOPT_TRIAL_RUNNING 0
#define MOPT_TRIAL_COMPLETE 1
#define MOPT_TRIAL_PRUNED 2
#define MOPT_TRIAL_FAILED 3
#define MOPT_TRIAL_WAITING 4

/** Evaluates a trial. May be called from several threads at a time.
 *
 *  @param user   as given to mopt_study_optimize.
 *  @param trial  read its parameters; report intermediate values.
 *  @param values [objectives], receives what is to be optimised.
 *  @return 0 (values are set), MOPT_PRUNED, MOPT_STOPPED (the trial is
 *          complete and the search ends), MOPT_ECANCELED (the trial goes back
 *          to waiting and the search ends), a negative status (the trial
 *          failed, the search goes on); anything else ends the search with
 *          MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_objective_fn)(void *user, mopt_trial *trial,
                                     double *values);

/** Told about a trial that has ended, by mopt_study_optimize; one call at a
 * time, from the worker's thread. Other functions of the study may be called
 * from it, mopt_study_optimize left out.
 *
 *  @param trial to be read; valid during the call.
 *  @return 0 to go on, MOPT_STOPPED to end the search; anything else ends it
 *          with MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_trial_fn)(void *user, mopt_trial *trial);

/** Create a study, or open the one of that name in its file.
 *
 *  Keys of the config (kind "study"): "name", "storage" (a file, also written
 *  "sqlite:///FILE"; empty for memory), "resume", "durability" ("power": what
 *  was told survives a loss of power, "process": the end of the process),
 *  "direction" ("minimize", "maximize", or several with commas), "seed",
 *  "sampler" ("random", "grid"), "pruner" ("none", "median", "percentile",
 *  "threshold", "patient"), "duplicates" ("allow", "avoid"), "trials",
 *  "workers", "timeout", "retries", "checkpoints"; mopt_config_describe lists
 *  them.
 *
 *  Opening a study with a space sends the running trials of processes that
 *  have died back to waiting, with their numbers and parameters.
 *
 *  @param space  copied; NULL to open an existing study as it is: with the
 *                space that it was made with, or, if another program made it,
 *                for reading and telling only.
 *  @param config NULL for the defaults. Read, not kept.
 *  @return MOPT_OK; MOPT_EINVAL (also: the space or the direction does not go
 *          with the study's); MOPT_EKEY; MOPT_ERANGE (the grid or the
 *          conditions are too large); MOPT_EEXIST (the study is there and
 *          "resume" is false); MOPT_ENOENT (no space, no study);
 *          MOPT_EUNSUPPORTED (a database that the context does not have);
 *          MOPT_ESTORE; MOPT_EFORMAT (not a study file); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_create(mopt_context *ctx, const mopt_space *space,
                                   const mopt_config *config,
                                   mopt_study **out);

/** Free a study; NULL is fine. Its trials' handles keep it alive.
 *  Thread: any. Since 0.1. */
MOPT_API void mopt_study_free(mopt_study *study);

/** Ask for the next trial.
 *
 *  Trials that wait come first, the lowest number before the others. The
 *  parameters of a new one depend on the seed, its number and the parameters
 *  of trials with lower numbers alone (random, grid), so that they are the
 *  same for any number of workers.
 *
 *  @param out receives the trial; the caller frees it after telling.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EXHAUSTED (grid done; no new point to
 *          draw), MOPT_ESTATE (opened without a space), MOPT_ESTORE,
 *          MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_ask(mopt_study *study, mopt_trial **out);

/** Tell how a trial ended. What was told is as lasting as "durability" says
 *  when this returns. After MOPT_ESTORE or MOPT_ENOMEM the trial still runs,
 *  and can be told again.
 *
 *  A trial that goes back to waiting keeps its number, parameters and notes;
 *  its reports and constraints are forgotten.
 *
 *  @param trial  a running one of this study; from mopt_study_ask, or from
 *                mopt_study_trial where the one who asked is gone.
 *  @param state  MOPT_TRIAL_COMPLETE, _PRUNED, _FAILED or _WAITING (to be asked
 *                again later).
 *  @param values [objectives] when complete; a NaN makes the trial failed.
 *                NULL otherwise.
 *  @param reason kept with a failed trial; may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (told already; or given to
 *          another worker, as there was no sign of life from this one for
 *          "grace" seconds), MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_tell(mopt_study *study, mopt_trial *trial,
                                 int32_t state, const double *values,
                                 const char *reason);

/** Let the next trial that is asked have given parameters.
 *
 *  @param params JSON object of parameter names and values; the others are
 *                sampled, and those that do not exist beside them left out.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY, MOPT_EFORMAT, MOPT_ESTORE, ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_enqueue(mopt_study *study, const char *params);

/** Run trials until "trials" of the config are finished in the study, the
 *  "timeout" is over, or the sampler is exhausted, with "workers" threads.
 *
 *  @param objective evaluates a trial.
 *  @param user      handed to objective.
 *  @param cancel    may be NULL; running trials go back to waiting.
 *  @return MOPT_OK (also when exhausted), MOPT_STOPPED, MOPT_ECANCELED,
 *          MOPT_ECALLBACK, MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: one a handle; others may ask and tell meanwhile. Since 0.1.
 */
MOPT_API int32_t mopt_study_optimize(mopt_study *study,
                                     mopt_objective_fn objective, void *user,
                                     mopt_cancel *cancel);

/** Let a callback see every trial that mopt_study_optimize has ended, whatever
 *  came of it; those that were given back are left out.
 *
 *  @param callback NULL takes the old one away.
 *  @param destroy  called with user when replaced or when the study ends; may
 *                  be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (study is NULL).
 *  Thread: one a handle, not during mopt_study_optimize. Since 0.1.
 */
MOPT_API int32_t mopt_study_on_trial(mopt_study *study, mopt_trial_fn callback,
                                     void *user, mopt_destroy_fn destroy);

/** Attach a note to the study (a user attribute in Optuna's words).
 *
 *  @param key  not empty, at most 512 bytes.
 *  @param json any JSON value.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EFORMAT, MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_set_note(mopt_study *study, const char *key,
                                     const char *json);

/** Number of trials in a state; state -1 counts all.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTORE. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_study_count(mopt_study *study, int32_t state,
                                  int64_t *count);

/** The best complete trial by the first objective; feasible trials come before
 *  infeasible ones.
 *
 *  @param out receives a handle to read from; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOENT (none is complete), MOPT_ESTORE,
 *          MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_study_best(mopt_study *study, mopt_trial **out);

/** The trial of a number.
 *  @return as mopt_study_best. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_study_trial(mopt_study *study, int64_t number,
                                  mopt_trial **out);

/** The whole study as JSON: name, directions, space, counts, and an array of
 *  trials as mopt_trial_to_json gives them.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_study_to_json(mopt_study *study, char *buf, size_t cap,
                                    size_t *needed);

/** Names of the studies in a file or database, as a JSON array.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOENT, MOPT_EFORMAT, MOPT_ESTORE,
 *          MOPT_EUNSUPPORTED, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_study_list(mopt_context *ctx, const char *storage,
                                 char *buf, size_t cap, size_t *needed);

/** Free a trial's handle; NULL is fine. One that was asked and not told goes
 *  back to waiting. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_trial_free(mopt_trial *trial);

/** Number of a trial, from 0, or -1 for NULL. Thread: any. Since 0.1. */
MOPT_API int64_t mopt_trial_number(const mopt_trial *trial);

/** State of a trial, MOPT_TRIAL_*, or -1 for NULL. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_trial_state(const mopt_trial *trial);

/** Read a parameter. Any may be read as text (JSON, but for texts); a whole
 *  number, true and false as int; any number as float. A categorical one is
 *  read by its index, or as the choice it has.
 *
 *  @return MOPT_OK, MOPT_EKEY (no such parameter), MOPT_ESTATE (it does not
 *          exist in this trial), MOPT_EINVAL (NULL, or of another type),
 *          MOPT_ERANGE (text cut).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_get_float(const mopt_trial *trial,
                                      const char *name, double *out);
MOPT_API int32_t mopt_trial_get_int(const mopt_trial *trial, const char *name,
                                    int64_t *out);
MOPT_API int32_t mopt_trial_get_index(const mopt_trial *trial,
                                      const char *name, int64_t *out);
MOPT_API int32_t mopt_trial_get_text(const mopt_trial *trial, const char *name,
                                     char *buf, size_t cap, size_t *needed);

/** Set in a config every parameter whose name is a key of it.
 *
 *  @param applied receives how many were; may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM. Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_apply(const mopt_trial *trial, mopt_config *config,
                                  int64_t *applied);

/** Value of an objective of a complete trial; of a pruned one with a single
 *  objective, what it reported last.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (it has none), MOPT_ESTORE,
 *          MOPT_ENOMEM. Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_trial_value(const mopt_trial *trial, int64_t objective,
                                  double *out);

/** Report an intermediate value.
 *
 *  @param step  such as the epoch, >= 0; a step is reported once.
 *  @param value of the first objective; NaN is kept as such.
 *  @return MOPT_OK, MOPT_PRUNED (the pruner says: stop), MOPT_EINVAL,
 *          MOPT_ESTATE (not running), MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_report(mopt_trial *trial, int64_t step,
                                   double value);

/** A path for what the evaluation of a trial goes on from: a file that it
 *  writes as it works ("checkpoint" of the kind "train"), and that whoever gets
 *  the trial next, because this process died or gave it back, finds there. It
 *  is removed when the trial is told. All workers need to see it: it lies
 *  beside the study's file, or in the folder of the key "checkpoints".
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ESTATE (a study in
 *          memory or a database, and no "checkpoints"), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_checkpoint(const mopt_trial *trial, char *buf,
                                       size_t cap, size_t *needed);

/** Attach a note to a trial.
 *
 *  @param key  not empty, at most 512 bytes; an old note of it is replaced.
 *  @param json any JSON value.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EFORMAT, MOPT_ESTATE (not running),
 *          MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_set_note(mopt_trial *trial, const char *key,
                                     const char *json);

/** Set how far a trial is from meeting the constraints: each value <= 0 is
 *  met. Samplers and mopt_study_best prefer trials that meet all.
 *
 *  @return MOPT_OK, MOPT_EINVAL (NaN), MOPT_ESTATE, MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_trial_set_constraints(mopt_trial *trial,
                                            const double *values,
                                            int64_t count);

/** A trial as JSON: "number", "state", "values", "params", "notes",
 *  "constraints", "intermediate", "start", "complete", "seconds", "reason".
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ESTORE, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_trial_to_json(const mopt_trial *trial, char *buf,
                                    size_t cap, size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
