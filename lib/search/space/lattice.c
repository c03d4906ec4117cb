/* SPDX-License-Identifier: MIT
 * lib/search/space/lattice.c: every point of a space, by its number. */
#include "search/space/lattice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* Bounds on the graph: entangled conditions can make it exponential. */
#define WORK_LIMIT ((int64_t)1 << 24) /* parameters looked at, in all sets */
#define DEPTH_LIMIT 500               /* nodes above one another */

/* A list of nodes whose counts multiply. */
typedef struct group {
    int64_t first, count; /* in links */
    int64_t points;
} group;

/* Values first .. first + count - 1 of a parameter, and what they lead to. */
typedef struct branch {
    int64_t first, count;
    int64_t start; /* points of the node before this branch */
    group rest;
} branch;

typedef struct node {
    int64_t param;
    int64_t first, count; /* in branches */
    int64_t points;
} node;

/* What a node was made from: the parameters that are still open. Those that a
 * decided condition has excluded are gone, so the set says it all. */
typedef struct memo {
    uint64_t hash;
    int64_t first, count; /* in members */
    int64_t node;         /* -1: free slot */
} memo;

struct moi_lattice {
    mopt_context *ctx;
    const mopt_space *space;
    int64_t points;
    group root;
    node *nodes;
    int64_t node_count, node_capacity;
    branch *branches;
    int64_t branch_count, branch_capacity;
    int64_t *links;
    int64_t link_count, link_capacity;
    /* While it is built. */
    int64_t *members;
    int64_t member_count, member_capacity;
    memo *memos;
    int64_t memo_count, memo_size;
    int64_t work;
    int64_t *place; /* [parameters], position in the set at hand, or -1 */
};

/* a * b, and a + b, of counts; INT64_MAX stays what it is. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;

    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t values_of(const moi_lattice *lattice, int64_t param)
{
    const int64_t count = lattice->space->params[param].domain.count;

    return count == INT64_MAX && lattice->points > 0 ? lattice->points : count;
}

/* The k-th value; a continuous range is cut into equal parts, or into equal
 * ratios on a logarithmic scale. One point stands in the middle. */
static double value_at(const moi_lattice *lattice, int64_t param, int64_t k)
{
    const moi_domain *domain = &lattice->space->params[param].domain;
    const int64_t last = lattice->points - 1;
    double share;

    if (domain->count != INT64_MAX)
        return moi_domain_value(domain, k);
    if (last > 0 && (k == 0 || k == last))
        return k == 0 ? domain->low : domain->high;
    share = last > 0 ? (double)k / (double)last : 0.5;
    if (domain->log)
        return exp(log(domain->low) * (1 - share) +
                   log(domain->high) * share);
    return domain->low * (1 - share) + domain->high * share;
}

static int32_t build_group(moi_lattice *lattice, const int64_t *set,
                           int64_t count, int32_t depth, group *out);

/* First k whose value is at least v (above v when above is 1). */
static int64_t lower(const moi_lattice *lattice, int64_t param, double v,
                     int32_t above)
{
    int64_t low = 0, high = values_of(lattice, param);

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const double value = value_at(lattice, param, middle);

        if (above ? value <= v : value < v)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int ascending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Where the values of a parameter stop doing what their neighbours do: every
 * edge of a condition on it among the set. Sorted, with 0 and the count. */
static int32_t find_edges(moi_lattice *lattice, int64_t param,
                          const int64_t *set, int64_t count, int64_t **edges,
                          int64_t *edge_count)
{
    int64_t *list = NULL, capacity = 0, used = 0, i, j, k;
    int32_t rc = moi_grow(lattice->ctx, (void **)&list, &capacity, 2,
                          sizeof(*list));

    if (rc)
        return rc;
    list[used++] = 0;
    list[used++] = values_of(lattice, param);
    for (i = 0; i < count; i++) {
        const moi_param *child = &lattice->space->params[set[i]];

        for (j = 0; j < child->count; j++) {
            const moi_condition *condition = &child->conditions[j];

            if (condition->parent != param)
                continue;
            rc = moi_grow(lattice->ctx, (void **)&list, &capacity,
                          used + 2 + 2 * condition->count, sizeof(*list));
            if (rc) {
                moi_free(lattice->ctx, list);
                return rc;
            }
            list[used++] = lower(lattice, param, condition->min, 0);
            list[used++] = lower(lattice, param, condition->max, 1);
            for (k = 0; k < condition->count; k++) {
                list[used++] = lower(lattice, param, condition->values[k], 0);
                list[used++] = lower(lattice, param, condition->values[k], 1);
            }
        }
    }
    qsort(list, (size_t)used, sizeof(*list), ascending);
    *edges = list;
    *edge_count = used;
    return MOPT_OK;
}

/* Of the set without its first, those who can still exist once that one has a
 * value. The set is in the order of the space: parents come first. */
static int64_t survivors(moi_lattice *lattice, const int64_t *set,
                         int64_t count, double value, int64_t *left)
{
    const mopt_space *space = lattice->space;
    int64_t *place = lattice->place;
    int64_t i, j, kept = 0;

    for (i = 0; i < count; i++)
        place[set[i]] = i;
    for (i = 1; i < count; i++) {
        const moi_param *param = &space->params[set[i]];
        int32_t lives = 1;

        for (j = 0; lives && j < param->count; j++) {
            const moi_condition *condition = &param->conditions[j];

            if (condition->parent == set[0])
                lives = moi_condition_holds(condition, value);
            else
                lives = place[condition->parent] != -2;
        }
        if (lives)
            left[kept++] = set[i];
        else
            place[set[i]] = -2; /* dead: so are its children */
    }
    for (i = 0; i < count; i++)
        place[set[i]] = -1;
    return kept;
}

static int32_t add_branch(moi_lattice *lattice, const branch *item)
{
    int32_t rc = moi_grow(lattice->ctx, (void **)&lattice->branches,
                          &lattice->branch_capacity,
                          lattice->branch_count + 1, sizeof(*item));

    if (!rc)
        lattice->branches[lattice->branch_count++] = *item;
    return rc;
}

/* The branches of a set's first parameter into list, which the caller frees.
 * They are gathered apart, since building what they lead to adds branches. */
static int32_t build_branches(moi_lattice *lattice, const int64_t *set,
                              int64_t count, int32_t depth,
                              const int64_t *edges, int64_t edge_count,
                              branch *list, int64_t *used, int64_t *left)
{
    int64_t i, kept;
    int32_t rc;

    for (i = 0; i + 1 < edge_count; i++) {
        branch *item = &list[*used];

        if (edges[i] == edges[i + 1])
            continue;
        item->first = edges[i];
        item->count = edges[i + 1] - edges[i];
        kept = survivors(lattice, set, count,
                         value_at(lattice, set[0], edges[i]), left);
        rc = build_group(lattice, left, kept, depth + 1, &item->rest);
        if (rc)
            return rc;
        (*used)++;
    }
    return MOPT_OK;
}

static int32_t add_node(moi_lattice *lattice, int64_t param, branch *list,
                        int64_t count, int64_t *index)
{
    node item = {param, lattice->branch_count, count, 0};
    int64_t i;
    int32_t rc;

    for (i = 0; i < count; i++) {
        list[i].start = item.points;
        item.points = plus(item.points,
                           times(list[i].count, list[i].rest.points));
        if ((rc = add_branch(lattice, &list[i])))
            return rc;
    }
    rc = moi_grow(lattice->ctx, (void **)&lattice->nodes,
                  &lattice->node_capacity, lattice->node_count + 1,
                  sizeof(item));
    if (rc)
        return rc;
    *index = lattice->node_count;
    lattice->nodes[lattice->node_count++] = item;
    return MOPT_OK;
}

/* A continuous range without points: whatever hangs on it, it is infinite. */
static int32_t build_endless(moi_lattice *lattice, int64_t param,
                             int64_t *index)
{
    branch all = {0, INT64_MAX, 0, {0, 0, 1}};

    return add_node(lattice, param, &all, 1, index);
}

/* The node of a set of parameters that hang together. */
static int32_t build_node(moi_lattice *lattice, const int64_t *set,
                          int64_t count, int32_t depth, int64_t *index)
{
    int64_t *edges = NULL, *left = NULL, edge_count = 0, used = 0;
    branch *list = NULL;
    int32_t rc;

    if (values_of(lattice, set[0]) == INT64_MAX)
        return build_endless(lattice, set[0], index);
    if (depth > DEPTH_LIMIT)
        return moi_fail(MOPT_ERANGE, "conditions nest too deeply to count the "
                        "points");
    rc = find_edges(lattice, set[0], set, count, &edges, &edge_count);
    if (rc)
        return rc;
    rc = MOPT_ENOMEM;
    left = moi_alloc(lattice->ctx, count, sizeof(*left));
    list = moi_calloc(lattice->ctx, edge_count, sizeof(*list));
    if (left && list)
        rc = build_branches(lattice, set, count, depth, edges, edge_count,
                            list, &used, left);
    if (!rc)
        rc = add_node(lattice, set[0], list, used, index);
    moi_free(lattice->ctx, edges);
    moi_free(lattice->ctx, left);
    moi_free(lattice->ctx, list);
    return rc;
}

static uint64_t hash_set(const int64_t *set, int64_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    int64_t i;

    for (i = 0; i < count; i++)
        hash = (hash ^ (uint64_t)set[i]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 32);
}

/* The slot of a set: where it stands, or the free one where it belongs. */
static memo *find_memo(const moi_lattice *lattice, uint64_t hash,
                       const int64_t *set, int64_t count)
{
    uint64_t at = hash;

    for (;; at++) {
        memo *slot = &lattice->memos[at & (uint64_t)(lattice->memo_size - 1)];

        if (slot->node < 0 ||
            (slot->hash == hash && slot->count == count &&
             memcmp(&lattice->members[slot->first], set,
                    (size_t)count * sizeof(*set)) == 0))
            return slot;
    }
}

static int32_t grow_memos(moi_lattice *lattice)
{
    const int64_t old_size = lattice->memo_size;
    memo *old = lattice->memos;
    int64_t i, size = old_size ? 2 * old_size : 64;
    memo *table = moi_alloc(lattice->ctx, size, sizeof(*table));

    if (!table)
        return MOPT_ENOMEM;
    for (i = 0; i < size; i++)
        table[i].node = -1;
    lattice->memos = table;
    lattice->memo_size = size;
    for (i = 0; i < old_size; i++)
        if (old[i].node >= 0)
            *find_memo(lattice, old[i].hash, &lattice->members[old[i].first],
                       old[i].count) = old[i];
    moi_free(lattice->ctx, old);
    return MOPT_OK;
}

static int32_t remember(moi_lattice *lattice, const int64_t *set,
                        int64_t count, int64_t index)
{
    const uint64_t hash = hash_set(set, count);
    int32_t rc = MOPT_OK;

    if (2 * (lattice->memo_count + 1) > lattice->memo_size)
        rc = grow_memos(lattice);
    if (!rc)
        rc = moi_grow(lattice->ctx, (void **)&lattice->members,
                      &lattice->member_capacity,
                      lattice->member_count + count, sizeof(*set));
    if (rc)
        return rc;
    memcpy(&lattice->members[lattice->member_count], set,
           (size_t)count * sizeof(*set));
    *find_memo(lattice, hash, set, count) =
        (memo){hash, lattice->member_count, count, index};
    lattice->member_count += count;
    lattice->memo_count++;
    return MOPT_OK;
}

/* As build_node, but each set once. */
static int32_t node_of(moi_lattice *lattice, const int64_t *set,
                       int64_t count, int32_t depth, int64_t *index)
{
    int32_t rc;

    if (lattice->memo_size > 0) {
        const memo *slot = find_memo(lattice, hash_set(set, count), set,
                                     count);

        if (slot->node >= 0) {
            *index = slot->node;
            return MOPT_OK;
        }
    }
    rc = build_node(lattice, set, count, depth, index);
    return rc ? rc : remember(lattice, set, count, *index);
}

/* Root of a position in a union-find forest, its path halved. */
static int64_t find_root(int64_t *forest, int64_t i)
{
    while (forest[i] != i)
        i = forest[i] = forest[forest[i]];
    return i;
}

/* Which members of a set hang together: forest[i] becomes the position of the
 * first member of i's part. */
static void divide(moi_lattice *lattice, const int64_t *set, int64_t count,
                   int64_t *forest)
{
    int64_t i, j;

    for (i = 0; i < count; i++) {
        lattice->place[set[i]] = i;
        forest[i] = i;
    }
    for (i = 0; i < count; i++) {
        const moi_param *param = &lattice->space->params[set[i]];

        for (j = 0; j < param->count; j++) {
            const int64_t at = lattice->place[param->conditions[j].parent];
            int64_t a, b;

            if (at < 0)
                continue;
            a = find_root(forest, at);
            b = find_root(forest, i);
            if (a < b)
                forest[b] = a;
            else
                forest[a] = b;
        }
    }
    for (i = 0; i < count; i++) {
        forest[i] = find_root(forest, i);
        lattice->place[set[i]] = -1;
    }
}

/* Put the members of each part side by side, the parts in the order of their
 * first members: sizes[i] is the size of the part whose first is at i. */
static void gather(const int64_t *set, int64_t count, const int64_t *forest,
                   int64_t *sizes, int64_t *next, int64_t *gathered)
{
    int64_t i, at = 0;

    memset(sizes, 0, (size_t)count * sizeof(*sizes));
    for (i = 0; i < count; i++)
        sizes[forest[i]]++;
    for (i = 0; i < count; i++) {
        next[i] = at;
        at += sizes[i];
    }
    for (i = 0; i < count; i++)
        gathered[next[forest[i]]++] = set[i];
}

/* The nodes of a set's parts into nodes. */
static int32_t build_parts(moi_lattice *lattice, const int64_t *gathered,
                           int64_t count, int32_t depth,
                           const int64_t *sizes, int64_t *nodes,
                           int64_t *used)
{
    int64_t i;
    int32_t rc = MOPT_OK;

    for (i = 0; !rc && i < count; i++) {
        if (sizes[i] == 0)
            continue;
        rc = node_of(lattice, gathered, sizes[i], depth, &nodes[*used]);
        gathered += sizes[i];
        (*used)++;
    }
    return rc;
}

static int32_t add_links(moi_lattice *lattice, const int64_t *nodes,
                         int64_t count, group *out)
{
    group result = {lattice->link_count, count, 1};
    int64_t i;
    int32_t rc;

    rc = moi_grow(lattice->ctx, (void **)&lattice->links,
                  &lattice->link_capacity, lattice->link_count + count,
                  sizeof(*nodes));
    if (rc)
        return rc;
    for (i = 0; i < count; i++) {
        lattice->links[lattice->link_count++] = nodes[i];
        result.points = times(result.points,
                              lattice->nodes[nodes[i]].points);
    }
    *out = result;
    return MOPT_OK;
}

static int32_t build_group(moi_lattice *lattice, const int64_t *set,
                           int64_t count, int32_t depth, group *out)
{
    int64_t *work, *nodes, *sizes, *gathered, used = 0;
    int32_t rc;

    if (count == 0) {
        *out = (group){0, 0, 1};
        return MOPT_OK;
    }
    lattice->work += count;
    if (lattice->work > WORK_LIMIT)
        return moi_fail(MOPT_ERANGE, "the conditions are too entangled to "
                        "count the points");
    work = moi_alloc(lattice->ctx, 4 * count, sizeof(*work));
    if (!work)
        return MOPT_ENOMEM;
    nodes = work + count;
    sizes = work + 2 * count;
    gathered = work + 3 * count;
    divide(lattice, set, count, work);
    gather(set, count, work, sizes, nodes, gathered);
    rc = build_parts(lattice, gathered, count, depth, sizes, nodes, &used);
    if (!rc)
        rc = add_links(lattice, nodes, used, out);
    moi_free(lattice->ctx, work);
    return rc;
}

/* What only building needs. */
static void free_scaffold(moi_lattice *lattice)
{
    moi_free(lattice->ctx, lattice->members);
    moi_free(lattice->ctx, lattice->memos);
    moi_free(lattice->ctx, lattice->place);
    lattice->members = NULL;
    lattice->memos = NULL;
    lattice->place = NULL;
}

static int32_t build(moi_lattice *lattice)
{
    const int64_t count = lattice->space->count;
    int64_t *set = moi_alloc(lattice->ctx, count, sizeof(*set));
    int64_t i;
    int32_t rc = MOPT_ENOMEM;

    lattice->place = moi_alloc(lattice->ctx, count, sizeof(*set));
    if (set && lattice->place) {
        for (i = 0; i < count; i++) {
            set[i] = i;
            lattice->place[i] = -1;
        }
        rc = build_group(lattice, set, count, 0, &lattice->root);
    }
    moi_free(lattice->ctx, set);
    free_scaffold(lattice);
    return rc;
}

int32_t moi_lattice_create(const mopt_space *space, int64_t points,
                           moi_lattice **out)
{
    moi_lattice *lattice = moi_calloc(space->ctx, 1, sizeof(*lattice));
    int32_t rc;

    if (!lattice)
        return MOPT_ENOMEM;
    lattice->ctx = space->ctx;
    lattice->space = space;
    lattice->points = points;
    rc = build(lattice);
    if (rc) {
        moi_lattice_free(lattice);
        return rc;
    }
    *out = lattice;
    return MOPT_OK;
}

void moi_lattice_free(moi_lattice *lattice)
{
    if (!lattice)
        return;
    free_scaffold(lattice);
    moi_free(lattice->ctx, lattice->nodes);
    moi_free(lattice->ctx, lattice->branches);
    moi_free(lattice->ctx, lattice->links);
    moi_free(lattice->ctx, lattice);
}

int64_t moi_lattice_count(const moi_lattice *lattice)
{
    return lattice->root.points;
}

/* Give the parameters of a group their values: number in the mixed radix of
 * its nodes' counts, the last one fastest. */
static void walk(const moi_lattice *lattice, const group *at, int64_t number,
                 double *point)
{
    int64_t i;

    for (i = at->count - 1; i >= 0; i--) {
        const node *item = &lattice->nodes[lattice->links[at->first + i]];
        const branch *list = &lattice->branches[item->first];
        const int64_t digit = number % item->points;
        int64_t low = 0, high = item->count - 1;

        number /= item->points;
        while (low < high) {
            const int64_t middle = high - (high - low) / 2;

            if (list[middle].start <= digit)
                low = middle;
            else
                high = middle - 1;
        }
        point[item->param] =
            value_at(lattice, item->param,
                     list[low].first +
                         (digit - list[low].start) / list[low].rest.points);
        walk(lattice, &list[low].rest,
             (digit - list[low].start) % list[low].rest.points, point);
    }
}

void moi_lattice_point(const moi_lattice *lattice, int64_t number,
                       double *point)
{
    int64_t i;

    for (i = 0; i < lattice->space->count; i++)
        point[i] = NAN;
    walk(lattice, &lattice->root, number, point);
}
