/* SPDX-License-Identifier: MIT
 * lib/base/schema.c: finding keys, and describing them as JSON Schema and for
 * people. */
#include "base/schema.h"

#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/text.h"

const moi_schema *moi_schema_variant(const moi_key *key, const char *name)
{
    for (int64_t i = 0; key->variants[i] != NULL; i++)
        if (strcmp(key->variants[i]->name, name) == 0)
            return key->variants[i];
    return NULL;
}

const moi_key *moi_schema_key(const moi_schema *schema, const char *name)
{
    for (const moi_key *key = schema->keys; key->name != NULL; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

/* The texts between the bars of "a|b|c", as a JSON array. */
static json_t *choices_to_json(const char *choices)
{
    json_t *array = json_array();
    while (array != NULL) {
        size_t length = strcspn(choices, "|");
        if (json_array_append_new(array, json_stringn(choices, length)) != 0) {
            json_decref(array);
            return NULL;
        }
        if (choices[length] == '\0')
            break;
        choices += length + 1;
    }
    return array;
}

static json_t *variants_to_json(const moi_key *key)
{
    json_t *array = json_array();
    for (int64_t i = 0; array != NULL && key->variants[i] != NULL; i++)
        if (json_array_append_new(array,
                                  json_string(key->variants[i]->name)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *preset_to_json(const moi_key *key)
{
    switch (key->type) {
    case MOPT_TYPE_INT: return json_integer((json_int_t)key->preset);
    case MOPT_TYPE_FLOAT: return json_real(key->preset);
    case MOPT_TYPE_BOOL: return json_boolean(key->preset != 0);
    case MOPT_TYPE_JSON: return json_null();
    default: return json_string(key->text != NULL ? key->text : "");
    }
}

static json_t *bound_to_json(const moi_key *key, double bound)
{
    return key->type == MOPT_TYPE_INT ? json_integer((json_int_t)bound)
                                      : json_real(bound);
}

static int32_t add_bounds(json_t *object, const moi_key *key,
                          const char *names[4])
{
    int32_t status = MOPT_OK;
    if ((key->type != MOPT_TYPE_INT && key->type != MOPT_TYPE_FLOAT) ||
        (key->min == 0 && key->max == 0))
        return MOPT_OK;
    if (key->min > -1e300)
        status = moi_json_add(object,
                              names[(key->flags & MOI_KEY_OPEN_MIN) != 0],
                              bound_to_json(key, key->min));
    if (status == MOPT_OK && key->max < 1e300)
        status = moi_json_add(object,
                              names[2 + ((key->flags & MOI_KEY_OPEN_MAX) != 0)],
                              bound_to_json(key, key->max));
    return status;
}

/* ---- for people: mopt_config_describe ---- */

static const char *type_name(int32_t type)
{
    switch (type) {
    case MOPT_TYPE_INT: return "int";
    case MOPT_TYPE_FLOAT: return "float";
    case MOPT_TYPE_BOOL: return "bool";
    case MOPT_TYPE_CHOICE: return "choice";
    case MOPT_TYPE_VARIANT: return "variant";
    case MOPT_TYPE_JSON: return "json";
    default: return "text";
    }
}

/* Where a key stands: behind which prefix, under which variants. */
typedef struct place {
    const char *prefix;
    const char *variant; /* NULL at the top */
} place;

static int32_t describe_key(json_t *array, const moi_key *key, place at)
{
    static const char *names[4] = {"min", "above", "max", "below"};
    char dotted[MOI_PATH_SIZE];
    moi_path outer = {NULL, at.prefix, 0};
    moi_path inner = {at.prefix[0] != '\0' ? &outer : NULL, key->name, 0};
    moi_path_text(&inner, dotted);
    json_t *object = json_object();
    if (object == NULL || json_array_append_new(array, object) != 0)
        return moi_fail(MOPT_ENOMEM, "no memory to describe '%s'", dotted);
    int32_t status = moi_json_add_text(object, "key", dotted);
    if (status == MOPT_OK && at.variant != NULL)
        status = moi_json_add_text(object, "of", at.variant);
    if (status == MOPT_OK)
        status = moi_json_add_text(object, "type", type_name(key->type));
    if (status == MOPT_OK)
        status = moi_json_add(object, "default", preset_to_json(key));
    if (status == MOPT_OK)
        status = add_bounds(object, key, names);
    if (status == MOPT_OK && key->choices != NULL)
        status = moi_json_add(object, "choices",
                              choices_to_json(key->choices));
    if (status == MOPT_OK && key->variants != NULL)
        status = moi_json_add(object, "choices", variants_to_json(key));
    if (status == MOPT_OK)
        status = moi_json_add_text(object, "help", key->help);
    return status;
}

static int32_t describe(json_t *array, const moi_schema *schema, place at)
{
    int32_t status = MOPT_OK;
    for (const moi_key *key = schema->keys;
         status == MOPT_OK && key->name != NULL; key++) {
        status = describe_key(array, key, at);
        if (key->variants == NULL)
            continue;
        char prefix[MOI_PATH_SIZE];
        moi_path outer = {NULL, at.prefix, 0};
        moi_path inner = {at.prefix[0] != '\0' ? &outer : NULL, key->name, 0};
        moi_path_text(&inner, prefix);
        for (int64_t i = 0; status == MOPT_OK && key->variants[i] != NULL; i++)
            status = describe(array, key->variants[i],
                              (place){prefix, key->variants[i]->name});
    }
    return status;
}

static const moi_schema *find_kind(const char *name)
{
    for (int64_t i = 0; moi_schema_kinds[i] != NULL; i++)
        if (strcmp(moi_schema_kinds[i]->name, name) == 0)
            return moi_schema_kinds[i];
    return NULL;
}

static json_t *list_kinds(void)
{
    json_t *array = json_array();
    for (int64_t i = 0; array != NULL && moi_schema_kinds[i] != NULL; i++)
        if (json_array_append_new(
                array, json_string(moi_schema_kinds[i]->name)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static const char *kind_name(const void *list, int64_t i)
{
    return ((const moi_schema *const *)list)[i]->name;
}

int32_t moi_schema_find(const char *name, const moi_schema **out)
{
    *out = find_kind(name);
    if (*out != NULL)
        return MOPT_OK;
    int64_t count = 0;
    while (moi_schema_kinds[count] != NULL)
        count++;
    int64_t near = moi_text_nearest(name, count, kind_name, moi_schema_kinds);
    return moi_fail(MOPT_EKEY, "there is no config of kind '%s'%s%s%s", name,
                    near >= 0 ? "; did you mean '" : "",
                    near >= 0 ? moi_schema_kinds[near]->name : "",
                    near >= 0 ? "'?" : "");
}

int32_t mopt_config_describe(mopt_context *ctx, const char *kind, char *buf,
                             size_t cap, size_t *needed)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_config_describe", "ctx");
    if (kind == NULL)
        return moi_json_finish(ctx, list_kinds(), buf, cap, needed);
    const moi_schema *schema;
    int32_t status = moi_schema_find(kind, &schema);
    if (status != MOPT_OK)
        return status;
    json_t *array = json_array();
    if (array != NULL &&
        describe(array, schema, (place){"", NULL}) != MOPT_OK) {
        json_decref(array);
        array = NULL;
    }
    return moi_json_finish(ctx, array, buf, cap, needed);
}

/* ---- for machines: JSON Schema ---- */

/* {"type": ..., bounds, ...} of the values of one key. */
static json_t *value_schema(const moi_key *key)
{
    static const char *names[4] = {"minimum", "exclusiveMinimum", "maximum",
                                   "exclusiveMaximum"};
    static const char *const types[] = {
        [MOPT_TYPE_INT] = "integer",  [MOPT_TYPE_FLOAT] = "number",
        [MOPT_TYPE_BOOL] = "boolean", [MOPT_TYPE_TEXT] = "string",
        [MOPT_TYPE_CHOICE] = "string", [MOPT_TYPE_VARIANT] = "string",
    };
    json_t *object = json_object();
    if (object == NULL || key->type == MOPT_TYPE_JSON)
        return object;
    int32_t status = moi_json_add_text(object, "type", types[key->type]);
    if (status == MOPT_OK)
        status = add_bounds(object, key, names);
    if (status == MOPT_OK && key->choices != NULL)
        status = moi_json_add(object, "enum", choices_to_json(key->choices));
    if (status == MOPT_OK && key->variants != NULL)
        status = moi_json_add(object, "enum", variants_to_json(key));
    if (status == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *object_schema(const moi_schema *schema, const char *type,
                             int32_t domains);

/* {"anyOf": [...]}: the plain value, each variant as an object, a domain. */
static json_t *any_of(const moi_key *key, int32_t domains)
{
    json_t *list = json_array();
    int failed = list == NULL || json_array_append_new(list,
                                                       value_schema(key)) != 0;
    for (int64_t i = 0; !failed && key->variants && key->variants[i]; i++)
        failed = json_array_append_new(
            list, object_schema(key->variants[i], key->variants[i]->name,
                                domains)) != 0;
    if (!failed && domains && (key->flags & MOI_KEY_FIXED) == 0)
        failed = json_array_append_new(
            list, json_pack("{s:s}", "$ref", "#/$defs/domain")) != 0;
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *key_schema(const moi_key *key, int32_t domains)
{
    int32_t many = key->variants != NULL ||
                   (domains && (key->flags & MOI_KEY_FIXED) == 0 &&
                    key->type != MOPT_TYPE_JSON);
    json_t *object = many ? json_object() : value_schema(key);
    if (object == NULL)
        return NULL;
    int32_t status = MOPT_OK;
    if (many)
        status = moi_json_add(object, "anyOf", any_of(key, domains));
    if (status == MOPT_OK)
        status = moi_json_add_text(object, "description", key->help);
    if (status == MOPT_OK && key->type != MOPT_TYPE_JSON)
        status = moi_json_add(object, "default", preset_to_json(key));
    if (status == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}

/* The object in which the last part of a dotted name is a property; made on
 * the way: "split.validation" stands in the properties of "split". */
static json_t *descend(json_t *properties, const char **name)
{
    const char *dot;
    while (properties != NULL && (dot = strchr(*name, '.')) != NULL) {
        char group[MOI_PATH_SIZE];
        size_t length = (size_t)(dot - *name);
        if (length >= sizeof group)
            return NULL;
        memcpy(group, *name, length);
        group[length] = '\0';
        json_t *inner = json_object_get(properties, group);
        if (inner == NULL) {
            inner = json_pack("{s:s, s:b, s:{}}", "type", "object",
                              "additionalProperties", 0, "properties");
            if (moi_json_add(properties, group, inner) != MOPT_OK)
                return NULL;
        }
        properties = json_object_get(inner, "properties");
        *name = dot + 1;
    }
    return properties;
}

static json_t *object_schema(const moi_schema *schema, const char *type,
                             int32_t domains)
{
    json_t *object = json_pack("{s:s, s:s, s:b, s:{}}", "type", "object",
                               "description", schema->help,
                               "additionalProperties", 0, "properties");
    if (object == NULL)
        return NULL;
    json_t *properties = json_object_get(object, "properties");
    int32_t status = MOPT_OK;
    if (type != NULL)
        status = moi_json_add(properties, "type",
                              json_pack("{s:s}", "const", type));
    if (type != NULL && status == MOPT_OK)
        status = moi_json_add(object, "required", json_pack("[s]", "type"));
    for (const moi_key *key = schema->keys;
         status == MOPT_OK && key->name != NULL; key++) {
        const char *name = key->name;
        json_t *home = descend(properties, &name);
        status = home == NULL
                     ? MOPT_ENOMEM
                     : moi_json_add(home, name, key_schema(key, domains));
    }
    if (status == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}

json_t *moi_schema_to_json(const moi_schema *schema, int32_t domains)
{
    return object_schema(schema, NULL, domains);
}
