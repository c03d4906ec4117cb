/* SPDX-License-Identifier: MIT
 * lib/learn/nn/metrics.h: how good outputs are: figures over any number of
 * batches.
 *
 * Classes: "loss", "accuracy", "error", "macro_f1", "macro_precision",
 * "macro_recall", on request "auc". Numbers: "loss", "mse", "rmse", "mae",
 * "r2". Made once for a data set; adding and finishing allocate nothing. The
 * order of the batches is the order of the sums: the same batches give the
 * same bits. One thread per object. */
#ifndef MOI_LEARN_METRICS_H
#define MOI_LEARN_METRICS_H

#include "learn/nn/loss.h"

#define MOI_METRICS_AUC 1 /* keeps all outputs, and sorts them at the end */

typedef struct moi_metrics moi_metrics;

/* loss:    kept by reference. Outputs are handed in as it takes them.
 * target:  MOPT_TARGET_CLASS or _NUMBER, and its classes or numbers a row.
 * rows:    the most that are added before a reset (for MOI_METRICS_AUC).
 * restore: numbers are measured in the unit that this transform gives back;
 *          kept alive; NULL for none. */
int32_t moi_metrics_create(mopt_context *ctx, const moi_loss *loss,
                           int32_t target, int64_t targets, int64_t outputs,
                           int64_t rows, int32_t flags,
                           mopt_transform *restore, moi_metrics **out);
void moi_metrics_free(moi_metrics *metrics);

/* Begin again. */
void moi_metrics_reset(moi_metrics *metrics);

/* Count a batch: output[rows][outputs]. */
void moi_metrics_add(moi_metrics *metrics, int64_t rows,
                     const moi_real *output, const moi_targets *targets);

/* Work the figures out from what was added. A figure that does not exist (no
 * rows, AUC of one class) is NaN. More may be added afterwards. cancel may be
 * NULL: only sorting for AUC takes long enough; MOPT_ECANCELED. */
int32_t moi_metrics_finish(moi_metrics *metrics, const mopt_cancel *cancel);

/* The figures of the last finish, by number and by name (NaN if the name is
 * not among them). */
int64_t moi_metrics_count(const moi_metrics *metrics);
const char *moi_metrics_name(const moi_metrics *metrics, int64_t index);
double moi_metrics_value(const moi_metrics *metrics, int64_t index);
double moi_metrics_get(const moi_metrics *metrics, const char *name);

/* Times that class said was given where class truth was right; -1 if there are
 * too many classes to keep that. */
int64_t moi_metrics_confusion(const moi_metrics *metrics, int64_t truth,
                              int64_t said);

/* Add figures, rows and confusion to a JSON object: 0 or MOPT_ENOMEM. */
int32_t moi_metrics_to_json(const moi_metrics *metrics, json_t *object);

/* 1 if larger is better, -1 if smaller is, 0 if there is no such metric; and
 * every name, NULL-terminated. */
int32_t moi_metrics_direction(const char *name);
extern const char *const moi_metrics_names[];

#endif
