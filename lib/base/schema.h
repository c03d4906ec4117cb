/* SPDX-License-Identifier: MIT
 * lib/base/schema.h: the keys of one kind of config, as static tables.
 *
 * Whatever takes options describes them here once: the checks, defaults, help,
 * JSON Schema and documentation are made from these tables. */
#ifndef MOI_BASE_SCHEMA_H
#define MOI_BASE_SCHEMA_H

#include <jansson.h>
#include <modelopt/config.h>

#define MOI_KEY_OPEN_MIN 1 /* min itself is not allowed */
#define MOI_KEY_OPEN_MAX 2 /* max itself is not allowed */
#define MOI_KEY_FIXED 4    /* cannot be searched (paths, limits of a run) */

typedef struct moi_schema moi_schema;

typedef struct moi_key {
    const char *name;
    int32_t type;        /* MOPT_TYPE_* */
    int32_t flags;       /* MOI_KEY_* */
    double preset;       /* default of INT, FLOAT, BOOL */
    double min, max;     /* bounds of INT, FLOAT; both 0 means none */
    const char *text;    /* default of TEXT, CHOICE, VARIANT, JSON (or NULL) */
    const char *choices; /* CHOICE: "a|b|c" */
    const moi_schema *const *variants; /* VARIANT: NULL-terminated */
    const char *help;    /* one line */
} moi_key;

struct moi_schema {
    const char *name;   /* kind, or name of the variant: "adam" */
    const char *help;   /* one line */
    const moi_key *keys; /* ends with a key whose name is NULL */
};

/* Shorthands for tables: {MOI_INT("epochs", 10, 1, 1e9, "...")}. */
#define MOI_INT(n, d, lo, hi, h) \
    {n, MOPT_TYPE_INT, 0, d, lo, hi, NULL, NULL, NULL, h}
#define MOI_FLOAT(n, d, lo, hi, h) \
    {n, MOPT_TYPE_FLOAT, 0, d, lo, hi, NULL, NULL, NULL, h}
#define MOI_BOOL(n, d, h) \
    {n, MOPT_TYPE_BOOL, 0, d, 0, 1, NULL, NULL, NULL, h}
#define MOI_TEXT(n, d, h) \
    {n, MOPT_TYPE_TEXT, 0, 0, 0, 0, d, NULL, NULL, h}
#define MOI_CHOICE(n, d, c, h) \
    {n, MOPT_TYPE_CHOICE, 0, 0, 0, 0, d, c, NULL, h}
#define MOI_VARIANT(n, d, v, h) \
    {n, MOPT_TYPE_VARIANT, 0, 0, 0, 0, d, NULL, v, h}
#define MOI_JSON(n, h) \
    {n, MOPT_TYPE_JSON, 0, 0, 0, 0, NULL, NULL, NULL, h}
#define MOI_KEYS_END \
    {NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL}

/* The variant of a key by name, NULL if there is none. */
const moi_schema *moi_schema_variant(const moi_key *key, const char *name);

/* A key by name, NULL if there is none (dotted names: see config.h). */
const moi_key *moi_schema_key(const moi_schema *schema, const char *name);

/* A value as the key wants it (a whole real becomes an integer where one is
 * wanted), a new reference in *out; or an error that begins with place. */
int32_t moi_key_check(const moi_key *key, const char *place,
                      const json_t *value, json_t **out);

/* "an integer", "a text", ... */
const char *moi_key_wants(const moi_key *key);

/* Every kind that mopt_config_create knows. Defined by the roof of the house
 * (lib/kinds.c), which sees all wings; NULL-terminated. */
extern const moi_schema *const moi_schema_kinds[];

/* One of them by name; MOPT_EKEY names the nearest. */
int32_t moi_schema_find(const char *name, const moi_schema **out);

#endif
