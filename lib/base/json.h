/* SPDX-License-Identifier: MIT
 * lib/base/json.h: JSON documents by jansson, with errors that name the path.
 *
 * jansson's own allocator is process-wide and therefore left alone. */
#ifndef MOI_BASE_JSON_H
#define MOI_BASE_JSON_H

#include <jansson.h>
#include <modelopt/context.h>

#include "base/status.h"

/* A path such as "train.layers[2].units", built on the stack while walking
 * down; parent NULL is the root. */
typedef struct moi_path {
    const struct moi_path *parent;
    const char *key; /* NULL: index */
    int64_t index;
} moi_path;

/* The path as text, cut to fit; the root is "". Returns buf. */
const char *moi_path_text(const moi_path *path, char buf[MOI_PATH_SIZE]);

/* Fail with "<path>: <message>". */
int32_t moi_fail_path(int32_t code, const moi_path *path, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));

/* Parse a text; MOPT_EFORMAT gives line and column. Duplicate keys are
 * refused. Any value is accepted at the top. */
int32_t moi_json_parse(const char *text, json_t **out);

/* The same from a file of at most 64 MiB. */
int32_t moi_json_load(mopt_context *ctx, const char *path, json_t **out);

/* A value as text on one line, from the context's memory; NULL without
 * memory. The caller frees it. Reals are shortest round trip. */
char *moi_json_dump(mopt_context *ctx, const json_t *value);

/* Write a value and release it: for functions that end in copying JSON out.
 * value NULL is MOPT_ENOMEM (a jansson call failed). */
int32_t moi_json_finish(mopt_context *ctx, json_t *value, char *buf,
                        size_t cap, size_t *needed);

/* A value cut to a few words, for messages; returns buf. */
#define MOI_EXCERPT_SIZE 64
const char *moi_json_excerpt(const json_t *value, char buf[MOI_EXCERPT_SIZE]);

/* "a number", "a text", ... */
const char *moi_json_kind(const json_t *value);

/* Add a member, taking over value; 0 or MOPT_ENOMEM. NaN and infinite reals
 * are added as null. */
int32_t moi_json_add(json_t *object, const char *key, json_t *value);
int32_t moi_json_add_number(json_t *object, const char *key, double value);
int32_t moi_json_add_int(json_t *object, const char *key, int64_t value);
int32_t moi_json_add_text(json_t *object, const char *key, const char *value);

#endif
