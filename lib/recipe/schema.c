/* SPDX-License-Identifier: MIT
 * lib/recipe/schema.c: the JSON Schema of recipes (draft 2020-12), made from
 * the tables of keys that the checks use. */
#include <string.h>

#include "base/config.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/mentor.h"

extern const moi_schema *const moi_schema_kinds[];

static const moi_schema *kind(const char *name)
{
    int64_t i = 0;
    while (strcmp(moi_schema_kinds[i]->name, name) != 0)
        i++;
    return moi_schema_kinds[i];
}

/* What no table of keys says, as it stands in the schema. */
static const char frame[] =
    "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\","
    " \"title\": \"libmodelopt recipe\","
    " \"description\": \"data, model and training, any value of which may be"
    " searched\","
    " \"$comment\": \"made by mopt_recipe_schema\","
    " \"type\": \"object\", \"required\": [\"data\"],"
    " \"additionalProperties\": false, \"properties\": {}, \"$defs\": {}}";

static const char domain[] =
    "{\"description\": \"a value to search: its name is its path\","
    " \"anyOf\": ["
    "{\"type\": \"object\", \"required\": [\"float\"],"
    " \"additionalProperties\": false, \"properties\": {"
    "\"float\": {\"type\": \"array\", \"items\": {\"type\": \"number\"},"
    " \"minItems\": 2, \"maxItems\": 2,"
    " \"description\": \"[lo, hi], both possible\"},"
    " \"log\": {\"type\": \"boolean\", \"description\":"
    " \"spread evenly over orders of magnitude\"},"
    " \"step\": {\"type\": \"number\", \"exclusiveMinimum\": 0},"
    " \"when\": {\"$ref\": \"#/$defs/when\"}}},"
    "{\"type\": \"object\", \"required\": [\"int\"],"
    " \"additionalProperties\": false, \"properties\": {"
    "\"int\": {\"type\": \"array\", \"items\": {\"type\": \"integer\"},"
    " \"minItems\": 2, \"maxItems\": 2,"
    " \"description\": \"[lo, hi], both possible\"},"
    " \"log\": {\"type\": \"boolean\"},"
    " \"step\": {\"type\": \"integer\", \"minimum\": 1},"
    " \"when\": {\"$ref\": \"#/$defs/when\"}}},"
    "{\"type\": \"object\", \"required\": [\"choice\"],"
    " \"additionalProperties\": false, \"properties\": {"
    "\"choice\": {\"type\": \"array\", \"minItems\": 1, \"maxItems\": 1000,"
    " \"description\": \"options: values, or objects with domains of their"
    " own\"},"
    " \"when\": {\"$ref\": \"#/$defs/when\"}}}]}";

static const char when[] =
    "{\"type\": \"object\", \"description\": \"the parameter exists only while"
    " others have these values\", \"additionalProperties\": {\"anyOf\": ["
    "{\"type\": [\"string\", \"number\", \"boolean\", \"null\"]},"
    "{\"type\": \"array\", \"minItems\": 1},"
    "{\"type\": \"object\", \"additionalProperties\": false,"
    " \"minProperties\": 1, \"properties\": {\"min\": {\"type\": \"number\"},"
    " \"max\": {\"type\": \"number\"}}}]}}";

static const char objectives[] =
    "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 8,"
    " \"description\": \"what is optimised; the first ranks the trials\","
    " \"items\": {\"anyOf\": [{\"$ref\": \"#/$defs/metric\"},"
    "{\"type\": \"object\", \"required\": [\"metric\"],"
    " \"additionalProperties\": false, \"properties\": {"
    "\"metric\": {\"$ref\": \"#/$defs/metric\"}, \"direction\":"
    " {\"enum\": [\"max\", \"min\", \"maximize\", \"minimize\"]}}}]}}";

static const char constraints[] =
    "{\"type\": \"array\", \"maxItems\": 16,"
    " \"description\": \"bounds that a model has to keep\","
    " \"items\": {\"type\": \"object\", \"required\": [\"metric\"],"
    " \"minProperties\": 2, \"additionalProperties\": false,"
    " \"properties\": {\"metric\": {\"$ref\": \"#/$defs/metric\"},"
    " \"min\": {\"type\": \"number\"}, \"max\": {\"type\": \"number\"}}}}";

static const char seed[] =
    "{\"type\": \"integer\", \"minimum\": 0, \"description\":"
    " \"for the split, the training and the search, where they have none of"
    " their own\"}";

static const char text[] = "{\"type\": \"string\"}";

/* Names of all measures, as an enum; short ones too. NULL without memory. */
static json_t *measure_names(void)
{
    json_t *names = json_array();
    size_t prefix = strlen(MOI_VALIDATION);
    for (const moi_measure *m = moi_measures; m->name != NULL; m++) {
        json_array_append_new(names, json_string(m->name));
        if (strncmp(m->name, MOI_VALIDATION, prefix) == 0)
            json_array_append_new(names, json_string(m->name + prefix));
    }
    return json_pack("{so}", "enum", names);
}

/* The keys of a study, but for the direction that the objectives have. */
static json_t *search_section(void)
{
    json_t *section = moi_schema_to_json(kind("study"), 0);
    json_t *properties = json_object_get(section, "properties");
    json_object_del(properties, "direction");
    json_object_set_new(properties, "warm_start",
                        moi_schema_to_json(kind("warm_start"), 0));
    return section;
}

/* Keys of data that all trials share have no domains. */
static json_t *data_section(void)
{
    json_t *section = moi_schema_to_json(kind("data"), 1);
    json_t *plain = moi_schema_to_json(kind("data"), 0);
    json_t *properties = json_object_get(section, "properties");
    for (int64_t i = 0; moi_recipe_shared[i] != NULL; i++) {
        const char *key = moi_recipe_shared[i];
        if (json_object_set(properties, key,
                            json_object_get(json_object_get(plain,
                                                            "properties"),
                                            key)) != 0) {
            json_decref(section);
            section = NULL;
            break;
        }
    }
    json_decref(plain);
    return section;
}

/* In a recipe a layer may be a domain too, and repetitions may share. */
static json_t *model_section(void)
{
    json_t *section = moi_model_schema(1);
    json_t *layers = json_object_get(json_object_get(section, "properties"),
                                     "layers");
    json_t *forms = json_object_get(json_object_get(layers, "items"), "anyOf");
    for (size_t i = 0; i < json_array_size(forms); i++) {
        json_t *properties = json_object_get(json_array_get(forms, i),
                                             "properties");
        if (json_object_get(properties, "repeat") != NULL)
            json_object_set_new(properties, "share",
                                json_pack("{ssss}", "type", "boolean",
                                          "description", "the same values in "
                                          "every repetition"));
    }
    json_array_append_new(forms, json_pack("{ss}", "$ref", "#/$defs/domain"));
    return section;
}

/* Sections that are documents of their own. */
static const char *const loose[][2] = {
    {"quick", "{\"type\": \"object\", \"description\": \"values by path "
              "that the program's flag --quick replaces\"}"},
    {"published", "{\"type\": \"object\", \"description\": \"figures that "
                  "are told beside ours\"}"},
    {"repeats", "{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1000, "
                "\"description\": \"runs of each case, with seeds in turn\"}"},
    {"cases", "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 1000, "
              "\"items\": {\"type\": \"object\", \"properties\": "
              "{\"name\": {\"type\": \"string\"}, \"set\": {\"type\": "
              "\"object\", \"description\": \"values by path\"}, "
              "\"published\": {\"type\": \"object\"}}, "
              "\"additionalProperties\": false}, \"description\": "
              "\"variants to run\"}"},
};

/* The keys of a kind, and the models that it learns from. */
static json_t *mentored(const char *name)
{
    json_t *section = moi_schema_to_json(kind(name), 1);
    json_t *properties = json_object_get(section, "properties");
    for (int64_t i = 0; moi_mentor_keys[i] != NULL; i++)
        if ((strcmp(moi_mentor_keys[i], "teacher") == 0) ==
            (strcmp(name, "distill") == 0))
            json_object_set_new(
                properties, moi_mentor_keys[i],
                json_pack("{ss}", "description",
                          "a model's file, or an object with file and what to "
                          "train if it is missing; source_data: a section "
                          "data"));
    return section;
}

static int32_t add_text(json_t *object, const char *key, const char *json)
{
    return moi_json_add(object, key, json_loads(json, 0, NULL));
}

static int32_t add_sections(json_t *properties)
{
    int32_t rc = moi_json_add(properties, "data", data_section());
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "model", model_section());
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "train",
                          moi_schema_to_json(kind("train"), 1));
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "parallel",
                          moi_schema_to_json(kind("parallel"), 0));
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "distill", mentored("distill"));
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "finetune", mentored("finetune"));
    for (int64_t i = 0; rc == MOPT_OK && i < MOI_COUNT(loose); i++)
        rc = add_text(properties, loose[i][0], loose[i][1]);
    if (rc == MOPT_OK)
        rc = moi_json_add(properties, "search", search_section());
    if (rc == MOPT_OK)
        rc = add_text(properties, "objectives", objectives);
    if (rc == MOPT_OK)
        rc = add_text(properties, "constraints", constraints);
    if (rc == MOPT_OK)
        rc = add_text(properties, "seed", seed);
    if (rc == MOPT_OK)
        rc = add_text(properties, "description", text);
    return rc == MOPT_OK ? add_text(properties, "$schema", text) : rc;
}

static int32_t add_defs(json_t *defs)
{
    int32_t rc = add_text(defs, "domain", domain);
    if (rc == MOPT_OK)
        rc = add_text(defs, "when", when);
    return rc == MOPT_OK ? moi_json_add(defs, "metric", measure_names()) : rc;
}

int32_t mopt_recipe_schema(mopt_context *ctx, char *buf, size_t cap,
                           size_t *needed)
{
    if (ctx == NULL)
        return moi_fail_null("mopt_recipe_schema", "ctx");
    json_t *schema = json_loads(frame, 0, NULL);
    int32_t rc = schema == NULL ? MOPT_ENOMEM
                                : add_sections(json_object_get(schema,
                                                               "properties"));
    if (rc == MOPT_OK)
        rc = add_defs(json_object_get(schema, "$defs"));
    if (rc != MOPT_OK) {
        json_decref(schema);
        return moi_fail(MOPT_ENOMEM, "no memory for the schema");
    }
    return moi_json_finish(ctx, schema, buf, cap, needed);
}
