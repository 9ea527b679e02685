#!/usr/bin/env python3
"""Writes data to train on: pictures of 8 x 8 with a bright quarter, of which the label is the number.

training-data.py idx FOLDER COUNT          train-* with COUNT samples and t10k-* with COUNT / 2
training-data.py pictures FOLDER COUNT     COUNT grey PNG files in each of top_left, top_right, bottom_left, bottom_right
"""

import os
import struct
import sys
import zlib


class Random:
    """Knuth's MMIX linear congruential generator."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit


def picture(random, label):
    rows = range(4 * (label // 2), 4 * (label // 2) + 4)
    columns = range(4 * (label % 2), 4 * (label % 2) + 4)
    return bytes(random.below(60) + (150 if y in rows and x in columns else 0) for y in range(8) for x in range(8))


def write_idx(folder, part, count, random):
    labels = bytes(random.below(4) for _ in range(count))
    with open(f"{folder}/{part}-images-idx3-ubyte", "wb") as file:
        file.write(struct.pack(">IIII", 0x803, count, 8, 8) + b"".join(picture(random, label) for label in labels))
    with open(f"{folder}/{part}-labels-idx1-ubyte", "wb") as file:
        file.write(struct.pack(">II", 0x801, count) + labels)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(path, pixels):
    rows = b"".join(b"\0" + pixels[8 * y:8 * y + 8] for y in range(8))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


form, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.makedirs(folder, exist_ok=True)
generator = Random(1)
if form == "idx":
    write_idx(folder, "train", count, generator)
    write_idx(folder, "t10k", count // 2, generator)
else:
    for label, name in enumerate(["bottom_left", "bottom_right", "top_left", "top_right"]):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        for index in range(count):
            write_png(f"{folder}/{name}/{index}.png", picture(generator, [2, 3, 0, 1][label]))
