// Runs the pipeline and the target's code generation; Compile.h has the contract.
#include "tools/cnnc/Compile.h"

#include "codegen/cpu/CpuTargetModel.h"
#include "codegen/cpu/Lower.h"
#include "codegen/cuda/Architecture.h"
#include "codegen/cuda/CudaTargetModel.h"
#include "codegen/cuda/Lower.h"
#include "codegen/cuda/library/CudaLibrary.h"
#include "codegen/package/CheckProgram.h"
#include "passes/Gradients.h"
#include "passes/Pipeline.h"

#include <chrono>

using namespace mlir;

namespace cnn {

std::string describeTarget(const Loaded &loaded) {
  const Program &program = loaded.program();
  return program.target + " (" + loaded.isa() + (program.precision.empty() ? "" : ", " + program.precision) + ")";
}

host::Error toError(llvm::Error error) { return {llvm::toString(std::move(error))}; }

llvm::SmallVector<GroupOp> Compiled::groups() {
  llvm::SmallVector<GroupOp> groups;
  auto run = module->lookupSymbol<func::FuncOp>(kRunFunction);
  for (GroupOp group : run.getOps<GroupOp>())
    if (!group.getElided())
      groups.push_back(group);
  return groups;
}

/// The instruction sets or architectures.
static std::vector<std::string> namesOf(const CompileOptions &options) {
  std::vector<std::string> names;
  for (cpu::Isa isa : options.isas)
    names.push_back(cpu::isaInfo(isa).name.str());
  for (const cuda::Architecture *architecture : options.architectures)
    names.push_back(architecture->name.str());
  return names;
}

static FailureOr<Program> lower(ModuleOp module, const ProgramOptions &common, const CompileOptions &options) {
  if (options.architectures.empty()) {
    cpu::LowerOptions lower{common, namesOf(options), options.onKernels};
    return cpu::lowerToProgram(module, lower);
  }
  cuda::registerLibraryTargets();
  // Groups whose results are compared one by one are computed one by one.
  cuda::LowerOptions lower{common, namesOf(options), options.onKernels, /*joinsGroups=*/!options.keepBuffers};
  FailureOr<Program> program = cuda::lowerToProgram(module, lower);
  if (succeeded(program))
    program->target = options.isEmulated ? "cuda-emulated" : "cuda";
  return program;
}

OwningOpRef<ModuleOp> runStages(ModuleOp network, StringRef stage, const CompileOptions &options,
                                std::function<LogicalResult(StringRef, ModuleOp)> afterPass) {
  cpu::registerCpuTarget();
  cuda::registerCudaTarget();
  PipelineOptions pipeline;
  pipeline.target = findTargetModel(options.architectures.empty() ? "cpu" : "cuda");
  pipeline.isas = namesOf(options);
  pipeline.exact = options.exact;
  pipeline.keepBuffers = options.keepBuffers;
  pipeline.afterPass = std::move(afterPass);
  OwningOpRef<ModuleOp> module(network.clone());
  if (options.scalesLoss)
    module->walk([](MinimizeOp op) { op->setAttr(kLossScalingAttr, UnitAttr::get(op.getContext())); });
  // Gradients multiply in the precision that the network does.
  auto setPrecision = [&](StringRef done, ModuleOp at) {
    if (done == "differentiate" && !options.architectures.empty())
      at.walk([&](Operation *op) {
        if (isa<Conv2dOp, Conv2dTransposeOp, Conv2dWeightGradOp, DenseOp, MatmulOp>(op))
          op->setAttr("precision", PrecisionAttr::get(op->getContext(), options.precision));
      });
    return success();
  };
  if (failed(runPipeline(*module, pipeline, stage, setPrecision)))
    return nullptr;
  return module;
}

host::Result<std::unique_ptr<Compiled>> compile(ModuleOp network, const Weights *weights,
                                                const CompileOptions &options) {
  auto start = std::chrono::steady_clock::now();
  auto compiled = std::make_unique<Compiled>();
  compiled->module = runStages(network, "plan", options);
  if (!compiled->module)
    return host::makeError("the network cannot be compiled");
  ProgramOptions common;
  if (weights)
    common.state = [weights](StringRef name, RankedTensorType type) { return (*weights)(name, type); };
  // A name such as 'xor' is none in C++.
  StringRef name = network.getSymName().value_or("network");
  common.name = isIdentifier(name) ? "" : (name + "_").str();
  FailureOr<Program> program = lower(*compiled->module, common, options);
  if (failed(program))
    return host::makeError("no code can be generated for the network");
  compiled->program = std::move(*program);
  if (!options.architectures.empty())
    compiled->program.precision =
        options.precision == Precision::F32 ? "fp32" : stringifyPrecision(options.precision).str();
  compiled->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return compiled;
}

host::Result<int64_t> workspaceBytes(ModuleOp network, int64_t batch) {
  OwningOpRef<ModuleOp> module = runStages(network, "plan", {});
  if (!module)
    return host::makeError("the network cannot be compiled");
  auto run = module->lookupSymbol<func::FuncOp>(kRunFunction);
  auto bytes = [&](StringRef name) {
    auto attribute = run->getAttrOfType<IntegerAttr>(name);
    return attribute ? attribute.getInt() : 0;
  };
  return bytes("cnn.workspace_bytes") * batch + bytes("cnn.fixed_bytes");
}

} // namespace cnn
