/* SPDX-License-Identifier: MIT
 * src/cli/table.c: tables that fit the screen. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2      /* spaces between columns */
#define NARROW 10  /* a text column is not cut below this */

void table_open(table *t, size_t columns)
{
    *t = (table){.columns = columns, .strong = TABLE_NO_ROW};
}

void table_give(table *t, char *text)
{
    if (t->cells == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        char **cell = realloc(t->cell, room * sizeof *cell);

        if (cell) {
            t->cell = cell;
            t->room = room;
        } else {
            t->lost = 1;
        }
    }
    if (!text || t->lost) {
        t->lost = 1;
        free(text);
        return;
    }
    screen_clean(text);
    t->cell[t->cells++] = text;
}

void table_add(table *t, const char *text)
{
    table_give(t, strdup(text));
}

void table_free(table *t)
{
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i]);
    free(t->cell);
    *t = (table){0};
}

static const char *at(const table *t, size_t row, size_t column)
{
    return t->cell[row * t->columns + column];
}

static size_t rows(const table *t)
{
    return t->cells / t->columns;
}

static int is_number(const char *text)
{
    char *end;

    strtod(text, &end);
    return end != text && *end == '\0';
}

/* Numbers, or empty, below the heading? */
static int numeric(const table *t, size_t column)
{
    int some = 0;

    for (size_t row = 1; row < rows(t); row++) {
        const char *text = at(t, row, column);

        if (*text && strcmp(text, "-") != 0) {
            if (!is_number(text))
                return 0;
            some = 1;
        }
    }
    return some;
}

static size_t widest(const table *t, size_t column)
{
    size_t width = 0;

    for (size_t row = 0; row < rows(t); row++) {
        size_t n = screen_columns(at(t, row, column));

        if (n > width)
            width = n;
    }
    return width;
}

static size_t total(const size_t *width, size_t columns)
{
    size_t sum = 0;

    for (size_t i = 0; i < columns; i++)
        sum += width[i] + (i ? GAP : 0);
    return sum;
}

/* Widths of the columns that are shown; returns how many are. */
static size_t fit(const table *t, size_t width[], size_t room)
{
    size_t shown = t->columns;

    for (size_t i = 0; i < shown; i++)
        width[i] = widest(t, i);
    while (room && total(width, shown) > room) {
        size_t longest = shown;

        for (size_t i = 0; i < shown; i++)
            if (!numeric(t, i) && width[i] > NARROW &&
                (longest == shown || width[i] > width[longest]))
                longest = i;
        if (longest < shown)
            width[longest]--;
        else if (shown > 1)
            shown--;
        else
            break;
    }
    return shown;
}

static void print_cell(const screen *s, const char *text, size_t width,
                       int right, int last)
{
    size_t columns = screen_columns(text);
    const char *mark = s->utf8 ? "\xe2\x80\xa6" : "~";

    if (columns > width) {
        fprintf(s->file, "%.*s%s", (int)screen_cut(text, width - 1), text,
                mark);
        return;
    }
    if (right)
        fprintf(s->file, "%*s", (int)(width - columns), "");
    fputs(text, s->file);
    if (!right && !last)
        fprintf(s->file, "%*s", (int)(width - columns), "");
}

static void print_row(const table *t, const screen *s, size_t row,
                      const size_t *width, size_t shown)
{
    char style[16];
    const char *begin = "";

    if (row == 0)
        begin = screen_style(s, STYLE_BOLD, style);
    else if (row - 1 == t->strong)
        begin = screen_style(s, STYLE_GOOD, style);
    fputs(begin, s->file);
    for (size_t i = 0; i < shown; i++) {
        if (i)
            fprintf(s->file, "%*s", GAP, "");
        print_cell(s, at(t, row, i), width[i], numeric(t, i), i + 1 == shown);
    }
    fprintf(s->file, "%s\n", *begin ? screen_plain(s) : "");
}

void table_print(const table *t, const screen *s, const char *indent)
{
    size_t shown, *width, room = s->width > 0 ? (size_t)s->width : 0;

    if (t->lost || rows(t) == 0)
        return;
    width = calloc(t->columns, sizeof *width);
    if (!width)
        return;
    if (room)
        room = room > strlen(indent) + 20 ? room - strlen(indent) : 20;
    shown = fit(t, width, room);
    for (size_t row = 0; row < rows(t); row++) {
        fputs(indent, s->file);
        print_row(t, s, row, width, shown);
    }
    if (shown < t->columns) {
        fprintf(s->file, "%s(too narrow for:", indent);
        for (size_t i = shown; i < t->columns; i++)
            fprintf(s->file, "%s %s", i > shown ? "," : "", at(t, 0, i));
        fputs(")\n", s->file);
    }
    free(width);
}
