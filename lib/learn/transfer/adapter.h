/* SPDX-License-Identifier: MIT
 * lib/learn/transfer/adapter.h: what low-rank training learnt, as it is seen
 * from outside: matrices [out][in], factors A [rank][in] and B [out][rank]. */
#ifndef MOI_LEARN_ADAPTER_H
#define MOI_LEARN_ADAPTER_H

#include <modelopt/finetune.h>

#include "learn/transfer/lora.h"

/* An adapter of a model's factors as they are, and of its whole tensors that
 * changed (whole[i] for tensor i; NULL: none); new_head: the head is among
 * them, and is another one than the source's. */
int32_t moi_adapter_make(const moi_lora *lora, const int32_t *whole,
                         int32_t new_head, mopt_adapter **out);

#endif
