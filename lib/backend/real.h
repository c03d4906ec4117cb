/* SPDX-License-Identifier: MIT
 * lib/backend/real.h: the number type of the learn kernels.
 *
 * float in the product; double when built with MOI_DOUBLE, for the gradient
 * checks. */
#ifndef MOI_BACKEND_REAL_H
#define MOI_BACKEND_REAL_H

#ifdef MOI_ONCE
#error "lib/meson.build compiles this file once for both number types"
#endif

#ifdef MOI_DOUBLE
typedef double moi_real;
#else
typedef float moi_real;
#endif

#endif
