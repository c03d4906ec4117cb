/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_rules.c: update rules against closed forms and against
 * their formulae in double; clipping; schedules against their formulae. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/rng.h"
#include "kit.h"
#include "learn/optim/clip.h"
#include "learn/optim/optimizer.h"
#include "learn/optim/schedule.h"

static const moi_key keys[] = {
    MOI_VARIANT("optimizer", "adam", moi_optimizer_schemas, "rule"),
    MOI_VARIANT("schedule", "constant", moi_schedule_schemas, "schedule"),
    MOI_KEYS_END,
};
static const moi_schema schema = {"rules", "for tests", keys};

#define SIZE 37 /* no multiple of any vector */

static mopt_context *ctx;
static mopt_config *config;

static void setup(void)
{
    ctx = kit_begin();
    kit_ok(moi_config_new(ctx, &schema, &config));
}

static void teardown(void)
{
    mopt_config_free(config);
    kit_end(ctx);
}

/* A rule at work on a few weights. */
typedef struct bench {
    moi_optimizer rule;
    float w[SIZE], g[SIZE], state[MOI_STATES][SIZE];
} bench;

static void begin(bench *b, const char *json)
{
    memset(b, 0, sizeof *b);
    kit_ok(mopt_config_set_json(config, json));
    kit_ok(moi_optimizer_init(&b->rule, config));
}

static int32_t step(bench *b, int64_t number, double rate, double decay)
{
    float *state[MOI_STATES] = {b->state[0], b->state[1], b->state[2]};

    moi_optimizer_begin(&b->rule, number);
    return moi_optimizer_update(&b->rule, rate, decay, SIZE, b->w, b->g,
                                state);
}

/* ---- closed forms ---- */

/* On a/2 w^2 plain descent gives w (1 - rate a)^t. */
START_TEST(descent_on_a_quadratic)
{
    static const char *const names[] = {"{\"optimizer\": \"gd\"}",
                                        "{\"optimizer\": \"sgd\"}"};
    bench b;

    begin(&b, names[_i]);
    for (int i = 0; i < SIZE; i++)
        b.w[i] = 1 + (float)i;
    for (int t = 1; t <= 60; t++) {
        for (int i = 0; i < SIZE; i++)
            b.g[i] = 0.5f * (1 + (float)(i % 7)) * b.w[i];
        ck_assert_int_eq(step(&b, t, 0.1, 0), 0);
    }
    for (int i = 0; i < SIZE; i++) {
        double want = (1 + i) * pow(1 - 0.05 * (1 + i % 7), 60);

        ck_assert_double_eq_tol(b.w[i], want, 1e-5 * (1 + fabs(want)));
    }
}
END_TEST

/* With momentum w_t obeys w_{t+1} = (1 + mu - rate a) w_t - mu w_{t-1}: its
 * solution is a sum of powers of the roots of that polynomial. */
START_TEST(momentum_on_a_quadratic)
{
    const double mu = 0.5, rate = 0.1, a = 0.3;
    double sum = 1 + mu - rate * a, root = sqrt(sum * sum - 4 * mu);
    double r1 = (sum + root) / 2, r2 = (sum - root) / 2;
    double w1 = 1 - rate * a, c1 = (w1 - r2) / (r1 - r2), c2 = 1 - c1;
    bench b;

    ck_assert_double_gt(sum * sum, 4 * mu);
    begin(&b, "{\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.5}}");
    for (int i = 0; i < SIZE; i++)
        b.w[i] = 1;
    for (int t = 1; t <= 40; t++) {
        for (int i = 0; i < SIZE; i++)
            b.g[i] = (float)a * b.w[i];
        step(&b, t, rate, 0);
        ck_assert_double_eq_tol(b.w[3], c1 * pow(r1, t) + c2 * pow(r2, t),
                                1e-6);
    }
}
END_TEST

/* Under a constant gradient g the running means are known sums. */
START_TEST(constant_gradients)
{
    static const char *const rules[] = {"adagrad", "rmsprop", "adam", "adamw"};
    char json[200];
    bench b;
    double moved = 0;

    snprintf(json, sizeof json,
             "{\"optimizer\": {\"type\": \"%s\", \"weight_decay\": 0}}",
             rules[_i]);
    begin(&b, json);
    for (int i = 0; i < SIZE; i++)
        b.g[i] = i % 2 ? 0.25f : -4.0f;
    for (int t = 1; t <= 50; t++) {
        step(&b, t, 0.01, 0);
        if (_i == 0)
            moved += 0.01 / sqrt(t); /* s = t g^2 */
        else if (_i == 1)
            moved += 0.01 / sqrt(1 - pow(0.99, t)); /* s = (1 - b^t) g^2 */
        else
            moved += 0.01; /* m' = g, v' = g^2 */
        for (int i = 0; i < SIZE; i++)
            ck_assert_double_eq_tol(b.w[i], i % 2 ? -moved : moved,
                                    1e-5 * moved);
    }
}
END_TEST

/* Decay alone: coupled it is a gradient, decoupled a factor. */
START_TEST(decay_alone)
{
    bench b;

    begin(&b, "{\"optimizer\": \"adamw\"}");
    ck_assert_double_eq(b.rule.decay, 0.01);
    for (int i = 0; i < SIZE; i++)
        b.w[i] = 2;
    for (int t = 1; t <= 20; t++)
        step(&b, t, 0.1, 0.5);
    ck_assert_double_eq_tol(b.w[SIZE - 1], 2 * pow(1 - 0.05, 20), 1e-5);

    begin(&b, "{\"optimizer\": \"sgd\"}");
    for (int i = 0; i < SIZE; i++)
        b.w[i] = 2;
    for (int t = 1; t <= 20; t++)
        step(&b, t, 0.1, 0.5);
    ck_assert_double_eq_tol(b.w[SIZE - 1], 2 * pow(1 - 0.05, 20), 1e-5);
}
END_TEST

/* ---- formulae in double ---- */

/* The formulae as the documentation has them, one weight at a time. */
typedef struct reference {
    double w, a, b, c;
} reference;

static void refer_sgd(reference *r, double g, int t, double rate, double mu,
                      double damp, int nesterov)
{
    r->a = t == 1 ? g : mu * r->a + (1 - damp) * g;
    r->w -= rate * (nesterov ? g + mu * r->a : r->a);
}

static void refer_rmsprop(reference *r, double g, double rate, double mu,
                          int centered)
{
    double var;

    r->a = 0.99 * r->a + 0.01 * g * g;
    r->b = 0.99 * r->b + 0.01 * g;
    var = centered ? r->a - r->b * r->b : r->a;
    r->c = mu * r->c + g / (sqrt(var) + 1e-8);
    r->w -= rate * r->c;
}

static void refer_adam(reference *r, double g, int t, double rate, int max,
                       int hat)
{
    double c1 = 1 - pow(0.9, t), c2 = 1 - pow(0.999, t), v;

    r->a = 0.9 * r->a + 0.1 * g;
    r->b = 0.999 * r->b + 0.001 * g * g;
    r->c = fmax(r->c, r->b);
    v = max ? r->c : r->b;
    if (hat)
        r->w -= rate * sqrt(c2) / c1 * r->a / (sqrt(v) + 1e-2);
    else
        r->w -= rate / c1 * r->a / (sqrt(v / c2) + 1e-2);
}

static void refer_adadelta(reference *r, double g, double rate)
{
    double d;

    r->a = 0.9 * r->a + 0.1 * g * g;
    d = sqrt(r->b + 1e-6) / sqrt(r->a + 1e-6) * g;
    r->b = 0.9 * r->b + 0.1 * d * d;
    r->w -= rate * d;
}

static void refer_adagrad(reference *r, double g, int t, double rate)
{
    r->a += g * g;
    r->w -= rate / (1 + (t - 1) * 0.1) * g / (sqrt(r->a) + 1e-10);
}

static const struct {
    const char *options;
    double rate;
} forms[] = {
    {"\"gd\"", 0.01},
    {"\"sgd\", \"momentum\": 0.9", 0.01},
    {"\"sgd\", \"momentum\": 0.9, \"dampening\": 0.3", 0.01},
    {"\"sgd\", \"momentum\": 0.9, \"nesterov\": true", 0.01},
    {"\"adagrad\", \"rate_decay\": 0.1", 0.01},
    {"\"rmsprop\"", 0.001},
    {"\"rmsprop\", \"momentum\": 0.8", 0.001},
    {"\"rmsprop\", \"centered\": true", 0.001},
    {"\"rmsprop\", \"centered\": true, \"momentum\": 0.8", 0.001},
    {"\"adadelta\"", 1},
    {"\"adam\", \"epsilon\": 1e-2", 0.001},
    {"\"adam\", \"epsilon\": 1e-2, \"amsgrad\": true", 0.001},
    {"\"adam\", \"epsilon\": 1e-2, \"epsilon_hat\": true", 0.001},
    {"\"adamw\", \"epsilon\": 1e-2", 0.001},
};

static void refer(int form, reference *r, double g, int t, double rate,
                  double decay)
{
    if (form == 13)
        r->w *= 1 - rate * decay;
    else
        g += decay * r->w;
    switch (form) {
    case 0: refer_sgd(r, g, t, rate, 0, 0, 0); break;
    case 1: refer_sgd(r, g, t, rate, 0.9, 0, 0); break;
    case 2: refer_sgd(r, g, t, rate, 0.9, 0.3, 0); break;
    case 3: refer_sgd(r, g, t, rate, 0.9, 0, 1); break;
    case 4: refer_adagrad(r, g, t, rate); break;
    case 5: refer_rmsprop(r, g, rate, 0, 0); break;
    case 6: refer_rmsprop(r, g, rate, 0.8, 0); break;
    case 7: refer_rmsprop(r, g, rate, 0, 1); break;
    case 8: refer_rmsprop(r, g, rate, 0.8, 1); break;
    case 9: refer_adadelta(r, g, rate); break;
    case 11: refer_adam(r, g, t, rate, 1, 0); break;
    case 12: refer_adam(r, g, t, rate, 0, 1); break;
    default: refer_adam(r, g, t, rate, 0, 0);
    }
}

START_TEST(formulae)
{
    char json[200];
    reference r[SIZE];
    moi_rng rng;
    bench b;

    snprintf(json, sizeof json, "{\"optimizer\": {\"type\": %s}}",
             forms[_i].options);
    begin(&b, json);
    moi_rng_init(&rng, 7, 0, MOI_RNG_SAMPLE, 0);
    memset(r, 0, sizeof r);
    for (int i = 0; i < SIZE; i++) {
        b.w[i] = (float)moi_rng_normal(&rng);
        r[i].w = b.w[i];
    }
    for (int t = 1; t <= 50; t++) {
        for (int i = 0; i < SIZE; i++) {
            /* Sizes from 1e-3 to 1, as the gradients of layers have them. */
            b.g[i] = (float)(moi_rng_normal(&rng) * pow(10, -3.0 * i / SIZE));
            refer(_i, &r[i], b.g[i], t, forms[_i].rate, 0.05);
        }
        ck_assert_int_eq(step(&b, t, forms[_i].rate, 0.05), 0);
        for (int i = 0; i < SIZE; i++)
            ck_assert_msg(fabs(b.w[i] - r[i].w) <= 1e-5,
                          "%s, step %d, weight %d: %g, wanted is %g",
                          forms[_i].options, t, i, (double)b.w[i], r[i].w);
    }
}
END_TEST

/* Zeros behind a tensor stay zeros, whatever the rule: tensors are updated up
 * to the next one. */
START_TEST(zeros_stay)
{
    char json[200];
    bench b;

    snprintf(json, sizeof json, "{\"optimizer\": {\"type\": %s}}",
             forms[_i].options);
    begin(&b, json);
    for (int t = 1; t <= 3; t++)
        step(&b, t, forms[_i].rate, 0.05);
    for (int i = 0; i < SIZE; i++)
        ck_assert(b.w[i] == 0);
}
END_TEST

START_TEST(spoilt_gradients_are_told)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    char json[200];
    bench b;

    snprintf(json, sizeof json, "{\"optimizer\": {\"type\": %s}}",
             forms[_i].options);
    for (int at = 0; at < SIZE; at += 12) {
        begin(&b, json);
        ck_assert_int_eq(step(&b, 1, 0.1, 0), 0);
        b.g[at] = bad[at / 12 % 3];
        ck_assert_int_ne(step(&b, 2, 0.1, 0), 0);
    }
}
END_TEST

/* A unit that died leaves no subnormal numbers in the state. */
START_TEST(state_is_flushed)
{
    char json[200];
    bench b;

    snprintf(json, sizeof json, "{\"optimizer\": {\"type\": %s}}",
             forms[_i].options);
    begin(&b, json);
    for (int i = 0; i < SIZE; i++)
        b.g[i] = 1e-18f;
    for (int t = 1; t <= 2000; t++) {
        step(&b, t, forms[_i].rate, 0);
        memset(b.g, 0, sizeof b.g);
    }
    for (int k = 0; k < b.rule.states; k++)
        for (int i = 0; i < SIZE; i++)
            ck_assert_int_ne(fpclassify(b.state[k][i]), FP_SUBNORMAL);
}
END_TEST

/* Of a constant gradient the variance is 0, or by rounding less. */
START_TEST(no_root_of_less_than_nothing)
{
    bench b;

    begin(&b, "{\"optimizer\": {\"type\": \"rmsprop\", \"centered\": true}}");
    for (int i = 0; i < SIZE; i++)
        b.g[i] = 0.1f * (float)(i + 1);
    for (int t = 1; t <= 5000; t++)
        step(&b, t, 1e-9, 0);
    ck_assert_int_eq(moi_spoilt(SIZE, b.w), 0);
}
END_TEST

START_TEST(settings_that_do_not_go_together)
{
    moi_optimizer rule;

    kit_ok(mopt_config_set_json(
        config, "{\"optimizer\": {\"type\": \"sgd\", \"nesterov\": true}}"));
    kit_fails(moi_optimizer_init(&rule, config), MOPT_EINVAL);
    kit_says("optimizer.nesterov");
    kit_ok(mopt_config_set_float(config, "optimizer.momentum", 0.9));
    kit_ok(moi_optimizer_init(&rule, config));
    kit_ok(mopt_config_set_float(config, "optimizer.dampening", 0.1));
    kit_fails(moi_optimizer_init(&rule, config), MOPT_EINVAL);
    kit_fails(mopt_config_set_float(config, "optimizer.momentum", 1),
              MOPT_EINVAL);
    kit_fails(mopt_config_set_float(config, "optimizer.learning_rate", 0),
              MOPT_EINVAL);
    kit_fails(mopt_config_set_float(config, "optimizer.weight_decay", -1),
              MOPT_EINVAL);
}
END_TEST

/* ---- sums and clipping ---- */

START_TEST(sums_and_clipping)
{
    float g[100], total[100];
    double sum = 0;

    for (int i = 0; i < 100; i++) {
        g[i] = (float)(i - 50);
        total[i] = 1;
        sum += (double)(i - 50) * (i - 50);
    }
    for (int64_t n = 0; n < 40; n++) {
        double want = 0;

        for (int64_t i = 0; i < n; i++)
            want += (double)(g[i] * total[i]);
        ck_assert_double_eq(moi_grads_dot(n, g, total), want);
    }
    ck_assert_double_eq(moi_grads_dot(100, g, g), sum);
    moi_grads_add(100, g, total);
    ck_assert(total[99] == 50);
    moi_grads_scale(100, total, 0.5);
    ck_assert(total[99] == 25);
    moi_grads_clamp(100, g, 10);
    ck_assert(g[0] == -10 && g[45] == -5 && g[99] == 10);
    ck_assert_double_eq_tol(moi_clip_factor(5, 1), 1 / (5 + 1e-6), 1e-15);
    ck_assert_double_eq(moi_clip_factor(0.5, 1), 1);
    ck_assert_double_eq(moi_clip_factor(0, 1), 1);
    ck_assert_int_eq(moi_spoilt(100, g), 0);
    g[77] = NAN;
    moi_grads_clamp(100, g, 10);
    ck_assert_int_ne(moi_spoilt(100, g), 0);
}
END_TEST

/* ---- schedules ---- */

static moi_schedule schedule(const char *json, int64_t epoch, int64_t steps)
{
    moi_schedule s;

    kit_ok(mopt_config_set_json(config, json));
    kit_ok(moi_schedule_init(&s, config, epoch, steps));
    return s;
}

START_TEST(schedule_formulae)
{
    moi_schedule s = schedule("{\"schedule\": \"constant\"}", 5, 50);

    for (int64_t i = 0; i < 100; i += 9)
        ck_assert_double_eq(moi_schedule_factor(&s, i), 1);
    s = schedule("{\"schedule\": {\"type\": \"step\", \"every\": 3, "
                 "\"factor\": 0.5}}",
                 5, 50);
    for (int64_t i = 0; i < 60; i++)
        ck_assert_double_eq_tol(moi_schedule_factor(&s, i),
                                pow(0.5, (double)(i / 15)), 1e-15);
    s = schedule("{\"schedule\": {\"type\": \"exponential\", \"factor\": "
                 "0.9}}",
                 5, 50);
    for (int64_t i = 0; i < 60; i++)
        ck_assert_double_eq_tol(moi_schedule_factor(&s, i),
                                pow(0.9, (double)(i / 5)), 1e-15);
    s = schedule("{\"schedule\": {\"type\": \"cosine\", \"final\": 0.1}}", 5,
                 50);
    for (int64_t i = 0; i < 50; i++)
        ck_assert_double_eq_tol(moi_schedule_factor(&s, i),
                                0.1 + 0.45 * (1 + cos(M_PI * (double)i / 50)),
                                1e-12);
    ck_assert_double_eq(moi_schedule_factor(&s, 50), 0.1);
    ck_assert_double_eq(moi_schedule_factor(&s, 5000), 0.1);
}
END_TEST

START_TEST(schedule_of_its_own_length)
{
    moi_schedule s = schedule(
        "{\"schedule\": {\"type\": \"cosine\", \"length\": 4}}", 5, 50);

    ck_assert_double_eq_tol(moi_schedule_factor(&s, 10), 0.5, 1e-12);
    ck_assert_double_eq(moi_schedule_factor(&s, 20), 0);
}
END_TEST

START_TEST(one_cycle_turns_at_its_peak)
{
    moi_schedule s = schedule("{\"schedule\": \"one_cycle\"}", 10, 100);
    double last = 0;

    ck_assert_double_eq_tol(moi_schedule_factor(&s, 0), 1 / 25.0, 1e-12);
    ck_assert_double_eq_tol(moi_schedule_factor(&s, 29), 1, 1e-12);
    ck_assert_double_eq_tol(moi_schedule_factor(&s, 99), 1 / 25e4, 1e-15);
    ck_assert_double_eq_tol(moi_schedule_factor(&s, 500), 1 / 25e4, 1e-15);
    ck_assert_double_eq_tol(moi_schedule_momentum(&s, 0, 0.9), 0.95, 1e-12);
    ck_assert_double_eq_tol(moi_schedule_momentum(&s, 29, 0.9), 0.85, 1e-12);
    ck_assert_double_eq_tol(moi_schedule_momentum(&s, 99, 0.9), 0.95, 1e-12);
    for (int64_t i = 0; i < 100; i++) {
        double now = moi_schedule_factor(&s, i);

        ck_assert(i == 0 || (i <= 29 ? now > last : now < last));
        last = now;
    }
    s = schedule("{\"schedule\": {\"type\": \"one_cycle\", "
                 "\"cycle_momentum\": false}}",
                 10, 100);
    ck_assert_double_eq(moi_schedule_momentum(&s, 29, 0.9), 0.9);
    for (int64_t steps = 1; steps < 8; steps++) {
        s = schedule("{\"schedule\": \"one_cycle\"}", 1, steps);
        for (int64_t i = 0; i < 10; i++)
            ck_assert(isfinite(moi_schedule_factor(&s, i)));
    }
}
END_TEST

/* Warm-up rises in a line to the first value, then the schedule starts. */
START_TEST(warm_up)
{
    static const char *const types[] = {"constant", "step", "exponential",
                                        "cosine",   "one_cycle",
                                        "reduce_on_plateau"};
    char json[200];
    moi_schedule s, plain;

    snprintf(json, sizeof json, "{\"schedule\": \"%s\"}", types[_i]);
    plain = schedule(json, 8, 80);
    snprintf(json, sizeof json,
             "{\"schedule\": {\"type\": \"%s\", \"warmup\": 0.5, "
             "\"warmup_start\": 0.2}}",
             types[_i]);
    s = schedule(json, 8, 84);
    for (int64_t i = 0; i < 4; i++)
        ck_assert_double_eq_tol(moi_schedule_factor(&s, i),
                                (0.2 + 0.2 * (double)(i + 1)) *
                                    moi_schedule_factor(&plain, 0),
                                1e-12);
    for (int64_t i = 0; i < 100; i++)
        ck_assert_double_eq(moi_schedule_factor(&s, i + 4),
                            moi_schedule_factor(&plain, i));
}
END_TEST

START_TEST(plateau)
{
    moi_schedule s = schedule(
        "{\"schedule\": {\"type\": \"reduce_on_plateau\", \"factor\": 0.5, "
        "\"patience\": 1, \"cooldown\": 2, \"final\": 0.2}}",
        5, 50);
    static const double want[] = {1,   1,   0.5, 0.5,  0.5, 0.5,
                                  0.25, 0.25, 0.25, 0.25, 0.2};

    for (int i = 0; i < 11; i++) {
        moi_schedule_report(&s, 1.0, -1);
        ck_assert_msg(moi_schedule_factor(&s, i) == want[i],
                      "after %d: %g, wanted is %g", i,
                      moi_schedule_factor(&s, i), want[i]);
    }
    s = schedule("{\"schedule\": {\"type\": \"reduce_on_plateau\", "
                 "\"patience\": 0, \"factor\": 0.1, \"final\": 0}}",
                 5, 50);
    for (int i = 0; i < 5; i++)
        moi_schedule_report(&s, 0.5 + i * 0.1, 1); /* rising is good here */
    ck_assert_double_eq(moi_schedule_factor(&s, 0), 1);
    moi_schedule_report(&s, NAN, 1);
    ck_assert_double_eq_tol(moi_schedule_factor(&s, 0), 0.1, 1e-15);
}
END_TEST

Suite *kit_suite(void)
{
    const int count = (int)(sizeof forms / sizeof *forms);
    Suite *suite = suite_create("rules");
    TCase *rules = tcase_create("rules"), *rates = tcase_create("schedules");

    tcase_add_checked_fixture(rules, setup, teardown);
    tcase_add_loop_test(rules, descent_on_a_quadratic, 0, 2);
    tcase_add_test(rules, momentum_on_a_quadratic);
    tcase_add_loop_test(rules, constant_gradients, 0, 4);
    tcase_add_test(rules, decay_alone);
    tcase_add_loop_test(rules, formulae, 0, count);
    tcase_add_loop_test(rules, zeros_stay, 0, count);
    tcase_add_loop_test(rules, spoilt_gradients_are_told, 0, count);
    tcase_add_loop_test(rules, state_is_flushed, 0, count);
    tcase_add_test(rules, no_root_of_less_than_nothing);
    tcase_add_test(rules, settings_that_do_not_go_together);
    tcase_add_test(rules, sums_and_clipping);
    suite_add_tcase(suite, rules);
    tcase_add_checked_fixture(rates, setup, teardown);
    tcase_add_test(rates, schedule_formulae);
    tcase_add_test(rates, schedule_of_its_own_length);
    tcase_add_test(rates, one_cycle_turns_at_its_peak);
    tcase_add_loop_test(rates, warm_up, 0, 6);
    tcase_add_test(rates, plateau);
    suite_add_tcase(suite, rates);
    return suite;
}
