/* SPDX-License-Identifier: MIT
 * lib/recipe/course.h: how the model of an attempt learns: from labels, from
 * teachers, or on from a source. */
#ifndef MOI_RECIPE_COURSE_H
#define MOI_RECIPE_COURSE_H

#include "recipe/parts.h"

typedef struct moi_course {
    mopt_trainer *trainer; /* NULL: closed form; else of one of these, or own */
    mopt_distill *distill;
    mopt_finetune *finetune;
    mopt_model *spread; /* the model, if ranks have a part of it each until it
                           is trained; or NULL */
} moi_course;

/* Does the recipe's model come from a source? */
int32_t moi_course_has_source(const mopt_recipe *recipe);

/* Is the model itself shared by the ranks, by a plan? */
int32_t moi_course_is_spread(const mopt_recipe *recipe);

/* Make the model from the source, for a recipe that has one. */
int32_t moi_course_make_model(moi_course *course, const mopt_recipe *recipe,
                              const moi_parts *parts,
                              const moi_prepared *data, const json_t *params,
                              const mopt_config *training, mopt_model **model);

/* Make the trainer for a model: for a student, its teachers' outputs too. */
int32_t moi_course_begin(moi_course *course, const mopt_recipe *recipe,
                         const moi_parts *parts, const moi_prepared *data,
                         const json_t *params, const mopt_config *training,
                         mopt_model *model, mopt_cancel *cancel);

/* Train the model, and nothing to compare it with. */
int32_t moi_course_fit(moi_course *course, mopt_cancel *cancel);

/* Train what it is compared with, and tell what was lost and won on the test
 * rows: "distill" or "finetune" into doc. Nothing for a plain training. */
int32_t moi_course_tell(moi_course *course, const moi_parts *parts,
                        mopt_cancel *cancel, json_t *doc);

/* Hand the fine-tuning over to who asks, and end the rest; NULL: none. */
mopt_finetune *moi_course_take(moi_course *course);

void moi_course_end(moi_course *course);

#endif
