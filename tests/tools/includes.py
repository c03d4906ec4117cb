# SPDX-License-Identifier: MIT
"""tests/tools/includes.py: the law of includes (lib/README.md), read from every
#include of lib/, include/ and src/.

usage: includes.py [--self-test] [ROOT]
"""

import os
import re
import sys
import tempfile

GROUND = ("base", "backend", "group")
WEST = {"search/space": (),
        "search/trial": ("search/space",),
        "search/sampler": ("search/space", "search/trial"),
        "search/pruner": ("search/space", "search/trial"),
        "search/store": ("search/space", "search/trial"),
        "search/study": ("search/space", "search/trial", "search/sampler",
                         "search/pruner", "search/store")}
EAST = {"learn/data": (),
        "learn/format": (),
        "learn/nn": ("learn/data", "learn/format"),
        "learn/optim": ("learn/nn",),
        "learn/parallel": ("learn/optim", "learn/nn", "learn/data",
                           "learn/format"),
        "learn/train": ("learn/parallel", "learn/optim", "learn/nn",
                        "learn/data", "learn/format"),
        "learn/distill": ("learn/train", "learn/parallel", "learn/optim",
                          "learn/nn", "learn/data", "learn/format"),
        "learn/transfer": ("learn/train", "learn/parallel", "learn/optim",
                           "learn/nn", "learn/data", "learn/format")}
ROOF = ("recipe", "report", "")

# What each folder of lib/ may include besides itself.
LAW = {"base": (), "backend": ("base",), "group": ("base",)}
for wing in (WEST, EAST):
    LAW.update({folder: GROUND + below for folder, below in wing.items()})
LAW.update({folder: GROUND + tuple(WEST) + tuple(EAST) + ROOF
            for folder in ROOF})

# The floor that each public header speaks of.
PUBLIC = {"status.h": "ground", "context.h": "ground", "config.h": "ground",
          "backend.h": "ground", "database.h": "ground", "group.h": "ground",
          "space.h": "west", "study.h": "west", "data.h": "east",
          "model.h": "east", "trainer.h": "east", "distill.h": "east",
          "finetune.h": "east", "parallel.h": "east",
          "recipe.h": "roof", "modelopt.h": "roof"}

# Where foreign libraries show: one place each.
FOREIGN = {"sqlite3.h": ("search/store",), "jansson.h": ("base",),
           "zlib.h": ("base",), "cblas.h": ("backend",),
           "openblas_config.h": ("backend",), "lapacke.h": ("backend",),
           "lapack.h": ("backend",)}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def floor(folder):
    if folder in WEST:
        return "west"
    if folder in EAST:
        return "east"
    return "ground" if folder in GROUND else "roof"


def check_lib(folder, kind, name):
    """What is wrong with an include of lib/folder, or None."""
    if folder not in LAW:
        return f"lib/{folder} has no place in the law of includes"
    if kind == '"':
        target = os.path.dirname(name)
        if target != folder and target not in LAW[folder]:
            return f'lib/{folder} must not include "{name}"'
    elif name.startswith("modelopt/"):
        header = name[len("modelopt/"):]
        if header not in PUBLIC:
            return f"<{name}> has no floor in includes.py"
        here, there = floor(folder), PUBLIC[header]
        if there not in ("ground", here) and here != "roof":
            return f"lib/{folder} ({here}) must not include <{name}> ({there})"
    elif name in FOREIGN and folder not in FOREIGN[name]:
        return (f"<{name}> belongs to lib/{FOREIGN[name][0]}, "
                f"not lib/{folder}")
    return None


def check_public(kind, name):
    if kind == '"' and "/" not in name:
        return None
    if kind == "<" and name in ("stddef.h", "stdint.h"):
        return None
    return f"a public header must not include {name}"


def check_source(root, path, kind, name):
    """src/: public headers, the system's, and its own folder's."""
    if kind == "<":
        inside = name.startswith(("base/", "backend/", "search/", "learn/"))
        return f"src/ must not include <{name}>" if inside else None
    beside = os.path.join(root, os.path.dirname(path), name)
    real = os.path.relpath(os.path.realpath(beside), os.path.realpath(root))
    if real.startswith("src" + os.sep) and os.path.exists(beside):
        return None
    return f'src/ must not include "{name}"'


def files(root, top):
    for folder, _, names in os.walk(os.path.join(root, top)):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".inc")):
                yield os.path.relpath(os.path.join(folder, name), root)


def check(root):
    """All breaches, as "path:line: what"."""
    wrong = []
    for top in ("lib", "include", "src"):
        for path in files(root, top):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                text = file.read()
            folder = os.path.relpath(os.path.dirname(path), top)
            folder = "" if folder == "." else folder.replace(os.sep, "/")
            for found in INCLUDE.finditer(text):
                kind, name = found.groups()
                if top == "lib":
                    what = check_lib(folder, kind, name)
                elif top == "include":
                    what = check_public(kind, name)
                else:
                    what = check_source(root, path, kind, name)
                if what:
                    line = text.count("\n", 0, found.start(2)) + 1
                    wrong.append(f"{path}:{line}: {what}")
    return wrong


BREACHES = {
    "lib/base/a.c": '#include "learn/nn/model.h"',
    "lib/backend/a.c": '#include "search/space/space.h"',
    "lib/search/space/a.c": '#include "search/study/study.h"',
    "lib/search/study/a.c": '#include "learn/nn/model.h"',
    "lib/search/study/b.c": "#include <modelopt/model.h>",
    "lib/learn/nn/a.c": '#include "learn/train/train.h"',
    "lib/learn/nn/b.c": "# include <modelopt/study.h>",
    "lib/learn/train/a.c": '#include "recipe/recipe.h"',
    "lib/learn/data/a.c": "#include <sqlite3.h>",
    "lib/search/store/a.c": "#include <cblas.h>",
    "lib/nowhere/a.c": '#include "base/memory.h"',
    "include/modelopt/a.h": "#include <stdio.h>",
    "include/modelopt/b.h": '#include "../lib/base/memory.h"',
    "src/cli/a.c": '#include "base/memory.h"',
    "src/cli/b.c": '#include "../../lib/base/memory.h"',
    "src/cli/c.c": "#include <base/memory.h>",
}
LAWFUL = {
    "lib/base/l.c": '#include <stdio.h>\n#include "base/memory.h"',
    "lib/search/study/l.c": '#include "search/store/store.h"\n'
                            "#include <modelopt/study.h>",
    "lib/learn/train/l.c": '#include "learn/nn/model.h"',
    "lib/recipe/l.c": '#include "search/study/study.h"\n'
                      '#include "learn/nn/model.h"\n'
                      "#include <modelopt/recipe.h>",
    "lib/l.c": '#include "base/schema.h"',
    "lib/search/store/l.c": "#include <sqlite3.h>",
    "include/modelopt/l.h": '#include "status.h"\n#include <stdint.h>',
    "src/cli/l.c": '#include "l.h"\n#include <modelopt/modelopt.h>',
    "src/cli/l.h": "",
}


def self_test():
    """Every breach is found, nothing lawful is taken for one."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**BREACHES, **LAWFUL}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write("/* x */\n" + text + "\n")
        found = {line.split(":")[0] for line in check(root)}
    missed = set(BREACHES) - found
    blamed = found - set(BREACHES)
    for path in sorted(missed):
        print(f"self-test: the breach in {path} was not found")
    for path in sorted(blamed):
        print(f"self-test: {path} was blamed wrongly")
    return 1 if missed or blamed else 0


def main(arguments):
    if "--self-test" in arguments:
        return self_test()
    here = os.path.dirname(os.path.abspath(__file__))
    root = arguments[0] if arguments else os.path.dirname(
        os.path.dirname(here))
    wrong = check(root)
    print("\n".join(wrong) or "includes: lawful")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
