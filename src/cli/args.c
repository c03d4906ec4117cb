/* SPDX-License-Identifier: MIT
 * src/cli/args.c: command lines by tables. */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMMON 10 /* common options, the end included */

/* The options that every verb takes. */
static void common_options(cli *c, option list[COMMON])
{
    const option all[COMMON] = {
        {"json", 0, OPTION_FLAG, NULL, &c->json,
         "end stdout with one JSON object", NULL, 0, 0},
        {"backend", 0, OPTION_TEXT, "NAME", &c->backend,
         "linear algebra by NAME: openblas, reference", NULL, 0, 0},
        {"threads", 0, OPTION_INT, "N", &c->threads,
         "threads to compute with (default: all cores)", NULL, 0, 4096},
        {"no-progress", 0, OPTION_FLAG, NULL, &c->no_progress,
         "no progress bar, no progress lines", NULL, 0, 0},
        {"quiet", 'q', OPTION_FLAG, NULL, &c->quiet,
         "errors and results only", NULL, 0, 0},
        {"verbose", 'v', OPTION_COUNT, NULL, &c->verbose,
         "tell more; -vv: every epoch; -vvv: everything", NULL, 0, 0},
        {"help", 'h', OPTION_FLAG, NULL, NULL, "show this page", NULL, 0, 0},
        OPTIONS_END,
    };
    memcpy(list, all, sizeof all);
}

/* ---- near names ------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits from a to b: insert, delete, replace, swap neighbours (optimal string
 * alignment); words beyond 47 bytes are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[3][48];

    if (n > 47 || m > 47)
        return 99;
    for (size_t j = 0; j <= m; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3], *up = row[(i - 1) % 3];
        const size_t *over = row[(i + 1) % 3]; /* two rows up */

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t same = up[j - 1] + (a[i - 1] != b[j - 1]);

            now[j] = least(same, least(up[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], over[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

const char *args_nearest(const char *word,
                         const char *(*next)(const void *list, size_t i),
                         const void *list)
{
    const char *best = NULL, *name;
    size_t most = strlen(word) / 3 + 1, least_far = most + 1;

    for (size_t i = 0; (name = next(list, i)); i++) {
        size_t far = distance(word, name);

        /* What was typed may be the beginning of a longer name. */
        if (strlen(word) >= 2 && strncmp(word, name, strlen(word)) == 0)
            far = 1;
        if (far < least_far) {
            least_far = far;
            best = name;
        }
    }
    return best;
}

/* ---- settings --------------------------------------------------------- */

void settings_free(settings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].path);
        free(s->items[i].json);
        free(s->items[i].text);
        free(s->items[i].name);
    }
    free(s->items);
    s->items = NULL;
    s->count = 0;
}

int settings_add(cli *c, settings *s, const char *path, const char *json,
                 const char *text, const char *name)
{
    struct setting *items = realloc(s->items, (s->count + 1) * sizeof *items);
    struct setting new = {strdup(path), strdup(json), strdup(text),
                          strdup(name)};

    if (items)
        s->items = items;
    if (!items || !new.path || !new.json || !new.text || !new.name) {
        free(new.path);
        free(new.json);
        free(new.text);
        free(new.name);
        return cli_fail(c, EXIT_FAILED, "out of memory");
    }
    s->items[s->count++] = new;
    return 0;
}

/* A value as JSON: what is not JSON is a text, so that a shell's user need not
 * quote twice: activation=relu. */
static int add_json(cli *c, settings *s, const char *path, const char *text,
                    const char *name)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
    char *quoted;
    int code;

    if (value || text[0] == '{' || text[0] == '[' || text[0] == '"') {
        json_decref(value);
        if (!value)
            return cli_fail(c, EXIT_USAGE, "%s %s: not JSON: %s", name, path,
                            error.text);
        return settings_add(c, s, path, text, text, name);
    }
    value = json_string(text);
    quoted = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    if (!quoted)
        return cli_fail(c, EXIT_USAGE, "%s %s: not UTF-8", name, path);
    code = settings_add(c, s, path, quoted, text, name);
    free(quoted);
    return code;
}

static int add_pair(cli *c, settings *s, const char *pair)
{
    const char *equals = strchr(pair, '=');
    char path[512];

    if (!equals || equals == pair)
        return cli_fail(c, EXIT_USAGE,
                        "--set takes PATH=JSON, such as train.epochs=5; "
                        "not '%s'", pair);
    if ((size_t)(equals - pair) >= sizeof path)
        return cli_fail(c, EXIT_USAGE, "--set: the path is too long");
    snprintf(path, sizeof path, "%.*s", (int)(equals - pair), pair);
    return add_json(c, s, path, equals + 1, "--set");
}

/* ---- values ----------------------------------------------------------- */

static int64_t whole(const char *text, int *good)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    *good = *text && !*end && errno == 0 && *text != ' ' && *text != '+';
    return value;
}

static int take_int(cli *c, const option *o, const char *text)
{
    int good;
    int64_t value = whole(text, &good);

    if (!good || value < o->low || value > o->high)
        return cli_fail(c, EXIT_USAGE,
                        "--%s takes a whole number from %lld to %lld, "
                        "not '%s'", o->name, (long long)o->low,
                        (long long)o->high, text);
    *(int64_t *)o->target = value;
    return 0;
}

static int take_number(cli *c, const option *o, const char *text)
{
    char name[64], json[64], *end;
    int good;
    double real = strtod(text, &end);

    whole(text, &good);
    if (o->kind == OPTION_SET_INT && !good)
        return cli_fail(c, EXIT_USAGE, "--%s takes a whole number, not '%s'",
                        o->name, text);
    if (!*text || *end || !isfinite(real) || strpbrk(text, "xX +"))
        return cli_fail(c, EXIT_USAGE, "--%s takes a number, not '%s'",
                        o->name, text);
    snprintf(name, sizeof name, "--%s", o->name);
    if (o->kind == OPTION_SET_REAL)
        snprintf(json, sizeof json, "%.17g", real);
    else
        snprintf(json, sizeof json, "%lld", (long long)whole(text, &good));
    return settings_add(c, o->target, o->path, json, text, name);
}

static int take_text(cli *c, const option *o, const char *text)
{
    char name[64];
    json_t *value = json_string(text);
    char *json = json_dumps(value, JSON_ENCODE_ANY);
    int code;

    json_decref(value);
    snprintf(name, sizeof name, "--%s", o->name);
    if (!json)
        return cli_fail(c, EXIT_USAGE, "%s: not UTF-8", name);
    code = settings_add(c, o->target, o->path, json, text, name);
    free(json);
    return code;
}

/* The i-th of "a|b|c"; static, for one thread. */
static const char *choice_at(const void *list, size_t i)
{
    static char word[32];
    const char *at = list;

    for (; i > 0; i--) {
        at = strchr(at, '|');
        if (!at)
            return NULL;
        at++;
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(at, "|"), at);
    return word;
}

static int take_choice(cli *c, const option *o, const char *text)
{
    const char *word;

    for (size_t i = 0; (word = choice_at(o->path, i)); i++)
        if (strcmp(word, text) == 0) {
            *(const char **)o->target = text;
            return 0;
        }
    return cli_fail(c, EXIT_USAGE, "--%s takes one of %s, not '%s'", o->name,
                    o->path, text);
}

static int take(cli *c, const option *o, const char *text)
{
    switch (o->kind) {
    case OPTION_TEXT:
        *(const char **)o->target = text;
        return 0;
    case OPTION_INT:
        return take_int(c, o, text);
    case OPTION_CHOICE:
        return take_choice(c, o, text);
    case OPTION_SET:
        return add_pair(c, o->target, text);
    case OPTION_SET_TEXT:
        return take_text(c, o, text);
    default:
        return take_number(c, o, text);
    }
}

/* ---- the parser ------------------------------------------------------- */

/* Both tables of a verb. */
typedef struct tables {
    cli *c;
    const option *own;
    option common[COMMON];
    int help; /* --help was seen */
} tables;

static const option *table_at(const tables *t, size_t i)
{
    size_t own = 0;

    while (t->own && t->own[own].name)
        own++;
    return i < own ? &t->own[i] : &t->common[i - own];
}

static const char *name_at(const void *list, size_t i)
{
    return table_at(list, i)->name;
}

static const option *find_long(const tables *t, const char *name, size_t n)
{
    const option *o;

    for (size_t i = 0; (o = table_at(t, i))->name; i++)
        if (strncmp(o->name, name, n) == 0 && o->name[n] == '\0')
            return o;
    return NULL;
}

static const option *find_short(const tables *t, char letter)
{
    const option *o;

    for (size_t i = 0; (o = table_at(t, i))->name; i++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

static const char *verb_name(const tables *t)
{
    return t->c->verb ? t->c->verb->name : "";
}

static int unknown(const tables *t, const char *name, size_t n)
{
    char word[48];
    const char *near;

    snprintf(word, sizeof word, "%.*s", (int)n, name);
    near = args_nearest(word, name_at, t);
    if (near)
        return cli_fail(t->c, EXIT_USAGE,
                        "unknown option '--%s'; did you mean '--%s'?", word,
                        near);
    return cli_fail(t->c, EXIT_USAGE,
                    "unknown option '--%s'; 'modelopt help%s%s' lists them",
                    word, t->c->verb ? " " : "", verb_name(t));
}

/* Act on an option without a value. */
static int flag(tables *t, const option *o)
{
    if (o->kind == OPTION_SET_TRUE)
        return settings_add(t->c, o->target, o->path, "true", "true", o->name);
    if (o->kind == OPTION_COUNT)
        ++*(int *)o->target;
    else if (o->target)
        *(int *)o->target = 1;
    else
        t->help = 1;
    return 0;
}

static int is_flag(const option *o)
{
    return o->kind == OPTION_FLAG || o->kind == OPTION_COUNT ||
           o->kind == OPTION_SET_TRUE;
}

/* "--name", "--name=value", "--name value"; *i is moved past the value. */
static int parse_long(tables *t, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const option *o = find_long(t, name, n);

    if (!o)
        return unknown(t, name, n);
    if (is_flag(o) && equals)
        return cli_fail(t->c, EXIT_USAGE, "--%s takes no value", o->name);
    if (is_flag(o))
        return flag(t, o);
    if (equals)
        return take(t->c, o, equals + 1);
    if (*i + 1 >= argc)
        return cli_fail(t->c, EXIT_USAGE, "--%s needs a value: --%s %s",
                        o->name, o->name, o->value);
    return take(t->c, o, argv[++*i]);
}

/* "-q", "-qv", "-o value", "-ovalue". */
static int parse_short(tables *t, int argc, char **argv, int *i)
{
    for (const char *at = argv[*i] + 1; *at; at++) {
        const option *o = find_short(t, *at);

        if (!o)
            return cli_fail(t->c, EXIT_USAGE,
                            "unknown option '-%c'; 'modelopt help%s%s' lists "
                            "them", *at, t->c->verb ? " " : "",
                            verb_name(t));
        if (is_flag(o)) {
            int code = flag(t, o);

            if (code != 0)
                return code;
            continue;
        }
        if (at[1])
            return take(t->c, o, at + 1);
        if (*i + 1 >= argc)
            return cli_fail(t->c, EXIT_USAGE, "-%c needs a value: -%c %s", *at,
                            *at, o->value);
        return take(t->c, o, argv[++*i]);
    }
    return 0;
}

static int parse_option(tables *t, int argc, char **argv, int *i)
{
    return argv[*i][1] == '-' ? parse_long(t, argc, argv, i)
                              : parse_short(t, argc, argv, i);
}

static int looks_like_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

/* Help for the verb if it was asked for, else the count of arguments. */
static int check_count(tables *t, int count, int low, int high, char **argv)
{
    const command *v = t->c->verb;

    if (!v)
        return ARGS_GO;
    if (t->help)
        return args_help(t->c, v, t->own);
    if (count < low)
        return cli_fail(t->c, EXIT_USAGE,
                        "too few arguments; usage: modelopt %s %s", v->name,
                        v->synopsis);
    if (count > high)
        return cli_fail(t->c, EXIT_USAGE,
                        "one argument too many: '%s'; usage: modelopt %s %s",
                        argv[high], v->name, v->synopsis);
    return ARGS_GO;
}

int args_parse(cli *c, const option *options, int argc, char **argv, int low,
               int high, int *count)
{
    tables t = {.c = c, .own = options};
    int positional = 0, only = 0;

    common_options(c, t.common);
    for (int i = 0; i < argc; i++) {
        int code;

        if (only || !looks_like_option(argv[i])) {
            argv[positional++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only = 1;
        } else {
            code = parse_option(&t, argc, argv, &i);
            if (code != 0)
                return code;
        }
    }
    *count = positional;
    return check_count(&t, positional, low, high, argv);
}

int args_leading(cli *c, int argc, char **argv, int *used)
{
    int version = 0;
    const option own[] = {
        {"version", 'V', OPTION_FLAG, NULL, &version, "", NULL, 0, 0},
        OPTIONS_END,
    };
    tables t = {.c = c, .own = own};
    int i = 0;

    common_options(c, t.common);
    for (; i < argc && looks_like_option(argv[i]); i++) {
        int code = parse_option(&t, argc, argv, &i);

        if (code != 0)
            return code;
    }
    *used = i;
    if (version) {
        int32_t major, minor, patch;

        mopt_version(&major, &minor, &patch);
        printf("modelopt %d.%d.%d\n", major, minor, patch);
        return EXIT_DONE;
    }
    return t.help ? verb_help(c, 0, argv) : ARGS_GO;
}

int args_want_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return 1;
    return 0;
}

/* ---- the help page ---------------------------------------------------- */

#define HELP_COLUMN 24 /* where the text of an option begins */

static void help_option(const option *o)
{
    char left[64];
    int n;

    if (o->letter)
        n = snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name);
    else
        n = snprintf(left, sizeof left, "      --%s", o->name);
    if (o->value)
        n += snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
    if (n > HELP_COLUMN - 2)
        printf("%s\n%*s", left, HELP_COLUMN, "");
    else
        printf("%-*s", HELP_COLUMN, left);
    for (const char *at = o->help; *at; at++) {
        putchar(*at);
        if (*at == '\n')
            printf("%*s", HELP_COLUMN, "");
    }
    putchar('\n');
}

int args_help(cli *c, const command *v, const option *options)
{
    option common[COMMON];

    printf("usage: modelopt %s %s\n\n%s\n", v->name, v->synopsis, v->about);
    if (options && options->name)
        printf("\nOptions:\n");
    for (const option *o = options; o && o->name; o++)
        help_option(o);
    common_options(c, common);
    printf("\nOptions of every verb:\n");
    for (const option *o = common; o->name; o++)
        help_option(o);
    printf("\nExamples:\n");
    for (const char *line = v->examples; *line;) {
        size_t n = strcspn(line, "\n");

        fputs("  ", stdout);
        fwrite(line, 1, n, stdout);
        fputc('\n', stdout);
        line += n + (line[n] == '\n');
    }
    return EXIT_DONE;
}
