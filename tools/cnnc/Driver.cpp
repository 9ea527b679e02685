// Loads networks for the subcommands; Driver.h has the contract.
#include "tools/cnnc/Driver.h"

#include "codegen/cpu/CpuDialect.h"
#include "frontend/Frontend.h"
#include "frontend/Training.h"
#include "passes/Passes.h"
#include "tools/cnnc/Ports.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

#include <cstdlib>
#include <tuple>

using namespace mlir;

namespace cnn {

bool useColour() {
  const char *noColour = std::getenv("NO_COLOR");
  return llvm::sys::Process::StandardErrHasColors() && (!noColour || !*noColour);
}

int fail(const llvm::Twine &message) {
  if (useColour())
    llvm::errs() << "\033[1;31merror:\033[0m " << message << "\n";
  else
    llvm::errs() << "error: " << message << "\n";
  return 1;
}

/// `image=3x224x224` or `3x224x224` for the input without a name in the option; false when it is no shape.
static bool parseShape(StringRef text, std::pair<std::string, std::vector<int64_t>> &shape) {
  auto [name, extents] = text.contains('=') ? text.split('=') : std::pair(StringRef(), text);
  shape.first = name.str();
  SmallVector<StringRef> words;
  extents.split(words, 'x');
  for (StringRef word : words) {
    int64_t extent = 0;
    if (word == "N")
      extent = ShapedType::kDynamic;
    else if (word.getAsInteger(10, extent) || extent < 1)
      return false;
    shape.second.push_back(extent);
  }
  return !name.empty();
}

void NetworkOptions::declare(CommandLine &line) {
  line.positional("NET", net, "FILE.cnn, or FILE.cnn:NAME where the file holds several networks");
  line.list("shape", "INPUT=1x3x224x224", shapes, "another shape for an input; the batch may be left out",
            [](StringRef text) {
              std::pair<std::string, std::vector<int64_t>> shape;
              return parseShape(text, shape) ? "" : "no shape; expected something like image=1x3x224x224";
            });
  line.list("outputs", "NAME,...", outputs, "only these outputs; what they don't need is dropped");
}

namespace {

/// Keeps the outputs and only what they need, so that no weights are asked for in vain.
LogicalResult selectOutputs(ModuleOp network, ArrayRef<std::string> names) {
  PassManager passes(network.getContext());
  passes.addPass(createSelectOutputs({llvm::to_vector(names)}));
  if (failed(passes.run(network)))
    return failure();
  auto infer = network.lookupSymbol<func::FuncOp>(kInferFunction);
  SmallVector<Operation *> operations(llvm::make_pointer_range(infer.front().without_terminator()));
  for (Operation *op : llvm::reverse(operations))
    if (isOpTriviallyDead(op))
      op->erase();
  llvm::BitVector unused(infer.getNumArguments());
  for (BlockArgument argument : infer.getArguments()) {
    auto state = infer.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), kStateAttr);
    if (!state || !argument.use_empty())
      continue;
    unused.set(argument.getArgNumber());
    network.lookupSymbol(state)->erase();
  }
  return infer.eraseArguments(unused);
}

/// A diagnostic of a pass as the frontend would print it: at the place in the source where the operation came from.
LogicalResult printDiagnostic(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
    return success();
  std::string place;
  diagnostic.getLocation()->walk([&](Location location) {
    auto position = dyn_cast<FileLineColLoc>(location);
    if (!position)
      return WalkResult::advance();
    llvm::raw_string_ostream(place) << position.getFilename().getValue() << ":" << position.getLine() << ":"
                                    << position.getColumn() << ": ";
    return WalkResult::interrupt();
  });
  bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
  llvm::errs() << place << (isError ? "error: " : "warning: ") << diagnostic.str() << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "note: " << note.str() << "\n";
  return success();
}

} // namespace

std::string addTap(ModuleOp network, StringRef path) {
  auto infer = network.lookupSymbol<func::FuncOp>(kInferFunction);
  auto terminator = infer.front().getTerminator();
  Value tapped;
  SmallVector<StringRef> paths;
  for (Operation &op : infer.front().without_terminator()) {
    if (getPath(&op).empty())
      continue;
    paths.push_back(getPath(&op));
    if (getPath(&op) == path)
      tapped = op.getResult(0);
  }
  if (!tapped)
    return "the network has no layer '" + path.str() + "'" + didYouMean(path, paths) +
           "; 'cnnc summary' lists the paths";
  for (unsigned i = 0; i < infer.getNumResults(); ++i)
    if (infer.getResultAttrOfType<StringAttr>(i, kOutputAttr).getValue() == path)
      return "";
  terminator->insertOperands(terminator->getNumOperands(), tapped);
  Builder builder(network.getContext());
  (void)infer.insertResult(infer.getNumResults(), tapped.getType(),
                           builder.getDictionaryAttr(builder.getNamedAttr(kOutputAttr, builder.getStringAttr(path))));
  return "";
}

func::FuncOp mainFunction(ModuleOp module) {
  auto infer = module.lookupSymbol<func::FuncOp>(kInferFunction);
  return infer ? infer : module.lookupSymbol<func::FuncOp>(kStepFunction);
}

std::string networkName(ModuleOp network) { return network.getSymName().value_or("network").str(); }

std::pair<std::string, std::string> splitNet(StringRef net) {
  size_t colon = net.rfind(':');
  if (colon == StringRef::npos || llvm::sys::fs::exists(net))
    return {net.str(), ""};
  return {net.take_front(colon).str(), net.drop_front(colon + 1).str()};
}

void prepareContext(MLIRContext &context) {
  context.loadDialect<CnnDialect, func::FuncDialect, cpu::CpuDialect>();
  context.printOpOnDiagnostic(false);
  context.getDiagEngine().registerHandler(printDiagnostic);
}

OwningOpRef<ModuleOp> loadNetwork(MLIRContext &context, const NetworkOptions &options) {
  prepareContext(context);
  NetworkRequest request;
  std::tie(request.path, request.network) = splitNet(options.net);
  for (const std::string &text : options.shapes) {
    std::pair<std::string, std::vector<int64_t>> shape;
    (void)parseShape(text, shape);
    request.shapes.push_back(std::move(shape));
  }
  Diagnostics diagnostics;
  OwningOpRef<ModuleOp> network = loadNetwork(context, request, diagnostics);
  if (!network) {
    diagnostics.render(llvm::errs(), useColour());
    return nullptr;
  }
  SmallVector<std::string> outputs;
  for (StringRef names : options.outputs)
    for (StringRef name : llvm::split(names, ','))
      outputs.push_back(name.str());
  std::vector<Port> known = outputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction));
  SmallVector<StringRef> names(llvm::map_range(known, [](const Port &port) { return StringRef(port.name); }));
  for (const std::string &output : outputs)
    if (!llvm::is_contained(names, output)) {
      fail("there is no output '" + output + "'; the outputs are " + listOfNames(names, "and") +
           didYouMean(output, names));
      return nullptr;
    }
  if (!outputs.empty() && failed(selectOutputs(*network, outputs)))
    return nullptr;
  std::string problem;
  for (size_t i = 0; i < options.taps.size() && problem.empty(); ++i)
    problem = addTap(*network, options.taps[i]);
  if (!problem.empty()) {
    fail(problem);
    return nullptr;
  }
  return network;
}

OwningOpRef<ModuleOp> loadNetworkOrBlock(MLIRContext &context, const NetworkOptions &options) {
  TrainingRequest request;
  std::tie(request.path, request.train) = splitNet(options.net);
  StringRef part;
  if (StringRef name = request.train; name.ends_with(".evaluate") || name.ends_with(".augment")) {
    std::tie(name, part) = name.rsplit('.');
    request.train = name.str();
  }
  Declarations declared = declarationsOf(request.path);
  bool isBlock = request.train.empty() ? declared.networks.empty() && !declared.trains.empty()
                                       : llvm::is_contained(declared.trains, request.train);
  if (!isBlock)
    return loadNetwork(context, options);
  if (!options.shapes.empty() || !options.outputs.empty() || !options.taps.empty()) {
    fail("a train block has its shapes and outputs from the source: '--shape' and '--outputs' are for networks");
    return nullptr;
  }
  prepareContext(context);
  Diagnostics diagnostics;
  TrainingProgram program = loadTraining(context, request, diagnostics);
  if (!program) {
    diagnostics.render(llvm::errs(), useColour());
    return nullptr;
  }
  if (part == "augment" && !program.augment)
    fail("the train block '" + program.name + "' augments nothing");
  return std::move(part == "evaluate" ? program.evaluate : part == "augment" ? program.augment : program.step);
}

} // namespace cnn
