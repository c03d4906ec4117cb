/* SPDX-License-Identifier: MIT
 * lib/recipe/news.c: what other ranks' trials came to. Rank 0 speaks for all:
 * it tells of every trial that ends, and of each once. */
#include "base/memory.h"
#include "recipe/crew.h"
#include "recipe/result.h"
#include "recipe/run.h"
#include "search/study/study.h"

static int32_t speaks_for_others(const moi_job *job)
{
    return job->on_event != NULL && job->crew.leads != NULL &&
           moi_crew_is_first(&job->crew) &&
           mopt_group_size(job->crew.leads) > 1;
}

/* Counting brings the states of all up to date. */
static int32_t make_room(moi_job *job, int64_t *count)
{
    moi_crew *crew = &job->crew;
    int32_t rc = mopt_study_count(job->study, -1, count);
    if (rc == MOPT_OK)
        rc = moi_grow(job->ctx, (void **)&crew->told, &crew->told_capacity,
                      *count, sizeof(*crew->told));
    for (; rc == MOPT_OK && crew->told_count < *count; crew->told_count++)
        crew->told[crew->told_count] = 0;
    return rc;
}

/* What cannot be told is no reason to end a search: errors are for who works
 * on the study. */
static void look(moi_job *job, int32_t tell)
{
    moi_crew *crew = &job->crew;
    int64_t count = 0;
    int32_t rc = make_room(job, &count);
    for (int64_t i = crew->settled; i < count && rc == MOPT_OK; i++) {
        json_t *doc = NULL;
        if (!crew->told[i] && moi_study_has_ended(job->study, i)) {
            rc = moi_job_read(job, i, &doc);
            crew->told[i] = rc == MOPT_OK;
        }
        if (doc != NULL && tell)
            moi_job_tell(job, MOPT_EVENT_TRIAL, json_incref(doc));
        json_decref(doc);
        crew->settled += crew->settled == i && crew->told[i];
    }
}

void moi_crew_skip_news(moi_job *job)
{
    if (speaks_for_others(job))
        look(job, 0);
}

int32_t moi_crew_tell_news(moi_job *job)
{
    if (!speaks_for_others(job))
        return 0;
    look(job, 1);
    return 1;
}
