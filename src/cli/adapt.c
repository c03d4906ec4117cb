/* SPDX-License-Identifier: MIT
 * src/cli/adapt.c: what distilling or fine-tuning lost and won, told. */
#include "adapt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "table.h"

/* ---- figures ---------------------------------------------------------- */

/* A figure of a report, by path; what is told when that is not there. */
typedef struct figure {
    const char *name, *path, *instead;
    double factor;
} figure;

static const figure distill_figures[] = {
    {"teacher", "teacher.errors", "teacher.rmse", 1},
    {"alone", "alone.errors", "alone.rmse", 1},
    {"student", "student.errors", "student.rmse", 1},
    {"gap", "gap", NULL, 1},
    {"gain", "gain", NULL, 1},
    {NULL, NULL, NULL, 0},
};
static const figure finetune_figures[] = {
    {"untuned", "untuned.accuracy", "untuned.rmse", 100},
    {"scratch", "scratch.accuracy", "scratch.rmse", 100},
    {"tuned", "target.accuracy", "target.rmse", 100},
    {"gain", "gain", NULL, 1},
    {"forgotten", "source.forgotten", NULL, 1},
    {"trained", "trained_params", NULL, 1},
    {NULL, NULL, NULL, 0},
};

static const figure *figures_of(const char *section)
{
    return strcmp(section, "distill") == 0 ? distill_figures
                                           : finetune_figures;
}

/* NaN when it is not known. */
static double figure_of(const json_t *report, const figure *f)
{
    const json_t *value = js_at(report, f->path);

    if (json_is_number(value))
        return f->factor * json_number_value(value);
    value = f->instead ? js_at(report, f->instead) : NULL;
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Mean and standard deviation (over n - 1) of a figure; how many there are. */
static size_t average(const json_t *runs, const figure *f, double *mean,
                      double *sd)
{
    double sum = 0, squares = 0;
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(runs); i++) {
        double x = figure_of(json_array_get(runs, i), f);

        if (isnan(x))
            continue;
        sum += x;
        n++;
    }
    *mean = n ? sum / (double)n : NAN;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        double x = figure_of(json_array_get(runs, i), f) - *mean;

        squares += isnan(x) ? 0 : x * x;
    }
    *sd = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return n;
}

json_t *adapt_summarise(const char *section, const json_t *runs)
{
    json_t *means = json_object(), *sds = json_object();

    for (const figure *f = figures_of(section); f->name; f++) {
        double mean, sd;

        if (average(runs, f, &mean, &sd) == 0)
            continue;
        json_object_set_new(means, f->name, json_real(mean));
        json_object_set_new(sds, f->name, json_real(sd));
    }
    return json_pack("{s:o, s:o}", "mean", means, "sd", sds);
}

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

static void add_mean(table *t, const json_t *runs, const figure *f)
{
    char mean_text[32], sd_text[32], both[80];
    double mean, sd;
    size_t n = average(runs, f, &mean, &sd);

    put_number(mean, mean_text, sizeof mean_text);
    put_number(sd, sd_text, sizeof sd_text);
    if (n > 1)
        snprintf(both, sizeof both, "%s +- %s", mean_text, sd_text);
    table_add(t, n > 1 ? both : mean_text);
}

static void add_case(table *t, const char *section, const json_t *one)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    const json_t *published = json_object_get(one, "published");

    table_add(t, name ? name : "");
    for (const figure *f = figures_of(section); f->name; f++)
        add_mean(t, json_object_get(one, "runs"), f);
    if (json_object_size(published) == 0)
        return;
    table_add(t, "  published");
    for (const figure *f = figures_of(section); f->name; f++) {
        const json_t *value = json_object_get(published, f->name);

        if (json_is_string(value))
            table_add(t, json_string_value(value));
        else
            add_number(t, value, 1);
    }
}

void adapt_print_cases(cli *c, const char *section, const json_t *cases)
{
    table t;
    size_t columns = 1;

    for (const figure *f = figures_of(section); f->name; f++)
        columns++;
    table_open(&t, columns);
    table_add(&t, "case");
    for (const figure *f = figures_of(section); f->name; f++)
        table_add(&t, f->name);
    for (size_t i = 0; i < json_array_size(cases); i++)
        add_case(&t, section, json_array_get(cases, i));
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

static void print_difference(cli *c, const char *name, const json_t *value,
                             const char *what)
{
    char buf[32];

    if (!json_is_number(value))
        return;
    put_number(json_number_value(value), buf, sizeof buf);
    fprintf(c->out.file, "%-13s%s %s\n", name, buf, what);
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
    print_difference(c, "gap", json_object_get(report, "gap"),
                     "points behind the teacher");
    print_difference(c, "gain", json_object_get(report, "gain"),
                     "points before the same student on labels alone");
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
    print_difference(c, "gain", json_object_get(report, "gain"),
                     "points before training from scratch");
    print_difference(c, "forgotten", js_at(report, "source.forgotten"),
                     "points of the source's task");
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
