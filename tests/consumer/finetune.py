# SPDX-License-Identifier: MIT
"""tests/consumer/finetune.py: the example of transfer learning in C, from a
file of a model to a file of another.

usage: finetune.py EXAMPLES INCLUDE LIBDIR
"""

import json
import os
import subprocess
import sys
import tempfile

import modelopt

SOURCE = {
    "data": {"source": {"type": "glyphs", "count": 2000}},
    "model": {"layers": [{"type": "dense", "units": 64, "activation": "relu"},
                         {"type": "dense"}]},
    "train": {"epochs": 5},
    "seed": 1,
}


def main(examples, include, libdir):
    with tempfile.TemporaryDirectory() as folder:
        source, new, binary = (os.path.join(folder, name) for name in (
            "source.safetensors", "new.safetensors", "finetune"))
        modelopt.Recipe(SOURCE).run().model.save(source)
        subprocess.run(["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror",
                        "-I", include, "-o", binary,
                        os.path.join(examples, "finetune.c"), "-L", libdir,
                        "-Wl,-rpath," + libdir, "-lmodelopt"], check=True)
        told = json.loads(subprocess.run(
            [binary, source, new], check=True, capture_output=True,
            text=True).stdout)
        wrong = subprocess.run([binary, new + ".not", new], text=True,
                               capture_output=True, check=False)
        modelopt.Model.load(new)
    if wrong.returncode != 1 or "new.safetensors.not" not in wrong.stderr:
        sys.exit("no error of a missing source: " + wrong.stderr)
    if told["method"] != "full" or told["frozen"] or told["gain"] <= 0:
        sys.exit(f"no gain over scratch: {told}")
    return told


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
