/* SPDX-License-Identifier: MIT
 * lib/search/study/document.c: a trial as JSON. */
#include <math.h>

#include "base/clock.h"
#include "search/study/study.h"

static const char *const states[] = {"running", "complete", "pruned",
                                     "failed", "waiting"};

static json_t *show_values(const moi_history *history, int64_t row)
{
    const double *values = &history->values[row * history->objectives];
    json_t *array;
    int64_t i;

    if (isnan(values[0]))
        return json_null();
    array = json_array();
    for (i = 0; i < history->objectives; i++)
        json_array_append_new(array, isfinite(values[i])
                                         ? json_real(values[i])
                                         : json_null());
    return array;
}

static json_t *show_params(const moi_history *history, int64_t row)
{
    const mopt_space *space = history->space;
    const moi_extra *extra = history->extra[row];
    json_t *object = json_object();
    int64_t i;
    int32_t rc = MOPT_OK;

    for (i = 0; !rc && i < space->count; i++)
        if (!isnan(history->params[i][row]))
            rc = moi_json_add(object, space->params[i].name,
                              moi_domain_show(&space->params[i].domain,
                                              history->params[i][row]));
    for (i = 0; !rc && extra && i < extra->cell_count; i++)
        rc = moi_json_add(object, extra->cells[i].name,
                          moi_domain_show(&extra->cells[i].domain,
                                          extra->cells[i].value));
    if (rc) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *show_notes(const moi_history *history, const moi_extra *extra)
{
    json_t *object = json_object();
    int64_t i;

    for (i = 0; extra && i < extra->note_count; i++)
        if (moi_json_add(object, extra->notes[i].key,
                         moi_json_lenient(history->ctx,
                                          extra->notes[i].json))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *show_constraints(const moi_extra *extra)
{
    json_t *array;
    int64_t i;

    if (!extra || !extra->constraints)
        return json_null();
    array = json_array();
    for (i = 0; i < extra->constraint_count; i++)
        json_array_append_new(array, isfinite(extra->constraints[i])
                                         ? json_real(extra->constraints[i])
                                         : json_null());
    return array;
}

/* [[step, value], ..] */
static json_t *show_reports(const moi_extra *extra)
{
    json_t *array = json_array();
    int64_t i;

    for (i = 0; extra && i < extra->report_count; i++)
        json_array_append_new(
            array, json_pack("[I, o]", (json_int_t)extra->reports[i].step,
                             isfinite(extra->reports[i].value)
                                 ? json_real(extra->reports[i].value)
                                 : json_null()));
    return array;
}

static json_t *show_time(int64_t micros)
{
    char text[MOI_CLOCK_TEXT];

    return micros ? json_string(moi_clock_text(micros, text)) : json_null();
}

static json_t *show_seconds(const moi_history *history, int64_t row)
{
    if (!history->start[row] || !history->complete[row])
        return json_null();
    /* As reals: the dates of somebody else's file may be any. */
    return json_real(((double)history->complete[row] -
                      (double)history->start[row]) / 1e6);
}

json_t *moi_trial_document(const moi_history *history, int64_t row)
{
    const moi_extra *extra = history->extra[row];
    const char *reason = extra ? extra->reason : NULL;
    json_t *object = json_object();

    if (moi_json_add_int(object, "number", row) ||
        moi_json_add_text(object, "state", states[history->state[row]]) ||
        moi_json_add(object, "values", show_values(history, row)) ||
        moi_json_add(object, "params", show_params(history, row)) ||
        moi_json_add(object, "notes", show_notes(history, extra)) ||
        moi_json_add(object, "constraints", show_constraints(extra)) ||
        moi_json_add(object, "intermediate", show_reports(extra)) ||
        moi_json_add(object, "start", show_time(history->start[row])) ||
        moi_json_add(object, "complete", show_time(history->complete[row])) ||
        moi_json_add(object, "seconds", show_seconds(history, row)) ||
        moi_json_add(object, "reason",
                     reason ? json_string(reason) : json_null())) {
        json_decref(object);
        return NULL;
    }
    return object;
}
