/* SPDX-License-Identifier: MIT
 * lib/report/write.h: texts and numbers for people, as HTML. */
#ifndef MOI_REPORT_WRITE_H
#define MOI_REPORT_WRITE_H

#include "base/json.h"
#include "base/text.h"

/* Add a text, its special characters as entities. */
void moi_html_text(moi_text *out, const char *text);

/* Add a number with at most digits significant digits. */
void moi_html_number(moi_text *out, double value, int32_t digits);

/* Add a value as people write it: texts without quotes, numbers in 5 digits. */
void moi_html_value(moi_text *out, const json_t *value);

/* Add seconds as "1.2 ms", "3 min 20 s"; bytes as "85 KB". */
void moi_html_seconds(moi_text *out, double seconds);
void moi_html_bytes(moi_text *out, double bytes);

/* Add a coordinate: one digit behind the point is enough for a screen. */
void moi_html_place(moi_text *out, double value);

/* Add a whole number, its thousands apart: "21,834". */
void moi_html_count(moi_text *out, int64_t value);

#endif
