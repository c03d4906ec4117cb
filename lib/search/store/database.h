/* SPDX-License-Identifier: MIT
 * lib/search/store/database.h: the databases of a context. */
#ifndef MOI_SEARCH_DATABASE_H
#define MOI_SEARCH_DATABASE_H

#include <modelopt/database.h>

/* Files that are no URL are its places. */
extern const mopt_database moi_database_sqlite;

/* The database that a place belongs to; MOPT_EUNSUPPORTED. */
int32_t moi_database_find(const mopt_context *ctx, const char *place,
                          const mopt_database **out);

/* A place for messages: without its password; returns buf. */
const char *moi_database_show(const char *place, char *buf, size_t size);

#endif
