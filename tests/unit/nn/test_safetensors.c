/* SPDX-License-Identifier: MIT
 * tests/unit/nn/test_safetensors.c: files of tensors there and back, and files
 * that lie. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kit.h"
#include "learn/format/safetensors.h"

/* A file in memory from its header and the size of its buffer. */
static char image[1 << 16];

static int64_t make(const char *header, int64_t buffer)
{
    uint64_t size = strlen(header);
    memcpy(image, &size, 8);
    memcpy(image + 8, header, size);
    for (int64_t i = 0; i < buffer; i++)
        image[8 + (int64_t)size + i] = (char)i;
    return 8 + (int64_t)size + buffer;
}

#define ENTRY(name, dtype, shape, begin, end)                                \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape                  \
    ",\"data_offsets\":[" begin "," end "]}"

/* ---- there and back ---- */

START_TEST(tensors_come_back)
{
    mopt_context *ctx = kit_begin();
    float f[6] = {1, -2, 0.5f, 1e-30f, 3e38f, 0};
    double d[2] = {1e300, -1};
    int64_t l[1] = {INT64_MIN};
    int32_t i32[2] = {-7, 8};
    int16_t i16[3] = {1, -1, 5};
    uint8_t u8[3] = {0, 128, 255};
    moi_tensor in[] = {
        {"u8", MOPT_U8, 1, {3}, 3, u8, 0},
        {"a.\"quoted\" \xc3\xa9", MOPT_F32, 2, {2, 3}, 24, f, 0},
        {"scalar", MOPT_F32, 0, {0}, 4, f + 1, 0},
        {"none", MOPT_F32, 3, {2, 0, 5}, 0, f, 0},
        {"d", MOPT_F64, 1, {2}, 16, d, 0},
        {"l", MOPT_I64, 1, {1}, 8, l, 0},
        {"i32", MOPT_I32, 1, {2}, 8, i32, 0},
        {"i16", MOPT_I16, 1, {3}, 6, i16, 0},
        {"bool", MOPT_BOOL, 1, {1}, 1, u8, 0},
        {"i8", MOPT_I8, 1, {2}, 2, u8, 0},
    };
    int64_t count = (int64_t)(sizeof in / sizeof in[0]);
    const char *path = kit_path("t.safetensors");
    json_t *metadata = json_pack("{ssss}", "key", "va\"lue\n", "empty", "");
    moi_safetensors *file = NULL;
    kit_ok(moi_safetensors_write(ctx, path, metadata, in, count));
    kit_ok(moi_safetensors_read(ctx, path, &file));
    ck_assert_int_eq(moi_safetensors_count(file), count);
    for (int64_t i = 0; i < count; i++) {
        const moi_tensor *out = moi_safetensors_find(file, in[i].name);
        ck_assert_ptr_nonnull(out);
        ck_assert_int_eq(out->type, in[i].type);
        ck_assert_int_eq(out->rank, in[i].rank);
        ck_assert_int_eq(out->bytes, in[i].bytes);
        for (int32_t k = 0; k < in[i].rank; k++)
            ck_assert_int_eq(out->shape[k], in[i].shape[k]);
        ck_assert_int_eq(memcmp(out->data, in[i].data, (size_t)in[i].bytes),
                         0);
    }
    ck_assert_str_eq(moi_safetensors_text(file, "key"), "va\"lue\n");
    ck_assert_str_eq(moi_safetensors_text(file, "empty"), "");
    ck_assert_ptr_null(moi_safetensors_text(file, "other"));
    ck_assert_ptr_null(moi_safetensors_find(file, "other"));
    moi_safetensors_free(file);
    /* The buffer starts at a multiple of 64 bytes. */
    FILE *stream = fopen(path, "rb");
    uint64_t size = 0;
    ck_assert_uint_eq(fread(&size, 1, 8, stream), 8);
    fclose(stream);
    ck_assert_uint_eq((size + 8) % 64, 0);
    /* No tensors, no texts. */
    kit_ok(moi_safetensors_write(ctx, path, NULL, NULL, 0));
    kit_ok(moi_safetensors_read(ctx, path, &file));
    ck_assert_int_eq(moi_safetensors_count(file), 0);
    moi_safetensors_free(file);
    json_decref(metadata);
    kit_end(ctx);
}
END_TEST

/* ---- reals of every kind ---- */

START_TEST(half_and_brain_floats)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = NULL;
    float out[8];
    static const uint16_t half[8] = {0x0000, 0x8000, 0x3C00, 0xC000,
                                     0x0001, 0x03FF, 0x7BFF, 0x3555};
    static const float want[8] = {0.0f, -0.0f, 1, -2, 0x1p-24f,
                                  0x1.ff8p-15f, 65504, 0x1.554p-2f};
    int64_t size = make("{" ENTRY("h", "F16", "[8]", "0", "16") "}", 16);
    memcpy(image + size - 16, half, 16);
    kit_ok(moi_safetensors_parse(ctx, image, size, &file));
    kit_ok(moi_tensor_floats(moi_safetensors_get(file, 0), out));
    ck_assert_mem_eq(out, want, sizeof want);
    moi_safetensors_free(file);
    static const uint16_t brain[2] = {0x3F80, 0xC049};
    size = make("{" ENTRY("b", "BF16", "[2]", "0", "4") "}", 4);
    memcpy(image + size - 4, brain, 4);
    kit_ok(moi_safetensors_parse(ctx, image, size, &file));
    kit_ok(moi_tensor_floats(moi_safetensors_get(file, 0), out));
    ck_assert_float_eq(out[0], 1);
    ck_assert_float_eq(out[1], -3.140625f);
    moi_safetensors_free(file);
    /* What is not finite, or not real. */
    static const uint16_t bad[3] = {0x7C00, 0xFC00, 0x7E01};
    for (int32_t i = 0; i < 3; i++) {
        size = make("{" ENTRY("h", "F16", "[1]", "0", "2") "}", 2);
        memcpy(image + size - 2, &bad[i], 2);
        kit_ok(moi_safetensors_parse(ctx, image, size, &file));
        kit_fails(moi_tensor_floats(moi_safetensors_get(file, 0), out),
                  MOPT_EFORMAT);
        moi_safetensors_free(file);
    }
    size = make("{" ENTRY("i", "I32", "[1]", "0", "4") "}", 4);
    kit_ok(moi_safetensors_parse(ctx, image, size, &file));
    kit_fails(moi_tensor_floats(moi_safetensors_get(file, 0), out),
              MOPT_EFORMAT);
    moi_safetensors_free(file);
    double wide = 1e300;
    size = make("{" ENTRY("d", "F64", "[1]", "0", "8") "}", 8);
    memcpy(image + size - 8, &wide, 8);
    kit_ok(moi_safetensors_parse(ctx, image, size, &file));
    kit_fails(moi_tensor_floats(moi_safetensors_get(file, 0), out),
              MOPT_EFORMAT);
    kit_says("value 0");
    moi_safetensors_free(file);
    kit_end(ctx);
}
END_TEST

/* ---- left where they are ---- */

#define MANY 40000 /* more than is read at a time */

START_TEST(pieces_are_fetched_from_anywhere)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = NULL;
    static float values[MANY], got[MANY + 1];
    static const int64_t cuts[][2] = {{0, 10}, {39000, 1000}, {5, 3},
                                      {100, 39000}, {7, 20000}, {20000, 1},
                                      {20001, 17000}, {0, MANY}};
    for (int i = 0; i < MANY; i++)
        values[i] = (float)i;
    moi_tensor tensor = {.name = "t", .type = MOPT_F32, .rank = 1,
                         .shape = {MANY}, .bytes = sizeof values,
                         .data = values};
    kit_ok(moi_safetensors_write(ctx, kit_path("many"), NULL, &tensor, 1));
    kit_ok(moi_safetensors_open(ctx, kit_path("many"), &file));
    const moi_tensor *found = moi_safetensors_find(file, "t");
    ck_assert_ptr_nonnull(found);
    ck_assert_ptr_null(found->data);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        kit_ok(moi_safetensors_fetch(file, found->place + 4 * cuts[i][0],
                                     4 * cuts[i][1], got));
        ck_assert_mem_eq(got, values + cuts[i][0],
                         (size_t)cuts[i][1] * sizeof *got);
    }
    kit_fails(moi_safetensors_fetch(file, found->place, (MANY + 1) * 4, got),
              MOPT_EFORMAT);
    moi_safetensors_free(file);
    kit_fails(moi_safetensors_open(ctx, kit_path("none"), &file),
              MOPT_ENOENT);
    kit_end(ctx);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *header;
    int64_t buffer;
    const char *says;
} wrong[] = {
    {"", 0, "header"},
    {"[]", 0, "header"},
    {" {}", 0, "header"},
    {"{", 0, "header: not JSON"},
    {"{} x", 0, "header"},
    {"{\"a\":1}", 0, "'a': it is not an object"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "," ENTRY("a", "F32", "[1]", "4",
                                                      "8") "}", 8,
     "uplicate"},
    {"{" ENTRY("a", "F31", "[1]", "0", "4") "}", 4, "\"F31\""},
    {"{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}}", 4,
     "dtype"},
    {"{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, "dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],"
     "\"more\":1}}", 4, "unknown"},
    {"{" ENTRY("a", "F32", "[-1]", "0", "4") "}", 4, "shape"},
    {"{" ENTRY("a", "F32", "[1.0]", "0", "4") "}", 4, "shape"},
    {"{" ENTRY("a", "F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "shape"},
    {"{" ENTRY("a", "F32", "[4611686018427387904]", "0", "4") "}", 4,
     "too large"},
    {"{" ENTRY("a", "U8", "[4294967296,4294967296]", "0", "4") "}", 4,
     "too large"},
    {"{" ENTRY("a", "F32", "[99999999999999999999]", "0", "4") "}", 4,
     "header"},
    {"{" ENTRY("a", "F32", "[2]", "0", "4") "}", 4, "take 8"},
    {"{" ENTRY("a", "F32", "[1]", "0", "8") "}", 8, "take 4"},
    {"{" ENTRY("a", "F32", "[1]", "4", "8") "}", 4, "lies at"},
    {"{" ENTRY("a", "F32", "[1]", "-4", "0") "}", 4, "lies at"},
    {"{" ENTRY("a", "F32", "[1]", "4", "0") "}", 8, "lies at"},
    {"{" ENTRY("a", "F32", "[1]", "0.0", "4") "}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]}}", 4,
     "data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "4", "8") "}", 8, "a hole"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "," ENTRY("b", "F32", "[1]", "8",
                                                      "12") "}", 12,
     "a hole"},
    {"{" ENTRY("a", "F32", "[2]", "0", "8") "," ENTRY("b", "F32", "[2]", "4",
                                                      "12") "}", 12,
     "an overlap"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "," ENTRY("b", "F32", "[1]", "0",
                                                      "4") "}", 4,
     "an overlap"},
    {"{" ENTRY("a", "F32", "[1]", "0", "4") "}", 5, "end at byte 4"},
    {"{}", 1, "end at byte 0"},
    {"{\"__metadata__\":[]}", 0, "__metadata__"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "not a text"},
    {"{\"\xff\":1}", 0, "header"},
    {"{\"a\\u0000\":1}", 0, "header"},
};

START_TEST(wrong_headers_are_refused)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = NULL;
    int64_t size = make(wrong[_i].header, wrong[_i].buffer);
    kit_fails(moi_safetensors_parse(ctx, image, size, &file), MOPT_EFORMAT);
    kit_says(wrong[_i].says);
    kit_write(kit_path("wrong"), image, (size_t)size);
    kit_fails(moi_safetensors_open(ctx, kit_path("wrong"), &file),
              MOPT_EFORMAT);
    kit_says(wrong[_i].says);
    ck_assert_ptr_null(file);
    kit_end(ctx);
}
END_TEST

START_TEST(wrong_sizes_are_refused)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = NULL;
    int64_t size = make("{" ENTRY("a", "F32", "[1]", "0", "4") "}", 4);
    for (int64_t cut = 0; cut < size; cut++) {
        kit_fails(moi_safetensors_parse(ctx, image, cut, &file),
                  MOPT_EFORMAT);
        kit_write(kit_path("cut"), image, (size_t)cut);
        kit_fails(moi_safetensors_open(ctx, kit_path("cut"), &file),
                  MOPT_EFORMAT);
    }
    static const uint64_t heads[] = {0, 1, 100000001, 1ull << 62, 1ull << 63,
                                     UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        memcpy(image, &heads[i], 8);
        kit_fails(moi_safetensors_parse(ctx, image, size, &file),
                  MOPT_EFORMAT);
    }
    /* A NUL in the middle of the header. */
    size = make("{     }", 0);
    image[10] = '\0';
    kit_fails(moi_safetensors_parse(ctx, image, size, &file), MOPT_EFORMAT);
    kit_fails(moi_safetensors_read(ctx, kit_path("none"), &file),
              MOPT_ENOENT);
    kit_end(ctx);
}
END_TEST

/* What others may write and we must read: spaces behind the header, tensors in
 * any order and at odd places, types that we do not know how to use. */
START_TEST(odd_but_right)
{
    mopt_context *ctx = kit_begin();
    moi_safetensors *file = NULL;
    float value = 0;
    int64_t size = make(
        "{" ENTRY("z", "F32", "[1]", "1", "5") "," ENTRY(
            "e", "F8_E4M3", "[1]", "0", "1") "," ENTRY("n", "U32", "[0]", "5",
                                                       "5") "}   ", 5);
    float pi = 3.25f;
    memcpy(image + size - 4, &pi, 4);
    kit_ok(moi_safetensors_parse(ctx, image, size, &file));
    ck_assert_int_eq(moi_safetensors_count(file), 3);
    kit_ok(moi_tensor_floats(moi_safetensors_find(file, "z"), &value));
    ck_assert_float_eq(value, 3.25f);
    ck_assert_int_eq(moi_safetensors_find(file, "e")->type, 0);
    moi_safetensors_free(file);
    kit_end(ctx);
}
END_TEST

/* ---- random damage ---- */

/* Bytes changed, cut out, doubled: either it is read, and then everything in
 * it lies inside, or it is refused. */
START_TEST(mutations)
{
    mopt_context *ctx = kit_begin();
    static const char header[] =
        "{\"__metadata__\":{\"k\":\"v\"}," ENTRY("a", "F32", "[2,2]", "0",
                                                 "16") "," ENTRY(
            "b", "F16", "[3]", "16", "22") "," ENTRY("c", "I64", "[]", "22",
                                                     "30") "}";
    static const char letters[] = "{}[]\":,0123456789-.eF\\u \xff\x80";
    static char copy[1024];
    moi_rng rng;
    int64_t size = make(header, 30), read = 0;
    moi_rng_init(&rng, 12, 0, MOI_RNG_GENERATE, 0);
    for (int32_t round = 0; round < 20000; round++) {
        int64_t length = size;
        memcpy(copy, image, (size_t)size);
        for (uint64_t k = 0, n = 1 + moi_rng_below(&rng, 3); k < n; k++) {
            uint64_t at = moi_rng_below(&rng, (uint64_t)length);
            uint64_t what = moi_rng_below(&rng, 4);
            if (what == 0)
                copy[at] = (char)moi_rng_below(&rng, 256);
            else if (what == 1)
                copy[at] = letters[moi_rng_below(&rng, sizeof letters - 1)];
            else if (what == 2)
                memmove(copy + at, copy + at + 1,
                        (size_t)(--length) - (size_t)at);
            else
                memmove(copy + at + 1, copy + at,
                        (size_t)(length++) - (size_t)at);
        }
        moi_safetensors *file = NULL;
        int64_t asked = kit_allocations();
        int32_t rc = moi_safetensors_parse(ctx, copy, length, &file);
        ck_assert_int_le(kit_allocations() - asked, 8);
        if (rc != MOPT_OK) {
            ck_assert_int_eq(rc, MOPT_EFORMAT);
            continue;
        }
        read++;
        int64_t sum = 0;
        for (int64_t i = 0; i < moi_safetensors_count(file); i++) {
            const moi_tensor *tensor = moi_safetensors_get(file, i);
            const char *bytes = tensor->data;
            for (int64_t k = 0; k < tensor->bytes; k++)
                sum += bytes[k]; /* a sanitizer looks on */
        }
        ck_assert_int_ge(sum + 128 * 1024, 0);
        moi_safetensors_free(file);
    }
    ck_assert_int_gt(read, 100);
    ck_assert_int_lt(read, 19900);
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("nn_safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_test(tests, tensors_come_back);
    tcase_add_test(tests, half_and_brain_floats);
    tcase_add_test(tests, pieces_are_fetched_from_anywhere);
    tcase_add_loop_test(tests, wrong_headers_are_refused, 0,
                        (int)(sizeof wrong / sizeof wrong[0]));
    tcase_add_test(tests, wrong_sizes_are_refused);
    tcase_add_test(tests, odd_but_right);
    tcase_add_test(tests, mutations);
    suite_add_tcase(suite, tests);
    return suite;
}
