# SPDX-License-Identifier: MIT
"""PyTorch's answers to trainings: reads problems from the JSON file that is
the first argument and prints for each the learning rate of every step and at
the end all weights, or the rates of a plateau schedule, one number a line.
Exit status 77: no PyTorch."""
import json
import math
import sys

try:
    import torch
except ImportError:
    sys.exit(77)

torch.set_num_threads(1)


def train(problem, given):
    shapes = [(8, 5), (8,), (3, 8), (3,)]
    weights, at = [], 0
    for shape in shapes:
        count = math.prod(shape)
        values = given["weights"][at:at + count]
        tensor = torch.tensor(values, dtype=torch.float32).reshape(shape)
        weights.append(tensor.requires_grad_())
        at += count
    x = torch.tensor(given["x"]).reshape(-1, 5)
    y = torch.tensor(given["y"]).long()
    groups = [{"params": weights[0::2]},
              {"params": weights[1::2], "weight_decay": 0.0}]
    names = {"torch": torch, "groups": groups, "weights": weights}
    optimizer = eval(problem["optimizer"], names)
    names["optimizer"] = optimizer
    schedule = eval(problem["schedule"], names)
    rows = problem["batch"] or len(x)
    for _ in range(problem["epochs"]):
        for first in range(0, len(x), rows):
            optimizer.zero_grad()
            hidden = torch.relu(x[first:first + rows] @ weights[0].T +
                                weights[1])
            output = hidden @ weights[2].T + weights[3]
            loss = torch.nn.functional.cross_entropy(output,
                                                     y[first:first + rows])
            loss.backward()
            if problem["clip_norm"]:
                torch.nn.utils.clip_grad_norm_(weights, problem["clip_norm"])
            if problem["clip_value"]:
                torch.nn.utils.clip_grad_value_(weights, problem["clip_value"])
            print(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if schedule and problem["each"] == "step":
                schedule.step()
        if schedule and problem["each"] == "epoch":
            schedule.step()
    for tensor in weights:
        for value in tensor.detach().flatten().tolist():
            print(value)


def plateau(problem, given):
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, eps=0.0, **problem["options"])
    for value in given["values"]:
        schedule.step(value)
        print(optimizer.param_groups[0]["lr"])


with open(sys.argv[1]) as file:
    content = json.load(file)
for lesson in content["lessons"]:
    train(lesson, content)
for lesson in content["plateaus"]:
    plateau(lesson, content)
