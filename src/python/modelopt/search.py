# SPDX-License-Identifier: MIT
"""Searches: spaces, studies and trials."""

from __future__ import annotations

import ctypes
import json
import weakref
from typing import Any, Callable, Iterator, Mapping, Sequence

from . import _bindings as c
from ._call import (Calls, Handle, check, create, json_in, json_out,
                    long_call, pointer_of, text_out, utf8)
from .core import (Cancel, Config, Context, Token, as_config, context_of,
                   int64, use_storage)

_STATES = {"running": c.MOPT_TRIAL_RUNNING,
           "complete": c.MOPT_TRIAL_COMPLETE, "pruned": c.MOPT_TRIAL_PRUNED,
           "failed": c.MOPT_TRIAL_FAILED, "waiting": c.MOPT_TRIAL_WAITING}
_NAMES = {code: name for name, code in _STATES.items()}
_NO_DESTROY = c.mopt_destroy_fn()
_END = 99  # a value of no meaning: it ends a search with MOPT_ECALLBACK


def _state(name: str) -> int:
    if name not in _STATES:
        raise ValueError(f"state: '{name}' is none of {', '.join(_STATES)}")
    return _STATES[name]


class Space(Handle):
    """What a search may vary. Space({"lr": {"float": [1e-4, 0.1], "log":
    True}, "layers": {"int": [1, 3]}, "act": {"choice": ["relu", "tanh"]}}), or
    parameter by parameter."""

    _free = c.mopt_space_free

    def __init__(self, definition: Mapping[str, Any] | str | None = None, *,
                 context: Context | None = None) -> None:
        if definition is None:
            out = create(c.mopt_space_create, c.mopt_space,
                         context_of(context))
        else:
            out = create(c.mopt_space_from_json, c.mopt_space,
                         context_of(context), json_in(definition))
        super().__init__(out)

    @classmethod
    def _wrap(cls, pointer: Any) -> Space:
        space = cls.__new__(cls)
        Handle.__init__(space, pointer)
        return space

    def add_float(self, name: str, low: float, high: float, *,
                  log: bool = False, step: float | None = None) -> None:
        if step is None:
            check(c.mopt_space_add_float(
                self.pointer, utf8(name), low, high,
                c.MOPT_LOG if log else c.MOPT_LINEAR))
        elif log:
            raise ValueError(f"{name}: a step and log do not go together")
        else:
            check(c.mopt_space_add_float_step(self.pointer, utf8(name), low,
                                              high, step))

    def add_int(self, name: str, low: int, high: int, *, step: int = 1,
                log: bool = False) -> None:
        check(c.mopt_space_add_int(
            self.pointer, utf8(name), int64("low", low), int64("high", high),
            int64("step", step), c.MOPT_LOG if log else c.MOPT_LINEAR))

    def add_choice(self, name: str, choices: Sequence[Any]) -> None:
        """One of several texts, numbers, booleans or None."""
        check(c.mopt_space_add_choice(self.pointer, utf8(name),
                                      json_in(list(choices))))

    def add_condition(self, name: str, parent: str, values: Any) -> None:
        """Let a parameter exist only while parent has a value, one of a list,
        or one in {"min": a, "max": b}."""
        text = json_in(values if not isinstance(values, str) else [values])
        check(c.mopt_space_add_condition(self.pointer, utf8(name),
                                         utf8(parent), text))

    def to_dict(self) -> dict[str, Any]:
        return json_out(c.mopt_space_to_json, self.pointer)

    @property
    def count(self) -> int | None:
        """Number of different points; None when there is no end of them."""
        out = ctypes.c_int64()
        check(c.mopt_space_count(self.pointer, out))
        return None if out.value == 2**63 - 1 else out.value


class Trial(Handle):
    """One evaluation: trial["lr"] reads a parameter, report() tells how it goes
    and raises Pruned when it is not worth going on."""

    _free = c.mopt_trial_free

    def __init__(self, pointer: Any, borrowed: bool = False) -> None:
        if borrowed:  # the library frees it, this object only ends
            self._pointer = pointer
            self._finalizer = weakref.finalize(self, lambda: None)
        else:
            super().__init__(pointer)
        self._params: dict[str, Any] | None = None

    @property
    def number(self) -> int:
        return c.mopt_trial_number(self.pointer)

    @property
    def state(self) -> str:
        return _NAMES[c.mopt_trial_state(self.pointer)]

    def to_dict(self) -> dict[str, Any]:
        return json_out(c.mopt_trial_to_json, self.pointer)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that exist in this trial."""
        if self._params is None:
            self._params = self.to_dict()["params"]
        return dict(self._params)

    def __contains__(self, name: str) -> bool:
        return name in self.params

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __getitem__(self, name: str) -> Any:
        found = self.params
        if name not in found:  # the library knows why
            text_out(c.mopt_trial_get_text, self.pointer, utf8(name))
        return found[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    @property
    def values(self) -> list[float]:
        """Values of the objectives; empty unless the trial is complete."""
        return self.to_dict()["values"] or []

    @property
    def value(self) -> float:
        out = ctypes.c_double()
        check(c.mopt_trial_value(self.pointer, 0, out))
        return out.value

    def report(self, step: int, value: float) -> None:
        """Tell an intermediate value; raises Pruned."""
        check(c.mopt_trial_report(self.pointer, int64("step", step), value))

    def apply(self, config: Config) -> int:
        """Set in a config the parameters that are its keys; how many were."""
        out = ctypes.c_int64()
        check(c.mopt_trial_apply(self.pointer, pointer_of(
            config, Config, "config"), out))
        return out.value

    @property
    def checkpoint(self) -> str:
        """The path of a file that whoever gets the trial next finds, should
        this process die; it is removed when the trial is told."""
        return text_out(c.mopt_trial_checkpoint, self.pointer)

    def set_note(self, key: str, value: Any) -> None:
        """Keep any JSON value with the trial."""
        check(c.mopt_trial_set_note(self.pointer, utf8(key), _note(value)))

    def set_constraints(self, values: Sequence[float]) -> None:
        """How far from meeting each constraint; <= 0 is met."""
        memory = (ctypes.c_double * max(len(values), 1))(*values)
        check(c.mopt_trial_set_constraints(self.pointer, memory,
                                           len(values)))


#: Evaluates a trial: returns its value, or one for each objective.
Objective = Callable[[Trial], Any]


class Study(Handle):
    """A search. The settings are the keys of the kind "study": direction,
    trials, workers, seed, sampler, pruner, storage, name, ...

    Study(space, trials=50, workers=2).optimize(objective), or ask() and tell().
    """

    _free = c.mopt_study_free

    def __init__(self, space: Space | Mapping[str, Any] | str | None = None,
                 config: Config | None = None, *,
                 context: Context | None = None, **settings: Any) -> None:
        if space is not None and not isinstance(space, Space):
            space = Space(space, context=context)
        if config is not None and settings:
            raise TypeError("give a config or settings, not both")
        config = as_config("study", config or settings, context)
        use_storage(context, config["storage"])
        super().__init__(create(
            c.mopt_study_create, c.mopt_study, context_of(context),
            pointer_of(space, Space, "space", True), config.pointer))
        self._context = context
        self._stop = False
        self._objectives = 0
        self._calls = Calls()
        self._on_trial: Any = None

    def ask(self) -> Trial:
        """The next trial; raises Exhausted when there is none."""
        return Trial(create(c.mopt_study_ask, c.mopt_trial, self.pointer))

    def tell(self, trial: Trial, value: Any = None, *,
             state: str = "complete", reason: str | None = None) -> None:
        """How a trial ended: its value (or values), or a state."""
        values = None
        if value is not None:
            numbers = _numbers(value, self._count_objectives())
            values = (ctypes.c_double * len(numbers))(*numbers)
        check(c.mopt_study_tell(
            self.pointer, pointer_of(trial, Trial, "trial"), _state(state),
            values,
            None if reason is None else utf8(reason)))

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Let a coming trial have given parameters."""
        check(c.mopt_study_enqueue(self.pointer, json_in(params)))

    def optimize(self, objective: Objective, *, cancel: Cancel | None = None,
                 catch: tuple[type[BaseException], ...] = ()) -> None:
        """Run trials until the limits of the settings are reached.

        objective returns the value of a trial, or raises Pruned. What else it
        raises ends the search and is raised here; exceptions of the classes in
        catch only fail their trial. With workers > 1 it is called from several
        threads at a time.
        """
        self._stop = False
        token, calls = Token(cancel, self._context), self._calls
        count = self._count_objectives()

        def evaluate(trial: Trial, values: Any) -> None:
            for i, number in enumerate(_numbers(objective(trial), count)):
                values[i] = number

        @c.mopt_objective_fn
        def call(_: Any, pointer: Any, values: Any) -> int:
            trial = Trial(pointer, borrowed=True)
            code = calls.run(
                lambda: evaluate(trial, values), _END, catch,
                lambda error: trial.set_note("error", repr(error)))
            trial.close()
            return c.MOPT_STOPPED if code == 0 and self._stop else code

        long_call(c.mopt_study_optimize, self.pointer, call, None,
                  token.pointer, cancel=token.pointer, calls=calls,
                  fine=(c.MOPT_STOPPED,), keep=(self, token.handle))

    def on_trial(self, function: Callable[[Trial], Any] | None) -> None:
        """Let a function see every trial that optimize() has ended. It may
        raise Stopped to end the search; None takes it away."""
        calls = self._calls

        def call(_: Any, pointer: Any) -> int:
            assert function is not None
            trial = Trial(pointer, borrowed=True)
            code = calls.run(lambda: function(trial), _END)
            trial.close()
            return code

        callback = c.mopt_trial_fn(call) if function else c.mopt_trial_fn()
        check(c.mopt_study_on_trial(self.pointer, callback, None,
                                    _NO_DESTROY))
        self._on_trial = callback  # the library calls it until it is replaced

    def set_note(self, key: str, value: Any) -> None:
        """Keep any JSON value with the study."""
        check(c.mopt_study_set_note(self.pointer, utf8(key), _note(value)))

    def stop(self) -> None:
        """Called from an objective: its trial is the last one."""
        self._stop = True

    def count(self, state: str | None = None) -> int:
        """Number of trials in a state, or of all."""
        out = ctypes.c_int64()
        check(c.mopt_study_count(
            self.pointer, -1 if state is None else _state(state), out))
        return out.value

    def __len__(self) -> int:
        return self.count()

    @property
    def best(self) -> Trial:
        """The best complete trial; NotFoundError when there is none."""
        return Trial(create(c.mopt_study_best, c.mopt_trial, self.pointer))

    def trial(self, number: int) -> Trial:
        return Trial(create(c.mopt_study_trial, c.mopt_trial, self.pointer,
                            int64("number", number)))

    @property
    def trials(self) -> list[dict[str, Any]]:
        """All trials as dicts."""
        return self.to_dict()["trials"]

    def to_dict(self) -> dict[str, Any]:
        return json_out(c.mopt_study_to_json, self.pointer)

    def _count_objectives(self) -> int:
        if not self._objectives:
            self._objectives = len(self.to_dict()["directions"])
        return self._objectives


def _note(value: Any) -> bytes:
    """A text is a value here, not a document."""
    return json.dumps(value).encode()


def _numbers(value: Any, count: int) -> list[float]:
    """What an objective returned, as one number for each."""
    try:
        numbers = [float(value)]
    except TypeError:
        numbers = [float(number) for number in value]
    if len(numbers) != count:
        raise ValueError(f"the study has {count} objectives, the trial gave "
                         f"{len(numbers)} values")
    return numbers


def studies(storage: str, *, context: Context | None = None) -> list[str]:
    """Names of the studies in a file or database."""
    use_storage(context, storage)
    return json_out(c.mopt_study_list, context_of(context), utf8(storage))
