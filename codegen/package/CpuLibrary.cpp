// Libraries for CPUs: kernels are compiled to objects, and a table a variant points to them. The modules of a program
// are cut into parts of about the same work; where they are cut depends on the code alone, so that the objects are the
// same whatever the machine is.
#include "codegen/package/LibraryTarget.h"
#include "codegen/package/RuntimeBitcode.h"
#include "codegen/package/TableBuilder.h"

#include "codegen/cpu/ToLLVM.h"
#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace cnn;
using llvm::Constant;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

/// Parts below this number of IR instructions cost more to set up than they save.
constexpr size_t kInstructionsAPart = 4000;
constexpr size_t kMaximumParts = 16;

/// One variant's module as bitcode, and which part each of its functions belongs to.
struct CutModule {
  const Variant *variant = nullptr;
  cpu::Isa isa = cpu::Isa::Sse;
  SmallVector<char, 0> bitcode;
  std::vector<llvm::StringSet<>> parts;
  std::vector<size_t> work; ///< Instructions of each part.
};

CutModule cut(const Variant &variant, cpu::Isa isa, bool whole) {
  CutModule result;
  result.variant = &variant;
  result.isa = isa;
  llvm::raw_svector_ostream stream(result.bitcode);
  llvm::WriteBitcodeToFile(*variant.module, stream);

  std::vector<std::pair<size_t, llvm::StringRef>> functions;
  size_t total = 0;
  for (const llvm::Function &function : *variant.module)
    if (!function.isDeclaration()) {
      functions.emplace_back(function.getInstructionCount(), function.getName());
      total += functions.back().first;
    }
  size_t count = whole ? 1 : std::clamp<size_t>(total / kInstructionsAPart, 1, kMaximumParts);
  result.parts.resize(count);
  result.work.resize(count);
  // The largest first, each to the part that has least so far.
  llvm::sort(functions,
             [](const auto &a, const auto &b) { return std::pair(b.first, a.second) < std::pair(a.first, b.second); });
  for (const auto &[instructions, name] : functions) {
    size_t part = std::min_element(result.work.begin(), result.work.end()) - result.work.begin();
    result.parts[part].insert(name);
    result.work[part] += instructions;
  }
  return result;
}

/// Reads the functions of one part into `context`; all others become declarations. Every symbol is hidden and carries
/// the names of program and variant.
Expected<std::unique_ptr<llvm::Module>> readPart(const Program &program, const CutModule &source, size_t part,
                                                 llvm::LLVMContext &context) {
  llvm::MemoryBufferRef buffer(llvm::StringRef(source.bitcode.data(), source.bitcode.size()), program.name);
  Expected<std::unique_ptr<llvm::Module>> module = llvm::getLazyBitcodeModule(buffer, context);
  if (!module)
    return module.takeError();
  for (llvm::Function &function : **module)
    if (!function.isDeclaration() && !source.parts[part].contains(function.getName()))
      function.deleteBody();
  if (llvm::Error error = (*module)->materializeAll())
    return error;
  auto hide = [](llvm::GlobalValue &value) {
    value.setLinkage(llvm::GlobalValue::ExternalLinkage);
    value.setVisibility(llvm::GlobalValue::HiddenVisibility);
    value.setDSOLocal(true);
  };
  for (llvm::Function &function : **module) {
    if (function.isIntrinsic() || !source.variant->module->getFunction(function.getName()) ||
        source.variant->module->getFunction(function.getName())->isDeclaration())
      continue;
    hide(function);
    function.setName(kernelSymbol(program, *source.variant, function.getName()));
  }
  for (llvm::GlobalVariable &global : (*module)->globals()) {
    if (!global.hasInitializer())
      continue;
    // Constants without an identity may be in every part that uses them.
    if (global.hasLocalLinkage() && global.isConstant() && global.hasGlobalUnnamedAddr())
      continue;
    if (part != 0)
      global.setInitializer(nullptr);
    hide(global);
    global.setName(kernelSymbol(program, *source.variant, global.getName()));
  }
  // The name of the file symbol.
  (*module)->setSourceFileName(program.name + "." + source.variant->name);
  (*module)->setModuleIdentifier(program.name + "." + source.variant->name);
  return module;
}

Expected<SmallVector<char, 0>> compilePart(const Program &program, const CutModule &source, size_t part,
                                           CodeStage stage) {
  llvm::LLVMContext context;
  Expected<std::unique_ptr<llvm::Module>> module = readPart(program, source, part, context);
  if (!module)
    return module.takeError();
  Expected<std::unique_ptr<llvm::TargetMachine>> machine = cpu::createTargetMachine(source.isa);
  if (!machine)
    return machine.takeError();
  cpu::optimizeKernels(**module, **machine);
  if (stage == CodeStage::LlvmIr) {
    SmallVector<char, 0> text;
    llvm::raw_svector_ostream stream(text);
    (*module)->print(stream, nullptr);
    return text;
  }
  return cpu::emitCode(**module, **machine,
                       stage == CodeStage::Object ? llvm::CodeGenFileType::ObjectFile
                                                  : llvm::CodeGenFileType::AssemblyFile);
}

Expected<cpu::Isa> isaOf(const Variant &variant) {
  std::optional<cpu::Isa> isa = cpu::parseIsa(variant.name);
  if (!isa)
    return llvm::createStringError("unknown instruction set '" + variant.name + "'");
  return *isa;
}

/// The table of a variant's launches.
class VariantTables {
public:
  explicit VariantTables(TableBuilder &tables) : tables(tables), module(tables.module), context(tables.context) {}

  Constant *table(const Program &program, size_t index) {
    const Variant &variant = program.variants[index];
    llvm::Type *pointer = llvm::PointerType::getUnqual(context), *number64 = llvm::Type::getInt64Ty(context);
    auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                         {pointer, pointer, number64, number64, number64, pointer}, false);
    // All kernels before the functions that call one, which take names that are free.
    for (const Step &step : program.steps)
      module.getOrInsertFunction(kernelSymbol(program, variant, step.kernels[index].symbol), type);
    llvm::StringMap<int64_t> owners;
    auto launches = llvm::map_to_vector(program.steps, [&](const Step &step) {
      const KernelUse &use = step.kernels[index];
      auto callee = module.getOrInsertFunction(kernelSymbol(program, variant, use.symbol), type);
      auto *kernel = llvm::cast<llvm::Function>(callee.getCallee());
      kernel->setVisibility(llvm::GlobalValue::HiddenVisibility);
      kernel->setDSOLocal(true);
      if (owners.try_emplace(use.symbol, step.group).first->second != step.group)
        kernel = callUnderOwnName(kernel, program, variant, step, use);
      return tables.structure(
          {kernel, tables.number(use.unitsPerImage), tables.number(use.fixedUnits), tables.number(use.grain)});
    });
    int64_t level = 0;
    StringRef(variant.targetCpu).split("-v").second.getAsInteger(10, level);
    return tables.structure({tables.text(variant.name), tables.number(level), tables.array(launches)});
  }

  /// A function that calls a kernel which an earlier group has, too, so that each group has symbols of its own in
  /// backtraces and profiles.
  llvm::Function *callUnderOwnName(llvm::Function *kernel, const Program &program, const Variant &variant,
                                   const Step &step, const KernelUse &use) {
    std::string name = program.groups[step.group].path;
    for (char &c : name)
      c = llvm::isAlnum(c) ? c : '_';
    if (size_t dot = use.symbol.find('.'); dot != std::string::npos)
      name += use.symbol.substr(dot);
    std::string symbol = kernelSymbol(program, variant, name);
    for (int number = 2; module.getFunction(symbol); ++number)
      symbol = kernelSymbol(program, variant, name + "." + std::to_string(number));
    auto *function =
        llvm::Function::Create(kernel->getFunctionType(), llvm::GlobalValue::InternalLinkage, symbol, module);
    function->setUWTableKind(llvm::UWTableKind::Default);
    llvm::IRBuilder<> b(llvm::BasicBlock::Create(context, "", function));
    auto arguments =
        llvm::map_to_vector(function->args(), [](llvm::Argument &argument) -> llvm::Value * { return &argument; });
    // As a tail call it would be gone from the stack while the kernel runs.
    b.CreateCall(kernel, arguments)->setTailCallKind(llvm::CallInst::TCK_NoTail);
    b.CreateRetVoid();
    return function;
  }

private:
  TableBuilder &tables;
  llvm::Module &module;
  llvm::LLVMContext &context;
};

class CpuLibrary : public LibraryTarget {
public:
  StringRef runtime() const override { return runtimeBitcode(); }

  Expected<SmallVector<Constant *>> addKernels(TableBuilder &tables, const Program &program,
                                               const LibraryOptions &options) const override {
    VariantTables builder(tables);
    return llvm::map_to_vector(options.variants, [&](size_t index) { return builder.table(program, index); });
  }

  llvm::Error addKernelTasks(const Program &program, const LibraryOptions &options,
                             std::vector<CompileTask> &tasks) const override {
    for (size_t index : options.variants) {
      Expected<cpu::Isa> isa = isaOf(program.variants[index]);
      if (!isa)
        return isa.takeError();
      // LLVM's registry of targets is filled here, before there are threads.
      if (auto machine = cpu::createTargetMachine(*isa); !machine)
        return machine.takeError();
      auto module = std::make_shared<CutModule>(cut(program.variants[index], *isa, /*whole=*/false));
      for (size_t part = 0; part < module->parts.size(); ++part)
        tasks.push_back({module->work[part], [&program, module, part]() -> Expected<ObjectFile> {
                           auto bytes = compilePart(program, *module, part, CodeStage::Object);
                           if (!bytes)
                             return bytes.takeError();
                           return ObjectFile{module->variant->name + "-" + std::to_string(part) + ".o",
                                             std::move(*bytes)};
                         }});
    }
    return llvm::Error::success();
  }

  Expected<SmallVector<char, 0>> emitKernels(const Program &program, size_t variant, CodeStage stage) const override {
    Expected<cpu::Isa> isa = isaOf(program.variants[variant]);
    if (!isa)
      return isa.takeError();
    return compilePart(program, cut(program.variants[variant], *isa, /*whole=*/true), 0, stage);
  }

  bool isKernel(const Step &, const KernelUse &, const llvm::Function &function) const override {
    return function.arg_size() == 6;
  }

  Expected<std::vector<size_t>> variantsHere(const Program &program,
                                             const std::optional<std::string> &isa) const override {
    for (auto [index, variant] : llvm::enumerate(program.variants)) {
      if (isa && *isa != variant.name)
        continue;
      std::optional<cpu::Isa> parsed = cpu::parseIsa(variant.name);
      if (parsed && cpu::hostSupports(*parsed))
        return std::vector<size_t>{index};
      if (isa)
        return llvm::createStringError("this machine does not support the instruction set '" + *isa + "'");
    }
    if (isa)
      return llvm::createStringError("there is no code for the instruction set '" + *isa + "'");
    return llvm::createStringError("there is code for no instruction set of this machine");
  }

  LibraryTexts texts(const Program &) const override {
    LibraryTexts texts;
    texts.modelBytes = CNN_MODEL_BYTES;
    return texts;
  }
};

} // namespace

std::unique_ptr<LibraryTarget> cnn::createCpuLibraryTarget() { return std::make_unique<CpuLibrary>(); }
