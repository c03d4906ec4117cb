/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_sqlite.c: studies in files: resuming, several at
 * once, what others have written, and files that are no studies. */
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "kit.h"
#include "study_kit.h"

/* Check's messages are short. */
#define same_text(a, b) ck_assert(strcmp((a), (b)) == 0)

static mopt_context *ctx;
static mopt_space *space;
static const char *path;

static void setup(void)
{
    static int files; /* tests may share a process */
    char name[32];

    ctx = kit_begin();
    space = study_space(ctx);
    snprintf(name, sizeof(name), "sqlite%d.db", files++);
    path = kit_path(name);
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

/* Open the study with a config's members besides storage. */
static int32_t try_file(const mopt_space *s, const char *members,
                        mopt_study **out)
{
    char config[600];

    snprintf(config, sizeof(config), "{\"storage\": \"%s\"%s%s}", path,
             members[0] ? ", " : "", members);
    return study_try(ctx, s, config, out);
}

static mopt_study *open_file(const mopt_space *s, const char *members)
{
    mopt_study *study = NULL;

    kit_ok(try_file(s, members, &study));
    return study;
}

/* Run SQL on the file, as somebody else would. */
static void change(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK,
                  "%s: %s", sql, message);
    sqlite3_close(db);
}

/* The first column of the first row. */
static char *look(const char *sql)
{
    static char text[4][300];
    static int next;
    char *out = text[next++ % 4];
    sqlite3 *db;
    sqlite3_stmt *statement;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) ==
                      SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    out[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_type(statement, 0) != SQLITE_NULL)
        snprintf(out, 300, "%s", sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return out;
}

static int32_t plain(void *user, mopt_trial *trial, double *values)
{
    double lr;

    (void)user;
    if (mopt_trial_get_float(trial, "lr", &lr))
        return MOPT_EINTERNAL;
    values[0] = lr;
    if (mopt_trial_report(trial, 1, lr) || mopt_trial_report(trial, 2, NAN) ||
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

START_TEST(what_is_written_is_read_again)
{
    mopt_study *study = open_file(space, "\"trials\": 10, \"seed\": 4");
    const double constraints[2] = {-1, 2};
    mopt_trial *trial = NULL;
    double value = 3;
    char *before, *after;

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.01}"));
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_set_constraints(trial, constraints, 2));
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value, NULL));
    mopt_trial_free(trial);
    kit_ok(mopt_study_enqueue(study, "{\"lr\": 0.02}"));
    kit_ok(mopt_study_set_note(study, "data", "\"\\u00e4\""));
    before = study_text(study);
    mopt_study_free(study);
    study = open_file(space, "\"resume\": true, \"seed\": 4");
    after = study_text(study);
    same_text(before, after);
    mopt_study_free(study);
    free(after);
    /* Without a space the file's own is taken, and can be asked from. */
    study = open_file(NULL, "\"seed\": 4");
    after = study_text(study);
    same_text(before, after);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 11);
    kit_ok(mopt_trial_get_float(trial, "lr", &value));
    ck_assert(value == 0.02);
    mopt_trial_free(trial);
    mopt_study_free(study);
    free(before);
    free(after);
}
END_TEST

START_TEST(tables_are_optunas)
{
    mopt_study *study =
        open_file(space, "\"trials\": 4, \"seed\": 4, "
                         "\"direction\": \"maximize\"");

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    ck_assert_str_eq(look("SELECT count(*) FROM sqlite_master "
                          "WHERE type = 'table'"), "14");
    ck_assert_str_eq(look("PRAGMA journal_mode"), "wal");
    ck_assert_str_eq(look("SELECT version_num FROM alembic_version"),
                     "v3.2.0.a");
    ck_assert_str_eq(look("SELECT schema_version FROM version_info"), "12");
    ck_assert_str_eq(look("SELECT direction FROM study_directions"),
                     "MAXIMIZE");
    ck_assert_str_eq(look("SELECT group_concat(state || number) FROM trials"),
                     "COMPLETE0,PRUNED1,FAIL2,COMPLETE3");
    ck_assert_str_eq(look("SELECT group_concat(value_type) FROM "
                          "trial_values"), "FINITE,INF_POS");
    ck_assert_str_eq(look("SELECT value FROM trial_values "
                          "WHERE value_type = 'INF_POS'"), "");
    ck_assert_str_eq(look("SELECT group_concat(intermediate_value_type) FROM "
                          "trial_intermediate_values WHERE trial_id = 1"),
                     "FINITE,NAN");
    ck_assert_str_eq(look("SELECT distribution_json FROM trial_params "
                          "WHERE param_name = 'lr'"),
                     "{\"name\": \"FloatDistribution\", \"attributes\": "
                     "{\"step\": null, \"low\": 0.0001, \"high\": 0.1, "
                     "\"log\": true}}");
    ck_assert_str_eq(look("SELECT distribution_json FROM trial_params "
                          "WHERE param_name = 'act'"),
                     "{\"name\": \"CategoricalDistribution\", "
                     "\"attributes\": {\"choices\": [\"relu\", \"tanh\"]}}");
    ck_assert_str_eq(look("SELECT value_json FROM trial_system_attributes "
                          "WHERE key = 'fail_reason'"),
                     "\"MOPT_EDIVERGED: the training diverged\"");
    ck_assert_str_eq(look("SELECT count(*) FROM modelopt_workers"), "0");
    ck_assert_uint_eq(strlen(look("SELECT datetime_complete FROM trials")),
                      26);
    /* UTC, whatever the time zone. */
    ck_assert_str_eq(look("SELECT abs(julianday(datetime_start) - "
                          "julianday('now')) < 0.01 FROM trials"), "1");
    mopt_study_free(study);
}
END_TEST

START_TEST(interrupted_is_uninterrupted)
{
    static const char *const samplers[] = {
        "\"random\"", "{\"type\": \"grid\", \"points\": 3}",
        "{\"type\": \"grid\", \"points\": 3, \"shuffle\": true}"};
    char config[300], *want, *got;
    mopt_study *study;
    int i;

    snprintf(config, sizeof(config), "{\"seed\": 4, \"trials\": 12, "
             "\"sampler\": %s, \"duplicates\": \"avoid\"}", samplers[_i]);
    study = study_open(ctx, space, config);
    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    want = study_text(study);
    mopt_study_free(study);
    for (i = 3; i <= 12; i += 3) {
        snprintf(config, sizeof(config), "\"seed\": 4, \"trials\": %d, "
                 "\"sampler\": %s, \"duplicates\": \"avoid\", "
                 "\"resume\": true, \"workers\": %d", i, samplers[_i],
                 1 + i % 2);
        study = open_file(space, config);
        kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
        if (i == 12) {
            got = study_text(study);
            same_text(want, got);
            free(got);
        }
        mopt_study_free(study);
    }
    free(want);
}
END_TEST

START_TEST(there_and_not_there)
{
    mopt_study *study = NULL;
    char buf[200];

    kit_fails(try_file(NULL, "", &study), MOPT_ENOENT);
    kit_fails(mopt_study_list(ctx, path, buf, sizeof(buf), NULL),
              MOPT_ENOENT);
    ck_assert_int_ne(access(path, F_OK), 0);
    mopt_study_free(open_file(space, "\"name\": \"a\""));
    mopt_study_free(open_file(space, "\"name\": \"b\", "
                                     "\"direction\": \"minimize,maximize\""));
    kit_fails(try_file(space, "\"name\": \"a\"", &study), MOPT_EEXIST);
    kit_says("resume");
    kit_fails(try_file(NULL, "\"name\": \"c\"", &study), MOPT_ENOENT);
    kit_says("[\"a\", \"b\"]");
    kit_fails(try_file(space, "\"name\": \"a\", \"resume\": true, "
                              "\"direction\": \"maximize\"", &study),
              MOPT_EINVAL);
    kit_says("other directions");
    mopt_study_free(open_file(space, "\"name\": \"b\", \"resume\": true"));
    kit_ok(mopt_study_list(ctx, path, buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "[\"a\", \"b\"]");
    snprintf(buf, sizeof(buf), "sqlite:///%s", path);
    kit_ok(mopt_study_list(ctx, buf, buf, sizeof(buf), NULL));
    ck_assert_str_eq(buf, "[\"a\", \"b\"]");
    path = "/nonexistent/folder/x.db";
    kit_fails(try_file(space, "", &study), MOPT_ESTORE);
    ck_assert_ptr_null(study);
}
END_TEST

START_TEST(files_that_are_no_studies)
{
    mopt_study *study = NULL;
    char text[5000];

    memset(text, 'x', sizeof(text));
    kit_write(path, text, sizeof(text));
    kit_fails(try_file(space, "", &study), MOPT_EFORMAT);
    kit_fails(try_file(NULL, "", &study), MOPT_EFORMAT);
    /* An empty file is a new one. */
    kit_write(path, "", 0);
    kit_fails(try_file(NULL, "", &study), MOPT_ENOENT);
    mopt_study_free(open_file(space, ""));
    /* Somebody else's tables are left alone. */
    path = kit_path("other.db");
    change("CREATE TABLE mail (id INTEGER)");
    kit_fails(try_file(space, "", &study), MOPT_EFORMAT);
    kit_says("mail");
    kit_fails(try_file(NULL, "", &study), MOPT_EFORMAT);
    ck_assert_str_eq(look("SELECT count(*) FROM sqlite_master"), "1");
}
END_TEST

START_TEST(revisions)
{
    mopt_study *study = NULL;

    mopt_study_free(open_file(space, ""));
    change("UPDATE alembic_version SET version_num = 'v2.6.0.a'");
    kit_fails(try_file(space, "\"resume\": true", &study), MOPT_EFORMAT);
    kit_says("optuna storage upgrade");
    change("UPDATE alembic_version SET version_num = 'v3.0.0.d'");
    mopt_study_free(open_file(space, "\"resume\": true"));
    change("DELETE FROM alembic_version");
    mopt_study_free(open_file(space, "\"resume\": true"));
    change("DROP TABLE alembic_version");
    mopt_study_free(open_file(space, "\"resume\": true"));
    change("UPDATE version_info SET schema_version = 11");
    kit_fails(try_file(space, "\"resume\": true", &study), MOPT_EFORMAT);
}
END_TEST

/* Trials as others write them, with distributions of every age. */
static const char others[] =
    "INSERT INTO trials VALUES (1, 0, 1, 'COMPLETE', "
    "'2020-01-02 03:04:05.000006', '2020-01-02 03:04:07');"
    "INSERT INTO trial_values VALUES (1, 1, 0, NULL, 'INF_NEG');"
    "INSERT INTO trial_params VALUES (1, 1, 'lr', 0.01, "
    "'{\"name\": \"LogUniformDistribution\", "
    "\"attributes\": {\"low\": 0.001, \"high\": 1}}');"
    "INSERT INTO trial_params VALUES (2, 1, 'layers', 2.0, "
    "'{\"type\": \"int\", \"low\": 1, \"high\": 9}');"
    "INSERT INTO trial_params VALUES (3, 1, 'act', 1.0, "
    "'{\"name\": \"CategoricalDistribution\", "
    "\"attributes\": {\"choices\": [\"relu\", \"tanh\"]}}');"
    "INSERT INTO trial_params VALUES (4, 1, 'units.2', 16.0, "
    "'{\"name\": \"IntUniformDistribution\", "
    "\"attributes\": {\"low\": 8, \"high\": 32, \"step\": 4}}');"
    "INSERT INTO trial_params VALUES (5, 1, 'extra', 0.5, "
    "'{\"name\": \"DiscreteUniformDistribution\", "
    "\"attributes\": {\"low\": 0, \"high\": 1, \"q\": 0.25}}');"
    "INSERT INTO trial_user_attributes VALUES (1, 1, 'u', '{\"a\": NaN}');"
    "INSERT INTO trial_user_attributes VALUES (2, 1, 'v', 'not json');"
    "INSERT INTO trial_system_attributes VALUES (1, 1, 'constraints:q', "
    "'1.5');"
    "INSERT INTO trial_intermediate_values VALUES (1, 1, 7, 2.5, 'FINITE');"
    "INSERT INTO trials VALUES (2, 1, 1, 'WAITING', NULL, NULL);"
    "INSERT INTO trial_system_attributes VALUES (2, 2, 'fixed_params', "
    "'{\"layers\": 1, \"lr\": 0.01, \"nothing\": 3}');"
    "INSERT INTO trials VALUES (3, 2, 1, 'WAITING', NULL, NULL);"
    "INSERT INTO trial_system_attributes VALUES (3, 3, 'fixed_params', "
    "'{\"layers\": \"many\"}');";

START_TEST(what_others_have_written)
{
    mopt_study *study;
    mopt_trial *trial = NULL;
    char buf[2000];
    double x;
    int64_t n;

    mopt_study_free(open_file(space, ""));
    change(others);
    study = open_file(space, "\"resume\": true");
    kit_ok(mopt_study_best(study, &trial));
    kit_ok(mopt_trial_value(trial, 0, &x));
    ck_assert(x == -INFINITY);
    kit_ok(mopt_trial_get_float(trial, "extra", &x));
    ck_assert(x == 0.5);
    kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), NULL));
    ck_assert_str_eq(
        buf, "{\"number\": 0, \"state\": \"complete\", \"values\": [null], "
             "\"params\": {\"lr\": 0.01, \"layers\": 2, \"act\": \"tanh\", "
             "\"units.2\": 16, \"extra\": 0.5}, \"notes\": "
             "{\"u\": {\"a\": null}, \"v\": \"not json\"}, "
             "\"constraints\": [1.5], \"intermediate\": [[7, 2.5]], "
             "\"start\": \"2020-01-02 03:04:05.000006\", "
             "\"complete\": \"2020-01-02 03:04:07.000000\", "
             "\"seconds\": 1.999994, \"reason\": null}");
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 1);
    kit_ok(mopt_trial_get_float(trial, "lr", &x));
    ck_assert(x == 0.01);
    mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &x, NULL);
    mopt_trial_free(trial);
    /* What cannot be is a failed trial that says so; the next one is new. */
    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), 3);
    mopt_trial_free(trial);
    kit_ok(mopt_study_count(study, MOPT_TRIAL_FAILED, &n));
    ck_assert_int_eq(n, 1);
    ck_assert_ptr_nonnull(strstr(
        look("SELECT value_json FROM trial_system_attributes "
             "WHERE key = 'fail_reason'"), "layers: "));
    mopt_study_free(study);
}
END_TEST

START_TEST(spaces_that_do_not_go_together)
{
    mopt_space *other = NULL;
    mopt_study *study = NULL;

    mopt_study_free(open_file(space, ""));
    change(others);
    kit_ok(mopt_space_from_json(ctx, "{\"lr\": {\"float\": [0.001, 1]}}",
                                &other));
    kit_fails(try_file(other, "\"resume\": true", &study), MOPT_EINVAL);
    kit_says("lr: a study cannot have both [0.001, 1] (log)");
    mopt_space_free(other);
    /* Another range will do. */
    kit_ok(mopt_space_from_json(
        ctx, "{\"lr\": {\"float\": [0.1, 1], \"log\": true}}", &other));
    study = open_file(other, "\"resume\": true");
    mopt_study_free(study);
    mopt_space_free(other);
}
END_TEST

START_TEST(a_study_that_is_not_ours)
{
    /* No space of ours in it: its parameters are found in its trials. */
    mopt_study *study;
    mopt_trial *trial = NULL;
    char *text;

    mopt_study_free(open_file(space, ""));
    change(others);
    change("DELETE FROM study_system_attributes");
    change("DROP TABLE modelopt_workers");
    study = open_file(NULL, "");
    text = study_text(study);
    ck_assert_ptr_nonnull(strstr(
        text, "\"space\": {\"lr\": {\"float\": [0.001, 1.0], \"log\": true}, "
              "\"layers\": {\"int\": [1, 9]}, "
              "\"act\": {\"choice\": [\"relu\", \"tanh\"]}"));
    free(text);
    kit_fails(mopt_study_ask(study, &trial), MOPT_ESTATE);
    kit_fails(mopt_study_enqueue(study, "{}"), MOPT_ESTATE);
    kit_fails(mopt_study_optimize(study, plain, NULL, NULL), MOPT_ESTATE);
    mopt_study_free(study);
    /* It can be gone on with by who brings a space. */
    study = open_file(space, "\"resume\": true");
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(content_that_makes_no_sense)
{
    static const char *const changes[] = {
        "UPDATE trials SET state = 'LOST'",
        "UPDATE trials SET number = 5",
        "UPDATE trials SET number = NULL",
        "UPDATE trials SET number = 'zero'",
        "DELETE FROM study_directions",
        "UPDATE study_directions SET objective = 3",
        "UPDATE trial_values SET objective = 1",
        "UPDATE trial_values SET objective = -1",
        "UPDATE trial_params SET distribution_json = NULL",
        "UPDATE trial_params SET distribution_json = '{'",
        "UPDATE trial_params SET distribution_json = '{\"name\": 3}'",
        "DROP TABLE trial_values",
        "DROP TABLE trials",
        "ALTER TABLE trials RENAME TO x; CREATE VIEW trials AS WITH "
        "RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
        "SELECT n AS trial_id, n AS number, 1 AS study_id, 'COMPLETE' AS "
        "state, NULL AS datetime_start, NULL AS datetime_complete FROM c",
    };
    mopt_study *study = open_file(space, "\"trials\": 1");

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    mopt_study_free(study);
    study = NULL;
    change(changes[_i]);
    kit_fails(try_file(space, "\"resume\": true", &study), MOPT_EFORMAT);
    kit_fails(try_file(NULL, "", &study), MOPT_EFORMAT);
    ck_assert_ptr_null(study);
}
END_TEST

START_TEST(odd_content_is_borne)
{
    mopt_study *study = open_file(space, "\"trials\": 3");
    mopt_trial *trial = NULL;
    char *text;
    double x;

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    mopt_study_free(study);
    change("UPDATE trials SET datetime_start = 'yesterday';"
           "UPDATE trial_params SET param_value = NULL "
           "WHERE param_name = 'lr';"
           "UPDATE trial_params SET param_value = 1e300 "
           "WHERE param_name = 'act';"
           "UPDATE trial_params SET param_value = -1e300 "
           "WHERE param_name = 'layers';"
           "INSERT INTO trial_params (trial_id, param_name, param_value, "
           "distribution_json) VALUES (1, x'ff41', 1, "
           "'{\"type\": \"int\", \"low\": 1, \"high\": 2}');"
           "UPDATE trial_user_attributes SET value_json = x'ff22';"
           "DELETE FROM trial_values");
    study = open_file(space, "\"resume\": true");
    text = study_text(study);
    ck_assert_ptr_nonnull(strstr(text, "\"?A\": 1"));
    free(text);
    kit_fails(mopt_study_best(study, &trial), MOPT_ENOENT);
    kit_ok(mopt_study_trial(study, 0, &trial));
    kit_fails(mopt_trial_get_float(trial, "lr", &x), MOPT_EINVAL);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(triggers_do_not_run)
{
    mopt_study *study = open_file(space, "");
    mopt_trial *trial = NULL;

    change("CREATE TRIGGER t AFTER INSERT ON trials BEGIN "
           "DELETE FROM trials; END");
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    ck_assert_str_eq(look("SELECT count(*) FROM trials"), "1");
    mopt_study_free(study);
}
END_TEST

START_TEST(two_handles_on_one_file)
{
    mopt_study *a = open_file(space, "\"seed\": 1");
    mopt_study *b = open_file(space, "\"seed\": 1, \"resume\": true");
    mopt_trial *ta = NULL, *tb = NULL, *seen = NULL;
    double value = 1;
    int64_t n;
    char *text_a, *text_b;

    kit_ok(mopt_study_ask(a, &ta));
    kit_ok(mopt_study_ask(b, &tb));
    ck_assert_int_eq(mopt_trial_number(ta), 0);
    ck_assert_int_eq(mopt_trial_number(tb), 1);
    kit_ok(mopt_study_count(a, MOPT_TRIAL_RUNNING, &n));
    ck_assert_int_eq(n, 2);
    kit_ok(mopt_trial_report(ta, 0, 5));
    kit_ok(mopt_study_tell(a, ta, MOPT_TRIAL_COMPLETE, &value, NULL));
    kit_ok(mopt_study_best(b, &seen));
    ck_assert_int_eq(mopt_trial_number(seen), 0);
    mopt_trial_free(seen);
    /* What one gives back the other takes up. */
    mopt_trial_free(tb);
    mopt_trial_free(ta);
    kit_ok(mopt_study_ask(a, &ta));
    ck_assert_int_eq(mopt_trial_number(ta), 1);
    /* Told by one, it cannot be told by the other. */
    kit_ok(mopt_study_trial(b, 1, &seen));
    kit_ok(mopt_study_tell(b, seen, MOPT_TRIAL_FAILED, NULL, "gone"));
    kit_fails(mopt_study_tell(a, ta, MOPT_TRIAL_COMPLETE, &value, NULL),
              MOPT_ESTATE);
    kit_fails(mopt_trial_report(ta, 3, 1), MOPT_ESTATE);
    mopt_trial_free(seen);
    mopt_trial_free(ta);
    kit_ok(mopt_study_set_note(a, "k", "1"));
    text_a = study_text(a);
    text_b = study_text(b);
    same_text(text_a, text_b);
    free(text_a);
    free(text_b);
    mopt_study_free(a);
    mopt_study_free(b);
}
END_TEST

START_TEST(a_deleted_study)
{
    mopt_study *study = open_file(space, "");
    mopt_trial *trial = NULL, *next = NULL;
    double value = 1;

    kit_ok(mopt_study_ask(study, &trial));
    change("DELETE FROM trials; DELETE FROM studies");
    kit_fails(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                              NULL), MOPT_ESTORE);
    kit_says("deleted");
    kit_fails(mopt_study_ask(study, &next), MOPT_ESTORE);
    mopt_trial_free(trial);
    mopt_study_free(study);
}
END_TEST

START_TEST(a_lock_of_others_can_be_canceled)
{
    mopt_study *study = open_file(space, "\"trials\": 3");
    mopt_cancel *token = NULL;
    sqlite3 *db;
    double start;

    kit_ok(mopt_cancel_create(ctx, &token));
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    mopt_cancel_request(token);
    start = moi_clock_seconds();
    kit_fails(mopt_study_optimize(study, plain, NULL, token),
              MOPT_ECANCELED);
    ck_assert(moi_clock_seconds() - start < 5);
    sqlite3_close(db);
    mopt_cancel_reset(token);
    kit_ok(mopt_study_optimize(study, plain, NULL, token));
    mopt_study_free(study);
    mopt_cancel_free(token);
}
END_TEST

START_TEST(a_file_that_cannot_be_written)
{
    mopt_study *study = open_file(space, "\"trials\": 3");
    char *before, *after;

    kit_ok(mopt_study_optimize(study, plain, NULL, NULL));
    before = study_text(study);
    mopt_study_free(study);
    change("PRAGMA journal_mode = DELETE");
    chmod(path, 0400);
    study = open_file(NULL, "");
    after = study_text(study);
    same_text(before, after);
    free(before);
    free(after);
    if (geteuid() != 0)
        kit_fails(mopt_study_set_note(study, "a", "1"), MOPT_ESTORE);
    mopt_study_free(study);
}
END_TEST

START_TEST(opening_many)
{
    /* Ten thousand trials of somebody else come in at once. */
    mopt_study *study;
    int64_t n;

    mopt_study_free(open_file(space, ""));
    change("WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c "
           "WHERE n < 9999) INSERT INTO trials (number, study_id, state) "
           "SELECT n, 1, 'COMPLETE' FROM c;"
           "INSERT INTO trial_values (trial_id, objective, value, "
           "value_type) SELECT trial_id, 0, number, 'FINITE' FROM trials;"
           "INSERT INTO trial_params (trial_id, param_name, param_value, "
           "distribution_json) SELECT trial_id, 'p' || number, 1, "
           "'{\"type\": \"int\", \"low\": 1, \"high\": 2}' FROM trials;");
    change("DELETE FROM study_system_attributes");
    study = open_file(NULL, "");
    kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &n));
    ck_assert_int_eq(n, 10000);
    mopt_study_free(study);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("sqlite");
    TCase *tc = tcase_create("sqlite");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_written_is_read_again);
    tcase_add_test(tc, tables_are_optunas);
    tcase_add_loop_test(tc, interrupted_is_uninterrupted, 0, 3);
    tcase_add_test(tc, there_and_not_there);
    tcase_add_test(tc, files_that_are_no_studies);
    tcase_add_test(tc, revisions);
    tcase_add_test(tc, what_others_have_written);
    tcase_add_test(tc, spaces_that_do_not_go_together);
    tcase_add_test(tc, a_study_that_is_not_ours);
    tcase_add_loop_test(tc, content_that_makes_no_sense, 0, 14);
    tcase_add_test(tc, odd_content_is_borne);
    tcase_add_test(tc, triggers_do_not_run);
    tcase_add_test(tc, two_handles_on_one_file);
    tcase_add_test(tc, a_deleted_study);
    tcase_add_test(tc, a_lock_of_others_can_be_canceled);
    tcase_add_test(tc, a_file_that_cannot_be_written);
    tcase_add_test(tc, opening_many);
    suite_add_tcase(suite, tc);
    return suite;
}
