/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_hostile.c: files that are truncated, lying, random or
 * hostile; failing reads; failing allocations, for every format.
 *
 * Each ends in a status and a message, never in a crash, and never takes more
 * memory than the file can be worth. */
#include <errno.h>
#include <math.h>
#include <zlib.h>

#include "base/context.h"
#include "base/file.h"
#include "base/rng.h"
#include "data_kit.h"

/* One valid file of each format, small enough to be changed byte by byte. */
static const char csv[] =
    "a,b,\"c, d\",y\n1,red,?,no\n-2.5e3,\"gr\"\"een\",4,yes\n"
    "3,red,,no\r\n\n4,blue,5,yes\n";
static const char arff[] =
    "% c\n@relation 'r s'\n@attribute a real\n@attribute b {x,'y z'}\n"
    "@attribute c {no,yes}\n@data\n1,x,no\n?,'y z',yes\n3e1,?,no\n";
static const char idx[] =
    "\0\0\x0d\x02\0\0\0\x03\0\0\0\x02"
    "\x3f\x80\0\0\x40\0\0\0\x40\x40\0\0\x40\x80\0\0\x40\xa0\0\0\x40\xc0\0\0";
static const char npy[] =
    "\x93NUMPY\x01\0\x3d\0"
    "{'descr': '<i2', 'fortran_order': True, 'shape': (3, 2), }  \n"
    "\1\0\2\0\3\0\4\0\5\0\6\0";

typedef struct format {
    const char *type, *bytes;
    size_t size;
} format;

static const format formats[] = {
    {"csv", csv, sizeof csv - 1},
    {"arff", arff, sizeof arff - 1},
    {"idx", idx, sizeof idx - 1},
    {"npy", npy, sizeof npy - 1},
};
#define FORMATS ((int)(sizeof formats / sizeof formats[0]))

/* An allocator that knows how many bytes are out, and the most there were. */
static size_t bytes_now, bytes_most;

static void *measure(void *user, void *ptr, size_t old_size, size_t new_size)
{
    void *block = NULL;

    (void)user;
    if (new_size > 0) {
        block = realloc(ptr, new_size);
        if (!block)
            return NULL;
    } else {
        free(ptr);
    }
    bytes_now += new_size - old_size;
    if (bytes_now > bytes_most)
        bytes_most = bytes_now;
    return block;
}

/* A file in memory, so that thousands of them cost no disk; its one descriptor
 * is larger than any of the system's. */
#define MEMORY 1000000
static const char *memory;
static int64_t memory_size, memory_at;

static int memory_open(void *user, const char *path, int flags, int mode)
{
    (void)user;
    memory_at = 0;
    return strcmp(path, "memory") == 0
               ? MEMORY : moi_file_system.open(NULL, path, flags, mode);
}

static int64_t memory_read(void *user, int fd, void *buf, int64_t count)
{
    (void)user;
    if (fd != MEMORY)
        return moi_file_system.read(NULL, fd, buf, count);
    if (count > memory_size - memory_at)
        count = memory_size - memory_at;
    if (count > 0)
        memcpy(buf, memory + memory_at, (size_t)count);
    memory_at += count;
    return count;
}

static int64_t memory_seek(void *user, int fd, int64_t offset, int whence)
{
    (void)user;
    if (fd != MEMORY)
        return moi_file_system.seek(NULL, fd, offset, whence);
    memory_at = offset + (whence == SEEK_END ? memory_size
                          : whence == SEEK_CUR ? memory_at : 0);
    return memory_at;
}

static int memory_close(void *user, int fd)
{
    (void)user;
    return fd == MEMORY ? 0 : moi_file_system.close(NULL, fd);
}

/* Load a file as a format, use the result, free everything. */
static int32_t use_file(mopt_context *ctx, const char *type, const char *path)
{
    mopt_dataset *data = NULL, *ready = NULL;
    mopt_transform *t = NULL;
    mopt_config *config = NULL;
    char json[1024];
    int64_t rows, features;
    int32_t rc;

    snprintf(json, sizeof json, "{\"source\": {\"type\": \"%s\", \"path\": "
             "\"%s\"}}", type, path);
    rc = mopt_config_create(ctx, "data", &config);
    if (!rc)
        rc = mopt_config_set_json(config, json);
    if (!rc)
        rc = mopt_dataset_load(ctx, config, MOPT_PART_TRAIN, &data);
    if (!rc)
        rc = mopt_transform_fit(data, config, &t);
    if (!rc)
        rc = mopt_transform_apply(t, data, &ready);
    if (!rc)
        rc = mopt_dataset_shape(ready, &rows, &features, NULL, NULL);
    if (!rc) {
        float *x = malloc((size_t)(rows * features) * sizeof *x);
        rc = mopt_dataset_read(ready, 0, rows, x, NULL);
        for (int64_t i = 0; !rc && i < rows * features; i++)
            ck_assert(isfinite(x[i]));
        free(x);
    }
    mopt_dataset_free(data);
    mopt_dataset_free(ready);
    mopt_transform_free(t);
    mopt_config_free(config);
    return rc;
}

/* The same for content; most: what the memory taken may be. */
static int32_t use_bytes(mopt_context *ctx, const char *type,
                         const void *bytes, size_t size, size_t most)
{
    char message[1024] = "";
    size_t before = bytes_now;
    int32_t rc;

    memory = bytes;
    memory_size = (int64_t)size;
    bytes_most = bytes_now;
    rc = use_file(ctx, type, "memory");
    ck_assert_msg(bytes_now == before, "%s: %zu bytes were not freed", type,
                  bytes_now - before);
    ck_assert_msg(bytes_most - before <= most, "%s: %zu bytes for a file of "
                  "%zu", type, bytes_most - before, size);
    mopt_last_error(message, sizeof message, NULL);
    ck_assert_msg(rc == MOPT_OK || rc == MOPT_EFORMAT || rc == MOPT_EINVAL ||
                  rc == MOPT_ERANGE || rc == MOPT_EUNSUPPORTED ||
                  rc == MOPT_EIO, "%s: %d: %s", type, (int)rc, message);
    ck_assert(rc == MOPT_OK || message[0]);
    return rc;
}

static mopt_context *begin(void)
{
    static moi_file_ops files;
    mopt_context *ctx = NULL;

    bytes_now = bytes_most = 0;
    kit_ok(mopt_context_create(measure, NULL, &ctx));
    files = moi_file_system;
    files.open = memory_open;
    files.read = memory_read;
    files.seek = memory_seek;
    files.close = memory_close;
    ctx->files = &files;
    return ctx;
}

static void end(mopt_context *ctx)
{
    mopt_context_free(ctx);
    ck_assert_uint_eq(bytes_now, 0);
}

/* What a small file may take: the rule is 64 times its size and 1 MB. */
#define MOST(size) (64 * (size) + (1 << 20))

/* Every file cut at every byte. */
START_TEST(test_truncated)
{
    mopt_context *ctx = begin();
    const format *f = &formats[_i];

    kit_ok(use_bytes(ctx, f->type, f->bytes, f->size, MOST(f->size)));
    for (size_t size = 0; size < f->size; size++)
        use_bytes(ctx, f->type, f->bytes, size, MOST(size));
    end(ctx);
}
END_TEST

/* Bytes changed, dropped, repeated, at random but from a seed. */
START_TEST(test_mutated)
{
    static const char spice[] = "\0\xff\"',;\n\r{}%@?\\ 0e-+.N\x80\x7f";
    mopt_context *ctx = begin();
    const format *f = &formats[_i];
    moi_rng rng;

    moi_rng_init(&rng, 1, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    for (int round = 0; round < 1500; round++) {
        char bytes[2048];
        size_t size = f->size;
        memcpy(bytes, f->bytes, size);
        for (uint64_t k = 0; k <= moi_rng_below(&rng, 6); k++) {
            size_t at = (size_t)moi_rng_below(&rng, size);
            size_t n = (size_t)moi_rng_below(&rng, size - at);
            switch (moi_rng_below(&rng, 5)) {
            case 0: bytes[at] = (char)moi_rng_u32(&rng); break;
            case 1: bytes[at] = spice[moi_rng_below(&rng, sizeof spice)];
                    break;
            case 2: bytes[at] = (char)(bytes[at] ^ 1 << moi_rng_below(&rng,
                                                                      8));
                    break;
            case 3: memmove(bytes + at, bytes + at + n, size - at - n);
                    size -= n;
                    break;
            default:
                if (size + n < sizeof bytes) {
                    memmove(bytes + at + n, bytes + at, size - at);
                    size += n;
                }
            }
            if (size == 0)
                break;
        }
        use_bytes(ctx, f->type, bytes, size, MOST(size));
    }
    end(ctx);
}
END_TEST

/* Nothing but random bytes, and one format read as another. */
START_TEST(test_random)
{
    mopt_context *ctx = begin();
    moi_rng rng;

    moi_rng_init(&rng, 2, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    for (int round = 0; round < 300; round++) {
        char bytes[512];
        size_t size = (size_t)moi_rng_below(&rng, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)moi_rng_u32(&rng);
        use_bytes(ctx, formats[_i].type, bytes, size, MOST(size));
    }
    for (int k = 0; k < FORMATS; k++)
        if (k != _i)
            ck_assert_int_ne(use_bytes(ctx, formats[_i].type,
                                       formats[k].bytes, formats[k].size,
                                       MOST(formats[k].size)), MOPT_OK);
    end(ctx);
}
END_TEST

/* The same files packed by gzip, cut and changed. */
START_TEST(test_packed)
{
    mopt_context *ctx = begin();
    const format *f = &formats[_i];
    unsigned char packed[4096];
    moi_rng rng;
    z_stream z = {0};
    size_t size;

    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 31, 8,
                                  Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)f->bytes;
    z.avail_in = (unsigned)f->size;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size = sizeof packed - z.avail_out;
    deflateEnd(&z);
    kit_ok(use_bytes(ctx, f->type, packed, size, 4 << 20));
    for (size_t cut = 3; cut < size; cut++)
        ck_assert_int_ne(use_bytes(ctx, f->type, packed, cut, 4 << 20),
                         MOPT_OK);
    moi_rng_init(&rng, 3, 0, MOI_RNG_GENERATE, (uint32_t)_i);
    for (int round = 0; round < 300; round++) {
        unsigned char bytes[4096];
        memcpy(bytes, packed, size);
        for (int k = 0; k < 3; k++)
            bytes[2 + moi_rng_below(&rng, size - 2)] =
                (unsigned char)moi_rng_u32(&rng);
        use_bytes(ctx, f->type, bytes, size, 4 << 20);
    }
    end(ctx);
}
END_TEST

/* A packed file whose header promises 100 GB: memory grows with what really
 * comes out, and then the promise is found broken. */
START_TEST(test_lying_gzip)
{
    static const unsigned char head[] = {0, 0, 8, 2, 0x05, 0xf5, 0xe1, 0,
                                         0,  0, 3, 0xe8};
    mopt_context *ctx = begin();
    char path[400];
    gzFile file;
    char zeros[1024] = {0};

    snprintf(path, sizeof path, "%s", kit_path("lie.gz"));
    file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    gzwrite(file, head, sizeof head);
    for (int i = 0; i < 1024; i++)
        gzwrite(file, zeros, sizeof zeros);
    gzclose(file);
    kit_fails(use_file(ctx, "idx", path), MOPT_EFORMAT);
    kit_says("promises 100000000000 bytes");
    ck_assert_uint_le(bytes_most, 4 << 20);
    end(ctx);
}
END_TEST

/* One record that never ends, and one with a million fields. */
START_TEST(test_endless_record)
{
    mopt_context *ctx = begin();
    const size_t size = 3000000;
    char *text = malloc(size);

    memset(text, 'x', size);
    text[0] = '"';
    use_bytes(ctx, "csv", text, size, 40 * size);
    kit_says("never closed");
    memset(text, ',', size);
    use_bytes(ctx, "csv", text, size, 80 * size);
    kit_says("fields");
    memset(text, '\n', size);
    use_bytes(ctx, "csv", text, size, 2 * size);
    kit_says("has no rows");
    free(text);
    end(ctx);
}
END_TEST

/* Every read, seek and open of the system failing in turn. */
typedef struct faults {
    moi_file_ops ops;
    int64_t calls, at;
} faults;

static int fails(faults *f)
{
    return f->calls++ == f->at;
}

static int fault_open(void *user, const char *path, int flags, int mode)
{
    return fails(user) ? -EACCES
                       : moi_file_system.open(moi_file_system.user, path,
                                              flags, mode);
}

static int64_t fault_read(void *user, int fd, void *buf, int64_t count)
{
    return fails(user) ? -EIO
                       : moi_file_system.read(moi_file_system.user, fd, buf,
                                              count);
}

static int64_t fault_seek(void *user, int fd, int64_t offset, int whence)
{
    return fails(user) ? -EIO
                       : moi_file_system.seek(moi_file_system.user, fd,
                                              offset, whence);
}

START_TEST(test_failing_files)
{
    mopt_context *ctx = begin();
    const format *f = &formats[_i];
    faults fault = {moi_file_system, 0, -1};
    const moi_file_ops *system = ctx->files;
    const char *path = kit_path("file");
    int32_t rc = MOPT_EIO;

    kit_write(path, f->bytes, f->size);
    fault.ops.user = &fault;
    fault.ops.open = fault_open;
    fault.ops.read = fault_read;
    fault.ops.seek = fault_seek;
    ctx->files = &fault.ops;
    for (fault.at = 0; rc; fault.at++) {
        fault.calls = 0;
        rc = use_file(ctx, f->type, path);
        if (rc) {
            ck_assert_int_eq(rc, MOPT_EIO);
            kit_says(path);
        }
    }
    ck_assert_int_gt(fault.at, 3);
    ctx->files = system;
    end(ctx);
}
END_TEST

/* Every allocation failing, once and forever. */
START_TEST(test_no_memory)
{
    mopt_context *ctx = kit_begin();
    const format *f = &formats[_i];
    char path[400];

    snprintf(path, sizeof path, "%s", kit_path("file"));
    kit_write(path, f->bytes, f->size);
    for (int32_t forever = 0; forever < 2; forever++) {
        int32_t rc = MOPT_ENOMEM;
        int64_t at;
        for (at = 0; rc; at++) {
            kit_fail_allocation(at, forever);
            rc = use_file(ctx, f->type, path);
            if (rc)
                ck_assert_int_eq(rc, MOPT_ENOMEM);
        }
        ck_assert_int_gt(at, 15);
    }
    kit_fail_allocation(-1, 0);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("hostile data");
    TCase *tests = tcase_create("hostile data");

    tcase_add_loop_test(tests, test_truncated, 0, FORMATS);
    tcase_add_loop_test(tests, test_mutated, 0, FORMATS);
    tcase_add_loop_test(tests, test_random, 0, FORMATS);
    tcase_add_loop_test(tests, test_packed, 0, FORMATS);
    tcase_add_test(tests, test_lying_gzip);
    tcase_add_test(tests, test_endless_record);
    tcase_add_loop_test(tests, test_failing_files, 0, FORMATS);
    tcase_add_loop_test(tests, test_no_memory, 0, FORMATS);
    suite_add_tcase(suite, tests);
    return suite;
}
