/* SPDX-License-Identifier: MIT
 * lib/search/store/relational_workers.c: who works on what.
 *
 * The list of trials that somebody works on is read each time, as ids alone.
 * Who these are, and when they gave their last sign of life, is asked of the
 * few that may have died. */
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "search/store/relational.h"

/* So many workers more look for the dead half as often: there are more of them
 * who do. */
#define CROWD 1000

static void copy_text(const mopt_value *value, char *buf, size_t size)
{
    const char *text = moi_rel_text_of(value);
    const size_t length = strlen(text) < size ? strlen(text) : size - 1;

    memcpy(buf, text, length);
    buf[length] = '\0';
}

/* One row of a list of workers. */
static int32_t take_holder(moi_relational *self, const mopt_value *fields)
{
    moi_holder *holder;
    int32_t rc = moi_grow(self->head.ctx, (void **)&self->holders,
                          &self->holder_capacity, self->holder_count + 1,
                          sizeof(*holder));

    if (rc)
        return rc;
    holder = &self->holders[self->holder_count++];
    memset(holder, 0, sizeof(*holder));
    holder->id = moi_rel_int_of(&fields[0]);
    holder->row = -1;
    copy_text(&fields[1], holder->worker.host, sizeof(holder->worker.host));
    copy_text(&fields[2], holder->worker.boot, sizeof(holder->worker.boot));
    copy_text(&fields[3], holder->worker.room, sizeof(holder->worker.room));
    holder->worker.pid = moi_rel_int_of(&fields[4]);
    holder->worker.started = moi_rel_int_of(&fields[5]);
    holder->seen =
        moi_context_seconds(self->head.ctx) - moi_rel_real_of(&fields[6]);
    return MOPT_OK;
}

static int32_t take_busy(moi_relational *self, const mopt_value *fields)
{
    int32_t rc = moi_grow(self->head.ctx, (void **)&self->busy,
                          &self->busy_capacity, self->busy_count + 1,
                          sizeof(*self->busy));

    if (!rc)
        self->busy[self->busy_count++] = moi_rel_int_of(&fields[0]);
    return rc;
}

/* A row of all that there is to know. */
static int32_t take_both(moi_relational *self, const mopt_value *fields)
{
    int32_t rc = take_busy(self, fields);

    return rc ? rc : take_holder(self, fields);
}

int32_t moi_rel_is_due(const moi_relational *self)
{
    return self->busy_count <= MOI_SQL_BLOCK ||
           moi_context_seconds(self->head.ctx) >= self->census;
}

int32_t moi_rel_ask_workers(moi_relational *self, int32_t suspects)
{
    const mopt_value who[] = {moi_rel_text(self->self.host),
                              moi_rel_real(self->terms.grace)};
    int32_t rc;

    if (!moi_rel_has_leases(self))
        return moi_rel_ask(self, MOI_SQL_WORKERS, NULL, NULL, 0);
    rc = moi_rel_ask(self, MOI_SQL_BUSY, NULL, NULL, 0);
    return !rc && suspects ? moi_rel_ask(self, MOI_SQL_SUSPECTS, NULL, who, 2)
                           : rc;
}

int32_t moi_rel_take_workers(moi_relational *self, int32_t suspects)
{
    int32_t rc;

    self->busy_count = self->holder_count = 0;
    if (!moi_rel_has_leases(self))
        return moi_rel_take_rows(self, take_both);
    rc = moi_rel_take_rows(self, take_busy);
    if (rc || !suspects)
        return rc;
    self->census = moi_context_seconds(self->head.ctx) +
                   self->terms.heartbeat *
                       (1 + (double)self->busy_count / CROWD);
    return moi_rel_take_rows(self, take_holder);
}

moi_march moi_rel_march(moi_history *history)
{
    return (moi_march){.row = moi_history_first_open(history),
                       .left = history->tally[MOPT_TRIAL_RUNNING]};
}

int64_t moi_rel_march_on(const moi_relational *self, moi_march *way,
                         int32_t *busy)
{
    const moi_history *history = self->head.history;
    int64_t row = way->row;

    while (way->left > 0 && row < history->count &&
           history->state[row] != MOPT_TRIAL_RUNNING)
        row++;
    if (way->left == 0 || row == history->count)
        return -1;
    way->left--;
    way->row = row + 1;
    while (way->at < self->busy_count &&
           self->busy[way->at] < history->id[row])
        way->at++;
    *busy = way->at < self->busy_count &&
            self->busy[way->at] == history->id[row];
    return row;
}

/* A running trial is a worker's: ours only if that is this process, and the
 * trial was begun by this handle. */
static void claim_for(moi_relational *self, int64_t row,
                      const moi_worker *worker)
{
    int64_t *claim = &self->head.history->claim[row];

    if (*claim <= 0 || !moi_worker_same(&self->self, worker))
        *claim = MOI_CLAIM_OTHER;
}

void moi_rel_claim(moi_relational *self)
{
    moi_history *history = self->head.history;
    moi_march way = moi_rel_march(history);
    int64_t i, row;
    int32_t busy;

    while ((row = moi_rel_march_on(self, &way, &busy)) >= 0)
        if (!busy)
            history->claim[row] = MOI_CLAIM_NONE;
        else if (history->claim[row] <= 0)
            history->claim[row] = MOI_CLAIM_OTHER;
    for (i = 0; i < self->holder_count; i++) {
        moi_holder *holder = &self->holders[i];

        row = holder->row = moi_rel_find_row(history, holder->id);
        if (row >= 0 && history->state[row] == MOPT_TRIAL_RUNNING)
            claim_for(self, row, &holder->worker);
    }
}

int32_t moi_rel_take_worker(moi_relational *self, int64_t row)
{
    moi_history *history = self->head.history;
    int32_t rc;

    self->holder_count = 0;
    rc = moi_rel_take_rows(self, take_holder);
    if (rc || history->state[row] != MOPT_TRIAL_RUNNING)
        return rc;
    if (self->holder_count > 0)
        claim_for(self, row, &self->holders[0].worker);
    else
        history->claim[row] = MOI_CLAIM_NONE;
    self->holder_count = 0;
    return MOPT_OK;
}
