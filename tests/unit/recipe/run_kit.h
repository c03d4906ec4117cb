/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/run_kit.h: running recipes and remembering what they tell;
 * a context and a small search that the tests share. */
#ifndef TESTS_RUN_KIT_H
#define TESTS_RUN_KIT_H

#include <jansson.h>

#include "kit.h"

extern mopt_context *ctx;

/* What the events of the last run told. */
extern json_t *trials[64]; /* by number */
extern int64_t epochs[64]; /* events by trial */
extern json_t *data_told, *test_told;

/* Fixture: the context; what was told is forgotten. */
void setup(void);
void teardown(void);

/* First objective, parameter, state of a trial. */
double value_of(int64_t trial);
double param_of(int64_t trial, const char *name);
const char *state_of(int64_t trial);

mopt_recipe *parse(const char *json);
void set_text(mopt_recipe *recipe, const char *path, const char *value);

/* Run a recipe that must succeed, remembering its events. */
mopt_result *run(const mopt_recipe *recipe);

/* The result as a value; a member, or a member of that. */
json_t *told(const mopt_result *result);
const json_t *at(const json_t *json, const char *key, const char *inner);

/* Let a child do what must end by its own SIGKILL. */
void run_and_die(void (*act)(void *user), void *user);

/* Every tensor the same, bit for bit. */
void same_weights(const mopt_model *a, const mopt_model *b);

/* A callback that cancels, or answers as told, at some event. */
typedef struct stopper {
    int32_t event; /* that stops */
    int32_t answer;
    int64_t calls; /* of it before that */
    mopt_cancel *cancel;
} stopper;

int32_t stopped(const mopt_recipe *recipe, stopper s, mopt_result **result);

#define DATA \
    "\"data\": {\"source\": {\"type\": \"linear\", \"count\": 400, " \
    "\"features\": 8, \"classes\": 3, \"seed\": 4}, \"split\": " \
    "{\"validation\": 0.25, \"test\": 0.25, \"seed\": 9}}"

#define SEARCHED \
    "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": " \
    "{\"choice\": [6, 12]}, \"activation\": \"relu\"}, {\"type\": " \
    "\"dropout\", \"rate\": {\"float\": [0, 0.5]}}, {\"type\": \"dense\"}]}, " \
    "\"train\": {\"epochs\": 4, \"batch_size\": {\"int\": [8, 64], \"log\": " \
    "true}, \"optimizer\": {\"choice\": [{\"type\": \"adam\", " \
    "\"learning_rate\": {\"float\": [1e-3, 1e-1], \"log\": true}}, " \
    "{\"type\": \"sgd\", \"learning_rate\": 0.1, \"momentum\": {\"float\": " \
    "[0, 0.9]}}]}, \"seed\": 3}, \"search\": {\"trials\": 8, \"seed\": 2}, " \
    "\"objectives\": [\"loss\"]}"

#endif
