#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a slow link between ranks costs, and what hides or spares it.

    bench/overlap.py BUILD [ROUNDS [RATE]]

Two MPI ranks on two hosts (network namespaces, tests/tools/hosts.sh) that are
joined by a link of RATE (1gbit) train 784-512-512-10 (bench/ranks.c). Trainers
take steps in turns, ROUNDS (30) each: one that hides nothing (apart), one with
the key "overlap" (together), with "compression" (bf16, topk), and one that
each rank has for its own share (own). At 3,072 and 1,536 rows a rank, each
its share at once ("chunk": gradients are final in its last chunk); then at
128, where little can be hidden, also with "local_steps" (local; one of 24
meets, and the mean counts). Prints medians as JSON lines. What apart takes
longer than own is the time of the all-reduce; what together takes less than
apart, is hidden: medians over the rounds, and how far draws of as many rounds
differ: beside other guests of a host it takes hundreds of rounds. (own changes
all weights, apart half of them, for which the all-reduce looks some 3 % shorter
than it is.) Needs two idle cores, the right to make namespaces, and Open
MPI."""
import json
import os
import random
import statistics
import sys

import launch

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS = os.path.join(HERE, "..", "tests", "tools", "hosts.sh")
PACKED = {"bf16": {"compression": "bf16"}, "topk": {"compression": "topk"}}
KINDS = {"own": {}, "apart": {"overlap": "never"},
         "together": {"overlap": "always"}, **PACKED}
SMALL = {"own": {}, "apart": {"overlap": "never"}, **PACKED,
         "local": {"local_steps": 24, "parts": 0}}


def words_of(kind, rows, settings):
    """What bench_ranks is told of a trainer."""
    own = kind == "own"
    ranks = 1 if own else 2
    return ("-" if own else "") + json.dumps(
        {"batch_size": rows * ranks, "chunk": rows, "parts": 2 * ranks,
         **settings})


def measure(build, rate, rounds, rows, kinds):
    """Milliseconds of each kind's steps, by kind."""
    out = launch.run(
        build, ["sh", HOSTS, "-r", rate, "2", "sh", "-c",
                "mpirun --bind-to none -x LD_LIBRARY_PATH -n 2 "
                '"$0" turns "$@"',
                os.path.join(build, "bench", "bench_ranks"), str(rounds),
                *(words_of(kind, rows, settings)
                  for kind, settings in kinds.items())])
    lines = [json.loads(line) for line in out.splitlines()]
    return {kind: line["ms"] for kind, line in zip(kinds, lines)}


def difference(times, a, b, rounds):
    return statistics.median(times[a][i] - times[b][i] for i in rounds)


def hidden(times, rounds):
    return difference(times, "apart", "together", rounds) / \
        difference(times, "apart", "own", rounds)


def spread(times, rounds, draws=400):
    """Where the middle 80 % of draws of as many rounds come to."""
    rng = random.Random(1)
    found = sorted(hidden(times, rng.choices(rounds, k=len(rounds)))
                   for _ in range(draws))
    return [round(found[draws // 10], 3), round(found[-draws // 10], 3)]


def main(build, rounds=30, rate="1gbit"):
    for rows, kinds in ((3072, KINDS), (1536, KINDS), (128, SMALL)):
        count = int(rounds) if rows > 128 else 24 * int(rounds)
        times = measure(build, rate, count, rows, kinds)
        for kind, steps in times.items():
            of = statistics.mean if kind == "local" else statistics.median
            print(json.dumps({"bench": "overlap", "rows": rows, "kind": kind,
                              "rate": rate, "step_ms": round(of(steps), 2)}))
        all_rounds = range(count)
        spent = difference(times, "apart", "own", all_rounds)
        told = {"bench": "overlap", "rows": rows,
                "all_reduce_ms": round(spent, 2)}
        if "together" in times:
            told["hidden"] = round(hidden(times, all_rounds), 3)
            told["hidden_80"] = spread(times, all_rounds)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *sys.argv[2:])
