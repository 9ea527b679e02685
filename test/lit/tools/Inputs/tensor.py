#!/usr/bin/env python3
"""Reads and writes .npy and safetensors files for tests, without NumPy.

tensor.py npy FILE SHAPE NUMBER...          writes f32; SHAPE is 2x3; one number stands for all elements
tensor.py png FILE WIDTH HEIGHT R G B       writes a picture of one colour
tensor.py show FILE                         prints the shape and the numbers of an f32 .npy file
tensor.py safetensors FILE NAME=SHAPE=NUMBER...   writes f32 tensors
tensor.py same FILE FILE NAME...            exit code 1 unless both files have the same tensors of these names
tensor.py compare FILE FILE                 says how many tensors two safetensors files have with the same bits, and names others
"""

import ast
import json
import struct
import sys
import zlib


def shape_of(text):
    return [int(extent) for extent in text.split("x")]


def numbers(shape, words):
    count = 1
    for extent in shape:
        count *= extent
    values = [float(word) for word in words]
    return values * count if len(values) == 1 else values


def write_npy(path, shape, values):
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(values)}f", *values))


def show(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    body = data[10 + length:]
    print("x".join(map(str, header["shape"])), *(f"{value:.6g}" for value in struct.unpack(f"<{len(body) // 4}f", body)))


def write_png(path, width, height, colour):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, shape, values in tensors:
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_tensor(path, name):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + length])[name]
    begin, end = entry["data_offsets"]
    return entry["shape"], data[8 + length + begin:8 + length + end]


def tensors_of(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    places = {name: [8 + length + offset for offset in entry["data_offsets"]] for name, entry in header.items()}
    return {name: data[begin:end] for name, (begin, end) in places.items()}


def compare(one, other):
    first, second = tensors_of(one), tensors_of(other)
    differing = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    print(len(first) - len(differing), "tensors are the same" + "".join(f"; '{name}' is not" for name in differing))


command, path, *rest = sys.argv[1:]
if command == "npy":
    write_npy(path, shape_of(rest[0]), numbers(shape_of(rest[0]), rest[1:]))
elif command == "compare":
    compare(path, rest[0])
elif command == "png":
    write_png(path, *map(int, rest[:2]), map(int, rest[2:]))
elif command == "show":
    show(path)
elif command == "safetensors":
    write_safetensors(path, [(name, shape_of(shape), numbers(shape_of(shape), [value]))
                             for name, shape, value in (word.split("=") for word in rest)])
elif command == "same":
    sys.exit(any(read_tensor(path, name) != read_tensor(rest[0], name) for name in rest[1:]))
else:
    sys.exit(__doc__)
