# SPDX-License-Identifier: MIT
"""tests/unit/nn/oracle.py: what PyTorch and scikit-learn say.

usage: oracle.py losses|model|metrics IN OUT

IN and OUT are safetensors files, so that the package reads what the library
writes and the library what the package writes. Exit status 77: a module is
missing.
"""

import json
import sys

try:
    import numpy as np
    import safetensors.torch
    import torch
    import torch.nn.functional as F
    from safetensors import safe_open
except ImportError:
    sys.exit(77)


def losses(given):
    """Values and gradients of the losses, then of the activations."""
    answers = {}

    def add(name, compute):
        x = given["x"].double().requires_grad_()
        value = compute(x)
        value.backward()
        answers[name] = value.detach()
        answers[name + ".grad"] = x.grad

    y = given["classes"].long()
    numbers = given["numbers"].double()
    shares = given["shares"].double()
    weights = given["weights"].double()
    binary = (y % 2).double()
    add("cross_entropy", lambda x: F.cross_entropy(x, y))
    add("smoothed", lambda x: F.cross_entropy(x, y, label_smoothing=0.1))
    add("weighted", lambda x: F.cross_entropy(x, y, weight=weights))
    add("both", lambda x: F.cross_entropy(
        x, y, weight=weights, label_smoothing=0.3))
    add("binary", lambda x: F.binary_cross_entropy_with_logits(
        x[:, 0], binary))
    by_row = weights[y % 2]
    add("binary_weighted", lambda x: F.binary_cross_entropy_with_logits(
        x[:, 0], binary, weight=by_row, reduction="sum") / by_row.sum())
    add("binary_numbers", lambda x: F.binary_cross_entropy_with_logits(
        x, shares))
    add("mse", lambda x: F.mse_loss(x, numbers))
    add("mae", lambda x: F.l1_loss(x, numbers))
    add("huber", lambda x: F.huber_loss(x, numbers, delta=0.3))

    functions = {
        "relu": F.relu,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.01),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "gelu": F.gelu,
        "silu": F.silu,
        "softmax": lambda x: F.softmax(x, dim=1),
    }
    for name, function in functions.items():
        x = given["x"].double().requires_grad_()
        out = function(x)
        out.backward(numbers)
        answers[name] = out.detach()
        answers[name + ".grad"] = x.grad
    return answers, None


def model(given, path):
    """Read a model file, answer for "x" (in a file beside it), and write the
    model again as the package does it, in other types."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    tree = json.loads(metadata["modelopt.model"])
    assert tree["inputs"] == 7
    x = safetensors.torch.load_file(path + ".x")["x"].double()
    for i, layer in enumerate(tree["layers"]):
        if layer["type"] == "dense":
            x = F.linear(x, given[f"layers.{i}.weight"].double(),
                         given[f"layers.{i}.bias"].double())
            name = layer.get("activation", "none")
            x = {"none": lambda v: v, "gelu": F.gelu,
                 "softmax": lambda v: F.softmax(v, dim=1)}[name](x)
    for suffix, dtype in (("f32", torch.float32), ("f64", torch.float64),
                          ("f16", torch.float16), ("bf16", torch.bfloat16)):
        safetensors.torch.save_file(
            {k: v.to(dtype).contiguous() for k, v in given.items()},
            f"{path}.{suffix}", metadata=metadata)
    return {"y": x}, None


def metrics(given):
    """The figures of scikit-learn."""
    try:
        from sklearn import metrics as m
    except ImportError:
        sys.exit(77)
    x = given["x"].double()
    y = given["classes"].long().numpy()
    said = x.argmax(dim=1).numpy()
    p = F.softmax(x, dim=1).numpy()
    truth, guess = given["numbers"].double().numpy(), x.numpy()
    one = x[:, 0].numpy()
    figures = {
        "accuracy": m.accuracy_score(y, said),
        "macro_f1": m.f1_score(y, said, average="macro", zero_division=0),
        "macro_precision": m.precision_score(
            y, said, average="macro", zero_division=0),
        "macro_recall": m.recall_score(
            y, said, average="macro", zero_division=0),
        "auc": m.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "auc_binary": m.roc_auc_score(y % 2, one),
        "auc_ties": m.roc_auc_score(y % 2, np.round(one)),
        "accuracy_binary": m.accuracy_score(y % 2, one > 0),
        "mse": m.mean_squared_error(truth, guess),
        "rmse": m.mean_squared_error(truth, guess) ** 0.5,
        "mae": m.mean_absolute_error(truth, guess),
        "r2": m.r2_score(truth, guess),
        "loss": float(F.cross_entropy(x, given["classes"].long())),
    }
    answers = {k: torch.tensor([v], dtype=torch.float64)
               for k, v in figures.items()}
    answers["confusion"] = torch.tensor(m.confusion_matrix(y, said)).double()
    return answers, None


def main():
    command, source, target = sys.argv[1:]
    given = safetensors.torch.load_file(source)
    if command == "model":
        answers, metadata = model(given, source)
    else:
        answers, metadata = {"losses": losses, "metrics": metrics}[command](
            given)
    safetensors.torch.save_file(
        {k: v.contiguous() for k, v in answers.items()}, target,
        metadata=metadata)


main()
