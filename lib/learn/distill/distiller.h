/* SPDX-License-Identifier: MIT
 * lib/learn/distill/distiller.h: the inside of a distiller. */
#ifndef MOI_LEARN_DISTILLER_H
#define MOI_LEARN_DISTILLER_H

#include "base/json.h"
#include "learn/distill/hint.h"
#include "learn/distill/match.h"
#include "learn/distill/relation.h"
#include "learn/distill/teacher.h"
#include "learn/train/trainer.h"

extern const moi_schema moi_distill_schema;

#define MOI_DISTILL_FITTED 1 /* the student is */
#define MOI_DISTILL_COMPARED 2 /* so is the baseline, or there is none */

struct mopt_distill {
    mopt_context *ctx;
    mopt_model *student;
    mopt_dataset *train, *validation; /* validation may be NULL */
    mopt_config *config, *training;   /* copies */
    moi_match match;
    double weight; /* of the method in the loss */
    int64_t first; /* epoch: hints alone before it */

    moi_teacher *teachers;
    int64_t count, room;
    double weights; /* sum of theirs */
    mopt_trainer *trainer; /* NULL until the teachers are settled */
    moi_real *told, *soft, *mix; /* [chunk][outputs] each */
    double *lse;                 /* [chunk] */

    int64_t layer, taught; /* hidden layers: the student's, the teacher's */
    int64_t tap, wide;     /* of the student; width of the teacher's */
    double hint_weight;
    moi_hint hint;
    moi_relation relation;

    mopt_model *alone;     /* the baseline; NULL: there is none */
    mopt_trainer *control; /* its trainer */
    int32_t flags;         /* MOI_DISTILL_* */
};

/* lesson.c: settle the teachers; make the trainer, hang the terms onto it. */
int32_t moi_distill_settle(mopt_distill *d, mopt_cancel *cancel);

/* encode.c: raw rows go through the student's transform; without one through
 * that of the teacher (may be NULL), which the student takes over. */
int32_t moi_distill_encode(mopt_distill *d, const mopt_model *teacher);

/* distill.c: make the teacher of a student that teaches itself. */
int32_t moi_distill_raise(mopt_distill *d, mopt_cancel *cancel);

/* Train the student, and nothing to compare it with. */
int32_t moi_distill_fit_student(mopt_distill *d, mopt_cancel *cancel);

/* Give up the trainer and all that settling made. */
void moi_distill_unsettle(mopt_distill *d);

/* bias.c: shift a model's output biases so that on these rows each class is
 * expected as often as it occurs. */
int32_t moi_bias_correct(mopt_model *model, const mopt_dataset *data,
                         mopt_cancel *cancel);

/* report.c: as mopt_distill_evaluate. */
int32_t moi_distill_report(mopt_distill *d, const mopt_dataset *test,
                           mopt_cancel *cancel, json_t **out);

/* Is the mean teacher no better on the validation data than the
 * baseline? Also 0 where that cannot be told. */
int32_t moi_distill_is_poor(mopt_distill *d, mopt_cancel *cancel,
                            int32_t *poor);

#endif
