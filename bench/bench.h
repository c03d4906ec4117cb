/* SPDX-License-Identifier: MIT
 * bench/bench.h: what the benchmarks share: time, medians, and the limit that
 * a training job is held against.
 *
 * A program prints one JSON object a line. What is compared runs alternating,
 * in one process; a figure is the median of its rounds. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS 7

/* Seconds of a clock that only goes forward. */
double bench_seconds(void);

/* The middle one; sorts the values. */
double bench_median(int64_t count, double *values);

/* A name that nobody else has is given to each thing that is timed; run does
 * it once. Times of one run each, medians over BENCH_ROUNDS rounds in which
 * the things take turns for about `seconds` each. */
typedef void (*bench_fn)(void *user);
void bench_compare(int64_t count, const bench_fn *run, void *const *users,
                   double seconds, double *medians);

/* count floats on a cache line, from -0.5 to 0.5; never freed. */
float *bench_floats(int64_t count);

/* One product of packed matrices. */
typedef struct bench_product {
    const char *name;
    int32_t trans_a, trans_b;
    int64_t m, n, k;
    float *a, *b, *c, *scratch;
} bench_product;

bench_product bench_make_product(const char *name, int32_t trans_a,
                                 int32_t trans_b, int64_t m, int64_t n,
                                 int64_t k);
double bench_flops(const bench_product *product);
void bench_run_openblas(void *product); /* cblas_sgemm, on one thread */
void bench_run_ours(void *product);

/* ---- the limit (DESIGN.md, section 6) ---- */

/* Fastest rate of a product on one core, flop a second: the best of OpenBLAS
 * and our own products on the best of several sizes. */
double bench_sgemm_rate(void);

/* Bytes a second, read and written, at which weights, gradients and two states
 * of `params` numbers each can be passed over: gradients are read, the others
 * read and written, with hardly any arithmetic. */
double bench_state_rate(int64_t params);

/* Seconds of a job: `flops` at the rate of products; and `steps` times the
 * weights, gradients and `states` numbers a weight, each read and written
 * once, at the state's rate. */
double bench_limit(double sgemm_rate, double state_rate, double flops,
                   double steps, int64_t params, int64_t states);

#endif
