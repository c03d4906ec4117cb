# SPDX-License-Identifier: MIT
"""How the package calls the library: status codes to exceptions, texts out,
handles that free themselves, callbacks, and long calls that Ctrl-C ends.

A foreign call in the main thread does not see Ctrl-C before it returns. Long
calls therefore run in a thread of their own, and the main thread waits. On
Ctrl-C it triggers the call's cancel token, raises KeyboardInterrupt inside the
callbacks that are running, waits until the library has returned, and raises
KeyboardInterrupt itself. A second Ctrl-C does not wait.
"""

from __future__ import annotations

import ctypes
import json
import threading
import weakref
from typing import Any, Callable

from . import _bindings as c
from . import errors

_local = threading.local()


def copy_out(function: Any, *arguments: Any,
             cap: int = 1024) -> tuple[int, str]:
    """Status and text of a function that copies out as (buf, cap, needed)."""
    needed = ctypes.c_size_t()
    while True:
        buf = ctypes.create_string_buffer(cap)
        code = function(*arguments, buf, cap, ctypes.byref(needed))
        if code != c.MOPT_ERANGE or needed.value <= cap:
            return code, buf.value.decode("utf-8", "replace")
        cap = needed.value


def message() -> str:
    """The last error's message of this thread."""
    return copy_out(c.mopt_last_error)[1]


def check(code: int) -> int:
    """Raise what a status stands for, unless it is MOPT_OK."""
    if code:
        raise errors.make(code, message() if code < 0 else "")
    return code


def text_out(function: Any, *arguments: Any) -> str:
    code, text = copy_out(function, *arguments)
    check(code)
    return text


def json_out(function: Any, *arguments: Any) -> Any:
    return json.loads(text_out(function, *arguments))


def json_in(value: Any) -> bytes:
    """A document for the library: a text is taken as it is."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def utf8(text: Any) -> bytes:
    """A name or path for the library."""
    return text if isinstance(text, bytes) else str(text).encode()


class Handle:
    """An object of the library; freed with the Python object, or by close()."""

    _free: Any = None  # the C function, set by each class
    _owner: Handle | None = None

    def __init__(self, pointer: Any, owner: Handle | None = None) -> None:
        self._pointer = pointer
        self._owner = owner  # lends the pointer, and frees it; or None
        self._finalizer: Any = weakref.finalize(
            self, *((type(self)._free, pointer) if owner is None else (int,)))

    @property
    def pointer(self) -> Any:
        """For the functions of modelopt.c."""
        if not self._finalizer.alive:
            raise errors.StateError(f"this {type(self).__name__} is closed")
        if self._owner is not None:
            self._owner.pointer
        return self._pointer

    def close(self) -> None:
        """Free it now. Closing twice is fine."""
        self._finalizer()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def create(function: Any, kind: Any, *arguments: Any) -> Any:
    """Call a function whose last parameter receives a new object."""
    out = ctypes.POINTER(kind)()
    check(function(*arguments, ctypes.byref(out)))
    return out


def pointer_of(item: Any, kind: type[Handle], name: str,
               none: bool = False) -> Any:
    """The pointer of an argument that is to be a handle of a class."""
    if item is None and none:
        return None
    if not isinstance(item, kind):
        raise TypeError(f"{name}: a {kind.__name__} is needed, "
                        f"not {type(item).__name__}")
    return item.pointer


class Calls:
    """Python functions that the library calls during one piece of work.

    What they raise does not pass through C: it is kept, the library is told to
    stop, and raise_kept() raises it in the caller.
    """

    def __init__(self) -> None:
        self.kept: BaseException | None = None
        self.lock = threading.Lock()
        self.running: dict[int, int] = {}  # thread: how deep
        self.cancel: Any = None  # inherited by long calls inside a callback

    def keep(self, error: BaseException) -> None:
        with self.lock:
            if self.kept is None:
                self.kept = error

    def raise_kept(self) -> None:
        with self.lock:
            error, self.kept = self.kept, None
        if error is not None:
            raise error

    def enter(self) -> None:
        thread = threading.get_ident()
        with self.lock:
            self.running[thread] = self.running.get(thread, 0) + 1

    def leave(self) -> None:
        thread = threading.get_ident()
        with self.lock:
            depth = self.running.pop(thread, 0) - 1
            if depth > 0:
                self.running[thread] = depth
        for _ in range(2):  # what interrupt() raises lands here at the latest
            pass

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the callbacks that are running."""
        with self.lock:
            for thread in self.running:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread),
                    ctypes.py_object(KeyboardInterrupt))

    def run(self, function: Callable[[], Any], failed: int,
            catch: tuple[type[BaseException], ...] = (),
            caught: Callable[[BaseException], None] | None = None) -> int:
        """The status of a callback: 0, or what an exception stands for.

        failed is returned for an exception that is kept for the caller; those
        of the classes in catch go to caught() and fail this call alone.
        """
        before = getattr(_local, "cancel", None)
        try:
            try:
                _local.cancel = self.cancel or before
                self.enter()
                function()
                return c.MOPT_OK
            except catch as error:
                assert caught is not None
                caught(error)
                return c.MOPT_ECALLBACK
            finally:
                _local.cancel = before
                self.leave()
        except errors.Outcome as outcome:
            return outcome.code
        except BaseException as error:  # nothing may pass through C
            return self.failure(error, failed)

    def failure(self, error: BaseException, failed: int) -> int:
        if isinstance(error, errors.CanceledError) and \
                c.mopt_cancel_requested(self.cancel):
            return c.MOPT_ECANCELED
        self.keep(error)
        if isinstance(error, KeyboardInterrupt):
            c.mopt_cancel_request(self.cancel)
            return c.MOPT_ECANCELED
        return failed


def finish(code: int, text: str, calls: Calls | None, fine: Any) -> int:
    """Raise what a long call came to; codes in fine are returned."""
    if calls is not None:
        calls.raise_kept()
    if code and code not in fine:
        raise errors.make(code, text)
    return code


def long_call(function: Any, *arguments: Any, cancel: Any,
              calls: Calls | None = None, fine: Any = (),
              keep: Any = ()) -> int:
    """Call a function of the library that may take long.

    cancel is the token among the arguments; keep are the objects whose
    pointers are among them: they must not be freed while the call runs.
    """
    if calls is not None:
        calls.cancel = cancel

    def call() -> tuple[int, str]:
        code = function(*arguments)
        return code, message() if code < 0 else ""

    if threading.current_thread() is not threading.main_thread():
        code, text = call()
        return finish(code, text, calls, fine)
    result: list[Any] = []
    done = threading.Event()

    def work(_: Any = keep) -> None:
        try:
            result.append(call())
        except BaseException as error:  # such as a wrong type of argument
            result.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=work, name="modelopt", daemon=True)
    try:
        thread.start()
        done.wait()
    except BaseException:
        c.mopt_cancel_request(cancel)
        if calls is not None:
            calls.interrupt()
        if thread.ident is not None:
            wait_or_abandon(done, keep)
        raise
    if isinstance(result[0], BaseException):
        raise result[0]
    code, text = result[0]
    return finish(code, text, calls, fine)


def report_of(function: Any, *arguments: Any, cancel: Any,
              calls: Calls | None = None, keep: Any = ()) -> Any:
    """The document that a long call copies out."""
    found: list[str] = []

    def measure(*given: Any) -> int:
        code, text = copy_out(function, *given, cap=1 << 16)
        found.append(text)
        return code

    long_call(measure, *arguments, cancel=cancel, calls=calls, keep=keep)
    return json.loads(found[0])


def wait_or_abandon(done: threading.Event, keep: Any) -> None:
    """Wait for a canceled call. Interrupted again, leave it to itself: what it
    uses is never freed then."""
    try:
        done.wait()
    except BaseException:
        for item in keep:
            if isinstance(item, Handle):
                item._finalizer.detach()
        raise


def inherited_cancel() -> Any:
    """The token of the long call whose callback this thread is in."""
    return getattr(_local, "cancel", None)
