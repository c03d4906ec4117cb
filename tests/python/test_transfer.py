# SPDX-License-Identifier: MIT
"""Fine-tuning, adapters, features, weights by a map of names."""

import array
import os
import random
import tempfile
import unittest

import modelopt


def make_data(count=200, seed=1, turned=False, classes=2):
    """Four numbers a row; the class is that of their sums. Turned, the columns
    stand in another order."""
    generator = random.Random(seed)
    x = [[generator.gauss(0, 1) for _ in range(4)] for _ in range(count)]
    y = [int(row[0] + row[1] > row[2]) if classes == 2 else
         int(row[0] > 0) + int(row[1] > 0) for row in x]
    return modelopt.Dataset([row[1:] + row[:1] for row in x] if turned else x,
                            y)


def new_model(units=16):
    model = modelopt.Model([{"type": "dense", "units": units,
                             "activation": "relu"}, {"type": "dense"}],
                           inputs=4, outputs=2)
    model.init(1)
    return model


def trained():
    model = new_model()
    modelopt.Trainer(model, make_data(400, 5), epochs=10).fit()
    return model


def weights(model):
    return {name: model[name].tolist() for name in model.tensors()}


class Tuning(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.source = trained()

    def test_from_a_source_to_a_report(self):
        before = weights(self.source)
        tune = modelopt.Finetune(self.source, make_data(40, 2, True),
                                 make_data(60, 3, True),
                                 training={"epochs": 5})
        tune.fit()
        told = tune.evaluate(make_data(200, 4, True), make_data(100, 6))
        self.assertEqual(told["method"], "full")
        self.assertEqual(told["frozen"], [])
        self.assertEqual(told["trained_params"], told["params"])
        self.assertAlmostEqual(told["gain"], 100 * (
            told["target"]["accuracy"] - told["scratch"]["accuracy"]))
        self.assertAlmostEqual(told["source"]["forgotten"], 100 * (
            told["source"]["before"]["accuracy"]
            - told["source"]["after"]["accuracy"]))
        self.assertEqual(told["untuned"]["accuracy"],
                         self.source.evaluate(
                             make_data(200, 4, True))["accuracy"])
        self.assertIsNone(tune.evaluate()["source"])
        self.assertEqual(weights(self.source), before)
        model = tune.model
        self.assertNotEqual(weights(model), before)
        tune.close()
        self.assertEqual(len(model.predict([[1, 2, 3, 4]]).tolist()[0]), 2)

    def test_methods(self):
        for method, trains in ("full", 114), ("head", 34), ("probe", 34), \
                ("bias", 18), ({"type": "lora", "rank": 2}, 76):
            with self.subTest(method):
                tune = modelopt.Finetune(
                    self.source, make_data(60, 2), method=method,
                    training={"epochs": 1}, baseline=False)
                tune.fit()
                told = tune.evaluate(make_data(50, 4))
                self.assertEqual(told["trained_params"], trains)
                self.assertIsNone(told["scratch"])

    def test_freezing(self):
        tune = modelopt.Finetune(self.source, make_data(60, 2),
                                 freeze="layers.0.*", baseline=False,
                                 training={"epochs": 2})
        tune.fit()
        old, new = weights(self.source), weights(tune.model)
        self.assertEqual(old["layers.0.weight"], new["layers.0.weight"])
        self.assertNotEqual(old["layers.1.weight"], new["layers.1.weight"])
        with self.assertRaisesRegex(LookupError, "layer.9"):
            modelopt.Finetune(self.source, make_data(), freeze="layer.9")

    def test_another_width(self):
        tune = modelopt.Finetune(self.source, make_data(90, 2, classes=3),
                                 training={"epochs": 3}, baseline=False)
        tune.fit()
        told = tune.evaluate(make_data(90, 3, classes=3), make_data(50, 6))
        self.assertIsNone(told["untuned"])
        self.assertIsNotNone(told["source"]["after"])
        self.assertEqual(tune.model.tensors()["layers.1.weight"], (3, 16))

    def test_the_trainer(self):
        tune = modelopt.Finetune(self.source, make_data(60, 2),
                                 training={"epochs": 4}, baseline=False)
        seen = []
        tune.trainer.on_epoch(lambda one: seen.append(one["epoch"]))
        self.assertIs(tune.trainer, tune.trainer)
        tune.fit()
        self.assertEqual(len(seen), 4)
        self.assertEqual(len(tune.trainer.history), 4)
        probe = modelopt.Finetune(self.source, make_data(60, 2),
                                  method="probe")
        with self.assertRaises(modelopt.StateError):
            probe.trainer

    def test_callbacks_end_it(self):
        class Odd(Exception):
            pass

        def fail(trainer):
            raise Odd("of the callback")

        def stop(trainer):
            raise modelopt.Stopped

        tune = modelopt.Finetune(self.source, make_data(60, 2),
                                 training={"epochs": 4}, baseline=False)
        tune.trainer.on_epoch(fail)
        with self.assertRaisesRegex(Odd, "of the callback"):
            tune.fit()
        tune.trainer.on_epoch(stop)
        tune.fit()
        tune.trainer.on_epoch(None)
        tune.fit()
        self.assertEqual(tune.trainer["epoch"], 4)

    def test_cancel(self):
        cancel = modelopt.Cancel()
        tune = modelopt.Finetune(self.source, make_data(60, 2),
                                 training={"epochs": 4}, baseline=False)
        tune.trainer.on_epoch(lambda one: cancel.request())
        with self.assertRaises(modelopt.CanceledError):
            tune.fit(cancel=cancel)
        with self.assertRaises(modelopt.StateError):
            tune.evaluate(make_data(20, 3))
        cancel.reset()
        tune.trainer.on_epoch(None)
        tune.fit(cancel=cancel)
        with self.assertRaises(modelopt.CanceledError):
            cancel.request()
            tune.evaluate(make_data(20, 3), cancel=cancel)

    def test_wrong_arguments(self):
        data = make_data()
        with self.assertRaisesRegex(TypeError, "source: a Model"):
            modelopt.Finetune("old.safetensors", data)
        with self.assertRaisesRegex(TypeError, "train: a Dataset"):
            modelopt.Finetune(self.source, [[1, 2, 3, 4]])
        with self.assertRaisesRegex(TypeError, "validation: a Dataset"):
            modelopt.Finetune(self.source, data, data.read()[0])
        with self.assertRaisesRegex(LookupError, "methud.*method"):
            modelopt.Finetune(self.source, data, methud="head")
        with self.assertRaisesRegex(ValueError, "wish.*full"):
            modelopt.Finetune(self.source, data, method="wish")
        with self.assertRaisesRegex(ValueError, "rank.*0"):
            modelopt.Finetune(self.source, data,
                              method={"type": "lora", "rank": 0})
        with self.assertRaisesRegex(ValueError, "3"):
            modelopt.Finetune(self.source,
                              modelopt.Dataset([[1, 2, 3]] * 9, [0, 1, 0] * 3))
        with self.assertRaisesRegex(ValueError, "labelled|target"):
            modelopt.Finetune(self.source, modelopt.Dataset([[1, 2, 3, 4]]))
        with self.assertRaises(modelopt.StateError):
            modelopt.Finetune(modelopt.Model(
                [{"type": "dense"}], inputs=4, outputs=2), data)
        tune = modelopt.Finetune(self.source, data, training={"epochs": 1})
        with self.assertRaises(modelopt.StateError):
            tune.evaluate(data)
        with self.assertRaisesRegex(TypeError, "source_test: a Dataset"):
            tune.evaluate(data, self.source)
        with self.assertRaises(modelopt.StateError):
            tune.adapter
        tune.close()
        for use in (lambda: tune.fit(), lambda: tune.model,
                    lambda: tune.trainer, lambda: tune.evaluate(data)):
            with self.assertRaisesRegex(modelopt.StateError, "closed"):
                use()


class Adapters(unittest.TestCase):

    def setUp(self):
        self.source = trained()
        self.tune = modelopt.Finetune(
            self.source, make_data(60, 2, True), baseline=False,
            method={"type": "lora", "rank": 2, "alpha": 4},
            training={"epochs": 5})
        self.tune.fit()

    def test_out_in_and_out_again(self):
        before = weights(self.source)
        adapter = self.tune.adapter
        told = adapter.describe()
        self.assertEqual(told["rank"], 2)
        self.assertEqual(told["scale"], 2)
        x = [[1, 2, 3, 4], [-1, 0, 1, 0]]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "adapter.safetensors")
            adapter.save(path)
            again = modelopt.Adapter.load(path)
            with self.assertRaises(OSError):
                adapter.save(os.path.join(folder, "none", "a"))
            with self.assertRaises(FileNotFoundError):
                modelopt.Adapter.load(path + "x")
            self.source.save(path)
            with self.assertRaises(modelopt.FormatError):
                modelopt.Adapter.load(path)
        self.assertEqual(again.describe(), told)
        again.apply(self.source)
        for a, b in zip(self.source.predict(x).tolist(),
                        self.tune.model.predict(x).tolist()):
            for one, other in zip(a, b):
                self.assertAlmostEqual(one, other, 5)
        with self.assertRaises(modelopt.StateError):
            again.apply(self.source)
        again.remove(self.source)
        self.assertEqual(weights(self.source), before)
        with self.assertRaises(modelopt.StateError):
            again.remove(self.source)

    def test_wrong_models(self):
        adapter = self.tune.adapter
        with self.assertRaisesRegex(ValueError, "layers"):
            adapter.apply(new_model(units=5))
        with self.assertRaisesRegex(TypeError, "model: a Model"):
            adapter.apply("source")
        with self.assertRaisesRegex(TypeError, "model: a Model"):
            adapter.remove(None)
        adapter.close()
        with self.assertRaisesRegex(modelopt.StateError, "closed"):
            adapter.describe()

    def test_it_outlives_the_tuning(self):
        adapter = self.tune.adapter
        self.tune.close()
        adapter.apply(self.source)


class Features(unittest.TestCase):

    def test_features_as_npy(self):
        model, data = trained(), make_data(30, 2)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "features.npy")
            model.save_features(data, path)
            with open(path, "rb") as file:
                raw = file.read()
            self.assertIn(b"(30, 16)", raw[:128])
            values = array.array("f", raw[-30 * 16 * 4:])
            # The head on top of them is what the model says.
            head, bias = model["layers.1.weight"], model["layers.1.bias"]
            said = model.predict(data, logits=True).tolist() \
                if "logits" in model.predict.__code__.co_varnames else None
            for i in range(30 if said else 0):
                for k in range(2):
                    self.assertAlmostEqual(said[i][k], bias[k] + sum(
                        a * b for a, b in zip(values[i * 16:], head[k])), 4)
            with self.assertRaisesRegex(ValueError, "layer.*7"):
                model.save_features(data, path, 7)
            with self.assertRaisesRegex(TypeError, "data: a Dataset"):
                model.save_features([[1, 2, 3, 4]], path)
            with self.assertRaises(OSError):
                model.save_features(data, os.path.join(folder, "no", "f"))

    def test_numpy_reads_them(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        model, data = trained(), make_data(30, 2)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "features.npy")
            model.save_features(data, path, 0)
            found = numpy.load(path)
        x = numpy.asarray(data.read()[0])
        want = x @ numpy.asarray(model["layers.0.weight"]).T \
            + numpy.asarray(model["layers.0.bias"])
        numpy.testing.assert_allclose(found, numpy.maximum(want, 0),
                                      rtol=1e-4, atol=1e-5)

    def test_weights_by_names(self):
        model, other = trained(), new_model()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            model.save(path)
            other.load_weights(path)
            self.assertEqual(weights(other), weights(model))
            other = new_model()
            other.load_weights(path, {"layers.1.bias": "layers.1.bias"})
            self.assertEqual(other["layers.1.bias"].tolist(),
                             model["layers.1.bias"].tolist())
            with self.assertRaisesRegex((LookupError, ValueError), "nothing"):
                other.load_weights(path, {"layers.1.bias": "nothing"})


if __name__ == "__main__":
    unittest.main(argv=[__file__])
