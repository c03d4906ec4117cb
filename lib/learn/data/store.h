/* SPDX-License-Identifier: MIT
 * lib/learn/data/store.h: the rows that views share, and a view.
 *
 * A store is one matrix of cells of one element type, row by row, with a
 * target each. A table from a file has double cells: numbers, or codes of
 * categories; NaN is a missing value. Nothing in a store changes once a view
 * of it exists, so any thread may read. */
#ifndef MOI_LEARN_STORE_H
#define MOI_LEARN_STORE_H

#include <stdatomic.h>

#include "base/config.h"
#include "learn/data/dataset.h"
#include "learn/data/names.h"

/* More classes than any softmax of this library will see: labels beyond are
 * numbers that were meant for regression. */
#define MOI_CLASSES_MAX (1 << 24)

typedef struct moi_column {
    int32_t category;     /* cells are codes, not numbers */
    moi_names categories; /* of the codes */
} moi_column;

/* What a row is when it is an image; 0 channels: it is none, or nobody said. */
typedef struct moi_image {
    int64_t channels, height, width;
} moi_image;

typedef struct moi_store {
    mopt_context *ctx;
    atomic_int refs;
    int64_t rows, width; /* cells a row */
    int64_t stride;      /* bytes from row to row */
    int32_t type;        /* of the cells: MOPT_F32 .. MOPT_BOOL */
    int32_t gaps;        /* is any cell NaN? */
    moi_image image;
    const void *cells;
    moi_column *columns;    /* [width], NULL: all are numbers */
    moi_names column_names; /* of the cells; text NULL: they have none */
    int32_t target;         /* MOPT_TARGET_* */
    int32_t label_type;
    int64_t targets;        /* classes, or numbers a row */
    const void *labels;     /* [rows], or [rows][targets] */
    moi_names class_names;  /* text NULL: classes are just numbers */
    moi_names target_names;
    void *own_cells, *own_labels; /* blocks to free, NULL: the host's */
    void *user;                   /* the host's, told at the end */
    mopt_destroy_fn destroy;
} moi_store;

struct mopt_dataset {
    atomic_int refs;
    moi_store *store;
    int64_t rows;
    int64_t *index; /* [rows], row of the store; NULL: the same */
    moi_image image; /* what the host said; 0 channels: as the store says */
    /* What has been fitted and is applied; NULL for columns as they came. */
    mopt_transform *transform;
    /* The store holds what the transform made, categories still as codes;
     * otherwise the transform scales while gathering. */
    int32_t encoded;
    _Atomic uint64_t digest; /* 0: not computed yet */
};

/* Bytes of an element, 0 if there is no such type; its name. */
int64_t moi_type_size(int32_t type);
const char *moi_type_name(int32_t type);

/* An empty store with one reference. */
int32_t moi_store_create(mopt_context *ctx, moi_store **out);
moi_store *moi_store_hold(moi_store *store);
void moi_store_release(moi_store *store);

/* Room of its own for rows * width cells, packed; rows and width are set. */
int32_t moi_store_reserve(moi_store *store, int64_t rows, int64_t width,
                          int32_t type);

/* Look at all cells once: notes gaps, refuses numbers outside float with code
 * ("<place>: row .., column .. holds .."). */
int32_t moi_store_scan(moi_store *store, int32_t code, const char *place);

/* Look at all labels: class labels lie in 0 .. targets-1 (targets 0: becomes
 * the largest + 1), numbers are finite. */
int32_t moi_store_scan_labels(moi_store *store, int32_t code,
                              const char *place);

/* Cells, label and target numbers of one row of the store. */
void moi_store_row(const moi_store *store, int64_t row, double *cells);
int64_t moi_store_class(const moi_store *store, int64_t row);
void moi_store_numbers(const moi_store *store, int64_t row, double *numbers);

/* "column 'age'" or "column 3"; returns buf. */
#define MOI_PLACE_SIZE 96
const char *moi_store_place(const moi_store *store, int64_t column,
                            char buf[MOI_PLACE_SIZE]);

/* A view of all rows; takes over the caller's reference, also on failure. */
int32_t moi_dataset_wrap(moi_store *store, mopt_dataset **out);

/* A view of count rows of another; takes over index, also on failure. */
int32_t moi_dataset_view(const mopt_dataset *data, int64_t *index,
                         int64_t count, mopt_dataset **out);

/* Row i of the view in its store. */
static inline int64_t moi_dataset_row(const mopt_dataset *data, int64_t i)
{
    return data->index ? data->index[i] : i;
}

#endif
