// See Module.h.
#include "codegen/cuda/emulator/Module.h"

#include "codegen/cuda/emulator/Instrument.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Transforms/Scalar/ScalarizeMaskedMemIntrin.h"

using namespace llvm;

namespace cnn::cuda::emulator {

LoadedModule::LoadedModule() = default;
LoadedModule::~LoadedModule() = default;

const Kernel *LoadedModule::find(StringRef name) const {
  auto found = kernels_.find(std::string_view(name));
  return found == kernels_.end() ? nullptr : &found->second;
}

/// Masked accesses become branches and plain ones, as they do for the device.
static void scalarizeMasked(Module &module) {
  PassBuilder passes;
  FunctionAnalysisManager functions;
  LoopAnalysisManager loops;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  FunctionPassManager manager;
  manager.addPass(ScalarizeMaskedMemIntrinPass());
  for (Function &function : module)
    if (!function.isDeclaration())
      manager.run(function, functions);
}

static Error check(const Module &module, const char *when) {
  std::string problem;
  raw_string_ostream stream(problem);
  return verifyModule(module, &stream) ? createStringError(Twine("the module is not valid ") + when + ": " + problem)
                                       : Error::success();
}

Expected<std::unique_ptr<LoadedModule>> LoadedModule::load(StringRef bitcode) {
  [[maybe_unused]] static const bool ready = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  auto context = std::make_unique<LLVMContext>();
  Expected<std::unique_ptr<Module>> parsed = parseBitcodeFile(MemoryBufferRef(bitcode, "kernels"), *context);
  if (!parsed)
    return parsed.takeError();
  Module &module = **parsed;
  if (!module.getTargetTriple().isNVPTX())
    return createStringError("the module is for '" + module.getTargetTriple().str() + "', not for nvptx64");
  if (Error error = check(module, "as it came"))
    return error;
  scalarizeMasked(module);

  std::unique_ptr<LoadedModule> result(new LoadedModule);
  Expected<Instrumented> made = instrument(module, result->sites_);
  if (!made)
    return made.takeError();
  Expected<orc::JITTargetMachineBuilder> machine = orc::JITTargetMachineBuilder::detectHost();
  if (!machine)
    return machine.takeError();
  machine->setCodeGenOptLevel(CodeGenOptLevel::Less);
  Expected<std::unique_ptr<orc::LLJIT>> jit =
      orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(*machine)).create();
  if (!jit)
    return jit.takeError();
  result->jit_ = std::move(*jit);
  module.setTargetTriple(result->jit_->getTargetTriple());
  module.setDataLayout(result->jit_->getDataLayout());
  if (Error error = check(module, "for the host"))
    return error;
  if (Error error = result->jit_->addIRModule(orc::ThreadSafeModule(std::move(*parsed), std::move(context))))
    return error;
  for (Kernel &kernel : made->kernels) {
    Expected<orc::ExecutorAddr> address = result->jit_->lookup(entryName(kernel.name));
    if (!address)
      return address.takeError();
    kernel.entry = address->toPtr<void (*)(void **)>();
    std::string name = kernel.name;
    result->kernels_.emplace(std::move(name), std::move(kernel));
  }
  for (const auto &[name, bytes] : made->variables) {
    Expected<orc::ExecutorAddr> address = result->jit_->lookup(name);
    if (!address)
      return address.takeError();
    result->variables_.push_back({address->getValue(), bytes, false});
  }
  return result;
}

} // namespace cnn::cuda::emulator
