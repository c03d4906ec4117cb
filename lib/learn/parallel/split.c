/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/split.c: how each layer is split over tensor ranks.
 *
 * A layer split by columns leaves each rank some of its outputs; layers
 * without tensors go on with these, and one that is split by rows takes them
 * in and adds up what comes out: two products, one sum. What is left in pieces
 * is made whole for a layer that wants all of it, and at the end of a stage. */
#include <string.h>

#include "learn/nn/model.h"
#include "learn/parallel/parallel.h"

static const char *const names[] = {"none", "columns", "rows"};

#define PIECE 16 /* a piece is so many outputs wide, or several times that */

const char *moi_split_name(int32_t split)
{
    return names[split];
}

int64_t moi_split_cut(int64_t width, int32_t tensor, int32_t t)
{
    int64_t unit = width >= (int64_t)PIECE * tensor ? PIECE : 1;

    return t == tensor ? width : width / unit * t / tensor * unit;
}

/* ---- what a layer lets be done ---- */

static int32_t over_row(const moi_layer *layer)
{
    const moi_activation *f =
        layer->kind->ends_in ? layer->kind->ends_in(layer) : NULL;

    return f != NULL && f->whole_row;
}

static int32_t cuts(const moi_layer *layer)
{
    return (layer->kind->flags & MOI_LAYER_SPLITS) != 0;
}

/* Does it do the same to each value, whichever others there are? */
static int32_t passes(const moi_layer *layer)
{
    return layer->tensors == 0 && !over_row(layer) &&
           moi_shape_count(&layer->in) == moi_shape_count(&layer->out);
}

static int32_t wide_enough(const mopt_parallel *p, const moi_layer *layer)
{
    return moi_shape_count(&layer->out) >= p->tensor;
}

/* Why a layer cannot be split so, given whether it gets pieces; or NULL. */
static const char *misfit(const mopt_parallel *p, const moi_layer *layer,
                          int32_t split, int32_t pieces)
{
    if (split == MOI_SPLIT_NONE)
        return NULL;
    if (p->tensor == 1)
        return "there is one tensor rank";
    if (split == MOI_SPLIT_ROWS)
        return !cuts(layer) ? "its kind has no inputs to share out"
               : !pieces    ? "the layer below leaves no pieces of its output"
                            : NULL;
    if (over_row(layer))
        return MOI_MISFIT_ROW;
    if (!cuts(layer) && !passes(layer))
        return "its kind has no outputs to share out";
    if (!cuts(layer) && !pieces)
        return "the layer below leaves no pieces of its output";
    return wide_enough(p, layer) ? NULL : MOI_MISFIT_NARROW;
}

/* ---- by hand ---- */

static int32_t read_word(const char **said, int32_t *split)
{
    size_t length = strcspn(*said, ",");

    for (*split = 0; *split < MOI_COUNT(names); ++*split)
        if (strlen(names[*split]) == length &&
            memcmp(names[*split], *said, length) == 0)
            break;
    if (*split == MOI_COUNT(names))
        return moi_fail(MOPT_EINVAL, "splits: '%.*s' is not known; allowed are "
                        "columns, rows, none",
                        (int)(length < 40 ? length : 40), *said);
    *said += length;
    *said += **said == ',' && (*said)[1] != '\0';
    return MOPT_OK;
}

static int32_t read_splits(mopt_parallel *p, const char *said)
{
    const char *at = said;
    int64_t count = 0;

    while (*at != '\0') {
        int32_t split, rc = read_word(&at, &split);

        if (rc)
            return rc;
        if (count < p->layers)
            p->split[count] = split;
        count++;
    }
    if (count != p->layers)
        return moi_fail(MOPT_EINVAL, "splits: %lld words, the model has %lld "
                        "layers", (long long)count, (long long)p->layers);
    return MOPT_OK;
}

static int32_t check(const mopt_parallel *p, const mopt_model *model)
{
    int32_t pieces = 0;

    for (int64_t i = 0, stage = 0; i < p->layers; i++) {
        const char *why;

        if (i == p->cuts[stage]) {
            pieces = 0;
            stage++;
        }
        why = misfit(p, moi_model_layer(model, i), p->split[i], pieces);
        if (why)
            return moi_fail(MOPT_EINVAL, "splits: layer %lld cannot be split "
                            "by %s: %s", (long long)i, names[p->split[i]],
                            why);
        pieces = p->split[i] == MOI_SPLIT_COLUMNS;
    }
    return MOPT_OK;
}

int32_t moi_split_read(mopt_parallel *p, const mopt_model *model,
                       const char *said)
{
    int32_t rc = read_splits(p, said);

    return rc ? rc : check(p, model);
}

/* ---- chosen ---- */

/* The layer that can take the pieces that layer i would leave, in its stage;
 * 0: there is none. */
static int64_t find_partner(const mopt_parallel *p, const mopt_model *model,
                            int64_t i, int64_t end)
{
    if (!cuts(moi_model_layer(model, i)) ||
        misfit(p, moi_model_layer(model, i), MOI_SPLIT_COLUMNS, 0))
        return 0;
    for (int64_t j = i + 1; j < end; j++) {
        const moi_layer *layer = moi_model_layer(model, j);

        if (!misfit(p, layer, MOI_SPLIT_ROWS, 1))
            return j;
        if (!passes(layer))
            return 0;
    }
    return 0;
}

static double seconds(const mopt_parallel *p, int64_t layer, int32_t split)
{
    const moi_layer_cost *cost = &p->cost[layer];
    int64_t parts = moi_part_together(p), rows = parts * moi_part_rows(p);

    return moi_machine_seconds(&p->pace,
                               moi_layer_forward(cost, split, p->tensor,
                                                 rows)) +
           moi_machine_seconds(&p->pace,
                               moi_layer_backward(cost, split, p->tensor,
                                                  rows,
                                                  moi_part_products(p, parts)));
}

/* Is a pair faster split, the sums for that included? */
static int32_t pays(const mopt_parallel *p, int64_t first, int64_t last)
{
    double row = (double)(moi_part_together(p) * moi_part_rows(p)) *
                 sizeof(float);
    double gain = seconds(p, last, MOI_SPLIT_NONE) -
                  seconds(p, last, MOI_SPLIT_ROWS);

    for (int64_t i = first; i < last; i++)
        gain += seconds(p, i, MOI_SPLIT_NONE) -
                seconds(p, i, MOI_SPLIT_COLUMNS);
    gain -= moi_joint_seconds(p, moi_joint_sum(p, row *
                                               (double)p->cost[last].out));
    if (p->cost[first].dx)
        gain -= moi_joint_seconds(p, moi_joint_sum(p, row *
                                                   (double)p->cost[first].in));
    return gain > 0;
}

/* Pairs of columns and rows, from the first layer of a stage on. */
static void pair(mopt_parallel *p, const mopt_model *model, int64_t first,
                 int64_t end, int32_t all)
{
    for (int64_t i = first; i < end; i++) {
        int64_t partner = find_partner(p, model, i, end);

        if (!partner || (!all && !pays(p, i, partner)))
            continue;
        for (; i < partner; i++)
            p->split[i] = MOI_SPLIT_COLUMNS;
        p->split[partner] = MOI_SPLIT_ROWS;
    }
}

void moi_split_choose(mopt_parallel *p, const mopt_model *model, int32_t all)
{
    memset(p->split, 0, (size_t)p->layers * sizeof *p->split);
    for (int32_t s = 0; p->tensor > 1 && s < p->stages; s++)
        pair(p, model, p->cuts[s], p->cuts[s + 1], all);
}

int32_t moi_split_any(const mopt_parallel *p)
{
    int64_t i = 0;

    while (i < p->layers && p->split[i] == MOI_SPLIT_NONE)
        i++;
    return i < p->layers;
}
