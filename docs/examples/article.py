# SPDX-License-Identifier: MIT
"""docs/examples/article.py: article.c once more, in Python by ctypes.

    python3 article.py
"""

import modelopt


def load():
    """20,000 rows of 100 normal features; a fifth of them to validate on. The
    transform is fitted on the training rows only."""
    data = modelopt.Dataset.load("linear", count=20000, features=100,
                                 classes=10, seed=1)
    train, validation, _ = data.split(validation=0.2, seed=1)
    transform = modelopt.Transform.fit(train)
    return transform.apply(train), transform.apply(validation)


def make_objective(train, validation):
    def objective(trial):
        """One trial: its parameters are keys of the config."""
        model = modelopt.Model(inputs=100)
        model.add_dense(128, "relu")
        model.add_dense(64, "relu")
        model.add_dense(10, "softmax")
        config = modelopt.Config("train", optimizer="adam", epochs=10, seed=1,
                                 monitor="validation.accuracy")
        trial.apply(config)
        trainer = modelopt.Trainer(model, train, validation, config)
        trainer.fit()
        return trainer["best.accuracy"]
    return objective


def tell(trial):
    print("trial %d: learning rate %g, batch size %d: %.17g" % (
        trial.number, trial["optimizer.learning_rate"], trial["batch_size"],
        trial.value))


def main():
    study = modelopt.Study(
        {"optimizer.learning_rate": {"choice": [0.001, 0.01, 0.1]},
         "batch_size": {"choice": [32, 64, 128]}},
        sampler="grid", direction="maximize")
    study.optimize(make_objective(*load()))
    for number in range(len(study)):
        tell(study.trial(number))
    print("best ", end="")
    tell(study.best)


if __name__ == "__main__":
    main()
