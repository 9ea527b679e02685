// Training steps, compiled: each group against the reference on the values that the compiled code had, the shipped plan
// against one that keeps every buffer, the same bits for any number of threads, and the state after some steps against
// the reference's.
#include "test/unit/codegen/cpu/Compile.h"

#include "ir/Compositions.h"
#include "ir/Losses.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "passes/Passes.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace mlir;
using namespace cnn;
using cnn::testing::Compiled;

namespace {

constexpr int64_t kBatch = 9; // Enough for two threads to take chains of steps.

/// Builds a module with @step.
class Step {
public:
  Step() : b(&context) {
    context.loadDialect<CnnDialect, func::FuncDialect>();
    module = ModuleOp::create(b.getUnknownLoc(), "network");
    b.setInsertionPointToEnd(module->getBody());
    function = func::FuncOp::create(b, b.getUnknownLoc(), kStepFunction, b.getFunctionType({}, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
  }

  Value input(ArrayRef<int64_t> image, Type element = {}) {
    SmallVector<int64_t> shape = {ShapedType::kDynamic};
    llvm::append_range(shape, image);
    return argument(kInputAttr, b.getStringAttr("x" + std::to_string(function.getNumArguments())),
                    RankedTensorType::get(shape, element ? element : b.getF32Type()));
  }
  Value hyper(StringRef name, Type element) {
    return argument(kHyperAttr, b.getStringAttr(name), RankedTensorType::get({}, element));
  }
  template <typename Declaration = ParamOp> Value state(StringRef name, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, b.getF32Type());
    OpBuilder declarations = OpBuilder::atBlockBegin(module->getBody());
    Declaration::create(declarations, b.getUnknownLoc(), name, type, InitAttr(), StringAttr());
    Value value = argument(kStateAttr, FlatSymbolRefAttr::get(&context, name), type);
    if (std::is_same_v<Declaration, ParamOp>)
      parameters.push_back({name.str(), value});
    return value;
  }
  TensorBuilder at(StringRef path) { return TensorBuilder(b, b.getUnknownLoc(), path); }

  Value conv(StringRef name, Value x, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
             int64_t groups = 1) {
    TensorBuilder t = at(name);
    int64_t channels = TensorBuilder::typeOf(x).getDimSize(1) / groups;
    return t.make<Conv2dOp>(
        {x, state((name + ".weight").str(), {outputs, channels, kernel, kernel}),
         state((name + ".bias").str(), {outputs})},
        {t.ints("strides", {stride, stride}), t.ints("padding", {pad, pad, pad, pad}), t.integer("groups", groups)});
  }
  Value dense(StringRef name, Value x, int64_t outputs) {
    return at(name).make<DenseOp>({x,
                                   state((name + ".weight").str(), {outputs, TensorBuilder::typeOf(x).getDimSize(1)}),
                                   state((name + ".bias").str(), {outputs})});
  }
  Value batchNorm(StringRef name, Value x) {
    TensorBuilder t = at(name);
    int64_t channels = TensorBuilder::typeOf(x).getDimSize(1);
    std::string mean = (name + ".mean").str(), variance = (name + ".variance").str();
    BatchNormTraining result =
        batchNormTraining(t, x, state((name + ".scale").str(), {channels}), state((name + ".offset").str(), {channels}),
                          state<StatisticOp>(mean, {channels}), state<StatisticOp>(variance, {channels}));
    results.push_back({kStateAttr, FlatSymbolRefAttr::get(&context, mean), result.mean});
    results.push_back({kStateAttr, FlatSymbolRefAttr::get(&context, variance), result.variance});
    return result.result;
  }
  void output(StringRef name, Value value) { results.push_back({kOutputAttr, b.getStringAttr(name), value}); }

  /// Minimizes the loss over all parameters made so far.
  void minimize(Value loss, OptimizerKind kind, double clipNorm = 0) {
    output("loss", loss);
    SmallVector<Value> values;
    SmallVector<Type> types;
    for (auto &[name, value] : parameters) {
      values.push_back(value);
      types.push_back(value.getType());
    }
    auto op = MinimizeOp::create(b, b.getUnknownLoc(), types, loss, values, hyper("rate", b.getF32Type()),
                                 OptimizerAttr::get(&context, kind, DictionaryAttr()), FloatAttr(),
                                 clipNorm > 0 ? b.getF64FloatAttr(clipNorm) : FloatAttr(), b.getStringAttr("opt"));
    for (auto [parameter, value] : llvm::zip(parameters, op.getUpdated()))
      results.push_back({kStateAttr, FlatSymbolRefAttr::get(&context, parameter.first), value});
  }

  std::string text() {
    SmallVector<Value> values;
    for (const Result &result : results)
      values.push_back(result.value);
    func::ReturnOp::create(b, b.getUnknownLoc(), values);
    function.setType(b.getFunctionType(function.getFunctionType().getInputs(), TypeRange(ValueRange(values))));
    for (auto [index, result] : llvm::enumerate(results))
      function.setResultAttr(index, result.attribute, result.tie);
    EXPECT_TRUE(succeeded(mlir::verify(*module)));
    std::string text;
    llvm::raw_string_ostream(text) << *module;
    return text;
  }

  MLIRContext context;
  OpBuilder b;

private:
  struct Result {
    StringRef attribute;
    Attribute tie;
    Value value;
  };

  Value argument(StringRef attribute, Attribute tie, RankedTensorType type) {
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, type, b.getDictionaryAttr(b.getNamedAttr(attribute, tie)), b.getUnknownLoc());
    return function.getArgument(index);
  }

  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  std::vector<std::pair<std::string, Value>> parameters;
  std::vector<Result> results;
};

Value maxPool(Step &s, Value x, int64_t kernel, int64_t stride) {
  TensorBuilder t = s.at("pool");
  return t.make<MaxPoolOp>(x, {t.ints("kernel", {kernel, kernel}), t.ints("strides", {stride, stride})});
}

Value flatten(Step &s, Value x) {
  int64_t elements = 1;
  for (int64_t extent : TensorBuilder::typeOf(x).getShape().drop_front())
    elements *= extent;
  return s.at("flatten").reshape(x, {-1, elements});
}

void writeScalar(std::vector<char> &bytes, const TensorInfo &info) {
  if (info.dtype == host::DType::F32) {
    float rate = 0.01f;
    std::memcpy(bytes.data(), &rate, sizeof rate);
  } else {
    int64_t number = 7;
    std::memcpy(bytes.data(), &number, sizeof number);
  }
}

/// Runs the step in all ways on every instruction set of this machine.
void check(const std::string &text) {
  cnn::testing::CompileOptions options;
  options.isas = cnn::testing::hostIsas();
  options.keepBuffers = true;
  std::unique_ptr<Compiled> kept = Compiled::create(text, options);
  options.keepBuffers = false;
  std::unique_ptr<Compiled> shipped = Compiled::create(text, options);
  ASSERT_TRUE(kept && shipped);
  std::vector<std::vector<char>> inputs = kept->randomInputs(kBatch, 3);
  for (auto [bytes, info] : llvm::zip(inputs, kept->program().inputs)) {
    if (!info.batched)
      writeScalar(bytes, info);
    else if (info.dtype == host::DType::I64) // Labels of three classes.
      for (size_t i = 0; i < bytes.size(); i += 8) {
        int64_t label = static_cast<unsigned char>(bytes[i]) % 3;
        std::memcpy(&bytes[i], &label, 8);
      }
  }
  for (const std::string &isa : options.isas) {
    std::unique_ptr<Loaded> reference = kept->load(isa), loaded = shipped->load(isa);
    ASSERT_TRUE(reference && loaded);
    kept->expectGroupsToMatch(*reference, kBatch, inputs);
    EXPECT_TRUE(kept->run(*reference, kBatch, 1, inputs) == shipped->run(*loaded, kBatch, 1, inputs)) << isa;
    EXPECT_TRUE(kept->state() == shipped->state()) << isa << ": the shipped plan leaves another state";
    shipped->expectSameBits(*loaded, inputs, kBatch, /*placeMatters=*/true);

    // Steps follow each other, and the loss of one batch falls.
    auto lossOf = [&](const std::vector<std::vector<char>> &outputs) {
      float loss = 0;
      for (auto [bytes, info] : llvm::zip(outputs, shipped->program().outputs))
        if (info.name == "loss")
          std::memcpy(&loss, bytes.data(), 4);
      return loss;
    };
    float before = lossOf(shipped->run(*loaded, kBatch, 2, inputs)), after = before;
    for (int step = 0; step < 30; ++step)
      after = lossOf(shipped->run(*loaded, kBatch, 2, inputs, {}, /*resetsState=*/false));
    EXPECT_LT(after, 0.9f * before) << isa;
  }
}

TEST(CompiledStep, AClassifierByAdam) {
  Step s;
  Value x = s.input({3, 9, 10}), label = s.input({}, s.b.getI64Type());
  x = s.at("r").relu(s.conv("c1", x, 20, 3, 1, 1));
  x = maxPool(s, x, 2, 2);
  x = s.at("r").relu(s.batchNorm("n", s.conv("c2", x, 18, 3, 1, 1)));
  x = s.dense("d2", s.at("r").relu(s.dense("d1", flatten(s, x), 33)), 3);
  TensorBuilder loss = s.at("loss");
  s.output("scores", x);
  s.minimize(crossEntropy(loss, x, oneHot(loss, label, 3, s.b.getF32Type())), OptimizerKind::Adam);
  check(s.text());
}

TEST(CompiledStep, AResidualNetworkByMomentum) {
  Step s;
  Value x = s.input({3, 12, 12}), label = s.input({}, s.b.getI64Type());
  x = s.at("r").relu(s.batchNorm("n0", s.conv("c0", x, 16, 3, 1, 1)));
  Value y = s.at("r").relu(s.batchNorm("n1", s.conv("c1", x, 32, 3, 2, 1)));
  y = s.batchNorm("n2", s.conv("c2", y, 32, 3, 1, 1));
  Value skip = s.batchNorm("n3", s.conv("c3", x, 32, 1, 2, 0));
  TensorBuilder t = s.at("sum");
  x = t.mean(t.relu(t.add(y, skip)), {2, 3});
  x = s.dense("d", x, 3);
  TensorBuilder loss = s.at("loss");
  Value total = crossEntropy(loss, x, oneHot(loss, label, 3, s.b.getF32Type()), 0.1);
  s.minimize(total, OptimizerKind::Momentum, /*clipNorm=*/1);
  check(s.text());
}

TEST(CompiledStep, ADecoderWithDropoutByRmsProp) {
  Step s;
  Value x = s.input({2, 8, 8});
  Value seed = s.hyper("seed", s.b.getI64Type()), step = s.hyper("step", s.b.getI64Type());
  Value code = s.at("e").make<EluOp>(s.conv("c", x, 21, 3, 2, 1));
  TensorBuilder t = s.at("drop");
  code = dropout(t, code, 0.25, seed, step);
  TensorBuilder up = s.at("up");
  Value y = up.make<Conv2dTransposeOp>(
      {code, s.state("up.weight", {21, 2, 4, 4}), s.state("up.bias", {2})},
      {up.ints("strides", {2, 2}), up.ints("padding", {1, 1, 1, 1}), up.ints("size", {8, 8})});
  TensorBuilder loss = s.at("loss");
  s.minimize(meanSquaredError(loss, y, x), OptimizerKind::RmsProp);
  check(s.text());
}

TEST(CompiledStep, GroupedConvolutionsAndPools) {
  Step s;
  Value x = s.input({4, 8, 8}), target = s.input({6});
  x = s.at("t").tanh(s.conv("c1", x, 8, 3, 1, 1, 4));
  TensorBuilder t = s.at("avg");
  x = t.make<AvgPoolOp>(x, {t.ints("kernel", {3, 3}), t.ints("strides", {2, 2}), t.ints("padding", {1, 1, 1, 1})});
  x = maxPool(s, s.at("s").sigmoid(s.conv("c2", x, 8, 3, 1, 1, 8)), 3, 1);
  x = s.dense("d", flatten(s, x), 6);
  TensorBuilder loss = s.at("loss");
  s.minimize(huber(loss, x, target), OptimizerKind::Nesterov);
  check(s.text());
}

TEST(CompiledStep, ImagesOfOtherSizes) {
  // Smaller and larger ones, by whole and other factors, of full and of partly filled channel blocks.
  struct Size {
    int64_t channels, height, width;
    ResizeMode mode;
    bool alignCorners;
  };
  for (const auto &[channels, height, width, mode, alignCorners] :
       {Size{21, 14, 18, ResizeMode::Bilinear, false}, Size{16, 11, 5, ResizeMode::Bilinear, true},
        Size{21, 3, 13, ResizeMode::Nearest, false}}) {
    SCOPED_TRACE(::testing::Message() << height << "x" << width << " " << stringifyResizeMode(mode).str() << " of "
                                      << channels << " channels, align_corners " << alignCorners);
    Step s;
    Value x = s.input({2, 7, 9}), target = s.input({3, height, width});
    x = s.at("t").tanh(s.conv("c1", x, channels, 3, 1, 1));
    TensorBuilder t = s.at("resize");
    x = t.make<ResizeOp>(x, {t.ints("size", {height, width}),
                             s.b.getNamedAttr("mode", ResizeModeAttr::get(&s.context, mode)),
                             t.flag("align_corners", alignCorners)});
    x = s.conv("c2", x, 3, 1, 1, 0);
    TensorBuilder loss = s.at("loss");
    s.minimize(meanSquaredError(loss, x, target), OptimizerKind::Adam);
    check(s.text());
  }
}

} // namespace
