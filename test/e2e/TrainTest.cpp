// Training as its users live with it: killed at any moment, asked to stop, and from a C program of their own.
#include "test/e2e/Shell.h"

#include "runtime/host/training/Checkpoint.h"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <random>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace cnn;
using testing::HasSubstr;

namespace {

class Train : public Shell {
protected:
  const std::string inputs = CNN_SOURCE_DIR "/test/lit/tools/Inputs/";

  void SetUp() override { run("python3 " + inputs + "training-data.py idx data 96"); }

  std::vector<std::string> command(const std::vector<std::string> &more) {
    std::vector<std::string> words = {CNN_CNNC, "train", inputs + "quarters.cnn:fit", "--data", "data", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// Starts the program in the folder, its output in the file `log`.
  pid_t start(const std::vector<std::string> &words) {
    pid_t child = fork();
    if (child != 0)
      return child;
    std::vector<char *> arguments;
    for (const std::string &word : words)
      arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);
    int log = open((path.str().str() + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (chdir(path.c_str()) != 0 || log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
      _exit(127);
    execv(arguments.front(), arguments.data());
    _exit(127);
  }
  static int wait(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }
  std::string file(const std::string &name) { return path.str().str() + "/" + name; }
  std::string sum(const std::string &name) { return run("sha256sum < " + name); }
};

TEST_F(Train, AKillAtAnyMomentLeavesACheckpointThatLoads) {
  const std::vector<std::string> arguments = {
      "--output", "w.safetensors", "--checkpoint", "c", "--resume", "--every", "1", "--epochs", "60"};
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  // How long it takes this machine to come to a checkpoint.
  auto hasCheckpoint = [&] { return run("ls c 2>/dev/null | grep -c 'safetensors$' || true") != "0\n"; };
  const auto begin = std::chrono::steady_clock::now();
  pid_t first = start(command(arguments));
  for (int tries = 0; tries < 6000 && !hasCheckpoint(); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto needed = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  ::kill(first, SIGKILL);
  wait(first);
  int64_t last = -1;
  for (int kill = 0; kill < 50; ++kill) {
    pid_t child = start(command(arguments));
    // From the start of the process to some steps beyond its compilation.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % (2 * needed.count())));
    ::kill(child, SIGKILL);
    wait(child);
    if (!hasCheckpoint())
      continue; // killed before there was one
    std::vector<std::string> skipped;
    auto checkpoint = host::latestCheckpoint(file("c"), &skipped);
    ASSERT_TRUE(checkpoint) << "kill " << kill << ": " << checkpoint.error().message;
    EXPECT_TRUE(skipped.empty()) << "kill " << kill << ": " << skipped.front();
    EXPECT_GE(checkpoint->info.step, last) << "kill " << kill;
    last = checkpoint->info.step;
  }
  EXPECT_GT(last, 0) << "no run came to its first checkpoint";
  EXPECT_EQ(wait(start(command(arguments))), 0) << run("cat log");
  EXPECT_EQ(wait(start(command({"--output", "whole.safetensors", "--epochs", "60"}))), 0) << run("cat log");
  EXPECT_EQ(sum("w.safetensors"), sum("whole.safetensors"));
}

TEST_F(Train, ASignalEndsTheRunWithACheckpoint) {
  for (int signal : {SIGINT, SIGTERM}) {
    pid_t child = start(command({"--output", "w.safetensors", "--checkpoint", "c", "--resume", "--epochs", "1000000"}));
    // The history's first line says that the run has begun.
    for (int tries = 0; tries < 600 && run("cat c/history.jsonl 2>/dev/null | wc -l") == "0\n"; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ::kill(child, signal);
    int status = wait(child);
    ASSERT_TRUE(WIFEXITED(status)) << run("cat log");
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_THAT(run("cat log"), HasSubstr("--resume goes on from 'c'; w.safetensors was not written"));
    auto checkpoint = host::latestCheckpoint(file("c"));
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_THAT(run("cat log"), HasSubstr(fmt::format("stopped after step {};", checkpoint->info.step)));
    run("rm -r c", 0);
  }
}

TEST_F(Train, TheExampleLearnsInAProgramOfItsOwn) {
  const std::string example = CNN_SOURCE_DIR "/examples/embed-training/";
  run(fmt::format("{} build --train {}xor.cnn --output out", CNN_CNNC, example));
  for (const char *library : {"out/libxor_step.a", "-Lout -lxor_step -Wl,-rpath,out"}) {
    compile(fmt::format("{} {}train.c -Iout {} -lm -o train", kC, example, library));
    std::string output = run("./train");
    EXPECT_THAT(output, HasSubstr(", learnt\n"));
    EXPECT_THAT(output, HasSubstr("hidden.weight: 8 numbers at byte 0\n"));
  }
  for (const std::string &compiler : {kC, kCxx}) {
    compile(compiler + " out/xor_step_smoke_test.c -Iout -x none out/libxor_step.a -o smoke");
    EXPECT_THAT(run("./smoke"), HasSubstr("xor_step runs on "));
  }
  // What is exported, and that a step takes no memory from the system.
  const std::string names =
      "xor_step_(error|group|isa|model_bytes|model_end|model_init|session_(bytes|end|init|on_group|"
      "pool)|step|state_init)";
  EXPECT_EQ(run(fmt::format("nm -D --defined-only out/libxor_step.so | grep -cE ' T {}@@CNN_ABI_1$'", names)), "13\n");
  EXPECT_EQ(run("nm -D --defined-only out/libxor_step.so | wc -l"), "13\n");
  EXPECT_EQ(run("nm -D --undefined-only out/libxor_step.so | grep -cE 'alloc' || true"), "0\n");
}

TEST_F(Train, StepsOfALibraryKeepToTheirStateOnAnyNumberOfThreads) {
  run(fmt::format("{} build --train {}quarters.cnn:fit --output out --weights-in file", CNN_CNNC, inputs));
  compile(fmt::format("{} {} -Iout out/libfit.a -pthread -o steps", kC, program("steps.c")));
  run("./steps out/fit.weights > library.txt");
  EXPECT_THAT(run("cat library.txt"), HasSubstr("loss"));
  EXPECT_EQ(run("./steps out/fit.weights 3 | cmp - library.txt"), "");
}

} // namespace
