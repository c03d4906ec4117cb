/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/tell.c: a plan and what it costs, as JSON. */
#include "base/json.h"
#include "learn/parallel/parallel.h"

/* Members of an object that is dropped if one of them could not be added. */
static json_t *finish(json_t *object, int32_t rc)
{
    if (!rc)
        return object;
    json_decref(object);
    return NULL;
}

static int32_t append(json_t *array, json_t *value)
{
    return value && json_array_append_new(array, value) == 0 ? MOPT_OK
                                                             : MOPT_ENOMEM;
}

typedef struct figure {
    const char *name;
    double value;
} figure;

static json_t *tell_figures(const figure *list, int64_t count)
{
    json_t *told = json_object();
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; i < count; i++)
        rc |= moi_json_add_number(told, list[i].name, list[i].value);
    return finish(told, rc);
}

static json_t *tell_memory(const moi_memory *m)
{
    const figure list[] = {{"weights", m->weights},
                           {"gradients", m->gradients},
                           {"state", m->state},
                           {"activations", m->activations}};

    return tell_figures(list, MOI_COUNT(list));
}

static json_t *tell_seconds(const moi_seconds *s)
{
    const figure list[] = {
        {"compute", s->compute},     {"tensor", s->tensor},
        {"transfer", s->transfer},   {"bubble", s->bubble},
        {"sums", s->sums},           {"gradients", s->gradients},
        {"update", s->update},       {"agreement", s->agreement}};

    return tell_figures(list, MOI_COUNT(list));
}

static json_t *tell_machine(const mopt_parallel *p)
{
    const moi_machine *m = &p->machine;
    const figure list[] = {{"speed", m->speed},
                           {"memory_speed", m->memory},
                           {"update_speed", m->update},
                           {"cache", m->cache},
                           {"far_speed", m->far},
                           {"overhead", m->overhead},
                           {"link_latency", m->latency},
                           {"link_bandwidth", m->bandwidth},
                           {"link_work", m->work},
                           {"host_ranks", p->host}};

    return tell_figures(list, MOI_COUNT(list));
}

static json_t *tell_splits(const mopt_parallel *p, int32_t stage)
{
    json_t *told = json_array();
    int32_t rc = MOPT_OK;

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++)
        rc |= append(told, json_string(moi_split_name(p->split[i])));
    return finish(told, rc);
}

static json_t *tell_stage(const mopt_parallel *p, int32_t stage)
{
    moi_memory memory = moi_stage_memory(p, stage);
    int64_t parts = moi_part_together(p), rows = parts * moi_part_rows(p);
    int64_t weights = 0, flops = 0;
    double tensor = 0, sent = 0, seconds;
    json_t *told = json_object();
    int32_t rc = moi_json_add_int(told, "first", p->cuts[stage]);

    for (int64_t i = p->cuts[stage]; i < p->cuts[stage + 1]; i++) {
        weights += p->cost[i].matrix + p->cost[i].vector;
        flops += p->cost[i].flops;
    }
    seconds = moi_stage_forward(p, stage, rows, &tensor, &sent) +
              moi_stage_backward(p, stage, rows, parts, &tensor, &sent) +
              tensor;
    rc |= moi_json_add_int(told, "layers",
                           p->cuts[stage + 1] - p->cuts[stage]);
    rc |= moi_json_add(told, "splits", tell_splits(p, stage));
    rc |= moi_json_add_int(told, "weights", weights);
    rc |= moi_json_add_int(told, "flops", flops);
    rc |= moi_json_add_number(told, "seconds",
                              seconds * (double)moi_part_count(p) /
                                  (double)parts);
    rc |= moi_json_add(told, "memory", tell_memory(&memory));
    return finish(told, rc);
}

static json_t *tell_stages(const mopt_parallel *p)
{
    json_t *told = json_array();
    int32_t rc = MOPT_OK;

    for (int32_t s = 0; s < p->stages; s++)
        rc |= append(told, tell_stage(p, s));
    return finish(told, rc);
}

static json_t *tell_choice(const mopt_parallel *p, const moi_choice *c)
{
    json_t *told = json_object();
    int32_t rc = moi_json_add_int(told, "data", c->data);

    rc |= moi_json_add_int(told, "tensor", c->tensor);
    rc |= moi_json_add_int(told, "pipeline", c->stages);
    rc |= moi_json_add_int(told, "parts", c->parts);
    rc |= moi_json_add_number(told, "seconds", c->seconds);
    rc |= moi_json_add_number(told, "memory", c->memory);
    rc |= moi_json_add(told, "fits",
                       json_boolean(p->limit == 0 || c->memory <= p->limit));
    return finish(told, rc);
}

static json_t *tell_choices(const mopt_parallel *p)
{
    json_t *told = json_array();
    int32_t rc = MOPT_OK;

    for (int64_t i = 0; i < p->choice_count; i++)
        rc |= append(told, tell_choice(p, &p->choices[i]));
    return finish(told, rc);
}

static json_t *tell_alone(const mopt_parallel *p)
{
    const figure list[] = {{"seconds", p->alone.seconds},
                           {"memory", p->alone.memory}};

    return tell_figures(list, MOI_COUNT(list));
}

json_t *moi_parallel_tell(const mopt_parallel *p)
{
    json_t *told = json_object();
    int32_t rc = moi_json_add_int(told, "ranks", (int64_t)p->data * p->tensor *
                                                     p->stages);

    rc |= moi_json_add_int(told, "data", p->data);
    rc |= moi_json_add_int(told, "tensor", p->tensor);
    rc |= moi_json_add_int(told, "pipeline", p->stages);
    rc |= moi_json_add_text(told, "schedule",
                            p->schedule == MOI_GPIPE ? "gpipe" : "1f1b");
    rc |= moi_json_add_int(told, "batch", p->batch);
    rc |= moi_json_add_int(told, "parts", p->parts);
    rc |= moi_json_add_number(told, "seconds", p->estimate.seconds);
    rc |= moi_json_add(told, "costs", tell_seconds(&p->estimate.part));
    rc |= moi_json_add_number(told, "memory", p->estimate.memory);
    rc |= moi_json_add_number(told, "sent", p->estimate.sent);
    rc |= moi_json_add(told, "alone", tell_alone(p));
    rc |= moi_json_add(told, "stages", tell_stages(p));
    rc |= moi_json_add(told, "alternatives", tell_choices(p));
    rc |= moi_json_add(told, "machine", tell_machine(p));
    return finish(told, rc);
}
