/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_interop.c: Optuna opens our files and goes on with
 * them, and we its. Needs MODELOPT_ORACLE_PYTHON, an interpreter that has
 * Optuna 5; skips without. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

/* Run interop.py; its output, or NULL when Optuna is not there. */
static char *optuna(const char *verb, const char *path)
{
    static char output[200000];
    const char *python = getenv("MODELOPT_ORACLE_PYTHON");
    char command[1200];
    size_t got;
    FILE *pipe;
    int status;

    if (!python || !python[0])
        return NULL;
    snprintf(command, sizeof(command), "'%s' '%s' %s '%s'", python,
             INTEROP_SCRIPT, verb, path);
    pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    got = fread(output, 1, sizeof(output) - 1, pipe);
    output[got] = '\0';
    status = pclose(pipe);
    if (status == 77 << 8)
        return NULL;
    ck_assert_msg(status == 0, "%s: status %d", command, status);
    return output;
}

static mopt_study *open_file(const char *path, const char *members)
{
    char config[500];

    snprintf(config, sizeof(config), "{\"storage\": \"%s\", \"seed\": 5%s}",
             path, members);
    return study_open(ctx, space, config);
}

static int32_t plain(void *user, mopt_trial *trial, double *values)
{
    (void)user;
    if (mopt_trial_get_float(trial, "lr", values) ||
        mopt_trial_report(trial, 0, values[0]) ||
        mopt_trial_report(trial, 3, NAN) ||
        mopt_trial_set_note(trial, "who", "\"modelopt\""))
        return MOPT_EINTERNAL;
    switch (mopt_trial_number(trial) % 6) {
    case 1: return MOPT_PRUNED;
    case 2: return MOPT_EDIVERGED;
    case 3: values[0] = INFINITY; break;
    default: break;
    }
    return MOPT_OK;
}

/* Our trials as interop.py shows Optuna's, compared one by one. */
static void compare(mopt_study *study, const json_t *seen)
{
    static const char *const states[] = {"RUNNING", "COMPLETE", "PRUNED",
                                         "FAIL", "WAITING"};
    size_t i;

    for (i = 0; i < json_array_size(seen); i++) {
        const json_t *theirs = json_array_get(seen, i);
        mopt_trial *trial = NULL;
        json_t *ours;
        char buf[4000];
        const char *name;
        const json_t *value;

        kit_ok(mopt_study_trial(study, (int64_t)i, &trial));
        kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), NULL));
        ck_assert_str_eq(states[mopt_trial_state(trial)],
                         json_string_value(json_array_get(theirs, 1)));
        ours = json_loads(buf, 0, NULL);
        ck_assert_int_eq(
            (int)json_object_size(json_object_get(ours, "params")),
            (int)json_object_size(json_array_get(theirs, 3)));
        json_object_foreach(json_object_get(ours, "params"), name, value) {
            const json_t *other =
                json_object_get(json_array_get(theirs, 3), name);

            if (json_is_number(value))
                ck_assert(json_number_value(value) ==
                          json_number_value(other));
            else
                ck_assert(json_equal(value, other));
        }
        ck_assert(json_equal(json_object_get(ours, "notes"),
                             json_array_get(theirs, 4)));
        if (mopt_trial_state(trial) == MOPT_TRIAL_COMPLETE) {
            double v;

            kit_ok(mopt_trial_value(trial, 0, &v));
            if (isfinite(v))
                ck_assert(v == json_real_value(json_array_get(
                                   json_array_get(theirs, 2), 0)));
            ck_assert(json_is_true(json_array_get(theirs, 7)));
            ck_assert(json_is_true(json_array_get(theirs, 8)));
        }
        json_decref(ours);
        mopt_trial_free(trial);
    }
}

/* Python writes Infinity; jansson does not read it. */
static json_t *parse(char *text)
{
    char *at;
    json_t *value;

    while ((at = strstr(text, "Infinity")))
        memcpy(at, "99999999", 8);
    value = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(value);
    return value;
}

START_TEST(optuna_reads_ours)
{
    const char *path = kit_path("ours.db");
    const double constraints[2] = {-1, 0.5};
    mopt_study *study;
    mopt_trial *trial = NULL, *best = NULL;
    json_t *seen;
    const json_t *kept;
    double value = 0.5;
    char *output;

    if (!optuna("probe", ""))
        return;
    study = open_file(path, ", \"trials\": 12");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_set_constraints(trial, constraints, 2));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    /* Three that wait: given back, enqueued in part, enqueued. */
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.01}"));
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.02, \"layers\": 1, "
                                     "\"act\": \"relu\"}"));
    output = optuna("read", path);
    seen = parse(output);
    compare(study, json_object_get(seen, "trials"));
    kit_ok(mopt_study_best(study, &best));
    ck_assert_int_eq(json_integer_value(json_array_get(
                         json_object_get(seen, "best"), 0)),
                     mopt_trial_number(best));
    kept = json_array_get(
        json_array_get(json_object_get(seen, "trials"), 12), 6);
    ck_assert(json_number_value(json_object_get(kept, "0")) == -1);
    ck_assert(json_number_value(json_object_get(kept, "1")) == 0.5);
    mopt_trial_free(best);
    json_decref(seen);
    /* Optuna goes on while we have the study open, and we see it. */
    output = optuna("go-on", path);
    ck_assert_ptr_nonnull(output);
    seen = parse(optuna("read", path));
    compare(study, json_object_get(seen, "trials"));
    json_decref(seen);
    /* What it has enqueued comes next. */
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "units.3", &value));
    ck_assert(value == 40);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(we_read_optunas)
{
    const char *path = kit_path("theirs.db");
    mopt_study *study;
    mopt_trial *trial = NULL;
    char *output, text[64], theirs[64];
    int64_t count, number, n;
    double best, value;
    json_t *seen;

    output = optuna("write", path);
    if (!output)
        return;
    ck_assert_int_eq(sscanf(output, "%ld %ld %lf", &count, &number, &best),
                     3);
    study = open_file(path, ", \"resume\": true");
    kit_ok(mopt_study_count(study, -1, &n));
    ck_assert_int_eq(n, count);
    kit_ok(mopt_study_best(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), number);
    kit_ok(mopt_trial_value(trial, 0, &value));
    snprintf(text, sizeof(text), "%.17g", value);
    snprintf(theirs, sizeof(theirs), "%.17g", best);
    ck_assert_str_eq(text, theirs);
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "lr", &value));
    ck_assert(value == 0.05);
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    seen = parse(optuna("read", path));
    compare(study, json_object_get(seen, "trials"));
    json_decref(seen);
    ck_assert_ptr_nonnull(optuna("go-on", path));
    mopt_study_free(study);
}
END_TEST

/* A trial whose worker died, as Optuna's callback would have noted it, and one
 * that it has noted. */
START_TEST(retries_are_noted_alike)
{
    const char *file = kit_path("retries.db"), *told;
    mopt_study *study = open_file(file, "");
    mopt_trial *trial = NULL;
    int status;
    pid_t child;

    mopt_study_free(study);
    child = fork();
    if (child == 0) {
        study = open_file(file, ", \"resume\": true");
        _exit(mopt_study_ask(study, &trial));
    }
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    study = open_file(file, ", \"resume\": true");
    told = optuna("retries", file);
    if (told)
        ck_assert_str_eq(told, "0 [0]\n");
    for (int i = 0; i < 2 && told; i++) {
        kit_ok(mopt_study_ask(study, &trial));
        ck_assert_int_eq(mopt_trial_number(trial), i == 0 ? 0 : 2);
        kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_PRUNED, NULL, NULL));
        mopt_trial_free(trial);
    }
    mopt_study_free(study);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("interop");
    TCase *tc = tcase_create("interop");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 110); /* Python takes its time */
    tcase_add_test(tc, optuna_reads_ours);
    tcase_add_test(tc, we_read_optunas);
    tcase_add_test(tc, retries_are_noted_alike);
    suite_add_tcase(suite, tc);
    return suite;
}
