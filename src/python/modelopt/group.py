# SPDX-License-Identifier: MIT
"""Groups: ranks that work on one thing together."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable

from . import _bindings as c
from ._call import Calls, Handle, check, create, long_call
from ._library import PATH
from .core import Cancel, Context, Token, context_of
from .errors import UnsupportedError

_OPS = {"sum": c.MOPT_SUM, "min": c.MOPT_MIN, "max": c.MOPT_MAX}
_FAILED = c.MOPT_ECALLBACK


def _view(data: Any, writable: bool = True) -> memoryview:
    view = memoryview(data)
    if not view.c_contiguous or (writable and view.readonly):
        raise TypeError("data: a contiguous, writable buffer is needed")
    return view


def _address(view: memoryview) -> Any:
    if view.nbytes == 0:
        return None
    if view.readonly:
        return ctypes.c_char_p(view.tobytes())
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def _load_mpi() -> Any:
    """The library libmodelopt-mpi: beside the other, or where it was built."""
    name = "libmodelopt-mpi.so.0"
    folder = os.path.dirname(PATH)
    reasons = []
    for path in (os.path.join(folder, name),
                 os.path.join(folder, "..", "src", "mpi", name), name):
        try:
            # MPI loads parts of itself that look for its symbols.
            return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            reasons.append(str(error))
    raise UnsupportedError("groups of MPI ranks need libmodelopt-mpi: "
                           + "; ".join(reasons))


class Group(Handle):
    """One rank's end of a group. Every rank makes the same calls in the same
    order, with the same sizes; Group.run() and Group.mpi() make groups."""

    _free = c.mopt_group_free

    def __init__(self, pointer: Any, context: Context | None = None,
                 owner: Handle | None = None) -> None:
        super().__init__(pointer, owner)
        self._context = context

    @classmethod
    def run(cls, size: int, function: Callable[[Group], Any], *,
            timeout: float = 60.0, context: Context | None = None) -> None:
        """Call function(group) on as many threads as there are ranks. What one
        raises ends the others' waiting, and is raised here."""
        calls = Calls()

        @c.mopt_rank_fn
        def call(_: Any, pointer: Any) -> int:
            def work() -> None:
                # The library frees the group itself.
                group = cls(ctypes.cast(pointer, ctypes.POINTER(
                    c.mopt_group)), context, _LENT)
                function(group)
            return calls.run(work, _FAILED)
        token = Token(None, context)
        long_call(c.mopt_group_run, context_of(context), size, timeout, call,
                  None, cancel=token.pointer, calls=calls,
                  keep=(token.handle, call))

    @classmethod
    def mpi(cls, *, timeout: float = 60.0,
            context: Context | None = None) -> Group:
        """The group of all MPI ranks: `mpirun -n 4 python3 program.py`."""
        make = _load_mpi().mopt_mpi_group
        make.restype = ctypes.c_int32
        make.argtypes = [ctypes.POINTER(c.mopt_context), ctypes.c_double,
                         ctypes.POINTER(ctypes.POINTER(c.mopt_group))]
        return cls(create(make, c.mopt_group, context_of(context), timeout),
                   context)

    @property
    def rank(self) -> int:
        return c.mopt_group_rank(self.pointer)

    @property
    def size(self) -> int:
        return c.mopt_group_size(self.pointer)

    def split(self, color: int, key: int = 0) -> Group:
        """The ranks of the same color form a group, in the order of key."""
        return Group(create(c.mopt_group_split, c.mopt_group, self.pointer,
                            color, key), self._context)

    def _call(self, function: Any, *arguments: Any,
              cancel: Cancel | None) -> None:
        token = Token(cancel, self._context)
        long_call(function, self.pointer, *arguments, token.pointer,
                  cancel=token.pointer, keep=(self, token.handle))

    def all_reduce(self, data: Any, op: str = "sum", *,
                   cancel: Cancel | None = None) -> None:
        """Combine every rank's numbers in place: a buffer of float32 or
        float64. op: sum, min or max."""
        view = _view(data)
        if view.format not in ("f", "d"):
            raise TypeError(f"data: float32 or float64 is needed, not "
                            f"'{view.format}'")
        kind = ctypes.c_float if view.format == "f" else ctypes.c_double
        function = c.mopt_group_all_reduce if view.format == "f" \
            else c.mopt_group_all_reduce_double
        if op not in _OPS:
            raise ValueError(f"op: {', '.join(_OPS)}, not {op!r}")
        numbers = ctypes.cast(_address(view), ctypes.POINTER(kind))
        self._call(function, _OPS[op], numbers, view.nbytes // view.itemsize,
                   cancel=cancel)

    def broadcast(self, data: Any, root: int = 0, *,
                  cancel: Cancel | None = None) -> None:
        """Give root's bytes to all: a buffer, written elsewhere than at
        root."""
        view = _view(data)
        self._call(c.mopt_group_broadcast, root, _address(view), view.nbytes,
                   cancel=cancel)

    def all_gather(self, part: bytes, *,
                   cancel: Cancel | None = None) -> list[bytes]:
        """Every rank's bytes, as many from each."""
        view = _view(part, writable=False)
        room = ctypes.create_string_buffer(max(view.nbytes * self.size, 1))
        self._call(c.mopt_group_all_gather, _address(view), view.nbytes, room,
                   cancel=cancel)
        return [room.raw[i * view.nbytes:(i + 1) * view.nbytes]
                for i in range(self.size)]

    def send(self, to: int, data: Any, *,
             cancel: Cancel | None = None) -> None:
        view = _view(data, writable=False)
        self._call(c.mopt_group_send, to, _address(view), view.nbytes,
                   cancel=cancel)

    def receive(self, source: int, size: int, *,
                cancel: Cancel | None = None) -> bytes:
        """So many bytes from a rank."""
        room = ctypes.create_string_buffer(max(size, 1))
        self._call(c.mopt_group_receive, source, room, size, cancel=cancel)
        return room.raw[:size]

    def barrier(self, *, cancel: Cancel | None = None) -> None:
        """Wait until all ranks are here."""
        self._call(c.mopt_group_barrier, cancel=cancel)

    def abort(self, code: int = c.MOPT_ECALLBACK) -> None:
        """Give up: the other ranks' calls raise PeerError."""
        check(c.mopt_group_abort(self.pointer, code))


class _Lent(Handle):
    """What owns the groups that Group.run() lends out."""

    _free = int


_LENT = _Lent(0)
