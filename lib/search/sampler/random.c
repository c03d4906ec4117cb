/* SPDX-License-Identifier: MIT
 * lib/search/sampler/random.c: independent draws.
 *
 * Each value has a stream of its own, keyed by seed, trial and name: whoever
 * asks, in whatever order, gets the same value. Scales and steps are as
 * Optuna's transforms have them: an integer on a logarithmic scale is a real
 * of [log(low - 1/2), log(high + 1/2)], rounded. */
#include <math.h>

#include "base/rng.h"
#include "search/sampler/sampler.h"

static double draw_log_int(const moi_domain *domain, moi_rng *rng)
{
    const double low = log(domain->low - 0.5), high = log(domain->high + 0.5);
    const double value = nearbyint(
        exp(low + moi_rng_uniform(rng) * (high - low)));

    return fmin(fmax(value, domain->low), domain->high);
}

static double draw_float(const moi_domain *domain, moi_rng *rng)
{
    const double u = moi_rng_uniform(rng);
    double value;

    if (domain->log)
        value = exp(log(domain->low) * (1 - u) + log(domain->high) * u);
    else
        value = domain->low * (1 - u) + domain->high * u;
    return fmin(fmax(value, domain->low), domain->high);
}

double moi_random_value(const moi_ask *ask, int64_t p)
{
    const moi_param *param = &ask->space->params[p];
    const moi_domain *domain = &param->domain;
    moi_rng rng;

    moi_rng_init(&rng, ask->seed ^ param->hash, (uint32_t)ask->number,
                 MOI_RNG_SAMPLE, (uint32_t)(param->hash >> 32));
    /* An attempt has its own piece of the stream, longer than any draw. */
    moi_rng_seek(&rng, ((uint64_t)ask->number >> 32 << 48) |
                           (uint64_t)ask->attempt << 16);
    if (domain->kind == MOI_DOMAIN_INT && domain->log)
        return draw_log_int(domain, &rng);
    if (domain->count == INT64_MAX)
        return draw_float(domain, &rng) + 0.0;
    return moi_domain_value(
        domain, (int64_t)moi_rng_below(&rng, (uint64_t)domain->count));
}

void moi_random_point(const moi_ask *ask, double *point)
{
    int64_t p;

    for (p = 0; p < ask->space->count; p++) {
        if (!moi_space_exists(ask->space, p, point))
            point[p] = NAN;
        else if (!isnan(ask->fixed[p]))
            point[p] = ask->fixed[p];
        else
            point[p] = moi_random_value(ask, p);
    }
}

static int32_t propose(void *state, const moi_ask *ask, double *point)
{
    (void)state;
    moi_random_point(ask, point);
    return MOPT_OK;
}

static const moi_key keys[] = {MOI_KEYS_END};

const moi_schema moi_sampler_random_schema = {
    "random", "draws every parameter independently", keys};

extern const moi_sampler_kind moi_sampler_random;
const moi_sampler_kind moi_sampler_random = {
    &moi_sampler_random_schema, 0, 1, NULL, NULL, propose};
