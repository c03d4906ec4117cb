/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_memory.c: the memory that a plan says ranks hold,
 * against what the allocator sees of all of them. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"
#include "learn/parallel/parallel.h"

#define ROWS 512
#define FEATURES 64

/* Ranks may hold so much more than was told, and small things besides; or less
 * in all, where they do not hold the most at the same moment. */
#define MORE 0.15
#define LESS 0.25
#define SMALL 65536

static float x[ROWS][FEATURES];
static int32_t y[ROWS];
static mopt_context *ctx;

static void setup(void)
{
    ctx = kit_begin();
    for (int i = 0; i < ROWS; i++) {
        y[i] = i % 3;
        for (int k = 0; k < FEATURES; k++)
            x[i][k] = (float)((i * 7 + k * 13) % 31) / 31;
    }
}

static void teardown(void)
{
    kit_end(ctx);
}

/* ---- an allocator that counts bytes ---- */

typedef struct counter {
    atomic_llong held, most;
} counter;

static void *count(void *user, void *ptr, size_t old_size, size_t new_size)
{
    counter *c = user;
    long long held = atomic_fetch_add(&c->held, (long long)new_size -
                                                    (long long)old_size) +
                     (long long)new_size - (long long)old_size;

    if (held > atomic_load(&c->most))
        atomic_store(&c->most, held);
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

/* ---- a rank ---- */

typedef struct job {
    const char *layers, *training;
    int32_t ranks;
    counter held; /* by all ranks */
    mopt_context *ctx; /* that counts */
    mopt_parallel *plan;
} job;

static const char *mesh_of(int32_t ranks, char said[128])
{
    snprintf(said, 128, "{\"data\": %d, \"tensor\": 1, \"pipeline\": 1}",
             (int)ranks);
    return said;
}

static int32_t work(void *user, mopt_group *group)
{
    job *j = user;
    mopt_context *own = j->ctx;
    mopt_dataset *data = NULL;
    mopt_model *model = NULL;
    mopt_config *training = NULL;
    mopt_trainer *trainer = NULL;

    kit_ok(mopt_dataset_from_memory(own, ROWS, FEATURES, x, MOPT_F32, 0, y,
                                    MOPT_I32, 1, 3, NULL, NULL, &data));
    kit_ok(mopt_model_create(own, j->layers, FEATURES, 3, &model));
    kit_ok(mopt_config_create(own, "train", &training));
    kit_ok(mopt_config_set_json(training, j->training));
    kit_ok(mopt_trainer_create(own, model, data, NULL, training, &trainer));
    if (group)
        kit_ok(mopt_trainer_set_group(trainer, group));
    for (int i = 0; i < 3; i++)
        kit_ok(mopt_trainer_step(trainer, NULL));
    mopt_trainer_free(trainer);
    mopt_config_free(training);
    mopt_model_free(model);
    mopt_dataset_free(data);
    return MOPT_OK;
}

static void make_plan(job *j)
{
    mopt_config *config = NULL, *training = NULL;
    mopt_model *model = NULL;
    char said[128];

    kit_ok(mopt_model_create(ctx, j->layers, FEATURES, 3, &model));
    kit_ok(mopt_config_create(ctx, "parallel", &config));
    kit_ok(mopt_config_set_json(config, mesh_of(j->ranks, said)));
    kit_ok(mopt_config_create(ctx, "train", &training));
    kit_ok(mopt_config_set_json(training, j->training));
    kit_ok(mopt_parallel_create(ctx, model, config, training, j->ranks,
                                &j->plan));
    mopt_config_free(training);
    mopt_config_free(config);
    mopt_model_free(model);
}

/* ---- the cases ---- */

#define WIDE "{\"type\": \"dense\", \"units\": 512, \"activation\": \"relu\"}"
#define THIN "{\"type\": \"dense\", \"units\": 32, \"activation\": \"tanh\"}"
#define END "{\"type\": \"dense\"}"
#define NET(layers) "{\"layers\": [" layers ", " END "]}"
#define LARGE NET(WIDE ", " WIDE ", " WIDE)
#define LONG NET("{\"repeat\": 30, \"layers\": [" THIN "]}")

static const struct {
    const char *layers, *training;
    int32_t ranks;
} cases[] = {
    {LARGE, "{\"batch_size\": 64, \"threads\": 1}", 1},
    {LARGE, "{\"batch_size\": 64, \"threads\": 1, \"parts\": 8}", 1},
    {LARGE, "{\"batch_size\": 64, \"optimizer\": \"sgd\", \"threads\": 1}", 1},
    {LARGE, "{\"batch_size\": 64, \"threads\": 1}", 2},
    {LARGE, "{\"batch_size\": 512, \"threads\": 1}", 2},
    {LARGE, "{\"batch_size\": 64, \"threads\": 1}", 4},
    {LONG, "{\"batch_size\": 512, \"threads\": 1}", 1},
    {LONG, "{\"batch_size\": 512, \"threads\": 1}", 2},
};

START_TEST(as_the_allocator_sees_it)
{
    job j = {.layers = cases[_i].layers, .training = cases[_i].training,
             .ranks = cases[_i].ranks};
    double told, held;

    make_plan(&j);
    kit_ok(mopt_context_create(count, &j.held, &j.ctx));
    if (j.ranks > 1)
        kit_ok(mopt_group_run(j.ctx, j.ranks, 20, work, &j));
    else
        kit_ok(work(&j, NULL));
    told = (j.ranks > 1 ? j.plan->estimate : j.plan->alone).memory * j.ranks;
    held = (double)atomic_load(&j.held.most);
    ck_assert_double_ge(told * (1 + MORE) + SMALL * j.ranks, held);
    ck_assert_double_le(told * (1 - LESS) - SMALL * j.ranks, held);
    mopt_parallel_free(j.plan);
    mopt_context_free(j.ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("parallel_memory");
    TCase *tcase = tcase_create("parallel_memory");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, as_the_allocator_sees_it, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
