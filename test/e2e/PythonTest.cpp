// Wheels as users of Python meet them: pip installs them into a virtual environment without a network, and pytest runs
// programs/test_wheel.py there.
#include "test/e2e/Shell.h"

#include <gmock/gmock.h>

#include <cstdlib>

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

namespace {

/// A Python with all that the tests need; empty where there is none.
std::string findPython() {
  for (const char *python : {"python3", "/usr/bin/python3"})
    if (std::system(fmt::format("{} -c 'import ensurepip, venv, numpy, pytest' 2>/dev/null", python).c_str()) == 0)
      return python;
  return "";
}

TEST_F(Shell, WheelsInstallAndCompute) {
  const std::string python = findPython();
  if (python.empty())
    GTEST_SKIP() << "SKIP Python with venv, NumPy and pytest is not installed";
  const std::string build = std::string(CNN_CNNC) + " build --python --output out ";
  run(build + program("bytes.cnn"));
  run(build + "--random-weights 1 --weights-in file " + program("heavy.cnn"));
  run(build + "--train " CNN_SOURCE_DIR "/examples/embed-training/xor.cnn:xor_step");
  run(python + " -m venv --system-site-packages env");
  run("env/bin/pip install --no-index --no-cache-dir out/*.whl");
  // pip may say 'xor-step'.
  EXPECT_THAT(run("env/bin/pip list --format freeze"), ContainsRegex("xor[_-]step==1[+]"));
  // Nothing is taken from where it was built.
  run("rm -r out");
  // Nor does a model or session that lives to the end make a noise then.
  EXPECT_THAT(run("env/bin/python -m pytest -q -p no:cacheprovider " + program("test_wheel.py")),
              AllOf(HasSubstr("6 passed"), Not(HasSubstr("ignored"))));
}

} // namespace
