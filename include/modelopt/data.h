/* SPDX-License-Identifier: MIT
 * modelopt/data.h: data sets: rows of features with a target each.
 *
 * A data set never changes after it is made: splits and folds are views on the
 * same rows, a fitted transform makes a new one. */
#ifndef MODELOPT_DATA_H
#define MODELOPT_DATA_H

#include "config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_dataset mopt_dataset;
typedef struct mopt_transform mopt_transform;

/* Element types of host memory. */
#define MOPT_F32 1
#define MOPT_F64 2
#define MOPT_U8 3
#define MOPT_I8 4
#define MOPT_I16 5
#define MOPT_I32 6
#define MOPT_I64 7
#define MOPT_BOOL 8

/* What the target of a row is. */
#define MOPT_TARGET_NONE 0   /* unlabelled */
#define MOPT_TARGET_CLASS 1  /* an integer 0 .. classes-1 */
#define MOPT_TARGET_NUMBER 2 /* one or more real numbers */

/* Parts of a split. */
#define MOPT_PART_TRAIN 0
#define MOPT_PART_VALIDATION 1
#define MOPT_PART_TEST 2

/** Load or generate a data set as a config of kind "data" says.
 *
 *  The key "source" is a variant: "idx", "csv", "arff", "npy", "glyphs",
 *  "linear"; each brings its own keys ("source.path", "source.labels",
 *  "source.count", "source.seed", ...; mopt_config_describe lists them).
 *
 *  @param config kind "data".
 *  @param part   MOPT_PART_TRAIN for the main file; MOPT_PART_TEST for the
 *                separate test file that some sources name ("source.test").
 *  @param out    receives the data set; the caller frees it.
 *  @return MOPT_OK; MOPT_EINVAL; MOPT_ENOENT (no such file, or the source has
 *          no such part); MOPT_EIO; MOPT_EFORMAT (the message gives file and
 *          line, row or offset); MOPT_ERANGE (too large); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_load(mopt_context *ctx,
                                   const mopt_config *config, int32_t part,
                                   mopt_dataset **out);

/** Wrap the host's memory without a copy.
 *
 *  @param x        features [rows][features], element (i, j) at byte
 *                  i*x_stride + j*size of x_type.
 *  @param x_type   MOPT_F32 .. MOPT_BOOL.
 *  @param x_stride bytes from row to row; 0 means packed.
 *  @param y        targets: classes [rows] of an integer type, or numbers
 *                  [rows][targets] of MOPT_F32 or MOPT_F64, packed; NULL for
 *                  unlabelled data.
 *  @param y_type   element type of y: an integer type makes a class target,
 *                  a float type a number target.
 *  @param targets  numbers a row (1 for classes).
 *  @param classes  number of classes, 0 to take the largest label + 1.
 *  @param destroy  called with user when the last view is freed; may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (also a label outside 0 .. classes-1: the
 *          message gives the row), MOPT_ERANGE, MOPT_ENOMEM.
 *  x and y must live and not change until destroy is called. On an error
 *  destroy is not called. Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_from_memory(
    mopt_context *ctx, int64_t rows, int64_t features, const void *x,
    int32_t x_type, int64_t x_stride, const void *y, int32_t y_type,
    int64_t targets, int64_t classes, void *user, mopt_destroy_fn destroy,
    mopt_dataset **out);

/** Free a data set; NULL is fine. Views keep what they need.
 *  Thread: any. Since 0.1. */
MOPT_API void mopt_dataset_free(mopt_dataset *data);

/** Sizes; each out pointer may be NULL.
 *
 *  @param rows     rows of this view.
 *  @param features inputs a row, after encoding.
 *  @param targets  classes for a class target, numbers a row otherwise.
 *  @param kind     MOPT_TARGET_*.
 *  @return MOPT_OK, MOPT_EINVAL (data is NULL).
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_shape(const mopt_dataset *data, int64_t *rows,
                                    int64_t *features, int64_t *targets,
                                    int32_t *kind);

/** Describe a data set as JSON: rows, features, target, class names and
 *  counts, columns.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1. */
MOPT_API int32_t mopt_dataset_describe(const mopt_dataset *data, char *buf,
                                       size_t cap, size_t *needed);

/** Copy rows out as float: x [count][features]; y the class as a number, or
 *  the numbers [count][targets].
 *
 *  @param first, count rows of this view.
 *  @param x, y   receive the values; either may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (outside the view, or no target).
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_read(const mopt_dataset *data, int64_t first,
                                   int64_t count, float *x, float *y);

/** Cut a data set into train, validation and test views.
 *
 *  Keys of the config's kind "data": "split.validation", "split.test" (shares
 *  0 .. <1, or rows when >= 1), "split.stratify", "split.shuffle",
 *  "split.seed".
 *
 *  @param train, validation, test receive views; each may be NULL; a part of
 *                 no rows is returned as NULL.
 *  @return MOPT_OK, MOPT_EINVAL (nothing left to train on), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_split(const mopt_dataset *data,
                                    const mopt_config *config,
                                    mopt_dataset **train,
                                    mopt_dataset **validation,
                                    mopt_dataset **test);

/** One fold of k: the rows of fold number fold for validation, the rest for
 *  training; shuffled by seed, classes balanced when stratify is not 0.
 *
 *  @param train, validation receive views; either may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (folds < 2 or > rows, fold outside), ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_fold(const mopt_dataset *data, int64_t folds,
                                   int64_t fold, int64_t seed,
                                   int32_t stratify, mopt_dataset **train,
                                   mopt_dataset **validation);

/** A view of some rows, in the order given; a row may come more than once.
 *
 *  @return MOPT_OK, MOPT_EINVAL (a row outside), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_select(const mopt_dataset *data,
                                     const int64_t *rows, int64_t count,
                                     mopt_dataset **out);

/** Learn from a training part how to turn its columns into inputs: fill
 *  missing values, one-hot categories, standardise ("scale" of the config:
 *  "none", "standard", "minmax", "unit"), and numbers of the target
 *  ("scale_target").
 *
 *  @param train  the only rows that are looked at.
 *  @param config kind "data".
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_transform_fit(const mopt_dataset *train,
                                    const mopt_config *config,
                                    mopt_transform **out);

/** Apply a fitted transform; the result is ready for a model.
 *
 *  @return MOPT_OK, MOPT_EINVAL (other columns than the transform was fitted
 *          on: the message names the first), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_transform_apply(const mopt_transform *transform,
                                      const mopt_dataset *data,
                                      mopt_dataset **out);

/** Free a transform; NULL is fine. Thread: any. Since 0.1. */
MOPT_API void mopt_transform_free(mopt_transform *transform);

#ifdef __cplusplus
}
#endif

#endif
