/* SPDX-License-Identifier: MIT
 * lib/learn/data/source.c: the kind "data" of configs, the table of sources,
 * and what they share. */
#include "learn/data/source.h"

#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "learn/data/classes.h"
#include "learn/data/image.h"
#include "learn/data/table.h"

extern const moi_source moi_source_glyphs, moi_source_linear;
extern const moi_source moi_source_idx, moi_source_npy;
extern const moi_source moi_source_csv, moi_source_arff;

static const moi_schema *const sources[] = {
    &moi_source_glyphs.schema, &moi_source_linear.schema,
    &moi_source_idx.schema,    &moi_source_npy.schema,
    &moi_source_csv.schema,    &moi_source_arff.schema,
    NULL,
};

static const moi_key keys[] = {
    MOI_VARIANT("source", "glyphs", sources, "where the rows come from"),
    MOI_TEXT("base", "", "folder that relative paths start from"),
    MOI_TEXT("test_mask", "",
             "file with a row of 0s and 1s for each data row: 1 is a test row"),
    MOI_INT("test_mask_column", 0, 0, 1e6, "column of that file, from 0"),
    MOI_FLOAT("image.rotate", 0, -360, 360,
              "degrees that all images are turned by, counter-clockwise"),
    MOI_TEXT("classes", "",
             "the classes whose rows are taken, by number: 0-4,7; empty: all"),
    MOI_BOOL("relabel", 1,
             "number these classes from 0; otherwise they keep their numbers"),
    MOI_TEXT("split.omit", "",
             "classes whose rows are left out of the training part: 3 or 7-9"),
    MOI_INT("split.per_class", 0, 0, 1e9,
            "training rows of each class that are kept, 0: all"),
    MOI_FLOAT("split.validation", 0.1, 0, 1e15,
              "share of the rows (below 1) or rows to validate on"),
    MOI_FLOAT("split.test", 0, 0, 1e15,
              "share or rows to test on, if there is no test file"),
    MOI_BOOL("split.stratify", 1, "every class in each part, in proportion"),
    MOI_BOOL("split.shuffle", 1, "draw the parts at random, not in order"),
    MOI_INT("split.seed", 0, 0, 0, "of that draw"),
    MOI_CHOICE("scale", "auto", "auto|none|standard|global|minmax|unit",
               "of numbers: standard (mean 0, deviation 1), global (the same "
               "over all columns), minmax (0 to 1), unit (bytes by 255, else "
               "by the largest size), auto (unit for bytes, else standard)"),
    MOI_BOOL("scale_target", 1, "standardise target numbers for training"),
    MOI_BOOL("missing_indicator", 1,
             "an input that tells that a number was missing"),
    MOI_INT("max_categories", 256, 1, 65536,
            "inputs of a column of categories: the most frequent ones"),
    MOI_CHOICE("unknown_class", "fail", "fail|drop",
               "rows whose class training never saw"),
    MOI_KEYS_END,
};

const moi_schema moi_data_schema = {
    "data", "data: where they come from, splits and scaling", keys,
};

int32_t moi_data_config_check(const char *function, const mopt_config *config)
{
    if (!config)
        return moi_fail_null(function, "config");
    if (moi_config_schema(config) != &moi_data_schema)
        return moi_fail(MOPT_EINVAL, "%s: the config is of kind '%s'; one of "
                        "kind 'data' is needed", function,
                        moi_config_schema(config)->name);
    return moi_config_check(config);
}

int32_t moi_source_path(mopt_context *ctx, const mopt_config *config,
                        const char *key, char **out)
{
    const char *path = moi_config_text(config, key);
    const char *base = moi_config_text(config, "base");
    size_t length = base ? strlen(base) : 0, size;
    char *whole;

    *out = NULL;
    if (!path || !*path)
        return MOPT_OK;
    if (*path == '/')
        length = 0;
    size = length + strlen(path) + 2;
    whole = moi_alloc(ctx, (int64_t)size, 1);
    if (!whole)
        return MOPT_ENOMEM;
    if (length) {
        memcpy(whole, base, length);
        if (whole[length - 1] != '/')
            whole[length++] = '/';
    }
    memcpy(whole + length, path, strlen(path) + 1);
    *out = whole;
    return MOPT_OK;
}

int32_t moi_source_part(mopt_context *ctx, const mopt_config *config,
                        int32_t part, const char *path_key,
                        const char *test_key, char **out)
{
    const char *key = part == MOPT_PART_TEST ? test_key : path_key;
    int32_t rc = moi_source_path(ctx, config, key, out);

    if (rc || *out)
        return rc;
    if (part == MOPT_PART_TEST)
        return moi_fail(MOPT_ENOENT, "there is no test file: %s is not set",
                        key);
    return moi_fail(MOPT_EINVAL, "%s is not set: the path of a file is "
                    "needed", key);
}

int32_t moi_source_count(const mopt_config *config, int32_t part,
                         int64_t *rows)
{
    *rows = moi_config_int(config, part == MOPT_PART_TEST
                                       ? "source.test_count" : "source.count");
    if (*rows == 0)
        return moi_fail(MOPT_ENOENT, "source.test_count is 0: there are no "
                        "test rows");
    return MOPT_OK;
}

void moi_source_row_rng(moi_rng *rng, uint64_t seed, int32_t part,
                        int64_t row)
{
    /* An index has 26 bits (rng.c); what is above goes beside the part. */
    moi_rng_init(rng, seed, (uint32_t)(row >> 26) << 2 | (uint32_t)part,
                 MOI_RNG_GENERATE, (uint32_t)(row & 0x3ffffff));
}

int32_t moi_little_endian(void)
{
    const uint16_t one = 1;
    char first;

    memcpy(&first, &one, 1);
    return first == 1;
}

/* Turn the bytes of each element round. */
static void reverse(char *bytes, int64_t count, int64_t size)
{
    int64_t i, k;

    for (i = 0; i < count; i++, bytes += size) {
        for (k = 0; k < size / 2; k++) {
            char byte = bytes[k];
            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = byte;
        }
    }
}

/* Plain files cannot hold more than their size; of a packed one we believe
 * four times that before the rest is there to see. */
static int64_t believable(const moi_reader *reader, int64_t bytes)
{
    int64_t disk = moi_reader_disk_size(reader), trust;

    trust = disk < INT64_MAX / 4 ? 4 * disk : 0; /* a pipe tells nothing */
    trust = trust < 65536 ? 65536 : trust;
    return bytes < trust ? bytes : trust;
}

int32_t moi_read_elements(mopt_context *ctx, moi_reader *reader,
                          const char *path, int64_t count, int64_t size,
                          int32_t swap, void **out)
{
    int64_t bytes, got = 0, done = 0, capacity = 0;
    void *block = NULL;
    int32_t rc = moi_multiply(count, size, path, &bytes);

    if (rc)
        return rc;
    if (!moi_reader_packed(reader) &&
        bytes > moi_reader_disk_size(reader) - moi_reader_offset(reader))
        return moi_fail(MOPT_EFORMAT, "%s: its header promises %lld bytes, "
                        "but only %lld follow", path, (long long)bytes,
                        (long long)(moi_reader_disk_size(reader) -
                                    moi_reader_offset(reader)));
    capacity = believable(reader, bytes);
    block = moi_alloc(ctx, capacity, 1);
    rc = block ? MOPT_OK : MOPT_ENOMEM;
    while (!rc && done < bytes) {
        if (done == capacity) {
            int64_t more = bytes - done < done ? bytes : 2 * done;
            void *larger = moi_realloc(ctx, block, more, 1);
            if (!larger) {
                rc = MOPT_ENOMEM;
                break;
            }
            block = larger;
            capacity = more;
        }
        rc = moi_reader_read(reader, (char *)block + done, capacity - done,
                             &got);
        if (!rc && got == 0)
            rc = moi_fail(MOPT_EFORMAT, "%s: ends early: its header promises "
                          "%lld bytes, but only %lld follow", path,
                          (long long)bytes, (long long)done);
        done += got;
    }
    if (rc) {
        moi_free(ctx, block);
        return rc;
    }
    if (swap && size > 1)
        reverse(block, count, size);
    *out = block;
    return MOPT_OK;
}

int32_t moi_read_end(moi_reader *reader, const char *path)
{
    char byte;
    int64_t got = 0;
    int32_t rc = moi_reader_read(reader, &byte, 1, &got);

    if (!rc && got)
        rc = moi_fail(MOPT_EFORMAT, "%s: goes on at byte %lld, where its "
                      "header says it ends", path,
                      (long long)(moi_reader_offset(reader) - 1));
    return rc;
}

/* Take the content of other as the target of store. */
static int32_t take_labels(moi_store *store, moi_store *other,
                           const char *path)
{
    int32_t numbers = other->type == MOPT_F32 || other->type == MOPT_F64;

    if (other->rows != store->rows)
        return moi_fail(MOPT_EFORMAT, "%s: %lld labels for %lld rows", path,
                        (long long)other->rows, (long long)store->rows);
    if (!numbers && other->width != 1)
        return moi_fail(MOPT_EFORMAT, "%s: %lld whole numbers a row; one "
                        "class label, or floating-point numbers, are needed",
                        path, (long long)other->width);
    store->target = numbers ? MOPT_TARGET_NUMBER : MOPT_TARGET_CLASS;
    store->targets = numbers ? other->width
                             : other->type == MOPT_BOOL ? 2 : 0;
    store->label_type = other->type;
    store->labels = store->own_labels = other->own_cells;
    other->own_cells = NULL;
    return moi_store_scan_labels(store, MOPT_EFORMAT, path);
}

int32_t moi_source_arrays(mopt_context *ctx, const mopt_config *config,
                          int32_t part, moi_array_fn load, moi_store **out)
{
    char *path = NULL, *labels = NULL;
    moi_store *store = NULL, *other = NULL;
    int32_t rc = moi_source_part(ctx, config, part, "source.path",
                                 "source.test", &path);

    if (!rc)
        rc = moi_source_path(ctx, config, part == MOPT_PART_TEST
                                 ? "source.test_labels" : "source.labels",
                             &labels);
    if (!rc)
        rc = load(ctx, path, &store);
    if (!rc)
        rc = moi_store_scan(store, MOPT_EFORMAT, path);
    if (!rc && labels)
        rc = load(ctx, labels, &other);
    if (!rc && labels)
        rc = take_labels(store, other, labels);
    moi_store_release(other);
    moi_free(ctx, path);
    moi_free(ctx, labels);
    if (rc)
        moi_store_release(store);
    else
        *out = store;
    return rc;
}

/* Keep the rows whose mark says test, or the others. */
static int32_t keep_marked(const mopt_dataset *data, const double *marks,
                           int32_t test, const char *path,
                           mopt_dataset **out)
{
    mopt_context *ctx = data->store->ctx;
    int64_t i, count = 0;
    int64_t *index = moi_alloc(ctx, data->rows, sizeof(*index));

    if (!index)
        return MOPT_ENOMEM;
    for (i = 0; i < data->rows; i++)
        if ((marks[i] == 1) == test)
            index[count++] = i;
    if (count == 0) {
        moi_free(ctx, index);
        return moi_fail(MOPT_EINVAL, "%s: marks %s row as a test row", path,
                        test ? "no" : "every");
    }
    return moi_dataset_view(data, index, count, out);
}

/* A column of marks, each 0 or 1; marks[rows]. */
static int32_t read_marks(const moi_store *mask, int64_t column, int64_t rows,
                          const char *path, double *marks)
{
    mopt_context *ctx = mask->ctx;
    double *cells = moi_alloc(ctx, mask->width, sizeof(*cells));
    char text[MOI_NUMBER_SIZE];
    int64_t i;
    int32_t rc = cells ? MOPT_OK : MOPT_ENOMEM;

    if (!rc && mask->rows != rows)
        rc = moi_fail(MOPT_EFORMAT, "%s: %lld rows of marks for %lld rows of "
                      "data", path, (long long)mask->rows, (long long)rows);
    if (!rc && column >= mask->width)
        rc = moi_fail(MOPT_EINVAL, "test_mask_column is %lld, but %s has "
                      "%lld columns", (long long)column, path,
                      (long long)mask->width);
    for (i = 0; i < rows && !rc; i++) {
        moi_store_row(mask, i, cells);
        marks[i] = cells[column];
        if (marks[i] != 0 && marks[i] != 1)
            rc = moi_fail(MOPT_EFORMAT, "%s: row %lld, column %lld is %s; a "
                          "mark is 0 or 1", path, (long long)i,
                          (long long)column,
                          moi_number_text(marks[i], text));
    }
    moi_free(ctx, cells);
    return rc;
}

/* The rows of a part as a file of marks says. */
static int32_t apply_mask(const mopt_config *config, const char *path,
                          int32_t part, const mopt_dataset *data,
                          mopt_dataset **out)
{
    mopt_context *ctx = data->store->ctx;
    double *marks = moi_alloc(ctx, data->rows, sizeof(*marks));
    moi_store *mask = NULL;
    int32_t rc = marks ? MOPT_OK : MOPT_ENOMEM;

    if (!rc)
        rc = moi_table_read_numbers(ctx, path, &mask);
    if (!rc)
        rc = read_marks(mask, moi_config_int(config, "test_mask_column"),
                        data->rows, path, marks);
    if (!rc)
        rc = keep_marked(data, marks, part == MOPT_PART_TEST, path, out);
    moi_store_release(mask);
    moi_free(ctx, marks);
    return rc;
}

static int32_t load_source(mopt_context *ctx, const mopt_config *config,
                           int32_t part, mopt_dataset **out)
{
    /* A schema of the table is the first member of its source. */
    const moi_source *source =
        (const void *)moi_config_variant(config, "source");
    moi_store *store = NULL;
    double degrees = moi_config_float(config, "image.rotate");
    int32_t rc = source->load(ctx, config, part, &store);

    if (!rc && degrees != 0)
        rc = moi_image_rotate(store, degrees);
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    return moi_classes_take(store, config, out);
}

int32_t mopt_dataset_load(mopt_context *ctx, const mopt_config *config,
                          int32_t part, mopt_dataset **out)
{
    mopt_dataset *data = NULL, *kept = NULL;
    char *mask = NULL;
    int32_t rc;

    if (!ctx || !out)
        return moi_fail_null("mopt_dataset_load", !ctx ? "ctx" : "out");
    if (part != MOPT_PART_TRAIN && part != MOPT_PART_TEST)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_load: part is %d; sources "
                        "have MOPT_PART_TRAIN and MOPT_PART_TEST", (int)part);
    rc = moi_data_config_check("mopt_dataset_load", config);
    if (!rc)
        rc = moi_source_path(ctx, config, "test_mask", &mask);
    if (!rc)
        rc = load_source(ctx, config, mask ? MOPT_PART_TRAIN : part, &data);
    if (!rc && mask)
        rc = apply_mask(config, mask, part, data, &kept);
    if (!rc && mask) {
        mopt_dataset_free(data);
        data = kept;
    }
    if (rc)
        mopt_dataset_free(data);
    else
        *out = data;
    moi_free(ctx, mask);
    return rc;
}
