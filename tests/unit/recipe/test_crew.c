/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_crew.c: recipes that the ranks of a group run: trials
 * of their own on one study, or trials together. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "recipe/run.h"
#include "run_kit.h"
#include "search/store/database.h"

#define RANKS_MAX 8

/* What each rank runs, and what came out. */
typedef struct crew {
    const char *storage, *set[4][2];
    char path[400];        /* of storage; threads may not ask the kit */
    int32_t odd;           /* the rank that is told something else, or -1 */
    const char *odd_path, *odd_value;
    int32_t status[RANKS_MAX];
    char message[RANKS_MAX][300];
    json_t *result[RANKS_MAX];
    atomic_int epochs;     /* events of all ranks */
    int64_t heard[RANKS_MAX]; /* trials whose end was told */
    int32_t waits;         /* rank 0, until others have done the rest */
    atomic_int others;     /* trials that ended on other ranks */
    int32_t kills;         /* in the middle of trial 2 */
    int32_t fails;         /* rank 2, at its first epoch, and then stays */
    atomic_int failed;     /* it did: the others leave it a trial till then */
    atomic_int over;       /* ranks whose run has ended */
    mopt_model *model;     /* rank 0's */
} crew;

static mopt_recipe *make(const crew *c, int32_t rank)
{
    mopt_recipe *recipe = parse(SEARCHED);
    kit_ok(mopt_recipe_set(recipe, "train.parts", "4"));
    if (c->storage != NULL)
        set_text(recipe, "search.storage", c->path);
    for (int i = 0; i < 4 && c->set[i][0] != NULL; i++)
        kit_ok(mopt_recipe_set(recipe, c->set[i][0], c->set[i][1]));
    if (rank == c->odd)
        kit_ok(mopt_recipe_set(recipe, c->odd_path, c->odd_value));
    return recipe;
}

/* The events of one rank. */
typedef struct listener {
    crew *of;
    int32_t rank;
    int32_t trials[64]; /* how often each was told */
} listener;

static int32_t listen(void *user, int32_t event, const char *text)
{
    listener *l = user;
    json_t *json = json_loads(text, 0, NULL);
    if (event == MOPT_EVENT_EPOCH)
        atomic_fetch_add(&l->of->epochs, 1);
    if (event == MOPT_EVENT_TRIAL)
        l->trials[json_integer_value(at(json, "number", NULL))]++;
    if (event == MOPT_EVENT_TRIAL && l->rank > 0)
        atomic_fetch_add(&l->of->others, 1);
    while (event == MOPT_EVENT_EPOCH && l->rank == 0 && l->of->waits &&
           atomic_load(&l->of->others) < 7)
        usleep(1000);
    while (event == MOPT_EVENT_EPOCH && l->of->fails && l->rank != 2 &&
           !atomic_load(&l->of->failed))
        usleep(1000);
    if (l->of->fails && l->rank == 2 && event == MOPT_EVENT_EPOCH) {
        atomic_store(&l->of->failed, 1);
        json_decref(json);
        return 99;
    }
    if (l->of->kills && event == MOPT_EVENT_EPOCH &&
        json_integer_value(at(json, "trial", NULL)) == 2 &&
        json_integer_value(at(json, "epoch", NULL)) == 3)
        kill(getpid(), SIGKILL);
    json_decref(json);
    return 0;
}

static int32_t work(void *user, mopt_group *group)
{
    crew *c = user;
    int32_t rank = mopt_group_rank(group);
    mopt_recipe *recipe = make(c, rank);
    mopt_result *result = NULL;
    listener told = {.of = c, .rank = rank};
    char text[1 << 16];
    kit_ok(mopt_recipe_set_group(recipe, group));
    c->status[rank] = mopt_recipe_run(recipe, listen, &told, NULL, &result);
    mopt_last_error(c->message[rank], sizeof c->message[rank], NULL);
    atomic_fetch_add(&c->over, 1);
    while (c->fails && atomic_load(&c->over) < mopt_group_size(group))
        usleep(1000);
    if (result != NULL) {
        kit_ok(mopt_result_to_json(result, text, sizeof text, NULL));
        c->result[rank] = json_loads(text, 0, NULL);
    }
    for (int i = 0; i < 64; i++) {
        c->heard[rank] += told.trials[i];
        ck_assert_int_le(told.trials[i], 1);
    }
    if (rank == 0 && result != NULL)
        kit_ok(mopt_result_model(result, &c->model));
    mopt_result_free(result);
    mopt_recipe_free(recipe);
    return MOPT_OK;
}

/* Before a child is made: it has another folder. */
static void place_crew(crew *c)
{
    if (c->storage != NULL && c->path[0] == '\0')
        snprintf(c->path, sizeof c->path, "%s", kit_path(c->storage));
}

static void run_crew(crew *c, int32_t ranks)
{
    place_crew(c);
    kit_ok(mopt_group_run(ctx, ranks, 30, work, c));
}

static void end_crew(crew *c)
{
    for (int i = 0; i < RANKS_MAX; i++)
        json_decref(c->result[i]);
    mopt_model_free(c->model);
}

/* All ranks came to what one process alone comes to. */
static void same_as_alone(crew *c, int32_t ranks)
{
    const crew alone = {.odd = -1};
    mopt_recipe *recipe = make(&alone, 0);
    mopt_result *result = run(recipe);
    json_t *json = told(result);
    mopt_model *model = NULL;
    kit_ok(mopt_result_model(result, &model));
    for (int i = 0; i < ranks; i++) {
        ck_assert_msg(c->status[i] == MOPT_OK, "rank %d: %s", i,
                      c->message[i]);
        ck_assert(json_equal(at(json, "best", NULL),
                             at(c->result[i], "best", NULL)));
        ck_assert(json_equal(at(json, "trials", NULL),
                             at(c->result[i], "trials", NULL)));
    }
    ck_assert(json_equal(at(json, "test", NULL),
                         at(c->result[0], "test", NULL)));
    same_weights(model, c->model);
    json_decref(json);
    mopt_model_free(model);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}

/* --- What comes out ------------------------------------------------------ */

START_TEST(ranks_take_trials_of_their_own)
{
    crew c = {.storage = "own.db", .odd = -1};
    run_crew(&c, 3);
    same_as_alone(&c, 3);
    ck_assert_int_eq(c.heard[0], 8);
    ck_assert_int_le(c.heard[1] + c.heard[2], 8);
    end_crew(&c);
}
END_TEST

/* Trials of others that are given back late. */
typedef struct hoard {
    mopt_trial *trials[4];
    int64_t ended;
} hoard;

/* The first trial ends, and after a while the hoard is there to be had; each
 * of it takes a while, too. */
static int32_t give_back_late(void *user, int32_t event, const char *text)
{
    hoard *h = user;
    (void)text;
    if (event != MOPT_EVENT_TRIAL)
        return 0;
    usleep(h->ended++ == 0 ? 600000 : 300000);
    for (int i = 0; i < 4; i++) {
        mopt_trial_free(h->trials[i]);
        h->trials[i] = NULL;
    }
    return 0;
}

static int32_t search_late(void *user, mopt_group *group)
{
    mopt_recipe *recipe = make(user, 0);
    mopt_space *space = NULL;
    mopt_config *config = NULL;
    mopt_study *study = NULL;
    mopt_result *result = NULL;
    hoard h = {.ended = 0};
    kit_ok(mopt_recipe_space(recipe, &space));
    kit_ok(mopt_config_create(ctx, "study", &config));
    kit_ok(mopt_config_set_text(config, "storage", ((crew *)user)->path));
    kit_ok(mopt_study_create(ctx, space, config, &study));
    for (int i = 0; i < 4; i++)
        kit_ok(mopt_study_ask(study, &h.trials[i]));
    kit_ok(mopt_recipe_set_group(recipe, group));
    kit_ok(mopt_recipe_run(recipe, give_back_late, &h, NULL, &result));
    /* From 0.6 seconds on two can begin within the first one. */
    ck_assert_int_ge(h.ended, 2);
    ck_assert_int_le(h.ended, 3);
    mopt_result_free(result);
    mopt_study_free(study);
    mopt_config_free(config);
    mopt_space_free(space);
    mopt_recipe_free(recipe);
    return MOPT_OK;
}

START_TEST(a_search_that_asks_again_has_one_timeout)
{
    crew c = {.storage = "late.db", .odd = -1,
              .set = {{"search.resume", "true"},
                      {"search.trials", "5"},
                      {"search.timeout", "1"}}};
    place_crew(&c);
    kit_ok(mopt_group_run(ctx, 1, 30, search_late, &c));
}
END_TEST

static atomic_int warnings;

static void count_warnings(void *user, int32_t level, const char *component,
                           const char *text)
{
    (void)user;
    (void)component;
    (void)text;
    atomic_fetch_add(&warnings, level <= MOPT_LOG_WARN);
}

/* Rank 0 has trained one of the eight, and not the winner: that comes from
 * another rank. */
START_TEST(the_winners_weights_travel)
{
    crew c = {.storage = "travel.db", .odd = -1, .waits = 1};
    kit_ok(mopt_context_set_log(ctx, count_warnings, NULL, NULL));
    run_crew(&c, 3);
    kit_ok(mopt_context_set_log(ctx, NULL, NULL, NULL));
    ck_assert_int_eq(atomic_load(&warnings), 0);
    same_as_alone(&c, 3);
    ck_assert_int_ge(json_integer_value(
        json_object_get(at(c.result[0], "best", NULL), "number")), 3);
    end_crew(&c);
}
END_TEST

START_TEST(teams_take_trials_of_their_own)
{
    crew c = {.storage = "teams.db", .odd = -1,
              .set = {{"search.ranks_per_trial", "2"}}};
    run_crew(&c, 4);
    same_as_alone(&c, 4);
    end_crew(&c);
}
END_TEST

START_TEST(one_team_may_have_a_study)
{
    crew c = {.storage = "one.db", .odd = -1,
              .set = {{"search.ranks_per_trial", "3"}}};
    run_crew(&c, 3);
    same_as_alone(&c, 3);
    end_crew(&c);
    /* Nothing is left to be done: the winner is trained by all once more. */
    c = (crew){.storage = "one.db", .odd = -1,
               .set = {{"search.ranks_per_trial", "3"},
                       {"search.resume", "true"}}};
    run_crew(&c, 3);
    same_as_alone(&c, 3);
    end_crew(&c);
}
END_TEST

static void run_two(void *user)
{
    run_crew(user, 2);
}

START_TEST(a_killed_teams_trial_goes_on)
{
    crew c = {.storage = "killed.db", .odd = -1, .kills = 1,
              .set = {{"search.ranks_per_trial", "2"},
                      {"search.checkpoint_seconds", "1e-9"}}};
    place_crew(&c);
    run_and_die(run_two, &c);
    c.kills = 0;
    c.set[1][0] = "search.resume";
    c.set[1][1] = "true";
    run_crew(&c, 2);
    ck_assert_int_eq(atomic_load(&c.epochs), 6 * 4 - 3);
    ck_assert_int_eq(c.heard[0], 6); /* and not what ended before */
    same_as_alone(&c, 2);
    end_crew(&c);
}
END_TEST

START_TEST(all_train_together_in_memory)
{
    crew c = {.odd = -1};
    run_crew(&c, 2);
    same_as_alone(&c, 2);
    end_crew(&c);
}
END_TEST

START_TEST(pruned_trials_are_pruned_for_the_team)
{
    crew c = {.storage = "pruned.db", .odd = -1,
              .set = {{"search.ranks_per_trial", "2"},
                      {"search.pruner", "{\"type\": \"threshold\", "
                                        "\"upper\": 0.9}"}}};
    run_crew(&c, 2);
    ck_assert_int_eq(c.status[0], MOPT_OK);
    ck_assert_int_eq(c.status[1], MOPT_OK);
    ck_assert_int_gt(json_integer_value(at(c.result[0], "trials", "pruned")),
                     0);
    ck_assert_int_gt(json_integer_value(at(c.result[1], "trials",
                                           "complete")), 0);
    end_crew(&c);
}
END_TEST

/* Both ranks came to the end; the trials that are complete. */
static int64_t count_complete(const crew *c)
{
    ck_assert_msg(c->status[0] == MOPT_OK, "%s", c->message[0]);
    ck_assert_int_eq(c->status[1], MOPT_OK);
    return json_integer_value(at(c->result[0], "trials", "complete"));
}

START_TEST(trials_of_several_ranks_start_from_each_other)
{
    crew c = {.storage = "warm.db", .odd = -1,
              .set = {{"search.warm_start", "{\"round\": 3}"}}};
    run_crew(&c, 2);
    ck_assert_int_eq(count_complete(&c), 8);
    end_crew(&c);
}
END_TEST

/* --- Who does not come to the end ---------------------------------------- */

/* One that waits for nobody: it tells that it works on trial 0, and waits. */
static int32_t hold(void *user, int32_t event, const char *text)
{
    const int *end = user;
    (void)text;
    if (event == MOPT_EVENT_EPOCH && write(*end, "a", 1) == 1)
        while (1)
            pause();
    return 0;
}

static pid_t run_and_hold(const crew *c)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        mopt_recipe *recipe = make(c, 0);
        mopt_result *none = NULL;
        mopt_recipe_run(recipe, hold, &ends[1], NULL, &none);
        _exit(1);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return child;
}

static void *kill_later(void *argument)
{
    const pid_t *child = argument;
    usleep(1500000);
    kill(*child, SIGKILL);
    waitpid(*child, NULL, 0);
    return NULL;
}

/* No trial begins after the timeout, so that nobody asks for that of one who
 * dies then; nor waits for it. */
START_TEST(those_who_die_late_are_not_waited_for)
{
    crew c = {.storage = "late.db", .odd = -1,
              .set = {{"search.resume", "true"}}};
    pthread_t killer;
    place_crew(&c);
    pid_t child = run_and_hold(&c);
    c.set[1][0] = "search.timeout";
    c.set[1][1] = "0.5";
    ck_assert_int_eq(pthread_create(&killer, NULL, kill_later, &child), 0);
    run_crew(&c, 2);
    pthread_join(killer, NULL);
    ck_assert_int_ge(count_complete(&c), 1);
    end_crew(&c);
}
END_TEST

/* Rank 2's search fails, and its process stays: the others do not wait for it
 * to take part in what they do afterwards. */
START_TEST(one_that_fails_is_not_waited_for)
{
    crew c = {.storage = "fails.db", .odd = -1, .fails = 1};
    kit_ok(mopt_context_set_log(ctx, count_warnings, NULL, NULL));
    run_crew(&c, 3);
    kit_ok(mopt_context_set_log(ctx, NULL, NULL, NULL));
    ck_assert_int_eq(atomic_load(&warnings), 0);
    ck_assert_int_eq(c.status[2], MOPT_ECALLBACK);
    ck_assert_msg(strstr(c.message[2], "on_event") != NULL, "%s",
                  c.message[2]);
    c.status[2] = MOPT_OK;
    c.result[2] = json_incref(c.result[0]);
    same_as_alone(&c, 3);
    end_crew(&c);
}
END_TEST

/* A lead that has lost a rank of its team says so to the other leads. */
static int32_t meet(void *user, mopt_group *group)
{
    moi_job job = {.ctx = ctx, .crew = {.all = group, .leads = group}};
    int32_t lost = mopt_group_rank(group) == 1;
    int32_t *rc = user;
    if (lost)
        snprintf(job.crew.lost, sizeof job.crew.lost, "rank 3 is gone");
    rc[lost] = moi_crew_meet(&job, lost ? MOPT_EPEER : MOPT_OK);
    return job.crew.apart ? MOPT_OK : MOPT_EINTERNAL;
}

START_TEST(who_lost_a_rank_comes_to_the_meeting)
{
    int32_t rc[2] = {-1, -1};
    kit_ok(mopt_context_set_log(ctx, count_warnings, NULL, NULL));
    kit_ok(mopt_group_run(ctx, 2, 5, meet, rc));
    kit_ok(mopt_context_set_log(ctx, NULL, NULL, NULL));
    ck_assert_int_eq(atomic_load(&warnings), 0);
    ck_assert_int_eq(rc[0], MOPT_OK);
    ck_assert_int_eq(rc[1], MOPT_EPEER);
}
END_TEST

/* The lead could not tell what came out. */
static int32_t end_or_follow(void *user, mopt_group *group)
{
    moi_job job = {.ctx = ctx, .crew = {.all = group}};
    mopt_result *result = NULL;
    int32_t rank = mopt_group_rank(group), rc = MOPT_OK;
    kit_ok(mopt_group_split(group, 0, rank, &job.crew.team));
    kit_ok(mopt_group_split(group, rank, rank, &job.crew.leads));
    if (rank == 1) {
        mopt_group_free(job.crew.leads);
        job.crew.leads = NULL;
        *(int32_t *)user = rc = moi_crew_follow(&job, &result);
        ck_assert_ptr_null(result);
    }
    moi_crew_end(&job, rc, NULL);
    return MOPT_OK;
}

START_TEST(an_end_without_a_result_is_an_error)
{
    int32_t rc = MOPT_OK;
    kit_ok(mopt_group_run(ctx, 2, 5, end_or_follow, &rc));
    ck_assert_int_eq(rc, MOPT_EPEER);
}
END_TEST

/* --- News ---------------------------------------------------------------- */

static mopt_database counted;
static int64_t reads;

static int32_t open_counted(void *user, const char *place, int32_t create,
                            const mopt_database_host *host,
                            mopt_connection **db)
{
    return moi_database_sqlite.open(user, place + strlen("counted://"), create,
                                    host, db);
}

static int32_t begin_counted(mopt_connection *db, int32_t kind,
                             int32_t lasting)
{
    reads++;
    return moi_database_sqlite.begin(db, kind, lasting);
}

static int32_t hear(void *user, int32_t event, const char *text)
{
    (void)event;
    (void)text;
    (*(int32_t *)user)++;
    return 0;
}

/* Running trials cost whoever looks for those that have ended nothing. */
START_TEST(only_trials_that_ended_are_read)
{
    mopt_group *ends[2] = {NULL, NULL};
    mopt_config *config = NULL;
    mopt_space *space = NULL;
    mopt_trial *asked[9] = {NULL};
    int32_t heard = 0;
    double value = 1;
    char place[500];
    counted = moi_database_sqlite;
    counted.name = "counted";
    counted.flags = 0;
    counted.open = open_counted;
    counted.begin = begin_counted;
    counted.version = NULL; /* as a server, which is asked each time */
    kit_ok(mopt_database_register(ctx, &counted, NULL));
    kit_ok(mopt_group_create(ctx, 2, 5, ends));
    kit_ok(mopt_space_create(ctx, &space));
    kit_ok(mopt_space_add_float(space, "x", 0, 1, 0));
    kit_ok(mopt_config_create(ctx, "study", &config));
    snprintf(place, sizeof place, "counted://%s", kit_path("news.db"));
    kit_ok(mopt_config_set_text(config, "storage", place));
    moi_job job = {.ctx = ctx, .lock = PTHREAD_MUTEX_INITIALIZER,
                   .on_event = hear, .user = &heard,
                   .crew = {.all = ends[0], .leads = ends[0]}};
    kit_ok(mopt_study_create(ctx, space, config, &job.study));
    for (int i = 0; i < 9; i++)
        kit_ok(mopt_study_ask(job.study, &asked[i]));
    kit_ok(mopt_study_tell(job.study, asked[4], MOPT_TRIAL_COMPLETE, &value,
                           NULL));
    reads = 0;
    ck_assert(moi_crew_tell_news(&job));
    ck_assert_int_eq(heard, 1);
    ck_assert_int_le(reads, 3); /* the states, the trial */
    ck_assert(moi_crew_tell_news(&job));
    ck_assert_int_eq(heard, 1);
    for (int i = 0; i < 9; i++)
        mopt_trial_free(asked[i]);
    mopt_study_free(job.study);
    moi_free(ctx, job.crew.told);
    mopt_group_free(ends[0]);
    mopt_group_free(ends[1]);
    mopt_space_free(space);
    mopt_config_free(config);
}
END_TEST

/* --- What is refused ----------------------------------------------------- */

static const struct {
    const char *storage, *set[2][2], *says;
    int32_t status;
} refused[] = {
    {"a.db", {{"search.ranks_per_trial", "3"}}, "teams of 3", MOPT_EINVAL},
    {NULL, {{"search.ranks_per_trial", "1"}}, "search.storage", MOPT_EINVAL},
    {"f.db", {{"search.ranks_per_trial", "8"}}, "at least 8 ranks",
     MOPT_EINVAL},
    {NULL, {{"search.ranks_per_trial", "8"}}, "at least 8 ranks",
     MOPT_EINVAL},
    {NULL, {{"search.workers", "2"}}, "search.workers", MOPT_EINVAL},
    {NULL, {{"search.timeout", "9"}}, "search.timeout", MOPT_EINVAL},
    {"b.db", {{"search.ranks_per_trial", "2"}, {"search.workers", "2"}},
     "search.workers", MOPT_EINVAL},
    {"c.db", {{"search.ranks_per_trial", "2"}, {"search.warm_start", "{}"}},
     "search.warm_start", MOPT_EUNSUPPORTED},
};

START_TEST(what_cannot_be_is_refused)
{
    crew c = {.storage = refused[_i].storage, .odd = -1};
    memcpy(c.set, refused[_i].set, sizeof refused[_i].set);
    run_crew(&c, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(c.status[i], refused[_i].status);
        ck_assert_msg(strstr(c.message[i], refused[_i].says) != NULL, "%s",
                      c.message[i]);
        ck_assert_ptr_null(c.result[i]);
    }
    end_crew(&c);
}
END_TEST

START_TEST(one_process_is_too_few_for_a_team)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_set(recipe, "search.ranks_per_trial", "2"));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_EINVAL);
    kit_says("search.ranks_per_trial: is 2, and there is one rank");
    kit_ok(mopt_recipe_set(recipe, "search.ranks_per_trial", "1"));
    mopt_result_free(run(recipe));
    mopt_recipe_free(recipe);
}
END_TEST

/* A training, which leaves nothing open. */
#define TRAINED \
    "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", " \
    "\"units\": 8}, {\"type\": \"dense\"}]}, \"train\": {\"epochs\": 2}}"

typedef struct trained {
    const char *set[2];
    int32_t status[RANKS_MAX];
    char message[RANKS_MAX][300];
} trained;

static int32_t train(void *user, mopt_group *group)
{
    trained *t = user;
    int32_t rank = mopt_group_rank(group);
    mopt_recipe *recipe = parse(TRAINED);
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_set(recipe, t->set[0], t->set[1]));
    kit_ok(mopt_recipe_set_group(recipe, group));
    t->status[rank] = mopt_recipe_run(recipe, NULL, NULL, NULL, &result);
    mopt_last_error(t->message[rank], sizeof t->message[rank], NULL);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
    return MOPT_OK;
}

/* It is no trial that fails. */
START_TEST(a_plan_that_cannot_be_ends_a_training_at_once)
{
    trained t = {.set = {"parallel", "{\"tensor\": 2, \"pipeline\": 2}"}};
    kit_ok(mopt_group_run(ctx, 3, 30, train, &t));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(t.status[i], MOPT_EINVAL);
        ck_assert_msg(strncmp(t.message[i], "parallel.", 9) == 0, "%s",
                      t.message[i]);
    }
}
END_TEST

/* Where there is one trial all train it, whatever a search would do. */
START_TEST(one_trial_is_trained_by_all)
{
    trained t = {.set = {"search.ranks_per_trial", "4"}};
    kit_ok(mopt_group_run(ctx, 3, 30, train, &t));
    for (int i = 0; i < 3; i++)
        ck_assert_msg(t.status[i] == MOPT_OK, "%s", t.message[i]);
}
END_TEST

START_TEST(ranks_that_differ_are_told)
{
    crew c = {.storage = "differ.db", .odd = 1,
              .odd_path = "train.epochs", .odd_value = "5"};
    run_crew(&c, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(c.status[i], MOPT_EINVAL);
        ck_assert_ptr_nonnull(strstr(c.message[i], "the same recipe"));
    }
    end_crew(&c);
}
END_TEST

/* What a host has may differ: here, where it looks for its data. */
START_TEST(a_rank_that_cannot_begin_ends_all)
{
    kit_write(kit_path("x.csv"), "1,2,0\n3,4,1\n1,1,0\n2,5,1\n", 24);
    crew c = {.storage = "begin.db", .odd = 2, .odd_path = "data.base",
              .odd_value = "\"/nowhere\"",
              .set = {{"data", "{\"source\": {\"type\": \"csv\", \"path\": "
                               "\"x.csv\"}, \"split\": {\"validation\": "
                               "0.5}}"}}};
    char base[500];
    snprintf(base, sizeof base, "\"%s\"", kit_path(""));
    c.set[1][0] = "data.base";
    c.set[1][1] = base;
    run_crew(&c, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(c.status[i], MOPT_ENOENT);
    ck_assert_msg(strstr(c.message[0], "rank 2 could not begin") != NULL,
                  "%s", c.message[0]);
    ck_assert_msg(strstr(c.message[2], "nowhere") != NULL, "%s",
                  c.message[2]);
    end_crew(&c);
}
END_TEST

typedef struct hunger {
    crew *of;
    int64_t at; /* the allocation that fails, of any rank; -1: none */
    atomic_int ended, failed; /* ranks whose run has */
} hunger;

/* Nobody leaves before all runs have ended: a rank that waits for another would
 * do so for long. */
static int32_t run_hungry(void *user, mopt_group *group)
{
    hunger *h = user;
    mopt_recipe *recipe = make(h->of, mopt_group_rank(group));
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_set_group(recipe, group));
    kit_ok(mopt_group_barrier(group, NULL));
    if (mopt_group_rank(group) == 0)
        kit_fail_allocation(h->at, 0);
    mopt_group_barrier(group, NULL); /* who is through may have failed */
    if (mopt_recipe_run(recipe, NULL, NULL, NULL, &result) != MOPT_OK)
        atomic_fetch_add(&h->failed, 1);
    atomic_fetch_add(&h->ended, 1);
    while (atomic_load(&h->ended) < mopt_group_size(group))
        usleep(1000);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
    return MOPT_OK;
}

/* How many of two ranks failed. */
static int32_t count_failed(int64_t at, const char *storage)
{
    crew c = {.storage = storage, .odd = -1,
              .set = {{"search.trials", "2"}, {"train.epochs", "2"},
                      {"search.ranks_per_trial", "2"}}};
    hunger h = {.of = &c, .at = at};
    place_crew(&c);
    kit_ok(mopt_group_run(ctx, 2, 600, run_hungry, &h));
    kit_fail_allocation(-1, 0);
    if (storage != NULL)
        unlink(c.path);
    return atomic_load(&h.failed);
}

/* Ranks that train each trial together, each with a study of its own; and a
 * team. */
static const char *const hungry[] = {NULL, "hungry.db"};
static const int64_t strides[] = {37, 211};

START_TEST(no_rank_waits_for_one_without_memory)
{
    int64_t before = kit_allocations(), failures = 0;
    ck_assert_int_eq(count_failed(-1, hungry[_i]), 0);
    int64_t all = kit_allocations() - before;
    for (int64_t at = 0; at < all; at += strides[_i])
        failures += count_failed(at, hungry[_i]) > 0;
    ck_assert_int_gt(failures, 3);
}
END_TEST

START_TEST(a_study_that_cannot_be_opened_ends_all)
{
    crew c = {.storage = "once.db", .odd = -1};
    run_crew(&c, 2);
    end_crew(&c);
    c = (crew){.storage = "once.db", .odd = -1};
    run_crew(&c, 2);
    ck_assert_int_eq(c.status[0], MOPT_EEXIST);
    ck_assert_int_eq(c.status[1], MOPT_EEXIST);
    end_crew(&c);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("crew");
    TCase *tc = tcase_create("crew");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, ranks_take_trials_of_their_own);
    tcase_add_test(tc, a_search_that_asks_again_has_one_timeout);
    tcase_add_test(tc, the_winners_weights_travel);
    tcase_add_test(tc, teams_take_trials_of_their_own);
    tcase_add_test(tc, one_team_may_have_a_study);
    tcase_add_test(tc, a_killed_teams_trial_goes_on);
    tcase_add_test(tc, all_train_together_in_memory);
    tcase_add_test(tc, pruned_trials_are_pruned_for_the_team);
    tcase_add_test(tc, trials_of_several_ranks_start_from_each_other);
    tcase_add_test(tc, those_who_die_late_are_not_waited_for);
    tcase_add_test(tc, one_that_fails_is_not_waited_for);
    tcase_add_test(tc, who_lost_a_rank_comes_to_the_meeting);
    tcase_add_test(tc, an_end_without_a_result_is_an_error);
    tcase_add_test(tc, only_trials_that_ended_are_read);
    tcase_add_loop_test(tc, what_cannot_be_is_refused, 0,
                        (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tc, one_process_is_too_few_for_a_team);
    tcase_add_test(tc, a_plan_that_cannot_be_ends_a_training_at_once);
    tcase_add_test(tc, one_trial_is_trained_by_all);
    tcase_add_test(tc, ranks_that_differ_are_told);
    tcase_add_test(tc, a_rank_that_cannot_begin_ends_all);
    tcase_add_loop_test(tc, no_rank_waits_for_one_without_memory, 0, 2);
    tcase_add_test(tc, a_study_that_cannot_be_opened_ends_all);
    suite_add_tcase(s, tc);
    return s;
}
