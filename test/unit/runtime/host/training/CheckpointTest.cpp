//===- CheckpointTest.cpp - Training that can be taken up again -----------===//
//
// Round trips, errors, the folder, and a writer that is killed fifty times.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Checkpoint.h"

#include "test/unit/runtime/host/HostTest.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

namespace cnn::host {
namespace {

CheckpointInfo someInfo(int64_t step = 469) {
  CheckpointInfo info;
  info.network = "lenet5";
  info.networkHash = hashText("network lenet5");
  info.toolVersion = "0.2.0";
  info.step = step;
  info.epoch = 3;
  info.batch = 17;
  info.seed = UINT64_MAX;
  info.schedule = "{\"best\":0.5}";
  info.bestMetric = "accuracy";
  info.bestValue = 0.1 + 0.2;
  info.classNames = {"T-shirt/top", "\"quoted\", with a comma", "Straße"};
  info.more = {{"early_stop", "{}"}};
  return info;
}

std::vector<NamedTensor> tensorsOf(const Tensor &weight, const Tensor &moment) {
  return {{"conv1.weight", weight.view()}, {"conv1.weight.adam_m", moment.view()}};
}

const std::vector<ExpectedTensor> expected = {{"conv1.weight", DType::F32, {2, 3}},
                                              {"conv1.weight.adam_m", DType::F32, {2, 3}}};

class CheckpointTest : public testing::Test {
protected:
  const Tensor weight = Tensor::fromFloats({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  const Tensor moment = Tensor::fromFloats({2, 3}, std::vector<float>{-1, 0, NAN, 4, 5, 6});
  TemporaryFolder folder;
};

TEST_F(CheckpointTest, ReadsBack) {
  ASSERT_OK(writeCheckpoint(folder / "a.safetensors", tensorsOf(weight, moment), someInfo()));
  Result<Checkpoint> checkpoint = readCheckpoint(folder / "a.safetensors");
  ASSERT_OK(checkpoint);
  EXPECT_EQ(checkpoint->info, someInfo());
  EXPECT_OK(checkCheckpoint(*checkpoint, expected, "lenet5", hashText("network lenet5")));
  const TensorView *view = checkpoint->file.find("conv1.weight.adam_m");
  ASSERT_NE(view, nullptr);
  EXPECT_TRUE(std::equal(view->bytes.begin(), view->bytes.end(), moment.bytes.begin(), moment.bytes.end()));
  // Class names are found in any weights file.
  Result<std::vector<std::string>> names = classNamesOf(checkpoint->file.metadata());
  ASSERT_OK(names);
  EXPECT_EQ(*names, someInfo().classNames);
  EXPECT_TRUE(classNamesOf({})->empty());
  EXPECT_EQ(errorOf(classNamesOf({{"class_names", "[1]"}})),
            "'class_names' in the metadata is '[1]' (expected a list of strings)");
  // The same training gives the same file.
  ASSERT_OK(writeCheckpoint(folder / "b.safetensors", tensorsOf(weight, moment), someInfo()));
  EXPECT_EQ(*readFile(folder / "a.safetensors"), *readFile(folder / "b.safetensors"));
}

TEST_F(CheckpointTest, PythonReadsIt) {
  if (std::system("python3 -c 'import safetensors, numpy' 2>/dev/null") != 0)
    GTEST_SKIP() << "no Python package safetensors";
  ASSERT_OK(writeCheckpoint(folder / "a.safetensors", tensorsOf(weight, moment), someInfo()));
  const std::string script = "from safetensors import safe_open\n"
                             "with safe_open('" +
                             (folder / "a.safetensors") +
                             "', 'np') as f:\n"
                             "  assert f.metadata()['step'] == '469', f.metadata()\n"
                             "  assert f.get_tensor('conv1.weight').tolist() == [[1, 2, 3], [4, 5, 6]]\n";
  std::ofstream(folder / "read.py") << script;
  EXPECT_EQ(std::system(("python3 " + (folder / "read.py")).c_str()), 0);
}

TEST_F(CheckpointTest, RefusesWhatDoesNotFit) {
  const std::string path = folder / "a.safetensors";
  ASSERT_OK(writeCheckpoint(path, tensorsOf(weight, moment), someInfo()));
  Result<Checkpoint> checkpoint = readCheckpoint(path);
  ASSERT_OK(checkpoint);
  auto problem = [&](std::vector<ExpectedTensor> wanted, const std::string &network, const std::string &hash = {}) {
    return errorOf(checkCheckpoint(*checkpoint, wanted, network, hash));
  };
  const std::string name = inQuotes(path);
  EXPECT_EQ(problem(expected, "vgg"), name + " is a checkpoint of 'lenet5', not of 'vgg'");
  EXPECT_EQ(problem({expected[0]}, "lenet5"),
            name + ": tensor 'conv1.weight.adam_m' belongs to nothing in the network");
  EXPECT_EQ(problem({expected[0], expected[1], {"conv1.bias", DType::F32, {2}}}, "lenet5"),
            name + ": no tensor 'conv1.bias'");
  EXPECT_EQ(problem({{"conv.weight", DType::F32, {2, 3}}}, "lenet5"),
            name + ": no tensor 'conv.weight' (the nearest is 'conv1.weight')");
  EXPECT_EQ(problem({{"conv1.weight", DType::F32, {3, 2}}, expected[1]}, "lenet5"),
            name + ": tensor 'conv1.weight' is f32 of 2x3, but the network has f32 of 3x2");
  EXPECT_EQ(problem({{"conv1.weight", DType::I64, {2, 3}}, expected[1]}, "lenet5"),
            name + ": tensor 'conv1.weight' is f32 of 2x3, but the network has i64 of 2x3");
  EXPECT_EQ(problem(expected, "lenet5", "0123456789abcdef"), name + " was made from another text of 'lenet5' (hash '" +
                                                                 hashText("network lenet5") +
                                                                 "', now 0123456789abcdef)");
}

TEST_F(CheckpointTest, RefusesBrokenFiles) {
  const std::string path = folder / "a.safetensors";
  EXPECT_NE(errorOf(readCheckpoint(path)).find("no such file"), std::string::npos);
  ASSERT_OK(writeCheckpoint(path, tensorsOf(weight, moment), someInfo()));
  const std::vector<uint8_t> whole = *readFile(path);
  // Cut anywhere it is an error, never a crash.
  for (size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(folder / "cut", std::ios::binary)
        .write(reinterpret_cast<const char *>(whole.data()), static_cast<std::streamsize>(size));
    ASSERT_NE(errorOf(readCheckpoint(folder / "cut")), "no error") << size;
  }
  ASSERT_OK(writeSafetensors(path, {{"conv1.weight", weight.view()}}));
  EXPECT_EQ(errorOf(readCheckpoint(path)),
            inQuotes(path) +
                " is no checkpoint (a safetensors file without the metadata 'format' = 'cnnc checkpoint 1')");
  std::map<std::string, std::string> metadata = checkpointMetadata(someInfo());
  auto problem = [&](const std::string &key, std::optional<std::string> value) {
    std::map<std::string, std::string> changed = metadata;
    if (value)
      changed[key] = *value;
    else
      changed.erase(key);
    EXPECT_OK(writeSafetensors(path, {}, changed));
    std::string message = errorOf(readCheckpoint(path));
    const std::string head = inQuotes(path) + ": not a valid checkpoint: ";
    return message.starts_with(head) ? message.substr(head.size()) : message;
  };
  EXPECT_EQ(problem("step", {}), "no 'step' in its metadata");
  EXPECT_EQ(problem("step", "-1"), "'step' is '-1' (expected a count)");
  EXPECT_EQ(problem("seed", "12x"), "'seed' is '12x' (expected a count)");
  EXPECT_EQ(problem("best_value", ""), "'best_value' is '' (expected a number)");
  EXPECT_EQ(problem("class_names", "{"), "'class_names' in the metadata is '{' (expected a list of strings)");
  EXPECT_NE(problem("format", "cnnc checkpoint 9").find("is no checkpoint of a form known here"), std::string::npos);
}

TEST_F(CheckpointTest, FolderKeepsTheLast) {
  const std::string path = folder / "run";
  Result<CheckpointFolder> checkpoints = CheckpointFolder::open(path, 2);
  ASSERT_OK(checkpoints);
  EXPECT_EQ(errorOf(latestCheckpoint(path)),
            "no checkpoint in " + inQuotes(path) + " (expected step-NUMBER.safetensors)");
  auto entries = [&] {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(path))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  };
  for (int64_t step : {10, 20, 30, 200000000})
    ASSERT_OK(checkpoints->save(tensorsOf(weight, moment), someInfo(step)));
  ASSERT_OK(checkpoints->saveBest(tensorsOf(weight, moment), someInfo(20)));
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"best.safetensors", "step-00000030.safetensors", "step-200000000.safetensors"}));
  EXPECT_EQ(latestCheckpoint(path)->info.step, 200000000);
  // Training goes on from step 30: what came later in the first attempt goes.
  ASSERT_OK(checkpoints->save(tensorsOf(weight, moment), someInfo(40)));
  EXPECT_EQ(entries(),
            (std::vector<std::string>{"best.safetensors", "step-00000030.safetensors", "step-00000040.safetensors"}));
  // The same step again replaces the file.
  ASSERT_OK(checkpoints->save(tensorsOf(weight, moment), someInfo(40)));
  EXPECT_EQ(entries().size(), 3U);
  // A broken last one is passed over, and named.
  std::ofstream(path + "/step-00000050.safetensors") << "broken";
  std::vector<std::string> skipped;
  Result<Checkpoint> latest = latestCheckpoint(path, &skipped);
  ASSERT_OK(latest);
  EXPECT_EQ(latest->info.step, 40);
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_NE(skipped[0].find("step-00000050.safetensors': not a valid safetensors file"), std::string::npos);
  for (const std::string &name : entries())
    std::ofstream(path + "/" + name) << "broken";
  EXPECT_EQ(errorOf(latestCheckpoint(path)), "none of the 3 checkpoints in " + inQuotes(path) + " can be read");
}

TEST_F(CheckpointTest, FolderSaysWhatIsWrong) {
  EXPECT_NE(errorOf(CheckpointFolder::open(folder / "no/run")).find("cannot make the folder"), std::string::npos);
  std::ofstream(folder / "file") << "x";
  EXPECT_EQ(errorOf(CheckpointFolder::open(folder / "file")), inQuotes(folder / "file") + " is no folder");
  EXPECT_EQ(errorOf(CheckpointFolder::open(folder / "run", 0)), "0 checkpoints cannot be kept (expected 1 or more)");
  EXPECT_NE(errorOf(latestCheckpoint(folder / "missing")).find("cannot read the folder"), std::string::npos);
  if (geteuid() == 0)
    return; // root writes everywhere
  std::filesystem::create_directory(folder / "closed");
  std::filesystem::permissions(folder / "closed", std::filesystem::perms(0555));
  EXPECT_NE(errorOf(CheckpointFolder::open(folder / "closed")).find("cannot write to the folder"), std::string::npos);
}

TEST_F(CheckpointTest, SurvivesFiftyKills) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string path = folder / "run";
  constexpr int64_t size = 1 << 18;
  const std::vector<ExpectedTensor> wanted = {{"a", DType::F32, {size}}, {"b", DType::F32, {size}}};
  int64_t lastStep = 0;
  pid_t lastWriter = 0;
  // Writes both files of a step, all values being the step.
  auto writeStep = [&](CheckpointFolder &checkpoints, int64_t step) {
    const std::vector<float> values(size, static_cast<float>(step));
    const Tensor tensor = Tensor::fromFloats({size}, values);
    const std::vector<NamedTensor> tensors = {{"a", tensor.view()}, {"b", tensor.view()}};
    return checkpoints.save(tensors, someInfo(step)) && checkpoints.saveBest(tensors, someInfo(step));
  };
  // Writers live for up to as long as three steps take here.
  const auto began = std::chrono::steady_clock::now();
  Result<CheckpointFolder> first = CheckpointFolder::open(path, 2);
  ASSERT_OK(first);
  ASSERT_TRUE(writeStep(*first, 0));
  const std::chrono::duration<double, std::micro> oneStep = std::chrono::steady_clock::now() - began;
  const auto longest = static_cast<unsigned>(std::clamp(3 * oneStep.count(), 1000.0, 900000.0));
  for (int kills = 0; kills < 50; ++kills) {
    int started[2];
    ASSERT_EQ(pipe(started), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Result<CheckpointFolder> checkpoints = CheckpointFolder::open(path, 2);
      if (write(started[1], "", 1) == 1)
        for (int64_t step = lastStep + 1; checkpoints && writeStep(*checkpoints, step);)
          ++step;
      _exit(1);
    }
    char byte = 0;
    ASSERT_EQ(read(started[0], &byte, 1), 1);
    close(started[0]);
    close(started[1]);
    usleep(random() % longest);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);

    std::vector<std::string> skipped;
    Result<Checkpoint> latest = latestCheckpoint(path, &skipped);
    ASSERT_OK(latest);
    ASSERT_TRUE(skipped.empty()) << skipped.front();
    ASSERT_OK(checkCheckpoint(*latest, wanted, "lenet5"));
    ASSERT_GE(latest->info.step, lastStep);
    lastStep = latest->info.step;
    for (const ExpectedTensor &tensor : wanted)
      for (float value : latest->file.find(tensor.name)->toFloats())
        ASSERT_EQ(value, static_cast<float>(lastStep));
    if (std::filesystem::exists(path + "/best.safetensors")) {
      Result<Checkpoint> best = readCheckpoint(path + "/best.safetensors");
      ASSERT_OK(best);
      ASSERT_LE(best->info.step, lastStep);
    }
    lastWriter = child;
  }
  EXPECT_GT(lastStep, 0) << "no checkpoint was ever written";
  // What a killed writer leaves where files cannot be written without a name.
  std::ofstream(path + "/.cnn-" + std::to_string(lastWriter) + "-0.tmp") << "half";
  ASSERT_OK(CheckpointFolder::open(path, 2));
  for (const auto &entry : std::filesystem::directory_iterator(path))
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
}

} // namespace
} // namespace cnn::host
