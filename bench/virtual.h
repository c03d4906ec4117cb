/* SPDX-License-Identifier: MIT
 * bench/virtual.h: a world whose time goes by hand.
 *
 * It has a clock for a context, and a database "virtual" over SQLite that
 * keeps the same time and that counts as shared by hosts: so its workers need
 * leases. One thread uses it. Who works on what is told by names that a
 * simulation gives, not by the processes of this machine. */
#ifndef BENCH_VIRTUAL_H
#define BENCH_VIRTUAL_H

#include <modelopt/study.h>

#include "base/clock.h"

/* What the database was asked to do since it was set to zero. */
typedef struct virtual_count {
    int64_t statements;
    int64_t ids;   /* read: of trials that somebody works on */
    int64_t looks; /* at the heartbeats of these */
    int64_t rows;  /* read, all others */
} virtual_count;

typedef struct virtual_world {
    double now; /* seconds since it began: move it forward */
    virtual_count count;
    moi_clock clock;
} virtual_world;

/* Give a context this world's time and database. The world outlives it, and
 * there is one world at a time. */
int32_t virtual_begin(virtual_world *world, mopt_context *ctx);

/* When the context is freed. */
void virtual_end(void);

/* What stands before the path of a file to make it a place. */
#define VIRTUAL_SCHEME "virtual://"

/* A study's handle is one of another process, on another host, from now on. */
void virtual_name(mopt_study *study, int64_t process);

/* The process of a handle shows that it lives; MOPT_DATABASE_*. */
int32_t virtual_beat(mopt_study *study);

/* It dies: the handle of a trial is freed, and the trial is not given back. */
void virtual_lose(mopt_trial *trial);

#endif
