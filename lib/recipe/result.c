/* SPDX-License-Identifier: MIT
 * lib/recipe/result.c: what came out of a run. */
#include "recipe/result.h"

#include "base/context.h"
#include "base/memory.h"
#include "base/status.h"
#include "learn/nn/model.h"
#include "report/report.h"

/* --- Documents as values ------------------------------------------------ */

typedef int32_t (*dump_fn)(const void *object, char *buf, size_t cap,
                           size_t *needed);

/* Ask for the size, then for the text, with room to grow: to a study other
 * workers may add more than that in between; then it is asked for again. */
static int32_t json_from(mopt_context *ctx, dump_fn dump, const void *object,
                         json_t **out)
{
    size_t size = 0;
    char *text = NULL;
    int32_t rc = dump(object, NULL, 0, &size);
    if (rc == MOPT_OK)
        rc = MOPT_ERANGE;
    while (rc == MOPT_ERANGE) {
        size_t room = size + size / 2;
        moi_free(ctx, text);
        text = moi_alloc(ctx, (int64_t)room, 1);
        if (text == NULL)
            return MOPT_ENOMEM;
        rc = dump(object, text, room, &size);
    }
    if (rc == MOPT_OK)
        rc = moi_json_parse(text, out);
    moi_free(ctx, text);
    return rc;
}

static int32_t dump_trial(const void *trial, char *buf, size_t cap,
                          size_t *needed)
{
    return mopt_trial_to_json(trial, buf, cap, needed);
}

static int32_t dump_study(const void *study, char *buf, size_t cap,
                          size_t *needed)
{
    return mopt_study_to_json((mopt_study *)study, buf, cap, needed);
}

static int32_t dump_model(const void *model, char *buf, size_t cap,
                          size_t *needed)
{
    return mopt_model_describe(model, buf, cap, needed);
}

static int32_t dump_recipe(const void *recipe, char *buf, size_t cap,
                           size_t *needed)
{
    return mopt_recipe_to_json(recipe, buf, cap, needed);
}

static int32_t dump_data(const void *data, char *buf, size_t cap,
                         size_t *needed)
{
    return mopt_dataset_describe(data, buf, cap, needed);
}

static int32_t dump_info(const void *ctx, char *buf, size_t cap,
                         size_t *needed)
{
    return mopt_context_info((mopt_context *)ctx, buf, cap, needed);
}

static int32_t dump_history(const void *trainer, char *buf, size_t cap,
                            size_t *needed)
{
    return mopt_trainer_history(trainer, buf, cap, needed);
}

int32_t moi_json_from_history(mopt_context *ctx, const mopt_trainer *trainer,
                              json_t **out)
{
    return json_from(ctx, dump_history, trainer, out);
}

int32_t moi_json_from_trial(mopt_context *ctx, const mopt_trial *trial,
                            json_t **out)
{
    return json_from(ctx, dump_trial, trial, out);
}

int32_t moi_json_from_study(mopt_context *ctx, mopt_study *study,
                            json_t **out)
{
    return json_from(ctx, dump_study, study, out);
}

int32_t moi_json_from_model(mopt_context *ctx, const mopt_model *model,
                            json_t **out)
{
    return json_from(ctx, dump_model, model, out);
}

int32_t moi_json_from_recipe(mopt_context *ctx, const mopt_recipe *recipe,
                             json_t **out)
{
    return json_from(ctx, dump_recipe, recipe, out);
}

int32_t moi_json_from_data(mopt_context *ctx, const mopt_dataset *data,
                           json_t **out)
{
    return json_from(ctx, dump_data, data, out);
}

int32_t moi_json_from_info(mopt_context *ctx, json_t **out)
{
    return json_from(ctx, dump_info, ctx, out);
}

/* --- The result --------------------------------------------------------- */

void mopt_result_free(mopt_result *result)
{
    if (result == NULL)
        return;
    mopt_context *ctx = result->ctx;
    json_decref(result->doc);
    json_decref(result->story);
    mopt_model_free(result->model);
    mopt_finetune_free(result->finetune);
    moi_free(ctx, result);
    moi_context_release(ctx);
}

int32_t mopt_result_to_json(const mopt_result *result, char *buf, size_t cap,
                            size_t *needed)
{
    if (result == NULL)
        return moi_fail_null("mopt_result_to_json", "result");
    return moi_json_finish(result->ctx, json_incref(result->doc), buf, cap,
                           needed);
}

int32_t mopt_result_model(const mopt_result *result, mopt_model **out)
{
    if (result == NULL)
        return moi_fail_null("mopt_result_model", "result");
    if (out == NULL)
        return moi_fail_null("mopt_result_model", "out");
    if (json_object_get(result->doc, "cases") != NULL)
        return moi_fail(MOPT_ESTATE, "a recipe of several runs keeps no "
                        "model: leave out its \"cases\" and \"repeats\"");
    if (result->model == NULL)
        return moi_fail(MOPT_ESTATE, "the run was cancelled before the best "
                        "trial of an earlier one was trained again: there is "
                        "no model");
    *out = moi_model_hold(result->model);
    return MOPT_OK;
}

int32_t mopt_result_adapter(const mopt_result *result, mopt_adapter **out)
{
    if (result == NULL)
        return moi_fail_null("mopt_result_adapter", "result");
    if (out == NULL)
        return moi_fail_null("mopt_result_adapter", "out");
    if (result->finetune == NULL)
        return moi_fail(MOPT_ESTATE, "mopt_result_adapter: only one run of a "
                        "recipe with a section \"finetune\" makes an adapter");
    return mopt_finetune_adapter(result->finetune, out);
}

int32_t mopt_result_report(const mopt_result *result, const char *path)
{
    if (result == NULL)
        return moi_fail_null("mopt_result_report", "result");
    if (path == NULL)
        return moi_fail_null("mopt_result_report", "path");
    return moi_report_write(result->ctx, result->story, path);
}
