/* SPDX-License-Identifier: MIT
 * lib/learn/data/apply.c: a fitted transform applied to rows.
 *
 * Plain numbers are left where they are and scaled while they are gathered.
 * Everything else is encoded once: floats and codes, so that a row of a table
 * takes 4 bytes a column, however many inputs it becomes. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "learn/data/transform.h"

/* What translates the names of one data set into those of the transform. */
typedef struct matcher {
    mopt_context *ctx;
    const mopt_transform *t;
    const moi_store *store;
    int64_t *source; /* [columns], cell of the data for each encoder */
    double **codes;  /* [columns]: NULL, or code here -> code there (-1: none);
                        for numbers: the value of each category */
    double *classes; /* label here -> label there, or number; NULL: the same */
} matcher;

static void matcher_free(matcher *m)
{
    int64_t j;

    for (j = 0; m->codes && j < m->t->columns; j++)
        moi_free(m->ctx, m->codes[j]);
    moi_free(m->ctx, m->codes);
    moi_free(m->ctx, m->source);
    moi_free(m->ctx, m->classes);
}

/* For each name of from its place among to, -1 if it is not there. */
static int32_t translate(mopt_context *ctx, const moi_names *from,
                         const moi_names *to, double *places)
{
    moi_dict dict = {0};
    int32_t code, rc = MOPT_OK;
    int64_t i;

    for (i = 0; i < to->count && !rc; i++)
        rc = moi_dict_add(ctx, &dict, to->text[i],
                          (int64_t)strlen(to->text[i]), &code);
    for (i = 0; i < from->count && !rc; i++)
        places[i] = moi_dict_find(&dict, from->text[i],
                                  (int64_t)strlen(from->text[i]));
    moi_dict_free(ctx, &dict);
    return rc;
}

/* Places by the names of columns. */
static int32_t match_names(matcher *m, const moi_names *have,
                           const moi_names *want)
{
    double *places = moi_alloc(m->ctx, want->count, sizeof(*places));
    int32_t rc = places ? translate(m->ctx, want, have, places) : MOPT_ENOMEM;
    int64_t j;

    for (j = 0; j < want->count && !rc; j++) {
        const char *near;
        m->source[j] = (int64_t)places[j];
        if (places[j] >= 0)
            continue;
        near = moi_names_nearest(have, want->text[j]);
        rc = moi_fail(MOPT_EINVAL, "the data have no column '%s', which the "
                      "transform was fitted on%s%s%s", want->text[j],
                      near ? "; the nearest is '" : "", near ? near : "",
                      near ? "'" : "");
    }
    moi_free(m->ctx, places);
    return rc;
}

/* By name where both have names, else by place. */
static int32_t match_places(matcher *m)
{
    const moi_names *have = &m->store->column_names;
    const moi_names *want = &m->t->column_names;
    int64_t j;

    if (have->text && want->text && !moi_names_equal(have, want))
        return match_names(m, have, want);
    for (j = 0; j < m->t->columns; j++)
        m->source[j] = j;
    return MOPT_OK;
}

/* Codes of one column. */
static int32_t match_column(matcher *m, int64_t j)
{
    const moi_encoder *e = moi_encoder_at(m->t, j);
    const moi_column *column =
        m->store->columns ? &m->store->columns[m->source[j]] : NULL;
    int32_t category = column && column->category;
    char place[MOI_PLACE_SIZE];
    int64_t i;

    if (!e->category && category) {
        /* A column without any number reads as categories: all missing. */
        if (column->categories.count == 0)
            return MOPT_OK;
        return moi_fail(MOPT_EINVAL, "%s holds texts such as '%.40s'; the "
                        "transform was fitted on numbers there",
                        moi_store_place(m->store, m->source[j], place),
                        column->categories.text[0]);
    }
    if (!e->category)
        return MOPT_OK;
    m->codes[j] = moi_alloc(m->ctx, category ? column->categories.count
                                             : e->categories.count,
                            sizeof(**m->codes));
    if (!m->codes[j])
        return MOPT_ENOMEM;
    if (category)
        return translate(m->ctx, &column->categories, &e->categories,
                         m->codes[j]);
    /* Numbers stand for categories that are numbers, else for their places. */
    if (!moi_names_values(&e->categories, m->codes[j]))
        for (i = 0; i < e->categories.count; i++)
            m->codes[j][i] = (double)i;
    return MOPT_OK;
}

static int32_t refuse_kind(const matcher *m)
{
    static const char *const kinds[] = {"no target", "classes", "numbers"};

    return moi_fail(MOPT_EINVAL, "the target of these data is %s; the "
                    "transform was fitted on %s", kinds[m->store->target],
                    kinds[m->t->target]);
}

/* Classes here to classes there, by name if there are names. */
static int32_t match_classes(matcher *m)
{
    const moi_store *store = m->store;
    const moi_names *want = &m->t->class_names;
    int64_t i;

    if (!store->class_names.text || !want->text) {
        if (store->targets <= m->t->targets)
            return MOPT_OK;
    } else if (moi_names_equal(&store->class_names, want)) {
        return MOPT_OK;
    }
    m->classes = moi_alloc(m->ctx, store->targets, sizeof(*m->classes));
    if (!m->classes)
        return MOPT_ENOMEM;
    if (store->class_names.text && want->text)
        return translate(m->ctx, &store->class_names, want, m->classes);
    for (i = 0; i < store->targets; i++)
        m->classes[i] = i < m->t->targets ? (double)i : -1;
    return MOPT_OK;
}

/* The same file read as the other kind of target: names that are numbers stand
 * between them. values[i] is what class i of names means. */
static int32_t match_values(matcher *m, const moi_names *names)
{
    m->classes = moi_alloc(m->ctx, names->count, sizeof(*m->classes));
    if (!m->classes)
        return MOPT_ENOMEM;
    if (!moi_names_values(names, m->classes))
        return refuse_kind(m);
    return MOPT_OK;
}

static int32_t match_target(matcher *m)
{
    const moi_store *store = m->store;
    int32_t want = m->t->target;

    if (store->target == MOPT_TARGET_NONE || want == MOPT_TARGET_NONE)
        return MOPT_OK;
    if (store->target == want) {
        if (want == MOPT_TARGET_CLASS)
            return match_classes(m);
        if (store->targets != m->t->targets)
            return moi_fail(MOPT_EINVAL, "the data have %lld target numbers "
                            "a row; the transform was fitted on %lld",
                            (long long)store->targets,
                            (long long)m->t->targets);
        return MOPT_OK;
    }
    if (want == MOPT_TARGET_CLASS && store->targets == 1)
        return match_values(m, &m->t->class_names);
    if (want == MOPT_TARGET_NUMBER && m->t->targets == 1)
        return match_values(m, &store->class_names);
    return refuse_kind(m);
}

static int32_t matcher_init(matcher *m, const mopt_transform *t,
                            const moi_store *store)
{
    int64_t j;
    int32_t rc = MOPT_ENOMEM;

    memset(m, 0, sizeof(*m));
    m->ctx = store->ctx;
    m->t = t;
    m->store = store;
    if ((!store->column_names.text || !t->column_names.text) &&
        store->width != t->columns)
        return moi_fail(MOPT_EINVAL, "the data have %lld columns; the "
                        "transform was fitted on %lld",
                        (long long)store->width, (long long)t->columns);
    m->source = moi_calloc(m->ctx, t->columns, sizeof(*m->source));
    m->codes = moi_calloc(m->ctx, t->columns, sizeof(*m->codes));
    if (m->source && m->codes)
        rc = match_places(m);
    for (j = 0; j < t->columns && !rc; j++)
        rc = match_column(m, j);
    if (!rc)
        rc = match_target(m);
    return rc;
}

/* The code of a category's cell: -1 for what training never saw. */
static double find_code(const matcher *m, int64_t j, double cell)
{
    const moi_store *store = m->store;
    const moi_encoder *e = moi_encoder_at(m->t, j);
    int64_t i;

    if (cell != cell)
        return e->indicator ? (double)e->categories.count : -1;
    if (store->columns && store->columns[m->source[j]].category)
        return m->codes[j][(int64_t)cell];
    for (i = 0; i < e->categories.count; i++)
        if (m->codes[j][i] == cell)
            return (double)i;
    return -1;
}

/* Keep within float: a value far outside what training saw must not become
 * infinite. */
static float to_float(double x)
{
    const double most = 3e38;

    return (float)(x > most ? most : x < -most ? -most : x);
}

static void encode_row(const matcher *m, const double *cells, float *out)
{
    int64_t j;

    for (j = 0; j < m->t->columns; j++) {
        const moi_encoder *e = moi_encoder_at(m->t, j);
        double cell = cells[m->source[j]];
        if (e->category) {
            *out++ = (float)find_code(m, j, cell);
            continue;
        }
        *out++ = to_float(((cell != cell ? e->fill : cell) - e->center) *
                          e->scale);
        if (e->indicator)
            *out++ = cell != cell;
    }
}

/* The label of a row as the transform counts; -1 if training never saw it. */
static int64_t encode_class(const matcher *m, int64_t row)
{
    int64_t c;
    double y;

    if (m->store->target == MOPT_TARGET_CLASS) {
        c = moi_store_class(m->store, row);
        return m->classes ? (int64_t)m->classes[c] : c;
    }
    moi_store_numbers(m->store, row, &y);
    for (c = 0; c < m->t->class_names.count; c++)
        if (m->classes[c] == y)
            return c;
    return -1;
}

static int32_t refuse_class(const matcher *m, int64_t row)
{
    char text[MOI_NUMBER_SIZE];
    const char *name = text;
    double y;

    if (m->store->target == MOPT_TARGET_CLASS) {
        int64_t c = moi_store_class(m->store, row);
        moi_number_text((double)c, text);
        if (m->store->class_names.text)
            name = m->store->class_names.text[c];
    } else {
        moi_store_numbers(m->store, row, &y);
        moi_number_text(y, text);
    }
    return moi_fail(MOPT_EINVAL, "row %lld is of class '%.60s', which "
                    "training never saw; with \"unknown_class\": \"drop\" "
                    "such rows are left out", (long long)row, name);
}

/* Which rows of the view are encoded; their number goes into *count. */
static int32_t choose_rows(const matcher *m, const mopt_dataset *data,
                           int64_t *rows, int64_t *count)
{
    int32_t check = m->t->target == MOPT_TARGET_CLASS &&
                    m->store->target != MOPT_TARGET_NONE && m->classes;
    int64_t i, n = 0;

    for (i = 0; i < data->rows; i++) {
        int64_t row = moi_dataset_row(data, i);
        if (check && encode_class(m, row) < 0) {
            if (!m->t->drop_unknown)
                return refuse_class(m, row);
            continue;
        }
        rows[n++] = row;
    }
    if (n == 0)
        return moi_fail(MOPT_EINVAL, "no row is of a class that training "
                        "saw");
    *count = n;
    return MOPT_OK;
}

/* Labels of the chosen rows: classes as int32, numbers as they are. */
static int32_t encode_labels(const matcher *m, const int64_t *rows,
                             moi_store *out)
{
    const moi_store *store = m->store;
    int32_t kind = store->target;
    int64_t i;

    if (kind != MOPT_TARGET_NONE && m->t->target != MOPT_TARGET_NONE)
        kind = m->t->target;
    out->target = kind;
    out->targets = kind == m->t->target ? m->t->targets : store->targets;
    if (kind == MOPT_TARGET_NONE)
        return MOPT_OK;
    out->label_type = kind == MOPT_TARGET_CLASS ? MOPT_I32 : MOPT_F64;
    out->own_labels = kind == MOPT_TARGET_CLASS
        ? moi_alloc(m->ctx, out->rows, sizeof(int32_t))
        : moi_alloc(m->ctx, out->rows * out->targets, sizeof(double));
    out->labels = out->own_labels;
    if (!out->labels)
        return MOPT_ENOMEM;
    for (i = 0; i < out->rows; i++) {
        double *numbers = out->own_labels;
        if (kind == MOPT_TARGET_CLASS)
            ((int32_t *)out->own_labels)[i] =
                (int32_t)encode_class(m, rows[i]);
        else if (store->target == MOPT_TARGET_CLASS)
            numbers[i] = m->classes[moi_store_class(store, rows[i])];
        else
            moi_store_numbers(store, rows[i], numbers + i * out->targets);
    }
    return moi_names_copy(m->ctx, &store->class_names, &out->class_names);
}

static int32_t encode_cells(const matcher *m, const int64_t *rows,
                            moi_store *out)
{
    double *cells = moi_alloc(m->ctx, m->store->width, sizeof(*cells));
    int64_t i;

    if (!cells)
        return MOPT_ENOMEM;
    for (i = 0; i < out->rows; i++) {
        moi_store_row(m->store, rows[i], cells);
        encode_row(m, cells, (float *)out->own_cells + i * out->width);
    }
    moi_free(m->ctx, cells);
    return MOPT_OK;
}

/* A store of its own with the encoded rows of a view. */
static int32_t encode(const matcher *m, const mopt_dataset *data,
                      moi_store **out)
{
    int64_t *rows = moi_alloc(m->ctx, data->rows, sizeof(*rows)), count = 0;
    moi_store *store = NULL;
    int32_t rc = rows ? choose_rows(m, data, rows, &count) : MOPT_ENOMEM;

    if (!rc)
        rc = moi_store_create(m->ctx, &store);
    if (!rc)
        rc = moi_store_reserve(store, count, m->t->cells, MOPT_F32);
    if (!rc)
        rc = encode_cells(m, rows, store);
    if (!rc)
        rc = encode_labels(m, rows, store);
    if (rc)
        moi_store_release(store);
    else
        *out = store;
    moi_free(m->ctx, rows);
    return rc;
}

/* Can the rows stay where they are? */
static int32_t scales_in_place(const matcher *m)
{
    const moi_store *store = m->store;
    int64_t j;

    for (j = 0; j < m->t->columns; j++)
        if (m->source[j] != j)
            return 0;
    return !moi_transform_encodes(m->t) && !store->gaps && !m->classes &&
           !store->columns && store->width == m->t->columns &&
           store->type != MOPT_F64 && store->type != MOPT_I32 &&
           store->type != MOPT_I64;
}

int32_t mopt_transform_apply(const mopt_transform *transform,
                             const mopt_dataset *data, mopt_dataset **out)
{
    mopt_dataset *view = NULL;
    moi_store *store = NULL;
    matcher m;
    int32_t rc, in_place = 0;
    int64_t *index = NULL, i;

    if (!transform || !data || !out)
        return moi_fail_null("mopt_transform_apply", !transform ? "transform"
                             : !data ? "data" : "out");
    if (data->transform)
        return moi_fail(MOPT_EINVAL, "mopt_transform_apply: these data have "
                        "been transformed already");
    rc = matcher_init(&m, transform, data->store);
    if (!rc) {
        in_place = scales_in_place(&m);
        if (in_place)
            store = moi_store_hold(data->store);
        else
            rc = encode(&m, data, &store);
    }
    matcher_free(&m);
    if (rc)
        return rc;
    if (in_place && data->index) {
        index = moi_alloc(store->ctx, data->rows, sizeof(*index));
        rc = index ? MOPT_OK : MOPT_ENOMEM;
        for (i = 0; i < data->rows && !rc; i++)
            index[i] = data->index[i];
    }
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    rc = moi_dataset_wrap(store, &view);
    if (rc) {
        moi_free(transform->ctx, index);
        return rc;
    }
    view->index = index;
    view->rows = in_place ? data->rows : store->rows;
    view->encoded = !in_place;
    if (in_place)
        view->image = data->image;
    view->transform = moi_transform_hold((mopt_transform *)(uintptr_t)
                                             transform);
    *out = view;
    return MOPT_OK;
}
