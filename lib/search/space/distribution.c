/* SPDX-License-Identifier: MIT
 * lib/search/space/distribution.c: domains as Optuna writes them.
 *
 * Written in the long form alone, since optuna-dashboard knows no other. Read
 * in every form that Optuna has written since 1.0. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "search/space/domain.h"

/* The attributes in the order in which Optuna has them. */
static json_t *show_attributes(const moi_domain *domain)
{
    if (domain->kind == MOI_DOMAIN_CHOICE)
        return json_pack("{s:O}", "choices", domain->choices);
    if (domain->kind == MOI_DOMAIN_INT)
        return json_pack("{s:b, s:I, s:I, s:I}", "log", (int)domain->log,
                         "step", (json_int_t)domain->step, "low",
                         (json_int_t)domain->low, "high",
                         (json_int_t)domain->high);
    return json_pack("{s:o, s:f, s:f, s:b}", "step",
                     domain->step > 0 ? json_real(domain->step) : json_null(),
                     "low", domain->low, "high", domain->high, "log",
                     (int)domain->log);
}

char *moi_distribution_write(mopt_context *ctx, const moi_domain *domain)
{
    static const char *const names[] = {
        "FloatDistribution", "IntDistribution", "CategoricalDistribution"};
    json_t *document = json_pack("{s:s, s:o}", "name", names[domain->kind],
                                 "attributes", show_attributes(domain));
    char *text = NULL;

    if (document)
        text = moi_json_dump(ctx, document);
    else
        moi_fail(MOPT_ENOMEM, "no memory for a distribution");
    json_decref(document);
    return text;
}

/* How the classes map on our kinds. The name without "Distribution" at its
 * end, or the short form's type. */
static const struct {
    const char *name;
    int32_t kind;
    int32_t log;      /* -1: an attribute says */
    const char *step; /* the attribute of the step, NULL: none */
} classes[] = {
    {"Float", MOI_DOMAIN_FLOAT, -1, "step"},
    {"Int", MOI_DOMAIN_INT, -1, "step"},
    {"Categorical", MOI_DOMAIN_CHOICE, 0, NULL},
    {"Uniform", MOI_DOMAIN_FLOAT, 0, NULL},
    {"LogUniform", MOI_DOMAIN_FLOAT, 1, NULL},
    {"DiscreteUniform", MOI_DOMAIN_FLOAT, 0, "q"},
    {"IntUniform", MOI_DOMAIN_INT, 0, "step"},
    {"IntLogUniform", MOI_DOMAIN_INT, 1, NULL},
    {"float", MOI_DOMAIN_FLOAT, -1, "step"},
    {"int", MOI_DOMAIN_INT, -1, "step"},
    {"categorical", MOI_DOMAIN_CHOICE, 0, NULL},
};

/* Index in classes, -1 if the document is none of them. */
static int64_t find_class(const json_t *document, const json_t **attributes)
{
    static const char tail[] = "Distribution";
    const char *name = json_string_value(json_object_get(document, "name"));
    size_t length;
    int64_t i;

    *attributes = document;
    if (name) {
        length = strlen(name);
        if (length < strlen(tail) ||
            strcmp(name + length - strlen(tail), tail) != 0)
            return -1;
        length -= strlen(tail);
        *attributes = json_object_get(document, "attributes");
    } else {
        name = json_string_value(json_object_get(document, "type"));
        length = name ? strlen(name) : 0;
    }
    for (i = 0; i < MOI_COUNT(classes); i++)
        if (length == strlen(classes[i].name) &&
            strncmp(name, classes[i].name, length) == 0)
            return i;
    return -1;
}

/* A whole number within 2^53, also when it is written as a real. */
static int32_t whole(const json_t *value, int64_t *out)
{
    double v = json_number_value(value);

    if (!json_is_number(value) || !(fabs(v) <= (double)MOI_DOMAIN_LIMIT) ||
        v != floor(v))
        return moi_fail(MOPT_EFORMAT, "bounds must be whole numbers");
    *out = (int64_t)v;
    return MOPT_OK;
}

static int32_t read_int(const json_t *attributes, int32_t log,
                        const json_t *step, moi_domain *domain)
{
    int64_t low = 0, high = 0, by = 1;
    int32_t rc;

    if ((rc = whole(json_object_get(attributes, "low"), &low)) ||
        (rc = whole(json_object_get(attributes, "high"), &high)))
        return rc;
    if (json_is_number(step) && (rc = whole(step, &by)))
        return rc;
    return moi_domain_int(domain, low, high, log ? 1 : by, log);
}

static int32_t read_class(int64_t which, const json_t *attributes,
                          moi_domain *domain)
{
    const json_t *low = json_object_get(attributes, "low");
    const json_t *high = json_object_get(attributes, "high");
    const json_t *step = classes[which].step
                             ? json_object_get(attributes, classes[which].step)
                             : NULL;
    json_t *choices = json_object_get(attributes, "choices");
    int32_t log = classes[which].log;

    if (log < 0)
        log = json_is_true(json_object_get(attributes, "log"));
    if (classes[which].kind == MOI_DOMAIN_CHOICE) {
        if (json_array_size(choices) == 0)
            return moi_fail(MOPT_EFORMAT, "no choices");
        moi_domain_take_choices(domain, choices);
        return MOPT_OK;
    }
    if (!json_is_number(low) || !json_is_number(high))
        return moi_fail(MOPT_EFORMAT, "no bounds");
    if (classes[which].kind == MOI_DOMAIN_INT)
        return read_int(attributes, log, step, domain);
    return moi_domain_float(domain, json_number_value(low),
                            json_number_value(high),
                            log ? 0 : json_number_value(step), log);
}

int32_t moi_distribution_read(const char *text, moi_domain *domain)
{
    const json_t *attributes;
    json_t *document = NULL;
    int64_t which;
    int32_t rc = moi_json_parse(text, &document);

    if (rc)
        return rc;
    which = find_class(document, &attributes);
    if (which < 0)
        rc = moi_fail(MOPT_EFORMAT, "no distribution of a known class");
    else
        rc = read_class(which, attributes, domain);
    if (rc == MOPT_EINVAL)
        rc = moi_fail_at(MOPT_EFORMAT, "distribution: ");
    json_decref(document);
    return rc;
}
