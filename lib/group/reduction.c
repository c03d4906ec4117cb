/* SPDX-License-Identifier: MIT
 * lib/group/reduction.c: sums of parts that several ranks work out. */
#include "group/reduction.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "group/pairs.h"

/* Nodes of a rank's range, at most: two for each level of a tree of 2^63. */
#define NODES 64

/* Parts first .. first + count - 1, added up. */
typedef struct node {
    int64_t first, count;
    float *data;
} node;

struct moi_reduction {
    mopt_context *ctx;
    mopt_group *group;
    const int64_t *cuts;
    int64_t most, n;
    int64_t parts, at, limit; /* this time: all, and this rank's */
    node nodes[NODES];        /* what this rank has, in order */
    int64_t count;
    float *spare[NODES];      /* arrays that nobody uses */
    int64_t spares;
    float **list;             /* [most], one piece a part, or NULL */
    float *room;              /* pieces that came from others */
    float *result;
};

/* ---- how parts are dealt out ---- */

static int64_t deal(int64_t parts, int32_t size, int32_t rank)
{
    return parts / size * rank + parts % size * rank / size;
}

/* The nodes that a rank will have. */
static int64_t list_nodes(int64_t parts, int32_t size, int32_t rank,
                          node nodes[NODES])
{
    int64_t at = deal(parts, size, rank);
    int64_t limit = deal(parts, size, rank + 1), count = 0;
    while (at < limit) {
        nodes[count].first = at;
        nodes[count].count = moi_pairs_node(parts, at, limit);
        at += nodes[count].count;
        count++;
    }
    return count;
}

/* Pieces that come from other ranks, at most. */
static int64_t most_arriving(int64_t most, int32_t size, int32_t rank)
{
    node nodes[NODES];
    int64_t found = 0;
    for (int64_t parts = 1; parts <= most; parts++) {
        int64_t count = 0;
        for (int32_t i = 0; i < size; i++)
            if (i != rank)
                count += list_nodes(parts, size, i, nodes);
        if (count > found)
            found = count;
    }
    return found;
}

/* Are two neighbours the halves of a node? */
static int32_t are_halves(int64_t parts, const node *a, const node *b)
{
    int64_t end = b->first + b->count;
    return a->first % (2 * a->count) == 0 &&
           (b->count == a->count || (b->count < a->count && end == parts));
}

/* Arrays that a rank has at a time, at most: its nodes while they grow, the
 * part in the making among them. */
static int64_t most_arrays(int64_t most, int32_t size, int32_t rank)
{
    node nodes[NODES];
    int64_t found = 1;
    for (int64_t parts = 1; parts <= most; parts++) {
        int64_t count = 0, limit = deal(parts, size, rank + 1);
        for (int64_t at = deal(parts, size, rank); at < limit; at++) {
            nodes[count++] = (node){at, 1, NULL};
            if (count > found)
                found = count;
            for (; count > 1 && are_halves(parts, &nodes[count - 2],
                                           &nodes[count - 1]); count--)
                nodes[count - 2].count += nodes[count - 1].count;
        }
    }
    return found;
}

/* ---- life ---- */

static int32_t take_room(moi_reduction *r)
{
    const mopt_group *g = r->group;
    int64_t arriving = most_arriving(r->most, g->size, g->rank);
    int64_t width = r->cuts[g->rank + 1] - r->cuts[g->rank], count = 0;
    int32_t rc = moi_multiply(arriving, width, "pieces of other ranks",
                              &count);
    if (rc != MOPT_OK)
        return rc;
    r->list = moi_calloc(r->ctx, r->most, sizeof(*r->list));
    r->room = moi_alloc(r->ctx, count, sizeof(*r->room));
    if (r->list == NULL || r->room == NULL)
        return MOPT_ENOMEM;
    int64_t arrays = most_arrays(r->most, g->size, g->rank);
    for (; r->spares < arrays; r->spares++) {
        r->spare[r->spares] = moi_calloc(r->ctx, r->n, sizeof(float));
        if (r->spare[r->spares] == NULL)
            return MOPT_ENOMEM;
    }
    return MOPT_OK;
}

int32_t moi_reduction_create(mopt_group *group, int64_t most, int64_t n,
                             const int64_t *cuts, moi_reduction **out)
{
    moi_reduction *r = moi_calloc(group->ctx, 1, sizeof(*r));
    if (r == NULL)
        return MOPT_ENOMEM;
    r->ctx = group->ctx;
    r->group = group;
    r->cuts = cuts;
    r->most = most;
    r->n = n;
    int32_t rc = take_room(r);
    if (rc == MOPT_OK)
        *out = r;
    else
        moi_reduction_free(r);
    return rc;
}

static void give_back(moi_reduction *r)
{
    while (r->count > 0)
        r->spare[r->spares++] = r->nodes[--r->count].data;
}

void moi_reduction_free(moi_reduction *r)
{
    if (r == NULL)
        return;
    give_back(r);
    for (int64_t i = 0; i < r->spares; i++)
        moi_free(r->ctx, r->spare[i]);
    moi_free(r->ctx, r->list);
    moi_free(r->ctx, r->room);
    moi_free(r->ctx, r);
}

/* ---- this rank's parts ---- */

void moi_reduction_deal(const moi_reduction *r, int64_t parts, int64_t *first,
                        int64_t *count)
{
    *first = deal(parts, r->group->size, r->group->rank);
    *count = deal(parts, r->group->size, r->group->rank + 1) - *first;
}

void moi_reduction_begin(moi_reduction *r, int64_t parts)
{
    assert(parts >= 1 && parts <= r->most);
    give_back(r);
    r->result = NULL;
    r->parts = parts;
    r->at = deal(parts, r->group->size, r->group->rank);
    r->limit = deal(parts, r->group->size, r->group->rank + 1);
}

float *moi_reduction_room(moi_reduction *r)
{
    return r->spare[r->spares - 1];
}

void moi_reduction_push(moi_reduction *r)
{
    r->nodes[r->count++] = (node){r->at++, 1, r->spare[--r->spares]};
    while (r->count > 1) {
        node *a = &r->nodes[r->count - 2], *b = &r->nodes[r->count - 1];
        float *both[2] = {a->data, b->data};
        if (!are_halves(r->parts, a, b))
            break;
        moi_pairs_add(2, both, r->n);
        a->count += b->count;
        r->spare[r->spares++] = b->data;
        r->count--;
    }
}

/* ---- over the ranks ---- */

/* Send a rank its piece of this rank's nodes, and receive this rank's piece of
 * another's; how many nodes it has follows from the numbers of the two. */
static int32_t trade(moi_reduction *r, int32_t to, int32_t from, float **room,
                     const mopt_cancel *cancel)
{
    node theirs[NODES];
    int64_t coming = list_nodes(r->parts, r->group->size, from, theirs);
    int64_t first = r->cuts[to];
    int64_t sent = (r->cuts[to + 1] - first) * (int64_t)sizeof(float);
    int64_t width = r->cuts[r->group->rank + 1] - r->cuts[r->group->rank];
    int64_t most = coming > r->count ? coming : r->count;
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < most && rc == MOPT_OK; i++) {
        const float *out = i < r->count ? r->nodes[i].data + first : NULL;
        float *in = i < coming ? *room : NULL;
        if (i >= r->count)
            rc = moi_group_receive(r->group, from, in,
                                   width * (int64_t)sizeof(float), cancel);
        else if (i >= coming)
            rc = moi_group_send(r->group, to, out, sent, cancel);
        else
            rc = moi_group_exchange(r->group, to, out, sent, from, in,
                                    width * (int64_t)sizeof(float), cancel);
        if (i < coming) {
            r->list[theirs[i].first] = in;
            *room += width;
        }
    }
    return rc;
}

int32_t moi_reduction_scatter(moi_reduction *r, const mopt_cancel *cancel)
{
    mopt_group *g = r->group;
    int64_t mine = r->cuts[g->rank], width = r->cuts[g->rank + 1] - mine;
    float *room = r->room;
    int32_t rc = MOPT_OK;
    assert(r->at == r->limit);
    memset(r->list, 0, (size_t)r->most * sizeof(*r->list));
    for (int64_t i = 0; i < r->count; i++)
        r->list[r->nodes[i].first] = r->nodes[i].data + mine;
    for (int32_t k = 1; k < g->size && rc == MOPT_OK; k++)
        rc = trade(r, (g->rank + k) % g->size,
                   (g->rank - k + g->size) % g->size, &room, cancel);
    if (rc != MOPT_OK)
        return rc;
    moi_pairs_add(r->parts, r->list, width);
    /* A rank without a part of its own has arrays all the same. */
    r->result = r->count > 0 ? r->nodes[0].data : r->spare[0];
    if (r->list[0] != r->result + mine)
        memcpy(r->result + mine, r->list[0], (size_t)width * sizeof(float));
    return MOPT_OK;
}

int32_t moi_reduction_gather(moi_reduction *r, float *data,
                             const mopt_cancel *cancel)
{
    return moi_group_gather_cuts(r->group, data, r->cuts, cancel);
}

float *moi_reduction_result(const moi_reduction *r)
{
    return r->result;
}
