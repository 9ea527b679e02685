// `cnnc bench`: how long a network takes, group by group, and what share of the machine's peak that is.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/FmaPeak.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"

#include "codegen/package/Loaded.h"
#include "runtime/host/Cpus.h"
#include "runtime/host/Json.h"

#include <algorithm>
#include <chrono>
#include <limits>

using namespace mlir;

namespace cnn {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  NetworkOptions network;
  WeightOptions weights;
  TargetOptions target;
  int64_t batch = 1, runs = 0;
  double seconds = 2;
  bool json = false;
};

struct GroupTime {
  double best = std::numeric_limits<double>::infinity();
  double current = 0;
};

struct Measurement {
  double minimum = 0, median = 0;
  size_t runs = 0;
  std::vector<GroupTime> groups;
};

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

/// Runs until `seconds` have gone by, or `runs` times, alternating runs without and with a clock in each step, so that
/// the total is not slowed down by the clock.
host::Result<Measurement> measure(Loaded &loaded, ArrayRef<host::Tensor> inputs, const BenchOptions &options) {
  const Program &program = loaded.program();
  std::vector<host::Tensor> outputs;
  std::vector<const void *> inputData;
  std::vector<void *> outputData;
  for (const host::Tensor &input : inputs)
    inputData.push_back(input.bytes.data());
  for (const TensorInfo &info : program.outputs) {
    std::vector<int64_t> shape = info.shape;
    if (info.batched)
      shape.insert(shape.begin(), options.batch);
    outputs.push_back(host::Tensor::zeros(info.dtype, shape));
    outputData.push_back(outputs.back().bytes.data());
  }
  Measurement result;
  result.groups.resize(program.groups.size());
  std::vector<double> times;
  Clock::time_point stepStart;
  auto observer = [&](const StepView &view) {
    if (!view.after)
      stepStart = Clock::now();
    else
      result.groups[static_cast<size_t>(view.step->group)].current += milliseconds(Clock::now() - stepStart);
  };
  auto start = Clock::now();
  // The first run is for warming up: page faults, clock rates.
  for (int64_t run = 0;
       run < 2 || (options.runs ? run <= options.runs : milliseconds(Clock::now() - start) < 1000 * options.seconds);
       ++run) {
    auto runStart = Clock::now();
    if (llvm::Error error = loaded.run(options.batch, inputData, outputData))
      return toError(std::move(error));
    double elapsed = milliseconds(Clock::now() - runStart);
    if (run == 0)
      continue;
    times.push_back(elapsed);
    for (GroupTime &group : result.groups)
      group.current = 0;
    if (llvm::Error error = loaded.run(options.batch, inputData, outputData, StepObserver(observer)))
      return toError(std::move(error));
    for (GroupTime &group : result.groups)
      group.best = std::min(group.best, group.current);
  }
  std::sort(times.begin(), times.end());
  result.minimum = times.front();
  result.median = times[times.size() / 2];
  result.runs = times.size();
  return result;
}

void printJson(llvm::StringRef name, const Program &program, const BenchOptions &options, const Measurement &measured,
               llvm::StringRef isa, int64_t threads, double flops, double peak, double compileSeconds) {
  host::JsonWriter json;
  json.beginObject().member("network", name.str()).member("batch", options.batch).member("threads", threads);
  json.member("isa", isa.str()).member("min_ms", measured.minimum).member("median_ms", measured.median);
  json.member("runs", measured.runs).member("gflops", flops / measured.minimum * 1e-6).member("peak_gflops", peak);
  json.member("compile_s", compileSeconds).key("groups").beginArray();
  for (auto [group, time] : llvm::zip_equal(program.groups, measured.groups)) {
    double groupFlops = static_cast<double>(group.flopsPerImage * options.batch);
    json.beginObject().member("path", group.path).member("kind", group.kind).member("algorithm", group.algorithm);
    json.member("min_ms", time.best).member("gflops", time.best > 0 ? groupFlops / time.best * 1e-6 : 0.0).endObject();
  }
  llvm::outs() << json.endArray().endObject().text() << "\n";
}

void printTable(llvm::StringRef name, const Program &program, const BenchOptions &options, const Measurement &measured,
                llvm::StringRef isa, int64_t threads, double flops, double peak) {
  llvm::outs() << name << " on cpu (" << isa << "), " << threads << (threads == 1 ? " thread" : " threads")
               << ", batch " << options.batch << ", " << measured.runs << " runs\n\n";
  using Align = Table::Align;
  Table table({{"group", Align::Left},
               {"kind", Align::Left},
               {"algorithm", Align::Left},
               {"ms", Align::Right},
               {"of total", Align::Right},
               {"GFLOP/s", Align::Right},
               {"of peak", Align::Right},
               {"GB/s", Align::Right}});
  double total = 0;
  for (const GroupTime &time : measured.groups)
    total += time.best;
  for (auto [group, time] : llvm::zip_equal(program.groups, measured.groups)) {
    double rate = static_cast<double>(group.flopsPerImage * options.batch) / time.best * 1e-6;
    double bytes = static_cast<double>(group.bytesPerImage * options.batch) / time.best * 1e-6;
    bool hasArithmetic = group.flopsPerImage > 0 && time.best > 0;
    table.add({group.path, group.kind, group.algorithm, fixed(time.best, 4),
               fixed(100 * time.best / std::max(total, 1e-9), 1) + " %", hasArithmetic ? fixed(rate, 1) : "",
               hasArithmetic ? fixed(100 * rate / peak, 1) + " %" : "", time.best > 0 ? fixed(bytes, 1) : ""});
  }
  table.print(llvm::outs());
  double rate = flops / measured.minimum * 1e-6;
  llvm::outs() << "\nbest " << fixed(measured.minimum, 3) << " ms, median " << fixed(measured.median, 3) << " ms, "
               << fixed(rate, 1) << " GFLOP/s, " << fixed(100 * rate / peak, 1) << " % of the measured peak of "
               << fixed(peak, 1) << " GFLOP/s\n"
               << "GFLOP/s count two operations a multiply-add of the direct method.\n";
}

} // namespace

int benchCommand(ArrayRef<std::string> arguments) {
  BenchOptions options;
  CommandLine line("cnnc bench", "Measures a network's time on random inputs, group by group.");
  options.network.declare(line);
  options.weights.declare(line);
  options.target.declare(line);
  line.number("batch", "N", options.batch, 1, int64_t(1) << 20, "images at a time (1)");
  line.number("runs", "N", options.runs, 1, 1000000000, "how often to run (for two seconds)");
  line.flag("json", options.json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  auto choice = TargetChoice::parse(options.target.target, /*all=*/false);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' is not made for speed");

  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetwork(context, options.network);
  if (!network)
    return 1;
  // The values of weights do not matter for the time.
  if (options.weights.file.empty() && !options.weights.seed)
    options.weights.seed = 1;
  auto weights = Weights::open(*network, options.weights);
  if (!weights)
    return fail(weights.error().message);
  auto compiled = compile(*network, &*weights, {llvm::to_vector(choice->isas), options.target.exact});
  if (!compiled)
    return fail(compiled.error().message);
  const Program &program = (*compiled)->program;
  auto compileStart = Clock::now();
  auto loaded = Loaded::create(program);
  if (!loaded)
    return fail(toError(loaded.takeError()).message);
  double compileSeconds = (*compiled)->seconds + milliseconds(Clock::now() - compileStart) / 1000;
  int64_t threads = options.target.threads ? options.target.threads : host::usableCpus();
  if (llvm::Error error = (*loaded)->openSession(options.batch, static_cast<int>(threads)))
    return fail(toError(std::move(error)).message);
  auto measured = measure(
      **loaded, randomInputs(inputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction)), options.batch, 1), options);
  if (!measured)
    return fail(measured.error().message);
  double peak = measurePeakGflops((*loaded)->isa(), static_cast<int>(threads));
  double flops = 0;
  for (const GroupInfo &group : program.groups)
    flops += static_cast<double>(group.flopsPerImage * options.batch);
  if (options.json)
    printJson(networkName(*network), program, options, *measured, (*loaded)->isa(), threads, flops, peak,
              compileSeconds);
  else
    printTable(networkName(*network), program, options, *measured, (*loaded)->isa(), threads, flops, peak);
  return 0;
}

} // namespace cnn
