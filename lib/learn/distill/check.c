/* SPDX-License-Identifier: MIT
 * lib/learn/distill/check.c: do a distiller's settings go with its student and
 * its data? What can be said before anything is worked out, is said here. */
#include <string.h>

#include "learn/distill/distiller.h"

static int32_t check_method(const mopt_distill *d)
{
    int32_t flags = d->match.kind->flags;
    const char *name = d->match.kind->schema->name;
    int32_t kind = d->validation ? moi_dataset_kind(d->validation)
                                 : moi_dataset_kind(d->train);

    if (kind == MOPT_TARGET_NUMBER && !(flags & MOI_MATCH_NUMBER))
        return moi_fail(MOPT_EINVAL, "method '%s' is for classes; for target "
                        "numbers there is 'logits'", name);
    if ((flags & MOI_MATCH_LABELS) &&
        moi_dataset_kind(d->train) != MOPT_TARGET_CLASS)
        return moi_fail(MOPT_EINVAL, "method '%s' needs rows with labels",
                        name);
    if (moi_model_outputs(d->student) == 1 && !(flags & MOI_MATCH_SINGLE))
        return moi_fail(MOPT_EINVAL, "method '%s' needs an output a class, the "
                        "student has one", name);
    return MOPT_OK;
}

int32_t moi_distill_refuses(const mopt_distill *d)
{
    return !strcmp(moi_config_text(d->config, "poor_teacher"), "refuse");
}

/* A teacher is held against the baseline, on the validation rows. */
static int32_t check_refusal(const mopt_distill *d)
{
    const char *lacking = NULL;

    if (!moi_distill_refuses(d))
        return MOPT_OK;
    if (!moi_config_bool(d->config, "baseline"))
        lacking = "'baseline' is off";
    else if (moi_dataset_kind(d->train) == MOPT_TARGET_NONE)
        lacking = "the training rows have no labels for one";
    else if (!d->validation)
        lacking = "there are no validation rows";
    if (!lacking)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "poor_teacher is 'refuse', which compares the "
                    "teacher with a baseline on validation rows; but %s",
                    lacking);
}

int32_t moi_distill_check(const mopt_distill *d)
{
    int32_t rc = check_method(d);

    if (!rc)
        rc = check_refusal(d);
    if (!rc && moi_config_bool(d->config, "correct_bias"))
        rc = moi_bias_check(d->student, d->validation);
    return rc;
}
