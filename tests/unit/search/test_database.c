/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_database.c: databases that fail. A layer over SQLite,
 * and over PostgreSQL where it is installed, lets every call fail once, or from
 * then on; connections get lost, commits are in doubt. No trial that was
 * acknowledged may be lost, and none be there twice. */
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "kit.h"
#include "search/store/database.h"
#include "study_kit.h"
#ifdef HAVE_POSTGRESQL
#include "pg_kit.h"
#endif

static mopt_context *ctx;
static mopt_space *space;
static char place[300], called[32] = "study";
static int there = 1;

/* ---- the layer -------------------------------------------------------- */

/* What a failure is. */
enum {
    BROKEN,      /* the call fails, and can be told again by the user */
    LOST,        /* the connection goes */
    DOUBT_DONE,  /* it goes during a commit, which has happened */
    DOUBT_UNDONE /* or which has not */
};

static struct {
    mopt_database real;
    int64_t calls, at; /* at < 0: none fails */
    int forever, what;
    int32_t committed;
    mopt_database_host host;
} fault = {.at = -1};

static int fails(void)
{
    const int64_t call = fault.calls++;

    if (fault.at < 0 ||
        !(fault.forever ? call >= fault.at : call == fault.at))
        return 0;
    snprintf(fault.host.message, fault.host.message_size, "injected");
    return 1;
}

/* Call it, or let it fail; what is lost is rolled back. */
static int32_t answer(mopt_connection *db)
{
    if (fault.what == BROKEN)
        return MOPT_DATABASE_FAILED;
    fault.real.rollback(db);
    return MOPT_DATABASE_LOST;
}

static int32_t open_it(void *user, const char *where, int32_t create,
                       const mopt_database_host *host, mopt_connection **db)
{
    fault.host = *host;
    if (fails())
        return fault.what == BROKEN ? MOPT_DATABASE_FAILED
                                    : MOPT_DATABASE_LOST;
    return fault.real.open(user, where + strlen("faulty://"), create, host,
                           db);
}

static int32_t reopen_it(mopt_connection *db)
{
    (void)db;
    return MOPT_OK;
}

static int32_t settle_it(mopt_connection *db, int32_t *committed)
{
    (void)db;
    *committed = fault.committed;
    return MOPT_OK;
}

static int32_t begin_it(mopt_connection *db, int32_t kind, int32_t lasting)
{
    return fails() ? answer(db) : fault.real.begin(db, kind, lasting);
}

static int32_t commit_it(mopt_connection *db)
{
    if (!fails())
        return fault.real.commit(db);
    if (fault.what == BROKEN || fault.what == LOST) {
        fault.real.rollback(db);
        return answer(db);
    }
    fault.committed = fault.what == DOUBT_DONE;
    if (fault.committed)
        ck_assert_int_eq(fault.real.commit(db), MOPT_OK);
    else
        fault.real.rollback(db);
    return MOPT_DATABASE_DOUBT;
}

static int32_t run_it(mopt_connection *db, int32_t key, const char *sql,
                      const mopt_value *params, int32_t count, int32_t quiet)
{
    return fails() ? answer(db)
                   : fault.real.run(db, key, sql, params, count, quiet);
}

static int32_t step_it(mopt_connection *db, const mopt_value **row)
{
    if (!fails())
        return fault.real.step(db, row);
    fault.real.drop(db);
    return answer(db);
}

/* A context whose database "faulty" is the layer over another one. */
static void lay_over(const mopt_database *real)
{
    mopt_database layer = *real;

    fault.real = *real;
    fault.at = -1;
    layer.name = "faulty";
    layer.flags = 0;
    layer.open = open_it;
    layer.reopen = reopen_it;
    layer.settle = settle_it;
    layer.begin = begin_it;
    layer.commit = commit_it;
    layer.run = run_it;
    layer.step = step_it;
    kit_ok(mopt_database_register(ctx, &layer, NULL));
}

/* ---- a study on it ---------------------------------------------------- */

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
}

static void teardown(void)
{
    fault.at = -1;
    mopt_space_free(space);
    kit_end(ctx);
}

static int32_t try_open(mopt_study **study)
{
    char config[500];

    snprintf(config, sizeof(config), "{\"storage\": \"%s\", \"name\": "
             "\"%s\", \"seed\": 2, \"resume\": true, \"patience\": 20}",
             place, called);
    return study_try(ctx, space, config, study);
}

#define TRIALS 3

/* Everything that writes, as far as it goes; told[] are acknowledged. 1 if
 * nothing failed. */
static int32_t use_study(int32_t *told)
{
    mopt_study *study = NULL;
    int32_t fine, i;

    if (try_open(&study) != MOPT_OK)
        return 0;
    fine = mopt_study_enqueue(study, "{\"lr\": 0.01}") == MOPT_OK;
    fine &= mopt_study_set_note(study, "n", "1") == MOPT_OK;
    for (i = 0; i < TRIALS; i++) {
        mopt_trial *trial = NULL;
        double value = i;
        const double constraint = -1;

        if (mopt_study_ask(study, &trial) != MOPT_OK) {
            fine = 0;
            continue;
        }
        fine &= mopt_trial_report(trial, 0, 1) == MOPT_OK;
        fine &= mopt_trial_set_note(trial, "n", "1") == MOPT_OK;
        fine &= mopt_trial_set_constraints(trial, &constraint, 1) == MOPT_OK;
        if (mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                            NULL) == MOPT_OK)
            told[mopt_trial_number(trial)] = 1;
        else
            fine = 0;
        mopt_trial_free(trial);
    }
    mopt_study_free(study);
    return fine;
}

/* What was acknowledged is there, and nothing twice. */
static void check_study(const int32_t *told, int32_t fine)
{
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    int64_t count;
    int32_t i;

    kit_ok(try_open(&study));
    for (i = 0; i < TRIALS + 2; i++) {
        if (!told[i])
            continue;
        kit_ok(mopt_study_trial(study, i, &trial));
        ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_COMPLETE);
        mopt_trial_free(trial);
    }
    kit_ok(mopt_study_count(study, -1, &count));
    if (fine)
        ck_assert_int_eq(count, TRIALS);
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    mopt_study_free(study);
}

/* Let call after call fail; lost connections must not be noticed but while
 * the study is being opened. */
static void sweep(int what, int forever, int64_t stride,
                  void (*make_place)(void))
{
    int32_t told[TRIALS + 2], fine = 0, failed = 0, borne = 0;
    int64_t at;

    fault.what = what;
    fault.forever = forever;
    for (at = 0;; at += stride) {
        make_place();
        memset(told, 0, sizeof(told));
        fault.calls = 0;
        fault.at = at;
        fine = use_study(told);
        fault.at = -1;
        failed += !fine;
        check_study(told, fine);
        if (fault.calls <= at)
            break;
        borne += fine;
        ck_assert_int_lt(at, 5000);
    }
    if (what == BROKEN)
        ck_assert_int_gt(failed, 5);
    else
        ck_assert_int_gt(borne, 2 * failed);
}

static void new_file(void)
{
    static int files;
    char name[32];

    snprintf(name, sizeof(name), "faulty%d.db", files++);
    snprintf(place, sizeof(place), "faulty://%s", kit_path(name));
}

/* Kinds of failures, by the number of a test. */
static const struct {
    int what, forever;
} kinds[] = {{BROKEN, 0}, {BROKEN, 1}, {LOST, 0}, {DOUBT_DONE, 0},
             {DOUBT_UNDONE, 0}};

START_TEST(sqlite_fails)
{
    lay_over(&moi_database_sqlite);
    sweep(kinds[_i].what, kinds[_i].forever, 5, new_file);
}
END_TEST

#ifdef HAVE_POSTGRESQL
static void start_server(void)
{
    there = pg_kit_start();
}

static void new_database(void)
{
    snprintf(place, sizeof(place), "faulty://%s", pg_kit_new());
}

START_TEST(postgresql_fails)
{
    const mopt_database *real = NULL;

    if (!there)
        return;
    kit_ok(mopt_postgresql_register(ctx));
    kit_ok(moi_database_find(ctx, "postgresql://", &real));
    lay_over(real);
    sweep(kinds[_i].what, kinds[_i].forever, 41, new_database);
}
END_TEST
#endif

#ifdef HAVE_POSTGRESQL
/* Allocations of ours that fail, once and from then on; libpq's are its own. */
START_TEST(allocations_fail_on_postgresql)
{
    int32_t told[TRIALS + 2], fine, failed = 0, through = !there;
    int64_t at, before;

    if (there)
        snprintf(place, sizeof(place), "%s", pg_kit_new());
    kit_ok(mopt_postgresql_register(ctx));
    for (at = 0; !through; at += at < 40 ? 1 : 31) {
        snprintf(called, sizeof(called), "a%d", (int)at);
        memset(told, 0, sizeof(told));
        before = kit_allocations();
        kit_fail_allocation(at, _i);
        fine = use_study(told);
        through = kit_allocations() - before <= at;
        kit_fail_allocation(-1, 0);
        failed += !fine;
        check_study(told, fine);
        ck_assert_int_lt(at, 10000);
    }
    ck_assert(!there || failed > 30);
}
END_TEST
#endif

START_TEST(tables_that_are_refused)
{
    mopt_database table = moi_database_sqlite;

    kit_fails(mopt_database_register(ctx, &table, NULL), MOPT_EEXIST);
    table.name = "mine";
    table.abi_version = 99;
    kit_fails(mopt_database_register(ctx, &table, NULL), MOPT_EINVAL);
    kit_says("abi_version is 99");
    table.abi_version = MOPT_DATABASE_ABI;
    table.step = NULL;
    kit_fails(mopt_database_register(ctx, &table, NULL), MOPT_EINVAL);
    kit_says("step is missing");
    table.step = moi_database_sqlite.step;
    table.struct_size = 16;
    kit_fails(mopt_database_register(ctx, &table, NULL), MOPT_EINVAL);
    table.struct_size = sizeof(table);
    kit_ok(mopt_database_register(ctx, &table, NULL));
    kit_fails(mopt_database_register(ctx, &table, NULL), MOPT_EEXIST);
}
END_TEST

START_TEST(passwords_are_not_shown)
{
    static const char *const cases[][2] = {
        {"study.db", "study.db"},
        {"postgresql://h/d", "postgresql://h/d"},
        {"postgresql://u@h/d", "postgresql://u@h/d"},
        {"postgresql://u:p@h:1/d", "postgresql://u:***@h:1/d"},
        {"postgresql+x://u:p/q@h/d", "postgresql+x://u:***@h/d"},
        {"postgresql://u:p@q@h/d", "postgresql://u:***@h/d"},
        {"postgresql://h/d?password=p", "postgresql://h/d?password=***"},
    };
    char buf[100];
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(moi_database_show(cases[i][0], buf, sizeof(buf)),
                         cases[i][1]);
}
END_TEST

START_TEST(memory_is_no_file)
{
    static const struct {
        const char *place, *file;
        int32_t shared;
    } cases[] = {
        {"", NULL, 0},
        {":memory:", NULL, 0},
        {"sqlite:///:memory:", NULL, 0},
        {"sqlite:///", NULL, 0},
        {"study.db", "study.db", 1},
        {"sqlite:///study.db", "study.db", 1},
        {"sqlite:////srv/study.db", "/srv/study.db", 1},
        {"/srv/:memory:/study.db", "/srv/:memory:/study.db", 1},
        {"postgresql://h/d", NULL, 1},
    };
    const char *file;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        file = moi_database_file(cases[i].place);
        ck_assert_msg(file == cases[i].file ||
                          (file && cases[i].file &&
                           strcmp(file, cases[i].file) == 0),
                      "%s: %s", cases[i].place, file ? file : "none");
        ck_assert_int_eq(moi_database_is_shared(cases[i].place),
                         cases[i].shared);
    }
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("database");
    TCase *tc = tcase_create("database");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, tables_that_are_refused);
    tcase_add_test(tc, passwords_are_not_shown);
    tcase_add_test(tc, memory_is_no_file);
    tcase_add_loop_test(tc, sqlite_fails, 0, 5);
    suite_add_tcase(suite, tc);
#ifdef HAVE_POSTGRESQL
    tc = tcase_create("postgresql");
    tcase_add_unchecked_fixture(tc, start_server, pg_kit_stop);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, postgresql_fails, 0, 5);
    tcase_add_loop_test(tc, allocations_fail_on_postgresql, 0, 2);
    suite_add_tcase(suite, tc);
#endif
    return suite;
}
