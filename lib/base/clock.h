/* SPDX-License-Identifier: MIT
 * lib/base/clock.h: time, and the one seam for it. */
#ifndef MOI_BASE_CLOCK_H
#define MOI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

double moi_clock_seconds(void);     /* monotonic */
struct timespec moi_clock_at(double seconds); /* such a reading, for waits */
int64_t moi_clock_utc_micros(void); /* since 1970 */

void moi_clock_sleep(double seconds);

/* Whose time a context goes by: when trials began and ended, and who has been
 * silent for how long. Tests and simulations bring their own. Waiting, for a
 * lock or a server, takes the machine's time in any case. */
typedef struct moi_clock {
    void *user;
    double (*seconds)(void *user);     /* monotonic */
    int64_t (*utc_micros)(void *user); /* since 1970 */
    int32_t by_hand; /* no thread beats for a lease: see lease.h */
} moi_clock;

extern const moi_clock moi_clock_machine;

#define MOI_CLOCK_TEXT 32

/* "YYYY-MM-DD HH:MM:SS.ffffff", UTC; returns buf. */
const char *moi_clock_text(int64_t utc_micros, char buf[MOI_CLOCK_TEXT]);

/* Back from that text (fraction optional); 1 if it was one. */
int32_t moi_clock_parse(const char *text, int64_t *utc_micros);

#endif
