/* SPDX-License-Identifier: MIT
 * src/postgresql/postgresql.h: <modelopt/postgresql.h>, studies in PostgreSQL,
 * for many hosts. A library of its own, libmodelopt-postgresql, so that
 * libmodelopt needs no libpq. */
#ifndef MODELOPT_POSTGRESQL_H
#define MODELOPT_POSTGRESQL_H

#include <modelopt/database.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Let a context's studies live in PostgreSQL (12 or later): "storage" may be
 *  "postgresql://user:password@host:port/name", as libpq and Optuna have it;
 *  "postgresql+psycopg2://..." is the same.
 *
 *  @return as mopt_database_register; MOPT_EEXIST if it was done already.
 *  Thread: one at a time, before objects are made. Since 0.1.
 */
MOPT_API int32_t mopt_postgresql_register(mopt_context *ctx);

#ifdef __cplusplus
}
#endif

#endif
