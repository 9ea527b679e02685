#!/usr/bin/env python3
"""The groups that take a share of a network's time and stay far below what the machine allows.

    roofline.py [--cnnc PATH] [--cc PATH] [--threads N] [--target TARGET] [--share 5] [--of-roof 70] [--all] [NET.cnn ...]

A group's roof is the lower of the FMA peak and its intensity times the memory's bandwidth, both measured here; where a
group has no multiply-adds it is the bandwidth. Bytes count what is read and written at least, multiply-adds those of the
direct method, so that a group in a cache and one by Winograd can be above their roofs. Without networks: the inference
networks of examples/ that the yardstick has. Prints the groups of at least `share` percent of a network's time that are
below `of-roof` percent, or with --all every group of that share; exits with 1 when there is one below.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NETS = ["lenet5", "mnist_cnn", "squeezenet1_1", "mobilenet_v2", "resnet18", "resnet50", "googlenet", "densenet121",
        "inception_v3", "alexnet", "vgg16", "unet"]

READER = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
enum { kBytes = 1 << 28, kRounds = 8 };
typedef float block __attribute__((vector_size(64)));
static char *memory;
static int threads;
static pthread_barrier_t barrier;
static volatile float sink;
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}
static void *read_part(void *index) {
  const long bytes = kBytes / threads;
  const block *from = (const block *)(memory + (long)index * bytes), *end = from + bytes / 64;
  for (int round = 0; round < kRounds; ++round) {
    pthread_barrier_wait(&barrier);
    block sums[8] = {0};
    for (const block *at = from; at < end; at += 8)
      for (int i = 0; i < 8; ++i)
        sums[i] += at[i];
    for (int i = 1; i < 8; ++i)
      sums[0] += sums[i];
    sink = sums[0][0];
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}
int main(int argc, char **argv) {
  threads = argc > 1 ? atoi(argv[1]) : 1;
  memory = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, kBytes, MADV_HUGEPAGE);
  for (long i = 0; i < kBytes; i += 4096)
    memory[i] = 1;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  pthread_t handles[256];
  for (long i = 0; i < threads; ++i)
    pthread_create(&handles[i], NULL, read_part, (void *)i);
  double best = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double start = now();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    const double time = now() - start;
    best = time < best ? time : best;
  }
  printf("%.2f\n", kBytes / best * 1e-9);
  return 0;
}
"""


def bandwidth(cc, threads):
    """GB/s that the threads read from memory together."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "read.c", pathlib.Path(folder) / "read"
        source.write_text(READER)
        subprocess.run([cc, "-O3", "-march=native", "-Wno-psabi", "-pthread", source, "-o", program], check=True)
        return float(subprocess.run([program, str(threads)], check=True, capture_output=True, text=True).stdout)


def groups(text):
    """Of the table of `cnnc bench`: the FMA peak, and (path, kind, algorithm, ms, share, GFLOP/s or 0, GB/s) a group."""
    peak = float(re.search(r"measured peak of ([0-9.]+)", text).group(1))
    rows = re.findall(r"^(\S+) +(\S+) +(\S+) +([0-9.]+) +([0-9.]+) %(?: +([0-9.]+) +[0-9.]+ %)? +([0-9.]+)$", text, re.M)
    return peak, [(*row[:3], *(float(field or 0) for field in row[3:])) for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cnnc", type=pathlib.Path, default=ROOT / "build/bin/cnnc")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--share", type=float, default=5)
    parser.add_argument("--of-roof", type=float, default=70)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("nets", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    nets = options.nets or [ROOT / f"examples/{net}.cnn" for net in NETS]
    below = 0
    for net in nets:
        rate = bandwidth(options.cc, options.threads)
        text = subprocess.run([options.cnnc, "bench", net, "--random-weights", "1", "--threads", str(options.threads),
                               "--target", options.target], check=True, capture_output=True, text=True).stdout
        peak, rows = groups(text)
        print(f"{net.stem}: FMA peak {peak:.1f} GFLOP/s, memory {rate:.1f} GB/s", flush=True)
        for path, kind, algorithm, time, share, gflops, gigabytes in rows:
            reached = max(gflops / peak, gigabytes / rate)
            if share < options.share or (100 * reached >= options.of_roof and not options.all):
                continue
            below += 100 * reached < options.of_roof
            print(f"  {path:40} {kind:12} {algorithm:9} {time:9.4f} ms {share:5.1f} %  {gflops:7.1f} GFLOP/s "
                  f"{gigabytes:7.1f} GB/s  {100 * reached:6.1f} % of its roof")
    sys.exit(below > 0)


if __name__ == "__main__":
    main()
