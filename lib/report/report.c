/* SPDX-License-Identifier: MIT
 * lib/report/report.c: a run told as one HTML file. It needs no script, no
 * font and no server, and follows the light or dark setting of its reader. */
#include "report/report.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "report/page.h"

const char moi_report_style[] =
    ":root{--bg:#fbfbfa;--card:#fff;--ink:#1d2129;--soft:#626a76;"
    "--line:#e3e5e8;--grid:#eceef0;--blue:#2f6fde;--pale:#9db2cf;"
    "--gold:#d97706;--red:#c8382e;--heat:47,111,222}"
    "@media(prefers-color-scheme:dark){:root{--bg:#15181d;--card:#1d2127;"
    "--ink:#e6e8eb;--soft:#9aa3ae;--line:#333942;--grid:#2a2f37;"
    "--blue:#6ea0f5;--pale:#55657d;--gold:#f2a33c;--red:#f0776d;"
    "--heat:110,160,245}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 "
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}"
    "main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}"
    "h1{font-size:25px;line-height:1.25;margin:0 0 4px}"
    "h2{font-size:18px;margin:38px 0 2px}"
    "p.about{color:var(--soft);margin:0 0 12px;max-width:74ch}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,"
    "1fr));gap:12px;margin:20px 0}"
    ".tile,.card{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px}"
    ".tile{padding:12px 15px}"
    ".tile b{display:block;font-size:23px;line-height:1.3;font-weight:650;"
    "font-variant-numeric:tabular-nums}"
    ".tile span{color:var(--soft);font-size:13px}"
    ".card{padding:14px 16px;overflow-x:auto}"
    ".pair{columns:2 400px;column-gap:12px}"
    ".pair .card{break-inside:avoid;margin-bottom:12px}"
    ".many{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,"
    "1fr));gap:12px}"
    "h3{font-size:14px;margin:0 0 6px}"
    "table{border-collapse:collapse;width:100%;font-size:14px;"
    "font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid "
    "var(--grid);vertical-align:top}"
    "th{color:var(--soft);font-weight:550}"
    "thead th{font-size:13px;vertical-align:bottom}"
    "tr:last-child td,tr:last-child th{border-bottom:0}"
    "td.n,th.n{text-align:right;white-space:nowrap}"
    "td.list{font-size:13px}td.list span{color:var(--soft)}"
    "tr.best td{font-weight:650}tr.best td:first-child{color:var(--gold)}"
    "tr.soft td{color:var(--soft)}small{color:var(--soft)}"
    "table.models{min-width:560px}"
    "td.wide{width:30%;vertical-align:middle;padding-right:0}"
    ".bar{display:block;height:9px;min-width:2px;border-radius:5px;"
    "background:var(--pale)}tr.best .bar{background:var(--gold)}"
    ".stack .card{margin-bottom:12px}p.bad{margin:8px 0 0}"
    "tr.failed td,tr.pruned td{color:var(--soft)}"
    ".bad{color:var(--red)}"
    "svg{display:block;width:100%;height:auto}"
    "svg text{font-family:inherit}"
    ".tick{font-size:11px;fill:var(--soft)}"
    ".title{font-size:11.5px;fill:var(--soft)}"
    ".grid{stroke:var(--grid)}.axis{stroke:var(--line)}"
    ".dot{fill:var(--blue);fill-opacity:.62}"
    ".dot.pruned{fill:var(--pale)}"
    ".dot.off{fill:none;stroke:var(--pale);stroke-width:1.4}"
    ".dot.best{fill:var(--gold);fill-opacity:1;stroke:var(--card);"
    "stroke-width:1.5}"
    ".so-far{fill:none;stroke:var(--gold);stroke-width:1.8}"
    ".curve{fill:none;stroke:var(--pale);stroke-width:1.1;"
    "stroke-opacity:.55}"
    ".curve.best{stroke:var(--gold);stroke-width:2.4;stroke-opacity:1}"
    ".key{font-size:13px;color:var(--soft);margin:6px 0 0}"
    ".key i{display:inline-block;width:10px;height:10px;border-radius:5px;"
    "margin:0 5px 0 12px;vertical-align:-1px}"
    ".key i:first-child{margin-left:0}"
    ".confusion{width:auto;border-collapse:separate;border-spacing:2px;"
    "font-size:13px}"
    ".confusion td{text-align:center;padding:4px 7px;border:0;"
    "border-radius:4px;min-width:34px}"
    ".confusion th{border:0;padding:3px 7px;font-size:12px}"
    "pre{margin:0;font:12.5px/1.45 ui-monospace,SFMono-Regular,Menlo,"
    "Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}"
    "details{margin-top:10px}summary{cursor:pointer;color:var(--soft)}"
    "footer{margin-top:44px;color:var(--soft);font-size:13px}"
    "@media print{body{background:#fff}.card,.tile{break-inside:avoid}}";

/* --- What the sections share -------------------------------------------- */

const json_t *moi_page_at(const moi_page *page, const char *path)
{
    const json_t *value = page->story;
    while (value != NULL && *path != '\0') {
        char key[64];
        size_t length = strcspn(path, ".");
        if (length >= sizeof(key))
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        value = json_object_get(value, key);
        path += length + (path[length] == '.');
    }
    return value;
}

const char *moi_trial_state_text(const json_t *trial)
{
    const char *state = json_string_value(json_object_get(trial, "state"));
    return state == NULL ? "" : state;
}

double moi_trial_objective(const json_t *trial)
{
    const json_t *value = json_array_get(json_object_get(trial, "values"), 0);
    if (strcmp(moi_trial_state_text(trial), "complete") != 0 ||
        !json_is_number(value))
        return NAN;
    return json_number_value(value);
}

moi_axis moi_page_objective(const moi_page *page)
{
    moi_axis axis = {.title = page->metric, .low = HUGE_VAL,
                     .high = -HUGE_VAL};
    moi_axis all = axis;
    double sum = 0, count = 0, best = NAN;
    for (size_t i = 0; i < json_array_size(page->trials); i++) {
        double value = moi_trial_objective(json_array_get(page->trials, i));
        if (!isfinite(value))
            continue;
        moi_axis_hold(&all, value);
        sum += value;
        count++;
    }
    if (count > 0) {
        /* Twice the mean's distance from the best holds the bulk of them. */
        best = page->maximize ? all.high : all.low;
        double reach = best + 2 * (sum / count - best);
        moi_axis_hold(&axis, best);
        moi_axis_hold(&axis, page->maximize ? fmax(all.low, reach)
                                            : fmin(all.high, reach));
    }
    moi_axis_settle(&axis);
    return axis;
}

/* Do both end in the same last steps? */
static int32_t ends_in(const char *name, const char *steps)
{
    size_t length = strlen(name), end = strlen(steps);
    return length >= end && strcmp(name + length - end, steps) == 0 &&
           (length == end || name[length - end - 1] == '.');
}

const char *moi_page_short(const moi_page *page, const char *name)
{
    const char *steps = name + strlen(name);
    int32_t alike = 2;
    if (json_object_get(page->space, name) == NULL)
        return name;
    while (steps > name && alike > 1) {
        const char *other;
        json_t *domain;
        do
            steps--;
        while (steps > name && steps[-1] != '.');
        alike = 0;
        json_object_foreach((json_t *)page->space, other, domain)
            alike += ends_in(other, steps);
    }
    return steps;
}

void moi_html_path(moi_text *out, const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, ".");
        char step[MOI_PATH_SIZE];
        length = length < sizeof(step) ? length : sizeof(step) - 1;
        memcpy(step, path, length);
        step[length] = '\0';
        moi_html_text(out, step);
        path += length;
        if (*path == '.') {
            moi_text_add(out, ".<wbr>");
            path++;
        }
    }
}

void moi_page_heading(moi_page *page, const char *title, const char *about)
{
    moi_text_add(&page->out, "<h2>");
    moi_html_text(&page->out, title);
    moi_text_add(&page->out, "</h2>\n");
    if (about != NULL) {
        moi_text_add(&page->out, "<p class=\"about\">");
        moi_html_text(&page->out, about);
        moi_text_add(&page->out, "</p>\n");
    }
}

void moi_page_row(moi_page *page, const char *name, const json_t *value)
{
    moi_text_add(&page->out, "<tr><th>");
    moi_html_path(&page->out, name);
    moi_text_add(&page->out, "</th><td>");
    moi_html_value(&page->out, value);
    moi_text_add(&page->out, "</td></tr>\n");
}

/* --- The page ----------------------------------------------------------- */

static void write_page(moi_page *page)
{
    moi_text_add(&page->out,
                 "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset="
                 "\"utf-8\"><meta name=\"viewport\" content=\"width="
                 "device-width,initial-scale=1\"><meta name=\"color-scheme\" "
                 "content=\"light dark\"><title>Search report</title>\n"
                 "<style>");
    moi_text_add(&page->out, moi_report_style);
    moi_text_add(&page->out, "</style></head>\n<body><main>\n");
    moi_page_summary(page);
    if (moi_page_at(page, "result.cases") != NULL) {
        moi_page_cases(page);
    } else {
        moi_page_compared(page);
        moi_page_winner(page);
        moi_page_test(page);
        moi_page_progress(page);
        moi_page_curves(page);
        moi_page_parameters(page);
        moi_page_trials(page);
    }
    moi_page_reproduce(page);
    moi_text_add(&page->out, "</main></body></html>\n");
}

int32_t moi_report_write(mopt_context *ctx, const json_t *story,
                         const char *path)
{
    moi_page page = {.story = story};
    moi_text_init(&page.out, ctx);
    page.trials = moi_page_at(&page, "study.trials");
    page.space = moi_page_at(&page, "study.space");
    const json_t *goal = json_array_get(
        moi_page_at(&page, "aims.objectives"), 0);
    page.metric = json_string_value(json_object_get(goal, "metric"));
    page.maximize = json_is_true(json_object_get(goal, "maximize"));
    page.best = json_integer_value(moi_page_at(&page, "result.best.number"));
    write_page(&page);
    int32_t rc = page.out.status;
    if (rc == MOPT_OK)
        rc = moi_file_write_all(ctx, path, moi_text_get(&page.out),
                                page.out.length);
    moi_text_free(&page.out);
    return rc;
}
