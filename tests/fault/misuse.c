/* SPDX-License-Identifier: MIT
 * tests/fault/misuse.c: each parameter of each public function, wrong alone.
 * The calls come from sweeps.py, the right arguments from world.c. */
#include "world.h"

START_TEST(wrong_alone)
{
    world *w = world_begin();
    sweeps[_i].misuse(w);
    world_end(w);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("misuse");
    TCase *tcase = tcase_create("each function");
    tcase_add_loop_test(tcase, wrong_alone, 0, sweep_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
