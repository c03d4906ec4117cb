/* SPDX-License-Identifier: MIT
 * lib/search/space/domain.h: the values that one parameter may take.
 *
 * A value inside the library is one double, as in Optuna's tables: a real as
 * it is (never its logarithm), an integer as a double, a choice by its index.
 * Integers stay within 2^53, so that every one is exact. */
#ifndef MOI_SEARCH_DOMAIN_H
#define MOI_SEARCH_DOMAIN_H

#include "base/json.h"

#define MOI_DOMAIN_FLOAT 0
#define MOI_DOMAIN_INT 1
#define MOI_DOMAIN_CHOICE 2

/* Integers beyond this are not all doubles. */
#define MOI_DOMAIN_LIMIT ((int64_t)1 << 53)

typedef struct moi_domain {
    int32_t kind;    /* MOI_DOMAIN_* */
    int32_t log;     /* sampled on a logarithmic scale */
    double low;      /* of numbers; high is low + a multiple of step */
    double high;
    double step;     /* 0: continuous */
    int64_t count;   /* different values; INT64_MAX when continuous */
    json_t *choices; /* array of different scalars, else NULL */
} moi_domain;

/* Fill a domain. The message of an error begins with the bound at fault.
 * step 0 is a continuous range. choices gets a new reference. */
int32_t moi_domain_float(moi_domain *domain, double low, double high,
                         double step, int32_t log);
int32_t moi_domain_int(moi_domain *domain, int64_t low, int64_t high,
                       int64_t step, int32_t log);
int32_t moi_domain_choice(moi_domain *domain, json_t *choices);

/* The same without a look at them: a file of somebody else may say a choice
 * twice. choices is an array that is not empty. */
void moi_domain_take_choices(moi_domain *domain, json_t *choices);
void moi_domain_free(moi_domain *domain);

/* The k-th value of a domain that is not continuous, 0 <= k < count. */
double moi_domain_value(const moi_domain *domain, int64_t k);

/* The k of a value, -1 if it is none of them (or the domain is continuous). */
int64_t moi_domain_index(const moi_domain *domain, double value);

/* Is it a value of the domain? A stepped one may be off by 1e-8 steps. */
int32_t moi_domain_holds(const moi_domain *domain, double value);

/* The same value as this library would write it: stepped ones come back to
 * their own place, -0 becomes 0. */
double moi_domain_snap(const moi_domain *domain, double value);

/* A value as the user sees it; NULL without memory. A value that the domain
 * cannot have (files of others) is null. */
json_t *moi_domain_show(const moi_domain *domain, double value);

/* From what the user sees. MOPT_EINVAL names the value and what is allowed. */
int32_t moi_domain_read(const moi_domain *domain, const json_t *shown,
                        double *value);

/* May both stand under one name in a study? As Optuna: the same kind, the
 * same scale, and for choices the same ones in the same order. */
int32_t moi_domain_compatible(const moi_domain *a, const moi_domain *b);

/* Equal scalars: 1 and 1.0 are, 1 and true are not. */
int32_t moi_scalar_equal(const json_t *a, const json_t *b);

/* "[0.1, 1]", "[1, 8] by 2" or the choices, for messages; returns buf. */
#define MOI_DOMAIN_TEXT 128
const char *moi_domain_text(const moi_domain *domain,
                            char buf[MOI_DOMAIN_TEXT]);

/* Optuna's distribution_json, long form; NULL without memory. */
char *moi_distribution_write(mopt_context *ctx, const moi_domain *domain);

/* Back from it: long, short and legacy forms. MOPT_EFORMAT. */
int32_t moi_distribution_read(const char *text, moi_domain *domain);

#endif
