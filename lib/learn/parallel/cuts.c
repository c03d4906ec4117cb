/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/cuts.c: which layers each stage of a pipeline has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "learn/parallel/parallel.h"

/* ---- by hand ---- */

/* Read the next number of a list; *said moves behind it and its comma. */
static int32_t read_cut(const char **said, int64_t *out)
{
    char word[MOI_NUMBER_SIZE];
    size_t length = strcspn(*said, ",");

    if (length >= sizeof word)
        return 0;
    memcpy(word, *said, length);
    word[length] = '\0';
    if (!moi_number_parse_int(word, out))
        return 0;
    *said += length;
    *said += **said == ',' && (*said)[1] != '\0';
    return 1;
}

static int32_t fail(const char *said, const char *why)
{
    return moi_fail(MOPT_EINVAL, "cuts: '%.40s' %s; wanted are the layers that "
                    "stages begin with, ascending from 0, as in '0,2,4'",
                    said, why);
}

int32_t moi_cuts_count(const char *said, int64_t *count)
{
    const char *at = said;
    int64_t cut, last = -1;

    for (*count = 0; *at != '\0'; ++*count, last = cut) {
        if (!read_cut(&at, &cut))
            return fail(said, "is no list of numbers");
        if (*count == 0 && cut != 0)
            return fail(said, "does not begin with 0");
        if (cut <= last)
            return fail(said, "does not ascend");
    }
    return MOPT_OK;
}

static int32_t read_cuts(mopt_parallel *p, const char *said)
{
    const char *at = said;
    int64_t count;
    int32_t rc = moi_cuts_count(said, &count);

    if (!rc && count != p->stages)
        rc = moi_fail(MOPT_EINVAL, "cuts: %lld stages in '%.40s', pipeline is "
                      "%d", (long long)count, said, (int)p->stages);
    for (int64_t i = 0; !rc && i < count; i++) {
        read_cut(&at, &p->cuts[i]);
        if (p->cuts[i] >= p->layers)
            rc = moi_fail(MOPT_EINVAL, "cuts: there is no layer %lld; the last "
                          "of the model is %lld", (long long)p->cuts[i],
                          (long long)p->layers - 1);
    }
    return rc;
}

/* ---- balanced ---- */

/* best[s][n]: how long the slowest of s stages takes, if they share the first
 * n layers as well as can be; from[s][n]: where the last of them begins. */
typedef struct balance {
    int64_t layers;
    double *before; /* [layers + 1], cost of all layers before one */
    double *best;
    int64_t *from;
} balance;

static void extend(balance *b, int64_t stage)
{
    int64_t width = b->layers + 1;
    const double *last = b->best + (stage - 1) * width;

    for (int64_t n = stage; n <= b->layers; n++) {
        double *best = &b->best[stage * width + n];

        *best = INFINITY;
        for (int64_t first = stage - 1; first < n; first++) {
            double own = b->before[n] - b->before[first];
            double most = own > last[first] ? own : last[first];

            if (most < *best) {
                *best = most;
                b->from[stage * width + n] = first;
            }
        }
    }
}

static void solve(balance *b, const mopt_parallel *p)
{
    b->before[0] = 0;
    for (int64_t i = 0; i < p->layers; i++)
        b->before[i + 1] = b->before[i] + (double)p->flops[i];
    for (int64_t n = 0; n <= b->layers; n++)
        b->best[n] = n == 0 ? 0 : INFINITY;
    for (int64_t stage = 1; stage <= p->stages; stage++)
        extend(b, stage);
    for (int64_t stage = p->stages, n = p->layers; stage > 0; stage--) {
        n = b->from[stage * (p->layers + 1) + n];
        p->cuts[stage - 1] = n;
    }
}

static int32_t balance_stages(mopt_parallel *p)
{
    int64_t cells = (p->stages + 1) * (p->layers + 1);
    balance b = {.layers = p->layers};
    int32_t rc = MOPT_ENOMEM;

    b.before = moi_alloc(p->ctx, p->layers + 1, sizeof *b.before);
    b.best = moi_alloc(p->ctx, cells, sizeof *b.best);
    b.from = moi_alloc(p->ctx, cells, sizeof *b.from);
    if (b.before && b.best && b.from) {
        solve(&b, p);
        rc = MOPT_OK;
    }
    moi_free(p->ctx, b.before);
    moi_free(p->ctx, b.best);
    moi_free(p->ctx, b.from);
    return rc;
}

int32_t moi_cuts_choose(mopt_parallel *p, const char *said)
{
    p->cuts = moi_alloc(p->ctx, p->stages + 1, sizeof *p->cuts);
    if (!p->cuts)
        return MOPT_ENOMEM;
    p->cuts[p->stages] = p->layers;
    return *said ? read_cuts(p, said) : balance_stages(p);
}
