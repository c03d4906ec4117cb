/* SPDX-License-Identifier: MIT
 * lib/learn/nn/init.h: first weights: one initialiser, one line in a table. */
#ifndef MOI_LEARN_INIT_H
#define MOI_LEARN_INIT_H

#include "learn/nn/activation.h"

/* What an initialiser goes by. */
typedef struct moi_init_request {
    mopt_context *ctx;
    const mopt_config *config;        /* has the VARIANT key "init" */
    const moi_activation *activation; /* after the weights; NULL: none */
    double slope;                     /* of leaky_relu */
    int64_t fan_in, fan_out;
    uint64_t seed;
    int64_t stream; /* number of the tensor in its model */
} moi_init_request;

/* Some of a matrix. */
typedef struct moi_window {
    int64_t row, rows; /* the first, and how many */
    int64_t col, cols;
} moi_window;

/* The schemas of all initialisers, for a VARIANT key. */
extern const moi_schema *const moi_init_schemas[];

/* Fill w[here->rows][here->cols], a part of a matrix of rows and cols. Drawn in
 * double in the order of the whole's memory: a part has the values that it has
 * in the whole, and all but orthogonal matrices take room for a row alone. */
int32_t moi_init_weight(const moi_init_request *request, int64_t rows,
                        int64_t cols, const moi_window *here, moi_real *w);

#endif
