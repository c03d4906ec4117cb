/* SPDX-License-Identifier: MIT
 * tests/unit/kit.h: what every unit test shares: a context that counts its
 * blocks, a folder to write in, the data, and the main function.
 *
 * A test file defines kit_suite(); the rest is here. The environment variable
 * MODELOPT_TEST_BACKEND chooses the backend of kit_context(). */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include <check.h>
#include <modelopt/modelopt.h>

/* Defined by each test file. */
Suite *kit_suite(void);

/* A context on a counting allocator; kit_end frees it and fails the test if a
 * block is left. */
mopt_context *kit_begin(void);
void kit_end(mopt_context *ctx);

/* Let the allocation number at (from 0, since kit_begin) fail; forever when
 * all later ones are to fail too. at < 0: none. Blocks asked for so far. */
void kit_fail_allocation(int64_t at, int32_t forever);
int64_t kit_allocations(void);

/* A folder of this test process, emptied at exit; path joins a name to it. */
const char *kit_path(const char *name);
void kit_write(const char *path, const void *data, size_t size);

/* A file of the data sets, NULL if they are not there (then skip). */
const char *kit_data(const char *name);

/* Assertions on status codes that print the message of the error. */
#define kit_ok(call) kit_status_is((call), MOPT_OK, #call, __FILE__, __LINE__)
#define kit_fails(call, code) \
    kit_status_is((call), (code), #call, __FILE__, __LINE__)
void kit_status_is(int32_t got, int32_t want, const char *what,
                   const char *file, int line);

/* The last error's message contains a piece. */
void kit_says(const char *piece);

#endif
