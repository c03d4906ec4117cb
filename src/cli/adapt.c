/* SPDX-License-Identifier: MIT
 * src/cli/adapt.c: what distilling or fine-tuning lost and won, told. */
#include "adapt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "table.h"

/* ---- figures ---------------------------------------------------------- */

/* "74", "0.25", "97.1". */
static void put_number(double x, char *buf, size_t cap)
{
    if (isnan(x))
        snprintf(buf, cap, "-");
    else if (x == floor(x) && fabs(x) < 1e15)
        snprintf(buf, cap, "%.0f", x);
    else
        snprintf(buf, cap, "%.*f", fabs(x) < 1 ? 3 : 2, x);
}

static void add_number(table *t, const json_t *value, double factor)
{
    char buf[64];

    put_number(json_is_number(value) ? factor * json_number_value(value)
                                     : NAN, buf, sizeof buf);
    table_add(t, buf);
}

/* ---- several cases ---------------------------------------------------- */

/* "92.31 +- 0.42". */
static void add_mean(table *t, const json_t *summary, const char *name)
{
    const json_t *mean = json_object_get(json_object_get(summary, "mean"),
                                         name);
    const json_t *sd = json_object_get(json_object_get(summary, "sd"), name);
    char mean_text[32], sd_text[32], both[80];

    put_number(js_number(mean, NAN), mean_text, sizeof mean_text);
    put_number(js_number(sd, NAN), sd_text, sizeof sd_text);
    snprintf(both, sizeof both, "%s +- %s", mean_text, sd_text);
    table_add(t, sd ? both : mean_text);
}

static void add_case(table *t, const json_t *names, const json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    const json_t *published = json_object_get(one, "published"), *value;

    table_add(t, name ? name : "");
    for (size_t i = 0; i < json_array_size(names); i++)
        add_mean(t, json_object_get(one, "summary"),
                 json_string_value(json_array_get(names, i)));
    if (json_object_size(published) == 0)
        return;
    table_add(t, "  published");
    for (size_t i = 0; i < json_array_size(names); i++) {
        value = json_object_get(published,
                                json_string_value(json_array_get(names, i)));
        if (json_is_string(value))
            table_add(t, json_string_value(value));
        else
            add_number(t, value, 1);
    }
}

void adapt_print_cases(cli *c, const json_t *told)
{
    const json_t *names = json_object_get(told, "figures");
    const json_t *cases = json_object_get(told, "cases");
    table t;

    table_open(&t, json_array_size(names) + 1);
    table_add(&t, "case");
    for (size_t i = 0; i < json_array_size(names); i++)
        table_add(&t, json_string_value(json_array_get(names, i)));
    for (size_t i = 0; i < json_array_size(cases); i++)
        add_case(&t, names, json_array_get(cases, i));
    table_print(&t, &c->out, "");
    table_free(&t);
}

/* ---- one run ---------------------------------------------------------- */

/* "teacher  2395210  0.9930  70  67". */
static void add_model(table *t, const char *name, const json_t *model,
                      const json_t *published)
{
    char buf[32];

    if (!json_is_object(model))
        return;
    table_add(t, name);
    add_number(t, json_object_get(model, "params"), 1);
    if (json_object_get(model, "accuracy")) {
        table_add(t, js_figure(json_object_get(model, "accuracy"), buf));
        add_number(t, json_object_get(model, "errors"), 1);
    } else {
        table_add(t, js_figure(json_object_get(model, "rmse"), buf));
        table_add(t, "-");
    }
    if (published)
        add_number(t, json_object_get(published, name), 1);
}

static void begin(table *t, const json_t *any, const json_t *published)
{
    table_open(t, published ? 5 : 4);
    table_add(t, "");
    table_add(t, "params");
    table_add(t, json_object_get(any, "accuracy") ? "accuracy" : "rmse");
    table_add(t, "errors");
    if (published)
        table_add(t, "published");
}

static void end(cli *c, table *t, const json_t *report)
{
    const json_t *warnings = json_object_get(report, "warnings");

    table_print(t, &c->out, "");
    table_free(t);
    for (size_t i = 0; i < json_array_size(warnings); i++)
        fprintf(c->out.file, "note         %s\n",
                json_string_value(json_array_get(warnings, i)));
}

/* "gain  2.5 points before ..", told by what it is above 0 and below. */
static void print_difference(cli *c, const json_t *model, const char *name,
                             const json_t *value, const char *above,
                             const char *below)
{
    double x = js_number(value, NAN);
    char buf[32];

    if (isnan(x))
        return;
    put_number(fabs(x), buf, sizeof buf);
    fprintf(c->out.file, "%-13s%s %s %s\n", name, buf,
            json_object_get(model, "accuracy") ? "points" : "rmse",
            x < 0 ? below : above);
}

static void print_distill(cli *c, const json_t *report,
                          const json_t *published)
{
    const json_t *student = json_object_get(report, "student");
    table t;

    begin(&t, student, published);
    add_model(&t, "teacher", json_object_get(report, "teacher"), published);
    add_model(&t, "alone", json_object_get(report, "alone"), published);
    add_model(&t, "student", student, published);
    end(c, &t, report);
    print_difference(c, student, "gap", json_object_get(report, "gap"),
                     "behind the teacher", "before the teacher");
    print_difference(c, student, "gain", json_object_get(report, "gain"),
                     "before the same student on labels alone",
                     "behind the same student on labels alone");
}

static void print_finetune(cli *c, const json_t *report,
                           const json_t *published)
{
    const json_t *target = json_object_get(report, "target");
    table t;

    begin(&t, target, published);
    add_model(&t, "untuned", json_object_get(report, "untuned"), published);
    add_model(&t, "scratch", json_object_get(report, "scratch"), published);
    add_model(&t, "tuned", target, published);
    end(c, &t, report);
    print_difference(c, target, "gain", json_object_get(report, "gain"),
                     "before training from scratch",
                     "behind training from scratch");
    print_difference(c, js_at(report, "source.after"), "forgotten",
                     js_at(report, "source.forgotten"),
                     "of the source's task",
                     "won on the source's task");
    fprintf(c->out.file, "%-13s%lld of %lld parameters, %zu tensors frozen\n",
            "trained",
            (long long)json_integer_value(json_object_get(report,
                                                          "trained_params")),
            (long long)json_integer_value(json_object_get(report, "params")),
            json_array_size(json_object_get(report, "frozen")));
}

void adapt_print(cli *c, const json_t *told, const json_t *published)
{
    const json_t *report = json_object_get(told, "distill");

    if (report) {
        print_distill(c, report, published);
        return;
    }
    report = json_object_get(told, "finetune");
    if (report)
        print_finetune(c, report, published);
}
