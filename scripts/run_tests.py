#!/usr/bin/env python3
"""Builds and runs all tests and checks, and counts every case once.

A GoogleTest binary counts with its cases, lit with its test files, any other CTest entry and any check as one. A binary that
fails without a failing case (a crash, a time-out) counts as one failure, and so does a build that fails.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

import checks

ROOT = Path(__file__).resolve().parent.parent
SANITIZER_OPTIONS = {
    # Debian's libMLIR is built without the sanitizer and its allocators would be reported as poisoned.
    "ASAN_OPTIONS": "allow_user_poisoning=0:detect_leaks=1:detect_container_overflow=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
# What has threads and is free of LLVM, which is built without the sanitizer: the preset tsan builds no other.
THREAD_TESTS = "^(embedded-test|host-test|data-test|training-host-test)$"


@dataclass
class Totals:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)
    skips: dict = field(default_factory=dict)

    def add(self, name, outcome, reason=""):
        if outcome == "passed":
            self.passed += 1
        elif outcome == "failed":
            self.failed += 1
            self.failures.append(f"{name}: {reason}" if reason else name)
        else:
            self.skipped += 1
            self.skips.setdefault(reason or "no reason given", []).append(name)

    def report(self):
        for reason, names in sorted(self.skips.items()):
            print(f"SKIP {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}")
        for failure in self.failures:
            print(f"FAIL {failure}")
        tail = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{tail}", flush=True)


def step(text):
    print(f"== {text}", flush=True)


def add_cases(totals, path, prefix):
    """Adds the cases of a GoogleTest or lit XML report; returns how many of them failed."""
    failed = 0
    for case in xml.parse(path).getroot().iter("testcase"):
        name = f"{prefix}/{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None:
            failed += 1
            totals.add(name, "failed")
        elif skip is not None or case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun":
            message = (skip.get("message") or skip.text or "") if skip is not None else ""
            totals.add(name, "skipped", missing_file(case) or skip_reason(message))
        else:
            totals.add(name, "passed")
    return failed


def missing_file(case):
    """Why lit skipped a test that says which files it NEEDS: lit's own report does not tell."""
    source = ROOT.joinpath("test/lit", *case.get("classname").split(".")[1:], case.get("name"))
    shared = Path(os.environ.get("CNN_SHARED", ROOT.parent / "shared"))
    if not source.is_file():
        return ""
    needs = re.findall(r"NEEDS: *(\S+)", source.read_text(errors="replace"))
    return next((f"{path} is not in {shared}" for path in needs if not (shared / path).exists()), "")


def skip_reason(message):
    """The line that says why: the one after 'SKIP' where a test printed it, else the last that is not a file position."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for line in lines:
        found = re.search(r"SKIP:?\s+(.*)", line)
        if found:
            return found.group(1)
    lines = [line for line in lines if not re.fullmatch(r"\S+:\d+", line)]
    return lines[-1] if lines else ""


def run_ctest(totals, build, prefix, environment, names="."):
    """Runs the tests of CTest in `build` whose names match, and adds what they reported."""
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder)
        environment = dict(os.environ, **environment, GTEST_OUTPUT=f"xml:{reports}/",
                           LIT_OPTS=f"--xunit-xml-output={reports}/lit.xml", GTEST_COLOR="no")
        environment.setdefault("CTEST_PARALLEL_LEVEL", str(os.cpu_count()))
        subprocess.run(["ctest", "--test-dir", build, "--output-on-failure", "--timeout", "900", "-R", names,
                        "--output-junit", reports / "ctest.xml"], env=environment, cwd=ROOT)
        if not (reports / "ctest.xml").exists():
            totals.add(f"{prefix}ctest", "failed", "it left no report")
            return
        for test in xml.parse(reports / "ctest.xml").getroot().iter("testcase"):
            name, status = test.get("name"), test.get("status")
            report = reports / f"{name}.xml"
            failed_cases = add_cases(totals, report, prefix + name) if report.exists() else None
            if status == "fail" and not failed_cases:
                totals.add(prefix + name, "failed", "it crashed or ran out of time")
            elif failed_cases is None and status == "run":
                totals.add(prefix + name, "passed")
            elif failed_cases is None and status != "fail":
                output = test.findtext("system-out") or ""
                totals.add(prefix + name, "skipped", skip_reason(output) or (test.find("skipped").get("message") or ""))


def build_and_test(totals, preset, environment=None, definitions=(), names="."):
    """Configures, builds and tests one preset; returns whether it was built. `names`: which tests, where not all."""
    prefix = "" if preset == "release" else f"{preset}/"
    step(f"build ({preset})")
    start = time.monotonic()
    for command in (["cmake", "--preset", preset, *definitions], ["cmake", "--build", "--preset", preset]):
        result = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode != 0:
            print(result.stdout)
            totals.add(f"{prefix}build", "failed")
            return False
    print(f"built in {time.monotonic() - start:.0f} s", flush=True)
    step(f"tests ({preset})")
    build = ROOT / ("build" if preset == "release" else f"build-{preset}")
    run_ctest(totals, build, prefix, environment or {}, names)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out the builds with sanitizers and the fuzz targets")
    parser.add_argument("--tidy", action="store_true", help="run clang-tidy as well, about 5 s a file")
    arguments = parser.parse_args()

    totals = Totals()
    built = build_and_test(totals, "release")
    step("checks")
    for name, check in checks.ALL.items():
        if name == "tidy" and not (arguments.tidy and built):
            continue
        problems = check()
        for problem in problems:
            print(problem)
        totals.add(f"check/{name}", "failed" if problems else "passed", f"{len(problems)} found" if problems else "")
    if built and not arguments.quick:
        build_and_test(totals, "sanitize", SANITIZER_OPTIONS, ["-DCNN_FUZZ=ON"])
        build_and_test(totals, "tsan", {"TSAN_OPTIONS": "halt_on_error=1"}, names=THREAD_TESTS)
    step("result")
    totals.report()
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
