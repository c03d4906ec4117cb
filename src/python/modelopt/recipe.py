# SPDX-License-Identifier: MIT
"""Recipes: the main job as one document."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Callable, Mapping

from . import _bindings as c
from ._call import (Calls, Handle, check, create, json_in, json_out,
                    long_call, pointer_of, utf8)
from .core import Cancel, Context, Token, context_of, use_storage
from .group import Group
from .model import Model
from .parallel import Parallel
from .search import Space
from .transfer import Adapter

_EVENTS = {c.MOPT_EVENT_DATA: "data", c.MOPT_EVENT_TRIAL: "trial",
           c.MOPT_EVENT_EPOCH: "epoch", c.MOPT_EVENT_TEST: "test",
           c.MOPT_EVENT_CASE: "case"}
_END = 99  # a value of no meaning: it ends the run with MOPT_ECALLBACK

#: Called with "data", "trial", "epoch", "test" or "case" and what there is to
#: tell.
EventFunction = Callable[[str, dict[str, Any]], Any]


class Recipe(Handle):
    """Data, model, training and search in one document: a dict or JSON text.
    base is the folder that its relative paths start from."""

    _free = c.mopt_recipe_free

    def __init__(self, document: Mapping[str, Any] | str, *,
                 base: Any = None, context: Context | None = None) -> None:
        super().__init__(create(
            c.mopt_recipe_parse, c.mopt_recipe, context_of(context),
            json_in(document), None if base is None else utf8(base)))
        self._context = context

    @classmethod
    def load(cls, path: Any, *, context: Context | None = None) -> Recipe:
        recipe = cls.__new__(cls)
        Handle.__init__(recipe, create(c.mopt_recipe_load, c.mopt_recipe,
                                       context_of(context), utf8(path)))
        recipe._context = context
        return recipe

    def __setitem__(self, path: str, value: Any) -> None:
        """Replace a value: recipe["train.batch_size"] = 64."""
        check(c.mopt_recipe_set(self.pointer, utf8(path),
                                json.dumps(value).encode()))

    def apply(self, params: Mapping[str, Any]) -> Recipe:
        """The recipe of one trial: every domain replaced by its value."""
        recipe = type(self).__new__(type(self))
        Handle.__init__(recipe, create(
            c.mopt_recipe_apply, c.mopt_recipe, self.pointer,
            json_in(params)))
        recipe._context = self._context
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """The recipe with its defaults."""
        return json_out(c.mopt_recipe_to_json, self.pointer)

    def space(self) -> Space:
        """What it searches."""
        return Space._wrap(create(c.mopt_recipe_space, c.mopt_space,
                                  self.pointer))

    def set_group(self, group: Group | None) -> None:
        """Run it together with the other ranks of a group: all train each
        trial, or with the storage of a study each takes trials of its own.
        Every rank makes this call on a recipe like this one, and runs it."""
        check(c.mopt_recipe_set_group(
            self.pointer,
            None if group is None else pointer_of(group, Group, "group")))
        self._group = group

    def plan(self, ranks: int, *, cancel: Cancel | None = None) -> Parallel:
        """How ranks would share its training, and what that would cost."""
        token = Token(cancel, self._context)
        out = ctypes.POINTER(c.mopt_parallel)()
        long_call(c.mopt_recipe_plan, self.pointer, ranks, token.pointer,
                  ctypes.byref(out), cancel=token.pointer,
                  keep=(self, token.handle, out))
        return Parallel._wrap(out)

    def run(self, on_event: EventFunction | None = None, *,
            cancel: Cancel | None = None) -> Result:
        """Search, train, and test the winner once.

        With "cases" or "repeats" all runs go one after the other.

        on_event may raise Stopped to end the search; the result then tells the
        best so far. With the storage of a study, what Ctrl-C interrupts goes on
        when it is run again.
        """
        token, calls = Token(cancel, self._context), Calls()
        use_storage(self._context,
                    self.to_dict().get("search", {}).get("storage"))
        out = ctypes.POINTER(c.mopt_result)()

        def tell(_: Any, event: int, text: bytes) -> int:
            name = _EVENTS.get(event)
            if name is None or on_event is None:
                return c.MOPT_OK
            return calls.run(lambda: on_event(name, json.loads(text)), _END)

        call = c.mopt_event_fn(tell) if on_event else c.mopt_event_fn()
        try:
            code = long_call(
                c.mopt_recipe_run, self.pointer, call, None, token.pointer,
                ctypes.byref(out), cancel=token.pointer, calls=calls,
                fine=(c.MOPT_STOPPED, c.MOPT_ECANCELED),
                keep=(self, token.handle, out, call))
        except BaseException:
            c.mopt_result_free(out)
            raise
        if not out:
            check(code)
        return Result(out, self._context, complete=code == c.MOPT_OK)


class Result(Handle):
    """What a recipe found."""

    _free = c.mopt_result_free

    def __init__(self, pointer: Any, context: Context | None,
                 complete: bool) -> None:
        super().__init__(pointer)
        self._context = context
        #: Did the search end by itself (not stopped, not canceled)?
        self.complete = complete

    def to_dict(self) -> dict[str, Any]:
        return json_out(c.mopt_result_to_json, self.pointer)

    @property
    def best(self) -> dict[str, Any]:
        """Number, values and parameters of the winner."""
        return self.to_dict()["best"]

    @property
    def cases(self) -> list[dict[str, Any]]:
        """Of a recipe with "cases" or "repeats": name, summary (mean and
        deviation by figure), runs (each as to_dict() of a single run)."""
        return self.to_dict().get("cases", [])

    @property
    def test(self) -> dict[str, Any] | None:
        """Metrics of the winner on the test part."""
        return self.to_dict().get("test")

    @property
    def model(self) -> Model:
        """The winner, its transform attached."""
        return Model._wrap(create(c.mopt_result_model, c.mopt_model,
                                  self.pointer), self._context)

    @property
    def adapter(self) -> Adapter:
        """What a recipe with "finetune" and method "lora" has learnt."""
        return Adapter._wrap(create(c.mopt_result_adapter, c.mopt_adapter,
                                    self.pointer))

    def report(self, path: Any) -> None:
        """Write one HTML file that needs nothing else."""
        check(c.mopt_result_report(self.pointer, utf8(path)))


def recipe_schema(context: Context | None = None) -> dict[str, Any]:
    """The JSON Schema of recipes."""
    return json_out(c.mopt_recipe_schema, context_of(context))
