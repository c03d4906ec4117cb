/* SPDX-License-Identifier: MIT
 * lib/search/store/database.c: the databases of a context. */
#include "search/store/database.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

/* The length of the scheme that a place begins with, "postgresql" of
 * "postgresql+psycopg2://host/db"; 0: it is no URL. */
static size_t scheme_length(const char *place)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    const size_t length = strspn(place, letters);
    const char *at = place + length;

    if (length > 0 && *at == '+')
        at += 1 + strspn(at + 1, letters);
    return strncmp(at, "://", 3) == 0 ? length : 0;
}

static const mopt_database *find(const mopt_context *ctx, const char *name,
                                 size_t length)
{
    const moi_database_entry *entry = ctx->databases;

    while (entry && (strlen(entry->name) != length ||
                     strncmp(entry->name, name, length) != 0))
        entry = entry->next;
    return entry ? &entry->table : NULL;
}

int32_t moi_database_find(const mopt_context *ctx, const char *place,
                          const mopt_database **out)
{
    const size_t length = scheme_length(place);

    *out = length > 0 ? find(ctx, place, length) : &moi_database_sqlite;
    if (*out)
        return MOPT_OK;
    if (length == strlen("postgresql") &&
        strncmp(place, "postgresql", length) == 0)
        return moi_fail(MOPT_EUNSUPPORTED, "storage: this context has no "
                        "database 'postgresql': load libmodelopt-postgresql "
                        "and call mopt_postgresql_register");
    return moi_fail(MOPT_EUNSUPPORTED, "storage: this context has no database "
                    "'%.*s'; a study lives in an SQLite file, in a database "
                    "'postgresql', or in one that was registered",
                    (int)(length < 64 ? length : 64), place);
}

/* The first member that must be there and is not, or NULL. */
static const char *find_missing(const mopt_database *table)
{
    const struct {
        const char *name;
        int32_t there;
    } members[] = {
        {"name", table->name && table->name[0]},
        {"tables", table->tables != NULL},
        {"find_table", table->find_table != NULL},
        {"last_id", table->last_id != NULL},
        {"lock", table->lock != NULL},
        {"open", table->open != NULL},
        {"close", table->close != NULL},
        {"begin", table->begin != NULL},
        {"commit", table->commit != NULL},
        {"rollback", table->rollback != NULL},
        {"run", table->run != NULL},
        {"step", table->step != NULL},
        {"changes", table->changes != NULL},
        {"drop", table->drop != NULL},
        {"script", table->script != NULL},
    };
    int64_t i;

    for (i = 0; i < MOI_COUNT(members); i++)
        if (!members[i].there)
            return members[i].name;
    return NULL;
}

/* A table of the host, as far as its header knew it, into one of ours. */
static int32_t take_table(const mopt_database *given, mopt_database *table)
{
    static const char where[] = "mopt_database_register: database";
    const size_t least = offsetof(mopt_database, version);
    const char *missing;

    if (given->struct_size < least)
        return moi_fail(MOPT_EINVAL, "%s: struct_size is %" PRIu32
                        ", at least %zu is needed", where, given->struct_size,
                        least);
    if (given->abi_version != MOPT_DATABASE_ABI)
        return moi_fail(MOPT_EINVAL, "%s: abi_version is %" PRIu32
                        ", this library knows %d", where, given->abi_version,
                        MOPT_DATABASE_ABI);
    memset(table, 0, sizeof(*table));
    memcpy(table, given, given->struct_size < sizeof(*table)
                             ? given->struct_size : sizeof(*table));
    missing = find_missing(table);
    if (missing)
        return moi_fail(MOPT_EINVAL, "%s: %s is missing", where, missing);
    return MOPT_OK;
}

int32_t mopt_database_register(mopt_context *ctx,
                               const mopt_database *database,
                               mopt_destroy_fn destroy)
{
    moi_database_entry *entry;
    mopt_database table;
    int32_t rc;

    if (!ctx)
        return moi_fail_null("mopt_database_register", "ctx");
    if (!database)
        return moi_fail_null("mopt_database_register", "database");
    if ((rc = take_table(database, &table)))
        return rc;
    if (strcmp(table.name, "sqlite") == 0 ||
        find(ctx, table.name, strlen(table.name)))
        return moi_fail(MOPT_EEXIST, "mopt_database_register: there is a "
                        "database '%.64s'", table.name);
    entry = moi_calloc(ctx, 1, sizeof(*entry));
    if (!entry)
        return MOPT_ENOMEM;
    entry->table = table;
    entry->name = moi_strdup(ctx, table.name);
    if (!entry->name) {
        moi_free(ctx, entry);
        return MOPT_ENOMEM;
    }
    entry->table.name = entry->name;
    entry->destroy = destroy;
    entry->next = ctx->databases;
    ctx->databases = entry;
    return MOPT_OK;
}

const char *moi_database_show(const char *place, char *buf, size_t size)
{
    const char *host = strstr(place, "://"), *at, *colon;
    char *secret;

    snprintf(buf, size, "%s", place);
    if (!host || scheme_length(place) == 0)
        return buf;
    /* The last '@' ends the user's part, as it does for those who forget to
     * write one in a password as %40. */
    host += 3;
    at = strrchr(host, '@');
    colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    if (colon)
        snprintf(buf, size, "%.*s:***%s", (int)(colon - place), place, at);
    secret = strstr(buf, "password=");
    if (secret) {
        secret += strlen("password=");
        snprintf(secret, size - (size_t)(secret - buf), "***");
    }
    return buf;
}

static const char sqlite_prefix[] = "sqlite:///";

static int32_t is_prefixed(const char *place)
{
    return strncmp(place, sqlite_prefix, sizeof(sqlite_prefix) - 1) == 0;
}

const char *moi_database_file(const char *place)
{
    if (is_prefixed(place))
        place += sizeof(sqlite_prefix) - 1;
    else if (strstr(place, "://"))
        return NULL;
    /* SQLite's own words for what is in memory, each connection's own. */
    return place[0] == '\0' || strcmp(place, ":memory:") == 0 ? NULL : place;
}

int32_t moi_database_is_shared(const char *place)
{
    return moi_database_file(place) != NULL ||
           (strstr(place, "://") && !is_prefixed(place));
}

int32_t moi_database_beside(mopt_context *ctx, const char *base,
                            const char *joint, const char *study, char **out)
{
    const uint64_t name = moi_hash_text(MOI_HASH_START, study);
    moi_text text;
    int32_t rc;

    moi_text_init(&text, ctx);
    moi_text_addf(&text, "%s%s%08" PRIx32 "-", base, joint,
                  (uint32_t)(name ^ name >> 32));
    rc = text.status;
    if (!rc && !(*out = moi_strdup(ctx, moi_text_get(&text))))
        rc = MOPT_ENOMEM;
    moi_text_free(&text);
    return rc;
}
