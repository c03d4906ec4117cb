# SPDX-License-Identifier: MIT
"""What asking and telling costs Optuna when many processes share a study, to
be run beside bench/many.c: 10 parameters, random search. One JSON line.

    bench/many.py STORAGE [PROCESSES [TRIALS]]   needs Optuna, and psycopg2 for
                                                 postgresql+psycopg2://...
"""

import json
import multiprocessing
import os
import sys
import time

import optuna


def work(storage, name, trials, start):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=name, storage=storage,
                              sampler=optuna.samplers.RandomSampler())
    start.wait()
    for i in range(trials):
        trial = study.ask()
        for p in range(10):
            trial.suggest_float(f"p{p}", 0, 1)
        study.tell(trial, float(i))


def main():
    storage = sys.argv[1]
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    trials = int(sys.argv[3]) if len(sys.argv) > 3 else 500
    name = f"many-{os.getpid()}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name=name, storage=storage)
    start = multiprocessing.Event()
    workers = [multiprocessing.Process(target=work,
                                       args=(storage, name, trials, start))
               for _ in range(processes)]
    for worker in workers:
        worker.start()
    time.sleep(3)
    begin = time.monotonic()
    start.set()
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - begin
    done = sum(t.state.is_finished() for t in study.get_trials(deepcopy=False))
    print(json.dumps({
        "bench": "many", "peer": "optuna " + optuna.__version__,
        "store": storage.split(":")[0], "processes": processes,
        "trials": processes * trials, "complete": done,
        "per_second": round(processes * trials / seconds),
        "fine": done == processes * trials}))


if __name__ == "__main__":
    main()
