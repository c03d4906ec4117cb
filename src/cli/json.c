/* SPDX-License-Identifier: MIT
 * src/cli/json.c: JSON in and out of the library's texts. */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int reply_grow(reply *t, int32_t *rc)
{
    char *data;

    if ((*rc != MOPT_OK && *rc != MOPT_ERANGE) || t->needed <= t->cap)
        return 0;
    data = realloc(t->data, t->needed);
    if (!data) {
        *rc = MOPT_ENOMEM;
        return 0;
    }
    t->data = data;
    t->cap = t->needed;
    return 1;
}

void reply_free(reply *t)
{
    free(t->data);
    t->data = NULL;
    t->cap = t->needed = 0;
}

json_t *reply_json(reply *t)
{
    json_t *value =
        t->data ? json_loads(t->data, JSON_DECODE_ANY, NULL) : NULL;

    reply_free(t);
    return value;
}

const char *js_real(double value, char buf[32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buf, 32, "%.*g", digits, value);
        if (strtod(buf, NULL) == value)
            break;
    }
    return buf;
}

static void print_string(FILE *file, const json_t *value)
{
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);

    fputs(quoted ? quoted : "\"\"", file);
    free(quoted);
}

static void print_object(FILE *file, const json_t *value)
{
    const char *key, *comma = "";
    json_t *member;

    fputc('{', file);
    json_object_foreach((json_t *)(uintptr_t)value, key, member) {
        json_t *name = json_string(key);

        fputs(comma, file);
        print_string(file, name);
        json_decref(name);
        fputs(": ", file);
        js_print(file, member);
        comma = ", ";
    }
    fputc('}', file);
}

void js_print(FILE *file, const json_t *value)
{
    char buf[32];

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        print_object(file, value);
        break;
    case JSON_ARRAY:
        fputc('[', file);
        for (size_t i = 0; i < json_array_size(value); i++) {
            fputs(i ? ", " : "", file);
            js_print(file, json_array_get(value, i));
        }
        fputc(']', file);
        break;
    case JSON_STRING:
        print_string(file, value);
        break;
    case JSON_INTEGER:
        fprintf(file, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        js_real(json_real_value(value), buf);
        fprintf(file, "%s%s", buf, strpbrk(buf, ".en") ? "" : ".0");
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fputs(json_is_true(value) ? "true" : "false", file);
        break;
    default:
        fputs("null", file);
    }
}

char *js_brief(const json_t *value)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file;

    if (json_is_string(value)) {
        out = strdup(json_string_value(value));
    } else if (json_is_real(value)) {
        out = malloc(32);
        if (out)
            snprintf(out, 32, "%.4g", json_real_value(value));
    } else {
        file = open_memstream(&out, &size);
        if (!file)
            return NULL;
        if (value && !json_is_null(value))
            js_print(file, value);
        fclose(file);
    }
    if (out)
        screen_clean(out);
    return out;
}

const char *js_figure(const json_t *value, char buf[32])
{
    double v = json_number_value(value), size = fabs(v);

    if (!json_is_number(value))
        buf[0] = '\0';
    else if (json_is_integer(value))
        snprintf(buf, 32, "%.0f", v);
    else if (size < 1000 && (size >= 0.01 || size == 0))
        snprintf(buf, 32, "%.4f", v);
    else
        snprintf(buf, 32, "%.4g", v);
    return buf;
}

json_t *js_at(const json_t *object, const char *path)
{
    char key[128];

    while (object && *path) {
        size_t n = strcspn(path, ".");

        snprintf(key, sizeof key, "%.*s", (int)n, path);
        object = json_object_get(object, key);
        path += n + (path[n] == '.');
    }
    return (json_t *)(uintptr_t)object;
}

double js_number(const json_t *value, double fallback)
{
    return json_is_number(value) ? json_number_value(value) : fallback;
}

int cli_print_json(cli *c, json_t *object)
{
    if (!object)
        return cli_fail(c, EXIT_FAILED, "out of memory");
    js_print(c->out.file, object);
    fputc('\n', c->out.file);
    json_decref(object);
    return EXIT_DONE;
}
