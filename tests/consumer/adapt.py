# SPDX-License-Identifier: MIT
"""tests/consumer/adapt.py: the examples of distillation and of transfer in C,
from a file of a model to a file of another.

usage: adapt.py distill|finetune EXAMPLES INCLUDE LIBDIR
"""

import json
import os
import subprocess
import sys
import tempfile

import modelopt

SOURCE = {
    "data": {"source": {"type": "glyphs", "count": 5000}},
    "model": {"layers": [{"type": "dense", "units": 128, "activation": "relu"},
                         {"type": "dense"}]},
    "train": {"epochs": 8},
    "seed": 1,
}


def build(name, examples, include, libdir, folder):
    binary = os.path.join(folder, name)
    subprocess.run(["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror",
                    "-I", include, "-o", binary,
                    os.path.join(examples, name + ".c"), "-L", libdir,
                    "-Wl,-rpath," + libdir, "-lmodelopt"], check=True)
    return binary


def check_distill(told, model):
    if told["gain"] <= 0 or told["ratio"] < 3 or told["warnings"]:
        sys.exit(f"distillation won nothing: {told}")
    if model.describe()["params"] != told["student"]["params"]:
        sys.exit("another model was written")


def check_finetune(told, model):
    if told["method"] != "full" or told["frozen"] or told["gain"] <= 0:
        sys.exit(f"no gain over scratch: {told}")
    if model.describe()["params"] != told["params"]:
        sys.exit("another model was written")


def main(name, examples, include, libdir):
    with tempfile.TemporaryDirectory() as folder:
        source, new = (os.path.join(folder, file) for file in (
            "source.safetensors", "new.safetensors"))
        modelopt.Recipe(SOURCE).run().model.save(source)
        binary = build(name, examples, include, libdir, folder)
        told = json.loads(subprocess.run(
            [binary, source, new], check=True, capture_output=True,
            text=True).stdout)
        wrong = subprocess.run([binary, new + ".not", new], text=True,
                               capture_output=True, check=False)
        globals()["check_" + name](told, modelopt.Model.load(new))
    if wrong.returncode != 1 or "new.safetensors.not" not in wrong.stderr:
        sys.exit("no error of a missing file: " + wrong.stderr)
    return told


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
