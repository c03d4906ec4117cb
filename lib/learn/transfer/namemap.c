/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/namemap.c: weights from any safetensors file, by a map of
 * names. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "learn/format/safetensors.h"
#include "learn/nn/model.h"

#include <modelopt/finetune.h>

#define SHAPE_SIZE (24 * MOI_TENSOR_RANK + 8)

typedef struct source {
    const mopt_model *model;
    moi_safetensors *file;
    json_t *map; /* object, or NULL */
    float *values; /* a block as it is seen from outside */
    float *room;
} source;

static const char *name_in_file(const void *list, int64_t i)
{
    return moi_safetensors_get(list, i)->name;
}

static const char *name_in_model(const void *list, int64_t i)
{
    return moi_model_param(list, i)->name;
}

/* ---- the map ---- */

static int32_t check_entry(const mopt_model *model, const char *key,
                           const json_t *entry)
{
    int64_t count = moi_model_param_count(model), i = 0, near;
    const json_t *turn = json_object_get(entry, "transpose");

    while (i < count && strcmp(moi_model_param(model, i)->name, key) != 0)
        i++;
    if (i == count) {
        near = moi_text_nearest(key, count, name_in_model, model);
        return moi_fail(MOPT_EKEY,
                        "map: the model has no tensor '%.100s'%s%s%s", key,
                        near < 0 ? "" : ", did you mean '",
                        near < 0 ? "" : name_in_model(model, near),
                        near < 0 ? "" : "'?");
    }
    if (json_is_string(entry) ||
        (json_is_string(json_object_get(entry, "name")) &&
         (!turn || json_is_boolean(turn)) &&
         json_object_size(entry) == (turn ? 2 : 1)))
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "map.%.100s: must be the name of a tensor, or "
                    "{\"name\": .., \"transpose\": true}", key);
}

static int32_t read_map(const mopt_model *model, const char *text,
                        json_t **out)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const char *key;
    json_t *entry;
    int32_t rc = moi_json_parse(text, out);

    if (rc)
        return moi_fail_at(rc, "map: ");
    if (!json_is_object(*out))
        return moi_fail(MOPT_EINVAL, "map: must be an object, not %s",
                        moi_json_excerpt(*out, excerpt));
    json_object_foreach(*out, key, entry) {
        rc = check_entry(model, key, entry);
        if (rc)
            return rc;
    }
    return MOPT_OK;
}

/* ---- one tensor ---- */

static int32_t find(const source *s, const moi_param *p, const moi_tensor **out,
                    int32_t *transpose)
{
    const json_t *entry = json_object_get(s->map, p->name);
    const char *name = p->name;
    int64_t near;

    if (json_is_string(entry))
        name = json_string_value(entry);
    else if (entry)
        name = json_string_value(json_object_get(entry, "name"));
    *transpose = json_is_true(json_object_get(entry, "transpose"));
    *out = moi_safetensors_find(s->file, name);
    if (*out)
        return MOPT_OK;
    near = moi_text_nearest(name, moi_safetensors_count(s->file), name_in_file,
                            s->file);
    return moi_fail(MOPT_EKEY, "there is no tensor '%.100s' for '%s'%s%.100s%s",
                    name, p->name, near < 0 ? "" : "; there is '",
                    near < 0 ? "" : name_in_file(s->file, near),
                    near < 0 ? "" : "'");
}

/* "[128, 784]". */
static void tell_shape(int32_t rank, const int64_t *shape,
                       char text[SHAPE_SIZE])
{
    int at = snprintf(text, SHAPE_SIZE, "[");

    for (int32_t i = 0; i < rank; i++)
        at += snprintf(text + at, (size_t)(SHAPE_SIZE - at), "%s%lld",
                       i ? ", " : "", (long long)shape[i]);
    snprintf(text + at, (size_t)(SHAPE_SIZE - at), "]");
}

static int32_t check_shape(const moi_param *p, const moi_tensor *t,
                           int32_t transpose)
{
    int32_t same = t->rank == p->rank && (!transpose || p->rank == 2);
    char has[SHAPE_SIZE], wants[SHAPE_SIZE];

    for (int32_t i = 0; same && i < p->rank; i++)
        same = t->shape[i] == p->shape[transpose ? 1 - i : i];
    if (same)
        return MOPT_OK;
    tell_shape(t->rank, t->shape, has);
    tell_shape(p->rank, p->shape, wants);
    return moi_fail(MOPT_EFORMAT, "tensor '%.100s' has the shape %s; '%s' "
                    "wants %s%s", t->name, has, p->name, wants,
                    transpose ? " after transposing" : "");
}

static int32_t read_tensor(const source *s, const moi_param *p)
{
    const moi_tensor *t = NULL;
    float *to = s->values + p->offset;
    int32_t transpose = 0;
    int32_t rc = find(s, p, &t, &transpose);

    if (!rc)
        rc = check_shape(p, t, transpose);
    if (!rc)
        rc = moi_tensor_floats(t, transpose ? s->room : to);
    for (int64_t i = 0; !rc && transpose && i < p->shape[0]; i++)
        for (int64_t j = 0; j < p->shape[1]; j++)
            to[i * p->shape[1] + j] = s->room[j * p->shape[0] + i];
    return rc;
}

int32_t mopt_model_load_weights(mopt_model *model, const char *path,
                                const char *map)
{
    mopt_context *ctx;
    source s = {.model = model};
    int32_t rc = MOPT_OK;

    if (!model || !path)
        return moi_fail_null("mopt_model_load_weights",
                             !model ? "model" : "path");
    ctx = moi_model_context(model);
    if (map)
        rc = read_map(model, map, &s.map);
    if (!rc)
        rc = moi_safetensors_read(ctx, path, &s.file);
    if (!rc) {
        s.values = moi_calloc(ctx, moi_model_size(model), sizeof *s.values);
        s.room = moi_alloc(ctx, moi_model_size(model), sizeof *s.room);
        rc = s.values && s.room ? MOPT_OK : MOPT_ENOMEM;
        for (int64_t i = 0; !rc && i < moi_model_param_count(model); i++)
            rc = read_tensor(&s, moi_model_param(model, i));
        if (rc == MOPT_EFORMAT || rc == MOPT_EKEY)
            moi_fail_at(rc, "%s: ", path);
    }
    if (!rc)
        rc = moi_model_alloc(model);
    if (!rc)
        moi_model_import(model, s.values, moi_model_weights(model));
    moi_free(ctx, s.values);
    moi_free(ctx, s.room);
    json_decref(s.map);
    moi_safetensors_free(s.file);
    return rc;
}
