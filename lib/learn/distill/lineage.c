/* SPDX-License-Identifier: MIT
 * lib/learn/distill/lineage.c: a student that teaches itself.
 *
 * The first generation learns from labels, each later one from the one before
 * (Furlanello et al. 2018, "Born Again Neural Networks"); the last of them is
 * the student's teacher. */
#include "learn/distill/distiller.h"

static void dismiss(moi_lineage *l)
{
    mopt_trainer_free(l->plain);
    mopt_distill_free(l->lesson);
    mopt_model_free(l->pupil);
    l->plain = NULL;
    l->lesson = NULL;
    l->pupil = NULL;
}

void moi_lineage_clear(moi_lineage *lineage)
{
    dismiss(lineage);
    mopt_model_free(lineage->teacher);
    *lineage = (moi_lineage){.done = 0};
}

/* A model of the student's layers, with weights of the generation's own. */
static int32_t make_pupil(mopt_distill *d)
{
    moi_lineage *l = &d->lineage;
    int64_t seed = moi_config_int(d->training, "seed") + l->done + 1;
    int32_t rc = mopt_model_copy(d->student, &l->pupil);

    return rc ? rc : mopt_model_init(l->pupil, seed);
}

/* How a generation learns from the one before: what is done at the end, kept
 * in files or compared belongs to the student alone. */
static int32_t make_settings(const mopt_distill *d, mopt_config **out)
{
    int32_t rc = moi_config_copy(d->config, out);

    if (!rc)
        rc = mopt_config_set_bool(*out, "baseline", 0);
    if (!rc)
        rc = mopt_config_set_bool(*out, "correct_bias", 0);
    if (!rc)
        rc = mopt_config_set_text(*out, "poor_teacher", "ignore");
    return rc ? rc : mopt_config_set_text(*out, "cache", "");
}

static int32_t make_lesson(mopt_distill *d, const mopt_config *training)
{
    moi_lineage *l = &d->lineage;
    mopt_config *config = NULL;
    int32_t rc = make_settings(d, &config);

    if (!rc)
        rc = mopt_distill_create(d->ctx, l->pupil, d->train, d->validation,
                                 config, training, &l->lesson);
    if (!rc)
        rc = mopt_distill_add_model(l->lesson, l->teacher, 1);
    mopt_config_free(config);
    return rc;
}

static int32_t begin(mopt_distill *d)
{
    moi_lineage *l = &d->lineage;
    mopt_config *training = NULL;
    int32_t rc = make_pupil(d);

    if (!rc)
        rc = moi_distill_plain(d, &training);
    if (!rc)
        rc = l->teacher ? make_lesson(d, training)
                        : mopt_trainer_create(d->ctx, l->pupil, d->train,
                                              d->validation, training,
                                              &l->plain);
    mopt_config_free(training);
    if (rc)
        dismiss(l);
    return rc;
}

/* The pupil has learnt, and teaches the next one. */
static void advance(moi_lineage *l)
{
    mopt_model_free(l->teacher);
    l->teacher = l->pupil;
    l->pupil = NULL;
    dismiss(l);
    l->done++;
}

int32_t moi_distill_raise(mopt_distill *d, mopt_cancel *cancel)
{
    int64_t generations = moi_config_int(d->config, "generations");
    moi_lineage *l = &d->lineage;
    int32_t rc = MOPT_OK;

    if (moi_dataset_kind(d->train) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_ESTATE, "there is no teacher, and a student "
                        "cannot teach itself without labels");
    while (!rc && l->done < generations) {
        rc = l->pupil ? MOPT_OK : begin(d);
        if (!rc)
            rc = l->plain ? mopt_trainer_fit(l->plain, cancel)
                          : mopt_distill_fit(l->lesson, cancel);
        if (!rc)
            advance(l);
    }
    if (!rc)
        rc = mopt_distill_add_model(d, l->teacher, 1);
    if (!rc)
        moi_lineage_clear(l);
    return rc;
}
