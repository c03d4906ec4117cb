/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_local.c: workers that take steps of their own and meet
 * now and then. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
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
    const char *resume, *save; /* files; or NULL */
    int32_t wide;              /* a model of several buckets */
    mopt_cancel *cancel;       /* of the last rank */
    uint64_t weights;          /* of rank 0, in the end: a digest */
    float small[SCHOOL_WEIGHTS];
    char history[16384];
    double loss;
} lesson;

static mopt_model *make_model(const lesson *l)
{
    return l->wide ? school_wide_model(ctx, 0)
                   : school_model(ctx, SCHOOL_CLASSES, 0.2);
}

static int32_t hand_in(lesson *l, const mopt_model *model,
                       const mopt_trainer *trainer)
{
    l->weights = school_digest(model);
    if (!l->wide)
        school_weights(model, l->small);
    l->loss = school_loss(model, train);
    return mopt_trainer_history(trainer, l->history, sizeof l->history, NULL);
}

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    int32_t rank = g ? mopt_group_rank(g) : 0, rc = MOPT_OK;
    int32_t last = !g || rank == mopt_group_size(g) - 1;
    mopt_model *model = make_model(l);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           l->settings);
    if (g)
        rc = mopt_trainer_set_group(trainer, g);
    if (rc == MOPT_OK)
        rc = school_learn(trainer, l->resume, l->save,
                          last ? l->cancel : NULL);
    if (rc == MOPT_OK && rank == 0)
        rc = hand_in(l, model, trainer);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

static void hold(lesson *l, int32_t size)
{
    kit_ok(mopt_group_run(ctx, size, 60, attend, l));
}

#define BASE "{\"epochs\": 4, \"batch_size\": 64, \"local_workers\": 4, "
static const lesson lessons[] = {
    {.settings = BASE "\"local_steps\": 2, \"optimizer\": \"adam\"}"},
    {.settings = BASE "\"local_steps\": 5, \"clip_norm\": 0.5, "
                      "\"optimizer\": {\"type\": \"sgd\", \"momentum\": "
                      "0.9}}"},
    {.settings = BASE "\"local_steps\": 1, \"chunk\": 10, \"max_norm\": 1, "
                      "\"optimizer\": \"sgd\"}"},
    {.settings = BASE "\"local_steps\": 2, \"optimizer\": \"adam\"}",
     .wide = 1},
};

START_TEST(any_number_of_ranks_gives_the_same_bits)
{
    lesson alone = lessons[_i];
    kit_ok(attend(&alone, NULL));
    ck_assert_double_lt(alone.loss, 2.5);
    for (int32_t size = 1; size <= 6; size++) {
        lesson many = lessons[_i];
        hold(&many, size);
        ck_assert_uint_eq(alone.weights, many.weights);
        ck_assert_str_eq(alone.history, many.history);
    }
}
END_TEST

static void close_to(const lesson *a, const lesson *b)
{
    for (int i = 0; i < SCHOOL_WEIGHTS; i++)
        ck_assert_double_eq_tol((double)a->small[i], (double)b->small[i],
                                1e-4);
}

/* One worker that meets itself after each step: the outer step is then one of
 * SGD with Nesterov momentum, and without momentum nothing but a step. */
START_TEST(the_outer_step_is_nesterovs)
{
#define PLAIN "{\"epochs\": 5, \"batch_size\": 50, \"optimizer\": "
#define SGD "{\"type\": \"sgd\", \"learning_rate\": "
    lesson outer = {.settings = PLAIN SGD "0.1}, \"local_steps\": 1, "
                                "\"outer_rate\": 0.5}"};
    lesson plain = {.settings = PLAIN SGD "0.05, \"momentum\": 0.9, "
                                "\"nesterov\": true}}"};
    lesson none = {.settings = PLAIN "\"adam\", \"local_steps\": 3, "
                               "\"outer_rate\": 1, \"outer_momentum\": 0}"};
    lesson adam = {.settings = PLAIN "\"adam\"}"};
    kit_ok(attend(&outer, NULL));
    kit_ok(attend(&plain, NULL));
    close_to(&outer, &plain);
    kit_ok(attend(&none, NULL));
    kit_ok(attend(&adam, NULL));
    close_to(&none, &adam);
}
END_TEST

/* Equal shares, one step, no momentum: the mean of steps is a step by the mean
 * of gradients. */
START_TEST(the_mean_of_steps_is_a_step)
{
    lesson local = {.settings = "{\"epochs\": 3, \"batch_size\": 50, "
                                "\"local_steps\": 1, \"local_workers\": 5, "
                                "\"outer_rate\": 1, \"outer_momentum\": 0, "
                                "\"optimizer\": \"sgd\"}"};
    lesson plain = {.settings = "{\"epochs\": 3, \"batch_size\": 50, "
                                "\"optimizer\": \"sgd\"}"};
    hold(&local, 2);
    kit_ok(attend(&plain, NULL));
    close_to(&local, &plain);
    ck_assert_double_eq_tol(local.loss, plain.loss, 1e-5);
}
END_TEST

START_TEST(a_checkpoint_goes_on_with_other_ranks)
{
    lesson whole = lessons[_i], first = whole, rest = whole;
    hold(&whole, 2);
    first.save = kit_path("local.checkpoint");
    hold(&first, 3);
    rest.resume = first.save;
    hold(&rest, 4);
    ck_assert_uint_eq(whole.weights, rest.weights);
    ck_assert_str_eq(whole.history, rest.history);
    rest.settings = "{\"epochs\": 4, \"batch_size\": 64, \"optimizer\": "
                    "\"adam\"}";
    kit_fails(attend(&rest, NULL), MOPT_EFORMAT);
}
END_TEST

/* ---- how it ends ---- */

START_TEST(workers_that_have_gone_on_cannot_be_saved)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(
        ctx, model, train, NULL, "{\"batch_size\": 50, \"local_steps\": 2}");
    double loss = 0;
    kit_ok(mopt_trainer_step(trainer, &loss));
    ck_assert_double_gt(loss, 0);
    kit_fails(mopt_trainer_save(trainer, kit_path("open")), MOPT_ESTATE);
    kit_says("they meet every 2 steps");
    kit_ok(mopt_trainer_step(trainer, &loss));
    kit_ok(mopt_trainer_save(trainer, kit_path("open")));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

START_TEST(a_token_ends_it_and_it_can_go_on)
{
    lesson undisturbed = lessons[0];
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           undisturbed.settings);
    mopt_cancel *cancel = NULL;
    kit_ok(attend(&undisturbed, NULL));
    kit_ok(mopt_cancel_create(ctx, &cancel));
    mopt_cancel_request(cancel);
    kit_ok(mopt_trainer_step(trainer, NULL));
    kit_fails(mopt_trainer_fit(trainer, cancel), MOPT_ECANCELED);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    ck_assert_uint_eq(undisturbed.weights, school_digest(model));
    mopt_cancel_free(cancel);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

START_TEST(a_token_of_one_rank_ends_all)
{
    lesson l = lessons[0];
    kit_ok(mopt_cancel_create(ctx, &l.cancel));
    mopt_cancel_request(l.cancel);
    kit_fails(mopt_group_run(ctx, 3, 60, attend, &l), MOPT_ECANCELED);
    mopt_cancel_free(l.cancel);
}
END_TEST

START_TEST(a_worker_that_diverges_ends_all)
{
    lesson l = {.settings = "{\"batch_size\": 64, \"local_steps\": 3, "
                            "\"optimizer\": {\"type\": \"sgd\", "
                            "\"learning_rate\": 1e6}}"};
    kit_fails(mopt_group_run(ctx, 3, 60, attend, &l), MOPT_EDIVERGED);
}
END_TEST

START_TEST(what_does_not_go_together)
{
    static const char *const cases[][2] = {
        {"{\"local_steps\": 3, \"parts\": 4}", "parts: workers"},
        {"{\"local_steps\": 3, \"optimizer\": {\"type\": \"gd\", "
         "\"line_search\": true}}", "local_steps: a line search"},
        {"{\"local_steps\": 3, \"batch_size\": 9, \"local_workers\": 4}",
         "a batch of 9 rows cannot be cut into 4 shares"},
    };
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    for (int i = 0; i < 3; i++)
        school_refused(ctx, model, train, cases[i][0], cases[i][1]);
    mopt_model_free(model);
}
END_TEST

START_TEST(without_memory)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    school_starved(ctx, model, train, lessons[0].settings);
    mopt_model_free(model);
}
END_TEST

/* ---- nobody waits ---- */

#define CLASS 4

typedef struct crowd {
    int32_t slow, leaving; /* ranks; -1: none */
    int32_t lingers;       /* who leaves stays in the group until all end */
    atomic_int ended;
    atomic_int steps[CLASS];
    int behind; /* steps of the slow one when rank 0 was through */
    atomic_int different;
    uint64_t weights;
    double loss; /* of what came out, on what was learned from */
} crowd;

typedef struct walker {
    crowd *c;
    int32_t rank;
} walker;

static int32_t after_step(void *user, mopt_trainer *trainer)
{
    const walker *w = user;
    int steps = atomic_fetch_add(&w->c->steps[w->rank], 1) + 1;
    (void)trainer;
    if (w->rank == w->c->slow)
        moi_clock_sleep(0.01);
    if (w->rank == w->c->leaving && steps == 12)
        return MOPT_STOPPED;
    return MOPT_OK;
}

static int32_t after_epoch(void *user, mopt_trainer *trainer)
{
    const walker *w = user;
    (void)trainer;
    if (w->rank == 0 && w->c->slow > 0)
        w->c->behind = atomic_load(&w->c->steps[w->c->slow]);
    return MOPT_OK;
}

#define FREE \
    "{\"epochs\": 30, \"batch_size\": 64, \"optimizer\": \"adam\", " \
    "\"local_steps\": 4, \"asynchronous\": true}"

static int32_t walk(void *user, mopt_group *g)
{
    walker w = {user, mopt_group_rank(g)};
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           FREE);
    int32_t rc = mopt_trainer_set_group(trainer, g);
    if (rc == MOPT_OK)
        rc = mopt_trainer_on_step(trainer, after_step, &w, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_on_epoch(trainer, after_epoch, &w, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, NULL);
    if (rc == MOPT_OK) {
        uint64_t own = school_digest(model);
        if (w.rank == 0) {
            w.c->weights = own;
            w.c->loss = school_loss(model, train);
        }
        atomic_fetch_add(&w.c->different, (int)(own & 0xffff));
    }
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    atomic_fetch_add(&w.c->ended, 1);
    while (w.c->lingers && atomic_load(&w.c->ended) < CLASS)
        moi_clock_sleep(0.001);
    return rc == MOPT_STOPPED ? MOPT_OK : rc;
}

/* All have the same in the end, and have learned. */
START_TEST(nobody_waits_for_the_slowest)
{
    crowd c = {.slow = -1, .leaving = -1};
    kit_ok(mopt_group_run(ctx, CLASS, 60, walk, &c));
    ck_assert_int_eq(atomic_load(&c.different),
                     CLASS * (int)(c.weights & 0xffff));
    lesson meets = {.settings = "{\"epochs\": 30, \"batch_size\": 64, "
                                "\"optimizer\": \"adam\", "
                                "\"local_steps\": 4}"};
    hold(&meets, CLASS);
    ck_assert_double_lt(c.loss, meets.loss + 0.15);
    crowd lame = {.slow = 2, .leaving = -1};
    kit_ok(mopt_group_run(ctx, CLASS, 60, walk, &lame));
    ck_assert_int_eq(atomic_load(&lame.steps[2]), 90);
    ck_assert_int_lt(lame.behind, 80);
    ck_assert_double_lt(lame.loss, meets.loss + 0.15);
}
END_TEST

/* Nor for a file: each could write the model, one does. */
static int32_t write_freely(void *user, mopt_group *g)
{
    const char **paths = user;
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL, FREE);
    kit_ok(mopt_trainer_set_group(trainer, g));
    kit_ok(mopt_trainer_export(trainer, paths[mopt_group_rank(g)]));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(one_of_a_free_crowd_writes_the_model)
{
    const char *paths[2] = {kit_path("first"), kit_path("second")};
    mopt_model *model = NULL;
    kit_ok(mopt_group_run(ctx, 2, 60, write_freely, paths));
    kit_ok(mopt_model_load(ctx, paths[0], &model));
    mopt_model_free(model);
    kit_fails(mopt_model_load(ctx, paths[1], &model), MOPT_ENOENT);
}
END_TEST

/* Whether its thread has ended or it has only left the training. */
START_TEST(a_rank_that_is_gone_is_not_missed)
{
    crowd c = {.slow = -1, .leaving = 3, .lingers = _i};
    kit_ok(mopt_group_run(ctx, CLASS, 60, walk, &c));
    ck_assert_int_eq(atomic_load(&c.steps[3]), 12);
    ck_assert_int_eq(atomic_load(&c.steps[1]), 90);
    ck_assert_int_eq(atomic_load(&c.different),
                     (CLASS - 1) * (int)(c.weights & 0xffff));
    ck_assert_double_lt(c.loss, 1.1);
}
END_TEST

/* One rank without anybody: as with meetings, to rounding. */
START_TEST(alone_it_is_the_same_outer_step)
{
    lesson alone = {.settings = PLAIN "\"adam\", \"local_steps\": 3, "
                                "\"asynchronous\": true}"};
    lesson meets = {.settings = PLAIN "\"adam\", \"local_steps\": 3, "
                                "\"restore_best\": false}"};
    kit_ok(attend(&alone, NULL));
    kit_ok(attend(&meets, NULL));
    close_to(&alone, &meets);
}
END_TEST

#define FREE_FILE \
    "{\"epochs\": 4, \"batch_size\": 64, \"optimizer\": \"adam\", " \
    "\"local_steps\": 4, \"asynchronous\": true, \"checkpoint\": \"%s\"}"

START_TEST(a_free_crowd_goes_on_from_a_checkpoint)
{
    char settings[600];
    snprintf(settings, sizeof settings, FREE_FILE, kit_path("free.checkpoint"));
    lesson first = {.settings = settings}, rest = first;
    hold(&first, 3);
    rest.resume = kit_path("free.checkpoint");
    hold(&rest, 2);
    ck_assert_str_eq(first.history, rest.history);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("local");
    TCase *t = tcase_create("local");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, any_number_of_ranks_gives_the_same_bits, 0,
                        (int)(sizeof lessons / sizeof *lessons));
    tcase_add_test(t, the_outer_step_is_nesterovs);
    tcase_add_test(t, the_mean_of_steps_is_a_step);
    tcase_add_loop_test(t, a_checkpoint_goes_on_with_other_ranks, 0, 2);
    tcase_add_test(t, workers_that_have_gone_on_cannot_be_saved);
    tcase_add_test(t, a_token_ends_it_and_it_can_go_on);
    tcase_add_test(t, a_token_of_one_rank_ends_all);
    tcase_add_test(t, a_worker_that_diverges_ends_all);
    tcase_add_test(t, what_does_not_go_together);
    tcase_add_test(t, without_memory);
    tcase_add_test(t, nobody_waits_for_the_slowest);
    tcase_add_test(t, one_of_a_free_crowd_writes_the_model);
    tcase_add_loop_test(t, a_rank_that_is_gone_is_not_missed, 0, 2);
    tcase_add_test(t, alone_it_is_the_same_outer_step);
    tcase_add_test(t, a_free_crowd_goes_on_from_a_checkpoint);
    suite_add_tcase(s, t);
    return s;
}
