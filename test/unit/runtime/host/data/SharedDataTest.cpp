//===- SharedDataTest.cpp - The real data sets ----------------------------===//
//
// Sizes, classes and sums of what is published; skipped where it is not at hand.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Loader.h"

#include "DataTest.h"

namespace cnn::host {
namespace {

TEST(SharedDataTest, Mnist) {
  const std::string path = sharedPath("data/mnist");
  SKIP_WITHOUT(path, "data/mnist");
  DatasetOptions options = withFields({imageField({1, 28, 28}), labelField(10)});
  options.pixels = PixelScale::Raw;
  Result<Splits> splits = openSplits(path, options);
  ASSERT_OK(splits);
  EXPECT_EQ(splits->train.size(), 60000);
  ASSERT_TRUE(splits->validation);
  EXPECT_EQ(splits->validation->size(), 10000);
  EXPECT_EQ(splits->train.classCounts(),
            (std::vector<int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}));
  EXPECT_EQ(splits->train.label(0), 5);
  // The mean that everybody normalizes with: 0.1307.
  Result<std::unique_ptr<Loader>> loader = Loader::create(splits->train, {.batch = 1000, .workers = 2});
  ASSERT_OK(loader);
  double sum = 0;
  while (true) {
    Result<const Batch *> batch = (*loader)->next();
    ASSERT_OK(batch);
    if (!*batch)
      break;
    for (float value : (*batch)->tensors[0].floats())
      sum += value;
  }
  EXPECT_NEAR(sum / (60000.0 * 784 * 255), 0.13066, 1e-5);
}

TEST(SharedDataTest, FashionMnist) {
  const std::string path = sharedPath("data/fashion-mnist");
  SKIP_WITHOUT(path, "data/fashion-mnist");
  Result<Dataset> data = openDataset(path, withFields({imageField({784}), labelField(10)}, Split::Test));
  ASSERT_OK(data);
  EXPECT_EQ(data->classCounts(), std::vector<int64_t>(10, 1000));
}

TEST(SharedDataTest, CifarAsPictures) {
  const std::string path = sharedPath("data/cifar10/cifar10-jpeg.tar.gz");
  SKIP_WITHOUT(path, "data/cifar10/cifar10-jpeg.tar.gz");
  Result<Splits> splits = openSplits(path, withFields({imageField({3, 32, 32}), labelField(10)}));
  ASSERT_OK(splits);
  EXPECT_EQ(splits->train.classCounts(), std::vector<int64_t>(10, 5000));
  ASSERT_TRUE(splits->validation);
  EXPECT_EQ(splits->validation->classCounts(), std::vector<int64_t>(10, 1000));
  EXPECT_EQ(splits->train.classNames(), (std::vector<std::string>{"airplane", "automobile", "bird", "cat", "deer",
                                                                  "dog", "frog", "horse", "ship", "truck"}));
  EXPECT_EQ(splits->validation->sampleName(9999).substr(path.size()), ":test/truck/0999.jpg");
  Result<std::unique_ptr<Loader>> loader = Loader::create(*splits->validation, {.batch = 128, .workers = 2});
  ASSERT_OK(loader);
  double sum = 0;
  int64_t count = 0;
  while (true) {
    Result<const Batch *> batch = (*loader)->next();
    ASSERT_OK(batch);
    if (!*batch)
      break;
    count += (*batch)->count;
    for (float value : (*batch)->tensors[0].floats())
      sum += value;
  }
  EXPECT_EQ(count, 10000);
  // CIFAR-10's mean over the test set's channels is 0.4942, 0.4852 and 0.4504; JPEG keeps it nearly.
  EXPECT_NEAR(sum / (10000.0 * 3072), (0.4942 + 0.4852 + 0.4504) / 3, 1e-3);
}

} // namespace
} // namespace cnn::host
