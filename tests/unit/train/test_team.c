/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_team.c: ranks that train one model together: the same
 * bits for any number of them, and one end for all. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "group/group.h"
#include "learn/nn/model.h"
#include "school.h"

#define EPOCHS 3

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

/* ---- what a rank does ---- */

typedef struct lesson {
    const char *settings;
    const char *resume;   /* a checkpoint, or NULL */
    int32_t halt;         /* the epoch after which all stop, 0: none */
    int32_t failing;      /* the rank whose callback fails, -1: none */
    int32_t odd;          /* the rank that has other data, -1: none */
    mopt_cancel *cancel;  /* of the last rank */
    int32_t cut;          /* the epoch after which it is triggered, 0: none */
    float weights[SCHOOL_WEIGHTS]; /* of rank 0, in the end */
    char history[4096];
    atomic_int different; /* ranks whose weights are not those of rank 0 */
} lesson;

typedef struct pupil {
    const lesson *l;
    int32_t rank;
} pupil;

static int32_t after_epoch(void *user, mopt_trainer *trainer)
{
    const pupil *p = user;
    double epoch = 0;
    mopt_trainer_get(trainer, "epoch", &epoch);
    if (p->l->failing == p->rank && epoch == 2)
        return 77;
    if (p->rank == 0 && epoch == p->l->cut)
        mopt_cancel_request(p->l->cancel);
    return p->l->halt > 0 && epoch >= p->l->halt ? MOPT_STOPPED : MOPT_OK;
}

/* Rank 0 keeps what came out; the others compare. */
static int32_t hand_in(lesson *l, mopt_group *g, const mopt_model *model,
                       const mopt_trainer *trainer)
{
    float own[SCHOOL_WEIGHTS] = {0}, first[SCHOOL_WEIGHTS];
    school_weights(model, own);
    memcpy(first, own, sizeof own);
    int32_t rc = mopt_group_broadcast(g, 0, first, sizeof first, NULL);
    if (rc == MOPT_OK && memcmp(first, own, sizeof own) != 0)
        atomic_fetch_add(&l->different, 1);
    if (rc == MOPT_OK && mopt_group_rank(g) == 0) {
        memcpy(l->weights, own, sizeof own);
        rc = mopt_trainer_history(trainer, l->history, sizeof l->history,
                                  NULL);
    }
    return rc;
}

static int32_t attend(void *user, mopt_group *g)
{
    lesson *l = user;
    pupil p = {l, mopt_group_rank(g)};
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(
        ctx, model, l->odd == p.rank ? others : train, validation,
        l->settings);
    int32_t last = p.rank == mopt_group_size(g) - 1;
    int32_t rc = mopt_trainer_set_group(trainer, g);
    if (rc == MOPT_OK && (l->halt > 0 || l->failing >= 0 || l->cut > 0))
        rc = mopt_trainer_on_epoch(trainer, after_epoch, &p, NULL);
    if (rc == MOPT_OK && l->resume != NULL)
        rc = mopt_trainer_resume(trainer, l->resume);
    if (rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, last ? l->cancel : NULL);
    if (rc >= 0)
        rc = hand_in(l, g, model, trainer);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

static lesson plain(const char *settings)
{
    return (lesson){.settings = settings, .failing = -1, .odd = -1};
}

static void hold(lesson *l, int32_t size)
{
    kit_ok(mopt_group_run(ctx, size, 60, attend, l));
    ck_assert_int_eq(atomic_load(&l->different), 0);
}

static void same(const lesson *a, const lesson *b)
{
    ck_assert_mem_eq(a->weights, b->weights, sizeof a->weights);
    ck_assert_str_eq(a->history, b->history);
}

/* ---- the same bits ---- */

#define SEARCHED \
    "\"optimizer\": {\"type\": \"gd\", \"learning_rate\": 4, " \
    "\"line_search\": true}"
#define CLIPPED \
    "\"optimizer\": {\"type\": \"sgd\", \"momentum\": 0.9}, " \
    "\"clip_norm\": 0.5"
#define BASE "\"epochs\": 3, \"batch_size\": 64, "
static const char *const settings[] = {
    "{" BASE "\"optimizer\": \"adam\", \"parts\": 8}",
    "{" BASE CLIPPED ", \"parts\": 8}",
    "{" BASE "\"optimizer\": \"adamw\", \"parts\": 7, \"max_norm\": 1}",
    "{\"epochs\": 3, \"parts\": 8, " SEARCHED "}",
    "{\"epochs\": 3, \"batch_size\": 3, \"optimizer\": \"adam\"}",
};

START_TEST(any_number_of_ranks_gives_the_same_bits)
{
    lesson one = plain(settings[_i]);
    hold(&one, 1);
    for (int32_t size = 2; size <= 8; size += size < 5 ? 1 : 3) {
        lesson many = plain(settings[_i]);
        hold(&many, size);
        same(&one, &many);
    }
}
END_TEST

/* Without the key: one, two and four ranks. */
START_TEST(parts_of_our_choice_do_for_four_ranks)
{
    lesson one = plain("{" BASE "\"optimizer\": \"adam\"}"), two = one;
    lesson four = one;
    hold(&one, 1);
    hold(&two, 2);
    hold(&four, 4);
    same(&one, &two);
    same(&one, &four);
}
END_TEST

/* Without a group, by the key alone. */
START_TEST(parts_alone_give_the_same_bits)
{
    const char *text = "{" BASE "\"optimizer\": \"adam\", \"parts\": 8}";
    lesson four = plain(text);
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           text);
    float weights[SCHOOL_WEIGHTS] = {0};
    hold(&four, 4);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    school_weights(model, weights);
    ck_assert_mem_eq(weights, four.weights, sizeof weights);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

/* Parts are weighted by what they are of the batch: close to no parts at all,
 * whose gradients are added up in another order. */
START_TEST(parts_add_up_to_the_batch)
{
    lesson two = plain("{" BASE "\"optimizer\": \"sgd\"}");
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           two.settings);
    float weights[SCHOOL_WEIGHTS] = {0};
    hold(&two, 2);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    school_weights(model, weights);
    for (int i = 0; i < SCHOOL_WEIGHTS; i++)
        ck_assert_double_eq_tol((double)weights[i], (double)two.weights[i],
                                1e-5);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

START_TEST(a_checkpoint_goes_on_with_other_ranks)
{
    char text[600];
    snprintf(text, sizeof text, "{" BASE "\"optimizer\": \"adam\", "
             "\"parts\": 8, \"checkpoint\": \"%s\"}",
             kit_path("team.checkpoint"));
    lesson whole = plain(settings[0]), first = plain(text);
    hold(&whole, 3);
    first.halt = 1;
    kit_fails(mopt_group_run(ctx, 4, 60, attend, &first), MOPT_OK);
    lesson rest = plain(text);
    rest.resume = kit_path("team.checkpoint");
    hold(&rest, 2);
    same(&whole, &rest);
}
END_TEST

/* ---- one end for all ---- */

START_TEST(a_callback_of_one_rank_ends_all)
{
    lesson l = plain(settings[0]);
    l.failing = 1;
    kit_fails(mopt_group_run(ctx, 3, 60, attend, &l), MOPT_ECALLBACK);
    kit_says("rank 1");
    kit_says("epoch callback returned 77");
}
END_TEST

START_TEST(a_token_of_one_rank_ends_all)
{
    lesson l = plain(settings[0]);
    kit_ok(mopt_cancel_create(ctx, &l.cancel));
    mopt_cancel_request(l.cancel);
    kit_fails(mopt_group_run(ctx, 3, 60, attend, &l), MOPT_ECANCELED);
    mopt_cancel_free(l.cancel);
}
END_TEST

/* A lesson that is to leave a file where it is cut short. */
static lesson kept(char *text, size_t size, const char *path)
{
    snprintf(text, size, "{" BASE "\"optimizer\": \"adam\", \"parts\": 8, "
             "\"checkpoint\": \"%s\", \"checkpoint_every\": 0}", path);
    return plain(text);
}

START_TEST(a_token_of_one_rank_leaves_a_checkpoint_of_all)
{
    const char *path = kit_path("cut.checkpoint");
    char text[600];
    lesson whole = plain(settings[0]), first, rest;
    hold(&whole, 3);
    first = rest = kept(text, sizeof text, path);
    first.cut = 2;
    kit_ok(mopt_cancel_create(ctx, &first.cancel));
    kit_fails(mopt_group_run(ctx, 3, 600, attend, &first), MOPT_ECANCELED);
    rest.resume = path;
    hold(&rest, 2);
    same(&whole, &rest);
    mopt_cancel_free(first.cancel);
}
END_TEST

/* Some ranks stop, one fails: they do not wait for it to write a file. */
START_TEST(ranks_that_stop_beside_one_that_fails)
{
    const char *path = kit_path("none.checkpoint");
    char text[600];
    lesson l = kept(text, sizeof text, path);
    l.halt = 2;
    l.failing = 1;
    kit_fails(mopt_group_run(ctx, 3, 600, attend, &l), MOPT_ECALLBACK);
    kit_says("epoch callback returned 77");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(ranks_with_other_data_are_told_so)
{
    lesson l = plain(settings[0]);
    l.odd = 2;
    kit_fails(mopt_group_run(ctx, 3, 60, attend, &l), MOPT_EINVAL);
    kit_says("same data: 1 of 3 differ from rank 0, the first is rank 2");
}
END_TEST

/* The first rank's weights, trained alone after the group was refused, or by
 * the group that it joined twice. */
static int32_t insist(void *user, mopt_group *g)
{
    lesson *l = user;
    int32_t rank = mopt_group_rank(g);
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(
        ctx, model, l->odd == rank ? others : train, validation, l->settings);
    int32_t rc = mopt_trainer_set_group(trainer, g);
    int32_t refused = rc == MOPT_EINVAL && l->odd >= 0;

    if (!refused && rc == MOPT_OK)
        rc = mopt_trainer_set_group(trainer, g);
    if (refused || rc == MOPT_OK)
        rc = mopt_trainer_fit(trainer, NULL);
    if (rc == MOPT_OK && rank == 0)
        school_weights(model, l->weights);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

START_TEST(a_refused_group_leaves_no_trace)
{
    lesson l = plain("{" BASE CLIPPED "}");
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    mopt_trainer *trainer = school_trainer(ctx, model, train, validation,
                                           l.settings);
    float weights[SCHOOL_WEIGHTS] = {0};
    l.odd = 1;
    kit_ok(mopt_group_run(ctx, 3, 60, insist, &l));
    kit_ok(mopt_trainer_fit(trainer, NULL));
    school_weights(model, weights);
    ck_assert_mem_eq(weights, l.weights, sizeof weights);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}
END_TEST

/* One rank's trainer has begun: the others hear of it, and go on. */
static int32_t join_begun(void *user, mopt_group *g)
{
    lesson *l = user;
    int32_t odd = mopt_group_rank(g) == l->odd;
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                           l->settings);
    if (odd)
        kit_ok(mopt_trainer_step(trainer, NULL));
    int32_t rc = mopt_trainer_set_group(trainer, g);
    ck_assert_int_eq(rc, odd ? MOPT_ESTATE : MOPT_EPEER);
    rc = mopt_group_barrier(g, NULL);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

START_TEST(a_rank_that_is_refused_alone_keeps_nobody_waiting)
{
    lesson l = plain("{}");
    l.odd = 1;
    kit_ok(mopt_group_run(ctx, 3, 600, join_begun, &l));
}
END_TEST

/* The same weights mean something else in other layers. */
static int32_t join_with_other_layers(void *user, mopt_group *g)
{
    mopt_model *model = NULL;
    (void)user;
    kit_ok(mopt_model_build(ctx, SCHOOL_FEATURES, &model));
    kit_ok(mopt_model_add_dense(model, 8,
                                mopt_group_rank(g) == 2 ? "tanh" : "relu"));
    kit_ok(mopt_model_add_dense(model, SCHOOL_CLASSES, "none"));
    kit_ok(mopt_model_init(model, 5));
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                           "{\"seed\": 5}");
    int32_t rc = mopt_trainer_set_group(trainer, g);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return rc;
}

START_TEST(ranks_with_other_layers_are_told_so)
{
    kit_fails(mopt_group_run(ctx, 3, 600, join_with_other_layers, NULL),
              MOPT_EINVAL);
    kit_says("same layers: 1 of 3 differ from rank 0, the first is rank 2");
}
END_TEST

/* The first rank writes for all; that it cannot is an error of all. */
static int32_t write_nowhere(void *user, mopt_group *g)
{
    int32_t first = mopt_group_rank(g) == 0;
    (void)user;
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL, "{}");
    kit_ok(mopt_trainer_set_group(trainer, g));
    int32_t rc = mopt_trainer_export(trainer, "/nowhere/at/all");
    ck_assert(first ? rc == MOPT_EIO || rc == MOPT_ENOENT : rc == MOPT_EPEER);
    rc = mopt_trainer_save(trainer, "/nowhere/at/all");
    ck_assert(first ? rc == MOPT_EIO || rc == MOPT_ENOENT : rc == MOPT_EPEER);
    kit_ok(mopt_trainer_gather(trainer, first ? model : NULL));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(a_file_that_cannot_be_written_is_an_error_of_all)
{
    kit_ok(mopt_group_run(ctx, 3, 600, write_nowhere, NULL));
}
END_TEST

/* ---- going on together ---- */

/* Ways of training, which differ in what files hold; after so many epochs. */
#define WAY "{\"epochs\": %d, \"batch_size\": 50, "
#define ALONE WAY "\"local_steps\": 2"
static const char *const ways[] = {
    WAY "\"parts\": 3}",
    WAY "\"compression\": \"bf16\"}",
    ALONE "}",
    ALONE ", \"asynchronous\": true}",
};

static mopt_trainer *join_group(mopt_group *g, mopt_model *model,
                                const char *way, int epochs)
{
    char text[200];
    snprintf(text, sizeof text, way, epochs);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL, text);
    kit_ok(mopt_trainer_set_group(trainer, g));
    return trainer;
}

/* A checkpoint of all ranks after so many epochs. */
static void leave_file(mopt_group *g, const char *way, int epochs,
                       const char *path)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = join_group(g, model, way, epochs);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    kit_ok(mopt_trainer_save(trainer, path));
    kit_ok(mopt_group_barrier(g, NULL));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
}

typedef struct errand {
    const char *way;
    char good[400], later[400], bad[400], none[400]; /* files */
} errand;

static errand errand_by(const char *way)
{
    errand e = {.way = way};
    snprintf(e.good, sizeof e.good, "%s", kit_path("good"));
    snprintf(e.later, sizeof e.later, "%s", kit_path("later"));
    snprintf(e.bad, sizeof e.bad, "%s", kit_path("bad"));
    snprintf(e.none, sizeof e.none, "%s", kit_path("none"));
    kit_write(e.bad, "strange", 7);
    return e;
}

/* The last of three ranks has no file, a damaged one, or a later one: nobody
 * goes on, nobody waits, and all may try again. */
static int32_t go_on(void *user, mopt_group *g)
{
    const errand *e = user;
    int32_t odd = mopt_group_rank(g) == 2;
    leave_file(g, e->way, 1, e->good);
    leave_file(g, e->way, 2, e->later);
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = join_group(g, model, e->way, 3);

    kit_fails(mopt_trainer_resume(trainer, odd ? e->none : e->good),
              odd ? MOPT_ENOENT : MOPT_EPEER);
    kit_says(odd ? e->none : e->good);
    kit_says(odd ? "" : "rank 2 gave up with MOPT_ENOENT");
    kit_fails(mopt_trainer_resume(trainer, odd ? e->bad : e->good),
              odd ? MOPT_EFORMAT : MOPT_EPEER);
    kit_says(odd ? e->bad : "rank 2 gave up with MOPT_EFORMAT");
    kit_fails(mopt_trainer_resume(trainer, odd ? e->later : e->good),
              MOPT_EINVAL);
    kit_says("same checkpoint: 1 of 3 differ from rank 0, the first is rank 2");
    kit_says(odd ? e->later : e->good);
    kit_ok(mopt_trainer_resume(trainer, e->good));
    ck_assert(school_get(trainer, "epoch") == 1);
    kit_ok(mopt_trainer_fit(trainer, NULL));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

START_TEST(ranks_go_on_from_one_checkpoint_or_not_at_all)
{
    errand e = errand_by(ways[_i]);
    kit_ok(mopt_group_run(ctx, 3, 600, go_on, &e));
}
END_TEST

START_TEST(a_group_may_be_set_again)
{
    lesson once = plain(settings[0]), twice = once;
    hold(&once, 3);
    kit_ok(mopt_group_run(ctx, 3, 60, insist, &twice));
    ck_assert_mem_eq(once.weights, twice.weights, sizeof once.weights);
}
END_TEST

/* Each allocation of joining fails in turn: an error, no hang. */
START_TEST(joining_without_memory)
{
    mopt_group *ends[1];
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    int failures = 0;
    for (int64_t at = 0;; at++) {
        mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                               settings[0]);
        kit_ok(mopt_group_create(ctx, 1, 1, ends));
        kit_fail_allocation(at, 0);
        int32_t rc = mopt_trainer_set_group(trainer, ends[0]);
        kit_fail_allocation(-1, 0);
        mopt_trainer_free(trainer);
        mopt_group_free(ends[0]);
        if (rc == MOPT_OK)
            break;
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        failures++;
    }
    ck_assert_int_gt(failures, 5);
    mopt_model_free(model);
}
END_TEST

/* The same with two ranks, of which one fails: neither leaves before both know
 * of it, so that nobody hears of an end that is only the other one's. */
typedef struct hunger {
    const char *settings;
    const char *resume; /* a file: it fails in going on, and not in joining */
    int32_t sees;       /* ranks see each other's memory */
    int64_t at;         /* the allocation that fails */
    atomic_int ended, failed;
} hunger;

static int32_t join_hungry(void *user, mopt_group *g)
{
    hunger *h = user;
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                           h->settings);
    g->sees = h->sees;
    if (h->resume != NULL)
        kit_ok(mopt_trainer_set_group(trainer, g));
    kit_ok(mopt_group_barrier(g, NULL));
    if (mopt_group_rank(g) == 0)
        kit_fail_allocation(h->at, 0);
    mopt_group_barrier(g, NULL); /* who is through may have failed already */
    int32_t rc = h->resume != NULL ? mopt_trainer_resume(trainer, h->resume)
                                   : mopt_trainer_set_group(trainer, g);
    if (rc != MOPT_OK)
        atomic_fetch_add(&h->failed, 1);
    atomic_fetch_add(&h->ended, 1);
    while (atomic_load(&h->ended) < 2)
        usleep(100);
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    return MOPT_OK;
}

static const char *const hungry[] = {
    "{\"parts\": 4, \"overlap\": \"always\"}",
    "{\"parts\": 4, \"compression\": \"bf16\"}",
    "{\"local_steps\": 2}",
    "{\"local_steps\": 2, \"asynchronous\": true}",
    "{\"parts\": 4}",
};

static void starve(hunger *h)
{
    int failures = 0;
    for (h->at = 0;; h->at++) {
        atomic_store(&h->ended, 0);
        atomic_store(&h->failed, 0);
        int32_t rc = mopt_group_run(ctx, 2, 600, join_hungry, h);
        kit_fail_allocation(-1, 0);
        ck_assert_int_eq(rc, MOPT_OK);
        if (atomic_load(&h->failed) == 0)
            break;
        if (h->resume != NULL) /* nobody goes on alone */
            ck_assert_int_eq(atomic_load(&h->failed), 2);
        failures++;
    }
    ck_assert_int_gt(failures, 10);
}

START_TEST(two_ranks_joining_without_memory)
{
    starve(&(hunger){.settings = hungry[_i], .sees = 1});
}
END_TEST

START_TEST(two_ranks_going_on_without_memory)
{
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    const char *path = kit_path("fed");
    hunger h = {.settings = "{\"parts\": 4}", .resume = path};
    mopt_trainer *trainer = school_trainer(ctx, model, train, NULL,
                                           h.settings);
    kit_ok(mopt_trainer_save(trainer, path));
    mopt_trainer_free(trainer);
    mopt_model_free(model);
    starve(&h);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("team");
    TCase *t = tcase_create("team");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, any_number_of_ranks_gives_the_same_bits, 0,
                        (int)(sizeof settings / sizeof *settings));
    tcase_add_test(t, parts_of_our_choice_do_for_four_ranks);
    tcase_add_test(t, parts_alone_give_the_same_bits);
    tcase_add_test(t, parts_add_up_to_the_batch);
    tcase_add_test(t, a_checkpoint_goes_on_with_other_ranks);
    tcase_add_test(t, a_callback_of_one_rank_ends_all);
    tcase_add_test(t, a_token_of_one_rank_ends_all);
    tcase_add_test(t, a_token_of_one_rank_leaves_a_checkpoint_of_all);
    tcase_add_test(t, ranks_that_stop_beside_one_that_fails);
    tcase_add_test(t, ranks_with_other_data_are_told_so);
    tcase_add_test(t, a_refused_group_leaves_no_trace);
    tcase_add_test(t, a_rank_that_is_refused_alone_keeps_nobody_waiting);
    tcase_add_test(t, ranks_with_other_layers_are_told_so);
    tcase_add_test(t, a_file_that_cannot_be_written_is_an_error_of_all);
    tcase_add_loop_test(t, ranks_go_on_from_one_checkpoint_or_not_at_all, 0,
                        (int)(sizeof ways / sizeof *ways));
    tcase_add_test(t, a_group_may_be_set_again);
    tcase_add_test(t, joining_without_memory);
    tcase_add_loop_test(t, two_ranks_joining_without_memory, 0,
                        (int)(sizeof hungry / sizeof *hungry));
    tcase_add_test(t, two_ranks_going_on_without_memory);
    suite_add_tcase(s, t);
    return s;
}
