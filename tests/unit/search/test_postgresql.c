/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_postgresql.c: studies in PostgreSQL, on a server of
 * the test's own: many processes, leases, a server that breaks down. Skips
 * where the server is not installed. MODELOPT_TEST_KILLS sets how often a
 * worker is killed. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit.h"
#include "pg_kit.h"
#include "search/store/database.h"
#include "search/study/study.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;
static const char *url;
static const char *heartbeat = "0.2";
static int there;

static void setup(void)
{
    ctx = kit_begin();
    kit_ok(mopt_postgresql_register(ctx));
    space = study_space(ctx);
    url = there ? pg_kit_new() : NULL;
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

static void setup_alone(void)
{
    there = 0;
    setup();
}

static void start_server(void)
{
    there = pg_kit_start();
}

/* Open the study with a config's members besides storage. */
static int32_t try_at(const char *place, const mopt_space *s,
                      const char *members, mopt_study **out)
{
    char config[800];

    snprintf(config, sizeof(config), "{\"storage\": \"%s\", \"resume\": true, "
             "\"seed\": 9, \"heartbeat\": %s, \"grace\": 1%s%s}", place,
             heartbeat, members[0] ? ", " : "", members);
    return study_try(ctx, s, config, out);
}

static mopt_study *open_url(const char *members)
{
    mopt_study *study = NULL;

    kit_ok(try_at(url, space, members, &study));
    return study;
}

static int32_t plain(void *user, mopt_trial *trial, double *values)
{
    (void)user;
    if (mopt_trial_get_float(trial, "lr", values) ||
        mopt_trial_report(trial, 1, values[0]) ||
        mopt_trial_report(trial, 2, NAN) ||
        mopt_trial_set_note(trial, "n", "{\"a\": 1.5}"))
        return MOPT_EINTERNAL;
    switch (mopt_trial_number(trial) % 5) {
    case 1: return MOPT_PRUNED;
    case 2: return MOPT_EDIVERGED;
    case 3: values[0] = INFINITY; break;
    default: break;
    }
    return MOPT_OK;
}

static void nap(double seconds)
{
    moi_clock_sleep(seconds);
}

/* The same search in memory. */
static char *expected(int trials)
{
    char config[80], *text;
    mopt_study *study;

    snprintf(config, sizeof(config), "{\"seed\": 9, \"trials\": %d}", trials);
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    text = study_text(study);
    mopt_study_free(study);
    return text;
}

static void check_text(mopt_study *study, const char *want)
{
    char *got = study_text(study);

    ck_assert(strcmp(want, got) == 0);
    free(got);
}

START_TEST(as_in_memory)
{
    char *want = expected(12), *before;
    const double constraints[2] = {-1, 2};
    mopt_trial *trial = NULL;
    double value = 3;
    mopt_study *study, *other;

    if (!there)
        return;
    study = open_url("\"trials\": 12");
    other = open_url("");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    check_text(study, want);
    check_text(other, want);
    free(want);
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.01}"));
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_set_constraints(trial, constraints, 2));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.02}"));
    kit_ok(mopt_study_set_note(study, "data", "\"\\u00e4\""));
    before = study_text(study);
    check_text(other, before);
    mopt_study_free(other);
    mopt_study_free(study);
    /* Without a space the study's own is taken. */
    study = NULL;
    kit_ok(try_at(url, NULL, "", &study));
    check_text(study, before);
    free(before);
    mopt_study_free(study);
}
END_TEST

START_TEST(tables_are_optunas)
{
    mopt_study *study;

    if (!there)
        return;
    study = open_url("\"trials\": 4, \"direction\": \"maximize\"");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    mopt_study_free(study);
#define look(sql) pg_kit_look(url, sql)
    ck_assert_str_eq(look("SELECT count(*) FROM pg_tables "
                          "WHERE schemaname = 'public'"), "14");
    ck_assert_str_eq(look("SELECT version_num FROM alembic_version"),
                     "v3.2.0.a");
    ck_assert_str_eq(look("SELECT direction FROM study_directions"),
                     "MAXIMIZE");
    ck_assert_str_eq(look("SELECT string_agg(state::text || number, ',' "
                          "ORDER BY number) FROM trials"),
                     "COMPLETE0,PRUNED1,FAIL2,COMPLETE3");
    ck_assert_str_eq(look("SELECT string_agg(intermediate_value_type::text, "
                          "',' ORDER BY step) FROM trial_intermediate_values "
                          "WHERE trial_id = (SELECT min(trial_id) "
                          "FROM trials)"), "FINITE,NAN");
    ck_assert_str_eq(look("SELECT count(*) FROM modelopt_workers"), "0");
    ck_assert_str_eq(look("SELECT bool_and(abs(extract(epoch FROM now() AT "
                          "TIME ZONE 'UTC' - datetime_start)) < 600) "
                          "FROM trials"), "t");
}
END_TEST

START_TEST(places)
{
    mopt_study *study = NULL;
    char place[300], buf[300];
    const char *port;

    kit_fails(try_at("postgresql://tester:geheim@127.0.0.1:1/x?"
                     "connect_timeout=1", space, "\"patience\": 0.2", &study),
              MOPT_ESTORE);
    mopt_last_error(buf, sizeof(buf), NULL);
    ck_assert_ptr_null(strstr(buf, "geheim"));
    ck_assert_ptr_nonnull(strstr(buf, "tester:***@127.0.0.1"));
    kit_fails(try_at("postgresql://a:ge@heim@[x/y", space, "", &study),
              MOPT_ESTORE);
    mopt_last_error(buf, sizeof(buf), NULL);
    ck_assert_msg(!strstr(buf, "heim@"), "%s", buf);
    kit_fails(try_at("mysql://a:geheim@b/c", space, "", &study),
              MOPT_EUNSUPPORTED);
    mopt_last_error(buf, sizeof(buf), NULL);
    ck_assert_ptr_null(strstr(buf, "geheim"));
    if (!there)
        return;
    kit_fails(try_at(url, NULL, "", &study), MOPT_ENOENT);
    port = strstr(url, "://");
    snprintf(place, sizeof(place), "postgresql+psycopg2%s", port);
    kit_ok(try_at(place, space, "\"name\": \"a\"", &study));
    mopt_study_free(study);
    study = NULL;
    kit_fails(try_at(place, NULL, "\"name\": \"b\"", &study), MOPT_ENOENT);
    kit_says("[\"a\"]");
    kit_ok(mopt_study_list(ctx, url, buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "[\"a\"]");
    snprintf(place, sizeof(place), "%s_missing", url);
    kit_fails(try_at(place, space, "", &study), MOPT_ENOENT);
    pg_kit_change(url, "UPDATE alembic_version SET version_num = 'v2.6.0.a'");
    kit_fails(try_at(url, space, "", &study), MOPT_EFORMAT);
    kit_says("optuna storage upgrade");
    mopt_last_error(buf, sizeof(buf), NULL);
    ck_assert_ptr_null(strstr(buf, "geheim"));
}
END_TEST

START_TEST(content_that_makes_no_sense)
{
    static const char *const changes[] = {
        "UPDATE trials SET number = 5",
        "UPDATE trials SET number = NULL",
        "DELETE FROM study_directions",
        "UPDATE study_directions SET objective = 3",
        "UPDATE trial_values SET objective = -1",
        "UPDATE trial_params SET distribution_json = NULL",
        "UPDATE trial_params SET distribution_json = '{'",
        "DROP TABLE trial_values",
        "DROP TABLE trials CASCADE",
        "ALTER TABLE trials ALTER COLUMN number TYPE TEXT",
    };
    mopt_study *study = NULL;

    if (!there)
        return;
    study = open_url("\"trials\": 1");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    mopt_study_free(study);
    study = NULL;
    pg_kit_change(url, changes[_i]);
    kit_fails(try_at(url, space, "", &study), MOPT_EFORMAT);
    ck_assert_ptr_null(study);
}
END_TEST

START_TEST(odd_numbers_are_borne)
{
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;

    if (!there)
        return;
    study = open_url("\"trials\": 3");
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    mopt_study_free(study);
    pg_kit_change(url, "UPDATE trial_params SET param_value = 'NaN' "
                       "WHERE param_name = 'lr';"
                       "UPDATE trial_params SET param_value = 'Infinity' "
                       "WHERE param_name = 'layers';"
                       "UPDATE trials SET datetime_start = '-infinity';"
                       "UPDATE trial_values SET value = 'NaN';"
                       "UPDATE trial_user_attributes SET value_json = 'x'");
    study = open_url("");
    free(study_text(study));
    kit_fails(mopt_study_best(study, &trial), MOPT_ENOENT);
    mopt_study_free(study);
}
END_TEST

/* ---- Optuna ----------------------------------------------------------- */

/* Run interop.py on a database; 0 where Optuna, or its driver, is not. */
static int optuna(const char *verb, const char *place)
{
    const char *python = getenv("MODELOPT_ORACLE_PYTHON");
    char command[1200];
    int status;

    if (!python || !python[0])
        return 0;
    snprintf(command, sizeof(command), "'%s' '%s' %s '%s' >/dev/null", python,
             INTEROP_SCRIPT, verb, place);
    status = system(command);
    ck_assert_msg(status == 0 || status == 77 << 8, "%s: status %d", command,
                  status);
    return status == 0;
}

START_TEST(optuna_works_along)
{
    const char *theirs = NULL;
    char *ours_text, *theirs_text;
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    int64_t count;
    double value;

    if (!there)
        return;
    theirs = pg_kit_new();
    if (!optuna("write", theirs))
        return;
    /* Tables made by us are what Optuna makes. */
    study = open_url("\"trials\": 12");
    ours_text = pg_kit_dump(url);
    theirs_text = pg_kit_dump(theirs);
    ck_assert(strcmp(ours_text, theirs_text) == 0);
    free(ours_text);
    free(theirs_text);
    /* Optuna goes on while we have the study open, and we see it. */
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.03}"));
    ck_assert(optuna("go-on", url));
    kit_ok(mopt_study_count(study, -1, &count));
    ck_assert_int_eq(count, 12 + 1 + 14 + 1);
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "units.3", &value));
    ck_assert(value == 40);
    mopt_trial_free(trial);
    mopt_study_free(study);
    /* And we go on with one of its own. */
    study = NULL;
    kit_ok(try_at(theirs, space, "", &study));
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_get_float(trial, "lr", &value));
    ck_assert(value == 0.05);
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    mopt_study_free(study);
    ck_assert(optuna("read", theirs));
}
END_TEST

/* ---- many processes --------------------------------------------------- */

/* Writes the numbers of trials that were told to a pipe. */
static int32_t acknowledge(void *user, mopt_trial *trial)
{
    int64_t number = mopt_trial_number(trial);

    return write(*(int *)user, &number, sizeof(number)) == sizeof(number)
               ? MOPT_OK
               : MOPT_EINTERNAL;
}

/* A child that searches to the end, telling what was acknowledged. */
static pid_t search(int pipe, const char *members)
{
    const pid_t child = fork();
    mopt_study *study = NULL;

    if (child != 0)
        return child;
    if (try_at(url, space, members, &study) ||
        mopt_study_on_trial(study, acknowledge, &pipe, NULL) ||
        mopt_study_optimize(study, plain, NULL, NULL)) {
        char buf[300];

        mopt_last_error(buf, sizeof(buf), NULL);
        fprintf(stderr, "worker: %s\n", buf);
        _exit(1);
    }
    mopt_study_free(study);
    _exit(0);
}

#define SHARED 80

START_TEST(processes_share_a_study)
{
    char *want;
    int ends[2], status, i;
    int64_t number, count = 0, seen[SHARED] = {0};
    mopt_study *study;

    if (!there)
        return;
    want = expected(SHARED);
    ck_assert_int_eq(pipe(ends), 0);
    for (i = 0; i < 4; i++)
        search(ends[1], "\"trials\": 80, \"workers\": 2");
    close(ends[1]);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number)) {
        seen[number]++;
        count++;
    }
    for (i = 0; i < 4; i++) {
        wait(&status);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(count, SHARED);
    for (i = 0; i < SHARED; i++)
        ck_assert_int_eq(seen[i], 1);
    study = open_url("");
    check_text(study, want);
    mopt_study_free(study);
    free(want);
    close(ends[0]);
}
END_TEST

START_TEST(killed_workers_lose_nothing)
{
    const char *kills = getenv("MODELOPT_TEST_KILLS");
    const int rounds = kills ? atoi(kills) : 10;
    char told[SHARED];
    int round, i;

    if (!there)
        return;
    srand(3);
    memset(told, 0, sizeof(told));
    for (round = 0; round < rounds; round++) {
        mopt_study *study = NULL;
        mopt_trial *trial = NULL;
        int64_t number, n;
        int ends[2], status;
        pid_t child;

        ck_assert_int_eq(pipe(ends), 0);
        child = search(ends[1], "\"trials\": 80, \"workers\": 2, "
                                "\"retries\": 1000");
        close(ends[1]);
        nap(1e-6 * (20000 + rand() % 150000));
        kill(child, SIGKILL);
        while (read(ends[0], &number, sizeof(number)) == sizeof(number))
            told[number] = 1;
        close(ends[0]);
        waitpid(child, &status, 0);
        study = open_url("\"retries\": 1000");
        kit_ok(mopt_study_count(study, MOPT_TRIAL_RUNNING, &n));
        ck_assert_int_eq(n, 0);
        for (i = 0; i < SHARED; i++) {
            if (!told[i])
                continue;
            kit_ok(mopt_study_trial(study, i, &trial));
            ck_assert_int_ne(mopt_trial_state(trial), MOPT_TRIAL_WAITING);
            mopt_trial_free(trial);
        }
        if (WIFEXITED(status) && round + 1 < rounds) {
            memset(told, 0, sizeof(told));
            url = pg_kit_new();
        }
        mopt_study_free(study);
    }
}
END_TEST

/* ---- leases ----------------------------------------------------------- */

/* A child that asks, says so, and tells when it is told to go on: its exit
 * status is whether it was refused. */
static pid_t ask_in_child(int *from, int *to)
{
    int out[2], in[2];
    char byte;
    pid_t child;

    ck_assert_int_eq(pipe(out), 0);
    ck_assert_int_eq(pipe(in), 0);
    child = fork();
    if (child == 0) {
        mopt_study *study = NULL;
        mopt_trial *trial = NULL;
        double value = 1;

        if (try_at(url, space, "", &study) || mopt_study_ask(study, &trial) ||
            write(out[1], "a", 1) != 1 || read(in[0], &byte, 1) != 1)
            _exit(1);
        _exit(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                              NULL) == MOPT_ESTATE
                  ? 42
                  : 2);
    }
    ck_assert_int_eq(read(out[0], &byte, 1), 1);
    *from = out[0];
    *to = in[1];
    return child;
}

START_TEST(the_stopped_lose_their_trials)
{
    mopt_study *study;
    mopt_trial *trial = NULL, *other = NULL;
    int from, to, status;
    double value = 2;
    pid_t child;

    if (!there)
        return;
    child = ask_in_child(&from, &to);
    study = open_url("");
    /* It lives, for longer than the grace: its trial is left alone. */
    nap(1.5);
    kit_ok(mopt_study_ask(study, &other));
    ck_assert_int_eq(mopt_trial_number(other), 1);
    kill(child, SIGSTOP);
    nap(1.5);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    ck_assert_str_eq(look("SELECT value_json FROM trial_system_attributes "
                          "WHERE key = 'retry_history'"), "[0]");
    ck_assert_str_eq(look("SELECT value_json FROM trial_system_attributes "
                          "WHERE key = 'failed_trial'"), "0");
    kill(child, SIGCONT);
    ck_assert_int_eq(write(to, "b", 1), 1);
    waitpid(child, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), 42);
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    mopt_trial_free(other);
    mopt_study_free(study);
    close(from);
    close(to);
}
END_TEST

START_TEST(another_host_is_dead_when_silent)
{
    mopt_study *study;
    mopt_trial *trial = NULL;

    if (!there)
        return;
    heartbeat = "30";
    study = open_url("");
    heartbeat = "0.2";
    kit_ok(mopt_study_ask(study, &trial));
    mopt_study_free(study);
    pg_kit_change(url, "UPDATE modelopt_workers SET host = 'elsewhere'");
    study = open_url("");
    nap(1.2);
    mopt_trial_free(trial); /* cannot be given back: it is lost */
    trial = NULL;
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

/* ---- hosts that fall silent in a transaction -------------------------- */

static const mopt_database *real;
static int left; /* commits until it halts; none: it does not */

static int32_t open_behind(void *user, const char *where, int32_t create,
                           const mopt_database_host *host,
                           mopt_connection **db)
{
    return real->open(user, where + strlen("halting://"), create, host, db);
}

/* As a host that loses its power, but that it comes back. */
static int32_t halt_and_commit(mopt_connection *db)
{
    if (--left == 0)
        raise(SIGSTOP);
    return real->commit(db);
}

/* A child that stops in the midst of an ask; 42: it went on, to trial 1. */
static pid_t halt_in_child(void)
{
    pid_t child = fork();

    if (child == 0) {
        char place[400];
        mopt_study *study = NULL;
        mopt_trial *trial = NULL;
        mopt_database halting =
            moi_database_find(ctx, url, &real) ? (mopt_database){0} : *real;

        halting.name = "halting";
        halting.open = open_behind;
        halting.commit = halt_and_commit;
        snprintf(place, sizeof(place), "halting://%s", url);
        if (mopt_database_register(ctx, &halting, NULL) ||
            try_at(place, space, "", &study))
            _exit(2);
        left = 1;
        if (mopt_study_ask(study, &trial) || mopt_trial_number(trial) != 1)
            _exit(3);
        _exit(42);
    }
    return child;
}

START_TEST(locks_of_the_silent_are_given_up)
{
    mopt_study *study;
    mopt_trial *trial = NULL;
    int status;
    pid_t child;

    if (!there)
        return;
    study = open_url("");
    child = halt_in_child();
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
    /* It holds the study's lock. Who waited for that for longer than the grace
     * has been silent for no time with the trial that it gets then. */
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 0);
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

/* ---- a server that breaks down ---------------------------------------- */

static atomic_int down;

/* After some trials the server is ended. */
static int32_t break_down(void *user, mopt_trial *trial)
{
    int *told = user;

    if (++*told == 5) {
        pg_kit_crash();
        atomic_store(&down, 1);
    }
    (void)trial;
    return MOPT_OK;
}

static void *start_later(void *argument)
{
    (void)argument;
    while (!atomic_load(&down))
        nap(0.02);
    nap(0.5);
    pg_kit_restart();
    /* The server ends with the thread that started it. */
    while (atomic_load(&down))
        nap(0.02);
    return NULL;
}

static int32_t slowly(void *user, mopt_trial *trial, double *values)
{
    nap(0.01);
    return plain(user, trial, values);
}

START_TEST(a_breakdown_is_outlived)
{
    char *want = expected(12);
    mopt_study *study;
    pthread_t starter;
    int told = 0;

    there = pg_kit_start();
    if (there) {
        url = pg_kit_new();
        study = open_url("\"trials\": 12, \"patience\": 30");
        kit_ok(mopt_study_on_trial(study, break_down, &told, NULL));
        ck_assert_int_eq(pthread_create(&starter, NULL, start_later, NULL),
                         0);
        kit_ok(mopt_study_optimize(study, slowly, NULL, NULL));
        ck_assert_int_eq(told, 12);
        check_text(study, want);
        mopt_study_free(study);
        atomic_store(&down, 0);
        pthread_join(starter, NULL);
        pg_kit_stop();
    }
    free(want);
}
END_TEST

/* Asks for the end of the search. */
static void *cancel_later(void *argument)
{
    while (!atomic_load(&down))
        nap(0.02);
    nap(0.3);
    mopt_cancel_request(argument);
    return NULL;
}

START_TEST(waiting_can_be_canceled)
{
    mopt_cancel *cancel = NULL;
    mopt_study *study;
    pthread_t canceler;
    int told = 4;
    double start;

    there = pg_kit_start();
    if (!there)
        return;
    url = pg_kit_new();
    kit_ok(mopt_cancel_create(ctx, &cancel));
    study = open_url("\"trials\": 12, \"patience\": 50");
    kit_ok(mopt_study_on_trial(study, break_down, &told, NULL));
    start = moi_clock_seconds();
    ck_assert_int_eq(pthread_create(&canceler, NULL, cancel_later, cancel),
                     0);
    ck_assert_int_lt(mopt_study_optimize(study, plain, NULL, cancel), 0);
    ck_assert(moi_clock_seconds() - start < 10);
    pthread_join(canceler, NULL);
    mopt_study_free(study);
    mopt_cancel_free(cancel);
    pg_kit_stop();
}
END_TEST

/* A worker may be started before its server. */
START_TEST(a_server_may_come_later)
{
    mopt_study *study;
    pthread_t starter;

    there = pg_kit_start();
    if (!there)
        return;
    url = pg_kit_new();
    pg_kit_crash();
    atomic_store(&down, 1);
    ck_assert_int_eq(pthread_create(&starter, NULL, start_later, NULL), 0);
    study = open_url("\"patience\": 30");
    mopt_study_free(study);
    atomic_store(&down, 0);
    pthread_join(starter, NULL);
    pg_kit_stop();
}
END_TEST

START_TEST(waiting_for_a_server_can_be_canceled)
{
    mopt_cancel *cancel = NULL;
    mopt_study *study = NULL;
    mopt_config *config = NULL;
    pthread_t canceler;
    double start = moi_clock_seconds();

    kit_ok(mopt_cancel_create(ctx, &cancel));
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_ok(mopt_config_set_text(config, "storage",
                                "postgresql://tester@127.0.0.1:1/x"));
    atomic_store(&down, 1);
    ck_assert_int_eq(pthread_create(&canceler, NULL, cancel_later, cancel),
                     0);
    kit_fails(moi_study_create(ctx, space, config, cancel, &study),
              MOPT_ECANCELED);
    ck_assert(moi_clock_seconds() - start < 10);
    /* Who only looks does not wait. */
    start = moi_clock_seconds();
    kit_fails(mopt_study_create(ctx, NULL, config, &study), MOPT_ESTORE);
    ck_assert(moi_clock_seconds() - start < 10);
    pthread_join(canceler, NULL);
    mopt_config_free(config);
    mopt_cancel_free(cancel);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("postgresql");
    TCase *tc = tcase_create("postgresql");

    tcase_add_unchecked_fixture(tc, start_server, pg_kit_stop);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, as_in_memory);
    tcase_add_test(tc, tables_are_optunas);
    tcase_add_test(tc, places);
    tcase_add_loop_test(tc, content_that_makes_no_sense, 0, 10);
    tcase_add_test(tc, odd_numbers_are_borne);
    tcase_add_test(tc, optuna_works_along);
    tcase_add_test(tc, processes_share_a_study);
    tcase_add_test(tc, killed_workers_lose_nothing);
    tcase_add_test(tc, the_stopped_lose_their_trials);
    tcase_add_test(tc, another_host_is_dead_when_silent);
    tcase_add_test(tc, locks_of_the_silent_are_given_up);
    suite_add_tcase(suite, tc);
    tc = tcase_create("breakdowns");
    tcase_add_checked_fixture(tc, setup_alone, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, a_breakdown_is_outlived);
    tcase_add_test(tc, waiting_can_be_canceled);
    tcase_add_test(tc, a_server_may_come_later);
    tcase_add_test(tc, waiting_for_a_server_can_be_canceled);
    suite_add_tcase(suite, tc);
    return suite;
}
