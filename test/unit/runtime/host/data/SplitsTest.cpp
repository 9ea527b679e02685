//===- SplitsTest.cpp - Training and validation ---------------------------===//
//
// A fraction by seed, a part of the data's own, a folder of its own, or nothing.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

#include <set>

namespace cnn::host {
namespace {

class SplitsTest : public testing::Test {
protected:
  void SetUp() override {
    put(folder / "train-images-idx3-ubyte", idx({50, 1, 1}));
    put(folder / "train-labels-idx1-ubyte", idx({50}, 3));
  }
  TemporaryFolder folder;
  DatasetOptions options = withFields({imageField({1, 1, 1}), labelField(3)});
};

std::set<std::string> namesOf(const Dataset &data) {
  std::set<std::string> names;
  for (int64_t i = 0; i < data.size(); ++i)
    names.insert(data.sampleName(i));
  return names;
}

TEST_F(SplitsTest, AFraction) {
  options.validation = 0.2;
  options.seed = 3;
  Result<Splits> splits = openSplits(folder / "", options);
  ASSERT_OK(splits);
  ASSERT_TRUE(splits->validation);
  EXPECT_EQ(splits->train.size(), 40);
  EXPECT_EQ(splits->validation->size(), 10);
  std::set<std::string> all = namesOf(splits->train);
  all.merge(namesOf(*splits->validation));
  EXPECT_EQ(all.size(), 50u);
  // The same parts one by one, and others with another seed.
  for (Split split : {Split::Train, Split::Validation}) {
    DatasetOptions one = options;
    one.split = split;
    Result<Dataset> data = openDataset(folder / "", one);
    ASSERT_OK(data);
    EXPECT_EQ(namesOf(*data), namesOf(split == Split::Train ? splits->train : *splits->validation));
  }
  options.seed = 4;
  EXPECT_NE(namesOf(*openSplits(folder / "", options)->validation), namesOf(*splits->validation));
}

TEST_F(SplitsTest, APartOrAFolderOfItsOwn) {
  EXPECT_FALSE(openSplits(folder / "", options)->validation);
  TemporaryFolder other;
  put(other / "t10k-images-idx3-ubyte", idx({7, 1, 1}));
  put(other / "t10k-labels-idx1-ubyte", idx({7}, 3));
  Result<Splits> splits = openSplits(folder / "", options, other / "");
  ASSERT_OK(splits);
  EXPECT_EQ(splits->validation->size(), 7);
  std::filesystem::copy(other / "", folder / "");
  splits = openSplits(folder / "", options);
  ASSERT_OK(splits);
  EXPECT_EQ(splits->train.size(), 50);
  EXPECT_EQ(splits->validation->size(), 7);
  // A fraction is taken from the training part all the same.
  options.validation = 0.1;
  EXPECT_EQ(openSplits(folder / "", options)->validation->size(), 5);
  options.split = Split::Test;
  EXPECT_EQ(openDataset(folder / "", options)->size(), 7);
}

TEST_F(SplitsTest, SharesThatMakeNoSense) {
  for (double share : {-0.1, 1.0, 2.0, std::nan("")}) {
    options.validation = share;
    EXPECT_NE(errorOf(openSplits(folder / "", options)).find("expected 0 or more and less than 1"), std::string::npos);
  }
  options.validation = 0.001;
  EXPECT_EQ(errorOf(openSplits(folder / "", options)),
            "'" + (folder / "") + "': a share of 0.001 for validation leaves 50 of 50 samples for training");
}

TEST_F(SplitsTest, Subsets) {
  Result<Dataset> data = openDataset(folder / "", options);
  ASSERT_OK(data);
  std::vector<int64_t> held;
  for (int64_t i = 0; i < data->size(); ++i)
    if (data->label(i) != 1)
      held.push_back(i);
  const Dataset subset = data->subset(held);
  EXPECT_EQ(subset.classCounts(), (std::vector<int64_t>{17, 0, 16}));
  const Dataset again = subset.subset(std::vector<int64_t>{1, 0});
  EXPECT_EQ(again.sampleName(0), data->sampleName(2));
  EXPECT_EQ(again.sampleName(1), data->sampleName(0));
}

} // namespace
} // namespace cnn::host
