/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_near.c: ranks that see each other's rows and write each
 * other's weights: threads here, that share memory as processes of a host do.
 * The same bits, and nobody writes to a model that has left. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "backend/dense.h"
#include "group/group.h"
#include "learn/train/near.h"
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
    const char *frozen, *save, *resume;
    int32_t sees;        /* ranks of a process see each other's memory, */
    int32_t apart;       /* but so many or fewer are not near */
    uint64_t weights;    /* of rank 0, in the end */
    double loss;
} lesson;

/* Ranks are near where the backend adds up parts in one product. */
static int32_t adds(void)
{
    return moi_dense_adds(ctx, 64, 0);
}

static int32_t is_near(const mopt_trainer *t)
{
    return t->team->near != NULL;
}

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    mopt_model *model = school_wide_model(ctx, 0.2);
    const moi_real *home = moi_model_weights(model);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           l->settings);
    g->sees = l->sees;
    school_freeze(ctx, trainer, l->frozen);
    int32_t rc = mopt_trainer_set_group(trainer, g);
    if (rc == MOPT_OK)
        ck_assert_int_eq(is_near(trainer),
                         adds() && l->sees && mopt_group_size(g) > 1 &&
                             mopt_group_size(g) > l->apart);
    if (rc == MOPT_OK)
        rc = school_learn(trainer, l->resume, l->save, NULL);
    if (rc == MOPT_OK && mopt_group_rank(g) == 0) {
        l->weights = school_digest(model);
        rc = mopt_trainer_get(trainer, "loss", &l->loss);
    }
    mopt_trainer_free(trainer);
    ck_assert_ptr_eq(moi_model_weights(model), home);
    if (rc == MOPT_OK && mopt_group_rank(g) == 0)
        ck_assert_uint_eq(school_digest(model), l->weights);
    mopt_model_free(model);
    return rc;
}

static void hold(lesson *l, int32_t size)
{
    kit_ok(mopt_group_run(ctx, size, 60, attend, l));
}

static void same(const lesson *a, const lesson *b)
{
    ck_assert_uint_eq(a->weights, b->weights);
    ck_assert_double_eq(a->loss, b->loss);
}

/* ---- the same bits ---- */

#define BASE "{\"epochs\": 2, \"batch_size\": 64, "
static const lesson lessons[] = {
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adam\"}"},
    {.settings = BASE "\"parts\": 7, \"optimizer\": \"adam\", "
                      "\"threads\": 2}"},
    {.settings = BASE "\"parts\": 2, \"optimizer\": {\"type\": \"sgd\", "
                      "\"momentum\": 0.9}, \"clip_value\": 0.1}"},
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adamw\", "
                      "\"max_norm\": 1}", .frozen = "layers.3.*"},
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adam\"}",
     .frozen = "layers.0.*"},
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adam\", "
                      "\"clip_norm\": 0.5}", .apart = 8},
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adam\", "
                      "\"chunk\": 8}", .apart = 7},
    {.settings = BASE "\"parts\": 8, \"optimizer\": \"adam\", "
                      "\"overlap\": \"always\"}", .apart = 8},
    {.settings = BASE "\"optimizer\": \"adam\", \"compression\": \"bf16\", "
                      "\"parts\": 8}", .apart = 8},
};

START_TEST(ranks_that_are_near_come_to_the_same_bits)
{
    lesson one = lessons[_i];
    hold(&one, 1);
    ck_assert_double_lt(one.loss, 1.5);
    for (int32_t size = 2; size <= 8; size = size == 2 ? 3 : size + 5) {
        lesson many = lessons[_i];
        if (size > 2 && size <= many.apart) /* two show that they go on */
            continue;
        many.sees = 1;
        hold(&many, size);
        same(&one, &many);
    }
}
END_TEST

START_TEST(a_checkpoint_goes_on_whoever_is_near)
{
    lesson whole = lessons[0], first = whole, rest = whole;
    hold(&whole, 3);
    first.sees = 1;
    first.save = kit_path("near.checkpoint");
    hold(&first, 2);
    rest.resume = first.save;
    hold(&rest, 3);
    same(&whole, &rest);
    rest.sees = 1;
    hold(&rest, 4);
    same(&whole, &rest);
}
END_TEST

/* ---- where weights live ---- */

/* Only one trainer at a time has a model's weights where others write. */
static int32_t share_model(void *user, mopt_group *g)
{
    const lesson *l = user;
    mopt_model *model = school_wide_model(ctx, 0);
    mopt_trainer *both[2];
    g->sees = 1;
    for (int i = 0; i < 2; i++) {
        both[i] = school_trainer(ctx, model, train, NULL, l->settings);
        kit_ok(mopt_trainer_set_group(both[i], g));
        ck_assert_int_eq(is_near(both[i]), adds() && i == 0);
    }
    for (int i = 0; i < 4; i++)
        kit_ok(mopt_trainer_step(both[i % 2], NULL));
    uint64_t weights = school_digest(model);
    mopt_trainer_free(both[0]);
    ck_assert_uint_eq(school_digest(model), weights);
    kit_ok(mopt_trainer_step(both[1], NULL));
    ck_assert_uint_ne(school_digest(model), weights);
    mopt_trainer_free(both[1]);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(a_model_lodges_once)
{
    lesson l = lessons[0];
    kit_ok(mopt_group_run(ctx, 2, 60, share_model, &l));
}
END_TEST

/* A step too far diverges at all ranks alike; the last good weights come back,
 * and training goes on from a checkpoint. */
static int32_t go_too_far(void *user, mopt_group *g)
{
    const char *path = user;
    mopt_model *model = school_wide_model(ctx, 0);
    uint64_t weights = school_digest(model);
    mopt_trainer *trainer = school_trainer(
        ctx, model, train, NULL, BASE "\"parts\": 8, \"optimizer\": "
        "{\"type\": \"sgd\", \"learning_rate\": 1e6}}");
    int32_t rc = MOPT_OK;
    g->sees = 1;
    kit_ok(mopt_trainer_set_group(trainer, g));
    kit_ok(mopt_trainer_save(trainer, path));
    while (rc == MOPT_OK)
        rc = mopt_trainer_step(trainer, NULL);
    ck_assert_int_eq(rc, MOPT_EDIVERGED);
    ck_assert_uint_eq(school_digest(model), weights);
    kit_ok(mopt_trainer_resume(trainer, path));
    kit_ok(mopt_trainer_step(trainer, NULL));
    ck_assert_int_eq(is_near(trainer), adds());
    ck_assert_uint_ne(school_digest(model), weights);
    kit_ok(moi_group_agree(g, "weights", school_digest(model), NULL));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(weights_come_back_after_a_step_too_far)
{
    kit_ok(mopt_group_run(ctx, 2, 60, go_too_far,
                          (void *)kit_path("far.checkpoint")));
}
END_TEST

/* ---- ranks that are late ---- */

typedef struct wait {
    atomic_int gone;
} wait;

/* Rank 1 dawdles; rank 0 gives the step up, and has its weights where rank 1
 * cannot write any more. */
static int32_t dawdle(void *user, mopt_group *g)
{
    wait *w = user;
    mopt_model *model = school_wide_model(ctx, 0);
    const moi_real *home = moi_model_weights(model);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                           lessons[0].settings);
    g->sees = 1;
    kit_ok(mopt_trainer_set_group(trainer, g));
    uint64_t weights = school_digest(model);
    kit_ok(mopt_trainer_step(trainer, NULL));
    ck_assert(moi_model_weights(model) != home);
    while (mopt_group_rank(g) == 1 && !atomic_load(&w->gone))
        usleep(1000);
    int32_t rc = mopt_trainer_step(trainer, NULL);
    ck_assert_int_eq(rc, MOPT_EPEER);
    if (mopt_group_rank(g) == 0) {
        ck_assert_ptr_eq(moi_model_weights(model), home);
        ck_assert_uint_eq(school_digest(model), weights);
        atomic_store(&w->gone, 1);
    }
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(who_gives_up_takes_its_weights_along)
{
    wait w = {0};
    if (adds())
        kit_ok(mopt_group_run(ctx, 2, 0.5, dawdle, &w));
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("near");
    TCase *t = tcase_create("near");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, ranks_that_are_near_come_to_the_same_bits, 0,
                        sizeof lessons / sizeof lessons[0]);
    tcase_add_test(t, a_checkpoint_goes_on_whoever_is_near);
    tcase_add_test(t, a_model_lodges_once);
    tcase_add_test(t, weights_come_back_after_a_step_too_far);
    tcase_add_test(t, who_gives_up_takes_its_weights_along);
    suite_add_tcase(s, t);
    return s;
}
