/* SPDX-License-Identifier: MIT
 * lib/group/commons.c: see commons.h.
 *
 * Ranks first find out whether all are on one host; then each makes a segment
 * and says its name; then each looks at the others'. What fails at one, all
 * hear of, and go without. Names are gone when all have looked: nothing is left
 * behind by ranks that are killed later. */
#include "group/commons.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/shared.h"

struct moi_commons {
    mopt_context *ctx;
    mopt_group *group;
    int32_t size;
    moi_shared *blocks; /* [size] */
};

/* What ranks tell each other, three times. */
typedef struct card {
    uint64_t host;
    int64_t process;
    int64_t bytes;
    int32_t fine;
    char name[MOI_SHARED_NAME];
} card;

/* ---- are all on one host? ---- */

static int32_t are_near(const card *cards, int32_t size, int32_t anywhere)
{
    for (int32_t i = 0; i < size; i++) {
        if (cards[i].host == 0 || cards[i].host != cards[0].host)
            return 0;
        for (int32_t k = 0; k < i && !anywhere; k++)
            if (cards[k].process == cards[i].process)
                return 0;
    }
    return 1;
}

static int32_t are_fine(const card *cards, int32_t size)
{
    for (int32_t i = 0; i < size; i++)
        if (!cards[i].fine)
            return 0;
    return 1;
}

static int32_t tell(const moi_commons *c, const card *own, card *cards)
{
    return moi_group_gather(c->group, own, sizeof(*own), cards, NULL);
}

/* ---- segments ---- */

static void make_own(const moi_commons *c, card *own)
{
    moi_shared *block = &c->blocks[c->group->rank];
    own->fine = moi_shared_make(own->bytes, block) == 0;
    memcpy(own->name, block->name, sizeof(own->name));
}

static void look_at_others(const moi_commons *c, const card *cards, card *own)
{
    for (int32_t i = 0; i < c->size && own->fine; i++)
        if (i != c->group->rank)
            own->fine = moi_shared_look(cards[i].name, cards[i].bytes,
                                        &c->blocks[i]) == 0;
}

/* *yes: all have all blocks. */
static int32_t open_blocks(const moi_commons *c, card *own, card *cards,
                           int32_t anywhere, int32_t *yes)
{
    int32_t rc = tell(c, own, cards);
    if (rc != MOPT_OK || !are_near(cards, c->size, anywhere))
        return rc;
    make_own(c, own);
    rc = tell(c, own, cards);
    if (rc != MOPT_OK || !are_fine(cards, c->size))
        return rc;
    look_at_others(c, cards, own);
    rc = tell(c, own, cards);
    moi_shared_forget(&c->blocks[c->group->rank]);
    *yes = rc == MOPT_OK && are_fine(cards, c->size);
    return rc;
}

/* ---- life ---- */

int32_t moi_commons_create(mopt_group *group, int64_t bytes, int32_t anywhere,
                           moi_commons **out)
{
    mopt_context *ctx = group->ctx;
    moi_commons *c = moi_calloc(ctx, 1, sizeof(*c));
    card *cards = moi_calloc(ctx, group->size, sizeof(*cards));
    card own = {.host = moi_shared_host(), .process = getpid(),
                .bytes = bytes > 0 ? bytes : 1};
    int32_t rc = MOPT_ENOMEM, yes = 0;
    *out = NULL;
    if (c != NULL) {
        c->ctx = ctx;
        c->group = group;
        c->size = group->size;
        c->blocks = moi_calloc(ctx, group->size, sizeof(*c->blocks));
    }
    if (cards != NULL && c != NULL && c->blocks != NULL)
        rc = open_blocks(c, &own, cards, anywhere, &yes);
    moi_free(ctx, cards);
    if (yes)
        *out = c;
    else
        moi_commons_free(c);
    return rc;
}

void moi_commons_free(moi_commons *c)
{
    if (c == NULL)
        return;
    for (int32_t i = 0; c->blocks != NULL && i < c->size; i++)
        moi_shared_close(&c->blocks[i]);
    moi_free(c->ctx, c->blocks);
    moi_free(c->ctx, c);
}

void *moi_commons_block(const moi_commons *c, int32_t rank)
{
    return c->blocks[rank].data;
}

/* A transport may carry messages past what the processor has in hand. */
int32_t moi_commons_meet(const moi_commons *c)
{
    atomic_thread_fence(memory_order_seq_cst);
    int32_t rc = mopt_group_barrier(c->group, NULL);
    atomic_thread_fence(memory_order_seq_cst);
    return rc;
}
