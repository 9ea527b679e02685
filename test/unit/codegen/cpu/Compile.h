// Whole functions compiled and run in this process, for tests: text of the `cnn` dialect through the pipeline,
// lowering, linking and loading. Groups are then compared with the reference one by one on the values that the compiled
// code had, within its bounds.
#pragma once

#include "codegen/Program.h"
#include "codegen/package/Loaded.h"
#include "ir/reference/Bounds.h"
#include "ir/reference/Evaluate.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace cnn::testing {

struct CompileOptions {
  std::vector<std::string> isas; ///< Empty: all.
  bool exact = false;
  bool keepBuffers = false;
  unsigned seed = 1; ///< Of the values of state variables.
};

/// A network on its way: module, program and the values of its state.
class Compiled {
public:
  /// `text` is a module with @infer or @step. Null after a test failure that shows the diagnostics.
  static std::unique_ptr<Compiled> create(const std::string &text, const CompileOptions &options = {});

  mlir::ModuleOp module() { return *module_; }
  const Program &program() const { return program_; }
  /// The planned module as text.
  std::string text();

  /// Loads the program for one instruction set; null after a test failure.
  std::unique_ptr<Loaded> load(const std::string &isa) const;

  /// Random values for every input: integers are 0 to 255, floats normal with a few exact zeros.
  std::vector<std::vector<char>> randomInputs(int64_t batch, unsigned seed) const;
  /// Of a step, the state begins as it was made, unless `resetsState` is false.
  std::vector<std::vector<char>> run(Loaded &loaded, int64_t batch, int threads,
                                     const std::vector<std::vector<char>> &inputs,
                                     std::optional<StepObserver> observer = {}, bool resetsState = true);
  /// The state of a step as the last run left it, aligned to 64 bytes.
  llvm::ArrayRef<char> state() const { return {stateBegin(), static_cast<size_t>(program_.stateBytes)}; }

  /// Runs a program planned with keepBuffers, its memory full of NaN before each step, and expects each group's results
  /// to be within the reference's bounds of it and their padded lanes to be zero.
  void expectGroupsToMatch(Loaded &loaded, int64_t batch, const std::vector<std::vector<char>> &inputs);

  /// Expects the same bits for 1, 2, 3 and 8 threads and, unless an image's place in the batch matters, for each image
  /// alone as in the batch.
  void expectSameBits(Loaded &loaded, const std::vector<std::vector<char>> &inputs, int64_t batch, bool placeMatters);

private:
  mlir::MLIRContext context_{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module_;
  Program program_;
  std::map<std::string, reference::Tensor> state_;
  std::vector<char> block_; ///< The state of a step, with room to align it.

  char *stateBegin() const;
  void resetState();
};

/// The instruction sets of this machine, or the architectures of the device, by name; prints which are skipped.
std::vector<std::string> hostIsas();
/// Whether a group has the CPU's algorithm of that name; always, for a device, which has others.
bool hasAlgorithm(const Program &program, const std::string &algorithm);
/// Whether `@schedule` may ask the target under test for it: others refuse the name.
bool takesAlgorithm(const std::string &algorithm);

} // namespace cnn::testing
