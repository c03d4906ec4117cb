/* SPDX-License-Identifier: MIT
 * lib/learn/data/records.c: a text file as records of fields.
 *
 * Fields point into the buffer. A record that is not wholly there is read on
 * and looked at again from its start; the buffer doubles, so that this costs no
 * more than twice the bytes. */
#include "learn/data/records.h"

#include <string.h>

#include "base/memory.h"

#define BUFFER 262144
#define RECORD_MOST (1 << 26) /* bytes; longer: a quote that is never closed */
#define FIELDS_MOST (1 << 20)

void moi_trim(char **text, int64_t *length)
{
    char *from = *text, *to = from + *length;

    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
        to--;
    *text = from;
    *length = to - from;
}

/* Move what is left to the front, make room, fill it. */
int32_t moi_records_more(moi_records *records)
{
    moi_records *r = records;
    int64_t got = 0;
    int32_t rc;

    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, (size_t)(r->end - r->at));
        r->end -= r->at;
        r->at = 0;
    }
    if (r->end == r->capacity) {
        void *larger;
        if (r->capacity >= RECORD_MOST)
            return moi_fail(MOPT_EFORMAT, "%s, line %lld: a record of more "
                            "than %d bytes; is a quote not closed?", r->path,
                            (long long)r->next_line, RECORD_MOST);
        larger = moi_realloc(r->ctx, r->buffer, 2 * r->capacity, 1);
        if (!larger)
            return MOPT_ENOMEM;
        r->buffer = larger;
        r->capacity *= 2;
    }
    rc = moi_reader_read(r->reader, r->buffer + r->end, r->capacity - r->end,
                         &got);
    if (rc)
        return rc;
    if (memchr(r->buffer + r->end, 0, (size_t)got))
        return moi_fail(MOPT_EFORMAT, "%s: has a zero byte at or after line "
                        "%lld; a text file (UTF-8) is needed", r->path,
                        (long long)r->next_line);
    r->ended = r->end + got < r->capacity;
    r->end += got;
    return MOPT_OK;
}

int32_t moi_records_open(mopt_context *ctx, const char *path,
                         moi_records *records)
{
    moi_records *r = records;
    int32_t rc;

    memset(r, 0, sizeof(*r));
    r->ctx = ctx;
    r->path = path;
    r->delimiter = ',';
    r->quotes = "\"";
    r->comment = "";
    r->next_line = 1;
    rc = moi_reader_open(ctx, path, &r->reader);
    if (rc)
        return rc;
    r->capacity = BUFFER;
    r->buffer = moi_alloc(ctx, r->capacity, 1);
    rc = r->buffer ? moi_records_more(r) : MOPT_ENOMEM;
    if (rc) {
        moi_records_close(r);
        return rc;
    }
    if (r->end >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0)
        r->at = 3; /* UTF-8's byte order mark */
    return MOPT_OK;
}

int32_t moi_records_sample(const moi_records *records, moi_records *sample)
{
    int64_t size = records->end - records->at;

    *sample = *records;
    sample->reader = NULL;
    sample->fields = NULL;
    sample->field_capacity = 0;
    sample->cut = !records->ended;
    sample->ended = 1;
    sample->at = 0;
    sample->end = sample->capacity = size;
    sample->buffer = moi_alloc(records->ctx, size, 1);
    if (!sample->buffer)
        return MOPT_ENOMEM;
    memcpy(sample->buffer, records->buffer + records->at, (size_t)size);
    return MOPT_OK;
}

void moi_records_close(moi_records *records)
{
    moi_reader_close(records->reader);
    moi_free(records->ctx, records->buffer);
    moi_free(records->ctx, records->fields);
    records->reader = NULL;
    records->buffer = NULL;
    records->fields = NULL;
}

/* Is a whole line ahead? Its length without the LF, or -1 at the end. */
static int32_t peek_line(moi_records *r, int64_t *length)
{
    int64_t seen = 0;
    int32_t rc;

    for (;;) {
        const char *from = r->buffer + r->at + seen;
        const char *lf = memchr(from, '\n', (size_t)(r->end - r->at - seen));
        if (lf) {
            *length = lf - (r->buffer + r->at);
            return MOPT_OK;
        }
        seen = r->end - r->at;
        if (r->ended) {
            *length = seen > 0 && !r->cut ? seen : -1;
            return MOPT_OK;
        }
        rc = moi_records_more(r);
        if (rc)
            return rc;
    }
}

/* Step over a line that was peeked. */
static void step(moi_records *r, int64_t length)
{
    r->at += length + 1;
    if (r->at > r->end)
        r->at = r->end;
    r->next_line++;
}

int32_t moi_records_line(moi_records *records, char **text, int64_t *length)
{
    int32_t rc = peek_line(records, length);

    if (rc)
        return rc;
    *text = NULL;
    if (*length < 0)
        return MOPT_OK;
    *text = records->buffer + records->at;
    records->line = records->next_line;
    step(records, *length);
    if (*length > 0 && (*text)[*length - 1] == '\r')
        --*length;
    return MOPT_OK;
}

static int32_t is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Room for one more field. */
static int32_t make_room(moi_records *r)
{
    if (r->count < r->field_capacity)
        return MOPT_OK;
    if (r->count >= FIELDS_MOST)
        return moi_fail(MOPT_EFORMAT, "%s, line %lld: more than %d fields",
                        r->path, (long long)r->line, FIELDS_MOST);
    return moi_grow(r->ctx, (void **)&r->fields, &r->field_capacity,
                    r->count + 1, sizeof(*r->fields));
}

static int32_t add_field(moi_records *r, char *from, char *to,
                         int32_t escapes)
{
    moi_field *field;
    int32_t rc = make_room(r);

    if (rc)
        return rc;
    field = &r->fields[r->count++];
    field->text = from;
    field->length = to - from;
    field->escapes = escapes;
    return MOPT_OK;
}

static int32_t add_trimmed(moi_records *r, char *from, char *to)
{
    while (from < to && is_blank(*from))
        from++;
    while (to > from && is_blank(to[-1]))
        to--;
    return add_field(r, from, to, 0);
}

/* A line without quotes. */
static int32_t split_line(moi_records *r, char *from, char *to)
{
    char *at, delimiter = r->delimiter;
    int32_t rc = MOPT_OK;

    if (delimiter == ' ') {
        while (!rc) {
            while (from < to && is_blank(*from))
                from++;
            if (from == to)
                break;
            for (at = from; at < to && !is_blank(*at); at++)
                ;
            rc = add_field(r, from, at, 0);
            from = at;
        }
        return rc;
    }
    for (at = from; at < to && !rc; at++) {
        if (*at == delimiter) {
            rc = add_trimmed(r, from, at);
            from = at + 1;
        }
    }
    return rc ? rc : add_trimmed(r, from, to);
}

/* What became of a look at a record with quotes. */
#define WHOLE 0
#define MORE 1 /* it goes on behind the buffer */
#define FAILED 2

/* The end of a quoted field whose text starts at p: where the closing quote
 * stands, NULL if it is not there. */
static char *find_close(const moi_records *r, char *p, char quote,
                        int32_t *escapes)
{
    char *end = r->buffer + r->end;

    for (; p < end; p++) {
        if (r->backslash && *p == '\\') {
            *escapes = 1;
            p++;
        } else if (*p == quote) {
            if (p + 1 == end || p[1] != quote)
                return p;
            *escapes = 1;
            p++;
        }
    }
    return NULL;
}

static int32_t read_quoted(moi_records *r, char **at, int32_t *rc)
{
    char *end = r->buffer + r->end, *close;
    int32_t escapes = 0;

    close = find_close(r, *at + 1, **at, &escapes);
    if (!close && (!r->ended || r->cut))
        return MORE;
    if (!close) {
        *rc = moi_fail(MOPT_EFORMAT, "%s, line %lld, field %lld: a quote is "
                       "opened and never closed", r->path,
                       (long long)r->line, (long long)r->count + 1);
        return FAILED;
    }
    *rc = add_field(r, *at + 1, close, escapes);
    if (*rc)
        return FAILED;
    for (close++; close < end && is_blank(*close) &&
                  *close != r->delimiter; close++)
        ;
    if (close == end && !r->ended)
        return MORE; /* what follows decides, be it only a second quote */
    if (close < end && *close != '\n' && *close != r->delimiter &&
        !(r->delimiter == ' ' && is_blank(close[-1]))) {
        *rc = moi_fail(MOPT_EFORMAT, "%s, line %lld, field %lld: text goes on "
                       "behind the closing quote (a quote inside quotes is "
                       "doubled)", r->path, (long long)r->line,
                       (long long)r->count);
        return FAILED;
    }
    *at = close;
    return WHOLE;
}

static int32_t read_bare(moi_records *r, char **at, int32_t *rc)
{
    char *end = r->buffer + r->end, *p = *at;

    while (p < end && *p != '\n' && *p != r->delimiter &&
           !(r->delimiter == ' ' && is_blank(*p)))
        p++;
    if (p == end && (!r->ended || r->cut))
        return MORE;
    *rc = add_trimmed(r, *at, p);
    *at = p;
    return *rc ? FAILED : WHOLE;
}

/* The fields of the record at r->at, which has a quote in its first line; its
 * end goes into *stop. Nothing is changed, so it may be looked at again. */
static int32_t split_record(moi_records *r, char **stop, int32_t *rc)
{
    char *end = r->buffer + r->end, *at = r->buffer + r->at;
    int32_t state, runs = r->delimiter == ' ';

    r->count = 0;
    for (;;) {
        while (at < end && is_blank(*at) && (runs || *at != r->delimiter))
            at++;
        if (runs && (at == end || *at == '\n') && r->count > 0)
            break;
        if (at < end && strchr(r->quotes, *at))
            state = read_quoted(r, &at, rc);
        else
            state = read_bare(r, &at, rc);
        if (state != WHOLE)
            return state;
        if (at == end || *at == '\n')
            break;
        at += !runs; /* over the delimiter */
    }
    if (at == end && (!r->ended || r->cut))
        return MORE;
    *stop = at;
    return WHOLE;
}

/* Take the escapes out of a field: the text only gets shorter. */
static void unescape(const moi_records *r, moi_field *field)
{
    char *to = field->text, quote = field->text[-1];
    const char *from = field->text, *end = from + field->length;

    while (from < end) {
        if (*from == quote || (r->backslash && *from == '\\'))
            from++;
        if (from < end)
            *to++ = *from++;
    }
    field->length = to - field->text;
}

/* A record that has a quote in its first line. */
static int32_t next_quoted(moi_records *r, int32_t *got)
{
    char *stop = NULL, *at;
    int32_t state, rc = MOPT_OK;
    int64_t i;

    for (;;) {
        state = split_record(r, &stop, &rc);
        if (state == FAILED)
            return rc;
        if (state == WHOLE)
            break;
        if (r->ended) { /* a sample that is cut */
            *got = 0;
            return MOPT_OK;
        }
        rc = moi_records_more(r);
        if (rc)
            return rc;
    }
    for (at = r->buffer + r->at; at < stop; at++)
        r->next_line += *at == '\n';
    step(r, stop - (r->buffer + r->at));
    for (i = 0; i < r->count; i++)
        if (r->fields[i].escapes)
            unescape(r, &r->fields[i]);
    *got = 1;
    return MOPT_OK;
}

static int32_t has_quote(const moi_records *r, const char *text,
                         int64_t length)
{
    const char *quote;

    for (quote = r->quotes; *quote; quote++)
        if (memchr(text, *quote, (size_t)length))
            return 1;
    return 0;
}

static int32_t is_skipped(const moi_records *r, const char *text,
                          int64_t length)
{
    int64_t i;

    if (length > 0 && *text && strchr(r->comment, *text))
        return 1;
    for (i = 0; i < length; i++)
        if (!is_blank(text[i]))
            return 0;
    return 1;
}

/* Step over blank lines and comments; the length of the line after them, or
 * -1 at the end. */
static int32_t skip_lines(moi_records *r, int64_t *length)
{
    for (;;) {
        int32_t rc = peek_line(r, length);
        if (rc || *length < 0)
            return rc;
        if (!is_skipped(r, r->buffer + r->at, *length))
            return MOPT_OK;
        step(r, *length);
    }
}

int32_t moi_records_reach(moi_records *records)
{
    int64_t length;

    return skip_lines(records, &length);
}

int32_t moi_records_next(moi_records *records, int32_t *got)
{
    moi_records *r = records;
    int64_t length;
    char *text;
    int32_t rc = skip_lines(r, &length);

    *got = 0;
    if (rc || length < 0)
        return rc;
    text = r->buffer + r->at;
    r->line = r->next_line;
    if (has_quote(r, text, length))
        return next_quoted(r, got);
    r->count = 0;
    rc = split_line(r, text, text + length);
    step(r, length);
    *got = rc == MOPT_OK;
    return rc;
}
