/* SPDX-License-Identifier: MIT
 * lib/learn/train/courier.h: a thread that carries things away while others
 * are being made.
 *
 * Things have numbers and go in their order, one at a time, as they are
 * released. The first that fails ends the round. */
#ifndef MOI_LEARN_COURIER_H
#define MOI_LEARN_COURIER_H

#include <modelopt/context.h>

typedef struct moi_courier moi_courier;

/* Carry thing number item, on the courier's thread. */
typedef int32_t (*moi_carry_fn)(void *user, int64_t item);

int32_t moi_courier_create(mopt_context *ctx, moi_carry_fn carry, void *user,
                           moi_courier **out);

/* After moi_courier_finish or moi_courier_drop. */
void moi_courier_free(moi_courier *c);

/* A new round: nothing is released. */
void moi_courier_begin(moi_courier *c);

/* Things before count may go; of several calls the largest counts. */
void moi_courier_release(moi_courier *c, int64_t count);

/* Carry what was released and has not gone yet on the calling thread, and wait
 * for what is on its way; the status, and message, of the one that failed. */
int32_t moi_courier_finish(moi_courier *c);

/* Let nothing more go, and wait for what is on its way. */
void moi_courier_drop(moi_courier *c);

#endif
