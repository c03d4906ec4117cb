/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_samplers.c: distributions of random draws, grids,
 * duplicates, and pruners against Optuna's rules worked by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kit.h"
#include "search/sampler/sampler.h"
#include "search/trial/history.h"
#include "study_kit.h"

static mopt_context *ctx;

static void setup(void)
{
    ctx = kit_begin();
}

static void teardown(void)
{
    kit_end(ctx);
}

#define DRAWS 4000
#define SEEDS 16

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Draw the first parameter of a space given as JSON. */
static void draw(const char *json, uint64_t seed, double *out)
{
    mopt_space *space = NULL;
    double fixed[1] = {NAN};
    moi_ask ask = {0};
    int64_t i;

    kit_ok(mopt_space_from_json(ctx, json, &space));
    ask.space = space;
    ask.seed = seed;
    ask.fixed = fixed;
    for (i = 0; i < DRAWS; i++) {
        ask.number = i;
        out[i] = moi_random_value(&ask, 0);
        ck_assert(moi_domain_holds(&space->params[0].domain, out[i]));
    }
    mopt_space_free(space);
}

/* Kolmogorov-Smirnov: 2.23 / sqrt(n) is p = 1e-4 (Smirnov 1948). */
static void check_uniform(double *shares)
{
    double worst = 0;
    int64_t i;

    qsort(shares, DRAWS, sizeof(*shares), ascending);
    for (i = 0; i < DRAWS; i++) {
        worst = fmax(worst, fabs(shares[i] - (double)i / DRAWS));
        worst = fmax(worst, fabs(shares[i] - (double)(i + 1) / DRAWS));
    }
    ck_assert(worst < 2.23 / sqrt(DRAWS));
}

START_TEST(reals_are_uniform)
{
    static double x[DRAWS];
    int64_t i;

    draw("{\"x\": {\"float\": [-2, 6]}}", (uint64_t)_i, x);
    for (i = 0; i < DRAWS; i++)
        x[i] = (x[i] + 2) / 8;
    check_uniform(x);
    draw("{\"x\": {\"float\": [1e-5, 10], \"log\": true}}", (uint64_t)_i, x);
    for (i = 0; i < DRAWS; i++)
        x[i] = log(x[i] / 1e-5) / log(1e6);
    check_uniform(x);
}
END_TEST

/* Pearson's chi-squared against the shares that are expected; limit is the
 * quantile 1 - 1e-4 of the distribution with that many degrees of freedom. */
static void check_counts(const double *x, double low, double step, int n,
                         const double *share, double limit)
{
    double sum = 0, counts[32] = {0};
    int64_t i;

    for (i = 0; i < DRAWS; i++)
        counts[(int)lround((x[i] - low) / step)]++;
    for (i = 0; i < n; i++)
        sum += pow(counts[i] - DRAWS * share[i], 2) / (DRAWS * share[i]);
    ck_assert(sum < limit);
}

START_TEST(counts_are_right)
{
    static double x[DRAWS];
    double share[8];
    int i;

    for (i = 0; i < 8; i++)
        share[i] = 1.0 / 8;
    draw("{\"x\": {\"int\": [8, 64], \"step\": 8}}", (uint64_t)_i, x);
    check_counts(x, 8, 8, 8, share, 29.9);
    draw("{\"x\": {\"float\": [0, 0.7], \"step\": 0.1}}", (uint64_t)_i, x);
    check_counts(x, 0, 0.1, 8, share, 29.9);
    draw("{\"x\": {\"choice\": [1, 2, 3, 4, 5, 6, 7, 8]}}", (uint64_t)_i, x);
    check_counts(x, 0, 1, 8, share, 29.9);
    for (i = 0; i < 8; i++)
        share[i] = log((i + 1.5) / (i + 0.5)) / log(8.5 / 0.5);
    draw("{\"x\": {\"int\": [1, 8], \"log\": true}}", (uint64_t)_i, x);
    check_counts(x, 1, 1, 8, share, 29.9);
}
END_TEST

START_TEST(values_depend_on_their_names_alone)
{
    /* Adding parameters, in whatever order, leaves the others as they were. */
    mopt_space *a = NULL, *b = NULL;
    double fixed[2] = {NAN, NAN};
    moi_ask ask = {0};

    kit_ok(mopt_space_from_json(ctx, "{\"x\": {\"float\": [0, 1]}}", &a));
    kit_ok(mopt_space_from_json(
        ctx, "{\"y\": {\"float\": [0, 1]}, \"x\": {\"float\": [0, 1]}}", &b));
    ask.seed = 3;
    ask.number = 17;
    ask.fixed = fixed;
    ask.space = a;
    fixed[0] = moi_random_value(&ask, 0);
    ask.space = b;
    ck_assert(moi_random_value(&ask, 1) == fixed[0]);
    ck_assert(moi_random_value(&ask, 0) != fixed[0]);
    ask.attempt = 1;
    ck_assert(moi_random_value(&ask, 1) != fixed[0]);
    mopt_space_free(a);
    mopt_space_free(b);
}
END_TEST

/* Ask until the study has nothing more; how many trials there were. */
static int64_t use_up(mopt_study *study, int64_t limit)
{
    mopt_trial *trial = NULL;
    double value = 0;
    int64_t n;
    int32_t rc;

    for (n = 0; n < limit; n++) {
        rc = mopt_study_ask(study, &trial);
        if (rc == MOPT_EXHAUSTED)
            break;
        kit_ok(rc);
        kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                               NULL));
        mopt_trial_free(trial);
    }
    return n;
}

/* Number of different sets of parameters in a study. */
static int64_t different(mopt_study *study)
{
    int64_t count, i, j, unique = 0;
    char (*texts)[300];

    kit_ok(mopt_study_count(study, -1, &count));
    texts = calloc((size_t)count + 1, sizeof(*texts));
    ck_assert_ptr_nonnull(texts);
    for (i = 0; i < count; i++) {
        mopt_trial *trial = NULL;
        char buf[1500], *from, *to;

        kit_ok(mopt_study_trial(study, i, &trial));
        kit_ok(mopt_trial_to_json(trial, buf, sizeof(buf), NULL));
        mopt_trial_free(trial);
        from = strstr(buf, "\"params\"");
        to = strstr(buf, "\"notes\"");
        snprintf(texts[i], sizeof(texts[i]), "%.*s", (int)(to - from), from);
        for (j = 0; j < i && strcmp(texts[i], texts[j]) != 0; j++)
            ;
        unique += j == i;
    }
    free(texts);
    return unique;
}

START_TEST(each_point_once)
{
    static const char *const configs[] = {
        "{\"sampler\": \"grid\"}",
        "{\"sampler\": {\"type\": \"grid\", \"shuffle\": true}}",
        "{\"sampler\": \"random\", \"duplicates\": \"avoid\"}",
    };
    mopt_space *space = NULL;
    mopt_study *study;

    kit_ok(mopt_space_from_json(
        ctx, "{\"a\": {\"int\": [1, 3]}, \"b\": {\"choice\": [1, 2, 3, 4]}, "
             "\"c\": {\"float\": [0, 1], \"step\": 0.25, "
             "\"when\": {\"a\": [2, 3], \"b\": {\"min\": 3}}}}", &space));
    study = study_open(ctx, space, configs[_i]);
    /* Enqueued points count as well. */
    kit_ok(mopt_study_enqueue(study, "{\"a\": 1, \"b\": 2}"));
    kit_ok(mopt_study_enqueue(study, "{\"a\": 3, \"b\": 4, \"c\": 0.75}"));
    ck_assert_int_eq(use_up(study, 1000), 4 + 2 * (2 + 2 * 5));
    ck_assert_int_eq(different(study), 28);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

START_TEST(a_shuffled_grid_is_spread)
{
    mopt_space *space = NULL;
    mopt_study *study;
    mopt_trial *trial = NULL;
    int64_t n, sum = 0, other = 0, i;

    kit_ok(mopt_space_from_json(ctx, "{\"a\": {\"int\": [0, 99999]}}",
                                &space));
    study = study_open(ctx, space,
                       "{\"sampler\": {\"type\": \"grid\", "
                       "\"shuffle\": true}, \"seed\": 2}");
    for (i = 0; i < 400; i++) {
        kit_ok(mopt_study_ask(study, &trial));
        kit_ok(mopt_trial_get_int(trial, "a", &n));
        sum += n;
        other += n > 50000;
        kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_PRUNED, NULL, NULL));
        mopt_trial_free(trial);
    }
    ck_assert(sum > 400 * 40000 && sum < 400 * 60000);
    ck_assert(other > 150 && other < 250);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

START_TEST(grids_that_cannot_be)
{
    mopt_space *space = NULL;
    mopt_study *study = NULL;
    char name[16];
    int i;

    kit_ok(mopt_space_create(ctx, &space));
    for (i = 0; i < 70; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        kit_ok(mopt_space_add_int(space, name, 0, 1, 1, 0));
    }
    kit_fails(study_try(ctx, space, "{\"sampler\": \"grid\"}", &study),
              MOPT_ERANGE);
    kit_says("2^63");
    study = study_open(ctx, space, "{\"duplicates\": \"avoid\"}");
    ck_assert_int_eq(use_up(study, 50), 50);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

/* ---- pruners ---- */

static mopt_space *one_space(void)
{
    mopt_space *space = NULL;

    kit_ok(mopt_space_from_json(ctx, "{\"x\": {\"float\": [0, 1]}}", &space));
    return space;
}

/* A complete trial that reported these values at 0, 1, .. */
static void complete(mopt_study *study, const double *values, int64_t n)
{
    mopt_trial *trial = NULL;
    int64_t i;
    double end = values[n - 1];

    kit_ok(mopt_study_ask(study, &trial));
    for (i = 0; i < n; i++)
        (void)mopt_trial_report(trial, i, values[i]);
    kit_ok(mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &end, NULL));
    mopt_trial_free(trial);
}

START_TEST(median)
{
    static const double others[][2] = {
        {1, 10}, {2, 20}, {3, 30}, {4, 40}, {NAN, 50}};
    mopt_space *space = one_space();
    mopt_study *study = study_open(ctx, space, "{\"pruner\": \"median\"}");
    mopt_trial *trial = NULL;
    int i;

    for (i = 0; i < 4; i++)
        complete(study, others[i], 2);
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_report(trial, 0, 100)); /* four are not five */
    mopt_trial_free(trial);
    complete(study, others[4], 2);
    kit_ok(mopt_study_ask(study, &trial));
    /* The median of 1, 2, 3, 4 is 2.5; NaN is left out. */
    kit_ok(mopt_trial_report(trial, 0, 2.5));
    kit_ok(mopt_trial_report(trial, 1, 99)); /* its best is 2.5 */
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    kit_fails(mopt_trial_report(trial, 0, 2.51), MOPT_PRUNED);
    kit_ok(mopt_trial_report(trial, 1, 30));
    kit_ok(mopt_trial_report(trial, 2, 99)); /* nobody else got there */
    mopt_trial_free(trial);
    kit_ok(mopt_study_ask(study, &trial));
    kit_fails(mopt_trial_report(trial, 0, NAN), MOPT_PRUNED);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

START_TEST(percentile)
{
    mopt_space *space = one_space();
    mopt_study *study = study_open(
        ctx, space, "{\"direction\": \"maximize\", \"pruner\": "
                    "{\"type\": \"percentile\", \"percentile\": 30, "
                    "\"warmup_steps\": 2, \"interval_steps\": 3}}");
    mopt_trial *trial = NULL;
    int i;

    for (i = 0; i < 5; i++) {
        double values[8];
        int k;

        for (k = 0; k < 8; k++)
            values[k] = i + 1;
        complete(study, values, 8);
    }
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_report(trial, 0, 1)); /* warming up */
    kit_ok(mopt_trial_report(trial, 1, 1));
    /* The best 30 % of 1 .. 5 lie above 3.8. */
    kit_fails(mopt_trial_report(trial, 2, 3.79), MOPT_PRUNED);
    kit_ok(mopt_trial_report(trial, 3, 1)); /* not yet again */
    kit_ok(mopt_trial_report(trial, 4, 1));
    kit_fails(mopt_trial_report(trial, 6, 3.79), MOPT_PRUNED); /* late */
    kit_ok(mopt_trial_report(trial, 8, 3.81));
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

START_TEST(threshold)
{
    mopt_space *space = one_space();
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;

    kit_fails(study_try(ctx, space, "{\"pruner\": {\"type\": \"threshold\", "
                                    "\"lower\": 2, \"upper\": 1}}", &study),
              MOPT_EINVAL);
    kit_says("'lower' 2");
    study = study_open(ctx, space, "{\"pruner\": {\"type\": \"threshold\", "
                                   "\"upper\": 1, \"warmup_steps\": 1}}");
    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_report(trial, 0, 5));
    kit_ok(mopt_trial_report(trial, 1, 1));
    kit_ok(mopt_trial_report(trial, 2, -INFINITY));
    kit_fails(mopt_trial_report(trial, 3, 1.5), MOPT_PRUNED);
    kit_fails(mopt_trial_report(trial, 4, NAN), MOPT_PRUNED);
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

START_TEST(patient)
{
    mopt_space *space = one_space();
    mopt_study *study = study_open(
        ctx, space, "{\"pruner\": {\"type\": \"patient\", \"patience\": 1, "
                    "\"min_delta\": 0.5}}");
    mopt_trial *trial = NULL;

    kit_ok(mopt_study_ask(study, &trial));
    kit_ok(mopt_trial_report(trial, 0, 1));
    kit_ok(mopt_trial_report(trial, 1, 1.6));
    kit_fails(mopt_trial_report(trial, 2, 1.7), MOPT_PRUNED);
    kit_ok(mopt_trial_report(trial, 3, 1.4)); /* within min_delta */
    mopt_trial_free(trial);
    mopt_study_free(study);
    mopt_space_free(space);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("samplers");
    TCase *tc = tcase_create("samplers");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, reals_are_uniform, 0, SEEDS);
    tcase_add_loop_test(tc, counts_are_right, 0, SEEDS);
    tcase_add_test(tc, values_depend_on_their_names_alone);
    tcase_add_loop_test(tc, each_point_once, 0, 3);
    tcase_add_test(tc, a_shuffled_grid_is_spread);
    tcase_add_test(tc, grids_that_cannot_be);
    tcase_add_test(tc, median);
    tcase_add_test(tc, percentile);
    tcase_add_test(tc, threshold);
    tcase_add_test(tc, patient);
    suite_add_tcase(suite, tc);
    return suite;
}
