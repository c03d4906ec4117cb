# SPDX-License-Identifier: MIT
"""The trainer: one loop for every way of training."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, Callable

from . import _bindings as c
from ._call import (Calls, Handle, check, create, json_out, long_call,
                    pointer_of, utf8)
from .arrays import Array
from .core import Cancel, Config, Context, Token, as_config, context_of
from .data import Dataset
from .group import Group
from .model import Model
from .parallel import Parallel

_NO_DESTROY = c.mopt_destroy_fn()
_END = 99  # a value of no meaning: it ends training with MOPT_ECALLBACK

#: Called with the rows' numbers, the outputs [rows][outputs] and a gradient of
#: that shape to write to; returns the value of the loss term.
LossFunction = Callable[[memoryview, Array, Array], float]


class Trainer(Handle):
    """Trains a model. The settings are the keys of the kind "train": epochs,
    batch_size, optimizer, seed, ...

    trainer = Trainer(model, train, validation, epochs=5, optimizer={"type":
    "adam", "learning_rate": 0.01}); trainer.fit(); trainer["loss"]

    With a plan and a group, the model is spread over the ranks, each of which
    makes a trainer; gather() fetches what they learned.
    """

    _free = c.mopt_trainer_free

    def __init__(self, model: Model, train: Dataset,
                 validation: Dataset | None = None,
                 config: Config | None = None, *,
                 plan: Parallel | None = None, group: Group | None = None,
                 context: Context | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise TypeError("give a config or settings, not both")
        if (plan is None) != (group is None):
            raise TypeError("give a plan and a group, or neither")
        config = as_config("train", config or settings, context)
        made: Any = c.mopt_trainer_create
        spread: tuple[Any, ...] = ()
        if plan is not None:
            made = c.mopt_trainer_create_parallel
            spread = (pointer_of(plan, Parallel, "plan"),
                      pointer_of(group, Group, "group"))
        super().__init__(create(
            made, c.mopt_trainer, context_of(context),
            pointer_of(model, Model, "model"),
            pointer_of(train, Dataset, "train"),
            pointer_of(validation, Dataset, "validation", True),
            config.pointer, *spread))
        self._begin(model, context, Calls())
        if group is not None:
            self._kept["group"] = group

    @classmethod
    def _borrow(cls, pointer: Any, model: Model, owner: Handle,
                context: Context | None, calls: Calls) -> Trainer:
        """The trainer inside another object, which it keeps alive; calls are
        the owner's, whose fit() calls what is registered here."""
        trainer = cls.__new__(cls)
        Handle.__init__(trainer, pointer, owner)
        trainer._begin(model, context, calls)
        return trainer

    def _begin(self, model: Model, context: Context | None,
               calls: Calls) -> None:
        self._context = context
        self._calls = calls
        self._kept: dict[Any, Any] = {}  # callbacks that the library has
        #: The model that is trained.
        self.model = model

    def add_group(self, pattern: str, **settings: Any) -> None:
        """Settings of their own for the tensors that match a pattern: rate,
        weight_decay, frozen."""
        config = Config("group", settings, context=self._context)
        check(c.mopt_trainer_add_group(self.pointer, utf8(pattern),
                                       config.pointer))

    def _callback(self, function: Callable[[Trainer], Any] | None) -> Any:
        if function is None:
            return c.mopt_trainer_fn()
        calls, me = self._calls, weakref.ref(self)

        def call(_: Any, __: Any) -> int:
            trainer = me()
            assert function is not None and trainer is not None
            return calls.run(lambda: function(trainer), _END)
        return c.mopt_trainer_fn(call)

    def on_step(self, function: Callable[[Trainer], Any] | None) -> None:
        """Call a function after each step. It may raise Stopped or Pruned to
        end training."""
        callback = self._callback(function)
        check(c.mopt_trainer_on_step(self.pointer, callback, None,
                                     _NO_DESTROY))
        self._kept["step"] = callback

    def on_epoch(self, function: Callable[[Trainer], Any] | None) -> None:
        """Call a function after each epoch, as on_step()."""
        callback = self._callback(function)
        check(c.mopt_trainer_on_epoch(self.pointer, callback, None,
                                      _NO_DESTROY))
        self._kept["epoch"] = callback

    def add_loss(self, term: LossFunction, weight: float = 1.0) -> None:
        """Add a term to the loss: term(index, output, grad) writes its own
        gradient to grad and returns its value."""
        calls = self._calls

        @c.mopt_loss_fn
        def call(_: Any, rows: int, outputs: int, index: Any, output: Any,
                 grad: Any, loss: Any) -> int:
            def evaluate() -> None:
                numbers = (ctypes.c_int64 * rows).from_address(
                    ctypes.addressof(index.contents))
                shape = (rows, outputs)
                loss[0] += float(term(
                    memoryview(numbers).cast("B").cast("q"),
                    Array.at(output, shape), Array.at(grad, shape)))
            return calls.run(evaluate, _END)

        check(c.mopt_trainer_add_loss(self.pointer, weight, call, None,
                                      _NO_DESTROY))
        self._kept[len(self._kept), "loss"] = call

    def set_loss_weight(self, weight: float) -> None:
        """Scale the loss of the settings; 0 trains on the added terms."""
        check(c.mopt_trainer_set_loss_weight(self.pointer, weight))

    def set_group(self, group: Group) -> None:
        """Train one model together with the other ranks of a group, each of
        which has a trainer like this one: the same bits for any number."""
        check(c.mopt_trainer_set_group(self.pointer,
                                       pointer_of(group, Group, "group")))
        self._kept["group"] = group

    def gather(self, model: Model | None = None) -> None:
        """Fetch the weights of all ranks of the plan, into the trainer's model
        or another with the same layers. All ranks call this."""
        check(c.mopt_trainer_gather(
            self.pointer, pointer_of(model or self.model, Model, "model")))

    def export(self, path: Any) -> None:
        """Write the weights of all ranks of the plan as one model file, each
        its own. All ranks call this."""
        check(c.mopt_trainer_export(self.pointer, utf8(path)))

    def fit(self, *, cancel: Cancel | None = None) -> None:
        """Train until a limit is reached or a callback ends it. After an
        interruption fit() goes on where it was."""
        token = Token(cancel, self._context)
        long_call(c.mopt_trainer_fit, self.pointer, token.pointer,
                  cancel=token.pointer, calls=self._calls,
                  fine=(c.MOPT_STOPPED,), keep=(self, token.handle))

    def step(self) -> float:
        """One step on the next mini-batch; its loss before the step. Raises
        Exhausted when a limit is reached."""
        loss = ctypes.c_double()
        if self._kept:
            token = Token(None, self._context)
            long_call(c.mopt_trainer_step, self.pointer, ctypes.byref(loss),
                      cancel=token.pointer, calls=self._calls,
                      fine=(c.MOPT_STOPPED,), keep=(self, token.handle, loss))
        else:
            check(c.mopt_trainer_step(self.pointer, loss))
        return loss.value

    def __getitem__(self, figure: str) -> float:
        """A figure of the training so far: "epoch", "loss",
        "validation.accuracy", "best.loss", ..."""
        out = ctypes.c_double()
        check(c.mopt_trainer_get(self.pointer, utf8(figure), out))
        return out.value

    @property
    def history(self) -> list[dict[str, Any]]:
        """The figures of all epochs."""
        return json_out(c.mopt_trainer_history, self.pointer)

    def save(self, path: Any) -> None:
        """A checkpoint that resume() goes on from with the same bits."""
        check(c.mopt_trainer_save(self.pointer, utf8(path)))

    def resume(self, path: Any) -> None:
        check(c.mopt_trainer_resume(self.pointer, utf8(path)))
