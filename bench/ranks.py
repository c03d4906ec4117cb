# SPDX-License-Identifier: MIT
"""bench/ranks.py: what a second rank brings to one training.

usage: ranks.py BUILD [ROUNDS]

Runs BUILD/bench/bench_ranks alone, with two threads and with two MPI ranks, in
turns, and prints medians as JSON lines. On a host with other guests one core
may be faster than two are: so there are also two programs that do not know of
each other (pair), the most that two ranks could come to; and the two ranks'
steps in turns with steps of such two, within one job, where what disturbs one
disturbs the other (turns). Needs two idle cores and mpirun.
"""

import json

import os
import statistics
import sys

import launch


def print_turns(build, program, rounds):
    """A step of 256 rows by each of two against one by both together."""
    command = launch.mpirun(2, [program, "turns", str(30 * rounds),
                                '-{"batch_size": 256}', "{}"])
    apart, both = (json.loads(line)["ms"]
                   for line in launch.run(build, command).splitlines())
    print(json.dumps({
        "bench": "ranks", "kind": "turns",
        "apart_ms": round(statistics.median(apart), 2),
        "mpi_ms": round(statistics.median(both), 2),
        "times_one_of_two": round(statistics.median(
            a / b for a, b in zip(apart, both)), 3)}))


def main(build, rounds=5):
    program = os.path.join(build, "bench", "bench_ranks")
    launch.compare_ranks("ranks", build, {
        "alone": [program], "pair": launch.pair([program]),
        "threads": [program, "threads", "2"],
        "mpi": launch.mpirun(2, [program])}, rounds)
    print_turns(build, program, rounds)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
