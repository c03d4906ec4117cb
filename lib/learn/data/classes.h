/* SPDX-License-Identifier: MIT
 * lib/learn/data/classes.h: taking the rows of some classes only. */
#ifndef MOI_LEARN_CLASSES_H
#define MOI_LEARN_CLASSES_H

#include "learn/data/store.h"

/* A view of a new store with the rows that the keys "classes" and "relabel"
 * leave; takes over the caller's reference, also on failure. */
int32_t moi_classes_take(moi_store *store, const mopt_config *config,
                         mopt_dataset **out);

/* Of a training part's rows, keep those that "split.omit" and
 * "split.per_class" leave, in their order; *count becomes smaller. */
int32_t moi_classes_thin(const mopt_dataset *data, const mopt_config *config,
                         int64_t *rows, int64_t *count);

#endif
