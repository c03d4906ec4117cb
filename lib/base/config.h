/* SPDX-License-Identifier: MIT
 * lib/base/config.h: configs inside the library.
 *
 * Dotted keys: "optimizer" (or "optimizer.type") chooses a variant,
 * "optimizer.beta1" is a key of the chosen one. A key of a variant that is not
 * the chosen one may be set, but moi_config_check refuses it. */
#ifndef MOI_BASE_CONFIG_H
#define MOI_BASE_CONFIG_H

#include "base/json.h"
#include "base/schema.h"

/* A config over a schema that need not be a public kind. */
int32_t moi_config_new(mopt_context *ctx, const moi_schema *schema,
                       mopt_config **out);

/* As mopt_config_set_json, from a document at a path; errors name the path.
 * Members in skip (NULL-terminated, may be NULL) are left to the caller. */
int32_t moi_config_read(mopt_config *config, const json_t *object,
                        const moi_path *path, const char *const *skip);

/* Set one dotted key from a JSON value. */
int32_t moi_config_set_value(mopt_config *config, const char *key,
                             const json_t *value);

/* Every key that was set belongs to its chosen variant? Call before use. */
int32_t moi_config_check(const mopt_config *config);

/* Was the key set (not left to its default)? */
int32_t moi_config_has(const mopt_config *config, const char *key);

/* Typed reading for those who know their own keys: no failure possible for a
 * key of the schema; config NULL is not allowed. Texts live as long as the
 * config and its value. */
int64_t moi_config_int(const mopt_config *config, const char *key);
double moi_config_float(const mopt_config *config, const char *key);
int32_t moi_config_bool(const mopt_config *config, const char *key);
const char *moi_config_text(const mopt_config *config, const char *key);
const json_t *moi_config_json(const mopt_config *config, const char *key);

/* The schema of the chosen variant of a key. */
const moi_schema *moi_config_variant(const mopt_config *config,
                                     const char *key);

const moi_schema *moi_config_schema(const mopt_config *config);

/* A config that reads another with a prefix before each key ("optimizer."),
 * for a component that knows its own keys only. Borrowed values. */
typedef struct moi_options {
    const mopt_config *config;
    const char *prefix; /* "optimizer." or "" */
} moi_options;
int64_t moi_options_int(const moi_options *options, const char *key);
double moi_options_float(const moi_options *options, const char *key);
int32_t moi_options_bool(const moi_options *options, const char *key);
const char *moi_options_text(const moi_options *options, const char *key);

/* Everything that was set, as a JSON object in nested form; NULL without
 * memory. with_defaults adds the rest. */
json_t *moi_config_to_json(const mopt_config *config, int32_t with_defaults);

/* A copy; and the kind is the same. */
int32_t moi_config_copy(const mopt_config *config, mopt_config **out);

/* The JSON Schema of a kind (object with "type", "properties", ...); values
 * that may be searched also allow a domain when domains is not 0. */
json_t *moi_schema_to_json(const moi_schema *schema, int32_t domains);

#endif
