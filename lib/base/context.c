/* SPDX-License-Identifier: MIT
 * lib/base/context.c: what a host lends the library, held by reference count.
 *
 * The ground floor's two halves do not include each other upwards: base knows
 * of the backends only the hooks declared in base/context.h. */
#include "base/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/threads.h"

#define MOPT_VERSION_MAJOR 0
#define MOPT_VERSION_MINOR 1
#define MOPT_VERSION_PATCH 0

#define LOG_SIZE 512 /* a log message is cut to this */

static const moi_key context_keys[] = {
    MOI_INT("threads", 0, 0, 4096,
            "workers of the pool; 0 takes the cores this process may use"),
    MOI_TEXT("backend", "openblas", "linear algebra: a registered name"),
    MOI_INT("blas_threads", 0, 0, 4096,
            "OpenBLAS's process-wide thread count; 0 leaves it alone"),
    MOI_CHOICE("log_level", "warn", "error|warn|info|debug",
               "messages up to this level are logged"),
    MOI_KEYS_END,
};

const moi_schema moi_context_schema = {
    "context", "what the host lends the library", context_keys};

/* The C library's allocator in the shape of mopt_alloc_fn. */
static void *system_alloc(void *user, void *ptr, size_t old_size,
                          size_t new_size)
{
    (void)user;
    (void)old_size;
    if (new_size > 0)
        return realloc(ptr, new_size);
    free(ptr);
    return NULL;
}

int32_t mopt_context_create(mopt_alloc_fn alloc, void *user,
                            mopt_context **out)
{
    if (out == NULL)
        return moi_fail_null("mopt_context_create", "out");
    if (alloc == NULL)
        alloc = system_alloc;
    mopt_context *ctx = alloc(user, NULL, 0, sizeof *ctx);
    if (ctx == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for a context");
    memset(ctx, 0, sizeof *ctx);
    ctx->alloc = alloc;
    ctx->alloc_user = user;
    atomic_init(&ctx->refs, 1);
    ctx->log_level = MOPT_LOG_WARN;
    ctx->threads = moi_cores();
    ctx->files = &moi_file_system;
    ctx->clock = &moi_clock_machine;
    ctx->backend = moi_backend_default();
    *out = ctx;
    return MOPT_OK;
}

double moi_context_seconds(const mopt_context *ctx)
{
    return ctx->clock->seconds(ctx->clock->user);
}

int64_t moi_context_utc_micros(const mopt_context *ctx)
{
    return ctx->clock->utc_micros(ctx->clock->user);
}

mopt_context *moi_context_hold(mopt_context *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

static void free_backends(mopt_context *ctx)
{
    moi_backend_entry *entry = ctx->backends;
    while (entry != NULL) {
        moi_backend_entry *next = entry->next;
        if (entry->destroy != NULL)
            entry->destroy(entry->table.user);
        moi_free(ctx, entry->name);
        moi_free(ctx, entry);
        entry = next;
    }
}

static void free_databases(mopt_context *ctx)
{
    moi_database_entry *entry = ctx->databases;
    while (entry != NULL) {
        moi_database_entry *next = entry->next;
        if (entry->destroy != NULL)
            entry->destroy(entry->table.user);
        moi_free(ctx, entry->name);
        moi_free(ctx, entry);
        entry = next;
    }
}

void moi_context_release(mopt_context *ctx)
{
    if (atomic_fetch_sub(&ctx->refs, 1) != 1)
        return;
    moi_pool_free(ctx, ctx->pool);
    free_backends(ctx);
    free_databases(ctx);
    if (ctx->log_destroy != NULL)
        ctx->log_destroy(ctx->log_user);
    ctx->alloc(ctx->alloc_user, ctx, sizeof *ctx, 0);
}

void mopt_context_free(mopt_context *ctx)
{
    if (ctx != NULL)
        moi_context_release(ctx);
}

static int32_t level_of(const char *name)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int32_t i = 0; i < MOI_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return MOPT_LOG_ERROR + i;
    return MOPT_LOG_WARN;
}

int32_t mopt_context_configure(mopt_context *ctx, const mopt_config *config)
{
    if (ctx == NULL || config == NULL)
        return moi_fail_null("mopt_context_configure", ctx ? "config" : "ctx");
    if (moi_config_schema(config) != &moi_context_schema)
        return moi_fail(MOPT_EINVAL,
                        "mopt_context_configure: the config is of kind '%s', "
                        "not 'context'", moi_config_schema(config)->name);
    if (ctx->pool != NULL)
        return moi_fail(MOPT_ESTATE, "mopt_context_configure: the context's "
                                     "threads are running already");
    const mopt_backend *backend;
    int32_t status = moi_backend_find(ctx, moi_config_text(config, "backend"),
                                      &backend);
    if (status != MOPT_OK)
        return status;
    int64_t threads = moi_config_int(config, "threads");
    int64_t blas = moi_config_int(config, "blas_threads");
    ctx->backend = backend;
    ctx->threads = threads > 0 ? (int32_t)threads : moi_cores();
    ctx->log_level = level_of(moi_config_text(config, "log_level"));
    if (blas > 0)
        moi_backend_set_blas_threads((int32_t)blas);
    return MOPT_OK;
}

int32_t mopt_context_set_log(mopt_context *ctx, mopt_log_fn log, void *user,
                             mopt_destroy_fn destroy)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_context_set_log", "ctx");
    if (ctx->log_destroy != NULL)
        ctx->log_destroy(ctx->log_user);
    ctx->log = log;
    ctx->log_user = user;
    ctx->log_destroy = destroy;
    return MOPT_OK;
}

void moi_log(mopt_context *ctx, int32_t level, const char *component,
             const char *format, ...)
{
    if (ctx->log == NULL || level > ctx->log_level)
        return;
    char message[LOG_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ctx->log(ctx->log_user, level, component, message);
}

void mopt_version(int32_t *major, int32_t *minor, int32_t *patch)
{
    if (major != NULL)
        *major = MOPT_VERSION_MAJOR;
    if (minor != NULL)
        *minor = MOPT_VERSION_MINOR;
    if (patch != NULL)
        *patch = MOPT_VERSION_PATCH;
}

/* Names of the variants of a key of a kind, as a JSON array. */
static void add_variants(moi_text *text, const char *kind, const char *name)
{
    const moi_key *key = NULL;
    for (int64_t i = 0; moi_schema_kinds[i] != NULL; i++)
        if (strcmp(moi_schema_kinds[i]->name, kind) == 0)
            key = moi_schema_key(moi_schema_kinds[i], name);
    moi_text_add(text, "[");
    for (int64_t i = 0; key != NULL && key->variants[i] != NULL; i++) {
        moi_text_add(text, i > 0 ? ", " : "");
        moi_text_add_quoted(text, key->variants[i]->name);
    }
    moi_text_add(text, "]");
}

static void add_backends(moi_text *text, const mopt_context *ctx)
{
    moi_text_add(text, ", \"backends\": [\"openblas\", \"reference\"");
    for (const moi_backend_entry *e = ctx->backends; e != NULL; e = e->next) {
        moi_text_add(text, ", ");
        moi_text_add_quoted(text, e->name);
    }
    moi_text_add(text, "]");
}

int32_t mopt_context_info(mopt_context *ctx, char *buf, size_t cap,
                          size_t *needed)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_context_info", "ctx");
    moi_text text;
    moi_text_init(&text, ctx);
    moi_text_addf(&text, "{\"version\": \"%d.%d.%d\", \"compiler\": ",
                  MOPT_VERSION_MAJOR, MOPT_VERSION_MINOR, MOPT_VERSION_PATCH);
    moi_text_add_quoted(&text, __VERSION__);
    moi_text_add(&text, ", \"backend\": ");
    moi_text_add_quoted(&text, ctx->backend->name);
    add_backends(&text, ctx);
    moi_text_add(&text, ", \"blas\": ");
    moi_text_add_quoted(&text, moi_backend_blas_config());
    moi_text_add(&text, ", \"isa\": ");
    moi_text_add_quoted(&text, moi_isa_name());
    moi_text_addf(&text, ", \"threads\": %d, \"blas_threads\": %d",
                  ctx->threads, moi_backend_blas_threads());
    moi_text_add(&text, ", \"samplers\": ");
    add_variants(&text, "study", "sampler");
    moi_text_add(&text, ", \"optimizers\": ");
    add_variants(&text, "train", "optimizer");
    moi_text_add(&text, "}");
    return moi_text_finish(&text, buf, cap, needed);
}
