# SPDX-License-Identifier: MIT
"""Knowledge distillation: a large teacher, a small student."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Mapping

from . import _bindings as c
from ._call import (Calls, Handle, check, create, long_call, pointer_of,
                    report_of, utf8)
from .arrays import Array
from .core import Cancel, Config, Context, Token, as_config, context_of
from .data import Dataset
from .model import Model
from .train import Trainer

_NO_DESTROY = c.mopt_destroy_fn()
_END = 99  # a value of no meaning: it ends the work with MOPT_ECALLBACK

#: Called with the rows' numbers, their inputs [rows][features] and an array
#: [rows][outputs] to write the teacher's outputs (logits) to.
TeacherFunction = Callable[[memoryview, Array, Array], Any]


class Distill(Handle):
    """Pours teachers into a student. The settings are the keys of the kind
    "distill": method, weight, hint.weight, cache, ...; training holds those of
    the kind "train".

    distill = Distill(student, train, validation, training={"epochs": 20},
    method={"type": "kd", "temperature": 4}); distill.add_teacher(teacher);
    distill.fit(); distill.evaluate(test)
    """

    _free = c.mopt_distill_free

    def __init__(self, student: Model, train: Dataset,
                 validation: Dataset | None = None, *,
                 training: Mapping[str, Any] | Config | None = None,
                 context: Context | None = None, **settings: Any) -> None:
        config = as_config("distill", settings, context)
        options = as_config("train", training or {}, context)
        super().__init__(create(
            c.mopt_distill_create, c.mopt_distill, context_of(context),
            pointer_of(student, Model, "student"),
            pointer_of(train, Dataset, "train"),
            pointer_of(validation, Dataset, "validation", True),
            config.pointer, options.pointer))
        self._context = context
        self._trainer: Trainer | None = None
        self._calls = Calls()
        self._kept: list[Any] = []  # callbacks that the library has
        #: The model that learns.
        self.student = student

    def add_teacher(self, teacher: Model | TeacherFunction | str |
                    os.PathLike[str], weight: float = 1.0,
                    name: str = "callback") -> None:
        """A model, a function, or a file of outputs. Several teachers are
        averaged by their weights; name keys the cached outputs of a
        function."""
        weight = float(weight)
        if isinstance(teacher, Model):
            check(c.mopt_distill_add_model(self.pointer, teacher.pointer,
                                           weight))
        elif callable(teacher):
            self._add_function(teacher, weight, name)
        elif isinstance(teacher, (str, bytes, os.PathLike)):
            check(c.mopt_distill_add_file(self.pointer, utf8(teacher),
                                          weight))
        else:
            raise TypeError("teacher: a Model, a function or a path is "
                            f"needed, not {type(teacher).__name__}")

    def _add_function(self, teacher: TeacherFunction, weight: float,
                      name: str) -> None:
        calls = self._calls

        @c.mopt_teacher_fn
        def call(_: Any, rows: int, features: int, outputs: int, index: Any,
                 x: Any, out: Any) -> int:
            def answer() -> None:
                numbers = (ctypes.c_int64 * rows).from_address(
                    ctypes.addressof(index.contents))
                teacher(memoryview(numbers).cast("B").cast("q"),
                        Array.at(x, (rows, features)),
                        Array.at(out, (rows, outputs)))
            return calls.run(answer, _END)

        check(c.mopt_distill_add_callback(self.pointer, call, None,
                                          _NO_DESTROY, utf8(name), weight))
        self._kept.append(call)

    @property
    def trainer(self) -> Trainer:
        """The student's trainer: callbacks, history, checkpoints. Asking for
        it settles the teachers, and asks them for their outputs."""
        if self._trainer is None:
            out = ctypes.POINTER(c.mopt_trainer)()
            token = Token(None, self._context)
            long_call(c.mopt_distill_trainer, self.pointer, ctypes.byref(out),
                      cancel=token.pointer, calls=self._calls,
                      keep=(self, token.handle, out))
            self._trainer = Trainer._borrow(out, self.student, self,
                                            self._context, self._calls)
        return self._trainer

    def fit(self, *, cancel: Cancel | None = None) -> None:
        """Distil, and train the baseline that evaluate() compares with."""
        token = Token(cancel, self._context)
        long_call(c.mopt_distill_fit, self.pointer, token.pointer,
                  cancel=token.pointer, calls=self._calls,
                  fine=(c.MOPT_STOPPED,), keep=(self, token.handle))

    def evaluate(self, test: Dataset | None = None, *,
                 cancel: Cancel | None = None) -> dict[str, Any]:
        """What was lost and won: teacher, student, the same student on labels
        alone; on the validation data unless others are given."""
        token = Token(cancel, self._context)
        return report_of(
            c.mopt_distill_evaluate, self.pointer,
            pointer_of(test, Dataset, "test", True), token.pointer,
            cancel=token.pointer, calls=self._calls,
            keep=(self, test, token.handle))
