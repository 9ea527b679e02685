// A step by the reference implementation, in double precision: slow, and what compiled steps are compared with. State
// is rounded to its type after each step, as in memory.
#include "tools/cnnc/training/StepModule.h"

#include "ir/reference/Evaluate.h"
#include "ir/reference/Materialize.h"
#include "tools/cnnc/Compile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace cnn {
namespace {

class ReferenceSession : public StepSession {
public:
  ReferenceSession(const StepModule &module, func::FuncOp step, StateBlock *state, unsigned threads)
      : module(module), step(step), state(state), threads(threads) {}

  host::Result<void> run(int64_t batch, ArrayRef<const void *> inputs, ArrayRef<void *> outputs) override {
    return run(batch, inputs, outputs, nullptr);
  }

  host::Result<std::string> findNotFinite(int64_t batch, ArrayRef<const void *> inputs,
                                          ArrayRef<void *> outputs) override {
    std::string found;
    auto done = run(batch, inputs, outputs, &found);
    if (!done)
      return done.error();
    return found;
  }

private:
  host::Result<void> run(int64_t batch, ArrayRef<const void *> inputs, ArrayRef<void *> outputs, std::string *found) {
    SmallVector<reference::TensorRef> arguments;
    size_t nextInput = 0, nextHyper = module.inputs().size();
    for (unsigned i = 0; i < step.getNumArguments(); ++i) {
      if (auto tie = step.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr)) {
        host::TensorView view = state->view(*state->find(tie.getValue()));
        arguments.push_back(reference::share(reference::Tensor(view.shape, view.toDoubles())));
        continue;
      }
      size_t number = step.getArgAttr(i, kHyperAttr) ? nextHyper++ : nextInput++;
      const TensorInfo &info =
          number < module.inputs().size() ? module.inputs()[number] : module.hypers()[number - module.inputs().size()];
      std::vector<int64_t> shape = info.shape;
      if (info.batched)
        shape.insert(shape.begin(), batch);
      size_t bytes = static_cast<size_t>(*host::byteCount(shape, info.dtype));
      host::TensorView view{info.dtype, shape, {static_cast<const uint8_t *>(inputs[number]), bytes}};
      arguments.push_back(reference::share(reference::Tensor(shape, view.toDoubles())));
    }
    reference::EvaluateOptions options;
    options.batch = batch;
    options.threads = threads;
    if (found)
      options.after = [&](Operation *op, ArrayRef<reference::TensorRef> results) {
        for (const reference::TensorRef &result : results)
          if (found->empty() && !llvm::all_of(result->values, [](double value) { return std::isfinite(value); }))
            *found = "'" + getPath(op).str() + "' (" + op->getName().stripDialect().str() + ")";
        return success();
      };
    auto results = reference::evaluate(step, arguments, options);
    if (failed(results))
      return host::makeError("the reference implementation cannot evaluate this step");
    size_t nextOutput = 0;
    for (unsigned i = 0; i < step.getNumResults(); ++i) {
      auto type = cast<RankedTensorType>(step.getResultTypes()[i]);
      std::vector<char> bytes = reference::materialize(type, *(*results)[i], threads);
      auto tie = step.getResultAttrOfType<FlatSymbolRefAttr>(i, kStateAttr);
      void *to = tie ? state->bytesOf(*state->find(tie.getValue())).data() : outputs[nextOutput++];
      std::memcpy(to, bytes.data(), bytes.size());
    }
    return {};
  }

  const StepModule &module;
  func::FuncOp step;
  StateBlock *state;
  unsigned threads;
};

class ReferenceStep : public StepModule {
public:
  explicit ReferenceStep(OwningOpRef<ModuleOp> module)
      : owned(std::move(module)), step(owned->lookupSymbol<func::FuncOp>(kStepFunction)) {}

  /// What is wrong with the module, or an empty string.
  std::string describeTensors() {
    std::string problem;
    auto info = [&](StringRef name, Type type) {
      auto tensor = cast<RankedTensorType>(type);
      std::optional<host::DType> dtype = dtypeOf(tensor.getElementType());
      if (!dtype)
        problem = ("'" + name + "' has a type that files don't have").str();
      TensorInfo result{name.str(), dtype.value_or(host::DType::F32), tensor.getShape().vec(), false, ""};
      if (tensor.getRank() > 0 && tensor.isDynamicDim(0)) {
        result.batched = true;
        result.shape.erase(result.shape.begin());
      }
      return result;
    };
    for (unsigned i = 0; i < step.getNumArguments(); ++i) {
      Type type = step.getArgumentTypes()[i];
      if (auto tie = step.getArgAttrOfType<FlatSymbolRefAttr>(i, kStateAttr)) {
        TensorInfo tensor = info(tie.getValue(), type);
        StateVariable variable{tensor.name, "", tensor.dtype, tensor.shape, stateSize, 0};
        variable.kind = owned->lookupSymbol(tie)->getName().stripDialect().str();
        variable.bytes = *host::byteCount(tensor.shape, tensor.dtype);
        stateSize += static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(variable.bytes), 64));
        stateVariables.push_back(std::move(variable));
      } else if (auto hyper = step.getArgAttrOfType<StringAttr>(i, kHyperAttr)) {
        hyperTensors.push_back(info(hyper, type));
      } else {
        inputTensors.push_back(info(step.getArgAttrOfType<StringAttr>(i, kInputAttr), type));
      }
    }
    for (unsigned i = 0; i < step.getNumResults(); ++i)
      if (auto name = step.getResultAttrOfType<StringAttr>(i, kOutputAttr))
        outputTensors.push_back(info(name, step.getResultTypes()[i]));
    return problem;
  }

  std::string describe() const override { return "reference"; }
  size_t sessionBytes(int64_t, int) const override { return 0; }
  ModuleOp module() const override { return *owned; }
  host::Result<std::unique_ptr<StepSession>> open(int64_t, int threads, StateBlock *state) const override {
    return std::unique_ptr<StepSession>(new ReferenceSession(*this, step, state, static_cast<unsigned>(threads)));
  }

private:
  mutable OwningOpRef<ModuleOp> owned;
  mutable func::FuncOp step;
};

} // namespace

host::Result<std::unique_ptr<StepModule>> createReferenceStep(ModuleOp module, bool scalesLoss) {
  CompileOptions options;
  options.scalesLoss = scalesLoss;
  OwningOpRef<ModuleOp> differentiated = runStages(module, "differentiate", options);
  if (!differentiated)
    return host::makeError("the step cannot be differentiated");
  auto step = std::make_unique<ReferenceStep>(std::move(differentiated));
  if (std::string problem = step->describeTensors(); !problem.empty())
    return host::makeError("{}", problem);
  return std::unique_ptr<StepModule>(std::move(step));
}

} // namespace cnn
