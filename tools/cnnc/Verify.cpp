// `cnnc verify`: the compiled network against the reference implementation, and with `--stages` every pass too.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/StageCheck.h"
#include "tools/cnnc/Target.h"
#include "tools/cnnc/Verification.h"

#include "runtime/host/Cpus.h"

using namespace mlir;

namespace cnn {

int verifyCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  WeightOptions weightOptions;
  TargetOptions targetOptions;
  std::vector<std::string> inputFiles;
  int64_t batch = 1;
  bool stages = false, json = false;
  CommandLine line("cnnc verify", "Compares the compiled network with the reference implementation, group by group.");
  networkOptions.declare(line);
  weightOptions.declare(line);
  targetOptions.declare(line);
  line.list("input", "[INPUT=]FILE", inputFiles, "inputs as for run; random ones otherwise");
  line.number("batch", "N", batch, 1, 4096, "images at a time, when inputs are random (1)");
  line.flag("stages", stages, "evaluate the network after every pass and name the one that changes its meaning");
  line.flag("json", json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  auto choice = TargetChoice::parse(targetOptions.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' is what others are compared with");

  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, networkOptions);
  if (!network)
    return 1;
  auto weights = Weights::open(*network, weightOptions);
  if (!weights)
    return fail(weights.error().message);
  std::vector<Port> ports = inputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction));
  auto inputs = inputFiles.empty() ? host::Result<std::vector<host::Tensor>>(randomInputs(ports, batch, /*seed=*/1))
                                   : readInputs(inputFiles, ports);
  if (!inputs)
    return fail(inputs.error().message);
  for (auto [port, input] : llvm::zip_equal(ports, *inputs))
    if (port.type.isDynamicDim(0))
      batch = input.shape.front();
  CompileOptions compileOptions = choice->compileOptions(targetOptions.exact);
  int64_t threads = targetOptions.threads ? targetOptions.threads : host::usableCpus();

  auto exact = createReferenceTarget(*network, *weights, threads)->run(*inputs);
  if (!exact)
    return fail(exact.error().message);
  std::string changed;
  if (stages)
    changed = checkStages(*network, *weights, *inputs, compileOptions, static_cast<unsigned>(threads));
  auto shipped = compile(*network, &*weights, compileOptions);
  if (!shipped)
    return fail(shipped.error().message);
  compileOptions.keepBuffers = true;
  auto kept = compile(*network, &*weights, compileOptions);
  if (!kept)
    return fail(kept.error().message);
  auto report = verifyCompiled(**shipped, **kept,
                               {*weights, outputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction)),
                                std::move(*inputs), std::move(*exact), batch, threads});
  if (!report)
    return fail(report.error().message);
  report->network = networkName(*network);
  if (!changed.empty())
    report->failures.insert(report->failures.begin(), changed);
  return printReport(*report, json);
}

} // namespace cnn
