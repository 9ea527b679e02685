#!/usr/bin/env python3
"""Makes the files beside it: pictures, resized pictures, arrays and weights as other programs write them.

They are committed, so that the tests need no Python. To make them again: Pillow 12 (13 takes the passes of a resize in
another order for some sizes), NumPy and safetensors.

    python3 make_vectors.py
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).parent
HEIGHT, WIDTH = 4, 5


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(depth, rows, interlaced=False, extra=b""):
    """An RGB PNG from rows of bytes, for the kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, 2, 0, 0, int(interlaced))
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def make_pngs(folder):
    """One pattern in every kind: R = 50 x, G = 60 y, B = 20 (x + y); grey = 40 x + 10 y; alpha = 128."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([50 * x, 60 * y, 20 * (x + y)], -1).astype(np.uint8)
    grey = (40 * x + 10 * y).astype(np.uint8)
    alpha = np.full((HEIGHT, WIDTH, 1), 128, np.uint8)
    Image.fromarray(rgb).save(folder / "rgb8.png")
    Image.fromarray(grey).save(folder / "grey8.png")
    Image.fromarray(np.concatenate([rgb, alpha], -1)).save(folder / "rgba8.png")
    Image.fromarray(np.concatenate([grey[..., None], alpha], -1)).save(folder / "greyalpha8.png")
    palette = Image.fromarray(rgb).quantize(20)
    palette.save(folder / "palette.png")
    palette.save(folder / "palette_transparent.png", transparency=0)
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "grey16.png")
    Image.fromarray(grey >= 80).convert("1").save(folder / "grey1.png")
    (folder / "rgb16.png").write_bytes(png(16, (rgb.astype(np.uint16) * 257).astype(">u2")))
    transparent = chunk(b"tRNS", struct.pack(">HHH", 0, 0, 0))
    (folder / "transparent_colour.png").write_bytes(png(8, rgb, extra=transparent))
    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [rgb[y0::dy, x0::dx] for x0, y0, dx, dy in adam7]
    (folder / "interlaced.png").write_bytes(png(8, [row for part in parts if part.size for row in part], True))


def make_jpegs(folder):
    y, x = np.mgrid[0:16, 0:24]
    image = Image.fromarray(np.stack([10 * x, 15 * y, 255 - 5 * (x + y)], -1).astype(np.uint8))
    image.save(folder / "colour.jpg", quality=90)
    image.save(folder / "progressive.jpg", quality=90, progressive=True)
    image.convert("L").save(folder / "grey.jpg", quality=90)
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    for name in ("colour", "progressive", "grey", "cmyk"):
        decoded = Image.open(folder / f"{name}.jpg").convert("L" if name == "grey" else "RGB")
        decoded.save(folder / f"{name}_jpg.png", optimize=True)


def make_resized(folder):
    """A picture with gradients, noise, a white and a black bar, and what Pillow makes of it at several sizes."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:23, 0:37]
    base = np.stack([x * 255 / 36, y * 255 / 22, 128 + 100 * np.sin(x / 3) * np.cos(y / 2)], -1)
    noise = random.integers(-40, 40, base.shape)
    noise[:, :18] = 0
    pixels = np.clip(base + noise, 0, 255).astype(np.uint8)
    pixels[5:9, 20:30] = 255
    pixels[9:12, 20:30] = 0
    source = Image.fromarray(pixels)
    source.save(folder / "source.png", optimize=True)
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "nearest": Image.NEAREST}
    for name, method in filters.items():
        for height, width in ((11, 16), (40, 60), (23, 20), (9, 37), (5, 90)):
            source.resize((width, height), method).save(folder / f"{name}_{height}x{width}.png", optimize=True)


def make_arrays(folder):
    values = np.arange(24).reshape(2, 3, 4)
    for name, kind in (("f4", "<f4"), ("f2", "<f2"), ("u1", "u1"), ("i4", "<i4"), ("i8", "<i8"), ("big_endian", ">f4")):
        np.save(folder / f"{name}.npy", values.astype(kind))
    np.save(folder / "fortran.npy", np.asfortranarray(values.astype("<f8")))
    np.save(folder / "bool.npy", values % 3 == 0)
    np.save(folder / "scalar.npy", np.float32(2.5))
    np.save(folder / "empty.npy", np.zeros((0, 3), "<f4"))
    np.save(folder / "object.npy", np.array([{}], object))
    for version in (2, 3):
        with open(folder / f"version{version}.npy", "wb") as file:
            np.lib.format.write_array(file, values.astype("<f4"), version=(version, 0))


def make_weights(folder):
    tensors = {
        "conv.weight": np.arange(6, dtype="<f4").reshape(1, 2, 3),
        "conv.bias": np.array([-1.5], "<f8"),
        "steps": np.array(7, "<i8"),
        "half": np.array([1, -0.5, 65504], "<f2"),
        "bytes": np.arange(3, dtype="u1"),
    }
    save_file(tensors, folder / "published.safetensors", metadata={"format": "np"})


if __name__ == "__main__":
    for folder_name, make in (("images", make_pngs), ("images", make_jpegs), ("resize", make_resized),
                              ("npy", make_arrays), ("safetensors", make_weights)):
        (HERE / folder_name).mkdir(exist_ok=True)
        make(HERE / folder_name)
