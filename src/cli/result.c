/* SPDX-License-Identifier: MIT
 * src/cli/result.c: what a recipe's run found: files, tables, figures. */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "adapt.h"
#include "interrupt.h"
#include "json.h"
#include "ranks.h"
#include "trials.h"

#define LABEL 13 /* columns of "validation" and the like */
#define SHOWN 10 /* trials of the table; the study file has all */

static int interrupted(const job *j)
{
    return j->status == MOPT_ECANCELED;
}

/* ---- files ------------------------------------------------------------ */

/* A run that was interrupted may have no weights of its best trial: that was
 * found by an earlier one. */
static int write_model(job *j)
{
    mopt_model *model = NULL;
    int32_t rc = mopt_result_model(j->result, &model);

    if (rc == MOPT_ESTATE && interrupted(j)) {
        j->model = NULL;
        return 0;
    }
    if (rc == MOPT_OK)
        rc = mopt_model_save(model, j->model);
    mopt_model_free(model);
    return rc == MOPT_OK ? 0 : cli_library(j->c, rc, "--model");
}

static int write_adapter(job *j)
{
    mopt_adapter *adapter = NULL;
    int32_t rc = mopt_result_adapter(j->result, &adapter);

    if (rc == MOPT_OK)
        rc = mopt_adapter_save(adapter, j->adapter);
    mopt_adapter_free(adapter);
    return rc == MOPT_OK ? 0 : cli_library(j->c, rc, "--adapter");
}

static int write_files(job *j)
{
    int code = 0;

    if (j->model)
        code = write_model(j);
    if (code == 0 && j->adapter)
        code = write_adapter(j);
    if (code == 0 && j->report) {
        int32_t rc = mopt_result_report(j->result, j->report);

        if (rc != MOPT_OK)
            code = cli_library(j->c, rc, "--report");
    }
    return code;
}

/* ---- words ------------------------------------------------------------ */

static void label(cli *c, const char *text)
{
    char style[16];

    fprintf(c->out.file, "%s%-*s%s", screen_style(&c->out, STYLE_BOLD, style),
            LABEL, text, screen_plain(&c->out));
}

/* The metrics that a person asks for first; -v shows all of them. */
static const char *const usual[] = {"accuracy", "macro_f1", "auc", "rmse",
                                    "mae", "r2", "loss"};

static int is_usual(const char *name)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcmp(usual[i], name) == 0)
            return 1;
    return 0;
}

/* A line of metrics, wrapped; what is no number is left out. */
typedef struct line {
    FILE *file;
    size_t column, room;
} line;

static void put_metric(line *l, const char *name, const json_t *value)
{
    char buf[32];
    size_t takes = strlen(name) + strlen(js_figure(value, buf)) + 3;

    if (!json_is_number(value))
        return;
    if (l->column > LABEL && l->column + takes > l->room + 2) {
        fprintf(l->file, "\n%*s", LABEL, "");
        l->column = LABEL;
    }
    fprintf(l->file, "%s%s %s", l->column > LABEL ? "  " : "", name, buf);
    l->column += takes;
}

/* "accuracy 0.9512  loss 0.1532". */
static void print_metrics(cli *c, const char *name, const json_t *metrics)
{
    line l = {c->out.file, LABEL, 80};
    const char *key;
    json_t *value;

    if (json_object_size(metrics) == 0)
        return;
    if (c->out.width > 40)
        l.room = (size_t)c->out.width;
    label(c, name);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        put_metric(&l, usual[i], json_object_get(metrics, usual[i]));
    json_object_foreach((json_t *)(uintptr_t)metrics, key, value)
        if (c->verbose && !is_usual(key))
            put_metric(&l, key, value);
    fputc('\n', c->out.file);
}

/* Names of the objectives: the members of best.values. */
static json_t *objective_names(const json_t *told)
{
    json_t *names = json_array(), *value;
    const char *key;

    json_object_foreach(js_at(told, "best.values"), key, value)
        json_array_append_new(names, json_string(key));
    return names;
}

static void print_trials(job *j, int64_t best)
{
    json_t *names = objective_names(j->told);

    trials_sort(j->trials, 1, j->maximize);
    trials_table(j->c, j->trials, names, j->c->verbose ? 0 : SHOWN, best);
    fputc('\n', j->c->out.file);
    json_decref(names);
}

static void print_size(job *j)
{
    mopt_model *model = NULL;
    reply t = {0};
    int32_t rc = mopt_result_model(j->result, &model);
    char count[32], bytes[32];
    json_t *size;

    if (rc == MOPT_OK)
        ASK(rc, &t, mopt_model_describe, model);
    size = reply_json(&t);
    mopt_model_free(model);
    if (size)
        fprintf(j->c->out.file, " (%s weights, %s)",
                screen_count(js_number(json_object_get(size, "params"), 0),
                             count),
                screen_bytes(js_number(json_object_get(size, "bytes"), 0),
                             bytes));
    json_decref(size);
}

static void print_best(job *j)
{
    cli *c = j->c;
    const json_t *params = js_at(j->told, "best.params");
    long long number = json_integer_value(js_at(j->told, "best.number"));

    if (json_object_size(params) == 0)
        return;
    label(c, interrupted(j) ? "best so far" : "best");
    fprintf(c->out.file, "trial %lld\n", number);
    trials_params(c, params, "             ");
}

static void print_run(job *j)
{
    cli *c = j->c;

    if (json_array_size(j->trials) > 1)
        print_trials(j, json_integer_value(js_at(j->told, "best.number")));
    print_best(j);
    print_metrics(c, "validation", json_object_get(j->told, "validation"));
    print_metrics(c, "test", json_object_get(j->told, "test"));
    adapt_print(c, j->told, json_object_get(j->doc, "published"));
}

static void print_result(job *j)
{
    cli *c = j->c;
    char time[32];

    if (json_object_get(j->told, "cases"))
        adapt_print_cases(c, j->told);
    else
        print_run(j);
    if (j->model) {
        label(c, "model");
        fputs(j->model, c->out.file);
        print_size(j);
        fputc('\n', c->out.file);
    }
    if (j->report) {
        label(c, "report");
        fprintf(c->out.file, "%s\n", j->report);
    }
    label(c, "time");
    fprintf(c->out.file, "%s\n",
            screen_duration(js_number(js_at(j->told, "seconds"), 0),
                            time));
}

/* ---- Ctrl-C ----------------------------------------------------------- */

static void say_how_to_resume(job *j)
{
    size_t kept = json_array_size(j->trials);
    char what[64] = "";
    const char *storage =
        json_string_value(js_at(j->doc, "search.storage"));
    char *place = cli_show_place(storage ? storage : "");
    char *words = cli_show_place(j->command);

    if (kept > 0)
        snprintf(what, sizeof what, " %zu finished trial%s in ", kept,
                 kept == 1 ? " is" : "s are");
    if (!job_left(j))
        cli_say(j->c, MOPT_LOG_ERROR,
                "interrupted before a trial was finished");
    else if (!storage || !*storage)
        cli_say(j->c, MOPT_LOG_ERROR, "interrupted; nothing is kept");
    else
        cli_say(j->c, MOPT_LOG_ERROR,
                "interrupted;%s%s%s go on with: %s%s%s%s", what,
                kept > 0 && place ? place : "", kept > 0 ? ";" : "",
                words ? words : "",
                j->own_storage ? " --storage " : "",
                j->own_storage ? j->own_storage : "",
                json_is_true(js_at(j->doc, "search.resume")) ? ""
                                                             : " --resume");
    free(place);
    free(words);
}

/* ---- the end ---------------------------------------------------------- */

static json_t *final_json(job *j)
{
    json_t *out = j->told ? json_incref(j->told) : json_object();
    const char *storage =
        json_string_value(js_at(j->doc, "search.storage"));
    char *place = cli_show_place(storage ? storage : "");

    if (j->result && j->model)
        json_object_set_new(out, "model", json_string(j->model));
    if (j->result && j->report)
        json_object_set_new(out, "report", json_string(j->report));
    if (place && *place && (interrupted(j) || !j->own_storage))
        json_object_set_new(out, "storage", json_string(place));
    free(place);
    if (interrupted(j))
        json_object_set_new(out, "interrupted", json_true());
    return out;
}

static int read_told(job *j)
{
    reply t = {0};
    int32_t rc;

    ASK(rc, &t, mopt_result_to_json, j->result);
    if (rc != MOPT_OK)
        return cli_library(j->c, rc, NULL);
    j->told = reply_json(&t);
    return 0;
}

int job_finish(job *j)
{
    int code = 0;

    if (!ranks_first(j->group))
        return interrupted(j) ? EXIT_INTERRUPTED : EXIT_DONE;
    if (j->result) {
        code = read_told(j);
        if (code == 0)
            code = write_files(j);
        if (code != 0)
            return code;
    }
    if (interrupted(j))
        say_how_to_resume(j);
    if (j->c->json)
        code = cli_print_json(j->c, final_json(j));
    else if (j->result)
        print_result(j);
    if (interrupted(j))
        return interrupt_code() ? interrupt_code() : EXIT_INTERRUPTED;
    return code;
}
