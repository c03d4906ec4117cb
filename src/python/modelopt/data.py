# SPDX-License-Identifier: MIT
"""Data sets and the transforms that make them ready for a model."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any, Mapping

from . import _bindings as c
from ._call import Handle, check, create, json_out, pointer_of
from .arrays import FLOATS, Array, View, view
from .core import Config, Context, as_config, context_of, int64

_PARTS = {"train": c.MOPT_PART_TRAIN, "validation": c.MOPT_PART_VALIDATION,
          "test": c.MOPT_PART_TEST}
_KINDS = {c.MOPT_TARGET_NONE: "none", c.MOPT_TARGET_CLASS: "class",
          c.MOPT_TARGET_NUMBER: "number"}

# Memory that data sets read where it lies, until the library lets go of it.
_kept: dict[int, Any] = {}
_numbers = itertools.count(1)


@c.mopt_destroy_fn
def _let_go(user: int) -> None:
    _kept.pop(user, None)


class Dataset(Handle):
    """Rows of features with a target each; it never changes.

    Dataset(x, y) reads arrays where they lie: do not change them while the data
    set, or what was made from it, lives. Integers in y are classes, reals are
    numbers; y may be left out. x of one dimension is one feature a row; of
    three, rows are images of [height][width]; of four, of
    [channels][height][width].
    """

    _free = c.mopt_dataset_free

    def __init__(self, x: Any, y: Any = None, *, classes: int = 0,
                 context: Context | None = None) -> None:
        features = view(x, "x")
        targets = None if y is None else view(y, "y")
        rows, width = _extents(features, "x")
        count = _targets(targets, rows)
        user = next(_numbers)
        _kept[user] = (features, targets)
        try:
            pointer = create(
                c.mopt_dataset_from_memory, c.mopt_dataset,
                context_of(context), rows, width, features.address,
                features.type, features.strides[0] if rows > 1 else 0,
                targets.address if targets else None,
                targets.type if targets else 0, count,
                int64("classes", classes), user, _let_go)
        except BaseException:
            _kept.pop(user, None)
            raise
        if len(features.shape) in (3, 4):
            *channels, height, width = features.shape[1:]
            try:
                images = _as_images(pointer, width, height, *channels)
            finally:
                c.mopt_dataset_free(pointer)
            pointer = images
        super().__init__(pointer)

    @classmethod
    def _wrap(cls, pointer: Any) -> Dataset:
        data = cls.__new__(cls)
        Handle.__init__(data, pointer)
        return data

    @classmethod
    def load(cls, source: str | Mapping[str, Any] | Config,
             part: str = "train", *, context: Context | None = None,
             **options: Any) -> Dataset:
        """Load or generate: Dataset.load("csv", path="a.csv"). The options are
        the keys of that source (modelopt.keys("data") lists them); or give a
        whole config of kind "data"."""
        if part not in _PARTS:
            raise ValueError(f"part: '{part}' is none of {list(_PARTS)}")
        if isinstance(source, str):
            source = {"source": source, **{
                f"source.{key}": value for key, value in options.items()}}
        elif options:
            raise TypeError("options belong into the config here: "
                            f"{', '.join(options)}")
        config = as_config("data", source, context)
        return cls._wrap(create(c.mopt_dataset_load, c.mopt_dataset,
                                context_of(context), config.pointer,
                                _PARTS[part]))

    def _shape(self) -> tuple[int, int, int, int]:
        rows, features, targets = (ctypes.c_int64() for _ in range(3))
        kind = ctypes.c_int32()
        check(c.mopt_dataset_shape(self.pointer, rows, features, targets,
                                   kind))
        return rows.value, features.value, targets.value, kind.value

    def __len__(self) -> int:
        return self._shape()[0]

    @property
    def rows(self) -> int:
        return self._shape()[0]

    @property
    def features(self) -> int:
        """Inputs a row."""
        return self._shape()[1]

    @property
    def targets(self) -> int:
        """Classes, or numbers a row."""
        return self._shape()[2]

    @property
    def kind(self) -> str:
        """Of the target: "none", "class" or "number"."""
        return _KINDS[self._shape()[3]]

    def describe(self) -> dict[str, Any]:
        return json_out(c.mopt_dataset_describe, self.pointer)

    def read(self, first: int = 0,
             count: int | None = None) -> tuple[Array, Array | None]:
        """Rows as float32: features, and targets if there are any."""
        rows, features, targets, kind = self._shape()
        if count is None:
            count = rows - first
        if first < 0 or count < 0 or first + count > rows:
            raise IndexError(f"rows {first} .. {first + count} of {rows}")
        x, y = Array((count, features)), None
        if kind == c.MOPT_TARGET_CLASS:
            y = Array((count,))
        elif kind == c.MOPT_TARGET_NUMBER:
            y = Array((count, targets))
        check(c.mopt_dataset_read(self.pointer, first, count, x.pointer,
                                  y.pointer if y else None))
        return x, y

    def split(self, validation: float = 0.0, test: float = 0.0, *,
              config: Config | None = None, **settings: Any) -> tuple[
                  Dataset, Dataset | None, Dataset | None]:
        """Cut into train, validation and test; a part of no rows is None.

        Shares below 1, or rows. Settings: stratify, shuffle, seed.
        """
        config = config or Config("data", {
            "split.validation": validation, "split.test": test,
            **{f"split.{key}": value for key, value in settings.items()}})
        out = [ctypes.POINTER(c.mopt_dataset)() for _ in range(3)]
        check(c.mopt_dataset_split(self.pointer, config.pointer,
                                   *(ctypes.byref(part) for part in out)))
        train, *rest = (self._wrap(part) if part else None for part in out)
        assert train is not None
        return train, rest[0], rest[1]

    def fold(self, folds: int, fold: int, *, seed: int = 0,
             stratify: bool = True) -> tuple[Dataset, Dataset]:
        """Training and validation rows of one fold of several."""
        out = [ctypes.POINTER(c.mopt_dataset)() for _ in range(2)]
        check(c.mopt_dataset_fold(
            self.pointer, int64("folds", folds), int64("fold", fold),
            int64("seed", seed), stratify,
            *(ctypes.byref(part) for part in out)))
        return self._wrap(out[0]), self._wrap(out[1])

    def select(self, rows: Any) -> Dataset:
        """A view of some rows, in the order given."""
        numbers = [int64("rows", row) for row in rows]
        memory = (ctypes.c_int64 * max(len(numbers), 1))(*numbers)
        return self._wrap(create(c.mopt_dataset_select, c.mopt_dataset,
                                 self.pointer, memory, len(numbers)))


    def as_images(self, width: int, height: int,
                  channels: int = 1) -> Dataset:
        """The same rows as images of [channels][height][width], for
        augmentation."""
        return self._wrap(_as_images(
            self.pointer, int64("width", width), int64("height", height),
            int64("channels", channels)))


def _as_images(pointer: Any, width: int, height: int,
               channels: int = 1) -> Any:
    """Another data set of the same rows."""
    return create(c.mopt_dataset_as_images, c.mopt_dataset, pointer, width,
                  height, channels)


def _extents(features: View, name: str) -> tuple[int, int]:
    """Rows and elements a row; further dimensions are one long row."""
    if not features.shape:
        raise ValueError(f"{name}: rows are needed, not one number")
    width = 1
    for extent in features.shape[1:]:
        width *= extent
    return features.shape[0], width


def _targets(targets: View | None, rows: int) -> int:
    """Numbers a row of y, which must be as long as x."""
    if targets is None:
        return 0
    length, width = _extents(targets, "y")
    if length != rows:
        raise ValueError(f"y has {length} rows, x has {rows}")
    if targets.type not in FLOATS and width != 1:
        raise ValueError(f"y: one class a row is needed, not {width}")
    if not targets.packed():
        raise ValueError("y: the rows have gaps between them; copy it first")
    return width


class Transform(Handle):
    """Turns columns into inputs, as learnt from training rows: fills missing
    values, one-hot for categories, scales."""

    _free = c.mopt_transform_free

    @classmethod
    def fit(cls, train: Dataset, config: Config | None = None,
            **settings: Any) -> Transform:
        """Settings: scale ("none", "standard", "minmax", "unit"),
        scale_target, and what else modelopt.keys("data") lists."""
        config = config or Config("data", settings)
        transform = cls.__new__(cls)
        Handle.__init__(transform, create(
            c.mopt_transform_fit, c.mopt_transform,
            pointer_of(train, Dataset, "train"), config.pointer))
        return transform

    def apply(self, data: Dataset) -> Dataset:
        return Dataset._wrap(create(c.mopt_transform_apply, c.mopt_dataset,
                                    self.pointer,
                                    pointer_of(data, Dataset, "data")))
