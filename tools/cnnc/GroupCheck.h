// A compiled network against the reference implementation, group by group, while it runs.
//
// A group's results must lie within the bound of ir/reference/Bounds.h for the operands that the compiled code had.
// What a group reads must be, bit for bit, what was written there, however the memory plan shares it, and weights must
// be what @prepare gives.
#pragma once

#include "codegen/package/Loaded.h"
#include "ir/reference/Bounds.h"
#include "tools/cnnc/Compile.h"

#include "llvm/ADT/DenseMap.h"

#include <string>
#include <vector>

namespace cnn {

struct GroupResult {
  std::string path, kind;
  reference::Difference difference;
  /// The element that is nearest to its bound or furthest beyond.
  double computed = 0, expected = 0, bound = 0;
};

class GroupCheck {
public:
  /// `loaded` is `compiled.program` with a session for `batch` images.
  GroupCheck(Compiled &compiled, Loaded &loaded, int64_t batch, unsigned threads)
      : compiled(compiled), loaded(loaded), groups(compiled.groups()), batch(batch) {
    options.batch = batch;
    options.threads = threads;
  }

  /// Runs the network on the inputs, watched, and compares each group. An empty string, or why that was not possible.
  std::string run(llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs);

  /// Compares the packed weights in memory with what @prepare makes of `weights`, bit for bit. An empty string, or the
  /// first that differs.
  std::string checkWeights(const Weights &weights) const;

  std::vector<GroupResult> results;
  /// Where a group read something else than was written, or an empty string.
  std::string corruption;

private:
  /// The logical value of an operand as it lies in memory.
  reference::TensorRef read(const Operand &operand, mlir::RankedTensorType type) const;
  /// What `value` must hold: what was written, moved along by groups that run no code. Null for inputs and weights.
  reference::TensorRef expected(mlir::Value value);
  void before(GroupOp group, const GroupInfo &info);
  void after(GroupOp group, const GroupInfo &info);

  Compiled &compiled;
  Loaded &loaded;
  llvm::SmallVector<GroupOp> groups;
  int64_t batch;
  reference::EvaluateOptions options;
  llvm::SmallVector<reference::TensorRef> operands;
  llvm::DenseMap<mlir::Value, reference::TensorRef> written;
  std::string problem;
};

} // namespace cnn
