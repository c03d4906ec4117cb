/* SPDX-License-Identifier: MIT
 * lib/base/memory.h: the one seam for memory.
 *
 * Every block comes from the context's allocator and remembers its own size,
 * so that callers free by pointer alone. A failure sets MOPT_ENOMEM's message;
 * callers return MOPT_ENOMEM. */
#ifndef MOI_BASE_MEMORY_H
#define MOI_BASE_MEMORY_H

#include <modelopt/context.h>

/* Alignment of every block: a cache line, and an AVX-512 vector. */
#define MOI_ALIGN 64

/* count * size bytes, not initialised; the product is checked. Never returns
 * NULL for 0 bytes. */
void *moi_alloc(mopt_context *ctx, int64_t count, size_t size);

/* The same, zeroed. */
void *moi_calloc(mopt_context *ctx, int64_t count, size_t size);

/* Resize to count * size bytes; NULL leaves the old block as it was. */
void *moi_realloc(mopt_context *ctx, void *block, int64_t count, size_t size);

/* Free; NULL is fine. */
void moi_free(mopt_context *ctx, void *block);

/* A copy of a text, or of its first length bytes. */
char *moi_strdup(mopt_context *ctx, const char *text);
char *moi_strndup(mopt_context *ctx, const char *text, size_t length);

/* Let array *items (of size bytes each, room for *capacity) hold at least
 * need items; grows by half. */
int32_t moi_grow(mopt_context *ctx, void **items, int64_t *capacity,
                 int64_t need, size_t size);

/* a * b into *out; MOPT_ERANGE with a message that names what overflows. */
int32_t moi_multiply(int64_t a, int64_t b, const char *what, int64_t *out);

#endif
