/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/joint.c: layers that talk to ranks with other pieces.
 *
 * The scheme is that of Shoeybi et al. 2019, "Megatron-LM": a layer by columns
 * and one by rows take one sum forward and one backward. Sums have one order,
 * by pairs of ranks, and every rank gets the same bits. */
#include "learn/parallel/joint.h"

#include <string.h>

#include "learn/parallel/parallel.h"

typedef struct settings {
    mopt_group *group;
    int32_t bias;
} settings;

static int32_t infer(moi_layer *layer)
{
    settings *s = layer->settings;
    s->bias = moi_config_bool(layer->config, "bias");
    layer->out = moi_shape_flat(moi_config_int(layer->config, "width"));
    return MOPT_OK;
}

static const settings *settings_of(const moi_work *work)
{
    return work->layer->settings;
}

static int32_t add_up(const moi_work *work, int64_t rows, moi_real *data)
{
    return moi_group_sum(settings_of(work)->group, (float *)(void *)data,
                         rows * work->out, (float *)(void *)work->scratch,
                         NULL);
}

static void need_sum(const moi_work *work, int64_t rows, moi_buffers *need)
{
    need->scratch = moi_group_sum_room(settings_of(work)->group,
                                       rows * work->out);
}

static void hand_down(const moi_work *work, int64_t rows)
{
    if (work->dx != NULL && work->dx != work->dy)
        memcpy(work->dx, work->dy,
               (size_t)(rows * work->in) * sizeof(moi_real));
}

/* ---- enter ---- */

static int32_t enter_forward(const moi_work *work, const moi_real *weights,
                             int64_t rows, const moi_pass *pass)
{
    (void)work;
    (void)weights;
    (void)rows;
    (void)pass;
    return MOPT_OK;
}

static int32_t enter_backward(const moi_work *work, const moi_real *weights,
                              int64_t rows, const moi_pass *pass)
{
    (void)weights;
    (void)pass;
    hand_down(work, rows);
    return work->dx != NULL ? add_up(work, rows, work->dx) : MOPT_OK;
}

/* ---- gather ---- */

static void need_whole(const moi_work *work, int64_t rows, moi_buffers *need)
{
    need->scratch = rows * work->out;
}

/* Copy some columns of rows: pieces of `width` into, or out of, whole rows. */
static void copy_columns(int64_t rows, int64_t width, const moi_real *from,
                         int64_t from_row, moi_real *to, int64_t to_row)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(to + i * to_row, from + i * from_row,
               (size_t)width * sizeof(*to));
}

/* Round by round, each rank hands its piece to one that is farther away. */
static int32_t gather_forward(const moi_work *work, const moi_real *weights,
                              int64_t rows, const moi_pass *pass)
{
    mopt_group *g = settings_of(work)->group;
    const int64_t size = (int64_t)sizeof(moi_real);
    int32_t rc = MOPT_OK;
    (void)weights;
    (void)pass;
    for (int32_t k = 0; k < g->size && rc == MOPT_OK; k++) {
        int32_t to = (g->rank + k) % g->size;
        int32_t from = (g->rank - k + g->size) % g->size;
        int64_t first = moi_split_cut(work->out, g->size, from);
        int64_t width = moi_split_cut(work->out, g->size, from + 1) - first;
        if (k > 0)
            rc = moi_group_exchange(g, to, work->x, rows * work->in * size,
                                    from, work->scratch, rows * width * size,
                                    NULL);
        copy_columns(rows, width, k > 0 ? work->scratch : work->x, width,
                     work->y + first, work->out);
    }
    return rc;
}

static int32_t gather_backward(const moi_work *work, const moi_real *weights,
                               int64_t rows, const moi_pass *pass)
{
    const mopt_group *g = settings_of(work)->group;
    int64_t first = moi_split_cut(work->out, g->size, g->rank);
    (void)weights;
    (void)pass;
    if (work->dx != NULL)
        copy_columns(rows, work->in, work->dy + first, work->out, work->dx,
                     work->in);
    return MOPT_OK;
}

/* ---- sum ---- */

static int32_t tensors(const moi_layer *layer,
                       moi_layer_tensor list[MOI_LAYER_TENSORS])
{
    const settings *s = layer->settings;
    list[0] = (moi_layer_tensor){"bias", MOI_PARAM_NO_DECAY, 1,
                                 {moi_shape_count(&layer->out)}};
    return s->bias ? 1 : 0;
}

static int32_t init(const moi_layer *layer, mopt_context *ctx, uint64_t seed,
                    const int64_t *offset, moi_real *weights)
{
    const settings *s = layer->settings;
    moi_real start = (moi_real)moi_config_float(layer->config, "bias_init");
    (void)ctx;
    (void)seed;
    for (int64_t j = 0; s->bias && j < moi_shape_count(&layer->out); j++)
        weights[offset[0] + j] = start;
    return MOPT_OK;
}

static int32_t sum_forward(const moi_work *work, const moi_real *weights,
                           int64_t rows, const moi_pass *pass)
{
    int32_t rc = add_up(work, rows, work->y);
    const moi_real *bias = weights + work->offset[0];
    (void)pass;
    if (rc != MOPT_OK || !settings_of(work)->bias)
        return rc;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < work->out; j++)
            work->y[i * work->out + j] += bias[j];
    return MOPT_OK;
}

static int32_t sum_backward(const moi_work *work, const moi_real *weights,
                            int64_t rows, const moi_pass *pass)
{
    (void)weights;
    (void)pass;
    hand_down(work, rows);
    return MOPT_OK;
}

#define STRIP 16 /* columns that are added up at a time: a cache line */

/* All ranks have the same constants, and the same gradient by them. */
static int32_t gradients(const moi_work *work, int64_t rows, int64_t first,
                         int64_t count, moi_real *grads)
{
    moi_real *to = grads + work->offset[0];
    (void)first;
    (void)count;
    for (int64_t at = 0; at < work->out; at += STRIP) {
        int64_t n = work->out - at < STRIP ? work->out - at : STRIP;
        moi_real sums[STRIP] = {0};
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++)
                sums[j] += work->dy[i * work->out + at + j];
        for (int64_t j = 0; j < n; j++)
            to[at + j] = work->onto ? to[at + j] + sums[j] : sums[j];
    }
    return MOPT_OK;
}

static int32_t adds(const moi_work *work, int64_t rows, int64_t chain)
{
    (void)work;
    (void)rows;
    return chain == 0;
}

/* ---- kinds ---- */

static const moi_key keys[] = {
    MOI_INT("width", 1, 1, 2147483647, "values of a row that it gives"),
    MOI_BOOL("bias", 0, "constants come on top"),
    MOI_FLOAT("bias_init", 0, -1e6, 1e6, "first value of the constants"),
    MOI_KEYS_END,
};

static const moi_schema schema = {"layer.joint", "where pieces meet", keys};

static const moi_layer_kind kinds[] = {
    [MOI_JOINT_ENTER] = {
        .schema = &schema,
        .flags = MOI_LAYER_IN_PLACE | MOI_LAYER_PASSES | MOI_LAYER_KEEPS_ZERO,
        .settings_size = sizeof(settings),
        .infer = infer,
        .buffers = need_sum,
        .forward = enter_forward,
        .backward = enter_backward,
    },
    [MOI_JOINT_GATHER] = {
        .schema = &schema,
        .settings_size = sizeof(settings),
        .infer = infer,
        .buffers = need_whole,
        .forward = gather_forward,
        .backward = gather_backward,
    },
    [MOI_JOINT_SUM] = {
        .schema = &schema,
        .flags = MOI_LAYER_IN_PLACE | MOI_LAYER_PASSES,
        .settings_size = sizeof(settings),
        .infer = infer,
        .tensors = tensors,
        .init = init,
        .buffers = need_sum,
        .forward = sum_forward,
        .backward = sum_backward,
        .gradients = gradients,
        .adds = adds,
    },
};

static int32_t configure(mopt_config *config, const moi_joint *joint)
{
    int32_t rc = mopt_config_set_int(config, "width", joint->width);
    if (rc == MOPT_OK)
        rc = mopt_config_set_bool(config, "bias", joint->bias);
    if (rc == MOPT_OK && joint->bias)
        rc = mopt_config_set_float(config, "bias_init", joint->bias_init);
    return rc;
}

int32_t moi_joint_append(mopt_model *model, const moi_joint *joint)
{
    moi_extent extent = {.layer = joint->layer,
                         .ins = joint->width,
                         .outs = joint->width};
    mopt_config *config = NULL;
    int32_t rc = moi_config_new(model->ctx, &schema, &config);
    if (rc == MOPT_OK)
        rc = configure(config, joint);
    if (rc != MOPT_OK) {
        mopt_config_free(config);
        return rc;
    }
    rc = moi_model_append_piece(model, &kinds[joint->kind], config, &extent);
    if (rc == MOPT_OK) {
        settings *s = model->layers[model->count - 1].settings;
        s->group = joint->group;
    }
    return rc;
}
