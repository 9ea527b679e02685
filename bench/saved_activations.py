#!/usr/bin/env python3
"""What training steps keep for the backward pass, beside what PyTorch keeps.

    bench/saved_activations.py CNNC        CNNC is the tool; PyTorch must be installed

cnnc: the bytes of memory that hold values which the forward pass makes and the backward pass reads, as planned, padding
included (`cnnc bench --train --json`, saved_bytes). PyTorch: the bytes of the storages that saved_tensors_hooks sees in one
forward pass, each once, without parameters; the batch itself (pictures and labels), which the caller owns in both, is left
out, too, and stands in a column of its own, as PyTorch's hooks see it.
"""
import json
import pathlib
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent


def convolutions(inputs, outputs):
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class Basic(nn.Module):
    """The block of ResNets for CIFAR with shortcuts of option A."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.stride, self.more = 1 + (inputs != outputs), outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        half = self.more // 2
        return F.relu(y + (x if not self.more else F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, self.more - half))))


class UNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.down = nn.ModuleList(convolutions(i, o) for i, o in zip([1] + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in range(4))
        self.dec = nn.ModuleList(convolutions(2 * widths[i], widths[i]) for i in range(4))
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in (3, 2, 1, 0):
            x = self.dec[level](torch.cat([skips[level], self.up[level](x)], 1))
        return self.head(x)


def mnist_cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10))


def resnet20():
    widths = [16] * 4 + [32] * 3 + [64] * 3
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         *(Basic(i, o) for i, o in zip(widths, widths[1:])), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(64, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


NETWORKS = {  # train block, module, shape of an image, classes, shape of a label, batch
    "mnist_cnn": ("examples/mnist_cnn.cnn:digits", mnist_cnn, (1, 28, 28), 10, (), 256),
    "resnet20": ("examples/resnet20.cnn:cifar", resnet20, (3, 32, 32), 10, (), 128),
    "unet64": ("bench/train/unet64.cnn:step", lambda: UNet(16), (1, 64, 64), 2, (64, 64), 8),
    "mlp": ("examples/mlp.cnn:digits", mlp, (1, 28, 28), 10, (), 256),
}


def saved_by_torch(make, shape, classes, label, batch):
    """Bytes of what the forward pass makes, and of the batch where that is saved."""
    net = make().train()
    image, target = torch.randn(batch, *shape), torch.randint(classes, (batch,) + label)
    parameters = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}
    given = {tensor.untyped_storage().data_ptr() for tensor in (image, target)}
    sizes, alive = {}, []

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        F.cross_entropy(net(image), target)
    made = sum(size for place, size in sizes.items() if place not in parameters | given)
    return made, sum(size for place, size in sizes.items() if place in given)


def saved_by_cnnc(tool, block, batch):
    command = [tool, "bench", str(ROOT / block), "--train", "--batch", str(batch), "--runs", "1", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["saved_bytes"]


if len(sys.argv) != 2:
    sys.exit("usage: saved_activations.py CNNC")
print(f"{'':10} {'batch':>5} {'cnnc MB':>8} {'PyTorch MB':>11} {'ratio':>6} {'its batch MB':>13} {'ratio with it':>14}")
for name, (block, *network) in NETWORKS.items():
    ours = saved_by_cnnc(sys.argv[1], block, network[-1])
    theirs, given = saved_by_torch(*network)
    print(f"{name:10} {network[-1]:5} {ours / 1e6:8.2f} {theirs / 1e6:11.2f} {ours / theirs:6.2f} {given / 1e6:13.2f} "
          f"{ours / (theirs + given):14.2f}")
