/* SPDX-License-Identifier: MIT
 * tests/unit/train/test_resume.c: checkpoints: the same bits as without an
 * interruption, whatever the rule and wherever it came; files that are wrong;
 * writes that fail. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/context.h"
#include "base/file.h"
#include "school.h"

static mopt_context *ctx;
static mopt_dataset *train, *validation;
static float before[SCHOOL_WEIGHTS], after[SCHOOL_WEIGHTS];

static void setup(void)
{
    ctx = school_open_with(50, 30, 1, &train, &validation);
}

static void teardown(void)
{
    school_close(ctx, train, validation);
}

/* ---- the same bits ---- */

static const char *const optimizers[] = {
    "\"gd\"",
    "{\"type\": \"gd\", \"learning_rate\": 5, \"line_search\": true}",
    "\"sgd\"",
    "{\"type\": \"sgd\", \"momentum\": 0.9}",
    "{\"type\": \"sgd\", \"momentum\": 0.9, \"nesterov\": true}",
    "\"adagrad\"",
    "\"rmsprop\"",
    "{\"type\": \"rmsprop\", \"centered\": true, \"momentum\": 0.9}",
    "\"adadelta\"",
    "\"adam\"",
    "{\"type\": \"adam\", \"amsgrad\": true}",
    "{\"type\": \"adamw\", \"weight_decay\": 0.1}",
};
static const char *const schedules[] = {
    "\"constant\"",
    "{\"type\": \"step\", \"every\": 2, \"warmup\": 1.5}",
    "{\"type\": \"exponential\", \"factor\": 0.7}",
    "\"cosine\"",
    "\"one_cycle\"",
    "{\"type\": \"reduce_on_plateau\", \"patience\": 0, \"threshold\": 0.1}",
};
#define OPTIMIZERS ((int)(sizeof optimizers / sizeof *optimizers))
#define SCHEDULES ((int)(sizeof schedules / sizeof *schedules))

/* A model and its trainer. */
typedef struct pupil {
    mopt_model *model;
    mopt_trainer *trainer;
} pupil;

static pupil enrol(const char *json)
{
    pupil p;

    p.model = school_model(ctx, SCHOOL_CLASSES, 0.2);
    p.trainer = school_trainer(ctx, p.model, train, validation, json);
    return p;
}

static void dismiss(pupil *p)
{
    mopt_trainer_free(p->trainer);
    mopt_model_free(p->model);
}

static void same(const pupil *a, const pupil *b)
{
    int64_t count = school_weights(a->model, before);

    school_weights(b->model, after);
    ck_assert_mem_eq(before, after, sizeof(float) * (size_t)count);
    ck_assert_str_eq(school_history(a->trainer), school_history(b->trainer));
    ck_assert_double_eq(school_get(a->trainer, "best.epoch"),
                        school_get(b->trainer, "best.epoch"));
}

static int32_t stop_at(void *user, mopt_trainer *t)
{
    return school_get(t, "step") >= *(double *)user ? MOPT_STOPPED : 0;
}

/* Interrupted after a step, saved, and resumed by somebody else. */
static void interrupted(const char *json, double at)
{
    const char *path = kit_path("resume.safetensors");
    pupil whole = enrol(json), first = enrol(json), second = enrol(json);

    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    kit_ok(mopt_trainer_on_step(first.trainer, stop_at, &at, NULL));
    kit_fails(mopt_trainer_fit(first.trainer, NULL), MOPT_STOPPED);
    kit_ok(mopt_trainer_save(first.trainer, path));
    kit_ok(mopt_trainer_resume(second.trainer, path));
    ck_assert_double_eq(school_get(second.trainer, "step"), at);
    kit_ok(mopt_trainer_fit(second.trainer, NULL));
    same(&whole, &second);
    dismiss(&whole);
    dismiss(&first);
    dismiss(&second);
}

/* Five steps an epoch; full batches have one. */
START_TEST(resumed_bits)
{
    char json[400];
    int rule = _i / SCHEDULES, rate = _i % SCHEDULES;
    int step = rule < 2 ? 1 + _i % 9 : 1 + _i * 7 % 49;

    snprintf(json, sizeof json,
             "{\"epochs\": 10, \"batch_size\": 11, \"optimizer\": %s, "
             "\"schedule\": %s, \"clip_norm\": %d, \"seed\": %d, "
             "\"restore_best\": %s}",
             optimizers[rule], schedules[rate], _i % 3, _i,
             _i % 4 ? "true" : "false");
    interrupted(json, step);
}
END_TEST

START_TEST(resumed_chunks)
{
    interrupted("{\"batch_size\": 20, \"chunk\": 7}", 14);
}
END_TEST

/* Patience is not born again. */
START_TEST(resumed_patience)
{
    interrupted("{\"early_stopping\": {\"patience\": 3}, \"epochs\": 200, "
                "\"optimizer\": {\"learning_rate\": 0.05}}",
                2 + _i);
}
END_TEST

/* Ten epochs are five and then five more, wherever the limit stood. */
START_TEST(five_and_five)
{
    const char *path = kit_path("five.safetensors");
    pupil whole = enrol("{\"epochs\": 10}"), first = enrol("{\"epochs\": 5}");
    pupil second = enrol("{\"epochs\": 10}");

    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    kit_ok(mopt_trainer_fit(first.trainer, NULL));
    kit_ok(mopt_trainer_save(first.trainer, path));
    kit_ok(mopt_trainer_resume(second.trainer, path));
    ck_assert_double_eq(school_get(second.trainer, "epoch"), 5);
    kit_ok(mopt_trainer_fit(second.trainer, NULL));
    same(&whole, &second);
    dismiss(&whole);
    dismiss(&first);
    dismiss(&second);
}
END_TEST

/* A limit in the middle of an epoch leaves no trace in the checkpoint. */
START_TEST(steps_and_more_steps)
{
    const char *path = kit_path("steps.safetensors");
    pupil whole = enrol("{\"epochs\": 8, \"batch_size\": 11}");
    pupil first = enrol("{\"epochs\": 8, \"batch_size\": 11, "
                        "\"max_steps\": 17}");
    pupil second = enrol("{\"epochs\": 8, \"batch_size\": 11}");

    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    kit_ok(mopt_trainer_fit(first.trainer, NULL));
    kit_ok(mopt_trainer_save(first.trainer, path));
    kit_ok(mopt_trainer_resume(second.trainer, path));
    kit_ok(mopt_trainer_fit(second.trainer, NULL));
    same(&whole, &second);
    dismiss(&whole);
    dismiss(&first);
    dismiss(&second);
}
END_TEST

/* A trainer that has gone its own way, or to ruin, is as the file says. */
START_TEST(resuming_over_something_else)
{
    const char *path = kit_path("over.safetensors");
    const char *json = "{\"epochs\": 6}";
    pupil whole = enrol(json), other = enrol(json);

    kit_ok(mopt_trainer_save(whole.trainer, path)); /* before the first step */
    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    kit_ok(mopt_trainer_fit(other.trainer, NULL));
    kit_ok(mopt_trainer_resume(other.trainer, path));
    ck_assert_double_eq(school_get(other.trainer, "step"), 0);
    kit_ok(mopt_trainer_fit(other.trainer, NULL));
    same(&whole, &other);
    dismiss(&whole);
    dismiss(&other);
}
END_TEST

/* A token, or a callback without one, ends it after some steps. */
typedef struct cutting {
    double at;
    mopt_cancel *cancel;
} cutting;

static int32_t cut_at(void *user, mopt_trainer *t)
{
    const cutting *c = user;

    if (school_get(t, "step") < c->at)
        return 0;
    if (c->cancel)
        mopt_cancel_request(c->cancel);
    return c->cancel ? 0 : MOPT_STOPPED;
}

/* In the middle of an epoch, and at the end of one. */
START_TEST(who_ends_it_early_leaves_a_checkpoint)
{
    const char *path = kit_path("cut.safetensors");
    char json[400];
    cutting c = {_i / 2 ? 15 : 12, NULL};
    pupil whole, first, second;

    snprintf(json, sizeof json,
             "{\"epochs\": 6, \"batch_size\": 11, \"checkpoint\": \"%s\", "
             "\"checkpoint_every\": 0}", path);
    unlink(path);
    first = enrol(json);
    if (_i % 2)
        kit_ok(mopt_cancel_create(ctx, &c.cancel));
    kit_ok(mopt_trainer_on_step(first.trainer, cut_at, &c, NULL));
    kit_fails(mopt_trainer_fit(first.trainer, c.cancel),
              c.cancel ? MOPT_ECANCELED : MOPT_STOPPED);
    second = enrol(json);
    kit_ok(mopt_trainer_resume(second.trainer, path));
    ck_assert_double_eq(school_get(second.trainer, "step"), c.at);
    kit_ok(mopt_trainer_fit(second.trainer, NULL));
    whole = enrol(json);
    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    same(&whole, &second);
    mopt_cancel_free(c.cancel);
    dismiss(&whole);
    dismiss(&first);
    dismiss(&second);
}
END_TEST

/* Where none can be written it ends as it would have, and may go on. */
START_TEST(an_early_end_without_room_is_no_other_end)
{
    cutting c = {7, NULL};
    pupil p = enrol("{\"epochs\": 6, \"batch_size\": 11, \"checkpoint\": "
                    "\"/nowhere/at/all\", \"checkpoint_every\": 0}");

    kit_ok(mopt_cancel_create(ctx, &c.cancel));
    kit_ok(mopt_trainer_on_step(p.trainer, cut_at, &c, NULL));
    kit_fails(mopt_trainer_fit(p.trainer, c.cancel), MOPT_ECANCELED);
    ck_assert_int_eq(mopt_last_code(), MOPT_ECANCELED);
    kit_ok(mopt_trainer_step(p.trainer, NULL));
    mopt_cancel_free(c.cancel);
    dismiss(&p);
}
END_TEST

static int32_t checkpoint_exists(void *user, mopt_trainer *t)
{
    int64_t *seen = user;

    (void)t;
    *seen = *seen * 2 + (access(kit_path("auto.safetensors"), F_OK) == 0);
    unlink(kit_path("auto.safetensors"));
    return 0;
}

START_TEST(checkpoints_come_by_themselves)
{
    char json[400];
    int64_t seen = 0;
    pupil p, q;

    snprintf(json, sizeof json,
             "{\"epochs\": 7, \"checkpoint\": \"%s\", \"checkpoint_every\": "
             "3}",
             kit_path("auto.safetensors"));
    p = enrol(json);
    kit_ok(mopt_trainer_on_epoch(p.trainer, checkpoint_exists, &seen, NULL));
    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    ck_assert_int_eq(seen, 0x12); /* after epochs 3 and 6 */
    q = enrol(json);
    kit_ok(mopt_trainer_resume(q.trainer, kit_path("auto.safetensors")));
    ck_assert_double_eq(school_get(q.trainer, "epoch"), 7); /* and the end */
    dismiss(&q);
    dismiss(&p);
    snprintf(json, sizeof json,
             "{\"epochs\": 3, \"batch_size\": 11, \"checkpoint\": \"%s\", "
             "\"checkpoint_every\": 0, \"checkpoint_seconds\": 1e-9}",
             kit_path("auto.safetensors"));
    p = enrol(json);
    seen = 0;
    kit_ok(mopt_trainer_on_step(p.trainer, checkpoint_exists, &seen, NULL));
    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    ck_assert_int_eq(seen, 0x7fff); /* after each of 15 steps */
    dismiss(&p);
}
END_TEST

/* ---- files of something else ---- */

static void refused(pupil *p, const char *path, const char *says)
{
    kit_fails(mopt_trainer_resume(p->trainer, path), MOPT_EFORMAT);
    kit_says(says);
}

START_TEST(other_trainings)
{
    const char *path = kit_path("other.safetensors");
    pupil p = enrol("{\"epochs\": 2}"), q;
    mopt_dataset *rows = school_clouds(ctx, 50, 1, 9), *saved = train;
    mopt_config *group;

    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    q = enrol("{\"batch_size\": 16}");
    refused(&q, path, "config.batch_size");
    dismiss(&q);
    q = enrol("{\"optimizer\": {\"beta1\": 0.8}}");
    refused(&q, path, "config.optimizer");
    dismiss(&q);
    q = enrol("{\"optimizer\": \"sgd\"}");
    refused(&q, path, "config.optimizer");
    dismiss(&q);
    train = rows;
    q = enrol("{}");
    refused(&q, path, "data");
    dismiss(&q);
    train = saved;
    q = enrol("{}");
    group = school_config(ctx, "group", "{\"rate\": 0.5}");
    kit_ok(mopt_trainer_add_group(q.trainer, "*", group));
    refused(&q, path, "extensions.groups");
    mopt_config_free(group);
    dismiss(&q);
    q.model = school_model(ctx, SCHOOL_CLASSES, 0);
    q.trainer = school_trainer(ctx, q.model, train, validation, "{}");
    refused(&q, path, "model");
    kit_ok(mopt_model_save(q.model, path));
    refused(&q, path, "format");
    kit_fails(mopt_trainer_resume(q.trainer, kit_path("none")), MOPT_ENOENT);
    kit_fails(mopt_trainer_resume(q.trainer, NULL), MOPT_EINVAL);
    kit_fails(mopt_trainer_resume(NULL, path), MOPT_EINVAL);
    kit_fails(mopt_trainer_save(NULL, path), MOPT_EINVAL);
    kit_fails(mopt_trainer_save(q.trainer, NULL), MOPT_EINVAL);
    dismiss(&q);
    dismiss(&p);
    mopt_dataset_free(rows);
}
END_TEST

/* ---- hostile files ---- */

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    char *data;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &st), 0);
    *size = (size_t)st.st_size;
    data = malloc(*size + 1);
    ck_assert_uint_eq(fread(data, 1, *size, file), *size);
    data[*size] = 0;
    fclose(file);
    return data;
}

/* Cut at every length, changed at any byte: refused, or else a training that
 * can go on; and after a refusal the trainer is as it was. */
START_TEST(damaged_files)
{
    const char *path = kit_path("good.safetensors");
    const char *bad = kit_path("bad.safetensors");
    pupil p = enrol("{\"epochs\": 2}"), q = enrol("{\"epochs\": 2}");
    size_t size;
    char *data;
    int64_t refusals = 0;

    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    data = read_file(path, &size);
    for (size_t cut = 0; cut < size; cut += 1 + cut / 50) {
        kit_write(bad, data, cut);
        kit_fails(mopt_trainer_resume(q.trainer, bad), MOPT_EFORMAT);
    }
    ck_assert_double_eq(school_get(q.trainer, "step"), 0);
    for (size_t at = 0; at < size; at += 7) {
        char old = data[at];
        int32_t rc;

        data[at] = (char)(old ^ (1 << at % 8));
        kit_write(bad, data, size);
        rc = mopt_trainer_resume(q.trainer, bad);
        ck_assert(rc == MOPT_OK || rc == MOPT_EFORMAT);
        refusals += rc != MOPT_OK;
        data[at] = old;
    }
    ck_assert_int_gt(refusals, 100);
    free(data);
    kit_ok(mopt_trainer_resume(q.trainer, path));
    kit_ok(mopt_trainer_fit(q.trainer, NULL));
    same(&p, &q);
    dismiss(&p);
    dismiss(&q);
}
END_TEST

/* Numbers that lie: replaced in the text by others of the same length. */
START_TEST(lying_files)
{
    static const char *const lies[][2] = {
        {"\\\"row\\\": 0", "\\\"row\\\":-1"},
        {"\\\"epoch\\\": 2", "\\\"epoch\\\": 9"},
        {"\\\"best\\\": ", "\\\"best\\\":9"},
        {"\\\"ended\\\": 0", "\\\"ended\\\": 2"},
        {"\\\"stale\\\"", "\\\"state\\\""},
        {"\\\"rate\\\": 0", "\\\"rate\\\":[]"},
    };
    const char *path = kit_path("lies.safetensors");
    pupil p = enrol("{\"epochs\": 2}");
    size_t size;
    char *data, *at;

    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    data = read_file(path, &size);
    at = memmem(data, size, lies[_i][0], strlen(lies[_i][0]));
    ck_assert_msg(at != NULL, "no '%s' in the file", lies[_i][0]);
    memcpy(at, lies[_i][1], strlen(lies[_i][1]));
    kit_write(path, data, size);
    kit_fails(mopt_trainer_resume(p.trainer, path), MOPT_EFORMAT);
    free(data);
    dismiss(&p);
}
END_TEST

/* ---- writes that fail ---- */

typedef struct disk {
    int64_t calls, fail; /* the call that fails */
    int error;           /* 0: a write that writes half */
} disk;

static int trip(disk *d)
{
    return d->calls++ == d->fail;
}

static int disk_open(void *user, const char *path, int flags, int mode)
{
    disk *d = user;

    if (trip(d) && d->error)
        return -d->error;
    return moi_file_system.open(NULL, path, flags, mode);
}

static int64_t disk_read(void *user, int fd, void *buf, int64_t count)
{
    disk *d = user;

    if (trip(d) && d->error)
        return -d->error;
    return moi_file_system.read(NULL, fd, buf, count);
}

static int64_t disk_write(void *user, int fd, const void *buf, int64_t count)
{
    disk *d = user;

    if (!trip(d))
        return moi_file_system.write(NULL, fd, buf, count);
    return d->error ? -d->error
                    : moi_file_system.write(NULL, fd, buf, (count + 1) / 2);
}

static int64_t disk_seek(void *user, int fd, int64_t offset, int whence)
{
    (void)user;
    return moi_file_system.seek(NULL, fd, offset, whence);
}

static int disk_sync(void *user, int fd)
{
    disk *d = user;

    return trip(d) && d->error ? -d->error : moi_file_system.sync(NULL, fd);
}

static int disk_close(void *user, int fd)
{
    (void)user;
    return moi_file_system.close(NULL, fd);
}

static int disk_rename(void *user, const char *from, const char *to)
{
    disk *d = user;

    return trip(d) && d->error ? -d->error
                               : moi_file_system.rename(NULL, from, to);
}

static int disk_unlink(void *user, const char *path)
{
    (void)user;
    return moi_file_system.unlink(NULL, path);
}

/* The old file, or when only telling the disk about the new name failed, the
 * new one: never a part of it. */
START_TEST(failing_writes_leave_a_whole_file)
{
    static const int errors[] = {EIO, ENOSPC, 0};
    disk d = {0, 0, errors[_i]};
    const moi_file_ops ops = {&d,         disk_open,  disk_read,
                              disk_write, disk_seek,  disk_sync,
                              disk_close, disk_rename, disk_unlink};
    const char *path = kit_path("disk.safetensors");
    pupil p = enrol("{\"epochs\": 4}");
    pupil q = enrol("{\"epochs\": 4}");
    int64_t failures = 0, old = 0;
    int32_t rc = MOPT_EIO;

    kit_ok(mopt_trainer_step(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    kit_ok(mopt_trainer_step(p.trainer, NULL));
    for (d.fail = 0;; d.fail++) {
        d.calls = 0;
        ctx->files = &ops;
        rc = mopt_trainer_save(p.trainer, path);
        ctx->files = &moi_file_system;
        if (!rc)
            break;
        ck_assert_int_eq(rc, MOPT_EIO);
        failures++;
        kit_ok(mopt_trainer_resume(q.trainer, path));
        old += school_get(q.trainer, "step") == 1;
    }
    if (d.error)
        ck_assert_int_ge(old, 3);
    ck_assert_int_le(failures - old, 2); /* opening the folder, its sync */
    kit_ok(mopt_trainer_resume(q.trainer, path));
    ck_assert_double_eq(school_get(q.trainer, "step"), 2);
    dismiss(&p);
    dismiss(&q);
}
END_TEST

/* A training whose disk is full ends with that error, and can go on. */
START_TEST(a_full_disk_stops_training)
{
    disk d = {0, 0, ENOSPC};
    const moi_file_ops ops = {&d,         disk_open,  disk_read,
                              disk_write, disk_seek,  disk_sync,
                              disk_close, disk_rename, disk_unlink};
    char json[400];
    pupil whole = enrol("{\"epochs\": 3}"), p;

    snprintf(json, sizeof json, "{\"epochs\": 3, \"checkpoint\": \"%s\"}",
             kit_path("full.safetensors"));
    p = enrol(json);
    ctx->files = &ops;
    kit_fails(mopt_trainer_fit(p.trainer, NULL), MOPT_EIO);
    ctx->files = &moi_file_system;
    kit_ok(mopt_trainer_fit(p.trainer, NULL));
    kit_ok(mopt_trainer_fit(whole.trainer, NULL));
    same(&whole, &p);
    dismiss(&whole);
    dismiss(&p);
}
END_TEST

START_TEST(failing_reads)
{
    disk d = {0, 0, EIO};
    const moi_file_ops ops = {&d,         disk_open,  disk_read,
                              disk_write, disk_seek,  disk_sync,
                              disk_close, disk_rename, disk_unlink};
    const char *path = kit_path("reads.safetensors");
    pupil p = enrol("{}"), q = enrol("{}");

    kit_ok(mopt_trainer_step(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    for (d.fail = 0;; d.fail++) {
        int32_t rc;

        d.calls = 0;
        ctx->files = &ops;
        rc = mopt_trainer_resume(q.trainer, path);
        ctx->files = &moi_file_system;
        if (!rc)
            break;
        ck_assert_int_eq(rc, MOPT_EIO);
        ck_assert_double_eq(school_get(q.trainer, "step"), 0);
    }
    ck_assert_int_ge(d.fail, 2);
    dismiss(&p);
    dismiss(&q);
}
END_TEST

/* ---- memory ---- */

START_TEST(every_allocation_may_fail)
{
    const char *path = kit_path("memory.safetensors");
    pupil p = enrol("{}"), q = enrol("{}");
    int32_t forever = _i % 2, saving = _i / 2, rc;
    int64_t at = 0;

    kit_ok(mopt_trainer_step(p.trainer, NULL));
    kit_ok(mopt_trainer_save(p.trainer, path));
    kit_ok(mopt_trainer_step(p.trainer, NULL));
    for (;; at++) {
        kit_fail_allocation(at, forever);
        rc = saving ? mopt_trainer_save(p.trainer, path)
                    : mopt_trainer_resume(q.trainer, path);
        kit_fail_allocation(-1, 0);
        if (!rc)
            break;
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        if (!saving)
            ck_assert_double_eq(school_get(q.trainer, "step"), 0);
    }
    ck_assert_int_gt(at, 3);
    kit_ok(mopt_trainer_resume(q.trainer, path));
    ck_assert_double_eq(school_get(q.trainer, "step"), saving ? 2 : 1);
    kit_ok(mopt_trainer_fit(q.trainer, NULL));
    dismiss(&p);
    dismiss(&q);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("resume");
    TCase *c = tcase_create("resume");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, resumed_bits, 0, OPTIMIZERS * SCHEDULES);
    tcase_add_test(c, resumed_chunks);
    tcase_add_loop_test(c, resumed_patience, 0, 8);
    tcase_add_test(c, five_and_five);
    tcase_add_test(c, steps_and_more_steps);
    tcase_add_test(c, resuming_over_something_else);
    tcase_add_loop_test(c, who_ends_it_early_leaves_a_checkpoint, 0, 4);
    tcase_add_test(c, an_early_end_without_room_is_no_other_end);
    tcase_add_test(c, checkpoints_come_by_themselves);
    tcase_add_test(c, other_trainings);
    tcase_add_test(c, damaged_files);
    tcase_add_loop_test(c, lying_files, 0, 6);
    tcase_add_loop_test(c, failing_writes_leave_a_whole_file, 0, 3);
    tcase_add_test(c, a_full_disk_stops_training);
    tcase_add_test(c, failing_reads);
    tcase_add_loop_test(c, every_allocation_may_fail, 0, 4);
    suite_add_tcase(suite, c);
    return suite;
}
