/* SPDX-License-Identifier: MIT
 * tests/unit/search/study_kit.c: what the tests of studies share. */
#include "study_kit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t on_disk;
static int32_t files;

void study_on_disk(int32_t yes)
{
    on_disk = yes;
}

/* The config with a new file as its storage. */
static char *with_storage(const char *json)
{
    json_t *config = json_loads(json, 0, NULL);
    char name[32], *text;

    ck_assert_ptr_nonnull(config);
    snprintf(name, sizeof(name), "study%d.db", files++);
    if (!json_object_get(config, "storage"))
        json_object_set_new(config, "storage", json_string(kit_path(name)));
    /* Flushing the disk is what takes long; test_sqlite does it. */
    if (!json_object_get(config, "durability"))
        json_object_set_new(config, "durability", json_string("process"));
    text = json_dumps(config, 0);
    json_decref(config);
    return text;
}

mopt_space *study_space(mopt_context *ctx)
{
    mopt_space *space = NULL;

    kit_ok(mopt_space_create(ctx, &space));
    kit_ok(mopt_space_add_float(space, "lr", 1e-4, 1e-1, MOPT_LOG));
    kit_ok(mopt_space_add_int(space, "layers", 1, 3, 1, 0));
    kit_ok(mopt_space_add_choice(space, "act", "[\"relu\", \"tanh\"]"));
    kit_ok(mopt_space_add_int(space, "units.2", 8, 64, 8, 0));
    kit_ok(mopt_space_add_condition(space, "units.2", "layers",
                                    "{\"min\": 2}"));
    kit_ok(mopt_space_add_int(space, "units.3", 8, 64, 8, 0));
    kit_ok(mopt_space_add_condition(space, "units.3", "layers", "3"));
    return space;
}

int32_t study_try(mopt_context *ctx, const mopt_space *space,
                  const char *json, mopt_study **out)
{
    mopt_config *config = NULL;
    char *text = on_disk ? with_storage(json) : NULL;
    int32_t rc = mopt_config_create(ctx, "study", &config);

    if (rc == MOPT_OK)
        rc = mopt_config_set_json(config, text ? text : json);
    if (rc == MOPT_OK)
        rc = mopt_study_create(ctx, space, config, out);
    mopt_config_free(config);
    free(text);
    return rc;
}

mopt_study *study_open(mopt_context *ctx, const mopt_space *space,
                       const char *json)
{
    mopt_study *study = NULL;

    kit_ok(study_try(ctx, space, json, &study));
    return study;
}

char *study_text(mopt_study *study)
{
    size_t needed, index;
    json_t *document, *trial;
    char *text;

    mopt_study_to_json(study, NULL, 0, &needed);
    text = malloc(needed);
    kit_ok(mopt_study_to_json(study, text, needed, NULL));
    document = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(document);
    free(text);
    json_array_foreach(json_object_get(document, "trials"), index, trial) {
        json_object_del(trial, "start");
        json_object_del(trial, "complete");
        json_object_del(trial, "seconds");
    }
    text = json_dumps(document, 0);
    json_decref(document);
    return text;
}
