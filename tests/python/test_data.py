# SPDX-License-Identifier: MIT
"""Data sets from memory, files and generators; who keeps memory alive."""

import array
import gc
import os
import sys
import tempfile
import unittest
import weakref

import modelopt
from modelopt import data as module

X = [[1, 2.5], [3, 4], [5, 6], [7, 8]]


class Memory(array.array):
    """An array that can be watched."""


def rows(count, width):
    return memoryview(Memory("f", range(count * width))).cast("B").cast(
        "f", (count, width))


class Images(unittest.TestCase):

    def learn(self, data):
        """The weights after an epoch of rows that move sideways."""
        model = modelopt.Model([{"type": "dense", "units": 2}], inputs=24)
        trainer = modelopt.Trainer(model, data, epochs=1, seed=1,
                                   augment={"shift": 1})
        trainer.fit()
        return model.predict(rows(3, 24)).tolist()

    def test_shapes(self):
        flat = modelopt.Dataset(rows(3, 24), [0, 1, 0])
        with self.assertRaisesRegex(modelopt.InvalidError, "no images"):
            self.learn(flat)
        wide = flat.as_images(6, 4)
        view = memoryview(array.array("f", range(72))).cast("B")
        same = modelopt.Dataset(view.cast("f", (3, 4, 6)), [0, 1, 0])
        planes = modelopt.Dataset(view.cast("f", (3, 2, 4, 3)), [0, 1, 0])
        self.assertEqual(same.features, 24)
        self.assertEqual(self.learn(same), self.learn(wide))
        self.assertEqual(self.learn(planes),
                         self.learn(flat.as_images(3, 4, 2)))
        self.assertNotEqual(self.learn(planes), self.learn(wide))
        with self.assertRaises(modelopt.InvalidError):
            flat.as_images(5, 5)


class FromMemory(unittest.TestCase):

    def test_classes(self):
        data = modelopt.Dataset(X, [0, 1, 1, 0])
        self.assertEqual((len(data), data.rows, data.features, data.targets,
                          data.kind), (4, 4, 2, 2, "class"))
        x, y = data.read()
        self.assertEqual((x.tolist(), y.tolist()), (X, [0, 1, 1, 0]))
        x, y = data.read(1, 2)
        self.assertEqual((x.tolist(), y.tolist()), (X[1:3], [1, 1]))
        for first, count in ((-1, 1), (0, 5), (3, 2), (0, -1)):
            with self.assertRaises(IndexError):
                data.read(first, count)

    def test_numbers(self):
        data = modelopt.Dataset(X, [[1.5, 2], [3, 4], [5, 6], [7, 8]])
        self.assertEqual((data.kind, data.targets), ("number", 2))
        self.assertEqual(data.read()[1].tolist()[0], [1.5, 2])
        data = modelopt.Dataset(X, [1.5, 2.5, 3.5, 4.5])
        self.assertEqual((data.kind, data.targets), ("number", 1))

    def test_no_target(self):
        data = modelopt.Dataset(X)
        self.assertEqual((data.kind, data.read()[1]), ("none", None))

    def test_types(self):
        for code in "fdBbhiq":
            x = array.array(code, [1, 2, 3])
            data = modelopt.Dataset(x, array.array("B", [0, 1, 0]))
            self.assertEqual(data.read()[0].tolist(), [[1], [2], [3]])

    def test_rows_with_gaps(self):
        x = rows(4, 3)
        self.assertEqual(modelopt.Dataset(x[::2]).read()[0].tolist(),
                         [[0, 1, 2], [6, 7, 8]])

    def test_wrong(self):
        for x, y, kind in ((X, [0, 1], ValueError), (X, 3, TypeError),
                           (X, [0, 1, 1, -1], modelopt.InvalidError),
                           ("x", None, TypeError), ([], None, ValueError),
                           (X, [[0, 1]] * 4, ValueError),
                           ([[1], [2, 3]], None, ValueError)):
            with self.assertRaises(kind):
                modelopt.Dataset(x, y)
        with self.assertRaisesRegex(ValueError, "row 1"):
            modelopt.Dataset(X, [0, 5, 1, 1], classes=2)

    def test_a_failure_lets_go_of_the_memory(self):
        before = len(module._kept)
        with self.assertRaises(ValueError):
            modelopt.Dataset(X, [0, 1, 1, -1])
        self.assertEqual(len(module._kept), before)


class Lifetime(unittest.TestCase):

    def test_memory_lives_until_the_last_view_ends(self):
        memory = Memory("f", range(8))
        gone = weakref.ref(memory)
        data = modelopt.Dataset(memory)
        del memory
        part = data.select([1, 2])
        data.close()
        gc.collect()
        self.assertIsNotNone(gone())
        self.assertEqual(part.read()[0].tolist(), [[1], [2]])
        del part
        gc.collect()
        self.assertIsNone(gone())

    def test_closing_lets_go_of_the_memory(self):
        before = len(module._kept)
        with modelopt.Dataset(X) as data:
            self.assertEqual(len(module._kept), before + 1)
        self.assertEqual(len(module._kept), before)
        with self.assertRaisesRegex(modelopt.StateError, "closed"):
            len(data)


class Parts(unittest.TestCase):

    def setUp(self):
        self.data = modelopt.Dataset([[i] for i in range(20)],
                                     [i % 2 for i in range(20)])

    def read(self, *parts):
        return sorted(row[0] for part in parts
                      for row in part.read()[0].tolist())

    def test_split(self):
        train, validation, test = self.data.split(0.25, 0.25, seed=3)
        self.assertEqual([len(p) for p in (train, validation, test)],
                         [10, 5, 5])
        self.assertEqual(self.read(train, validation, test),
                         list(range(20)))
        train, validation, test = self.data.split(validation=4)
        self.assertEqual((len(train), len(validation), test), (16, 4, None))
        with self.assertRaises(ValueError):
            self.data.split(test=20)
        with self.assertRaisesRegex(LookupError, "split.stratify"):
            self.data.split(0.5, stratfy=True)

    def test_fold(self):
        seen = []
        for fold in range(4):
            train, validation = self.data.fold(4, fold, seed=1)
            self.assertEqual((len(train), len(validation)), (15, 5))
            seen.append(validation)
        self.assertEqual(self.read(*seen), list(range(20)))

    def test_select(self):
        part = self.data.select(iter([5, 5, 0]))
        self.assertEqual(part.read()[0].tolist(), [[5], [5], [0]])
        with self.assertRaisesRegex(ValueError, "20"):
            self.data.select([0, 20])

    def test_transform(self):
        transform = modelopt.Transform.fit(self.data, scale="minmax")
        x = transform.apply(self.data).read()[0].tolist()
        self.assertEqual((x[0][0], x[19][0]), (0, 1))
        with self.assertRaises(LookupError):
            modelopt.Transform.fit(self.data, scaling="minmax")


class Sources(unittest.TestCase):

    def test_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.csv")
            with open(path, "w", encoding="utf-8") as file:
                file.write("size,colour,kind\n1,red,a\n2,blue,b\n3,red,a\n")
            data = modelopt.Dataset.load("csv", path=path, target="kind")
        self.assertEqual((len(data), data.kind, data.targets),
                         (3, "class", 2))
        ready = modelopt.Transform.fit(data).apply(data)
        self.assertEqual(ready.features, 3)

    def test_generated(self):
        data = modelopt.Dataset.load("linear", count=50, seed=1)
        again = modelopt.Dataset.load("linear", count=50, seed=1)
        self.assertEqual(data.read()[0].tolist(), again.read()[0].tolist())
        config = modelopt.Config("data", {
            "source": {"type": "linear", "count": 50, "seed": 1}})
        third = modelopt.Dataset.load(config)
        self.assertEqual(data.read()[1].tolist(), third.read()[1].tolist())

    def test_wrong(self):
        with self.assertRaises(FileNotFoundError):
            modelopt.Dataset.load("csv", path="/no/such/file.csv")
        with self.assertRaisesRegex(ValueError, "nearest is 'csv'"):
            modelopt.Dataset.load("cvs", path="x")
        with self.assertRaisesRegex(LookupError, "source.path"):
            modelopt.Dataset.load("csv", pth="x")
        with self.assertRaisesRegex(ValueError, "part: 'tset'"):
            modelopt.Dataset.load("csv", "tset", path="x")
        with self.assertRaises(TypeError):
            modelopt.Dataset.load({"source": "csv"}, path="x")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
