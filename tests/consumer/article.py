# SPDX-License-Identifier: MIT
"""tests/consumer/article.py: the worked example as C, C++, Python and recipe:
the same trial values, bit for bit.

usage: article.py EXAMPLES INCLUDE LIBDIR

The test runs copies with 3,000 rows instead of 20,000, which is quicker and
proves the same.
"""

import os
import re
import subprocess
import sys
import tempfile

import modelopt


def program(folder, source, compiler, include, libdir):
    """What the program prints."""
    binary = os.path.join(folder, os.path.basename(source) + ".bin")
    subprocess.run([*compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-I",
                    include, "-o", binary, source, "-L", libdir,
                    "-Wl,-rpath," + libdir, "-lmodelopt"], check=True)
    return subprocess.run([binary], check=True, capture_output=True,
                          text=True).stdout


def recipe(path):
    """The same lines from the trials of a recipe."""
    trials = {}

    def note(event, data):
        if event == "trial":
            trials[data["number"]] = data
    result = modelopt.Recipe.load(path).run(note)

    def line(trial):
        rate, batch = (trial["params"][name] for name in (
            "train.optimizer.learning_rate", "train.batch_size"))
        return "trial %d: learning rate %g, batch size %d: %.17g\n" % (
            trial["number"], rate, batch, trial["values"][0])
    lines = [line(trials[number]) for number in sorted(trials)]
    return "".join(lines) + "best " + lines[result.best["number"]]


def shorten(examples, folder):
    """Copies of the examples with fewer rows."""
    for name in ("article.c", "article.cpp", "article.py", "article.json"):
        with open(os.path.join(examples, name), encoding="utf-8") as file:
            text = file.read()
        short = re.sub(r"(count\W+)20000\b", r"\g<1>3000", text)
        if short == text:
            sys.exit(f"{name} has no count of 20000")
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(short)


def main(examples, include, libdir):
    def path(name):
        return os.path.join(folder, name)
    with tempfile.TemporaryDirectory() as folder:
        shorten(examples, folder)
        told = {
            "article.c": program(folder, path("article.c"),
                                 ["cc", "-std=c99"], include, libdir),
            "article.cpp": program(folder, path("article.cpp"),
                                   ["c++", "-std=c++11"], include, libdir),
            "article.py": subprocess.run(
                [sys.executable, path("article.py")], check=True,
                capture_output=True, text=True).stdout,
            "article.json": recipe(path("article.json")),
        }
    first = told["article.c"]
    wrong = [name for name, text in told.items() if text != first]
    if first.count("\n") != 10:
        wrong.append("article.c")
    for name in wrong:
        print(f"{name} told\n{told[name]}\nbut article.c told\n{first}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
