# SPDX-License-Identifier: MIT
"""Distillation: teachers of every kind, what they raise, what is wrong."""

import array
import os
import random
import struct
import tempfile
import unittest

import modelopt

LAYERS = [{"type": "dense", "units": 8, "activation": "relu"},
          {"type": "dense"}]


def rows(count, seed):
    generator = random.Random(seed)
    return [[generator.gauss(0, 1) for _ in range(4)] for _ in range(count)]


def label(row):
    return int(row[0] * row[1] > row[2])


def make_data(count=200, seed=1):
    x = rows(count, seed)
    return modelopt.Dataset(x, [label(row) for row in x])


def logits(row):
    """What a teacher that knows the task says."""
    return (0.0, 4.0) if label(row) else (4.0, 0.0)


def know(index, x, out):
    for i, row in enumerate(x.tolist()):
        out[i] = logits(row)


def student(seed=1, units=8):
    model = modelopt.Model([{"type": "dense", "units": units,
                             "activation": "relu"}, {"type": "dense"}],
                           inputs=4, outputs=2)
    model.init(seed)
    return model


def trained(units=32, epochs=20):
    model = student(2, units)
    modelopt.Trainer(model, make_data(400, 5), epochs=epochs).fit()
    return model


class Distilling(unittest.TestCase):

    def test_a_model_teaches(self):
        teacher, learner = trained(), student()
        before = teacher["layers.0.weight"].tolist()
        distill = modelopt.Distill(
            learner, make_data(), make_data(100, 2), training={"epochs": 3},
            method={"type": "kd", "temperature": 3}, weight=0.8)
        distill.add_teacher(teacher)
        distill.fit()
        told = distill.evaluate(make_data(100, 3))
        self.assertEqual(told["rows"], 100)
        self.assertEqual(told["teacher"]["params"], 4 * 32 + 32 + 32 * 2 + 2)
        self.assertAlmostEqual(told["ratio"], told["teacher"]["params"]
                               / told["student"]["params"])
        for who in "teacher", "alone", "student":
            self.assertAlmostEqual(told[who]["errors"],
                                   100 * (1 - told[who]["accuracy"]))
        self.assertAlmostEqual(told["gap"], told["student"]["errors"]
                               - told["teacher"]["errors"])
        self.assertAlmostEqual(told["gain"], told["alone"]["errors"]
                               - told["student"]["errors"])
        self.assertEqual(distill.evaluate()["rows"], 100)
        self.assertEqual(teacher["layers.0.weight"].tolist(), before)
        self.assertIs(distill.student, learner)
        predicted = learner.predict(rows(5, 9)).tolist()
        distill.close()
        self.assertEqual(learner.predict(rows(5, 9)).tolist(), predicted)

    def test_the_seed_fixes_the_bits(self):
        def once():
            learner = modelopt.Model(LAYERS, inputs=4, outputs=2)
            distill = modelopt.Distill(learner, make_data(), training={
                "epochs": 2, "seed": 5}, baseline=False)
            distill.add_teacher(know)
            distill.fit()
            return learner["layers.0.weight"].tolist()
        self.assertEqual(once(), once())

    def test_a_function_teaches(self):
        """On rows without labels, the student learns the task from it."""
        x, asked = rows(400, 4), set()

        def teacher(index, given, out):
            self.assertEqual(out.shape, (len(index), 2))
            self.assertEqual(given.shape, (len(index), 4))
            for i, number in enumerate(index):
                asked.add(number)
                for a, b in zip(given.tolist()[i], x[number]):
                    self.assertAlmostEqual(a, b, 5)
            know(index, given, out)
        learner = student()
        distill = modelopt.Distill(learner, modelopt.Dataset(x),
                                   training={"epochs": 60}, baseline=False,
                                   weight=1)
        distill.add_teacher(teacher, name="rule")
        distill.fit()
        self.assertEqual(asked, set(range(400)))
        test = make_data(300, 6)
        self.assertGreater(learner.evaluate(test)["accuracy"], 0.8)

    def test_live_outputs(self):
        """Asked in each epoch, about the rows of a batch."""
        calls = []

        def teacher(index, x, out):
            calls.extend(index)
            know(index, x, out)
        distill = modelopt.Distill(student(), make_data(), training={
            "epochs": 2}, outputs="live", baseline=False)
        distill.add_teacher(teacher)
        distill.fit()
        self.assertEqual(sorted(calls), sorted(2 * list(range(200))))

    def test_several_teachers(self):
        def wrong(index, x, out):
            for i, row in enumerate(x.tolist()):
                out[i] = logits(row)[::-1]
        def accuracy(share):
            distill = modelopt.Distill(
                student(), make_data(300), make_data(100, 2),
                training={"epochs": 30, "restore_best": False},
                baseline=False, weight=1)
            distill.add_teacher(know, 1.0, "one")
            distill.add_teacher(wrong, share, "other")
            distill.fit()
            return distill.evaluate()["student"]["accuracy"]
        self.assertGreater(accuracy(0.1), 0.75)
        self.assertLess(accuracy(10), 0.4)

    def test_a_file_teaches(self):
        values = array.array("f", (v for row in rows(200, 1)
                                   for v in logits(row)))
        head = ("{'descr': '<f4', 'fortran_order': False, "
                "'shape': (200, 2), }").ljust(117) + "\n"
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.npy")
            with open(path, "wb") as file:
                file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head))
                           + head.encode() + values.tobytes())
            distill = modelopt.Distill(student(), make_data(), training={
                "epochs": 2}, baseline=False)
            distill.add_teacher(path)
            distill.fit()
            told = distill.evaluate(make_data(50, 3))
            self.assertIsNone(told["teacher"])
            self.assertIsNone(told["gap"])
            self.assertTrue(any("training rows" in text
                                for text in told["warnings"]))
            short = modelopt.Distill(student(), make_data(100))
            short.add_teacher(path)
            with self.assertRaisesRegex(ValueError, "200"):
                short.fit()
        missing = modelopt.Distill(student(), make_data())
        missing.add_teacher("nowhere.npy")
        with self.assertRaises(FileNotFoundError):
            missing.fit()

    def test_the_cache(self):
        """Outputs in a file are not asked for again."""
        calls = []

        def teacher(index, x, out):
            calls.append(len(index))
            know(index, x, out)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "outputs.safetensors")
            for name, asked in ("a", True), ("a", False), ("b", True):
                calls.clear()
                distill = modelopt.Distill(
                    student(), make_data(), training={"epochs": 1},
                    cache=path, baseline=False)
                distill.add_teacher(teacher, name=name)
                distill.fit()
                self.assertEqual(bool(calls), asked, name)
                self.assertTrue(os.path.exists(path))

    def test_the_trainer(self):
        distill = modelopt.Distill(student(), make_data(), make_data(100, 2),
                                   training={"epochs": 3}, baseline=False)
        distill.add_teacher(know)
        seen = []
        trainer = distill.trainer
        trainer.on_epoch(lambda one: seen.append(int(one["epoch"])))
        self.assertIs(distill.trainer, trainer)
        self.assertIs(trainer.model, distill.student)
        distill.fit()
        self.assertEqual(len(seen), 3)
        self.assertEqual(len(trainer.history), 3)

    def test_hints_and_relations(self):
        teacher = trained(epochs=5)
        for settings in ({"hint.weight": 0.1, "hint.teacher": 0,
                          "hint.student": 0}, {"relational.distance": 1.0}):
            with self.subTest(settings):
                distill = modelopt.Distill(student(), make_data(), training={
                    "epochs": 1}, baseline=False, **settings)
                distill.add_teacher(teacher)
                distill.fit()

    def test_raw_rows_are_read_as_the_teacher_reads_them(self):
        """A table with texts: the student takes the teacher's encoding."""
        def table(folder, count, seed):
            generator = random.Random(seed)
            path = os.path.join(folder, f"{seed}.csv")
            with open(path, "w", encoding="utf-8") as file:
                file.write("colour,size,good\n")
                for _ in range(count):
                    colour = generator.choice(["red", "green", "blue"])
                    size = generator.gauss(100, 50)
                    good = (colour == "red") == (size > 100)
                    file.write(f"{colour},{size},{'yes' if good else 'no'}\n")
            return path
        with tempfile.TemporaryDirectory() as folder:
            teacher = modelopt.Recipe({
                "data": {"source": {"type": "csv",
                                    "path": table(folder, 600, 1)}},
                "model": {"layers": [{"type": "dense", "units": 32,
                                      "activation": "relu"},
                                     {"type": "dense"}]},
                "train": {"epochs": 40}, "seed": 1}).run().model
            data = modelopt.Dataset.load("csv", path=table(folder, 300, 2))
            test = modelopt.Dataset.load("csv", path=table(folder, 300, 3))
        size = teacher.describe()
        learner = modelopt.Model(LAYERS, inputs=size["inputs"],
                                 outputs=size["outputs"])
        distill = modelopt.Distill(learner, data, training={"epochs": 60},
                                   baseline=False)
        distill.add_teacher(teacher)
        distill.fit()
        told = distill.evaluate(test)
        self.assertEqual(told["teacher"]["accuracy"],
                         teacher.evaluate(test)["accuracy"])
        self.assertGreater(told["teacher"]["accuracy"], 0.85)
        self.assertGreater(told["student"]["accuracy"], 0.8)
        self.assertEqual(told["student"]["accuracy"],
                         learner.evaluate(test)["accuracy"])
        # A student from a file has its own; its teacher may be a function.
        again = learner.copy()
        distill = modelopt.Distill(again, data, training={"epochs": 1},
                                   baseline=False)
        distill.add_teacher(lambda index, x, out: self.assertEqual(
            x.shape, (len(index), size["inputs"])))
        distill.fit()
        other = modelopt.Transform.fit(data, scale="minmax").apply(data)
        distill = modelopt.Distill(modelopt.Model(
            LAYERS, inputs=size["inputs"], outputs=size["outputs"]), other)
        with self.assertRaisesRegex(ValueError, "give them raw"):
            distill.add_teacher(teacher)

    def test_without_a_teacher(self):
        distill = modelopt.Distill(student(), make_data(), make_data(50, 2),
                                   training={"epochs": 1}, generations=1)
        distill.fit()
        self.assertIsNotNone(distill.evaluate()["teacher"])


class Numpy(unittest.TestCase):

    def test_arrays_in_and_out(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        x = numpy.random.default_rng(0).normal(size=(256, 4))
        y = (x[:, 0] > 0).astype("i8")

        def teacher(index, given, out):
            given, out = numpy.asarray(given), numpy.asarray(out)
            numbers = numpy.asarray(index)
            numpy.testing.assert_allclose(given, x[numbers], rtol=1e-6)
            out[:] = numpy.stack([-given[:, 0], given[:, 0]], 1) * 5
        distill = modelopt.Distill(
            student(), modelopt.Dataset(x, y), training={"epochs": 60},
            baseline=False, weight=1)
        distill.add_teacher(teacher)
        distill.fit()
        told = distill.evaluate(modelopt.Dataset(x, y))
        self.assertGreater(told["student"]["accuracy"], 0.9)
        self.assertEqual(told["teacher"]["errors"], 0)


class Raising(unittest.TestCase):

    def distill(self, teacher, **settings):
        distill = modelopt.Distill(student(), make_data(), make_data(50, 2),
                                   training={"epochs": 2}, **settings)
        distill.add_teacher(teacher)
        return distill

    def test_what_a_teacher_raises_comes_back(self):
        class Odd(Exception):
            pass

        def teacher(index, x, out):
            raise Odd("of the teacher")
        for settings in {}, {"outputs": "live"}:
            with self.subTest(settings):
                distill = self.distill(teacher, **settings)
                with self.assertRaisesRegex(Odd, "of the teacher"):
                    distill.fit()
                # Once more is the same, and nothing else is.
                with self.assertRaisesRegex(Odd, "of the teacher"):
                    distill.fit()

    def test_when_the_trainer_is_asked_for(self):
        def teacher(index, x, out):
            raise KeyError("here")
        with self.assertRaises(KeyError):
            self.distill(teacher).trainer

    def test_callbacks_of_the_trainer(self):
        def fail(trainer):
            raise EOFError("of the trainer")
        distill = self.distill(know)
        distill.trainer.on_epoch(fail)
        with self.assertRaisesRegex(EOFError, "of the trainer"):
            distill.fit()

    def test_when_it_is_measured(self):
        told = []

        def teacher(index, x, out):
            know(index, x, out)
            if told:
                raise ZeroDivisionError
        distill = self.distill(teacher)
        distill.fit()
        told.append(1)
        with self.assertRaises(ZeroDivisionError):
            distill.evaluate(make_data(60, 8))
        told.clear()
        self.assertEqual(distill.evaluate(make_data(60, 8))["rows"], 60)

    def test_after_an_error_it_can_go_on(self):
        fails = [True]

        def teacher(index, x, out):
            if fails and fails.pop():
                raise OSError("not there yet")
            know(index, x, out)
        distill = self.distill(teacher)
        with self.assertRaises(OSError):
            distill.fit()
        distill.fit()
        self.assertEqual(distill.evaluate()["rows"], 50)

    def test_outputs_that_are_not_finite(self):
        def teacher(index, x, out):
            know(index, x, out)
            out[0][0] = float("nan")
        with self.assertRaisesRegex(modelopt.CallbackError, "row 0.*finite"):
            self.distill(teacher).fit()

    def test_a_poor_teacher(self):
        def teacher(index, x, out):
            for i, row in enumerate(x.tolist()):
                out[i] = logits(row)[::-1]
        distill = self.distill(teacher)
        distill.fit()
        self.assertTrue(any("cannot help" in text
                            for text in distill.evaluate()["warnings"]))
        with self.assertRaisesRegex(ValueError, "poor_teacher|no better"):
            self.distill(teacher, poor_teacher="refuse").fit()


class Wrong(unittest.TestCase):

    def test_arguments(self):
        data, model = make_data(), student()
        with self.assertRaisesRegex(TypeError, "student: a Model is needed"):
            modelopt.Distill("student", data)
        with self.assertRaisesRegex(TypeError, "train: a Dataset"):
            modelopt.Distill(model, [[1, 2, 3, 4]])
        with self.assertRaisesRegex(TypeError, "validation: a Dataset"):
            modelopt.Distill(model, data, "validation")
        with self.assertRaisesRegex(LookupError, "temprature.*temperature"):
            modelopt.Distill(model, data,
                             method={"type": "kd", "temprature": 1})
        with self.assertRaisesRegex(LookupError, "epoch"):
            modelopt.Distill(model, data, training={"epoch": 1})
        with self.assertRaisesRegex(ValueError, "weight.*2"):
            modelopt.Distill(model, data, weight=2)
        other = modelopt.Distill(model, modelopt.Dataset(
            [[1, 2, 3]] * 9, [0, 1, 0] * 3))
        other.add_teacher(know)
        with self.assertRaisesRegex(ValueError, "4.*3|3.*4"):
            other.fit()

    def test_teachers(self):
        distill = modelopt.Distill(student(), make_data())
        with self.assertRaises(modelopt.StateError):
            distill.add_teacher(modelopt.Model(LAYERS, inputs=4, outputs=2))
        for weight in 0, -1, float("nan"), float("inf"):
            with self.assertRaisesRegex(ValueError, "weight"):
                distill.add_teacher(know, weight)
        with self.assertRaises(TypeError):
            distill.add_teacher(7)
        with self.assertRaises(TypeError):
            distill.add_teacher(make_data())
        with self.assertRaisesRegex(ValueError, "much"):
            distill.add_teacher(know, "much")
        other = modelopt.Model(LAYERS, inputs=4, outputs=3)
        other.init(1)
        with self.assertRaisesRegex(ValueError, "2"):
            distill.add_teacher(other)
            distill.fit()

    def test_states(self):
        distill = modelopt.Distill(student(), make_data(), make_data(50, 2))
        with self.assertRaises(modelopt.StateError):
            distill.evaluate()
        distill.close()
        with self.assertRaisesRegex(modelopt.StateError, "closed"):
            distill.fit()
        with self.assertRaisesRegex(modelopt.StateError, "closed"):
            distill.trainer
        distill = modelopt.Distill(student(), make_data(), training={
            "epochs": 1}, baseline=False)
        distill.add_teacher(know)
        distill.fit()
        with self.assertRaises(modelopt.StateError):
            distill.add_teacher(know)
        with self.assertRaisesRegex(ValueError, "labelled"):
            distill.evaluate()
        with self.assertRaisesRegex(TypeError, "test: a Dataset"):
            distill.evaluate([[1, 2, 3, 4]])

    def test_a_cancel_token(self):
        cancel = modelopt.Cancel()
        calls = []

        def teacher(index, x, out):
            calls.append(1)
            cancel.request()
            know(index, x, out)
        distill = modelopt.Distill(student(), make_data(), training={
            "epochs": 500}, outputs="live", baseline=False)
        distill.add_teacher(teacher)
        with self.assertRaises(modelopt.CanceledError):
            distill.fit(cancel=cancel)
        self.assertLess(len(calls), 20)

    def test_what_the_library_keeps_lives_on(self):
        """Data, teachers and functions are held as long as they are used."""
        import gc

        def build():
            distill = modelopt.Distill(student(), make_data(), training={
                "epochs": 2}, outputs="live", baseline=False)
            distill.add_teacher(lambda *given: know(*given))
            distill.add_teacher(trained(epochs=1))
            return distill
        distill = build()
        gc.collect()
        distill.fit()
        trainer = distill.trainer
        del distill
        gc.collect()
        self.assertGreater(trainer["step"], 0)


if __name__ == "__main__":
    unittest.main(argv=[__file__])
