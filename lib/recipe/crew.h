/* SPDX-License-Identifier: MIT
 * lib/recipe/crew.h: the ranks of a group that run one recipe.
 *
 * On a study in memory all ranks train each trial together; each has the study
 * for itself, and all go the same way.
 *
 * A study in a file or database is shared by teams of "ranks_per_trial" ranks.
 * The first rank of a team, its lead, asks and tells; the others follow it and
 * train what it trains. No team waits for another before all trials are told;
 * then the winner's weights go to rank 0, which concludes for all. */
#ifndef MOI_RECIPE_CREW_H
#define MOI_RECIPE_CREW_H

#include "recipe/attempt.h"

struct moi_job;

typedef struct moi_crew {
    mopt_group *all;   /* every rank, not ours; NULL: there are no others */
    mopt_group *team;  /* ranks that train a trial together; NULL: in memory */
    mopt_group *leads; /* first ranks of all teams; NULL: not one of them */
    mopt_recipe recipe; /* the run's own: its group is the team */
    /* Under the job's lock while trials are trained. */
    char lost[256];    /* how the team lost a rank, or "" */
    double pause;      /* seconds until the next look at what others do */
    int32_t apart;     /* not all leads conclude: none waits for another */
    uint8_t *told;     /* by number: trials whose end the events told */
    int64_t told_count, told_capacity;
    int64_t settled;   /* that of all trials below was */
} moi_crew;

/* Divide the ranks and let them compare their recipes; job->recipe becomes the
 * crew's own. To be ended on an error too. */
int32_t moi_crew_begin(struct moi_job *job, const mopt_recipe *recipe);

/* Those who follow are told how the run ended, and what came out; result may be
 * NULL. */
void moi_crew_end(struct moi_job *job, int32_t rc, const mopt_result *result);

/* Is this rank rank 0, or alone? Does it follow another? */
int32_t moi_crew_is_first(const moi_crew *crew);
int32_t moi_crew_follows(const moi_crew *crew);

/* rc is how this rank's preparations ended: one that failed fails all. */
int32_t moi_crew_ready(struct moi_job *job, int32_t rc);

/* Open the study: rank 0 first, then the other leads; nothing for those who
 * follow. */
int32_t moi_crew_open(struct moi_job *job,
                      int32_t (*make)(struct moi_job *, int32_t joins));

/* Are there trials that others still work on, so that the search should ask
 * once more? Waits for a moment then. *rc is how it ended so far. */
int32_t moi_crew_again(struct moi_job *job, int32_t *rc);

/* news.c: leave out what ended before this run; tell of the trials that have
 * ended since, on any rank, 0 where this rank does not speak for others. One
 * call at a time. */
void moi_crew_skip_news(struct moi_job *job);
int32_t moi_crew_tell_news(struct moi_job *job);

/* Before a lead trains: those who follow train the same. */
int32_t moi_crew_lead(struct moi_job *job, const moi_attempt *attempt);

/* Ranks that train each trial together, each with a study of its own, must tell
 * it the same: rc, or what another rank came to. rc where a study is shared. */
int32_t moi_crew_agree(struct moi_job *job, int32_t rc);

/* A training ended with rc. A lost rank is no fault of the trial, which
 * MOPT_ECANCELED gives back; the search ends with what was lost. */
int32_t moi_crew_judge(struct moi_job *job, int32_t rc);

/* What a lead listens to epochs with when it has nothing to tell: callbacks of
 * a team's ranks are of the same kinds. */
int32_t moi_crew_on_epoch(void *user, mopt_trainer *trainer);

/* What a rank that follows does instead of a search; *out is what it hears. */
int32_t moi_crew_follow(struct moi_job *job, mopt_result **out);

/* All leads, after their searches: what rc and theirs come to. Then rank 0
 * takes the winner's weights into job->model, from a lead that has them; number
 * -1: this one found no winner. */
int32_t moi_crew_meet(struct moi_job *job, int32_t rc);
void moi_crew_fetch(struct moi_job *job, int64_t number,
                    const json_t *params);

#endif
