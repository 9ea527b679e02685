#!/usr/bin/env python3
"""Draws scene.png, the picture that the examples run on: a macaw on a branch, 256 x 256 RGB.

Nothing but Python's standard library is used, and nothing is drawn from chance. The picture has what filters
are looked at with: smooth gradients (the background), sharp edges (beak, eye, leaves), fine texture (bark, feathers,
the lines of the cheek) and colours far apart.

    python3 make_scene.py [OUTPUT]
"""

import math
import struct
import sys
import zlib
from pathlib import Path

SIZE = 256


def mix(a, b, t):
    t = min(1.0, max(0.0, t))
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def smooth(low, high, x):
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


def hash01(x, y, seed):
    """A number in [0, 1) that depends on two integers."""
    h = (x * 374761393 + y * 668265263 + seed * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFFFF) / 0x1000000


def noise(x, y, seed):
    """Value noise: smooth between random values at integer points."""
    ix, iy = math.floor(x), math.floor(y)
    fx, fy = smooth(0, 1, x - ix), smooth(0, 1, y - iy)
    top = hash01(ix, iy, seed) * (1 - fx) + hash01(ix + 1, iy, seed) * fx
    bottom = hash01(ix, iy + 1, seed) * (1 - fx) + hash01(ix + 1, iy + 1, seed) * fx
    return top * (1 - fy) + bottom * fy


# Shapes are signed distances in units of the picture's side: negative inside.


def turn(x, y, cx, cy, degrees):
    """(x, y) in a frame at (cx, cy) that is turned clockwise as seen."""
    a = math.radians(degrees)
    dx, dy = x - cx, y - cy
    return dx * math.cos(a) + dy * math.sin(a), -dx * math.sin(a) + dy * math.cos(a)


def ellipse(x, y, cx, cy, rx, ry, degrees=0):
    u, v = turn(x, y, cx, cy, degrees)
    k0 = math.hypot(u / rx, v / ry)
    k1 = math.hypot(u / (rx * rx), v / (ry * ry))
    return k0 * (k0 - 1) / k1 if k1 > 0 else -min(rx, ry)


def capsule(x, y, x0, y0, x1, y1, r0, r1):
    """A stroke from one point to another whose radius changes from r0 to r1."""
    dx, dy = x1 - x0, y1 - y0
    t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)))
    return math.hypot(x - x0 - t * dx, y - y0 - t * dy) - (r0 + (r1 - r0) * t)


def smooth_union(a, b, k):
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k / 4


def leaf(x, y, cx, cy, length, width, degrees):
    """A lens of two arcs; also gives the position along (-1..1) and across it (-1..1)."""
    u, v = turn(x, y, cx, cy, degrees)
    half = length / 2
    radius = (half * half + width * width / 4) / width
    distance = math.hypot(u, abs(v) + radius - width / 2) - radius
    return distance, u / half, v / (width / 2)


RED, DEEP_RED = (214, 38, 40), (128, 14, 30)
YELLOW, ORANGE = (250, 202, 44), (238, 124, 34)
GREEN, BLUE, NAVY = (52, 158, 84), (34, 104, 204), (16, 40, 120)
CREAM, INK = (246, 240, 226), (24, 22, 26)

BOKEH = [(0.10, 0.16, 0.10, 0.20), (0.86, 0.12, 0.13, 0.16), (0.95, 0.42, 0.08, 0.18), (0.07, 0.50, 0.07, 0.16),
         (0.72, 0.30, 0.06, 0.14), (0.24, 0.36, 0.05, 0.16), (0.20, 0.93, 0.11, 0.10), (0.90, 0.68, 0.05, 0.18)]

LEAVES = [(0.12, 0.70, 0.30, 0.11, 28), (0.88, 0.90, 0.34, 0.12, -32), (0.06, 0.90, 0.30, 0.10, -40),
          (0.93, 0.58, 0.26, 0.09, 62)]


def background(x, y):
    colour = mix((236, 226, 160), (44, 120, 112), smooth(0.0, 0.85, math.hypot(x - 0.22, y - 0.02)))
    colour = mix(colour, (14, 52, 66), smooth(0.45, 1.25, y + 0.25 * x))
    for cx, cy, radius, strength in BOKEH:
        inside = smooth(radius + 0.012, radius - 0.012, math.hypot(x - cx, y - cy))
        colour = mix(colour, (238, 246, 190), inside * strength)
    return colour


def branch(x, y):
    middle = 0.765 - 0.05 * x + 0.012 * math.sin(9 * x)
    thickness = 0.036 - 0.010 * x + 0.005 * noise(14 * x, 3, 4)
    v = (y - middle) / thickness
    grain = noise(8 * x + 2 * noise(20 * x, 9 * v, 2), 9 * v, 5)
    fine = noise(70 * x, 30 * v, 6)
    colour = mix((70, 46, 34), (168, 122, 82), 0.65 * grain + 0.35 * fine)
    return abs(y - middle) - thickness, mix(colour, (30, 20, 24), smooth(-0.3, 1.1, v))


def leaf_colour(along, across):
    side = abs((5 * along - 1.6 * abs(across)) % 1 - 0.5)
    vein = max(smooth(0.12, 0.02, abs(across)), 0.6 * smooth(0.16, 0.02, side))
    colour = mix((22, 92, 52), (120, 190, 76), 0.5 - 0.5 * across + 0.15 * along)
    return mix(colour, (196, 228, 132), 0.7 * vein)


def scales(u, v, size):
    """Feathers as rows of scallops that overlap like tiles: 1 inside each, 0 on its lower rim."""
    row = math.floor(v / size)
    across = (u / size + 0.5 * (row % 2)) % 1 - 0.5
    down = v / size - row
    return smooth(0.0, 0.26, abs(math.hypot(1.5 * across, down) - 0.86))


def plumage(x, y):
    feather = scales(*turn(x, y, 0.5, 0.2, -14), 0.034)
    colour = mix(mix(RED, DEEP_RED, 0.55), mix(RED, (255, 112, 84), 0.25), feather)
    shade = ellipse(x, y, 0.44, 0.36, 0.18, 0.36, -14)
    return mix(colour, DEEP_RED, smooth(-0.05, 0.10, shade))


def wing_colour(x, y):
    u, v = turn(x, y, 0.585, 0.50, -17)
    t = (v + 0.24) / 0.48 + 0.05 * u
    feather = scales(u, v, 0.042)
    bands = [(0.20, RED), (0.32, ORANGE), (0.44, YELLOW), (0.56, GREEN), (0.70, BLUE)]
    colour = bands[0][1]
    for edge, band in bands[1:]:
        colour = mix(colour, band, smooth(edge - 0.035, edge + 0.035, t))
    if t > 0.66:  # the long feathers
        feather = smooth(0.02, 0.22, abs((u * 26 + 0.4 * t) % 1 - 0.5))
        colour = mix(BLUE, NAVY, smooth(0.7, 1.1, t))
    return mix(mix(colour, INK, 0.45), mix(colour, (255, 255, 255), 0.10), feather)


def cheek_colour(x, y):
    line = abs(((x - 0.30) * 0.35 + (y - 0.10)) * 62 % 1 - 0.5)
    stripe = smooth(0.13, 0.05, line) * smooth(0.262, 0.285, y)
    return mix(CREAM, (190, 60, 56), stripe * 0.85)


def layers(x, y):
    """(distance, colour) from the back to the front."""
    for cx, cy, length, width, degrees in LEAVES[2:]:
        distance, along, across = leaf(x, y, cx, cy, length, width, degrees)
        yield distance, mix(leaf_colour(along, across), (16, 60, 64), 0.45)
    for x1, y1, colour in [(0.86, 0.965, NAVY), (0.80, 0.985, BLUE), (0.745, 0.99, RED), (0.70, 0.965, DEEP_RED)]:
        u, v = turn(x, y, 0.61, 0.66, -30)
        barbs = 0.5 + 0.5 * math.sin(150 * v + 260 * abs(u))
        yield capsule(x, y, 0.615, 0.66, x1, y1, 0.042, 0.010), mix(colour, INK, 0.25 * barbs)
    yield branch(x, y)
    body = ellipse(x, y, 0.515, 0.475, 0.125, 0.255, -14)
    head = ellipse(x, y, 0.425, 0.225, 0.112, 0.118, -20)
    yield smooth_union(body, head, 0.09), plumage(x, y)
    yield ellipse(x, y, 0.583, 0.503, 0.087, 0.239, -17) - 0.002, mix(DEEP_RED, INK, 0.5)
    yield ellipse(x, y, 0.585, 0.50, 0.085, 0.237, -17), wing_colour(x, y)
    for cx in (0.470, 0.505, 0.540):
        yield capsule(x, y, cx, 0.715, cx - 0.008, 0.772, 0.013, 0.011), (62, 58, 64)
        yield capsule(x, y, cx - 0.004, 0.722, cx - 0.010, 0.764, 0.006, 0.004), (128, 122, 124)
    # The lower bill, the upper bill (a disc without the one below it), its light.
    yield ellipse(x, y, 0.345, 0.330, 0.036, 0.034, 20), INK
    hook = max(ellipse(x, y, 0.352, 0.292, 0.090, 0.088, 12), -ellipse(x, y, 0.392, 0.372, 0.082, 0.080, 0))
    yield hook, mix(CREAM, (206, 190, 160), smooth(0.24, 0.36, y))
    tip = max(hook, x - 0.318 + 0.2 * (0.36 - y))
    yield tip, INK
    yield ellipse(x, y, 0.385, 0.252, 0.066, 0.072, -14), cheek_colour(x, y)
    yield ellipse(x, y, 0.392, 0.222, 0.0225, 0.0225), (232, 214, 120)
    yield ellipse(x, y, 0.391, 0.222, 0.0135, 0.0135), INK
    yield ellipse(x, y, 0.386, 0.217, 0.0045, 0.0045), (255, 255, 255)
    for cx, cy, length, width, degrees in LEAVES[:2]:
        distance, along, across = leaf(x, y, cx, cy, length, width, degrees)
        yield distance, leaf_colour(along, across)


def pixel(column, row):
    x, y = (column + 0.5) / SIZE, (row + 0.5) / SIZE
    colour = background(x, y)
    for distance, front in layers(x, y):
        colour = mix(colour, front, 0.5 - distance * SIZE)
    return bytes(int(min(255.0, max(0.0, c)) + 0.5) for c in colour)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(row, above):
    """PNG's filter "Up": differences from the row above compress better."""
    return b"\x02" + bytes((a - b) & 0xFF for a, b in zip(row, above))


def main():
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("scene.png")
    rows = [b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE)]
    data = b"".join(filtered(row, above) for row, above in zip(rows, [bytes(3 * SIZE)] + rows))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    output.write_bytes(png)


if __name__ == "__main__":
    main()
