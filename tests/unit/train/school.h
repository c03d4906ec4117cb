/* SPDX-License-Identifier: MIT
 * tests/unit/train/school.h: what the tests of training share: small data, a
 * small model, and trainers made from JSON. */
#ifndef TESTS_SCHOOL_H
#define TESTS_SCHOOL_H

#include <stddef.h>

#include "backend/backend.h"
#include "kit.h"

#define SCHOOL_ROWS 101 /* leaves a short last batch */
#define SCHOOL_FEATURES 5
#define SCHOOL_CLASSES 3

/* Three clouds of points around centres of their own, noise of a given width;
 * the caller frees it. seed gives other points of the same clouds. */
mopt_dataset *school_clouds(mopt_context *ctx, int64_t rows, double noise,
                            int64_t seed);

/* Small numbers in a pattern, x[rows][features], and classes by turns. */
void school_fill(int64_t rows, int64_t features, float *x, int32_t *y);

/* A smooth function of the features in two numbers. */
mopt_dataset *school_numbers(mopt_context *ctx, int64_t rows, int64_t seed);

/* 5-8-3 with relu, dropout between when rate > 0, weights from the seed. */
mopt_model *school_model(mopt_context *ctx, int64_t outputs, double dropout);

mopt_config *school_config(mopt_context *ctx, const char *kind,
                           const char *json);

/* A trainer from JSON; everything but the trainer may be freed after. */
mopt_trainer *school_trainer(mopt_context *ctx, mopt_model *model,
                             const mopt_dataset *train,
                             const mopt_dataset *validation, const char *json);

/* What tests begin and end with: clouds of so many rows to learn from, others
 * to measure on; and those of the tests of ranks. */
mopt_context *school_open_with(int64_t rows, int64_t measured, double noise,
                               mopt_dataset **train,
                               mopt_dataset **validation);
#define SCHOOL_CLASS_ROWS 150
mopt_context *school_open(mopt_dataset **train, mopt_dataset **validation);
void school_close(mopt_context *ctx, mopt_dataset *train,
                  mopt_dataset *validation);

/* 5-400-401-3, 170,000 weights: several buckets; dropout as above. */
mopt_model *school_wide_model(mopt_context *ctx, double dropout);

/* Tensors of these names stay as they are; NULL: none. */
void school_freeze(mopt_context *ctx, mopt_trainer *trainer,
                   const char *pattern);

/* Go on from a file, train, and with a file to save to do so after an epoch;
 * resume, save and cancel may be NULL. */
int32_t school_learn(mopt_trainer *trainer, const char *resume,
                     const char *save, mopt_cancel *cancel);

/* A trainer cannot be made of these settings, and says why; one can, and no
 * allocation of its making that fails does harm. */
void school_refused(mopt_context *ctx, mopt_model *model,
                    const mopt_dataset *train, const char *json,
                    const char *says);
void school_starved(mopt_context *ctx, mopt_model *model,
                    const mopt_dataset *train, const char *json);

/* Products by the reference backend; one of them fails, after so many of all
 * threads. Returns the backend that was there. */
const mopt_backend *school_stumble(mopt_context *ctx, int32_t after);

/* A digest of all weights; the loss of a model on some data. */
uint64_t school_digest(const mopt_model *model);
double school_loss(const mopt_model *model, const mopt_dataset *data);

/* A plan for a model of such layers, all from JSON. */
mopt_parallel *school_plan(mopt_context *ctx, const char *layers,
                           int64_t inputs, const char *config,
                           const char *training, int32_t ranks);

/* All weights of a school_model in turn; returns how many. */
#define SCHOOL_WEIGHTS 128
int64_t school_weights(const mopt_model *model, float weights[SCHOOL_WEIGHTS]);

/* A figure; the test fails if it is not known. */
double school_get(const mopt_trainer *trainer, const char *figure);

/* The history as text, in static memory. */
const char *school_history(const mopt_trainer *trainer);

#endif
