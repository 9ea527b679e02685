"""Prints the width and the height of a PNG file."""

import struct
import sys

with open(sys.argv[1], "rb") as file:
    print("%d x %d" % struct.unpack(">II", file.read(24)[16:]))
