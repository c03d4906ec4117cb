/* SPDX-License-Identifier: MIT
 * tests/unit/search/test_space.c: domains, conditions, documents, and the
 * lattice against plain enumeration of random spaces. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kit.h"
#include "search/space/lattice.h"

static mopt_context *ctx;
static mopt_space *space;

static void setup(void)
{
    ctx = kit_begin();
    kit_ok(mopt_space_create(ctx, &space));
}

static void teardown(void)
{
    mopt_space_free(space);
    kit_end(ctx);
}

static int64_t count(void)
{
    int64_t n = -1;

    kit_ok(mopt_space_count(space, &n));
    return n;
}

START_TEST(steps_are_decimal)
{
    const moi_domain *d;
    int64_t k;

    kit_ok(mopt_space_add_float_step(space, "x", 0, 1, 0.1));
    kit_ok(mopt_space_add_float_step(space, "y", -100, 0.05, 0.1));
    kit_ok(mopt_space_add_float_step(space, "z", 0.1, 0.95, 0.2));
    d = &space->params[0].domain;
    ck_assert_int_eq(d->count, 11);
    ck_assert(moi_domain_value(d, 3) == 0.3);
    ck_assert(moi_domain_value(d, 7) == 0.7);
    ck_assert(d->high == 1.0);
    for (k = 0; k < 11; k++)
        ck_assert_int_eq(moi_domain_index(d, moi_domain_value(d, k)), k);
    ck_assert_int_eq(moi_domain_index(d, 0.1 + 0.2), 3);
    ck_assert_int_eq(moi_domain_index(d, 0.25), -1);
    ck_assert_int_eq(moi_domain_index(d, NAN), -1);
    ck_assert_int_eq(moi_domain_index(d, 1.1), -1);
    ck_assert_int_eq(moi_domain_index(d, -0.1), -1);
    d = &space->params[1].domain;
    ck_assert_int_eq(d->count, 1001);
    ck_assert(d->high == 0.0);
    ck_assert(moi_domain_value(d, 999) == -0.1);
    for (k = 0; k < 1001; k++)
        ck_assert(moi_domain_value(d, k) == (double)(k - 1000) / 10);
    d = &space->params[2].domain;
    ck_assert_int_eq(d->count, 5);
    ck_assert(d->high == 0.9);
}
END_TEST

START_TEST(integers_snap_down)
{
    const moi_domain *d;

    kit_ok(mopt_space_add_int(space, "n", 8, 63, 8, MOPT_LINEAR));
    kit_ok(mopt_space_add_int(space, "one", 3, 5, 100, MOPT_LINEAR));
    kit_ok(mopt_space_add_int(space, "all", -((int64_t)1 << 53),
                              (int64_t)1 << 53, 1, MOPT_LINEAR));
    d = &space->params[0].domain;
    ck_assert_int_eq(d->count, 7);
    ck_assert(d->high == 56);
    ck_assert_int_eq(moi_domain_index(d, 20), -1);
    ck_assert_int_eq(moi_domain_index(d, 24), 2);
    ck_assert_int_eq(space->params[1].domain.count, 1);
    ck_assert_int_eq(space->params[2].domain.count,
                     ((int64_t)1 << 54) + 1);
}
END_TEST

START_TEST(misuse)
{
    char buf[8];
    size_t needed;
    int64_t n;
    char long_name[600];
    mopt_space *other = NULL;

    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    kit_fails(mopt_space_create(NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_space_create(ctx, NULL), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(NULL, "x", 0, 1, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(space, NULL, 0, 1, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(space, "", 0, 1, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(space, long_name, 0, 1, 0), MOPT_EINVAL);
    kit_says("512");
    kit_fails(mopt_space_add_float(space, "\xff", 0, 1, 0), MOPT_EINVAL);
    kit_says("UTF-8");
    kit_fails(mopt_space_add_float(space, "x", NAN, 1, 0), MOPT_EINVAL);
    kit_says("x: low is");
    kit_fails(mopt_space_add_float(space, "x", 0, INFINITY, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(space, "x", 2, 1, 0), MOPT_EINVAL);
    kit_says("low 2 must not be above high 1");
    kit_fails(mopt_space_add_float(space, "x", 0, 1, MOPT_LOG), MOPT_EINVAL);
    kit_fails(mopt_space_add_float(space, "x", 0, 1, 2), MOPT_EINVAL);
    kit_says("flags is 2");
    kit_fails(mopt_space_add_float_step(space, "x", 0, 1, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_float_step(space, "x", 0, 1, -1), MOPT_EINVAL);
    kit_fails(mopt_space_add_float_step(space, "x", 0, 1, NAN), MOPT_EINVAL);
    kit_fails(mopt_space_add_float_step(space, "x", -1e308, 1e308, 1),
              MOPT_EINVAL);
    kit_says("2^53");
    kit_fails(mopt_space_add_int(space, "n", 2, 1, 1, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", 1, 2, 0, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", 1, 2, -3, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", 0, 2, 1, MOPT_LOG), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", 1, 9, 2, MOPT_LOG), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", INT64_MIN, 9, 2, 0),
              MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, "n", 1, INT64_MAX, 2, 0),
              MOPT_EINVAL);
    kit_fails(mopt_space_add_int(NULL, "n", 1, 9, 2, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_int(space, NULL, 1, 9, 2, 0), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(NULL, "c", "[1]"), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, NULL, "[1]"), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, "c", NULL), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, "c", "[1"), MOPT_EFORMAT);
    kit_says("line 1");
    kit_fails(mopt_space_add_choice(space, "c", "[]"), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, "c", "{}"), MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, "c", "[1, 2, 1.0]"), MOPT_EINVAL);
    kit_says("twice");
    kit_fails(mopt_space_add_choice(space, "c", "[\"a\", \"a\"]"),
              MOPT_EINVAL);
    kit_fails(mopt_space_add_choice(space, "c", "[[1]]"), MOPT_EINVAL);
    kit_ok(mopt_space_add_choice(space, "c",
                                 "[1, true, \"true\", null, \"null\", 1.5]"));
    kit_fails(mopt_space_add_choice(space, "c", "[1]"), MOPT_EEXIST);
    kit_fails(mopt_space_count(NULL, &n), MOPT_EINVAL);
    kit_fails(mopt_space_count(space, NULL), MOPT_EINVAL);
    kit_fails(mopt_space_to_json(NULL, buf, 8, &needed), MOPT_EINVAL);
    kit_fails(mopt_space_to_json(space, buf, 8, &needed), MOPT_ERANGE);
    ck_assert_uint_gt(needed, 8);
    kit_fails(mopt_space_from_json(NULL, "{}", &other), MOPT_EINVAL);
    kit_fails(mopt_space_from_json(ctx, NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_space_from_json(ctx, "{}", NULL), MOPT_EINVAL);
    ck_assert_ptr_null(other);
    mopt_space_free(NULL);
}
END_TEST

START_TEST(condition_misuse)
{
    kit_ok(mopt_space_add_int(space, "layers", 1, 3, 1, 0));
    kit_ok(mopt_space_add_choice(space, "act", "[\"relu\", \"tanh\"]"));
    kit_ok(mopt_space_add_choice(space, "size", "[8, 16, 32]"));
    kit_ok(mopt_space_add_float(space, "x", 0, 1, 0));
#define WHEN(name, parent, values) \
    mopt_space_add_condition(space, name, parent, values)
    kit_fails(mopt_space_add_condition(NULL, "x", "act", "1"), MOPT_EINVAL);
    kit_fails(WHEN(NULL, "act", "1"), MOPT_EINVAL);
    kit_fails(WHEN("x", NULL, "1"), MOPT_EINVAL);
    kit_fails(WHEN("x", "act", NULL), MOPT_EINVAL);
    kit_fails(WHEN("y", "act", "1"), MOPT_EKEY);
    kit_fails(WHEN("x", "layer", "1"), MOPT_EKEY);
    kit_says("did you mean 'layers'");
    kit_fails(WHEN("layers", "x", "1"), MOPT_EINVAL);
    kit_says("before");
    kit_fails(WHEN("x", "x", "1"), MOPT_EINVAL);
    kit_fails(WHEN("x", "act", "\"gelu\""), MOPT_EINVAL);
    kit_says("\"relu\", \"tanh\"");
    kit_fails(WHEN("x", "act", "{\"min\": 1}"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "4"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "[]"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "{}"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "{\"mim\": 1}"), MOPT_EKEY);
    kit_fails(WHEN("x", "layers", "{\"min\": \"a\"}"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "{\"min\": 4}"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "{\"min\": 2, \"max\": 1}"), MOPT_EINVAL);
    kit_fails(WHEN("x", "layers", "nope"), MOPT_EFORMAT);
    ck_assert_int_eq(space->params[3].count, 0);
    /* Narrowing, and what leaves nothing. */
    kit_ok(WHEN("x", "layers", "{\"min\": 2}"));
    kit_fails(WHEN("x", "layers", "1"), MOPT_EINVAL);
    kit_says("no value is left");
    kit_ok(WHEN("x", "layers", "[1, 2, 3]"));
    kit_fails(WHEN("x", "layers", "{\"max\": 1}"), MOPT_EINVAL);
    kit_ok(WHEN("x", "layers", "{\"max\": 2}"));
    ck_assert_int_eq(space->params[3].count, 1);
    ck_assert_int_eq(space->params[3].conditions[0].count, 1);
    kit_ok(WHEN("x", "size", "{\"min\": 10}"));
    ck_assert_int_eq(space->params[3].conditions[1].count, 2);
}
END_TEST

/* The example of the header. */
static const char example[] =
    "{\"lr\": {\"float\": [0.0001, 0.1], \"log\": true}, "
    "\"layers\": {\"int\": [1, 3]}, "
    "\"act\": {\"choice\": [\"relu\", \"tanh\", null, true, 2, 0.5]}, "
    "\"units.1\": {\"int\": [8, 64], \"step\": 8, "
    "\"when\": {\"layers\": {\"min\": 2.0}}}, "
    "\"drop\": {\"float\": [0.0, 0.5], \"step\": 0.1, "
    "\"when\": {\"layers\": [1, 3], \"act\": \"relu\"}}}";

START_TEST(json_both_ways)
{
    mopt_space *back = NULL;
    char buf[1000];
    size_t needed;

    mopt_space_free(space);
    kit_ok(mopt_space_from_json(ctx, example, &space));
    kit_ok(mopt_space_to_json(space, buf, sizeof(buf), &needed));
    ck_assert_str_eq(buf, example);
    ck_assert_uint_eq(needed, strlen(example) + 1);
    kit_ok(mopt_space_from_json(ctx, buf, &back));
    ck_assert_int_eq(back->count, 5);
    ck_assert_int_eq(back->params[4].count, 2);
    mopt_space_free(back);
    back = NULL;
    kit_ok(moi_space_copy(space, &back));
    kit_ok(mopt_space_to_json(back, buf, sizeof(buf), &needed));
    ck_assert_str_eq(buf, example);
    mopt_space_free(back);
}
END_TEST

START_TEST(json_order_and_circles)
{
    mopt_space *s = NULL;

    kit_ok(mopt_space_from_json(
        ctx,
        "{\"c\": {\"int\": [1, 2], \"when\": {\"b\": 1}},"
        " \"b\": {\"int\": [1, 2], \"when\": {\"a\": 1}},"
        " \"a\": {\"int\": [1, 2]}}", &s));
    ck_assert_str_eq(s->params[0].name, "a");
    ck_assert_str_eq(s->params[1].name, "b");
    ck_assert_str_eq(s->params[2].name, "c");
    mopt_space_free(s);
    kit_fails(mopt_space_from_json(
                  ctx, "{\"a\": {\"int\": [1, 2], \"when\": {\"b\": 1}},"
                       " \"b\": {\"int\": [1, 2], \"when\": {\"a\": 1}}}", &s),
              MOPT_EINVAL);
    kit_says("circle");
}
END_TEST

START_TEST(json_errors_name_the_place)
{
    static const struct {
        const char *json;
        int32_t code;
        const char *says;
    } cases[] = {
        {"[", MOPT_EFORMAT, "line 1"},
        {"[]", MOPT_EINVAL, "not an array"},
        {"3", MOPT_EINVAL, "not an integer"},
        {"{\"a\": 3}", MOPT_EINVAL, "a: a domain is"},
        {"{\"a\": {}}", MOPT_EINVAL, "a: a domain is"},
        {"{\"a\": {\"int\": 3}}", MOPT_EINVAL, "a: int is 3"},
        {"{\"a\": {\"int\": [1]}}", MOPT_EINVAL, "[low, high]"},
        {"{\"a\": {\"int\": [1, 2.5]}}", MOPT_EINVAL, "high is 2.5"},
        {"{\"a\": {\"int\": [1, \"b\"]}}", MOPT_EINVAL, "high is"},
        {"{\"a\": {\"float\": [1, 0]}}", MOPT_EINVAL, "a: low 1 must not"},
        {"{\"a\": {\"float\": [0, 1], \"log\": true}}", MOPT_EINVAL, "a: low"},
        {"{\"a\": {\"float\": [0, 1], \"log\": 1}}", MOPT_EINVAL, "log is 1"},
        {"{\"a\": {\"float\": [0, 1], \"step\": 0}}", MOPT_EINVAL, "step"},
        {"{\"a\": {\"float\": [0, 1], \"stepp\": 1}}", MOPT_EKEY,
         "did you mean 'step'"},
        {"{\"a\": {\"float\": [0, 1], \"int\": [1, 2]}}", MOPT_EINVAL,
         "one of"},
        {"{\"a\": {\"choice\": [1], \"log\": true}}", MOPT_EINVAL,
         "does not go"},
        {"{\"a\": {\"choice\": 1}}", MOPT_EINVAL, "a: choices"},
        {"{\"a\": {\"choice\": [1], \"when\": 2}}", MOPT_EINVAL, "a.when"},
        {"{\"a\": {\"choice\": [1], \"when\": {\"b\": 2}}}", MOPT_EKEY,
         "a.when.b: no parameter 'b'"},
        {"{\"b\": {\"choice\": [1, 2]}, "
         "\"a\": {\"choice\": [1], \"when\": {\"b\": 3}}}", MOPT_EINVAL,
         "a.when.b: 3 is not one of 1, 2"},
        {"{\"\": {\"choice\": [1]}}", MOPT_EINVAL, "empty"},
    };
    mopt_space *s = NULL;

    kit_fails(mopt_space_from_json(ctx, cases[_i].json, &s), cases[_i].code);
    kit_says(cases[_i].says);
    ck_assert_ptr_null(s);
}
END_TEST

START_TEST(deep_and_wide_documents)
{
    /* A chain is followed up to a limit; wide spaces too. */
    const int32_t depth = 20000;
    char *json = malloc((size_t)depth * 80), *at = json;
    mopt_space *s = NULL;
    int32_t i;

    ck_assert_ptr_nonnull(json);
    at += sprintf(at, "{");
    for (i = 0; i < depth; i++)
        at += sprintf(at, "\"p%d\": {\"int\": [1, 2], "
                      "\"when\": {\"p%d\": 1}}, ", i, i + 1);
    sprintf(at, "\"p%d\": {\"int\": [1, 2]}}", depth);
    kit_fails(mopt_space_from_json(ctx, json, &s), MOPT_ERANGE);
    at = json + sprintf(json, "{\"x\": {\"int\": [1, 2]}");
    for (i = 0; i < depth; i++)
        at += sprintf(at, ", \"p%d\": {\"int\": [1, 2]}", i);
    sprintf(at, "}");
    kit_fails(mopt_space_from_json(ctx, json, &s), MOPT_ERANGE);
    kit_says("at most");
    free(json);
}
END_TEST

START_TEST(counting)
{
    int64_t i;
    char name[16];

    ck_assert_int_eq(count(), 1); /* the empty space has one point */
    kit_ok(mopt_space_add_int(space, "layers", 1, 3, 1, 0));
    kit_ok(mopt_space_add_choice(space, "act", "[\"a\", \"b\"]"));
    ck_assert_int_eq(count(), 6);
    /* units.i exists when layers >= i: 8 + 64 + 512 ways, times act. */
    for (i = 1; i <= 3; i++) {
        char when[32];

        snprintf(name, sizeof(name), "units.%d", (int)i);
        snprintf(when, sizeof(when), "{\"min\": %d}", (int)i);
        kit_ok(mopt_space_add_int(space, name, 8, 64, 8, 0));
        kit_ok(mopt_space_add_condition(space, name, "layers", when));
    }
    ck_assert_int_eq(count(), (8 + 64 + 512) * 2);
    /* A continuous range somewhere makes it endless; one of a single value
     * does not. */
    kit_ok(mopt_space_add_float(space, "fixed", 0.5, 0.5, 0));
    ck_assert_int_eq(count(), (8 + 64 + 512) * 2);
    kit_ok(mopt_space_add_float(space, "lr", 0.1, 0.5, 0));
    kit_ok(mopt_space_add_condition(space, "lr", "act", "\"b\""));
    ck_assert_int_eq(count(), INT64_MAX);
}
END_TEST

START_TEST(counting_overflows)
{
    char name[16];
    int32_t i;

    for (i = 0; i < 62; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        kit_ok(mopt_space_add_int(space, name, 0, 1, 1, 0));
    }
    ck_assert_int_eq(count(), (int64_t)1 << 62);
    kit_ok(mopt_space_add_int(space, "last", 0, 1, 1, 0));
    ck_assert_int_eq(count(), INT64_MAX);
}
END_TEST

START_TEST(entangled_conditions_end)
{
    /* Forty parents, and children that each hang on many of them. */
    char name[16], parent[16];
    int64_t n;
    int32_t i, j, rc;

    for (i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        kit_ok(mopt_space_add_int(space, name, 0, 3, 1, 0));
    }
    for (i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        kit_ok(mopt_space_add_int(space, name, 0, 3, 1, 0));
        for (j = 0; j < 3; j++) {
            snprintf(parent, sizeof(parent), "p%d", (i * 7 + j * 11) % 40);
            kit_ok(mopt_space_add_condition(space, name, parent,
                                            "{\"min\": 1}"));
        }
    }
    rc = mopt_space_count(space, &n);
    ck_assert(rc == MOPT_OK || rc == MOPT_ERANGE);
}
END_TEST

/* ---- the lattice against enumeration ---- */

static moi_rng rng;

static int64_t below(int64_t n)
{
    return (int64_t)moi_rng_below(&rng, (uint64_t)n);
}

/* A random space of 1 to 7 parameters with random conditions; trees when
 * parents is 1, else up to that many parents. */
static void random_space(int64_t parents)
{
    const int64_t n = 1 + below(7);
    char name[16], parent[16], text[64];
    int64_t i, j;

    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "p%d", (int)i);
        switch (below(4)) {
        case 0:
            kit_ok(mopt_space_add_int(space, name, 0, below(4), 1, 0));
            break;
        case 1:
            kit_ok(mopt_space_add_choice(space, name, "[0, 1, 2]"));
            break;
        case 2:
            kit_ok(mopt_space_add_float_step(space, name, 0, 3, 1));
            break;
        default:
            kit_ok(mopt_space_add_float(space, name, 0, 2, 0));
        }
        for (j = 0; i > 0 && j < parents; j++) {
            if (below(3) == 0)
                continue;
            snprintf(parent, sizeof(parent), "p%d", (int)below(i));
            if (below(2))
                snprintf(text, sizeof(text), "{\"min\": %d, \"max\": %d}",
                         (int)below(2), 1 + (int)below(2));
            else
                snprintf(text, sizeof(text), "[0, %d]", (int)below(3));
            /* Some are not possible; then they are not there. */
            (void)mopt_space_add_condition(space, name, parent, text);
        }
    }
}

/* Values of the p-th parameter when continuous ranges give three. */
static int64_t values(int64_t p)
{
    const int64_t n = space->params[p].domain.count;

    return n == INT64_MAX ? 3 : n;
}

static double value(int64_t p, int64_t k)
{
    const moi_domain *d = &space->params[p].domain;

    return d->count == INT64_MAX ? d->low + (d->high - d->low) * (double)k / 2
                                 : moi_domain_value(d, k);
}

/* Walk all points depth first, counting; each must be point `number` of a set
 * that has not been seen. */
static int64_t enumerate(int64_t p, double *point, double *all, int64_t n)
{
    int64_t k;

    if (p == space->count) {
        if (all)
            memcpy(all + n * space->count, point,
                   (size_t)space->count * sizeof(double));
        return n + 1;
    }
    if (!moi_space_exists(space, p, point)) {
        point[p] = NAN;
        return enumerate(p + 1, point, all, n);
    }
    for (k = 0; k < values(p); k++) {
        point[p] = value(p, k);
        n = enumerate(p + 1, point, all, n);
    }
    return n;
}

static size_t point_size;

static int order(const void *a, const void *b)
{
    return memcmp(a, b, point_size);
}

/* NaN and -0 in one form, so that points compare as bytes. */
static void plain(double *all, int64_t n)
{
    int64_t i;

    for (i = 0; i < n; i++)
        all[i] = isnan(all[i]) ? -7.0 : all[i] + 0.0;
}

START_TEST(lattice_is_exhaustive)
{
    int64_t round, n, i;
    double point[8], *want, *got;
    moi_lattice *lattice;

    moi_rng_init(&rng, 99, (uint32_t)_i, MOI_RNG_SAMPLE, 0);
    for (round = 0; round < 400; round++) {
        random_space(_i);
        n = enumerate(0, point, NULL, 0);
        kit_ok(moi_lattice_create(space, 3, &lattice));
        ck_assert_int_eq(moi_lattice_count(lattice), n);
        point_size = (size_t)space->count * sizeof(double);
        want = malloc((size_t)n * point_size);
        got = malloc((size_t)n * point_size);
        enumerate(0, point, want, 0);
        for (i = 0; i < n; i++) {
            moi_lattice_point(lattice, i, got + i * space->count);
            /* Without conditions the order is that of nested loops. */
            if (_i == 0)
                ck_assert_mem_eq(want + i * space->count,
                                 got + i * space->count, point_size);
        }
        plain(want, n * space->count);
        plain(got, n * space->count);
        qsort(want, (size_t)n, point_size, order);
        qsort(got, (size_t)n, point_size, order);
        ck_assert_mem_eq(want, got, (size_t)n * point_size);
        free(want);
        free(got);
        moi_lattice_free(lattice);
        mopt_space_free(space);
        space = NULL;
        kit_ok(mopt_space_create(ctx, &space));
    }
}
END_TEST

START_TEST(lattice_points_of_ranges)
{
    moi_lattice *lattice;
    double point[2];

    kit_ok(mopt_space_add_float(space, "lr", 1e-4, 1e-2, MOPT_LOG));
    kit_ok(mopt_space_add_float(space, "x", -1, 1, 0));
    kit_ok(moi_lattice_create(space, 3, &lattice));
    ck_assert_int_eq(moi_lattice_count(lattice), 9);
    moi_lattice_point(lattice, 0, point);
    ck_assert(point[0] == 1e-4 && point[1] == -1);
    moi_lattice_point(lattice, 4, point);
    ck_assert_double_eq_tol(point[0], 1e-3, 1e-17);
    ck_assert(point[1] == 0);
    moi_lattice_point(lattice, 8, point);
    ck_assert(point[0] == 1e-2 && point[1] == 1);
    moi_lattice_free(lattice);
    kit_ok(moi_lattice_create(space, 1, &lattice));
    moi_lattice_point(lattice, 0, point);
    ck_assert(point[1] == 0);
    moi_lattice_free(lattice);
}
END_TEST

/* ---- distributions ---- */

START_TEST(distributions)
{
    static const struct {
        const char *read, *written; /* NULL: refused */
    } cases[] = {
        {"{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
         "\"low\": 0.0, \"high\": 1.0, \"log\": false}}", "same"},
        {"{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": 0.25, "
         "\"low\": 0.0, \"high\": 1.0, \"log\": false}}", "same"},
        {"{\"name\": \"IntDistribution\", \"attributes\": {\"log\": true, "
         "\"step\": 1, \"low\": 1, \"high\": 10}}", "same"},
        {"{\"name\": \"CategoricalDistribution\", \"attributes\": "
         "{\"choices\": [\"a\", 1, null, true, 2.5]}}", "same"},
        {"{\"name\": \"CategoricalDistribution\", \"attributes\": "
         "{\"choices\": [\"a\", \"a\"]}}", "same"},
        {"{\"name\": \"UniformDistribution\", "
         "\"attributes\": {\"low\": 0, \"high\": 1}}",
         "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
         "\"low\": 0.0, \"high\": 1.0, \"log\": false}}"},
        {"{\"name\": \"LogUniformDistribution\", "
         "\"attributes\": {\"low\": 1, \"high\": 2}}",
         "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
         "\"low\": 1.0, \"high\": 2.0, \"log\": true}}"},
        {"{\"name\": \"DiscreteUniformDistribution\", "
         "\"attributes\": {\"low\": 0, \"high\": 1, \"q\": 0.5}}",
         "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": 0.5, "
         "\"low\": 0.0, \"high\": 1.0, \"log\": false}}"},
        {"{\"name\": \"IntUniformDistribution\", "
         "\"attributes\": {\"low\": 0, \"high\": 9, \"step\": 3}}",
         "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, "
         "\"step\": 3, \"low\": 0, \"high\": 9}}"},
        {"{\"name\": \"IntLogUniformDistribution\", "
         "\"attributes\": {\"low\": 1, \"high\": 9, \"step\": 1}}",
         "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": true, "
         "\"step\": 1, \"low\": 1, \"high\": 9}}"},
        {"{\"type\": \"float\", \"low\": 0, \"high\": 1}",
         "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
         "\"low\": 0.0, \"high\": 1.0, \"log\": false}}"},
        {"{\"type\": \"int\", \"low\": 0, \"high\": 1}",
         "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, "
         "\"step\": 1, \"low\": 0, \"high\": 1}}"},
        {"{\"type\": \"categorical\", \"choices\": [1]}",
         "{\"name\": \"CategoricalDistribution\", \"attributes\": "
         "{\"choices\": [1]}}"},
        {"", NULL},
        {"[]", NULL},
        {"{}", NULL},
        {"{\"name\": 3}", NULL},
        {"{\"name\": \"Distribution\"}", NULL},
        {"{\"name\": \"FloatDistribution\"}", NULL},
        {"{\"name\": \"FloatDistribution\", \"attributes\": 3}", NULL},
        {"{\"name\": \"floatDistribution\", \"attributes\": {}}", NULL},
        {"{\"name\": \"IntDistribution\", \"attributes\": "
         "{\"low\": 0.5, \"high\": 1}}", NULL},
        {"{\"name\": \"IntDistribution\", \"attributes\": "
         "{\"low\": 0, \"high\": 1e300}}", NULL},
        {"{\"name\": \"FloatDistribution\", \"attributes\": "
         "{\"low\": 2, \"high\": 1}}", NULL},
        {"{\"name\": \"CategoricalDistribution\", \"attributes\": "
         "{\"choices\": []}}", NULL},
        {"{\"name\": \"CategoricalDistribution\", \"attributes\": "
         "{\"choices\": {}}}", NULL},
    };
    moi_domain domain = {0};
    char *text;

    if (!cases[_i].written) {
        kit_fails(moi_distribution_read(cases[_i].read, &domain),
                  MOPT_EFORMAT);
        return;
    }
    kit_ok(moi_distribution_read(cases[_i].read, &domain));
    text = moi_distribution_write(ctx, &domain);
    ck_assert_str_eq(text, strcmp(cases[_i].written, "same") == 0
                               ? cases[_i].read
                               : cases[_i].written);
    moi_free(ctx, text);
    moi_domain_free(&domain);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("space");
    TCase *tc = tcase_create("space");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, steps_are_decimal);
    tcase_add_test(tc, integers_snap_down);
    tcase_add_test(tc, misuse);
    tcase_add_test(tc, condition_misuse);
    tcase_add_test(tc, json_both_ways);
    tcase_add_test(tc, json_order_and_circles);
    tcase_add_loop_test(tc, json_errors_name_the_place, 0, 21);
    tcase_add_test(tc, deep_and_wide_documents);
    tcase_add_test(tc, counting);
    tcase_add_test(tc, counting_overflows);
    tcase_add_test(tc, entangled_conditions_end);
    tcase_add_loop_test(tc, lattice_is_exhaustive, 0, 4);
    tcase_add_test(tc, lattice_points_of_ranges);
    tcase_add_loop_test(tc, distributions, 0, 26);
    suite_add_tcase(suite, tc);
    return suite;
}
