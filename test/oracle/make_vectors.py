#!/usr/bin/env python3
"""Writes vectors/NAME.txt: what PyTorch, in double precision, computes for the networks of examples/ with drawn weights.

    make_vectors.py [NAME...]      needs torch and torchvision; run by hand when a network is added

Weights are those of `--random-weights 1` (random_state.py), the inputs are drawn likewise, so that the tests need nothing but the
outputs: one number a line, as many images as there are lines for.
"""

import math
import pathlib
import sys

import torch
import torchvision.models as zoo
from torch import nn

import random_state

SEED = 1
FOLDER = pathlib.Path(__file__).resolve().parent / "vectors"


class LeNet5(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
                         nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
                         nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))


class MnistCnn(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(64, 10))


class CifarBlock(nn.Module):
    """He et al. 2015, section 4.2: the shortcut subsamples and pads channels with zeros (option A)."""
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.grows = inputs != outputs

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.grows:
            quarter = y.shape[1] // 4
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
        return torch.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        def stage(inputs, outputs):
            return nn.Sequential(*[CifarBlock(inputs if i == 0 else outputs, outputs, 2 if i == 0 and inputs != outputs else 1)
                                   for i in range(blocks)])
        self.layer1, self.layer2, self.layer3 = stage(16, 16), stage(16, 32), stage(32, 64)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def caffe_squeezenet():
    """The published Caffe model pads its last convolution."""
    network = zoo.squeezenet1_0()
    network.classifier[1].padding = (1, 1)
    return network


CAFFE_SQUEEZENET_NAMES = {"features.0": "conv1", "classifier.1": "conv_final"} | {
    f"features.{index}.{torch_name}": f"fire{fire}/{name}"
    for fire, index in zip(range(2, 10), (3, 4, 5, 7, 8, 9, 10, 12))
    for torch_name, name in (("squeeze", "conv1x1_1"), ("expand1x1", "conv1x1_2"), ("expand3x3", "conv3x3_2"))}

class UNet(nn.Module):
    """Ronneberger et al. 2015 with padded convolutions and batch norm."""
    def __init__(self, channels=1, classes=2, width=64):
        super().__init__()
        def double(inputs, outputs):
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                                 nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
        widths = [width * 2 ** i for i in range(5)]
        self.down = nn.ModuleList([double(i, o) for i, o in zip([channels] + widths[:-1], widths)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(widths[i + 1], widths[i], 2, 2) for i in range(4)])
        self.dec = nn.ModuleList([double(2 * widths[i], widths[i]) for i in range(4)])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for i in (3, 2, 1, 0):
            x = self.dec[i](torch.cat([skips[i], self.up[i](x)], 1))
        return self.head(x)


UNET_NAMES = {path: f"net.{path}" for path, _ in UNet(width=2).named_modules()}

# name: (constructor, input shape, the names of examples/NAME.cnn where they are not PyTorch's)
NETWORKS = {
    "lenet5": (LeNet5, (3, 1, 28, 28), {"0": "c1", "3": "c3", "7": "f5", "9": "f6", "11": "out"}),
    "mnist_cnn": (MnistCnn, (3, 1, 28, 28), {"0": "conv1", "3": "conv2", "7": "hidden", "10": "out"}),
    "resnet20": (lambda: CifarResNet(3), (2, 3, 32, 32), {}),
    "resnet56": (lambda: CifarResNet(9), (1, 3, 32, 32), {}),
    "squeezenet": (caffe_squeezenet, (1, 3, 227, 227), CAFFE_SQUEEZENET_NAMES),
    "squeezenet1_1": (zoo.squeezenet1_1, (1, 3, 224, 224), {}),
    "mobilenet_v2": (zoo.mobilenet_v2, (1, 3, 224, 224), {}),
    "resnet18": (zoo.resnet18, (1, 3, 224, 224), {}),
    "resnet50": (zoo.resnet50, (1, 3, 224, 224), {}),
    "vgg16": (zoo.vgg16, (1, 3, 224, 224), {}),
    "unet": (UNet, (1, 1, 32, 32), UNET_NAMES),
    "alexnet": (zoo.alexnet, (1, 3, 224, 224), {}),
    "googlenet": (lambda: zoo.googlenet(aux_logits=False, transform_input=False, init_weights=False), (1, 3, 224, 224), {}),
    "inception_v3": (lambda: zoo.inception_v3(aux_logits=False, init_weights=False), (1, 3, 299, 299), {}),
    "densenet121": (zoo.densenet121, (1, 3, 224, 224), {}),
}


def randomize(module, names):
    """As Start::Random of ir/reference/InitialState.h."""
    for path, layer in module.named_modules():
        for suffix, tensor in list(layer.named_parameters(recurse=False)) + list(layer.named_buffers(recurse=False)):
            name, shape = f"{names.get(path, path)}.{suffix}", tuple(tensor.shape)
            if suffix == "num_batches_tracked":
                continue
            if isinstance(layer, nn.BatchNorm2d):
                kind = ("uniform", 0.8, 1.2) if suffix in ("weight", "running_var") else ("normal", 0.0, 0.1)
            else:
                limit = math.sqrt(6 / math.prod(shape[1:])) if len(shape) >= 2 else 0.1
                kind = ("uniform", -limit, limit)
            tensor.data.copy_(torch.from_numpy(random_state.state(SEED, name, *kind, shape)))


def main():
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or NETWORKS:
        make, shape, names = NETWORKS[name]
        network = make().double().eval()
        randomize(network, names)
        with torch.no_grad():
            output = network(torch.from_numpy(random_state.random_input(SEED, "image", shape)).double())
        (FOLDER / f"{name}.txt").write_text("".join(f"{value:.9g}\n" for value in output.flatten().tolist()))
        print(name, tuple(output.shape), output.abs().max().item())


if __name__ == "__main__":
    main()
