/* SPDX-License-Identifier: MIT
 * lib/learn/data/names.c: lists of names and the dictionary of a column. */
#include "learn/data/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

/* Bytes of the UTF-8 sequence at p, 0 if it is not one (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF). */
static int64_t sequence(const unsigned char *p, const unsigned char *end)
{
    unsigned char low = 0x80, high = 0xbf;
    int64_t need, i;

    if (*p < 0x80)
        return 1;
    if (*p < 0xc2 || *p > 0xf4)
        return 0;
    need = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    if (end - p < need)
        return 0;
    if (*p == 0xe0)
        low = 0xa0;
    else if (*p == 0xed)
        high = 0x9f;
    else if (*p == 0xf0)
        low = 0x90;
    else if (*p == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

static int32_t is_utf8(const char *text, int64_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *end = p + length;

    while (p < end) {
        int64_t step = sequence(p, end);
        if (!step)
            return 0;
        p += step;
    }
    return 1;
}

/* Latin-1 to UTF-8; returns the bytes written, at most twice length. */
static int64_t widen(const char *text, int64_t length, char *out)
{
    int64_t i, used = 0;

    for (i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x80) {
            out[used++] = (char)c;
        } else {
            out[used++] = (char)(0xc0 | (c >> 6));
            out[used++] = (char)(0x80 | (c & 0x3f));
        }
    }
    return used;
}

int32_t moi_names_build(mopt_context *ctx, const moi_piece *pieces,
                        int64_t count, moi_names *out)
{
    int64_t i, bytes = count * (int64_t)sizeof(char *);
    char **text, *at;

    for (i = 0; i < count; i++)
        bytes += 2 * pieces[i].length + 1;
    text = moi_alloc(ctx, bytes, 1);
    if (!text)
        return MOPT_ENOMEM;
    at = (char *)(text + count);
    for (i = 0; i < count; i++) {
        int64_t length = pieces[i].length;
        text[i] = at;
        if (is_utf8(pieces[i].text, length)) {
            if (length)
                memcpy(at, pieces[i].text, (size_t)length);
        } else {
            length = widen(pieces[i].text, length, at);
        }
        at += length;
        *at++ = '\0';
    }
    out->count = count;
    out->text = text;
    return MOPT_OK;
}

int32_t moi_names_copy(mopt_context *ctx, const moi_names *from,
                       moi_names *out)
{
    moi_piece *pieces;
    int64_t i;
    int32_t rc;

    if (!from->text) {
        out->count = from->count;
        out->text = NULL;
        return MOPT_OK;
    }
    pieces = moi_alloc(ctx, from->count, sizeof(*pieces));
    if (!pieces)
        return MOPT_ENOMEM;
    for (i = 0; i < from->count; i++) {
        pieces[i].text = from->text[i];
        pieces[i].length = (int64_t)strlen(from->text[i]);
    }
    rc = moi_names_build(ctx, pieces, from->count, out);
    moi_free(ctx, pieces);
    return rc;
}

void moi_names_free(mopt_context *ctx, moi_names *names)
{
    moi_free(ctx, names->text);
    names->text = NULL;
    names->count = 0;
}

int64_t moi_names_find(const moi_names *names, const char *text)
{
    int64_t i;

    for (i = 0; names->text && i < names->count; i++)
        if (strcmp(names->text[i], text) == 0)
            return i;
    return -1;
}

static const char *name_at(const void *list, int64_t i)
{
    return ((const moi_names *)list)->text[i];
}

const char *moi_names_nearest(const moi_names *names, const char *text)
{
    int64_t at = -1;

    if (names->text)
        at = moi_text_nearest(text, names->count, name_at, names);
    return at < 0 ? NULL : names->text[at];
}

int32_t moi_names_equal(const moi_names *a, const moi_names *b)
{
    int64_t i;

    if (a->count != b->count || !a->text != !b->text)
        return 0;
    for (i = 0; a->text && i < a->count; i++)
        if (strcmp(a->text[i], b->text[i]) != 0)
            return 0;
    return 1;
}

json_t *moi_names_to_json(const moi_names *names)
{
    json_t *list = json_array();
    int64_t i;

    for (i = 0; list && i < names->count; i++) {
        if (json_array_append_new(list, json_string(names->text[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

int32_t moi_names_from_json(mopt_context *ctx, const json_t *json,
                            moi_names *out)
{
    int64_t i, count = (int64_t)json_array_size(json);
    moi_piece *pieces;
    int32_t rc;

    if (!json_is_array(json))
        return moi_fail(MOPT_EFORMAT, "it is %s, where a list of names "
                        "belongs", moi_json_kind(json));
    pieces = moi_alloc(ctx, count, sizeof(*pieces));
    if (!pieces)
        return MOPT_ENOMEM;
    for (i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, (size_t)i);
        if (!json_is_string(item)) {
            moi_free(ctx, pieces);
            return moi_fail(MOPT_EFORMAT, "item %lld is %s, where a name "
                            "belongs", (long long)i, moi_json_kind(item));
        }
        pieces[i].text = json_string_value(item);
        pieces[i].length = (int64_t)json_string_length(item);
    }
    rc = moi_names_build(ctx, pieces, count, out);
    moi_free(ctx, pieces);
    return rc;
}

int32_t moi_names_values(const moi_names *names, double *values)
{
    int64_t i;

    if (!names->text)
        return 0;
    for (i = 0; i < names->count; i++)
        if (!moi_number_parse(names->text[i], &values[i]))
            return 0;
    return 1;
}

struct moi_dict_entry {
    int64_t offset; /* into the bytes, a NUL behind the text */
    int32_t length;
    uint32_t hash;
};

void moi_dict_free(mopt_context *ctx, moi_dict *dict)
{
    moi_free(ctx, dict->entries);
    moi_free(ctx, dict->slots);
    moi_free(ctx, dict->bytes);
    memset(dict, 0, sizeof(*dict));
}

/* FNV-1a, 32 bits. */
static uint32_t hash_bytes(const char *text, int64_t length)
{
    uint32_t hash = 2166136261u;
    int64_t i;

    for (i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static int32_t is_entry(const moi_dict *dict, int32_t code, const char *text,
                        int64_t length)
{
    const struct moi_dict_entry *entry = &dict->entries[code];

    return entry->length == length &&
           memcmp(dict->bytes + entry->offset, text, (size_t)length) == 0;
}

/* The slot of a text, or the free one where it belongs. */
static int32_t *slot_of(const moi_dict *dict, uint32_t hash, const char *text,
                        int64_t length)
{
    uint64_t mask = (uint64_t)dict->slot_count - 1, at = hash & mask;

    while (dict->slots[at] >= 0) {
        int32_t code = dict->slots[at];
        if (dict->entries[code].hash == hash &&
            is_entry(dict, code, text, length))
            break;
        at = (at + 1) & mask;
    }
    return &dict->slots[at];
}

int32_t moi_dict_find(const moi_dict *dict, const char *text, int64_t length)
{
    if (!dict->count)
        return -1;
    return *slot_of(dict, hash_bytes(text, length), text, length);
}

/* Put a code that is not there yet into the first free slot. */
static void settle(int32_t *slots, int64_t slot_count, uint32_t hash,
                   int32_t code)
{
    uint64_t mask = (uint64_t)slot_count - 1, at = hash & mask;

    while (slots[at] >= 0)
        at = (at + 1) & mask;
    slots[at] = code;
}

/* Room for one more: at most half of the slots are taken. */
static int32_t make_room(mopt_context *ctx, moi_dict *dict, int64_t length)
{
    int64_t i, slots = dict->slot_count ? 2 * dict->slot_count : 16;
    int32_t *fresh;

    if (length > INT32_MAX || dict->count >= INT32_MAX / 4)
        return moi_fail(MOPT_ERANGE, "too many categories");
    if (moi_grow(ctx, (void **)&dict->entries, &dict->entry_capacity,
                 dict->count + 1, sizeof(*dict->entries)) ||
        moi_grow(ctx, (void **)&dict->bytes, &dict->byte_capacity,
                 dict->used + length + 1, 1))
        return MOPT_ENOMEM;
    if (2 * (dict->count + 1) <= dict->slot_count)
        return MOPT_OK;
    fresh = moi_alloc(ctx, slots, sizeof(*fresh));
    if (!fresh)
        return MOPT_ENOMEM;
    moi_free(ctx, dict->slots);
    dict->slots = fresh;
    dict->slot_count = slots;
    memset(fresh, 0xff, (size_t)slots * sizeof(*fresh));
    for (i = 0; i < dict->count; i++)
        settle(fresh, slots, dict->entries[i].hash, (int32_t)i);
    return MOPT_OK;
}

int32_t moi_dict_add(mopt_context *ctx, moi_dict *dict, const char *text,
                     int64_t length, int32_t *code)
{
    struct moi_dict_entry *entry;
    int32_t rc, found = dict->last;

    if (!dict->count || !is_entry(dict, found, text, length))
        found = moi_dict_find(dict, text, length);
    if (found < 0) {
        rc = make_room(ctx, dict, length);
        if (rc)
            return rc;
        found = (int32_t)dict->count++;
        entry = &dict->entries[found];
        entry->offset = dict->used;
        entry->length = (int32_t)length;
        entry->hash = hash_bytes(text, length);
        if (length)
            memcpy(dict->bytes + dict->used, text, (size_t)length);
        dict->bytes[dict->used + length] = '\0';
        dict->used += length + 1;
        settle(dict->slots, dict->slot_count, entry->hash, found);
    }
    dict->last = found;
    *code = found;
    return MOPT_OK;
}

typedef struct ranked {
    const char *text;
    double value; /* the same for all unless all are numbers */
    int32_t code;
} ranked;

static int by_value_then_text(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return strcmp(x->text, y->text);
}

int32_t moi_dict_names(mopt_context *ctx, const moi_dict *dict,
                       int32_t sorted, int32_t *rank, moi_names *out)
{
    ranked *order = moi_alloc(ctx, dict->count, sizeof(*order));
    moi_piece *pieces = moi_alloc(ctx, dict->count, sizeof(*pieces));
    int32_t rc = MOPT_ENOMEM, numbers = 1;
    int64_t i;

    if (!order || !pieces)
        goto out;
    for (i = 0; i < dict->count; i++) {
        order[i].code = (int32_t)i;
        order[i].text = dict->bytes + dict->entries[i].offset;
        numbers &= moi_number_parse(order[i].text, &order[i].value) &&
                   order[i].value == order[i].value;
    }
    for (i = 0; i < dict->count && !numbers; i++)
        order[i].value = 0;
    if (sorted && dict->count)
        qsort(order, (size_t)dict->count, sizeof(*order), by_value_then_text);
    for (i = 0; i < dict->count; i++) {
        pieces[i].text = order[i].text;
        pieces[i].length = dict->entries[order[i].code].length;
        rank[order[i].code] = (int32_t)i;
    }
    rc = moi_names_build(ctx, pieces, dict->count, out);
out:
    moi_free(ctx, order);
    moi_free(ctx, pieces);
    return rc;
}
