/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_limits.c: a model that is too large for the memory
 * of one rank is trained by several, each of which has as little. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../train/school.h"

#define MOST_RANKS 4

static mopt_context *ctx;
static mopt_dataset *train;

static void setup(void)
{
    ctx = kit_begin();
    train = school_clouds(ctx, 96, 1.5, 1);
}

static void teardown(void)
{
    mopt_dataset_free(train);
    kit_end(ctx);
}

/* ---- memory that has a limit ---- */

typedef struct purse {
    pthread_mutex_t lock;
    int64_t used, most, limit; /* bytes; limit 0: none */
} purse;

static void *spend(void *user, void *ptr, size_t old_size, size_t new_size)
{
    purse *p = user;
    pthread_mutex_lock(&p->lock);
    int64_t after = p->used + (int64_t)new_size - (int64_t)old_size;
    int32_t fits = new_size <= old_size || p->limit == 0 || after <= p->limit;
    if (fits) {
        p->used = after;
        p->most = after > p->most ? after : p->most;
    }
    pthread_mutex_unlock(&p->lock);
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return fits ? realloc(ptr, new_size) : NULL;
}

/* ---- what a rank does ---- */

typedef struct lesson {
    const char *plan; /* NULL: a trainer by itself */
    int64_t limit;
    int64_t most;     /* that a rank took */
    double loss;      /* in the end */
    purse purses[MOST_RANKS];
} lesson;

/* 5-256-256-256-256-256-3. */
static mopt_model *make_model(mopt_context *own)
{
    static const char *const tree =
        "{\"layers\": [{\"repeat\": 5, \"layers\": [{\"type\": \"dense\", "
        "\"units\": 256, \"activation\": \"relu\"}]}, {\"type\": \"dense\"}]}";
    mopt_model *model = NULL;
    kit_ok(mopt_model_create(own, tree, SCHOOL_FEATURES, SCHOOL_CLASSES,
                             &model));
    return model;
}

static int32_t make_trainer(const lesson *l, mopt_context *own, mopt_group *g,
                            mopt_model *model, mopt_trainer **out)
{
    mopt_config *settings = school_config(
        own, "train", "{\"epochs\": 3, \"batch_size\": 32, \"parts\": 2, "
                      "\"optimizer\": \"adam\"}");
    mopt_config *config = NULL;
    mopt_parallel *plan = NULL;
    int32_t rc;
    if (l->plan != NULL) {
        config = school_config(own, "parallel", l->plan);
        kit_ok(mopt_parallel_create(own, model, config, settings,
                                    mopt_group_size(g), NULL, &plan));
        rc = mopt_trainer_create_parallel(own, model, train, NULL, settings,
                                          plan, g, out);
    } else {
        rc = mopt_trainer_create(own, model, train, NULL, settings, out);
    }
    mopt_parallel_free(plan);
    mopt_config_free(config);
    mopt_config_free(settings);
    return rc;
}

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    purse *p = &l->purses[mopt_group_rank(g)];
    mopt_context *own = NULL;
    mopt_trainer *trainer = NULL;
    kit_ok(mopt_context_create(spend, p, &own));
    mopt_model *model = make_model(own);
    p->limit = l->limit;
    int32_t rc = make_trainer(l, own, g, model, &trainer);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, NULL);
    if (rc == MOPT_OK && mopt_group_rank(g) == 0)
        rc = mopt_trainer_get(trainer, "loss", &l->loss);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    mopt_context_free(own);
    ck_assert_int_eq(p->used, 0);
    return rc;
}

static int32_t hold(lesson *l, int32_t ranks)
{
    for (int i = 0; i < MOST_RANKS; i++)
        pthread_mutex_init(&l->purses[i].lock, NULL);
    int32_t rc = mopt_group_run(ctx, ranks, 60, attend, l);
    for (int i = 0; i < ranks; i++)
        l->most = l->purses[i].most > l->most ? l->purses[i].most : l->most;
    return rc;
}

static const struct {
    const char *plan;
    int32_t ranks;
    double share; /* of what one rank takes */
} meshes[] = {
    {"{\"data\": 1, \"tensor\": 2, \"pipeline\": 1}", 2, 0.65},
    {"{\"data\": 1, \"tensor\": 1, \"pipeline\": 2}", 2, 0.65},
    {"{\"data\": 1, \"tensor\": 4, \"pipeline\": 1}", 4, 0.4},
    {"{\"data\": 1, \"tensor\": 1, \"pipeline\": 4}", 4, 0.4},
    {"{\"data\": 1, \"tensor\": 2, \"pipeline\": 2}", 4, 0.4},
};

START_TEST(what_is_too_large_for_one_is_shared)
{
    lesson one = {.plan = NULL}, poor = one;
    kit_ok(hold(&one, 1));
    lesson many = {.plan = meshes[_i].plan,
                   .limit = (int64_t)(meshes[_i].share * (double)one.most)};
    poor.limit = many.limit;
    kit_fails(hold(&poor, 1), MOPT_ENOMEM);
    kit_ok(hold(&many, meshes[_i].ranks));
    ck_assert_double_lt(fabs(many.loss - one.loss), 1e-5 * one.loss);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("mesh_limits");
    TCase *t = tcase_create("limits");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_too_large_for_one_is_shared, 0,
                        (int)(sizeof meshes / sizeof *meshes));
    suite_add_tcase(s, t);
    return s;
}
