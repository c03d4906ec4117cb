#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the library costs before it works: start-up time of `modelopt info`,
peak memory of the article's job, sizes of the files; PyTorch's import beside
it where an interpreter that has it is given.

    bench/footprint.py BUILD [PYTHON]

Prints one JSON line a figure; times are medians of alternating runs."""
import json
import os
import statistics
import subprocess
import sys
import time

RUNS = 21


def run(command, **options):
    """Wall seconds and peak resident bytes of one run of a command."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit("%s failed" % " ".join(command))
    return time.perf_counter() - begin, usage.ru_maxrss * 1024


def tell(name, **figures):
    print(json.dumps({"bench": name, **figures}), flush=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = sys.argv[1]
    python = sys.argv[2] if len(sys.argv) > 2 else None
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    program = os.path.join(build, "src", "cli", "modelopt")
    recipe = os.path.join(root, "docs", "examples", "article.json")

    commands = {"modelopt info": [program, "info"]}
    if python:
        commands["import torch"] = [python, "-c", "import torch"]
    seconds = {name: [] for name in commands}
    memory = {name: 0 for name in commands}
    for i in range(RUNS):
        for name, command in commands.items():
            if name == "import torch" and i >= 5:
                continue
            wall, peak = run(command)
            seconds[name].append(wall)
            memory[name] = max(memory[name], peak)
    for name in commands:
        tell("startup", command=name,
             milliseconds=round(1e3 * statistics.median(seconds[name]), 2),
             megabytes=round(memory[name] / 1e6, 1))

    wall, peak = run([program, "search", recipe, "--json", "--workers", "1",
                      "--no-progress"], cwd="/tmp")
    tell("article_memory", seconds=round(wall, 2),
         megabytes=round(peak / 1e6, 1))
    library = os.path.realpath(os.path.join(build, "lib", "libmodelopt.so.0"))
    tell("size", library_bytes=os.path.getsize(library),
         program_bytes=os.path.getsize(program))


if __name__ == "__main__":
    main()
