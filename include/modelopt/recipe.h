/* SPDX-License-Identifier: MIT
 * modelopt/recipe.h: the main job as one JSON document: data, model, train,
 * search, objectives, constraints. Any scalar of model and train replaced by a
 * domain ({"float": [lo, hi]}, {"int": [lo, hi]}, {"choice": [...]}) is
 * searched. docs/recipe.schema.json is its JSON Schema. */
#ifndef MODELOPT_RECIPE_H
#define MODELOPT_RECIPE_H

#include "study.h"
#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_recipe mopt_recipe;
typedef struct mopt_result mopt_result;

/* Events of a running recipe. */
#define MOPT_EVENT_DATA 1  /* data loaded: {"train": .., "validation": ..} */
#define MOPT_EVENT_TRIAL 2 /* a trial ended: as mopt_trial_to_json */
#define MOPT_EVENT_EPOCH 3 /* {"trial": .., "epoch": .., "epochs": .., ...} */
#define MOPT_EVENT_TEST 4  /* the winner was tested: the metrics */

/** Told what happens while a recipe runs; one call at a time.
 *
 *  @param event MOPT_EVENT_*; unknown ones are to be ignored.
 *  @param json  one object; valid during the call.
 *  @return 0 to go on, MOPT_STOPPED to end; anything else is MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_event_fn)(void *user, int32_t event, const char *json);

/** Read a recipe.
 *
 *  @param json UTF-8 text. @param base folder that its relative paths start
 *              from; NULL for the current one.
 *  @return MOPT_OK; MOPT_EFORMAT (not JSON: line and column); MOPT_EKEY,
 *          MOPT_EINVAL (the message names the JSON path, the value, what is
 *          allowed and the nearest key); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_parse(mopt_context *ctx, const char *json,
                                   const char *base, mopt_recipe **out);

/** Read a recipe from a file; relative paths start from the file's folder.
 *  @return as mopt_recipe_parse; MOPT_ENOENT, MOPT_EIO.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_recipe_load(mopt_context *ctx, const char *path,
                                  mopt_recipe **out);

/** Replace a value: path "train.batch_size", json "64".
 *  @return as mopt_recipe_parse; the recipe is as before after an error.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_recipe_set(mopt_recipe *recipe, const char *path,
                                 const char *json);

/** Free a recipe; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_recipe_free(mopt_recipe *recipe);

/** The recipe as JSON, defaults filled in.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_recipe_to_json(const mopt_recipe *recipe, char *buf,
                                     size_t cap, size_t *needed);

/** What the recipe searches.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM. Thread: one a handle.
 *  Since 0.1. */
MOPT_API int32_t mopt_recipe_space(const mopt_recipe *recipe,
                                   mopt_space **out);

/** Run a recipe: load the data, search, keep the winner's model, measure it on
 *  the test part, once. A recipe without domains is one trial.
 *
 *  @param on_event may be NULL.
 *  @param cancel   may be NULL; finished trials are kept, and the result tells
 *                  the best so far.
 *  @param out      receives the result, also with MOPT_ECANCELED and
 *                  MOPT_STOPPED if a trial is complete; else NULL.
 *  @return MOPT_OK, MOPT_STOPPED, MOPT_ECANCELED, MOPT_ENOENT (no trial
 *          completed: the message tells the first failure), and what loading
 *          data, searching and training return.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_recipe_run(const mopt_recipe *recipe,
                                 mopt_event_fn on_event, void *user,
                                 mopt_cancel *cancel, mopt_result **out);

/** Free a result; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_result_free(mopt_result *result);

/** The result as JSON: {"best": {"number", "values", "params"}, "trials":
 *  {"complete", "pruned", "failed"}, "validation": {..}, "test": {..},
 *  "seconds": ..}.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_result_to_json(const mopt_result *result, char *buf,
                                     size_t cap, size_t *needed);

/** The winner's model, its transform attached.
 *  @return MOPT_OK, MOPT_EINVAL. The caller frees it. Thread: one a handle.
 *  Since 0.1. */
MOPT_API int32_t mopt_result_model(const mopt_result *result,
                                   mopt_model **out);

/** Write a report of a result: one HTML file that needs nothing else.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EIO, MOPT_ENOMEM. Thread: one a handle.
 *  Since 0.1. */
MOPT_API int32_t mopt_result_report(const mopt_result *result,
                                    const char *path);

/** The JSON Schema of recipes, made from the keys that this build knows.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_recipe_schema(mopt_context *ctx, char *buf, size_t cap,
                                    size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
