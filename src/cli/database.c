/* SPDX-License-Identifier: MIT
 * src/cli/database.c: studies that live in a database, not in a file. What
 * knows PostgreSQL is a library of its own, loaded when there is need. */
#include "cli.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libmodelopt-postgresql.so.0"

typedef int32_t (*register_fn)(mopt_context *ctx);

int cli_is_url(const char *place)
{
    return place && strstr(place, "://") && strncmp(place, "sqlite:", 7) != 0;
}

int cli_place(cli *c, const char *place)
{
    register_fn enlist = NULL;
    void *handle, *symbol;
    int32_t rc;

    if (!cli_is_url(place) || strncmp(place, "postgresql", 10) != 0)
        return 0;
    handle = cli_library_beside(LIBRARY, 0);
    symbol = handle ? dlsym(handle, "mopt_postgresql_register") : NULL;
    if (!symbol)
        return cli_fail(c, EXIT_INPUT,
                        "studies in PostgreSQL need " LIBRARY ", which is not "
                        "here (%s); install libmodelopt-postgresql, or build "
                        "modelopt with libpq", dlerror());
    memcpy(&enlist, &symbol, sizeof enlist);
    rc = enlist(c->ctx);
    return rc == MOPT_OK || rc == MOPT_EEXIST ? 0 : cli_library(c, rc, NULL);
}

char *cli_show_place(const char *place)
{
    const char *host = strstr(place, "://"), *at, *colon;
    char *copy = NULL, *secret;

    if (!cli_is_url(place))
        return strdup(place);
    host += 3;
    at = strrchr(host, '@');
    colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    if (!colon)
        copy = strdup(place);
    else if (asprintf(&copy, "%.*s:***%s", (int)(colon - place), place,
                      at) < 0)
        copy = NULL;
    secret = copy ? strstr(copy, "password=") : NULL;
    if (secret)
        secret[strlen("password=")] = '\0';
    return copy;
}
