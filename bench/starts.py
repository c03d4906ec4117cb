#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What warm starts bring to a search at an equal number of epochs in all.

    bench/starts.py BUILD DATA [SEEDS [EPOCHS]]
    bench/starts.py BUILD --quick

BUILD is a build folder, DATA the folder of the set "letter"; 5 seeds, 10
epochs. Each way of searching spends the same number of epochs: 24 trials of
EPOCHS, cold or warm ("best", "nearest"; rounds of 6), or 6 cold trials of
4 EPOCHS, which is what the longest line of warm trials comes to. --quick: a
tiny generated set, one seed, 2 epochs. Prints a JSON line for each way: test
accuracies of the winners, their mean and standard deviation, epochs behind the
winners, seconds."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

UNITS = {"choice": [32, 64, 128, 256]}
RECIPE = {
    "data": {"source": {"type": "arff", "path": "letter.arff.gz"},
             "split": {"validation": 2000, "test": 4000}},
    "model": {"layers": [
        {"type": "dense", "units": UNITS, "activation": "relu"},
        {"repeat": {"int": [0, 1]}, "layers": [
            {"type": "dense", "units": {"choice": [64, 128, 256]},
             "activation": "relu"}]},
        {"type": "dense"}]},
    "train": {"epochs": 10, "batch_size": 64, "schedule": "cosine",
              "optimizer": {"type": "adam", "learning_rate": {
                  "float": [3e-4, 1e-2], "log": True}}},
    "search": {"trials": 24},
    "objectives": ["validation.accuracy"],
}
SMALL = {"source": {"type": "linear", "count": 600, "features": 8,
                    "classes": 3}, "split": {"validation": 0.2, "test": 0.2}}
WAYS = {
    "cold, short": {},
    "cold, long": {"search.trials": 6},
    "warm, best": {"search.warm_start": {"from": "best", "round": 6}},
    "warm, nearest": {"search.warm_start": {"from": "nearest", "round": 6}},
}


def search(program, recipe, changes, seed):
    command = [program, "search", recipe, "--json", "--no-model",
               "--no-progress", "--set", f"seed={seed}"]
    for path, value in changes.items():
        command += ["--set", f"{path}={json.dumps(value)}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True,
                          cwd=os.path.dirname(recipe)).stdout
    return json.loads(said.splitlines()[-1])


def compare(program, recipe, own, seeds):
    found = {way: [] for way in WAYS}
    for seed in range(1, seeds + 1):
        for way, changes in WAYS.items():
            found[way].append(search(program, recipe, changes, seed))
    for way, results in found.items():
        accuracies = [result["test"]["accuracy"] for result in results]
        epochs = WAYS[way].get("train.epochs", own)
        print(json.dumps({
            "bench": "starts", "way": way, "seeds": seeds,
            "test_accuracy": accuracies,
            "mean": round(statistics.mean(accuracies), 5),
            "sd": round(statistics.stdev(accuracies), 5) if seeds > 1 else 0,
            "epochs": [result["best"].get("total_epochs", epochs)
                       for result in results],
            "seconds": round(sum(r["seconds"] for r in results), 2)}))


def main():
    arguments = [a for a in sys.argv[1:] if a != "--quick"]
    quick = "--quick" in sys.argv
    if len(arguments) < 2 - quick:
        sys.exit(__doc__)
    program = os.path.abspath(os.path.join(arguments[0], "src/cli/modelopt"))
    recipe = json.loads(json.dumps(RECIPE))
    if quick:
        recipe["data"] = SMALL
    else:
        recipe["data"]["base"] = os.path.abspath(arguments[1])
    given = ["1", "2"] if quick else arguments[2:] + ["5", "10"][
        len(arguments[2:]):]
    seeds, epochs = map(int, given)
    recipe["train"]["epochs"] = epochs
    WAYS["cold, long"]["train.epochs"] = 4 * epochs
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "starts.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(recipe, file)
        compare(program, path, epochs, seeds)


if __name__ == "__main__":
    main()
