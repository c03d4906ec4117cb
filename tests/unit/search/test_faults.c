/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_faults.c: study files on disks that fail, and files
 * that are damaged. Every call that SQLite makes to the disk fails once, and
 * from then on; no trial that was acknowledged may be lost. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kit.h"
#include "study_kit.h"

static mopt_context *ctx;
static mopt_space *space;
static const char *path;

/* ---- a layer over SQLite's file system that fails ---- */

static struct {
    int64_t calls, at; /* at < 0: none fails */
    int forever, code;
} fault = {0, -1, 0, SQLITE_OK};

typedef struct shim_file {
    sqlite3_file head;
    sqlite3_file *real; /* right behind this one */
} shim_file;

static sqlite3_vfs *real_vfs;

/* Is this call to fail? */
static int fails(void)
{
    const int64_t call = fault.calls++;

    return fault.at >= 0 &&
           (fault.forever ? call >= fault.at : call == fault.at);
}

#define REAL(file) (((shim_file *)(file))->real)
#define PASS(file, call, ...) \
    REAL(file)->pMethods->call(REAL(file), __VA_ARGS__)

static int shim_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}

static int shim_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 at)
{
    return fails() ? SQLITE_IOERR_READ : PASS(f, xRead, buf, n, at);
}

static int shim_write(sqlite3_file *f, const void *buf, int n,
                      sqlite3_int64 at)
{
    if (!fails())
        return PASS(f, xWrite, buf, n, at);
    /* A short write leaves its first half behind. */
    if (fault.code == SQLITE_IOERR_WRITE)
        PASS(f, xWrite, buf, n / 2, at);
    return fault.code;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fails() ? SQLITE_IOERR_TRUNCATE : PASS(f, xTruncate, size);
}

/* Nobody pulls the plug here: no need to wait for the disk. */
static int shim_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return fails() ? SQLITE_IOERR_FSTAT : PASS(f, xFileSize, size);
}

static int shim_lock(sqlite3_file *f, int kind)
{
    return PASS(f, xLock, kind);
}

static int shim_unlock(sqlite3_file *f, int kind)
{
    return PASS(f, xUnlock, kind);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return PASS(f, xCheckReservedLock, out);
}

static int shim_control(sqlite3_file *f, int op, void *argument)
{
    return PASS(f, xFileControl, op, argument);
}

static int shim_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int shim_traits(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int shim_map(sqlite3_file *f, int page, int size, int extend,
                    void volatile **out)
{
    return fails() ? SQLITE_IOERR_SHMMAP
                   : PASS(f, xShmMap, page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return PASS(f, xShmLock, offset, n, flags);
}

static void shim_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int shim_unmap(sqlite3_file *f, int drop)
{
    return PASS(f, xShmUnmap, drop);
}

static const sqlite3_io_methods shim_methods = {
    2, shim_close, shim_read, shim_write, shim_truncate, shim_sync, shim_size,
    shim_lock, shim_unlock, shim_reserved, shim_control, shim_sector,
    shim_traits, shim_map, shim_shm_lock, shim_barrier, shim_unmap, NULL,
    NULL,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                     int flags, int *out)
{
    shim_file *f = (shim_file *)file;
    int code;

    (void)vfs;
    f->head.pMethods = NULL;
    if (fails())
        return SQLITE_CANTOPEN;
    f->real = (sqlite3_file *)(f + 1);
    code = real_vfs->xOpen(real_vfs, name, f->real, flags, out);
    if (f->real->pMethods)
        f->head.pMethods = &shim_methods;
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return fails() ? SQLITE_IOERR_DELETE
                   : real_vfs->xDelete(real_vfs, name, sync);
}

/* All files that are opened from now on go through the layer. */
static void lay_shim(void)
{
    static sqlite3_vfs shim;

    fault.calls = 0;
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    shim = *real_vfs;
    shim.zName = "shim";
    shim.szOsFile = (int)sizeof(shim_file) + real_vfs->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.pNext = NULL;
    sqlite3_vfs_register(&shim, 1);
}

/* ---- */

static void new_file(void)
{
    static int files;
    char name[32];

    snprintf(name, sizeof(name), "fault%d.db", files++);
    path = kit_path(name);
}

static void setup(void)
{
    ctx = kit_begin();
    space = study_space(ctx);
    lay_shim();
}

static void teardown(void)
{
    fault.at = -1;
    mopt_space_free(space);
    kit_end(ctx);
}

static int32_t try_open(mopt_study **study)
{
    char config[300];

    snprintf(config, sizeof(config), "{\"storage\": \"%s\", \"seed\": 2, "
             "\"resume\": true}", path);
    return study_try(ctx, space, config, study);
}

#define TRIALS 3

/* Everything that writes, as far as it goes; told[] are acknowledged. 1 if
 * nothing failed. */
static int32_t use_study(int32_t *told)
{
    mopt_study *study = NULL;
    int32_t fine, i;

    if (try_open(&study) != MOPT_OK)
        return 0;
    fine = mopt_study_enqueue(study, "{\"lr\": 0.01}") == MOPT_OK;
    fine &= mopt_study_set_note(study, "n", "1") == MOPT_OK;
    for (i = 0; i < TRIALS; i++) {
        mopt_trial *trial = NULL;
        double value = i;
        const double constraint = -1;

        if (mopt_study_ask(study, &trial) != MOPT_OK) {
            fine = 0;
            continue;
        }
        fine &= mopt_trial_report(trial, 0, 1) == MOPT_OK;
        fine &= mopt_trial_set_note(trial, "n", "1") == MOPT_OK;
        fine &= mopt_trial_set_constraints(trial, &constraint, 1) == MOPT_OK;
        if (mopt_study_tell(study, trial, MOPT_TRIAL_COMPLETE, &value,
                            NULL) == MOPT_OK)
            told[mopt_trial_number(trial)] = 1;
        else
            fine = 0;
        mopt_trial_free(trial);
    }
    mopt_study_free(study);
    return fine;
}

/* The file can be opened, is whole, and has what was acknowledged. */
static void check_file(const int32_t *told)
{
    mopt_study *study = NULL;
    mopt_trial *trial = NULL;
    sqlite3 *db;
    sqlite3_stmt *statement;
    int32_t i;

    kit_ok(try_open(&study));
    for (i = 0; i < TRIALS + 2; i++) {
        if (!told[i])
            continue;
        kit_ok(mopt_study_trial(study, i, &trial));
        ck_assert_int_eq(mopt_trial_state(trial), MOPT_TRIAL_COMPLETE);
        mopt_trial_free(trial);
    }
    kit_ok(mopt_study_ask(study, &trial));
    mopt_trial_free(trial);
    mopt_study_free(study);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1,
                                        &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

START_TEST(no_acknowledged_trial_is_lost)
{
    static const int codes[] = {SQLITE_IOERR_WRITE, SQLITE_FULL};
    int32_t told[TRIALS + 2], fine = 0, failed = 0;
    int64_t at;

    fault.code = codes[_i % 2];
    fault.forever = _i / 2;
    for (at = 0; !fine; at += at < 40 ? 1 : 7) {
        new_file();
        memset(told, 0, sizeof(told));
        fault.calls = 0;
        fault.at = at;
        fine = use_study(told);
        /* Through without meeting the fault: the end of the sweep. */
        fine = fine && fault.calls <= at;
        failed += !fine;
        fault.at = -1;
        check_file(told);
        ck_assert_int_lt(at, 100000);
    }
    ck_assert_int_gt(failed, 30);
}
END_TEST

/* The whole content of a file. */
static char *slurp(const char *name, size_t *size)
{
    FILE *file = fopen(name, "rb");
    char *data;

    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    data = malloc(*size);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

START_TEST(damaged_files)
{
    int32_t told[TRIALS + 2] = {0}, round, i;
    char *data, *broken;
    size_t size, cut;
    moi_rng rng;

    new_file();
    ck_assert_int_eq(use_study(told), 1);
    data = slurp(path, &size);
    broken = malloc(size);
    moi_rng_init(&rng, 17, (uint32_t)_i, MOI_RNG_SAMPLE, 0);
    for (round = 0; round < 60; round++) {
        mopt_study *study = NULL;
        mopt_trial *trial = NULL;
        char buf[100];

        memcpy(broken, data, size);
        cut = size;
        for (i = 0; i < 1 + (round % 20); i++)
            broken[moi_rng_below(&rng, size)] = (char)moi_rng_u32(&rng);
        if (round % 5 == 0)
            cut = moi_rng_below(&rng, size);
        new_file();
        kit_write(path, broken, cut);
        mopt_study_list(ctx, path, buf, sizeof(buf), NULL);
        if (try_open(&study) != MOPT_OK)
            continue;
        if (mopt_study_ask(study, &trial) == MOPT_OK)
            mopt_trial_free(trial);
        mopt_study_to_json(study, buf, sizeof(buf), NULL);
        mopt_study_free(study);
    }
    free(data);
    free(broken);
}
END_TEST

/* Allocations of ours that fail, once and from then on. */
START_TEST(allocations_fail)
{
    int32_t told[TRIALS + 2], through = 0, failed = 0;
    int64_t at, before;

    for (at = 0; !through; at += at < 60 ? 1 : 9) {
        new_file();
        memset(told, 0, sizeof(told));
        before = kit_allocations();
        kit_fail_allocation(at, _i);
        failed += !use_study(told);
        through = kit_allocations() - before <= at;
        kit_fail_allocation(-1, 0);
        check_file(told);
        ck_assert_int_lt(at, 10000);
    }
    ck_assert_int_gt(failed, 30);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 100);
    tcase_add_loop_test(tc, no_acknowledged_trial_is_lost, 0, 4);
    tcase_add_loop_test(tc, damaged_files, 0, 3);
    tcase_add_loop_test(tc, allocations_fail, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
