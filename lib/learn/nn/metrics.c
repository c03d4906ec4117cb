/* SPDX-License-Identifier: MIT
 * lib/learn/nn/metrics.c: figures from sums over the rows.
 *
 * Definitions follow scikit-learn's: macro means run over the classes that
 * occur, as the truth or as an answer, and a quotient 0 / 0 counts as 0; AUC
 * is the share of pairs in the right order, ties counting half (Mann and
 * Whitney 1947), each class against the rest, mean over the classes. */
#include "learn/nn/metrics.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/cancel.h"
#include "base/context.h"
#include "base/memory.h"
#include "learn/data/dataset.h"

#define CONFUSION_CLASSES 1024 /* beyond, the matrix is not kept */
#define FIGURES 8

enum { LOSS, ACCURACY, ERROR, F1, PRECISION, RECALL, AUC };
enum { MSE = 1, RMSE, MAE, R2 };

static const char *const class_names[] = {
    "loss", "accuracy", "error", "macro_f1", "macro_precision",
    "macro_recall", "auc"};
static const char *const number_names[] = {"loss", "mse", "rmse", "mae",
                                           "r2"};

const char *const moi_metrics_names[] = {
    "loss", "accuracy", "error", "macro_f1", "macro_precision",
    "macro_recall", "auc", "mse", "rmse", "mae", "r2", NULL};

/* Counts of one class. */
typedef struct class_count {
    int64_t truth, said, hits;
} class_count;

/* Sums of one target number. */
typedef struct number_sum {
    double squares, sizes; /* of the errors */
    double mean, spread;   /* of the truth, and its squared distances */
} number_sum;

/* A row's score for a class, as a key that sorts like it, and whether the row
 * is of that class. */
typedef struct scored {
    uint32_t key;
    int32_t positive;
} scored;

struct moi_metrics {
    mopt_context *ctx;
    const moi_loss *loss;
    int32_t loss_flags, target, auc;
    int64_t targets, outputs, capacity, rows;
    double loss_sum, weight_sum;
    double figures[FIGURES];
    class_count *classes; /* [targets] */
    int64_t *confusion;   /* [targets][targets], NULL: too many */
    moi_real *scores;     /* [capacity][outputs] for AUC */
    int32_t *labels;      /* [capacity] */
    scored *sorted;       /* [2][capacity], the second to sort with */
    number_sum *numbers;  /* [targets] */
    moi_real *output;     /* [outputs], probabilities of a row */
    float *values;        /* [2][targets], a row in its own unit */
    mopt_transform *restore;
};

/* ---- life ---- */

static int32_t reserve_classes(moi_metrics *m)
{
    int64_t cells;
    int32_t rc = MOPT_OK;
    m->classes = moi_alloc(m->ctx, m->targets, sizeof(class_count));
    if (m->classes == NULL)
        return MOPT_ENOMEM;
    if (m->targets <= CONFUSION_CLASSES) {
        m->confusion = moi_alloc(m->ctx, m->targets * m->targets,
                                 sizeof(int64_t));
        if (m->confusion == NULL)
            return MOPT_ENOMEM;
    }
    if (!m->auc)
        return MOPT_OK;
    rc = moi_multiply(m->capacity, m->outputs, "the outputs", &cells);
    if (rc != MOPT_OK)
        return rc;
    m->scores = moi_alloc(m->ctx, cells, sizeof(moi_real));
    m->labels = moi_alloc(m->ctx, m->capacity, sizeof(int32_t));
    m->sorted = moi_alloc(m->ctx, m->capacity, 2 * sizeof(scored));
    return m->scores && m->labels && m->sorted ? MOPT_OK : MOPT_ENOMEM;
}

static int32_t reserve_numbers(moi_metrics *m)
{
    m->numbers = moi_alloc(m->ctx, m->targets, sizeof(number_sum));
    m->output = moi_alloc(m->ctx, m->outputs, sizeof(moi_real));
    m->values = moi_alloc(m->ctx, 2 * m->targets, sizeof(float));
    return m->numbers && m->output && m->values ? MOPT_OK : MOPT_ENOMEM;
}

int32_t moi_metrics_create(mopt_context *ctx, const moi_loss *loss,
                           int32_t target, int64_t targets, int64_t outputs,
                           int64_t rows, int32_t flags,
                           mopt_transform *restore, moi_metrics **out)
{
    moi_metrics *m = moi_calloc(ctx, 1, sizeof(*m));
    if (m == NULL)
        return MOPT_ENOMEM;
    m->ctx = moi_context_hold(ctx);
    m->loss = loss;
    m->loss_flags = moi_loss_get_kind(loss)->flags;
    m->target = target;
    m->targets = targets;
    m->outputs = outputs;
    m->capacity = rows;
    m->auc = target == MOPT_TARGET_CLASS && (flags & MOI_METRICS_AUC) != 0;
    int32_t rc = target == MOPT_TARGET_CLASS ? reserve_classes(m)
                                             : reserve_numbers(m);
    if (rc != MOPT_OK) {
        moi_metrics_free(m);
        return rc;
    }
    if (restore != NULL && target == MOPT_TARGET_NUMBER)
        m->restore = moi_transform_hold(restore);
    moi_metrics_reset(m);
    *out = m;
    return MOPT_OK;
}

void moi_metrics_free(moi_metrics *m)
{
    if (m == NULL)
        return;
    mopt_context *ctx = m->ctx;
    moi_free(ctx, m->classes);
    moi_free(ctx, m->confusion);
    moi_free(ctx, m->scores);
    moi_free(ctx, m->labels);
    moi_free(ctx, m->sorted);
    moi_free(ctx, m->numbers);
    moi_free(ctx, m->output);
    moi_free(ctx, m->values);
    mopt_transform_free(m->restore);
    moi_free(ctx, m);
    moi_context_release(ctx);
}

void moi_metrics_reset(moi_metrics *m)
{
    m->rows = 0;
    m->loss_sum = m->weight_sum = 0;
    for (int64_t i = 0; i < FIGURES; i++)
        m->figures[i] = NAN;
    for (int64_t c = 0; m->classes != NULL && c < m->targets; c++)
        m->classes[c] = (class_count){0, 0, 0};
    for (int64_t k = 0; m->numbers != NULL && k < m->targets; k++)
        m->numbers[k] = (number_sum){0, 0, 0, 0};
    if (m->confusion != NULL)
        memset(m->confusion, 0,
               (size_t)(m->targets * m->targets) * sizeof(int64_t));
}

/* ---- counting ---- */

/* The class that a row of outputs says; the first of equals. */
static int64_t answer(const moi_metrics *m, const moi_real *output)
{
    int64_t best = 0;
    if (m->outputs == 1) /* one logit: class 1 where it is above 0 */
        return m->targets > 1 && output[0] > 0;
    for (int64_t j = 1; j < m->outputs; j++)
        if (output[j] > output[best])
            best = j;
    return best;
}

static void keep_scores(moi_metrics *m, int64_t rows, const moi_real *output,
                        const moi_targets *targets)
{
    assert(m->rows + rows <= m->capacity);
    moi_real *scores = m->scores + m->rows * m->outputs;
    if (rows * m->outputs == 0)
        return;
    if (m->loss_flags & MOI_LOSS_SOFTMAX)
        moi_softmax_rows(rows, m->outputs, output, scores, NULL);
    else
        memcpy(scores, output, (size_t)(rows * m->outputs) * sizeof(*scores));
    memcpy(m->labels + m->rows, targets->classes,
           (size_t)rows * sizeof(int32_t));
}

static void add_classes(moi_metrics *m, int64_t rows, const moi_real *output,
                        const moi_targets *targets)
{
    for (int64_t r = 0; r < rows; r++) {
        int64_t truth = targets->classes[r];
        int64_t said = answer(m, output + r * m->outputs);
        m->classes[truth].truth++;
        m->classes[said].said++;
        m->classes[truth].hits += truth == said;
        if (m->confusion != NULL)
            m->confusion[truth * m->targets + said]++;
    }
    if (m->auc)
        keep_scores(m, rows, output, targets);
}

/* One row: the model's numbers and the true ones, in their own unit. The mean
 * of the truth is kept up to date as Welford 1962 does. */
static void add_row(moi_metrics *m, int64_t before, const moi_real *output,
                    const moi_real *numbers)
{
    float *said = m->values, *truth = m->values + m->targets;
    if (m->loss_flags & MOI_LOSS_SIGMOID) {
        moi_vec_sigmoid(m->outputs, output, m->output);
        output = m->output;
    }
    for (int64_t k = 0; k < m->targets; k++) {
        said[k] = (float)output[k];
        truth[k] = (float)numbers[k];
    }
    if (m->restore != NULL) {
        moi_transform_restore(m->restore, 1, said);
        moi_transform_restore(m->restore, 1, truth);
    }
    for (int64_t k = 0; k < m->targets; k++) {
        number_sum *sum = &m->numbers[k];
        double error = (double)said[k] - (double)truth[k];
        double step = (double)truth[k] - sum->mean;
        sum->squares += error * error;
        sum->sizes += fabs(error);
        sum->mean += step / (double)(before + 1);
        sum->spread += step * ((double)truth[k] - sum->mean);
    }
}

void moi_metrics_add(moi_metrics *m, int64_t rows, const moi_real *output,
                     const moi_targets *targets)
{
    double weight = moi_loss_weight(m->loss, rows, targets);
    if (weight > 0)
        m->loss_sum += weight * moi_loss_compute(m->loss, rows, m->outputs,
                                                 output, targets, NULL);
    m->weight_sum += weight;
    if (m->target == MOPT_TARGET_CLASS)
        add_classes(m, rows, output, targets);
    else
        for (int64_t r = 0; r < rows; r++)
            add_row(m, m->rows + r, output + r * m->outputs,
                    targets->numbers + r * m->targets);
    m->rows += rows;
}

/* ---- figures ---- */

static double quotient(double a, double b)
{
    return b == 0 ? 0 : a / b;
}

static void finish_classes(moi_metrics *m)
{
    double f1 = 0, precision = 0, recall = 0, hits = 0, present = 0;
    for (int64_t c = 0; c < m->targets; c++) {
        const class_count *n = &m->classes[c];
        hits += (double)n->hits;
        if (n->truth + n->said == 0)
            continue;
        present++;
        precision += quotient((double)n->hits, (double)n->said);
        recall += quotient((double)n->hits, (double)n->truth);
        f1 += 2 * (double)n->hits / (double)(n->truth + n->said);
    }
    m->figures[ACCURACY] = hits / (double)m->rows;
    m->figures[ERROR] = 1 - m->figures[ACCURACY];
    m->figures[F1] = f1 / present;
    m->figures[PRECISION] = precision / present;
    m->figures[RECALL] = recall / present;
}

/* Bits of a float in the order of the numbers: NaN first, both zeros alike. */
static uint32_t key_of(moi_real score)
{
    float value = (float)score + 0.0f;
    uint32_t bits;
    if (isnan(value))
        return 0;
    memcpy(&bits, &value, sizeof(bits));
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

/* Sort n keys by 11 bits at a time, from the lowest; from and to take turns,
 * the result is the one returned. */
static const scored *sort(scored *from, scored *to, int64_t n)
{
    for (int32_t shift = 0; shift < 32; shift += 11) {
        int64_t places[2048] = {0}, at = 0;
        for (int64_t i = 0; i < n; i++)
            places[from[i].key >> shift & 2047]++;
        for (int64_t k = 0; k < 2048; k++) {
            int64_t count = places[k];
            places[k] = at;
            at += count;
        }
        for (int64_t i = 0; i < n; i++)
            to[places[from[i].key >> shift & 2047]++] = from[i];
        scored *turn = from;
        from = to;
        to = turn;
    }
    return from;
}

/* AUC of one class against the rest; NaN if one side is empty. */
static double auc_of(moi_metrics *m, int64_t class, int64_t column)
{
    double ranks = 0, positives = 0, rows = (double)m->rows;
    for (int64_t r = 0; r < m->rows; r++) {
        m->sorted[r] = (scored){key_of(m->scores[r * m->outputs + column]),
                                m->labels[r] == class};
        positives += m->sorted[r].positive;
    }
    const scored *row = sort(m->sorted, m->sorted + m->capacity, m->rows);
    for (int64_t first = 0, end; first < m->rows; first = end) {
        double tied = 0;
        for (end = first; end < m->rows && row[end].key == row[first].key;
             end++)
            tied += row[end].positive;
        ranks += tied * ((double)(first + 1 + end) / 2);
    }
    return (ranks - positives * (positives + 1) / 2) /
           (positives * (rows - positives));
}

static int32_t finish_auc(moi_metrics *m, const mopt_cancel *cancel)
{
    double sum = 0, classes = 0;
    int32_t rc = MOPT_OK;
    if (m->targets == 2) {
        m->figures[AUC] = auc_of(m, 1, m->outputs - 1);
        return MOPT_OK;
    }
    for (int64_t c = 0; c < m->targets && rc == MOPT_OK; c++) {
        rc = moi_cancel_check(cancel);
        if (m->classes[c].truth == 0 || m->classes[c].truth == m->rows)
            continue;
        sum += auc_of(m, c, c);
        classes++;
    }
    m->figures[AUC] = sum / classes;
    return rc;
}

static void finish_numbers(moi_metrics *m)
{
    double squares = 0, sizes = 0, r2 = 0;
    double n = (double)m->rows, targets = (double)m->targets;
    for (int64_t k = 0; k < m->targets; k++) {
        const number_sum *sum = &m->numbers[k];
        squares += sum->squares;
        sizes += sum->sizes;
        /* A truth that never varies is explained fully or not at all. */
        r2 += sum->spread > 0 ? 1 - sum->squares / sum->spread
                              : sum->squares == 0;
    }
    m->figures[MSE] = squares / (n * targets);
    m->figures[RMSE] = sqrt(m->figures[MSE]);
    m->figures[MAE] = sizes / (n * targets);
    m->figures[R2] = m->rows > 1 ? r2 / targets : NAN;
}

int32_t moi_metrics_finish(moi_metrics *m, const mopt_cancel *cancel)
{
    for (int64_t i = 0; i < FIGURES; i++)
        m->figures[i] = NAN;
    if (m->rows == 0)
        return MOPT_OK;
    m->figures[LOSS] = m->loss_sum / m->weight_sum;
    if (m->target != MOPT_TARGET_CLASS) {
        finish_numbers(m);
        return MOPT_OK;
    }
    finish_classes(m);
    return m->auc ? finish_auc(m, cancel) : MOPT_OK;
}

/* ---- reading ---- */

int64_t moi_metrics_count(const moi_metrics *m)
{
    if (m->target != MOPT_TARGET_CLASS)
        return MOI_COUNT(number_names);
    return MOI_COUNT(class_names) - !m->auc;
}

const char *moi_metrics_name(const moi_metrics *m, int64_t index)
{
    return m->target == MOPT_TARGET_CLASS ? class_names[index]
                                          : number_names[index];
}

double moi_metrics_value(const moi_metrics *m, int64_t index)
{
    return m->figures[index];
}

double moi_metrics_get(const moi_metrics *m, const char *name)
{
    for (int64_t i = 0; i < moi_metrics_count(m); i++)
        if (strcmp(moi_metrics_name(m, i), name) == 0)
            return m->figures[i];
    return NAN;
}

int64_t moi_metrics_confusion(const moi_metrics *m, int64_t truth,
                              int64_t said)
{
    return m->confusion != NULL ? m->confusion[truth * m->targets + said] : -1;
}

int32_t moi_metrics_direction(const char *name)
{
    static const char *const less[] = {"loss", "error", "mse", "rmse", "mae"};
    for (int64_t i = 0; i < MOI_COUNT(less); i++)
        if (strcmp(name, less[i]) == 0)
            return -1;
    for (int64_t i = 0; moi_metrics_names[i] != NULL; i++)
        if (strcmp(name, moi_metrics_names[i]) == 0)
            return 1;
    return 0;
}

static json_t *confusion_to_json(const moi_metrics *m)
{
    json_t *matrix = json_array();
    for (int64_t c = 0; c < m->targets && matrix != NULL; c++) {
        json_t *row = json_array();
        int32_t ok = row != NULL;
        for (int64_t d = 0; d < m->targets && ok; d++)
            ok = json_array_append_new(
                     row, json_integer(m->confusion[c * m->targets + d])) == 0;
        if (!ok || json_array_append(matrix, row) != 0) {
            json_decref(matrix);
            matrix = NULL;
        }
        json_decref(row);
    }
    return matrix;
}

int32_t moi_metrics_to_json(const moi_metrics *m, json_t *object)
{
    int32_t rc = moi_json_add_int(object, "rows", m->rows);
    for (int64_t i = 0; i < moi_metrics_count(m) && rc == MOPT_OK; i++)
        rc = moi_json_add_number(object, moi_metrics_name(m, i),
                                 m->figures[i]);
    if (rc == MOPT_OK && m->confusion != NULL)
        rc = moi_json_add(object, "confusion", confusion_to_json(m));
    return rc;
}
