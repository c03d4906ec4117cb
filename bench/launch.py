# SPDX-License-Identifier: MIT
"""bench/launch.py: how the benches start ranks: programs that find a build's
libmodelopt-mpi, under mpirun where there are to be several."""

import json
import os
import shlex
import statistics
import subprocess


def environment(build):
    """Also for root, and for more ranks than cores."""
    return dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1",
                OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                OMPI_MCA_rmaps_base_oversubscribe="1",
                LD_LIBRARY_PATH=os.path.join(build, "src", "mpi"))


def mpirun(ranks, command):
    return ["mpirun", "-n", str(ranks), *command]


def pair(command):
    """Two at once, each by itself."""
    words = " ".join(map(shlex.quote, command))
    return ["sh", "-c", f"{words} & {words}; wait"]


def run(build, command, **options):
    """What a command prints."""
    return subprocess.run(command, env=environment(build), check=True,
                          capture_output=True, text=True, **options).stdout


def in_turns(build, commands, rounds, read, **options):
    """By name, what read makes of the output of its command, each round."""
    found = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(read(run(build, command, **options)))
    return found


def compare_ranks(bench, build, commands, rounds):
    """Print medians of commands of bench_ranks beside that of "alone"."""
    found = in_turns(build, commands, rounds, lambda out: sum(
        json.loads(line)["steps_per_second"] for line in out.splitlines()))
    alone = statistics.median(found["alone"])
    for kind, rates in found.items():
        print(json.dumps({
            "bench": bench, "kind": kind,
            "steps_per_second": statistics.median(rates),
            "times_alone": round(statistics.median(rates) / alone, 3)}))
