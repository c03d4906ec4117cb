# SPDX-License-Identifier: MIT
"""Models and trainers; callbacks, extra losses, checkpoints."""

import array
import gc
import os
import random
import sys
import tempfile
import unittest

import modelopt

LAYERS = [{"type": "dense", "units": 8, "activation": "relu"},
          {"type": "dense"}]


def make_data(rows=200, seed=1):
    generator = random.Random(seed)
    x = [[generator.gauss(0, 1) for _ in range(4)] for _ in range(rows)]
    return modelopt.Dataset(x, [int(r[0] + r[1] > r[2]) for r in x])


class Models(unittest.TestCase):

    def test_by_description_and_by_hand(self):
        model = modelopt.Model(LAYERS, inputs=4, outputs=2)
        other = modelopt.Model(inputs=4)
        other.add_dense(8, "relu")
        other.add("dense", units=2)
        for one in (model, other):
            one.init(3)
            self.assertEqual(one.tensors(), {
                "layers.0.weight": (8, 4), "layers.0.bias": (8,),
                "layers.1.weight": (2, 8), "layers.1.bias": (2,)})
        self.assertEqual(model.describe()["params"], 8 * 5 + 2 * 9)
        x = [[1, 2, 3, 4], [0, 0, 0, 0]]
        self.assertEqual(model.predict(x).tolist(), other.predict(x).tolist())

    def test_weights(self):
        model = modelopt.Model(LAYERS, inputs=4, outputs=2)
        model.init(1)
        copy = model.copy()
        values = [[float(i * 4 + j) for j in range(4)] for i in range(8)]
        model["layers.0.weight"] = values
        self.assertEqual(model["layers.0.weight"].tolist(), values)
        self.assertNotEqual(copy["layers.0.weight"].tolist(), values)
        with self.assertRaises(LookupError):
            model["layers.9.weight"]
        with self.assertRaises(ValueError):
            model["layers.0.weight"] = [1.0, 2.0]
        with self.assertRaises(ValueError):
            model["layers.0.bias"] = [float("nan")] * 8

    def test_predictions(self):
        model = modelopt.Model(LAYERS, inputs=4, outputs=2)
        with self.assertRaises(modelopt.StateError):
            model.predict([[1, 2, 3, 4]])
        model.init(1)
        x = array.array("d", range(8))
        out = model.predict(memoryview(x).cast("B").cast("d", (2, 4)))
        self.assertEqual(out.shape, (2, 2))
        again = model.predict(modelopt.Dataset([[0, 1, 2, 3], [4, 5, 6, 7]]))
        self.assertEqual(out.tolist(), again.tolist())
        with self.assertRaisesRegex(ValueError, "3 inputs.*has 4"):
            model.predict([[1, 2, 3]])

    def test_files(self):
        model = modelopt.Model(LAYERS, inputs=4, outputs=2)
        model.init(1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.safetensors")
            model.save(path)
            again = modelopt.Model.load(path)
            with self.assertRaises(OSError):
                model.save(os.path.join(folder, "none", "a"))
            with self.assertRaises(FileNotFoundError):
                modelopt.Model.load(path + "x")
            with open(path, "r+b") as file:
                file.truncate(50)
            with self.assertRaises(modelopt.FormatError):
                modelopt.Model.load(path)
        self.assertEqual(again["layers.1.bias"].tolist(),
                         model["layers.1.bias"].tolist())

    def test_wrong(self):
        for layers in ([{"type": "dens"}], [], "{", {"layer": []},
                       [{"type": "dense", "units": -1}]):
            with self.assertRaises(modelopt.Error):
                modelopt.Model(layers, inputs=4, outputs=2)
        with self.assertRaises(ValueError):
            modelopt.Model(LAYERS, inputs=0, outputs=2)
        with self.assertRaises(OverflowError):
            modelopt.Model(LAYERS, inputs=2 ** 64, outputs=2)


class Training(unittest.TestCase):

    def setUp(self):
        self.train, self.validation = make_data(), make_data(seed=2)
        self.model = modelopt.Model(LAYERS, inputs=4, outputs=2)

    def trainer(self, **settings):
        settings.setdefault("epochs", 4)
        return modelopt.Trainer(self.model, self.train, self.validation,
                                seed=1, **settings)

    def test_fit(self):
        trainer = self.trainer(epochs=20, optimizer={
            "type": "adam", "learning_rate": 0.02})
        with self.assertRaises(modelopt.StateError):
            trainer["loss"]
        trainer.fit()
        self.assertEqual(trainer["epoch"], 20)
        self.assertGreater(trainer["validation.accuracy"], 0.9)
        self.assertEqual(len(trainer.history), 20)
        metrics = self.model.evaluate(self.validation)
        self.assertGreater(metrics["accuracy"], 0.9)
        with self.assertRaises(LookupError):
            trainer["no such figure"]

    def test_callbacks(self):
        trainer, seen = self.trainer(), []
        trainer.on_step(lambda t: seen.append("step"))
        trainer.on_epoch(lambda t: seen.append(int(t["epoch"])))
        trainer.fit()
        self.assertEqual([e for e in seen if e != "step"], [1, 2, 3, 4])
        self.assertEqual(seen.count("step"), trainer["step"])
        trainer.on_step(None)
        gc.collect()

    def test_what_a_callback_raises_is_raised(self):
        trainer = self.trainer()

        def hook(_):
            raise ArithmeticError("in the hook")
        trainer.on_epoch(hook)
        for _ in range(2):
            with self.assertRaisesRegex(ArithmeticError, "in the hook"):
                trainer.fit()
        trainer.on_epoch(None)
        trainer.fit()
        self.assertEqual(trainer["epoch"], 4)

    def test_a_callback_ends_training(self):
        trainer = self.trainer(epochs=50)

        def stop(t):
            if t["epoch"] == 3:
                raise modelopt.Stopped
        trainer.on_epoch(stop)
        trainer.fit()
        self.assertEqual(trainer["epoch"], 3)

        def prune(t):
            raise modelopt.Pruned
        trainer = self.trainer(epochs=50)
        trainer.on_epoch(prune)
        with self.assertRaises(modelopt.Pruned):
            trainer.fit()

    def test_pruned_training_prunes_its_trial(self):
        study = modelopt.Study({"x": {"int": [0, 9]}}, trials=2)

        def objective(trial):
            trainer = self.trainer()

            def prune(t):
                raise modelopt.Pruned
            trainer.on_epoch(prune)
            trainer.fit()
        study.optimize(objective)
        self.assertEqual(study.count("pruned"), 2)

    def test_steps(self):
        trainer = self.trainer(epochs=2, batch_size=50)
        losses = []
        with self.assertRaises(modelopt.Exhausted):
            while True:
                losses.append(trainer.step())
        self.assertEqual(len(losses), 8)
        other = modelopt.Model(LAYERS, inputs=4, outputs=2)
        again = modelopt.Trainer(other, self.train, self.validation, seed=1,
                                 epochs=2, batch_size=50)
        seen = []
        again.on_step(lambda t: seen.append(int(t["step"])))
        self.assertEqual([again.step() for _ in range(8)], losses)
        self.assertEqual(seen, list(range(1, 9)))

    def test_step_raises_what_its_callback_raises(self):
        trainer = self.trainer()
        trainer.on_step(lambda t: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            trainer.step()

    def test_extra_loss(self):
        """Squared outputs as the only loss: they shrink."""
        trainer = self.trainer(epochs=30, optimizer={
            "type": "adam", "learning_rate": 0.02})
        trainer.set_loss_weight(0.0)
        sizes = set()

        def term(index, output, grad):
            rows, outputs = output.shape
            sizes.add((len(index), rows, outputs))
            loss = 0.0
            for i in range(rows):
                for j in range(outputs):
                    loss += output[i][j] ** 2 / rows
                    grad[i][j] = 2 * output[i][j] / rows
            return loss
        trainer.add_loss(term, weight=2.0)
        before = trainer.step()
        trainer.fit()
        self.assertLess(trainer["loss"], before / 10)
        self.assertTrue(all(a == b and c == 2 for a, b, c in sizes))

    def test_extra_loss_that_raises(self):
        trainer = self.trainer()
        trainer.add_loss(lambda index, output, grad: {}["no"])
        with self.assertRaises(KeyError):
            trainer.fit()

    def test_groups(self):
        trainer = self.trainer()
        self.model.init(5)
        before = self.model["layers.0.weight"].tolist()
        trainer = self.trainer()
        trainer.add_group("layers.0.*", frozen=True)
        with self.assertRaises(LookupError):
            trainer.add_group("layers.7.*", frozen=True)
        trainer.fit()
        self.assertEqual(self.model["layers.0.weight"].tolist(), before)

    def test_checkpoints(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.state")
            trainer = self.trainer(epochs=3)
            trainer.fit()
            trainer.save(path)
            whole = modelopt.Model(LAYERS, inputs=4, outputs=2)
            modelopt.Trainer(whole, self.train, self.validation, seed=1,
                             epochs=6).fit()
            self.model = modelopt.Model(LAYERS, inputs=4, outputs=2)
            trainer = self.trainer(epochs=6)
            trainer.resume(path)
            trainer.fit()
        for name in whole.tensors():
            self.assertEqual(whole[name].tolist(), self.model[name].tolist())

    def test_cancel(self):
        token = modelopt.Cancel()
        trainer = self.trainer(epochs=100)

        def hook(t):
            if t["epoch"] == 2:
                token.request()
        trainer.on_epoch(hook)
        with self.assertRaises(modelopt.CanceledError):
            trainer.fit(cancel=token)
        self.assertLess(trainer["epoch"], 5)
        token.reset()
        trainer.on_epoch(None)
        trainer.fit(cancel=token)
        self.assertEqual(trainer["epoch"], 100)

    def test_a_trainer_keeps_what_it_needs(self):
        trainer = self.trainer()
        del self.train, self.validation, self.model
        gc.collect()
        trainer.fit()
        self.assertEqual(trainer["epoch"], 4)

    def test_wrong(self):
        with self.assertRaisesRegex(LookupError, "epochs"):
            self.trainer(epoch=3)
        with self.assertRaises(ValueError):
            self.trainer(batch_size=0)
        with self.assertRaises(ValueError):
            modelopt.Trainer(modelopt.Model(LAYERS, inputs=3, outputs=2),
                             self.train)
        with self.assertRaisesRegex(TypeError, "train: a Dataset is needed"):
            modelopt.Trainer(self.model, [[1, 2]])
        with self.assertRaises(TypeError):
            modelopt.Trainer(self.model, self.train, None,
                             modelopt.Config("train"), epochs=3)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
