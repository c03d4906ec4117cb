/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_report.c: the HTML report: whole, harmless, needing
 * nothing else, and never half written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/write.h"
#include "run_kit.h"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    char *text = malloc(size + 1);
    rewind(file);
    ck_assert_uint_eq(fread(text, 1, size, file), size);
    text[size] = '\0';
    fclose(file);
    return text;
}

static int32_t is_void(const char *name)
{
    return strcmp(name, "meta") == 0 || strcmp(name, "wbr") == 0 ||
           strcmp(name, "!DOCTYPE") == 0;
}

/* Every element that is opened is closed, in order. */
static void is_balanced(const char *html)
{
    char stack[64][16];
    int32_t depth = 0;
    for (const char *at = strchr(html, '<'); at; at = strchr(at + 1, '<')) {
        char name[16] = "";
        int32_t closing = at[1] == '/';
        size_t length = strcspn(at + 1 + closing, " >/\n");
        ck_assert_uint_lt(length, sizeof name);
        memcpy(name, at + 1 + closing, length);
        const char *end = strchr(at, '>');
        ck_assert_ptr_nonnull(end);
        if (closing) {
            ck_assert_int_gt(depth, 0);
            depth--;
            ck_assert_str_eq(stack[depth], name);
        } else if (end[-1] != '/' && !is_void(name)) {
            ck_assert_int_lt(depth, 64);
            memcpy(stack[depth], name, sizeof name);
            depth++;
        }
    }
    ck_assert_int_eq(depth, 0);
}

static char *report_of(const char *json)
{
    mopt_recipe *recipe = parse(json);
    mopt_result *result = NULL;
    kit_ok(mopt_recipe_run(recipe, NULL, NULL, NULL, &result));
    kit_ok(mopt_result_report(result, kit_path("report.html")));
    mopt_result_free(result);
    mopt_recipe_free(recipe);
    return read_file(kit_path("report.html"));
}

static void has(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "no \"%s\"", piece);
}

static void lacks(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) == NULL, "there is \"%s\"", piece);
}

START_TEST(tells_the_whole_story)
{
    char json[4096];
    snprintf(json, sizeof json, "%.*s, \"description\": \"<script>x</script> "
             "& 'y' \\\"z\\\" \\u00fc\", \"constraints\": [{\"metric\": "
             "\"params\", \"max\": 100}]}", (int)strlen(SEARCHED) - 1,
             SEARCHED);
    char *html = report_of(json);
    is_balanced(html);
    /* What the recipe's author wrote is text. */
    has(html, "&lt;script&gt;x&lt;/script&gt; &amp; &#39;y&#39; "
              "&quot;z&quot; \xc3\xbc");
    lacks(html, "<script");
    /* Nothing is fetched. */
    lacks(html, "http");
    lacks(html, "src=");
    lacks(html, "href");
    lacks(html, "@import");
    lacks(html, "url(");
    has(html, "prefers-color-scheme:dark");
    has(html, "The winner");
    has(html, "How good it is");
    has(html, "Progress");
    has(html, "Learning curves");
    has(html, "What each parameter does");
    has(html, "All trials");
    has(html, "How to get it again");
    has(html, "optimizer");
    has(html, "<svg");
    has(html, "pruned"); /* 12 units are too many */
    lacks(html, "nan");
    lacks(html, "inf\"");
    free(html);
}
END_TEST

START_TEST(warm_starts_are_told)
{
    char *html = report_of(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\"}]}, "
        "\"train\": {\"epochs\": 3, \"batch_size\": {\"choice\": [8, 16, 32]"
        "}}, \"search\": {\"trials\": 4, \"warm_start\": {\"round\": 1}}}");
    is_balanced(html);
    has(html, ">epochs in all</th>");
    has(html, "<td class=\"n\">12</td>"); /* 3 by 4 in a line */
    has(html, ", started from trial ");
    free(html);
}
END_TEST

START_TEST(one_trial_needs_no_charts)
{
    char *html = report_of(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\"}]}, "
        "\"train\": {\"epochs\": 1}}");
    is_balanced(html);
    has(html, "The winner");
    lacks(html, "All trials");
    free(html);
}
END_TEST

#define SMALL(width) \
    "\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": " width \
    ", \"activation\": \"relu\"}, {\"type\": \"dense\"}]}, " \
    "\"train\": {\"epochs\": 2}"

START_TEST(distillation_is_told)
{
    char *html = report_of(
        "{" DATA ", " SMALL("4") ", \"distill\": {\"teacher\": {"
        SMALL("16") "}}, \"published\": {\"teacher\": 7, \"student\": "
        "\"<9>\"}}");
    is_balanced(html);
    has(html, "What was lost and won");
    has(html, "behind the teacher");
    has(html, "before labels alone");
    has(html, "fewer weights than the teacher");
    has(html, "<td>teacher</td>");
    has(html, "<td>student on labels alone</td>");
    has(html, "<td>distilled student</td>");
    has(html, "class=\"bar\"");
    has(html, "&lt;9&gt;");
    has(html, ">195<"); /* 8 * 16 + 16 + 16 * 3 + 3 weights */
    has(html, ">51<");
    lacks(html, "nan");
    free(html);
}
END_TEST

START_TEST(transfer_is_told)
{
    char *html = report_of(
        "{" DATA ", \"train\": {\"epochs\": 2}, \"finetune\": {\"source\": "
        "{" SMALL("16") "}, \"freeze\": \"layers.0.*\", \"source_data\": "
        "{\"source\": {\"type\": \"linear\", \"count\": 20, "
        "\"test_count\": 50, \"features\": 8, \"classes\": 3}}}}");
    is_balanced(html);
    has(html, "What was won and forgotten");
    has(html, "before training from scratch");
    has(html, "of the source's own task forgotten");
    has(html, "<td>source as it is</td>");
    has(html, "<td>trained from scratch</td>");
    has(html, "numbers trained, 26.2 % of the model's");
    has(html, "layers.<wbr>0.<wbr>weight, layers.<wbr>0.<wbr>bias");
    has(html, "after, with its own head");
    lacks(html, "nan");
    free(html);
}
END_TEST

START_TEST(cases_are_told)
{
    char *html = report_of(
        "{" DATA ", " SMALL("4") ", \"repeats\": 2, \"cases\": [{\"name\": "
        "\"<b>\", \"set\": {\"train.epochs\": 1}, \"published\": "
        "{\"accuracy\": 0.123}}, {}]}");
    is_balanced(html);
    has(html, "&lt;b&gt;");
    has(html, "case 2");
    has(html, "<small>\xc2\xb1 ");
    has(html, "0.123");
    has(html, "<b>4</b><span>runs");
    has(html, "How to get it again");
    lacks(html, "The winner");
    lacks(html, "nan");
    free(html);
}
END_TEST

START_TEST(a_failed_write_harms_nothing)
{
    mopt_recipe *recipe = parse(SEARCHED);
    mopt_result *result = run(recipe);
    kit_write(kit_path("old.html"), "old", 3);
    kit_fails(mopt_result_report(result, kit_path("none/new.html")),
              MOPT_ENOENT);
    kit_fails(mopt_result_report(result, NULL), MOPT_EINVAL);
    int32_t failures = 0;
    for (int64_t at = 0; at < 100000; at += 7) {
        kit_fail_allocation(at, 0);
        int32_t rc = mopt_result_report(result, kit_path("old.html"));
        kit_fail_allocation(-1, 0);
        if (rc == MOPT_OK)
            break;
        ck_assert_int_eq(rc, MOPT_ENOMEM);
        char *text = read_file(kit_path("old.html"));
        ck_assert_str_eq(text, "old");
        free(text);
        failures++;
    }
    ck_assert_int_gt(failures, 3);
    char *text = read_file(kit_path("old.html"));
    is_balanced(text);
    free(text);
    mopt_result_free(result);
    mopt_recipe_free(recipe);
}
END_TEST

/* --- Numbers for people --------------------------------------------------- */

typedef void (*writer)(moi_text *out, double value);

static void is_written(writer write, double value, const char *text)
{
    moi_text out;
    moi_text_init(&out, ctx);
    write(&out, value);
    ck_assert_str_eq(moi_text_get(&out), text);
    moi_text_free(&out);
}

static void four_digits(moi_text *out, double value)
{
    moi_html_number(out, value, 4);
}

static void count(moi_text *out, double value)
{
    moi_html_count(out, (int64_t)value);
}

START_TEST(numbers_for_people)
{
    is_written(four_digits, 0, "0");
    is_written(four_digits, 0.98124999, "0.9812");
    is_written(four_digits, -1234567, "-1235000");
    is_written(four_digits, 1e-7 / 3, "3.333e-08");
    is_written(four_digits, 0.1 + 0.2, "0.3");
    is_written(moi_html_seconds, 2.6e-6, "2.6 µs");
    is_written(moi_html_seconds, 0.0123, "12.3 ms");
    is_written(moi_html_seconds, 3.3, "3.3 s");
    is_written(moi_html_seconds, 200, "3 min 20 s");
    is_written(moi_html_seconds, 7500, "2 h 05 min");
    is_written(moi_html_seconds, -1, "–");
    is_written(moi_html_bytes, 123, "123 bytes");
    is_written(moi_html_bytes, 122536, "123 KB");
    is_written(moi_html_bytes, 3.2e9, "3.2 GB");
    is_written(moi_html_place, 12.34, "12.3");
    is_written(moi_html_place, -0.04, "0");
    is_written(moi_html_place, 7, "7");
    is_written(count, 0, "0");
    is_written(count, 999, "999");
    is_written(count, 1000, "1,000");
    is_written(count, 21834, "21,834");
    is_written(count, 1000005, "1,000,005");
    is_written(count, -1234, "−1,234");
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, tells_the_whole_story);
    tcase_add_test(all, warm_starts_are_told);
    tcase_add_test(all, one_trial_needs_no_charts);
    tcase_add_test(all, distillation_is_told);
    tcase_add_test(all, transfer_is_told);
    tcase_add_test(all, cases_are_told);
    tcase_add_test(all, a_failed_write_harms_nothing);
    tcase_add_test(all, numbers_for_people);
    suite_add_tcase(suite, all);
    return suite;
}
