// What the passes ask of a target. Legality is the passes' business and is the same for all targets; what pays, and
// what the target's kernels can do, is answered here. A target registers its model under a name, so that the passes,
// cnn-opt and the driver find it without knowing its folder.
//
// A model has no state: every answer depends on the arguments alone.
#pragma once

#include "ir/CnnOps.h"

#include <functional>
#include <memory>
#include <string>

namespace cnn {

/// The layouts that a group reads and writes, in order of its operands and results; null is row-major.
struct GroupLayouts {
  llvm::SmallVector<LayoutAttr> operands, results;
};

/// How a weight is stored for the group that reads it: what @prepare does to it, in this order.
struct Packing {
  /// A grouped convolution becomes an ungrouped one (`cnn.expand_groups`).
  bool expandGroups = false;
  /// m of Winograd's F(m x m, 3 x 3), whose transformed kernels are packed (`cnn.winograd_weights`); 0: direct.
  int64_t winograd = 0;
  /// Of the transformed weight; null is row-major.
  LayoutAttr layout;

  bool operator==(const Packing &other) const = default;
};

class TargetModel {
public:
  virtual ~TargetModel() = default;

  /// "cpu"
  virtual llvm::StringRef name() const = 0;
  /// The instruction sets or architectures of the family, the most capable first; they share groups, layouts, packing
  /// and memory plan.
  virtual llvm::ArrayRef<llvm::StringRef> isas() const = 0;
  /// The dialects of its schedules.
  virtual void registerDialects(mlir::DialectRegistry &registry) const = 0;

  /// Fuse: whether `consumer`, an element-wise operation or a broadcast outside `producer` that reads a result of it
  /// (or a broadcast of which such an operation reads), may be computed in the group. Otherwise `whyNot` says why, in
  /// words for a user. The pass has checked that this is legal: shapes agree, and all other operands are known before
  /// the group.
  virtual bool fusesInto(GroupOp producer, mlir::Operation *consumer, std::string &whyNot) const = 0;

  /// Lay out: asked for each group in order, so that the types of getInputs() have the layouts that their producers
  /// write; body and results are still row-major. What it says of packed operands (isPacked) is not looked at: that is
  /// `packing`'s.
  virtual GroupLayouts layouts(GroupOp group) const = 0;

  /// Schedule: how the packed operand `operand` of a laid-out group is stored; the answer holds for every instruction
  /// set. `exact` forbids Winograd. Asked before the group's body is rewritten: afterwards a conv2d with `winograd` is
  /// a `winograd_conv2d`, and one with `expandGroups` has groups = 1.
  virtual Packing packing(GroupOp group, unsigned operand, bool exact) const = 0;

  /// Schedule: a `ScheduleAttrInterface` for the group on `isa`, one of isas(). Asked after the packed operands have
  /// their final types. The algorithm must not depend on `isa`. Null: the target cannot compute this group, which is an
  /// error that names it.
  virtual mlir::Attribute schedule(GroupOp group, llvm::StringRef isa, bool exact) const = 0;

  /// Schedule: whether a result of a group with an anchor may lie over an operand of its type, as that of an
  /// element-wise group: on every instruction set nothing is read of an element of the operand after the result's
  /// element is written.
  virtual bool mayOverwrite(GroupOp group) const { return false; }
};

/// True for an argument that `@prepare` computes (`cnn.packed`): a weight.
bool isPacked(mlir::Value value);

/// True for a value of @run, or of a group in it, that has a piece for each image; false for what is one for all
/// images: weights, state, gradients of parameters, scalars. In a step the batch is dynamic; a network may have a
/// static one.
bool isPerImage(mlir::Value value);

/// Of a scheduled group: what TargetModel::mayOverwrite said.
inline constexpr llvm::StringLiteral kMayOverwriteAttr = "cnn.may_overwrite";
/// Whether a result of a group may lie over an operand of its type that is read here for the last time.
bool mayOverwrite(GroupOp group);

/// Makes a model known under its name; the first registration of a name counts.
void registerTargetModel(std::unique_ptr<TargetModel> model);
/// The model of that name, or null.
const TargetModel *findTargetModel(llvm::StringRef name);
/// The known names, in order of registration.
llvm::SmallVector<llvm::StringRef> targetModelNames();

} // namespace cnn
