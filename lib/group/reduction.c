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

/* Parts first .. first + count - 1, added up in an array. */
typedef struct node {
    int64_t first, count;
    int32_t array;
} node;

/* What is done with a part of this rank, at any place of it: it is written to
 * an array, or comes on top of what that holds; then arrays are added up. */
typedef struct deed {
    int32_t array, onto;
    int64_t joins, join_count;
} deed;

typedef struct join {
    int32_t to, from;
} join;

struct moi_reduction {
    mopt_context *ctx;
    mopt_group *group;
    int64_t most, n;
    int32_t onto;
    int64_t parts, first; /* this time: all, and this rank's first */
    deed *deeds;          /* [most] */
    join *joins;          /* [most] */
    node nodes[NODES];    /* what this rank has in the end, in order */
    int64_t count;
    float *arrays[NODES];
    int32_t array_count;
    float **list; /* [most], one piece a part, or NULL */
    float *room;  /* pieces that came from others */
};

/* ---- how parts are dealt out ---- */

/* The nodes that a rank will have. */
static int64_t list_nodes(int64_t parts, int32_t size, int32_t rank,
                          node nodes[NODES])
{
    int64_t at = moi_pairs_deal(parts, size, rank);
    int64_t limit = moi_pairs_deal(parts, size, rank + 1), count = 0;
    while (at < limit) {
        nodes[count].first = at;
        nodes[count].count = moi_pairs_node(parts, at, limit);
        at += nodes[count++].count;
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

/* ---- what is done with parts ---- */

/* Begin a node with a part, in an array that is free. */
static int32_t open_node(moi_reduction *r, int64_t at, int64_t *taken)
{
    int32_t array = 0;
    while (*taken >> array & 1)
        array++;
    *taken |= (int64_t)1 << array;
    r->nodes[r->count++] = (node){at, 1, array};
    return array;
}

/* Add the last node to the one before, if they are halves of one. */
static int32_t close_node(moi_reduction *r, int64_t *taken, join *out)
{
    if (r->count < 2)
        return 0;
    node *a = &r->nodes[r->count - 2], *b = a + 1;
    if (!are_halves(r->parts, a, b))
        return 0;
    *out = (join){a->array, b->array};
    *taken &= ~((int64_t)1 << b->array);
    a->count += b->count;
    r->count--;
    return 1;
}

static deed plan_deed(moi_reduction *r, int64_t at, int64_t *taken,
                      int64_t joins)
{
    deed d = {.joins = joins};
    node *last = r->count > 0 ? &r->nodes[r->count - 1] : NULL;
    node here = {at, 1, 0};
    d.onto = r->onto && last != NULL && last->count == 1 &&
             are_halves(r->parts, last, &here);
    if (d.onto)
        last->count = 2;
    d.array = d.onto ? last->array : open_node(r, at, taken);
    while (close_node(r, taken, &r->joins[joins + d.join_count]))
        d.join_count++;
    return d;
}

/* Plan what becomes of this rank's parts of so many; how many arrays that
 * takes. */
static int32_t plan_deeds(moi_reduction *r, int64_t parts)
{
    int64_t limit = moi_pairs_deal(parts, r->group->size, r->group->rank + 1);
    int64_t taken = 0, used = 0, joins = 0;
    int32_t arrays = 0;
    r->parts = parts;
    r->first = moi_pairs_deal(parts, r->group->size, r->group->rank);
    r->count = 0;
    for (int64_t at = r->first; at < limit; at++) {
        deed *d = &r->deeds[at - r->first];
        *d = plan_deed(r, at, &taken, joins);
        joins += d->join_count;
        used |= (int64_t)1 << d->array;
    }
    while (used >> arrays)
        arrays++;
    return arrays;
}

/* ---- life ---- */

static int32_t take_arrays(moi_reduction *r)
{
    int32_t wanted = 1;
    for (int64_t parts = 1; parts <= r->most; parts++) {
        int32_t arrays = plan_deeds(r, parts);
        if (arrays > wanted)
            wanted = arrays;
    }
    for (; r->array_count < wanted; r->array_count++) {
        r->arrays[r->array_count] = moi_calloc(r->ctx, r->n, sizeof(float));
        if (r->arrays[r->array_count] == NULL)
            return MOPT_ENOMEM;
    }
    return MOPT_OK;
}

static int32_t take_room(moi_reduction *r, int64_t width)
{
    const mopt_group *g = r->group;
    int64_t arriving = most_arriving(r->most, g->size, g->rank), count = 0;
    int32_t rc = moi_multiply(arriving, width, "pieces of other ranks",
                              &count);
    if (rc != MOPT_OK)
        return rc;
    r->deeds = moi_calloc(r->ctx, r->most, sizeof(*r->deeds));
    r->joins = moi_calloc(r->ctx, r->most, sizeof(*r->joins));
    r->list = moi_calloc(r->ctx, r->most, sizeof(*r->list));
    r->room = moi_alloc(r->ctx, count, sizeof(*r->room));
    if (r->deeds == NULL || r->joins == NULL || r->list == NULL ||
        r->room == NULL)
        return MOPT_ENOMEM;
    return take_arrays(r);
}

int32_t moi_reduction_create(mopt_group *group, int64_t most, int64_t n,
                             int64_t width, int32_t onto, moi_reduction **out)
{
    moi_reduction *r = moi_calloc(group->ctx, 1, sizeof(*r));
    if (r == NULL)
        return MOPT_ENOMEM;
    r->ctx = group->ctx;
    r->group = group;
    r->most = most;
    r->n = n;
    r->onto = onto;
    int32_t rc = take_room(r, width);
    if (rc == MOPT_OK)
        *out = r;
    else
        moi_reduction_free(r);
    return rc;
}

void moi_reduction_free(moi_reduction *r)
{
    if (r == NULL)
        return;
    for (int32_t i = 0; i < r->array_count; i++)
        moi_free(r->ctx, r->arrays[i]);
    moi_free(r->ctx, r->deeds);
    moi_free(r->ctx, r->joins);
    moi_free(r->ctx, r->list);
    moi_free(r->ctx, r->room);
    moi_free(r->ctx, r);
}

/* ---- this rank's parts ---- */

void moi_reduction_deal(const moi_reduction *r, int64_t parts, int64_t *first,
                        int64_t *count)
{
    *first = moi_pairs_deal(parts, r->group->size, r->group->rank);
    *count = moi_pairs_deal(parts, r->group->size, r->group->rank + 1) - *first;
}

void moi_reduction_begin(moi_reduction *r, int64_t parts)
{
    assert(parts >= 1 && parts <= r->most);
    plan_deeds(r, parts);
}

float *moi_reduction_place(const moi_reduction *r, int64_t part, int32_t *onto)
{
    const deed *d = &r->deeds[part - r->first];
    *onto = d->onto;
    return r->arrays[d->array];
}

void moi_reduction_join(const moi_reduction *r, int64_t part, int64_t first,
                        int64_t count)
{
    const deed *d = &r->deeds[part - r->first];
    for (int64_t i = d->joins; i < d->joins + d->join_count; i++) {
        float *both[2] = {r->arrays[r->joins[i].to] + first,
                          r->arrays[r->joins[i].from] + first};
        moi_pairs_add(2, both, count);
    }
}

/* ---- over the ranks ---- */

/* Send a rank its piece of this rank's nodes, and receive this rank's piece of
 * another's; how many nodes it has follows from the numbers of the two. */
static int32_t trade(moi_reduction *r, const int64_t *cuts, int32_t to,
                     int32_t from, float **room, const mopt_cancel *cancel)
{
    node theirs[NODES];
    const int64_t size = (int64_t)sizeof(float);
    int64_t coming = list_nodes(r->parts, r->group->size, from, theirs);
    int64_t sent = (cuts[to + 1] - cuts[to]) * size;
    int64_t width = cuts[r->group->rank + 1] - cuts[r->group->rank];
    int64_t most = coming > r->count ? coming : r->count;
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < most && rc == MOPT_OK; i++) {
        const float *out = i < r->count
                               ? r->arrays[r->nodes[i].array] + cuts[to]
                               : NULL;
        float *in = i < coming ? *room : NULL;
        if (i >= r->count)
            rc = moi_group_receive(r->group, from, in, width * size, cancel);
        else if (i >= coming)
            rc = moi_group_send(r->group, to, out, sent, cancel);
        else
            rc = moi_group_exchange(r->group, to, out, sent, from, in,
                                    width * size, cancel);
        if (i < coming) {
            r->list[theirs[i].first] = in;
            *room += width;
        }
    }
    return rc;
}

/* Is it in an array of this rank's own? */
static int32_t is_own(const moi_reduction *r, const float *data, int64_t mine)
{
    for (int64_t i = 0; i < r->count; i++)
        if (data == r->arrays[r->nodes[i].array] + mine)
            return 1;
    return 0;
}

/* Add all up, as moi_pairs_add does; but into arrays of this rank's own, where
 * one of two is: a + b is b + a. */
static void add_up(moi_reduction *r, int64_t mine, int64_t width)
{
    for (int64_t step = 1; step < r->parts; step *= 2)
        for (int64_t i = 0; i + step < r->parts; i += 2 * step) {
            float *both[2] = {r->list[i], r->list[i + step]};
            if (both[0] == NULL || both[1] == NULL)
                continue;
            if (is_own(r, both[1], mine) && !is_own(r, both[0], mine)) {
                both[0] = r->list[i + step];
                both[1] = r->list[i];
            }
            moi_pairs_add(2, both, width);
            r->list[i] = both[0];
        }
}

int32_t moi_reduction_scatter(moi_reduction *r, const int64_t *cuts,
                              const mopt_cancel *cancel)
{
    const mopt_group *g = r->group;
    int64_t mine = cuts[g->rank], width = cuts[g->rank + 1] - mine;
    float *room = r->room, *result = moi_reduction_result(r) + mine;
    int32_t rc = MOPT_OK;
    memset(r->list, 0, (size_t)r->most * sizeof(*r->list));
    for (int64_t i = 0; i < r->count; i++)
        r->list[r->nodes[i].first] = r->arrays[r->nodes[i].array] + mine;
    for (int32_t k = 1; k < g->size && rc == MOPT_OK; k++)
        rc = trade(r, cuts, (g->rank + k) % g->size,
                   (g->rank - k + g->size) % g->size, &room, cancel);
    if (rc != MOPT_OK)
        return rc;
    add_up(r, mine, width);
    if (r->list[0] != result)
        memcpy(result, r->list[0], (size_t)width * sizeof(float));
    return MOPT_OK;
}

/* A rank without a part of its own has an array all the same. */
float *moi_reduction_result(const moi_reduction *r)
{
    return r->arrays[r->count > 0 ? r->nodes[0].array : 0];
}
