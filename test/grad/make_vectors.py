#!/usr/bin/env python3
"""Writes vectors/*.txt: losses and gradients of small networks, and steps of optimizers, as PyTorch computes them in double.

The tests read the files and need no PyTorch. A line is `name extents values`, extents joined by commas (`-`: a scalar).
"""

from pathlib import Path

import torch
import torch.nn.functional as F

FOLDER = Path(__file__).resolve().parent / "vectors"


def line(name, tensor):
    tensor = torch.as_tensor(tensor, dtype=torch.float64).detach()
    extents = ",".join(str(extent) for extent in tensor.shape) or "-"
    return " ".join([name, extents, *(f"{value:.12g}" for value in tensor.flatten().tolist())])


def write(file, lines):
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / file).write_text("\n".join(lines) + "\n")


def network(file, shapes, loss_of, inputs=None):
    """Tensors of multiples of 1/16 (exact in f32), the loss and other results, and the gradients by each tensor."""
    generator = torch.Generator().manual_seed(1)
    tensors = {name: torch.randint(-16, 17, shape, generator=generator).double().div(16).requires_grad_()
               for name, shape in shapes.items()}
    tensors.update(inputs or {})
    results = loss_of(tensors)
    results["loss"].backward()
    lines = [line(name, tensor) for name, tensor in tensors.items()]
    lines += [line("result:" + name, tensor) for name, tensor in results.items()]
    lines += [line("gradient:" + name, tensor.grad) for name, tensor in tensors.items() if tensor.requires_grad]
    write(file, lines)


def classifier(t):
    mean, variance = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    x = F.conv2d(t["x"], t["c1.weight"], t["c1.bias"], padding=1)
    x = F.batch_norm(x, mean, variance, t["scale"], t["offset"], training=True, momentum=0.125, eps=2**-10)
    x = F.max_pool2d(F.relu(x), 2)
    x = torch.tanh(F.conv2d(x, t["c2.weight"], dilation=2, groups=2))
    x = F.avg_pool2d(x, 2).flatten(1)
    x = F.linear(x, t["f.weight"], t["f.bias"])
    loss = F.cross_entropy(x, t["label"], label_smoothing=0.125)
    return {"loss": loss, "mean": mean, "variance": variance}


def autoencoder(t):
    code = F.elu(F.conv2d(t["x"], t["encoder.weight"], t["encoder.bias"], stride=2, padding=1))
    logits = F.conv_transpose2d(code, t["decoder.weight"], t["decoder.bias"], stride=2, padding=1)
    return {"loss": F.binary_cross_entropy_with_logits(logits, t["target"])}


def segmenter(t):
    x = F.leaky_relu(F.conv2d(F.pad(t["x"], (1, 1, 1, 1), mode="reflect"), t["c1.weight"]), 0.125)
    up = F.conv_transpose2d(F.max_pool2d(x, 2), t["up.weight"], stride=2)
    logits = F.conv2d(torch.cat([x, up], 1), t["c2.weight"], t["c2.bias"])
    loss = F.cross_entropy(logits, t["target"], reduction="none") * t["weights"]
    return {"loss": loss.mean()}


def optimizers():
    curvature = torch.tensor([1, 4, 0.25], dtype=torch.float64)
    kinds = {
        "sgd": lambda w: torch.optim.SGD(w, lr=0.0625),
        "momentum": lambda w: torch.optim.SGD(w, lr=0.0625, momentum=0.9),
        "nesterov": lambda w: torch.optim.SGD(w, lr=0.0625, momentum=0.9, nesterov=True),
        "adagrad": lambda w: torch.optim.Adagrad(w, lr=0.0625),
        "adadelta": lambda w: torch.optim.Adadelta(w, lr=1, rho=0.95, eps=1e-6),
        "rmsprop": lambda w: torch.optim.RMSprop(w, lr=0.0625, alpha=0.9),
        "rmsprop_momentum": lambda w: torch.optim.RMSprop(w, lr=0.0625, alpha=0.9, momentum=0.5),
        "adam": lambda w: torch.optim.Adam(w, lr=0.0625),
        "adamw": lambda w: torch.optim.AdamW(w, lr=0.0625, weight_decay=0.01),
        "nadam": lambda w: torch.optim.NAdam(w, lr=0.0625),
    }
    lines = []
    for name, make in kinds.items():
        w = torch.tensor([1, -2, 3], dtype=torch.float64, requires_grad=True)
        optimizer, steps = make([w]), []
        for _ in range(8):
            optimizer.zero_grad()
            ((curvature * w * w).sum() / 2).backward()
            optimizer.step()
            steps.append(w.detach().clone())
        lines.append(line(name, torch.stack(steps)))
    write("optimizers.txt", lines)


def main():
    network("classifier.txt", {"x": (4, 2, 8, 8), "c1.weight": (4, 2, 3, 3), "c1.bias": (4,), "scale": (4,), "offset": (4,),
                               "c2.weight": (6, 2, 2, 2), "f.weight": (3, 6), "f.bias": (3,)}, classifier,
            {"label": torch.tensor([0, 2, 1, 1])})
    generator = torch.Generator().manual_seed(2)
    network("autoencoder.txt", {"x": (2, 1, 6, 6), "encoder.weight": (3, 1, 3, 3), "encoder.bias": (3,),
                                "decoder.weight": (3, 1, 4, 4), "decoder.bias": (1,)}, autoencoder,
            {"target": torch.randint(0, 17, (2, 1, 6, 6), generator=generator).double().div(16)})
    network("segmenter.txt", {"x": (2, 2, 6, 6), "c1.weight": (3, 2, 3, 3), "up.weight": (3, 3, 2, 2),
                              "c2.weight": (2, 6, 1, 1), "c2.bias": (2,)}, segmenter,
            {"target": torch.randint(0, 2, (2, 6, 6), generator=generator),
             "weights": torch.randint(1, 80, (2, 6, 6), generator=generator).double().div(8)})
    optimizers()


if __name__ == "__main__":
    main()
