/* SPDX-License-Identifier: MIT
 * bench/simulator.c: see simulator.h.
 *
 * Events in the order of their time. An operation waits for its process, whose
 * workers share a handle, then for the store. When its turn comes, the real
 * call is made, at that virtual time; how many rows it has read says how long
 * the store takes, and its caller goes on when that is over. */
#include "simulator.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agenda.h"
#include "base/rng.h"
#include "search/study/study.h"
#include "virtual.h"

const char *const sim_kinds[SIM_KINDS] = {"ask", "tell", "report", "beat"};

/* What happens: to a worker, a process or an operation. */
enum { WANT, STEP, SERVED, FLUSHED, BEAT, DEATH, BIRTH };

typedef struct operation {
    int32_t kind, life;
    int64_t worker; /* of SIM_BEAT: the first of the process */
    double since;
    int64_t next; /* in a queue; -1: none */
} operation;

typedef struct queue {
    int64_t first, last, count;
} queue;

typedef struct worker {
    mopt_trial *trial;
    int64_t number;
    int64_t reported;
    int32_t pruned;
    double began;   /* to train this stretch; NaN: it does not train */
    double trained; /* seconds on this trial so far */
} worker;

typedef struct process {
    mopt_study *study;
    int32_t life;
    int32_t busy; /* its handle is in a call */
    double born;
    queue calls;
} process;

/* What is known of a trial. */
typedef struct fate {
    double orphaned; /* when its worker died; NaN: it did not */
    int32_t told;
} fate;

typedef struct simulation {
    const sim_settings *settings;
    sim_result *result;
    virtual_world world;
    mopt_context *ctx;
    mopt_space *space;
    agenda agenda;
    int64_t operation_count, operation_capacity, spare;
    operation *operations;
    worker *workers;
    int64_t process_count, names;
    process *processes;
    queue asks, others; /* what waits for the store */
    int32_t serving, asking;
    int64_t fate_count, under_way;
    fate *fates;
    double served; /* seconds of the store */
    double trained, useful, waited[SIM_KINDS];
    int64_t births;
    int32_t rc;
} simulation;

/* ---- chance ----------------------------------------------------------- */

enum { DRAW_TRAINING = 1, DRAW_DEATH };

static moi_rng draw(const sim_settings *settings, int64_t number, uint32_t what)
{
    moi_rng rng;

    moi_rng_init(&rng, settings->seed, (uint32_t)number, MOI_RNG_GENERATE,
                 what);
    return rng;
}

double sim_training(const sim_settings *settings, int64_t number)
{
    moi_rng rng = draw(settings, number, DRAW_TRAINING);
    const double sigma = settings->sigma;

    return settings->trial *
           exp(sigma * moi_rng_normal(&rng) - sigma * sigma / 2);
}

static double draw_death(simulation *self)
{
    moi_rng rng = draw(self->settings, self->births++, DRAW_DEATH);

    return -log(1 - moi_rng_uniform(&rng)) * 3600 / self->settings->deaths;
}

/* ---- memory and queues ------------------------------------------------ */

static void *grow(void *items, int64_t *capacity, int64_t count, size_t size)
{
    if (count <= *capacity)
        return items;
    *capacity = count + count / 2 + 64;
    items = realloc(items, (size_t)*capacity * size);
    if (!items)
        abort();
    return items;
}

static void *zeroes(int64_t count, size_t size)
{
    void *items = calloc((size_t)count, size);

    if (!items)
        abort();
    return items;
}

static void plan(simulation *self, double time, int32_t what, int64_t who,
                 int32_t life)
{
    const event made = {time, what, life, who, 0};

    agenda_add(&self->agenda, &made);
}

static int64_t new_operation(simulation *self)
{
    const int64_t at = self->spare;

    if (at >= 0) {
        self->spare = self->operations[at].next;
        return at;
    }
    self->operations = grow(self->operations, &self->operation_capacity,
                            self->operation_count + 1, sizeof(operation));
    return self->operation_count++;
}

static void end_operation(simulation *self, int64_t at)
{
    self->operations[at].next = self->spare;
    self->spare = at;
}

static void put(simulation *self, queue *line, int64_t at)
{
    self->operations[at].next = -1;
    if (line->count++ == 0)
        line->first = at;
    else
        self->operations[line->last].next = at;
    line->last = at;
}

static int64_t take(simulation *self, queue *line)
{
    const int64_t at = line->first;

    line->first = self->operations[at].next;
    line->count--;
    return at;
}

/* ---- what there is ---------------------------------------------------- */

static process *process_of(simulation *self, int64_t at)
{
    return &self->processes[at / self->settings->per_process];
}

static fate *fate_of(simulation *self, int64_t number)
{
    int64_t old = self->fate_count;

    self->fates = grow(self->fates, &self->fate_count, number + 1,
                       sizeof(fate));
    for (; old < self->fate_count; old++)
        self->fates[old] = (fate){NAN, 0};
    return &self->fates[number];
}

static int fail(simulation *self, int32_t rc, const char *what)
{
    char message[512];

    if (rc < 0 && !self->rc) {
        mopt_last_error(message, sizeof(message), NULL);
        fprintf(stderr, "simulate: %s at %.3f s: %s\n", what, self->world.now,
                message);
        self->rc = rc;
    }
    return rc < 0;
}

static void witness(simulation *self, int64_t what, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    self->result->digest =
        (self->result->digest ^ bits ^ (uint64_t)what << 56) *
        UINT64_C(0x9E3779B97F4A7C15);
    self->result->digest ^= self->result->digest >> 29;
}

static int32_t open_study(simulation *self, mopt_study **study)
{
    const sim_settings *settings = self->settings;
    mopt_config *config = NULL;
    char place[512];
    int32_t rc = mopt_config_create(self->ctx, "study", &config);

    snprintf(place, sizeof(place), VIRTUAL_SCHEME "%s", settings->path);
    if (!rc)
        rc = mopt_config_set_text(config, "storage", place);
    if (!rc)
        rc = mopt_config_set_bool(config, "resume", 1);
    if (!rc)
        rc = mopt_config_set_float(config, "heartbeat", settings->heartbeat);
    if (!rc)
        rc = mopt_config_set_float(config, "grace", settings->grace);
    if (!rc && settings->pruner)
        rc = mopt_config_set_text(config, "pruner", settings->pruner);
    if (!rc)
        rc = mopt_study_create(self->ctx, self->space, config, study);
    mopt_config_free(config);
    return rc;
}

/* ---- the real calls --------------------------------------------------- */

static void note_ask(simulation *self, const process *at, int64_t number)
{
    fate *known = fate_of(self, number);
    const double delay = self->world.now - known->orphaned;
    sim_result *result = self->result;

    result->pending += (double)self->under_way++;
    result->unseen += (double)(result->told -
                               moi_history_finished(&at->study->history));
    if (isnan(known->orphaned))
        return;
    known->orphaned = NAN;
    result->requeued++;
    result->requeue_mean += delay;
    result->requeue_longest = fmax(result->requeue_longest, delay);
}

static void ask(simulation *self, const process *at, worker *who)
{
    const int32_t rc = moi_study_ask(at->study, self->settings->limit, NULL,
                                     &who->trial);

    who->reported = 0;
    who->pruned = 0;
    who->trained = 0;
    who->began = NAN;
    if (rc == MOPT_OK) {
        who->number = mopt_trial_number(who->trial);
        note_ask(self, at, who->number);
    }
    fail(self, rc, "ask");
}

/* The worker has no trial any more. */
static void leave(simulation *self, worker *who)
{
    virtual_lose(who->trial);
    who->trial = NULL;
    self->under_way--;
}

static void tell(simulation *self, const process *at, worker *who)
{
    const double value = sin((double)who->number);
    const int32_t rc = mopt_study_tell(
        at->study, who->trial,
        who->pruned ? MOPT_TRIAL_PRUNED : MOPT_TRIAL_COMPLETE,
        who->pruned ? NULL : &value, NULL);

    if (rc == MOPT_OK) {
        self->result->told++;
        self->result->pruned += who->pruned;
        self->result->doubled += fate_of(self, who->number)->told++ > 0;
        self->useful += who->trained;
    } else if (rc == MOPT_ESTATE) {
        self->result->refused++;
    } else {
        fail(self, rc, "tell");
    }
    leave(self, who);
}

static void report(simulation *self, worker *who)
{
    const int32_t rc = mopt_trial_report(who->trial, who->reported++,
                                         cos((double)who->number));

    who->pruned = rc == MOPT_PRUNED;
    if (rc == MOPT_ESTATE) {
        self->result->refused++;
        leave(self, who);
    } else {
        fail(self, rc, "report");
    }
}

/* Make the call; seconds that the store takes for it. */
static double call(simulation *self, const operation *what)
{
    process *at = process_of(self, what->worker);
    worker *who = &self->workers[what->worker];
    sim_kind *kind = &self->result->kinds[what->kind];
    const sim_store *store = &self->settings->store;
    const virtual_count *did = &self->world.count;
    double seconds;

    memset(&self->world.count, 0, sizeof(self->world.count));
    if (what->kind == SIM_ASK)
        ask(self, at, who);
    else if (what->kind == SIM_TELL)
        tell(self, at, who);
    else if (what->kind == SIM_REPORT)
        report(self, who);
    else if (virtual_beat(at->study))
        self->rc = MOPT_ESTORE;
    seconds = store->seconds[what->kind] + (double)did->ids * store->id +
              (double)did->looks * store->look +
              (double)did->rows * store->row;
    kind->count++;
    kind->service += seconds;
    kind->ids += (double)did->ids;
    kind->rows += (double)did->rows;
    witness(self, what->kind, self->world.now + (double)who->number);
    return seconds;
}

/* ---- waiting ---------------------------------------------------------- */

/* The operation whose turn it is; -1: none can begin. */
static int64_t choose(simulation *self)
{
    const sim_store *store = &self->settings->store;
    const int ask = self->asks.count > 0 && !self->asking;
    const int other = self->others.count > 0;

    if (self->serving >= store->slots || (!ask && !other))
        return -1;
    if (ask && (!other || self->operations[self->asks.first].since <=
                              self->operations[self->others.first].since))
        return take(self, &self->asks);
    return take(self, &self->others);
}

static int is_over(simulation *self, const operation *what)
{
    return process_of(self, what->worker)->life != what->life;
}

static void serve(simulation *self, int64_t at)
{
    const operation what = self->operations[at];
    const double wait = self->world.now - what.since;
    sim_kind *kind = &self->result->kinds[what.kind];
    double seconds;

    self->waited[what.kind] += wait;
    kind->longest_wait = fmax(kind->longest_wait, wait);
    seconds = call(self, &what);
    self->served += seconds;
    self->serving++;
    self->asking += what.kind == SIM_ASK;
    plan(self, self->world.now + seconds, SERVED, at, what.life);
}

/* Let the store do what it can. */
static void dispatch(simulation *self)
{
    int64_t at;

    while (!self->rc && (at = choose(self)) >= 0) {
        if (is_over(self, &self->operations[at]))
            end_operation(self, at);
        else
            serve(self, at);
    }
}

static void enqueue(simulation *self, int64_t at)
{
    const int64_t count = self->asks.count + self->others.count + 1;

    put(self, self->operations[at].kind == SIM_ASK ? &self->asks
                                                   : &self->others, at);
    if (count > self->result->longest_queue)
        self->result->longest_queue = count;
    dispatch(self);
}

/* A worker, or a lease, calls. */
static void submit(simulation *self, int32_t kind, int64_t who)
{
    process *at = process_of(self, who);
    const int64_t what = new_operation(self);

    self->operations[what] =
        (operation){kind, at->life, who, self->world.now, -1};
    if (kind != SIM_BEAT && at->busy) {
        put(self, &at->calls, what);
        return;
    }
    at->busy = at->busy || kind != SIM_BEAT;
    enqueue(self, what);
}

/* ---- what happens ----------------------------------------------------- */

/* Train until the next report, or the end. */
static void train(simulation *self, int64_t at)
{
    worker *who = &self->workers[at];
    const double whole = sim_training(self->settings, who->number);

    who->began = self->world.now;
    plan(self,
         self->world.now + whole / (double)(self->settings->reports + 1),
         STEP, at, process_of(self, at)->life);
}

static void stop_training(simulation *self, worker *who)
{
    if (isnan(who->began))
        return;
    who->trained += self->world.now - who->began;
    self->trained += self->world.now - who->began;
    who->began = NAN;
}

static void on_step(simulation *self, int64_t at)
{
    worker *who = &self->workers[at];

    stop_training(self, who);
    submit(self, who->reported < self->settings->reports ? SIM_REPORT
                                                         : SIM_TELL, at);
}

static void go_on(simulation *self, const operation *what)
{
    process *at = process_of(self, what->worker);
    const worker *who = &self->workers[what->worker];

    if (what->kind == SIM_BEAT)
        return;
    at->busy = 0;
    if (at->calls.count > 0) {
        at->busy = 1;
        enqueue(self, take(self, &at->calls));
    }
    if (who->trial && who->pruned)
        submit(self, SIM_TELL, what->worker);
    else if (who->trial)
        train(self, what->worker);
    else if (what->kind != SIM_ASK)
        submit(self, SIM_ASK, what->worker);
    else /* All are under way: has somebody died since? */
        plan(self, self->world.now + self->settings->grace, WANT,
             what->worker, what->life);
}

static void on_served(simulation *self, int64_t at)
{
    const operation *what = &self->operations[at];
    const double flush =
        what->kind == SIM_ASK || what->kind == SIM_TELL
            ? self->settings->store.flush : 0;

    self->serving--;
    plan(self, self->world.now + flush, FLUSHED, at, what->life);
    dispatch(self);
}

static void on_flushed(simulation *self, int64_t at)
{
    const operation what = self->operations[at];

    self->asking -= what.kind == SIM_ASK;
    end_operation(self, at);
    if (!is_over(self, &what))
        go_on(self, &what);
    dispatch(self);
}

static int64_t first_of(const simulation *self, int64_t index)
{
    return index * self->settings->per_process;
}

/* One behind the last worker of a process. */
static int64_t end_of(const simulation *self, int64_t index)
{
    const int64_t end = first_of(self, index + 1);

    return end < self->settings->workers ? end : self->settings->workers;
}

static void on_birth(simulation *self, int64_t index)
{
    process *at = &self->processes[index];
    int64_t i;

    at->born = self->world.now;
    if (fail(self, open_study(self, &at->study), "open"))
        return;
    virtual_name(at->study, self->names++);
    for (i = first_of(self, index); i < end_of(self, index); i++)
        submit(self, SIM_ASK, i);
    plan(self, self->world.now + self->settings->heartbeat, BEAT, index,
         at->life);
    if (self->settings->deaths > 0)
        plan(self, self->world.now + draw_death(self), DEATH, index,
             at->life);
}

static void bury(simulation *self, worker *who)
{
    stop_training(self, who);
    if (!who->trial)
        return;
    fate_of(self, who->number)->orphaned = self->world.now;
    leave(self, who);
}

/* A process ends, whatever it is doing. */
static void end_process(simulation *self, int64_t index)
{
    process *at = &self->processes[index];
    int64_t i;

    for (i = first_of(self, index); i < end_of(self, index); i++)
        bury(self, &self->workers[i]);
    while (at->calls.count > 0)
        end_operation(self, take(self, &at->calls));
    if (at->study)
        self->result->alive += (self->world.now - at->born) *
            (double)(end_of(self, index) - first_of(self, index));
    mopt_study_free(at->study);
    at->study = NULL;
    at->busy = 0;
    at->life++;
}

static void on_death(simulation *self, int64_t index)
{
    end_process(self, index);
    self->result->deaths++;
    plan(self, self->world.now + self->settings->replace, BIRTH, index,
         self->processes[index].life);
}

static void on_beat(simulation *self, int64_t index)
{
    submit(self, SIM_BEAT, first_of(self, index));
    plan(self, self->world.now + self->settings->heartbeat, BEAT, index,
         self->processes[index].life);
}

static int32_t life_of(simulation *self, const event *now)
{
    return now->what == STEP || now->what == WANT
               ? process_of(self, now->who)->life
               : self->processes[now->who].life;
}

static void happen(simulation *self, const event *now)
{
    self->world.now = now->time;
    if (now->what == SERVED)
        on_served(self, now->who);
    else if (now->what == FLUSHED)
        on_flushed(self, now->who);
    else if (now->life != life_of(self, now))
        return;
    else if (now->what == STEP)
        on_step(self, now->who);
    else if (now->what == WANT)
        submit(self, SIM_ASK, now->who);
    else if (now->what == BEAT)
        on_beat(self, now->who);
    else if (now->what == DEATH)
        on_death(self, now->who);
    else
        on_birth(self, now->who);
}

/* ---- beginning and end ------------------------------------------------ */

static int32_t begin(simulation *self)
{
    const sim_settings *settings = self->settings;
    char name[8];
    int64_t i;
    int32_t rc = mopt_context_create(NULL, NULL, &self->ctx);

    if (!rc)
        rc = virtual_begin(&self->world, self->ctx);
    if (!rc)
        rc = mopt_space_create(self->ctx, &self->space);
    for (i = 0; !rc && i < SIM_PARAMS; i++) {
        snprintf(name, sizeof(name), "p%d", (int)i);
        rc = mopt_space_add_float(self->space, name, 0, 1, MOPT_LINEAR);
    }
    self->spare = -1;
    self->process_count = (settings->workers + settings->per_process - 1) /
                          settings->per_process;
    self->processes = zeroes(self->process_count, sizeof(process));
    self->workers = zeroes(settings->workers, sizeof(worker));
    for (i = 0; i < settings->workers; i++)
        self->workers[i].began = NAN;
    for (i = 0; i < self->process_count; i++)
        plan(self, settings->ramp * (double)i / (double)self->process_count,
             BIRTH, i, 0);
    return rc;
}

/* Hold what the database has against what happened. */
static void audit(simulation *self)
{
    sim_result *result = self->result;
    mopt_study *study = NULL;
    const moi_history *history;
    int64_t i;

    if (fail(self, open_study(self, &study), "audit"))
        return;
    history = &study->history;
    result->trials = history->count;
    result->running = history->tally[MOPT_TRIAL_RUNNING];
    result->waiting = history->tally[MOPT_TRIAL_WAITING];
    for (i = 0; i < history->count; i++)
        result->lost += (fate_of(self, i)->told > 0) ==
                        moi_history_is_open(history, i);
    for (i = history->count; i < self->fate_count; i++)
        result->lost += self->fates[i].told > 0;
    mopt_study_free(study);
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* Sums become means. */
static void conclude(simulation *self)
{
    const sim_settings *settings = self->settings;
    sim_result *result = self->result;
    const double asks = (double)result->kinds[SIM_ASK].count;
    int32_t i;

    result->seconds = self->world.now;
    result->busy = share(self->trained, result->alive);
    result->useful = share(self->useful, result->alive);
    result->store = share(self->served, result->seconds *
                          settings->store.slots);
    result->pending = share(result->pending, asks);
    result->unseen = share(result->unseen, asks);
    result->requeue_mean = share(result->requeue_mean,
                                 (double)result->requeued);
    for (i = 0; i < SIM_KINDS; i++) {
        sim_kind *kind = &result->kinds[i];
        const double count = (double)kind->count;

        kind->per_second = share(count, result->seconds);
        kind->wait = share(self->waited[i], count);
        kind->service = share(kind->service, count);
        kind->ids = share(kind->ids, count);
        kind->rows = share(kind->rows, count);
    }
}

static void clear(simulation *self)
{
    mopt_space_free(self->space);
    mopt_context_free(self->ctx);
    virtual_end();
    agenda_clear(&self->agenda);
    free(self->operations);
    free(self->workers);
    free(self->processes);
    free(self->fates);
}

static int is_done(const simulation *self)
{
    const int64_t limit = self->settings->limit;

    return self->rc || agenda_time(&self->agenda) >=
                           self->settings->hours * 3600 ||
           (limit >= 0 && self->result->told >= limit);
}

int sim_run(const sim_settings *settings, sim_result *result)
{
    simulation self = {.settings = settings, .result = result};
    int64_t i;

    /* SQLite takes and frees a cache for each list of ids; the system need not
     * have it back each time. */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    memset(result, 0, sizeof(*result));
    fail(&self, begin(&self), "begin");
    while (!is_done(&self)) {
        const event now = agenda_next(&self.agenda);

        happen(&self, &now);
    }
    if (settings->limit < 0)
        self.world.now = settings->hours * 3600;
    for (i = 0; i < self.process_count; i++)
        end_process(&self, i);
    if (!self.rc)
        audit(&self);
    conclude(&self);
    clear(&self);
    return self.rc != MOPT_OK;
}

double sim_rounds(const sim_settings *settings)
{
    const double end = settings->hours * 3600;
    double now = 0, trained = 0;
    int64_t i, number = 0;

    while (now < end) {
        double longest = 0;

        for (i = 0; i < settings->workers; i++) {
            const double seconds = sim_training(settings, number++);

            trained += seconds;
            longest = fmax(longest, seconds);
        }
        now += longest;
    }
    return trained / (now * (double)settings->workers);
}
