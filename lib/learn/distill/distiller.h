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

/* How far a student that teaches itself has come: each generation learns from
 * the one before, the first from labels alone. */
typedef struct moi_lineage {
    int64_t done;         /* generations that have learnt */
    mopt_model *teacher;  /* the last of them */
    mopt_model *pupil;    /* the next one, at work; NULL: not begun */
    mopt_trainer *plain;  /* what it learns by: from labels, */
    mopt_distill *lesson; /* or from the teacher */
} moi_lineage;

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
    moi_lineage lineage;
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

/* check.c: do the settings go with the student and its data? */
int32_t moi_distill_check(const mopt_distill *d);

/* Is a poor teacher to be refused? */
int32_t moi_distill_refuses(const mopt_distill *d);

/* lesson.c: settle the teachers; make the trainer, hang the terms onto it. */
int32_t moi_distill_settle(mopt_distill *d, mopt_cancel *cancel);

/* encode.c: raw rows go through the student's transform; without one through
 * that of the teacher (may be NULL), which the student takes over. */
int32_t moi_distill_encode(mopt_distill *d, const mopt_model *teacher);

/* lineage.c: make the teacher of a student that teaches itself. Cancelled, it
 * goes on where it was. */
int32_t moi_distill_raise(mopt_distill *d, mopt_cancel *cancel);
void moi_lineage_clear(moi_lineage *lineage);

/* distill.c: how another model than the student trains: nothing is written. */
int32_t moi_distill_plain(const mopt_distill *d, mopt_config **training);

/* Train the student, and nothing to compare it with. */
int32_t moi_distill_fit_student(mopt_distill *d, mopt_cancel *cancel);

/* Give up the trainer and all that settling made. */
void moi_distill_unsettle(mopt_distill *d);

/* bias.c: shift a model's output biases so that on these rows each class is
 * expected as often as it occurs; and whether that can be done. */
int32_t moi_bias_check(const mopt_model *model, const mopt_dataset *data);
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
