// What is left where a build cannot finish: a full disk, a folder that cannot be written, a process that is killed. The
// package that was there stays whole, and nothing else appears.
#include "test/e2e/Shell.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <random>

using testing::HasSubstr;

namespace {

class Interrupted : public Shell {
protected:
  static std::string build(int seed, const std::string &folder) {
    return fmt::format(CNN_CNNC " build " CNN_SOURCE_DIR "/examples/lenet5.cnn --target cpu:sse --random-weights {} "
                                "--output {}",
                       seed, folder);
  }
  /// Whether this user may mount file systems, in a name space of its own.
  static bool mayMount() {
    return std::system("unshare -rm sh -c 'mount -t tmpfs -o size=1m none /mnt' 2>/dev/null") == 0;
  }
};

TEST_F(Interrupted, AFullDiskLeavesThePackageThatWasThere) {
  if (!mayMount())
    GTEST_SKIP() << "SKIP no file system can be mounted here";
  // A package takes some 700 kB: one fits, two do not.
  const std::string script = fmt::format("mkdir out && mount -t tmpfs -o size=1200k none out && {} && "
                                         "sha256sum out/* > before && ls -A out > names && ({} ; echo exit $?) && "
                                         "sha256sum --quiet -c before && ls -A out | diff names - && echo intact",
                                         build(1, "out"), build(2, "out"));
  const std::string output = run(fmt::format("unshare -rm sh -c '{}'", script));
  EXPECT_THAT(output, HasSubstr("the disk is full\nexit 1\nintact\n"));
}

TEST_F(Interrupted, AFolderThatCannotBeWrittenStaysAsItIs) {
  if (!mayMount())
    GTEST_SKIP() << "SKIP no file system can be mounted here";
  const std::string script =
      fmt::format("mkdir out && mount -t tmpfs none out && mount -o remount,ro out && ({} ; echo "
                  "exit $?) && ls -A out | wc -l",
                  build(1, "out"));
  EXPECT_THAT(run(fmt::format("unshare -rm sh -c '{}'", script)),
              HasSubstr("the file system is read-only\nexit 1\n0\n"));
}

TEST_F(Interrupted, WeightsThatCannotBeWrittenAreNotTrained) {
  if (!mayMount())
    GTEST_SKIP() << "SKIP no file system can be mounted here";
  const std::string script =
      "mkdir out && mount -t tmpfs none out && mount -o remount,ro out && (" CNN_CNNC " train " CNN_SOURCE_DIR
      "/examples/train_xor.cnn --data " CNN_SOURCE_DIR "/examples/xor --output out/w.safetensors; echo exit $?)";
  EXPECT_EQ(run(fmt::format("unshare -rm sh -c '{}'", script)),
            "error: cannot write 'out/w.safetensors': the file system is read-only\nexit 1\n");
}

TEST_F(Interrupted, AKilledBuildLeavesWholeFiles) {
  run(build(1, "one"));
  run(build(2, "two"));
  run("cp -r one out");
  std::mt19937 random(1);
  for (int round = 0; round < 12; ++round) {
    const int milliseconds = static_cast<int>(random() % 400);
    run(fmt::format("timeout -s KILL 0.{:03} {} > log 2>&1 || true", milliseconds, build(1 + round % 2, "out")));
    // Every file is one of a whole package, and there is no other.
    EXPECT_EQ(run("for f in $(ls -A out); do cmp -s out/$f one/$f || cmp -s out/$f two/$f || echo $f is broken; done"),
              "")
        << "killed after " << milliseconds << " ms";
  }
}

} // namespace
