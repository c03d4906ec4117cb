#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The article's job and a larger network, beside PyTorch (eager) and
scikit-learn's MLPClassifier where this interpreter has them.

    bench/peers.py BUILD [RUNS]

All sides train on one thread with the same settings (bench/article.c), one
after the other in turn, RUNS times (5); times are in-process, without loading
data or code. Prints one JSON line a side and job: the median, and how many
times ours it is."""
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

JOBS = {
    "article": dict(rows=20000, features=100, hidden=(128, 64), epochs=10,
                    batches=(32, 64, 128), rates=(1e-3, 1e-2, 1e-1)),
    "wide": dict(rows=12800, features=784, hidden=(512, 512), epochs=1,
                 batches=(128,), rates=(1e-3,)),
}
CLASSES = 10


def make_data(job, numpy):
    random = numpy.random.default_rng(0)
    x = random.standard_normal((job["rows"], job["features"]),
                               dtype=numpy.float32)
    y = (x @ random.standard_normal((job["features"], CLASSES))).argmax(1)
    return x, y


def ours(build, name):
    program = os.path.join(build, "bench", "bench_article")
    return float(subprocess.run([program, "--job", name], check=True,
                                stdout=subprocess.PIPE).stdout)


def train_torch(torch, x, y, job, batch, rate):
    layers, width = [], job["features"]
    for units in job["hidden"]:
        layers += [torch.nn.Linear(width, units), torch.nn.ReLU()]
        width = units
    model = torch.nn.Sequential(*layers, torch.nn.Linear(width, CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(job["epochs"]):
        order = torch.randperm(len(x))
        for first in range(0, len(x), batch):
            rows = order[first:first + batch]
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()


def train_sklearn(network, x, y, job, batch, rate):
    # Its own stopping rules are off: all epochs are done.
    network.MLPClassifier(job["hidden"], solver="adam", alpha=0,
                          batch_size=batch, learning_rate_init=rate,
                          max_iter=job["epochs"], tol=0,
                          n_iter_no_change=1000).fit(x, y)


def timed(train, module, x, y, job):
    begin = time.perf_counter()
    for batch in job["batches"]:
        for rate in job["rates"]:
            train(module, x, y, job, batch, rate)
    return time.perf_counter() - begin


def find_peers(name):
    """Name -> function that runs the job once, of the peers there are."""
    job, peers = JOBS[name], {}
    try:
        import numpy
    except ImportError:
        return peers
    x, y = make_data(job, numpy)
    try:
        import torch
        torch.set_num_threads(1)
        tensors = torch.from_numpy(x), torch.from_numpy(y)
        peers["pytorch " + torch.__version__] = \
            lambda: timed(train_torch, torch, *tensors, job)
    except ImportError:
        pass
    try:
        import sklearn
        from sklearn import neural_network
        warnings.filterwarnings("ignore")
        peers["scikit-learn " + sklearn.__version__] = \
            lambda: timed(train_sklearn, neural_network, x, y, job)
    except ImportError:
        pass
    return peers


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for name in JOBS:
        sides = {"modelopt": lambda: ours(build, name), **find_peers(name)}
        seconds = {side: [] for side in sides}
        for _ in range(runs):
            for side, run in sides.items():
                seconds[side].append(run())
        base = statistics.median(seconds["modelopt"])
        for side, values in seconds.items():
            median = statistics.median(values)
            print(json.dumps({"bench": name, "peer": side, "runs": runs,
                              "seconds": round(median, 4),
                              "ratio": round(median / base, 2)}), flush=True)


if __name__ == "__main__":
    main()
