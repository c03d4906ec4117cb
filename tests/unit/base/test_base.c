/* SPDX-License-Identifier: MIT
 * tests/unit/base/test_base.c: numbers, texts, random numbers, clock, memory,
 * threads, cancel tokens and status codes. */
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/threads.h"
#include "kit.h"

/* The known answers of the authors' Random123 package (kat_vectors). */
START_TEST(philox_known_answers)
{
    static const uint32_t want[3][4] = {
        {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    moi_rng rngs[3] = {
        {.used = 4},
        {{~0u, ~0u}, {~0u, ~0u, ~0u, ~0u}, {0}, 4},
        {{0xa4093822, 0x299f31d0},
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0}, 4},
    };
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            ck_assert_uint_eq(moi_rng_u32(&rngs[i]), want[i][j]);
}
END_TEST

START_TEST(rng_fill_and_seek_agree_with_drawing)
{
    moi_rng a, b;
    uint32_t filled[101];
    moi_rng_init(&a, 7, 1, MOI_RNG_DROPOUT, 3);
    b = a;
    filled[0] = moi_rng_u32(&a);
    moi_rng_fill(&a, filled + 1, 100);
    for (int i = 0; i < 101; i++)
        ck_assert_uint_eq(filled[i], moi_rng_u32(&b));
    moi_rng_seek(&b, 5);
    ck_assert_uint_eq(moi_rng_u32(&b), filled[20]);
}
END_TEST

START_TEST(rng_streams_differ)
{
    moi_rng base, other;
    uint32_t keys[][4] = {{1, 0, 1, 0}, {0, 1, 1, 0}, {0, 0, 2, 0},
                          {0, 0, 1, 1}};
    for (int i = 0; i < 4; i++) {
        moi_rng_init(&base, 0, 0, 1, 0);
        moi_rng_init(&other, keys[i][0], keys[i][1], keys[i][2], keys[i][3]);
        ck_assert_uint_ne(moi_rng_u64(&base), moi_rng_u64(&other));
    }
}
END_TEST

START_TEST(rng_moments)
{
    moi_rng rng;
    enum { N = 200000 };
    double sum = 0, squares = 0, uniform = 0;
    int64_t bins[7] = {0};
    moi_rng_init(&rng, 42, 0, MOI_RNG_INIT, 0);
    for (int i = 0; i < N; i++) {
        double x = moi_rng_normal(&rng);
        sum += x;
        squares += x * x;
        uniform += moi_rng_uniform(&rng);
        bins[moi_rng_below(&rng, 7)]++;
    }
    /* Five standard errors. */
    ck_assert_double_le(fabs(sum / N), 5 / sqrt(N));
    ck_assert_double_le(fabs(squares / N - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_le(fabs(uniform / N - 0.5), 5 * sqrt(1 / 12.0 / N));
    for (int i = 0; i < 7; i++)
        ck_assert_double_le(fabs((double)bins[i] - N / 7.0), 5 * sqrt(N / 7.0));
}
END_TEST

START_TEST(shuffle_is_a_permutation)
{
    moi_rng rng;
    int64_t items[100], seen[100] = {0}, moved = 0;
    for (int64_t i = 0; i < 100; i++)
        items[i] = i;
    moi_rng_init(&rng, 1, 0, MOI_RNG_SHUFFLE, 0);
    moi_rng_shuffle(&rng, items, 100);
    for (int64_t i = 0; i < 100; i++) {
        seen[items[i]]++;
        moved += items[i] != i;
    }
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(seen[i], 1);
    ck_assert_int_gt(moved, 80);
}
END_TEST

/* A double of random bits, NaN and infinity included. */
static double random_double(moi_rng *rng)
{
    uint64_t bits = moi_rng_u64(rng);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

START_TEST(numbers_survive_text)
{
    moi_rng rng;
    char text[MOI_NUMBER_SIZE];
    moi_rng_init(&rng, 3, 0, MOI_RNG_INIT, 0);
    for (int i = 0; i < 200000; i++) {
        double value = i % 2 ? random_double(&rng)
                             : floor(moi_rng_normal(&rng) * 1e4) / 1e3;
        double back = 0;
        moi_number_text(value, text);
        ck_assert_uint_lt(strlen(text), MOI_NUMBER_SIZE);
        ck_assert_int_eq(moi_number_parse(text, &back), 1);
        ck_assert_msg(back == value || (isnan(value) && isnan(back)),
                      "%s came back as %.17g", text, back);
    }
    ck_assert_str_eq(moi_number_text(0.1, text), "0.1");
    ck_assert_str_eq(moi_number_text(1e21, text), "1e+21");
}
END_TEST

/* Against the C library, on the texts that people write. */
START_TEST(numbers_read_as_strtod)
{
    moi_rng rng;
    char text[80];
    moi_rng_init(&rng, 4, 0, MOI_RNG_INIT, 0);
    for (int i = 0; i < 100000; i++) {
        int digits = (int)moi_rng_below(&rng, 30) + 1;
        int at = 0;
        if (moi_rng_below(&rng, 2))
            text[at++] = '-';
        for (int d = 0; d < digits; d++) {
            text[at++] = (char)('0' + moi_rng_below(&rng, 10));
            if (d == digits / 2)
                text[at++] = '.';
        }
        sprintf(text + at, "e%d", (int)moi_rng_below(&rng, 640) - 320);
        double mine = 0;
        ck_assert_uint_eq(moi_number_read(text, strlen(text), &mine),
                          strlen(text));
        ck_assert_msg(mine == strtod(text, NULL), "%s read as %.17g", text,
                      mine);
    }
}
END_TEST

START_TEST(numbers_refuse_what_is_none)
{
    static const char *const bad[] = {"", " ", "-", ".", "e5", "1e", "1e+",
                                      "1.2.3", "0x10", "1 2", "in", "--1"};
    double value;
    int64_t whole;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!moi_number_parse(bad[i], &value), "'%s'", bad[i]);
    ck_assert(!moi_number_parse_int("9223372036854775808", &whole));
    ck_assert(moi_number_parse_int("-9223372036854775808", &whole));
    ck_assert(whole == INT64_MIN);
    ck_assert(!moi_number_parse_int("1.0", &whole));
    ck_assert_uint_eq(moi_number_read("12,5", 4, &value), 2);
    ck_assert(moi_number_parse(" 1e400 ", &value) && isinf(value));
}
END_TEST

START_TEST(numbers_ignore_the_locale)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8",
                                        "nl_NL.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < 4 && set == NULL; i++)
        set = setlocale(LC_ALL, names[i]);
    if (set == NULL)
        return; /* no such locale on this machine */
    char text[MOI_NUMBER_SIZE];
    double value;
    ck_assert_str_eq(moi_number_text(1.5, text), "1.5");
    ck_assert(moi_number_parse("0.1000000000000000055511151231", &value));
    ck_assert(value == 0.1);
    setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(text_distances)
{
    ck_assert_int_eq(moi_text_distance("kitten", "sitting"), 3);
    ck_assert_int_eq(moi_text_distance("", "abc"), 3);
    ck_assert_int_eq(moi_text_distance("abcd", "abdc"), 1);
    ck_assert_int_eq(moi_text_distance("same", "same"), 0);
}
END_TEST

START_TEST(text_globs)
{
    ck_assert(moi_text_glob("*", ""));
    ck_assert(moi_text_glob("layers.0.*", "layers.0.weight"));
    ck_assert(!moi_text_glob("layers.0.*", "layers.10.weight"));
    ck_assert(moi_text_glob("*.bias", "layers.3.bias"));
    ck_assert(moi_text_glob("a*b*c", "aXbXbc"));
    ck_assert(!moi_text_glob("a*b*c", "aXbX"));
    ck_assert(moi_text_glob("l?yer", "layer"));
    ck_assert(!moi_text_glob("", "x"));
}
END_TEST

START_TEST(texts_are_copied_out_by_the_rule)
{
    char buf[6] = "?????";
    size_t needed = 0;
    kit_ok(moi_copy_out("hello", NULL, 0, &needed));
    ck_assert_uint_eq(needed, 6);
    kit_ok(moi_copy_out("hello", buf, 6, NULL));
    ck_assert_str_eq(buf, "hello");
    kit_fails(moi_copy_out("hello", buf, 3, &needed), MOPT_ERANGE);
    ck_assert_str_eq(buf, "he");
    ck_assert_uint_eq(needed, 6);
    kit_fails(moi_copy_out("hello", NULL, 3, NULL), MOPT_EINVAL);
}
END_TEST

START_TEST(texts_are_quoted_as_json)
{
    mopt_context *ctx = kit_begin();
    moi_text text;
    moi_text_init(&text, ctx);
    moi_text_add_quoted(&text, "a\"b\\c\n\t\x01\xC3\xA9");
    ck_assert_str_eq(moi_text_get(&text),
                     "\"a\\\"b\\\\c\\n\\t\\u0001\xC3\xA9\"");
    moi_text_free(&text);
    kit_end(ctx);
}
END_TEST

START_TEST(clock_round_trip)
{
    char text[MOI_CLOCK_TEXT];
    int64_t back;
    /* Known dates: the epoch, a leap day, the last second before 2000. */
    ck_assert_str_eq(moi_clock_text(0, text), "1970-01-01 00:00:00.000000");
    ck_assert_str_eq(moi_clock_text(INT64_C(951782400000001), text),
                     "2000-02-29 00:00:00.000001");
    ck_assert_str_eq(moi_clock_text(INT64_C(946684799999999), text),
                     "1999-12-31 23:59:59.999999");
    moi_rng rng;
    moi_rng_init(&rng, 5, 0, MOI_RNG_INIT, 0);
    for (int i = 0; i < 10000; i++) {
        int64_t at = (int64_t)moi_rng_below(&rng, UINT64_C(4000000000000000));
        ck_assert_int_eq(moi_clock_parse(moi_clock_text(at, text), &back), 1);
        ck_assert_int_eq(at, back);
    }
    ck_assert(moi_clock_parse("2026-01-02 03:04:05", &back));
    ck_assert(moi_clock_parse("2026-01-02T03:04:05.5", &back));
    ck_assert(!moi_clock_parse("2026-01-02", &back));
    ck_assert(!moi_clock_parse("2026-13-02 03:04:05", &back));
    ck_assert(!moi_clock_parse("2026-01-02 03:04:05.", &back));
}
END_TEST

START_TEST(memory_is_aligned_and_checked)
{
    mopt_context *ctx = kit_begin();
    for (int64_t size = 0; size < 300; size += 7) {
        char *block = moi_calloc(ctx, size, 1);
        ck_assert_uint_eq((uintptr_t)block % MOI_ALIGN, 0);
        for (int64_t i = 0; i < size; i++)
            ck_assert_int_eq(block[i], 0);
        block = moi_realloc(ctx, block, size + 100, 1);
        ck_assert_uint_eq((uintptr_t)block % MOI_ALIGN, 0);
        moi_free(ctx, block);
    }
    ck_assert_ptr_null(moi_alloc(ctx, INT64_MAX, 8));
    ck_assert_int_eq(mopt_last_code(), MOPT_ENOMEM);
    ck_assert_ptr_null(moi_alloc(ctx, -1, 1));
    int64_t product;
    kit_fails(moi_multiply(INT64_MAX, 2, "rows", &product), MOPT_ERANGE);
    kit_says("rows");
    kit_end(ctx);
}
END_TEST

/* ---- threads ---- */

typedef struct tally {
    mopt_context *ctx;
    atomic_int done[1000], busy[8];
} tally;

static void count_one(void *work, int64_t task)
{
    tally *t = work;
    atomic_fetch_add(&t->done[task], 1);
}

static void count_nested(void *work, int64_t task)
{
    tally *t = work;
    (void)task;
    ck_assert_int_eq(moi_parallel_width(t->ctx), 1);
    moi_parallel(t->ctx, 10, 0, count_one, t);
}

static void set_threads(mopt_context *ctx, int64_t threads)
{
    mopt_config *config;
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_ok(mopt_config_set_int(config, "threads", threads));
    kit_ok(mopt_context_configure(ctx, config));
    mopt_config_free(config);
}

START_TEST(parallel_does_each_task_once)
{
    mopt_context *ctx = kit_begin();
    tally *t = calloc(1, sizeof *t);
    set_threads(ctx, 4);
    t->ctx = ctx;
    for (int round = 1; round <= 200; round++) {
        moi_parallel(ctx, 1000, 0, count_one, t);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(atomic_load(&t->done[i]), round);
    }
    memset(t->done, 0, sizeof t->done);
    moi_parallel(ctx, 20, 3, count_nested, t);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(atomic_load(&t->done[i]), 20);
    moi_parallel(ctx, 0, 0, count_one, t);
    free(t);
    kit_end(ctx);
}
END_TEST

static void *from_another_thread(void *work)
{
    tally *t = work;
    for (int i = 0; i < 50; i++)
        moi_parallel(t->ctx, 100, 0, count_one, t);
    return NULL;
}

START_TEST(parallel_from_several_threads)
{
    mopt_context *ctx = kit_begin();
    tally *t = calloc(1, sizeof *t);
    pthread_t threads[3];
    set_threads(ctx, 3);
    t->ctx = ctx;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, from_another_thread, t), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(atomic_load(&t->done[i]), 150);
    free(t);
    kit_end(ctx);
}
END_TEST

START_TEST(parallel_without_memory_works_alone)
{
    mopt_context *ctx = kit_begin();
    tally *t = calloc(1, sizeof *t);
    set_threads(ctx, 4);
    kit_fail_allocation(0, 1);
    moi_parallel(ctx, 50, 0, count_one, t);
    kit_fail_allocation(-1, 0);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(atomic_load(&t->done[i]), 1);
    free(t);
    kit_end(ctx);
}
END_TEST

START_TEST(threads_cannot_change_under_way)
{
    mopt_context *ctx = kit_begin();
    mopt_config *config;
    tally *t = calloc(1, sizeof *t);
    set_threads(ctx, 2);
    moi_parallel(ctx, 10, 0, count_one, t);
    kit_ok(mopt_config_create(ctx, "context", &config));
    kit_fails(mopt_context_configure(ctx, config), MOPT_ESTATE);
    mopt_config_free(config);
    free(t);
    kit_end(ctx);
}
END_TEST

/* Pieces from 300 on fail, each with its number. */
static int32_t piece_of_tally(void *work, int32_t lane, int64_t piece)
{
    tally *t = work;
    ck_assert_int_eq(atomic_fetch_add(&t->busy[lane], 1), 0);
    atomic_fetch_add(&t->done[piece], 1);
    atomic_fetch_sub(&t->busy[lane], 1);
    return piece < 300 ? MOPT_OK
                       : moi_fail(MOPT_EIO, "piece %d", (int)piece);
}

/* All before the first failure are done, once each, and it is the one that is
 * told; later ones do not begin. Lanes are never shared. */
START_TEST(shared_pieces_and_their_failures)
{
    mopt_context *ctx = kit_begin();
    tally *t = calloc(1, sizeof *t);
    set_threads(ctx, 4);
    t->ctx = ctx;
    ck_assert_int_eq(moi_parallel_width(ctx), 4);
    for (int lanes = 1; lanes <= 5; lanes++) {
        memset(t->done, 0, sizeof t->done);
        kit_ok(moi_share(ctx, lanes, 300, piece_of_tally, t));
        kit_fails(moi_share(ctx, lanes, 900, piece_of_tally, t), MOPT_EIO);
        kit_says("piece 300");
        for (int i = 0; i < 300; i++)
            ck_assert_int_eq(atomic_load(&t->done[i]), 2);
        ck_assert_int_eq(atomic_load(&t->done[899]), 0);
    }
    kit_ok(moi_share(ctx, 4, 0, piece_of_tally, t));
    free(t);
    kit_end(ctx);
}
END_TEST

/* ---- the context and its tokens ---- */

START_TEST(cancel_tokens)
{
    mopt_context *ctx = kit_begin();
    mopt_cancel *cancel = NULL;
    kit_ok(mopt_cancel_create(ctx, &cancel));
    ck_assert_int_eq(mopt_cancel_requested(cancel), 0);
    kit_ok(moi_cancel_check(cancel));
    kit_ok(moi_cancel_check(NULL));
    mopt_cancel_request(cancel);
    ck_assert_int_eq(mopt_cancel_requested(cancel), 1);
    kit_fails(moi_cancel_check(cancel), MOPT_ECANCELED);
    mopt_cancel_reset(cancel);
    kit_ok(moi_cancel_check(cancel));
    mopt_cancel_free(cancel);
    mopt_cancel_request(NULL);
    mopt_cancel_free(NULL);
    kit_fails(mopt_cancel_create(NULL, &cancel), MOPT_EINVAL);
    kit_fails(mopt_cancel_create(ctx, NULL), MOPT_EINVAL);
    kit_end(ctx);
}
END_TEST

START_TEST(context_lives_as_long_as_its_objects)
{
    mopt_context *ctx = kit_begin();
    mopt_cancel *cancel;
    kit_ok(mopt_cancel_create(ctx, &cancel));
    mopt_context_free(ctx);
    mopt_cancel_request(cancel);
    moi_context_hold(ctx);
    mopt_cancel_free(cancel);
    kit_end(ctx);
}
END_TEST

static void log_into(void *user, int32_t level, const char *component,
                     const char *message)
{
    snprintf(user, 200, "%d %s %s", level, component, message);
}

static void note_destroyed(void *user)
{
    strcpy(user, "destroyed");
}

START_TEST(logging)
{
    mopt_context *ctx = kit_begin();
    char line[200] = "";
    kit_ok(mopt_context_set_log(ctx, log_into, line, note_destroyed));
    moi_log(ctx, MOPT_LOG_WARN, "train", "%d steps", 3);
    ck_assert_str_eq(line, "2 train 3 steps");
    moi_log(ctx, MOPT_LOG_DEBUG, "train", "too fine");
    ck_assert_str_eq(line, "2 train 3 steps");
    kit_ok(mopt_context_set_log(ctx, NULL, NULL, NULL));
    ck_assert_str_eq(line, "destroyed");
    kit_end(ctx);
}
END_TEST

START_TEST(info_is_json)
{
    mopt_context *ctx = kit_begin();
    char text[2000], version[40];
    int32_t major, minor, patch;
    mopt_version(&major, &minor, &patch);
    mopt_version(NULL, NULL, NULL);
    snprintf(version, sizeof version, "\"version\": \"%d.%d.%d\"", major, minor,
             patch);
    kit_ok(mopt_context_info(ctx, text, sizeof text, NULL));
    ck_assert_ptr_nonnull(strstr(text, version));
    ck_assert_ptr_nonnull(strstr(text, "\"reference\""));
    kit_fails(mopt_context_info(ctx, text, 10, NULL), MOPT_ERANGE);
    kit_fails(mopt_context_info(NULL, text, 10, NULL), MOPT_EINVAL);
    kit_end(ctx);
}
END_TEST

START_TEST(context_without_memory)
{
    mopt_context *ctx = kit_begin();
    mopt_cancel *cancel = NULL;
    char text[2000];
    kit_fail_allocation(0, 1);
    kit_fails(mopt_cancel_create(ctx, &cancel), MOPT_ENOMEM);
    kit_fails(mopt_context_info(ctx, text, sizeof text, NULL), MOPT_ENOMEM);
    ck_assert_ptr_null(cancel);
    kit_end(ctx);
}
END_TEST

START_TEST(status_codes_have_names)
{
    ck_assert_str_eq(mopt_status_name(MOPT_OK), "MOPT_OK");
    ck_assert_str_eq(mopt_status_name(MOPT_EDIVERGED), "MOPT_EDIVERGED");
    ck_assert_str_eq(mopt_status_name(12345), "MOPT_UNKNOWN");
    ck_assert_ptr_nonnull(mopt_status_text(12345));
}
END_TEST

START_TEST(an_error_is_kept_over_others)
{
    char text[1024];
    moi_told told;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    moi_fail(MOPT_EPEER, "%s", text);
    moi_told_keep(&told);
    moi_fail(MOPT_EIO, "another");
    moi_told_restore(&told);
    ck_assert_int_eq(mopt_last_code(), MOPT_EPEER);
    ck_assert_str_eq(moi_last_text(), text);
}
END_TEST

START_TEST(messages_are_cut_between_characters)
{
    char longer[2001], got[2048];
    size_t needed;
    memset(longer, 'x', 2000);
    longer[2000] = '\0';
    for (int i = 0; i + 1 < 2000; i += 2)
        memcpy(longer + i, "\xC3\xA9", 2);
    moi_fail(MOPT_EINVAL, "x%s", longer);
    mopt_last_error(got, sizeof got, &needed);
    ck_assert_uint_eq(strlen(got) + 1, needed);
    ck_assert_uint_eq(strlen(got) % 2, 1); /* x and whole pairs */
    ck_assert_int_eq(mopt_last_code(), MOPT_EINVAL);
    moi_fail(MOPT_EKEY, "again: %s", moi_last_text());
    kit_says("again: x");
    moi_fail_at(MOPT_EKEY, "place %d: ", 7);
    kit_says("place 7: again: x");
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *texts = tcase_create("numbers and texts");
    tcase_add_test(texts, numbers_survive_text);
    tcase_add_test(texts, numbers_read_as_strtod);
    tcase_add_test(texts, numbers_refuse_what_is_none);
    tcase_add_test(texts, numbers_ignore_the_locale);
    tcase_add_test(texts, text_distances);
    tcase_add_test(texts, text_globs);
    tcase_add_test(texts, texts_are_copied_out_by_the_rule);
    tcase_add_test(texts, texts_are_quoted_as_json);
    tcase_add_test(texts, clock_round_trip);
    suite_add_tcase(suite, texts);
    TCase *random = tcase_create("random numbers");
    tcase_add_test(random, philox_known_answers);
    tcase_add_test(random, rng_fill_and_seek_agree_with_drawing);
    tcase_add_test(random, rng_streams_differ);
    tcase_add_test(random, rng_moments);
    tcase_add_test(random, shuffle_is_a_permutation);
    suite_add_tcase(suite, random);
    TCase *context = tcase_create("context");
    tcase_add_test(context, memory_is_aligned_and_checked);
    tcase_add_test(context, parallel_does_each_task_once);
    tcase_add_test(context, parallel_from_several_threads);
    tcase_add_test(context, parallel_without_memory_works_alone);
    tcase_add_test(context, threads_cannot_change_under_way);
    tcase_add_test(context, shared_pieces_and_their_failures);
    tcase_add_test(context, cancel_tokens);
    tcase_add_test(context, context_lives_as_long_as_its_objects);
    tcase_add_test(context, logging);
    tcase_add_test(context, info_is_json);
    tcase_add_test(context, context_without_memory);
    tcase_add_test(context, status_codes_have_names);
    tcase_add_test(context, messages_are_cut_between_characters);
    tcase_add_test(context, an_error_is_kept_over_others);
    suite_add_tcase(suite, context);
    return suite;
}
