//===- Checkpoint.h - Training that can be taken up again -----------------===//
//
// A checkpoint is one safetensors file: the tensors of the whole state by their paths (parameters, statistics,
// optimizer slots, counters) and a string map that says what they belong to. It is written under a temporary name,
// synced and renamed (File.h), so that a kill at any moment leaves the old file or the new one. Since parameters have
// their usual names, a checkpoint is a weights file too, and class names travel in it.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_TRAINING_CHECKPOINT_H
#define CNN_RUNTIME_HOST_TRAINING_CHECKPOINT_H

#include "runtime/host/Safetensors.h"

namespace cnn::host {

/// What stands beside the tensors. In the file every field is a string under the name in quotes.
struct CheckpointInfo {
  std::string network;                 // "network"
  std::string networkHash;             // "network_hash": of the text, see hashText()
  std::string toolVersion;             // "tool_version"
  int64_t step = 0;                    // "step": updates made
  int64_t epoch = 0;                   // "epoch": epochs begun; 0 before the first
  int64_t batch = 0;                   // "batch": batches of this epoch that are done
  uint64_t seed = 0;                   // "seed"
  std::string schedule;                // "schedule": Schedule::state()
  std::string bestMetric;              // "best_metric": a name, empty where there is none
  double bestValue = 0;                // "best_value": with bestMetric, exact to the bit
  std::vector<std::string> classNames; // "class_names": a JSON array
  /// Anything else, by names that are not taken above.
  std::map<std::string, std::string> more;

  bool operator==(const CheckpointInfo &) const = default;
};

/// The string map of a checkpoint file, which also says "format" = "cnnc checkpoint 1".
std::map<std::string, std::string> checkpointMetadata(const CheckpointInfo &info);
/// The class names in the metadata of a checkpoint or weights file; none where there are none. An error where the entry
/// is no list of strings.
Result<std::vector<std::string>> classNamesOf(const std::map<std::string, std::string> &metadata);
/// Sixteen hexadecimal digits (FNV-1a, 64 bits): tells texts apart, not forgeries.
std::string hashText(std::string_view text);

Result<void> writeCheckpoint(const std::string &path, std::vector<NamedTensor> tensors, const CheckpointInfo &info);

struct Checkpoint {
  std::string path;
  CheckpointInfo info;
  SafetensorsFile file;
};

/// An error where the file cannot be read, is cut, is no safetensors file or one that is no checkpoint.
Result<Checkpoint> readCheckpoint(const std::string &path);

/// What a run needs from the checkpoint that it takes up.
struct ExpectedTensor {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
};

/// An error in one line where the checkpoint is another network's, a tensor is missing (with the nearest name there
/// is), of another type or shape, or there is one more. `networkHash` is compared where it is not empty.
Result<void> checkCheckpoint(const Checkpoint &checkpoint, std::span<const ExpectedTensor> expected,
                             const std::string &network, const std::string &networkHash = {});

/// The checkpoints of a folder: step-00001234.safetensors, of which the last `keep` stay, and best.safetensors.
class CheckpointFolder {
public:
  /// Makes the folder where it is missing (its parent must be there), and removes what writers that were killed left.
  static Result<CheckpointFolder> open(const std::string &path, int64_t keep = 3);

  /// The path of the file. Older checkpoints, and those of later steps behind which training went back, are removed
  /// once the new one is safe: there is never none.
  Result<std::string> save(std::vector<NamedTensor> tensors, const CheckpointInfo &info);
  Result<std::string> saveBest(std::vector<NamedTensor> tensors, const CheckpointInfo &info);

  std::string bestPath() const;

private:
  std::string path;
  int64_t keep = 3;
};

/// The checkpoint of the highest step in the folder that can be read; what is broken is passed over and named in
/// `skipped`. An error where there is none, or no such folder.
Result<Checkpoint> latestCheckpoint(const std::string &folder, std::vector<std::string> *skipped = nullptr);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_TRAINING_CHECKPOINT_H
