/* SPDX-License-Identifier: MIT
 * lib/base/check.c: is a value what its key allows? */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/schema.h"
#include "base/text.h"

const char *moi_key_wants(const moi_key *key)
{
    switch (key->type) {
    case MOPT_TYPE_INT: return "an integer";
    case MOPT_TYPE_FLOAT: return "a number";
    case MOPT_TYPE_BOOL: return "true or false";
    default: return "a text";
    }
}

static int32_t fail_type(const moi_key *key, const char *place,
                         const json_t *value)
{
    char excerpt[MOI_EXCERPT_SIZE];
    return moi_fail(MOPT_EINVAL, "%s: must be %s, not %s", place,
                    moi_key_wants(key), moi_json_excerpt(value, excerpt));
}

static int32_t check_bounds(const moi_key *key, const char *place, double x)
{
    char number[MOI_NUMBER_SIZE], bound[MOI_NUMBER_SIZE];
    int32_t open_min = key->flags & MOI_KEY_OPEN_MIN;
    int32_t open_max = key->flags & MOI_KEY_OPEN_MAX;
    int32_t bounded = key->min != 0 || key->max != 0;
    if (isnan(x) || isinf(x))
        return moi_fail(MOPT_EINVAL, "%s: must be finite, not %s", place,
                        moi_number_text(x, number));
    if (bounded && (open_min ? x <= key->min : x < key->min))
        return moi_fail(MOPT_EINVAL, "%s: must be %s %s, not %s", place,
                        open_min ? "above" : "at least",
                        moi_number_text(key->min, bound),
                        moi_number_text(x, number));
    if (bounded && (open_max ? x >= key->max : x > key->max))
        return moi_fail(MOPT_EINVAL, "%s: must be %s %s, not %s", place,
                        open_max ? "below" : "at most",
                        moi_number_text(key->max, bound),
                        moi_number_text(x, number));
    return MOPT_OK;
}

/* A whole double is an integer where one is wanted. */
static int32_t check_number(const moi_key *key, const char *place,
                            const json_t *value, json_t **out)
{
    double x = json_number_value(value);
    if (!json_is_number(value) ||
        (key->type == MOPT_TYPE_INT && json_is_real(value) &&
         isfinite(x) && (x != floor(x) || fabs(x) > 0x1p53)))
        return fail_type(key, place, value);
    int32_t status = check_bounds(key, place, x);
    if (status != MOPT_OK)
        return status;
    if (key->type == MOPT_TYPE_INT)
        *out = json_is_integer(value) ? json_copy((json_t *)value)
                                      : json_integer((json_int_t)x);
    else
        *out = json_real(x);
    return MOPT_OK;
}

/* Is word one of the texts between the bars of "a|b|c"? */
static int32_t among(const char *choices, const char *word)
{
    size_t size = strlen(word);
    while (*choices != '\0') {
        size_t length = strcspn(choices, "|");
        if (length == size && strncmp(choices, word, length) == 0)
            return 1;
        choices += length + (choices[length] == '|');
    }
    return 0;
}

/* The allowed names, "a|b|c", of a CHOICE or a VARIANT. */
static const char *allowed_names(const moi_key *key, char *buf, size_t size)
{
    size_t used = 0;
    if (key->choices != NULL)
        return key->choices;
    buf[0] = '\0';
    for (int64_t i = 0; key->variants[i] != NULL && used < size; i++)
        used += (size_t)snprintf(buf + used, size - used, "%s%s",
                                 i > 0 ? "|" : "", key->variants[i]->name);
    return buf;
}

static int32_t check_choice(const moi_key *key, const char *place,
                            const char *word)
{
    char names[512];
    const char *allowed = allowed_names(key, names, sizeof names);
    if (among(allowed, word))
        return MOPT_OK;
    char near[MOI_PATH_SIZE] = "";
    int32_t least = INT32_MAX;
    for (const char *at = allowed; *at != '\0';) {
        char name[MOI_PATH_SIZE];
        size_t length = strcspn(at, "|");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        int32_t distance = moi_text_distance(word, name);
        if (distance < least) {
            least = distance;
            memcpy(near, name, sizeof near);
        }
        at += length + (at[length] == '|');
    }
    return moi_fail(MOPT_EINVAL,
                    "%s: '%s' is not one of %s; the nearest is '%s'", place,
                    word, allowed, near);
}

int32_t moi_key_check(const moi_key *key, const char *place,
                      const json_t *value, json_t **out)
{
    int32_t status = MOPT_OK;
    *out = NULL;
    switch (key->type) {
    case MOPT_TYPE_INT:
    case MOPT_TYPE_FLOAT:
        status = check_number(key, place, value, out);
        break;
    case MOPT_TYPE_BOOL:
        if (!json_is_boolean(value))
            return fail_type(key, place, value);
        break;
    case MOPT_TYPE_JSON:
        break;
    default:
        if (!json_is_string(value))
            return fail_type(key, place, value);
        if (key->type != MOPT_TYPE_TEXT)
            status = check_choice(key, place, json_string_value(value));
    }
    if (status != MOPT_OK)
        return status;
    if (*out == NULL && key->type != MOPT_TYPE_INT &&
        key->type != MOPT_TYPE_FLOAT)
        *out = json_deep_copy(value);
    return *out != NULL ? MOPT_OK
                        : moi_fail(MOPT_ENOMEM, "no memory for '%s'", place);
}
