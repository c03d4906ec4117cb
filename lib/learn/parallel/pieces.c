/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/pieces.c: a rank's part of a model. */
#include "learn/parallel/pieces.h"

#include <string.h>

#include "learn/nn/model_inside.h"
#include "learn/parallel/joint.h"

/* A part in the making. */
typedef struct maker {
    const moi_mesh *mesh;
    const mopt_model *whole;
    mopt_model *part;
    int32_t pieces; /* the last layer left pieces of its output */
} maker;

static int64_t inputs_of(const moi_layer *layer)
{
    return moi_shape_count(&layer->in);
}

static int64_t outputs_of(const moi_layer *layer)
{
    return moi_shape_count(&layer->out);
}

static int64_t cut_of(const maker *m, int64_t width)
{
    return moi_split_cut(width, m->mesh->tensor, m->mesh->t);
}

static int64_t piece_of(const maker *m, int64_t width)
{
    return moi_split_cut(width, m->mesh->tensor, m->mesh->t + 1) -
           cut_of(m, width);
}

/* ---- joints ---- */

static int32_t join(const maker *m, int32_t kind, int64_t layer, int64_t width)
{
    moi_joint joint = {.kind = kind,
                       .layer = layer,
                       .width = width,
                       .group = m->mesh->layer};
    return moi_joint_append(m->part, &joint);
}

static int32_t make_whole(maker *m, int64_t layer, int64_t width)
{
    int32_t rc = MOPT_OK;
    if (m->pieces)
        rc = join(m, MOI_JOINT_GATHER, layer, width);
    m->pieces = 0;
    return rc;
}

/* The sum behind a layer split by rows; its constants are the second tensor. */
static int32_t join_sum(const maker *m, const moi_layer *layer)
{
    int32_t bias = layer->tensors > 1;
    moi_joint joint = {
        .kind = MOI_JOINT_SUM,
        .layer = layer->piece.layer,
        .width = outputs_of(layer),
        .bias = bias,
        .bias_init = bias ? moi_config_float(layer->config, "bias_init") : 0,
        .group = m->mesh->layer,
    };
    return moi_joint_append(m->part, &joint);
}

/* And the function that the layer ends in, as a layer by itself. */
static int32_t append_function(const maker *m, const moi_layer *layer)
{
    const moi_layer_kind *kind = moi_layer_find("activation");
    json_t *all = moi_config_to_json(layer->config, 0);
    json_t *function = json_object_get(all, "activation");
    mopt_config *config = NULL;
    moi_extent extent = layer->piece;
    int32_t rc = all != NULL ? moi_config_new(m->part->ctx, kind->schema,
                                              &config)
                             : moi_fail(MOPT_ENOMEM, "no memory for a layer");
    extent.ins = extent.outs;
    if (rc == MOPT_OK) {
        json_t *keys = json_pack("{s:O}", "activation", function);
        rc = keys != NULL ? moi_config_read(config, keys, NULL, NULL)
                          : moi_fail(MOPT_ENOMEM, "no memory for a layer");
        json_decref(keys);
    }
    json_decref(all);
    if (rc == MOPT_OK)
        return moi_model_append_piece(m->part, kind, config, &extent);
    mopt_config_free(config);
    return rc;
}

/* ---- layers ---- */

static int32_t append(const maker *m, const moi_layer *layer,
                      const moi_extent *extent, int64_t units)
{
    mopt_config *config = NULL;
    int32_t rc = moi_config_copy(layer->config, &config);
    if (rc == MOPT_OK && units > 0)
        rc = mopt_config_set_int(config, "units", units);
    if (rc == MOPT_OK)
        return moi_model_append_piece(m->part, layer->kind, config, extent);
    mopt_config_free(config);
    return rc;
}

static int32_t append_whole(maker *m, const moi_layer *layer)
{
    int32_t rc = make_whole(m, layer->piece.layer, inputs_of(layer));
    return rc == MOPT_OK ? append(m, layer, &layer->piece, 0) : rc;
}

static int32_t append_columns(maker *m, const moi_layer *layer)
{
    moi_extent extent = layer->piece;
    int64_t units = 0;
    int32_t rc = MOPT_OK;
    extent.out = cut_of(m, extent.outs);
    if (layer->tensors == 0) {
        extent.in = extent.out; /* value by value */
    } else {
        rc = make_whole(m, extent.layer, extent.ins);
        if (rc == MOPT_OK)
            rc = join(m, MOI_JOINT_ENTER, extent.layer, extent.ins);
        units = piece_of(m, extent.outs);
    }
    m->pieces = 1;
    return rc == MOPT_OK ? append(m, layer, &extent, units) : rc;
}

static int32_t append_rows(maker *m, const moi_layer *layer)
{
    const moi_activation *f =
        layer->kind->ends_in != NULL ? layer->kind->ends_in(layer) : NULL;
    moi_extent extent = layer->piece;
    extent.in = cut_of(m, extent.ins);
    int32_t rc = append(m, layer, &extent, 0);
    if (rc == MOPT_OK)
        rc = join_sum(m, layer);
    if (rc == MOPT_OK && f != NULL)
        rc = append_function(m, layer);
    m->pieces = 0;
    return rc;
}

static int32_t append_stage(maker *m)
{
    const moi_mesh *mesh = m->mesh;
    int64_t end = mesh->cuts[mesh->stage + 1];
    int32_t rc = MOPT_OK;
    for (int64_t i = mesh->cuts[mesh->stage]; i < end && rc == MOPT_OK; i++) {
        const moi_layer *layer = &m->whole->layers[i];
        int32_t split = mesh->tensor > 1 ? mesh->split[i] : MOI_SPLIT_NONE;
        rc = split == MOI_SPLIT_ROWS      ? append_rows(m, layer)
             : split == MOI_SPLIT_COLUMNS ? append_columns(m, layer)
                                          : append_whole(m, layer);
    }
    if (rc == MOPT_OK)
        rc = make_whole(m, end - 1, outputs_of(&m->whole->layers[end - 1]));
    return rc;
}

/* ---- places ---- */

static const moi_layer *layer_of(const mopt_model *model, int64_t tensor)
{
    const moi_layer *layer = model->layers;
    while (tensor >= layer->first + layer->tensors)
        layer++;
    return layer;
}

static int32_t stage_of(const moi_mesh *mesh, int64_t layer)
{
    int32_t stage = 0;
    while (layer >= mesh->cuts[stage + 1])
        stage++;
    return stage;
}

static void cut(const moi_mesh *mesh, int32_t t, int64_t width, int64_t *first,
                int64_t *count)
{
    *first = moi_split_cut(width, mesh->tensor, t);
    *count = moi_split_cut(width, mesh->tensor, t + 1) - *first;
}

/* The first tensor of a layer is cut by its rows or columns, the others have a
 * value for each output. */
moi_holding moi_pieces_of(const moi_mesh *mesh, const mopt_model *whole,
                          int64_t tensor, int32_t t)
{
    const moi_layer *layer = layer_of(whole, tensor);
    const moi_param *param = &whole->params[tensor];
    int64_t i = layer->piece.layer;
    int32_t split = mesh->tensor > 1 ? mesh->split[i] : MOI_SPLIT_NONE;
    moi_holding h = {.stage = stage_of(mesh, i),
                     .cols = param->flags & MOI_PARAM_TRANSPOSED
                                 ? param->shape[0]
                                 : param->count};
    h.row_count = h.rows = param->count / h.cols;
    h.col_count = h.cols;
    if (split == MOI_SPLIT_COLUMNS)
        cut(mesh, t, h.cols, &h.col, &h.col_count);
    else if (split == MOI_SPLIT_ROWS && tensor == layer->first)
        cut(mesh, t, h.rows, &h.row, &h.row_count);
    h.shared = h.row_count * h.col_count == param->count;
    return h;
}

int64_t moi_pieces_tensor(const mopt_model *part, const mopt_model *whole,
                          int64_t tensor)
{
    int64_t k = whole->layers[layer_of(part, tensor)->piece.layer].first;
    while (strcmp(whole->params[k].name, part->params[tensor].name) != 0)
        k++;
    return k;
}

void moi_pieces_take(const moi_holding *h, const moi_real *whole,
                     moi_real *piece)
{
    for (int64_t i = 0; i < h->row_count; i++)
        memcpy(piece + i * h->col_count,
               whole + (h->row + i) * h->cols + h->col,
               (size_t)h->col_count * sizeof(*piece));
}

void moi_pieces_put(const moi_holding *h, const moi_real *piece,
                    moi_real *whole)
{
    for (int64_t i = 0; i < h->row_count; i++)
        memcpy(whole + (h->row + i) * h->cols + h->col,
               piece + i * h->col_count,
               (size_t)h->col_count * sizeof(*piece));
}

/* ---- weights ---- */

static void take_weights(const moi_mesh *mesh, mopt_model *part,
                         const mopt_model *whole)
{
    for (int64_t k = 0; k < part->param_count; k++) {
        int64_t tensor = moi_pieces_tensor(part, whole, k);
        moi_holding h = moi_pieces_of(mesh, whole, tensor, mesh->t);
        moi_pieces_take(&h, whole->weights + whole->params[tensor].offset,
                        part->weights + part->params[k].offset);
    }
}

static int32_t set_weights(const moi_mesh *mesh, mopt_model *part,
                           const mopt_model *whole, uint64_t seed)
{
    if (whole->weights == NULL)
        return mopt_model_init(part, (int64_t)seed);
    int32_t rc = moi_model_alloc(part);
    if (rc == MOPT_OK)
        take_weights(mesh, part, whole);
    return rc;
}

int32_t moi_pieces_create(const moi_mesh *mesh, const mopt_model *whole,
                          uint64_t seed, mopt_model **out)
{
    const moi_layer *first = &whole->layers[mesh->cuts[mesh->stage]];
    maker m = {.mesh = mesh, .whole = whole};
    int32_t rc = mopt_model_build(mesh->ctx, inputs_of(first), &m.part);
    if (rc == MOPT_OK)
        rc = append_stage(&m);
    if (rc == MOPT_OK)
        rc = set_weights(mesh, m.part, whole, seed);
    if (rc == MOPT_OK)
        *out = m.part;
    else
        mopt_model_free(m.part);
    return rc;
}
