#!/usr/bin/env python3
"""`exits CODE COMMAND...` runs the command and succeeds when it ends with that exit code."""

import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
if code != int(sys.argv[1]):
    sys.exit(f"exit code {code} instead of {sys.argv[1]}: {' '.join(sys.argv[2:])}")
