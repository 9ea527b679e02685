#include "test/unit/passes/RandomNetwork.h"

#include "codegen/cpu/CpuTargetModel.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace cnn::test {
namespace {

constexpr int64_t kBatch = 2;

class Generator {
public:
  Generator(RandomNetwork &network, MLIRContext &context, unsigned seed)
      : network(network), b(&context), loc(b.getUnknownLoc()), engine(seed) {}

  void generate() {
    network.module = ModuleOp::create(loc, "random");
    b.setInsertionPointToStart(network.module->getBody());
    function = func::FuncOp::create(b, loc, kInferFunction, b.getFunctionType({}, {}));
    b.setInsertionPointToStart(function.addEntryBlock());
    for (int64_t i = 0, count = pick(1, 2); i < count; ++i)
      images.push_back(input("image" + std::to_string(i), {ShapedType::kDynamic, pick(1, 20), pick(4, 9), pick(4, 9)}));
    for (int64_t i = 0, count = pick(3, 14); i < count; ++i)
      step();
    finish();
  }

private:
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }
  StringAttr path() { return b.getStringAttr("op" + std::to_string(operations++)); }
  DenseI64ArrayAttr list(ArrayRef<int64_t> values) { return b.getDenseI64ArrayAttr(values); }
  Value image() { return images[chance(60) ? images.size() - 1 : pick(0, images.size() - 1)]; }

  Value argument(ArrayRef<int64_t> shape, StringRef attribute, Attribute name) {
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, RankedTensorType::get(shape, b.getF32Type()),
                                  b.getDictionaryAttr(b.getNamedAttr(attribute, name)), loc);
    return function.getArgument(index);
  }
  reference::TensorRef values(ArrayRef<int64_t> shape, double low, double high) {
    reference::Shape full(shape);
    if (!full.empty() && full[0] == ShapedType::kDynamic)
      full[0] = kBatch;
    reference::Tensor tensor(full);
    for (double &value : tensor.values)
      value = static_cast<float>(std::uniform_real_distribution<double>(low, high)(engine));
    return reference::share(std::move(tensor));
  }
  Value input(const std::string &name, ArrayRef<int64_t> shape) {
    network.inputs[name] = values(shape, -1, 1);
    return argument(shape, kInputAttr, b.getStringAttr(name));
  }
  Value state(ArrayRef<int64_t> shape, double low = -0.5, double high = 0.5) {
    std::string name = "state" + std::to_string(network.state.size());
    OpBuilder atModule = OpBuilder::atBlockBegin(network.module->getBody());
    ParamOp::create(atModule, loc, b.getStringAttr(name), TypeAttr::get(RankedTensorType::get(shape, b.getF32Type())),
                    InitAttr(), StringAttr());
    network.state[name] = values(shape, low, high);
    return argument(shape, kStateAttr, FlatSymbolRefAttr::get(b.getContext(), name));
  }

  Value number(double value, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get({}, b.getF32Type());
    Value constant = ConstantOp::create(b, loc, type, DenseElementsAttr::get(type, static_cast<float>(value)));
    return spread(constant, {}, shape);
  }
  Value spread(Value value, ArrayRef<int64_t> dims, ArrayRef<int64_t> shape) {
    SmallVector<int64_t> full(shape);
    full[0] = -1;
    return BroadcastOp::create(b, loc, value, list(dims), list(full), path());
  }

  Value convolution(Value x) {
    int64_t channels = shapeOf(x)[1], kernel = chance(60) ? 3 : 1, stride = chance(75) ? 1 : 2, groups = 1;
    int64_t outputs = chance(50) ? channels : pick(1, 40);
    if (chance(25)) {
      groups = channels % 2 == 0 && chance(50) ? 2 : channels;
      outputs = groups * pick(1, 2);
    }
    int64_t pad = kernel == 3 ? pick(0, 1) : 0;
    if (shapeOf(x)[2] < kernel || shapeOf(x)[3] < kernel)
      pad = kernel / 2;
    Value weight = state({outputs, channels / groups, kernel, kernel}), bias = chance(50) ? state({outputs}) : Value();
    auto conv =
        Conv2dOp::create(b, loc, x, weight, bias, list({stride, stride}), list({pad, pad, pad, pad}), list({1, 1}),
                         b.getI64IntegerAttr(groups), PrecisionAttr::get(b.getContext(), Precision::F32), path());
    if (chance(40))
      conv->setAttr(cpu::kScheduleAttr, b.getDictionaryAttr(b.getNamedAttr("algorithm", b.getStringAttr("winograd"))));
    Value y = conv;
    if (chance(50))
      y = normalized(y);
    return y;
  }
  Value normalized(Value x) {
    int64_t channels = shapeOf(x)[1];
    Value scale = state({channels}), offset = state({channels}), mean = state({channels});
    return BatchNormOp::create(b, loc, x, scale, offset, mean, state({channels}, 0.5, 2), b.getF64FloatAttr(1e-5),
                               path());
  }
  Value activated(Value x) {
    switch (pick(0, 5)) {
    case 0:
      return ReluOp::create(b, loc, x, path());
    case 1:
      return ClampOp::create(b, loc, x, b.getF64FloatAttr(0), b.getF64FloatAttr(6), path());
    case 2:
      return TanhOp::create(b, loc, x, path());
    case 3:
      return MulOp::create(b, loc, x, SigmoidOp::create(b, loc, x, path()), path());
    case 4:
      return MaxOp::create(b, loc, x, number(chance(50) ? 0 : -0.25, shapeOf(x)), path());
    default:
      return AddOp::create(b, loc, MulOp::create(b, loc, x, number(chance(50) ? 1 : 0.5, shapeOf(x)), path()),
                           spread(state({shapeOf(x)[1]}), {1}, shapeOf(x)), path());
    }
  }
  /// Another image with the same rows and columns, and channels where `exactly`.
  Value partner(Value x, bool exactly) {
    SmallVector<Value> found;
    for (Value other : images)
      if (shapeOf(other).drop_front(2) == shapeOf(x).drop_front(2) && (!exactly || shapeOf(other)[1] == shapeOf(x)[1]))
        found.push_back(other);
    return found[pick(0, found.size() - 1)];
  }
  template <typename Op> Value pooled(Value x) {
    int64_t height = std::min<int64_t>(pick(1, 3), shapeOf(x)[2]), width = std::min<int64_t>(pick(1, 3), shapeOf(x)[3]);
    int64_t stride = pick(1, 2), pad = height > 1 && width > 1 && chance(40) ? 1 : 0;
    return Op::create(b, loc, x, list({height, width}), list({stride, stride}), list({pad, pad, pad, pad}),
                      b.getBoolAttr(chance(30)), b.getBoolAttr(chance(30)), path());
  }
  Value padded(Value x) {
    bool zeros = chance(70) || shapeOf(x)[2] < 2 || shapeOf(x)[3] < 2;
    return PadOp::create(b, loc, x, list({0, 0, pick(0, 1), pick(0, 1)}), list({0, 0, pick(0, 1), 1}),
                         PadModeAttr::get(b.getContext(), zeros ? PadMode::Constant : PadMode::Reflect),
                         b.getF64FloatAttr(0), path());
  }
  Value sliced(Value x) {
    int64_t channels = pick(1, shapeOf(x)[1]);
    SmallVector<int64_t> sizes(shapeOf(x));
    sizes[0] = -1;
    sizes[1] = channels;
    return SliceOp::create(b, loc, x, list({0, shapeOf(x)[1] - channels, 0, 0}), list(sizes), list({1, 1, 1, 1}),
                           path());
  }

  void step() {
    Value x = image(), y;
    int64_t what = pick(0, 99);
    if (what < 35)
      y = convolution(x);
    else if (what < 50)
      y = activated(x);
    else if (what < 62)
      y = AddOp::create(b, loc, x, partner(x, /*exactly=*/true), path());
    else if (what < 77)
      y = ConcatOp::create(b, loc, ValueRange{x, partner(x, /*exactly=*/false)}, b.getI64IntegerAttr(1), path());
    else if (what < 82)
      y = pooled<MaxPoolOp>(x);
    else if (what < 87)
      y = pooled<AvgPoolOp>(x);
    else if (what < 91)
      y = padded(x);
    else if (what < 94)
      y = sliced(x);
    else if (what < 97)
      y = normalized(x);
    else
      y = SoftmaxOp::create(b, loc, x, b.getI64IntegerAttr(pick(1, 3)), path());
    if (shapeOf(y)[1] <= 64)
      images.push_back(y);
  }

  Value flattened(Value x) {
    int64_t features = shapeOf(x)[1] * shapeOf(x)[2] * shapeOf(x)[3];
    return ReshapeOp::create(b, loc, x, list({-1, features}), path());
  }

  void finish() {
    SmallVector<Value> outputs;
    for (int64_t i = 0, count = pick(1, 3); i < count; ++i) {
      Value x = image();
      if (chance(50)) {
        x = flattened(x);
        if (chance(60)) {
          Value bias = chance(50) ? state({7}) : Value();
          x = DenseOp::create(b, loc, x, state({7, shapeOf(x)[1]}), bias,
                              PrecisionAttr::get(b.getContext(), Precision::F32), path());
        }
      }
      outputs.push_back(x);
    }
    func::ReturnOp::create(b, loc, outputs);
    function.setFunctionType(b.getFunctionType(function.getArgumentTypes(), ValueRange(outputs).getTypes()));
    for (unsigned i = 0; i < outputs.size(); ++i)
      function.setResultAttr(i, kOutputAttr, b.getStringAttr("output" + std::to_string(i)));
  }

  RandomNetwork &network;
  OpBuilder b;
  Location loc;
  std::mt19937 engine;
  func::FuncOp function;
  SmallVector<Value> images;
  int operations = 0;
};

} // namespace

RandomNetwork::RandomNetwork(MLIRContext &context, unsigned seed) { Generator(*this, context, seed).generate(); }

} // namespace cnn::test
