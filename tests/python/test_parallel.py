# SPDX-License-Identifier: MIT
"""Plans of how ranks share one training, in Python."""

import unittest

import modelopt


def make_model():
    return modelopt.Model({"layers": [
        {"repeat": 3, "layers": [{"type": "dense", "units": 64,
                                  "activation": "relu"}]},
        {"type": "dense"}]}, inputs=20, outputs=3)


class ParallelTest(unittest.TestCase):
    def test_what_was_said(self):
        plan = modelopt.Parallel(make_model(), 8, data=2, tensor=2,
                                 pipeline=2, schedule="gpipe",
                                 training={"batch_size": 64, "parts": 16})
        told = plan.to_dict()
        self.assertEqual(plan.mesh, (2, 2, 2))
        self.assertEqual(told["schedule"], "gpipe")
        self.assertEqual(told["parts"], 16)
        self.assertAlmostEqual(plan.seconds, sum(told["costs"].values()))

    def test_what_was_chosen_is_the_fastest(self):
        plan = modelopt.Parallel(make_model(), 4)
        meshes = plan.to_dict()["alternatives"]
        self.assertEqual(len(meshes), 6)
        self.assertEqual(plan.seconds, min(m["seconds"] for m in meshes))

    def test_errors(self):
        with self.assertRaisesRegex(modelopt.InvalidError, "3 x 0 x 0"):
            modelopt.Parallel(make_model(), 4, data=3)
        with self.assertRaises(modelopt.UnknownKeyError):
            modelopt.Parallel(make_model(), 4, tensors=2)
        with self.assertRaisesRegex(modelopt.InvalidError, "memory_limit"):
            modelopt.Parallel(make_model(), 4, memory_limit=10)

    def test_a_token(self):
        token = modelopt.Cancel()
        modelopt.Parallel(make_model(), 4, cancel=token)
        token.request()
        with self.assertRaises(modelopt.CanceledError):
            modelopt.Parallel(make_model(), 4, cancel=token)

    def test_of_a_recipe(self):
        recipe = modelopt.Recipe({
            "data": {"source": {"type": "linear", "count": 100}},
            "model": {"layers": [{"type": "dense"}]},
            "parallel": {"data": 2}})
        self.assertEqual(recipe.plan(2).mesh, (2, 1, 1))
        with self.assertRaises(modelopt.InvalidError):
            recipe.plan(3)


if __name__ == "__main__":
    unittest.main()
