/* SPDX-License-Identifier: MIT
 * lib/report/chart.h: charts as inline SVG. Colours come from classes of the
 * page's style sheet, so that a chart follows its light or dark page. */
#ifndef MOI_REPORT_CHART_H
#define MOI_REPORT_CHART_H

#include "report/write.h"

typedef struct moi_axis {
    const char *title;
    double low, high;
    int32_t log;
    int32_t whole;        /* ticks at whole numbers only */
    const json_t *labels; /* categories at 0, 1, ..; NULL for numbers */
} moi_axis;

typedef struct moi_chart {
    moi_text *out;
    double width, height;
    double left, right, top, bottom; /* margins */
    moi_axis x, y;
} moi_chart;

/* Let an axis hold a value; begin with low above high. */
void moi_axis_hold(moi_axis *axis, double value);

/* Make an axis that holds values ready: some air, never empty. */
void moi_axis_settle(moi_axis *axis);

/* The frame: size, ticks and titles; label describes it to who cannot see. */
void moi_chart_begin(moi_chart *chart, const char *label);
void moi_chart_end(moi_chart *chart);

/* Places of values on the screen; out of the axis is put on its edge. */
double moi_chart_x(const moi_chart *chart, double value);
double moi_chart_y(const moi_chart *chart, double value);

/* A line through points; NaN breaks it. */
void moi_chart_line(moi_chart *chart, const char *class_name, int64_t count,
                    const double *x, const double *y);

/* A point; the tip, HTML already, shows when the mouse rests on it. */
void moi_chart_point(moi_chart *chart, const char *class_name, double x,
                     double y, double radius, const char *tip);

#endif
