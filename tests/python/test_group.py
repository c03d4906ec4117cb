# SPDX-License-Identifier: MIT
"""Groups of ranks in Python."""

import array
import os
import struct
import tempfile
import threading
import unittest

import modelopt


def make_trainer(rank_data, settings):
    model = modelopt.Model({"layers": [
        {"type": "dense", "units": 8, "activation": "relu"},
        {"type": "dense"}]}, inputs=4, outputs=3)
    return modelopt.Trainer(model, rank_data, epochs=3, batch_size=16,
                            seed=2, **settings)


class GroupTest(unittest.TestCase):
    def test_collective_calls(self):
        seen = {}

        def work(group):
            rank, size = group.rank, group.size
            single = array.array("f", [rank, 1.0])
            group.all_reduce(single)
            double = array.array("d", [rank])
            group.all_reduce(double, "max")
            data = bytearray(b"root" if rank == 1 else b"    ")
            group.broadcast(data, 1)
            parts = group.all_gather(struct.pack("i", rank))
            half = group.split(rank % 2)
            group.barrier()
            if rank == 0:
                group.send(1, b"hello")
                word = b""
            else:
                word = group.receive(0, 5) if rank == 1 else b""
            seen[rank] = (single.tolist(), double[0], bytes(data),
                          [struct.unpack("i", p)[0] for p in parts],
                          half.size, word, size)

        modelopt.Group.run(3, work)
        self.assertEqual(seen[1], ([3.0, 3.0], 2.0, b"root", [0, 1, 2], 1,
                                   b"hello", 3))
        self.assertEqual(seen[0][:5], ([3.0, 3.0], 2.0, b"root", [0, 1, 2],
                                       2))

    def test_what_a_rank_raises_is_raised(self):
        def work(group):
            if group.rank == 1:
                raise KeyError("mine")
            group.barrier()

        with self.assertRaises(KeyError):
            modelopt.Group.run(3, work)

    def test_wrong_arguments(self):
        def work(group):
            with self.assertRaises(TypeError):
                group.all_reduce(array.array("i", [1]))
            with self.assertRaises(TypeError):
                group.all_reduce(b"abcd")
            with self.assertRaises(ValueError):
                group.all_reduce(array.array("f", [1]), "mean")
            with self.assertRaises(modelopt.InvalidError):
                group.send(0, b"")

        modelopt.Group.run(1, work)
        with self.assertRaises(modelopt.InvalidError):
            modelopt.Group.run(0, work)

    def test_ranks_train_one_model(self):
        data = modelopt.Dataset.load(
            {"source": {"type": "linear", "count": 90, "features": 4,
                        "classes": 3}})
        weights, lock = {}, threading.Lock()

        def work(group):
            trainer = make_trainer(data, {})
            trainer.set_group(group)
            trainer.fit()
            with lock:
                weights[group.size, group.rank] = \
                    trainer.model["layers.0.weight"].tolist()

        for size in (1, 2, 4):
            modelopt.Group.run(size, work)
        self.assertEqual(len(weights), 7)
        self.assertTrue(all(w == weights[1, 0] for w in weights.values()))

    def test_ranks_share_one_model(self):
        data = modelopt.Dataset.load(
            {"source": {"type": "linear", "count": 90, "features": 4,
                        "classes": 3}})
        layers = {"layers": [
            {"type": "dense", "units": 16, "activation": "relu"},
            {"type": "dense", "units": 16, "activation": "tanh"},
            {"type": "dense"}]}
        settings = {"epochs": 3, "batch_size": 30, "parts": 4}
        learned, lock = {}, threading.Lock()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")

            def work(group, mesh):
                model = modelopt.Model(layers, inputs=4, outputs=3)
                plan = modelopt.Parallel(model, group.size,
                                         training=settings, **mesh)
                trainer = modelopt.Trainer(model, data, plan=plan,
                                           group=group, **settings)
                trainer.fit()
                trainer.export(path)
                trainer.gather()
                with lock:
                    learned[group.size, group.rank] = \
                        model["layers.1.weight"].tolist()

            for size, mesh in ((1, {}), (3, {"pipeline": 3, "tensor": 1}),
                               (2, {"tensor": 2, "pipeline": 1})):
                modelopt.Group.run(size, lambda group: work(group, mesh))
            written = modelopt.Model.load(path)
        self.assertEqual(len(learned), 6)
        for rank in range(3):
            self.assertEqual(learned[3, rank], learned[1, 0])
        self.assertEqual(learned[2, 0], learned[2, 1])
        self.assertEqual(written["layers.1.weight"].tolist(), learned[2, 0])
        for row, other in zip(learned[2, 0], learned[1, 0]):
            for a, b in zip(row, other):
                self.assertAlmostEqual(a, b, places=4)

    def test_a_plan_takes_a_group(self):
        data = modelopt.Dataset.load({"source": {"type": "linear"}})
        model = modelopt.Model({"layers": [{"type": "dense"}]},
                               inputs=data.features, outputs=data.targets)
        plan = modelopt.Parallel(model, 1)
        with self.assertRaises(TypeError):
            modelopt.Trainer(model, data, plan=plan)

    def test_ranks_search_one_study(self):
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            def work(group):
                recipe = modelopt.Recipe({
                    "data": {"source": {"type": "linear", "count": 90},
                             "split": {"validation": 0.3}},
                    "model": {"layers": [
                        {"type": "dense", "units": {"int": [2, 9]}},
                        {"type": "dense"}]},
                    "train": {"epochs": 2},
                    "search": {"trials": 6,
                               "storage": os.path.join(folder, "s.db")}})
                recipe.set_group(group)
                result = recipe.run()
                found[group.rank] = (result.best, result.to_dict()["trials"])
                recipe.set_group(None)

            modelopt.Group.run(3, work)
        self.assertEqual(found[0][1]["complete"], 6)
        self.assertEqual(found[1], found[0])
        self.assertEqual(found[2], found[0])


if __name__ == "__main__":
    unittest.main()
