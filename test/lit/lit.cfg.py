# How lit runs the tests of this folder: which files are tests, which tools they call, and what a test may ask of the machine.
#
# A test that reads published weights or photos says `NEEDS: models/squeezenet/squeezenet1_0.safetensors`, a path below the
# folder that the environment variable CNN_SHARED names (`../shared` beside the checkout by default). Without the file it is
# skipped and the report names it.

import os
import platform
import re
import shutil
import sys

if not hasattr(config, "cnn_source"):
    lit_config.fatal("give lit the path in the build: lit-22 build/test/lit/FOLDER")
sys.path.insert(0, config.cnn_source + "/test/lit")
from needs import CnnTest  # noqa: E402

config.name = "cnnc"
config.test_format = CnnTest(execute_external=False)
config.suffixes = [".mlir", ".cnn", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = config.cnn_source + "/test/lit"
config.test_exec_root = config.cnn_build + "/test/lit"
config.cnn_shared = os.environ.get("CNN_SHARED", os.path.join(os.path.dirname(config.cnn_source), "shared"))

# The machine's settings for the tools are not the tests'.
for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "CNN_CPU", "LD_LIBRARY_PATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment["PATH"] = os.pathsep.join((config.cnn_build + "/bin", config.llvm_bin, os.environ.get("PATH", "")))
config.environment["NO_COLOR"] = "1"
config.environment["XDG_CACHE_HOME"] = config.test_exec_root + "/cache"

for name in ("cnnc", "cnn-opt"):
    config.substitutions.append((rf"(?<![\w/.-]){name}(?![\w/.-])", f"{config.cnn_build}/bin/{name}"))
config.substitutions += [
    ("%examples", config.cnn_source + "/examples"),
    ("%source", config.cnn_source),
    ("%shared", config.cnn_shared),
    ("%python", sys.executable),
    ("%exits", f"{sys.executable} {config.cnn_source}/test/lit/exits.py"),
    ("%cuda_stub", config.cnn_build + "/test/cuda-stub"),
    ("%cc", shutil.which("gcc") or config.llvm_bin + "/clang"),
    ("%cxx", shutil.which("g++") or config.llvm_bin + "/clang++"),
]

if config.sanitizers:
    config.available_features.add("sanitizer")
# Where the compiler looks for them (codegen/cuda/Toolkit.h).
if "CUDA_HOME" in os.environ:
    config.environment["CUDA_HOME"] = os.environ["CUDA_HOME"]
cuda_folders = [os.path.join(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "bin"), "/usr/local/cuda/bin"]
config.environment["PATH"] += os.pathsep + os.pathsep.join(cuda_folders)
for tool in ("ptxas", "nvdisasm"):
    if shutil.which(tool, path=config.environment["PATH"]):
        config.available_features.add(tool)
if os.path.isdir(config.cnn_shared):
    config.available_features.add("shared")
if platform.machine() == "x86_64":
    config.available_features.add("x86_64")
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpuinfo:
        flags = set(re.search(r"^flags\s*:(.*)$", cpuinfo.read(), re.MULTILINE).group(1).split())
    if {"avx2", "fma"} <= flags:
        config.available_features.add("avx2")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        config.available_features.add("avx512")
