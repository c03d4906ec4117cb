/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parallel.h: the inside of a plan for many ranks.
 *
 * Rank (stage * data + d) * tensor + t is the t-th piece of the d-th copy of a
 * stage: tensor ranks are neighbours, as they talk the most. */
#ifndef MOI_LEARN_PARALLEL_H
#define MOI_LEARN_PARALLEL_H

#include <modelopt/parallel.h>

#include "base/config.h"
#include "learn/nn/layer.h"

extern const moi_schema moi_parallel_schema;

/* How a layer is split over tensor ranks. A layer without tensors that is
 * split by columns takes the piece that the layer below gives. */
#define MOI_SPLIT_NONE 0    /* every rank of the tensor group has all of it */
#define MOI_SPLIT_COLUMNS 1 /* each has some of its outputs */
#define MOI_SPLIT_ROWS 2    /* each has some of its inputs, those that it has
                               made itself; outputs are added up */

/* In what order a stage works on the parts of a batch. */
#define MOI_GPIPE 0
#define MOI_ONE_F_ONE_B 1

#define MOI_RANKS_MAX 65536

struct mopt_parallel {
    mopt_context *ctx;
    int32_t data, tensor, stages; /* their product: ranks */
    int32_t schedule;
    int64_t batch; /* rows a step, as the training asks for */
    int64_t parts; /* micro-batches of a batch, over all data ranks */
    int64_t layers;
    int64_t *cuts;  /* [stages + 1], where each stage begins, and layers */
    int32_t *split; /* [layers] MOI_SPLIT_* */
    int64_t *weights, *flops; /* [layers], whole; forward, a row */
};

/* cuts.c: the stages, as said ("0,2,4"; empty: nothing said) or balanced. */
int32_t moi_cuts_count(const char *said, int64_t *count);
int32_t moi_cuts_choose(mopt_parallel *p, const char *said);

/* split.c: the same of how each layer is split ("columns,rows,none"). */
int32_t moi_split_choose(mopt_parallel *p, const mopt_model *model,
                         const char *said);

/* Where tensor rank t's piece of a width begins; t may be tensor, too. */
int64_t moi_split_cut(int64_t width, int32_t tensor, int32_t t);

const char *moi_split_name(int32_t split);

#endif
