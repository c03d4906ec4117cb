/* SPDX-License-Identifier: MIT
 * src/postgresql/pipeline.c: statements sent ahead, and what comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"

/* The types of columns that are no texts, by their numbers in every server. */
#define TYPE_BOOL 16
#define TYPE_INT8 20
#define TYPE_INT2 21
#define TYPE_INT4 23
#define TYPE_OID 26
#define TYPE_FLOAT4 700
#define TYPE_FLOAT8 701
#define TYPE_TIMESTAMP 1114
#define TYPE_TIMESTAMPTZ 1184

#define EPOCH_2000 946684800000000 /* microseconds since 1970 */

/* Whoever makes tables has this advisory lock. */
#define CREATE_LOCK "SELECT pg_advisory_xact_lock(7021993165211)"

/* ---- what the server says --------------------------------------------- */

static int32_t class_of(const char *state)
{
    static const struct {
        const char *prefix;
        int32_t answer;
    } classes[] = {
        {"08", MOPT_DATABASE_LOST},     {"57P", MOPT_DATABASE_LOST},
        {"25P03", MOPT_DATABASE_LOST},
        {"40", MOPT_DATABASE_AGAIN},    {"55P03", MOPT_DATABASE_BUSY},
        {"3D", MOPT_DATABASE_MISSING},  {"42501", MOPT_DATABASE_FAILED},
        {"42", MOPT_DATABASE_CONTENT},  {"22", MOPT_DATABASE_CONTENT},
        {"23", MOPT_DATABASE_CONTENT},  {"XX001", MOPT_DATABASE_CONTENT},
        {"XX002", MOPT_DATABASE_CONTENT},
    };
    size_t i;

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(state, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].answer;
    return MOPT_DATABASE_FAILED;
}

int32_t pg_judge(mopt_connection *self, const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
        status == PGRES_PIPELINE_SYNC || status == PGRES_EMPTY_QUERY)
        return MOPT_OK;
    pg_say(self, PQresultErrorMessage(result)[0]
                     ? PQresultErrorMessage(result)
                     : "an answer that is not understood");
    /* Without a code it is libpq that speaks: the connection broke. */
    return state ? class_of(state) : MOPT_DATABASE_LOST;
}

static int64_t read_integer(const char *bytes, int size)
{
    uint64_t value = 0;
    int i;

    for (i = 0; i < size; i++)
        value = value << 8 | (uint8_t)bytes[i];
    if (size == 2)
        return (int16_t)value;
    return size == 4 ? (int64_t)(int32_t)value : (int64_t)value;
}

static double read_real(const char *bytes, int size)
{
    const int64_t whole = read_integer(bytes, size);
    const int32_t half = (int32_t)whole;
    double real;
    float small;

    if (size == 4) {
        memcpy(&small, &half, sizeof(small));
        return (double)small;
    }
    memcpy(&real, &whole, sizeof(real));
    return real;
}

/* A field of a result, in the binary format. */
static void read_value(const PGresult *result, int row, int column,
                       mopt_value *value)
{
    const char *bytes = PQgetvalue(result, row, column);
    const int size = PQgetlength(result, row, column);
    const Oid type = PQftype(result, column);

    value->type = MOPT_VALUE_NULL;
    if (PQgetisnull(result, row, column))
        return;
    switch (type) {
    case TYPE_BOOL:
        value->type = MOPT_VALUE_INT;
        value->integer = bytes[0];
        break;
    case TYPE_INT8:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_OID:
        value->type = MOPT_VALUE_INT;
        value->integer = read_integer(bytes, size);
        break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        value->type = MOPT_VALUE_REAL;
        value->real = read_real(bytes, size);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        value->type = MOPT_VALUE_TIME;
        value->integer = read_integer(bytes, size) + EPOCH_2000;
        break;
    default:
        value->type = MOPT_VALUE_TEXT;
        value->text = bytes;
    }
}

/* ---- reading what was sent for ---------------------------------------- */

static int32_t flush(mopt_connection *self)
{
    int left;
    int32_t answer;

    while ((left = PQflush(self->pg)) > 0) {
        answer = pg_wait(self, 1);
        if (answer)
            return answer;
        if (!PQconsumeInput(self->pg))
            return pg_lose(self, NULL);
    }
    return left < 0 ? pg_lose(self, NULL) : MOPT_OK;
}

/* The next result, NULL at the end of a statement. */
static int32_t next_result(mopt_connection *self, PGresult **out)
{
    int32_t answer;

    while (PQisBusy(self->pg)) {
        answer = pg_wait(self, 0);
        if (answer)
            return answer;
        if (!PQconsumeInput(self->pg))
            return pg_lose(self, NULL);
    }
    *out = PQgetResult(self->pg);
    if (!*out && PQstatus(self->pg) == CONNECTION_BAD)
        return pg_lose(self, NULL);
    return MOPT_OK;
}

/* Take the result of a statement that was sent as number i; keeps the result
 * if its rows are wanted. */
static void take_result(mopt_connection *self, int32_t i, PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);
    const int32_t what = i < self->sent ? self->underway[i].what
                                        : EXPECT_NOTHING;
    mopt_value value;
    int32_t answer;

    if (status == PGRES_PIPELINE_ABORTED) {
        PQclear(result);
        return;
    }
    answer = pg_judge(self, result);
    if (answer && !self->failure)
        self->failure = answer;
    if (!answer && what == EXPECT_ROWS && self->count < AHEAD) {
        self->ahead[self->count++] = result;
        return;
    }
    if (!answer && what == EXPECT_PREPARED)
        self->prepared[self->underway[i].key] = PREPARED;
    if (!answer && what == EXPECT_XID && PQntuples(result) == 1) {
        read_value(result, 0, 0, &value);
        self->xid = value.integer;
    }
    PQclear(result);
}

/* What was to be prepared in the last journey is, or is not. */
static void end_journey(mopt_connection *self)
{
    int32_t i;

    self->sent = self->wanted = 0;
    for (i = 0; i < KEPT; i++)
        if (self->prepared[i] == PREPARING)
            self->prepared[i] = 0;
}

/* One journey: send all that waits to be sent, and read all that comes back.
 * Answers the first failure. */
static int32_t travel(mopt_connection *self)
{
    PGresult *result = NULL;
    int32_t i = 0, answer;

    if (!self->pg || !PQpipelineSync(self->pg))
        return pg_lose(self, NULL);
    answer = flush(self);
    while (!answer && !(answer = next_result(self, &result))) {
        if (!result) {
            i++;
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            break;
        } else {
            take_result(self, i, result);
        }
    }
    if (answer)
        return answer;
    end_journey(self);
    answer = self->failure;
    self->failure = 0;
    if (answer == MOPT_DATABASE_LOST)
        pg_lose(self, "");
    else if (answer)
        pg_drop(self);
    return answer;
}

static void expect(mopt_connection *self, expected what, int32_t key)
{
    self->underway[self->sent].what = (uint8_t)what;
    self->underway[self->sent++].key = (uint8_t)key;
}

/* Is there room for two more statements on the wire? */
static int32_t make_room(mopt_connection *self)
{
    if (!self->pg)
        return pg_lose(self, NULL);
    return self->sent + 2 <= UNDERWAY ? MOPT_OK : travel(self);
}

/* ---- sending ---------------------------------------------------------- */

/* The statement as the server has it: $1 for ?1. To be freed. */
static char *translate(const char *sql)
{
    char *copy = strdup(sql), *at;

    for (at = copy; at && *at; at++)
        if (*at == '?')
            *at = '$';
    return copy;
}

/* Parameters as texts; numbers go to buf. */
static void write_params(const mopt_connection *self,
                         const mopt_value *params, int32_t count,
                         const char **texts, char (*buf)[32])
{
    const locale_t old = uselocale(self->plain);
    int32_t i;

    for (i = 0; i < count; i++) {
        texts[i] = buf[i];
        if (params[i].type == MOPT_VALUE_INT)
            snprintf(buf[i], sizeof(buf[i]), "%lld",
                     (long long)params[i].integer);
        else if (params[i].type == MOPT_VALUE_REAL)
            snprintf(buf[i], sizeof(buf[i]), "%.17g", params[i].real);
        else
            texts[i] = params[i].type == MOPT_VALUE_TEXT ? params[i].text
                                                         : NULL;
    }
    uselocale(old);
}

static int32_t prepare(mopt_connection *self, int32_t key, const char *name,
                       const char *sql)
{
    char *text;
    int sent;

    if (self->prepared[key])
        return MOPT_OK;
    text = translate(sql);
    if (!text)
        return MOPT_DATABASE_NOMEM;
    sent = PQsendPrepare(self->pg, name, text, 0, NULL);
    free(text);
    if (!sent)
        return pg_lose(self, NULL);
    expect(self, EXPECT_PREPARED, key);
    /* In the same journey it can be used at once. */
    self->prepared[key] = PREPARING;
    return MOPT_OK;
}

/* Send a statement that is not kept. */
static int32_t send_once(mopt_connection *self, const char *sql,
                         const char *const *texts, int32_t count)
{
    char *text = translate(sql);
    int sent;

    if (!text)
        return MOPT_DATABASE_NOMEM;
    sent = PQsendQueryParams(self->pg, text, count, NULL, texts, NULL, NULL,
                             1);
    free(text);
    return sent ? MOPT_OK : pg_lose(self, NULL);
}

static int32_t send(mopt_connection *self, int32_t key, const char *sql,
                    const mopt_value *params, int32_t count, expected what)
{
    const char *texts[PARAMS];
    char buf[PARAMS][32], name[8];
    int32_t answer;

    if (count > PARAMS) {
        pg_say(self, "too many parameters");
        return MOPT_DATABASE_FAILED;
    }
    answer = make_room(self);
    if (answer)
        return answer;
    write_params(self, params, count, texts, buf);
    snprintf(name, sizeof(name), "m%d", (int)key);
    if (key == 0)
        answer = send_once(self, sql, texts, count);
    else
        answer = prepare(self, key, name, sql);
    if (!answer && key != 0 &&
        !PQsendQueryPrepared(self->pg, name, count, texts, NULL, NULL, 1))
        answer = pg_lose(self, NULL);
    if (!answer)
        expect(self, what, key);
    return answer;
}

int32_t pg_run(mopt_connection *self, int32_t key, const char *sql,
               const mopt_value *params, int32_t count, int32_t quiet)
{
    int32_t answer = send(self, key, sql, params, count,
                          quiet ? EXPECT_NOTHING : EXPECT_ROWS);

    if (!answer && !quiet)
        self->wanted++;
    return answer;
}

int32_t pg_step(mopt_connection *self, const mopt_value **row)
{
    int32_t answer = self->count == 0 ? travel(self) : MOPT_OK;
    PGresult *result = self->ahead[0];
    int i, columns;

    if (answer)
        return answer;
    if (self->count == 0) {
        pg_say(self, "a result is missing");
        return MOPT_DATABASE_FAILED;
    }
    if (self->row < PQntuples(result)) {
        columns = PQnfields(result);
        for (i = 0; i < columns && i < COLUMNS; i++)
            read_value(result, self->row, i, &self->values[i]);
        self->row++;
        *row = self->values;
        return MOPT_DATABASE_ROW;
    }
    self->changes = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    self->row = 0;
    self->count--;
    memmove(self->ahead, self->ahead + 1,
            (size_t)self->count * sizeof(self->ahead[0]));
    return MOPT_OK;
}

int64_t pg_changes(mopt_connection *self)
{
    return self->changes;
}

void pg_drop(mopt_connection *self)
{
    int32_t i;

    /* What was sent for and not yet read is read and left. */
    for (i = 0; i < self->sent; i++)
        if (self->underway[i].what == EXPECT_ROWS)
            self->underway[i].what = EXPECT_NOTHING;
    while (self->count > 0)
        PQclear(self->ahead[--self->count]);
    self->row = self->wanted = 0;
}

int32_t pg_script(mopt_connection *self, const char *sql)
{
    PGresult *result = NULL;
    int32_t judged, answer = MOPT_OK, failure = MOPT_OK;

    if (self->sent > 0 && (answer = travel(self)))
        return answer;
    if (!self->pg || !PQexitPipelineMode(self->pg) ||
        !PQsendQuery(self->pg, sql))
        return pg_lose(self, NULL);
    answer = flush(self);
    while (!answer && !(answer = next_result(self, &result)) && result) {
        judged = pg_judge(self, result);
        PQclear(result);
        failure = failure ? failure : judged;
    }
    if (answer)
        return answer;
    if (!PQenterPipelineMode(self->pg))
        return pg_lose(self, NULL);
    return failure;
}

/* ---- transactions ----------------------------------------------------- */

int32_t pg_begin(mopt_connection *self, int32_t kind, int32_t lasting)
{
    int32_t answer;

    if (kind == MOPT_DATABASE_READ)
        answer = send(self, KEY_BEGIN_READ, "BEGIN ISOLATION LEVEL "
                      "REPEATABLE READ READ ONLY", NULL, 0, EXPECT_NOTHING);
    else
        answer = send(self, KEY_BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED",
                      NULL, 0, EXPECT_NOTHING);
    self->xid = 0;
    self->open = answer == MOPT_OK;
    if (!answer && kind != MOPT_DATABASE_READ && !lasting)
        answer = send(self, KEY_HURRY, "SET LOCAL synchronous_commit = off",
                      NULL, 0, EXPECT_NOTHING);
    if (!answer && kind == MOPT_DATABASE_CREATE)
        answer = send(self, 0, CREATE_LOCK, NULL, 0, EXPECT_NOTHING);
    if (!answer && kind == MOPT_DATABASE_WRITE)
        answer = send(self, KEY_XID, "SELECT txid_current()", NULL, 0,
                      EXPECT_XID);
    if (answer)
        pg_rollback(self);
    return answer;
}

void pg_rollback(mopt_connection *self)
{
    char kept[512];
    const mopt_database_host *host = &self->host;

    /* The message that led here is the one to be seen. */
    snprintf(kept, sizeof(kept), "%s", host->message);
    pg_drop(self);
    if (self->pg && self->open) {
        if (self->sent > 0)
            travel(self);
        if (self->pg && !send(self, KEY_ROLLBACK, "ROLLBACK", NULL, 0,
                              EXPECT_NOTHING))
            travel(self);
    }
    self->open = 0;
    snprintf(host->message, host->message_size, "%s", kept);
}

int32_t pg_commit(mopt_connection *self)
{
    int32_t answer;

    pg_drop(self);
    answer = send(self, KEY_COMMIT, "COMMIT", NULL, 0, EXPECT_NOTHING);
    if (answer)
        return answer;
    answer = travel(self);
    if (answer && !self->pg && self->xid)
        return MOPT_DATABASE_DOUBT;
    if (answer)
        pg_rollback(self);
    self->open = 0;
    return answer;
}

int32_t pg_settle(mopt_connection *self, int32_t *committed)
{
    const mopt_value xid = {.type = MOPT_VALUE_INT, .integer = self->xid};
    const mopt_value *row = NULL;
    int32_t answer = pg_run(self, 0, "SELECT txid_status(?1::bigint)", &xid,
                            1, 0);

    if (!answer)
        answer = pg_step(self, &row);
    if (answer != MOPT_DATABASE_ROW)
        return answer ? answer : MOPT_DATABASE_FAILED;
    answer = MOPT_OK;
    if (row[0].type != MOPT_VALUE_TEXT)
        answer = MOPT_DATABASE_FAILED; /* forgotten: too long ago */
    else if (strcmp(row[0].text, "in progress") == 0)
        answer = MOPT_DATABASE_AGAIN;
    else
        *committed = strcmp(row[0].text, "committed") == 0;
    pg_drop(self);
    return answer;
}
