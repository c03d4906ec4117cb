/* SPDX-License-Identifier: MIT
 * lib/learn/data/table.h: the columns of a text file while they are read. */
#ifndef MOI_LEARN_TABLE_H
#define MOI_LEARN_TABLE_H

#include "learn/data/records.h"
#include "learn/data/store.h"

/* What the keys of a source say about its columns; texts are borrowed. Lists
 * are names or places of columns with commas between; places count from 0, or
 * from the end below 0. */
typedef struct moi_table_options {
    const char *target;      /* list, "" for none */
    const char *drop;        /* list */
    const char *categorical; /* list */
    const char *missing;     /* texts that mean a missing value */
    const char *strip;       /* characters taken from the end of labels */
    const char *positive;    /* the class told from all others, "" for none */
    const char *task;        /* "auto", "class", "number" */
    int32_t guess;           /* few whole numbers are classes */
} moi_table_options;

/* Those keys, for the table of a source. */
#define MOI_TABLE_KEYS \
    MOI_TEXT("path", "", "file of the rows; .gz too"), \
    MOI_TEXT("test", "", "file of the rows to test on"), \
    MOI_TEXT("target", "-1", \
             "columns to predict, by name or place (-1: the last), or none"), \
    MOI_CHOICE("task", "auto", "auto|class|number", "what the target is"), \
    MOI_TEXT("drop", "", "columns to leave out, by name or place"), \
    MOI_TEXT("categorical", "", "columns whose numbers are categories"), \
    MOI_TEXT("missing", "?,NA,N/A,NaN,nan,null", \
             "texts that mean a missing value, as empty fields do"), \
    MOI_TEXT("strip", "", "characters taken from the end of class labels"), \
    MOI_TEXT("positive", "", \
             "one class to be told from all others; empty: keep all classes")

void moi_table_options_read(const mopt_config *config,
                            moi_table_options *options);

typedef struct moi_table moi_table;

/* path and options must live as long as the table. */
int32_t moi_table_create(mopt_context *ctx, const char *path,
                         const moi_table_options *options, moi_table **out);
void moi_table_free(moi_table *table);

/* Add a column; name NULL: it has none. declared: the file says what it is:
 * numbers, or categories that are all declared, in this order. */
int32_t moi_table_add(moi_table *table, const char *name, int64_t length,
                      int32_t category, int32_t declared);

/* A category of the column that was added last. */
int32_t moi_table_declare(moi_table *table, const char *text,
                          int64_t length);

/* Is it a text that means a missing value? */
int32_t moi_table_missing(const moi_table *table, const char *text,
                          int64_t length);

/* All columns are there: find target and dropped ones. */
int32_t moi_table_begin(moi_table *table);

/* Take a record in as a row. */
int32_t moi_table_row(moi_table *table, const moi_records *records);

/* The rows as a store. */
int32_t moi_table_finish(moi_table *table, moi_store **out);

/* A CSV file of nothing but numbers, without a target (csv.c). */
int32_t moi_table_read_numbers(mopt_context *ctx, const char *path,
                               moi_store **out);

#endif
