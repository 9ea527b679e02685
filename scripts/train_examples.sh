#!/usr/bin/env bash
# Trains the networks of the table "Trained here" in docs/training.md whose data is MNIST or Fashion-MNIST, evaluates them, and draws
# their curves, what autoencoders restore and what generators draw.
#
#   scripts/train_examples.sh DATA OUTPUT [NAME ...]
#
# DATA has mnist/ and fashion-mnist/; OUTPUT gets NAME.safetensors, NAME.png (curves), NAME.log and the pictures. NAME is one of
# those below; without one all are trained. CNNC (build/bin/cnnc) is the compiler, THREADS (2) goes to --threads.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
data=$1 out=$2
shift 2
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(xor logistic mlp lenet5 head fashion scratch restore denoise anomaly vae dcgan)
cnnc=${CNNC:-build/bin/cnnc} threads=${THREADS:-2}
mkdir -p "$out"

# train NAME NET DATA [OPTION ...]
train() {
  local name=$1 net=$2 from=$3
  shift 3
  "$cnnc" train "$net" --data "$from" --output "$out/$name.safetensors" --curves "$out/$name.png" --threads "$threads" "$@" \
    >"$out/$name.log" 2>&1 || { cat "$out/$name.log"; exit 1; }
}

# evaluate NAME NET DATA [OPTION ...]
evaluate() {
  local name=$1 net=$2 from=$3
  shift 3
  printf '\n== %s\n' "$name"
  "$cnnc" eval "$net" --data "$from" --weights "$out/$name.safetensors" "$@"
}

# Three seeds, as the table has means of them.
seeds() {
  for seed in 1 2 3; do
    train "$1-$seed" "examples/$1.cnn" "$data/mnist" --seed "$seed"
    evaluate "$1-$seed" "examples/$1.cnn" "$data/mnist"
  done
}

# The classifier's view of 10,000 samples of NETWORK, and a sheet of a hundred.
samples() {
  local name=$1 network=$2
  printf '\n== %s, 10,000 samples\n' "$name"
  "$cnnc" run "$network" --weights "$out/$name.safetensors" --samples 10000 --seed 1 --output "$out/$name.npy" >/dev/null
  "$cnnc" run "$network" --weights "$out/$name.safetensors" --samples 100 --seed 1 --output "$out/$name-samples.png" >/dev/null
  "$cnnc" predict examples/mnist_cnn.cnn --weights examples/weights/mnist_cnn.safetensors --input "$out/$name.npy" \
    --output "$out/$name.csv"
}

for name in "${names[@]}"; do
  case $name in
    xor)
      train xor examples/train_xor.cnn examples/xor
      evaluate xor examples/train_xor.cnn examples/xor
      ;;
    logistic | mlp | lenet5) seeds "$name" ;;
    head | fashion | scratch)
      train "$name" "examples/fine_tune.cnn:$name" "$data/fashion-mnist"
      evaluate "$name" "examples/fine_tune.cnn:$name" "$data/fashion-mnist"
      ;;
    restore | denoise)
      train "$name" "examples/conv_autoencoder.cnn:$name" "$data/mnist"
      evaluate "$name" "examples/conv_autoencoder.cnn:$name" "$data/mnist" --pictures "$out/$name-pictures.png"
      ;;
    anomaly)
      train anomaly examples/conv_autoencoder.cnn:anomaly "$data/mnist" --except 0
      evaluate anomaly examples/conv_autoencoder.cnn:anomaly "$data/mnist" --pictures "$out/anomaly-pictures.png"
      ;;
    vae)
      train vae examples/vae.cnn "$data/mnist"
      evaluate vae examples/vae.cnn "$data/mnist" --pictures "$out/vae-pictures.png"
      samples vae examples/vae.cnn:sampler
      ;;
    dcgan)
      train dcgan examples/dcgan.cnn "$data/mnist"
      samples dcgan examples/dcgan.cnn:generator
      ;;
    *)
      echo "train_examples.sh: no network '$name'" >&2
      exit 2
      ;;
  esac
done
