/* SPDX-License-Identifier: MIT
 * bench/bench.c: see bench.h. */
#include "bench.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backend/product.h"

double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(int64_t count, double *values)
{
    qsort(values, (size_t)count, sizeof(*values), ascending);
    return count % 2 ? values[count / 2]
                     : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double time_of(bench_fn run, void *user, int64_t times)
{
    const double start = bench_seconds();
    for (int64_t i = 0; i < times; i++)
        run(user);
    return (bench_seconds() - start) / (double)times;
}

void bench_compare(int64_t count, const bench_fn *run, void *const *users,
                   double seconds, double *medians)
{
    double (*rounds)[BENCH_ROUNDS] = calloc((size_t)count, sizeof(*rounds));
    int64_t *times = calloc((size_t)count, sizeof(*times));
    if (rounds == NULL || times == NULL)
        abort();
    for (int64_t i = 0; i < count; i++) {
        time_of(run[i], users[i], 1); /* pages and caches */
        times[i] = 1 + (int64_t)(seconds / (time_of(run[i], users[i], 3)
                                            + 1e-9));
    }
    for (int64_t r = 0; r < BENCH_ROUNDS; r++) {
        for (int64_t i = 0; i < count; i++)
            rounds[i][r] = time_of(run[i], users[i], times[i]);
    }
    for (int64_t i = 0; i < count; i++)
        medians[i] = bench_median(BENCH_ROUNDS, rounds[i]);
    free(rounds);
    free(times);
}

float *bench_floats(int64_t count)
{
    const size_t bytes = ((size_t)count * sizeof(float) + 63) / 64 * 64;
    float *data = aligned_alloc(64, bytes > 0 ? bytes : 64);
    if (data == NULL)
        abort();
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u; /* Knuth's TAOCP 3.3.4 */
        data[i] = (float)state * 0x1p-32f - 0.5f;
    }
    return data;
}

bench_product bench_make_product(const char *name, int32_t trans_a,
                                 int32_t trans_b, int64_t m, int64_t n,
                                 int64_t k)
{
    return (bench_product){
        .name = name, .trans_a = trans_a, .trans_b = trans_b,
        .m = m, .n = n, .k = k,
        .a = bench_floats(m * k), .b = bench_floats(k * n),
        .c = bench_floats(m * n), .scratch = bench_floats(
            moi_product_scratch(k, m)),
    };
}

double bench_flops(const bench_product *p)
{
    return 2.0 * (double)p->m * (double)p->n * (double)p->k;
}

void bench_run_openblas(void *product)
{
    const bench_product *p = product;
    cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans,
                p->trans_b ? CblasTrans : CblasNoTrans, (blasint)p->m,
                (blasint)p->n, (blasint)p->k, 1, p->a,
                (blasint)(p->trans_a ? p->m : p->k), p->b,
                (blasint)(p->trans_b ? p->k : p->n), 0, p->c, (blasint)p->n);
}

void bench_run_ours(void *product)
{
    const bench_product *p = product;
    const moi_product work = {
        .m = p->m, .n = p->n, .k = p->k,
        .a = p->a,
        .a_row = p->trans_a ? 1 : p->k, .a_step = p->trans_a ? p->m : 1,
        .b = p->b, .ldb = p->trans_b ? p->k : p->n, .trans_b = p->trans_b,
        .c = p->c, .ldc = p->n, .scratch = p->scratch,
    };
    moi_product_isa_at(0)->run(&work);
}

double bench_sgemm_rate(void)
{
    static const int64_t sizes[][3] = {
        {32, 128, 100}, {64, 64, 128}, {128, 96, 128}, {192, 192, 256},
        {384, 384, 384}, {1024, 1024, 1024},
    };
    double best = 0;
    openblas_set_num_threads(1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        bench_product p = bench_make_product("peak", 0, 0, sizes[i][0],
                                             sizes[i][1], sizes[i][2]);
        const bench_fn run[] = {bench_run_openblas, bench_run_ours};
        void *const users[] = {&p, &p};
        double seconds[2];
        bench_compare(2, run, users, 0.03, seconds);
        for (int32_t k = 0; k < 2; k++) {
            if (bench_flops(&p) / seconds[k] > best)
                best = bench_flops(&p) / seconds[k];
        }
    }
    return best;
}

typedef struct state {
    int64_t params;
    float *w, *g, *m, *v;
} state;

static void pass_over(void *user)
{
    const state *s = user;
    float *restrict w = s->w, *restrict m = s->m, *restrict v = s->v;
    const float *restrict g = s->g;
    for (int64_t i = 0; i < s->params; i++) {
        w[i] += g[i];
        m[i] += g[i];
        v[i] += g[i];
    }
}

double bench_state_rate(int64_t params)
{
    state s = {params, bench_floats(params), bench_floats(params),
               bench_floats(params), bench_floats(params)};
    const bench_fn run = pass_over;
    void *const user = &s;
    double seconds;
    bench_compare(1, &run, &user, 0.05, &seconds);
    free(s.w);
    free(s.g);
    free(s.m);
    free(s.v);
    return 7.0 * sizeof(float) * (double)params / seconds;
}

double bench_limit(double sgemm_rate, double state_rate, double flops,
                   double steps, int64_t params, int64_t states)
{
    const double bytes = 2.0 * sizeof(float) * (double)(2 + states)
        * (double)params;
    return flops / sgemm_rate + steps * bytes / state_rate;
}
