/* SPDX-License-Identifier: MIT
 * lib/learn/format/safetensors.h: tensors by name in one file, with texts
 * beside them. https://github.com/huggingface/safetensors, README, "Format". */
#ifndef MOI_LEARN_SAFETENSORS_H
#define MOI_LEARN_SAFETENSORS_H

#include <modelopt/data.h>

#include "base/json.h"

#define MOI_TENSOR_RANK 8

typedef struct moi_tensor {
    const char *name;
    int32_t type; /* MOPT_F32 .. MOPT_BOOL; other types of a file are refused
                     only when they are asked for: type 0 */
    int32_t rank;
    int64_t shape[MOI_TENSOR_RANK];
    int64_t bytes;
    const void *data;
} moi_tensor;

/* Write a file atomically. metadata: object of texts, may be NULL. */
int32_t moi_safetensors_write(mopt_context *ctx, const char *path,
                              const json_t *metadata,
                              const moi_tensor *tensors, int64_t count);

typedef struct moi_safetensors moi_safetensors;

/* Read and check a whole file. */
int32_t moi_safetensors_read(mopt_context *ctx, const char *path,
                             moi_safetensors **out);
void moi_safetensors_free(moi_safetensors *file);
int64_t moi_safetensors_count(const moi_safetensors *file);
const moi_tensor *moi_safetensors_get(const moi_safetensors *file, int64_t i);
const moi_tensor *moi_safetensors_find(const moi_safetensors *file,
                                       const char *name);
/* A text of the metadata, NULL if it has none of that name. */
const char *moi_safetensors_text(const moi_safetensors *file, const char *name);

#endif
