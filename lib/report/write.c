/* SPDX-License-Identifier: MIT
 * lib/report/write.c: texts and numbers for people, as HTML. */
#include "report/write.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

void moi_html_text(moi_text *out, const char *text)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "&<>\"'");
        moi_text_add_bytes(out, text, (int64_t)plain);
        text += plain;
        switch (*text) {
        case '&': moi_text_add(out, "&amp;"); break;
        case '<': moi_text_add(out, "&lt;"); break;
        case '>': moi_text_add(out, "&gt;"); break;
        case '"': moi_text_add(out, "&quot;"); break;
        case '\'': moi_text_add(out, "&#39;"); break;
        default: return;
        }
        text++;
    }
}

/* The number of digits significant digits that is nearest. Powers of ten up to
 * 1e22 are exact, so one rounded division gives the nearest double. */
static double round_digits(double value, int32_t digits)
{
    if (value == 0)
        return 0;
    int32_t places = digits - 1 - (int32_t)floor(log10(fabs(value)));
    double scale = pow(10, abs(places));
    if (abs(places) > 22)
        return value;
    return places < 0 ? nearbyint(value / scale) * scale
                      : nearbyint(value * scale) / scale;
}

void moi_html_number(moi_text *out, double value, int32_t digits)
{
    char number[MOI_NUMBER_SIZE];
    if (!isfinite(value))
        moi_text_add(out, isnan(value) ? "–" : value > 0 ? "∞" : "−∞");
    else
        moi_text_add(out, moi_number_text(round_digits(value, digits),
                                          number));
}

void moi_html_value(moi_text *out, const json_t *value)
{
    if (json_is_string(value)) {
        moi_html_text(out, json_string_value(value));
    } else if (json_is_real(value)) {
        moi_html_number(out, json_real_value(value), 5);
    } else if (json_is_null(value) || value == NULL) {
        moi_text_add(out, "–");
    } else {
        char *text = moi_json_dump(out->ctx, value);
        if (text == NULL)
            out->status = MOPT_ENOMEM;
        else
            moi_html_text(out, text);
        moi_free(out->ctx, text);
    }
}

void moi_html_seconds(moi_text *out, double seconds)
{
    int64_t whole = (int64_t)(seconds + 0.5);
    if (!(seconds >= 0)) {
        moi_text_add(out, "–");
    } else if (seconds < 1e-3) {
        moi_html_number(out, seconds * 1e6, 3);
        moi_text_add(out, " µs");
    } else if (seconds < 1) {
        moi_html_number(out, seconds * 1e3, 3);
        moi_text_add(out, " ms");
    } else if (seconds < 100) {
        moi_html_number(out, seconds, 3);
        moi_text_add(out, " s");
    } else if (seconds < 6000) {
        moi_text_addf(out, "%" PRId64 " min %02" PRId64 " s", whole / 60,
                      whole % 60);
    } else {
        moi_text_addf(out, "%" PRId64 " h %02" PRId64 " min", whole / 3600,
                      whole / 60 % 60);
    }
}

void moi_html_bytes(moi_text *out, double bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    int32_t i = 0;
    while (bytes >= 1000 && i < 4) {
        bytes /= 1000;
        i++;
    }
    moi_html_number(out, bytes, 3);
    moi_text_addf(out, " %s", units[i]);
}

void moi_html_place(moi_text *out, double value)
{
    long tenths = lround(value * 10);
    moi_text_addf(out, "%s%ld", tenths < 0 ? "-" : "", labs(tenths) / 10);
    if (tenths % 10 != 0)
        moi_text_addf(out, ".%ld", labs(tenths) % 10);
}

void moi_html_count(moi_text *out, int64_t value)
{
    if (value < 0)
        moi_text_add(out, "−");
    uint64_t size = value < 0 ? (uint64_t)-value : (uint64_t)value, unit = 1;
    while (size / unit >= 1000)
        unit *= 1000;
    moi_text_addf(out, "%" PRIu64, size / unit);
    for (unit /= 1000; unit > 0; unit /= 1000)
        moi_text_addf(out, ",%03" PRIu64, size / unit % 1000);
}
