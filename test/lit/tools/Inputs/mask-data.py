#!/usr/bin/env python3
"""mask-data.py FOLDER: images/NAME.png with bright blocks on dark ground, of several sizes, and masks/NAME.png with 255 where the
mean of nine pixels, mirrored at the border, is above 0.4 of white."""

import os
import struct
import sys
import zlib


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    raw = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)) +
                   chunk(b"IDAT", raw) + chunk(b"IEND", b""))


def mirrored(i, size):
    return -i if i < 0 else 2 * (size - 1) - i if i >= size else i


for name, height, width in (("small", 8, 8), ("tall", 21, 13), ("wide", 9, 30)):
    image = [[200 if y % 7 < 4 and x % 9 < 5 else 20 for x in range(width)] for y in range(height)]
    sums = [[sum(image[mirrored(y + i, height)][mirrored(x + j, width)] for i in (-1, 0, 1) for j in (-1, 0, 1))
             for x in range(width)] for y in range(height)]
    write_png(f"{sys.argv[1]}/images/{name}.png", image)
    write_png(f"{sys.argv[1]}/masks/{name}.png", [[255 if value > 0.4 * 255 * 9 else 0 for value in row] for row in sums])
