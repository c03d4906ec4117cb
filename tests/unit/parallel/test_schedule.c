/* SPDX-License-Identifier: MIT
 * tests/unit/parallel/test_schedule.c: every micro-batch goes forward, then
 * back, in order; stages keep as few as they may; and two neighbours never wait
 * for each other. */
#include <stdlib.h>

#include "kit.h"
#include "learn/parallel/schedule.h"

#define PARTS 12
#define STAGES 6

static moi_pass_op lists[STAGES][2 * PARTS];

START_TEST(every_part_goes_forward_and_back_in_order)
{
    int32_t stages = 1 + _i % STAGES, schedule = _i / STAGES;
    for (int64_t parts = 0; parts <= PARTS; parts++)
        for (int32_t stage = 0; stage < stages; stage++) {
            moi_pass_op *list = lists[0];
            int64_t there = 0, back = 0, most = 0;
            moi_passes_list(schedule, stages, stage, parts, list);
            for (int64_t n = 0; n < 2 * parts; n++) {
                ck_assert_int_eq(list[n].part, list[n].back ? back : there);
                back += list[n].back;
                there += !list[n].back;
                ck_assert_int_le(back, there);
                most = there - back > most ? there - back : most;
            }
            ck_assert_int_eq(back, parts);
            ck_assert_int_eq(there, parts);
            ck_assert_int_eq(most, moi_passes_places(schedule, stages, stage,
                                                     parts));
            if (schedule == MOI_ONE_F_ONE_B)
                ck_assert_int_le(most, stages - stage);
        }
}
END_TEST

/* What a stage waits for before operation n: the same part at a neighbour. */
static int32_t is_ready(int32_t stages, int32_t stage, const moi_pass_op *op,
                        const int64_t forward[STAGES],
                        const int64_t backward[STAGES])
{
    if (op->back)
        return stage == stages - 1 || backward[stage + 1] > op->part;
    return stage == 0 || forward[stage - 1] > op->part;
}

/* Every stage goes on as far as it can; in the end all are done. */
START_TEST(stages_never_wait_for_each_other)
{
    int32_t stages = 1 + _i % STAGES, schedule = _i / STAGES;
    for (int64_t parts = 1; parts <= PARTS; parts++) {
        int64_t at[STAGES] = {0}, forward[STAGES] = {0};
        int64_t backward[STAGES] = {0}, done = 0, before = -1;
        for (int32_t s = 0; s < stages; s++)
            moi_passes_list(schedule, stages, s, parts, lists[s]);
        while (done > before) {
            before = done;
            for (int32_t s = 0; s < stages; s++)
                while (at[s] < 2 * parts &&
                       is_ready(stages, s, &lists[s][at[s]], forward,
                                backward)) {
                    backward[s] += lists[s][at[s]].back;
                    forward[s] += !lists[s][at[s]].back;
                    at[s]++;
                    done++;
                }
        }
        ck_assert_int_eq(done, 2 * parts * stages);
    }
}
END_TEST

Suite *kit_suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *t = tcase_create("schedule");
    tcase_add_loop_test(t, every_part_goes_forward_and_back_in_order, 0,
                        2 * STAGES);
    tcase_add_loop_test(t, stages_never_wait_for_each_other, 0, 2 * STAGES);
    suite_add_tcase(s, t);
    return s;
}
