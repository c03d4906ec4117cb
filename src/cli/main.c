/* SPDX-License-Identifier: MIT
 * src/cli/main.c: the program modelopt: from a command line to a verb. */
#include "args.h"
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *verb_at(const void *list, size_t i)
{
    return ((const command *)list)[i].name;
}

static const command *find(const char *name)
{
    for (const command *v = cli_commands; name && v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

static int unknown_verb(cli *c, const char *name)
{
    const char *near = args_nearest(name, verb_at, cli_commands);

    if (near)
        return cli_fail(c, EXIT_USAGE,
                        "no verb '%s'; did you mean 'modelopt %s'?", name,
                        near);
    return cli_fail(c, EXIT_USAGE, "no verb '%s'; 'modelopt help' lists them",
                    name);
}

static void print_verbs(void)
{
    printf("usage: modelopt VERB [ARGUMENTS] [OPTIONS]\n\n"
           "Find, train and use neural models.\n\nVerbs:\n");
    for (const command *v = cli_commands; v->name; v++)
        printf("  %-9s %s\n", v->name, v->summary);
    printf("\n"
           "'modelopt help VERB' explains one; every verb takes --json, -q, "
           "-v and --help.\n"
           "Exit codes: 0 done, 1 failed, 2 usage, 3 wrong input, 4 no result, "
           "130 Ctrl-C.\n");
}

int verb_help(cli *c, int argc, char **argv)
{
    int count, code = args_parse(c, NULL, argc, argv, 0, 1, &count);
    char help[] = "--help";
    char *ask[] = {help};
    const command *v;

    if (code != ARGS_GO)
        return code;
    if (count == 0) {
        print_verbs();
        if (c->json)
            cli_print_json(c, json_object());
        return EXIT_DONE;
    }
    v = find(argv[0]);
    if (!v)
        return unknown_verb(c, argv[0]);
    c->verb = v;
    return v->run(c, 1, ask);
}

/* What was printed may still fail to arrive: a full disk, a closed pipe. */
static int close_output(cli *c, int code)
{
    int bad = ferror(stdout);

    errno = 0;
    if ((fflush(stdout) != 0 || bad) && code == EXIT_DONE) {
        c->json = 0;
        return cli_fail(c, EXIT_FAILED, "cannot write the result: %s",
                        errno ? strerror(errno) : "output failed");
    }
    return code;
}

static int run(cli *c, int argc, char **argv)
{
    int used, code = args_leading(c, argc - 1, argv + 1, &used);
    const command *v;

    if (code != ARGS_GO)
        return code;
    if (used + 1 >= argc)
        return cli_fail(c, EXIT_USAGE,
                        "no verb; 'modelopt help' lists what can be done");
    v = find(argv[used + 1]);
    if (!v)
        return unknown_verb(c, argv[used + 1]);
    c->verb = v;
    return v->run(c, argc - used - 2, argv + used + 2);
}

int main(int argc, char **argv)
{
    cli c = {0};
    int code;

    c.json = args_want_json(argc, argv);
    screen_open(&c.out, stdout);
    screen_open(&c.err, stderr);
    code = close_output(&c, run(&c, argc, argv));
    mopt_context_free(c.ctx);
    return code;
}
