/* SPDX-License-Identifier: MIT
 * bench/store.c: what a store takes for each operation, and whether the
 * simulator (simulator.h) that is given these figures says what real processes
 * do: medians of some rounds. Trials are slept through. JSON lines.
 *
 * usage: store STORAGE   the studies in STORAGE are new ones */
#include <inttypes.h>
#include <math.h>
#ifdef HAVE_POSTGRESQL
#include <postgresql.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "search/store/relational.h"
#include "search/study/study.h"
#include "simulator.h"

#define CROWD 1000 /* trials of others that run */
#define CYCLES 300 /* of asking, reporting and telling */
#define PROCESSES 4
#define SECONDS 4 /* that real workers work */
#define ROUNDS 5

static const char *storage;
static int studies;

/* A process's handles. */
typedef struct desk {
    mopt_context *ctx;
    mopt_space *space;
    mopt_study *study;
} desk;

static void need(int32_t rc)
{
    char message[512];

    if (rc == MOPT_OK)
        return;
    mopt_last_error(message, sizeof(message), NULL);
    fprintf(stderr, "store: %s\n", message);
    exit(1);
}

/* A study, by its number; what is told survives a loss of power, or not. Signs
 * of life are made by hand. */
static desk open_study(int number, int lasting)
{
    mopt_config *config = NULL;
    desk made = {NULL, NULL, NULL};
    char name[64];
    int i;

    need(mopt_context_create(NULL, NULL, &made.ctx));
#ifdef HAVE_POSTGRESQL
    need(mopt_postgresql_register(made.ctx));
#endif
    need(mopt_space_create(made.ctx, &made.space));
    for (i = 0; i < SIM_PARAMS; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        need(mopt_space_add_float(made.space, name, 0, 1, MOPT_LINEAR));
    }
    need(mopt_config_create(made.ctx, "study", &config));
    snprintf(name, sizeof(name), "store-%ld-%d", (long)getppid(), number);
    need(mopt_config_set_text(config, "name", name));
    need(mopt_config_set_text(config, "storage", storage));
    need(mopt_config_set_bool(config, "resume", 1));
    need(mopt_config_set_text(config, "durability",
                              lasting ? "power" : "process"));
    need(mopt_config_set_float(config, "heartbeat", 1e5));
    need(mopt_config_set_float(config, "grace", 1e6));
    need(mopt_study_create(made.ctx, made.space, config, &made.study));
    mopt_config_free(config);
    return made;
}

static desk open_desk(void)
{
    return open_study(studies, 1);
}

static void close_desk(desk *old)
{
    mopt_study_free(old->study);
    mopt_space_free(old->space);
    mopt_context_free(old->ctx);
}

static moi_relational *store_of(desk *at)
{
    return (moi_relational *)at->study->store;
}

/* ---- what one process takes ------------------------------------------- */

/* Seconds of each, over many cycles: sums. */
typedef struct cycle {
    double seconds[SIM_KINDS];
} cycle;

static mopt_trial *ask(desk *at, double *seconds)
{
    const double start = bench_seconds();
    mopt_trial *trial = NULL;

    need(mopt_study_ask(at->study, &trial));
    *seconds += bench_seconds() - start;
    return trial;
}

static void report(mopt_trial *trial, int64_t step, double *seconds)
{
    const double start = bench_seconds();

    need(mopt_trial_report(trial, step, (double)step));
    *seconds += bench_seconds() - start;
}

static void tell(desk *at, mopt_trial *trial, double *seconds)
{
    const double start = bench_seconds(), value = 1;

    need(mopt_study_tell(at->study, trial, MOPT_TRIAL_COMPLETE, &value,
                         NULL));
    *seconds += bench_seconds() - start;
    mopt_trial_free(trial);
}

static cycle run_cycles(desk *at, int64_t count)
{
    cycle sum = {{0}};
    int64_t i;

    for (i = 0; i < count; i++) {
        mopt_trial *trial = ask(at, &sum.seconds[SIM_ASK]);

        report(trial, 0, &sum.seconds[SIM_REPORT]);
        tell(at, trial, &sum.seconds[SIM_TELL]);
    }
    for (i = 0; i < SIM_KINDS; i++)
        sum.seconds[i] /= (double)count;
    return sum;
}

/* Mean seconds of a sign of life of as many trials; 0 where there is none. */
static double time_beat(desk *at, int64_t trials)
{
    mopt_trial *held[64];
    double ignored = 0, start, seconds;
    moi_lease *lease;
    int64_t i;

    for (i = 0; i < trials; i++)
        held[i] = ask(at, &ignored);
    lease = store_of(at)->lease;
    start = bench_seconds();
    for (i = 0; lease && i < CYCLES; i++)
        if (moi_lease_beat(lease))
            exit(1);
    seconds = lease ? (bench_seconds() - start) / CYCLES : 0;
    for (i = 0; i < trials; i++)
        tell(at, held[i], &ignored);
    return seconds;
}

/* Seconds to see what is new. */
static double look(desk *at)
{
    const double start = bench_seconds();
    int64_t count;

    need(mopt_study_count(at->study, -1, &count));
    return bench_seconds() - start;
}

/* The median of many looks, the heartbeats of all workers looked at or not. */
static double look_often(desk *at, int heartbeats)
{
    double seconds[CYCLES];
    int64_t i;

    for (i = 0; i < CYCLES; i++) {
        store_of(at)->census = heartbeats ? 0 : INFINITY;
        seconds[i] = look(at);
    }
    return bench_median(CYCLES, seconds);
}

/* What reading takes more for each id of a trial that runs elsewhere, for each
 * look at its heartbeat, and for each row that hangs on what has ended. */
static void time_rows(sim_store *store)
{
    desk crowd = open_desk(), at = open_desk();
    const double alone = look_often(&at, 0);
    mopt_trial *held[CROWD];
    double ignored = 0, seconds;
    int64_t i;

    /* It works on another host: of this one's, all is read each time. */
    store_of(&crowd)->self.host[0] = '-';
    for (i = 0; i < CROWD; i++)
        held[i] = ask(&crowd, &ignored);
    seconds = look_often(&at, 0);
    store->id = fmax(0, seconds - alone) / CROWD;
    store->look = fmax(0, look_often(&at, 1) - seconds) / CROWD;
    for (i = 0; i < CROWD; i++)
        tell(&crowd, held[i], &ignored);
    store->row = fmax(0, look(&at) - alone) / (CROWD * (2 + SIM_PARAMS));
    close_desk(&at);
    close_desk(&crowd);
    studies++;
}

/* What a tell takes without a flush. */
static double time_hasty_tell(void)
{
    desk at = open_study(studies++, 0);
    const cycle one = run_cycles(&at, CYCLES);

    close_desk(&at);
    return one.seconds[SIM_TELL];
}

/* ---- what several do -------------------------------------------------- */

/* What worker processes tell the one that started them. */
typedef struct tally {
    int64_t trials;
    double busy;
} tally;

typedef void (*work_fn)(desk *at, void *user, tally *out);

/* Let processes begin together; seconds until all have ended. */
static double run_processes(int count, work_fn work, void *user, tally *out)
{
    char byte;
    double begin;
    int i, ready[2], start[2];

    if (pipe(ready) || pipe(start))
        exit(1);
    for (i = 0; i < count; i++) {
        if (fork() == 0) {
            desk at = open_desk();

            close(start[1]);
            if (write(ready[1], "r", 1) != 1 || read(start[0], &byte, 1) < 0)
                _exit(1);
            work(&at, user, &out[i]);
            close_desk(&at);
            _exit(0);
        }
    }
    for (i = 0; i < count; i++)
        if (read(ready[0], &byte, 1) != 1)
            exit(1);
    begin = bench_seconds();
    close(start[1]);
    while (wait(NULL) > 0)
        ;
    close(start[0]);
    close(ready[0]);
    close(ready[1]);
    studies++;
    return bench_seconds() - begin;
}

/* Reports upon reports on a trial of one's own. */
static void report_only(desk *at, void *user, tally *out)
{
    double ignored = 0;
    mopt_trial *trial = ask(at, &ignored);

    (void)user;
    for (; out->trials < CYCLES; out->trials++)
        report(trial, out->trials, &ignored);
    tell(at, trial, &ignored);
}

/* Sleep through a stretch of a trial; what is behind the end does not
 * count. */
static void train(double seconds, double end, tally *out)
{
    const double start = bench_seconds();

    moi_clock_sleep(seconds);
    out->busy += fmax(0, fmin(bench_seconds(), end) - start);
}

/* A worker's life, for some seconds. */
static void work(desk *at, void *user, tally *out)
{
    const sim_settings *settings = user;
    const double end = bench_seconds() + settings->hours * 3600;
    double ignored = 0;

    while (bench_seconds() < end) {
        mopt_trial *trial = ask(at, &ignored);
        const double seconds =
            sim_training(settings, mopt_trial_number(trial)) /
            (double)(settings->reports + 1);
        int64_t i;

        for (i = 0; i < settings->reports; i++) {
            train(seconds, end, out);
            report(trial, i, &ignored);
        }
        train(seconds, end, out);
        tell(at, trial, &ignored);
        out->trials += bench_seconds() < end;
    }
}

/* ---- the figures ------------------------------------------------------ */

static const char *kind_of(void)
{
    return strncmp(storage, "postgresql", strlen("postgresql")) == 0
               ? "postgresql"
               : "sqlite";
}

static void print_fit(const sim_store *store, double beat, double rate)
{
    printf("{\"bench\": \"store\", \"store\": \"%s\", \"ask_ms\": %.3f, "
           "\"tell_ms\": %.3f, \"report_ms\": %.3f, \"beat_1_ms\": %.3f, "
           "\"beat_64_ms\": %.3f, \"id_us\": %.3f, \"look_us\": %.3f, "
           "\"row_us\": %.3f, \"flush_ms\": %.3f, \"reports_per_second\": "
           "%.0f, \"slots\": %d}\n", kind_of(),
           store->seconds[SIM_ASK] * 1e3, store->seconds[SIM_TELL] * 1e3,
           store->seconds[SIM_REPORT] * 1e3, beat * 1e3,
           store->seconds[SIM_BEAT] * 1e3, store->id * 1e6, store->look * 1e6,
           store->row * 1e6, store->flush * 1e3, rate, (int)store->slots);
    fflush(stdout);
}

/* What the store takes. Where there is a server, a flush is not in its slot;
 * as many slots as reports, which need no flush, are served at a time. */
static sim_store fit(tally *shared)
{
    desk at = open_desk();
    const cycle one = (run_cycles(&at, 10), run_cycles(&at, CYCLES));
    sim_store store = {.slots = 1};
    double beat, seconds, rate;

    memcpy(store.seconds, one.seconds, sizeof(store.seconds));
    beat = time_beat(&at, 1);
    store.seconds[SIM_BEAT] = time_beat(&at, 64);
    close_desk(&at);
    studies++;
    time_rows(&store);
    seconds = run_processes(PROCESSES, report_only, NULL, shared);
    rate = PROCESSES * CYCLES / seconds;
    if (kind_of()[0] == 'p') {
        store.flush = fmax(0, one.seconds[SIM_TELL] - time_hasty_tell());
        store.seconds[SIM_TELL] -= store.flush;
        store.seconds[SIM_ASK] = fmax(1e-4, one.seconds[SIM_ASK] -
                                                store.flush);
        store.slots = (int32_t)fmax(1, nearbyint(
            rate * store.seconds[SIM_REPORT]));
    }
    print_fit(&store, beat, rate);
    return store;
}

/* Real workers, and simulated ones. */
typedef struct pair {
    double real, simulated;
} pair;

/* One round: what both come to, trials per second and share of busy time. */
static int check_once(int processes, double trial, tally *shared, pair *rate,
                      pair *busy)
{
    char folder[] = "/tmp/store-XXXXXX", path[64];
    sim_settings settings = {
        .workers = processes, .per_process = 1, .hours = SECONDS / 3600.0,
        .trial = trial, .sigma = 1, .reports = 2, .heartbeat = 1e5,
        .grace = 1e6, .seed = 1, .limit = -1, .path = path,
        /* Anew: a machine is not the same all the time. */
        .store = fit(shared),
    };
    sim_result result;
    int i, rc;

    memset(shared, 0, PROCESSES * sizeof(*shared));
    run_processes(processes, work, &settings, shared);
    *rate = *busy = (pair){0, 0};
    for (i = 0; i < processes; i++) {
        busy->real += shared[i].busy / SECONDS / processes;
        rate->real += (double)shared[i].trials / SECONDS;
    }
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/study.db", folder);
    rc = sim_run(&settings, &result);
    unlink(path);
    rmdir(folder);
    rate->simulated = result.kinds[SIM_TELL].per_second;
    busy->simulated = result.busy;
    return rc;
}

/* Medians of some rounds, one by one. */
static pair medians(const pair *rounds)
{
    double real[ROUNDS], simulated[ROUNDS];
    int i;

    for (i = 0; i < ROUNDS; i++) {
        real[i] = rounds[i].real;
        simulated[i] = rounds[i].simulated;
    }
    return (pair){bench_median(ROUNDS, real),
                  bench_median(ROUNDS, simulated)};
}

static int check(int processes, double trial, tally *shared)
{
    pair rates[ROUNDS], shares[ROUNDS], rate, busy;
    int i, rc = 0;

    for (i = 0; i < ROUNDS; i++)
        rc |= check_once(processes, trial, shared, &rates[i], &shares[i]);
    rate = medians(rates);
    busy = medians(shares);
    printf("{\"bench\": \"store-check\", \"store\": \"%s\", \"processes\": "
           "%d, \"trial_ms\": %g, \"real_per_second\": %.1f, "
           "\"simulated_per_second\": %.1f, \"off\": %.3f, \"real_busy\": "
           "%.4f, \"simulated_busy\": %.4f, \"busy_off\": %.3f}\n", kind_of(),
           processes, trial * 1e3, rate.real, rate.simulated,
           rate.simulated / rate.real - 1, busy.real, busy.simulated,
           busy.simulated / busy.real - 1);
    fflush(stdout);
    return rc;
}

int main(int argc, char **argv)
{
    static const double trials[] = {0.1, 0.02};
    tally *shared = mmap(NULL, PROCESSES * sizeof(*shared),
                         PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
    int i, processes, rc = 0;

    if (argc != 2 || shared == MAP_FAILED)
        return 2;
    storage = argv[1];
    for (i = 0; i < 2; i++)
        for (processes = 2; processes <= PROCESSES; processes += 2)
            rc |= check(processes, trials[i], shared);
    return rc;
}
