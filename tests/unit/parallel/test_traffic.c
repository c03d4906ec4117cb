/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_traffic.c: the bytes that a plan says the busiest
 * rank sends a step, against what a transport counts. */
#include <stdatomic.h>

#include "group/group.h"
#include "learn/parallel/parallel.h"
#include "../train/school.h"

#define ROWS 256
#define FEATURES 48
#define RANKS 4
#define STEPS 3

/* What ranks agree on is small, and not among what is told; pieces of weights
 * are whole blocks, so that some ranks have more of them than others. */
#define SMALL 2048
#define MORE 0.05
#define LESS 0.01

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

/* ---- a transport that counts, over threads ---- */

typedef struct counter {
    const mopt_group_table *under;
    atomic_llong bytes;
} counter;

static int32_t count_send(void *user, int32_t to, int32_t channel,
                          const void *data, int64_t bytes, double timeout,
                          const mopt_cancel *cancel)
{
    counter *c = user;

    atomic_fetch_add(&c->bytes, bytes);
    return c->under->send(c->under->user, to, channel, data, bytes, timeout,
                          cancel);
}

static int32_t pass_receive(void *user, int32_t from, int32_t channel,
                            void *data, int64_t bytes, double timeout,
                            const mopt_cancel *cancel)
{
    const counter *c = user;

    return c->under->receive(c->under->user, from, channel, data, bytes,
                             timeout, cancel);
}

static int32_t count_exchange(void *user, int32_t to, const void *out,
                              int64_t out_bytes, int32_t from, void *in,
                              int64_t in_bytes, int32_t channel,
                              double timeout, const mopt_cancel *cancel)
{
    counter *c = user;

    atomic_fetch_add(&c->bytes, out_bytes);
    return c->under->exchange(c->under->user, to, out, out_bytes, from, in,
                              in_bytes, channel, timeout, cancel);
}

static void pass_abort(void *user, int32_t code)
{
    const counter *c = user;

    c->under->abort(c->under->user, code);
}

/* ---- a rank ---- */

typedef struct job {
    const char *layers, *training, *mesh;
    int32_t ranks;
    mopt_parallel *plan;
    long long sent[RANKS]; /* a step */
} job;

static mopt_trainer *make_trainer(const job *j, mopt_group *group,
                                  mopt_dataset *data)
{
    mopt_model *model = NULL;
    mopt_config *training = NULL;
    mopt_trainer *trainer = NULL;

    kit_ok(mopt_model_create(ctx, j->layers, FEATURES, 3, &model));
    training = school_config(ctx, "train", j->training);
    kit_ok(mopt_trainer_create_parallel(ctx, model, data, NULL, training,
                                        j->plan, group, &trainer));
    mopt_config_free(training);
    mopt_model_free(model);
    return trainer;
}

static int32_t work(void *user, mopt_group *under)
{
    job *j = user;
    counter sent = {&under->link->table, 0};
    mopt_group_table table = {
        .struct_size = sizeof table, .abi_version = MOPT_GROUP_ABI,
        .name = "counting", .user = &sent, .send = count_send,
        .receive = pass_receive, .exchange = count_exchange,
        .abort = pass_abort,
    };
    mopt_group *group = NULL;
    mopt_dataset *data = NULL;
    mopt_trainer *trainer;
    long long before;

    kit_ok(mopt_group_wrap(ctx, &table, mopt_group_rank(under),
                           mopt_group_size(under), 20, NULL, &group));
    kit_ok(mopt_dataset_from_memory(ctx, ROWS, FEATURES, x, MOPT_F32, 0, y,
                                    MOPT_I32, 1, 3, NULL, NULL, &data));
    group->sees = j->plan->host >= j->ranks;
    trainer = make_trainer(j, group, data);
    kit_ok(mopt_trainer_step(trainer, NULL));
    before = atomic_load(&sent.bytes);
    for (int i = 0; i < STEPS; i++)
        kit_ok(mopt_trainer_step(trainer, NULL));
    j->sent[mopt_group_rank(under)] =
        (atomic_load(&sent.bytes) - before) / STEPS;
    mopt_trainer_free(trainer);
    mopt_dataset_free(data);
    mopt_group_free(group);
    return MOPT_OK;
}

/* ---- the cases ---- */

#define WIDE "{\"type\": \"dense\", \"units\": 256, \"activation\": \"relu\"}"
#define NET \
    "{\"layers\": [" WIDE ", " WIDE ", " WIDE ", {\"type\": \"dense\"}]}"
#define TRAINING \
    "{\"batch_size\": 64, \"threads\": 1, \"epochs\": 9, \"parts\": 8}"
#define CLIPPED \
    "{\"batch_size\": 64, \"threads\": 1, \"epochs\": 9, \"parts\": 8, " \
    "\"clip_norm\": 1}"
#define HOST(data, tensor, pipeline, ranks) \
    "{\"data\": " #data ", \"tensor\": " #tensor ", \"pipeline\": " \
    #pipeline ", \"host_ranks\": " #ranks "}"
#define MESH(data, tensor, pipeline) HOST(data, tensor, pipeline, 1)

static const struct {
    const char *mesh;
    int32_t ranks;
    const char *training;
} cases[] = {
    {MESH(2, 1, 1), 2, TRAINING}, {MESH(4, 1, 1), 4, TRAINING},
    {MESH(1, 2, 1), 2, TRAINING}, {MESH(1, 4, 1), 4, TRAINING},
    {MESH(1, 1, 2), 2, TRAINING}, {MESH(1, 1, 4), 4, TRAINING},
    {MESH(2, 2, 1), 4, TRAINING}, {MESH(2, 1, 2), 4, TRAINING},
    {MESH(1, 2, 2), 4, TRAINING},
    {HOST(2, 1, 1, 2), 2, TRAINING}, {HOST(2, 1, 1, 2), 2, CLIPPED},
    {HOST(4, 1, 1, 3), 4, TRAINING}, {HOST(2, 2, 1, 4), 4, TRAINING},
    {HOST(2, 1, 2, 9), 4, TRAINING},
};

START_TEST(as_the_transport_counts)
{
    job j = {.layers = NET, .training = cases[_i].training,
             .mesh = cases[_i].mesh, .ranks = cases[_i].ranks};
    double most = 0;

    j.plan = school_plan(ctx, j.layers, FEATURES, j.mesh, j.training, j.ranks);
    kit_ok(mopt_group_run(ctx, j.ranks, 20, work, &j));
    for (int32_t i = 0; i < j.ranks; i++)
        most = (double)j.sent[i] > most ? (double)j.sent[i] : most;
    ck_assert_double_ge(j.plan->estimate.sent * (1 + MORE) + SMALL, most);
    ck_assert_double_le(j.plan->estimate.sent * (1 - LESS), most);
    mopt_parallel_free(j.plan);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("parallel_traffic");
    TCase *tcase = tcase_create("parallel_traffic");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, as_the_transport_counts, 0,
                        (int)(sizeof cases / sizeof cases[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
