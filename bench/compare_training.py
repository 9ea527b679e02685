#!/usr/bin/env python3
"""One training step of cnnc beside those of PyTorch and Keras: the same networks, one machine, interleaved rounds.

    compare_training.py --yardstick DIR [--cnnc PATH] [--torch-python PATH] [--keras-python PATH]
                        [--threads 1,2] [--rounds 3] [--seconds 2] [--systems cnnc,torch,...] [--nets mnist_cnn,...]

DIR holds train_peers.py and models.py. Each round runs every system once, so that all of them see the same hours of the
machine; what counts is the smallest step time over the rounds. Peers that are not there are left out, and named at the
end. A ratio below 1 means that cnnc is faster than the fastest peer; the last column compares one thread with more.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCHES = {"mnist_cnn": 256, "resnet20": 128, "unet64": 8, "mlp": 256}
PEERS = ["torch", "compile", "keras", "keras-jit"]
KERAS_NETS = ["mnist_cnn"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yardstick", type=pathlib.Path, required=True)
    parser.add_argument("--cnnc", type=pathlib.Path, default=ROOT / "build/bin/cnnc")
    parser.add_argument("--torch-python", default="")
    parser.add_argument("--keras-python", default="")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--systems", default=",".join(["cnnc", *PEERS]))
    parser.add_argument("--nets", default=",".join(BATCHES))
    parser.add_argument("--json", type=pathlib.Path, help="the best times, by network, threads and system; of an earlier "
                        "run, if the file is there, the smaller ones stay")
    return parser.parse_args()


class Comparison:
    def __init__(self, args):
        self.args = args
        self.threads = [int(count) for count in args.threads.split(",")]
        self.systems = args.systems.split(",")
        self.best = {}  # (net, threads, system): ms
        self.missing = {}  # system or net: why
        if args.json and args.json.exists():
            self.best = {tuple(key): time for *key, time in json.loads(args.json.read_text())}

    def command(self, system, net, threads):
        """The command that measures, or None where there is nothing to measure."""
        if system == "cnnc":
            source = ROOT / f"bench/train/{net}.cnn"
            if not source.exists():
                self.missing[net] = f"no {source.relative_to(ROOT)}"
                return None
            return [self.args.cnnc, "bench", "--train", source, "--batch", BATCHES[net], "--threads", threads, "--json"]
        keras = system.startswith("keras")
        if keras and net not in KERAS_NETS:
            return None
        python = self.args.keras_python if keras else self.args.torch_python
        if not python:
            self.missing[system] = "no --keras-python" if keras else "no --torch-python"
            return None
        return [python, self.args.yardstick / "train_peers.py", system, net, "--threads", threads, "--batch",
                BATCHES[net], "--seconds", self.args.seconds]

    def measure(self, system, net, threads):
        command = self.command(system, net, threads)
        if not command or system in self.missing:
            return
        try:
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            self.missing[system] = str(error)
            return
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            self.missing[f"{system} {net}"] = (done.stderr.strip().splitlines() or ["no result"])[-1]
            return
        key, time = (net, threads, system), json.loads(lines[-1])["min_ms"]
        self.best[key] = min(time, self.best.get(key, math.inf))

    def run(self):
        for _ in range(self.args.rounds):
            for net in self.args.nets.split(","):
                for threads in self.threads:
                    for system in self.systems:
                        self.measure(system, net, threads)
        if self.args.json:
            rows = [[*key, time] for key, time in sorted(self.best.items())]
            self.args.json.write_text("[" + ",\n ".join(map(json.dumps, rows)) + "]\n")

    def report(self):
        columns = ["cnnc", *PEERS]
        for threads in self.threads:
            logs = []
            print(f"\n{f'ms, threads {threads}':16}" + "".join(f"{name:>11}" for name in columns) +
                  f"{'to best':>11}{'1 thread':>11}")
            for net in self.args.nets.split(","):
                times = [self.best.get((net, threads, system), math.nan) for system in columns]
                theirs = min((time for time in times[1:] if time == time), default=math.nan)
                ratio = times[0] / theirs
                speedup = self.best.get((net, 1, "cnnc"), math.nan) / times[0]
                if ratio == ratio:
                    logs.append(math.log(ratio))
                print(f"{net:16}" + "".join(f"{time:11.3f}" for time in times) + f"{ratio:11.2f}{speedup:10.2f}x")
            if logs:
                print(f"{'geometric mean':16}" + " " * 11 * len(columns) + f"{math.exp(sum(logs) / len(logs)):11.2f}")
        for name, why in self.missing.items():
            print(f"left out: {name}: {why}")


def main():
    comparison = Comparison(arguments())
    comparison.run()
    comparison.report()
    return 0 if any(system == "cnnc" for _, _, system in comparison.best) else 1


if __name__ == "__main__":
    sys.exit(main())
