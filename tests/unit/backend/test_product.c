/* SPDX-License-Identifier: MIT
 * tests/unit/backend/test_product.c: our own products in every instruction set
 * of the machine against plain sums in double, and the calls of dense.h on
 * every backend. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/dense.h"
#include "backend/product.h"
#include "base/rng.h"
#include "group/pairs.h"
#include "kit.h"

#define CASES 10000
#define GUARD 64 /* floats before and behind what may be written */
#define UNTOUCHED 12345.0f

/* Every assertion of Check costs a system call: loops assert what fails. */
static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance) && !(isnan(got) && isnan(want)))
        ck_abort_msg("%.9g, not %.9g (+- %g)", got, want, tolerance);
}

static int64_t below(moi_rng *rng, uint64_t bound)
{
    return (int64_t)moi_rng_below(rng, bound);
}

/* count floats with guards around them; given back by drop. */
static float *guarded(int64_t count)
{
    float *block = malloc(sizeof(float) * (size_t)(count + 2 * GUARD));
    for (int64_t i = 0; i < count + 2 * GUARD; i++)
        block[i] = UNTOUCHED;
    return block + GUARD;
}

static void drop(float *data, int64_t count)
{
    for (int64_t i = 0; i < GUARD; i++) {
        near(data[-1 - i], UNTOUCHED, 0);
        near(data[count + i], UNTOUCHED, 0);
    }
    free(data - GUARD);
}

static float *drawn(moi_rng *rng, int64_t count)
{
    float *data = guarded(count);
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)(2 * moi_rng_uniform(rng) - 1);
    return data;
}

/* One product of random shape and its operands. */
typedef struct sample {
    moi_product product;
    float *a, *b, *bias, *mask;
    int64_t a_count, b_count, c_count, scratch;
} sample;

static void draw(moi_rng *rng, uint64_t most_m, uint64_t most_n,
                 uint64_t most_k, sample *s)
{
    moi_product *p = &s->product;
    memset(s, 0, sizeof(*s));
    p->m = below(rng, most_m);
    p->n = below(rng, most_n);
    p->k = below(rng, most_k);
    const int32_t trans_a = (int32_t)below(rng, 2);
    const int64_t lda = (trans_a ? p->m : p->k) + below(rng, 3);
    p->a_row = trans_a ? 1 : lda;
    p->a_step = trans_a ? lda : 1;
    s->a_count = (trans_a ? p->k : p->m) * lda;
    p->trans_b = (int32_t)below(rng, 2);
    p->ldb = (p->trans_b ? p->k : p->n) + below(rng, 3);
    s->b_count = (p->trans_b ? p->n : p->k) * p->ldb;
    p->ldc = p->n + below(rng, 3);
    s->c_count = p->m > 0 ? (p->m - 1) * p->ldc + p->n : 0;
    s->scratch = moi_product_scratch(p->k, p->m);
    p->a = s->a = drawn(rng, s->a_count);
    p->b = s->b = drawn(rng, s->b_count);
    s->bias = drawn(rng, p->n);
    s->mask = drawn(rng, s->c_count);
    p->bias = below(rng, 2) ? s->bias : NULL;
    p->mask = below(rng, 2) ? s->mask : NULL;
    p->relu = (int32_t)below(rng, 2);
}

static void forget(sample *s)
{
    drop(s->a, s->a_count);
    drop(s->b, s->b_count);
    drop(s->bias, s->product.n);
    drop(s->mask, s->c_count);
}

static double a_at(const moi_product *p, int64_t i, int64_t k)
{
    return p->a[i * p->a_row + k * p->a_step];
}

static double b_at(const moi_product *p, int64_t k, int64_t j)
{
    return p->trans_b ? p->b[j * p->ldb + k] : p->b[k * p->ldb + j];
}

static void check_c(const moi_product *p, const float *c)
{
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->n; j++) {
            double sum = p->bias != NULL ? p->bias[j] : 0, size = fabs(sum);
            for (int64_t k = 0; k < p->k; k++) {
                sum += a_at(p, i, k) * b_at(p, k, j);
                size += fabs(a_at(p, i, k) * b_at(p, k, j));
            }
            if (p->relu && sum < 0)
                sum = 0;
            if (p->mask != NULL && !(p->mask[i * p->ldc + j] > 0))
                sum = 0;
            near(c[i * p->ldc + j], sum,
                 FLT_EPSILON * size * (double)(p->k + 1));
        }
        for (int64_t j = p->n; j < p->ldc && i + 1 < p->m; j++)
            near(c[i * p->ldc + j], UNTOUCHED, 0);
    }
}

static void check_sums(const moi_product *p, const float *sums)
{
    for (int64_t j = 0; j < p->n; j++) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < p->k; k++) {
            sum += b_at(p, k, j);
            size += fabs(b_at(p, k, j));
        }
        near(sums[j], sum, FLT_EPSILON * size * (double)(p->k + 1));
    }
}

/* Runs a sample in one instruction set; the caller drops C. */
static float *run(const moi_product_isa *isa, sample *s)
{
    moi_product p = s->product;
    const int32_t with_sums = !p.trans_b;
    p.c = guarded(s->c_count);
    p.scratch = guarded(s->scratch);
    p.sums = with_sums ? guarded(p.n) : NULL;
    isa->run(&p);
    check_c(&p, p.c);
    if (with_sums) {
        check_sums(&p, p.sums);
        drop(p.sums, p.n);
    }
    drop(p.scratch, s->scratch);
    return p.c;
}

START_TEST(every_set_is_right)
{
    const moi_product_isa *isa = moi_product_isa_at(_i);
    moi_rng rng;
    sample s;
    moi_rng_init(&rng, 1, 0, 0, 0);
    for (int64_t t = 0; isa != NULL && t < CASES; t++) {
        const uint64_t most = t % 8 == 0 ? 70 : 20;
        draw(&rng, most, most, most, &s);
        drop(run(isa, &s), s.c_count);
        forget(&s);
    }
    /* Several pieces along k, blocks of rows, packed panels. */
    for (int64_t t = 0; isa != NULL && t < 40; t++) {
        draw(&rng, t % 2 ? 20 : 700, 130, t % 2 ? 1400 : 300, &s);
        drop(run(isa, &s), s.c_count);
        forget(&s);
    }
    /* Several packed blocks of A. */
    for (int64_t t = 0; isa != NULL && t < 8; t++) {
        draw(&rng, 900, 700, 300, &s);
        drop(run(isa, &s), s.c_count);
        forget(&s);
    }
}
END_TEST

/* Fused multiply-add or not is the only difference there may be. */
START_TEST(sets_that_fuse_have_the_same_bits)
{
    const moi_product_isa *first = moi_product_isa_at(0);
    const moi_product_isa *second = moi_product_isa_at(1);
    moi_rng rng;
    sample s;
    moi_rng_init(&rng, 2, 0, 0, 0);
    if (second == NULL || strcmp(second->name, "baseline") == 0)
        return;
    for (int64_t t = 0; t < 300; t++) {
        draw(&rng, 60, 60, t % 20 == 0 ? 1200 : 60, &s);
        float *a = run(first, &s), *b = run(second, &s);
        ck_assert(memcmp(a, b, sizeof(float) * (size_t)s.c_count) == 0);
        drop(a, s.c_count);
        drop(b, s.c_count);
        forget(&s);
    }
}
END_TEST

/* Workers may cut a product by rows. */
START_TEST(rows_do_not_depend_on_each_other)
{
    const moi_product_isa *isa = moi_product_isa_at(_i);
    moi_rng rng;
    sample s;
    moi_rng_init(&rng, 3, 0, 0, 0);
    for (int64_t t = 0; isa != NULL && t < 200; t++) {
        draw(&rng, 90, t % 20 == 0 ? 700 : 60, 200, &s);
        float *whole = run(isa, &s), *parts = guarded(s.c_count);
        moi_product p = s.product;
        p.scratch = guarded(s.scratch);
        for (int64_t i = 0; i < s.product.m; i += p.m) {
            p.m = 1 + below(&rng, (uint64_t)(s.product.m - i));
            p.a = s.product.a + i * p.a_row;
            p.c = parts + i * p.ldc;
            if (p.mask != NULL)
                p.mask = s.product.mask + i * p.ldc;
            isa->run(&p);
        }
        ck_assert(memcmp(whole, parts, sizeof(float) * (size_t)s.c_count) == 0);
        drop(p.scratch, s.scratch);
        drop(whole, s.c_count);
        drop(parts, s.c_count);
        forget(&s);
    }
}
END_TEST

START_TEST(nan_comes_through)
{
    const moi_product_isa *isa = moi_product_isa_at(_i);
    for (int64_t n = 1; isa != NULL && n <= 40; n++) {
        float a[2] = {NAN, 1}, b[40], c[80], mask[80], scratch[48 * 4];
        for (int64_t j = 0; j < 40; j++)
            b[j] = -1;
        for (int64_t j = 0; j < 80; j++)
            mask[j] = j < 2 * n && j % 2 == 0 ? 1 : NAN;
        moi_product p = {.m = 2, .n = n, .k = 1, .a = a, .a_row = 1,
                         .a_step = 1, .b = b, .ldb = n, .relu = 1, .c = c,
                         .ldc = n, .scratch = scratch};
        isa->run(&p);
        for (int64_t j = 0; j < n; j++) {
            ck_assert(isnan(c[j]));
            near(c[n + j], 0, 0);
        }
        /* A mask that is NaN is not above 0. */
        p.mask = mask;
        isa->run(&p);
        for (int64_t j = 0; j < n; j++)
            ck_assert(j % 2 == 0 ? isnan(c[j]) : c[j] == 0);
    }
}
END_TEST

START_TEST(sets_have_names)
{
    const moi_product_isa *isa = NULL;
    int64_t count = 0;
    for (; (isa = moi_product_isa_at(count)) != NULL; count++)
        ck_assert_ptr_nonnull(isa->run);
    ck_assert_int_ge(count, 1);
    ck_assert_str_eq(moi_product_isa_at(count - 1)->name, "baseline");
}
END_TEST

/* ---- dense.h on every backend ---- */

static int32_t calls;

static int32_t host_sgemm(void *user, int32_t trans_a, int32_t trans_b,
                          int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b,
                          int64_t ldb, float beta, float *c, int64_t ldc)
{
    calls++;
    if (user != NULL)
        return -1;
    return moi_backend_openblas.sgemm(NULL, trans_a, trans_b, m, n, k, alpha,
                                      a, lda, b, ldb, beta, c, ldc);
}

static mopt_backend host = {
    .struct_size = sizeof(mopt_backend),
    .abi_version = MOPT_BACKEND_ABI,
    .name = "host",
    .sgemm = host_sgemm,
};

/* A dense layer's step with all that it writes. */
typedef struct layer {
    int64_t rows, in, out;
    float *x, *w, *bias, *dy, *relu; /* given */
    float *y, *dx, *dw, *db, *scratch;
    int64_t scratch_count;
} layer;

static layer make_layer(int64_t rows, int64_t in, int64_t out)
{
    moi_rng rng;
    moi_rng_init(&rng, 4, 0, 0, 0);
    layer l = {.rows = rows, .in = in, .out = out};
    l.x = drawn(&rng, rows * in);
    l.w = drawn(&rng, in * out);
    l.bias = drawn(&rng, out);
    l.dy = drawn(&rng, rows * out);
    l.relu = drawn(&rng, rows * in);
    return l;
}

/* scratch is a block of another size for each backend. */
static void step(mopt_context *ctx, layer *l, int32_t fused)
{
    l->y = guarded(l->rows * l->out);
    l->dx = guarded(l->rows * l->in);
    l->dw = guarded(l->in * l->out);
    l->db = guarded(l->out);
    l->scratch_count = moi_dense_scratch(ctx, l->rows, l->in, l->out);
    l->scratch = guarded(l->scratch_count);
    kit_ok(moi_dense_forward(ctx, l->rows, l->in, l->out, l->x, l->w,
                             fused ? l->bias : NULL,
                             fused ? MOI_FUSE_RELU : MOI_FUSE_NONE, l->y,
                             l->scratch));
    kit_ok(moi_dense_backward_input(ctx, l->rows, l->in, l->out, l->dy, l->w,
                                    fused ? l->relu : NULL, l->dx,
                                    l->scratch));
    kit_ok(moi_dense_backward_weight(ctx, l->rows, l->in, l->out, 0, l->in,
                                     l->x, l->dy, 0, 0, l->dw,
                                     fused ? l->db : NULL, l->scratch));
}

static void clear_step(layer *l)
{
    drop(l->y, l->rows * l->out);
    drop(l->dx, l->rows * l->in);
    drop(l->dw, l->in * l->out);
    drop(l->db, l->out);
    drop(l->scratch, l->scratch_count);
}

static void alike(const float *a, const float *b, int64_t count, int64_t depth)
{
    for (int64_t i = 0; i < count; i++)
        near(a[i], b[i], FLT_EPSILON * (double)(depth + 2));
}

START_TEST(dense_layers_are_the_same_on_every_backend)
{
    static const int64_t shapes[][3] = {
        {32, 100, 128}, {128, 128, 64}, {128, 64, 10}, {1, 5, 3},
        {3, 1, 1},      {33, 49, 17},   {0, 4, 3},     {4, 0, 3},
        {4, 3, 0},      {0, 0, 0},      {300, 40, 700}, {7, 600, 2},
    };
    mopt_context *ctx = kit_begin();
    const int64_t *shape = shapes[_i / 2];
    layer want = make_layer(shape[0], shape[1], shape[2]), got = want;
    ctx->backend = &moi_backend_reference;
    step(ctx, &want, _i % 2);
    const mopt_backend *others[] = {&moi_backend_openblas, &host};
    for (int64_t b = 0; b < 2; b++) {
        ctx->backend = others[b];
        calls = 0;
        step(ctx, &got, _i % 2);
        ck_assert_int_eq(calls, b == 0 ? 0 : 3);
        alike(got.y, want.y, want.rows * want.out, want.in);
        alike(got.dx, want.dx, want.rows * want.in, want.out);
        alike(got.dw, want.dw, want.in * want.out, want.rows);
        alike(got.db, want.db, want.out, want.rows);
        clear_step(&got);
    }
    clear_step(&want);
    drop(want.x, want.rows * want.in);
    drop(want.w, want.in * want.out);
    drop(want.bias, want.out);
    drop(want.dy, want.rows * want.out);
    drop(want.relu, want.rows * want.in);
    ctx->backend = moi_backend_default();
    kit_end(ctx);
}
END_TEST

/* A sum on top of another has the bits of two products and a pass. */
START_TEST(weight_gradients_come_on_top_of_others)
{
    static const int64_t shapes[][3] = {
        {32, 100, 128}, {64, 49, 17}, {512, 7, 65}, {3, 1, 1}, {5, 2, 10},
    };
    mopt_context *ctx = kit_begin();
    const int64_t *shape = shapes[_i];
    layer one = make_layer(shape[0], shape[1], shape[2]);
    int64_t count = one.in * one.out;
    ctx->backend = moi_backend_default();
    ck_assert(moi_dense_adds(ctx, one.rows, 0));
    float *total = guarded(count), *sums = guarded(one.out);
    step(ctx, &one, 1);
    for (int64_t i = 0; i < count; i++)
        total[i] = (float)(i % 7) / 3;
    for (int64_t j = 0; j < one.out; j++)
        sums[j] = (float)j / 3;
    kit_ok(moi_dense_backward_weight(ctx, one.rows, one.in, one.out, 0, one.in,
                                     one.x, one.dy, 0, 1, total, sums,
                                     one.scratch));
    for (int64_t i = 0; i < count; i++)
        ck_assert_float_eq(total[i], (float)(i % 7) / 3 + one.dw[i]);
    for (int64_t j = 0; j < one.out; j++)
        ck_assert_float_eq(sums[j], (float)j / 3 + one.db[j]);
    ck_assert(!moi_dense_adds(ctx, 513, 0));
    drop(total, count);
    drop(sums, one.out);
    clear_step(&one);
    drop(one.x, one.rows * one.in);
    drop(one.w, count);
    drop(one.bias, one.out);
    drop(one.dy, one.rows * one.out);
    drop(one.relu, one.rows * one.in);
    kit_end(ctx);
}
END_TEST

/* What chains add up to: a product each, and passes that add by pairs. */
static void add_chains(const moi_product_isa *isa, const sample *s,
                       int64_t chain, float *c, float *sums)
{
    float *parts[MOI_CHAINS], *ends[MOI_CHAINS];
    int64_t count = 0;
    moi_product p = s->product;
    p.scratch = guarded(s->scratch);
    for (int64_t at = 0; at < s->product.k; at += chain, count++) {
        p.k = s->product.k - at < chain ? s->product.k - at : chain;
        p.a = s->product.a + at * p.a_step;
        p.b = s->product.b + at * p.ldb;
        p.c = parts[count] = guarded(s->c_count);
        p.sums = ends[count] = guarded(p.n);
        isa->run(&p);
    }
    moi_pairs_add(count, parts, s->c_count);
    moi_pairs_add(count, ends, p.n);
    memcpy(c, parts[0], sizeof(float) * (size_t)s->c_count);
    memcpy(sums, ends[0], sizeof(float) * (size_t)p.n);
    for (int64_t i = 0; i < count; i++) {
        free(parts[i] - GUARD);
        free(ends[i] - GUARD);
    }
    drop(p.scratch, s->scratch);
}

static void same(const moi_product *p, const float *got, const float *want,
                 const float *below)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            int64_t at = i * p->ldc + j;
            near(got[at], below != NULL ? below[at] + want[at] : want[at], 0);
        }
}

/* One product of k = chain * count - short steps. */
static void check_chains(const moi_product_isa *isa, moi_rng *rng,
                         sample *s, int64_t chain)
{
    moi_product p = s->product;
    float *want = guarded(s->c_count), *sums = guarded(p.n);
    float *below = drawn(rng, s->c_count), *c = guarded(s->c_count);
    add_chains(isa, s, chain, want, sums);
    p.chain = chain;
    p.scratch = guarded(s->scratch);
    p.c = c;
    p.sums = guarded(p.n);
    isa->run(&p);
    same(&p, c, want, NULL);
    for (int64_t j = 0; j < p.n; j++)
        near(p.sums[j], sums[j], 0);
    memcpy(c, below, sizeof(float) * (size_t)s->c_count);
    p.onto = 1;
    isa->run(&p);
    same(&p, c, want, below);
    for (int64_t j = 0; j < p.n; j++)
        near(p.sums[j], sums[j] + sums[j], 0);
    drop(p.scratch, s->scratch);
    drop(p.sums, p.n);
    drop(want, s->c_count);
    drop(sums, p.n);
    drop(below, s->c_count);
    drop(c, s->c_count);
}

/* Chains have the bits of a product each and passes that add them up. */
START_TEST(chains_are_added_by_pairs)
{
    const moi_product_isa *isa = moi_product_isa_at(_i);
    moi_rng rng;
    moi_rng_init(&rng, 5, 0, 0, 0);
    for (int64_t t = 0; isa != NULL && t < 400; t++) {
        sample s;
        draw(&rng, t % 8 ? 30 : 600, t % 8 ? 80 : 200, t % 8 ? 90 : 512, &s);
        s.product.trans_b = s.product.relu = 0;
        s.product.bias = s.product.mask = NULL;
        s.product.ldb = s.product.n;
        drop(s.b, s.b_count);
        s.b_count = s.product.k * s.product.n;
        s.product.b = s.b = drawn(&rng, s.b_count);
        int64_t least = (s.product.k + MOI_CHAINS - 1) / MOI_CHAINS;
        if (s.product.k > 0)
            check_chains(isa, &rng, &s, least + below(&rng, 40));
        forget(&s);
    }
}
END_TEST

START_TEST(a_failing_backend_is_told)
{
    mopt_context *ctx = kit_begin();
    mopt_backend failing = host;
    float one[4] = {1, 1, 1, 1}, out[4];
    failing.user = &failing;
    ctx->backend = &failing;
    kit_fails(moi_dense_forward(ctx, 2, 2, 2, one, one, one, MOI_FUSE_RELU,
                                out, NULL), MOPT_EBACKEND);
    kit_says("backend 'host': sgemm returned -1");
    kit_fails(moi_dense_backward_input(ctx, 2, 2, 2, one, one, one, out, NULL),
              MOPT_EBACKEND);
    kit_fails(moi_dense_backward_weight(ctx, 2, 2, 2, 0, 2, one, one, 0,
                                        0, out, out, NULL), MOPT_EBACKEND);
    ctx->backend = moi_backend_default();
    kit_end(ctx);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("product");
    TCase *tests = tcase_create("sets");
    tcase_add_loop_test(tests, every_set_is_right, 0, 3);
    tcase_add_test(tests, sets_that_fuse_have_the_same_bits);
    tcase_add_loop_test(tests, rows_do_not_depend_on_each_other, 0, 3);
    tcase_add_loop_test(tests, nan_comes_through, 0, 3);
    tcase_add_loop_test(tests, chains_are_added_by_pairs, 0, 3);
    tcase_add_test(tests, sets_have_names);
    suite_add_tcase(suite, tests);
    tests = tcase_create("dense");
    tcase_add_loop_test(tests, dense_layers_are_the_same_on_every_backend, 0,
                        24);
    tcase_add_loop_test(tests, weight_gradients_come_on_top_of_others, 0, 5);
    tcase_add_test(tests, a_failing_backend_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}
