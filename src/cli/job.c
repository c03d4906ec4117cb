/* SPDX-License-Identifier: MIT
 * src/cli/job.c: a recipe on its way from the command line to its result. */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interrupt.h"
#include "json.h"
#include "ranks.h"
#include "trials.h"

/* ---- the command as typed --------------------------------------------- */

static void put_quoted(FILE *file, const char *word)
{
    const char *safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789-_=+.,:/@%";

    if (*word && word[strspn(word, safe)] == '\0') {
        fputs(word, file);
        return;
    }
    fputc('\'', file);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", file);
        else
            fputc(*word, file);
    fputc('\'', file);
}

char *job_command(const char *verb, int argc, char **argv)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    if (!file)
        return NULL;
    fprintf(file, "modelopt %s", verb);
    for (int i = 0; i < argc; i++) {
        fputc(' ', file);
        put_quoted(file, argv[i]);
    }
    fclose(file);
    return out;
}

/* ---- the recipe ------------------------------------------------------- */

static char *read_stdin(void)
{
    char *out = NULL, block[4096];
    size_t size, n;
    FILE *file = open_memstream(&out, &size);

    if (!file)
        return NULL;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0)
        fwrite(block, 1, n, file);
    fclose(file);
    return out;
}

static int32_t parse_stdin(job *j)
{
    char *json = read_stdin();
    int32_t rc = json ? mopt_recipe_parse(j->c->ctx, json, NULL, &j->recipe)
                      : MOPT_ENOMEM;

    free(json);
    return rc;
}

int job_read(job *j)
{
    int from_stdin = strcmp(j->path, "-") == 0;
    const char *name = from_stdin ? "standard input" : j->path;
    struct stat st;
    int32_t rc;

    if (!from_stdin && stat(j->path, &st) != 0)
        return cli_fail(j->c, EXIT_INPUT, "%s: %s; name the file of a recipe",
                        j->path, strerror(errno));
    rc = from_stdin ? parse_stdin(j)
                    : mopt_recipe_load(j->c->ctx, j->path, &j->recipe);
    return rc == MOPT_OK ? 0 : cli_library(j->c, rc, name);
}

static int read_doc(job *j)
{
    reply t = {0};
    int32_t rc;

    ASK(rc, &t, mopt_recipe_to_json, j->recipe);
    if (rc != MOPT_OK)
        return cli_library(j->c, rc, NULL);
    json_decref(j->doc);
    j->doc = reply_json(&t);
    return 0;
}

int job_apply(job *j)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < j->set.count; i++) {
        const struct setting *s = &j->set.items[i];
        int32_t rc = mopt_recipe_set(j->recipe, s->path, s->json);

        if (rc != MOPT_OK)
            code = cli_library(j->c, rc, s->name);
    }
    return code ? code : read_doc(j);
}

int job_space(job *j, int64_t *points, json_t **out)
{
    mopt_space *space = NULL;
    reply t = {0};
    int32_t rc = mopt_recipe_space(j->recipe, &space);

    if (rc == MOPT_OK)
        rc = mopt_space_count(space, points);
    if (rc == MOPT_OK)
        ASK(rc, &t, mopt_space_to_json, space);
    mopt_space_free(space);
    if (rc != MOPT_OK)
        return cli_library(j->c, rc, NULL);
    *out = reply_json(&t);
    return 0;
}

int job_check_closed(job *j, const char *ways)
{
    json_t *json = NULL;
    const char *first;
    int64_t points;
    size_t count;
    int code = job_space(j, &points, &json);

    if (code != 0)
        return code;
    count = json_object_size(json);
    first = json_object_iter_key(json_object_iter(json));
    if (first)
        code = cli_fail(j->c, EXIT_INPUT,
                        "%s leaves %zu value%s open (%s%s): use %s"
                        "--set %s=VALUE", j->path, count, count > 1 ? "s" : "",
                        first, count > 1 ? ", ..." : "", ways, first);
    json_decref(json);
    return code;
}

/* ---- files to write --------------------------------------------------- */

/* "digits" of "recipes/digits.json". */
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);

    if (strcmp(path, "-") == 0)
        return strdup("model");
    if (n > 5 && strcmp(base + n - 5, ".json") == 0)
        n -= 5;
    return strndup(base, n);
}

static int check_output(job *j, const char *flag, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash > path
                                             ? (size_t)(slash - path) : 1)
                         : strdup(".");
    struct stat st;
    int code = 0;

    if (!*path)
        code = cli_fail(j->c, EXIT_USAGE, "%s needs the name of a file",
                        flag);
    else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        code = cli_fail(j->c, EXIT_INPUT, "%s: '%s' is a folder; name a file",
                        flag, path);
    else if (folder && stat(folder, &st) != 0)
        code = cli_fail(j->c, EXIT_INPUT,
                        "%s: no folder '%s'; make it first: mkdir -p '%s'",
                        flag, folder, folder);
    else if (folder && access(folder, W_OK | X_OK) != 0)
        code = cli_fail(j->c, EXIT_INPUT, "%s: cannot write into '%s': %s",
                        flag, folder, strerror(errno));
    free(folder);
    return code;
}

/* Has it cases, or repeats? */
static int is_several(const job *j)
{
    return json_object_get(j->doc, "cases") ||
           json_integer_value(json_object_get(j->doc, "repeats")) > 1;
}

int job_check_outputs(job *j)
{
    int code = 0;

    if (!j->model && !j->no_model) {
        char *base = stem(j->path);

        if (!base || asprintf(&j->own_model, "%s.safetensors", base) < 0)
            j->own_model = NULL;
        free(base);
        j->model = j->own_model;
    }
    if (j->model && !j->own_model && is_several(j))
        return cli_fail(j->c, EXIT_USAGE, "--model: the recipe is of several "
                        "runs (cases, repeats) and keeps no model; leave them "
                        "out, or the flag");
    if (j->no_model || is_several(j))
        j->model = NULL;
    if (j->model)
        code = check_output(j, "--model", j->model);
    if (code == 0 && j->report)
        code = check_output(j, "--report", j->report);
    if (code == 0 && j->adapter)
        code = check_output(j, "--adapter", j->adapter);
    return code;
}

/* ---- the study file --------------------------------------------------- */

static const char *storage_of(const job *j)
{
    const char *path = json_string_value(js_at(j->doc, "search.storage"));

    return path ? path : "";
}

void job_hide_password(job *j)
{
    json_t *search = json_object_get(j->doc, "search");
    char *shown = cli_show_place(storage_of(j));

    if (shown && *shown)
        json_object_set_new(search, "storage", json_string(shown));
    free(shown);
}

/* A new file "digits-study.db", "digits-study-2.db", ... where the person
 * stands; NULL when none can be made. */
static char *reserve(const char *base)
{
    for (int i = 1; i < 1000; i++) {
        char *path, number[16] = "";
        int fd;

        if (i > 1)
            snprintf(number, sizeof number, "-%d", i);
        if (asprintf(&path, "%s-study%s.db", base, number) < 0)
            return NULL;
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd >= 0) {
            close(fd);
            return path;
        }
        free(path);
        if (errno != EEXIST)
            return NULL;
    }
    return NULL;
}

static int use_storage(job *j, const char *path)
{
    json_t *value = json_string(path);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    int32_t rc = quoted ? mopt_recipe_set(j->recipe, "search.storage", quoted)
                        : MOPT_EINVAL;

    json_decref(value);
    free(quoted);
    return rc == MOPT_OK ? read_doc(j) : cli_library(j->c, rc, NULL);
}

/* A search without a study file gets one of ours, so that Ctrl-C, a crash or a
 * power cut lose no finished trial. */
static int own_storage(job *j)
{
    char *base = stem(j->path);

    j->own_storage = base ? reserve(base) : NULL;
    free(base);
    if (!j->own_storage) {
        cli_say(j->c, MOPT_LOG_WARN,
                "cannot write here (%s): trials are lost if the search is "
                "interrupted; name a file with --storage", strerror(errno));
        return 0;
    }
    return use_storage(j, j->own_storage);
}

/* The same for several ranks: the first makes it, for those who can see it. */
static int shared_storage(job *j)
{
    int one_host = ranks_one_host(j->group), first = ranks_first(j->group);
    char *path, *whole;
    int code = one_host && first ? own_storage(j) : 0;

    if (!one_host && first)
        cli_say(j->c, MOPT_LOG_WARN, "the ranks are on several hosts and share "
                "no study, so all of them train each trial together; with a "
                "database in --storage each takes trials of its own");
    whole = j->own_storage ? realpath(j->own_storage, NULL) : NULL;
    path = ranks_share(j->group, whole);
    if (code == 0 && path && !first)
        code = use_storage(j, path);
    free(whole);
    free(path);
    return code;
}

static void remove_storage(job *j)
{
    const char *ends[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *path;

        if (asprintf(&path, "%s%s", j->own_storage, ends[i]) >= 0) {
            unlink(path);
            free(path);
        }
    }
}

static void take_earlier(job *j, mopt_study *study)
{
    int code = 0;
    json_t *all = trials_read(j->c, study, &code);
    json_t *list = json_object_get(all, "trials");

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *trial = json_array_get(list, i);
        const char *state =
            json_string_value(json_object_get(trial, "state"));

        if (state && strcmp(state, "running") != 0 &&
            strcmp(state, "waiting") != 0)
            json_array_append(j->trials, trial);
    }
    json_decref(all);
}

/* The trials that earlier runs left in the study file. */
static int read_earlier(job *j)
{
    const char *path = storage_of(j), *name;
    mopt_study *study = NULL;
    struct stat st;
    int64_t count = 0;
    char *shown;
    int code = 0;

    if (!*path ||
        (!cli_is_url(path) && (stat(path, &st) != 0 || st.st_size == 0)))
        return 0;
    name = json_string_value(js_at(j->doc, "search.name"));
    shown = cli_show_place(path);
    if (trials_find(j->c, path, name, &study))
        mopt_study_count(study, -1, &count);
    if (study && !json_is_true(js_at(j->doc, "search.resume")))
        code = cli_fail(j->c, EXIT_INPUT,
                        "%s has a study '%s' with %lld trials already; add "
                        "--resume to go on with it, or name another file",
                        shown ? shown : "", name ? name : "",
                        (long long)count);
    else if (study)
        take_earlier(j, study);
    free(shown);
    mopt_study_free(study);
    return code;
}

int64_t job_total(const job *j)
{
    int64_t wanted =
        json_integer_value(js_at(j->doc, "search.trials"));
    const char *sampler =
        json_string_value(js_at(j->doc, "search.sampler"));
    const char *type =
        json_string_value(js_at(j->doc, "search.sampler.type"));
    mopt_space *space = NULL;
    int64_t points = INT64_MAX;

    if (mopt_recipe_space(j->recipe, &space) == MOPT_OK)
        mopt_space_count(space, &points);
    mopt_space_free(space);
    if (points <= 1)
        return 1;
    if (!sampler)
        sampler = type ? type : "";
    if (strcmp(sampler, "grid") == 0 && points < INT64_MAX &&
        (wanted <= 0 || points < wanted))
        return points;
    return wanted;
}

/* ---- the run ---------------------------------------------------------- */

static void tell_trial(job *j, const json_t *trial)
{
    long long number =
        json_integer_value(json_object_get(trial, "number"));
    const char *state =
        json_string_value(json_object_get(trial, "state"));
    const char *reason =
        json_string_value(json_object_get(trial, "reason"));
    char *values = js_brief(json_object_get(trial, "values"));

    if (state && strcmp(state, "failed") == 0) {
        j->failed++;
        /* The only one is told by the run's own message. */
        cli_say(j->c, j->total == 1 ? MOPT_LOG_INFO : MOPT_LOG_WARN,
                "trial %lld failed: %s", number,
                reason ? reason : "no reason given");
    } else {
        cli_say(j->c, MOPT_LOG_INFO, "trial %lld %s: %s", number,
                state ? state : "ended", values ? values : "");
    }
    free(values);
}

/* Is more of a metric better? */
static int more_is_better(const char *name)
{
    static const char *const words[] = {"accuracy", "f1", "precision",
                                        "recall", "auc", "r2", "throughput"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]))
            return 1;
    return 0;
}

/* The first objective: what the recipe says, or what is usual for the data. */
static void find_objective(job *j, const json_t *data)
{
    const json_t *list = json_object_get(j->doc, "objectives");
    const json_t *first = json_array_get(list, 0);
    const char *name, *direction, *dot;

    if (!first)
        first = list;
    name = json_string_value(first);
    if (!name)
        name = json_string_value(json_object_get(first, "metric"));
    if (!name)
        name = json_object_get(data, "classes") ? "accuracy" : "rmse";
    direction = json_string_value(json_object_get(first, "direction"));
    j->maximize = direction ? strncmp(direction, "max", 3) == 0
                            : more_is_better(name);
    dot = strrchr(name, '.');
    progress_objective(j->bar, dot ? dot + 1 : name, j->maximize);
}

/* The next of several runs: its trials are counted from the start. */
static void begin_case(job *j, const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "name"));

    cli_say(j->c, MOPT_LOG_INFO, "case %lld of %lld%s%s, repeat %lld of %lld",
            (long long)json_integer_value(json_object_get(json, "case")) + 1,
            (long long)json_integer_value(json_object_get(json, "cases")),
            name ? ": " : "", name ? name : "",
            (long long)json_integer_value(json_object_get(json, "repeat")) + 1,
            (long long)json_integer_value(json_object_get(json, "repeats")));
    progress_stop(j->bar);
    j->bar = progress_start(j->c, j->total, 0);
    json_array_clear(j->trials);
}

static int32_t on_event(void *user, int32_t event, const char *text)
{
    job *j = user;
    json_t *json = json_loads(text, 0, NULL);

    if (!json)
        return 0;
    if (event == MOPT_EVENT_CASE)
        begin_case(j, json);
    if (event == MOPT_EVENT_DATA)
        find_objective(j, json);
    if (event == MOPT_EVENT_EPOCH)
        j->begun = 1;
    progress_event(j->bar, event, json);
    if (event == MOPT_EVENT_TRIAL) {
        tell_trial(j, json);
        json_array_append(j->trials, json);
    }
    json_decref(json);
    return 0;
}

static int run_failed(job *j)
{
    int code = cli_exit_code(j->status);

    /* "No such file" of the data is wrong input; of a result, that all trials
     * failed. */
    if (j->failed > 0 && j->status == MOPT_ENOENT)
        code = EXIT_NOTHING;
    return cli_library_as(j->c, code, j->status, NULL);
}

/* Where the trials live: every rank needs to know, and rank 0 looks. */
static int find_storage(job *j)
{
    int code = 0;

    if (!*storage_of(j) && j->total != 1)
        code = j->group ? shared_storage(j) : own_storage(j);
    if (code == 0)
        code = cli_place(j->c, storage_of(j));
    if (code == 0 && !j->own_storage && !is_several(j) &&
        ranks_first(j->group))
        code = read_earlier(j);
    return ranks_agree(j->c, j->group, code);
}

/* Under mpirun the recipe says which ranks train what. */
static int join_ranks(job *j)
{
    int code = ranks_join(j->c, j->rank_timeout, &j->group);
    int32_t rc = MOPT_OK;

    if (code == 0)
        rc = mopt_recipe_set_group(j->recipe, j->group);
    return rc == MOPT_OK ? code : cli_library(j->c, rc, NULL);
}

int job_run(job *j)
{
    mopt_cancel *cancel = NULL;
    int code = 0;

    j->trials = json_array();
    j->c->tells_trials = 1;
    j->total = job_total(j);
    code = join_ranks(j);
    if (code == 0)
        code = find_storage(j);
    if (code == 0)
        code = interrupt_watch(j->c, &cancel);
    if (code != 0)
        return code;
    j->bar = progress_start(j->c, j->total,
                            (int64_t)json_array_size(j->trials));
    j->status = mopt_recipe_run(j->recipe, on_event, j, cancel, &j->result);
    progress_stop(j->bar);
    interrupt_leave(cancel);
    if (j->status < 0 && j->status != MOPT_ECANCELED)
        return run_failed(j);
    return 0;
}

/* A trial that was interrupted has a checkpoint. */
int job_left(const job *j)
{
    return json_array_size(j->trials) > 0 ||
           (j->begun && j->status == MOPT_ECANCELED);
}

void job_free(job *j)
{
    if (j->own_storage && (j->status >= 0 || !job_left(j)))
        remove_storage(j);
    json_decref(j->told);
    json_decref(j->trials);
    json_decref(j->doc);
    mopt_result_free(j->result);
    mopt_recipe_free(j->recipe);
    mopt_group_free(j->group);
    settings_free(&j->set);
    free(j->own_storage);
    free(j->own_model);
    free(j->command);
}
