/* SPDX-License-Identifier: MIT
 * lib/base/memory.c: blocks with a hidden head that tells their size.
 *
 * The head stands right before the block: what the host's allocator gave, and
 * how many bytes. The block itself starts at a multiple of MOI_ALIGN. */
#include "base/memory.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"

typedef struct head {
    void *origin; /* what the allocator returned */
    size_t total; /* bytes it was asked for */
    size_t size;  /* bytes of the block */
} head;

static head *head_of(void *block)
{
    return (head *)(void *)((char *)block - sizeof(head));
}

static int32_t fail_memory(int64_t count, size_t size)
{
    return moi_fail(MOPT_ENOMEM, "no memory for %" PRId64 " x %zu bytes",
                    count, size);
}

void *moi_alloc(mopt_context *ctx, int64_t count, size_t size)
{
    size_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
        bytes > PTRDIFF_MAX - 2 * MOI_ALIGN) {
        fail_memory(count, size);
        return NULL;
    }
    size_t total = bytes + sizeof(head) + MOI_ALIGN;
    char *origin = ctx->alloc(ctx->alloc_user, NULL, 0, total);
    if (origin == NULL) {
        fail_memory(count, size);
        return NULL;
    }
    uintptr_t start = (uintptr_t)origin + sizeof(head);
    size_t shift = (MOI_ALIGN - start % MOI_ALIGN) % MOI_ALIGN;
    void *block = origin + sizeof(head) + shift;
    *head_of(block) = (head){origin, total, bytes};
    return block;
}

void *moi_calloc(mopt_context *ctx, int64_t count, size_t size)
{
    void *block = moi_alloc(ctx, count, size);
    if (block != NULL)
        memset(block, 0, head_of(block)->size);
    return block;
}

void *moi_realloc(mopt_context *ctx, void *block, int64_t count, size_t size)
{
    void *grown = moi_alloc(ctx, count, size);
    if (grown == NULL || block == NULL)
        return grown;
    size_t kept = head_of(block)->size;
    size_t room = head_of(grown)->size;
    memcpy(grown, block, kept < room ? kept : room);
    moi_free(ctx, block);
    return grown;
}

void moi_free(mopt_context *ctx, void *block)
{
    if (block == NULL)
        return;
    head h = *head_of(block);
    ctx->alloc(ctx->alloc_user, h.origin, h.total, 0);
}

char *moi_strndup(mopt_context *ctx, const char *text, size_t length)
{
    char *copy = moi_alloc(ctx, 1, length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *moi_strdup(mopt_context *ctx, const char *text)
{
    return moi_strndup(ctx, text, strlen(text));
}

int32_t moi_grow(mopt_context *ctx, void **items, int64_t *capacity,
                 int64_t need, size_t size)
{
    if (need <= *capacity)
        return MOPT_OK;
    int64_t room = *capacity + *capacity / 2 + 8;
    if (room < need)
        room = need;
    void *grown = moi_realloc(ctx, *items, room, size);
    if (grown == NULL)
        return MOPT_ENOMEM;
    *items = grown;
    *capacity = room;
    return MOPT_OK;
}

int32_t moi_multiply(int64_t a, int64_t b, const char *what, int64_t *out)
{
    if (__builtin_mul_overflow(a, b, out))
        return moi_fail(MOPT_ERANGE,
                        "%s: %" PRId64 " x %" PRId64 " is too large", what, a,
                        b);
    return MOPT_OK;
}
