/* SPDX-License-Identifier: MIT
 * src/cli/cli.h: what the verbs of the program share.
 *
 * The program stands on the public headers alone. Results go to stdout,
 * progress and messages to stderr; with --json the last line of stdout is one
 * JSON object, also after an error. Only this program's main thread writes to
 * stdout; messages may come from any thread. */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <modelopt/modelopt.h>

#include "screen.h"

/* Exit codes, as modelopt(1) lists them. */
#define EXIT_DONE 0
#define EXIT_FAILED 1      /* the work or the machine failed */
#define EXIT_USAGE 2       /* the command line is wrong */
#define EXIT_INPUT 3       /* a recipe, model, study or data file is wrong */
#define EXIT_NOTHING 4     /* no trial completed, or training diverged */
#define EXIT_INTERRUPTED 130 /* Ctrl-C; 128 + signal, so 143 for SIGTERM */

struct progress;

/* One run of the program. */
typedef struct cli {
    const struct command *verb; /* NULL before it is known */
    int json;
    int quiet;
    int verbose; /* how often -v was given */
    int no_progress;
    const char *backend;
    int64_t threads; /* 0: the library decides */
    screen out, err;
    struct progress *live; /* the bar that messages must not tear */
    int tells_trials;      /* a job tells itself which trials failed */
    mopt_context *ctx;     /* made by cli_context */
} cli;

/* A verb: its line of the list, its page of help, its work. */
typedef struct command {
    const char *name;
    const char *synopsis; /* after the name: "RECIPE [OPTIONS]" */
    const char *summary;  /* one line, no full stop */
    const char *about;    /* paragraphs of the help page, wrapped */
    const char *examples; /* command lines, one a line */
    int (*run)(cli *c, int argc, char **argv);
} command;

int verb_search(cli *c, int argc, char **argv);
int verb_train(cli *c, int argc, char **argv);
int verb_distill(cli *c, int argc, char **argv);
int verb_finetune(cli *c, int argc, char **argv);
int verb_eval(cli *c, int argc, char **argv);
int verb_predict(cli *c, int argc, char **argv);
int verb_study(cli *c, int argc, char **argv);
int verb_info(cli *c, int argc, char **argv);
int verb_keys(cli *c, int argc, char **argv);
int verb_help(cli *c, int argc, char **argv);

extern const command cli_commands[]; /* ends with a name of NULL */

/* Print "modelopt: message" on stderr as one line; nothing when level is
 * above what -q and -v ask for (MOPT_LOG_*). */
void cli_say(cli *c, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tell an error, also as JSON when asked for; returns the exit code. */
int cli_fail(cli *c, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tell the library's last error. about, if not NULL, comes before it. */
int cli_library(cli *c, int32_t status, const char *about);
/* The same with an exit code of its own. */
int cli_library_as(cli *c, int code, int32_t status, const char *about);

/* Exit code of a status of the library. */
int cli_exit_code(int32_t status);

/* Load a library that lies beside libmodelopt, or where the system looks; NULL:
 * dlerror says why not. shared: it loads others that need its symbols. */
void *cli_library_beside(const char *name, int shared);

/* Make c->ctx with the settings of the command line. */
int cli_context(cli *c);

/* Is a study's place a database's URL rather than a file? */
int cli_is_url(const char *place);

/* Load what a study's place needs besides the library; an exit code. */
int cli_place(cli *c, const char *place);

/* A text with a place in it, without the place's password; to be freed. */
char *cli_show_place(const char *text);

/* Print the object as the last line of stdout; takes over the reference. */
int cli_print_json(cli *c, json_t *object);

#endif
