/* SPDX-License-Identifier: MIT
 * src/cli/screen.c: what a stream can show, and text made fit for it. */
#include "screen.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int says_utf8(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return 0;
}

void screen_measure(screen *s)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    /* A pager has our stdout, but the terminal is still on another one. */
    for (int fd = 0; fd < 3; fd++)
        if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 &&
            size.ws_col > 0) {
            s->width = size.ws_col;
            break;
        }
    if (!s->tty)
        s->width = 0;
    if (columns && atoi(columns) > 0)
        s->width = atoi(columns);
    if (s->tty && s->width == 0)
        s->width = 80;
}

void screen_open(screen *s, FILE *file)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    int dumb = !term || !*term || strcmp(term, "dumb") == 0;

    s->file = file;
    s->tty = isatty(fileno(file)) && !dumb;
    s->colour = s->tty && !(no_color && *no_color);
    s->utf8 = says_utf8();
    s->width = 0;
    screen_measure(s);
}

const char *screen_style(const screen *s, const char *style, char buf[16])
{
    if (!s->colour)
        return "";
    snprintf(buf, 16, "\033[%sm", style);
    return buf;
}

const char *screen_plain(const screen *s)
{
    return s->colour ? "\033[0m" : "";
}

static int starts_code_point(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t screen_columns(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += (size_t)starts_code_point(*text);
    return n;
}

size_t screen_cut(const char *text, size_t columns)
{
    size_t i = 0;

    for (size_t n = 0; text[i]; i++)
        if (starts_code_point(text[i]) && n++ == columns)
            break;
    return i;
}

void screen_clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

const char *screen_clock(double seconds, char buf[32])
{
    int64_t s = seconds >= 0 && seconds < 1e9 ? (int64_t)(seconds + 0.5) : 0;

    if (s < 60)
        snprintf(buf, 32, "%d s", (int)s);
    else if (s < 3600)
        snprintf(buf, 32, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else
        snprintf(buf, 32, "%d:%02d:%02d", (int)(s / 3600),
                 (int)(s / 60 % 60), (int)(s % 60));
    return buf;
}

const char *screen_duration(double seconds, char buf[32])
{
    if (seconds >= 0 && seconds < 0.0995)
        snprintf(buf, 32, "%.0f ms", seconds * 1000);
    else if (seconds >= 0 && seconds < 9.95)
        snprintf(buf, 32, "%.1f s", seconds);
    else
        screen_clock(seconds, buf);
    return buf;
}

const char *screen_bytes(double bytes, char buf[32])
{
    const char *units[] = {"B", "KB", "MB", "GB", "TB"};
    int unit = 0;

    while (bytes >= 999.5 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(buf, 32, unit && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes,
             units[unit]);
    return buf;
}

const char *screen_count(double count, char buf[32])
{
    char digits[24];
    size_t n, at = 0;

    snprintf(digits, sizeof digits, "%.0f", fmin(fabs(count), 1e18));
    n = strlen(digits);
    if (count < 0)
        buf[at++] = '-';
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}
