/* SPDX-License-Identifier: MIT
 * tests/fuzz/targets.h: the parsers that are fuzzed. */
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include <modelopt/modelopt.h>

#define FUZZ_PATH "/input" /* the one file there is */

typedef struct fuzz_target {
    const char *name;
    void (*run)(mopt_context *ctx, const char *text);
    int32_t is_file; /* the input is a file, with a bound on memory */
} fuzz_target;

/* All of them; the last has no name. */
extern const fuzz_target fuzz_targets[];
const fuzz_target *fuzz_find(const char *name);

/* Run one input. Aborts when memory is lost. 1 when a file of it wanted more
 * memory than such a file may (it was refused). */
int32_t fuzz_run(const fuzz_target *target, const uint8_t *bytes, size_t size);

#endif
