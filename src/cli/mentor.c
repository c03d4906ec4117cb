/* SPDX-License-Identifier: MIT
 * src/cli/mentor.c: modelopt distill, modelopt finetune: a recipe, or flags
 * that make one. */
#include <stdlib.h>
#include <string.h>

#include "adapt.h"
#include "input.h"
#include "job.h"
#include "json.h"

/* What the command line says beside a job's own. */
typedef struct mentor {
    job j;
    const char *section; /* "distill", "finetune" */
    const char *model;   /* teacher or source */
    const char *data, *student, *method;
    int64_t rank;
    int quick;
    char *base; /* folder that the recipe's paths start from; NULL: this one */
} mentor;

/* ---- a recipe of flags ------------------------------------------------ */

/* "128,64" as hidden layers and a last one. */
static int read_student(mentor *m, json_t **out)
{
    json_t *layers = json_array();
    const char *at = m->student;

    do {
        char *end;
        long units = strtol(at, &end, 10);

        if (end == at || units < 1 || (*end && *end != ',')) {
            json_decref(layers);
            return cli_fail(m->j.c, EXIT_USAGE, "--student is '%s'; it is the "
                            "widths of hidden layers, such as 128,64",
                            m->student);
        }
        json_array_append_new(layers, json_pack("{ss sI ss}", "type", "dense",
                                                "units", (json_int_t)units,
                                                "activation", "relu"));
        at = *end ? end + 1 : end;
    } while (*at);
    json_array_append_new(layers, json_pack("{ss}", "type", "dense"));
    *out = json_pack("{so}", "layers", layers);
    return 0;
}

/* The section "data": a recipe's, or of a file. */
static int read_data(mentor *m, json_t **out)
{
    const char *source;
    json_error_t error;
    json_t *doc;

    if (!input_is_recipe(m->data)) {
        source = input_source(m->data);
        if (!source)
            return cli_fail(m->j.c, EXIT_USAGE, "--data: %s: of what kind is "
                            "it? Name a recipe, or a .csv, .arff, .npy or IDX "
                            "file", m->data);
        *out = json_pack("{s{ssss}s{sfsf}}", "source", "type", source, "path",
                         m->data, "split", "validation", 0.1, "test", 0.2);
        return 0;
    }
    doc = json_load_file(m->data, 0, &error);
    *out = json_incref(json_object_get(doc, "data"));
    json_decref(doc);
    m->base = input_folder(m->data);
    return *out ? 0 : cli_fail(m->j.c, EXIT_INPUT, "--data: %s: %s", m->data,
                               doc ? "it has no section \"data\""
                                   : error.text);
}

static int make_recipe(mentor *m)
{
    int distills = strcmp(m->section, "distill") == 0;
    json_t *data = NULL, *model = NULL, *doc;
    char *text;
    int32_t rc;
    int code;

    if (!m->model || !m->data || (distills && !m->student))
        return cli_fail(m->j.c, EXIT_USAGE, distills
                        ? "name a recipe; or give --teacher FILE, --data DATA "
                          "and --student WIDTHS"
                        : "name a recipe; or give --source FILE and --data "
                          "DATA");
    code = read_data(m, &data);
    if (code == 0 && distills)
        code = read_student(m, &model);
    if (code != 0) {
        json_decref(data);
        return code;
    }
    doc = json_pack("{so s{ss}}", "data", data, m->section,
                    distills ? "teacher" : "source", m->model);
    if (model)
        json_object_set_new(doc, "model", model);
    text = json_dumps(doc, 0);
    json_decref(doc);
    rc = text ? mopt_recipe_parse(m->j.c->ctx, text, m->base, &m->j.recipe)
              : MOPT_ENOMEM;
    free(text);
    m->j.path = distills ? "student" : "tuned";
    return rc == MOPT_OK ? 0 : cli_library(m->j.c, rc, NULL);
}

/* --method and --rank are one value of the recipe. */
static int set_method(mentor *m)
{
    char path[64], json[128];

    if (!m->method && m->rank == 0)
        return 0;
    if (m->rank > 0 && m->method && strcmp(m->method, "lora") != 0)
        return cli_fail(m->j.c, EXIT_USAGE, "--rank is of --method lora, not "
                        "of '%s'", m->method);
    snprintf(path, sizeof path, "%s.method", m->section);
    if (m->rank > 0)
        snprintf(json, sizeof json, "{\"type\": \"%s\", \"rank\": %lld}",
                 m->method ? m->method : "lora", (long long)m->rank);
    else
        snprintf(json, sizeof json, "\"%s\"", m->method);
    return settings_add(m->j.c, &m->j.set, path, json, json,
                        m->method ? "--method" : "--rank");
}

/* ---- values of a recipe ----------------------------------------------- */

/* Replace values: {"path": value, ..}. */
static int set_all(mentor *m, mopt_recipe *recipe, const json_t *values,
                   const char *name)
{
    const char *path;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)values, path, value) {
        char *json = json_dumps(value, JSON_ENCODE_ANY);
        int32_t rc = json ? mopt_recipe_set(recipe, path, json) : MOPT_ENOMEM;

        free(json);
        if (rc != MOPT_OK)
            return cli_library(m->j.c, rc, name);
    }
    return 0;
}

/* What is said by flags that make a recipe would be lost beside one. */
static int check_flags(mentor *m)
{
    const char *flag = m->model     ? "model"
                       : m->data    ? "data"
                       : m->student ? "student"
                                    : NULL;

    if (!flag)
        return 0;
    if (m->model)
        flag = strcmp(m->section, "distill") == 0 ? "teacher" : "source";
    return cli_fail(m->j.c, EXIT_USAGE, "--%s goes without a RECIPE, which "
                    "says that itself; for the data of %s alone: --data %s",
                    flag, m->j.path, m->j.path);
}

static int check_sections(mentor *m)
{
    if (!json_object_get(m->j.doc, m->section))
        return cli_fail(m->j.c, EXIT_INPUT, "%s: it has no section \"%s\"",
                        m->j.path, m->section);
    if (m->quick && !json_object_get(m->j.doc, "quick"))
        return cli_fail(m->j.c, EXIT_INPUT, "--quick: the recipe has no "
                        "section \"quick\" (values by path)");
    return 0;
}

static int read_recipe(mentor *m, int given)
{
    int code = given ? check_flags(m) : 0;

    if (code == 0)
        code = cli_context(m->j.c);
    if (code == 0 && given) {
        m->base = input_folder(m->j.path);
        code = job_read(&m->j);
    } else if (code == 0) {
        code = make_recipe(m);
    }
    if (code == 0)
        code = set_method(m);
    if (code == 0)
        code = job_apply(&m->j);
    if (code == 0)
        code = check_sections(m);
    if (code == 0 && m->quick) {
        code = set_all(m, m->j.recipe, json_object_get(m->j.doc, "quick"),
                       "quick");
        if (code == 0)
            code = job_apply(&m->j);
    }
    return code;
}

/* Told before hours of work, where it is plain by then. */
static int check_adapter(mentor *m)
{
    const json_t *said = js_at(m->j.doc, "finetune.method");
    const char *method = json_string_value(said);

    if (json_object_get(said, "type"))
        method = json_string_value(json_object_get(said, "type"));
    else if (!said)
        method = "full"; /* the default */
    if (!m->j.adapter || !method || strcmp(method, "lora") == 0)
        return 0; /* or it is searched */
    return cli_fail(m->j.c, EXIT_INPUT, "--adapter: only method 'lora' makes "
                    "an adapter, not '%s'", method);
}

static int work(mentor *m, int given)
{
    int code = read_recipe(m, given);

    if (code == 0)
        code = check_adapter(m);
    if (code == 0)
        code = job_check_outputs(&m->j);
    if (code == 0)
        code = job_run(&m->j);
    return code == 0 ? job_finish(&m->j) : code;
}

/* ---- the verbs -------------------------------------------------------- */

#define COMMON(m) \
    {"data", 0, OPTION_TEXT, "DATA", &(m).data, \
     "without a recipe: the data, another recipe or a\n" \
     ".csv, .arff, .npy or IDX file (a tenth of its rows\n" \
     "for validation, a fifth for the test)", NULL, 0, 0}, \
    {"epochs", 0, OPTION_SET_INT, "N", &(m).j.set, \
     "passes over the training rows", "train.epochs", 0, 0}, \
    JOB_SET((m).j, "train.epochs=5"), \
    JOB_SEED((m).j, "weights"), \
    {"quick", 0, OPTION_FLAG, NULL, &(m).quick, \
     "the recipe's short form (its section \"quick\")", NULL, 0, 0}, \
    JOB_OUTPUTS((m).j, "model"), \
    OPTIONS_END

static int run_verb(mentor *m, cli *c, const option *options, int argc,
                    char **argv)
{
    int count, code;

    m->j.command = job_command(m->section, argc, argv);
    code = args_parse(c, options, argc, argv, 0, 1, &count);
    if (code == ARGS_GO) {
        if (count > 0)
            m->j.path = argv[0];
        code = work(m, count > 0);
    }
    free(m->base);
    job_free(&m->j);
    return code;
}

int verb_distill(cli *c, int argc, char **argv)
{
    mentor m = {.j = {.c = c}, .section = "distill"};
    const option options[] = {
        {"teacher", 0, OPTION_TEXT, "FILE", &m.model,
         "without a recipe: the teacher's model file", NULL, 0, 0},
        {"student", 0, OPTION_TEXT, "WIDTHS", &m.student,
         "without a recipe: the student's hidden layers,\n"
         "such as 128,64", NULL, 0, 0},
        {"method", 0, OPTION_CHOICE, "NAME", &m.method,
         "kd (softened outputs), logits, dkd (decoupled)",
         "kd|logits|dkd", 0, 0},
        {"weight", 0, OPTION_SET_REAL, "SHARE", &m.j.set,
         "of the teacher; labels have the rest (0.9)", "distill.weight", 0,
         0},
        {"temperature", 0, OPTION_SET_REAL, "T", &m.j.set,
         "logits are divided by it (4)", "distill.method.temperature", 0, 0},
        COMMON(m),
    };

    return run_verb(&m, c, options, argc, argv);
}

int verb_finetune(cli *c, int argc, char **argv)
{
    mentor m = {.j = {.c = c}, .section = "finetune"};
    const option options[] = {
        {"source", 0, OPTION_TEXT, "FILE", &m.model,
         "without a recipe: the source's model file", NULL, 0, 0},
        {"method", 0, OPTION_CHOICE, "NAME", &m.method,
         "full, head, probe (closed form), lora, bias",
         "full|head|probe|lora|bias", 0, 0},
        {"rank", 0, OPTION_INT, "R", &m.rank,
         "of lora's factors (8)", NULL, 1, 65536},
        {"rate", 0, OPTION_SET_REAL, "FACTOR", &m.j.set,
         "of the learning rate for layers that are kept\n(0.3)",
         "finetune.rate", 0, 0},
        {"adapter", 0, OPTION_TEXT, "FILE", &m.j.adapter,
         "write what method lora learnt, apart from the\n"
         "source, to FILE", NULL, 0, 0},
        {"freeze", 0, OPTION_SET_TEXT, "PATTERNS", &m.j.set,
         "tensors that stay: layers.0.*,*.bias", "finetune.freeze", 0, 0},
        COMMON(m),
    };

    return run_verb(&m, c, options, argc, argv);
}
