/* SPDX-License-Identifier: MIT
 * src/cli/progress.c: how far a long run is.
 *
 * Events only change the figures; one thread draws them, so a fast run is not
 * slowed by its bar and a slow one still shows the seconds pass. */
#include "progress.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNNING 256      /* trials that run at a time and are shown */
#define DRAW_EVERY 0.15  /* seconds, on a terminal */
#define LINE_EVERY 10.0  /* seconds, elsewhere */
#define BAR_COLUMNS 24

struct progress {
    cli *c;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t ticker;
    int ending;
    double begun;         /* when the first trial could begin */
    int reading;          /* no data yet */
    int64_t total, before; /* trials; total 0: unknown */
    int64_t ended;        /* in this run, in whatever state */
    double best;
    int64_t best_number;  /* -1: none */
    char label[48];
    int maximize;
    struct {
        int64_t trial;
        double share; /* of its epochs, 0 .. 1 */
    } running[RUNNING];
    size_t running_count;
    int64_t epoch, epochs; /* of the last event */
    double loss;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- what is drawn ---------------------------------------------------- */

/* Trials done in this run, parts of running ones included. */
static double work_done(const progress *p)
{
    double sum = (double)p->ended;

    for (size_t i = 0; i < p->running_count; i++)
        sum += p->running[i].share;
    return sum;
}

/* Share of the whole that is done, 0 .. 1, or -1 when unknown. */
static double share_done(const progress *p)
{
    double total = (double)p->total;

    return p->total > 0 ? fmin(1, ((double)p->before + work_done(p)) / total)
                        : -1;
}

static double seconds_left(const progress *p)
{
    double done = work_done(p), todo = (double)(p->total - p->before) - done;

    if (p->total <= 0 || done <= 0)
        return -1;
    return (now() - p->begun) / done * fmax(0, todo);
}

static void add(char *line, size_t cap, const char *text)
{
    size_t n = strlen(line);

    snprintf(line + n, cap - n, "%s%s", n ? "  " : "", text);
}

static int digits(int64_t n)
{
    int count = 1;

    for (; n >= 10; n /= 10)
        count++;
    return count;
}

/* Where the run stands: "7/20 trials", "epoch 3/10". */
static void add_count(const progress *p, char *line, size_t cap)
{
    char part[96];
    long long at = (long long)(p->before + p->ended);

    if (p->reading)
        snprintf(part, sizeof part, "reading data");
    else if (p->total == 1 && p->epochs > 0)
        snprintf(part, sizeof part, "epoch %*lld/%lld", digits(p->epochs),
                 (long long)p->epoch, (long long)p->epochs);
    else if (p->total == 1)
        snprintf(part, sizeof part, "training");
    else if (p->total > 0)
        snprintf(part, sizeof part, "%*lld/%lld trials", digits(p->total),
                 at, (long long)p->total);
    else
        snprintf(part, sizeof part, "%lld trials", at);
    add(line, cap, part);
}

static void add_best(const progress *p, char *line, size_t cap)
{
    char part[128];

    if (p->total == 1 && p->epochs > 0 && isfinite(p->loss))
        snprintf(part, sizeof part, "loss %.4f", p->loss);
    else if (p->best_number >= 0)
        snprintf(part, sizeof part, "best %s %.4g (trial %lld)", p->label,
                 p->best, (long long)p->best_number);
    else
        return;
    add(line, cap, part);
}

static void add_left(const progress *p, char *line, size_t cap)
{
    char part[64], time[32];
    double left = seconds_left(p);

    /* Whole seconds: tenths would only flicker. */
    snprintf(part, sizeof part, "%s%s",
             screen_clock(left < 0 ? now() - p->begun : left, time),
             left < 0 ? "" : " left");
    add(line, cap, part);
}

static void add_bar(const progress *p, char *line, size_t cap)
{
    /* Left blocks of one to seven eighths: U+258F down to U+2589. */
    double share = share_done(p);
    char bar[BAR_COLUMNS * 3 + 16] = "";
    int eighths, full;

    if (share < 0 || p->reading)
        return;
    eighths = (int)(share * BAR_COLUMNS * 8);
    full = eighths / 8;
    for (int i = 0; i < BAR_COLUMNS; i++) {
        char block[4] = {(char)0xe2, (char)0x96, (char)0x88, 0};

        if (!p->c->err.utf8)
            strcat(bar, i < full ? "#" : "-");
        else if (i < full)
            strcat(bar, block);
        else if (i == full && eighths % 8) {
            block[2] = (char)(0x90 - eighths % 8);
            strcat(bar, block);
        } else
            strcat(bar, " ");
    }
    add(line, cap, "");
    strcat(line, p->c->err.utf8 ? "\xe2\x96\x95" : "[");
    strcat(line, bar);
    strcat(line, p->c->err.utf8 ? "\xe2\x96\x8f" : "]");
    snprintf(bar, sizeof bar, "%3.0f%%", floor(100 * share));
    add(line, cap, bar);
}

static void draw_bar(progress *p)
{
    char line[512] = "";

    screen_measure(&p->c->err);
    add_count(p, line, sizeof line);
    if (p->c->err.width >= 60)
        add_bar(p, line, sizeof line);
    add_left(p, line, sizeof line);
    add_best(p, line, sizeof line); /* last: a narrow screen may cut it */
    /* One column stays free: a full line would wrap on some terminals. */
    if (p->c->err.width > 1)
        line[screen_cut(line, (size_t)p->c->err.width - 1)] = '\0';
    fprintf(p->c->err.file, "\r%s\033[K", line);
    fflush(p->c->err.file);
}

static void print_line(progress *p)
{
    char line[512] = "";

    add_count(p, line, sizeof line);
    add_best(p, line, sizeof line);
    add_left(p, line, sizeof line);
    fprintf(p->c->err.file, "modelopt: %s\n", line);
    fflush(p->c->err.file);
}

/* ---- the thread that draws -------------------------------------------- */

static void wait_for(progress *p, double seconds)
{
    double until = now() + seconds;
    struct timespec t = {.tv_sec = (time_t)until};

    t.tv_nsec = (long)((until - floor(until)) * 1e9);
    pthread_cond_timedwait(&p->wake, &p->lock, &t);
}

static void *tick(void *user)
{
    progress *p = user;
    double last = now();

    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        if (p->c->err.tty) {
            draw_bar(p);
        } else if (now() - last >= LINE_EVERY) {
            print_line(p);
            last = now();
        }
        wait_for(p, DRAW_EVERY);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static int start_thread(progress *p)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&p->ticker, NULL, tick, p) == 0)
        return 1;
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    return 0;
}

progress *progress_start(cli *c, int64_t trials, int64_t done)
{
    progress *p;

    if (c->no_progress || c->quiet)
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->c = c;
    p->begun = now();
    p->reading = 1;
    p->total = trials;
    p->before = done;
    p->best_number = -1;
    p->loss = NAN;
    if (!start_thread(p)) {
        free(p);
        return NULL;
    }
    c->live = p;
    return p;
}

void progress_stop(progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = 1;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->ticker, NULL);
    if (p->c->err.tty) {
        draw_bar(p); /* even a run too short for the thread shows its end */
        fputs("\r\033[K", p->c->err.file);
    }
    fflush(p->c->err.file);
    p->c->live = NULL;
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void progress_hide(progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->c->err.tty)
        fputs("\r\033[K", p->c->err.file);
}

void progress_show(progress *p)
{
    if (!p)
        return;
    if (p->c->err.tty)
        draw_bar(p);
    pthread_mutex_unlock(&p->lock);
}

/* ---- events ----------------------------------------------------------- */

void progress_objective(progress *p, const char *name, int maximize)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    snprintf(p->label, sizeof p->label, "%s", name);
    screen_clean(p->label);
    p->maximize = maximize;
    pthread_mutex_unlock(&p->lock);
}

static void on_epoch(progress *p, const json_t *json)
{
    int64_t trial = json_integer_value(json_object_get(json, "trial"));
    size_t i = 0;

    p->epoch = json_integer_value(json_object_get(json, "epoch"));
    p->epochs = json_integer_value(json_object_get(json, "epochs"));
    if (json_is_number(json_object_get(json, "loss")))
        p->loss = json_number_value(json_object_get(json, "loss"));
    while (i < p->running_count && p->running[i].trial != trial)
        i++;
    if (i == RUNNING || p->epochs <= 0)
        return;
    if (i == p->running_count)
        p->running_count++;
    p->running[i].trial = trial;
    p->running[i].share = fmin(1, (double)p->epoch / (double)p->epochs);
}

/* Does it keep within all bounds? Each constraint is met when <= 0. */
static int feasible(const json_t *json)
{
    const json_t *list = json_object_get(json, "constraints");

    for (size_t i = 0; i < json_array_size(list); i++)
        if (!(json_number_value(json_array_get(list, i)) <= 0))
            return 0;
    return 1;
}

static void on_trial(progress *p, const json_t *json)
{
    int64_t trial = json_integer_value(json_object_get(json, "number"));
    const json_t *value =
        json_array_get(json_object_get(json, "values"), 0);
    double v = json_number_value(value);

    p->ended++;
    for (size_t i = 0; i < p->running_count; i++)
        if (p->running[i].trial == trial) {
            p->running[i] = p->running[--p->running_count];
            break;
        }
    if (json_is_number(value) && feasible(json) &&
        (p->best_number < 0 || (p->maximize ? v > p->best : v < p->best))) {
        p->best = v;
        p->best_number = trial;
    }
}

void progress_event(progress *p, int32_t event, const json_t *json)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    if (event == MOPT_EVENT_DATA) {
        p->reading = 0;
        p->begun = now();
    } else if (event == MOPT_EVENT_EPOCH) {
        on_epoch(p, json);
    } else if (event == MOPT_EVENT_TRIAL) {
        on_trial(p, json);
    }
    pthread_mutex_unlock(&p->lock);
}
