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
#include "learn/nn/plan.h"
#include "learn/nn/runner.h"
#include "learn/train/courier.h"
#include "learn/train/squeeze.h"

struct mopt_trainer;

#define MOI_TEAM_FLAGS 3 /* status, late, due */

/* A stretch of the weights that travels at once. */
typedef struct moi_bucket {
    const int64_t *blocks; /* [size + 1], where each rank's blocks begin */
    const int64_t *cuts;   /* the same, in weights */
    int64_t state;         /* of this rank's piece, in its folded state */
    int64_t size;          /* weights, without what aligns tensors */
    _Atomic int64_t there; /* those whose gradients this rank has */
} moi_bucket;

/* Who is told of a part's gradients. */
typedef struct moi_tell {
    struct mopt_trainer *t;
    int64_t part;
} moi_tell;

typedef struct moi_team {
    mopt_context *ctx;
    mopt_group *group; /* who adds gradients of the same weights up */
    mopt_group *all;   /* who agrees: the same, or everybody in a mesh */
    mopt_group *own; /* of one rank, where the host gave none; or NULL */
    moi_reduction *reduction;
    struct moi_near *near; /* ranks that see each other's rows; or NULL */
    moi_squeeze *squeeze; /* or NULL: numbers travel as they are */
    int32_t owners, owner; /* who divide the weights among them; this rank */
    moi_bucket *buckets; /* in the order of sending */
    int64_t bucket_count;
    int64_t *rising;     /* their numbers, as they lie in memory */
    mopt_group *lane;    /* what they travel on */
    mopt_group *side;    /* that, where it is not group; or NULL */
    moi_courier *courier; /* takes them away; NULL: nobody else */
    int64_t *marks;      /* what buckets point to */
    int64_t mine, widest; /* weights that this rank changes; of a bucket */
    int64_t whole;       /* of the largest bucket */
    moi_real *before;    /* [mine], what weights were; or NULL */
    uint16_t *moved[2];  /* [whole], what leaves and what comes */
    moi_part *list;      /* [most], parts that are worked out together */
    moi_tell *tells;     /* [most] */
    int64_t *ends;   /* [size + 1], of what each rank judges */
    int64_t rows;    /* a part */
    int64_t stripe;  /* parts that go through the model together, at most */
    int64_t bunch;   /* of these, whose gradients are made as one */
    int64_t most;    /* parts of a batch, at most */
    int64_t parts, first, count; /* of the running batch: all, this rank's */
    int64_t batch;   /* its rows */
    int32_t nearby;  /* its gradients are made where the weights change */
    int64_t words;   /* that a rank tells of a step */
    double *said;    /* [words], by this rank: losses of parts, then flags */
    double *heard;   /* [size][words] */
    double *sums;    /* of blocks: this rank's, then every rank's, each */
    int64_t places;  /* with so many places */
    double rate;     /* of the running step */
    int32_t eager;   /* weights change while others' gradients are summed */
    int32_t status;  /* of changing them, and */
    char why[512];   /* its message */
    int32_t sure;    /* all go through with the step: no cancelling now */
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

/* Deal a batch of some rows out, for a step of this rate; with gradients, the
 * last ones are gone. */
void moi_team_begin(struct mopt_trainer *t, int64_t rows, double rate,
                    int32_t gradients);

/* Neighbouring parts that go through the model together now, at most. */
int64_t moi_team_stripe(const struct mopt_trainer *t);

/* Some parts of this rank, which are the rows of a plan, for it, as few as can
 * be; returns how many. And the loss of one. */
int64_t moi_team_list(const moi_team *team, int64_t part, int64_t rows,
                      moi_part *out);
void moi_team_note(moi_team *team, int64_t part, double loss);

/* Once the losses of a rank's parts are known, which ended with a status: has
 * anybody failed? *loss receives the whole batch's. The rank's own error comes
 * first. If all are well and the loss is a number, the step must be gone
 * through with. */
int32_t moi_team_agree(struct mopt_trainer *t, int32_t status, double *loss);

/* Once all gradients are there: add them up. With an eager team the step is
 * done then; else moi_team_gradient is the batch's, in this rank's blocks; for
 * a line search, or with an annex, everywhere. */
int32_t moi_team_add_up(struct mopt_trainer *t);

/* Changing weights has failed: all are told when they have come by. */
void moi_team_fail(moi_team *team, int32_t status);

/* A step has failed with a status that the others cannot know of: nothing is
 * on its way any more. */
void moi_team_recall(moi_team *team, int32_t status);
moi_real *moi_team_gradient(const moi_team *team);

/* What the model gives for rows first .. first+count-1 of the validation data,
 * into t->judged: each rank some, where that pays. */
int32_t moi_team_judge(struct mopt_trainer *t, const moi_rows *source,
                       int64_t first, int64_t count);

/* The outcome of the first rank that has one, where all come by. */
int32_t moi_team_settle(struct mopt_trainer *t, int32_t status);

/* Do all say yes, who know how the running call ended? */
int32_t moi_team_vote(struct mopt_trainer *t, int32_t yes);

/* This rank's call ends with a status: if the others cannot know of an error,
 * end their waiting. */
void moi_team_part(struct mopt_trainer *t, int32_t status);

#endif
