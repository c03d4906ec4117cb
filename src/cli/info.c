/* SPDX-License-Identifier: MIT
 * src/cli/info.c: modelopt info and modelopt keys: what this build
 * is and knows, and what is in a model's file. */
#include "input.h"
#include "json.h"
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "openblas, reference" of ["openblas", "reference"]. */
static char *list_text(const json_t *value)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file;

    if (!json_is_array(value))
        return js_brief(value);
    file = open_memstream(&out, &size);
    for (size_t i = 0; file && i < json_array_size(value); i++) {
        char *item = js_brief(json_array_get(value, i));

        fprintf(file, "%s%s", i ? ", " : "", item ? item : "");
        free(item);
    }
    if (file)
        fclose(file);
    return out;
}

static void print_line(cli *c, const char *name, char *text)
{
    char style[16];

    fprintf(c->out.file, "%s%-14s%s%s\n",
            screen_style(&c->out, STYLE_BOLD, style), name,
            screen_plain(&c->out), text ? text : "");
    free(text);
}

static void print_info(cli *c, const json_t *info)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)info, key, value)
        print_line(c, key, list_text(value));
}

/* ---- a model's file --------------------------------------------------- */

/* "dense 128 relu": a layer's type, then what was said about it. */
static char *layer_text(const json_t *layer)
{
    const char *key, *type =
        json_string_value(json_object_get(layer, "type"));
    char *out = NULL;
    size_t size = 0;
    json_t *value;
    FILE *file = open_memstream(&out, &size);

    if (!file)
        return NULL;
    fputs(type ? type : "layer", file);
    json_object_foreach((json_t *)(uintptr_t)layer, key, value) {
        char *brief = js_brief(value);

        if (strcmp(key, "type") != 0)
            fprintf(file, ", %s %s", key, brief ? brief : "");
        free(brief);
    }
    fclose(file);
    return out;
}

static void print_model(cli *c, const json_t *model)
{
    static const char *const numbers[] = {"inputs", "outputs", "params",
                                          "bytes", "flops"};
    const json_t *layers = json_object_get(model, "layers");
    const json_t *target = json_object_get(model, "target");
    char count[32];

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        print_line(c, numbers[i],
                   strdup(screen_count(js_number(json_object_get(
                       model, numbers[i]), 0), count)));
    if (json_is_object(target)) {
        print_line(c, "target",
                   js_brief(json_object_get(target, "kind")));
        if (json_object_get(target, "names"))
            print_line(c, "names",
                       list_text(json_object_get(target, "names")));
    }
    for (size_t i = 0; i < json_array_size(layers); i++)
        print_line(c, i ? "" : "layers",
                   layer_text(json_array_get(layers, i)));
}

static int show_model(cli *c, const char *path)
{
    mopt_model *model = NULL;
    reply t = {0};
    int32_t rc;
    json_t *described;
    int code = input_model(c, path, NULL, &model);

    if (code != 0)
        return code;
    ASK(rc, &t, mopt_model_describe, model);
    mopt_model_free(model);
    if (rc != MOPT_OK)
        return cli_library(c, rc, path);
    described = reply_json(&t);
    if (c->json)
        return cli_print_json(c, described);
    print_model(c, described);
    json_decref(described);
    return EXIT_DONE;
}

static int show_build(cli *c)
{
    reply t = {0};
    int32_t rc;
    json_t *info;

    ASK(rc, &t, mopt_context_info, c->ctx);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    info = reply_json(&t);
    if (c->json)
        return cli_print_json(c, info);
    print_info(c, info);
    json_decref(info);
    return EXIT_DONE;
}

int verb_info(cli *c, int argc, char **argv)
{
    job j = {.c = c};
    int64_t ranks = 0;
    const option options[] = {
        {"parallel", 0, OPTION_TEXT, "RECIPE", &j.path,
         "show how ranks would share the training of\n"
         "RECIPE, and what a step would cost", NULL, 0, 0},
        {"ranks", 0, OPTION_INT, "N", &ranks,
         "plan for N ranks (default: as many as the recipe\n"
         "says, or one for each core)", NULL, 1, PLAN_RANKS},
        JOB_SET(j, "parallel.tensor=2"),
        OPTIONS_END,
    };
    int count, code = args_parse(c, options, argc, argv, 0, 1, &count);

    if (code == ARGS_GO && j.path && count)
        code = cli_fail(c, EXIT_USAGE, "info shows a model or, with "
                        "--parallel, the plan for a recipe; not both");
    else if (code == ARGS_GO && !j.path && (ranks || j.set.count))
        code = cli_fail(c, EXIT_USAGE, "--%s goes with --parallel RECIPE",
                        ranks ? "ranks" : "set");
    if (code == ARGS_GO) {
        code = cli_context(c);
        if (code == 0)
            code = j.path  ? plan_show(&j, ranks)
                   : count ? show_model(c, argv[0])
                           : show_build(c);
    }
    job_free(&j);
    return code;
}

/* ---- keys ------------------------------------------------------------- */

#define ENDLESS 1e6 /* a bound from here on only keeps sizes sane */

/* "0 .. <1", "> 0", ">= 1": what a number may be. */
static char *bounds_text(const json_t *key)
{
    const json_t *above = json_object_get(key, "above");
    const json_t *below = json_object_get(key, "below");
    double low = js_number(above ? above : json_object_get(key, "min"), NAN);
    double high = js_number(below ? below : json_object_get(key, "max"), NAN);
    char *out = NULL;

    if (isnan(low) && !(high < ENDLESS))
        return js_brief(json_object_get(key, "type"));
    if (!(high < ENDLESS)) {
        if (asprintf(&out, "%s %g", above ? ">" : ">=", low) < 0)
            out = NULL;
    } else if (asprintf(&out, "%s%g .. %s%g", above ? ">" : "",
                        isnan(low) ? -INFINITY : low, below ? "<" : "",
                        high) < 0) {
        out = NULL;
    }
    return out;
}

/* Words of a text in lines that fit. */
static void print_wrapped(cli *c, const char *text, int indent)
{
    int room = c->out.width > 40 ? c->out.width : 80, column = 0;

    for (size_t n; *text; text += n) {
        text += strspn(text, " ");
        n = strcspn(text, " ");
        if (column > 0 && column + 1 + (int)n > room) {
            fputc('\n', c->out.file);
            column = 0;
        }
        column += fprintf(c->out.file, "%*s%.*s", column ? 1 : indent, "",
                          (int)n, text);
    }
    fputc('\n', c->out.file);
}

static void print_key(cli *c, const json_t *key, int indent)
{
    const json_t *choices = json_object_get(key, "choices");
    char *name = js_brief(json_object_get(key, "key"));
    char *preset = js_brief(json_object_get(key, "default"));
    char *allowed = choices ? list_text(choices) : bounds_text(key);
    char *help = js_brief(json_object_get(key, "help"));
    char style[16], *line = NULL;
    int pad = 28 - indent;

    fprintf(c->out.file, "%*s%s%-*s%s", indent, "",
            screen_style(&c->out, STYLE_BOLD, style), pad, name ? name : "",
            screen_plain(&c->out));
    if (asprintf(&line, "%-12s %s", preset && *preset ? preset : "-",
                 allowed ? allowed : "") >= 0)
        fprintf(c->out.file, " %s\n", line);
    print_wrapped(c, help ? help : "", indent + 4);
    free(line);
    free(help);
    free(allowed);
    free(preset);
    free(name);
}

/* Keys of a variant stand below a line that says when they are keys. */
static void print_keys(cli *c, const json_t *keys)
{
    const char *before = "";

    fprintf(c->out.file, "%-28s %-12s %s\n", "key", "default", "allowed");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        const char *of = json_string_value(json_object_get(key, "of"));
        const char *name = json_string_value(json_object_get(key, "key"));

        if (of && name && strcmp(of, before) != 0)
            fprintf(c->out.file, "  with %.*s %s\n",
                    (int)strcspn(name, "."), name, of);
        before = of ? of : "";
        print_key(c, key, of ? 4 : 0);
    }
}

static int print_schema(cli *c)
{
    reply t = {0};
    int32_t rc;

    ASK(rc, &t, mopt_recipe_schema, c->ctx);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    return cli_print_json(c, reply_json(&t));
}

static void print_kinds(cli *c, const json_t *kinds)
{
    fputs("Kinds of options; 'modelopt keys KIND' lists the keys of one:\n",
          c->out.file);
    for (size_t i = 0; i < json_array_size(kinds); i++)
        fprintf(c->out.file, "  %s\n",
                json_string_value(json_array_get(kinds, i)));
}

int verb_keys(cli *c, int argc, char **argv)
{
    int schema = 0, count, code;
    const option options[] = {
        {"schema", 0, OPTION_FLAG, NULL, &schema,
         "print the JSON Schema of recipes instead", NULL, 0, 0},
        OPTIONS_END,
    };
    const char *kind;
    reply t = {0};
    int32_t rc;
    json_t *list;

    code = args_parse(c, options, argc, argv, 0, 1, &count);
    if (code != ARGS_GO)
        return code;
    code = cli_context(c);
    if (code != 0)
        return code;
    if (schema)
        return print_schema(c);
    kind = count ? argv[0] : NULL;
    ASK(rc, &t, mopt_config_describe, c->ctx, kind);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    list = reply_json(&t);
    if (c->json)
        return cli_print_json(c, json_pack("{s:s?, s:o}", "kind", kind,
                                           kind ? "keys" : "kinds", list));
    if (kind)
        print_keys(c, list);
    else
        print_kinds(c, list);
    json_decref(list);
    return EXIT_DONE;
}
