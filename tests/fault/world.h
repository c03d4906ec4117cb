/* SPDX-License-Identifier: MIT
 * tests/fault/world.h: the world in which the sweeps call: one object of each
 * type, made when it is first asked for. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <math.h>
#include <stdint.h>

#include "kit.h"

#define ROWS 8
#define FEATURES 4
#define CLASSES 2
#define UNITS 3
#define LAYERS \
    "{\"layers\": [{\"type\": \"dense\", \"units\": 3, " \
    "\"activation\": \"relu\"}, {\"type\": \"dense\"}]}"
#define SPACE \
    "{\"a\": {\"int\": [1, 3]}, \"b\": {\"float\": [0, 1]}, " \
    "\"c\": {\"choice\": [\"u\", \"v\"]}}"
#define RECIPE \
    "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 60}}, " \
    "\"model\": {\"layers\": [{\"type\": \"dense\"}]}, " \
    "\"train\": {\"epochs\": 1}}"

/* What no call may leave in an out-parameter when it fails. */
#define UNTOUCHED (-77)

enum { FILE_MODEL, FILE_STUDY, FILE_CHECKPOINT, FILE_RECIPE,
       FILE_ADAPTER };

typedef struct world {
    mopt_context *ctx;
    mopt_cancel *cancel;
    mopt_config *configs[9];
    mopt_dataset *data;
    mopt_transform *transform;
    mopt_model *model, *stack;
    mopt_space *space;
    mopt_study *study, *filed;
    mopt_trial *trial, *finished;
    mopt_trainer *trainer;
    mopt_model *student;
    mopt_distill *distill, *lesson;
    mopt_finetune *finetune;
    mopt_adapter *adapter;
    mopt_recipe *recipe;
    mopt_result *result;
    mopt_group *group, *single;
    mopt_parallel *parallel;
    int64_t fail_at; /* allocation of the next call that fails; < 0: none */
    int32_t fail_forever;
    int64_t asked; /* allocations of the last call */
    void *made[4]; /* what a call that succeeds makes */
    char buf[1 << 16];
    size_t needed;
    char *endless; /* a text of a million letters */
    float x[ROWS * FEATURES], out[64];
    double given[8], doubles[8];
    int64_t rows[8], integers[8];
    int32_t labels[ROWS], codes[8];
} world;

mopt_config *the_config(world *w, const char *kind);
mopt_dataset *the_data(world *w);
mopt_transform *the_transform(world *w);
mopt_model *the_model(world *w);
mopt_model *the_stack(world *w); /* no weights yet */
mopt_space *the_space(world *w);
mopt_study *the_study(world *w);
mopt_trial *the_trial(world *w); /* running */
mopt_trial *the_told(world *w);  /* complete */
mopt_trainer *the_trainer(world *w);
mopt_recipe *the_recipe(world *w);
mopt_model *the_student(world *w);   /* as the_model, weights of its own */
mopt_distill *the_distill(world *w); /* without a teacher yet */
mopt_distill *the_lesson(world *w);  /* with one */
mopt_distill *the_taught(world *w);  /* and fitted */
mopt_finetune *the_finetune(world *w);
mopt_finetune *the_tuned(world *w);
mopt_adapter *the_adapter(world *w);
mopt_adapter *the_merged(world *w); /* into the_model */
mopt_result *the_result(world *w);
mopt_result *the_tuned_result(world *w); /* of low ranks, in its place */
mopt_group *the_group(world *w); /* the first of two; the other says 0 */
mopt_group *a_single(world *w);  /* of one rank, a new one each time */
mopt_parallel *the_parallel(world *w);
const char *the_file(world *w, int which);

int32_t an_objective(void *user, mopt_trial *trial, double *values);
int32_t a_watcher(void *user, mopt_trial *trial);
int32_t a_hook(void *user, mopt_trainer *trainer);
int32_t a_term(void *user, int64_t rows, int64_t outputs, const int64_t *index,
               const float *output, float *grad, double *loss);
int32_t a_teacher(void *user, int64_t rows, int64_t features, int64_t outputs,
                  const int64_t *index, const float *x, float *out);
void a_log(void *user, int32_t level, const char *component,
           const char *message);
int32_t a_rank(void *user, mopt_group *group);
extern const mopt_backend a_backend;
extern const mopt_database a_database;
extern const mopt_group_table a_table;

/* The call returned status: an error, with its message, nothing written. */
void refused(world *w, int32_t status, const char *function, const char *what);
/* The call returned status: no error. */
void accepted(world *w, int32_t status, const char *function);

world *world_begin(void);
void world_end(world *w);

/* Around the call that counts: an allocation in between fails. */
void arm(world *w);
void disarm(world *w);

typedef struct sweep {
    const char *function;
    void (*misuse)(world *w);
    int32_t (*call)(world *w); /* with right arguments */
} sweep;
extern const sweep sweeps[];
extern const int sweep_count;

#endif
