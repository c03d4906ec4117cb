# SPDX-License-Identifier: MIT
"""tests/tools/guide.py: the code of a guide runs as it stands.

usage: guide.py python GUIDE.md
       guide.py c GUIDE.md INCLUDE LIBDIR COMPILER...
       guide.py sh GUIDE.md

Python blocks run from top to bottom in one interpreter; a block of C that has a
main is compiled as a program of its own and run. All in a folder that is empty
at first. Blocks of a shell run from top to bottom in the folder that is there;
other blocks whose last line before ends with a name, as in `file.yaml`:, are
written to that file first.
"""

import os
import re
import subprocess
import sys
import tempfile
import traceback

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def blocks(path, language):
    """(line, code) of each block of a language."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    found = [(text.count("\n", 0, block.start()) + 2, block.group(2))
             for block in BLOCK.finditer(text) if block.group(1) == language]
    if not found:
        sys.exit(f"{path} has no block of {language}")
    return found


def run_python(path):
    space = {"__name__": "__main__"}
    for line, code in blocks(path, "python"):
        try:
            exec(compile("\n" * (line - 1) + code, path, "exec"), space)
        except BaseException:
            traceback.print_exc()
            print(f"{path}:{line}: this block failed")
            return 1
    return 0


def run_c(path, include, libdir, compiler):
    for line, code in blocks(path, "c"):
        if "int main(" not in code:
            continue
        with open("program.c", "w", encoding="utf-8") as file:
            file.write(code)
        made = subprocess.run(
            [*compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-I",
             include, "-o", "program", "program.c", "-L", libdir,
             "-Wl,-rpath," + libdir, "-lmodelopt"])
        if made.returncode == 0:
            made = subprocess.run(["./program"])
        if made.returncode != 0:
            print(f"{path}:{line}: this program failed")
            return 1
    return 0


def run_shell(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for block in BLOCK.finditer(text):
        language, code = block.groups()
        name = re.search(r"`([\w.-]+)`:\s*$", text[:block.start()])
        if language == "sh":
            line = text.count("\n", 0, block.start()) + 2
            print(code, flush=True)
            if subprocess.run(["sh", "-eu", "-c", code]).returncode != 0:
                print(f"{path}:{line}: these commands failed")
                return 1
        elif name:
            with open(name.group(1), "w", encoding="utf-8") as file:
                file.write(code)
    return 0


def main(language, path, *rest):
    path = os.path.abspath(path)
    if language == "sh":
        return run_shell(path)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            if language == "python":
                return run_python(path)
            include, libdir, *compiler = rest
            return run_c(path, include, libdir, compiler)
        finally:
            os.chdir("/")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
