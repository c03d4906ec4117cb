/* SPDX-License-Identifier: MIT
 * src/cli/predict.c: modelopt predict: classes, probabilities or numbers for
 * rows. */
#include "input.h"
#include "json.h"
#include "trials.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_LAYER (-2)

/* What is asked of the model. */
typedef struct question {
    const char *model, *adapter, *data, *part, *format;
    int probabilities;
    int64_t layer;   /* whose features are wanted; NO_LAYER: none */
    const char *out; /* where to, or NULL */
    settings set;
} question;

/* A model's answers. */
typedef struct answers {
    json_t *described; /* the model */
    int is_class;
    const json_t *classes; /* their names, NULL when they have none */
    int64_t rows, outputs;
    float *values; /* [rows][outputs] */
} answers;

/* ---- classes ---------------------------------------------------------- */

/* Does the last layer give probabilities, or what softmax is still to be taken
 * of? */
static int gives_probabilities(const json_t *described)
{
    const json_t *layers = json_object_get(described, "layers"), *last;
    const char *activation;

    if (json_is_object(layers))
        layers = json_object_get(layers, "layers");
    last = json_array_get(layers, json_array_size(layers) - 1);
    activation = json_string_value(json_object_get(last, "activation"));
    if (!activation)
        activation = json_string_value(json_object_get(last, "function"));
    return activation && (strcmp(activation, "softmax") == 0 ||
                          strcmp(activation, "sigmoid") == 0);
}

static void softmax(float *row, int64_t n)
{
    float most = row[0];
    double sum = 0;

    for (int64_t i = 1; i < n; i++)
        most = row[i] > most ? row[i] : most;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)(row[i] - most));
    for (int64_t i = 0; i < n; i++)
        row[i] = (float)(exp((double)(row[i] - most)) / sum);
}

/* Make every row the probabilities of the classes. A single output is that of
 * the second class. */
static void to_probabilities(answers *a)
{
    if (gives_probabilities(a->described))
        return;
    for (int64_t i = 0; i < a->rows; i++) {
        float *row = a->values + i * a->outputs;

        if (a->outputs == 1)
            row[0] = (float)(1 / (1 + exp(-(double)row[0])));
        else
            softmax(row, a->outputs);
    }
}

static int64_t class_count(const answers *a)
{
    return a->outputs == 1 ? 2 : a->outputs;
}

static double probability(const answers *a, int64_t row, int64_t class)
{
    const float *p = a->values + row * a->outputs;

    if (a->outputs > 1)
        return (double)p[class];
    return class ? (double)p[0] : 1 - (double)p[0];
}

static int64_t likeliest(const answers *a, int64_t row)
{
    int64_t best = 0;

    for (int64_t i = 1; i < class_count(a); i++)
        if (probability(a, row, i) > probability(a, row, best))
            best = i;
    return best;
}

static const char *class_name(const answers *a, int64_t class, char buf[32])
{
    const char *name =
        json_string_value(json_array_get(a->classes, (size_t)class));

    snprintf(buf, 32, "%lld", (long long)class);
    return name ? name : buf;
}

/* ---- output ----------------------------------------------------------- */

/* A float's shortest text that reads back as it. */
static const char *digits(double value, char buf[32])
{
    for (int n = 6; n <= 9; n++) {
        snprintf(buf, 32, "%.*g", n, value);
        if (strtof(buf, NULL) == (float)value)
            break;
    }
    return buf;
}

static json_t *number(double value)
{
    char buf[32];

    return json_real(strtod(digits(value, buf), NULL));
}

static json_t *row_json(const answers *a, const question *q, int64_t row)
{
    json_t *out = json_object(), *each;
    int64_t best;
    char buf[32];

    if (!a->is_class) {
        each = json_array();
        for (int64_t i = 0; i < a->outputs; i++)
            json_array_append_new(
                each, number((double)a->values[row * a->outputs + i]));
        json_object_set_new(out, "values", each);
        return out;
    }
    best = likeliest(a, row);
    json_object_set_new(out, "class", json_string(class_name(a, best, buf)));
    json_object_set_new(out, "probability", number(probability(a, row, best)));
    if (q->probabilities) {
        each = json_object();
        for (int64_t i = 0; i < class_count(a); i++)
            json_object_set_new(each, class_name(a, i, buf),
                                number(probability(a, row, i)));
        json_object_set_new(out, "probabilities", each);
    }
    return out;
}

static int print_as_json(cli *c, const answers *a, const question *q)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < a->rows; i++)
        json_array_append_new(list, row_json(a, q, i));
    return cli_print_json(c, json_pack("{s:s, s:I, s:o}", "model", q->model,
                                       "rows", (json_int_t)a->rows,
                                       "predictions", list));
}

static void csv_heading(FILE *file, const answers *a, const question *q)
{
    char buf[32];

    if (a->is_class)
        fputs("class,probability", file);
    for (int64_t i = 0; a->is_class && q->probabilities && i < class_count(a);
         i++) {
        fputc(',', file);
        trials_csv_field(file, class_name(a, i, buf));
    }
    for (int64_t i = 0; !a->is_class && i < a->outputs; i++)
        fprintf(file, "%svalue%s", i ? "," : "", a->outputs > 1 ? "_" : "");
    fputc('\n', file);
}

static void csv_row(FILE *file, const answers *a, const question *q,
                    int64_t row)
{
    char buf[32];
    int64_t best;

    for (int64_t i = 0; !a->is_class && i < a->outputs; i++)
        fprintf(file, "%s%s", i ? "," : "",
                digits((double)a->values[row * a->outputs + i], buf));
    if (a->is_class) {
        best = likeliest(a, row);
        trials_csv_field(file, class_name(a, best, buf));
        fprintf(file, ",%s", digits(probability(a, row, best), buf));
    }
    for (int64_t i = 0; a->is_class && q->probabilities && i < class_count(a);
         i++)
        fprintf(file, ",%s", digits(probability(a, row, i), buf));
    fputc('\n', file);
}

static int print_answers(cli *c, const answers *a, const question *q)
{
    if (c->json || strcmp(q->format, "json") == 0)
        return print_as_json(c, a, q);
    csv_heading(c->out.file, a, q);
    for (int64_t i = 0; i < a->rows; i++)
        csv_row(c->out.file, a, q, i);
    return EXIT_DONE;
}

/* ---- the work --------------------------------------------------------- */

static int describe(cli *c, const mopt_model *model, answers *a)
{
    reply t = {0};
    const char *kind;
    int32_t rc;

    ASK(rc, &t, mopt_model_describe, model);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    a->described = reply_json(&t);
    a->outputs = json_integer_value(json_object_get(a->described, "outputs"));
    kind = json_string_value(js_at(a->described, "target.kind"));
    a->is_class = kind ? strcmp(kind, "class") == 0
                       : gives_probabilities(a->described);
    a->classes = js_at(a->described, "target.names");
    return 0;
}

static int predict(cli *c, const mopt_model *model, const mopt_dataset *data,
                   answers *a)
{
    int64_t count;
    int32_t rc = mopt_dataset_shape(data, &a->rows, NULL, NULL, NULL);

    count = a->rows * a->outputs;
    a->values = malloc(((size_t)count + 1) * sizeof *a->values);
    if (!a->values)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    if (rc == MOPT_OK)
        rc = mopt_model_predict_dataset(model, data, a->values, count, NULL);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    if (a->is_class)
        to_probabilities(a);
    return 0;
}

/* What a layer gives, into a file. */
static int save_features(cli *c, const question *q, const mopt_model *model,
                         const mopt_dataset *data)
{
    int32_t rc = mopt_model_save_features(model, q->layer, data, q->out,
                                          NULL);

    return rc == MOPT_OK ? EXIT_DONE : cli_library(c, rc, "--layer");
}

static int answer(cli *c, const question *q)
{
    mopt_model *model = NULL;
    mopt_dataset *data = NULL;
    answers a = {0};
    int code = cli_context(c);

    if (code == 0)
        code = input_model(c, q->model, q->adapter, &model);
    if (code == 0)
        code = describe(c, model, &a);
    if (code == 0)
        code = input_data(c, q->data, q->part, &q->set, 1, &data);
    if (code == 0 && q->out) {
        code = save_features(c, q, model, data);
    } else if (code == 0) {
        code = predict(c, model, data, &a);
        if (code == 0)
            code = print_answers(c, &a, q);
    }
    free(a.values);
    json_decref(a.described);
    mopt_dataset_free(data);
    mopt_model_free(model);
    return code;
}

int verb_predict(cli *c, int argc, char **argv)
{
    question q = {.format = "csv", .layer = NO_LAYER};
    const option options[] = {
        {"format", 0, OPTION_CHOICE, "FORMAT", &q.format,
         "csv (the default) or json", "csv|json", 0, 0},
        {"probabilities", 'p', OPTION_FLAG, NULL, &q.probabilities,
         "tell the probability of every class", NULL, 0, 0},
        INPUT_OPTIONS(q, "source.header=no"),
        {"layer", 0, OPTION_INT, "N", &q.layer,
         "write what layer N gives, from 0, instead (-1: what\n"
         "the last one reads); needs --out", NULL, -1, 100000},
        {"out", 0, OPTION_TEXT, "FILE", &q.out,
         "with --layer: the NPY file, float32, a row each", NULL, 0, 0},
        INPUT_ADAPTER(q),
        OPTIONS_END,
    };
    int count, code = args_parse(c, options, argc, argv, 1, 2, &count);

    if (code == ARGS_GO && (q.layer == NO_LAYER) != !q.out)
        code = cli_fail(c, EXIT_USAGE, "--layer N and --out FILE.npy go "
                        "together");
    if (code == ARGS_GO && count < 2 && isatty(STDIN_FILENO))
        code = cli_fail(c, EXIT_USAGE, "no data: name a file or a recipe, or "
                        "pipe CSV into it");
    if (code == ARGS_GO) {
        q.model = argv[0];
        q.data = count > 1 ? argv[1] : "-";
        code = answer(c, &q);
    }
    settings_free(&q.set);
    return code;
}
