/* SPDX-License-Identifier: MIT
 * lib/search/store/memory.c: trials that end with the process. The history is
 * all there is. */
#include "base/memory.h"
#include "base/status.h"
#include "search/store/store.h"

extern const moi_store_kind moi_store_memory;

static int32_t open_store(mopt_context *ctx, const char *place, int32_t how,
                          const moi_store_terms *terms, moi_study_head *head,
                          moi_store **out)
{
    moi_store *store;

    (void)place;
    (void)terms;
    if (!(how & MOI_STORE_NEW))
        return moi_fail(MOPT_ENOENT, "a study in memory cannot be opened "
                        "again: it needs a space");
    store = moi_calloc(ctx, 1, sizeof(*store));
    if (!store)
        return MOPT_ENOMEM;
    if (head->objectives == 0)
        head->objectives = 1;
    store->kind = &moi_store_memory;
    store->ctx = ctx;
    *out = store;
    return MOPT_OK;
}

static void close_store(moi_store *store)
{
    moi_free(store->ctx, store);
}

const moi_store_kind moi_store_memory = {
    .name = "memory", .open = open_store, .close = close_store};
