/* SPDX-License-Identifier: MIT
 * lib/learn/distill/match.h: how far a student's outputs are from a teacher's:
 * one function a loss, one line in a table. */
#ifndef MOI_LEARN_MATCH_H
#define MOI_LEARN_MATCH_H

#include <stdint.h>

#include "backend/real.h"
#include "base/config.h"

typedef struct moi_match_kind moi_match_kind;

typedef struct moi_match {
    const moi_match_kind *kind;
    double temperature;
    double target, others; /* parts of dkd */
    int64_t warmup;        /* epochs */
} moi_match;

/* Outputs of a chunk and what they are held against. */
typedef struct moi_pair {
    int64_t rows, outputs;
    const moi_real *student; /* logits */
    const moi_real *teacher; /* what moi_match_soften makes of logits */
    const int32_t *classes;  /* labels, or NULL */
    moi_real *soft;          /* room: [rows][outputs] */
    double *lse;             /* room: [rows] */
} moi_pair;

#define MOI_MATCH_SOFT 1   /* takes probabilities, not logits */
#define MOI_MATCH_LABELS 2 /* needs labels */
#define MOI_MATCH_NUMBER 4 /* goes with target numbers */
#define MOI_MATCH_SINGLE 8 /* goes with one output of two classes */
#define MOI_MATCH_LOG 16   /* takes logarithms of probabilities */

struct moi_match_kind {
    const moi_schema *schema;
    int32_t flags; /* MOI_MATCH_* */
    /* The mean over the rows; scale times its gradient by the student's
     * outputs is added to grad, unless that is NULL. */
    double (*loss)(const moi_match *match, const moi_pair *pair,
                   moi_real scale, moi_real *grad);
};

extern const moi_schema *const moi_match_schemas[];

/* As the key "method" of a config of kind "distill" says. */
void moi_match_read(moi_match *match, const mopt_config *config);

/* How much of a method counts in an epoch: 1 after the warm-up. */
double moi_match_ramp(const moi_match *match, int64_t epoch);

/* A teacher's logits as the method takes them, in place. */
void moi_match_soften(const moi_match *match, int64_t rows, int64_t outputs,
                      moi_real *logits);

/* The mean of several teachers: begin with nothing, and add each one's share
 * of what it was softened to. */
void moi_match_clear(const moi_match *match, int64_t count, moi_real *mix);
void moi_match_mix(const moi_match *match, double share, int64_t count,
                   const moi_real *told, moi_real *mix);

/* From there back to logits that say the same, in place. */
void moi_match_logits(const moi_match *match, int64_t outputs, int64_t count,
                      moi_real *mix);

#endif
