# SPDX-License-Identifier: MIT
"""tests/tools/abi.py: the gate in front of the binary interface.

usage: abi.py GATE [--debug] [FILE]

Gates, each compared with the baseline in docs/abi:
  symbols FILE.so   what the library exports, the headers declare and
                    symbols.txt lists is the same
  constants         names and values of the headers' constants
  layout            sizes and offsets of the plug-in tables
  types             types of all functions, by abidiff where it is installed
  archive FILE.a    calls that the library must not make (--debug: a build
                    with assertions), and global names that are not its own
  headers           each header compiles alone as C99 and C++11
  self-test         each gate finds a breach
  update            writes the baseline anew (docs/abi/README.md)

Exit status 77 means that a tool is missing and the gate was skipped.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "src", "python"))
import headers  # noqa: E402

INCLUDE = os.path.join(ROOT, "include")
BASELINE = os.path.join(ROOT, "docs", "abi")
MAP = os.path.join(ROOT, "lib", "modelopt.map")
SKIP = 77
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror"]

DENIED = set("""
exit _exit _Exit quick_exit abort atexit on_exit
printf vprintf fprintf vfprintf dprintf puts putchar putc fputs fputc perror
stdout stderr stdin psignal err errx warn warnx
rand srand rand_r random srandom drand48 srand48 lrand48 erand48
setlocale uselocale
signal sigaction sigprocmask raise kill alarm setitimer
setenv putenv unsetenv clearenv chdir umask system popen fork vfork execv
execve execvp strtok gets sprintf vsprintf strcat
fesetround feenableexcept fesetenv fesetexceptflag
""".split())
ASSERT = "assert_fail"


def run(command):
    return subprocess.run(command, capture_output=True, text=True)


def tool(*names):
    """The first of names that is installed, or None."""
    return next((path for path in map(shutil.which, names) if path), None)


def read_lines(name, folder=BASELINE):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file
                if line.strip() and not line.startswith("#")]


def compare(what, expected, found):
    """Differences of two dicts in words."""
    wrong = [f"{what}: {name} is gone (baseline: {value})"
             for name, value in expected.items() if name not in found]
    wrong += [f"{what}: {name} is new, and not in the baseline"
              for name in found if name not in expected]
    wrong += [f"{what}: {name} was {value}, is {found[name]}"
              for name, value in expected.items()
              if name in found and found[name] != value]
    return wrong


def baseline(name, folder=BASELINE):
    """A list of the baseline as {name: value}."""
    return dict(line.split(None, 1) for line in read_lines(name, folder))


def declared(interface):
    return {f.name: f.doc.since for f in interface.functions}


def exported(library):
    """Defined dynamic symbols of a library, without their version."""
    out = run(["nm", "-D", "--defined-only", library])
    if out.returncode != 0:
        raise OSError(out.stderr.strip())
    names = [line.split()[-1].split("@")[0]
             for line in out.stdout.split("\n") if line.strip()]
    # The version's own node (MODELOPT_0.1) is absolute.
    return {name for name in names if not name.startswith("MODELOPT_")}


def check_symbols(interface, library, listed):
    wrong = compare("symbols.txt against the headers", listed,
                    declared(interface))
    real = exported(library)
    wrong += [f"{name} is declared, but {library} does not export it"
              for name in sorted(set(declared(interface)) - real)]
    wrong += [f"{library} exports {name}, which no header declares"
              for name in sorted(real - set(declared(interface)))]
    return wrong


def constants(interface):
    return {c.name: str(c.value) for c in interface.constants}


def layout(interface, compiler="cc"):
    """Sizes and offsets of the plug-in tables, as this compiler lays them."""
    lines = ["#include <modelopt/modelopt.h>", "#include <stdio.h>",
             "int main(void) {"]
    for table in interface.tables:
        lines.append(f'printf("{table.name} %zu\\n", sizeof({table.name}));')
        lines += [f'printf("{table.name}.{m.name} %zu\\n", '
                  f"offsetof({table.name}, {m.name}));"
                  for m in table.members]
    lines += ["return 0; }"]
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "layout.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        program = os.path.join(folder, "layout")
        made = run([compiler, "-I", interface.folder, "-o", program, source])
        if made.returncode != 0:
            raise OSError(made.stderr)
        return dict(line.split() for line in
                    run([program]).stdout.strip().split("\n"))


def witness(interface, folder):
    """A library that has the headers' functions and their debug information.

    The real one is built without; every file of it includes the header that
    declares what it defines, so that the types are the same.
    """
    lines = ["#include <modelopt/modelopt.h>"]
    for function in interface.functions:
        names = " ".join(f"(void)({p.name});" for p in function.params)
        value = "" if function.returns == "void" else "return 0;"
        lines.append(f"{function.signature} {{ {names} {value} }}")
    source = os.path.join(folder, "witness.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    library = os.path.join(folder, "libmodelopt.so.0")
    made = run(["cc", "-g", "-shared", "-fPIC", "-I", interface.folder,
                f"-ffile-prefix-map={folder}=.",
                "-Wl,-soname,libmodelopt.so.0",
                "-Wl,--version-script=" + MAP, "-o", library, source])
    if made.returncode != 0:
        raise OSError(made.stderr)
    return library


def describe_types(interface, out):
    with tempfile.TemporaryDirectory() as folder:
        library = witness(interface, folder)
        made = run(["abidw", "--headers-dir", interface.folder,
                    "--no-comp-dir-path", "--no-corpus-path",
                    "--no-show-locs", "--out-file", out, library])
        if made.returncode != 0:
            raise OSError(made.stderr or made.stdout)


def check_types(interface, old):
    with tempfile.TemporaryDirectory() as folder:
        new = os.path.join(folder, "new.abi")
        describe_types(interface, new)
        out = run(["abidiff", old, new])
    return [out.stdout.strip()] if out.returncode else []


def plain_name(symbol):
    """A symbol without the frills of libc: __printf_chk -> printf."""
    name = re.sub(r"^__isoc\d+_", "", symbol.split("@")[0])
    return re.sub(r"^__(\w+?)(_chk)?$", r"\1", name)


def undefined(archive):
    """Yield (object, symbol) of what an archive asks of others."""
    out = run(["nm", "-A", "-u", archive])
    if out.returncode != 0:
        raise OSError(out.stderr.strip())
    for line in out.stdout.split("\n"):
        found = re.match(r".*?([^:/]+\.o):\s+[UwWv]\s+(\S+)$", line)
        if found:
            yield found.groups()


def defined(archive):
    """Global names of an archive: they meet the host's own when it links."""
    out = run(["nm", "-g", "--defined-only", archive])
    return [line.split()[2] for line in out.stdout.split("\n")
            if re.match(r"^[0-9a-f]+ [A-Z] \w+", line)]


def check_archive(archive, debug):
    denied = DENIED if debug else DENIED | {ASSERT}
    found = list(undefined(archive))
    wrong = [f"{archive}: {item} calls {symbol}" for item, symbol in found
             if plain_name(symbol) in denied]
    wrong += [f"{archive}: {symbol} is global, and begins neither with mopt_ "
              "nor with moi_" for symbol in defined(archive)
              if not symbol.startswith(("mopt_", "moi_"))]
    return wrong if found else [f"{archive}: nm told nothing"]


def check_headers(interface):
    wrong = []
    c, cpp = ["-std=c99", "-Wstrict-prototypes"], ["-std=c++11"]
    compilers = [(tool("gcc"), "c", c), (tool("g++"), "c++", cpp),
                 (tool("clang"), "c", c), (tool("clang++"), "c++", cpp)]
    for name in interface.headers | {"modelopt.h": None}:
        for path, language, options in compilers:
            if not path:
                continue
            out = subprocess.run(
                [path, "-x", language, *options, *STRICT, "-fsyntax-only",
                 "-I", interface.folder, "-"], capture_output=True, text=True,
                input=f"#include <modelopt/{name}>\ntypedef int x;\n")
            if out.returncode != 0:
                wrong.append(f"{name} as {language} by {path}:\n{out.stderr}")
    return wrong


def load(include=INCLUDE):
    interface = headers.read(os.path.join(include, "modelopt"))
    interface.folder = include
    return interface


def write(name, opening, items):
    with open(os.path.join(BASELINE, name), "w", encoding="utf-8") as file:
        file.write("".join(f"# {line}\n" for line in opening))
        file.write("".join(f"{a} {b}\n" for a, b in items))


def update():
    interface = load()
    write("symbols.txt", ["Exported functions, and the version since which."],
          sorted(declared(interface).items()))
    write("constants.txt", ["Public constants. Never renumbered or removed."],
          sorted(constants(interface).items()))
    write("layout.txt", ["Sizes and offsets of the plug-in tables, LP64."],
          layout(interface).items())
    if tool("abidw"):
        describe_types(interface, os.path.join(BASELINE, "modelopt.abi"))
    else:
        print("abidw is not installed: modelopt.abi is left as it was")
    return []


BREACHES = {
    "constants": ("status.h", "#define MOPT_EINVAL (-1)",
                  "#define MOPT_EINVAL (-9)"),
    "layout": ("backend.h", "    uint32_t abi_version;",
               "    uint64_t more;\n    uint32_t abi_version;"),
    "types": ("model.h", "mopt_model *model, double rate",
              "mopt_model *model, float rate"),
    "headers": ("data.h", "MOPT_API void mopt_dataset_free",
                "MOPT_API void f();\nMOPT_API void mopt_dataset_free"),
    "symbols": ("config.h", "mopt_config_free", "mopt_config_release"),
}


def breached(name, folder):
    """The headers with the breach of a gate in them."""
    include = os.path.join(folder, name)
    shutil.copytree(INCLUDE, include)
    header, old, new = BREACHES[name]
    path = os.path.join(include, "modelopt", header)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if old not in text:
        raise OSError(f"{header} has no '{old}': mend the self-test")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    if name == "headers":  # not a declaration that headers.py reads
        interface = load()
        interface.folder = include
        return interface
    return load(include)


def find_archive_breach(folder):
    source = os.path.join(folder, "bad.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <stdio.h>\n#include <stdlib.h>\n"
                   "void f(int a) { printf(\"%d\", a); exit(a); }\n")
    item, archive = source[:-1] + "o", os.path.join(folder, "bad.a")
    run(["cc", "-O2", "-D_FORTIFY_SOURCE=2", "-c", "-o", item, source])
    run(["ar", "rc", archive, item])
    return len(check_archive(archive, False)) == 3  # printf, exit, f


def self_test():
    """Each gate finds the breach made for it."""
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BREACHES:
            if name == "types" and not tool("abidw"):
                continue
            broken = breached(name, folder)
            if name == "constants":
                found = compare(name, constants(load()), constants(broken))
            elif name == "layout":
                found = compare(name, layout(load()), layout(broken))
            elif name == "types":
                old = os.path.join(folder, "old.abi")
                describe_types(load(), old)
                found = check_types(broken, old)
            elif name == "headers":
                found = check_headers(broken)
            else:
                inner = os.path.join(folder, "library")
                os.mkdir(inner)
                library = witness(broken, inner)
                found = check_symbols(load(), library, declared(load()))
                if len(found) != 2:
                    found = []
            if not found:
                missed.append(f"self-test: the breach of '{name}' was missed")
        if not find_archive_breach(folder):
            missed.append("self-test: the breach of 'archive' was missed")
    return missed


def main(arguments):
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    gate = arguments[0] if arguments else "help"
    if gate in ("types",) and not (tool("abidw") and tool("abidiff")):
        print("abidw and abidiff (abigail-tools) are not installed")
        return SKIP
    if gate == "symbols":
        wrong = check_symbols(load(), arguments[1], baseline("symbols.txt"))
    elif gate == "constants":
        wrong = compare("constants", baseline("constants.txt"),
                        constants(load()))
    elif gate == "layout":
        wrong = compare("layout", baseline("layout.txt"), layout(load()))
    elif gate == "types":
        wrong = check_types(load(), os.path.join(BASELINE, "modelopt.abi"))
    elif gate == "archive":
        wrong = check_archive(arguments[1], debug)
    elif gate == "headers":
        wrong = check_headers(load())
    elif gate == "self-test":
        wrong = self_test()
    elif gate == "update":
        wrong = update()
    else:
        print(__doc__)
        return 2
    print("\n".join(wrong) or f"{gate}: fine")
    if wrong and gate != "self-test":
        print("If this change is meant, see docs/abi/README.md.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
