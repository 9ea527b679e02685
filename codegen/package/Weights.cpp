// See Weights.h.
#include "codegen/package/Weights.h"

#include "runtime/embedded/cnn_abi.h"
#include "runtime/embedded/cnn_hash.h"

#include <algorithm>
#include <cstring>

using namespace cnn;

llvm::ArrayRef<char> WeightsImage::bytes() const {
  if (file.size() == 0)
    return {};
  return {file.data() + CNN_WEIGHTS_HEADER_BYTES, file.size() - CNN_WEIGHTS_HEADER_BYTES};
}

llvm::Expected<WeightsImage> cnn::collectWeights(const Program &program) {
  WeightsImage image;
  const uint64_t total = program.weightsBytes;
  if (total == 0)
    return image;
  std::optional<HugeMemory> memory = HugeMemory::allocate(CNN_WEIGHTS_HEADER_BYTES + total);
  if (!memory)
    return llvm::createStringError("there is no memory for " + std::to_string(total) + " bytes of weights");
  image.file = std::move(*memory);

  char *begin = image.file.data() + CNN_WEIGHTS_HEADER_BYTES;
  uint64_t filled = 0;
  auto sink = [&](llvm::ArrayRef<char> piece) -> llvm::Error {
    if (piece.size() > total - filled)
      return llvm::createStringError("internal error: more weights than the program says");
    std::copy(piece.begin(), piece.end(), begin + filled);
    filled += piece.size();
    return llvm::Error::success();
  };
  if (llvm::Error error = program.streamWeights(sink))
    return error;
  if (filled != total)
    return llvm::createStringError("internal error: fewer weights than the program says");

  cnn_hash hash;
  cnn_hash_begin(&hash);
  cnn_hash_add(&hash, begin, total);
  image.hash = cnn_hash_end(&hash);
  const cnn_weights_header header = {CNN_WEIGHTS_MAGIC, CNN_ABI_VERSION, total, image.hash};
  std::memcpy(image.file.data(), &header, sizeof header);
  return image;
}

void cnn::setInitialState(Program &program, std::vector<char> values) {
  program.initialState = program.weightsBytes;
  program.packed.push_back({"state", program.weightsBytes, static_cast<int64_t>(values.size())});
  program.weightsBytes += static_cast<int64_t>(values.size());
  auto shared = std::make_shared<std::vector<char>>(std::move(values));
  program.streamWeights = [before = std::move(program.streamWeights), shared](WeightSink sink) -> llvm::Error {
    if (before)
      if (llvm::Error error = before(sink))
        return error;
    return sink(*shared);
  };
}
