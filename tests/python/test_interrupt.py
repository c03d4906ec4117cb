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

ADAPT = """
import modelopt, time
x = modelopt.Array((2000, 50))
data = modelopt.Dataset(x, [i % 2 for i in range(2000)])
def new():
    model = modelopt.Model([{"type": "dense", "units": 200}, {"type": "dense"}],
                           inputs=50, outputs=2)
    model.init(1)
    return model
def teacher(index, x, out):
    if not told:
        print("ready", flush=True)
    told.append(1)
    for _ in range(SLEEPS):
        time.sleep(0.01)
told = []
training = {"epochs": 100000}
MAKE
try:
    if not told:
        USE
except KeyboardInterrupt:
    print("interrupted")
AFTER
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

    def adapt(self, make, use, after="pass", sleeps="0"):
        program = ADAPT.replace("MAKE", make).replace("USE", use)
        out, text, _ = self.interrupt(program.replace("AFTER", after).replace(
            "SLEEPS", sleeps))
        self.assertEqual(out[:2], ["interrupted", "usable"], text)

    def test_distilling(self):
        make = ("d = modelopt.Distill(new(), data, training=training, "
                "baseline=False, outputs='live')\n")
        fit = "print('ready', flush=True); d.fit()"
        step = "assert d.trainer['step'] > 0; d.trainer.step()"
        self.adapt(make + "d.add_teacher(new())", fit, step)
        self.adapt(make + "d.add_teacher(teacher)", "d.fit()", step)

    def test_a_teacher_that_takes_its_time(self):
        """The interrupt reaches the Python code of the teacher."""
        for outputs in "cached", "live":
            make = ("d = modelopt.Distill(new(), data, training=training, "
                    f"baseline=False, outputs='{outputs}')\n"
                    "d.add_teacher(teacher)")
            for use in "d.fit()", "d.trainer; d.fit()":
                self.adapt(make, use, sleeps="10**4")

    def test_tuning(self):
        for baseline in "True", "False":
            self.adapt("t = modelopt.Finetune(new(), data, training=training, "
                       f"baseline={baseline})",
                       "print('ready', flush=True); t.fit()",
                       "assert t.trainer['step'] > 0; t.trainer.step()")

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
