/* SPDX-License-Identifier: MIT
 * lib/search/study/schema.c: the keys of a study. */
#include "base/schema.h"
#include "search/pruner/pruner.h"
#include "search/sampler/sampler.h"

static const moi_key keys[] = {
    MOI_TEXT("name", "study", "name of the study in its file"),
    MOI_TEXT("storage", "",
             "file or database that the study lives in; empty for memory"),
    MOI_BOOL("resume", 0, "go on with a study that is there already"),
    MOI_CHOICE("durability", "power", "power|process",
               "what a told trial survives: a loss of power (one flush of the "
               "disk a trial), or the end of the process"),
    MOI_TEXT("direction", "minimize",
             "'minimize' or 'maximize', one an objective, with commas"),
    MOI_INT("seed", 0, 0, 9007199254740992.0, "seed of all that is random"),
    MOI_VARIANT("sampler", "random", moi_sampler_schemas,
                "who proposes trials"),
    MOI_VARIANT("pruner", "none", moi_pruner_schemas,
                "who stops trials early"),
    MOI_CHOICE("duplicates", "allow", "allow|avoid",
               "whether a point may be proposed twice"),
    MOI_INT("trials", 100, 0, 1e15, "trials to be finished in the study"),
    MOI_INT("workers", 1, 1, 1024, "trials that run at a time"),
    MOI_INT("ranks_per_trial", 0, 0, 1048576,
            "in a recipe that a group runs: ranks that train a trial together; "
            "0: one where they share a study's file or database, else all"),
    MOI_FLOAT("timeout", 0, 0, 1e9,
              "seconds after which no trial is begun; 0 for no end"),
    MOI_FLOAT("patience", 60, 0, 1e6,
              "seconds to wait for others, or for a lost database"),
    MOI_FLOAT("heartbeat", 10, 0, 1e6,
              "seconds between signs of life of running trials, where several "
              "hosts share a database; 0 for none"),
    MOI_FLOAT("grace", 60, 0.1, 1e6,
              "seconds without a sign of life after which a running trial is "
              "given to another worker"),
    MOI_INT("retries", 3, 0, 1e9,
            "times that a trial is given to another worker because its own "
            "died; then it has failed"),
    MOI_TEXT("checkpoints", "",
             "folder for checkpoints of running trials, where all workers see "
             "it; empty: beside the study's file, none for a database"),
    MOI_FLOAT("checkpoint_seconds", 60, 0, 1e9,
              "seconds between two checkpoints of a recipe's running trial; 0 "
              "for none"),
    MOI_KEYS_END,
};

extern const moi_schema moi_study_schema;
const moi_schema moi_study_schema = {
    "study", "a search: who proposes, where trials live, how many", keys};
