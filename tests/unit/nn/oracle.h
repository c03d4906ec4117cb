/* SPDX-License-Identifier: MIT
 * tests/unit/nn/oracle.h: asking oracle.py, where the environment variable
 * MODELOPT_ORACLE_PYTHON names an interpreter that has the modules. */
#ifndef TESTS_NN_ORACLE_H
#define TESTS_NN_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "kit.h"
#include "learn/format/safetensors.h"

/* Run a command of the oracle on a file; its answers, NULL: there is none. */
static moi_safetensors *ask_oracle(mopt_context *ctx, const char *command,
                                   const char *given)
{
    const char *python = getenv("MODELOPT_ORACLE_PYTHON");
    const char *tests = getenv("MODELOPT_TESTS"); /* where the sources are */
    const char *answers = kit_path("answers.safetensors");
    char line[2000];
    moi_safetensors *file = NULL;
    if (python == NULL || python[0] == '\0' || tests == NULL)
        return NULL;
    snprintf(line, sizeof line, "%s %s/unit/nn/oracle.py %s %s %s", python,
             tests, command, given, answers);
    int status = system(line);
    ck_assert_msg(WIFEXITED(status), "the oracle was killed");
    if (WEXITSTATUS(status) == 77)
        return NULL;
    ck_assert_msg(WEXITSTATUS(status) == 0, "the oracle failed");
    kit_ok(moi_safetensors_read(ctx, answers, &file));
    return file;
}

/* One answer, count numbers of it. */
static const double *answer(const moi_safetensors *file, const char *name,
                            int64_t count)
{
    static double values[4096];
    const moi_tensor *tensor = moi_safetensors_find(file, name);
    ck_assert_msg(tensor != NULL, "the oracle says nothing of %s", name);
    ck_assert_int_eq(tensor->type, MOPT_F64);
    ck_assert_int_eq(moi_tensor_count(tensor), count);
    ck_assert_int_le(count, 4096);
    memcpy(values, tensor->data, (size_t)tensor->bytes);
    return values;
}

#endif
