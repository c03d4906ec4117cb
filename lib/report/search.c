/* SPDX-License-Identifier: MIT
 * lib/report/search.c: the search itself: progress, learning curves, what each
 * parameter does, all trials. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "report/page.h"

#define CURVES_MAX 80   /* lines that a chart of curves still shows apart */
#define PLOTS_MAX 24    /* parameters with a plot of their own */
#define ROWS_MAX 250    /* trials in the table */
#define COLUMNS_MAX 7   /* parameters with a column each; more share one */

static const json_t *trial_at(const moi_page *page, size_t i)
{
    return json_array_get(page->trials, i);
}

static int64_t number_of(const json_t *trial)
{
    return json_integer_value(json_object_get(trial, "number"));
}

/* The tip of a trial: its number, value and parameters. */
static void write_tip(const json_t *trial, moi_text *out)
{
    const char *name;
    json_t *value;
    moi_text_addf(out, "trial %lld: ", (long long)number_of(trial));
    moi_html_number(out, moi_trial_objective(trial), 6);
    json_object_foreach(json_object_get(trial, "params"), name, value) {
        moi_text_add(out, "\n");
        moi_html_text(out, name);
        moi_text_add(out, " ");
        moi_html_value(out, value);
    }
}

/* One trial as a point; the winner larger, those off the scale hollow. */
static void trial_point(moi_page *page, moi_chart *chart, const json_t *trial,
                        double x)
{
    double y = moi_trial_objective(trial);
    int32_t best = number_of(trial) == page->best;
    int32_t off = y < chart->y.low || y > chart->y.high;
    moi_text tip;
    moi_text_init(&tip, page->out.ctx);
    write_tip(trial, &tip);
    if (tip.status != MOPT_OK)
        page->out.status = tip.status;
    else
        moi_chart_point(chart, best ? "dot best" : off ? "dot off" : "dot", x,
                        y, best ? 5.5 : 3.6, moi_text_get(&tip));
    moi_text_free(&tip);
}

/* Points of all complete trials, the winner on top. x(trial) places them. */
static void trial_points(moi_page *page, moi_chart *chart,
                         double (*x)(const json_t *trial, const void *user),
                         const void *user)
{
    const json_t *winner = NULL;
    for (size_t i = 0; i < json_array_size(page->trials); i++) {
        const json_t *trial = trial_at(page, i);
        if (number_of(trial) == page->best)
            winner = trial;
        else if (!isnan(moi_trial_objective(trial)))
            trial_point(page, chart, trial, x(trial, user));
    }
    if (winner != NULL)
        trial_point(page, chart, winner, x(winner, user));
}

/* --- Progress ----------------------------------------------------------- */

static double by_number(const json_t *trial, const void *user)
{
    (void)user;
    return (double)number_of(trial);
}

/* The best value so far, as a staircase. */
static void staircase(moi_page *page, moi_chart *chart)
{
    size_t count = json_array_size(page->trials);
    double *x = moi_alloc(page->out.ctx, (int64_t)(2 * count + 1),
                          2 * sizeof(*x));
    double *y = x == NULL ? NULL : x + 2 * count + 1, best = NAN;
    int64_t n = 0;
    if (x == NULL) {
        page->out.status = MOPT_ENOMEM;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double value = moi_trial_objective(trial_at(page, i));
        x[n] = (double)number_of(trial_at(page, i));
        y[n++] = best;
        if (isnan(best) || (page->maximize ? value > best : value < best))
            best = value;
        x[n] = x[n - 1];
        y[n++] = best;
    }
    moi_chart_line(chart, "so-far", n, x, y);
    moi_free(page->out.ctx, x);
}

void moi_page_progress(moi_page *page)
{
    size_t count = json_array_size(page->trials);
    if (count < 2 || page->metric == NULL)
        return;
    moi_chart chart = {&page->out, 1040, 300, 58, 12, 20, 34,
                       {.title = "trial", .low = 0, .high = (double)count - 1,
                        .whole = 1},
                       moi_page_objective(page)};
    moi_axis_settle(&chart.x);
    moi_page_heading(page, "Progress",
                     "Every complete trial, and the best value so far. Hollow "
                     "points lie beyond the edge.");
    moi_text_add(&page->out, "<div class=\"card\">");
    moi_chart_begin(&chart, "value of each trial");
    staircase(page, &chart);
    trial_points(page, &chart, by_number, NULL);
    moi_chart_end(&chart);
    moi_text_add(&page->out, "</div>\n");
}

/* --- Learning curves ---------------------------------------------------- */

/* The intermediate values of a trial: [[step, value], ..] in order. */
static const json_t *curve_of(const json_t *trial)
{
    return json_object_get(trial, "intermediate");
}

static int64_t read_curve(const json_t *curve, double *x, double *y)
{
    int64_t n = 0;
    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *pair = json_array_get(curve, i);
        const json_t *at = json_array_get(pair, 1);
        x[n] = json_number_value(json_array_get(pair, 0));
        y[n++] = json_is_number(at) ? json_number_value(at) : NAN;
    }
    return n;
}

static size_t curve_size(const json_t *trial)
{
    return json_array_size(curve_of(trial));
}

/* Draw a trial's curve, or only let the axes hold it. */
static void draw_curve(moi_page *page, moi_chart *chart, const json_t *trial,
                       int32_t draw)
{
    size_t size = curve_size(trial);
    double *x = moi_alloc(page->out.ctx, (int64_t)size, 2 * sizeof(*x));
    if (x == NULL) {
        page->out.status = MOPT_ENOMEM;
        return;
    }
    double *y = x + size;
    int64_t n = read_curve(curve_of(trial), x, y);
    if (draw)
        moi_chart_line(chart, number_of(trial) == page->best ? "curve best"
                                                             : "curve",
                       n, x, y);
    for (int64_t i = 0; i < n && !draw; i++)
        moi_axis_hold(&chart->x, x[i]);
    moi_free(page->out.ctx, x);
}

void moi_page_curves(moi_page *page)
{
    moi_chart chart = {&page->out, 1040, 300, 58, 12, 20, 34,
                       {.title = "epoch", .low = HUGE_VAL, .high = -HUGE_VAL,
                        .whole = 1},
                       moi_page_objective(page)};
    size_t count = json_array_size(page->trials), curves = 0;
    const json_t *winner = NULL;
    for (size_t i = 0; i < count; i++) {
        const json_t *trial = trial_at(page, i);
        if (curve_size(trial) < 2)
            continue;
        curves++;
        draw_curve(page, &chart, trial, 0);
        if (number_of(trial) == page->best)
            winner = trial;
    }
    if (curves == 0)
        return;
    moi_axis_settle(&chart.x);
    moi_page_heading(page, "Learning curves",
                     "The first objective after each epoch; the winner's is "
                     "the thick one.");
    moi_text_add(&page->out, "<div class=\"card\">");
    moi_chart_begin(&chart, "value after each epoch");
    for (size_t i = 0, drawn = 0; i < count && drawn < CURVES_MAX; i++) {
        if (curve_size(trial_at(page, i)) < 2 || trial_at(page, i) == winner)
            continue;
        draw_curve(page, &chart, trial_at(page, i), 1);
        drawn++;
    }
    if (winner != NULL)
        draw_curve(page, &chart, winner, 1);
    moi_chart_end(&chart);
    moi_text_add(&page->out, "</div>\n");
}

/* --- Parameters --------------------------------------------------------- */

typedef struct parameter {
    const char *name;
    const json_t *choices; /* NULL: numbers */
} parameter;

static double by_parameter(const json_t *trial, const void *user)
{
    const parameter *p = user;
    const json_t *value = json_object_get(json_object_get(trial, "params"),
                                          p->name);
    if (p->choices == NULL)
        return json_is_number(value) ? json_number_value(value) : NAN;
    for (size_t i = 0; i < json_array_size(p->choices); i++) {
        const json_t *choice = json_array_get(p->choices, i);
        /* Points of one choice stand side by side, by their number. */
        double aside = ((double)(number_of(trial) % 7) - 3) * 0.05;
        if (json_equal(choice, value) ||
            (json_is_number(choice) && json_is_number(value) &&
             json_number_value(choice) == json_number_value(value)))
            return (double)i + aside;
    }
    return NAN;
}

static void parameter_plot(moi_page *page, const char *name,
                           const json_t *domain)
{
    const json_t *bounds = json_object_get(domain, "float");
    parameter p = {name, json_object_get(domain, "choice")};
    if (bounds == NULL)
        bounds = json_object_get(domain, "int");
    moi_chart chart = {&page->out, 330, 210, 52, 12, 12, 24,
                       {.low = HUGE_VAL, .high = -HUGE_VAL,
                        .log = json_is_true(json_object_get(domain, "log")),
                        .whole = json_object_get(domain, "int") != NULL,
                        .labels = p.choices},
                       moi_page_objective(page)};
    chart.y.title = NULL;
    for (size_t i = 0; i < 2; i++)
        moi_axis_hold(&chart.x, json_number_value(json_array_get(bounds, i)));
    moi_axis_settle(&chart.x);
    moi_text_add(&page->out, "<div class=\"card\"><h3 title=\"");
    moi_html_text(&page->out, name);
    moi_text_add(&page->out, "\">");
    moi_html_path(&page->out, moi_page_short(page, name));
    moi_text_add(&page->out, "</h3>");
    moi_chart_begin(&chart, name);
    trial_points(page, &chart, by_parameter, &p);
    moi_chart_end(&chart);
    moi_text_add(&page->out, "</div>\n");
}

void moi_page_parameters(moi_page *page)
{
    const char *name;
    json_t *domain;
    int32_t plots = 0;
    if (json_object_size(page->space) == 0 ||
        json_array_size(page->trials) < 2)
        return;
    moi_page_heading(page, "What each parameter does",
                     "One point a trial, the first objective upwards.");
    moi_text_add(&page->out, "<div class=\"many\">\n");
    json_object_foreach((json_t *)page->space, name, domain) {
        if (plots++ < PLOTS_MAX)
            parameter_plot(page, name, domain);
    }
    moi_text_add(&page->out, "</div>\n");
}

/* --- All trials --------------------------------------------------------- */

/* A trial of a search with warm starts notes where it comes from. */
static const json_t *note_of(const json_t *trial, const char *key)
{
    return json_object_get(json_object_get(trial, "notes"), key);
}

static int32_t has_lineage(const moi_page *page)
{
    for (size_t i = 0; i < json_array_size(page->trials); i++)
        if (note_of(trial_at(page, i), "total_epochs") != NULL)
            return 1;
    return 0;
}

static void lineage_cells(moi_page *page, const json_t *trial)
{
    static const char *const keys[] = {"started_from", "total_epochs"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = note_of(trial, keys[i]);
        moi_text_add(&page->out, "<td class=\"n\">");
        if (value != NULL)
            moi_html_value(&page->out, value);
        moi_text_add(&page->out, "</td>");
    }
}

static void column_heads(moi_page *page)
{
    const json_t *goals = moi_page_at(page, "aims.objectives");
    const char *name;
    json_t *domain;
    moi_text_add(&page->out, "<thead><tr><th>trial</th><th>state</th>");
    for (size_t i = 0; i < json_array_size(goals); i++) {
        moi_text_add(&page->out, "<th class=\"n\">");
        moi_html_value(&page->out,
                       json_object_get(json_array_get(goals, i), "metric"));
        moi_text_add(&page->out, "</th>");
    }
    if (page->lineage)
        moi_text_add(&page->out, "<th class=\"n\" title=\"the trial whose "
                     "weights it started with\">from</th><th class=\"n\" "
                     "title=\"its own and those behind its start\">epochs in "
                     "all</th>");
    if (json_object_size(page->space) > COLUMNS_MAX) {
        moi_text_add(&page->out, "<th>parameters</th>");
    } else {
        json_object_foreach((json_t *)page->space, name, domain) {
            moi_text_add(&page->out, "<th>");
            moi_html_path(&page->out, moi_page_short(page, name));
            moi_text_add(&page->out, "</th>");
        }
    }
    moi_text_add(&page->out, "<th class=\"n\">time</th></tr></thead>\n");
}

static void value_cells(moi_page *page, const json_t *trial)
{
    const json_t *values = json_object_get(trial, "values");
    size_t count = json_array_size(moi_page_at(page, "aims.objectives"));
    for (size_t i = 0; i < count; i++) {
        moi_text_add(&page->out, "<td class=\"n\">");
        moi_html_value(&page->out, json_array_get(values, i));
        moi_text_add(&page->out, "</td>");
    }
}

/* All parameters of a trial in one cell. */
static void param_list(moi_page *page, const json_t *params)
{
    const char *name, *gap = "";
    json_t *value;
    moi_text_add(&page->out, "<td class=\"list\">");
    json_object_foreach((json_t *)params, name, value) {
        moi_text_addf(&page->out, "%s<span>", gap);
        moi_html_path(&page->out, moi_page_short(page, name));
        moi_text_add(&page->out, "</span> ");
        moi_html_value(&page->out, value);
        gap = " · ";
    }
    moi_text_add(&page->out, "</td>");
}

static void param_cells(moi_page *page, const json_t *trial)
{
    const json_t *params = json_object_get(trial, "params");
    const char *name;
    json_t *domain;
    if (json_object_size(page->space) > COLUMNS_MAX) {
        param_list(page, params);
        return;
    }
    json_object_foreach((json_t *)page->space, name, domain) {
        const json_t *value = json_object_get(params, name);
        moi_text_add(&page->out, "<td>");
        if (value != NULL)
            moi_html_value(&page->out, value);
        moi_text_add(&page->out, "</td>");
    }
}

static void trial_row(moi_page *page, const json_t *trial)
{
    const char *state = moi_trial_state_text(trial);
    const json_t *why = json_object_get(trial, "reason");
    if (!json_is_string(why))
        why = json_object_get(json_object_get(trial, "notes"), "rejected");
    moi_text_addf(&page->out, "<tr class=\"%s\"><td>%lld</td><td",
                  number_of(trial) == page->best ? "best" : state,
                  (long long)number_of(trial));
    if (json_is_string(why)) {
        moi_text_add(&page->out, " title=\"");
        moi_html_text(&page->out, json_string_value(why));
        moi_text_add(&page->out, "\"");
    }
    moi_text_addf(&page->out, "%s>%s</td>",
                  strcmp(state, "failed") == 0 ? " class=\"bad\"" : "",
                  state);
    value_cells(page, trial);
    if (page->lineage)
        lineage_cells(page, trial);
    param_cells(page, trial);
    moi_text_add(&page->out, "<td class=\"n\">");
    moi_html_seconds(&page->out, json_number_value(
                                     json_object_get(trial, "seconds")));
    moi_text_add(&page->out, "</td></tr>\n");
}

void moi_page_trials(moi_page *page)
{
    size_t count = json_array_size(page->trials);
    char about[128] = "In the order in which they were begun.";
    if (count < 2)
        return;
    if (count > ROWS_MAX)
        snprintf(about, sizeof(about), "The last %d of %zu.", ROWS_MAX,
                 count);
    moi_page_heading(page, "All trials", about);
    moi_text_add(&page->out, "<div class=\"card\"><table>\n");
    page->lineage = has_lineage(page);
    column_heads(page);
    for (size_t i = count > ROWS_MAX ? count - ROWS_MAX : 0; i < count; i++)
        trial_row(page, trial_at(page, i));
    moi_text_add(&page->out, "</table></div>\n");
}
