/* SPDX-License-Identifier: MIT
 * modelopt/status.h: what every call returns, and how to read why it failed.
 *
 * A function that can fail returns int32_t: 0 is success, a negative value is
 * an error, a positive value is an expected outcome. Values are never
 * renumbered and never reused. */
#ifndef MODELOPT_STATUS_H
#define MODELOPT_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MOPT_API __attribute__((visibility("default")))
#else
#define MOPT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Success and expected outcomes. */
#define MOPT_OK 0        /* done */
#define MOPT_PRUNED 1    /* the pruner says: stop this trial */
#define MOPT_EXHAUSTED 2 /* the search has nothing more to propose */
#define MOPT_STOPPED 3   /* a callback or a stopping rule ended the work */

/* Errors of the caller: -1 .. -19. */
#define MOPT_EINVAL (-1)       /* an argument or value is not allowed */
#define MOPT_ENOMEM (-2)       /* the allocator returned NULL */
#define MOPT_ESTATE (-3)       /* the object is not in a state to do this */
#define MOPT_ERANGE (-4)       /* a size is too large, or a buffer too small */
#define MOPT_EKEY (-5)         /* no such key or name */
#define MOPT_EUNSUPPORTED (-6) /* known, but not built in or not possible */

/* Errors of the world outside: -20 .. -39. */
#define MOPT_EIO (-20)     /* reading or writing failed */
#define MOPT_EFORMAT (-21) /* a file's or document's content is wrong */
#define MOPT_ENOENT (-22)  /* no such file, study or trial */
#define MOPT_EEXIST (-23)  /* it exists already */
#define MOPT_ELOCKED (-24) /* somebody else holds it */
#define MOPT_ESTORE (-25)  /* the store of a study failed */
#define MOPT_EPEER (-26)   /* another rank is gone, or does not answer */

/* Work that was cut short: -40 .. -59. */
#define MOPT_ECANCELED (-40) /* the cancel token was triggered */
#define MOPT_ECALLBACK (-41) /* a callback failed or returned nonsense */
#define MOPT_EDIVERGED (-42) /* loss or gradient became NaN or infinite */

/* Faults below: -60 .. -79. */
#define MOPT_EBACKEND (-60)  /* the linear algebra backend failed */
#define MOPT_EINTERNAL (-61) /* a bug of this library: please report it */

/** Stable token of a status code.
 *
 *  @param code any value.
 *  @return static text such as "MOPT_EINVAL"; "MOPT_UNKNOWN" for a value that
 *          this version does not know. Never NULL, never freed.
 *  Thread: any. Since 0.1.
 */
MOPT_API const char *mopt_status_name(int32_t code);

/** One English sentence about a status code.
 *
 *  @param code any value.
 *  @return static text. Never NULL, never freed.
 *  Thread: any. Since 0.1.
 */
MOPT_API const char *mopt_status_text(int32_t code);

/** Copy the message of the last error of the calling thread.
 *
 *  The message names what was wrong, where, with which value, and what is
 *  allowed. Success does not clear it.
 *
 *  @param buf    receives UTF-8 text with a NUL, cut to fit; may be NULL when
 *                cap is 0.
 *  @param cap    bytes at buf.
 *  @param needed receives the bytes that the whole text takes, NUL included;
 *                may be NULL.
 *  @return MOPT_OK; MOPT_ERANGE when the text was cut (cap > 0).
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_last_error(char *buf, size_t cap, size_t *needed);

/** Status code of the last error of the calling thread, MOPT_OK if none.
 *
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_last_code(void);

/** Set the last error of the calling thread, as the library's own functions do:
 *  for functions of the host's that the library calls, so that what they report
 *  says why.
 *
 *  @param code    negative; anything else is taken for MOPT_EINTERNAL.
 *  @param message UTF-8, copied, cut to 1,023 bytes; NULL for the sentence of
 *                 mopt_status_text.
 *  Thread: any. Since 0.1.
 */
MOPT_API void mopt_set_error(int32_t code, const char *message);

#ifdef __cplusplus
}
#endif

#endif
