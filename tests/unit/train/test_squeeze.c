/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_squeeze.c: gradients that travel in fewer bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/train/squeeze.h"
#include "school.h"

static mopt_context *ctx;
static mopt_dataset *train, *validation;

static void setup(void)
{
    ctx = school_open(&train, &validation);
}

static void teardown(void)
{
    school_close(ctx, train, validation);
}

/* ---- packing ---- */

#define COUNT 9000 /* a block, and some of the next */

static moi_squeeze *make(int32_t kind, double share, mopt_group **group)
{
    moi_squeeze *s = NULL;
    kit_ok(mopt_group_create(ctx, 1, 1, group));
    kit_ok(moi_squeeze_create(*group, kind, share, COUNT, 2, &s));
    return s;
}

static float number(int64_t i)
{
    return (float)((double)(i * 7919 % 2003) - 1001) / 64;
}

/* What is sent and what is left over are what was given; and it arrives as it
 * was packed. */
static void check(moi_squeeze *s, int32_t rounds)
{
    const moi_codec *codec = moi_squeeze_codec(s);
    const float *error = (float *)(void *)moi_squeeze_errors(s)[1];
    static float data[COUNT], got[COUNT], given[COUNT], sent[COUNT];
    char *packed = malloc((size_t)codec->bytes(codec->user, COUNT));
    memset(given, 0, sizeof given);
    memset(sent, 0, sizeof sent);
    for (int32_t round = 0; round < rounds; round++) {
        for (int64_t i = 0; i < COUNT; i++) {
            data[i] = number(i + round);
            given[i] += data[i];
        }
        codec->pack(codec->user, 1, 0, COUNT, data, packed);
        codec->unpack(codec->user, packed, COUNT, got);
        ck_assert_mem_eq(data, got, sizeof got);
        for (int64_t i = 0; i < COUNT; i++)
            sent[i] += data[i];
    }
    for (int64_t i = 0; i < COUNT; i++)
        ck_assert_float_eq_tol(sent[i] + error[i], given[i], 1e-4f);
    free(packed);
}

START_TEST(halves_are_the_nearest)
{
    static const float cases[][2] = {
        {1, 1}, {-3.5f, -3.5f}, {0, 0},
        {1.00390625f, 1},         /* halfway: to even */
        {1.01171875f, 1.015625f}, /* the same, up */
        {1.004f, 1.0078125f},     /* above halfway */
        {3.4e38f, INFINITY}, {INFINITY, INFINITY},
    };
    mopt_group *group = NULL;
    moi_squeeze *s = make(MOI_SQUEEZE_HALVES, 0, &group);
    const moi_codec *codec = moi_squeeze_codec(s);
    uint16_t packed;
    float nan = NAN;
    ck_assert_int_eq(codec->bytes(codec->user, COUNT), 2 * COUNT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float value = cases[i][0];
        memset(moi_squeeze_errors(s)[0], 0, sizeof(float));
        codec->pack(codec->user, 0, 0, 1, &value, &packed);
        ck_assert_float_eq(value, cases[i][1]);
    }
    codec->pack(codec->user, 0, 0, 1, &nan, &packed);
    ck_assert(isnan(nan));
    check(s, 5);
    moi_squeeze_free(s);
    mopt_group_free(group);
}
END_TEST

START_TEST(the_largest_are_chosen)
{
    mopt_group *group = NULL;
    moi_squeeze *s = make(MOI_SQUEEZE_LARGEST, 0.001, &group);
    const moi_codec *codec = moi_squeeze_codec(s);
    static float data[COUNT];
    char packed[200];
    /* 9 of the first block, 1 of the 808 of the second. */
    ck_assert_int_eq(codec->bytes(codec->user, COUNT), 60);
    for (int64_t i = 0; i < COUNT; i++)
        data[i] = i % 100 == 7 ? (float)-i : 0.5f;
    codec->pack(codec->user, 0, 0, COUNT, data, packed);
    for (int64_t i = 0; i < COUNT; i++)
        ck_assert_float_eq(data[i], (i % 100 == 7 && i > 7300 && i < 8192) ||
                                            i == 8907 ? (float)-i : 0);
    /* Of equals, the first. */
    memset(moi_squeeze_errors(s)[0], 0, COUNT * sizeof(float));
    for (int64_t i = 0; i < COUNT; i++)
        data[i] = i % 2 ? -1.0f : 1.0f;
    codec->pack(codec->user, 0, 0, COUNT, data, packed);
    for (int64_t i = 0; i < COUNT; i++)
        ck_assert_int_eq(data[i] != 0, i < 9 || i == 8192);
    memset(moi_squeeze_errors(s)[1], 0, COUNT * sizeof(float));
    check(s, 20);
    moi_squeeze_free(s);
    mopt_group_free(group);
}
END_TEST

/* ---- training ---- */

typedef struct lesson {
    const char *settings;
    const char *resume, *save;
    uint64_t weights;
    double loss;
    char history[8192];
} lesson;

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    mopt_model *model = school_wide_model(ctx, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           l->settings);
    int32_t rc = g ? mopt_trainer_set_group(trainer, g) : MOPT_OK;
    if (rc == MOPT_OK)
        rc = school_learn(trainer, l->resume, l->save, NULL);
    if (rc == MOPT_OK && (!g || mopt_group_rank(g) == 0)) {
        l->weights = school_digest(model);
        l->loss = school_loss(model, train);
        rc = mopt_trainer_history(trainer, l->history, sizeof l->history,
                                  NULL);
    }
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

static void hold(lesson *l, int32_t size)
{
    kit_ok(mopt_group_run(ctx, size, 60, attend, l));
}

#define PLAIN "{\"epochs\": 2, \"batch_size\": 64, \"parts\": 4, "
#define BASE PLAIN "\"overlap\": \"always\", "
#define SGD "\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.9}, "
static const char *const settings[] = {
    BASE "\"optimizer\": \"adam\", \"compression\": \"bf16\"}",
    BASE SGD "\"clip_norm\": 1, \"compression\": \"bf16\"}",
    BASE SGD "\"compression\": \"topk\", \"topk_share\": 0.05}",
    PLAIN SGD "\"clip_norm\": 1, \"overlap\": \"never\", "
             "\"compression\": \"topk\"}",
};

START_TEST(any_number_of_ranks_gives_the_same_bits)
{
    lesson alone = {.settings = settings[_i]};
    kit_ok(attend(&alone, NULL));
    for (int32_t size = 1; size <= 5; size += 2) {
        lesson many = {.settings = settings[_i]};
        hold(&many, size);
        ck_assert_uint_eq(alone.weights, many.weights);
        ck_assert_str_eq(alone.history, many.history);
    }
}
END_TEST

START_TEST(a_checkpoint_goes_on_with_other_ranks)
{
    lesson whole = {.settings = settings[_i]}, first = whole, rest = whole;
    hold(&whole, 2);
    first.save = kit_path("squeeze.checkpoint");
    hold(&first, 3);
    rest.resume = first.save;
    hold(&rest, 4);
    ck_assert_uint_eq(whole.weights, rest.weights);
    ck_assert_str_eq(whole.history, rest.history);
}
END_TEST

/* What came out is about as good as without. */
START_TEST(the_loss_stays_near)
{
#define LONG "{\"epochs\": 8, \"batch_size\": 50, \"optimizer\": \"sgd\", "
    lesson plain = {.settings = LONG "\"parts\": 2}"};
    lesson halves = {.settings = LONG "\"compression\": \"bf16\"}"};
    lesson largest = {.settings = LONG "\"compression\": \"topk\", "
                                  "\"topk_share\": 0.1}"};
    hold(&plain, 2);
    hold(&halves, 2);
    hold(&largest, 2);
    ck_assert_double_lt(plain.loss, 0.9);
    ck_assert_double_eq_tol(halves.loss, plain.loss, 0.01);
    ck_assert_double_lt(largest.loss, plain.loss + 0.1);
}
END_TEST

START_TEST(what_does_not_go_together)
{
    static const char *const cases[][2] = {
        {"{\"compression\": \"bf16\", \"local_steps\": 2}",
         "compression: does not go with local_steps"},
        {"{\"compression\": \"topk\", \"optimizer\": {\"type\": \"gd\", "
         "\"line_search\": true}}", "with a line search"},
        {"{\"compression\": \"topk\", \"parts\": 140, \"batch_size\": 150}",
         "a rank would have"},
    };
    mopt_model *model = school_wide_model(ctx, 0);
    for (int i = 0; i < 3; i++)
        school_refused(ctx, model, train, cases[i][0], cases[i][1]);
    mopt_model_free(model);
}
END_TEST

START_TEST(without_memory)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    for (int i = 0; i < 4; i += 2)
        school_starved(ctx, model, train, settings[i]);
    mopt_model_free(model);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("squeeze");
    TCase *t = tcase_create("squeeze");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, halves_are_the_nearest);
    tcase_add_test(t, the_largest_are_chosen);
    tcase_add_loop_test(t, any_number_of_ranks_gives_the_same_bits, 0, 4);
    tcase_add_loop_test(t, a_checkpoint_goes_on_with_other_ranks, 0, 4);
    tcase_add_test(t, the_loss_stays_near);
    tcase_add_test(t, what_does_not_go_together);
    tcase_add_test(t, without_memory);
    suite_add_tcase(s, t);
    return s;
}
