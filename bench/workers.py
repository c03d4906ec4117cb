#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trials per second of two workers against one: the article's network at batch
64 for 5 epochs, 40 trials of random learning rates.

    bench/workers.py BUILD [RUNS]

Prints one JSON line: medians over alternating runs (5), loading left out."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

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


def seconds(program, recipe, workers):
    said = subprocess.run(
        [program, "search", recipe, "--workers", str(workers), "--json",
         "--no-model", "--no-progress"],
        check=True, capture_output=True, text=True,
        cwd=os.path.dirname(recipe)).stdout
    return json.loads(said.splitlines()[-1])["seconds"]


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = os.path.abspath(os.path.join(sys.argv[1], "src/cli/modelopt"))
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    times = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, "workers.json")
        with open(recipe, "w", encoding="utf-8") as file:
            json.dump(RECIPE, file)
        for _ in range(runs):
            for workers, values in times.items():
                values.append(seconds(program, recipe, workers))
    one, two = (statistics.median(times[w]) for w in (1, 2))
    print(json.dumps({"bench": "workers", "runs": runs,
                      "one_worker_trials_s": round(40 / one, 2),
                      "two_workers_trials_s": round(40 / two, 2),
                      "speedup": round(one / two, 3)}))


if __name__ == "__main__":
    main()
