/* SPDX-License-Identifier: MIT
 * src/cli/trials.h: trials of a study as tables and CSV. */
#ifndef CLI_TRIALS_H
#define CLI_TRIALS_H

#include "json.h"

/* One study to read, from its file. */
int trials_open(cli *c, const char *path, const char *name,
                mopt_study **study);

/* The same without a word when there is none; 1 if it was opened. */
int trials_find(cli *c, const char *path, const char *name,
                mopt_study **study);

/* The whole study as JSON, or NULL after an error that was told. */
json_t *trials_read(cli *c, mopt_study *study, int *code);

/* Number of the best complete trial, -1 if there is none. */
int64_t trials_best(mopt_study *study);

/* Sort an array of trials: by number, or by the first value with the best
 * first and those without a value last. */
void trials_sort(json_t *trials, int by_value, int maximize);

/* Print at most limit trials (0: all); best stands out. names: of the
 * objectives, an array of texts, or NULL. */
void trials_table(cli *c, const json_t *trials, const json_t *names,
                  size_t limit, int64_t best);

/* Print every trial as CSV (RFC 4180). */
void trials_csv(cli *c, const json_t *trials, const json_t *names);

/* Print where a trial of a search with warm starts comes from, if it is one. */
void trials_lineage(cli *c, const json_t *trial);

/* Print a trial's parameters, one a line. */
void trials_params(cli *c, const json_t *params, const char *indent);

/* One field of CSV, quoted where it must be. */
void trials_csv_field(FILE *file, const char *text);

#endif
