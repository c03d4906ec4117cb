/* SPDX-License-Identifier: MIT
 * tests/fuzz/smoke.c: a short fuzzing without a fuzzer: each seed file mutated
 * by a fixed sequence of random edits.
 *
 *   fuzz_smoke FOLDER [ROUNDS]   seeds are FOLDER/<target>/<file>
 *   fuzz_smoke -r TARGET FILE... replay files, such as a fuzzer's findings */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "targets.h"

#define INPUT_SIZE 65536

static uint8_t seed[INPUT_SIZE], mutant[INPUT_SIZE];

static size_t read_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 0;
    size_t size = fread(bytes, 1, INPUT_SIZE, file);
    fclose(file);
    return size;
}

/* One edit: flip, set to a telling value, cut, double or copy a piece. */
static size_t edit(moi_rng *rng, uint8_t *bytes, size_t size)
{
    static const uint8_t telling[] = {0,   1,   0x7F, 0x80, 0xFF, '{', '}',
                                      '[', '"', ',',  '-',  '9',  '\n'};
    if (size == 0)
        return 0;
    size_t at = moi_rng_below(rng, size);
    size_t length = 1 + moi_rng_below(rng, size - at < 16 ? size - at : 16);
    switch (moi_rng_below(rng, 5)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << moi_rng_below(rng, 8));
        return size;
    case 1:
        bytes[at] = telling[moi_rng_below(rng, sizeof telling)];
        return size;
    case 2:
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length;
    case 3:
        if (size + length > INPUT_SIZE)
            return size;
        memmove(bytes + at + length, bytes + at, size - at);
        return size + length;
    default:
        memmove(bytes + moi_rng_below(rng, size - length + 1), bytes + at,
                length);
        return size;
    }
}

static void mutate_seed(const fuzz_target *target, const char *path,
                        int rounds)
{
    size_t size = read_file(path, seed);
    moi_rng rng;
    moi_rng_init(&rng, moi_rng_hash(path), 0, MOI_RNG_GENERATE, 0);
    if (fuzz_run(target, seed, size) != 0) {
        fprintf(stderr, "%s wants too much memory as it stands\n", path);
        exit(1);
    }
    for (int round = 0; round < rounds; round++) {
        memcpy(mutant, seed, size);
        size_t length = size;
        for (uint64_t e = moi_rng_below(&rng, 6) + 1; e > 0; e--)
            length = edit(&rng, mutant, length);
        fuzz_run(target, mutant, length);
    }
}

static int smoke(const fuzz_target *target, const char *folder, int rounds)
{
    char path[1024];
    int seeds = 0;
    snprintf(path, sizeof path, "%s/%s", folder, target->name);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", folder, target->name,
                 e->d_name);
        mutate_seed(target, path, rounds);
        seeds++;
    }
    if (dir != NULL)
        closedir(dir);
    if (seeds == 0)
        fprintf(stderr, "no seeds in %s/%s\n", folder, target->name);
    return seeds;
}

static int replay(const fuzz_target *target, char **files)
{
    if (target == NULL) {
        fprintf(stderr, "there is no such target\n");
        return 2;
    }
    for (; *files != NULL; files++)
        fuzz_run(target, seed, read_file(*files, seed));
    return 0;
}

int main(int count, char **arguments)
{
    if (count > 3 && strcmp(arguments[1], "-r") == 0)
        return replay(fuzz_find(arguments[2]), arguments + 3);
    if (count < 2) {
        fprintf(stderr, "usage: fuzz_smoke FOLDER [ROUNDS]\n");
        return 2;
    }
    int rounds = count > 2 ? atoi(arguments[2]) : 300, missing = 0;
    for (const fuzz_target *t = fuzz_targets; t->name != NULL; t++)
        missing += smoke(t, arguments[1], rounds) == 0;
    return missing > 0;
}
