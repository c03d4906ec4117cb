/* SPDX-License-Identifier: MIT
 * lib/learn/train/squeeze.c: see squeeze.h. */
#include "learn/train/squeeze.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "group/group.h"
#include "group/pairs.h"

#define BLOCK 8192 /* of which the largest travel: places are of 16 bits */

struct moi_squeeze {
    mopt_context *ctx;
    moi_codec codec;
    double share;
    int64_t parts;
    moi_real **errors; /* [parts] */
    uint32_t sizes[BLOCK]; /* of a block's numbers: the courier's alone */
};

/* ---- halves ---- */

static float from_half(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To the nearest, halfway to even; NaN stays NaN. */
static uint16_t to_half(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int64_t halves_bytes(void *user, int64_t count)
{
    (void)user;
    return count * (int64_t)sizeof(uint16_t);
}

static void pack_halves(void *user, int64_t part, int64_t first, int64_t count,
                        float *data, void *out)
{
    const moi_squeeze *s = user;
    float *error = (float *)(void *)s->errors[part] + first;
    uint16_t *halves = out;

    for (int64_t i = 0; i < count; i++) {
        float wanted = data[i] + error[i];

        halves[i] = to_half(wanted);
        data[i] = from_half(halves[i]);
        error[i] = wanted - data[i];
    }
}

static void unpack_halves(void *user, const void *in, int64_t count,
                          float *data)
{
    const uint16_t *halves = in;

    (void)user;
    for (int64_t i = 0; i < count; i++)
        data[i] = from_half(halves[i]);
}

void moi_squeeze_move(int64_t n, moi_real *w, const moi_real *old,
                      moi_real *error, uint16_t *out)
{
    for (int64_t i = 0; i < n; i++) {
        float wanted = (float)(w[i] - old[i] + error[i]);

        out[i] = to_half(wanted);
        error[i] = wanted - from_half(out[i]);
        w[i] = old[i] + from_half(out[i]);
    }
}

void moi_squeeze_follow(int64_t n, const uint16_t *in, moi_real *w)
{
    for (int64_t i = 0; i < n; i++)
        w[i] += from_half(in[i]);
}

/* ---- the largest ---- */

/* Of a block: numbers, then their places. */
static int64_t kept_of(const moi_squeeze *s, int64_t count)
{
    int64_t kept = (int64_t)ceil(s->share * (double)count);

    return kept < 1 ? 1 : kept < count ? kept : count;
}

static int64_t block_bytes(const moi_squeeze *s, int64_t count)
{
    return kept_of(s, count) * (int64_t)(sizeof(float) + sizeof(uint16_t));
}

static int64_t largest_bytes(void *user, int64_t count)
{
    int64_t bytes = count / BLOCK * block_bytes(user, BLOCK);

    return count % BLOCK ? bytes + block_bytes(user, count % BLOCK) : bytes;
}

/* The size that kept numbers have at least, and fewer have more: bits of a
 * number without its sign are in the order of sizes. */
static uint32_t threshold(const uint32_t *sizes, int64_t count, int64_t kept)
{
    uint32_t low = 0;

    for (int32_t bit = 30; bit >= 0; bit--) {
        uint32_t tried = low | (uint32_t)1 << bit;
        int32_t found = 0;

        for (int64_t i = 0; i < count; i++)
            found += sizes[i] >= tried;
        if (found >= kept)
            low = tried;
    }
    return low;
}

/* Those above the threshold, and of those at it the first ones. */
static void choose(const moi_squeeze *s, int64_t count, int64_t kept,
                   uint16_t *places)
{
    uint32_t least = threshold(s->sizes, count, kept);
    int64_t above = 0, at = 0, spare;

    for (int64_t i = 0; i < count; i++)
        above += s->sizes[i] > least;
    spare = kept - above;
    for (int64_t i = 0; i < count; i++)
        if (s->sizes[i] > least || (s->sizes[i] == least && spare-- > 0))
            places[at++] = (uint16_t)i;
}

/* data becomes what travels, error the rest. */
static void pack_block(moi_squeeze *s, int64_t count, float *data,
                       float *error, char *out)
{
    int64_t kept = kept_of(s, count);
    uint16_t places[BLOCK];

    for (int64_t i = 0; i < count; i++) {
        error[i] += data[i];
        data[i] = 0;
        memcpy(&s->sizes[i], &error[i], sizeof error[i]);
        s->sizes[i] &= 0x7fffffff;
    }
    choose(s, count, kept, places);
    for (int64_t k = 0; k < kept; k++) {
        data[places[k]] = error[places[k]];
        error[places[k]] = 0;
        memcpy(out + k * (int64_t)sizeof(float), &data[places[k]],
               sizeof(float));
    }
    memcpy(out + kept * (int64_t)sizeof(float), places,
           (size_t)kept * sizeof *places);
}

static void pack_largest(void *user, int64_t part, int64_t first,
                         int64_t count, float *data, void *out)
{
    moi_squeeze *s = user;
    float *error = (float *)(void *)s->errors[part] + first;
    char *to = out;

    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t size = count - at < BLOCK ? count - at : BLOCK;

        pack_block(s, size, data + at, error + at, to);
        to += block_bytes(s, size);
    }
}

static void unpack_largest(void *user, const void *in, int64_t count,
                           float *data)
{
    const moi_squeeze *s = user;
    const char *from = in;

    memset(data, 0, (size_t)count * sizeof *data);
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t size = count - at < BLOCK ? count - at : BLOCK;
        int64_t kept = kept_of(s, size);
        const char *places = from + kept * (int64_t)sizeof(float);

        for (int64_t k = 0; k < kept; k++) {
            uint16_t place;

            memcpy(&place, places + k * (int64_t)sizeof place, sizeof place);
            if (place < size)
                memcpy(data + at + place, from + k * (int64_t)sizeof(float),
                       sizeof(float));
        }
        from += block_bytes(s, size);
    }
}

/* ---- life ---- */

int32_t moi_squeeze_create(mopt_group *group, int32_t kind, double share,
                           int64_t n, int64_t parts, moi_squeeze **out)
{
    moi_squeeze *s = moi_calloc(group->ctx, 1, sizeof *s);
    int64_t first = moi_pairs_deal(parts, group->size, group->rank);
    int64_t limit = moi_pairs_deal(parts, group->size, group->rank + 1);
    int32_t rc;

    if (!s)
        return MOPT_ENOMEM;
    s->ctx = group->ctx;
    s->share = share;
    s->parts = parts;
    s->codec = kind == MOI_SQUEEZE_HALVES
                   ? (moi_codec){s, 0, halves_bytes, pack_halves,
                                 unpack_halves}
                   : (moi_codec){s, 1, largest_bytes, pack_largest,
                                 unpack_largest};
    s->errors = moi_calloc(s->ctx, parts, sizeof *s->errors);
    rc = s->errors ? MOPT_OK : MOPT_ENOMEM;
    for (int64_t i = first; !rc && i < limit; i++) {
        s->errors[i] = moi_calloc(s->ctx, n, sizeof **s->errors);
        if (!s->errors[i])
            rc = MOPT_ENOMEM;
    }
    if (rc)
        moi_squeeze_free(s);
    else
        *out = s;
    return rc;
}

void moi_squeeze_free(moi_squeeze *s)
{
    if (!s)
        return;
    for (int64_t i = 0; s->errors && i < s->parts; i++)
        moi_free(s->ctx, s->errors[i]);
    moi_free(s->ctx, s->errors);
    moi_free(s->ctx, s);
}

const moi_codec *moi_squeeze_codec(const moi_squeeze *s)
{
    return s ? &s->codec : NULL;
}

moi_real **moi_squeeze_errors(moi_squeeze *s)
{
    return s->errors;
}
