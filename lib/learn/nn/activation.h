/* SPDX-License-Identifier: MIT
 * lib/learn/nn/activation.h: functions between layers, one line in a table. */
#ifndef MOI_LEARN_ACTIVATION_H
#define MOI_LEARN_ACTIVATION_H

#include "backend/real.h"
#include "base/config.h"

typedef struct moi_activation {
    const moi_schema *schema; /* name, and "slope" for leaky_relu */
    int32_t fuse;             /* MOI_FUSE_* of dense.h that does it */
    int32_t reads_input;      /* backward reads x, not y */
    int32_t probability;      /* outputs are probabilities: losses on logits
                                 leave it out */
    int32_t one_sided; /* cuts negative values off: initialisers allow for it */
    int32_t whole_row; /* a value depends on the others of its row */
    int32_t not_negative;  /* no output is below 0 */
    int32_t keeps_positive; /* values from 0 on come out as they are */

    /* y[rows][n] = f(x[rows][n]); y may be x. */
    void (*forward)(double slope, int64_t rows, int64_t n, const moi_real *x,
                    moi_real *y);
    /* dx = dy f'(x); dx may be dy. One of x and y may be missing, see above. */
    void (*backward)(double slope, int64_t rows, int64_t n, const moi_real *x,
                     const moi_real *y, const moi_real *dy, moi_real *dx);
} moi_activation;

/* All of them, NULL-terminated, "none" first; and their schemas for a VARIANT
 * key. */
extern const moi_activation *const moi_activations[];
extern const moi_schema *const moi_activation_schemas[];

/* Read the VARIANT key "activation" of a config; NULL for "none". */
const moi_activation *moi_activation_read(const mopt_config *config,
                                          double *slope);

/* Do values come out of f (NULL: none) as they went in, to the bit? */
int32_t moi_activation_passes(const moi_activation *f, int32_t not_negative);

#endif
