/* SPDX-License-Identifier: MIT
 * lib/learn/nn/plan.c: a model laid out in one block of memory.
 *
 * A pass is a walk over a list of works, one a layer, whose buffers were placed
 * when the plan was made: no name is looked up and nothing is allocated. With a
 * backward pass each layer has an output of its own; the gradients by outputs
 * take turns in two buffers, unless pieces of the pass may be at different
 * layers. Without a backward pass, outputs take turns too. */
#include "learn/nn/plan.h"

#include <assert.h>
#include <string.h>

#include "backend/dense.h"
#include "base/cancel.h"
#include "base/context.h"
#include "base/memory.h"
#include "learn/nn/model_inside.h"

#define CELL 16 /* reals that places are rounded up to: a cache line */

/* Pieces of a layer's gradients: some more than lanes, so that they end at the
 * same time, and so small that what follows finds them in the cache; of so
 * many units that packing an operand for each is cheap. */
#define PIECES_A_LANE 2
#define PIECE_UNITS 64
#define PIECE_REALS 65536

struct moi_plan {
    mopt_context *ctx;
    moi_work *works;
    int64_t count;
    int32_t lanes, flags;
    int64_t scratch; /* reals of it that a lane has */
    moi_span *spans; /* the pieces of the gradients, the last layer first */
    int64_t span_count;
    int64_t lowest; /* the first work with tensors: backward ends there */
    int32_t below;  /* it goes on to the input */
    int64_t max_rows, inputs, outputs;
    moi_real *input;       /* [max_rows][inputs] */
    moi_real *output;      /* [max_rows][outputs] */
    moi_real *output_grad; /* the same; NULL without backward pass */
    moi_real *input_grad;  /* [max_rows][inputs], with MOI_PLAN_BELOW */
    moi_real *block;       /* holds the plan's own buffers */
    moi_real *rows, *room; /* those of rows, in it or lent, and of lanes */
    int64_t rows_size, room_size; /* reals of them */
};

/* Gives out places of a block. The plan is walked twice: without blocks to
 * learn their sizes, and with them to set the pointers. */
typedef struct arena {
    moi_real *block;
    int64_t used; /* reals */
    int32_t rc;
} arena;

static int32_t fail_large(void)
{
    return moi_fail(MOPT_ERANGE, "a batch of the model is too large");
}

static moi_real *take(arena *a, int64_t rows, int64_t width)
{
    int64_t count = 0, at = a->used;
    if (a->rc == MOPT_OK)
        a->rc = moi_multiply(rows, width, "a batch of the model", &count);
    if (a->rc == MOPT_OK &&
        (__builtin_add_overflow(at, count, &a->used) ||
         __builtin_add_overflow(a->used, CELL - 1, &a->used)))
        a->rc = fail_large();
    a->used -= a->used % CELL;
    return a->block != NULL ? a->block + at : NULL;
}

/* Has a layer nothing to do under these flags? */
static int32_t is_left_out(const mopt_model *model, int64_t i, int32_t flags)
{
    return (flags & MOI_PLAN_TRAIN) == 0 &&
           (model->layers[i].kind->flags & MOI_LAYER_TRAINING) != 0;
}

/* Does the output hold 0 wherever relu cut a value off? */
static int32_t ends_in_relu(const moi_work *works, int64_t i)
{
    const moi_layer_kind *kind = works[i].layer->kind;
    if (works[i].bare)
        return 0;
    if (kind->ends_in != NULL) {
        const moi_activation *f = kind->ends_in(works[i].layer);
        return f != NULL && f->fuse == MOI_FUSE_RELU;
    }
    return i > 0 && (kind->flags & MOI_LAYER_KEEPS_ZERO) != 0 &&
           ends_in_relu(works, i - 1);
}

/* The layer before does without its own derivative of relu if this one lets
 * the input gradient be 0 where the input is. */
static void link_masks(moi_plan *plan)
{
    for (int64_t i = 1; i < plan->count; i++) {
        moi_work *work = &plan->works[i];
        if ((work->layer->kind->flags & MOI_LAYER_MASKS) == 0 ||
            !ends_in_relu(plan->works, i - 1))
            continue;
        work->masks = 1;
        int64_t j = i - 1;
        for (; plan->works[j].layer->kind->ends_in == NULL; j--)
            plan->works[j].masked = 1;
        plan->works[j].masked = 1;
    }
}

static void list_works(moi_plan *plan, const mopt_model *model, int32_t flags)
{
    for (int64_t i = 0; i < model->count; i++) {
        const moi_layer *layer = &model->layers[i];
        if (is_left_out(model, i, flags))
            continue;
        moi_work *work = &plan->works[plan->count++];
        *work = (moi_work){
            .layer = layer,
            .ctx = plan->ctx,
            .in = moi_shape_count(&layer->in),
            .out = moi_shape_count(&layer->out),
            .train = (flags & MOI_PLAN_TRAIN) != 0,
        };
        for (int64_t k = 0; k < layer->tensors; k++) {
            work->offset[k] = model->params[layer->first + k].offset;
            work->count[k] = model->params[layer->first + k].count;
        }
        work->units = layer->kind->units != NULL ? layer->kind->units(layer)
                                                 : 1;
        work->bare = (flags & MOI_PLAN_LOGITS) != 0 &&
                     i == model->count - 1 &&
                     moi_model_ends_in_probability(model);
    }
    plan->lowest = plan->count;
    for (int64_t i = plan->count - 1; i >= 0; i--)
        if (plan->works[i].layer->tensors > 0 || plan->below)
            plan->lowest = i;
    link_masks(plan);
}

static int64_t widest(const moi_plan *plan, int64_t from)
{
    int64_t width = plan->outputs;
    for (int64_t i = from; i < plan->count; i++)
        if (plan->works[i].out > width)
            width = plan->works[i].out;
    return width;
}

static void place_outputs(moi_plan *plan, arena *a, int32_t train)
{
    int64_t rows = plan->max_rows, turn = 0, wide = widest(plan, 0);
    moi_real *turns[2] = {NULL, NULL};
    moi_real *x = plan->input = take(a, rows, plan->inputs);
    if (!train)
        for (int32_t k = 0; k < 2; k++)
            turns[k] = take(a, rows, wide);
    for (int64_t i = 0; i < plan->count; i++) {
        moi_work *work = &plan->works[i];
        work->x = x;
        if (work->layer->kind->flags & MOI_LAYER_PASSES)
            work->y = x;
        else if (train)
            work->y = take(a, rows, work->out);
        else if ((work->layer->kind->flags & MOI_LAYER_IN_PLACE) && i > 0)
            work->y = x;
        else
            work->y = turns[turn++ % 2];
        x = work->y;
    }
    plan->output = x;
}

/* With several lanes, a layer with tensors keeps its dy for itself. */
static void place_apart(moi_plan *plan, arena *a)
{
    moi_real *dy = take(a, plan->max_rows, plan->outputs);
    plan->output_grad = dy;
    for (int64_t i = plan->count - 1; i >= plan->lowest; i--) {
        moi_work *work = &plan->works[i];
        work->dy = dy;
        if (i == plan->lowest && !plan->below)
            break;
        if ((work->layer->kind->flags & MOI_LAYER_IN_PLACE) == 0 ||
            work->layer->tensors > 0)
            dy = take(a, plan->max_rows, work->in);
        work->dx = dy;
    }
    plan->input_grad = plan->below ? dy : NULL;
}

static void place_in_turns(moi_plan *plan, arena *a)
{
    int64_t rows = plan->max_rows, wide = widest(plan, plan->lowest);
    if (plan->below && plan->inputs > wide)
        wide = plan->inputs;
    moi_real *turns[2] = {take(a, rows, wide), take(a, rows, wide)};
    int64_t turn = 0;
    plan->output_grad = turns[0];
    for (int64_t i = plan->count - 1; i >= plan->lowest; i--) {
        moi_work *work = &plan->works[i];
        work->dy = turns[turn % 2];
        if (i == plan->lowest && !plan->below)
            break;
        if ((work->layer->kind->flags & MOI_LAYER_IN_PLACE) == 0)
            turn++;
        work->dx = turns[turn % 2];
    }
    plan->input_grad = plan->below ? turns[turn % 2] : NULL;
}

static void place_rest(moi_plan *plan, arena *a, arena *lanes)
{
    int64_t scratch = 0;
    for (int64_t i = 0; i < plan->count; i++) {
        moi_work *work = &plan->works[i];
        moi_buffers need = {0, 0};
        if (work->layer->kind->buffers != NULL)
            work->layer->kind->buffers(work, plan->max_rows, &need);
        work->keep = need.keep > 0 ? take(a, plan->max_rows, need.keep) : NULL;
        work->keep_width = need.keep;
        if (need.scratch > scratch)
            scratch = need.scratch;
    }
    plan->scratch = (scratch + CELL - 1) / CELL * CELL;
    moi_real *shared = take(lanes, plan->lanes, plan->scratch);
    for (int64_t i = 0; i < plan->count; i++)
        plan->works[i].scratch = shared;
}

static int32_t is_apart(const moi_plan *plan)
{
    return plan->lanes > 1 || (plan->flags & MOI_PLAN_APART) != 0;
}

static int32_t place(moi_plan *plan)
{
    int32_t train = (plan->flags & MOI_PLAN_TRAIN) != 0;
    arena rows = {plan->rows, 0, MOPT_OK}, lanes = {plan->room, 0, MOPT_OK};
    place_outputs(plan, &rows, train);
    if (train && is_apart(plan))
        place_apart(plan, &rows);
    else if (train)
        place_in_turns(plan, &rows);
    if (rows.rc == MOPT_OK)
        place_rest(plan, &rows, &lanes);
    plan->rows_size = rows.used;
    plan->room_size = lanes.used;
    if (rows.rc == MOPT_OK && lanes.rc == MOPT_OK &&
        lanes.used > INT64_MAX - rows.used)
        return fail_large();
    return rows.rc != MOPT_OK ? rows.rc : lanes.rc;
}

/* Reals of the plan's own: what is lent comes later. */
static int64_t own_size(const moi_plan *plan)
{
    return plan->room_size +
           (plan->flags & MOI_PLAN_LENT ? 0 : plan->rows_size);
}

static int32_t take_block(moi_plan *plan)
{
    plan->block = moi_alloc(plan->ctx, own_size(plan), sizeof(moi_real));
    if (plan->block == NULL)
        return MOPT_ENOMEM;
    plan->room = plan->block + own_size(plan) - plan->room_size;
    if ((plan->flags & MOI_PLAN_LENT) == 0)
        plan->rows = plan->block;
    return place(plan);
}

/* --- Pieces of the gradients -------------------------------------------- */

int64_t moi_plan_cut(int64_t count, int64_t parts, int64_t part)
{
    return part < parts ? count * part / parts / 8 * 8 : count;
}

static int64_t parts_of(const moi_plan *plan, const moi_work *work)
{
    int64_t parts = work->units / PIECE_UNITS;
    int64_t wanted = plan->lanes > 1 ? plan->lanes * PIECES_A_LANE : 1;
    if (wanted < work->count[0] / PIECE_REALS)
        wanted = work->count[0] / PIECE_REALS;
    return parts > wanted ? wanted : parts > 1 ? parts : 1;
}

static int64_t most_spans(const moi_plan *plan)
{
    int64_t count = 0;
    for (int64_t i = 0; i < plan->count; i++)
        count += parts_of(plan, &plan->works[i]);
    return count;
}

static void list_spans(moi_plan *plan)
{
    plan->span_count = 0;
    for (int64_t i = plan->count - 1; i >= plan->lowest; i--) {
        const moi_work *work = &plan->works[i];
        int64_t parts = parts_of(plan, work), units = work->units;
        if (work->layer->tensors == 0 || work->frozen)
            continue;
        for (int64_t k = 0; k < parts; k++) {
            int64_t first = moi_plan_cut(units, parts, k);
            plan->spans[plan->span_count++] = (moi_span){
                work, first, moi_plan_cut(units, parts, k + 1) - first};
        }
    }
}

int32_t moi_plan_create(mopt_context *ctx, const mopt_model *model,
                        int64_t max_rows, int32_t flags, moi_plan **out)
{
    return moi_plan_create_lanes(ctx, model, max_rows, flags, 1, out);
}

int32_t moi_plan_create_lanes(mopt_context *ctx, const mopt_model *model,
                              int64_t max_rows, int32_t flags, int32_t lanes,
                              moi_plan **out)
{
    assert(max_rows > 0 && lanes > 0);
    assert((lanes == 1 && (flags & MOI_PLAN_APART) == 0) ||
           flags & MOI_PLAN_TRAIN);
    if (model->count == 0)
        return moi_fail(MOPT_ESTATE, "the model has no layers");
    moi_plan *plan = moi_calloc(ctx, 1, sizeof(*plan));
    int32_t rc = MOPT_ENOMEM;
    if (plan == NULL)
        return rc;
    plan->ctx = ctx;
    plan->max_rows = max_rows;
    plan->lanes = lanes;
    plan->flags = flags;
    plan->below = (flags & MOI_PLAN_BELOW) != 0;
    plan->inputs = model->inputs;
    plan->outputs = moi_model_outputs(model);
    plan->works = moi_calloc(ctx, model->count, sizeof(moi_work));
    if (plan->works == NULL)
        goto out;
    list_works(plan, model, flags);
    plan->spans = moi_calloc(ctx, most_spans(plan), sizeof(*plan->spans));
    if (plan->spans == NULL)
        goto out;
    list_spans(plan);
    rc = place(plan);
    if (rc == MOPT_OK)
        rc = take_block(plan);
    if (rc != MOPT_OK)
        goto out;
    *out = plan;
    plan = NULL;
out:
    moi_plan_free(plan);
    return rc;
}

void moi_plan_free(moi_plan *plan)
{
    if (plan == NULL)
        return;
    for (int64_t i = 0; plan->works != NULL && i < plan->count; i++)
        moi_free(plan->ctx, plan->works[i].tap_grad);
    moi_free(plan->ctx, plan->block);
    moi_free(plan->ctx, plan->spans);
    moi_free(plan->ctx, plan->works);
    moi_free(plan->ctx, plan);
}

int64_t moi_plan_rows_bytes(const moi_plan *plan)
{
    return plan->rows_size * (int64_t)sizeof(moi_real);
}

void moi_plan_lend(moi_plan *plan, void *room)
{
    assert(plan->flags & MOI_PLAN_LENT);
    plan->rows = room;
    place(plan);
}

static int32_t all_frozen(const moi_layer *layer, const int32_t *frozen)
{
    for (int64_t k = 0; k < layer->tensors; k++)
        if (!frozen[layer->first + k])
            return 0;
    return 1;
}

void moi_plan_freeze(moi_plan *plan, const int32_t *frozen)
{
    int64_t lowest = plan->count;
    for (int64_t i = plan->count - 1; i >= plan->lowest; i--) {
        moi_work *work = &plan->works[i];
        work->frozen = all_frozen(work->layer, frozen);
        if (!work->frozen)
            lowest = i;
    }
    plan->lowest = plan->below ? 0 : lowest;
    if (lowest < plan->count && !plan->below)
        plan->works[lowest].dx = NULL;
    list_spans(plan);
}

/* --- Taps --------------------------------------------------------------- */

int32_t moi_plan_tap(moi_plan *plan, int64_t layer, moi_real **out,
                     moi_real **grad)
{
    int64_t i = 0, count = 0;
    while (i < plan->count && plan->works[i].layer->piece.layer != layer)
        i++;
    if (i == plan->count)
        return moi_fail(MOPT_EINVAL, "the model has no layer %lld",
                        (long long)layer);
    moi_work *work = &plan->works[i];
    int32_t rc = moi_multiply(plan->max_rows, work->out, "a tap", &count);
    if (rc == MOPT_OK && work->tap_grad == NULL)
        work->tap_grad = moi_calloc(plan->ctx, count, sizeof(moi_real));
    if (rc == MOPT_OK && work->tap_grad == NULL)
        rc = MOPT_ENOMEM;
    if (rc == MOPT_OK) {
        *out = work->y;
        *grad = work->tap_grad;
    }
    return rc;
}

void moi_plan_clear_taps(moi_plan *plan, int64_t rows)
{
    for (int64_t i = 0; i < plan->count; i++)
        if (plan->works[i].tap_grad != NULL)
            memset(plan->works[i].tap_grad, 0,
                   (size_t)(rows * plan->works[i].out) * sizeof(moi_real));
}

/* What a tap adds; a layer that counts on the next one's mask gets none where
 * its output is cut off. */
static void add_tap(const moi_work *work, int64_t rows)
{
    for (int64_t i = 0; i < rows * work->out; i++)
        if (!work->masked || work->y[i] > 0)
            work->dy[i] += work->tap_grad[i];
}

/* --- Running ------------------------------------------------------------ */

moi_real *moi_plan_input(moi_plan *plan)
{
    return plan->input;
}

const moi_real *moi_plan_output(const moi_plan *plan)
{
    return plan->output;
}

moi_real *moi_plan_output_grad(moi_plan *plan)
{
    return plan->output_grad;
}

const moi_real *moi_plan_input_grad(const moi_plan *plan)
{
    return plan->input_grad;
}

int64_t moi_plan_bytes(const moi_plan *plan)
{
    return own_size(plan) * (int64_t)sizeof(moi_real);
}

/* A layer's work on the rows from first on. */
static moi_work from_row(const moi_plan *plan, const moi_work *work,
                         int32_t lane, int64_t first)
{
    moi_work piece = *work;
    piece.x += first * work->in;
    piece.y += first * work->out;
    if (work->dy != NULL)
        piece.dy += first * work->out;
    if (work->dx != NULL)
        piece.dx += first * work->in;
    if (work->keep != NULL)
        piece.keep += first * work->keep_width;
    if (work->tap_grad != NULL)
        piece.tap_grad += first * work->out;
    piece.scratch += lane * plan->scratch;
    return piece;
}

int32_t moi_plan_forward_rows(const moi_plan *plan, int32_t lane,
                              const moi_real *weights, int64_t first,
                              int64_t rows, const moi_pass *pass)
{
    assert(first >= 0 && rows >= 0 && first + rows <= plan->max_rows);
    assert(lane < plan->lanes);
    moi_pass here = *pass;
    int32_t rc = MOPT_OK;
    here.row += first;
    for (int64_t i = 0; i < plan->count && rc == MOPT_OK; i++) {
        moi_work work = from_row(plan, &plan->works[i], lane, first);
        rc = moi_cancel_check(pass->cancel);
        if (rc == MOPT_OK)
            rc = work.layer->kind->forward(&work, weights, rows, &here);
    }
    return rc;
}

int32_t moi_plan_forward(moi_plan *plan, const moi_real *weights, int64_t rows,
                         const moi_pass *pass)
{
    return moi_plan_forward_rows(plan, 0, weights, 0, rows, pass);
}

static int32_t backward_layer(const moi_work *work, const moi_real *weights,
                              int64_t rows, const moi_pass *pass)
{
    int32_t rc = moi_cancel_check(pass->cancel);
    if (rc != MOPT_OK)
        return rc;
    if (work->tap_grad != NULL)
        add_tap(work, rows);
    return work->layer->kind->backward(work, weights, rows, pass);
}

int32_t moi_plan_backward_rows(const moi_plan *plan, int32_t lane,
                               const moi_real *weights, int64_t first,
                               int64_t rows, const moi_pass *pass)
{
    assert(first >= 0 && rows >= 0 && first + rows <= plan->max_rows);
    assert(plan->output_grad != NULL && is_apart(plan));
    moi_pass here = *pass;
    int32_t rc = MOPT_OK;
    here.row += first;
    for (int64_t i = plan->count - 1; i >= plan->lowest && rc == MOPT_OK;
         i--) {
        moi_work work = from_row(plan, &plan->works[i], lane, first);
        rc = backward_layer(&work, weights, rows, &here);
    }
    return rc;
}

int64_t moi_plan_pieces(const moi_plan *plan)
{
    return plan->span_count;
}

int32_t moi_plan_span_gradients(const moi_plan *plan, int32_t lane,
                                const moi_span *s, const moi_part *part)
{
    if (s->work->frozen)
        return MOPT_OK;
    moi_work work = from_row(plan, s->work, lane, part->first);
    const moi_layer *layer = work.layer;
    moi_grads_fn told = part->on_grads;
    int64_t unit = work.count[0] / work.units;
    int64_t whole = s->first + s->count == work.units ? layer->tensors : 1;
    work.chain = part->chain;
    work.onto = part->onto;
    int32_t rc = layer->kind->gradients(&work, part->rows, s->first, s->count,
                                        part->grads);
    if (rc == MOPT_OK && told != NULL)
        rc = told(part->user, layer->first, s->first * unit, s->count * unit);
    for (int64_t k = 1; k < whole && rc == MOPT_OK && told != NULL; k++)
        rc = told(part->user, layer->first + k, 0, work.count[k]);
    return rc;
}

int32_t moi_plan_gradients(const moi_plan *plan, int32_t lane, int64_t piece,
                           const moi_part *parts, int64_t count)
{
    int32_t rc = MOPT_OK;
    for (int64_t i = 0; i < count && rc == MOPT_OK; i++)
        rc = moi_plan_span_gradients(plan, lane, &plan->spans[piece],
                                     &parts[i]);
    return rc;
}

/* The other tensors of a layer come with its last unit. */
moi_span moi_plan_span(const moi_plan *plan, int64_t tensor, int64_t first,
                       int64_t count)
{
    const moi_work *work = plan->works;
    while (tensor < work->layer->first ||
           tensor >= work->layer->first + work->layer->tensors)
        work++;
    if (tensor > work->layer->first)
        return (moi_span){work, work->units - 1, 1};
    int64_t unit = work->count[0] / work->units;
    int64_t limit = (first + count + unit - 1) / unit;
    return (moi_span){work, first / unit, limit - first / unit};
}

int32_t moi_plan_backward_parts(moi_plan *plan, const moi_real *weights,
                                int64_t rows, const moi_pass *pass,
                                const moi_part *parts, int64_t count)
{
    assert(rows >= 0 && rows <= plan->max_rows);
    assert(plan->output_grad != NULL);
    int32_t rc = MOPT_OK;
    int64_t piece = 0;
    for (int64_t i = plan->count - 1; i >= plan->lowest && rc == MOPT_OK;
         i--) {
        const moi_work *work = &plan->works[i];
        rc = backward_layer(work, weights, rows, pass);
        for (; rc == MOPT_OK && piece < plan->span_count &&
               plan->spans[piece].work == work; piece++)
            rc = moi_plan_gradients(plan, 0, piece, parts, count);
    }
    return rc;
}

int32_t moi_plan_backward(moi_plan *plan, const moi_real *weights,
                          int64_t rows, const moi_pass *pass, moi_real *grads,
                          moi_grads_fn on_grads, void *user)
{
    moi_part all = {.rows = rows, .grads = grads, .on_grads = on_grads,
                    .user = user};
    return moi_plan_backward_parts(plan, weights, rows, pass, &all, 1);
}

int32_t moi_plan_adds(const moi_plan *plan, int64_t rows, int64_t chain)
{
    for (int64_t i = plan->lowest; i < plan->count; i++) {
        const moi_work *work = &plan->works[i];
        const moi_layer_kind *kind = work->layer->kind;
        if (work->layer->tensors > 0 &&
            (kind->adds == NULL || !kind->adds(work, rows, chain)))
            return 0;
    }
    return 1;
}
