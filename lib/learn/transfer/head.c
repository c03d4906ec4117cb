/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/head.c: models that differ in their last layer alone. */
#include "learn/transfer/head.h"

#include <string.h>

#include "base/status.h"

/* The first tensor of the head. */
static int64_t first_of_head(const mopt_model *model)
{
    int64_t first, count;

    moi_model_layer_params(model, moi_model_head(model), &first, &count);
    return first;
}

void moi_head_copy_body(const mopt_model *from, mopt_model *to,
                        int32_t with_head)
{
    int64_t end = with_head ? moi_model_param_count(from)
                            : first_of_head(from);

    for (int64_t i = 0; i < end; i++)
        memcpy(moi_model_weights(to) + moi_model_param(to, i)->offset,
               moi_model_weights(from) + moi_model_param(from, i)->offset,
               (size_t)moi_model_param(from, i)->count * sizeof(moi_real));
}

int64_t moi_head_distance(const mopt_model *model, int64_t tensor)
{
    int64_t distance = -1;

    for (int64_t i = moi_model_head(model); i >= 0; i--) {
        int64_t first, count;

        moi_model_layer_params(model, i, &first, &count);
        distance += count > 0;
        if (count > 0 && tensor >= first)
            break;
    }
    return distance;
}

static int32_t set_width(json_t *tree, int64_t head, int64_t outputs)
{
    json_t *layer = json_array_get(json_object_get(tree, "layers"),
                                   (size_t)head);

    if (!json_object_get(layer, "units"))
        return moi_fail(MOPT_EUNSUPPORTED, "the model's last layer, of type "
                        "'%s', cannot be given another width",
                        json_string_value(json_object_get(layer, "type")));
    return moi_json_add_int(layer, "units", outputs);
}

int32_t moi_head_replace(const mopt_model *source, int64_t outputs,
                         uint64_t seed, mopt_model **out)
{
    const moi_path path = {NULL, "source", 0};
    mopt_model *model = NULL;
    json_t *tree;
    int32_t rc;

    if (moi_model_head(source) < 0)
        return moi_fail(MOPT_EINVAL, "the source has no layer with weights");
    tree = moi_model_tree(source);
    rc = tree ? set_width(tree, moi_model_head(source), outputs)
              : moi_fail(MOPT_ENOMEM, "no memory for a model");
    if (!rc)
        rc = moi_model_from_json(moi_model_context(source), tree, &path,
                                 moi_model_inputs(source), outputs, &model);
    if (!rc)
        rc = mopt_model_init(model, (int64_t)seed);
    json_decref(tree);
    if (rc) {
        mopt_model_free(model);
        return rc;
    }
    moi_head_copy_body(source, model, 0);
    *out = model;
    return MOPT_OK;
}
