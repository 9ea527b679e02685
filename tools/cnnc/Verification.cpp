// Runs both plans of a compiled network and gathers what differs; Verification.h has the contract.
#include "tools/cnnc/Verification.h"

#include "runtime/host/Json.h"
#include "tools/cnnc/StageCheck.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace cnn {
namespace {

/// Of the outputs' largest magnitude: rounding errors of some ten layers stay far below, wrong weights far above. Of
/// factors that are rounded, so many units.
double endToEndBound(const Program &program) {
  constexpr double kUnits = 16;
  return llvm::StringSwitch<double>(program.precision)
      .Cases({"tf32", "f16"}, kUnits * 0x1p-11)
      .Case("bf16", kUnits * 0x1p-8)
      .Default(1e-3);
}

host::Result<std::unique_ptr<Loaded>> load(const Program &program, const VerifyCase &against) {
  auto loaded = Loaded::create(program, /*isa=*/{}, codeCache());
  if (!loaded)
    return toError(loaded.takeError());
  if (llvm::Error error = (*loaded)->openSession(against.batch, static_cast<int>(against.threads)))
    return toError(std::move(error));
  return std::move(*loaded);
}

/// Addresses of tensors, as runs take them.
struct Buffers {
  Buffers(const std::vector<host::Tensor> &inputs, std::vector<host::Tensor> &outputs) {
    for (const host::Tensor &input : inputs)
      this->inputs.push_back(input.bytes.data());
    for (host::Tensor &output : outputs)
      this->outputs.push_back(output.bytes.data());
  }
  SmallVector<const void *> inputs;
  SmallVector<void *> outputs;
};

host::Result<std::vector<host::Tensor>> runPlainly(Loaded &loaded, const VerifyCase &against) {
  std::vector<host::Tensor> outputs = against.expected;
  Buffers buffers(against.inputs, outputs);
  if (llvm::Error error = loaded.run(against.batch, buffers.inputs, buffers.outputs))
    return toError(std::move(error));
  return outputs;
}

void addGroups(VerifyReport &report, std::vector<GroupResult> groups) {
  for (GroupResult &group : groups) {
    const reference::Difference &difference = group.difference;
    report.maxAbsolute = std::max(report.maxAbsolute, difference.maxAbsolute);
    report.maxRelative = std::max(report.maxRelative, difference.maxRelative);
    report.maxUlp = std::max(report.maxUlp, difference.maxUlp);
    if (report.worst.empty() || difference.maxOfBound > report.maxOfBound) {
      report.maxOfBound = difference.maxOfBound;
      report.worst = group.path;
    }
    if (!difference.passed)
      report.failures.push_back(
          fmt::format("'{}' exceeds its bound: element {} is {:.9g}, the reference is {:.9g}, {:.3g} apart is allowed",
                      group.path, difference.worst, group.computed, group.expected, group.bound));
    report.groups.push_back(std::move(group));
  }
}

} // namespace

host::Result<VerifyReport> verifyCompiled(Compiled &shipped, Compiled &kept, const VerifyCase &against) {
  VerifyReport report;
  auto loaded = load(shipped.program, against);
  if (!loaded)
    return loaded.error();
  report.isa = (*loaded)->isa();
  report.target = describeTarget(**loaded);

  GroupCheck check(shipped, **loaded, against.batch, static_cast<unsigned>(against.threads));
  std::vector<host::Tensor> watched = against.expected;
  Buffers buffers(against.inputs, watched);
  if (std::string problem = check.run(buffers.inputs, buffers.outputs); !problem.empty())
    return host::makeError("{}", problem);
  addGroups(report, std::move(check.results));
  for (std::string problem : {check.corruption, check.checkWeights(against.weights)})
    if (!problem.empty())
      report.failures.push_back(std::move(problem));

  auto unwatched = runPlainly(**loaded, against);
  if (!unwatched)
    return unwatched.error();
  auto keptLoaded = load(kept.program, against);
  if (!keptLoaded)
    return keptLoaded.error();
  auto keptOutputs = runPlainly(**keptLoaded, against);
  if (!keptOutputs)
    return keptOutputs.error();
  for (auto [port, output, other, keptOutput, expected] :
       llvm::zip_equal(against.outputs, watched, *unwatched, *keptOutputs, against.expected)) {
    if (keptOutput.bytes != other.bytes)
      report.failures.push_back("output '" + port.name + "' has other bits when every buffer is kept");
    if (output.bytes != other.bytes)
      report.failures.push_back("output '" + port.name + "' has other bits when the run is not watched");
    double relative = largestDifference(output, expected);
    report.endToEnd = std::max(report.endToEnd, relative);
    if (!(relative <= endToEndBound(shipped.program)))
      report.failures.push_back(
          fmt::format("output '{}' is {:.3g} of its largest value away from the reference", port.name, relative));
  }
  return report;
}

int printReport(const VerifyReport &report, bool json, llvm::raw_ostream &stream) {
  int code = report.passed() ? 0 : 1;
  if (json) {
    host::JsonWriter writer;
    writer.beginObject().member("network", report.network).member("isa", report.isa);
    writer.member("max_abs", report.maxAbsolute).member("max_rel", report.maxRelative).member("max_ulp", report.maxUlp);
    writer.member("worst", report.worst).member("of_bound", report.maxOfBound).member("end_to_end", report.endToEnd);
    writer.member("passed", report.passed()).array("failures", report.failures).endObject();
    stream << writer.text() << "\n";
    return code;
  }
  stream << report.network << " on " << report.target << " against the reference implementation\n\n";
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
  table.print(stream);
  stream << "\nend to end: " << fmt::format("{:.3g}", report.endToEnd) << " of the outputs' largest value\n";
  for (const std::string &failure : report.failures)
    stream << "failed: " << failure << "\n";
  stream << (report.passed() ? "passed\n" : "");
  return code;
}

} // namespace cnn
