/* SPDX-License-Identifier: MIT
 * lib/learn/data/names.h: lists of names (categories, classes, columns), and
 * the dictionary that collects them while a file is read. */
#ifndef MOI_LEARN_NAMES_H
#define MOI_LEARN_NAMES_H

#include "base/json.h"

/* A list of UTF-8 texts in one block; text NULL when there is none. */
typedef struct moi_names {
    int64_t count;
    char **text;
} moi_names;

/* Texts by address and length, as they stand in a file: bytes that are not
 * UTF-8 are taken for Latin-1. */
typedef struct moi_piece {
    const char *text;
    int64_t length;
} moi_piece;

int32_t moi_names_build(mopt_context *ctx, const moi_piece *pieces,
                        int64_t count, moi_names *out);
int32_t moi_names_copy(mopt_context *ctx, const moi_names *from,
                       moi_names *out);
void moi_names_free(mopt_context *ctx, moi_names *names);

/* Index of a text, -1 if it is not there. */
int64_t moi_names_find(const moi_names *names, const char *text);

/* The nearest name, NULL if none is near enough to be meant. */
const char *moi_names_nearest(const moi_names *names, const char *text);

/* The same names in the same order? */
int32_t moi_names_equal(const moi_names *a, const moi_names *b);

/* As an array of texts, NULL without memory; and back, MOPT_EFORMAT when it is
 * anything else. */
json_t *moi_names_to_json(const moi_names *names);
int32_t moi_names_from_json(mopt_context *ctx, const json_t *json,
                            moi_names *out);

/* Each name as a number: values[count], and 1 if all of them are numbers. */
int32_t moi_names_values(const moi_names *names, double *values);

/* Distinct texts, numbered in the order in which they came. */
typedef struct moi_dict {
    struct moi_dict_entry *entries;
    int64_t count, entry_capacity;
    int32_t *slots; /* open addressing, -1 is free */
    int64_t slot_count;
    char *bytes;
    int64_t used, byte_capacity;
    int32_t last; /* what was added or met last: values come in runs */
} moi_dict;

void moi_dict_free(mopt_context *ctx, moi_dict *dict);

/* The number of a text, -1 if it was never added. */
int32_t moi_dict_find(const moi_dict *dict, const char *text,
                      int64_t length);

/* Its number, adding it if need be. */
int32_t moi_dict_add(mopt_context *ctx, moi_dict *dict, const char *text,
                     int64_t length, int32_t *code);

/* All texts as names. sorted: by value if all are numbers, else by bytes;
 * rank[count] then receives the place of each code. */
int32_t moi_dict_names(mopt_context *ctx, const moi_dict *dict,
                       int32_t sorted, int32_t *rank, moi_names *out);

#endif
