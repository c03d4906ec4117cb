/* SPDX-License-Identifier: MIT
 * src/postgresql/connection.h: a connection, and talking over it.
 *
 * connection.c makes it and waits on it; pipeline.c sends statements ahead and
 * reads what comes back. Statements travel together: nothing is read before
 * somebody wants a row or a count, or to commit. */
#ifndef MODELOPT_POSTGRESQL_CONNECTION_H
#define MODELOPT_POSTGRESQL_CONNECTION_H

#include <libpq-fe.h>
#include <locale.h>

#include "postgresql.h"

/* Statements that are kept, by key: those of the host, and our own. */
enum {
    KEYS = 64,
    KEY_BEGIN = KEYS,
    KEY_BEGIN_READ,
    KEY_HURRY,
    KEY_XID,
    KEY_COMMIT,
    KEY_ROLLBACK,
    KEPT
};

#define AHEAD 8       /* statements whose rows are wanted */
#define UNDERWAY 256  /* statements at a time on the wire */
#define COLUMNS 16    /* of a row */
#define PARAMS 64     /* of a statement */

#define PREPARING 1
#define PREPARED 2

/* What is expected of a statement that was sent. */
typedef enum expected {
    EXPECT_NOTHING,  /* that it works */
    EXPECT_ROWS,     /* rows, or a count */
    EXPECT_XID,      /* the transaction's number */
    EXPECT_PREPARED, /* that it can be used from now on */
} expected;

struct mopt_connection {
    mopt_database_host host;
    char *uri;
    PGconn *pg; /* NULL: there is no connection */
    locale_t plain; /* the locale C */
    int32_t open;   /* a transaction is */
    int64_t xid;    /* its number; 0: none, or not known */
    int32_t failure; /* of a statement that nobody has been told of */
    uint8_t prepared[KEPT]; /* PREPARING, PREPARED or 0 */
    struct {
        uint8_t what, key;
    } underway[UNDERWAY];
    int32_t sent; /* of underway */
    /* Rows that were read, oldest first; row is the next of the first. */
    PGresult *ahead[AHEAD];
    int32_t count, wanted, row;
    int64_t changes;
    mopt_value values[COLUMNS];
};

/* connection.c */
int32_t pg_open(void *user, const char *place, int32_t create,
                const mopt_database_host *host, mopt_connection **db);
void pg_close(mopt_connection *self);
int32_t pg_reopen(mopt_connection *self);

/* Give the connection up; answers LOST. The message becomes what libpq says if
 * it is NULL, or what it was, if it is "". */
int32_t pg_lose(mopt_connection *self, const char *message);

/* Leave a message of the server, or of libpq, to the host: one line. */
void pg_say(mopt_connection *self, const char *message);

/* Wait until there is something to read, or to write; asks the host whether
 * to go on. On failure the connection is given up. */
int32_t pg_wait(mopt_connection *self, int32_t write);

/* pipeline.c */
int32_t pg_begin(mopt_connection *self, int32_t kind, int32_t lasting);
int32_t pg_commit(mopt_connection *self);
void pg_rollback(mopt_connection *self);
int32_t pg_settle(mopt_connection *self, int32_t *committed);
int32_t pg_run(mopt_connection *self, int32_t key, const char *sql,
               const mopt_value *params, int32_t count, int32_t quiet);
int32_t pg_step(mopt_connection *self, const mopt_value **row);
int64_t pg_changes(mopt_connection *self);
void pg_drop(mopt_connection *self);
int32_t pg_script(mopt_connection *self, const char *sql);

/* The answer that a result's error stands for; 0 if it is none. */
int32_t pg_judge(mopt_connection *self, const PGresult *result);

#endif
