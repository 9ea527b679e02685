#!/usr/bin/env python3
"""Writes docs/ops.md and docs/passes.md from the TableGen definitions; --check only says which of them are stale."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TBLGEN = "/usr/lib/llvm-22/bin/mlir-tblgen"
PAGES = {
    "docs/ops.md": ("ir/CnnOps.td", ["-gen-dialect-doc", "-dialect=cnn"]),
    "docs/passes.md": ("passes/Passes.td", ["-gen-pass-doc"]),
}
HEADINGS = {"docs/ops.md": "# The `cnn` dialect", "docs/passes.md": "# The passes"}


def generate(page):
    source, options = PAGES[page]
    text = subprocess.run([TBLGEN, *options, "-I", ROOT, "-I", "/usr/lib/llvm-22/include", ROOT / source], text=True,
                          check=True, stdout=subprocess.PIPE).stdout
    text = re.sub(r"^<!-- .*? -->$|^# .*$|^\[TOC\]$", "", text, flags=re.MULTILINE)
    text = "\n".join(line.rstrip() for line in text.splitlines())
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return f"<!-- Generated from {source} by scripts/generate_docs.py. -->\n\n{HEADINGS[page]}\n\n{text}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is stale")
    check = parser.parse_args().check
    stale = 0
    for page in PAGES:
        text, path = generate(page), ROOT / page
        if path.exists() and path.read_text() == text:
            continue
        if check:
            print(f"{page}: stale; run scripts/generate_docs.py")
            stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
