#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Networks that no cache holds, beside PyTorch (eager) where this interpreter
has it: a step of Adam at batch 256, and predictions for 512 rows.

    bench/deep.py BUILD [RUNS [THREADS]]

Both sides take turns, RUNS (5) times, on THREADS (1) threads; times are
in-process. Prints one JSON line a network and side: medians in milliseconds."""
import json
import os
import statistics
import subprocess
import sys
import time

NETWORKS = ((2, 512), (2, 1024), (8, 1024), (2, 4096), (32, 1024))
FEATURES, CLASSES, BATCH, PREDICTED, TAKEN = 784, 10, 256, 512, 5


def ours(build, layers, width, threads):
    program = os.path.join(build, "bench", "bench_deep")
    words = subprocess.run([program, str(layers), str(width), str(threads)],
                           check=True, stdout=subprocess.PIPE).stdout.split()
    return tuple(map(float, words))


def median_ms(run):
    """Of several calls; the first one warms up."""
    times = []
    for _ in range(TAKEN + 1):
        begin = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times[1:])


def pytorch(torch, layers, width, threads):
    torch.set_num_threads(threads)
    parts, inputs = [], FEATURES
    for _ in range(layers):
        parts += [torch.nn.Linear(inputs, width), torch.nn.ReLU()]
        inputs = width
    model = torch.nn.Sequential(*parts, torch.nn.Linear(inputs, CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = torch.nn.CrossEntropyLoss()
    x = torch.rand(PREDICTED, FEATURES)
    y = torch.arange(PREDICTED) % CLASSES

    def step():
        optimizer.zero_grad()
        loss_of(model(x[:BATCH]), y[:BATCH]).backward()
        optimizer.step()

    def predict():
        with torch.inference_mode():
            model(x)
    return median_ms(step), median_ms(predict)


def find_sides(build):
    sides = {"modelopt": lambda *job: ours(build, *job)}
    try:
        import torch
        sides["pytorch " + torch.__version__] = \
            lambda *job: pytorch(torch, *job)
    except ImportError:
        pass
    return sides


def main(build, runs=5, threads=1):
    sides = find_sides(build)
    for layers, width in NETWORKS:
        times = {side: [] for side in sides}
        for _ in range(runs):
            for side, run in sides.items():
                times[side].append(run(layers, width, threads))
        for side, pairs in times.items():
            step, predict = map(statistics.median, zip(*pairs))
            print(json.dumps({
                "bench": "deep", "peer": side, "layers": layers,
                "width": width, "threads": threads,
                "step_ms": round(step, 1), "predict_ms": round(predict, 1)}),
                flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:]))
