/* SPDX-License-Identifier: MIT
 * modelopt/recipe.h: the main job as one JSON document: data, model, train,
 * search, objectives, constraints. Any value of model and train replaced by a
 * domain ({"float": [lo, hi]}, {"int": [lo, hi]}, {"choice": [...]}) is
 * searched. docs/guide/recipes.md explains recipes, docs/recipe.schema.json is
 * their JSON Schema. */
#ifndef MODELOPT_RECIPE_H
#define MODELOPT_RECIPE_H

#include "finetune.h"
#include "parallel.h"
#include "study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The document:
 *
 *   {"data": {"source": {"type": "glyphs", "count": 6000},
 *             "split": {"validation": 0.2, "test": 0.2}},
 *    "model": {"layers": [{"type": "dense", "activation": "relu",
 *                          "units": {"int": [32, 256], "log": true}},
 *                         {"type": "dense"}]},
 *    "train": {"epochs": 10,
 *              "optimizer": {"type": "adam", "learning_rate":
 *                            {"float": [1e-4, 1e-1], "log": true}}},
 *    "search": {"trials": 20, "workers": 2},
 *    "objectives": ["validation.accuracy"],
 *    "constraints": [{"metric": "params", "max": 100000}],
 *    "seed": 7}
 *
 * "data", "train" and "search" hold the keys of the kinds "data", "train" and
 * "study" (mopt_config_describe lists them), "model" what mopt_model_create
 * reads. Only "data" and "model" are needed.
 *
 * Domains. Any value of model and train, and those of data that prepare rows
 * ("scale", ...), may be replaced by a domain, and is searched under its path
 * as name:
 *
 *   {"float": [lo, hi]}   with "log": true or "step" as wanted
 *   {"int": [lo, hi]}     likewise
 *   {"choice": [a, b]}    of texts, numbers, booleans, null, objects, lists
 *
 * each with "when": {"train.optimizer": "sgd"}, the values of other parameters
 * under which it exists: one value, a list, or {"min": a, "max": b}. An option
 * of a choice may hold domains of its own, which exist with that option only:
 *
 *   "optimizer": {"choice": [{"type": "adam"}, {"type": "sgd",
 *                            "momentum": {"float": [0, 0.99]}}]}
 *
 * searches "train.optimizer" ("adam" or "sgd") and with the latter
 * "train.optimizer.sgd.momentum". Options are named by their "type", or by
 * their place where that does not tell them apart. The option null, and a
 * condition that is not met, leave the value out.
 *
 * {"repeat": n, "layers": [..]} in a model: domains within are searched for
 * each repetition ("model.layers[0].repeat[1].layers[0].units"); with "share":
 * true for all of them together. n may be a domain too: parameters of the
 * repetitions exist as far as it reaches.
 *
 * Objectives are metrics of the validation part ("validation.accuracy", for
 * short "accuracy"; loss, error, macro_f1, macro_precision, macro_recall, auc;
 * mse, rmse, mae, r2) and what serving costs ("params", "bytes", "flops" and
 * "memory" of one row, "latency.p50" and "latency.p99" in seconds for one row,
 * "throughput" in rows a second, "train_seconds"), or {"metric": ..,
 * "direction": "max"}. The first one ranks the trials; by default accuracy,
 * rmse for number targets. Constraints bound any of these by "max" or "min";
 * what is known before training (params, bytes, flops, memory) turns a trial
 * away untrained.
 *
 * A trial is what a program would do by hand: mopt_dataset_load, _split,
 * mopt_transform_fit on the training part, mopt_model_create, mopt_trainer_fit
 * with the config "train" and the same "seed" for every trial; its value is
 * the figure "best.accuracy" of mopt_trainer_get ("validation.accuracy" with
 * "restore_best": false), the same bits. "monitor" is the first objective
 * unless the recipe sets it.
 *
 * "seed" is for all sections that set none of their own.
 *
 * "repeats": n runs the recipe n times, with "seed" and the seeds that data,
 * train and search set themselves going on by one. "cases": [{"name": "small",
 * "set": {"model.layers[0].units": 8}, "published": {..}}, ..] runs it once for
 * each of them (and repeat) with the values of "set" put in by path. Teachers
 * and sources stay as they are. At most 1000 each. "published" (of a case, or
 * of the recipe) are figures to be told beside ours, by their names in the
 * result; "quick" is for the program. */
typedef struct mopt_recipe mopt_recipe;
typedef struct mopt_result mopt_result;

/* Events of a running recipe. */
#define MOPT_EVENT_DATA 1  /* data are loaded: rows of the parts, features */
#define MOPT_EVENT_TRIAL 2 /* a trial ended: as mopt_trial_to_json */
#define MOPT_EVENT_EPOCH 3 /* an epoch of a trial ended */
#define MOPT_EVENT_TEST 4  /* the winner was tested: as mopt_model_evaluate */
#define MOPT_EVENT_CASE 5  /* of a recipe with cases or repeats a run begins */

/** Told what happens while a recipe runs; one call at a time, from the threads
 *  of its workers.
 *
 *  @param user  as given to mopt_recipe_run.
 *  @param event MOPT_EVENT_*; unknown ones are to be ignored.
 *  @param json  one object; valid during the call. DATA: "train", "validation",
 *               "test" (rows), "features", "classes" or "targets". EPOCH:
 *               "trial", "epoch", "epochs", "loss", and the first objective by
 *               its name if it is one of validation. CASE: "case" and
 *               "repeat", both counted from 0, of "cases" and "repeats"; "name"
 *               if the case has one.
 *  @return 0 to go on, MOPT_STOPPED to end; anything else is MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_event_fn)(void *user, int32_t event, const char *json);

/** Read a recipe. All of it is checked: the bounds and each option of every
 *  domain are tried by those who will read them.
 *
 *  @param json UTF-8 text.
 *  @param base folder that the paths of "data" start from; NULL for the
 *              current one. (The study's file, "search.storage", starts from
 *              the current folder.)
 *  @param out  receives the recipe; the caller frees it.
 *  @return MOPT_OK; MOPT_EFORMAT (not JSON: line and column); MOPT_EKEY,
 *          MOPT_EINVAL (the message names the JSON path, the value, what is
 *          allowed and the nearest key); MOPT_ERANGE (a model that is too
 *          large); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_parse(mopt_context *ctx, const char *json,
                                   const char *base, mopt_recipe **out);

/** Read a recipe from a file; paths of "data" start from the file's folder.
 *
 *  @param path a file of at most 64 MiB.
 *  @return as mopt_recipe_parse; MOPT_ENOENT, MOPT_EIO.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_load(mopt_context *ctx, const char *path,
                                  mopt_recipe **out);

/** Replace a value, or add one.
 *
 *  @param path its place in the document: "train.batch_size",
 *              "model.layers[0].units". What is missing on the way is made.
 *  @param json any JSON value: "64", "\"adam\"", "{\"int\": [16, 64]}".
 *  @return as mopt_recipe_parse; MOPT_EINVAL also for a path that is none. The
 *          recipe is as before after an error.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_set(mopt_recipe *recipe, const char *path,
                                 const char *json);

/** The recipe of one trial: every domain replaced by its value, "search" left
 *  out. Running it trains that trial once more, with the same bits.
 *
 *  @param params object of parameter names and values, such as "params" of
 *                mopt_trial_to_json.
 *  @param out    receives the recipe; the caller frees it.
 *  @return MOPT_OK; MOPT_EFORMAT; MOPT_EKEY (no such parameter); MOPT_EINVAL (a
 *          value that it cannot have, one that is missing, or one that does
 *          not exist with the others); MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_apply(const mopt_recipe *recipe,
                                   const char *params, mopt_recipe **out);

/** Free a recipe; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_recipe_free(mopt_recipe *recipe);

/** The recipe as JSON, the defaults of data, train and search filled in.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_recipe_to_json(const mopt_recipe *recipe, char *buf,
                                     size_t cap, size_t *needed);

/** What the recipe searches.
 *
 *  @param out receives the space, empty when there is no domain; the caller
 *             frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_space(const mopt_recipe *recipe,
                                   mopt_space **out);

/** Let the ranks of a group run a recipe together. Every rank reads the same
 *  recipe, makes this call and then runs it; ranks that differ, and all others
 *  where one cannot begin, get an error at the start.
 *
 *  Without "search.storage" each trial is trained by all of them
 *  (mopt_trainer_set_group) and comes out with the same bits on each; what is
 *  measured by the clock counts as rank 0 has it. Trials go one after the
 *  other: "search.timeout" and more than one of "search.workers" are refused
 *  when it runs.
 *
 *  With it the ranks share the study, and take trials of their own; or with
 *  "search.ranks_per_trial" so many ranks at a time take one. No trial waits
 *  for another, and events tell rank 0 of every trial that ends. When all are
 *  told, rank 0 tests the winner; the other ranks' results tell the same
 *  trials, without test and model. A rank that is lost to its team ends the
 *  run with MOPT_EPEER, and its trial waits.
 *
 *  @param group outlives the recipe; NULL: alone again.
 *  @return MOPT_OK, MOPT_EINVAL.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_set_group(mopt_recipe *recipe,
                                       mopt_group *group);

/** Plan how some ranks would share the training of a recipe, as its section
 *  "parallel" (keys of the kind "parallel") says or leaves open. The data are
 *  loaded, as the model's sizes follow from them.
 *
 *  @param ranks  1 to 65536.
 *  @param cancel may be NULL.
 *  @param out    receives the plan; the caller frees it.
 *  @return as mopt_parallel_create, and what loading data returns; MOPT_ESTATE
 *          (the recipe searches something: set it, or mopt_recipe_apply);
 *          MOPT_EUNSUPPORTED (a recipe with distill or finetune, which ranks
 *          share by its data alone).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_plan(const mopt_recipe *recipe, int32_t ranks,
                                  mopt_cancel *cancel, mopt_parallel **out);

/** Run a recipe: load the data, search, keep the winner's model, measure it on
 *  the test part, once. A recipe without domains is one trial.
 *
 *  With "search.storage" and "search.resume" a search goes on where another
 *  run of the same recipe left it. A study keeps no weights: if its best trial
 *  is of an earlier run, it is trained once more at the end.
 *
 *  With "cases" or "repeats" all runs go one after the other, and no model is
 *  kept. In a study's file each has a study of its own, "name-CASE-REPEAT".
 *
 *  @param on_event may be NULL.
 *  @param user     handed to on_event.
 *  @param cancel   may be NULL; finished trials are kept, and the result tells
 *                  the best so far, not tested.
 *  @param out      receives the result, also with MOPT_ECANCELED and
 *                  MOPT_STOPPED if a trial (of several runs: a run) is
 *                  complete; else NULL. The caller frees it.
 *  @return MOPT_OK, MOPT_STOPPED (on_event said so), MOPT_ECANCELED,
 *          MOPT_ECALLBACK, MOPT_ENOENT (no trial completed: the message tells
 *          the first failure), MOPT_EINVAL (an objective that does not fit the
 *          data; a study of another recipe), and what loading data and
 *          searching return.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_run(const mopt_recipe *recipe,
                                 mopt_event_fn on_event, void *user,
                                 mopt_cancel *cancel, mopt_result **out);

/** Free a result; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_result_free(mopt_result *result);

/** The result as JSON: {"best": {"number", "values", "params"}, "trials":
 *  {"complete", "pruned", "failed"}, "validation": {..}, "test": {..},
 *  "costs": {..}, "seconds": ..}. "values" are by objective; "best" has
 *  "feasible" when there are constraints, and with search.warm_start
 *  "started_from" (a trial's number, unless it started afresh) and
 *  "total_epochs"; "validation", "test" (as
 *  mopt_model_evaluate tells them) and "costs" are left out where there is no
 *  such part, or no model after a cancelled run. "distill" or "finetune" are
 *  what mopt_distill_evaluate or mopt_finetune_evaluate tell of the winner.
 *
 *  Of several runs: {"figures": [..], "cases": [{"name", "published",
 *  "summary": {"mean": {..}, "sd": {..}}, "runs": [..]}], "seconds": ..}: each
 *  run as above; its figures, and their standard deviation (over n - 1) where
 *  two runs or more know them. Figures are for a distillation "teacher",
 *  "alone", "student" (wrong rows, or rmse), "gap", "gain"; for fine-tuning
 *  "untuned", "scratch", "tuned" (points of accuracy, or rmse), "gain",
 *  "forgotten", "trained" (parameters); else "accuracy", "rmse", "loss" of the
 *  test part (without one, of validation) and "params".
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_result_to_json(const mopt_result *result, char *buf,
                                     size_t cap, size_t *needed);

/** The winner's model, its transform attached.
 *
 *  @param out receives the model; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (the run was cancelled, and its
 *          best trial is of an earlier one; or these were several runs).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_result_model(const mopt_result *result,
                                   mopt_model **out);

/** What a recipe with "finetune" and method "lora" has learnt, apart from the
 *  source; as mopt_finetune_adapter.
 *
 *  @param out receives the winner's adapter; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ESTATE (another method or recipe),
 *          MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_result_adapter(const mopt_result *result,
                                     mopt_adapter **out);

/** Write a report of a result: one HTML file that needs nothing else, no
 *  script, no network.
 *
 *  @param path replaced atomically.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EIO, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_result_report(const mopt_result *result,
                                    const char *path);

/** The JSON Schema of recipes (draft 2020-12), made from the keys that this
 *  build knows.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_recipe_schema(mopt_context *ctx, char *buf, size_t cap,
                                    size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
