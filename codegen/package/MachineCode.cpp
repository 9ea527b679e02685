// See MachineCode.h.
#include "codegen/package/MachineCode.h"

#include "codegen/cpu/ToLLVM.h"
#include "runtime/host/Cpus.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <numeric>
#include <thread>

using namespace cnn;
using llvm::Expected;
using llvm::SmallVector;

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

} // namespace

std::string cnn::kernelSymbol(const Program &program, const Variant &variant, llvm::StringRef symbol) {
  return (program.name + "." + symbol + "." + variant.name).str();
}

Expected<std::vector<ObjectFile>> cnn::compileLibrary(const Program &program, const LibraryOptions &options) {
  std::vector<CutModule> modules;
  for (size_t index : options.variants) {
    Expected<cpu::Isa> isa = isaOf(program.variants[index]);
    if (!isa)
      return isa.takeError();
    // LLVM's registry of targets is filled here, before there are threads.
    if (auto machine = cpu::createTargetMachine(*isa); !machine)
      return machine.takeError();
    modules.push_back(cut(program.variants[index], *isa, /*whole=*/false));
  }

  struct Task {
    size_t work;
    std::function<Expected<ObjectFile>()> compile;
  };
  std::vector<Task> tasks = {{SIZE_MAX, [&] { return compileTables(program, options); }}};
  for (const CutModule &module : modules)
    for (size_t part = 0; part < module.parts.size(); ++part)
      tasks.push_back({module.work[part], [&program, &module, part]() -> Expected<ObjectFile> {
                         auto bytes = compilePart(program, module, part, CodeStage::Object);
                         if (!bytes)
                           return bytes.takeError();
                         return ObjectFile{module.variant->name + "-" + std::to_string(part) + ".o", std::move(*bytes)};
                       }});
  // The longest first, so that no thread is left with one at the end.
  std::vector<size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) { return std::pair(tasks[b].work, a) < std::pair(tasks[a].work, b); });

  std::vector<ObjectFile> objects(tasks.size());
  std::vector<std::string> failures(tasks.size());
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i; (i = next++) < order.size();) {
      Expected<ObjectFile> object = tasks[order[i]].compile();
      if (object)
        objects[order[i]] = std::move(*object);
      else
        failures[order[i]] = llvm::toString(object.takeError());
    }
  };
  size_t count = std::min<size_t>(tasks.size(), static_cast<size_t>(host::usableCpus()));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &failure : failures)
    if (!failure.empty())
      return llvm::createStringError(failure);
  return objects;
}

Expected<SmallVector<char, 0>> cnn::emitKernels(const Program &program, size_t variant, CodeStage stage) {
  Expected<cpu::Isa> isa = isaOf(program.variants[variant]);
  if (!isa)
    return isa.takeError();
  return compilePart(program, cut(program.variants[variant], *isa, /*whole=*/true), 0, stage);
}
