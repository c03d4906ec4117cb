/* SPDX-License-Identifier: MIT
 * lib/base/status.c: names of status codes and the thread's last error.
 *
 * The message lives in fixed thread-local storage: setting it needs no memory
 * and cannot fail. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static _Thread_local struct {
    int32_t code;
    uint64_t told; /* how many there were */
    char message[MOI_MESSAGE_SIZE];
} last;

static const struct {
    int32_t code;
    const char *name;
    const char *text;
} statuses[] = {
    {MOPT_OK, "MOPT_OK", "done"},
    {MOPT_PRUNED, "MOPT_PRUNED", "the pruner stopped the trial"},
    {MOPT_EXHAUSTED, "MOPT_EXHAUSTED", "there is nothing more to propose"},
    {MOPT_STOPPED, "MOPT_STOPPED", "a callback or a rule ended the work"},
    {MOPT_EINVAL, "MOPT_EINVAL", "an argument or value is not allowed"},
    {MOPT_ENOMEM, "MOPT_ENOMEM", "there is not enough memory"},
    {MOPT_ESTATE, "MOPT_ESTATE", "the object is not in a state to do this"},
    {MOPT_ERANGE, "MOPT_ERANGE", "a size is too large or a buffer too small"},
    {MOPT_EKEY, "MOPT_EKEY", "there is no such key or name"},
    {MOPT_EUNSUPPORTED, "MOPT_EUNSUPPORTED", "this is not supported"},
    {MOPT_EIO, "MOPT_EIO", "reading or writing failed"},
    {MOPT_EFORMAT, "MOPT_EFORMAT", "the content is not well formed"},
    {MOPT_ENOENT, "MOPT_ENOENT", "it does not exist"},
    {MOPT_EEXIST, "MOPT_EEXIST", "it exists already"},
    {MOPT_ELOCKED, "MOPT_ELOCKED", "somebody else holds it"},
    {MOPT_ESTORE, "MOPT_ESTORE", "the store of the study failed"},
    {MOPT_EPEER, "MOPT_EPEER", "another rank is gone or does not answer"},
    {MOPT_ECANCELED, "MOPT_ECANCELED", "the call was canceled"},
    {MOPT_ECALLBACK, "MOPT_ECALLBACK", "a callback failed"},
    {MOPT_EDIVERGED, "MOPT_EDIVERGED", "the training diverged"},
    {MOPT_EBACKEND, "MOPT_EBACKEND", "the linear algebra backend failed"},
    {MOPT_EINTERNAL, "MOPT_EINTERNAL", "a fault inside the library"},
};

const char *mopt_status_name(int32_t code)
{
    for (int64_t i = 0; i < MOI_COUNT(statuses); i++)
        if (statuses[i].code == code)
            return statuses[i].name;
    return "MOPT_UNKNOWN";
}

const char *mopt_status_text(int32_t code)
{
    for (int64_t i = 0; i < MOI_COUNT(statuses); i++)
        if (statuses[i].code == code)
            return statuses[i].text;
    return "a status that this version does not know";
}

int32_t mopt_last_error(char *buf, size_t cap, size_t *needed)
{
    return moi_copy_out(last.message, buf, cap, needed);
}

int32_t mopt_last_code(void)
{
    return last.code;
}

uint64_t moi_errors_told(void)
{
    return last.told;
}

const char *moi_last_text(void)
{
    return last.message;
}

void moi_told_keep(moi_told *told)
{
    told->code = last.code;
    memcpy(told->message, last.message, sizeof told->message);
}

void moi_told_restore(const moi_told *told)
{
    last.code = told->code;
    memcpy(last.message, told->message, sizeof last.message);
}

/* The end of a text that was cut must not be half a UTF-8 character. */
static void mend_end(char *text, size_t cut)
{
    while (cut > 0 && ((unsigned char)text[cut - 1] & 0xC0) == 0x80)
        cut--;
    if (cut > 0)
        text[cut - 1] = '\0';
}

int32_t moi_fail(int32_t code, const char *format, ...)
{
    /* The old message may be among the arguments. */
    char message[MOI_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof message &&
        ((unsigned char)message[sizeof message - 2] & 0x80) != 0)
        mend_end(message, sizeof message - 1);
    memcpy(last.message, message, sizeof message);
    last.code = code;
    last.told++;
    return code;
}

void mopt_set_error(int32_t code, const char *message)
{
    if (code >= 0)
        code = MOPT_EINTERNAL;
    moi_fail(code, "%s", message != NULL ? message : mopt_status_text(code));
}

int32_t moi_fail_at(int32_t code, const char *format, ...)
{
    char place[MOI_PATH_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place, sizeof place, format, arguments);
    va_end(arguments);
    return moi_fail(code, "%s%s", place, last.message);
}

int32_t moi_fail_null(const char *function, const char *argument)
{
    return moi_fail(MOPT_EINVAL, "%s: '%s' must not be NULL", function,
                    argument);
}
