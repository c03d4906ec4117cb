/* SPDX-License-Identifier: MIT
 * src/cli/beside.c: libraries that not everybody has, loaded when there is
 * need. */
#include "cli.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void *cli_library_beside(const char *name, int shared)
{
    int how = RTLD_NOW | (shared ? RTLD_GLOBAL : RTLD_LOCAL);
    char *path = NULL, *end;
    void *handle = NULL;
    Dl_info info;

    if (dladdr((void *)(uintptr_t)mopt_version, &info) && info.dli_fname &&
        (end = strrchr(info.dli_fname, '/')) &&
        asprintf(&path, "%.*s/%s", (int)(end - info.dli_fname),
                 info.dli_fname, name) >= 0)
        handle = dlopen(path, how);
    free(path);
    return handle ? handle : dlopen(name, how);
}
