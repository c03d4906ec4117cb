/* SPDX-License-Identifier: MIT
 * lib/search/trial/points.h: the points that a study has drawn already.
 *
 * Trials of every state count, running and failed ones too, since the point of
 * a trial is fixed when it is asked for. A point counts if it is one of the
 * space: what others tried outside of it does not use it up. */
#ifndef MOI_SEARCH_POINTS_H
#define MOI_SEARCH_POINTS_H

#include "search/trial/history.h"

typedef struct moi_points {
    const moi_history *history;
    int64_t seen;  /* rows looked at */
    int64_t count; /* different points */
    int64_t size;  /* of the table, a power of two */
    int64_t *rows; /* open addressing: row + 1, 0 is free */
    int64_t open_count, open_capacity;
    int64_t *open; /* rows whose parameters are not complete yet */
    double *point; /* [parameters], for rows that are compared */
} moi_points;

int32_t moi_points_init(moi_points *points, const moi_history *history);
void moi_points_clear(moi_points *points);

/* Take in the rows that have got their parameters since the last call. */
int32_t moi_points_update(moi_points *points);

/* Was the point drawn? */
int32_t moi_points_have(const moi_points *points, const double *point);

#endif
