/* SPDX-License-Identifier: MIT
 * lib/learn/distill/encode.c: rows as teacher and student read them. */
#include "base/status.h"
#include "learn/data/dataset.h"
#include "learn/distill/distiller.h"

/* Rows that went through another encoding than the teacher's would be
 * misread by it. */
static int32_t check_encoding(const mopt_distill *d, mopt_transform *was)
{
    mopt_transform *made = moi_dataset_transform(d->train);
    int32_t inputs = 1, numbers;
    int32_t rc = was ? moi_transform_compare(was, made, &inputs, &numbers)
                     : MOPT_OK;

    if (!rc && !inputs)
        rc = moi_fail(MOPT_EINVAL, "mopt_distill_add_model: the training rows "
                      "went through another transform of inputs than the "
                      "teacher's; give them raw");
    return rc;
}

/* NULL stays NULL. */
static int32_t apply(mopt_transform *transform, const mopt_dataset *data,
                     mopt_dataset **out)
{
    if (!data)
        return MOPT_OK;
    if (!moi_dataset_transform(data))
        return mopt_transform_apply(transform, data, out);
    *out = moi_dataset_hold(data);
    return MOPT_OK;
}

static int32_t take(mopt_distill *d, mopt_transform *transform)
{
    mopt_dataset *train = NULL, *validation = NULL;
    int32_t rc = apply(transform, d->train, &train);

    if (!rc)
        rc = apply(transform, d->validation, &validation);
    if (!rc && !moi_model_transform(d->student))
        rc = mopt_model_set_transform(d->student, transform);
    if (rc) {
        mopt_dataset_free(train);
        mopt_dataset_free(validation);
        return rc;
    }
    mopt_dataset_free(d->train);
    mopt_dataset_free(d->validation);
    d->train = train;
    d->validation = validation;
    return MOPT_OK;
}

int32_t moi_distill_encode(mopt_distill *d, const mopt_model *teacher)
{
    mopt_transform *own = moi_model_transform(d->student);
    mopt_transform *was = teacher ? moi_model_transform(teacher) : NULL;
    int32_t rc = MOPT_OK;

    if (!moi_dataset_transform(d->train) && (own || was))
        rc = take(d, own ? own : was);
    if (!rc && moi_dataset_transform(d->train))
        rc = check_encoding(d, was);
    return rc;
}
