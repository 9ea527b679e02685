// `cnnc emit`: the network after a stage of the compiler, or as LLVM IR, assembly or an object file.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/Target.h"

#include "codegen/package/MachineCode.h"
#include "frontend/Diagnostics.h"
#include "passes/Pipeline.h"
#include "runtime/host/File.h"

#include "llvm/Support/Process.h"

using namespace mlir;

namespace cnn {
namespace {

struct CodeFormat {
  StringRef name;
  CodeStage stage;
};
constexpr CodeFormat kCodeFormats[] = {
    {"llvm", CodeStage::LlvmIr}, {"asm", CodeStage::Assembly}, {"obj", CodeStage::Object}};

std::vector<StringRef> stageNames() {
  std::vector<StringRef> names(pipelineStages().begin(), pipelineStages().end());
  for (const CodeFormat &format : kCodeFormats)
    names.push_back(format.name);
  return names;
}

/// The text or the bytes of the stage.
host::Result<std::string> render(ModuleOp network, StringRef stage, const CompileOptions &options) {
  std::string text;
  auto format = llvm::find_if(kCodeFormats, [&](const CodeFormat &format) { return format.name == stage; });
  if (format == std::end(kCodeFormats)) {
    OwningOpRef<ModuleOp> module = runStages(network, stage, options);
    if (!module)
      return host::makeError("the network cannot be compiled");
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    stream << "\n";
    return text;
  }
  auto compiled = compile(network, /*weights=*/nullptr, options);
  if (!compiled)
    return compiled.error();
  for (size_t variant = 0; variant < (*compiled)->program.variants.size(); ++variant) {
    auto code = emitKernels((*compiled)->program, variant, format->stage);
    if (!code)
      return toError(code.takeError());
    text.append(code->begin(), code->end());
  }
  return text;
}

} // namespace

int emitCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  std::string stage, targetText = "cpu", output;
  bool exact = false;
  std::vector<StringRef> names = stageNames();
  CommandLine line("cnnc emit", "Prints the network after a stage of the compiler.");
  networkOptions.declare(line);
  line.text("stage", "STAGE", stage, llvm::join(names, ", ") + "; required");
  line.text("target", "TARGET", targetText, "cpu:ISA,... (the best of this machine)");
  line.text("output", "FILE", output, "write to a file instead of the standard output");
  line.flag("exact", exact, "no Winograd");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (!llvm::is_contained(names, stage))
    return line.misuse(stage.empty() ? "'--stage' is missing: one of " + listOfNames(names)
                                     : "there is no stage '" + stage + "'" + didYouMean(stage, names) + "; there are " +
                                           listOfNames(names, "and"));
  auto choice = TargetChoice::parse(targetText, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' has no code");
  if (stage == "obj" && choice->isas.size() != 1)
    return line.misuse("an object file is for one instruction set: --target cpu:avx2, for one");
  if (stage == "obj" && output.empty() && llvm::sys::Process::StandardOutIsDisplayed())
    return line.misuse("an object file is nothing for a terminal: --output FILE");

  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, networkOptions);
  if (!network)
    return 1;
  auto text = render(*network, stage, {llvm::to_vector(choice->isas), exact});
  if (!text)
    return fail(text.error().message);
  if (output.empty())
    llvm::outs() << *text;
  else if (auto written = host::writeFile(output, std::string_view(*text)); !written)
    return fail(written.error().message);
  return 0;
}

} // namespace cnn
