/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/lora.h: low-rank changes of matrices, learnt beside a
 * trainer's model (Hu et al. 2021, "LoRA").
 *
 * After each step the model's weights are made anew, W0 + scale B A: whatever
 * layer reads them need not know, and serving costs what it did. */
#ifndef MOI_LEARN_LORA_H
#define MOI_LEARN_LORA_H

#include "learn/train/extend.h"

/* One matrix, as it lies in memory: [rows][cols]; its change is left right,
 * [rows][rank] times [rank][cols]. Which of the two is "A" depends on whether
 * the matrix lies transposed. */
typedef struct moi_factors {
    int64_t tensor; /* of the model */
    int64_t rows, cols;
    int64_t left, right; /* offsets into the annex's block */
} moi_factors;

typedef struct moi_lora {
    mopt_context *ctx;
    mopt_model *model;
    int64_t rank, count;
    double scale;
    moi_factors *factors;
    moi_param *params; /* two a matrix: left, right */
    char *names;
    int32_t *wanted;
    moi_real *base; /* the model's block as it was */
    moi_annex annex;
} moi_lora;

/* For the matrices whose names match one of the patterns (commas between),
 * but the others: others[i] for tensor i, or NULL. */
int32_t moi_lora_create(mopt_model *model, const char *targets,
                        const int32_t *others, int64_t rank, double scale,
                        uint64_t seed, moi_lora **out);
void moi_lora_free(moi_lora *lora);

#endif
