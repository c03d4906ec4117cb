/* SPDX-License-Identifier: MIT
 * lib/learn/train/judge.c: models measured beside each other, for reports. */
#include "learn/train/judge.h"

#include <math.h>

#include "base/status.h"
#include "learn/data/dataset.h"
#include "learn/nn/model.h"

static const char *const kept[] = {"loss", "accuracy", "rmse"};

int32_t moi_judge_pick(const json_t *metrics, json_t *out)
{
    const json_t *error = json_object_get(metrics, "error");
    double rows = json_number_value(json_object_get(metrics, "rows"));
    int32_t rc = MOPT_OK;

    if (json_is_number(error))
        rc = moi_json_add_int(
            out, "errors", (int64_t)(json_number_value(error) * rows + 0.5));
    for (int64_t i = 0; !rc && i < MOI_COUNT(kept); i++) {
        json_t *value = json_object_get(metrics, kept[i]);

        if (value)
            rc = moi_json_add(out, kept[i], json_incref(value));
    }
    return rc;
}

static int32_t describe(const mopt_model *model, const json_t *metrics,
                        json_t *out)
{
    int32_t rc = moi_json_add_int(out, "params",
                                  moi_model_weight_count(model));

    if (!rc)
        rc = moi_json_add_int(out, "flops", moi_model_flops(model));
    return rc ? rc : moi_judge_pick(metrics, out);
}

int32_t moi_judge_model(const mopt_model *model, const mopt_dataset *data,
                        mopt_cancel *cancel, json_t **out)
{
    json_t *metrics = NULL, *object = NULL;
    int32_t rc = moi_model_measure(model, data, NULL, cancel, &metrics);

    if (!rc) {
        object = json_object();
        rc = object ? describe(model, metrics, object)
                    : moi_fail(MOPT_ENOMEM, "no memory for a report");
    }
    json_decref(metrics);
    if (rc)
        json_decref(object);
    else
        *out = object;
    return rc;
}

double moi_judge_better(const json_t *one, const json_t *other)
{
    const json_t *a = json_object_get(one, "accuracy");
    const json_t *b = json_object_get(other, "accuracy");

    if (json_is_number(a) && json_is_number(b))
        return 100 * (json_number_value(a) - json_number_value(b));
    a = json_object_get(one, "rmse");
    b = json_object_get(other, "rmse");
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(b) - json_number_value(a);
    return NAN;
}

int32_t moi_judge_add(json_t *object, int32_t rc, const char *key,
                      json_t *value)
{
    int32_t added = moi_json_add(object, key, value ? value : json_null());

    return rc ? rc : added;
}
