/* SPDX-License-Identifier: MIT
 * src/cli/adapt.h: what distilling or fine-tuning lost and won, told. */
#ifndef CLI_ADAPT_H
#define CLI_ADAPT_H

#include "cli.h"

/* The table of one run's result: who is how good, beside what was published;
 * nothing if it was a plain training. */
void adapt_print(cli *c, const json_t *told, const json_t *published);

/* The table of several runs: a row a case, what was published below. */
void adapt_print_cases(cli *c, const json_t *told);

#endif
