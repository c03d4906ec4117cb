/* SPDX-License-Identifier: MIT
 * lib/base/hash.h: checksums of bytes: keys of caches, and whether a file is
 * what it was. Not against anybody who means harm. */
#ifndef MOI_BASE_HASH_H
#define MOI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MOI_HASH_START UINT64_C(14695981039346656037)

/* FNV-1a, 64 bits (Fowler, Noll, Vo), of more bytes behind others. */
uint64_t moi_hash(uint64_t hash, const void *data, size_t size);

/* The same of a text, its end included. */
uint64_t moi_hash_text(uint64_t hash, const char *text);

/* Eight bytes at a time (what is left over one by one), for large blocks. */
uint64_t moi_hash_block(uint64_t hash, const void *data, size_t size);

#endif
