/* SPDX-License-Identifier: MIT
 * src/cli/json.h: JSON in and out of the library's texts. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli.h"

/* A text that the library copies out. */
typedef struct reply {
    char *data;
    size_t cap, needed;
} reply;

/* Room for what was cut? Returns 1 when the call must be made again. */
int reply_grow(reply *t, int32_t *rc);
void reply_free(reply *t);

/* rc = fn(..., buf, cap, needed), with as much room as it takes. */
#define ASK(rc, t, fn, ...) \
    do { \
        (rc) = fn(__VA_ARGS__, (t)->data, (t)->cap, &(t)->needed); \
    } while (reply_grow((t), &(rc)))

/* The text as JSON; NULL if it is none. Frees the text. */
json_t *reply_json(reply *t);

/* Write compact JSON; a real takes as few digits as give it back. */
void js_print(FILE *file, const json_t *value);

/* A value for a person's eye: "0.9512", "relu", "[3, 4]"; no line breaks. The
 * caller frees it; NULL without memory. */
char *js_brief(const json_t *value);

/* The shortest text that reads back as the same number. */
const char *js_real(double value, char buf[32]);

/* A figure such as an accuracy: "0.9512", "12.3400", "1.2e-05". */
const char *js_figure(const json_t *value, char buf[32]);

/* Member of an object by a path "a.b"; NULL if it is not there. */
json_t *js_at(const json_t *object, const char *path);

/* A number of any kind, or fallback. */
double js_number(const json_t *value, double fallback);

#endif
