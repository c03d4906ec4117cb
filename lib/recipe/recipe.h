/* SPDX-License-Identifier: MIT
 * lib/recipe/recipe.h: the inside of a recipe. */
#ifndef MOI_RECIPE_RECIPE_H
#define MOI_RECIPE_RECIPE_H

#include <modelopt/recipe.h>

#include "recipe/aims.h"
#include "recipe/slot.h"

struct mopt_recipe {
    mopt_context *ctx;
    json_t *doc;     /* as it was given; never changes */
    char *base;      /* folder that the paths of "data" start from, or NULL */
    moi_slots slots; /* of data, model and train */
    moi_aims aims;
    mopt_group *group; /* whose ranks run it together, or NULL */
};

/* Sections with slots, NULL-terminated. */
extern const char *const moi_recipe_searched[];

/* Is a section of these there? data, model and train are, if only empty. */
int32_t moi_recipe_has(const mopt_recipe *recipe, const char *section);

/* The section by which a recipe learns from trained models, "distill" or
 * "finetune"; NULL: it has none. */
const char *moi_recipe_mentor(const mopt_recipe *recipe);

/* Keys of "data" that cannot be searched: where the rows come from and how
 * they are split is the same for all trials. NULL-terminated. */
extern const char *const moi_recipe_shared[];

/* A recipe over a document, checked as a whole; doc gets a new reference. */
int32_t moi_recipe_new(mopt_context *ctx, json_t *doc, const char *base,
                       mopt_recipe **out);

/* Put a value at a path of a document; what is missing on the way is made. */
int32_t moi_recipe_put(json_t *doc, const char *path, json_t *value);

/* A section with the values of params in its slots; an empty object for one
 * that is left out. */
int32_t moi_recipe_pick(const mopt_recipe *recipe, const char *section,
                        const json_t *params, json_t **out);

/* Configs made of sections: what the recipe says, its "seed" where the section
 * has none, paths as the base has it. picked is the section without slots. */
int32_t moi_recipe_data(const mopt_recipe *recipe, const json_t *picked,
                        mopt_config **out);
int32_t moi_recipe_train(const mopt_recipe *recipe, const json_t *picked,
                         mopt_config **out);
/* Of the sections "distill" and "finetune", without their teachers, source. */
int32_t moi_recipe_mentoring(const mopt_recipe *recipe, const char *section,
                             const json_t *picked, mopt_config **out);
int32_t moi_recipe_study(const mopt_recipe *recipe, mopt_config **out);

/* Of "search.warm_start"; *out stays NULL where there is none. */
int32_t moi_recipe_warm_start(const mopt_recipe *recipe, mopt_config **out);

/* Of the section "parallel". */
int32_t moi_recipe_parallel(const mopt_recipe *recipe, mopt_config **out);

/* How so many ranks would share the training of a model, on so many rows
 * (plan.c). */
int32_t moi_recipe_plan(const mopt_recipe *recipe, const mopt_model *model,
                        const mopt_config *training, int64_t rows,
                        int32_t ranks, mopt_cancel *cancel,
                        mopt_parallel **out);

/* Does this process write files: alone, or the first of its group? */
int32_t moi_recipe_writes(const mopt_recipe *recipe);

/* Check everything that can be checked without data (check.c). */
int32_t moi_recipe_check(const mopt_recipe *recipe);

#endif
