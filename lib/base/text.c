/* SPDX-License-Identifier: MIT
 * lib/base/text.c: growing texts, copying out, nearest names, globs. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

void moi_text_init(moi_text *text, mopt_context *ctx)
{
    *text = (moi_text){.ctx = ctx};
}

void moi_text_free(moi_text *text)
{
    moi_free(text->ctx, text->data);
    moi_text_init(text, text->ctx);
}

void moi_text_add_bytes(moi_text *text, const void *bytes, int64_t count)
{
    if (text->status != MOPT_OK)
        return;
    text->status = moi_grow(text->ctx, (void **)&text->data, &text->capacity,
                            text->length + count + 1, 1);
    if (text->status != MOPT_OK)
        return;
    if (count > 0)
        memcpy(text->data + text->length, bytes, (size_t)count);
    text->length += count;
    text->data[text->length] = '\0';
}

void moi_text_add(moi_text *text, const char *piece)
{
    moi_text_add_bytes(text, piece, (int64_t)strlen(piece));
}

void moi_text_addf(moi_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (text->status == MOPT_OK && length >= 0)
        text->status = moi_grow(text->ctx, (void **)&text->data,
                                &text->capacity, text->length + length + 1, 1);
    if (text->status == MOPT_OK && length >= 0) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format,
                  again);
        text->length += length;
    }
    va_end(again);
}

void moi_text_add_number(moi_text *text, double value)
{
    char number[MOI_NUMBER_SIZE];
    moi_text_add(text, moi_number_text(value, number));
}

/* One character of a JSON string. */
static void add_escaped(moi_text *text, char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *at = c != '\0' ? strchr(plain, c) : NULL;
    if (at != NULL)
        moi_text_addf(text, "\\%c", names[at - plain]);
    else if ((unsigned char)c < 0x20)
        moi_text_addf(text, "\\u%04x", (unsigned char)c);
    else
        moi_text_add_bytes(text, &c, 1);
}

void moi_text_add_quoted(moi_text *text, const char *value)
{
    moi_text_add(text, "\"");
    for (; *value != '\0'; value++)
        add_escaped(text, *value);
    moi_text_add(text, "\"");
}

const char *moi_text_get(const moi_text *text)
{
    return text->data != NULL ? text->data : "";
}

int32_t moi_copy_out(const char *value, char *buf, size_t cap, size_t *needed)
{
    size_t size = strlen(value) + 1;
    if (buf == NULL && cap > 0)
        return moi_fail(MOPT_EINVAL, "'buf' is NULL but 'cap' is %zu", cap);
    if (needed != NULL)
        *needed = size;
    if (cap == 0)
        return MOPT_OK;
    if (size <= cap) {
        memcpy(buf, value, size);
        return MOPT_OK;
    }
    memcpy(buf, value, cap - 1);
    buf[cap - 1] = '\0';
    return moi_fail(MOPT_ERANGE,
                    "the text takes %zu bytes, the buffer has %zu", size, cap);
}

int32_t moi_text_finish(moi_text *text, char *buf, size_t cap, size_t *needed)
{
    int32_t status = text->status;
    if (status == MOPT_OK)
        status = moi_copy_out(moi_text_get(text), buf, cap, needed);
    moi_text_free(text);
    return status;
}

/* Longest word whose distance is computed exactly; longer ones are cut. */
#define WORD_SIZE 64

static int32_t smallest(int32_t a, int32_t b, int32_t c)
{
    int32_t least = a < b ? a : b;
    return least < c ? least : c;
}

int32_t moi_text_distance(const char *a, const char *b)
{
    int32_t n = (int32_t)strnlen(a, WORD_SIZE);
    int32_t m = (int32_t)strnlen(b, WORD_SIZE);
    int32_t row[3][WORD_SIZE + 1]; /* of the table, i - 2 .. i */
    for (int32_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (int32_t i = 1; i <= n; i++) {
        int32_t *now = row[i % 3], *before = row[(i + 2) % 3];
        const int32_t *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (int32_t j = 1; j <= m; j++) {
            now[j] = smallest(before[j] + 1, now[j - 1] + 1,
                              before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && earlier[j - 2] + 1 < now[j])
                now[j] = earlier[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

int64_t moi_text_nearest(const char *word, int64_t count,
                         const char *(*name)(const void *list, int64_t i),
                         const void *list)
{
    int64_t best = -1;
    int32_t least = INT32_MAX;
    for (int64_t i = 0; i < count; i++) {
        const char *candidate = name(list, i);
        int32_t distance = moi_text_distance(word, candidate);
        size_t longer = strlen(word) > strlen(candidate) ? strlen(word)
                                                         : strlen(candidate);
        if (distance < least && (size_t)distance * 3 <= longer + 2) {
            least = distance;
            best = i;
        }
    }
    return best;
}

int32_t moi_text_glob(const char *pattern, const char *name)
{
    /* On a mismatch the last star takes one more character. */
    const char *star = NULL, *resume = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star;
            name = ++resume;
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

#define GLOB_SIZE 256 /* longer than any name */

int32_t moi_text_in_globs(const char *patterns, const char *name)
{
    const char *at = patterns;
    char one[GLOB_SIZE];
    while (*at != '\0') {
        size_t length = strcspn(at, ",");
        if (length > 0 && length < sizeof(one)) {
            memcpy(one, at, length);
            one[length] = '\0';
            if (moi_text_glob(one, name))
                return 1;
        }
        at += length + (at[length] == ',');
    }
    return 0;
}
