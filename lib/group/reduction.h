/* SPDX-License-Identifier: MIT
 * lib/group/reduction.h: numbers that are worked out in parts, on several
 * ranks, and added up by pairs (pairs.h).
 *
 * Parts are dealt out to the ranks in order, neighbours to one rank. Each
 * works its parts out in order, into room that it is given; what can be added
 * up is added up at once, so that a rank keeps a few arrays, not one a part.
 * Any stretch of the numbers may go ahead of others, on a thread of its own.
 * Then the sums travel, a stretch at a time: each rank gets its piece of it;
 * ranks of one host read them where they are (commons.h). The bits do not
 * depend on the number of ranks.
 *
 * Everything that memory is needed for is taken when it is made. */
#ifndef MOI_GROUP_REDUCTION_H
#define MOI_GROUP_REDUCTION_H

#include "group/group.h"

typedef struct moi_reduction moi_reduction;

/* How the numbers of a part travel, if not as they are: shorter, which changes
 * them. Parts are not added up before, so that what changes depends on the
 * parts alone; a rank has MOI_REDUCTION_PARTS at most. */
typedef struct moi_codec {
    void *user;
    int32_t all; /* every rank gets everything, not its piece alone */

    /* Bytes that so many numbers take. */
    int64_t (*bytes)(void *user, int64_t count);

    /* Pack numbers first .. first + count - 1 of a part, which become what is
     * unpacked elsewhere. Every number once a time. */
    void (*pack)(void *user, int64_t part, int64_t first, int64_t count,
                 float *data, void *out);
    void (*unpack)(void *user, const void *in, int64_t count, float *data);
} moi_codec;

#define MOI_REDUCTION_PARTS 60

/* group: kept by the caller. most: parts, at most. n: numbers a part. width:
 * of this rank's piece of a stretch, at most; of a whole one, with a codec.
 * onto: the second of two neighbours may come on top of the first, which spares
 * a pass. codec: kept by the caller; or NULL. Collective. */
int32_t moi_reduction_create(mopt_group *group, int64_t most, int64_t n,
                             int64_t width, int32_t onto,
                             const moi_codec *codec, moi_reduction **out);
void moi_reduction_free(moi_reduction *r);

/* Of as many parts this rank has *first .. *first + *count - 1. */
void moi_reduction_deal(const moi_reduction *r, int64_t parts, int64_t *first,
                        int64_t *count);

/* Begin with as many parts; the last result is gone. This rank works so many
 * neighbours out at once, from its first part on. Between the last scatter or
 * take and this there must be a call of the group's that all ranks make. */
void moi_reduction_begin(moi_reduction *r, int64_t parts, int64_t together);

/* Where a part of this rank goes: [n], whatever it held before; or on top of
 * that, if *onto is not 0. *count parts go there as one, added up by pairs: one
 * alone where no others are worked out with it. */
float *moi_reduction_place(const moi_reduction *r, int64_t part,
                           int32_t *onto, int64_t *count);

/* Numbers first .. first + count - 1 of a part, the last of those that are one,
 * are there, and those of this rank's parts before it have been told of. */
void moi_reduction_join(const moi_reduction *r, int64_t part, int64_t first,
                        int64_t count);

/* Wait for all ranks to come here, where they read numbers of each other that
 * they have written before; where numbers travel, nobody has to wait. */
int32_t moi_reduction_meet(const moi_reduction *r);

/* Once all of this rank's parts are there, from cuts[0] to cuts[size], and
 * ranks have met: add that up over the ranks. The result is [n], right in this
 * rank's piece: from cuts[rank] to cuts[rank + 1]; with codec->all it is so
 * everywhere, and cuts has two places. */
int32_t moi_reduction_scatter(moi_reduction *r, const int64_t *cuts,
                              const mopt_cancel *cancel);
float *moi_reduction_result(const moi_reduction *r);

/* Each rank has its piece of data[n] right, cuts as above: give all to all. Put
 * them all out, meet, take them all in. data may be the result, and is what
 * that holds from then on; then ranks meet once more before it is changed. */
void moi_reduction_put(const moi_reduction *r, const int64_t *cuts,
                       const float *data);
int32_t moi_reduction_take(const moi_reduction *r, const int64_t *cuts,
                           float *data, const mopt_cancel *cancel);

#endif
