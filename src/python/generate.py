# SPDX-License-Identifier: MIT
"""src/python/generate.py: writes the raw bindings from the public headers.

usage: python3 src/python/generate.py [--check]

Writes modelopt/_bindings.py and its stub beside this file; --check compares
instead and fails if they are not what the headers say. A test runs it so.
"""

import os
import re
import sys

import headers

SCALARS = {
    "int32_t": ("c_int32", "int"),
    "int64_t": ("c_int64", "int"),
    "uint32_t": ("c_uint32", "int"),
    "size_t": ("c_size_t", "int"),
    "float": ("c_float", "float"),
    "double": ("c_double", "float"),
    "char": ("c_char", "bytes"),
}

OPENING = '''\
# SPDX-License-Identifier: MIT
# Made by src/python/generate.py from include/modelopt/*.h: do not edit.
"""The C interface, name for name. modelopt.c is this module."""
'''


def bare(type_text):
    """A C type without const."""
    return type_text.replace("const ", "")


def python_type(type_text, interface):
    """A C type as a ctypes expression."""
    if type_text == "void":
        return "None"
    if bare(type_text) == "void *":
        return "c_void_p"
    if type_text == "const char *":
        return "c_char_p"
    base, _, stars = bare(type_text).partition(" ")
    if base in SCALARS:
        out = SCALARS[base][0]
    elif any(base == item.name for kind in (
            interface.handles, interface.tables, interface.callbacks)
            for item in kind):
        out = base
    else:
        raise headers.HeaderError(f"no Python type for '{type_text}'")
    for _ in stars:
        out = f"POINTER({out})"
    return out


def stub_type(type_text, interface):
    """A C type as a type hint."""
    if type_text == "void":
        return "None"
    if type_text == "const char *":
        return "bytes | None"
    base, _, stars = bare(type_text).partition(" ")
    if not stars:
        if base in SCALARS:
            return SCALARS[base][1]
        return "_Callback"
    if stars == "*" and any(base == h.name for h in interface.handles):
        return f"_Handle[{base}] | None"
    return "_Memory"


def wrap(head, items, tail, indent=4):
    """A call over several lines when it is too long for one."""
    line = head + ", ".join(items) + tail
    if len(line) <= 79:
        return line
    out, current = [head], " " * indent
    for number, item in enumerate(items):
        piece = item + (tail if number == len(items) - 1 else ",")
        if len(current) + len(piece) + 1 > 79:
            out.append(current.rstrip())
            current = " " * indent
        current += ("" if current.endswith(" " * indent) and
                    not current.strip() else " ") + piece
    return "\n".join(out + [current])


def project_version():
    path = os.path.join(headers.project_folder(), "meson.build")
    with open(path, encoding="utf-8") as file:
        found = re.search(r"version: '(\d+)\.(\d+)\.(\d+)'", file.read())
    return ", ".join(found.groups())


def functype(item, interface, indent=4):
    types = [python_type(item.returns, interface)]
    types += [python_type(p.type, interface) for p in item.params]
    return types


def make_module(interface):
    """The text of _bindings.py."""
    out = [OPENING, wrap("from ctypes import (", sorted(
        {"CFUNCTYPE", "POINTER", "Structure", "c_char_p", "c_void_p"}
        | {name for name, _ in SCALARS.values()}), ")"), "",
        "from ._library import bind, verify", "",
        f"VERSION = ({project_version()})", ""]
    out += [f"{c.name} = {c.value}" for c in interface.constants]
    status = [c for c in interface.constants if c.header == "status.h"]
    out += ["", "#: Names of the status codes.", "STATUS = {"]
    out += [f'    {c.value}: "{c.name}",' for c in status] + ["}"]
    for handle in interface.handles:
        out += ["", "", f"class {handle.name}(Structure):",
                '    """Only ever behind a pointer."""']
    out += ["", ""]
    for callback in interface.callbacks:
        out.append(wrap(f"{callback.name} = CFUNCTYPE(",
                        functype(callback, interface), ")"))
    for table in interface.tables:
        out += ["", "", f"class {table.name}(Structure):",
                f'    """{table.doc.summary}"""', "", "    _fields_ = ["]
        for member in table.members:
            if member.type:
                out.append(f'        ("{member.name}", '
                           f"{python_type(member.type, interface)}),")
            else:
                out.append(wrap(f'        ("{member.name}", CFUNCTYPE(',
                                functype(member, interface), ")),", 12))
        out.append("    ]")
    out += ["", "", "verify(VERSION, STATUS)"]
    for function in interface.functions:
        types = functype(function, interface)
        out.append(wrap(f"{function.name} = bind(",
                        [f'"{function.name}"'] + types, ")"))
    return "\n".join(out) + "\n"


def make_stub(interface):
    """The text of _bindings.pyi."""
    out = [OPENING, "import ctypes", "from typing import Any, TypeVar", "",
           '_T = TypeVar("_T", bound=ctypes.Structure)',
           "_Handle = ctypes._Pointer[_T]", "_Memory = Any",
           "_Callback = Any", "",
           "VERSION: tuple[int, int, int]", "STATUS: dict[int, str]", ""]
    out += [f"{c.name}: int" for c in interface.constants] + [""]
    out += [f"class {h.name}(ctypes.Structure): ..."
            for h in interface.handles] + [""]
    out += [f"{c.name}: type[ctypes._CFunctionType]"
            for c in interface.callbacks]
    for table in interface.tables:
        out += ["", f"class {table.name}(ctypes.Structure):"]
        for member in table.members:
            kind = (stub_type(member.type, interface) if member.type
                    else "_Callback")
            out.append(f"    {member.name}: {kind}")
    out.append("")
    for function in interface.functions:
        params = [f"{p.name}: {stub_type(p.type, interface)}"
                  for p in function.params]
        returns = stub_type(function.returns, interface)
        if returns.startswith("bytes"):
            returns = "bytes"
        out.append(wrap(f"def {function.name}(", params or [""],
                        f") -> {returns}: ..."))
    return "\n".join(out) + "\n"


def main(arguments):
    interface = headers.read(headers.public_folder())
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "modelopt")
    stale = []
    for name, text in (("_bindings.py", make_module(interface)),
                       ("_bindings.pyi", make_stub(interface))):
        path = os.path.join(folder, name)
        old = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                old = file.read()
        if old == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            print(f"wrote {path}")
    if stale and "--check" in arguments:
        print(f"{', '.join(stale)}: not what the headers say; run "
              "python3 src/python/generate.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
