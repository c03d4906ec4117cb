/* SPDX-License-Identifier: MIT
 * lib/learn/data/table.c: the columns of a text file while they are read.
 *
 * Rows of doubles, features first and targets behind, are collected in blocks
 * of equal size, so that no row is ever moved before the end. */
#include "learn/data/table.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#define BLOCK_BYTES 524288
#define GUESS_MOST 32 /* classes that are guessed from numbers */

typedef struct column {
    char *name;
    int32_t category, declared;
    int32_t numbers; /* has any been read? */
    int64_t slot;    /* in a row, -1: dropped */
    moi_dict dict;
} column;

struct moi_table {
    mopt_context *ctx;
    const char *path;
    const moi_table_options *options;
    column *columns;
    int64_t count, capacity;
    int32_t named;
    int64_t features, targets; /* slots of a row */
    double **blocks;
    int64_t block_count, block_capacity, block_rows;
    int64_t rows;
    moi_dict missing;
    int64_t missing_longest;
    double *missing_numbers; /* those of the texts that are numbers */
    int64_t missing_count;
};

void moi_table_options_read(const mopt_config *config,
                            moi_table_options *options)
{
    options->target = moi_config_text(config, "source.target");
    options->task = moi_config_text(config, "source.task");
    options->drop = moi_config_text(config, "source.drop");
    options->categorical = moi_config_text(config, "source.categorical");
    options->missing = moi_config_text(config, "source.missing");
    options->strip = moi_config_text(config, "source.strip");
    options->positive = moi_config_text(config, "source.positive");
    options->guess = 0;
}

/* Step through a list with commas; 0 at its end. */
static int32_t next_item(const char **list, char **text, int64_t *length)
{
    const char *comma;

    if (!**list)
        return 0;
    comma = strchr(*list, ',');
    *text = (char *)(uintptr_t)*list;
    *length = comma ? comma - *list : (int64_t)strlen(*list);
    *list += *length + (comma != NULL);
    moi_trim(text, length);
    return 1;
}

static int32_t read_missing(moi_table *t)
{
    const char *list = t->options->missing;
    int64_t length, capacity = 0;
    char *text;
    double value;
    int32_t code, rc = MOPT_OK;

    while (!rc && next_item(&list, &text, &length)) {
        rc = moi_dict_add(t->ctx, &t->missing, text, length, &code);
        if (length > t->missing_longest)
            t->missing_longest = length;
        if (rc || length == 0 ||
            (int64_t)moi_number_read(text, (size_t)length, &value) != length ||
            value != value)
            continue;
        rc = moi_grow(t->ctx, (void **)&t->missing_numbers, &capacity,
                      t->missing_count + 1, sizeof(value));
        if (!rc)
            t->missing_numbers[t->missing_count++] = value;
    }
    return rc;
}

int32_t moi_table_create(mopt_context *ctx, const char *path,
                         const moi_table_options *options, moi_table **out)
{
    moi_table *t = moi_calloc(ctx, 1, sizeof(*t));

    if (!t)
        return MOPT_ENOMEM;
    t->ctx = ctx;
    t->path = path;
    t->options = options;
    if (read_missing(t)) {
        moi_table_free(t);
        return MOPT_ENOMEM;
    }
    *out = t;
    return MOPT_OK;
}

void moi_table_free(moi_table *t)
{
    int64_t i;

    if (!t)
        return;
    for (i = 0; i < t->count; i++) {
        moi_free(t->ctx, t->columns[i].name);
        moi_dict_free(t->ctx, &t->columns[i].dict);
    }
    for (i = 0; i < t->block_count; i++)
        moi_free(t->ctx, t->blocks[i]);
    moi_free(t->ctx, t->blocks);
    moi_free(t->ctx, t->columns);
    moi_free(t->ctx, t->missing_numbers);
    moi_dict_free(t->ctx, &t->missing);
    moi_free(t->ctx, t);
}

int32_t moi_table_add(moi_table *t, const char *name, int64_t length,
                      int32_t category, int32_t declared)
{
    column *c;
    int32_t rc = moi_grow(t->ctx, (void **)&t->columns, &t->capacity,
                          t->count + 1, sizeof(*t->columns));

    if (rc)
        return rc;
    c = &t->columns[t->count];
    memset(c, 0, sizeof(*c));
    c->category = category;
    c->declared = declared;
    if (name) {
        c->name = moi_strndup(t->ctx, name, (size_t)length);
        if (!c->name)
            return MOPT_ENOMEM;
        t->named = 1;
    }
    t->count++;
    return MOPT_OK;
}

/* A label without the characters that are to be stripped from its end. */
static int64_t strip(const moi_table *t, const char *text, int64_t length)
{
    while (length > 0 && strchr(t->options->strip, text[length - 1]))
        length--;
    return length;
}

int32_t moi_table_declare(moi_table *t, const char *text, int64_t length)
{
    int32_t code;

    return moi_dict_add(t->ctx, &t->columns[t->count - 1].dict, text, length,
                        &code);
}

int32_t moi_table_missing(const moi_table *t, const char *text,
                          int64_t length)
{
    if (length == 0)
        return 1;
    return length <= t->missing_longest &&
           moi_dict_find(&t->missing, text, length) >= 0;
}

static const char *column_name(const void *list, int64_t i)
{
    const char *name = ((const column *)list)[i].name;

    return name ? name : "";
}

/* A column by name or place; key names the option in messages. */
static int32_t find_column(const moi_table *t, const char *key,
                           const char *text, int64_t length, int64_t *out)
{
    char copy[64];
    int64_t i, place, near = -1;

    for (i = 0; i < t->count && t->named; i++) {
        const char *name = t->columns[i].name;
        if (name && (int64_t)strlen(name) == length &&
            memcmp(name, text, (size_t)length) == 0) {
            *out = i;
            return MOPT_OK;
        }
    }
    i = length < 63 ? length : 63;
    memcpy(copy, text, (size_t)i);
    copy[i] = '\0';
    if (moi_number_parse_int(copy, &place) && place < t->count &&
        place >= -t->count) {
        *out = place < 0 ? place + t->count : place;
        return MOPT_OK;
    }
    if (t->named)
        near = moi_text_nearest(copy, t->count, column_name, t->columns);
    return moi_fail(MOPT_EINVAL, "source.%s: %s has no column '%s'; it has "
                    "%lld%s%s%s", key, t->path, copy, (long long)t->count,
                    near >= 0 ? ", the nearest is '" : ", counted from 0",
                    near >= 0 ? t->columns[near].name : "",
                    near >= 0 ? "'" : "");
}

/* Give every column of a list the mark slot. */
static int32_t mark_columns(moi_table *t, const char *key, const char *list,
                            void (*mark)(moi_table *, column *))
{
    int64_t at, length = (int64_t)strlen(list);
    char *text;
    int32_t rc = MOPT_OK;

    if (length == 0)
        return MOPT_OK;
    /* A name may have a comma. */
    for (at = 0; at < t->count && t->named; at++) {
        if (t->columns[at].name && strcmp(t->columns[at].name, list) == 0) {
            mark(t, &t->columns[at]);
            return MOPT_OK;
        }
    }
    while (!rc && next_item(&list, &text, &length)) {
        rc = find_column(t, key, text, length, &at);
        if (!rc)
            mark(t, &t->columns[at]);
    }
    return rc;
}

#define IS_FEATURE 0
#define IS_DROPPED (-1)
#define IS_TARGET (-2)

static void mark_dropped(moi_table *t, column *c)
{
    (void)t;
    c->slot = IS_DROPPED;
}

static void mark_target(moi_table *t, column *c)
{
    t->targets += c->slot != IS_TARGET;
    c->slot = IS_TARGET;
}

static void mark_category(moi_table *t, column *c)
{
    (void)t;
    c->category = 1;
}

int32_t moi_table_begin(moi_table *t)
{
    int64_t i, feature = 0, target = 0, bytes;
    int32_t rc = mark_columns(t, "drop", t->options->drop, mark_dropped);

    if (!rc)
        rc = mark_columns(t, "target", t->options->target, mark_target);
    if (!rc)
        rc = mark_columns(t, "categorical", t->options->categorical,
                          mark_category);
    if (rc)
        return rc;
    for (i = 0; i < t->count; i++)
        t->features += t->columns[i].slot == IS_FEATURE;
    if (t->features == 0)
        return moi_fail(MOPT_EFORMAT, "%s: has %lld column%s, none of which "
                        "is left as a feature; is source.delimiter right, or "
                        "do lines have to be skipped (source.skip, "
                        "source.comment)?", t->path, (long long)t->count,
                        t->count == 1 ? "" : "s");
    for (i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        if (c->slot == IS_FEATURE)
            c->slot = feature++;
        else if (c->slot == IS_TARGET)
            c->slot = t->features + target++;
        if (c->slot >= t->features && t->targets > 1 && c->category)
            return moi_fail(MOPT_EINVAL, "source.target: %s: of several "
                            "targets each must be numbers; '%s' is not",
                            t->path, c->name ? c->name : "one");
    }
    bytes = (t->features + t->targets) * (int64_t)sizeof(double);
    t->block_rows = bytes < BLOCK_BYTES ? BLOCK_BYTES / bytes : 1;
    return MOPT_OK;
}

/* The row behind the last one. */
static double *new_row(moi_table *t)
{
    int64_t width = t->features + t->targets;

    if (t->rows == t->block_count * t->block_rows) {
        double *block;
        if (moi_grow(t->ctx, (void **)&t->blocks, &t->block_capacity,
                     t->block_count + 1, sizeof(*t->blocks)))
            return NULL;
        block = moi_alloc(t->ctx, t->block_rows * width, sizeof(*block));
        if (!block)
            return NULL;
        t->blocks[t->block_count++] = block;
    }
    return t->blocks[t->block_count - 1] + t->rows % t->block_rows * width;
}

static double *row_at(const moi_table *t, int64_t row)
{
    return t->blocks[row / t->block_rows] +
           row % t->block_rows * (t->features + t->targets);
}

/* "file, line 7, column 'age'" before what follows. */
static int32_t fail_cell(const moi_table *t, const moi_records *r,
                         const column *c, int32_t code)
{
    if (c->name)
        return moi_fail_at(code, "%s, line %lld, column '%.64s': ", t->path,
                           (long long)r->line, c->name);
    return moi_fail_at(code, "%s, line %lld, column %lld: ", t->path,
                       (long long)r->line, (long long)(c - t->columns));
}

/* A field's text for messages, cut. */
static const char *excerpt(const moi_field *f, char buf[48])
{
    int64_t n = f->length < 40 ? f->length : 40;

    memcpy(buf, f->text, (size_t)n);
    buf[n] = '\0';
    return buf;
}

static int32_t read_category(moi_table *t, column *c, const moi_field *f,
                             double *out)
{
    int64_t length = f->length;
    int32_t code = -1, rc = MOPT_OK;
    char text[48];

    *out = NAN;
    if (moi_table_missing(t, f->text, length))
        return MOPT_OK;
    if (c->slot >= t->features)
        length = strip(t, f->text, length);
    if (!c->declared)
        rc = moi_dict_add(t->ctx, &c->dict, f->text, length, &code);
    else
        code = moi_dict_find(&c->dict, f->text, length);
    if (!rc && code < 0)
        rc = moi_fail(MOPT_EFORMAT, "'%s' is none of the %lld declared "
                      "values", excerpt(f, text), (long long)c->dict.count);
    if (!rc)
        *out = code;
    return rc;
}

/* What to say of a text where numbers belong. */
static int32_t refuse_text(const moi_field *f)
{
    char text[48];

    return moi_fail(MOPT_EFORMAT, "'%s' is no number, and this is a column "
                    "of numbers so far; if it means a missing value, add it "
                    "to source.missing; if these are categories, name the "
                    "column in source.categorical", excerpt(f, text));
}

static int32_t read_number(moi_table *t, column *c, const moi_field *f,
                           double *out)
{
    char text[48];
    double x;
    int64_t i;

    if (f->length > 0 && (int64_t)moi_number_read(
                             f->text, (size_t)f->length, &x) == f->length) {
        if (fabs(x) > (double)FLT_MAX)
            return moi_fail(MOPT_EFORMAT, "%s is too large; at most 3.4e38 "
                            "is possible", excerpt(f, text));
        for (i = 0; i < t->missing_count; i++)
            if (x == t->missing_numbers[i])
                x = NAN;
        c->numbers |= x == x;
        *out = x;
        return MOPT_OK;
    }
    *out = NAN;
    if (moi_table_missing(t, f->text, f->length))
        return MOPT_OK;
    if (c->numbers || c->declared || (c->slot >= t->features &&
                                      t->targets > 1))
        return refuse_text(f);
    /* Nothing but gaps so far, which look the same among categories. */
    c->category = 1;
    return read_category(t, c, f, out);
}

static int32_t refuse_count(const moi_table *t, const moi_records *r)
{
    return moi_fail(MOPT_EFORMAT, "%s, line %lld: %lld field%s, where the "
                    "first row has %lld; lines at the start can be skipped "
                    "by source.skip, others by source.comment", t->path,
                    (long long)r->line, (long long)r->count,
                    r->count == 1 ? "" : "s", (long long)t->count);
}

int32_t moi_table_row(moi_table *t, const moi_records *r)
{
    double *row;
    int64_t i;

    if (r->count != t->count)
        return refuse_count(t, r);
    row = new_row(t);
    if (!row)
        return MOPT_ENOMEM;
    for (i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        const moi_field *f = &r->fields[i];
        double *cell;
        int32_t rc;
        if (c->slot < 0)
            continue;
        cell = &row[c->slot];
        rc = c->category ? read_category(t, c, f, cell)
                         : read_number(t, c, f, cell);
        if (!rc && *cell != *cell && c->slot >= t->features)
            rc = moi_fail(MOPT_EFORMAT, "the target is missing");
        if (rc == MOPT_ENOMEM)
            return rc;
        if (rc)
            return fail_cell(t, r, c, rc);
    }
    t->rows++;
    return MOPT_OK;
}

/* Names of a column's categories in their order; codes of slot follow. */
static int32_t sort_categories(moi_table *t, column *c, moi_names *out)
{
    int32_t *rank = moi_alloc(t->ctx, c->dict.count, sizeof(*rank));
    int64_t i;
    int32_t rc;

    if (!rank)
        return MOPT_ENOMEM;
    rc = moi_dict_names(t->ctx, &c->dict, !c->declared, rank, out);
    for (i = 0; i < t->rows && !rc; i++) {
        double *cell = row_at(t, i) + c->slot;
        if (*cell == *cell)
            *cell = rank[(int64_t)*cell];
    }
    moi_free(t->ctx, rank);
    return rc;
}

/* Kinds and names of the features. */
static int32_t finish_features(moi_table *t, moi_store *store)
{
    moi_piece *names = NULL;
    int64_t i;
    int32_t rc;

    store->columns = moi_calloc(t->ctx, t->features, sizeof(*store->columns));
    if (!store->columns)
        return MOPT_ENOMEM;
    store->width = t->features;
    names = moi_calloc(t->ctx, t->features, sizeof(*names));
    rc = names ? MOPT_OK : MOPT_ENOMEM;
    for (i = 0; i < t->count && !rc; i++) {
        column *c = &t->columns[i];
        moi_column *feature = &store->columns[c->slot < 0 ? 0 : c->slot];
        if (c->slot < 0 || c->slot >= t->features)
            continue;
        if (c->name) {
            names[c->slot].text = c->name;
            names[c->slot].length = (int64_t)strlen(c->name);
        }
        feature->category = c->category;
        if (c->category)
            rc = sort_categories(t, c, &feature->categories);
    }
    if (!rc && t->named)
        rc = moi_names_build(t->ctx, names, t->features,
                             &store->column_names);
    moi_free(t->ctx, names);
    return rc;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The distinct numbers of the target, sorted; the caller frees them. */
static int32_t distinct_numbers(const moi_table *t, double **out,
                                int64_t *count)
{
    double *values = moi_alloc(t->ctx, t->rows, sizeof(*values));
    int64_t i, n = 0;

    if (!values)
        return MOPT_ENOMEM;
    for (i = 0; i < t->rows; i++)
        values[i] = row_at(t, i)[t->features] + 0.0; /* no negative zero */
    qsort(values, (size_t)t->rows, sizeof(*values), compare_doubles);
    for (i = 0; i < t->rows; i++)
        if (i == 0 || values[i] != values[n - 1])
            values[n++] = values[i];
    *out = values;
    *count = n;
    return MOPT_OK;
}

/* Would a person take these numbers for classes? */
static int32_t look_like_classes(const moi_table *t, const double *values,
                                 int64_t count)
{
    int64_t i;

    if (!t->options->guess || count > GUESS_MOST || 4 * count > t->rows)
        return 0;
    for (i = 0; i < count; i++)
        if (values[i] != floor(values[i]))
            return 0;
    return 1;
}

/* Numbers as class names, and the target as their places. */
static int32_t number_classes(moi_table *t, const double *values,
                              int64_t count, moi_names *names)
{
    char (*texts)[MOI_NUMBER_SIZE] = moi_alloc(t->ctx, count,
                                               sizeof(*texts));
    moi_piece *pieces = moi_alloc(t->ctx, count, sizeof(*pieces));
    int32_t rc = texts && pieces ? MOPT_OK : MOPT_ENOMEM;
    int64_t i;

    for (i = 0; i < count && !rc; i++) {
        pieces[i].text = moi_number_text(values[i], texts[i]);
        pieces[i].length = (int64_t)strlen(texts[i]);
    }
    if (!rc)
        rc = moi_names_build(t->ctx, pieces, count, names);
    for (i = 0; i < t->rows && !rc; i++) {
        double *cell = row_at(t, i) + t->features;
        const double *found = bsearch(cell, values, (size_t)count,
                                      sizeof(*values), compare_doubles);
        *cell = (double)(found - values);
    }
    moi_free(t->ctx, texts);
    moi_free(t->ctx, pieces);
    return rc;
}

/* Leave two classes: "rest", and the one that was named. */
static int32_t one_against_rest(moi_table *t, moi_names *names)
{
    const char *positive = t->options->positive, *near;
    moi_piece pieces[2] = {{"rest", 4}, {positive, 0}};
    moi_names two;
    int64_t i, at = moi_names_find(names, positive);
    int32_t rc;

    if (at < 0) {
        near = moi_names_nearest(names, positive);
        return moi_fail(MOPT_EINVAL, "source.positive: %s has no class "
                        "'%s'%s%s%s", t->path, positive,
                        near ? "; the nearest is '" : "", near ? near : "",
                        near ? "'" : "");
    }
    pieces[1].length = (int64_t)strlen(positive);
    rc = moi_names_build(t->ctx, pieces, 2, &two);
    if (rc)
        return rc;
    moi_names_free(t->ctx, names);
    *names = two;
    for (i = 0; i < t->rows; i++) {
        double *cell = row_at(t, i) + t->features;
        *cell = *cell == (double)at;
    }
    return MOPT_OK;
}

static column *target_column(const moi_table *t)
{
    int64_t i = 0;

    while (t->columns[i].slot < t->features)
        i++;
    return &t->columns[i];
}

/* The kind of the target, and the names of its classes if it has any. */
static int32_t finish_kind(moi_table *t, moi_store *store)
{
    const char *task = t->options->task;
    column *c = target_column(t);
    double *values = NULL;
    int64_t count = 0;
    int32_t rc = MOPT_OK, forced = strcmp(task, "class") == 0;

    store->target = MOPT_TARGET_NUMBER;
    if (c->category) {
        if (strcmp(task, "number") == 0)
            return moi_fail(MOPT_EFORMAT, "%s: source.task is 'number', but "
                            "the target holds texts", t->path);
        store->target = MOPT_TARGET_CLASS;
        return sort_categories(t, c, &store->class_names);
    }
    if (t->targets > 1 || strcmp(task, "number") == 0)
        return MOPT_OK;
    rc = distinct_numbers(t, &values, &count);
    if (!rc && forced && count > MOI_CLASSES_MAX)
        rc = moi_fail(MOPT_EFORMAT, "%s: the target has more than %d "
                      "distinct numbers", t->path, MOI_CLASSES_MAX);
    if (!rc && (forced || look_like_classes(t, values, count))) {
        store->target = MOPT_TARGET_CLASS;
        rc = number_classes(t, values, count, &store->class_names);
    }
    moi_free(t->ctx, values);
    return rc;
}

static int32_t name_targets(const moi_table *t, moi_store *store)
{
    moi_piece *names = moi_calloc(t->ctx, t->targets, sizeof(*names));
    int64_t i;
    int32_t rc;

    if (!names)
        return MOPT_ENOMEM;
    for (i = 0; i < t->count; i++) {
        const column *c = &t->columns[i];
        if (c->slot < t->features || !c->name)
            continue;
        names[c->slot - t->features].text = c->name;
        names[c->slot - t->features].length = (int64_t)strlen(c->name);
    }
    rc = moi_names_build(t->ctx, names, t->targets, &store->target_names);
    moi_free(t->ctx, names);
    return rc;
}

static int32_t finish_target(moi_table *t, moi_store *store)
{
    int32_t rc;

    if (t->targets == 0)
        return MOPT_OK;
    rc = finish_kind(t, store);
    if (!rc && t->named)
        rc = name_targets(t, store);
    if (!rc && *t->options->positive) {
        if (store->target != MOPT_TARGET_CLASS)
            return moi_fail(MOPT_EINVAL, "source.positive is '%s', but the "
                            "target of %s is numbers", t->options->positive,
                            t->path);
        rc = one_against_rest(t, &store->class_names);
    }
    if (rc)
        return rc;
    if (store->target == MOPT_TARGET_CLASS) {
        store->targets = store->class_names.count;
        store->label_type = MOPT_I32;
        store->own_labels = moi_alloc(t->ctx, t->rows, sizeof(int32_t));
    } else {
        store->targets = t->targets;
        store->label_type = MOPT_F64;
        store->own_labels = moi_alloc(t->ctx, t->rows * t->targets,
                                      sizeof(double));
    }
    store->labels = store->own_labels;
    return store->labels ? MOPT_OK : MOPT_ENOMEM;
}

/* Cells and labels from the blocks into the store; blocks are freed on the
 * way. */
static void move_rows(moi_table *t, moi_store *store)
{
    double *cells = store->own_cells;
    int64_t i, j;

    for (i = 0; i < t->rows; i++) {
        const double *row = row_at(t, i);
        for (j = 0; j < t->features; j++) {
            cells[i * t->features + j] = row[j];
            store->gaps |= row[j] != row[j];
        }
        if (store->target == MOPT_TARGET_CLASS)
            ((int32_t *)store->own_labels)[i] = (int32_t)row[t->features];
        for (j = 0; j < t->targets && store->target == MOPT_TARGET_NUMBER;
             j++)
            ((double *)store->own_labels)[i * t->targets + j] =
                row[t->features + j];
        if ((i + 1) % t->block_rows == 0) {
            moi_free(t->ctx, t->blocks[i / t->block_rows]);
            t->blocks[i / t->block_rows] = NULL;
        }
    }
}

int32_t moi_table_finish(moi_table *t, moi_store **out)
{
    moi_store *store = NULL;
    int32_t rc;

    if (t->rows == 0)
        return moi_fail(MOPT_EFORMAT, "%s: has no rows", t->path);
    rc = moi_store_create(t->ctx, &store);
    if (!rc)
        rc = finish_features(t, store);
    if (!rc)
        rc = finish_target(t, store);
    if (!rc)
        rc = moi_store_reserve(store, t->rows, t->features, MOPT_F64);
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    move_rows(t, store);
    *out = store;
    return MOPT_OK;
}
