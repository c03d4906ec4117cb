/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/cost.h: what a plan costs: seconds, bytes of memory,
 * bytes sent.
 *
 * A rank works off loads: operations of products, bytes of their operands,
 * bytes of blocks as large as all weights, calls. A machine says how fast (keys
 * of the kind "parallel", fitted by bench/costs.py). Every rank computes on one
 * core of its own. */
#ifndef MOI_LEARN_COST_H
#define MOI_LEARN_COST_H

#include <modelopt/model.h>

#include "base/config.h"

struct mopt_parallel;

/* Bytes a second below which a link leaves the cores to the work: messages
 * within a host are copies by the cores themselves, at 3 to 30 GB/s each way
 * (bench/costs.py); over 10 Gbit/s, TCP carries some 1.1 GB/s. */
#define MOI_LINK_SLOW 1.2e9

typedef struct moi_machine {
    double speed;     /* flop/s */
    double memory;    /* bytes/s of operands, read and written */
    double update;    /* bytes/s of weights, gradients, states */
    double cache;     /* bytes of these near a core, 0: any */
    double far;       /* bytes/s of operands that are not there, or that
                         another core has written, besides */
    double overhead;  /* s a call */
    double latency;   /* s a message */
    double bandwidth; /* bytes/s of a rank's link, each way */
    double work;      /* part of a message's time that a core works on it */
} moi_machine;

typedef struct moi_load {
    double flops, bytes, streamed, calls;
    double foreign; /* of the bytes, those that another core has written */
} moi_load;

/* What the costs of a layer follow from. */
typedef struct moi_layer_cost {
    int64_t in, out;        /* reals a row */
    int64_t matrix, vector; /* weights that are cut by both sides, and by
                               outputs alone */
    int64_t flops;          /* a row, forward */
    int32_t dx;             /* somebody below asks for the input's gradient */
} moi_layer_cost;

/* Seconds of a step by where they go, of the stage that takes longest. */
typedef struct moi_seconds {
    double compute;   /* forward and backward */
    double tensor;    /* adding up pieces over tensor ranks */
    double transfer;  /* activations and gradients between stages */
    double bubble;    /* waiting for other stages */
    double sums;      /* adding up the gradients of parts */
    double gradients; /* sending gradients and weights over data ranks */
    double update;    /* changing the weights */
    double agreement; /* small messages that all ranks exchange */
} moi_seconds;

/* Bytes that a rank holds, at most. */
typedef struct moi_memory {
    double weights, gradients, state, activations;
} moi_memory;

typedef struct moi_estimate {
    moi_seconds part;
    double seconds; /* their sum */
    double memory;  /* of the rank that holds the most */
    double sent;    /* bytes a step, of the rank that sends the most */
} moi_estimate;

void moi_machine_read(moi_machine *machine, const mopt_config *config);

/* The machine's pace for a mesh and parts, of a rank with so many weights: more
 * or less of what it passes over is in the cache. */
void moi_machine_pace(struct mopt_parallel *p, double weights);
double moi_machine_seconds(const moi_machine *machine, moi_load load);
double moi_machine_send(const moi_machine *machine, double bytes);

void moi_layer_cost_read(moi_layer_cost *cost, const mopt_model *model,
                         int64_t layer);

/* Weights of a layer that the rank with the largest piece has. */
double moi_layer_weights(const moi_layer_cost *cost, int32_t split,
                         int32_t tensor);

/* What tensor ranks do where pieces of layers meet (joint.c): each sends each
 * other one a piece; for a sum they add up what came, and once more send as
 * much. */
typedef struct moi_joint_cost {
    double bytes; /* of a piece; 0: nothing is to be done */
    int32_t sum;
    double adding; /* seconds of adding up */
} moi_joint_cost;

moi_joint_cost moi_joint_sum(const struct mopt_parallel *p, double bytes);
double moi_joint_seconds(const struct mopt_parallel *p, moi_joint_cost cost);

/* After a layer of a stage going forward; before it going back. */
moi_joint_cost moi_joint_forward(const struct mopt_parallel *p, int32_t stage,
                                 int64_t layer, int64_t rows);
moi_joint_cost moi_joint_backward(const struct mopt_parallel *p,
                                  int64_t layer, int64_t rows);

/* Some rows through a layer by such a rank: forward; back, and the gradients of
 * its weights, in so many products (0: they are made later). */
moi_load moi_layer_forward(const moi_layer_cost *cost, int32_t split,
                           int32_t tensor, int64_t rows);
moi_load moi_layer_backward(const moi_layer_cost *cost, int32_t split,
                            int32_t tensor, int64_t rows,
                            int64_t products);

/* The same of a stage. *tensor is increased by the seconds for adding up
 * pieces, which are not among those returned; *sent by the bytes sent. */
double moi_stage_forward(const struct mopt_parallel *p, int32_t stage,
                         int64_t rows, double *tensor, double *sent);
double moi_stage_backward(const struct mopt_parallel *p, int32_t stage,
                          int64_t rows, int64_t parts, double *tensor,
                          double *sent);

/* Bytes of what a stage hands on to the next, or back. */
double moi_stage_handed(const struct mopt_parallel *p, int32_t stage,
                        int64_t rows);

/* How data ranks come to the same weights: by messages; or, where one host has
 * all ranks, each reads sums of the others and their new weights there, or
 * makes the gradients of its share of the weights, over the rows of all, and
 * writes new weights to the others (near.h). */
#define MOI_MEET_MESSAGES 0
#define MOI_MEET_SUMS 1
#define MOI_MEET_ROWS 2

int32_t moi_parallel_meets(const struct mopt_parallel *p);

/* By rows: those gradients. By rows and by sums: so many weights of a rank to
 * all others, or of all others to a rank. */
moi_load moi_share_gradients(const struct mopt_parallel *p);
moi_load moi_share_spread(const struct mopt_parallel *p, double weights);

/* Weights of a rank; adding two arrays of gradients; changing a rank's share
 * of the weights. */
double moi_stage_weights(const struct mopt_parallel *p, int32_t stage);
moi_load moi_stage_sum(double weights);
moi_load moi_stage_update(const struct mopt_parallel *p, double weights);

/* Stretches of the weights that travel over data ranks one after the other:
 * gradients to who adds them up, then weights back. */
int64_t moi_stage_buckets(const struct mopt_parallel *p, int32_t stage);

/* Weights of a data rank's piece of a bucket: whole blocks; and of the largest
 * piece. */
double moi_bucket_piece(const struct mopt_parallel *p, int32_t stage,
                        int32_t d);
double moi_bucket_most(const struct mopt_parallel *p, int32_t stage);

moi_memory moi_stage_memory(const struct mopt_parallel *p, int32_t stage);

/* Does each rank have the whole model? Then parts go through it together, and
 * gradients travel while others are worked out (mopt_trainer_set_group). */
int32_t moi_parallel_whole(const struct mopt_parallel *p);

/* Rows of a part, the parts of the data rank that has the most, and how many of
 * them go through the layers together: one, where the model is shared. And the
 * products in which gradients of so many neighbours are made, 0 where all ranks
 * share these; and how often two arrays of gradients are added up then, where
 * the second of two neighbours comes on top of the first as it is made. */
int64_t moi_part_rows(const struct mopt_parallel *p);
int64_t moi_part_count(const struct mopt_parallel *p);
int64_t moi_part_together(const struct mopt_parallel *p);
int64_t moi_part_products(const struct mopt_parallel *p, int64_t parts);
int64_t moi_part_sums(const struct mopt_parallel *p, int64_t parts);

/* What parts and data ranks alone determine is counted once, into the plan. */
void moi_estimate_make(struct mopt_parallel *p, moi_estimate *estimate);

#endif
