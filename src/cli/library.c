/* SPDX-License-Identifier: MIT
 * src/cli/library.c: the program's dealings with the library: its context,
 * its errors, its log. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

static void say_line(cli *c, int32_t level, char *text)
{
    char style[16];
    const char *begin = "", *kind = "";

    screen_clean(text);
    progress_hide(c->live);
    if (level <= MOPT_LOG_ERROR)
        begin = screen_style(&c->err, STYLE_ERROR, style);
    else if (level == MOPT_LOG_WARN)
        kind = "warning: ";
    fprintf(c->err.file, "%smodelopt:%s %s%s\n", begin,
            *begin ? screen_plain(&c->err) : "", kind, text);
    progress_show(c->live);
}

/* -q shows errors, nothing adds warnings, -v what happens. */
static int32_t wanted_level(const cli *c)
{
    if (c->quiet)
        return MOPT_LOG_ERROR;
    return c->verbose > 1   ? MOPT_LOG_DEBUG
           : c->verbose > 0 ? MOPT_LOG_INFO
                            : MOPT_LOG_WARN;
}

static char *format_text(const char *format, va_list args)
{
    char *text;

    return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void cli_say(cli *c, int32_t level, const char *format, ...)
{
    va_list args;
    char *text;

    if (level > wanted_level(c))
        return;
    va_start(args, format);
    text = format_text(format, args);
    va_end(args);
    if (text)
        say_line(c, level, text);
    free(text);
}

/* token: a word for the program's own errors, else the library's. */
static void print_error(cli *c, int code, const char *token, const char *text)
{
    if (c->json)
        cli_print_json(c, json_pack("{s:{s:s, s:i, s:s}}", "error", "code",
                                    token, "exit", code, "message", text));
}

static int fail_text(cli *c, int code, const char *token, char *text)
{
    if (!text) {
        fputs("modelopt: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    say_line(c, MOPT_LOG_ERROR, text);
    print_error(c, code, token, text);
    free(text);
    return code;
}

int cli_fail(cli *c, int code, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = format_text(format, args);
    va_end(args);
    return fail_text(c, code,
                     code == EXIT_USAGE     ? "usage"
                     : code == EXIT_INPUT   ? "input"
                     : code == EXIT_NOTHING ? "no result"
                                            : "failed",
                     text);
}

int cli_exit_code(int32_t status)
{
    switch (status) {
    case MOPT_OK:
    case MOPT_STOPPED:
    case MOPT_EXHAUSTED:
        return EXIT_DONE;
    case MOPT_EINVAL:
    case MOPT_EKEY:
    case MOPT_ERANGE:
    case MOPT_EFORMAT:
    case MOPT_ENOENT:
    case MOPT_EEXIST:
    case MOPT_EUNSUPPORTED:
        return EXIT_INPUT;
    case MOPT_EDIVERGED:
        return EXIT_NOTHING;
    case MOPT_ECANCELED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAILED;
    }
}

int cli_library(cli *c, int32_t status, const char *about)
{
    return cli_library_as(c, cli_exit_code(status), status, about);
}

int cli_library_as(cli *c, int code, int32_t status, const char *about)
{
    char buf[4096], *text = NULL;

    buf[0] = '\0';
    mopt_last_error(buf, sizeof buf, NULL);
    if (!buf[0])
        snprintf(buf, sizeof buf, "%s", mopt_status_text(status));
    /* Many messages name the file themselves. */
    if (about && strncmp(buf, about, strlen(about)) == 0)
        about = NULL;
    if (asprintf(&text, "%s%s%s", about ? about : "", about ? ": " : "",
                 buf) < 0)
        text = NULL;
    return fail_text(c, code, mopt_status_name(status), text);
}

static void on_log(void *user, int32_t level, const char *component,
                   const char *message)
{
    const cli *c = user;

    if (c->tells_trials && strcmp(component, "study") == 0 &&
        strncmp(message, "a trial failed", 14) == 0)
        return;
    cli_say(user, level, "%s: %s", component, message);
}

/* The library tells every epoch, which is more than -v asks for. */
static const char *library_level(const cli *c)
{
    if (c->quiet)
        return "error";
    return c->verbose > 2   ? "debug"
           : c->verbose > 1 ? "info"
                            : "warn";
}

/* The process is ours, so OpenBLAS may be told to leave the cores to the
 * workers. */
static int32_t fill_config(const cli *c, mopt_config *config)
{
    int32_t rc = mopt_config_set_int(config, "blas_threads", 1);

    if (rc == MOPT_OK && c->threads > 0)
        rc = mopt_config_set_int(config, "threads", c->threads);
    if (rc == MOPT_OK && c->backend)
        rc = mopt_config_set_text(config, "backend", c->backend);
    if (rc == MOPT_OK)
        rc = mopt_config_set_text(config, "log_level", library_level(c));
    return rc;
}

int cli_context(cli *c)
{
    mopt_config *config = NULL;
    int32_t rc = mopt_context_create(NULL, NULL, &c->ctx);

    if (rc == MOPT_OK)
        rc = mopt_context_set_log(c->ctx, on_log, c, NULL);
    if (rc == MOPT_OK)
        rc = mopt_config_create(c->ctx, "context", &config);
    if (rc == MOPT_OK)
        rc = fill_config(c, config);
    if (rc == MOPT_OK)
        rc = mopt_context_configure(c->ctx, config);
    mopt_config_free(config);
    return rc == MOPT_OK ? 0 : cli_library(c, rc, NULL);
}
