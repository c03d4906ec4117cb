# SPDX-License-Identifier: MIT
"""Plans of how ranks share one training."""

from __future__ import annotations

import ctypes
from typing import Any, Mapping

from . import _bindings as c
from ._call import Handle, json_out, long_call, pointer_of
from .core import Cancel, Config, Context, Token, as_config, context_of
from .model import Model


class Parallel(Handle):
    """How ranks share the training of a model: a mesh of data x tensor x
    pipeline. The settings are the keys of the kind "parallel" (data, tensor,
    pipeline, memory_limit, ...), training those of the kind "train"; what is
    left open is chosen.

    plan = Parallel(model, 4, training={"batch_size": 256}); plan.mesh
    """

    _free = c.mopt_parallel_free

    def __init__(self, model: Model, ranks: int, *,
                 training: Mapping[str, Any] | Config | None = None,
                 cancel: Cancel | None = None,
                 context: Context | None = None, **settings: Any) -> None:
        config = as_config("parallel", settings, context)
        options = as_config("train", training or {}, context)
        token = Token(cancel, context)
        out = ctypes.POINTER(c.mopt_parallel)()
        long_call(c.mopt_parallel_create, context_of(context),
                  pointer_of(model, Model, "model"), config.pointer,
                  options.pointer, ranks, token.pointer, ctypes.byref(out),
                  cancel=token.pointer,
                  keep=(model, config, options, token.handle, out))
        super().__init__(out)

    @classmethod
    def _wrap(cls, pointer: Any) -> Parallel:
        plan = cls.__new__(cls)
        Handle.__init__(plan, pointer)
        return plan

    def to_dict(self) -> dict[str, Any]:
        """The mesh, the stages, and what a step would cost."""
        return json_out(c.mopt_parallel_json, self.pointer)

    @property
    def mesh(self) -> tuple[int, int, int]:
        """Ranks along data, tensor and pipeline."""
        told = self.to_dict()
        return told["data"], told["tensor"], told["pipeline"]

    @property
    def seconds(self) -> float:
        """Of a step, by estimate."""
        return self.to_dict()["seconds"]
