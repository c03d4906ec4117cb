/* SPDX-License-Identifier: MIT
 * lib/learn/data/source.h: where data come from: one file a source, one line
 * in the table of source.c. */
#ifndef MOI_LEARN_SOURCE_H
#define MOI_LEARN_SOURCE_H

#include "base/file.h"
#include "base/rng.h"
#include "learn/data/store.h"

typedef struct moi_source {
    moi_schema schema; /* its name and keys; comes first */
    /* Make a part of the data: MOPT_PART_TRAIN, or MOPT_PART_TEST where the
     * source has test rows of its own, else MOPT_ENOENT. */
    int32_t (*load)(mopt_context *ctx, const mopt_config *config,
                    int32_t part, moi_store **out);
} moi_source;

/* Is it a config of kind "data", every key of its chosen source? function
 * names the caller in messages. */
int32_t moi_data_config_check(const char *function,
                              const mopt_config *config);

/* The file that a key names, below the folder "base"; NULL if the key is
 * empty. The caller frees it. */
int32_t moi_source_path(mopt_context *ctx, const mopt_config *config,
                        const char *key, char **out);

/* The path of a source's main file (key path_key), or of its test file
 * (test_key) for MOPT_PART_TEST; MOPT_ENOENT or MOPT_EINVAL if it is empty. */
int32_t moi_source_part(mopt_context *ctx, const mopt_config *config,
                        int32_t part, const char *path_key,
                        const char *test_key, char **out);

/* Rows that a generator makes for a part: keys "source.count" and
 * "source.test_count"; MOPT_ENOENT if that is 0. */
int32_t moi_source_count(const mopt_config *config, int32_t part,
                         int64_t *rows);

/* The stream of one generated row. */
void moi_source_row_rng(moi_rng *rng, uint64_t seed, int32_t part,
                        int64_t row);

/* Read count elements of size bytes into a block of their own. The block grows
 * with what really is in the file, so that a header that lies costs nothing.
 * swap: the file has the other byte order than this machine. */
int32_t moi_read_elements(mopt_context *ctx, moi_reader *reader,
                          const char *path, int64_t count, int64_t size,
                          int32_t swap, void **out);

/* 1 on a machine whose least significant byte comes first. */
int32_t moi_little_endian(void);

/* Nothing may follow: MOPT_EFORMAT otherwise. */
int32_t moi_read_end(moi_reader *reader, const char *path);

/* A source of two files a part: rows (keys "source.path", "source.test") and
 * their labels ("source.labels", "source.test_labels", may be empty). load
 * makes a store of one file; one whole number a row is a class, floats are
 * numbers. */
typedef int32_t (*moi_array_fn)(mopt_context *ctx, const char *path,
                                moi_store **out);
int32_t moi_source_arrays(mopt_context *ctx, const mopt_config *config,
                          int32_t part, moi_array_fn load, moi_store **out);

#endif
