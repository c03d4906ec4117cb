#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steps a second of 784-512-512-10 at batch 256 with Adam, on one and on two
threads, beside PyTorch (eager) where this interpreter has it.

    bench/parallel.py BUILD [RUNS [STEPS]]

All four sides take STEPS (100) steps in turn, RUNS (5) times; times are
in-process, without loading data or code. Prints one JSON line a side: the
median, and the median of the runs' speedups against the same side on one
thread."""
import json
import os
import statistics
import subprocess
import sys
import time

import peers

JOB = dict(rows=12800, features=784, hidden=(512, 512))
BATCH = 256


def ours(build, steps, threads):
    program = os.path.join(build, "bench", "bench_parallel")
    return float(subprocess.run(
        [program, "--steps", str(steps), str(threads)], check=True,
        stdout=subprocess.PIPE).stdout)


def torch_side(torch, numpy):
    """A function of steps and threads: seconds a step."""
    x, y = peers.make_data(JOB, numpy)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    first, second = JOB["hidden"]
    model = torch.nn.Sequential(
        torch.nn.Linear(JOB["features"], first), torch.nn.ReLU(),
        torch.nn.Linear(first, second), torch.nn.ReLU(),
        torch.nn.Linear(second, peers.CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()

    def take(steps):
        order = torch.randperm(len(x))
        for step in range(steps):
            at = step * BATCH % (len(x) - BATCH + 1)
            rows = order[at:at + BATCH]
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()

    def run(steps, threads):
        torch.set_num_threads(threads)
        take(5)
        begin = time.perf_counter()
        take(steps)
        return (time.perf_counter() - begin) / steps
    return run


def find_sides(build):
    sides = {"modelopt": lambda steps, threads: ours(build, steps, threads)}
    try:
        import numpy
        import torch
        sides["pytorch " + torch.__version__] = torch_side(torch, numpy)
    except ImportError:
        pass
    return sides


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    sides = find_sides(sys.argv[1])
    times = {(side, threads): [] for side in sides for threads in (1, 2)}
    for _ in range(runs):
        for (side, threads), values in times.items():
            values.append(sides[side](steps, threads))
    for (side, threads), values in times.items():
        ratios = [one / own for one, own in zip(times[side, 1], values)]
        print(json.dumps({
            "bench": "parallel", "peer": side, "threads": threads,
            "runs": runs, "steps_s": round(1 / statistics.median(values), 1),
            "speedup": round(statistics.median(ratios), 3)}), flush=True)


if __name__ == "__main__":
    main()
