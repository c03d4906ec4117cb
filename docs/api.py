# SPDX-License-Identifier: MIT
"""docs/api.py: writes docs/api.md, the API reference, from the public headers.

usage: python3 docs/api.py [--check]

--check compares instead, and fails if the file is not what the headers say.
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "src", "python"))
import headers  # noqa: E402

OPENING = """\
# API reference

Made by `docs/api.py` from the headers in `include/modelopt`: do not edit.

Every function that can fail returns `int32_t`: 0 (`MOPT_OK`), a negative error
or a positive, expected outcome; [mopt_last_error](#mopt_last_error) copies out
the message. Objects are freed by the `_free` function of their type; freeing
`NULL` is fine. Texts are UTF-8, copied on the way in. Where a text comes out,
`buf` receives it with a NUL, cut to `cap` bytes, and `needed` (may be `NULL`)
the bytes that the whole takes: call once with `buf` `NULL` and `cap` 0 to learn
the size. `ctx` is the context that a new object belongs to, `out` receives it.

**Thread** says who may call: *any* thread at any time; *one a handle*, one
thread at a time for the same object.
"""


class Writer:
    """Collects lines; knows which names can be linked to."""

    def __init__(self, interface):
        self.lines = []
        self.anchors = {f.name: f.leader for f in interface.functions}
        for kind in (interface.callbacks, interface.tables):
            self.anchors.update({item.name: item.name for item in kind})

    def add(self, *lines):
        self.lines += lines

    def prose(self, text, here=()):
        """A text in Markdown: names as code, functions as links."""
        def mark(found):
            name = found.group()
            if name in self.anchors and name not in here:
                return f"[{name}](#{self.anchors[name]})"
            return f"`{name}`"
        if text.startswith("   "):
            return "```\n" + re.sub("^   ", "", text, flags=re.M) + "\n```"
        text = text.replace("<", "&lt;").replace("*", "\\*")
        return re.sub(r"\b(?:mopt_\w+|MOPT_[A-Z0-9_]+|NULL)\b", mark, text)

    def cell(self, text):
        return self.prose(text).replace("|", "\\|")


def add_doc(out, doc, params, here):
    for text in [doc.summary] + doc.text:
        if text:
            out.add(out.prose(text, here), "")
    known = [(names, text) for names, text in doc.params.items()]
    if known:
        for names, text in known:
            names = ", ".join(f"`{n}`" for n in re.split(r",\s*", names))
            out.add(f"- {names}: {out.prose(text, here)}")
        out.add("")
    if doc.returns:
        out.add("**Returns** " + out.prose(doc.returns, here), "")
    for text in doc.remarks:
        out.add(out.prose(text, here), "")
    if doc.thread:
        out.add(f"**Thread** {out.prose(doc.thread, here)}. "
                f"**Since** {doc.since}.", "")


def add_constants(out, constants):
    groups = {}
    for constant in constants:
        groups.setdefault(constant.group, []).append(constant)
    for group, members in groups.items():
        if group:
            out.add(out.prose(group), "")
        out.add("| constant | value | |", "|---|---|---|")
        out.add(*(f"| `{c.name}` | {c.value} | {out.cell(c.text)} |"
                  for c in members))
        out.add("")


def callback_text(item, name):
    params = ", ".join(f"{p.type} {p.name}".replace("* ", "*")
                       for p in item.params)
    return f"{item.returns} (*{name})({params})".replace("* (", "*(")


def add_table(out, table):
    out.add(f"### {table.name}", "")
    add_doc(out, table.doc, [], (table.name,))
    for member in table.members:
        what = (f"{member.type} {member.name}".replace("* ", "*")
                if member.type else callback_text(member, member.name))
        text = f": {out.prose(member.doc)}" if member.doc else ""
        out.add(f"- `{what}`{text}")
    out.add("")


def signature(function):
    """A declaration, its lines aligned without the MOPT_API before it."""
    text = re.sub(r"\n {14}( *)", lambda m: "\n     " + m.group(1),
                  function.signature)
    return text + ";"


def add_header(out, name, opening, interface):
    def of(kind):
        return [item for item in kind if item.header == name]
    out.add(f"## {name}", "")
    for text in opening:
        out.add(out.prose(text[:1].upper() + text[1:]), "")
    handles = of(interface.handles)
    if handles:
        out.add("Objects: " + ", ".join(f"`{h.name}`" for h in handles) + ".",
                "")
    add_constants(out, of(interface.constants))
    for table in of(interface.tables):
        add_table(out, table)
    for callback in of(interface.callbacks):
        out.add(f"### {callback.name}", "", "```c",
                f"typedef {callback_text(callback, callback.name)};", "```",
                "")
        add_doc(out, callback.doc, callback.params, (callback.name,))
    functions = of(interface.functions)
    for leader in functions:
        if leader.leader != leader.name:
            continue
        group = [f for f in functions if f.leader == leader.name]
        out.add(f"### {leader.name}", "", "```c",
                *(signature(f) for f in group), "```", "")
        add_doc(out, leader.doc, leader.params, [f.name for f in group])


def make(interface):
    """The text of docs/api.md."""
    out = Writer(interface)
    out.add(OPENING)
    for name in interface.headers:
        names = [f"[{f.name}](#{f.leader})" for f in interface.functions
                 if f.header == name]
        out.add(f"- [{name}](#{name.replace('.', '')}): " + ", ".join(names))
    out.add("")
    for name, opening in interface.headers.items():
        add_header(out, name, opening, interface)
    return "\n".join(out.lines).rstrip() + "\n"


def main(arguments):
    path = os.path.join(ROOT, "docs", "api.md")
    text = make(headers.read(headers.public_folder()))
    old = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = file.read()
    if "--check" not in arguments:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    elif old != text:
        print("docs/api.md is not what the headers say; run "
              "python3 docs/api.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
