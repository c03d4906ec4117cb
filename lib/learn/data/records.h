/* SPDX-License-Identifier: MIT
 * lib/learn/data/records.h: a text file as records of fields.
 *
 * Lines end in LF or CRLF. A field that begins with a quote ends with the same
 * one, may hold delimiters and line ends, and a quote inside it is doubled
 * (RFC 4180, section 2). Blanks around fields do not count. */
#ifndef MOI_LEARN_RECORDS_H
#define MOI_LEARN_RECORDS_H

#include "base/file.h"
#include "base/status.h"

typedef struct moi_field {
    char *text; /* not terminated */
    int64_t length;
    int32_t escapes; /* has doubled quotes or backslashes still */
} moi_field;

typedef struct moi_records {
    mopt_context *ctx;
    const char *path;
    char delimiter;      /* ' ': any run of blanks */
    const char *quotes;  /* characters that open a quoted field */
    int32_t backslash;   /* escapes the next character inside quotes */
    const char *comment; /* a line that begins with one of these is skipped */
    int64_t line;        /* where the record began, from 1 */
    moi_field *fields;   /* of the record; valid until the next call */
    int64_t count;
    /* Inside. */
    moi_reader *reader; /* NULL: only what is in the buffer */
    int32_t ended;      /* nothing follows the buffer */
    int32_t cut;        /* the buffer ends anywhere, perhaps in a record */
    int64_t next_line, field_capacity;
    char *buffer;
    int64_t capacity, at, end;
} moi_records;

/* Open a file; the caller sets delimiter, quotes, ... before reading. path
 * must live as long. */
int32_t moi_records_open(mopt_context *ctx, const char *path,
                         moi_records *records);

/* Step over blank lines and comments to the next record, if there is one. */
int32_t moi_records_reach(moi_records *records);

/* Read on, so that the buffer holds more of what is ahead. */
int32_t moi_records_more(moi_records *records);

/* A copy of what the buffer holds ahead, to look at first. */
int32_t moi_records_sample(const moi_records *records, moi_records *sample);
void moi_records_close(moi_records *records);

/* The next record; *got is 0 at the end. Blank lines are skipped. */
int32_t moi_records_next(moi_records *records, int32_t *got);

/* The next line as it stands, *text NULL at the end. */
int32_t moi_records_line(moi_records *records, char **text, int64_t *length);

/* Blanks off both ends. */
void moi_trim(char **text, int64_t *length);

#endif
