/* SPDX-License-Identifier: MIT
 * modelopt/database.h: where studies are kept, behind one table.
 *
 * The library keeps studies in the tables of Optuna's relational schema and
 * says so in SQL; what runs the SQL is a database: a table of functions. SQLite
 * is built in. libmodelopt-postgresql brings PostgreSQL; a host may register
 * its own. SQL is written for both: parameters are ?1, ?2, ... */
#ifndef MODELOPT_DATABASE_H
#define MODELOPT_DATABASE_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MOPT_DATABASE_ABI 1

/* Types of a value in a row or among parameters. */
#define MOPT_VALUE_NULL 0
#define MOPT_VALUE_INT 1
#define MOPT_VALUE_REAL 2
#define MOPT_VALUE_TEXT 3 /* also bytes that are no text, up to their first 0 */
#define MOPT_VALUE_TIME 4 /* integer: UTC, microseconds since 1970; in rows */

/* What the functions of a database answer, 0 apart: done. */
#define MOPT_DATABASE_ROW 1     /* step: there is a row */
#define MOPT_DATABASE_BUSY 2    /* somebody has it locked; wait() said stop */
#define MOPT_DATABASE_LOST 3    /* the connection, and what is uncommitted */
#define MOPT_DATABASE_DOUBT 4   /* the same, but the commit may have happened */
#define MOPT_DATABASE_AGAIN 5   /* undone for the sake of others; try again */
#define MOPT_DATABASE_CONTENT 6 /* no such table, a wrong type, damage */
#define MOPT_DATABASE_MISSING 7 /* open: there is nothing at that place */
#define MOPT_DATABASE_NOMEM 8
#define MOPT_DATABASE_FAILED 9 /* anything else: a full disk, no permission */

/* Kinds of transactions. */
#define MOPT_DATABASE_READ 0
#define MOPT_DATABASE_WRITE 1
#define MOPT_DATABASE_CREATE 2 /* one at a time: the tables may be made */

/* What a database is like. */
#define MOPT_DATABASE_SHARED 1 /* several hosts may use it at once */

/** A connection: a database's own. */
typedef struct mopt_connection mopt_connection;

/** A value: of a row, valid until the next call; or a parameter. */
typedef struct mopt_value {
    int32_t type; /* MOPT_VALUE_* */
    int64_t integer;
    double real;
    const char *text; /* ends with 0 */
} mopt_value;

/** What a database is lent by its host, as long as it is open. */
typedef struct mopt_database_host {
    uint32_t struct_size;
    mopt_alloc_fn alloc; /* for memory */
    void *alloc_user;
    void *user; /* handed to wait */
    /** To be called at least every 50 ms while a function waits: 1 to go on
     *  waiting, 0 to give up. */
    int32_t (*wait)(void *user);
    /** Where a function that fails leaves its message, cut to fit; no
     *  passwords in it. */
    char *message;
    size_t message_size;
} mopt_database_host;

/** A database. Members are only ever appended; the library copies
 *  min(struct_size, its own size) bytes. Functions answer 0 or
 *  MOPT_DATABASE_*. A connection is used by one thread at a time. */
typedef struct mopt_database {
    uint32_t struct_size; /* sizeof(mopt_database) of the host's header */
    uint32_t abi_version; /* MOPT_DATABASE_ABI */
    /** The scheme of its places, such as "postgresql": places that begin with
     *  "postgresql://" or "postgresql+x://" are its own. Copied. */
    const char *name;
    void *user; /* handed to open */
    int32_t flags; /* MOPT_DATABASE_SHARED or 0 */

    /* SQL in its dialect; constant as long as it is registered. */
    const char *tables;     /* a script: makes Optuna's tables, if missing */
    const char *find_table; /* a row if there is a table ?1 */
    const char *any_table;  /* the name of any table, or NULL: do not ask */
    const char *last_id;    /* the key that the last INSERT has made */
    const char *next_id;    /* a key for a new trial, or NULL: it gets one */
    const char *lock; /* after a SELECT: locks its rows; "" where a transaction
                         that writes is alone */
    const char *age;  /* seconds since the time h.heartbeat, or NULL */

    /** Connect. create: what is not there may be made.
     *  @param db receives the connection, on success only. */
    int32_t (*open)(void *user, const char *place, int32_t create,
                    const mopt_database_host *host,
                    mopt_connection **db);
    void (*close)(mopt_connection *db);
    /** Connect anew after LOST or DOUBT: one try. May be NULL. */
    int32_t (*reopen)(mopt_connection *db);
    /** After DOUBT and reopen: *committed tells how the last commit ended.
     *  AGAIN: that is not known yet. May be NULL. */
    int32_t (*settle)(mopt_connection *db, int32_t *committed);

    /** @param kind    MOPT_DATABASE_READ, _WRITE or _CREATE.
     *  @param lasting what is committed survives a loss of power. */
    int32_t (*begin)(mopt_connection *db, int32_t kind, int32_t lasting);
    /** One that fails has rolled back, DOUBT left aside. */
    int32_t (*commit)(mopt_connection *db);
    /** Also where there is no transaction: nothing to do then. */
    void (*rollback)(mopt_connection *db);

    /** Run a statement. Its rows are read by step; up to eight statements may
     *  be run ahead, their rows come in the same order.
     *
     *  @param key   1 .. 63: always the same sql, to be prepared once; 0: any.
     *  @param quiet 1: its rows and its count of changes are of no interest,
     *               there is no step for it, and its failure may be told
     *               later, with commit at last. Its parameters live until the
     *               call returns, as all do. */
    int32_t (*run)(mopt_connection *db, int32_t key, const char *sql,
                   const mopt_value *params, int32_t count, int32_t quiet);
    /** ROW and the next row of the first statement that has not ended; 0 when
     *  it ends. After a failure no rows are left. */
    int32_t (*step)(mopt_connection *db, const mopt_value **row);
    /** Rows that the statement has changed that ended last. */
    int64_t (*changes)(mopt_connection *db);
    /** Forget all rows that were not read. */
    void (*drop)(mopt_connection *db);
    /** Run statements without rows, separated by ';'. */
    int32_t (*script)(mopt_connection *db, const char *sql);
    /** A number that changes with whatever other connections commit. May be
     *  NULL: that cannot be told. */
    int32_t (*version)(mopt_connection *db, int64_t *version);

    /** SQL for the time at which a statement runs, where CURRENT_TIMESTAMP is
     *  that of its transaction's begin; or NULL. */
    const char *now;
} mopt_database;

/** Register a database with a context: mopt_study_create and mopt_study_list
 *  take its places.
 *
 *  @param database copied; user must live until destroy is called.
 *  @param destroy  called with database->user when the context ends; may be
 *                  NULL.
 *  @return MOPT_OK, MOPT_EINVAL (NULL, a missing member, too small a
 *          struct_size, wrong abi_version), MOPT_EEXIST (the name is taken),
 *          MOPT_ENOMEM.
 *  Thread: one at a time, before objects are made. Since 0.1.
 */
MOPT_API int32_t mopt_database_register(mopt_context *ctx,
                                        const mopt_database *database,
                                        mopt_destroy_fn destroy);

#ifdef __cplusplus
}
#endif

#endif
