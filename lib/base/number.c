/* SPDX-License-Identifier: MIT
 * lib/base/number.c: numbers as text in one notation everywhere.
 *
 * The C library's own conversions follow the locale of the host; where they
 * are used here, its decimal point is put in or taken out again. */
#include "base/number.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What localeconv says the decimal point is; most often ".". */
static const char *decimal_point(void)
{
    const struct lconv *locale = localeconv();
    return locale->decimal_point[0] != '\0' ? locale->decimal_point : ".";
}

/* The locale's point in text becomes ".". */
static void use_dot(char *text)
{
    const char *point = decimal_point();
    char *at = strstr(text, point);
    if (at == NULL || strcmp(point, ".") == 0)
        return;
    size_t length = strlen(point);
    *at = '.';
    memmove(at + 1, at + length, strlen(at + length) + 1);
}

const char *moi_number_text(double value, char buf[MOI_NUMBER_SIZE])
{
    if (isnan(value))
        return strcpy(buf, "NaN");
    if (isinf(value))
        return strcpy(buf, value > 0 ? "Infinity" : "-Infinity");
    /* 15 digits always survive, 17 always suffice (IEEE 754, double). */
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        snprintf(buf, MOI_NUMBER_SIZE, "%.*g", digits, value);
        use_dot(buf);
        if (moi_number_parse(buf, &back) && back == value)
            break;
    }
    return buf;
}

/* Powers of ten that a double holds exactly. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                                1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
                                1e18, 1e19, 1e20, 1e21, 1e22};

/* A decimal number taken apart. */
typedef struct decimal {
    uint64_t mantissa; /* its first 19 digits */
    int32_t exponent;  /* of ten */
    int32_t exact;     /* no digit was left out */
    size_t length;     /* bytes it took; 0: none */
} decimal;

static size_t scan_digits(const char *text, size_t length, size_t at,
                          int32_t after_point, decimal *number)
{
    size_t start = at;
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++) {
        if (number->mantissa < UINT64_C(1000000000000000000)) {
            number->mantissa =
                number->mantissa * 10 + (uint64_t)(text[at] - '0');
            number->exponent -= after_point;
        } else {
            number->exact &= text[at] == '0';
            number->exponent += !after_point;
        }
    }
    return at - start;
}

/* "e-12" at text[at]; returns the bytes taken, 0 if it is none. */
static size_t scan_exponent(const char *text, size_t length, size_t at,
                            decimal *number)
{
    size_t start = at;
    if (at >= length || (text[at] | 0x20) != 'e')
        return 0;
    at++;
    int32_t negative = at < length && text[at] == '-';
    if (at < length && (text[at] == '-' || text[at] == '+'))
        at++;
    size_t digits = at;
    int32_t value = 0;
    for (; at < length && text[at] >= '0' && text[at] <= '9'; at++)
        if (value < 100000)
            value = value * 10 + (text[at] - '0');
    if (at == digits)
        return 0;
    number->exponent += negative ? -value : value;
    return at - start;
}

static decimal scan(const char *text, size_t length, size_t at)
{
    decimal number = {.exact = 1};
    size_t start = at;
    size_t digits = scan_digits(text, length, at, 0, &number);
    at += digits;
    if (at < length && text[at] == '.') {
        size_t behind = scan_digits(text, length, at + 1, 1, &number);
        if (digits + behind > 0)
            at += 1 + behind;
        digits += behind;
    }
    if (digits == 0)
        return number;
    at += scan_exponent(text, length, at, &number);
    number.length = at - start;
    return number;
}

/* The slow and always right way, for numbers the short way cannot do. */
static double convert(const char *text, size_t length)
{
    /* 800 digits decide any double (the longest needs 767). */
    char copy[840];
    size_t take = length < sizeof copy - 8 ? length : sizeof copy - 8;
    const char *point = decimal_point();
    size_t used = 0;
    for (size_t i = 0; i < take && used < sizeof copy - 8; i++) {
        if (text[i] != '.') {
            copy[used++] = text[i];
            continue;
        }
        memcpy(copy + used, point, strnlen(point, 4));
        used += strnlen(point, 4);
    }
    copy[used] = '\0';
    return strtod(copy, NULL);
}

static size_t read_word(const char *text, size_t length, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"infinity", INFINITY}, {"inf", INFINITY}, {"nan", NAN}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i].word);
        if (length >= size && strncasecmp(text, words[i].word, size) == 0) {
            *out = words[i].value;
            return size;
        }
    }
    return 0;
}

size_t moi_number_read(const char *text, size_t length, double *out)
{
    size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
    int32_t negative = sign && text[0] == '-';
    double value;
    decimal number = scan(text, length, sign);
    size_t taken = number.length;
    if (taken == 0)
        taken = read_word(text + sign, length - sign, &value);
    /* Both factors exact: one rounding (Clinger 1990, "fast path"). */
    else if (number.exact && number.mantissa <= UINT64_C(1) << 53 &&
             number.exponent >= -22 && number.exponent <= 22)
        value = number.exponent < 0
                    ? (double)number.mantissa / powers[-number.exponent]
                    : (double)number.mantissa * powers[number.exponent];
    else
        value = convert(text + sign, taken);
    if (taken == 0)
        return 0;
    *out = negative ? -value : value;
    return sign + taken;
}

/* Text without the blanks at both ends. */
static const char *trim(const char *text, size_t *length)
{
    while (isspace((unsigned char)*text))
        text++;
    *length = strlen(text);
    while (*length > 0 && isspace((unsigned char)text[*length - 1]))
        (*length)--;
    return text;
}

int32_t moi_number_parse(const char *text, double *out)
{
    size_t length;
    double value;
    text = trim(text, &length);
    if (length == 0 || moi_number_read(text, length, &value) != length)
        return 0;
    *out = value;
    return 1;
}

int32_t moi_number_parse_int(const char *text, int64_t *out)
{
    size_t length;
    text = trim(text, &length);
    size_t at = length > 0 && (text[0] == '-' || text[0] == '+');
    int32_t negative = at > 0 && text[0] == '-';
    int64_t value = 0;
    if (at == length)
        return 0;
    for (; at < length; at++) {
        int64_t digit = text[at] - '0';
        if (digit < 0 || digit > 9 ||
            __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return 0;
    }
    *out = value;
    return 1;
}
