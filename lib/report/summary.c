/* SPDX-License-Identifier: MIT
 * lib/report/summary.c: what came out, at a glance; the winner; its test; how
 * to get it again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/page.h"

/* Classes of a confusion matrix that a screen still holds. */
#define CLASSES_MAX 30

/* --- At a glance -------------------------------------------------------- */

static void open_tile(moi_page *page)
{
    moi_text_add(&page->out, "<div class=\"tile\"><b>");
}

static void close_tile(moi_page *page, const char *name)
{
    moi_text_add(&page->out, "</b><span>");
    moi_html_text(&page->out, name);
    moi_text_add(&page->out, "</span></div>\n");
}

static void number_tile(moi_page *page, const json_t *value, const char *name)
{
    if (!json_is_number(value))
        return;
    open_tile(page);
    moi_html_number(&page->out, json_number_value(value), 5);
    close_tile(page, name);
}

/* The metric of the first objective on the test part, or its usual one. */
static void test_tile(moi_page *page)
{
    const json_t *test = moi_page_at(page, "result.test");
    const char *dot = page->metric ? strchr(page->metric, '.') : NULL;
    const char *names[] = {dot != NULL ? dot + 1 : "", "accuracy", "rmse"};
    for (int32_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(test, names[i]);
        char name[80];
        if (!json_is_number(value))
            continue;
        snprintf(name, sizeof(name), "test %s", names[i]);
        number_tile(page, value, name);
        return;
    }
}

static void trials_tile(moi_page *page)
{
    static const char *const others[] = {"pruned", "failed"};
    const json_t *counts = moi_page_at(page, "result.trials");
    if (counts == NULL)
        return;
    char name[80] = "trials complete";
    for (int32_t i = 0; i < 2; i++) {
        json_int_t count = json_integer_value(json_object_get(counts,
                                                              others[i]));
        size_t used = strlen(name);
        if (count > 0)
            snprintf(name + used, sizeof(name) - used, ", %lld %s",
                     (long long)count, others[i]);
    }
    open_tile(page);
    moi_html_count(&page->out, json_integer_value(
                                   json_object_get(counts, "complete")));
    close_tile(page, name);
}

static void count_tile(moi_page *page, size_t count, const char *name)
{
    open_tile(page);
    moi_html_count(&page->out, (int64_t)count);
    close_tile(page, name);
}

static void cases_tiles(moi_page *page)
{
    const json_t *cases = moi_page_at(page, "result.cases");
    size_t runs = 0;
    for (size_t i = 0; i < json_array_size(cases); i++)
        runs += json_array_size(json_object_get(json_array_get(cases, i),
                                                "runs"));
    if (cases == NULL)
        return;
    count_tile(page, json_array_size(cases), "cases");
    count_tile(page, runs, "runs");
}

static void tiles(moi_page *page)
{
    const json_t *values = moi_page_at(page, "result.best.values");
    const json_t *params = moi_page_at(page, "model.params");
    const json_t *latency = json_object_get(moi_page_at(page, "result.costs"),
                                            "latency.p50");
    moi_text_add(&page->out, "<div class=\"tiles\">\n");
    test_tile(page);
    if (page->metric != NULL)
        number_tile(page, json_object_get(values, page->metric),
                    page->metric);
    trials_tile(page);
    cases_tiles(page);
    if (json_is_integer(params)) {
        open_tile(page);
        moi_html_count(&page->out, json_integer_value(params));
        close_tile(page, "weights");
    }
    if (json_is_number(latency)) {
        open_tile(page);
        moi_html_seconds(&page->out, json_number_value(latency));
        close_tile(page, "to serve a row");
    }
    open_tile(page);
    moi_html_seconds(&page->out, json_number_value(
                                     moi_page_at(page, "result.seconds")));
    close_tile(page, "in all");
    moi_text_add(&page->out, "</div>\n");
}

static const char *title_of(const moi_page *page)
{
    const json_t *about = moi_page_at(page, "recipe.description");
    if (json_is_string(about))
        return json_string_value(about);
    if (moi_page_at(page, "recipe.distill") != NULL)
        return "Distillation report";
    return moi_page_at(page, "recipe.finetune") != NULL
               ? "Fine-tuning report" : "Search report";
}

void moi_page_summary(moi_page *page)
{
    char clock[MOI_CLOCK_TEXT];
    const json_t *rows = moi_page_at(page, "rows");
    const char *key;
    json_t *count;
    moi_text_add(&page->out, "<h1>");
    moi_html_text(&page->out, title_of(page));
    moi_text_add(&page->out, "</h1>\n<p class=\"about\">");
    json_object_foreach((json_t *)rows, key, count) {
        moi_html_text(&page->out, key);
        moi_text_add(&page->out, " ");
        moi_html_count(&page->out, json_integer_value(count));
        moi_text_add(&page->out, " · ");
    }
    moi_clock_text(moi_clock_utc_micros(), clock);
    clock[16] = '\0'; /* minutes are enough */
    moi_text_addf(&page->out, "%s UTC</p>\n", clock);
    tiles(page);
}

/* --- The winner --------------------------------------------------------- */

void moi_page_open_card(moi_page *page, const char *title)
{
    moi_text_add(&page->out, "<div class=\"card\"><h3>");
    moi_html_text(&page->out, title);
    moi_text_add(&page->out, "</h3>\n");
}

static void table(moi_page *page, const char *title, const json_t *object)
{
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0)
        return;
    moi_page_open_card(page, title);
    moi_text_add(&page->out, "<table>\n");
    json_object_foreach((json_t *)object, key, value) {
        if (!json_is_array(value) && !json_is_object(value))
            moi_page_row(page, moi_page_short(page, key), value);
    }
    moi_text_add(&page->out, "</table></div>\n");
}

/* "784 → dense 128 relu", one layer a row; blocks are indented. */
static void layer_rows(moi_page *page, const json_t *layers, int32_t depth)
{
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        const json_t *inner = json_object_get(layer, "layers");
        const char *key;
        json_t *value;
        if (inner != NULL && depth < 8) {
            layer_rows(page, inner, depth + 1);
            continue;
        }
        moi_text_add(&page->out, "<tr><th>");
        moi_html_value(&page->out, json_object_get(layer, "type"));
        moi_text_add(&page->out, "</th><td>");
        json_object_foreach((json_t *)layer, key, value) {
            if (strcmp(key, "type") == 0)
                continue;
            moi_html_text(&page->out, key);
            moi_text_add(&page->out, " ");
            moi_html_value(&page->out, value);
            moi_text_add(&page->out, "&ensp;");
        }
        moi_text_add(&page->out, "</td></tr>\n");
    }
}

static void model_card(moi_page *page)
{
    const json_t *layers = moi_page_at(page, "model.layers");
    if (json_array_size(layers) == 0)
        return;
    moi_page_open_card(page, "Model");
    moi_text_add(&page->out, "<table>\n");
    moi_page_row(page, "inputs", moi_page_at(page, "model.inputs"));
    layer_rows(page, layers, 0);
    moi_text_add(&page->out, "</table></div>\n");
}

static void cost_cell(moi_page *page, const char *name, double value)
{
    if (strncmp(name, "latency", 7) == 0)
        moi_html_seconds(&page->out, value);
    else if (strcmp(name, "bytes") == 0 || strcmp(name, "memory") == 0)
        moi_html_bytes(&page->out, value);
    else if (strcmp(name, "throughput") == 0) {
        moi_html_count(&page->out, (int64_t)value);
        moi_text_add(&page->out, " rows a second");
    } else
        moi_html_count(&page->out, (int64_t)value);
}

static void costs_card(moi_page *page)
{
    const json_t *costs = moi_page_at(page, "result.costs");
    const char *key;
    json_t *value;
    if (json_object_size(costs) == 0)
        return;
    moi_page_open_card(page, "What serving costs");
    moi_text_add(&page->out, "<table>\n");
    json_object_foreach((json_t *)costs, key, value) {
        moi_text_add(&page->out, "<tr><th>");
        moi_html_text(&page->out, key);
        moi_text_add(&page->out, "</th><td>");
        cost_cell(page, key, json_number_value(value));
        moi_text_add(&page->out, "</td></tr>\n");
    }
    moi_text_add(&page->out, "</table></div>\n");
}

void moi_page_winner(moi_page *page)
{
    char about[160], line[64] = "";
    const json_t *from = moi_page_at(page, "result.best.started_from");
    if (from != NULL)
        snprintf(line, sizeof(line),
                 ", started from trial %lld, %lld epochs in all",
                 (long long)json_integer_value(from),
                 (long long)json_integer_value(
                     moi_page_at(page, "result.best.total_epochs")));
    snprintf(about, sizeof(about), "Trial %lld%s%s.", (long long)page->best,
             line, json_is_false(moi_page_at(page, "result.best.feasible"))
                       ? "; no trial meets all constraints" : "");
    moi_page_heading(page, "The winner", about);
    moi_text_add(&page->out, "<div class=\"pair\">\n");
    table(page, "Objectives", moi_page_at(page, "result.best.values"));
    table(page, "Parameters", moi_page_at(page, "result.best.params"));
    model_card(page);
    costs_card(page);
    moi_text_add(&page->out, "</div>\n");
}

/* --- The test ----------------------------------------------------------- */

static void class_name(moi_page *page, size_t i)
{
    const json_t *name = json_array_get(moi_page_at(page, "data.target.names"),
                                        i);
    if (json_is_string(name))
        moi_html_text(&page->out, json_string_value(name));
    else
        moi_text_addf(&page->out, "%d", (int)i);
}

static void confusion_row(moi_page *page, size_t truth, const json_t *row)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(row); i++)
        sum += json_number_value(json_array_get(row, i));
    moi_text_add(&page->out, "<tr><th class=\"n\">");
    class_name(page, truth);
    moi_text_add(&page->out, "</th>");
    for (size_t i = 0; i < json_array_size(row); i++) {
        double count = json_number_value(json_array_get(row, i));
        double part = sum > 0 ? count / sum : 0;
        moi_text_add(&page->out, "<td style=\"background:rgba(var(--heat),");
        moi_html_number(&page->out, count > 0 ? 0.06 + 0.6 * sqrt(part) : 0,
                        2);
        moi_text_add(&page->out, ")\">");
        if (count > 0)
            moi_html_count(&page->out, (int64_t)count);
        moi_text_add(&page->out, "</td>");
    }
    moi_text_add(&page->out, "</tr>\n");
}

static void confusion(moi_page *page, const json_t *matrix)
{
    size_t classes = json_array_size(matrix);
    if (classes == 0 || classes > CLASSES_MAX)
        return;
    moi_page_open_card(page, "Rows: the true class. Columns: what the model "
                             "says.");
    moi_text_add(&page->out, "<table class=\"confusion\"><tr><th></th>");
    for (size_t i = 0; i < classes; i++) {
        moi_text_add(&page->out, "<th>");
        class_name(page, i);
        moi_text_add(&page->out, "</th>");
    }
    moi_text_add(&page->out, "</tr>\n");
    for (size_t i = 0; i < classes; i++)
        confusion_row(page, i, json_array_get(matrix, i));
    moi_text_add(&page->out, "</table></div>\n");
}

void moi_page_test(moi_page *page)
{
    const json_t *test = moi_page_at(page, "result.test");
    const json_t *validation = moi_page_at(page, "result.validation");
    if (test == NULL && validation == NULL)
        return;
    moi_page_heading(page, "How good it is",
                     "The validation part chose the winner. The test part was "
                     "looked at once, after that.");
    moi_text_add(&page->out, "<div class=\"pair\">\n");
    table(page, "Test", test);
    table(page, "Validation", validation);
    moi_text_add(&page->out, "</div>\n");
    confusion(page, json_object_get(test != NULL ? test : validation,
                                    "confusion"));
}

/* --- Once more ---------------------------------------------------------- */

static void pretty(moi_page *page, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_malloc_t allocate;
    json_free_t release;
    if (text == NULL) {
        page->out.status = MOPT_ENOMEM;
        return;
    }
    moi_html_text(&page->out, text);
    json_get_alloc_funcs(&allocate, &release);
    release(text);
}

void moi_page_reproduce(moi_page *page)
{
    moi_page_heading(page, "How to get it again",
                     "The same recipe, data and seed on the same kind of "
                     "processor give the same bits, whatever the number of "
                     "workers.");
    moi_text_add(&page->out, "<div class=\"card\"><table>\n");
    static const char *const facts[] = {"version", "backend", "blas", "isa",
                                        "threads", "compiler"};
    for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
        const json_t *fact = json_object_get(moi_page_at(page, "environment"),
                                             facts[i]);
        if (fact != NULL)
            moi_page_row(page, facts[i], fact);
    }
    moi_text_add(&page->out, "</table>\n<details><summary>The recipe, "
                             "defaults filled in</summary><pre>");
    pretty(page, moi_page_at(page, "recipe"));
    moi_text_add(&page->out, "</pre></details></div>\n");
}
