/* SPDX-License-Identifier: MIT
 * lib/learn/train/local.h: workers that take steps of their own and meet now
 * and then (local SGD with an outer step).
 *
 * Each worker has its share of every batch, weights and a state of its own; a
 * rank has some of the workers, neighbours. Between two meetings the model
 * holds the weights of the last one. */
#ifndef MOI_LEARN_LOCAL_H
#define MOI_LEARN_LOCAL_H

#include "backend/real.h"
#include "learn/train/team.h"

typedef struct moi_local moi_local;

/* For a team whose parts are the workers. */
int32_t moi_local_create(struct mopt_trainer *t, const moi_team *team,
                         moi_local **out);
void moi_local_free(moi_local *l);

/* A step of this rank's workers; and their meeting, when it is time. *loss is
 * theirs, or at a meeting that of all since the last one. */
int32_t moi_local_step(struct mopt_trainer *t, double *loss);

/* Without meetings: what this rank has moved goes to the holder now. */
int32_t moi_local_flush(struct mopt_trainer *t);

/* A call ends with a status: without meetings, tell the others; if all is well
 * wait for them, and the model has what has come out. */
int32_t moi_local_finish(struct mopt_trainer *t, int32_t status);

/* The ranks that have the workers; NULL: there is only this one. */
mopt_group *moi_local_group(const moi_local *l);

/* Is there something that the model does not hold yet? */
int32_t moi_local_open(const moi_local *l);

/* The next step begins with the model's weights. */
void moi_local_restart(moi_local *l);

/* What files hold: the outer momentum, laid out as the model's weights; and the
 * state of a worker, NULL where it is not at hand. The first rank has all
 * between moi_local_collect and moi_local_release. */
int64_t moi_local_workers(const moi_local *l);
moi_real *moi_local_momentum(const moi_local *l);
moi_real *moi_local_state(const struct mopt_trainer *t, int64_t worker,
                          int32_t state);
int32_t moi_local_collect(struct mopt_trainer *t);
void moi_local_release(struct mopt_trainer *t);

#endif
