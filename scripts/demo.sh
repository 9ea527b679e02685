#!/usr/bin/env bash
# Shows the whole way on a bare Debian 12: installs what is missing, builds the compiler, compiles examples/filters.cnn to a
# library, links it into a C program and runs that on a picture; then draws digits and lets a trained network name them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

step() { printf '\n== %s\n' "$1"; }
quietly() { "$@" >build/demo.log 2>&1 || { cat build/demo.log; exit 1; }; }

step "build the compiler"
mkdir -p build
quietly cmake --preset release
cmake --build --preset release --target cnnc

step "the network: examples/filters.cnn"
build/bin/cnnc summary examples/filters.cnn

step "compile it to a library"
build/bin/cnnc build examples/filters.cnn --output build/demo

step "link it into a C program and run that on examples/pictures/scene.png"
gcc -std=c99 -O2 -Wall -Wextra -Werror -I build/demo examples/filters-demo/main.c build/demo/libfilters.a -lpng -lm \
  -o build/demo/filters-demo
build/demo/filters-demo examples/pictures/scene.png build/demo/filters.png

step "draw sixty digits, and name them with a network that learned from MNIST"
python3 examples/pictures/make_digits.py build/demo/digits
build/bin/cnnc predict examples/mnist_cnn.cnn --weights examples/weights/mnist_cnn.safetensors --input build/demo/digits \
  --output build/demo/digits.csv --sheet build/demo/digits.png
echo
echo "The pictures are build/demo/filters.png and build/demo/digits.png; the library and its header are in build/demo."
