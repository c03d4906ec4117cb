/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_stops.c: every way a training may end, and what the
 * model is left with. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "school.h"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static mopt_model *model;
static float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];

static void setup(void)
{
    /* Few rows and much noise: validation gets worse before long. */
    ctx = school_open_with(24, 40, 1.5, &train, &validation);
    model = school_model(ctx, SCHOOL_CLASSES, 0);
}

static void teardown(void)
{
    mopt_model_free(model);
    school_close(ctx, train, validation);
}

/* The validation loss of the model as it is now. */
static double judged(void)
{
    char text[4096];
    const char *found;
    double loss = NAN;

    kit_ok(mopt_model_evaluate(model, validation, NULL, NULL, text,
                               sizeof text, NULL));
    found = strstr(text, "\"loss\": ");
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(sscanf(found + 8, "%lf", &loss), 1);
    return loss;
}

#define OVERFIT \
    "\"epochs\": 60, \"batch_size\": 8, \"optimizer\": {\"learning_rate\": " \
    "0.05}"

/* ---- limits ---- */

START_TEST(best_weights_come_back)
{
    mopt_trainer *t =
        school_trainer(ctx, model, train, validation, "{" OVERFIT "}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_lt(school_get(t, "best.epoch"), 60);
    ck_assert_double_lt(school_get(t, "best.loss"),
                        school_get(t, "validation.loss"));
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    kit_ok(mopt_trainer_fit(t, NULL)); /* nothing is left to do */
    ck_assert_double_eq(school_get(t, "epoch"), 60);
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(last_weights_stay_when_asked)
{
    mopt_trainer *t = school_trainer(ctx, model, train, validation,
                                     "{\"restore_best\": false, " OVERFIT "}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_eq_tol(judged(), school_get(t, "validation.loss"), 1e-6);
    ck_assert_double_lt(school_get(t, "best.loss"),
                        school_get(t, "validation.loss") - 1e-3);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(early_stopping)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, validation,
        "{\"early_stopping\": {\"patience\": 4}, " OVERFIT "}");

    kit_ok(mopt_trainer_fit(t, NULL));
    kit_fails(mopt_trainer_step(t, NULL), MOPT_EXHAUSTED);
    ck_assert_double_eq(school_get(t, "epoch"),
                        school_get(t, "best.epoch") + 4);
    ck_assert_double_lt(school_get(t, "epoch"), 60);
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    kit_fails(mopt_trainer_step(t, NULL), MOPT_EXHAUSTED);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(small_changes_are_none)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, validation,
        "{\"early_stopping\": {\"patience\": 2, \"min_delta\": 100}, "
        "\"optimizer\": {\"learning_rate\": 0.005}}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_eq(school_get(t, "epoch"), 3);
    ck_assert_double_gt(school_get(t, "best.epoch"), 1); /* all the same */
    mopt_trainer_free(t);
    t = school_trainer(ctx, model, train, validation,
                       "{\"early_stopping\": {\"patience\": 4}, \"epochs\": "
                       "50, \"optimizer\": {\"learning_rate\": 1e-30}}");
    kit_ok(mopt_trainer_fit(t, NULL)); /* no change is none either */
    ck_assert_double_eq(school_get(t, "epoch"), 5);
    mopt_trainer_free(t);
}
END_TEST

/* The schedule hears of the monitored figure, and which way is up. */
START_TEST(a_plateau_of_accuracy)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, validation,
        "{\"monitor\": \"validation.accuracy\", \"epochs\": 30, "
        "\"schedule\": {\"type\": \"reduce_on_plateau\", \"patience\": 0, "
        "\"factor\": 0.9}, \"optimizer\": {\"learning_rate\": 0.01}}");
    double best = 0, rate = 0.01;
    int64_t better = 0;

    for (int i = 0; i < 30; i++) {
        double accuracy;

        kit_ok(mopt_trainer_step(t, NULL));
        ck_assert_double_eq_tol(school_get(t, "learning_rate"), rate, 1e-12);
        accuracy = school_get(t, "validation.accuracy");
        if (accuracy > best * (1 + 1e-4)) {
            best = accuracy;
            better += i > 0;
        } else {
            rate *= 0.9;
        }
    }
    ck_assert_int_gt(better, 0);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(a_monitor_may_rise)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, validation,
        "{\"monitor\": \"validation.accuracy\", " OVERFIT "}");
    const char *history;
    double best = 0, accuracy;

    kit_ok(mopt_trainer_fit(t, NULL));
    history = school_history(t);
    while ((history = strstr(history, "\"validation.accuracy\": "))) {
        history += 23;
        ck_assert_int_eq(sscanf(history, "%lf", &accuracy), 1);
        best = fmax(best, accuracy);
    }
    ck_assert_double_eq_tol(school_get(t, "best.accuracy"), best, 1e-12);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(steps_are_limited)
{
    mopt_trainer *t =
        school_trainer(ctx, model, train, validation,
                       "{\"max_steps\": 7, \"batch_size\": 8}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_eq(school_get(t, "step"), 7);
    ck_assert_double_eq(school_get(t, "epoch"), 2);
    /* The part of an epoch that was left over is judged too. */
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    kit_fails(mopt_trainer_step(t, NULL), MOPT_EXHAUSTED);
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    ck_assert_ptr_nonnull(strstr(school_history(t), "\"step\": 7"));
    mopt_trainer_free(t);

    t = school_trainer(ctx, model, train, validation,
                       "{\"max_steps\": 6, \"batch_size\": 8}");
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_eq(school_get(t, "epoch"), 2);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(time_is_limited)
{
    mopt_trainer *t = school_trainer(
        ctx, model, train, validation,
        "{\"epochs\": 1000000000, \"max_seconds\": 0.05}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_ge(school_get(t, "seconds"), 0.05);
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(standing_still_ends)
{
    mopt_trainer *t =
        school_trainer(ctx, model, train, NULL,
                       "{\"epochs\": 100000, \"tolerance\": 1e-3, "
                       "\"optimizer\": {\"type\": \"gd\"}}");

    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_lt(school_get(t, "epoch"), 10000);
    ck_assert_double_gt(school_get(t, "epoch"), 2);
    mopt_trainer_free(t);
}
END_TEST

/* At a minimum a line search finds no way down: training ends. */
START_TEST(no_way_down_ends)
{
    static const float x[5] = {0, 0, 0, 0, 0};
    static const float y[2] = {0, 0};
    mopt_dataset *flat = NULL;
    mopt_model *net = school_model(ctx, 2, 0);
    mopt_trainer *t;

    kit_ok(mopt_dataset_from_memory(ctx, 1, 5, x, MOPT_F32, 0, y, MOPT_F32, 2,
                                    0, NULL, NULL, &flat));
    t = school_trainer(ctx, net, flat, NULL,
                       "{\"epochs\": 1000000, \"optimizer\": {\"type\": "
                       "\"gd\", \"line_search\": true, \"learning_rate\": "
                       "1e5}}");
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_lt(school_get(t, "epoch"), 1000000);
    mopt_trainer_free(t);
    mopt_model_free(net);
    mopt_dataset_free(flat);
}
END_TEST

/* ---- callbacks ---- */

typedef struct ender {
    int64_t at, calls, destroyed;
    int32_t answer;
    mopt_cancel *cancel;
} ender;

static int32_t end_at(void *user, mopt_trainer *t)
{
    ender *e = user;

    (void)t;
    if (++e->calls < e->at)
        return 0;
    if (e->cancel)
        mopt_cancel_request(e->cancel);
    return e->answer;
}

static void ender_free(void *user)
{
    ((ender *)user)->destroyed++;
}

START_TEST(callbacks_end_training)
{
    static const struct {
        int32_t answer, status;
    } cases[] = {
        {MOPT_STOPPED, MOPT_STOPPED},    {MOPT_PRUNED, MOPT_PRUNED},
        {MOPT_EXHAUSTED, MOPT_ECALLBACK}, {-1, MOPT_ECALLBACK},
        {123456, MOPT_ECALLBACK},
    };
    ender e = {.at = 40, .answer = cases[_i / 2].answer};
    mopt_trainer *t =
        school_trainer(ctx, model, train, validation, "{" OVERFIT "}");

    if (_i % 2)
        kit_ok(mopt_trainer_on_epoch(t, end_at, &e, ender_free));
    else
        kit_ok(mopt_trainer_on_step(t, end_at, &e, ender_free));
    kit_fails(mopt_trainer_fit(t, NULL), cases[_i / 2].status);
    ck_assert_int_eq(e.calls, 40);
    ck_assert_double_eq(school_get(t, "step"), _i % 2 ? 120 : 40);
    ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    e.answer = 0;
    kit_ok(mopt_trainer_fit(t, NULL)); /* it goes on where it was */
    ck_assert_double_eq(school_get(t, "step"), 180);
    kit_ok(mopt_trainer_on_step(t, NULL, NULL, NULL));
    kit_ok(mopt_trainer_on_epoch(t, NULL, NULL, NULL));
    ck_assert_int_eq(e.destroyed, 1);
    mopt_trainer_free(t);
    ck_assert_int_eq(e.destroyed, 1);
    kit_fails(mopt_trainer_on_step(NULL, end_at, &e, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_on_epoch(NULL, end_at, &e, NULL), MOPT_EINVAL);
}
END_TEST

/* What a callback may not do is refused and does no harm. */
static int32_t meddle(void *user, mopt_trainer *t)
{
    int64_t *calls = user;
    mopt_config *group = school_config(ctx, "group", "{}");

    kit_fails(mopt_trainer_fit(t, NULL), MOPT_ESTATE);
    kit_fails(mopt_trainer_step(t, NULL), MOPT_ESTATE);
    kit_fails(mopt_trainer_resume(t, "nowhere"), MOPT_ESTATE);
    kit_fails(mopt_trainer_on_step(t, NULL, NULL, NULL), MOPT_ESTATE);
    kit_fails(mopt_trainer_add_group(t, "*", group), MOPT_ESTATE);
    school_get(t, "step");
    school_get(t, "seconds");
    school_history(t);
    kit_ok(mopt_trainer_save(t, kit_path("inside.safetensors")));
    mopt_config_free(group);
    ++*calls;
    return 0;
}

START_TEST(callbacks_that_meddle)
{
    int64_t calls = 0;
    mopt_trainer *t =
        school_trainer(ctx, model, train, validation, "{\"epochs\": 2}");

    kit_ok(mopt_trainer_on_step(t, meddle, &calls, NULL));
    kit_ok(mopt_trainer_on_epoch(t, meddle, &calls, NULL));
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_int_eq(calls, 4);
    mopt_trainer_free(t);
}
END_TEST

/* ---- canceling ---- */

/* Canceled after every step in turn, in steps and before validations, a
 * training ends with the same bits as one that never was. */
START_TEST(canceled_training_goes_on)
{
    static const char *const json =
        "{\"epochs\": 5, \"batch_size\": 8, \"optimizer\": "
        "{\"learning_rate\": 0.05}}";
    mopt_model *other = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *s = school_trainer(ctx, other, train, validation, json);
    mopt_trainer *t = school_trainer(ctx, model, train, validation, json);
    ender e = {.at = 1};
    int64_t count, canceled = 0;

    kit_ok(mopt_trainer_fit(s, NULL));
    kit_ok(mopt_cancel_create(ctx, &e.cancel));
    kit_ok(mopt_trainer_on_step(t, end_at, &e, NULL));
    while (mopt_trainer_fit(t, e.cancel) == MOPT_ECANCELED) {
        mopt_cancel_reset(e.cancel);
        canceled++;
        if (school_get(t, "epoch") >= 1)
            ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"),
                                    1e-6);
    }
    ck_assert_int_eq(canceled, 15);
    count = school_weights(model, after);
    school_weights(other, before);
    ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
    ck_assert_str_eq(school_history(s), school_history(t));
    mopt_trainer_free(s);
    mopt_trainer_free(t);
    mopt_cancel_free(e.cancel);
    mopt_model_free(other);
}
END_TEST

/* A token that is triggered while a product runs, of so many. */
static mopt_cancel *triggered;
static int64_t products, trigger_at;

static int32_t trigger(void *user, int32_t trans_a, int32_t trans_b, int64_t m,
                       int64_t n, int64_t k, float alpha, const float *a,
                       int64_t lda, const float *b, int64_t ldb, float beta,
                       float *c, int64_t ldc)
{
    (void)user;
    if (++products == trigger_at)
        mopt_cancel_request(triggered);
    return moi_backend_reference.sgemm(NULL, trans_a, trans_b, m, n, k, alpha,
                                       a, lda, b, ldb, beta, c, ldc);
}

/* Two layers forward; one back with its gradients, and the other's gradients: a
 * step that clips them may end behind each of these, with all as it was. */
START_TEST(a_token_is_heeded_between_layers)
{
    static const mopt_backend triggering = {
        .struct_size = sizeof(mopt_backend),
        .abi_version = MOPT_BACKEND_ABI,
        .name = "triggering",
        .sgemm = trigger,
    };
    const mopt_backend *usual = ctx->backend;
    mopt_trainer *t;
    int64_t count;

    ctx->backend = &triggering;
    t = school_trainer(ctx, model, train, NULL,
                       "{\"batch_size\": 8, \"clip_norm\": 1, \"threads\": 1}");
    kit_ok(mopt_cancel_create(ctx, &triggered));
    count = school_weights(model, before);
    for (trigger_at = 1; trigger_at <= 5; trigger_at++) {
        products = 0;
        kit_fails(mopt_trainer_fit(t, triggered), MOPT_ECANCELED);
        ck_assert_int_eq(products, trigger_at == 3 ? 4 : trigger_at);
        school_weights(model, after);
        ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
        mopt_cancel_reset(triggered);
    }
    mopt_trainer_free(t);
    mopt_cancel_free(triggered);
    ctx->backend = usual;
}
END_TEST

typedef struct alarm_clock {
    mopt_cancel *cancel;
    pthread_t thread;
    double asked; /* when it was triggered */
} alarm_clock;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *ring(void *user)
{
    alarm_clock *a = user;

    usleep(50000);
    a->asked = now();
    mopt_cancel_request(a->cancel);
    return NULL;
}

static int32_t set_alarm(void *user, mopt_trainer *t)
{
    alarm_clock *a = user;

    (void)t;
    ck_assert_int_eq(pthread_create(&a->thread, NULL, ring, a), 0);
    return 0;
}

static mopt_model *make_wide(void)
{
    mopt_model *wide = NULL;

    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &wide));
    kit_ok(mopt_model_add_dense(wide, 1024, "relu"));
    kit_ok(mopt_model_add_dense(wide, 1024, "relu"));
    kit_ok(mopt_model_add_dense(wide, SCHOOL_CLASSES, "softmax"));
    return wide;
}

/* Seconds that a thousandth of the work takes here, trained on. */
static double measure_thousandth(void)
{
    mopt_dataset *few = school_clouds(ctx, 1000, 1, 3);
    mopt_model *wide = make_wide();
    mopt_trainer *t = school_trainer(ctx, wide, few, NULL,
                                     "{\"epochs\": 1, \"optimizer\": "
                                     "\"gd\"}");
    double start = now();

    kit_ok(mopt_trainer_fit(t, NULL));
    start = now() - start;
    mopt_trainer_free(t);
    mopt_model_free(wide);
    mopt_dataset_free(few);
    return start;
}

/* Full batches, and validations behind a step, of a million rows end soon after
 * the token: before a hundredth of the work is done. */
START_TEST(long_work_is_canceled)
{
    static const char *const json[] = {
        "{\"epochs\": 1, \"optimizer\": \"gd\"}",
        "{\"epochs\": 1, \"max_steps\": 1}",
    };
    mopt_dataset *large = school_clouds(ctx, 1000000, 1, 3);
    mopt_model *wide = make_wide();
    double thousandth = measure_thousandth();
    mopt_trainer *t;
    alarm_clock a = {.asked = 0};

    t = school_trainer(ctx, wide, _i ? train : large, _i ? large : NULL,
                       json[_i]);
    kit_ok(mopt_cancel_create(ctx, &a.cancel));
    if (_i)
        kit_ok(mopt_trainer_on_step(t, set_alarm, &a, NULL));
    else
        set_alarm(&a, t);
    kit_fails(mopt_trainer_fit(t, a.cancel), MOPT_ECANCELED);
    a.asked = now() - a.asked;
    pthread_join(a.thread, NULL);
    ck_assert_msg(a.asked < 10 * thousandth,
                  "%g s after the token; a thousandth of the work takes %g s",
                  a.asked, thousandth);
    ck_assert_double_eq(school_get(t, "step"), _i);
    mopt_trainer_free(t);
    mopt_model_free(wide);
    mopt_dataset_free(large);
    mopt_cancel_free(a.cancel);
}
END_TEST

/* ---- divergence ---- */

START_TEST(divergence_is_rolled_back)
{
    static const char *const json[] = {
        "{\"epochs\": 50, \"batch_size\": 8, \"optimizer\": {\"type\": "
        "\"sgd\", \"learning_rate\": 1e6}}",
        "{\"epochs\": 50, \"batch_size\": 8, \"restore_best\": false, "
        "\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 1e6}}",
        "{\"epochs\": 50, \"batch_size\": 8, \"clip_norm\": 1e30, "
        "\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 1e6}}",
        "{\"epochs\": 500, \"batch_size\": 8, \"chunk\": 3, \"optimizer\": "
        "{\"type\": \"sgd\", \"learning_rate\": 1e6, \"momentum\": 0.999}}",
    };
    mopt_dataset *data = school_numbers(ctx, 24, 1);
    mopt_model *net = school_model(ctx, 2, 0);
    mopt_trainer *t = school_trainer(ctx, net, data, data, json[_i]);
    int64_t count;

    kit_ok(mopt_trainer_save(t, kit_path("start.safetensors")));
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_EDIVERGED);
    kit_says("step");
    count = school_weights(net, after);
    for (int64_t i = 0; i < count; i++)
        ck_assert(isfinite(after[i]));
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_EDIVERGED);
    kit_fails(mopt_trainer_step(t, NULL), MOPT_EDIVERGED);
    kit_fails(mopt_trainer_save(t, kit_path("bad.safetensors")), MOPT_ESTATE);
    kit_ok(mopt_trainer_resume(t, kit_path("start.safetensors")));
    kit_ok(mopt_trainer_step(t, NULL)); /* a checkpoint leads on */
    mopt_trainer_free(t);
    mopt_model_free(net);
    mopt_dataset_free(data);
}
END_TEST

/* A term that goes wrong late: the weights of the last good epoch, or of the
 * best one, come back. */
typedef struct saboteur {
    int64_t calls, at;
} saboteur;

static int32_t sabotage(void *user, int64_t rows, int64_t outputs,
                        const int64_t *index, const float *output, float *grad,
                        double *loss)
{
    saboteur *s = user;

    (void)index, (void)output, (void)loss;
    if (++s->calls == s->at)
        grad[rows * outputs - 1] = NAN;
    return 0;
}

static int32_t remember(void *user, mopt_trainer *t)
{
    (void)user, (void)t;
    school_weights(model, before);
    return 0;
}

START_TEST(last_good_epoch_comes_back)
{
    static const char *const json[] = {
        "{\"restore_best\": false, " OVERFIT "}",
        "{\"restore_best\": false, \"clip_norm\": 1e9, " OVERFIT "}",
        "{\"restore_best\": true, " OVERFIT "}",
    };
    saboteur s = {0, 152};
    mopt_trainer *t = school_trainer(ctx, model, train, validation, json[_i]);
    int64_t count;

    kit_ok(mopt_trainer_add_loss(t, 1, sabotage, &s, NULL));
    kit_ok(mopt_trainer_on_epoch(t, remember, NULL, NULL));
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_EDIVERGED);
    kit_says("step 152 (epoch 51)");
    ck_assert_double_eq(school_get(t, "epoch"), 50);
    count = school_weights(model, after);
    if (_i < 2)
        ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
    else
        ck_assert_double_eq_tol(judged(), school_get(t, "best.loss"), 1e-6);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(rows_of_nonsense_diverge)
{
    static float x[10 * SCHOOL_FEATURES];
    static const int32_t y[10] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    mopt_dataset *bad = NULL;
    mopt_trainer *t;

    for (int i = 0; i < 10 * SCHOOL_FEATURES; i++)
        x[i] = 3e38f;
    kit_ok(mopt_dataset_from_memory(ctx, 10, SCHOOL_FEATURES, x, MOPT_F32, 0,
                                    y, MOPT_I32, 1, 0, NULL, NULL, &bad));
    t = school_trainer(ctx, model, train, bad, "{\"epochs\": 2}");
    school_weights(model, before);
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_EDIVERGED);
    kit_says("validation");
    mopt_trainer_free(t);
    t = school_trainer(ctx, model, bad, NULL, "{\"epochs\": 2}");
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_EDIVERGED);
    kit_says("step 1");
    mopt_trainer_free(t);
    mopt_dataset_free(bad);
}
END_TEST

START_TEST(null_trainers)
{
    kit_fails(mopt_trainer_fit(NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_step(NULL, NULL), MOPT_EINVAL);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("stops");
    TCase *c = tcase_create("stops");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, best_weights_come_back);
    tcase_add_test(c, last_weights_stay_when_asked);
    tcase_add_test(c, early_stopping);
    tcase_add_test(c, small_changes_are_none);
    tcase_add_test(c, a_plateau_of_accuracy);
    tcase_add_test(c, a_monitor_may_rise);
    tcase_add_test(c, steps_are_limited);
    tcase_add_test(c, time_is_limited);
    tcase_add_test(c, standing_still_ends);
    tcase_add_test(c, no_way_down_ends);
    tcase_add_loop_test(c, callbacks_end_training, 0, 10);
    tcase_add_test(c, callbacks_that_meddle);
    tcase_add_test(c, canceled_training_goes_on);
    tcase_add_test(c, a_token_is_heeded_between_layers);
    tcase_add_loop_test(c, long_work_is_canceled, 0, 2);
    tcase_add_loop_test(c, divergence_is_rolled_back, 0, 4);
    tcase_add_loop_test(c, last_good_epoch_comes_back, 0, 3);
    tcase_add_test(c, rows_of_nonsense_diverge);
    tcase_add_test(c, null_trainers);
    suite_add_tcase(suite, c);
    return suite;
}
