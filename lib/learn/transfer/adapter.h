/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/adapter.h: what low-rank training learnt, as it is seen
 * from outside: matrices [out][in], factors A [rank][in] and B [out][rank]. */
#ifndef MOI_LEARN_ADAPTER_H
#define MOI_LEARN_ADAPTER_H

#include <modelopt/finetune.h>

#include "learn/transfer/lora.h"

/* An adapter of a model's factors as they are, and of its whole tensors that
 * changed (changed[i] for tensor i; NULL: none). */
int32_t moi_adapter_make(const moi_lora *lora, const int32_t *changed,
                         mopt_adapter **out);

#endif
