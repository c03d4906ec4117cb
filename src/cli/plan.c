/* SPDX-License-Identifier: MIT
 * src/cli/plan.c: modelopt info --parallel: how ranks would share the training
 * of a recipe, and what a step would cost. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "table.h"

#define SHOWN 10 /* alternatives, without -v */

static double at(const json_t *object, const char *key)
{
    return js_number(json_object_get(object, key), 0);
}

static long long whole(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* "1.23 s", "4.56 ms", "7.89 us". */
static char *seconds_text(double seconds)
{
    static const char *const units[] = {"s", "ms", "us"};
    size_t unit = 0;
    char *out = NULL;

    for (; unit < 2 && seconds < 1; unit++)
        seconds *= 1000;
    if (asprintf(&out, "%.*f %s", seconds < 10 ? 2 : seconds < 100, seconds,
                 units[unit]) < 0)
        out = NULL;
    return out;
}

static char *bytes_text(double bytes)
{
    char buf[32];

    return strdup(screen_bytes(bytes, buf));
}

static void give_count(table *t, double count)
{
    char buf[32];

    table_add(t, screen_count(count, buf));
}

/* ---- the parts of the page -------------------------------------------- */

static void print_head(cli *c, const json_t *plan)
{
    const json_t *alone = json_object_get(plan, "alone");
    double seconds = at(plan, "seconds"), one = at(alone, "seconds");
    char *step = seconds_text(seconds), *single = seconds_text(one);
    char *memory = bytes_text(at(plan, "memory"));
    char *all = bytes_text(at(alone, "memory"));
    char *sent = bytes_text(at(plan, "sent"));

    fprintf(c->out.file,
            "ranks      %lld: data %lld x tensor %lld x pipeline %lld\n"
            "batch      %lld rows in %lld parts, %s\n",
            whole(plan, "ranks"), whole(plan, "data"), whole(plan, "tensor"),
            whole(plan, "pipeline"), whole(plan, "batch"),
            whole(plan, "parts"),
            json_string_value(json_object_get(plan, "schedule")));
    if (step && single && memory && all && sent)
        fprintf(c->out.file,
                "step       %s (one rank alone: %s, %.2f times that)\n"
                "memory     %s a rank (one rank alone: %s)\n"
                "sent       %s a step, by the rank that sends the most\n",
                step, single, one / seconds, memory, all, sent);
    free(step);
    free(single);
    free(memory);
    free(all);
    free(sent);
}

static void print_costs(cli *c, const json_t *plan)
{
    static const char *const keys[][2] = {
        {"compute", "forward and backward"},
        {"tensor", "sums over tensor ranks"},
        {"transfer", "between stages"},
        {"bubble", "waiting for other stages"},
        {"sums", "gradients of parts added up"},
        {"gradients", "over data ranks, and weights back"},
        {"update", "changing the weights"},
        {"agreement", "small messages of all ranks"},
    };
    const json_t *costs = json_object_get(plan, "costs");
    double seconds = at(plan, "seconds");
    table t;

    table_open(&t, 3);
    table_add(&t, "a step");
    table_add(&t, "time");
    table_add(&t, "for");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        double cost = at(costs, keys[i][0]);

        if (cost < 0.0005 * seconds)
            continue;
        table_add(&t, keys[i][0]);
        table_give(&t, seconds_text(cost));
        table_add(&t, keys[i][1]);
    }
    table_print(&t, &c->out, "");
    table_free(&t);
}

/* "0-3", and how its layers are split: "columns, rows", or "" for not. */
static char *layers_text(const json_t *stage)
{
    long long first = whole(stage, "first");
    char *out = NULL;

    if (asprintf(&out, "%lld-%lld", first,
                 first + whole(stage, "layers") - 1) < 0)
        out = NULL;
    return out;
}

static char *splits_text(const json_t *stage)
{
    const json_t *splits = json_object_get(stage, "splits");
    char *out = NULL;
    size_t size, cut = 0;
    FILE *file = open_memstream(&out, &size);

    for (size_t i = 0; file && i < json_array_size(splits); i++) {
        const char *word = json_string_value(json_array_get(splits, i));

        fprintf(file, "%s%s", i ? "," : "", word);
        cut += strcmp(word, "none") != 0;
    }
    if (file)
        fclose(file);
    if (cut > 0)
        return out;
    free(out);
    return strdup("none");
}

static void print_stages(cli *c, const json_t *stages)
{
    static const char *const heads[] = {"stage", "layers", "weights",
                                        "flops/row", "compute", "kept twice",
                                        "gradients", "state", "activations",
                                        "split"};
    table t;

    table_open(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < t.columns; i++)
        table_add(&t, heads[i]);
    for (size_t i = 0; i < json_array_size(stages); i++) {
        const json_t *stage = json_array_get(stages, i);
        const json_t *memory = json_object_get(stage, "memory");

        give_count(&t, (double)i);
        table_give(&t, layers_text(stage));
        give_count(&t, at(stage, "weights"));
        give_count(&t, at(stage, "flops"));
        table_give(&t, seconds_text(at(stage, "seconds")));
        table_give(&t, bytes_text(at(memory, "weights")));
        table_give(&t, bytes_text(at(memory, "gradients")));
        table_give(&t, bytes_text(at(memory, "state")));
        table_give(&t, bytes_text(at(memory, "activations")));
        table_give(&t, splits_text(stage));
    }
    table_print(&t, &c->out, "");
    table_free(&t);
}

static void print_choices(cli *c, const json_t *choices)
{
    static const char *const heads[] = {"data", "tensor", "pipeline", "parts",
                                        "step", "memory", "fits"};
    size_t count = json_array_size(choices), shown = count;
    table t;

    if (shown > SHOWN && c->verbose == 0)
        shown = SHOWN;
    table_open(&t, sizeof heads / sizeof *heads);
    for (size_t i = 0; i < t.columns; i++)
        table_add(&t, heads[i]);
    for (size_t i = 0; i < shown; i++) {
        const json_t *choice = json_array_get(choices, i);

        for (size_t k = 0; k < 4; k++)
            give_count(&t, at(choice, heads[k]));
        table_give(&t, seconds_text(at(choice, "seconds")));
        table_give(&t, bytes_text(at(choice, "memory")));
        table_add(&t, json_is_true(json_object_get(choice, "fits")) ? "yes"
                                                                    : "no");
    }
    table_print(&t, &c->out, "");
    table_free(&t);
    if (shown < count)
        fprintf(c->out.file, "and %zu more (-v shows all)\n", count - shown);
}

static void print_plan(cli *c, const json_t *plan)
{
    print_head(c, plan);
    fputc('\n', c->out.file);
    print_costs(c, plan);
    fputc('\n', c->out.file);
    print_stages(c, json_object_get(plan, "stages"));
    fputc('\n', c->out.file);
    print_choices(c, json_object_get(plan, "alternatives"));
}

/* ---- the plan ---------------------------------------------------------- */

/* What the recipe's mesh makes, where it is said; else a rank a core. */
static int64_t usual_ranks(const job *j)
{
    static const char *const sides[] = {"parallel.data", "parallel.tensor",
                                        "parallel.pipeline"};
    int64_t product = 1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    for (size_t i = 0; i < 3; i++) {
        int64_t side = json_integer_value(js_at(j->doc, sides[i]));

        if (side < 1)
            return cores > 1 ? cores : 1;
        if (product <= PLAN_RANKS)
            product *= side;
    }
    return product <= PLAN_RANKS ? product : PLAN_RANKS;
}

int plan_show(job *j, int64_t ranks)
{
    cli *c = j->c;
    mopt_parallel *plan = NULL;
    reply t = {0};
    int32_t rc;
    json_t *told;
    int code = job_read(j);

    if (code == 0)
        code = job_apply(j);
    if (code == 0)
        code = job_check_closed(j, "");
    if (code != 0)
        return code;
    rc = mopt_recipe_plan(j->recipe,
                          (int32_t)(ranks ? ranks : usual_ranks(j)), NULL,
                          &plan);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    ASK(rc, &t, mopt_parallel_json, plan);
    mopt_parallel_free(plan);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    told = reply_json(&t);
    if (c->json)
        return cli_print_json(c, told);
    print_plan(c, told);
    json_decref(told);
    return EXIT_DONE;
}
