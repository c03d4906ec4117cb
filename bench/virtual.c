/* SPDX-License-Identifier: MIT
 * bench/virtual.c: see virtual.h.
 *
 * SQLite asks its VFS for the time, so that CURRENT_TIMESTAMP is ours too. All
 * studies share one connection and all leases another: nothing overlaps in one
 * thread, and a hundred caches of the same file would be a waste. */
#include "virtual.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "search/store/relational.h"
#include "search/study/study.h"

/* 2026-01-01 00:00:00 UTC, and the same in SQLite's days, in milliseconds. */
#define EPOCH_MICROS INT64_C(1767225600000000)
#define EPOCH_JULIAN INT64_C(212633985600000)

typedef struct shared {
    mopt_connection *db;
    int64_t users;
} shared;

#define AHEAD 8 /* statements that are run ahead */

/* What a study or a lease holds as its connection. */
typedef struct line {
    mopt_database_host host;
    shared *to;
    int32_t ahead[AHEAD], count; /* keys of statements with rows to come */
} line;

static struct {
    virtual_world *world;
    sqlite3_vfs vfs, *usual;
    shared studies, leases;
    int64_t ids; /* of trials, drawn so far */
    char message[400];
} self;

/* ---- time ------------------------------------------------------------- */

static double seconds(void *user)
{
    const virtual_world *world = user;

    return world->now;
}

static int64_t utc_micros(void *user)
{
    const virtual_world *world = user;

    return EPOCH_MICROS + (int64_t)(world->now * 1e6);
}

static int tell_time(sqlite3_vfs *vfs, sqlite3_int64 *julian)
{
    (void)vfs;
    *julian = EPOCH_JULIAN + (sqlite3_int64)(self.world->now * 1e3);
    return SQLITE_OK;
}

/* ---- the database ----------------------------------------------------- */

static int32_t never_wait(void *user)
{
    (void)user;
    return 0;
}

static void *plain_alloc(void *user, void *block, size_t old_size,
                         size_t new_size)
{
    (void)user;
    (void)old_size;
    if (new_size > 0)
        return realloc(block, new_size);
    free(block);
    return NULL;
}

static mopt_connection *inner(mopt_connection *db)
{
    return ((line *)db)->to->db;
}

/* An answer, with its message for whoever asked. */
static int32_t pass(mopt_connection *db, int32_t answer)
{
    const mopt_database_host *host = &((line *)db)->host;

    if (answer > MOPT_DATABASE_ROW)
        snprintf(host->message, host->message_size, "%s", self.message);
    return answer;
}

static int32_t open_inner(const char *path, shared *to)
{
    const mopt_database_host host = {
        .struct_size = sizeof(host),
        .alloc = plain_alloc,
        .wait = never_wait,
        .message = self.message,
        .message_size = sizeof(self.message),
    };
    int32_t answer = MOPT_OK;

    if (!to->db)
        answer = moi_database_sqlite.open(NULL, path, 1, &host, &to->db);
    if (!answer)
        answer = moi_database_sqlite.script(to->db,
                                            "PRAGMA cache_size = -262144");
    return answer;
}

/* Studies may make what is not there; leases never do. */
static int32_t open_line(void *user, const char *place, int32_t create,
                         const mopt_database_host *host, mopt_connection **db)
{
    line *made = calloc(1, sizeof(*made));
    int32_t answer;

    (void)user;
    if (!made)
        return MOPT_DATABASE_NOMEM;
    made->host = *host;
    made->to = create ? &self.studies : &self.leases;
    answer = pass((mopt_connection *)made,
                  open_inner(place + strlen(VIRTUAL_SCHEME), made->to));
    if (answer) {
        free(made);
        return answer;
    }
    made->to->users++;
    *db = (mopt_connection *)made;
    return MOPT_OK;
}

static void close_line(mopt_connection *db)
{
    shared *to = ((line *)db)->to;

    if (--to->users == 0) {
        moi_database_sqlite.close(to->db);
        to->db = NULL;
    }
    free(db);
}

static int32_t begin(mopt_connection *db, int32_t kind, int32_t lasting)
{
    (void)lasting;
    return pass(db, moi_database_sqlite.begin(inner(db), kind, 0));
}

static int32_t commit(mopt_connection *db)
{
    ((line *)db)->count = 0;
    return pass(db, moi_database_sqlite.commit(inner(db)));
}

static void rollback(mopt_connection *db)
{
    ((line *)db)->count = 0;
    moi_database_sqlite.rollback(inner(db));
}

/* As from a sequence: what was drawn is not drawn again, whether it is used or
 * not. */
static const char next_id[] = "SELECT ?1";

static int32_t run(mopt_connection *db, int32_t key, const char *sql,
                   const mopt_value *params, int32_t count, int32_t quiet)
{
    const mopt_value id = {.type = MOPT_VALUE_INT, .integer = self.ids + 1};

    line *at = (line *)db;

    self.world->count.statements++;
    if (sql == next_id) {
        self.ids++;
        params = &id;
        count = 1;
    }
    if (!quiet && at->count < AHEAD)
        at->ahead[at->count++] = key;
    return pass(db, moi_database_sqlite.run(inner(db), key, sql, params,
                                            count, quiet));
}

/* A statement's last row was read. The suspects are told after all ids, and
 * each of these had to be looked at. */
static void end_oldest(line *at)
{
    virtual_count *count = &self.world->count;

    count->looks += at->ahead[0] == MOI_SQL_SUSPECTS ? count->ids : 0;
    at->count--;
    memmove(at->ahead, at->ahead + 1,
            (size_t)at->count * sizeof(at->ahead[0]));
}

static int32_t step(mopt_connection *db, const mopt_value **row)
{
    line *at = (line *)db;
    const int32_t answer = moi_database_sqlite.step(inner(db), row);

    if (answer == MOPT_OK && at->count > 0)
        end_oldest(at);
    else if (answer == MOPT_DATABASE_ROW && at->ahead[0] == MOI_SQL_BUSY)
        self.world->count.ids++;
    else if (answer == MOPT_DATABASE_ROW)
        self.world->count.rows++;
    return pass(db, answer);
}

static int64_t changes(mopt_connection *db)
{
    return moi_database_sqlite.changes(inner(db));
}

static void drop(mopt_connection *db)
{
    ((line *)db)->count = 0;
    moi_database_sqlite.drop(inner(db));
}

static int32_t script(mopt_connection *db, const char *sql)
{
    return pass(db, moi_database_sqlite.script(inner(db), sql));
}

static int32_t add_database(mopt_context *ctx)
{
    mopt_database table = moi_database_sqlite;

    table.name = "virtual";
    table.flags = MOPT_DATABASE_SHARED;
    table.next_id = next_id;
    table.age = "(julianday('now') - julianday(h.heartbeat)) * 86400.0";
    table.open = open_line;
    table.close = close_line;
    table.begin = begin;
    table.commit = commit;
    table.rollback = rollback;
    table.run = run;
    table.step = step;
    table.changes = changes;
    table.drop = drop;
    table.script = script;
    table.version = NULL;
    return mopt_database_register(ctx, &table, NULL);
}

/* ---- the world -------------------------------------------------------- */

int32_t virtual_begin(virtual_world *world, mopt_context *ctx)
{
    memset(world, 0, sizeof(*world));
    world->clock = (moi_clock){world, seconds, utc_micros, 1};
    self.world = world;
    self.ids = 0;
    ctx->clock = &world->clock;
    self.usual = sqlite3_vfs_find(NULL);
    self.vfs = *self.usual;
    self.vfs.zName = "virtual";
    self.vfs.pNext = NULL;
    self.vfs.xCurrentTimeInt64 = tell_time;
    sqlite3_vfs_register(&self.vfs, 1);
    return add_database(ctx);
}

void virtual_end(void)
{
    sqlite3_vfs_unregister(&self.vfs);
    sqlite3_vfs_register(self.usual, 1);
}

static moi_relational *store_of(mopt_study *study)
{
    return (moi_relational *)study->store;
}

void virtual_name(mopt_study *study, int64_t process)
{
    moi_worker *worker = &store_of(study)->self;

    memset(worker, 0, sizeof(*worker));
    snprintf(worker->host, sizeof(worker->host), "host-%lld",
             (long long)process);
    worker->pid = process;
}

int32_t virtual_beat(mopt_study *study)
{
    moi_lease *lease = store_of(study)->lease;

    return lease ? moi_lease_beat(lease) : MOPT_OK;
}

void virtual_lose(mopt_trial *trial)
{
    if (trial)
        trial->asked = 0;
    mopt_trial_free(trial);
}
