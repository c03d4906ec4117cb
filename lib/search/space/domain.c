/* SPDX-License-Identifier: MIT
 * lib/search/space/domain.c: the values that one parameter may take.
 *
 * Stepped ranges are meant in decimals: [0, 1] by 0.1 has eleven values, and
 * the fourth is 0.3, not 0.30000000000000004. */
#include "search/space/domain.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/status.h"

/* How far, in steps, a value may be from its place (Optuna's rule). */
#define PLACE_SLACK 1e-8

/* a + b without the dust that binary arithmetic leaves behind the 15th digit
 * of the larger. A power of ten up to 1e22 is exact, so the quotient is the
 * nearest double. */
static double decimal_sum(double a, double b)
{
    const double size = fmax(fabs(a), fabs(b));
    double scale, rounded;
    int exponent;

    if (size == 0)
        return 0.0;
    exponent = 14 - (int)floor(log10(size));
    if (exponent < 0 || exponent > 22)
        return a + b;
    scale = pow(10, exponent);
    rounded = nearbyint((a + b) * scale) / scale + 0.0;
    return fabs(rounded - (a + b)) <= 4 * DBL_EPSILON * size ? rounded : a + b;
}

static int32_t fail_bounds(double low, double high)
{
    char a[MOI_NUMBER_SIZE], b[MOI_NUMBER_SIZE];

    return moi_fail(MOPT_EINVAL, "low %s must not be above high %s",
                    moi_number_text(low, a), moi_number_text(high, b));
}

static int32_t fail_value(const char *what, double value, const char *rule)
{
    char number[MOI_NUMBER_SIZE];

    return moi_fail(MOPT_EINVAL, "%s is %s, but %s", what,
                    moi_number_text(value, number), rule);
}

static int32_t check_float(double low, double high, double step, int32_t log)
{
    if (!isfinite(low))
        return fail_value("low", low, "must be finite");
    if (!isfinite(high))
        return fail_value("high", high, "must be finite");
    if (!isfinite(step) || step < 0)
        return fail_value("step", step, "must be positive and finite");
    if (low > high)
        return fail_bounds(low, high);
    if (log && step > 0)
        return moi_fail(MOPT_EINVAL, "step does not go with a logarithmic "
                                     "scale");
    if (log && low <= 0)
        return fail_value("low", low, "a logarithmic scale needs one above 0");
    return MOPT_OK;
}

int32_t moi_domain_float(moi_domain *domain, double low, double high,
                         double step, int32_t log)
{
    moi_domain d = {MOI_DOMAIN_FLOAT, log != 0, low + 0.0, high + 0.0, step,
                    INT64_MAX, NULL};
    double steps;
    int32_t rc = check_float(low, high, step, log);

    if (rc)
        return rc;
    if (step > 0) {
        steps = (high - low) / step;
        if (!(steps < (double)MOI_DOMAIN_LIMIT))
            return fail_value("step", step, "makes more than 2^53 values");
        d.count = (int64_t)floor(steps + PLACE_SLACK) + 1;
        d.high = moi_domain_value(&d, d.count - 1);
    } else if (low == high) {
        d.count = 1;
    }
    *domain = d;
    return MOPT_OK;
}

static int32_t check_int(int64_t low, int64_t high, int64_t step, int32_t log)
{
    const int64_t limit = MOI_DOMAIN_LIMIT;

    if (low < -limit || low > limit)
        return moi_fail(MOPT_EINVAL, "low is %lld, but integers must be "
                        "within 2^53 of 0", (long long)low);
    if (high < -limit || high > limit)
        return moi_fail(MOPT_EINVAL, "high is %lld, but integers must be "
                        "within 2^53 of 0", (long long)high);
    if (step < 1)
        return moi_fail(MOPT_EINVAL, "step is %lld, but must be at least 1",
                        (long long)step);
    if (low > high)
        return fail_bounds((double)low, (double)high);
    if (log && step != 1)
        return moi_fail(MOPT_EINVAL, "step is %lld, but must be 1 on a "
                        "logarithmic scale", (long long)step);
    if (log && low < 1)
        return moi_fail(MOPT_EINVAL, "low is %lld, but a logarithmic scale "
                        "needs at least 1", (long long)low);
    return MOPT_OK;
}

int32_t moi_domain_int(moi_domain *domain, int64_t low, int64_t high,
                       int64_t step, int32_t log)
{
    int64_t steps;
    int32_t rc = check_int(low, high, step, log);

    if (rc)
        return rc;
    /* A step that leaves the range is as good as one that just does. */
    steps = (high - low) / step;
    if (steps == 0)
        step = 1;
    *domain = (moi_domain){MOI_DOMAIN_INT, log != 0, (double)low,
                           (double)(low + steps * step), (double)step,
                           steps + 1, NULL};
    return MOPT_OK;
}

/* A scalar other than a text, as the key of a set: 1 and 1.0 are one. */
static void scalar_key(const json_t *value, char key[MOI_NUMBER_SIZE])
{
    if (json_is_integer(value))
        snprintf(key, MOI_NUMBER_SIZE, "%lld",
                 (long long)json_integer_value(value));
    else if (json_is_real(value) &&
             fabs(json_real_value(value)) <= (double)MOI_DOMAIN_LIMIT &&
             json_real_value(value) == floor(json_real_value(value)))
        snprintf(key, MOI_NUMBER_SIZE, "%lld",
                 (long long)json_real_value(value));
    else if (json_is_real(value))
        moi_number_text(json_real_value(value), key);
    else
        snprintf(key, MOI_NUMBER_SIZE, "%s", json_is_true(value) ? "true"
                 : json_is_false(value) ? "false" : "null");
}

/* Every choice is a scalar, and none stands twice? */
static int32_t check_choices(const json_t *choices, json_t *texts,
                             json_t *others)
{
    char key[MOI_NUMBER_SIZE], excerpt[MOI_EXCERPT_SIZE];
    const json_t *value;
    size_t i;

    json_array_foreach(choices, i, value) {
        const char *name = json_string_value(value);
        json_t *set = name ? texts : others;

        if (json_is_array(value) || json_is_object(value))
            return moi_fail(MOPT_EINVAL, "choice %zu is %s, but must be a "
                            "text, a number, true, false or null", i,
                            moi_json_kind(value));
        if (!name) {
            scalar_key(value, key);
            name = key;
        }
        if (json_object_get(set, name))
            return moi_fail(MOPT_EINVAL, "the choice %s stands there twice",
                            moi_json_excerpt(value, excerpt));
        if (json_object_set_new(set, name, json_true()))
            return moi_fail(MOPT_ENOMEM, "no memory for the choices");
    }
    return MOPT_OK;
}

int32_t moi_domain_choice(moi_domain *domain, json_t *choices)
{
    char excerpt[MOI_EXCERPT_SIZE];
    json_t *texts, *others;
    int32_t rc;

    if (!json_is_array(choices) || json_array_size(choices) == 0)
        return moi_fail(MOPT_EINVAL, "choices must be a JSON array with at "
                        "least one value, not %s",
                        moi_json_excerpt(choices, excerpt));
    texts = json_object();
    others = json_object();
    rc = check_choices(choices, texts, others);
    json_decref(texts);
    json_decref(others);
    if (!rc)
        moi_domain_take_choices(domain, choices);
    return rc;
}

void moi_domain_take_choices(moi_domain *domain, json_t *choices)
{
    const int64_t count = (int64_t)json_array_size(choices);

    *domain = (moi_domain){MOI_DOMAIN_CHOICE, 0, 0, (double)(count - 1), 1,
                           count, json_incref(choices)};
}

void moi_domain_free(moi_domain *domain)
{
    json_decref(domain->choices);
    domain->choices = NULL;
}

double moi_domain_value(const moi_domain *domain, int64_t k)
{
    if (domain->kind != MOI_DOMAIN_FLOAT)
        return domain->low + (double)k * domain->step;
    return k == 0 ? domain->low
                  : decimal_sum(domain->low, (double)k * domain->step);
}

int64_t moi_domain_index(const moi_domain *domain, double value)
{
    double k;

    if (domain->count == INT64_MAX || isnan(value))
        return -1;
    if (domain->step == 0)
        return value == domain->low ? 0 : -1;
    k = (value - domain->low) / domain->step;
    if (!(k > -0.5 && k < (double)domain->count - 0.5))
        return -1;
    if (domain->kind != MOI_DOMAIN_FLOAT)
        return k == floor(k) ? (int64_t)k : -1;
    if (fabs(k - nearbyint(k)) < PLACE_SLACK ||
        value == moi_domain_value(domain, (int64_t)nearbyint(k)))
        return (int64_t)nearbyint(k);
    return -1;
}

int32_t moi_domain_holds(const moi_domain *domain, double value)
{
    if (domain->count == INT64_MAX)
        return value >= domain->low && value <= domain->high;
    return moi_domain_index(domain, value) >= 0;
}

double moi_domain_snap(const moi_domain *domain, double value)
{
    int64_t k = moi_domain_index(domain, value);

    return k < 0 ? value + 0.0 : moi_domain_value(domain, k) + 0.0;
}

json_t *moi_domain_show(const moi_domain *domain, double value)
{
    if (domain->kind == MOI_DOMAIN_FLOAT)
        return isfinite(value) ? json_real(value) : json_null();
    if (domain->kind == MOI_DOMAIN_CHOICE) {
        if (!(value >= 0 && value < (double)domain->count))
            return json_null();
        return json_incref(json_array_get(domain->choices, (size_t)value));
    }
    if (!(fabs(value) <= (double)MOI_DOMAIN_LIMIT))
        return json_null();
    return json_integer((int64_t)value);
}

static int32_t fail_outside(const moi_domain *domain, const json_t *shown)
{
    char excerpt[MOI_EXCERPT_SIZE], allowed[MOI_DOMAIN_TEXT];

    return moi_fail(MOPT_EINVAL, "%s is not one of %s",
                    moi_json_excerpt(shown, excerpt),
                    moi_domain_text(domain, allowed));
}

int32_t moi_domain_read(const moi_domain *domain, const json_t *shown,
                        double *value)
{
    size_t i;
    double v;

    if (domain->kind == MOI_DOMAIN_CHOICE) {
        for (i = 0; i < json_array_size(domain->choices); i++)
            if (moi_scalar_equal(shown, json_array_get(domain->choices, i))) {
                *value = (double)i;
                return MOPT_OK;
            }
        return fail_outside(domain, shown);
    }
    if (!json_is_number(shown))
        return fail_outside(domain, shown);
    v = json_number_value(shown);
    if (!moi_domain_holds(domain, v))
        return fail_outside(domain, shown);
    *value = moi_domain_snap(domain, v);
    return MOPT_OK;
}

int32_t moi_domain_compatible(const moi_domain *a, const moi_domain *b)
{
    size_t i;

    if (a->kind != b->kind || a->log != b->log)
        return 0;
    if (a->kind != MOI_DOMAIN_CHOICE)
        return 1;
    if (a->count != b->count)
        return 0;
    for (i = 0; i < (size_t)a->count; i++)
        if (!moi_scalar_equal(json_array_get(a->choices, i),
                              json_array_get(b->choices, i)))
            return 0;
    return 1;
}

int32_t moi_scalar_equal(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

/* The choices, as many as there is room for. */
static void choices_text(const moi_domain *domain, char *buf, size_t size)
{
    char excerpt[MOI_EXCERPT_SIZE];
    size_t used = 0, i;

    for (i = 0; i < (size_t)domain->count; i++) {
        const json_t *value = json_array_get(domain->choices, i);
        const char *piece = moi_json_excerpt(value, excerpt);

        if (used + strlen(piece) + 8 > size) {
            snprintf(buf + used, size - used, ", ...");
            return;
        }
        used += (size_t)snprintf(buf + used, size - used, "%s%s",
                                 i > 0 ? ", " : "", piece);
    }
}

const char *moi_domain_text(const moi_domain *domain,
                            char buf[MOI_DOMAIN_TEXT])
{
    char low[MOI_NUMBER_SIZE], high[MOI_NUMBER_SIZE], step[MOI_NUMBER_SIZE];

    moi_number_text(domain->low, low);
    moi_number_text(domain->high, high);
    moi_number_text(domain->step, step);
    if (domain->kind == MOI_DOMAIN_CHOICE)
        choices_text(domain, buf, MOI_DOMAIN_TEXT);
    else if (domain->kind == MOI_DOMAIN_INT && domain->step == 1)
        snprintf(buf, MOI_DOMAIN_TEXT, "the integers [%s, %s]", low, high);
    else if (domain->kind == MOI_DOMAIN_INT)
        snprintf(buf, MOI_DOMAIN_TEXT, "the integers [%s, %s] by %s", low,
                 high, step);
    else if (domain->step > 0)
        snprintf(buf, MOI_DOMAIN_TEXT, "[%s, %s] by %s", low, high, step);
    else
        snprintf(buf, MOI_DOMAIN_TEXT, "[%s, %s]", low, high);
    return buf;
}
