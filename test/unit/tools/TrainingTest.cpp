// State in memory and class weights: what a run of training rests on beside its step.
#include "tools/cnnc/training/ClassWeights.h"
#include "tools/cnnc/training/LossScale.h"
#include "tools/cnnc/training/StateBlock.h"

#include "runtime/host/Npy.h"

#include "llvm/Support/FileSystem.h"

#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <map>

using namespace cnn;
using host::DType;

namespace {

StateBlock block(std::vector<StateVariable> variables) {
  int64_t offset = 0;
  for (StateVariable &variable : variables) {
    variable.offset = offset;
    variable.bytes = *host::byteCount(variable.shape, variable.dtype);
    offset += (variable.bytes + 63) / 64 * 64;
  }
  return *StateBlock::create(std::move(variables), offset);
}

void set(StateBlock &state, const char *name, size_t index, float value) {
  std::memcpy(state.bytesOf(*state.find(name)).data() + 4 * index, &value, sizeof value);
}

TEST(StateBlock, CopiesByNameWhateverTheLayout) {
  StateBlock step = block({{"w", "param", DType::F32, {3}}, {"mean", "slot", DType::F32, {3}}});
  StateBlock other = block({{"b", "param", DType::F32, {1}}, {"w", "param", DType::F32, {3}}});
  set(step, "w", 1, 2.5f);
  const StateVariable *missing = other.copyByName(step);
  ASSERT_NE(missing, nullptr);
  EXPECT_EQ(missing->name, "b");
  EXPECT_EQ(other.view(*other.find("w")).toFloats(), (std::vector<float>{0, 2.5f, 0}));
  EXPECT_EQ(other.find("mean"), nullptr);
}

TEST(StateBlock, FindsWhatIsNotFinite) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()}) {
    StateBlock state =
        block({{"w", "param", DType::F32, {70}}, {"step", "counter", DType::I64, {}}, {"v", "param", DType::F32, {5}}});
    set(state, "w", 69, std::numeric_limits<float>::max());
    int64_t allBits = -1;
    std::memcpy(state.bytesOf(*state.find("step")).data(), &allBits, sizeof allBits);
    EXPECT_EQ(state.firstNotFinite(), nullptr);
    set(state, "v", 4, bad);
    ASSERT_NE(state.firstNotFinite(), nullptr) << bad;
    EXPECT_EQ(state.firstNotFinite()->name, "v");
  }
}

class Weighted : public testing::Test {
protected:
  llvm::SmallString<64> folder;

  /// A data set with so many samples of each class, whose value is their class.
  host::Dataset data(const std::vector<int64_t> &counts) {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("cnn-weights", folder));
    std::vector<float> values, labels;
    for (size_t label = 0; label < counts.size(); ++label)
      for (int64_t i = 0; i < counts[label]; ++i) {
        values.push_back(static_cast<float>(label));
        labels.push_back(static_cast<float>(label));
      }
    int64_t count = static_cast<int64_t>(values.size());
    host::Tensor numbers = host::Tensor::zeros(DType::I64, {count});
    for (size_t i = 0; i < labels.size(); ++i) {
      int64_t label = static_cast<int64_t>(labels[i]);
      std::memcpy(numbers.bytes.data() + 8 * i, &label, sizeof label);
    }
    std::string path = folder.str().str();
    EXPECT_TRUE(host::writeNpy(path + "/x.npy", host::Tensor::fromFloats({count, 1}, values).view()));
    EXPECT_TRUE(host::writeNpy(path + "/y.npy", numbers.view()));
    host::DatasetOptions options;
    options.fields = {{.name = "image", .shape = {1}},
                      {.name = "label", .dtype = DType::I64, .classes = static_cast<int64_t>(counts.size())}};
    auto opened = host::openDataset(path, options);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    (void)llvm::sys::fs::remove_directories(folder);
    return *opened;
  }
};

TEST_F(Weighted, BalancedClassesHaveEqualShares) {
  host::Dataset original = data({10, 3, 0, 7});
  auto balanced = weightClasses(original, "balanced", 1);
  ASSERT_TRUE(balanced) << balanced.error().message;
  EXPECT_THAT(balanced->classCounts(), testing::ElementsAre(10, 10, 0, 10));
  // The same seed gives the same samples, another one others.
  auto again = weightClasses(original, "balanced", 1), other = weightClasses(original, "balanced", 2);
  auto names = [](const host::Dataset &set) {
    std::vector<std::string> all;
    for (int64_t i = 0; i < set.size(); ++i)
      all.push_back(set.sampleName(i));
    return all;
  };
  EXPECT_EQ(names(*balanced), names(*again));
  EXPECT_NE(names(*balanced), names(*other));
  // Every sample of a rarer class comes three or four times.
  std::map<std::string, int> times;
  for (int64_t i = 0; i < balanced->size(); ++i)
    if (balanced->label(i) == 1)
      ++times[balanced->sampleName(i)];
  EXPECT_EQ(times.size(), 3u);
  for (const auto &[name, count] : times)
    EXPECT_THAT(count, testing::AllOf(testing::Ge(3), testing::Le(4))) << name;
}

TEST_F(Weighted, NumbersAreRelativeToTheSmallest) {
  auto weighted = weightClasses(data({4, 4}), "0.5,1.25", 1);
  ASSERT_TRUE(weighted) << weighted.error().message;
  EXPECT_THAT(weighted->classCounts(), testing::ElementsAre(4, 10));
}

TEST_F(Weighted, WrongWeightsAreRefused) {
  host::Dataset original = data({2, 2});
  EXPECT_EQ(weightClasses(original, "1,2,3", 1).error().message,
            "'--class-weights 1,2,3': 3 numbers for 2 classes; or 'balanced'");
  for (const char *wrong : {"1,0", "1,-2", "1,x", "1,nan"})
    EXPECT_THAT(weightClasses(original, wrong, 1).error().message,
                testing::HasSubstr("is no weight; a positive number is expected"));
}

TEST(LossScale, HalvesAtOnceAndDoublesAfterMany) {
  LossScale scale;
  EXPECT_EQ(scale.value(), 65536);
  EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.value(), 32768);
  for (int64_t step = 1; step < LossScale::kStepsToDouble; ++step)
    scale.good();
  EXPECT_EQ(scale.value(), 32768);
  LossScale other;
  ASSERT_TRUE(other.restore(scale.state()));
  other.good();
  EXPECT_EQ(other.value(), 65536);
  // An overflow begins the count anew.
  EXPECT_TRUE(scale.overflowed());
  scale.good();
  EXPECT_EQ(scale.value(), 16384);
  for (int halvings = 0; halvings < 14; ++halvings)
    EXPECT_TRUE(scale.overflowed());
  EXPECT_EQ(scale.value(), 1);
  EXPECT_FALSE(scale.overflowed());
  for (int64_t step = 0; step < 30 * LossScale::kStepsToDouble; ++step)
    scale.good();
  EXPECT_EQ(scale.value(), 1 << 24);
  for (const char *wrong : {"", "65536", "3 0", "0 0", "-2 0", "33554432 0", "65536 2000", "65536 -1", "1 x"})
    EXPECT_FALSE(other.restore(wrong)) << wrong;
}

} // namespace
