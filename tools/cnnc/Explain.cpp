// `cnnc explain`: what became of each layer, and why not more.
#include "tools/cnnc/Commands.h"
#include "tools/cnnc/Compile.h"
#include "tools/cnnc/DeviceReport.h"
#include "tools/cnnc/Driver.h"
#include "tools/cnnc/FmaPeak.h"
#include "tools/cnnc/HtmlReport.h"
#include "tools/cnnc/MemoryPeak.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Table.h"
#include "tools/cnnc/Target.h"

#include "passes/SavedValues.h"
#include "runtime/host/Cpus.h"
#include "runtime/host/File.h"
#include "runtime/host/Json.h"

using namespace mlir;

namespace cnn {
namespace {

/// "conv2d (conv1), relu": the operations of the body, with the paths of those that are layers.
std::string bodyText(GroupOp group) {
  std::string text;
  for (Operation &op : group.getBlock().without_terminator()) {
    if (isa<ConstantOp>(op))
      continue;
    text += (text.empty() ? "" : ", ") + op.getName().stripDialect().str();
    if (!getPath(&op).empty() && getPath(&op) != group.getPath())
      text += " (" + getPath(&op).str() + ")";
  }
  return text;
}

/// "[N][C/16][H][W][16]"-like: outer extents and tiles in storage order.
std::string layoutText(RankedTensorType type) {
  LayoutAttr layout = getLayout(type);
  if (!layout)
    return "row-major";
  std::string text;
  for (int64_t extent : layout.storageShape(type.getShape()))
    text += ShapedType::isDynamic(extent) ? "[N]" : "[" + std::to_string(extent) + "]";
  return text;
}

std::string placementText(PlacementAttr placement) {
  std::string text = stringifySegment(placement.getSegment()).str();
  bool isNumbered = placement.getSegment() == Segment::Input || placement.getSegment() == Segment::Output;
  text += isNumbered ? " " : " at ";
  text += std::to_string(placement.getOffset());
  if (placement.getSlice())
    text += ", slice at " + std::to_string(placement.getSlice());
  if (placement.getImageStride() && !isNumbered)
    text += ", " + bytesText(placement.getImageStride()) + " an image";
  return text;
}

struct Explanation {
  std::string path, kind, operations;
  std::vector<std::string> layouts, places, notes;
  struct Choice {
    std::string isa, algorithm, description;
  };
  std::vector<Choice> schedules;
  bool elided;
};

Explanation explain(GroupOp group) {
  Explanation result;
  result.path = group.getPath().str();
  result.kind = group.getKind().str();
  result.operations = bodyText(group);
  result.elided = group.getElided();
  for (Value value : group.getOutputs()) {
    auto type = cast<RankedTensorType>(value.getType());
    result.layouts.push_back(typeText(type) + " as " + layoutText(type));
  }
  if (ArrayAttr placements = group.getPlacementsAttr())
    for (auto [index, placement] : llvm::enumerate(placements.getAsRange<PlacementAttr>()))
      result.places.push_back((index < group.getNumResults() ? "" : "scratch: ") + placementText(placement));
  if (DictionaryAttr schedules = group.getSchedulesAttr())
    for (NamedAttribute entry : schedules)
      if (auto schedule = dyn_cast<ScheduleAttrInterface>(entry.getValue()))
        result.schedules.push_back({entry.getName().str(), schedule.algorithmName().str(), schedule.describe()});
  if (ArrayAttr notes = group.getNotesAttr())
    for (StringAttr note : notes.getAsRange<StringAttr>())
      result.notes.push_back(note.str());
  return result;
}

void print(const Explanation &group, ArrayRef<std::string> figures) {
  llvm::outs() << group.path << ": " << group.kind << (group.elided ? ", in place: nothing runs" : "") << "\n"
               << "  computes:  " << group.operations << "\n";
  for (const std::string &layout : group.layouts)
    llvm::outs() << "  result:    " << layout << "\n";
  for (const std::string &place : group.places)
    llvm::outs() << "  memory:    " << place << "\n";
  for (const Explanation::Choice &choice : group.schedules)
    llvm::outs() << "  " << llvm::left_justify(choice.isa + ":", 11) << choice.description << "\n";
  for (const std::string &line : figures)
    llvm::outs() << "  " << line << "\n";
  for (const std::string &note : group.notes)
    llvm::outs() << "  note:      " << note << "\n";
}

/// `device` may be null; `number` is the group's in its program.
void write(host::JsonWriter &json, const Explanation &group, const DeviceReport *device, size_t number) {
  json.beginObject().member("path", group.path).member("kind", group.kind).member("operations", group.operations);
  json.array("layouts", group.layouts).array("memory", group.places).member("in_place", group.elided);
  json.key("schedules").beginObject();
  for (const Explanation::Choice &choice : group.schedules)
    json.key(choice.isa)
        .beginObject()
        .member("algorithm", choice.algorithm)
        .member("schedule", choice.description)
        .endObject();
  json.endObject();
  if (device && !group.elided)
    device->write(json, number);
  json.array("notes", group.notes).endObject();
}

/// What a training step keeps for the backward pass, and what it computes again.
struct Backward {
  std::vector<SavedValue> saved;
  std::vector<std::string> again;
};

void print(const Backward &backward) {
  int64_t fixed = savedBytes(backward.saved, 0);
  llvm::outs() << "saved for the backward pass: " << bytesText(savedBytes(backward.saved, 1) - fixed) << " an image, "
               << bytesText(fixed) << " for all\n";
  for (const SavedValue &value : backward.saved)
    llvm::outs() << "  " << value.path << ": " << typeText(cast<RankedTensorType>(value.value.getType())) << ", "
                 << bytesText(value.bytes) << (value.batched ? " an image" : "") << ", read by "
                 << llvm::join(value.readers, ", ") << "\n";
  if (!backward.again.empty())
    llvm::outs() << "computed again in the backward pass: " << llvm::join(backward.again, ", ") << "\n";
  llvm::outs() << "\n";
}

void write(host::JsonWriter &json, const Backward &backward) {
  int64_t fixed = savedBytes(backward.saved, 0);
  json.member("saved_bytes_per_image", savedBytes(backward.saved, 1) - fixed).member("saved_bytes_fixed", fixed);
  json.key("saved").beginArray();
  for (const SavedValue &value : backward.saved)
    json.beginObject()
        .member("path", value.path)
        .member("bytes", value.bytes)
        .member("per_image", value.batched)
        .array("read_by", value.readers)
        .endObject();
  json.endArray().array("recomputed", backward.again);
}

/// The page: the groups that run code, with what the machine allows them on the best of its instruction sets.
host::Result<void> writePage(const std::string &file, ModuleOp network, const CompileOptions &options) {
  auto compiled = compile(network, /*weights=*/nullptr, options);
  if (!compiled)
    return compiled.error();
  StringRef isa = "sse";
  for (cpu::Isa each : llvm::reverse(cpu::allIsas()))
    if (llvm::is_contained(options.isas, each) && cpu::hostSupports(each))
      isa = cpu::isaInfo(each).name;
  const int threads = host::usableCpus();
  Report report;
  report.title = networkName(network) + ": how it is computed";
  report.peakGflops = measurePeakGflops(isa, threads);
  report.gigabytes = measureReadGigabytes(threads);
  const Program &program = (*compiled)->program;
  report.facts = {
      {"groups", std::to_string(program.groups.size())},
      {"weights", bytesText(program.weightsBytes)},
      {"workspace of an image", bytesText(program.workspaceBytes)},
      {"this machine", isa.str() + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads")},
      {"measured peak", fixed(report.peakGflops, 1) + " GFLOP/s"},
      {"measured reading of memory", fixed(report.gigabytes, 1) + " GB/s"}};
  for (auto [info, group] : llvm::zip_equal(program.groups, (*compiled)->groups())) {
    const Explanation explanation = explain(group);
    ReportGroup shown = {info.path,
                         info.kind,
                         info.algorithm,
                         static_cast<double>(info.flopsPerImage),
                         static_cast<double>(info.bytesPerImage),
                         std::nullopt,
                         {"computes " + explanation.operations}};
    for (const std::string &layout : explanation.layouts)
      shown.details.push_back("result: " + layout);
    for (const std::string &place : explanation.places)
      shown.details.push_back("memory: " + place);
    for (const Explanation::Choice &choice : explanation.schedules)
      shown.details.push_back(choice.isa + ": " + choice.description);
    for (const std::string &note : explanation.notes)
      shown.details.push_back("note: " + note);
    report.groups.push_back(std::move(shown));
  }
  return host::writeFile(file, htmlReport(report));
}

} // namespace

int explainCommand(ArrayRef<std::string> arguments) {
  NetworkOptions networkOptions;
  std::string targetText = "cpu", html;
  int64_t batch = 1;
  bool exact = false, json = false;
  CommandLine line("cnnc explain",
                   "Says of each group what was fused and why not more, its layout, algorithm and tiles.");
  networkOptions.declare(line);
  line.text("target", "TARGET", targetText, "cpu (all of avx512, avx2 and sse), cpu:ISA,... or cuda:ARCHITECTURE,...");
  declarePrecision(line);
  line.number("batch", "N", batch, 1, 65536, "images of the launches of 'cuda' (1)");
  line.flag("exact", exact, "no Winograd");
  line.text("html", "FILE", html, "write a page with all of it and a roofline as well");
  line.flag("json", json, "print one line of JSON");
  if (std::optional<int> code = line.parse(arguments))
    return *code;
  auto choice = TargetChoice::parse(targetText, /*all=*/true);
  if (!choice)
    return line.misuse(choice.error().message);
  if (choice->isReference)
    return line.misuse("target 'reference' decides nothing");
  if (choice->isCuda() && !html.empty())
    return line.misuse("the page has what was measured on this machine's CPU: '--html' is not for the target 'cuda'");
  MLIRContext context;
  OwningOpRef<ModuleOp> network = loadNetworkOrBlock(context, networkOptions);
  if (!network)
    return 1;
  std::optional<DeviceReport> device;
  if (choice->isCuda()) {
    auto compiled = compile(*network, /*weights=*/nullptr, choice->compileOptions(exact));
    if (!compiled)
      return fail(compiled.error().message);
    auto report = DeviceReport::create((*compiled)->program, batch);
    if (!report)
      return fail(report.error().message);
    device = std::move(*report);
  }
  OwningOpRef<ModuleOp> planned = runStages(*network, "plan", choice->compileOptions(exact));
  if (!planned)
    return fail("the network cannot be compiled");
  if (!html.empty())
    if (auto written = writePage(html, *network, choice->compileOptions(exact)); !written)
      return fail(written.error().message);
  auto run = planned->lookupSymbol<func::FuncOp>(kRunFunction);
  host::JsonWriter writer;
  writer.beginObject().member("network", networkName(*planned));
  if (!planned->lookupSymbol(kPrepareFunction)) {
    Backward backward = {savedValues(run), recomputedPaths(run)};
    write(writer, backward);
    if (!json && !backward.saved.empty())
      print(backward);
  }
  writer.key("groups").beginArray();
  size_t number = 0; // Of the groups that run code.
  for (auto [index, group] : llvm::enumerate(run.getOps<GroupOp>())) {
    Explanation explanation = explain(group);
    write(writer, explanation, device ? &*device : nullptr, number);
    if (!json) {
      llvm::outs() << (index ? "\n" : "");
      print(explanation, device && !explanation.elided ? device->lines(number) : std::vector<std::string>());
    }
    number += !explanation.elided;
  }
  if (json)
    llvm::outs() << writer.endArray().endObject().text() << "\n";
  return 0;
}

} // namespace cnn
