#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of what travels between ranks is hidden behind the computation.

    bench/overlap.py BUILD [ROUNDS [RATE]]

Two MPI ranks on two hosts (network namespaces, tests/tools/hosts.sh) that are
joined by a link of RATE (1gbit) train 784-512-512-10 (bench/ranks.c) at a
global batch of 2,560 rows: with the key "overlap", without it, and without it
over a link without a limit, in turns. What the link adds to a step that hides
nothing is the time of the all-reduce; what overlapping takes away from it, is
hidden. Prints medians of ROUNDS (5) as JSON lines. Needs two idle cores, the
right to make namespaces, and Open MPI."""
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS = os.path.join(HERE, "..", "tests", "tools", "hosts.sh")
BATCH = 2560


def step(build, rate, settings):
    """Milliseconds of a step."""
    command = ["sh", HOSTS] + (["-r", rate] if rate else []) + [
        "2", "mpirun", "-x", "LD_LIBRARY_PATH", "-n", "2",
        os.path.join(build, "bench", "bench_ranks"), json.dumps(settings)]
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(build, "src", "mpi"))
    out = subprocess.run(command, env=env, check=True, capture_output=True,
                         text=True).stdout
    return 1000 / json.loads(out)["steps_per_second"]


def main(build, rounds=5, rate="1gbit", **more):
    base = {"batch_size": BATCH, "overlap": False, **more}
    kinds = {"apart": (rate, base), "together": (rate, {**base,
                                                        "overlap": True}),
             "free": (None, base)}
    found = {kind: [] for kind in kinds}
    for _ in range(int(rounds)):
        for kind, (limit, settings) in kinds.items():
            found[kind].append(step(build, limit, settings))
    medians = {kind: statistics.median(times)
               for kind, times in found.items()}
    for kind, time in medians.items():
        print(json.dumps({"bench": "overlap", "kind": kind, "rate": rate,
                          "step_ms": round(time, 2)}))
    spent = medians["apart"] - medians["free"]
    print(json.dumps({
        "bench": "overlap", "all_reduce_ms": round(spent, 2),
        "hidden": round((medians["apart"] - medians["together"]) / spent,
                        3)}))


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *sys.argv[2:])
