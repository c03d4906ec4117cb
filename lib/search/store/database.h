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

/* The file that a place names, NULL where it is memory or a database. */
const char *moi_database_file(const char *place);

/* Do all who name this place find the same there: is it no memory? */
int32_t moi_database_is_shared(const char *place);

/* What names of files of a study begin with: base, joint, and a checksum of the
 * study's name, whatever is in that. The caller frees it. */
int32_t moi_database_beside(mopt_context *ctx, const char *base,
                            const char *joint, const char *study, char **out);

/* A place for messages: without its password; returns buf. */
const char *moi_database_show(const char *place, char *buf, size_t size);

#endif
