/* SPDX-License-Identifier: MIT
 * lib/search/store/store.c: every store, and calls that skip what a store does
 * not need. */
#include "search/store/store.h"

#include <string.h>

#include "base/memory.h"
#include "base/status.h"

extern const moi_store_kind moi_store_memory, moi_store_relational;

/* By what a place begins with; the first that fits serves it, and the last
 * fits all. "sqlite:///" is how Optuna writes a file. */
static const struct {
    const char *prefix;
    int32_t whole; /* the place is the prefix and no more */
    const moi_store_kind *kind;
} stores[] = {
    {"", 1, &moi_store_memory},
    {":memory:", 1, &moi_store_memory},
    {"sqlite:///", 0, &moi_store_relational},
    {"", 0, &moi_store_relational},
};

const moi_store_kind *moi_store_find(const char **place)
{
    size_t length;
    int64_t i;

    for (i = 0;; i++) {
        length = strlen(stores[i].prefix);
        if (strncmp(*place, stores[i].prefix, length) == 0 &&
            !(stores[i].whole && (*place)[length]))
            break;
    }
    *place += length;
    return stores[i].kind;
}

int32_t moi_store_attach(moi_store *store, moi_history *history)
{
    store->history = history;
    return store->kind->attach ? store->kind->attach(store, history)
                               : MOPT_OK;
}

int32_t moi_store_pull(moi_store *store, int32_t news)
{
    return store->kind->pull ? store->kind->pull(store, news) : MOPT_OK;
}

int32_t moi_store_begin(moi_store *store, int64_t row, int32_t how,
                        const mopt_cancel *cancel)
{
    return store->kind->begin
               ? store->kind->begin(store, row, how, cancel)
               : MOPT_OK;
}

int32_t moi_store_commit(moi_store *store)
{
    return store->kind->commit ? store->kind->commit(store) : MOPT_OK;
}

void moi_store_rollback(moi_store *store)
{
    if (store->kind->rollback)
        store->kind->rollback(store);
}

int32_t moi_store_again(moi_store *store, int32_t rc)
{
    return rc && store->kind->again ? store->kind->again(store, rc) : 0;
}

int32_t moi_store_census(moi_store *store, int64_t *live, int32_t *buried)
{
    *live = store->history->tally[MOPT_TRIAL_RUNNING];
    *buried = 0;
    return store->kind->census ? store->kind->census(store, live, buried)
                               : MOPT_OK;
}

int32_t moi_store_add(moi_store *store, const moi_draft *draft, int64_t *id)
{
    *id = store->history->count;
    return store->kind->add ? store->kind->add(store, draft, id) : MOPT_OK;
}

int32_t moi_store_start(moi_store *store, int64_t row, int64_t when,
                        const double *point)
{
    return store->kind->start ? store->kind->start(store, row, when, point)
                              : MOPT_OK;
}

int32_t moi_store_finish(moi_store *store, int64_t row,
                         const moi_ending *ending)
{
    return store->kind->finish ? store->kind->finish(store, row, ending)
                               : MOPT_OK;
}

int32_t moi_store_report(moi_store *store, int64_t row, int64_t step,
                         double value)
{
    return store->kind->report
               ? store->kind->report(store, row, step, value)
               : MOPT_OK;
}

int32_t moi_store_note(moi_store *store, int32_t whose, int64_t row,
                       const char *key, const char *json)
{
    return store->kind->note ? store->kind->note(store, whose, row, key, json)
                             : MOPT_OK;
}

void moi_study_head_clear(mopt_context *ctx, moi_study_head *head)
{
    moi_free(ctx, head->name);
    moi_free(ctx, head->space);
    mopt_space_free(head->found);
    memset(head, 0, sizeof(*head));
}
