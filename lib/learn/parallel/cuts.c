/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/cuts.c: which layers each stage of a pipeline has. */
#include <math.h>
#include <string.h>

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

int32_t moi_cuts_read(mopt_parallel *p, const char *said)
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
    p->cuts[p->stages] = p->layers;
    return rc;
}

/* ---- balanced ---- */

/* Fill stages up to a bound, from the first layer on; none stays empty. Does
 * that come to the end of the layers? */
static int32_t fill(mopt_parallel *p, const double *weight, double bound)
{
    int64_t at = 0;

    for (int32_t s = 0; s < p->stages; s++) {
        int64_t last = p->layers - (p->stages - 1 - s); /* leave one each */
        double sum = weight[at];

        p->cuts[s] = at++;
        for (; at < last && sum + weight[at] <= bound; at++)
            sum += weight[at];
        if (sum > bound)
            return 0;
    }
    return at == p->layers;
}

/* Half the distance to the least bound that will do, until no number lies in
 * between: that is the bound, to the bit. */
void moi_cuts_balance(mopt_parallel *p, const double *weight)
{
    double low = 0, high = 0;

    for (int64_t i = 0; i < p->layers; i++)
        high += weight[i];
    high *= 1 + 1e-9;
    while (nextafter(low, INFINITY) < high) {
        double middle = low + (high - low) / 2;

        if (middle <= low || middle >= high)
            break;
        *(fill(p, weight, middle) ? &high : &low) = middle;
    }
    fill(p, weight, high);
    p->cuts[p->stages] = p->layers;
}
