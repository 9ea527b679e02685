// Replaces each `minimize` by the gradients of its loss and the optimizer's step, and declares the optimizer's state.
// It stands before fusion, so that the backward pass is simplified, fused and scheduled like the rest; after it there
// is no `minimize` and no `stop_gradient`, and functions have their optimizers' variables as arguments and results with
// `cnn.state`.
#include "ir/Losses.h"
#include "ir/Recompute.h"
#include "passes/Gradients.h"
#include "passes/Passes.h"
#include "passes/Recompute.h"
#include "passes/optimizers/Optimizer.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"

namespace {

/// The state variables that a minimization adds to its function.
class FunctionState {
public:
  FunctionState(func::FuncOp function, TensorBuilder &b, StringRef path) : function(function), b(b), path(path) {}

  /// Declares the variable, unless it is one of this minimization already, and gives its value before the step.
  template <typename Declaration>
  FailureOr<Value> variable(const std::string &name, RankedTensorType type, double initial) {
    std::string symbol = (path + "." + name).str();
    if (auto found = before.find(symbol); found != before.end())
      return found->second;
    ModuleOp module = function->getParentOfType<ModuleOp>();
    if (module.lookupSymbol(symbol))
      return function.emitError() << "there is a variable '" << symbol << "' already: two minimizations have one path";
    OpBuilder declarations(module.getContext());
    Operation *last = nullptr;
    for (Operation &op : module.getOps())
      if (isState(&op))
        last = &op;
    last ? declarations.setInsertionPointAfter(last) : declarations.setInsertionPointToStart(module.getBody());
    InitAttr init;
    if (initial != 0)
      init =
          InitAttr::get(module.getContext(), Initializer::Constant, declarations.getF64FloatAttr(initial), FloatAttr());
    Declaration::create(declarations, function.getLoc(), symbol, type, init, StringAttr());
    unsigned index = function.getNumArguments();
    auto tie = declarations.getDictionaryAttr(
        declarations.getNamedAttr(kStateAttr, FlatSymbolRefAttr::get(module.getContext(), symbol)));
    if (failed(function.insertArgument(index, type, tie, function.getLoc())))
      return failure();
    before[symbol] = function.getArgument(index);
    order.push_back({symbol, type});
    return before[symbol];
  }
  void set(const std::string &name, Value value) { after[(path + "." + name).str()] = value; }

  /// The variables' new values become results of the function.
  LogicalResult finish() {
    auto terminator = cast<func::ReturnOp>(function.getBody().front().getTerminator());
    for (auto &[symbol, type] : order) {
      auto tie = b.builder().getDictionaryAttr(
          b.builder().getNamedAttr(kStateAttr, FlatSymbolRefAttr::get(function.getContext(), symbol)));
      if (failed(function.insertResult(function.getNumResults(), type, tie)))
        return failure();
      terminator.getOperandsMutable().append(after.lookup(symbol));
    }
    return success();
  }

private:
  func::FuncOp function;
  TensorBuilder &b;
  StringRef path;
  llvm::StringMap<Value> before, after;
  SmallVector<std::pair<std::string, RankedTensorType>> order;
};

/// The variables of an optimizer for one parameter at a time.
class Variables : public optimizers::Variables {
public:
  Variables(FunctionState &state, TensorBuilder &common, Value rate) : state(state), common(common), rate(rate) {}
  void begin(StringRef name, Value value) {
    parameter = name.str();
    type =
        RankedTensorType::get(TensorBuilder::typeOf(value).getShape(), TensorBuilder::typeOf(value).getElementType());
  }
  /// Whether a variable could not be declared, which has been reported.
  bool failed() const { return failure; }

  Value slot(StringRef name) override { return get<SlotOp>(parameter + "." + name.str(), type, 0); }
  void setSlot(StringRef name, Value value) override { state.set(parameter + "." + name.str(), value); }
  Value shared(StringRef name, double initial, llvm::function_ref<Value(TensorBuilder &, Value)> next) override {
    return once(name, [&](TensorBuilder &b) {
      Value value = next(b, get<SlotOp>(name.str(), scalarType(TensorBuilder::typeOf(rate).getElementType()), initial));
      state.set(name.str(), value);
      return value;
    });
  }
  Value once(StringRef name, llvm::function_ref<Value(TensorBuilder &)> build) override {
    auto found = values.find(name);
    if (found == values.end())
      found = values.insert({name, build(common)}).first;
    return found->second;
  }
  Value time() override {
    return once("step", [&](TensorBuilder &b) {
      Value before = get<CounterOp>("step", scalarType(b.builder().getI64Type()), 0);
      Value now = b.add(before, 1);
      state.set("step", now);
      return b.convert(now, TensorBuilder::typeOf(rate).getElementType());
    });
  }

private:
  static RankedTensorType scalarType(Type element) { return RankedTensorType::get({}, element); }
  /// Where it fails, a value of the type that stands in until the error ends the pass.
  template <typename Declaration> Value get(const std::string &name, RankedTensorType type, double initial) {
    FailureOr<Value> value = state.variable<Declaration>(name, type, initial);
    if (mlir::succeeded(value))
      return *value;
    failure = true;
    Attribute zero = common.builder().getZeroAttr(type);
    return ConstantOp::create(common.builder(), common.loc(), cast<ElementsAttr>(zero));
  }

  FunctionState &state;
  TensorBuilder &common;
  Value rate;
  std::string parameter;
  RankedTensorType type;
  llvm::StringMap<Value> values;
  bool failure = false;
};

/// What minimizations with scaled losses share in a function.
class LossScaling {
public:
  explicit LossScaling(func::FuncOp function) : function(function) {}

  /// The scale, an argument behind the other hyperparameters.
  FailureOr<Value> scaleLike(Value loss) {
    if (scale)
      return scale;
    unsigned place = 0;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (!function.getArgAttr(i, kStateAttr))
        place = i + 1;
    Builder builder(function.getContext());
    auto name = builder.getDictionaryAttr(builder.getNamedAttr(kHyperAttr, builder.getStringAttr(kLossScaleHyper)));
    if (failed(function.insertArgument(place, loss.getType(), name, function.getLoc())))
      return failure();
    return scale = function.getArgument(place);
  }

  /// The gradient of the loss itself.
  Value unscale(TensorBuilder &b, Value gradient) {
    Value result = b.mul(gradient, b.broadcastScalar(b.divide(1, scale), gradient));
    // 1 for what is finite; comparing is the only thing that ends a NaN.
    double largest =
        APFloat::getLargest(cast<FloatType>(TensorBuilder::typeOf(result).getElementType()).getFloatSemantics())
            .convertToDouble();
    Value wrong = b.subFrom(1, b.step(b.subFrom(largest, b.abs(result))));
    if (TensorBuilder::typeOf(wrong).getRank() > 0)
      wrong = b.sum(wrong);
    overflow = overflow ? b.add(overflow, wrong) : wrong;
    return result;
  }

  LogicalResult finish() {
    if (!overflow)
      return success();
    Builder builder(function.getContext());
    unsigned place = 0;
    while (place < function.getNumResults() && function.getResultAttr(place, kOutputAttr))
      ++place;
    auto name = builder.getDictionaryAttr(builder.getNamedAttr(kOutputAttr, builder.getStringAttr(kOverflowOutput)));
    if (failed(function.insertResult(place, overflow.getType(), name)))
      return failure();
    function.getBody().front().getTerminator()->insertOperands(place, overflow);
    return success();
  }

private:
  func::FuncOp function;
  Value scale, overflow;
};

struct Differentiate : impl::DifferentiateBase<Differentiate> {
  using Base::Base;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<MinimizeOp> minimizations;
      function.walk([&](MinimizeOp op) { minimizations.push_back(op); });
      // What a value is of, through updates.
      DenseMap<Value, StringRef> names;
      if (!minimizations.empty())
        for (BlockArgument argument : function.getArguments())
          if (auto tie = function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr))
            names[argument] = tie.getValue();
      LossScaling scaling(function);
      for (MinimizeOp op : minimizations)
        if (failed(expand(function, op, names, scaling)))
          return signalPassFailure();
      if (failed(scaling.finish()))
        return signalPassFailure();
      // Nobody asks any more.
      function.walk([](StopGradientOp op) {
        op.replaceAllUsesWith(op.getInput());
        op.erase();
      });
      function.walk([](Operation *op) { op->removeAttr(kRecomputeAttr); });
    }
  }

  static LogicalResult expand(func::FuncOp function, MinimizeOp op, DenseMap<Value, StringRef> &names,
                              LossScaling &scaling);
};

} // namespace

static Value applyOptimizer(optimizers::Update &update) {
  switch (update.optimizer.getKind()) {
  case OptimizerKind::Sgd:
  case OptimizerKind::Momentum:
  case OptimizerKind::Nesterov:
    return optimizers::descent(update);
  case OptimizerKind::Adagrad:
  case OptimizerKind::Adadelta:
  case OptimizerKind::RmsProp:
    return optimizers::adaptive(update);
  case OptimizerKind::Adam:
  case OptimizerKind::AdamW:
  case OptimizerKind::Nadam:
    return optimizers::adam(update);
  }
  llvm_unreachable("an unknown optimizer");
}

LogicalResult Differentiate::expand(func::FuncOp function, MinimizeOp op, DenseMap<Value, StringRef> &names,
                                    LossScaling &scaling) {
  llvm::DenseSet<StringRef> seen;
  for (Value parameter : op.getParameters()) {
    StringRef name = names.lookup(parameter);
    if (name.empty())
      return op.emitOpError() << "at path '" << getPath(op) << "' is given a parameter of type " << parameter.getType()
                              << " that is no state";
    if (!seen.insert(name).second)
      return op.emitOpError() << "at path '" << getPath(op) << "' is given @" << name << " twice";
  }

  OpBuilder builder(op);
  std::string path = getPath(op).str();
  Operation *lastForward = op->getPrevNode();
  TensorBuilder common(builder, op.getLoc(), path);
  const bool isScaled = op->hasAttr(kLossScalingAttr);
  Value loss = op.getLoss();
  if (isScaled) {
    FailureOr<Value> scale = scaling.scaleLike(loss);
    if (failed(scale))
      return failure();
    loss = common.mul(loss, *scale);
  }
  FailureOr<SmallVector<Value>> gradients = buildGradients(builder, loss, llvm::to_vector(op.getParameters()));
  if (failed(gradients))
    return failure();
  if (lastForward && lastForward->getNextNode() != op)
    recomputeRegions(lastForward->getNextNode(), op);
  if (isScaled)
    for (Value &gradient : *gradients)
      gradient = scaling.unscale(common, gradient);
  if (op.getClipValue())
    *gradients = clipByValue(common, *gradients, op.getClipValue()->convertToDouble());
  if (op.getClipNorm())
    *gradients = clipByNorm(common, *gradients, op.getClipNorm()->convertToDouble());

  FunctionState state(function, common, path);
  Variables variables(state, common, op.getRate());
  for (auto [parameter, gradient, result] : llvm::zip(op.getParameters(), *gradients, op.getUpdated())) {
    StringRef name = names.lookup(parameter);
    TensorBuilder b(builder, op.getLoc(), path + "." + name.str());
    variables.begin(name, parameter);
    optimizers::Update update{b, op.getOptimizer(), parameter, gradient, op.getRate(), variables};
    Value next = applyOptimizer(update);
    // A later loss sees a constant.
    bool isRead = llvm::any_of(result.getUsers(), [](Operation *user) { return !isa<func::ReturnOp>(user); });
    Value constant = isRead ? b.stopGradient(next) : next;
    names[next] = names[constant] = name;
    result.replaceUsesWithIf(constant, [](OpOperand &use) { return !isa<func::ReturnOp>(use.getOwner()); });
    result.replaceAllUsesWith(next);
  }
  if (variables.failed())
    return failure();
  op.erase();
  return state.finish();
}

} // namespace cnn
