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
    int32_t one; /* only the first rank has a block, to which all may write */
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

static int32_t are_near(const moi_commons *c, const card *cards)
{
    for (int32_t i = 0; i < c->size; i++) {
        if (cards[i].host == 0 || cards[i].host != cards[0].host)
            return 0;
        for (int32_t k = 0; k < i && !c->group->sees; k++)
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

static int32_t has_block(const moi_commons *c, int32_t rank)
{
    return rank == 0 || !c->one;
}

static void make_own(const moi_commons *c, card *own)
{
    moi_shared *block = &c->blocks[c->group->rank];
    own->fine = 1;
    if (!has_block(c, c->group->rank))
        return;
    own->fine = moi_shared_make(own->bytes, block) == 0;
    memcpy(own->name, block->name, sizeof(own->name));
}

static void look_at_others(const moi_commons *c, const card *cards, card *own)
{
    for (int32_t i = 0; i < c->size && own->fine; i++)
        if (i != c->group->rank && has_block(c, i))
            own->fine = moi_shared_open(cards[i].name, cards[i].bytes, c->one,
                                        &c->blocks[i]) == 0;
}

/* *yes: all have all blocks. */
static int32_t open_blocks(const moi_commons *c, card *own, card *cards,
                           int32_t *yes)
{
    int32_t rc = tell(c, own, cards);
    if (rc != MOPT_OK || !are_near(c, cards))
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

static int32_t create(mopt_group *group, int64_t bytes, int32_t one,
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
        c->one = one;
        c->blocks = moi_calloc(ctx, group->size, sizeof(*c->blocks));
    }
    if (cards != NULL && c != NULL && c->blocks != NULL)
        rc = open_blocks(c, &own, cards, &yes);
    moi_free(ctx, cards);
    if (yes)
        *out = c;
    else
        moi_commons_free(c);
    return rc;
}

int32_t moi_commons_create(mopt_group *group, int64_t bytes,
                           moi_commons **out)
{
    return create(group, bytes, 0, out);
}

int32_t moi_commons_create_one(mopt_group *group, int64_t bytes,
                               moi_commons **out)
{
    return create(group, bytes, 1, out);
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
    return c->blocks[has_block(c, rank) ? rank : 0].data;
}

/* A transport may carry messages past what the processor has in hand. */
void moi_commons_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

int32_t moi_commons_meet(const moi_commons *c)
{
    moi_commons_fence();
    int32_t rc = mopt_group_barrier(c->group, NULL);
    moi_commons_fence();
    return rc;
}
