/* SPDX-License-Identifier: MIT
 * bench/simulator.h: many search workers in virtual time.
 *
 * Asking, telling, reporting, heartbeats, leases and requeueing are the real
 * code's, run against a real database (virtual.h). What is simulated is when:
 * how long trials train, how long the store takes and who waits for it, who
 * dies. Same settings, same bits. */
#ifndef BENCH_SIMULATOR_H
#define BENCH_SIMULATOR_H

#include <stdint.h>

/* Parameters of a trial. */
#define SIM_PARAMS 4

/* What a store is asked for. */
enum { SIM_ASK, SIM_TELL, SIM_REPORT, SIM_BEAT, SIM_KINDS };

extern const char *const sim_kinds[SIM_KINDS];

/* What a store takes: so many operations at a time, each so many seconds and
 * some more for each id of a running trial that it hands out, each heartbeat
 * that it looks at, and each row of other kinds. Asks and tells then wait for a
 * flush of the disk, which serves any number at once. Asks are one at a time,
 * flush and all: they lock the study. In a file that is locked there is one
 * slot, and flushes are part of it. */
typedef struct sim_store {
    double seconds[SIM_KINDS];
    double id, look, row, flush;
    int32_t slots;
} sim_store;

typedef struct sim_settings {
    int64_t workers;
    int64_t per_process; /* workers that share a process, and a handle */
    double hours;        /* of virtual time */
    double trial;        /* mean seconds that a trial trains */
    double sigma;        /* of the logarithm of that: 0, all the same */
    int64_t reports;     /* of a trial */
    double deaths;       /* of a process, per hour */
    double replace;      /* seconds until another takes its place */
    double ramp;         /* seconds within which all processes begin */
    double heartbeat, grace;
    uint64_t seed;
    const char *path;    /* of the study's file, which must not be there */
    const char *pruner;  /* NULL: none */
    int64_t limit;       /* trials; < 0: none */
    sim_store store;
} sim_settings;

typedef struct sim_kind {
    int64_t count;
    double per_second;   /* over all of the time */
    double wait;         /* mean seconds until it was the turn of one */
    double longest_wait;
    double service;      /* mean seconds of the store for one */
    double ids, rows;    /* mean numbers read by one */
} sim_kind;

typedef struct sim_result {
    double seconds;      /* of virtual time */
    double alive;        /* seconds of all workers that lived */
    double busy;         /* share of these spent on training */
    double useful;       /* share spent on what was told in the end */
    double store;        /* share of the store's slots in use */
    sim_kind kinds[SIM_KINDS];
    int64_t longest_queue;
    int64_t trials, told, pruned, running, waiting;
    int64_t lost;        /* told, and the database does not have it */
    int64_t doubled;     /* told more than once */
    int64_t refused;     /* told too late: it was given to another */
    int64_t deaths, requeued;
    double requeue_mean, requeue_longest; /* seconds from death to a new ask */
    double pending;      /* trials under way at an ask, mean */
    double unseen;       /* results told and not yet known at an ask, mean */
    uint64_t digest;     /* of all that happened */
} sim_result;

/* Run it; an error is printed to stderr, and 0 is all went well. */
int sim_run(const sim_settings *settings, sim_result *result);

/* Share of busy time of as many workers in rounds: all begin a trial at a
 * time and wait for the slowest. Nobody dies, and the store takes no time. */
double sim_rounds(const sim_settings *settings);

/* Seconds that a trial trains, by its number. */
double sim_training(const sim_settings *settings, int64_t number);

#endif
