// Operations that move elements: each result element is one input element, a constant, or, where elements move to the
// same place, their sum.
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::reference {

/// For each axis of the result and each index along it, what it adds to the input's row-major index; -1: outside.
using AxisTable = std::vector<int64_t>;

static constexpr int64_t kOutside = -1;

/// result[i0, .., in] = input[sum of tables[k][ik]], or `outside` where one of them is outside.
static Tensor gather(const Shape &shape, const Tensor &input, ArrayRef<AxisTable> tables, double outside = 0) {
  Tensor result = Tensor::filled(shape, outside);
  double *out = result.data();
  if (shape.empty()) {
    *out = input.values[0];
    return result;
  }
  auto walk = [&](auto &&self, size_t axis, int64_t offset) -> void {
    bool innermost = axis + 1 == shape.size();
    int64_t inner = elementCount(ArrayRef(shape).drop_front(axis + 1));
    for (int64_t step : tables[axis])
      if (step == kOutside)
        out += inner;
      else if (innermost)
        *out++ = input.values[offset + step];
      else
        self(self, axis + 1, offset + step);
  };
  walk(walk, 0, 0);
  return result;
}

/// Index i of an axis of the result is index start + i * step of an axis of the input with that stride.
static AxisTable along(int64_t extent, int64_t start, int64_t step, int64_t stride) {
  AxisTable table(extent);
  for (int64_t i = 0; i < extent; ++i)
    table[i] = (start + i * step) * stride;
  return table;
}

static Tensor broadcast(BroadcastOp op, const Application &at) {
  const Tensor &input = at.operand(0);
  Shape strides = rowMajorStrides(input.shape);
  std::vector<AxisTable> tables;
  for (int64_t extent : at.shape)
    tables.push_back(AxisTable(extent, 0));
  for (auto [k, dim] : llvm::enumerate(op.getDims()))
    if (input.shape[k] != 1)
      tables[dim] = along(at.shape[dim], 0, 1, strides[k]);
  return gather(at.shape, input, tables);
}

static Tensor transpose(TransposeOp op, const Application &at) {
  Shape strides = rowMajorStrides(at.operand(0).shape);
  std::vector<AxisTable> tables;
  for (auto [extent, dim] : llvm::zip(at.shape, op.getPermutation()))
    tables.push_back(along(extent, 0, 1, strides[dim]));
  return gather(at.shape, at.operand(0), tables);
}

static Tensor slice(SliceOp op, const Application &at) {
  Shape strides = rowMajorStrides(at.operand(0).shape);
  std::vector<AxisTable> tables;
  for (auto [extent, start, step, stride] : llvm::zip(at.shape, op.getStarts(), op.getSteps(), strides))
    tables.push_back(along(extent, start, step, stride));
  return gather(at.shape, at.operand(0), tables);
}

/// The index of the element that a mirrored border shows at index i - low of an axis.
static int64_t mirrored(int64_t index, int64_t extent) {
  return index < 0 ? -index : index >= extent ? 2 * (extent - 1) - index : index;
}

static Tensor pad(PadOp op, const Application &at) {
  const Tensor &input = at.operand(0);
  Shape strides = rowMajorStrides(input.shape);
  std::vector<AxisTable> tables;
  for (auto [extent, inner, low, stride] : llvm::zip(at.shape, input.shape, op.getLow(), strides)) {
    AxisTable table(extent);
    for (int64_t i = 0; i < extent; ++i) {
      int64_t from = i - low;
      if (op.getMode() == PadMode::Reflect)
        from = mirrored(from, inner);
      table[i] = from < 0 || from >= inner ? kOutside : from * stride;
    }
    tables.push_back(std::move(table));
  }
  return gather(at.shape, input, tables, op.getValue().convertToDouble());
}

/// result[sum of tables[k][ik]] += input[i0, .., in]
static Tensor scatter(const Shape &shape, const Tensor &input, ArrayRef<AxisTable> tables) {
  Tensor result(shape);
  const double *in = input.data();
  auto walk = [&](auto &&self, size_t axis, int64_t offset) -> void {
    if (axis == tables.size()) {
      result.values[offset] += *in++;
      return;
    }
    for (int64_t step : tables[axis])
      self(self, axis + 1, offset + step);
  };
  walk(walk, 0, 0);
  return result;
}

static Tensor unslice(UnsliceOp op, const Application &at) {
  Shape strides = rowMajorStrides(at.shape);
  std::vector<AxisTable> tables;
  for (auto [extent, start, step, stride] : llvm::zip(at.operand(0).shape, op.getStarts(), op.getSteps(), strides))
    tables.push_back(along(extent, start, step, stride));
  return scatter(at.shape, at.operand(0), tables);
}

static Tensor padGrad(PadGradOp op, const Application &at) {
  Shape strides = rowMajorStrides(at.shape);
  std::vector<AxisTable> tables;
  for (auto [extent, inner, low, stride] : llvm::zip(at.operand(0).shape, at.shape, op.getLow(), strides)) {
    AxisTable table(extent);
    for (int64_t i = 0; i < extent; ++i)
      table[i] = mirrored(i - low, inner) * stride;
    tables.push_back(std::move(table));
  }
  return scatter(at.shape, at.operand(0), tables);
}

static Tensor concat(ConcatOp op, const Application &at) {
  Tensor result(at.shape);
  int64_t axis = op.getAxis();
  int64_t inner = elementCount(ArrayRef(at.shape).drop_front(axis + 1)),
          outer = elementCount(ArrayRef(at.shape).take_front(axis));
  double *to = result.data();
  for (int64_t i = 0; i < outer; ++i)
    for (const TensorRef &operand : at.operands) {
      int64_t count = operand->shape[axis] * inner;
      to = std::copy_n(operand->data() + i * count, count, to);
    }
  return result;
}

/// result[o, c] = weight[o, c mod (C/g)] where c is a channel of o's group, else 0.
static Tensor expandGroups(ExpandGroupsOp op, const Application &at) {
  const Tensor &weight = at.operand(0);
  int64_t outputs = at.shape[0], channels = weight.shape[1], kernel = at.shape[2] * at.shape[3];
  int64_t outputsOfGroup = outputs / int64_t(op.getGroups());
  Tensor result(at.shape);
  for (int64_t o = 0; o < outputs; ++o)
    std::copy_n(weight.data() + o * channels * kernel, channels * kernel,
                result.data() + (o * at.shape[1] + o / outputsOfGroup * channels) * kernel);
  return result;
}

/// result[g*C/groups + c, o, i, j] = weight[g*O/groups + o, c, kh-1-i, kw-1-j].
static Tensor flipKernels(FlipKernelsOp op, const Application &at) {
  const Tensor &weight = at.operand(0);
  int64_t channels = weight.shape[1], outputs = at.shape[1], taps = at.shape[2] * at.shape[3];
  Tensor result(at.shape);
  for (int64_t to = 0; to < at.shape[0]; ++to)
    for (int64_t o = 0; o < outputs; ++o) {
      int64_t from = (to / channels * outputs + o) * channels + to % channels;
      std::reverse_copy(weight.data() + from * taps, weight.data() + (from + 1) * taps,
                        result.data() + (to * outputs + o) * taps);
    }
  return result;
}

std::optional<Tensor> evaluateShape(const Application &at) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(at.op)
      .Case([&](BroadcastOp op) -> Result { return broadcast(op, at); })
      .Case([&](ReshapeOp) -> Result { return Tensor(at.shape, at.operand(0).values); })
      .Case([&](TransposeOp op) -> Result { return transpose(op, at); })
      .Case([&](SliceOp op) -> Result { return slice(op, at); })
      .Case([&](PadOp op) -> Result { return pad(op, at); })
      .Case([&](BatchSizeOp) -> Result { return Tensor(Shape{}, {double(at.operand(0).shape[0])}); })
      .Case([&](UnsliceOp op) -> Result { return unslice(op, at); })
      .Case([&](PadGradOp op) -> Result { return padGrad(op, at); })
      .Case([&](ConcatOp op) -> Result { return concat(op, at); })
      .Case([&](ExpandGroupsOp op) -> Result { return expandGroups(op, at); })
      .Case([&](FlipKernelsOp op) -> Result { return flipKernels(op, at); })
      .Default(Result());
}

} // namespace cnn::reference
