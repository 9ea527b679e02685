#!/usr/bin/env python3
"""What a package costs besides its speed: time to build it, code size, time to the first output, and peak memory.

    package_costs.py [--cnnc PATH] [--cc PATH] [--rounds N] [--threads N] [NET.cnn ...]

Without networks: lenet5 and resnet50 of examples/. Each is built for one instruction set (avx512) and for all three,
with the weights in a file of their own, so that the library is code. A C program then loads the library: `first output`
is the time from dlopen, with the weights mapped and checked, through a session to the end of the first run, the best of
the rounds, each a new process (the file is in the page cache). Peak memory is VmHWM of that process; the bar is against
the weights' file.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "NAME.h"

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

int main(int argc, char **argv) {
  (void)argc;
  float *input = calloc(INPUT_FLOATS, sizeof *input), *output = calloc(OUTPUT_FLOATS, sizeof *output);
  const double start = now();
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return 3;
  size_t (*model_bytes)(void) = (size_t (*)(void))dlsym(library, "NAME_model_bytes");
  int (*model_init)(NAME_model *, const NAME_model_options *) =
      (int (*)(NAME_model *, const NAME_model_options *))dlsym(library, "NAME_model_init");
  size_t (*session_bytes)(const NAME_model *, int64_t, int) =
      (size_t (*)(const NAME_model *, int64_t, int))dlsym(library, "NAME_session_bytes");
  int (*session_init)(NAME_session *, const NAME_model *, const NAME_session_options *) =
      (int (*)(NAME_session *, const NAME_model *, const NAME_session_options *))dlsym(library, "NAME_session_init");
  int (*run)(NAME_session *, int64_t, const NAME_inputs *, const NAME_outputs *) =
      (int (*)(NAME_session *, int64_t, const NAME_inputs *, const NAME_outputs *))dlsym(library, "NAME_run");
  NAME_model *model = aligned_alloc(64, (model_bytes() + 63) / 64 * 64);
  NAME_model_options model_options;
  memset(&model_options, 0, sizeof model_options);
  model_options.size = sizeof model_options;
  model_options.weights_file = argv[2];
  if (model_init(model, &model_options))
    return 4;
  const double loaded = now();
  NAME_session *session = aligned_alloc(64, (session_bytes(model, 1, THREADS) + 63) / 64 * 64);
  NAME_session_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.max_batch = 1;
  options.threads = THREADS;
  if (session_init(session, model, &options))
    return 5;
  NAME_inputs inputs;
  NAME_outputs outputs;
  memset(&inputs, 0, sizeof inputs);
  memset(&outputs, 0, sizeof outputs);
  inputs.INPUT = input;
  outputs.OUTPUT = output;
  if (run(session, 1, &inputs, &outputs))
    return 6;
  const double end = now();
  char line[256];
  long peak = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof line, status))
    if (!strncmp(line, "VmHWM:", 6))
      peak = atol(line + 6);
  printf("%.3f %.3f %ld\n", end - start, loaded - start, peak);
  return 0;
}
"""


def build(cnnc, net, target, folder):
    """Seconds."""
    start = time.perf_counter()
    subprocess.run([cnnc, "build", net, "--random-weights", "1", "--target", target, "--weights-in", "file",
                    "--output", folder], check=True, capture_output=True)
    return time.perf_counter() - start


def sections(library):
    """Bytes of machine code and of read-only data."""
    sizes = {}
    for line in subprocess.run(["size", "-A", library], check=True, capture_output=True, text=True).stdout.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[0].startswith("."):
            sizes[fields[0]] = int(fields[1])
    return sizes.get(".text", 0), sizes.get(".rodata", 0)


def elements(header, kind):
    """Name and elements of the only tensor of a kind, from the header's structs and constants."""
    fields = re.search(r"typedef struct \w+_%ss \{(.*?)\}" % kind, header, re.S).group(1)
    name = re.search(r"\*\s*(\w+);", fields).group(1)
    shape = re.search(r"\b\w+_%s_ELEMENTS\s+(?:INT64_C\()?(\d+)" % name.upper(), header)
    return name, int(shape.group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cnnc", type=pathlib.Path, default=ROOT / "build/bin/cnnc")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("nets", nargs="*", default=[ROOT / "examples/lenet5.cnn", ROOT / "examples/resnet50.cnn"])
    options = parser.parse_args()
    for net in map(pathlib.Path, options.nets):
        name = net.stem
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            one = min(build(options.cnnc, net, "cpu:avx512", folder / "one") for _ in range(options.rounds))
            all_isas = min(build(options.cnnc, net, "cpu", folder / "all") for _ in range(options.rounds))
            library, weights = folder / "one" / f"lib{name}.so", folder / "one" / f"{name}.weights"
            code, data = sections(library)
            header = (folder / "one" / f"{name}.h").read_text()
            input_name, input_floats = elements(header, "input")
            output_name, output_floats = elements(header, "output")
            source = folder / "first.c"
            source.write_text(PROGRAM.replace("INPUT_FLOATS", str(input_floats))
                              .replace("OUTPUT_FLOATS", str(output_floats)).replace("THREADS", str(options.threads))
                              .replace("inputs.INPUT", f"inputs.{input_name}")
                              .replace("outputs.OUTPUT", f"outputs.{output_name}").replace("NAME", name))
            program = folder / "first"
            subprocess.run([options.cc, "-O2", "-std=c11", "-I", folder / "one", source, "-o", program, "-ldl"],
                           check=True)
            runs = [list(map(float, subprocess.run([program, library, weights], check=True, capture_output=True,
                                                   text=True).stdout.split())) for _ in range(options.rounds)]
            megabytes = weights.stat().st_size / 1e6
            print(f"{name}: built for one instruction set in {one:.2f} s, for three in {all_isas:.2f} s")
            print(f"  code {code / 1e3:.0f} kB, read-only data {data / 1e3:.0f} kB, library {library.stat().st_size / 1e3:.0f} kB, "
                  f"weights {megabytes:.1f} MB")
            print(f"  first output after {min(r[0] for r in runs):.1f} ms (model {min(r[1] for r in runs):.1f} ms), peak memory "
                  f"{min(r[2] for r in runs) * 1024 / 1e6:.1f} MB: weights and {min(r[2] for r in runs) * 1024 / 1e6 - megabytes:.1f} MB")


if __name__ == "__main__":
    main()
