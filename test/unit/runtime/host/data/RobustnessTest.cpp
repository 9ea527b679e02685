//===- RobustnessTest.cpp - Spoiled files of every format -----------------===//
//
// Bytes changed, cut and repeated at random: an error of one line or samples, never a crash. The seed is printed.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

#include <random>

namespace cnn::host {
namespace {

struct Format {
  std::string name;
  Bytes bytes;
};

std::vector<Format> formats() {
  Bytes tar;
  addToTar(tar, "ant/a.png", png(2, 2, 1, 10));
  addToTar(tar, "cat/b.png", png(2, 2, 1, 20));
  endTar(tar);
  Bytes cifar(2 * 3073, 1);
  return {{"train-images-idx3-ubyte", idx({4, 2, 2})},
          {"train-images-idx3-ubyte.gz", gzip(idx({4, 2, 2}))},
          {"data_batch_1.bin", cifar},
          {"x.npy", encodeNpy(Tensor::zeros(DType::U8, {4, 2, 2}).view())},
          {"a.tar", tar},
          {"a.tar.gz", gzip(tar)}};
}

TEST(RobustnessTest, SpoiledFilesGiveErrorsOrSamples) {
  const unsigned seed = 1;
  std::mt19937 random(seed);
  size_t errors = 0;
  for (const Format &format : formats())
    for (int round = 0; round < 300; ++round) {
      SCOPED_TRACE(fmt::format("seed {}, {}, round {}", seed, format.name, round));
      TemporaryFolder folder;
      Bytes bytes = format.bytes;
      if (round % 3 == 0)
        bytes.resize(random() % bytes.size());
      // Mostly in the front, where headers are.
      for (unsigned i = 0; i < 1 + random() % 4 && !bytes.empty(); ++i)
        bytes[random() % (random() % 2 ? bytes.size() : std::min<size_t>(bytes.size(), 40))] =
            static_cast<uint8_t>(random() % 3 ? random() : 255);
      put(folder / format.name, bytes);
      DatasetOptions options = withFields({imageField({1, 2, 2})});
      Result<Dataset> data = openDataset(folder / "", options);
      if (!data) {
        ++errors;
        EXPECT_EQ(errorOf(data).find('\n'), std::string::npos);
        continue;
      }
      std::vector<uint8_t> buffer(static_cast<size_t>(data->fieldBytes(0)));
      uint8_t *const buffers[] = {buffer.data()};
      for (int64_t i = 0; i < data->size(); ++i)
        if (Result<void> done = data->sample(i, buffers); !done)
          ++errors;
    }
  EXPECT_GT(errors, 600u);
}

} // namespace
} // namespace cnn::host
