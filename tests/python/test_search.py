# SPDX-License-Identifier: MIT
"""Spaces, studies and trials; callbacks that raise."""

import gc
import os
import sys
import tempfile
import threading
import traceback
import unittest

import modelopt
from modelopt import _call

SPACE = {"x": {"float": [-5, 5]}, "n": {"int": [1, 3]},
         "act": {"choice": ["relu", 2, True, None]}}


class Spaces(unittest.TestCase):

    def test_by_hand_and_by_document(self):
        space = modelopt.Space()
        space.add_float("x", -5, 5)
        space.add_int("n", 1, 3)
        space.add_choice("act", ["relu", 2, True, None])
        self.assertEqual(space.to_dict(), modelopt.Space(SPACE).to_dict())

    def test_count(self):
        space = modelopt.Space()
        space.add_int("n", 1, 3)
        space.add_float("x", 0, 1, step=0.25)
        space.add_choice("c", ["a", "b"])
        self.assertEqual(space.count, 30)
        space.add_condition("c", "n", 2)
        self.assertEqual(space.count, 5 + 10 + 5)
        space.add_float("y", 1, 2, log=True)
        self.assertIsNone(space.count)

    def test_conditions(self):
        for value, points in (("a", 4), (["a", "b"], 6), (["b"], 4)):
            space = modelopt.Space()
            space.add_choice("c", ["a", "b"])
            space.add_int("n", 1, 3)
            space.add_condition("n", "c", value)
            self.assertEqual(space.count, points, value)

    def test_wrong(self):
        space = modelopt.Space()
        for arguments in (("x", 2, 1), ("x", float("nan"), 1), ("", 0, 1)):
            with self.assertRaises(ValueError):
                space.add_float(*arguments)
        with self.assertRaises(ValueError):
            space.add_float("x", 1, 2, log=True, step=0.5)
        with self.assertRaises(OverflowError):
            space.add_int("n", 0, 2 ** 70)
        with self.assertRaises(TypeError):
            space.add_int("n", 0, 1.5)
        space.add_float("x", 0, 1)
        with self.assertRaises(modelopt.ExistsError):
            space.add_float("x", 0, 1)
        with self.assertRaises(modelopt.FormatError):
            modelopt.Space("{")


class Studies(unittest.TestCase):

    def test_optimize(self):
        study = modelopt.Study(SPACE, trials=30, seed=1)
        study.optimize(lambda trial: (trial["x"] - 2) ** 2)
        self.assertEqual((len(study), study.count("complete")), (30, 30))
        best = study.best
        values = [trial["values"][0] for trial in study.trials]
        self.assertEqual(best.value, min(values))
        self.assertEqual(best.params, study.trials[best.number]["params"])
        self.assertEqual(best.value, (best["x"] - 2) ** 2)
        self.assertEqual(study.trial(best.number).values, [best.value])

    def test_values_of_every_type(self):
        study = modelopt.Study(SPACE, trials=40, seed=3)
        seen = {}

        def objective(trial):
            for name in trial:
                seen.setdefault(name, set()).add(repr(trial[name]))
            self.assertIn("x", trial)
            self.assertNotIn("y", trial)
            self.assertEqual(trial.get("y", 7), 7)
            return 0
        study.optimize(objective)
        self.assertEqual(seen["n"], {"1", "2", "3"})
        self.assertEqual(seen["act"], {"'relu'", "2", "True", "None"})

    def test_same_seed_same_trials_for_any_workers(self):
        def run(workers):
            study = modelopt.Study(SPACE, trials=20, seed=5, workers=workers)
            study.optimize(lambda trial: trial["x"] * trial["n"])
            return [(t["params"], t["values"]) for t in study.trials]
        self.assertEqual(run(1), run(2))

    def test_workers_are_threads(self):
        study = modelopt.Study(SPACE, trials=12, workers=2)
        both, threads = threading.Barrier(2), set()

        def objective(trial):
            threads.add(threading.get_ident())
            both.wait(20)
            return 0
        study.optimize(objective)
        self.assertEqual(len(threads), 2)
        self.assertNotIn(threading.get_ident(), threads)

    def test_ask_and_tell(self):
        study = modelopt.Study(SPACE, direction="maximize")
        for value in (1, 3, 2):
            study.tell(study.ask(), value)
        study.tell(study.ask(), state="failed", reason="no power")
        self.assertEqual((study.best.value, study.best.number), (3, 1))
        self.assertEqual(study.trials[3]["reason"], "no power")
        trial = study.ask()
        study.tell(trial, 1)
        with self.assertRaises(modelopt.StateError):
            study.tell(trial, 2)
        with self.assertRaisesRegex(ValueError, "state: 'done'"):
            study.tell(study.ask(), 1, state="done")

    def test_several_objectives(self):
        study = modelopt.Study(SPACE, direction="minimize,maximize", trials=4)
        study.optimize(lambda trial: (trial["x"], trial["n"]))
        self.assertEqual(len(study.trial(2).values), 2)
        with self.assertRaisesRegex(ValueError, "2 objectives.*1 value"):
            study.tell(study.ask(), 1.0)

    def test_enqueue(self):
        study = modelopt.Study(SPACE)
        study.enqueue({"x": 1.5, "n": 2})
        trial = study.ask()
        self.assertEqual((trial["x"], trial["n"]), (1.5, 2))

    def test_apply(self):
        study = modelopt.Study({"threads": {"int": [2, 2]},
                                "other": {"int": [1, 2]}})
        config = modelopt.Config("context")
        self.assertEqual(study.ask().apply(config), 1)
        self.assertEqual(config["threads"], "2")

    def test_grid_is_exhausted(self):
        study = modelopt.Study({"n": {"int": [1, 3]}}, sampler="grid")
        found = []
        with self.assertRaises(modelopt.Exhausted):
            while True:
                trial = study.ask()
                found.append(trial["n"])
                study.tell(trial, 0)
        self.assertEqual(sorted(found), [1, 2, 3])

    def test_notes_and_constraints(self):
        study = modelopt.Study(SPACE, trials=2)

        def objective(trial):
            trial.set_note("text", 'a "quoted" text')
            trial.set_note("list", [1, {"a": None}])
            trial.set_constraints([1.0 if trial.number == 0 else -1.0])
            return trial.number
        study.optimize(objective)
        self.assertEqual(study.trials[0]["notes"], {
            "text": 'a "quoted" text', "list": [1, {"a": None}]})
        self.assertEqual(study.best.number, 1)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s.db")
            with modelopt.Study(SPACE, storage=path, name="one",
                                trials=3) as study:
                study.optimize(lambda trial: trial["x"])
                best = study.best.value
            self.assertEqual(modelopt.studies(path), ["one"])
            with modelopt.Study(SPACE, storage=path, name="one", resume=True,
                                trials=5) as study:
                study.optimize(lambda trial: trial["x"])
                self.assertEqual(len(study), 5)
                self.assertLessEqual(study.best.value, best)
            with self.assertRaises(FileNotFoundError):
                modelopt.studies(os.path.join(folder, "none.db"))

    def test_nothing_is_best_of_nothing(self):
        with self.assertRaises(modelopt.NotFoundError):
            modelopt.Study(SPACE).best


class Trouble(unittest.TestCase):

    def test_what_an_objective_raises_is_raised(self):
        class Own(Exception):
            pass
        for workers in (1, 2):
            study = modelopt.Study(SPACE, trials=3000, workers=workers)

            def objective(trial):
                if trial.number == 5:
                    raise Own("five")
                return 0
            try:
                study.optimize(objective)
                self.fail("nothing was raised")
            except Own as error:
                text = "".join(traceback.format_exception(error))
            self.assertIn("in objective\n", text)
            self.assertIn("five", text)
            # The other worker goes on until it hears of it.
            self.assertLess(len(study), 1500)
            study.tell(study.ask(), 1.0)

    def test_all_kinds_of_exceptions(self):
        for error in (KeyboardInterrupt, SystemExit, GeneratorExit,
                      RecursionError, MemoryError, StopIteration):
            study = modelopt.Study(SPACE, trials=3)

            def objective(trial):
                raise error("why")
            with self.assertRaises(error):
                study.optimize(objective)
            self.assertEqual(study.count("complete"), 0)

    def test_caught_exceptions_fail_their_trial(self):
        study = modelopt.Study(SPACE, trials=6)

        def objective(trial):
            if trial.number % 2:
                raise OSError("odd")
            return 0
        study.optimize(objective, catch=(OSError,))
        self.assertEqual((study.count("failed"), study.count("complete")),
                         (3, 3))
        self.assertIn("odd", study.trials[1]["notes"]["error"])

    def test_values_that_are_none(self):
        for value, kind in (("x", ValueError), (None, TypeError),
                            ([1, 2], ValueError), ([], ValueError)):
            study = modelopt.Study(SPACE, trials=3)
            with self.assertRaises(kind):
                study.optimize(lambda trial: value)

    def test_nan_fails_its_trial(self):
        study = modelopt.Study(SPACE, trials=2)
        study.optimize(lambda trial: float("nan"))
        self.assertEqual(study.count("failed"), 2)

    def test_pruned(self):
        study = modelopt.Study(SPACE, trials=3)

        def objective(trial):
            raise modelopt.Pruned
        study.optimize(objective)
        self.assertEqual(study.count("pruned"), 3)

    def test_pruner(self):
        study = modelopt.Study(SPACE, trials=20, pruner="median", seed=2)

        def objective(trial):
            for step in range(5):
                trial.report(step, trial.number + step)
            return trial.number
        study.optimize(objective)
        self.assertGreater(study.count("pruned"), 0)
        self.assertEqual(study.best.value, 0)

    def test_stop(self):
        study = modelopt.Study(SPACE, trials=30)

        def objective(trial):
            if trial.number == 3:
                study.stop()
            return 0
        study.optimize(objective)
        self.assertEqual(study.count("complete"), 4)

    def test_watching(self):
        study = modelopt.Study(SPACE, trials=6, workers=2)
        seen = []
        study.on_trial(lambda trial: seen.append((trial.number, trial.state)))
        study.optimize(lambda trial: 0)
        self.assertEqual(sorted(seen), [(i, "complete") for i in range(6)])

        def watch(trial):
            if trial.number == 8:
                raise ArithmeticError("eight")
        study = modelopt.Study(SPACE, trials=20)
        study.on_trial(watch)
        with self.assertRaisesRegex(ArithmeticError, "eight"):
            study.optimize(lambda trial: 0)
        study.on_trial(None)
        study.optimize(lambda trial: 0)
        self.assertEqual(len(study), 20)

    def test_cancel(self):
        for workers in (1, 2):
            study = modelopt.Study(SPACE, trials=10000, workers=workers)
            token = modelopt.Cancel()

            def objective(trial):
                if trial.number == 3:
                    token.request()
                return 0
            with self.assertRaises(modelopt.CanceledError):
                study.optimize(objective, cancel=token)
            self.assertLess(len(study), 100)
            token.reset()

    def test_a_trial_ends_with_its_objective(self):
        study, kept = modelopt.Study(SPACE, trials=1), []
        study.optimize(lambda trial: kept.append(trial) or 0)
        with self.assertRaises(modelopt.StateError):
            kept[0].params

    def test_searches_inside_searches(self):
        def inner(trial):
            study = modelopt.Study(SPACE, trials=3, seed=trial.number)
            study.optimize(lambda t: t["x"])
            return study.best.value
        outer = modelopt.Study(SPACE, trials=4, workers=2)
        outer.optimize(inner)
        self.assertEqual(outer.count("complete"), 4)

    def test_many_objects_come_and_go(self):
        for _ in range(50):
            study = modelopt.Study(SPACE, trials=2)
            study.optimize(lambda trial: trial["x"])
            trial = study.best
            del study
            gc.collect()
            self.assertIsInstance(trial.value, float)

    def test_from_a_thread_that_is_not_the_main_one(self):
        found = []

        def work():
            study = modelopt.Study(SPACE, trials=5)
            study.optimize(lambda trial: trial["x"])
            found.append(len(study))
            found.append(_call.inherited_cancel())  # not that of the search
            try:
                study.optimize(lambda trial: 1 / 0)
                modelopt.Study(SPACE, trials=5).optimize(lambda trial: 1 / 0)
            except ZeroDivisionError:
                found.append("raised")
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(found, [5, None, "raised"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
