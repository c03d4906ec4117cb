# SPDX-License-Identifier: MIT
"""bench/scale.py: how far more ranks help, by simulation, and how well that
agrees with what two and four real ranks do.

usage: scale.py BUILD [--costs FILE] [--no-check] [--write PAGE]

Measures the costs of this machine (bench/costs.py; --costs takes the lines
that it has printed), simulates steps of plans (bench_scale), runs the same on
this machine by threads and by MPI, and prints JSON lines. --write puts the
tables into a page, between <!-- table NAME --> and <!-- end -->. Links of 10
and 100 Gbit/s are assumed, not measured. Needs two idle cores and mpirun; on
fewer cores than ranks the simulation shares them, too.
"""

import argparse
import json
import os
import re
import statistics

import costs
import launch

SMALL = "784-512-512-10"
WIDE = "2048-4096-4096-4096-4096-10"
DEEP = "-".join(["1024"] * 33 + ["10"])
CLUSTERS = {
    "10 Gbit/s": {"link_latency": 2e-5, "link_bandwidth": 1.25e9,
                  "link_work": 0},
    "100 Gbit/s": {"link_latency": 3e-6, "link_bandwidth": 1.25e10,
                   "link_work": 0},
}
# What is run and simulated: net, batch, parts, mesh (data, tensor, pipeline).
CHECKED = [
    (SMALL, 256, 8, (2, 1, 1)), (SMALL, 256, 4, (2, 1, 1)),
    (SMALL, 64, 4, (2, 1, 1)), (SMALL, 512, 8, (2, 1, 1)),
    (SMALL, 256, 8, (1, 2, 1)), (SMALL, 256, 8, (1, 1, 2)),
    (SMALL, 256, 8, (4, 1, 1)), (SMALL, 256, 8, (2, 2, 1)),
    (SMALL, 256, 8, (2, 1, 2)), (SMALL, 256, 8, (1, 2, 2)),
    ("512-1024-1024-1024-10", 256, 8, (1, 1, 4)),
    ("512-1024-1024-1024-10", 256, 8, (1, 4, 1)),
    ("512-1024-1024-1024-10", 256, 8, (2, 1, 2)),
]
KINDS = ("threads", "mpi")
AGREED = 0.15
TURNS = 10  # of real runs


def simulate(build, net, batch, parts, ranks, parallel, cores=0):
    """The JSON line of bench_scale."""
    return json.loads(launch.run(
        build, [os.path.join(build, "bench", "bench_scale"), net, str(batch),
                str(parts), str(ranks), json.dumps(parallel), str(cores)]))


def sides(mesh):
    return dict(zip(("data", "tensor", "pipeline"), mesh))


def count_ranks(mesh):
    return mesh[0] * mesh[1] * mesh[2]


# ---- against real ranks ----


def run_real(build, kind, case):
    """Seconds of a step of one rank, while another program keeps the other core
    as busy, and of all ranks."""
    net, batch, parts, mesh = case
    words = ["step", net, str(batch), str(parts)]
    shared = [*words, ",".join(map(str, mesh))]
    ranks = count_ranks(mesh)
    alone = costs.run(build, *words, pair=True)
    together = (costs.run(build, *shared, str(ranks)) if kind == "threads"
                else costs.run(build, *shared, mpi=ranks))
    return (max(line["median"] for line in alone), together[0]["median"])


def fastest_real(build):
    """Of several turns the fastest of each. Hosts have other guests, which take
    part of a core's speed for seconds or minutes: all wait between theirs until
    the others had one."""
    turns = {(kind, case): [] for kind in KINDS for case in CHECKED}
    for _ in range(TURNS):
        for what, found in turns.items():
            found.append(run_real(build, *what))
    return {what: tuple(map(min, zip(*found)))
            for what, found in turns.items()}


def compare(build, keys, kind, case, real):
    """Print how far a simulated step is off. The machine is as fast as one rank
    was, and ranks that share a core share its cache: what is checked is what
    ranks make of it."""
    (net, batch, parts, mesh), (alone, measured) = case, real
    cores, ranks = os.cpu_count(), count_ranks(mesh)
    keys = {**keys, "host_ranks": ranks if kind == "mpi" else 1}
    one = simulate(build, net, batch, parts, 1, keys)["seconds"]
    keys["cache"] *= min(cores / ranks, 1)
    told = simulate(build, net, batch, parts, ranks, {**keys, **sides(mesh)},
                    min(cores, ranks))["seconds"]
    off = told / one * alone / measured - 1
    print(json.dumps({
        "bench": "scale", "what": "check", "kind": kind, "net": net,
        "batch": batch, "parts": parts, **sides(mesh), "alone": alone,
        "measured": measured, "simulated_alone": one, "simulated": told,
        "times_one_rank": round(alone / measured, 3),
        "simulated_times": round(one / told, 3), "off": round(off, 3)}),
        flush=True)
    return off


def check(build, machine):
    """By kind of ranks, how far simulated steps are off."""
    real = fastest_real(build)
    for kind in KINDS:
        offs = [compare(build, machine[kind], kind, case, real[kind, case])
                for case in CHECKED]
        print(json.dumps({
            "bench": "scale", "what": "checks", "kind": kind,
            "median_off": round(statistics.median(map(abs, offs)), 3),
            "most_off": round(max(map(abs, offs)), 3),
            "within": sum(abs(off) <= AGREED for off in offs),
            "of": len(offs)}), flush=True)
        yield kind, offs


# ---- tables ----


def links(machine):
    core = {key: value for key, value in machine["mpi"].items()
            if not key.startswith("link_")}
    measured = {"this machine": machine["mpi"]}
    return {**measured, **{name: {**core, **link}
                           for name, link in CLUSTERS.items()}}


def times(build, machine, net, batch_of, meshes, parts_of):
    """Rows of a table: ranks, then times the work of one rank by link."""
    for mesh in meshes:
        ranks = count_ranks(mesh)
        row = [f"{ranks:,}"]
        for name, keys in links(machine).items():
            batch = batch_of(ranks)
            told = simulate(build, net, batch, parts_of(ranks), ranks,
                            {**keys, **sides(mesh)})
            alone = simulate(build, net, batch_of(1), 0, 1, keys)["seconds"]
            rate = batch / told["seconds"] / (batch_of(1) / alone)
            row.append(f"{rate:.2f}" if rate < 100 else f"{rate:.0f}")
            print(json.dumps({
                "bench": "scale", "what": "times", "link": name, "net": net,
                "batch": batch, "parts": told["parts"], **sides(mesh),
                "seconds": told["seconds"],
                "times_one_rank": round(rate, 3)}), flush=True)
        yield row


def markdown(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def powers(most):
    count = 1
    while count <= most:
        yield count
        count *= 2


def usual(ranks):
    return 0


def chosen_rows(build, machine):
    for ranks in powers(1024):
        keys = links(machine)["100 Gbit/s"]
        told = simulate(build, DEEP, 4096, 0, ranks, keys)
        print(json.dumps({**told, "what": "chosen"}), flush=True)
        yield [f"{ranks:,}", f"{told['data']} x {told['tensor']} x "
               f"{told['pipeline']}", str(told["parts"]),
               f"{told['seconds'] * 1e3:.2f} ms",
               f"{told['alone'] / told['seconds']:.1f}"]


def tables(build, machine):
    heads = ["ranks", *links(machine)]

    def table(net, batch_of, meshes, parts_of):
        return markdown(heads, times(build, machine, net, batch_of, meshes,
                                     parts_of))

    data = [(n, 1, 1) for n in powers(1024)]
    return {
        "same batch": table(SMALL, lambda n: 256, data[:9], usual),
        "large batch": table(SMALL, lambda n: 8192, data, usual),
        "growing batch": table(SMALL, lambda n: 256 * n, data, usual),
        "tensor": table(WIDE, lambda n: 256, [(1, n, 1) for n in powers(64)],
                        usual),
        "pipeline": table(DEEP, lambda n: 4096,
                          [(1, 1, n) for n in powers(32)], lambda n: 4 * n),
        "both": table(DEEP, lambda n: 4096,
                      [(n // 8, 1, 8) for n in powers(1024) if n >= 8],
                      lambda n: max(4 * n // 8, 32)),
        "chosen": markdown(["ranks", "data x tensor x pipeline", "parts",
                            "a step", "times one rank"],
                           chosen_rows(build, machine)),
    }


def check_table(found):
    rows = [[kind, str(len(offs)),
             f"{100 * statistics.median(map(abs, offs)):.0f} %",
             f"{100 * max(map(abs, offs)):.0f} %",
             f"{sum(abs(off) <= AGREED for off in offs)}"]
            for kind, offs in found.items()]
    return markdown(["ranks", "runs", "median off", "most off",
                     "within 15 %"], rows)


def costs_table(machine):
    keys = list(machine["mpi"])
    return markdown(["key", *machine], [
        [f"`{key}`", *(f"{machine[kind][key]:.3g}" for kind in machine)]
        for key in keys])


def write(page, found):
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for name, table in found.items():
        text = re.sub(rf"(<!-- table {name} -->\n).*?(<!-- end -->)",
                      lambda m: m.group(1) + table + "\n" + m.group(2), text,
                      flags=re.S)
    with open(page, "w", encoding="utf-8") as file:
        file.write(text)


def read_costs(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.startswith("{")]
    return {line["kind"]: line["parallel"] for line in lines
            if line.get("what") == "parallel"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--costs")
    parser.add_argument("--no-check", action="store_true")
    parser.add_argument("--write")
    said = parser.parse_args()
    build = os.path.abspath(said.build)
    machine = read_costs(said.costs) if said.costs else costs.measure(build)
    found = {"costs": costs_table(machine)}
    if not said.no_check:
        found["check"] = check_table(dict(check(build, machine)))
    found.update(tables(build, machine))
    if said.write:
        write(said.write, found)


if __name__ == "__main__":
    main()
