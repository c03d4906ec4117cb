/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_optimize.c: running trials with workers: outcomes,
 * limits, and the same trials whatever the number of workers. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
    study_on_disk(0);
}

static void setup_disk(void)
{
    setup();
    study_on_disk(1);
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

/* A function of the parameters alone; some trials fail or are pruned. */
static int32_t plain(void *user, mopt_trial *trial, double *values)
{
    double lr;
    int64_t layers;

    (void)user;
    if (mopt_trial_get_float(trial, "lr", &lr) ||
        mopt_trial_get_int(trial, "layers", &layers))
        return MOPT_EINTERNAL;
    values[0] = fabs(log10(lr) + 2.5) + (double)layers;
    if (mopt_trial_number(trial) % 7 == 3)
        return MOPT_EDIVERGED;
    if (mopt_trial_number(trial) % 7 == 5)
        return MOPT_PRUNED;
    if (mopt_trial_number(trial) % 7 == 6)
        values[0] = NAN;
    return MOPT_OK;
}

START_TEST(same_trials_for_any_workers)
{
    static const char *const samplers[] = {
        "\"sampler\": \"random\"",
        "\"sampler\": \"random\", \"duplicates\": \"avoid\"",
        "\"sampler\": {\"type\": \"grid\", \"points\": 4}",
        ("\"sampler\": {\"type\": \"grid\", \"points\": 4, "
         "\"shuffle\": true}"),
    };
    static const int workers[] = {1, 2, 8};
    char config[200], *texts[3];
    int i;

    for (i = 0; i < 3; i++) {
        mopt_study *study;

        snprintf(config, sizeof(config), "{%s, \"trials\": 60, "
                 "\"workers\": %d, \"seed\": 5}", samplers[_i], workers[i]);
        study = study_open(ctx, space, config);
        kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
        texts[i] = study_text(study);
        mopt_study_free(study);
    }
    ck_assert_str_eq(texts[0], texts[1]);
    ck_assert_str_eq(texts[0], texts[2]);
    for (i = 0; i < 3; i++)
        free(texts[i]);
}
END_TEST

START_TEST(outcomes_are_kept)
{
    mopt_study *study =
        study_open(ctx, space, "{\"trials\": 14, \"seed\": 5}");
    mopt_trial *trial = NULL;
    char buf[2000];
    int64_t n;

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert_int_eq(n, 8);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_PRUNED, &n));
    ck_assert_int_eq(n, 2);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_FAILED, &n));
    ck_assert_int_eq(n, 4);
    kit_ok(mopt_study_trial(study, 3, &trial));
    kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), NULL));
    ck_assert_ptr_nonnull(strstr(buf, "\"reason\": \"MOPT_EDIVERGED: "));
    mopt_trial_free(trial);
    /* Enough are finished: nothing to do. */
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 14);
    mopt_study_free(study);
}
END_TEST

/* Answers with a code at one trial. */
typedef struct plan {
    int64_t at;
    int32_t answer;
    mopt_cancel *cancel;
    atomic_int calls;
} plan;

static int32_t planned(void *user, mopt_trial *trial, double *values)
{
    plan *p = user;

    atomic_fetch_add(&p->calls, 1);
    values[0] = (double)mopt_trial_number(trial);
    if (mopt_trial_number(trial) != p->at)
        return MOPT_OK;
    mopt_cancel_request(p->cancel);
    return p->answer;
}

START_TEST(answers_end_the_search)
{
    static const struct {
        int32_t answer, outcome, state;
    } cases[] = {
        {MOPT_STOPPED, MOPT_STOPPED, MOPT_TRIAL_COMPLETE},
        {MOPT_ECANCELED, MOPT_ECANCELED, MOPT_TRIAL_WAITING},
        {17, MOPT_ECALLBACK, MOPT_TRIAL_FAILED},
        {MOPT_EXHAUSTED, MOPT_ECALLBACK, MOPT_TRIAL_FAILED},
        {-12345, MOPT_ECALLBACK, MOPT_TRIAL_FAILED},
        {MOPT_EINVAL, MOPT_OK, MOPT_TRIAL_FAILED},
        {MOPT_ENOMEM, MOPT_OK, MOPT_TRIAL_FAILED},
        {MOPT_PRUNED, MOPT_OK, MOPT_TRIAL_PRUNED},
    };
    mopt_study *study = study_open(ctx, space, "{\"trials\": 10}");
    mopt_trial *trial = NULL;
    plan p = {4, cases[_i].answer, NULL, 0};
    int64_t n;

    kit_fails(mopt_study_optimize(study, planned, &p, NULL),
              cases[_i].outcome);
    kit_ok(mopt_study_trial(study, 4, &trial));
    ck_assert_int_eq(mopt_trial_state(trial), cases[_i].state);
    mopt_trial_free(trial);
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, cases[_i].outcome == MOPT_OK ? 10 : 5);
    /* It can go on. */
    p.at = -1;
    kit_ok(mopt_study_optimize(study, planned, &p, NULL));
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 10);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_WAITING, &n));
    ck_assert_int_eq(n, 0);
    mopt_study_free(study);
}
END_TEST

START_TEST(cancel)
{
    mopt_study *study = study_open(ctx, space, "{\"trials\": 10}");
    mopt_cancel *token = NULL;
    plan p = {4, MOPT_OK, NULL, 0};
    int64_t n;

    kit_ok(mopt_cancel_create(ctx, &token));
    p.cancel = token;
    /* The trial that was running ended well: it is kept. */
    kit_fails(mopt_study_optimize(study, planned, &p, token),
              MOPT_ECANCELED);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert_int_eq(n, 5);
    kit_fails(mopt_study_optimize(study, planned, &p, token),
              MOPT_ECANCELED);
    mopt_cancel_reset(token);
    kit_ok(mopt_study_optimize(study, planned, &p, token));
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert_int_eq(n, 10);
    mopt_cancel_free(token);
    mopt_study_free(study);
}
END_TEST

static int32_t cancelable(void *user, mopt_trial *trial, double *values)
{
    mopt_cancel *token = user;

    if (mopt_trial_number(trial) == 9)
        mopt_cancel_request(token);
    if (mopt_cancel_requested(token))
        return MOPT_ECANCELED;
    return plain(NULL, trial, values);
}

START_TEST(canceled_and_resumed_is_uninterrupted)
{
    static const int workers[] = {1, 2, 8};
    mopt_study *study =
        study_open(ctx, space, "{\"trials\": 30, \"seed\": 11}");
    mopt_cancel *token = NULL;
    char config[100], *want, *got;

    kit_ok(mopt_cancel_create(ctx, &token));
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    want = study_text(study);
    mopt_study_free(study);
    snprintf(config, sizeof(config), "{\"trials\": 30, \"seed\": 11, "
             "\"workers\": %d}", workers[_i]);
    study = study_open(ctx, space, config);
    kit_fails(mopt_study_optimize(study, cancelable, token, token),
              MOPT_ECANCELED);
    mopt_cancel_reset(token);
    kit_ok(mopt_study_optimize(study, plain, NULL, token));
    got = study_text(study);
    ck_assert_str_eq(want, got);
    free(want);
    free(got);
    mopt_study_free(study);
    mopt_cancel_free(token);
}
END_TEST

static int32_t slow(void *user, mopt_trial *trial, double *values)
{
    (void)user;
    (void)trial;
    usleep(20000);
    values[0] = 1;
    return MOPT_OK;
}

START_TEST(timeout)
{
    mopt_study *study = study_open(
        ctx, space, "{\"trials\": 1000, \"timeout\": 0.1, \"workers\": 2}");
    int64_t n;

    kit_ok(mopt_study_optimize(study, slow, NULL, NULL));
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert(n > 0 && n < 500);
    mopt_study_free(study);
}
END_TEST

START_TEST(exhausted_grid_is_done)
{
    mopt_study *study = study_open(
        ctx, space, "{\"trials\": 100000, \"workers\": 2, "
                    "\"sampler\": {\"type\": \"grid\", \"points\": 2}}");
    mopt_trial *trial = NULL;
    int64_t n;

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 2 * 2 * (1 + 8 + 64));
    kit_fails(mopt_study_ask(study, &trial), MOPT_EXHAUSTED);
    ck_assert_ptr_null(trial);
    mopt_study_free(study);
}
END_TEST

/* Seen by the callback. */
typedef struct seen {
    int64_t count, destroyed, at;
    int32_t answer;
    atomic_int inside;
    mopt_study *study;
} seen;

static int32_t see(void *user, mopt_trial *trial)
{
    seen *s = user;
    mopt_trial *best = NULL;

    ck_assert_int_eq(atomic_fetch_add(&s->inside, 1), 0);
    s->count++;
    ck_assert_int_ne(mopt_trial_state(trial), MOPT_TRIAL_RUNNING);
    /* Other functions may be called meanwhile. */
    if (mopt_study_best(s->study, &best) == MOPT_OK)
        mopt_trial_free(best);
    atomic_fetch_sub(&s->inside, 1);
    return s->count == s->at ? s->answer : MOPT_OK;
}

static void gone(void *user)
{
    ((seen *)user)->destroyed++;
}

START_TEST(callbacks)
{
    mopt_study *study =
        study_open(ctx, space, "{\"trials\": 400, \"workers\": 4}");
    seen s = {0, 0, 5, MOPT_STOPPED, 0, study};
    int64_t n;

    kit_ok(mopt_study_on_trial(study, see, &s, gone));
    kit_fails(mopt_study_optimize(study, plain, NULL, NULL), MOPT_STOPPED);
    ck_assert_int_ge(s.count, 5);
    /* The other three may have begun one each. */
    ck_assert_int_le(s.count, 5 + 3);
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    ck_assert_int_eq(s.count, 400);
    mopt_study_free(study);
    ck_assert_int_eq(s.destroyed, 1);

    study = study_open(ctx, space, "{\"trials\": 20}");
    s = (seen){0, 0, 5, 42, 0, study};
    kit_ok(mopt_study_on_trial(study, see, &s, gone));
    kit_fails(mopt_study_optimize(study, plain, NULL, NULL),
              MOPT_ECALLBACK);
    kit_says("42");
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 5);
    kit_ok(mopt_study_on_trial(study, NULL, NULL, NULL));
    ck_assert_int_eq(s.destroyed, 1);
    mopt_study_free(study);
}
END_TEST

/* Everything that is of thread class any, from eight threads at once. */
static void *hammer(void *argument)
{
    mopt_study *study = argument;
    int64_t i, n;

    for (i = 0; i < 60; i++) {
        mopt_trial *trial = NULL, *best = NULL;
        double value = (double)i, constraint = -1;
        char buf[64];

        if (i % 10 == 3)
            kit_ok(mopt_study_enqueue(study, "{\"layers\": 2}"));
        kit_ok(mopt_study_ask(study, &trial));
        kit_ok(mopt_trial_report(trial, 0, value));
        kit_ok(mopt_trial_set_note(trial, "i", "1"));
        kit_ok(mopt_trial_set_constraints(trial, &constraint, 1));
        kit_ok(mopt_trial_get_text(trial, "act", buf, sizeof(buf), NULL));
        if (i % 3)
            kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                                   NULL));
        mopt_trial_free(trial);
        if (mopt_study_best(study, &best) == MOPT_OK)
            kit_ok(mopt_trial_value(best, 0, &value));
        mopt_trial_free(best);
        kit_ok(mopt_study_count(study, -1, &n));
        if (mopt_study_trial(study, n / 2, &trial) == MOPT_OK) {
            size_t needed;

            mopt_trial_to_json(trial, NULL, 0, &needed);
            ck_assert_int_ge(mopt_trial_state(trial), 0);
            mopt_trial_free(trial);
        }
        if (i % 20 == 0)
            kit_ok(mopt_study_set_note(study, "n", "[]"));
    }
    return NULL;
}

START_TEST(many_threads)
{
    mopt_study *study = study_open(
        ctx, space, "{\"duplicates\": \"avoid\", \"pruner\": "
                    "{\"type\": \"median\", \"startup_trials\": 1000}}");
    pthread_t threads[8];
    int64_t n;
    int i;

    for (i = 0; i < 8; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, hammer, study), 0);
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert_int_eq(n, 8 * 40);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_RUNNING, &n));
    ck_assert_int_eq(n, 0);
    mopt_study_free(study);
}
END_TEST

START_TEST(misuse)
{
    mopt_study *study = study_open(ctx, space, "{\"trials\": 0}");
    int64_t n;

    kit_fails(mopt_study_optimize(NULL, plain, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_optimize(study, NULL, NULL, NULL), MOPT_EINVAL);
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 0);
    mopt_study_free(study);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, begin, teardown);
    tcase_add_loop_test(tc, same_trials_for_any_workers, 0, 4);
    tcase_add_test(tc, outcomes_are_kept);
    tcase_add_loop_test(tc, answers_end_the_search, 0, 8);
    tcase_add_test(tc, cancel);
    tcase_add_loop_test(tc, canceled_and_resumed_is_uninterrupted, 0, 3);
    tcase_add_test(tc, timeout);
    tcase_add_test(tc, exhausted_grid_is_done);
    tcase_add_test(tc, callbacks);
    tcase_add_test(tc, many_threads);
    tcase_add_test(tc, misuse);
    suite_add_tcase(suite, tc);
}

Suite *kit_suite(void)
{
    Suite *suite = suite_create("optimize");

    add_tests(suite, "memory", setup);
    add_tests(suite, "disk", setup_disk);
    return suite;
}
