/* SPDX-License-Identifier: MIT
 * modelopt/config.h: options as typed values by key.
 *
 * A config has a kind ("context", "train", "study", "data", ...), which fixes
 * its keys. The same keys are the names in JSON, on the command line and in a
 * search space. Some keys choose a variant: "optimizer" takes "adam", and then
 * "optimizer.beta1" is a key. A config holds only what was set: the rest has
 * its default. */
#ifndef MODELOPT_CONFIG_H
#define MODELOPT_CONFIG_H

#include "context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types of keys. */
#define MOPT_TYPE_INT 1
#define MOPT_TYPE_FLOAT 2
#define MOPT_TYPE_BOOL 3
#define MOPT_TYPE_TEXT 4
#define MOPT_TYPE_CHOICE 5  /* text, one of a list */
#define MOPT_TYPE_VARIANT 6 /* a choice that brings keys of its own */
#define MOPT_TYPE_JSON 7    /* any JSON value, kept as it is */

/** Create an empty config of a kind.
 *
 *  @param kind one of those that mopt_config_describe lists.
 *  @param out  receives the config; the caller frees it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY (no such kind), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_config_create(mopt_context *ctx, const char *kind,
                                    mopt_config **out);

/** Free a config; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_config_free(mopt_config *config);

/** Set a value. The text is copied.
 *
 *  A whole double is accepted for an integer key and an integer for a float
 *  key. _set_text accepts for any key what the command line would: "1e-3",
 *  "true", "adam".
 *
 *  @param key a key of this kind, such as "optimizer.learning_rate".
 *  @return MOPT_OK; MOPT_EKEY (unknown; the message names the nearest key);
 *          MOPT_EINVAL (NULL, wrong type, NaN, out of bounds); MOPT_ENOMEM.
 *          After an error the config is as before.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_config_set_int(mopt_config *config, const char *key,
                                     int64_t value);
MOPT_API int32_t mopt_config_set_float(mopt_config *config, const char *key,
                                       double value);
MOPT_API int32_t mopt_config_set_bool(mopt_config *config, const char *key,
                                      int32_t value);
MOPT_API int32_t mopt_config_set_text(mopt_config *config, const char *key,
                                      const char *value);

/** Set every member of a JSON object: {"batch_size": 64,
 *  "optimizer": {"type": "sgd", "momentum": 0.9}}.
 *
 *  @param json UTF-8 text of one object.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY, MOPT_EFORMAT (not JSON; the
 *          message gives line and column), MOPT_ENOMEM. After an error the
 *          config is as before.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_config_set_json(mopt_config *config, const char *json);

/** Read a value: what was set, or else the default.
 *
 *  @param out receives it, only on success.
 *  @return MOPT_OK, MOPT_EKEY, MOPT_EINVAL (NULL, or another type).
 *  Thread: one a handle; several readers are fine. Since 0.1.
 */
MOPT_API int32_t mopt_config_get_int(const mopt_config *config,
                                     const char *key, int64_t *out);
MOPT_API int32_t mopt_config_get_float(const mopt_config *config,
                                       const char *key, double *out);
MOPT_API int32_t mopt_config_get_bool(const mopt_config *config,
                                      const char *key, int32_t *out);

/** Read a value of any type as text, copied out.
 *
 *  @return as mopt_config_get_int; MOPT_ERANGE when the text was cut.
 *  Thread: one a handle; several readers are fine. Since 0.1.
 */
MOPT_API int32_t mopt_config_get_text(const mopt_config *config,
                                      const char *key, char *buf, size_t cap,
                                      size_t *needed);

/** Describe every key of a kind as a JSON array of objects with "key", "type",
 *  "default", "min", "max", "choices" (as far as they apply) and "help".
 *
 *  @param kind as for mopt_config_create; NULL lists the kinds instead, a JSON
 *              array of texts.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EKEY, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_config_describe(mopt_context *ctx, const char *kind,
                                      char *buf, size_t cap, size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
