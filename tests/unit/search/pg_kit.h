/* SPDX-License-Identifier: MIT
 * tests/unit/search/pg_kit.h: a PostgreSQL server of the test's own. */
#ifndef TESTS_PG_KIT_H
#define TESTS_PG_KIT_H

#include <libpq-fe.h>
#include <postgresql.h>

/* Make a cluster in a new folder and start it, on a free port of 127.0.0.1, as
 * somebody without rights; 0 where PostgreSQL's server is not installed. */
int pg_kit_start(void);

/* Stop the server, and take the folder away. */
void pg_kit_stop(void);

/* End the server as a breakdown would, or start it again. */
void pg_kit_crash(void);
void pg_kit_restart(void);

/* URL of a new, empty database; valid until the next call. */
const char *pg_kit_new(void);

/* The same as another user of it sees it: run SQL, or read the first column of
 * the first row, valid for some calls. */
void pg_kit_change(const char *url, const char *sql);
const char *pg_kit_look(const char *url, const char *sql);

/* Its tables as SQL, ours left aside; to be freed. */
char *pg_kit_dump(const char *url);

#endif
