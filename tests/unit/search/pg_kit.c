/* SPDX-License-Identifier: MIT
 * tests/unit/search/pg_kit.c: a PostgreSQL server of the test's own. */
#include "pg_kit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kit.h"

static char folder[64], programs[256];
static int port;
static pid_t server;

/* The folder of initdb and postgres; distributions hide it. */
static int find_programs(void)
{
    static const char *const patterns[] = {
        "/usr/lib/postgresql/*/bin/initdb", "/usr/bin/initdb",
        "/usr/local/bin/initdb", "/usr/pgsql-*/bin/initdb"};
    size_t i;

    for (i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
        glob_t found;

        if (glob(patterns[i], 0, NULL, &found) == 0) {
            char *last = found.gl_pathv[found.gl_pathc - 1];

            *strrchr(last, '/') = '\0';
            snprintf(programs, sizeof(programs), "%s", last);
            globfree(&found);
            return 1;
        }
    }
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return ntohs(address.sin_port);
}

/* Run a program as somebody without rights; it ends when we do. */
static pid_t launch(const char *const *arguments)
{
    const pid_t child = fork();
    int null;

    if (child != 0)
        return child;
    null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
        _exit(9);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (chdir(folder) == 0)
        execv(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(9);
}

static int run_program(const char *const *arguments)
{
    int status = -1;

    waitpid(launch(arguments), &status, 0);
    return status;
}

static void nap(void)
{
    const struct timespec time = {0, 20000000};

    nanosleep(&time, NULL);
}

static PGconn *connect_to(const char *url)
{
    int tries;

    for (tries = 0; tries < 500; tries++) {
        PGconn *pg = PQconnectdb(url);

        if (PQstatus(pg) == CONNECTION_OK)
            return pg;
        PQfinish(pg);
        nap();
    }
    ck_abort_msg("the server does not start");
    return NULL;
}

static const char *url_of(const char *name)
{
    static char url[4][200];
    static int next;
    char *out = url[next++ % 4];

    snprintf(out, sizeof(url[0]), "postgresql://tester:geheim@127.0.0.1:%d/%s",
             port, name);
    return out;
}

void pg_kit_restart(void)
{
    char data[80], number[16], program[300];
    const char *const arguments[] = {
        program, "-D", data, "-p", number, "-k", folder, "-c", "fsync=off",
        "-c", "listen_addresses=127.0.0.1", NULL};

    snprintf(data, sizeof(data), "%s/data", folder);
    snprintf(number, sizeof(number), "%d", port);
    snprintf(program, sizeof(program), "%s/postgres", programs);
    server = launch(arguments);
    PQfinish(connect_to(url_of("postgres")));
}

int pg_kit_start(void)
{
    char data[80], program[300];
    const char *const arguments[] = {
        program, "-D", data, "-A", "trust", "-U", "tester", "--no-sync", "-E",
        "UTF8", "--locale=C", NULL};

    if (!find_programs() || (geteuid() == 0 && !getpwuid(65534)))
        return 0;
    snprintf(folder, sizeof(folder), "/tmp/modelopt-pg-XXXXXX");
    if (!mkdtemp(folder) ||
        (geteuid() == 0 && chown(folder, 65534, 65534) != 0))
        return 0;
    snprintf(data, sizeof(data), "%s/data", folder);
    snprintf(program, sizeof(program), "%s/initdb", programs);
    ck_assert_int_eq(run_program(arguments), 0);
    port = free_port();
    pg_kit_restart();
    return 1;
}

void pg_kit_crash(void)
{
    int status;

    kill(server, SIGQUIT);
    waitpid(server, &status, 0);
}

void pg_kit_stop(void)
{
    char command[100];

    if (!folder[0])
        return;
    pg_kit_crash();
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

const char *pg_kit_new(void)
{
    static int count;
    char name[32], sql[64];

    snprintf(name, sizeof(name), "d%ld_%d", (long)getpid(), count++);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    pg_kit_change(url_of("postgres"), sql);
    return url_of(name);
}

void pg_kit_change(const char *url, const char *sql)
{
    PGconn *pg = connect_to(url);
    PGresult *result = PQexec(pg, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK ||
                      PQresultStatus(result) == PGRES_TUPLES_OK,
                  "%s: %s", sql, PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);
}

const char *pg_kit_look(const char *url, const char *sql)
{
    static char text[4][600];
    static int next;
    char *out = text[next++ % 4];
    PGconn *pg = connect_to(url);
    PGresult *result = PQexec(pg, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql,
                  PQerrorMessage(pg));
    snprintf(out, sizeof(text[0]), "%s",
             PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(pg);
    return out;
}

char *pg_kit_dump(const char *url)
{
    const size_t size = 200000;
    char command[700], *text = malloc(size);
    size_t got;
    FILE *pipe;

    ck_assert_ptr_nonnull(text);
    /* Newer ones write lines with random keys. */
    snprintf(command, sizeof(command), "'%s/pg_dump' -s -T modelopt_workers "
             "-d '%s' | grep -v '^.restrict\\|^.unrestrict'", programs, url);
    pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    got = fread(text, 1, size - 1, pipe);
    text[got] = '\0';
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_ptr_nonnull(strstr(text, "trial_heartbeats"));
    return text;
}
