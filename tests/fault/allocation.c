/* SPDX-License-Identifier: MIT
 * tests/fault/allocation.c: each allocation of each public function fails, once
 * and from then on. The call must say MOPT_ENOMEM (or do without), leak nothing
 * and leave its objects so that the same call succeeds in the end. */
#include "world.h"

#include <string.h>

/* After this many, further allocations are tried in growing steps. */
#define EACH 150

/* A recipe's only trial that had no memory is a failed trial, and the run tells
 * that none completed, and why. */
static int told_why(const sweep *s, int32_t status)
{
    char text[512] = "";
    if (strcmp(s->function, "mopt_recipe_run") != 0 || status != MOPT_ENOENT)
        return 0;
    mopt_last_error(text, sizeof text, NULL);
    return strstr(text, "memory") != NULL;
}

/* The call once with every allocation failing in turn; tells the number of
 * allocations of the call that succeeded at last. */
static int64_t sweep_call(world *w, const sweep *s, int32_t forever)
{
    int64_t failures = 0;
    for (int64_t at = 0;; at += 1 + (at > EACH ? at / 8 : 0)) {
        w->fail_at = at;
        w->fail_forever = forever;
        int32_t status = s->call(w);
        if (w->asked <= at) {
            accepted(w, status, s->function);
            break;
        }
        ck_assert_msg(status == MOPT_ENOMEM || status >= 0 ||
                          told_why(s, status),
                      "%s: allocation %lld failed%s, it returned %s",
                      s->function, (long long)at, forever ? " for ever" : "",
                      mopt_status_name(status));
        failures += status == MOPT_ENOMEM;
    }
    w->fail_at = -1;
    return failures;
}

START_TEST(fails_in_turn)
{
    for (int32_t forever = 0; forever < 2; forever++) {
        world *w = world_begin();
        int64_t failures = sweep_call(w, &sweeps[_i], forever);
        ck_assert_msg(failures > 0 || w->asked == 0,
                      "%s allocates, and never failed", sweeps[_i].function);
        world_end(w);
    }
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("allocation");
    TCase *tcase = tcase_create("each function");
    tcase_add_loop_test(tcase, fails_in_turn, 0, sweep_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
