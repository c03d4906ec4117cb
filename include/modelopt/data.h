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
 *  Relative paths start from the folder "base". With "test_mask", the file
 *  marks the rows of the test part by 1 in its column "test_mask_column", and
 *  MOPT_PART_TRAIN gives the others.
 *
 *  A table comes with its columns as they are: numbers, categories as codes,
 *  NaN for a missing value; a transform makes it ready for a model.
 *
 *  @param config kind "data".
 *  @param part   MOPT_PART_TRAIN for the main file; MOPT_PART_TEST for the
 *                separate test file that some sources name ("source.test"),
 *                or other rows of a generator ("source.test_count").
 *  @param out    receives the data set; the caller frees it.
 *  @return MOPT_OK; MOPT_EINVAL (a NULL, another part or kind of config, a
 *          column or class that is not in the file); MOPT_EKEY (a key of
 *          another source was set); MOPT_ENOENT (no such file, or the source
 *          has no such part); MOPT_EIO; MOPT_EFORMAT (the message gives file
 *          and line, row or offset); MOPT_EUNSUPPORTED (sparse ARFF);
 *          MOPT_ERANGE (too large); MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_load(mopt_context *ctx,
                                   const mopt_config *config, int32_t part,
                                   mopt_dataset **out);

/** Wrap the host's memory without a copy.
 *
 *  @param rows     at least 1.
 *  @param features numbers a row, at least 1.
 *  @param x        features [rows][features], element (i, j) at byte
 *                  i*x_stride + j*size of x_type; NaN is a missing value,
 *                  other numbers are at most 3.4e38 in size.
 *  @param x_type   MOPT_F32 .. MOPT_BOOL.
 *  @param x_stride bytes from row to row, a multiple of the element's size;
 *                  0 means packed; rows may overlap.
 *  @param y        targets: classes [rows] of an integer type, or numbers
 *                  [rows][targets] of MOPT_F32 or MOPT_F64, packed; NULL for
 *                  unlabelled data.
 *  @param y_type   element type of y: an integer type makes a class target,
 *                  a float type a number target.
 *  @param targets  numbers a row (1 for classes).
 *  @param classes  number of classes up to 2^24, 0 to take the largest label
 *                  + 1.
 *  @param user     handed to destroy.
 *  @param destroy  called with user when the last view is freed; may be NULL.
 *  @param out      receives the data set; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (also a label outside 0 .. classes-1 and a
 *          number that is too large: the message gives the row), MOPT_ERANGE
 *          (rows times bytes overflow), MOPT_ENOMEM.
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
 *  A table straight from a file gives codes of categories, and NaN for
 *  missing values; transformed data give what a model sees.
 *
 *  @param x, y   receive the values; either may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (outside the view, or no target), ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_read(const mopt_dataset *data, int64_t first,
                                   int64_t count, float *x, float *y);

/** Cut a data set into train, validation and test views.
 *
 *  Keys of the config's kind "data": "split.validation", "split.test" (shares
 *  0 .. <1, or rows when >= 1), "split.stratify" (each class in proportion,
 *  largest remainders first; training keeps a row of every class where it
 *  can), "split.shuffle" (otherwise the parts follow each other, training
 *  first), "split.seed".
 *
 *  @param config kind "data".
 *  @param train, validation, test receive views; each may be NULL; a part of
 *                 no rows is returned as NULL.
 *  @return MOPT_OK, MOPT_EINVAL (a part of more rows than there are, or nothing
 *          left to train on), MOPT_EKEY (as mopt_dataset_load), MOPT_ENOMEM.
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
 *  @param folds, fold     2 .. rows, and 0 .. folds-1.
 *  @param seed            the same seed gives the same folds.
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
 *  @param rows  [count] numbers of rows of this view.
 *  @param count at least 1.
 *  @param out   receives the view; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (a row outside), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_select(const mopt_dataset *data,
                                     const int64_t *rows, int64_t count,
                                     mopt_dataset **out);

/** Say that the rows are images, so that augmentation can move, turn and scale
 *  them. Sources of images say so themselves; of host memory
 *  nobody knows more than that a square number of features may be a square.
 *
 *  @param data     not a table.
 *  @param width    pixels from left to right, at least 1.
 *  @param height   pixels from top to bottom, at least 1.
 *  @param channels at least 1. A row is [channels][height][width]; the three
 *                  together make up its features.
 *  @param out      receives a view of the same rows; the caller frees it. Views
 *                  of it, and what a transform makes of it, are images too.
 *  @return MOPT_OK, MOPT_EINVAL (a NULL; sizes that do not make up a row; a
 *          table), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_dataset_as_images(const mopt_dataset *data,
                                        int64_t width, int64_t height,
                                        int64_t channels, mopt_dataset **out);

/** Learn from a training part how to turn its columns into inputs.
 *
 *  Keys of the config's kind "data": "scale" of numbers ("none", "standard",
 *  "global", "minmax", "unit", "auto"; a missing one becomes the mean),
 *  "missing_indicator" (an input more that tells so), "max_categories" (one
 *  input for each of the most frequent categories of a column, and one for
 *  "missing" if that occurs), "scale_target" (target numbers to mean 0 and
 *  deviation 1), "unknown_class" (what apply does with a class that these rows
 *  do not have).
 *
 *  @param train  the only rows that are looked at.
 *  @param config kind "data".
 *  @param out    receives the transform; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (also data that have been transformed already,
 *          or no column with a value), MOPT_EKEY (as mopt_dataset_load),
 *          MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_transform_fit(const mopt_dataset *train,
                                    const mopt_config *config,
                                    mopt_transform **out);

/** Apply a fitted transform; the result is ready for a model.
 *
 *  Columns and classes are matched by name where both sides have names, else
 *  by place. Categories that training never saw give 0 in all their inputs.
 *  Numbers where training had categories mean the category of that value, or
 *  of that place if the categories are no numbers.
 *
 *  @param data as loaded, not transformed yet.
 *  @param out  receives a new data set; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL (other columns than the transform was fitted
 *          on: the message names the first; a class that training never saw,
 *          unless "unknown_class" was "drop"), MOPT_ENOMEM.
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
