#!/usr/bin/env python3
"""Static checks of the tree, each a function that returns a list of problems. `checks.py [NAME...]` runs them by name, without
names all but tidy."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LLVM = Path("/usr/lib/llvm-22/bin")

# The folders that each folder may include from, besides itself.
ARROWS = {
    "ir": {"ir"},
    "frontend": {"frontend", "ir"},
    "passes": {"passes", "ir"},
    "codegen": {"codegen", "passes", "ir", "runtime"},
    "runtime": {"runtime"},
}


def tracked(*suffixes):
    """The files of the tree with one of the suffixes, relative to the root; new files that git does not ignore count."""
    listing = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                             check=True, stdout=subprocess.PIPE).stdout
    return [name for name in listing.splitlines() if name.endswith(suffixes) and (ROOT / name).is_file()]


def lines_of(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace").splitlines()


def format():
    """Sources are formatted as .clang-format says."""
    names = tracked(".cpp", ".h", ".c")
    result = subprocess.run([LLVM / "clang-format", "--dry-run", *names], cwd=ROOT, text=True, stderr=subprocess.PIPE)
    return sorted({f"{found.group(1)}: not formatted as .clang-format says"
                   for found in re.finditer(r"^([^:\s]+):\d+:\d+: warning: code should be clang-formatted",
                                            result.stderr, re.MULTILINE)})


def check_lines():
    """A CHECK without its colon never runs; a lit test without RUN tests nothing; a prefix that no RUN line names is dead."""
    problems = []
    for name in tracked(".mlir", ".cnn", ".test"):
        if not name.startswith("test/lit/") or "/Inputs/" in name:
            continue
        text = lines_of(name)
        runs = " ".join(line for line in text if "RUN:" in line or line.rstrip().endswith("\\"))
        if "RUN:" not in runs:
            problems.append(f"{name}: no RUN line")
            continue
        prefixes = {"CHECK"}
        for found in re.finditer(r"--?check-prefix(?:es)?[= ]([\w,-]+)", runs):
            prefixes |= set(found.group(1).split(","))
        for number, line in enumerate(text, 1):
            found = re.match(r"\s*(?://|#|;)?\s*([A-Z][A-Z0-9_-]*)(:?)(?:\{LITERAL\}:)?(\s|$)", line)
            if not found:
                continue
            word, colon = found.group(1), found.group(2)
            base = re.sub(r"-(NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\d+)$", "", word)
            looks_like_check = base in prefixes or base.startswith("CHECK")
            if looks_like_check and not colon and "{LITERAL}" not in line:
                problems.append(f"{name}:{number}: '{word}' has no colon and never runs")
            elif colon and base.startswith("CHECK") and base not in prefixes:
                problems.append(f"{name}:{number}: no RUN line uses the prefix '{base}'")
    return problems


def sources():
    """Every source file is listed in the CMakeLists.txt of its folder or of one above it."""
    problems = []
    for name in tracked(".cpp", ".c", ".S"):
        path = Path(name)
        if path.parts[0] in ("examples", "bench"):
            continue
        folders = [path.parent, *path.parent.parents]
        listed = any((ROOT / folder / "CMakeLists.txt").exists()
                     and re.search(rf"(?<![\w-]){re.escape(str(path.relative_to(folder)))}(?!\w)",
                                   (ROOT / folder / "CMakeLists.txt").read_text()) for folder in folders)
        if not listed and path.parts[0] != "cmake":
            problems.append(f"{name}: in no CMakeLists.txt")
    return problems


def includes():
    """Folders include only from those that the architecture lets them: see docs/architecture.md."""
    problems = []
    for name in tracked(".cpp", ".h", ".c"):
        allowed = ARROWS.get(name.split("/")[0])
        if allowed is None:
            continue
        for number, line in enumerate(lines_of(name), 1):
            found = re.match(r'\s*#include "(ir|frontend|passes|codegen|runtime|tools)/', line)
            if found and found.group(1) not in allowed:
                problems.append(f"{name}:{number}: {name.split('/')[0]} may not include from {found.group(1)}")
    return problems


def docs():
    """The generated references are what generate_docs.py writes now."""
    result = subprocess.run([sys.executable, ROOT / "scripts/generate_docs.py", "--check"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.stdout.splitlines() if result.returncode else []


def links():
    """Relative links in the documentation lead to files."""
    problems = []
    for name in tracked(".md"):
        for number, line in enumerate(lines_of(name), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if not re.match(r"[a-z]+:", target) and not (ROOT / name).parent.joinpath(target).exists():
                    problems.append(f"{name}:{number}: no file '{target}'")
    return problems


def tidy():
    """clang-tidy on the project's own sources, with the flags of the release build."""
    database = ROOT / "build/compile_commands.json"
    if not database.exists():
        return ["clang-tidy reads build/compile_commands.json, which a build makes"]
    database = json.loads(database.read_text())
    ours = set(tracked(".cpp", ".c"))
    names = sorted({str(Path(entry["file"]).relative_to(ROOT)) for entry in database
                    if Path(entry["file"]).is_relative_to(ROOT)} & ours - {"cmake/pch.cpp"})

    def one(name):
        result = subprocess.run([LLVM / "clang-tidy", "--quiet", "-p", ROOT / "build", name], cwd=ROOT, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return [line.removeprefix(f"{ROOT}/") for line in result.stdout.splitlines()
                if re.search(r": (warning|error): ", line)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sorted({problem for problems in pool.map(one, names) for problem in problems})


ALL = {check.__name__: check for check in (format, check_lines, sources, includes, docs, links, tidy)}

if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in ALL]
    if unknown:
        sys.exit(f"there is no check '{unknown[0]}'; the checks are {', '.join(ALL)}")
    # clang-tidy takes minutes, and needs a build; it runs when it is named.
    found = [problem for check in (sys.argv[1:] or ALL) if sys.argv[1:] or check != "tidy" for problem in ALL[check]()]
    print("\n".join(found) if found else "nothing found")
    sys.exit(1 if found else 0)
