/* SPDX-License-Identifier: MIT
 * modelopt/space.h: what a search may vary: named parameters, their domains,
 * and the conditions under which they exist. */
#ifndef MODELOPT_SPACE_H
#define MODELOPT_SPACE_H

#include "config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_space mopt_space;

/* Flags of a numeric parameter. */
#define MOPT_LINEAR 0
#define MOPT_LOG 1

/** Create an empty space.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ENOMEM. Thread: any. Since 0.1. */
MOPT_API int32_t mopt_space_create(mopt_context *ctx, mopt_space **out);

/** Read a space from JSON: {"lr": {"float": [1e-4, 0.1], "log": true},
 *  "layers": {"int": [1, 3]}, "act": {"choice": ["relu", "tanh"]},
 *  "units.1": {"int": [8, 64], "step": 8, "when": {"layers": {"min": 2}}}}.
 *
 *  @return MOPT_OK, MOPT_EFORMAT, MOPT_EINVAL (the message names the path),
 *          MOPT_EKEY, MOPT_ENOMEM. Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_space_from_json(mopt_context *ctx, const char *json,
                                      mopt_space **out);

/** Free a space; NULL is fine. A study has a copy of its own.
 *  Thread: one a handle. Since 0.1. */
MOPT_API void mopt_space_free(mopt_space *space);

/** Add a real parameter in [low, high].
 *
 *  @param name  unique, not empty, at most 512 bytes.
 *  @param flags MOPT_LINEAR or MOPT_LOG (low > 0).
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_EEXIST (the name is taken),
 *          MOPT_ERANGE (a space has at most 16,384 parameters), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_space_add_float(mopt_space *space, const char *name,
                                      double low, double high, int32_t flags);

/** Add a real parameter low, low + step, ... up to high, in decimals: [0, 1]
 *  by 0.1 has eleven values, and the fourth is 0.3.
 *  @return as mopt_space_add_float. Thread: one a handle. Since 0.1. */
MOPT_API int32_t mopt_space_add_float_step(mopt_space *space, const char *name,
                                           double low, double high,
                                           double step);

/** Add an integer parameter low, low + step, ... up to high, within 2^53 of 0.
 *
 *  @param step  > 0; 1 with MOPT_LOG.
 *  @param flags MOPT_LINEAR or MOPT_LOG (low >= 1).
 *  @return as mopt_space_add_float. Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_space_add_int(mopt_space *space, const char *name,
                                    int64_t low, int64_t high, int64_t step,
                                    int32_t flags);

/** Add a categorical parameter.
 *
 *  @param choices JSON array of texts, numbers, booleans or null, all
 *                 different: "[0.001, 0.01, 0.1]", "[\"relu\", \"tanh\"]".
 *  @return as mopt_space_add_float; MOPT_EFORMAT (not JSON).
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_space_add_choice(mopt_space *space, const char *name,
                                       const char *choices);

/** Let a parameter exist only while another has certain values. Several
 *  conditions on one parameter must all hold; a parameter whose parent does
 *  not exist does not exist.
 *
 *  @param name   a parameter of this space.
 *  @param parent another one, added before it.
 *  @param values JSON: one value, an array of values, or {"min": a, "max": b}
 *                for numbers.
 *  @return MOPT_OK, MOPT_EKEY (no such parameter), MOPT_EINVAL (a value that
 *          the parent cannot have; a parent that does not come before),
 *          MOPT_EFORMAT, MOPT_ERANGE (256 on top of one another are the most),
 *          MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_space_add_condition(mopt_space *space, const char *name,
                                          const char *parent,
                                          const char *values);

/** The space as JSON, as mopt_space_from_json reads it.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (cut), MOPT_ENOMEM.
 *  Thread: one a handle; several readers are fine. Since 0.1. */
MOPT_API int32_t mopt_space_to_json(const mopt_space *space, char *buf,
                                    size_t cap, size_t *needed);

/** Number of different points of the space.
 *
 *  @param count receives it; INT64_MAX when it is larger or infinite.
 *  @return MOPT_OK, MOPT_EINVAL, MOPT_ERANGE (parameters with conditions on
 *          many unrelated ones at once), MOPT_ENOMEM.
 *  Thread: several readers. Since 0.1.
 */
MOPT_API int32_t mopt_space_count(const mopt_space *space, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
