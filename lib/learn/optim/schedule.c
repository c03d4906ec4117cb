/* SPDX-License-Identifier: MIT
 * lib/learn/optim/schedule.c: the schedules, one table.
 *
 * They agree with PyTorch's classes of these names where it has them. */
#include "learn/optim/schedule.h"

#include <math.h>

#include "base/status.h"

/* With s the step after the warm-up, n the steps of the schedule and e = the
 * whole epochs in s, the rate is multiplied by
 *   constant           1
 *   step               factor^floor(e / every)
 *   exponential        factor^e
 *   cosine             final + (1 - final) (1 + cos(pi s / n)) / 2
 *   one_cycle          up from 1 / start_divisor to 1 in the first part, down
 *                      to 1 / (start_divisor final_divisor) in the rest, along
 *                      cosines (Smith, Topin, arXiv 1708.07120)
 *   reduce_on_plateau  factor^k, k the times that the monitored figure stood
 *                      still for longer than patience epochs
 * and before, over w steps of warm-up, by start + (1 - start) (s + 1) / w of
 * its first value. */

#define WARM_KEYS \
    MOI_FLOAT("warmup", 0, 0, 1e9, "epochs of linear warm-up before"), \
    MOI_FLOAT("warmup_start", 0, 0, 1, "share of the rate it starts from")

#define LENGTH_KEY \
    MOI_FLOAT("length", 0, 0, 1e9, \
              "epochs that it spans, 0: the whole training")

#define FACTOR_KEY(preset, help) \
    {"factor", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN, preset, 0, 1, NULL, NULL, \
     NULL, help}

static void setup_nothing(moi_schedule *s, const moi_options *options)
{
    (void)s, (void)options;
}

/* "length" is in epochs and counts the warm-up in; 0 leaves the training's. */
static void read_length(moi_schedule *s, const moi_options *options)
{
    double epochs = moi_options_float(options, "length");

    if (epochs > 0)
        s->length = (int64_t)ceil(epochs * (double)s->epoch);
}

static double cosine_between(double from, double to, double share)
{
    return to + (from - to) / 2 * (1 + cos(M_PI * share));
}

/* constant */

static const moi_key constant_keys[] = {WARM_KEYS, MOI_KEYS_END};
static const moi_schema constant_schema = {
    "constant", "the same rate throughout", constant_keys};

static double constant_factor(const moi_schedule *s, int64_t step)
{
    (void)s, (void)step;
    return 1;
}

/* step */

static const moi_key step_keys[] = {
    MOI_INT("every", 10, 1, 1e9, "epochs between two reductions"),
    FACTOR_KEY(0.1, "what each reduction multiplies the rate by"),
    WARM_KEYS,
    MOI_KEYS_END,
};
static const moi_schema step_schema = {
    "step", "the rate falls at fixed epochs", step_keys};

static void step_setup(moi_schedule *s, const moi_options *options)
{
    s->every = moi_options_int(options, "every");
    s->factor = moi_options_float(options, "factor");
}

static double step_factor(const moi_schedule *s, int64_t step)
{
    return pow(s->factor, (double)(step / s->epoch / s->every));
}

/* exponential */

static const moi_key exponential_keys[] = {
    FACTOR_KEY(0.95, "what each epoch multiplies the rate by"),
    WARM_KEYS,
    MOI_KEYS_END,
};
static const moi_schema exponential_schema = {
    "exponential", "the rate falls after each epoch", exponential_keys};

static void exponential_setup(moi_schedule *s, const moi_options *options)
{
    s->factor = moi_options_float(options, "factor");
}

static double exponential_factor(const moi_schedule *s, int64_t step)
{
    return pow(s->factor, (double)(step / s->epoch));
}

/* cosine */

static const moi_key cosine_keys[] = {
    MOI_FLOAT("final", 0, 0, 1, "share of the rate that is left at the end"),
    LENGTH_KEY,
    WARM_KEYS,
    MOI_KEYS_END,
};
static const moi_schema cosine_schema = {
    "cosine", "the rate falls along half a cosine", cosine_keys};

static void cosine_setup(moi_schedule *s, const moi_options *options)
{
    s->final = moi_options_float(options, "final");
    read_length(s, options);
}

static double cosine_factor(const moi_schedule *s, int64_t step)
{
    if (step >= s->length)
        return s->final;
    return cosine_between(1, s->final, (double)step / (double)s->length);
}

/* one_cycle */

static const moi_key cycle_keys[] = {
    {"rise", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MIN | MOI_KEY_OPEN_MAX, 0.3, 0, 1,
     NULL, NULL, NULL, "share of the steps in which the rate rises"},
    MOI_FLOAT("start_divisor", 25, 1, 1e12,
              "the rate starts at 1/start_divisor"),
    MOI_FLOAT("final_divisor", 1e4, 1, 1e12,
              "and ends at 1/final_divisor of where it started"),
    MOI_BOOL("cycle_momentum", 1,
             "move momentum (or beta1) against the rate, if there is one"),
    {"momentum_low", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MAX, 0.85, 0, 1, NULL, NULL,
     NULL, "momentum where the rate is highest"},
    {"momentum_high", MOPT_TYPE_FLOAT, MOI_KEY_OPEN_MAX, 0.95, 0, 1, NULL,
     NULL, NULL, "momentum where the rate is lowest"},
    LENGTH_KEY,
    WARM_KEYS,
    MOI_KEYS_END,
};
static const moi_schema cycle_schema = {
    "one_cycle", "the rate rises, then falls to nearly nothing", cycle_keys};

static void cycle_setup(moi_schedule *s, const moi_options *options)
{
    s->rise = moi_options_float(options, "rise");
    s->start_divisor = moi_options_float(options, "start_divisor");
    s->final_divisor = moi_options_float(options, "final_divisor");
    s->cycles = moi_options_bool(options, "cycle_momentum");
    s->low = moi_options_float(options, "momentum_low");
    s->high = moi_options_float(options, "momentum_high");
    read_length(s, options);
}

/* From first to peak to last; the peak is at step rise n - 1, the end at step
 * n - 1 (PyTorch's OneCycleLR). */
static double cycle_value(const moi_schedule *s, int64_t step, double first,
                          double peak, double last)
{
    double end = (double)s->length - 1;
    double top = s->rise * (double)s->length - 1;
    double at = (double)step;

    if (at >= end)
        return last;
    if (at <= top)
        return cosine_between(first, peak, top > 0 ? at / top : 1);
    return cosine_between(peak, last, (at - top) / (end - top));
}

static double cycle_factor(const moi_schedule *s, int64_t step)
{
    double first = 1 / s->start_divisor;

    return cycle_value(s, step, first, 1, first / s->final_divisor);
}

/* reduce_on_plateau */

static const moi_key plateau_keys[] = {
    FACTOR_KEY(0.1, "what each reduction multiplies the rate by"),
    MOI_INT("patience", 10, 0, 1e9,
            "epochs without improvement that are borne"),
    MOI_FLOAT("threshold", 1e-4, 0, 1,
              "relative improvement that counts as one"),
    MOI_INT("cooldown", 0, 0, 1e9, "epochs after a reduction that are free"),
    MOI_FLOAT("final", 0, 0, 1, "share of the rate that is left at least"),
    WARM_KEYS,
    MOI_KEYS_END,
};
static const moi_schema plateau_schema = {
    "reduce_on_plateau", "the rate falls when the monitored figure stands",
    plateau_keys};

static void plateau_setup(moi_schedule *s, const moi_options *options)
{
    s->factor = moi_options_float(options, "factor");
    s->patience = moi_options_int(options, "patience");
    s->threshold = moi_options_float(options, "threshold");
    s->cooldown = moi_options_int(options, "cooldown");
    s->final = moi_options_float(options, "final");
}

static double plateau_factor(const moi_schedule *s, int64_t step)
{
    (void)step;
    return s->plateau.factor;
}

void moi_schedule_report(moi_schedule *s, double value, int32_t direction)
{
    moi_plateau *p = &s->plateau;
    double needed = p->best + direction * s->threshold * fabs(p->best);

    if (s->kind->factor != plateau_factor)
        return;
    p->stale++;
    if (isnan(p->best) || (value - needed) * direction > 0) {
        p->best = value;
        p->stale = 0;
    }
    if (p->cooling > 0) {
        p->cooling--;
        p->stale = 0;
    }
    if (p->stale > s->patience) {
        p->factor = fmax(p->factor * s->factor, s->final);
        p->cooling = s->cooldown;
        p->stale = 0;
    }
}

static const moi_schedule_kind kinds[] = {
    {&constant_schema, setup_nothing, constant_factor},
    {&step_schema, step_setup, step_factor},
    {&exponential_schema, exponential_setup, exponential_factor},
    {&cosine_schema, cosine_setup, cosine_factor},
    {&cycle_schema, cycle_setup, cycle_factor},
    {&plateau_schema, plateau_setup, plateau_factor},
};

const moi_schema *const moi_schedule_schemas[] = {
    &constant_schema, &step_schema,    &exponential_schema,
    &cosine_schema,   &cycle_schema,   &plateau_schema,
    NULL,
};

int32_t moi_schedule_init(moi_schedule *s, const mopt_config *config,
                          int64_t epoch, int64_t steps)
{
    const moi_schema *schema = moi_config_variant(config, "schedule");
    moi_options options = {config, "schedule."};
    int64_t i = 0;

    while (i < MOI_COUNT(kinds) && kinds[i].schema != schema)
        i++;
    if (i == MOI_COUNT(kinds))
        return moi_fail(MOPT_EINTERNAL, "schedule: '%s' is not in the table",
                        schema ? schema->name : "");
    *s = (moi_schedule){.kind = &kinds[i], .epoch = epoch, .length = steps};
    s->plateau = (moi_plateau){.best = NAN, .factor = 1};
    s->warm_start = moi_options_float(&options, "warmup_start");
    s->warm = (int64_t)ceil(moi_options_float(&options, "warmup") *
                            (double)epoch);
    s->kind->setup(s, &options);
    s->length = s->length > s->warm ? s->length - s->warm : 1;
    return MOPT_OK;
}

double moi_schedule_factor(const moi_schedule *s, int64_t step)
{
    double share;

    if (step >= s->warm)
        return s->kind->factor(s, step - s->warm);
    share = (double)(step + 1) / (double)s->warm;
    return (s->warm_start + (1 - s->warm_start) * share) *
           s->kind->factor(s, 0);
}

double moi_schedule_momentum(const moi_schedule *s, int64_t step,
                             double otherwise)
{
    if (!s->cycles)
        return otherwise;
    step = step > s->warm ? step - s->warm : 0;
    return cycle_value(s, step, s->high, s->low, s->high);
}
