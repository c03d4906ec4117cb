/* SPDX-License-Identifier: MIT
 * lib/learn/data/arff.c: Weka's ARFF: a header that declares the columns,
 * then rows with commas, plain or gzip
 * (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/). */
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "learn/data/source.h"
#include "learn/data/table.h"

/* A line of the header that is being taken apart. */
typedef struct cursor {
    const moi_records *records;
    char *at, *end;
} cursor;

static int32_t fail_line(const cursor *c, const char *what)
{
    return moi_fail(MOPT_EFORMAT, "%s, line %lld: %s", c->records->path,
                    (long long)c->records->line, what);
}

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* A word, or a text in quotes with its escapes taken out; a bare one ends
 * before a character of stops. */
static int32_t read_word(cursor *c, const char *stops, char **text,
                         int64_t *length)
{
    char quote, *to;

    skip_blanks(c);
    if (c->at == c->end)
        return fail_line(c, "a name or a value is missing");
    quote = *c->at;
    if (quote != '\'' && quote != '"') {
        *text = c->at;
        while (c->at < c->end && !strchr(stops, *c->at))
            c->at++;
        *length = c->at - *text;
        moi_trim(text, length);
        return MOPT_OK;
    }
    to = *text = ++c->at;
    while (c->at < c->end && *c->at != quote) {
        if (*c->at == '\\' && c->at + 1 < c->end)
            c->at++;
        *to++ = *c->at++;
    }
    if (c->at == c->end)
        return fail_line(c, "a quote is opened and never closed");
    c->at++;
    *length = to - *text;
    return MOPT_OK;
}

/* "{a, b, 'c d'}" as the categories of the last column. */
static int32_t read_values(cursor *c, moi_table *table)
{
    char *text;
    int64_t length;
    int32_t rc;

    c->at++;
    for (;;) {
        rc = read_word(c, ",}", &text, &length);
        if (!rc)
            rc = moi_table_declare(table, text, length);
        if (rc)
            return rc;
        skip_blanks(c);
        if (c->at < c->end && *c->at == '}')
            return MOPT_OK;
        if (c->at == c->end || *c->at != ',')
            return fail_line(c, "a list of values is not closed by '}'");
        c->at++;
    }
}

static int32_t is_word(const char *text, int64_t length, const char *word)
{
    return (int64_t)strlen(word) == length &&
           strncasecmp(text, word, (size_t)length) == 0;
}

/* "@attribute name type" behind the keyword. */
static int32_t read_attribute(cursor *c, moi_table *table)
{
    char *name, *type;
    int64_t name_length, length;
    int32_t rc = read_word(c, " \t{", &name, &name_length);

    skip_blanks(c);
    if (!rc && c->at < c->end && *c->at == '{') {
        rc = moi_table_add(table, name, name_length, 1, 1);
        return rc ? rc : read_values(c, table);
    }
    if (!rc)
        rc = read_word(c, " \t", &type, &length);
    if (rc)
        return rc;
    if (is_word(type, length, "numeric") || is_word(type, length, "real") ||
        is_word(type, length, "integer"))
        return moi_table_add(table, name, name_length, 0, 1);
    if (is_word(type, length, "string") || is_word(type, length, "date"))
        return moi_table_add(table, name, name_length, 1, 0);
    return fail_line(c, "the type of a column is none of numeric, real, "
                     "integer, string, date, {values}");
}

/* The header up to the line "@data". */
static int32_t read_header(moi_records *records, moi_table *table)
{
    cursor c = {records, NULL, NULL};
    char *text;
    int64_t length;

    for (;;) {
        int32_t rc = moi_records_line(records, &text, &length);
        if (rc)
            return rc;
        if (!text)
            return moi_fail(MOPT_EFORMAT, "%s: no ARFF file: it has no line "
                            "'@data'", records->path);
        moi_trim(&text, &length);
        if (length == 0 || *text == '%' || (length >= 9 &&
                            strncasecmp(text, "@relation", 9) == 0))
            continue;
        if (is_word(text, length, "@data"))
            return MOPT_OK;
        if (length < 11 || strncasecmp(text, "@attribute", 10) != 0)
            return fail_line(&c, "none of @relation, @attribute, @data, or a "
                             "comment with %");
        c.at = text + 10;
        c.end = text + length;
        rc = read_attribute(&c, table);
        if (rc)
            return rc;
    }
}

static int32_t read_rows(moi_records *records, moi_table *table)
{
    int32_t got = 0, rc = MOPT_OK;

    while (!rc) {
        rc = moi_records_next(records, &got);
        if (rc || !got)
            break;
        if (records->fields[0].length > 0 &&
            *records->fields[0].text == '{')
            return moi_fail(MOPT_EUNSUPPORTED, "%s, line %lld: sparse ARFF "
                            "rows ({place value, ...}) are not read",
                            records->path, (long long)records->line);
        rc = moi_table_row(table, records);
    }
    return rc;
}

static int32_t read_arff(mopt_context *ctx, const char *path,
                         const moi_table_options *options, moi_store **out)
{
    moi_records records;
    moi_table *table = NULL;
    int32_t rc = moi_records_open(ctx, path, &records);

    if (rc)
        return rc;
    records.quotes = "'\"";
    records.backslash = 1;
    rc = moi_table_create(ctx, path, options, &table);
    if (!rc)
        rc = read_header(&records, table);
    if (!rc)
        rc = moi_table_begin(table);
    records.comment = "%";
    if (!rc)
        rc = read_rows(&records, table);
    if (!rc)
        rc = moi_table_finish(table, out);
    moi_table_free(table);
    moi_records_close(&records);
    return rc;
}

static int32_t load(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out)
{
    moi_table_options options;
    char *path = NULL;
    int32_t rc = moi_source_part(ctx, config, part, "source.path",
                                 "source.test", &path);

    if (rc)
        return rc;
    moi_table_options_read(config, &options);
    rc = read_arff(ctx, path, &options, out);
    moi_free(ctx, path);
    return rc;
}

static const moi_key keys[] = {MOI_TABLE_KEYS, MOI_KEYS_END};

const moi_source moi_source_arff = {
    {"arff", "Weka's tables with a header", keys}, load,
};
