/* SPDX-License-Identifier: MIT
 * modelopt/modelopt.h: everything. A program may include the parts instead. */
#ifndef MODELOPT_MODELOPT_H
#define MODELOPT_MODELOPT_H

#include "backend.h"
#include "config.h"
#include "context.h"
#include "data.h"
#include "database.h"
#include "distill.h"
#include "finetune.h"
#include "group.h"
#include "model.h"
#include "parallel.h"
#include "recipe.h"
#include "space.h"
#include "status.h"
#include "study.h"
#include "trainer.h"

#endif
