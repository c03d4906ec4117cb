# SPDX-License-Identifier: MIT
"""tests/tools/style.py: the parts of the house style that a script can see.

usage: style.py [--self-test] [--figures] [ROOT]

Line length, function length (median, 90 % and limit), file length, file
openings, calls that the library must not make, marks of unfinished work, and
the documentation of public functions.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile

WIDTH = 80
FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_LIMIT = 15, 40, 100
FILE_LIMIT, HEADER_LIMIT, OPENING_LIMIT = 800, 500, 18

# Functions above FUNCTION_LIMIT, at most ten: "path:name".
EXCEPTIONS = ()

# Calls that must not stand in lib/, and the one file where they may.
BANNED = {
    # The library never ends the host, prints, or touches what is process-wide.
    r"_?exit|abort|quick_exit|atexit": (),
    r"v?f?printf|puts|putchar|fputs|fputc|perror": (),
    r"rand|srand|random|srandom|drand48|rand_r": (),
    r"setlocale|uselocale|newlocale": (),
    r"signal|sigaction|raise|kill|alarm": (),
    r"setenv|putenv|unsetenv|chdir|umask|system|popen|fork": (),
    r"fesetround|feenableexcept|fesetenv": (),
    # Not safe in threads, or without a bound.
    r"strtok|gets|v?sprintf|strcat|asctime|ctime|localtime|gmtime": (),
    r"strcpy": ("lib/base/number.c",),
    # They follow the host's locale: base/number.h does not.
    r"strto[df]|strtold|ato[ifl]|sscanf|scanf": ("lib/base/number.c",),
    # One seam each for memory, files, clock and threads.
    r"malloc|calloc|realloc|free|strn?dup|aligned_alloc|posix_memalign":
        ("lib/base/context.c", "lib/base/memory.c"),
    r"fopen|open|openat|read|pread|write|pwrite|rename|unlink|mkstemp|fsync":
        ("lib/base/file.c",),
    r"time|clock|gettimeofday|clock_gettime|nanosleep|usleep|sleep":
        ("lib/base/clock.c",),
}
# A number in text by %g would follow the host's locale.
FLOAT_FORMAT = re.compile(r'"(?:[^"\\\n]|\\.)*%[-+ #0-9.*]*l?[aefgAEFG]')
NUMBER_FILE = "lib/base/number.c"
MARKS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SOURCES = (".c", ".h", ".inc", ".cpp", ".py", ".pyi", ".sh", ".build")


def blank(text, strings=True):
    """C code with comments (and strings) blanked, lines kept."""
    def empty(found):
        piece = found.group()
        if piece[0] == "/" or strings:
            return re.sub(r"[^\n]", " ", piece)
        return piece
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                  r"|'(?:\\.|[^'\\\n])*'", empty, text, flags=re.S)


def functions(text):
    """Yield (name, line, lines of the body) of each function of a C file."""
    depth, start, head_from = 0, 0, 0
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
                  lambda m: re.sub(r"[^\n]", " ", m.group()),
                  blank(text), flags=re.M)
    for position, char in enumerate(code):
        if char == "{":
            if depth == 0:
                start = position
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                head = code[head_from:start]
                found = re.search(r"(\w+)\s*\([^{;=]*\)\s*$", head)
                if found and not re.search(r"\b(struct|union|enum)\s+\w*\s*$",
                                           head):
                    line = code.count("\n", 0, start) + 1
                    end = code.count("\n", 0, position) + 1
                    yield found.group(1), line, max(end - line - 1, 0)
                head_from = position + 1
        elif char == ";" and depth == 0:
            head_from = position + 1


def check_opening(path, text):
    """SPDX, the path, a paragraph."""
    if path.endswith((".c", ".h", ".inc", ".cpp")):
        found = re.match(r"/\* SPDX-License-Identifier: MIT\n(.*?)\*/", text,
                         re.S)
        if not found:
            return "does not open with its SPDX line"
        name = re.sub("^include/", "", path)
        if not re.match(r" \* " + re.escape(name) + r":\s", found.group(1)):
            return f"does not say its path '{name}:' and what it is"
        if len(found.group(1).split("\n")) > OPENING_LIMIT:
            return f"opens with more than {OPENING_LIMIT} lines"
        return None
    lines = text.split("\n")
    if lines[0].startswith("#!"):
        lines = lines[1:]
    if text.strip() and lines[0] != "# SPDX-License-Identifier: MIT":
        return "does not open with its SPDX line"
    return None


def check_text(path, text):
    """What holds for every source file."""
    wrong = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > WIDTH and path.startswith(
                ("lib/", "include/", "src/", "tests/", "bench/")):
            wrong.append(f"{path}:{number}: {len(line)} columns")
        if line != line.rstrip():
            wrong.append(f"{path}:{number}: blank at the end of the line")
        if "\t" in line:
            wrong.append(f"{path}:{number}: tab")
        if MARKS.search(line) and path != "tests/tools/style.py":
            wrong.append(f"{path}:{number}: mark of unfinished work")
    if text and not text.endswith("\n"):
        wrong.append(f"{path}: no line end at the end")
    opening = check_opening(path, text)
    if opening:
        wrong.append(f"{path}:1: {opening}")
    lines = text.count("\n")
    limit = HEADER_LIMIT if path.startswith("include/") else FILE_LIMIT
    if lines > limit and not os.path.basename(path).startswith("_bindings"):
        wrong.append(f"{path}: {lines} lines, the limit is {limit}")
    return wrong


def check_calls(path, text):
    """Calls that lib/ must not make."""
    wrong = []
    code = blank(text)
    for names, allowed in BANNED.items():
        if path in allowed:
            continue
        for found in re.finditer(rf"(?<![\w.>])({names})\s*\(", code):
            line = code.count("\n", 0, found.start(1)) + 1
            wrong.append(f"{path}:{line}: calls {found.group(1)}()")
    if path != NUMBER_FILE:
        code = blank(text, strings=False)
        for found in FLOAT_FORMAT.finditer(code):
            line = code.count("\n", 0, found.start()) + 1
            wrong.append(f"{path}:{line}: a %g follows the host's locale; "
                         "use base/number.h")
    return wrong


def check_lengths(lengths, what):
    """Function lengths [(path, name, line, lines)] against the gates."""
    wrong = [f"{path}:{line}: {name} has {size} lines, the limit is "
             f"{FUNCTION_LIMIT}"
             for path, name, line, size in lengths
             if size > FUNCTION_LIMIT and f"{path}:{name}" not in EXCEPTIONS]
    sizes = sorted(item[3] for item in lengths)
    if len(sizes) >= 10:
        median = statistics.median(sizes)
        p90 = sizes[int(0.9 * (len(sizes) - 1))]
        if median > FUNCTION_MEDIAN:
            wrong.append(f"{what}: functions have {median} lines in the "
                         f"median, the limit is {FUNCTION_MEDIAN}")
        if p90 > FUNCTION_P90:
            wrong.append(f"{what}: 90 % of functions have up to {p90} lines, "
                         f"the limit is {FUNCTION_P90}")
    return wrong


def check_docs(root):
    """Public functions have a summary, what they return, thread, since."""
    folder = os.path.join(root, "include", "modelopt")
    if not os.path.isdir(folder):
        return []
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(here, "..", "..", "src", "python"))
    import headers
    interface = headers.read(folder)
    wrong = []
    leaders = {f.name: f for f in interface.functions}
    shared = {}
    for function in interface.functions:
        shared.setdefault(function.leader, set()).update(
            p.name for p in function.params)
    for function in interface.functions:
        place = f"include/modelopt/{function.header}: {function.name}"
        doc = leaders[function.leader].doc
        for part, there in (("summary", doc.summary), ("Thread:", doc.thread),
                            ("Since", doc.since)):
            if not there:
                wrong.append(f"{place}: no {part}")
        fails = function.returns == "int32_t" and re.search(
            r"MOPT_|as mopt_", doc.returns)
        plain = re.search(r"1 or 0|-1 for NULL|^Status code",
                          doc.summary + " ".join(doc.text))
        if function.returns == "int32_t" and not fails and not plain:
            wrong.append(f"{place}: no @return with its codes")
        for names in doc.params:
            for name in re.split(r",\s*", names):
                if name not in shared[function.leader]:
                    wrong.append(f"{place}: @param {name} is no parameter")
    return wrong


def tracked(root):
    """Files of the project: git's list, or all of them."""
    try:
        out = subprocess.run(
            ["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
            capture_output=True, text=True, check=True).stdout
        names = out.split("\n")[:-1]
    except (OSError, subprocess.CalledProcessError):
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, found in os.walk(root) for name in found]
    return sorted(name for name in names if name.endswith(SOURCES)
                  and os.path.exists(os.path.join(root, name)))


def check(root, figures=False):
    """All breaches, as "path:line: what"."""
    wrong, lengths = [], []
    for path in tracked(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        wrong += check_text(path, text)
        if path.endswith((".c", ".inc")) and path.startswith(("lib/", "src/")):
            lengths += [(path,) + item for item in functions(text)]
        if path.endswith((".c", ".h", ".inc")) and path.startswith("lib/"):
            wrong += check_calls(path, text)
    wrong += check_lengths(lengths, "lib and src") + check_docs(root)
    if figures and lengths:
        sizes = sorted(item[3] for item in lengths)
        print(f"{len(sizes)} functions: median {statistics.median(sizes)}, "
              f"p90 {sizes[int(0.9 * (len(sizes) - 1))]}, longest {sizes[-1]}")
    return wrong


OPEN = "/* SPDX-License-Identifier: MIT\n * {}: a piece. */\n"
LONG = "int f(void)\n{\n" + "    g();\n" * 101 + "}\n"
MIDDLING = "".join(f"int f{i}(void)\n{{\n" + "    g();\n" * 45 + "}\n\n"
                   for i in range(12))
BREACHES = {
    "lib/base/wide.c": "int x; /* " + "x" * 80 + " */\n",
    "lib/base/long.c": LONG,
    "lib/base/blank.c": "int x; \n",
    "lib/base/tab.c": "\tint x;\n",
    "lib/base/end.c": "int x;",
    "lib/base/mark.c": "/* TO" + "DO: more */\n",
    "lib/base/huge.c": "int x;\n" * 801,
    "lib/base/call.c": "void f(void)\n{\n    exit(1);\n}\n",
    "lib/base/print.c": "void f(void)\n{\n    printf(\"x\");\n}\n",
    "lib/base/heap.c": "void *f(void)\n{\n    return malloc(3);\n}\n",
    "lib/base/locale.c": 'void f(void)\n{\n    moi_fail(1, "is %.3g");\n}\n',
    "include/modelopt/a.h":
        "/** Do.\n *  @param b x.\n *  @return MOPT_OK.\n *  Thread: any. "
        "Since 0.1. */\nMOPT_API int32_t mopt_a(int32_t a);\n",
    "include/modelopt/b.h": "/** Do. */\nMOPT_API void mopt_b(int32_t a);\n",
    "include/modelopt/c.h":
        "/** Do. Thread: any. Since 0.1. */\n"
        "MOPT_API int32_t mopt_c(int32_t a);\n",
}
UNOPENED = {
    "lib/base/spdx.c": "int x;\n",
    "lib/base/path.c": "/* SPDX-License-Identifier: MIT\n"
                       " * lib/base/other.c: a piece. */\n",
    "tests/a.py": "import os\n",
}
LAWFUL = {
    "lib/base/fine.c":
        "/* exit(1), printf: words. */\nint f(int a)\n{\n"
        '    const char *s = "exit(1) %d";\n    return g(a, s);\n}\n',
    "include/modelopt/fine.h":
        "/** Do.\n *  @param a x.\n *  @return MOPT_OK.\n *  Thread: any. "
        "Since 0.1. */\nMOPT_API int32_t mopt_f(int32_t a);\n",
}


def write_tree(root, tree):
    for path, text in tree.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def self_test():
    """Every breach is found, nothing lawful is taken for one."""
    tree = {path: OPEN.format(re.sub("^include/", "", path)) + text
            for path, text in {**BREACHES, **LAWFUL}.items()}
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, {**tree, **UNOPENED})
        found = {line.split(":")[0] for line in check(root)}
    with tempfile.TemporaryDirectory() as root:
        path = "lib/base/middling.c"
        write_tree(root, {path: OPEN.format(path) + MIDDLING})
        gates = [line for line in check(root) if line.startswith("lib and")]
    failures = [f"the breach in {path} was not found"
                for path in {**BREACHES, **UNOPENED} if path not in found]
    failures += [f"{path} was blamed wrongly"
                 for path in LAWFUL if path in found]
    if len(gates) != 2:
        failures.append("median and 90 % of function lengths are not gates")
    for failure in failures:
        print(f"self-test: {failure}")
    return 1 if failures else 0


def main(arguments):
    if "--self-test" in arguments:
        return self_test()
    here = os.path.dirname(os.path.abspath(__file__))
    roots = [a for a in arguments if not a.startswith("-")]
    root = roots[0] if roots else os.path.dirname(os.path.dirname(here))
    wrong = check(root, "--figures" in arguments)
    print("\n".join(wrong) or "style: fine")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
