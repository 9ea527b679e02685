#!/usr/bin/env python3
"""reaches.py FILE FIGURE LEAST ...: exit code 1 unless each figure of an evaluation's JSON is at least so much."""

import json
import sys

words = sys.argv[1:]
for path, figure, least in zip(words[::3], words[1::3], words[2::3]):
    with open(path, encoding="utf-8") as file:
        got = json.load(file)["metrics"][figure]
    if not got >= float(least):
        sys.exit(f"{path}: {figure} is {got}, below {least}")
