/* SPDX-License-Identifier: MIT
 * lib/backend/backend.c: the backends of a context, and their checked entries.
 *
 * A host's table is copied member by member as far as its header knew them;
 * what it leaves out comes from the reference. */
#include "backend/backend.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static const mopt_backend *const builtins[] = {
    &moi_backend_openblas,
    &moi_backend_reference,
};

const mopt_backend *moi_backend_default(void)
{
    return builtins[0];
}

/* The backend number index: built-in ones first; NULL past the end. */
static const mopt_backend *backend_at(const mopt_context *ctx, int64_t index)
{
    if (index < MOI_COUNT(builtins))
        return builtins[index];
    index -= MOI_COUNT(builtins);
    const moi_backend_entry *entry = ctx->backends;
    while (entry != NULL && index-- > 0)
        entry = entry->next;
    return entry != NULL ? &entry->table : NULL;
}

static const mopt_backend *find(const mopt_context *ctx, const char *name)
{
    const mopt_backend *backend = NULL;
    for (int64_t i = 0; (backend = backend_at(ctx, i)) != NULL; i++) {
        if (strcmp(backend->name, name) == 0)
            return backend;
    }
    return NULL;
}

static const char *name_at(const void *ctx, int64_t index)
{
    return backend_at(ctx, index)->name;
}

int32_t moi_backend_find(mopt_context *ctx, const char *name,
                         const mopt_backend **out)
{
    const mopt_backend *backend = find(ctx, name);
    if (backend != NULL) {
        *out = backend;
        return MOPT_OK;
    }
    int64_t count = 0;
    while (backend_at(ctx, count) != NULL)
        count++;
    int64_t near = moi_text_nearest(name, count, name_at, ctx);
    if (near >= 0)
        return moi_fail(MOPT_EKEY, "no backend '%.64s'; nearest: '%s'", name,
                        name_at(ctx, near));
    return moi_fail(MOPT_EKEY, "no backend '%.64s'; there are 'openblas', "
                    "'reference' and those that were registered", name);
}

/* A table of the host: is it one that we can use? */
static int32_t check_table(const mopt_backend *backend)
{
    const char *where = "mopt_backend_register: backend";
    const size_t least = offsetof(mopt_backend, dgemm);
    if (backend->struct_size < least)
        return moi_fail(MOPT_EINVAL, "%s: struct_size is %" PRIu32
                        ", at least %zu is needed", where,
                        backend->struct_size, least);
    if (backend->abi_version != MOPT_BACKEND_ABI)
        return moi_fail(MOPT_EINVAL, "%s: abi_version is %" PRIu32
                        ", this library knows %d", where,
                        backend->abi_version, MOPT_BACKEND_ABI);
    if (backend->name == NULL || backend->name[0] == '\0')
        return moi_fail(MOPT_EINVAL, "%s: name is missing", where);
    if (backend->sgemm == NULL)
        return moi_fail(MOPT_EINVAL, "%s '%.64s': sgemm is missing", where,
                        backend->name);
    return MOPT_OK;
}

/* What the host left out. The reference's functions do not look at user. */
static void fill_table(mopt_backend *table)
{
    if (table->dgemm == NULL)
        table->dgemm = moi_backend_reference.dgemm;
    if (table->dqr == NULL)
        table->dqr = moi_backend_reference.dqr;
    if (table->dposv == NULL)
        table->dposv = moi_backend_reference.dposv;
}

int32_t mopt_backend_register(mopt_context *ctx, const mopt_backend *backend,
                              mopt_destroy_fn destroy)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_backend_register", "ctx");
    if (backend == NULL)
        return moi_fail_null("mopt_backend_register", "backend");
    int32_t rc = check_table(backend);
    if (rc != MOPT_OK)
        return rc;
    if (find(ctx, backend->name) != NULL)
        return moi_fail(MOPT_EEXIST,
                        "mopt_backend_register: there is a backend '%.64s'",
                        backend->name);
    moi_backend_entry *entry = moi_calloc(ctx, 1, sizeof(*entry));
    if (entry == NULL)
        return MOPT_ENOMEM;
    entry->name = moi_strdup(ctx, backend->name);
    if (entry->name == NULL) {
        moi_free(ctx, entry);
        return MOPT_ENOMEM;
    }
    size_t size = backend->struct_size;
    if (size > sizeof(entry->table))
        size = sizeof(entry->table);
    memcpy(&entry->table, backend, size);
    fill_table(&entry->table);
    entry->table.name = entry->name;
    entry->destroy = destroy;
    entry->next = ctx->backends;
    ctx->backends = entry;
    return MOPT_OK;
}

/* What a backend's function returned, as a status of ours. */
static int32_t outcome(const mopt_context *ctx, const char *function,
                       int32_t got)
{
    if (got == 0)
        return MOPT_OK;
    if (got == MOPT_ENOMEM)
        return moi_fail(MOPT_ENOMEM, "backend '%.64s': %s: no memory",
                        ctx->backend->name, function);
    if (got == MOPT_ERANGE)
        return moi_fail(MOPT_ERANGE, "backend '%.64s': %s: a size is beyond "
                        "what it counts", ctx->backend->name, function);
    return moi_fail(MOPT_EBACKEND, "backend '%.64s': %s returned %" PRId32,
                    ctx->backend->name, function, got);
}

/* One matrix: sizes not negative, rows that fit their leading dimension, and
 * an address where there are elements; bytes that can be counted. */
static int32_t check_matrix(const char *function, const char *name,
                            int64_t rows, int64_t columns, const void *data,
                            int64_t stride)
{
    if (rows < 0 || columns < 0)
        return moi_fail(MOPT_EINVAL, "%s: %s is %" PRId64 " x %" PRId64
                        ": sizes must be 0 or more", function, name, rows,
                        columns);
    if (stride < columns || stride < 1)
        return moi_fail(MOPT_EINVAL, "%s: the leading dimension of %s is %"
                        PRId64 ", below its row length %" PRId64, function,
                        name, stride, columns);
    if (rows == 0 || columns == 0)
        return MOPT_OK;
    if (rows > INT64_MAX / (int64_t)sizeof(double) / stride)
        return moi_fail(MOPT_ERANGE, "%s: %s of %" PRId64 " rows of %" PRId64
                        " is beyond any memory", function, name, rows,
                        stride);
    if (data == NULL)
        return moi_fail(MOPT_EINVAL, "%s: %s is NULL", function, name);
    return MOPT_OK;
}

static int32_t check_gemm(const char *function, int32_t trans_a,
                          int32_t trans_b, int64_t m, int64_t n, int64_t k,
                          const void *a, int64_t lda, const void *b,
                          int64_t ldb, const void *c, int64_t ldc)
{
    int32_t rc = check_matrix(function, "A", trans_a ? k : m,
                              trans_a ? m : k, a, lda);
    if (rc == MOPT_OK)
        rc = check_matrix(function, "B", trans_b ? n : k, trans_b ? k : n, b,
                          ldb);
    if (rc == MOPT_OK)
        rc = check_matrix(function, "C", m, n, c, ldc);
    return rc;
}

int32_t moi_sgemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                  int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                  int64_t lda, const float *b, int64_t ldb, float beta,
                  float *c, int64_t ldc)
{
    int32_t rc = check_gemm("sgemm", trans_a, trans_b, m, n, k, a, lda, b, ldb,
                            c, ldc);
    if (rc != MOPT_OK)
        return rc;
    const mopt_backend *backend = ctx->backend;
    return outcome(ctx, "sgemm",
                   backend->sgemm(backend->user, trans_a, trans_b, m, n, k,
                                  alpha, a, lda, b, ldb, beta, c, ldc));
}

int32_t moi_dgemm(mopt_context *ctx, int32_t trans_a, int32_t trans_b,
                  int64_t m, int64_t n, int64_t k, double alpha,
                  const double *a, int64_t lda, const double *b, int64_t ldb,
                  double beta, double *c, int64_t ldc)
{
    int32_t rc = check_gemm("dgemm", trans_a, trans_b, m, n, k, a, lda, b, ldb,
                            c, ldc);
    if (rc != MOPT_OK)
        return rc;
    const mopt_backend *backend = ctx->backend;
    return outcome(ctx, "dgemm",
                   backend->dgemm(backend->user, trans_a, trans_b, m, n, k,
                                  alpha, a, lda, b, ldb, beta, c, ldc));
}

int32_t moi_dqr(mopt_context *ctx, int64_t m, int64_t n, double *a,
                int64_t lda, double *r)
{
    int32_t rc = check_matrix("dqr", "A", m, n, a, lda);
    if (rc != MOPT_OK)
        return rc;
    if (m < n)
        return moi_fail(MOPT_EINVAL, "dqr: A is %" PRId64 " x %" PRId64
                        ": it must not be wider than high", m, n);
    if (n > 0 && r == NULL)
        return moi_fail(MOPT_EINVAL, "dqr: r is NULL");
    const mopt_backend *backend = ctx->backend;
    return outcome(ctx, "dqr", backend->dqr(backend->user, m, n, a, lda, r));
}

int32_t moi_dposv(mopt_context *ctx, int64_t n, int64_t nrhs, double *a,
                  int64_t lda, double *b, int64_t ldb)
{
    int32_t rc = check_matrix("dposv", "A", n, n, a, lda);
    if (rc == MOPT_OK)
        rc = check_matrix("dposv", "B", n, nrhs, b, ldb);
    if (rc != MOPT_OK)
        return rc;
    const mopt_backend *backend = ctx->backend;
    rc = backend->dposv(backend->user, n, nrhs, a, lda, b, ldb);
    return rc > 0 ? 1 : outcome(ctx, "dposv", rc);
}
