// From a train block's inputs to batches: which parts of a data set fill them, and the augmentation, which runs in the
// loader's workers.
#pragma once

#include "frontend/Training.h"
#include "runtime/host/data/Loader.h"
#include "tools/cnnc/training/StepModule.h"

namespace cnn {

/// The data set's field for each input of the block.
host::Result<std::vector<host::Field>> fieldsOf(llvm::ArrayRef<TrainingInput> inputs);

/// Tensors for a batch of a step: random numbers and classes; hyperparameters are zeros.
std::vector<host::Tensor> randomStepInputs(const Program &step, llvm::ArrayRef<TrainingInput> inputs, int64_t batch);

/// Where a module's inputs are found in a batch.
class BatchBinding {
public:
  /// `module` takes inputs of the block by name; those that `augment` gives (null: none) come from there.
  static host::Result<BatchBinding> create(const StepModule &module, llvm::ArrayRef<TrainingInput> inputs,
                                           const StepModule *augment);

  /// In the module's order.
  llvm::SmallVector<const void *> data(const host::Batch &batch) const;
  /// The value of the block's input, of the batch's samples alone; an empty tensor where there is none of that name.
  host::TensorView find(const host::Batch &batch, llvm::StringRef name) const;

private:
  struct Source {
    std::string name;
    bool augmented;
    size_t index; // into Batch::extra or Batch::tensors
  };
  static const host::Tensor &tensorOf(const host::Batch &batch, const Source &source);

  std::vector<Source> inputs; // of the module
  std::vector<Source> named;  // of the block
};

/// What the workers do to each batch after decoding.
class Augmenter {
public:
  /// `module` outlives the augmenter. A session a worker, each on its worker's thread alone.
  static host::Result<std::unique_ptr<Augmenter>> create(const StepModule &module, llvm::ArrayRef<TrainingInput> inputs,
                                                         int64_t maxBatch, unsigned workers, uint64_t seed);
  /// The results go to Batch::extra, in the order of the module's outputs. `step` numbers the draws.
  host::Result<void> run(host::Batch &batch, unsigned worker, int64_t step);
  /// For LoaderOptions::hook: draws by Batch::step.
  std::function<host::Result<void>(host::Batch &, unsigned)> hook() {
    return [this](host::Batch &batch, unsigned worker) { return run(batch, worker, batch.step); };
  }

private:
  explicit Augmenter(const StepModule &module) : module(module) {}

  struct Worker {
    std::unique_ptr<StepSession> session;
    std::unique_ptr<StepCall> call;
  };
  const StepModule &module;
  std::vector<size_t> sources; // of the module's inputs, in Batch::tensors
  std::vector<Worker> workers;
};

} // namespace cnn
