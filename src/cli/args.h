/* SPDX-License-Identifier: MIT
 * src/cli/args.h: command lines by tables. The same table parses, explains
 * itself in the help page and names the nearest option after a slip. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli.h"

/* Kinds of options, and what target points to. */
#define OPTION_FLAG 1  /* int: becomes 1 */
#define OPTION_COUNT 2 /* int: one more each time */
#define OPTION_TEXT 3  /* const char * */
#define OPTION_INT 4   /* int64_t, between low and high */
#define OPTION_SET 5   /* settings: PATH=JSON */
#define OPTION_SET_INT 6  /* settings: a whole number for path */
#define OPTION_SET_REAL 7 /* settings: a number for path */
#define OPTION_SET_TEXT 8 /* settings: a text for path */
#define OPTION_SET_TRUE 9 /* settings: true for path; takes no value */
#define OPTION_CHOICE 10 /* const char *: one of path, "a|b|c" */

typedef struct option {
    const char *name;  /* long name, without its dashes */
    char letter;       /* short name, or 0 */
    int kind;
    const char *value; /* what help calls its value; NULL without one */
    void *target;
    const char *help;  /* lines, wrapped at 54 columns */
    const char *path;  /* of OPTION_SET_*, choices of OPTION_CHOICE */
    int64_t low, high; /* of OPTION_INT */
} option;

/* The last row of every table. */
#define OPTIONS_END {NULL, 0, 0, NULL, NULL, NULL, NULL, 0, 0}

/* Values that the command line replaces, in its order. */
typedef struct settings {
    struct setting {
        char *path; /* "train.batch_size" */
        char *json; /* "64" */
        char *text; /* what was typed behind the '=' */
        char *name; /* of the option: "--set" */
    } *items;
    size_t count;
} settings;

void settings_free(settings *s);

/* Add path = json; 0, or an exit code. */
int settings_add(cli *c, settings *s, const char *path, const char *json,
                 const char *text, const char *name);

/* Parse what follows a verb. Positional arguments are moved to the front of
 * argv.
 *
 * count: receives how many there are; low .. high are allowed.
 * Returns ARGS_GO, or the exit code to end with: help was printed, or the
 * command line is wrong and that was told. */
#define ARGS_GO (-1)
int args_parse(cli *c, const option *options, int argc, char **argv, int low,
               int high, int *count);

/* The options before the verb: stops at the first other argument. */
int args_leading(cli *c, int argc, char **argv, int *used);

/* Is --json among the arguments? Errors need to know before they are parsed. */
int args_want_json(int argc, char **argv);

/* Print a verb's help page. */
int args_help(cli *c, const command *v, const option *options);

/* The name nearest to word, or NULL if none is near. next(list, i) gives the
 * names, NULL after the last. */
const char *args_nearest(const char *word,
                         const char *(*next)(const void *list, size_t i),
                         const void *list);

#endif
