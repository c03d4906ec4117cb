# SPDX-License-Identifier: MIT
"""bench/costs.py: the numbers that plans take for a machine, fitted.

usage: costs.py BUILD

Times steps of many sizes, by two programs that do not know of each other but
share what cores share, and messages between two ranks that are threads and MPI
processes, on this machine. Prints what was measured, how far the fit is off,
and at the end what to say in the section "parallel" of a recipe, one JSON line
for each kind of ranks. Needs two idle cores and mpirun.
"""

import json
import os
import statistics
import sys

import launch
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "src", "python"))

RUNS = 3
ENDLESS = 1e18
# What an estimate is made of: seconds are a sum of these, times the inverse of
# a key of "parallel" (of the last, times the key).
RATES = ["speed", "memory_speed", "update_speed", "far_speed"]
NOTHING = {**{rate: ENDLESS for rate in RATES}, "overhead": 0, "cache": 0,
           "link_latency": 0, "link_bandwidth": ENDLESS}
CACHES = [2 ** (part / 4) for part in range(80, 104)]  # 1 to 57 MB


def run(build, *arguments, mpi=0, pair=False):
    """The JSON lines of bench_costs, by one process, two that do not know of
    each other, or some MPI ranks."""
    command = [os.path.join(build, "bench", "bench_costs"), *arguments]
    if mpi:
        command = launch.mpirun(mpi, command)
    elif pair:
        command = launch.pair(command)
    return [json.loads(line)
            for line in launch.run(build, command).splitlines()
            if line.startswith("{")]


def make_model(net):
    import modelopt
    widths = [int(width) for width in net.split("-")]
    layers = [{"type": "dense", "units": width, "activation": "relu"}
              for width in widths[1:-1]]
    return modelopt.Model({"layers": layers + [{"type": "dense"}]},
                          inputs=widths[0], outputs=widths[-1])


def loads_of(step, cache):
    """What the estimate of a step counts: operations, bytes of operands, of
    weights and the like, of these beyond the cache; calls."""
    import modelopt
    model = make_model(step["net"])
    training = {key: step[said] for key, said in (
        ("batch_size", "batch"), ("parts", "parts"), ("chunk", "chunk"))}
    return [modelopt.Parallel(model, 1, training=training,
                              **{**NOTHING, "cache": cache, **load}).seconds
            for load in [*({rate: 1} for rate in RATES), {"overhead": 1}]]


def fit(rows, seconds):
    """Not negative x with rows x = seconds, least squares of what it is off by
    in proportion."""
    rows, seconds = numpy.array(rows), numpy.array(seconds)
    scaled = rows / seconds[:, None]
    active = list(range(rows.shape[1]))
    while True:
        x = numpy.zeros(rows.shape[1])
        x[active] = numpy.linalg.lstsq(scaled[:, active],
                                       numpy.ones(len(seconds)),
                                       rcond=None)[0]
        if (x >= 0).all():
            return x, abs(rows @ x / seconds - 1)
        active.remove(int(x.argmin()))


def fit_cache(steps):
    """The cache with which the rest is off the least where it is the most."""
    fits = ((cache, *fit([loads_of(step, cache) for step in steps],
                         [step["seconds"] for step in steps]))
            for cache in CACHES)
    return min(fits, key=lambda found: max(found[2]))


def fit_steps(steps):
    cache, x, off = fit_cache(steps)
    for step, error in zip(steps, off):
        print(json.dumps({**step, "off": round(float(error), 3)}))
    print(json.dumps({"bench": "costs", "what": "fit of steps",
                      "median_off": round(float(statistics.median(off)), 3),
                      "most_off": round(float(max(off)), 3)}))
    keys = {key: float(1 / value) if value else ENDLESS
            for key, value in zip(RATES, x)}
    return {**keys, "cache": cache, "overhead": float(x[-1])}


def fit_link(messages):
    x, off = fit([[1, m["bytes"]] for m in messages],
                 [m["seconds"] for m in messages])
    for message in messages:
        print(json.dumps(message))
    print(json.dumps({"bench": "costs", "what": "fit of links",
                      "kind": messages[0]["kind"],
                      "most_off": round(float(max(off)), 3)}))
    return {"link_latency": float(x[0]),
            "link_bandwidth": float(1 / x[1]) if x[1] else ENDLESS}


def fastest(build, *arguments, **how):
    """Of several runs, what took the shortest, at the median of each: others
    may use the machine."""
    found = {}
    for _ in range(RUNS):
        for line in run(build, *arguments, **how):
            what = tuple(value for key, value in line.items()
                         if key not in ("seconds", "median"))
            line["seconds"] = line.get("median", line["seconds"])
            found.setdefault(what, []).append(line)
    return [min(lines, key=lambda line: line["seconds"])
            for lines in found.values()]


def measure(build):
    """The section "parallel" by kind of ranks."""
    os.environ.setdefault("MODELOPT_LIBRARY", os.path.join(
        build, "lib", "libmodelopt.so"))
    core = fit_steps(fastest(build, "steps", pair=True))
    return {"threads": {**core, **fit_link(fastest(build, "link", "2"))},
            "mpi": {**core, **fit_link(fastest(build, "link", mpi=2))}}


def main(build):
    for kind, keys in measure(os.path.abspath(build)).items():
        keys = {key: float(f"{value:.3g}") for key, value in keys.items()}
        print(json.dumps({"bench": "costs", "what": "parallel", "kind": kind,
                          "parallel": keys}))


if __name__ == "__main__":
    main(*sys.argv[1:])
