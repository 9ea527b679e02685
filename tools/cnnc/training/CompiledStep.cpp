// A step as compiled code, in a library that is loaded into this process.
#include "codegen/package/Loaded.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/training/StepModule.h"

using namespace mlir;

namespace cnn {
namespace {

class CompiledSession : public StepSession {
public:
  CompiledSession(Compiled &compiled, std::unique_ptr<LoadedSession> session)
      : compiled(compiled), session(std::move(session)) {}

  host::Result<void> run(int64_t batch, ArrayRef<const void *> inputs, ArrayRef<void *> outputs) override {
    if (llvm::Error error = session->run(batch, inputs, outputs))
      return toError(std::move(error));
    return {};
  }

  host::Result<std::string> findNotFinite(int64_t batch, ArrayRef<const void *> inputs,
                                          ArrayRef<void *> outputs) override {
    const Program &program = compiled.program;
    SmallVector<GroupOp> groups = compiled.groups();
    std::string found;
    auto observer = [&](const StepView &view) {
      bool isLast = view.index + 1 == program.steps.size() || program.steps[view.index + 1].group != view.step->group;
      if (!found.empty() || !view.after || !isLast)
        return;
      // Groups without a step of their own are computed by the one before.
      size_t end = view.index + 1 == program.steps.size() ? groups.size()
                                                          : static_cast<size_t>(program.steps[view.index + 1].group);
      for (size_t number = static_cast<size_t>(view.step->group); number < end; ++number) {
        const GroupInfo &info = program.groups[number];
        for (auto [value, operand] : llvm::zip_equal(groups[number].getOutputs(), info.results))
          if (!resultIsFinite(operand, cast<RankedTensorType>(value.getType()), batch)) {
            found = "'" + info.path + "' (" + kindOf(groups[number], info) + ")";
            return;
          }
      }
    };
    if (llvm::Error error = session->run(batch, inputs, outputs, StepObserver(observer)))
      return toError(std::move(error));
    return found;
  }

  host::Result<bool> keepState() override {
    auto kept = session->keepState();
    if (!kept)
      return toError(kept.takeError());
    return *kept;
  }
  host::Result<void> fetchState() override { return done(session->fetchState()); }
  host::Result<void> saveState() override { return done(session->saveState()); }
  host::Result<void> restoreState() override { return done(session->restoreState()); }

private:
  static host::Result<void> done(llvm::Error error) {
    if (error)
      return toError(std::move(error));
    return {};
  }
  /// What a group is about; a group of no kind of its own is called after its path's first operation.
  static std::string kindOf(GroupOp group, const GroupInfo &info) {
    if (info.kind == "generic")
      for (Operation &op : group.getBody().front())
        if (!isa<ConstantOp, YieldOp>(op) && getPath(&op) == info.path)
          return op.getName().stripDialect().str();
    return info.kind;
  }
  /// Padded lanes are zeros, so that the memory can be read as it is.
  bool resultIsFinite(const Operand &operand, RankedTensorType type, int64_t batch) const {
    std::optional<host::DType> dtype = dtypeOf(type.getElementType());
    if (!dtype)
      return true;
    bool isPerImage = type.getRank() > 0 && type.isDynamicDim(0);
    auto [address, stride] = session->resolve(operand, batch);
    size_t bytes = static_cast<size_t>(storedBytes(type, /*whole=*/!isPerImage));
    for (int64_t image = 0; image < (isPerImage ? batch : 1); ++image)
      if (!isFinite({*dtype, {}, {reinterpret_cast<const uint8_t *>(address) + image * stride, bytes}}))
        return false;
    return true;
  }

  Compiled &compiled;
  std::unique_ptr<LoadedSession> session;
};

class CompiledStep : public StepModule {
public:
  CompiledStep(std::unique_ptr<Compiled> compiledModule, std::unique_ptr<Loaded> library)
      : compiled(std::move(compiledModule)), loaded(std::move(library)) {
    const Program &program = compiled->program;
    auto run = compiled->module->lookupSymbol<func::FuncOp>(kRunFunction);
    size_t hyperCount = 0;
    for (unsigned i = 0; i < run.getNumArguments(); ++i)
      hyperCount += run.getArgAttr(i, kHyperAttr) != nullptr;
    size_t inputCount = program.inputs.size() - hyperCount;
    inputTensors.assign(program.inputs.begin(), program.inputs.begin() + static_cast<ptrdiff_t>(inputCount));
    hyperTensors.assign(program.inputs.begin() + static_cast<ptrdiff_t>(inputCount), program.inputs.end());
    outputTensors = program.outputs;
    stateVariables = program.state;
    stateSize = program.stateBytes;
    compileSeconds = compiled->seconds;
  }

  std::string describe() const override { return describeTarget(*loaded); }
  size_t sessionBytes(int64_t maxBatch, int threads) const override { return loaded->sessionBytes(maxBatch, threads); }
  ModuleOp module() const override { return *compiled->module; }

  host::Result<std::unique_ptr<StepSession>> open(int64_t maxBatch, int threads, StateBlock *state) const override {
    auto session = loaded->newSession(maxBatch, threads, state ? state->data() : nullptr);
    if (!session)
      return toError(session.takeError());
    return std::unique_ptr<StepSession>(new CompiledSession(*compiled, std::move(*session)));
  }

private:
  std::unique_ptr<Compiled> compiled;
  std::unique_ptr<Loaded> loaded;
};

} // namespace

host::Result<std::unique_ptr<StepModule>> createCompiledStep(ModuleOp module, const TargetChoice &choice, bool exact) {
  auto compiled = compile(module, /*weights=*/nullptr, choice.compileOptions(exact));
  if (!compiled)
    return compiled.error();
  auto loaded = Loaded::create((*compiled)->program, /*isa=*/{}, codeCache());
  if (!loaded)
    return toError(loaded.takeError());
  return std::unique_ptr<StepModule>(new CompiledStep(std::move(*compiled), std::move(*loaded)));
}

} // namespace cnn
