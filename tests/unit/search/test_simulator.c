/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_simulator.c: an hour of 200 search workers in virtual
 * time (bench/simulator.h): nothing is lost, nothing done twice, workers train
 * nearly all of the time, and the same seed gives the same hour. */
#include <unistd.h>

#include "kit.h"
#include "simulator.h"

static sim_settings an_hour(void)
{
    return (sim_settings){
        .workers = 200, .per_process = 8, .hours = 1, .trial = 300,
        .sigma = 1, .reports = 2, .deaths = 0.5, .replace = 60, .ramp = 60,
        .heartbeat = 20, .grace = 60, .seed = 7, .limit = -1,
        .path = kit_path("simulator.db"),
        .store = {{2e-3, 1e-3, 2e-3, 1e-3}, 1e-6, 1e-6, 4e-6, 2e-3, 2},
    };
}

static sim_result run(const sim_settings *settings)
{
    sim_result result;

    unlink(settings->path);
    ck_assert_int_eq(sim_run(settings, &result), 0);
    ck_assert_int_eq(result.lost, 0);
    ck_assert_int_eq(result.doubled, 0);
    ck_assert_int_eq(result.told + result.running + result.waiting,
                     result.trials);
    return result;
}

START_TEST(an_hour_of_many_workers)
{
    const sim_settings settings = an_hour();
    const sim_result one = run(&settings), two = run(&settings);

    ck_assert_double_ge(one.busy, 0.95);
    ck_assert_int_gt(one.told, 2000);
    ck_assert_int_gt(one.deaths, 0);
    /* What the dead left is taken up soon after the grace. */
    ck_assert_int_gt(one.requeued, 20);
    ck_assert_double_le(one.requeue_longest,
                        settings.grace + 3 * settings.heartbeat);
    ck_assert_int_eq(one.refused, 0);
    ck_assert_double_lt(sim_rounds(&settings), one.busy / 2);
    ck_assert_uint_eq(one.digest, two.digest);
}
END_TEST

START_TEST(another_seed_is_another_hour)
{
    sim_settings settings = an_hour();
    sim_result one, two;

    settings.workers = 20;
    one = run(&settings);
    settings.seed++;
    two = run(&settings);
    ck_assert_uint_ne(one.digest, two.digest);
}
END_TEST

/* A store that is too slow is what all wait for. */
START_TEST(a_slow_store_is_the_limit)
{
    sim_settings settings = an_hour();
    sim_result result;

    settings.workers = 50;
    settings.reports = 0;
    settings.deaths = 0;
    settings.trial = 1;
    settings.hours = 0.05;
    settings.store = (sim_store){{0.08, 0.02, 0, 0}, 0, 0, 0, 0, 1};
    result = run(&settings);
    ck_assert_double_gt(result.store, 0.99);
    ck_assert_double_eq_tol(result.kinds[SIM_ASK].per_second, 10, 0.5);
    ck_assert_double_lt(result.busy, 0.25);
}
END_TEST

START_TEST(an_hour_with_a_pruner)
{
    sim_settings settings = an_hour();
    sim_result result;

    settings.workers = 100;
    settings.pruner = "median";
    result = run(&settings);
    ck_assert_double_ge(result.busy, 0.95);
    ck_assert_int_gt(result.pruned, result.told / 4);
    ck_assert_int_lt(result.pruned, result.told);
    ck_assert_int_eq(result.refused, 0);
}
END_TEST

/* With a limit every trial is done once, however many die. */
START_TEST(a_search_ends_whole)
{
    sim_settings settings = an_hour();
    sim_result result;

    settings.limit = 500;
    settings.workers = 40;
    settings.hours = 100;
    result = run(&settings);
    ck_assert_int_eq(result.told, 500);
    ck_assert_int_eq(result.trials, 500);
    ck_assert_int_gt(result.deaths, 0);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("simulator");
    TCase *tests = tcase_create("simulator");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_hour_of_many_workers);
    tcase_add_test(tests, another_seed_is_another_hour);
    tcase_add_test(tests, a_slow_store_is_the_limit);
    tcase_add_test(tests, an_hour_with_a_pruner);
    tcase_add_test(tests, a_search_ends_whole);
    suite_add_tcase(suite, tests);
    return suite;
}
