/* SPDX-License-Identifier: MIT
 * lib/recipe/cases.h: one recipe, several runs: "cases" replace values of it,
 * "repeats" runs each of them with seeds in turn. */
#ifndef MOI_RECIPE_CASES_H
#define MOI_RECIPE_CASES_H

#include "recipe/recipe.h"

#define MOI_CASES_MAX 1000 /* of cases, and of repeats */

/* Does the recipe say several runs? */
int32_t moi_cases_are_several(const mopt_recipe *recipe);

/* Check "cases" and "repeats"; each case is tried as a recipe. */
int32_t moi_cases_check(const mopt_recipe *recipe);

/* Run them all, one after the other; as mopt_recipe_run. */
int32_t moi_cases_run(const mopt_recipe *recipe, mopt_event_fn on_event,
                      void *user, mopt_cancel *cancel, mopt_result **out);

/* The figures that runs are compared by, an array of names (tally.c). */
json_t *moi_tally_names(const mopt_recipe *recipe);

/* {"mean": {..}, "sd": {..}} by figure, over the results of a case. A figure
 * that no run knows is left out. NULL without memory. */
json_t *moi_tally_summary(const mopt_recipe *recipe, const json_t *runs);

#endif
