/* SPDX-License-Identifier: MIT
 * src/postgresql/connection.c: making a connection and waiting on it.
 *
 * No call of libpq is used that blocks: the host is asked every 50 ms whether
 * to go on. A connection that the host does not want to wait for any more is
 * given up; the server rolls back what it had begun. */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SLICE 50        /* milliseconds between two questions to the host */
#define CONNECT_TIME 10 /* seconds for one try */
#define OLDEST 120000   /* version of the server */

/* Plans are made once, for few rows among many; and the server gives up who is
 * silent in the midst of a transaction, whose locks others wait for: a host
 * that lost its power says no farewell. */
#define SETTINGS                                                      \
    "SET plan_cache_mode = force_generic_plan; SET jit = off; "       \
    "SET enable_seqscan = off; SET enable_hashjoin = off; "           \
    "SET enable_mergejoin = off; SET enable_material = off; "         \
    "SET idle_in_transaction_session_timeout = '5s'; "                \
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; " \
    "SET tcp_keepalives_count = 3; SET tcp_user_timeout = '20s'"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *get_memory(const mopt_database_host *host, size_t size)
{
    return host->alloc(host->alloc_user, NULL, 0, size);
}

static void free_memory(const mopt_database_host *host, void *block,
                        size_t size)
{
    if (block)
        host->alloc(host->alloc_user, block, size, 0);
}

void pg_say(mopt_connection *self, const char *message)
{
    const mopt_database_host *host = &self->host;
    char *at;

    snprintf(host->message, host->message_size, "PostgreSQL: %s", message);
    for (at = host->message; *at; at++)
        if (*at == '\n')
            *at = ' ';
    while (at > host->message && at[-1] == ' ')
        *--at = '\0';
}

int32_t pg_lose(mopt_connection *self, const char *message)
{
    if (message && message[0])
        pg_say(self, message);
    else if (message)
        ; /* it was said already */
    else if (self->pg && PQerrorMessage(self->pg)[0])
        pg_say(self, PQerrorMessage(self->pg));
    else
        pg_say(self, "there is no connection");
    while (self->count > 0)
        PQclear(self->ahead[--self->count]);
    PQfinish(self->pg);
    self->pg = NULL;
    self->open = self->wanted = self->sent = self->row = 0;
    self->failure = 0;
    memset(self->prepared, 0, sizeof(self->prepared));
    return MOPT_DATABASE_LOST;
}

int32_t pg_wait(mopt_connection *self, int32_t write)
{
    struct pollfd one = {PQsocket(self->pg),
                         (short)(POLLIN | (write ? POLLOUT : 0)), 0};
    int got;

    if (one.fd < 0)
        return pg_lose(self, NULL);
    got = poll(&one, 1, SLICE);
    if (got < 0 && errno != EINTR)
        return pg_lose(self, strerror(errno));
    if (got == 0 && !self->host.wait(self->host.user)) {
        pg_lose(self, "the server does not answer, or a lock is held");
        return MOPT_DATABASE_BUSY;
    }
    return MOPT_OK;
}

static void be_silent(void *user, const PGresult *result)
{
    (void)user;
    (void)result;
}

/* The answer to a connection that could not be made. */
static int32_t judge_refusal(mopt_connection *self)
{
    const char *message = PQerrorMessage(self->pg);
    int32_t answer = MOPT_DATABASE_LOST;

    /* libpq tells no code here, but these will not change by themselves. */
    if (strstr(message, "does not exist"))
        answer = MOPT_DATABASE_MISSING;
    else if (strstr(message, "authentication failed") ||
             strstr(message, "no password supplied") ||
             strstr(message, "pg_hba.conf"))
        answer = MOPT_DATABASE_FAILED;
    pg_lose(self, NULL);
    return answer;
}

static int32_t poll_connection(mopt_connection *self)
{
    const double end = now() + CONNECT_TIME;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    int32_t answer;

    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return judge_refusal(self);
        if (now() > end)
            return pg_lose(self, "the server does not answer");
        answer = pg_wait(self, state == PGRES_POLLING_WRITING);
        if (answer)
            return answer;
        state = PQconnectPoll(self->pg);
    }
    return MOPT_OK;
}

/* Newer servers also look whether we are still there while they work for us. */
static int32_t settle_in(mopt_connection *self)
{
    const int version = PQserverVersion(self->pg);

    if (version < OLDEST) {
        pg_lose(self, "the server is older than version 12");
        return MOPT_DATABASE_FAILED;
    }
    PQsetnonblocking(self->pg, 1);
    PQenterPipelineMode(self->pg);
    return pg_script(
        self, version >= 140000
                  ? SETTINGS "; SET client_connection_check_interval = '1s'"
                  : SETTINGS);
}

int32_t pg_reopen(mopt_connection *self)
{
    /* What the URL says of these goes before, as it comes later. */
    const char *const keys[] = {
        "fallback_application_name", "client_encoding", "tcp_user_timeout",
        "keepalives_idle", "keepalives_interval", "keepalives_count",
        "dbname", NULL};
    const char *const values[] = {"modelopt", "UTF8", "20000", "10", "5", "3",
                                  self->uri, NULL};
    int32_t answer;

    if (self->pg)
        pg_lose(self, NULL);
    self->pg = PQconnectStartParams(keys, values, 1);
    if (!self->pg)
        return MOPT_DATABASE_NOMEM;
    PQsetNoticeReceiver(self->pg, be_silent, NULL);
    if (PQstatus(self->pg) == CONNECTION_BAD)
        return judge_refusal(self);
    answer = poll_connection(self);
    return answer ? answer : settle_in(self);
}

/* Is there an '@' that a password should have had as %40? What libpq took for
 * the host would show a piece of it. */
static int has_stray_at(const char *rest)
{
    const char *query = strchr(rest, '?');
    const char *end = query ? query : rest + strlen(rest);
    const char *first = memchr(rest, '@', (size_t)(end - rest));
    const char *path = strchr(rest + strlen("://"), '/');

    return first && (memchr(first + 1, '@', (size_t)(end - first - 1)) ||
                     (path && path < first));
}

/* "postgresql+psycopg2://..." as libpq has it. */
static int32_t take_uri(mopt_connection *self, const char *place)
{
    static const char scheme[] = "postgresql";
    const char *rest = strstr(place, "://");
    PQconninfoOption *options;
    char *ignored = NULL;

    self->uri = get_memory(&self->host, strlen(place) + sizeof(scheme));
    if (!self->uri)
        return MOPT_DATABASE_NOMEM;
    sprintf(self->uri, "%s%s", scheme, rest ? rest : "://");
    options = rest && !has_stray_at(rest)
                  ? PQconninfoParse(self->uri, &ignored) : NULL;
    PQfreemem(ignored); /* it may show the password */
    if (options) {
        PQconninfoFree(options);
        return MOPT_OK;
    }
    pg_say(self, "the URL must be postgresql://user:password@host:port/name; "
                 "special characters in it are written as %40");
    return MOPT_DATABASE_FAILED;
}

int32_t pg_open(void *user, const char *place, int32_t create,
                const mopt_database_host *host, mopt_connection **db)
{
    mopt_connection *self = get_memory(host, sizeof(*self));
    int32_t answer;

    (void)user;
    (void)create;
    if (!self)
        return MOPT_DATABASE_NOMEM;
    memset(self, 0, sizeof(*self));
    self->host = *host;
    self->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    answer = take_uri(self, place);
    if (!answer)
        answer = pg_reopen(self);
    if (answer) {
        pg_close(self);
        return answer;
    }
    *db = self;
    return MOPT_OK;
}

void pg_close(mopt_connection *self)
{
    const mopt_database_host host = self->host;

    pg_drop(self);
    PQfinish(self->pg);
    if (self->plain)
        freelocale(self->plain);
    free_memory(&host, self->uri, self->uri ? strlen(self->uri) + 1 : 0);
    free_memory(&host, self, sizeof(*self));
}
