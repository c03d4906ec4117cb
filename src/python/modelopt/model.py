# SPDX-License-Identifier: MIT
"""Models: layers, weights, files, predictions."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from . import _bindings as c
from ._call import (Handle, check, create, json_in, json_out, long_call,
                    pointer_of, report_of, utf8)
from .arrays import Array, floats
from .core import Cancel, Config, Context, Token, context_of, int64
from .data import Dataset, Transform

# Operations of a prediction that is over before a thread for it has started.
_QUICK = 10**7


class Model(Handle):
    """A stack of layers. Model([{"type": "dense", "units": 64, "activation":
    "relu"}, {"type": "dense"}], inputs=100, outputs=10); without layers,
    add_dense() and add_dropout() append them."""

    _free = c.mopt_model_free

    def __init__(self, layers: Sequence[Mapping[str, Any]]
                 | Mapping[str, Any] | str | None = None, *, inputs: int,
                 outputs: int = 0, context: Context | None = None) -> None:
        count = int64("inputs", inputs)
        if layers is None:
            out = create(c.mopt_model_build, c.mopt_model,
                         context_of(context), count)
        else:
            if not isinstance(layers, (Mapping, str)):
                layers = {"layers": list(layers)}
            out = create(c.mopt_model_create, c.mopt_model,
                         context_of(context), json_in(layers), count,
                         int64("outputs", outputs))
        super().__init__(out)
        self._context = context
        self._known: tuple[int, int, int] | None = None

    @classmethod
    def _wrap(cls, pointer: Any, context: Context | None) -> Model:
        model = cls.__new__(cls)
        Handle.__init__(model, pointer)
        model._context = context
        model._known = None
        return model

    @classmethod
    def load(cls, path: Any, *, context: Context | None = None) -> Model:
        """A model that save() wrote."""
        return cls._wrap(create(c.mopt_model_load, c.mopt_model,
                                context_of(context), utf8(path)), context)

    def save(self, path: Any) -> None:
        """One safetensors file, written atomically."""
        check(c.mopt_model_save(self.pointer, utf8(path)))

    def add(self, layer: str, **settings: Any) -> None:
        """Append a layer: add("dense", units=64, activation="relu")."""
        config = Config(f"layer.{layer}", settings, context=self._context)
        check(c.mopt_model_add(self.pointer, config.pointer))
        self._known = None

    def add_dense(self, units: int, activation: str | None = None) -> None:
        check(c.mopt_model_add_dense(
            self.pointer, int64("units", units),
            None if activation is None else utf8(activation)))
        self._known = None

    def add_dropout(self, rate: float) -> None:
        check(c.mopt_model_add_dropout(self.pointer, rate))

    def init(self, seed: int = 0) -> None:
        """Give the weights their first values."""
        check(c.mopt_model_init(self.pointer, int64("seed", seed)))

    def grow(self, source: Model, seed: int = 0) -> None:
        """Take the weights of a trained model of the same architecture, or
        of a narrower or shallower one: this one computes the same then."""
        check(c.mopt_model_grow(pointer_of(source, Model, "source"),
                                self.pointer, int64("seed", seed)))

    def copy(self) -> Model:
        return self._wrap(create(c.mopt_model_copy, c.mopt_model,
                                 self.pointer), self._context)

    def set_transform(self, transform: Transform | None) -> None:
        """What turns raw columns into this model's inputs."""
        check(c.mopt_model_set_transform(
            self.pointer,
            pointer_of(transform, Transform, "transform", True)))

    def describe(self) -> dict[str, Any]:
        """Inputs, outputs, layers, params, bytes, flops, tensors."""
        return json_out(c.mopt_model_describe, self.pointer)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the weights."""
        return {item["name"]: tuple(item["shape"])
                for item in self.describe()["tensors"]}

    def __getitem__(self, name: str) -> Array:
        """A copy of a weight tensor: model["layers.0.weight"]."""
        values = Array(self.tensors().get(name, ()))
        check(c.mopt_model_get_tensor(self.pointer, utf8(name),
                                      values.pointer, values.count))
        return values

    def __setitem__(self, name: str, values: Any) -> None:
        given = floats(values, name)
        check(c.mopt_model_set_tensor(self.pointer, utf8(name),
                                      given.pointer, given.count))

    def load_weights(self, path: Any,
                     names: Mapping[str, Any] | None = None) -> None:
        """Weights from any safetensors file; names maps this model's tensors
        to those of the file: a name, or {"name": .., "transpose": True}."""
        check(c.mopt_model_load_weights(
            self.pointer, utf8(path),
            None if names is None else json_in(dict(names))))

    def save_features(self, data: Dataset, path: Any, layer: int = -1, *,
                      cancel: Cancel | None = None) -> None:
        """What a layer gives for each row, as an NPY file; -1: what the last
        layer with weights reads."""
        token = Token(cancel, self._context)
        long_call(c.mopt_model_save_features, self.pointer,
                  int64("layer", layer), pointer_of(data, Dataset, "data"),
                  utf8(path), token.pointer, cancel=token.pointer,
                  keep=(self, data, token.handle))

    def predict(self, x: Any, *, cancel: Cancel | None = None) -> Array:
        """Outputs [rows][outputs], for an array of inputs or a data set."""
        inputs, outputs, flops = self._sizes()
        function: Any = c.mopt_model_predict
        if isinstance(x, Dataset):
            out = Array((len(x), outputs))
            arguments = (x.pointer, out.pointer, out.count)
            function = c.mopt_model_predict_dataset
        else:
            x = floats(x, "x")
            if x.shape and x.count != x.shape[0] * inputs:
                raise ValueError(f"x: {x.count // max(x.shape[0], 1)} "
                                 f"inputs a row, the model has {inputs}")
            out = Array((x.shape[0], outputs))
            arguments = (x.pointer, x.shape[0], out.pointer)
        if cancel is None and len(out) * flops < _QUICK:
            check(function(self.pointer, *arguments, None))
        else:
            token = Token(cancel, self._context)
            long_call(function, self.pointer, *arguments, token.pointer,
                      cancel=token.pointer, keep=(self, x, out, token.handle))
        return out

    def _sizes(self) -> tuple[int, int, int]:
        """Inputs, outputs, and operations a row; fixed once weights are."""
        if self._known is None:
            about = self.describe()
            self._known = (about["inputs"], about["outputs"], about["flops"])
        return self._known

    def evaluate(self, data: Dataset, loss: str | None = None, *,
                 cancel: Cancel | None = None) -> dict[str, Any]:
        """Metrics on labelled data."""
        token = Token(cancel, self._context)
        return report_of(
            c.mopt_model_evaluate, self.pointer,
            pointer_of(data, Dataset, "data"),
            None if loss is None else utf8(loss), token.pointer,
            cancel=token.pointer, keep=(self, data, token.handle))
