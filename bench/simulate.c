/* SPDX-License-Identifier: MIT
 * bench/simulate.c: many search workers in virtual time (simulator.h). One
 * JSON line.
 *
 * usage: simulate [KEY=VALUE]...   keys are those of the table below; times are
 *        seconds. store=postgresql (the default) or store=sqlite is what
 *        bench/store.c measured, and ask=, tell= and so on change it;
 *        pruner=median prunes most trials early, as the rest is ever better */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulator.h"

static const struct {
    const char *name;
    sim_store store;
} stores[] = {
    {"postgresql",
     {{1e-3, 0.3e-3, 0.5e-3, 0.5e-3}, 0.26e-6, 1.6e-6, 4.1e-6, 1.7e-3, 2}},
    {"sqlite", {{0.2e-3, 2e-3, 0.05e-3, 0}, 0, 0, 1e-6, 0, 1}},
};

#define WHOLE(name) {#name, offsetof(sim_settings, name), 1}
#define REAL(name) {#name, offsetof(sim_settings, name), 0}
#define STORE(name, member) {#name, offsetof(sim_settings, store.member), 0}

static const struct {
    const char *name;
    size_t at;
    int whole;
} keys[] = {
    WHOLE(workers), WHOLE(per_process), REAL(hours), REAL(trial), REAL(sigma),
    WHOLE(reports), REAL(deaths), REAL(replace), REAL(ramp), REAL(heartbeat),
    REAL(grace), WHOLE(seed), WHOLE(limit), STORE(ask, seconds[SIM_ASK]),
    STORE(tell, seconds[SIM_TELL]), STORE(report, seconds[SIM_REPORT]),
    STORE(beat, seconds[SIM_BEAT]), STORE(id, id), STORE(look, look),
    STORE(row, row), STORE(flush, flush),
};

static int set_store(sim_settings *settings, const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
        if (strcmp(stores[i].name, name) == 0) {
            settings->store = stores[i].store;
            return 0;
        }
    return 1;
}

static int set_key(sim_settings *settings, const char *argument)
{
    const char *value = strchr(argument, '=');
    const size_t length = value ? (size_t)(value++ - argument) : 0;
    size_t i;

    if (strncmp(argument, "store=", strlen("store=")) == 0)
        return set_store(settings, value);
    if (strncmp(argument, "pruner=", strlen("pruner=")) == 0) {
        settings->pruner = value;
        return 0;
    }
    for (i = 0; value && i < sizeof(keys) / sizeof(keys[0]); i++) {
        char *at = (char *)settings + keys[i].at;
        const int64_t whole = atoll(value);
        const double real = atof(value);

        if (strlen(keys[i].name) != length ||
            memcmp(keys[i].name, argument, length) != 0)
            continue;
        memcpy(at, keys[i].whole ? (const void *)&whole : &real, 8);
        return 0;
    }
    return 1;
}

static void print_kind(const char *name, const sim_kind *kind)
{
    printf("\"%s\": {\"per_second\": %.2f, \"ids\": %.0f, \"rows\": %.1f, "
           "\"service_ms\": %.3f, \"wait_ms\": %.3f, \"longest_wait_s\": "
           "%.3f}, ", name, kind->per_second, kind->ids, kind->rows,
           kind->service * 1e3, kind->wait * 1e3, kind->longest_wait);
}

static void print(const sim_settings *settings, const sim_result *result)
{
    double operations = 0, rows = 0;
    int32_t i;

    printf("{\"bench\": \"simulate\", \"workers\": %" PRId64
           ", \"per_process\": %" PRId64 ", \"trial_s\": %g, \"hours\": %g, "
           "\"busy\": %.4f, \"useful\": %.4f, \"rounds_busy\": %.4f, "
           "\"store_busy\": %.4f, \"longest_queue\": %" PRId64 ", ",
           settings->workers, settings->per_process, settings->trial,
           settings->hours, result->busy, result->useful,
           sim_rounds(settings), result->store, result->longest_queue);
    for (i = 0; i < SIM_KINDS; i++) {
        print_kind(sim_kinds[i], &result->kinds[i]);
        operations += result->kinds[i].per_second;
        rows += result->kinds[i].per_second *
                (result->kinds[i].ids + result->kinds[i].rows);
    }
    printf("\"operations_per_second\": %.1f, \"rows_per_second\": %.0f, "
           "\"trials\": %" PRId64 ", \"told\": %" PRId64 ", \"pruned\": %"
           PRId64 ", \"running\": %" PRId64 ", \"waiting\": %" PRId64
           ", \"lost\": %" PRId64 ", \"doubled\": %" PRId64
           ", \"refused\": %" PRId64 ", \"deaths\": %" PRId64
           ", \"requeued\": %" PRId64 ", \"requeue_s\": %.1f, "
           "\"longest_requeue_s\": %.1f, \"pending\": %.1f, \"unseen\": %.3f, "
           "\"digest\": \"%016" PRIx64 "\"}\n", operations, rows,
           result->trials, result->told, result->pruned, result->running,
           result->waiting, result->lost, result->doubled, result->refused,
           result->deaths, result->requeued, result->requeue_mean,
           result->requeue_longest,
           result->pending, result->unseen, result->digest);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/simulate-XXXXXX", path[64];
    sim_settings settings = {
        .workers = 1000, .per_process = 64, .hours = 1, .trial = 600,
        .sigma = 1, .reports = 10, .deaths = 0.01, .replace = 120, .ramp = 300,
        .heartbeat = 10, .grace = 60, .seed = 1, .limit = -1,
        .store = stores[0].store,
    };
    sim_result result;
    int i, rc = 0;

    for (i = 1; i < argc; i++)
        if (set_key(&settings, argv[i])) {
            fprintf(stderr, "simulate: '%s' is not understood\n", argv[i]);
            return 2;
        }
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/study.db", folder);
    settings.path = path;
    rc = sim_run(&settings, &result);
    unlink(path);
    rmdir(folder);
    if (!rc)
        print(&settings, &result);
    return rc;
}
