/* SPDX-License-Identifier: MIT
 * lib/group/group.c: the handle: ranks, channels, and messages between two. */
#include "group/group.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"

#define RANKS_MAX 1048576 /* far more than a table of members should hold */

/* ---- links ---- */

static void release_link(moi_link *link)
{
    if (atomic_fetch_sub(&link->refs, 1) > 1)
        return;
    mopt_context *ctx = link->ctx;
    if (link->destroy != NULL)
        link->destroy(link->table.user);
    moi_free(ctx, link->name);
    moi_free(ctx, link);
    moi_context_release(ctx);
}

int32_t moi_group_check_timeout(const char *function, double timeout)
{
    char text[MOI_NUMBER_SIZE];
    if (isfinite(timeout) && timeout > 0)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "%s: timeout is %s, allowed are seconds "
                    "above 0", function, moi_number_text(timeout, text));
}

int32_t moi_group_new(moi_link *link, double timeout, mopt_group **out)
{
    mopt_group *g = moi_calloc(link->ctx, 1, sizeof(*g));
    if (g == NULL) {
        release_link(link);
        return MOPT_ENOMEM;
    }
    g->ctx = moi_context_hold(link->ctx);
    g->link = link;
    g->rank = link->rank;
    g->size = link->size;
    g->timeout = timeout;
    *out = g;
    return MOPT_OK;
}

/* ---- the host's table ---- */

static int32_t check_table(const mopt_group_table *table)
{
    const char *where = "mopt_group_wrap: table";
    const size_t least = offsetof(mopt_group_table, broadcast);
    if (table->struct_size < least)
        return moi_fail(MOPT_EINVAL, "%s: struct_size is %" PRIu32
                        ", at least %zu is needed", where,
                        table->struct_size, least);
    if (table->abi_version != MOPT_GROUP_ABI)
        return moi_fail(MOPT_EINVAL, "%s: abi_version is %" PRIu32
                        ", this library knows %d", where, table->abi_version,
                        MOPT_GROUP_ABI);
    if (table->name == NULL || table->name[0] == '\0')
        return moi_fail(MOPT_EINVAL, "%s: name is missing", where);
    if (table->send == NULL || table->receive == NULL ||
        table->exchange == NULL || table->abort == NULL)
        return moi_fail(MOPT_EINVAL, "%s '%.64s': %s is missing", where,
                        table->name,
                        table->send == NULL       ? "send"
                        : table->receive == NULL  ? "receive"
                        : table->exchange == NULL ? "exchange"
                                                  : "abort");
    return MOPT_OK;
}

static int32_t check_ranks(int32_t rank, int32_t size)
{
    if (size < 1 || size > RANKS_MAX)
        return moi_fail(MOPT_EINVAL, "mopt_group_wrap: size is %d, allowed "
                        "are 1 to %d", (int)size, RANKS_MAX);
    if (rank < 0 || rank >= size)
        return moi_fail(MOPT_EINVAL, "mopt_group_wrap: rank is %d, allowed "
                        "are 0 to %d", (int)rank, (int)size - 1);
    return MOPT_OK;
}

static moi_link *make_link(mopt_context *ctx, const mopt_group_table *table,
                           int32_t rank, int32_t size)
{
    moi_link *link = moi_calloc(ctx, 1, sizeof(*link));
    char *name = link != NULL ? moi_strdup(ctx, table->name) : NULL;
    if (name == NULL) {
        moi_free(ctx, link);
        return NULL;
    }
    const size_t known = sizeof(link->table);
    memcpy(&link->table, table,
           table->struct_size < known ? table->struct_size : known);
    link->name = name;
    link->table.name = name;
    link->ctx = moi_context_hold(ctx);
    link->rank = rank;
    link->size = size;
    atomic_init(&link->refs, 1);
    atomic_init(&link->channel, 1);
    return link;
}

int32_t mopt_group_wrap(mopt_context *ctx, const mopt_group_table *table,
                        int32_t rank, int32_t size, double timeout,
                        mopt_destroy_fn destroy, mopt_group **out)
{
    const char *function = "mopt_group_wrap";
    if (ctx == NULL || table == NULL || out == NULL)
        return moi_fail_null(function, ctx == NULL     ? "ctx"
                                       : table == NULL ? "table"
                                                       : "out");
    int32_t rc = check_table(table);
    if (rc == MOPT_OK)
        rc = check_ranks(rank, size);
    if (rc == MOPT_OK)
        rc = moi_group_check_timeout(function, timeout);
    if (rc != MOPT_OK)
        return rc;
    moi_link *link = make_link(ctx, table, rank, size);
    if (link == NULL)
        return MOPT_ENOMEM;
    rc = moi_group_new(link, timeout, out);
    if (rc == MOPT_OK)
        link->destroy = destroy;
    return rc;
}

void mopt_group_free(mopt_group *group)
{
    if (group == NULL)
        return;
    mopt_context *ctx = group->ctx;
    release_link(group->link);
    moi_free(ctx, group->members);
    moi_free(ctx, group);
    moi_context_release(ctx);
}

int32_t mopt_group_rank(const mopt_group *group)
{
    return group != NULL ? group->rank : -1;
}

int32_t mopt_group_size(const mopt_group *group)
{
    return group != NULL ? group->size : -1;
}

/* ---- errors ---- */

int32_t moi_group_usable(const mopt_group *g)
{
    int32_t broken = atomic_load(&g->broken);
    if (broken == MOPT_OK)
        return MOPT_OK;
    if (atomic_load(&g->known))
        return moi_fail(MOPT_EPEER, "the group '%s' is broken: %s",
                        g->link->name, g->reason);
    return moi_fail(MOPT_EPEER, "the group '%s' is broken: an earlier call "
                    "ended with %s", g->link->name, mopt_status_name(broken));
}

static int32_t explain(const mopt_group *g, int32_t code)
{
    char text[MOI_NUMBER_SIZE];
    if (code != MOPT_EPEER)
        return moi_fail(code, "%s", mopt_status_text(code));
    return moi_fail(code, "the other side is gone, or was silent for %s "
                    "seconds", moi_number_text(g->timeout, text));
}

/* The first error is what breaks a group. Was this the first? */
static int32_t mark_broken(mopt_group *g, int32_t code)
{
    int32_t whole = MOPT_OK;
    if (!atomic_compare_exchange_strong(&g->broken, &whole, code))
        return 0;
    if (mopt_last_code() == code) {
        snprintf(g->reason, sizeof(g->reason), "%s", moi_last_text());
        atomic_store(&g->known, 1);
    }
    return 1;
}

int32_t moi_group_end(mopt_group *g, const char *what, uint64_t told,
                      int32_t code)
{
    if (code == MOPT_OK)
        return code;
    if (code > 0)
        code = MOPT_ECALLBACK;
    if (moi_errors_told() == told || mopt_last_code() != code)
        explain(g, code);
    int32_t first = mark_broken(g, code);
    moi_fail_at(code, "group '%s', rank %d of %d, %s: ", g->link->name,
                (int)g->rank, (int)g->size, what);
    if (first && code != MOPT_EPEER)
        g->link->table.abort(g->link->table.user, code);
    return code;
}

int32_t mopt_group_abort(mopt_group *group, int32_t code)
{
    if (group == NULL)
        return moi_fail_null("mopt_group_abort", "group");
    if (code >= 0)
        return moi_fail(MOPT_EINVAL, "mopt_group_abort: code is %d, allowed "
                        "are negative ones", (int)code);
    mark_broken(group, code);
    group->link->table.abort(group->link->table.user, code);
    return MOPT_OK;
}

/* ---- messages ---- */

static int32_t place(const mopt_group *g, int32_t rank)
{
    return g->members != NULL ? g->members[rank] : rank;
}

int32_t moi_group_send(mopt_group *g, int32_t to, const void *data,
                       int64_t bytes, const mopt_cancel *cancel)
{
    const mopt_group_table *table = &g->link->table;
    const uint64_t told = moi_errors_told();
    int32_t rc = table->send(table->user, place(g, to), g->channel, data,
                             bytes, g->timeout, cancel);
    return moi_group_end(g, "sending", told, rc);
}

int32_t moi_group_receive(mopt_group *g, int32_t from, void *data,
                          int64_t bytes, const mopt_cancel *cancel)
{
    const mopt_group_table *table = &g->link->table;
    const uint64_t told = moi_errors_told();
    int32_t rc = table->receive(table->user, place(g, from), g->channel, data,
                                bytes, g->timeout, cancel);
    return moi_group_end(g, "receiving", told, rc);
}

int32_t moi_group_exchange(mopt_group *g, int32_t to, const void *out,
                           int64_t out_bytes, int32_t from, void *in,
                           int64_t in_bytes, const mopt_cancel *cancel)
{
    const mopt_group_table *table = &g->link->table;
    const uint64_t told = moi_errors_told();
    int32_t rc = table->exchange(table->user, place(g, to), out, out_bytes,
                                 place(g, from), in, in_bytes, g->channel,
                                 g->timeout, cancel);
    return moi_group_end(g, "exchanging", told, rc);
}

static int32_t check_message(const mopt_group *group, const char *function,
                             int32_t rank, const void *data, int64_t bytes)
{
    if (group == NULL || (data == NULL && bytes != 0))
        return moi_fail_null(function, group == NULL ? "group" : "data");
    if (rank < 0 || rank >= group->size || rank == group->rank)
        return moi_fail(MOPT_EINVAL, "%s: rank %d; allowed are 0 to %d "
                        "without %d, this one", function, (int)rank,
                        (int)group->size - 1, (int)group->rank);
    if (bytes < 0 || bytes > MOI_GROUP_BYTES_MAX)
        return moi_fail(MOPT_EINVAL, "%s: bytes is %lld, allowed are 0 to %lld",
                        function, (long long)bytes,
                        (long long)MOI_GROUP_BYTES_MAX);
    return moi_group_usable(group);
}

int32_t mopt_group_send(mopt_group *group, int32_t to, const void *data,
                        int64_t bytes, mopt_cancel *cancel)
{
    int32_t rc = check_message(group, "mopt_group_send", to, data, bytes);
    return rc == MOPT_OK ? moi_group_send(group, to, data, bytes, cancel) : rc;
}

int32_t mopt_group_receive(mopt_group *group, int32_t from, void *data,
                           int64_t bytes, mopt_cancel *cancel)
{
    int32_t rc = check_message(group, "mopt_group_receive", from, data, bytes);
    return rc == MOPT_OK ? moi_group_receive(group, from, data, bytes, cancel)
                         : rc;
}

/* ---- splitting ---- */

/* What every rank says of itself. */
typedef struct wish {
    int32_t color, key, rank;
    int32_t channel; /* the next one that is free there */
} wish;

static int by_key(const void *a, const void *b)
{
    const wish *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Those of my color, to the front, in order; how many. */
static int32_t pick(wish *all, int32_t size, int32_t color)
{
    int32_t count = 0;
    for (int32_t i = 0; i < size; i++)
        if (all[i].color == color)
            all[count++] = all[i];
    qsort(all, (size_t)count, sizeof(*all), by_key);
    return count;
}

/* Colors have channels of their own, so that one pair of ranks that is in two
 * groups of different splits never mixes their messages up. */
static int32_t free_channel(const wish *all, int32_t size)
{
    int32_t most = 0;
    for (int32_t i = 0; i < size; i++)
        if (all[i].channel > most)
            most = all[i].channel;
    return most;
}

/* A handle on some ranks of a group's link, whose list is made later. */
static mopt_group *make_part(mopt_group *group)
{
    mopt_group *g = moi_calloc(group->ctx, 1, sizeof(*g));
    int32_t *members = moi_alloc(group->ctx, group->size, sizeof(*members));
    if (g == NULL || members == NULL) {
        moi_free(group->ctx, g);
        moi_free(group->ctx, members);
        return NULL;
    }
    g->ctx = moi_context_hold(group->ctx);
    g->link = group->link;
    atomic_fetch_add(&g->link->refs, 1);
    g->members = members;
    g->timeout = group->timeout;
    g->sees = group->sees;
    return g;
}

static void fill_part(const mopt_group *group, mopt_group *g, wish *all,
                      int32_t color)
{
    g->channel = free_channel(all, group->size);
    atomic_store(&g->link->channel, g->channel + 1);
    g->size = pick(all, group->size, color);
    for (int32_t i = 0; i < g->size; i++) {
        g->members[i] = place(group, all[i].rank);
        if (all[i].rank == group->rank)
            g->rank = i;
    }
}

int32_t mopt_group_split(mopt_group *group, int32_t color, int32_t key,
                         mopt_group **out)
{
    if (group == NULL || out == NULL)
        return moi_fail_null("mopt_group_split",
                             group == NULL ? "group" : "out");
    if (color < 0)
        return moi_fail(MOPT_EINVAL, "mopt_group_split: color is %d, allowed "
                        "is 0 or more", (int)color);
    int32_t rc = moi_group_usable(group);
    if (rc != MOPT_OK)
        return rc;
    wish mine = {color, key, group->rank,
                 atomic_load(&group->link->channel)};
    wish *all = moi_alloc(group->ctx, group->size, sizeof(*all));
    mopt_group *part = make_part(group);
    rc = all != NULL && part != NULL
             ? moi_group_gather(group, &mine, sizeof(mine), all, NULL)
             : MOPT_ENOMEM;
    if (rc == MOPT_OK) {
        fill_part(group, part, all, color);
        *out = part;
        part = NULL;
    }
    mopt_group_free(part);
    moi_free(group->ctx, all);
    return rc;
}
