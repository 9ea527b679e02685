// `cnnc bench`: how long a network or a training step takes, group by group, and what share of the machine's peak that
// is.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/FmaPeak.h"
#include "tools/cnnc/Measurement.h"
#include "tools/cnnc/Target.h"
#include "tools/cnnc/training/SavedState.h"
#include "tools/cnnc/training/TrainingSetup.h"

#include "codegen/package/Loaded.h"
#include "passes/SavedValues.h"
#include "runtime/host/Cpus.h"
#include "runtime/host/File.h"

#include <chrono>

using namespace mlir;

namespace cnn {
namespace {

struct BenchOptions {
  NetworkOptions network;
  WeightOptions weights;
  TargetOptions target;
  MeasuredRun run;
  bool train = false, json = false;
  std::string html;
};

/// What is measured: a compiled program with a session, and its inputs.
struct Subject {
  std::unique_ptr<Compiled> compiled;
  std::unique_ptr<Loaded> loaded;
  std::optional<StateBlock> state;
  std::vector<host::Tensor> inputs;
};

host::Result<void> load(Subject &subject, BenchOptions &options, std::chrono::steady_clock::time_point start) {
  auto loaded = Loaded::create(subject.compiled->program, /*isa=*/{}, codeCache());
  if (!loaded)
    return toError(loaded.takeError());
  subject.loaded = std::move(*loaded);
  options.run.compileSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  void *state = subject.state ? subject.state->data() : nullptr;
  if (llvm::Error error = subject.loaded->openSession(options.run.batch, static_cast<int>(options.run.threads), state))
    return toError(std::move(error));
  return {};
}

host::Result<void> prepareNetwork(Subject &subject, ModuleOp network, const Weights &weights,
                                  const TargetChoice &choice, BenchOptions &options) {
  auto start = std::chrono::steady_clock::now();
  auto compiled = compile(network, &weights, choice.compileOptions(options.target.exact));
  if (!compiled)
    return compiled.error();
  subject.compiled = std::move(*compiled);
  options.run.name = networkName(network);
  subject.inputs =
      randomInputs(inputsOf(network.lookupSymbol<func::FuncOp>(kInferFunction)), options.run.batch, /*seed=*/1);
  return load(subject, options, start);
}

/// The rates of a measured step are 0, so that its parameters stay what they are, however often it runs.
host::Result<void> prepareStep(Subject &subject, TrainingProgram &program, const TargetChoice &choice,
                               BenchOptions &options) {
  auto start = std::chrono::steady_clock::now();
  auto compiled = compile(*program.step, /*weights=*/nullptr, choice.compileOptions(options.target.exact));
  if (!compiled)
    return compiled.error();
  subject.compiled = std::move(*compiled);
  options.run.name = program.name;
  options.run.savedBytes =
      savedBytes(savedValues(subject.compiled->module->lookupSymbol<func::FuncOp>(kRunFunction)), options.run.batch);
  const Program &lowered = subject.compiled->program;
  auto state = StateBlock::create(lowered.state, lowered.stateBytes);
  if (!state)
    return state.error();
  subject.state = std::move(*state);
  if (auto done = initializeState(*subject.state, *subject.compiled->module, program, settingsOf(program).seed,
                                  options.weights.file);
      !done)
    return done.error();
  subject.inputs = randomStepInputs(lowered, program.inputs, options.run.batch);
  return load(subject, options, start);
}

} // namespace

int benchCommand(ArrayRef<std::string> arguments) {
  BenchOptions options;
  CommandLine line("cnnc bench", "Measures a network's time on random inputs, group by group.");
  options.network.declare(line);
  options.weights.declare(line);
  options.target.declare(line);
  line.flag("train", options.train, "measure a step of training: NET is a train block");
  line.number("batch", "N", options.run.batch, 1, int64_t(1) << 20, "images at a time (1)");
  line.number("runs", "N", options.run.runs, 1, 1000000000, "how often to run (for two seconds)");
  line.text("html", "FILE", options.html, "write a page with a table of the groups and their roofline as well");
  line.flag("json", options.json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  auto choice = TargetChoice::parse(options.target.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' is not made for speed");
  if (choice->isCuda() && !options.html.empty())
    return line.misuse("the page's roofline is the CPU's: '--html' is not for target '" + options.target.target + "'");
  if (options.train && (!options.network.shapes.empty() || !options.network.outputs.empty()))
    return line.misuse("a train block has its shapes and outputs from the source: '--shape' and '--outputs' are for "
                       "networks");
  options.run.threads = options.target.threads ? options.target.threads : host::usableCpus();

  MLIRContext context;
  Subject subject;
  TrainingProgram program;
  OwningOpRef<ModuleOp> network;
  std::optional<Weights> weights;
  host::Result<void> ready;
  if (options.train) {
    program = loadTrainBlock(context, options.network.net);
    if (!program)
      return 1;
    ready = prepareStep(subject, program, *choice, options);
  } else {
    network = loadNetwork(context, options.network);
    if (!network)
      return 1;
    // The values of weights do not matter for the time.
    if (options.weights.file.empty() && !options.weights.seed)
      options.weights.seed = 1;
    auto opened = Weights::open(*network, options.weights);
    if (!opened)
      return fail(opened.error().message);
    weights = std::move(*opened);
    ready = prepareNetwork(subject, *network, *weights, *choice, options);
  }
  if (!ready)
    return fail(ready.error().message);
  auto inputs =
      llvm::map_to_vector(subject.inputs, [](const host::Tensor &input) -> const void * { return input.bytes.data(); });
  auto measured = measure(*subject.loaded, inputs, options.run);
  if (!measured)
    return fail(measured.error().message);
  const double peak =
      choice->isCuda() ? 0 : measurePeakGflops(subject.loaded->isa(), static_cast<int>(options.run.threads));
  if (!options.html.empty())
    if (auto written =
            host::writeFile(options.html, htmlReport(measurementReport(*subject.loaded, options.run, *measured, peak)));
        !written)
      return fail(written.error().message);
  printMeasurement(*subject.loaded, options.run, *measured, peak, options.json);
  return 0;
}

} // namespace cnn
