/* SPDX-License-Identifier: MIT
 * lib/learn/nn/layer.c: the table of the kinds of layers. */
#include "learn/nn/layer.h"

#include <string.h>

extern const moi_layer_kind moi_layer_dense;
extern const moi_layer_kind moi_layer_activation;
extern const moi_layer_kind moi_layer_dropout;

const moi_layer_kind *const moi_layer_kinds[] = {
    &moi_layer_dense,
    &moi_layer_activation,
    &moi_layer_dropout,
    NULL,
};

const char *moi_layer_type(const moi_layer_kind *kind)
{
    return kind->schema->name + strlen("layer.");
}

const moi_layer_kind *moi_layer_find(const char *type)
{
    for (int32_t i = 0; moi_layer_kinds[i] != NULL; i++)
        if (strcmp(moi_layer_type(moi_layer_kinds[i]), type) == 0)
            return moi_layer_kinds[i];
    return NULL;
}

int64_t moi_shape_count(const moi_shape *shape)
{
    int64_t count = 1;
    for (int32_t i = 0; i < shape->rank; i++)
        count *= shape->size[i];
    return count;
}

moi_shape moi_shape_flat(int64_t count)
{
    return (moi_shape){1, {count}};
}
