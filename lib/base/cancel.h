/* SPDX-License-Identifier: MIT
 * lib/base/cancel.h: asking a token inside long calls. */
#ifndef MOI_BASE_CANCEL_H
#define MOI_BASE_CANCEL_H

#include <modelopt/context.h>

/* MOPT_OK, or MOPT_ECANCELED with its message; NULL is never triggered. */
int32_t moi_cancel_check(const mopt_cancel *cancel);

#endif
