/* SPDX-License-Identifier: MIT
 * lib/base/clock.h: time. */
#ifndef MOI_BASE_CLOCK_H
#define MOI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

double moi_clock_seconds(void);     /* monotonic */
struct timespec moi_clock_at(double seconds); /* such a reading, for waits */
int64_t moi_clock_utc_micros(void); /* since 1970 */

void moi_clock_sleep(double seconds);

#define MOI_CLOCK_TEXT 32

/* "YYYY-MM-DD HH:MM:SS.ffffff", UTC; returns buf. */
const char *moi_clock_text(int64_t utc_micros, char buf[MOI_CLOCK_TEXT]);

/* Back from that text (fraction optional); 1 if it was one. */
int32_t moi_clock_parse(const char *text, int64_t *utc_micros);

#endif
