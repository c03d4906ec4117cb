/* SPDX-License-Identifier: MIT
 * src/cli/eval.c: modelopt eval: measure a model on labelled data. */
#include "input.h"
#include "json.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* What is asked of the model. */
typedef struct question {
    const char *model, *adapter, *data, *part, *loss;
    int confusion;
    settings set;
} question;

static void print_confusion(cli *c, const json_t *rows, const json_t *names)
{
    size_t n = json_array_size(rows);
    table t;
    char number[32];

    if (n == 0)
        return;
    fprintf(c->out.file, "\nrows are the truth, columns what the model "
            "said:\n");
    table_open(&t, n + 1);
    for (size_t i = 0; i <= n; i++)
        for (size_t k = 0; k <= n; k++) {
            size_t class = (i ? i : k) - 1;
            const char *name =
                json_string_value(json_array_get(names, class));

            snprintf(number, sizeof number, "%zu", class);
            if (i && k)
                table_give(&t, js_brief(json_array_get(
                                   json_array_get(rows, i - 1), k - 1)));
            else
                table_add(&t, i + k == 0 ? "" : name ? name : number);
        }
    table_print(&t, &c->out, "");
    table_free(&t);
}

static void print_metrics(cli *c, const json_t *metrics)
{
    const char *key;
    json_t *value;
    char style[16], buf[32];

    json_object_foreach((json_t *)(uintptr_t)metrics, key, value)
        if (json_is_number(value))
            fprintf(c->out.file, "%s%-16s%s%s\n",
                    screen_style(&c->out, STYLE_BOLD, style), key,
                    screen_plain(&c->out), js_figure(value, buf));
}

static json_t *class_names(const mopt_model *model)
{
    reply t = {0};
    int32_t rc;
    json_t *described, *names;

    ASK(rc, &t, mopt_model_describe, model);
    described = rc == MOPT_OK ? reply_json(&t) : NULL;
    names = json_incref(js_at(described, "target.names"));
    json_decref(described);
    return names;
}

static int measure(cli *c, const question *q, const mopt_model *model,
                   const mopt_dataset *data)
{
    reply t = {0};
    int64_t rows = 0;
    int32_t rc;
    json_t *metrics, *names;

    ASK(rc, &t, mopt_model_evaluate, model, data, q->loss, NULL);
    if (rc != MOPT_OK)
        return cli_library(c, rc, NULL);
    metrics = reply_json(&t);
    mopt_dataset_shape(data, &rows, NULL, NULL, NULL);
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:I, s:o}", "model",
                                           q->model, "data", q->data, "rows",
                                           (json_int_t)rows, "metrics",
                                           metrics));
    print_metrics(c, metrics);
    if (q->confusion) {
        names = class_names(model);
        print_confusion(c, json_object_get(metrics, "confusion"), names);
        json_decref(names);
    }
    json_decref(metrics);
    return EXIT_DONE;
}

static int answer(cli *c, const question *q)
{
    mopt_model *model = NULL;
    mopt_dataset *data = NULL;
    int code = cli_context(c);

    if (code == 0)
        code = input_model(c, q->model, q->adapter, &model);
    if (code == 0)
        code = input_data(c, q->data, q->part, &q->set, 0, &data);
    if (code == 0)
        code = measure(c, q, model, data);
    mopt_dataset_free(data);
    mopt_model_free(model);
    return code;
}

int verb_eval(cli *c, int argc, char **argv)
{
    question q = {0};
    const option options[] = {
        INPUT_OPTIONS(q, "source.target=income"),
        {"loss", 0, OPTION_TEXT, "NAME", &q.loss,
         "compute this loss (default: the usual one)", NULL, 0, 0},
        {"confusion", 0, OPTION_FLAG, NULL, &q.confusion,
         "show which classes are taken for which", NULL, 0, 0},
        INPUT_ADAPTER(q),
        OPTIONS_END,
    };
    int count, code = args_parse(c, options, argc, argv, 2, 2, &count);

    if (code == ARGS_GO) {
        q.model = argv[0];
        q.data = argv[1];
        code = answer(c, &q);
    }
    settings_free(&q.set);
    return code;
}
