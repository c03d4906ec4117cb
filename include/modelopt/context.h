/* SPDX-License-Identifier: MIT
 * modelopt/context.h: what a host lends the library: memory, log, threads and
 * linear algebra; and the token that cancels long calls.
 *
 * There are no globals: two contexts in one process do not know each other.
 * A context lives until the last object made from it is freed. */
#ifndef MODELOPT_CONTEXT_H
#define MODELOPT_CONTEXT_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_context mopt_context;
typedef struct mopt_cancel mopt_cancel;
typedef struct mopt_config mopt_config; /* see config.h */

/* Levels of log messages. */
#define MOPT_LOG_ERROR 1
#define MOPT_LOG_WARN 2
#define MOPT_LOG_INFO 3
#define MOPT_LOG_DEBUG 4

/** The host's allocator: one function that allocates, resizes and frees.
 *
 *  ptr NULL allocates new_size bytes; new_size 0 frees ptr and returns NULL;
 *  otherwise the block is resized and its content kept. Blocks are aligned to
 *  at least 16 bytes. It is called from any thread, also at the same time.
 *
 *  @param user     what mopt_context_create was given.
 *  @param ptr      a block that it returned earlier, or NULL.
 *  @param old_size the block's size, 0 for NULL.
 *  @param new_size the size wanted, 0 to free.
 *  @return the block, or NULL when there is no memory (the old block stays).
 */
typedef void *(*mopt_alloc_fn)(void *user, void *ptr, size_t old_size,
                               size_t new_size);

/** A log message. Called without any lock held, from any thread.
 *
 *  @param user      what mopt_context_set_log was given.
 *  @param level     MOPT_LOG_ERROR .. MOPT_LOG_DEBUG.
 *  @param component a word such as "train" or "study".
 *  @param message   UTF-8, no line end; valid during the call.
 */
typedef void (*mopt_log_fn)(void *user, int32_t level, const char *component,
                            const char *message);

/** Called once when the library no longer needs a callback's user pointer. */
typedef void (*mopt_destroy_fn)(void *user);

/** Create a context.
 *
 *  @param alloc the host's allocator, or NULL for the C library's.
 *  @param user  handed to alloc.
 *  @param out   receives the context; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (out is NULL), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_context_create(mopt_alloc_fn alloc, void *user,
                                     mopt_context **out);

/** Give up the caller's hold on a context; NULL is fine.
 *
 *  Objects made from it keep it alive until they are freed too.
 *  Thread: any. Since 0.1.
 */
MOPT_API void mopt_context_free(mopt_context *ctx);

/** Apply settings of kind "context".
 *
 *  Keys: "threads" (workers of the pool, 0 = the cores this process may use),
 *  "backend" (name of a registered backend), "log_level", "blas_threads"
 *  (0 leaves OpenBLAS's process-wide thread count alone; more sets it: only
 *  for hosts that own their process).
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY (no such backend), MOPT_ESTATE
 *          (the context's threads are running already).
 *  Thread: one at a time, before objects are made. Since 0.1.
 */
MOPT_API int32_t mopt_context_configure(mopt_context *ctx,
                                        const mopt_config *config);

/** Send the library's messages to a callback; NULL is silence, the default.
 *
 *  @param log     receives messages up to the configured "log_level".
 *  @param user    handed to log.
 *  @param destroy called with user when replaced or when the context ends;
 *                 may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (ctx is NULL).
 *  Thread: one at a time, before objects are made. Since 0.1.
 */
MOPT_API int32_t mopt_context_set_log(mopt_context *ctx, mopt_log_fn log,
                                      void *user, mopt_destroy_fn destroy);

/** The library's version.
 *
 *  @param major, minor, patch receive the numbers; each may be NULL.
 *  Thread: any. Since 0.1.
 */
MOPT_API void mopt_version(int32_t *major, int32_t *minor, int32_t *patch);

/** What this build is and what it runs on, as one JSON object.
 *
 *  Members: "version", "compiler", "backend", "backends", "blas", "isa",
 *  "threads", "blas_threads", "samplers", "optimizers".
 *
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_context_info(mopt_context *ctx, char *buf, size_t cap,
                                   size_t *needed);

/** Create a cancel token.
 *
 *  @param out receives the token; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_cancel_create(mopt_context *ctx, mopt_cancel **out);

/** Ask every call that holds the token to return MOPT_ECANCELED within 100 ms,
 *  its objects valid and resumable. NULL is ignored.
 *
 *  Thread: any, and from a signal handler. Since 0.1.
 */
MOPT_API void mopt_cancel_request(mopt_cancel *cancel);

/** Make a triggered token usable again. NULL is ignored.
 *
 *  Thread: any. Since 0.1.
 */
MOPT_API void mopt_cancel_reset(mopt_cancel *cancel);

/** Was the token triggered? 1 or 0; 0 for NULL.
 *
 *  Thread: any, and from a signal handler. Since 0.1.
 */
MOPT_API int32_t mopt_cancel_requested(const mopt_cancel *cancel);

/** Free a token that no running call holds; NULL is fine.
 *
 *  Thread: any. Since 0.1.
 */
MOPT_API void mopt_cancel_free(mopt_cancel *cancel);

#ifdef __cplusplus
}
#endif

#endif
