/* SPDX-License-Identifier: MIT
 * lib/learn/data/classes.c: taking the rows of some classes only: a task of
 * its own, or few labels of each. */
#include "learn/data/classes.h"

#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"

/* ---- lists such as "0-4,7" ---- */

static int32_t fail_list(const char *key, const char *text, int64_t classes)
{
    return moi_fail(MOPT_EINVAL, "%s is '%.64s'; classes are numbers from 0 "
                    "to %lld and ranges of them, such as '0-4,7'", key, text,
                    (long long)(classes - 1));
}

/* A number at *at, below classes; -1: there is none. */
static int64_t number(const char **at, int64_t classes)
{
    char *end;
    long long value;

    if (**at < '0' || **at > '9')
        return -1;
    value = strtoll(*at, &end, 10);
    *at = end;
    return value < classes ? value : -1;
}

/* "0-4,7" into named[classes]; an empty text names none. */
static int32_t read_list(const char *key, const char *text, int64_t classes,
                         uint8_t *named)
{
    const char *at = text;

    while (*at) {
        int64_t from = number(&at, classes), to = from;

        if (from >= 0 && *at == '-') {
            at++;
            to = number(&at, classes);
        }
        if (from < 0 || to < from || (*at && *at != ','))
            return fail_list(key, text, classes);
        for (int64_t c = from; c <= to; c++)
            named[c] = 1;
        if (*at == ',' && !*++at)
            return fail_list(key, text, classes);
    }
    return MOPT_OK;
}

static int32_t need_classes(const moi_store *store, const char *key)
{
    if (store->target == MOPT_TARGET_CLASS)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "%s is set, but the rows have no classes",
                    key);
}

/* ---- a task of some classes ---- */

/* Labels from 0 for the classes that are named, their names with them. */
static int32_t relabel(moi_store *store, const uint8_t *named)
{
    mopt_context *ctx = store->ctx;
    int32_t *place = moi_calloc(ctx, store->targets, sizeof *place);
    int32_t *labels = moi_alloc(ctx, store->rows, sizeof *labels);
    moi_piece *kept = moi_calloc(ctx, store->targets, sizeof *kept);
    moi_names names = {0, NULL};
    int32_t count = 0, rc = place && labels && kept ? MOPT_OK : MOPT_ENOMEM;

    for (int64_t c = 0; !rc && c < store->targets; c++) {
        place[c] = count;
        if (named[c] && store->class_names.text)
            kept[count] = (moi_piece){
                store->class_names.text[c],
                (int64_t)strlen(store->class_names.text[c])};
        count += named[c];
    }
    if (!rc && store->class_names.text)
        rc = moi_names_build(ctx, kept, count, &names);
    for (int64_t i = 0; !rc && i < store->rows; i++)
        labels[i] = place[moi_store_class(store, i)];
    moi_free(ctx, place);
    moi_free(ctx, kept);
    if (rc) {
        moi_free(ctx, labels);
        return rc;
    }
    moi_free(ctx, store->own_labels);
    moi_names_free(ctx, &store->class_names);
    store->class_names = names;
    store->labels = store->own_labels = labels;
    store->label_type = MOPT_I32;
    store->targets = count;
    return MOPT_OK;
}

/* The rows whose class is named. */
static int32_t list_rows(const moi_store *store, const uint8_t *named,
                         int64_t **out, int64_t *count)
{
    int64_t *rows = moi_alloc(store->ctx, store->rows, sizeof *rows);

    if (!rows)
        return MOPT_ENOMEM;
    *count = 0;
    for (int64_t i = 0; i < store->rows; i++)
        if (named[moi_store_class(store, i)])
            rows[(*count)++] = i;
    *out = rows;
    if (*count > 0)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "classes: no row is of these classes");
}

static int32_t choose(moi_store *store, const mopt_config *config,
                      int64_t **rows, int64_t *count)
{
    uint8_t *named;
    int32_t rc = need_classes(store, "classes");

    if (rc)
        return rc;
    named = moi_calloc(store->ctx, store->targets, 1);
    rc = named ? read_list("classes", moi_config_text(config, "classes"),
                           store->targets, named)
               : MOPT_ENOMEM;
    if (!rc)
        rc = list_rows(store, named, rows, count);
    if (!rc && moi_config_bool(config, "relabel"))
        rc = relabel(store, named);
    moi_free(store->ctx, named);
    return rc;
}

int32_t moi_classes_take(moi_store *store, const mopt_config *config,
                         mopt_dataset **out)
{
    mopt_context *ctx = store->ctx;
    mopt_dataset *all = NULL;
    int64_t *rows = NULL, count = 0;
    int32_t rc = MOPT_OK;

    if (!*moi_config_text(config, "classes"))
        return moi_dataset_wrap(store, out);
    rc = choose(store, config, &rows, &count);
    if (rc) {
        moi_free(ctx, rows);
        moi_store_release(store);
        return rc;
    }
    rc = moi_dataset_wrap(store, &all);
    if (rc)
        moi_free(ctx, rows);
    else
        rc = moi_dataset_view(all, rows, count, out);
    mopt_dataset_free(all);
    return rc;
}

/* ---- few of each ---- */

static int64_t keep_few(const mopt_dataset *data, const uint8_t *omitted,
                        int64_t most, int64_t *seen, int64_t *rows,
                        int64_t count)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < count; i++) {
        int64_t c = moi_store_class(data->store,
                                    moi_dataset_row(data, rows[i]));

        if (omitted[c] || (most > 0 && seen[c] >= most))
            continue;
        seen[c]++;
        rows[kept++] = rows[i];
    }
    return kept;
}

static void warn_few(mopt_context *ctx, const uint8_t *omitted, int64_t most,
                     const int64_t *seen, int64_t classes)
{
    for (int64_t c = 0; c < classes; c++)
        if (!omitted[c] && seen[c] < most)
            moi_log(ctx, MOPT_LOG_WARN, "data",
                    "split.per_class is %lld, but class %lld has only %lld "
                    "training rows", (long long)most, (long long)c,
                    (long long)seen[c]);
}

int32_t moi_classes_thin(const mopt_dataset *data, const mopt_config *config,
                         int64_t *rows, int64_t *count)
{
    const char *omit = moi_config_text(config, "split.omit");
    int64_t most = moi_config_int(config, "split.per_class"), *seen;
    int64_t classes = data->store->targets;
    mopt_context *ctx = data->store->ctx;
    uint8_t *omitted;
    int32_t rc;

    if (!*omit && most == 0)
        return MOPT_OK;
    rc = need_classes(data->store, *omit ? "split.omit" : "split.per_class");
    if (rc)
        return rc;
    omitted = moi_calloc(ctx, classes, sizeof *omitted);
    seen = moi_calloc(ctx, classes, sizeof *seen);
    rc = omitted && seen ? read_list("split.omit", omit, classes, omitted)
                         : MOPT_ENOMEM;
    if (!rc) {
        *count = keep_few(data, omitted, most, seen, rows, *count);
        warn_few(ctx, omitted, most, seen, classes);
        if (*count == 0)
            rc = moi_fail(MOPT_EINVAL, "split.omit leaves no training rows");
    }
    moi_free(ctx, omitted);
    moi_free(ctx, seen);
    return rc;
}
