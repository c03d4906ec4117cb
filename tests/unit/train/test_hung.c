/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_hung.c: what is hung onto a trainer, in double: weights
 * that are capped or thaw, taps, parameters beside the model's own. */
#include <math.h>
#include <string.h>

#include "learn/train/trainer.h"
#include "school.h"

/* A step of plain descent on all rows in order: the next one is like it. */
#define PLAIN \
    "\"epochs\": 1000, \"shuffle\": false, \"batch_size\": 101," \
    " \"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.5}"
#define RATE 0.5

static mopt_context *ctx;
static mopt_dataset *train;
static mopt_model *model;

static void setup(void)
{
    ctx = kit_begin();
    train = school_clouds(ctx, SCHOOL_ROWS, 0.5, 1);
    model = school_model(ctx, SCHOOL_CLASSES, 0);
}

static void teardown(void)
{
    mopt_model_free(model);
    mopt_dataset_free(train);
    kit_end(ctx);
}

static mopt_model *copy_of(const mopt_model *from)
{
    mopt_model *copy = NULL;

    kit_ok(mopt_model_copy(from, &copy));
    return copy;
}

/* ---- max_norm ---- */

#define LIMIT 0.6

/* A matrix [units][inputs], each unit brought within the limit. */
static int cap(float *w, int units, int inputs)
{
    int capped = 0;

    for (int u = 0; u < units; u++) {
        double sum = 0;

        for (int k = 0; k < inputs; k++)
            sum += (double)w[u * inputs + k] * (double)w[u * inputs + k];
        if (sum <= LIMIT * LIMIT)
            continue;
        capped++;
        for (int k = 0; k < inputs; k++)
            w[u * inputs + k] *= (float)(LIMIT / sqrt(sum));
    }
    return capped;
}

/* After each step the weights are those of a step without a limit, with every
 * unit that is too long shortened, and biases left alone; whether layers are
 * changed one by one, by several chunks, or after the norm is known. */
START_TEST(units_stay_within_max_norm)
{
    static const char *const ways[] = {"", ", \"chunk\": 32",
                                       ", \"clip_norm\": 1e9"};
    char capped[300], free_of_it[300];
    float got[SCHOOL_WEIGHTS], want[SCHOOL_WEIGHTS];
    mopt_trainer *t;
    int seen = 0, left = 0;

    snprintf(capped, sizeof capped, "{" PLAIN "%s, \"max_norm\": 0.6}",
             ways[_i]);
    snprintf(free_of_it, sizeof free_of_it, "{" PLAIN "%s}", ways[_i]);
    t = school_trainer(ctx, model, train, NULL, capped);
    for (int step = 0; step < 20; step++) {
        mopt_model *twin = copy_of(model);
        mopt_trainer *other = school_trainer(ctx, twin, train, NULL,
                                             free_of_it);
        int count, units;

        kit_ok(mopt_trainer_step(t, NULL));
        kit_ok(mopt_trainer_step(other, NULL));
        school_weights(model, got);
        count = (int)school_weights(twin, want);
        units = cap(want, 8, SCHOOL_FEATURES) +
                cap(want + 48, SCHOOL_CLASSES, 8);
        seen += units;
        left += 8 + SCHOOL_CLASSES - units;
        for (int i = 0; i < count; i++)
            ck_assert_double_eq_tol(got[i], want[i], 1e-6);
        mopt_trainer_free(other);
        mopt_model_free(twin);
    }
    ck_assert_int_gt(seen, 20);
    ck_assert_int_gt(left, 20);
    mopt_trainer_free(t);
}
END_TEST

/* ---- anchors ---- */

#define STRENGTH 2.0
#define WEIGHTS 256 /* room for all, with what is between tensors */

/* What is made small: the loss, and the way from the origin. */
static double goal_of(const moi_real *origin)
{
    const moi_real *w = moi_model_weights(model);
    double way = 0;

    for (int64_t p = 0; p < moi_model_param_count(model); p++) {
        int64_t at = moi_model_param(model, p)->offset;

        for (int64_t i = 0; i < moi_model_param(model, p)->count; i++)
            way += pow((double)(w[at + i] - origin[at + i]), 2);
    }
    return school_loss(model, train) + STRENGTH / 2 * way;
}

/* Where a training with all weights anchored ends; by a search, no step leads
 * up. */
static double anchored(const char *json, int steps, int searches)
{
    moi_real origin[WEIGHTS];
    mopt_trainer *t;
    double last;

    kit_ok(mopt_model_init(model, 5));
    ck_assert_int_le(moi_model_size(model), WEIGHTS);
    memcpy(origin, moi_model_weights(model),
           (size_t)moi_model_size(model) * sizeof *origin);
    t = school_trainer(ctx, model, train, NULL, json);
    for (int64_t p = 0; p < moi_model_param_count(model); p++)
        kit_ok(moi_trainer_anchor(t, p, STRENGTH, origin));
    last = goal_of(origin);
    for (int step = 0; step < steps; step++) {
        double before = last;
        int32_t rc = mopt_trainer_step(t, NULL);

        ck_assert(rc == MOPT_OK || rc == MOPT_EXHAUSTED);
        last = goal_of(origin);
        ck_assert(!searches || last <= before + 1e-12);
    }
    mopt_trainer_free(t);
    return last;
}

/* A line search looks at the same goal as all others do, and comes as far as
 * steps that are small enough. */
START_TEST(a_line_search_knows_of_anchors)
{
    double small = anchored("{\"epochs\": 1000, \"shuffle\": false, "
                            "\"batch_size\": 101, \"optimizer\": {\"type\": "
                            "\"sgd\", \"learning_rate\": 0.05}}", 1000, 0);
    double searched = anchored("{\"epochs\": 1000, \"optimizer\": {\"type\": "
                               "\"gd\", \"learning_rate\": 8, "
                               "\"line_search\": true}}", 200, 1);

    ck_assert_double_eq_tol(searched, small, 1e-6);
}
END_TEST

/* ---- thawing ---- */

static double change_of(const mopt_model *now, const mopt_model *then,
                        int64_t tensor, int64_t i)
{
    int64_t at = moi_model_param(now, tensor)->offset + i;

    return moi_model_weights(now)[at] - moi_model_weights(then)[at];
}

/* A tensor stays to the bit until its epoch, and then goes the way that it
 * would have gone from there all along. */
START_TEST(tensors_thaw)
{
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, "{" PLAIN "}");

    kit_ok(moi_trainer_thaw(t, 0, 3));
    for (int epoch = 0; epoch < 5; epoch++) {
        mopt_model *twin = copy_of(model), *was = copy_of(model);
        mopt_trainer *other = school_trainer(ctx, twin, train, NULL,
                                             "{" PLAIN "}");

        kit_ok(mopt_trainer_step(t, NULL));
        kit_ok(mopt_trainer_step(other, NULL));
        for (int64_t p = 0; p < moi_model_param_count(model); p++)
            for (int64_t i = 0; i < moi_model_param(model, p)->count; i++)
                ck_assert_double_eq(
                    change_of(model, was, p, i),
                    p == 0 && epoch < 3 ? 0 : change_of(twin, was, p, i));
        mopt_trainer_free(other);
        mopt_model_free(twin);
        mopt_model_free(was);
    }
    kit_fails(moi_trainer_thaw(t, 0, 9), MOPT_ESTATE);
    mopt_trainer_free(t);
}
END_TEST

/* ---- taps ---- */

#define WIDTH 8 /* of the hidden layer */

/* sum (hidden - 1)^2 + sum output^3 / 3, the mean over the rows. */
static double bowl(int64_t rows, const moi_real *hidden,
                   const moi_real *output)
{
    double sum = 0;

    for (int64_t i = 0; i < rows * WIDTH; i++)
        sum += (hidden[i] - 1) * (hidden[i] - 1);
    for (int64_t i = 0; i < rows * SCHOOL_CLASSES; i++)
        sum += output[i] * output[i] * output[i] / 3;
    return sum / (double)rows;
}

static int32_t look_at_bowl(void *user, const moi_sight *sight, double *loss)
{
    int64_t tap = *(int64_t *)user;
    moi_real scale = sight->scale / (moi_real)sight->rows;

    *loss = bowl(sight->rows, sight->tap[tap], sight->output);
    for (int64_t i = 0; sight->grad && i < sight->rows * WIDTH; i++)
        sight->tap_grad[tap][i] += scale * 2 * (sight->tap[tap][i] - 1);
    for (int64_t i = 0; sight->grad && i < sight->rows * SCHOOL_CLASSES; i++)
        sight->grad[i] += scale * sight->output[i] * sight->output[i];
    return MOPT_OK;
}

/* The same of all rows, for weights that may be anything. */
static double bowl_at(const moi_real *weights)
{
    static const moi_pass pass = {.training = 1};
    int64_t rows[SCHOOL_ROWS];
    moi_real *hidden, *unused;
    moi_plan *plan = NULL;
    double value;

    for (int64_t i = 0; i < SCHOOL_ROWS; i++)
        rows[i] = i;
    kit_ok(moi_plan_create(ctx, model, SCHOOL_ROWS,
                           MOI_PLAN_TRAIN | MOI_PLAN_LOGITS, &plan));
    kit_ok(moi_plan_tap(plan, 0, &hidden, &unused));
    moi_dataset_gather(train, rows, SCHOOL_ROWS, moi_plan_input(plan));
    kit_ok(moi_plan_forward(plan, weights, SCHOOL_ROWS, &pass));
    value = bowl(SCHOOL_ROWS, hidden, moi_plan_output(plan));
    moi_plan_free(plan);
    return value;
}

/* A step along a term of a hidden layer and the output is a step along finite
 * differences: with a tap alone and twice the same one, by several chunks. */
START_TEST(taps_are_differences)
{
    static const char *const ways[] = {"{" PLAIN "}",
                                       "{" PLAIN ", \"chunk\": 32}"};
    mopt_model *was = copy_of(model);
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, ways[_i]);
    moi_real *w = moi_model_weights(was);
    int64_t tap = -1, again = -1;
    double h = 1e-6, loss = 0, most = 0;

    kit_ok(moi_trainer_add_tap(t, 0, &tap));
    kit_ok(moi_trainer_add_tap(t, 0, &again));
    ck_assert_int_eq(tap, again);
    kit_fails(moi_trainer_add_tap(t, 7, &again), MOPT_EINVAL);
    kit_ok(mopt_trainer_set_loss_weight(t, 0));
    kit_ok(moi_trainer_add_term(t, 0.25, look_at_bowl, &tap, NULL));
    kit_ok(mopt_trainer_step(t, &loss));
    ck_assert_double_eq_tol(loss, 0.25 * bowl_at(w), 1e-12);
    for (int64_t p = 0; p < moi_model_param_count(model); p++)
        for (int64_t i = 0; i < moi_model_param(model, p)->count; i++) {
            moi_real *at = &w[moi_model_param(model, p)->offset + i];
            double moved = change_of(model, was, p, i), kept = *at, up, down;

            *at = kept + h;
            up = bowl_at(w);
            *at = kept - h;
            down = bowl_at(w);
            *at = kept;
            most = fmax(most, fabs(moved));
            ck_assert_double_eq_tol(moved,
                                    -RATE * 0.25 * (up - down) / (2 * h),
                                    1e-7);
        }
    ck_assert_double_gt(most, 1e-3);
    mopt_trainer_free(t);
    mopt_model_free(was);
}
END_TEST

/* ---- the annex ---- */

#define BESIDE 4

static moi_real beside[16], pull_of[16];
static const double goal[BESIDE] = {1, -2, 0.5, 3};
static int settled;
static double pulled; /* square of the model's gradient that pull was shown */

/* |a - goal|^2 / 2, of a block beside the model. */
static int32_t lead(void *user, const moi_sight *sight, double *loss)
{
    (void)user;
    *loss = 0;
    for (int i = 0; i < BESIDE; i++) {
        double away = beside[i] - goal[i];

        *loss += away * away / 2;
        if (sight->grad)
            pull_of[i] += sight->scale * away;
    }
    return MOPT_OK;
}

static int32_t note_pull(void *user, const moi_real *grads)
{
    (void)user;
    pulled = 0;
    for (int64_t i = 0; i < moi_model_size(model); i++)
        pulled += grads[i] * grads[i];
    return MOPT_OK;
}

static int32_t count_steps(void *user)
{
    (void)user;
    settled++;
    return MOPT_OK;
}

static char annex_name[] = "beside";
static const moi_param annex_param = {.name = annex_name, .rank = 1,
                                      .shape = {BESIDE}, .count = BESIDE};
static moi_annex annex;

static mopt_trainer *begin_annex(const char *json, double loss_weight,
                                 int32_t with_pull)
{
    mopt_trainer *t = school_trainer(ctx, model, train, NULL, json);

    memset(beside, 0, sizeof beside);
    settled = 0;
    annex = (moi_annex){.count = 1, .params = &annex_param, .size = 16,
                        .weights = beside, .grads = pull_of,
                        .pull = with_pull ? note_pull : NULL,
                        .settle = count_steps};
    kit_ok(mopt_trainer_set_loss_weight(t, loss_weight));
    kit_ok(moi_trainer_set_annex(t, &annex));
    kit_ok(moi_trainer_add_term(t, 1, lead, NULL, NULL));
    return t;
}

/* Descent on a square: the way left shrinks by 1 - rate a step, in one chunk
 * and in several. */
START_TEST(an_annex_learns)
{
    static const char *const ways[] = {"{" PLAIN "}",
                                       "{" PLAIN ", \"chunk\": 32}"};
    mopt_trainer *t = begin_annex(ways[_i], 1, 0);

    for (int step = 1; step <= 10; step++) {
        kit_ok(mopt_trainer_step(t, NULL));
        for (int i = 0; i < BESIDE; i++)
            ck_assert_double_eq_tol(beside[i] - goal[i],
                                    -goal[i] * pow(1 - RATE, step), 1e-12);
        ck_assert_int_eq(settled, step);
    }
    mopt_trainer_free(t);
}
END_TEST

/* Its gradients are part of the norm, and are clipped with it. */
START_TEST(an_annex_is_clipped)
{
    mopt_trainer *t = begin_annex("{" PLAIN ", \"clip_norm\": 0.1}", 0, 0);
    double size = 0, moved = 0;

    for (int i = 0; i < BESIDE; i++)
        size += goal[i] * goal[i];
    kit_ok(mopt_trainer_step(t, NULL));
    ck_assert_double_eq_tol(school_get(t, "gradient_norm"), sqrt(size), 1e-9);
    for (int i = 0; i < BESIDE; i++)
        moved += beside[i] * beside[i];
    ck_assert_double_eq_tol(sqrt(moved), RATE * 0.1, 1e-6);
    mopt_trainer_free(t);
}
END_TEST

/* pull is shown the gradients that the step goes by, whole. */
START_TEST(an_annex_sees_gradients)
{
    mopt_trainer *t = begin_annex("{" PLAIN ", \"chunk\": 32}", 1, 1);
    mopt_model *was = copy_of(model);
    double step = 0;

    kit_ok(mopt_trainer_step(t, NULL));
    for (int64_t p = 0; p < moi_model_param_count(model); p++)
        for (int64_t i = 0; i < moi_model_param(model, p)->count; i++)
            step += pow(change_of(model, was, p, i) / RATE, 2);
    ck_assert_double_gt(step, 1e-4);
    ck_assert_double_eq_tol(pulled, step, 1e-9);
    mopt_trainer_free(t);
    mopt_model_free(was);
}
END_TEST

/* The best epoch's annex comes back with the best epoch's model. */
static int32_t spoil(void *user, mopt_trainer *t)
{
    (void)user;
    return school_get(t, "epoch") >= 3 ? MOPT_STOPPED : MOPT_OK;
}

START_TEST(an_annex_is_kept_with_the_best)
{
    /* With a rate of 3 the way left grows twofold: the first is the best. */
    mopt_trainer *t = begin_annex("{\"shuffle\": false, \"batch_size\": 101,"
                                  " \"optimizer\": {\"type\": \"sgd\","
                                  " \"learning_rate\": 3}}", 0, 0);

    kit_ok(mopt_trainer_on_epoch(t, spoil, NULL, NULL));
    kit_fails(mopt_trainer_fit(t, NULL), MOPT_STOPPED);
    ck_assert_double_eq(school_get(t, "best.epoch"), 1);
    for (int i = 0; i < BESIDE; i++)
        ck_assert_double_eq_tol(beside[i], 3 * goal[i], 1e-12);
    mopt_trainer_free(t);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("hung");
    TCase *c = tcase_create("hung");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, units_stay_within_max_norm, 0, 3);
    tcase_add_test(c, a_line_search_knows_of_anchors);
    tcase_add_test(c, tensors_thaw);
    tcase_add_loop_test(c, taps_are_differences, 0, 2);
    tcase_add_loop_test(c, an_annex_learns, 0, 2);
    tcase_add_test(c, an_annex_is_clipped);
    tcase_add_test(c, an_annex_sees_gradients);
    tcase_add_test(c, an_annex_is_kept_with_the_best);
    suite_add_tcase(suite, c);
    return suite;
}
