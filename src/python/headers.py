# SPDX-License-Identifier: MIT
"""src/python/headers.py: reads the public headers.

The headers keep to a regular form (lib/README.md, docs/abi/README.md), so that
a few hundred lines read them: constants, handles, tables, callbacks, functions
and their documentation. The Python bindings, the API reference, the ABI lists
and the misuse sweep are all made from what this module returns. What it does
not understand is an error, never skipped.
"""

import os
import re
from dataclasses import dataclass, field

MASTER = "modelopt.h"


class HeaderError(Exception):
    """A header is not in the form that this module reads."""


@dataclass
class Doc:
    """A documentation comment, cut into its parts (texts on one line each)."""

    summary: str = ""
    text: list = field(default_factory=list)  # paragraphs after the summary
    params: dict = field(default_factory=dict)  # "a, b" stands for both
    returns: str = ""
    remarks: list = field(default_factory=list)  # after the parameters
    thread: str = ""
    since: str = ""

    def param(self, name):
        """The text on one parameter, "" if there is none."""
        for names, text in self.params.items():
            if name in re.split(r",\s*", names):
                return text
        return ""


@dataclass
class Param:
    type: str  # normalised: "const mopt_config *", "int64_t"
    name: str


@dataclass
class Constant:
    name: str
    value: int
    text: str  # the remark behind it
    group: str  # the remark above its block
    header: str


@dataclass
class Handle:
    name: str
    header: str


@dataclass
class Member:
    name: str
    type: str  # as Param.type, or "" for a function
    returns: str = ""
    params: list = field(default_factory=list)
    doc: str = ""


@dataclass
class Table:
    name: str
    members: list
    doc: Doc
    header: str


@dataclass
class Callback:
    name: str
    returns: str
    params: list
    doc: Doc
    header: str


@dataclass
class Function:
    name: str
    returns: str
    params: list
    doc: Doc
    header: str
    signature: str  # as it stands in the header
    leader: str  # the function that the comment stands above


@dataclass
class Interface:
    """All that the public headers declare, in their order."""

    headers: dict = field(default_factory=dict)  # name: Doc of the file
    constants: list = field(default_factory=list)
    handles: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    callbacks: list = field(default_factory=list)
    functions: list = field(default_factory=list)


def plain(comment):
    """The text of a comment without its frame, lines kept."""
    body = re.sub(r"^/\*+ ?|\s*\*/$", "", comment)
    lines = [re.sub(r"^\s*\* ?", "", line) for line in body.split("\n")]
    return [line.rstrip() for line in lines]


def paragraphs(lines, figure="   "):
    """Lines joined to paragraphs; those indented as a figure keep a form of
    their own, each line behind three blanks."""
    out, current = [], []
    for line in lines + [""]:
        if line.strip():
            current.append(line)
        elif current:
            if all(piece.startswith(figure) for piece in current):
                out.append("\n".join("   " + piece[len(figure):]
                                     for piece in current))
            else:
                out.append(" ".join(piece.strip() for piece in current))
            current = []
    return out


def read_doc(comment, where):
    """Cut a documentation comment into a Doc."""
    doc = Doc()
    lines = take_thread("\n".join(plain(comment)), doc).split("\n")
    # Pieces begin at a mark; a line that is not indented ends the text of one.
    sections = [["text", "", []]]
    for line in lines:
        pieces = re.split(r"(@param|@return)\s+", line)
        before = pieces[0].rstrip()
        if before.strip() or len(pieces) == 1:
            inside = sections[-1][0] in ("@param", "@return")
            shallow = len(before) - len(before.lstrip()) <= 1
            if inside and (shallow or not before):
                sections.append(["remark", "", []])
            sections[-1][2].append(re.sub("^ ", "", before))
        for mark, text in zip(pieces[1::2], pieces[2::2]):
            name, text = "", text.strip()
            if mark == "@param":
                found = re.match(r"(\w+(?:,\s*\w+)*)\s*(.*)", text)
                if not found:
                    raise HeaderError(f"{where}: @param without a name")
                name, text = found.groups()
            sections.append([mark, name, [text]])
    for kind, name, lines in sections:
        body = paragraphs(lines)
        if kind == "text":
            doc.text += body
        elif kind == "@param":
            doc.params[name] = " ".join(body)
        elif kind == "@return":
            doc.returns = " ".join(body)
        else:
            doc.remarks += body
    if doc.text:
        first = re.match(r"(.*?(?<![.\s])\.)(?:\s+|$)(.*)", doc.text[0], re.S)
        if first:
            doc.summary = first.group(1)
            doc.text = [p for p in [first.group(2)] + doc.text[1:] if p]
        else:
            doc.summary, doc.text = doc.text[0], doc.text[1:]
    return doc


def take_thread(text, doc):
    """Take "Thread: ... Since x.y." out of a text into doc."""
    found = re.search(r"\s*Thread:\s*(.*?)\s*Since\s+([\d.]+)\.", text, re.S)
    if found:
        doc.thread = " ".join(found.group(1).split()).rstrip(".")
        doc.since = found.group(2)
        text = text[:found.start()] + text[found.end():]
    return text


def normal_type(text):
    """A type in one spelling: single blanks, stars behind a blank."""
    words = re.sub(r"\s*(\*+)\s*", r" \1 ", text).split()
    stars = "".join(w for w in words if set(w) == {"*"})
    base = " ".join(w for w in words if set(w) != {"*"})
    return base + (" " + stars if stars else "")


def read_params(text, where):
    """Parameters of a function, from the text between its brackets."""
    text = " ".join(text.split())
    if text == "void":
        return []
    out = []
    for piece in text.split(","):
        found = re.fullmatch(r"\s*((?:const )?\w+[\s*]+)(\w+)\s*", piece)
        if not found:
            raise HeaderError(f"{where}: cannot read parameter '{piece}'")
        out.append(Param(normal_type(found.group(1)), found.group(2)))
    return out


FUNCTION = re.compile(
    r"MOPT_API\s+((?:const\s+)?\w+[\s*]+)(\w+)\s*\((.*)\)\s*", re.S)
CALLBACK = re.compile(
    r"typedef\s+((?:const\s+)?\w+[\s*]+)\(\*(\w+)\)\s*\((.*)\)\s*", re.S)
OPAQUE = re.compile(r"typedef\s+struct\s+(\w+)\s+(\w+)\s*", re.S)
TABLE = re.compile(r"typedef\s+struct\s+(\w+)\s*\{(.*)\}\s*(\w+)\s*", re.S)
MEMBER = re.compile(
    r"(?:((?:const\s+)?\w+[\s*]+)\(\*(\w+)\)\s*\((.*)\)"
    r"|((?:const\s+)?\w+[\s*]+)(\w+))\s*", re.S)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def read_members(body, where):
    """Members of a plug-in table, each with the comment above or behind."""
    members, position = [], 0
    for statement in re.finditer(r"((?:/\*.*?\*/|[^;/])*);([^\n]*)", body,
                                 re.S):
        comments = COMMENT.findall(statement.group(1))
        behind = COMMENT.findall(statement.group(2))
        code = COMMENT.sub("", statement.group(1)).strip()
        found = MEMBER.fullmatch(code)
        if not found:
            raise HeaderError(f"{where}: cannot read member '{code}'")
        doc = " ".join(" ".join(plain(c)) for c in comments + behind)
        doc = " ".join(doc.split())
        if found.group(2):
            members.append(Member(
                found.group(2), "", normal_type(found.group(1)),
                read_params(found.group(3), where), doc))
        else:
            members.append(Member(found.group(5),
                                  normal_type(found.group(4)), doc=doc))
        position = statement.end()
    if COMMENT.sub("", body[position:]).strip():
        raise HeaderError(f"{where}: cannot read '{body[position:].strip()}'")
    return members


def read_constants(text, header, interface):
    """The #defines of a header, with the remark above their block."""
    group, last_end = "", 0
    pattern = re.compile(
        r"^(/\*(?!\*)(?:(?!\*/).)*\*/)\n(?=#define)"
        r"|^#define\s+(MOPT_\w+)\s+\(?(-?\d+)\)?[ \t]*(/\*.*?\*/)?"
        r"|^#[ ]*define\s+(\S+)[^\n]*$", re.S | re.M)
    for found in pattern.finditer(text):
        comment, name, value, remark, other = found.groups()
        if "\n\n" in text[last_end:found.start()]:
            group = ""
        last_end = found.end()
        if comment:
            group = " ".join(" ".join(plain(comment)).split())
        elif name:
            remark = " ".join(" ".join(plain(remark or "")).split())
            interface.constants.append(
                Constant(name, int(value), remark, group, header))
        elif not re.fullmatch(r"MODELOPT_\w+_H|MOPT_API", other):
            raise HeaderError(f"{header}: cannot read '#define {other}'")


def statements(text):
    """Yield (comment, code, blank_before) of each top-level statement."""
    depth, start, comment, last_end = 0, None, None, 0
    position = 0
    token = re.compile(r"/\*.*?\*/|[{};]|[^\s{};/]+|/", re.S)
    while True:
        found = token.search(text, position)
        if not found:
            break
        position = found.end()
        piece = found.group()
        if piece.startswith("/*"):
            if start is None:
                if piece.startswith("/**"):
                    comment = piece
                    last_end = found.end()
            continue
        if start is None:
            start = found.start()
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
        elif piece == ";" and depth == 0:
            near = "\n\n" not in text[last_end:start]
            yield comment if near else None, text[start:found.start()], near
            start, comment, last_end = None, None, found.end()
    if start is not None:
        raise HeaderError(f"cannot read '{text[start:start + 60]}'")


def read_header(path, header, interface):
    """Add what one header declares to interface."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    opening = COMMENT.match(text)
    if not opening:
        raise HeaderError(f"{header}: no opening comment")
    lines = plain(opening.group())
    interface.headers[header] = paragraphs(
        [re.sub(r"^\s*modelopt/\w+\.h:\s*", "", line) for line in lines[1:]],
        "  ")
    read_constants(text, header, interface)
    code = text[opening.end():].replace('extern "C" {', "")
    code = re.sub(r"#ifdef __cplusplus\s*\}\s*#endif", "", code)
    code = re.sub(r"^#.*$", "", code, flags=re.M)
    doc, leader = None, None
    for comment, statement, near in statements(code):
        where = f"{header}: {' '.join(statement.split())[:60]}"
        bare = COMMENT.sub("", statement)
        if comment:
            doc, leader = read_doc(comment, where), None
        elif not near:
            doc, leader = None, None
        function = FUNCTION.fullmatch(bare.strip())
        callback = CALLBACK.fullmatch(bare.strip())
        table = TABLE.fullmatch(statement.strip())
        opaque = OPAQUE.fullmatch(bare.strip())
        if function:
            returns, name, params = function.groups()
            leader = leader or name
            interface.functions.append(Function(
                name, normal_type(returns), read_params(params, where),
                doc or Doc(), header, bare.strip()[len("MOPT_API "):],
                leader))
        elif callback:
            returns, name, params = callback.groups()
            interface.callbacks.append(Callback(
                name, normal_type(returns), read_params(params, where),
                doc or Doc(), header))
        elif table:
            interface.tables.append(Table(
                table.group(3), read_members(table.group(2), where),
                doc or Doc(), header))
        elif opaque:
            interface.handles.append(Handle(opaque.group(2), header))
        else:
            raise HeaderError(f"cannot read {where}")


def read(folder):
    """Read all headers of a folder, in the order in which they build up."""
    names = sorted(n for n in os.listdir(folder) if n.endswith(".h"))
    interface, done = Interface(), set()

    def visit(name):
        if name in done:
            return
        done.add(name)
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as file:
            for other in re.findall(r'^#include "(\w+\.h)"', file.read(),
                                    re.M):
                visit(other)
        read_header(path, name, interface)

    for name in names:
        if name != MASTER:
            visit(name)
    seen = {}
    for kind in (interface.constants, interface.functions):
        for item in kind:
            if item.name in seen:
                raise HeaderError(f"{item.name} is declared twice")
            seen[item.name] = item
    tables = {t.name for t in interface.tables}
    unique = {h.name: h for h in interface.handles if h.name not in tables}
    interface.handles = list(unique.values())
    return interface


def project_folder():
    """The root of the source tree that this file lies in."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.dirname(os.path.dirname(here))


def public_folder():
    return os.path.join(project_folder(), "include", "modelopt")
