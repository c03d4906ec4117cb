/* SPDX-License-Identifier: MIT
 * lib/group/collective.c: calls that all ranks make together, of messages.
 *
 * Small parts are gathered by doubling (Bruck et al. 1997): each round a rank
 * has twice as many parts as before. Large sums are cut into a piece a rank:
 * everybody sends each rank its piece, which adds them up by pairs and gives
 * the sum back (as Thakur, Rabenseifner and Gropp 2005 do for long messages,
 * but with one order of additions). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "group/group.h"
#include "group/pairs.h"

/* Sums of up to so many bytes in all are gathered whole, and parts of up to so
 * many go by doubling: fewer rounds. */
#define SMALL 65536
#define CELL 16 /* numbers that pieces are rounded to: a cache line */

static int32_t check_call(const mopt_group *group, const char *function,
                          const void *data, int64_t count, int64_t size)
{
    if (group == NULL || (data == NULL && count != 0))
        return moi_fail_null(function, group == NULL ? "group" : "data");
    int64_t most = MOI_GROUP_BYTES_MAX / group->size / size;
    if (count < 0 || count > most)
        return moi_fail(MOPT_EINVAL, "%s: the size is %lld, allowed are 0 to "
                        "%lld", function, (long long)count, (long long)most);
    return moi_group_usable(group);
}

/* ---- gathering ---- */

/* all begins with this rank's part, then the next rank's, and so on: turn it
 * so that it begins with rank 0's. */
static void turn(const mopt_group *g, char *all, size_t bytes, char *room)
{
    size_t head = (size_t)(g->size - g->rank) * bytes;
    size_t whole = (size_t)g->size * bytes;
    /* The front belongs to this rank and those after it, the rest to rank 0
     * and on. */
    memcpy(room, all, head);
    memmove(all, all + head, whole - head);
    memcpy(all + (whole - head), room, head);
}

static int32_t double_up(mopt_group *g, const void *part, int64_t bytes,
                         char *all, const mopt_cancel *cancel)
{
    int32_t rc = MOPT_OK;
    memmove(all, part, (size_t)bytes);
    for (int32_t have = 1; have < g->size && rc == MOPT_OK; have *= 2) {
        int32_t more = have < g->size - have ? have : g->size - have;
        int32_t down = (g->rank - have + g->size) % g->size;
        int32_t up = (g->rank + have) % g->size;
        rc = moi_group_exchange(g, down, all, more * bytes, up,
                                all + have * bytes, more * bytes, cancel);
    }
    return rc;
}

static int32_t gather_small(mopt_group *g, const void *part, int64_t bytes,
                            char *all, const mopt_cancel *cancel)
{
    char *room = NULL;
    if (g->rank > 0)
        room = moi_alloc(g->ctx, g->size - g->rank, (size_t)bytes);
    if (g->rank > 0 && room == NULL)
        return MOPT_ENOMEM;
    int32_t rc = double_up(g, part, bytes, all, cancel);
    if (rc == MOPT_OK && g->rank > 0)
        turn(g, all, (size_t)bytes, room);
    moi_free(g->ctx, room);
    return rc;
}

/* Where a rank's piece begins, counted in some unit; NULL: each has one. */
static int64_t place_of(const int64_t *cuts, int32_t rank)
{
    return cuts != NULL ? cuts[rank] : rank;
}

/* Round by round, each rank hands its own piece, of units of some bytes, to one
 * that is farther away: what comes is where it belongs. The first are the same
 * two as in doubling, so that ranks that do not agree about sizes find out. */
static int32_t hand_round(mopt_group *g, char *all, const int64_t *cuts,
                          int64_t unit, const mopt_cancel *cancel)
{
    int64_t mine = place_of(cuts, g->rank) * unit;
    int64_t own = place_of(cuts, g->rank + 1) * unit - mine;
    int32_t rc = MOPT_OK;
    for (int32_t k = 1; k < g->size && rc == MOPT_OK; k++) {
        int32_t to = (g->rank - k + g->size) % g->size;
        int32_t from = (g->rank + k) % g->size;
        int64_t theirs = place_of(cuts, from) * unit;
        int64_t arriving = place_of(cuts, from + 1) * unit - theirs;
        rc = moi_group_exchange(g, to, all + mine, own, from, all + theirs,
                                arriving, cancel);
    }
    return rc;
}

static int32_t gather_large(mopt_group *g, const void *part, int64_t bytes,
                            char *all, const mopt_cancel *cancel)
{
    char *own = all + g->rank * bytes;
    if (own != part)
        memmove(own, part, (size_t)bytes);
    return hand_round(g, all, NULL, bytes, cancel);
}

int32_t moi_group_gather(mopt_group *g, const void *part, int64_t bytes,
                         void *all, const mopt_cancel *cancel)
{
    const mopt_group_table *table = &g->link->table;
    const uint64_t told = moi_errors_told();
    if (moi_group_has(g, all_gather)) {
        int32_t rc = table->all_gather(table->user, part, bytes, all,
                                       g->timeout, cancel);
        return moi_group_end(g, "gathering", told, rc);
    }
    if (bytes == 0)
        return MOPT_OK;
    return g->size <= 2 || bytes > SMALL
               ? gather_large(g, part, bytes, all, cancel)
               : gather_small(g, part, bytes, all, cancel);
}

int32_t mopt_group_all_gather(mopt_group *group, const void *part,
                              int64_t bytes, void *all, mopt_cancel *cancel)
{
    const char *function = "mopt_group_all_gather";
    int32_t rc = check_call(group, function, part, bytes, 1);
    if (rc == MOPT_OK && all == NULL && bytes != 0)
        rc = moi_fail_null(function, "all");
    return rc == MOPT_OK ? moi_group_gather(group, part, bytes, all, cancel)
                         : rc;
}

/* Pieces differ in size: doubling would have to pack them. */
int32_t moi_group_gather_cuts(mopt_group *g, float *data, const int64_t *cuts,
                              const mopt_cancel *cancel)
{
    return hand_round(g, (char *)data, cuts, (int64_t)sizeof(*data), cancel);
}

/* ---- from one to all ---- */

/* By a tree: whoever has it gives it to the one that is half the rest away. */
static int32_t spread(mopt_group *g, int32_t root, void *data, int64_t bytes,
                      const mopt_cancel *cancel)
{
    int32_t me = (g->rank - root + g->size) % g->size, top = 1;
    while (top < g->size)
        top *= 2;
    for (int32_t step = top / 2; step > 0; step /= 2) {
        int32_t rc = MOPT_OK;
        if (me % (2 * step) == step)
            rc = moi_group_receive(g, (me - step + root) % g->size, data,
                                   bytes, cancel);
        else if (me % (2 * step) == 0 && me + step < g->size)
            rc = moi_group_send(g, (me + step + root) % g->size, data, bytes,
                                cancel);
        if (rc != MOPT_OK)
            return rc;
    }
    return MOPT_OK;
}

int32_t mopt_group_broadcast(mopt_group *group, int32_t root, void *data,
                             int64_t bytes, mopt_cancel *cancel)
{
    const uint64_t told = moi_errors_told();
    int32_t rc = check_call(group, "mopt_group_broadcast", data, bytes, 1);
    if (rc != MOPT_OK)
        return rc;
    if (root < 0 || root >= group->size)
        return moi_fail(MOPT_EINVAL, "mopt_group_broadcast: root is %d, "
                        "allowed are 0 to %d", (int)root,
                        (int)group->size - 1);
    if (!moi_group_has(group, broadcast))
        return spread(group, root, data, bytes, cancel);
    rc = group->link->table.broadcast(group->link->table.user, root, data,
                                      bytes, group->timeout, cancel);
    return moi_group_end(group, "broadcasting", told, rc);
}

int32_t mopt_group_barrier(mopt_group *group, mopt_cancel *cancel)
{
    if (group == NULL)
        return moi_fail_null("mopt_group_barrier", "group");
    const mopt_group_table *table = &group->link->table;
    const uint64_t told = moi_errors_told();
    int32_t rc = moi_group_usable(group);
    if (rc == MOPT_OK && moi_group_has(group, barrier)) {
        rc = table->barrier(table->user, group->timeout, cancel);
        return moi_group_end(group, "waiting", told, rc);
    }
    /* By doubling: after each round a rank has heard of twice as many. */
    for (int32_t step = 1; rc == MOPT_OK && step < group->size; step *= 2)
        rc = moi_group_exchange(
            group, (group->rank + step) % group->size, NULL, 0,
            (group->rank - step + group->size) % group->size, NULL, 0, cancel);
    return rc;
}

/* ---- numbers of either width ---- */

typedef struct numbers {
    int32_t wide; /* double */
    int64_t size; /* bytes of one */
} numbers;

static const numbers floats = {0, sizeof(float)};
static const numbers doubles = {1, sizeof(double)};

/* One NaN makes the result NaN, whichever rank has it. */
static double chosen(int32_t op, double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    return (op == MOPT_MIN) == (b < a) && a != b ? b : a;
}

static void choose(const numbers *kind, int32_t op, int64_t n, void *to,
                   const void *from)
{
    for (int64_t i = 0; i < n; i++)
        if (kind->wide)
            ((double *)to)[i] = chosen(op, ((double *)to)[i],
                                       ((const double *)from)[i]);
        else
            ((float *)to)[i] = (float)chosen(op, ((float *)to)[i],
                                             ((const float *)from)[i]);
}

/* Combine parts[count] into the first; rows of n numbers. */
static void combine(const numbers *kind, int32_t op, int32_t count, int64_t n,
                    void **parts)
{
    if (op == MOPT_SUM && kind->wide)
        moi_pairs_add_doubles(count, (double *const *)(void *)parts, n);
    else if (op == MOPT_SUM)
        moi_pairs_add(count, (float *const *)(void *)parts, n);
    else
        for (int32_t i = 1; i < count; i++)
            choose(kind, op, n, parts[0], parts[i]);
}

/* ---- combining ---- */

/* Room for a row from each rank, and the list of them. */
static char *take_rows(mopt_group *g, int64_t bytes, void ***list)
{
    int64_t row = (bytes + 63) / 64 * 64;
    int64_t lists = ((int64_t)sizeof(void *) * g->size + 63) / 64 * 64;
    char *room = moi_alloc(g->ctx, lists + row * g->size, 1);
    if (room == NULL)
        return NULL;
    *list = (void **)(void *)room;
    for (int32_t i = 0; i < g->size; i++)
        (*list)[i] = room + lists + i * row;
    return room;
}

static int32_t reduce_small(mopt_group *g, const numbers *kind, int32_t op,
                            void *data, int64_t n, const mopt_cancel *cancel)
{
    void **rows = NULL;
    int64_t bytes = n * kind->size;
    char *all = moi_alloc(g->ctx, g->size, (size_t)bytes);
    char *room = take_rows(g, 0, &rows);
    int32_t rc = all != NULL && room != NULL
                     ? moi_group_gather(g, data, bytes, all, cancel)
                     : MOPT_ENOMEM;
    if (rc == MOPT_OK) {
        for (int32_t i = 0; i < g->size; i++)
            rows[i] = all + i * bytes;
        combine(kind, op, g->size, n, rows);
        memcpy(data, rows[0], (size_t)bytes);
    }
    moi_free(g->ctx, all);
    moi_free(g->ctx, room);
    return rc;
}

/* Where the ranks' pieces of n numbers begin, in steps of a cell. */
static void set_cuts(const mopt_group *g, int64_t n, int64_t cell,
                     int64_t *cuts)
{
    int64_t cells = (n + cell - 1) / cell;
    for (int32_t i = 0; i <= g->size; i++) {
        int64_t at = (cells / g->size * i + cells % g->size * i / g->size);
        cuts[i] = at * cell < n ? at * cell : n;
    }
}

static int64_t *cut(const mopt_group *g, int64_t n, int64_t cell)
{
    int64_t *cuts = moi_alloc(g->ctx, g->size + 1, sizeof(*cuts));
    if (cuts != NULL)
        set_cuts(g, n, cell, cuts);
    return cuts;
}

/* Combine this rank's piece of floats over the ranks, whose pieces come into
 * rows; this rank's row is its piece itself. */
static int32_t reduce_rows(mopt_group *g, int32_t op, float *data,
                           const int64_t *cuts, void **rows,
                           const mopt_cancel *cancel)
{
    const int64_t size = (int64_t)sizeof(*data);
    int64_t mine = cuts[g->rank], count = cuts[g->rank + 1] - mine;
    int32_t rc = MOPT_OK;
    rows[g->rank] = data + mine;
    for (int32_t k = 1; k < g->size && rc == MOPT_OK; k++) {
        int32_t to = (g->rank + k) % g->size;
        int32_t from = (g->rank - k + g->size) % g->size;
        rc = moi_group_exchange(g, to, data + cuts[to],
                                (cuts[to + 1] - cuts[to]) * size, from,
                                rows[from], count * size, cancel);
    }
    if (rc == MOPT_OK) {
        combine(&floats, op, g->size, count, rows);
        if (g->rank != 0)
            memcpy(data + mine, rows[0], (size_t)(count * size));
    }
    return rc;
}

static int32_t reduce_piece(mopt_group *g, int32_t op, float *data,
                            const int64_t *cuts, const mopt_cancel *cancel)
{
    int64_t count = cuts[g->rank + 1] - cuts[g->rank];
    void **rows = NULL;
    char *room = take_rows(g, count * (int64_t)sizeof(*data), &rows);
    int32_t rc = room != NULL ? reduce_rows(g, op, data, cuts, rows, cancel)
                              : MOPT_ENOMEM;
    moi_free(g->ctx, room);
    return rc;
}

static int32_t reduce_large(mopt_group *g, int32_t op, float *data, int64_t n,
                            const mopt_cancel *cancel)
{
    int64_t *cuts = cut(g, n, CELL);
    int32_t rc = cuts != NULL ? reduce_piece(g, op, data, cuts, cancel)
                              : MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = moi_group_gather_cuts(g, data, cuts, cancel);
    moi_free(g->ctx, cuts);
    return rc;
}

/* ---- sums in given room ---- */

/* The room begins with cuts and the list of rows, in floats. */
static int64_t head_of(const mopt_group *g)
{
    int64_t bytes = (g->size + 1) * (int64_t)sizeof(int64_t) +
                    g->size * (int64_t)sizeof(void *);
    return (bytes / (int64_t)sizeof(float) + CELL) / CELL * CELL;
}

static int64_t widest_piece(const mopt_group *g, int64_t n)
{
    return ((n + CELL - 1) / CELL / g->size + 1) * CELL;
}

int64_t moi_group_sum_room(const mopt_group *g, int64_t n)
{
    return head_of(g) + g->size * widest_piece(g, n);
}

int32_t moi_group_sum(mopt_group *g, float *data, int64_t n, float *room,
                      const mopt_cancel *cancel)
{
    int64_t *cuts = (int64_t *)(void *)room;
    void **rows = (void **)(void *)(cuts + g->size + 1);
    if (g->size == 1)
        return MOPT_OK;
    set_cuts(g, n, CELL, cuts);
    for (int32_t i = 0; i < g->size; i++)
        rows[i] = room + head_of(g) + i * widest_piece(g, n);
    int32_t rc = reduce_rows(g, MOPT_SUM, data, cuts, rows, cancel);
    return rc == MOPT_OK ? moi_group_gather_cuts(g, data, cuts, cancel) : rc;
}

static int32_t check_op(const char *function, int32_t op)
{
    if (op == MOPT_SUM || op == MOPT_MIN || op == MOPT_MAX)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "%s: op is %d, allowed are MOPT_SUM, "
                    "MOPT_MIN and MOPT_MAX", function, (int)op);
}

int32_t mopt_group_all_reduce(mopt_group *group, int32_t op, float *data,
                              int64_t count, mopt_cancel *cancel)
{
    const char *function = "mopt_group_all_reduce";
    const uint64_t told = moi_errors_told();
    int32_t rc = check_call(group, function, data, count, floats.size);
    if (rc == MOPT_OK)
        rc = check_op(function, op);
    if (rc != MOPT_OK || group->size == 1 || count == 0)
        return rc;
    if (moi_group_has(group, all_reduce)) {
        rc = group->link->table.all_reduce(group->link->table.user, op, data,
                                           count, group->timeout, cancel);
        return moi_group_end(group, "adding up", told, rc);
    }
    if (count * group->size <= SMALL / floats.size)
        return reduce_small(group, &floats, op, data, count, cancel);
    return reduce_large(group, op, data, count, cancel);
}

/* Doubles are few: metrics and losses. */
int32_t mopt_group_all_reduce_double(mopt_group *group, int32_t op,
                                     double *data, int64_t count,
                                     mopt_cancel *cancel)
{
    const char *function = "mopt_group_all_reduce_double";
    int32_t rc = check_call(group, function, data, count, doubles.size);
    if (rc == MOPT_OK)
        rc = check_op(function, op);
    if (rc != MOPT_OK || group->size == 1 || count == 0)
        return rc;
    return reduce_small(group, &doubles, op, data, count, cancel);
}

int32_t mopt_group_reduce_scatter(mopt_group *group, int32_t op, float *all,
                                  int64_t count, float *part,
                                  mopt_cancel *cancel)
{
    const char *function = "mopt_group_reduce_scatter";
    const uint64_t told = moi_errors_told();
    int32_t rc = check_call(group, function, all, count, floats.size);
    if (rc == MOPT_OK && part == NULL && count != 0)
        rc = moi_fail_null(function, "part");
    if (rc == MOPT_OK)
        rc = check_op(function, op);
    if (rc != MOPT_OK || count == 0)
        return rc;
    if (moi_group_has(group, reduce_scatter)) {
        rc = group->link->table.reduce_scatter(group->link->table.user, op,
                                               all, count, part,
                                               group->timeout, cancel);
        return moi_group_end(group, "adding up", told, rc);
    }
    int64_t *cuts = cut(group, count * group->size, count);
    rc = cuts != NULL ? reduce_piece(group, op, all, cuts, cancel)
                      : MOPT_ENOMEM;
    moi_free(group->ctx, cuts);
    if (rc == MOPT_OK && part != all + group->rank * count)
        memmove(part, all + group->rank * count,
                (size_t)count * sizeof(*part));
    return rc;
}

/* ---- agreeing ---- */

/* For lack of memory, say: the others may be waiting for this rank. */
static int32_t give_up(mopt_group *g, int32_t code)
{
    mopt_group_abort(g, code);
    return code;
}

int32_t moi_group_agree(mopt_group *g, const char *what, uint64_t digest,
                        const mopt_cancel *cancel)
{
    uint64_t *all = moi_alloc(g->ctx, g->size, sizeof(*all));
    int32_t differ = 0, first = 0;
    int32_t rc = all != NULL
                     ? moi_group_gather(g, &digest, sizeof(digest), all,
                                        cancel)
                     : MOPT_ENOMEM;
    for (int32_t i = g->size - 1; rc == MOPT_OK && i > 0; i--)
        if (all[i] != all[0]) {
            differ++;
            first = i;
        }
    moi_free(g->ctx, all);
    if (rc != MOPT_OK)
        return give_up(g, rc);
    if (differ == 0)
        return rc;
    return moi_fail(MOPT_EINVAL, "the ranks do not have the same %s: %d of %d "
                    "differ from rank 0, the first is rank %d", what,
                    (int)differ, (int)g->size, (int)first);
}

/* How it went for every rank; the caller frees it, also on an error. */
static int32_t *gather_outcomes(mopt_group *g, int32_t status, int32_t *rc)
{
    int32_t *all = moi_alloc(g->ctx, g->size, sizeof(*all));
    *rc = all != NULL ? mopt_group_all_gather(g, &status, sizeof(status), all,
                                              NULL)
                      : MOPT_ENOMEM;
    if (*rc != MOPT_OK)
        give_up(g, *rc);
    return all;
}

int32_t moi_group_settle(mopt_group *g, int32_t status)
{
    int32_t first = 0, theirs = MOPT_OK, rc;
    int32_t *all = gather_outcomes(g, status, &rc);
    for (int32_t i = g->size - 1; rc == MOPT_OK && i >= 0; i--)
        if (all[i] != MOPT_OK) {
            first = i;
            theirs = all[i];
        }
    moi_free(g->ctx, all);
    if (status != MOPT_OK || rc != MOPT_OK)
        return status != MOPT_OK ? status : rc;
    return theirs == MOPT_OK ? MOPT_OK
                             : moi_fail(MOPT_EPEER, "rank %d gave up with %s",
                                        (int)first, mopt_status_name(theirs));
}

/* Ranks with MOPT_EPEER only heard of the cause. */
int32_t moi_group_unite(mopt_group *g, int32_t status)
{
    int32_t first = 0, cause = MOPT_OK, rc;
    int32_t *all = gather_outcomes(g, status, &rc);
    for (int32_t i = g->size - 1; rc == MOPT_OK && i >= 0; i--)
        if (all[i] != MOPT_OK && (all[i] != MOPT_EPEER || cause == MOPT_OK)) {
            first = i;
            cause = all[i];
        }
    moi_free(g->ctx, all);
    if (rc != MOPT_OK)
        return status != MOPT_OK ? status : rc;
    return cause == status || cause > 0
               ? cause : moi_fail(cause, "rank %d gave up with %s", (int)first,
                                  mopt_status_name(cause));
}
