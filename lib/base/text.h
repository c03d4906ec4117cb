/* SPDX-License-Identifier: MIT
 * lib/base/text.h: a growing text, copying out, and finding the nearest name.
 *
 * A text remembers that it failed: add as often as you like, ask once. */
#ifndef MOI_BASE_TEXT_H
#define MOI_BASE_TEXT_H

#include <modelopt/context.h>

#include "base/status.h"

typedef struct moi_text {
    mopt_context *ctx;
    char *data;       /* NUL-terminated when length > 0 */
    int64_t length;   /* bytes without the NUL */
    int64_t capacity; /* bytes at data */
    int32_t status;   /* MOPT_OK, or why an addition failed */
} moi_text;

void moi_text_init(moi_text *text, mopt_context *ctx);
void moi_text_free(moi_text *text);
void moi_text_add(moi_text *text, const char *piece);
void moi_text_add_bytes(moi_text *text, const void *bytes, int64_t count);
void moi_text_addf(moi_text *text, const char *format, ...) MOI_PRINTF(2, 3);

/* A number, shortest text that reads back the same; "NaN", "Infinity". */
void moi_text_add_number(moi_text *text, double value);

/* A JSON string literal with its quotes. */
void moi_text_add_quoted(moi_text *text, const char *value);

/* The text, "" when empty; only valid while status is MOPT_OK. */
const char *moi_text_get(const moi_text *text);

/* The public rule for texts going out: copy what fits, tell what is needed.
 * MOPT_ERANGE when cut and cap > 0. */
int32_t moi_copy_out(const char *value, char *buf, size_t cap, size_t *needed);

/* Copy out a built text and free it; passes its failure on. */
int32_t moi_text_finish(moi_text *text, char *buf, size_t cap, size_t *needed);

/* Edit distance (Damerau-Levenshtein, restricted), for nearest names. */
int32_t moi_text_distance(const char *a, const char *b);

/* Index of the nearest of count names, -1 if none is near enough to be meant
 * (distance above a third of the longer). name(list, i) gives the names. */
int64_t moi_text_nearest(const char *word, int64_t count,
                         const char *(*name)(const void *list, int64_t i),
                         const void *list);

/* Does name match a glob of '*' and '?'? */
int32_t moi_text_glob(const char *pattern, const char *name);

/* Does it match one of several, commas between? */
int32_t moi_text_in_globs(const char *patterns, const char *name);

#endif
