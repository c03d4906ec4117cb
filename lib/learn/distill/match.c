/* SPDX-License-Identifier: MIT
 * lib/learn/distill/match.c: how far a student's outputs are from a teacher's.
 *
 * Everywhere the mean over the rows of the sum over the outputs, and for
 * softened outputs times T^2, so that the gradient's size does not depend on
 * the temperature (Hinton, Vinyals and Dean 2015, section 2). */
#include "learn/distill/match.h"

#include <math.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/memory.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* log(1 + exp(x)): what -log of a sigmoid of -x is, however small that is. */
static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* p log p with 0 log 0 = 0. */
static double p_log_p(double p)
{
    return p > 0 ? p * log(p) : 0;
}

/* ---- softened outputs (Hinton, Vinyals and Dean 2015) ---- */

/* One output that says how probable the second of two classes is. */
static double kd_single(const moi_match *m, const moi_pair *p, moi_real scale,
                        moi_real *grad)
{
    double t = m->temperature, sum = 0;

    for (int64_t i = 0; i < p->rows; i++) {
        double want = (double)p->teacher[i];
        double v = (double)p->student[i] / t;

        sum += want * softplus(-v) + (1 - want) * softplus(v) +
               p_log_p(want) + p_log_p(1 - want);
        if (grad)
            grad[i] += scale * (moi_real)(t * (sigmoid(v) - want) /
                                          (double)p->rows);
    }
    return t * t * sum / (double)p->rows;
}

static void soften_student(const moi_match *m, const moi_pair *p)
{
    int64_t count = p->rows * p->outputs;
    moi_real factor = (moi_real)(1 / m->temperature);

    for (int64_t i = 0; i < count; i++)
        p->soft[i] = p->student[i] * factor;
    moi_softmax_rows(p->rows, p->outputs, p->soft, p->soft, p->lse);
}

static double kd(const moi_match *m, const moi_pair *p, moi_real scale,
                 moi_real *grad)
{
    double t = m->temperature, sum = 0;
    moi_real factor = scale * (moi_real)(t / (double)p->rows);
    int64_t count = p->rows * p->outputs;

    if (p->outputs == 1)
        return kd_single(m, p, scale, grad);
    soften_student(m, p);
    for (int64_t i = 0; i < count; i++) {
        double want = (double)p->teacher[i];

        /* log q from the logits: q itself may be too small for a real. */
        if (want > 0)
            sum += want * (log(want) + p->lse[i / p->outputs] -
                           (double)p->student[i] / t);
    }
    for (int64_t i = 0; grad && i < count; i++)
        grad[i] += factor * (p->soft[i] - p->teacher[i]);
    return t * t * sum / (double)p->rows;
}

/* ---- logits (Ba and Caruana 2014) ---- */

static double logits(const moi_match *m, const moi_pair *p, moi_real scale,
                     moi_real *grad)
{
    moi_real factor = scale * 2 / (moi_real)p->rows;
    int64_t count = p->rows * p->outputs;
    double sum = 0;

    (void)m;
    for (int64_t i = 0; i < count; i++) {
        moi_real d = p->student[i] - p->teacher[i];

        sum += (double)d * (double)d;
        if (grad)
            grad[i] += factor * d;
    }
    return sum / (double)p->rows;
}

/* ---- decoupled (Zhao, Cui, Song, Qiu and Liang 2022) ---- */

/* A row of logits over t: its class y against the others together. Everything
 * stays in logarithms: what is improbable at a low temperature is too small
 * for any number, and counts among the others all the same. */
typedef struct odds {
    double rest; /* log sum exp of the others */
    double y;    /* logit of y against them */
} odds;

static odds weigh(int64_t n, int64_t y, const moi_real *x, double t)
{
    double top = -INFINITY, sum = 0, rest;

    for (int64_t k = 0; k < n; k++)
        top = k != y ? fmax(top, (double)x[k] / t) : top;
    for (int64_t k = 0; k < n; k++)
        sum += k != y ? exp((double)x[k] / t - top) : 0;
    rest = top + log(sum);
    return (odds){rest, (double)x[y] / t - rest};
}

/* A row: the target class against the others, then the others among
 * themselves, each with its own weight. x are the student's logits, p the
 * logarithms of the teacher's probabilities. */
static double dkd_row(const moi_match *m, int64_t n, int64_t y,
                      const moi_real *x, const moi_real *p, double factor,
                      moi_real *grad)
{
    double t = m->temperature, between = 0;
    odds have = weigh(n, y, x, t), want = weigh(n, y, p, 1);
    double p_y = sigmoid(want.y), lean = m->target * (sigmoid(have.y) - p_y);
    double loss = p_y * (softplus(-have.y) - softplus(-want.y)) +
                  sigmoid(-want.y) * (softplus(have.y) - softplus(want.y));

    if (grad)
        grad[y] += (moi_real)(factor * lean);
    for (int64_t k = 0; k < n; k++) {
        double log_q = (double)x[k] / t - have.rest, q = exp(log_q);
        double log_p = (double)p[k] - want.rest, among = exp(log_p);

        if (k == y)
            continue;
        between += among > 0 ? among * (log_p - log_q) : 0;
        if (grad)
            grad[k] += (moi_real)(factor *
                                  (m->others * (q - among) - lean * q));
    }
    return m->target * loss + m->others * between;
}

static double dkd(const moi_match *m, const moi_pair *p, moi_real scale,
                  moi_real *grad)
{
    double t = m->temperature, sum = 0;
    double factor = (double)scale * t / (double)p->rows;

    for (int64_t i = 0; i < p->rows; i++) {
        int64_t at = i * p->outputs;

        sum += dkd_row(m, p->outputs, p->classes[i], p->student + at,
                       p->teacher + at, factor, grad ? grad + at : NULL);
    }
    return t * t * sum / (double)p->rows;
}

/* ---- the table ---- */

#define TEMPERATURE \
    {"temperature", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, 4, 0, 1e6, NULL, NULL, \
     NULL, "logits are divided by it: the higher, the softer"}

static const moi_key kd_keys[] = {TEMPERATURE, MOI_KEYS_END};
static const moi_key logits_keys[] = {MOI_KEYS_END};
static const moi_key dkd_keys[] = {
    TEMPERATURE,
    MOI_FLOAT("target", 1, 0, 1e6, "weight of the target class's part"),
    MOI_FLOAT("others", 8, 0, 1e6, "weight of the other classes' part"),
    MOI_INT("warmup", 20, 0, 1e9, "epochs in which its weight grows to all"),
    MOI_KEYS_END,
};

static const moi_schema kd_schema = {
    "kd", "softened outputs: divergence of distributions", kd_keys};
static const moi_schema logits_schema = {
    "logits", "squared distance of the outputs", logits_keys};
static const moi_schema dkd_schema = {
    "dkd", "softened outputs, target and other classes decoupled", dkd_keys};

static const moi_match_kind kinds[] = {
    {&kd_schema, MOI_MATCH_SOFT | MOI_MATCH_SINGLE, kd},
    {&logits_schema, MOI_MATCH_NUMBER | MOI_MATCH_SINGLE, logits},
    {&dkd_schema, MOI_MATCH_SOFT | MOI_MATCH_LOG | MOI_MATCH_LABELS, dkd},
};

const moi_schema *const moi_match_schemas[] = {&kd_schema, &logits_schema,
                                               &dkd_schema, NULL};

void moi_match_read(moi_match *match, const mopt_config *config)
{
    const moi_schema *schema = moi_config_variant(config, "method");
    moi_options options = {config, "method."};

    *match = (moi_match){.temperature = 1};
    for (int64_t i = 0; i < MOI_COUNT(kinds); i++)
        if (kinds[i].schema == schema)
            match->kind = &kinds[i];
    if (schema != &logits_schema)
        match->temperature = moi_options_float(&options, "temperature");
    if (schema == &dkd_schema) {
        match->target = moi_options_float(&options, "target");
        match->others = moi_options_float(&options, "others");
        match->warmup = moi_options_int(&options, "warmup");
    }
}

double moi_match_ramp(const moi_match *match, int64_t epoch)
{
    return epoch + 1 < match->warmup
               ? (double)(epoch + 1) / (double)match->warmup : 1;
}

/* From a row's logits to logarithms of its probabilities. */
static void log_softmax(int64_t n, moi_real *row)
{
    double top = -INFINITY, sum = 0, lse;

    for (int64_t k = 0; k < n; k++)
        top = fmax(top, (double)row[k]);
    for (int64_t k = 0; k < n; k++)
        sum += exp((double)row[k] - top);
    lse = top + log(sum);
    for (int64_t k = 0; k < n; k++)
        row[k] = (moi_real)((double)row[k] - lse);
}

void moi_match_soften(const moi_match *match, int64_t rows, int64_t outputs,
                      moi_real *logits_in)
{
    moi_real factor = (moi_real)(1 / match->temperature);
    int32_t flags = match->kind->flags;

    if (!(flags & MOI_MATCH_SOFT))
        return;
    for (int64_t i = 0; i < rows * outputs; i++)
        logits_in[i] *= factor;
    for (int64_t i = 0; flags & MOI_MATCH_LOG && i < rows; i++)
        log_softmax(outputs, logits_in + i * outputs);
    if (flags & MOI_MATCH_LOG)
        return;
    if (outputs == 1)
        moi_vec_sigmoid(rows, logits_in, logits_in);
    else
        moi_softmax_rows(rows, outputs, logits_in, logits_in, NULL);
}

/* log(exp(a) + exp(b)). */
static double log_add(double a, double b)
{
    double high = fmax(a, b), low = fmin(a, b);

    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

void moi_match_mix(const moi_match *match, double share, int64_t count,
                   const moi_real *told, moi_real *mix)
{
    if (!(match->kind->flags & MOI_MATCH_LOG)) {
        for (int64_t k = 0; k < count; k++)
            mix[k] += (moi_real)share * told[k];
        return;
    }
    for (int64_t k = 0; k < count; k++)
        mix[k] = (moi_real)log_add((double)mix[k],
                                   log(share) + (double)told[k]);
}

void moi_match_clear(const moi_match *match, int64_t count, moi_real *mix)
{
    int32_t in_logs = match->kind->flags & MOI_MATCH_LOG;

    for (int64_t k = 0; k < count; k++)
        mix[k] = in_logs ? (moi_real)-INFINITY : 0;
}

/* The smallest probability that a logarithm is taken of. */
#define LEAST 1e-30

void moi_match_logits(const moi_match *match, int64_t outputs, int64_t count,
                      moi_real *mix)
{
    if (!(match->kind->flags & MOI_MATCH_SOFT) ||
        match->kind->flags & MOI_MATCH_LOG)
        return;
    for (int64_t k = 0; k < count; k++) {
        double p = fmax((double)mix[k], LEAST);
        double others = outputs == 1 ? fmax(1 - (double)mix[k], LEAST) : 1;

        mix[k] = (moi_real)log(p / others);
    }
}
