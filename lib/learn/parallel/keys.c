/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/keys.c: the keys of the kind "parallel". */
#include "learn/parallel/parallel.h"

#define FIXED(n, type, preset, most, text, choices, help) \
    {n, type, MOI_KEY_FIXED, preset, 0, most, text, choices, NULL, help}
#define COUNT(n, help) \
    FIXED(n, MOPT_TYPE_INT, 0, MOI_RANKS_MAX, NULL, NULL, help)
#define RATE(n, preset, help) \
    {n, MOPT_TYPE_FLOAT, MOI_KEY_FIXED | MOI_KEY_OPEN_MIN, preset, 0, 1e18, \
     NULL, NULL, NULL, help}
#define LIST(n, help) FIXED(n, MOPT_TYPE_TEXT, 0, 0, "", NULL, help)

/* What tells of the machine is, unless said, two cores of an AMD EPYC (Zen 3,
 * AVX2) and ranks that are threads, by bench/costs.py. */
static const moi_key keys[] = {
    COUNT("data", "ranks that share the rows of a batch, 0: chosen"),
    COUNT("tensor", "ranks that share each layer, 0: chosen"),
    COUNT("pipeline", "ranks that share the stack of layers, a stage each, "
                      "0: chosen"),
    FIXED("schedule", MOPT_TYPE_CHOICE, 0, 0, "1f1b", "1f1b|gpipe",
          "order of the parts of a batch in a stage: forward and backward in "
          "turns, or all forward first"),
    LIST("cuts", "the layer that each stage begins with, as in \"0,2,4\", "
                 "empty: balanced"),
    LIST("splits", "of each layer over tensor ranks, as in "
                   "\"columns,rows,none\", empty: chosen"),
    FIXED("memory_limit", MOPT_TYPE_FLOAT, 0, 1e18, NULL, NULL,
          "bytes that a rank may hold, without data and validation, 0: any"),
    RATE("speed", 8.4e10, "operations a second of one core, in products"),
    RATE("memory_speed", 3.2e11, "bytes a second of operands of products, "
                                 "packed or written"),
    RATE("update_speed", 3.2e10, "bytes a second of weights, gradients and "
                                 "states, passed over"),
    FIXED("cache", MOPT_TYPE_FLOAT, 1.2e7, 1e18, NULL, NULL,
          "bytes of weights, gradients and states that a core has near, 0: "
          "all"),
    RATE("far_speed", 1.9e10, "bytes a second of operands that are too much "
                              "for that, or that another core has written"),
    FIXED("overhead", MOPT_TYPE_FLOAT, 2e-7, 1e3, NULL, NULL,
          "seconds a product takes besides"),
    FIXED("link_latency", MOPT_TYPE_FLOAT, 1.1e-6, 1e3, NULL, NULL,
          "seconds a message takes between ranks, however short"),
    FIXED("link_work", MOPT_TYPE_FLOAT, 1, 1, NULL, NULL,
          "part of a message's time that a core works on it: 1 where memory is "
          "copied, 0 where a network does it"),
    RATE("link_bandwidth", 3.9e10, "bytes a second between ranks"),
    {"host_ranks", MOPT_TYPE_INT, MOI_KEY_FIXED, 1, 1, MOI_RANKS_MAX, NULL,
     NULL, NULL, "processes of a host: where it has all ranks, they read "
                 "gradients and weights in its memory and send none"},
    MOI_KEYS_END,
};

const moi_schema moi_parallel_schema = {
    "parallel", "how ranks share one training", keys};
