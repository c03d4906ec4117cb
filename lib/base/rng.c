/* SPDX-License-Identifier: MIT
 * lib/base/rng.c: Philox4x32-10.
 *
 * The counter's low 64 bits count blocks of four numbers; its high bits and
 * the key name the stream: key = seed, counter[2] = trial,
 * counter[3] = purpose and index. */
#include "base/rng.h"

#include <math.h>

/* Multipliers and Weyl constants: Salmon et al. 2011, section 4.3. */
#define M0 0xD2511F53u
#define M1 0xCD9E8D57u
#define W0 0x9E3779B9u
#define W1 0xBB67AE85u
#define ROUNDS 10

#define PURPOSE_BITS 6 /* of counter[3]; the index has the other 26 */

static void philox(const uint32_t counter[4], const uint32_t key[2],
                   uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2];
    uint32_t c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int32_t round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += W0;
        k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void moi_rng_init(moi_rng *rng, uint64_t seed, uint32_t trial,
                  uint32_t purpose, uint32_t index)
{
    rng->key[0] = (uint32_t)seed;
    rng->key[1] = (uint32_t)(seed >> 32);
    rng->counter[2] = trial;
    rng->counter[3] = index << PURPOSE_BITS | purpose;
    moi_rng_seek(rng, 0);
}

void moi_rng_seek(moi_rng *rng, uint64_t block)
{
    rng->counter[0] = (uint32_t)block;
    rng->counter[1] = (uint32_t)(block >> 32);
    rng->used = 4;
}

static void next_block(moi_rng *rng)
{
    philox(rng->counter, rng->key, rng->block);
    if (++rng->counter[0] == 0)
        rng->counter[1]++;
    rng->used = 0;
}

uint32_t moi_rng_u32(moi_rng *rng)
{
    if (rng->used == 4)
        next_block(rng);
    return rng->block[rng->used++];
}

uint64_t moi_rng_u64(moi_rng *rng)
{
    uint64_t low = moi_rng_u32(rng);
    return (uint64_t)moi_rng_u32(rng) << 32 | low;
}

double moi_rng_uniform(moi_rng *rng)
{
    return (double)(moi_rng_u64(rng) >> 11) * 0x1p-53;
}

double moi_rng_normal(moi_rng *rng)
{
    /* Box and Muller 1958; 1 - u is never 0. One of the pair is dropped, so
     * that a stream's position says all about it. */
    double radius = sqrt(-2.0 * log(1.0 - moi_rng_uniform(rng)));
    return radius * cos(2.0 * M_PI * moi_rng_uniform(rng));
}

uint64_t moi_rng_below(moi_rng *rng, uint64_t bound)
{
    /* Multiply and reject (Lemire 2019, "Fast Random Integer Generation in an
     * Interval", algorithm 5). */
    uint64_t floor = -bound % bound;
    unsigned __int128 product;
    do
        product = (unsigned __int128)moi_rng_u64(rng) * bound;
    while ((uint64_t)product < floor);
    return (uint64_t)(product >> 64);
}

void moi_rng_fill(moi_rng *rng, uint32_t *out, int64_t count)
{
    int64_t i = 0;
    while (i < count && rng->used < 4)
        out[i++] = moi_rng_u32(rng);
    for (; i + 4 <= count; i += 4) {
        philox(rng->counter, rng->key, out + i);
        if (++rng->counter[0] == 0)
            rng->counter[1]++;
    }
    while (i < count)
        out[i++] = moi_rng_u32(rng);
}

void moi_rng_shuffle(moi_rng *rng, int64_t *items, int64_t count)
{
    /* Fisher and Yates, as Durstenfeld 1964 has it. */
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)moi_rng_below(rng, (uint64_t)i + 1);
        int64_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}

uint32_t moi_rng_hash(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}
