# SPDX-License-Identifier: MIT
"""modelopt: find, train and pick the best neural model, in this process.

    import modelopt

    study = modelopt.Study({"x": {"float": [-5, 5]}}, trials=50)
    study.optimize(lambda trial: (trial["x"] - 2) ** 2)
    print(study.best.params, study.best.value)

Space, Study and Trial search; Dataset, Transform, Model and Trainer learn,
Distill pours a large model into a small one, Finetune takes one to another
task; Recipe does it all from one document. Errors are exceptions, a class a
status (modelopt.Error and its subclasses). modelopt.c is the C interface, name
for name. The guide is docs/guide/python.md.
"""

from . import _bindings as c
from ._library import PATH as library_path
from .arrays import Array
from .core import (Cancel, Config, Context, default_context, keys, kinds,
                   version)
from .data import Dataset, Transform
from .distill import Distill
from .errors import (BackendError, CallbackError, CanceledError, DivergedError,
                     Error, ExistsError, Exhausted, FormatError,
                     InputOutputError, InternalError, InvalidError,
                     LockedError, NotFoundError, Outcome, OutOfMemoryError,
                     PeerError, Pruned, RangeError, StateError, Stopped,
                     StoreError, UnknownKeyError, UnsupportedError)
from .group import Group
from .model import Model
from .parallel import Parallel
from .recipe import Recipe, Result, recipe_schema
from .search import Space, Study, Trial, studies
from .train import Trainer
from .transfer import Adapter, Finetune

__version__ = ".".join(map(str, c.VERSION))

__all__ = [
    "Adapter", "Array", "BackendError", "CallbackError", "Cancel",
    "CanceledError", "Config", "Context", "Dataset", "Distill",
    "DivergedError", "Error", "Exhausted", "ExistsError", "Finetune",
    "FormatError", "Group", "InputOutputError", "InternalError",
    "InvalidError", "LockedError", "Model", "NotFoundError",
    "OutOfMemoryError", "Outcome", "Parallel", "PeerError", "Pruned",
    "RangeError", "Recipe", "Result", "Space", "StateError", "Stopped",
    "StoreError", "Study", "Trainer", "Transform", "Trial",
    "UnknownKeyError", "UnsupportedError", "c", "default_context", "keys",
    "kinds", "library_path", "recipe_schema", "studies", "version",
]
