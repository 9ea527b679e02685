// `cnnc verify`: the compiled network against the reference implementation.
//
// Group by group: the group's results must lie within the bound of ir/reference/Bounds.h for the operands that the
// compiled code had. What a group reads must be, bit for bit, what was written there, however the memory plan shares
// it; and a run that nobody watches must give the same bits as the watched one. At last the outputs are compared with
// the reference's for the network as elaborated, which also finds what passes and packing got wrong.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/StageCheck.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"

#include "codegen/package/Loaded.h"
#include "ir/reference/Bounds.h"
#include "ir/reference/Materialize.h"
#include "runtime/host/Cpus.h"
#include "runtime/host/Json.h"

#include "llvm/ADT/DenseMap.h"

#include <cstring>

using namespace mlir;

namespace cnn {
namespace {

using reference::Tensor;
using reference::TensorRef;

/// Of the outputs' largest magnitude: rounding errors of some ten layers stay far below, wrong weights far above.
constexpr double kEndToEnd = 1e-3;

struct GroupResult {
  std::string path, kind;
  reference::Difference difference;
};

class Verifier {
public:
  Verifier(Compiled &compiled, Loaded &loaded, int64_t batch, unsigned threads)
      : compiled(compiled), loaded(loaded), groups(compiled.groups()), batch(batch) {
    options.batch = batch;
    options.threads = threads;
  }

  /// Runs the network on the inputs, watched, and compares each group. An empty string, or why that was not possible.
  std::string run(ArrayRef<const void *> inputs, ArrayRef<void *> outputs);

  std::vector<GroupResult> results;
  /// Where a group read something else than was written, or an empty string.
  std::string corruption;

private:
  /// The logical value of an operand as it lies in memory.
  TensorRef read(const Operand &operand, RankedTensorType type) const;
  /// What `value` must hold: what was written, moved along by groups that run no code. Null for inputs and weights.
  TensorRef expected(Value value);
  void before(GroupOp group, const GroupInfo &info);
  void after(GroupOp group, const GroupInfo &info);

  Compiled &compiled;
  Loaded &loaded;
  SmallVector<GroupOp> groups;
  int64_t batch;
  reference::EvaluateOptions options;
  SmallVector<TensorRef> operands;
  llvm::DenseMap<Value, TensorRef> written;
  std::string problem;
};

TensorRef Verifier::read(const Operand &operand, RankedTensorType type) const {
  auto [address, stride] = loaded.resolve(operand, batch);
  SmallVector<int64_t> shape(type.getShape());
  if (!type.isDynamicDim(0))
    return share(reference::load(type, shape, {address, static_cast<size_t>(storedBytes(type, /*whole=*/true))}));
  shape[0] = batch;
  size_t imageBytes = static_cast<size_t>(storedBytes(type, /*whole=*/false));
  std::vector<char> dense(imageBytes * static_cast<size_t>(batch));
  for (int64_t image = 0; image < batch; ++image)
    std::memcpy(dense.data() + imageBytes * static_cast<size_t>(image), address + image * stride, imageBytes);
  return share(reference::load(type, shape, dense));
}

TensorRef Verifier::expected(Value value) {
  if (TensorRef known = written.lookup(value))
    return known;
  auto group = value.getDefiningOp<GroupOp>();
  if (!group || !group.getElided())
    return nullptr;
  SmallVector<TensorRef> sources;
  for (Value operand : group.getInputs()) {
    sources.push_back(expected(operand));
    if (!sources.back())
      return nullptr;
  }
  auto moved = reference::evaluate(group.getOperation(), sources, options);
  if (failed(moved))
    return nullptr;
  return (*moved)[cast<OpResult>(value).getResultNumber()];
}

/// Equal bits, but for the sign of zero and the payload of NaN, which doubles keep or not.
bool sameValues(const Tensor &a, const Tensor &b) {
  return std::memcmp(a.data(), b.data(), a.values.size() * sizeof(double)) == 0 ||
         std::equal(a.values.begin(), a.values.end(), b.values.begin(),
                    [](double x, double y) { return x == y || (x != x && y != y); });
}

void Verifier::before(GroupOp group, const GroupInfo &info) {
  operands.clear();
  for (auto [index, value] : llvm::enumerate(group.getInputs())) {
    operands.push_back(read(info.operands[index], cast<RankedTensorType>(value.getType())));
    TensorRef was = expected(value);
    if (was && corruption.empty() && !sameValues(*was, *operands.back()))
      corruption = "operand " + std::to_string(index) + " of '" + info.path + "' was overwritten before it was read";
  }
}

void Verifier::after(GroupOp group, const GroupInfo &info) {
  auto bounded = reference::evaluateWithBounds(group, operands, options);
  if (failed(bounded)) {
    problem = "the reference implementation cannot evaluate '" + info.path + "'";
    return;
  }
  GroupResult result{info.path, info.kind, {}};
  for (auto [index, value] : llvm::enumerate(group.getOutputs())) {
    TensorRef got = read(info.results[index], cast<RankedTensorType>(value.getType()));
    written[value] = got;
    reference::Difference difference = reference::compare(*got, (*bounded)[index]);
    reference::Difference &all = result.difference;
    all.passed &= difference.passed;
    all.maxAbsolute = std::max(all.maxAbsolute, difference.maxAbsolute);
    all.maxRelative = std::max(all.maxRelative, difference.maxRelative);
    all.maxUlp = std::max(all.maxUlp, difference.maxUlp);
    all.maxOfBound = std::max(all.maxOfBound, difference.maxOfBound);
  }
  results.push_back(std::move(result));
}

std::string Verifier::run(ArrayRef<const void *> inputs, ArrayRef<void *> outputs) {
  const Program &program = compiled.program;
  if (groups.size() != program.groups.size())
    return "the program's groups are not those of the network";
  auto observer = [&](const StepView &view) {
    size_t group = static_cast<size_t>(view.step->group);
    if (!problem.empty())
      return;
    bool isFirst = view.index == 0 || program.steps[view.index - 1].group != view.step->group;
    bool isLast = view.index + 1 == program.steps.size() || program.steps[view.index + 1].group != view.step->group;
    if (!view.after && isFirst)
      before(groups[group], program.groups[group]);
    if (view.after && isLast)
      after(groups[group], program.groups[group]);
  };
  if (llvm::Error error = loaded.run(batch, inputs, outputs, StepObserver(observer)))
    return toError(std::move(error)).message;
  return problem;
}

struct Report {
  std::vector<GroupResult> groups;
  double maxAbsolute = 0, maxRelative = 0, maxUlp = 0, maxOfBound = 0;
  std::string worst;
  double endToEnd = 0;
  std::vector<std::string> failures;
};

void printReport(const Report &report, llvm::StringRef name, llvm::StringRef target) {
  llvm::outs() << name << " on " << target << " against the reference implementation\n\n";
  using Align = Table::Align;
  Table table({{"group", Align::Left},
               {"kind", Align::Left},
               {"largest error", Align::Right},
               {"relative", Align::Right},
               {"ULP", Align::Right},
               {"of bound", Align::Right},
               {"", Align::Left}});
  for (const GroupResult &group : report.groups)
    table.add({group.path, group.kind, fmt::format("{:.3g}", group.difference.maxAbsolute),
               fmt::format("{:.3g}", group.difference.maxRelative), fmt::format("{:.1f}", group.difference.maxUlp),
               fixed(100 * group.difference.maxOfBound, 1) + " %", group.difference.passed ? "" : "FAILED"});
  table.print(llvm::outs());
  llvm::outs() << "\nend to end: " << fmt::format("{:.3g}", report.endToEnd) << " of the outputs' largest value\n";
  for (const std::string &failure : report.failures)
    llvm::outs() << "failed: " << failure << "\n";
  llvm::outs() << (report.failures.empty() ? "passed\n" : "");
}

} // namespace

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
  CompileOptions compileOptions{llvm::to_vector(choice->isas), targetOptions.exact};
  int64_t threads = targetOptions.threads ? targetOptions.threads : host::usableCpus();

  Report report;
  auto exact = createReferenceTarget(*network, *weights, threads)->run(*inputs);
  if (!exact)
    return fail(exact.error().message);
  if (stages) {
    std::string changed = checkStages(*network, *weights, *inputs, compileOptions, static_cast<unsigned>(threads));
    if (!changed.empty())
      report.failures.push_back(changed);
  }
  auto compiled = compile(*network, &*weights, compileOptions);
  if (!compiled)
    return fail(compiled.error().message);
  auto loaded = Loaded::create((*compiled)->program);
  if (!loaded)
    return fail(toError(loaded.takeError()).message);
  if (llvm::Error error = (*loaded)->openSession(batch, static_cast<int>(threads)))
    return fail(toError(std::move(error)).message);

  std::vector<host::Tensor> outputs = *exact, unwatched = *exact;
  auto run = [&](std::vector<host::Tensor> &results, auto run) {
    SmallVector<const void *> inputData;
    SmallVector<void *> outputData;
    for (const host::Tensor &input : *inputs)
      inputData.push_back(input.bytes.data());
    for (host::Tensor &output : results)
      outputData.push_back(output.bytes.data());
    return run(inputData, outputData);
  };
  Verifier verifier(**compiled, **loaded, batch, static_cast<unsigned>(threads));
  std::string problem = run(outputs, [&](auto &in, auto &out) { return verifier.run(in, out); });
  if (!problem.empty())
    return fail(problem);
  if (llvm::Error error = run(unwatched, [&](auto &in, auto &out) { return (*loaded)->run(batch, in, out); }))
    return fail(toError(std::move(error)).message);

  report.groups = std::move(verifier.results);
  for (const GroupResult &group : report.groups) {
    report.maxAbsolute = std::max(report.maxAbsolute, group.difference.maxAbsolute);
    report.maxRelative = std::max(report.maxRelative, group.difference.maxRelative);
    report.maxUlp = std::max(report.maxUlp, group.difference.maxUlp);
    if (report.worst.empty() || group.difference.maxOfBound > report.maxOfBound || !group.difference.passed) {
      report.maxOfBound = std::max(report.maxOfBound, group.difference.maxOfBound);
      report.worst = group.path;
    }
    if (!group.difference.passed)
      report.failures.push_back("'" + group.path + "' exceeds its bound");
  }
  if (!verifier.corruption.empty())
    report.failures.push_back(verifier.corruption);
  for (auto [port, output, other, expected] :
       llvm::zip_equal(outputsOf(network->lookupSymbol<func::FuncOp>(kInferFunction)), outputs, unwatched, *exact)) {
    if (output.bytes != other.bytes)
      report.failures.push_back("output '" + port.name + "' has other bits when the run is not watched");
    double relative = largestDifference(output, expected);
    report.endToEnd = std::max(report.endToEnd, relative);
    if (!(relative <= kEndToEnd))
      report.failures.push_back(
          fmt::format("output '{}' is {:.3g} of its largest value away from the reference", port.name, relative));
  }

  if (json) {
    host::JsonWriter writer;
    writer.beginObject().member("network", networkName(*network)).member("isa", (*loaded)->isa());
    writer.member("max_abs", report.maxAbsolute).member("max_rel", report.maxRelative).member("max_ulp", report.maxUlp);
    writer.member("worst", report.worst).member("of_bound", report.maxOfBound).member("end_to_end", report.endToEnd);
    writer.member("passed", report.failures.empty()).array("failures", report.failures).endObject();
    llvm::outs() << writer.text() << "\n";
  } else {
    printReport(report, networkName(*network), "cpu (" + (*loaded)->isa() + ")");
  }
  return report.failures.empty() ? 0 : 1;
}

} // namespace cnn
