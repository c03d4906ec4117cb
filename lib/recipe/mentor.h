/* SPDX-License-Identifier: MIT
 * lib/recipe/mentor.h: the trained models that a recipe learns from: teachers
 * of "distill", the source of "finetune". */
#ifndef MOI_RECIPE_MENTOR_H
#define MOI_RECIPE_MENTOR_H

#include <modelopt/distill.h>
#include <modelopt/finetune.h>

#include "recipe/recipe.h"

#define MOI_MENTORS_MAX 16

typedef struct moi_mentors {
    int64_t count;
    mopt_model *models[MOI_MENTORS_MAX];  /* or NULL: a file of outputs */
    char *outputs[MOI_MENTORS_MAX];
    mopt_context *ctx;
    mopt_dataset *source_test; /* of the source's own task; NULL: none */
    double accuracy;           /* of the first one, on validation; or NaN */
} moi_mentors;

/* Keys of these sections that are not of the kind's config: "teacher";
 * "source", "source_data". NULL-terminated. */
extern const char *const moi_mentor_keys[];

/* Check what those keys hold, as far as that can be done without files. */
int32_t moi_mentors_check(const mopt_recipe *recipe);

/* Load them all; what is described and not there yet is trained and saved.
 * To be freed on an error too. */
int32_t moi_mentors_load(const mopt_recipe *recipe, mopt_cancel *cancel,
                         moi_mentors *mentors);
void moi_mentors_free(moi_mentors *mentors);

#endif
