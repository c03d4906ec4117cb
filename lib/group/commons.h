/* SPDX-License-Identifier: MIT
 * lib/group/commons.h: memory that several ranks have in common, where all are
 * processes of one host: a block of each rank that the others can read, or one
 * that all write to. */
#ifndef MOI_GROUP_COMMONS_H
#define MOI_GROUP_COMMONS_H

#include "group/group.h"

typedef struct moi_commons moi_commons;

/* This rank has so many bytes, zeroed; collective. *out receives NULL where
 * that cannot be had: ranks on other hosts, two in one process (but for
 * group->sees), or no room. An error is one of the group, or MOPT_ENOMEM. The
 * group is kept by the caller. */
int32_t moi_commons_create(mopt_group *group, int64_t bytes,
                           moi_commons **out);

/* The same of one block for all, of so many bytes at every rank. */
int32_t moi_commons_create_one(mopt_group *group, int64_t bytes,
                               moi_commons **out);
void moi_commons_free(moi_commons *c);

/* A rank's block, of which only this rank's own may be written to; or the one
 * block of all. */
void *moi_commons_block(const moi_commons *c, int32_t rank);

/* What any rank wrote before it came here, all see when they have come. */
int32_t moi_commons_meet(const moi_commons *c);

/* The same by messages that ranks exchange anyway: before them, and after. */
void moi_commons_fence(void);

#endif
