/* SPDX-License-Identifier: MIT
 * lib/learn/nn/dense.c: every output a weighted sum of all inputs, with an
 * activation after it.
 *
 * y = f(x w + b). relu is done by the product itself (backend/dense.h), and
 * its derivative by the input gradient of the next layer; other activations
 * run over y, in place wherever the backward pass needs y alone. */
#include "backend/dense.h"
#include "learn/nn/init.h"
#include "learn/nn/layer.h"

typedef struct settings {
    const moi_activation *function; /* NULL: none */
    double slope;
    int32_t bias;
} settings;

/* Has it some of its inputs only? Then its outputs are to be added up over the
 * ranks that have the others: constants and the function come after that. */
static int32_t is_partial(const moi_layer *layer)
{
    return moi_shape_count(&layer->in) < layer->piece.ins;
}

static int32_t has_bias(const moi_layer *layer)
{
    const settings *s = layer->settings;
    return s->bias && !is_partial(layer);
}

static int32_t infer(moi_layer *layer)
{
    settings *s = layer->settings;
    s->function = moi_activation_read(layer->config, &s->slope);
    s->bias = moi_config_bool(layer->config, "bias");
    if (!moi_config_has(layer->config, "units"))
        return moi_fail(MOPT_EINVAL,
                        "units: is missing; allowed is 1 or more");
    layer->out = moi_shape_flat(moi_config_int(layer->config, "units"));
    return MOPT_OK;
}

static int32_t tensors(const moi_layer *layer,
                       moi_layer_tensor list[MOI_LAYER_TENSORS])
{
    int64_t in = moi_shape_count(&layer->in);
    int64_t out = moi_shape_count(&layer->out);
    list[0] = (moi_layer_tensor){
        "weight", MOI_PARAM_TRANSPOSED, 2, {out, in}};
    list[1] = (moi_layer_tensor){"bias", MOI_PARAM_NO_DECAY, 1, {out}};
    return has_bias(layer) ? 2 : 1;
}

static int32_t init(const moi_layer *layer, mopt_context *ctx, uint64_t seed,
                    const int64_t *offset, moi_real *weights)
{
    const settings *s = layer->settings;
    const moi_extent *piece = &layer->piece;
    int64_t in = moi_shape_count(&layer->in);
    int64_t out = moi_shape_count(&layer->out);
    moi_init_request request = {
        .ctx = ctx,
        .config = layer->config,
        .activation = s->function,
        .slope = s->slope,
        .fan_in = piece->ins,
        .fan_out = piece->outs,
        .seed = seed,
        .stream = piece->tensor,
    };
    moi_window here = {piece->in, in, piece->out, out};
    if (has_bias(layer)) {
        moi_real start = (moi_real)moi_config_float(layer->config,
                                                    "bias_init");
        for (int64_t j = 0; j < out; j++)
            weights[offset[1] + j] = start;
    }
    return moi_init_weight(&request, piece->ins, piece->outs, &here,
                           weights + offset[0]);
}

static int64_t flops(const moi_layer *layer)
{
    const settings *s = layer->settings;
    int64_t in = moi_shape_count(&layer->in);
    int64_t out = moi_shape_count(&layer->out);
    return 2 * in * out + (s->bias ? out : 0) + (s->function ? out : 0);
}

static const moi_activation *ends_in(const moi_layer *layer)
{
    const settings *s = layer->settings;
    return is_partial(layer) ? NULL : s->function;
}

static const moi_activation *function_of(const moi_work *work)
{
    return work->bare ? NULL : ends_in(work->layer);
}

/* Does the value before the activation have a place of its own? */
static int32_t keeps_input(const moi_work *work)
{
    const moi_activation *f = function_of(work);
    return work->train && f != NULL && f->reads_input;
}

static void buffers(const moi_work *work, int64_t rows, moi_buffers *need)
{
    need->keep = keeps_input(work) ? work->out : 0;
    need->scratch = moi_dense_scratch(work->ctx, rows, work->in, work->out);
}

static int32_t forward(const moi_work *work, const moi_real *weights,
                       int64_t rows, const moi_pass *pass)
{
    (void)pass;
    const settings *s = work->layer->settings;
    const moi_activation *f = function_of(work);
    int32_t fuse = f != NULL ? f->fuse : MOI_FUSE_NONE;
    moi_real *z = keeps_input(work) ? work->keep : work->y;
    int32_t rc = moi_dense_forward(
        work->ctx, rows, work->in, work->out, work->x,
        weights + work->offset[0],
        has_bias(work->layer) ? weights + work->offset[1] : NULL, fuse, z,
        work->scratch);
    if (rc == MOPT_OK && f != NULL && fuse == MOI_FUSE_NONE)
        f->forward(s->slope, rows, work->out, z, work->y);
    return rc;
}

static int32_t backward(const moi_work *work, const moi_real *weights,
                        int64_t rows, const moi_pass *pass)
{
    (void)pass;
    const settings *s = work->layer->settings;
    const moi_activation *f = function_of(work);
    if (f != NULL && !work->masked)
        f->backward(s->slope, rows, work->out, work->keep, work->y, work->dy,
                    work->dy);
    if (work->dx == NULL)
        return MOPT_OK;
    return moi_dense_backward_input(work->ctx, rows, work->in, work->out,
                                    work->dy, weights + work->offset[0],
                                    work->masks ? work->x : NULL, work->dx,
                                    work->scratch);
}

/* A unit is an input: a row of the weights. */
static int64_t units(const moi_layer *layer)
{
    return moi_shape_count(&layer->in);
}

static int32_t gradients(const moi_work *work, int64_t rows, int64_t first,
                         int64_t count, moi_real *grads)
{
    int32_t sums = has_bias(work->layer) && first + count == work->in;
    return moi_dense_backward_weight(
        work->ctx, rows, work->in, work->out, first, count, work->x, work->dy,
        work->chain, work->onto, grads + work->offset[0] + first * work->out,
        sums ? grads + work->offset[1] : NULL, work->scratch);
}

static int32_t adds(const moi_work *work, int64_t rows, int64_t chain)
{
    return moi_dense_adds(work->ctx, rows, chain);
}

static const char *misfit(const moi_layer *layer, const moi_layer *from,
                          const moi_place *place)
{
    const settings *s = layer->settings;
    int64_t out = moi_shape_count(&layer->out);
    if (from == NULL)
        return !moi_activation_passes(s->function, place->not_negative)
                   ? MOI_MISFIT_CHANGES
               : out < place->values ? MOI_MISFIT_NARROW
                                     : NULL;
    const settings *old = from->settings;
    int64_t old_out = moi_shape_count(&from->out);
    if (s->function != old->function || s->slope != old->slope)
        return MOI_MISFIT_ACTIVATION;
    if (old->bias && !s->bias)
        return "it has no bias";
    if (out < old_out)
        return MOI_MISFIT_NARROW;
    if (s->function != NULL && s->function->whole_row && out != old_out)
        return MOI_MISFIT_ROW;
    return NULL;
}

/* Columns of the source read its own values only; those of new units have
 * their first values (docs/design/growth.md says why). */
static void grow(const moi_layer *layer, const moi_growth *growth)
{
    const settings *s = layer->settings;
    const moi_layer *from = growth->from;
    int64_t in = moi_shape_count(&layer->in);
    int64_t out = moi_shape_count(&layer->out);
    int64_t known = growth->place.values;
    int64_t width = from != NULL ? moi_shape_count(&from->out) : known;
    moi_real *w = growth->weights + growth->offset[0];
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < width; j++)
            w[i * out + j] = from == NULL ? i == j
                             : i < known
                                 ? growth->old[growth->old_offset[0] +
                                               i * width + j]
                                 : 0;
    if (!s->bias)
        return;
    int32_t biased = from != NULL && ((settings *)from->settings)->bias;
    for (int64_t j = 0; j < width; j++)
        growth->weights[growth->offset[1] + j] =
            biased ? growth->old[growth->old_offset[1] + j] : 0;
}

static const moi_key keys[] = {
    /* 2^31 - 1 is what a BLAS can index. */
    MOI_INT("units", 0, 1, 2147483647,
            "outputs; the last dense layer may leave it to the data"),
    MOI_VARIANT("activation", "none", moi_activation_schemas,
                "function of every output"),
    MOI_BOOL("bias", 1, "add a learned constant to every output"),
    MOI_VARIANT("init", "auto", moi_init_schemas, "first weights"),
    MOI_FLOAT("bias_init", 0, -1e6, 1e6, "first value of the constants"),
    MOI_KEYS_END,
};

const moi_schema moi_layer_dense_schema = {
    "layer.dense", "weighted sums of all inputs", keys};

const moi_layer_kind moi_layer_dense = {
    .schema = &moi_layer_dense_schema,
    .flags = MOI_LAYER_MASKS | MOI_LAYER_SPLITS,
    .settings_size = sizeof(settings),
    .infer = infer,
    .tensors = tensors,
    .init = init,
    .flops = flops,
    .ends_in = ends_in,
    .misfit = misfit,
    .grow = grow,
    .buffers = buffers,
    .forward = forward,
    .backward = backward,
    .units = units,
    .gradients = gradients,
    .adds = adds,
};
