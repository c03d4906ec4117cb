# SPDX-License-Identifier: MIT
"""tests/unit/search/interop.py: Optuna's side of test_interop.c.

usage: interop.py probe | read FILE | go-on FILE | write FILE | retries FILE

FILE may be a URL postgresql://... Exit status 77: Optuna is not there, or not
its driver.
"""

import json
import math
import sys
import warnings

warnings.simplefilter("ignore")
try:
    import optuna
except ImportError:
    sys.exit(77)
optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    layers = trial.suggest_int("layers", 1, 3)
    act = trial.suggest_categorical("act", ["relu", "tanh"])
    for i in range(2, layers + 1):
        trial.suggest_int(f"units.{i}", 8, 64, step=8)
    trial.report(lr, 0)
    trial.set_user_attr("who", "optuna")
    return abs(math.log10(lr) + 2.5) + layers + (act == "tanh")


def place(path):
    if "://" not in path:
        return "sqlite:///" + path
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        sys.exit(77)
    return path.replace("postgresql://", "postgresql+psycopg2://")


def load(path):
    return optuna.load_study(study_name="study", storage=place(path))


def read(path):
    """What Optuna sees in a file, as JSON."""
    study = load(path)
    print(json.dumps({
        "best": [study.best_trial.number, study.best_value],
        "directions": [d.name for d in study.directions],
        "trials": [[t.number, t.state.name, t.values, t.params,
                    t.user_attrs,
                    {str(k): None if math.isnan(v) else v
                     for k, v in t.intermediate_values.items()},
                    t.constraints,
                    t.datetime_start is not None,
                    t.datetime_complete is not None]
                   for t in study.trials]}))


def go_on(path):
    """Continue with TPE: what waits first, then trials of its own."""
    study = load(path)
    waiting = [t.number for t in study.trials if t.state.name == "WAITING"]
    # One of ours has its point already: it must come again as it was.
    before = {t.number: t.params for t in study.trials}
    n = len(waiting) + 14
    study.optimize(objective, n_trials=n)
    for number in waiting:
        trial = study.trials[number]
        assert trial.state.name == "COMPLETE", trial
        assert before[number].items() <= trial.params.items(), trial
    study.enqueue_trial({"lr": 0.05, "layers": 3, "units.3": 40})
    print(len(study.trials), study.best_trial.number)


def write(path):
    """A study of Optuna's own."""
    study = optuna.create_study(storage=place(path),
                                study_name="study",
                                sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=15)
    study.enqueue_trial({"lr": 0.05, "layers": 1, "act": "tanh"})
    study.set_user_attr("a", [1, 2])
    print(len(study.trials), study.best_trial.number,
          repr(study.best_value))


def retries(path):
    """What Optuna's callback makes of the first trial, which was retried; and a
    trial as that callback adds it, for the fifth time."""
    study = load(path)
    callback = optuna.storages.RetryFailedTrialCallback
    first = study.trials[0]
    study.add_trial(optuna.create_trial(
        state=optuna.trial.TrialState.WAITING,
        system_attrs={"failed_trial": 0, "retry_history": [0, 0, 0, 0]}))
    print(callback.retried_trial_number(first),
          callback.retry_history(first))


if sys.argv[1] != "probe":
    {"read": read, "go-on": go_on, "write": write,
     "retries": retries}[sys.argv[1]](sys.argv[2])
