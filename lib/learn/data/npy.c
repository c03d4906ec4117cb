/* SPDX-License-Identifier: MIT
 * lib/learn/data/npy.c: the NPY format of numpy, versions 1 to 3, plain or
 * gzip: a magic, the length of a header, a Python dict with 'descr',
 * 'fortran_order' and 'shape', the elements
 * (numpy/lib/format.py, "Format Version 1.0").
 *
 * The first dimension counts the rows; the others are flattened in C order. */
#include <string.h>

#include "base/memory.h"
#include "learn/data/source.h"

#define DIMENSIONS 32 /* numpy's own limit before 2.0 */
#define HEADER_MOST 65536

typedef struct header {
    char descr[8];
    int32_t fortran;
    int32_t dimensions;
    int64_t shape[DIMENSIONS];
    int32_t seen; /* a bit for each of the three members */
} header;

/* descr after its byte order, and our type. */
static const struct {
    const char *name;
    int32_t type;
} types[] = {
    {"f4", MOPT_F32}, {"f8", MOPT_F64}, {"u1", MOPT_U8},  {"i1", MOPT_I8},
    {"i2", MOPT_I16}, {"i4", MOPT_I32}, {"i8", MOPT_I64}, {"b1", MOPT_BOOL},
};

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t')
        at++;
    return at;
}

/* A text in quotes into out; returns what follows, NULL if it is none. */
static const char *read_text(const char *at, char *out, int64_t cap)
{
    char quote = *at;
    int64_t used = 0;

    if (quote != '\'' && quote != '"')
        return NULL;
    for (at++; *at && *at != quote; at++) {
        if (used + 1 >= cap)
            return NULL;
        out[used++] = *at;
    }
    out[used] = '\0';
    return *at == quote ? at + 1 : NULL;
}

/* "(60000, 28, 28)" or "(5,)". */
static const char *read_shape(const char *at, header *h)
{
    if (*at++ != '(')
        return NULL;
    at = skip_blanks(at);
    while (*at != ')') {
        int64_t size = 0;
        if (h->dimensions == DIMENSIONS || *at < '0' || *at > '9')
            return NULL;
        for (; *at >= '0' && *at <= '9'; at++)
            if (__builtin_mul_overflow(size, 10, &size) ||
                __builtin_add_overflow(size, *at - '0', &size))
                return NULL;
        h->shape[h->dimensions++] = size;
        at += *at == 'L'; /* Python 2 wrote long integers so */
        at = skip_blanks(at);
        if (*at == ',')
            at = skip_blanks(at + 1);
        else if (*at != ')')
            return NULL;
    }
    return at + 1;
}

static const char *read_truth(const char *at, header *h)
{
    h->fortran = strncmp(at, "True", 4) == 0;
    if (h->fortran)
        return at + 4;
    return strncmp(at, "False", 5) == 0 ? at + 5 : NULL;
}

/* One member of the dict; returns what follows it, NULL if it is wrong. */
static const char *read_member(const char *at, header *h)
{
    char key[16];
    int32_t bit;

    at = read_text(at, key, (int64_t)sizeof(key));
    if (!at)
        return NULL;
    at = skip_blanks(at);
    if (*at++ != ':')
        return NULL;
    at = skip_blanks(at);
    bit = strcmp(key, "descr") == 0 ? 1
          : strcmp(key, "fortran_order") == 0 ? 2
          : strcmp(key, "shape") == 0 ? 4 : 0;
    if (!bit || (h->seen & bit))
        return NULL;
    h->seen |= bit;
    return bit == 1 ? read_text(at, h->descr, (int64_t)sizeof(h->descr))
           : bit == 2 ? read_truth(at, h) : read_shape(at, h);
}

/* 1 if the text is a dict of exactly the three members. */
static int32_t parse_dict(const char *at, header *h)
{
    at = skip_blanks(at);
    if (*at++ != '{')
        return 0;
    at = skip_blanks(at);
    while (*at != '}') {
        at = read_member(at, h);
        if (!at)
            return 0;
        at = skip_blanks(at);
        if (*at == ',')
            at = skip_blanks(at + 1);
        else if (*at != '}')
            return 0;
    }
    return *skip_blanks(at + 1) == '\0' && h->seen == 7;
}

/* The header's text, the caller frees it. */
static int32_t read_dict(mopt_context *ctx, moi_reader *reader,
                         const char *path, char **out)
{
    uint8_t head[8], size[4] = {0};
    int64_t length;
    int32_t rc = moi_reader_need(reader, head, 8);

    if (rc)
        return rc;
    if (memcmp(head, "\x93NUMPY", 6) != 0)
        return moi_fail(MOPT_EFORMAT, "%s: no NPY file: it does not begin "
                        "with \\x93NUMPY", path);
    if (head[6] < 1 || head[6] > 3)
        return moi_fail(MOPT_EFORMAT, "%s: NPY version %d.%d; 1 to 3 are "
                        "known", path, head[6], head[7]);
    rc = moi_reader_need(reader, size, head[6] == 1 ? 2 : 4);
    if (rc)
        return rc;
    length = (int64_t)((uint32_t)size[0] | (uint32_t)size[1] << 8 |
                       (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24);
    if (length > HEADER_MOST)
        return moi_fail(MOPT_EFORMAT, "%s: a header of %lld bytes; at most "
                        "%d are accepted", path, (long long)length,
                        HEADER_MOST);
    *out = moi_alloc(ctx, length + 1, 1);
    if (!*out)
        return MOPT_ENOMEM;
    (*out)[length] = '\0';
    return moi_reader_need(reader, *out, length);
}

static int32_t find_type(const char *path, const header *h, int32_t *swap)
{
    int64_t i;
    char order = h->descr[0];
    int32_t little = moi_little_endian();

    *swap = (order == '>' && little) || (order == '<' && !little);
    for (i = 0; i < MOI_COUNT(types) && strchr("<>|=", order); i++)
        if (strcmp(h->descr + 1, types[i].name) == 0)
            return types[i].type;
    moi_fail(MOPT_EFORMAT, "%s: its elements are '%s'; f4, f8, u1, i1, i2, "
             "i4, i8 and b1 can be read (numpy: x.astype('f4'))", path,
             h->descr);
    return 0;
}

/* From column-major to row-major order; both blocks hold the same elements. */
static void transpose(const header *h, int64_t rows, int64_t width,
                      int64_t size, const char *from, char *to)
{
    int64_t steps[DIMENSIONS], at[DIMENSIONS] = {0}, i, j, source;
    int32_t d;

    steps[0] = size;
    for (d = 1; d < h->dimensions; d++)
        steps[d] = steps[d - 1] * h->shape[d - 1];
    for (j = 0; j < width; j++) {
        source = 0;
        for (d = 1; d < h->dimensions; d++)
            source += at[d] * steps[d];
        for (i = 0; i < rows; i++)
            memcpy(to + (i * width + j) * size, from + source + i * size,
                   (size_t)size);
        for (d = h->dimensions - 1; d > 0 && ++at[d] == h->shape[d]; d--)
            at[d] = 0;
    }
}

static int32_t to_rows(mopt_context *ctx, const header *h, moi_store *store)
{
    int64_t size = moi_type_size(store->type);
    char *turned;

    if (!h->fortran || h->dimensions < 2)
        return MOPT_OK;
    turned = moi_alloc(ctx, store->rows * store->width, (size_t)size);
    if (!turned)
        return MOPT_ENOMEM;
    transpose(h, store->rows, store->width, size, store->own_cells, turned);
    moi_free(ctx, store->own_cells);
    store->own_cells = turned;
    return MOPT_OK;
}

static int32_t set_shape(const char *path, const header *h, moi_store *store)
{
    int32_t d, rc = MOPT_OK;

    if (h->dimensions == 0)
        return moi_fail(MOPT_EFORMAT, "%s: it is one number, not rows", path);
    store->rows = h->shape[0];
    store->width = 1;
    for (d = 0; d < h->dimensions && !rc; d++) {
        if (h->shape[d] == 0)
            rc = moi_fail(MOPT_EFORMAT, "%s: dimension %d is 0", path,
                          (int)d);
        else if (d > 0)
            rc = moi_multiply(store->width, h->shape[d],
                              "dimensions of an NPY file", &store->width);
    }
    if (!rc && (h->dimensions == 3 || h->dimensions == 4))
        store->image = (moi_image){
            h->dimensions == 4 ? h->shape[1] : 1,
            h->shape[h->dimensions - 2], h->shape[h->dimensions - 1]};
    return rc;
}

static int32_t read_content(mopt_context *ctx, moi_reader *reader,
                            const char *path, moi_store *store)
{
    header h = {0};
    char *dict = NULL;
    int64_t cells = 0;
    int32_t swap = 0, rc = read_dict(ctx, reader, path, &dict);

    if (!rc && !parse_dict(dict, &h))
        rc = moi_fail(MOPT_EFORMAT, "%s: its header is no dict of 'descr', "
                      "'fortran_order' and 'shape': %.80s", path, dict);
    moi_free(ctx, dict);
    if (!rc) {
        store->type = find_type(path, &h, &swap);
        rc = store->type ? set_shape(path, &h, store) : MOPT_EFORMAT;
    }
    if (!rc)
        rc = moi_multiply(store->rows, store->width,
                          "dimensions of an NPY file", &cells);
    if (!rc)
        rc = moi_read_elements(ctx, reader, path, cells,
                               moi_type_size(store->type), swap,
                               &store->own_cells);
    if (!rc)
        rc = moi_read_end(reader, path);
    return rc ? rc : to_rows(ctx, &h, store);
}

static int32_t read_npy(mopt_context *ctx, const char *path, moi_store **out)
{
    moi_reader *reader = NULL;
    moi_store *store = NULL;
    int32_t rc = moi_store_create(ctx, &store);

    if (!rc)
        rc = moi_reader_open(ctx, path, &reader);
    if (!rc)
        rc = read_content(ctx, reader, path, store);
    moi_reader_close(reader);
    if (rc) {
        moi_store_release(store);
        return rc;
    }
    store->cells = store->own_cells;
    store->stride = store->width * moi_type_size(store->type);
    *out = store;
    return MOPT_OK;
}

static int32_t load(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out)
{
    return moi_source_arrays(ctx, config, part, read_npy, out);
}

static const moi_key keys[] = {
    MOI_TEXT("path", "", "file of the rows (numpy.save); .gz too"),
    MOI_TEXT("labels", "", "file of their targets: whole numbers are classes"),
    MOI_TEXT("test", "", "file of the rows to test on"),
    MOI_TEXT("test_labels", "", "file of their targets"),
    MOI_KEYS_END,
};

const moi_source moi_source_npy = {
    {"npy", "arrays of numpy", keys}, load,
};
