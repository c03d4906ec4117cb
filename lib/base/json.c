/* SPDX-License-Identifier: MIT
 * lib/base/json.c: reading, writing and blaming JSON documents. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#define FILE_LIMIT ((int64_t)64 << 20) /* bytes of a JSON file */

/* Write the path behind the used bytes of buf; returns the new length. */
static size_t write_path(const moi_path *path, char *buf, size_t used)
{
    if (path == NULL)
        return used;
    used = write_path(path->parent, buf, used);
    size_t room = MOI_PATH_SIZE - used;
    int length = path->key == NULL
                     ? snprintf(buf + used, room, "[%" PRId64 "]", path->index)
                     : snprintf(buf + used, room, "%s%s", used > 0 ? "." : "",
                                path->key);
    return (size_t)length < room ? used + (size_t)length : MOI_PATH_SIZE - 1;
}

const char *moi_path_text(const moi_path *path, char buf[MOI_PATH_SIZE])
{
    buf[0] = '\0';
    write_path(path, buf, 0);
    return buf;
}

int32_t moi_fail_path(int32_t code, const moi_path *path, const char *format,
                      ...)
{
    char message[512], place[MOI_PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    moi_path_text(path, place);
    return moi_fail(code, "%s%s%s", place, place[0] != '\0' ? ": " : "",
                    message);
}

int32_t moi_json_parse(const char *text, json_t **out)
{
    json_error_t error;
    json_t *value = json_loads(
        text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (value != NULL) {
        *out = value;
        return MOPT_OK;
    }
    if (json_error_code(&error) == json_error_out_of_memory)
        return moi_fail(MOPT_ENOMEM, "no memory for a JSON document");
    return moi_fail(MOPT_EFORMAT, "not JSON: line %d, column %d: %s",
                    error.line, error.column, error.text);
}

int32_t moi_json_load(mopt_context *ctx, const char *path, json_t **out)
{
    char *text;
    int64_t size;
    int32_t status = moi_file_read_all(ctx, path, FILE_LIMIT, &text, &size);
    if (status != MOPT_OK)
        return status;
    status = moi_json_parse(text, out);
    moi_free(ctx, text);
    if (status != MOPT_OK)
        return moi_fail_at(status, "%s: ", path);
    return MOPT_OK;
}

static void dump(moi_text *text, const json_t *value);

static void dump_object(moi_text *text, const json_t *object)
{
    const char *key;
    json_t *member;
    int32_t first = 1;
    moi_text_add(text, "{");
    json_object_foreach((json_t *)object, key, member) {
        moi_text_add(text, first ? "" : ", ");
        moi_text_add_quoted(text, key);
        moi_text_add(text, ": ");
        dump(text, member);
        first = 0;
    }
    moi_text_add(text, "}");
}

static void dump_array(moi_text *text, const json_t *array)
{
    size_t index;
    json_t *item;
    moi_text_add(text, "[");
    json_array_foreach(array, index, item) {
        moi_text_add(text, index > 0 ? ", " : "");
        dump(text, item);
    }
    moi_text_add(text, "]");
}

/* A real that would read back as an integer keeps its point. */
static void dump_real(moi_text *text, double value)
{
    char number[MOI_NUMBER_SIZE];
    moi_number_text(value, number);
    moi_text_add(text, number);
    if (strpbrk(number, ".eEnN") == NULL)
        moi_text_add(text, ".0");
}

static void dump(moi_text *text, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: dump_object(text, value); break;
    case JSON_ARRAY: dump_array(text, value); break;
    case JSON_STRING: moi_text_add_quoted(text, json_string_value(value));
        break;
    case JSON_INTEGER:
        moi_text_addf(text, "%" JSON_INTEGER_FORMAT,
                      json_integer_value(value));
        break;
    case JSON_REAL: dump_real(text, json_real_value(value)); break;
    case JSON_TRUE: moi_text_add(text, "true"); break;
    case JSON_FALSE: moi_text_add(text, "false"); break;
    case JSON_NULL: moi_text_add(text, "null"); break;
    }
}

char *moi_json_dump(mopt_context *ctx, const json_t *value)
{
    moi_text text;
    moi_text_init(&text, ctx);
    dump(&text, value);
    if (text.status == MOPT_OK)
        return text.data;
    moi_text_free(&text);
    return NULL;
}

int32_t moi_json_finish(mopt_context *ctx, json_t *value, char *buf,
                        size_t cap, size_t *needed)
{
    if (value == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for a JSON document");
    moi_text text;
    moi_text_init(&text, ctx);
    dump(&text, value);
    json_decref(value);
    return moi_text_finish(&text, buf, cap, needed);
}

const char *moi_json_excerpt(const json_t *value, char buf[MOI_EXCERPT_SIZE])
{
    if (json_is_real(value)) {
        char number[MOI_NUMBER_SIZE];
        snprintf(buf, MOI_EXCERPT_SIZE, "%s",
                 moi_number_text(json_real_value(value), number));
        return buf;
    }
    /* jansson writes as much as fits and returns what it would take. With 15
     * digits 0.1 is not 0.10000000000000001. */
    size_t size = json_dumpb(value, buf, MOI_EXCERPT_SIZE - 1,
                             JSON_ENCODE_ANY | JSON_COMPACT |
                                 JSON_REAL_PRECISION(15));
    if (size < MOI_EXCERPT_SIZE) {
        buf[size] = '\0';
        return buf;
    }
    snprintf(buf, MOI_EXCERPT_SIZE, "%s of %zu bytes", moi_json_kind(value),
             size);
    return buf;
}

const char *moi_json_kind(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    case JSON_NULL: break;
    }
    return "null";
}

int32_t moi_json_add(json_t *object, const char *key, json_t *value)
{
    if (value != NULL && json_object_set_new(object, key, value) == 0)
        return MOPT_OK;
    return moi_fail(MOPT_ENOMEM, "no memory for the JSON member '%s'", key);
}

int32_t moi_json_add_number(json_t *object, const char *key, double value)
{
    return moi_json_add(object, key,
                        isfinite(value) ? json_real(value) : json_null());
}

int32_t moi_json_add_int(json_t *object, const char *key, int64_t value)
{
    return moi_json_add(object, key, json_integer(value));
}

int32_t moi_json_add_text(json_t *object, const char *key, const char *value)
{
    return moi_json_add(object, key, json_string(value));
}
