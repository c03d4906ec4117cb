/* SPDX-License-Identifier: MIT
 * lib/learn/data/image.c: rows that are images, and moving what they show. */
#include "learn/data/image.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* ---- geometry ---- */

static int32_t shape_of(const moi_store *store, moi_image *out)
{
    int64_t side;

    *out = store->image;
    if (out->channels > 0)
        return MOPT_OK;
    side = (int64_t)sqrt((double)store->width);
    if (store->columns || side < 2 || side * side != store->width)
        return moi_fail(MOPT_EINVAL, "rows of %lld features are no images: "
                        "nobody said their height and width, and they are no "
                        "square", (long long)store->width);
    *out = (moi_image){1, side, side};
    return MOPT_OK;
}

int32_t moi_image_shape(const mopt_dataset *data, moi_image *out)
{
    if (data->encoded)
        return moi_fail(MOPT_EINVAL, "rows with encoded columns are no "
                        "images");
    *out = data->image;
    return out->channels > 0 ? MOPT_OK : shape_of(data->store, out);
}

/* Do the sizes make up a row of numbers? */
static int32_t check_sizes(const mopt_dataset *data, const moi_image *image)
{
    int64_t width = data->store->width, cells = 0;

    if (data->encoded || data->store->columns)
        return moi_fail(MOPT_EINVAL, "mopt_dataset_as_images: rows of a table "
                        "are no images");
    if (image->width > 0 && image->height > 0 && image->channels > 0 &&
        !__builtin_mul_overflow(image->width, image->height, &cells) &&
        !__builtin_mul_overflow(cells, image->channels, &cells) &&
        cells == width)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "mopt_dataset_as_images: %lld x %lld pixels "
                    "in %lld channels; each must be at least 1, and together "
                    "they must be the %lld features of a row",
                    (long long)image->width, (long long)image->height,
                    (long long)image->channels, (long long)width);
}

int32_t mopt_dataset_as_images(const mopt_dataset *data, int64_t width,
                               int64_t height, int64_t channels,
                               mopt_dataset **out)
{
    const moi_image image = {channels, height, width};
    mopt_dataset *view = NULL;
    int64_t *index = NULL;
    int32_t rc;

    if (!data || !out)
        return moi_fail_null("mopt_dataset_as_images", !data ? "data" : "out");
    rc = check_sizes(data, &image);
    if (rc)
        return rc;
    if (data->index) {
        index = moi_alloc(data->store->ctx, data->rows, sizeof *index);
        if (!index)
            return MOPT_ENOMEM;
        for (int64_t i = 0; i < data->rows; i++)
            index[i] = i;
    }
    rc = moi_dataset_view(data, index, data->rows, &view);
    if (rc)
        return rc;
    view->image = image;
    *out = view;
    return MOPT_OK;
}

/* ---- moving ---- */

/* Rows of one channel, moved by whole pixels. */
static void shift(const moi_image *s, const moi_warp *w, const moi_real *in,
                  moi_real *out)
{
    int64_t width = s->width, right = w->right;
    int64_t from = right > 0 ? right : 0;
    int64_t to = right < 0 ? width + right : width;

    memset(out, 0, (size_t)(s->height * width) * sizeof *out);
    for (int64_t y = 0; y < s->height && from < to; y++) {
        int64_t source = y - w->down;

        if (source >= 0 && source < s->height)
            memcpy(out + y * width + from, in + source * width + from - right,
                   (size_t)(to - from) * sizeof *out);
    }
}

static moi_real pixel(const moi_image *s, const moi_real *in, int64_t y,
                      int64_t x)
{
    return y < 0 || y >= s->height || x < 0 || x >= s->width
               ? 0 : in[y * s->width + x];
}

static moi_real between(const moi_image *s, const moi_real *in, double y,
                        double x)
{
    double top = floor(y), left = floor(x);
    int64_t row = (int64_t)top, column = (int64_t)left;
    moi_real b = (moi_real)(y - top), r = (moi_real)(x - left);

    return (1 - b) * ((1 - r) * pixel(s, in, row, column) +
                      r * pixel(s, in, row, column + 1)) +
           b * ((1 - r) * pixel(s, in, row + 1, column) +
                r * pixel(s, in, row + 1, column + 1));
}

/* Each pixel asks where it came from: back by the move, the turn, the zoom.
 * Rows are counted downwards: counter-clockwise has the sine's other sign. */
static void turn(const moi_image *s, const moi_warp *w, const moi_real *in,
                 moi_real *out)
{
    double angle = w->degrees * (M_PI / 180);
    double cosine = cos(angle) / w->zoom, sine = sin(angle) / w->zoom;
    double middle_y = 0.5 * (double)(s->height - 1);
    double middle_x = 0.5 * (double)(s->width - 1);

    for (int64_t i = 0; i < s->height; i++)
        for (int64_t k = 0; k < s->width; k++) {
            double y = (double)(i - w->down) - middle_y;
            double x = (double)(k - w->right) - middle_x;

            out[i * s->width + k] =
                between(s, in, middle_y + sine * x + cosine * y,
                        middle_x + cosine * x - sine * y);
        }
}

void moi_image_warp(const moi_image *shape, const moi_warp *warp,
                    const moi_real *in, moi_real *out)
{
    int64_t plane = shape->height * shape->width;
    int32_t whole = warp->degrees == 0 && warp->zoom == 1;

    for (int64_t c = 0; c < shape->channels; c++)
        (whole ? shift : turn)(shape, warp, in + c * plane, out + c * plane);
}

/* ---- a whole store ---- */

static void read_cells(const moi_store *store, const char *row, moi_real *out)
{
    for (int64_t k = 0; k < store->width; k++)
        out[k] = store->type == MOPT_U8
                     ? (moi_real)((const uint8_t *)row)[k]
                     : (moi_real)((const float *)(const void *)row)[k];
}

static void write_cells(const moi_store *store, const moi_real *in, char *row)
{
    for (int64_t k = 0; k < store->width; k++)
        if (store->type == MOPT_U8)
            ((uint8_t *)row)[k] = (uint8_t)(in[k] + (moi_real)0.5);
        else
            ((float *)(void *)row)[k] = (float)in[k];
}

int32_t moi_image_rotate(moi_store *store, double degrees)
{
    moi_warp warp = {degrees, 1, 0, 0};
    moi_image shape;
    moi_real *in, *out;
    int32_t rc = shape_of(store, &shape);

    if (rc)
        return moi_fail_at(rc, "image.rotate: ");
    if (store->type != MOPT_U8 && store->type != MOPT_F32)
        return moi_fail(MOPT_EUNSUPPORTED, "image.rotate: pixels are bytes or "
                        "32-bit floats, not %s", moi_type_name(store->type));
    in = moi_alloc(store->ctx, store->width, sizeof *in);
    out = moi_alloc(store->ctx, store->width, sizeof *out);
    rc = in && out ? MOPT_OK : MOPT_ENOMEM;
    for (int64_t i = 0; !rc && i < store->rows; i++) {
        char *row = (char *)store->own_cells + i * store->stride;

        read_cells(store, row, in);
        moi_image_warp(&shape, &warp, in, out);
        write_cells(store, out, row);
    }
    moi_free(store->ctx, in);
    moi_free(store->ctx, out);
    return rc;
}
