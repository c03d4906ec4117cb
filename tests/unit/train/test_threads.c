/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_threads.c: one training on several threads: the same
 * bits as on one, whatever the settings, and the same manners. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "learn/nn/model.h"
#include "learn/train/extend.h"
#include "school.h"

/* Images of 10 x 10 in 7 classes; batches are cut in up to 7 pieces of 16
 * rows, the last of an epoch in 2; the largest tensor has two blocks. */
#define SIDE 10
#define PIXELS (SIDE * SIDE)
#define CLASSES 7
#define TRAIN 170
#define JUDGED 300
#define WIDE 400

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static float pixels[TRAIN + JUDGED][PIXELS];
static int32_t labels[TRAIN + JUDGED];

static mopt_dataset *wrap(int64_t first, int64_t rows)
{
    mopt_dataset *data = NULL;

    kit_ok(mopt_dataset_from_memory(ctx, rows, PIXELS, pixels[first], MOPT_F32,
                                    0, labels + first, MOPT_I32, 1, 0, NULL,
                                    NULL, &data));
    return data;
}

static void setup(void)
{
    mopt_config *config = NULL;
    moi_rng rng;

    ctx = kit_begin();
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_int(config, "threads", 7));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
    moi_rng_init(&rng, 1, 0, MOI_RNG_GENERATE, 0);
    for (int i = 0; i < TRAIN + JUDGED; i++) {
        labels[i] = i % CLASSES;
        for (int k = 0; k < PIXELS; k++)
            pixels[i][k] = (float)(cos((double)(k * (1 + labels[i]))) +
                                   moi_rng_normal(&rng));
    }
    train = wrap(0, TRAIN);
    validation = wrap(TRAIN, JUDGED);
}

static void teardown(void)
{
    mopt_dataset_free(train);
    mopt_dataset_free(validation);
    kit_end(ctx);
}

/* ---- a model and its trainer ---- */

typedef struct pupil {
    mopt_model *model;
    mopt_trainer *trainer;
} pupil;

/* Layers that keep nothing, their output or their input; with masks and in
 * place. */
static mopt_model *make_model(void)
{
    mopt_model *model = NULL;

    kit_ok(mopt_model_build(ctx, PIXELS, &model));
    kit_ok(mopt_model_add_dense(model, WIDE, "relu"));
    kit_ok(mopt_model_add_dropout(model, 0.3));
    kit_ok(mopt_model_add_dense(model, 40, "gelu"));
    kit_ok(mopt_model_add_dense(model, 33, "tanh"));
    kit_ok(mopt_model_add_dropout(model, 0.1));
    kit_ok(mopt_model_add_dense(model, CLASSES, "softmax"));
    kit_ok(mopt_model_init(model, 5));
    return model;
}

/* Settings are the inside of a JSON object. */
static pupil enrol(const char *settings, int threads)
{
    char json[500];
    pupil p = {make_model(), NULL};

    snprintf(json, sizeof json, "{%s, \"threads\": %d}", settings, threads);
    p.trainer = school_trainer(ctx, p.model, train, validation, json);
    return p;
}

static void dismiss(pupil *p)
{
    mopt_trainer_free(p->trainer);
    mopt_model_free(p->model);
}

static void same(const pupil *a, const pupil *b)
{
    const float *x = moi_model_weights(a->model);
    const float *y = moi_model_weights(b->model);

    for (int64_t i = 0; i < moi_model_param_count(a->model); i++) {
        const moi_param *p = moi_model_param(a->model, i);

        ck_assert_msg(memcmp(x + p->offset, y + p->offset,
                             sizeof *x * (size_t)p->count) == 0,
                      "'%s' differs", p->name);
    }
    ck_assert_str_eq(school_history(a->trainer), school_history(b->trainer));
}

/* ---- the same bits ---- */

#define TWO "\"epochs\": 2, \"batch_size\": 130, "

static const char *const settings[] = {
    TWO "\"optimizer\": \"gd\"",
    TWO "\"optimizer\": {\"type\": \"gd\", \"learning_rate\": 4, "
        "\"line_search\": true, \"weight_decay\": 0.01}",
    TWO "\"optimizer\": \"sgd\"",
    TWO "\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.9, \"nesterov\": "
        "true}",
    TWO "\"optimizer\": \"adagrad\"",
    TWO "\"optimizer\": {\"type\": \"rmsprop\", \"centered\": true, "
        "\"momentum\": 0.9}",
    TWO "\"optimizer\": \"adadelta\"",
    TWO "\"optimizer\": \"adam\"",
    TWO "\"optimizer\": {\"type\": \"adam\", \"amsgrad\": true}",
    TWO "\"optimizer\": {\"type\": \"adamw\", \"weight_decay\": 0.1}",
    TWO "\"clip_norm\": 0.5",
    TWO "\"clip_value\": 0.001",
    TWO "\"clip_norm\": 0.5, \"clip_value\": 0.01, \"max_norm\": 0.8",
    TWO "\"max_norm\": 0.8",
    TWO "\"chunk\": 50",
    TWO "\"chunk\": 50, \"clip_norm\": 0.1, \"max_norm\": 0.8",
    TWO "\"augment\": {\"shift\": 2, \"rotate\": 20, \"noise\": 0.1}",
    TWO "\"loss\": {\"type\": \"cross_entropy\", \"label_smoothing\": 0.1}",
    "\"epochs\": 2, \"batch_size\": 11",
    "\"epochs\": 1, \"batch_size\": 37, \"schedule\": \"one_cycle\"",
};
#define SETTINGS ((int)(sizeof settings / sizeof *settings))

START_TEST(the_same_bits)
{
    static const int threads[] = {2, 3, 4, 7};
    pupil one = enrol(settings[_i], 1);

    kit_ok(mopt_trainer_fit(one.trainer, NULL));
    for (int i = 0; i < 4; i++) {
        pupil many = enrol(settings[_i], threads[i]);

        kit_ok(mopt_trainer_fit(many.trainer, NULL));
        same(&one, &many);
        dismiss(&many);
    }
    dismiss(&one);
}
END_TEST

/* Pulls the output, and what the tapped layer gives, towards 0. */
static int32_t pull(void *user, const moi_sight *sight, double *loss)
{
    int64_t width = *(int64_t *)user;

    *loss = 0;
    for (int64_t i = 0; i < sight->rows * sight->outputs; i++) {
        *loss += (double)sight->output[i] / (double)sight->rows;
        if (sight->grad)
            sight->grad[i] += sight->scale / (float)sight->rows;
    }
    for (int64_t i = 0; sight->tap_grad[0] && i < sight->rows * width; i++)
        sight->tap_grad[0][i] +=
            sight->scale * sight->tap[0][i] / (float)sight->rows;
    return MOPT_OK;
}

/* Terms, taps, and tensors that are frozen, thaw or are anchored. */
static void hang(const pupil *p, const float *origin)
{
    static int64_t width = 40;
    mopt_config *frozen = school_config(ctx, "group", "{\"frozen\": true}");
    int64_t tap = -1;

    kit_ok(moi_trainer_add_tap(p->trainer, 2, &tap));
    ck_assert_int_eq(tap, 0);
    kit_ok(moi_trainer_add_term(p->trainer, 0.5, pull, &width, NULL));
    kit_ok(mopt_trainer_add_group(p->trainer, "layers.3.bias", frozen));
    kit_ok(moi_trainer_thaw(p->trainer, 0, 1));
    kit_ok(moi_trainer_anchor(p->trainer, 2, 0.1, origin));
    mopt_config_free(frozen);
}

START_TEST(the_same_bits_with_all_that_hangs_on)
{
    static const char *const how[] = {TWO "\"clip_value\": 1",
                                      TWO "\"clip_norm\": 1",
                                      TWO "\"chunk\": 60"};
    mopt_model *origin = make_model();
    pupil one = enrol(how[_i], 1), many = enrol(how[_i], 4);

    kit_ok(mopt_model_init(origin, 6));
    hang(&one, moi_model_weights(origin));
    hang(&many, moi_model_weights(origin));
    kit_ok(mopt_trainer_fit(one.trainer, NULL));
    kit_ok(mopt_trainer_fit(many.trainer, NULL));
    same(&one, &many);
    dismiss(&one);
    dismiss(&many);
    mopt_model_free(origin);
}
END_TEST

/* What a checkpoint goes on with is not how many there were. */
START_TEST(resumed_on_other_threads)
{
    const char *path = kit_path("threads.safetensors");
    const char *how = TWO "\"clip_norm\": 1";
    pupil whole = enrol(how, 2), first = enrol(how, 1), second = enrol(how, 4);

    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    for (int i = 0; i < 3; i++)
        kit_ok(mopt_trainer_step(first.trainer, NULL));
    kit_ok(mopt_trainer_save(first.trainer, path));
    kit_ok(mopt_trainer_resume(second.trainer, path));
    kit_ok(mopt_trainer_fit(second.trainer, NULL));
    same(&whole, &second);
    dismiss(&whole);
    dismiss(&first);
    dismiss(&second);
}
END_TEST

/* Two at once: one of them has the pool, the other works alone. */
static void *fit(void *pupil_to_fit)
{
    pupil *p = pupil_to_fit;
    static int32_t failed = 1;

    return mopt_trainer_fit(p->trainer, NULL) ? &failed : NULL;
}

START_TEST(two_trainings_at_once)
{
    const char *how = "\"epochs\": 3, \"batch_size\": 64, \"seed\": 4";
    pupil a = enrol(how, 3), b = enrol(how, 3);
    void *failed = NULL;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, fit, &a), 0);
    ck_assert_ptr_null(fit(&b));
    pthread_join(thread, &failed);
    ck_assert_ptr_null(failed);
    same(&a, &b);
    dismiss(&a);
    dismiss(&b);
}
END_TEST

/* ---- manners ---- */

static int32_t here(void *user, mopt_trainer *t)
{
    (void)t;
    ck_assert(pthread_equal(*(pthread_t *)user, pthread_self()));
    return MOPT_OK;
}

START_TEST(callbacks_on_the_calling_thread)
{
    pupil p = enrol(TWO "\"clip_norm\": 1", 4);
    pthread_t self = pthread_self();

    kit_ok(mopt_trainer_on_step(p.trainer, here, &self, NULL));
    kit_ok(mopt_trainer_on_epoch(p.trainer, here, &self, NULL));
    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    dismiss(&p);
}
END_TEST

START_TEST(steps_take_no_memory)
{
    pupil p = enrol("\"batch_size\": 40, \"clip_norm\": 1", 4);
    int64_t blocks;

    kit_ok(mopt_trainer_step(p.trainer, NULL)); /* makes the pool */
    blocks = kit_allocations();
    for (int i = 0; i < 3; i++)
        kit_ok(mopt_trainer_step(p.trainer, NULL));
    ck_assert_int_eq(kit_allocations(), blocks);
    dismiss(&p);
}
END_TEST

/* Without memory for the pool one thread does it all. */
START_TEST(no_memory_for_threads)
{
    pupil one = enrol(TWO "\"seed\": 1", 1), many = enrol(TWO "\"seed\": 1", 4);

    kit_ok(mopt_trainer_step(one.trainer, NULL));
    kit_fail_allocation(kit_allocations(), 1);
    kit_ok(mopt_trainer_step(many.trainer, NULL));
    kit_fail_allocation(-1, 0);
    ck_assert_mem_eq(moi_model_weights(one.model),
                     moi_model_weights(many.model),
                     sizeof(float) * (size_t)moi_model_size(one.model));
    dismiss(&one);
    dismiss(&many);
}
END_TEST

START_TEST(every_allocation_of_a_trainer_may_fail)
{
    mopt_config *config = school_config(
        ctx, "train", "{\"threads\": 4, \"max_norm\": 1, \"augment\": "
        "{\"noise\": 1}}");
    mopt_model *model = make_model();
    mopt_trainer *t = NULL;
    int32_t rc = MOPT_ENOMEM;

    for (int64_t at = 0; rc == MOPT_ENOMEM; at++) {
        kit_fail_allocation(kit_allocations() + at, 0);
        rc = mopt_trainer_create(ctx, model, train, validation, config, &t);
        kit_fail_allocation(-1, 0);
    }
    kit_ok(rc);
    mopt_trainer_free(t);
    mopt_model_free(model);
    mopt_config_free(config);
}
END_TEST

/* Spoils the gradients from the third step on, by one output of one row. */
static int32_t spoil(void *user, const moi_sight *sight, double *loss)
{
    *loss = 0;
    if (sight->grad && ++*(int32_t *)user > 2)
        sight->grad[0] = NAN;
    return MOPT_OK;
}

/* The first tensor from the top that fails is named, and the last good
 * weights come back, on any number of threads. */
START_TEST(divergence_reads_the_same)
{
    const char *how = TWO "\"shuffle\": false";
    pupil one = enrol(how, 1), many = enrol(how, 5);
    char said[500], again[500];
    int32_t calls[2] = {0, 0};

    kit_ok(moi_trainer_add_term(one.trainer, 1, spoil, &calls[0], NULL));
    kit_ok(moi_trainer_add_term(many.trainer, 1, spoil, &calls[1], NULL));
    kit_fails(mopt_trainer_fit(one.trainer, NULL), MOPT_EDIVERGED);
    mopt_last_error(said, sizeof said, NULL);
    kit_says("the gradient of 'layers.5.weight' is not finite");
    kit_fails(mopt_trainer_fit(many.trainer, NULL), MOPT_EDIVERGED);
    mopt_last_error(again, sizeof again, NULL);
    ck_assert_str_eq(said, again);
    same(&one, &many);
    dismiss(&one);
    dismiss(&many);
}
END_TEST

static int32_t request(void *cancel, mopt_trainer *t)
{
    if (school_get(t, "step") == 2)
        mopt_cancel_request(cancel);
    return MOPT_OK;
}

START_TEST(canceled_and_gone_on)
{
    const char *how = TWO "\"chunk\": 40";
    pupil whole = enrol(how, 2), p = enrol(how, 4);
    mopt_cancel *cancel = NULL;

    kit_ok(mopt_cancel_create(ctx, &cancel));
    kit_ok(mopt_trainer_on_step(p.trainer, request, cancel, NULL));
    kit_fails(mopt_trainer_fit(p.trainer, cancel), MOPT_ECANCELED);
    ck_assert_double_eq(school_get(p.trainer, "step"), 2);
    mopt_cancel_reset(cancel);
    kit_ok(mopt_trainer_on_step(p.trainer, NULL, NULL, NULL));
    kit_ok(mopt_trainer_fit(p.trainer, cancel));
    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    same(&whole, &p);
    mopt_cancel_free(cancel);
    dismiss(&whole);
    dismiss(&p);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("train_threads");
    TCase *c = tcase_create("threads");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, the_same_bits, 0, SETTINGS);
    tcase_add_loop_test(c, the_same_bits_with_all_that_hangs_on, 0, 3);
    tcase_add_test(c, resumed_on_other_threads);
    tcase_add_test(c, two_trainings_at_once);
    tcase_add_test(c, callbacks_on_the_calling_thread);
    tcase_add_test(c, steps_take_no_memory);
    tcase_add_test(c, no_memory_for_threads);
    tcase_add_test(c, every_allocation_of_a_trainer_may_fail);
    tcase_add_test(c, divergence_reads_the_same);
    tcase_add_test(c, canceled_and_gone_on);
    suite_add_tcase(suite, c);
    return suite;
}
