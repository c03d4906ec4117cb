/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_tokens.c: a token that is triggered and reset again
 * while ranks pass parts of a batch on. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "learn/nn/model.h"
#include "../train/school.h"

#define STAGES 3
#define LAYERS \
    "{\"layers\": [{\"type\": \"dense\", \"units\": 12, \"activation\": " \
    "\"relu\"}, {\"type\": \"dense\", \"units\": 9, \"activation\": " \
    "\"tanh\"}, {\"type\": \"dense\"}]}"
#define TRAINING "{\"epochs\": 4, \"batch_size\": 64, \"parts\": 8}"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static mopt_cancel *token;
static atomic_int calm; /* nobody touches the token any more */

static void setup(void)
{
    ctx = school_open(&train, &validation);
    kit_ok(mopt_cancel_create(ctx, &token));
}

static void teardown(void)
{
    mopt_cancel_free(token);
    school_close(ctx, train, validation);
}

static mopt_model *make_model(void)
{
    mopt_model *model = NULL;

    kit_ok(mopt_model_create(ctx, LAYERS, SCHOOL_FEATURES, SCHOOL_CLASSES,
                             &model));
    return model;
}

/* Gone before anybody looks at how it went. */
static void *stir(void *unused)
{
    while (!atomic_load(&calm)) {
        mopt_cancel_request(token);
        usleep(20);
        mopt_cancel_reset(token);
        usleep(300);
    }
    return unused;
}

/* Whenever it is cancelled, it goes on. */
static void fit(mopt_trainer *trainer)
{
    int32_t rc;

    do {
        rc = mopt_trainer_fit(trainer, token);
    } while (rc == MOPT_ECANCELED);
    kit_ok(rc);
}

static int32_t work(void *user, mopt_group *group)
{
    uint64_t *digest = user;
    mopt_model *model = make_model();
    mopt_parallel *plan = school_plan(ctx, LAYERS, SCHOOL_FEATURES,
                                      "{\"pipeline\": 3}", TRAINING, STAGES);
    mopt_config *config = school_config(ctx, "train", TRAINING);
    mopt_trainer *trainer = NULL;

    kit_ok(mopt_trainer_create_parallel(ctx, model, train, validation, config,
                                        plan, group, &trainer));
    fit(trainer);
    kit_ok(mopt_trainer_gather(trainer, model));
    if (mopt_group_rank(group) == 0)
        *digest = school_digest(model);
    mopt_trainer_free(trainer);
    mopt_config_free(config);
    mopt_parallel_free(plan);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(what_comes_and_goes_changes_no_bit)
{
    mopt_model *model = make_model();
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           TRAINING);
    uint64_t digest = 0;
    pthread_t thread;
    int32_t rc;

    kit_ok(mopt_trainer_fit(trainer, NULL));
    atomic_store(&calm, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, stir, NULL), 0);
    rc = mopt_group_run(ctx, STAGES, 60, work, &digest);
    atomic_store(&calm, 1);
    pthread_join(thread, NULL);
    kit_ok(rc);
    ck_assert_uint_eq(digest, school_digest(model));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("tokens");
    TCase *c = tcase_create("tokens");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, what_comes_and_goes_changes_no_bit, 0, 2);
    suite_add_tcase(suite, c);
    return suite;
}
