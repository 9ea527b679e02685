//===- FuzzSafetensors.cpp - Any bytes as a weights file ------------------===//
//
// Whatever the bytes are, the reader gives a file whose views lie within them, or an error of one line.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Safetensors.h"

#include <cstdlib>

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  using namespace cnn::host;
  const std::span<const uint8_t> input(bytes, size);
  Result<SafetensorsFile> file = SafetensorsFile::parse(input, "input");
  if (!file) {
    require(file.error().message.find('\n') == std::string::npos);
    return 0;
  }
  size_t data = 0;
  for (const std::string &name : file->names()) {
    const TensorView *tensor = file->find(name);
    require(tensor != nullptr);
    require(byteCount(tensor->shape, tensor->dtype) == static_cast<int64_t>(tensor->bytes.size()));
    require(tensor->bytes.empty() ||
            (tensor->bytes.data() >= bytes && tensor->bytes.data() + tensor->bytes.size() <= bytes + size));
    require(tensor->toDoubles().size() == static_cast<size_t>(tensor->elements()));
    data += tensor->bytes.size();
  }
  require(data + sizeof(uint64_t) <= size);
  return 0;
}
