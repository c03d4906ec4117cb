/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_crash.c: processes that die, and several that share a
 * file. MODELOPT_TEST_KILLS sets how often a search is killed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;
static char config[400];

/* Let config speak of a new file. */
static void new_file(void)
{
    static int files;
    char name[32];

    snprintf(name, sizeof(name), "crash%d.db", files++);
    snprintf(config, sizeof(config), "{\"storage\": \"%s\", \"resume\": true, "
             "\"durability\": \"process\", \"retries\": 1000, \"seed\": 9, "
             "\"trials\": 60, \"workers\": 2}", kit_path(name));
}

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
    new_file();
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

static int32_t plain(void *user, mopt_trial *trial, double *values)
{
    (void)user;
    if (mopt_trial_report(trial, 1, 1) ||
        mopt_trial_set_note(trial, "a", "1") ||
        mopt_trial_get_float(trial, "lr", values))
        return MOPT_EINTERNAL;
    usleep(200);
    return MOPT_OK;
}

/* Writes the numbers of trials that were told to a pipe. */
static int32_t acknowledge(void *user, mopt_trial *trial)
{
    int64_t number = mopt_trial_number(trial);

    return write(*(int *)user, &number, sizeof(number)) == sizeof(number)
               ? MOPT_OK
               : MOPT_EINTERNAL;
}

/* In the child: search until the end, telling what was acknowledged. */
static void search(int pipe)
{
    mopt_study *study = NULL;

    if (study_try(ctx, space, config, &study) ||
        mopt_study_on_trial(study, acknowledge, &pipe, NULL) ||
        mopt_study_optimize(study, plain, NULL, NULL))
        _exit(1);
    mopt_study_free(study);
    _exit(0);
}

static void nap(int64_t micros)
{
    const struct timespec time = {0, micros * 1000};

    nanosleep(&time, NULL);
}

/* One child that is killed after some time; marks what it acknowledged. 1 if
 * it had come to its end by itself. */
static int32_t run_and_kill(int64_t micros, char *told)
{
    int ends[2], status;
    int64_t number;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        search(ends[1]);
    }
    close(ends[1]);
    nap(micros);
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number))
        told[number] = 1;
    close(ends[0]);
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

START_TEST(killed_searches_lose_nothing)
{
    const char *kills = getenv("MODELOPT_TEST_KILLS");
    const int rounds = kills ? atoi(kills) : 12;
    mopt_study *study;
    char *want, *got, told[64];
    int round, i, finished;

    study = study_open(ctx, space, "{\"seed\": 9, \"trials\": 60}");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    want = study_text(study);
    mopt_study_free(study);
    srand(1);
    for (round = 0; round < rounds; round++) {
        mopt_trial *trial = NULL;
        int64_t n;

        memset(told, 0, sizeof(told));
        finished = run_and_kill(500 + rand() % 40000, told);
        study = study_open(ctx, space, config);
        kit_ok(mopt_study_count(study, MOPT_TRIAL_RUNNING, &n));
        ck_assert_int_eq(n, 0);
        for (i = 0; i < 60; i++) {
            if (!told[i])
                continue;
            kit_ok(mopt_study_trial(study, i, &trial));
            ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_COMPLETE);
            mopt_trial_free(trial);
        }
        if (finished || round + 1 == rounds) {
            kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
            got = study_text(study);
            ck_assert(strcmp(want, got) == 0);
            free(got);
            new_file();
        }
        mopt_study_free(study);
    }
    free(want);
}
END_TEST

/* Let a child ask for a trial, tell its number, and wait to be told to go on,
 * or end without a word. */
static pid_t ask_in_child(int *tell, int stays)
{
    int ends[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        mopt_study *study = NULL;
        mopt_trial *trial = NULL;

        if (study_try(ctx, space, config, &study) ||
            mopt_study_ask(study, &trial) ||
            mopt_trial_report(trial, 0, 1) || write(ends[1], "a", 1) != 1)
            _exit(1);
        while (stays)
            pause();
        _exit(0);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    *tell = ends[0];
    return child;
}

START_TEST(trials_of_the_dead_wait_again)
{
    mopt_study *study;
    mopt_trial *trial = NULL;
    double before, after;
    int64_t n;
    int fd, status;
    pid_t child = ask_in_child(&fd, 1);

    /* It lives: its trial is left alone. */
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_RUNNING, &n));
    ck_assert_int_eq(n, 1);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 1);
    mopt_trial_free(trial);
    kit_ok(mopt_study_trial(study, 0, &trial));
    kit_ok(mopt_trial_get_float(trial, "lr", &before));
    mopt_trial_free(trial);
    mopt_study_free(study);
    /* Dead, but not yet asked for: that is dead, too. */
    kill(child, SIGKILL);
    nap(100000);
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_RUNNING, &n));
    ck_assert_int_eq(n, 0);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    kit_ok(mopt_trial_get_float(trial, "lr", &after));
    ck_assert(before == after);
    kit_ok(mopt_trial_report(trial, 0, 2)); /* its reports are forgotten */
    mopt_trial_free(trial);
    mopt_study_free(study);
    waitpid(child, &status, 0);
    close(fd);
}
END_TEST

/* Its checkpoint waits for the next worker, until there is none. */
START_TEST(a_trial_that_kills_is_given_up)
{
    mopt_study *study;
    mopt_trial *trial = NULL;
    char path[500], json[4000];
    int i, fd, status;

    memcpy(strstr(config, "1000"), "   2", 4); /* retries */
    for (i = 0; i < 3; i++) {
        pid_t child = ask_in_child(&fd, 0);

        waitpid(child, &status, 0);
        close(fd);
        study = study_open(ctx, space, config);
        kit_ok(mopt_study_trial(study, 0, &trial));
        ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_WAITING);
        kit_ok(mopt_trial_checkpoint(trial, path, sizeof(path), NULL));
        kit_write(path, "x", 1);
        mopt_trial_free(trial);
        mopt_study_free(study);
    }
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 1);
    mopt_trial_free(trial);
    kit_ok(mopt_study_trial(study, 0, &trial));
    ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_FAILED);
    kit_ok(mopt_trial_to_json(trial, json, sizeof(json), NULL));
    ck_assert_ptr_nonnull(strstr(json, "3 workers have died"));
    ck_assert_int_ne(access(path, F_OK), 0);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(two_processes_share_a_file)
{
    mopt_study *study;
    char *want, *got;
    int ends[2], status, i;
    int64_t number, count = 0, seen[60] = {0};
    pid_t children[2];

    study = study_open(ctx, space, "{\"seed\": 9, \"trials\": 60}");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    want = study_text(study);
    mopt_study_free(study);
    ck_assert_int_eq(pipe(ends), 0);
    for (i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0)
            search(ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number)) {
        seen[number]++;
        count++;
    }
    for (i = 0; i < 2; i++) {
        waitpid(children[i], &status, 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(count, 60);
    for (i = 0; i < 60; i++)
        ck_assert_int_eq(seen[i], 1);
    study = study_open(ctx, space, config);
    got = study_text(study);
    ck_assert(strcmp(want, got) == 0);
    free(want);
    free(got);
    mopt_study_free(study);
    close(ends[0]);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("crash");
    TCase *tc = tcase_create("crash");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, killed_searches_lose_nothing);
    tcase_add_test(tc, trials_of_the_dead_wait_again);
    tcase_add_test(tc, a_trial_that_kills_is_given_up);
    tcase_add_test(tc, two_processes_share_a_file);
    suite_add_tcase(suite, tc);
    return suite;
}
