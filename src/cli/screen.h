/* SPDX-License-Identifier: MIT
 * src/cli/screen.h: what a stream can show, and text made fit for it. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stddef.h>
#include <stdio.h>

typedef struct screen {
    FILE *file;
    int tty;    /* a terminal that can move its cursor */
    int colour; /* NO_COLOR is unset, TERM is not dumb, and tty */
    int utf8;
    int width;  /* columns; 0 when unknown */
} screen;

/* Styles of screen_style. */
#define STYLE_BOLD "1"
#define STYLE_DIM "2"
#define STYLE_ERROR "1;31"
#define STYLE_GOOD "32"

void screen_open(screen *s, FILE *file);
void screen_measure(screen *s); /* the width now */

/* The sequence that begins a style, or "" where there are no colours. */
const char *screen_style(const screen *s, const char *style, char buf[16]);
const char *screen_plain(const screen *s);

/* Columns that UTF-8 text takes (one a code point). */
size_t screen_columns(const char *text);

/* Bytes of the first columns of text. */
size_t screen_cut(const char *text, size_t columns);

/* Replace what could move a cursor or break a line by '?'. */
void screen_clean(char *text);

/* "40 ms", "0.4 s", "12 s", "3:05", "1:02:09". */
const char *screen_duration(double seconds, char buf[32]);

/* The same in whole seconds: "0 s", "12 s", "3:05". */
const char *screen_clock(double seconds, char buf[32]);

/* "940 B", "12.3 KB", "4.1 MB". */
const char *screen_bytes(double bytes, char buf[32]);

/* "1,234,567". */
const char *screen_count(double count, char buf[32]);

#endif
