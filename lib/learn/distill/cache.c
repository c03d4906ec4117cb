/* SPDX-License-Identifier: MIT
 * lib/learn/distill/cache.c: outputs of a teacher kept in a file.
 *
 * A safetensors file with the tensor "outputs" and the texts "format", "key"
 * and "checksum". What does not fit to the last bit is not used: it is worked
 * out anew, and the file replaced. It is read and not mapped: who cuts or
 * changes a mapped file kills the host, or teaches it nonsense
 * (docs/design/distillation.md). */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/hash.h"
#include "base/status.h"
#include "learn/distill/teacher.h"

#define FORMAT "modelopt outputs 1"

static uint64_t checksum(const void *table, int64_t bytes)
{
    return moi_hash_block(MOI_HASH_START, table, (size_t)bytes);
}

static const char *hex(uint64_t value, char buf[17])
{
    snprintf(buf, 17, "%016" PRIx64, value);
    return buf;
}

int32_t moi_cache_write(mopt_context *ctx, const char *path, uint64_t key,
                        const float *table, int64_t rows, int64_t outputs)
{
    char key_text[17], sum_text[17];
    moi_tensor tensor = {
        .name = "outputs",
        .type = MOPT_F32,
        .rank = 2,
        .shape = {rows, outputs},
        .bytes = rows * outputs * (int64_t)sizeof *table,
        .data = table,
    };
    json_t *texts = json_pack(
        "{ssssss}", "format", FORMAT, "key", hex(key, key_text), "checksum",
        hex(checksum(table, tensor.bytes), sum_text));
    int32_t rc = texts ? moi_safetensors_write(ctx, path, texts, &tensor, 1)
                       : moi_fail(MOPT_ENOMEM, "no memory for a cache");

    json_decref(texts);
    return rc;
}

static int32_t text_is(const moi_safetensors *file, const char *name,
                       const char *wanted)
{
    const char *text = moi_safetensors_text(file, name);

    return text && !strcmp(text, wanted);
}

int32_t moi_cache_is_whole(const moi_safetensors *file)
{
    const moi_tensor *t = moi_safetensors_find(file, "outputs");
    char text[17];

    return !text_is(file, "format", FORMAT) ||
           (t && text_is(file, "checksum", hex(checksum(t->data, t->bytes),
                                               text)));
}

/* Why a file is not what is wanted; NULL: it is. */
static const char *flaw(const moi_safetensors *file, uint64_t key,
                        int64_t rows, int64_t outputs)
{
    const moi_tensor *t = moi_safetensors_find(file, "outputs");
    char text[17];

    if (!text_is(file, "format", FORMAT))
        return "it is no file of outputs";
    if (!text_is(file, "key", hex(key, text)))
        return "it is of another teacher or other data";
    if (!t || t->type != MOPT_F32 || t->rank != 2 || t->shape[0] != rows ||
        t->shape[1] != outputs || (uintptr_t)t->data % sizeof(float))
        return "it does not have the rows and outputs that it should";
    return moi_cache_is_whole(file) ? NULL
                                    : "it is damaged: its checksum is another";
}

int32_t moi_cache_read(mopt_context *ctx, const char *path, uint64_t key,
                       int64_t rows, int64_t outputs, moi_safetensors **file)
{
    moi_safetensors *found = NULL;
    int32_t rc = moi_safetensors_read(ctx, path, &found);
    const char *why = rc ? NULL : flaw(found, key, rows, outputs);

    *file = NULL;
    if (rc == MOPT_ENOMEM)
        return rc;
    if (!rc && !why) {
        *file = found;
        return MOPT_OK;
    }
    if (rc != MOPT_ENOENT)
        moi_log(ctx, MOPT_LOG_WARN, "distill",
                "%s: not used, and made anew: %s", path,
                why ? why : moi_last_text());
    moi_safetensors_free(found);
    return MOPT_OK;
}
