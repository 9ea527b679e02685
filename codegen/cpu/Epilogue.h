// The element-wise part of a group as code on values in registers: what follows the anchor, or the whole group when it
// has none. Kernels hand in the anchor's value for 16 channels or 16 consecutive elements and where it lies; the
// emitter loads what else the body reads there (bias and other per-channel vectors, scalars, residual tensors of the
// same layout) and gives back the results.
//
// The operands of a group's kernels are the group's inputs and then its results. Padded lanes of what is stored are
// zero.
#pragma once

#include "codegen/cpu/ConvKernel.h"
#include "codegen/cpu/ElementOps.h"

namespace cnn::cpu {

class EpilogueEmitter {
public:
  using Value = mlir::Value;

  /// What the lanes of a vector are: consecutive channels (blocked layouts, and rows of rank 2), or consecutive
  /// elements of one channel.
  enum class Lanes { Channels, Elements };

  /// A group for which whyNot is empty.
  explicit EpilogueEmitter(GroupOp group, Lanes lanes = Lanes::Channels);

  /// Why the body of `group` cannot be emitted around its anchor; empty when it can.
  static std::string whyNot(GroupOp group);
  /// Why `op`, element-wise or a broadcast, cannot join a group whose values have the shape of `full`; empty when it
  /// can.
  static std::string whyNot(mlir::Operation *op, mlir::RankedTensorType full);

  /// Where a value lies.
  struct Position {
    llvm::ArrayRef<Value> images; ///< Addresses of the image in every operand (see images()).
    Value bytes;                  ///< Offset from there in f32 elements times four; bytes + displacement in all.
    int64_t displacement = 0;
    Value channel; ///< Index of the first lane's channel; may be null when usesChannels() is false.
    int64_t width = kBlock;
    /// Every address is a multiple of this many elements. Of images in blocks nothing needs to be said: their addresses
    /// are multiples of the width.
    int64_t multiple = 1;
    /// All lanes are channels that exist: of row-major values nothing is masked.
    bool isWhole = false;
  };

  /// The addresses of one image in every operand of the kernel; those of what all images share are its own.
  llvm::SmallVector<Value> images(KernelBuilder &b, Value image) const;

  /// The group's results at `at`. `anchor` is the anchor's value without its bias, null where the group has no anchor.
  llvm::SmallVector<Value> emit(KernelBuilder &b, const Position &at, Value anchor = nullptr) const;
  /// Stores results from number `first` on.
  void store(KernelBuilder &b, const Position &at, llvm::ArrayRef<Value> results, size_t first = 0) const;
  void emitAndStore(KernelBuilder &b, const Position &at, Value anchor = nullptr) const {
    store(b, at, emit(b, at, anchor));
  }

  /// For ConvKernel: stores every result but the first, which it returns.
  Epilogue hook() const;

  /// Whether the body reads per-channel vectors or must know padded lanes, so that emit needs the channel.
  bool usesChannels() const { return usesChannels_; }
  int64_t channels() const { return channels_; }
  int inputs() const { return group_->getNumOperands(); }
  int operands() const { return group_->getNumOperands() + group_->getNumResults(); }

private:
  enum class Access { Full, Channel, Scalar, Anchor };
  Access access(mlir::Type type) const;
  Value load(KernelBuilder &b, const Position &at, Value leaf, Value mask) const;
  Value loadConstant(KernelBuilder &b, const Position &at, ConstantOp constant) const;
  Value mask(KernelBuilder &b, const Position &at) const;
  Value elementAddress(KernelBuilder &b, const Position &at, size_t operand, mlir::Type element,
                       int64_t &displacement) const;

  mutable GroupOp group_; ///< A handle, whose queries are not const.
  mlir::Operation *anchor_;
  mlir::RankedTensorType full_;
  Lanes lanes_;
  int64_t channels_ = 1;
  bool blocked_ = false;
  bool usesChannels_ = false;
  /// Results whose padded lanes are not zero by themselves.
  llvm::SmallVector<bool> masked_;
};

} // namespace cnn::cpu
