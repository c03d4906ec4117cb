/* SPDX-License-Identifier: MIT
 * lib/learn/distill/teacher.h: who tells a student what to say: a model, a
 * function of the host's, or a file of outputs. */
#ifndef MOI_LEARN_TEACHER_H
#define MOI_LEARN_TEACHER_H

#include <modelopt/distill.h>

#include "learn/data/augment.h"
#include "learn/format/safetensors.h"
#include "learn/nn/plan.h"
#include "learn/train/extend.h"

typedef struct moi_teacher {
    mopt_context *ctx;
    double weight;
    /* One of the three. */
    mopt_model *model;
    mopt_teacher_fn fn;
    char *path;
    void *user;
    mopt_destroy_fn destroy;
    char *name; /* of fn, in the keys of caches */

    int64_t rows, inputs, outputs;
    const float *table; /* [views][rows][outputs] of logits; NULL: live */
    float *own;         /* the table, if it was worked out, */
    moi_safetensors *file; /* or the file that it was read from */
    moi_plan *plan;        /* live */
    int64_t piece;         /* rows that it takes at a time */
    moi_real *tap;         /* of the plan: a hidden layer's output */
    moi_real *shown;       /* the same of the whole chunk, [chunk][width] */
    int64_t width;
    float *x, *y;          /* live, of fn */
} moi_teacher;

/* What is to be taught. */
typedef struct moi_lesson {
    const mopt_dataset *data;
    moi_augment *augment;
    int64_t outputs, chunk; /* of the student */
    int32_t live;           /* nothing is kept */
    const char *cache;      /* file to keep outputs in; NULL: memory */
    int64_t layer;          /* hidden layer to show; -1: none */
    mopt_cancel *cancel;
} moi_lesson;

/* Make ready for all rows of a lesson: compute the outputs, or read them. */
int32_t moi_teacher_prepare(moi_teacher *teacher, moi_lesson *lesson);

/* Logits for a chunk into out[rows][outputs]; `shown` is of the same chunk. */
int32_t moi_teacher_tell(moi_teacher *teacher, const moi_sight *sight,
                         const mopt_cancel *cancel, moi_real *out);

/* Logits for a data set that is no lesson, out[rows][outputs]. */
int32_t moi_teacher_answer(const moi_teacher *teacher,
                           const mopt_dataset *data, float *out,
                           mopt_cancel *cancel);

void moi_teacher_clear(moi_teacher *teacher);

/* cache.c: a table in a file; the one with this key, read: its tensor is
 * "outputs". NULL where there is none, or another, or a damaged one. */
int32_t moi_cache_write(mopt_context *ctx, const char *path, uint64_t key,
                        const float *table, int64_t rows, int64_t outputs);
int32_t moi_cache_read(mopt_context *ctx, const char *path, uint64_t key,
                       int64_t rows, int64_t outputs, moi_safetensors **file);

/* Does a file that says it is ours have the checksum that it says? */
int32_t moi_cache_is_whole(const moi_safetensors *file);

#endif
