// Models: the choice of the instruction set, and weights by file, by memory, and wrong.
#include "test/unit/runtime/embedded/Fixture.h"

#include "runtime/embedded/cnn_hash.h"

#include <cstring>
#include <fstream>
#include <unistd.h>

namespace {

struct EnvironmentIsa {
  explicit EnvironmentIsa(const char *value) { setenv("CNN_ISA", value, 1); }
  ~EnvironmentIsa() { unsetenv("CNN_ISA"); }
};

/// A file with these bytes, while the object lives.
struct File {
  std::string path = testing::TempDir() + "cnn_embedded_" + std::to_string(getpid()) + ".weights";
  explicit File(const std::vector<char> &bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  ~File() { unlink(path.c_str()); }
};

struct ModelTest : testing::Test {
  std::unique_ptr<char, Free> memory = allocate(cnn_api_model_bytes());
  cnn_model *model = reinterpret_cast<cnn_model *>(memory.get());

  int init(const cnn_model_options &options) {
    int code = cnn_api_model_init(model, &options);
    EXPECT_EQ(cnn_api_isa(model) != nullptr, code == CNN_OK);
    return code;
  }
  int initFrom(const std::vector<char> &bytes) {
    File file(bytes);
    int code = init({sizeof(cnn_model_options), file.path.c_str(), nullptr, 0});
    cnn_api_model_end(model);
    return code;
  }
};

TEST_F(ModelTest, ChoosesTheBestVariantThatTheMachineRuns) {
  WeightsMemory weights;
  ASSERT_EQ(init(weights.options), CNN_OK);
  EXPECT_STREQ(cnn_api_isa(model), "base");
  cnn_api_model_end(model);
  EXPECT_EQ(cnn_api_isa(model), nullptr);
}

TEST_F(ModelTest, EnvironmentForcesAVariant) {
  WeightsMemory weights;
  {
    EnvironmentIsa isa("base");
    EXPECT_EQ(init(weights.options), CNN_OK);
  }
  {
    EnvironmentIsa isa("future");
    EXPECT_EQ(init(weights.options), CNN_ERROR_ISA_UNSUPPORTED);
  }
  {
    EnvironmentIsa isa("neon");
    EXPECT_EQ(init(weights.options), CNN_ERROR_ISA_UNKNOWN);
  }
  EnvironmentIsa isa("");
  EXPECT_EQ(init(weights.options), CNN_OK);
}

TEST_F(ModelTest, TakesWeightsFromAMappedFile) {
  File file(network::weightsFile());
  ASSERT_EQ(init({sizeof(cnn_model_options), file.path.c_str(), nullptr, 0}), CNN_OK);
  cnn_api_model_end(model);
}

TEST_F(ModelTest, ReadsTheFileIntoGivenMemory) {
  WeightsMemory weights;
  std::memset(weights.memory.get(), 0, weights.file.size());
  File file(weights.file);
  weights.options.weights_file = file.path.c_str();
  ASSERT_EQ(init(weights.options), CNN_OK);
  EXPECT_EQ(std::memcmp(weights.memory.get(), weights.file.data(), weights.file.size()), 0);
}

TEST_F(ModelTest, RefusesWrongWeights) {
  std::vector<char> bytes = network::weightsFile();
  EXPECT_EQ(initFrom(bytes), CNN_OK);
  for (size_t at : {size_t(0), size_t(8)}) {
    std::vector<char> other = bytes;
    other[at] ^= 1;
    EXPECT_EQ(initFrom(other), CNN_ERROR_WEIGHTS_FORMAT) << "byte " << at;
  }
  std::vector<char> otherSize = bytes;
  otherSize[16] ^= 1;
  EXPECT_EQ(initFrom(otherSize), CNN_ERROR_WEIGHTS_SIZE);
  // The hash in the header, and every byte of the weights: the last is padding of the packing.
  for (size_t at = 24; at < 32; ++at) {
    std::vector<char> other = bytes;
    other[at] ^= 1;
    EXPECT_EQ(initFrom(other), CNN_ERROR_WEIGHTS_HASH);
  }
  for (size_t at = CNN_WEIGHTS_HEADER_BYTES; at < bytes.size(); ++at)
    for (int bit : {0, 7}) {
      std::vector<char> other = bytes;
      other[at] = static_cast<char>(other[at] ^ (1 << bit));
      EXPECT_EQ(initFrom(other), CNN_ERROR_WEIGHTS_HASH) << "byte " << at;
    }
  bytes.pop_back();
  EXPECT_EQ(initFrom(bytes), CNN_ERROR_WEIGHTS_SIZE);
  EXPECT_EQ(initFrom({}), CNN_ERROR_WEIGHTS_SIZE);
}

TEST_F(ModelTest, RefusesWhatIsNoFile) {
  const size_t size = sizeof(cnn_model_options);
  EXPECT_EQ(init({size, "/nonexistent/x.weights", nullptr, 0}), CNN_ERROR_WEIGHTS_FILE);
  EXPECT_EQ(init({size, testing::TempDir().c_str(), nullptr, 0}), CNN_ERROR_WEIGHTS_FILE);
}

TEST_F(ModelTest, RefusesWrongArguments) {
  WeightsMemory weights;
  EXPECT_EQ(cnn_api_model_init(nullptr, &weights.options), CNN_ERROR_NULL);
  EXPECT_EQ(cnn_api_model_init(reinterpret_cast<cnn_model *>(memory.get() + 8), &weights.options), CNN_ERROR_ALIGNMENT);
  EXPECT_EQ(cnn_api_model_init(model, nullptr), CNN_ERROR_WEIGHTS_MISSING);
  EXPECT_EQ(init({8, nullptr, nullptr, 0}), CNN_ERROR_OPTIONS);
  EXPECT_EQ(init({sizeof(cnn_model_options), nullptr, weights.memory.get() + 4, weights.file.size()}),
            CNN_ERROR_ALIGNMENT);
  EXPECT_EQ(init({sizeof(cnn_model_options), nullptr, weights.memory.get(), 64}), CNN_ERROR_WEIGHTS_SIZE);
  cnn_api_model_end(nullptr);
}

TEST(Hash, DependsOnEveryWordAndTheLength) {
  auto hashOf = [](const std::vector<uint64_t> &words) {
    cnn_hash hash;
    cnn_hash_begin(&hash);
    cnn_hash_add(&hash, words.data(), words.size() * 8);
    return cnn_hash_end(&hash);
  };
  std::vector<uint64_t> words(32);
  const uint64_t zeros = hashOf(words);
  EXPECT_NE(hashOf(std::vector<uint64_t>(24)), zeros);
  for (size_t word = 0; word < words.size(); ++word) {
    // The top bit alone, and the same change twice in one lane, which a plain product would let cancel.
    words[word] = uint64_t(1) << 63;
    uint64_t one = hashOf(words);
    EXPECT_NE(one, zeros);
    uint64_t &other = words[(word + 8) % words.size()];
    other ^= uint64_t(1) << 63;
    EXPECT_NE(hashOf(words), zeros);
    EXPECT_NE(hashOf(words), one);
    words.assign(words.size(), 0);
  }
  // In pieces as at once.
  words[9] = 5;
  cnn_hash pieces;
  cnn_hash_begin(&pieces);
  for (size_t word = 0; word < words.size(); word += 8)
    cnn_hash_add(&pieces, words.data() + word, 64);
  EXPECT_EQ(cnn_hash_end(&pieces), hashOf(words));
}

TEST(Errors, EachHasItsText) {
  EXPECT_STREQ(cnn_api_error(CNN_OK), "no error");
#define EXPECT_TEXT(name, code, text) EXPECT_STREQ(cnn_api_error(CNN_##name), text);
  CNN_ERRORS(EXPECT_TEXT)
  EXPECT_STREQ(cnn_api_error(-1), "unknown error code");
}

} // namespace
