// One group as text, compiled for an instruction set and compared with the reference: for the kernels that the pipeline
// does not choose by itself, and to choose layouts freely.
#pragma once

#include "codegen/cpu/GroupKernels.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace cnn::testing {

/// Builds the text of a group operation by operation. Types are written as in MLIR, where `#b` stands for channels in
/// blocks of 16 and `#v` for a vector in whole blocks of 16. Values are named by the strings that are returned.
class GroupCase {
public:
  explicit GroupCase(unsigned seed) : random(seed), seed(seed) {}

  std::mt19937 random;
  unsigned seed;
  int64_t batch = 3;
  /// Whether padded lanes of inputs may hold anything; else they are zero, as stored tensors have them.
  bool poisonPadding = true;

  int64_t pick(int64_t from, int64_t to) { return from + static_cast<int64_t>(random() % (to - from + 1)); }
  bool flip() { return random() % 2; }

  /// An input whose elements are `value(random)`; normal numbers with a few zeros by default.
  using Source = std::function<double(std::mt19937 &)>;
  std::string input(const std::string &type, Source source = nullptr);
  std::string op(const std::string &name, const std::vector<std::string> &operands, const std::string &attributes,
                 const std::string &type);
  std::string constant(double value, const std::string &type);
  void result(const std::string &value) { results.push_back(value); }
  const std::string &typeOf(const std::string &value) const { return types.at(value); }

  /// The module, whose function @run holds the group.
  std::string text() const;

  /// The group's inputs and then its results in memory, between pages that no one may touch.
  struct Memory {
    char *data;
    int64_t bytes, imageStride;
  };
  /// Computes the results of the group; the code that is tested.
  using Runner = std::function<void(GroupOp group, llvm::ArrayRef<Memory> operands)>;
  /// Expects of the first runner results within the reference's bounds and zeros in padded lanes, and the same bits of
  /// all others.
  void compare(llvm::ArrayRef<Runner> runners);

  /// Expects that a kernel of `kind` computes the group, on every instruction set of this machine: results within the
  /// reference's bounds, padded lanes zero, nothing else written, and the same bits however the units are cut. Tests of
  /// devices have a definition of their own, for which the kind has no meaning.
  void check(cpu::KernelKind kind);

private:
  void check(cpu::Isa isa, cpu::KernelKind kind);
  std::string aliases(const std::string &type) const;

  std::vector<std::string> inputs, results;
  std::vector<Source> sources;
  std::map<std::string, std::string> types;
  std::string body;
};

/// The module of a text, with one group, and that group.
mlir::OwningOpRef<mlir::ModuleOp> parseGroup(mlir::MLIRContext &context, const std::string &text);
GroupOp groupOf(mlir::ModuleOp module);

/// The kernels of the group of a module as text, in this process.
class CompiledGroup {
public:
  /// Without kernels where `kind` does not compute the group.
  CompiledGroup(const std::string &text, cpu::Isa isa, cpu::KernelKind kind);

  bool hasKernels() const { return !kernels.empty(); }
  /// Runs all kernels on the group's inputs and results, the units of each in so many pieces, last piece first.
  void run(std::vector<char *> buffers, std::vector<int64_t> imageStrides, int64_t batch, int pieces = 1) const;

private:
  std::vector<cpu::GroupKernel> kernels;
  std::vector<cpu::ScratchPart> scratch;
  cpu::KernelJit jit;
};

/// `tensor<AxBxC...f32>`; -1 is the batch.
std::string tensor(llvm::ArrayRef<int64_t> shape, const std::string &layout = "", const std::string &element = "f32");
/// `name = array<i64: ...>`
std::string ints(const std::string &name, llvm::ArrayRef<int64_t> values);

} // namespace cnn::testing
