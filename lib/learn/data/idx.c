/* SPDX-License-Identifier: MIT
 * lib/learn/data/idx.c: the IDX format of the MNIST files, plain or gzip:
 * two zero bytes, element type, number of dimensions, each dimension (u32),
 * the elements; all big-endian.
 *
 * The first dimension counts the rows; the others are flattened. */
#include "base/memory.h"
#include "learn/data/source.h"

/* Element types of the format and ours. */
static const struct {
    uint8_t code;
    int32_t type;
} types[] = {
    {0x08, MOPT_U8},  {0x09, MOPT_I8},  {0x0b, MOPT_I16},
    {0x0c, MOPT_I32}, {0x0d, MOPT_F32}, {0x0e, MOPT_F64},
};

static int32_t find_type(uint8_t code)
{
    int64_t i;

    for (i = 0; i < MOI_COUNT(types); i++)
        if (types[i].code == code)
            return types[i].type;
    return 0;
}

/* Rows, cells a row and type, as the header says. */
static int32_t read_header(moi_reader *reader, const char *path,
                           moi_store *store)
{
    uint8_t head[4], bytes[4];
    int32_t i, rc = moi_reader_need(reader, head, 4);

    if (rc)
        return rc;
    store->type = find_type(head[2]);
    if (head[0] || head[1] || !store->type || !head[3])
        return moi_fail(MOPT_EFORMAT, "%s: no IDX file: it begins with the "
                        "bytes %02x %02x %02x %02x, not with 00 00, a type "
                        "of 08 to 0e, and a number of dimensions", path,
                        head[0], head[1], head[2], head[3]);
    store->width = 1;
    for (i = 0; i < head[3] && !rc; i++) {
        int64_t size, row = store->width;
        rc = moi_reader_need(reader, bytes, 4);
        if (rc)
            break;
        size = (int64_t)((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                         (uint32_t)bytes[2] << 8 | bytes[3]);
        if (size == 0)
            rc = moi_fail(MOPT_EFORMAT, "%s: dimension %d is 0", path,
                          (int)i);
        else if (i == 0)
            store->rows = size;
        else
            rc = moi_multiply(store->width, size, "dimensions of an IDX file",
                              &store->width);
        if (!rc && head[3] == 3 && i == 2)
            store->image = (moi_image){1, row, size};
    }
    return rc;
}

static int32_t read_idx(mopt_context *ctx, const char *path, moi_store **out)
{
    moi_reader *reader = NULL;
    moi_store *store = NULL;
    int64_t cells = 0;
    int32_t rc = moi_store_create(ctx, &store);

    if (!rc)
        rc = moi_reader_open(ctx, path, &reader);
    if (!rc)
        rc = read_header(reader, path, store);
    if (!rc)
        rc = moi_multiply(store->rows, store->width,
                          "dimensions of an IDX file", &cells);
    if (!rc)
        rc = moi_read_elements(ctx, reader, path, cells,
                               moi_type_size(store->type),
                               moi_little_endian(), &store->own_cells);
    if (!rc)
        rc = moi_read_end(reader, path);
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
    return moi_source_arrays(ctx, config, part, read_idx, out);
}

static const moi_key keys[] = {
    MOI_TEXT("path", "", "file of the rows, such as images; .gz too"),
    MOI_TEXT("labels", "", "file of their labels"),
    MOI_TEXT("test", "", "file of the rows to test on"),
    MOI_TEXT("test_labels", "", "file of their labels"),
    MOI_KEYS_END,
};

const moi_source moi_source_idx = {
    {"idx", "IDX files, as MNIST and Fashion-MNIST have them", keys}, load,
};
