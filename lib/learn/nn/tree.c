/* SPDX-License-Identifier: MIT
 * lib/learn/nn/tree.c: models as JSON: reading, writing, and the schema.
 *
 * {"layers": [...]}: each item is a layer {"type": ..., its keys} or a group
 * {"repeat": n, "layers": [...]}, which stands for its layers n times over. */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "learn/data/dataset.h"
#include "learn/nn/model_inside.h"

/* What reading goes by. */
typedef struct reader {
    mopt_model *model;
    int64_t outputs;           /* for a dense layer without "units" */
    char open[MOI_PATH_SIZE];  /* path of such a layer, "" as long as none */
} reader;

static int32_t read_layers(reader *r, const json_t *list,
                           const moi_path *path);

static const char *type_at(const void *list, int64_t i)
{
    (void)list;
    return moi_layer_type(moi_layer_kinds[i]);
}

static int32_t fail_type(const moi_path *path, const char *type)
{
    moi_path place = {path, "type", 0};
    int64_t count = 0;
    char names[128] = "";
    for (; moi_layer_kinds[count] != NULL; count++) {
        if (count > 0)
            strncat(names, ", ", sizeof(names) - strlen(names) - 1);
        strncat(names, type_at(NULL, count),
                sizeof(names) - strlen(names) - 1);
    }
    int64_t near = moi_text_nearest(type, count, type_at, NULL);
    return moi_fail_path(MOPT_EKEY, &place,
                         "there is no layer '%s'; allowed are %s%s%s", type,
                         names, near < 0 ? "" : "; the nearest is ",
                         near < 0 ? "" : type_at(NULL, near));
}

/* The kind that an item names. */
static int32_t find_kind(const json_t *item, const moi_path *path,
                         const moi_layer_kind **out)
{
    char excerpt[MOI_EXCERPT_SIZE];
    moi_path place = {path, "type", 0};
    const json_t *type = json_object_get(item, "type");
    if (type == NULL)
        return moi_fail_path(MOPT_EINVAL, &place,
                             "is missing: a layer says what it is, such as "
                             "\"dense\"");
    if (!json_is_string(type))
        return moi_fail_path(MOPT_EINVAL, &place, "must be a text, not %s",
                             moi_json_excerpt(type, excerpt));
    *out = moi_layer_find(json_string_value(type));
    return *out != NULL ? MOPT_OK
                        : fail_type(path, json_string_value(type));
}

/* The last dense layer may leave its units to the data. */
static int32_t fill_units(reader *r, const moi_layer_kind *kind,
                          mopt_config *config, const moi_path *path)
{
    if (moi_schema_key(kind->schema, "units") == NULL)
        return MOPT_OK;
    if (r->open[0] != '\0')
        return moi_fail(MOPT_EINVAL,
                        "%s.units: is missing: only the last dense layer may "
                        "leave it out", r->open);
    if (moi_config_has(config, "units"))
        return MOPT_OK;
    moi_path place = {path, "units", 0};
    if (r->outputs <= 0)
        return moi_fail_path(MOPT_EINVAL, &place,
                             "is missing, and the number of outputs is not "
                             "given; allowed is 1 or more");
    moi_path_text(path, r->open);
    json_t *units = json_integer(r->outputs);
    int32_t rc = units != NULL
                     ? moi_config_set_value(config, "units", units)
                     : moi_fail(MOPT_ENOMEM, "no memory for a layer");
    json_decref(units);
    return rc;
}

static int32_t read_layer(reader *r, const json_t *item, const moi_path *path)
{
    static const char *const skip[] = {"type", NULL};
    const moi_layer_kind *kind = NULL;
    mopt_config *config = NULL;
    char place[MOI_PATH_SIZE];
    int32_t rc = find_kind(item, path, &kind);
    if (rc == MOPT_OK)
        rc = moi_config_new(r->model->ctx, kind->schema, &config);
    if (rc == MOPT_OK)
        rc = moi_config_read(config, item, path, skip);
    if (rc == MOPT_OK)
        rc = fill_units(r, kind, config, path);
    if (rc == MOPT_OK && moi_config_check(config) != MOPT_OK)
        rc = moi_fail_at(mopt_last_code(), "%s.", moi_path_text(path, place));
    if (rc != MOPT_OK) {
        mopt_config_free(config);
        return rc;
    }
    rc = moi_model_append(r->model, kind, config);
    if (rc != MOPT_OK)
        return moi_fail_at(rc, "%s: ", moi_path_text(path, place));
    return MOPT_OK;
}

/* {"repeat": n, "layers": [...]}. Each round adds a layer or more, and a model
 * has so many at most: that bounds the work. A round that adds none, since
 * groups in it are repeated 0 times, is the last. */
static int32_t read_group(reader *r, const json_t *item, const moi_path *path)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const json_t *repeat = json_object_get(item, "repeat");
    const json_t *layers = json_object_get(item, "layers");
    moi_path place = {path, "repeat", 0}, inner = {path, "layers", 0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)item, key, value) {
        moi_path other = {path, key, 0};
        if (value != repeat && value != layers)
            return moi_fail_path(MOPT_EKEY, &other,
                                 "there is no such key beside 'repeat'; "
                                 "allowed is 'layers'");
    }
    double times = json_number_value(repeat);
    if (!json_is_number(repeat) || times < 0 || times > MOI_MODEL_LAYERS ||
        times != (double)(int64_t)times)
        return moi_fail_path(MOPT_EINVAL, &place,
                             "must be a whole number 0 .. %d, not %s",
                             MOI_MODEL_LAYERS,
                             moi_json_excerpt(repeat, excerpt));
    if (json_array_size(layers) == 0)
        return moi_fail_path(MOPT_EINVAL, &inner,
                             "must be a list of one layer or more");
    int32_t rc = MOPT_OK;
    int64_t before = -1;
    for (int64_t i = 0; i < (int64_t)times && rc == MOPT_OK &&
                        r->model->count > before; i++) {
        before = r->model->count;
        rc = read_layers(r, layers, &inner);
    }
    return rc;
}

static int32_t read_layers(reader *r, const json_t *list, const moi_path *path)
{
    char excerpt[MOI_EXCERPT_SIZE];
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        moi_path place = {path, NULL, (int64_t)i};
        if (!json_is_object(item))
            return moi_fail_path(MOPT_EINVAL, &place,
                                 "must be an object such as {\"type\": "
                                 "\"dense\"}, not %s",
                                 moi_json_excerpt(item, excerpt));
        int32_t group = json_object_get(item, "repeat") != NULL;
        int32_t rc = group ? read_group(r, item, &place)
                           : read_layer(r, item, &place);
        if (rc != MOPT_OK)
            return rc;
    }
    return MOPT_OK;
}

/* The list of layers of a description, which has nothing else. */
static int32_t find_layers(const json_t *tree, const moi_path *path,
                           const json_t **out)
{
    char excerpt[MOI_EXCERPT_SIZE];
    moi_path place = {path, "layers", 0};
    if (!json_is_object(tree))
        return moi_fail_path(MOPT_EINVAL, path,
                             "must be an object with \"layers\", not %s",
                             moi_json_excerpt(tree, excerpt));
    const json_t *layers = json_object_get(tree, "layers");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)tree, key, value) {
        moi_path other = {path, key, 0};
        if (value != layers)
            return moi_fail_path(MOPT_EKEY, &other,
                                 "there is no such key in a model; allowed "
                                 "is 'layers'");
    }
    if (json_array_size(layers) == 0)
        return moi_fail_path(MOPT_EINVAL, &place,
                             "must be a list of one layer or more");
    *out = layers;
    return MOPT_OK;
}

int32_t moi_model_from_json(mopt_context *ctx, const json_t *tree,
                            const moi_path *path, int64_t inputs,
                            int64_t outputs, mopt_model **out)
{
    const json_t *layers = NULL;
    moi_path place = {path, "layers", 0};
    int32_t rc = find_layers(tree, path, &layers);
    if (rc != MOPT_OK)
        return rc;
    reader r = {.outputs = outputs};
    rc = mopt_model_build(ctx, inputs, &r.model);
    if (rc == MOPT_OK)
        rc = read_layers(&r, layers, &place);
    if (rc == MOPT_OK && r.model->count == 0)
        rc = moi_fail_path(MOPT_EINVAL, &place, "comes to no layer at all");
    if (rc == MOPT_OK)
        *out = r.model;
    else
        mopt_model_free(r.model);
    return rc;
}

int32_t mopt_model_create(mopt_context *ctx, const char *json, int64_t inputs,
                          int64_t outputs, mopt_model **out)
{
    if (ctx == NULL || json == NULL || out == NULL)
        return moi_fail_null("mopt_model_create", ctx == NULL    ? "ctx"
                                                  : json == NULL ? "json"
                                                                 : "out");
    if (outputs < 0 || outputs > INT32_MAX)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_create: outputs is %" PRId64
                        "; allowed is 0 .. %d", outputs, INT32_MAX);
    json_t *tree = NULL;
    int32_t rc = moi_json_parse(json, &tree);
    if (rc == MOPT_OK)
        rc = moi_model_from_json(ctx, tree, NULL, inputs, outputs, out);
    json_decref(tree);
    return rc;
}

/* ---- back to JSON ---- */

/* {"type": "relu"} alone is said shorter: "relu". */
static int32_t shorten(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        json_t *type = json_object_get(value, "type");
        if (type != NULL && json_object_size(value) == 1 &&
            json_object_set(object, key, type) != 0)
            return MOPT_ENOMEM;
    }
    return MOPT_OK;
}

static json_t *layer_to_json(const moi_layer *layer)
{
    json_t *keys = moi_config_to_json(layer->config, 0);
    json_t *object = json_object();
    int32_t rc = MOPT_ENOMEM;
    if (keys != NULL && object != NULL && shorten(keys) == MOPT_OK)
        rc = moi_json_add_text(object, "type", moi_layer_type(layer->kind));
    if (rc == MOPT_OK && json_object_update(object, keys) != 0)
        rc = MOPT_ENOMEM;
    json_decref(keys);
    if (rc == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}

json_t *moi_model_tree(const mopt_model *model)
{
    json_t *tree = json_object(), *list = json_array();
    int32_t rc = tree != NULL && list != NULL ? MOPT_OK : MOPT_ENOMEM;
    for (int64_t i = 0; i < model->count && rc == MOPT_OK; i++)
        if (json_array_append_new(list, layer_to_json(&model->layers[i])) != 0)
            rc = MOPT_ENOMEM;
    if (rc == MOPT_OK && json_object_set(tree, "layers", list) != 0)
        rc = MOPT_ENOMEM;
    json_decref(list);
    if (rc == MOPT_OK)
        return tree;
    json_decref(tree);
    return NULL;
}

static json_t *tensor_to_json(const moi_param *param)
{
    json_t *object = json_object(), *shape = json_array();
    int32_t rc = object != NULL && shape != NULL ? MOPT_OK : MOPT_ENOMEM;
    for (int32_t i = 0; i < param->rank && rc == MOPT_OK; i++)
        if (json_array_append_new(shape, json_integer(param->shape[i])) != 0)
            rc = MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = moi_json_add_text(object, "name", param->name);
    if (rc == MOPT_OK && json_object_set(object, "shape", shape) != 0)
        rc = MOPT_ENOMEM;
    json_decref(shape);
    if (rc == MOPT_OK)
        return object;
    json_decref(object);
    return NULL;
}

static int32_t add_figures(const mopt_model *model, json_t *object)
{
    int64_t count = moi_model_weight_count(model);
    int32_t rc = moi_json_add_int(object, "inputs", model->inputs);
    if (rc == MOPT_OK)
        rc = moi_json_add_int(object, "outputs", moi_model_outputs(model));
    if (rc == MOPT_OK)
        rc = moi_json_add_int(object, "params", count);
    if (rc == MOPT_OK)
        rc = moi_json_add_int(object, "bytes",
                              count * (int64_t)sizeof(float));
    if (rc == MOPT_OK)
        rc = moi_json_add_int(object, "flops", moi_model_flops(model));
    return rc;
}

/* What the outputs mean, as the transform knows it. */
static int32_t add_target(const mopt_model *model, json_t *object)
{
    json_t *target = model->transform != NULL
                         ? moi_transform_target(model->transform)
                         : json_null();
    json_object_del(target, "center");
    json_object_del(target, "scale");
    json_object_del(target, "drop_unknown");
    return moi_json_add(object, "target", target);
}

int32_t mopt_model_describe(const mopt_model *model, char *buf, size_t cap,
                            size_t *needed)
{
    if (model == NULL)
        return moi_fail_null("mopt_model_describe", "model");
    if (buf == NULL && cap > 0)
        return moi_fail_null("mopt_model_describe", "buf");
    json_t *object = json_object(), *tree = moi_model_tree(model);
    json_t *tensors = json_array();
    int32_t rc = object != NULL && tree != NULL && tensors != NULL
                     ? add_figures(model, object)
                     : MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = add_target(model, object);
    for (int64_t i = 0; i < model->param_count && rc == MOPT_OK; i++)
        if (json_array_append_new(tensors,
                                  tensor_to_json(&model->params[i])) != 0)
            rc = MOPT_ENOMEM;
    if (rc == MOPT_OK && json_object_update(object, tree) != 0)
        rc = MOPT_ENOMEM;
    if (rc == MOPT_OK && json_object_set(object, "tensors", tensors) != 0)
        rc = MOPT_ENOMEM;
    json_decref(tensors);
    json_decref(tree);
    if (rc != MOPT_OK) {
        json_decref(object);
        object = NULL;
    }
    return moi_json_finish(model->ctx, object, buf, cap, needed);
}

/* ---- the JSON Schema ---- */

/* A kind of layer: its keys, and "type". */
static json_t *layer_schema(const moi_layer_kind *kind, int32_t domains)
{
    json_t *schema = moi_schema_to_json(kind->schema, domains);
    json_t *properties = json_object_get(schema, "properties");
    int32_t rc = MOPT_ENOMEM;
    if (properties != NULL)
        rc = moi_json_add(properties, "type",
                          json_pack("{s:s}", "const", moi_layer_type(kind)));
    if (rc == MOPT_OK)
        rc = moi_json_add(schema, "required", json_pack("[s]", "type"));
    if (rc == MOPT_OK)
        return schema;
    json_decref(schema);
    return NULL;
}

static json_t *domain_schema(void)
{
    return json_pack("{s:s}", "$ref", "#/$defs/domain");
}

/* {"repeat": n, "layers": [...]}. The list is known by its anchor, wherever
 * the schema of a model stands. */
static json_t *group_schema(int32_t domains)
{
    json_t *repeat = json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum",
                               0, "maximum", MOI_MODEL_LAYERS);
    if (domains)
        repeat = json_pack("{s:[o, o]}", "anyOf", repeat, domain_schema());
    return json_pack("{s:s, s:s, s:[s, s], s:b, s:{s:o, s:{s:s}}}", "type",
                     "object", "description", "layers, several times over",
                     "required", "repeat", "layers", "additionalProperties", 0,
                     "properties", "repeat", repeat, "layers", "$ref",
                     "#layers");
}

json_t *moi_model_schema(int32_t domains)
{
    json_t *forms = json_array();
    int failed = forms == NULL;
    for (int32_t i = 0; moi_layer_kinds[i] != NULL && !failed; i++)
        failed = json_array_append_new(
            forms, layer_schema(moi_layer_kinds[i], domains)) != 0;
    if (!failed)
        failed = json_array_append_new(forms, group_schema(domains)) != 0;
    if (!failed && domains)
        failed = json_array_append_new(forms, domain_schema()) != 0;
    if (failed) {
        json_decref(forms);
        return NULL;
    }
    return json_pack(
        "{s:s, s:s, s:[s], s:b, s:{s:{s:s, s:s, s:i, s:{s:o}}}}", "type",
        "object", "description", "a stack of layers", "required", "layers",
        "additionalProperties", 0, "properties", "layers", "$anchor", "layers",
        "type", "array", "minItems", 1, "items", "anyOf", forms);
}
