# SPDX-License-Identifier: MIT
"""bench/ranks.py: what a second rank brings to one training.

usage: ranks.py BUILD [ROUNDS]

Runs BUILD/bench/bench_ranks alone, with two threads and with two MPI ranks, in
turns, and prints medians as JSON lines. Needs two idle cores and mpirun.
"""

import json
import os
import statistics
import subprocess
import sys


def main(build, rounds=5):
    program = os.path.join(build, "bench", "bench_ranks")
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(build, "src", "mpi"),
               OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    commands = {"alone": [program], "threads": [program, "threads", "2"],
                "mpi": ["mpirun", "-n", "2", program]}
    found = {kind: [] for kind in commands}
    for _ in range(rounds):
        for kind, command in commands.items():
            out = subprocess.run(command, env=env, check=True,
                                 capture_output=True, text=True).stdout
            found[kind].append(json.loads(out)["steps_per_second"])
    alone = statistics.median(found["alone"])
    for kind, rates in found.items():
        print(json.dumps({
            "bench": "ranks", "kind": kind,
            "steps_per_second": statistics.median(rates),
            "times_alone": round(statistics.median(rates) / alone, 3)}))


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
