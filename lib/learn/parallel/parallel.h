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
#include "learn/parallel/cost.h"

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

/* A mesh that was looked at, with the best cuts, splits and parts for it. */
typedef struct moi_choice {
    int32_t data, tensor, stages;
    int64_t parts;
    double seconds, memory;
} moi_choice;

struct mopt_parallel {
    mopt_context *ctx;
    int32_t data, tensor, stages; /* their product: ranks */
    int32_t schedule;
    int64_t batch; /* rows a step, as the training asks for */
    int64_t parts; /* micro-batches of a batch, over all data ranks */
    int64_t nodes, all_nodes; /* arrays that a data rank sends the pieces of,
                                 at most; and those of all data ranks */
    int64_t chunk; /* rows that go through the layers together, at most */
    int64_t layers;
    int64_t *cuts;  /* [stages + 1], where each stage begins, and layers */
    int32_t *split; /* [layers] MOI_SPLIT_* */

    moi_layer_cost *cost; /* [layers] */
    int32_t overlap;      /* gradients travel while others are worked out */
    int32_t host;         /* ranks of a host, which share its memory */
    int32_t eager;        /* weights change as soon as gradients are there */
    int32_t states;       /* numbers that the optimizer keeps a weight */
    moi_machine machine, pace; /* as said; and for what a rank has of the
                                  weights */
    double limit; /* bytes that a rank may hold, 0: any */
    moi_estimate estimate, alone; /* alone: of one rank with all of it */
    moi_choice *choices; /* by seconds */
    int64_t choice_count, choice_room;
};

/* cuts.c: read the stages as said ("0,2,4"; empty: nothing said), all checked
 * but how many there are. */
int32_t moi_cuts_count(const char *said, int64_t *count);
int32_t moi_cuts_read(mopt_parallel *p, const char *said);

/* Let the stage that has the most of weight[layers] have as little of it as
 * can be. */
void moi_cuts_balance(mopt_parallel *p, const double *weight);

/* split.c: read how each layer is split ("columns,rows,none"); or choose, all
 * that can be, or what pays. */
int32_t moi_split_read(mopt_parallel *p, const mopt_model *model,
                       const char *said);
void moi_split_choose(mopt_parallel *p, const mopt_model *model, int32_t all);
int32_t moi_split_any(const mopt_parallel *p);

/* Where tensor rank t's piece of a width begins; t may be tensor, too. */
int64_t moi_split_cut(int64_t width, int32_t tensor, int32_t t);

const char *moi_split_name(int32_t split);

/* choose.c: mesh, parts, cuts and splits, where config and training leave them
 * open. */
int32_t moi_parallel_choose(mopt_parallel *p, const mopt_model *model,
                            const mopt_config *config,
                            const mopt_config *training, int32_t ranks,
                            const mopt_cancel *cancel);

/* What ranks that train by a plan must have the same of it. */
uint64_t moi_parallel_digest(const mopt_parallel *p);

/* tell.c */
json_t *moi_parallel_tell(const mopt_parallel *p);

#endif
