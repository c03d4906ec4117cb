/* SPDX-License-Identifier: MIT
 * bench/kernels.c: each product of the two jobs of DESIGN.md section 6, ours
 * against cblas_sgemm, taking turns. Ours without what is fused, which only the
 * BLAS would have to do in passes of their own. */
#include <cblas.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

/* y = x w, dw = x' dy and, but for the first layer, dx = dy w'. */
static void layer(const char *job, int64_t rows, int64_t in, int64_t out,
                  int32_t first)
{
    const struct {
        const char *name;
        int32_t trans_a, trans_b;
        int64_t m, n, k;
    } products[] = {
        {"forward", 0, 0, rows, out, in},
        {"weight", 1, 0, in, out, rows},
        {"input", 0, 1, rows, in, out},
    };
    for (int32_t i = 0; i < (first ? 2 : 3); i++) {
        bench_product p = bench_make_product(
            products[i].name, products[i].trans_a, products[i].trans_b,
            products[i].m, products[i].n, products[i].k);
        const bench_fn run[] = {bench_run_ours, bench_run_openblas};
        void *const users[] = {&p, &p};
        double seconds[2];
        bench_compare(2, run, users, 0.01, seconds);
        printf("{\"bench\": \"kernels\", \"job\": \"%s\", \"product\": \"%s\","
               " \"rows\": %d, \"in\": %d, \"out\": %d, \"gflops\": %.1f, "
               "\"openblas_gflops\": %.1f, \"ratio\": %.3f}\n", job, p.name,
               (int)rows, (int)in, (int)out, bench_flops(&p) / seconds[0] / 1e9,
               bench_flops(&p) / seconds[1] / 1e9, seconds[1] / seconds[0]);
    }
}

static void stack(const char *job, int64_t rows, const int64_t *widths)
{
    for (int32_t i = 0; widths[i + 1] != 0; i++)
        layer(job, rows, widths[i], widths[i + 1], i == 0);
}

int main(void)
{
    static const int64_t article[] = {100, 128, 64, 10, 0};
    static const int64_t wide[] = {784, 512, 512, 10, 0};
    static const int64_t large[] = {1024, 1024, 1024, 0};
    openblas_set_num_threads(1);
    for (int64_t rows = 32; rows <= 128; rows *= 2)
        stack("article", rows, article);
    for (int64_t rows = 32; rows <= 256; rows *= 2)
        stack("784-512-512-10", rows, wide);
    stack("1024-1024-1024", 32, large);
    return 0;
}
