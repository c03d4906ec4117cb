# SPDX-License-Identifier: MIT
"""Ctrl-C: programs that are interrupted in the middle of long calls."""

import os
import signal
import subprocess
import sys
import time
import unittest

LIMIT = 30  # seconds; far above what is measured, to see a hang as a failure

SEARCH = """
import modelopt, time
study = modelopt.Study({"x": {"float": [0, 1]}}, trials=100000, workers=WORKERS)
def objective(trial):
    if trial.number == 3:
        print("ready", flush=True)
    BODY
    return trial["x"]
try:
    study.optimize(objective)
except KeyboardInterrupt:
    print("interrupted", study.count("failed"), study.count("running"),
          study.count("complete") > 0)
study.tell(study.ask(), 1.0)
print("usable")
"""

TRAIN = """
import modelopt
x = modelopt.Array((2000, 50))
data = modelopt.Dataset(x, [i % 2 for i in range(2000)])
model = modelopt.Model([{"type": "dense", "units": 200}, {"type": "dense"}],
                       inputs=50, outputs=2)
trainer = modelopt.Trainer(model, data, epochs=100000)
def train():
    print("ready", flush=True)
    trainer.fit()
try:
    WAY
except KeyboardInterrupt:
    print("interrupted", trainer["step"] > 0)
trainer.step()
print("usable")
"""


class Interrupt(unittest.TestCase):

    def interrupt(self, program, times=1, wait=0.15):
        """Run a program, send SIGINT when it is ready; its output and the
        seconds from the signal to its end."""
        child = subprocess.Popen([sys.executable, "-c", program],
                                 stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.PIPE)
        try:
            self.assertEqual(child.stdout.readline().strip(), "ready",
                             child.stderr)
            time.sleep(wait)
            begin = time.monotonic()
            for _ in range(times):
                os.kill(child.pid, signal.SIGINT)
                time.sleep(0.1)
            out, text = child.communicate(timeout=LIMIT)
        finally:
            child.kill()
        return out.split("\n"), text, time.monotonic() - begin

    def test_search(self):
        for workers in "1", "2":
            for body in "time.sleep(0.01)", "pass":
                program = SEARCH.replace("WORKERS", workers).replace(
                    "BODY", body)
                out, text, _ = self.interrupt(program)
                self.assertEqual(out[:2], ["interrupted 0 0 True", "usable"],
                                 text)

    def test_an_objective_that_takes_its_time(self):
        """The interrupt reaches the Python code of the objective."""
        body = ("for _ in range(10**4 if trial.number == 3 else 0): "
                "time.sleep(0.01)")
        for workers in "1", "2":
            out, text, _ = self.interrupt(SEARCH.replace(
                "WORKERS", workers).replace("BODY", body))
            self.assertEqual(out[:2], ["interrupted 0 0 True", "usable"],
                             text)

    def test_training(self):
        out, text, _ = self.interrupt(TRAIN.replace("WAY", "train()"))
        self.assertEqual(out[:2], ["interrupted True", "usable"], text)

    def test_training_inside_an_objective(self):
        """The inner call has no token of its own, and obeys the outer one."""
        way = ('modelopt.Study({"x": {"float": [0, 1]}}, trials=9)'
               ".optimize(lambda trial: train())")
        out, text, _ = self.interrupt(TRAIN.replace("WAY", way))
        self.assertEqual(out[:2], ["interrupted True", "usable"], text)

    def test_a_second_interrupt_does_not_wait(self):
        """One sleep cannot be ended from outside; the second Ctrl-C leaves
        it behind."""
        body = "time.sleep(20 if trial.number == 3 else 0)"
        program = SEARCH.replace("WORKERS", "1").replace("BODY", body)
        program = program[:program.index("except")] + (
            "except KeyboardInterrupt:\n    print('left')\n")
        out, text, seconds = self.interrupt(program, times=2)
        self.assertEqual(out[0], "left", text)
        self.assertLess(seconds, 15)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
