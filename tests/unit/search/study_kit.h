/* SPDX-License-Identifier: MIT
 * tests/unit/search/study_kit.h: what the tests of studies share. */
#ifndef TESTS_STUDY_KIT_H
#define TESTS_STUDY_KIT_H

#include "kit.h"

/* lr: float, log; layers: 1 to 3; act: relu or tanh; units.2 and units.3: 8 to
 * 64 by 8, from so many layers on. */
mopt_space *study_space(mopt_context *ctx);

/* Let studies that name no storage live in a new file each. */
void study_on_disk(int32_t yes);

/* Create a study with a config given as JSON. */
mopt_study *study_open(mopt_context *ctx, const mopt_space *space,
                       const char *config);

/* The same where it may fail. */
int32_t study_try(mopt_context *ctx, const mopt_space *space,
                  const char *config, mopt_study **out);

/* The whole study as JSON without the times of its trials; the caller frees
 * it. Two studies that did the same have the same text. */
char *study_text(mopt_study *study);

#endif
