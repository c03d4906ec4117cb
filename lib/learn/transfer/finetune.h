/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/finetune.h: the inside of a fine-tuning. */
#ifndef MOI_LEARN_FINETUNE_H
#define MOI_LEARN_FINETUNE_H

#include <modelopt/finetune.h>

#include "base/json.h"
#include "learn/train/trainer.h"
#include "learn/transfer/lora.h"

extern const moi_schema moi_finetune_schema;

#define MOI_FINETUNE_FITTED 1   /* the model is */
#define MOI_FINETUNE_COMPARED 2 /* so is the baseline */
#define MOI_FINETUNE_NEW_HEAD 4

struct mopt_finetune {
    mopt_context *ctx;
    mopt_model *source, *model; /* copies of what was given */
    mopt_dataset *train, *validation; /* ready; validation may be NULL */
    mopt_config *config, *training;
    mopt_trainer *trainer; /* NULL: closed form */
    moi_lora *lora;        /* or NULL */
    moi_real *origin;      /* anchors; or NULL */
    double penalty;        /* of the probe */
    mopt_model *scratch;   /* the baseline, or NULL */
    mopt_trainer *control;
    int32_t flags;
};

/* Tune the model, and train nothing to compare it with. */
int32_t moi_finetune_fit_target(mopt_finetune *f, mopt_cancel *cancel);

/* tuned.c: as mopt_finetune_evaluate. */
int32_t moi_finetune_report(mopt_finetune *f, const mopt_dataset *test,
                            const mopt_dataset *source_test,
                            mopt_cancel *cancel, json_t **out);

#endif
