/* SPDX-License-Identifier: MIT
 * lib/learn/format/safetensors.h: tensors by name in one file, with texts
 * beside them. https://github.com/huggingface/safetensors, README, "Format". */
#ifndef MOI_LEARN_SAFETENSORS_H
#define MOI_LEARN_SAFETENSORS_H

#include <modelopt/data.h>

#include "backend/real.h"
#include "base/file.h"
#include "base/json.h"

#define MOI_TENSOR_RANK 8

/* Element types of files that host memory (modelopt/data.h) has not. */
#define MOI_F16 101
#define MOI_BF16 102

typedef struct moi_tensor {
    const char *name;
    int32_t type; /* MOPT_F32 .. MOPT_BOOL, MOI_F16, MOI_BF16; other types of
                     a file are refused only when they are asked for: 0 */
    int32_t rank;
    int64_t shape[MOI_TENSOR_RANK];
    int64_t bytes;
    const void *data; /* of a file: not aligned, copy it out; NULL: it is not
                         in memory */
    int64_t place;    /* of a file: its first byte there */
} moi_tensor;

/* Write a file atomically. metadata: object of texts, may be NULL. Names must
 * differ, and bytes be what type and shape say. */
int32_t moi_safetensors_write(mopt_context *ctx, const char *path,
                              const json_t *metadata,
                              const moi_tensor *tensors, int64_t count);

/* The same in pieces: begin with everything but the tensors' bytes, whose
 * places[count] in the file are told. The caller writes them, and commits. */
int32_t moi_safetensors_begin(mopt_context *ctx, const char *path,
                              const json_t *metadata,
                              const moi_tensor *tensors, int64_t count,
                              moi_writer **out, int64_t *places);

typedef struct moi_safetensors moi_safetensors;

/* Read and check a whole file; or one in memory, that is copied. */
int32_t moi_safetensors_read(mopt_context *ctx, const char *path,
                             moi_safetensors **out);
int32_t moi_safetensors_parse(mopt_context *ctx, const void *data,
                              int64_t size, moi_safetensors **out);

/* Read and check what the file says of itself, and leave the tensors where
 * they are; then some of their bytes. */
int32_t moi_safetensors_open(mopt_context *ctx, const char *path,
                             moi_safetensors **out);
int32_t moi_safetensors_fetch(moi_safetensors *file, int64_t place,
                              int64_t bytes, void *out);
void moi_safetensors_free(moi_safetensors *file);
int64_t moi_safetensors_count(const moi_safetensors *file);
const moi_tensor *moi_safetensors_get(const moi_safetensors *file, int64_t i);
const moi_tensor *moi_safetensors_find(const moi_safetensors *file,
                                       const char *name);
/* A text of the metadata, NULL if it has none of that name. */
const char *moi_safetensors_text(const moi_safetensors *file,
                                 const char *name);

/* The elements of a tensor of reals (F32, F64, F16, BF16) as floats: out has
 * room for all. MOPT_EFORMAT for another type, or a value that no float holds:
 * finite only. */
int32_t moi_tensor_floats(const moi_tensor *tensor, float *out);

/* Elements by shape. */
int64_t moi_tensor_count(const moi_tensor *tensor);

#endif
