/* SPDX-License-Identifier: MIT
 * tests/unit/data/data_kit.h: what the tests of data sets share. */
#ifndef TESTS_DATA_KIT_H
#define TESTS_DATA_KIT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

/* A config of kind "data" from JSON. */
static inline mopt_config *data_config(mopt_context *ctx, const char *json)
{
    mopt_config *config = NULL;
    kit_ok(mopt_config_create(ctx, "data", &config));
    kit_ok(mopt_config_set_json(config, json));
    return config;
}

/* Load a part as JSON says; returns the status. */
static inline int32_t data_load(mopt_context *ctx, int32_t part,
                                mopt_dataset **out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static inline int32_t data_load(mopt_context *ctx, int32_t part,
                                mopt_dataset **out, const char *format, ...)
{
    char json[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof json, format, args);
    va_end(args);
    mopt_config *config = data_config(ctx, json);
    int32_t rc = mopt_dataset_load(ctx, config, part, out);
    mopt_config_free(config);
    return rc;
}

/* A text file in the folder of the test; returns its path. */
static inline const char *data_text(const char *name, const char *text)
{
    const char *path = kit_path(name);
    kit_write(path, text, strlen(text));
    return path;
}

/* Load a CSV text; more is further members of the source, each with a comma
 * before it. */
static inline int32_t data_csv(mopt_context *ctx, const char *text,
                               const char *more, mopt_dataset **out)
{
    return data_load(ctx, MOPT_PART_TRAIN, out,
                     "{\"source\": {\"type\": \"csv\", \"path\": \"%s\"%s}}",
                     data_text("table.csv", text), more);
}

static inline int32_t data_arff(mopt_context *ctx, const char *text,
                                const char *more, mopt_dataset **out)
{
    return data_load(ctx, MOPT_PART_TRAIN, out,
                     "{\"source\": {\"type\": \"arff\", \"path\": \"%s\"%s}}",
                     data_text("table.arff", text), more);
}

/* The description of a data set; the caller frees it. */
static inline char *data_describe(const mopt_dataset *data)
{
    size_t needed = 0;
    kit_ok(mopt_dataset_describe(data, NULL, 0, &needed));
    char *text = malloc(needed);
    ck_assert_ptr_nonnull(text);
    kit_ok(mopt_dataset_describe(data, text, needed, NULL));
    return text;
}

/* Does the description contain a piece? */
#define data_says(data, piece)                                      \
    do {                                                            \
        char *said = data_describe(data);                           \
        ck_assert_msg(strstr(said, piece) != NULL, "no %s in %s",   \
                      piece, said);                                 \
        free(said);                                                 \
    } while (0)

/* All features and targets of a data set are these numbers (NaN for a gap). */
static inline void data_is_at(const mopt_dataset *data, int64_t rows,
                              int64_t features, const double *x,
                              const double *y, const char *file, int line)
{
    int64_t got_rows, got_features;
    kit_ok(mopt_dataset_shape(data, &got_rows, &got_features, NULL, NULL));
    ck_assert_msg(got_rows == rows && got_features == features,
                  "%s:%d: %lld x %lld, not %lld x %lld", file, line,
                  (long long)got_rows, (long long)got_features,
                  (long long)rows, (long long)features);
    float *cells = malloc(sizeof(float) * (size_t)(rows * features));
    float *labels = malloc(sizeof(float) * (size_t)rows);
    ck_assert_ptr_nonnull(cells);
    ck_assert_ptr_nonnull(labels);
    kit_ok(mopt_dataset_read(data, 0, rows, cells, y ? labels : NULL));
    for (int64_t i = 0; i < rows * features; i++) {
        float want = (float)x[i], got = cells[i];
        ck_assert_msg(want == got || (want != want && got != got),
                      "%s:%d: cell %lld,%lld is %g, not %g", file, line,
                      (long long)(i / features), (long long)(i % features),
                      (double)got, (double)want);
    }
    for (int64_t i = 0; y && i < rows; i++)
        ck_assert_msg(labels[i] == (float)y[i],
                      "%s:%d: label %lld is %g, not %g", file, line,
                      (long long)i, (double)labels[i], y[i]);
    free(cells);
    free(labels);
}
#define data_is(data, rows, features, x, y) \
    data_is_at(data, rows, features, x, y, __FILE__, __LINE__)

#endif
