/* SPDX-License-Identifier: MIT
 * tests/fault/world.c: see world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mopt_config *the_config(world *w, const char *kind)
{
    static const char *const kinds[] = {"context", "data", "layer.dense",
                                        "study", "group", "train", "distill",
                                        "finetune", "parallel"};
    for (int i = 0; i < 9; i++) {
        if (strcmp(kinds[i], kind) != 0)
            continue;
        mopt_config **config = &w->configs[i];
        if (*config != NULL)
            return *config;
        kit_ok(mopt_config_create(w->ctx, kind, config));
        if (i == 1)
            kit_ok(mopt_config_set_json(
                *config, "{\"source\": {\"type\": \"linear\", \"count\": 40}, "
                         "\"split\": {\"test\": 0.25, \"validation\": 0.25}}"));
        if (i == 2)
            kit_ok(mopt_config_set_json(*config, "{\"units\": 2}"));
        if (i == 3)
            kit_ok(mopt_config_set_json(*config, "{\"trials\": 3}"));
        if (i == 5)
            kit_ok(mopt_config_set_json(
                *config, "{\"epochs\": 1, \"batch_size\": 4}"));
        return *config;
    }
    ck_abort_msg("no kind %s", kind);
    return NULL;
}

mopt_dataset *the_data(world *w)
{
    if (w->data == NULL)
        kit_ok(mopt_dataset_from_memory(
            w->ctx, ROWS, FEATURES, w->x, MOPT_F32, 0, w->labels, MOPT_I32, 1,
            CLASSES, NULL, NULL, &w->data));
    return w->data;
}

mopt_transform *the_transform(world *w)
{
    if (w->transform == NULL)
        kit_ok(mopt_transform_fit(the_data(w), the_config(w, "data"),
                                  &w->transform));
    return w->transform;
}

mopt_model *the_model(world *w)
{
    if (w->model == NULL) {
        kit_ok(mopt_model_create(w->ctx, LAYERS, FEATURES, CLASSES,
                                 &w->model));
        kit_ok(mopt_model_init(w->model, 1));
    }
    return w->model;
}

mopt_model *the_stack(world *w)
{
    if (w->stack == NULL) {
        kit_ok(mopt_model_build(w->ctx, FEATURES, &w->stack));
        kit_ok(mopt_model_add_dense(w->stack, 3, "relu"));
    }
    return w->stack;
}

mopt_space *the_space(world *w)
{
    if (w->space == NULL)
        kit_ok(mopt_space_from_json(w->ctx, SPACE, &w->space));
    return w->space;
}

mopt_study *the_study(world *w)
{
    if (w->study == NULL) {
        kit_ok(mopt_config_set_text(the_config(w, "study"), "checkpoints",
                                    "."));
        kit_ok(mopt_study_create(w->ctx, the_space(w), the_config(w, "study"),
                                 &w->study));
        mopt_trial *first = NULL;
        double value = 1;
        kit_ok(mopt_study_ask(w->study, &first));
        kit_ok(mopt_study_tell(w->study, first, MOPT_TRIAL_COMPLETE, &value,
                               NULL));
        mopt_trial_free(first);
    }
    return w->study;
}

mopt_trial *the_trial(world *w)
{
    if (w->trial == NULL)
        kit_ok(mopt_study_ask(the_study(w), &w->trial));
    return w->trial;
}

mopt_trial *the_told(world *w)
{
    if (w->finished == NULL)
        kit_ok(mopt_study_best(the_study(w), &w->finished));
    return w->finished;
}

mopt_trainer *the_trainer(world *w)
{
    if (w->trainer == NULL)
        kit_ok(mopt_trainer_create(w->ctx, the_model(w), the_data(w), NULL,
                                   the_config(w, "train"), &w->trainer));
    return w->trainer;
}

mopt_model *the_student(world *w)
{
    if (w->student == NULL)
        kit_ok(mopt_model_copy(the_model(w), &w->student));
    return w->student;
}

static void make_distill(world *w, mopt_distill **out)
{
    kit_ok(mopt_distill_create(w->ctx, the_student(w), the_data(w),
                               the_data(w), the_config(w, "distill"),
                               the_config(w, "train"), out));
}

mopt_distill *the_distill(world *w)
{
    if (w->distill == NULL)
        make_distill(w, &w->distill);
    return w->distill;
}

mopt_distill *the_lesson(world *w)
{
    if (w->lesson == NULL) {
        make_distill(w, &w->lesson);
        kit_ok(mopt_distill_add_model(w->lesson, the_model(w), 1));
    }
    return w->lesson;
}

mopt_distill *the_taught(world *w)
{
    kit_ok(mopt_distill_fit(the_lesson(w), NULL));
    return w->lesson;
}

/* Low ranks, so that there is an adapter. */
mopt_finetune *the_finetune(world *w)
{
    if (w->finetune == NULL) {
        mopt_config *config = NULL;
        kit_ok(mopt_config_create(w->ctx, "finetune", &config));
        kit_ok(mopt_config_set_json(
            config, "{\"method\": {\"type\": \"lora\", \"rank\": 1}}"));
        kit_ok(mopt_finetune_create(w->ctx, the_model(w), the_data(w),
                                    the_data(w), config,
                                    the_config(w, "train"), &w->finetune));
        mopt_config_free(config);
    }
    return w->finetune;
}

mopt_finetune *the_tuned(world *w)
{
    kit_ok(mopt_finetune_fit(the_finetune(w), NULL));
    return w->finetune;
}

mopt_adapter *the_adapter(world *w)
{
    if (w->adapter == NULL)
        kit_ok(mopt_finetune_adapter(the_finetune(w), &w->adapter));
    return w->adapter;
}

mopt_adapter *the_merged(world *w)
{
    int32_t rc = mopt_adapter_apply(the_adapter(w), the_model(w));
    ck_assert(rc == MOPT_OK || rc == MOPT_ESTATE); /* merged already */
    return w->adapter;
}

mopt_recipe *the_recipe(world *w)
{
    if (w->recipe == NULL)
        kit_ok(mopt_recipe_parse(w->ctx, RECIPE, NULL, &w->recipe));
    return w->recipe;
}

mopt_result *the_result(world *w)
{
    if (w->result == NULL)
        kit_ok(mopt_recipe_run(the_recipe(w), NULL, NULL, NULL, &w->result));
    return w->result;
}

mopt_result *the_tuned_result(world *w)
{
    mopt_recipe *recipe = NULL;
    char json[1000];
    if (w->result != NULL)
        return w->result;
    snprintf(json, sizeof json,
             "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 40, "
             "\"features\": %d}}, \"train\": {\"epochs\": 1}, \"finetune\": "
             "{\"source\": \"%s\", \"method\": \"lora\"}}",
             FEATURES, the_file(w, FILE_MODEL));
    kit_ok(mopt_recipe_parse(w->ctx, json, NULL, &recipe));
    kit_ok(mopt_recipe_run(recipe, NULL, NULL, NULL, &w->result));
    mopt_recipe_free(recipe);
    return w->result;
}

static void file_study(world *w, const char *path)
{
    mopt_config *config = NULL;
    if (w->filed != NULL)
        return;
    kit_ok(mopt_config_create(w->ctx, "study", &config));
    kit_ok(mopt_config_set_text(config, "storage", path));
    kit_ok(mopt_config_set_bool(config, "resume", 1));
    kit_ok(mopt_study_create(w->ctx, the_space(w), config, &w->filed));
    mopt_config_free(config);
}

const char *the_file(world *w, int which)
{
    static const char *const names[] = {"m.safetensors", "s.db", "c.state",
                                        "r.json", "a.safetensors"};
    const char *path = kit_path(names[which]);
    if (which == FILE_MODEL)
        kit_ok(mopt_model_save(the_model(w), path));
    else if (which == FILE_STUDY)
        file_study(w, path);
    else if (which == FILE_ADAPTER)
        kit_ok(mopt_adapter_save(the_adapter(w), path));
    else if (which == FILE_CHECKPOINT)
        kit_ok(mopt_trainer_save(the_trainer(w), path));
    else
        kit_write(path, RECIPE, strlen(RECIPE));
    return path;
}

int32_t an_objective(void *user, mopt_trial *trial, double *values)
{
    (void)user;
    return mopt_trial_get_float(trial, "b", values);
}

int32_t a_watcher(void *user, mopt_trial *trial)
{
    (void)user;
    (void)trial;
    return MOPT_OK;
}

int32_t a_hook(void *user, mopt_trainer *trainer)
{
    (void)user;
    (void)trainer;
    return MOPT_OK;
}

int32_t a_term(void *user, int64_t rows, int64_t outputs, const int64_t *index,
               const float *output, float *grad, double *loss)
{
    (void)user;
    (void)index;
    grad[rows * outputs - 1] += 0;
    *loss += output[0];
    return MOPT_OK;
}

int32_t a_teacher(void *user, int64_t rows, int64_t features, int64_t outputs,
                  const int64_t *index, const float *x, float *out)
{
    (void)user, (void)features, (void)index, (void)x;
    for (int64_t i = 0; i < rows * outputs; i++)
        out[i] = (float)(i % 3);
    return MOPT_OK;
}

void a_log(void *user, int32_t level, const char *component,
           const char *message)
{
    (void)user;
    (void)level;
    (void)component;
    (void)message;
}

static int32_t a_product(void *user, int32_t trans_a, int32_t trans_b,
                         int64_t m, int64_t n, int64_t k, float alpha,
                         const float *a, int64_t lda, const float *b,
                         int64_t ldb, float beta, float *c, int64_t ldc)
{
    (void)user, (void)trans_a, (void)trans_b, (void)m, (void)n, (void)k;
    (void)alpha, (void)a, (void)lda, (void)b, (void)ldb, (void)beta, (void)c;
    (void)ldc;
    return MOPT_EBACKEND;
}

const mopt_backend a_backend = {
    .struct_size = sizeof(mopt_backend),
    .abi_version = MOPT_BACKEND_ABI,
    .name = "mine",
    .sgemm = a_product,
};

static int32_t no_place(void *user, const char *place, int32_t create,
                        const mopt_database_host *host,
                        mopt_connection **db)
{
    (void)user, (void)place, (void)create, (void)host, (void)db;
    return MOPT_DATABASE_MISSING;
}

/* Of a connection that there never is. */
static void no_end(mopt_connection *db)
{
    (void)db;
}

static int32_t no_commit(mopt_connection *db)
{
    (void)db;
    return MOPT_DATABASE_FAILED;
}

static int64_t no_changes(mopt_connection *db)
{
    (void)db;
    return 0;
}

static int32_t no_begin(mopt_connection *db, int32_t kind, int32_t lasting)
{
    (void)db, (void)kind, (void)lasting;
    return MOPT_DATABASE_FAILED;
}

static int32_t no_run(mopt_connection *db, int32_t key, const char *sql,
                      const mopt_value *params, int32_t count, int32_t quiet)
{
    (void)db, (void)key, (void)sql, (void)params, (void)count, (void)quiet;
    return MOPT_DATABASE_FAILED;
}

static int32_t no_step(mopt_connection *db, const mopt_value **row)
{
    (void)db, (void)row;
    return MOPT_DATABASE_FAILED;
}

static int32_t no_script(mopt_connection *db, const char *sql)
{
    (void)db, (void)sql;
    return MOPT_DATABASE_FAILED;
}

const mopt_database a_database = {
    .struct_size = sizeof(mopt_database),
    .abi_version = MOPT_DATABASE_ABI,
    .name = "mine",
    .tables = "",
    .find_table = "",
    .last_id = "",
    .lock = "",
    .open = no_place,
    .close = no_end,
    .begin = no_begin,
    .commit = no_commit,
    .rollback = no_end,
    .run = no_run,
    .step = no_step,
    .changes = no_changes,
    .drop = no_end,
    .script = no_script,
};

/* Fill what calls write to, so that a failed call is seen to have written. */
static void reset(world *w)
{
    memset(w->made, 0, sizeof w->made);
    for (int i = 0; i < 8; i++) {
        w->doubles[i] = UNTOUCHED;
        w->integers[i] = UNTOUCHED;
        w->codes[i] = UNTOUCHED;
    }
}

void refused(world *w, int32_t status, const char *function, const char *what)
{
    ck_assert_msg(status < 0, "%s(%s) returned %d, not an error", function,
                  what, (int)status);
    ck_assert_msg(mopt_last_code() == status,
                  "%s(%s) returned %s, its message is of %s", function, what,
                  mopt_status_name(status), mopt_status_name(mopt_last_code()));
    for (int i = 0; i < 4; i++)
        ck_assert_msg(w->made[i] == NULL, "%s(%s) failed, and set out",
                      function, what);
    for (int i = 0; i < 8; i++)
        ck_assert_msg(w->doubles[i] == UNTOUCHED &&
                          w->integers[i] == UNTOUCHED &&
                          w->codes[i] == UNTOUCHED,
                      "%s(%s) failed, and wrote a result", function, what);
}

void accepted(world *w, int32_t status, const char *function)
{
    char text[512] = "";
    mopt_last_error(text, sizeof text, NULL);
    ck_assert_msg(status >= 0, "%s with right arguments returned %s: %s",
                  function, mopt_status_name(status), text);
    (void)w;
}

/* ---- a group whose other rank takes all and says zeros ---- */

static int32_t swallow(void *user, int32_t to, int32_t channel,
                       const void *data, int64_t bytes, double timeout,
                       const mopt_cancel *cancel)
{
    (void)user, (void)to, (void)channel, (void)data, (void)bytes;
    (void)timeout, (void)cancel;
    return MOPT_OK;
}

static int32_t say_zeros(void *user, int32_t from, int32_t channel,
                         void *data, int64_t bytes, double timeout,
                         const mopt_cancel *cancel)
{
    (void)user, (void)from, (void)channel, (void)timeout, (void)cancel;
    if (bytes > 0)
        memset(data, 0, (size_t)bytes);
    return MOPT_OK;
}

static int32_t say_both(void *user, int32_t to, const void *out,
                        int64_t out_bytes, int32_t from, void *in,
                        int64_t in_bytes, int32_t channel, double timeout,
                        const mopt_cancel *cancel)
{
    (void)to, (void)out, (void)out_bytes;
    return say_zeros(user, from, channel, in, in_bytes, timeout, cancel);
}

static void forget(void *user, int32_t code)
{
    (void)user, (void)code;
}

const mopt_group_table a_table = {
    .struct_size = sizeof(mopt_group_table),
    .abi_version = MOPT_GROUP_ABI,
    .name = "echo",
    .send = swallow,
    .receive = say_zeros,
    .exchange = say_both,
    .abort = forget,
};

mopt_group *the_group(world *w)
{
    if (w->group == NULL)
        kit_ok(mopt_group_wrap(w->ctx, &a_table, 0, 2, 1, NULL, &w->group));
    return w->group;
}

/* A call that failed has broken the one before. */
mopt_group *a_single(world *w)
{
    mopt_group_free(w->single);
    w->single = NULL;
    kit_ok(mopt_group_create(w->ctx, 1, 1, &w->single));
    return w->single;
}

mopt_parallel *the_parallel(world *w)
{
    if (w->parallel == NULL)
        kit_ok(mopt_parallel_create(w->ctx, the_model(w), NULL, NULL, 1, NULL,
                                    &w->parallel));
    return w->parallel;
}

int32_t a_rank(void *user, mopt_group *group)
{
    (void)user, (void)group;
    return MOPT_OK;
}

world *world_begin(void)
{
    world *w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w->ctx = kit_begin();
    kit_ok(mopt_cancel_create(w->ctx, &w->cancel));
    w->endless = malloc(1000001);
    ck_assert_ptr_nonnull(w->endless);
    memset(w->endless, 'a', 1000000);
    w->endless[1000000] = '\0';
    for (int i = 0; i < ROWS * FEATURES; i++)
        w->x[i] = (float)(i % 7) - 3;
    for (int i = 0; i < ROWS; i++)
        w->labels[i] = i % CLASSES;
    w->rows[1] = 1;
    w->fail_at = -1;
    reset(w);
    return w;
}

void world_end(world *w)
{
    mopt_parallel_free(w->parallel);
    mopt_group_free(w->group);
    mopt_group_free(w->single);
    mopt_result_free(w->result);
    mopt_recipe_free(w->recipe);
    mopt_adapter_free(w->adapter);
    mopt_finetune_free(w->finetune);
    mopt_distill_free(w->lesson);
    mopt_distill_free(w->distill);
    mopt_model_free(w->student);
    mopt_trainer_free(w->trainer);
    mopt_trial_free(w->finished);
    mopt_trial_free(w->trial);
    mopt_study_free(w->filed);
    mopt_study_free(w->study);
    mopt_space_free(w->space);
    mopt_model_free(w->stack);
    mopt_model_free(w->model);
    mopt_transform_free(w->transform);
    mopt_dataset_free(w->data);
    for (int i = 0; i < 9; i++)
        mopt_config_free(w->configs[i]);
    mopt_cancel_free(w->cancel);
    kit_end(w->ctx);
    free(w->endless);
    free(w);
}

void arm(world *w)
{
    w->asked = kit_allocations();
    kit_fail_allocation(w->fail_at, w->fail_forever);
}

void disarm(world *w)
{
    w->asked = kit_allocations() - w->asked;
    kit_fail_allocation(-1, 0);
}
