#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a slow link between ranks costs, and what hides or spares it.

    bench/overlap.py BUILD [ROUNDS [RATE]]

Two MPI ranks on two hosts (network namespaces, tests/tools/hosts.sh) that are
joined by a link of RATE (1gbit) train 784-512-512-10 (bench/ranks.c) at a
global batch of 6,144 rows, each its share at once ("chunk": gradients are
final in its last chunk), in turns: with the key "overlap" (together), without
it (apart), and without it over a link without a limit (free); and with
"compression" (bf16, topk). What the link adds to a step that hides nothing is
the time of the all-reduce; what overlapping takes away from it, is hidden. Then
the same at 256 rows, where little can be hidden (small), and with "local_steps"
24 (local). Prints medians of ROUNDS (3) as JSON lines, with
the bytes that a rank has sent a step. Needs two idle cores, the right to make
namespaces, and Open MPI."""
import json
import os
import statistics
import sys

import launch

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS = os.path.join(HERE, "..", "tests", "tools", "hosts.sh")
STEPS = 65  # of bench_ranks, those included that are not timed
SMALL = {"batch_size": 256, "chunk": 0}
KINDS = {
    "apart": {"overlap": "never"},
    "together": {"overlap": "always"},
    "free": {"overlap": "never"},
    "bf16": {"compression": "bf16"},
    "topk": {"compression": "topk"},
    "small": SMALL,
    "small bf16": {**SMALL, "compression": "bf16"},
    "small topk": {**SMALL, "compression": "topk"},
    "local": {**SMALL, "local_steps": 24},
}


def measure(build, rate, settings):
    """Milliseconds, and bytes that the first host sends, of a step."""
    limit = ["-r", rate] if rate else []
    command = ('mpirun --bind-to none -x LD_LIBRARY_PATH -n 2 "$0" "$1" && '
               "ip -j -s link show dev eth0")
    out = launch.run(
        build, ["sh", HOSTS, *limit, "2", "sh", "-c", command,
                os.path.join(build, "bench", "bench_ranks"),
                json.dumps(settings)])
    speed, link = (json.loads(line) for line in out.strip().split("\n", 1))
    return (1000 / speed["steps_per_second"],
            link[0]["stats64"]["tx"]["bytes"] / STEPS)


def main(build, rounds=3, rate="1gbit"):
    found = {kind: [] for kind in KINDS}
    for _ in range(int(rounds)):
        for kind, settings in KINDS.items():
            found[kind].append(measure(
                build, None if kind == "free" else rate,
                {"batch_size": 6144, "chunk": 3072, **settings}))
    times = {}
    for kind, runs in found.items():
        times[kind], sent = (statistics.median(x) for x in zip(*runs))
        print(json.dumps({"bench": "overlap", "kind": kind, "rate": rate,
                          "step_ms": round(times[kind], 2),
                          "bytes_a_step": round(sent)}))
    spent = times["apart"] - times["free"]
    print(json.dumps({
        "bench": "overlap", "all_reduce_ms": round(spent, 2),
        "hidden": round((times["apart"] - times["together"]) / spent, 3)}))


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *sys.argv[2:])
