// A train block's evaluation over a data set: losses and reports, with what a caller wants to see of each batch.
#pragma once

#include "tools/cnnc/training/Reports.h"

namespace cnn {

struct EvaluatorOptions {
  int64_t batch = 1;
  int threads = 1;
  unsigned workers = 1;
  /// Augmented copies of each batch whose outputs are averaged with those of the batch as it is; 0: none.
  int64_t copies = 0;
  uint64_t seed = 0;
};

class Evaluator {
public:
  /// `evaluate` and, with copies, `augment` are the program's modules; all arguments outlive the evaluator.
  static host::Result<std::unique_ptr<Evaluator>> create(const TrainingProgram &program, const StepModule &evaluate,
                                                         const StepModule *augment, EvaluatorOptions options,
                                                         llvm::ArrayRef<std::string> classNames);

  /// The parameters and statistics to evaluate, in the evaluation's layout.
  StateBlock &state() { return block; }

  /// Called with each batch and its outputs.
  using Observer = llvm::function_ref<void(const host::Batch &, const StepCall &)>;
  host::Result<void> run(const host::Dataset &data, Observer observer = nullptr);
  /// Of the last run.
  const Reports &reports() const { return *figures; }
  size_t memoryBytes() const;

private:
  Evaluator(const StepModule &evaluate, EvaluatorOptions options, StateBlock block)
      : evaluate(evaluate), options(options), block(std::move(block)) {}
  host::Result<void> average(host::Batch &batch, std::vector<host::Tensor> &means);

  const StepModule &evaluate;
  EvaluatorOptions options;
  StateBlock block;
  std::unique_ptr<StepSession> session;
  std::unique_ptr<StepCall> call;
  BatchBinding plain, augmented;
  std::unique_ptr<Augmenter> augmenter;
  std::optional<Reports> figures;
};

} // namespace cnn
