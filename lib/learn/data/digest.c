/* SPDX-License-Identifier: MIT
 * lib/learn/data/digest.c: a checksum of a view: the keys of caches, and the
 * check that a checkpoint belongs to its data. No defence against forgery. */
#include <string.h>

#include "learn/data/transform.h"

/* Multiply and fold; the constant is 2^64 over the golden ratio (Knuth, The
 * Art of Computer Programming, volume 3, section 6.4). */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

/* Four lanes, so that the multiplications of a row overlap. */
typedef struct lanes {
    uint64_t lane[4];
} lanes;

static void add_bytes(lanes *h, const void *bytes, int64_t count)
{
    const char *at = bytes;
    uint64_t w[4];

    for (; count >= 32; count -= 32, at += 32) {
        memcpy(w, at, 32);
        h->lane[0] = mix(h->lane[0], w[0]);
        h->lane[1] = mix(h->lane[1], w[1]);
        h->lane[2] = mix(h->lane[2], w[2]);
        h->lane[3] = mix(h->lane[3], w[3]);
    }
    if (count > 0) {
        memset(w, 0, 32);
        memcpy(w, at, (size_t)count);
        h->lane[0] = mix(h->lane[0], w[0] ^ (uint64_t)count);
        h->lane[1] = mix(h->lane[1], w[1]);
        h->lane[2] = mix(h->lane[2], w[2]);
        h->lane[3] = mix(h->lane[3], w[3]);
    }
}

static void add_transform(lanes *h, const mopt_transform *t)
{
    int64_t j, k;

    for (j = 0; j < (t->uniform ? 1 : t->columns); j++) {
        const moi_encoder *e = &t->encoders[j];
        double numbers[] = {e->center, e->scale, e->fill,
                            (double)moi_encoder_inputs(e)};
        add_bytes(h, numbers, (int64_t)sizeof(numbers));
        for (k = 0; k < e->categories.count; k++)
            add_bytes(h, e->categories.text[k],
                      (int64_t)strlen(e->categories.text[k]));
    }
    if (t->target == MOPT_TARGET_NUMBER) {
        add_bytes(h, t->target_center, t->targets * (int64_t)sizeof(double));
        add_bytes(h, t->target_scale, t->targets * (int64_t)sizeof(double));
    }
}

static uint64_t compute(const mopt_dataset *data)
{
    const moi_store *store = data->store;
    int64_t i, row, bytes = store->width * moi_type_size(store->type);
    int64_t size = moi_type_size(store->label_type);
    int64_t shape[] = {data->rows, moi_dataset_features(data), store->type,
                       store->target, moi_dataset_targets(data)};
    uint64_t digest;
    lanes h = {{1, 2, 3, 4}};

    if (store->target == MOPT_TARGET_NUMBER)
        size *= store->targets;
    add_bytes(&h, shape, (int64_t)sizeof(shape));
    for (i = 0; i < data->rows; i++) {
        row = moi_dataset_row(data, i);
        add_bytes(&h, (const char *)store->cells + row * store->stride,
                  bytes);
        if (store->target != MOPT_TARGET_NONE)
            add_bytes(&h, (const char *)store->labels + row * size, size);
    }
    if (data->transform)
        add_transform(&h, data->transform);
    digest = mix(mix(mix(h.lane[0], h.lane[1]), h.lane[2]), h.lane[3]);
    return digest ? digest : 1;
}

uint64_t moi_dataset_digest(const mopt_dataset *data)
{
    /* The same whoever computes it, so two threads may both do so. */
    _Atomic uint64_t *cached = &((mopt_dataset *)(uintptr_t)data)->digest;
    uint64_t digest = atomic_load_explicit(cached, memory_order_relaxed);

    if (!digest) {
        digest = compute(data);
        atomic_store_explicit(cached, digest, memory_order_relaxed);
    }
    return digest;
}
