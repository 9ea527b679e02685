// Runs the pipeline and the CPU's code generation; Compile.h has the contract.
#include "tools/cnnc/Compile.h"

#include "codegen/cpu/CpuTargetModel.h"
#include "codegen/cpu/Lower.h"
#include "codegen/package/CheckProgram.h"
#include "passes/Pipeline.h"

#include <chrono>

using namespace mlir;

namespace cnn {

host::Error toError(llvm::Error error) { return {llvm::toString(std::move(error))}; }

llvm::SmallVector<GroupOp> Compiled::groups() {
  llvm::SmallVector<GroupOp> groups;
  auto run = module->lookupSymbol<func::FuncOp>(kRunFunction);
  for (GroupOp group : run.getOps<GroupOp>())
    if (!group.getElided())
      groups.push_back(group);
  return groups;
}

OwningOpRef<ModuleOp> runStages(ModuleOp network, StringRef stage, const CompileOptions &options,
                                std::function<LogicalResult(StringRef, ModuleOp)> afterPass) {
  cpu::registerCpuTarget();
  PipelineOptions pipeline;
  pipeline.target = findTargetModel("cpu");
  for (cpu::Isa isa : options.isas)
    pipeline.isas.push_back(cpu::isaInfo(isa).name.str());
  pipeline.exact = options.exact;
  pipeline.keepBuffers = options.keepBuffers;
  pipeline.afterPass = std::move(afterPass);
  OwningOpRef<ModuleOp> module(network.clone());
  if (failed(runPipeline(*module, pipeline, stage)))
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
  cpu::LowerOptions lower;
  for (cpu::Isa isa : options.isas)
    lower.isas.push_back(cpu::isaInfo(isa).name.str());
  lower.onKernels = options.onKernels;
  if (weights)
    lower.state = [weights](StringRef name, RankedTensorType type) { return (*weights)(name, type); };
  // A name such as 'xor' is none in C++.
  StringRef name = network.getSymName().value_or("network");
  lower.name = isIdentifier(name) ? "" : (name + "_").str();
  FailureOr<Program> program = cpu::lowerToProgram(*compiled->module, lower);
  if (failed(program))
    return host::makeError("no code can be generated for the network");
  compiled->program = std::move(*program);
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
