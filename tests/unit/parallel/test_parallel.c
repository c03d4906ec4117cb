/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_parallel.c: plans of how ranks share one training:
 * what is said by hand, what is chosen, what is refused. */
#include <stdio.h>
#include <string.h>

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
        rc = mopt_parallel_create(ctx, model, config, train, ranks, out);
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
    {"{\"tensor\": 2, \"splits\": \"rows,none,none,none,none\"}", 2,
     "layer 0 cannot be split by rows: the layer below leaves no pieces"},
    {"{\"tensor\": 2, \"splits\": \"none,columns,none,none,none\"}", 2,
     "layer 1 cannot be split by columns"},
    {"{\"tensor\": 2, \"splits\": \"none,none,none,none,columns\"}", 2,
     "over the whole row"},
    {"{\"tensor\": 2, \"splits\": \"columns,rows,none,none,none\"}", 2,
     "its kind has no inputs"},
    {"{\"tensor\": 41, \"splits\": \"columns,none,none,none,none\"}", 41,
     "too narrow"},
    {"{\"tensor\": 2, \"splits\": \"columns,rows\"}", 2, "2 words"},
    {"{\"tensor\": 2, \"splits\": \"colums,rows\"}", 2, "'colums'"},
    {"{\"tensor\": 1, \"splits\": \"columns,none,none,none,none\"}", 2,
     "there is one tensor rank"},
    {"{\"tensor\": 2, \"cuts\": \"0,1\", \"splits\": "
     "\"columns,columns,rows,none,none\"}", 4, "leaves no pieces"},
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
    kit_fails(mopt_parallel_create(ctx, bare, NULL, NULL, 2, &p), MOPT_ESTATE);
    kit_fails(mopt_parallel_create(ctx, model, NULL, NULL, 0, &p),
              MOPT_EINVAL);
    kit_says("1 to 65536");
    kit_ok(mopt_config_create(ctx, "data", &other));
    kit_fails(mopt_parallel_create(ctx, model, other, NULL, 2, &p),
              MOPT_EINVAL);
    kit_says("wanted is 'parallel'");
    kit_fails(mopt_parallel_create(ctx, model, NULL, other, 2, &p),
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
        rc = mopt_parallel_create(ctx, model, NULL, NULL, 4, &p);
        kit_fail_allocation(-1, 0);
    }
    kit_ok(rc);
    mopt_parallel_free(p);
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

/* What the slowest of some stages takes, the first beginning at a layer. */
static int64_t slowest(const mopt_parallel *p, int64_t first, int64_t stages)
{
    int64_t own = 0, best = INT64_MAX;

    if (stages == 1) {
        for (int64_t i = first; i < p->layers; i++)
            own += p->flops[i];
        return own;
    }
    for (int64_t end = first + 1; end <= p->layers - stages + 1; end++) {
        int64_t rest = slowest(p, end, stages - 1);

        own += p->flops[end - 1];
        if ((own > rest ? own : rest) < best)
            best = own > rest ? own : rest;
    }
    return best;
}

START_TEST(stages_are_balanced)
{
    mopt_parallel *p = NULL;
    char said[64];

    snprintf(said, sizeof said, "{\"data\": 1, \"pipeline\": %d}", _i);
    kit_ok(plan(said, "{}", _i, &p));
    for (int32_t s = 0; s < p->stages; s++) {
        int64_t own = 0;

        ck_assert_int_lt(p->cuts[s], p->cuts[s + 1]);
        for (int64_t i = p->cuts[s]; i < p->cuts[s + 1]; i++)
            own += p->flops[i];
        ck_assert_int_le(own, slowest(p, 0, p->stages));
    }
    mopt_parallel_free(p);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("parallel");
    TCase *tcase = tcase_create("parallel");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_said);
    tcase_add_loop_test(tcase, what_was_said_wrongly, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tcase, arguments);
    tcase_add_test(tcase, without_memory);
    tcase_add_test(tcase, pairs_of_columns_and_rows);
    tcase_add_test(tcase, pieces_of_a_width);
    tcase_add_loop_test(tcase, stages_are_balanced, 1, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}
