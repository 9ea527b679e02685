// `cnnc emit`: the syntax tree, the network after a stage of the compiler, its kernels, or what LLVM makes of them.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/Target.h"

#include "codegen/cuda/ToPtx.h"
#include "codegen/cuda/Toolkit.h"
#include "codegen/package/MachineCode.h"
#include "frontend/AstPrinter.h"
#include "frontend/Diagnostics.h"
#include "frontend/Parser.h"
#include "passes/Pipeline.h"
#include "passes/SavedValues.h"
#include "runtime/host/File.h"

#include "llvm/Support/Process.h"

using namespace mlir;

namespace cnn {
namespace {

enum class Form { Tree, Network, Kernels, LlvmIr, Assembly, Object, Ptx, Sass };

struct Stage {
  StringRef name;
  Form form;
};

/// Everything that `--stage` takes, in the order of the compiler.
std::vector<Stage> allStages() {
  std::vector<Stage> stages = {{"parse", Form::Tree}};
  for (StringRef name : pipelineStages())
    stages.push_back({name, Form::Network});
  llvm::append_range(stages, std::initializer_list<Stage>{{"lower", Form::Kernels},
                                                          {"llvm", Form::LlvmIr},
                                                          {"assembly", Form::Assembly},
                                                          {"asm", Form::Assembly},
                                                          {"object", Form::Object},
                                                          {"obj", Form::Object},
                                                          {"ptx", Form::Ptx},
                                                          {"sass", Form::Sass}});
  return stages;
}

/// The syntax tree of the file, or of the declaration that NET names; nothing after a message on stderr.
std::optional<std::string> syntaxTree(const NetworkOptions &options) {
  auto [path, name] = splitNet(options.net);
  Diagnostics diagnostics;
  std::string text, reason;
  llvm::raw_string_ostream stream(text);
  if (const SourceFile *source = diagnostics.sources().load(path, reason)) {
    std::unique_ptr<ast::File> file = parseFile(*source, diagnostics);
    SmallVector<StringRef> names;
    for (const auto &[known, node] : namedDeclarations(*file)) {
      names.push_back(known);
      if (known == name && !diagnostics.hasErrors())
        printSyntaxTree(*node, stream);
    }
    if (name.empty() && !diagnostics.hasErrors())
      printSyntaxTree(*file, stream);
    else if (!llvm::is_contained(names, name) && !diagnostics.hasErrors())
      diagnostics.error({}, path + " declares no '" + name + "'" + didYouMean(name, names) + "; it declares " +
                                (names.empty() ? "nothing" : listOfNames(names, "and")));
  } else {
    diagnostics.error({}, "cannot read '" + path + "': " + reason);
  }
  if (!diagnostics.hasErrors())
    return text;
  diagnostics.render(llvm::errs(), useColour());
  return std::nullopt;
}

/// The kernels of a program for CUDA as LLVM IR, PTX or machine code, an architecture after the other.
host::Result<std::string> deviceCode(const Program &program, Form form) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (const Variant &variant : program.variants) {
    if (form == Form::LlvmIr) {
      variant.module->print(stream, nullptr);
      continue;
    }
    const cuda::Architecture &architecture = *cuda::findArchitecture(variant.name);
    auto ptx = cuda::toPtx(*variant.module, architecture);
    if (!ptx)
      return toError(ptx.takeError());
    if (form == Form::Ptx) {
      stream << *ptx;
      continue;
    }
    auto assembled = cuda::assemble(*ptx, architecture);
    if (!assembled)
      return toError(assembled.takeError());
    auto sass = cuda::disassemble(assembled->cubin);
    if (!sass)
      return toError(sass.takeError());
    stream << *sass;
  }
  return text;
}

/// The text or the bytes of a later stage.
host::Result<std::string> render(ModuleOp network, const Stage &stage, CompileOptions options) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (stage.form == Form::Network) {
    OwningOpRef<ModuleOp> module = runStages(network, stage.name, options);
    if (!module)
      return host::makeError("the network cannot be compiled");
    module->print(stream);
    stream << "\n";
    if (auto step = module->lookupSymbol<func::FuncOp>(kStepFunction); step && stage.name == "differentiate")
      printBackward(step, stream);
    return text;
  }
  if (stage.form == Form::Kernels)
    options.onKernels = [&](ModuleOp kernels) {
      kernels.print(stream);
      stream << "\n";
    };
  auto compiled = compile(network, /*weights=*/nullptr, options);
  if (!compiled)
    return compiled.error();
  if (stage.form == Form::Kernels)
    return text;
  if (!options.architectures.empty())
    return deviceCode((*compiled)->program, stage.form);
  CodeStage code = stage.form == Form::LlvmIr     ? CodeStage::LlvmIr
                   : stage.form == Form::Assembly ? CodeStage::Assembly
                                                  : CodeStage::Object;
  for (size_t variant = 0; variant < (*compiled)->program.variants.size(); ++variant) {
    auto bytes = emitKernels((*compiled)->program, variant, code);
    if (!bytes)
      return toError(bytes.takeError());
    text.append(bytes->begin(), bytes->end());
  }
  return text;
}

} // namespace

int emitCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  std::string stageName, targetText = "cpu", output;
  bool exact = false;
  std::vector<Stage> stages = allStages();
  SmallVector<StringRef> names(llvm::map_range(stages, [](const Stage &stage) { return stage.name; }));
  CommandLine line("cnnc emit", "Prints the network after a stage of the compiler.");
  networkOptions.declare(line);
  line.text("stage", "STAGE", stageName, llvm::join(names, ", ") + "; required");
  line.text("target", "TARGET", targetText, "cpu:ISA,... (the best of this machine) or cuda:ARCHITECTURE,...");
  declarePrecision(line);
  line.text("output", "FILE", output, "write to a file instead of the standard output");
  line.flag("exact", exact, "no Winograd");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  auto stage = llvm::find_if(stages, [&](const Stage &stage) { return stage.name == stageName; });
  if (stage == stages.end())
    return line.misuse(stageName.empty() ? "'--stage' is missing: one of " + listOfNames(names)
                                         : "there is no stage '" + stageName + "'" + didYouMean(stageName, names) +
                                               "; there are " + listOfNames(names, "and"));
  auto choice = TargetChoice::parse(targetText, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' has no code");
  if (stage->form == Form::Tree && !(networkOptions.shapes.empty() && networkOptions.outputs.empty()))
    return line.misuse("a syntax tree is of the text alone: '--shape' and '--outputs' are for later stages");
  if ((stage->form == Form::Ptx || stage->form == Form::Sass) && !choice->isCuda())
    return line.misuse("'--stage " + stageName + "' is the code of the target 'cuda'");
  if ((stage->form == Form::Assembly || stage->form == Form::Object) && choice->isCuda())
    return line.misuse("the code of the target 'cuda' is '--stage ptx' or '--stage sass'");
  if (stage->form == Form::Object && choice->isas.size() != 1)
    return line.misuse("an object file is for one instruction set: --target cpu:avx2, for one");
  if (stage->form == Form::Object && output.empty() && llvm::sys::Process::StandardOutIsDisplayed())
    return line.misuse("an object file is nothing for a terminal: --output FILE");

  std::string text;
  if (stage->form == Form::Tree) {
    auto tree = syntaxTree(networkOptions);
    if (!tree)
      return 1;
    text = std::move(*tree);
  } else {
    MLIRContext context;
    OwningOpRef<ModuleOp> network = loadNetworkOrBlock(context, networkOptions);
    if (!network)
      return 1;
    auto rendered = render(*network, *stage, choice->compileOptions(exact));
    if (!rendered)
      return fail(rendered.error().message);
    text = std::move(*rendered);
  }
  if (output.empty())
    llvm::outs() << text;
  else if (auto written = host::writeFile(output, std::string_view(text)); !written)
    return fail(written.error().message);
  return 0;
}

} // namespace cnn
