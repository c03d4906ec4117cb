/* SPDX-License-Identifier: MIT
 * bench/agenda.h: what is to happen, in the order of its time. */
#ifndef BENCH_AGENDA_H
#define BENCH_AGENDA_H

#include <stdint.h>

typedef struct event {
    double time;
    int32_t what, life; /* the planner's own, as is who */
    int64_t who;
    int64_t order; /* among events of the same time; agenda_add sets it */
} event;

/* All zeroes at first. */
typedef struct agenda {
    int64_t count, capacity, order;
    event *events; /* a heap */
} agenda;

void agenda_add(agenda *self, const event *what);

/* The time of the next event, INFINITY when there is none. */
double agenda_time(const agenda *self);

/* Take the next event, which must be there. */
event agenda_next(agenda *self);

void agenda_clear(agenda *self);

#endif
