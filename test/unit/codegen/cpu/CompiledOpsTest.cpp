// Every operation, compiled, against the reference: random shapes in one network each family, on every instruction set
// of this machine, by one thread and by several, images alone and in a batch.
#include "test/unit/codegen/cpu/Compile.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace cnn;
using cnn::testing::Compiled;

namespace {

/// Builds the text of a network operation by operation.
class Network {
public:
  explicit Network(unsigned seed) : random(seed), b(UnknownLoc::get(&context), &context) {
    context.loadDialect<CnnDialect, func::FuncDialect>();
    module = ModuleOp::create(b.getLoc(), "network");
    b.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(b, "infer", b.getFunctionType({}, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
  }

  int64_t batch = ShapedType::kDynamic; ///< Of inputs made from now on.
  std::mt19937 random;
  MLIRContext context;
  ImplicitLocOpBuilder b;

  int64_t pick(int64_t from, int64_t to) { return from + static_cast<int64_t>(random() % (to - from + 1)); }
  bool flip() { return random() % 2; }

  Value input(ArrayRef<int64_t> image, Type element = {}) {
    SmallVector<int64_t> shape = {batch};
    llvm::append_range(shape, image);
    return inputOf(RankedTensorType::get(shape, element ? element : b.getF32Type()));
  }
  Value scalarInput() { return inputOf(RankedTensorType::get({}, b.getI64Type())); }

  Value inputOf(RankedTensorType type) {
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(
        index, type, b.getDictionaryAttr(b.getNamedAttr(kInputAttr, b.getStringAttr("x" + std::to_string(index)))),
        b.getLoc());
    return function.getArgument(index);
  }

  Value param(ArrayRef<int64_t> shape, StringRef kind = "p") {
    auto type = RankedTensorType::get(shape, b.getF32Type());
    std::string name = (kind + std::to_string(function.getNumArguments())).str();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module->getBody());
      ParamOp::create(b, name, type, InitAttr(), StringAttr());
    }
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(
        index, type, b.getDictionaryAttr(b.getNamedAttr(kStateAttr, FlatSymbolRefAttr::get(&context, name))),
        b.getLoc());
    return function.getArgument(index);
  }

  /// An operation of one result with a path of its own.
  template <typename Op, typename... Args> Value make(Args &&...args) {
    auto op = Op::create(b, std::forward<Args>(args)...);
    setPath(op, (op->getName().stripDialect() + std::to_string(paths++)).str());
    return op->getResult(0);
  }

  Value perChannel(Value vector, Value like) {
    SmallVector<int64_t> shape(cast<RankedTensorType>(like.getType()).getShape());
    shape[0] = ShapedType::isDynamic(shape[0]) ? -1 : shape[0];
    return make<BroadcastOp>(vector, ArrayRef<int64_t>{1}, ArrayRef<int64_t>(shape), StringAttr());
  }
  Value scalar(double value, Value like) {
    auto type = cast<RankedTensorType>(like.getType());
    Value constant = ConstantOp::create(
        b, DenseElementsAttr::get(RankedTensorType::get({}, type.getElementType()), static_cast<float>(value)));
    SmallVector<int64_t> shape(type.getShape());
    if (ShapedType::isDynamic(shape[0]))
      shape[0] = -1;
    return make<BroadcastOp>(constant, ArrayRef<int64_t>{}, ArrayRef<int64_t>(shape), StringAttr());
  }

  void output(Value value) { outputs.push_back(value); }

  std::string text() {
    SmallVector<Type> results;
    for (Value value : outputs)
      results.push_back(value.getType());
    func::ReturnOp::create(b, outputs);
    function.setType(b.getFunctionType(function.getFunctionType().getInputs(), results));
    for (size_t index = 0; index < outputs.size(); ++index)
      function.setResultAttr(index, kOutputAttr, b.getStringAttr("y" + std::to_string(index)));
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    return text;
  }

private:
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  SmallVector<Value> outputs;
  int paths = 0;
};

int64_t extentOf(Value value, int dim) { return cast<RankedTensorType>(value.getType()).getDimSize(dim); }

/// Compiles the network, compares every group with the reference, and the outputs' bits across threads and batches.
/// `algorithm`: one that some group must have.
void check(const std::string &text, const std::string &algorithm, bool placeMatters = false, int64_t batch = 5) {
  cnn::testing::CompileOptions options;
  options.isas = cnn::testing::hostIsas();
  options.keepBuffers = true;
  std::unique_ptr<Compiled> kept = Compiled::create(text, options);
  options.keepBuffers = false;
  std::unique_ptr<Compiled> shipped = Compiled::create(text, options);
  if (!kept || !shipped)
    return;
  EXPECT_TRUE(cnn::testing::hasAlgorithm(shipped->program(), algorithm)) << shipped->text();
  for (const std::string &isa : options.isas) {
    std::unique_ptr<Loaded> reference = kept->load(isa), loaded = shipped->load(isa);
    if (!reference || !loaded)
      return;
    std::vector<std::vector<char>> inputs = kept->randomInputs(batch, options.seed);
    kept->expectGroupsToMatch(*reference, batch, inputs);
    EXPECT_TRUE(kept->run(*reference, batch, 1, inputs) == shipped->run(*loaded, batch, 1, inputs))
        << isa << ": the shipped plan gives other bits than the one that keeps every buffer\n"
        << shipped->text();
    shipped->expectSameBits(*loaded, inputs, batch, placeMatters);
  }
}

class CompiledOps : public ::testing::TestWithParam<unsigned> {};

Value activation(Network &n, Value x) {
  switch (n.pick(0, 10)) {
  case 0:
    return n.make<ReluOp>(x, StringAttr());
  case 1:
    return n.make<TanhOp>(x, StringAttr());
  case 2:
    return n.make<SigmoidOp>(x, StringAttr());
  case 3:
    return n.make<ClampOp>(x, APFloat(0.25), APFloat(1.5), StringAttr());
  case 4:
    return n.make<AbsOp>(x, StringAttr());
  case 5:
    return n.make<NegOp>(x, StringAttr());
  case 6:
    return n.make<SoftplusOp>(x, StringAttr());
  case 7:
    return n.make<EluOp>(x, APFloat(0.5), StringAttr());
  case 8:
    return n.make<StepOp>(x, StringAttr());
  case 9:
    return n.make<StopGradientOp>(x, StringAttr());
  default:
    return x;
  }
}

TEST_P(CompiledOps, Convolutions) {
  Network n(GetParam());
  for (int layer = 0; layer < 4; ++layer) {
    int64_t groups = std::vector<int64_t>{1, 1, 2, 0}[layer];
    int64_t channels = n.flip() ? n.pick(1, 40) : 16 * n.pick(1, 3),
            outputs = n.flip() ? n.pick(1, 40) : 16 * n.pick(1, 3);
    if (groups == 0)
      groups = outputs = channels;
    channels = llvm::alignTo(channels, groups), outputs = llvm::alignTo(outputs, groups);
    int64_t height = n.pick(5, 13), width = n.pick(5, 13), kh = n.pick(1, 3), kw = n.pick(1, 3);
    Value x = n.input({channels, height, width}), w = n.param({outputs, channels / groups, kh, kw});
    Value bias = n.flip() ? n.param({outputs}) : Value();
    Value y = n.make<Conv2dOp>(x, w, bias, ArrayRef<int64_t>{n.pick(1, 2), n.pick(1, 2)},
                               ArrayRef<int64_t>{n.pick(0, 2), n.pick(0, 2), n.pick(0, 2), n.pick(0, 2)},
                               ArrayRef<int64_t>{n.pick(1, 2), n.pick(1, 2)}, groups, Precision::F32, StringAttr());
    if (n.flip())
      y = n.make<MulOp>(y, n.perChannel(n.param({outputs}), y), StringAttr());
    if (n.flip()) {
      Value residual = n.input({outputs, extentOf(y, 2), extentOf(y, 3)});
      y = n.make<AddOp>(y, residual, StringAttr());
    }
    n.output(activation(n, y));
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "direct");
}

// Vectors of pixels: narrow and wide rows, padding and strides between rows, several results, what is no whole vector.
TEST_P(CompiledOps, FirstConvolutionsWithFewOutputs) {
  Network n(GetParam());
  for (int layer = 0; layer < 3; ++layer) {
    int64_t channels = n.pick(1, 4), outputs = n.pick(1, 8), kernel = n.pick(3, 9), dilation = n.flip() ? 1 : 2;
    int64_t reach = (kernel - 1) * dilation;
    int64_t height = n.pick(reach + 1, reach + 12), width = layer == 0 ? 28 : n.pick(reach + 8, reach + 40);
    Value x = n.input({channels, height, width}), w = n.param({outputs, channels, kernel, kernel});
    Value bias = n.flip() ? n.param({outputs}) : Value();
    Value y =
        n.make<Conv2dOp>(x, w, bias, ArrayRef<int64_t>{n.pick(1, 3), 1},
                         ArrayRef<int64_t>{n.pick(0, reach), n.pick(0, reach), n.pick(0, reach), n.pick(0, reach)},
                         ArrayRef<int64_t>{dilation, dilation}, 1, Precision::F32, StringAttr());
    if (n.flip())
      y = n.make<MulOp>(y, n.perChannel(n.param({outputs}), y), StringAttr());
    if (n.flip())
      n.output(y);
    n.output(activation(n, y));
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "rows");
}

TEST_P(CompiledOps, Winograd) {
  Network n(GetParam());
  for (int layer = 0; layer < 2; ++layer) {
    int64_t channels = n.pick(5, 40), outputs = n.pick(1, 40);
    Value x = n.input({channels, n.pick(4, 15), n.pick(4, 15)}), w = n.param({outputs, channels, 3, 3});
    Value y = n.make<Conv2dOp>(x, w, n.param({outputs}), ArrayRef<int64_t>{1, 1},
                               ArrayRef<int64_t>{n.pick(0, 1), n.pick(0, 1), n.pick(0, 1), n.pick(0, 1)},
                               ArrayRef<int64_t>{1, 1}, 1, Precision::F32, StringAttr());
    if (cnn::testing::takesAlgorithm("winograd"))
      y.getDefiningOp()->setAttr("cnn.schedule",
                                 n.b.getDictionaryAttr(n.b.getNamedAttr("algorithm", n.b.getStringAttr("winograd"))));
    n.output(activation(n, y));
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "winograd");
}

TEST_P(CompiledOps, Dense) {
  Network n(GetParam());
  for (int layer = 0; layer < 4; ++layer) {
    int64_t inputs = n.flip() ? n.pick(1, 70) : n.pick(64, 500), outputs = n.pick(1, 100);
    Value x = n.input({inputs}), w = n.param({outputs, inputs});
    Value y = n.make<DenseOp>(x, w, n.flip() ? n.param({outputs}) : Value(), Precision::F32, StringAttr());
    if (n.flip())
      y = n.make<AddOp>(y, n.input({outputs}), StringAttr());
    y = activation(n, y);
    n.output(n.flip() ? n.make<SoftmaxOp>(y, int64_t(1), StringAttr()) : y);
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "direct");
}

TEST_P(CompiledOps, Pools) {
  Network n(GetParam());
  for (int layer = 0; layer < 6; ++layer) {
    Value x = n.input({n.pick(1, 40), n.pick(5, 20), n.pick(5, 20)});
    // Something in front, so that the pool reads what a kernel wrote.
    x = n.make<ReluOp>(x, StringAttr());
    int64_t kh = n.pick(1, 4), kw = n.pick(1, 4);
    if (layer == 5)
      kh = extentOf(x, 2), kw = extentOf(x, 3);
    auto pad = [&](int64_t kernel) { return layer == 5 ? 0 : n.pick(0, kernel - 1); };
    SmallVector<int64_t> kernel = {kh, kw}, strides = {n.pick(1, 3), n.pick(1, 3)},
                         padding = {pad(kh), pad(kh), pad(kw), pad(kw)};
    Value y = layer % 2 ? n.make<AvgPoolOp>(x, kernel, strides, padding, n.flip(), n.flip(), StringAttr())
                        : n.make<MaxPoolOp>(x, kernel, strides, padding, n.flip(), n.flip(), StringAttr());
    n.output(activation(n, y));
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "vector");
}

TEST_P(CompiledOps, Resizes) {
  Network n(GetParam());
  for (int layer = 0; layer < 4; ++layer) {
    Value x = n.make<ReluOp>(n.input({n.pick(1, 40), n.pick(1, 12), n.pick(1, 12)}), StringAttr());
    // In blocks of channels, or as the input comes.
    if (layer > 1)
      x = n.make<MaxPoolOp>(x, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{0, 0, 0, 0}, false,
                            false, StringAttr());
    ResizeMode mode = layer % 2 ? ResizeMode::Bilinear : ResizeMode::Nearest;
    Value y = n.make<ResizeOp>(x, ArrayRef<int64_t>{n.pick(1, 24), n.pick(1, 24)}, mode,
                               mode == ResizeMode::Bilinear && n.flip(), StringAttr());
    n.output(activation(n, y));
  }
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "vector");
}

TEST_P(CompiledOps, Elementwise) {
  Network n(GetParam());
  int64_t channels = n.pick(1, 40);
  Value x = n.input({channels, n.pick(1, 9), n.pick(1, 9)});
  // Blocks of channels, by way of a convolution.
  Value y = n.make<Conv2dOp>(x, n.param({channels, channels, 1, 1}), Value(), ArrayRef<int64_t>{1, 1},
                             ArrayRef<int64_t>{0, 0, 0, 0}, ArrayRef<int64_t>{1, 1}, 1, Precision::F32, StringAttr());
  Value blocked = n.make<MaxPoolOp>(y, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{0, 0, 0, 0},
                                    false, false, StringAttr());
  blocked = n.make<SoftmaxOp>(blocked, int64_t(1), StringAttr());
  for (Value value : {x, y, blocked, n.input({n.pick(1, 50)}), n.input({n.pick(1, 9), 3, 2, 2})}) {
    Value positive = n.make<AddOp>(n.make<AbsOp>(value, StringAttr()), n.scalar(0.5, value), StringAttr());
    Value logs = n.make<LogOp>(positive, StringAttr()), roots = n.make<SqrtOp>(positive, StringAttr());
    Value scaled = n.make<MulOp>(logs, n.perChannel(n.param({extentOf(value, 1)}), value), StringAttr());
    n.output(n.make<SubOp>(scaled, n.make<DivOp>(value, positive, StringAttr()), StringAttr()));
    n.output(n.make<MaxOp>(n.make<ExpOp>(n.make<MinOp>(value, roots, StringAttr()), StringAttr()),
                           n.scalar(-1.25, value), StringAttr()));
    n.output(activation(n, activation(n, value)));
  }
  Value bytes = n.input({3, n.pick(1, 9), n.pick(1, 9)}, n.b.getIntegerType(8, /*isSigned=*/false));
  Value floats = n.make<ConvertOp>(bytes, n.b.getF32Type(), StringAttr());
  n.output(n.make<SubOp>(floats, n.perChannel(n.param({3}), floats), StringAttr()));
  n.output(n.make<ConvertOp>(n.make<MulOp>(x, n.scalar(100.0, x), StringAttr()), n.b.getIntegerType(8, false),
                             StringAttr()));
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "vector");
}

TEST_P(CompiledOps, Shapes) {
  Network n(GetParam());
  int64_t c = n.pick(1, 20), h = n.pick(3, 8), w = n.pick(3, 8);
  Value x = n.input({c, h, w}), r = n.make<ReluOp>(n.input({c, h, w}), StringAttr());
  n.output(n.make<TransposeOp>(x, ArrayRef<int64_t>{0, 2, 3, 1}, StringAttr()));
  n.output(n.make<SliceOp>(r, ArrayRef<int64_t>{0, 0, 1, 0}, ArrayRef<int64_t>{-1, c, (h - 1 + 1) / 2, w},
                           ArrayRef<int64_t>{1, 1, 2, 1}, StringAttr()));
  n.output(n.make<PadOp>(x, ArrayRef<int64_t>{0, 1, 2, 0}, ArrayRef<int64_t>{0, 0, 1, 2}, PadMode::Constant,
                         APFloat(0.5), StringAttr()));
  Value mirrored = n.make<PadOp>(x, ArrayRef<int64_t>{0, 0, 2, 1}, ArrayRef<int64_t>{0, 0, 1, 2}, PadMode::Reflect,
                                 APFloat(0.0), StringAttr());
  n.output(n.make<ReluOp>(mirrored, StringAttr()));
  n.output(n.make<ReshapeOp>(r, ArrayRef<int64_t>{-1, c * h * w}, StringAttr()));
  n.output(n.make<ReshapeOp>(n.make<ReshapeOp>(x, ArrayRef<int64_t>{-1, w, c * h}, StringAttr()),
                             ArrayRef<int64_t>{-1, h, w, c}, StringAttr()));
  n.output(n.make<ReduceOp>(x, ReduceKind::Mean, ArrayRef<int64_t>{2, 3}, StringAttr()));
  n.output(n.make<ReduceOp>(r, ReduceKind::Max, ArrayRef<int64_t>{1}, StringAttr()));
  n.output(n.make<ReduceOp>(x, ReduceKind::Min, ArrayRef<int64_t>{1, 3}, StringAttr()));
  n.output(
      n.make<TanhOp>(n.make<ReduceOp>(x, ReduceKind::Sum, ArrayRef<int64_t>{1, 2, 3}, StringAttr()), StringAttr()));
  n.output(n.make<SoftmaxOp>(x, n.pick(1, 3), StringAttr()));
  n.output(n.make<MatmulOp>(n.input({c}), n.param({h, c}), false, true, Precision::F32, StringAttr()));
  n.output(n.make<BroadcastOp>(n.make<ReduceOp>(x, ReduceKind::Sum, ArrayRef<int64_t>{2, 3}, StringAttr()),
                               ArrayRef<int64_t>{0, 1}, ArrayRef<int64_t>{-1, c, 2, 3}, StringAttr()));
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "scalar");
}

TEST_P(CompiledOps, RandomNumbers) {
  Network n(GetParam());
  Value x = n.input({n.pick(1, 9)}), seed = n.scalarInput(), step = n.scalarInput();
  Value y = n.make<RandomUniformOp>(seed, step, x, ArrayRef<int64_t>{-1, n.pick(1, 9), 3}, APFloat(-1.0), APFloat(2.0),
                                    StringAttr());
  n.output(y);
  n.output(n.make<NegOp>(y, StringAttr()));
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  // An image's draws depend on its place in the batch.
  check(n.text(), "vector", /*placeMatters=*/true);
}

TEST_P(CompiledOps, FixedBatch) {
  Network n(GetParam());
  n.batch = n.pick(2, 4);
  Value x = n.input({5, 6, 7});
  Value y = n.make<Conv2dOp>(x, n.param({20, 5, 3, 3}), n.param({20}), ArrayRef<int64_t>{1, 1},
                             ArrayRef<int64_t>{1, 1, 1, 1}, ArrayRef<int64_t>{1, 1}, 1, Precision::F32, StringAttr());
  y = n.make<AvgPoolOp>(n.make<ReluOp>(y, StringAttr()), ArrayRef<int64_t>{2, 2}, ArrayRef<int64_t>{2, 2},
                        ArrayRef<int64_t>{0, 0, 0, 0}, false, false, StringAttr());
  n.output(n.make<TransposeOp>(y, ArrayRef<int64_t>{0, 3, 1, 2}, StringAttr()));
  y = n.make<ReshapeOp>(y, ArrayRef<int64_t>{n.batch, 20 * 3 * 3}, StringAttr());
  n.output(n.make<DenseOp>(y, n.param({7, 180}), Value(), Precision::F32, StringAttr()));
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "direct", /*placeMatters=*/true, n.batch);
}

TEST_P(CompiledOps, Concatenations) {
  Network n(GetParam());
  auto conv = [&](Value x, int64_t outputs) {
    return n.make<Conv2dOp>(x, n.param({outputs, extentOf(x, 1), 1, 1}), Value(), ArrayRef<int64_t>{1, 1},
                            ArrayRef<int64_t>{0, 0, 0, 0}, ArrayRef<int64_t>{1, 1}, 1, Precision::F32, StringAttr());
  };
  Value x = n.input({n.pick(5, 20), 4, 5});
  for (int64_t first : {int64_t(16), int64_t(32), n.pick(1, 30)}) {
    Value a = n.make<ReluOp>(conv(x, first), StringAttr()), b = conv(x, n.pick(1, 40));
    Value joined = n.make<ConcatOp>(ValueRange{a, b}, int64_t(1), StringAttr());
    n.output(conv(joined, 8));
    if (n.flip())
      n.output(n.make<ConcatOp>(ValueRange{joined, a, a}, int64_t(1), StringAttr()));
  }
  n.output(n.make<ConcatOp>(ValueRange{x, x}, n.pick(1, 3), StringAttr()));
  n.output(n.make<ConcatOp>(ValueRange{n.input({3}), n.make<ReluOp>(n.input({20}), StringAttr())}, int64_t(1),
                            StringAttr()));
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  check(n.text(), "vector");
}

INSTANTIATE_TEST_SUITE_P(Seeds, CompiledOps, ::testing::Values(1u, 2u));

} // namespace
