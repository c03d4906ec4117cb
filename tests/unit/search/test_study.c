/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_study.c: asking, telling, enqueuing and reading. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kit.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;
static int32_t on_disk;

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
    on_disk = 0;
    study_on_disk(on_disk);
}

static void setup_disk(void)
{
    setup();
    on_disk = 1;
    study_on_disk(on_disk);
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

static mopt_study *open_study(const char *json)
{
    return study_open(ctx, space, json);
}

START_TEST(ask_and_tell)
{
    mopt_study *study = open_study("{\"seed\": 1}");
    mopt_trial *trial = NULL;
    int64_t n, index;
    double value = 0.25, x, got;
    char buf[64];

    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_RUNNING);
    kit_ok(mopt_trial_get_float(trial, "lr", &x));
    ck_assert(x >= 1e-4 && x <= 1e-1);
    kit_ok(mopt_trial_get_int(trial, "layers", &n));
    ck_assert(n >= 1 && n <= 3);
    kit_ok(mopt_trial_get_float(trial, "layers", &x));
    ck_assert(x == (double)n);
    kit_ok(mopt_trial_get_index(trial, "act", &index));
    kit_ok(mopt_trial_get_text(trial, "act", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, index == 0 ? "relu" : "tanh");
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_COMPLETE);
    kit_fails(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                              NULL), MOPT_ESTATE);
    kit_ok(mopt_trial_value(trial, 0, &got));
    ck_assert(got == 0.25);
    mopt_trial_free(trial);
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, 1);
    mopt_study_free(study);
}
END_TEST

START_TEST(typed_reading)
{
    mopt_space *s = NULL;
    mopt_study *study;
    mopt_trial *trial = NULL;
    double x;
    int64_t n;
    char buf[64];

    kit_ok(mopt_space_from_json(
        ctx, "{\"a\": {\"choice\": [0.5]}, \"b\": {\"choice\": [32.0]}, "
             "\"c\": {\"choice\": [true]}, \"d\": {\"choice\": [null]}, "
             "\"e\": {\"choice\": [7]}, \"f\": {\"float\": [2.5, 2.5]}, "
             "\"g\": {\"int\": [3, 3]}, \"h\": {\"int\": [1, 2], "
             "\"when\": {\"g\": {\"min\": 3.0, \"max\": 3.5}}}}", &s));
    study = study_open(ctx, s, "{}");
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "a", &x));
    ck_assert(x == 0.5);
    kit_fails(mopt_trial_get_int(trial, "a", &n), MOPT_EINVAL);
    kit_ok(mopt_trial_get_int(trial, "b", &n));
    ck_assert_int_eq(n, 32);
    kit_ok(mopt_trial_get_int(trial, "c", &n));
    ck_assert_int_eq(n, 1);
    kit_fails(mopt_trial_get_float(trial, "c", &x), MOPT_EINVAL);
    kit_ok(mopt_trial_get_text(trial, "c", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "true");
    kit_fails(mopt_trial_get_float(trial, "d", &x), MOPT_EINVAL);
    kit_ok(mopt_trial_get_text(trial, "d", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "null");
    kit_ok(mopt_trial_get_float(trial, "e", &x));
    ck_assert(x == 7);
    kit_ok(mopt_trial_get_text(trial, "f", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "2.5");
    kit_fails(mopt_trial_get_int(trial, "f", &n), MOPT_EINVAL);
    kit_fails(mopt_trial_get_index(trial, "f", &n), MOPT_EINVAL);
    kit_fails(mopt_trial_get_float(trial, "gg", &x), MOPT_EKEY);
    kit_says("no parameter 'gg'");
    kit_fails(mopt_trial_get_text(trial, "f", buf, 2, NULL), MOPT_ERANGE);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(s);
}
END_TEST

START_TEST(absent_parameters)
{
    mopt_study *study = open_study("{}");
    mopt_trial *trial = NULL;
    int64_t layers, units, i;
    int32_t rc;

    for (i = 0; i < 50; i++) {
        kit_ok(mopt_study_ask(study, &trial));
        kit_ok(mopt_trial_get_int(trial, "layers", &layers));
        rc = mopt_trial_get_int(trial, "units.2", &units);
        if (layers >= 2) {
            kit_ok(rc);
            ck_assert_int_eq(units % 8, 0);
        } else {
            kit_fails(rc, MOPT_ESTATE);
        }
        mopt_trial_free(trial);
    }
    mopt_study_free(study);
}
END_TEST

START_TEST(given_back_trials_come_first)
{
    mopt_study *study = open_study("{\"seed\": 3}");
    mopt_trial *a = NULL, *b = NULL, *again = NULL;
    double xa, xb;
    int64_t n;

    kit_ok(mopt_study_ask(study, &a));
    kit_ok(mopt_study_ask(study, &b));
    kit_ok(mopt_trial_get_float(a, "lr", &xa));
    kit_ok(mopt_study_tell(study, a, MOPT_TRIAL_WAITING, NULL, NULL));
    mopt_trial_free(a);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_WAITING, &n));
    ck_assert_int_eq(n, 1);
    kit_ok(mopt_study_ask(study, &again));
    ck_assert_int_eq(mopt_trial_number(again), 0);
    kit_ok(mopt_trial_get_float(again, "lr", &xb));
    ck_assert(xa == xb);
    /* Freed without being told, it goes back as well. */
    mopt_trial_free(b);
    kit_ok(mopt_study_ask(study, &b));
    ck_assert_int_eq(mopt_trial_number(b), 1);
    mopt_trial_free(b);
    mopt_trial_free(again);
    mopt_study_free(study);
}
END_TEST

START_TEST(enqueued_trials)
{
    mopt_study *study = open_study("{\"seed\": 3}");
    mopt_trial *trial = NULL;
    int64_t n;
    double x;
    char buf[32];

    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.01, \"act\": \"tanh\", "
                                     "\"layers\": 1, \"units.2\": 16}"));
    kit_ok(mopt_study_enqueue(study, "{\"layers\": 3, \"units.2\": 24}"));
    kit_fails(mopt_study_enqueue(study, "{\"lr\": 1}"), MOPT_EINVAL);
    kit_says("lr: 1 is not one of [0.0001, 0.1]");
    kit_fails(mopt_study_enqueue(study, "{\"layer\": 1}"), MOPT_EKEY);
    kit_fails(mopt_study_enqueue(study, "{\"units.2\": 12}"), MOPT_EINVAL);
    kit_fails(mopt_study_enqueue(study, "{\"act\": 3}"), MOPT_EINVAL);
    kit_fails(mopt_study_enqueue(study, "[]"), MOPT_EINVAL);
    kit_fails(mopt_study_enqueue(study, "{"), MOPT_EFORMAT);
    kit_fails(mopt_study_enqueue(NULL, "{}"), MOPT_EINVAL);
    kit_fails(mopt_study_enqueue(study, NULL), MOPT_EINVAL);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_WAITING, &n));
    ck_assert_int_eq(n, 2);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    kit_ok(mopt_trial_get_float(trial, "lr", &x));
    ck_assert(x == 0.01);
    kit_ok(mopt_trial_get_text(trial, "act", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "tanh");
    /* One layer: the value for the second is of no use. */
    kit_fails(mopt_trial_get_int(trial, "units.2", &n), MOPT_ESTATE);
    mopt_trial_free(trial); /* goes back, and comes again as it was */
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "lr", &x));
    ck_assert(x == 0.01);
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_PRUNED, NULL, NULL));
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 1);
    kit_ok(mopt_trial_get_int(trial, "units.2", &n));
    ck_assert_int_eq(n, 24);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

static void tell_value(mopt_study *study, double value, double constraint)
{
    mopt_trial *trial = NULL;

    kit_ok(mopt_study_ask(study, &trial));
    if (!isnan(constraint))
        kit_ok(mopt_trial_set_constraints(trial, &constraint, 1));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
}

static int64_t best_of(mopt_study *study)
{
    mopt_trial *best = NULL;
    int64_t number;

    kit_ok(mopt_study_best(study, &best));
    number = mopt_trial_number(best);
    mopt_trial_free(best);
    return number;
}

START_TEST(best_trials)
{
    mopt_study *study = open_study("{}");
    mopt_trial *best = NULL;

    kit_fails(mopt_study_best(study, &best), MOPT_ENOENT);
    tell_value(study, 2, NAN);
    tell_value(study, NAN, NAN); /* failed: never the best */
    ck_assert_int_eq(best_of(study), 0);
    tell_value(study, 1, NAN);
    tell_value(study, 1, NAN); /* the lower number stays */
    ck_assert_int_eq(best_of(study), 2);
    tell_value(study, -5, 3); /* infeasible */
    ck_assert_int_eq(best_of(study), 2);
    tell_value(study, 0, -1);
    ck_assert_int_eq(best_of(study), 5);
    tell_value(study, -INFINITY, 0);
    ck_assert_int_eq(best_of(study), 6);
    mopt_study_free(study);
    study = open_study("{\"direction\": \"maximize\"}");
    tell_value(study, 2, 5);
    tell_value(study, 1, 4); /* both infeasible: the nearer one */
    ck_assert_int_eq(best_of(study), 1);
    tell_value(study, -9, NAN);
    ck_assert_int_eq(best_of(study), 2);
    tell_value(study, INFINITY, 0);
    ck_assert_int_eq(best_of(study), 3);
    mopt_study_free(study);
}
END_TEST

START_TEST(several_objectives)
{
    mopt_study *study =
        open_study("{\"direction\": \"minimize, maximize\"}");
    mopt_trial *trial = NULL;
    double values[2] = {1, 2}, got;
    char buf[2000];

    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, values, NULL));
    kit_ok(mopt_trial_value(trial, 1, &got));
    ck_assert(got == 2);
    kit_fails(mopt_trial_value(trial, 2, &got), MOPT_EINVAL);
    kit_fails(mopt_trial_value(trial, -1, &got), MOPT_EINVAL);
    mopt_trial_free(trial);
    values[1] = NAN;
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, values, NULL));
    ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_FAILED);
    kit_fails(mopt_trial_value(trial, 0, &got), MOPT_ESTATE);
    kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), NULL));
    ck_assert_ptr_nonnull(strstr(buf, "\"reason\": \"the value is NaN\""));
    ck_assert_ptr_nonnull(strstr(buf, "\"lr\": "));
    mopt_trial_free(trial);
    kit_ok(mopt_study_to_json(study, buf, sizeof(buf), NULL));
    ck_assert_ptr_nonnull(
        strstr(buf, "\"directions\": [\"minimize\", \"maximize\"]"));
    mopt_study_free(study);
}
END_TEST

START_TEST(trial_document)
{
    mopt_study *study = open_study("{\"seed\": 7, \"name\": \"s\"}");
    mopt_trial *trial = NULL;
    const double constraints[2] = {-1, 0.5};
    double value = 0.5;
    char buf[4000];
    size_t needed;

    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.01, \"act\": \"relu\", "
                                     "\"layers\": 1}"));
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_report(trial, 3, 0.75));
    kit_ok(mopt_trial_report(trial, 0, NAN));
    kit_fails(mopt_trial_report(trial, 3, 1), MOPT_EINVAL);
    kit_says("already");
    kit_ok(mopt_trial_set_note(trial, "who", "{\"a\": [1, null]}"));
    kit_ok(mopt_trial_set_note(trial, "who", "\"me\""));
    kit_ok(mopt_trial_set_constraints(trial, constraints, 2));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), &needed));
    ck_assert_ptr_nonnull(strstr(
        buf, "{\"number\": 0, \"state\": \"complete\", \"values\": [0.5], "
             "\"params\": {\"lr\": 0.01, \"layers\": 1, \"act\": \"relu\"}, "
             "\"notes\": {\"who\": \"me\"}, \"constraints\": [-1.0, 0.5], "
             "\"intermediate\": [[0, null], [3, 0.75]], \"start\": \"20"));
    ck_assert_uint_eq(needed, strlen(buf) + 1);
    /* A finished trial is what it is. */
    kit_fails(mopt_trial_report(trial, 5, 1), MOPT_ESTATE);
    kit_fails(mopt_trial_set_note(trial, "a", "1"), MOPT_ESTATE);
    kit_fails(mopt_trial_set_constraints(trial, constraints, 2),
              MOPT_ESTATE);
    mopt_trial_free(trial);
    kit_ok(mopt_study_set_note(study, "data", "[1]"));
    kit_ok(mopt_study_set_note(study, "data", "[2]"));
    kit_ok(mopt_study_to_json(study, buf, sizeof(buf), &needed));
    ck_assert_ptr_nonnull(strstr(buf, "{\"name\": \"s\", \"directions\": "
                                      "[\"minimize\"], \"space\": {"));
    ck_assert_ptr_nonnull(
        strstr(buf, "\"counts\": {\"complete\": 1, \"pruned\": 0, "
                    "\"failed\": 0, \"running\": 0, \"waiting\": 0}, "
                    "\"notes\": {\"data\": [2]}, \"trials\": [{"));
    kit_fails(mopt_study_to_json(study, buf, 10, &needed), MOPT_ERANGE);
    kit_ok(mopt_study_list(ctx, "", buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "[]");
    mopt_study_free(study);
}
END_TEST

START_TEST(told_by_number)
{
    /* Any handle to a running trial can tell its end: who lost the one that
     * was asked for is not stuck. */
    mopt_study *study = open_study("{}");
    mopt_trial *asked = NULL, *found = NULL;

    kit_ok(mopt_study_ask(study, &asked));
    kit_ok(mopt_study_trial(study, 0, &found));
    kit_ok(mopt_study_tell(study, found, MOPT_TRIAL_FAILED, NULL,
                           "bad \xff news"));
    kit_fails(mopt_study_tell(study, asked, MOPT_TRIAL_FAILED, NULL, NULL),
              MOPT_ESTATE);
    mopt_trial_free(found);
    mopt_trial_free(asked);
    kit_fails(mopt_study_trial(study, 1, &found), MOPT_ENOENT);
    kit_fails(mopt_study_trial(study, -1, &found), MOPT_ENOENT);
    mopt_study_free(study);
}
END_TEST

START_TEST(handles_outlive_the_study)
{
    mopt_study *study = open_study("{}");
    mopt_trial *trial = NULL;
    double x;

    kit_ok(mopt_study_ask(study, &trial));
    mopt_study_free(study);
    kit_ok(mopt_trial_get_float(trial, "lr", &x));
    mopt_trial_free(trial);
}
END_TEST

START_TEST(apply_to_a_config)
{
    mopt_space *s = NULL;
    mopt_study *study;
    mopt_trial *trial = NULL;
    mopt_config *config = NULL;
    int64_t applied, points;

    kit_ok(mopt_space_from_json(
        ctx, "{\"sampler.points\": {\"int\": [7, 7]}, "
             "\"sampler\": {\"choice\": [\"grid\"]}, "
             "\"timeout\": {\"float\": [2.5, 2.5]}, "
             "\"other\": {\"int\": [1, 1]}}", &s));
    study = study_open(ctx, s, "{}");
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_ok(mopt_trial_apply(trial, config, &applied));
    ck_assert_int_eq(applied, 3);
    kit_ok(mopt_config_get_int(config, "sampler.points", &points));
    ck_assert_int_eq(points, 7);
    kit_ok(mopt_trial_apply(trial, config, NULL));
    kit_fails(mopt_trial_apply(NULL, config, NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_apply(trial, NULL, NULL), MOPT_EINVAL);
    mopt_config_free(config);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(s);
}
END_TEST

START_TEST(checkpoints)
{
    mopt_study *study;
    mopt_trial *trial = NULL;
    char path[500], config[500];

    study = study_open(ctx, space, "{}");
    kit_ok(mopt_study_ask(study, &trial));
    kit_fails(mopt_trial_checkpoint(trial, path, sizeof(path), NULL),
              on_disk ? MOPT_OK : MOPT_ESTATE);
    if (!on_disk)
        kit_says("'checkpoints' names no folder");
    else
        ck_assert_ptr_nonnull(strstr(path, ".trial-"));
    mopt_trial_free(trial);
    mopt_study_free(study);
    study = study_open(ctx, space, "{\"storage\": \"sqlite:///:memory:\"}");
    kit_ok(mopt_study_ask(study, &trial));
    kit_fails(mopt_trial_checkpoint(trial, path, sizeof(path), NULL),
              MOPT_ESTATE);
    mopt_trial_free(trial);
    mopt_study_free(study);
    snprintf(config, sizeof(config), "{\"checkpoints\": \"%s\"}",
             kit_path(""));
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_checkpoint(trial, path, sizeof(path), NULL));
    kit_write(path, "x", 1);
    mopt_trial_free(trial); /* given back: somebody may go on from it */
    ck_assert_int_eq(access(path, F_OK), 0);
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_PRUNED, NULL, NULL));
    ck_assert_int_ne(access(path, F_OK), 0);
    kit_write(path, "x", 1); /* as one does who was thought dead */
    kit_fails(mopt_study_tell(study, trial, MOPT_TRIAL_PRUNED, NULL, NULL),
              MOPT_ESTATE);
    ck_assert_int_ne(access(path, F_OK), 0);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(misuse)
{
    mopt_study *study = NULL, *other;
    mopt_config *config = NULL;
    mopt_trial *trial = NULL;
    double value = 1, nan = NAN;
    int64_t n;
    int32_t state;
    char buf[8];

    kit_fails(mopt_study_create(NULL, space, NULL, &study), MOPT_EINVAL);
    kit_fails(mopt_study_create(ctx, space, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_create(ctx, NULL, NULL, &study), MOPT_ENOENT);
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    mopt_config_free(config);
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_fails(mopt_config_set_text(config, "sampler", "rando"), MOPT_EINVAL);
    kit_fails(mopt_config_set_int(config, "workers", 0), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "direction", "maximise"));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    kit_says("'maximise' must be");
    kit_ok(mopt_config_set_text(config, "direction", "minimize;"));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "direction", "minimize,"));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "direction", ""));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "direction", "minimize"));
    kit_ok(mopt_config_set_text(config, "name", ""));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EINVAL);
    kit_ok(mopt_config_set_text(config, "name", "s"));
    kit_ok(mopt_config_set_int(config, "sampler.points", 3));
    kit_fails(mopt_study_create(ctx, space, config, &study), MOPT_EKEY);
    ck_assert_ptr_null(study);
    mopt_config_free(config);
    study = open_study("{}");
    other = open_study("{}");
    kit_fails(mopt_study_ask(NULL, &trial), MOPT_EINVAL);
    kit_fails(mopt_study_ask(study, NULL), MOPT_EINVAL);
    kit_ok(mopt_study_ask(study, &trial));
    kit_fails(mopt_study_tell(NULL, trial, 1, &value, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(study, NULL, 1, &value, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(other, trial, 1, &value, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(study, trial, 1, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(study, trial, 0, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_tell(study, trial, 5, NULL, NULL), MOPT_EINVAL);
    for (state = MOPT_TRIAL_PRUNED; state <= MOPT_TRIAL_WAITING; state++)
        kit_fails(mopt_study_tell(study, trial, state, &value, NULL),
                  MOPT_EINVAL);
    kit_fails(mopt_study_count(NULL, 0, &n), MOPT_EINVAL);
    kit_fails(mopt_study_count(study, -2, &n), MOPT_EINVAL);
    kit_fails(mopt_study_count(study, 5, &n), MOPT_EINVAL);
    kit_fails(mopt_study_count(study, 0, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_best(NULL, &trial), MOPT_EINVAL);
    kit_fails(mopt_study_best(study, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_trial(NULL, 0, &trial), MOPT_EINVAL);
    kit_fails(mopt_study_trial(study, 0, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_to_json(NULL, buf, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_list(NULL, "", buf, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_list(ctx, NULL, buf, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_study_set_note(NULL, "a", "1"), MOPT_EINVAL);
    kit_fails(mopt_study_set_note(study, NULL, "1"), MOPT_EINVAL);
    kit_fails(mopt_study_set_note(study, "a", NULL), MOPT_EINVAL);
    kit_fails(mopt_study_set_note(study, "", "1"), MOPT_EINVAL);
    kit_fails(mopt_study_set_note(study, "a", "x"), MOPT_EFORMAT);
    kit_fails(mopt_study_on_trial(NULL, NULL, NULL, NULL), MOPT_EINVAL);
    ck_assert_int_eq(mopt_trial_number(NULL), -1);
    ck_assert_int_eq(mopt_trial_state(NULL), -1);
    kit_fails(mopt_trial_get_float(NULL, "lr", &value), MOPT_EINVAL);
    kit_fails(mopt_trial_get_float(trial, NULL, &value), MOPT_EINVAL);
    kit_fails(mopt_trial_get_float(trial, "lr", NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_get_int(trial, "layers", NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_get_index(NULL, "act", &n), MOPT_EINVAL);
    kit_fails(mopt_trial_get_index(trial, NULL, &n), MOPT_EINVAL);
    kit_fails(mopt_trial_get_index(trial, "act", NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_get_text(NULL, "act", buf, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_get_text(trial, NULL, buf, 8, NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_value(NULL, 0, &value), MOPT_EINVAL);
    kit_fails(mopt_trial_value(trial, 0, NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_value(trial, 0, &value), MOPT_ESTATE);
    kit_fails(mopt_trial_report(NULL, 0, 1), MOPT_EINVAL);
    kit_fails(mopt_trial_report(trial, -1, 1), MOPT_EINVAL);
    kit_fails(mopt_trial_set_note(NULL, "a", "1"), MOPT_EINVAL);
    kit_fails(mopt_trial_set_note(trial, NULL, "1"), MOPT_EINVAL);
    kit_fails(mopt_trial_set_note(trial, "a", NULL), MOPT_EINVAL);
    kit_fails(mopt_trial_set_note(trial, "", "1"), MOPT_EINVAL);
    kit_fails(mopt_trial_set_note(trial, "a", "{"), MOPT_EFORMAT);
    kit_fails(mopt_trial_set_constraints(NULL, &value, 1), MOPT_EINVAL);
    kit_fails(mopt_trial_set_constraints(trial, NULL, 1), MOPT_EINVAL);
    kit_fails(mopt_trial_set_constraints(trial, &value, 0), MOPT_EINVAL);
    kit_fails(mopt_trial_set_constraints(trial, &value, -1), MOPT_EINVAL);
    kit_fails(mopt_trial_set_constraints(trial, &nan, 1), MOPT_EINVAL);
    kit_fails(mopt_trial_to_json(NULL, buf, 8, NULL), MOPT_EINVAL);
    mopt_study_free(NULL);
    mopt_trial_free(NULL);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_study_free(other);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, begin, teardown);
    tcase_add_test(tc, ask_and_tell);
    tcase_add_test(tc, typed_reading);
    tcase_add_test(tc, absent_parameters);
    tcase_add_test(tc, given_back_trials_come_first);
    tcase_add_test(tc, enqueued_trials);
    tcase_add_test(tc, best_trials);
    tcase_add_test(tc, several_objectives);
    tcase_add_test(tc, trial_document);
    tcase_add_test(tc, told_by_number);
    tcase_add_test(tc, handles_outlive_the_study);
    tcase_add_test(tc, apply_to_a_config);
    tcase_add_test(tc, checkpoints);
    tcase_add_test(tc, misuse);
    suite_add_tcase(suite, tc);
}

Suite *kit_suite(void)
{
    Suite *suite = suite_create("study");

    add_tests(suite, "memory", setup);
    add_tests(suite, "disk", setup_disk);
    return suite;
}
