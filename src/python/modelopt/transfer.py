# SPDX-License-Identifier: MIT
"""Transfer learning: a trained model goes on to another task."""

from __future__ import annotations

from typing import Any, Mapping

from . import _bindings as c
from ._call import (Calls, Handle, check, create, json_out, long_call,
                    pointer_of, report_of, utf8)
from .core import Cancel, Config, Context, Token, as_config, context_of
from .data import Dataset
from .model import Model
from .train import Trainer


class Finetune(Handle):
    """Tunes a copy of a source model for new data. The settings are the keys
    of the kind "finetune": method, head, rate, freeze, ...; training holds
    those of the kind "train".

    tune = Finetune(source, train, validation, training={"epochs": 20});
    tune.fit(); tune.evaluate(test); tune.model.save("new.safetensors")
    """

    _free = c.mopt_finetune_free

    def __init__(self, source: Model, train: Dataset,
                 validation: Dataset | None = None, *,
                 training: Mapping[str, Any] | Config | None = None,
                 context: Context | None = None, **settings: Any) -> None:
        config = as_config("finetune", settings, context)
        options = as_config("train", training or {}, context)
        super().__init__(create(
            c.mopt_finetune_create, c.mopt_finetune, context_of(context),
            pointer_of(source, Model, "source"),
            pointer_of(train, Dataset, "train"),
            pointer_of(validation, Dataset, "validation", True),
            config.pointer, options.pointer))
        self._context = context
        self._trainer: Trainer | None = None
        self._calls = Calls()  # of the trainer's callbacks

    @property
    def model(self) -> Model:
        """The model for the new task."""
        return Model._wrap(create(c.mopt_finetune_model, c.mopt_model,
                                  self.pointer), self._context)

    @property
    def trainer(self) -> Trainer:
        """Its trainer: callbacks, history, checkpoints."""
        if self._trainer is None:
            out = create(c.mopt_finetune_trainer, c.mopt_trainer, self.pointer)
            self._trainer = Trainer._borrow(out, self.model, self,
                                            self._context, self._calls)
        return self._trainer

    @property
    def adapter(self) -> Adapter:
        """What method "lora" learnt, to be saved alone."""
        return Adapter._wrap(create(c.mopt_finetune_adapter, c.mopt_adapter,
                                    self.pointer))

    def fit(self, *, cancel: Cancel | None = None) -> None:
        """Fine-tune, and train the baseline that evaluate() compares with."""
        token = Token(cancel, self._context)
        long_call(c.mopt_finetune_fit, self.pointer, token.pointer,
                  cancel=token.pointer, calls=self._calls,
                  fine=(c.MOPT_STOPPED,), keep=(self, token.handle))

    def evaluate(self, test: Dataset | None = None,
                 source_test: Dataset | None = None, *,
                 cancel: Cancel | None = None) -> dict[str, Any]:
        """What was won on the new task, against training from scratch; with
        data of the source task, what was forgotten of it."""
        token = Token(cancel, self._context)
        return report_of(
            c.mopt_finetune_evaluate, self.pointer,
            pointer_of(test, Dataset, "test", True),
            pointer_of(source_test, Dataset, "source_test", True),
            token.pointer, cancel=token.pointer, keep=(
                self, test, source_test, token.handle))


class Adapter(Handle):
    """Low-rank changes to a model's weights, apart from the model."""

    _free = c.mopt_adapter_free

    @classmethod
    def _wrap(cls, pointer: Any) -> Adapter:
        adapter = cls.__new__(cls)
        Handle.__init__(adapter, pointer)
        return adapter

    @classmethod
    def load(cls, path: Any, *, context: Context | None = None) -> Adapter:
        return cls._wrap(create(c.mopt_adapter_load, c.mopt_adapter,
                                context_of(context), utf8(path)))

    def save(self, path: Any) -> None:
        """One safetensors file, written atomically."""
        check(c.mopt_adapter_save(self.pointer, utf8(path)))

    def apply(self, model: Model) -> None:
        """Merge into a model: one with the weights that it was learnt on. A
        new head that it was tuned with takes the place of the model's."""
        check(c.mopt_adapter_apply(self.pointer,
                                   pointer_of(model, Model, "model")))

    def remove(self, model: Model) -> None:
        """Take it out again: the model has the bits from before."""
        check(c.mopt_adapter_remove(self.pointer,
                                    pointer_of(model, Model, "model")))

    def describe(self) -> dict[str, Any]:
        """Rank, scale (alpha / rank), what it changes and how many numbers
        that takes."""
        return json_out(c.mopt_adapter_describe, self.pointer)
