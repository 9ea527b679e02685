// Element-wise operations in front of what needs their values in registers: the part of a group's body that computes
// some of its values from the group's inputs.
#pragma once

#include "codegen/cpu/Epilogue.h"

#include "mlir/IR/OwningOpRef.h"

namespace cnn::cpu {

class Prologue {
public:
  using Value = mlir::Value;

  /// Why `values` of the body of `group`, which have the shape of `full`, cannot be computed so; empty when they can.
  /// Every input of that shape must be stored in the layout of `full`.
  static std::string whyNot(GroupOp group, llvm::ArrayRef<Value> values, mlir::RankedTensorType full);

  Prologue(GroupOp group, llvm::ArrayRef<Value> values, mlir::RankedTensorType full, EpilogueEmitter::Lanes lanes);

  /// Whether `emit` must be told the channel.
  bool usesChannels() const { return emitter->usesChannels(); }
  /// The addresses of one image in the group's inputs.
  llvm::SmallVector<Value> images(KernelBuilder &b, Value image) const;
  /// The values at `at`, in their order.
  llvm::SmallVector<Value> emit(KernelBuilder &b, const EpilogueEmitter::Position &at) const {
    return emitter->emit(b, at);
  }

private:
  /// The operations on their own, as a group that yields the values.
  mlir::OwningOpRef<GroupOp> body;
  std::optional<EpilogueEmitter> emitter;
  size_t inputs;
};

} // namespace cnn::cpu
