/* SPDX-License-Identifier: MIT
 * lib/learn/data/glyphs.c: images of digits, drawn: a real task for a machine
 * without data.
 *
 * Each digit is a few strokes, uniform quadratic B-splines whose control points
 * stand in tables below (a point that comes twice makes a corner). An image
 * shifts the points a little, turns, shears, scales and moves the whole, and
 * inks every pixel by its distance to the strokes; then comes noise. Row i
 * depends on (seed, part, i) alone. Only + - * / and sqrt are used, which
 * IEEE 754 rounds alike everywhere, so an image has the same bytes on any
 * machine. */
#include <math.h>
#include <string.h>

#include "backend/kernels.h"
#include "base/memory.h"
#include "base/threads.h"
#include "learn/data/source.h"

#define SIDE 28
#define PIXELS (SIDE * SIDE)

/* A stroke: control points in a box of 100 x 100, y downwards. */
#define POINTS 10
typedef struct stroke {
    int8_t count;
    int8_t at[POINTS][2];
} stroke;

#define STROKES 2
typedef struct figure {
    int8_t digit;
    int8_t count;
    stroke strokes[STROKES];
} figure;

/* Ways to write the digits; those of one digit stand together. */
static const figure figures[] = {
    {0, 1, {{9, {{50, 0}, {92, 0}, {100, 50}, {92, 100}, {50, 100}, {8, 100},
                 {0, 50}, {8, 0}, {50, 0}}}}},
    {0, 1, {{10, {{62, 4}, {20, -4}, {0, 50}, {10, 104}, {50, 102}, {94, 100},
                  {104, 45}, {84, -2}, {55, -4}, {40, 8}}}}},
    {1, 1, {{2, {{50, 0}, {50, 100}}}}},
    {1, 1, {{4, {{26, 26}, {54, 0}, {54, 0}, {54, 100}}}}},
    {1, 2, {{4, {{28, 22}, {52, 0}, {52, 0}, {52, 100}}},
            {2, {{24, 100}, {80, 100}}}}},
    {2, 1, {{8, {{6, 28}, {12, -4}, {88, -8}, {98, 36}, {56, 66}, {4, 100},
                 {4, 100}, {96, 100}}}}},
    {2, 1, {{10, {{8, 22}, {20, -4}, {86, -6}, {96, 34}, {60, 70}, {16, 108},
                  {-4, 92}, {20, 72}, {50, 100}, {98, 98}}}}},
    {3, 1, {{10, {{8, 14}, {30, -6}, {92, -4}, {92, 42}, {40, 46}, {40, 46},
                  {98, 48}, {100, 98}, {40, 110}, {4, 84}}}}},
    {3, 1, {{9, {{8, 0}, {90, 0}, {90, 0}, {44, 42}, {44, 42}, {98, 42},
                 {104, 98}, {44, 110}, {2, 84}}}}},
    {4, 2, {{4, {{22, 0}, {4, 60}, {4, 60}, {96, 58}}},
            {2, {{70, 22}, {64, 100}}}}},
    {4, 2, {{4, {{66, 0}, {2, 66}, {2, 66}, {98, 66}}},
            {2, {{66, 0}, {66, 100}}}}},
    {5, 2, {{8, {{20, 2}, {14, 46}, {14, 46}, {50, 30}, {102, 42}, {96, 96},
                 {44, 110}, {4, 86}}},
            {2, {{20, 2}, {92, 0}}}}},
    {5, 1, {{9, {{88, 2}, {22, 2}, {22, 2}, {18, 44}, {40, 42}, {100, 44},
                 {98, 100}, {48, 102}, {6, 94}}}}},
    {6, 1, {{9, {{76, 2}, {30, 14}, {0, 62}, {8, 106}, {62, 108}, {102, 82},
                 {82, 42}, {36, 46}, {10, 76}}}}},
    {6, 1, {{8, {{56, 0}, {14, 30}, {-2, 100}, {50, 104}, {98, 102}, {94, 52},
                 {40, 52}, {14, 80}}}}},
    {7, 1, {{5, {{4, 2}, {96, 0}, {96, 0}, {54, 50}, {36, 100}}}}},
    {7, 2, {{5, {{4, 4}, {94, 0}, {94, 0}, {60, 46}, {40, 100}}},
            {2, {{24, 52}, {80, 48}}}}},
    {8, 2, {{7, {{50, 46}, {4, 42}, {6, -2}, {50, -4}, {94, -2}, {96, 42},
                 {50, 46}}},
            {7, {{50, 46}, {-4, 54}, {-2, 104}, {50, 104}, {102, 104},
                 {104, 54}, {50, 46}}}}},
    {8, 1, {{10, {{84, 14}, {50, -14}, {2, 12}, {30, 46}, {104, 62}, {90, 108},
                  {12, 108}, {0, 66}, {70, 40}, {84, 14}}}}},
    {9, 1, {{10, {{90, 36}, {62, 58}, {8, 54}, {-2, 14}, {34, -10}, {88, -4},
                  {98, 38}, {88, 74}, {66, 94}, {52, 100}}}}},
    {9, 2, {{7, {{88, 20}, {70, -6}, {10, -6}, {2, 30}, {14, 58}, {70, 54},
                 {88, 20}}},
            {3, {{88, 12}, {86, 60}, {80, 100}}}}},
};

#define KINDS ((int64_t)(sizeof(figures) / sizeof(figures[0])))

/* How far the images go, found by trying: a dense network of two layers of 64
 * to 128 gets 97 to 99 of 100 right after 10,000 of them. */
#define SHIFT 7.0f     /* of a control point, in box units */
#define TURN 0.18f     /* tangent of half the turn: about 20 degrees */
#define SHEAR 0.35f
#define SIZE_LOW 14.0f /* pixels that the box takes */
#define SIZE_HIGH 20.0f
#define MOVE 2.5f      /* of the whole, in pixels */
#define THIN 0.6f      /* half the width of a stroke, in pixels */
#define THICK 1.5f
#define FAINT 0.55f    /* the least ink */
#define NOISE 0.14f    /* most of the noise's deviation, 1 is full ink */

/* Where a point of the box comes to lie. */
typedef struct placing {
    float xx, xy, yx, yy, x, y;
} placing;

static float between(moi_rng *rng, float low, float high)
{
    return low + (high - low) * (float)(moi_rng_u32(rng) >> 8) * 0x1p-24f;
}

static placing draw_placing(moi_rng *rng)
{
    /* Cosine and sine from the tangent of half the angle. */
    float t = between(rng, -TURN, TURN), q = 1 / (1 + t * t);
    float c = (1 - t * t) * q, s = 2 * t * q;
    float shear = between(rng, -SHEAR, SHEAR);
    float height = between(rng, SIZE_LOW, SIZE_HIGH) / 100;
    float width = height * between(rng, 0.55f, 1.0f);
    placing p;

    p.xx = c * width;
    p.xy = -(s + shear * c) * height;
    p.yx = s * width;
    p.yy = (c - shear * s) * height;
    p.x = SIDE / 2.0f + between(rng, -MOVE, MOVE) - 0.5f;
    p.y = SIDE / 2.0f + between(rng, -MOVE, MOVE) - 0.5f;
    return p;
}

/* Squared distances of the pixels to a segment, where they are less than what
 * is there; only pixels within reach are looked at. */
MOI_CLONES static void near_segment(float x0, float y0, float x1, float y1,
                                    float reach, float *squares)
{
    float dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    float over = length > 0 ? 1 / length : 0;
    float left = fminf(x0, x1) - reach, right = fmaxf(x0, x1) + reach;
    float top = fminf(y0, y1) - reach, bottom = fmaxf(y0, y1) + reach;
    int32_t x, y, from_x = left > 0 ? (int32_t)left : 0;
    int32_t to_x = right < SIDE - 1 ? (int32_t)right + 1 : SIDE;
    int32_t from_y = top > 0 ? (int32_t)top : 0;
    int32_t to_y = bottom < SIDE - 1 ? (int32_t)bottom + 1 : SIDE;

    for (y = from_y; y < to_y; y++) {
        float py = (float)y - y0;
        float *row = squares + y * SIDE;
        for (x = from_x; x < to_x; x++) {
            float px = (float)x - x0;
            float t = (px * dx + py * dy) * over;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            px = px - t * dx;
            t = py - t * dy;
            t = px * px + t * t;
            row[x] = t < row[x] ? t : row[x];
        }
    }
}

/* A stroke as short segments: between the middles of neighbouring control
 * points runs a parabola; the first and the last half are straight. */
static void draw_stroke(const stroke *s, const placing *p, moi_rng *rng,
                        float reach, float *squares)
{
    float at[POINTS][2], x = 0, y = 0;
    int32_t i, k, steps = 6;

    for (i = 0; i < s->count; i++) {
        float u = (float)s->at[i][0] - 50 + between(rng, -SHIFT, SHIFT);
        float v = (float)s->at[i][1] - 50 + between(rng, -SHIFT, SHIFT);
        int32_t corner = i > 0 && s->at[i][0] == s->at[i - 1][0] &&
                         s->at[i][1] == s->at[i - 1][1];
        at[i][0] = corner ? at[i - 1][0] : p->xx * u + p->xy * v + p->x;
        at[i][1] = corner ? at[i - 1][1] : p->yx * u + p->yy * v + p->y;
    }
    for (i = 1; i < s->count; i++) {
        float mx = (at[i - 1][0] + at[i][0]) / 2;
        float my = (at[i - 1][1] + at[i][1]) / 2;
        if (i == 1) {
            near_segment(at[0][0], at[0][1], mx, my, reach, squares);
        } else {
            float fx = x, fy = y;
            for (k = 1; k <= steps; k++) {
                float t = (float)k / (float)steps, r = 1 - t;
                float tx = r * r * fx + 2 * r * t * at[i - 1][0] + t * t * mx;
                float ty = r * r * fy + 2 * r * t * at[i - 1][1] + t * t * my;
                near_segment(x, y, tx, ty, reach, squares);
                x = tx;
                y = ty;
            }
        }
        x = mx;
        y = my;
    }
    near_segment(x, y, at[s->count - 1][0], at[s->count - 1][1], reach,
                 squares);
}

/* Ink by distance, and noise: the sum of four bytes is nearly normal, with
 * mean 510 and deviation 147.8. */
MOI_CLONES static void ink_pixels(const float *squares, const uint32_t *noise,
                                  float half, float ink, float amount,
                                  uint8_t *pixels)
{
    int32_t i;

    for (i = 0; i < PIXELS; i++) {
        uint32_t n = noise[i];
        float sum = (float)(int32_t)((n & 255) + (n >> 8 & 255) +
                                     (n >> 16 & 255) + (n >> 24));
        float v = half + 0.5f - sqrtf(squares[i]);
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        v = 255 * (v * ink + (sum - 510) * (1 / 147.8f) * amount);
        v = v < 0 ? 0 : v > 255 ? 255 : v;
        pixels[i] = (uint8_t)(int32_t)(v + 0.5f);
    }
}

static const figure *choose_figure(moi_rng *rng)
{
    int8_t digit = (int8_t)moi_rng_below(rng, 10);
    int64_t first = 0, count = 0;

    while (figures[first].digit != digit)
        first++;
    while (first + count < KINDS && figures[first + count].digit == digit)
        count++;
    return &figures[first + (int64_t)moi_rng_below(rng, (uint64_t)count)];
}

static void draw_row(uint64_t seed, int32_t part, int64_t row,
                     uint8_t *pixels, uint8_t *label)
{
    float squares[PIXELS], half, ink, amount;
    uint32_t noise[PIXELS];
    const figure *f;
    placing p;
    moi_rng rng;
    int32_t i;

    moi_source_row_rng(&rng, seed, part, row);
    f = choose_figure(&rng);
    p = draw_placing(&rng);
    half = between(&rng, THIN, THICK);
    ink = between(&rng, FAINT, 1);
    amount = between(&rng, 0, NOISE);
    for (i = 0; i < PIXELS; i++)
        squares[i] = 1e6f;
    for (i = 0; i < f->count; i++)
        draw_stroke(&f->strokes[i], &p, &rng, half + 1, squares);
    moi_rng_fill(&rng, noise, PIXELS);
    ink_pixels(squares, noise, half, ink, amount, pixels);
    *label = (uint8_t)f->digit;
}

typedef struct drawing {
    uint64_t seed;
    int32_t part;
    int64_t rows;
    uint8_t *pixels, *labels;
} drawing;

#define ROWS_A_TASK 64

static void draw_rows(void *work, int64_t task)
{
    const drawing *d = work;
    int64_t i, end = (task + 1) * ROWS_A_TASK;

    for (i = task * ROWS_A_TASK; i < end && i < d->rows; i++)
        draw_row(d->seed, d->part, i, d->pixels + i * PIXELS, d->labels + i);
}

static int32_t load(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out)
{
    moi_store *store = NULL;
    int64_t rows;
    drawing d;
    int32_t rc = moi_source_count(config, part, &rows);

    if (!rc)
        rc = moi_store_create(ctx, &store);
    if (rc)
        return rc;
    rc = moi_store_reserve(store, rows, PIXELS, MOPT_U8);
    store->labels = store->own_labels = moi_alloc(ctx, rows, 1);
    if (rc || !store->labels) {
        moi_store_release(store);
        return MOPT_ENOMEM;
    }
    store->target = MOPT_TARGET_CLASS;
    store->label_type = MOPT_U8;
    store->targets = 10;
    store->image = (moi_image){1, SIDE, SIDE};
    d.seed = (uint64_t)moi_config_int(config, "source.seed");
    d.part = part;
    d.rows = rows;
    d.pixels = store->own_cells;
    d.labels = store->own_labels;
    /* Without threads the rows are drawn by this one all the same. */
    moi_parallel(ctx, (rows + ROWS_A_TASK - 1) / ROWS_A_TASK, 0, draw_rows,
                 &d);
    *out = store;
    return MOPT_OK;
}

static const moi_key keys[] = {
    MOI_INT("count", 10000, 1, 1e9, "images to draw"),
    MOI_INT("test_count", 2000, 0, 1e9, "other images to test on"),
    MOI_INT("seed", 0, 0, 0, "of the drawings"),
    MOI_KEYS_END,
};

const moi_source moi_source_glyphs = {
    {"glyphs", "drawn digits, 28 x 28, 10 classes", keys}, load,
};
