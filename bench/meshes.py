# SPDX-License-Identifier: MIT
"""bench/meshes.py: what two ranks bring to one training, by how they share it.

usage: meshes.py BUILD [ROUNDS]

Runs BUILD/bench/bench_ranks alone and with two threads by data, by stages (both
schedules) and by pieces of layers, in turns, and prints medians as JSON lines.
Needs two idle cores.
"""

import json
import os
import statistics
import subprocess
import sys

SETTINGS = json.dumps({"parts": 8})
PLANS = {
    "data": {"data": 2, "tensor": 1, "pipeline": 1},
    "pipeline 1f1b": {"data": 1, "tensor": 1, "pipeline": 2},
    "pipeline gpipe": {"data": 1, "tensor": 1, "pipeline": 2,
                       "schedule": "gpipe"},
    "tensor": {"data": 1, "tensor": 2, "pipeline": 1},
}


def main(build, rounds=5):
    program = os.path.join(build, "bench", "bench_ranks")
    commands = {"alone": [program, SETTINGS]}
    for name, plan in PLANS.items():
        commands[name] = [program, "threads", "2", SETTINGS, json.dumps(plan)]
    found = {kind: [] for kind in commands}
    for _ in range(rounds):
        for kind, command in commands.items():
            out = subprocess.run(command, check=True, capture_output=True,
                                 text=True).stdout
            found[kind].append(json.loads(out)["steps_per_second"])
    alone = statistics.median(found["alone"])
    for kind, rates in found.items():
        print(json.dumps({
            "bench": "meshes", "kind": kind,
            "steps_per_second": statistics.median(rates),
            "times_alone": round(statistics.median(rates) / alone, 3)}))


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
