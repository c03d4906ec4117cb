/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_mesh.c: one model spread over a mesh of ranks:
 * stages and copies change no bit, pieces of layers round otherwise and no
 * more; one end for all. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/context.h"
#include "learn/nn/model.h"
#include "learn/train/trainer.h"
#include "../train/school.h"

#define WEIGHTS 4096 /* of the model, at most */
#define STEPS 100

/* A plan by hand: copies, pieces of a layer, stages. */
#define PLAN(copies, pieces, stages, more)                              \
    "{\"data\": " #copies ", \"tensor\": " #pieces ", \"pipeline\": " \
    #stages more "}"

static mopt_context *ctx;
static mopt_dataset *train, *validation, *others;

static void setup(void)
{
    ctx = school_open(&train, &validation);
    others = school_clouds(ctx, SCHOOL_CLASS_ROWS, 1.5, 3);
}

static void teardown(void)
{
    mopt_dataset_free(others);
    school_close(ctx, train, validation);
}

/* 5-32-32-20-3: dense, dropout, dense, dense, dense. */
static mopt_model *make_model(void)
{
    static const char *const tree =
        "{\"layers\": ["
        "{\"type\": \"dense\", \"units\": 32, \"activation\": \"relu\"},"
        "{\"type\": \"dropout\", \"rate\": 0.25},"
        "{\"type\": \"dense\", \"units\": 32, \"activation\": \"gelu\"},"
        "{\"type\": \"dense\", \"units\": 20, \"activation\": \"relu\","
        " \"bias_init\": 0.1},"
        "{\"type\": \"dense\"}]}";
    mopt_model *model = NULL;
    kit_ok(mopt_model_create(ctx, tree, SCHOOL_FEATURES, SCHOOL_CLASSES,
                             &model));
    return model;
}

/* ---- what a rank does ---- */

typedef struct lesson {
    const char *settings;
    const char *plan;    /* kind "parallel"; NULL: no plan, a group alone */
    int32_t odd;         /* the rank that has other data, -1: none */
    int32_t leaver;      /* the rank that leaves after some steps, -1: none */
    int32_t failing;     /* the rank whose callback fails, -1: none */
    int64_t starve;      /* the allocation that fails, from the trainer's making
                            on, -1: none */
    int32_t ready;       /* the model has weights already */
    const char *resume, *save, *model; /* files, or NULL */
    const char *frozen;  /* tensors that stay as they are, or NULL */
    mopt_cancel *cancel; /* of the last rank */
    int32_t cut;         /* the step after which it is triggered, 0: none */
    double *losses;      /* [STEPS], of steps that are taken one by one; NULL:
                            it trains to the end */
    float weights[WEIGHTS]; /* in the end */
    char history[16384];
} lesson;

static void starve(const lesson *l, mopt_group *g)
{
    if (l->starve < 0)
        return;
    kit_ok(mopt_group_barrier(g, NULL));
    if (mopt_group_rank(g) == 0)
        kit_fail_allocation(l->starve, 0);
    mopt_group_barrier(g, NULL); /* who is through may have failed already */
}

static mopt_trainer *make_trainer(const lesson *l, mopt_group *g,
                                  mopt_model *model, int32_t *rc)
{
    mopt_config *settings = school_config(ctx, "train", l->settings);
    mopt_config *config = NULL;
    mopt_parallel *plan = NULL;
    mopt_trainer *trainer = NULL;
    const mopt_dataset *data = l->odd == mopt_group_rank(g) ? others : train;
    if (l->plan != NULL) {
        config = school_config(ctx, "parallel", l->plan);
        kit_ok(mopt_parallel_create(ctx, model, config, settings,
                                    mopt_group_size(g), NULL, &plan));
        starve(l, g);
        *rc = mopt_trainer_create_parallel(ctx, model, data, validation,
                                           settings, plan, g, &trainer);
    } else {
        *rc = mopt_trainer_create(ctx, model, data, validation, settings,
                                  &trainer);
        if (*rc == MOPT_OK)
            *rc = mopt_trainer_set_group(trainer, g);
    }
    mopt_parallel_free(plan);
    mopt_config_free(config);
    mopt_config_free(settings);
    return trainer;
}

static int32_t take_steps(const lesson *l, mopt_trainer *trainer,
                          int32_t rank)
{
    int32_t rc = MOPT_OK;
    for (int i = 0; i < STEPS && rc == MOPT_OK; i++) {
        double loss = 0;
        rc = mopt_trainer_step(trainer, &loss);
        if (rank == 0)
            l->losses[i] = loss;
    }
    return rc;
}

/* What is to happen to a rank after its steps. */
typedef struct fate {
    int32_t fails; /* in its second one */
    int32_t cut;   /* the token is triggered after so many */
    mopt_cancel *cancel;
} fate;

static int32_t after_step(void *user, mopt_trainer *trainer)
{
    const fate *f = user;
    double step = 0;
    mopt_trainer_get(trainer, "step", &step);
    if (f->cut > 0 && step == f->cut)
        mopt_cancel_request(f->cancel);
    return f->fails && step == 2 ? 77 : MOPT_OK;
}

static int32_t freeze(mopt_trainer *trainer, const char *pattern)
{
    mopt_config *config = school_config(ctx, "group", "{\"frozen\": true}");
    int32_t rc = mopt_trainer_add_group(trainer, pattern, config);
    mopt_config_free(config);
    return rc;
}

static int32_t leave(mopt_trainer *trainer)
{
    int32_t rc = mopt_trainer_step(trainer, NULL);
    if (rc == MOPT_OK)
        rc = mopt_trainer_step(trainer, NULL);
    return rc == MOPT_OK ? MOPT_EIO : rc;
}

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    int32_t rank = mopt_group_rank(g), rc;
    int32_t last = rank == mopt_group_size(g) - 1;
    fate f = {l->failing == rank, rank == 0 ? l->cut : 0, l->cancel};
    mopt_model *model = make_model(), *learned = make_model();
    if (l->ready)
        kit_ok(mopt_model_init(model, 77));
    mopt_trainer *trainer = make_trainer(l, g, model, &rc);
    if (rc == MOPT_OK && (l->failing >= 0 || l->cut > 0))
        rc = mopt_trainer_on_step(trainer, after_step, &f, NULL);
    if (rc == MOPT_OK && l->frozen != NULL)
        rc = freeze(trainer, l->frozen);
    if (rc == MOPT_OK && l->resume != NULL)
        rc = mopt_trainer_resume(trainer, l->resume);
    if (rc == MOPT_OK && l->leaver == rank)
        rc = leave(trainer);
    if (rc == MOPT_OK && l->losses != NULL)
        rc = take_steps(l, trainer, rank);
    else if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, last ? l->cancel : NULL);
    if (rc == MOPT_OK && l->save != NULL)
        rc = mopt_trainer_save(trainer, l->save);
    if (rc == MOPT_OK && l->model != NULL)
        rc = mopt_trainer_export(trainer, l->model);
    if (rc == MOPT_OK)
        rc = mopt_trainer_gather(trainer, learned);
    if (rc == MOPT_OK && rank == 0) {
        ck_assert_int_le(moi_model_size(learned), WEIGHTS);
        memcpy(l->weights, moi_model_weights(learned),
               (size_t)moi_model_size(learned) * sizeof(float));
        rc = mopt_trainer_history(trainer, l->history, sizeof l->history,
                                  NULL);
    }
    mopt_trainer_free(trainer);
    mopt_model_free(learned);
    mopt_model_free(model);
    return rc;
}

static lesson *plain(const char *settings, const char *plan)
{
    lesson *l = calloc(1, sizeof *l);
    l->settings = settings;
    l->plan = plan;
    l->odd = l->leaver = l->failing = -1;
    l->starve = -1;
    return l;
}

static lesson *hold(const char *settings, const char *plan, int32_t ranks)
{
    lesson *l = plain(settings, plan);
    kit_ok(mopt_group_run(ctx, ranks, 60, attend, l));
    return l;
}

/* ---- the same ---- */

#define BASE "\"epochs\": 4, \"batch_size\": 64, \"parts\": 8, "
static const char *const settings[] = {
    "{" BASE "\"optimizer\": \"adam\"}",
    "{" BASE "\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.9}, "
    "\"clip_norm\": 0.5}",
    "{" BASE "\"optimizer\": \"adamw\", \"max_norm\": 1}",
};

static void same_bits(lesson *a, lesson *b)
{
    ck_assert_mem_eq(a->weights, b->weights, sizeof a->weights);
    ck_assert_str_eq(a->history, b->history);
    free(b);
}

/* A plan, and the ranks that it is for. */
typedef struct shape {
    const char *plan;
    int32_t ranks;
} shape;

static const shape stages[] = {
    {PLAN(1, 1, 2, ""), 2},
    {PLAN(1, 1, 2, ", \"schedule\": \"gpipe\""), 2},
    {PLAN(1, 1, 3, ""), 3},
    {PLAN(1, 1, 4, ", \"cuts\": \"0,2,3,4\""), 4},
    {PLAN(1, 1, 3, ", \"cuts\": \"0,1,3\", \"schedule\": \"gpipe\""), 3},
    {PLAN(3, 1, 1, ""), 3},
    {PLAN(2, 1, 2, ""), 4},
    {PLAN(4, 1, 2, ", \"cuts\": \"0,3\""), 8},
    {PLAN(1, 1, 1, ""), 1},
};
#define STAGES ((int)(sizeof stages / sizeof *stages))

START_TEST(stages_and_copies_change_no_bit)
{
    const char *set = settings[_i / STAGES];
    lesson *one = hold(set, NULL, 1);
    same_bits(one, hold(set, stages[_i % STAGES].plan,
                        stages[_i % STAGES].ranks));
    free(one);
}
END_TEST

/* Where each rank has the whole model, a plan is a group: what only that can
 * do goes with it, to the same bits. */
static const char *const whole_settings[] = {
    "{" BASE "\"overlap\": \"always\"}",
    "{" BASE "\"threads\": 2}",
    "{\"epochs\": 2, \"batch_size\": 64}",
    "{\"epochs\": 2, \"batch_size\": 64, \"compression\": \"bf16\"}",
    "{\"epochs\": 2, \"batch_size\": 64, \"compression\": \"topk\"}",
    "{\"epochs\": 2, \"batch_size\": 64, \"local_steps\": 2}",
    ("{\"epochs\": 3, \"parts\": 8, \"optimizer\": {\"type\": \"gd\", "
     "\"line_search\": true}}"),
};
#define WHOLES ((int)(sizeof whole_settings / sizeof *whole_settings))

/* A group of so many ranks without a plan, and two with one, come to the same
 * from weights that are there. */
static void as_planned(const char *set, int32_t ranks, const char *plan)
{
    lesson *group = plain(set, NULL), *planned = plain(set, plan);
    group->ready = planned->ready = 1;
    kit_ok(mopt_group_run(ctx, ranks, 60, attend, group));
    kit_ok(mopt_group_run(ctx, 2, 60, attend, planned));
    same_bits(group, planned);
    free(group);
}

START_TEST(a_plan_of_whole_models_is_a_group)
{
    as_planned(whole_settings[_i], 2, PLAN(2, 1, 1, ""));
}
END_TEST

/* The plan's parts are used where the settings have none. */
static int32_t use_other_parts(void *user, mopt_group *g)
{
    int32_t rank = mopt_group_rank(g);
    const int32_t *differ = user;
    mopt_config *config = school_config(ctx, "train", "{\"parts\": 6}");
    mopt_config *other = school_config(ctx, "train", "{\"parts\": 16}");
    mopt_model *model = make_model();
    mopt_parallel *plan = NULL;
    mopt_trainer *trainer = NULL;
    kit_ok(mopt_parallel_create(ctx, model, NULL,
                                *differ && rank == 1 ? other : config, 2, NULL,
                                &plan));
    int32_t rc = mopt_trainer_create_parallel(ctx, model, train, NULL, NULL,
                                              plan, g, &trainer);
    if (rc == MOPT_OK)
        ck_assert_int_eq(trainer->team->most, 6);
    mopt_trainer_free(trainer);
    mopt_parallel_free(plan);
    mopt_model_free(model);
    mopt_config_free(config);
    mopt_config_free(other);
    return rc;
}

START_TEST(parts_of_a_plan_are_used)
{
    int32_t differ = _i;
    int32_t rc = mopt_group_run(ctx, 2, 600, use_other_parts, &differ);
    ck_assert_int_eq(rc, differ ? MOPT_EINVAL : MOPT_OK);
    if (differ)
        kit_says("the ranks do not have the same plan");
}
END_TEST

/* Weights that are there are cut; orthogonal ones are pieces of the whole. */
START_TEST(weights_that_are_there_are_cut)
{
    as_planned(settings[0], 1, PLAN(1, 1, 2, ""));
}
END_TEST

/* Of whole stages, too: what comes back goes through them. */
static const char *const icy[] = {"layers.0.*", "layers.2.*", "layers.4.*",
                                  "*.bias"};

START_TEST(frozen_tensors_stay)
{
    const char *set = settings[_i % 2];
    lesson *one = plain(set, NULL);
    lesson *many = plain(set, PLAN(1, 1, 3, ", \"cuts\": \"0,2,3\""));
    one->frozen = many->frozen = icy[_i / 2];
    kit_ok(mopt_group_run(ctx, 1, 60, attend, one));
    kit_ok(mopt_group_run(ctx, 3, 60, attend, many));
    same_bits(one, many);
    many = plain(set, PLAN(1, 2, 2, ""));
    many->frozen = one->frozen;
    kit_ok(mopt_group_run(ctx, 4, 60, attend, many));
    for (int i = 0; i < WEIGHTS; i++)
        ck_assert_double_eq_tol((double)one->weights[i],
                                (double)many->weights[i], 2e-4);
    free(many);
    free(one);
}
END_TEST

/* ---- as good as the same ---- */

static const shape meshes[] = {
    {PLAN(1, 2, 1, ""), 2},
    {PLAN(1, 3, 1, ""), 3},
    {PLAN(1, 2, 1, ", \"splits\": \"columns,columns,columns,none,none\""), 2},
    {PLAN(1, 2, 1, ", \"splits\": \"columns,none,columns,rows,columns\""), 2},
    {PLAN(1, 2, 1, ", \"splits\": \"none,none,columns,columns,rows\""), 2},
    {PLAN(2, 2, 1, ""), 4},
    {PLAN(1, 2, 2, ", \"cuts\": \"0,3\""), 4},
    {PLAN(2, 2, 2, ", \"schedule\": \"gpipe\""), 8},
    {PLAN(2, 2, 2, ", \"cuts\": \"0,3\""), 8},
};
#define MESHES ((int)(sizeof meshes / sizeof *meshes))

#define LONG "\"epochs\": 40, \"batch_size\": 64, \"parts\": 8, "
static const char *const long_settings[] = {
    "{" LONG "\"optimizer\": \"adam\"}",
    "{" LONG "\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.9, "
    "\"learning_rate\": 0.01}, \"clip_norm\": 0.5}",
};

START_TEST(pieces_of_layers_come_close)
{
    double one[STEPS], many[STEPS], worst = 0;
    lesson *a = plain(long_settings[_i / MESHES], NULL);
    lesson *b = plain(a->settings, meshes[_i % MESHES].plan);
    a->losses = one;
    b->losses = many;
    kit_ok(mopt_group_run(ctx, 1, 60, attend, a));
    kit_ok(mopt_group_run(ctx, meshes[_i % MESHES].ranks, 60, attend, b));
    for (int i = 0; i < STEPS; i++) {
        double off = fabs(one[i] - many[i]) / one[i];
        worst = off > worst ? off : worst;
    }
    ck_assert_double_lt(worst, 1e-5);
    free(a);
    free(b);
}
END_TEST

/* Before the first step a mesh has the weights of one rank, to the bit,
 * whatever has drawn them. */
static const char *const inits[] = {
    "auto", "he_uniform", "glorot_normal", "lecun_normal", "orthogonal",
};

static int32_t begin(void *user, mopt_group *g)
{
    static const char *const tree =
        "{\"layers\": ["
        "{\"type\": \"dense\", \"units\": 37, \"init\": \"%s\","
        " \"activation\": \"relu\"},"
        "{\"type\": \"dense\", \"units\": 21, \"init\": \"%s\","
        " \"bias_init\": 0.5, \"activation\": \"tanh\"},"
        "{\"type\": \"dense\", \"init\": \"%s\"}]}";
    const char *init = user;
    char text[600];
    mopt_model *model = NULL, *whole = NULL;
    int32_t rc;
    lesson l = {.settings = "{\"seed\": 9}", .odd = -1, .starve = -1,
                .plan = PLAN(1, 3, 1,
                             ", \"splits\": \"columns,rows,columns\"")};
    snprintf(text, sizeof text, tree, init, init, init);
    kit_ok(mopt_model_create(ctx, text, SCHOOL_FEATURES, SCHOOL_CLASSES,
                             &model));
    mopt_trainer *trainer = make_trainer(&l, g, model, &rc);
    kit_ok(mopt_model_copy(model, &whole));
    if (rc == MOPT_OK)
        rc = mopt_trainer_gather(trainer, whole);
    if (rc == MOPT_OK) {
        ck_assert(!moi_model_ready(model));
        kit_ok(mopt_model_init(model, 9));
        ck_assert_mem_eq(moi_model_weights(model), moi_model_weights(whole),
                         (size_t)moi_model_size(model) * sizeof(float));
    }
    mopt_trainer_free(trainer);
    mopt_model_free(whole);
    mopt_model_free(model);
    return rc;
}

START_TEST(first_weights_are_pieces_of_the_whole)
{
    kit_ok(mopt_group_run(ctx, 3, 60, begin, (void *)inits[_i]));
}
END_TEST

/* ---- files ---- */

static const char *const halves[] = {
    NULL, PLAN(1, 1, 2, ""), PLAN(2, 1, 2, ", \"schedule\": \"gpipe\""),
    PLAN(3, 1, 1, ""), PLAN(1, 2, 1, ""), PLAN(2, 2, 1, ""),
    PLAN(1, 2, 2, ", \"cuts\": \"0,3\""),
};
static const int32_t half_ranks[] = {1, 2, 4, 3, 2, 4, 4};
#define HALVES 7
#define EXACT 4 /* the first ones, that split no layer */

#define HALF "\"batch_size\": 64, \"parts\": 8, \"optimizer\": \"adam\"}"

static lesson *half(const char *how, int i)
{
    return plain(how, halves[i]);
}

/* Two epochs on one mesh, and two more on another. */
START_TEST(a_training_goes_on_with_another_mesh)
{
    int a = _i / HALVES, b = _i % HALVES;
    char *path = strdup(kit_path("half"));
    lesson *whole = half("{\"epochs\": 4, " HALF, 0);
    lesson *first = half("{\"epochs\": 2, " HALF, a);
    lesson *second = half("{\"epochs\": 4, " HALF, b);
    first->save = second->resume = path;
    kit_ok(mopt_group_run(ctx, 1, 60, attend, whole));
    kit_ok(mopt_group_run(ctx, half_ranks[a], 60, attend, first));
    kit_ok(mopt_group_run(ctx, half_ranks[b], 60, attend, second));
    if (a < EXACT && b < EXACT)
        ck_assert_str_eq(whole->history, second->history);
    for (int i = 0; i < WEIGHTS; i++)
        if (a < EXACT && b < EXACT)
            ck_assert(whole->weights[i] == second->weights[i]);
        else
            ck_assert_double_eq_tol((double)whole->weights[i],
                                    (double)second->weights[i], 2e-4);
    free(whole);
    free(first);
    free(second);
    free(path);
}
END_TEST

/* A token of one rank ends it in the middle of an epoch: there is a file of
 * that step, from which another mesh goes on. */
START_TEST(a_token_leaves_a_checkpoint_of_all)
{
    char *path = strdup(kit_path("cut")), text[500];
    snprintf(text, sizeof text, "{\"epochs\": 4, \"checkpoint\": \"%s\", "
             "\"checkpoint_every\": 0, " HALF, path);
    lesson *whole = half("{\"epochs\": 4, " HALF, 0);
    lesson *first = half(text, _i), *second = half(text, 0);
    first->cut = 5;
    second->resume = path;
    kit_ok(mopt_cancel_create(ctx, &first->cancel));
    kit_ok(mopt_group_run(ctx, 1, 60, attend, whole));
    kit_fails(mopt_group_run(ctx, half_ranks[_i], 600, attend, first),
              MOPT_ECANCELED);
    kit_ok(mopt_group_run(ctx, 1, 60, attend, second));
    ck_assert_mem_eq(whole->weights, second->weights, sizeof whole->weights);
    mopt_cancel_free(first->cancel);
    free(whole);
    free(first);
    free(second);
    free(path);
}
END_TEST

/* What the ranks wrote together is a model like any other. */
START_TEST(an_exported_model_is_the_gathered_one)
{
    char *path = strdup(kit_path("exported"));
    lesson *l = half("{\"epochs\": 2, " HALF, _i);
    mopt_model *model = NULL;
    l->model = path;
    kit_ok(mopt_group_run(ctx, half_ranks[_i], 60, attend, l));
    kit_ok(mopt_model_load(ctx, path, &model));
    ck_assert_mem_eq(moi_model_weights(model), l->weights,
                     (size_t)moi_model_size(model) * sizeof(float));
    mopt_model_free(model);
    free(l);
    free(path);
}
END_TEST

static const char *const bad_places[] = {"/nowhere/at/all", "/dev/null/x"};

START_TEST(a_file_that_cannot_be_is_an_error_of_all)
{
    lesson *l = half("{\"epochs\": 1, " HALF, 2);
    int32_t rc;
    l->save = bad_places[_i % 2];
    l->model = l->resume = _i >= 2 ? bad_places[_i % 2] : NULL;
    rc = mopt_group_run(ctx, 4, 600, attend, l);
    ck_assert(rc == MOPT_EIO || rc == MOPT_ENOENT);
    free(l);
}
END_TEST

/* ---- one end for all ---- */

#define MESH PLAN(1, 2, 2, "")
static const char *const shapes[] = {MESH, PLAN(1, 1, 4, ""),
                                     PLAN(2, 1, 2, "")};

START_TEST(a_rank_that_leaves_ends_all)
{
    lesson *l = plain(settings[_i], shapes[_i]);
    l->leaver = 2;
    kit_fails(mopt_group_run(ctx, 4, 600, attend, l), MOPT_EIO);
    kit_says("rank 2");
    free(l);
}
END_TEST

START_TEST(a_callback_of_one_rank_ends_all)
{
    lesson *l = plain(settings[_i], shapes[_i]);
    l->failing = 1;
    kit_fails(mopt_group_run(ctx, 4, 600, attend, l), MOPT_ECALLBACK);
    kit_says("rank 1");
    free(l);
}
END_TEST

START_TEST(a_token_of_one_rank_ends_all)
{
    lesson *l = plain(settings[_i], shapes[_i]);
    kit_ok(mopt_cancel_create(ctx, &l->cancel));
    mopt_cancel_request(l->cancel);
    kit_fails(mopt_group_run(ctx, 4, 600, attend, l), MOPT_ECANCELED);
    mopt_cancel_free(l->cancel);
    free(l);
}
END_TEST

START_TEST(ranks_that_differ_are_told_so)
{
    lesson *l = plain(settings[_i], shapes[_i]);
    l->odd = 3;
    kit_fails(mopt_group_run(ctx, 4, 600, attend, l), MOPT_EINVAL);
    kit_says("same data: 1 of 4 differ from rank 0, the first is rank 3");
    free(l);
}
END_TEST

/* ---- a rank that fails alone ---- */

/* That all knew how an earlier call ended says nothing of this one. */
static int32_t fail_after_save(void *user, mopt_group *g)
{
    atomic_int *ended = user;
    lesson *l = plain("{}", PLAN(1, 1, 2, ""));
    int32_t rc;
    mopt_model *model = make_model();
    mopt_trainer *trainer = make_trainer(l, g, model, &rc);
    kit_ok(rc);
    ck_assert_int_lt(mopt_trainer_save(trainer, "/nowhere/at/all"), 0);
    rc = mopt_trainer_fit(trainer, NULL);
    ck_assert(rc == MOPT_EBACKEND || rc == MOPT_EPEER);
    atomic_fetch_add(ended, 1);
    while (atomic_load(ended) < 2)
        usleep(1000);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    free(l);
    return rc;
}

START_TEST(a_file_that_could_not_be_hides_no_later_failure)
{
    const mopt_backend *usual = school_stumble(ctx, 0);
    atomic_int ended = 0;
    kit_fails(mopt_group_run(ctx, 2, 600, fail_after_save, &ended),
              MOPT_EBACKEND);
    ctx->backend = usual;
}
END_TEST

static const struct {
    const char *settings, *plan, *why;
    int32_t code;
} misfits[] = {
    {"{\"optimizer\": {\"type\": \"gd\", \"line_search\": true}}",
     PLAN(1, 1, 2, ""), "line_search", MOPT_EUNSUPPORTED},
    {"{\"max_norm\": 1}", PLAN(1, 2, 1, ""), "max_norm",
     MOPT_EUNSUPPORTED},
    {"{\"threads\": 2}", PLAN(1, 2, 1, ""), "threads", MOPT_EUNSUPPORTED},
    {"{\"local_steps\": 2}", PLAN(1, 1, 2, ""), "local_steps",
     MOPT_EUNSUPPORTED},
    {"{\"compression\": \"bf16\"}", PLAN(1, 2, 1, ""), "compression",
     MOPT_EUNSUPPORTED},
};

/* The weights of one rank are others, which no rank has the same piece of. */
static int32_t begin_with_other_weights(void *user, mopt_group *g)
{
    const lesson *l = user;
    int32_t rc;
    mopt_model *model = make_model();
    kit_ok(mopt_model_init(model, mopt_group_rank(g) == 1 ? 8 : 7));
    mopt_trainer *trainer = make_trainer(l, g, model, &rc);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

START_TEST(weights_that_differ_are_told)
{
    lesson *l = plain(settings[_i], shapes[_i]);
    kit_fails(mopt_group_run(ctx, 4, 600, begin_with_other_weights, l),
              MOPT_EINVAL);
    kit_says("same model: 1 of 4 differ from rank 0, the first is rank 1");
    free(l);
}
END_TEST

/* ---- a rank that is refused alone ---- */

enum { OTHER_RANKS, OTHER_LAYERS, OTHER_KIND, NO_PLAN, REFUSALS };

typedef struct refusal {
    int how;
    atomic_int ended; /* ranks that know of it */
} refusal;

/* All ranks wait until each knows, so that it is not the end of one that the
 * others hear of; then they try again with the same group. */
static int32_t is_refused(void *user, mopt_group *g)
{
    refusal *r = user;
    int32_t odd = mopt_group_rank(g) == 1, how = odd ? r->how : REFUSALS;
    mopt_config *config = school_config(
        ctx, how == OTHER_KIND ? "parallel" : "train", "{}");
    mopt_model *model = make_model(), *thin = school_model(ctx, 3, 0);
    mopt_parallel *plan = NULL, *good = NULL;
    mopt_trainer *trainer = NULL;
    kit_ok(mopt_parallel_create(ctx, how == OTHER_LAYERS ? thin : model, NULL,
                                NULL, how == OTHER_RANKS ? 2 : 3, NULL, &plan));
    kit_ok(mopt_parallel_create(ctx, model, NULL, NULL, 3, NULL, &good));
    int32_t rc = mopt_trainer_create_parallel(
        ctx, model, train, NULL, config, how == NO_PLAN ? NULL : plan, g,
        &trainer);
    ck_assert_int_eq(rc, odd ? MOPT_EINVAL : MOPT_EPEER);
    atomic_fetch_add(&r->ended, 1);
    while (atomic_load(&r->ended) < 3)
        usleep(1000);
    rc = mopt_trainer_create_parallel(ctx, model, train, NULL, NULL, good, g,
                                      &trainer);
    mopt_trainer_free(trainer);
    mopt_parallel_free(plan);
    mopt_parallel_free(good);
    mopt_model_free(model);
    mopt_model_free(thin);
    mopt_config_free(config);
    return rc;
}

START_TEST(a_rank_that_is_refused_alone_keeps_nobody_waiting)
{
    refusal r = {.how = _i};
    kit_ok(mopt_group_run(ctx, 3, 600, is_refused, &r));
}
END_TEST

START_TEST(what_does_not_go_together_is_said)
{
    lesson *l = plain(misfits[_i].settings, misfits[_i].plan);
    kit_fails(mopt_group_run(ctx, 2, 600, attend, l), misfits[_i].code);
    kit_says(misfits[_i].why);
    free(l);
}
END_TEST

/* Each allocation fails in turn, of whichever rank: an error, no hang. */
START_TEST(meshes_without_memory)
{
    int failures = 0;
    for (int64_t at = 0;; at += 5) {
        lesson *l = plain("{\"epochs\": 1, \"batch_size\": 64}", MESH);
        l->starve = at;
        int32_t rc = mopt_group_run(ctx, 4, 600, attend, l);
        kit_fail_allocation(-1, 0);
        free(l);
        if (rc == MOPT_OK)
            break;
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        failures++;
    }
    ck_assert_int_gt(failures, 20);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("mesh");
    TCase *t = tcase_create("mesh");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, stages_and_copies_change_no_bit, 0, 3 * STAGES);
    tcase_add_loop_test(t, pieces_of_layers_come_close, 0, 2 * MESHES);
    tcase_add_loop_test(t, a_plan_of_whole_models_is_a_group, 0, WHOLES);
    tcase_add_loop_test(t, parts_of_a_plan_are_used, 0, 2);
    tcase_add_test(t, weights_that_are_there_are_cut);
    tcase_add_loop_test(t, frozen_tensors_stay, 0, 8);
    tcase_add_loop_test(t, first_weights_are_pieces_of_the_whole, 0, 5);
    tcase_add_loop_test(t, a_training_goes_on_with_another_mesh, 0,
                        HALVES * HALVES);
    tcase_add_loop_test(t, a_token_leaves_a_checkpoint_of_all, 0, EXACT);
    tcase_add_loop_test(t, an_exported_model_is_the_gathered_one, 0, HALVES);
    tcase_add_loop_test(t, a_file_that_cannot_be_is_an_error_of_all, 0, 4);
    tcase_add_loop_test(t, a_rank_that_leaves_ends_all, 0, 3);
    tcase_add_loop_test(t, a_callback_of_one_rank_ends_all, 0, 3);
    tcase_add_loop_test(t, a_token_of_one_rank_ends_all, 0, 3);
    tcase_add_loop_test(t, ranks_that_differ_are_told_so, 0, 3);
    tcase_add_test(t, a_file_that_could_not_be_hides_no_later_failure);
    tcase_add_loop_test(t, weights_that_differ_are_told, 0, 3);
    tcase_add_loop_test(t, a_rank_that_is_refused_alone_keeps_nobody_waiting,
                        0, REFUSALS);
    tcase_add_loop_test(t, what_does_not_go_together_is_said, 0,
                        (int)(sizeof misfits / sizeof *misfits));
    tcase_add_test(t, meshes_without_memory);
    suite_add_tcase(s, t);
    return s;
}
