/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_memory.c: the memory that a plan says ranks hold,
 * against what the allocator sees of all of them. */
#include <stdatomic.h>
#include <stdlib.h>

#include "learn/parallel/parallel.h"
#include "../train/school.h"

#define ROWS 512
#define FEATURES 64

/* Ranks may hold so much more than was told, and small things besides; or less
 * in all, where they do not hold the most at the same moment. */
#define MORE 0.2
#define LESS 0.25
#define SMALL 65536

static float x[ROWS][FEATURES];
static int32_t y[ROWS];
static mopt_context *ctx;

static void setup(void)
{
    ctx = kit_begin();
    school_fill(ROWS, FEATURES, x[0], y);
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
    const char *layers, *training, *mesh;
    int32_t ranks;
    counter held; /* by all ranks */
    mopt_context *ctx; /* that counts */
    mopt_parallel *plan;
} job;

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
    training = school_config(own, "train", j->training);
    if (group)
        kit_ok(mopt_trainer_create_parallel(own, model, data, NULL, training,
                                            j->plan, group, &trainer));
    else
        kit_ok(mopt_trainer_create(own, model, data, NULL, training,
                                   &trainer));
    for (int i = 0; i < 3; i++)
        kit_ok(mopt_trainer_step(trainer, NULL));
    mopt_trainer_free(trainer);
    mopt_config_free(training);
    mopt_model_free(model);
    mopt_dataset_free(data);
    return MOPT_OK;
}

/* ---- the cases ---- */

#define WIDE "{\"type\": \"dense\", \"units\": 512, \"activation\": \"relu\"}"
#define THIN "{\"type\": \"dense\", \"units\": 32, \"activation\": \"tanh\"}"
#define END "{\"type\": \"dense\"}"
#define NET(layers) "{\"layers\": [" layers ", " END "]}"
#define LARGE NET(WIDE ", " WIDE ", " WIDE)
#define LONG NET("{\"repeat\": 30, \"layers\": [" THIN "]}")
#define SMALL_BATCH "{\"batch_size\": 64, \"threads\": 1"
#define LARGE_BATCH "{\"batch_size\": 512, \"threads\": 1"
#define MESH(data, tensor, pipeline) \
    "{\"data\": " #data ", \"tensor\": " #tensor ", \"pipeline\": " \
    #pipeline "}"
#define GPIPE \
    "{\"data\": 1, \"tensor\": 1, \"pipeline\": 2, \"schedule\": \"gpipe\"}"

static const struct {
    const char *layers, *training, *mesh;
    int32_t ranks;
} cases[] = {
    {LARGE, SMALL_BATCH "}", MESH(1, 1, 1), 1},
    {LARGE, SMALL_BATCH ", \"parts\": 8}", MESH(1, 1, 1), 1},
    {LARGE, SMALL_BATCH ", \"optimizer\": \"sgd\"}", MESH(1, 1, 1), 1},
    {LARGE, SMALL_BATCH "}", MESH(2, 1, 1), 2},
    {LARGE, LARGE_BATCH "}", MESH(2, 1, 1), 2},
    {LARGE, SMALL_BATCH "}", MESH(4, 1, 1), 4},
    {LARGE, SMALL_BATCH "}", MESH(1, 2, 1), 2},
    {LARGE, SMALL_BATCH "}", MESH(1, 1, 2), 2},
    {LARGE, LARGE_BATCH ", \"parts\": 16}", MESH(1, 1, 4), 4},
    {LARGE, LARGE_BATCH ", \"parts\": 16}", MESH(1, 2, 2), 4},
    {LARGE, LARGE_BATCH ", \"parts\": 16}", MESH(2, 1, 2), 4},
    {LONG, LARGE_BATCH "}", MESH(1, 1, 1), 1},
    {LONG, LARGE_BATCH "}", MESH(2, 1, 1), 2},
    {LONG, LARGE_BATCH ", \"parts\": 16}", MESH(1, 1, 2), 2},
    {LONG, LARGE_BATCH ", \"parts\": 16}", GPIPE, 2},
};

/* Of all ranks. */
static double add_up(const mopt_parallel *p)
{
    double sum = 0;

    for (int32_t s = 0; s < p->stages; s++) {
        moi_memory m = moi_stage_memory(p, s);

        sum += (m.weights + m.gradients + m.state + m.activations) * p->data *
               p->tensor;
    }
    return sum;
}

START_TEST(as_the_allocator_sees_it)
{
    job j = {.layers = cases[_i].layers, .training = cases[_i].training,
             .mesh = cases[_i].mesh, .ranks = cases[_i].ranks};
    double told, held;

    j.plan = school_plan(ctx, j.layers, FEATURES, j.mesh, j.training, j.ranks);
    kit_ok(mopt_context_create(count, &j.held, &j.ctx));
    if (j.ranks > 1)
        kit_ok(mopt_group_run(j.ctx, j.ranks, 20, work, &j));
    else
        kit_ok(work(&j, NULL));
    told = j.ranks > 1 ? add_up(j.plan) : j.plan->alone.memory;
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
