#!/usr/bin/env bash
# Puts ptxas and nvdisasm, for machines without the CUDA Toolkit, into FOLDER/bin from NVIDIA's packages on PyPI:
#   scripts/cuda_tools.sh FOLDER && export CUDA_HOME=FOLDER
# The compiler, the tests and `cnnc emit --stage sass` look there. Nothing that must be built or tested needs them.
set -euo pipefail

[ $# -eq 1 ] || {
  echo "usage: scripts/cuda_tools.sh FOLDER" >&2
  exit 2
}
folder=$1
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$wheels" \
  nvidia-cuda-nvcc nvidia-cuda-nvdisasm
mkdir -p "$folder/bin"
python3 - "$wheels" "$folder/bin" <<'EOF'
import pathlib
import sys
import zipfile

wheels, target = map(pathlib.Path, sys.argv[1:])
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if pathlib.PurePath(name).name in ("ptxas", "nvdisasm"):
                program = target / pathlib.PurePath(name).name
                program.write_bytes(archive.read(name))
                program.chmod(0o755)
EOF
"$folder/bin/ptxas" --version | tail -1
"$folder/bin/nvdisasm" --version | tail -1
