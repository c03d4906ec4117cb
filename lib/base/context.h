/* SPDX-License-Identifier: MIT
 * lib/base/context.h: the inside of a context.
 *
 * Reference-counted: each object that is made from a context holds it. */
#ifndef MOI_BASE_CONTEXT_H
#define MOI_BASE_CONTEXT_H

#include <modelopt/backend.h>
#include <modelopt/database.h>
#include <stdatomic.h>

#include "base/status.h"

struct moi_clock;    /* clock.h */
struct moi_file_ops; /* file.h */
struct moi_pool;     /* threads.h */

/* One registered backend. */
typedef struct moi_backend_entry {
    mopt_backend table;
    char *name;
    mopt_destroy_fn destroy;
    struct moi_backend_entry *next;
} moi_backend_entry;

/* One registered database. */
typedef struct moi_database_entry {
    mopt_database table;
    char *name;
    mopt_destroy_fn destroy;
    struct moi_database_entry *next;
} moi_database_entry;

struct mopt_context {
    mopt_alloc_fn alloc;
    void *alloc_user;
    atomic_int refs;
    mopt_log_fn log;
    void *log_user;
    mopt_destroy_fn log_destroy;
    int32_t log_level;
    int32_t threads;                 /* workers wanted, >= 1 */
    struct moi_pool *pool;           /* made at first use, see threads.h */
    const struct moi_file_ops *files; /* the one seam for files */
    const struct moi_clock *clock;    /* the one for time */
    const mopt_backend *backend;      /* never NULL */
    moi_backend_entry *backends;      /* what the host registered */
    moi_database_entry *databases;    /* the same */
};

mopt_context *moi_context_hold(mopt_context *ctx);
void moi_context_release(mopt_context *ctx);

/* By the context's clock: seconds that only go forward, and UTC. */
double moi_context_seconds(const mopt_context *ctx);
int64_t moi_context_utc_micros(const mopt_context *ctx);

/* What base needs of lib/backend, which stands beside it and may include it;
 * lib/backend/backend.c defines these. */
const mopt_backend *moi_backend_default(void);
int32_t moi_backend_find(mopt_context *ctx, const char *name,
                         const mopt_backend **out);
const char *moi_backend_blas_config(void);
int32_t moi_backend_blas_threads(void);
void moi_backend_set_blas_threads(int32_t threads);
const char *moi_isa_name(void);

/* Log a message if the level is wanted. */
void moi_log(mopt_context *ctx, int32_t level, const char *component,
             const char *format, ...) MOI_PRINTF(4, 5);

#endif
