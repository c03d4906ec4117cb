/* SPDX-License-Identifier: MIT
 * tests/unit/group/test_group.c: groups of threads, collective calls, sums in
 * one order, ranks that are late or gone. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "group/commons.h"
#include "group/group.h"
#include "group/pairs.h"
#include "group/reduction.h"
#include "kit.h"
#include "ranks.h"

static mopt_context *ctx;

static void begin(void) { ctx = kit_begin(); }
static void end(void) { kit_end(ctx); }

static void on_all(int32_t size, mopt_rank_fn fn, void *user)
{
    kit_ok(mopt_group_run(ctx, size, 20, fn, user));
}

/* ---- pairs ---- */

/* However parts are dealt out to ranks, the bits are the same. */
START_TEST(pairs_do_not_depend_on_who_adds)
{
    enum { PARTS = 13 };
    for (int64_t ranks = 1; ranks <= PARTS; ranks++) {
        float values[PARTS], *part[PARTS] = {NULL};
        for (int32_t i = 0; i < PARTS; i++)
            values[i] = ranks_number(i, 0);
        for (int64_t r = 0; r < ranks; r++) {
            int64_t at = PARTS * r / ranks, limit = PARTS * (r + 1) / ranks;
            while (at < limit) {
                int64_t width = moi_pairs_node(PARTS, at, limit);
                float *own[PARTS];
                for (int64_t i = 0; i < width; i++)
                    own[i] = &values[at + i];
                moi_pairs_add(width, own, 1);
                part[at] = &values[at];
                at += width;
            }
        }
        moi_pairs_add(PARTS, part, 1);
        ck_assert(values[0] == ranks_sum(PARTS, 0));
    }
}
END_TEST

/* ---- collective calls ---- */

START_TEST(sums_have_one_order)
{
    const int32_t sizes[] = {1, 2, 3, 4, 5, 8};
    int64_t lengths[] = {0, 1, 17, 1000, 40000};
    for (int s = 0; s < 6; s++)
        for (int l = 0; l < 5; l++)
            on_all(sizes[s], ranks_add_up, &lengths[l]);
}
END_TEST

enum { ROOM = 100000 };

/* In room of the caller: the same sums, and nothing asked of the allocator. */
static int32_t sum_in_room(void *user, mopt_group *g)
{
    int64_t n = *(const int64_t *)user, need = moi_group_sum_room(g, n);
    int32_t rc = MOPT_OK;
    float *data = calloc(ROOM, sizeof *data);
    float *same = calloc(ROOM, sizeof *same);
    float *room = aligned_alloc(64, (size_t)(need + 16) / 16 * 64);
    for (int64_t i = 0; i < n; i++)
        data[i] = same[i] = ranks_number(mopt_group_rank(g), i);
    rc = moi_group_sum(g, data, n, room, NULL);
    if (rc == MOPT_OK)
        rc = mopt_group_all_reduce(g, MOPT_SUM, same, n, NULL);
    ck_assert_mem_eq(data, same, (size_t)n * sizeof *data);
    free(data);
    free(same);
    free(room);
    return rc;
}

START_TEST(sums_in_given_room_are_the_same)
{
    int64_t lengths[] = {1, 15, 17, 1000, 40000};
    for (int32_t size = 1; size <= 6; size++)
        for (int l = 0; l < 5; l++)
            on_all(size, sum_in_room, &lengths[l]);
}
END_TEST

START_TEST(extremes_and_doubles)
{
    on_all(5, ranks_find_extremes, NULL);
}
END_TEST

START_TEST(pieces_are_scattered)
{
    for (int32_t size = 1; size <= 6; size++)
        on_all(size, ranks_scatter, NULL);
}
END_TEST

START_TEST(all_parts_are_gathered)
{
    for (int32_t size = 1; size <= 9; size++)
        on_all(size, ranks_gather, NULL);
}
END_TEST

START_TEST(every_root_reaches_all)
{
    for (int32_t size = 1; size <= 9; size++)
        on_all(size, ranks_spread, NULL);
}
END_TEST

static int32_t meet(void *user, mopt_group *g)
{
    atomic_int *arrived = user;
    for (int32_t round = 1; round <= 50; round++) {
        atomic_fetch_add(arrived, 1);
        int32_t rc = mopt_group_barrier(g, NULL);
        if (rc != MOPT_OK)
            return rc;
        if (atomic_load(arrived) < round * mopt_group_size(g))
            return MOPT_EINTERNAL;
        rc = mopt_group_barrier(g, NULL);
        if (rc != MOPT_OK)
            return rc;
    }
    return MOPT_OK;
}

START_TEST(nobody_passes_a_barrier_early)
{
    for (int32_t size = 1; size <= 5; size++) {
        atomic_int arrived = 0;
        on_all(size, meet, &arrived);
    }
}
END_TEST

/* ---- parts ---- */

typedef struct share {
    int64_t parts, n;
    int32_t ways;
    int64_t together;
} share;

/* By pairs, however many they are. */
static float sum_of(int64_t part, int64_t count, int64_t i)
{
    float numbers[32], *list[32];
    for (int64_t k = 0; k < count; k++) {
        numbers[k] = ranks_number((int32_t)(part + k), i);
        list[k] = &numbers[k];
    }
    moi_pairs_add(count, list, 1);
    return numbers[0];
}

/* This rank's part p, and those that are one with it, in two stretches; how
 * many. */
static int64_t put_parts(const share *s, const moi_reduction *r, int64_t p)
{
    int32_t onto = 0;
    int64_t count = 0;
    float *place = moi_reduction_place(r, p, &onto, &count);
    for (int64_t i = 0; i < s->n; i++)
        place[i] = sum_of(p, count, i) + (onto ? place[i] : 0);
    moi_reduction_join(r, p + count - 1, s->n / 3, s->n - s->n / 3);
    moi_reduction_join(r, p + count - 1, 0, s->n / 3);
    return count;
}

static int32_t give_to_all(const moi_reduction *r, const int64_t *cuts)
{
    float *result = moi_reduction_result(r);
    moi_reduction_put(r, cuts, result);
    int32_t rc = moi_reduction_meet(r);
    return rc == MOPT_OK ? moi_reduction_take(r, cuts, result, NULL) : rc;
}

/* The second stretch first. */
static int32_t add_stretches(const share *s, mopt_group *g, moi_reduction *r)
{
    const int64_t ends[] = {s->n / 3, s->n, 0, s->n / 3};
    int32_t rc = moi_reduction_meet(r), size = mopt_group_size(g);
    for (int k = 0; k < 4 && rc == MOPT_OK; k += 2) {
        int64_t cuts[16];
        for (int32_t i = 0; i <= size; i++)
            cuts[i] = ends[k] + (ends[k + 1] - ends[k]) * i * i /
                                    (size * size);
        rc = moi_reduction_scatter(r, cuts, NULL);
        if (rc == MOPT_OK)
            rc = give_to_all(r, cuts);
    }
    return rc;
}

/* Twice, so that the second begins with what the first left. */
static int32_t add_parts(void *user, mopt_group *g)
{
    const share *s = user;
    moi_reduction *r = NULL;
    int64_t first = 0, count = 0;
    g->sees = s->ways >> 1;
    int32_t rc = moi_reduction_create(g, s->parts, s->n, s->n, s->ways & 1,
                                      NULL, &r);
    for (int64_t parts = s->parts; parts > 0 && rc == MOPT_OK;
         parts = parts > 1 ? parts / 2 : 0) {
        moi_reduction_deal(r, parts, &first, &count);
        moi_reduction_begin(r, parts, s->together);
        for (int64_t p = first; p < first + count;)
            p += put_parts(s, r, p);
        rc = add_stretches(s, g, r);
        for (int64_t i = 0; i < s->n && rc == MOPT_OK; i++)
            if (moi_reduction_result(r)[i] != ranks_sum((int32_t)parts, i))
                rc = MOPT_EINTERNAL;
        if (rc == MOPT_OK)
            rc = mopt_group_barrier(g, NULL);
    }
    moi_reduction_free(r);
    return rc;
}

START_TEST(parts_have_one_sum_for_any_number_of_ranks)
{
    const int64_t parts[] = {1, 2, 3, 7, 8, 16, 21};
    const int64_t together[] = {1, 3, 16};
    for (int p = 0; p < 7; p++)
        for (int32_t way = 0; way < 12; way++)
            on_all(_i, add_parts,
                   &(share){parts[p], 100, way % 4, together[way / 4]});
}
END_TEST

/* ---- memory that all see ---- */

typedef struct plot {
    int64_t bytes[3]; /* by rank */
    int32_t sees, wanted;
    int32_t one; /* a block for all */
} plot;

/* Each reads what the others wrote before they met. */
static int32_t read_round(const moi_commons *c, const mopt_group *g,
                          int64_t bytes)
{
    int32_t rank = mopt_group_rank(g), size = mopt_group_size(g);
    unsigned char *own = moi_commons_block(c, rank);
    for (int64_t i = 0; i < bytes; i++)
        if (own[i] != 0)
            return MOPT_EINTERNAL;
    memset(own, 10 + rank, (size_t)bytes);
    int32_t rc = moi_commons_meet(c);
    for (int32_t k = 0; k < size && rc == MOPT_OK; k++) {
        const unsigned char *block = moi_commons_block(c, k);
        if (block[0] != 10 + k || block[bytes - 1] != 10 + k)
            rc = MOPT_EINTERNAL;
    }
    return rc;
}

static int32_t share_plot(void *user, mopt_group *g)
{
    const plot *p = user;
    moi_commons *c = NULL;
    int64_t bytes = p->bytes[mopt_group_rank(g)];
    g->sees = p->sees;
    int32_t rc = p->one ? moi_commons_create_one(g, bytes, &c)
                        : moi_commons_create(g, bytes, &c);
    if (rc == MOPT_OK && (c != NULL) != p->wanted)
        rc = MOPT_EINTERNAL;
    if (rc == MOPT_OK && c != NULL)
        rc = read_round(c, g, bytes);
    moi_commons_free(c);
    return rc;
}

START_TEST(ranks_see_memory_of_others)
{
    on_all(3, share_plot, &(plot){{100, 100, 100}, 1, 1, 0});
    on_all(3, share_plot, &(plot){{1 << 20, 1 << 20, 1 << 20}, 1, 1, 0});
}
END_TEST

/* Each writes a third of it. */
static int32_t write_third(void *user, mopt_group *g)
{
    moi_commons *c = NULL;
    int32_t rank = mopt_group_rank(g);
    (void)user;
    g->sees = 1;
    int32_t rc = moi_commons_create_one(g, 300, &c);
    if (rc != MOPT_OK || c == NULL)
        return rc != MOPT_OK ? rc : MOPT_EINTERNAL;
    unsigned char *block = moi_commons_block(c, rank);
    memset(block + 100 * rank, 10 + rank, 100);
    rc = moi_commons_meet(c);
    for (int i = 0; i < 300 && rc == MOPT_OK; i++)
        if (block[i] != 10 + i / 100)
            rc = MOPT_EINTERNAL;
    moi_commons_free(c);
    return rc;
}

START_TEST(ranks_write_to_one_block)
{
    on_all(3, write_third, NULL);
}
END_TEST

/* One that has no room: all go without. Nor do ranks of one process. */
START_TEST(what_one_cannot_have_nobody_has)
{
    int64_t much = (int64_t)1 << 60;
    on_all(3, share_plot, &(plot){{100, 100, much}, 1, 0, 0});
    on_all(3, share_plot, &(plot){{much, much, much}, 1, 0, 0});
    on_all(3, share_plot, &(plot){{much, much, much}, 1, 0, 1});
    on_all(3, share_plot, &(plot){{100, 100, 100}, 0, 0, 0});
    on_all(3, share_plot, &(plot){{100, 100, 100}, 0, 0, 1});
}
END_TEST

/* ---- messages ---- */

START_TEST(messages_go_round)
{
    on_all(6, ranks_pass_on, NULL);
}
END_TEST

static int32_t wrong_size(void *user, mopt_group *g)
{
    (void)user;
    int64_t room[4] = {0};
    return mopt_group_rank(g) == 0
               ? mopt_group_send(g, 1, room, 8, NULL)
               : mopt_group_receive(g, 0, room, 16, NULL);
}

START_TEST(another_size_is_told)
{
    kit_fails(mopt_group_run(ctx, 2, 20, wrong_size, NULL), MOPT_EINVAL);
    kit_says("bytes");
}
END_TEST

/* ---- parts of a group ---- */

START_TEST(a_group_is_cut_into_a_mesh)
{
    on_all(6, ranks_make_mesh, NULL);
}
END_TEST

/* ---- what goes wrong ---- */

static int32_t one_is_late(void *user, mopt_group *g)
{
    (void)user;
    if (mopt_group_rank(g) == 2)
        usleep(700000);
    return mopt_group_barrier(g, NULL);
}

START_TEST(a_silent_rank_is_an_error)
{
    kit_fails(mopt_group_run(ctx, 3, 0.2, one_is_late, NULL), MOPT_EPEER);
    kit_says("silent for 0.2 seconds");
}
END_TEST

static int32_t one_fails(void *user, mopt_group *g)
{
    (void)user;
    float x = 1;
    int32_t rc = MOPT_OK;
    if (mopt_group_rank(g) == 1)
        return MOPT_EDIVERGED;
    while (rc == MOPT_OK)
        rc = mopt_group_all_reduce(g, MOPT_SUM, &x, 1, NULL);
    return rc;
}

START_TEST(one_that_fails_ends_the_others_at_once)
{
    double start = moi_clock_seconds();
    kit_fails(mopt_group_run(ctx, 4, 1000, one_fails, NULL), MOPT_EDIVERGED);
    kit_says("rank 1");
    ck_assert(moi_clock_seconds() - start < 500);
}
END_TEST

static int32_t one_leaves(void *user, mopt_group *g)
{
    char text[512];
    (void)user;
    if (mopt_group_rank(g) == 0)
        return MOPT_OK;
    int32_t rc = mopt_group_receive(g, 0, text, 8, NULL);
    mopt_last_error(text, sizeof text, NULL);
    if (rc != MOPT_EPEER || strstr(text, "rank 0 is gone") == NULL)
        return MOPT_EINTERNAL;
    rc = mopt_group_barrier(g, NULL);
    mopt_last_error(text, sizeof text, NULL);
    return rc == MOPT_EPEER &&
                   strstr(text, "is broken: rank 0 is gone") != NULL
               ? MOPT_OK : MOPT_EINTERNAL;
}

START_TEST(one_that_leaves_is_missed)
{
    kit_ok(mopt_group_run(ctx, 3, 1000, one_leaves, NULL));
}
END_TEST

typedef struct waiting {
    mopt_group *group;
    mopt_cancel *cancel;
    int32_t status;
} waiting;

static void *wait_long(void *argument)
{
    waiting *w = argument;
    char room[8];
    w->status = mopt_group_receive(w->group, 1, room, 8, w->cancel);
    return NULL;
}

START_TEST(waiting_can_be_cancelled)
{
    mopt_group *ends[2];
    waiting w = {.status = 1};
    pthread_t thread;
    kit_ok(mopt_group_create(ctx, 2, 1000, ends));
    kit_ok(mopt_cancel_create(ctx, &w.cancel));
    w.group = ends[0];
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_long, &w), 0);
    usleep(20000);
    mopt_cancel_request(w.cancel);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.status, MOPT_ECANCELED);
    /* The other rank learns of it. */
    kit_fails(mopt_group_barrier(ends[1], NULL), MOPT_EPEER);
    kit_says("rank 0 gave up with MOPT_ECANCELED");
    mopt_group_free(ends[0]);
    mopt_group_free(ends[1]);
    mopt_cancel_free(w.cancel);
}
END_TEST

/* Everybody hears of the first that gave up, whoever did so after it. */
START_TEST(the_first_that_gives_up_is_named)
{
    enum { RANKS = 4 };
    mopt_group *ends[RANKS];
    kit_ok(mopt_group_create(ctx, RANKS, 1000, ends));
    kit_ok(mopt_group_abort(ends[2], MOPT_ENOMEM));
    kit_ok(mopt_group_abort(ends[1], MOPT_EIO));
    kit_ok(mopt_group_abort(ends[2], MOPT_ECANCELED));
    for (int i = 0; i < 2; i++) {
        kit_fails(mopt_group_barrier(ends[0], NULL), MOPT_EPEER);
        kit_says("rank 2 gave up with MOPT_ENOMEM");
    }
    /* So does who asks after some have left. */
    mopt_group_free(ends[1]);
    mopt_group_free(ends[2]);
    kit_fails(mopt_group_barrier(ends[3], NULL), MOPT_EPEER);
    kit_says("rank 2 gave up with MOPT_ENOMEM");
    mopt_group_free(ends[0]);
    mopt_group_free(ends[3]);
}
END_TEST

/* Ranks fail together, each with a code of its own; those that do not hear the
 * same one. */
static int32_t some_fail(void *user, mopt_group *g)
{
    atomic_int *heard = user;
    int32_t rank = mopt_group_rank(g), rc = MOPT_OK;
    char text[512];
    if (rank >= 4)
        return MOPT_EIO - rank;
    while (rc == MOPT_OK)
        rc = mopt_group_barrier(g, NULL);
    mopt_last_error(text, sizeof text, NULL);
    for (int32_t i = 4; i < 8; i++) {
        char said[64];
        snprintf(said, sizeof said, "rank %d gave up with %s", (int)i,
                 mopt_status_name(MOPT_EIO - i));
        if (strstr(text, said) != NULL)
            atomic_fetch_or(heard, 1 << i);
    }
    return rc;
}

START_TEST(ranks_that_fail_together_are_heard_as_one)
{
    for (int i = 0; i < 50; i++) {
        atomic_int heard = 0;
        int32_t rc = mopt_group_run(ctx, 8, 1000, some_fail, &heard);
        int32_t all = atomic_load(&heard);
        ck_assert_int_lt(rc, 0);
        ck_assert_int_ne(rc, MOPT_EPEER);
        ck_assert_int_ne(all, 0);
        ck_assert_int_eq(all & (all - 1), 0);
    }
}
END_TEST

static int32_t agree(void *user, mopt_group *g)
{
    int32_t odd = *(int32_t *)user;
    uint64_t digest = mopt_group_rank(g) >= odd ? 7 : 8;
    return moi_group_agree(g, "recipe", digest, NULL);
}

START_TEST(ranks_that_differ_are_told_so)
{
    int32_t none = 0, from = 2;
    on_all(4, agree, &none);
    kit_fails(mopt_group_run(ctx, 4, 20, agree, &from), MOPT_EINVAL);
    kit_says("same recipe: 2 of 4 differ from rank 0, the first is rank 2");
}
END_TEST

START_TEST(wrong_arguments)
{
    mopt_group *g = NULL, *ends[2];
    char room[8];
    kit_fails(mopt_group_create(ctx, 0, 1, &g), MOPT_EINVAL);
    kit_fails(mopt_group_create(ctx, 1, 0, &g), MOPT_EINVAL);
    kit_ok(mopt_group_create(ctx, 2, 1, ends));
    kit_fails(mopt_group_send(ends[0], 0, room, 8, NULL), MOPT_EINVAL);
    kit_says("allowed are 0 to 1 without 0");
    kit_fails(mopt_group_abort(ends[0], 0), MOPT_EINVAL);
    kit_fails(mopt_group_broadcast(ends[0], 2, room, 8, NULL), MOPT_EINVAL);
    mopt_group_free(ends[0]);
    mopt_group_free(ends[1]);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("group");
    TCase *t = tcase_create("group");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, pairs_do_not_depend_on_who_adds);
    tcase_add_test(t, sums_have_one_order);
    tcase_add_test(t, sums_in_given_room_are_the_same);
    tcase_add_test(t, extremes_and_doubles);
    tcase_add_test(t, pieces_are_scattered);
    tcase_add_test(t, all_parts_are_gathered);
    tcase_add_test(t, every_root_reaches_all);
    tcase_add_test(t, nobody_passes_a_barrier_early);
    tcase_add_loop_test(t, parts_have_one_sum_for_any_number_of_ranks, 1, 10);
    tcase_add_test(t, ranks_see_memory_of_others);
    tcase_add_test(t, ranks_write_to_one_block);
    tcase_add_test(t, what_one_cannot_have_nobody_has);
    tcase_add_test(t, messages_go_round);
    tcase_add_test(t, another_size_is_told);
    tcase_add_test(t, a_group_is_cut_into_a_mesh);
    tcase_add_test(t, a_silent_rank_is_an_error);
    tcase_add_test(t, one_that_fails_ends_the_others_at_once);
    tcase_add_test(t, one_that_leaves_is_missed);
    tcase_add_test(t, waiting_can_be_cancelled);
    tcase_add_test(t, the_first_that_gives_up_is_named);
    tcase_add_test(t, ranks_that_fail_together_are_heard_as_one);
    tcase_add_test(t, ranks_that_differ_are_told_so);
    tcase_add_test(t, wrong_arguments);
    suite_add_tcase(s, t);
    return s;
}
