// Error bounds: one rule an operation, beside its value.
#include "ir/reference/Bounds.h"
#include "ir/Resize.h"
#include "ir/Winograd.h"
#include "ir/reference/Resampling.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace cnn::reference {

static constexpr double kSmallestNormal = 0x1p-126, kFunctionUlps = 8, kWinogradRoundings = 24;

/// c(n) of the header.
static double roundings(double n) { return std::min(n, 8 * std::sqrt(n)) + 2; }

namespace {
/// By how much a number below the smallest normal f16 is off.
constexpr double kSmallestF16 = 0x1p-25;

/// The rules for one operation. A null bound means exact.
class Rules {
public:
  Rules(Operation *op, ArrayRef<Bounded> operands, TensorRef value, const EvaluateOptions &options, double epsilon)
      : op(op), operands(operands), value(std::move(value)), options(options), epsilon(epsilon) {}

  FailureOr<TensorRef> bound();

private:
  double x(unsigned operand, int64_t i) const { return std::fabs(operands[operand].value->values[i]); }
  double error(unsigned operand, int64_t i) const {
    return operands[operand].bound ? operands[operand].bound->values[i] : 0;
  }
  double rounding(double magnitude) const { return epsilon * magnitude + kSmallestNormal; }
  bool exactOperands() const {
    return llvm::none_of(operands, [](const Bounded &operand) { return operand.bound; });
  }

  /// The bound of element i is fn(i).
  template <typename Fn> TensorRef each(Fn fn) const {
    Tensor result(value->shape);
    for (int64_t i = 0; i < result.elements(); ++i)
      result.values[i] = fn(i);
    return share(std::move(result));
  }
  /// As each(), with the rounding of the result added to what operands bring.
  template <typename Fn> TensorRef rounded(Fn fn) const {
    return each([&](int64_t i) {
      double carried = fn(i);
      return carried + rounding(std::fabs(value->values[i]) + carried);
    });
  }

  FailureOr<TensorRef> apply(ArrayRef<TensorRef> tensors) const;
  FailureOr<TensorRef> moved() const;
  FailureOr<TensorRef> sumOfProducts(double length) const;
  TensorRef largestError() const;
  template <typename Op> FailureOr<TensorRef> atLargest(Op pool) const;
  TensorRef converted(Type elementType) const;
  FailureOr<TensorRef> batchNorm(BatchNormOp norm) const;
  TensorRef softmax(int64_t axis) const;
  TensorRef winograd(WinogradConv2dOp conv) const;
  TensorRef winogradWeights() const;
  TensorRef warp(WarpOp warpOp) const;

  Operation *op;
  ArrayRef<Bounded> operands;
  TensorRef value;
  const EvaluateOptions &options;
  double epsilon;
};
} // namespace

/// The operation's value for other tensors.
FailureOr<TensorRef> Rules::apply(ArrayRef<TensorRef> tensors) const {
  EvaluateOptions quiet = options;
  quiet.after = nullptr;
  FailureOr<SmallVector<TensorRef>> results = evaluate(op, tensors, quiet);
  return failed(results) ? FailureOr<TensorRef>(failure()) : (*results)[0];
}

/// What an operation that moves elements does to their errors. Elements from elsewhere (a border) are exact.
FailureOr<TensorRef> Rules::moved() const {
  if (exactOperands())
    return TensorRef();
  SmallVector<TensorRef> errors, zeros;
  for (const Bounded &operand : operands) {
    zeros.push_back(share(Tensor(operand.value->shape)));
    errors.push_back(operand.bound ? operand.bound : zeros.back());
  }
  FailureOr<TensorRef> result = apply(errors), border = apply(zeros);
  if (failed(result) || failed(border))
    return failure();
  return each([&](int64_t i) { return (*result)->values[i] - (*border)->values[i]; });
}

/// The unit roundoff of factors; that of f32 is a part of the sums' bound.
static double unitOf(Precision precision) {
  switch (precision) {
  case Precision::F32:
    return 0;
  case Precision::TF32:
  case Precision::F16:
    return 0x1p-11;
  case Precision::BF16:
    return 0x1p-8;
  }
  return 0;
}

/// For sums of `length` products of operands, which the operation itself computes from magnitudes.
FailureOr<TensorRef> Rules::sumOfProducts(double length) const {
  SmallVector<TensorRef> magnitudes, largest;
  for (auto [k, operand] : llvm::enumerate(operands)) {
    Tensor magnitude = *operand.value, upper = *operand.value;
    for (int64_t i = 0; i < magnitude.elements(); ++i) {
      magnitude.values[i] = x(k, i);
      upper.values[i] = x(k, i) + error(k, i);
    }
    magnitudes.push_back(share(std::move(magnitude)));
    largest.push_back(share(std::move(upper)));
  }
  FailureOr<TensorRef> sum = apply(magnitudes), upper = exactOperands() ? sum : apply(largest);
  if (failed(sum) || failed(upper))
    return failure();
  // Both factors are rounded to the precision that they are multiplied in.
  double unit = 0, smallest = kSmallestNormal;
  if (auto precision = op->getAttrOfType<PrecisionAttr>("precision")) {
    unit = unitOf(precision.getValue());
    if (precision.getValue() == Precision::F16) {
      double most = 0;
      for (const TensorRef &operand : largest)
        for (double value : operand->values)
          most = std::max(most, value);
      smallest += 2 * kSmallestF16 * most;
    }
  }
  return each([&](int64_t i) {
    return (*upper)->values[i] - (*sum)->values[i] +
           (roundings(length) * epsilon + 2 * unit + unit * unit) * (*upper)->values[i] + length * smallest;
  });
}

/// The largest error of the operand, for every element.
TensorRef Rules::largestError() const {
  if (exactOperands())
    return {};
  double largest = 0;
  for (double error : operands[0].bound->values)
    largest = std::max(largest, error);
  return each([&](int64_t) { return largest; });
}

/// Sums of the values that meet in one place; where the largest element lies must be known.
template <typename Op> FailureOr<TensorRef> Rules::atLargest(Op pool) const {
  if (operands[0].bound)
    return pool.emitError() << "there is no error bound for '" << op->getName() << "' of a computed input";
  Tensor magnitude = *operands[1].value, error = *operands[1].value;
  for (int64_t i = 0; i < magnitude.elements(); ++i) {
    magnitude.values[i] = x(1, i);
    error.values[i] = this->error(1, i);
  }
  FailureOr<TensorRef> sum = apply({operands[0].value, share(std::move(magnitude))});
  FailureOr<TensorRef> carried = apply({operands[0].value, share(std::move(error))});
  if (failed(sum) || failed(carried))
    return failure();
  double length = double(pool.getKernel()[0] * pool.getKernel()[1]);
  return each(
      [&](int64_t i) { return (*carried)->values[i] + length * rounding((*sum)->values[i] + (*carried)->values[i]); });
}

TensorRef Rules::converted(Type elementType) const {
  if (exactOperands())
    return {};
  auto type = dyn_cast<FloatType>(elementType);
  // Both roundings may go in opposite directions.
  double unit = type ? std::ldexp(1.0, -int(APFloat::semanticsPrecision(type.getFloatSemantics()))) : 0;
  return each([&](int64_t i) {
    double carried = error(0, i);
    return carried == 0 ? 0 : type ? carried + 2 * unit * (std::fabs(value->values[i]) + carried) : carried + 1;
  });
}

/// x * a + b with a = scale / sqrt(variance + epsilon) and b = offset - mean * a, each rounded, or as the formula has
/// it.
FailureOr<TensorRef> Rules::batchNorm(BatchNormOp norm) const {
  for (const Bounded &operand : operands.drop_front())
    if (operand.bound)
      return norm.emitError() << "there is no error bound for batch norm with computed statistics";
  int64_t channels = value->shape[1], inner = elementCount(ArrayRef(value->shape).drop_front(2));
  return each([&](int64_t i) {
    int64_t c = i / inner % channels;
    double slope = x(1, c) / std::sqrt(operands[4].value->values[c] + norm.getEpsilon().convertToDouble());
    double carried = slope * error(0, i);
    return carried + 5 * rounding(slope * (x(0, i) + error(0, i) + x(3, c)) + x(2, c));
  });
}

/// With the argument of each exponential wrong by d, a numerator is wrong by the factor e^d, and so is the sum at most.
TensorRef Rules::softmax(int64_t axis) const {
  Tensor result(value->shape);
  int64_t extent = value->shape[axis], inner = elementCount(ArrayRef(value->shape).drop_front(axis + 1));
  for (int64_t row = 0; extent && row < result.elements() / extent; ++row) {
    int64_t first = row / inner * extent * inner + row % inner;
    const std::vector<double> &values = operands[0].value->values;
    double largest = -std::numeric_limits<double>::infinity(), wrong = 0;
    for (int64_t i = 0; i < extent; ++i)
      largest = std::max(largest, values[first + i * inner]);
    auto factor = [&](int64_t i) {
      double argument = largest - values[first + i * inner];
      return std::expm1(error(0, first + i * inner) + epsilon * argument) + kFunctionUlps * epsilon;
    };
    // A term far below the largest adds no more than its size to the sum's error.
    for (int64_t i = 0; i < extent; ++i)
      wrong += value->values[first + i * inner] * factor(i);
    wrong += roundings(double(extent)) * epsilon;
    for (int64_t i = 0; i < extent; ++i) {
      int64_t at = first + i * inner;
      result.values[at] =
          wrong < 1 ? value->values[at] * ((1 + factor(i)) * (1 + 2 * epsilon) / (1 - wrong) - 1) + kSmallestNormal : 1;
    }
  }
  return share(std::move(result));
}

/// The weights' errors and roundings go through |G| as the weights do through G.
TensorRef Rules::winogradWeights() const {
  using namespace cnn::winograd;
  constexpr double kTransformRoundings = 8;
  int64_t kernels = value->shape[2] * value->shape[3];
  return each([&](int64_t i) {
    int64_t p = i / kernels / kTile, q = i / kernels % kTile, kernel = i % kernels;
    double sum = kSmallestNormal;
    for (int64_t tap = 0; tap < kKernel * kKernel; ++tap) {
      int64_t at = kernel * kKernel * kKernel + tap;
      double wrong = kTransformRoundings * epsilon * (x(0, at) + error(0, at)) + error(0, at);
      sum += std::fabs(G[p][tap / kKernel]) * std::fabs(G[q][tap % kKernel]) * wrong;
    }
    return sum;
  });
}

TensorRef Rules::winograd(WinogradConv2dOp conv) const {
  using namespace cnn::winograd;
  const Tensor &input = *operands[0].value, &u = *operands[1].value;
  int64_t channels = input.shape[1], h = input.shape[2], w = input.shape[3];
  int64_t top = conv.getPadding()[0], left = conv.getPadding()[2];
  int64_t outputs = value->shape[1], rows = value->shape[2], columns = value->shape[3];
  int64_t tileRows = llvm::divideCeil(rows, kOutput), tileColumns = llvm::divideCeil(columns, kOutput);
  double rowSums[kTile] = {};
  for (int p = 0; p < kTile; ++p)
    for (double entry : Bt[p])
      rowSums[p] += std::fabs(entry);
  double roundoff = (roundings(double(channels)) + kWinogradRoundings) * epsilon;

  Tensor result(value->shape);
  parallelFor(value->shape[0] * tileRows * tileColumns, options.threads, [&](int64_t tile) {
    int64_t n = tile / (tileRows * tileColumns);
    int64_t row = tile / tileColumns % tileRows * kOutput, column = tile % tileColumns * kOutput;
    // The rounding of the largest |x| of the tile in each channel, and what its error brings.
    std::vector<double> wrong(channels, 0);
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t y = std::max<int64_t>(row - top, 0); y < std::min(row - top + kTile, h); ++y)
        for (int64_t z = std::max<int64_t>(column - left, 0); z < std::min(column - left + kTile, w); ++z) {
          int64_t at = ((n * channels + c) * h + y) * w + z;
          wrong[c] = std::max(wrong[c], roundoff * (x(0, at) + error(0, at)) + error(0, at));
        }
    for (int64_t o = 0; o < outputs; ++o) {
      double sums[kTile][kTile];
      for (int p = 0; p < kTile * kTile; ++p) {
        const double *weights = u.data() + (p * outputs + o) * channels;
        double sum = 0;
        for (int64_t c = 0; c < channels; ++c)
          sum += std::fabs(weights[c]) * wrong[c];
        sums[p / kTile][p % kTile] = sum * rowSums[p / kTile] * rowSums[p % kTile];
      }
      double bias = conv.getBias() ? 2 * rounding(x(2, o)) + error(2, o) : 0;
      for (int64_t i = 0; i < std::min<int64_t>(kOutput, rows - row); ++i)
        for (int64_t j = 0; j < std::min<int64_t>(kOutput, columns - column); ++j) {
          double sum = bias + double(channels) * kTile * kTile * kSmallestNormal;
          for (int p = 0; p < kTile; ++p)
            for (int q = 0; q < kTile; ++q)
              sum += std::fabs(A[p][i]) * std::fabs(A[q][j]) * sums[p][q];
          result.values[((n * outputs + o) * rows + row + i) * columns + column + j] = sum;
        }
    }
  });
  return share(std::move(result));
}

/// A place that is wrong by d is wrong by d in the image, whatever the border. Between pixels the value changes by
/// their difference at most; the nearest pixel may be any one that the place comes near to.
TensorRef Rules::warp(WarpOp warpOp) const {
  constexpr double kPlaceRoundings = 8;
  const Tensor &image = *operands[0].value;
  int64_t channels = image.shape[1], w = value->shape[3], plane = value->shape[2] * w;
  WarpAxis axes[2] = {{image.shape[2], warpOp.getBorder()}, {image.shape[3], warpOp.getBorder()}};
  bool nearest = warpOp.getFilter() == WarpFilter::Nearest;
  Tensor result(value->shape);
  const Tensor *displacement = operands.size() > 2 ? operands[2].value.get() : nullptr;
  forEachPlace(
      value->shape, *operands[1].value, displacement, [&](int64_t n, int64_t y, int64_t z, double v, double u) {
        // The settled place of each axis, how far it may be off, and the pixels that it may be mixed from.
        double places[2] = {axes[0].settle(v), axes[1].settle(u)}, wrong[2];
        int64_t first[2], last[2];
        for (int axis = 0; axis < 2; ++axis) {
          int64_t m = (n * 2 + axis) * 3, d = ((n * 2 + axis) * value->shape[2] + y) * w + z;
          double size = x(1, m) * double(y) + x(1, m + 1) * double(z) + x(1, m + 2) + double(axes[axis].extent);
          double carried = error(1, m) * double(y) + error(1, m + 1) * double(z) + error(1, m + 2);
          if (displacement) {
            size += x(2, d);
            carried += error(2, d);
          }
          wrong[axis] = carried + kPlaceRoundings * rounding(size + carried);
          double limit = double(axes[axis].extent) + 1, shift = nearest ? 0.5 : 0;
          first[axis] = int64_t(std::floor(std::max(places[axis] - wrong[axis], -2.0) + shift));
          last[axis] = int64_t(std::floor(std::min(places[axis] + wrong[axis], limit) + shift)) + (nearest ? 0 : 1);
        }
        for (int64_t c = 0; c < channels; ++c) {
          int64_t base = (n * channels + c) * axes[0].extent * axes[1].extent;
          double low = std::numeric_limits<double>::infinity(), high = -low, carried = 0;
          for (int64_t row = first[0]; row <= last[0]; ++row)
            for (int64_t column = first[1]; column <= last[1]; ++column) {
              std::optional<int64_t> i = axes[0].pixel(row), j = axes[1].pixel(column);
              int64_t at = i && j ? base + *i * axes[1].extent + *j : -1;
              double pixel = at < 0 ? 0 : image.values[at];
              low = std::min(low, pixel);
              high = std::max(high, pixel);
              carried = std::max(carried, at < 0 ? 0 : error(0, at));
            }
          double moved = nearest ? high - low : std::min((wrong[0] + wrong[1]) * (high - low), high - low);
          double mixed = nearest ? 0 : 8 * rounding(std::max(std::fabs(low), std::fabs(high)) + carried);
          result.values[(n * channels + c) * plane + y * w + z] = carried + moved + mixed;
        }
      });
  return share(std::move(result));
}

FailureOr<TensorRef> Rules::bound() {
  using Result = FailureOr<TensorRef>;
  auto function = [&](auto derivative) -> Result {
    return each([&](int64_t i) {
      double carried = derivative(i), v = std::fabs(value->values[i]);
      return carried + kFunctionUlps * rounding(v + carried);
    });
  };
  double infinity = std::numeric_limits<double>::infinity();
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<ReluOp, ClampOp, AbsOp, NegOp, StopGradientOp>([&](auto) -> Result { return operands[0].bound; })
      .Case<BroadcastOp, ReshapeOp, TransposeOp, SliceOp, UnsliceOp, PadOp, ConcatOp, ExpandGroupsOp, FlipKernelsOp,
            MaxPoolOp>([&](auto) { return moved(); })
      .Case<ConstantOp, BatchSizeOp>([&](auto) -> Result { return TensorRef(); })
      .Case<RelayoutOp>([&](auto) -> Result { return operands[0].bound; })
      .Case<MaxOp, MinOp>([&](auto) -> Result {
        return exactOperands() ? TensorRef() : each([&](int64_t i) { return std::max(error(0, i), error(1, i)); });
      })
      .Case<AddOp, SubOp>([&](auto) -> Result { return rounded([&](int64_t i) { return error(0, i) + error(1, i); }); })
      .Case([&](MulOp) -> Result {
        return rounded([&](int64_t i) { return x(0, i) * error(1, i) + (x(1, i) + error(1, i)) * error(0, i); });
      })
      .Case([&](DivOp) -> Result {
        return rounded([&](int64_t i) {
          double nearest = x(1, i) - error(1, i), quotient = std::fabs(value->values[i]);
          if (error(0, i) == 0 && error(1, i) == 0)
            return 0.0;
          return nearest > 0 ? (error(0, i) + quotient * error(1, i)) / nearest : infinity;
        });
      })
      .Case([&](SqrtOp) -> Result {
        return rounded([&](int64_t i) {
          double carried = error(0, i);
          return carried == 0 ? 0 : std::min(std::sqrt(carried), carried / value->values[i]);
        });
      })
      .Case([&](TanhOp) { return function([&](int64_t i) { return error(0, i); }); })
      .Case([&](SigmoidOp) { return function([&](int64_t i) { return error(0, i) / 4; }); })
      // The logarithm of 1 + u and the difference e - 1 are rounded as what is near 1.
      .Case([&](SoftplusOp) -> Result {
        return each(
            [&](int64_t i) { return error(0, i) + kFunctionUlps * rounding(value->values[i] + 1 + error(0, i)); });
      })
      .Case([&](EluOp op) -> Result {
        double alpha = std::fabs(op.getAlpha().convertToDouble()), slope = std::max(1.0, alpha);
        return each([&](int64_t i) {
          double carried = slope * error(0, i);
          return carried + kFunctionUlps * rounding(std::fabs(value->values[i]) + alpha + carried);
        });
      })
      .Case([&](StepOp) -> Result {
        return exactOperands() ? TensorRef() : each([&](int64_t i) { return x(0, i) > error(0, i) ? 0.0 : 1.0; });
      })
      .Case([&](ExpOp) { return function([&](int64_t i) { return value->values[i] * std::expm1(error(0, i)); }); })
      .Case([&](LogOp) {
        return function([&](int64_t i) {
          double carried = error(0, i), nearest = x(0, i) - carried;
          return carried == 0 ? 0 : nearest > 0 ? carried / nearest : infinity;
        });
      })
      .Case([&](ConvertOp convert) -> Result { return converted(convert.getTo()); })
      .Case([&](Conv2dOp) {
        return sumOfProducts(double(elementCount(ArrayRef(operands[1].value->shape).drop_front())));
      })
      .Case([&](WinogradConv2dOp conv) -> Result { return winograd(conv); })
      .Case([&](WinogradWeightsOp) -> Result { return winogradWeights(); })
      .Case([&](Conv2dTransposeOp) {
        const Shape &weight = operands[1].value->shape;
        return sumOfProducts(double(weight[0] * weight[2] * weight[3]));
      })
      .Case([&](Conv2dWeightGradOp) {
        const Shape &gradient = operands[1].value->shape;
        return sumOfProducts(double(gradient[0] * gradient[2] * gradient[3]));
      })
      .Case<PadGradOp>([&](auto) { return sumOfProducts(std::pow(3.0, double(value->rank()))); })
      .Case([&](AvgPoolGradOp pool) { return sumOfProducts(double(pool.getKernel()[0] * pool.getKernel()[1])); })
      // Three roundings of each product of two weights and an element.
      .Case([&](ResizeOp) { return sumOfProducts(4 + 3); })
      .Case([&](ResizeGradOp op) {
        auto [rows, columns] = resizeAxes(op, value->shape, operands[0].value->shape);
        return sumOfProducts(double(rows.mostOutputs() * columns.mostOutputs() + 3));
      })
      .Case<MaxPoolGradOp, MaxPoolPickOp>([&](auto pool) { return atLargest(pool); })
      .Case([&](DenseOp) { return sumOfProducts(double(operands[1].value->shape[1])); })
      .Case([&](MatmulOp product) {
        return sumOfProducts(double(operands[0].value->shape[product.getTransposeLhs() ? 0 : 1]));
      })
      .Case([&](AvgPoolOp pool) { return sumOfProducts(double(pool.getKernel()[0] * pool.getKernel()[1])); })
      .Case([&](ReduceOp reduce) -> Result {
        if (reduce.getKind() == ReduceKind::Max || reduce.getKind() == ReduceKind::Min)
          return largestError();
        int64_t results = std::max<int64_t>(value->elements(), 1);
        return sumOfProducts(double(operands[0].value->elements()) / double(results));
      })
      .Case([&](BatchNormOp norm) { return batchNorm(norm); })
      .Case([&](SoftmaxOp softmaxOp) -> Result { return softmax(softmaxOp.getAxis()); })
      .Case([&](WarpOp warpOp) -> Result { return warp(warpOp); })
      .Case([&](RandomUniformOp random) -> Result {
        double low = random.getLow().convertToDouble(), high = random.getHigh().convertToDouble();
        return each([&](int64_t) { return 3 * rounding(std::max(std::fabs(low), std::fabs(high))); });
      })
      .Case([&](RandomNormalOp random) -> Result {
        // |q| < 6.4 for every word; the polynomials and the logarithm of the tails take a few roundings.
        double largest = std::fabs(random.getMean().convertToDouble()) + 6.4 * random.getDeviation().convertToDouble();
        return each([&](int64_t) { return kFunctionUlps * rounding(largest); });
      })
      .Default([&](Operation *) -> Result {
        return op->emitError() << "there is no error bound for '" << op->getName() << "'";
      });
}

static FailureOr<Bounded> evaluateBounded(Operation *op, ArrayRef<Bounded> operands, const EvaluateOptions &options,
                                          double epsilon) {
  SmallVector<TensorRef> values;
  for (const Bounded &operand : operands)
    values.push_back(operand.value);
  FailureOr<SmallVector<TensorRef>> results = evaluate(op, values, options);
  if (failed(results))
    return failure();
  FailureOr<TensorRef> bound = Rules(op, operands, (*results)[0], options, epsilon).bound();
  if (failed(bound))
    return failure();
  return Bounded{(*results)[0], *bound};
}

FailureOr<SmallVector<Bounded>> evaluateWithBounds(Operation *op, ArrayRef<TensorRef> operands,
                                                   const EvaluateOptions &options, double epsilon) {
  FailureOr<int64_t> batch = batchOf(op, op->getOperandTypes(), operands, options.batch);
  if (failed(batch))
    return failure();
  EvaluateOptions inner = options;
  inner.batch = *batch;
  SmallVector<Bounded> exact, results;
  for (const TensorRef &operand : operands)
    exact.push_back({operand, nullptr});

  if (auto group = dyn_cast<GroupOp>(op)) {
    DenseMap<Value, Bounded> values;
    for (auto [argument, operand] : llvm::zip(group.getBlock().getArguments(), exact))
      values[argument] = operand;
    auto lookup = [&](Value value) { return values.lookup(value); };
    for (Operation &each : group.getBlock().without_terminator()) {
      FailureOr<Bounded> result =
          evaluateBounded(&each, llvm::map_to_vector(each.getOperands(), lookup), inner, epsilon);
      if (failed(result))
        return failure();
      values[each.getResult(0)] = *result;
    }
    results = llvm::map_to_vector(group.getYield().getOperands(), lookup);
  } else {
    FailureOr<Bounded> result = evaluateBounded(op, exact, inner, epsilon);
    if (failed(result))
      return failure();
    results.push_back(*result);
  }
  for (Bounded &result : results)
    if (!result.bound)
      result.bound = share(Tensor(result.value->shape));
  return results;
}

/// The distance between f32 numbers of v's binade.
static double ulp(double v) {
  int exponent;
  std::frexp(v, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

Difference compare(const Tensor &computed, const Bounded &expected) {
  Difference difference;
  double largest = 0;
  for (int64_t i = 0; i < expected.value->elements(); ++i) {
    double a = computed.values[i], v = expected.value->values[i], bound = expected.bound->values[i];
    double error = std::fabs(a - v), ofBound = 0;
    // Past the largest f32 a value may be infinite already.
    bool overflows =
        std::isinf(a) && std::fabs(v) + bound > double(std::numeric_limits<float>::max()) && (a > 0) == (v > 0);
    if (std::isfinite(a) && std::isfinite(v)) {
      ofBound = error == 0 ? 0 : error / bound;
      largest = std::max(largest, std::fabs(v));
      difference.maxAbsolute = std::max(difference.maxAbsolute, error);
      difference.maxUlp = std::max(difference.maxUlp, error / ulp(v));
    } else if (!(std::isnan(a) && std::isnan(v)) && a != v && !overflows) {
      ofBound = std::numeric_limits<double>::infinity();
    }
    // A bound of NaN comes with a value that is no number either; one that is is not covered.
    if (std::isnan(ofBound))
      ofBound = std::numeric_limits<double>::infinity();
    if (difference.worst < 0 || ofBound > difference.maxOfBound) {
      difference.worst = i;
      difference.maxOfBound = ofBound;
    }
  }
  difference.maxRelative = largest > 0 ? difference.maxAbsolute / largest : difference.maxAbsolute;
  difference.passed = difference.maxOfBound <= 1;
  return difference;
}

} // namespace cnn::reference
