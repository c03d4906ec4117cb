/* SPDX-License-Identifier: MIT
 * lib/learn/nn/growth.c: a wider and deeper model that computes the same (Chen,
 * Goodfellow and Shlens 2016, "Net2Net").
 *
 * Which layers can stand for which, and how their tensors are set, the kinds of
 * layers know (layer.h). Here is the order: a model's layers are a line, and so
 * are the source's. State (i, j) says that the first i of the source have found
 * their counterparts among the first j of the model; from there the next two
 * are matched, or the model's next one hands on what it gets. The best way from
 * each state to the end is worked out backwards. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "learn/data/transform.h"
#include "learn/nn/model_inside.h"

/* Two models side by side. Layers that do nothing outside of training are left
 * out of both. */
typedef struct lineup {
    mopt_context *ctx;
    const mopt_model *source, *model;
    int64_t *from, *to; /* numbers of layers */
    int64_t from_count, to_count;
    moi_place *places; /* [from_count + 1], in front of each of the source */
    int16_t *scores; /* [from_count + 1][to_count + 1], see score_at */
} lineup;

#define NO_WAY (-1)

/* ---- the lines ---- */

static int64_t list_layers(const mopt_model *model, int64_t *list)
{
    int64_t count = 0;
    for (int64_t i = 0; i < model->count; i++)
        if (!(model->layers[i].kind->flags & MOI_LAYER_TRAINING))
            list[count++] = i;
    return count;
}

static const moi_layer *from_at(const lineup *l, int64_t i)
{
    return &l->source->layers[l->from[i]];
}

static const moi_layer *to_at(const lineup *l, int64_t j)
{
    return &l->model->layers[l->to[j]];
}

/* What is known behind a layer. */
static moi_place place_behind(const moi_layer *layer, moi_place before)
{
    const moi_activation *f = layer->kind->ends_in != NULL
                                  ? layer->kind->ends_in(layer) : NULL;
    moi_place place = {moi_shape_count(&layer->out),
                       layer->tensors == 0 && before.not_negative};
    if (f != NULL)
        place.not_negative = f->not_negative ||
                             (f->keeps_positive && place.not_negative);
    return place;
}

static void lineup_end(lineup *l)
{
    moi_free(l->ctx, l->from);
    moi_free(l->ctx, l->to);
    moi_free(l->ctx, l->places);
    moi_free(l->ctx, l->scores);
}

static int32_t lineup_begin(lineup *l, const mopt_model *source,
                            const mopt_model *model)
{
    *l = (lineup){.ctx = model->ctx, .source = source, .model = model};
    l->from = moi_alloc(l->ctx, source->count, sizeof(*l->from));
    l->to = moi_alloc(l->ctx, model->count, sizeof(*l->to));
    l->places = moi_alloc(l->ctx, source->count + 1, sizeof(*l->places));
    l->scores = moi_alloc(l->ctx, (source->count + 1) * (model->count + 1),
                          sizeof(*l->scores));
    if (l->from == NULL || l->to == NULL || l->places == NULL ||
        l->scores == NULL)
        return MOPT_ENOMEM;
    l->from_count = list_layers(source, l->from);
    l->to_count = list_layers(model, l->to);
    l->places[0] = (moi_place){source->inputs, 0};
    for (int64_t i = 0; i < l->from_count; i++)
        l->places[i + 1] = place_behind(from_at(l, i), l->places[i]);
    return MOPT_OK;
}

/* ---- who can stand for whom ---- */

static int32_t same_shape(const moi_shape *a, const moi_shape *b)
{
    return a->rank == b->rank &&
           memcmp(a->size, b->size, (size_t)a->rank * sizeof(a->size[0])) == 0;
}

/* Of kinds that do not know how to grow: is it the same at work? Settings are
 * all that a layer goes by then. */
static const char *unequal(const moi_layer *layer, const moi_layer *from)
{
    if (from == NULL || !same_shape(&layer->in, &from->in) ||
        !same_shape(&layer->out, &from->out) ||
        memcmp(layer->settings, from->settings,
               layer->kind->settings_size) != 0)
        return "a layer of this type can stand for its equal only";
    return NULL;
}

/* Why the model's layer j cannot take the part of the source's layer i; with
 * part 0, why it cannot hand on what lies before that one. */
static const char *misfit(const lineup *l, int64_t i, int64_t j, int32_t part)
{
    const moi_layer *layer = to_at(l, j);
    const moi_layer *from = part ? from_at(l, i) : NULL;
    if (part && from->kind != layer->kind)
        return "it is of another type";
    if (layer->kind->misfit == NULL)
        return unequal(layer, from);
    return layer->kind->misfit(layer, from, &l->places[i]);
}

/* The most layers of equal width that a way from (i, j) to the end has; NO_WAY
 * if there is none. */
static int16_t *score_at(const lineup *l, int64_t i, int64_t j)
{
    return &l->scores[i * (l->to_count + 1) + j];
}

/* The same of the ways that begin with a match, and with handing on. */
static int16_t match_score(const lineup *l, int64_t i, int64_t j)
{
    if (i == l->from_count || *score_at(l, i + 1, j + 1) == NO_WAY ||
        misfit(l, i, j, 1) != NULL)
        return NO_WAY;
    int32_t equal = moi_shape_count(&from_at(l, i)->out) ==
                    moi_shape_count(&to_at(l, j)->out);
    return (int16_t)(*score_at(l, i + 1, j + 1) + equal);
}

static int16_t pass_score(const lineup *l, int64_t i, int64_t j)
{
    if (*score_at(l, i, j + 1) == NO_WAY || misfit(l, i, j, 0) != NULL)
        return NO_WAY;
    return *score_at(l, i, j + 1);
}

/* Nothing behind the end but what the source gives: no value may be new. */
static int32_t align(lineup *l)
{
    for (int64_t i = 0; i <= l->from_count; i++)
        *score_at(l, i, l->to_count) = i == l->from_count ? 0 : NO_WAY;
    for (int64_t i = l->from_count; i >= 0; i--)
        for (int64_t j = l->to_count - 1; j >= 0; j--) {
            int16_t match = match_score(l, i, j), pass = pass_score(l, i, j);
            *score_at(l, i, j) = match > pass ? match : pass;
        }
    return *score_at(l, 0, 0) != NO_WAY;
}

/* ---- what to say when there is no way ---- */

/* Mark what can be reached, and find the last place of the model's line that
 * is. */
static void find_end(lineup *l, int64_t *end_i, int64_t *end_j)
{
    for (int64_t i = 0; i <= l->from_count; i++)
        for (int64_t j = 0; j <= l->to_count; j++)
            *score_at(l, i, j) = 0;
    *score_at(l, 0, 0) = 1;
    *end_i = *end_j = 0;
    for (int64_t i = 0; i <= l->from_count; i++)
        for (int64_t j = 0; j <= l->to_count; j++) {
            if (*score_at(l, i, j) == 0)
                continue;
            if (j >= *end_j) {
                *end_i = i;
                *end_j = j;
            }
            if (j == l->to_count)
                continue;
            if (i < l->from_count && misfit(l, i, j, 1) == NULL)
                *score_at(l, i + 1, j + 1) = 1;
            if (misfit(l, i, j, 0) == NULL)
                *score_at(l, i, j + 1) = 1;
        }
}

static const char *describe(const moi_layer *layer, char text[64])
{
    const moi_activation *f = layer->kind->ends_in != NULL
                                  ? layer->kind->ends_in(layer) : NULL;
    snprintf(text, 64, "layers.%" PRId64 " (%s, %" PRId64 " wide%s%s)",
             layer->piece.layer, moi_layer_type(layer->kind),
             moi_shape_count(&layer->out), f != NULL ? ", " : "",
             f != NULL ? f->schema->name : "");
    return text;
}

static int32_t fail_alignment(lineup *l)
{
    char old[64], new[64];
    int64_t i, j;
    find_end(l, &i, &j);
    if (j == l->to_count)
        return moi_fail(MOPT_EUNSUPPORTED,
                        "mopt_model_grow: nothing in the model takes the part "
                        "of the source's %s", describe(from_at(l, i), old));
    if (i == l->from_count)
        return moi_fail(MOPT_EUNSUPPORTED,
                        "mopt_model_grow: the model's %s comes after all that "
                        "the source does, and cannot hand that on: %s",
                        describe(to_at(l, j), new), misfit(l, i, j, 0));
    return moi_fail(MOPT_EUNSUPPORTED,
                    "mopt_model_grow: the model's %s cannot take the part of "
                    "the source's %s: %s; nor stand before it and hand on "
                    "what it gets: %s", describe(to_at(l, j), new),
                    describe(from_at(l, i), old), misfit(l, i, j, 1),
                    misfit(l, i, j, 0));
}

/* ---- weights ---- */

static void copy_tensors(const mopt_model *source, const mopt_model *model,
                         const moi_layer *from, const moi_layer *to,
                         moi_real *block)
{
    for (int64_t k = 0; k < to->tensors; k++) {
        const moi_param *old = &source->params[from->first + k];
        memcpy(block + model->params[to->first + k].offset,
               source->weights + old->offset,
               (size_t)old->count * sizeof(moi_real));
    }
}

static void grow_layer(const lineup *l, int64_t i, int64_t j, int32_t part,
                       moi_real *block)
{
    const moi_layer *layer = to_at(l, j);
    int64_t old_offset[MOI_LAYER_TENSORS], offset[MOI_LAYER_TENSORS];
    moi_growth growth = {.from = part ? from_at(l, i) : NULL,
                         .old = l->source->weights,
                         .old_offset = old_offset,
                         .weights = block,
                         .offset = offset,
                         .place = l->places[i]};
    moi_model_offsets(l->model, layer, offset);
    if (part)
        moi_model_offsets(l->source, growth.from, old_offset);
    if (layer->kind->grow != NULL)
        layer->kind->grow(layer, &growth);
    else if (part)
        copy_tensors(l->source, l->model, growth.from, layer, block);
}

/* Along the best way; where two are as good, a match goes first. */
static void grow_all(const lineup *l, moi_real *block)
{
    for (int64_t i = 0, j = 0; j < l->to_count; j++) {
        int32_t part = match_score(l, i, j) == *score_at(l, i, j);
        grow_layer(l, i, j, part, block);
        i += part;
    }
}

/* ---- the functions ---- */

static int32_t check_ends(const mopt_model *source, const mopt_model *model)
{
    if (source->inputs != model->inputs)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_grow: the source has %" PRId64
                        " inputs, the model has %" PRId64, source->inputs,
                        model->inputs);
    if (moi_model_outputs(source) != moi_model_outputs(model))
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_grow: the source has %" PRId64
                        " outputs, the model has %" PRId64,
                        moi_model_outputs(source), moi_model_outputs(model));
    return MOPT_OK;
}

int32_t moi_model_fits(const mopt_model *source, const mopt_model *model,
                       int32_t *fits)
{
    lineup l;
    if (source->inputs != model->inputs ||
        moi_model_outputs(source) != moi_model_outputs(model)) {
        *fits = 0;
        return MOPT_OK;
    }
    int32_t rc = lineup_begin(&l, source, model);
    if (rc == MOPT_OK)
        *fits = align(&l);
    lineup_end(&l);
    return rc;
}

static int32_t grow(const mopt_model *source, mopt_model *model, int64_t seed)
{
    lineup l;
    moi_real *block = NULL;
    int32_t rc = lineup_begin(&l, source, model);
    if (rc == MOPT_OK && !align(&l))
        rc = fail_alignment(&l);
    if (rc == MOPT_OK)
        rc = moi_model_draw(model, seed, &block);
    if (rc == MOPT_OK) {
        grow_all(&l, block);
        moi_model_take(model, block);
    }
    lineup_end(&l);
    return rc;
}

int32_t mopt_model_grow(const mopt_model *source, mopt_model *model,
                        int64_t seed)
{
    if (source == NULL || model == NULL)
        return moi_fail_null("mopt_model_grow", source ? "model" : "source");
    if (source == model)
        return moi_fail(MOPT_EINVAL,
                        "mopt_model_grow: source and model are the same");
    if (source->weights == NULL)
        return moi_fail(MOPT_ESTATE,
                        "mopt_model_grow: the source's weights are not set");
    int32_t rc = check_ends(source, model);
    if (rc == MOPT_OK)
        rc = grow(source, model, seed);
    if (rc == MOPT_OK && model->transform == NULL && source->transform != NULL)
        model->transform = moi_transform_hold(source->transform);
    return rc;
}
