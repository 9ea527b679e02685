// What training and evaluation begin with: the block, its settings, its data, its modules.
#pragma once

#include "tools/cnnc/training/TrainingData.h"

namespace cnn {

/// Elaborates the train block that `net` (FILE or FILE:NAME) names, after replacing settings; without `step` after a
/// message on stderr. The context gets every dialect of the compiler.
TrainingProgram loadTrainBlock(mlir::MLIRContext &context, const std::string &net,
                               std::vector<std::pair<std::string, double>> settings = {});

/// The block's settings as numbers.
struct TrainingSettings {
  int64_t epochs = 1, batch = 1, patience = 0;
  double validation = 0;
  uint64_t seed = 0;
};
TrainingSettings settingsOf(const TrainingProgram &program);

/// Options that `train`, `eval` and `predict` share.
struct DataOptions {
  std::string data, only, except;
  std::string pixels; ///< Empty: as the weights say, else unit.
  bool skipBad = false;
  int64_t workers = 0; ///< 0: half of the threads, at least 1.

  void declare(CommandLine &line);
  /// Empty, or what is wrong with the options.
  std::string problem() const;
  /// What was not said on the command line is as it was when these weights were trained; an empty name is no file.
  host::Result<void> adopt(const std::string &weightsFile);
  unsigned workersFor(int64_t threads) const;
  host::Result<host::DatasetOptions> dataset(llvm::ArrayRef<TrainingInput> inputs, int64_t threads) const;
  /// The samples of the classes that --only and --except leave.
  host::Result<host::Dataset> choose(const host::Dataset &data) const;
};

/// Says on stderr how many samples were left out, and the first reasons.
void reportSkipped(const host::Dataset &data);
void reportSkipped(llvm::ArrayRef<std::string> reasons);

/// Whether a file can be written where it is to go; said before hours are spent.
host::Result<void> checkOutputPath(const std::string &path);

/// Parameters of the block's networks, and those of them that a `minimize` changes.
std::pair<int64_t, int64_t> countParameters(const TrainingProgram &program);

} // namespace cnn
