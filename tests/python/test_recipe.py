# SPDX-License-Identifier: MIT
"""Recipes: running, events, stopping, results."""

import copy
import json
import os
import sys
import tempfile
import unittest

import modelopt

DOCUMENT = {
    "data": {"source": {"type": "linear", "count": 600, "features": 10,
                        "classes": 3, "seed": 1},
             "split": {"validation": 0.2, "test": 0.2}},
    "model": {"layers": [
        {"type": "dense", "units": {"choice": [8, 16]},
         "activation": "relu"}, {"type": "dense"}]},
    "train": {"epochs": 3, "optimizer": {
        "type": "adam",
        "learning_rate": {"float": [1e-3, 1e-1], "log": True}}},
    "search": {"trials": 4, "seed": 1}}


class Recipes(unittest.TestCase):

    def test_run(self):
        recipe, events = modelopt.Recipe(DOCUMENT), []
        result = recipe.run(lambda event, data: events.append((event, data)))
        self.assertTrue(result.complete)
        found = result.to_dict()
        self.assertEqual(found["trials"]["complete"], 4)
        self.assertEqual(found["best"], result.best)
        self.assertEqual(found["test"], result.test)
        names = [event for event, _ in events]
        self.assertEqual(names[0], "data")
        self.assertEqual((names.count("trial"), names.count("epoch"),
                          names.count("test")), (4, 12, 1))
        values = {data["number"]: data["values"][0]
                  for event, data in events if event == "trial"}
        self.assertEqual(values[result.best["number"]],
                         max(values.values()))
        self.assertEqual(result.model.describe()["outputs"], 3)

    def test_ways_to_give_one(self):
        text = json.dumps(DOCUMENT)
        space = modelopt.Recipe(DOCUMENT).space().to_dict()
        self.assertEqual(len(space), 2)
        self.assertEqual(modelopt.Recipe(text).space().to_dict(), space)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            self.assertEqual(modelopt.Recipe.load(path).space().to_dict(),
                             space)
            with self.assertRaises(FileNotFoundError):
                modelopt.Recipe.load(path + "x")

    def test_same_seed_same_result(self):
        def run(workers):
            document = copy.deepcopy(DOCUMENT)
            document["search"]["workers"] = workers
            result = modelopt.Recipe(document).run()
            return (result.best, result.test,
                    result.model["layers.0.weight"].tolist())
        self.assertEqual(run(1), run(2))

    def test_replacing_values(self):
        recipe = modelopt.Recipe(DOCUMENT)
        recipe["train.epochs"] = 1
        recipe["train.optimizer.learning_rate"] = 0.01
        self.assertEqual(recipe.to_dict()["train"]["epochs"], 1)
        self.assertEqual(len(recipe.space().to_dict()), 1)
        for path, value, kind in (("train.epochs", -3, ValueError),
                                  ("train.epoch", 3, LookupError),
                                  ("train.epochs", "x", ValueError)):
            with self.assertRaises(kind):
                recipe[path] = value
        self.assertEqual(recipe.to_dict()["train"]["epochs"], 1)

    def test_one_trial_again(self):
        recipe = modelopt.Recipe(DOCUMENT)
        result = recipe.run()
        alone = recipe.apply(result.best["params"])
        self.assertEqual(alone.space().to_dict(), {})
        again = alone.run()
        self.assertEqual(again.best["values"], result.best["values"])
        with self.assertRaises(LookupError):
            recipe.apply({"no.such": 1})

    def test_wrong(self):
        for change, kind, words in (
                ({"trian": {}}, LookupError, "train"),
                ({"train": {"epochs": 0}}, ValueError, "train.epochs"),
                ({"train": {"optimizer": {"type": "adam", "learning_rate": {
                    "float": [2, 1]}}}}, ValueError,
                 "train.optimizer.learning_rate")):
            with self.assertRaisesRegex(kind, words):
                modelopt.Recipe({**DOCUMENT, **change})
        with self.assertRaisesRegex(modelopt.FormatError, "line 1"):
            modelopt.Recipe("{")

    def test_what_the_listener_raises_is_raised(self):
        def listen(event, data):
            if event == "trial" and data["number"] == 1:
                raise ArithmeticError("heard")
        with self.assertRaisesRegex(ArithmeticError, "heard"):
            modelopt.Recipe(DOCUMENT).run(listen)

    def test_stopping(self):
        def listen(event, data):
            if event == "trial" and data["number"] == 1:
                raise modelopt.Stopped
        result = modelopt.Recipe(DOCUMENT).run(listen)
        self.assertFalse(result.complete)
        self.assertEqual(result.to_dict()["trials"]["complete"], 2)

    def test_canceling(self):
        token = modelopt.Cancel()

        def listen(event, data):
            if event == "trial" and data["number"] == 1:
                token.request()
        result = modelopt.Recipe(DOCUMENT).run(listen, cancel=token)
        self.assertFalse(result.complete)
        self.assertLess(result.to_dict()["trials"]["complete"], 4)
        with self.assertRaises(modelopt.CanceledError):
            modelopt.Recipe(DOCUMENT).run(cancel=token)

    def test_report(self):
        result = modelopt.Recipe(DOCUMENT).run()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "r.html")
            result.report(path)
            self.assertGreater(os.path.getsize(path), 1000)
            with self.assertRaises(OSError):
                result.report(os.path.join(folder, "none", "r.html"))

    def test_schema(self):
        self.assertIn("properties", modelopt.recipe_schema())


class Cases(unittest.TestCase):

    def test_cases_and_repeats(self):
        events = []
        result = modelopt.Recipe({
            "data": {"source": {"type": "linear", "count": 200, "classes": 2,
                                "features": 4},
                     "split": {"validation": 0.2, "test": 0.2}},
            "model": {"layers": [{"type": "dense"}]}, "train": {"epochs": 1},
            "repeats": 2, "cases": [{"name": "a"}, {"set": {
                "train.epochs": 2}}]}).run(
                    lambda event, told: events.append((event, told)))
        names = [told for event, told in events if event == "case"]
        self.assertEqual([(one["case"], one["repeat"], one.get("name"))
                          for one in names],
                         [(0, 0, "a"), (0, 1, "a"), (1, 0, None),
                          (1, 1, None)])
        self.assertEqual([len(one["runs"]) for one in result.cases], [2, 2])
        runs = [run["test"]["accuracy"] for run in result.cases[0]["runs"]]
        self.assertAlmostEqual(result.cases[0]["summary"]["mean"]["accuracy"],
                               sum(runs) / 2)
        with self.assertRaises(modelopt.StateError):
            result.model

    def test_stopped_in_a_case(self):
        def stop(event, told):
            if event == "case" and told["case"] == 1:
                raise modelopt.Stopped
        result = modelopt.Recipe({
            "data": {"source": {"type": "linear", "count": 100}},
            "model": {"layers": [{"type": "dense"}]}, "train": {"epochs": 1},
            "cases": [{}, {}]}).run(stop)
        self.assertFalse(result.complete)
        self.assertEqual(len(result.cases), 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
