// `cnnc build`: a network as a library.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/PreprocessSteps.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"
#include "tools/cnnc/training/SavedState.h"
#include "tools/cnnc/training/TrainingSetup.h"

#include "codegen/cuda/library/CudaLibrary.h"
#include "codegen/package/Package.h"
#include "codegen/package/Parts.h"
#include "codegen/package/Weights.h"
#include "runtime/host/Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <chrono>

using namespace mlir;

namespace cnn {

/// Compiles the step; its library carries the values that training begins with.
static host::Result<std::unique_ptr<Compiled>> compileStep(const TrainingProgram &program, const WeightOptions &weights,
                                                           const CompileOptions &options) {
  auto compiled = compile(*program.step, /*weights=*/nullptr, options);
  if (!compiled)
    return compiled.error();
  Program &lowered = (*compiled)->program;
  auto state = StateBlock::create(lowered.state, lowered.stateBytes);
  if (!state)
    return state.error();
  uint64_t seed = weights.seed.value_or(settingsOf(program).seed);
  if (auto done = initializeState(*state, *(*compiled)->module, program, seed, weights.file); !done)
    return done.error();
  auto *begin = static_cast<const char *>(state->data());
  setInitialState(lowered, {begin, begin + state->bytes()});
  return compiled;
}

/// Says of each input what its values were when the weights were trained, or what the network declares: the library
/// takes them as they come.
static host::Result<void> describeInputs(Program &program, ArrayRef<Port> ports, const std::string &weightsFile) {
  std::optional<host::PixelScale> pixels;
  if (!weightsFile.empty()) {
    auto kept = pixelsOf(weightsFile);
    if (!kept)
      return kept.error();
    pixels = *kept;
  }
  for (const Port &port : ports)
    for (TensorInfo &input : program.inputs) {
      if (input.name != port.name || input.dtype != host::DType::F32)
        continue;
      if (port.preprocess)
        input.values = "A picture after " + preprocessText(port.preprocess) + ".";
      else if (pixels)
        input.values = *pixels == host::PixelScale::Unit ? "The weights were trained on 8-bit values / 255."
                                                         : "The weights were trained on 8-bit values, 0 to 255.";
    }
  return {};
}

int buildCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  WeightOptions weightOptions;
  std::string folder, targetText = "cpu", weightsPlace = "auto";
  bool exact = false, json = false, train = false;
  PackageOptions package;
  CommandLine line("cnnc build",
                   "Writes NAME.h, libNAME.a and libNAME.so, with code for several instruction sets, and the "
                   "files that build systems want.");
  networkOptions.declare(line);
  weightOptions.declare(line);
  line.flag("train", train, "a library of a step of training, with NAME_step and its state: NET is a train block");
  line.text("output", "DIR", folder, "the folder to write to, made when it is missing; required");
  line.text("target", "TARGET", targetText,
            "cpu, cpu:ISA,... (avx512, avx2, sse), cuda, cuda:ARCH,... (sm_90a, sm_80, ...), or both, a comma between: "
            "cpu,cuda:sm_80");
  declarePrecision(line);
  line.text("weights-in", "WHERE", weightsPlace, "library, file (NAME.weights) or auto: in the library up to 64 MiB");
  line.flag("exact", exact, "no Winograd: an Inf or NaN stays in its window");
  line.flag("python", package.python, "write a wheel as well, a Python package for NumPy");
  line.flag("json", json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  if (folder.empty())
    return line.misuse("'--output' is missing: the folder to write to");
  package.folder = folder;
  if (weightsPlace == "library")
    package.weights = PackageOptions::Weights::Embedded;
  else if (weightsPlace == "file")
    package.weights = PackageOptions::Weights::Separate;
  else if (weightsPlace != "auto")
    return line.misuse("'--weights-in' is '" + weightsPlace + "': library, file or auto is expected");
  auto choice = TargetChoice::parse(targetText, /*all=*/true);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference || choice->isEmulated)
    return line.misuse("target '" + targetText + "' cannot be built");
  if (train && (!networkOptions.shapes.empty() || !networkOptions.outputs.empty()))
    return line.misuse("a train block has its shapes and outputs from the source: '--shape' and '--outputs' are for "
                       "networks");

  auto start = std::chrono::steady_clock::now();
  MLIRContext context;
  OwningOpRef<ModuleOp> network;
  TrainingProgram block;
  std::optional<Weights> weights;
  std::vector<Port> ports;
  if (train) {
    block = loadTrainBlock(context, networkOptions.net);
    if (!block)
      return 1;
  } else {
    network = loadNetwork(context, networkOptions);
    if (!network)
      return 1;
    auto opened = Weights::open(*network, weightOptions);
    if (!opened)
      return fail(opened.error().message);
    weights = std::move(*opened);
    ports = inputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction));
  }
  // Programs stream their weights from what they were compiled from.
  std::vector<std::unique_ptr<Compiled>> compiled;
  for (const TargetChoice &part : choice->parts()) {
    auto made = train ? compileStep(block, weightOptions, part.compileOptions(exact))
                      : compile(*network, &*weights, part.compileOptions(exact));
    if (!made)
      return fail(made.error().message);
    compiled.push_back(std::move(*made));
  }
  llvm::SmallVector<std::string> isas;
  for (const auto &part : compiled)
    for (const Variant &variant : part->program.variants)
      isas.push_back(variant.name);
  const std::string name = train ? block.name : networkName(*network);
  Program program;
  if (compiled.size() > 1) {
    std::vector<Program> parts;
    for (const auto &part : compiled)
      parts.push_back(std::move(part->program));
    auto joined = joinPrograms(std::move(parts), cuda::kFrontTarget);
    if (!joined)
      return fail(toError(joined.takeError()).message);
    program = std::move(*joined);
  } else {
    program = std::move(compiled.front()->program);
  }
  if (!train)
    if (auto described = describeInputs(program, ports, weightOptions.file); !described)
      return fail(described.error().message);
  auto result = writePackage(program, package);
  if (!result)
    return fail(toError(result.takeError()).message);
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  int64_t workspace = program.workspaceBytes + program.fixedBytes;
  if (json) {
    host::JsonWriter writer;
    writer.beginObject().member("network", name).array("files", result->files).array("isa", isas);
    writer.member("workspace_bytes", workspace).member("weights_bytes", program.weightsBytes);
    if (train)
      writer.member("state_bytes", program.stateBytes);
    writer.member("weights_hash", fmt::format("{:016x}", result->weightsHash));
    writer.member("weights_embedded", result->weightsEmbedded).member("compile_s", seconds.count()).endObject();
    llvm::outs() << writer.text() << "\n";
    return 0;
  }
  llvm::outs() << name << " for " << llvm::join(isas, ", ") << ", " << fixed(seconds.count(), 2) << " s\n\n";
  Table table({{"file", Table::Align::Left}, {"size", Table::Align::Right}});
  for (const std::string &file : result->files) {
    uint64_t bytes = 0;
    if (llvm::sys::fs::file_size(file, bytes))
      bytes = 0;
    table.add({file, bytesText(static_cast<int64_t>(bytes))});
  }
  table.print(llvm::outs());
  llvm::outs() << "\nweights:   " << bytesText(program.weightsBytes)
               << (program.weightsBytes == 0 ? ""
                   : result->weightsEmbedded ? ", in the library"
                                             : ", in a file of their own")
               << (train ? "\nstate:     " + bytesText(program.stateBytes) + " of the caller's" : "")
               << "\nworkspace: " << bytesText(workspace) << " for a batch of 1\n";
  for (const TensorInfo &input : program.inputs)
    if (!input.values.empty())
      llvm::outs() << "input '" << input.name << "': " << input.values << "\n";
  return 0;
}

} // namespace cnn
