/* SPDX-License-Identifier: MIT
 * lib/report/chart.c: charts as inline SVG. */
#include "report/chart.h"

#include <math.h>
#include <stdio.h>

/* --- Axes --------------------------------------------------------------- */

void moi_axis_hold(moi_axis *axis, double value)
{
    if (!isfinite(value) || (axis->log && value <= 0))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

void moi_axis_settle(moi_axis *axis)
{
    if (axis->labels != NULL) {
        axis->low = -0.5;
        axis->high = (double)json_array_size(axis->labels) - 0.5;
        return;
    }
    if (!(axis->low <= axis->high)) {
        axis->low = axis->log ? 1 : 0;
        axis->high = axis->log ? 10 : 1;
    }
    if (axis->log) {
        double air = fmax(pow(axis->high / axis->low, 0.04), 1.05);
        axis->low /= air;
        axis->high *= air;
        return;
    }
    double air = 0.04 * (axis->high - axis->low);
    if (air == 0)
        air = axis->low == 0 ? 1 : fabs(axis->low) * 0.05;
    axis->low -= air;
    axis->high += air;
}

/* Where a value lies between the ends, 0 .. 1. */
static double share(const moi_axis *axis, double value)
{
    double part = axis->log
                      ? log(value / axis->low) / log(axis->high / axis->low)
                      : (value - axis->low) / (axis->high - axis->low);
    return fmin(fmax(part, 0), 1);
}

double moi_chart_x(const moi_chart *chart, double value)
{
    return chart->left + share(&chart->x, value) *
                             (chart->width - chart->left - chart->right);
}

double moi_chart_y(const moi_chart *chart, double value)
{
    return chart->height - chart->bottom -
           share(&chart->y, value) *
               (chart->height - chart->top - chart->bottom);
}

/* --- Ticks -------------------------------------------------------------- */

/* The step 1, 2 or 5 times a power of ten that cuts a span into about count
 * pieces. */
static double nice_step(double span, double count)
{
    double raw = span / count;
    double power = pow(10, floor(log10(raw)));
    double times = raw / power;
    return power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
}

static void mark(moi_text *out, const char *class_name, double x1, double y1,
                 double x2, double y2)
{
    moi_text_addf(out, "<line class=\"%s\" x1=\"", class_name);
    moi_html_place(out, x1);
    moi_text_add(out, "\" y1=\"");
    moi_html_place(out, y1);
    moi_text_add(out, "\" x2=\"");
    moi_html_place(out, x2);
    moi_text_add(out, "\" y2=\"");
    moi_html_place(out, y2);
    moi_text_add(out, "\"/>");
}

static void words(moi_text *out, double x, double y, const char *class_name,
                  const char *anchor)
{
    moi_text_addf(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"",
                  class_name, anchor);
    moi_html_place(out, x);
    moi_text_add(out, "\" y=\"");
    moi_html_place(out, y);
    moi_text_add(out, "\">");
}

/* One tick: a line across, and its name. */
static void tick(moi_chart *chart, int32_t is_x, double value,
                 const json_t *label)
{
    moi_text *out = chart->out;
    double floor_y = chart->height - chart->bottom;
    if (is_x) {
        double x = moi_chart_x(chart, value);
        mark(out, "grid", x, chart->top, x, floor_y);
        words(out, x, floor_y + 15, "tick", "middle");
    } else {
        double y = moi_chart_y(chart, value);
        mark(out, "grid", chart->left, y, chart->width - chart->right, y);
        words(out, chart->left - 6, y + 3.5, "tick", "end");
    }
    if (label != NULL)
        moi_html_value(out, label);
    else
        moi_html_number(out, value, 5);
    moi_text_add(out, "</text>");
}

/* Powers of ten; with fewer than two of them 2 and 5 times these too. */
static void log_ticks(moi_chart *chart, int32_t is_x, const moi_axis *axis)
{
    static const double times[] = {1, 2, 5};
    double decades = log10(axis->high / axis->low);
    double stride = fmax(ceil(decades / 6), 1);
    int32_t fine = decades < 2 ? 3 : 1;
    for (double e = floor(log10(axis->low)); e <= log10(axis->high);
         e += stride) {
        for (int32_t i = 0; i < fine; i++) {
            double value = times[i] * pow(10, e);
            if (value >= axis->low && value <= axis->high)
                tick(chart, is_x, value, NULL);
        }
    }
}

static void linear_ticks(moi_chart *chart, int32_t is_x, const moi_axis *axis)
{
    double step = nice_step(axis->high - axis->low, is_x ? 6 : 5);
    if (axis->whole)
        step = fmax(step, 1);
    double first = ceil(axis->low / step - 1e-9);
    for (int32_t i = 0; i < 20; i++) {
        double value = (first + i) * step;
        if (value > axis->high)
            break;
        tick(chart, is_x, value, NULL);
    }
}

static void ticks(moi_chart *chart, int32_t is_x)
{
    const moi_axis *axis = is_x ? &chart->x : &chart->y;
    if (axis->labels != NULL) {
        for (size_t i = 0; i < json_array_size(axis->labels); i++)
            tick(chart, is_x, (double)i, json_array_get(axis->labels, i));
    } else if (axis->log) {
        log_ticks(chart, is_x, axis);
    } else {
        linear_ticks(chart, is_x, axis);
    }
}

/* --- The chart ---------------------------------------------------------- */

void moi_chart_begin(moi_chart *chart, const char *label)
{
    moi_text *out = chart->out;
    moi_text_add(out, "<svg viewBox=\"0 0 ");
    moi_html_place(out, chart->width);
    moi_text_add(out, " ");
    moi_html_place(out, chart->height);
    moi_text_add(out, "\" role=\"img\" aria-label=\"");
    moi_html_text(out, label);
    moi_text_add(out, "\">");
    ticks(chart, 1);
    ticks(chart, 0);
    mark(out, "axis", chart->left, chart->height - chart->bottom,
         chart->width - chart->right, chart->height - chart->bottom);
    if (chart->x.title != NULL) {
        words(out, (chart->left + chart->width - chart->right) / 2,
              chart->height - 4, "title", "middle");
        moi_html_text(out, chart->x.title);
        moi_text_add(out, "</text>");
    }
    if (chart->y.title != NULL) {
        words(out, 2, 11, "title", "start");
        moi_html_text(out, chart->y.title);
        moi_text_add(out, "</text>");
    }
}

void moi_chart_end(moi_chart *chart)
{
    moi_text_add(chart->out, "</svg>\n");
}

void moi_chart_line(moi_chart *chart, const char *class_name, int64_t count,
                    const double *x, const double *y)
{
    int32_t drawing = 0;
    moi_text_addf(chart->out, "<path class=\"%s\" d=\"", class_name);
    for (int64_t i = 0; i < count; i++) {
        if (isnan(x[i]) || isnan(y[i])) {
            drawing = 0;
            continue;
        }
        moi_text_add(chart->out, drawing ? "L" : "M");
        moi_html_place(chart->out, moi_chart_x(chart, x[i]));
        moi_text_add(chart->out, " ");
        moi_html_place(chart->out, moi_chart_y(chart, y[i]));
        drawing = 1;
    }
    moi_text_add(chart->out, "\"/>");
}

void moi_chart_point(moi_chart *chart, const char *class_name, double x,
                     double y, double radius, const char *tip)
{
    if (isnan(x) || isnan(y))
        return;
    moi_text_addf(chart->out, "<circle class=\"%s\" cx=\"", class_name);
    moi_html_place(chart->out, moi_chart_x(chart, x));
    moi_text_add(chart->out, "\" cy=\"");
    moi_html_place(chart->out, moi_chart_y(chart, y));
    moi_text_add(chart->out, "\" r=\"");
    moi_html_place(chart->out, radius);
    moi_text_add(chart->out, "\">");
    if (tip != NULL) {
        moi_text_add(chart->out, "<title>");
        moi_text_add(chart->out, tip);
        moi_text_add(chart->out, "</title>");
    }
    moi_text_add(chart->out, "</circle>");
}
