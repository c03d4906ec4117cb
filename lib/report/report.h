/* SPDX-License-Identifier: MIT
 * lib/report/report.h: a run told as one HTML file. */
#ifndef MOI_REPORT_REPORT_H
#define MOI_REPORT_REPORT_H

#include "base/json.h"

/* Write a report. story: "result" (mopt_result_to_json), "study"
 * (mopt_study_to_json), "recipe", "environment" (mopt_context_info), "data"
 * (mopt_dataset_describe of the training part), "rows" of the parts, "aims"
 * (objectives and constraints), "model" (mopt_model_describe of the winner;
 * left out when there is none). Of several runs: "result", "recipe",
 * "environment" alone. */
int32_t moi_report_write(mopt_context *ctx, const json_t *story,
                         const char *path);

#endif
