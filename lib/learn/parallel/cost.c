/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/cost.c: seconds, memory and bytes sent of a plan.
 *
 * Where ranks differ, the one with the largest pieces counts. A product of
 * some rows costs its operations, and passing over its weights and its rows
 * once or twice to pack them: that is why small parts are slow. */
#include "learn/parallel/cost.h"

#include <math.h>

#include "backend/dense.h"
#include "group/pairs.h"
#include "learn/nn/model.h"
#include "learn/parallel/parallel.h"
#include "learn/parallel/parts.h"
#include "learn/parallel/schedule.h"

#define REAL 4.0 /* bytes of a number */

/* ---- the machine ---- */

void moi_machine_read(moi_machine *machine, const mopt_config *config)
{
    *machine = (moi_machine){
        .speed = moi_config_float(config, "speed"),
        .memory = moi_config_float(config, "memory_speed"),
        .update = moi_config_float(config, "update_speed"),
        .cache = moi_config_float(config, "cache"),
        .far = moi_config_float(config, "far_speed"),
        .overhead = moi_config_float(config, "overhead"),
        .latency = moi_config_float(config, "link_latency"),
        .bandwidth = moi_config_float(config, "link_bandwidth"),
        .work = moi_config_float(config, "link_work"),
    };
}

double moi_machine_seconds(const moi_machine *machine, moi_load load)
{
    return load.flops / machine->speed + load.bytes / machine->memory +
           load.foreign / machine->far + load.streamed / machine->update +
           load.calls * machine->overhead;
}

double moi_machine_send(const moi_machine *machine, double bytes)
{
    return machine->latency + bytes / machine->bandwidth;
}

static moi_load add(moi_load a, moi_load b)
{
    return (moi_load){a.flops + b.flops, a.bytes + b.bytes,
                      a.streamed + b.streamed, a.calls + b.calls,
                      a.foreign + b.foreign};
}

/* ---- layers ---- */

void moi_layer_cost_read(moi_layer_cost *cost, const mopt_model *model,
                         int64_t index)
{
    const moi_layer *layer = moi_model_layer(model, index);

    *cost = (moi_layer_cost){
        .in = moi_shape_count(&layer->in),
        .out = moi_shape_count(&layer->out),
        .flops = layer->kind->flops ? layer->kind->flops(layer) : 0,
    };
    for (int64_t k = 0; k < layer->tensors; k++) {
        const moi_param *param = moi_model_param(model, layer->first + k);

        *(param->rank > 1 ? &cost->matrix : &cost->vector) += param->count;
    }
    for (int64_t i = 0; i < index && !cost->dx; i++)
        cost->dx = moi_model_layer(model, i)->tensors > 0;
}

/* The part of a width that the largest piece is: the last one, as cuts are
 * rounded down. */
static double share_of(int64_t width, int32_t tensor)
{
    int64_t most = width - moi_split_cut(width, tensor, tensor - 1);

    return (double)most / (double)width;
}

static double share(const moi_layer_cost *cost, int32_t split, int32_t tensor)
{
    return split == MOI_SPLIT_NONE
               ? 1
               : share_of(split == MOI_SPLIT_ROWS ? cost->in : cost->out,
                          tensor);
}

double moi_layer_weights(const moi_layer_cost *cost, int32_t split,
                         int32_t tensor)
{
    double matrix = share(cost, split, tensor);

    return matrix * (double)cost->matrix +
           (split == MOI_SPLIT_COLUMNS ? matrix : 1) * (double)cost->vector;
}

/* Reals a row that a rank takes in and gives. */
static double width_in(const moi_layer_cost *cost, int32_t split,
                       int32_t tensor)
{
    int32_t piece = split == MOI_SPLIT_ROWS ||
                    (split == MOI_SPLIT_COLUMNS && cost->matrix == 0);

    return (double)cost->in * (piece ? share_of(cost->in, tensor) : 1);
}

static double width_out(const moi_layer_cost *cost, int32_t split,
                        int32_t tensor)
{
    return (double)cost->out *
           (split == MOI_SPLIT_COLUMNS ? share_of(cost->out, tensor) : 1);
}

/* Some rows in so many products, each of which passes over the weights: packs
 * them, or writes their gradients. */
static moi_load product(const moi_layer_cost *cost, int32_t split,
                        int32_t tensor, int64_t rows, int64_t products)
{
    double part = share(cost, split, tensor), r = (double)rows;

    return (moi_load){
        .flops = part * (double)cost->flops * r,
        .bytes = REAL * (2 * part * (double)cost->matrix * (double)products +
                         r * (width_in(cost, split, tensor) +
                              width_out(cost, split, tensor))),
        .calls = (double)products,
    };
}

moi_load moi_layer_forward(const moi_layer_cost *cost, int32_t split,
                           int32_t tensor, int64_t rows)
{
    return product(cost, split, tensor, rows, 1);
}

/* By inputs, where somebody asks for it, and by weights. */
moi_load moi_layer_backward(const moi_layer_cost *cost, int32_t split,
                            int32_t tensor, int64_t rows, int64_t products)
{
    moi_load sum = {.calls = 0};

    if (cost->dx)
        sum = add(sum, product(cost, split, tensor, rows, 1));
    return cost->matrix > 0 && products > 0
               ? add(sum, product(cost, split, tensor, rows, products))
               : sum;
}

/* ---- stages ---- */

int64_t moi_part_rows(const mopt_parallel *p)
{
    return (p->batch + p->parts - 1) / p->parts;
}

int64_t moi_part_count(const mopt_parallel *p)
{
    return (p->parts + p->data - 1) / p->data;
}

int32_t moi_parallel_whole(const mopt_parallel *p)
{
    return p->tensor == 1 && p->stages == 1;
}

/* Here it follows from sizes what moi_near_create asks of layers. */
static int32_t shares_rows(const mopt_parallel *p)
{
    int64_t rows = moi_part_rows(p);

    return p->eager && moi_parallel_whole(p) &&
           moi_part_count(p) * rows <= p->chunk &&
           moi_dense_adds(p->ctx, p->batch, rows);
}

int32_t moi_parallel_meets(const mopt_parallel *p)
{
    int64_t ranks = (int64_t)p->data * p->tensor * p->stages;

    if (p->data == 1 || ranks > p->host)
        return MOI_MEET_MESSAGES;
    return shares_rows(p) ? MOI_MEET_ROWS : MOI_MEET_SUMS;
}

static int64_t stripe_of(const mopt_parallel *p, int64_t *bunch)
{
    if (moi_parallel_meets(p) == MOI_MEET_ROWS)
        return *bunch = moi_part_count(p);
    return moi_parts_stripe(moi_parallel_whole(p) ? moi_part_count(p) : 1,
                            moi_part_rows(p), p->chunk, bunch);
}

int64_t moi_part_together(const mopt_parallel *p)
{
    int64_t bunch;

    return stripe_of(p, &bunch);
}

int64_t moi_part_products(const mopt_parallel *p, int64_t parts)
{
    int64_t bunch;

    if (moi_parallel_meets(p) == MOI_MEET_ROWS)
        return 0;
    stripe_of(p, &bunch);
    return (parts + bunch - 1) / bunch;
}

int64_t moi_part_sums(const mopt_parallel *p, int64_t parts)
{
    int64_t products = moi_part_products(p, parts);

    return products > 0 ? (products + 1) / 2 - 1 : 0;
}

/* ---- the cache ---- */

/* Of a tree of sums with so many leaves. */
static double count_levels(int64_t leaves)
{
    double levels = 0;

    for (int64_t n = 1; n < leaves; n *= 2)
        levels++;
    return levels;
}

/* Arrays of gradients that a rank passes over: one for each level of its piece
 * of the tree of sums, and the one in the making. */
static double passed_arrays(const mopt_parallel *p)
{
    int64_t products = moi_part_products(p, moi_part_count(p));

    return count_levels(products) + (products > 0 ? 1 : 1.0 / p->data);
}

/* Weights, gradients and states are passed over again and again: of what is
 * more than the cache has, the part that is too much is somewhere else each
 * time. Passes differ in order, so that it is not all of it. Products wait for
 * that, as they jump; what runs through memory from end to end does not. */
void moi_machine_pace(mopt_parallel *p, double weights)
{
    const moi_machine *m = &p->machine;
    double held = REAL * weights *
                  (1 + passed_arrays(p) + (double)p->states / p->data);
    double missed = m->cache > 0 && held > m->cache ? 1 - m->cache / held : 0;

    p->pace = *m;
    p->pace.memory = 1 / (1 / m->memory + missed / m->far);
}

/* ---- joints ---- */

moi_joint_cost moi_joint_sum(const mopt_parallel *p, double bytes)
{
    double piece = bytes / p->tensor;
    moi_load add = {.streamed = 3 * piece * (p->tensor - 1)};

    return (moi_joint_cost){piece, 1, moi_machine_seconds(&p->pace, add)};
}

static double count_sent(const mopt_parallel *p, moi_joint_cost c)
{
    return (c.sum ? 2 : 1) * (p->tensor - 1.0) * c.bytes;
}

double moi_joint_seconds(const mopt_parallel *p, moi_joint_cost c)
{
    double messages = (c.sum ? 2 : 1) * (p->tensor - 1.0);

    return c.bytes > 0 ? messages * moi_machine_send(&p->machine, c.bytes) +
                             c.adding
                       : 0;
}

/* Do the outputs of a layer have to be made whole for what comes next? */
static int32_t gathers(const mopt_parallel *p, int32_t stage, int64_t i)
{
    return p->split[i] == MOI_SPLIT_COLUMNS &&
           (i + 1 == p->cuts[stage + 1] || p->split[i + 1] == MOI_SPLIT_NONE ||
            (p->split[i + 1] == MOI_SPLIT_COLUMNS &&
             p->cost[i + 1].matrix > 0));
}

moi_joint_cost moi_joint_forward(const mopt_parallel *p, int32_t stage,
                                 int64_t i, int64_t rows)
{
    const moi_layer_cost *c = &p->cost[i];
    double row = REAL * (double)rows;

    if (p->split[i] == MOI_SPLIT_ROWS)
        return moi_joint_sum(p, row * (double)c->out);
    if (gathers(p, stage, i))
        return (moi_joint_cost){
            row * width_out(c, MOI_SPLIT_COLUMNS, p->tensor), 0, 0};
    return (moi_joint_cost){0, 0, 0};
}

moi_joint_cost moi_joint_backward(const mopt_parallel *p, int64_t i,
                                  int64_t rows)
{
    const moi_layer_cost *c = &p->cost[i];

    if (p->split[i] == MOI_SPLIT_COLUMNS && c->matrix > 0 && c->dx)
        return moi_joint_sum(p, REAL * (double)rows * (double)c->in);
    return (moi_joint_cost){0, 0, 0};
}

/* ---- passes ---- */

double moi_stage_forward(const mopt_parallel *p, int32_t stage, int64_t rows,
                         double *tensor, double *sent)
{
    moi_load sum = {.calls = 0};

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++) {
        moi_joint_cost joint = moi_joint_forward(p, stage, i, rows);

        sum = add(sum, moi_layer_forward(&p->cost[i], p->split[i], p->tensor,
                                         rows));
        *tensor += moi_joint_seconds(p, joint);
        *sent += count_sent(p, joint);
    }
    return moi_machine_seconds(&p->pace, sum);
}

double moi_stage_backward(const mopt_parallel *p, int32_t stage, int64_t rows,
                          int64_t parts, double *tensor, double *sent)
{
    int64_t products = moi_part_products(p, parts);
    moi_load sum = {.calls = 0};

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++) {
        moi_joint_cost joint = moi_joint_backward(p, i, rows);

        sum = add(sum, moi_layer_backward(&p->cost[i], p->split[i], p->tensor,
                                          rows, products));
        *tensor += moi_joint_seconds(p, joint);
        *sent += count_sent(p, joint);
    }
    if (products == 0)
        sum = add(sum, moi_share_gradients(p));
    return moi_machine_seconds(&p->pace, sum);
}

double moi_stage_handed(const mopt_parallel *p, int32_t stage, int64_t rows)
{
    return stage + 1 == p->stages
               ? 0
               : REAL * (double)rows *
                     (double)p->cost[p->cuts[stage + 1] - 1].out;
}

double moi_stage_weights(const mopt_parallel *p, int32_t stage)
{
    double sum = 0;

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++)
        sum += moi_layer_weights(&p->cost[i], p->split[i], p->tensor);
    return sum;
}

moi_load moi_share_gradients(const mopt_parallel *p)
{
    double part = 1.0 / p->data, rows = (double)p->batch;
    moi_load sum = {.calls = 0};

    for (int64_t i = 0; i < p->layers; i++) {
        const moi_layer_cost *c = &p->cost[i];
        double operands = REAL * rows *
                          (part * (double)c->in + (double)c->out);

        if (c->matrix > 0)
            sum = add(sum, (moi_load){
                .flops = part * (double)c->flops * rows,
                .bytes = REAL * 2 * part * (double)c->matrix + operands,
                .calls = 1,
                .foreign = (1 - part) * operands,
            });
    }
    return sum;
}

/* By rows, what others have written is first read by the next products. */
moi_load moi_share_spread(const mopt_parallel *p, double weights)
{
    double bytes = REAL * weights * (p->data - 1);
    int32_t by_rows = moi_parallel_meets(p) == MOI_MEET_ROWS;

    return (moi_load){.streamed = 2 * bytes, .foreign = by_rows ? bytes : 0};
}

moi_load moi_stage_sum(double weights)
{
    return (moi_load){.streamed = 3 * REAL * weights};
}

/* Weights and states are read and written; and gradients, unless they are
 * changed into weights right behind the product that made them. */
moi_load moi_stage_update(const mopt_parallel *p, double weights)
{
    int32_t fused = p->data == 1
                        ? p->parts == 1 && moi_parallel_whole(p)
                        : moi_parallel_meets(p) == MOI_MEET_ROWS;
    double gradients = fused ? 0 : 2;

    return (moi_load){.streamed = (2 + gradients + 2.0 * p->states) * REAL *
                                  weights};
}

/* The parts of a rank are a node of the tree of sums, or several. */
static void count_nodes(mopt_parallel *p)
{
    p->nodes = 1;
    p->all_nodes = 0;
    for (int32_t d = 0; d < p->data; d++) {
        int64_t at = moi_pairs_deal(p->parts, p->data, d), count = 0;
        int64_t limit = moi_pairs_deal(p->parts, p->data, d + 1);

        for (; at < limit; count++)
            at += moi_pairs_node(p->parts, at, limit);
        p->all_nodes += count;
        p->nodes = count > p->nodes ? count : p->nodes;
    }
}

int64_t moi_stage_buckets(const mopt_parallel *p, int32_t stage)
{
    int64_t count = (int64_t)moi_stage_weights(p, stage) /
                    moi_bucket_weights(p->data);

    return count > 1 && p->data > 1 ? count : 1;
}

static int64_t count_blocks(double weights)
{
    return 1 + (int64_t)weights / MOI_BLOCK_WEIGHTS;
}

double moi_bucket_piece(const mopt_parallel *p, int32_t stage, int32_t d)
{
    double weights = moi_stage_weights(p, stage) /
                     (double)moi_stage_buckets(p, stage);
    int64_t blocks = count_blocks(weights);

    return weights / (double)blocks *
           (double)(moi_pairs_deal(blocks, p->data, d + 1) -
                    moi_pairs_deal(blocks, p->data, d));
}

double moi_bucket_most(const mopt_parallel *p, int32_t stage)
{
    double weights = moi_stage_weights(p, stage) /
                     (double)moi_stage_buckets(p, stage);
    int64_t blocks = count_blocks(weights);

    return weights / (double)blocks *
           (double)((blocks + p->data - 1) / p->data);
}

/* Every rank sends each other one that one's piece of its sums, and its own
 * piece of the weights; rounds take as long as the largest. */
static double exchange(const mopt_parallel *p, int32_t stage, double *sent)
{
    double buckets = (double)moi_stage_buckets(p, stage);
    double rounds = buckets * (p->data - 1);
    double most = moi_bucket_most(p, stage);

    *sent += REAL * ((double)p->nodes * (moi_stage_weights(p, stage) -
                                         buckets * most) +
                     rounds * most);
    return rounds * (double)(p->nodes + 1) *
           moi_machine_send(&p->machine, REAL * most);
}

/* Gradients of all data ranks become one, and weights the same. */
static double reduce(const mopt_parallel *p, int32_t stage, double *sent)
{
    int32_t meets = moi_parallel_meets(p);
    double own = (double)moi_stage_buckets(p, stage) *
                 moi_bucket_most(p, stage);
    double seconds = 0;

    if (p->data == 1)
        return 0;
    if (meets != MOI_MEET_ROWS)
        seconds = (double)(p->all_nodes - p->nodes) *
                  moi_machine_seconds(&p->pace, moi_stage_sum(own));
    return seconds + (meets == MOI_MEET_MESSAGES
                          ? exchange(p, stage, sent)
                          : moi_machine_seconds(&p->pace,
                                                moi_share_spread(p, own)));
}

/* What of that is on its way while the last parts go back through lower layers:
 * not the last bucket, and not what keeps the core busy. */
static double hide(const mopt_parallel *p, int32_t stage, double seconds)
{
    int64_t parts = moi_part_together(p), rows = parts * moi_part_rows(p);
    double early = 1 - 1.0 / (double)moi_stage_buckets(p, stage);
    double tensor = 0, sent = 0, back;

    if (!p->overlap || !moi_parallel_whole(p) ||
        moi_parallel_meets(p) != MOI_MEET_MESSAGES)
        return 0;
    back = moi_stage_backward(p, stage, rows, parts, &tensor, &sent) + tensor;
    seconds *= 1 - p->machine.work;
    return early * (seconds < back ? seconds : back);
}

/* ---- memory ---- */

/* Activations that a stage holds of one part: what goes in, what each layer
 * gives, and gradients by two of them. */
static double part_bytes(const mopt_parallel *p, int32_t stage, int64_t rows)
{
    int64_t first = p->cuts[stage];
    double sum = (double)p->cost[first].in, widest = 0;

    for (int64_t i = first; i < p->cuts[stage + 1]; i++) {
        double out = width_out(&p->cost[i], p->split[i], p->tensor);

        sum += out;
        widest = out > widest ? out : widest;
    }
    return REAL * (double)rows * (sum + 2 * widest);
}

/* Arrays of gradients where parts are added up: one for each level of a rank's
 * piece of the tree, and those that come from other ranks. */
static double count_arrays(const mopt_parallel *p, int32_t stage)
{
    double levels = count_levels(moi_part_count(p));

    if (p->data == 1)
        return levels > 1 ? levels : 1;
    return (levels > 1 ? levels + 1 : 1) +
           (double)p->all_nodes / p->data /
               (double)moi_stage_buckets(p, stage);
}

/* The whole model at each rank: gradients in the making besides, and a state
 * that is made whole before it is cut into a piece for each rank. */
static moi_memory hold_whole(const mopt_parallel *p, double weights)
{
    return (moi_memory){
        .gradients = weights * (p->parts > 1 ? 1 + count_arrays(p, 0) : 1),
        .state = p->states * weights * (p->data == 1 ? 1 : 1 + 1.0 / p->data),
        .activations = part_bytes(p, 0, p->chunk),
    };
}

/* Weights are kept a second time, as the best ones. */
moi_memory moi_stage_memory(const mopt_parallel *p, int32_t stage)
{
    double weights = REAL * moi_stage_weights(p, stage);
    int64_t flying = moi_passes_places(p->schedule, p->stages, stage,
                                       moi_part_count(p));
    moi_memory m = {
        .gradients = weights * count_arrays(p, stage),
        .state = p->states * weights / p->data,
        .activations = (double)flying * part_bytes(p, stage,
                                                   moi_part_rows(p)),
    };

    if (moi_parallel_whole(p))
        m = hold_whole(p, weights);
    m.weights = 2 * weights;
    return m;
}

/* ---- a step ---- */

typedef struct stage_times {
    double compute, tensor, handing; /* of one turn; handing both ways */
    double sums, gradients, update;
    double sent;
} stage_times;

/* How often some parts go there and back. */
static double count_turns(const mopt_parallel *p)
{
    return (double)moi_part_count(p) / (double)moi_part_together(p);
}

static stage_times time_stage(const mopt_parallel *p, int32_t stage)
{
    int64_t parts = moi_part_together(p), rows = parts * moi_part_rows(p);
    double weights = moi_stage_weights(p, stage), links = 0;
    stage_times t = {0};

    t.compute = moi_stage_forward(p, stage, rows, &t.tensor, &t.sent) +
                moi_stage_backward(p, stage, rows, parts, &t.tensor, &t.sent);
    for (int32_t side = stage - 1; side <= stage; side++) {
        double bytes = side < 0 ? 0 : moi_stage_handed(p, side, rows);

        links += bytes > 0 ? 2 * moi_machine_send(&p->machine, bytes) : 0;
        t.sent += bytes;
    }
    t.handing = links;
    t.sent *= count_turns(p);
    t.sums = (double)moi_part_sums(p, moi_part_count(p)) *
             moi_machine_seconds(&p->pace, moi_stage_sum(weights));
    t.gradients = reduce(p, stage, &t.sent);
    t.gradients -= hide(p, stage, t.gradients);
    t.update = (double)moi_stage_buckets(p, stage) *
               moi_machine_seconds(
                   &p->pace,
                   moi_stage_update(p, moi_bucket_most(p, stage)));
    return t;
}

/* The rounds in which all ranks hear of each other, twice a step. */
static double agree(const mopt_parallel *p)
{
    int64_t ranks = (int64_t)p->data * p->tensor * p->stages;
    double rounds = 0;

    for (int64_t heard = 1; heard < ranks; heard *= 2)
        rounds++;
    return 2 * rounds * p->machine.latency;
}

static double total(const moi_seconds *s)
{
    return s->compute + s->tensor + s->transfer + s->bubble + s->sums +
           s->gradients + s->update + s->agreement;
}

/* A batch takes as long as one part through all stages and back, and the other
 * parts at the pace of the slowest stage. */
void moi_estimate_make(mopt_parallel *p, moi_estimate *e)
{
    double turns = count_turns(p), pace = 0, through = 0, after = 0, most = 0;
    moi_seconds *s = &e->part;

    *e = (moi_estimate){.memory = 0};
    for (int32_t i = 0; i < p->stages; i++)
        most = fmax(most, moi_stage_weights(p, i));
    moi_machine_pace(p, most);
    count_nodes(p);
    for (int32_t i = 0; i < p->stages; i++) {
        stage_times t = time_stage(p, i);
        moi_memory m = moi_stage_memory(p, i);
        double own = t.compute + t.tensor + t.handing;
        double held = m.weights + m.gradients + m.state + m.activations;

        through += own - t.handing / 2;
        if (own > pace) {
            pace = own;
            s->compute = turns * t.compute;
            s->tensor = turns * t.tensor;
            s->transfer = turns * t.handing;
        }
        if (t.sums + t.gradients + t.update > after) {
            after = t.sums + t.gradients + t.update;
            s->sums = t.sums;
            s->gradients = t.gradients;
            s->update = t.update;
        }
        e->memory = held > e->memory ? held : e->memory;
        e->sent = t.sent > e->sent ? t.sent : e->sent;
    }
    s->bubble = p->stages > 1 ? through - pace : 0;
    s->agreement = agree(p);
    e->seconds = total(s);
}
