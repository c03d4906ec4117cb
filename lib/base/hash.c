/* SPDX-License-Identifier: MIT
 * lib/base/hash.c: checksums of bytes. */
#include "base/hash.h"

#include <string.h>

#define PRIME UINT64_C(1099511628211)

uint64_t moi_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * PRIME;
    return hash;
}

uint64_t moi_hash_text(uint64_t hash, const char *text)
{
    return moi_hash(hash, text, strlen(text) + 1);
}

uint64_t moi_hash_block(uint64_t hash, const void *data, size_t size)
{
    const char *bytes = data;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        hash = (hash ^ word) * PRIME;
        hash ^= hash >> 32; /* high bits must reach the low ones too */
    }
    return moi_hash(hash, bytes + i, size - i);
}
