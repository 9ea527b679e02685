// The table of stages.
#include "passes/Pipeline.h"

#include "passes/Passes.h"

#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace cnn {

namespace {
struct Stage {
  StringRef name;
  bool needsTarget;
  void (*build)(OpPassManager &, const PipelineOptions &);
};
} // namespace

static std::string targetName(const PipelineOptions &options) { return options.target->name().str(); }

// Each stage and why it stands where it does.
static const Stage kStages[] = {
    // What the frontend gives: nothing to do, everything to verify.
    {"elaborate", false, [](OpPassManager &, const PipelineOptions &) {}},
    // Canonical forms first, so that every later pattern has one shape to look for.
    {"simplify", false,
     [](OpPassManager &passes, const PipelineOptions &options) {
       passes.addPass(createSelectOutputs({llvm::to_vector(options.outputs)}));
       passes.addPass(createSimplify());
     }},
    // Steps only: the backward pass is simplified like the rest. Before hoist, since gradients are by the parameters as
    // they are written.
    {"differentiate", false,
     [](OpPassManager &passes, const PipelineOptions &) {
       passes.addPass(createDifferentiate());
       passes.addPass(createSimplify());
       passes.addPass(createFactorSums());
       passes.addPass(createSimplify());
     }},
    // Batch norm is folded while weights are still operations on state; what follows is cleaned up once more, as a
    // folded bias may itself be foldable. Splitting comes before fusion so that groups hold what runs for each image
    // only.
    {"hoist", false,
     [](OpPassManager &passes, const PipelineOptions &) {
       passes.addPass(createTransposeToConv());
       passes.addPass(createFoldBatchNorm());
       passes.addPass(createSimplify());
       passes.addPass(createHoist());
     }},
    {"fuse", true,
     [](OpPassManager &passes, const PipelineOptions &options) { passes.addPass(createFuse({targetName(options)})); }},
    // Layouts belong to what groups exchange, so they come after fusion.
    {"layout", true,
     [](OpPassManager &passes, const PipelineOptions &options) {
       passes.addPass(createLayOut({targetName(options)}));
     }},
    // Weights are packed for the algorithm of the group that reads them.
    {"schedule", true,
     [](OpPassManager &passes, const PipelineOptions &options) {
       passes.addPass(createSchedule({targetName(options), llvm::to_vector(options.isas), options.exact}));
       passes.addPass(createOrderGroups());
     }},
    // Last, since schedules say how much scratch a group needs.
    {"plan", true,
     [](OpPassManager &passes, const PipelineOptions &options) {
       passes.addPass(createPlanMemory({options.keepBuffers}));
     }},
};

namespace {
/// Shows the module to PipelineOptions::afterPass after each pass, until that fails.
struct AfterPass : PassInstrumentation {
  AfterPass(const PipelineOptions &options, bool &failed) : options(options), failed(failed) {}

  void runAfterPass(Pass *pass, Operation *op) override {
    if (auto module = dyn_cast<ModuleOp>(op); module && !failed)
      failed = mlir::failed(options.afterPass(pass->getArgument(), module));
  }

  const PipelineOptions &options;
  bool &failed;
};
} // namespace

ArrayRef<StringRef> pipelineStages() {
  static const SmallVector<StringRef> names = [] {
    SmallVector<StringRef> names;
    for (const Stage &stage : kStages)
      names.push_back(stage.name);
    return names;
  }();
  return names;
}

LogicalResult runPipeline(ModuleOp module, const PipelineOptions &options, StringRef lastStage,
                          function_ref<LogicalResult(StringRef, ModuleOp)> after) {
  if (!llvm::is_contained(pipelineStages(), lastStage))
    return module.emitError() << "there is no stage '" << lastStage << "'; the stages are "
                              << llvm::join(pipelineStages(), ", ");
  for (const Stage &stage : kStages) {
    if (stage.needsTarget && !options.target)
      return module.emitError() << "stage '" << stage.name << "' needs a target";
    PassManager passes(module.getContext(), ModuleOp::getOperationName());
    stage.build(passes, options);
    bool ended = false;
    if (options.afterPass)
      passes.addInstrumentation(std::make_unique<AfterPass>(options, ended));
    if (failed(passes.run(module)) || ended || failed(verifyStage(stage.name, module)))
      return failure();
    if (after && failed(after(stage.name, module)))
      return failure();
    if (stage.name == lastStage)
      break;
  }
  return success();
}

} // namespace cnn
