/* SPDX-License-Identifier: MIT
 * src/cli/trials.c: trials of a study as tables and CSV. */
#include "trials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

/* ---- reading ---------------------------------------------------------- */

/* The only study of a file, or the one of that name. */
static int pick_name(cli *c, const char *path, const char *name, char **out)
{
    reply t = {0};
    int32_t rc;
    json_t *names;
    int code = 0;

    ASK(rc, &t, mopt_study_list, c->ctx, path);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    names = reply_json(&t);
    *out = NULL;
    if (json_array_size(names) == 0)
        code = cli_fail(c, EXIT_INPUT, "%s: no study in this file", path);
    else if (!name && json_array_size(names) > 1)
        code = cli_fail(c, EXIT_USAGE,
                        "%s holds %zu studies; choose one with --name "
                        "('modelopt study list %s' names them)", path,
                        json_array_size(names), path);
    else
        *out = strdup(name ? name
                           : json_string_value(json_array_get(names, 0)));
    json_decref(names);
    return code;
}

static int32_t open_study(cli *c, const char *path, const char *name,
                          mopt_study **study)
{
    mopt_config *config = NULL;
    int32_t rc = mopt_config_create(c->ctx, "study", &config);

    if (rc == MOPT_OK)
        rc = mopt_config_set_text(config, "storage", path);
    if (rc == MOPT_OK)
        rc = mopt_config_set_bool(config, "resume", 1);
    if (rc == MOPT_OK && name)
        rc = mopt_config_set_text(config, "name", name);
    if (rc == MOPT_OK)
        rc = mopt_study_create(c->ctx, NULL, config, study);
    mopt_config_free(config);
    return rc;
}

int trials_find(cli *c, const char *path, const char *name,
                mopt_study **study)
{
    return open_study(c, path, name, study) == MOPT_OK;
}

int trials_open(cli *c, const char *path, const char *name,
                mopt_study **study)
{
    char *picked;
    int code;
    int32_t rc;

    code = cli_place(c, path);
    if (code != 0)
        return code;
    if (!cli_is_url(path) && access(path, F_OK) != 0)
        return cli_fail(c, EXIT_INPUT, "%s: no such file; name the study file "
                        "that 'modelopt search --storage FILE' wrote", path);
    code = pick_name(c, path, name, &picked);
    if (code != 0)
        return code;
    rc = open_study(c, path, picked, study);
    free(picked);
    return rc == MOPT_OK ? 0 : cli_library(c, rc, NULL);
}

json_t *trials_read(cli *c, mopt_study *study, int *code)
{
    reply t = {0};
    int32_t rc;
    json_t *out;

    ASK(rc, &t, mopt_study_to_json, study);
    if (rc != MOPT_OK) {
        *code = cli_library(c, rc, NULL);
        return NULL;
    }
    out = reply_json(&t);
    if (!out)
        *code = cli_fail(c, EXIT_FAILED, "out of memory");
    return out;
}

int64_t trials_best(mopt_study *study)
{
    mopt_trial *trial = NULL;
    int64_t number = -1;

    if (mopt_study_best(study, &trial) == MOPT_OK)
        number = mopt_trial_number(trial);
    mopt_trial_free(trial);
    return number;
}

/* ---- order ------------------------------------------------------------ */

static double first_value(const json_t *trial)
{
    return js_number(json_array_get(json_object_get(trial, "values"), 0),
                       NAN);
}

static int compare(const json_t *a, const json_t *b, int by_value,
                   int maximize)
{
    double x = first_value(a), y = first_value(b);
    double m = js_number(json_object_get(a, "number"), 0);
    double n = js_number(json_object_get(b, "number"), 0);

    if (by_value && isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    if (by_value && !isnan(x) && x < y)
        return maximize ? 1 : -1;
    if (by_value && !isnan(x) && x > y)
        return maximize ? -1 : 1;
    return m < n ? -1 : m > n;
}

static int up_number(const void *a, const void *b)
{
    return compare(*(json_t *const *)a, *(json_t *const *)b, 0, 0);
}

static int up_value(const void *a, const void *b)
{
    return compare(*(json_t *const *)a, *(json_t *const *)b, 1, 0);
}

static int down_value(const void *a, const void *b)
{
    return compare(*(json_t *const *)a, *(json_t *const *)b, 1, 1);
}

void trials_sort(json_t *trials, int by_value, int maximize)
{
    size_t n = json_array_size(trials);
    json_t **list = malloc((n + 1) * sizeof *list);

    if (!list)
        return;
    for (size_t i = 0; i < n; i++)
        list[i] = json_incref(json_array_get(trials, i));
    qsort(list, n, sizeof *list,
          !by_value ? up_number : maximize ? down_value : up_value);
    for (size_t i = 0; i < n; i++)
        json_array_set_new(trials, i, list[i]);
    free(list);
}

/* ---- columns ---------------------------------------------------------- */

/* Names of all parameters, in the order they are met. */
static json_t *param_names(const json_t *trials)
{
    json_t *names = json_object(), *value;
    const char *key;

    for (size_t i = 0; i < json_array_size(trials); i++) {
        json_t *params =
            json_object_get(json_array_get(trials, i), "params");

        json_object_foreach(params, key, value)
            json_object_set_new(names, key, json_true());
    }
    return names;
}

static size_t objectives(const json_t *trials, const json_t *names)
{
    size_t most = json_array_size(names);

    for (size_t i = 0; i < json_array_size(trials); i++) {
        size_t n = json_array_size(
            json_object_get(json_array_get(trials, i), "values"));

        if (n > most)
            most = n;
    }
    return most ? most : 1;
}

static const char *objective(const json_t *names, size_t i, size_t count,
                             char buf[32])
{
    const char *name = json_string_value(json_array_get(names, i));

    if (name)
        return name;
    if (count == 1)
        return "value";
    snprintf(buf, 32, "value_%zu", i);
    return buf;
}

/* The part of a path that tells it from the others: "learning_rate" of
 * "train.optimizer.learning_rate". */
static const char *short_name(const json_t *names, const char *name)
{
    for (const char *at = name + strlen(name); at > name; at--) {
        const char *key;
        json_t *value;
        int same = 0;

        if (at[-1] != '.' || !(*at < '0' || *at > '9'))
            continue;
        json_object_foreach((json_t *)(uintptr_t)names, key, value) {
            size_t n = strlen(key), tail = strlen(at);

            same += n >= tail && strcmp(key + n - tail, at) == 0 &&
                    (n == tail || key[n - tail - 1] == '.');
        }
        if (same == 1)
            return at;
    }
    return name;
}

/* Is every trial complete? Then its state need not be told. */
static int all_complete(const json_t *trials)
{
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const char *state = json_string_value(
            json_object_get(json_array_get(trials, i), "state"));

        if (!state || strcmp(state, "complete") != 0)
            return 0;
    }
    return 1;
}

/* What trials of a search with warm starts note, and how it is headed. */
static const struct {
    const char *key, *heading;
} lineage[] = {{"started_from", "from"}, {"total_epochs", "epochs"}};

static const json_t *note_of(const json_t *trial, const char *key)
{
    return json_object_get(json_object_get(trial, "notes"), key);
}

/* Columns for that: 2, or none where no trial notes it. */
static size_t lineage_columns(const json_t *trials)
{
    for (size_t i = 0; i < json_array_size(trials); i++)
        if (note_of(json_array_get(trials, i), lineage[1].key))
            return 2;
    return 0;
}

static void add_heading(table *t, const json_t *params, const json_t *names,
                        size_t values, int state, size_t lines)
{
    const char *key;
    json_t *value;
    char buf[32];

    table_add(t, "trial");
    if (state)
        table_add(t, "state");
    for (size_t i = 0; i < values; i++) {
        const char *name = objective(names, i, values, buf);
        const char *dot = strrchr(name, '.');

        table_add(t, dot ? dot + 1 : name);
    }
    table_add(t, "seconds");
    for (size_t i = 0; i < lines; i++)
        table_add(t, lineage[i].heading);
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
        table_add(t, short_name(params, key));
}

static void add_row(table *t, const json_t *trial, const json_t *params,
                    size_t values, int state, size_t lines)
{
    const char *key;
    json_t *value, *seconds = json_object_get(trial, "seconds");
    char buf[32];

    table_give(t, js_brief(json_object_get(trial, "number")));
    if (state)
        table_give(t, js_brief(json_object_get(trial, "state")));
    for (size_t i = 0; i < values; i++)
        table_add(t, js_figure(json_array_get(
                         json_object_get(trial, "values"), i), buf));
    snprintf(buf, sizeof buf, "%.2f", js_number(seconds, 0));
    table_add(t, json_is_number(seconds) ? buf : "");
    for (size_t i = 0; i < lines; i++)
        table_give(t, js_brief(note_of(trial, lineage[i].key)));
    json_object_foreach((json_t *)(uintptr_t)params, key, value)
        table_give(t, js_brief(json_object_get(
                          json_object_get(trial, "params"), key)));
}

void trials_table(cli *c, const json_t *trials, const json_t *names,
                  size_t limit, int64_t best)
{
    json_t *params = param_names(trials);
    size_t values = objectives(trials, names), n = json_array_size(trials);
    size_t lines = lineage_columns(trials);
    int state = !all_complete(trials);
    table t;

    if (limit == 0 || limit > n)
        limit = n;
    table_open(&t, 2 + (size_t)state + values + lines +
                       json_object_size(params));
    add_heading(&t, params, names, values, state, lines);
    for (size_t i = 0; i < limit; i++) {
        const json_t *trial = json_array_get(trials, i);

        add_row(&t, trial, params, values, state, lines);
        if (json_integer_value(json_object_get(trial, "number")) == best)
            t.strong = i;
    }
    table_print(&t, &c->out, "");
    if (limit < n)
        fprintf(c->out.file, "(%zu more)\n", n - limit);
    table_free(&t);
    json_decref(params);
}

void trials_lineage(cli *c, const json_t *trial)
{
    const json_t *from = note_of(trial, lineage[0].key);
    const json_t *epochs = note_of(trial, lineage[1].key);

    if (epochs && from)
        fprintf(c->out.file, "  started from trial %lld, %lld epochs in all\n",
                (long long)json_integer_value(from),
                (long long)json_integer_value(epochs));
    else if (epochs)
        fprintf(c->out.file, "  started afresh, %lld epochs\n",
                (long long)json_integer_value(epochs));
}

void trials_params(cli *c, const json_t *params, const char *indent)
{
    const char *key;
    json_t *value;
    int widest = 0;

    json_object_foreach((json_t *)(uintptr_t)params, key, value)
        if ((int)strlen(key) > widest)
            widest = (int)strlen(key);
    json_object_foreach((json_t *)(uintptr_t)params, key, value) {
        char *brief = js_brief(value);

        fprintf(c->out.file, "%s%-*s  %s\n", indent, widest, key,
                brief ? brief : "");
        free(brief);
    }
}

/* ---- CSV -------------------------------------------------------------- */

void trials_csv_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

/* A value with every digit; texts as they are, what has parts as JSON. */
static void csv_value(FILE *file, const json_t *value)
{
    char *out = NULL;
    size_t size;
    FILE *memory;

    if (json_is_string(value)) {
        trials_csv_field(file, json_string_value(value));
        return;
    }
    if (!value || json_is_null(value))
        return;
    memory = open_memstream(&out, &size);
    if (!memory)
        return;
    js_print(memory, value);
    fclose(memory);
    trials_csv_field(file, out);
    free(out);
}

static void csv_heading(cli *c, const json_t *params, const json_t *names,
                        size_t values, size_t lines)
{
    const char *key;
    json_t *value;
    char buf[32];

    fputs("number,state", c->out.file);
    for (size_t i = 0; i < values; i++) {
        fputc(',', c->out.file);
        trials_csv_field(c->out.file, objective(names, i, values, buf));
    }
    json_object_foreach((json_t *)(uintptr_t)params, key, value) {
        fputs(",params.", c->out.file);
        trials_csv_field(c->out.file, key);
    }
    fputs(",start,complete,seconds,reason", c->out.file);
    for (size_t i = 0; i < lines; i++)
        fprintf(c->out.file, ",%s", lineage[i].key);
    fputs("\r\n", c->out.file);
}

void trials_csv(cli *c, const json_t *trials, const json_t *names)
{
    static const char *const ends[] = {"start", "complete", "seconds",
                                       "reason"};
    json_t *params = param_names(trials), *value;
    size_t values = objectives(trials, names);
    size_t lines = lineage_columns(trials);
    FILE *file = c->out.file;
    const char *key;

    csv_heading(c, params, names, values, lines);
    for (size_t i = 0; i < json_array_size(trials); i++) {
        const json_t *trial = json_array_get(trials, i);

        csv_value(file, json_object_get(trial, "number"));
        fputc(',', file);
        csv_value(file, json_object_get(trial, "state"));
        for (size_t k = 0; k < values; k++) {
            fputc(',', file);
            csv_value(file,
                      json_array_get(json_object_get(trial, "values"), k));
        }
        json_object_foreach(params, key, value) {
            fputc(',', file);
            csv_value(file,
                      json_object_get(json_object_get(trial, "params"), key));
        }
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
            fputc(',', file);
            csv_value(file, json_object_get(trial, ends[k]));
        }
        for (size_t k = 0; k < lines; k++) {
            fputc(',', file);
            csv_value(file, note_of(trial, lineage[k].key));
        }
        fputs("\r\n", file);
    }
    json_decref(params);
}
