/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_lease.c: leases by a clock that goes by hand
 * (bench/virtual.h): who is silent for longer than the grace loses its trials,
 * who beats keeps them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study_kit.h"
#include "virtual.h"

/* As the studies below have them. */
#define HEARTBEAT 10
#define GRACE 60

static mopt_context *ctx;
static mopt_space *space;
static virtual_world world;
static int tests_begun; /* each has a file of its own */

static void begin_test(void)
{
    tests_begun++;
    ctx = kit_begin();
    kit_ok(virtual_begin(&world, ctx));
    space = study_space(ctx);
}

static void end_test(void)
{
    mopt_space_free(space);
    kit_end(ctx);
    virtual_end();
}

/* The handle of a process. */
static mopt_study *join(int64_t process)
{
    char config[400], name[32];
    mopt_study *study;

    snprintf(name, sizeof(name), "lease%d.db", tests_begun);
    snprintf(config, sizeof(config), "{\"storage\": \"" VIRTUAL_SCHEME "%s\", "
             "\"resume\": true, \"heartbeat\": %d, \"grace\": %d}",
             kit_path(name), HEARTBEAT, GRACE);
    study = study_open(ctx, space, config);
    virtual_name(study, process);
    return study;
}

static mopt_trial *ask(mopt_study *study, int64_t number)
{
    mopt_trial *trial = NULL;

    kit_ok(mopt_study_ask(study, &trial));
    ck_assert_int_eq(mopt_trial_number(trial), number);
    return trial;
}

static int32_t tell(mopt_study *study, mopt_trial *trial)
{
    const double value = 1;
    const int32_t rc = mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE,
                                       &value, NULL);

    virtual_lose(trial);
    return rc;
}

static void beat_for(mopt_study *study, double seconds)
{
    const double end = world.now + seconds;

    while (world.now < end) {
        world.now += HEARTBEAT;
        ck_assert_int_eq(virtual_beat(study), MOPT_OK);
    }
}

/* After so many seconds with beats, and some without, a trial is still of who
 * asked for it. */
static void keeps(double beats, double silence)
{
    mopt_study *one = join(1), *two = join(2);
    mopt_trial *first = ask(one, 0), *second;

    beat_for(one, beats);
    world.now += silence;
    second = ask(two, 1);
    kit_ok(tell(one, first));
    kit_ok(tell(two, second));
    mopt_study_free(one);
    mopt_study_free(two);
}

START_TEST(who_beats_keeps_its_trial)
{
    keeps(100 * GRACE, 0);
}
END_TEST

START_TEST(the_silent_are_let_be_for_the_grace)
{
    keeps(0, GRACE - 1);
}
END_TEST

/* With its number and its parameters it goes to another; who comes back is
 * refused, and goes on. */
START_TEST(the_silent_lose_their_trial)
{
    mopt_study *one = join(1), *two = join(2);
    mopt_trial *first = ask(one, 0), *again;
    double rate, same;

    kit_ok(mopt_trial_get_float(first, "lr", &rate));
    kit_ok(mopt_trial_report(first, 0, 0.5));
    world.now += GRACE + HEARTBEAT + 2;
    again = ask(two, 0);
    kit_ok(mopt_trial_get_float(again, "lr", &same));
    ck_assert_double_eq(rate, same);
    kit_fails(mopt_trial_report(first, 1, 0.5), MOPT_ESTATE);
    kit_fails(tell(one, first), MOPT_ESTATE);
    /* What the dead had reported is forgotten. */
    kit_ok(mopt_trial_report(again, 0, 0.5));
    kit_ok(tell(two, again));
    kit_ok(tell(one, ask(one, 1)));
    mopt_study_free(one);
    mopt_study_free(two);
}
END_TEST

/* The last sign of life counts, not the start. */
START_TEST(silence_is_counted_from_the_last_beat)
{
    mopt_study *one = join(1), *two = join(2);
    mopt_trial *first = ask(one, 0), *second, *again;

    beat_for(one, 3 * GRACE);
    world.now += GRACE - 1;
    second = ask(two, 1);
    world.now += HEARTBEAT + 2;
    ck_assert_int_eq(virtual_beat(two), MOPT_OK);
    again = ask(two, 0);
    virtual_lose(first);
    kit_ok(tell(two, second));
    kit_ok(tell(two, again));
    mopt_study_free(one);
    mopt_study_free(two);
}
END_TEST

START_TEST(a_trial_of_a_crowd_is_found)
{
    enum { CROWD = 200 };
    mopt_study *one = join(1), *two = join(2), *three = join(3);
    mopt_trial *trials[CROWD], *lost = ask(three, 0), *again;
    int64_t i;

    for (i = 0; i < CROWD; i++)
        trials[i] = ask(i % 2 ? one : two, i + 1);
    for (i = 0; i < 2 * GRACE / HEARTBEAT; i++) {
        world.now += HEARTBEAT;
        ck_assert_int_eq(virtual_beat(one), MOPT_OK);
        ck_assert_int_eq(virtual_beat(two), MOPT_OK);
    }
    again = ask(one, 0);
    virtual_lose(lost);
    for (i = 0; i < CROWD; i++)
        kit_ok(tell(i % 2 ? one : two, trials[i]));
    kit_ok(tell(one, again));
    for (i = 0; i < 3; i++) {
        mopt_study *study = i == 0 ? one : i == 1 ? two : three;
        int64_t complete;

        kit_ok(mopt_study_count(study, MOPT_TRIAL_COMPLETE, &complete));
        ck_assert_int_eq(complete, CROWD + 1);
        mopt_study_free(study);
    }
}
END_TEST

/* An ask reads no more than it needs; whoever reads a trial has all of it. */
START_TEST(what_others_told_is_there_to_be_read)
{
    mopt_study *one = join(1), *two = join(2);
    mopt_trial *first = ask(one, 0), *seen = NULL, *best = NULL, *other;
    char text[2000];
    double value;

    kit_ok(mopt_study_trial(two, 0, &seen));
    kit_fails(mopt_trial_value(seen, 0, &value), MOPT_ESTATE);
    kit_ok(mopt_trial_report(first, 3, 0.25));
    kit_ok(mopt_trial_set_note(first, "from", "\"one\""));
    kit_ok(tell(one, first));
    other = ask(two, 1);
    ck_assert_int_eq(mopt_trial_state(seen), MOPT_TRIAL_COMPLETE);
    kit_ok(mopt_trial_value(seen, 0, &value));
    ck_assert_double_eq(value, 1);
    kit_ok(mopt_trial_to_json(seen, text, sizeof(text), NULL));
    ck_assert_ptr_nonnull(strstr(text, "\"from\": \"one\""));
    ck_assert_ptr_nonnull(strstr(text, "0.25"));
    kit_ok(tell(one, ask(one, 2)));
    kit_ok(tell(two, other));
    kit_ok(mopt_study_best(one, &best));
    kit_ok(mopt_trial_value(best, 0, &value));
    mopt_trial_free(best);
    mopt_trial_free(seen);
    mopt_study_free(one);
    mopt_study_free(two);
}
END_TEST

START_TEST(trials_have_the_time_of_the_clock)
{
    mopt_study *one = join(1);
    mopt_trial *first = ask(one, 0);
    char text[2000];
    json_t *document;

    world.now = 3661.5;
    kit_ok(mopt_study_tell(one, first, MOPT_TRIAL_PRUNED, NULL, NULL));
    kit_ok(mopt_trial_to_json(first, text, sizeof(text), NULL));
    document = json_loads(text, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(document, "start")),
                     "2026-01-01 00:00:00.000000");
    ck_assert_str_eq(json_string_value(json_object_get(document, "complete")),
                     "2026-01-01 01:01:01.500000");
    json_decref(document);
    mopt_trial_free(first);
    mopt_study_free(one);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("lease");
    TCase *tests = tcase_create("lease");

    tcase_add_checked_fixture(tests, begin_test, end_test);
    tcase_add_test(tests, who_beats_keeps_its_trial);
    tcase_add_test(tests, the_silent_are_let_be_for_the_grace);
    tcase_add_test(tests, the_silent_lose_their_trial);
    tcase_add_test(tests, silence_is_counted_from_the_last_beat);
    tcase_add_test(tests, a_trial_of_a_crowd_is_found);
    tcase_add_test(tests, what_others_told_is_there_to_be_read);
    tcase_add_test(tests, trials_have_the_time_of_the_clock);
    suite_add_tcase(suite, tests);
    return suite;
}
