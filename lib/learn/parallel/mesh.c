/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/mesh.c: a rank's place in a plan, and its groups. */
#include "learn/parallel/mesh.h"

#include <string.h>

#include "base/context.h"
#include "base/memory.h"

static void take_place(moi_mesh *m, const mopt_parallel *plan, int32_t rank)
{
    m->data = plan->data;
    m->tensor = plan->tensor;
    m->stages = plan->stages;
    m->schedule = plan->schedule;
    m->layers = plan->layers;
    m->t = rank % m->tensor;
    m->d = rank / m->tensor % m->data;
    m->stage = rank / m->tensor / m->data;
}

static int32_t copy_plan(moi_mesh *m, const mopt_parallel *plan)
{
    size_t cuts = (size_t)(plan->stages + 1) * sizeof(*m->cuts);
    size_t split = (size_t)plan->layers * sizeof(*m->split);
    m->cuts = moi_alloc(m->ctx, plan->stages + 1, sizeof(*m->cuts));
    m->split = moi_alloc(m->ctx, plan->layers, sizeof(*m->split));
    if (m->cuts == NULL || m->split == NULL)
        return MOPT_ENOMEM;
    memcpy(m->cuts, plan->cuts, cuts);
    memcpy(m->split, plan->split, split);
    return MOPT_OK;
}

static int32_t split(moi_mesh *m)
{
    int32_t piece = m->stage * m->tensor + m->t;
    int32_t rc = mopt_group_split(m->all, piece, m->d, &m->peers);
    if (rc == MOPT_OK)
        rc = mopt_group_split(m->all, m->d, piece, &m->copy);
    if (rc == MOPT_OK)
        rc = mopt_group_split(m->all, m->stage * m->data + m->d, m->t,
                              &m->layer);
    return rc;
}

int32_t moi_mesh_create(mopt_context *ctx, const mopt_parallel *plan,
                        mopt_group *group, moi_mesh **out)
{
    moi_mesh *m = moi_calloc(ctx, 1, sizeof(*m));
    int32_t rc = m != NULL ? MOPT_OK : MOPT_ENOMEM;
    if (rc == MOPT_OK) {
        m->ctx = moi_context_hold(ctx);
        m->all = group;
        take_place(m, plan, mopt_group_rank(group));
        rc = copy_plan(m, plan);
    }
    if (rc == MOPT_OK)
        rc = split(m);
    if (rc == MOPT_OK) {
        *out = m;
        return rc;
    }
    /* The others wait for this rank, and would go on without it. */
    mopt_group_abort(group, rc);
    moi_mesh_free(m);
    return rc;
}

void moi_mesh_free(moi_mesh *mesh)
{
    if (mesh == NULL)
        return;
    mopt_context *ctx = mesh->ctx;
    mopt_group_free(mesh->peers);
    mopt_group_free(mesh->copy);
    mopt_group_free(mesh->layer);
    moi_free(ctx, mesh->cuts);
    moi_free(ctx, mesh->split);
    moi_free(ctx, mesh);
    moi_context_release(ctx);
}

int32_t moi_mesh_is_first(const moi_mesh *mesh)
{
    return mesh->stage == 0;
}

int32_t moi_mesh_is_last(const moi_mesh *mesh)
{
    return mesh->stage == mesh->stages - 1;
}

int32_t moi_mesh_in_copy(const moi_mesh *mesh, int32_t stage)
{
    return stage * mesh->tensor + mesh->t;
}
