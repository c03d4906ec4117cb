/* SPDX-License-Identifier: MIT
 * lib/search/study/study.c: making, opening and reading studies. */
#include "search/study/study.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/text.h"
#include "search/store/database.h"

extern const moi_schema moi_study_schema;

/* "minimize,maximize" into head. */
static int32_t read_directions(const char *text, moi_study_head *head)
{
    static const char *const words[] = {"minimize", "maximize"};
    size_t length, i;

    for (;;) {
        text += strspn(text, " ");
        length = strcspn(text, ", ");
        for (i = 0; i < 2; i++)
            if (length == strlen(words[i]) &&
                strncmp(text, words[i], length) == 0)
                break;
        if (i == 2)
            return moi_fail(MOPT_EINVAL, "direction: '%.*s' must be "
                            "'minimize' or 'maximize'", (int)length, text);
        if (head->objectives == MOI_OBJECTIVE_LIMIT)
            return moi_fail(MOPT_EINVAL, "direction: at most %d objectives",
                            MOI_OBJECTIVE_LIMIT);
        head->maximize[head->objectives++] = (uint8_t)i;
        text += length;
        text += strspn(text, " ");
        if (!*text)
            return MOPT_OK;
        if (*text++ != ',')
            return moi_fail(MOPT_EINVAL, "direction: ',' must stand between "
                            "objectives, not '%.16s'", text - 1);
    }
}

/* Does the config ask for other directions than an old study has? */
static int32_t check_directions(const mopt_config *config,
                                const moi_study_head *head)
{
    moi_study_head wanted = {0};
    int32_t rc;

    if (!moi_config_has(config, "direction"))
        return MOPT_OK;
    rc = read_directions(moi_config_text(config, "direction"), &wanted);
    if (rc)
        return rc;
    if (wanted.objectives != head->objectives ||
        memcmp(wanted.maximize, head->maximize,
               (size_t)head->objectives) != 0)
        return moi_fail(MOPT_EINVAL, "direction: the study '%s' has other "
                        "directions than '%.64s'", head->name,
                        moi_config_text(config, "direction"));
    return MOPT_OK;
}

/* The sampler's kind, and whether it matters which points were drawn. */
static void pick_sampler(mopt_study *study, const mopt_config *config)
{
    const moi_schema *chosen = moi_config_variant(config, "sampler");
    const char *duplicates = moi_config_text(config, "duplicates");
    int64_t i = 0;

    while (moi_samplers[i]->schema != chosen)
        i++;
    study->sampler = moi_samplers[i];
    study->avoid = strcmp(duplicates, "avoid") == 0 &&
                   !study->sampler->no_duplicates;
    study->wants_points = study->avoid || study->sampler->no_duplicates;
}

static void pick_pruner(mopt_study *study, const mopt_config *config)
{
    const moi_schema *chosen = moi_config_variant(config, "pruner");
    int64_t i = 0;

    while (moi_pruners[i]->schema != chosen)
        i++;
    study->pruner = moi_pruners[i];
}

/* Open the store, and take over from it what an old study has. */
static int32_t open_store(mopt_study *study, const mopt_space *space,
                          const mopt_config *config,
                          const mopt_cancel *cancel, moi_study_head *head)
{
    const char *place = moi_config_text(config, "storage");
    const moi_store_kind *kind = moi_store_find(&place);
    const int32_t looks =
        !study->sampler->blind || study->avoid || study->pruner->judge;
    const moi_store_terms terms = {
        moi_config_float(config, "patience"),
        moi_config_float(config, "heartbeat"),
        moi_config_float(config, "grace"),
        cancel,
        looks ? MOI_NEWS_RESULTS : MOI_NEWS_STATES,
        study->wants_points,
    };
    const int32_t resume = !space || moi_config_bool(config, "resume");
    json_t *document;
    int32_t rc;

    head->name = moi_strdup(study->ctx, moi_config_text(config, "name"));
    if (!head->name)
        return MOPT_ENOMEM;
    if ((rc = moi_name_check("name", head->name)) ||
        (rc = read_directions(moi_config_text(config, "direction"), head)))
        return rc;
    if (space) {
        document = moi_space_document(space);
        if (document)
            head->space = moi_json_dump(study->ctx, document);
        json_decref(document);
        if (!head->space)
            return moi_fail(MOPT_ENOMEM, "no memory for the space");
    }
    rc = kind->open(study->ctx, place,
                    (space ? MOI_STORE_NEW : 0) |
                        (resume ? MOI_STORE_OLD : 0),
                    &terms, head, &study->store);
    return rc ? rc : check_directions(config, head);
}

/* The study's own space: a copy of the caller's, or what the study was made
 * with, or what its trials show. */
static int32_t take_space(mopt_study *study, const mopt_space *space,
                          moi_study_head *head)
{
    study->can_sample = space || head->space;
    if (space)
        return moi_space_copy(space, &study->space);
    if (head->found) {
        study->space = head->found;
        head->found = NULL;
        return MOPT_OK;
    }
    if (head->space)
        return mopt_space_from_json(study->ctx, head->space, &study->space);
    return mopt_space_create(study->ctx, &study->space);
}

static int32_t make_sampler(mopt_study *study, const mopt_config *config)
{
    const moi_options options = {config, "sampler."};

    if (!study->sampler->create)
        return MOPT_OK;
    return study->sampler->create(study->space, &options, study->seed,
                                  &study->sampler_state);
}

static int32_t make_pruner(mopt_study *study, const mopt_config *config)
{
    const moi_options options = {config, "pruner."};

    if (!study->pruner->create)
        return MOPT_OK;
    return study->pruner->create(study->ctx, &options, &study->pruner_state);
}

/* What asking for trials needs. */
static int32_t make_points(mopt_study *study)
{
    int32_t rc;

    study->fixed = moi_alloc(study->ctx, study->space->count, sizeof(double));
    study->point = moi_alloc(study->ctx, study->space->count, sizeof(double));
    if (!study->fixed || !study->point)
        return MOPT_ENOMEM;
    if (study->wants_points &&
        (rc = moi_points_init(&study->points, &study->history)))
        return rc;
    if (!study->avoid)
        return MOPT_OK;
    return moi_lattice_create(study->space, 0, &study->lattice);
}

/* Where trials' checkpoints go. */
static int32_t make_checkpoints(mopt_study *study, const mopt_config *config)
{
    const char *folder = moi_config_text(config, "checkpoints");
    const char *file = moi_database_file(moi_config_text(config, "storage"));
    const char *base = folder[0] ? folder : file;

    return base ? moi_database_beside(study->ctx, base,
                                      folder[0] ? "/trial-" : ".trial-",
                                      study->name, &study->checkpoints)
                : MOPT_OK;
}

static int32_t build(mopt_study *study, const mopt_space *space,
                     const mopt_config *config, const mopt_cancel *cancel,
                     moi_study_head *head)
{
    int32_t rc;

    study->seed = (uint64_t)moi_config_int(config, "seed");
    study->trials = moi_config_int(config, "trials");
    study->retries = moi_config_int(config, "retries");
    study->workers = (int32_t)moi_config_int(config, "workers");
    study->lasting =
        strcmp(moi_config_text(config, "durability"), "power") == 0;
    study->timeout = moi_config_float(config, "timeout");
    pick_sampler(study, config);
    pick_pruner(study, config);
    if ((rc = open_store(study, space, config, cancel, head)) ||
        (rc = take_space(study, space, head)) ||
        (rc = moi_history_init(&study->history, study->ctx, study->space,
                               head->objectives, head->maximize)))
        return rc;
    study->name = head->name;
    head->name = NULL;
    if ((rc = make_checkpoints(study, config)) ||
        (rc = moi_store_attach(study->store, &study->history)) ||
        (rc = make_pruner(study, config)))
        return rc;
    if (study->can_sample && ((rc = make_sampler(study, config)) ||
                              (rc = make_points(study))))
        return rc;
    /* What the dead left running is to wait again. */
    return space ? moi_study_census(study) : MOPT_OK;
}

static int32_t create(mopt_context *ctx, const mopt_space *space,
                      const mopt_config *config, const mopt_cancel *cancel,
                      mopt_study **out)
{
    mopt_study *study = moi_calloc(ctx, 1, sizeof(*study));
    moi_study_head head = {0};
    int32_t rc;

    if (!study)
        return MOPT_ENOMEM;
    study->ctx = moi_context_hold(ctx);
    atomic_init(&study->refs, 1);
    pthread_mutex_init(&study->gate, NULL);
    rc = build(study, space, config, cancel, &head);
    moi_study_head_clear(ctx, &head);
    if (rc) {
        moi_study_release(study);
        return rc;
    }
    *out = study;
    return MOPT_OK;
}

int32_t moi_study_create(mopt_context *ctx, const mopt_space *space,
                         const mopt_config *config, const mopt_cancel *cancel,
                         mopt_study **out)
{
    int32_t rc = moi_config_check(config);

    return rc ? rc : create(ctx, space, config, cancel, out);
}

int32_t mopt_study_create(mopt_context *ctx, const mopt_space *space,
                          const mopt_config *config, mopt_study **out)
{
    mopt_config *defaults = NULL;
    int32_t rc;

    if (!ctx)
        return moi_fail_null("mopt_study_create", "ctx");
    if (!out)
        return moi_fail_null("mopt_study_create", "out");
    if (config && moi_config_schema(config) != &moi_study_schema)
        return moi_fail(MOPT_EINVAL, "a study needs a config of kind 'study', "
                        "not '%s'", moi_config_schema(config)->name);
    if (config)
        return moi_study_create(ctx, space, config, NULL, out);
    rc = moi_config_new(ctx, &moi_study_schema, &defaults);
    if (!rc)
        rc = create(ctx, space, defaults, NULL, out);
    mopt_config_free(defaults);
    return rc;
}

void moi_study_release(mopt_study *study)
{
    mopt_context *ctx = study->ctx;

    if (atomic_fetch_sub(&study->refs, 1) > 1)
        return;
    if (study->on_trial_destroy)
        study->on_trial_destroy(study->on_trial_user);
    if (study->sampler && study->sampler->destroy)
        study->sampler->destroy(study->sampler_state);
    if (study->pruner && study->pruner->destroy)
        study->pruner->destroy(study->pruner_state);
    if (study->store)
        study->store->kind->close(study->store);
    moi_points_clear(&study->points);
    moi_lattice_free(study->lattice);
    moi_free(ctx, study->checkpoints);
    moi_free(ctx, study->fixed);
    moi_free(ctx, study->point);
    moi_history_clear(&study->history);
    mopt_space_free(study->space);
    pthread_mutex_destroy(&study->gate);
    moi_free(ctx, study->name);
    moi_free(ctx, study);
    moi_context_release(ctx);
}

void mopt_study_free(mopt_study *study)
{
    if (study)
        moi_study_release(study);
}

int32_t mopt_study_on_trial(mopt_study *study, mopt_trial_fn callback,
                            void *user, mopt_destroy_fn destroy)
{
    if (!study)
        return moi_fail_null("mopt_study_on_trial", "study");
    if (study->on_trial_destroy)
        study->on_trial_destroy(study->on_trial_user);
    study->on_trial = callback;
    study->on_trial_user = user;
    study->on_trial_destroy = destroy;
    return MOPT_OK;
}

int32_t moi_study_enter(mopt_study *study, int32_t news)
{
    int32_t rc;

    pthread_mutex_lock(&study->gate);
    do
        rc = moi_store_pull(study->store, news);
    while (moi_store_again(study->store, rc));
    if (rc)
        moi_study_leave(study);
    return rc;
}

void moi_study_leave(mopt_study *study)
{
    char notice[sizeof(study->store->notice)];
    const int32_t says = study->store->notice[0] != '\0';

    if (says) {
        memcpy(notice, study->store->notice, sizeof(notice));
        study->store->notice[0] = '\0';
    }
    pthread_mutex_unlock(&study->gate);
    if (says)
        moi_log(study->ctx, MOPT_LOG_WARN, "study", "%s", notice);
}

int32_t mopt_study_count(mopt_study *study, int32_t state, int64_t *count)
{
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_count", "study");
    if (!count)
        return moi_fail_null("mopt_study_count", "count");
    if (state < -1 || state > MOPT_TRIAL_WAITING)
        return moi_fail(MOPT_EINVAL, "mopt_study_count: state is %d, but must "
                        "be -1 or MOPT_TRIAL_* (0 to 4)", (int)state);
    rc = moi_study_enter(study, MOI_NEWS_STATES);
    if (rc)
        return rc;
    *count = state < 0 ? study->history.count : study->history.tally[state];
    moi_study_leave(study);
    return MOPT_OK;
}

int32_t moi_study_rest(mopt_study *study, int64_t *live, int32_t *due)
{
    moi_history *history = &study->history;
    int32_t rc = moi_study_enter(study, MOI_NEWS_STATES);

    if (rc)
        return rc;
    *live = moi_history_live(history);
    *due = history->tally[MOPT_TRIAL_WAITING] > 0 &&
           moi_history_finished(history) + *live < study->trials;
    moi_study_leave(study);
    return MOPT_OK;
}

/* A handle to read a row by, while the gate is held. */
static int32_t read_row(mopt_study *study, int64_t row, mopt_trial **out)
{
    mopt_trial *trial = NULL;
    int32_t rc = moi_trial_new(study, &trial);

    if (rc)
        return rc;
    trial->number = row;
    moi_history_point(&study->history, row, trial->params);
    *out = trial;
    return MOPT_OK;
}

int32_t mopt_study_best(mopt_study *study, mopt_trial **out)
{
    int64_t row;
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_best", "study");
    if (!out)
        return moi_fail_null("mopt_study_best", "out");
    rc = moi_study_enter(study, MOI_NEWS_RESULTS);
    if (rc)
        return rc;
    row = moi_history_best(&study->history);
    if (row < 0)
        rc = moi_fail(MOPT_ENOENT, "no trial of the study '%s' is complete",
                      study->name);
    else
        rc = read_row(study, row, out);
    moi_study_leave(study);
    return rc;
}

int32_t mopt_study_trial(mopt_study *study, int64_t number, mopt_trial **out)
{
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_trial", "study");
    if (!out)
        return moi_fail_null("mopt_study_trial", "out");
    rc = moi_study_enter(study, MOI_NEWS_ALL);
    if (rc)
        return rc;
    if (number < 0 || number >= study->history.count)
        rc = moi_fail(MOPT_ENOENT, "there is no trial %lld; the study '%s' "
                      "has %lld, from 0", (long long)number, study->name,
                      (long long)study->history.count);
    else
        rc = read_row(study, number, out);
    moi_study_leave(study);
    return rc;
}

static json_t *show_directions(const moi_history *history)
{
    json_t *array = json_array();
    int64_t i;

    for (i = 0; i < history->objectives; i++)
        json_array_append_new(array, json_string(history->maximize[i]
                                                     ? "maximize"
                                                     : "minimize"));
    return array;
}

static json_t *show_counts(const moi_history *history)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "complete",
                     (json_int_t)history->tally[MOPT_TRIAL_COMPLETE],
                     "pruned", (json_int_t)history->tally[MOPT_TRIAL_PRUNED],
                     "failed", (json_int_t)history->tally[MOPT_TRIAL_FAILED],
                     "running",
                     (json_int_t)history->tally[MOPT_TRIAL_RUNNING],
                     "waiting",
                     (json_int_t)history->tally[MOPT_TRIAL_WAITING]);
}

static json_t *show_notes(const moi_history *history)
{
    json_t *object = json_object();
    int64_t i;

    for (i = 0; i < history->note_count; i++)
        if (moi_json_add(object, history->notes[i].key,
                         moi_json_lenient(history->ctx,
                                          history->notes[i].json))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *show_trials(const moi_history *history)
{
    json_t *array = json_array();
    int64_t row;

    for (row = 0; row < history->count; row++)
        if (json_array_append_new(array, moi_trial_document(history, row))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *show_study(mopt_study *study)
{
    const moi_history *history = &study->history;
    json_t *object = json_object();

    if (moi_json_add_text(object, "name", study->name) ||
        moi_json_add(object, "directions", show_directions(history)) ||
        moi_json_add(object, "space", moi_space_document(study->space)) ||
        moi_json_add(object, "counts", show_counts(history)) ||
        moi_json_add(object, "notes", show_notes(history)) ||
        moi_json_add(object, "trials", show_trials(history))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int32_t mopt_study_to_json(mopt_study *study, char *buf, size_t cap,
                           size_t *needed)
{
    json_t *object;
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_to_json", "study");
    rc = moi_study_enter(study, MOI_NEWS_ALL);
    if (rc)
        return rc;
    moi_history_lock(&study->history);
    object = show_study(study);
    moi_history_unlock(&study->history);
    moi_study_leave(study);
    return moi_json_finish(study->ctx, object, buf, cap, needed);
}

/* Store a note and put it into the history, in a transaction. */
static int32_t set_note(mopt_study *study, const char *key, const char *json)
{
    moi_history *history = &study->history;
    char *key_copy = moi_strdup(study->ctx, key);
    char *json_copy = moi_strdup(study->ctx, json);
    int32_t rc = key_copy && json_copy
                     ? moi_store_begin(study->store, MOI_STORE_ALL,
                                       study->lasting ? MOI_STORE_LASTING : 0,
                                       NULL)
                     : MOPT_ENOMEM;

    if (!rc) {
        moi_history_lock(history);
        rc = moi_grow(study->ctx, (void **)&history->notes,
                      &history->note_capacity, history->note_count + 1,
                      sizeof(moi_note));
        moi_history_unlock(history);
        if (!rc)
            rc = moi_store_note(study->store, MOI_NOTE_STUDY, 0, key, json);
        if (!rc)
            rc = moi_store_commit(study->store);
        else
            moi_store_rollback(study->store);
    }
    if (rc) {
        moi_free(study->ctx, key_copy);
        moi_free(study->ctx, json_copy);
        return rc;
    }
    moi_history_lock(history);
    moi_note_put(study->ctx, history->notes, &history->note_count, key_copy,
                 json_copy);
    moi_history_unlock(history);
    return MOPT_OK;
}

int32_t mopt_study_set_note(mopt_study *study, const char *key,
                            const char *json)
{
    json_t *value = NULL;
    int32_t rc;

    if (!study)
        return moi_fail_null("mopt_study_set_note", "study");
    if (!key)
        return moi_fail_null("mopt_study_set_note", "key");
    if (!json)
        return moi_fail_null("mopt_study_set_note", "json");
    if ((rc = moi_name_check("a note's key", key)) ||
        (rc = moi_json_parse(json, &value)))
        return rc;
    json_decref(value);
    pthread_mutex_lock(&study->gate);
    do
        rc = set_note(study, key, json);
    while (moi_store_again(study->store, rc));
    moi_study_leave(study);
    return rc;
}

int32_t mopt_study_list(mopt_context *ctx, const char *storage, char *buf,
                        size_t cap, size_t *needed)
{
    const moi_store_kind *kind;
    json_t *names;
    int32_t rc;

    if (!ctx)
        return moi_fail_null("mopt_study_list", "ctx");
    if (!storage)
        return moi_fail_null("mopt_study_list", "storage");
    kind = moi_store_find(&storage);
    names = json_array();
    rc = kind->list ? kind->list(ctx, storage, names) : MOPT_OK;
    if (rc) {
        json_decref(names);
        return rc;
    }
    return moi_json_finish(ctx, names, buf, cap, needed);
}
