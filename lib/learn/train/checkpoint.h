/* SPDX-License-Identifier: MIT
 * lib/learn/train/checkpoint.h: what a checkpoint holds, for those who write it
 * (checkpoint.c) and read it (resume.c) in one go, or in pieces (spread.c). */
#ifndef MOI_LEARN_CHECKPOINT_H
#define MOI_LEARN_CHECKPOINT_H

#include "learn/format/safetensors.h"
#include "learn/train/trainer.h"

/* A block of the training under its name in files. */
typedef struct moi_block {
    char name[40];
    moi_real *data;  /* NULL: it is elsewhere, and only its shape counts */
    moi_real *annex; /* the same of the annex; NULL without one */
} moi_block;

#define MOI_CHECKPOINT_NAME 256 /* bytes of a tensor's name there */
#define MOI_CHECKPOINT_FORMAT "modelopt training"
#define MOI_CHECKPOINT_VERSION "1"

/* How many blocks there are; each of them: weights and kept first. */
int64_t moi_checkpoint_count(const mopt_trainer *t);
moi_block moi_checkpoint_block(const mopt_trainer *t, int64_t i);

/* Tensors of a block, the model's, then those of the annex; each of them, and
 * where its numbers are, which may be NULL. */
int64_t moi_checkpoint_tensors(const mopt_trainer *t);
const moi_param *moi_checkpoint_at(const mopt_trainer *t,
                                   const moi_block *from, int64_t i,
                                   moi_real **data);

/* A tensor of a block, without its data; and whether a file has it so. */
void moi_checkpoint_describe(const char *block, const moi_param *p, char *name,
                             moi_tensor *tensor);
int32_t moi_checkpoint_fits(const moi_tensor *wanted, const moi_tensor *got);

/* What must agree on the way back: settings, groups and terms, and what the
 * data come to, which is worked out once. */
json_t *moi_checkpoint_config(const mopt_trainer *t);
json_t *moi_checkpoint_extensions(const mopt_trainer *t);
const char *moi_checkpoint_data(mopt_trainer *t, char buf[17]);

/* All that, and where the training stands. */
int32_t moi_checkpoint_texts(mopt_trainer *t, json_t *texts);

/* spread.c, for a mesh: all ranks write one file. Collective. */
int32_t moi_spread_save(mopt_trainer *t, const char *path);

/* Read this rank's pieces; with take not set, only see that they are there,
 * and finite. */
int32_t moi_spread_read(mopt_trainer *t, moi_safetensors *file, int32_t take);

#endif
