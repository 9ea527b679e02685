// The tables of a library (cnn_abi.h) as LLVM constants, linked with the runtime's bitcode; the API functions get the
// network's name and all else becomes internal. See MachineCode.h.
#include "codegen/package/LibraryTarget.h"
#include "codegen/package/MachineCode.h"
#include "codegen/package/TableBuilder.h"

#include "codegen/cpu/ToLLVM.h"
#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

using namespace cnn;
using llvm::ArrayRef;
using llvm::Constant;
using llvm::StringRef;

namespace {

constexpr StringRef kApiPrefix = "cnn_api_";
constexpr StringRef kApiFunctions[] = {"model_bytes",   "model_init",       "model_end",    "isa",
                                       "session_bytes", "session_init",     "session_pool", "session_end",
                                       "error",         "session_on_group", "group"};
/// What networks, training steps and libraries for tools export besides.
constexpr StringRef kNetworkFunctions[] = {"run"}, kStepFunctions[] = {"step", "state_init"},
                    kToolFunctions[] = {"run", "run_observed", "resolve"};

std::vector<StringRef> exportedFunctions(const Program &program, bool forTools) {
  std::vector<StringRef> names(std::begin(kApiFunctions), std::end(kApiFunctions));
  llvm::append_range(names, libraryTarget(program).exportedFunctions(forTools));
  if (forTools)
    llvm::append_range(names, kToolFunctions);
  else if (program.initialState >= 0)
    llvm::append_range(names, kStepFunctions);
  else
    llvm::append_range(names, kNetworkFunctions);
  return names;
}

/// What all targets' libraries have: cnn_this_network.
class NetworkTables : public TableBuilder {
public:
  using TableBuilder::TableBuilder;

  Constant *tensors(ArrayRef<TensorInfo> tensors) {
    return array(llvm::map_to_vector(tensors, [&](const TensorInfo &tensor) {
      return structure({number(host::dtypeBytes(tensor.dtype)), number(tensor.batched), number(tensor.shape.size()),
                        numbers(tensor.shape), number(*host::byteCount(tensor.shape, tensor.dtype))});
    }));
  }

  Constant *step(const Program &program, const Step &step, const LibraryOptions &options) {
    auto operands = llvm::map_to_vector(step.operands, [&](const Operand &operand) {
      return structure({number(static_cast<int64_t>(operand.segment)), number(operand.offset), number(operand.slice),
                        number(operand.imageStride)});
    });
    // A group that only moves memory still costs something.
    const GroupInfo &group = program.groups[step.group];
    return structure({array(operands), number(operands.size()),
                      number(std::max(group.flopsPerImage, group.bytesPerImage / 4)),
                      number(step.group + options.partGroups), number(step.chain), number(step.chainImages)});
  }

  llvm::Error network(const Program &program, const LibraryTarget &target, const LibraryOptions &options) {
    int64_t maxOperands = 0;
    for (const Step &step : program.steps)
      maxOperands = std::max<int64_t>(maxOperands, step.operands.size());
    auto steps = llvm::map_to_vector(program.steps, [&](const Step &each) { return step(program, each, options); });
    auto variants = target.addKernels(*this, program, options);
    if (!variants)
      return variants.takeError();
    Constant *weights = null();
    if (!options.weights.empty())
      weights = bytes(options.weights, llvm::Align(CNN_ALIGNMENT));
    Constant *value =
        structure({number(program.inputs.size()),
                   number(program.outputs.size()),
                   number(program.steps.size()),
                   number(variants->size()),
                   tensors(program.inputs),
                   tensors(program.outputs),
                   array(steps),
                   array(*variants),
                   number(maxOperands),
                   number(program.batch),
                   number(program.workspaceBytes),
                   number(program.fixedBytes),
                   number(program.scratchBytes),
                   number(program.stateBytes),
                   number(program.hypers),
                   number(program.initialState),
                   number(program.weightsBytes),
                   number(static_cast<int64_t>(options.weightsHash)),
                   weights,
                   number(program.groups.size()),
                   array(llvm::map_to_vector(program.groups, [&](const GroupInfo &group) { return text(group.path); })),
                   number(options.partWeights),
                   number(options.partPrefix.empty() ? program.weightsBytes : options.allWeightsBytes)});
    define("cnn_this_network", value);
    return llvm::Error::success();
  }
};

/// Gives the API functions the network's name, or a part's; hides everything else.
void nameApi(llvm::Module &module, const Program &program, const LibraryOptions &options) {
  const std::vector<StringRef> names = exportedFunctions(program, options.forTools);
  const bool isPart = !options.partPrefix.empty();
  const std::string prefix = isPart ? options.partPrefix : program.name + "_";
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.isDeclaration())
      continue;
    StringRef name = value.getName();
    bool exported = name.consume_front(kApiPrefix) && llvm::is_contained(names, name);
    if (!exported) {
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
      value.setVisibility(llvm::GlobalValue::DefaultVisibility);
      continue;
    }
    value.setVisibility(isPart ? llvm::GlobalValue::HiddenVisibility : llvm::GlobalValue::DefaultVisibility);
    value.setName(prefix + name);
  }
  // The runtime comes optimized; what only tools call goes.
  for (llvm::Function &function : llvm::make_early_inc_range(module))
    if (function.hasLocalLinkage() && function.use_empty())
      function.eraseFromParent();
}

} // namespace

std::vector<std::string> cnn::apiSymbols(const Program &program, bool forTools) {
  std::vector<std::string> symbols;
  for (StringRef name : exportedFunctions(program, forTools))
    symbols.push_back((program.name + "_" + name).str());
  return symbols;
}

llvm::Expected<std::unique_ptr<llvm::Module>> cnn::buildTables(const Program &program, const LibraryOptions &options,
                                                               llvm::LLVMContext &context) {
  const LibraryTarget &target = libraryTarget(program);
  auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(target.runtime(), "runtime"), context);
  if (!module)
    return module.takeError();
  auto tables = std::make_unique<llvm::Module>("tables", context);
  tables->setTargetTriple((*module)->getTargetTriple());
  tables->setDataLayout((*module)->getDataLayout());
  if (llvm::Error error = NetworkTables(*tables).network(program, target, options))
    return error;
  if (llvm::Linker::linkModules(**module, std::move(tables)))
    return llvm::createStringError("the tables of '" + program.name + "' do not fit the runtime");
  (*module)->setSourceFileName(program.name);
  (*module)->setModuleIdentifier(program.name);
  if (llvm::NamedMDNode *compilers = (*module)->getNamedMetadata("llvm.ident"))
    (*module)->eraseNamedMetadata(compilers);
  nameApi(**module, program, options);
  return std::move(*module);
}

llvm::Expected<ObjectFile> cnn::compileTables(const Program &program, const LibraryOptions &options) {
  auto machine = cpu::createTargetMachine(cpu::Isa::Sse);
  // The runtime asks for the CPU's features in inline assembly.
  LLVMInitializeX86AsmParser();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto module = buildTables(program, options, context);
  if (!module)
    return module.takeError();
  (*module)->setTargetTriple((*machine)->getTargetTriple());
  (*module)->setDataLayout((*machine)->createDataLayout());
  auto bytes = cpu::emitCode(**module, **machine, llvm::CodeGenFileType::ObjectFile);
  if (!bytes)
    return bytes.takeError();
  return ObjectFile{options.partPrefix + "runtime.o", std::move(*bytes)};
}
