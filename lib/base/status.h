/* SPDX-License-Identifier: MIT
 * lib/base/status.h: setting the message of an error.
 *
 * The message lives in fixed thread-local storage, so that setting it cannot
 * fail, not even without memory. Every error is told once, where it is found;
 * callers pass the code on. */
#ifndef MOI_BASE_STATUS_H
#define MOI_BASE_STATUS_H

#include <modelopt/status.h>

#define MOI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define MOI_COUNT(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

/* Set the calling thread's last error and return code. Numbers go in by
 * moi_number_text (number.h), never by %g: the locale must not show. */
int32_t moi_fail(int32_t code, const char *format, ...) MOI_PRINTF(2, 3);

/* Put text before the message of the last error: "train.epochs: ". Used on the
 * way out by those who know the place. Returns code. */
int32_t moi_fail_at(int32_t code, const char *format, ...) MOI_PRINTF(2, 3);

/* Bytes for a message: a path, a value and a sentence; longer ones are cut. */
#define MOI_MESSAGE_SIZE 1024

/* Bytes for the text of a place, such as a JSON path. */
#define MOI_PATH_SIZE 256

/* The usual sentence for a NULL argument. */
int32_t moi_fail_null(const char *function, const char *argument);

/* How many errors the calling thread has set: whoever calls functions of the
 * host's can tell whether they set one. */
uint64_t moi_errors_told(void);

/* The message of the last error, for handles that keep a copy. */
const char *moi_last_text(void);

/* The last error, and the same again after calls whose own errors are nobody's
 * affair. */
typedef struct moi_told {
    int32_t code;
    char message[MOI_MESSAGE_SIZE];
} moi_told;

void moi_told_keep(moi_told *told);
void moi_told_restore(const moi_told *told);

#endif
