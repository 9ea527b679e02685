// A training run's state and files: what it starts from, checkpoints, weights. Variables are saved by their paths.
#pragma once

#include "frontend/Training.h"
#include "runtime/host/training/Checkpoint.h"
#include "tools/cnnc/training/StepModule.h"

namespace cnn {

/// Fills the state of a run that begins; `step` declares all of it. It is drawn by the seed, then what the block's
/// `init` statements name, then what `weightsFile` (where not empty) holds, of which it must have all parameters and
/// statistics. Averages begin at what they average.
host::Result<void> initializeState(StateBlock &state, mlir::ModuleOp step, const TrainingProgram &program,
                                   uint64_t seed, const std::string &weightsFile);

/// Every variable, for a checkpoint. The views are of `state`.
std::vector<host::NamedTensor> allTensors(const StateBlock &state);
std::vector<host::ExpectedTensor> expectedTensors(const StateBlock &state);
/// Takes over a checkpoint that checkCheckpoint() has passed.
void restoreState(StateBlock &state, const host::SafetensorsFile &file);

/// What users keep: parameters and statistics, averages in place of what they average.
std::vector<host::NamedTensor> weightTensors(const StateBlock &state, const TrainingProgram &program);

/// Makes `evaluation`, the state of an evaluation, that of `state`, with averages in place of what they average.
void copyForEvaluation(StateBlock &evaluation, const StateBlock &state, const TrainingProgram &program);

/// Fills an evaluation's state with weights that were checked against it.
host::Result<void> setState(StateBlock &state, const StepModule &evaluate, const Weights &weights);

/// The class names kept with the weights in a file; none where it has none.
host::Result<std::vector<std::string>> classNamesOf(const std::string &weightsFile);

/// What 8-bit values became in training where no preprocessing is declared, as kept with the weights; nothing in a file
/// that `cnnc train` did not write.
host::Result<std::optional<host::PixelScale>> pixelsOf(const std::string &weightsFile);

/// Tells networks apart: a hash of what the step computes.
std::string programHash(const TrainingProgram &program);

} // namespace cnn
