/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_courier.c: things are carried in their order, while
 * others are made. */
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "learn/train/courier.h"
#include "../kit.h"

#define THINGS 50

static mopt_context *ctx;

typedef struct load {
    int64_t seen[THINGS];
    atomic_int count;
    int64_t failing; /* the thing that cannot be carried, -1: none */
    double seconds;  /* for each */
} load;

static int32_t carry(void *user, int64_t item)
{
    load *l = user;
    moi_clock_sleep(l->seconds);
    if (item == l->failing)
        return moi_fail(MOPT_EPEER, "thing %d fell", (int)item);
    l->seen[atomic_load(&l->count)] = item;
    atomic_fetch_add(&l->count, 1);
    return MOPT_OK;
}

START_TEST(things_go_in_order)
{
    load l = {.failing = -1};
    moi_courier *c = NULL;
    kit_ok(moi_courier_create(ctx, carry, &l, &c));
    for (int round = 0; round < 3; round++) {
        atomic_store(&l.count, 0);
        moi_courier_begin(c);
        kit_ok(moi_courier_finish(c));
        for (int64_t i = 0; i <= THINGS; i += 5)
            moi_courier_release(c, i);
        moi_courier_release(c, 3);
        kit_ok(moi_courier_finish(c));
        ck_assert_int_eq(atomic_load(&l.count), THINGS);
        for (int64_t i = 0; i < THINGS; i++)
            ck_assert_int_eq(l.seen[i], i);
    }
    moi_courier_free(c);
}
END_TEST

START_TEST(the_first_failure_ends_a_round)
{
    load l = {.failing = 7};
    moi_courier *c = NULL;
    kit_ok(moi_courier_create(ctx, carry, &l, &c));
    moi_courier_begin(c);
    moi_courier_release(c, THINGS);
    kit_fails(moi_courier_finish(c), MOPT_EPEER);
    kit_says("thing 7 fell");
    ck_assert_int_eq(atomic_load(&l.count), 7);
    moi_courier_begin(c);
    moi_courier_release(c, 5);
    kit_ok(moi_courier_finish(c));
    ck_assert_int_eq(atomic_load(&l.count), 12);
    moi_courier_free(c);
}
END_TEST

START_TEST(what_is_dropped_stays)
{
    load l = {.failing = -1, .seconds = 0.02};
    moi_courier *c = NULL;
    kit_ok(moi_courier_create(ctx, carry, &l, &c));
    moi_courier_begin(c);
    moi_courier_release(c, THINGS);
    moi_courier_drop(c);
    int count = atomic_load(&l.count);
    ck_assert_int_lt(count, THINGS);
    moi_clock_sleep(0.1);
    ck_assert_int_eq(atomic_load(&l.count), count);
    moi_courier_free(c);
}
END_TEST

START_TEST(a_courier_without_memory)
{
    load l = {.failing = -1};
    moi_courier *c = NULL;
    kit_fail_allocation(0, 0);
    kit_fails(moi_courier_create(ctx, carry, &l, &c), MOPT_ENOMEM);
    kit_fail_allocation(-1, 0);
    ck_assert_ptr_null(c);
    moi_courier_free(NULL);
}
END_TEST

static void setup(void)
{
    ctx = kit_begin();
}

static void teardown(void)
{
    kit_end(ctx);
}

Suite *kit_suite(void)
{
    Suite *s = suite_create("courier");
    TCase *t = tcase_create("courier");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, things_go_in_order);
    tcase_add_test(t, the_first_failure_ends_a_round);
    tcase_add_test(t, what_is_dropped_stays);
    tcase_add_test(t, a_courier_without_memory);
    suite_add_tcase(s, t);
    return s;
}
