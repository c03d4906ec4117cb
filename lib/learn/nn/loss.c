/* SPDX-License-Identifier: MIT
 * lib/learn/nn/loss.c: cross_entropy, binary_cross_entropy, mse, mae, huber.
 *
 * Sums are in double, in the order of the rows. NaN in gives NaN out. */
#include "learn/nn/loss.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#define PIECE 1024 /* values worked on at a time, on the stack */

struct moi_loss {
    mopt_context *ctx;
    const moi_loss_kind *kind;
    double smoothing; /* cross_entropy: share spread over all classes */
    double delta;     /* huber */
    int64_t classes;
    double *weights; /* [classes], or NULL: all 1 */
    double weight_sum;
};

static double class_weight(const moi_loss *loss, int32_t class)
{
    return loss->weights != NULL ? loss->weights[class] : 1;
}

double moi_loss_weight(const moi_loss *loss, int64_t rows,
                       const moi_targets *targets)
{
    if (loss->weights == NULL || targets->classes == NULL)
        return (double)rows;
    double sum = 0;
    for (int64_t r = 0; r < rows; r++)
        sum += loss->weights[targets->classes[r]];
    return sum;
}

/* ---- cross_entropy: -log softmax(x)[class] ---- */

/* With label smoothing e over n classes the target is (1 - e) at the class
 * plus e / n everywhere (Szegedy et al. 2015, section 7); each class's term
 * carries its weight, and the mean is over the weights of the rows' classes,
 * as PyTorch has it. Returns the row's value, not divided. */
static double row_value(const moi_loss *loss, int64_t n, int32_t class,
                        const moi_real *x, double lse)
{
    double e = loss->smoothing;
    double value = (1 - e) * class_weight(loss, class) *
                   (lse - (double)x[class]);
    if (e == 0)
        return value;
    double spread = 0;
    for (int64_t j = 0; j < n; j++)
        spread += class_weight(loss, (int32_t)j) * (lse - (double)x[j]);
    return value + e / (double)n * spread;
}

/* grad holds softmax(x) and becomes the row's gradient times share. */
static void row_gradient(const moi_loss *loss, int64_t n, int32_t class,
                         double share, moi_real *grad)
{
    double e = loss->smoothing, w = class_weight(loss, class);
    double all = e == 0 ? 0 : e / (double)n * loss->weight_sum;
    moi_real factor = (moi_real)(share * ((1 - e) * w + all));
    for (int64_t j = 0; j < n; j++)
        grad[j] *= factor;
    grad[class] -= (moi_real)(share * (1 - e) * w);
    if (e == 0)
        return;
    for (int64_t j = 0; j < n; j++)
        grad[j] -= (moi_real)(share * e / (double)n *
                              class_weight(loss, (int32_t)j));
}

/* log sum exp of one row that does not fit on the stack. */
static double row_lse(int64_t n, const moi_real *x)
{
    moi_real piece[PIECE];
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        top = (double)x[j] > top || isnan(x[j]) ? (double)x[j] : top;
    for (int64_t j = 0; j < n; j += PIECE) {
        int64_t count = n - j < PIECE ? n - j : PIECE;
        for (int64_t k = 0; k < count; k++)
            piece[k] = x[j + k] - (moi_real)top;
        moi_vec_exp(count, piece, piece);
        for (int64_t k = 0; k < count; k++)
            sum += (double)piece[k];
    }
    return top + log(sum);
}

/* Values of count rows, their log sum exp into lse. */
static void softmax_piece(int64_t count, int64_t n, const moi_real *x,
                          moi_real *grad, double *lse)
{
    moi_real piece[PIECE];
    if (grad != NULL)
        moi_softmax_rows(count, n, x, grad, lse);
    else if (n <= PIECE)
        moi_softmax_rows(count, n, x, piece, lse);
    else
        lse[0] = row_lse(n, x);
}

static double cross_entropy(const moi_loss *loss, int64_t rows, int64_t n,
                            const moi_real *x, const moi_targets *targets,
                            moi_real *grad)
{
    double lse[PIECE], sum = 0;
    double total = moi_loss_weight(loss, rows, targets);
    double share = total > 0 ? 1 / total : 0;
    int64_t most = n < PIECE ? PIECE / (n > 0 ? n : 1) : 1;
    for (int64_t r = 0; r < rows; r += most) {
        int64_t count = rows - r < most ? rows - r : most;
        moi_real *g = grad != NULL ? grad + r * n : NULL;
        softmax_piece(count, n, x + r * n, g, lse);
        for (int64_t k = 0; k < count; k++) {
            int32_t class = targets->classes[r + k];
            sum += row_value(loss, n, class, x + (r + k) * n, lse[k]);
            if (g != NULL)
                row_gradient(loss, n, class, share, g + k * n);
        }
    }
    return sum * share;
}

/* ---- binary_cross_entropy: log(1 + exp(x)) - t x ---- */

static double binary_cross_entropy(const moi_loss *loss, int64_t rows,
                                   int64_t n, const moi_real *x,
                                   const moi_targets *targets, moi_real *grad)
{
    moi_real piece[PIECE];
    double sum = 0, total = moi_loss_weight(loss, rows, targets) * (double)n;
    double share = total > 0 ? 1 / total : 0;
    int64_t all = rows * n;
    for (int64_t i = 0; i < all; i += PIECE) {
        int64_t count = all - i < PIECE ? all - i : PIECE;
        moi_vec_sigmoid(count, x + i, piece);
        for (int64_t k = 0; k < count; k++) {
            double z = (double)x[i + k], w = 1, t;
            if (targets->classes != NULL) {
                w = class_weight(loss, targets->classes[i + k]);
                t = (double)targets->classes[i + k];
            } else {
                t = (double)targets->numbers[i + k];
            }
            /* Without overflow on either side. */
            sum += w * ((z > 0 ? z : 0) - t * z + log1p(exp(-fabs(z))));
            if (grad != NULL)
                grad[i + k] = (moi_real)(share * w * ((double)piece[k] - t));
        }
    }
    return sum * share;
}

/* ---- mse, mae, huber ---- */

static double mse(const moi_loss *loss, int64_t rows, int64_t n,
                  const moi_real *x, const moi_targets *targets,
                  moi_real *grad)
{
    (void)loss;
    int64_t all = rows * n;
    double sum = 0, share = all > 0 ? 1 / (double)all : 0;
    for (int64_t i = 0; i < all; i++) {
        double d = (double)x[i] - (double)targets->numbers[i];
        sum += d * d;
        if (grad != NULL)
            grad[i] = (moi_real)(2 * share * d);
    }
    return sum * share;
}

static double mae(const moi_loss *loss, int64_t rows, int64_t n,
                  const moi_real *x, const moi_targets *targets,
                  moi_real *grad)
{
    (void)loss;
    int64_t all = rows * n;
    double sum = 0, share = all > 0 ? 1 / (double)all : 0;
    for (int64_t i = 0; i < all; i++) {
        double d = (double)x[i] - (double)targets->numbers[i];
        sum += fabs(d);
        if (grad != NULL) /* 0 at the kink, NaN for NaN */
            grad[i] = (moi_real)(share * (d > 0 ? 1 : d < 0 ? -1 : d));
    }
    return sum * share;
}

/* Huber 1964: d^2 / 2 up to delta, delta (|d| - delta / 2) beyond. */
static double huber(const moi_loss *loss, int64_t rows, int64_t n,
                    const moi_real *x, const moi_targets *targets,
                    moi_real *grad)
{
    int64_t all = rows * n;
    double delta = loss->delta;
    double sum = 0, share = all > 0 ? 1 / (double)all : 0;
    for (int64_t i = 0; i < all; i++) {
        double d = (double)x[i] - (double)targets->numbers[i];
        double size = fabs(d);
        int32_t far = size > delta;
        sum += far ? delta * (size - delta / 2) : d * d / 2;
        if (grad != NULL)
            grad[i] = (moi_real)(share * (far ? copysign(delta, d) : d));
    }
    return sum * share;
}

/* ---- the table ---- */

static const moi_key no_keys[] = {MOI_KEYS_END};
static const moi_key class_keys[] = {
    {"label_smoothing", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MAX, 0, 0, 1, NULL, NULL,
     NULL, "share of the target that is spread over all classes"},
    MOI_JSON("class_weights", "list of a factor for each class"),
    MOI_KEYS_END,
};
static const moi_key binary_keys[] = {
    MOI_JSON("class_weights", "list of a factor for each of the two classes"),
    MOI_KEYS_END,
};
static const moi_key huber_keys[] = {
    {"delta", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, 1, 0, 1e12, NULL, NULL, NULL,
     "error beyond which the loss grows linearly"},
    MOI_KEYS_END,
};

static const moi_schema cross_entropy_schema = {
    "cross_entropy", "-log of the softmax of the right class", class_keys};
static const moi_schema binary_schema = {
    "binary_cross_entropy", "-log of the sigmoid of the right one of two",
    binary_keys};
static const moi_schema mse_schema = {"mse", "squared error", no_keys};
static const moi_schema mae_schema = {"mae", "absolute error", no_keys};
static const moi_schema huber_schema = {
    "huber", "half the squared error, linear beyond delta", huber_keys};

static const moi_schema auto_schema = {
    "auto", "the usual one for the target", no_keys};

static const moi_loss_kind cross_entropy_kind = {
    &cross_entropy_schema, MOI_LOSS_CLASS | MOI_LOSS_LOGITS | MOI_LOSS_SOFTMAX,
    cross_entropy};
static const moi_loss_kind binary_kind = {
    &binary_schema,
    MOI_LOSS_CLASS | MOI_LOSS_NUMBER | MOI_LOSS_LOGITS | MOI_LOSS_SIGMOID,
    binary_cross_entropy};
static const moi_loss_kind mse_kind = {&mse_schema, MOI_LOSS_NUMBER, mse};
static const moi_loss_kind mae_kind = {&mae_schema, MOI_LOSS_NUMBER, mae};
static const moi_loss_kind huber_kind = {&huber_schema, MOI_LOSS_NUMBER,
                                         huber};

const moi_loss_kind *const moi_loss_kinds[] = {
    &cross_entropy_kind, &binary_kind, &mse_kind, &mae_kind, &huber_kind,
    NULL,
};

/* In the order of moi_loss_kinds; "auto" (moi_loss_usual) has no kind. */
const moi_schema *const moi_loss_schemas[] = {
    &cross_entropy_schema, &binary_schema, &mse_schema, &mae_schema,
    &huber_schema, &auto_schema, NULL,
};

static const char *name_at(const void *list, int64_t i)
{
    (void)list;
    return moi_loss_schemas[i]->name;
}

const moi_loss_kind *moi_loss_find(const char *name)
{
    int64_t count = 0;
    for (; moi_loss_kinds[count] != NULL; count++)
        if (strcmp(moi_loss_schemas[count]->name, name) == 0)
            return moi_loss_kinds[count];
    int64_t near = moi_text_nearest(name, count, name_at, NULL);
    moi_fail(MOPT_EKEY,
             "there is no loss '%s'; allowed are cross_entropy, "
             "binary_cross_entropy, mse, mae, huber%s%s", name,
             near < 0 ? "" : "; the nearest is ",
             near < 0 ? "" : name_at(NULL, near));
    return NULL;
}

const moi_loss_kind *moi_loss_usual(int32_t target, int64_t outputs)
{
    if (target != MOPT_TARGET_CLASS)
        return &mse_kind;
    return outputs == 1 ? &binary_kind : &cross_entropy_kind;
}

int32_t moi_loss_fits(const moi_loss_kind *kind, int32_t target,
                      int64_t targets, int64_t outputs)
{
    const char *name = kind->schema->name;
    if (target == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "the data have no target");
    int32_t classes = target == MOPT_TARGET_CLASS;
    if ((kind->flags & (classes ? MOI_LOSS_CLASS : MOI_LOSS_NUMBER)) == 0)
        return moi_fail(MOPT_EINVAL,
                        "the loss '%s' does not go with a target of %s", name,
                        classes ? "classes" : "numbers");
    if (classes && kind == &binary_kind) {
        if (targets != 2 || outputs != 1)
            return moi_fail(MOPT_EINVAL,
                            "the loss '%s' takes 2 classes and a model with 1 "
                            "output; here are %" PRId64 " and %" PRId64, name,
                            targets, outputs);
        return MOPT_OK;
    }
    if (targets != outputs)
        return moi_fail(MOPT_EINVAL,
                        "the target has %" PRId64 " %s, but the model has "
                        "%" PRId64 " outputs", targets,
                        classes ? "classes" : "numbers", outputs);
    return MOPT_OK;
}

/* ---- settings ---- */

static const json_t *json_option(const moi_options *options, const char *key)
{
    char name[MOI_PATH_SIZE];
    snprintf(name, sizeof(name), "%s%s", options->prefix, key);
    return moi_config_json(options->config, name);
}

static int32_t read_weights(moi_loss *loss, const moi_options *options)
{
    char excerpt[MOI_EXCERPT_SIZE];
    const json_t *list = json_option(options, "class_weights");
    if (list == NULL || json_is_null(list))
        return MOPT_OK;
    if (!json_is_array(list) ||
        (int64_t)json_array_size(list) != loss->classes)
        return moi_fail(MOPT_EINVAL,
                        "%sclass_weights: must be a list of %" PRId64
                        " numbers, one a class, not %s", options->prefix,
                        loss->classes, moi_json_excerpt(list, excerpt));
    loss->weights = moi_alloc(loss->ctx, loss->classes, sizeof(double));
    if (loss->weights == NULL)
        return MOPT_ENOMEM;
    loss->weight_sum = 0;
    for (int64_t i = 0; i < loss->classes; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        double weight = json_number_value(item);
        /* The bound keeps sums and quotients in a float's range. */
        if (!json_is_number(item) || weight < 0 || weight > 1e12)
            return moi_fail(MOPT_EINVAL,
                            "%sclass_weights[%" PRId64 "]: must be a number "
                            "0 .. 1e12, not %s", options->prefix, i,
                            moi_json_excerpt(item, excerpt));
        loss->weights[i] = weight;
        loss->weight_sum += weight;
    }
    if (loss->weight_sum > 0)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "%sclass_weights: all are 0",
                    options->prefix);
}

static int32_t read_settings(moi_loss *loss, const moi_options *options)
{
    const moi_key *keys = loss->kind->schema->keys;
    if (options == NULL || options->config == NULL)
        return MOPT_OK;
    if (keys == huber_keys)
        loss->delta = moi_options_float(options, "delta");
    if (keys == class_keys)
        loss->smoothing = moi_options_float(options, "label_smoothing");
    if (keys == class_keys || keys == binary_keys)
        return read_weights(loss, options);
    return MOPT_OK;
}

int32_t moi_loss_create(mopt_context *ctx, const moi_loss_kind *kind,
                        const moi_options *options, int64_t outputs,
                        moi_loss **out)
{
    moi_loss *loss = moi_calloc(ctx, 1, sizeof(*loss));
    if (loss == NULL)
        return MOPT_ENOMEM;
    loss->ctx = moi_context_hold(ctx);
    loss->kind = kind;
    loss->delta = 1;
    loss->classes = kind == &binary_kind ? 2 : outputs;
    loss->weight_sum = (double)outputs;
    int32_t rc = read_settings(loss, options);
    if (rc == MOPT_OK)
        *out = loss;
    else
        moi_loss_free(loss);
    return rc;
}

void moi_loss_free(moi_loss *loss)
{
    if (loss == NULL)
        return;
    mopt_context *ctx = loss->ctx;
    moi_free(ctx, loss->weights);
    moi_free(ctx, loss);
    moi_context_release(ctx);
}

const moi_loss_kind *moi_loss_get_kind(const moi_loss *loss)
{
    return loss->kind;
}

double moi_loss_compute(const moi_loss *loss, int64_t rows, int64_t outputs,
                        const moi_real *output, const moi_targets *targets,
                        moi_real *grad)
{
    return loss->kind->compute(loss, rows, outputs, output, targets, grad);
}
