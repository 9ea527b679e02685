#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests and checks; ends with a line 'N passed, N failed[, N skipped]'.
# Options are those of run_tests.py: --quick leaves out the sanitizers, --tidy adds clang-tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
exec python3 scripts/run_tests.py "$@"
