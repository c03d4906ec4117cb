/* SPDX-License-Identifier: MIT
 * lib/learn/data/retarget.c: a transform's encoding of inputs, with a target
 * of other rows. */
#include "base/config.h"
#include "base/status.h"
#include "learn/data/dataset.h"

int32_t moi_transform_retarget(const mopt_transform *transform,
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
