/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/cost.h: what a plan costs: seconds, bytes of memory,
 * bytes sent.
 *
 * A rank works off loads: operations of products, bytes that pass through
 * memory, calls. A machine says how fast (keys of the kind "parallel", fitted
 * by bench/costs.c). Every rank computes on one core of its own. */
#ifndef MOI_LEARN_COST_H
#define MOI_LEARN_COST_H

#include <modelopt/model.h>

#include "base/config.h"

struct mopt_parallel;

typedef struct moi_machine {
    double speed;     /* flop/s */
    double memory;    /* bytes/s, read and written */
    double overhead;  /* s a call */
    double latency;   /* s a message */
    double bandwidth; /* bytes/s of a rank's link, each way */
} moi_machine;

typedef struct moi_load {
    double flops, bytes, calls;
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
double moi_machine_seconds(const moi_machine *machine, moi_load load);
double moi_machine_send(const moi_machine *machine, double bytes);

/* A sum over some ranks that all of them get, as collective.c makes it:
 * seconds, and the bytes that each sends. */
double moi_machine_all_reduce(const moi_machine *machine, int32_t ranks,
                              double bytes, double *sent);

void moi_layer_cost_read(moi_layer_cost *cost, const mopt_model *model,
                         int64_t layer);

/* Weights of a layer that the rank with the largest piece has. */
double moi_layer_weights(const moi_layer_cost *cost, int32_t split,
                         int32_t tensor);

/* Some rows through a layer, forward and back, by such a rank. */
moi_load moi_layer_forward(const moi_layer_cost *cost, int32_t split,
                           int32_t tensor, int64_t rows);
moi_load moi_layer_backward(const moi_layer_cost *cost, int32_t split,
                            int32_t tensor, int64_t rows);

/* The same of a stage. *tensor receives the seconds for adding up pieces, not
 * among those returned; *sent is increased by the bytes sent for that. */
double moi_stage_forward(const struct mopt_parallel *p, int32_t stage,
                         int64_t rows, double *tensor, double *sent);
double moi_stage_backward(const struct mopt_parallel *p, int32_t stage,
                          int64_t rows, double *tensor, double *sent);

/* Bytes of what a stage hands on to the next, or back. */
double moi_stage_handed(const struct mopt_parallel *p, int32_t stage,
                        int64_t rows);

/* Weights of a rank; adding two arrays of gradients; changing a rank's share
 * of the weights. */
double moi_stage_weights(const struct mopt_parallel *p, int32_t stage);
moi_load moi_stage_sum(double weights);
moi_load moi_stage_update(const struct mopt_parallel *p, double weights);

/* Gradients over data ranks: what they send to each other, add up, and send
 * back as weights. */
double moi_stage_reduce(const struct mopt_parallel *p, int32_t stage,
                        double *sent);

moi_memory moi_stage_memory(const struct mopt_parallel *p, int32_t stage);

/* Rows of a part, and the parts of the data rank that has the most. */
int64_t moi_part_rows(const struct mopt_parallel *p);
int64_t moi_part_count(const struct mopt_parallel *p);

void moi_estimate_make(const struct mopt_parallel *p, moi_estimate *estimate);

#endif
