/* SPDX-License-Identifier: MIT
 * bench/agenda.c: see agenda.h. */
#include "agenda.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int before(const event *a, const event *b)
{
    return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static void swap(event *a, event *b)
{
    const event kept = *a;

    *a = *b;
    *b = kept;
}

void agenda_add(agenda *self, const event *what)
{
    int64_t at = self->count++;

    if (self->count > self->capacity) {
        self->capacity = 2 * self->count + 64;
        self->events = realloc(self->events, (size_t)self->capacity *
                                                 sizeof(event));
        if (!self->events)
            abort();
    }
    self->events[at] = *what;
    self->events[at].order = self->order++;
    for (; at > 0 && before(&self->events[at], &self->events[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap(&self->events[at], &self->events[(at - 1) / 2]);
}

double agenda_time(const agenda *self)
{
    return self->count > 0 ? self->events[0].time : INFINITY;
}

event agenda_next(agenda *self)
{
    event *heap = self->events;
    const event first = heap[0];
    int64_t at = 0, child;

    heap[0] = heap[--self->count];
    while ((child = 2 * at + 1) < self->count) {
        if (child + 1 < self->count && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &heap[at]))
            break;
        swap(&heap[child], &heap[at]);
        at = child;
    }
    return first;
}

void agenda_clear(agenda *self)
{
    free(self->events);
    memset(self, 0, sizeof(*self));
}
