# SPDX-License-Identifier: MIT
"""Exceptions: one class for each status code.

Errors come from Error, expected outcomes from Outcome. An error also comes from
the exception of Python that means the same, where there is one: a value that is
not allowed is a ValueError as well.
"""

from __future__ import annotations

from . import _bindings as c


class Error(Exception):
    """The library failed; the text says what was wrong, where, and what is
    allowed."""

    #: The status code, such as modelopt.c.MOPT_EINVAL.
    code: int = 0


class InvalidError(Error, ValueError):
    """An argument or value is not allowed."""

    code = c.MOPT_EINVAL


class OutOfMemoryError(Error, MemoryError):
    """The allocator has no memory."""

    code = c.MOPT_ENOMEM


class StateError(Error):
    """The object is not in a state to do this."""

    code = c.MOPT_ESTATE


class RangeError(Error, OverflowError):
    """A size is too large, or a buffer too small."""

    code = c.MOPT_ERANGE


class UnknownKeyError(Error, LookupError):
    """No such key or name; the text names the nearest."""

    code = c.MOPT_EKEY


class UnsupportedError(Error):
    """Known, but not built in or not possible."""

    code = c.MOPT_EUNSUPPORTED


class InputOutputError(Error, OSError):
    """Reading or writing failed."""

    code = c.MOPT_EIO


class FormatError(Error, ValueError):
    """A file's or document's content is wrong."""

    code = c.MOPT_EFORMAT


class NotFoundError(Error, FileNotFoundError):
    """No such file, study or trial."""

    code = c.MOPT_ENOENT


class ExistsError(Error, FileExistsError):
    """It exists already."""

    code = c.MOPT_EEXIST


class LockedError(Error):
    """Somebody else holds it."""

    code = c.MOPT_ELOCKED


class StoreError(Error):
    """The store of a study failed."""

    code = c.MOPT_ESTORE


class PeerError(Error, ConnectionError):
    """Another rank is gone, or does not answer."""

    code = c.MOPT_EPEER


class CanceledError(Error):
    """The cancel token was triggered."""

    code = c.MOPT_ECANCELED


class CallbackError(Error):
    """A callback failed or returned nonsense."""

    code = c.MOPT_ECALLBACK


class DivergedError(Error, ArithmeticError):
    """Loss or gradient became NaN or infinite."""

    code = c.MOPT_EDIVERGED


class BackendError(Error):
    """The linear algebra backend failed."""

    code = c.MOPT_EBACKEND


class InternalError(Error):
    """A bug of the library: please report it."""

    code = c.MOPT_EINTERNAL


class Outcome(Exception):
    """Not a failure: an outcome that ends a piece of work. A callback may
    raise these too."""

    code: int = 0


class Pruned(Outcome):
    """This trial is not worth going on with."""

    code = c.MOPT_PRUNED


class Exhausted(Outcome):
    """There is nothing more to propose, or to do."""

    code = c.MOPT_EXHAUSTED


class Stopped(Outcome):
    """A callback or a stopping rule ends the work."""

    code = c.MOPT_STOPPED


CLASSES = {kind.code: kind for base in (Error, Outcome)
           for kind in base.__subclasses__()}


def make(code: int, message: str) -> Exception:
    """The exception of a status code."""
    kind = CLASSES.get(code)
    if kind is None:  # a code of a newer library
        kind = Error if code < 0 else Outcome
        error = kind(message or f"status {code}")
        error.code = code
        return error
    return kind(message or c.mopt_status_text(code).decode())
