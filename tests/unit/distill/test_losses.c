/* SPDX-License-Identifier: MIT
 * tests/unit/distill/test_losses.c: the losses of distillation, in double:
 * values by their definitions, gradients by finite differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/config.h"
#include "base/rng.h"
#include "kit.h"
#include "learn/distill/hint.h"
#include "learn/distill/match.h"
#include "learn/distill/relation.h"

#define ROWS 6
#define N 5
#define COUNT (ROWS * N)

static mopt_context *ctx;
static double student[COUNT], logits[COUNT], grad[COUNT], soft[COUNT];
static double lse[ROWS];
static const int32_t labels[ROWS] = {0, 1, 2, 3, 4, 1};

static void setup(void)
{
    moi_rng rng;

    ctx = kit_begin();
    moi_rng_init(&rng, 5, 0, MOI_RNG_GENERATE, 1);
    for (int i = 0; i < COUNT; i++) {
        student[i] = 2 * moi_rng_normal(&rng);
        logits[i] = 3 * moi_rng_normal(&rng);
        grad[i] = 0;
    }
}

static void teardown(void)
{
    kit_end(ctx);
}

static moi_match read_match(const char *json)
{
    mopt_config *config = NULL;
    moi_match match;

    kit_ok(mopt_config_create(ctx, "distill", &config));
    kit_ok(mopt_config_set_json(config, json));
    moi_match_read(&match, config);
    mopt_config_free(config);
    return match;
}

static const char *const methods[] = {
    "{\"method\": {\"type\": \"kd\", \"temperature\": 2.5}}",
    "{\"method\": {\"type\": \"kd\", \"temperature\": 20}}",
    "{\"method\": \"logits\"}",
    "{\"method\": {\"type\": \"dkd\", \"temperature\": 4, \"others\": 8}}",
    "{\"method\": {\"type\": \"dkd\", \"target\": 3, \"others\": 0.5}}",
};

static double loss_of(const moi_match *match, const double *teacher,
                      double scale, double *by)
{
    moi_pair pair = {ROWS, N, student, teacher, labels, soft, lse};

    return match->kind->loss(match, &pair, scale, by);
}

START_TEST(gradients_are_differences)
{
    moi_match match = read_match(methods[_i]);
    double teacher[COUNT], h = 1e-5;

    memcpy(teacher, logits, sizeof teacher);
    moi_match_soften(&match, ROWS, N, teacher);
    loss_of(&match, teacher, 0.7, grad);
    for (int i = 0; i < COUNT; i++) {
        double was = student[i], up, down;

        student[i] = was + h;
        up = loss_of(&match, teacher, 1, NULL);
        student[i] = was - h;
        down = loss_of(&match, teacher, 1, NULL);
        student[i] = was;
        ck_assert_double_eq_tol(grad[i], 0.7 * (up - down) / (2 * h),
                                1e-7 * (1 + fabs(grad[i])));
    }
}
END_TEST

/* softmax(x / t), plainly. */
static void plain_softmax(const double *x, double t, double *out)
{
    double sum = 0;

    for (int k = 0; k < N; k++)
        sum += out[k] = exp(x[k] / t);
    for (int k = 0; k < N; k++)
        out[k] /= sum;
}

/* Mean over rows, sum over classes, times T^2: not the mean over both. */
START_TEST(kd_is_its_definition)
{
    moi_match match = read_match(methods[0]);
    double teacher[COUNT], p[N], q[N], sum = 0, t = 2.5;

    memcpy(teacher, logits, sizeof teacher);
    moi_match_soften(&match, ROWS, N, teacher);
    for (int i = 0; i < ROWS; i++) {
        plain_softmax(logits + i * N, t, p);
        plain_softmax(student + i * N, t, q);
        for (int k = 0; k < N; k++)
            sum += t * t * p[k] * log(p[k] / q[k]) / ROWS;
    }
    ck_assert_double_eq_tol(loss_of(&match, teacher, 1, NULL), sum, 1e-12);
}
END_TEST

/* The parts of the decoupled loss with weights 1 and 1 - p_y add up to the
 * whole divergence: per row, so here with one row. */
START_TEST(dkd_adds_up_to_kd)
{
    moi_match kd = read_match(methods[0]);
    moi_match dkd = read_match("{\"method\": {\"type\": \"dkd\","
                               " \"temperature\": 2.5}}");
    double teacher[COUNT];
    moi_pair pair = {1, N, student, teacher, labels, soft, lse};

    memcpy(teacher, logits, sizeof teacher);
    moi_match_soften(&kd, ROWS, N, teacher);
    dkd.others = 1 - teacher[labels[0]];
    ck_assert_double_eq_tol(dkd.kind->loss(&dkd, &pair, 1, NULL),
                            kd.kind->loss(&kd, &pair, 1, NULL), 1e-12);
}
END_TEST

START_TEST(torch_says_the_same)
{
    const char *python = getenv("MODELOPT_ORACLE_PYTHON");
    const char *path = kit_path("kd.txt"), *answer = kit_path("answer.txt");
    moi_match match = read_match(methods[1]);
    double teacher[COUNT], theirs = 0;
    char command[4000];
    FILE *file;
    int status;

    if (!python || !*python)
        return;
    file = fopen(path, "w");
    for (int i = 0; i < COUNT; i++)
        fprintf(file, "%.17g %.17g\n", student[i], logits[i]);
    fclose(file);
    snprintf(command, sizeof command,
             "%s -c \"import sys\ntry:\n import torch\nexcept ImportError:\n "
             "sys.exit(77)\nr=[list(map(float,l.split())) for l in "
             "open('%s')]\nt=torch.tensor(r,dtype=torch.float64)\n"
             "s=t[:,0].reshape(%d,%d)/20;z=t[:,1].reshape(%d,%d)/20\n"
             "print('%%.17g'%%(400*torch.nn.KLDivLoss(reduction='batchmean')("
             "s.log_softmax(1),z.softmax(1))))\" > %s",
             python, path, ROWS, N, ROWS, N, answer);
    status = WEXITSTATUS(system(command));
    if (status == 77)
        return;
    ck_assert_int_eq(status, 0);
    file = fopen(answer, "r");
    ck_assert_int_eq(fscanf(file, "%lf", &theirs), 1);
    fclose(file);
    memcpy(teacher, logits, sizeof teacher);
    moi_match_soften(&match, ROWS, N, teacher);
    ck_assert_double_eq_tol(loss_of(&match, teacher, 1, NULL), theirs, 1e-10);
}
END_TEST

START_TEST(one_output_of_two_classes)
{
    moi_match match = read_match(methods[0]);
    double teacher[ROWS], h = 1e-5;
    moi_pair pair = {ROWS, 1, student, teacher, labels, soft, lse};

    memcpy(teacher, logits, sizeof teacher);
    moi_match_soften(&match, ROWS, 1, teacher);
    match.kind->loss(&match, &pair, 1, grad);
    for (int i = 0; i < ROWS; i++) {
        double was = student[i], up, down;

        student[i] = was + h;
        up = match.kind->loss(&match, &pair, 1, NULL);
        student[i] = was - h;
        down = match.kind->loss(&match, &pair, 1, NULL);
        student[i] = was;
        ck_assert_double_eq_tol(grad[i], (up - down) / (2 * h), 1e-7);
    }
}
END_TEST

/* Widths differ: only relations are compared. */
START_TEST(relations)
{
    moi_relation r;
    double h = 1e-5, same[COUNT] = {0};

    kit_ok(moi_relation_init(&r, ctx, _i == 1 ? 0 : 25, _i == 0 ? 0 : 50, N,
                             3));
    moi_relation_loss(&r, ROWS, N, student, 3, logits, 0.5, grad);
    for (int i = 0; i < COUNT; i++) {
        double was = student[i], up, down;

        student[i] = was + h;
        up = moi_relation_loss(&r, ROWS, N, student, 3, logits, 1, NULL);
        student[i] = was - h;
        down = moi_relation_loss(&r, ROWS, N, student, 3, logits, 1, NULL);
        student[i] = was;
        ck_assert_double_eq_tol(grad[i], 0.5 * (up - down) / (2 * h), 1e-5);
    }
    /* Turned round and made larger, everything lies as it did. */
    for (int i = 0; i < COUNT; i++)
        same[i] = -3 * student[i];
    ck_assert_double_eq_tol(
        moi_relation_loss(&r, ROWS, N, student, N, same, 1, NULL), 0, 1e-12);
    moi_relation_clear(&r);
}
END_TEST

START_TEST(hints)
{
    moi_hint hint;
    double h = 1e-5, value, up, down, tap_grad[COUNT] = {0};
    moi_sight sight = {.rows = ROWS, .scale = 0.5, .grad = grad};

    kit_ok(moi_hint_init(&hint, ctx, N, 3, ROWS, 1));
    sight.tap[0] = student;
    sight.tap_grad[0] = tap_grad;
    kit_ok(moi_hint_loss(&hint, &sight, 0, logits, &value));
    sight.grad = NULL;
    for (int i = 0; i < COUNT + 3 * N; i++) {
        double *at = i < COUNT ? &student[i] : &hint.annex.weights[i - COUNT];
        double by = i < COUNT ? tap_grad[i] : hint.annex.grads[i - COUNT];
        double was = *at;

        *at = was + h;
        kit_ok(moi_hint_loss(&hint, &sight, 0, logits, &up));
        *at = was - h;
        kit_ok(moi_hint_loss(&hint, &sight, 0, logits, &down));
        *at = was;
        ck_assert_double_eq_tol(by, 0.5 * (up - down) / (2 * h), 1e-7);
    }
    moi_hint_clear(&hint);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("distill losses");
    TCase *tests = tcase_create("losses");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, gradients_are_differences, 0, 5);
    tcase_add_test(tests, kd_is_its_definition);
    tcase_add_test(tests, dkd_adds_up_to_kd);
    tcase_add_test(tests, torch_says_the_same);
    tcase_add_test(tests, one_output_of_two_classes);
    tcase_add_loop_test(tests, relations, 0, 3);
    tcase_add_test(tests, hints);
    suite_add_tcase(suite, tests);
    return suite;
}
