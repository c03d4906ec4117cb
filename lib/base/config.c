/* SPDX-License-Identifier: MIT
 * lib/base/config.c: values by key, checked against a schema.
 *
 * What was set is one flat JSON object of dotted keys. Every way of setting
 * works on a copy and swaps it in at the end: an error changes nothing. */
#include "base/config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

struct mopt_config {
    mopt_context *ctx;
    const moi_schema *schema;
    json_t *values; /* dotted key -> value; a VARIANT's is its name */
};

int32_t moi_config_new(mopt_context *ctx, const moi_schema *schema,
                       mopt_config **out)
{
    mopt_config *config = moi_calloc(ctx, 1, sizeof *config);
    if (config == NULL)
        return MOPT_ENOMEM;
    config->ctx = moi_context_hold(ctx);
    config->schema = schema;
    config->values = json_object();
    if (config->values == NULL) {
        mopt_config_free(config);
        return moi_fail(MOPT_ENOMEM, "no memory for a config");
    }
    *out = config;
    return MOPT_OK;
}

int32_t mopt_config_create(mopt_context *ctx, const char *kind,
                           mopt_config **out)
{
    if (ctx == NULL || kind == NULL || out == NULL)
        return moi_fail_null("mopt_config_create", ctx == NULL    ? "ctx"
                                                   : kind == NULL ? "kind"
                                                                  : "out");
    const moi_schema *schema;
    int32_t status = moi_schema_find(kind, &schema);
    if (status != MOPT_OK)
        return status;
    return moi_config_new(ctx, schema, out);
}

void mopt_config_free(mopt_config *config)
{
    if (config == NULL)
        return;
    mopt_context *ctx = config->ctx;
    json_decref(config->values);
    moi_free(ctx, config);
    moi_context_release(ctx);
}

int32_t moi_config_copy(const mopt_config *config, mopt_config **out)
{
    mopt_config *copy = NULL;
    int32_t status = moi_config_new(config->ctx, config->schema, &copy);
    if (status != MOPT_OK)
        return status;
    if (json_object_update(copy->values, config->values) != 0) {
        mopt_config_free(copy);
        return moi_fail(MOPT_ENOMEM, "no memory for a config");
    }
    *out = copy;
    return MOPT_OK;
}

const moi_schema *moi_config_schema(const mopt_config *config)
{
    return config->schema;
}

/* ---- finding keys ---- */

/* The name of the variant in force for a VARIANT key. */
static const char *chosen(const json_t *values, const char *dotted,
                          const moi_key *key)
{
    const json_t *value = json_object_get(values, dotted);
    return value != NULL ? json_string_value(value) : key->text;
}

/* Find name (the part of dotted behind its prefix) in a schema. Of the
 * variants the one in force comes first; with any, the others follow. */
static const moi_key *find_in(const json_t *values, const moi_schema *schema,
                              const char *dotted, const char *name,
                              int32_t any)
{
    const moi_key *found = moi_schema_key(schema, name);
    for (const moi_key *key = schema->keys; !found && key->name; key++) {
        size_t length = strlen(key->name);
        if (key->variants == NULL || strncmp(name, key->name, length) != 0 ||
            name[length] != '.')
            continue;
        const char *rest = name + length + 1;
        char outer[MOI_PATH_SIZE];
        snprintf(outer, sizeof outer, "%.*s", (int)(rest - 1 - dotted),
                 dotted);
        const moi_schema *now =
            moi_schema_variant(key, chosen(values, outer, key));
        if (now != NULL)
            found = find_in(values, now, dotted, rest, any);
        for (int64_t i = 0; any && !found && key->variants[i]; i++)
            found = find_in(values, key->variants[i], dotted, rest, any);
    }
    return found;
}

/* "optimizer.type" means "optimizer". */
static void canonical(const char *key, char out[MOI_PATH_SIZE])
{
    size_t length = strlen(key);
    if (length > 5 && strcmp(key + length - 5, ".type") == 0)
        length -= 5;
    snprintf(out, MOI_PATH_SIZE, "%.*s", (int)length, key);
}

static const moi_key *find_key(const json_t *values, const moi_schema *schema,
                               const char *key, char out[MOI_PATH_SIZE],
                               int32_t any)
{
    snprintf(out, MOI_PATH_SIZE, "%s", key);
    const moi_key *found = find_in(values, schema, out, out, any);
    if (found != NULL)
        return found;
    canonical(key, out);
    found = find_in(values, schema, out, out, any);
    return found != NULL && found->variants != NULL ? found : NULL;
}

/* ---- naming the nearest key ---- */

typedef struct nearest {
    const char *word;
    int32_t distance;
    char name[MOI_PATH_SIZE];
} nearest;

static void search_nearest(nearest *best, const moi_schema *schema,
                           const char *prefix)
{
    for (const moi_key *key = schema->keys; key->name != NULL; key++) {
        char name[MOI_PATH_SIZE];
        snprintf(name, sizeof name, "%s%s", prefix, key->name);
        int32_t distance = moi_text_distance(best->word, name);
        if (distance < best->distance) {
            best->distance = distance;
            snprintf(best->name, sizeof best->name, "%s", name);
        }
        if (key->variants == NULL)
            continue;
        snprintf(name, sizeof name, "%s%s.", prefix, key->name);
        for (int64_t i = 0; key->variants[i] != NULL; i++)
            search_nearest(best, key->variants[i], name);
    }
}

/* A path and a dotted key behind it, for messages. */
static const char *place_of(const moi_path *path, const char *key,
                            char buf[MOI_PATH_SIZE])
{
    moi_path inner = {path, key, 0};
    return moi_path_text(&inner, buf);
}

static int32_t fail_key(const moi_schema *schema, const moi_path *path,
                        const char *key)
{
    char place[MOI_PATH_SIZE], near[MOI_PATH_SIZE];
    nearest best = {.word = key, .distance = INT32_MAX};
    search_nearest(&best, schema, "");
    size_t longer = strlen(key) > strlen(best.name) ? strlen(key)
                                                    : strlen(best.name);
    place_of(path, key, place);
    if ((size_t)best.distance * 2 > longer)
        return moi_fail(MOPT_EKEY, "%s: there is no such key in '%s'", place,
                        schema->name);
    return moi_fail(MOPT_EKEY,
                    "%s: there is no such key in '%s'; the nearest is '%s'",
                    place, schema->name, place_of(path, best.name, near));
}

/* ---- setting ---- */

static int32_t put(json_t *values, const moi_schema *schema,
                   const moi_path *path, const char *key, const json_t *value)
{
    char name[MOI_PATH_SIZE], place[MOI_PATH_SIZE];
    const moi_key *found = find_key(values, schema, key, name, 1);
    if (found == NULL)
        return fail_key(schema, path, key);
    json_t *checked;
    int32_t status = moi_key_check(found, place_of(path, key, place), value,
                                 &checked);
    if (status != MOPT_OK)
        return status;
    return moi_json_add(values, name, checked);
}

/* Does any key of the schema begin with group and a point? */
static int32_t is_group(const moi_schema *schema, const char *group)
{
    size_t length = strlen(group);
    for (const moi_key *key = schema->keys; key->name != NULL; key++)
        if (strncmp(key->name, group, length) == 0 && key->name[length] == '.')
            return 1;
    return 0;
}

static int32_t put_object(json_t *values, const moi_schema *schema,
                          const moi_path *path, const char *prefix,
                          const json_t *object, const char *const *skip);

/* A member may be a value, a variant with its keys, or a group of keys. */
static int32_t put_member(json_t *values, const moi_schema *schema,
                          const moi_path *path, const char *dotted,
                          const json_t *value)
{
    char name[MOI_PATH_SIZE];
    const moi_key *key = find_key(values, schema, dotted, name, 1);
    if (!json_is_object(value) || (key && key->type == MOPT_TYPE_JSON))
        return put(values, schema, path, dotted, value);
    if ((key != NULL && key->variants != NULL) || is_group(schema, dotted))
        return put_object(values, schema, path, dotted, value, NULL);
    return put(values, schema, path, dotted, value);
}

static int32_t is_skipped(const char *key, const char *const *skip)
{
    for (; skip != NULL && *skip != NULL; skip++)
        if (strcmp(key, *skip) == 0)
            return 1;
    return 0;
}

/* "type" goes first: it decides what the other members mean. */
static int32_t put_type(json_t *values, const moi_schema *schema,
                        const moi_path *path, const char *prefix,
                        const json_t *object)
{
    const json_t *type = json_object_get(object, "type");
    char dotted[MOI_PATH_SIZE];
    if (type == NULL || prefix[0] == '\0')
        return MOPT_OK;
    snprintf(dotted, sizeof dotted, "%s.type", prefix);
    return put(values, schema, path, dotted, type);
}

static int32_t put_object(json_t *values, const moi_schema *schema,
                          const moi_path *path, const char *prefix,
                          const json_t *object, const char *const *skip)
{
    char dotted[MOI_PATH_SIZE];
    const char *key;
    json_t *member;
    int32_t status = put_type(values, schema, path, prefix, object);
    json_object_foreach((json_t *)object, key, member) {
        if (status != MOPT_OK)
            break;
        if (is_skipped(key, skip) ||
            (prefix[0] != '\0' && strcmp(key, "type") == 0))
            continue;
        snprintf(dotted, sizeof dotted, "%s%s%s", prefix,
                 prefix[0] != '\0' ? "." : "", key);
        status = put_member(values, schema, path, dotted, member);
    }
    return status;
}

int32_t moi_config_read(mopt_config *config, const json_t *object,
                        const moi_path *path, const char *const *skip)
{
    char excerpt[MOI_EXCERPT_SIZE];
    if (!json_is_object(object))
        return moi_fail_path(MOPT_EINVAL, path, "must be an object, not %s",
                             moi_json_excerpt(object, excerpt));
    json_t *values = json_copy(config->values);
    if (values == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for a config");
    int32_t status = put_object(values, config->schema, path, "", object,
                                skip);
    if (status != MOPT_OK) {
        json_decref(values);
        return status;
    }
    json_decref(config->values);
    config->values = values;
    return MOPT_OK;
}

int32_t moi_config_set_value(mopt_config *config, const char *key,
                             const json_t *value)
{
    return put(config->values, config->schema, NULL, key, value);
}

/* Set from a value that this call takes over. */
static int32_t set_new(mopt_config *config, const char *key, json_t *value)
{
    if (value == NULL)
        return moi_fail(MOPT_ENOMEM, "no memory for '%s'", key);
    int32_t status = moi_config_set_value(config, key, value);
    json_decref(value);
    return status;
}

static int32_t check_handle(const char *function, const void *config,
                            const void *key)
{
    if (config == NULL || key == NULL)
        return moi_fail_null(function, config == NULL ? "config" : "key");
    return MOPT_OK;
}

int32_t mopt_config_set_int(mopt_config *config, const char *key,
                            int64_t value)
{
    int32_t status = check_handle("mopt_config_set_int", config, key);
    if (status != MOPT_OK)
        return status;
    return set_new(config, key, json_integer(value));
}

int32_t mopt_config_set_float(mopt_config *config, const char *key,
                              double value)
{
    int32_t status = check_handle("mopt_config_set_float", config, key);
    if (status != MOPT_OK)
        return status;
    char number[MOI_NUMBER_SIZE];
    if (!isfinite(value)) /* JSON has no such number */
        return moi_fail(MOPT_EINVAL, "%s: must be finite, not %s", key,
                        moi_number_text(value, number));
    return set_new(config, key, json_real(value));
}

int32_t mopt_config_set_bool(mopt_config *config, const char *key,
                             int32_t value)
{
    int32_t status = check_handle("mopt_config_set_bool", config, key);
    if (status != MOPT_OK)
        return status;
    if (value != 0 && value != 1)
        return moi_fail(MOPT_EINVAL, "%s: must be 0 or 1, not %d", key, value);
    return set_new(config, key, json_boolean(value));
}

/* What a text means for a key, as the command line has it. */
static json_t *value_of_text(const moi_key *key, const char *text)
{
    int64_t whole;
    double number;
    json_t *value;
    switch (key->type) {
    case MOPT_TYPE_INT:
    case MOPT_TYPE_FLOAT:
        if (moi_number_parse_int(text, &whole))
            return json_integer(whole);
        if (moi_number_parse(text, &number) && isfinite(number))
            return json_real(number);
        return json_string(text);
    case MOPT_TYPE_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
            return json_true();
        if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
            return json_false();
        return json_string(text);
    case MOPT_TYPE_JSON:
        return moi_json_parse(text, &value) == MOPT_OK ? value
                                                       : json_string(text);
    default:
        return json_string(text);
    }
}

int32_t mopt_config_set_text(mopt_config *config, const char *key,
                             const char *value)
{
    int32_t status = check_handle("mopt_config_set_text", config, key);
    if (status == MOPT_OK && value == NULL)
        status = moi_fail_null("mopt_config_set_text", "value");
    if (status != MOPT_OK)
        return status;
    char name[MOI_PATH_SIZE];
    const moi_key *found = find_key(config->values, config->schema, key, name,
                                    1);
    if (found == NULL)
        return fail_key(config->schema, NULL, key);
    json_t *meant = value_of_text(found, value);
    if (meant == NULL)
        return moi_fail(MOPT_EINVAL, "%s: the text is not UTF-8", key);
    return set_new(config, key, meant);
}

int32_t mopt_config_set_json(mopt_config *config, const char *json)
{
    if (config == NULL || json == NULL)
        return moi_fail_null("mopt_config_set_json",
                             config == NULL ? "config" : "json");
    json_t *object;
    int32_t status = moi_json_parse(json, &object);
    if (status != MOPT_OK)
        return status;
    status = moi_config_read(config, object, NULL, NULL);
    json_decref(object);
    return status;
}

int32_t moi_config_check(const mopt_config *config)
{
    const char *key;
    json_t *value;
    json_object_foreach(config->values, key, value) {
        char name[MOI_PATH_SIZE];
        const moi_key *found = find_key(config->values, config->schema, key,
                                        name, 0);
        if (found == NULL)
            return moi_fail(MOPT_EKEY,
                            "%s: there is no such key with the type chosen",
                            key);
        json_t *checked;
        int32_t status = moi_key_check(found, key, value, &checked);
        if (status != MOPT_OK)
            return status;
        json_decref(checked);
    }
    return MOPT_OK;
}

/* ---- reading ---- */

int32_t moi_config_has(const mopt_config *config, const char *key)
{
    return json_object_get(config->values, key) != NULL;
}

/* The key that is in force; NULL never happens to those who know their keys. */
static const moi_key *known(const mopt_config *config, const char *key,
                            const json_t **value)
{
    char name[MOI_PATH_SIZE];
    const moi_key *found = find_key(config->values, config->schema, key, name,
                                    1);
    *value = found != NULL ? json_object_get(config->values, name) : NULL;
    return found;
}

int64_t moi_config_int(const mopt_config *config, const char *key)
{
    const json_t *value;
    const moi_key *found = known(config, key, &value);
    if (value != NULL)
        return json_integer_value(value);
    return found != NULL ? (int64_t)found->preset : 0;
}

double moi_config_float(const mopt_config *config, const char *key)
{
    const json_t *value;
    const moi_key *found = known(config, key, &value);
    if (value != NULL)
        return json_number_value(value);
    return found != NULL ? found->preset : 0;
}

int32_t moi_config_bool(const mopt_config *config, const char *key)
{
    const json_t *value;
    const moi_key *found = known(config, key, &value);
    if (value != NULL)
        return json_is_true(value);
    return found != NULL && found->preset != 0;
}

const char *moi_config_text(const mopt_config *config, const char *key)
{
    const json_t *value;
    const moi_key *found = known(config, key, &value);
    if (value != NULL)
        return json_string_value(value);
    return found != NULL && found->text != NULL ? found->text : "";
}

const json_t *moi_config_json(const mopt_config *config, const char *key)
{
    const json_t *value;
    known(config, key, &value);
    return value;
}

const moi_schema *moi_config_variant(const mopt_config *config,
                                     const char *key)
{
    const json_t *value;
    const moi_key *found = known(config, key, &value);
    return moi_schema_variant(found, moi_config_text(config, key));
}

/* The public getters' common part. */
static int32_t get(const char *function, const mopt_config *config,
                   const char *key, const void *out, const moi_key **found)
{
    int32_t status = check_handle(function, config, key);
    if (status == MOPT_OK && out == NULL)
        status = moi_fail_null(function, "out");
    if (status != MOPT_OK)
        return status;
    const json_t *value;
    *found = known(config, key, &value);
    return *found != NULL ? MOPT_OK : fail_key(config->schema, NULL, key);
}

static int32_t fail_getter(const char *key, const moi_key *found,
                           const char *as)
{
    return moi_fail(MOPT_EINVAL, "%s: is %s and cannot be read as %s", key,
                    moi_key_wants(found), as);
}

int32_t mopt_config_get_int(const mopt_config *config, const char *key,
                            int64_t *out)
{
    const moi_key *found;
    int32_t status = get("mopt_config_get_int", config, key, out, &found);
    if (status != MOPT_OK)
        return status;
    if (found->type != MOPT_TYPE_INT)
        return fail_getter(key, found, "an integer");
    *out = moi_config_int(config, key);
    return MOPT_OK;
}

int32_t mopt_config_get_float(const mopt_config *config, const char *key,
                              double *out)
{
    const moi_key *found;
    int32_t status = get("mopt_config_get_float", config, key, out, &found);
    if (status != MOPT_OK)
        return status;
    if (found->type == MOPT_TYPE_INT)
        *out = (double)moi_config_int(config, key);
    else if (found->type == MOPT_TYPE_FLOAT)
        *out = moi_config_float(config, key);
    else
        return fail_getter(key, found, "a number");
    return MOPT_OK;
}

int32_t mopt_config_get_bool(const mopt_config *config, const char *key,
                             int32_t *out)
{
    const moi_key *found;
    int32_t status = get("mopt_config_get_bool", config, key, out, &found);
    if (status != MOPT_OK)
        return status;
    if (found->type != MOPT_TYPE_BOOL)
        return fail_getter(key, found, "true or false");
    *out = moi_config_bool(config, key);
    return MOPT_OK;
}

int32_t mopt_config_get_text(const mopt_config *config, const char *key,
                             char *buf, size_t cap, size_t *needed)
{
    const moi_key *found;
    int32_t status = get("mopt_config_get_text", config, key, config, &found);
    if (status != MOPT_OK)
        return status;
    moi_text text;
    moi_text_init(&text, config->ctx);
    const json_t *value = moi_config_json(config, key);
    if (found->type == MOPT_TYPE_INT)
        moi_text_addf(&text, "%" PRId64, moi_config_int(config, key));
    else if (found->type == MOPT_TYPE_FLOAT)
        moi_text_add_number(&text, moi_config_float(config, key));
    else if (found->type == MOPT_TYPE_BOOL)
        moi_text_add(&text, moi_config_bool(config, key) ? "true" : "false");
    else if (found->type != MOPT_TYPE_JSON)
        moi_text_add(&text, moi_config_text(config, key));
    else if (value != NULL) {
        char *dumped = moi_json_dump(config->ctx, value);
        if (dumped == NULL)
            return MOPT_ENOMEM;
        moi_text_add(&text, dumped);
        moi_free(config->ctx, dumped);
    }
    return moi_text_finish(&text, buf, cap, needed);
}

/* ---- options: the keys behind a prefix ---- */

static const char *prefixed(const moi_options *options, const char *key,
                            char buf[MOI_PATH_SIZE])
{
    snprintf(buf, MOI_PATH_SIZE, "%s%s", options->prefix, key);
    return buf;
}

int64_t moi_options_int(const moi_options *options, const char *key)
{
    char name[MOI_PATH_SIZE];
    return moi_config_int(options->config, prefixed(options, key, name));
}

double moi_options_float(const moi_options *options, const char *key)
{
    char name[MOI_PATH_SIZE];
    return moi_config_float(options->config, prefixed(options, key, name));
}

int32_t moi_options_bool(const moi_options *options, const char *key)
{
    char name[MOI_PATH_SIZE];
    return moi_config_bool(options->config, prefixed(options, key, name));
}

const char *moi_options_text(const moi_options *options, const char *key)
{
    char name[MOI_PATH_SIZE];
    return moi_config_text(options->config, prefixed(options, key, name));
}

/* ---- as a document ---- */

static json_t *value_or_preset(const mopt_config *config, const char *dotted,
                               const moi_key *key)
{
    json_t *value = json_object_get(config->values, dotted);
    if (value != NULL)
        return json_incref(value);
    switch (key->type) {
    case MOPT_TYPE_INT: return json_integer((json_int_t)key->preset);
    case MOPT_TYPE_FLOAT: return json_real(key->preset);
    case MOPT_TYPE_BOOL: return json_boolean(key->preset != 0);
    case MOPT_TYPE_JSON: return json_null();
    default: return json_string(key->text != NULL ? key->text : "");
    }
}

/* Put a value at the place that its dotted name says, below object. */
static int32_t nest(json_t *object, const char *name, json_t *value)
{
    const char *dot;
    while (object != NULL && (dot = strchr(name, '.')) != NULL) {
        char group[MOI_PATH_SIZE];
        snprintf(group, sizeof group, "%.*s", (int)(dot - name), name);
        json_t *inner = json_object_get(object, group);
        if (inner == NULL &&
            moi_json_add(object, group, json_object()) == MOPT_OK)
            inner = json_object_get(object, group);
        object = inner;
        name = dot + 1;
    }
    if (object != NULL)
        return moi_json_add(object, name, value);
    json_decref(value);
    return MOPT_ENOMEM;
}

static int32_t write_schema(json_t *object, const mopt_config *config,
                            const moi_schema *schema, const char *prefix,
                            int32_t with_defaults)
{
    int32_t status = MOPT_OK;
    for (const moi_key *key = schema->keys;
         status == MOPT_OK && key->name != NULL; key++) {
        char dotted[MOI_PATH_SIZE], type[MOI_PATH_SIZE];
        snprintf(dotted, sizeof dotted, "%s%s", prefix, key->name);
        snprintf(type, sizeof type, "%s.type", dotted);
        if (with_defaults || moi_config_has(config, dotted))
            status = nest(object, key->variants != NULL ? type : dotted,
                          value_or_preset(config, dotted, key));
        if (key->variants == NULL || status != MOPT_OK)
            continue;
        const moi_schema *variant = moi_schema_variant(
            key, chosen(config->values, dotted, key));
        snprintf(type, sizeof type, "%s.", dotted);
        if (variant != NULL)
            status = write_schema(object, config, variant, type,
                                  with_defaults);
    }
    return status;
}

json_t *moi_config_to_json(const mopt_config *config, int32_t with_defaults)
{
    json_t *object = json_object();
    if (object == NULL || write_schema(object, config, config->schema, "",
                                       with_defaults) == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}
