/* SPDX-License-Identifier: MIT
 * lib/recipe/keep.h: the weights of trials: written beside the study, read
 * back, and trained again where they are gone. */
#ifndef MOI_RECIPE_KEEP_H
#define MOI_RECIPE_KEEP_H

#include "recipe/run.h"

/* Notes of a trial of a search with warm starts. */
#define MOI_NOTE_STARTED_FROM "started_from" /* a trial's number */
#define MOI_NOTE_TOTAL_EPOCHS "total_epochs" /* those before it included */
#define MOI_NOTE_WEIGHTS "weights"           /* a checksum of them */

int32_t moi_keep_note_int(mopt_trial *trial, const char *key, int64_t value);

/* What the names of its files begin with; NULL for a study in memory. */
int32_t moi_keep_place(const moi_job *job, char **out);

/* Write the weights of a trial that will be told, and its notes. */
int32_t moi_keep_save(moi_job *job, mopt_trial *trial,
                      const moi_attempt *attempt);

/* Its file is not needed any more. */
void moi_keep_forget(const moi_job *job, int64_t number);

/* The weights of a complete trial, from memory, from its file, or trained again
 * from where its forebears' weights are there. The starts are locked. */
int32_t moi_keep_recall(moi_job *job, int64_t number, mopt_model **out);

#endif
