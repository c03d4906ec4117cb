/* SPDX-License-Identifier: MIT
 * src/cli/input.c: the arguments MODEL and DATA. */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json.h"

/* Merged for good: the adapter is not needed any more. */
static int merge(cli *c, const char *path, mopt_model *model)
{
    mopt_adapter *adapter = NULL;
    int32_t rc = mopt_adapter_load(c->ctx, path, &adapter);

    if (rc == MOPT_OK)
        rc = mopt_adapter_apply(adapter, model);
    mopt_adapter_free(adapter);
    return rc == MOPT_OK ? 0 : cli_library(c, rc, "--adapter");
}

int input_model(cli *c, const char *path, const char *adapter,
                mopt_model **out)
{
    struct stat st;
    int32_t rc;

    if (stat(path, &st) != 0)
        return cli_fail(c, EXIT_INPUT, "%s: %s; name a model file "
                        "(.safetensors)", path, strerror(errno));
    rc = mopt_model_load(c->ctx, path, out);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    return adapter ? merge(c, adapter, *out) : 0;
}

/* ---- a config of kind "data" ------------------------------------------ */

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcasecmp(text + n - m, end) == 0;
}

const char *input_source(const char *path)
{
    static const struct {
        const char *end, *source;
    } known[] = {
        {".csv", "csv"},   {".tsv", "csv"},   {".txt", "csv"},
        {".data", "csv"},  {".arff", "arff"}, {".npy", "npy"},
        {"-ubyte", "idx"}, {".idx", "idx"},
    };
    char *base = strdup(path);
    const char *source = NULL;

    if (base && ends_with(base, ".gz"))
        base[strlen(base) - 3] = '\0';
    for (size_t i = 0; base && i < sizeof known / sizeof *known; i++)
        if (ends_with(base, known[i].end))
            source = known[i].source;
    free(base);
    return source;
}

int input_is_recipe(const char *path)
{
    return ends_with(path, ".json");
}

static int sets(const settings *set, const char *path)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].path, path) == 0)
            return 1;
    return 0;
}

/* Take all columns of a table as inputs; a model finds its own by name. */
static int32_t unset_target(mopt_config *config, const settings *set)
{
    char source[32];
    int32_t rc =
        mopt_config_get_text(config, "source", source, sizeof source, NULL);

    if (rc != MOPT_OK || sets(set, "source.target") ||
        (strcmp(source, "csv") != 0 && strcmp(source, "arff") != 0))
        return rc;
    return mopt_config_set_text(config, "source.target", "");
}

/* A source by what the command line and the path say. */
static int configure_file(cli *c, const char *path, const settings *set,
                          int bare, mopt_config *config)
{
    int from_stdin = strcmp(path, "-") == 0;
    const char *source = from_stdin ? "csv" : input_source(path);
    struct stat st;
    int32_t rc = MOPT_OK;

    if (!from_stdin && stat(path, &st) != 0)
        return cli_fail(c, EXIT_INPUT, "%s: %s; name a file of data, a "
                        "recipe, or - for CSV on standard input", path,
                        strerror(errno));
    if (!source && !sets(set, "source"))
        return cli_fail(c, EXIT_USAGE, "%s: of what kind is it? Say --set "
                        "source=csv, or arff, npy, idx", path);
    if (!sets(set, "source"))
        rc = mopt_config_set_text(config, "source", source);
    for (size_t i = 0; rc == MOPT_OK && i < set->count; i++)
        rc = mopt_config_set_text(config, set->items[i].path,
                                  set->items[i].text);
    if (rc == MOPT_OK)
        rc = mopt_config_set_text(config, "source.path",
                                  from_stdin ? "/dev/stdin" : path);
    if (rc == MOPT_OK && bare)
        rc = unset_target(config, set);
    return rc == MOPT_OK ? 0 : cli_library(c, rc, NULL);
}

char *input_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("");
}

/* Members of a recipe's "data" that say which rows there are; the rest is the
 * model's own business. */
static json_t *rows_of(const json_t *data)
{
    static const char *const keys[] = {"source", "base", "split", "test_mask",
                                       "test_mask_column", "classes",
                                       "relabel", "image"};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(data, keys[i]);

        if (value)
            json_object_set(out, keys[i], value);
    }
    return out;
}

static int32_t recipe_json(cli *c, const char *path, const settings *set,
                           json_t **out)
{
    mopt_recipe *recipe = NULL;
    reply t = {0};
    int32_t rc = mopt_recipe_load(c->ctx, path, &recipe);

    for (size_t i = 0; rc == MOPT_OK && i < set->count; i++) {
        char name[600];

        snprintf(name, sizeof name, "data.%s", set->items[i].path);
        rc = mopt_recipe_set(recipe, name, set->items[i].json);
    }
    if (rc == MOPT_OK)
        ASK(rc, &t, mopt_recipe_to_json, recipe);
    mopt_recipe_free(recipe);
    *out = reply_json(&t);
    return rc;
}

static int configure_recipe(cli *c, const char *path, const settings *set,
                            mopt_config *config)
{
    json_t *doc = NULL, *rows;
    char *text, *folder;
    int32_t rc = recipe_json(c, path, set, &doc);

    if (rc != MOPT_OK)
        return cli_library(c, rc, path);
    rows = rows_of(json_object_get(doc, "data"));
    text = json_dumps(rows, 0);
    folder = input_folder(path);
    rc = text && folder ? mopt_config_set_json(config, text) : MOPT_ENOMEM;
    if (rc == MOPT_OK && !json_object_get(rows, "base") && *folder)
        rc = mopt_config_set_text(config, "base", folder);
    free(folder);
    free(text);
    json_decref(rows);
    json_decref(doc);
    return rc == MOPT_OK ? 0 : cli_library(c, rc, path);
}

/* ---- rows ------------------------------------------------------------- */

/* A part as a recipe's run cuts it: a test file of its own, or a share. */
static int32_t load_part(cli *c, const mopt_config *config, const char *part,
                         mopt_dataset **out)
{
    mopt_dataset *all = NULL;
    int32_t rc;

    if (strcmp(part, "test") == 0 &&
        mopt_dataset_load(c->ctx, config, MOPT_PART_TEST, out) == MOPT_OK)
        return MOPT_OK;
    rc = mopt_dataset_load(c->ctx, config, MOPT_PART_TRAIN, &all);
    if (rc != MOPT_OK)
        return rc;
    if (strcmp(part, "all") == 0) {
        *out = all;
        return MOPT_OK;
    }
    if (strcmp(part, "train") == 0)
        rc = mopt_dataset_split(all, config, out, NULL, NULL);
    else if (strcmp(part, "validation") == 0)
        rc = mopt_dataset_split(all, config, NULL, out, NULL);
    else
        rc = mopt_dataset_split(all, config, NULL, NULL, out);
    mopt_dataset_free(all);
    return rc;
}

int input_data(cli *c, const char *path, const char *part, const settings *set,
               int bare, mopt_dataset **out)
{
    int is_recipe = input_is_recipe(path), code;
    mopt_config *config = NULL;
    int32_t rc = mopt_config_create(c->ctx, "data", &config);

    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    if (!part)
        part = is_recipe ? "test" : "all";
    code = is_recipe ? configure_recipe(c, path, set, config)
                     : configure_file(c, path, set, bare, config);
    if (code == 0) {
        rc = load_part(c, config, part, out);
        if (rc != MOPT_OK)
            code = cli_library(c, rc, NULL);
        else if (!*out)
            code = cli_fail(c, EXIT_INPUT, "%s has no %s part; choose another "
                            "with --part (train, validation, test, all)",
                            path, part);
    }
    mopt_config_free(config);
    return code;
}
