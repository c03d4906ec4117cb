/* SPDX-License-Identifier: MIT
 * lib/recipe/handover.c: the end of a search by several teams: how it ended for
 * all, and the winner's weights on their way to rank 0. */
#include <stdio.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "recipe/crew.h"
#include "recipe/run.h"

/* What a lead knows when its search has ended. */
typedef struct standing {
    int64_t status, number; /* of the winner */
    int64_t has;            /* its weights */
} standing;

/* Every lead's standing; NULL, and a line in the log, if one of them is gone:
 * then each goes on alone. Who comes here with an error keeps its message. The
 * caller frees it. */
static standing *gather(moi_job *job, standing own)
{
    mopt_group *leads = job->crew.leads;
    moi_told told;
    moi_told_keep(&told);
    standing *all = moi_alloc(job->ctx, mopt_group_size(leads), sizeof(*all));
    if (all != NULL &&
        mopt_group_all_gather(leads, &own, sizeof(own), all, NULL) == MOPT_OK)
        return all;
    moi_log(job->ctx, MOPT_LOG_WARN, "recipe",
            "not all ranks came to the end of the search: %s",
            moi_last_text());
    moi_told_restore(&told);
    moi_free(job->ctx, all);
    return NULL;
}

static int32_t is_end(int64_t status)
{
    return status == MOPT_STOPPED || status == MOPT_ECANCELED;
}

/* A lead whose search failed comes here as well, so that nobody waits for it,
 * and nowhere else. */
int32_t moi_crew_meet(moi_job *job, int32_t rc)
{
    moi_crew *crew = &job->crew;
    if (crew->leads == NULL)
        return rc;
    standing *all = gather(job, (standing){rc, -1, 0});
    crew->apart = all == NULL;
    for (int32_t i = 0; all != NULL && i < mopt_group_size(crew->leads); i++) {
        if (rc == MOPT_OK && is_end(all[i].status))
            rc = (int32_t)all[i].status;
        crew->apart |= all[i].status < 0 && !is_end(all[i].status);
    }
    moi_free(job->ctx, all);
    return rc;
}

/* Take the weights of a trial over from another rank. */
static int32_t take_weights(moi_job *job, int32_t from, int64_t number,
                            const json_t *params)
{
    moi_attempt attempt;
    int32_t rc = moi_attempt_begin(&attempt, job->recipe, &job->aims,
                                   &job->parts, params, job->cancel);
    if (rc == MOPT_OK)
        rc = moi_model_alloc(attempt.model);
    if (rc == MOPT_OK)
        rc = mopt_group_receive(job->crew.leads, from,
                                moi_model_weights(attempt.model),
                                moi_model_size(attempt.model) *
                                    (int64_t)sizeof(moi_real), NULL);
    if (rc == MOPT_OK) {
        mopt_model_free(job->model);
        job->model = moi_model_hold(attempt.model);
        job->rank.number = number;
    }
    moi_attempt_end(&attempt);
    return rc;
}

static void pass_weights(moi_job *job, int32_t from, int64_t number,
                         const json_t *params)
{
    mopt_group *leads = job->crew.leads;
    int32_t rank = mopt_group_rank(leads), rc = MOPT_OK;
    if (from > 0 && rank == from)
        rc = mopt_group_send(leads, 0, moi_model_weights(job->model),
                             moi_model_size(job->model) *
                                 (int64_t)sizeof(moi_real), NULL);
    else if (from > 0 && rank == 0)
        rc = take_weights(job, from, number, params);
    if (rc != MOPT_OK)
        moi_log(job->ctx, MOPT_LOG_WARN, "recipe", "the weights of trial %d "
                "did not arrive: %s", (int)number, moi_last_text());
}

void moi_crew_fetch(moi_job *job, int64_t number, const json_t *params)
{
    moi_crew *crew = &job->crew;
    /* A student's or an adapted model's course is more than its weights, and
     * kept weights are in files. */
    if (crew->leads == NULL || mopt_group_size(crew->leads) < 2 ||
        crew->apart || job->starts.on || moi_recipe_mentor(job->recipe) != NULL)
        return;
    standing *all = gather(job, (standing){0, number, job->model != NULL});
    int32_t from = -1, alike = all != NULL;
    for (int32_t i = mopt_group_size(crew->leads) - 1; alike && i >= 0; i--) {
        alike = all[i].number == number;
        from = all[i].has ? i : from;
    }
    if (alike)
        pass_weights(job, from, number, params);
    moi_free(job->ctx, all);
}
