//===- Safetensors.h - Weights in safetensors files -----------------------===//
//
// The format is huggingface/safetensors': eight bytes with the length of a JSON header, the header (name -> dtype,
// shape, data_offsets), then the data without holes. A file is checked as a whole when it is opened; views read from
// the mapping.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_SAFETENSORS_H
#define CNN_RUNTIME_HOST_SAFETENSORS_H

#include "runtime/host/File.h"
#include "runtime/host/Tensor.h"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace cnn::host {

/// Up to `count` of `candidates` that `name` may have been meant to be, the nearest first (ties in alphabetical order):
/// by edit distance with neighbours swapped counted once, and names that differ by leading `a.b.` components only.
std::vector<std::string> closestNames(std::string_view name, std::span<const std::string> candidates, size_t count);

class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);
  /// The same over bytes that outlive the object; `name` stands in messages.
  static Result<SafetensorsFile> parse(std::span<const uint8_t> file, const std::string &name);

  /// The tensor; null where there is none.
  const TensorView *find(const std::string &name) const;
  /// All names, sorted.
  const std::vector<std::string> &names() const { return sortedNames; }
  const std::map<std::string, std::string> &metadata() const { return meta; }
  std::vector<std::string> closestNames(std::string_view name, size_t count) const {
    return host::closestNames(name, sortedNames, count);
  }

private:
  SafetensorsFile() = default;

  std::optional<MappedFile> mapping;
  std::unordered_map<std::string, TensorView> tensors;
  std::vector<std::string> sortedNames;
  std::map<std::string, std::string> meta;
};

struct NamedTensor {
  std::string name;
  TensorView tensor;
};

/// Writes through a temporary file. The bytes depend on the tensors alone, not on their order: tensors go by size of
/// element, widest first (so that each is aligned), then by name. Names must differ.
Result<void> writeSafetensors(const std::string &path, std::vector<NamedTensor> tensors,
                              const std::map<std::string, std::string> &metadata = {});

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_SAFETENSORS_H
