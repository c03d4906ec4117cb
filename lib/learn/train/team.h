/* SPDX-License-Identifier: MIT
 * lib/learn/train/team.h: ranks that train one model together.
 *
 * Every rank has the whole model and all data. A batch is cut into parts, by
 * the settings alone; each rank works some of them out, the gradients are
 * added up by pairs of parts, and everybody changes the weights alike: the
 * bits do not depend on the number of ranks. Whatever may differ between ranks
 * (clocks, cancel tokens, callbacks, memory) is agreed on before it counts. */
#ifndef MOI_LEARN_TEAM_H
#define MOI_LEARN_TEAM_H

#include "backend/real.h"
#include "group/reduction.h"

struct mopt_trainer;

#define MOI_TEAM_FLAGS 3 /* status, late, due */

typedef struct moi_team {
    mopt_context *ctx;
    mopt_group *group;
    mopt_group *own; /* of one rank, where the host gave none; or NULL */
    moi_reduction *reduction;
    int64_t *cuts;   /* [size + 1], pieces of a block */
    int64_t rows;    /* a part */
    int64_t most;    /* parts of a batch, at most */
    int64_t parts, first, count; /* of the running batch: all, this rank's */
    int64_t words;   /* that a rank tells of a step */
    double *said;    /* [words], by this rank: losses of parts, then flags */
    double *heard;   /* [size][words] */
    double *sums;    /* of blocks: this rank's, then every rank's */
    int32_t late;    /* a rank's time is over */
    int32_t due;     /* the first rank's clock wants a checkpoint */
    int32_t folded;  /* the state is this rank's piece alone: shard.c */
    int32_t known;   /* all ranks know how the running call ended */
} moi_team;

/* Set a trainer up for a group; NULL: it is alone, and only keeps the order of
 * additions. Collective. */
int32_t moi_team_create(struct mopt_trainer *t, mopt_group *group,
                        moi_team **out);
void moi_team_free(moi_team *team);

/* Deal a batch of some rows out; with gradients, the last ones are gone. */
void moi_team_begin(moi_team *team, int64_t rows, int32_t gradients);

/* Where the gradient of the next part goes; it is there, with its loss. */
moi_real *moi_team_room(moi_team *team);
void moi_team_push(moi_team *team);
void moi_team_note(moi_team *team, int64_t part, double loss);

/* After a rank's parts, which ended with a status: has anybody failed? *loss
 * receives the whole batch's. The rank's own error comes first. */
int32_t moi_team_agree(struct mopt_trainer *t, int32_t status, double *loss);

/* Add the gradients up: moi_team_gradient is the batch's. */
int32_t moi_team_add_up(struct mopt_trainer *t);
moi_real *moi_team_gradient(const moi_team *team);

/* The outcome of the first rank that has one, where all come by. */
int32_t moi_team_settle(struct mopt_trainer *t, int32_t status);

/* This rank's call ends with a status: if the others cannot know of an error,
 * end their waiting. */
void moi_team_part(struct mopt_trainer *t, int32_t status);

#endif
