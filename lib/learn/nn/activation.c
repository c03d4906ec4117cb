/* SPDX-License-Identifier: MIT
 * lib/learn/nn/activation.c: relu, leaky_relu, tanh, sigmoid, gelu, silu,
 * softmax, and the layer that applies one.
 *
 * NaN goes through every one of them, so that a training that diverged is
 * seen. Loops are plain and vectorised; transcendental functions come from
 * kernels.h, the same bits on every backend. */
#include "learn/nn/activation.h"

#include <math.h>
#include <string.h>

#include "backend/dense.h"
#include "backend/kernels.h"
#include "learn/nn/layer.h"

#define PIECE 256 /* values worked on at a time, on the stack */

/* ---- relu, leaky_relu ---- */

MOI_CLONES
static void rectify(int64_t n, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? 0 : x[i];
}

MOI_CLONES
static void rectify_back(int64_t n, const moi_real *y, const moi_real *dy,
                         moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] > 0 ? dy[i] : 0;
}

MOI_CLONES
static void leaky(moi_real slope, int64_t n, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? slope * x[i] : x[i];
}

MOI_CLONES
static void leaky_back(moi_real slope, int64_t n, const moi_real *y,
                       const moi_real *dy, moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

static void relu_forward(double slope, int64_t rows, int64_t n,
                         const moi_real *x, moi_real *y)
{
    (void)slope;
    rectify(rows * n, x, y);
}

static void relu_backward(double slope, int64_t rows, int64_t n,
                          const moi_real *x, const moi_real *y,
                          const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)x;
    rectify_back(rows * n, y, dy, dx);
}

static void leaky_forward(double slope, int64_t rows, int64_t n,
                          const moi_real *x, moi_real *y)
{
    leaky((moi_real)slope, rows * n, x, y);
}

/* The sign of y is that of x: a slope is not below 0. */
static void leaky_backward(double slope, int64_t rows, int64_t n,
                           const moi_real *x, const moi_real *y,
                           const moi_real *dy, moi_real *dx)
{
    (void)x;
    leaky_back((moi_real)slope, rows * n, y, dy, dx);
}

/* ---- tanh, sigmoid ---- */

static void tanh_forward(double slope, int64_t rows, int64_t n,
                         const moi_real *x, moi_real *y)
{
    (void)slope;
    moi_vec_tanh(rows * n, x, y);
}

MOI_CLONES
static void tanh_back(int64_t n, const moi_real *y, const moi_real *dy,
                      moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1 - y[i] * y[i]);
}

static void tanh_backward(double slope, int64_t rows, int64_t n,
                          const moi_real *x, const moi_real *y,
                          const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)x;
    tanh_back(rows * n, y, dy, dx);
}

static void sigmoid_forward(double slope, int64_t rows, int64_t n,
                            const moi_real *x, moi_real *y)
{
    (void)slope;
    moi_vec_sigmoid(rows * n, x, y);
}

MOI_CLONES
static void sigmoid_back(int64_t n, const moi_real *y, const moi_real *dy,
                         moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * y[i] * (1 - y[i]);
}

static void sigmoid_backward(double slope, int64_t rows, int64_t n,
                             const moi_real *x, const moi_real *y,
                             const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)x;
    sigmoid_back(rows * n, y, dy, dx);
}

/* ---- gelu: x Phi(x), exact (Hendrycks and Gimpel 2016, equation 1) ---- */

#define HALF ((moi_real)0.5)
#define SQRT_HALF ((moi_real)0.70710678118654752440) /* 1 / sqrt(2) */
#define DENSITY ((moi_real)0.39894228040143267794)   /* 1 / sqrt(2 pi) */

MOI_CLONES
static void scale(int64_t n, moi_real factor, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

MOI_CLONES
static void gelu_join(int64_t n, const moi_real *x, const moi_real *erf_x,
                      moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = HALF * x[i] * (1 + erf_x[i]);
}

static void gelu_forward(double slope, int64_t rows, int64_t n,
                         const moi_real *x, moi_real *y)
{
    (void)slope;
    moi_real erf_x[PIECE];
    for (int64_t i = 0, left = rows * n; left > 0; i += PIECE, left -= PIECE) {
        int64_t count = left < PIECE ? left : PIECE;
        scale(count, SQRT_HALF, x + i, erf_x);
        moi_vec_erf(count, erf_x, erf_x);
        gelu_join(count, x + i, erf_x, y + i);
    }
}

MOI_CLONES
static void gelu_exponent(int64_t n, const moi_real *x, moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = -HALF * x[i] * x[i];
}

MOI_CLONES
static void gelu_back(int64_t n, const moi_real *x, const moi_real *erf_x,
                      const moi_real *exp_x, const moi_real *dy, moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] *
                (HALF * (1 + erf_x[i]) + x[i] * DENSITY * exp_x[i]);
}

static void gelu_backward(double slope, int64_t rows, int64_t n,
                          const moi_real *x, const moi_real *y,
                          const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)y;
    moi_real erf_x[PIECE], exp_x[PIECE];
    for (int64_t i = 0, left = rows * n; left > 0; i += PIECE, left -= PIECE) {
        int64_t count = left < PIECE ? left : PIECE;
        scale(count, SQRT_HALF, x + i, erf_x);
        moi_vec_erf(count, erf_x, erf_x);
        gelu_exponent(count, x + i, exp_x);
        moi_vec_exp(count, exp_x, exp_x);
        gelu_back(count, x + i, erf_x, exp_x, dy + i, dx + i);
    }
}

/* ---- silu: x sigmoid(x) (Elfwing et al. 2017) ---- */

MOI_CLONES
static void multiply(int64_t n, const moi_real *a, const moi_real *b,
                     moi_real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

static void silu_forward(double slope, int64_t rows, int64_t n,
                         const moi_real *x, moi_real *y)
{
    (void)slope;
    moi_real s[PIECE];
    for (int64_t i = 0, left = rows * n; left > 0; i += PIECE, left -= PIECE) {
        int64_t count = left < PIECE ? left : PIECE;
        moi_vec_sigmoid(count, x + i, s);
        multiply(count, x + i, s, y + i);
    }
}

MOI_CLONES
static void silu_back(int64_t n, const moi_real *x, const moi_real *s,
                      const moi_real *dy, moi_real *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * s[i] * (1 + x[i] * (1 - s[i]));
}

static void silu_backward(double slope, int64_t rows, int64_t n,
                          const moi_real *x, const moi_real *y,
                          const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)y;
    moi_real s[PIECE];
    for (int64_t i = 0, left = rows * n; left > 0; i += PIECE, left -= PIECE) {
        int64_t count = left < PIECE ? left : PIECE;
        moi_vec_sigmoid(count, x + i, s);
        silu_back(count, x + i, s, dy + i, dx + i);
    }
}

/* ---- softmax over a row ---- */

static void softmax_forward(double slope, int64_t rows, int64_t n,
                            const moi_real *x, moi_real *y)
{
    (void)slope;
    moi_softmax_rows(rows, n, x, y, NULL);
}

static void softmax_backward(double slope, int64_t rows, int64_t n,
                             const moi_real *x, const moi_real *y,
                             const moi_real *dy, moi_real *dx)
{
    (void)slope;
    (void)x;
    for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
        double dot = 0;
        for (int64_t j = 0; j < n; j++)
            dot += (double)y[j] * (double)dy[j];
        for (int64_t j = 0; j < n; j++)
            dx[j] = y[j] * (dy[j] - (moi_real)dot);
    }
}

/* ---- the table ---- */

static const moi_key no_keys[] = {MOI_KEYS_END};
static const moi_key leaky_keys[] = {
    MOI_FLOAT("slope", 0.01, 0, 1, "factor of values below 0"),
    MOI_KEYS_END,
};

#define SCHEMA(name, help) \
    static const moi_schema name##_schema = {#name, help, no_keys}
SCHEMA(none, "nothing: values go on as they are");
SCHEMA(relu, "max(x, 0)");
SCHEMA(tanh, "hyperbolic tangent");
SCHEMA(sigmoid, "1 / (1 + exp(-x))");
SCHEMA(gelu, "x Phi(x), by the error function");
SCHEMA(silu, "x sigmoid(x)");
SCHEMA(softmax, "exp(x) over its sum in a row: probabilities");
static const moi_schema leaky_relu_schema = {
    "leaky_relu", "x, or slope x where x is below 0", leaky_keys};

static const moi_activation none = {
    .schema = &none_schema};
static const moi_activation relu = {
    .schema = &relu_schema, .fuse = MOI_FUSE_RELU, .one_sided = 1,
    .not_negative = 1, .keeps_positive = 1,
    .forward = relu_forward, .backward = relu_backward};
static const moi_activation leaky_relu = {
    .schema = &leaky_relu_schema, .one_sided = 1, .keeps_positive = 1,
    .forward = leaky_forward, .backward = leaky_backward};
static const moi_activation tanh_kind = {
    .schema = &tanh_schema,
    .forward = tanh_forward, .backward = tanh_backward};
static const moi_activation sigmoid = {
    .schema = &sigmoid_schema, .probability = 1, .not_negative = 1,
    .forward = sigmoid_forward, .backward = sigmoid_backward};
static const moi_activation gelu = {
    .schema = &gelu_schema, .reads_input = 1, .one_sided = 1,
    .forward = gelu_forward, .backward = gelu_backward};
static const moi_activation silu = {
    .schema = &silu_schema, .reads_input = 1, .one_sided = 1,
    .forward = silu_forward, .backward = silu_backward};
static const moi_activation softmax = {
    .schema = &softmax_schema, .probability = 1, .whole_row = 1,
    .not_negative = 1,
    .forward = softmax_forward, .backward = softmax_backward};

const moi_activation *const moi_activations[] = {
    &none, &relu, &leaky_relu, &tanh_kind, &sigmoid, &gelu, &silu, &softmax,
    NULL,
};

const moi_schema *const moi_activation_schemas[] = {
    &none_schema, &relu_schema, &leaky_relu_schema, &tanh_schema,
    &sigmoid_schema, &gelu_schema, &silu_schema, &softmax_schema, NULL,
};

const moi_activation *moi_activation_read(const mopt_config *config,
                                          double *slope)
{
    const moi_schema *schema = moi_config_variant(config, "activation");
    *slope = 0;
    if (schema == &leaky_relu_schema)
        *slope = moi_config_float(config, "activation.slope");
    for (int32_t i = 1; moi_activations[i] != NULL; i++)
        if (moi_activations[i]->schema == schema)
            return moi_activations[i];
    return NULL;
}

int32_t moi_activation_passes(const moi_activation *f, int32_t not_negative)
{
    return f == NULL || (f->keeps_positive && not_negative);
}

/* ---- the layer ---- */

typedef struct settings {
    const moi_activation *function; /* NULL: none */
    double slope;
} settings;

static int32_t infer(moi_layer *layer)
{
    settings *s = layer->settings;
    s->function = moi_activation_read(layer->config, &s->slope);
    layer->out = layer->in;
    return MOPT_OK;
}

static int64_t flops(const moi_layer *layer)
{
    const settings *s = layer->settings;
    return s->function != NULL ? moi_shape_count(&layer->out) : 0;
}

static const moi_activation *ends_in(const moi_layer *layer)
{
    const settings *s = layer->settings;
    return s->function;
}

static void copy(const moi_real *from, moi_real *to, int64_t count)
{
    if (from != to && count > 0)
        memcpy(to, from, (size_t)count * sizeof(moi_real));
}

static int32_t forward(const moi_work *work, const moi_real *weights,
                       int64_t rows, const moi_pass *pass)
{
    (void)weights;
    (void)pass;
    const settings *s = work->layer->settings;
    if (s->function == NULL || work->bare)
        copy(work->x, work->y, rows * work->out);
    else
        s->function->forward(s->slope, rows, work->out, work->x, work->y);
    return MOPT_OK;
}

static int32_t backward(const moi_work *work, const moi_real *weights,
                        int64_t rows, const moi_pass *pass)
{
    (void)weights;
    (void)pass;
    const settings *s = work->layer->settings;
    if (work->dx == NULL)
        return MOPT_OK;
    if (s->function == NULL || work->bare || work->masked)
        copy(work->dy, work->dx, rows * work->out);
    else
        s->function->backward(s->slope, rows, work->out, work->x, work->y,
                              work->dy, work->dx);
    return MOPT_OK;
}

static const char *misfit(const moi_layer *layer, const moi_layer *from,
                          const moi_place *place)
{
    const settings *s = layer->settings;
    if (from == NULL)
        return moi_activation_passes(s->function, place->not_negative)
                   ? NULL : MOI_MISFIT_CHANGES;
    const settings *old = from->settings;
    if (s->function != old->function || s->slope != old->slope)
        return MOI_MISFIT_ACTIVATION;
    if (s->function != NULL && s->function->whole_row &&
        moi_shape_count(&layer->out) != moi_shape_count(&from->out))
        return MOI_MISFIT_ROW;
    return NULL;
}

static const moi_key layer_keys[] = {
    MOI_VARIANT("activation", "none", moi_activation_schemas,
                "the function, applied to every value"),
    MOI_KEYS_END,
};

const moi_schema moi_layer_activation_schema = {
    "layer.activation", "a function of every value", layer_keys};

const moi_layer_kind moi_layer_activation = {
    .schema = &moi_layer_activation_schema,
    .flags = MOI_LAYER_IN_PLACE,
    .settings_size = sizeof(settings),
    .infer = infer,
    .flops = flops,
    .ends_in = ends_in,
    .misfit = misfit,
    .forward = forward,
    .backward = backward,
};
