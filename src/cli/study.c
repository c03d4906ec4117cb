/* SPDX-License-Identifier: MIT
 * src/cli/study.c: modelopt study: look into the file of a search. */
#include "args.h"
#include "trials.h"

#include <stdlib.h>
#include <string.h>

/* What the command line asks. */
typedef struct request {
    const char *path, *name, *sort, *format;
    int64_t limit;
} request;

/* An open study and what it says. */
typedef struct view {
    mopt_study *study;
    json_t *json;
    json_t *trials; /* of json */
    int maximize;   /* the first objective */
    int64_t best;
} view;

typedef int (*action_fn)(cli *c, const request *r, view *v);

static int maximizes(const json_t *json)
{
    const json_t *list = json_object_get(json, "directions");
    const char *text = json_string_value(json_array_get(list, 0));

    return text && strcmp(text, "maximize") == 0;
}

static int open_view(cli *c, const request *r, view *v)
{
    int code = trials_open(c, r->path, r->name, &v->study);

    if (code != 0)
        return code;
    v->json = trials_read(c, v->study, &code);
    v->trials = json_object_get(v->json, "trials");
    v->maximize = maximizes(v->json);
    v->best = trials_best(v->study);
    return code;
}

static const json_t *best_trial(const view *v)
{
    for (size_t i = 0; i < json_array_size(v->trials); i++) {
        const json_t *trial = json_array_get(v->trials, i);

        if (json_integer_value(json_object_get(trial, "number")) == v->best)
            return trial;
    }
    return NULL;
}

/* ---- the actions ------------------------------------------------------ */

static void print_space(cli *c, const json_t *space)
{
    if (json_object_size(space) == 0)
        return;
    fputs("space\n", c->out.file);
    trials_params(c, space, "  ");
}

static void print_best(cli *c, const view *v)
{
    const json_t *trial = best_trial(v);
    char *values;

    if (!trial)
        return;
    values = js_brief(json_object_get(trial, "values"));
    fprintf(c->out.file, "best   trial %lld, %s\n", (long long)v->best,
            values ? values : "");
    free(values);
    trials_lineage(c, trial);
    trials_params(c, json_object_get(trial, "params"), "  ");
}

static int act_show(cli *c, const request *r, view *v)
{
    char *counts = js_brief(json_object_get(v->json, "counts"));
    char *directions = js_brief(json_object_get(v->json, "directions"));
    const char *name = json_string_value(json_object_get(v->json, "name"));

    (void)r;
    if (c->json) {
        json_object_set(v->json, "best",
                        v->best < 0 ? json_null()
                                    : (json_t *)(uintptr_t)best_trial(v));
        json_object_del(v->json, "trials");
    } else {
        fprintf(c->out.file, "study  %s\ngoal   %s\ntrials %s\n",
                name ? name : "", directions ? directions : "",
                counts ? counts : "");
        print_space(c, json_object_get(v->json, "space"));
        print_best(c, v);
    }
    free(counts);
    free(directions);
    return c->json ? cli_print_json(c, json_incref(v->json)) : EXIT_DONE;
}

static int act_best(cli *c, const request *r, view *v)
{
    const json_t *trial = best_trial(v);

    if (!trial)
        return cli_fail(c, EXIT_NOTHING, "%s: no trial is complete yet",
                        r->path);
    if (c->json)
        return cli_print_json(c, json_pack("{s:O}", "best", trial));
    print_best(c, v);
    return EXIT_DONE;
}

static int act_trials(cli *c, const request *r, view *v)
{
    trials_sort(v->trials, strcmp(r->sort, "value") == 0, v->maximize);
    if (c->json) {
        while (r->limit > 0 &&
               json_array_size(v->trials) > (size_t)r->limit)
            json_array_remove(v->trials, json_array_size(v->trials) - 1);
        return cli_print_json(c, json_pack("{s:O}", "trials", v->trials));
    }
    trials_table(c, v->trials, json_object_get(v->json, "objectives"),
                 (size_t)r->limit, v->best);
    return EXIT_DONE;
}

static int act_export(cli *c, const request *r, view *v)
{
    if (c->json || strcmp(r->format, "json") == 0)
        return cli_print_json(c, json_incref(v->json));
    trials_csv(c, v->trials, json_object_get(v->json, "objectives"));
    return EXIT_DONE;
}

static int list_names(cli *c, const char *path)
{
    reply t = {0};
    int32_t rc;
    int code = cli_place(c, path);
    json_t *names;

    if (code != 0)
        return code;
    ASK(rc, &t, mopt_study_list, c->ctx, path);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    names = reply_json(&t);
    if (c->json)
        return cli_print_json(c, json_pack("{s:o}", "studies", names));
    for (size_t i = 0; i < json_array_size(names); i++) {
        char *name = js_brief(json_array_get(names, i));

        fprintf(c->out.file, "%s\n", name ? name : "");
        free(name);
    }
    json_decref(names);
    return EXIT_DONE;
}

/* ---- the verb --------------------------------------------------------- */

static const struct action {
    const char *name;
    action_fn act; /* NULL: list, which opens no study */
} actions[] = {
    {"list", NULL},         {"show", act_show},     {"best", act_best},
    {"trials", act_trials}, {"export", act_export}, {NULL, NULL},
};

static const char *action_at(const void *list, size_t i)
{
    return ((const struct action *)list)[i].name;
}

static const struct action *find_action(cli *c, const char *name, int *code)
{
    const char *near;

    for (const struct action *a = actions; a->name; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    near = args_nearest(name, action_at, actions);
    *code = cli_fail(c, EXIT_USAGE,
                     "no action '%s'%s%s%s; it is list, show, best, trials or "
                     "export", name, near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
    return NULL;
}

static int act(cli *c, const struct action *action, const request *r)
{
    view v = {.best = -1};
    int code = cli_context(c);

    if (code == 0 && !action->act) {
        code = list_names(c, r->path);
    } else if (code == 0) {
        code = open_view(c, r, &v);
        if (code == 0)
            code = action->act(c, r, &v);
    }
    json_decref(v.json);
    mopt_study_free(v.study);
    return code;
}

int verb_study(cli *c, int argc, char **argv)
{
    request r = {.sort = "number", .format = "csv"};
    const option options[] = {
        {"name", 0, OPTION_TEXT, "NAME", &r.name,
         "the study of that name (needed where FILE has several)", NULL, 0,
         0},
        {"sort", 0, OPTION_CHOICE, "ORDER", &r.sort,
         "order of trials: number, or value (best first)", "number|value", 0,
         0},
        {"limit", 0, OPTION_INT, "N", &r.limit, "show N trials at most", NULL,
         0, INT32_MAX},
        {"format", 0, OPTION_CHOICE, "FORMAT", &r.format,
         "of export: csv (the default) or json", "csv|json", 0, 0},
        OPTIONS_END,
    };
    const struct action *action;
    int count, code = args_parse(c, options, argc, argv, 2, 2, &count);

    if (code != ARGS_GO)
        return code;
    action = find_action(c, argv[0], &code);
    if (!action)
        return code;
    r.path = argv[1];
    return act(c, action, &r);
}
