# SPDX-License-Identifier: MIT
"""bench/meshes.py: what two ranks bring to one training, by how they share it.

usage: meshes.py BUILD [ROUNDS]

Runs BUILD/bench/bench_ranks alone and with two threads by data, by stages (both
schedules) and by pieces of layers, in turns, and prints medians as JSON lines.
Needs two idle cores.
"""

import json
import os
import sys

import launch

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
    launch.compare_ranks("meshes", build, commands, rounds)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
