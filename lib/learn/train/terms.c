/* SPDX-License-Identifier: MIT
 * lib/learn/train/terms.c: terms of the loss beside the trainer's own. The
 * host's are terms as all others, behind a change of types. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "learn/train/trainer.h"

static int32_t check_weight(double weight, double least, const char *function)
{
    char text[MOI_NUMBER_SIZE];

    if (isfinite(weight) && weight >= least)
        return MOPT_OK;
    return moi_fail(MOPT_EINVAL, "%s: weight is %s, allowed are %s numbers",
                    function, moi_number_text(weight, text),
                    least < 0 ? "finite" : "finite, not negative");
}

static int32_t fail_begun(const char *function)
{
    return moi_fail(MOPT_ESTATE, "%s: training has begun", function);
}

int32_t moi_trainer_add_term(mopt_trainer *t, double weight, moi_term_fn fn,
                             void *user, mopt_destroy_fn destroy)
{
    if (t->flags & MOI_TRAINER_BEGUN)
        return fail_begun("the trainer");
    if (moi_grow(t->ctx, (void **)&t->terms, &t->term_room, t->term_count + 1,
                 sizeof *t->terms))
        return MOPT_ENOMEM;
    t->terms[t->term_count++] = (moi_term){weight, fn, user, destroy};
    return MOPT_OK;
}

/* ---- the host's ---- */

/* A term of the host's, with what it is given: output and its gradient. */
typedef struct guest {
    mopt_context *ctx;
    mopt_loss_fn fn;
    void *user;
    mopt_destroy_fn destroy;
    int64_t number; /* among the terms */
    int64_t room;   /* numbers in each of the two */
    float *seen, *pull;
} guest;

static void free_guest(void *user)
{
    guest *g = user;

    if (g->destroy)
        g->destroy(g->user);
    moi_free(g->ctx, g->seen);
    moi_free(g->ctx, g->pull);
    moi_free(g->ctx, g);
}

static int32_t ask_guest(void *user, const moi_sight *sight, double *loss)
{
    guest *g = user;
    int64_t count = sight->rows * sight->outputs;
    int32_t rc;

    for (int64_t i = 0; i < count; i++)
        g->seen[i] = (float)sight->output[i];
    memset(g->pull, 0, (size_t)count * sizeof *g->pull);
    rc = g->fn(g->user, sight->rows, sight->outputs, sight->index, g->seen,
               g->pull, loss);
    if (rc)
        return moi_fail(MOPT_ECALLBACK, "extra loss term %lld returned %d",
                        (long long)g->number, (int)rc);
    if (sight->grad)
        for (int64_t i = 0; i < count; i++)
            sight->grad[i] += sight->scale * (moi_real)g->pull[i];
    return MOPT_OK;
}

static guest *make_guest(mopt_trainer *t, mopt_loss_fn term, void *user)
{
    guest *g = moi_calloc(t->ctx, 1, sizeof *g);

    if (!g)
        return NULL;
    g->ctx = t->ctx;
    g->fn = term;
    g->user = user;
    g->number = t->term_count;
    g->room = t->set.chunk * moi_model_outputs(t->model);
    g->seen = moi_calloc(t->ctx, g->room, sizeof *g->seen);
    g->pull = moi_calloc(t->ctx, g->room, sizeof *g->pull);
    if (g->seen && g->pull)
        return g;
    free_guest(g);
    return NULL;
}

int32_t mopt_trainer_add_loss(mopt_trainer *trainer, double weight,
                              mopt_loss_fn term, void *user,
                              mopt_destroy_fn destroy)
{
    mopt_trainer *t = trainer;
    guest *g;
    int32_t rc;

    if (!t || !term)
        return moi_fail_null("mopt_trainer_add_loss", !t ? "trainer" : "term");
    rc = check_weight(weight, -INFINITY, "mopt_trainer_add_loss");
    if (rc)
        return rc;
    if (t->flags & MOI_TRAINER_BEGUN)
        return fail_begun("mopt_trainer_add_loss");
    if (t->mesh)
        return moi_fail(MOPT_EUNSUPPORTED, "mopt_trainer_add_loss: extra terms "
                        "are not known to a trainer with a plan");
    g = make_guest(t, term, user);
    if (!g)
        return MOPT_ENOMEM;
    rc = moi_trainer_add_term(t, weight, ask_guest, g, free_guest);
    if (rc)
        free_guest(g);
    else
        g->destroy = destroy;
    return rc;
}

int32_t mopt_trainer_set_loss_weight(mopt_trainer *trainer, double weight)
{
    mopt_trainer *t = trainer;
    int32_t rc;

    if (!t)
        return moi_fail_null("mopt_trainer_set_loss_weight", "trainer");
    rc = check_weight(weight, 0, "mopt_trainer_set_loss_weight");
    if (rc)
        return rc;
    if (t->flags & MOI_TRAINER_BEGUN)
        return fail_begun("mopt_trainer_set_loss_weight");
    if (weight > 0 && moi_dataset_kind(t->train) == MOPT_TARGET_NONE)
        return moi_fail(MOPT_EINVAL, "mopt_trainer_set_loss_weight: the data "
                                     "have no targets; only 0 is allowed");
    t->loss_weight = weight;
    return MOPT_OK;
}

/* ---- all of them ---- */

int32_t moi_terms_add(const mopt_trainer *t, const moi_sight *given,
                      double share, double *loss)
{
    moi_sight sight = *given;

    for (int64_t k = 0; k < t->term_count; k++) {
        const moi_term *term = &t->terms[k];
        double value = 0;
        int32_t rc;

        sight.scale = (moi_real)(term->weight * share);
        rc = term->fn(term->user, &sight, &value);
        if (rc)
            return moi_fail_at(rc, "step %lld: ", (long long)t->now.step + 1);
        *loss += term->weight * share * value;
    }
    return MOPT_OK;
}
