#!/usr/bin/env python3
"""Draws handwritten digits as MNIST has them: 28 x 28 grey PNGs, white ink on black, each digit fitted into 20 x 20
pixels and moved so that its centre of mass lies in the middle.

Nothing but Python's standard library is used, and nothing is drawn from chance: a digit is a list of pen strokes
(smooth curves through a few points), and a hand says how they are written: slant, width, pen, how round, how shaky,
and which of two shapes (a seven with a bar, an open four ...).

    python3 make_digits.py FOLDER    # writes FOLDER/a0.png ... FOLDER/f9.png, ten digits by six hands
"""

import math
import struct
import sys
import zlib
from pathlib import Path

SIZE, BOX = 28, 20

# Shapes: strokes of points (x to the right, y down) that a curve goes through; a point given twice is a corner.
SHAPES = {
    0: [[[(.50, .02), (.20, .12), (.06, .45), (.14, .82), (.46, .99), (.80, .84), (.93, .50), (.82, .14), (.50, .02)]],
        [[(.62, .04), (.30, .10), (.10, .40), (.12, .80), (.40, .98), (.72, .84), (.86, .48), (.76, .14), (.50, .03)]]],
    1: [[[(.52, .00), (.50, .33), (.49, .66), (.48, 1.0)]],
        [[(.30, .22), (.44, .12), (.56, .00), (.56, .00), (.55, .33), (.54, .66), (.53, 1.0)]]],
    2: [[[(.12, .22), (.28, .04), (.60, .02), (.82, .20), (.74, .46), (.46, .70), (.10, .97), (.10, .97), (.40, .94),
          (.68, .96), (.96, .94)]],
        [[(.10, .26), (.24, .05), (.56, .02), (.78, .20), (.70, .50), (.44, .80), (.22, .95), (.10, .88), (.20, .78),
          (.44, .86), (.70, .98), (.96, .90)]]],
    3: [[[(.14, .12), (.40, .01), (.74, .06), (.82, .26), (.64, .43), (.40, .47), (.40, .47), (.70, .50), (.90, .70),
          (.76, .93), (.42, 1.0), (.10, .88)]],
        [[(.12, .06), (.40, .03), (.80, .04), (.80, .04), (.62, .22), (.42, .42), (.42, .42), (.72, .48), (.88, .70),
          (.72, .93), (.40, 1.0), (.10, .90)]]],
    4: [[[(.22, .02), (.16, .30), (.14, .54), (.14, .54), (.44, .56), (.86, .52)],
         [(.76, .06), (.72, .40), (.70, .70), (.69, 1.0)]],
        [[(.68, .00), (.40, .32), (.06, .66), (.06, .66), (.40, .67), (.94, .65)], [(.70, .02), (.68, .50), (.67, 1.0)]]],
    5: [[[(.84, .03), (.50, .04), (.22, .03), (.22, .03), (.18, .24), (.16, .44), (.16, .44), (.44, .37), (.76, .48),
          (.86, .70), (.68, .93), (.38, 1.0), (.08, .90)]],
        [[(.24, .05), (.20, .24), (.18, .43), (.18, .43), (.46, .38), (.74, .50), (.82, .72), (.64, .94), (.36, 1.0),
          (.08, .92)], [(.22, .04), (.50, .05), (.88, .02)]]],
    6: [[[(.70, .01), (.40, .18), (.18, .48), (.14, .78), (.32, .98), (.64, .96), (.80, .76), (.66, .57), (.40, .56),
          (.18, .70)]],
        [[(.58, .00), (.34, .22), (.18, .54), (.18, .82), (.40, .99), (.70, .92), (.78, .70), (.58, .54), (.34, .62),
          (.22, .78)]]],
    7: [[[(.08, .08), (.40, .06), (.88, .04), (.88, .04), (.68, .34), (.52, .66), (.42, 1.0)]],
        [[(.08, .10), (.40, .06), (.88, .05), (.88, .05), (.66, .36), (.50, .68), (.40, 1.0)],
         [(.30, .52), (.56, .50), (.80, .49)]]],
    8: [[[(.76, .14), (.50, .01), (.22, .14), (.28, .36), (.54, .50), (.78, .68), (.74, .92), (.48, 1.0), (.20, .88),
          (.24, .66), (.50, .48), (.74, .32), (.76, .14)]],
        [[(.56, .46), (.26, .32), (.30, .08), (.56, .01), (.76, .14), (.72, .34), (.48, .48), (.20, .68), (.24, .92),
          (.52, 1.0), (.80, .86), (.76, .62), (.52, .46)]]],
    9: [[[(.80, .20), (.58, .02), (.26, .10), (.16, .32), (.34, .50), (.62, .44), (.80, .20), (.80, .20), (.77, .55),
          (.70, 1.0)]],
        [[(.80, .24), (.60, .03), (.28, .08), (.16, .30), (.34, .48), (.64, .40), (.80, .18), (.80, .50), (.68, .84),
          (.40, .98), (.18, .92)]]],
}

# Hands: shape, slant, width of the digit, radius of the pen in pixels, turn in degrees, how shaky.
HANDS = [(0, 0.00, 0.78, 1.25, 0, 0.000), (1, 0.16, 0.72, 1.05, 0, 0.012), (0, -0.10, 0.86, 1.55, 4, 0.016),
         (1, 0.30, 0.64, 0.95, -3, 0.010), (0, 0.22, 0.92, 1.80, -6, 0.022), (1, -0.04, 0.82, 1.35, 8, 0.026)]


def shake(stroke, point, hand):
    """Two numbers in [-1, 1] that depend on three integers."""
    h = (stroke * 374761393 + point * 668265263 + (hand + 1) * 2246822519) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return (h & 0xFFFF) / 32767.5 - 1, (h >> 16) / 32767.5 - 1


def curve(points, steps=12):
    """A smooth curve (Catmull and Rom 1974) through the points; where two are equal it has a corner."""
    parts, part = [], []
    for point in points:
        if part and point == part[-1]:
            parts.append(part)
            part = []
        part.append(point)
    parts.append(part)
    result = []
    for part in parts:
        padded = [part[0]] + part + [part[-1]]
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:]):
            for i in range(steps + 1):
                t = i / steps
                result.append(tuple(0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t ** 2
                                           + (3 * q - p - 3 * r + s) * t ** 3) for p, q, r, s in zip(a, b, c, d)))
    return result


def written(digit, hand):
    """The strokes in pixels around (0, 0), and the radius of the pen."""
    shape, slant, width, radius, degrees, shaky = HANDS[hand]
    turn = math.radians(degrees)
    strokes = []
    for number, stroke in enumerate(SHAPES[digit][shape]):
        points = []
        for index, (x, y) in enumerate(stroke):
            # A point given twice stays a corner: both are shaken alike.
            same = index - 1 if index and stroke[index - 1] == (x, y) else index
            dx, dy = shake(10 * digit + number, same, hand)
            x, y = (x - 0.5 + shaky * dx) * width + slant * (0.5 - y), y - 0.5 + shaky * dy
            points.append((x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)))
        strokes.append(curve(points))
    xs, ys = [x for s in strokes for x, _ in s], [y for s in strokes for _, y in s]
    scale = (BOX - 2 * radius) / max(max(xs) - min(xs), max(ys) - min(ys))
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return [[((x - middle_x) * scale, (y - middle_y) * scale) for x, y in s] for s in strokes], radius


def distance(x, y, strokes):
    nearest = 1e9
    for stroke in strokes:
        for (ax, ay), (bx, by) in zip(stroke, stroke[1:]):
            dx, dy = bx - ax, by - ay
            length = dx * dx + dy * dy
            t = min(1.0, max(0.0, ((x - ax) * dx + (y - ay) * dy) / length)) if length > 0 else 0.0
            nearest = min(nearest, math.hypot(x - ax - t * dx, y - ay - t * dy))
    return nearest


def draw(strokes, radius):
    """Ink from 0 to 255 in rows; the edge of the pen is soft over a pixel."""
    rows = []
    for row in range(SIZE):
        line = bytearray()
        for column in range(SIZE):
            x, y = column + 0.5 - SIZE / 2, row + 0.5 - SIZE / 2
            ink = min(1.0, max(0.0, radius + 0.5 - distance(x, y, strokes)))
            line.append(int(255 * ink + 0.5))
        rows.append(bytes(line))
    return rows


def picture(digit, hand):
    strokes, radius = written(digit, hand)
    rows = draw(strokes, radius)
    total = sum(map(sum, rows))
    mass_x = sum(value * (column + 0.5) for line in rows for column, value in enumerate(line)) / total - SIZE / 2
    mass_y = sum(sum(line) * (row + 0.5) for row, line in enumerate(rows)) / total - SIZE / 2
    right, down = -round(mass_x), -round(mass_y)
    return [bytes(rows[y - down][x - right] if 0 <= x - right < SIZE and 0 <= y - down < SIZE else 0
                  for x in range(SIZE)) for y in range(SIZE)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows):
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for digit in SHAPES:
        for hand in range(len(HANDS)):
            (folder / f"{'abcdef'[hand]}{digit}.png").write_bytes(png(picture(digit, hand)))


if __name__ == "__main__":
    main()
