/* SPDX-License-Identifier: MIT
 * lib/group/reduction.c: sums of parts that several ranks work out. */
#include "group/reduction.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "group/commons.h"
#include "group/pairs.h"

/* Nodes of a rank's range, at most: two for each level of a tree of 2^63. */
#define NODES 64

/* Parts first .. first + count - 1, added up in an array. */
typedef struct node {
    int64_t first, count;
    int32_t array;
} node;

/* What is done with parts of this rank that are one, at any place of them: they
 * are written to an array, or come on top of what that holds; then arrays are
 * added up. */
typedef struct deed {
    int64_t parts;
    int32_t array, onto;
    int64_t joins, join_count;
} deed;

typedef struct join {
    int32_t to, from;
} join;

struct moi_reduction {
    mopt_context *ctx;
    mopt_group *group;
    const moi_codec *codec; /* or NULL */
    int64_t most, n;
    int32_t onto;
    int64_t parts, first; /* this time: all, and this rank's first */
    deed *deeds;          /* [most]: the same for the first and the last of
                             those that are one */
    join *joins;          /* [most] */
    node nodes[NODES];    /* what this rank has in the end, in order */
    int64_t count;
    float *arrays[NODES];  /* nodes are in the first ones, in order */
    int32_t array_count;
    int64_t stride;        /* from one to the next, where others see them */
    moi_commons *commons;  /* that they are in; NULL: nobody else sees them */
    float **list; /* [most], one piece a part, or NULL */
    float *room;  /* pieces that came from others, or sums of such */
    int64_t room_used, room_size;
    char *packed[2]; /* with a codec: what goes out, what comes in */
};

/* ---- how parts are dealt out ---- */

/* Where a rank's parts of so many begin. What a codec keeps of a part stays
 * with its rank, however many there are this time. */
static int64_t first_of(const moi_reduction *r, int64_t parts, int32_t rank)
{
    int64_t first;
    if (r->codec == NULL)
        return moi_pairs_deal(parts, r->group->size, rank);
    first = moi_pairs_deal(r->most, r->group->size, rank);
    return first < parts ? first : parts;
}

/* The nodes that a rank will have. */
static int64_t list_nodes(const moi_reduction *r, int64_t parts, int32_t rank,
                          node nodes[NODES])
{
    int64_t at = first_of(r, parts, rank);
    int64_t limit = first_of(r, parts, rank + 1), count = 0;
    while (at < limit) {
        nodes[count].first = at;
        nodes[count].count = r->codec == NULL
                                 ? moi_pairs_node(parts, at, limit) : 1;
        at += nodes[count++].count;
    }
    return count;
}

/* Pieces that come from other ranks, at most. */
static int64_t most_arriving(const moi_reduction *r)
{
    node nodes[NODES];
    int64_t found = 0;
    for (int64_t parts = 1; parts <= r->most; parts++) {
        int64_t count = 0;
        for (int32_t i = 0; i < r->group->size; i++)
            if (i != r->group->rank)
                count += list_nodes(r, parts, i, nodes);
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

/* Begin a node with some parts, in an array that is free. */
static int32_t open_node(moi_reduction *r, int64_t at, int64_t parts,
                         int64_t *taken)
{
    int32_t array = 0;
    while (*taken >> array & 1)
        array++;
    *taken |= (int64_t)1 << array;
    r->nodes[r->count++] = (node){at, parts, array};
    return array;
}

/* Add the last node to the one before, if they are halves of one. */
static int32_t close_node(moi_reduction *r, int64_t *taken, join *out)
{
    if (r->count < 2)
        return 0;
    node *a = &r->nodes[r->count - 2], *b = a + 1;
    if (r->codec != NULL || !are_halves(r->parts, a, b))
        return 0;
    *out = (join){a->array, b->array};
    *taken &= ~((int64_t)1 << b->array);
    a->count += b->count;
    r->count--;
    return 1;
}

static deed plan_deed(moi_reduction *r, int64_t at, int64_t parts,
                      int64_t *taken, int64_t joins)
{
    deed d = {.parts = parts, .joins = joins};
    node *last = r->count > 0 ? &r->nodes[r->count - 1] : NULL;
    node here = {at, parts, 0};
    d.onto = r->onto && last != NULL && are_halves(r->parts, last, &here);
    if (d.onto)
        last->count += parts;
    d.array = d.onto ? last->array : open_node(r, at, parts, taken);
    while (close_node(r, taken, &r->joins[joins + d.join_count]))
        d.join_count++;
    return d;
}

/* Parts that are one from a part on: a node of those that are worked out
 * together. */
static int64_t one_of(const moi_reduction *r, int64_t at, int64_t limit,
                      int64_t together)
{
    int64_t end = at + together - (at - r->first) % together;
    if (r->codec != NULL)
        return 1;
    return moi_pairs_node(r->parts, at, end < limit ? end : limit);
}

/* Plan what becomes of this rank's parts of so many; how many arrays that
 * takes. */
static int32_t plan_deeds(moi_reduction *r, int64_t parts, int64_t together)
{
    int64_t limit = first_of(r, parts, r->group->rank + 1);
    int64_t taken = 0, used = 0, joins = 0;
    int32_t arrays = 0;
    r->parts = parts;
    r->first = first_of(r, parts, r->group->rank);
    r->count = 0;
    for (int64_t at = r->first, count; at < limit; at += count) {
        count = one_of(r, at, limit, together);
        deed d = plan_deed(r, at, count, &taken, joins);
        r->deeds[at - r->first] = r->deeds[at + count - 1 - r->first] = d;
        joins += d.join_count;
        used |= (int64_t)1 << d.array;
    }
    while (used >> arrays)
        arrays++;
    return arrays;
}

/* ---- life ---- */

static int32_t count_arrays(moi_reduction *r)
{
    int32_t most = 1;
    for (int64_t parts = 1; parts <= r->most; parts++) {
        int32_t arrays = plan_deeds(r, parts, 1);
        if (arrays > most)
            most = arrays;
    }
    return most;
}

static int32_t take_arrays(moi_reduction *r, int32_t count)
{
    for (; r->array_count < count; r->array_count++) {
        r->arrays[r->array_count] = moi_calloc(r->ctx, r->n, sizeof(float));
        if (r->arrays[r->array_count] == NULL)
            return MOPT_ENOMEM;
    }
    return MOPT_OK;
}

#define LINE 16 /* floats of a cache line */

/* Packed numbers must travel. */
static int32_t share_arrays(moi_reduction *r, int32_t count)
{
    int64_t bytes = 0;
    r->stride = (r->n + LINE - 1) / LINE * LINE;
    if (r->codec != NULL || r->group->size == 1)
        return MOPT_OK;
    int32_t rc = moi_multiply(r->stride, count * (int64_t)sizeof(float),
                              "sums of gradients", &bytes);
    if (rc == MOPT_OK)
        rc = moi_commons_create(r->group, bytes, &r->commons);
    if (r->commons == NULL)
        return rc;
    float *block = moi_commons_block(r->commons, r->group->rank);
    for (; r->array_count < count; r->array_count++)
        r->arrays[r->array_count] = block + r->array_count * r->stride;
    return MOPT_OK;
}

static int32_t take_room(moi_reduction *r, int64_t width)
{
    int32_t rc = moi_multiply(most_arriving(r), width,
                              "pieces of other ranks", &r->room_size);
    if (rc != MOPT_OK)
        return rc;
    r->deeds = moi_calloc(r->ctx, r->most, sizeof(*r->deeds));
    r->joins = moi_calloc(r->ctx, r->most, sizeof(*r->joins));
    r->list = moi_calloc(r->ctx, r->most, sizeof(*r->list));
    r->room = moi_alloc(r->ctx, r->room_size, sizeof(*r->room));
    if (r->deeds == NULL || r->joins == NULL || r->list == NULL ||
        r->room == NULL)
        return MOPT_ENOMEM;
    for (int32_t i = 0; r->codec != NULL && i < 2; i++) {
        r->packed[i] = moi_alloc(r->ctx,
                                 r->codec->bytes(r->codec->user, width), 1);
        if (r->packed[i] == NULL)
            return MOPT_ENOMEM;
    }
    return MOPT_OK;
}

static int32_t check_parts(const moi_reduction *r)
{
    int64_t most = r->most / r->group->size + 1;
    if (r->codec == NULL || most <= MOI_REDUCTION_PARTS)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "parts: what travels is packed, and a rank "
                    "would have %lld of %lld parts, allowed are %d",
                    (long long)most, (long long)r->most, MOI_REDUCTION_PARTS);
}

int32_t moi_reduction_create(mopt_group *group, int64_t most, int64_t n,
                             int64_t width, int32_t onto,
                             const moi_codec *codec, moi_reduction **out)
{
    moi_reduction *r = moi_calloc(group->ctx, 1, sizeof(*r));
    if (r == NULL)
        return MOPT_ENOMEM;
    r->ctx = group->ctx;
    r->group = group;
    r->most = most;
    r->n = n;
    r->onto = onto && codec == NULL;
    r->codec = codec;
    int32_t rc = check_parts(r);
    if (rc == MOPT_OK)
        rc = take_room(r, width);
    if (rc == MOPT_OK)
        rc = share_arrays(r, count_arrays(r));
    if (rc == MOPT_OK)
        rc = take_arrays(r, count_arrays(r));
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
    for (int32_t i = 0; r->commons == NULL && i < r->array_count; i++)
        moi_free(r->ctx, r->arrays[i]);
    moi_commons_free(r->commons);
    moi_free(r->ctx, r->deeds);
    moi_free(r->ctx, r->joins);
    moi_free(r->ctx, r->list);
    moi_free(r->ctx, r->room);
    moi_free(r->ctx, r->packed[0]);
    moi_free(r->ctx, r->packed[1]);
    moi_free(r->ctx, r);
}

/* ---- this rank's parts ---- */

void moi_reduction_deal(const moi_reduction *r, int64_t parts, int64_t *first,
                        int64_t *count)
{
    *first = first_of(r, parts, r->group->rank);
    *count = first_of(r, parts, r->group->rank + 1) - *first;
}

void moi_reduction_begin(moi_reduction *r, int64_t parts, int64_t together)
{
    assert(parts >= 1 && parts <= r->most && together >= 1);
    plan_deeds(r, parts, together);
}

float *moi_reduction_place(const moi_reduction *r, int64_t part, int32_t *onto,
                           int64_t *count)
{
    const deed *d = &r->deeds[part - r->first];
    *onto = d->onto;
    *count = d->parts;
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

/* Both ways, or one: out or in may be NULL. */
static int32_t pass_on(moi_reduction *r, int32_t to, const void *out,
                       int64_t out_bytes, int32_t from, void *in,
                       int64_t in_bytes, const mopt_cancel *cancel)
{
    if (out == NULL)
        return moi_group_receive(r->group, from, in, in_bytes, cancel);
    if (in == NULL)
        return moi_group_send(r->group, to, out, out_bytes, cancel);
    return moi_group_exchange(r->group, to, out, out_bytes, from, in, in_bytes,
                              cancel);
}

/* Send some numbers of a node, which may be NULL, to a rank, and receive some
 * from another to in, which may be NULL. */
static int32_t swap(moi_reduction *r, int32_t to, const node *sent,
                    int64_t first, int64_t count, int32_t from, float *in,
                    int64_t coming, const mopt_cancel *cancel)
{
    const moi_codec *codec = r->codec;
    const int64_t size = (int64_t)sizeof(float);
    float *out = sent != NULL ? r->arrays[sent->array] + first : NULL;
    if (codec == NULL)
        return pass_on(r, to, out, count * size, from, in, coming * size,
                       cancel);
    if (out != NULL && !codec->all)
        codec->pack(codec->user, sent->first, first, count, out,
                    r->packed[0]);
    int32_t rc = pass_on(r, to, out != NULL ? r->packed[0] : NULL,
                         codec->bytes(codec->user, count), from,
                         in != NULL ? r->packed[1] : NULL,
                         codec->bytes(codec->user, coming), cancel);
    if (rc == MOPT_OK && in != NULL)
        codec->unpack(codec->user, r->packed[1], coming, in);
    return rc;
}

/* Send a rank its piece of this rank's nodes, and receive this rank's piece of
 * another's; how many nodes it has follows from the numbers of the two. */
static int32_t trade(moi_reduction *r, const int64_t *cuts, int32_t to,
                     int32_t from, float **room, const mopt_cancel *cancel)
{
    node theirs[NODES];
    int64_t coming = list_nodes(r, r->parts, from, theirs);
    int64_t width = cuts[r->group->rank + 1] - cuts[r->group->rank];
    int64_t most = coming > r->count ? coming : r->count;
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < most && rc == MOPT_OK; i++) {
        float *in = i < coming ? *room : NULL;
        rc = swap(r, to, i < r->count ? &r->nodes[i] : NULL, cuts[to],
                  cuts[to + 1] - cuts[to], from, in, width, cancel);
        if (in != NULL) {
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

static int32_t is_in_room(const moi_reduction *r, const float *data)
{
    return data >= r->room && data < r->room + r->room_size;
}

/* What may be written: this rank's own before what it has room for before a
 * copy of what is another's. */
static int32_t rank_of(const moi_reduction *r, const float *data, int64_t mine)
{
    return is_own(r, data, mine) ? 2 : is_in_room(r, data);
}

static float *copy_to_room(moi_reduction *r, const float *data, int64_t width)
{
    float *room = r->room + r->room_used;
    memcpy(room, data, (size_t)width * sizeof(float));
    r->room_used += width;
    return room;
}

/* Add all up, as moi_pairs_add does; but into what this rank may write, and
 * rather its own: a + b is b + a. */
static void add_up(moi_reduction *r, int64_t mine, int64_t width)
{
    for (int64_t step = 1; step < r->parts; step *= 2)
        for (int64_t i = 0; i + step < r->parts; i += 2 * step) {
            float *both[2] = {r->list[i], r->list[i + step]};
            if (both[0] == NULL || both[1] == NULL)
                continue;
            if (rank_of(r, both[1], mine) > rank_of(r, both[0], mine)) {
                both[0] = r->list[i + step];
                both[1] = r->list[i];
            }
            if (rank_of(r, both[0], mine) == 0)
                both[0] = copy_to_room(r, both[0], width);
            moi_pairs_add(2, both, width);
            r->list[i] = both[0];
        }
}

/* This rank's own nodes, as others would see them. */
static void list_own(moi_reduction *r, int64_t first, int64_t count)
{
    const moi_codec *codec = r->codec;
    memset(r->list, 0, (size_t)r->most * sizeof(*r->list));
    for (int64_t i = 0; i < r->count; i++) {
        float *own = r->arrays[r->nodes[i].array] + first;
        r->list[r->nodes[i].first] = own;
        if (codec != NULL && !codec->all)
            codec->pack(codec->user, r->nodes[i].first, first, count, own,
                        r->packed[0]);
    }
}

static void finish(moi_reduction *r, int64_t first, int64_t count)
{
    float *result = moi_reduction_result(r) + first;
    add_up(r, first, count);
    if (r->list[0] != result)
        memcpy(result, r->list[0], (size_t)count * sizeof(float));
}

/* Another rank's array. */
static float *array_of(const moi_reduction *r, int32_t rank, int64_t array)
{
    return (float *)moi_commons_block(r->commons, rank) + array * r->stride;
}

/* Where all are seen: nothing travels. */
static void list_others(moi_reduction *r, int64_t mine)
{
    node theirs[NODES];
    r->room_used = 0;
    for (int32_t k = 0; k < r->group->size; k++) {
        int64_t count = k == r->group->rank
                            ? 0 : list_nodes(r, r->parts, k, theirs);
        for (int64_t i = 0; i < count; i++)
            r->list[theirs[i].first] = array_of(r, k, i) + mine;
    }
}

static int32_t scatter(moi_reduction *r, const int64_t *cuts,
                       const mopt_cancel *cancel)
{
    const mopt_group *g = r->group;
    int64_t mine = cuts[g->rank], width = cuts[g->rank + 1] - mine;
    float *room = r->room;
    int32_t rc = MOPT_OK;
    list_own(r, mine, width);
    if (r->commons != NULL)
        list_others(r, mine);
    for (int32_t k = 1; k < g->size && rc == MOPT_OK && r->commons == NULL;
         k++)
        rc = trade(r, cuts, (g->rank + k) % g->size,
                   (g->rank - k + g->size) % g->size, &room, cancel);
    if (rc == MOPT_OK)
        finish(r, mine, width);
    return rc;
}

/* Pass what one rank has packed on to all others, round by round: each rank's
 * i-th part at a time. */
static int32_t spread(moi_reduction *r, int64_t i, int64_t first,
                      int64_t count, float **room, const mopt_cancel *cancel)
{
    const mopt_group *g = r->group;
    node theirs[NODES];
    int32_t rc = MOPT_OK;
    const node *own = i < r->count ? &r->nodes[i] : NULL;
    if (own != NULL)
        r->codec->pack(r->codec->user, own->first, first, count,
                       r->arrays[own->array] + first, r->packed[0]);
    for (int32_t k = 1; k < g->size && rc == MOPT_OK; k++) {
        int32_t from = (g->rank - k + g->size) % g->size;
        int64_t has = list_nodes(r, r->parts, from, theirs);
        float *in = i < has ? *room : NULL;
        if (own == NULL && in == NULL)
            continue;
        rc = swap(r, (g->rank + k) % g->size, own, first, count, from, in,
                  count, cancel);
        if (in != NULL) {
            r->list[theirs[i].first] = in;
            *room += count;
        }
    }
    return rc;
}

static int32_t gather(moi_reduction *r, const int64_t *cuts,
                      const mopt_cancel *cancel)
{
    int64_t first = cuts[0], count = cuts[1] - cuts[0];
    int64_t most = r->most / r->group->size + 1;
    float *room = r->room;
    int32_t rc = MOPT_OK;
    list_own(r, first, count);
    for (int64_t i = 0; i < most && rc == MOPT_OK; i++)
        rc = spread(r, i, first, count, &room, cancel);
    if (rc == MOPT_OK)
        finish(r, first, count);
    return rc;
}

int32_t moi_reduction_scatter(moi_reduction *r, const int64_t *cuts,
                              const mopt_cancel *cancel)
{
    return r->codec != NULL && r->codec->all ? gather(r, cuts, cancel)
                                             : scatter(r, cuts, cancel);
}

/* A rank without a part of its own has an array all the same. */
float *moi_reduction_result(const moi_reduction *r)
{
    return r->arrays[r->count > 0 ? r->nodes[0].array : 0];
}

int32_t moi_reduction_meet(const moi_reduction *r)
{
    return r->commons != NULL ? moi_commons_meet(r->commons) : MOPT_OK;
}

/* Into the array of the result, which others see. */
void moi_reduction_put(const moi_reduction *r, const int64_t *cuts,
                       const float *data)
{
    int64_t first = cuts[r->group->rank];
    int64_t count = cuts[r->group->rank + 1] - first;
    if (r->commons != NULL && data != r->arrays[0])
        memcpy(r->arrays[0] + first, data + first,
               (size_t)count * sizeof(*data));
}

int32_t moi_reduction_take(const moi_reduction *r, const int64_t *cuts,
                           float *data, const mopt_cancel *cancel)
{
    if (r->commons == NULL)
        return moi_group_gather_cuts(r->group, data, cuts, cancel);
    for (int32_t i = 0; i < r->group->size; i++)
        if (i != r->group->rank)
            memcpy(data + cuts[i], array_of(r, i, 0) + cuts[i],
                   (size_t)(cuts[i + 1] - cuts[i]) * sizeof(*data));
    return MOPT_OK;
}
