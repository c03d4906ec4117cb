/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/adapter.c: low-rank changes apart from their model: saved,
 * merged, taken out again. */
#include "learn/transfer/adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/dense.h"
#include "base/context.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "learn/data/dataset.h"
#include "learn/format/safetensors.h"
#include "learn/transfer/head.h"

#define FORMAT "modelopt adapter 1"

/* The tensor of a model that changes: by a product, or as a whole. */
typedef struct change {
    char *name;
    int64_t out, in; /* of the matrix; whole: 1 and the count */
    float *a, *b;    /* [rank][in], [out][rank]; b NULL: a is the tensor */
} change;

struct mopt_adapter {
    mopt_context *ctx;
    int64_t rank, count, room;
    double scale;
    change *changes;
    int64_t outputs;           /* of the new head in it; 0: there is none */
    mopt_transform *transform; /* of the task of that head; or NULL */
    mopt_model *merged; /* the model that it is in; NULL: none */
    mopt_model *before; /* a copy of that model as it was */
};

void mopt_adapter_free(mopt_adapter *adapter)
{
    mopt_context *ctx;

    if (!adapter)
        return;
    ctx = adapter->ctx;
    for (int64_t i = 0; i < adapter->count; i++) {
        moi_free(ctx, adapter->changes[i].name);
        moi_free(ctx, adapter->changes[i].a);
        moi_free(ctx, adapter->changes[i].b);
    }
    moi_free(ctx, adapter->changes);
    mopt_transform_free(adapter->transform);
    mopt_model_free(adapter->before);
    mopt_model_free(adapter->merged);
    moi_free(ctx, adapter);
    moi_context_release(ctx);
}

static int32_t create(mopt_context *ctx, int64_t rank, double scale,
                      mopt_adapter **out)
{
    mopt_adapter *adapter = moi_calloc(ctx, 1, sizeof *adapter);

    if (!adapter)
        return MOPT_ENOMEM;
    adapter->ctx = moi_context_hold(ctx);
    adapter->rank = rank;
    adapter->scale = scale;
    *out = adapter;
    return MOPT_OK;
}

/* One more change with room for its numbers. */
static int32_t add_change(mopt_adapter *adapter, const char *name, int64_t out,
                          int64_t in, int32_t whole, change **made)
{
    mopt_context *ctx = adapter->ctx;
    change *c = NULL;

    if (moi_grow(ctx, (void **)&adapter->changes, &adapter->room,
                 adapter->count + 1, sizeof *adapter->changes))
        return MOPT_ENOMEM;
    c = &adapter->changes[adapter->count++];
    *c = (change){.out = out, .in = in};
    c->name = moi_strdup(ctx, name);
    c->a = moi_calloc(ctx, whole ? in : adapter->rank * in, sizeof *c->a);
    if (!whole)
        c->b = moi_calloc(ctx, out * adapter->rank, sizeof *c->b);
    *made = c;
    return c->name && c->a && (whole || c->b) ? MOPT_OK : MOPT_ENOMEM;
}

/* ---- from a training ---- */

/* from[rows][cols] to floats, turned round if so wished. */
static void take(const moi_real *from, int64_t rows, int64_t cols,
                 int32_t turned, float *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < cols; k++)
            to[turned ? k * rows + i : i * cols + k] =
                (float)from[i * cols + k];
}

static int32_t add_factors(const moi_lora *lora, const moi_factors *f,
                           mopt_adapter *adapter)
{
    const moi_param *p = moi_model_param(lora->model, f->tensor);
    int32_t turned = p->flags & MOI_PARAM_TRANSPOSED;
    int64_t out = p->shape[0], in = p->count / out;
    const moi_real *left = lora->annex.weights + f->left;
    const moi_real *right = lora->annex.weights + f->right;
    change *c = NULL;
    int32_t rc = add_change(adapter, p->name, out, in, 0, &c);

    if (rc)
        return rc;
    take(turned ? left : right, turned ? in : lora->rank,
         turned ? lora->rank : in, turned, c->a);
    take(turned ? right : left, turned ? lora->rank : out,
         turned ? out : lora->rank, turned, c->b);
    return MOPT_OK;
}

static int32_t add_whole(const mopt_model *model, const moi_param *p,
                         mopt_adapter *adapter)
{
    change *c = NULL;
    int32_t rc = add_change(adapter, p->name, 1, p->count, 1, &c);

    return rc ? rc : mopt_model_get_tensor(model, p->name, c->a, p->count);
}

int32_t moi_adapter_make(const moi_lora *lora, const int32_t *whole,
                         int32_t new_head, mopt_adapter **out)
{
    const mopt_model *model = lora->model;
    mopt_adapter *adapter = NULL;
    int32_t rc = create(lora->ctx, lora->rank, lora->scale, &adapter);

    for (int64_t k = 0; !rc && k < lora->count; k++)
        rc = add_factors(lora, &lora->factors[k], adapter);
    for (int64_t i = 0; !rc && i < moi_model_param_count(model); i++)
        if (whole && whole[i])
            rc = add_whole(model, moi_model_param(model, i), adapter);
    if (!rc && new_head) {
        adapter->outputs = moi_model_outputs(model);
        if (moi_model_transform(model))
            adapter->transform = moi_transform_hold(moi_model_transform(model));
    }
    if (rc)
        mopt_adapter_free(adapter);
    else
        *out = adapter;
    return rc;
}

/* ---- merging ---- */

static const moi_param *find_param(const mopt_model *model, const char *name)
{
    for (int64_t i = 0; i < moi_model_param_count(model); i++)
        if (!strcmp(moi_model_param(model, i)->name, name))
            return moi_model_param(model, i);
    return NULL;
}

static const change *find_change(const mopt_adapter *adapter,
                                 const char *name)
{
    for (int64_t i = 0; i < adapter->count; i++)
        if (!strcmp(adapter->changes[i].name, name))
            return &adapter->changes[i];
    return NULL;
}

static int32_t check_change(const mopt_model *model, const change *c)
{
    const moi_param *p = find_param(model, c->name);

    if (!p)
        return moi_fail(MOPT_EINVAL, "the adapter changes '%.100s', which the "
                        "model does not have", c->name);
    if (c->b ? p->shape[0] == c->out && p->count == c->out * c->in
             : p->count == c->in)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "the adapter's '%.100s' has %lld numbers, the "
                    "model's has %lld", c->name, (long long)(c->out * c->in),
                    (long long)p->count);
}

/* values += scale b a, or = a. */
static void add_product(const mopt_adapter *adapter, const change *c,
                        float *values)
{
    if (!c->b) {
        memcpy(values, c->a, (size_t)c->in * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < c->out; i++)
        for (int64_t r = 0; r < adapter->rank; r++) {
            float factor = (float)adapter->scale * c->b[i * adapter->rank + r];

            for (int64_t k = 0; k < c->in; k++)
                values[i * c->in + k] += factor * c->a[r * c->in + k];
        }
}

static int32_t merge(const mopt_adapter *adapter, mopt_model *model,
                     float *values)
{
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < adapter->count; i++) {
        const change *c = &adapter->changes[i];
        int64_t count = c->out * c->in;

        rc = mopt_model_get_tensor(model, c->name, values, count);
        if (rc)
            break;
        add_product(adapter, c, values);
        rc = mopt_model_set_tensor(model, c->name, values, count);
    }
    return rc;
}

/* A new head is there as a whole: then its size is no more than the file's. */
static int32_t check_head(const mopt_adapter *adapter, const mopt_model *model)
{
    int64_t first, count, was = moi_model_outputs(model);

    moi_model_layer_params(model, moi_model_head(model), &first, &count);
    for (int64_t i = first; i < first + count; i++) {
        const moi_param *p = moi_model_param(model, i);
        const change *c = find_change(adapter, p->name);

        if (!c || c->b || p->count % was ||
            c->in / adapter->outputs != p->count / was)
            return moi_fail(MOPT_EINVAL, "the adapter has a head of %lld "
                            "outputs, but no '%.100s' that fits it",
                            (long long)adapter->outputs, p->name);
    }
    return MOPT_OK;
}

/* The model with all changes, as another one. */
static int32_t merge_copy(const mopt_adapter *adapter,
                          const mopt_model *model, mopt_model **out)
{
    mopt_model *copy = NULL;
    float *values = NULL;
    int32_t rc = adapter->outputs ? check_head(adapter, model) : MOPT_OK;

    if (rc)
        return rc;
    if (adapter->outputs && adapter->outputs != moi_model_outputs(model))
        rc = moi_head_replace(model, adapter->outputs, 0, &copy);
    else
        rc = mopt_model_copy(model, &copy);
    for (int64_t i = 0; !rc && i < adapter->count; i++)
        rc = check_change(copy, &adapter->changes[i]);
    if (!rc) {
        values = moi_alloc(adapter->ctx, moi_model_size(copy), sizeof *values);
        rc = values ? merge(adapter, copy, values) : MOPT_ENOMEM;
    }
    if (!rc && adapter->outputs)
        rc = mopt_model_set_transform(copy, adapter->transform);
    moi_free(adapter->ctx, values);
    if (rc)
        mopt_model_free(copy);
    else
        *out = copy;
    return rc;
}

static int32_t check_apply(const mopt_adapter *adapter,
                           const mopt_model *model)
{
    if (adapter->merged)
        return moi_fail(MOPT_ESTATE, "mopt_adapter_apply: the adapter is in a "
                        "model already; remove it first");
    if (!moi_model_ready(model))
        return moi_fail(MOPT_ESTATE, "mopt_adapter_apply: the model's weights "
                        "are not set yet");
    if (moi_model_context(model) != adapter->ctx)
        return moi_fail(MOPT_EINVAL, "mopt_adapter_apply: the adapter and the "
                        "model are of two contexts");
    if (adapter->outputs && moi_model_shared(model))
        return moi_fail(MOPT_ESTATE, "mopt_adapter_apply: the adapter has a "
                        "head of its own, and something else uses the model; "
                        "apply it to a copy");
    return MOPT_OK;
}

int32_t mopt_adapter_apply(mopt_adapter *adapter, mopt_model *model)
{
    mopt_model *copy = NULL;
    int32_t rc;

    if (!adapter || !model)
        return moi_fail_null("mopt_adapter_apply",
                             !adapter ? "adapter" : "model");
    rc = check_apply(adapter, model);
    if (!rc)
        rc = merge_copy(adapter, model, &copy);
    if (rc)
        return rc;
    moi_model_swap(model, copy);
    adapter->before = copy;
    adapter->merged = moi_model_hold(model);
    return MOPT_OK;
}

int32_t mopt_adapter_remove(mopt_adapter *adapter, mopt_model *model)
{
    if (!adapter || !model)
        return moi_fail_null("mopt_adapter_remove",
                             !adapter ? "adapter" : "model");
    if (adapter->merged != model)
        return moi_fail(MOPT_ESTATE, "mopt_adapter_remove: the adapter is not "
                        "merged into this model");
    moi_model_swap(model, adapter->before);
    mopt_model_free(adapter->before);
    adapter->before = NULL;
    mopt_model_free(adapter->merged);
    adapter->merged = NULL;
    return MOPT_OK;
}

/* ---- telling ---- */

int32_t mopt_adapter_describe(const mopt_adapter *adapter, char *buf,
                              size_t cap, size_t *needed)
{
    json_t *doc, *names;
    int64_t params = 0;
    int32_t rc;

    if (!adapter)
        return moi_fail_null("mopt_adapter_describe", "adapter");
    doc = json_object();
    names = json_array();
    rc = doc && names ? MOPT_OK : moi_fail(MOPT_ENOMEM, "no memory for JSON");
    for (int64_t i = 0; !rc && i < adapter->count; i++) {
        const change *c = &adapter->changes[i];

        params += c->b ? (c->out + c->in) * adapter->rank : c->in;
        if (json_array_append_new(names, json_string(c->name)))
            rc = MOPT_ENOMEM;
    }
    if (!rc)
        rc = moi_json_add_int(doc, "rank", adapter->rank);
    if (!rc)
        rc = moi_json_add_number(doc, "scale", adapter->scale);
    if (!rc)
        rc = moi_json_add_int(doc, "params", params);
    if (!rc && adapter->outputs)
        rc = moi_json_add_int(doc, "outputs", adapter->outputs);
    if (!rc)
        rc = moi_json_add(doc, "tensors", json_incref(names));
    json_decref(names);
    if (!rc)
        return moi_json_finish(adapter->ctx, doc, buf, cap, needed);
    json_decref(doc);
    return rc;
}

/* ---- files ---- */

#define NAME_SIZE 300

static void describe_tensor(const mopt_adapter *adapter, const change *c,
                            int32_t second, char *name, moi_tensor *t)
{
    const char *ending = !c->b ? "" : second ? ".lora_B" : ".lora_A";

    snprintf(name, NAME_SIZE, "%.280s%s", c->name, ending);
    *t = (moi_tensor){.name = name, .type = MOPT_F32,
                      .rank = c->b ? 2 : 1,
                      .shape = {c->in},
                      .data = second ? c->b : c->a};
    if (c->b) {
        t->shape[0] = second ? c->out : adapter->rank;
        t->shape[1] = second ? adapter->rank : c->in;
    }
    t->bytes = moi_tensor_count(t) * (int64_t)sizeof(float);
}

static int32_t add_transform(const mopt_adapter *adapter, json_t *texts)
{
    json_t *doc = moi_transform_to_json(adapter->transform);
    char *text = doc ? moi_json_dump(adapter->ctx, doc) : NULL;
    int32_t rc = text ? moi_json_add_text(texts, "transform", text)
                      : MOPT_ENOMEM;

    moi_free(adapter->ctx, text);
    json_decref(doc);
    return rc;
}

static int32_t add_number(json_t *texts, const char *name, double value)
{
    char text[MOI_NUMBER_SIZE];

    moi_number_text(value, text);
    return moi_json_add_text(texts, name, text);
}

static int32_t add_texts(const mopt_adapter *adapter, json_t *texts)
{
    int32_t rc = moi_json_add_text(texts, "format", FORMAT);

    if (!rc)
        rc = add_number(texts, "rank", (double)adapter->rank);
    if (!rc)
        rc = add_number(texts, "scale", adapter->scale);
    if (!rc && adapter->outputs)
        rc = add_number(texts, "outputs", (double)adapter->outputs);
    return rc || !adapter->transform ? rc : add_transform(adapter, texts);
}

int32_t mopt_adapter_save(const mopt_adapter *adapter, const char *path)
{
    moi_tensor *tensors;
    char *names;
    json_t *texts;
    int64_t count = 0;
    int32_t rc;

    if (!adapter || !path)
        return moi_fail_null("mopt_adapter_save",
                             !adapter ? "adapter" : "path");
    tensors = moi_calloc(adapter->ctx, 2 * adapter->count, sizeof *tensors);
    names = moi_calloc(adapter->ctx, 2 * adapter->count, NAME_SIZE);
    texts = json_object();
    rc = tensors && names && texts
             ? add_texts(adapter, texts)
             : moi_fail(MOPT_ENOMEM, "no memory for an adapter");
    for (int64_t i = 0; !rc && i < adapter->count; i++) {
        const change *c = &adapter->changes[i];

        for (int32_t second = 0; second < (c->b ? 2 : 1); second++, count++)
            describe_tensor(adapter, c, second, names + count * NAME_SIZE,
                            &tensors[count]);
    }
    if (!rc)
        rc = moi_safetensors_write(adapter->ctx, path, texts, tensors, count);
    json_decref(texts);
    moi_free(adapter->ctx, names);
    moi_free(adapter->ctx, tensors);
    return rc;
}

/* A positive number in a text of the file. */
static int32_t read_number(const moi_safetensors *file, const char *name,
                           double *out)
{
    const char *text = moi_safetensors_text(file, name);

    if (text && moi_number_parse(text, out) && isfinite(*out))
        return MOPT_OK;
    return moi_fail(MOPT_EFORMAT, "the text '%s' must be a number, not '%.40s'",
                    name, text ? text : "");
}

/* A pair of factors, told by its first one; the second must be there too. */
static int32_t read_pair(const moi_safetensors *file, const moi_tensor *a,
                         mopt_adapter *adapter)
{
    size_t length = strlen(a->name) - strlen(".lora_A");
    char name[NAME_SIZE];
    const moi_tensor *b;
    change *c = NULL;
    int32_t rc;

    if (length + 8 > sizeof name)
        return moi_fail(MOPT_EFORMAT, "the name '%.40s...' is too long",
                        a->name);
    snprintf(name, sizeof name, "%.*s.lora_B", (int)length, a->name);
    b = moi_safetensors_find(file, name);
    if (!b || a->rank != 2 || b->rank != 2 || a->shape[0] != adapter->rank ||
        b->shape[1] != adapter->rank || a->shape[1] < 1 || b->shape[0] < 1)
        return moi_fail(MOPT_EFORMAT, "'%.100s' and '%.100s' must be "
                        "[%lld][..] and [..][%lld]", a->name, name,
                        (long long)adapter->rank, (long long)adapter->rank);
    name[length] = '\0';
    rc = add_change(adapter, name, b->shape[0], a->shape[1], 0, &c);
    if (!rc)
        rc = moi_tensor_floats(a, c->a);
    return rc ? rc : moi_tensor_floats(b, c->b);
}

static int32_t ends_in(const char *name, const char *ending)
{
    size_t length = strlen(name), size = strlen(ending);

    return length > size && !strcmp(name + length - size, ending);
}

/* The second of a pair is read with its first. */
static int32_t check_second(const moi_safetensors *file, const moi_tensor *b)
{
    size_t length = strlen(b->name);
    char name[NAME_SIZE];

    if (length < sizeof name) {
        memcpy(name, b->name, length + 1);
        name[length - 1] = 'A';
        if (moi_safetensors_find(file, name))
            return MOPT_OK;
    }
    return moi_fail(MOPT_EFORMAT, "'%.100s' has no '.lora_A' beside it",
                    b->name);
}

static int32_t read_all(const moi_safetensors *file, mopt_adapter *adapter)
{
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; !rc && i < moi_safetensors_count(file); i++) {
        const moi_tensor *t = moi_safetensors_get(file, i);
        change *c = NULL;

        if (ends_in(t->name, ".lora_B")) {
            rc = check_second(file, t);
            continue;
        }
        if (ends_in(t->name, ".lora_A")) {
            rc = read_pair(file, t, adapter);
            continue;
        }
        rc = add_change(adapter, t->name, 1, moi_tensor_count(t), 1, &c);
        if (!rc)
            rc = moi_tensor_floats(t, c->a);
    }
    return rc;
}

/* A count from 1 to most. */
static int32_t read_count(const moi_safetensors *file, const char *name,
                          int64_t most, int64_t *out)
{
    double value = 0;
    int32_t rc = read_number(file, name, &value);

    if (rc)
        return rc;
    if (value < 1 || value > (double)most || value != floor(value))
        return moi_fail(MOPT_EFORMAT, "%s must be a whole number from 1 to "
                        "%lld", name, (long long)most);
    *out = (int64_t)value;
    return MOPT_OK;
}

static int32_t read_transform(const moi_safetensors *file,
                              mopt_adapter *adapter)
{
    const char *text = moi_safetensors_text(file, "transform");
    json_t *doc = NULL;
    int32_t rc = text ? moi_json_parse(text, &doc) : MOPT_OK;

    if (!rc && doc)
        rc = moi_transform_from_json(adapter->ctx, doc, &adapter->transform);
    json_decref(doc);
    return !rc || rc == MOPT_ENOMEM ? rc
                                    : moi_fail_at(MOPT_EFORMAT, "transform: ");
}

static int32_t read_texts(const moi_safetensors *file, mopt_adapter *adapter)
{
    const char *format = moi_safetensors_text(file, "format");
    int32_t rc;

    if (!format || strcmp(format, FORMAT) != 0)
        return moi_fail(MOPT_EFORMAT, "no adapter: the text 'format' is "
                        "'%.40s', wanted is '" FORMAT "'",
                        format ? format : "");
    rc = read_count(file, "rank", 1000000, &adapter->rank);
    if (!rc)
        rc = read_number(file, "scale", &adapter->scale);
    if (!rc && moi_safetensors_text(file, "outputs"))
        rc = read_count(file, "outputs", INT32_MAX, &adapter->outputs);
    return rc ? rc : read_transform(file, adapter);
}

int32_t mopt_adapter_load(mopt_context *ctx, const char *path,
                          mopt_adapter **out)
{
    moi_safetensors *file = NULL;
    mopt_adapter *adapter = NULL;
    int32_t rc;

    if (!ctx || !path || !out)
        return moi_fail_null("mopt_adapter_load", !ctx    ? "ctx"
                                                  : !path ? "path"
                                                          : "out");
    rc = moi_safetensors_read(ctx, path, &file);
    if (rc)
        return rc;
    rc = create(ctx, 1, 1, &adapter);
    if (!rc)
        rc = read_texts(file, adapter);
    if (!rc)
        rc = read_all(file, adapter);
    if (rc == MOPT_EFORMAT)
        moi_fail_at(rc, "%s: ", path);
    moi_safetensors_free(file);
    if (rc)
        mopt_adapter_free(adapter);
    else
        *out = adapter;
    return rc;
}
