/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_schema.c: the tables of studies.
 *
 * Thirteen of them are Optuna's (alembic revision v3.2.0.a, the head from
 * Optuna 3.2 to 5.0), word for word as it makes them in that database, so that
 * Optuna and its dashboard take them as their own. One is ours: who works on a
 * running trial. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "search/store/relational.h"

#define REVISION "v3.2.0.a"
#define SCHEMA_VERSION 12 /* of version_info; frozen since alembic came */

/* The attribute of a study that has its space as JSON. */
#define SPACE_KEY "modelopt:space"

static const char our_table[] =
    "CREATE TABLE IF NOT EXISTS modelopt_workers "
    "(trial_id INTEGER NOT NULL PRIMARY KEY, host TEXT NOT NULL, "
    "boot TEXT NOT NULL, room TEXT NOT NULL, pid BIGINT NOT NULL, "
    "started BIGINT NOT NULL);"
    /* For signs of life, which name the process. */
    "CREATE INDEX IF NOT EXISTS modelopt_workers_process "
    "ON modelopt_workers (pid, started)";

static const char stamps[] =
    "INSERT INTO version_info (version_info_id, schema_version, "
    "library_version) VALUES (1, 12, 'modelopt');"
    "INSERT INTO alembic_version (version_num) VALUES ('" REVISION "');";

static int32_t execute(moi_relational *self, const char *script)
{
    return moi_rel_fail(self, self->table->script(self->db, script));
}

/* The first column of a statement's first row as a text, copied; *out stays
 * NULL when there is no row. */
static int32_t ask_text(moi_relational *self, const char *text,
                        const char *param, char **out)
{
    const mopt_value value = moi_rel_text(param);
    const mopt_value *row;
    char number[32];
    int32_t rc = moi_rel_ask(self, MOI_SQL_ANY, text, &value, param != NULL);

    *out = NULL;
    if (!rc)
        rc = moi_rel_step(self, &row);
    if (rc || !row)
        return rc;
    snprintf(number, sizeof(number), "%lld", (long long)moi_rel_int_of(row));
    *out = moi_strdup(self->head.ctx, row->type == MOPT_VALUE_INT
                                          ? number
                                          : moi_rel_text_of(row));
    moi_rel_drop(self);
    return *out ? MOPT_OK : MOPT_ENOMEM;
}

/* Does a table exist? */
static int32_t has_table(moi_relational *self, const char *name,
                         int32_t *found)
{
    char *row;
    int32_t rc = ask_text(self, self->table->find_table, name, &row);

    *found = row != NULL;
    moi_free(self->head.ctx, row);
    return rc;
}

static int32_t fail_revision(const moi_relational *self, const char *revision)
{
    return moi_fail(MOPT_EFORMAT, "%s: its tables are of revision '%.32s', "
                    "but must be '%s': run `optuna storage upgrade --storage "
                    "%s%s`", self->shown, revision, REVISION,
                    strstr(self->shown, "://") ? "" : "sqlite:///",
                    self->shown);
}

/* The tables' revision is one that we know? v3.0.0.d lacks no more than an
 * index. A file without a stamp is taken by its old version number. */
static int32_t check_revision(moi_relational *self)
{
    char *revision = NULL;
    int32_t found, rc = has_table(self, "alembic_version", &found);

    if (!rc && found)
        rc = ask_text(self, "SELECT version_num FROM alembic_version",
                      NULL, &revision);
    if (!rc && revision) {
        if (strcmp(revision, REVISION) != 0 &&
            strcmp(revision, "v3.0.0.d") != 0)
            rc = fail_revision(self, revision);
        moi_free(self->head.ctx, revision);
        return rc;
    }
    if (!rc)
        rc = has_table(self, "version_info", &found);
    if (rc || !found)
        return rc;
    rc = ask_text(self, "SELECT schema_version FROM version_info", NULL,
                  &revision);
    if (!rc && revision && strcmp(revision, "12") != 0)
        rc = fail_revision(self, revision);
    moi_free(self->head.ctx, revision);
    return rc;
}

/* Our table: is it there, or from now on? */
static int32_t take_our_table(moi_relational *self, int32_t create)
{
    int32_t rc = has_table(self, "modelopt_workers", &self->can_hold);

    if (rc || self->can_hold || !create)
        return rc;
    rc = execute(self, our_table);
    self->can_hold = rc == MOPT_OK;
    return rc;
}

int32_t moi_rel_check_tables(moi_relational *self, int32_t create)
{
    char *any = NULL;
    int32_t found, rc = has_table(self, "studies", &found);

    if (rc)
        return rc;
    if (found) {
        rc = check_revision(self);
        return rc ? rc : take_our_table(self, create);
    }
    if (self->table->any_table)
        rc = ask_text(self, self->table->any_table, NULL, &any);
    if (!rc && any)
        rc = moi_fail(MOPT_EFORMAT, "%s: holds a table '%.64s' but no "
                      "studies: it is no study file", self->shown, any);
    else if (!rc && !create)
        rc = moi_fail(MOPT_ENOENT, "%s: is empty: there is no study in it",
                      self->shown);
    moi_free(self->head.ctx, any);
    if (!rc)
        rc = execute(self, self->table->tables);
    if (!rc)
        rc = execute(self, stamps);
    return rc ? rc : take_our_table(self, 1);
}

/* Ask about the study. */
static int32_t ask_study(moi_relational *self, const char *text)
{
    const mopt_value id = moi_rel_int(self->study_id);

    return moi_rel_ask(self, MOI_SQL_ANY, text, &id, 1);
}

/* Id of the study of a name; -1 if there is none. */
static int32_t find_id(moi_relational *self, const char *name)
{
    const mopt_value value = moi_rel_text(name);
    const mopt_value *row;
    int32_t rc = moi_rel_ask(self, MOI_SQL_ANY, "SELECT study_id FROM studies "
                             "WHERE study_name = ?1", &value, 1);

    self->study_id = -1;
    if (!rc)
        rc = moi_rel_step(self, &row);
    if (rc || !row)
        return rc;
    self->study_id = moi_rel_int_of(row);
    moi_rel_drop(self);
    return MOPT_OK;
}

/* "'a', 'b'" of the studies that are there. */
static int32_t fail_missing(moi_relational *self, const char *name)
{
    json_t *names = json_array();
    char *text = NULL;
    int32_t rc = moi_rel_names(self, names);

    if (!rc)
        text = moi_json_dump(self->head.ctx, names);
    json_decref(names);
    if (!text)
        return rc ? rc : MOPT_ENOMEM;
    rc = moi_fail(MOPT_ENOENT, "%s: there is no study '%s' in it, only %.400s",
                  self->shown, name, text);
    moi_free(self->head.ctx, text);
    return rc;
}

/* One row of directions. */
static int32_t take_direction(moi_relational *self, const mopt_value *row,
                              moi_study_head *head)
{
    if (head->objectives == MOI_OBJECTIVE_LIMIT ||
        moi_rel_int_of(&row[0]) != head->objectives)
        return moi_fail(MOPT_EFORMAT, "%s: the directions of the study '%s' "
                        "make no sense", self->shown, head->name);
    head->maximize[head->objectives++] =
        strcmp(moi_rel_text_of(&row[1]), "MAXIMIZE") == 0;
    return MOPT_OK;
}

static int32_t read_directions(moi_relational *self, moi_study_head *head)
{
    const mopt_value *row;
    int32_t rc = ask_study(self, "SELECT objective, direction "
                                 "FROM study_directions WHERE study_id = ?1 "
                                 "ORDER BY objective");

    head->objectives = 0;
    while (!rc && !(rc = moi_rel_step(self, &row)) && row)
        if ((rc = take_direction(self, row, head)))
            moi_rel_drop(self);
    if (!rc && head->objectives == 0)
        rc = moi_fail(MOPT_EFORMAT, "%s: the study '%s' has no direction",
                      self->shown, head->name);
    return rc;
}

/* The space that we have left in the study, if we made it. */
static int32_t read_space(moi_relational *self)
{
    const mopt_value *row;
    int32_t rc = ask_study(self, "SELECT value_json "
                                 "FROM study_system_attributes "
                                 "WHERE study_id = ?1 AND \"key\" = '"
                                 SPACE_KEY "'");

    if (!rc)
        rc = moi_rel_step(self, &row);
    if (rc || !row)
        return rc;
    self->space = moi_strdup(self->head.ctx, moi_rel_text_of(row));
    moi_rel_drop(self);
    return self->space ? MOPT_OK : MOPT_ENOMEM;
}

static int32_t take_domain(moi_relational *self, const mopt_value *row,
                           moi_study_head *head)
{
    moi_domain domain;
    int32_t rc = moi_distribution_read(moi_rel_text_of(&row[1]), &domain);

    if (!rc)
        rc = moi_space_add_param(head->found, moi_rel_text_of(&row[0]),
                                 &domain);
    if (rc && rc != MOPT_ENOMEM)
        rc = moi_fail_at(MOPT_EFORMAT, "%s: parameter '%.64s': ", self->shown,
                         moi_rel_text_of(&row[0]));
    return rc;
}

/* Parameters that are common enough in the trials to be worth a column: a file
 * with a name of its own in each trial must not make us take its square. Each
 * with the domain that it had last. */
static int32_t find_space(moi_relational *self, moi_study_head *head)
{
    const mopt_value *row;
    int32_t rc = mopt_space_create(self->head.ctx, &head->found);

    if (!rc)
        rc = ask_study(
            self, "SELECT p.param_name, p.distribution_json "
                  "FROM (SELECT max(q.param_id) AS last, "
                  "min(q.param_id) AS first FROM trials t "
                  "JOIN trial_params q ON q.trial_id = t.trial_id "
                  "WHERE t.study_id = ?1 GROUP BY q.param_name "
                  "HAVING count(*) * 64 >= (SELECT count(*) FROM trials "
                  "WHERE study_id = ?1)) AS g "
                  "JOIN trial_params p ON p.param_id = g.last "
                  "ORDER BY g.first");
    while (!rc && !(rc = moi_rel_step(self, &row)) && row)
        if ((rc = take_domain(self, row, head)))
            moi_rel_drop(self);
    return rc;
}

static int32_t set_space(moi_relational *self, const char *space)
{
    const mopt_value params[] = {moi_rel_int(self->study_id),
                                 moi_rel_text(SPACE_KEY),
                                 moi_rel_text(space)};

    return moi_rel_run(self, MOI_SQL_SET_STUDY_ATTRIBUTE, params, 3, NULL);
}

/* Add the study to the tables. */
static int32_t make_study(moi_relational *self, const moi_study_head *head)
{
    const mopt_value name = moi_rel_text(head->name);
    mopt_value params[3];
    int64_t i;
    int32_t rc = moi_rel_fail(
        self, self->table->run(self->db, MOI_SQL_ANY, "INSERT INTO studies "
                               "(study_name) VALUES (?1)", &name, 1, 1));

    if (!rc)
        rc = find_id(self, head->name);
    for (i = 0; !rc && i < head->objectives; i++) {
        params[0] = moi_rel_int(self->study_id);
        params[1] = moi_rel_text(head->maximize[i] ? "MAXIMIZE" : "MINIMIZE");
        params[2] = moi_rel_int(i);
        rc = moi_rel_fail(
            self, self->table->run(self->db, MOI_SQL_ANY,
                                   "INSERT INTO study_directions (study_id, "
                                   "direction, objective) VALUES (?1, ?2, ?3)",
                                   params, 3, 1));
    }
    return rc ? rc : set_space(self, head->space);
}

/* An old study: take over what it is, or leave our space in it. */
static int32_t enter_old(moi_relational *self, moi_study_head *head)
{
    int32_t rc = read_directions(self, head);

    if (!rc)
        rc = read_space(self);
    if (rc)
        return rc;
    if (head->space)
        return self->space && strcmp(self->space, head->space) == 0
                   ? MOPT_OK
                   : set_space(self, head->space);
    if (!self->space)
        return find_space(self, head);
    head->space = self->space;
    self->space = NULL;
    return MOPT_OK;
}

int32_t moi_rel_find_study(moi_relational *self, int32_t how,
                              moi_study_head *head)
{
    int32_t rc = find_id(self, head->name);

    if (rc)
        return rc;
    if (self->study_id < 0)
        return how & MOI_STORE_NEW ? make_study(self, head)
                                   : fail_missing(self, head->name);
    if (!(how & MOI_STORE_OLD))
        return moi_fail(MOPT_EEXIST, "%s: there is a study '%s' already; set "
                        "'resume' to go on with it", self->shown, head->name);
    return enter_old(self, head);
}

static int32_t take_name(moi_relational *self, const mopt_value *row,
                         json_t *names)
{
    char *name = moi_strdup(self->head.ctx, moi_rel_text_of(row));
    int32_t rc = MOPT_OK;

    if (name)
        moi_clean_text(name);
    if (!name || json_array_append_new(names, json_string(name)))
        rc = MOPT_ENOMEM;
    moi_free(self->head.ctx, name);
    return rc;
}

int32_t moi_rel_names(moi_relational *self, json_t *names)
{
    const mopt_value *row;
    int32_t rc = moi_rel_ask(self, MOI_SQL_ANY, "SELECT study_name "
                             "FROM studies ORDER BY study_id", NULL, 0);

    while (!rc && !(rc = moi_rel_step(self, &row)) && row)
        if ((rc = take_name(self, row, names)))
            moi_rel_drop(self);
    return rc;
}
