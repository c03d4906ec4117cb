/* SPDX-License-Identifier: MIT
 * tests/unit/data/test_arrays.c: arrays in files: IDX and NPY. */
#include <math.h>
#include <zlib.h>

#include "data_kit.h"
#include "learn/data/dataset.h"

/* A file that is being written. */
typedef struct bytes {
    unsigned char data[4096];
    size_t size;
} bytes;

static void add(bytes *out, const void *from, size_t count)
{
    memcpy(out->data + out->size, from, count);
    out->size += count;
}

static void add_u32(bytes *out, uint32_t value)
{
    unsigned char b[] = {(unsigned char)(value >> 24),
                         (unsigned char)(value >> 16),
                         (unsigned char)(value >> 8), (unsigned char)value};
    add(out, b, 4);
}

/* A number as an element, most significant byte first if big. */
static void add_element(bytes *out, int32_t type, double value, int big)
{
    unsigned char b[8], turned[8];
    float f = (float)value;
    int16_t h = (int16_t)value;
    int32_t w = (int32_t)value;
    int64_t l = (int64_t)value;
    size_t size = 1;
    switch (type) {
    case MOPT_F32: memcpy(b, &f, size = 4); break;
    case MOPT_F64: memcpy(b, &value, size = 8); break;
    case MOPT_I16: memcpy(b, &h, size = 2); break;
    case MOPT_I32: memcpy(b, &w, size = 4); break;
    case MOPT_I64: memcpy(b, &l, size = 8); break;
    default: *b = (unsigned char)w; break;
    }
    for (size_t i = 0; i < size; i++)
        turned[i] = big ? b[size - 1 - i] : b[i];
    add(out, turned, size);
}

static void idx_head(bytes *out, int code, int dimensions, uint32_t a,
                     uint32_t b, uint32_t c)
{
    unsigned char head[] = {0, 0, (unsigned char)code,
                            (unsigned char)dimensions};
    uint32_t sizes[] = {a, b, c};
    out->size = 0;
    add(out, head, 4);
    for (int i = 0; i < dimensions && i < 3; i++)
        add_u32(out, sizes[i]);
}

static const char *save(const char *name, const bytes *file)
{
    const char *path = kit_path(name);
    kit_write(path, file->data, file->size);
    return path;
}

static int32_t load(mopt_context *ctx, const char *type, const char *path,
                    const char *labels, mopt_dataset **out)
{
    char first[400], second[400];
    snprintf(first, sizeof first, "%s", path);
    snprintf(second, sizeof second, "%s", labels);
    return data_load(ctx, MOPT_PART_TRAIN, out,
                     "{\"source\": {\"type\": \"%s\", \"path\": \"%s\", "
                     "\"labels\": \"%s\"}}", type, first, second);
}

static const double cells[] = {1, -2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static const struct {
    int code;
    int32_t type;
} idx_types[] = {
    {0x08, MOPT_U8},  {0x09, MOPT_I8},  {0x0b, MOPT_I16},
    {0x0c, MOPT_I32}, {0x0d, MOPT_F32}, {0x0e, MOPT_F64},
};

START_TEST(test_idx)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    double want[12];
    const double y[] = {1, 0, 1};
    const float numbers[] = {0.5f, 1, -1};
    bytes file, labels;
    float got[3];

    memcpy(want, cells, sizeof want);
    if (idx_types[_i].type == MOPT_U8)
        want[1] = 254;
    idx_head(&file, idx_types[_i].code, 3, 3, 2, 2);
    for (int i = 0; i < 12; i++)
        add_element(&file, idx_types[_i].type, cells[i], 1);
    idx_head(&labels, idx_types[_i].code, 1, 3, 0, 0);
    for (int i = 0; i < 3; i++)
        add_element(&labels, idx_types[_i].type,
                    idx_types[_i].code < 0x0d ? y[i] : (double)numbers[i], 1);
    kit_ok(load(ctx, "idx", save("x", &file), save("y", &labels), &data));
    data_is(data, 3, 4, want, NULL);
    kit_ok(mopt_dataset_read(data, 0, 3, NULL, got));
    for (int i = 0; i < 3; i++)
        ck_assert_float_eq(got[i], idx_types[_i].code < 0x0d ? (float)y[i]
                                                             : numbers[i]);
    mopt_dataset_free(data);
    data = NULL;
    kit_ok(load(ctx, "idx", save("x", &file), "", &data));
    data_says(data, "\"kind\": \"none\"");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

/* Bytes stay bytes: a set of images takes its size and little more. */
START_TEST(test_idx_gzip)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes head;
    unsigned char image[784];
    char path[400];
    float x[784];
    gzFile file;

    snprintf(path, sizeof path, "%s", kit_path("x.gz"));
    file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    idx_head(&head, 8, 3, 2000, 28, 28);
    gzwrite(file, head.data, (unsigned)head.size);
    for (int i = 0; i < 2000; i++) {
        memset(image, i % 251, sizeof image);
        gzwrite(file, image, sizeof image);
    }
    gzclose(file);
    kit_ok(load(ctx, "idx", path, "", &data));
    kit_ok(mopt_dataset_read(data, 1999, 1, x, NULL));
    ck_assert_float_eq(x[783], 1999 % 251);
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_idx)
{
    static const struct {
        int code, dimensions;
        uint32_t a, b, c;
        size_t follows;
        const char *says;
    } cases[] = {
        {0x07, 1, 3, 0, 0, 3, "no IDX file"},
        {0x0a, 1, 3, 0, 0, 3, "no IDX file"},
        {0x08, 0, 0, 0, 0, 3, "no IDX file"},
        {0x08, 2, 0, 4, 0, 0, "dimension 0 is 0"},
        {0x08, 2, 4, 0, 0, 0, "dimension 1 is 0"},
        {0x08, 3, 3, 2, 2, 11, "promises 12 bytes, but only 11"},
        {0x08, 3, 3, 2, 2, 13, "goes on at byte 28"},
        {0x08, 3, 0xffffffff, 0xffffffff, 0xffffffff, 9, ""},
        {0x08, 2, 0xffffffff, 0xffff, 0, 9, "only 9"},
        {0x08, 200, 1, 1, 1, 0, "4 bytes early"},
        {0x0d, 1, 2, 0, 0, 7, "promises 8 bytes, but only 7"},
    };
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes file = {{0}, 0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        idx_head(&file, cases[i].code, cases[i].dimensions, cases[i].a,
                 cases[i].b, cases[i].c);
        file.size += cases[i].follows;
        int32_t rc = load(ctx, "idx", save("x", &file), "", &data);
        ck_assert_msg(rc == MOPT_EFORMAT || rc == MOPT_ERANGE,
                      "case %d gave %d", (int)i, (int)rc);
        kit_says(cases[i].says);
        ck_assert_ptr_null(data);
    }
    for (size_t size = 0; size < 16; size++) {
        idx_head(&file, 8, 3, 3, 2, 2);
        file.size = size;
        kit_fails(load(ctx, "idx", save("x", &file), "", &data),
                  MOPT_EFORMAT);
    }
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_labels)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes file, labels;

    idx_head(&file, 8, 2, 3, 1, 0);
    add(&file, "\1\2\3", 3);
    idx_head(&labels, 8, 1, 2, 0, 0);
    add(&labels, "\1\0", 2);
    kit_fails(load(ctx, "idx", save("x", &file), save("y", &labels), &data),
              MOPT_EFORMAT);
    kit_says("2 labels for 3 rows");
    idx_head(&labels, 9, 1, 3, 0, 0);
    add(&labels, "\1\0\377", 3);
    kit_fails(load(ctx, "idx", save("x", &file), save("y", &labels), &data),
              MOPT_EFORMAT);
    kit_says("row 2 is -1");
    idx_head(&labels, 8, 2, 3, 2, 0);
    add(&labels, "\1\0\1\0\1\0", 6);
    kit_fails(load(ctx, "idx", save("x", &file), save("y", &labels), &data),
              MOPT_EFORMAT);
    kit_says("2 whole numbers a row");
    kit_fails(load(ctx, "idx", save("x", &file), "/nowhere/y", &data),
              MOPT_ENOENT);
    idx_head(&file, 0x0d, 1, 2, 0, 0);
    add_element(&file, MOPT_F32, 1, 1);
    add_element(&file, MOPT_F32, (double)INFINITY, 1);
    kit_fails(load(ctx, "idx", save("x", &file), "", &data), MOPT_EFORMAT);
    kit_says("row 1, column 0 holds Infinity");
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

/* A NPY file with a header of the given dict. */
static void npy(bytes *out, const char *dict, int version)
{
    size_t length = strlen(dict) + 1;
    unsigned char head[] = {0x93, 'N', 'U', 'M', 'P', 'Y',
                            (unsigned char)version, 0,
                            (unsigned char)(length & 255),
                            (unsigned char)(length >> 8), 0, 0};
    out->size = 0;
    add(out, head, version == 1 ? 10 : 12);
    add(out, dict, length - 1);
    add(out, "\n", 1);
}

static const struct {
    const char *descr;
    int32_t type;
    int big;
} npy_types[] = {
    {"<f4", MOPT_F32, 0}, {">f4", MOPT_F32, 1}, {"<f8", MOPT_F64, 0},
    {">f8", MOPT_F64, 1}, {"|u1", MOPT_U8, 0},  {"|i1", MOPT_I8, 0},
    {"<i2", MOPT_I16, 0}, {">i2", MOPT_I16, 1}, {"<i4", MOPT_I32, 0},
    {">i4", MOPT_I32, 1}, {"<i8", MOPT_I64, 0}, {">i8", MOPT_I64, 1},
    {"|b1", MOPT_BOOL, 0},
};

START_TEST(test_npy)
{
    mopt_context *ctx = kit_begin();
    int32_t type = npy_types[_i].type;
    bytes file;
    char dict[200];
    double want[12];

    for (int i = 0; i < 12; i++)
        want[i] = type == MOPT_BOOL ? 1
                  : type == MOPT_U8 && i == 1 ? 254 : cells[i];
    for (int version = 1; version <= 3; version++) {
        for (int fortran = 0; fortran < 2; fortran++) {
            mopt_dataset *data = NULL;
            snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': "
                     "%s, 'shape': (3, 2, 2), }    ", npy_types[_i].descr,
                     fortran ? "True" : "False");
            npy(&file, dict, version);
            for (int i = 0; i < 12; i++) {
                /* Column-major: the first index runs fastest. */
                int at = fortran ? i % 3 * 4 + i / 3 % 2 * 2 + i / 6 : i;
                add_element(&file, type, cells[at], npy_types[_i].big);
            }
            kit_ok(load(ctx, "npy", save("x.npy", &file), "", &data));
            data_is(data, 3, 4, want, NULL);
            mopt_dataset_free(data);
        }
    }
    kit_end(ctx);
}
END_TEST

START_TEST(test_npy_targets)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes x, y;
    const double want[] = {1, 2, 3}, classes[] = {2, 0, 1};

    /* Another order of members, double quotes, no blanks, one dimension. */
    npy(&x, "{\"shape\":(3,),\"descr\":\"<f8\",\"fortran_order\":True}", 1);
    npy(&y, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 1);
    for (int i = 0; i < 3; i++) {
        add_element(&x, MOPT_F64, want[i], 0);
        add_element(&y, MOPT_I64, classes[i], 0);
    }
    kit_ok(load(ctx, "npy", save("x.npy", &x), save("y.npy", &y), &data));
    data_is(data, 3, 1, want, classes);
    mopt_dataset_free(data);
    data = NULL;
    npy(&y, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", 1);
    for (int i = 0; i < 3; i++)
        add_element(&y, MOPT_F32, -want[i], 0);
    kit_ok(load(ctx, "npy", save("x.npy", &x), save("y.npy", &y), &data));
    data_says(data, "\"kind\": \"number\", \"numbers\": 1");
    mopt_dataset_free(data);
    kit_end(ctx);
}
END_TEST

static const struct {
    const char *dict, *says;
} wrong_npy[] = {
    {"", "no dict"},
    {"{", "no dict"},
    {"{}", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)} x",
     "no dict"},
    {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 2)}", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False}", "no dict"},
    {"{'descr': '<f4', 'descr': '<f4', 'shape': (3, 2)}", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, -2)}", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 2)}", "no dict"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': "
     "(99999999999999999999,)}", "no dict"},
    {"{'descr': '<f4x45678', 'fortran_order': False, 'shape': (3,)}",
     "no dict"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
     "no dict"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
     "its elements are '|O'"},
    {"{'descr': '<f2', 'fortran_order': False, 'shape': (3,)}", "'<f2'"},
    {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", "are ''"},
    {"{'descr': '<U5', 'fortran_order': False, 'shape': (3,)}", "astype"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "one number"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}",
     "dimension 0 is 0"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3)}",
     "promises 36 bytes, but only 24"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1)}", "goes on"},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (4000000000, "
     "4000000000)}", ""},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (1000000000, 1000)}",
     "only 24"},
};

START_TEST(test_wrong_npy)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes file;
    int32_t rc;

    npy(&file, wrong_npy[_i].dict, 1);
    for (int i = 0; i < 6; i++)
        add_element(&file, MOPT_F32, 1, 0);
    rc = load(ctx, "npy", save("x.npy", &file), "", &data);
    ck_assert(rc == MOPT_EFORMAT || rc == MOPT_ERANGE);
    kit_says(wrong_npy[_i].says);
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

START_TEST(test_wrong_npy_head)
{
    mopt_context *ctx = kit_begin();
    mopt_dataset *data = NULL;
    bytes file = {{0}, 0};

    kit_fails(load(ctx, "npy", save("x.npy", &file), "", &data),
              MOPT_EFORMAT);
    npy(&file, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 1);
    add_element(&file, MOPT_F32, 1, 0);
    for (size_t size = 0; size < file.size; size++) {
        bytes cut = file;
        cut.size = size;
        kit_fails(load(ctx, "npy", save("x.npy", &cut), "", &data),
                  MOPT_EFORMAT);
    }
    file.data[6] = 4;
    kit_fails(load(ctx, "npy", save("x.npy", &file), "", &data),
              MOPT_EFORMAT);
    kit_says("version 4.0");
    file.data[6] = 2;
    memset(file.data + 8, 0xff, 4);
    kit_fails(load(ctx, "npy", save("x.npy", &file), "", &data),
              MOPT_EFORMAT);
    kit_says("a header of 4294967295 bytes");
    ck_assert_ptr_null(data);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("arrays");
    TCase *tests = tcase_create("arrays");

    tcase_add_loop_test(tests, test_idx, 0, 6);
    tcase_add_test(tests, test_idx_gzip);
    tcase_add_test(tests, test_wrong_idx);
    tcase_add_test(tests, test_wrong_labels);
    tcase_add_loop_test(tests, test_npy, 0, 13);
    tcase_add_test(tests, test_npy_targets);
    tcase_add_loop_test(tests, test_wrong_npy, 0,
                        (int)(sizeof wrong_npy / sizeof wrong_npy[0]));
    tcase_add_test(tests, test_wrong_npy_head);
    suite_add_tcase(suite, tests);
    return suite;
}
