/* SPDX-License-Identifier: MIT
 * lib/base/number.h: numbers as text, whatever the host's locale. */
#ifndef MOI_BASE_NUMBER_H
#define MOI_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define MOI_NUMBER_SIZE 32

/* Shortest text that reads back as the same double; returns buf. */
const char *moi_number_text(double value, char buf[MOI_NUMBER_SIZE]);

/* Read a number from the start of length bytes, correctly rounded. Returns the
 * bytes taken, 0 if there is no number. Accepts "nan" and "inf" in any case. */
size_t moi_number_read(const char *text, size_t length, double *out);

/* The whole text is one number (blanks around it allowed)? 1 or 0. */
int32_t moi_number_parse(const char *text, double *out);
int32_t moi_number_parse_int(const char *text, int64_t *out);

#endif
