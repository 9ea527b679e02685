// A module of the form of a training step (frontend/Training.h), ready to run: a step, an evaluation or an
// augmentation, as compiled code or by the reference implementation.
#pragma once

#include "tools/cnnc/Target.h"
#include "tools/cnnc/training/StateBlock.h"

#include "llvm/ADT/ArrayRef.h"

namespace cnn {

/// Runs one batch at a time; sessions of one module may run at once.
class StepSession {
public:
  virtual ~StepSession() = default;
  /// `inputs` are the module's inputs, then its hyperparameters. The session's state is updated.
  virtual host::Result<void> run(int64_t batch, llvm::ArrayRef<const void *> inputs,
                                 llvm::ArrayRef<void *> outputs) = 0;
  /// The same, watched: where the first value came from that is not finite, such as "'conv1' (conv2d)"; empty where all
  /// are finite.
  virtual host::Result<std::string> findNotFinite(int64_t batch, llvm::ArrayRef<const void *> inputs,
                                                  llvm::ArrayRef<void *> outputs) = 0;

  /// Asks that the state stays where it is computed with between runs. False where that is the block itself; else the
  /// block gets it by fetchState() alone, and restoreState() brings back what it was at saveState().
  virtual host::Result<bool> keepState() { return false; }
  virtual host::Result<void> fetchState() { return {}; }
  virtual host::Result<void> saveState() { return {}; }
  virtual host::Result<void> restoreState() { return {}; }
};

class StepModule {
public:
  /// `module` is as elaborated; it is left as it was and not needed afterwards.
  static host::Result<std::unique_ptr<StepModule>> create(mlir::ModuleOp module, const TargetChoice &choice,
                                                          bool exact);
  virtual ~StepModule() = default;

  /// "reference", "cpu (avx512)".
  virtual std::string describe() const = 0;
  virtual size_t sessionBytes(int64_t maxBatch, int threads) const = 0;
  /// `state` holds the module's variables, in its layout, and outlives the session; null where there are none.
  virtual host::Result<std::unique_ptr<StepSession>> open(int64_t maxBatch, int threads, StateBlock *state) const = 0;
  /// After differentiation at least: with the declarations of all state.
  virtual mlir::ModuleOp module() const = 0;

  const std::vector<TensorInfo> &inputs() const { return inputTensors; }
  const std::vector<TensorInfo> &hypers() const { return hyperTensors; }
  const std::vector<TensorInfo> &outputs() const { return outputTensors; }
  /// The number of the output; nothing where there is none of that name.
  std::optional<size_t> output(llvm::StringRef name) const;
  const std::vector<StateVariable> &state() const { return stateVariables; }
  int64_t stateBytes() const { return stateSize; }
  host::Result<StateBlock> newState() const { return StateBlock::create(stateVariables, stateSize); }
  double seconds() const { return compileSeconds; }

protected:
  std::vector<TensorInfo> inputTensors, hyperTensors, outputTensors;
  std::vector<StateVariable> stateVariables;
  int64_t stateSize = 0;
  double compileSeconds = 0;
};

/// Both in their own files.
host::Result<std::unique_ptr<StepModule>> createCompiledStep(mlir::ModuleOp module, const TargetChoice &choice,
                                                             bool exact);
host::Result<std::unique_ptr<StepModule>> createReferenceStep(mlir::ModuleOp module, bool scalesLoss);

/// The memory and the arguments of calls of a module: outputs for a batch, and scalars by name.
class StepCall {
public:
  StepCall(const StepModule &module, int64_t maxBatch);

  /// A scalar that the module does not take is ignored.
  void setHyper(llvm::StringRef name, double value);
  void setHyper(llvm::StringRef name, int64_t value);
  /// `inputs` in the module's order.
  host::Result<void> run(StepSession &session, int64_t batch, llvm::ArrayRef<const void *> inputs);
  host::Result<std::string> findNotFinite(StepSession &session, int64_t batch, llvm::ArrayRef<const void *> inputs);

  /// Output `index` of the last run.
  host::TensorView output(size_t index) const;
  /// The value of a scalar output.
  double scalar(size_t index) const { return output(index).toDoubles().front(); }

private:
  llvm::SmallVector<const void *> arguments(llvm::ArrayRef<const void *> inputs) const;

  const StepModule &module;
  int64_t batch = 0;
  std::vector<host::Tensor> outputs, hypers;
  llvm::SmallVector<void *> outputData;
};

} // namespace cnn
