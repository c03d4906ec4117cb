/* SPDX-License-Identifier: MIT
 * lib/recipe/tally.c: the figures that several runs are compared by, their
 * means and how far they spread. */
#include <math.h>
#include <string.h>

#include "recipe/cases.h"

/* --- Figures ------------------------------------------------------------ */

/* A figure: where a result has it, and where else. */
typedef struct figure {
    const char *name;
    const char *paths[2];
    double factor;
} figure;

static const figure distilled[] = {
    {"teacher", {"distill.teacher.errors", "distill.teacher.rmse"}, 1},
    {"alone", {"distill.alone.errors", "distill.alone.rmse"}, 1},
    {"student", {"distill.student.errors", "distill.student.rmse"}, 1},
    {"gap", {"distill.gap", ""}, 1},
    {"gain", {"distill.gain", ""}, 1},
    {NULL, {NULL, NULL}, 0},
};
/* Accuracies in points of 100, as gain and forgotten are. */
static const figure tuned[] = {
    {"untuned", {"finetune.untuned.accuracy", "finetune.untuned.rmse"}, 100},
    {"scratch", {"finetune.scratch.accuracy", "finetune.scratch.rmse"}, 100},
    {"tuned", {"finetune.target.accuracy", "finetune.target.rmse"}, 100},
    {"gain", {"finetune.gain", ""}, 1},
    {"forgotten", {"finetune.source.forgotten", ""}, 1},
    {"trained", {"finetune.trained_params", ""}, 1},
    {NULL, {NULL, NULL}, 0},
};
static const figure plain[] = {
    {"accuracy", {"test.accuracy", "validation.accuracy"}, 1},
    {"rmse", {"test.rmse", "validation.rmse"}, 1},
    {"loss", {"test.loss", "validation.loss"}, 1},
    {"params", {"costs.params", ""}, 1},
    {NULL, {NULL, NULL}, 0},
};

static const figure *figures_of(const mopt_recipe *recipe)
{
    if (json_object_get(recipe->doc, "distill") != NULL)
        return distilled;
    return json_object_get(recipe->doc, "finetune") != NULL ? tuned : plain;
}

json_t *moi_tally_names(const mopt_recipe *recipe)
{
    json_t *names = json_array();
    for (const figure *f = figures_of(recipe); f->name != NULL; f++)
        if (json_array_append_new(names, json_string(f->name)) != 0) {
            json_decref(names);
            return NULL;
        }
    return names;
}

static const json_t *find(const json_t *result, const char *path)
{
    while (result != NULL && *path != '\0') {
        char key[32];
        size_t length = strcspn(path, ".");
        memcpy(key, path, length);
        key[length] = '\0';
        result = json_object_get(result, key);
        path += length + (path[length] == '.');
    }
    return result;
}

/* NaN when it is not known. An rmse stays as it is. */
static double figure_of(const json_t *result, const figure *f)
{
    for (int32_t i = 0; i < 2; i++) {
        const json_t *value = find(result, f->paths[i]);
        if (json_is_number(value))
            return json_number_value(value) * (i == 0 ? f->factor : 1);
    }
    return NAN;
}

/* --- Over runs ---------------------------------------------------------- */

/* Mean and standard deviation (over n - 1) of the runs that know a figure;
 * returns how many those are. */
static int64_t average(const json_t *runs, const figure *f, double *mean,
                       double *sd)
{
    double sum = 0, squares = 0;
    int64_t n = 0;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        double x = figure_of(json_array_get(runs, i), f);
        sum += isnan(x) ? 0 : x;
        n += !isnan(x);
    }
    *mean = n > 0 ? sum / (double)n : NAN;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        double x = figure_of(json_array_get(runs, i), f) - *mean;
        squares += isnan(x) ? 0 : x * x;
    }
    *sd = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return n;
}

json_t *moi_tally_summary(const mopt_recipe *recipe, const json_t *runs)
{
    json_t *means = json_object(), *sds = json_object();
    int32_t rc = MOPT_OK;
    for (const figure *f = figures_of(recipe);
         f->name != NULL && rc == MOPT_OK; f++) {
        double mean, sd;
        int64_t count = average(runs, f, &mean, &sd);
        if (count > 0)
            rc = moi_json_add_number(means, f->name, mean);
        if (count > 1 && rc == MOPT_OK)
            rc = moi_json_add_number(sds, f->name, sd);
    }
    if (rc == MOPT_OK)
        return json_pack("{soso}", "mean", means, "sd", sds);
    json_decref(means);
    json_decref(sds);
    return NULL;
}
