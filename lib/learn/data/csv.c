/* SPDX-License-Identifier: MIT
 * lib/learn/data/csv.c: text with a delimiter, plain or gzip.
 *
 * What the file does not say is seen from its first part: the delimiter that
 * cuts all records into equally many fields, a header, which columns are
 * numbers. */
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "learn/data/source.h"
#include "learn/data/table.h"

#define SAMPLE_MOST 1000 /* records that are looked at */

/* What a source's keys say about the text itself. */
typedef struct layout {
    const char *delimiter; /* "auto", a character, "tab", "space" */
    const char *header;    /* "auto", "yes", "no" */
    const char *comment;
    int64_t skip;
} layout;

/* Have at least the first record in the buffer. */
static int32_t reach_record(moi_records *records)
{
    moi_records sample;
    int32_t got = 0, rc = moi_records_reach(records);

    while (!rc && !got) {
        rc = moi_records_sample(records, &sample);
        if (rc)
            break;
        rc = moi_records_next(&sample, &got);
        moi_records_close(&sample);
        /* Quotes may make no sense before the delimiter is known. */
        if (rc == MOPT_EFORMAT)
            return MOPT_OK;
        if (!rc && !got && records->ended)
            break;
        if (!rc && !got)
            rc = moi_records_more(records);
    }
    return rc;
}

/* Fields of the sample's first record if it and nearly all others have as
 * many, else 0. */
static int32_t try_delimiter(const moi_records *records, char delimiter,
                             int64_t *fields)
{
    moi_records sample;
    int64_t same = 0, other = 0, first = 0;
    int32_t got = 0, rc = moi_records_sample(records, &sample);

    if (rc)
        return rc;
    sample.delimiter = delimiter;
    while (same + other < SAMPLE_MOST) {
        rc = moi_records_next(&sample, &got);
        if (rc || !got)
            break;
        if (same + other == 0)
            first = sample.count;
        same += sample.count == first;
        other += sample.count != first;
    }
    moi_records_close(&sample);
    *fields = first > 1 && other * 20 <= same ? first : 0;
    /* A delimiter that makes no sense of the quotes is not the one. */
    return rc == MOPT_EFORMAT ? MOPT_OK : rc;
}

static int32_t detect_delimiter(moi_records *records)
{
    static const char candidates[] = {',', ';', '\t', '|', ' '};
    int64_t i, fields = 0, most = 0;
    int32_t rc = MOPT_OK;

    for (i = 0; i < MOI_COUNT(candidates) && !rc; i++) {
        if (candidates[i] == ' ' && most > 0)
            break;
        rc = try_delimiter(records, candidates[i], &fields);
        if (!rc && fields > most) {
            most = fields;
            records->delimiter = candidates[i];
        }
    }
    return rc;
}

static int32_t set_delimiter(moi_records *records, const char *text)
{
    if (strcmp(text, "auto") == 0)
        return detect_delimiter(records);
    if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0)
        text = "\t";
    else if (strcmp(text, "space") == 0)
        text = " ";
    if (strlen(text) != 1 || strchr("\"\r\n", *text))
        return moi_fail(MOPT_EINVAL, "source.delimiter is '%s'; one "
                        "character, 'tab', 'space' or 'auto' is needed",
                        text);
    records->delimiter = *text;
    return MOPT_OK;
}

/* Does a field hold something, and is it a number? */
#define GAP 0
#define NUMBER 1
#define TEXT 2

static int32_t kind_of(const moi_table *table, const moi_field *f)
{
    double x;

    if (f->length > 0 && (int64_t)moi_number_read(
                             f->text, (size_t)f->length, &x) == f->length)
        return NUMBER;
    return moi_table_missing(table, f->text, f->length) ? GAP : TEXT;
}

/* What the sample says of the columns. */
typedef struct survey {
    int64_t columns;
    moi_piece *names; /* of the first record, in the sample's buffer */
    uint8_t *first;   /* [columns], kinds in the first record */
    uint8_t *numbers, *texts; /* [columns], seen in the others */
    int64_t others;
} survey;

static int32_t survey_first(mopt_context *ctx, const moi_table *table,
                            const moi_records *sample, survey *s)
{
    int64_t i, n = sample->count;

    s->names = moi_alloc(ctx, n, sizeof(*s->names));
    s->first = moi_calloc(ctx, 3 * n, 1);
    if (!s->names || !s->first)
        return MOPT_ENOMEM;
    s->columns = n;
    s->numbers = s->first + n;
    s->texts = s->numbers + n;
    for (i = 0; i < n; i++) {
        s->names[i].text = sample->fields[i].text;
        s->names[i].length = sample->fields[i].length;
        s->first[i] = (uint8_t)kind_of(table, &sample->fields[i]);
    }
    return MOPT_OK;
}

static int32_t take_survey(mopt_context *ctx, const moi_table *table,
                           moi_records *sample, survey *s)
{
    int32_t got = 0, rc = moi_records_next(sample, &got);
    int64_t i;

    if (!rc && !got)
        rc = moi_fail(MOPT_EFORMAT, "%s: has no rows", sample->path);
    if (!rc)
        rc = survey_first(ctx, table, sample, s);
    while (!rc && s->others < SAMPLE_MOST) {
        rc = moi_records_next(sample, &got);
        if (rc || !got)
            break;
        s->others++;
        for (i = 0; i < s->columns && i < sample->count; i++) {
            int32_t kind = kind_of(table, &sample->fields[i]);
            s->numbers[i] |= kind == NUMBER;
            s->texts[i] |= kind == TEXT;
        }
    }
    /* A wrong record is told of when its turn comes. */
    return rc == MOPT_EFORMAT && s->columns ? MOPT_OK : rc;
}

/* The first record is a header if it has texts only, above at least one column
 * of numbers. */
static int32_t has_header(const survey *s, const char *header)
{
    int64_t i;
    int32_t above_numbers = 0;

    if (strcmp(header, "auto") != 0)
        return strcmp(header, "yes") == 0;
    for (i = 0; i < s->columns; i++) {
        if (s->first[i] == NUMBER)
            return 0;
        above_numbers |= s->first[i] == TEXT && s->numbers[i] &&
                         !s->texts[i];
    }
    return above_numbers;
}

/* The columns of the table as the sample shows them. */
static int32_t make_columns(moi_table *table, moi_records *records,
                            const char *header)
{
    moi_records sample;
    survey s = {0};
    int64_t i;
    int32_t got, named = 0, rc = moi_records_sample(records, &sample);

    if (rc)
        return rc;
    rc = take_survey(records->ctx, table, &sample, &s);
    if (!rc)
        named = has_header(&s, header);
    for (i = 0; i < s.columns && !rc; i++) {
        int32_t text = s.texts[i] || (!named && s.first[i] == TEXT);
        rc = moi_table_add(table, named ? s.names[i].text : NULL,
                           s.names[i].length, text, 0);
    }
    if (!rc && named)
        rc = moi_records_next(records, &got);
    moi_free(records->ctx, s.names);
    moi_free(records->ctx, s.first);
    moi_records_close(&sample);
    return rc ? rc : moi_table_begin(table);
}

static int32_t skip_lines(moi_records *records, int64_t lines)
{
    char *text;
    int64_t i, length;
    int32_t rc = MOPT_OK;

    for (i = 0; i < lines && !rc; i++) {
        rc = moi_records_line(records, &text, &length);
        if (!rc && !text)
            break;
    }
    return rc;
}

static int32_t read_table(moi_table *table, moi_records *records,
                          const layout *l, moi_store **out)
{
    int32_t got = 0, rc = skip_lines(records, l->skip);

    records->comment = l->comment;
    if (!rc)
        rc = reach_record(records);
    if (!rc)
        rc = set_delimiter(records, l->delimiter);
    if (!rc)
        rc = make_columns(table, records, l->header);
    while (!rc) {
        rc = moi_records_next(records, &got);
        if (rc || !got)
            break;
        rc = moi_table_row(table, records);
    }
    return rc ? rc : moi_table_finish(table, out);
}

static int32_t read_csv(mopt_context *ctx, const char *path, const layout *l,
                        const moi_table_options *options, moi_store **out)
{
    moi_records records;
    moi_table *table = NULL;
    int32_t rc = moi_records_open(ctx, path, &records);

    if (rc)
        return rc;
    rc = moi_table_create(ctx, path, options, &table);
    if (!rc)
        rc = read_table(table, &records, l, out);
    moi_table_free(table);
    moi_records_close(&records);
    return rc;
}

int32_t moi_table_read_numbers(mopt_context *ctx, const char *path,
                               moi_store **out)
{
    static const layout plain = {"auto", "auto", "", 0};
    static const moi_table_options numbers = {
        "", "", "", "", "", "", "number", 0,
    };

    return read_csv(ctx, path, &plain, &numbers, out);
}

static int32_t load(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out)
{
    moi_table_options options;
    layout l;
    char *path = NULL;
    int32_t rc = moi_source_part(ctx, config, part, "source.path",
                                 "source.test", &path);

    if (rc)
        return rc;
    moi_table_options_read(config, &options);
    options.guess = 1;
    l.delimiter = moi_config_text(config, "source.delimiter");
    l.header = moi_config_text(config, "source.header");
    l.comment = moi_config_text(config, "source.comment");
    l.skip = moi_config_int(config, "source.skip");
    rc = read_csv(ctx, path, &l, &options, out);
    moi_free(ctx, path);
    return rc;
}

static const moi_key keys[] = {
    MOI_TABLE_KEYS,
    MOI_TEXT("delimiter", "auto",
             "between fields: one character, tab, space, or auto"),
    MOI_CHOICE("header", "auto", "auto|yes|no",
               "does the first row name the columns?"),
    MOI_TEXT("comment", "",
             "lines that begin with one of these characters are skipped"),
    MOI_INT("skip", 0, 0, 1e9, "lines to skip at the start"),
    MOI_KEYS_END,
};

const moi_source moi_source_csv = {
    {"csv", "tables as text with delimiters", keys}, load,
};
