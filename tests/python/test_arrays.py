# SPDX-License-Identifier: MIT
"""Arrays in and out, without numpy; with it and PyTorch where they are there
(the interpreter that MODELOPT_ORACLE_PYTHON names runs this file as well)."""

import array
import ctypes
import gc
import os
import subprocess
import sys
import unittest
import weakref

import modelopt
from modelopt import arrays, c

try:
    import numpy
except ImportError:
    numpy = None
try:
    import torch
except ImportError:
    torch = None


def content(view):
    """What the library would read: rows of numbers."""
    kinds = {"f": ctypes.c_float, "d": ctypes.c_double, "B": ctypes.c_uint8,
             "b": ctypes.c_int8, "h": ctypes.c_int16, "i": ctypes.c_int32,
             "l": ctypes.c_int64, "q": ctypes.c_int64, "?": ctypes.c_bool}
    kind = kinds[view.format]
    if len(view.shape) == 1:
        return [kind.from_address(view.address + i * view.strides[0]).value
                for i in range(view.shape[0])]
    return [[kind.from_address(view.address + i * view.strides[0]
                               + j * view.size).value
             for j in range(view.shape[1])] for i in range(view.shape[0])]


class Interface:
    """An object that has __array_interface__ only."""

    def __init__(self, memory, **face):
        self.memory = memory
        self.__array_interface__ = {
            "version": 3, "data": (ctypes.addressof(memory), True), **face}


class Plain(unittest.TestCase):

    def test_array_module(self):
        for code, kind in (("f", c.MOPT_F32), ("d", c.MOPT_F64),
                           ("B", c.MOPT_U8), ("b", c.MOPT_I8),
                           ("h", c.MOPT_I16), ("i", c.MOPT_I32),
                           ("q", c.MOPT_I64)):
            numbers = array.array(code, [1, 2, 3])
            view = arrays.view(numbers, "x")
            self.assertEqual((view.type, view.shape), (kind, (3,)))
            self.assertEqual(view.address, numbers.buffer_info()[0])
            self.assertEqual(content(view), [1, 2, 3])

    def test_bytes_are_read_in_place(self):
        view = arrays.view(b"\x01\x02", "x")
        self.assertEqual((view.type, content(view)), (c.MOPT_U8, [1, 2]))

    def test_two_dimensions(self):
        numbers = memoryview(array.array("f", range(6))).cast("B").cast(
            "f", (2, 3))
        view = arrays.view(numbers, "x")
        self.assertEqual(view.shape, (2, 3))
        self.assertEqual(content(view), [[0, 1, 2], [3, 4, 5]])

    def test_gaps_between_elements_are_copied(self):
        numbers = memoryview(array.array("i", range(6)))[::2]
        view = arrays.view(numbers, "x")
        self.assertTrue(view.packed_rows())
        self.assertEqual(content(view), [0, 2, 4])

    def test_reversed_rows_are_copied(self):
        view = arrays.view(memoryview(array.array("i", range(3)))[::-1], "x")
        self.assertEqual(content(view), [2, 1, 0])

    def test_types_without_a_place_are_converted(self):
        view = arrays.view(array.array("H", [1, 60000]), "x")
        self.assertEqual((view.type, content(view)),
                         (c.MOPT_I64, [1, 60000]))

    def test_lists(self):
        view = arrays.view([[1, 2.5], [3, 4]], "x")
        self.assertEqual((view.type, content(view)),
                         (c.MOPT_F64, [[1, 2.5], [3, 4]]))
        view = arrays.view((True, 2), "y")
        self.assertEqual((view.type, content(view)), (c.MOPT_I64, [1, 2]))
        self.assertEqual(arrays.view([], "x").shape, (0,))
        view = arrays.view(range(3), "y")
        self.assertEqual(content(view), [0, 1, 2])

    def test_what_is_no_array_is_named(self):
        for wrong in ("text", {"a": 1}, 3, None, [1, "a"], [[1], 2],
                      [[1], [2, 3]], [2 ** 70], object()):
            with self.assertRaises((TypeError, ValueError, OverflowError)) \
                    as caught:
                arrays.view(wrong, "name")
            self.assertIn("name", str(caught.exception))

    def test_array_interface(self):
        memory = (ctypes.c_float * 6)(*range(6))
        view = arrays.view(Interface(memory, typestr="<f4", shape=(2, 3)),
                           "x")
        self.assertEqual(view.address, ctypes.addressof(memory))
        self.assertEqual(content(view), [[0, 1, 2], [3, 4, 5]])
        owner = Interface(memory, typestr="<f4", shape=(6,))
        gone = weakref.ref(owner)
        view = arrays.view(owner, "x")
        del owner
        gc.collect()
        self.assertIsNotNone(gone())
        view = arrays.view(Interface(memory, typestr="<f4", shape=(3, 2),
                                     strides=(4, 12)), "x")
        self.assertEqual(content(view), [[0, 3], [1, 4], [2, 5]])
        with self.assertRaisesRegex(TypeError, "x: .*<f2"):
            arrays.view(Interface(memory, typestr="<f2", shape=(3,)), "x")
        with self.assertRaisesRegex(TypeError, "x: .*>f4"):
            arrays.view(Interface(memory, typestr=">f4", shape=(3,)), "x")

    def test_floats(self):
        view = arrays.floats([[1, 2], [3, 4]], "x")
        self.assertEqual((view.format, view.count), ("f", 4))
        self.assertEqual([view.pointer[i] for i in range(4)], [1, 2, 3, 4])
        numbers = array.array("f", [1, 2])
        self.assertEqual(arrays.floats(numbers, "x").address,
                         numbers.buffer_info()[0])

    def test_memory_lives_as_long_as_the_view(self):
        class Memory(array.array):
            pass
        numbers = Memory("f", [1, 2, 3])
        gone = weakref.ref(numbers)
        view = arrays.view(numbers, "x")
        del numbers
        gc.collect()
        self.assertIsNotNone(gone())
        self.assertEqual(content(view), [1, 2, 3])
        del view
        gc.collect()
        self.assertIsNone(gone())


class Out(unittest.TestCase):

    def test_rows_and_elements(self):
        out = modelopt.Array((2, 3))
        for i in range(6):
            out.pointer[i] = i
        self.assertEqual(out.tolist(), [[0, 1, 2], [3, 4, 5]])
        self.assertEqual(len(out), 2)
        self.assertEqual(out[1][2], 5)
        self.assertEqual(out[-1].tolist(), [3, 4, 5])
        self.assertEqual([sum(row) for row in out], [3, 12])
        out[0][1] = 9
        self.assertEqual(out.pointer[1], 9)
        with self.assertRaises(IndexError):
            out[2]
        with self.assertRaises(TypeError):
            out[0] = 1

    def test_no_rows(self):
        out = modelopt.Array((0, 3))
        self.assertEqual((len(out), out.tolist()), (0, []))

    def test_it_goes_back_in_without_a_copy(self):
        out = modelopt.Array((2, 2))
        view = arrays.view(out, "x")
        self.assertEqual(view.address, ctypes.addressof(out.pointer.contents))


@unittest.skipUnless(numpy, "numpy is not there")
class Numpy(unittest.TestCase):

    def test_layouts(self):
        base = numpy.arange(24, dtype="float32").reshape(4, 6)
        for x, copied in ((base, False), (base[:, :4], False),
                          (base[::2], False), (base[:, ::2], True),
                          (base.T, True), (base[::-1], True),
                          (base[:0], False), (base[:1, 2:], False)):
            view = arrays.view(x, "x")
            self.assertEqual(content(view), x.tolist())
            if x.size:
                self.assertEqual(view.address != x.ctypes.data, copied)

    def test_types(self):
        for name in ("float32", "float64", "uint8", "int8", "int16", "int32",
                     "int64", "bool", "uint16", "uint32", "float16"):
            x = numpy.array([[0, 1], [1, 0]], dtype=name)
            self.assertEqual(content(arrays.view(x, "x")), x.tolist(), name)
        x = numpy.array([1, 2], dtype=">f4")
        self.assertEqual(content(arrays.view(x, "x")), [1, 2])

    def test_out_without_a_copy(self):
        out = modelopt.Array((2, 3))
        seen = numpy.asarray(out)
        out.pointer[4] = 7
        self.assertEqual((seen.shape, seen[1, 1]), ((2, 3), 7))


@unittest.skipUnless(torch, "PyTorch is not there")
class Torch(unittest.TestCase):

    def test_layouts(self):
        base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
        for x, copied in ((base, False), (base[:, :4], False),
                          (base[:, ::2], True), (base.T, True),
                          (base.double(), False), (base.to(torch.int64),
                                                   False)):
            view = arrays.view(x, "x")
            self.assertEqual(content(view), x.tolist())
            self.assertEqual(view.address != x.data_ptr(), copied)

    def test_wrong_types(self):
        with self.assertRaisesRegex(TypeError, "x: .*float32"):
            arrays.view(torch.ones(2, dtype=torch.bfloat16), "x")

    def test_memory_lives_as_long_as_the_view(self):
        view = arrays.view(torch.arange(1000.0), "x")
        gc.collect()
        torch.full((1000,), 7.0)
        self.assertEqual(content(view)[999], 999)


class Oracle(unittest.TestCase):

    @unittest.skipUnless(os.environ.get("MODELOPT_ORACLE_PYTHON"),
                         "MODELOPT_ORACLE_PYTHON is not set")
    def test_again_with_numpy_and_pytorch(self):
        environment = dict(os.environ)
        python = environment.pop("MODELOPT_ORACLE_PYTHON")
        out = subprocess.run([python, __file__], env=environment,
                             capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stderr)


class Setting(unittest.TestCase):

    def test_rows_and_numbers(self):
        a = modelopt.Array((2, 3))
        a[0] = 1, 2, 3
        a[-1] = array.array("d", [4, 5, 6])
        a[1][2] = 9
        self.assertEqual(a.tolist(), [[1, 2, 3], [4, 5, 9]])
        with self.assertRaisesRegex(ValueError, "3 numbers, not 2"):
            a[0] = [1, 2]
        with self.assertRaises(IndexError):
            a[2] = [1, 2, 3]
        with self.assertRaises(TypeError):
            a[0] = 5
        self.assertEqual(a.tolist(), [[1, 2, 3], [4, 5, 9]])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
