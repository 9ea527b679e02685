#!/usr/bin/env python3
"""Writes ops.json: single operations on drawn inputs as PyTorch computes them in double precision.

Run by hand; needs torch. A case holds the operation and its attributes as the IR writes them, the operands' shapes (operand i of case
NAME is random_input(1, "NAME/i") of random_state.py), and PyTorch's result.
"""

import json
import pathlib

import torch
from torch.nn import functional as F

import random_state


def ints(values):
    return "array<i64: " + ", ".join(map(str, values)) + ">"


def conv(strides=(1, 1), padding=(0, 0), dilations=(1, 1), groups=1):
    return (f"strides = {ints(strides)}, padding = {ints([padding[0]] * 2 + [padding[1]] * 2)}, dilations = {ints(dilations)}, "
            f"groups = {groups} : i64", lambda x, w, b: F.conv2d(x, w, b, strides, padding, dilations, groups))


def pool(op, kernel, strides, padding, ceil, count_pad=False):
    attributes = (f"kernel = {ints(kernel)}, strides = {ints(strides)}, padding = {ints([padding[0]] * 2 + [padding[1]] * 2)}, "
                  f"ceil = {str(ceil).lower()}, count_pad = {str(count_pad).lower()}")
    if op == "max_pool":
        return attributes, lambda x: F.max_pool2d(x, kernel, strides, padding, ceil_mode=ceil)
    return attributes, lambda x: F.avg_pool2d(x, kernel, strides, padding, ceil, count_pad)


def conv_transpose(size, strides=(1, 1), padding=(0, 0), dilations=(1, 1), groups=1):
    def function(x, w, b):
        plain = [(x.shape[2 + i] - 1) * strides[i] - 2 * padding[i] + dilations[i] * (w.shape[2 + i] - 1) + 1 for i in (0, 1)]
        more = [size[i] - plain[i] for i in (0, 1)]
        return F.conv_transpose2d(x, w, b, strides, padding, more, groups, dilations)
    return (f"size = {ints(size)}, strides = {ints(strides)}, padding = {ints([padding[0]] * 2 + [padding[1]] * 2)}, "
            f"dilations = {ints(dilations)}, groups = {groups} : i64", function)


def resize(size, mode, align=None):
    return (f"size = {ints(size)}, mode = #cnn.resize_mode<{mode}>, align_corners = {str(bool(align)).lower()}",
            lambda x: F.interpolate(x, size, mode=mode, align_corners=align))


CASES = [
    ("conv2d", [(2, 3, 9, 8), (4, 3, 3, 3), (4,)], *conv()),
    ("conv2d", [(1, 4, 9, 11), (6, 2, 3, 2), (6,)], *conv((2, 3), (1, 2), (2, 1), 2)),
    ("conv2d", [(1, 5, 7, 7), (5, 1, 3, 3), (5,)], *conv((2, 2), (1, 1), groups=5)),
    ("conv2d", [(1, 2, 12, 12), (3, 2, 5, 5), (3,)], *conv((1, 1), (4, 4), (2, 2))),
    ("dense", [(3, 7), (5, 7), (5,)], "", F.linear),
    ("max_pool", [(1, 2, 7, 8)], *pool("max_pool", (3, 2), (2, 2), (1, 1), False)),
    ("max_pool", [(1, 2, 8, 8)], *pool("max_pool", (3, 3), (2, 2), (1, 1), True)),
    ("max_pool", [(1, 1, 5, 5)], *pool("max_pool", (2, 2), (3, 3), (1, 1), True)),
    ("avg_pool", [(1, 2, 7, 8)], *pool("avg_pool", (3, 2), (2, 2), (1, 1), False)),
    ("avg_pool", [(1, 2, 8, 8)], *pool("avg_pool", (3, 3), (2, 2), (1, 1), True)),
    ("avg_pool", [(1, 2, 8, 7)], *pool("avg_pool", (3, 3), (2, 2), (1, 1), True, True)),
    ("batch_norm", [(2, 4, 3, 3), (4,), (4,), (4,), (4,)], "epsilon = 1.0e-3 : f64",
     lambda x, scale, offset, mean, variance: F.batch_norm(x, mean, variance, scale, offset, eps=1e-3)),
    ("softmax", [(3, 11)], "axis = 1 : i64", lambda x: F.softmax(x, 1)),
    ("softmax", [(2, 4, 3, 2)], "axis = 2 : i64", lambda x: F.softmax(x, 2)),
    ("tanh", [(50,)], "", torch.tanh),
    ("sigmoid", [(50,)], "", torch.sigmoid),
    ("clamp", [(50,)], "min = 0.0 : f64, max = 1.0 : f64", lambda x: torch.clamp(x, 0, 1)),
    ("pad", [(1, 2, 4, 5)], f"low = {ints((0, 0, 1, 3))}, high = {ints((0, 0, 2, 4))}, mode = #cnn.pad_mode<reflect>",
     lambda x: F.pad(x, (3, 4, 1, 2), mode="reflect")),
    ("conv2d_transpose", [(2, 4, 5, 6), (4, 3, 3, 2), (6,)], *conv_transpose((9, 19), (2, 3), (1, 0), (1, 2), 2)),
    ("conv2d_transpose", [(1, 3, 4, 4), (3, 5, 2, 2), (5,)], *conv_transpose((8, 8), (2, 2))),
    ("elu", [(50,)], "alpha = 0.5 : f64", lambda x: F.elu(x, 0.5)),
    ("softplus", [(50,)], "", F.softplus),
    ("resize", [(1, 2, 3, 4)], *resize((6, 12), "nearest")),
    ("resize", [(1, 2, 7, 5)], *resize((4, 11), "nearest")),
    ("resize", [(2, 2, 3, 4)], *resize((6, 12), "bilinear", False)),
    ("resize", [(1, 2, 9, 4)], *resize((5, 7), "bilinear", False)),
    ("resize", [(1, 2, 5, 4)], *resize((9, 1), "bilinear", True)),
    ("reduce", [(3, 4, 5)], "kind = #cnn.reduce_kind<mean>, dims = " + ints((0, 2)), lambda x: x.mean((0, 2))),
]


def main():
    cases = []
    for number, (op, shapes, attributes, function) in enumerate(CASES):
        name = f"{op}_{number}"
        inputs = [torch.from_numpy(random_state.random_input(1, f"{name}/{i}", shape)).double()
                  for i, shape in enumerate(shapes)]
        if op == "batch_norm":
            inputs[4] = inputs[4].abs()
        result = function(*inputs)
        cases.append({"name": name, "op": op, "attributes": attributes, "operands": shapes, "shape": list(result.shape),
                      "values": [float(f"{value:.12g}") for value in result.flatten().tolist()]})
    lines = ",\n".join(json.dumps(case) for case in cases)
    (pathlib.Path(__file__).resolve().parent / "ops.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
