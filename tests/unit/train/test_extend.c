/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_extend.c: the two extension points of the loop, groups
 * of parameters and terms of the loss; and that steps take no memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "learn/train/trainer.h"
#include "school.h"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static mopt_model *model;
static float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];

static void setup(void)
{
    ctx = school_open_with(SCHOOL_ROWS, 40, 0.5, &train, &validation);
    model = school_model(ctx, SCHOOL_CLASSES, 0);
}

static void teardown(void)
{
    mopt_model_free(model);
    school_close(ctx, train, validation);
}

/* ---- groups ---- */

static void add_group(mopt_trainer *t, const char *pattern, const char *json)
{
    mopt_config *config = school_config(ctx, "group", json);

    kit_ok(mopt_trainer_add_group(t, pattern, config));
    mopt_config_free(config);
}

/* Moves of one step of plain descent, with and without a group. */
static int64_t moves(const char *pattern, const char *group, float *plain,
                     float *grouped)
{
    static const char *const json =
        "{\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}}";
    float start[SCHOOL_WEIGHTS];
    int64_t count = 0;

    for (int i = 0; i < 2; i++) {
        mopt_model *net = school_model(ctx, SCHOOL_CLASSES, 0);
        mopt_trainer *t = school_trainer(ctx, net, train, NULL, json);
        float *to = i ? grouped : plain;

        school_weights(net, start);
        if (i)
            add_group(t, pattern, group);
        kit_ok(mopt_trainer_step(t, NULL));
        count = school_weights(net, to);
        for (int64_t k = 0; k < count; k++)
            to[k] -= start[k];
        mopt_trainer_free(t);
        mopt_model_free(net);
    }
    return count;
}

START_TEST(groups_scale_the_rate)
{
    int64_t count = moves("layers.0.*", "{\"rate\": 2}", before, after);

    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(after[i], (i < 48 ? 2 : 1) * before[i], 1e-6);
}
END_TEST

START_TEST(groups_freeze)
{
    int64_t count = moves("*.bias", "{\"frozen\": true}", before, after);

    for (int64_t i = 0; i < count; i++)
        ck_assert((i >= 40 && i < 48) || i >= 72 ? after[i] == 0
                                                 : after[i] == before[i]);
    count = moves("layers.0.*", "{\"frozen\": true}", before, after);
    for (int64_t i = 0; i < count; i++)
        ck_assert(i < 48 ? after[i] == 0 : after[i] == before[i]);
    count = moves("layers.1.*", "{\"frozen\": true}", before, after);
    for (int64_t i = 0; i < count; i++)
        ck_assert(i >= 48 ? after[i] == 0 : after[i] == before[i]);
}
END_TEST

/* What is frozen costs nothing: no gradient is written, and where all below
 * is frozen the pass ends. */
static int32_t note_tensors(void *user, int64_t tensor, int64_t first,
                            int64_t count)
{
    (void)first;
    (void)count;
    *(int32_t *)user |= 1 << tensor;
    return 0;
}

START_TEST(frozen_layers_cost_nothing)
{
    static const int32_t frozen[][4] = {
        {0, 0, 0, 0}, {1, 1, 0, 0}, {0, 0, 1, 1}, {1, 1, 1, 1}, {1, 0, 0, 1}};
    static const int32_t reported[] = {15, 12, 3, 0, 15};
    float grads[256], *input, *pull;
    moi_pass pass = {.training = 1};
    moi_plan *plan = NULL;
    int32_t seen = 0;

    for (int i = 0; i < 256; i++)
        grads[i] = 77;
    ck_assert_int_le(moi_model_size(model), 256);
    kit_ok(moi_plan_create(ctx, model, 4, MOI_PLAN_TRAIN, &plan));
    moi_plan_freeze(plan, frozen[_i]);
    input = moi_plan_input(plan);
    for (int i = 0; i < 4 * SCHOOL_FEATURES; i++)
        input[i] = (float)(i % 7) - 3;
    kit_ok(moi_plan_forward(plan, moi_model_weights(model), 4, &pass));
    pull = moi_plan_output_grad(plan);
    for (int i = 0; i < 4 * SCHOOL_CLASSES; i++)
        pull[i] = 1;
    kit_ok(moi_plan_backward(plan, moi_model_weights(model), 4, &pass, grads,
                             note_tensors, &seen));
    ck_assert_int_eq(seen, reported[_i]);
    for (int64_t i = 0; i < 4; i++) {
        const moi_param *p = moi_model_param(model, i);

        ck_assert((grads[p->offset] == 77) == !(seen & 1 << i));
    }
    moi_plan_free(plan);
}
END_TEST

START_TEST(trainers_tell_their_plan)
{
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, "{}");
    const float *grads = moi_step_gradient(t);

    add_group(t, "layers.0.*", "{\"frozen\": true}");
    kit_ok(mopt_trainer_step(t, NULL));
    for (int64_t i = 0; i < 2; i++) {
        const moi_param *frozen = moi_model_param(model, i);

        for (int64_t k = 0; k < frozen->count; k++)
            ck_assert(grads[frozen->offset + k] == 0);
    }
    ck_assert(grads[moi_model_param(model, 3)->offset] != 0);
    mopt_trainer_free(t);
}
END_TEST

START_TEST(groups_decay)
{
    float start[SCHOOL_WEIGHTS];
    int64_t count = moves("*", "{\"weight_decay\": 0.5}", before, after);

    school_weights(model, start);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(after[i], before[i] - 0.05f * start[i], 1e-6);
}
END_TEST

/* Biases do not decay unless that is said. */
START_TEST(biases_decay_when_asked)
{
    static const char *const json[] = {
        "{\"optimizer\": {\"type\": \"adamw\", \"weight_decay\": 1, "
        "\"learning_rate\": 0.5}}",
        "{\"optimizer\": {\"type\": \"adamw\", \"weight_decay\": 1, "
        "\"learning_rate\": 0.5, \"decay_bias\": true}}",
    };
    float bias[8], ones[8];
    double left[2];

    for (int i = 0; i < 8; i++)
        ones[i] = 100;
    for (int i = 0; i < 2; i++) {
        mopt_trainer *t;

        kit_ok(mopt_model_set_tensor(model, "layers.0.bias", ones, 8));
        t = school_trainer(ctx, model, train, NULL, json[i]);
        kit_ok(mopt_trainer_step(t, NULL));
        kit_ok(mopt_model_get_tensor(model, "layers.0.bias", bias, 8));
        left[i] = bias[3];
        mopt_trainer_free(t);
    }
    ck_assert_double_gt(left[0], 99);
    ck_assert_double_lt(left[1], 51);
}
END_TEST

START_TEST(later_groups_win)
{
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, "{}");
    int64_t count = school_weights(model, before);

    add_group(t, "*", "{\"frozen\": true}");
    add_group(t, "layers.1.bias", "{\"frozen\": false}");
    kit_ok(mopt_trainer_step(t, NULL));
    school_weights(model, after);
    for (int64_t i = 0; i < count; i++)
        ck_assert((after[i] == before[i]) == (i < 72));
    mopt_trainer_free(t);
}
END_TEST

START_TEST(groups_misused)
{
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, "{}");
    mopt_config *group = school_config(ctx, "group", "{}");
    mopt_config *other = school_config(ctx, "train", "{}");

    kit_fails(mopt_trainer_add_group(NULL, "*", group), MOPT_EINVAL);
    kit_fails(mopt_trainer_add_group(t, NULL, group), MOPT_EINVAL);
    kit_fails(mopt_trainer_add_group(t, "*", NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_add_group(t, "*", other), MOPT_EINVAL);
    kit_says("group");
    kit_fails(mopt_trainer_add_group(t, "layer.0.weight", group), MOPT_EKEY);
    kit_says("layers.0.weight");
    kit_ok(mopt_trainer_step(t, NULL));
    kit_fails(mopt_trainer_add_group(t, "*", group), MOPT_ESTATE);
    mopt_config_free(group);
    mopt_config_free(other);
    mopt_trainer_free(t);
}
END_TEST

/* ---- extra terms ---- */

typedef struct pull {
    int64_t calls, rows, destroyed;
    int32_t answer;
} pull;

/* Mean squared distance of all outputs from 1, as a term. */
static int32_t towards_one(void *user, int64_t rows, int64_t outputs,
                           const int64_t *index, const float *output,
                           float *grad, double *loss)
{
    pull *p = user;
    double count = (double)(rows * outputs);

    p->calls++;
    p->rows += rows;
    for (int64_t i = 0; i < rows; i++)
        ck_assert(index[i] >= 0 && index[i] < SCHOOL_ROWS);
    for (int64_t i = 0; i < rows * outputs; i++) {
        double d = (double)output[i] - 1;

        ck_assert(grad[i] == 0);
        grad[i] += (float)(2 * d / count);
        *loss += d * d / count;
    }
    return p->answer;
}

static void pull_free(void *user)
{
    ((pull *)user)->destroyed++;
}

/* Trained on the term alone, all outputs become 1. */
START_TEST(terms_alone)
{
    static const char *const json[] = {
        "{\"epochs\": 80, \"optimizer\": {\"learning_rate\": 0.02}}",
        "{\"epochs\": 80, \"optimizer\": {\"learning_rate\": 0.02}, "
        "\"batch_size\": 30, \"chunk\": 11}",
    };
    pull p = {0, 0, 0, 0};
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, json[_i]);

    kit_ok(mopt_trainer_add_loss(t, 3, towards_one, &p, pull_free));
    kit_ok(mopt_trainer_set_loss_weight(t, 0));
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_lt(school_get(t, "loss"), 0.02);
    ck_assert_int_eq(p.rows, 80 * SCHOOL_ROWS);
    ck_assert_int_eq(p.calls, _i ? 80 * 10 : 80 * 4);
    mopt_trainer_free(t);
    ck_assert_int_eq(p.destroyed, 1);
}
END_TEST

/* A term that is the loss itself doubles the gradient: half the rate gives the
 * same training. */
START_TEST(terms_add_to_the_loss)
{
    mopt_dataset *data = school_numbers(ctx, SCHOOL_ROWS, 3);
    mopt_model *net[2] = {school_model(ctx, 2, 0), school_model(ctx, 2, 0)};
    pull p = {0, 0, 0, 0};
    mopt_trainer *s = school_trainer(
        ctx, net[0], data, NULL,
        "{\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}}");
    mopt_trainer *t = school_trainer(
        ctx, net[1], data, NULL,
        "{\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.05}}");
    double one, two;

    kit_ok(mopt_trainer_add_loss(s, 1, towards_one, &p, NULL));
    kit_ok(mopt_trainer_add_loss(t, 2, towards_one, &p, NULL));
    kit_ok(mopt_trainer_set_loss_weight(t, 2));
    for (int i = 0; i < 12; i++) {
        kit_ok(mopt_trainer_step(s, &one));
        kit_ok(mopt_trainer_step(t, &two));
        ck_assert_double_eq_tol(two, 2 * one, 1e-5);
    }
    mopt_trainer_free(s);
    mopt_trainer_free(t);
    for (int i = 0; i < 2; i++)
        mopt_model_free(net[i]);
    mopt_dataset_free(data);
}
END_TEST

/* Chunks of a batch with a term add up to the whole, at any weight. */
START_TEST(terms_of_chunks_add_up)
{
    static const char *const json[] = {
        "{\"batch_size\": 60, \"epochs\": 3, \"optimizer\": {\"type\": "
        "\"sgd\", \"learning_rate\": 0.1}}",
        "{\"batch_size\": 60, \"epochs\": 3, \"optimizer\": {\"type\": "
        "\"sgd\", \"learning_rate\": 0.1}, \"chunk\": 13, \"loss\": {\"type\": "
        "\"cross_entropy\", \"class_weights\": [1, 2, 0.5]}}",
        "{\"batch_size\": 60, \"epochs\": 3, \"optimizer\": {\"type\": "
        "\"sgd\", \"learning_rate\": 0.1}, \"loss\": {\"type\": "
        "\"cross_entropy\", \"class_weights\": [1, 2, 0.5]}}",
    };
    float *to[] = {before, before, after};
    double loss[3];
    int64_t count = 0;

    for (int i = 0; i < 3; i++) {
        mopt_model *net = school_model(ctx, SCHOOL_CLASSES, 0);
        mopt_trainer *t = school_trainer(ctx, net, train, NULL, json[i]);
        pull p = {0, 0, 0, 0};

        kit_ok(mopt_trainer_add_loss(t, 0.7, towards_one, &p, NULL));
        kit_ok(mopt_trainer_fit(t, NULL));
        loss[i] = school_get(t, "loss");
        count = school_weights(net, to[i]);
        mopt_trainer_free(t);
        mopt_model_free(net);
    }
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(before[i], after[i], 1e-5);
    ck_assert_double_eq_tol(loss[1], loss[2], 1e-6);
    ck_assert_double_gt(fabs(loss[0] - loss[2]), 1e-3);
}
END_TEST

/* Each epoch sees every row once, in an order of its own. */
typedef struct diary {
    int64_t at, rows[2 * SCHOOL_ROWS];
} diary;

static int32_t write_rows(void *user, int64_t rows, int64_t outputs,
                          const int64_t *index, const float *output,
                          float *grad, double *loss)
{
    diary *d = user;

    (void)outputs, (void)output, (void)grad, (void)loss;
    memcpy(d->rows + d->at, index, (size_t)rows * sizeof *index);
    d->at += rows;
    return 0;
}

START_TEST(epochs_are_shuffled)
{
    diary d = {0, {0}};
    int64_t same = 0, in_turn = 0;
    mopt_trainer *t = school_trainer(ctx, model, train, NULL,
                                     "{\"epochs\": 2, \"batch_size\": 9}");

    kit_ok(mopt_trainer_add_loss(t, 1, write_rows, &d, NULL));
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
    for (int epoch = 0; epoch < 2; epoch++) {
        int32_t seen[SCHOOL_ROWS] = {0};

        for (int i = 0; i < SCHOOL_ROWS; i++)
            seen[d.rows[epoch * SCHOOL_ROWS + i]]++;
        for (int i = 0; i < SCHOOL_ROWS; i++)
            ck_assert_int_eq(seen[i], 1);
    }
    for (int i = 0; i < SCHOOL_ROWS; i++) {
        same += d.rows[i] == d.rows[SCHOOL_ROWS + i];
        in_turn += d.rows[i] == i;
    }
    ck_assert_int_lt(same, SCHOOL_ROWS / 4);
    ck_assert_int_lt(in_turn, SCHOOL_ROWS / 4);
}
END_TEST

START_TEST(terms_misused)
{
    pull p = {0, 0, 0, 17};
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, "{}");
    int64_t count = school_weights(model, before);

    kit_fails(mopt_trainer_add_loss(NULL, 1, towards_one, &p, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_add_loss(t, 1, NULL, &p, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_add_loss(t, NAN, towards_one, &p, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_add_loss(t, INFINITY, towards_one, &p, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_trainer_set_loss_weight(NULL, 1), MOPT_EINVAL);
    kit_fails(mopt_trainer_set_loss_weight(t, -1), MOPT_EINVAL);
    kit_fails(mopt_trainer_set_loss_weight(t, NAN), MOPT_EINVAL);
    kit_ok(mopt_trainer_add_loss(t, 1, towards_one, &p, pull_free));
    kit_fails(mopt_trainer_step(t, NULL), MOPT_ECALLBACK);
    kit_says("17");
    school_weights(model, after);
    ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
    p.answer = 0;
    kit_ok(mopt_trainer_step(t, NULL)); /* nothing was lost */
    kit_fails(mopt_trainer_add_loss(t, 1, towards_one, &p, NULL), MOPT_ESTATE);
    kit_fails(mopt_trainer_set_loss_weight(t, 1), MOPT_ESTATE);
    mopt_trainer_free(t);
    ck_assert_int_eq(p.destroyed, 1);
}
END_TEST

/* Rows without targets can be learned from by terms alone. */
START_TEST(unlabelled_rows)
{
    static float x[SCHOOL_ROWS * SCHOOL_FEATURES];
    mopt_dataset *bare = NULL;
    pull p = {0, 0, 0, 0};
    mopt_trainer *t;

    kit_ok(mopt_dataset_read(train, 0, SCHOOL_ROWS, x, NULL));
    kit_ok(mopt_dataset_from_memory(ctx, SCHOOL_ROWS, SCHOOL_FEATURES, x,
                                    MOPT_F32, 0, NULL, 0, 0, 0, NULL, NULL,
                                    &bare));
    t = school_trainer(ctx, model, bare, validation,
                       "{\"epochs\": 60, \"monitor\": \"loss\", "
                       "\"optimizer\": {\"learning_rate\": 0.02}}");
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_ESTATE);
    kit_fails(mopt_trainer_set_loss_weight(t, 1), MOPT_EINVAL);
    kit_ok(mopt_trainer_add_loss(t, 1, towards_one, &p, NULL));
    kit_ok(mopt_trainer_fit(t, NULL));
    ck_assert_double_lt(school_get(t, "loss"), 0.1);
    school_get(t, "validation.accuracy");
    mopt_trainer_free(t);
    mopt_dataset_free(bare);
}
END_TEST

/* ---- no memory in a step ---- */

static const char *const optimizers[] = {
    "\"sgd\"",
    "{\"type\": \"sgd\", \"momentum\": 0.9}",
    "\"adagrad\"",
    "{\"type\": \"rmsprop\", \"centered\": true, \"momentum\": 0.5}",
    "\"adadelta\"",
    "\"adam\"",
    "{\"type\": \"adam\", \"amsgrad\": true}",
    "\"adamw\"",
};
static const char *const schedules[] = {
    "\"constant\"", "\"step\"",     "\"exponential\"",
    "\"cosine\"",   "\"one_cycle\"", "\"reduce_on_plateau\"",
};

static int32_t count_blocks(void *user, mopt_trainer *t)
{
    int64_t *seen = user;
    int64_t step = (int64_t)school_get(t, "step");

    if (step % 4 == 1)
        *seen = kit_allocations();
    ck_assert_int_eq(kit_allocations(), *seen);
    return 0;
}

START_TEST(steps_allocate_nothing)
{
    char json[400];
    int64_t seen = 0;
    pull p = {0, 0, 0, 0};
    mopt_model *net = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *t;

    snprintf(json, sizeof json,
             "{\"epochs\": 3, \"batch_size\": 26, \"chunk\": %d, "
             "\"clip_norm\": %s, \"optimizer\": %s, \"schedule\": %s}",
             _i % 2 ? 10 : 0, _i % 3 ? "1" : "0", optimizers[_i % 8],
             schedules[_i % 6]);
    t = school_trainer(ctx, net, train, validation, json);
    kit_ok(mopt_trainer_add_loss(t, 0.1, towards_one, &p, NULL));
    kit_ok(mopt_trainer_on_step(t, count_blocks, &seen, NULL));
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
    mopt_model_free(net);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("extend");
    TCase *c = tcase_create("extend");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, groups_scale_the_rate);
    tcase_add_test(c, groups_freeze);
    tcase_add_loop_test(c, frozen_layers_cost_nothing, 0, 5);
    tcase_add_test(c, trainers_tell_their_plan);
    tcase_add_test(c, groups_decay);
    tcase_add_test(c, biases_decay_when_asked);
    tcase_add_test(c, later_groups_win);
    tcase_add_test(c, groups_misused);
    tcase_add_loop_test(c, terms_alone, 0, 2);
    tcase_add_test(c, terms_add_to_the_loss);
    tcase_add_test(c, terms_of_chunks_add_up);
    tcase_add_test(c, epochs_are_shuffled);
    tcase_add_test(c, terms_misused);
    tcase_add_test(c, unlabelled_rows);
    tcase_add_loop_test(c, steps_allocate_nothing, 0, 12);
    suite_add_tcase(suite, c);
    return suite;
}
