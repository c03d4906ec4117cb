/* SPDX-License-Identifier: MIT
 * lib/learn/data/retarget.c: a transform's encoding of inputs, with a target
 * of other rows. */
#include "base/config.h"
#include "base/status.h"
#include "learn/data/dataset.h"

int32_t moi_transform_compare(const mopt_transform *one,
                              const mopt_transform *other,
                              int32_t *same_inputs, int32_t *same_numbers)
{
    json_t *a = moi_transform_to_json(one), *b = moi_transform_to_json(other);
    int32_t rc = a && b ? MOPT_OK
                        : moi_fail(MOPT_ENOMEM, "no memory for a transform");

    if (!rc) {
        *same_numbers = moi_transform_numbers(one) > 0 &&
                        json_equal(json_object_get(a, "target"),
                                   json_object_get(b, "target"));
        json_object_del(a, "target");
        json_object_del(b, "target");
        *same_inputs = json_equal(a, b);
    }
    json_decref(a);
    json_decref(b);
    return rc;
}

/* The whole transform with another member "target". */
static int32_t learn_target(const mopt_transform *transform,
                            const mopt_dataset *raw, mopt_transform **out)
{
    mopt_context *ctx = moi_dataset_context(raw);
    mopt_config *config = NULL;
    mopt_transform *fresh = NULL;
    json_t *whole = moi_transform_to_json(transform), *target = NULL;
    int32_t rc = whole ? mopt_config_create(ctx, "data", &config)
                       : moi_fail(MOPT_ENOMEM, "no memory for a transform");

    if (!rc)
        rc = mopt_transform_fit(raw, config, &fresh);
    if (!rc) {
        target = moi_transform_target(fresh);
        rc = target ? moi_json_add(whole, "target", target)
                    : moi_fail(MOPT_ENOMEM, "no memory for a transform");
    }
    if (!rc)
        rc = moi_transform_from_json(ctx, whole, out);
    json_decref(whole);
    mopt_transform_free(fresh);
    mopt_config_free(config);
    return rc;
}

int32_t moi_transform_retarget(mopt_transform *transform,
                               const mopt_dataset *raw, int32_t keep_unit,
                               mopt_transform **out)
{
    if (!keep_unit || moi_dataset_kind(raw) != MOPT_TARGET_NUMBER ||
        moi_transform_numbers(transform) != moi_dataset_targets(raw))
        return learn_target(transform, raw, out);
    *out = moi_transform_hold(transform);
    return MOPT_OK;
}
