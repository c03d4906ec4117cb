/* SPDX-License-Identifier: MIT
 * lib/base/clock.c: monotonic time for measuring, UTC for telling.
 *
 * The calendar is computed here: gmtime and strftime see the locale and the
 * time zone's files. */
#include "base/clock.h"

#include <stdio.h>

double moi_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct timespec moi_clock_at(double seconds)
{
    double whole = seconds < 1e15 ? seconds : 1e15;
    int64_t count = (int64_t)whole;
    return (struct timespec){
        .tv_sec = (time_t)count,
        .tv_nsec = (long)((whole - (double)count) * 1e9),
    };
}

void moi_clock_sleep(double seconds)
{
    const struct timespec time = moi_clock_at(seconds);

    nanosleep(&time, NULL);
}

int64_t moi_clock_utc_micros(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double machine_seconds(void *user)
{
    (void)user;
    return moi_clock_seconds();
}

static int64_t machine_utc_micros(void *user)
{
    (void)user;
    return moi_clock_utc_micros();
}

const moi_clock moi_clock_machine = {NULL, machine_seconds,
                                     machine_utc_micros, 0};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and
 * back, by eras of 400 years that begin in March (Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms", 2014). */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month,
                           int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) /
                365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

const char *moi_clock_text(int64_t utc_micros, char buf[MOI_CLOCK_TEXT])
{
    int64_t seconds = utc_micros / 1000000, micros = utc_micros % 1000000;
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t year, month, day;
    date_from_days(days, &year, &month, &day);
    snprintf(buf, MOI_CLOCK_TEXT, "%04d-%02d-%02d %02d:%02d:%02d.%06d",
             (int)(year % 10000), (int)month, (int)day, (int)(rest / 3600),
             (int)(rest / 60 % 60), (int)(rest % 60), (int)micros);
    return buf;
}

/* count digits at text into *out; 1 if they are digits. */
static int32_t read_digits(const char *text, int32_t count, int64_t *out)
{
    int64_t value = 0;
    for (int32_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return 1;
}

/* Up to six digits after the point, as micros. */
static int32_t read_fraction(const char *text, int64_t *micros)
{
    int64_t value = 0, scale = 100000;
    if (*text == '\0') {
        *micros = 0;
        return 1;
    }
    if (*text++ != '.' || *text == '\0')
        return 0;
    for (; *text >= '0' && *text <= '9'; text++, scale /= 10)
        value += (*text - '0') * scale;
    *micros = value;
    return *text == '\0';
}

int32_t moi_clock_parse(const char *text, int64_t *utc_micros)
{
    int64_t year, month, day, hour, minute, second, micros;
    if (!read_digits(text, 4, &year) || text[4] != '-' ||
        !read_digits(text + 5, 2, &month) || text[7] != '-' ||
        !read_digits(text + 8, 2, &day) ||
        (text[10] != ' ' && text[10] != 'T') ||
        !read_digits(text + 11, 2, &hour) || text[13] != ':' ||
        !read_digits(text + 14, 2, &minute) || text[16] != ':' ||
        !read_digits(text + 17, 2, &second) ||
        !read_fraction(text + 19, &micros))
        return 0;
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    int64_t seconds = days_from_date(year, month, day) * 86400 + hour * 3600 +
                      minute * 60 + second;
    *utc_micros = seconds * 1000000 + micros;
    return 1;
}
