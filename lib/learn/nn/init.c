/* SPDX-License-Identifier: MIT
 * lib/learn/nn/init.c: He, Glorot, LeCun, orthogonal, constants.
 *
 * The scaled ones draw with variance gain / fan: He et al. 2015, equations 10
 * and 14 (fan_in, 2, or 2 / (1 + slope^2)); Glorot and Bengio 2010, equations
 * 12 and 16 (mean of both fans, 1); LeCun et al. 1998, "Efficient BackProp",
 * equation 16 (fan_in, 1). Uniform draws span sqrt(3 variance) to each side.
 * Orthogonal: Saxe et al. 2013; Q of a normal matrix, its columns' signs
 * those of R's diagonal, so that Q is uniform (Mezzadri 2007). */
#include "learn/nn/init.h"

#include <math.h>
#include <string.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/rng.h"

typedef struct initialiser {
    const moi_schema *schema;
    int32_t whole; /* values depend on each other: not a row by itself */
    int32_t (*fill)(const moi_init_request *request, moi_rng *rng,
                    int64_t rows, int64_t cols, moi_real *w);
} initialiser;

static double he_variance(const moi_init_request *r)
{
    return 2 / (1 + r->slope * r->slope) / (double)r->fan_in;
}

static double glorot_variance(const moi_init_request *r)
{
    return 2 / ((double)r->fan_in + (double)r->fan_out);
}

static double lecun_variance(const moi_init_request *r)
{
    return 1 / (double)r->fan_in;
}

static int32_t normal(moi_rng *rng, double variance, int64_t count,
                      moi_real *w)
{
    double deviation = sqrt(variance);
    for (int64_t i = 0; i < count; i++)
        w[i] = (moi_real)(deviation * moi_rng_normal(rng));
    return MOPT_OK;
}

static int32_t uniform(moi_rng *rng, double variance, int64_t count,
                       moi_real *w)
{
    double limit = sqrt(3 * variance);
    for (int64_t i = 0; i < count; i++)
        w[i] = (moi_real)(limit * (2 * moi_rng_uniform(rng) - 1));
    return MOPT_OK;
}

#define SCALED(name, draw, variance)                                     \
    static int32_t name(const moi_init_request *request, moi_rng *rng,   \
                        int64_t rows, int64_t cols, moi_real *w)         \
    {                                                                    \
        return draw(rng, variance(request), rows * cols, w);             \
    }
SCALED(he_normal, normal, he_variance)
SCALED(he_uniform, uniform, he_variance)
SCALED(glorot_normal, normal, glorot_variance)
SCALED(glorot_uniform, uniform, glorot_variance)
SCALED(lecun_normal, normal, lecun_variance)
SCALED(lecun_uniform, uniform, lecun_variance)

/* He for what cuts negative values off, Glorot for the rest. */
static int32_t by_activation(const moi_init_request *request, moi_rng *rng,
                             int64_t rows, int64_t cols, moi_real *w)
{
    if (request->activation != NULL && request->activation->one_sided)
        return he_normal(request, rng, rows, cols, w);
    return glorot_uniform(request, rng, rows, cols, w);
}

static int32_t constant(const moi_init_request *request, moi_rng *rng,
                        int64_t rows, int64_t cols, moi_real *w)
{
    (void)rng;
    moi_real value = (moi_real)moi_config_float(request->config,
                                                "init.value");
    for (int64_t i = 0; i < rows * cols; i++)
        w[i] = value;
    return MOPT_OK;
}

static int32_t zeros(const moi_init_request *request, moi_rng *rng,
                     int64_t rows, int64_t cols, moi_real *w)
{
    (void)request;
    (void)rng;
    for (int64_t i = 0; i < rows * cols; i++)
        w[i] = 0;
    return MOPT_OK;
}

/* The QR has the longer side for its rows. */
static int32_t orthogonal(const moi_init_request *request, moi_rng *rng,
                          int64_t rows, int64_t cols, moi_real *w)
{
    mopt_context *ctx = request->ctx;
    double gain = moi_config_float(request->config, "init.gain");
    int32_t turned = rows < cols;
    int64_t m = turned ? cols : rows, n = turned ? rows : cols;
    int32_t rc = MOPT_ENOMEM;
    double *r = NULL, *q = moi_alloc(ctx, m * n, sizeof(double));
    if (q != NULL)
        r = moi_alloc(ctx, n, sizeof(double));
    if (r == NULL)
        goto out;
    for (int64_t i = 0; i < m * n; i++)
        q[i] = moi_rng_normal(rng);
    rc = moi_dqr(ctx, m, n, q, n, r);
    if (rc != MOPT_OK)
        goto out;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            int64_t row = turned ? j : i, col = turned ? i : j;
            double sign = r[col] < 0 ? -gain : gain;
            w[i * cols + j] = (moi_real)(sign * q[row * n + col]);
        }
out:
    moi_free(ctx, r);
    moi_free(ctx, q);
    return rc;
}

static const moi_key no_keys[] = {MOI_KEYS_END};
static const moi_key constant_keys[] = {
    MOI_FLOAT("value", 0, -1e6, 1e6, "the value of every weight"),
    MOI_KEYS_END,
};
static const moi_key orthogonal_keys[] = {
    MOI_FLOAT("gain", 1, -1e6, 1e6, "factor of the orthogonal matrix"),
    MOI_KEYS_END,
};

#define SCHEMA(name, keys, help) \
    static const moi_schema name##_schema = {#name, help, keys}
SCHEMA(auto, no_keys, "he_normal before relu, leaky_relu, gelu and silu, "
                      "glorot_uniform otherwise");
SCHEMA(he_normal, no_keys, "normal, variance 2 / inputs");
SCHEMA(he_uniform, no_keys, "uniform, variance 2 / inputs");
SCHEMA(glorot_normal, no_keys, "normal, variance 2 / (inputs + outputs)");
SCHEMA(glorot_uniform, no_keys, "uniform, variance 2 / (inputs + outputs)");
SCHEMA(lecun_normal, no_keys, "normal, variance 1 / inputs");
SCHEMA(lecun_uniform, no_keys, "uniform, variance 1 / inputs");
SCHEMA(orthogonal, orthogonal_keys, "orthonormal rows or columns");
SCHEMA(zeros, no_keys, "0");
SCHEMA(constant, constant_keys, "one value");

static const initialiser initialisers[] = {
    {&auto_schema, 0, by_activation},
    {&he_normal_schema, 0, he_normal},
    {&he_uniform_schema, 0, he_uniform},
    {&glorot_normal_schema, 0, glorot_normal},
    {&glorot_uniform_schema, 0, glorot_uniform},
    {&lecun_normal_schema, 0, lecun_normal},
    {&lecun_uniform_schema, 0, lecun_uniform},
    {&orthogonal_schema, 1, orthogonal},
    {&zeros_schema, 0, zeros},
    {&constant_schema, 0, constant},
};

const moi_schema *const moi_init_schemas[] = {
    &auto_schema,
    &he_normal_schema,
    &he_uniform_schema,
    &glorot_normal_schema,
    &glorot_uniform_schema,
    &lecun_normal_schema,
    &lecun_uniform_schema,
    &orthogonal_schema,
    &zeros_schema,
    &constant_schema,
    NULL,
};

static const initialiser *find(const mopt_config *config)
{
    const moi_schema *schema = moi_config_variant(config, "init");
    int64_t i = 0;
    while (initialisers[i].schema != schema)
        i++;
    return &initialisers[i];
}

/* Rows so many at a time, of which what is wanted is kept. */
static int32_t fill_part(const initialiser *kind,
                         const moi_init_request *request, moi_rng *rng,
                         int64_t rows, int64_t cols, const moi_window *here,
                         moi_real *w)
{
    int64_t step = kind->whole ? rows : 1, limit = here->row + here->rows;
    int64_t count = 0;
    int32_t rc = moi_multiply(step, cols, "first weights", &count);
    moi_real *room = rc == MOPT_OK
                         ? moi_alloc(request->ctx, count, sizeof(*room))
                         : NULL;
    if (room == NULL)
        return rc == MOPT_OK ? MOPT_ENOMEM : rc;
    for (int64_t at = 0; at < limit && rc == MOPT_OK; at += step) {
        rc = kind->fill(request, rng, step, cols, room);
        for (int64_t i = at; i < at + step && rc == MOPT_OK; i++)
            if (i >= here->row && i < limit)
                memcpy(w + (i - here->row) * here->cols,
                       room + (i - at) * cols + here->col,
                       (size_t)here->cols * sizeof(*w));
    }
    moi_free(request->ctx, room);
    return rc;
}

int32_t moi_init_weight(const moi_init_request *request, int64_t rows,
                        int64_t cols, const moi_window *here, moi_real *w)
{
    const initialiser *kind = find(request->config);
    moi_rng rng;
    moi_rng_init(&rng, request->seed, 0, MOI_RNG_INIT,
                 (uint32_t)request->stream);
    if (here->rows == rows && here->cols == cols)
        return kind->fill(request, &rng, rows, cols, w);
    return fill_part(kind, request, &rng, rows, cols, here, w);
}
