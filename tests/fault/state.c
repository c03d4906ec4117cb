/* SPDX-License-Identifier: MIT
 * tests/fault/state.c: right arguments at the wrong time, and objects of
 * different contexts or of the wrong kind of config together. */
#include "world.h"

#include <string.h>

static world *w;

static void setup(void)
{
    w = world_begin();
}

static void teardown(void)
{
    world_end(w);
}

START_TEST(a_trial_is_told_once)
{
    double value = 1;
    mopt_trial *trial = the_trial(w);
    kit_fails(mopt_trial_value(trial, 0, &value), MOPT_ESTATE);
    kit_ok(mopt_study_tell(the_study(w), trial, MOPT_TRIAL_COMPLETE, &value,
                           NULL));
    kit_fails(mopt_study_tell(the_study(w), trial, MOPT_TRIAL_COMPLETE,
                              &value, NULL), MOPT_ESTATE);
    kit_fails(mopt_trial_report(trial, 0, 1), MOPT_ESTATE);
    kit_fails(mopt_trial_set_constraints(trial, &value, 1), MOPT_ESTATE);
}
END_TEST

START_TEST(a_trial_belongs_to_its_study)
{
    mopt_study *other = NULL;
    double value = 1;
    kit_ok(mopt_study_create(w->ctx, the_space(w), NULL, &other));
    kit_fails(mopt_study_tell(other, the_trial(w), MOPT_TRIAL_COMPLETE,
                              &value, NULL), MOPT_EINVAL);
    mopt_study_free(other);
}
END_TEST

START_TEST(states_that_cannot_be_told)
{
    double value = 1;
    kit_fails(mopt_study_tell(the_study(w), the_trial(w), MOPT_TRIAL_RUNNING,
                              &value, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(the_study(w), the_trial(w), MOPT_TRIAL_COMPLETE,
                              NULL, NULL), MOPT_EINVAL);
}
END_TEST

START_TEST(nothing_is_best_of_nothing)
{
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    kit_ok(mopt_study_create(w->ctx, the_space(w), NULL, &study));
    kit_fails(mopt_study_best(study, &trial), MOPT_ENOENT);
    kit_fails(mopt_study_trial(study, 0, &trial), MOPT_ENOENT);
    ck_assert_ptr_null(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(handles_in_any_order)
{
    mopt_trial *trial = the_trial(w);
    mopt_study_free(w->study);
    w->study = NULL;
    ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_RUNNING);
    mopt_space_free(w->space);
    w->space = NULL;
    double value;
    kit_ok(mopt_trial_get_float(trial, "b", &value));
}
END_TEST

START_TEST(a_model_without_weights)
{
    float out[ROWS * CLASSES];
    mopt_model *stack = the_stack(w);
    char json[2048];
    kit_fails(mopt_model_predict(stack, w->x, 1, out, NULL), MOPT_ESTATE);
    kit_fails(mopt_model_evaluate(stack, the_data(w), NULL, NULL, json,
                                  sizeof json, NULL), MOPT_ESTATE);
    kit_fails(mopt_model_save(stack, kit_path("none")), MOPT_ESTATE);
    kit_fails(mopt_model_get_tensor(stack, "layers.0.bias", out, 3),
              MOPT_ESTATE);
}
END_TEST

START_TEST(a_model_without_layers)
{
    mopt_model *model = NULL;
    mopt_trainer *trainer = NULL;
    kit_ok(mopt_model_build(w->ctx, FEATURES, &model));
    kit_fails(mopt_model_init(model, 1), MOPT_ESTATE);
    ck_assert_int_lt(mopt_trainer_create(w->ctx, model, the_data(w), NULL,
                                         NULL, &trainer), 0);
    mopt_model_free(model);
}
END_TEST

START_TEST(layers_after_weights)
{
    mopt_model *model = the_model(w);
    kit_fails(mopt_model_add_dense(model, 3, NULL), MOPT_ESTATE);
    kit_fails(mopt_model_add_dropout(model, 0.5), MOPT_ESTATE);
    kit_fails(mopt_model_add(model, the_config(w, "layer.dense")),
              MOPT_ESTATE);
}
END_TEST

START_TEST(groups_after_the_first_step)
{
    mopt_trainer *trainer = the_trainer(w);
    double loss;
    kit_fails(mopt_trainer_get(trainer, "loss", &loss), MOPT_ESTATE);
    kit_ok(mopt_trainer_step(trainer, &loss));
    kit_fails(mopt_trainer_add_group(trainer, "*", the_config(w, "group")),
              MOPT_ESTATE);
    kit_fails(mopt_trainer_add_loss(trainer, 1, a_term, NULL, NULL),
              MOPT_ESTATE);
}
END_TEST

START_TEST(steps_after_the_limit)
{
    mopt_trainer *trainer = the_trainer(w);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    ck_assert_int_eq(mopt_trainer_step(trainer, NULL), MOPT_EXHAUSTED);
    kit_ok(mopt_trainer_fit(trainer, NULL));
}
END_TEST

START_TEST(data_that_do_not_fit_the_model)
{
    mopt_dataset *narrow = NULL;
    mopt_trainer *trainer = NULL;
    char json[2048];
    kit_ok(mopt_dataset_from_memory(w->ctx, ROWS, 2, w->x, MOPT_F32, 0,
                                    w->labels, MOPT_I32, 1, CLASSES, NULL,
                                    NULL, &narrow));
    kit_fails(mopt_trainer_create(w->ctx, the_model(w), narrow, NULL, NULL,
                                  &trainer), MOPT_EINVAL);
    kit_fails(mopt_trainer_create(w->ctx, the_model(w), the_data(w), narrow,
                                  NULL, &trainer), MOPT_EINVAL);
    kit_fails(mopt_model_evaluate(the_model(w), narrow, NULL, NULL, json,
                                  sizeof json, NULL), MOPT_EINVAL);
    kit_fails(mopt_model_predict_dataset(the_model(w), narrow, w->out,
                                         ROWS * CLASSES, NULL), MOPT_EINVAL);
    mopt_dataset_free(narrow);
}
END_TEST

START_TEST(a_config_of_another_kind)
{
    mopt_config *study = the_config(w, "study");
    mopt_config *train = the_config(w, "train");
    void *out = NULL;
    kit_fails(mopt_context_configure(w->ctx, train), MOPT_EINVAL);
    kit_fails(mopt_dataset_load(w->ctx, train, MOPT_PART_TRAIN,
                                (mopt_dataset **)&out), MOPT_EINVAL);
    kit_fails(mopt_dataset_split(the_data(w), train, NULL, NULL, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_transform_fit(the_data(w), train, (mopt_transform **)&out),
              MOPT_EINVAL);
    kit_fails(mopt_model_add(the_stack(w), train), MOPT_EINVAL);
    kit_fails(mopt_study_create(w->ctx, the_space(w), train,
                                (mopt_study **)&out), MOPT_EINVAL);
    kit_fails(mopt_trainer_create(w->ctx, the_model(w), the_data(w), NULL,
                                  study, (mopt_trainer **)&out), MOPT_EINVAL);
    kit_fails(mopt_trainer_add_group(the_trainer(w), "*", study),
              MOPT_EINVAL);
    ck_assert_ptr_null(out);
}
END_TEST

START_TEST(a_token_that_is_triggered_already)
{
    mopt_result *result = NULL;
    float out[ROWS * CLASSES];
    mopt_cancel_request(w->cancel);
    ck_assert_int_eq(mopt_cancel_requested(w->cancel), 1);
    kit_fails(mopt_study_optimize(the_study(w), an_objective, NULL,
                                  w->cancel), MOPT_ECANCELED);
    kit_fails(mopt_trainer_fit(the_trainer(w), w->cancel), MOPT_ECANCELED);
    kit_fails(mopt_model_predict(the_model(w), w->x, ROWS, out, w->cancel),
              MOPT_ECANCELED);
    kit_fails(mopt_recipe_run(the_recipe(w), NULL, NULL, w->cancel, &result),
              MOPT_ECANCELED);
    ck_assert_ptr_null(result);
    mopt_cancel_reset(w->cancel);
    kit_ok(mopt_trainer_fit(the_trainer(w), w->cancel));
    kit_ok(mopt_study_optimize(the_study(w), an_objective, NULL, w->cancel));
}
END_TEST

START_TEST(buffers_that_are_too_small)
{
    char small[8];
    size_t needed = 0;
    kit_ok(mopt_study_to_json(the_study(w), NULL, 0, &needed));
    ck_assert_uint_gt(needed, sizeof small);
    kit_fails(mopt_study_to_json(the_study(w), small, sizeof small, NULL),
              MOPT_ERANGE);
    ck_assert_uint_eq(strlen(small), sizeof small - 1);
    kit_fails(mopt_study_to_json(the_study(w), NULL, 5, &needed),
              MOPT_EINVAL);
}
END_TEST

START_TEST(the_context_is_freed_first)
{
    mopt_dataset *data = the_data(w);
    mopt_context *ctx = w->ctx;
    mopt_context_free(ctx); /* the caller's hold only */
    int64_t rows = 0;
    kit_ok(mopt_dataset_shape(data, &rows, NULL, NULL, NULL));
    ck_assert_int_eq(rows, ROWS);
    mopt_dataset_free(data);
    w->data = NULL;
    mopt_cancel_free(w->cancel);
    w->cancel = NULL;
    w->ctx = NULL;
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("at the wrong time");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_trial_is_told_once);
    tcase_add_test(tcase, a_trial_belongs_to_its_study);
    tcase_add_test(tcase, states_that_cannot_be_told);
    tcase_add_test(tcase, nothing_is_best_of_nothing);
    tcase_add_test(tcase, handles_in_any_order);
    tcase_add_test(tcase, a_model_without_weights);
    tcase_add_test(tcase, a_model_without_layers);
    tcase_add_test(tcase, layers_after_weights);
    tcase_add_test(tcase, groups_after_the_first_step);
    tcase_add_test(tcase, steps_after_the_limit);
    tcase_add_test(tcase, data_that_do_not_fit_the_model);
    tcase_add_test(tcase, a_config_of_another_kind);
    tcase_add_test(tcase, a_token_that_is_triggered_already);
    tcase_add_test(tcase, buffers_that_are_too_small);
    tcase_add_test(tcase, the_context_is_freed_first);
    suite_add_tcase(suite, tcase);
    return suite;
}
