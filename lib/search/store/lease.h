/* SPDX-License-Identifier: MIT
 * lib/search/store/lease.h: telling others that this process lives. */
#ifndef MOI_SEARCH_LEASE_H
#define MOI_SEARCH_LEASE_H

#include "search/store/database.h"
#include "search/store/worker.h"

typedef struct moi_lease moi_lease;

/* A thread with a connection of its own, so that nothing the study waits for
 * keeps it from its beat: every so many seconds it renews the heartbeats of
 * the trials that this process works on. place is copied. There is no thread
 * where the context's clock goes by hand. */
int32_t moi_lease_create(mopt_context *ctx, const mopt_database *table,
                         const char *place, double seconds,
                         const moi_worker *self, moi_lease **out);

/* One sign of life for all trials of this process; MOPT_DATABASE_*. It is the
 * thread's, or whoever's who moves the clock by hand. */
int32_t moi_lease_beat(moi_lease *lease);

/* Ends the thread, within 100 ms; NULL is fine. */
void moi_lease_free(moi_lease *lease);

#endif
