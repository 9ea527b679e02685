// Gradient accumulation: a step in two modules, one that gives the gradients of a batch and one that updates with their
// mean over several batches, so that a step's batch need not fit in memory at once.
#pragma once

#include "tools/cnnc/training/StepModule.h"

#include "frontend/Training.h"

namespace cnn {

class Accumulation {
public:
  /// Of a block with one `minimize` and no averages, whose updates would be torn from what follows them.
  static host::Result<std::unique_ptr<Accumulation>> create(const TrainingProgram &program, const TargetChoice &choice,
                                                            bool exact);

  /// Losses, reports and gradients of a batch, and the statistics as the batch leaves them.
  const StepModule &gradients() const { return *gradientModule; }
  /// Has all of the step's state, and slots for the mean gradients.
  const StepModule &update() const { return *updateModule; }

  /// Opens both; `state` is that of update() and outlives the object.
  host::Result<void> open(int64_t maxBatch, int threads, StateBlock &state);
  /// The outputs of the last batch: losses and reports by their names.
  StepCall &call() { return *gradientCall; }
  StepCall &updateCall() { return *updatingCall; }

  /// One batch: its gradients are added, weighted by its samples.
  host::Result<void> add(int64_t batch, llvm::ArrayRef<const void *> inputs);
  /// Where the batch's first value came from that is not finite, as StepSession says it; what was added is lost.
  host::Result<std::string> findNotFinite(int64_t batch, llvm::ArrayRef<const void *> inputs);
  /// Updates with the mean of what was added, and begins anew.
  host::Result<void> step();

private:
  Accumulation() = default;

  std::unique_ptr<StepModule> gradientModule, updateModule;
  StateBlock *state = nullptr;
  std::optional<StateBlock> gradientState;
  std::unique_ptr<StepSession> gradientSession, updateSession;
  std::unique_ptr<StepCall> gradientCall, updatingCall;
  struct Gradient {
    size_t output;    // of gradients()
    std::string slot; // of update(), which takes the mean
    std::vector<double> sum;
  };
  std::vector<Gradient> summed;
  double samples = 0;
};

} // namespace cnn
