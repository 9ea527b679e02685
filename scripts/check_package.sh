#!/usr/bin/env bash
# Builds the Debian package and tries it in a clean Debian 12: it installs with what that offers, builds and runs a network, and
# leaves nothing when it is removed.
# As root, and with a network: the clean system is made by mmdebstrap. `--package FILE.deb` tries one that is there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --package ]; then
  package=$2
else
  cmake --preset package
  cmake --build --preset package
  cpack --preset package
  package=$(ls -t build-package/cnnc_*.deb | head -1)
fi

root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
mmdebstrap --variant=minbase bookworm "$root" http://deb.debian.org/debian
cp "$package" "$root/cnnc.deb"
chroot "$root" sh -euc '
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends /cnnc.deb
  if ldd /usr/bin/cnnc | grep -E "LLVM|MLIR|not found"; then exit 1; fi
  cd /usr/share/cnnc/examples
  cnnc run filters.cnn --input pictures/scene.png --output /tmp/edges.png
  cnnc build lenet5.cnn --random-weights 1 --output /tmp/out
  cnnc train train_xor.cnn --help >/dev/null
  ls /tmp/out/liblenet5.so /tmp/edges.png
  cd /
  dpkg --purge cnnc
  if find /usr -name "*cnnc*" | grep .; then exit 1; fi'
echo "$package installs on a clean Debian 12 and runs"
