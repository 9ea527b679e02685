// What happens inside a network while it learns: figures of each layer's activations, of each parameter and of its
// gradient, on one batch. A module of its own computes them, so that the step is what it is without them.
#pragma once

#include "runtime/host/training/Statistics.h"
#include "tools/cnnc/training/TrainingData.h"

namespace cnn {

class LayerStatistics {
public:
  /// At most kSamples of a batch are looked at. The arguments outlive the object.
  static constexpr int64_t kSamples = 32;
  static host::Result<std::unique_ptr<LayerStatistics>> create(const TrainingProgram &program,
                                                               const StepModule *augment, const TargetChoice &choice,
                                                               bool exact, int threads);

  /// In the order of the network: activations, then weights and gradients.
  host::Result<std::vector<host::LayerStatistics>> measure(const StateBlock &state, const host::Batch &batch,
                                                           uint64_t seed);

private:
  explicit LayerStatistics(std::unique_ptr<StepModule> module) : module(std::move(module)) {}

  std::unique_ptr<StepModule> module;
  BatchBinding binding;
  std::optional<StateBlock> state;
  std::unique_ptr<StepSession> session;
  std::unique_ptr<StepCall> call;
};

} // namespace cnn
