/* SPDX-License-Identifier: MIT
 * lib/learn/train/link.h: how fast the link between ranks is. */
#ifndef MOI_LEARN_LINK_H
#define MOI_LEARN_LINK_H

#include <modelopt/group.h>

/* Measure it, with a few messages to neighbours: bytes a second, the same at
 * all ranks, which all call this. */
int32_t moi_link_measure(mopt_group *group, double *bandwidth);

#endif
