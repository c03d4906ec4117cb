/* SPDX-License-Identifier: MIT
 * lib/recipe/course.c: how the model of an attempt learns. */
#include "recipe/course.h"

#include "base/config.h"
#include "base/status.h"
#include "learn/distill/distiller.h"
#include "learn/transfer/finetune.h"

int32_t moi_course_has_source(const mopt_recipe *recipe)
{
    return json_object_get(recipe->doc, "finetune") != NULL;
}

static int32_t section_config(const mopt_recipe *recipe, const char *section,
                              const json_t *params, mopt_config **out)
{
    json_t *picked = NULL;
    int32_t rc = moi_recipe_pick(recipe, section, params, &picked);
    if (rc == MOPT_OK)
        rc = moi_recipe_mentoring(recipe, section, picked, out);
    json_decref(picked);
    return rc;
}

int32_t moi_course_make_model(moi_course *course, const mopt_recipe *recipe,
                              const moi_parts *parts,
                              const moi_prepared *data, const json_t *params,
                              const mopt_config *training, mopt_model **model)
{
    mopt_config *config = NULL;
    int32_t rc = section_config(recipe, "finetune", params, &config);
    if (rc == MOPT_OK)
        rc = mopt_finetune_create(recipe->ctx, parts->mentors.models[0],
                                  data->train, data->validation, config,
                                  training, &course->finetune);
    if (rc == MOPT_OK)
        rc = mopt_finetune_model(course->finetune, model);
    mopt_config_free(config);
    return rc;
}

static int32_t add_teachers(mopt_distill *distill, const moi_mentors *mentors)
{
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < mentors->count && rc == MOPT_OK; i++)
        rc = mentors->models[i] != NULL
                 ? mopt_distill_add_model(distill, mentors->models[i], 1)
                 : mopt_distill_add_file(distill, mentors->outputs[i], 1);
    return rc;
}

/* Without a teacher a student teaches itself first. */
static int32_t begin_distill(moi_course *course, const mopt_recipe *recipe,
                             const moi_parts *parts, const moi_prepared *data,
                             const json_t *params, const mopt_config *training,
                             mopt_model *model, mopt_cancel *cancel)
{
    mopt_config *config = NULL;
    int32_t rc = section_config(recipe, "distill", params, &config);
    if (rc == MOPT_OK)
        rc = mopt_distill_create(recipe->ctx, model, data->train,
                                 data->validation, config, training,
                                 &course->distill);
    if (rc == MOPT_OK)
        rc = add_teachers(course->distill, &parts->mentors);
    if (rc == MOPT_OK && parts->mentors.count == 0)
        rc = moi_distill_raise(course->distill, cancel);
    if (rc == MOPT_OK)
        rc = moi_distill_settle(course->distill, cancel);
    if (rc == MOPT_OK)
        rc = mopt_distill_trainer(course->distill, &course->trainer);
    mopt_config_free(config);
    return rc;
}

int32_t moi_course_is_spread(const mopt_recipe *recipe)
{
    return recipe->group != NULL && mopt_group_size(recipe->group) > 1 &&
           json_object_get(recipe->doc, "parallel") != NULL;
}

static int32_t begin_spread(moi_course *course, const mopt_recipe *recipe,
                            const moi_prepared *data,
                            const mopt_config *training, mopt_model *model,
                            mopt_cancel *cancel)
{
    mopt_parallel *plan = NULL;
    int32_t rc = moi_recipe_plan(recipe, model, training,
                                 moi_dataset_rows(data->train),
                                 mopt_group_size(recipe->group), cancel,
                                 &plan);
    rc = moi_group_unite(recipe->group, rc);
    if (rc == MOPT_OK)
        rc = mopt_trainer_create_parallel(recipe->ctx, model, data->train,
                                          data->validation, training, plan,
                                          recipe->group, &course->trainer);
    if (rc == MOPT_OK)
        course->spread = model;
    mopt_parallel_free(plan);
    return rc;
}

static int32_t begin(moi_course *course, const mopt_recipe *recipe,
                     const moi_parts *parts, const moi_prepared *data,
                     const json_t *params, const mopt_config *training,
                     mopt_model *model, mopt_cancel *cancel)
{
    if (course->finetune != NULL) {
        course->trainer = course->finetune->trainer;
        return MOPT_OK;
    }
    if (json_object_get(recipe->doc, "distill") != NULL)
        return begin_distill(course, recipe, parts, data, params, training,
                             model, cancel);
    if (moi_course_is_spread(recipe))
        return begin_spread(course, recipe, data, training, model, cancel);
    return mopt_trainer_create(recipe->ctx, model, data->train,
                               data->validation, training, &course->trainer);
}

int32_t moi_course_begin(moi_course *course, const mopt_recipe *recipe,
                         const moi_parts *parts, const moi_prepared *data,
                         const json_t *params, const mopt_config *training,
                         mopt_model *model, mopt_cancel *cancel)
{
    int32_t rc = begin(course, recipe, parts, data, params, training, model,
                       cancel);
    if (recipe->group == NULL)
        return rc;
    rc = moi_group_unite(recipe->group, rc);
    return rc == MOPT_OK && course->trainer != NULL && course->spread == NULL
               ? mopt_trainer_set_group(course->trainer, recipe->group) : rc;
}

int32_t moi_course_fit(moi_course *course, mopt_cancel *cancel)
{
    if (course->distill != NULL)
        return moi_distill_fit_student(course->distill, cancel);
    if (course->finetune != NULL)
        return moi_finetune_fit_target(course->finetune, cancel);
    int32_t rc = mopt_trainer_fit(course->trainer, cancel);
    /* What is measured and saved next is the whole. */
    if (rc >= 0 && course->spread != NULL) {
        int32_t fetched = mopt_trainer_gather(course->trainer, course->spread);
        rc = fetched != MOPT_OK ? fetched : rc;
    }
    return rc;
}

int32_t moi_course_tell(moi_course *course, const moi_parts *parts,
                        mopt_cancel *cancel, json_t *doc)
{
    const mopt_dataset *test = parts->test != NULL ? parts->test
                                                   : parts->validation;
    json_t *told = NULL;
    int32_t rc = MOPT_OK;
    if (test == NULL)
        return MOPT_OK;
    if (course->distill != NULL) {
        rc = mopt_distill_fit(course->distill, cancel);
        if (rc == MOPT_OK)
            rc = moi_distill_report(course->distill, test, cancel, &told);
        return rc == MOPT_OK ? moi_json_add(doc, "distill", told) : rc;
    }
    if (course->finetune != NULL) {
        rc = mopt_finetune_fit(course->finetune, cancel);
        if (rc == MOPT_OK)
            rc = moi_finetune_report(course->finetune, test,
                                     parts->mentors.source_test, cancel,
                                     &told);
        return rc == MOPT_OK ? moi_json_add(doc, "finetune", told) : rc;
    }
    return MOPT_OK;
}

mopt_finetune *moi_course_take(moi_course *course)
{
    mopt_finetune *finetune = course->finetune;
    if (finetune != NULL)
        *course = (moi_course){NULL, NULL, NULL, NULL};
    return finetune;
}

void moi_course_end(moi_course *course)
{
    if (course->distill == NULL && course->finetune == NULL)
        mopt_trainer_free(course->trainer);
    mopt_distill_free(course->distill);
    mopt_finetune_free(course->finetune);
    *course = (moi_course){NULL, NULL, NULL, NULL};
}
