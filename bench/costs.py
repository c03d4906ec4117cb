# SPDX-License-Identifier: MIT
"""bench/costs.py: the numbers that plans take for a machine, fitted.

usage: costs.py BUILD

Times steps of one rank of many sizes, and messages between two ranks that are
threads and MPI processes, on this machine. Prints what was measured, how far
the fit is off, and at the end what to say in the section "parallel" of a
recipe, one JSON line for each kind of ranks. Needs two idle cores and mpirun.
"""

import json
import os
import statistics
import sys

import launch
import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "src", "python"))

ENDLESS = 1e18
# What an estimate is made of: seconds are a sum of these, times the inverse of
# a key of "parallel" (of the last, times the key).
LOADS = [{"speed": 1}, {"memory_speed": 1}, {"update_speed": 1},
         {"overhead": 1}]
NOTHING = {"speed": ENDLESS, "memory_speed": ENDLESS, "update_speed": ENDLESS,
           "overhead": 0, "link_latency": 0, "link_bandwidth": ENDLESS}


def run(build, *arguments, mpi=0):
    """The JSON lines of bench_costs, by one process or some MPI ranks."""
    command = [os.path.join(build, "bench", "bench_costs"), *arguments]
    if mpi:
        command = launch.mpirun(mpi, command)
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


def loads_of(step):
    """What the estimate of a step counts: operations, bytes of operands, of
    weights and the like, calls."""
    import modelopt
    model = make_model(step["net"])
    training = {"batch_size": step["batch"], "parts": step["parts"]}
    return [modelopt.Parallel(model, 1, training=training,
                              **{**NOTHING, **load}).seconds
            for load in LOADS]


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


def fit_steps(steps):
    x, off = fit([loads_of(step) for step in steps],
                 [step["seconds"] for step in steps])
    for step, error in zip(steps, off):
        print(json.dumps({**step, "off": round(float(error), 3)}))
    print(json.dumps({"bench": "costs", "what": "fit of steps",
                      "median_off": round(float(statistics.median(off)), 3),
                      "most_off": round(float(max(off)), 3)}))
    keys = {key: float(1 / value) if value else ENDLESS
            for key, value in zip(("speed", "memory_speed", "update_speed"),
                                  x)}
    return {**keys, "overhead": float(x[3])}


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


def measure(build):
    """The section "parallel" by kind of ranks."""
    os.environ.setdefault("MODELOPT_LIBRARY", os.path.join(
        build, "lib", "libmodelopt.so"))
    core = fit_steps(run(build, "steps"))
    return {"threads": {**core, **fit_link(run(build, "link", "2"))},
            "mpi": {**core, **fit_link(run(build, "link", mpi=2))}}


def main(build):
    for kind, keys in measure(os.path.abspath(build)).items():
        keys = {key: float(f"{value:.3g}") for key, value in keys.items()}
        print(json.dumps({"bench": "costs", "what": "parallel", "kind": kind,
                          "parallel": keys}))


if __name__ == "__main__":
    main(*sys.argv[1:])
