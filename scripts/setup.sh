#!/usr/bin/env bash
# Installs what the build and the tests need on Debian 12. Where everything is there it only asks dpkg and returns, so that the
# other scripts can call it first. LLVM 22 comes from Debian's own security suite.
set -euo pipefail

packages=(
  ca-certificates git cmake ninja-build ccache python3 pkg-config gcc g++ libc6-dev
  clang-22 lld-22 liblld-22-dev llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  clang-format-22 clang-tidy-22 libclang-rt-22-dev
  python3-venv python3-numpy python3-pytest dpkg-dev file
  libfmt-dev libgtest-dev libgmock-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev
)

installed=$(dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
  sed -n 's/ installed$//p') || true
missing=()
for package in "${packages[@]}"; do
  grep -qxF "$package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: run this as root once, or install sudo: apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 "$@"; }

apt update
if ! apt-cache show llvm-22-dev >/dev/null 2>&1; then
  echo "setup: enabling bookworm-security, which has LLVM 22"
  echo "deb http://deb.debian.org/debian-security bookworm-security main" |
    "${as_root[@]}" tee /etc/apt/sources.list.d/bookworm-security.list >/dev/null
  apt update
fi
apt install --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
