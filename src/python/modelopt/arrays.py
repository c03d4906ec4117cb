# SPDX-License-Identifier: MIT
"""Arrays in and out, without numpy.

In: whatever has the buffer protocol (numpy arrays, array.array, bytes, ...),
__array_interface__, or __dlpack__ on the CPU (PyTorch, JAX, ...); else lists or
tuples of numbers. Memory is used where it lies if its rows are packed, and
copied otherwise. Out: Array, which numpy.asarray takes without a copy.
"""

from __future__ import annotations

import array
import ctypes
import math
import struct
import sys
from typing import Any, Iterator, Sequence

from . import _bindings as c

# Codes of the module struct: type of the library, bytes.
_FORMATS = {"f": (c.MOPT_F32, 4), "d": (c.MOPT_F64, 8), "B": (c.MOPT_U8, 1),
            "b": (c.MOPT_I8, 1), "h": (c.MOPT_I16, 2), "i": (c.MOPT_I32, 4),
            "l": (c.MOPT_I64, 8), "q": (c.MOPT_I64, 8), "?": (c.MOPT_BOOL, 1)}
if ctypes.sizeof(ctypes.c_long) == 4:
    _FORMATS["l"] = (c.MOPT_I32, 4)
# (kind, bytes) as __array_interface__ writes them.
_KINDS = {"f4": "f", "f8": "d", "u1": "B", "i1": "b", "i2": "h", "i4": "i",
          "i8": "q", "b1": "?"}
# (type code, bits) of DLPack.
_DLPACK = {(2, 32): "f", (2, 64): "d", (1, 8): "B", (0, 8): "b",
           (0, 16): "h", (0, 32): "i", (0, 64): "q", (6, 8): "?"}
_DLPACK_CPU = (1, 3, 11, 13)  # plain, and pinned for CUDA, ROCm, managed
FLOATS = (c.MOPT_F32, c.MOPT_F64)


class View:
    """Memory that a Python object owns, as the library wants to see it."""

    def __init__(self, owner: Any, address: int, format: str,
                 shape: Sequence[int], strides: Sequence[int]) -> None:
        self.owner = owner  # keeps the memory alive
        self.address = address
        self.format = format
        self.type, self.size = _FORMATS[format]
        self.shape = tuple(shape)
        self.strides = tuple(strides)  # bytes

    @property
    def count(self) -> int:
        """Elements in all."""
        return math.prod(self.shape)

    @property
    def pointer(self) -> Any:
        """As const float *, for views that floats() made."""
        return ctypes.cast(self.address, ctypes.POINTER(ctypes.c_float))

    def packed_rows(self) -> bool:
        """Are the elements of a row neighbours, and rows in order?"""
        inner = self.size
        for extent, stride in zip(reversed(self.shape[1:]),
                                  reversed(self.strides[1:])):
            if extent > 1 and stride != inner:
                return False
            inner *= extent
        return not self.shape or self.shape[0] <= 1 or self.strides[0] >= inner

    def packed(self) -> bool:
        """No gaps anywhere?"""
        inner = self.size
        for extent in self.shape[1:]:
            inner *= extent
        return self.packed_rows() and (
            not self.shape or self.shape[0] <= 1 or self.strides[0] == inner)


def _packed_strides(shape: Sequence[int], size: int) -> list[int]:
    strides: list[int] = []
    for extent in reversed(shape):
        strides.insert(0, size)
        size *= max(extent, 1)
    return strides


def _of_bytes(data: bytearray, format: str, shape: Sequence[int]) -> View:
    memory = (ctypes.c_char * max(len(data), 1)).from_buffer(
        data if data else bytearray(1))
    return View(memory, ctypes.addressof(memory), format, shape,
                _packed_strides(shape, _FORMATS[format][1]))


class _Buffer(ctypes.Structure):
    """Py_buffer of CPython; the fields that are read."""

    _fields_ = [("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p),
                ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
                ("rest", ctypes.c_char * 128)]


class _Pinned:
    """The address of a buffer, valid while this object lives."""

    def __init__(self, memory: memoryview) -> None:
        self.buffer = _Buffer()
        self.held = False
        ctypes.pythonapi.PyObject_GetBuffer(
            ctypes.py_object(memory), ctypes.byref(self.buffer),
            0x0018)  # PyBUF_STRIDES: read only is enough
        self.held = True
        self.address = self.buffer.buf or 0

    def __del__(self) -> None:
        if self.held:
            ctypes.pythonapi.PyBuffer_Release(ctypes.byref(self.buffer))


def _from_buffer(memory: memoryview, name: str) -> View:
    format = memory.format.lstrip("@=" + (
        "<" if sys.byteorder == "little" else ">"))
    if format == "c":
        format = "B"
    if format not in _FORMATS or _FORMATS[format][1] != memory.itemsize:
        return _converted(memory, name)
    pinned = _Pinned(memory)
    view = View(pinned, pinned.address, format, memory.shape or (1,),
                memory.strides or (memory.itemsize,))
    if view.packed_rows():
        return view
    return _of_bytes(bytearray(memory.tobytes()), format, memory.shape or ())


def _converted(memory: memoryview, name: str) -> View:
    """A copy of elements that the library does not know, as int64 or double:
    other sizes, half floats, the other byte order."""
    try:
        numbers = [value for value, in struct.iter_unpack(
            memory.format, memory.tobytes())]
        whole = all(isinstance(value, int) for value in numbers)
        data = array.array("q" if whole else "d", numbers)
    except (struct.error, TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name}: elements of format '{memory.format}' are "
                        f"not supported ({error})") from None
    return _of_bytes(bytearray(data.tobytes()), data.typecode,
                     memory.shape or ())


def _copy_strided(view: View) -> View:
    """A packed copy of memory that is not packed."""
    data = bytearray()

    def walk(address: int, depth: int) -> None:
        if depth == len(view.shape):
            data.extend(ctypes.string_at(address, view.size))
            return
        for i in range(view.shape[depth]):
            walk(address + i * view.strides[depth], depth + 1)

    walk(view.address, 0)
    return _of_bytes(data, view.format, view.shape)


def _from_interface(item: Any, name: str) -> View:
    """__array_interface__, version 3."""
    face = item.__array_interface__
    order, kind = face["typestr"][0], face["typestr"][1:]
    native = "<" if sys.byteorder == "little" else ">"
    if kind not in _KINDS or order not in ("|", native):
        raise TypeError(f"{name}: elements of type '{face['typestr']}' are "
                        "not supported; convert them to float32")
    format, shape = _KINDS[kind], face["shape"]
    address = face["data"][0] if face.get("data") is not None else None
    if address is None:
        raise TypeError(f"{name}: __array_interface__ without data")
    strides = face.get("strides") or _packed_strides(
        shape, _FORMATS[format][1])
    view = View((item, face), address, format, shape, strides)
    return view if view.packed_rows() else _copy_strided(view)


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)),
                ("byte_offset", ctypes.c_uint64)]


class _DLVersioned(ctypes.Structure):
    """DLManagedTensorVersioned of DLPack 1.x."""

    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32),
                ("manager", ctypes.c_void_p), ("deleter", ctypes.c_void_p),
                ("flags", ctypes.c_uint64), ("tensor", _DLTensor)]


def _dlpack_tensor(capsule: Any, name: str) -> _DLTensor:
    api = ctypes.pythonapi
    api.PyCapsule_IsValid.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    if api.PyCapsule_IsValid(capsule, b"dltensor_versioned"):
        managed = _DLVersioned.from_address(
            api.PyCapsule_GetPointer(capsule, b"dltensor_versioned"))
        if managed.major > 1:
            raise TypeError(f"{name}: DLPack {managed.major} is not known")
        return managed.tensor
    if api.PyCapsule_IsValid(capsule, b"dltensor"):
        return _DLTensor.from_address(
            api.PyCapsule_GetPointer(capsule, b"dltensor"))
    raise TypeError(f"{name}: __dlpack__ gave no tensor")


def _from_dlpack(item: Any, name: str) -> View:
    """The capsule is kept, never consumed: its own end frees the tensor."""
    try:
        capsule = item.__dlpack__(max_version=(1, 0))
    except TypeError:  # before DLPack 1.0
        capsule = item.__dlpack__()
    tensor = _dlpack_tensor(capsule, name)
    if tensor.device_type not in _DLPACK_CPU:
        raise TypeError(f"{name}: the tensor is not in the memory of the CPU")
    format = _DLPACK.get((tensor.code, tensor.bits), "")
    if not format or tensor.lanes != 1:
        raise TypeError(f"{name}: elements of DLPack type ({tensor.code}, "
                        f"{tensor.bits} bits) are not supported; convert "
                        "them to float32")
    shape, size = tensor.shape[:tensor.ndim], _FORMATS[format][1]
    strides = [n * size for n in tensor.strides[:tensor.ndim]] \
        if tensor.strides else _packed_strides(shape, size)
    view = View((item, capsule), (tensor.data or 0) + tensor.byte_offset,
                format, shape, strides)
    return view if view.packed_rows() else _copy_strided(view)


def _from_numbers(items: Any, name: str) -> View:
    """Nested sequences: whole numbers as int64, others as double."""
    try:
        rows: list[Any] = [row if isinstance(row, (int, float)) or hasattr(
            row, "__float__") and not hasattr(row, "__len__") else list(row)
            for row in items]
    except TypeError:
        raise TypeError(f"{name}: an array or a sequence of numbers is "
                        f"needed, not {type(items).__name__}") from None
    shape: tuple[int, ...] = (len(rows),)
    if rows and isinstance(rows[0], list):
        widths = {len(row) if isinstance(row, list) else -1 for row in rows}
        if len(widths) != 1:
            raise ValueError(f"{name}: rows of different lengths")
        shape = (len(rows), len(rows[0]))
        rows = [value for row in rows for value in row]
    whole = all(isinstance(value, int) for value in rows)
    try:
        data = array.array("q" if whole else "d", rows)
    except (TypeError, OverflowError) as error:
        raise type(error)(f"{name}: {error}") from None
    return _of_bytes(bytearray(data.tobytes()), data.typecode, shape)


def view(item: Any, name: str) -> View:
    """Any array-like object as memory, its rows packed."""
    try:
        memory = memoryview(item)
    except (TypeError, ValueError):
        pass
    else:
        return _from_buffer(memory, name)
    if hasattr(item, "__array_interface__"):
        return _from_interface(item, name)
    if hasattr(item, "__dlpack__"):
        return _from_dlpack(item, name)
    if isinstance(item, (str, dict)):
        raise TypeError(f"{name}: an array or a sequence of numbers is "
                        f"needed, not {type(item).__name__}")
    return _from_numbers(item, name)


def floats(item: Any, name: str) -> View:
    """The same as packed float32."""
    found = view(item, name)
    if found.type == c.MOPT_F32 and found.packed():
        return found
    if not found.packed():
        found = _copy_strided(found)
    raw = ctypes.string_at(found.address, found.count * found.size)
    format: Any = found.format
    numbers = memoryview(raw).cast(format)
    return _of_bytes(bytearray(array.array("f", numbers).tobytes()), "f",
                     found.shape)


class Array:
    """Numbers that the library gave: float32, row-major.

    numpy.asarray(a) and torch.as_tensor(a) do not copy. Without them: a.shape,
    len(a), a[i], iteration, a.tolist(); a[i] = row, and a[i] = v of one row.
    """

    def __init__(self, shape: Sequence[int], memory: Any = None,
                 offset: int = 0) -> None:
        self.shape = tuple(shape)
        self.count = math.prod(self.shape)
        self._memory = memory or (ctypes.c_float * max(self.count, 1))()
        self._offset = offset

    @classmethod
    def at(cls, pointer: Any, shape: Sequence[int]) -> Array:
        """Memory of the library, valid as long as it says."""
        memory = (ctypes.c_float * math.prod(shape)).from_address(
            ctypes.addressof(pointer.contents))
        return cls(shape, memory)

    @property
    def pointer(self) -> Any:
        return ctypes.cast(
            ctypes.addressof(self._memory) + 4 * self._offset,
            ctypes.POINTER(ctypes.c_float))

    @property
    def __array_interface__(self) -> dict[str, Any]:
        order = "<" if sys.byteorder == "little" else ">"
        return {"shape": self.shape, "typestr": order + "f4", "version": 3,
                "data": (ctypes.addressof(self._memory) + 4 * self._offset,
                         False)}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> Any:
        rows = len(self)
        if not -rows <= index < rows:
            raise IndexError(f"row {index} of {rows}")
        index += rows if index < 0 else 0
        if len(self.shape) == 1:
            return self._memory[self._offset + index]
        width = self.count // rows
        return Array(self.shape[1:], self._memory,
                     self._offset + index * width)

    def __setitem__(self, index: int, value: Any) -> None:
        rows = len(self)
        if not -rows <= index < rows:
            raise IndexError(f"row {index} of {rows}")
        index += rows if index < 0 else 0
        if len(self.shape) == 1:
            self._memory[self._offset + index] = value
            return
        row, width = floats(value, "a row"), self.count // rows
        if row.count != width:
            raise ValueError(f"a row has {width} numbers, not {row.count}")
        first = self._offset + index * width
        ctypes.memmove(ctypes.addressof(self._memory) + 4 * first,
                       row.address, 4 * width)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def tolist(self) -> list[Any]:
        if len(self.shape) == 1:
            return self._memory[self._offset:self._offset + self.count]
        return [row.tolist() for row in self]

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape))
        return f"<modelopt.Array {shape} of float32>"
