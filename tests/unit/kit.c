/* SPDX-License-Identifier: MIT
 * tests/unit/kit.c: see kit.h. */
#include "kit.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t asked, alive, fail_at = -1;
static int32_t fail_forever;
static char folder[64];
static pid_t folder_of;

/* An allocator that counts, and fails when told to. Fresh and freed blocks are
 * filled, so that nobody gets away with reading them. */
static void *counting(void *user, void *ptr, size_t old_size, size_t new_size)
{
    (void)user;
    pthread_mutex_lock(&lock);
    int64_t number = asked;
    if (new_size > 0)
        asked++;
    int32_t fails = new_size > 0 && fail_at >= 0 &&
                    (fail_forever ? number >= fail_at : number == fail_at);
    if (!fails)
        alive += (new_size > 0) - (ptr != NULL);
    pthread_mutex_unlock(&lock);
    if (fails)
        return NULL;
    if (new_size == 0) {
        if (ptr != NULL)
            memset(ptr, 0xDD, old_size);
        free(ptr);
        return NULL;
    }
    void *block = realloc(ptr, new_size);
    if (block == NULL) { /* more than the machine has */
        pthread_mutex_lock(&lock);
        alive -= ptr == NULL;
        pthread_mutex_unlock(&lock);
    }
    if (block != NULL && new_size > old_size)
        memset((char *)block + old_size, 0xCD, new_size - old_size);
    return block;
}

mopt_context *kit_begin(void)
{
    mopt_context *ctx = NULL;
    const char *backend = getenv("MODELOPT_TEST_BACKEND");
    kit_fail_allocation(-1, 0);
    kit_ok(mopt_context_create(counting, NULL, &ctx));
    if (backend != NULL && backend[0] != '\0') {
        mopt_config *config = NULL;
        kit_ok(mopt_config_create(ctx, "context", &config));
        kit_ok(mopt_config_set_text(config, "backend", backend));
        kit_ok(mopt_context_configure(ctx, config));
        mopt_config_free(config);
    }
    asked = 0;
    return ctx;
}

void kit_end(mopt_context *ctx)
{
    kit_fail_allocation(-1, 0);
    mopt_context_free(ctx);
    ck_assert_msg(alive == 0, "%lld blocks were not freed", (long long)alive);
}

void kit_fail_allocation(int64_t at, int32_t forever)
{
    pthread_mutex_lock(&lock);
    fail_at = at < 0 ? -1 : asked + at;
    fail_forever = forever;
    pthread_mutex_unlock(&lock);
}

int64_t kit_allocations(void)
{
    return asked;
}

/* Forked tests leave the folder to the process that made it. */
static void remove_folder(void)
{
    if (getpid() != folder_of)
        return;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

const char *kit_path(const char *name)
{
    static char paths[8][400]; /* a few may be in use at a time */
    static int next;
    char *path = paths[next++ % 8];
    if (folder_of != getpid()) {
        snprintf(folder, sizeof folder, "/tmp/modelopt-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        folder_of = getpid();
        atexit(remove_folder);
    }
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void kit_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

const char *kit_data(const char *name)
{
    static char path[1024];
    const char *root = getenv("MODELOPT_DATA");
    if (root == NULL || root[0] == '\0')
        return NULL;
    snprintf(path, sizeof path, "%s/%s", root, name);
    return access(path, R_OK) == 0 ? path : NULL;
}

void kit_status_is(int32_t got, int32_t want, const char *what,
                   const char *file, int line)
{
    char message[1024] = "";
    mopt_last_error(message, sizeof message, NULL);
    ck_assert_msg(got == want, "%s:%d: %s gave %s, not %s: %s", file, line,
                  what, mopt_status_name(got), mopt_status_name(want),
                  message);
}

void kit_says(const char *piece)
{
    char message[1024] = "";
    mopt_last_error(message, sizeof message, NULL);
    ck_assert_msg(strstr(message, piece) != NULL,
                  "the message \"%s\" does not say \"%s\"", message, piece);
}

int main(void)
{
    SRunner *runner = srunner_create(kit_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
