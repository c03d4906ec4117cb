/* SPDX-License-Identifier: MIT
 * lib/base/cancel.c: a flag that any thread and any signal handler may set. */
#include "base/cancel.h"

#include <stdatomic.h>

#include "base/context.h"
#include "base/memory.h"

struct mopt_cancel {
    mopt_context *ctx;
    atomic_int requested; /* lock-free, hence safe in signal handlers */
};

int32_t mopt_cancel_create(mopt_context *ctx, mopt_cancel **out)
{
    if (ctx == NULL || out == NULL)
        return moi_fail_null("mopt_cancel_create", ctx ? "out" : "ctx");
    mopt_cancel *cancel = moi_calloc(ctx, 1, sizeof *cancel);
    if (cancel == NULL)
        return MOPT_ENOMEM;
    cancel->ctx = moi_context_hold(ctx);
    atomic_init(&cancel->requested, 0);
    *out = cancel;
    return MOPT_OK;
}

void mopt_cancel_request(mopt_cancel *cancel)
{
    if (cancel != NULL)
        atomic_store(&cancel->requested, 1);
}

void mopt_cancel_reset(mopt_cancel *cancel)
{
    if (cancel != NULL)
        atomic_store(&cancel->requested, 0);
}

int32_t mopt_cancel_requested(const mopt_cancel *cancel)
{
    return cancel != NULL && atomic_load(&cancel->requested) != 0;
}

void mopt_cancel_free(mopt_cancel *cancel)
{
    if (cancel == NULL)
        return;
    mopt_context *ctx = cancel->ctx;
    moi_free(ctx, cancel);
    moi_context_release(ctx);
}

int32_t moi_cancel_check(const mopt_cancel *cancel)
{
    if (!mopt_cancel_requested(cancel))
        return MOPT_OK;
    return moi_fail(MOPT_ECANCELED, "the cancel token was triggered");
}
