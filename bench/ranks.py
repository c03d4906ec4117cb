# SPDX-License-Identifier: MIT
"""bench/ranks.py: what a second rank brings to one training.

usage: ranks.py BUILD [ROUNDS]

Runs BUILD/bench/bench_ranks alone, with two threads and with two MPI ranks, in
turns, and prints medians as JSON lines. Needs two idle cores and mpirun.
"""

import os
import sys

import launch


def main(build, rounds=5):
    program = os.path.join(build, "bench", "bench_ranks")
    launch.compare_ranks("ranks", build, {
        "alone": [program], "threads": [program, "threads", "2"],
        "mpi": launch.mpirun(2, [program])}, rounds)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), *map(int, sys.argv[2:]))
