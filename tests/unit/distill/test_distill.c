/* SPDX-License-Identifier: MIT
 * tests/unit/distill/test_distill.c: the distiller: teachers, caches, what it
 * compares, resume, cancelling. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../train/school.h"
#include "base/context.h"
#include "learn/distill/distiller.h"

#define TRAIN "{\"epochs\": 6, \"batch_size\": 16, \"seed\": 3}"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static mopt_model *teacher, *student;
static mopt_distill *distill;

static void setup(void)
{
    mopt_trainer *t;

    ctx = kit_begin();
    train = school_clouds(ctx, SCHOOL_ROWS, 1, 1);
    validation = school_clouds(ctx, 60, 1, 2);
    teacher = school_model(ctx, SCHOOL_CLASSES, 0.2);
    t = school_trainer(ctx, teacher, train, NULL, "{\"epochs\": 30}");
    kit_ok(mopt_trainer_fit(t, NULL));
    mopt_trainer_free(t);
    student = NULL;
    distill = NULL;
}

static void drop(void)
{
    mopt_distill_free(distill);
    mopt_model_free(student);
    distill = NULL;
    student = NULL;
}

static void teardown(void)
{
    drop();
    mopt_model_free(teacher);
    mopt_dataset_free(train);
    mopt_dataset_free(validation);
    kit_end(ctx);
}

static void begin_on(const mopt_dataset *rows, const char *settings,
                     const char *training)
{
    mopt_config *config = school_config(ctx, "distill", settings);
    mopt_config *how = school_config(ctx, "train", training);

    drop();
    student = school_model(ctx, SCHOOL_CLASSES, 0);
    kit_ok(mopt_distill_create(ctx, student, rows, validation, config, how,
                               &distill));
    mopt_config_free(config);
    mopt_config_free(how);
}

static void begin(const char *settings, const char *training)
{
    begin_on(train, settings, training);
}

/* Settings that do not go with data and student are refused at once. */
static void refused(const mopt_dataset *rows, const mopt_dataset *judges,
                    int64_t outputs, const char *settings, const char *says)
{
    mopt_config *config = school_config(ctx, "distill", settings);

    drop();
    student = school_model(ctx, outputs, 0);
    kit_fails(mopt_distill_create(ctx, student, rows, judges, config, NULL,
                                  &distill), MOPT_EINVAL);
    kit_says(says);
    mopt_config_free(config);
}

/* The student's weights after distilling from the teacher. */
static void distil(const char *settings, const char *training,
                   float weights[SCHOOL_WEIGHTS])
{
    begin(settings, training);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, weights);
}

static const char *report(void)
{
    static char text[1 << 14];

    kit_ok(mopt_distill_evaluate(distill, NULL, NULL, text, sizeof text,
                                 NULL));
    return text;
}

static void same(const float *a, const float *b)
{
    ck_assert_int_eq(memcmp(a, b, 67 * sizeof *a), 0);
}

/* Kept in memory, in a file, read again from it, or asked for each batch: the
 * same bits. */
START_TEST(outputs_may_be_kept_anywhere)
{
    float memory[SCHOOL_WEIGHTS], live[SCHOOL_WEIGHTS], file[SCHOOL_WEIGHTS];
    char text[600];

    distil("{\"method\": \"kd\"}", TRAIN, memory);
    distil("{\"outputs\": \"live\"}", TRAIN, live);
    same(memory, live);
    snprintf(text, sizeof text, "{\"cache\": \"%s\"}", kit_path("cache"));
    distil(text, TRAIN, file);
    same(memory, file);
    distil(text, TRAIN, file);
    same(memory, file);
}
END_TEST

static int64_t warnings;

static void count_warnings(void *user, int32_t level, const char *component,
                           const char *message)
{
    (void)user, (void)message;
    warnings += level == MOPT_LOG_WARN && !strcmp(component, "distill");
}

/* Every byte of a cache counts; a bad one is told and made anew. */
START_TEST(damaged_caches)
{
    float good[SCHOOL_WEIGHTS], again[SCHOOL_WEIGHTS];
    static const long places[] = {0, 9, 40, -1, -100};
    char text[600], *path = strdup(kit_path("cache"));

    kit_ok(mopt_context_set_log(ctx, count_warnings, NULL, NULL));
    snprintf(text, sizeof text, "{\"cache\": \"%s\"}", path);
    distil(text, TRAIN, good);
    for (int i = 0; i < 6; i++) {
        FILE *file = fopen(path, "r+b");

        ck_assert_ptr_nonnull(file);
        if (i < 5) {
            fseek(file, places[i], places[i] < 0 ? SEEK_END : SEEK_SET);
            int byte = fgetc(file);
            fseek(file, -1, SEEK_CUR);
            fputc(byte ^ 1, file);
        }
        fclose(file);
        if (i == 5)
            kit_write(path, "", 0);
        warnings = 0;
        distil(text, TRAIN, again);
        same(good, again);
        ck_assert_int_eq(warnings, 1);
    }
    free(path);
}
END_TEST

/* Somebody cuts the file while it is in use, or writes over it: the host goes
 * on, and learns what was checked. */
START_TEST(caches_that_change_under_way)
{
    float good[SCHOOL_WEIGHTS], again[SCHOOL_WEIGHTS];
    char text[600], *path = strdup(kit_path("cache"));
    mopt_trainer *t = NULL;

    distil("{}", TRAIN, good);
    snprintf(text, sizeof text, "{\"cache\": \"%s\"}", path);
    for (int i = 0; i < 4; i++) {
        begin(text, TRAIN);
        kit_ok(mopt_distill_add_model(distill, teacher, 1));
        kit_ok(mopt_distill_trainer(distill, &t)); /* made, then read */
        if (i % 2) {
            ck_assert_int_eq(truncate(path, 0), 0);
        } else {
            FILE *file = fopen(path, "r+b");
            fseek(file, -400, SEEK_END);
            for (int k = 0; k < 400; k++)
                fputc(0x7f, file);
            fclose(file);
        }
        kit_ok(mopt_distill_fit(distill, NULL));
        school_weights(student, again);
        same(good, again);
        distil(text, TRAIN, again); /* mends it */
        same(good, again);
    }
    free(path);
}
END_TEST

/* A cache of ours as a file of outputs: its checksum counts there too. */
START_TEST(damaged_files_of_outputs)
{
    float good[SCHOOL_WEIGHTS], again[SCHOOL_WEIGHTS];
    char text[600], *path = strdup(kit_path("cache"));
    FILE *file;

    snprintf(text, sizeof text, "{\"cache\": \"%s\"}", path);
    distil(text, TRAIN, good);
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_file(distill, path, 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, again);
    same(good, again);
    file = fopen(path, "r+b");
    fseek(file, -2, SEEK_END);
    fputc(0x3f, file);
    fclose(file);
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_file(distill, path, 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EFORMAT);
    kit_says("checksum");
    free(path);
}
END_TEST

/* Another teacher, other data or views: another key. */
START_TEST(a_cache_of_something_else)
{
    float kept[SCHOOL_WEIGHTS], fresh[SCHOOL_WEIGHTS];
    char text[600];
    float bias[3] = {1, 2, 3};

    snprintf(text, sizeof text, "{\"cache\": \"%s\"}", kit_path("cache"));
    distil(text, TRAIN, kept);
    kit_ok(mopt_model_set_tensor(teacher, "layers.2.bias", bias, 3));
    distil(text, TRAIN, kept);
    distil("{\"method\": \"kd\"}", TRAIN, fresh);
    same(kept, fresh);
}
END_TEST

/* Noise as augmentation: views in turn can be kept, endless ones are asked. */
START_TEST(views)
{
    float kept[SCHOOL_WEIGHTS], live[SCHOOL_WEIGHTS];
    const char *turns = "{\"epochs\": 5, \"augment\": {\"noise\": 0.3,"
                        " \"views\": 2}}";

    distil("{\"outputs\": \"cached\"}", turns, kept);
    distil("{\"outputs\": \"live\"}", turns, live);
    same(kept, live);
    distil("{\"outputs\": \"cached\"}",
           "{\"epochs\": 5, \"augment\": {\"noise\": 0.3}}", live);
    ck_assert_int_ne(memcmp(kept, live, sizeof(float)), 0);
}
END_TEST

static int32_t tell(void *user, int64_t rows, int64_t features,
                    int64_t outputs, const int64_t *index, const float *x,
                    float *out)
{
    (void)index, (void)features, (void)outputs;
    return mopt_model_predict(user, x, rows, out, NULL);
}

static int32_t refuse(void *user, int64_t rows, int64_t features,
                    int64_t outputs, const int64_t *index, const float *x,
                    float *out)
{
    (void)user, (void)rows, (void)features, (void)outputs, (void)index;
    (void)x, (void)out;
    return 5;
}

static int32_t tell_nan(void *user, int64_t rows, int64_t features,
                        int64_t outputs, const int64_t *index, const float *x,
                        float *out)
{
    (void)user, (void)features, (void)index, (void)x;
    memset(out, 0xff, (size_t)(rows * outputs) * sizeof *out);
    return 0;
}

START_TEST(a_teacher_of_the_host)
{
    float model[SCHOOL_WEIGHTS], host[SCHOOL_WEIGHTS];

    distil("{\"weight\": 0.5}", TRAIN, model);
    begin("{\"weight\": 0.5}", TRAIN);
    kit_ok(mopt_distill_add_callback(distill, tell, teacher, NULL, "mine", 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, host);
    same(model, host);
    ck_assert_ptr_nonnull(strstr(report(), "\"teacher\": {\"errors\""));
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_callback(distill, refuse, NULL, NULL, "mine", 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_ECALLBACK);
    kit_says("'mine' returned 5");
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_callback(distill, tell_nan, NULL, NULL, "b", 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_ECALLBACK);
    kit_says("finite");
}
END_TEST

/* What is told of a model is told of a function that says the same, for
 * numbers as for classes. */
START_TEST(callbacks_are_measured)
{
    static const char *const methods[] = {"{\"method\": \"logits\"}", "{}",
                                          "{\"method\": \"dkd\"}"};
    static const char *const keys[] = {"rmse", "accuracy", "accuracy"};
    double loss[2], figure[2];

    if (_i == 0) {
        mopt_dataset_free(train);
        mopt_dataset_free(validation);
        mopt_model_free(teacher);
        train = school_numbers(ctx, SCHOOL_ROWS, 1);
        validation = school_numbers(ctx, 60, 2);
        teacher = school_model(ctx, 2, 0);
    }
    for (int k = 0; k < 2; k++) {
        const char *at, *text;
        mopt_config *config = school_config(ctx, "distill", methods[_i]);

        drop();
        student = school_model(ctx, _i ? SCHOOL_CLASSES : 2, 0);
        kit_ok(mopt_distill_create(ctx, student, train, validation, config,
                                   NULL, &distill));
        mopt_config_free(config);
        if (k)
            kit_ok(mopt_distill_add_callback(distill, tell, teacher, NULL,
                                             "mine", 1));
        else
            kit_ok(mopt_distill_add_model(distill, teacher, 1));
        kit_ok(mopt_distill_fit(distill, NULL));
        text = report();
        ck_assert_msg(!strstr(text, "not measured"), "%s", text);
        at = strstr(text, "\"teacher\": {");
        ck_assert_msg(at != NULL, "%s", text);
        loss[k] = strtod(strstr(at, "\"loss\"") + 8, NULL);
        figure[k] = strtod(strstr(at, keys[_i]) + strlen(keys[_i]) + 2, NULL);
    }
    ck_assert_double_eq(figure[0], figure[1]);
    ck_assert_double_eq_tol(loss[0], loss[1], 1e-6);
}
END_TEST

/* A file of the teacher's outputs is as good as the teacher, on these rows. */
START_TEST(a_file_of_outputs)
{
    float model[SCHOOL_WEIGHTS], file[SCHOOL_WEIGHTS];
    const char *path = kit_path("outputs.npy");

    distil("{}", TRAIN, model);
    kit_ok(mopt_model_save_features(teacher, 2, train, path, NULL));
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_file(distill, path, 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, file);
    same(model, file);
    ck_assert_ptr_nonnull(strstr(report(), "\"teacher\": null"));
    begin_on(validation, "{}", TRAIN);
    kit_ok(mopt_distill_add_file(distill, path, 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EINVAL);
    kit_says("[101][3]");
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_file(distill, kit_path("none"), 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_ENOENT);
}
END_TEST

/* Two teachers that are the same say what one says. */
START_TEST(several_teachers)
{
    float one[SCHOOL_WEIGHTS], two[SCHOOL_WEIGHTS];

    distil("{}", TRAIN, one);
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 2));
    kit_ok(mopt_distill_add_model(distill, teacher, 2));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, two);
    same(one, two);
    ck_assert_ptr_nonnull(strstr(report(), "\"ratio\": 2"));
}
END_TEST

/* The baseline is the plain training from the same first weights. */
START_TEST(alone_is_a_plain_training)
{
    float plain[SCHOOL_WEIGHTS], alone[SCHOOL_WEIGHTS];
    mopt_model *model = school_model(ctx, SCHOOL_CLASSES, 0);
    mopt_trainer *t = school_trainer(ctx, model, train, validation, TRAIN);

    kit_ok(mopt_trainer_fit(t, NULL));
    school_weights(model, plain);
    mopt_trainer_free(t);
    mopt_model_free(model);
    distil("{}", TRAIN, alone);
    school_weights(distill->alone, alone);
    same(plain, alone);
}
END_TEST

START_TEST(methods_and_hidden_layers)
{
    static const char *const settings[] = {
        "{\"method\": \"logits\"}",
        "{\"method\": {\"type\": \"dkd\", \"warmup\": 3}}",
        "{\"hint\": {\"weight\": 10, \"epochs\": 2}}",
        "{\"relational\": {\"distance\": 25, \"angle\": 50}}",
        "{\"hint.weight\": 1, \"relational.distance\": 1}",
    };
    float weights[SCHOOL_WEIGHTS], again[SCHOOL_WEIGHTS];

    distil(settings[_i], TRAIN, weights);
    distil(settings[_i], TRAIN, again);
    same(weights, again);
    distil("{}", TRAIN, again);
    ck_assert_int_ne(memcmp(weights, again, sizeof weights), 0);
}
END_TEST

/* hint.epochs are hints alone: nothing else has changed a weight by then. */
START_TEST(first_epochs_of_hints)
{
    const char *two = "{\"epochs\": 2, \"batch_size\": 16}";
    float hints[SCHOOL_WEIGHTS], both[SCHOOL_WEIGHTS];

    distil("{\"hint\": {\"weight\": 10, \"epochs\": 2}}", two, hints);
    distil("{\"hint\": {\"weight\": 10, \"epochs\": 2},"
           " \"relational\": {\"distance\": 25, \"angle\": 50}}", two, both);
    same(hints, both);
    distil("{\"hint\": {\"weight\": 10, \"epochs\": 1},"
           " \"relational\": {\"distance\": 25, \"angle\": 50}}", two, both);
    ck_assert_int_ne(memcmp(hints, both, sizeof(float) * 40), 0);
}
END_TEST

/* A teacher that is much larger than the student is asked for a few rows at a
 * time: it says, and shows, the same. */
START_TEST(teachers_are_asked_in_pieces)
{
    float whole[SCHOOL_WEIGHTS], parts[SCHOOL_WEIGHTS];
    const char *settings = "{\"outputs\": \"live\", \"hint.weight\": 1,"
                           " \"relational.distance\": 1}";
    mopt_trainer *t = NULL;

    distil(settings, TRAIN, whole);
    begin(settings, TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    ck_assert_int_eq(distill->teachers[0].piece, 16);
    distill->teachers[0].piece = 5;
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, parts);
    for (int i = 0; i < 67; i++)
        ck_assert_double_eq_tol(whole[i], parts[i], 1e-5);
}
END_TEST

/* Unlabelled rows: the teacher alone. */
START_TEST(rows_without_labels)
{
    float x[40 * SCHOOL_FEATURES];
    mopt_dataset *bare = NULL;

    kit_ok(mopt_dataset_read(train, 0, 40, x, NULL));
    kit_ok(mopt_dataset_from_memory(ctx, 40, SCHOOL_FEATURES, x, MOPT_F32, 0,
                                    NULL, MOPT_I32, 1, 0, NULL, NULL, &bare));
    begin_on(bare, "{}", TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    ck_assert_ptr_nonnull(strstr(report(), "\"alone\": null"));
    refused(bare, validation, SCHOOL_CLASSES, "{\"method\": \"dkd\"}",
            "labels");
    begin_on(bare, "{}", TRAIN);
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_ESTATE);
    mopt_dataset_free(bare);
}
END_TEST

START_TEST(a_student_teaches_itself)
{
    begin("{\"generations\": 2}", TRAIN);
    kit_ok(mopt_distill_fit(distill, NULL));
    ck_assert_ptr_nonnull(strstr(report(), "\"ratio\": 1"));
}
END_TEST

static int64_t epochs, stop_at;
static mopt_cancel *stop;

static void count_epochs(void *user, int32_t level, const char *component,
                         const char *message)
{
    (void)user, (void)level;
    epochs += !strcmp(component, "train") && !strncmp(message, "epoch", 5);
    if (stop_at && epochs >= stop_at)
        mopt_cancel_request(stop);
}

/* Cancelled in any generation, it goes on there: no epoch is trained twice,
 * and the bits are those of a run without a break. */
START_TEST(a_lineage_goes_on)
{
    const char *settings = "{\"generations\": 3, \"baseline\": false}";
    float whole[SCHOOL_WEIGHTS], parts[SCHOOL_WEIGHTS];
    mopt_config *loud = school_config(ctx, "context",
                                      "{\"log_level\": \"info\"}");

    kit_ok(mopt_context_configure(ctx, loud));
    mopt_config_free(loud);
    kit_ok(mopt_context_set_log(ctx, count_epochs, NULL, NULL));
    kit_ok(mopt_cancel_create(ctx, &stop));
    epochs = stop_at = 0;
    begin(settings, TRAIN);
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, whole);
    ck_assert_int_eq(epochs, 4 * 6);
    for (int64_t at = 1; at < 4 * 6; at += 4) {
        epochs = 0;
        stop_at = at;
        begin(settings, TRAIN);
        kit_fails(mopt_distill_fit(distill, stop), MOPT_ECANCELED);
        stop_at = 0;
        mopt_cancel_reset(stop);
        kit_ok(mopt_distill_fit(distill, stop));
        school_weights(student, parts);
        same(whole, parts);
        ck_assert_int_eq(epochs, 4 * 6);
    }
    drop();
    kit_ok(mopt_context_set_log(ctx, NULL, NULL, NULL));
    mopt_cancel_free(stop);
}
END_TEST

/* A teacher that knows nothing cannot help, and is told or refused. */
START_TEST(poor_teachers)
{
    const char *long_enough = "{\"epochs\": 40}";
    const float one_class[3] = {100, 0, 0};

    kit_ok(mopt_model_set_tensor(teacher, "layers.2.bias", one_class, 3));
    begin("{}", long_enough);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_fit(distill, NULL));
    ck_assert_msg(strstr(report(), "the teacher cannot help") != NULL, "%s",
                  report());
    begin("{\"poor_teacher\": \"refuse\"}", long_enough);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EINVAL);
    kit_says("poor_teacher");
}
END_TEST

/* What cannot be judged cannot be refused: that is said before any work. */
START_TEST(refusals_need_a_comparison)
{
    const char *refuse_it = "{\"poor_teacher\": \"refuse\"}";
    mopt_dataset *bare = NULL;
    float x[40 * SCHOOL_FEATURES];

    refused(train, validation, SCHOOL_CLASSES,
            "{\"poor_teacher\": \"refuse\", \"baseline\": false}",
            "'baseline' is off");
    refused(train, NULL, SCHOOL_CLASSES, refuse_it, "no validation rows");
    kit_ok(mopt_dataset_read(train, 0, 40, x, NULL));
    kit_ok(mopt_dataset_from_memory(ctx, 40, SCHOOL_FEATURES, x, MOPT_F32, 0,
                                    NULL, MOPT_I32, 1, 0, NULL, NULL, &bare));
    refused(bare, validation, SCHOOL_CLASSES, refuse_it, "no labels");
    mopt_dataset_free(bare);
    begin(refuse_it, TRAIN);
    kit_ok(mopt_distill_add_file(distill, "outputs.npy", 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EINVAL);
    kit_says("outputs.npy is a file");
}
END_TEST

START_TEST(settings_that_do_not_fit)
{
    mopt_dataset *numbers = school_numbers(ctx, SCHOOL_ROWS, 1);

    refused(numbers, NULL, 2, "{\"method\": \"dkd\"}", "for classes");
    refused(numbers, NULL, 2, "{}", "for classes");
    refused(train, validation, 1, "{\"method\": \"dkd\"}", "an output a class");
    refused(train, NULL, SCHOOL_CLASSES, "{\"correct_bias\": true}",
            "correct_bias");
    refused(numbers, numbers, 2,
            "{\"method\": \"logits\", \"correct_bias\": true}",
            "correct_bias");
    mopt_dataset_free(numbers);
}
END_TEST

static int32_t stop_at_3(void *user, mopt_trainer *t)
{
    (void)user;
    return school_get(t, "epoch") >= 3 ? MOPT_STOPPED : MOPT_OK;
}

/* Interrupted, saved and resumed elsewhere, with a hint's projection. */
START_TEST(resume)
{
    const char *settings = "{\"hint\": {\"weight\": 10}, \"baseline\": false}";
    const char *path = kit_path("state");
    float whole[SCHOOL_WEIGHTS], parts[SCHOOL_WEIGHTS];
    mopt_trainer *t = NULL;

    distil(settings, TRAIN, whole);
    begin(settings, TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    kit_ok(mopt_trainer_on_epoch(t, stop_at_3, NULL, NULL));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_STOPPED);
    kit_ok(mopt_trainer_save(t, path));
    begin(settings, TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    kit_ok(mopt_trainer_resume(t, path));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, parts);
    same(whole, parts);
    begin("{\"baseline\": false}", TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    kit_fails(mopt_trainer_resume(t, path), MOPT_EFORMAT);
}
END_TEST

START_TEST(cancelled)
{
    mopt_cancel *cancel = NULL;

    kit_ok(mopt_cancel_create(ctx, &cancel));
    mopt_cancel_request(cancel);
    begin("{}", TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_fails(mopt_distill_fit(distill, cancel), MOPT_ECANCELED);
    kit_ok(mopt_distill_fit(distill, NULL));
    mopt_cancel_free(cancel);
}
END_TEST

/* Each allocation of a whole distillation fails once, or all from there on:
 * told, nothing lost, and no block left. */
START_TEST(every_allocation_may_fail)
{
    static const char *const settings[] = {
        "{\"cache\": \"%s\", \"correct_bias\": true}",
        "{\"hint\": {\"weight\": 1}, \"relational\": {\"distance\": 1}}",
        "{\"generations\": 2, \"baseline\": false}",
    };
    char text[600];
    mopt_config *config, *how;
    int32_t forever = _i % 2, rc = MOPT_ENOMEM;
    int64_t at = 0;

    snprintf(text, sizeof text, settings[_i / 2], kit_path("cache"));
    config = school_config(ctx, "distill", text);
    how = school_config(ctx, "train", "{\"epochs\": 1}");
    for (; rc; at++) {
        drop();
        student = school_model(ctx, SCHOOL_CLASSES, 0);
        kit_fail_allocation(at, forever);
        rc = mopt_distill_create(ctx, student, train, validation, config, how,
                                 &distill);
        if (!rc && _i / 2 < 2)
            rc = mopt_distill_add_model(distill, teacher, 1);
        if (!rc)
            rc = mopt_distill_fit(distill, NULL);
        if (!rc)
            rc = mopt_distill_evaluate(distill, NULL, NULL, text, sizeof text,
                                       NULL);
        kit_fail_allocation(-1, 0);
        ck_assert_msg(!rc || rc == MOPT_ENOMEM || rc == MOPT_ERANGE,
                      "%s at %d", mopt_status_name(rc), (int)at);
        if (rc == MOPT_ERANGE) /* the report is longer than the buffer */
            rc = MOPT_OK;
    }
    ck_assert_int_gt(at, 30);
    mopt_config_free(config);
    mopt_config_free(how);
}
END_TEST

/* Interrupted and resumed elsewhere, from kept outputs, with relations. */
START_TEST(resume_with_kept_outputs)
{
    const char *path = kit_path("state");
    float whole[SCHOOL_WEIGHTS], parts[SCHOOL_WEIGHTS];
    char settings[900];
    mopt_trainer *t = NULL;

    snprintf(settings, sizeof settings,
             _i ? "{\"relational\": {\"distance\": 25, \"angle\": 50},"
                  " \"baseline\": false}"
                : "{\"cache\": \"%s\", \"baseline\": false}",
             kit_path("cache"));
    distil(settings, TRAIN, whole);
    begin(settings, TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    kit_ok(mopt_trainer_on_epoch(t, stop_at_3, NULL, NULL));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_STOPPED);
    kit_ok(mopt_trainer_save(t, path));
    begin(settings, TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_ok(mopt_distill_trainer(distill, &t));
    kit_ok(mopt_trainer_resume(t, path));
    kit_ok(mopt_distill_fit(distill, NULL));
    school_weights(student, parts);
    same(whole, parts);
}
END_TEST

START_TEST(wrong_ones)
{
    mopt_model *wide = NULL;

    begin("{}", TRAIN);
    kit_fails(mopt_distill_add_model(distill, teacher, -1), MOPT_EINVAL);
    kit_fails(mopt_distill_add_model(distill, student, 1), MOPT_EINVAL);
    kit_fails(mopt_distill_evaluate(distill, NULL, NULL, NULL, 0, NULL),
              MOPT_ESTATE);
    kit_ok(mopt_model_build(ctx, 4, &wide));
    kit_ok(mopt_model_add_dense(wide, 3, NULL));
    kit_fails(mopt_distill_add_model(distill, wide, 1), MOPT_ESTATE);
    kit_ok(mopt_model_init(wide, 1));
    kit_ok(mopt_distill_add_model(distill, wide, 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EINVAL);
    kit_says("4 inputs");
    mopt_model_free(wide);
    begin("{\"hint\": {\"weight\": 1, \"student\": 7}}", TRAIN);
    kit_ok(mopt_distill_add_model(distill, teacher, 1));
    kit_fails(mopt_distill_fit(distill, NULL), MOPT_EINVAL);
    kit_says("hint.student is 7");
}
END_TEST

/* Offsets that make each class as frequent as it is: here, from far off. */
START_TEST(biases)
{
    float bias[3] = {5, -5, 0};
    double before, after;
    char text[1 << 14];

    kit_ok(mopt_model_set_tensor(teacher, "layers.2.bias", bias, 3));
    kit_ok(mopt_model_evaluate(teacher, train, NULL, NULL, text, sizeof text,
                               NULL));
    before = strtod(strstr(text, "\"loss\"") + 8, NULL);
    kit_ok(moi_bias_correct(teacher, train, NULL));
    kit_ok(mopt_model_evaluate(teacher, train, NULL, NULL, text, sizeof text,
                               NULL));
    after = strtod(strstr(text, "\"loss\"") + 8, NULL);
    ck_assert_double_lt(after, before / 2);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("distill");
    TCase *tests = tcase_create("distiller");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, outputs_may_be_kept_anywhere);
    tcase_add_test(tests, damaged_caches);
    tcase_add_test(tests, caches_that_change_under_way);
    tcase_add_test(tests, damaged_files_of_outputs);
    tcase_add_test(tests, a_cache_of_something_else);
    tcase_add_test(tests, views);
    tcase_add_test(tests, a_teacher_of_the_host);
    tcase_add_loop_test(tests, callbacks_are_measured, 0, 3);
    tcase_add_test(tests, a_file_of_outputs);
    tcase_add_test(tests, several_teachers);
    tcase_add_test(tests, alone_is_a_plain_training);
    tcase_add_loop_test(tests, methods_and_hidden_layers, 0, 5);
    tcase_add_test(tests, rows_without_labels);
    tcase_add_test(tests, first_epochs_of_hints);
    tcase_add_test(tests, teachers_are_asked_in_pieces);
    tcase_add_test(tests, a_student_teaches_itself);
    tcase_add_test(tests, a_lineage_goes_on);
    tcase_add_test(tests, poor_teachers);
    tcase_add_test(tests, refusals_need_a_comparison);
    tcase_add_test(tests, settings_that_do_not_fit);
    tcase_add_test(tests, resume);
    tcase_add_test(tests, cancelled);
    tcase_add_loop_test(tests, every_allocation_may_fail, 0, 6);
    tcase_add_loop_test(tests, resume_with_kept_outputs, 0, 2);
    tcase_add_test(tests, wrong_ones);
    tcase_add_test(tests, biases);
    suite_add_tcase(suite, tests);
    return suite;
}
