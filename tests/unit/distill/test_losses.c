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
    double teacher[COUNT], in_logs[COUNT];
    moi_pair pair = {1, N, student, teacher, labels, soft, lse};
    moi_pair same = {1, N, student, in_logs, labels, soft, lse};

    memcpy(teacher, logits, sizeof teacher);
    memcpy(in_logs, logits, sizeof in_logs);
    moi_match_soften(&kd, ROWS, N, teacher);
    moi_match_soften(&dkd, ROWS, N, in_logs);
    dkd.others = 1 - teacher[labels[0]];
    ck_assert_double_eq_tol(dkd.kind->loss(&dkd, &same, 1, NULL),
                            kd.kind->loss(&kd, &pair, 1, NULL), 1e-12);
}
END_TEST

/* softmax(x / t) in numbers that hold exp(-2000): as large as 1e-868. */
static void long_softmax(const double *x, double t, long double *out)
{
    long double sum = 0;

    for (int k = 0; k < N; k++)
        sum += out[k] = expl((long double)x[k] / (long double)t);
    for (int k = 0; k < N; k++)
        out[k] /= sum;
}

/* The paper's definition of the decoupled loss, plainly, and its gradient. */
static double plain_dkd(const moi_match *m, const double *teacher, double *by)
{
    long double t = (long double)m->temperature, sum = 0;

    for (int i = 0; i < ROWS; i++) {
        long double p[N], q[N], p_rest = 0, q_rest = 0, part = 0, lean;
        int y = labels[i];

        long_softmax(teacher + i * N, m->temperature, p);
        long_softmax(student + i * N, m->temperature, q);
        for (int k = 0; k < N; k++) {
            p_rest += k == y ? 0 : p[k];
            q_rest += k == y ? 0 : q[k];
        }
        lean = (long double)m->target * (q[y] - p[y]);
        sum += (long double)m->target * (p[y] * logl(p[y] / q[y]) +
                                         p_rest * logl(p_rest / q_rest));
        for (int k = 0; k < N; k++) {
            long double have = q[k] / q_rest, want = p[k] / p_rest;

            part += k == y ? 0 : want * logl(want / have);
            by[i * N + k] = (double)(
                t / ROWS * (k == y ? lean
                                   : (long double)m->others * (have - want) -
                                         lean * have));
        }
        sum += (long double)m->others * part;
    }
    return (double)(t * t * sum / ROWS);
}

/* Logits of 50 and -50 at T = 0.05 make probabilities of exp(-2000), which no
 * double holds: the classes beside the target's count all the same. */
START_TEST(dkd_at_low_temperatures)
{
    static const double near[] = {0, 0.02, -0.03, 0.1, -0.07};
    moi_match match = read_match(
        "{\"method\": {\"type\": \"dkd\", \"temperature\": 0.05}}");
    double teacher[COUNT], softened[COUNT], by[COUNT], value;

    for (int i = 0; i < COUNT; i++) {
        int k = i % N, y = labels[i / N];

        /* Rows on which both are certain, one of them errs, or both do. */
        student[i] = (k == (y + i / N / 4) % N ? 50 : -50) + near[k];
        teacher[i] = (k == (y + i / N % 2) % N ? 50 : -50) + near[(k + 2) % N];
    }
    memcpy(softened, teacher, sizeof softened);
    moi_match_soften(&match, ROWS, N, softened);
    value = plain_dkd(&match, teacher, by);
    ck_assert_double_gt(value, 0.01);
    ck_assert_double_eq_tol(loss_of(&match, softened, 1, grad), value,
                            1e-10 * value);
    for (int i = 0; i < COUNT; i++)
        ck_assert_double_eq_tol(grad[i], by[i], 1e-12);
}
END_TEST

/* The mean of several teachers is that of their probabilities, whether it is
 * kept as it is or in logarithms; and it can be turned back into logits. */
START_TEST(teachers_are_mixed)
{
    moi_match match = read_match(methods[_i ? 3 : 0]);
    double one[COUNT], other[COUNT], mix[COUNT], p[N], q[N];

    memcpy(one, logits, sizeof one);
    memcpy(other, student, sizeof other);
    moi_match_soften(&match, ROWS, N, one);
    moi_match_soften(&match, ROWS, N, other);
    moi_match_clear(&match, COUNT, mix);
    moi_match_mix(&match, 0.25, COUNT, one, mix);
    moi_match_mix(&match, 0.75, COUNT, other, mix);
    moi_match_logits(&match, N, COUNT, mix);
    for (int i = 0; i < ROWS; i++) {
        plain_softmax(logits + i * N, match.temperature, p);
        plain_softmax(student + i * N, match.temperature, q);
        for (int k = 0; k < N; k++)
            ck_assert_double_eq_tol(exp(mix[i * N + k]),
                                    0.25 * p[k] + 0.75 * q[k], 1e-13);
    }
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

static double relation_of(const moi_relation *r, int64_t rows, int64_t width,
                          const double *x, int64_t wanted, const double *y,
                          double scale, double *by)
{
    double loss;

    kit_ok(moi_relation_loss(r, rows, width, x, wanted, y, scale, by, NULL,
                             &loss));
    return loss;
}

/* Widths differ: only relations are compared. */
START_TEST(relations)
{
    moi_relation r;
    double h = 1e-5, same[COUNT] = {0};

    kit_ok(moi_relation_init(&r, ctx, _i == 1 ? 0 : 25, _i == 0 ? 0 : 50, N,
                             3));
    relation_of(&r, ROWS, N, student, 3, logits, 0.5, grad);
    for (int i = 0; i < COUNT; i++) {
        double was = student[i], up, down;

        student[i] = was + h;
        up = relation_of(&r, ROWS, N, student, 3, logits, 1, NULL);
        student[i] = was - h;
        down = relation_of(&r, ROWS, N, student, 3, logits, 1, NULL);
        student[i] = was;
        ck_assert_double_eq_tol(grad[i], 0.5 * (up - down) / (2 * h), 1e-5);
    }
    /* Turned round and made larger, everything lies as it did. */
    for (int i = 0; i < COUNT; i++)
        same[i] = -3 * student[i];
    ck_assert_double_eq_tol(
        relation_of(&r, ROWS, N, student, N, same, 1, NULL), 0, 1e-12);
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
    tcase_add_test(tests, dkd_at_low_temperatures);
    tcase_add_loop_test(tests, teachers_are_mixed, 0, 2);
    tcase_add_test(tests, torch_says_the_same);
    tcase_add_test(tests, one_output_of_two_classes);
    tcase_add_loop_test(tests, relations, 0, 3);
    tcase_add_test(tests, hints);
    suite_add_tcase(suite, tests);
    return suite;
}
