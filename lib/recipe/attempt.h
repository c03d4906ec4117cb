/* SPDX-License-Identifier: MIT
 * lib/recipe/attempt.h: one training of a recipe: its slots filled, its model
 * made, trained and measured. Nothing but the recipe, the data and the
 * parameters goes into it: the same ones give the same bits. */
#ifndef MOI_RECIPE_ATTEMPT_H
#define MOI_RECIPE_ATTEMPT_H

#include "recipe/course.h"
#include "recipe/measure.h"
#include "recipe/parts.h"

typedef struct moi_attempt {
    const mopt_recipe *recipe;
    const moi_aims *aims;
    const moi_prepared *data; /* of the parts it was made with */
    mopt_config *config;      /* kind "train" */
    mopt_model *model;
    const moi_parts *parts;
    json_t *params;
    moi_course course;
    moi_subject subject;
    int32_t rescued; /* its checkpoint is a trial's */
} moi_attempt;

/* Make the model that params describe; to be ended on an error too. */
int32_t moi_attempt_begin(moi_attempt *attempt, const mopt_recipe *recipe,
                          const moi_aims *aims, moi_parts *parts,
                          const json_t *params, mopt_cancel *cancel);
void moi_attempt_end(moi_attempt *attempt);

/* Let the model start from another's weights. */
int32_t moi_attempt_start(moi_attempt *attempt, const mopt_model *source);

/* Let the training write a checkpoint every so many seconds, and go on from it
 * where it is there already; before it is trained. */
int32_t moi_attempt_rescue(moi_attempt *attempt, const char *path,
                           double seconds);

/* The first constraint that an untrained model breaks already, or NULL; its
 * value. */
const moi_limit *moi_attempt_broken(moi_attempt *attempt, double *value);

/* Train, telling on_epoch. Returns what mopt_trainer_fit does; with a group the
 * same for all ranks. */
int32_t moi_attempt_train(moi_attempt *attempt, mopt_trainer_fn on_epoch,
                          void *user);

/* How so many ranks would share a recipe that leaves nothing open (plan.c). */
int32_t moi_recipe_plan_parts(const mopt_recipe *recipe, moi_parts *parts,
                              int32_t ranks, mopt_cancel *cancel,
                              mopt_parallel **out);

/* The trained model's values: values[objectives], excess[constraints]; or the
 * status that this rank comes here with, of which all ranks of a group hear. */
int32_t moi_attempt_values(moi_attempt *attempt, int32_t status,
                           double *values, double *excess);

#endif
