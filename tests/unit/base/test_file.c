/* SPDX-License-Identifier: MIT
 * tests/unit/base/test_file.c: reading plain and gzip files, and writing so
 * that a failure at any call leaves the old content. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kit.h"

static mopt_context *ctx;

static void begin(void)
{
    ctx = kit_begin();
}

static void end(void)
{
    kit_end(ctx);
}

/* Bytes that pack badly. */
static char *noise(int64_t size)
{
    char *bytes = malloc((size_t)size + 4);
    moi_rng rng;
    moi_rng_init(&rng, (uint64_t)size, 0, MOI_RNG_GENERATE, 0);
    for (int64_t i = 0; i < size; i++)
        bytes[i] = (char)moi_rng_below(&rng, 200);
    return bytes;
}

/* The content packed in as many gzip streams as pieces. */
static void write_gzip(const char *path, const char *bytes, int64_t size,
                       int pieces)
{
    remove(path);
    for (int i = 0; i < pieces; i++) {
        int64_t from = size * i / pieces, to = size * (i + 1) / pieces;
        gzFile file = gzopen(path, "ab");
        ck_assert_int_eq(gzwrite(file, bytes + from, (unsigned)(to - from)),
                         (int)(to - from));
        gzclose(file);
    }
}

static void check_content(const char *path, const char *bytes, int64_t size)
{
    char *got = NULL;
    int64_t length = 0;
    kit_ok(moi_file_read_all(ctx, path, size, &got, &length));
    ck_assert_int_eq(length, size);
    ck_assert_int_eq(memcmp(got, bytes, (size_t)size), 0);
    ck_assert_int_eq(got[size], 0);
    moi_free(ctx, got);
}

START_TEST(plain_and_packed_read_the_same)
{
    static const int64_t sizes[] = {0, 1, 2, 65535, 65536, 65537, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *bytes = noise(sizes[i]);
        const char *path = kit_path("content");
        kit_write(path, bytes, (size_t)sizes[i]);
        check_content(path, bytes, sizes[i]);
        for (int pieces = 1; pieces <= 3; pieces += 2) {
            write_gzip(path, bytes, sizes[i], pieces);
            check_content(path, bytes, sizes[i]);
        }
        free(bytes);
    }
}
END_TEST

START_TEST(cut_and_damaged_gzip_is_told)
{
    enum { SIZE = 50000 };
    char *bytes = noise(SIZE), *packed = NULL, *got = NULL;
    int64_t packed_size, size;
    const char *path = kit_path("packed");
    write_gzip(path, bytes, SIZE, 1);
    /* The packed bytes as they are: read behind a byte that hides the magic. */
    FILE *file = fopen(path, "rb");
    packed = malloc(2 * SIZE);
    packed_size = (int64_t)fread(packed, 1, 2 * SIZE, file);
    fclose(file);
    for (int64_t cut = 3; cut < packed_size; cut += 997) {
        kit_write(path, packed, (size_t)cut);
        kit_fails(moi_file_read_all(ctx, path, SIZE, &got, &size),
                  MOPT_EFORMAT);
        kit_says("cut off");
    }
    memset(packed + packed_size / 2, 0xFF, 300);
    kit_write(path, packed, (size_t)packed_size);
    kit_fails(moi_file_read_all(ctx, path, SIZE, &got, &size), MOPT_EFORMAT);
    ck_assert_ptr_null(got);
    free(packed);
    free(bytes);
}
END_TEST

START_TEST(limits_and_missing_files)
{
    char *got;
    int64_t size;
    moi_reader *reader;
    const char *path = kit_path("ten");
    kit_write(path, "0123456789", 10);
    kit_fails(moi_file_read_all(ctx, path, 9, &got, &size), MOPT_ERANGE);
    kit_fails(moi_file_read_all(ctx, kit_path("none"), 9, &got, &size),
              MOPT_ENOENT);
    kit_fails(moi_file_read_all(ctx, "/", 9, &got, &size), MOPT_EINVAL);
    char bytes[20];
    kit_ok(moi_reader_open(ctx, path, &reader));
    ck_assert_int_eq(moi_reader_disk_size(reader), 10);
    ck_assert_int_eq(moi_reader_packed(reader), 0);
    kit_ok(moi_reader_need(reader, bytes, 4));
    ck_assert_int_eq(moi_reader_offset(reader), 4);
    kit_fails(moi_reader_need(reader, bytes, 7), MOPT_EFORMAT);
    kit_says("1 bytes early");
    moi_reader_close(reader);
}
END_TEST

/* ---- a file system that fails at a call ---- */

static struct {
    int64_t calls, fail_at;
    int error;
    int short_writes;
} faults;

static int fails(void)
{
    return faults.calls++ == faults.fail_at;
}

static int f_open(void *u, const char *path, int flags, int mode)
{
    return fails() ? -faults.error
                   : moi_file_system.open(u, path, flags, mode);
}

static int64_t f_read(void *u, int fd, void *buf, int64_t count)
{
    return fails() ? -faults.error : moi_file_system.read(u, fd, buf, count);
}

static int64_t f_write(void *u, int fd, const void *buf, int64_t count)
{
    if (fails())
        return -faults.error;
    if (faults.short_writes && count > 1)
        count = count / 2;
    return moi_file_system.write(u, fd, buf, count);
}

static int64_t f_seek(void *u, int fd, int64_t offset, int whence)
{
    return fails() ? -faults.error
                   : moi_file_system.seek(u, fd, offset, whence);
}

static int f_sync(void *u, int fd)
{
    return fails() ? -faults.error : moi_file_system.sync(u, fd);
}

static int f_close(void *u, int fd)
{
    int result = moi_file_system.close(u, fd);
    return fails() ? -faults.error : result;
}

static int f_rename(void *u, const char *from, const char *to)
{
    return fails() ? -faults.error : moi_file_system.rename(u, from, to);
}

static int f_unlink(void *u, const char *path)
{
    return moi_file_system.unlink(u, path);
}

static const moi_file_ops faulty = {NULL,   f_open,  f_read,   f_write, f_seek,
                                    f_sync, f_close, f_rename, f_unlink};

static int files_in_folder(const char *path)
{
    char folder[400];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

START_TEST(a_failed_write_leaves_the_old_content)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT};
    const char *path = kit_path("kept");
    char *bytes = noise(100000);
    kit_ok(moi_file_write_all(ctx, path, "old", 3));
    int files = files_in_folder(path);
    ctx->files = &faulty;
    for (int e = 0; e < 3; e++) {
        int32_t status = MOPT_EIO;
        int64_t at = 0;
        for (; status != MOPT_OK && at < 100; at++) {
            faults.fail_at = -1;
            kit_ok(moi_file_write_all(ctx, path, "old", 3));
            faults.calls = 0;
            faults.fail_at = at;
            faults.error = errors[e];
            status = moi_file_write_all(ctx, path, bytes, 100000);
            faults.fail_at = -1;
            ck_assert(status == MOPT_OK || status == MOPT_EIO);
            char *got;
            int64_t size;
            kit_ok(moi_file_read_all(ctx, path, 200000, &got, &size));
            /* After the rename only the syncing of the folder can fail. */
            ck_assert(size == 100000 || (status != MOPT_OK && size == 3));
            moi_free(ctx, got);
            ck_assert_int_eq(files_in_folder(path), files);
        }
        ck_assert_int_eq(status, MOPT_OK);
        ck_assert_int_gt(at, 5);
    }
    free(bytes);
}
END_TEST

START_TEST(short_writes_are_continued)
{
    char *bytes = noise(10000);
    const char *path = kit_path("pieces");
    ctx->files = &faulty;
    faults.fail_at = -1;
    faults.short_writes = 1;
    kit_ok(moi_file_write_all(ctx, path, bytes, 10000));
    check_content(path, bytes, 10000);
    free(bytes);
}
END_TEST

START_TEST(a_failed_read_is_told)
{
    char *bytes = noise(200000), *got;
    const char *path = kit_path("unread");
    int64_t size, at = 0;
    int32_t status = MOPT_EIO;
    for (int packed = 0; packed <= 1; packed++) {
        if (packed)
            write_gzip(path, bytes, 200000, 1);
        else
            kit_write(path, bytes, 200000);
        ctx->files = &faulty;
        for (at = 0, status = MOPT_EIO; status != MOPT_OK && at < 100; at++) {
            faults.calls = 0;
            faults.fail_at = at;
            faults.error = EIO;
            status = moi_file_read_all(ctx, path, 200000, &got, &size);
            /* A failed closing after reading is no loss. */
            ck_assert(status == MOPT_OK || status == MOPT_EIO);
        }
        moi_free(ctx, got);
        ck_assert_int_gt(at, 4);
    }
    free(bytes);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    char *bytes = noise(200000), *got;
    int64_t size;
    const char *path = kit_path("memory");
    write_gzip(path, bytes, 200000, 2);
    for (int32_t forever = 0; forever <= 1; forever++) {
        int32_t status = MOPT_ENOMEM;
        int64_t at = 0;
        for (; status != MOPT_OK && at < 100; at++) {
            got = NULL;
            kit_fail_allocation(at, forever);
            status = moi_file_read_all(ctx, path, 200000, &got, &size);
            if (status == MOPT_OK)
                status = moi_file_write_all(ctx, kit_path("out"), got, size);
            kit_fail_allocation(-1, 0);
            moi_free(ctx, got);
            ck_assert(status == MOPT_OK || status == MOPT_ENOMEM);
        }
        ck_assert_int_eq(status, MOPT_OK);
        ck_assert_int_gt(at, 5);
    }
    free(bytes);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *all = tcase_create("file");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, plain_and_packed_read_the_same);
    tcase_add_test(all, cut_and_damaged_gzip_is_told);
    tcase_add_test(all, limits_and_missing_files);
    tcase_add_test(all, a_failed_write_leaves_the_old_content);
    tcase_add_test(all, short_writes_are_continued);
    tcase_add_test(all, a_failed_read_is_told);
    tcase_add_test(all, every_allocation_may_fail);
    suite_add_tcase(suite, all);
    return suite;
}
