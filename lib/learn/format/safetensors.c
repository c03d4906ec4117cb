/* SPDX-License-Identifier: MIT
 * lib/learn/format/safetensors.c: reading and writing safetensors files.
 *
 * 8 bytes: the header's size, little-endian. The header: a JSON object of
 * tensors with type, shape and place, "__metadata__" with texts. Then the
 * buffer, which the tensors cover without holes or overlaps. A file is taken
 * for hostile: every number in it is checked before it is used, and no more
 * memory is taken than the file has bytes for. */
#include "learn/format/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian: this machine needs byte swaps"
#endif

#define PREFIX 8                       /* bytes of the header's size */
#define HEADER_LIMIT ((int64_t)100000000) /* the format's own limit */
#define ALIGN 64                       /* where the written buffer starts */

typedef struct type_name {
    const char *name;
    int32_t type; /* 0: known, but not read */
    int64_t size;
} type_name;

static const type_name type_names[] = {
    {"F32", MOPT_F32, 4},  {"F64", MOPT_F64, 8},   {"U8", MOPT_U8, 1},
    {"I8", MOPT_I8, 1},    {"I16", MOPT_I16, 2},   {"I32", MOPT_I32, 4},
    {"I64", MOPT_I64, 8},  {"BOOL", MOPT_BOOL, 1}, {"F16", MOI_F16, 2},
    {"BF16", MOI_BF16, 2}, {"U16", 0, 2},          {"U32", 0, 4},
    {"U64", 0, 8},         {"F8_E5M2", 0, 1},      {"F8_E4M3", 0, 1},
    {"F8_E8M0", 0, 1},     {"C64", 0, 8},
};

struct moi_safetensors {
    mopt_context *ctx;
    char *bytes;        /* the whole file; or */
    moi_reader *reader; /* where the rest of it is */
    json_t *header;
    const json_t *metadata; /* in header; NULL: none */
    moi_tensor *tensors;
    int64_t count;
};

int64_t moi_tensor_count(const moi_tensor *tensor)
{
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->rank; i++)
        count *= tensor->shape[i];
    return count;
}

/* ---- reading the header ---- */

static int32_t fail_tensor(const char *name, const char *what,
                           const json_t *value)
{
    char excerpt[MOI_EXCERPT_SIZE];
    return moi_fail(MOPT_EFORMAT, "tensor '%.100s': %s: %s", name, what,
                    value != NULL ? moi_json_excerpt(value, excerpt)
                                  : "nothing");
}

static int32_t read_type(const char *name, const json_t *value,
                         moi_tensor *tensor, int64_t *size)
{
    const char *text = json_string_value(value);
    for (int64_t i = 0; text != NULL && i < MOI_COUNT(type_names); i++)
        if (strcmp(type_names[i].name, text) == 0) {
            tensor->type = type_names[i].type;
            *size = type_names[i].size;
            return MOPT_OK;
        }
    return fail_tensor(name, "\"dtype\" is not a type of safetensors", value);
}

/* The shape, and the bytes that it takes at size a value. */
static int32_t read_shape(const char *name, const json_t *value, int64_t size,
                          moi_tensor *tensor)
{
    size_t rank = json_array_size(value);
    if (!json_is_array(value) || rank > MOI_TENSOR_RANK)
        return fail_tensor(name, "\"shape\" is not a list of 8 sizes or fewer",
                           value);
    tensor->rank = (int32_t)rank;
    tensor->bytes = size;
    for (size_t i = 0; i < rank; i++) {
        const json_t *item = json_array_get(value, i);
        tensor->shape[i] = json_integer_value(item);
        if (!json_is_integer(item) || tensor->shape[i] < 0)
            return fail_tensor(name, "\"shape\" has what is not a size", item);
        if (__builtin_mul_overflow(tensor->bytes, tensor->shape[i],
                                   &tensor->bytes))
            return fail_tensor(name, "\"shape\" is too large", value);
    }
    return MOPT_OK;
}

/* The place in the buffer of room bytes. */
static int32_t read_place(const char *name, const json_t *value, int64_t room,
                          moi_tensor *tensor)
{
    const json_t *first = json_array_get(value, 0);
    const json_t *last = json_array_get(value, 1);
    int64_t begin = json_integer_value(first), end = json_integer_value(last);
    if (json_array_size(value) != 2 || !json_is_integer(first) ||
        !json_is_integer(last))
        return fail_tensor(name, "\"data_offsets\" is not a list of two "
                                 "offsets", value);
    if (begin < 0 || end < begin || end > room)
        return moi_fail(MOPT_EFORMAT,
                        "tensor '%.100s': it lies at %" PRId64 " .. %" PRId64
                        " of a buffer of %" PRId64 " bytes", name, begin, end,
                        room);
    if (end - begin != tensor->bytes)
        return moi_fail(MOPT_EFORMAT,
                        "tensor '%.100s': it has %" PRId64 " bytes, but its "
                        "shape and type take %" PRId64, name, end - begin,
                        tensor->bytes);
    tensor->place = begin;
    return MOPT_OK;
}

static int32_t read_tensor(const char *name, const json_t *entry, int64_t room,
                           moi_tensor *tensor)
{
    int64_t size = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)entry, key, value)
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0)
            return fail_tensor(name, "a key is unknown", json_object_get(
                entry, key));
    if (!json_is_object(entry))
        return fail_tensor(name, "it is not an object", entry);
    tensor->name = name;
    int32_t rc = read_type(name, json_object_get(entry, "dtype"), tensor,
                           &size);
    if (rc == MOPT_OK)
        rc = read_shape(name, json_object_get(entry, "shape"), size, tensor);
    if (rc == MOPT_OK)
        rc = read_place(name, json_object_get(entry, "data_offsets"), room,
                        tensor);
    return rc;
}

static int by_place(const void *a, const void *b)
{
    const moi_tensor *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The tensors cover the buffer: no holes, no overlaps, nothing behind. */
static int32_t check_cover(moi_safetensors *file, int64_t room)
{
    int64_t at = 0;
    if (file->count > 1)
        qsort(file->tensors, (size_t)file->count, sizeof(moi_tensor),
              by_place);
    for (int64_t i = 0; i < file->count; i++) {
        const moi_tensor *tensor = &file->tensors[i];
        if (tensor->place != at)
            return moi_fail(MOPT_EFORMAT,
                            "tensor '%.100s': there is %s before it, at byte "
                            "%" PRId64 " of the buffer", tensor->name,
                            tensor->place > at ? "a hole" : "an overlap", at);
        at += tensor->bytes;
    }
    if (at == room)
        return MOPT_OK;
    return moi_fail(MOPT_EFORMAT,
                    "the tensors end at byte %" PRId64 " of a buffer of "
                    "%" PRId64 " bytes", at, room);
}

static int32_t read_metadata(moi_safetensors *file)
{
    const char *key;
    json_t *value;
    file->metadata = json_object_get(file->header, "__metadata__");
    if (file->metadata == NULL)
        return MOPT_OK;
    if (!json_is_object(file->metadata))
        return moi_fail(MOPT_EFORMAT, "\"__metadata__\" is not an object");
    json_object_foreach((json_t *)file->metadata, key, value)
        if (!json_is_string(value))
            return moi_fail(MOPT_EFORMAT, "\"__metadata__\": '%.100s' is not "
                                          "a text", key);
    return MOPT_OK;
}

/* The buffer begins at a byte of the file, and has room bytes. */
static int32_t read_tensors(moi_safetensors *file, int64_t begin, int64_t room)
{
    const char *name;
    json_t *entry;
    int32_t rc = read_metadata(file);
    if (rc != MOPT_OK)
        return rc;
    file->tensors = moi_calloc(file->ctx,
                               (int64_t)json_object_size(file->header),
                               sizeof(moi_tensor));
    if (file->tensors == NULL)
        return MOPT_ENOMEM;
    json_object_foreach(file->header, name, entry) {
        if (entry == file->metadata)
            continue;
        rc = read_tensor(name, entry, room,
                         &file->tensors[file->count++]);
        if (rc != MOPT_OK)
            return rc;
    }
    rc = check_cover(file, room);
    for (int64_t i = 0; i < file->count && rc == MOPT_OK; i++) {
        moi_tensor *tensor = &file->tensors[i];
        tensor->place += begin;
        tensor->data = file->bytes != NULL ? file->bytes + tensor->place
                                           : NULL;
    }
    return rc;
}

/* The header as JSON: size bytes at text. */
static int32_t read_header(moi_safetensors *file, const char *text,
                           int64_t size)
{
    char *copy = moi_strndup(file->ctx, text, (size_t)size);
    if (copy == NULL)
        return MOPT_ENOMEM;
    int32_t rc = MOPT_OK;
    if (size == 0 || text[0] != '{' || (int64_t)strlen(copy) != size)
        rc = moi_fail(MOPT_EFORMAT, "the header is not a JSON object");
    if (rc == MOPT_OK)
        rc = moi_json_parse(copy, &file->header);
    moi_free(file->ctx, copy);
    if (rc == MOPT_EFORMAT)
        return moi_fail_at(rc, "the header: ");
    return rc;
}

/* How long the header is that begins with these bytes, in a file so large. */
static int32_t read_length(const char *prefix, int64_t size, int64_t *length)
{
    uint64_t head = 0;
    if (size < PREFIX)
        return moi_fail(MOPT_EFORMAT,
                        "not safetensors: %" PRId64 " bytes are too few",
                        size);
    memcpy(&head, prefix, PREFIX);
    if (head > (uint64_t)(size - PREFIX) || head > (uint64_t)HEADER_LIMIT)
        return moi_fail(MOPT_EFORMAT,
                        "not safetensors: a header of %" PRIu64 " bytes in a "
                        "file of %" PRId64 " (at most %" PRId64
                        " are allowed)", head, size, HEADER_LIMIT);
    *length = (int64_t)head;
    return MOPT_OK;
}

static int32_t parse(moi_safetensors *file, int64_t size)
{
    int64_t length = 0;
    int32_t rc = read_length(file->bytes, size, &length);
    if (rc == MOPT_OK)
        rc = read_header(file, file->bytes + PREFIX, length);
    if (rc == MOPT_OK)
        rc = read_tensors(file, PREFIX + length, size - PREFIX - length);
    return rc;
}

/* Takes the bytes over, on failure too. */
static int32_t open_data(mopt_context *ctx, char *bytes, int64_t size,
                         moi_safetensors **out)
{
    moi_safetensors *file = moi_calloc(ctx, 1, sizeof(*file));
    if (file == NULL) {
        moi_free(ctx, bytes);
        return MOPT_ENOMEM;
    }
    file->ctx = moi_context_hold(ctx);
    file->bytes = bytes;
    int32_t rc = parse(file, size);
    if (rc == MOPT_OK)
        *out = file;
    else
        moi_safetensors_free(file);
    return rc;
}

int32_t moi_safetensors_parse(mopt_context *ctx, const void *data,
                              int64_t size, moi_safetensors **out)
{
    char *copy = moi_strndup(ctx, data, (size_t)size);
    return copy != NULL ? open_data(ctx, copy, size, out) : MOPT_ENOMEM;
}

int32_t moi_safetensors_read(mopt_context *ctx, const char *path,
                             moi_safetensors **out)
{
    char *bytes = NULL;
    int64_t size = 0;
    int32_t rc = moi_file_read_all(ctx, path, INT64_MAX / 2, &bytes, &size);
    if (rc != MOPT_OK)
        return rc;
    rc = open_data(ctx, bytes, size, out);
    if (rc == MOPT_OK || rc == MOPT_ENOMEM)
        return rc;
    return moi_fail_at(rc, "%s: ", path);
}

/* ---- leaving the tensors where they are ---- */

static int32_t look(moi_safetensors *file)
{
    char prefix[PREFIX];
    int64_t size = moi_reader_disk_size(file->reader), length = 0, got = 0;
    int32_t rc = moi_reader_read(file->reader, prefix, PREFIX, &got);
    if (rc == MOPT_OK)
        rc = read_length(prefix, got < PREFIX ? got : size, &length);
    if (rc != MOPT_OK)
        return rc;
    char *text = moi_alloc(file->ctx, length, 1);
    if (text == NULL)
        return MOPT_ENOMEM;
    rc = moi_reader_need(file->reader, text, length);
    if (rc == MOPT_OK)
        rc = read_header(file, text, length);
    if (rc == MOPT_OK)
        rc = read_tensors(file, PREFIX + length, size - PREFIX - length);
    moi_free(file->ctx, text);
    return rc;
}

int32_t moi_safetensors_open(mopt_context *ctx, const char *path,
                             moi_safetensors **out)
{
    moi_safetensors *file = moi_calloc(ctx, 1, sizeof(*file));
    if (file == NULL)
        return MOPT_ENOMEM;
    file->ctx = moi_context_hold(ctx);
    int32_t rc = moi_reader_open(ctx, path, &file->reader);
    if (rc == MOPT_OK) {
        rc = look(file);
        if (rc == MOPT_EFORMAT)
            rc = moi_fail_at(rc, "%s: ", path);
    }
    if (rc == MOPT_OK)
        *out = file;
    else
        moi_safetensors_free(file);
    return rc;
}

int32_t moi_safetensors_fetch(moi_safetensors *file, int64_t place,
                              int64_t bytes, void *out)
{
    int32_t rc = moi_reader_seek(file->reader, place);
    return rc == MOPT_OK ? moi_reader_need(file->reader, out, bytes) : rc;
}

void moi_safetensors_free(moi_safetensors *file)
{
    if (file == NULL)
        return;
    mopt_context *ctx = file->ctx;
    json_decref(file->header);
    moi_reader_close(file->reader);
    moi_free(ctx, file->tensors);
    moi_free(ctx, file->bytes);
    moi_free(ctx, file);
    moi_context_release(ctx);
}

int64_t moi_safetensors_count(const moi_safetensors *file)
{
    return file->count;
}

const moi_tensor *moi_safetensors_get(const moi_safetensors *file, int64_t i)
{
    return &file->tensors[i];
}

const moi_tensor *moi_safetensors_find(const moi_safetensors *file,
                                       const char *name)
{
    for (int64_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *moi_safetensors_text(const moi_safetensors *file,
                                 const char *name)
{
    return json_string_value(json_object_get(file->metadata, name));
}

/* ---- elements ---- */

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
static float half_to_float(uint16_t bits)
{
    int32_t exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 0    ? ldexpf((float)fraction, -24)
                 : exponent == 31 ? (fraction != 0 ? NAN : INFINITY)
                                  : ldexpf((float)(1024 + fraction),
                                           exponent - 25);
    return bits >> 15 ? -size : size;
}

/* bfloat16 is the upper half of a float. */
static float brain_to_float(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof(value));
    return value;
}

static float element(const moi_tensor *tensor, int64_t i)
{
    const char *data = tensor->data;
    uint16_t bits;
    double wide;
    float value;
    switch (tensor->type) {
    case MOPT_F32:
        memcpy(&value, data + i * 4, sizeof(value));
        return value;
    case MOPT_F64:
        memcpy(&wide, data + i * 8, sizeof(wide));
        return (float)wide;
    case MOI_F16:
        memcpy(&bits, data + i * 2, sizeof(bits));
        return half_to_float(bits);
    default:
        memcpy(&bits, data + i * 2, sizeof(bits));
        return brain_to_float(bits);
    }
}

int32_t moi_tensor_floats(const moi_tensor *tensor, float *out)
{
    int64_t count = moi_tensor_count(tensor);
    if (tensor->type != MOPT_F32 && tensor->type != MOPT_F64 &&
        tensor->type != MOI_F16 && tensor->type != MOI_BF16)
        return moi_fail(MOPT_EFORMAT,
                        "tensor '%.100s': its type is not one of F32, F64, "
                        "F16, BF16", tensor->name);
    for (int64_t i = 0; i < count; i++) {
        out[i] = element(tensor, i);
        if (!isfinite(out[i]))
            return moi_fail(MOPT_EFORMAT,
                            "tensor '%.100s': value %" PRId64
                            " is not a finite float", tensor->name, i);
    }
    return MOPT_OK;
}

/* ---- writing ---- */

static const type_name *find_type(int32_t type)
{
    for (int64_t i = 0; i < MOI_COUNT(type_names); i++)
        if (type_names[i].type == type)
            return &type_names[i];
    return NULL;
}

static void add_metadata(moi_text *text, const json_t *metadata)
{
    const char *key, *comma = "";
    json_t *value;
    moi_text_add(text, "\"__metadata__\":{");
    json_object_foreach((json_t *)metadata, key, value) {
        moi_text_add(text, comma);
        moi_text_add_quoted(text, key);
        moi_text_add(text, ":");
        moi_text_add_quoted(text, json_string_value(value));
        comma = ",";
    }
    moi_text_add(text, "}");
}

static void add_entry(moi_text *text, const moi_tensor *tensor, int64_t begin)
{
    moi_text_add_quoted(text, tensor->name);
    moi_text_addf(text, ":{\"dtype\":\"%s\",\"shape\":[",
                  find_type(tensor->type)->name);
    for (int32_t i = 0; i < tensor->rank; i++)
        moi_text_addf(text, "%s%" PRId64, i > 0 ? "," : "", tensor->shape[i]);
    moi_text_addf(text, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", begin,
                  begin + tensor->bytes);
}

/* Larger elements go first, so that every tensor is aligned to its own; the
 * order is stable otherwise. order[count] receives it. */
static void sort_by_size(const moi_tensor *tensors, int64_t count,
                         const moi_tensor **order)
{
    int64_t at = 0;
    for (int64_t size = 8; size > 0; size /= 2)
        for (int64_t i = 0; i < count; i++)
            if (find_type(tensors[i].type)->size == size)
                order[at++] = &tensors[i];
}

/* The header with its size before it; spaces behind it let the buffer start at
 * a multiple of ALIGN. */
static void make_header(moi_text *text, const json_t *metadata,
                        const moi_tensor *const *order, int64_t count)
{
    static const char blanks[PREFIX + 1] = "        ";
    int64_t begin = 0;
    moi_text_add(text, blanks); /* the size goes here */
    moi_text_add(text, "{");
    if (metadata != NULL)
        add_metadata(text, metadata);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0 || metadata != NULL)
            moi_text_add(text, ",");
        add_entry(text, order[i], begin);
        begin += order[i]->bytes;
    }
    moi_text_add(text, "}");
    while (text->status == MOPT_OK && text->length % ALIGN != 0)
        moi_text_add(text, " ");
    if (text->status != MOPT_OK)
        return;
    uint64_t size = (uint64_t)(text->length - PREFIX);
    memcpy(text->data, &size, PREFIX);
}

/* Where the tensors begin, behind a header of so many bytes. */
static void set_places(const moi_tensor *tensors,
                       const moi_tensor *const *order, int64_t count,
                       int64_t begin, int64_t *places)
{
    for (int64_t i = 0; i < count; i++) {
        places[order[i] - tensors] = begin;
        begin += order[i]->bytes;
    }
}

int32_t moi_safetensors_begin(mopt_context *ctx, const char *path,
                              const json_t *metadata,
                              const moi_tensor *tensors, int64_t count,
                              moi_writer **out, int64_t *places)
{
    moi_writer *writer = NULL;
    moi_text header;
    moi_text_init(&header, ctx);
    const moi_tensor **order = moi_alloc(ctx, count, sizeof(*order));
    int32_t rc = order != NULL ? MOPT_OK : MOPT_ENOMEM;
    if (rc != MOPT_OK)
        goto out;
    sort_by_size(tensors, count, order);
    make_header(&header, metadata, order, count);
    rc = header.status;
    if (rc == MOPT_OK)
        rc = moi_writer_open(ctx, path, &writer);
    if (rc == MOPT_OK)
        rc = moi_writer_write(writer, header.data, header.length);
    if (rc == MOPT_OK) {
        set_places(tensors, order, count, header.length, places);
        *out = writer;
        writer = NULL;
    }
out:
    moi_writer_close(writer);
    moi_free(ctx, order);
    moi_text_free(&header);
    return rc;
}

/* In the order of their places, so that nothing is sought. */
static int32_t write_tensors(moi_writer *writer, const moi_tensor *tensors,
                             int64_t count)
{
    int32_t rc = MOPT_OK;
    for (int64_t size = 8; size > 0; size /= 2)
        for (int64_t i = 0; i < count && rc == MOPT_OK; i++)
            if (find_type(tensors[i].type)->size == size)
                rc = moi_writer_write(writer, tensors[i].data,
                                      tensors[i].bytes);
    return rc;
}

int32_t moi_safetensors_write(mopt_context *ctx, const char *path,
                              const json_t *metadata,
                              const moi_tensor *tensors, int64_t count)
{
    moi_writer *writer = NULL;
    int64_t *places = moi_alloc(ctx, count, sizeof(*places));
    int32_t rc = places != NULL ? moi_safetensors_begin(ctx, path, metadata,
                                                        tensors, count,
                                                        &writer, places)
                                : MOPT_ENOMEM;
    if (rc == MOPT_OK)
        rc = write_tensors(writer, tensors, count);
    if (rc == MOPT_OK)
        rc = moi_writer_commit(writer);
    moi_writer_close(writer);
    moi_free(ctx, places);
    return rc;
}
