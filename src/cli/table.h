/* SPDX-License-Identifier: MIT
 * src/cli/table.h: tables that fit the screen. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "screen.h"

typedef struct table {
    size_t columns, cells; /* cells count the heading too */
    size_t room;
    char **cell;
    int lost;      /* memory ran out: nothing is printed */
    size_t strong; /* row to stand out, from 0 */
} table;

#define TABLE_NO_ROW ((size_t)-1)

void table_open(table *t, size_t columns);

/* The next cell, from left to right, from the heading down; copied. */
void table_add(table *t, const char *text);
/* The same, freeing the text. */
void table_give(table *t, char *text);

/* Print it. Columns of numbers are set to the right. Where the width does not
 * do, long texts are cut, then the last columns are left out and named. */
void table_print(const table *t, const screen *s, const char *indent);
void table_free(table *t);

#endif
