/* SPDX-License-Identifier: MIT
 * bench/scale.c: a step of a plan in virtual time, message by message.
 *
 * usage: bench_scale NET BATCH PARTS RANKS PARALLEL [CORES]
 *
 * NET is "784-512-512-10", relu between; PARTS 0: as the plan chooses; PARALLEL
 * keys of the kind "parallel" as JSON. CORES: of one machine that all ranks
 * share, 0: each rank has a core of its own. Prints one JSON line.
 *
 * The plan, its costs, the order of passes in a stage, the deal of parts to
 * ranks and what of the tree of sums each has are the library's own. A rank is
 * two actors, as in training: one takes parts through the layers, the other
 * carries buckets of gradients to the other data ranks, or has nothing to do
 * where ranks of one host read them in its memory ("host_ranks"). An actor
 * works, longer where actors share cores; or sends and receives: a message
 * begins when both ends are ready, and takes what the machine's link takes, of
 * which "link_work" keeps a core busy at both ends. */
#include <math.h>
#include <modelopt/modelopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group/pairs.h"
#include "learn/parallel/parallel.h"
#include "learn/parallel/schedule.h"

static void fail(const char *what)
{
    fprintf(stderr, "bench_scale: %s\n", what);
    exit(1);
}

static void check(int32_t rc)
{
    char text[512] = "";

    if (rc >= 0)
        return;
    mopt_last_error(text, sizeof text, NULL);
    fail(text);
}

static void *room(size_t count, size_t size)
{
    void *block = calloc(count ? count : 1, size);

    if (block == NULL)
        fail("no memory");
    return block;
}

/* ---- what an actor does ---- */

enum { WORK, TALK, READY, END };
enum { TO_TENSOR, TO_NEXT, TO_PREVIOUS, TO_ALL };

typedef struct op {
    int32_t what, whom;
    int32_t far;           /* TALK: how far away the ranks are that it sends
                              to, and receives from in the other direction */
    int32_t sends, receives;
    double seconds, bytes; /* of the work; of the message */
} op;

typedef struct program {
    op *ops;
    size_t count, room;
} program;

static void put(program *p, op next)
{
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->ops = realloc(p->ops, p->room * sizeof *p->ops);
        if (p->ops == NULL)
            fail("no memory");
    }
    p->ops[p->count++] = next;
}

static void put_work(program *p, double seconds)
{
    if (seconds > 0)
        put(p, (op){.what = WORK, .seconds = seconds});
}

/* A sum over tensor ranks, or their pieces to all: rounds of neighbours. */
static void put_rounds(program *p, int32_t ranks, double bytes)
{
    for (int32_t k = 1; k < ranks; k++)
        put(p, (op){.what = TALK, .whom = TO_TENSOR, .far = k, .sends = 1,
                    .receives = 1, .bytes = bytes});
}

static void put_joint(program *prog, const mopt_parallel *p, moi_joint_cost c)
{
    if (c.bytes == 0)
        return;
    put_rounds(prog, p->tensor, c.bytes);
    if (!c.sum)
        return;
    put_work(prog, c.adding);
    put_rounds(prog, p->tensor, c.bytes);
}

/* A message between stages. Who sends, and then waits for something of the same
 * stage, does both at once, as pipeline.c has it. */
static void put_hand(program *prog, int32_t whom, int32_t sends, double bytes)
{
    op *last = prog->count > 0 ? &prog->ops[prog->count - 1] : NULL;

    if (last && last->what == TALK && last->whom == whom && last->sends &&
        !sends)
        last->receives = 1;
    else
        put(prog, (op){.what = TALK, .whom = whom, .far = 1, .sends = sends,
                       .receives = !sends, .bytes = bytes});
}

/* All ranks hear of all, by doubling. */
static void put_agreement(program *prog, const mopt_parallel *p, double bytes)
{
    int64_t ranks = (int64_t)p->data * p->tensor * p->stages;

    for (int64_t have = 1; have < ranks; have *= 2)
        put(prog, (op){.what = TALK, .whom = TO_ALL, .far = (int32_t)have,
                       .sends = 1, .receives = 1,
                       .bytes = bytes * (double)have});
}

/* ---- passes ---- */

static int32_t is_shared(const mopt_parallel *p)
{
    return moi_parallel_meets(p) != MOI_MEET_MESSAGES;
}

/* Buckets of the second actor. */
static int64_t count_carried(const mopt_parallel *p, int32_t stage)
{
    return is_shared(p) ? 0 : moi_stage_buckets(p, stage);
}

/* Rows of a rank's parts first .. first + count - 1; the last of a batch may
 * have fewer. */
static int64_t rows_of(const mopt_parallel *p, int64_t first, int64_t count)
{
    int64_t each = moi_part_rows(p), at = first * each;
    int64_t end = (first + count) * each;

    return (end < p->batch ? end : p->batch) - (at < p->batch ? at : p->batch);
}

static void put_forward(program *prog, const mopt_parallel *p, int32_t stage,
                        int64_t rows)
{
    if (stage > 0)
        put_hand(prog, TO_PREVIOUS, 0, moi_stage_handed(p, stage - 1, rows));
    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++) {
        put_work(prog, moi_machine_seconds(
                           &p->pace,
                           moi_layer_forward(&p->cost[i], p->split[i],
                                             p->tensor, rows)));
        put_joint(prog, p, moi_joint_forward(p, stage, i, rows));
    }
    if (stage + 1 < p->stages)
        put_hand(prog, TO_NEXT, 1, moi_stage_handed(p, stage, rows));
}

/* Reals of layer i, from the last layer of the stage down, lie before those of
 * layers below: a bucket is ready when so many have their gradients. */
static void put_backward(program *prog, const mopt_parallel *p, int32_t stage,
                         int64_t rows, int64_t parts, double sums,
                         int32_t last)
{
    double bucket = moi_stage_weights(p, stage) /
                    (double)moi_stage_buckets(p, stage);
    double there = 0, ready = 0;
    int32_t eager = p->overlap && moi_parallel_whole(p) && !is_shared(p);

    if (stage + 1 < p->stages)
        put_hand(prog, TO_NEXT, 0, moi_stage_handed(p, stage, rows));
    put_work(prog, sums * moi_machine_seconds(
                              &p->pace,
                              moi_stage_sum(moi_stage_weights(p, stage))));
    for (int64_t i = p->cuts[stage + 1] - 1; i >= p->cuts[stage]; i--) {
        put_work(prog, moi_machine_seconds(
                           &p->pace,
                           moi_layer_backward(&p->cost[i], p->split[i],
                                              p->tensor, rows,
                                              moi_part_products(p, parts))));
        put_joint(prog, p, moi_joint_backward(p, i, rows));
        there += moi_layer_weights(&p->cost[i], p->split[i], p->tensor);
        for (; last && eager && ready + bucket <= there * (1 + 1e-9);
             ready += bucket)
            put(prog, (op){.what = READY});
    }
    if (stage > 0)
        put_hand(prog, TO_PREVIOUS, 1, moi_stage_handed(p, stage - 1, rows));
}

/* A stage of a pipeline: its passes in the order that the training has. */
static void put_pipeline(program *prog, const mopt_parallel *p, int32_t stage,
                         int64_t first, int64_t count)
{
    moi_pass_op *list = room((size_t)(2 * count), sizeof *list);

    moi_passes_list(p->schedule, p->stages, stage, count, list);
    for (int64_t i = 0; i < 2 * count; i++) {
        int64_t rows = rows_of(p, first + list[i].part, 1);

        if (!list[i].back)
            put_forward(prog, p, stage, rows);
        else
            put_backward(prog, p, stage, rows, 1,
                         list[i].part % 2 == 1 && list[i].part > 1,
                         list[i].part == count - 1);
    }
    put_agreement(prog, p, 8 * ((double)p->parts + 3));
    free(list);
}

/* All layers at one rank: neighbouring parts together. */
static void put_alone(program *prog, const mopt_parallel *p, int64_t first,
                      int64_t count)
{
    int64_t stripe = moi_part_together(p);

    for (int64_t at = 0; at < count; at += stripe) {
        int64_t parts = count - at < stripe ? count - at : stripe;
        int64_t rows = rows_of(p, first + at, parts);
        int32_t last = at + parts == count;

        put_forward(prog, p, 0, rows);
        if (last && moi_parallel_meets(p) != MOI_MEET_ROWS)
            put_agreement(prog, p, 8 * ((double)p->parts + 3));
        put_backward(prog, p, 0, rows, parts,
                     last ? (double)moi_part_sums(p, count) : 0, last);
    }
}

/* Arrays of a data rank: nodes of the tree of sums that it has all parts of. */
static int64_t count_nodes(const mopt_parallel *p, int32_t d)
{
    int64_t at = moi_pairs_deal(p->parts, p->data, d), count = 0;
    int64_t limit = moi_pairs_deal(p->parts, p->data, d + 1);

    for (; at < limit; count++)
        at += moi_pairs_node(p->parts, at, limit);
    return count;
}

/* Ranks of a host, once all rows have gone back. */
static void put_shared(program *prog, const mopt_parallel *p, int32_t stage,
                       int32_t d)
{
    int32_t by_rows = moi_parallel_meets(p) == MOI_MEET_ROWS;
    double sums = (double)(p->all_nodes - count_nodes(p, d));
    double own = (double)moi_stage_buckets(p, stage) *
                 moi_bucket_piece(p, stage, d);
    double first = by_rows
        ? moi_machine_seconds(&p->pace, moi_share_gradients(p))
        : sums * moi_machine_seconds(&p->pace, moi_stage_sum(own));
    double spread = moi_machine_seconds(&p->pace, moi_share_spread(p, own));

    put_agreement(prog, p, 8);
    put_work(prog, first + moi_machine_seconds(&p->pace,
                                               moi_stage_update(p, own)));
    if (by_rows)
        put_work(prog, spread);
    put_agreement(prog, p, 8);
    if (!by_rows)
        put_work(prog, spread);
}

/* What the first actor of a rank does; the second has its buckets then. */
static program make_program(const mopt_parallel *p, int32_t stage, int32_t d)
{
    int64_t first = moi_pairs_deal(p->parts, p->data, d);
    int64_t count = moi_pairs_deal(p->parts, p->data, d + 1) - first;
    program prog = {0};

    if (moi_parallel_whole(p))
        put_alone(&prog, p, first, count);
    else
        put_pipeline(&prog, p, stage, first, count);
    if (is_shared(p))
        put_shared(&prog, p, stage, d);
    for (int64_t i = 0; i < count_carried(p, stage); i++)
        put(&prog, (op){.what = READY}); /* those that are not yet */
    put(&prog, (op){.what = END});
    return prog;
}

/* ---- actors ---- */

typedef struct actor {
    int32_t rank, stage, d, t;
    int32_t courier;     /* is it the second of its rank? */
    const program *prog; /* of the first */
    size_t at;           /* op, or what a courier is at in its bucket */
    int64_t bucket, ready; /* courier: the one it is at; how many may go */
    int32_t done, waits; /* waits: for a bucket */
    int32_t open;        /* ends of messages that are not through yet */
    double left;         /* of the work */
    double after;        /* work that the message will make */
    int32_t working;
    int64_t sent_to, heard_from; /* peers of the running talk */
} actor;

typedef struct world {
    const mopt_parallel *p;
    int32_t ranks, cores; /* cores 0: one for each rank */
    actor *actors;        /* [2 * ranks] */
    program *programs;    /* [stages * data] */
    int64_t *nodes;       /* [data], of the tree of sums at each data rank */
    double now;
    double *rates, *since; /* [machines], of work, and when it was brought up
                              to date */
    int32_t *busy;         /* [machines] */
    double finished;
} world;

/* Machines: one that all share, or one a rank. */
static int32_t machine_of(const world *w, const actor *a)
{
    return w->cores ? 0 : a->rank;
}

static int32_t rank_at(const world *w, int32_t stage, int32_t d, int32_t t)
{
    return (stage * w->p->data + d) * w->p->tensor + t;
}

/* ---- events: work that ends, messages that arrive ---- */

typedef struct event {
    double when;
    int64_t order;
    int32_t what; /* 0: an actor's work; 1: a message's end at an actor */
    int64_t actor, stamp;
} event;

static event *heap;
static size_t heap_count, heap_room;
static int64_t orders;
static int64_t *stamps; /* [actors]: work that was timed anew */

static int32_t earlier(const event *a, const event *b)
{
    return a->when < b->when || (a->when == b->when && a->order < b->order);
}

static void push(event e)
{
    size_t i = heap_count++;

    if (heap_count > heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (heap == NULL)
            fail("no memory");
    }
    e.order = orders++;
    for (; i > 0 && earlier(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
}

static event pop(void)
{
    event first = heap[0], last = heap[--heap_count];
    size_t i = 0;

    for (size_t k = 1; k < heap_count; i = k, k = 2 * i + 1) {
        k += k + 1 < heap_count && earlier(&heap[k + 1], &heap[k]);
        if (!earlier(&heap[k], &last))
            break;
        heap[i] = heap[k];
    }
    heap[i] = last;
    return first;
}

/* ---- work, on cores that may be shared ---- */

static void time_work(world *w, actor *a)
{
    int64_t i = a - w->actors;

    push((event){.when = w->now + a->left / w->rates[machine_of(w, a)],
                 .actor = i, .stamp = ++stamps[i]});
}

/* The actors of a machine. */
static void span(const world *w, int32_t machine, int32_t *first,
                 int32_t *limit)
{
    *first = w->cores ? 0 : 2 * machine;
    *limit = w->cores ? 2 * w->ranks : 2 * machine + 2;
}

/* The number of busy actors changes: bring what is left up to date. */
static void change(world *w, int32_t machine, int32_t by)
{
    int32_t cores = w->cores ? w->cores : 1, first, limit;
    double rate;

    span(w, machine, &first, &limit);
    for (int32_t i = first; i < limit; i++)
        if (w->actors[i].working)
            w->actors[i].left -= (w->now - w->since[machine]) *
                                 w->rates[machine];
    w->since[machine] = w->now;
    w->busy[machine] += by;
    rate = w->busy[machine] > cores ? (double)cores / w->busy[machine] : 1;
    if (rate == w->rates[machine])
        return;
    w->rates[machine] = rate;
    for (int32_t i = first; i < limit; i++)
        if (w->actors[i].working)
            time_work(w, &w->actors[i]);
}

static void begin_work(world *w, actor *a, double seconds)
{
    change(w, machine_of(w, a), 1);
    a->left = seconds;
    a->working = 1;
    time_work(w, a);
}

static void end_work(world *w, actor *a)
{
    a->working = 0;
    change(w, machine_of(w, a), -1);
}

/* ---- messages ---- */

/* Ends that wait: of actor a, which sends to or receives from peer. */
typedef struct wish {
    int64_t from, to;
    double bytes;
    struct wish *next;
} wish;

#define PLACES 65536
static wish *sends[PLACES], *receives[PLACES];

static size_t place(int64_t from, int64_t to)
{
    return (size_t)((uint64_t)(from * 2654435761 + to * 40503) % PLACES);
}

/* Take the wish of a pair that waited longest: they are few. */
static wish *take(wish **list, int64_t from, int64_t to)
{
    for (wish **at = &list[place(from, to)]; *at; at = &(*at)->next)
        if ((*at)->from == from && (*at)->to == to) {
            wish *found = *at;

            *at = found->next;
            return found;
        }
    return NULL;
}

static void add(wish **list, int64_t from, int64_t to, double bytes)
{
    wish *w = room(1, sizeof *w), **at = &list[place(from, to)];

    *w = (wish){from, to, bytes, NULL};
    while (*at)
        at = &(*at)->next;
    *at = w;
}

/* Both ends are there: it is through after the part of its time in which no
 * core works on it. */
static void begin_message(world *w, int64_t from, int64_t to, double bytes)
{
    const moi_machine *m = &w->p->machine;
    double seconds = moi_machine_send(m, bytes);
    int64_t ends[2] = {from, to};

    for (int32_t i = 0; i < 2; i++) {
        actor *a = &w->actors[ends[i]];

        a->after = fmax(a->after, seconds * m->work);
        push((event){.when = w->now + seconds * (1 - m->work), .what = 1,
                     .actor = ends[i]});
    }
}

static void send_to(world *w, int64_t from, int64_t to, double bytes)
{
    wish *other = take(receives, from, to);

    if (other == NULL) {
        add(sends, from, to, bytes);
        return;
    }
    free(other);
    begin_message(w, from, to, bytes);
}

static void receive_from(world *w, int64_t from, int64_t to)
{
    wish *other = take(sends, from, to);
    double bytes;

    if (other == NULL) {
        add(receives, from, to, 0);
        return;
    }
    bytes = other->bytes;
    free(other);
    begin_message(w, from, to, bytes);
}

/* ---- the next thing to do ---- */

static int32_t wrap(int64_t i, int32_t count)
{
    return (int32_t)((i % count + count) % count);
}

/* The rank at a distance, of those that an op is about. */
static int64_t peer(const world *w, const actor *a, int32_t whom, int32_t far)
{
    const mopt_parallel *p = w->p;

    switch (whom) {
    case TO_TENSOR:
        return rank_at(w, a->stage, a->d, wrap(a->t + far, p->tensor));
    case TO_NEXT: return rank_at(w, a->stage + 1, a->d, a->t);
    case TO_PREVIOUS: return rank_at(w, a->stage - 1, a->d, a->t);
    default: return wrap((int64_t)a->rank + far, w->ranks);
    }
}

static void talk(world *w, actor *a, const op *o)
{
    int64_t self = a - w->actors;
    int32_t other = a->courier;

    a->open = o->sends + o->receives;
    a->after = 0;
    if (o->sends)
        send_to(w, self, 2 * peer(w, a, o->whom, o->far) + other, o->bytes);
    if (o->receives)
        receive_from(w, 2 * peer(w, a, o->whom,
                                 o->whom == TO_NEXT || o->whom == TO_PREVIOUS
                                     ? o->far : -o->far) + other, self);
}

/* A courier exchanges something with the data rank k away: pieces of its sums
 * for the one that adds them up, or new weights of its own piece. */
static void trade(world *w, actor *a, int32_t k, int32_t sums)
{
    const mopt_parallel *p = w->p;
    int64_t self = a - w->actors;
    int32_t d = wrap(a->d + k, p->data);
    int32_t to = rank_at(w, a->stage, d, a->t);
    int32_t from = rank_at(w, a->stage, wrap(a->d - k, p->data), a->t);
    double bytes = sums ? 4 * (double)w->nodes[a->d] *
                              moi_bucket_piece(p, a->stage, d)
                        : 4 * moi_bucket_piece(p, a->stage, a->d);

    a->open = 2;
    a->after = 0;
    send_to(w, self, 2 * (int64_t)to + 1, bytes);
    receive_from(w, 2 * (int64_t)from + 1, self);
}

static int64_t count_all(const world *w)
{
    int64_t all = 0;

    for (int32_t d = 0; d < w->p->data; d++)
        all += w->nodes[d];
    return all;
}

/* Gradients to whoever adds them up, the update, weights back. Returns whether
 * the actor is at something. */
static int32_t carry(world *w, actor *a)
{
    const mopt_parallel *p = w->p;
    double piece = moi_bucket_piece(p, a->stage, a->d);
    size_t rounds = (size_t)p->data - 1;

    if (a->bucket == count_carried(p, a->stage)) {
        a->done = 1;
        return 0;
    }
    if (a->at == 0 && a->ready <= a->bucket) {
        a->waits = 1;
        return 0;
    }
    a->at++;
    if (a->at <= rounds) {
        trade(w, a, (int32_t)a->at, 1);
    } else if (a->at == rounds + 1) {
        double adds = p->data > 1 ? (double)(count_all(w) - w->nodes[a->d])
                                  : 0;

        begin_work(w, a, moi_machine_seconds(&p->pace,
                                             moi_stage_update(p, piece)) +
                             adds * moi_machine_seconds(
                                        &p->pace, moi_stage_sum(piece)));
    } else if (a->at <= 2 * rounds + 1) {
        trade(w, a, (int32_t)(a->at - rounds - 1), 0);
    } else {
        a->at = 0;
        a->bucket++;
        return carry(w, a);
    }
    return 1;
}

static void go_on(world *w, actor *a);

static void make_ready(world *w, actor *a)
{
    actor *courier = a + 1;

    courier->ready++;
    if (courier->waits) {
        courier->waits = 0;
        go_on(w, courier);
    }
}

static void go_on(world *w, actor *a)
{
    if (a->courier) {
        carry(w, a);
        w->finished = w->now;
        return;
    }
    for (;;) {
        const op *o = &a->prog->ops[a->at++];

        if (o->what == READY) {
            make_ready(w, a);
            continue;
        }
        if (o->what == WORK)
            begin_work(w, a, o->seconds);
        else if (o->what == TALK)
            talk(w, a, o);
        else
            a->done = 1;
        w->finished = w->now;
        return;
    }
}

static void handle(world *w, const event *e)
{
    actor *a = &w->actors[e->actor];

    if (e->what == 0 && e->stamp != stamps[e->actor])
        return; /* its core was shared since */
    w->now = e->when;
    if (e->what == 0) {
        end_work(w, a);
        go_on(w, a);
    } else if (--a->open == 0) {
        if (a->after > 0)
            begin_work(w, a, a->after);
        else
            go_on(w, a);
    }
}

/* ---- a step ---- */

static void set_up(world *w)
{
    const mopt_parallel *p = w->p;
    size_t machines = w->cores ? 1 : (size_t)w->ranks;

    w->actors = room((size_t)w->ranks * 2, sizeof *w->actors);
    w->programs = room((size_t)p->stages * (size_t)p->data,
                       sizeof *w->programs);
    w->nodes = room((size_t)p->data, sizeof *w->nodes);
    w->rates = room(machines, sizeof *w->rates);
    w->since = room(machines, sizeof *w->since);
    w->busy = room(machines, sizeof *w->busy);
    stamps = room((size_t)w->ranks * 2, sizeof *stamps);
    for (size_t i = 0; i < machines; i++)
        w->rates[i] = 1;
    for (int32_t d = 0; d < p->data; d++) {
        w->nodes[d] = count_nodes(p, d);
        for (int32_t s = 0; s < p->stages; s++)
            w->programs[s * p->data + d] = make_program(p, s, d);
    }
    for (int32_t i = 0; i < 2 * w->ranks; i++) {
        actor *a = &w->actors[i];

        a->rank = i / 2;
        a->courier = i % 2;
        a->t = a->rank % p->tensor;
        a->d = a->rank / p->tensor % p->data;
        a->stage = a->rank / p->tensor / p->data;
        a->prog = &w->programs[a->stage * p->data + a->d];
    }
}

/* Seconds of it; the second agreement, unless among its ops, ends it. */
static double simulate(const mopt_parallel *p, int32_t cores)
{
    world w = {.p = p, .ranks = p->data * p->tensor * p->stages,
               .cores = cores};
    double rounds = 0;

    set_up(&w);
    for (int32_t i = 0; i < 2 * w.ranks; i++)
        go_on(&w, &w.actors[i]);
    while (heap_count > 0) {
        event e = pop();

        handle(&w, &e);
    }
    for (int32_t i = 0; i < 2 * w.ranks; i++)
        if (!w.actors[i].done)
            fail("an actor waits for ever");
    for (int64_t have = 1; have < w.ranks && !is_shared(p); have *= 2)
        rounds++;
    return w.finished + rounds * p->machine.latency;
}

/* ---- the program ---- */

static mopt_model *make_model(mopt_context *ctx, const char *net)
{
    mopt_model *model = NULL;

    check(mopt_model_build(ctx, atoi(net), &model));
    for (net += strcspn(net, "-"); *net == '-'; net += strcspn(net, "-")) {
        net++;
        check(mopt_model_add_dense(model, atoi(net),
                                   strchr(net, '-') ? "relu" : NULL));
    }
    return model;
}

static mopt_parallel *make_plan(mopt_context *ctx, char **words)
{
    mopt_model *model = make_model(ctx, words[1]);
    mopt_config *config = NULL, *training = NULL;
    mopt_parallel *plan = NULL;

    check(mopt_config_create(ctx, "parallel", &config));
    check(mopt_config_set_json(config, words[5]));
    check(mopt_config_create(ctx, "train", &training));
    check(mopt_config_set_int(training, "batch_size", atoi(words[2])));
    check(mopt_config_set_int(training, "parts", atoi(words[3])));
    check(mopt_parallel_create(ctx, model, config, training, atoi(words[4]),
                               NULL, &plan));
    mopt_config_free(training);
    mopt_config_free(config);
    mopt_model_free(model);
    return plan;
}

int main(int count, char **words)
{
    mopt_context *ctx = NULL;
    mopt_parallel *p;
    double seconds;

    if (count < 6) {
        fputs("usage: bench_scale NET BATCH PARTS RANKS PARALLEL [CORES]\n",
              stderr);
        return 2;
    }
    check(mopt_context_create(NULL, NULL, &ctx));
    p = make_plan(ctx, words);
    seconds = simulate(p, count > 6 ? atoi(words[6]) : 0);
    printf("{\"bench\": \"scale\", \"net\": \"%s\", \"batch\": %lld, "
           "\"ranks\": %s, \"data\": %d, \"tensor\": %d, \"pipeline\": %d, "
           "\"parts\": %lld, \"seconds\": %.9f, \"estimate\": %.9f, "
           "\"alone\": %.9f}\n",
           words[1], (long long)p->batch, words[4], (int)p->data,
           (int)p->tensor, (int)p->stages, (long long)p->parts, seconds,
           p->estimate.seconds, p->alone.seconds);
    mopt_parallel_free(p);
    mopt_context_free(ctx);
    return 0;
}
