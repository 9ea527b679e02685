"""The test format of this folder: a shell test that is skipped, with the reason, where a file that it needs is missing. It is a
module of its own because lit's worker processes look it up by name."""

import os
import re

import lit.formats
import lit.Test


class CnnTest(lit.formats.ShTest):
    def execute(self, test, lit_config):
        with open(test.getSourcePath(), encoding="utf-8", errors="replace") as source:
            needs = re.findall(r"NEEDS: *(\S+)", source.read())
        for path in needs:
            if not os.path.exists(os.path.join(test.config.cnn_shared, path)):
                return lit.Test.Result(lit.Test.UNSUPPORTED, f"SKIP {path} is not in {test.config.cnn_shared}")
        return super().execute(test, lit_config)
