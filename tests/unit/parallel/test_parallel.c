/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_parallel.c: plans of how ranks share one training:
 * what is said by hand, what is chosen, what is refused. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/dense.h"
#include "kit.h"
#include "learn/parallel/parallel.h"

/* Layers: 0 dense, 1 dropout, 2 dense, 3 dense, 4 dense with softmax. */
#define WIDE "{\"type\": \"dense\", \"units\": 40, \"activation\": \"relu\"}"
#define TREE \
    "{\"layers\": [" WIDE ", {\"type\": \"dropout\", \"rate\": 0.5}, " WIDE \
    ", " WIDE ", {\"type\": \"dense\", \"activation\": \"softmax\"}]}"

static mopt_context *ctx;
static mopt_model *model;

static void setup(void)
{
    ctx = kit_begin();
    kit_ok(mopt_model_create(ctx, TREE, 20, 3, &model));
}

static void teardown(void)
{
    mopt_model_free(model);
    kit_end(ctx);
}

static int32_t plan(const char *said, const char *training, int32_t ranks,
                    mopt_parallel **out)
{
    mopt_config *config = NULL, *train = NULL;
    int32_t rc;

    kit_ok(mopt_config_create(ctx, "parallel", &config));
    kit_ok(mopt_config_create(ctx, "train", &train));
    rc = mopt_config_set_json(config, said);
    kit_ok(mopt_config_set_json(train, training));
    if (!rc)
        rc = mopt_parallel_create(ctx, model, config, train, ranks, NULL, out);
    mopt_config_free(config);
    mopt_config_free(train);
    return rc;
}

/* ---- by hand ---- */

START_TEST(what_was_said)
{
    mopt_parallel *p = NULL;
    char text[2048];

    kit_ok(plan("{\"data\": 2, \"tensor\": 2, \"pipeline\": 2, "
                "\"schedule\": \"gpipe\", \"cuts\": \"0,3\", \"splits\": "
                "\"columns,columns,rows,columns,none\"}",
                "{\"parts\": 16}", 8, &p));
    ck_assert_int_eq(p->data, 2);
    ck_assert_int_eq(p->tensor, 2);
    ck_assert_int_eq(p->stages, 2);
    ck_assert_int_eq(p->schedule, MOI_GPIPE);
    ck_assert_int_eq(p->parts, 16);
    ck_assert_int_eq(p->cuts[1], 3);
    ck_assert_int_eq(p->cuts[2], 5);
    ck_assert_int_eq(p->split[2], MOI_SPLIT_ROWS);
    kit_ok(mopt_parallel_json(p, text, sizeof text, NULL));
    ck_assert_ptr_nonnull(strstr(text, "\"ranks\": 8"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"splits\": [\"columns\", \"none\"]"));
    mopt_parallel_free(p);
}
END_TEST

static const struct {
    const char *said;
    int32_t ranks;
    const char *piece;
} wrong[] = {
    {"{\"data\": 3}", 4, "3 x 0 x 0"},
    {"{\"data\": 2, \"tensor\": 1, \"pipeline\": 1}", 4, "cannot be 4 ranks"},
    {"{\"data\": -1}", 4, "data"},
    {"{\"pipeline\": 6}", 6, "the model has 5 layers"},
    {"{\"schedule\": \"zigzag\"}", 2, "schedule"},
    {"{\"cuts\": \"0,x\"}", 2, "is no list of numbers"},
    {"{\"cuts\": \"0,,1\"}", 2, "is no list of numbers"},
    {"{\"cuts\": \"1,2\"}", 2, "does not begin with 0"},
    {"{\"cuts\": \"0,2,2\"}", 3, "does not ascend"},
    {"{\"cuts\": \"0,5\"}", 2, "there is no layer 5"},
    {"{\"cuts\": \"0,2\", \"pipeline\": 3}", 3, "2 stages in '0,2'"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"rows,none,none,none,none\"}", 2,
     "layer 0 cannot be split by rows: the layer below leaves no pieces"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"none,columns,none,none,none\"}", 2,
     "layer 1 cannot be split by columns"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"none,none,none,none,columns\"}", 2,
     "over the whole row"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"columns,rows,none,none,none\"}", 2,
     "its kind has no inputs"},
    {"{\"tensor\": 41, \"pipeline\": 1, "
     "\"splits\": \"columns,none,none,none,none\"}", 41,
     "too narrow"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"columns,rows\"}", 2, "2 words"},
    {"{\"tensor\": 2, \"pipeline\": 1, "
     "\"splits\": \"colums,rows\"}", 2, "'colums'"},
    {"{\"tensor\": 1, \"pipeline\": 1, "
     "\"splits\": \"columns,none,none,none,none\"}", 2,
     "there is one tensor rank"},
    {"{\"tensor\": 2, \"cuts\": \"0,1\", \"splits\": "
     "\"columns,columns,rows,none,none\"}", 4, "leaves no pieces"},
    {"{\"splits\": \"none,none,none,none,none\"}", 2,
     "say tensor and pipeline"},
    {"{\"tensor\": 64}", 64, "tensor: no layers of the model"},
    {"{\"memory_limit\": -1}", 2, "memory_limit"},
    {"{\"speed\": 0}", 2, "speed"},
    {"{\"memory_speed\": 0}", 2, "memory_speed"},
    {"{\"update_speed\": 0}", 2, "update_speed"},
    {"{\"cache\": -1}", 2, "cache"},
    {"{\"far_speed\": 0}", 2, "far_speed"},
    {"{\"overhead\": -1}", 2, "overhead"},
    {"{\"link_latency\": -1}", 2, "link_latency"},
    {"{\"link_work\": 1.5}", 2, "link_work"},
    {"{\"link_bandwidth\": 0}", 2, "link_bandwidth"},
    {"{\"host_ranks\": 0}", 2, "host_ranks"},
};

START_TEST(what_was_said_wrongly)
{
    mopt_parallel *p = NULL;

    kit_fails(plan(wrong[_i].said, "{}", wrong[_i].ranks, &p), MOPT_EINVAL);
    kit_says(wrong[_i].piece);
    ck_assert_ptr_null(p);
}
END_TEST

START_TEST(arguments)
{
    mopt_parallel *p = NULL;
    mopt_model *bare = NULL;
    mopt_config *other = NULL;

    kit_ok(mopt_model_build(ctx, 3, &bare));
    kit_fails(mopt_parallel_create(ctx, bare, NULL, NULL, 2, NULL, &p),
              MOPT_ESTATE);
    kit_fails(mopt_parallel_create(ctx, model, NULL, NULL, 0, NULL, &p),
              MOPT_EINVAL);
    kit_says("1 to 65536");
    kit_ok(mopt_config_create(ctx, "data", &other));
    kit_fails(mopt_parallel_create(ctx, model, other, NULL, 2, NULL, &p),
              MOPT_EINVAL);
    kit_says("wanted is 'parallel'");
    kit_fails(mopt_parallel_create(ctx, model, NULL, other, 2, NULL, &p),
              MOPT_EINVAL);
    kit_says("wanted is 'train'");
    mopt_config_free(other);
    mopt_model_free(bare);
}
END_TEST

START_TEST(without_memory)
{
    mopt_parallel *p = NULL;
    int32_t rc = MOPT_ENOMEM;

    for (int64_t at = 0; rc == MOPT_ENOMEM; at++) {
        kit_fail_allocation(at, 0);
        rc = mopt_parallel_create(ctx, model, NULL, NULL, 4, NULL, &p);
        kit_fail_allocation(-1, 0);
    }
    kit_ok(rc);
    mopt_parallel_free(p);
}
END_TEST

/* With a thousand layers and as many ways to put ranks together this would take
 * a minute. */
START_TEST(a_token_ends_it)
{
    mopt_parallel *p = NULL;
    mopt_cancel *cancel = NULL;
    mopt_model *deep = NULL;

    kit_ok(mopt_model_create(ctx, "{\"layers\": [{\"repeat\": 1000, "
                             "\"layers\": [{\"type\": \"dense\", \"units\": "
                             "64}]}]}", 64, 3, &deep));
    kit_ok(mopt_cancel_create(ctx, &cancel));
    mopt_cancel_request(cancel);
    kit_fails(mopt_parallel_create(ctx, deep, NULL, NULL, 55440, cancel, &p),
              MOPT_ECANCELED);
    ck_assert_ptr_null(p);
    mopt_cancel_reset(cancel);
    kit_ok(mopt_parallel_create(ctx, model, NULL, NULL, 4, cancel, &p));
    mopt_parallel_free(p);
    mopt_cancel_free(cancel);
    mopt_model_free(deep);
}
END_TEST

/* ---- chosen ---- */

START_TEST(pairs_of_columns_and_rows)
{
    mopt_parallel *p = NULL;
    static const int32_t want[] = {MOI_SPLIT_COLUMNS, MOI_SPLIT_COLUMNS,
                                   MOI_SPLIT_ROWS, MOI_SPLIT_COLUMNS,
                                   MOI_SPLIT_ROWS};

    kit_ok(plan("{\"data\": 1, \"tensor\": 2}", "{}", 2, &p));
    ck_assert_mem_eq(p->split, want, sizeof want);
    mopt_parallel_free(p);
}
END_TEST

/* Where tensor ranks were not asked for, pairs that cost more than they save
 * stay whole. */
START_TEST(pairs_that_pay)
{
    static const int32_t want[] = {MOI_SPLIT_COLUMNS, MOI_SPLIT_ROWS,
                                   MOI_SPLIT_NONE, MOI_SPLIT_NONE};
    mopt_model *large = NULL, *own = model;
    mopt_parallel *p = NULL;

    kit_ok(mopt_model_build(ctx, 512, &large));
    kit_ok(mopt_model_add_dense(large, 1024, "relu"));
    kit_ok(mopt_model_add_dense(large, 512, "relu"));
    kit_ok(mopt_model_add_dense(large, 16, "relu"));
    kit_ok(mopt_model_add_dense(large, 16, NULL));
    model = large;
    kit_ok(plan("{\"data\": 1, \"pipeline\": 1, \"link_latency\": 1e-4}",
                "{\"batch_size\": 256}", 2, &p));
    model = own;
    ck_assert_int_eq(p->tensor, 2);
    ck_assert_mem_eq(p->split, want, sizeof want);
    mopt_parallel_free(p);
    mopt_model_free(large);
}
END_TEST

START_TEST(pieces_of_a_width)
{
    for (int64_t width = 1; width < 200; width++)
        for (int32_t tensor = 1; tensor <= 8 && tensor <= width; tensor++) {
            ck_assert_int_eq(moi_split_cut(width, tensor, 0), 0);
            ck_assert_int_eq(moi_split_cut(width, tensor, tensor), width);
            for (int32_t t = 0; t < tensor; t++)
                ck_assert_int_lt(moi_split_cut(width, tensor, t),
                                 moi_split_cut(width, tensor, t + 1));
        }
}
END_TEST

/* What costs are worked out from: no need to look at all pieces. */
START_TEST(the_last_piece_is_the_largest)
{
    for (int64_t width = 1; width < 300; width++)
        for (int32_t tensor = 1; tensor <= 40; tensor++) {
            int64_t last = width - moi_split_cut(width, tensor, tensor - 1);

            for (int32_t t = 0; t < tensor; t++)
                ck_assert_int_le(moi_split_cut(width, tensor, t + 1) -
                                     moi_split_cut(width, tensor, t),
                                 last);
        }
}
END_TEST

/* The heaviest of some stages, as light as can be, the first beginning at a
 * layer: by trying all. */
static double lightest(const double *weight, int64_t layers, int64_t first,
                       int64_t stages)
{
    double own = 0, best = INFINITY;

    for (int64_t i = first; stages == 1 && i < layers; i++)
        own += weight[i];
    if (stages == 1)
        return own;
    for (int64_t end = first + 1; end <= layers - stages + 1; end++) {
        double rest = lightest(weight, layers, end, stages - 1);

        own += weight[end - 1];
        best = fmin(best, fmax(own, rest));
    }
    return best;
}

#define LAYERS 9

/* Weights of all sizes, with nothing and with equals among them. */
START_TEST(stages_are_balanced)
{
    int64_t cuts[LAYERS + 1];
    double weight[LAYERS];
    uint32_t state = (uint32_t)_i;

    for (int64_t i = 0; i < LAYERS; i++) {
        state = state * 1664525u + 1013904223u;
        weight[i] = _i % 3 == 0 ? (double)(state >> 30)
                                : (double)(state >> 8) * 1e-7;
    }
    for (int32_t stages = 1; stages <= LAYERS; stages++) {
        mopt_parallel p = {.layers = LAYERS, .stages = stages, .cuts = cuts};
        double heaviest = 0;

        moi_cuts_balance(&p, weight);
        ck_assert_int_eq(cuts[0], 0);
        ck_assert_int_eq(cuts[stages], LAYERS);
        for (int32_t s = 0; s < stages; s++) {
            double own = 0;

            ck_assert_int_lt(cuts[s], cuts[s + 1]);
            for (int64_t i = cuts[s]; i < cuts[s + 1]; i++)
                own += weight[i];
            heaviest = fmax(heaviest, own);
        }
        ck_assert_double_le(heaviest,
                            lightest(weight, LAYERS, 0, stages) *
                                (1 + 1e-12));
    }
}
END_TEST

/* Each mesh by hand is no faster than what was chosen, if it fits. */
static const struct {
    int32_t ranks;
    const char *rest; /* of the config */
    const char *training;
} choices[] = {
    {1, "", "{}"},
    {2, "", "{}"},
    {4, "", "{\"batch_size\": 256}"},
    {6, ", \"schedule\": \"gpipe\"", "{\"batch_size\": 64}"},
    {8, ", \"link_bandwidth\": 1e6", "{\"batch_size\": 256}"},
    {8, ", \"link_latency\": 1e-3", "{\"batch_size\": 256, \"parts\": 8}"},
    {4, ", \"memory_limit\": 45000", "{\"batch_size\": 8}"},
    {4, ", \"memory_limit\": 60000", "{\"batch_size\": 16, "
                                     "\"optimizer\": \"sgd\"}"},
};

START_TEST(the_fastest_that_fits)
{
    mopt_parallel *chosen = NULL, *p = NULL;
    int32_t ranks = choices[_i].ranks;
    char said[256];

    snprintf(said, sizeof said, "{\"data\": 0%s}", choices[_i].rest);
    kit_ok(plan(said, choices[_i].training, ranks, &chosen));
    for (int32_t stages = 1; stages <= ranks; stages++)
        for (int32_t tensor = 1; tensor <= ranks; tensor++) {
            if (ranks % (stages * tensor))
                continue;
            snprintf(said, sizeof said,
                     "{\"data\": %d, \"tensor\": %d, \"pipeline\": %d%s}",
                     ranks / stages / tensor, tensor, stages,
                     choices[_i].rest);
            if (plan(said, choices[_i].training, ranks, &p))
                continue;
            ck_assert_double_le(chosen->estimate.seconds,
                                p->estimate.seconds);
            mopt_parallel_free(p);
        }
    mopt_parallel_free(chosen);
}
END_TEST

START_TEST(what_does_not_fit)
{
    mopt_parallel *p = NULL;

    kit_fails(plan("{\"memory_limit\": 5000}", "{}", 2, &p), MOPT_EINVAL);
    kit_says("memory_limit: no plan for 2 ranks fits into 5000 bytes; the "
             "least");
    kit_fails(plan("{\"data\": 2, \"tensor\": 1, \"pipeline\": 1, "
                   "\"memory_limit\": 5000}", "{}", 2, &p), MOPT_EINVAL);
    kit_says("as 2 x 1 x 1");
}
END_TEST

/* A limit below what a rank would hold makes ranks share the layers. */
START_TEST(a_limit_makes_ranks_share)
{
    mopt_parallel *free_plan = NULL, *p = NULL;
    char said[128];

    kit_ok(plan("{\"data\": 4, \"tensor\": 1, \"pipeline\": 1}", "{}", 4,
                &free_plan));
    snprintf(said, sizeof said, "{\"memory_limit\": %.0f}",
             free_plan->estimate.memory * 0.75);
    kit_ok(plan(said, "{}", 4, &p));
    ck_assert_int_gt(p->tensor * p->stages, 1);
    ck_assert_double_le(p->estimate.memory, p->limit);
    mopt_parallel_free(free_plan);
    mopt_parallel_free(p);
}
END_TEST

/* ---- what is told ---- */

START_TEST(costs_add_up)
{
    mopt_parallel *p = NULL;
    const moi_seconds *s;

    kit_ok(plan("{\"data\": 2, \"tensor\": 2, \"pipeline\": 2}",
                "{\"batch_size\": 64}", 8, &p));
    s = &p->estimate.part;
    ck_assert_double_gt(s->tensor, 0);
    ck_assert_double_gt(s->transfer, 0);
    ck_assert_double_gt(s->bubble, 0);
    ck_assert_double_gt(s->gradients, 0);
    ck_assert_double_eq_tol(p->estimate.seconds,
                            s->compute + s->tensor + s->transfer + s->bubble +
                                s->sums + s->gradients + s->update +
                                s->agreement, 1e-12);
    mopt_parallel_free(p);
}
END_TEST

/* What ranks of a host, and the training, let them do without messages. */
static const struct {
    const char *said, *training;
    int32_t meets;
} meetings[] = {
    {"{\"data\": 4}", "{}", MOI_MEET_MESSAGES},
    {"{\"data\": 4, \"host_ranks\": 3}", "{}", MOI_MEET_MESSAGES},
    {"{\"data\": 4, \"host_ranks\": 4}", "{}", MOI_MEET_ROWS},
    {"{\"data\": 4, \"host_ranks\": 4}", "{\"clip_norm\": 1}",
     MOI_MEET_SUMS},
    {"{\"data\": 4, \"host_ranks\": 4}", "{\"compression\": \"bf16\"}",
     MOI_MEET_SUMS},
    {"{\"data\": 4, \"host_ranks\": 4}", "{\"overlap\": \"always\"}",
     MOI_MEET_SUMS},
    {"{\"data\": 4, \"host_ranks\": 4}", "{\"parts\": 64}", MOI_MEET_SUMS},
    {"{\"data\": 4, \"host_ranks\": 4}",
     "{\"batch_size\": 1024, \"parts\": 8}", MOI_MEET_SUMS},
    {"{\"data\": 4, \"host_ranks\": 4}", "{\"chunk\": 7}", MOI_MEET_SUMS},
    {"{\"data\": 2, \"tensor\": 2, \"host_ranks\": 4}", "{}",
     MOI_MEET_SUMS},
    {"{\"pipeline\": 4, \"host_ranks\": 4}", "{}", MOI_MEET_MESSAGES},
};

START_TEST(ranks_of_a_host)
{
    int32_t meets = meetings[_i].meets;
    mopt_parallel *p = NULL;

    if (meets == MOI_MEET_ROWS && !moi_dense_adds(ctx, 64, 0))
        meets = MOI_MEET_SUMS;
    kit_ok(plan(meetings[_i].said, meetings[_i].training, 4, &p));
    ck_assert_int_eq(moi_parallel_meets(p), meets);
    if (p->data == 4)
        ck_assert_int_eq(p->estimate.sent == 0, meets != MOI_MEET_MESSAGES);
    mopt_parallel_free(p);
}
END_TEST

/* Operands wait for what of the weights, and of what goes with them, is beyond
 * the cache. */
START_TEST(what_the_cache_has_not)
{
#define CACHE(bytes) \
    "{\"memory_speed\": 1e9, \"cache\": " #bytes ", \"far_speed\": 1e9}"
    mopt_parallel *p = NULL;
    double held, weights;

    kit_ok(plan(CACHE(0), "{\"optimizer\": \"adam\"}", 1, &p));
    weights = moi_stage_weights(p, 0);
    held = 4 * weights * 4; /* weights, gradients, and two states */
    ck_assert_double_eq_tol(p->pace.memory, 1e9, 1);
    mopt_parallel_free(p);
    kit_ok(plan(CACHE(1e9), "{\"optimizer\": \"adam\"}", 1, &p));
    ck_assert_double_eq_tol(p->pace.memory, 1e9, 1);
    mopt_parallel_free(p);
    kit_ok(plan(CACHE(20000), "{\"optimizer\": \"adam\"}", 1, &p));
    ck_assert_double_eq_tol(p->pace.memory, 1e9 / (2 - 20000 / held), 1);
    ck_assert_double_eq(p->pace.update, p->machine.update);
    mopt_parallel_free(p);
    kit_ok(plan(CACHE(20000), "{\"optimizer\": \"adam\", \"chunk\": 8, "
                              "\"batch_size\": 32, \"parts\": 4}", 1, &p));
    held += 4 * weights * 2; /* two levels of the tree of sums */
    ck_assert_double_eq_tol(p->pace.memory, 1e9 / (2 - 20000 / held), 1);
    mopt_parallel_free(p);
}
END_TEST

/* Products wait for rows and weights of others; copies of weights do not. */
START_TEST(what_others_wrote)
{
#define FAR(speed) \
    "{\"data\": 4, \"host_ranks\": 4, \"far_speed\": " #speed "}"
    mopt_parallel *near = NULL, *far = NULL;
    int32_t by_rows;
    double rows = 0, waits;

    kit_ok(plan(FAR(1e18), "{}", 4, &near));
    kit_ok(plan(FAR(1e6), "{}", 4, &far));
    by_rows = moi_parallel_meets(far) == MOI_MEET_ROWS;
    for (int64_t i = 0; i < far->layers && by_rows; i++)
        if (far->cost[i].matrix > 0)
            rows += 4 * (double)far->batch * 3 / 4 *
                    ((double)far->cost[i].in / 4 + (double)far->cost[i].out);
    waits = far->estimate.part.compute - near->estimate.part.compute;
    ck_assert_double_eq_tol(waits, rows / 1e6, 1e-9);
    ck_assert_double_eq(moi_share_spread(far, 100).foreign,
                        by_rows ? 4 * 3 * 100 : 0);
    mopt_parallel_free(near);
    mopt_parallel_free(far);
}
END_TEST

START_TEST(as_json)
{
    static const char *const keys[] = {
        "\"ranks\": 4", "\"costs\": {\"compute\"", "\"memory\"", "\"sent\"",
        "\"alone\"", "\"alternatives\": [{\"data\"", "\"machine\"",
        "\"fits\": true"};
    mopt_parallel *p = NULL;
    char text[8192], few[10];
    size_t needed = 0;

    kit_ok(plan("{}", "{}", 4, &p));
    kit_ok(mopt_parallel_json(p, text, sizeof text, &needed));
    ck_assert_uint_eq(needed, strlen(text) + 1);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ck_assert_msg(strstr(text, keys[i]) != NULL, "no %s in %s", keys[i],
                      text);
    kit_fails(mopt_parallel_json(p, few, sizeof few, NULL), MOPT_ERANGE);
    mopt_parallel_free(p);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("parallel");
    TCase *tcase = tcase_create("parallel");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_token_ends_it);
    tcase_add_test(tcase, what_was_said);
    tcase_add_loop_test(tcase, what_was_said_wrongly, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tcase, arguments);
    tcase_add_test(tcase, without_memory);
    tcase_add_test(tcase, pairs_of_columns_and_rows);
    tcase_add_test(tcase, pairs_that_pay);
    tcase_add_test(tcase, pieces_of_a_width);
    tcase_add_test(tcase, the_last_piece_is_the_largest);
    tcase_add_loop_test(tcase, stages_are_balanced, 0, 30);
    tcase_add_loop_test(tcase, the_fastest_that_fits, 0,
                        (int)(sizeof choices / sizeof choices[0]));
    tcase_add_test(tcase, what_does_not_fit);
    tcase_add_test(tcase, a_limit_makes_ranks_share);
    tcase_add_test(tcase, costs_add_up);
    tcase_add_loop_test(tcase, ranks_of_a_host, 0,
                        (int)(sizeof meetings / sizeof meetings[0]));
    tcase_add_test(tcase, what_the_cache_has_not);
    tcase_add_test(tcase, what_others_wrote);
    tcase_add_test(tcase, as_json);
    suite_add_tcase(suite, tcase);
    return suite;
}
