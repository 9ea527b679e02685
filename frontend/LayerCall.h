// One application of a layer: its inputs and arguments with typed access that reports what does not fit, and helpers
// that build operations with the layer's location and path.
#pragma once

#include "frontend/Elaborator.h"
#include "frontend/Layers.h"
#include "ir/TensorBuilder.h"

#include <array>

namespace cnn {

/// `pad` as written: pixels, or a rule that depends on the input's size.
struct Padding {
  enum class Rule { Pixels, SameUpper, SameLower };
  Rule rule = Rule::Pixels;
  /// top, bottom, left, right
  std::array<int64_t, 4> pixels = {0, 0, 0, 0};
};

struct LayerCall {
  Elaborator &elaborator;
  const LayerInfo &layer;
  SourceRange range;
  std::string path;
  bool replay = false;
  std::vector<CallArgument> inputs;
  std::vector<CallArgument> arguments;
  /// An argument did not fit, which is reported; the layer builds nothing then.
  bool failed = false;

  /// Gives the arguments of a call their places; false after an error.
  bool match(std::vector<CallArgument> given);
  /// Whether the tensors and the required parameters are there.
  bool checkComplete();

  // Arguments. What does not fit is reported and the default returned.
  const CallArgument *find(llvm::StringRef name) const;
  bool has(llvm::StringRef name) const { return find(name) != nullptr; }
  SourceRange rangeOf(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise, int64_t min, int64_t max = (int64_t(1) << 31) - 1);
  double number(llvm::StringRef name, double otherwise);
  bool boolean(llvm::StringRef name, bool otherwise);
  std::string word(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> words, llvm::StringRef otherwise);
  /// A number for both axes, or [h, w].
  std::array<int64_t, 2> spatial(llvm::StringRef name, std::array<int64_t, 2> otherwise, int64_t min);
  std::vector<int64_t> integers(llvm::StringRef name);
  /// A dimension of a tensor of this rank, or a list of them, in ascending order; negative ones count from the end.
  std::vector<int64_t> axes(llvm::StringRef name, int64_t rank, std::vector<int64_t> otherwise);
  Padding padding(llvm::StringRef name);
  /// `he`, `zeros`, a number, ...; `mean`, `std`, `low` and `high` go with `normal` and `uniform`.
  InitAttr init(llvm::StringRef name, Initializer otherwise);
  /// A tensor, a list or a number as a tensor of f32.
  mlir::Value tensor(llvm::StringRef name);

  // Inputs.
  /// The input as a tensor of f32 of the rank (0: any); null after an error.
  mlir::Value input(unsigned index = 0, int64_t rank = 0, llvm::StringRef layout = "");
  mlir::RankedTensorType typeOf(mlir::Value value) const { return llvm::cast<mlir::RankedTensorType>(value.getType()); }

  void wrong(const CallArgument &argument, const std::string &expected);

  // Training.
  /// Null outside of train blocks.
  TrainElaborator *training() const { return elaborator.training; }
  /// Arguments for draws, tensor<i64>; `elaborator.hasDraws()` must hold.
  mlir::Value seed() { return elaborator.seed(); }
  mlir::Value step() { return elaborator.stepNumber(); }

  // Results.
  /// Builds formulas with the layer's location and path, or with a path for draws.
  TensorBuilder formula() { return {elaborator.builder, elaborator.location(range), path}; }
  TensorBuilder draws() { return {elaborator.builder, elaborator.location(range), elaborator.drawPath(path)}; }
  Value error(SourceRange at, std::string message, std::vector<Note> notes = {});
  Value error(std::string message, std::vector<Note> notes = {}) {
    return error(range, std::move(message), std::move(notes));
  }
  bool checkSize(llvm::ArrayRef<int64_t> shape) { return elaborator.checkSize(shape, range, layer.name); }
  /// Multiply-adds must stay in 64 bits as well.
  bool checkWork(llvm::ArrayRef<int64_t> result, int64_t perElement);
  mlir::Value parameter(llvm::StringRef suffix, llvm::ArrayRef<int64_t> shape, InitAttr init,
                        StateKind kind = StateKind::Parameter);
  /// The argument `bias`: a tensor that is given, or a parameter of its own. A layer with given weights has a bias only
  /// when one is given too.
  mlir::Value bias(int64_t channels);
  InitAttr initializer(Initializer kind, double a = 0, double b = 0);
  Value result(mlir::Value value) { return Value(value, range); }

  template <typename Op, typename... Args> mlir::Value make(Args &&...args) {
    mlir::OpBuilder &builder = elaborator.builder;
    auto op = Op::create(builder, elaborator.location(range), std::forward<Args>(args)..., builder.getStringAttr(path));
    return op.getResult();
  }
};

/// top, bottom, left, right for an input of height x width.
std::array<int64_t, 4> resolvePadding(const Padding &padding, llvm::ArrayRef<int64_t> extents,
                                      std::array<int64_t, 2> kernel, std::array<int64_t, 2> stride,
                                      std::array<int64_t, 2> dilation);
/// `3x3`
std::string timesText(llvm::ArrayRef<int64_t> extents);

} // namespace cnn
