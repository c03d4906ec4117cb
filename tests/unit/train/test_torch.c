/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_torch.c: trainings step by step beside PyTorch's, where
 * the environment variable MODELOPT_ORACLE_PYTHON names an interpreter that has
 * it; oracle.py beside this file is the other side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/config.h"
#include "base/rng.h"
#include "learn/optim/schedule.h"
#include "school.h"

#define ROWS 37
#define EPOCHS 8
#define STEPS (EPOCHS * 5)

static mopt_context *ctx;
static mopt_dataset *train;

static void setup(void)
{
    ctx = kit_begin();
    train = school_clouds(ctx, ROWS, 1, 1);
}

static void teardown(void)
{
    mopt_dataset_free(train);
    kit_end(ctx);
}

/* Run the oracle on the problems; NULL: there is none here. */
static FILE *ask(const char *problems)
{
    const char *python = getenv("MODELOPT_ORACLE_PYTHON");
    const char *tests = getenv("MODELOPT_TESTS"); /* where the sources are */
    const char *answers = kit_path("answers.txt");
    char command[1000];
    FILE *answer;
    int status;

    if (!python || !*python || !tests)
        return NULL;
    snprintf(command, sizeof command, "%s %s/unit/train/oracle.py %s > %s",
             python, tests, problems, answers);
    status = WEXITSTATUS(system(command));
    if (status == 77)
        return NULL;
    ck_assert_msg(status == 0, "the oracle failed");
    answer = fopen(answers, "r");
    ck_assert_ptr_nonnull(answer);
    return answer;
}

static double next(FILE *answer)
{
    double value;

    ck_assert_int_eq(fscanf(answer, "%lf", &value), 1);
    return value;
}

static void write_floats(FILE *file, const char *name, const float *values,
                         int64_t count)
{
    fprintf(file, "\"%s\": [", name);
    for (int64_t i = 0; i < count; i++)
        fprintf(file, "%s%.9g", i ? ", " : "", (double)values[i]);
    fprintf(file, "],\n");
}

typedef struct lesson {
    const char *train; /* our config, without epochs and batches */
    const char *optimizer, *schedule, *each; /* theirs */
    int batch;
    double clip_norm, clip_value;
} lesson;

#define OPT "torch.optim."
#define LR "torch.optim.lr_scheduler."

static const lesson lessons[] = {
    {"\"optimizer\": {\"type\": \"gd\", \"learning_rate\": 0.1}",
     OPT "SGD(groups, lr=0.1)", "None", "", 0, 0, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1, "
     "\"weight_decay\": 0.05}",
     OPT "SGD(groups, lr=0.1, weight_decay=0.05)", "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.05, "
     "\"momentum\": 0.9, \"dampening\": 0.2}",
     OPT "SGD(groups, lr=0.05, momentum=0.9, dampening=0.2)", "None", "", 8, 0,
     0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.05, "
     "\"momentum\": 0.9, \"nesterov\": true, \"weight_decay\": 0.01}",
     OPT "SGD(groups, lr=0.05, momentum=0.9, nesterov=True, "
         "weight_decay=0.01)",
     "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"adagrad\", \"rate_decay\": 0.1, "
     "\"learning_rate\": 0.05}",
     OPT "Adagrad(groups, lr=0.05, lr_decay=0.1)", "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"rmsprop\", \"learning_rate\": 0.001, "
     "\"weight_decay\": 0.01}",
     OPT "RMSprop(groups, lr=0.001, weight_decay=0.01)", "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"rmsprop\", \"learning_rate\": 0.001, "
     "\"centered\": true, \"momentum\": 0.9}",
     OPT "RMSprop(groups, lr=0.001, centered=True, momentum=0.9)", "None", "",
     8, 0, 0},
    {"\"optimizer\": \"adadelta\"", OPT "Adadelta(groups)", "None", "", 8, 0,
     0},
    {"\"optimizer\": \"adam\"", OPT "Adam(groups)", "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"adam\", \"weight_decay\": 0.1, "
     "\"decay_bias\": true, \"beta1\": 0.8, \"beta2\": 0.99}",
     OPT "Adam(weights, weight_decay=0.1, betas=(0.8, 0.99))", "None", "", 8,
     0, 0},
    {"\"optimizer\": {\"type\": \"adam\", \"amsgrad\": true}",
     OPT "Adam(groups, amsgrad=True)", "None", "", 8, 0, 0},
    {"\"optimizer\": \"adamw\"", OPT "AdamW(groups, weight_decay=0.01)",
     "None", "", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"adamw\", \"weight_decay\": 0.5}, "
     "\"schedule\": \"cosine\"",
     OPT "AdamW(groups, weight_decay=0.5)",
     LR "CosineAnnealingLR(optimizer, 40)", "step", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}, "
     "\"schedule\": {\"type\": \"step\", \"every\": 3, \"factor\": 0.5}",
     OPT "SGD(groups, lr=0.1)", LR "StepLR(optimizer, 3, 0.5)", "epoch", 8, 0,
     0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}, "
     "\"schedule\": {\"type\": \"exponential\", \"factor\": 0.8}",
     OPT "SGD(groups, lr=0.1)", LR "ExponentialLR(optimizer, 0.8)", "epoch", 8,
     0, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1, "
     "\"momentum\": 0.9}, \"schedule\": \"one_cycle\"",
     OPT "SGD(groups, lr=0.1, momentum=0.9)",
     LR "OneCycleLR(optimizer, 0.1, total_steps=40)", "step", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.01}, "
     "\"schedule\": \"one_cycle\"",
     OPT "Adam(groups, lr=0.01)",
     LR "OneCycleLR(optimizer, 0.01, total_steps=40)", "step", 8, 0, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}, "
     "\"clip_norm\": 0.3",
     OPT "SGD(groups, lr=0.1)", "None", "", 8, 0.3, 0},
    {"\"optimizer\": {\"type\": \"sgd\", \"learning_rate\": 0.1}, "
     "\"clip_value\": 0.02",
     OPT "SGD(groups, lr=0.1)", "None", "", 8, 0, 0.02},
};
#define LESSONS ((int)(sizeof lessons / sizeof *lessons))

static const struct {
    const char *ours, *theirs;
} plateaus[] = {
    {"{\"schedule\": {\"type\": \"reduce_on_plateau\", \"factor\": 0.5, "
     "\"patience\": 2, \"cooldown\": 3, \"final\": 0.01}}",
     "{\"factor\": 0.5, \"patience\": 2, \"cooldown\": 3, \"min_lr\": 0.01, "
     "\"mode\": \"min\"}"},
    {"{\"schedule\": {\"type\": \"reduce_on_plateau\", \"factor\": 0.5, "
     "\"patience\": 0, \"threshold\": 0.05}}",
     "{\"factor\": 0.5, \"patience\": 0, \"threshold\": 0.05, \"mode\": "
     "\"max\"}"},
};
#define FIGURES 60 /* that a plateau schedule is told */

static void write_lessons(FILE *file)
{
    fprintf(file, "\"lessons\": [");
    for (int i = 0; i < LESSONS; i++) {
        const lesson *l = &lessons[i];

        fprintf(file,
                "%s{\"optimizer\": \"%s\", \"schedule\": \"%s\", \"each\": "
                "\"%s\", \"epochs\": %d, \"batch\": %d, \"clip_norm\": "
                "%.17g, \"clip_value\": %.17g}\n",
                i ? ", " : "", l->optimizer, l->schedule, l->each, EPOCHS,
                l->batch, l->clip_norm, l->clip_value);
    }
    fprintf(file, "], \"plateaus\": [");
    for (int i = 0; i < 2; i++)
        fprintf(file, "%s{\"options\": %s}", i ? ", " : "",
                plateaus[i].theirs);
    fprintf(file, "]}\n");
}

static void train_beside(const lesson *l, FILE *answer)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    float weights[SCHOOL_WEIGHTS];
    char json[500];
    mopt_trainer *t;
    int64_t count, steps = l->batch ? STEPS : EPOCHS;

    snprintf(json, sizeof json,
             "{\"epochs\": %d, \"batch_size\": 8, \"shuffle\": false, %s}",
             EPOCHS, l->train);
    t = school_trainer(ctx, model, train, NULL, json);
    for (int64_t i = 0; i < steps; i++) {
        double want = next(answer);

        kit_ok(mopt_trainer_step(t, NULL));
        ck_assert_double_eq_tol(school_get(t, "learning_rate"), want, 1e-9);
    }
    count = school_weights(model, weights);
    for (int64_t i = 0; i < count; i++) {
        double want = next(answer);

        ck_assert_msg(fabs((double)weights[i] - want) <= 1e-5,
                      "%s: weight %lld is %.9g, PyTorch has %.9g", l->optimizer,
                      (long long)i, (double)weights[i], want);
    }
    mopt_trainer_free(t);
    mopt_model_free(model);
}

static const moi_key keys[] = {
    MOI_VARIANT("schedule", "constant", moi_schedule_schemas, "schedule"),
    MOI_KEYS_END,
};
static const moi_schema schema = {"schedules", "for tests", keys};

static void report_beside(int which, const float *figures, FILE *answer)
{
    mopt_config *config = NULL;
    moi_schedule s;

    kit_ok(moi_config_new(ctx, &schema, &config));
    kit_ok(mopt_config_set_json(config, plateaus[which].ours));
    kit_ok(moi_schedule_init(&s, config, 10, 600));
    for (int i = 0; i < FIGURES; i++) {
        moi_schedule_report(&s, figures[i], which ? 1 : -1);
        ck_assert_double_eq_tol(moi_schedule_factor(&s, 0), next(answer),
                                1e-12);
    }
    mopt_config_free(config);
}

/* One interpreter answers all: it takes seconds to start. */
START_TEST(step_by_step)
{
    static float x[ROWS * SCHOOL_FEATURES], y[ROWS];
    float weights[SCHOOL_WEIGHTS], figures[FIGURES];
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    const char *problems = kit_path("problems.json");
    FILE *file = fopen(problems, "w"), *answer;
    moi_rng rng;

    ck_assert_ptr_nonnull(file);
    moi_rng_init(&rng, 3, 0, MOI_RNG_SAMPLE, 0);
    for (int i = 0; i < FIGURES; i++)
        figures[i] = (float)(1 + 0.3 * moi_rng_uniform(&rng) - 0.005 * i);
    kit_ok(mopt_dataset_read(train, 0, ROWS, x, y));
    fprintf(file, "{");
    write_floats(file, "x", x, ROWS * SCHOOL_FEATURES);
    write_floats(file, "y", y, ROWS);
    write_floats(file, "weights", weights, school_weights(model, weights));
    write_floats(file, "values", figures, FIGURES);
    write_lessons(file);
    fclose(file);
    mopt_model_free(model);
    answer = ask(problems);
    if (!answer)
        return;
    for (int i = 0; i < LESSONS; i++)
        train_beside(&lessons[i], answer);
    for (int i = 0; i < 2; i++)
        report_beside(i, figures, answer);
    fclose(answer);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("torch");
    TCase *c = tcase_create("torch");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, step_by_step);
    suite_add_tcase(suite, c);
    return suite;
}
