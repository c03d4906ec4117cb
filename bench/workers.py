#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trials per second of two workers against one: the article's network at batch
64 for 5 epochs, 40 trials of random learning rates. The two are threads of one
process, or MPI ranks where there is mpirun.

    bench/workers.py BUILD [RUNS]

Prints one JSON line: medians over alternating runs (5), loading left out."""
import json
import os
import shutil
import statistics
import sys
import tempfile

import launch

RECIPE = {
    "data": {"source": {"type": "linear"}, "split": {"validation": 0.1}},
    "model": {"layers": [
        {"type": "dense", "units": 128, "activation": "relu"},
        {"type": "dense", "units": 64, "activation": "relu"},
        {"type": "dense", "activation": "softmax"}]},
    "train": {"epochs": 5, "batch_size": 64, "optimizer": {
        "type": "adam",
        "learning_rate": {"float": [1e-4, 1e-2], "log": True}}},
    "search": {"trials": 40},
    "objectives": ["validation.accuracy"],
}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = os.path.abspath(sys.argv[1])
    program = os.path.join(build, "src", "cli", "modelopt")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, "workers.json")
        with open(recipe, "w", encoding="utf-8") as file:
            json.dump(RECIPE, file)
        search = [program, "search", recipe, "--threads", "1", "--json",
                  "--no-model", "--no-progress"]
        ways = {"one_worker": search + ["--workers", "1"],
                "two_workers": search + ["--workers", "2"]}
        if shutil.which("mpirun"):
            ways["two_ranks"] = launch.mpirun(2, search)
        times = launch.in_turns(
            build, ways, runs,
            lambda out: json.loads(out.splitlines()[-1])["seconds"],
            cwd=folder)
    median = {way: statistics.median(took) for way, took in times.items()}
    said = {"bench": "workers", "runs": runs}
    for way, took in median.items():
        said[way + "_trials_s"] = round(40 / took, 2)
        said[way + "_speedup"] = round(median["one_worker"] / took, 3)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
