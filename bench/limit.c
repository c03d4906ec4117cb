/* SPDX-License-Identifier: MIT
 * bench/limit.c: what this machine's one core can do, and the least time that
 * two training jobs would take if nothing but their products and the passes
 * over their weights cost anything (DESIGN.md, section 6). */
#include <inttypes.h>
#include <stdio.h>

#include "bench.h"

/* A stack of dense layers: numbers of inputs, of units, ..., of outputs. */
typedef struct job {
    const char *name;
    int64_t widths[5]; /* ends with 0 */
    int64_t rows, batch, epochs, trials;
} job;

static const job jobs[] = {
    {"article, batch 32", {100, 128, 64, 10}, 20000, 32, 10, 3},
    {"article, batch 64", {100, 128, 64, 10}, 20000, 64, 10, 3},
    {"article, batch 128", {100, 128, 64, 10}, 20000, 128, 10, 3},
    {"784-512-512-10, one step", {784, 512, 512, 10}, 128, 128, 1, 1},
};

static int64_t params_of(const job *j)
{
    int64_t sum = 0;
    for (int32_t i = 0; j->widths[i + 1] != 0; i++)
        sum += (j->widths[i] + 1) * j->widths[i + 1];
    return sum;
}

/* Of a row: forward, both gradients; the first layer needs none by its
 * input. */
static double flops_of(const job *j)
{
    double sum = 0;
    for (int32_t i = 0; j->widths[i + 1] != 0; i++)
        sum += 2.0 * (double)(j->widths[i] * j->widths[i + 1])
            * (i == 0 ? 2 : 3);
    return sum;
}

int main(void)
{
    const double sgemm = bench_sgemm_rate();
    printf("{\"bench\": \"limit\", \"what\": \"sgemm\", \"gflops\": %.2f}\n",
           sgemm * 1e-9);
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        const job *j = &jobs[i];
        const int64_t params = params_of(j);
        const double runs = (double)(j->epochs * j->trials);
        const double steps = runs
            * (double)((j->rows + j->batch - 1) / j->batch);
        const double state = bench_state_rate(params);
        const double flops = flops_of(j) * (double)j->rows * runs;
        const double limit =
            bench_limit(sgemm, state, flops, steps, params, 2);
        printf("{\"bench\": \"limit\", \"what\": \"%s\", \"params\": %" PRId64
               ", \"gflop\": %.3f, \"steps\": %.0f, "
               "\"state_gbytes_per_s\": %.1f, \"products_s\": %.5f, "
               "\"state_s\": %.5f, \"limit_s\": %.5f}\n",
               j->name, params, flops * 1e-9, steps, state * 1e-9,
               flops / sgemm, limit - flops / sgemm, limit);
    }
    return 0;
}
