// The learning-rate finder over a train block: steps on the training data while the rate grows.
#pragma once

#include "runtime/host/training/LearningRateFinder.h"
#include "tools/cnnc/training/TrainingRun.h"

namespace cnn {

/// Sweeps all rates of the block together, from the state with which training begins; nothing is kept of the steps.
host::Result<host::LearningRateFinder> findRate(const TrainingProgram &program, const StepModule &step,
                                                const StepModule *augment, const host::Dataset &data,
                                                const RunOptions &options, const host::LearningRateSweep &sweep);

} // namespace cnn
