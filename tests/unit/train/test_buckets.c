/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_buckets.c: ranks that train a model of several buckets:
 * the same bits for any number of them. */
#include "base/clock.h"
#include "base/context.h"
#include "learn/train/trainer.h"
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

typedef struct lesson {
    const char *settings;
    const char *frozen; /* tensors that stay as they are; or NULL */
    const char *resume; /* a checkpoint, or NULL */
    const char *save;   /* to there, after one epoch; or NULL */
    uint64_t weights;   /* of rank 0, in the end: a digest */
    double loss;
} lesson;

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    mopt_model *model = school_wide_model(ctx, 0.2);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           l->settings);
    int32_t rc = mopt_trainer_set_group(trainer, g);
    school_freeze(ctx, trainer, l->frozen);
    if (rc == MOPT_OK)
        ck_assert_int_gt(trainer->team->bucket_count, 1);
    if (rc == MOPT_OK)
        rc = school_learn(trainer, l->resume, l->save, NULL);
    if (rc == MOPT_OK && mopt_group_rank(g) == 0) {
        l->weights = school_digest(model);
        rc = mopt_trainer_get(trainer, "loss", &l->loss);
    }
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

static void hold(lesson *l, int32_t size)
{
    kit_ok(mopt_group_run(ctx, size, 60, attend, l));
}

#define PLAIN "{\"epochs\": 2, \"batch_size\": 64, \"parts\": 8, "
#define BASE PLAIN "\"overlap\": \"always\", "
static const lesson lessons[] = {
    {.settings = BASE "\"optimizer\": \"adam\"}"},
    {.settings = BASE "\"optimizer\": \"adam\", \"threads\": 2}"},
    {.settings = PLAIN "\"optimizer\": \"adam\", \"overlap\": \"never\"}"},
    {.settings = BASE "\"optimizer\": \"adam\", \"chunk\": 20}"},
    {.settings = BASE "\"clip_norm\": 0.5, \"optimizer\": {\"type\": \"sgd\", "
                      "\"learning_rate\": 0.1, \"momentum\": 0.9}}"},
    {.settings = BASE "\"max_norm\": 1, \"optimizer\": {\"type\": \"adamw\", "
                      "\"learning_rate\": 0.005}}",
     .frozen = "layers.2.*"},
};

START_TEST(any_number_of_ranks_gives_the_same_bits)
{
    lesson one = lessons[_i];
    hold(&one, 1);
    ck_assert_double_lt(one.loss, 1.5);
    for (int32_t size = 2; size <= 9; size = 2 * size - 1) {
        lesson many = lessons[_i];
        hold(&many, size);
        ck_assert_uint_eq(one.weights, many.weights);
        ck_assert_double_eq(one.loss, many.loss);
    }
}
END_TEST

/* What differs above is only how the work is cut. */
START_TEST(threads_and_chunks_leave_the_bits_alone)
{
    lesson one = lessons[0];
    hold(&one, 2);
    for (int i = 1; i < 4; i++) {
        lesson other = lessons[i];
        hold(&other, 2);
        ck_assert_uint_eq(one.weights, other.weights);
    }
}
END_TEST

START_TEST(a_checkpoint_goes_on_with_other_ranks)
{
    lesson whole = lessons[0], first = whole, rest = whole;
    hold(&whole, 1);
    first.save = kit_path("buckets.checkpoint");
    hold(&first, 3);
    rest.resume = first.save;
    hold(&rest, 5);
    ck_assert_uint_eq(whole.weights, rest.weights);
    ck_assert_double_eq(whole.loss, rest.loss);
}
END_TEST

/* ---- a rank that fails in the middle ---- */

#define FATAL 24 /* calls of both ranks; 6 take a batch forward */
/* Both ranks have gone forward by then, and gradients are on their way. */
START_TEST(a_rank_that_fails_in_a_backward_pass_ends_all)
{
    lesson l = lessons[0];
    const mopt_backend *usual = school_stumble(ctx, FATAL);
    double start = moi_clock_seconds();
    kit_fails(mopt_group_run(ctx, 2, 60, attend, &l), MOPT_EBACKEND);
    kit_says("backend 'stumbling': sgemm returned -1");
    ctx->backend = usual;
    ck_assert_double_lt(moi_clock_seconds() - start, 30);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("buckets");
    TCase *t = tcase_create("buckets");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, any_number_of_ranks_gives_the_same_bits, 0,
                        (int)(sizeof lessons / sizeof *lessons));
    tcase_add_test(t, threads_and_chunks_leave_the_bits_alone);
    tcase_add_test(t, a_rank_that_fails_in_a_backward_pass_ends_all);
    tcase_add_test(t, a_checkpoint_goes_on_with_other_ranks);
    suite_add_tcase(s, t);
    return s;
}
