# SPDX-License-Identifier: MIT
"""Contexts, configs and cancel tokens."""

from __future__ import annotations

import ctypes
import operator
import threading
from typing import Any, Callable, Mapping

from . import _bindings as c
from . import _library
from ._call import (Handle, check, create, inherited_cancel, json_in,
                    json_out, pointer_of, text_out, utf8)

_LEVELS = {c.MOPT_LOG_ERROR: 40, c.MOPT_LOG_WARN: 30, c.MOPT_LOG_INFO: 20,
           c.MOPT_LOG_DEBUG: 10}  # as the module logging has them
_NO_DESTROY = c.mopt_destroy_fn()

#: Called with a level (as of the module logging), a component and a message.
LogFunction = Callable[[int, str, str], None]


class Context(Handle):
    """What the library works with: threads, linear algebra, log.

    Settings are the keys of the kind "context": threads, backend, log_level,
    blas_threads. log is called from any thread. Objects made without a context
    share default_context().
    """

    _free = c.mopt_context_free

    def __init__(self, *, log: LogFunction | None = None,
                 **settings: Any) -> None:
        super().__init__(create(c.mopt_context_create, c.mopt_context,
                                c.mopt_alloc_fn(), None))
        # This process is Python's own, so that the process-wide thread count
        # of OpenBLAS may be set: one a worker keeps results the same bits.
        settings.setdefault("blas_threads", 1)
        config = Config("context", settings, context=self)
        check(c.mopt_context_configure(self.pointer, config.pointer))
        if log is not None:
            self.set_log(log)

    def set_log(self, log: LogFunction | None) -> None:
        """Send messages to a function; None is silence."""
        def write(_: Any, level: int, component: bytes, text: bytes) -> None:
            assert log is not None
            log(_LEVELS.get(level, 10), component.decode(), text.decode())

        function = c.mopt_log_fn(write) if log else c.mopt_log_fn()
        check(c.mopt_context_set_log(self.pointer, function, None,
                                     _NO_DESTROY))
        self._log = function  # the library calls it until it is replaced

    def use_postgresql(self) -> None:
        """Let studies live in PostgreSQL. Where a study's storage says so,
        this happens by itself."""
        register = _library.postgresql().mopt_postgresql_register
        register.restype = ctypes.c_int32
        register.argtypes = [ctypes.POINTER(c.mopt_context)]
        code = register(self.pointer)
        if code != c.MOPT_EEXIST:
            check(code)

    def info(self) -> dict[str, Any]:
        """What this build is and what it runs on."""
        return json_out(c.mopt_context_info, self.pointer)


_default: Context | None = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context of objects that were made without one."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Context()
        return _default


def context_of(context: Context | None) -> Any:
    """The pointer of a context, or of the default one."""
    return pointer_of(context or default_context(), Context, "context")


def use_storage(context: Context | None, storage: Any) -> None:
    """Load what a study's storage needs besides the library."""
    if isinstance(storage, str) and storage.startswith("postgresql"):
        (context or default_context()).use_postgresql()


def version() -> tuple[int, int, int]:
    """The library's version."""
    numbers = [ctypes.c_int32() for _ in range(3)]
    c.mopt_version(*numbers)
    return (numbers[0].value, numbers[1].value, numbers[2].value)


def kinds(context: Context | None = None) -> list[str]:
    """The kinds of configs."""
    return json_out(c.mopt_config_describe, context_of(context), None)


def keys(kind: str, context: Context | None = None) -> list[dict[str, Any]]:
    """The keys of a kind of config, with type, default, bounds and help."""
    return json_out(c.mopt_config_describe, context_of(context), utf8(kind))


class Config(Handle):
    """Options by key. Config("train", {"epochs": 5, "optimizer": {"type":
    "sgd", "momentum": 0.9}}); a dotted key such as "optimizer.momentum" does
    as well. An unknown key is an UnknownKeyError that names the nearest."""

    _free = c.mopt_config_free

    def __init__(self, kind: str, settings: Mapping[str, Any] | None = None,
                 *, context: Context | None = None, **more: Any) -> None:
        self.kind = kind
        super().__init__(create(c.mopt_config_create, c.mopt_config,
                                context_of(context), utf8(kind)))
        self.update({**(settings or {}), **more})

    def update(self, settings: Mapping[str, Any]) -> None:
        for key, value in settings.items():
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        name = utf8(key)
        if hasattr(value, "item") and not isinstance(value, (list, dict)):
            value = value.item()  # a numpy scalar
        if isinstance(value, bool):
            check(c.mopt_config_set_bool(self.pointer, name, value))
        elif isinstance(value, int):
            check(c.mopt_config_set_int(self.pointer, name,
                                        int64(key, value)))
        elif isinstance(value, float):
            check(c.mopt_config_set_float(self.pointer, name, value))
        elif isinstance(value, str) or hasattr(value, "__fspath__"):
            check(c.mopt_config_set_text(self.pointer, name, utf8(value)))
        else:
            check(c.mopt_config_set_json(self.pointer,
                                         json_in({key: value})))

    def __getitem__(self, key: str) -> str:
        """The value as text: what was set, or the default."""
        return text_out(c.mopt_config_get_text, self.pointer, utf8(key))


def int64(name: str, value: Any) -> int:
    """An integer for the library; ctypes would cut a larger one silently."""
    value = operator.index(value)
    if not -2**63 <= value < 2**63:
        raise OverflowError(f"{name}: {value} does not fit in 64 bits")
    return value


def as_config(kind: str, settings: Any, context: Context | None) -> Config:
    """A config of a kind, from one or from a dict."""
    if isinstance(settings, Config):
        return settings
    return Config(kind, settings, context=context)


class Cancel(Handle):
    """A token that ends long calls, from another thread or a signal handler.

    Ctrl-C ends long calls without one. A token stays triggered until reset().
    """

    _free = c.mopt_cancel_free

    def __init__(self, context: Context | None = None) -> None:
        super().__init__(create(c.mopt_cancel_create, c.mopt_cancel,
                                context_of(context)))

    def request(self) -> None:
        c.mopt_cancel_request(self.pointer)

    def reset(self) -> None:
        c.mopt_cancel_reset(self.pointer)

    @property
    def requested(self) -> bool:
        return bool(c.mopt_cancel_requested(self.pointer))


class Token:
    """The token of one long call: the caller's, the one of the call around it,
    or a new one."""

    def __init__(self, cancel: Cancel | None,
                 context: Context | None) -> None:
        self.pointer = pointer_of(cancel, Cancel, "cancel", True) \
            or inherited_cancel()
        self.handle = cancel
        if not self.pointer:
            self.handle = Cancel(context)
            self.pointer = self.handle.pointer
