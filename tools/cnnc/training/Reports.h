// The figures of a train block: its losses and what its `report` statements name, gathered over batches.
#pragma once

#include "runtime/host/training/Metrics.h"
#include "tools/cnnc/training/TrainingData.h"

namespace cnn {

class Reports {
public:
  /// For the outputs of `module`, a step or an evaluation of the block; all arguments outlive the object.
  static host::Result<Reports> create(const TrainingProgram &program, const StepModule &module,
                                      const BatchBinding &binding, llvm::ArrayRef<std::string> classNames);

  /// From here on samples are tiles of the data set's pictures, and figures are those of whole pictures; an error names
  /// a report of something else than pixels. Means and losses stay those of the tiles.
  host::Result<void> assemble(const host::Dataset &data);
  /// After a run of the batch. `replaced`, where not empty, stands in for the module's outputs.
  host::Result<void> add(const host::Batch &batch, const StepCall &call, llvm::ArrayRef<host::Tensor> replaced = {});
  void clear();

  /// The mean of the (first) loss.
  double loss() const { return losses.front().mean.value(); }
  /// The other losses, then the reports.
  std::vector<host::NamedValue> values() const;
  int64_t samples() const { return sampleCount; }
  /// Of the last batch: the losses.
  std::vector<double> batchLosses(const StepCall &call) const;
  /// Of the first report that has one; null where none has.
  const host::ConfusionMatrix *confusion() const;
  /// Sums behind loss(), exact, for checkpoints.
  std::string state() const;
  host::Result<void> restore(std::string_view state);

  /// Names of all that values() gives.
  std::vector<std::string> names() const;

private:
  Reports() = default;

  /// A mean whose sums can be saved.
  struct RunningMean {
    double sum = 0, weight = 0;
    void add(double value, double weightOfIt) {
      sum += value * weightOfIt;
      weight += weightOfIt;
    }
    double value() const;
  };
  struct Loss {
    std::string name;
    size_t output;
    RunningMean mean;
  };
  struct Operand {
    std::string name;
    std::optional<size_t> output; // otherwise an input of the block
    std::vector<int64_t> shape;   // of an image's
  };
  struct Report {
    std::string name;
    std::unique_ptr<host::Metric> metric; // null: a mean of a scalar
    bool wantsTargets = false;            // values to be reached rather than classes
    std::optional<int64_t> positive;      // the class that counts as 1, all others being 0
    std::vector<Operand> operands;
    RunningMean mean;
    host::Tensor whole[2]; // the picture that is being put together, of each operand
  };
  host::Result<void> addTo(Report &report, const host::TensorView &first, const host::TensorView &second);
  /// What the tiles of this batch complete is added.
  host::Result<void> addTiles(Report &report, const host::Batch &batch, const host::TensorView &first,
                              const host::TensorView &second);
  host::TensorView valueOf(const Operand &operand, const host::Batch &batch, const StepCall &call,
                           llvm::ArrayRef<host::Tensor> replaced) const;

  const BatchBinding *binding = nullptr;
  std::vector<Loss> losses;
  std::vector<Report> reports;
  int64_t sampleCount = 0;
  std::optional<host::Dataset> tiles;
};

} // namespace cnn
